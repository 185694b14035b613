//! The settings of the service: one default, then a file, then the environment, then flags.
//!
//! [`Config`] holds the values, `keys` names each with its variable, bounds and meaning, `load` lays
//! the layers over each other and remembers where every value came from, `report` prints them. A key
//! that nobody knows is refused, and nothing is repaired silently. It starts nothing and knows no
//! room: who serves reads the values. The list for people is in `docs/operations.md`.

mod error;
mod file;
mod keys;
mod load;
mod nearest;
mod report;
mod settings;
mod slot;

pub use error::ConfigError;
pub use keys::{KEYS, Key};
pub use load::{Flag, Loaded, Origin, load};
pub use report::{json, table};
pub use settings::{
    Config, Grpc, Http, Intake, Keys, Limits, Log, LogFormat, Otlp, Server, Store, Tls,
};
