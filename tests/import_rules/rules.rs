//! The rules, and what breaks them: one line each, with file and line.
//!
//! They are those of `docs/architecture.md`; a new module is added here too.

use crate::paths::{lines_naming, module_of, modules_named, names_in};
use crate::words::words;

/// A module of `src/`, and the modules that it may know.
const MODULES: &[(&str, &[&str])] = &[
    ("core", &[]),
    ("aggregator", &["core"]),
    ("policy", &["core"]),
    ("airdrop", &["core"]),
    ("journal", &["core", "config", "error_line", "owner_only"]),
    ("state", &["core", "error_line"]),
    ("input", &["core", "error_line"]),
    ("output", &["core"]),
    (
        "engine",
        &[
            "core",
            "aggregator",
            "policy",
            "airdrop",
            "journal",
            "state",
            "input",
            "output",
            "config",
            "error_line",
            "telemetry",
        ],
    ),
    (
        "net",
        &[
            "core",
            "aggregator",
            "airdrop",
            "engine",
            "input",
            "output",
            "config",
            "error_line",
            "plain_file",
            "telemetry",
        ],
    ),
    (
        "host",
        &[
            "core",
            "aggregator",
            "policy",
            "airdrop",
            "engine",
            "input",
            "output",
            "config",
            "error_line",
            "telemetry",
            "windows",
        ],
    ),
    ("client", &["core", "net"]),
    ("workload", &["client", "core"]),
    ("bindings", &["host"]),
    ("config", &["core"]),
    ("error_line", &[]),
    ("telemetry", &["error_line"]),
    ("excerpt", &[]),
    ("owner_only", &["windows"]),
    ("windows", &[]),
    ("plain_file", &[]),
];

/// Modules that every other may know.
const SHARED: &[&str] = &["excerpt"];

/// Modules that choose the concrete parts, and so know every other.
const COMPOSITION: &[&str] = &["cli", "lib", "main_holdmetrics"];

/// The parts of `net` that the client shares: the wire contract and the names of its status codes.
const NET_FOR_CLIENT: &[&str] = &["pb", "code_name"];

/// Crates and parts of the standard library that the pure core may not name.
const NOT_IN_CORE: &[&str] = &[
    "tokio",
    "pyo3",
    "tracing",
    "rayon",
    "std::env",
    "std::fs",
    "std::io",
    "std::net",
    "std::process",
    "std::thread",
    "std::time",
];

/// Crates of the command line, and the files that may name them; the library has typed errors and
/// no arguments.
const OF_THE_COMMAND_LINE: &[(&str, &[&str])] =
    &[("anyhow", &["cli", "main_holdmetrics"]), ("clap", &["cli"])];

/// Whether a `SAFETY:` comment stands directly above a line, or above the attributes and comments before it.
fn has_safety_line(source: &str, line: usize) -> bool {
    let above: Vec<&str> = source.lines().take(line).map(str::trim).collect();
    above[line - 1].contains("// SAFETY:")
        || above[..line - 1]
            .iter()
            .rev()
            .take_while(|text| text.starts_with("//") || text.starts_with("#["))
            .any(|text| text.contains("SAFETY:"))
}

/// Every rule that a file breaks, one line each. `file` is its path below `src/`, with `/`.
pub(crate) fn violations(file: &str, source: &str) -> Vec<String> {
    let words = words(source);
    let module = module_of(file);
    let mut broken = Vec::new();
    let mut report = |line: usize, rule: String| broken.push(format!("src/{file}:{line}: {rule}"));

    if !COMPOSITION.contains(&module) {
        match MODULES.iter().find(|(name, _)| *name == module) {
            None => report(
                1,
                format!("the module {module} is not in the rules; add it to them"),
            ),
            Some((_, may_know)) => {
                let is_module_name = |name: &str| {
                    MODULES.iter().any(|(known, _)| *known == name) || COMPOSITION.contains(&name)
                };
                for named in modules_named(file, &words) {
                    if named.text != module
                        && is_module_name(&named.text)
                        && !may_know.contains(&named.text.as_str())
                        && !SHARED.contains(&named.text.as_str())
                    {
                        report(named.line, format!("{module} may not know {}", named.text));
                    }
                }
            }
        }
    }
    if module == "core" {
        for path in NOT_IN_CORE {
            for line in lines_naming(&words, path) {
                report(line, format!("core is pure and may not name {path}"));
            }
        }
    }
    if module != "host" && module != "bindings" {
        for line in lines_naming(&words, "pyo3") {
            report(
                line,
                "pyo3 is named only in host/ and bindings.rs".to_owned(),
            );
        }
    }
    if module != "net" && module != "client" {
        for line in lines_naming(&words, "net::pb") {
            report(
                line,
                "generated code is named only in net/ and client/".to_owned(),
            );
        }
    }
    if module == "client" {
        for (line, named) in names_in(&words, "net") {
            if !NET_FOR_CLIENT.contains(&named) {
                report(line, format!("client may not know net::{named}"));
            }
        }
    }
    for (krate, may_name) in OF_THE_COMMAND_LINE {
        if !may_name.contains(&module) {
            for line in lines_naming(&words, krate) {
                report(
                    line,
                    format!("{krate} is named only in {}", may_name.join(", ")),
                );
            }
        }
    }
    for line in lines_naming(&words, "unsafe") {
        if !["host", "windows"].contains(&module) {
            report(
                line,
                "unsafe stands only in host/ and windows.rs".to_owned(),
            );
        } else if !has_safety_line(source, line) {
            report(line, "unsafe needs a `// SAFETY:` line above it".to_owned());
        }
    }
    broken
}
