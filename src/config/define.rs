//! What a row of the table of settings is, and the macro that makes the value structs and the rows.
//!
//! The rows themselves are in `settings`; reading and printing one value is in `form`.

use std::borrow::Cow;
use std::net::SocketAddr;

use super::form::{Address, Form};

/// What the variables of settings begin with, except for published and standard ones.
pub(super) const PREFIX: &str = "HOLDMETRICS_";

/// One setting of a configuration `C`.
pub struct Row<C> {
    /// Section and key, as in `limits.message_bytes_max`.
    pub name: &'static str,
    pub(super) doc: &'static str,
    pub(super) published_variable: Option<&'static str>,
    pub(super) flag: Option<FlagNames>,
    /// Sets the value that a text says; `None`, and no change, if the text is not as `expected` says.
    pub(super) parse: fn(&mut C, &str) -> Option<()>,
    pub(super) print: fn(&C) -> String,
    pub(super) expected: fn() -> String,
    pub(super) value_name: fn() -> Option<&'static str>,
    pub(super) is_list: fn() -> bool,
    pub(super) shown: fn(&str) -> String,
}

/// How a flag is written on the command line, without dashes.
#[derive(Clone, Copy)]
pub(super) struct FlagNames {
    pub(super) name: &'static str,
    /// An older name that stays.
    pub(super) alias: Option<&'static str>,
}

/// A name that sets the host and the port of a server at once, as in `127.0.0.1:8000`.
pub struct AddressRow<C> {
    /// As in `http.address`.
    pub name: &'static str,
    /// What it sets, in one sentence.
    pub help: &'static str,
    pub(super) published_variable: Option<&'static str>,
    pub(super) flag: &'static str,
    /// The settings of the host and of the port.
    pub(super) parts: [&'static str; 2],
    pub(super) address: fn(&C) -> SocketAddr,
}

impl<C> Row<C> {
    /// What is before the dot of its name.
    #[must_use]
    pub fn section(&self) -> &'static str {
        self.name.split_once('.').map_or("", |(section, _)| section)
    }

    /// What it is for.
    #[must_use]
    pub fn help(&self) -> &'static str {
        self.doc.trim_start()
    }

    /// The environment variable that sets it.
    #[must_use]
    pub fn variable(&self) -> Cow<'static, str> {
        variable(self.name, self.published_variable)
    }

    /// The value in `config`, as a file or a variable would say it; empty if it is unset.
    #[must_use]
    pub fn text(&self, config: &C) -> String {
        (self.print)(config)
    }

    /// What a value must be, as in "a port from 0 to 65535".
    #[must_use]
    pub fn expected(&self) -> String {
        (self.expected)()
    }
}

impl<C> AddressRow<C> {
    /// What a value must be, as in "a port from 0 to 65535".
    #[must_use]
    pub fn expected(&self) -> String {
        Address.expected()
    }

    /// The environment variable that sets it.
    #[must_use]
    pub fn variable(&self) -> Cow<'static, str> {
        variable(self.name, self.published_variable)
    }
}

fn variable(name: &str, published: Option<&'static str>) -> Cow<'static, str> {
    published.map_or_else(
        || format!("{PREFIX}{}", name.replace('.', "_").to_uppercase()).into(),
        Into::into,
    )
}

/// Makes of each `section: Type { field: type = default, form, ...; }` a struct with its default, and of
/// all fields together [`SETTINGS`]. The doc comment of a field is its help text.
macro_rules! settings {
    ($(
        $(#[doc = $about:literal])+
        $section:ident: $Section:ident {$(
            $(#[doc = $help:literal])+
            $field:ident: $Type:ty = $default:expr, $form:expr
                $(, variable $variable:literal)?
                $(, flag $flag:literal $(alias $alias:literal)?)?;
        )+}
    )+) => {
        /// All settings of the service; the default is what a start without any choice uses.
        #[derive(Clone, Debug, Default, PartialEq, Eq)]
        pub struct Config {
            $(
                $(#[doc = $about])+
                pub $section: $Section,
            )+
        }

        $(
            $(#[doc = $about])+
            #[derive(Clone, Debug, PartialEq, Eq)]
            pub struct $Section {
                $(
                    $(#[doc = $help])+
                    pub $field: $Type,
                )+
            }

            impl Default for $Section {
                fn default() -> Self {
                    Self { $($field: $default,)+ }
                }
            }
        )+

        /// One setting of the service.
        pub type Setting = $crate::config::define::Row<Config>;

        /// All settings, in the order in which they are printed.
        pub static SETTINGS: &[Setting] = &[$($(
            $crate::config::define::Row {
                name: concat!(stringify!($section), ".", stringify!($field)),
                doc: concat!($($help),+),
                published_variable: $crate::config::define::optional!($($variable)?),
                flag: $crate::config::define::optional!($(
                    $crate::config::define::FlagNames {
                        name: $flag,
                        alias: $crate::config::define::optional!($($alias)?),
                    }
                )?),
                parse: |config, text| {
                    let value = $crate::config::form::Form::<$Type>::parse(&$form, text)?;
                    config.$section.$field = value;
                    Some(())
                },
                print: |config| {
                    $crate::config::form::Form::<$Type>::print(&$form, &config.$section.$field)
                },
                expected: || $crate::config::form::Form::<$Type>::expected(&$form),
                value_name: || $crate::config::form::Form::<$Type>::value_name(&$form),
                is_list: || $crate::config::form::Form::<$Type>::is_list(&$form),
                shown: |text| $crate::config::form::Form::<$Type>::shown(&$form, text),
            },
        )+)+];
    };
}
pub(super) use settings;

/// `Some` of what it is given, or `None`.
macro_rules! optional {
    () => {
        None
    };
    ($value:expr) => {
        Some($value)
    };
}
pub(super) use optional;
