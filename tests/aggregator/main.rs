//! Both scorers, live and in one pass, against the definition of a score and against each other.

#[path = "../support/arbitrary.rs"]
mod arbitrary;
#[path = "../support/naive.rs"]
mod naive;

mod batch;
mod deficits;
mod live;
mod properties;
mod published;
mod transfers;
mod windows;
