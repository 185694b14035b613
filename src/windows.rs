//! Calls of Windows that the standard library lacks: rights of files, standard handles, exceptions of the system.
//!
//! It decides nothing; its callers say what is closed, printed and raised.
#![allow(unsafe_code, reason = "the calls are those of the system")]

use std::fs::File;
use std::io;
use std::iter::once;
use std::os::windows::ffi::OsStrExt;
use std::os::windows::io::AsRawHandle;
use std::path::Path;
use std::ptr::null_mut;

use windows_sys::Win32::Foundation::LocalFree;
use windows_sys::Win32::Security::Authorization::{
    ConvertStringSecurityDescriptorToSecurityDescriptorW, SDDL_REVISION_1,
};
use windows_sys::Win32::Security::{
    DACL_SECURITY_INFORMATION, PROTECTED_DACL_SECURITY_INFORMATION, PSECURITY_DESCRIPTOR,
    SetFileSecurityW,
};
use windows_sys::Win32::System::Console::{STD_ERROR_HANDLE, STD_OUTPUT_HANDLE, SetStdHandle};

/// Owner, system and administrators have every right, and so in all that is created below.
pub(crate) const RIGHTS_OF_FOLDERS: &str = "D:P(A;OICI;FA;;;OW)(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)";
/// The same for a file.
pub(crate) const RIGHTS_OF_FILES: &str = "D:P(A;;FA;;;OW)(A;;FA;;;SY)(A;;FA;;;BA)";

/// Gives `path` the list `rights`; a file system without such lists is told in the log.
pub(crate) fn close_to_others(path: &Path, rights: &str) {
    if let Err(error) = set_rights(path, rights) {
        tracing::warn!(
            %error,
            path = %path.display(),
            "Its rights cannot be set: others may be able to read it."
        );
    }
}

fn set_rights(path: &Path, rights: &str) -> io::Result<()> {
    let rights: Vec<u16> = rights.encode_utf16().chain(once(0)).collect();
    let path = std::path::absolute(path)?;
    let path: Vec<u16> = path.as_os_str().encode_wide().chain(once(0)).collect();
    let mut descriptor: PSECURITY_DESCRIPTOR = null_mut();
    // SAFETY: the text ends with zero; the descriptor is freed below.
    checked(unsafe {
        ConvertStringSecurityDescriptorToSecurityDescriptorW(
            rights.as_ptr(),
            SDDL_REVISION_1,
            &raw mut descriptor,
            null_mut(),
        )
    })?;
    let which = DACL_SECURITY_INFORMATION | PROTECTED_DACL_SECURITY_INFORMATION;
    // SAFETY: the path ends with zero, and the descriptor is valid.
    let set = checked(unsafe { SetFileSecurityW(path.as_ptr(), which, descriptor) });
    // SAFETY: nothing uses it any more.
    unsafe { LocalFree(descriptor) };
    set
}

/// Makes `file` standard output and standard error, to the end of the process.
pub(crate) fn print_to(file: File) -> io::Result<()> {
    let file: &'static File = Box::leak(Box::new(file));
    for which in [STD_OUTPUT_HANDLE, STD_ERROR_HANDLE] {
        // SAFETY: the handle is never closed.
        checked(unsafe { SetStdHandle(which, file.as_raw_handle()) })?;
    }
    Ok(())
}

fn checked(succeeded: i32) -> io::Result<()> {
    if succeeded == 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// Raises an exception that handlers see, and goes on after it.
#[cfg(feature = "py-embed")]
pub(crate) fn raise_and_go_on(exception: u32) {
    use windows_sys::Win32::System::Diagnostics::Debug::{
        EXCEPTION_POINTERS, RaiseException, SetUnhandledExceptionFilter,
    };

    // SAFETY: it is safe to call.
    unsafe extern "system" fn go_on(_: *const EXCEPTION_POINTERS) -> i32 {
        // EXCEPTION_CONTINUE_EXECUTION
        -1
    }

    // SAFETY: the exception may be continued, and the filter lets it.
    unsafe {
        SetUnhandledExceptionFilter(Some(go_on));
        RaiseException(exception, 0, 0, std::ptr::null());
    }
}
