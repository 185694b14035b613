//! The program without Python inside: what needs it says so in one sentence, the rest works.
#![cfg(not(feature = "py-embed"))]

use std::process::{Command, Output};

fn run(words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_main_holdmetrics"))
        .args(words)
        .output()
        .unwrap()
}

#[test]
fn run_and_python_say_what_is_missing_and_what_helps() {
    for (words, instead) in [
        (
            &["run", "main.py", "--top", "5"][..],
            "`python main.py --top 5`",
        ),
        (&["python", "-c", "pass"], "use `python`"),
        (
            &["pipeline", "check", "tiers.py"],
            "`python -m poh_holdmetrics pipeline check tiers.py`",
        ),
        (
            &["audit", "verify", "--json"],
            "`python -m poh_holdmetrics audit verify --json`",
        ),
        (
            &["py", "stack", "1"],
            "look into processes with the `py` of",
        ),
        (
            &["serve", "--ephemeral", "--pipeline", "tiers.py"],
            "start the service without pipelines",
        ),
        (
            &["serve", "--ephemeral", "--store", "sqlite:///events.db"],
            "start the service without stores",
        ),
    ] {
        let output = run(words);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(78), "{said}");
        assert!(
            said.starts_with("error: this program was built without Python inside: build it with"),
            "{said}"
        );
        assert!(
            said.contains(instead) && said.lines().count() == 1,
            "{said}"
        );
    }
}

#[test]
fn the_doctor_is_well_without_python() {
    let text = run(&["doctor"]);
    assert_eq!(text.status.code(), Some(0));
    let text = String::from_utf8(text.stdout).unwrap();
    assert!(
        text.contains("Python          no Python inside\n"),
        "{text}"
    );
    assert!(text.contains("all is well"), "{text}");
    let json = run(&["doctor", "--json"]);
    let found: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(
        (&found["ok"], &found["python"]),
        (&true.into(), &serde_json::Value::Null)
    );
}
