//! Synthetic events: files of them ([`generate`]), and load on a running server ([`load`]).
//!
//! Both are pure functions of their options and a seed as far as the events go. Arguments, terminals and
//! exit codes are the business of `cli`; the server is reached through [`crate::client`].

pub(crate) mod generate;
pub(crate) mod load;
