//! The upper limit: servers that receive the same messages and discard them.
//!
//! The cost of tonic and axum alone: each message is decoded and acknowledged, and nothing is checked or
//! stored; events are counted for the acknowledgement only. See `run.py`.

use std::pin::Pin;

use axum::Router;
use axum::body::Body;
use axum::routing::post;
use futures_util::{Stream, StreamExt};
use mimalloc::MiMalloc;
use poh_holdmetrics_rust::net::pb;
use poh_holdmetrics_rust::net::pb::hold_metrics_server::{HoldMetrics, HoldMetricsServer};
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status, Streaming};

/// The same allocator as the service, so that only the work differs.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

const WINDOW_BYTES: u32 = 1 << 20;

struct Bare;

type Boxed<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

fn ack(index: u64, accepted: usize) -> pb::HoldAck {
    pb::HoldAck {
        sequence: index + 1,
        durability: pb::Durability::Buffered.into(),
        index,
        accepted: accepted as u64,
        ..pb::HoldAck::default()
    }
}

fn acks<T: Send + 'static>(
    messages: Streaming<T>,
    events: fn(&T) -> usize,
) -> Response<Boxed<pb::HoldAck>> {
    let acks = messages
        .enumerate()
        .map(move |(index, message)| Ok(ack(index as u64, events(&message?))));
    Response::new(Box::pin(acks))
}

fn nothing<T>() -> Result<Response<T>, Status> {
    Err(Status::unimplemented("this server only throws events away"))
}

#[tonic::async_trait]
impl HoldMetrics for Bare {
    async fn record(&self, _: Request<pb::HoldMsg>) -> Result<Response<pb::HoldAck>, Status> {
        Ok(Response::new(ack(0, 1)))
    }

    type BroadcastStream = Boxed<pb::HoldAck>;

    async fn broadcast(
        &self,
        request: Request<Streaming<pb::HoldMsg>>,
    ) -> Result<Response<Self::BroadcastStream>, Status> {
        Ok(acks(request.into_inner(), |_| 1))
    }

    type BroadcastBatchStream = Boxed<pb::HoldAck>;

    async fn broadcast_batch(
        &self,
        request: Request<Streaming<pb::HoldBatch>>,
    ) -> Result<Response<Self::BroadcastBatchStream>, Status> {
        Ok(acks(request.into_inner(), |batch| batch.holder_id.len()))
    }

    async fn record_transfer(
        &self,
        _: Request<pb::TransferMsg>,
    ) -> Result<Response<pb::HoldAck>, Status> {
        nothing()
    }

    type BroadcastTransfersStream = Boxed<pb::HoldAck>;

    async fn broadcast_transfers(
        &self,
        _: Request<Streaming<pb::TransferMsg>>,
    ) -> Result<Response<Self::BroadcastTransfersStream>, Status> {
        nothing()
    }

    type BroadcastTransferBatchStream = Boxed<pb::HoldAck>;

    async fn broadcast_transfer_batch(
        &self,
        _: Request<Streaming<pb::TransferBatch>>,
    ) -> Result<Response<Self::BroadcastTransferBatchStream>, Status> {
        nothing()
    }

    type StatsStream = Boxed<pb::HoldStat>;

    async fn stats(&self, _: Request<()>) -> Result<Response<Self::StatsStream>, Status> {
        nothing()
    }

    async fn get_snapshot(
        &self,
        _: Request<pb::GetSnapshotRequest>,
    ) -> Result<Response<pb::Snapshot>, Status> {
        nothing()
    }

    async fn get_leaderboard(
        &self,
        _: Request<pb::GetLeaderboardRequest>,
    ) -> Result<Response<pb::Leaderboard>, Status> {
        nothing()
    }

    async fn get_holder(
        &self,
        _: Request<pb::GetHolderRequest>,
    ) -> Result<Response<pb::HolderReport>, Status> {
        nothing()
    }

    async fn get_deficits(
        &self,
        _: Request<pb::GetDeficitsRequest>,
    ) -> Result<Response<pb::Deficits>, Status> {
        nothing()
    }

    async fn seal_round(
        &self,
        _: Request<pb::SealRoundRequest>,
    ) -> Result<Response<pb::Round>, Status> {
        nothing()
    }

    async fn list_rounds(
        &self,
        _: Request<pb::ListRoundsRequest>,
    ) -> Result<Response<pb::Rounds>, Status> {
        nothing()
    }

    async fn get_round(
        &self,
        _: Request<pb::GetRoundRequest>,
    ) -> Result<Response<pb::Round>, Status> {
        nothing()
    }

    async fn get_round_proof(
        &self,
        _: Request<pb::GetRoundProofRequest>,
    ) -> Result<Response<pb::RoundProof>, Status> {
        nothing()
    }

    type FeedStream = Boxed<pb::FeedBatch>;

    async fn feed(
        &self,
        _: Request<Streaming<pb::FeedRequest>>,
    ) -> Result<Response<Self::FeedStream>, Status> {
        nothing()
    }

    type WatchStream = Boxed<pb::LeaderboardChange>;

    async fn watch(
        &self,
        _: Request<pb::WatchRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        nothing()
    }
}

/// Counts the lines of a body.
async fn hold(body: Body) -> String {
    let mut pieces = body.into_data_stream();
    let mut lines = 0;
    while let Some(Ok(piece)) = pieces.next().await {
        lines += memchr::memchr_iter(b'\n', &piece).count();
    }
    format!("{{\"accepted\":{lines}}}")
}

#[tokio::main]
async fn main() {
    let grpc = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let http = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    println!(
        "listening: grpc={} http={}",
        grpc.local_addr().expect("bound"),
        http.local_addr().expect("bound")
    );
    let calls = tonic::transport::Server::builder()
        .tcp_nodelay(true)
        .initial_stream_window_size(WINDOW_BYTES)
        .initial_connection_window_size(4 * WINDOW_BYTES)
        .add_service(HoldMetricsServer::new(Bare))
        .serve_with_incoming(TcpListenerStream::new(grpc));
    let posts = axum::serve(http, Router::new().route("/hold", post(hold)));
    let (calls, posts) = tokio::join!(calls, posts);
    calls.expect("it serves until it is killed");
    posts.expect("it serves until it is killed");
}
