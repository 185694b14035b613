//! The registered callables, tried from Python: the files of `python/` run in the binary.
//!
//! Each of those files is a script of assertions; its first failure is the traceback shown here.

use std::path::Path;

use crate::program::{Ended, PROGRAM, Place, bare};

fn script(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/host/python")
        .join(name);
    path.to_str().unwrap().to_owned()
}

#[test]
fn every_callable_answers_and_refuses_as_it_should() {
    let ended = Place::new()
        .run(&["python".to_owned(), script("callables.py")])
        .expect(0);
    assert_eq!(ended.out, "ok\n");
}

#[test]
fn bad_columns_raise_and_change_nothing() {
    let ended = Place::new()
        .run(&["python".to_owned(), script("bad_columns.py")])
        .expect(0);
    assert_eq!(ended.out, "ok\n");
}

#[test]
fn threads_share_an_aggregator_while_others_run() {
    let ended = Place::new()
        .run(&["python".to_owned(), script("threads.py")])
        .expect(0);
    assert_eq!(ended.out, "ok\n");
}

/// The story: a forked child inherits a pool of threads that do not exist in it, and a spawned one
/// starts `sys.executable`, which is this program.
#[cfg(unix)]
#[test]
fn children_of_multiprocessing_compute_natively() {
    let ended = Place::new()
        .run(&["python".to_owned(), script("children.py")])
        .expect(0);
    assert_eq!(ended.out, "ok\n");
}

#[cfg(unix)]
#[test]
fn a_forked_child_is_told_that_an_aggregator_was_in_use() {
    let ended = Place::new()
        .run(&["python".to_owned(), script("forks.py")])
        .expect(0);
    assert_eq!(ended.out, "ok\n");
}

/// Needs pyarrow, polars, numpy and duckdb in the checkout's `.venv` or in `VIRTUAL_ENV`; says so
/// of each that is not there.
#[test]
fn readers_of_arrow_take_a_snapshot_and_give_columns() {
    let mut program = bare(
        Path::new(PROGRAM),
        &["python".to_owned(), script("interop.py")],
    );
    if let Some(venv) = std::env::var_os("VIRTUAL_ENV") {
        program.env("VIRTUAL_ENV", venv);
    }
    let ended = Ended::from(program.output().unwrap()).expect(0);
    print!("{}", ended.out);
    assert!(ended.out.ends_with("ok\n"), "{ended:?}");
}
