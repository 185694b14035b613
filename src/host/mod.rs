//! The fence to CPython: everything that names `pyo3` or is `unsafe` lives in here.
//!
//! [`native`] are the callables that Python sees, the same in the embedded interpreter and in the
//! extension module; [`errors`] and [`workers`] serve them. What follows exists only in the binary
//! that carries an interpreter: [`runtime`] finds one among [`installation`]s, [`interpreter`] boots it, [`scripts`] runs
//! an operator's code in it, [`logging`] hands its log records on, [`audit`] scores in pure Python.
//! Code that is run in here is trusted like the binary itself.

#[cfg(Py_GIL_DISABLED)]
compile_error!(
    "choose a Python with the global interpreter lock: dictionaries of models are read on the \
     strength of it"
);

pub mod errors;
pub mod native;
mod workers;

#[cfg(feature = "py-embed")]
pub mod audit;
#[cfg(feature = "py-embed")]
mod guard;
#[cfg(feature = "py-embed")]
pub mod inspection;
#[cfg(feature = "py-embed")]
pub mod installation;
#[cfg(feature = "py-embed")]
pub mod interpreter;
#[cfg(feature = "py-embed")]
pub mod invocation;
#[cfg(feature = "py-embed")]
mod logging;
#[cfg(feature = "py-embed")]
pub mod runtime;
#[cfg(feature = "py-embed")]
pub mod scripts;
