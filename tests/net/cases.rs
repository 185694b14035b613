//! Every conformance case over HTTP and by each gRPC call that takes events: the repository's own, and the
//! published ones if they are there.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use futures_util::StreamExt;
use poh_holdmetrics_rust::net::pb::{
    GetSnapshotRequest, HoldAck, HoldBatch, TransferBatch, Window, hold_metrics_client,
};
use prost_types::Timestamp;
use serde_json::Value;
use serde_json::value::RawValue;
use tonic::Status;
use tonic::transport::Channel;

use crate::case_messages::{Message, Unsendable, message, push_hold, push_transfer};
use crate::support::{NOW_SECONDS, Service, within};

/// Cases that are checked at the same time, because the end of a service takes a while.
const AT_ONCE: usize = 8;

type Client = hold_metrics_client::HoldMetricsClient<Channel>;

/// The fields of a holder: the exact ones as text, and the double.
type Holder = (String, String, String, String, f64);

/// Why a line was refused, by its number.
type Refused = BTreeMap<usize, String>;

/// One call for each line, a stream of each kind, or a batch of each kind.
#[derive(Clone, Copy, Debug)]
enum Calls {
    Unary,
    Streams,
    Batches,
}

struct Case {
    name: String,
    text: String,
    query: Value,
    expected: Value,
    holders: Vec<Holder>,
}

/// The `holders` of a document; read as raw values, because a [`Value`] rounds some doubles.
fn holders(document: &str) -> Vec<Holder> {
    let document: BTreeMap<String, Box<RawValue>> = serde_json::from_str(document).expect("JSON");
    let holders: Vec<BTreeMap<String, Box<RawValue>>> =
        serde_json::from_str(document["holders"].get()).expect("holders");
    let text = |raw: &RawValue| serde_json::from_str(raw.get()).expect("text");
    holders
        .iter()
        .map(|holder| {
            (
                holder["rank"].get().to_owned(),
                text(&holder["holder_id"]),
                holder["held_us"].get().to_owned(),
                text(&holder["score"]),
                holder["weighted_score"].get().parse().expect("a double"),
            )
        })
        .collect()
}

impl Case {
    fn read(folder: &Path) -> Self {
        let text = |name: &str| std::fs::read_to_string(folder.join(name)).expect("a case");
        let json = |name: &str| serde_json::from_str(&text(name)).expect("JSON");
        Self {
            name: folder.display().to_string(),
            // A case of lines that are no UTF-8 is none of gRPC, which has only text.
            text: String::from_utf8_lossy(&std::fs::read(folder.join("events.jsonl")).unwrap())
                .into_owned(),
            query: json("query.json"),
            expected: json("expected.json"),
            holders: holders(&text("expected.json")),
        }
    }

    /// The lines that are not blank, with their numbers.
    fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines = (1..).zip(self.text.lines());
        lines.filter(|(_, line)| !line.trim().is_empty())
    }

    /// The lines that are refused, and the field that is at fault where one is.
    fn check_refused(&self, protocol: &str, refused: &Refused) {
        let expected = self.expected["rejected"].as_array().expect("a list");
        let lines: Vec<_> = expected
            .iter()
            .map(|each| usize::try_from(each["line"].as_u64().expect("a line")).unwrap())
            .collect();
        let found: Vec<_> = refused.keys().copied().collect();
        assert_eq!(found, lines, "{} over {protocol}: {refused:?}", self.name);
        for (each, reason) in expected.iter().zip(refused.values()) {
            let wanted = each["reason"].as_str().expect("a reason");
            let field = wanted.split([':', ' ', ',']).next().expect("a word");
            let is_field = field.contains('_')
                || [
                    "start", "end", "weight", "revision", "retract", "at", "delta", "seq", "amount",
                ]
                .contains(&field);
            assert!(
                !is_field || reason.is_empty() || reason.contains(field),
                "{} over {protocol}: {reason:?} does not name {field}",
                self.name
            );
        }
    }

    /// The holders, and the number of deficits where the case has one.
    fn check_answer(&self, protocol: &str, holders: &[Holder], deficits: u64) {
        assert_eq!(holders, self.holders, "{} over {protocol}", self.name);
        if let Some(expected) = self.expected["deficits"].as_u64() {
            assert_eq!(
                deficits, expected,
                "{} over {protocol}: deficits",
                self.name
            );
        }
    }
}

/// A service for which no time is too late, because its clock shows the last day of the year 9999.
async fn service() -> Service {
    let service = Service::start().await;
    service.forward(253_402_214_400 - NOW_SECONDS).await;
    service
}

async fn over_http(case: &Case) {
    let service = service().await;
    let stored = service
        .post("application/x-ndjson", case.text.clone())
        .await
        .json();
    let refused: Refused = stored["refused"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|each| {
            let line = usize::try_from(each["line"].as_u64().expect("a line")).unwrap();
            (line, each["reason"].as_str().expect("a reason").to_owned())
        })
        .collect();
    case.check_refused("HTTP", &refused);
    assert_eq!(
        stored["accepted"], case.expected["accepted"],
        "{}",
        case.name
    );
    let from = match &case.query["from"] {
        Value::Null => String::new(),
        from => format!("&from={from}"),
    };
    let (as_of, closed_only) = (&case.query["as_of"], &case.query["closed_only"]);
    let path = format!("/stats?limit=10000&as_of={as_of}&closed_only={closed_only}{from}");
    let answer = service.get(&path).await;
    let deficits = answer.json()["deficits"].as_u64().expect("a number");
    case.check_answer("HTTP", &holders(&answer.text()), deficits);
    service.end().await;
}

/// Sends each message by a call of its own; the reasons of the refused ones by line.
async fn send_one_by_one(client: &mut Client, messages: Vec<(usize, Message)>) -> Refused {
    let mut refused = Refused::new();
    for (line, message) in messages {
        let answer = match message {
            Message::Hold(hold) => within(client.record(hold)).await,
            Message::Transfer(transfer) => within(client.record_transfer(transfer)).await,
        };
        if let Err(status) = answer {
            refused.insert(line, status.message().to_owned());
        }
    }
    refused
}

/// The reasons of the refused messages of a stream, or of the rows of its only batch, by line.
async fn reasons(acks: impl StreamExt<Item = Result<HoldAck, Status>>, lines: &[usize]) -> Refused {
    let acks: Vec<HoldAck> = within(acks.map(Result::unwrap).collect()).await;
    let refused = acks.into_iter().flat_map(|ack| ack.refused);
    refused
        .map(|refusal| {
            let row = refusal.row.unwrap_or(refusal.index);
            (lines[usize::try_from(row).unwrap()], refusal.reason)
        })
        .collect()
}

/// Sends the messages by one call for each kind; the reasons of the refused ones by line.
async fn send_together(
    client: &mut Client,
    messages: Vec<(usize, Message)>,
    calls: Calls,
) -> Refused {
    let (mut holds, mut hold_lines) = (Vec::new(), Vec::new());
    let (mut transfers, mut transfer_lines) = (Vec::new(), Vec::new());
    for (line, message) in messages {
        match message {
            Message::Hold(hold) => {
                holds.push(hold);
                hold_lines.push(line);
            }
            Message::Transfer(transfer) => {
                transfers.push(transfer);
                transfer_lines.push(line);
            }
        }
    }
    let (of_holds, of_transfers) = if matches!(calls, Calls::Streams) {
        let holds = client.broadcast(tokio_stream::iter(holds));
        let holds = within(holds).await.unwrap();
        let transfers = client.broadcast_transfers(tokio_stream::iter(transfers));
        (holds, within(transfers).await.unwrap())
    } else {
        let mut columns = HoldBatch::default();
        for hold in holds {
            push_hold(&mut columns, hold);
        }
        let holds = client.broadcast_batch(tokio_stream::iter([columns]));
        let holds = within(holds).await.unwrap();
        let mut columns = TransferBatch::default();
        for transfer in transfers {
            push_transfer(&mut columns, transfer);
        }
        let transfers = client.broadcast_transfer_batch(tokio_stream::iter([columns]));
        (holds, within(transfers).await.unwrap())
    };
    let mut refused = reasons(of_holds.into_inner(), &hold_lines).await;
    refused.extend(reasons(of_transfers.into_inner(), &transfer_lines).await);
    refused
}

async fn over_grpc(case: &Case, calls: Calls) {
    let protocol = format!("{calls:?}");
    let service = service().await;
    let mut client = service.client().await;
    // What no message can state is refused by the client, for a reason of its own.
    let mut refused = Refused::new();
    let mut messages = Vec::new();
    for (number, line) in case.lines() {
        match message(line) {
            // In a column, an empty event_id is an absent one.
            Ok(Message::Hold(hold))
                if matches!(calls, Calls::Batches) && hold.event_id.as_deref() == Some("") =>
            {
                refused.insert(number, String::new());
            }
            Ok(message) => messages.push((number, message)),
            Err(Unsendable) => {
                refused.insert(number, String::new());
            }
        }
    }
    refused.extend(match calls {
        Calls::Unary => send_one_by_one(&mut client, messages).await,
        Calls::Streams | Calls::Batches => send_together(&mut client, messages, calls).await,
    });
    case.check_refused(&protocol, &refused);
    let time = |name: &str| {
        let millis = case.query[name].as_i64()?;
        Some(Timestamp {
            seconds: millis.div_euclid(1_000),
            nanos: i32::try_from(millis.rem_euclid(1_000) * 1_000_000).unwrap(),
        })
    };
    let request = GetSnapshotRequest {
        window: Some(Window {
            as_of: time("as_of"),
            from: time("from"),
            closed_only: case.query["closed_only"] == true,
        }),
        page_size: 10_000,
        ..GetSnapshotRequest::default()
    };
    let snapshot = within(client.get_snapshot(request)).await.unwrap();
    let snapshot = snapshot.into_inner();
    let holders: Vec<Holder> = snapshot
        .holders
        .into_iter()
        .map(|row| {
            let rank = row.rank.to_string();
            (
                rank,
                row.holder_id,
                row.held_us,
                row.score,
                row.weighted_score,
            )
        })
        .collect();
    case.check_answer(&protocol, &holders, snapshot.deficits);
    service.end().await;
}

async fn check_all(folder: &Path) -> usize {
    let mut folders: Vec<PathBuf> = std::fs::read_dir(folder)
        .expect("the folder of cases is there")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.is_dir())
        .collect();
    folders.sort();
    let check = async |folder: &PathBuf| {
        let case = Case::read(folder);
        over_http(&case).await;
        for calls in [Calls::Unary, Calls::Streams, Calls::Batches] {
            over_grpc(&case, calls).await;
        }
    };
    let cases = futures_util::stream::iter(&folders);
    cases.for_each_concurrent(AT_ONCE, check).await;
    folders.len()
}

#[tokio::test]
async fn own_cases_are_answered_exactly() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    assert!(check_all(&folder).await > 0);
}

#[tokio::test]
async fn published_cases_are_answered_exactly() {
    for folder in crate::published_cases::folders() {
        let count = check_all(&folder).await;
        assert!(count > 0, "{} holds no case", folder.display());
    }
}
