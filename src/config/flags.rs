//! The flags of the command line that choose settings; `cli` makes arguments of them.

use super::define::FlagNames;
use super::settings::{ADDRESSES, Config, SETTINGS};

/// A flag of the command line that chooses a setting.
pub struct Flag {
    /// Name of the setting or address.
    pub setting: &'static str,
    /// As on the command line, without dashes.
    pub name: &'static str,
    /// An older name that stays.
    pub alias: Option<&'static str>,
    /// What its value is called; `None` for a switch.
    pub value_name: Option<&'static str>,
    /// Whether it may be repeated, each time with one item of a list.
    pub is_list: bool,
    /// One sentence without a full stop.
    pub help: &'static str,
    /// The value without it; `None` if that is unset.
    pub default: Option<String>,
}

/// All flags, in the order in which help texts list them.
pub fn flags() -> impl Iterator<Item = Flag> {
    let addresses = ADDRESSES.iter().map(|address| Flag {
        setting: address.name,
        name: address.flag,
        alias: None,
        value_name: Some("HOST:PORT"),
        is_list: false,
        help: address.help,
        default: Some((address.address)(&Config::default()).to_string()),
    });
    let settings = SETTINGS.iter().filter_map(|setting| {
        let FlagNames { name, alias } = setting.flag?;
        let value_name = (setting.value_name)();
        let default = setting.text(&Config::default());
        Some(Flag {
            setting: setting.name,
            name,
            alias,
            value_name,
            is_list: (setting.is_list)(),
            help: setting.help().trim_end_matches('.'),
            default: Some(default).filter(|text| value_name.is_some() && !text.is_empty()),
        })
    });
    addresses.chain(settings)
}
