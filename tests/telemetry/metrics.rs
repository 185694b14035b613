//! What Prometheus sees: the names, labels and help texts are a published contract.
//!
//! `HOLDMETRICS_REWRITE=1 cargo test --test telemetry` rewrites the golden file; read its diff.

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use poh_holdmetrics_rust::telemetry::metrics::ConsumerGauges;
use poh_holdmetrics_rust::telemetry::{EngineGauges, Metrics};

/// Metrics with a value in every family.
fn busy() -> Metrics {
    let metrics = Metrics::new("1.2.3", "py-embed");
    let took = Duration::from_millis(3);
    metrics.events_accepted.inc_by(5);
    metrics.events_duplicate.inc_by(2);
    metrics.refused("end", 3);
    metrics.ack_latency.observe(0.002);
    metrics.journal_fsync.observe(0.000_2);
    metrics.answered("leaderboard", took);
    metrics.grpc_ended("Record", "OK", took);
    metrics.http_ended("GET", "/holders/{id}", 200, took);
    metrics.connection_refused("handshake");
    metrics.keys_reloaded(true);
    metrics.certificates_reloaded(false);
    metrics.pipelines.handler("tiers", "follow").calls.inc();
    metrics.gate("tiers", "check").refused.inc();
    metrics.read_gauges_from(|| EngineGauges {
        sequence: 7,
        holders: 3,
        state_lag_seconds: 1.5,
        condition: "disk_full",
        applier_stalled_seconds: 0.5,
        feed_lag_bytes_max: 100,
        consumers: vec![ConsumerGauges {
            name: "tiers/events".into(),
            lag_events: 9,
            lag_bytes: 80,
            lag_seconds: 0.5,
            is_detached: true,
        }],
        ..EngineGauges::default()
    });
    metrics
}

fn page(metrics: &Metrics) -> String {
    String::from_utf8(metrics.render()).expect("the page is text")
}

fn has_lines(page: &str, lines: &[&str]) {
    for line in lines {
        assert!(page.contains(&format!("\n{line}\n")), "{line}\n{page}");
    }
}

#[test]
fn names_labels_and_help_texts_are_those_that_were_published() {
    let metrics = Metrics::new("", "");
    let mut text = String::new();
    for family in metrics.catalogue() {
        let labels = family.labels.join(", ");
        let name = family.name;
        writeln!(text, "{name} {{{labels}}} {}", family.kind).expect("memory takes it");
        writeln!(text, "    {}", family.help).expect("memory takes it");
    }
    crate::golden::compare("metrics.txt", &text);
}

#[test]
fn names_follow_the_customs_of_prometheus() {
    for family in Metrics::new("", "").catalogue() {
        let name = family.name;
        assert!(name.starts_with("holdmetrics_"), "{name}");
        assert_eq!(name.ends_with("_total"), family.kind == "counter", "{name}");
        assert!(family.help.ends_with('.'), "{name}: {}", family.help);
    }
}

#[test]
fn every_family_appears_once_it_has_a_value() {
    let metrics = busy();
    let page = page(&metrics);
    for family in metrics.catalogue() {
        let (name, kind, help) = (family.name, family.kind, family.help);
        assert!(page.contains(&format!("# HELP {name} {help}\n")), "{name}");
        assert!(page.contains(&format!("# TYPE {name} {kind}\n")), "{name}");
    }
    has_lines(
        &page,
        &[
            "holdmetrics_build_info{features=\"py-embed\",version=\"1.2.3\"} 1",
            "holdmetrics_events_accepted_total 5",
            "holdmetrics_events_refused_total{reason=\"end\"} 3",
            "holdmetrics_grpc_requests_total{code=\"OK\",method=\"Record\"} 1",
            "holdmetrics_http_requests_total{code=\"200\",method=\"GET\",route=\"/holders/{id}\"} 1",
            "holdmetrics_ack_latency_seconds_bucket{le=\"0.0025\"} 1",
        ],
    );
}

#[test]
fn counters_of_a_closed_label_stand_at_zero_before_the_first_count() {
    let page = page(&Metrics::new("", ""));
    has_lines(
        &page,
        &[
            "holdmetrics_key_reloads_total{result=\"failed\"} 0",
            "holdmetrics_key_reloads_total{result=\"ok\"} 0",
            "holdmetrics_certificate_reloads_total{result=\"failed\"} 0",
            "holdmetrics_certificate_reloads_total{result=\"ok\"} 0",
            "holdmetrics_connections_refused_total{reason=\"handshake\"} 0",
            "holdmetrics_events_refused_total{reason=\"holder_id\"} 0",
            "holdmetrics_events_refused_total{reason=\"json\"} 0",
        ],
    );
}

#[test]
fn gauges_are_read_at_each_scrape() {
    let page = page(&busy());
    has_lines(
        &page,
        &[
            "holdmetrics_sequence 7",
            "holdmetrics_holders 3",
            "holdmetrics_state_lag_seconds 1.5",
            "holdmetrics_feed_lag_limit_bytes 100",
            "holdmetrics_feed_lag_events{consumer=\"tiers/events\"} 9",
            "holdmetrics_feed_lag_seconds{consumer=\"tiers/events\"} 0.5",
            "holdmetrics_feed_detached{consumer=\"tiers/events\"} 1",
            "holdmetrics_condition{condition=\"disk_full\"} 1",
            "holdmetrics_condition{condition=\"disk_stalled\"} 0",
            "holdmetrics_stalled_seconds{part=\"applier\"} 0.5",
            "holdmetrics_stalled_seconds{part=\"disk\"} 0",
            "holdmetrics_condition{condition=\"ready\"} 0",
        ],
    );
}

#[cfg(target_os = "linux")]
#[test]
fn the_metrics_of_the_process_are_included() {
    let page = page(&Metrics::new("", ""));
    for name in [
        "process_resident_memory_bytes",
        "process_cpu_seconds_total",
        "process_open_fds",
        "process_start_time_seconds",
    ] {
        assert!(page.contains(&format!("# TYPE {name} ")), "{name}\n{page}");
    }
}

#[test]
fn promtool_has_no_complaint() {
    let started = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut child) = started else {
        eprintln!("not run: promtool is not installed (Debian's package prometheus has it)");
        return;
    };
    let page = busy().render();
    let mut stdin = child.stdin.take().expect("it was piped");
    stdin.write_all(&page).expect("promtool reads the page");
    drop(stdin);
    let output = child.wait_with_output().expect("promtool ends");
    let said = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.trim().is_empty(), "{said}");
}
