//! Decides who may call what, and how often, for both protocols.
//!
//! Without a file of keys every caller may do everything, except that only callers on this machine may operate
//! the service, and calls count by their address. With one, callers without a key have the scopes of the setting
//! `keys.anonymous`. `grpc::status` and `http::problem` make responses of refusals.

use std::fmt;
use std::future::pending;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::http::{HeaderMap, header};
use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

use super::address_limit::network;
use super::key_ring::KeyRing;
use super::keys::KeyHash;
use crate::config::Limits;
use crate::config::Scope;

/// What a call needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Need {
    /// No key.
    Nothing,
    /// A key of any scope.
    AnyKey,
    /// A key of this scope.
    Key(Scope),
}

/// Why a call is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Denied {
    /// It has no API key.
    #[error("authorization: no API key; send the header `authorization: Bearer KEY`")]
    NoKey,
    /// The file has no such key.
    #[error("authorization: unknown API key")]
    UnknownKey,
    /// The key has other scopes.
    #[error("authorization: the API key {name:?} lacks the scope {scope}")]
    MissingScope {
        /// Of the key.
        name: Arc<str>,
        /// The one that the call needs.
        scope: Scope,
    },
    /// It would operate a service without API keys from another machine.
    #[error(
        "authorization: without API keys only callers on the machine of the service may operate it; give serve \
         --api-key-file, and send a key with the scope {}",
        Scope::Admin
    )]
    OtherMachine,
    /// The caller exceeds its rate.
    #[error("too many calls: the limit is {per_second} per second")]
    TooOften {
        /// The limit.
        per_second: u32,
        /// When to try again.
        retry_after: Duration,
    },
}

/// Who calls: by this calls are counted, and named in the log.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Caller {
    /// The owner of a key.
    Key {
        /// Its name.
        name: Arc<str>,
        /// The key itself: another one may get its name.
        hash: KeyHash,
    },
    /// A caller without a key from this address or network.
    Address(IpAddr),
}

/// As in `the key "ops"` or `127.0.0.1`.
impl fmt::Display for Caller {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key { name, .. } => write!(out, "the key {name:?}"),
            Self::Address(address) => address.fmt(out),
        }
    }
}

/// Admits and refuses calls.
#[derive(Clone)]
pub(super) struct Access {
    keys: Option<Arc<KeyRing>>,
    /// What callers without a key may do.
    anonymous: Arc<[Scope]>,
    rate: Option<Arc<Rate>>,
}

struct Rate {
    per_second: u32,
    limiter: DefaultKeyedRateLimiter<Caller>,
    clock: DefaultClock,
}

impl Access {
    pub(super) fn new(keys: Option<Arc<KeyRing>>, anonymous: &[Scope], limits: &Limits) -> Self {
        let rate = limits.requests_per_second_max.map(|per_second| {
            Arc::new(Rate {
                per_second: per_second.get(),
                limiter: RateLimiter::keyed(Quota::per_second(per_second)),
                clock: DefaultClock::default(),
            })
        });
        Self {
            keys,
            anonymous: anonymous.into(),
            rate,
        }
    }

    /// Admits a call with these headers from `address` and says whose it is, or says why not.
    pub(super) fn admit(
        &self,
        need: Need,
        headers: &HeaderMap,
        address: IpAddr,
    ) -> Result<Caller, Denied> {
        let nameless = || Caller::Address(network(address));
        let Some(ring) = self.keys.as_ref().filter(|_| need != Need::Nothing) else {
            let caller = self.count(need, nameless())?;
            if need == Need::Key(Scope::Admin) {
                require_own_machine(address)?;
            }
            return Ok(caller);
        };
        // Guesses count against the address that they come from.
        let Some(presented) = bearer(headers) else {
            let caller = self.count(need, nameless())?;
            return match need {
                Need::Key(scope) if self.is_open(scope) => Ok(caller),
                Need::Key(_) | Need::AnyKey | Need::Nothing => Err(Denied::NoKey),
            };
        };
        let Some(key) = ring.find(presented) else {
            self.count(need, nameless())?;
            return Err(Denied::UnknownKey);
        };
        let caller = Caller::Key {
            name: Arc::clone(&key.name),
            hash: key.hash,
        };
        let caller = self.count(need, caller)?;
        match need {
            Need::Key(scope) if !self.may(&key.scopes, scope) => Err(Denied::MissingScope {
                name: key.name,
                scope,
            }),
            Need::Key(_) | Need::AnyKey | Need::Nothing => Ok(caller),
        }
    }

    /// Resolves when the key of `caller` is no longer there, or no longer allows what needs `need`; never for
    /// callers without a key.
    pub(super) async fn revoked(&self, caller: &Caller, need: Need) {
        let (Some(ring), Caller::Key { hash, .. }) = (&self.keys, caller) else {
            return pending().await;
        };
        let mut reloads = ring.reloads();
        while ring.get(hash).is_some_and(|key| match need {
            Need::Key(scope) => self.may(&key.scopes, scope),
            Need::AnyKey | Need::Nothing => true,
        }) {
            if reloads.changed().await.is_err() {
                return pending().await;
            }
        }
    }

    /// Whether a key that has `scopes` may do what needs `needed`.
    fn may(&self, scopes: &[Scope], needed: Scope) -> bool {
        includes(scopes, needed) || self.is_open(needed)
    }

    /// Whether callers without a key may do what needs `scope`.
    pub(super) fn is_open(&self, scope: Scope) -> bool {
        includes(&self.anonymous, scope)
    }

    /// Whether the server keeps something on disk for `caller`: if there are keys, only for their owners.
    pub(super) fn may_keep_positions(&self, caller: &Caller) -> bool {
        self.keys.is_none() || matches!(caller, Caller::Key { .. })
    }

    /// Forgets callers without recent calls.
    pub(super) fn forget_callers(&self) {
        if let Some(rate) = &self.rate {
            rate.limiter.retain_recent();
        }
    }

    fn count(&self, need: Need, caller: Caller) -> Result<Caller, Denied> {
        let Some(rate) = self.rate.as_ref().filter(|_| need != Need::Nothing) else {
            return Ok(caller);
        };
        match rate.limiter.check_key(&caller) {
            Ok(()) => Ok(caller),
            Err(until) => Err(Denied::TooOften {
                per_second: rate.per_second,
                retry_after: until.wait_time_from(rate.clock.now()),
            }),
        }
    }
}

/// Without API keys, what operates the service is for programs on its machine.
fn require_own_machine(address: IpAddr) -> Result<(), Denied> {
    if address.to_canonical().is_loopback() {
        return Ok(());
    }
    Err(Denied::OtherMachine)
}

/// Whether a caller that has `scopes` may do what needs `needed`.
fn includes(scopes: &[Scope], needed: Scope) -> bool {
    scopes.iter().any(|scope| scope.includes(needed))
}

/// The key of `authorization: Bearer KEY`; the case of the word does not matter.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let text = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, key) = text.split_once(' ')?;
    let key = key.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !key.is_empty()).then_some(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_keys_only_programs_on_this_machine_operate_the_service() {
        let access = Access::new(None, &[], &Limits::default());
        let admit = |scope, address: &str| {
            let address = address.parse().unwrap();
            access.admit(Need::Key(scope), &HeaderMap::new(), address)
        };
        for address in ["127.0.0.1", "::1", "::ffff:127.0.0.1"] {
            assert!(admit(Scope::Admin, address).is_ok(), "{address}");
        }
        for address in ["10.0.0.1", "2001:db8::1", "::ffff:10.0.0.1"] {
            let refused = admit(Scope::Admin, address);
            assert_eq!(refused, Err(Denied::OtherMachine), "{address}");
            assert!(admit(Scope::Write, address).is_ok(), "{address}");
        }
    }

    #[test]
    fn a_key_follows_the_word_bearer() {
        let read = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::AUTHORIZATION, text.parse().unwrap());
            bearer(&headers).map(ToOwned::to_owned)
        };
        assert_eq!(read("Bearer abc").as_deref(), Some("abc"));
        assert_eq!(read("bearer  abc ").as_deref(), Some("abc"));
        for text in ["Bearer", "Bearer ", "Basic abc", "abc"] {
            assert_eq!(read(text), None, "{text:?}");
        }
    }
}
