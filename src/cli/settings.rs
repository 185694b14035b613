//! The flags that choose settings, shared by `serve` and `config`.
//!
//! Which flags there are, with their help and defaults, is written in the table of [`crate::config`].

use std::path::{Path, PathBuf};

use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches, value_parser};

use crate::config::{self, Flag, FlagValue, Loaded};

/// Id of the argument that names the file.
const CONFIG: &str = "config";

/// A file of settings, and the flags that override it.
#[derive(Debug)]
pub(super) struct SettingArguments {
    config: Option<PathBuf>,
    flags: Vec<FlagValue>,
}

/// The file that `flag` names, else the one of the environment, where an empty variable counts as unset.
pub(super) fn file(flag: Option<&Path>) -> Option<PathBuf> {
    let variable = || std::env::var_os("HOLDMETRICS_CONFIG").filter(|name| !name.is_empty());
    flag.map(Path::to_owned)
        .or_else(|| variable().map(PathBuf::from))
}

impl SettingArguments {
    /// The settings of this process: defaults, file, environment, flags.
    pub(super) fn load(&self) -> anyhow::Result<Loaded> {
        let file = file(self.config.as_deref());
        Ok(config::load(
            file.as_deref(),
            std::env::vars_os(),
            &self.flags,
        )?)
    }
}

impl Args for SettingArguments {
    fn augment_args(command: Command) -> Command {
        let file = Arg::new(CONFIG)
            .long("config")
            .value_name("FILE")
            .value_parser(value_parser!(PathBuf))
            .help(
                "Settings in TOML or YAML; without this and `HOLDMETRICS_CONFIG`, no file is read",
            );
        command.arg(file).args(config::flags().map(argument))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for SettingArguments {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let value = |flag: Flag| {
            let text = match flag.value_name {
                Some(_) => matches.get_one::<String>(flag.setting).cloned(),
                None => matches.get_flag(flag.setting).then(|| "true".to_owned()),
            };
            text.map(|text| FlagValue {
                setting: flag.setting,
                flag: flag.name,
                text,
            })
        };
        Ok(Self {
            config: matches.get_one(CONFIG).cloned(),
            flags: config::flags().filter_map(value).collect(),
        })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

/// The argument for one flag; its id is the name of the setting.
fn argument(flag: Flag) -> Arg {
    let help = match flag.default {
        Some(default) => format!("{} [default: {default}]", flag.help),
        None => flag.help.to_owned(),
    };
    let argument = Arg::new(flag.setting).long(flag.name).help(help);
    let argument = match flag.alias {
        Some(alias) => argument.visible_alias(alias),
        None => argument,
    };
    match flag.value_name {
        Some(name) => argument.value_name(name),
        None => argument.action(ArgAction::SetTrue),
    }
}
