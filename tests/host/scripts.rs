//! `run` and `python`: an operator's code behaves as under `python`.

use std::io::Write;
use std::process::Stdio;

use crate::program::{Ended, Place};

#[test]
fn a_script_finds_its_arguments_its_folder_and_its_name() {
    let place = Place::new();
    place.write("tools/helper.py", "WORD = 'found beside the script'");
    place.write(
        "tools/main.py",
        "import sys, helper\nprint(sys.argv, __name__, __file__ == sys.path[0] + '/main.py', helper.WORD)",
    );
    let ended = place
        .run(&["run", "tools/main.py", "a", "--top", "-c"])
        .expect(0);
    assert_eq!(
        ended.out,
        "['tools/main.py', 'a', '--top', '-c'] __main__ True found beside the script\n"
    );
}

#[test]
fn a_script_finds_the_registered_callables_whatever_the_working_folder() {
    let place = Place::new();
    let script = place.write(
        "main.py",
        "from poh_holdmetrics import native\nprint(native.source(), native.namespace().API)",
    );
    let mut program = place.program(&["run".as_ref(), script.as_os_str()]);
    let ended = Ended::from(program.current_dir("/").output().unwrap()).expect(0);
    assert_eq!(ended.out, "host 6\n");
}

#[test]
fn exit_codes_are_those_of_python() {
    let place = Place::new();
    for (code, expected, said) in [
        ("pass", 0, ""),
        ("import sys; sys.exit()", 0, ""),
        ("import sys; sys.exit(7)", 7, ""),
        ("import sys; sys.exit(True)", 1, ""),
        ("import sys; sys.exit('no luck')", 1, "no luck\n"),
        ("raise SystemExit((1, 2))", 1, "(1, 2)\n"),
        ("raise KeyboardInterrupt", 130, "KeyboardInterrupt\n"),
        ("1 / 0", 1, "ZeroDivisionError: division by zero\n"),
        ("import os; os._exit(9)", 9, ""),
    ] {
        let ended = place.python(code).expect(expected);
        assert!(ended.err.ends_with(said), "{code}: {ended:?}");
        assert_eq!(ended.err.is_empty(), said.is_empty(), "{code}: {ended:?}");
    }
}

#[test]
fn a_traceback_names_the_script_and_its_lines_and_nothing_of_ours() {
    let place = Place::new();
    let script = place.write("main.py", "def f():\n    raise ValueError('bad')\n\nf()\n");
    let ended = place.run(&["run", "main.py"]).expect(1);
    let lines: Vec<&str> = ended
        .err
        .lines()
        .filter(|line| !line.contains('^'))
        .collect();
    // The folder may be reached through a link, so only the end of the path is sure.
    assert_eq!(lines[0], "Traceback (most recent call last):");
    assert!(
        lines[1].contains("main.py\", line 4, in <module>"),
        "{ended:?}"
    );
    assert_eq!(lines[2], "    f()");
    assert!(lines[3].contains("main.py\", line 2, in f"), "{ended:?}");
    assert_eq!(lines[4], "    raise ValueError('bad')");
    assert_eq!(lines[5..], ["ValueError: bad"]);
    assert!(script.is_file());
}

#[test]
fn standard_input_belongs_to_the_script() {
    let place = Place::new();
    place.write(
        "main.py",
        "import sys\nprint(input(), '|', sys.stdin.read())",
    );
    for (words, input, expected) in [
        (vec!["run", "main.py"], "one\ntwo", "one | two\n"),
        (
            vec!["python", "-", "x"],
            "import sys\nprint(sys.argv)",
            "['-', 'x']\n",
        ),
        (vec!["python"], "print(6 * 7)", "42\n"),
    ] {
        let mut program = place.program(&words);
        program
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = program.spawn().unwrap();
        child
            .stdin
            .take()
            .unwrap()
            .write_all(input.as_bytes())
            .unwrap();
        let ended = Ended::from(child.wait_with_output().unwrap()).expect(0);
        assert_eq!(ended.out, expected, "{words:?}");
    }
}

#[test]
fn a_module_a_folder_and_an_archive_run_as_python_runs_them() {
    let place = Place::new();
    place.write(
        "tool/__main__.py",
        "import sys\nprint(__name__, sys.argv[1:])",
    );
    let module = place.run(&["python", "-m", "tool", "--x"]).expect(0);
    assert_eq!(module.out, "__main__ ['--x']\n");
    assert_eq!(
        place.run(&["python", "tool", "y"]).expect(0).out,
        "__main__ ['y']\n"
    );
    place
        .python("import zipapp; zipapp.create_archive('tool')")
        .expect(0);
    assert_eq!(
        place.run(&["run", "tool.pyz", "z"]).expect(0).out,
        "__main__ ['z']\n"
    );
    let missing = place.run(&["python", "-m", "no_such_module"]).expect(1);
    assert!(
        missing.err.ends_with("No module named no_such_module\n"),
        "{missing:?}"
    );
}

#[test]
fn a_missing_script_is_said_as_python_says_it() {
    let place = Place::new();
    let ended = place.run(&["run", "absent.py"]).expect(2);
    assert!(
        ended.err.starts_with("main_holdmetrics: can't open file "),
        "{ended:?}"
    );
    assert!(
        ended
            .err
            .ends_with("absent.py': [Errno 2] No such file or directory\n"),
        "{ended:?}"
    );
}

#[test]
fn options_of_python_reach_the_interpreter() {
    let place = Place::new();
    let code = "import sys; f = sys.flags; print(f.optimize, f.dont_write_bytecode, f.isolated, __debug__)";
    let ended = place.run(&["python", "-OB", "-c", code]).expect(0);
    assert_eq!(ended.out, "1 1 1 False\n");
    let strict = place.run(&[
        "python",
        "-W",
        "error",
        "-c",
        "import warnings; warnings.warn('x')",
    ]);
    assert!(strict.expect(1).err.ends_with("UserWarning: x\n"));
    let unknown = place.run(&["python", "-z"]).expect(2);
    assert!(
        unknown.err.starts_with("error: python: unknown option -z"),
        "{unknown:?}"
    );
}

#[test]
fn what_a_script_leaves_to_its_end_is_done() {
    let place = Place::new();
    let code = "
import atexit, sys, threading, time
def work():
    time.sleep(0.05)
    print('thread')
atexit.register(print, 'exit handler')
threading.Thread(target=work).start()
sys.stdout.write('no newline, ')
sys.exit(4)
";
    let ended = place.python(code).expect(4);
    assert_eq!(ended.out, "no newline, thread\nexit handler\n");
}

#[cfg(target_os = "linux")]
#[test]
fn output_that_cannot_be_written_is_no_success() {
    let place = Place::new();
    let mut program = place.program(&["python", "-c", "print('x')"]);
    let full = std::fs::OpenOptions::new()
        .write(true)
        .open("/dev/full")
        .unwrap();
    let ended = Ended::from(program.stdout(full).output().unwrap()).expect(120);
    assert!(ended.err.contains("No space left on device"), "{ended:?}");
}

#[test]
fn the_log_of_a_script_is_the_log_of_the_process() {
    let place = Place::new();
    let script = "
import logging
logging.basicConfig(level=logging.DEBUG)
log = logging.getLogger('operator.job')
log.debug('too fine')
log.info('counted %d rows', 5)
log.warning('late')
try:
    1 / 0
except ZeroDivisionError:
    log.exception('failed')
";
    place.write("main.py", script);
    let ended = place.run(&["run", "main.py"]).expect(0);
    assert!(!ended.err.contains("too fine"), "{ended:?}");
    let info = ended
        .err
        .lines()
        .find(|line| line.contains("counted 5 rows"))
        .unwrap();
    for part in ["INFO", "operator.job", "main.py", "line=6"] {
        assert!(info.contains(part), "{part}: {info}");
    }
    assert!(ended.err.contains("WARN python: late"), "{ended:?}");
    assert!(
        ended.err.contains("ZeroDivisionError: division by zero"),
        "{ended:?}"
    );
    let mut program = place.program(&["run", "main.py"]);
    let fine = Ended::from(program.env("LOG_LEVEL", "debug").output().unwrap()).expect(0);
    assert!(fine.err.contains("DEBUG python: too fine"), "{fine:?}");
    let mut program = place.program(&["run", "main.py"]);
    let coarse = Ended::from(program.env("LOG_LEVEL", "error").output().unwrap()).expect(0);
    assert!(
        !coarse.err.contains("late") && coarse.err.contains("failed"),
        "{coarse:?}"
    );
}

#[cfg(unix)]
#[test]
fn a_virtual_environment_that_it_makes_has_it_as_its_interpreter() {
    use crate::program::bare;
    use poh_holdmetrics_rust::host::installation::PYTHON;

    let place = Place::new();
    let made = ["python", "-m", "venv", "--without-pip", "made"];
    place.run(&made).expect(0);
    let folder = place.path("made").canonicalize().unwrap();
    place.write(
        &format!("made/lib/python{PYTHON}/site-packages/inside.py"),
        "WORD = 'of the environment'",
    );
    for name in ["python", "python3", "main_holdmetrics"] {
        let code = "import inside, sys; print(inside.WORD, sys.prefix, sys.executable)";
        let program = folder.join("bin").join(name);
        let ended = Ended::from(bare(&program, &["-c", code]).output().unwrap()).expect(0);
        let called = if name == "python" { name } else { "python3" };
        let folder = folder.display();
        assert_eq!(
            ended.out,
            format!("of the environment {folder} {folder}/bin/{called}\n")
        );
    }
    let version = bare(&folder.join("bin/python"), &["-V"]).output().unwrap();
    let version = Ended::from(version).expect(0);
    assert!(
        version.out.starts_with(&format!("Python {PYTHON}.")),
        "{version:?}"
    );
}
