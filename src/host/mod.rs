//! The boundary to CPython: everything that names `pyo3` or is `unsafe` is in this module.
//!
//! [`native`] are the callables that Python sees, the same in the embedded interpreter and in the extension module;
//! [`errors`] and [`workers`] serve them. What follows exists only in the binary that carries an interpreter:
//! [`runtime`] finds one among [`installation`]s, [`environment`] and [`interpreter_link`] say which packages it has,
//! [`authorities`] names whom its TLS trusts, [`interpreter`] boots it, [`scripts`] runs an operator's code in it,
//! [`pipeline`] runs pipelines in it inside the service, [`logging`] passes on its log records, [`audit`] scores in
//! pure Python. Code that runs in the interpreter is trusted like the binary itself.

#[cfg(Py_GIL_DISABLED)]
compile_error!(
    "choose a Python with the global interpreter lock: dictionaries of models are read without \
     another lock"
);

pub(crate) mod errors;
pub(crate) mod native;
mod workers;

#[cfg(feature = "py-embed")]
pub(crate) mod audit;
#[cfg(feature = "py-embed")]
pub(crate) mod authorities;
#[cfg(feature = "py-embed")]
pub(crate) mod environment;
#[cfg(feature = "py-embed")]
mod guard;
#[cfg(feature = "py-embed")]
pub(crate) mod inspection;
#[cfg(feature = "py-embed")]
pub mod installation;
#[cfg(feature = "py-embed")]
pub(crate) mod interpreter;
#[cfg(feature = "py-embed")]
pub(crate) mod interpreter_link;
#[cfg(feature = "py-embed")]
pub(crate) mod invocation;
#[cfg(feature = "py-embed")]
mod logging;
#[cfg(feature = "py-embed")]
pub(crate) mod pipeline;
#[cfg(feature = "py-embed")]
pub(crate) mod policies;
#[cfg(feature = "py-embed")]
pub(crate) mod runtime;
#[cfg(feature = "py-embed")]
pub(crate) mod scripts;
