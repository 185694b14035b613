//! What is found, what is refused and how it is said, before any code of an operator runs.

use std::path::{Path, PathBuf};

use crate::program::{Ended, PROGRAM, Place, bare};
use poh_holdmetrics_rust::host::installation::PYTHON;

const UNUSABLE: i32 = 78;

/// The program in a folder of its own, as after an installation.
fn installed(place: &Place) -> PathBuf {
    let program = place.path("installed/main_holdmetrics");
    std::fs::create_dir_all(program.parent().unwrap()).unwrap();
    if std::fs::hard_link(PROGRAM, &program).is_err() {
        std::fs::copy(PROGRAM, &program).unwrap();
    }
    program
}

#[test]
fn a_python_that_is_not_there_is_said_in_one_sentence() {
    let place = Place::new();
    place.write("old/lib/python3.6/os.py", "");
    for (name, value, said) in [
        ("POH_PYTHON_HOME", "absent", "contains no Python"),
        (
            "POH_PYTHON_HOME",
            "old",
            "contains Python 3.6, but this program is built for Python",
        ),
        (
            "POH_PYTHON_PKG",
            "absent",
            "the Python package poh_holdmetrics was not found in",
        ),
        ("VIRTUAL_ENV", "old", "contains Python 3.6, but"),
    ] {
        let folder = place.path(value);
        for words in [
            &["run", "main.py"][..],
            &["python", "-c", "pass"],
            &["doctor"],
        ] {
            let mut program = place.program(words);
            let ended = Ended::from(program.env(name, &folder).output().unwrap()).expect(UNUSABLE);
            assert!(
                ended.err.starts_with("error: ") && ended.err.contains(said),
                "{ended:?}"
            );
            assert!(ended.err.contains(folder.to_str().unwrap()), "{ended:?}");
            assert!(ended.err.contains(name), "{ended:?}");
            assert_eq!(ended.err.lines().count(), 1, "{ended:?}");
        }
    }
}

#[test]
fn a_package_that_is_not_installed_is_said_with_the_command_that_installs_it() {
    let place = Place::new();
    let folder = place.path(&format!("empty/lib/python{PYTHON}/site-packages"));
    std::fs::create_dir_all(&folder).unwrap();
    place.write("main.py", "print('ran')");
    let mut program = place.program(&["run", "main.py"]);
    let ended = program
        .env("VIRTUAL_ENV", place.path("empty"))
        .output()
        .unwrap();
    let ended = Ended::from(ended).expect(UNUSABLE);
    assert!(
        ended.err.contains("package pydantic was not found in"),
        "{ended:?}"
    );
    assert!(ended.err.contains(folder.to_str().unwrap()), "{ended:?}");
    assert!(ended.err.contains("-m pip install"), "{ended:?}");
    assert_eq!(ended.out, "");
}

#[test]
fn a_bundle_that_is_broken_is_not_passed_over() {
    let place = Place::new();
    let program = installed(&place);
    std::fs::create_dir(place.path("installed/embed_runtime")).unwrap();
    let ended = Ended::from(bare(&program, &["python", "-c", "pass"]).output().unwrap());
    let ended = ended.expect(UNUSABLE);
    assert!(
        ended
            .err
            .contains("installed/embed_runtime, which contains no Python"),
        "{ended:?}"
    );
}

/// Makes the layout of a bundle from the Python of the build, whose extension modules are files of their own.
#[cfg(unix)]
const MAKE_BUNDLE: &str = "
import json, pathlib, sys, zipfile
library = pathlib.Path(json.__file__).parent.parent
bundle = pathlib.Path('installed/embed_runtime')
(bundle / 'site').mkdir(parents=True)
with zipfile.ZipFile(bundle / f'python3{sys.version_info.minor}.zip', 'w') as archive:
    for path in library.rglob('*.py'):
        if not {'test', 'site-packages', 'idlelib'}.intersection(path.parts):
            archive.write(path, path.relative_to(library))
for path in (library / 'lib-dynload').glob('*'):
    (bundle / 'site' / path.name).symlink_to(path)
";

#[cfg(unix)]
#[test]
fn a_program_with_its_runtime_and_package_beside_it_needs_nothing_else() {
    let place = Place::new();
    let program = installed(&place);
    place.python(MAKE_BUNDLE).expect(0);
    let package = Path::new(env!("CARGO_MANIFEST_DIR")).join("python_pkg");
    std::os::unix::fs::symlink(package, place.path("installed/python_pkg")).unwrap();
    let code = "import os, sys, poh_holdmetrics.native as n; \
                print(n.source(), sys.base_prefix, n.__file__, bool(os.environ.get('SSL_CERT_FILE')))";
    let mut command = bare(&program, &["python", "-c", code]);
    let ended = Ended::from(command.env_clear().current_dir("/").output().unwrap()).expect(0);
    let folder = place.path("installed");
    let folder = folder.canonicalize().unwrap();
    let expected = format!(
        "host {}/embed_runtime {}/python_pkg",
        folder.display(),
        folder.display()
    );
    assert!(
        ended.out.starts_with(&expected),
        "{ended:?}, not {expected}"
    );
    let system = Path::new("/etc/ssl/certs/ca-certificates.crt");
    if system.is_file() {
        assert!(ended.out.ends_with("True\n"), "{ended:?}");
    }
}

#[test]
fn no_variable_of_python_is_obeyed() {
    let place = Place::new();
    place.write("planted/os.py", "raise SystemExit('planted')");
    place.write("planted/sitecustomize.py", "raise SystemExit('planted')");
    let mut program = place.program(&["python", "-c", "import os, sys; print(len(sys.path))"]);
    program
        .env("PYTHONPATH", place.path("planted"))
        .env("PYTHONHOME", place.path("planted"));
    program
        .env("PYTHONSTARTUP", place.path("planted/os.py"))
        .env("PYTHONOPTIMIZE", "2");
    Ended::from(program.output().unwrap()).expect(0);
}

#[test]
fn the_extension_module_cannot_be_imported_inside() {
    let place = Place::new();
    place.write("poh_holdmetrics_rust.py", "print('imported')");
    for code in [
        "import poh_holdmetrics_rust",
        "import importlib; importlib.import_module('poh_holdmetrics_rust')",
        "import importlib.util; importlib.util.find_spec('poh_holdmetrics_rust')",
    ] {
        let ended = place.python(code).expect(1);
        let said = "ImportError: poh_holdmetrics_rust cannot be imported inside main_holdmetrics";
        assert!(
            ended.err.contains(said) && ended.out.is_empty(),
            "{ended:?}"
        );
    }
}

#[test]
fn a_virtual_environment_is_one_for_the_tools_too() {
    let place = Place::new();
    place.write(
        &format!("venv/lib/python{PYTHON}/site-packages/extra.pth"),
        "../../../added\n",
    );
    place.write("venv/added/from_pth.py", "WORD = 'by a .pth file'");
    let code = "import sys, sysconfig, from_pth\n\
                print(sys.prefix != sys.base_prefix, sysconfig.get_path('purelib'), from_pth.WORD)";
    let ended = place.python(code).expect(0);
    let packages = place.path(&format!("venv/lib/python{PYTHON}/site-packages"));
    assert_eq!(
        ended.out,
        format!("True {} by a .pth file\n", packages.display())
    );
}

#[test]
fn the_doctor_without_stores_asks_none_and_names_invalid_settings() {
    let place = Place::new();
    let json = place.run(&["doctor", "--json"]).expect(1);
    let found: serde_json::Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!(found["stores"], serde_json::json!([]));
    let mut program = place.program(&["doctor"]);
    let ill = Ended::from(
        program
            .env("HOLDMETRICS_SERVE_STORE", "events.db")
            .output()
            .unwrap(),
    )
    .expect(1);
    assert!(
        ill.out
            .contains("WRONG           HOLDMETRICS_SERVE_STORE: serve.store: \"events.db\" is not"),
        "{ill:?}"
    );
}

#[test]
fn the_doctor_names_what_is_wrong_and_is_well_otherwise() {
    let place = Place::new();
    let ill = place.run(&["doctor", "--json"]).expect(1);
    let found: serde_json::Value = serde_json::from_str(&ill.out).unwrap();
    assert_eq!(found["ok"], false);
    assert_eq!(found["features"], serde_json::json!(["py-embed"]));
    assert_eq!(found["python"]["native_source"], "host");
    assert_eq!(found["python"]["built_for"], PYTHON);
    // The stub of an environment holds no real pydantic.
    let problems = found["problems"].to_string();
    assert!(
        problems.contains("pydantic is not installed: install it with"),
        "{problems}"
    );
    let text = place.run(&["doctor"]).expect(1);
    assert!(text.out.contains("native source   host\n"), "{text:?}");
    assert!(
        text.out
            .contains("WRONG           the Python package pydantic"),
        "{text:?}"
    );
    assert!(!text.out.contains("all is well"), "{text:?}");

    let packages = format!("venv/lib/python{PYTHON}/site-packages");
    for name in ["pydantic", "pydantic_core"] {
        let metadata = format!("{packages}/{name}-2.0.dist-info/METADATA");
        place.write(
            &metadata,
            &format!("Metadata-Version: 2.1\nName: {name}\nVersion: 2.0\n"),
        );
    }
    let well = place.run(&["doctor"]).expect(0);
    assert!(well.out.contains("all is well"), "{well:?}");
    let well = place.run(&["doctor", "--json"]).expect(0);
    let found: serde_json::Value = serde_json::from_str(&well.out).unwrap();
    assert_eq!(
        (&found["ok"], &found["problems"]),
        (&true.into(), &serde_json::json!([]))
    );
}
