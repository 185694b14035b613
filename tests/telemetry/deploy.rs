//! The files in `deploy/` are valid and name only metrics and settings that exist.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use poh_holdmetrics_rust::config::variables as variables_of_settings;
use poh_holdmetrics_rust::telemetry::Metrics;

/// What a histogram is asked by.
const SUFFIXES: [&str; 3] = ["_bucket", "_sum", "_count"];
/// Of the process, from the client library.
const OF_THE_PROCESS: [&str; 4] = [
    "process_cpu_seconds_total",
    "process_open_fds",
    "process_resident_memory_bytes",
    "process_start_time_seconds",
];

fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("deploy")
        .join(name)
}

fn text(name: &str) -> String {
    std::fs::read_to_string(path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Words of a query that look like a metric of ours or of the process.
fn named(text: &str) -> BTreeSet<&str> {
    text.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_')
        .filter(|word| word.starts_with("holdmetrics_") || word.starts_with("process_"))
        .collect()
}

#[track_caller]
fn exist(place: &str, names: &BTreeSet<&str>) {
    let metrics = Metrics::new("", "");
    for name in names {
        let is_ours = metrics.catalogue().iter().any(|family| {
            family.name == *name
                || family.kind == "histogram"
                    && SUFFIXES
                        .iter()
                        .any(|suffix| name.strip_suffix(suffix) == Some(family.name))
        });
        assert!(
            is_ours || OF_THE_PROCESS.contains(name),
            "{place}: there is no metric {name}"
        );
    }
}

#[test]
fn alert_rules_name_only_metrics_that_exist() {
    let rules = text("alerts.yml");
    let names = named(&rules);
    assert!(names.len() > 8, "{names:?}");
    exist("alerts.yml", &names);
    exist("alerts_test.yml", &named(&text("alerts_test.yml")));
}

#[test]
fn every_alert_has_a_test() {
    let tests = text("alerts_test.yml");
    let rules = text("alerts.yml");
    let alerts = rules
        .lines()
        .filter_map(|line| line.trim().strip_prefix("- alert: "));
    for alert in alerts {
        assert!(tests.contains(alert), "{alert}");
    }
}

#[test]
fn the_dashboard_names_only_metrics_that_exist_and_shows_nearly_all() {
    let dashboard: serde_json::Value =
        serde_json::from_str(&text("grafana-dashboard.json")).expect("JSON");
    let mut expressions = String::new();
    for panel in dashboard["panels"].as_array().expect("panels") {
        for target in panel["targets"].as_array().expect("targets") {
            expressions += target["expr"].as_str().expect("PromQL");
            expressions.push('\n');
        }
    }
    let names = named(&expressions);
    exist("grafana-dashboard.json", &names);
    let metrics = Metrics::new("", "");
    // Durations by route and method stand in the traces; the rest is for alerts alone.
    let left_out = [
        "holdmetrics_build_info",
        "holdmetrics_certificate_expiry_timestamp_seconds",
        "holdmetrics_certificate_reloads_total",
        "holdmetrics_feed_lag_events",
        "holdmetrics_grpc_request_seconds",
        "holdmetrics_http_request_seconds",
        "holdmetrics_journal_segments",
        "holdmetrics_key_reloads_total",
        "holdmetrics_state_lag_events",
    ];
    for family in metrics.catalogue() {
        let is_shown = names.iter().any(|name| name.starts_with(family.name));
        assert_ne!(is_shown, left_out.contains(&family.name), "{}", family.name);
    }
}

#[test]
fn unit_and_image_name_only_settings_that_exist() {
    let known: Vec<String> = variables_of_settings().collect();
    for name in ["Dockerfile", "holdmetrics.service"] {
        let text = text(name);
        let variables = text
            .split(|letter: char| !letter.is_ascii_uppercase() && letter != '_')
            .filter(|word| word.starts_with("HOLDMETRICS_"));
        for variable in variables {
            assert!(
                known.iter().any(|known| known == variable),
                "{name}: {variable}"
            );
        }
    }
}

#[track_caller]
fn promtool(arguments: &[&str], file: &str) {
    let checked = Command::new("promtool")
        .args(arguments)
        .arg(path(file))
        .output();
    let Ok(output) = checked else {
        eprintln!("not run: promtool is not installed (Debian's package prometheus has it)");
        return;
    };
    let said = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
}

#[test]
fn promtool_accepts_the_alert_rules() {
    promtool(&["check", "rules"], "alerts.yml");
}

#[test]
fn alerts_fire_when_they_should_and_only_then() {
    promtool(&["test", "rules"], "alerts_test.yml");
}

#[test]
fn promtool_accepts_the_scrape_configuration() {
    // The file of its key does not exist here.
    promtool(&["check", "config", "--syntax-only"], "prometheus.yml");
}

#[test]
fn the_alerts_are_about_the_job_that_is_scraped() {
    let scrapes = text("prometheus.yml");
    let rules = text("alerts.yml");
    let jobs: BTreeSet<&str> = rules
        .split("job=\"")
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        .collect();
    assert_eq!(jobs.len(), 1, "{jobs:?}");
    for job in jobs {
        assert!(scrapes.contains(&format!("- job_name: {job}\n")), "{job}");
    }
}

/// `config VERB --config FILE` with no variable of ours.
fn config(verb: &str, file: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_main_holdmetrics"));
    for name in variables_of_settings() {
        command.env_remove(name);
    }
    let output = command
        .args(["config", verb, "--config"])
        .arg(file)
        .output();
    output.expect("the binary runs")
}

#[test]
fn the_settings_of_the_unit_are_valid_and_so_is_what_they_propose() {
    let output = config("check", &path("holdmetrics.toml"));
    assert!(output.status.success(), "{output:?}");

    // A line that is a setting but for its `#`.
    let is_proposal = |line: &str| line.starts_with('[') || line.contains(" = ");
    let all: Vec<String> = text("holdmetrics.toml")
        .lines()
        .map(|line| match line.strip_prefix("# ") {
            Some(rest) if is_proposal(rest) => rest.to_owned(),
            _ => line.to_owned(),
        })
        .collect();
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("all.toml");
    std::fs::write(&file, all.join("\n")).expect("written");
    let output = config("print", &file);
    let table = String::from_utf8_lossy(&output.stdout);
    let chosen = table.lines().filter(|line| line.contains("all.toml"));
    assert_eq!(chosen.count(), 11, "{output:?}");
}

#[test]
fn systemd_has_no_complaint_about_the_unit() {
    let folder = tempfile::tempdir().expect("a folder");
    let unit = folder.path().join("holdmetrics.service");
    let binary = env!("CARGO_BIN_EXE_main_holdmetrics");
    // The manual page of the bundle is not installed here, and systemd asks for it.
    let text = text("holdmetrics.service")
        .replace("/opt/holdmetrics/current/main_holdmetrics", binary)
        .replace("Documentation=man:main_holdmetrics-serve(1)\n", "");
    std::fs::write(&unit, text).expect("written");
    let verified = Command::new("systemd-analyze")
        .arg("verify")
        .arg(&unit)
        .output();
    let Ok(output) = verified else {
        eprintln!("not run: systemd is not installed");
        return;
    };
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.is_empty(), "{said}");
}

#[test]
fn bad_settings_end_the_unit_and_a_stop_during_the_start_is_no_failure() {
    let unit = text("holdmetrics.service");
    let lines: Vec<&str> = unit.lines().collect();
    // Exit codes of `serve` count alone: those of ExecStartPre would be tried again for ever.
    assert!(!unit.contains("ExecStartPre="));
    for line in [
        "Type=notify",
        "RestartPreventExitStatus=2",
        "SuccessExitStatus=130",
        "StartLimitBurst=5",
    ] {
        assert!(lines.contains(&line), "{line}");
    }
}

#[test]
fn the_image_runs_as_nobody_special_and_its_context_holds_no_secrets() {
    assert!(text("Dockerfile").contains("\nUSER 65532:65532\n"));
    // Nothing but the bundle gets in.
    let context = text("Dockerfile.dockerignore");
    let lines: Vec<&str> = context.lines().collect();
    assert_eq!(lines, ["*", "!dist/main_holdmetrics-*-linux-x86_64"]);
}
