//! Calls into the decoders of other crates, whose errors and panics become errors that name the file.
//!
//! A decoder may panic on damage that it does not check for; that is a damaged file, too, and must not end
//! the process. What it printed about the panic stays above the error.

use std::any::Any;
use std::error::Error;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use super::InputError;

/// The result of `call`, or an error that `file` is not valid `format`.
pub(super) fn decode<T, E: Error + Send + Sync + 'static>(
    file: &Arc<str>,
    format: &'static str,
    call: impl FnOnce() -> Result<T, E>,
) -> Result<T, InputError> {
    // After a panic the decoder is not called again, so its state does not matter.
    let source = match catch_unwind(AssertUnwindSafe(call)) {
        Ok(Ok(value)) => return Ok(value),
        Ok(Err(error)) => error.into(),
        Err(panic) => message(&*panic).into(),
    };
    Err(InputError::Damaged {
        file: Arc::clone(file),
        format,
        source,
    })
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(ToString::to_string);
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "the decoder panicked".to_owned())
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;
    use crate::error_line::error_line;

    #[test]
    fn an_error_and_a_panic_are_one_sentence_each() {
        let sentence = |call: fn() -> io::Result<()>| {
            error_line(&decode(&"f".into(), "Arrow", call).unwrap_err())
        };
        let error = sentence(|| Err(io::Error::other("bad\nand more")));
        assert_eq!(error, "f: truncated or damaged Arrow data: bad and more");
        let panic = sentence(|| panic!("offset {} is past the end", 9));
        assert_eq!(
            panic,
            "f: truncated or damaged Arrow data: offset 9 is past the end"
        );
    }
}
