//! What a round is asked for: the options of `airdrop allocate` and `airdrop tree` that a service can follow, as text.
//!
//! Two requests are equal if they mean the same: that is how a repeated one is told from another round.

use std::collections::BTreeMap;

use ruint::aliases::U256;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::error::SealError;
use crate::airdrop::{
    Curve, Details, EvmAddress, Format, SCORE_PLACES, Selection, Terms, UnitsError, parse_units,
};
use crate::core::{Addressed, Audience, Micros};
use crate::excerpt::quoted;

/// The longest id of a round.
const ID_BYTES_MAX: usize = 64;
/// The most decimal places of a token.
const PLACES_MAX: u8 = 77;

/// A round to seal. Amounts are in tokens, as text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RoundRequest {
    /// Names the round for ever: letters, digits, `.`, `_` and `-`, at most 64.
    #[schema(pattern = "^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$", example = "2025-07")]
    pub id: String,
    /// What is shared, in tokens.
    #[schema(example = "1000000")]
    pub pool: String,
    /// Decimal places of the token: 18 means that a base unit is 1e-18 token.
    #[schema(maximum = 77, example = 18)]
    pub decimals: u8,
    /// Scores of holding this token alone; of all tokens if absent.
    #[serde(default)]
    pub token_id: Option<String>,
    /// The first instant that does not count; the moment of sealing if absent.
    #[serde(default)]
    #[schema(example = "2025-07-21T00:00:00Z")]
    pub as_of: Option<String>,
    /// The first instant that counts; the beginning of time if absent.
    #[serde(default)]
    pub from: Option<String>,
    /// Leaves out the time after a key's last mark.
    #[serde(default)]
    pub closed_only: bool,
    /// Shares by the scores under a policy that the service publishes.
    #[serde(default)]
    pub policy: Option<String>,
    /// `linear` or `square-root`.
    #[serde(default = "linear")]
    #[schema(default = "linear")]
    pub curve: String,
    /// The most that one holder gets; the others share what is left.
    #[serde(default)]
    pub cap: Option<String>,
    /// A holder that would get less is left out, and the pool is shared anew.
    #[serde(default = "zero")]
    #[schema(default = "0")]
    pub min_amount: String,
    /// Holders with a lower score, in weight-seconds, are left out.
    #[serde(default = "zero")]
    #[schema(default = "0")]
    pub min_score: String,
    /// Adds the scores of an address that comes twice, in different case.
    #[serde(default)]
    pub merge_duplicates: bool,
    /// Holders or addresses that get nothing.
    #[serde(default)]
    pub exclude: Vec<String>,
    /// The holder of each wallet whose score counts for another address.
    #[serde(default)]
    pub holders: BTreeMap<String, String>,
    /// Format of the tree: `standard-v1`, `uniswap`, `ens-shards`, `thirdweb-shards`, `sablier-evm`, `sablier-solana` or
    /// `merkl`.
    #[serde(default = "standard")]
    #[schema(default = "standard-v1")]
    pub format: String,
    /// Address of the token, in the leaves of `merkl`.
    #[serde(default)]
    pub token: Option<String>,
}

fn linear() -> String {
    Curve::Linear.name().to_owned()
}

fn zero() -> String {
    "0".to_owned()
}

fn standard() -> String {
    Format::StandardV1.name().to_owned()
}

/// A request as values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RoundPlan {
    pub(super) token_id: Option<Box<str>>,
    /// `None` means the moment of sealing.
    pub(super) as_of: Option<Micros>,
    pub(super) from: Option<Micros>,
    pub(super) closed_only: bool,
    pub(super) policy: Option<String>,
    pub(super) decimals: u8,
    pub(super) selection: Selection,
    pub(super) terms: Terms,
    pub(super) format: Format,
    pub(super) token: Option<EvmAddress>,
}

impl RoundRequest {
    /// The values, or the first field that is not one.
    pub(super) fn plan(&self) -> Result<RoundPlan, SealError> {
        check_id(&self.id)?;
        if self.decimals > PLACES_MAX {
            let reason = format!(
                "{} is too large (a token has at most {PLACES_MAX} places)",
                self.decimals
            );
            return Err(field("decimals", reason));
        }
        let format = self.tree_format()?;
        let token = self.tree_token(format)?;
        let amount = |name, text: &str| units(name, text, self.decimals);
        let mut selection = Selection::all(format.addresses());
        selection.merges_duplicates = self.merge_duplicates;
        selection.min_score = units("min_score", &self.min_score, SCORE_PLACES)?;
        for holder in &self.exclude {
            selection.exclude(holder);
        }
        for (wallet, holder) in &self.holders {
            let assigned = selection.assign(wallet, holder);
            assigned.map_err(|error| field("holders", error.to_string()))?;
        }
        let curve = Curve::named(&self.curve).ok_or_else(|| {
            let found = quoted(&self.curve);
            field("curve", format!("{found} is not linear or square-root"))
        })?;
        Ok(RoundPlan {
            token_id: not_empty("token_id", self.token_id.as_deref())?.map(Into::into),
            as_of: instant("as_of", self.as_of.as_deref())?,
            from: instant("from", self.from.as_deref())?,
            closed_only: self.closed_only,
            policy: not_empty("policy", self.policy.as_deref())?.map(Into::into),
            decimals: self.decimals,
            terms: Terms {
                pool: amount("pool", &self.pool)?,
                curve,
                cap: match &self.cap {
                    Some(cap) => Some(amount("cap", cap)?),
                    None => None,
                },
                minimum: amount("min_amount", &self.min_amount)?,
            },
            selection,
            format,
            token,
        })
    }

    fn tree_format(&self) -> Result<Format, SealError> {
        let has_holders = |format: &Format| *format != Format::SimpleV1;
        let format = Format::named(&self.format).filter(has_holders);
        format.ok_or_else(|| {
            let names = Format::ALL.iter().filter(|format| has_holders(format));
            let names: Vec<_> = names.map(|format| format.name()).collect();
            let reason = format!(
                "{} is not a format with holders ({})",
                quoted(&self.format),
                names.join(", ")
            );
            field("format", reason)
        })
    }

    fn tree_token(&self, format: Format) -> Result<Option<EvmAddress>, SealError> {
        match (&self.token, format) {
            (Some(token), Format::Merkl) => EvmAddress::parse(token)
                .map(Some)
                .map_err(|error| field("token", error.to_string())),
            (None, Format::Merkl) => Err(field(
                "token",
                "missing (the leaves of merkl have the address of the token)".to_owned(),
            )),
            (Some(_), _) => Err(field(
                "token",
                "only the leaves of merkl have the token (leave it out; token_id chooses whose scores count)"
                    .to_owned(),
            )),
            (None, _) => Ok(None),
        }
    }
}

impl RoundPlan {
    /// What the tree has beside the list.
    pub(super) fn details(&self) -> Details {
        Details {
            places: self.decimals,
            ..Details::default()
        }
    }
}

/// An id is a part of a path, and never the name of a file that is hidden.
fn check_id(id: &str) -> Result<(), SealError> {
    let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    let begins_well = id.starts_with(|first: char| first.is_ascii_alphanumeric());
    if begins_well && id.len() <= ID_BYTES_MAX && id.bytes().all(is_letter) {
        return Ok(());
    }
    let reason = format!(
        "{} is not an id (write 1 to {ID_BYTES_MAX} letters, digits, '.', '_' or '-', the first a letter or a digit)",
        quoted(id)
    );
    Err(field("id", reason))
}

fn field(field: &'static str, reason: String) -> SealError {
    SealError::Field { field, reason }
}

fn not_empty<'a>(name: &'static str, text: Option<&'a str>) -> Result<Option<&'a str>, SealError> {
    match text {
        Some("") => Err(field(name, "empty (leave it out)".to_owned())),
        text => Ok(text),
    }
}

fn instant(name: &'static str, text: Option<&str>) -> Result<Option<Micros>, SealError> {
    let Some(text) = text else {
        return Ok(None);
    };
    let read = Micros::parse_argument(text);
    read.map(Some).map_err(|error| {
        let reason = error.to(Audience::Service);
        field(name, format!("{reason}; found {}", quoted(text)))
    })
}

fn units(name: &'static str, text: &str, places: u8) -> Result<U256, SealError> {
    parse_units(text, places).map_err(|error: UnitsError| field(name, error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(json: &str) -> RoundRequest {
        let whole = format!(r#"{{"id":"july","pool":"100","decimals":18{json}}}"#);
        serde_json::from_str(&whole).unwrap()
    }

    fn refusal(json: &str) -> String {
        request(json).plan().unwrap_err().to_string()
    }

    #[test]
    fn requests_that_mean_the_same_have_equal_plans() {
        let one = request(r#","as_of":"2025-07-21","exclude":["b","a"],"cap":"1.50""#);
        let same =
            request(r#","as_of":"2025-07-21T02:00:00+02:00","exclude":["a","b","a"],"cap":"1.5""#);
        assert_eq!(one.plan().unwrap(), same.plan().unwrap());
        let other = request(r#","as_of":"2025-07-21","exclude":["a"],"cap":"1.5""#);
        assert_ne!(one.plan().unwrap(), other.plan().unwrap());
    }

    #[test]
    fn a_field_that_is_wrong_is_named_with_its_cure() {
        for (json, expected) in [
            (r#","cap":"1e3""#, "cap: \"1e3\" is not a decimal number"),
            (r#","as_of":"soon""#, "as_of: "),
            (
                r#","curve":"log""#,
                "curve: \"log\" is not linear or square-root",
            ),
            (
                r#","format":"simple-v1""#,
                "format: \"simple-v1\" is not a format with holders (standard-v1, ",
            ),
            (r#","format":"merkl""#, "token: missing"),
            (
                r#","token":"0x1111111111111111111111111111111111111111""#,
                "token: only the leaves of merkl",
            ),
            (r#","policy":"""#, "policy: empty"),
        ] {
            let found = refusal(json);
            assert!(found.starts_with(expected), "{found}");
        }
        for id in ["", ".", "..", "a/b", "-a", "ä"] {
            let named = RoundRequest {
                id: id.into(),
                ..request("")
            };
            assert!(named.plan().is_err(), "{id:?}");
        }
    }
}
