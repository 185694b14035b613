//! Queries over gRPC.

use std::collections::HashMap;
use std::time::Duration;

use crate::support::{NOW_SECONDS, Service, at, hold, within};
use futures_util::StreamExt;
use poh_holdmetrics_rust::net::pb::hold_metrics_client::HoldMetricsClient;
use poh_holdmetrics_rust::net::pb::{
    GetHolderRequest, GetLeaderboardRequest, GetSnapshotRequest, HoldMsg, HoldStat, WatchRequest,
    Window,
};
use tonic::Code;
use tonic::transport::Channel;
use tonic_types::StatusExt;

async fn fill(client: &mut HoldMetricsClient<Channel>, events: Vec<HoldMsg>) {
    let answers = within(client.broadcast(tokio_stream::iter(events)))
        .await
        .unwrap();
    let acks: Vec<_> = within(answers.into_inner().collect()).await;
    assert!(acks.iter().all(|ack| ack.as_ref().unwrap().accepted == 1));
}

/// a holds for 10 s, b and c for 30 s, d since 100 s after 1970.
fn usual() -> Vec<HoldMsg> {
    let open = HoldMsg {
        end: None,
        ..hold("T", "d", 100, 0)
    };
    vec![
        hold("T", "a", 0, 10),
        hold("T", "b", 0, 30),
        hold("U", "c", 0, 30),
        open,
    ]
}

#[tokio::test]
async fn stats_of_an_empty_store_are_one_default_message() {
    let service = Service::start().await;
    let mut client = service.client().await;
    let stats = within(client.stats(())).await.unwrap().into_inner();
    let stats: Vec<HoldStat> = within(stats.map(Result::unwrap).collect()).await;
    assert_eq!(stats, [HoldStat::default()]);
    service.end().await;
}

#[tokio::test]
async fn stats_list_every_holder_over_its_closed_holds() {
    let service = Service::start().await;
    let mut client = service.client().await;
    fill(&mut client, usual()).await;
    let stats = within(client.stats(())).await.unwrap().into_inner();
    let stats: Vec<HoldStat> = within(stats.map(Result::unwrap).collect()).await;
    let figures: Vec<_> = stats
        .iter()
        .map(|stat| (&*stat.holder_id, stat.total_seconds, stat.weighted_score))
        .collect();
    assert_eq!(
        figures,
        [
            ("b", 30, 30.0),
            ("c", 30, 30.0),
            ("a", 10, 10.0),
            ("d", 0, 0.0)
        ]
    );
    assert!(
        stats
            .iter()
            .all(|stat| stat.updated_at == Some(at(NOW_SECONDS)))
    );
    service.end().await;
}

#[tokio::test]
async fn pages_keep_their_instant_and_list_every_holder_once() {
    let service = Service::start().await;
    let mut client = service.client().await;
    fill(&mut client, usual()).await;
    let mut request = GetSnapshotRequest {
        page_size: 2,
        ..GetSnapshotRequest::default()
    };
    let first = within(client.get_snapshot(request.clone()))
        .await
        .unwrap()
        .into_inner();
    assert_eq!((first.holders_total, first.sequence), (4, 4));
    assert_eq!(first.window.unwrap().as_of, Some(at(NOW_SECONDS)));
    service.forward(1_000).await;
    request.page_token = first.next_page_token;
    let second = within(client.get_snapshot(request.clone()))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(second.window.unwrap().as_of, Some(at(NOW_SECONDS)));
    assert_eq!(second.next_page_token, "");
    let rows: Vec<_> = first
        .holders
        .iter()
        .chain(&second.holders)
        .map(|row| (row.rank, &*row.holder_id, &*row.score))
        .collect();
    let open = (NOW_SECONDS - 100).to_string();
    assert_eq!(
        rows,
        [
            (1, "d", &*open),
            (2, "b", "30"),
            (2, "c", "30"),
            (4, "a", "10")
        ]
    );

    request.token_id = "T".to_owned();
    let status = within(client.get_snapshot(request)).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    assert!(
        status
            .message()
            .starts_with("page_token: belongs to another question")
    );
    for (request, field) in [
        (
            GetSnapshotRequest {
                page_size: 10_001,
                ..GetSnapshotRequest::default()
            },
            "page_size",
        ),
        (
            GetSnapshotRequest {
                page_token: "00".to_owned(),
                ..GetSnapshotRequest::default()
            },
            "page_token",
        ),
        (
            GetSnapshotRequest {
                window: Some(Window {
                    as_of: Some(at(i64::MAX)),
                    ..Window::default()
                }),
                ..GetSnapshotRequest::default()
            },
            "window.as_of",
        ),
    ] {
        let status = within(client.get_snapshot(request)).await.unwrap_err();
        let details = status.get_details_bad_request().expect("a BadRequest");
        assert_eq!(details.field_violations[0].field, field);
        assert!(status.message().starts_with(field), "{}", status.message());
    }
    let one = GetSnapshotRequest {
        holder_id: "a".to_owned(),
        ..GetSnapshotRequest::default()
    };
    let one = within(client.get_snapshot(one)).await.unwrap().into_inner();
    assert_eq!((one.holders_total, one.holders[0].rank), (1, 4));
    service.end().await;
}

#[tokio::test]
async fn a_leaderboard_counts_its_window_and_token_only() {
    let service = Service::start().await;
    let mut client = service.client().await;
    fill(&mut client, usual()).await;
    let request = GetLeaderboardRequest {
        window: Some(Window {
            as_of: Some(at(20)),
            from: Some(at(5)),
            closed_only: false,
        }),
        token_id: "T".to_owned(),
        n: 2,
        ..GetLeaderboardRequest::default()
    };
    let board = within(client.get_leaderboard(request.clone()))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(board.window, request.window);
    let rows: Vec<_> = board
        .holders
        .iter()
        .map(|row| (row.rank, &*row.holder_id, &*row.held_us, row.total_seconds))
        .collect();
    assert_eq!(rows, [(1, "b", "15000000", 15), (2, "a", "5000000", 5)]);
    service.end().await;
}

#[tokio::test]
async fn a_holder_is_explained_or_not_found() {
    let service = Service::start().await;
    let mut client = service.client().await;
    fill(&mut client, usual()).await;
    let ask = |holder_id: &str| GetHolderRequest {
        holder_id: holder_id.to_owned(),
        ..GetHolderRequest::default()
    };
    let report = within(client.get_holder(ask("d")))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(report.holder.unwrap().rank, 1);
    assert_eq!(report.keys[0].token_id, "T");
    let segment = &report.keys[0].segments[0];
    assert_eq!(
        (segment.start, segment.end, &*segment.weight),
        (Some(at(100)), None, "1")
    );
    for (holder_id, token_id, reason) in [
        ("z", "", "holder_id: unknown holder: no event names it"),
        ("z", "T", "holder_id: unknown holder: no event names it"),
        (
            "d",
            "U",
            "holder_id: this holder has no event with this token",
        ),
    ] {
        let request = GetHolderRequest {
            token_id: token_id.to_owned(),
            ..ask(holder_id)
        };
        let status = within(client.get_holder(request)).await.unwrap_err();
        assert_eq!((status.code(), status.message()), (Code::NotFound, reason));
    }
    let status = within(client.get_holder(ask(""))).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    service.end().await;
}

#[tokio::test]
async fn the_report_of_a_holder_with_many_tokens_fits_a_message() {
    let service = Service::start().await;
    let mut client = service.client().await;
    let events = (0..30_000).map(|token| hold(&format!("{token:0256}"), "a", 0, 1));
    fill(&mut client, events.collect()).await;
    let request = GetHolderRequest {
        holder_id: "a".to_owned(),
        ..GetHolderRequest::default()
    };
    let report = within(client.get_holder(request))
        .await
        .unwrap()
        .into_inner();
    assert!(report.keys_left_out > 0);
    assert_eq!(report.segments_left_out, report.keys_left_out);
    assert_eq!(report.keys.len() as u64 + report.keys_left_out, 30_000);
    // HTTP leaves out the same.
    let twin = service.get("/holders/a").await.json();
    assert_eq!(twin["keys_left_out"], report.keys_left_out);
    assert_eq!(twin["segments_left_out"], report.segments_left_out);
    assert_eq!(twin["keys"].as_array().unwrap().len(), report.keys.len());
    service.end().await;
}

#[tokio::test]
async fn a_watcher_is_told_of_what_time_alone_changes() {
    let service = Service::start().await;
    let mut client = service.client().await;
    let before = hold("T", "before", NOW_SECONDS - 100, NOW_SECONDS - 90);
    let until_later = hold("T", "until-later", NOW_SECONDS - 1, NOW_SECONDS + 1_000);
    fill(&mut client, vec![before, until_later]).await;
    let request = WatchRequest {
        n: 1,
        interval: Some(prost_types::Duration {
            seconds: 0,
            nanos: 100_000_000,
        }),
        closed_only: true,
        ..WatchRequest::default()
    };
    let mut changes = within(client.watch(request)).await.unwrap().into_inner();
    let first = within(changes.message()).await.unwrap().unwrap();
    assert_eq!(first.changed[0].holder_id, "before");
    service.forward(60).await;
    let second = within(changes.message()).await.unwrap().unwrap();
    assert_eq!(second.changed[0].holder_id, "until-later");
    assert_eq!(second.left, ["before"]);
    assert_eq!(second.sequence, first.sequence, "no event has come");
    service.end().await;
}

/// What a watcher knows is the board of the sequence that it was told, also while events arrive.
#[tokio::test]
async fn a_watcher_beside_a_load_knows_the_board_of_its_sequence() {
    const HOLDERS: u64 = 23;
    const EVENTS: u64 = 4_000;
    const LISTED: usize = 5;
    let service = Service::start().await;
    // The event of the number `sequence`, of one to seven seconds.
    let holder = |sequence: u64| format!("h{:02}", sequence * 7 % HOLDERS);
    let seconds = |sequence: u64| i64::try_from(sequence % 7 + 1).unwrap();
    let expected = |last: u64| -> Vec<(String, i64)> {
        let mut scores: HashMap<String, i64> = HashMap::new();
        for sequence in 1..=last {
            let score = scores.entry(holder(sequence)).or_default();
            *score += seconds(sequence);
        }
        let mut board: Vec<_> = scores.into_iter().collect();
        board.sort_unstable_by(|(id, score), (other, than)| than.cmp(score).then(id.cmp(other)));
        board.truncate(LISTED);
        board
    };
    let mut client = service.client().await;
    let mut writer = service.client().await;
    let loading = tokio::spawn(async move {
        for first in (1..=EVENTS).step_by(40) {
            let events = (first..first + 40).map(|sequence| {
                let start = i64::try_from(sequence).unwrap() * 10;
                hold("T", &holder(sequence), start, start + seconds(sequence))
            });
            fill(&mut writer, events.collect()).await;
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    let request = WatchRequest {
        n: u32::try_from(LISTED).unwrap(),
        interval: Some(prost_types::Duration {
            seconds: 0,
            nanos: 100_000_000,
        }),
        closed_only: true,
        ..WatchRequest::default()
    };
    let mut changes = within(client.watch(request)).await.unwrap().into_inner();
    let mut board: HashMap<String, i64> = HashMap::new();
    let mut sequences = Vec::new();
    while sequences.last() != Some(&EVENTS) {
        let change = within(changes.message()).await.unwrap().unwrap();
        for left in &change.left {
            assert!(board.remove(left).is_some(), "{left} was never listed");
        }
        for row in change.changed {
            board.insert(row.holder_id, row.total_seconds);
        }
        let expected: HashMap<_, _> = expected(change.sequence).into_iter().collect();
        assert_eq!(board, expected, "of the events up to {}", change.sequence);
        sequences.push(change.sequence);
    }
    assert!(sequences.len() > 3, "it saw the load: {sequences:?}");
    assert!(sequences.is_sorted(), "{sequences:?}");
    loading.await.unwrap();
    service.end().await;
}

#[tokio::test]
async fn a_watcher_receives_changes_only() {
    let service = Service::start().await;
    let mut client = service.client().await;
    fill(&mut client, usual()).await;
    let request = WatchRequest {
        n: 2,
        interval: Some(prost_types::Duration {
            seconds: 0,
            nanos: 100_000_000,
        }),
        closed_only: true,
        ..WatchRequest::default()
    };
    let mut changes = within(client.watch(request)).await.unwrap().into_inner();
    let ids = |rows: &[poh_holdmetrics_rust::net::pb::HolderScore]| -> Vec<String> {
        rows.iter().map(|row| row.holder_id.clone()).collect()
    };
    let first = within(changes.message()).await.unwrap().unwrap();
    assert_eq!(ids(&first.changed), ["b", "c"]);
    fill(&mut client, vec![hold("T", "a", 0, 5)]).await;
    fill(&mut client, vec![hold("T", "a", 50, 90)]).await;
    let second = within(changes.message()).await.unwrap().unwrap();
    assert_eq!(
        ids(&second.changed),
        ["a", "b"],
        "a leads, and the rank of b is another"
    );
    assert_eq!(second.left, ["c"]);
    assert!(second.sequence > first.sequence);

    let hasty = WatchRequest {
        interval: Some(prost_types::Duration::default()),
        ..WatchRequest::default()
    };
    let status = within(client.watch(hasty)).await.unwrap_err();
    assert!(
        status.message().starts_with("interval: "),
        "{}",
        status.message()
    );

    // The stop signal ends the stream; otherwise the service would wait for its client.
    service.stop().await;
    let status = within(changes.message()).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    service.end().await;
}
