//! A column of integers that Python reads through the buffer protocol, without a copy.
//!
//! The memory belongs to the batch and stays as long as a view of it. It is read-only, so no handler can change what
//! another one sees.
#![allow(unsafe_code, reason = "a buffer is handed over as a structure of C")]

use std::ffi::{c_int, c_void};
use std::ptr;

use arrow_buffer::ScalarBuffer;
use pyo3::exceptions::PyBufferError;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyMemoryView;

/// The bytes of a value.
const ITEM_BYTES: ffi::Py_ssize_t = 8;

/// One column.
#[pyclass(frozen)]
pub(super) struct Int64Column {
    values: ScalarBuffer<i64>,
    shape: [ffi::Py_ssize_t; 1],
    strides: [ffi::Py_ssize_t; 1],
}

impl Int64Column {
    /// A view of `values`.
    pub(super) fn view(
        py: Python<'_>,
        values: ScalarBuffer<i64>,
    ) -> PyResult<Bound<'_, PyMemoryView>> {
        let length = ffi::Py_ssize_t::try_from(values.len())?;
        let column = Self {
            values,
            shape: [length],
            strides: [ITEM_BYTES],
        };
        PyMemoryView::from(Bound::new(py, column)?.as_any())
    }
}

#[pymethods]
impl Int64Column {
    // SAFETY: Python passes a `view` that it owns and that nothing else reads before this returns.
    unsafe fn __getbuffer__(
        slf: Bound<'_, Self>,
        view: *mut ffi::Py_buffer,
        flags: c_int,
    ) -> PyResult<()> {
        if flags & ffi::PyBUF_WRITABLE == ffi::PyBUF_WRITABLE {
            return Err(PyBufferError::new_err(
                "a column of a batch is read-only: copy it to change it",
            ));
        }
        let column = slf.get();
        let has = |flag: c_int| flags & flag == flag;
        let or_null = |is_asked, pointer: *const ffi::Py_ssize_t| {
            if is_asked {
                pointer.cast_mut()
            } else {
                ptr::null_mut()
            }
        };
        let buffer = ffi::Py_buffer {
            buf: column.values.as_ptr().cast_mut().cast::<c_void>(),
            obj: ptr::null_mut(),
            len: column.shape[0] * ITEM_BYTES,
            itemsize: ITEM_BYTES,
            readonly: 1,
            ndim: 1,
            format: if has(ffi::PyBUF_FORMAT) {
                c"q".as_ptr().cast_mut()
            } else {
                ptr::null_mut()
            },
            shape: or_null(has(ffi::PyBUF_ND), column.shape.as_ptr()),
            strides: or_null(has(ffi::PyBUF_STRIDES), column.strides.as_ptr()),
            suboffsets: ptr::null_mut(),
            internal: ptr::null_mut(),
        };
        // SAFETY: `view` is Python's own. All pointers are into `column`, which `obj` keeps alive until the view is
        // released, and which is frozen: neither the values nor the shape change or move.
        unsafe {
            view.write(buffer);
            (*view).obj = slf.into_any().into_ptr();
        }
        Ok(())
    }
}
