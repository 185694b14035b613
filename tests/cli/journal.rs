//! `journal inspect|verify|export|salvage` as a person in trouble runs them.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::journal_writer::{batch, options, submit, writer};
use crate::support::{Answer, EVENTS, Folder, expected_holders, holders, run, score};
use poh_holdmetrics_rust::core::{Delta, Draft, EventBatch, Micros, Wad};
use poh_holdmetrics_rust::engine::{Engine, Options, SystemClock};
use poh_holdmetrics_rust::journal::{FolderLock, Journal, RealVfs};

/// Writes batches into the journal of a data folder and closes it.
pub(crate) fn write(data: &Path, batches: impl IntoIterator<Item = EventBatch>) {
    let opened = Journal::open(Arc::new(RealVfs), &data.join("journal"), options());
    let (writer, outcomes) = writer(opened.expect("a whole journal"));
    for (tag, batch) in (0..).zip(batches) {
        submit(&writer, &outcomes, tag, batch).expect("a disk with room");
    }
}

/// Three segments and more.
pub(crate) fn written(folder: &Folder) -> PathBuf {
    let data = folder.path("data");
    write(&data, (0..9).map(|number| batch(number, 2, 300)));
    data
}

pub(crate) fn journal(verb: &str, data: &Path, more: &[&str]) -> Answer {
    let data = data.to_str().expect("a path that is text");
    run(["journal", verb, "--data-dir", data].iter().chain(more))
}

/// Flips a bit of the first frame's body in a segment.
pub(crate) fn damage(data: &Path, segment: u64) {
    let path = data.join("journal").join(format!("{segment:020}.log"));
    let mut bytes = fs::read(&path).expect("a segment");
    bytes[1_060] ^= 4;
    fs::write(path, bytes).expect("a segment");
}

#[test]
fn a_whole_journal_is_shown_and_verified() {
    let folder = Folder::new();
    let data = written(&folder);
    let shown = journal("inspect", &data, &["--json"]).json();
    let segments = shown["segments"].as_array().expect("a list");
    assert!(segments.len() > 2);
    assert_eq!(segments[0]["first_sequence"], 1);
    assert_eq!(segments.last().unwrap()["last_sequence"], 18);
    assert!(segments.iter().all(|segment| segment["state"] == "whole"));
    assert_eq!(shown["in_use_by"], serde_json::Value::Null);
    let text = journal("inspect", &data, &[]).text();
    assert!(
        text.contains("frames") && text.contains("9 frames, 18 events"),
        "{text}"
    );
    let verdict = journal("verify", &data, &["--json"]).json();
    assert_eq!(
        (&verdict["whole"], &verdict["events"]),
        (&true.into(), &18.into())
    );
    assert!(journal("verify", &data, &[]).text().contains("whole"));
}

#[test]
fn what_is_exported_scores_like_what_came_in() {
    let folder = Folder::new();
    let input = folder.file("in.jsonl", EVENTS);
    let data = folder.path("data");
    // The events as a reader of files sees them.
    let mut batch = EventBatch::default();
    let time = |millis: i64| Some(Micros::from_millis(millis).expect("an instant"));
    for line in EVENTS.lines() {
        let event: serde_json::Value = serde_json::from_str(line).expect("JSON");
        let instant = |key: &str| match &event[key] {
            serde_json::Value::Null => None,
            value => value
                .as_i64()
                .map_or_else(|| Micros::parse(value.as_str().expect("text")).ok(), time),
        };
        let weight = match &event["weight"] {
            serde_json::Value::Null => None,
            value => Some(value.to_string().trim_matches('"').to_owned()),
        };
        let draft = Draft {
            token_id: event["token_id"].as_str().expect("text"),
            holder_id: event["holder_id"].as_str().expect("text"),
            start: instant("start"),
            end: instant("end"),
            weight: weight.map(|text| Wad::parse(&text).expect("a weight")),
            ..Default::default()
        };
        batch.push(&draft.check().expect("a valid event"));
    }
    write(&data, [batch]);
    let out = folder.path("out.jsonl");
    let path = out.to_str().expect("a path that is text");
    assert_eq!(journal("export", &data, &["--output", path]).text(), "");
    assert_eq!(
        journal("export", &data, &[]).text(),
        fs::read_to_string(&out).unwrap()
    );
    assert_eq!(holders(&score(&out, &[]).json()), expected_holders());
    assert_eq!(holders(&score(&input, &[]).json()), expected_holders());
}

#[test]
fn changes_transfers_and_seq_are_exported_as_events_that_score_the_same() {
    let lines = [
        r#"{"token_id":"T","to_id":"a","at":0,"amount":10,"event_id":"1"}"#,
        r#"{"token_id":"T","from_id":"a","to_id":"b","at":5000,"amount":"0.5","event_id":"2"}"#,
        r#"{"token_id":"T","holder_id":"a","at":6000,"delta":-4,"event_id":"3"}"#,
        r#"{"token_id":"T","holder_id":"a","event_id":"3","revision":1,"retract":true}"#,
        r#"{"token_id":"T","holder_id":"mark","start":2000,"weight":2,"seq":7}"#,
        r#"{"token_id":"T","holder_id":"mark","end":2000,"seq":6}"#,
    ];
    let folder = Folder::new();
    let input = folder.file(
        "in.jsonl",
        lines.map(|line| line.to_owned() + "\n").concat(),
    );
    let at = |millis: i64| Micros::from_millis(millis).ok();
    let delta = |text: &str| Delta::parse(text).ok();
    let key = |holder_id| Draft {
        token_id: "T",
        holder_id,
        ..Draft::default()
    };
    let change = |holder_id, event_id, millis, text: &str| Draft {
        event_id: Some(event_id),
        at: at(millis),
        delta: delta(text),
        ..key(holder_id)
    };
    let mut batch = EventBatch::default();
    for draft in [
        change("a", "1", 0, "10"),
        change("a", "2", 5_000, "-0.5"),
        change("b", "2", 5_000, "0.5"),
        change("a", "3", 6_000, "-4"),
        Draft {
            event_id: Some("3"),
            revision: 1,
            retract: true,
            ..key("a")
        },
        Draft {
            start: at(2_000),
            weight: Wad::parse("2").ok(),
            seq: 7,
            ..key("mark")
        },
        Draft {
            end: at(2_000),
            seq: 6,
            ..key("mark")
        },
    ] {
        batch.push(&draft.check().expect("a valid event"));
    }
    let data = folder.path("data");
    write(&data, [batch]);
    let exported = journal("export", &data, &[]).text();
    assert!(exported.contains(r#""delta":"-0.5""#) && exported.contains(r#""seq":7"#));
    let out = folder.file("out.jsonl", &exported);
    let expected = [("a", "97.5"), ("mark", "16"), ("b", "2.5")];
    for path in [&input, &out] {
        let path = path.to_str().expect("a path that is text");
        let scored = run(["score", path, "--as-of", "10000", "--format", "json"]).json();
        let rows = scored["holders"].as_array().expect("a list").iter();
        let rows: Vec<_> = rows
            .map(|row| {
                (
                    row["holder_id"].as_str().unwrap(),
                    row["score"].as_str().unwrap(),
                )
            })
            .collect();
        assert_eq!(rows, expected, "{path}");
    }
}

#[test]
fn damage_is_named_exported_around_and_salvaged() {
    let folder = Folder::new();
    let data = written(&folder);
    damage(&data, 2);
    let refused = journal("verify", &data, &[]);
    let sentence = refused.error(1);
    assert!(sentence.contains("segment 2, byte 1024"), "{sentence}");
    assert!(sentence.contains("journal salvage"), "{sentence}");
    let shown = journal("inspect", &data, &["--json"]).json();
    assert_eq!(shown["segments"][1]["state"], "damaged");
    assert_eq!(shown["damages"][0]["offset"], 1_024);
    let text = journal("inspect", &data, &[]).text();
    assert!(text.contains("DAMAGED: segment 2, byte 1024"), "{text}");

    let exported = journal("export", &data, &[]);
    assert_eq!(exported.code, 1);
    let lines = String::from_utf8(exported.stdout.clone()).unwrap();
    assert_eq!(lines.lines().count(), 16);
    assert!(
        exported.stderr.contains("lost: events "),
        "{}",
        exported.stderr
    );

    let salvaged = journal("salvage", &data, &["--json"]).json();
    assert_eq!(salvaged["events"], 16);
    let lost = &salvaged["lost"][0];
    assert_eq!(
        lost["last_sequence"].as_u64().unwrap() - lost["first_sequence"].as_u64().unwrap(),
        1
    );
    let moved = salvaged["moved_to"].as_str().expect("a path");
    assert!(Path::new(moved).join(format!("{:020}.log", 2)).is_file());
    let text = journal("verify", &data, &[]).text();
    assert!(text.contains("16 events, 2 noted as lost"), "{text}");
    assert!(text.contains("state: not written yet"), "{text}");
    assert_eq!(journal("export", &data, &[]).text(), lines);
    let again = journal("salvage", &data, &[]).text();
    assert!(again.contains("nothing was changed"), "{again}");
}

#[test]
fn a_last_segment_that_was_cut_between_two_frames_is_named_and_salvaged() {
    let folder = Folder::new();
    let data = written(&folder);
    let shown = journal("inspect", &data, &["--json"]).json();
    let last = shown["segments"].as_array().unwrap().last().unwrap();
    let (index, first) = (&last["segment"], last["first_sequence"].as_u64().unwrap());
    let path = data
        .join("journal")
        .join(format!("{:020}.log", index.as_u64().unwrap()));
    let whole = fs::read(&path).unwrap();
    // Both copies of the header, and no frame.
    fs::write(&path, &whole[..1_024]).unwrap();
    let defect = format!("the file has 1024 bytes, its header says {}", whole.len());

    let verdict = journal("verify", &data, &["--json"]);
    assert_eq!(verdict.code, 1);
    let json: serde_json::Value = serde_json::from_slice(&verdict.stdout).expect("JSON");
    assert_eq!(json["damages"][0]["defect"], defect.as_str());
    for part in [path.to_str().unwrap(), &defect, "serve --salvage"] {
        assert!(verdict.stderr.contains(part), "{}", verdict.stderr);
    }
    let text = journal("inspect", &data, &[]).text();
    let line = format!("DAMAGED: segment {index}, byte 1024: {defect}");
    assert!(text.contains(&line), "{text}");
    let exported = journal("export", &data, &[]);
    assert_eq!(exported.code, 1);
    let losses = format!("({}); lost: from event {first} on", &line[9..]);
    assert!(exported.stderr.contains(&losses), "{}", exported.stderr);
    let lines = String::from_utf8(exported.stdout).unwrap();
    assert_eq!(lines.lines().count() as u64, first - 1);

    let salvaged = journal("salvage", &data, &["--json"]).json();
    assert_eq!(salvaged["events"], first - 1);
    assert_eq!(
        salvaged["lost"][0]["last_sequence"],
        serde_json::Value::Null
    );
    journal("verify", &data, &[]).text();
    assert_eq!(journal("export", &data, &[]).text(), lines);
}

/// What a service leaves behind: a state that covers all, and the journal's last segment.
pub(crate) fn served(folder: &Folder) -> PathBuf {
    let data = folder.path("data");
    let mut options = Options::in_folder(data.clone());
    options.store.segment_bytes = 4_096;
    let engine = Engine::open(options, Arc::new(SystemClock)).expect("an empty folder");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        for number in 0..9 {
            let pending = engine
                .submit(batch(number, 2, 200))
                .await
                .expect("it is open");
            pending.await.expect("a disk with room");
        }
    });
    engine.close();
    data
}

#[test]
fn a_journal_whose_newest_segment_is_missing_is_named_and_salvaged() {
    let folder = Folder::new();
    let data = written(&folder);
    let segments = fs::read_dir(data.join("journal")).unwrap().count();
    let newest = data.join("journal").join(format!("{segments:020}.log"));
    fs::remove_file(&newest).unwrap();
    let refused = journal("verify", &data, &[]);
    let sentence = refused.error(1);
    let expected =
        format!("(segment {segments}, byte 0: the segment is missing, and the journal had reached");
    assert!(sentence.contains(&expected), "{sentence}");
    assert!(sentence.contains(newest.to_str().unwrap()), "{sentence}");
    let shown = journal("inspect", &data, &[]).text();
    assert!(shown.contains("had reached event 18"), "{shown}");
    let salvaged = journal("salvage", &data, &[]).text();
    assert!(salvaged.contains("lost: from event "), "{salvaged}");
    assert!(data.join("journal.damaged-1").is_dir(), "it is kept");
    journal("verify", &data, &[]).text();
}

#[test]
fn an_export_without_all_acknowledged_events_says_which_are_missing() {
    let folder = Folder::new();
    let data = written(&folder);
    let first = data.join("journal").join(format!("{:020}.log", 1));
    let whole = fs::read(&first).unwrap();
    // A frame of two events begins in the third sector; what follows it is gone.
    fs::write(&first, &whole[..1_024]).unwrap();
    let mut sentences = vec![journal("export", &data, &[])];
    fs::remove_file(&first).unwrap();
    sentences.push(journal("export", &data, &[]));
    for exported in sentences {
        assert_eq!(exported.code, 1);
        assert!(
            exported.stderr.contains("lost: events 1 to "),
            "{}",
            exported.stderr
        );
        let lines = String::from_utf8(exported.stdout).unwrap();
        assert!(lines.contains("8/1/"), "the rest is written");
    }
}

/// The files of a folder and of those in it, but for the lock.
pub(crate) fn contents(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.extend(contents(&path));
        } else if !path.ends_with("lock") {
            all.push((path.clone(), fs::read(path).unwrap()));
        }
    }
    all.sort();
    all
}

#[test]
fn who_looks_changes_nothing() {
    let folder = Folder::new();
    let data = served(&folder);
    let before = contents(&data);
    for verb in ["inspect", "verify", "export"] {
        journal(verb, &data, &[]).text();
        assert!(contents(&data) == before, "{verb}");
    }
}

#[test]
fn damage_is_told_in_json_too() {
    let folder = Folder::new();
    let data = written(&folder);
    damage(&data, 2);
    let verdict = journal("verify", &data, &["--json"]);
    assert_eq!(verdict.code, 1);
    let json: serde_json::Value = serde_json::from_slice(&verdict.stdout).expect("JSON");
    assert_eq!(json["whole"], false);
    assert_eq!(json["damages"][0]["segment"], 2);
    let reason = json["reason"].as_str().expect("a sentence");
    assert!(verdict.stderr.contains(reason), "{reason}");
}

#[test]
fn an_export_into_the_store_itself_is_refused() {
    let folder = Folder::new();
    let data = served(&folder);
    let before = contents(&data);
    let beside = folder.file("beside.jsonl", "");
    let inside = data.join("state.redb");
    for output in [
        inside.clone(),
        data.join("new.jsonl"),
        data.join("journal/x"),
    ] {
        let output = output.to_str().expect("a path that is text");
        let refused = journal("export", &data, &["--output", output]);
        let sentence = refused.error(2);
        assert!(sentence.contains("a file elsewhere"), "{sentence}");
    }
    assert!(contents(&data) == before);
    let beside = beside.to_str().expect("a path that is text");
    journal("export", &data, &["--output", beside]).text();
}

#[test]
fn an_export_is_packed_as_its_name_says() {
    let folder = Folder::new();
    let data = written(&folder);
    let plain = journal("export", &data, &[]).text();
    for (name, magic) in [
        ("x.jsonl.gz", &[0x1f, 0x8b][..]),
        ("x.jsonl.zst", &[0x28, 0xb5]),
    ] {
        let path = folder.path(name);
        let output = path.to_str().expect("a path that is text");
        journal("export", &data, &["--output", output]).text();
        let bytes = fs::read(&path).unwrap();
        assert!(bytes.starts_with(magic) && bytes.len() < plain.len() / 2);
        let scored = score(&path, &[]).json();
        assert_eq!(scored["read"], 18);
    }
}

#[test]
fn who_works_there_is_not_disturbed() {
    let folder = Folder::new();
    let data = written(&folder);
    let now = Micros::parse("2026-11-22T05:00:00Z").unwrap();
    let lock = FolderLock::take(Arc::new(RealVfs), &data, now).unwrap();
    let own = format!("process {} since 2026-11-22T05:00:00Z", std::process::id());
    for verb in ["verify", "export", "salvage"] {
        let refused = journal(verb, &data, &[]);
        let sentence = refused.error(1);
        assert!(sentence.contains(&format!("in use by {own}")), "{sentence}");
    }
    let refused = journal("cursors", &data, &["--remove", "gone/events"]);
    let sentence = refused.error(1);
    assert!(
        sentence.contains(&own) && sentence.contains("`DELETE /admin/consumers/NAME`"),
        "{sentence}"
    );
    let shown = journal("inspect", &data, &["--json"]).json();
    assert_eq!(shown["in_use_by"], own.as_str());
    drop(lock);
    journal("verify", &data, &[]).text();
}

#[test]
fn a_folder_without_a_journal_is_named() {
    let folder = Folder::new();
    for verb in ["inspect", "verify", "export", "salvage"] {
        let refused = journal(verb, &folder.path("nowhere"), &[]);
        let sentence = refused.error(2);
        assert!(sentence.contains("there is no journal"), "{sentence}");
    }
    assert_eq!(folder.names(), Vec::<String>::new(), "nothing was made");
}
