//! `serve --service`: registers the service with the service manager of Windows, removes it, and runs under it.
//!
//! The registered command line is the one that registered it, in the folder in which it was given, so that its paths
//! mean the same. The manager's requests reach [`super::signals`], and the states that [`super::notify`] reports reach
//! the manager. A service has no console: what it prints goes to a file in that folder.

use std::ffi::OsString;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;
use std::{env, thread};

use anyhow::Context;
use clap::{Args, ValueEnum};
use tokio::sync::Notify;
use windows_service::service::{
    Service, ServiceAccess, ServiceAction, ServiceActionType, ServiceControl, ServiceControlAccept,
    ServiceErrorControl, ServiceExitCode, ServiceFailureActions, ServiceFailureResetPeriod,
    ServiceInfo, ServiceStartType, ServiceState, ServiceStatus, ServiceType,
};
use windows_service::service_control_handler::{
    self, ServiceControlHandlerResult, ServiceStatusHandle,
};
use windows_service::service_manager::{ServiceManager, ServiceManagerAccess};
use windows_service::{define_windows_service, service_dispatcher};

use crate::cli::exit::{Exit, exit_code};
use crate::windows;

/// Its name for the manager.
const NAME: &str = "holdmetrics";
/// The account of this service alone, which Windows makes and which has no password.
const ACCOUNT: &str = r"NT SERVICE\holdmetrics";
/// What the service prints, in the folder in which it was registered.
const LOG: &str = "holdmetrics.log";
/// How long a start may take: a large store is loaded before it is ready.
const START_MAX: Duration = Duration::from_secs(3600);
/// How long a stop may take; one second more than the shutdown.
const STOP_MAX: Duration = Duration::from_secs(10);
/// Between a failure and the next start.
const RESTART_WAIT: Duration = Duration::from_secs(2);
/// Failures that do not pass by themselves leave it stopped: so many within [`FAILURES_WITHIN`].
const RESTARTS_MAX: usize = 5;
const FAILURES_WITHIN: Duration = Duration::from_secs(60);

static STOP: Notify = Notify::const_new();
static RELOAD: Notify = Notify::const_new();
/// Set if the manager has started this process.
static STATUS: OnceLock<ServiceStatusHandle> = OnceLock::new();
/// Where the entry of the service says that it has [`STATUS`], or why not.
static ENTERED: OnceLock<SyncSender<windows_service::Result<()>>> = OnceLock::new();
/// Held while the service runs: some managers take it for stopped when its entry returns.
static RUNNING: Mutex<()> = Mutex::new(());

define_windows_service!(enter, entered);

/// What `serve` does with the service of Windows.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Register `serve` with its other arguments as a service of Windows, or remove it
    #[arg(long, value_enum)]
    service: Option<Verb>,
    /// The folder that relative paths start from
    #[arg(long, hide = true, value_name = "FOLDER", requires = "service")]
    service_folder: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Verb {
    /// Register it, to be started with Windows
    Install,
    /// Stop it and remove it
    Remove,
    /// Run under the service manager
    #[value(hide = true)]
    Run,
}

impl Arguments {
    pub(super) fn is_given(&self) -> bool {
        self.service.is_some()
    }
}

/// Does what `--service` says.
pub(super) fn run(arguments: &super::Arguments) -> anyhow::Result<()> {
    let manager = "--service: the service manager refuses it: use a console of an administrator, and see \
                   whether `sc.exe query holdmetrics` knows the service";
    match arguments.service.service {
        Some(Verb::Install) => {
            super::check(&arguments.settings.load()?.config)?;
            install().context(manager)
        }
        Some(Verb::Remove) => remove().context(manager),
        Some(Verb::Run) | None => under_the_manager(arguments),
    }
}

/// Registers this command line.
fn install() -> anyhow::Result<()> {
    if env::var_os("POH_ONE_FILE").is_some() {
        return Err(Exit::usage(
            "--service: the one-file program unpacks itself into the folder of a user: install the service from the \
             folder in the zip",
        ));
    }
    let folder = env::current_dir()?;
    let info = ServiceInfo {
        name: NAME.into(),
        display_name: "Holdmetrics".into(),
        service_type: ServiceType::OWN_PROCESS,
        start_type: ServiceStartType::AutoStart,
        error_control: ServiceErrorControl::Normal,
        executable_path: env::current_exe()?,
        launch_arguments: command_line(env::args_os().skip(1), &folder),
        dependencies: Vec::new(),
        account_name: Some(ACCOUNT.into()),
        account_password: None,
    };
    let access = ServiceManagerAccess::CONNECT | ServiceManagerAccess::CREATE_SERVICE;
    let manager = ServiceManager::local_computer(None::<&str>, access)?;
    // To set what happens after a failure, the caller needs the right to start the service.
    let access = ServiceAccess::CHANGE_CONFIG | ServiceAccess::START | ServiceAccess::DELETE;
    let service = manager.create_service(&info, access)?;
    if let Err(error) = describe(&service) {
        // A service that is registered in part would make the next attempt fail.
        let _ = service.delete();
        return Err(error.into());
    }
    writeln!(
        io::stdout(),
        "installed the service {NAME} with the account {ACCOUNT}: give it the right to change {} and the folder of \
         the data, then start it with `sc.exe start {NAME}`; it prints to {}",
        folder.display(),
        folder.join(LOG).display()
    )
    .map_err(Exit::output(None))
}

/// Sets what the manager shows, and that it starts the service again after a failure.
fn describe(service: &Service) -> windows_service::Result<()> {
    let restart = ServiceAction {
        action_type: ServiceActionType::Restart,
        delay: RESTART_WAIT,
    };
    let nothing = ServiceAction {
        action_type: ServiceActionType::None,
        delay: Duration::ZERO,
    };
    let mut actions = vec![restart; RESTARTS_MAX];
    actions.push(nothing);
    let actions = ServiceFailureActions {
        reset_period: ServiceFailureResetPeriod::After(FAILURES_WITHIN),
        reboot_msg: None,
        command: None,
        actions: Some(actions),
    };
    for set in [
        service.set_description("Exact hold scores over gRPC and HTTP"),
        service.update_failure_actions(actions),
        service.set_failure_actions_on_non_crash_failures(true),
    ] {
        match set {
            // ERROR_INVALID_LEVEL: a manager without this setting, as that of Wine.
            Err(windows_service::Error::Winapi(error)) if error.raw_os_error() == Some(124) => {}
            set => set?,
        }
    }
    Ok(())
}

/// The words of the service, of those that install it: the verb is another one, and the folder is added.
fn command_line(words: impl Iterator<Item = OsString>, folder: &Path) -> Vec<OsString> {
    let mut line = Vec::new();
    let mut is_verb = false;
    for word in words {
        if is_verb {
            is_verb = false;
        } else if word == "--service" {
            is_verb = true;
        } else if word.to_string_lossy().starts_with("--service=") {
            // One word with its verb.
        } else {
            line.push(word);
        }
    }
    line.extend(["--service".into(), "run".into(), "--service-folder".into()]);
    line.push(folder.into());
    line
}

/// Stops the service and removes it.
fn remove() -> anyhow::Result<()> {
    let manager = ServiceManager::local_computer(None::<&str>, ServiceManagerAccess::CONNECT)?;
    let access = ServiceAccess::QUERY_STATUS | ServiceAccess::STOP | ServiceAccess::DELETE;
    let service = manager.open_service(NAME, access)?;
    let is_stopped = || {
        service
            .query_status()
            .map(|status| status.current_state == ServiceState::Stopped)
    };
    if !is_stopped()? {
        service.stop()?;
        // A service that does not stop in time is removed when it ends.
        for _ in 0..STOP_MAX.as_millis() / 100 {
            if is_stopped()? {
                break;
            }
            thread::sleep(Duration::from_millis(100));
        }
    }
    service.delete()?;
    writeln!(io::stdout(), "removed the service {NAME}").map_err(Exit::output(None))
}

/// Serves until the manager asks to stop, and reports how it ended.
fn under_the_manager(arguments: &super::Arguments) -> anyhow::Result<()> {
    if let Some(folder) = &arguments.service.service_folder {
        env::set_current_dir(folder).with_context(|| folder.display().to_string())?;
    }
    let log = OpenOptions::new().create(true).append(true).open(LOG);
    windows::print_to(log.with_context(|| LOG.to_owned())?)?;
    let running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
    let (tells, told) = sync_channel(1);
    let _ = ENTERED.set(tells.clone());
    thread::Builder::new()
        .name("service-manager".into())
        .spawn(move || {
            // Returns when the service has stopped, or at once if the manager has not started this process.
            if let Err(error) = service_dispatcher::start(NAME, enter) {
                let _ = tells.send(Err(error));
            }
        })?;
    wait_for_entry(&told)?;
    let result = super::run_here(arguments);
    let code = result.as_ref().err().map_or(0, exit_code);
    report(
        ServiceState::Stopped,
        Duration::ZERO,
        match code {
            0 => ServiceExitCode::Win32(0),
            code => ServiceExitCode::ServiceSpecific(code.into()),
        },
    );
    drop(running);
    result
}

fn wait_for_entry(told: &Receiver<windows_service::Result<()>>) -> anyhow::Result<()> {
    told.recv()
        .context("the thread of the service manager has ended")?
        .context("--service run: only the service manager of Windows runs it")
}

/// The entry of the service: from here on the manager sends requests and is told states.
fn entered(_: Vec<OsString>) {
    let registered = service_control_handler::register(NAME, obey).map(|status| {
        let _ = STATUS.set(status);
        report(
            ServiceState::StartPending,
            START_MAX,
            ServiceExitCode::Win32(0),
        );
    });
    if let Some(tells) = ENTERED.get() {
        let _ = tells.send(registered);
    }
    drop(RUNNING.lock());
}

fn obey(request: ServiceControl) -> ServiceControlHandlerResult {
    match request {
        ServiceControl::Stop | ServiceControl::Shutdown => STOP.notify_one(),
        ServiceControl::ParamChange => RELOAD.notify_one(),
        ServiceControl::Interrogate => {}
        _ => return ServiceControlHandlerResult::NotImplemented,
    }
    ServiceControlHandlerResult::NoError
}

/// Whether the manager has started this process.
pub(super) fn is_managed() -> bool {
    STATUS.get().is_some()
}

/// Resolves when the manager asks to stop.
pub(super) async fn stop_asked() {
    STOP.notified().await;
}

/// Resolves when an operator says that settings have changed (`sc.exe control holdmetrics paramchange`).
pub(super) async fn reload_asked() {
    RELOAD.notified().await;
}

/// The service accepts calls.
pub(super) fn report_running() {
    report(
        ServiceState::Running,
        Duration::ZERO,
        ServiceExitCode::Win32(0),
    );
}

/// The service has begun to stop.
pub(super) fn report_stopping() {
    report(
        ServiceState::StopPending,
        STOP_MAX,
        ServiceExitCode::Win32(0),
    );
}

/// Tells the manager the state, if there is one to tell.
fn report(state: ServiceState, wait: Duration, exit_code: ServiceExitCode) {
    let Some(status) = STATUS.get() else { return };
    let controls_accepted = match state {
        ServiceState::Stopped | ServiceState::StopPending => ServiceControlAccept::empty(),
        ServiceState::StartPending => ServiceControlAccept::STOP | ServiceControlAccept::SHUTDOWN,
        _ => {
            ServiceControlAccept::STOP
                | ServiceControlAccept::SHUTDOWN
                | ServiceControlAccept::PARAM_CHANGE
        }
    };
    let told = status.set_service_status(ServiceStatus {
        service_type: ServiceType::OWN_PROCESS,
        current_state: state,
        controls_accepted,
        exit_code,
        checkpoint: 0,
        wait_hint: wait,
        process_id: None,
    });
    if let Err(error) = told {
        tracing::warn!(%error, ?state, "The service manager could not be told a state.");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_service_runs_the_command_line_that_has_installed_it() {
        let words = [
            "serve",
            "--service",
            "install",
            "--data-dir",
            "d",
            "--service=install",
        ];
        let line = command_line(words.into_iter().map(Into::into), Path::new("C:\\h m"));
        let expected = [
            "serve",
            "--data-dir",
            "d",
            "--service",
            "run",
            "--service-folder",
            "C:\\h m",
        ];
        assert_eq!(line, expected.map(OsString::from));
    }
}
