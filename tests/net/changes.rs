//! Changes of balance, transfers and `seq` over gRPC, by each of the calls that take them.

use crate::support::{NOW_SECONDS, Service, at, hold, within};
use futures_util::StreamExt;
use poh_holdmetrics_rust::engine::Options;
use poh_holdmetrics_rust::net::Settings;
use poh_holdmetrics_rust::net::pb::{
    GetLeaderboardRequest, HoldAck, HoldBatch, HoldMsg, TransferBatch, TransferMsg, Window,
};
use tonic::{Code, Status};
use tonic_types::StatusExt;

const ABSENT: i64 = i64::MIN;

/// At `seconds` the balance of `holder` differs by `delta`.
fn change(holder: &str, event_id: &str, seconds: i64, delta: &str) -> HoldMsg {
    HoldMsg {
        token_id: "T".to_owned(),
        holder_id: holder.to_owned(),
        at: Some(at(seconds)),
        delta_text: Some(delta.to_owned()),
        event_id: Some(event_id.to_owned()),
        ..HoldMsg::default()
    }
}

/// At `seconds`, `amount` goes from one to the other; an empty party is absent.
fn transfer(from: &str, to: &str, event_id: &str, seconds: i64, amount: &str) -> TransferMsg {
    TransferMsg {
        token_id: "T".to_owned(),
        from_id: from.to_owned(),
        to_id: to.to_owned(),
        at: Some(at(seconds)),
        amount_text: Some(amount.to_owned()),
        event_id: event_id.to_owned(),
        ..TransferMsg::default()
    }
}

/// Each holder with its score up to 1970-01-01T00:00:20Z, in the order of the leaderboard.
async fn scores(service: &Service) -> Vec<(String, String)> {
    let request = GetLeaderboardRequest {
        window: Some(Window {
            as_of: Some(at(20)),
            ..Window::default()
        }),
        ..GetLeaderboardRequest::default()
    };
    let mut client = service.client().await;
    let board = within(client.get_leaderboard(request)).await.unwrap();
    let rows = board.into_inner().holders.into_iter();
    rows.map(|row| (row.holder_id, row.score)).collect()
}

fn expected(rows: &[(&str, &str)]) -> Vec<(String, String)> {
    let owned = |(holder, score): &(&str, &str)| ((*holder).to_owned(), (*score).to_owned());
    rows.iter().map(owned).collect()
}

fn names_field(status: &Status, field: &str, reason: &str) {
    assert_eq!(status.code(), Code::InvalidArgument);
    assert_eq!(status.message(), reason);
    let details = status.get_details_bad_request().expect("a BadRequest");
    assert_eq!(details.field_violations[0].field, field);
}

#[tokio::test]
async fn a_change_can_be_corrected_and_withdrawn() {
    let service = Service::start().await;
    let mut client = service.client().await;
    for (revision, delta, score) in [(0, "-0.5", "0"), (2, "3", "30"), (1, "9", "30")] {
        let event = HoldMsg {
            revision,
            ..change("a", "e", 10, delta)
        };
        within(client.record(event)).await.unwrap();
        assert_eq!(scores(&service).await, expected(&[("a", score)]));
    }
    let double = HoldMsg {
        delta: Some(0.1),
        delta_text: None,
        ..change("a", "f", 15, "")
    };
    within(client.record(double)).await.unwrap();
    assert_eq!(scores(&service).await, expected(&[("a", "30.5")]));
    let withdrawn = HoldMsg {
        token_id: "T".to_owned(),
        holder_id: "a".to_owned(),
        event_id: Some("e".to_owned()),
        revision: 2,
        retract: true,
        ..HoldMsg::default()
    };
    within(client.record(withdrawn)).await.unwrap();
    assert_eq!(scores(&service).await, expected(&[("a", "0.5")]));
    service.end().await;
}

#[tokio::test]
async fn a_transfer_is_acknowledged_once_and_takes_a_number_for_each_holder() {
    let service = Service::start().await;
    let mut client = service.client().await;
    let retraction = TransferMsg {
        retract: true,
        at: None,
        amount_text: None,
        revision: 1,
        ..transfer("a", "b", "2", 0, "")
    };
    for (message, sequence, rows) in [
        (transfer("", "a", "1", 0, "10"), 1, vec![("a", "200")]),
        (
            transfer("a", "b", "2", 10, "4"),
            3,
            vec![("a", "160"), ("b", "40")],
        ),
        (
            transfer("a", "a", "3", 12, "9"),
            4,
            vec![("a", "160"), ("b", "40")],
        ),
        (retraction, 6, vec![("a", "200"), ("b", "0")]),
    ] {
        let ack = within(client.record_transfer(message)).await.unwrap();
        let ack = ack.into_inner();
        assert_eq!((ack.sequence, ack.accepted), (sequence, 1));
        assert_eq!(scores(&service).await, expected(&rows));
    }
    service.end().await;
}

#[tokio::test]
async fn a_stream_of_transfers_counts_messages_and_numbers_events() {
    let service = Service::start().await;
    let mut client = service.client().await;
    let messages = vec![
        transfer("", "a", "1", 0, "10"),
        transfer("a", "b", "2", 10, "4"),
        transfer("a", "b", "", 10, "4"),
        transfer("b", "a", "3", 10, "4"),
    ];
    let answers = within(client.broadcast_transfers(tokio_stream::iter(messages)))
        .await
        .unwrap();
    let acks: Vec<HoldAck> = within(answers.into_inner().map(Result::unwrap).collect()).await;
    let counts: Vec<_> = acks
        .iter()
        .map(|ack| (ack.index, ack.sequence, ack.accepted, ack.refused_total))
        .collect();
    assert_eq!(
        counts,
        [(0, 1, 1, 0), (1, 3, 1, 0), (2, 0, 0, 1), (3, 5, 1, 0)]
    );
    assert_eq!(
        acks[2].refused[0].reason,
        "event_id: missing (a transfer needs one)"
    );
    assert_eq!(
        scores(&service).await,
        expected(&[("a", "200"), ("b", "0")])
    );
    service.end().await;
}

#[tokio::test]
async fn a_batch_of_transfers_is_counted_in_rows_and_stores_both_parties_or_none() {
    let service = Service::start().await;
    let mut client = service.client().await;
    let batch = TransferBatch {
        token_id: vec!["T".to_owned()],
        from_id: ["", "a", "a", "x"].map(str::to_owned).to_vec(),
        to_id: vec!["a".to_owned(), "b".to_owned(), "y".repeat(257), "x".into()],
        at_us: vec![0, 10_000_000, 10_000_000, ABSENT],
        amount_text: ["10", "4", "1", ""].map(str::to_owned).to_vec(),
        event_id: ["1", "2", "3", "4"].map(str::to_owned).to_vec(),
        ..TransferBatch::default()
    };
    let retraction = TransferBatch {
        retract: vec![false, true, false, false],
        revision: vec![0, 1, 0, 0],
        ..batch.clone()
    };
    let uneven = TransferBatch {
        amount: vec![1.0],
        ..batch.clone()
    };
    let answers = client.broadcast_transfer_batch(tokio_stream::iter([batch, retraction, uneven]));
    let answers = within(answers).await.unwrap().into_inner();
    let acks: Vec<HoldAck> = within(answers.map(Result::unwrap).collect()).await;
    let counts: Vec<_> = acks
        .iter()
        .map(|ack| (ack.sequence, ack.accepted, ack.refused_total))
        .collect();
    assert_eq!(counts, [(3, 2, 2), (6, 2, 2), (0, 0, 4)]);
    let rows: Vec<_> = acks[0]
        .refused
        .iter()
        .map(|refusal| (refusal.row, refusal.field.as_str(), refusal.reason.as_str()))
        .collect();
    assert_eq!(
        rows,
        [
            (Some(2), "to_id", "to_id: 257 bytes, the maximum is 256"),
            (Some(3), "at", "at: missing (a transfer needs one)"),
        ]
    );
    assert_eq!(acks[2].refused[0].field, "amount_text");
    assert_eq!(
        scores(&service).await,
        expected(&[("a", "200"), ("b", "0")]),
        "the refused rows have changed neither a nor anything else"
    );
    let refused = "holdmetrics_events_refused_total{reason=\"to_id\"}";
    assert_eq!(service.metrics_line(refused).await.as_deref(), Some("2"));
    service.end().await;
}

#[tokio::test]
async fn a_batch_may_mix_holds_marks_with_a_seq_and_changes() {
    let service = Service::start().await;
    let mut client = service.client().await;
    let batch = HoldBatch {
        token_id: vec!["T".to_owned()],
        holder_id: ["hold", "mark", "mark", "change", "change"]
            .map(str::to_owned)
            .to_vec(),
        start_us: vec![0, 10_000_000, ABSENT, ABSENT, ABSENT],
        end_us: vec![20_000_000, ABSENT, 10_000_000, ABSENT, ABSENT],
        weight_text: ["2", "3", "", "", "1"].map(str::to_owned).to_vec(),
        event_id: ["", "", "", "c", "d"].map(str::to_owned).to_vec(),
        at_us: vec![ABSENT, ABSENT, ABSENT, 10_000_000, 0],
        delta_text: ["", "", "", "1.5", "1"].map(str::to_owned).to_vec(),
        seq: vec![0, 2, 1, 0, 0],
        ..HoldBatch::default()
    };
    let answers = client.broadcast_batch(tokio_stream::iter([batch]));
    let answers = within(answers).await.unwrap().into_inner();
    let acks: Vec<HoldAck> = within(answers.map(Result::unwrap).collect()).await;
    assert_eq!((acks[0].accepted, acks[0].sequence), (4, 4));
    assert_eq!(
        acks[0].refused[0].reason,
        "weight: given for a change of balance (a change has at and delta instead)"
    );
    // The start has the larger seq, so the stop of that instant does not count.
    assert_eq!(
        scores(&service).await,
        expected(&[("hold", "40"), ("mark", "30"), ("change", "15")])
    );
    let mut client = service.client().await;
    let stop = HoldMsg {
        start: None,
        seq: 3,
        ..hold("T", "mark", 0, 10)
    };
    within(client.broadcast(tokio_stream::iter([stop])))
        .await
        .unwrap()
        .into_inner()
        .next()
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        scores(&service).await[2],
        ("mark".to_owned(), "0".to_owned())
    );
    service.end().await;
}

#[tokio::test]
async fn a_refused_change_or_transfer_names_its_field() {
    let service = Service::start().await;
    let mut client = service.client().await;
    let ahead = NOW_SECONDS + 301;
    for (event, field, reason) in [
        (
            HoldMsg {
                event_id: None,
                ..change("a", "", 0, "1")
            },
            "event_id",
            "event_id: missing (a change of balance needs one)",
        ),
        (
            HoldMsg {
                at: None,
                ..change("a", "e", 0, "1")
            },
            "at",
            "at: missing (a change of balance needs one)",
        ),
        (
            HoldMsg {
                end: Some(at(1)),
                ..change("a", "e", 0, "1")
            },
            "end",
            "end: given for a change of balance (a change has at and delta instead)",
        ),
        (
            change("a", "e", ahead, "1"),
            "at",
            "at: 301 s ahead of the server's clock, the maximum is 300 s",
        ),
        (
            HoldMsg {
                seq: 1 << 63,
                ..hold("T", "a", 0, 1)
            },
            "seq",
            "seq: not an integer from 0 to 2^63-1",
        ),
    ] {
        let status = within(client.record(event)).await.unwrap_err();
        names_field(&status, field, reason);
    }
    for (event, field, reason) in [
        (
            transfer(
                "",
                "0x0000000000000000000000000000000000000000",
                "e",
                0,
                "1",
            ),
            "from_id",
            "from_id, to_id: no holder in either (a transfer has a sender, a receiver, or both)",
        ),
        (
            transfer("a", "b", "e", ahead, "1"),
            "at",
            "at: 301 s ahead of the server's clock, the maximum is 300 s",
        ),
        (
            transfer(&"a".repeat(257), "b", "e", 0, "1"),
            "from_id",
            "from_id: 257 bytes, the maximum is 256",
        ),
        (
            transfer("a", "b", &"e".repeat(257), 0, "1"),
            "event_id",
            "event_id: 257 bytes, the maximum is 256",
        ),
    ] {
        let status = within(client.record_transfer(event)).await.unwrap_err();
        names_field(&status, field, reason);
    }
    assert_eq!(service.sequence().await, 0);
    service.end().await;
}

#[tokio::test]
async fn a_restart_answers_the_same_from_the_journal_and_from_the_state() {
    let folder = tempfile::tempdir().unwrap();
    let options = Options::in_folder(folder.path());
    let service = Service::on(Settings::default(), options).await;
    let mut client = service.client().await;
    for message in [
        transfer("", "a", "1", 0, "10"),
        transfer("a", "b", "2", 10, "4"),
        TransferMsg {
            revision: 1,
            ..transfer("a", "b", "2", 10, "5")
        },
    ] {
        within(client.record_transfer(message)).await.unwrap();
    }
    let start = HoldMsg {
        end: None,
        seq: 1,
        ..hold("T", "mark", 10, 0)
    };
    let stop = HoldMsg {
        start: None,
        ..hold("T", "mark", 0, 10)
    };
    within(client.record(start)).await.unwrap();
    within(client.record(stop)).await.unwrap();
    let rows = expected(&[("a", "150"), ("b", "50"), ("mark", "10")]);
    assert_eq!(scores(&service).await, rows);
    // What a killed process leaves: a journal without a state.
    let killed = tempfile::tempdir().unwrap();
    let journal = killed.path().join("journal");
    std::fs::create_dir(&journal).unwrap();
    for file in std::fs::read_dir(folder.path().join("journal")).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), journal.join(file.file_name())).unwrap();
    }
    let identity = |folder: &tempfile::TempDir| folder.path().join("identity");
    std::fs::copy(identity(&folder), identity(&killed)).unwrap();
    // An orderly end writes the state.
    service.end().await;
    for (folder, replayed) in [(folder.path(), 0), (killed.path(), 7)] {
        let service = Service::on(Settings::default(), Options::in_folder(folder)).await;
        assert_eq!(service.engine().gauges().state_lag_events, replayed);
        assert_eq!(service.sequence().await, 7);
        assert_eq!(scores(&service).await, rows);
        service.end().await;
    }
}
