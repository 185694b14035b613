//! What was read from an object, remembered by the object's identity.
//!
//! Lists of events repeat a few objects very often: the text of a token, a weight of one. Each
//! slot keeps its object alive, so that an address cannot come to mean another one.

use pyo3::prelude::*;

const SLOTS: usize = 64;

/// The last values that were read, one to a slot; an object has one slot only.
pub(super) struct Memo<'py, T> {
    slots: Vec<Option<(Bound<'py, PyAny>, T)>>,
}

impl<'py, T: Copy> Memo<'py, T> {
    pub(super) fn new() -> Self {
        Self {
            slots: std::iter::repeat_with(|| None).take(SLOTS).collect(),
        }
    }

    /// What `read` gave for this very object, asked only where it is not remembered.
    #[inline]
    pub(super) fn get_or<E>(
        &mut self,
        object: &Bound<'py, PyAny>,
        read: impl FnOnce() -> Result<T, E>,
    ) -> Result<T, E> {
        let address = object.as_ptr() as usize;
        // Objects lie 16 bytes apart; neighbours and those of one pool must not share a slot.
        let slot = &mut self.slots[((address >> 4) ^ (address >> 11)) % SLOTS];
        match slot {
            Some((known, value)) if known.is(object) => Ok(*value),
            _ => {
                let value = read()?;
                *slot = Some((object.clone(), value));
                Ok(value)
            }
        }
    }
}
