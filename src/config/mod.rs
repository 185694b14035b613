//! The settings of the service: defaults, then a file, then the environment, then flags.
//!
//! `settings` is the table of all of them, from which [`Config`], its defaults and everything printed come.
//! `load` applies the layers and remembers the origin of each value, `check` refuses contradictions,
//! `report` prints, `flags` says which flags there are. Unknown names are refused, and nothing is repaired
//! silently. Starts nothing, and imports no other module but `core`. The list for people is `docs/settings.md`.

mod check;
mod define;
mod error;
mod file;
mod flags;
mod form;
mod load;
mod measure;
mod origin;
mod report;
mod settings;
mod values;

pub use check::TlsFiles;
pub use define::{AddressRow, Row};
pub use error::ConfigError;
pub use flags::{Flag, flags};
pub use load::variables;
pub(crate) use load::{FlagValue, Loaded, load};
pub(crate) use measure::time_from_text;
pub use origin::Origin;
pub(crate) use report::{json, table};
pub use settings::{
    ADDRESSES, AddressSetting, Config, Grpc, Http, Intake, Keys, Limits, Log, Otlp, Pipelines,
    Questions, Rounds, SETTINGS, Serve, Server, Setting, Store, Tls,
};
pub use values::{EventsFull, LogFormat, Scope, StoreAddress};
