//! The seeds of the fuzz targets are the cases of this repository, in the form that each target reads.
//!
//! Committed in `fuzz/seeds`; `HOLDMETRICS_REWRITE=1` writes them anew after a case has changed. The
//! published cases are not committed here: `make fuzz` has them written where
//! `HOLDMETRICS_FUZZ_CORPUS` says.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use poh_holdmetrics_rust::airdrop::{
    AddressKind, Bundle, Conditions, Curve, Details, Division, Document, ExplainedKey,
    ExplainedScore, Explanation, Format, List, Terms,
};
use poh_holdmetrics_rust::core::{
    Claim, Draft, Event, EventBatch, EventSink, Micros, Window, encoding,
};
use poh_holdmetrics_rust::input::{
    InputFormat, InputOptions, OnError, Progress, ReadOptions, Source, read,
};
use poh_holdmetrics_rust::net::pb::{HoldBatch, HoldMsg};
use prost::Message;
use prost_types::Timestamp;
use ruint::aliases::U256;

#[derive(Default)]
struct Collected(EventBatch);

impl EventSink for Collected {
    fn accept(&mut self, event: &Event<'_>) {
        self.0.push(event);
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn events_of(path: PathBuf) -> EventBatch {
    let options = ReadOptions {
        input: Arc::new(InputOptions {
            format: InputFormat::Jsonl,
            ..InputOptions::default()
        }),
        on_error: OnError::Skip,
        threads: NonZeroUsize::MIN,
        progress: Arc::new(Progress::default()),
    };
    let harvest = read(&[Source::Path(path)], &options, Collected::default).expect("a case");
    let mut sinks = harvest.sinks;
    sinks.pop().expect("one thread").0
}

fn timestamp(at: Micros) -> Timestamp {
    Timestamp {
        seconds: at.get().div_euclid(1_000_000),
        nanos: i32::try_from(at.get().rem_euclid(1_000_000) * 1_000).expect("under a second"),
    }
}

fn message(event: &Event<'_>) -> HoldMsg {
    let fields = Draft::from(event);
    HoldMsg {
        token_id: event.token_id.to_owned(),
        holder_id: event.holder_id.to_owned(),
        start: fields.start.map(timestamp),
        end: fields.end.map(timestamp),
        weight_text: fields.weight.map(|weight| weight.to_string()),
        event_id: fields.event_id.map(str::to_owned),
        revision: fields.revision,
        retract: fields.retract,
        at: fields.at.map(timestamp),
        delta_text: fields.delta.map(|delta| delta.to_string()),
        seq: fields.seq,
        ..HoldMsg::default()
    }
}

fn columns(events: &[Event<'_>]) -> HoldBatch {
    let mut batch = HoldBatch::default();
    for event in events {
        let fields = Draft::from(event);
        let micros = |time: Option<Micros>| time.map_or(i64::MIN, Micros::get);
        batch.token_id.push(event.token_id.to_owned());
        batch.holder_id.push(event.holder_id.to_owned());
        batch.start_us.push(micros(fields.start));
        batch.end_us.push(micros(fields.end));
        let text = |decimal: Option<String>| decimal.unwrap_or_default();
        batch
            .weight_text
            .push(text(fields.weight.map(|weight| weight.to_string())));
        batch
            .event_id
            .push(fields.event_id.unwrap_or_default().to_owned());
        batch.revision.push(fields.revision);
        batch.retract.push(fields.retract);
        batch.at_us.push(micros(fields.at));
        batch
            .delta_text
            .push(text(fields.delta.map(|delta| delta.to_string())));
        batch.seq.push(fields.seq);
    }
    batch
}

fn csv(events: &[Event<'_>]) -> String {
    let mut text =
        "token_id,holder_id,start,end,weight,event_id,revision,retract,at,delta,seq\n".to_owned();
    let quoted = |id: &str| format!("\"{}\"", id.replace('"', "\"\""));
    let time = |time: Option<Micros>| time.map(|time| time.to_string()).unwrap_or_default();
    let decimal = |text: Option<String>| text.unwrap_or_default();
    for event in events {
        let fields = Draft::from(event);
        writeln!(
            text,
            "{},{},{},{},{},{},{},{},{},{},{}",
            quoted(event.token_id),
            quoted(event.holder_id),
            time(fields.start),
            time(fields.end),
            decimal(fields.weight.map(|weight| weight.to_string())),
            fields.event_id.map(quoted).unwrap_or_default(),
            fields.revision,
            fields.retract,
            time(fields.at),
            decimal(fields.delta.map(|delta| delta.to_string())),
            fields.seq,
        )
        .expect("a string takes every write");
    }
    text
}

/// Inputs by `target/name`.
type Seeds = BTreeMap<String, Vec<u8>>;

/// What each target begins with.
fn seeds() -> Seeds {
    let mut seeds = seeds_of(&root().join("tests/cases"));
    let journal = root().join("tests/journal/fixture/v1/journal");
    for entry in fs::read_dir(journal).expect("the journal of version 1") {
        let path = entry.expect("a segment").path();
        let name = path
            .file_stem()
            .expect("a name")
            .to_string_lossy()
            .into_owned();
        let bytes = fs::read(path).expect("a segment");
        seeds.insert(format!("frames/{name}"), [vec![0], bytes].concat());
    }
    let list = "address,amount\n0x1111111111111111111111111111111111111111,25\n\
        0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359,75\n";
    seeds.insert("airdrop/list".into(), list.into());
    let list = List::read(list.as_bytes(), AddressKind::Evm, 0).expect("a list");
    for format in [
        Format::StandardV1,
        Format::SimpleV1,
        Format::Uniswap,
        Format::SablierEvm,
    ] {
        let tree = Document::of_list(&list, format, Details::default()).expect("a tree");
        let mut bytes = Vec::new();
        tree.write(&mut bytes, &|_| ()).expect("memory takes it");
        seeds.insert(format!("airdrop/{}", format.name()), bytes);
    }
    seeds.insert("airdrop/bundle".into(), bundle(&list).into_bytes());
    seeds
}

/// The bundle of the first holder of `list`, under the conditions of the fuzz target.
fn bundle(list: &List) -> String {
    let terms = Terms {
        pool: U256::from(100),
        curve: Curve::Linear,
        cap: None,
        minimum: U256::ZERO,
    };
    let window = Window {
        from: None,
        as_of: at(100),
        closed_only: false,
    };
    let conditions = Conditions {
        window,
        terms,
        rule: None,
    };
    let draft = Draft {
        token_id: "T",
        holder_id: "0x1111111111111111111111111111111111111111",
        event_id: Some("in"),
        start: Some(at(10)),
        end: Some(at(20)),
        ..Draft::default()
    };
    let event = draft.check().expect("an event");
    let claims: [Claim<'_>; 1] = [event.claim];
    let key = ExplainedKey::of_claims(event.holder_id, event.token_id, &claims, &conditions);
    let score = ExplainedScore::new(event.holder_id, vec![key], &conditions).expect("a score");
    let division = Division {
        rest: terms.pool,
        total: score.score.0.steps() * U256::from(4),
        last_spare: None,
    };
    let explained = Explanation::new(event.holder_id, vec![score], &division, &conditions);
    let tree = Document::of_list(list, Format::StandardV1, Details::default()).expect("a tree");
    let claim = tree.leaf_proof(0);
    let bundle = Bundle::new((), None, explained.expect("an amount"), Some(claim));
    let text = bundle.text();
    bundle
        .check(text.as_bytes(), &conditions)
        .expect("it is right");
    text
}

fn at(second: i64) -> Micros {
    Micros::new(second * 1_000_000).expect("a time")
}

/// The cases of a folder, for each target.
fn seeds_of(cases: &Path) -> Seeds {
    let mut seeds = BTreeMap::new();
    for case in fs::read_dir(cases).expect("the cases") {
        let folder = case.expect("a case").path();
        let name = folder
            .file_name()
            .expect("a name")
            .to_string_lossy()
            .into_owned();
        let lines = folder.join("events.jsonl");
        let batch = events_of(lines.clone());
        let events: Vec<_> = encoding::events(batch.bytes())
            .map(|event| event.expect("whole events"))
            .collect();
        let mut add =
            |target: &str, bytes: Vec<u8>| seeds.insert(format!("{target}/{name}"), bytes);
        add("jsonl", fs::read(lines).expect("a case"));
        add("csv", csv(&events).into_bytes());
        add("encoding", batch.bytes().to_vec());
        add("intervals", batch.bytes().to_vec());
        add(
            "protobuf",
            [vec![1], columns(&events).encode_to_vec()].concat(),
        );
        // Changes to a journal of ours, and frames with these as their payloads.
        add(
            "frames",
            [&[1], &batch.bytes()[..batch.bytes().len().min(8)]].concat(),
        );
        for (number, event) in events.iter().enumerate() {
            let sent = [vec![0], message(event).encode_to_vec()].concat();
            seeds.insert(format!("protobuf/{name}-{number}"), sent);
        }
        let payload = &batch.bytes()[..batch.bytes().len().min(255)];
        let length = u8::try_from(payload.len()).expect("at most 255");
        let forged = [&[2, 0, length, 1, 0, 0], payload, &[1, 0, 0, 0, 0]].concat();
        seeds.insert(format!("frames/{name}-forged"), forged);
    }
    seeds
}

fn write(seeds: &Seeds, folder: &Path) {
    for (name, bytes) in seeds {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("room");
        fs::write(path, bytes).expect("room");
    }
}

#[test]
fn the_seeds_are_those_of_the_cases() {
    let folder = root().join("fuzz/seeds");
    let expected = seeds();
    if std::env::var_os("HOLDMETRICS_REWRITE").is_some() {
        write(&expected, &folder);
    }
    let mut found = BTreeMap::new();
    for target in fs::read_dir(&folder).expect("the seeds") {
        let target = target.expect("a target").path();
        for seed in fs::read_dir(&target).expect("a folder") {
            let path = seed.expect("a seed").path();
            let name = path.strip_prefix(&folder).expect("it lies there");
            let name = name.to_string_lossy().replace('\\', "/");
            found.insert(name, fs::read(path).expect("a seed"));
        }
    }
    let names: Vec<_> = expected.keys().collect();
    assert_eq!(found.keys().collect::<Vec<_>>(), names);
    for (name, bytes) in &expected {
        assert!(
            found[name] == *bytes,
            "{name}: run this test with HOLDMETRICS_REWRITE=1"
        );
    }
}

#[test]
fn every_published_case_becomes_seeds_too() {
    for folder in crate::published_cases::folders() {
        check_seeds_of(&folder);
    }
}

fn check_seeds_of(folder: &Path) {
    let seeds = seeds_of(folder);
    for case in fs::read_dir(folder).expect("the cases") {
        let name = case.expect("a case").file_name();
        for target in [
            "jsonl",
            "csv",
            "encoding",
            "intervals",
            "protobuf",
            "frames",
        ] {
            let seed = format!("{target}/{}", name.to_string_lossy());
            assert!(seeds.contains_key(&seed), "{seed}");
        }
    }
    if let Some(corpus) = std::env::var_os("HOLDMETRICS_FUZZ_CORPUS") {
        write(&seeds, Path::new(&corpus));
    }
}
