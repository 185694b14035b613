//! The layers one over the other: defaults, file, environment, flags. The last one that sets a value wins.

use std::borrow::Cow;
use std::ffi::OsString;
use std::path::Path;

use strsim::osa_distance;

use super::define::PREFIX;
use super::error::ConfigError;
use super::file;
use super::form::{Address, Form};
use super::origin::Origin;
use super::settings::{ADDRESSES, AddressSetting, Config, SETTINGS, Setting};

/// Names shorter than this are near to each other by chance.
const TYPO_LENGTH_MIN: usize = 8;

/// A setting that the command line chooses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FlagValue {
    /// Name of the setting or address, as in `store.data_dir`.
    pub setting: &'static str,
    /// The flag without dashes, as in `data-dir`.
    pub flag: &'static str,
    /// As a file would say it.
    pub text: String,
}

/// A checked configuration, and where each value came from.
#[derive(Clone, Debug)]
pub(crate) struct Loaded {
    /// The values.
    pub config: Config,
    /// Of each setting, in the order of the table.
    origins: Vec<Origin>,
}

/// What a name or a variable refers to.
enum Named {
    Setting(usize),
    Address(&'static AddressSetting),
}

impl Named {
    /// The first setting that `is_setting` accepts, else the first address that `is_address` accepts.
    fn find(
        is_setting: impl Fn(&Setting) -> bool,
        is_address: impl Fn(&AddressSetting) -> bool,
    ) -> Option<Self> {
        let setting = SETTINGS.iter().position(is_setting).map(Self::Setting);
        setting.or_else(|| {
            let address = ADDRESSES.iter().find(|address| is_address(address));
            address.map(Self::Address)
        })
    }

    fn by_name(name: &str) -> Option<Self> {
        Self::find(
            |setting| setting.name == name,
            |address| address.name == name,
        )
    }

    fn by_variable(variable: &str) -> Option<Self> {
        Self::find(
            |setting| setting.variable() == variable,
            |address| address.variable() == variable,
        )
    }
}

impl Loaded {
    /// Every setting with its value as text and its origin.
    pub(crate) fn settings(&self) -> impl Iterator<Item = (&'static Setting, String, &Origin)> {
        SETTINGS
            .iter()
            .zip(&self.origins)
            .map(|(setting, origin)| (setting, setting.text(&self.config), origin))
    }

    fn set(&mut self, named: &Named, text: &str, origin: &Origin) -> Result<(), ConfigError> {
        let address = match named {
            Named::Setting(index) => return self.set_one(*index, text, origin),
            Named::Address(address) => address,
        };
        let Some(socket) = Address.parse(text) else {
            return Err(ConfigError::Value {
                origin: origin.clone(),
                name: address.name,
                text: text.to_owned(),
                expected: address.expected(),
            });
        };
        let texts = [socket.ip().to_string(), socket.port().to_string()];
        for (part, text) in address.parts.iter().zip(texts) {
            let index = SETTINGS.iter().position(|setting| setting.name == *part);
            let index = index.expect("an address consists of settings of the table");
            self.set_one(index, &text, origin)?;
        }
        Ok(())
    }

    fn set_one(&mut self, index: usize, text: &str, origin: &Origin) -> Result<(), ConfigError> {
        let setting = &SETTINGS[index];
        if (setting.parse)(&mut self.config, text).is_none() {
            return Err(ConfigError::Value {
                origin: origin.clone(),
                name: setting.name,
                text: (setting.shown)(text),
                expected: setting.expected(),
            });
        }
        let first = std::mem::replace(&mut self.origins[index], origin.clone());
        if first.is_beside(origin) {
            return Err(ConfigError::SetTwice {
                name: setting.name,
                first,
                second: origin.clone(),
            });
        }
        Ok(())
    }
}

/// Applies `file`, `variables` and `flags` to the defaults, in this order.
///
/// # Errors
/// At the first unknown name, invalid value or contradiction.
///
/// # Panics
/// If a flag names a setting that does not exist.
pub(crate) fn load(
    file: Option<&Path>,
    variables: impl IntoIterator<Item = (OsString, OsString)>,
    flags: &[FlagValue],
) -> Result<Loaded, ConfigError> {
    let mut loaded = Loaded {
        config: Config::default(),
        origins: vec![Origin::Default; SETTINGS.len()],
    };
    if let Some(path) = file {
        for entry in file::entries(path)? {
            let origin = Origin::File {
                path: path.to_owned(),
                line: entry.line,
            };
            match Named::by_name(&entry.key) {
                Some(named) => loaded.set(&named, &entry.text, &origin)?,
                // A section whose settings are all commented out.
                None if entry.text.is_empty() && is_section(&entry.key) => {}
                None => return Err(unknown_setting(entry.key, origin)),
            }
        }
    }
    let mut variables: Vec<_> = variables.into_iter().collect();
    variables.sort();
    for (name, text) in variables {
        let Some(name) = name.to_str() else {
            continue;
        };
        // A text that is not UTF-8 is never a valid value, and the message shows what it can.
        let text = text.to_string_lossy();
        match Named::by_variable(name) {
            // Container tools set a variable to nothing to unset it.
            Some(_) if text.is_empty() => {}
            Some(named) => loaded.set(&named, &text, &Origin::Variable(name.to_owned()))?,
            None if is_in_section(name) || is_typo(name) => return Err(unknown_variable(name)),
            None => {}
        }
    }
    for FlagValue {
        setting,
        flag,
        text,
    } in flags
    {
        let named = Named::by_name(setting).expect("flags name settings of the table");
        loaded.set(&named, text, &Origin::Flag(flag))?;
    }
    loaded.config.check()?;
    Ok(loaded)
}

fn is_section(name: &str) -> bool {
    SETTINGS.iter().any(|setting| setting.section() == name)
}

/// Whether two edits lead from a variable with our prefix to this one. Of the variables that Kubernetes sets
/// for a service, only `_PORT` may be that near: a service `holdmetrics-rpc` gives `HOLDMETRICS_RPC_PORT`.
fn is_typo(variable: &str) -> bool {
    let Some(name) = variable.strip_prefix(PREFIX) else {
        return false;
    };
    name.len() >= TYPO_LENGTH_MIN
        && !name.ends_with("_PORT")
        && variables().any(|known| {
            let known = known.strip_prefix(PREFIX);
            known.is_some_and(|known| osa_distance(name, known) <= 2)
        })
}

/// Other names with our prefix are ignored: Kubernetes sets `HOLDMETRICS_PORT` and the like for a service
/// named holdmetrics.
fn is_in_section(variable: &str) -> bool {
    let Some(rest) = variable.strip_prefix(PREFIX) else {
        return false;
    };
    SETTINGS.iter().any(|setting| {
        rest.strip_prefix(&setting.section().to_uppercase())
            .is_some_and(|name| name.starts_with('_'))
    })
}

fn names() -> impl Iterator<Item = &'static str> {
    let addresses = ADDRESSES.iter().map(|address| address.name);
    SETTINGS.iter().map(|setting| setting.name).chain(addresses)
}

/// The variables of all settings and addresses.
pub fn variables() -> impl Iterator<Item = String> {
    let addresses = ADDRESSES.iter().map(AddressSetting::variable);
    let all = SETTINGS.iter().map(Setting::variable).chain(addresses);
    all.map(Cow::into_owned)
}

fn unknown_setting(name: String, origin: Origin) -> ConfigError {
    let nearest = nearest(&name, names().map(ToOwned::to_owned), |known| known);
    ConfigError::UnknownSetting {
        origin,
        name,
        nearest,
    }
}

fn unknown_variable(name: &str) -> ConfigError {
    // The common prefix makes no name nearer.
    let nearest = nearest(without_prefix(name), variables(), without_prefix);
    ConfigError::UnknownVariable {
        name: name.to_owned(),
        nearest,
    }
}

fn without_prefix(variable: &str) -> &str {
    variable.strip_prefix(PREFIX).unwrap_or(variable)
}

/// The known name that the fewest edits make of `name`; `None` if they are more than half of its length.
/// Names are compared by what `compared` leaves of them.
fn nearest(
    name: &str,
    known: impl Iterator<Item = String>,
    compared: fn(&str) -> &str,
) -> Option<String> {
    let (edits, nearest) = known
        .map(|known| (osa_distance(name, compared(&known)), known))
        .min()?;
    (2 * edits <= name.len()).then_some(nearest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_within_their_own_bounds() {
        for setting in SETTINGS {
            let text = setting.text(&Config::default());
            let mut config = Config::default();
            assert_eq!(
                (setting.parse)(&mut config, &text),
                Some(()),
                "{}",
                setting.name
            );
            assert_eq!(config, Config::default(), "{}", setting.name);
        }
    }

    #[test]
    fn no_two_settings_share_a_name_a_variable_or_a_flag() {
        let flags = super::super::flags().flat_map(|flag| [Some(flag.name), flag.alias]);
        let flags = flags.flatten().map(ToOwned::to_owned);
        let mut all: Vec<String> = names().map(ToOwned::to_owned).collect();
        all.extend(variables());
        all.extend(flags);
        let count = all.len();
        all.sort();
        all.dedup();
        assert_eq!(all.len(), count);
    }

    #[test]
    fn a_name_far_from_all_others_gets_no_suggestion() {
        let hint = |name: &str| nearest(name, names().map(ToOwned::to_owned), |known| known);
        assert_eq!(hint("http.prot").as_deref(), Some("http.port"));
        assert_eq!(hint("colour"), None);
    }
}
