//! A small cache of what was read from an object, by the object's identity.
//!
//! Lists of events repeat a few objects very often: the text of a token, a weight of one. Each
//! slot keeps its object alive, so that its address cannot be reused for another one.

use pyo3::prelude::*;

const SLOTS: usize = 64;

/// The values that were read last, one per slot; the address of an object determines its slot.
pub(super) struct Memo<'py, T> {
    slots: Vec<Option<(Bound<'py, PyAny>, T)>>,
}

impl<'py, T: Copy> Memo<'py, T> {
    pub(super) fn new() -> Self {
        Self {
            slots: std::iter::repeat_with(|| None).take(SLOTS).collect(),
        }
    }

    /// The result of `read` for this object; `read` is called only if it is not cached.
    #[inline]
    pub(super) fn get_or<E>(
        &mut self,
        object: &Bound<'py, PyAny>,
        read: impl FnOnce() -> Result<T, E>,
    ) -> Result<T, E> {
        let address = object.as_ptr() as usize;
        // Objects are 16 bytes apart; neighbours and those of one pool should not share a slot.
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
