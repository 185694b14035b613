//! The program as a child of this process, which a console, a supervisor and a task list take for the program.
//!
//! Both are in one job, so that the child does not outlive this process, however that ends. The console sends its events
//! to both: the child decides what they mean, and this process waits for it.

use std::io;
use std::process::Command;
use std::ptr::{from_ref, null};

use windows_sys::Win32::Foundation::HANDLE;
use windows_sys::Win32::System::Console::{CTRL_BREAK_EVENT, CTRL_C_EVENT, SetConsoleCtrlHandler};
use windows_sys::Win32::System::JobObjects::{
    AssignProcessToJobObject, CreateJobObjectW, JOB_OBJECT_LIMIT, JOB_OBJECT_LIMIT_BREAKAWAY_OK,
    JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE, JOBOBJECT_EXTENDED_LIMIT_INFORMATION,
    JobObjectExtendedLimitInformation, SetInformationJobObject,
};
use windows_sys::Win32::System::Threading::GetCurrentProcess;

/// Runs `command` to its end; returns its exit code.
pub(crate) fn run(command: &mut Command) -> io::Result<i32> {
    let job = join_job()?;
    // SAFETY: the handler is a function of this program.
    checked(unsafe { SetConsoleCtrlHandler(Some(leave_to_the_child), 1) })?;
    let status = command.spawn()?.wait()?;
    // What the program has started on purpose goes on.
    limit(job, JOB_OBJECT_LIMIT_BREAKAWAY_OK)?;
    Ok(status.code().unwrap_or(1))
}

/// Puts this process, and so all that it starts, into a job that ends when this process does.
fn join_job() -> io::Result<HANDLE> {
    // SAFETY: no attributes and no name.
    let job = unsafe { CreateJobObjectW(null(), null()) };
    if job.is_null() {
        return Err(io::Error::last_os_error());
    }
    limit(
        job,
        JOB_OBJECT_LIMIT_BREAKAWAY_OK | JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE,
    )?;
    // SAFETY: both handles are valid.
    checked(unsafe { AssignProcessToJobObject(job, GetCurrentProcess()) })?;
    Ok(job)
}

fn limit(job: HANDLE, limits: JOB_OBJECT_LIMIT) -> io::Result<()> {
    let mut information = JOBOBJECT_EXTENDED_LIMIT_INFORMATION::default();
    information.BasicLimitInformation.LimitFlags = limits;
    let size = u32::try_from(size_of_val(&information)).unwrap_or_default();
    // SAFETY: the handle is valid, and the structure is of the class and size that are named.
    checked(unsafe {
        SetInformationJobObject(
            job,
            JobObjectExtendedLimitInformation,
            from_ref(&information).cast(),
            size,
        )
    })
}

fn checked(succeeded: i32) -> io::Result<()> {
    if succeeded == 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// The child gets each event as well.
unsafe extern "system" fn leave_to_the_child(event: u32) -> i32 {
    if event != CTRL_C_EVENT && event != CTRL_BREAK_EVENT {
        // The console closes, and the system ends this process when the handler returns: first the child.
        loop {
            std::thread::park();
        }
    }
    1
}
