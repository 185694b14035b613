//! Ctrl-C reaches Python as under `python`.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::program::Place;

/// Python itself leaves an ignored SIGINT ignored, and a shell that runs the tests in the background may
/// have it ignored; the tests are about the other case.
const HEED: &str = "
import signal
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
";
const PATIENCE: Duration = Duration::from_secs(20);

/// Starts `code`, which prints `ready`; interrupts it then; gives its exit code and what it wrote.
fn interrupt(code: &str) -> (Option<i32>, String, String) {
    let place = Place::new();
    place.write("main.py", &format!("{HEED}{code}"));
    let mut program = place.program(&["run", "main.py"]);
    let mut child = program
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut first = String::new();
    out.read_line(&mut first).unwrap();
    assert_eq!(first, "ready\n");
    let pid = child.id().to_string();
    assert!(
        Command::new("kill")
            .args(["-INT", &pid])
            .status()
            .unwrap()
            .success()
    );
    let code = wait(&mut child);
    let (mut rest, mut err) = (String::new(), String::new());
    out.read_to_string(&mut rest).unwrap();
    child
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut err)
        .unwrap();
    (code, rest, err)
}

fn wait(child: &mut Child) -> Option<i32> {
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        if let Some(status) = child.try_wait().unwrap() {
            return status.code();
        }
        thread::sleep(Duration::from_millis(10));
    }
    child.kill().unwrap();
    panic!("the program did not end within {PATIENCE:?} after Ctrl-C");
}

#[test]
fn it_ends_a_waiting_script_with_130_after_its_cleanup() {
    let code = "
import time
try:
    print('ready', flush=True)
    time.sleep(60)
finally:
    print('cleaned up')
";
    let (code, out, err) = interrupt(code);
    assert_eq!((code, out.as_str()), (Some(130), "cleaned up\n"), "{err}");
    assert!(err.ends_with("KeyboardInterrupt\n"), "{err}");
}

#[test]
fn it_cancels_the_main_task_of_asyncio() {
    let code = "
import asyncio
async def main():
    print('ready', flush=True)
    try:
        await asyncio.sleep(60)
    except asyncio.CancelledError:
        print('cancelled')
        raise
asyncio.run(main())
";
    let (code, out, err) = interrupt(code);
    assert_eq!((code, out.as_str()), (Some(130), "cancelled\n"), "{err}");
}

#[test]
fn a_script_may_answer_it_by_itself() {
    let code = "
import signal, sys, time
signal.signal(signal.SIGINT, lambda *_: sys.exit(5))
print('ready', flush=True)
time.sleep(60)
";
    assert_eq!(interrupt(code).0, Some(5));
}

#[test]
fn it_is_heard_after_heavy_native_work() {
    let code = "
from array import array
import _holdmetrics_host as native
rows = 200_000
columns = ['t'] * rows, [f'h{n}' for n in range(rows)], array('q', range(rows)), array('q', range(1, rows + 1))
print('ready', flush=True)
while True:
    native.score_columns(*columns, as_of_us=rows)
";
    let (code, _, err) = interrupt(code);
    assert_eq!(code, Some(130), "{err}");
}
