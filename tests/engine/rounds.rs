//! Rounds: sealed once, the same for ever, on a disk that loses what was not synced.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::faulty::FaultyVfs;
use crate::support::{batch, instant, open, options, submit};
use poh_holdmetrics_rust::core::{Draft, Event};
use poh_holdmetrics_rust::engine::{
    Engine, Options, RoundError, RoundManifest, RoundPage, RoundRequest, SealError, SubmitError,
};
use poh_holdmetrics_rust::journal::{Access, Vfs as _};

const ANN: &str = "0xfb6916095ca1df60bb79ce92ce3ea74c37c5d359";
const BOB: &str = "0x1111111111111111111111111111111111111111";

fn on(vfs: &FaultyVfs) -> Options {
    Options {
        vfs: Arc::new(vfs.clone()),
        ..options(Path::new("/data"))
    }
}

/// `holder` has held one token for so many microseconds.
fn hold(holder: &str, micros: i64) -> Event<'_> {
    Draft {
        token_id: "T",
        holder_id: holder,
        start: Some(instant(0)),
        end: Some(instant(micros)),
        ..Draft::default()
    }
    .check()
    .expect("valid")
}

fn request(id: &str) -> RoundRequest {
    let json = format!(r#"{{"id":"{id}","pool":"0.000100","decimals":6}}"#);
    serde_json::from_str(&json).expect("a request")
}

/// An engine in which Ann has three quarters of the score.
fn filled(options: Options) -> Engine {
    let engine = open(options).expect("an engine");
    submit(&engine, batch([hold(ANN, 30), hold(BOB, 10)])).expect("accepted");
    engine
}

fn amount(engine: &Engine, id: &str, holder: &str) -> Result<String, RoundError> {
    engine.rounds().proof(id, holder).map(|proof| proof.amount)
}

#[test]
fn a_round_stays_what_it_was_when_the_events_behind_it_change_and_after_a_loss_of_power() {
    let vfs = FaultyVfs::default();
    let engine = filled(on(&vfs));
    let sealed = engine.seal_round(&request("one")).expect("sealed");
    assert!(sealed.is_new);
    let manifest = &*sealed.manifest;
    assert_eq!((manifest.sum.as_str(), manifest.store.sequence), ("100", 2));
    assert_eq!(manifest.counts.recipients, 2);
    assert!(manifest.store.journal_head.is_some());
    let before = engine.rounds().proof("one", ANN).expect("a proof");
    assert_eq!(before.amount, "75");
    submit(&engine, batch([hold(BOB, 1_000)])).expect("accepted");
    let second = engine.seal_round(&request("two")).expect("sealed");
    assert_ne!(second.manifest.root, manifest.root);

    let engine = open(on(&vfs.crash(&mut |_| 0))).expect("an engine");
    let page = engine.rounds().page(0, 10);
    let ids: Vec<_> = page.rounds.iter().map(|round| round.id.clone()).collect();
    assert_eq!(ids, ["one", "two"]);
    assert_eq!(*engine.rounds().manifest("one").expect("known"), *manifest);
    assert_eq!(
        engine.rounds().ready_proof("one", ANN),
        None,
        "not in memory yet"
    );
    let upper = format!("0x{}", ANN[2..].to_ascii_uppercase());
    let after = engine.rounds().proof("one", &upper).expect("a proof");
    assert_eq!(after, before);
    assert_eq!(engine.rounds().ready_proof("one", ANN), Some(Ok(before)));
    let third = engine.seal_round(&request("three")).expect("sealed");
    assert_eq!(third.manifest.store.sequence, 3);
}

#[test]
fn the_same_request_finds_its_round_and_another_one_of_its_id_is_refused() {
    let vfs = FaultyVfs::default();
    let engine = filled(on(&vfs));
    let first = engine.seal_round(&request("july")).expect("sealed");
    submit(&engine, batch([hold(BOB, 1_000)])).expect("accepted");
    let engine = {
        engine.close();
        open(on(&vfs)).expect("an engine")
    };
    let again = RoundRequest {
        pool: "0.0001".into(),
        ..request("july")
    };
    let again = engine.seal_round(&again).expect("the same");
    assert!(!again.is_new);
    assert_eq!(again.manifest, first.manifest);
    let other = RoundRequest {
        pool: "0.0002".into(),
        ..request("july")
    };
    let refused = engine.seal_round(&other);
    assert_eq!(refused, Err(SealError::Exists { id: "july".into() }));
}

#[test]
fn an_unfinished_round_is_cut_off_and_one_that_was_acknowledged_never() {
    let sealed_at_syncs = |limit: u64| {
        let vfs = FaultyVfs::default();
        let engine = filled(on(&vfs));
        engine.seal_round(&request("first")).expect("sealed");
        vfs.stop_at_sync(limit);
        let sealed = engine.seal_round(&request("second"));
        drop(engine);
        let engine = open(on(&vfs.crash(&mut |_| 0))).expect("an engine");
        let known = engine.rounds().manifest("second").is_ok();
        let other = engine
            .seal_round(&request("third"))
            .map(|sealed| sealed.is_new);
        assert_eq!(other, Ok(true));
        (sealed, known)
    };
    let (refused, is_known) = sealed_at_syncs(1);
    assert!(
        matches!(
            refused,
            Err(SealError::NotStored(SubmitError::Poisoned { .. }))
        ),
        "{refused:?}"
    );
    assert!(!is_known, "it was not acknowledged");
    let (sealed, is_known) = sealed_at_syncs(4);
    assert!(sealed.is_ok() && is_known);
}

/// A folder that never had rounds has no identity of theirs.
#[test]
fn rounds_whose_journal_is_gone_are_missed_at_the_start() {
    let vfs = FaultyVfs::default();
    let engine = filled(on(&vfs));
    engine.seal_round(&request("one")).expect("sealed");
    drop(engine);
    let rounds = Path::new("/data/rounds/journal");
    for path in vfs.paths() {
        if path.starts_with(rounds) {
            vfs.remove(&path).expect("removed");
        }
    }
    let refusal = open(on(&vfs)).err().expect("refused").to_string();
    assert!(
        refusal.starts_with("/data/rounds/journal/00000000000000000001.log: ")
            && refusal.contains("the segment is missing, and the journal had reached event 1")
            && refusal.contains("`serve --salvage`")
            && !refusal.contains("journal salvage"),
        "{refusal}"
    );
    let salvaging = Options {
        salvages: true,
        ..on(&vfs)
    };
    let engine = open(salvaging).expect("salvaged");
    assert_eq!(engine.rounds().page(0, 10).rounds, []);
    let sealed = engine.seal_round(&request("one")).expect("sealed anew");
    assert!(sealed.is_new);
}

#[test]
fn a_store_without_events_has_nothing_to_share() {
    let engine = open(on(&FaultyVfs::default())).expect("an engine");
    let refused = engine.seal_round(&request("empty"));
    assert!(matches!(refused, Err(SealError::Payout(_))), "{refused:?}");
}

#[test]
fn what_cannot_be_shared_or_proved_is_refused_by_name() {
    let engine = filled(Options {
        rounds: poh_holdmetrics_rust::config::Rounds { leaves_max: 1 },
        ..crate::support::ephemeral()
    });
    let too_large = SealError::TooLarge {
        leaves: 2,
        leaves_max: 1,
    };
    assert_eq!(engine.seal_round(&request("both")), Err(too_large));
    let one = RoundRequest {
        exclude: vec![BOB.to_ascii_uppercase().replace("0X", "0x")],
        ..request("one")
    };
    let sealed: Arc<RoundManifest> = engine.seal_round(&one).expect("sealed").manifest;
    assert_eq!(sealed.counts.excluded, 1);
    assert_eq!(sealed.exclude.as_ref().map(|lines| lines.count), Some(1));
    assert_eq!(sealed.store.journal_head, None, "no journal");
    assert_eq!(amount(&engine, "one", ANN).as_deref(), Ok("100"));
    assert_eq!(
        amount(&engine, "one", BOB),
        Err(RoundError::NotInRound(BOB.into()))
    );
    assert_eq!(
        amount(&engine, "two", ANN),
        Err(RoundError::Unknown("two".into()))
    );
    assert!(matches!(
        amount(&engine, "one", "ann"),
        Err(RoundError::Address(_))
    ));
    let unknown = RoundRequest {
        policy: Some("weekly".into()),
        ..request("weekly")
    };
    let refused = engine
        .seal_round(&unknown)
        .expect_err("refused")
        .to_string();
    assert!(
        refused.starts_with("policy: unknown policy \"weekly\""),
        "{refused}"
    );
    engine.close();
    let closed = engine.seal_round(&request("late"));
    assert_eq!(closed, Err(SealError::NotStored(SubmitError::Closing)));
}

#[test]
fn pages_of_rounds_go_on_where_the_one_before_has_ended() {
    let engine = filled(crate::support::ephemeral());
    for id in ["c", "b", "a"] {
        engine.seal_round(&request(id)).expect("sealed");
    }
    let ids = |page: &RoundPage| {
        let ids = page.rounds.iter().map(|round| round.id.clone());
        ids.collect::<Vec<_>>()
    };
    let first = engine.rounds().page(0, 2);
    assert_eq!(
        (ids(&first), first.known),
        (vec!["c".into(), "b".into()], 3)
    );
    let next = first.next.expect("there is one more");
    engine.seal_round(&request("0")).expect("sealed");
    let second = engine.rounds().page(next, 2);
    assert_eq!(
        (ids(&second), second.known),
        (vec!["a".into(), "0".into()], 4)
    );
    assert_eq!(second.next, None);
}

/// Somebody restores `rounds/` of one service into the folder of another.
#[test]
fn rounds_of_another_store_are_refused() {
    let (vfs, other) = (FaultyVfs::default(), FaultyVfs::default());
    for (vfs, id) in [(&vfs, "mine"), (&other, "theirs")] {
        let engine = filled(on(vfs));
        engine.seal_round(&request(id)).expect("sealed");
        engine.close();
    }
    let rounds = Path::new("/data/rounds");
    let files = |vfs: &FaultyVfs| {
        let paths = vfs.paths().into_iter();
        paths
            .filter(|path| path.starts_with(rounds))
            .collect::<Vec<_>>()
    };
    for path in files(&vfs) {
        vfs.remove(&path).expect("removed");
    }
    for path in files(&other) {
        let from = other.open(&path, Access::Read).expect("opened");
        let mut bytes = vec![0; usize::try_from(from.size().expect("known")).expect("small")];
        from.read_at(&mut bytes, 0).expect("read");
        let to = vfs.create(&path).expect("created");
        to.write_at(&bytes, 0).expect("written");
    }
    for salvages in [false, true] {
        let options = Options {
            salvages,
            ..on(&vfs)
        };
        let refusal = open(options).err().expect("refused").to_string();
        assert!(
            refusal.starts_with("/data/rounds/identity: belongs to store ")
                && refusal.contains("files of two stores are mixed"),
            "{refusal}"
        );
    }
    // The identity of the events is lost, and that of the rounds still names the store.
    for path in vfs.paths() {
        if !path.starts_with(rounds) {
            vfs.remove(&path).expect("removed");
        }
    }
    let refusal = open(on(&vfs)).err().expect("refused").to_string();
    assert!(
        refusal.starts_with("/data/identity: the file is missing"),
        "{refusal}"
    );
    let salvaging = Options {
        salvages: true,
        ..on(&vfs)
    };
    let engine = open(salvaging).expect("salvaged");
    assert!(engine.rounds().manifest("theirs").is_ok());
}

#[test]
fn a_removed_file_of_rounds_stops_sealing_and_nothing_else() {
    let vfs = FaultyVfs::default();
    let engine = filled(on(&vfs));
    engine.seal_round(&request("one")).expect("sealed");
    // The writer looks at its segment with each round; this file is looked at by the watch alone.
    vfs.remove(Path::new("/data/rounds/identity"))
        .expect("removed");
    let patience = Instant::now() + Duration::from_secs(30);
    let refused = (0..).map(|number| engine.seal_round(&request(&format!("r{number}"))));
    let mut refused = refused.take_while(|_| Instant::now() < patience);
    let refused = refused.find_map(Result::err);
    let Some(SealError::NotStored(SubmitError::Poisoned { reason })) = refused else {
        panic!("{refused:?}");
    };
    assert!(
        reason.contains("/data/rounds/identity: the file was removed or renamed"),
        "{reason}"
    );
    assert_eq!(amount(&engine, "one", ANN), Ok("75".into()));
    submit(&engine, batch([hold(BOB, 1_000)])).expect("accepted");
}
