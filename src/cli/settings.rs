//! The flags that choose settings, shared by `serve`, `config`, `journal` and `doctor`.
//!
//! Which flags there are, with their help and defaults, is written in the table of [`crate::config`].

use std::marker::PhantomData;
use std::path::PathBuf;

use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches, value_parser};

use crate::config::{self, Flag, FlagValue, Loaded, StoreAddress};

/// Id of the argument that names the file.
const CONFIG: &str = "config";
/// The variable that names it.
const CONFIG_VARIABLE: &str = "HOLDMETRICS_CONFIG";

/// A file of settings, and all flags that override it.
#[derive(Debug)]
pub(super) struct SettingArguments {
    config: Option<PathBuf>,
    flags: Vec<FlagValue>,
}

/// A file of settings, and the flags of a few settings alone.
#[derive(Debug)]
pub(super) struct FewSettings<S>(SettingArguments, PhantomData<S>);

/// The settings that a subcommand needs.
pub(super) trait Needed {
    const SETTINGS: &[&str];
}

/// The data folder.
#[derive(Clone, Copy, Debug)]
pub(super) struct DataFolder;

impl Needed for DataFolder {
    const SETTINGS: &[&str] = &[DATA_DIR];
}

/// The data folder, and the stores that everything is delivered to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stores;

impl Needed for Stores {
    const SETTINGS: &[&str] = &[DATA_DIR, "serve.store"];
}

const DATA_DIR: &str = "store.data_dir";

/// A file of settings, and the flag of the data folder.
pub(super) type FolderArguments = FewSettings<DataFolder>;
/// A file of settings, and the flags of the data folder and the stores.
pub(super) type StoreArguments = FewSettings<Stores>;

impl SettingArguments {
    /// The settings of this process: defaults, file, environment, flags.
    pub(super) fn load(&self) -> anyhow::Result<Loaded> {
        // An empty variable counts as unset.
        let variable = || std::env::var_os(CONFIG_VARIABLE).filter(|name| !name.is_empty());
        let file = self.config.clone();
        let file = file.or_else(|| variable().map(PathBuf::from));
        Ok(config::load(
            file.as_deref(),
            std::env::vars_os(),
            &self.flags,
        )?)
    }
}

impl FolderArguments {
    /// No file and no flag: what the environment says, else the defaults.
    pub(super) const fn without_flags() -> Self {
        let flags = Vec::new();
        Self(
            SettingArguments {
                config: None,
                flags,
            },
            PhantomData,
        )
    }

    /// The data folder that `serve` would use with the same arguments.
    pub(super) fn data_dir(&self) -> anyhow::Result<PathBuf> {
        Ok(self.0.load()?.config.store.data_dir)
    }
}

impl StoreArguments {
    /// The data folder of `serve` with the same arguments, and the stores that it would deliver to.
    pub(super) fn folder_and_stores(&self) -> anyhow::Result<(PathBuf, Vec<StoreAddress>)> {
        let config = self.0.load()?.config;
        Ok((config.store.data_dir, config.serve.store))
    }
}

impl Args for SettingArguments {
    fn augment_args(command: Command) -> Command {
        command
            .arg(file_argument())
            .args(config::flags().map(argument))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl<S: Needed> Args for FewSettings<S> {
    fn augment_args(command: Command) -> Command {
        let flags = config::flags().filter(|flag| S::SETTINGS.contains(&flag.setting));
        command.arg(file_argument()).args(flags.map(argument))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for SettingArguments {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let value = |flag: Flag| {
            Some(FlagValue {
                setting: flag.setting,
                flag: flag.name,
                text: text(matches, &flag)?,
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

impl<S> FromArgMatches for FewSettings<S> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        SettingArguments::from_arg_matches(matches).map(|found| Self(found, PhantomData))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        self.0.update_from_arg_matches(matches)
    }
}

/// The value of a flag; `None` if it is not given, or the subcommand does not have it.
fn text(matches: &ArgMatches, flag: &Flag) -> Option<String> {
    if flag.is_list {
        let items = matches.try_get_many::<String>(flag.setting).ok()??;
        return Some(items.map(String::as_str).collect::<Vec<_>>().join(","));
    }
    if flag.value_name.is_some() {
        let text = matches.try_get_one::<String>(flag.setting).ok()?;
        return text.cloned();
    }
    let is_on = matches.try_get_one::<bool>(flag.setting).ok()??;
    is_on.then(|| "true".to_owned())
}

fn file_argument() -> Arg {
    Arg::new(CONFIG)
        .long("config")
        .value_name("FILE")
        .value_parser(value_parser!(PathBuf))
        .help(format!(
            "Settings in TOML or YAML; without this and `{CONFIG_VARIABLE}`, no file is read"
        ))
}

/// The argument for one flag; its id is the name of the setting.
fn argument(flag: Flag) -> Arg {
    let help = match flag.default {
        Some(default) => format!("{} [default: {default}]", flag.help),
        None if flag.is_list => format!("{}; may be repeated", flag.help),
        None => flag.help.to_owned(),
    };
    let argument = Arg::new(flag.setting).long(flag.name).help(help);
    let argument = match flag.alias {
        Some(alias) => argument.visible_alias(alias),
        None => argument,
    };
    match flag.value_name {
        Some(name) if flag.is_list => argument.value_name(name).action(ArgAction::Append),
        Some(name) => argument.value_name(name),
        None => argument.action(ArgAction::SetTrue),
    }
}
