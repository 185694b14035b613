//! The one accept loop: a connection, a permit, a task; for gRPC and HTTP alike.
//!
//! Where all permits are taken, one connection waits here and further ones in the system's queue; where an
//! address has all that it may have, its next one is closed. Reads no byte itself; see `connection`.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::http::{Request, Response};
use bytes::Bytes;
use hyper::body::{Body, Incoming};
use hyper::service::Service;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;
use tracing::{debug, warn};

use super::addresses::Addresses;
use super::connection::{Manner, serve};
use crate::error_line::error_line;

/// How long the loop rests where the system has no descriptor left for one more connection.
const REST: Duration = Duration::from_millis(100);

/// Accepts until the manner's stop signal; what it accepted goes on in `tasks`.
pub(super) async fn accept<S, B>(
    socket: TcpListener,
    permits: Arc<Semaphore>,
    addresses: Arc<Addresses>,
    tasks: TaskTracker,
    manner: Manner,
    service: S,
) where
    S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + Sync + 'static,
    S::Future: Send + 'static,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>> + Send,
    B: Body<Data = Bytes> + Unpin + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let accepting = async {
        loop {
            match socket.accept().await {
                Ok((stream, peer)) => {
                    // Closed rather than kept waiting: those of other addresses stand behind it.
                    let Some(place) = addresses.enter(peer.ip()) else {
                        manner.metrics.connection_refused("address");
                        debug!(%peer, "A connection was closed: its address has all that it may have.");
                        continue;
                    };
                    // After the connection, or a listener without callers would keep a permit for itself.
                    let permit = Arc::clone(&permits).acquire_owned().await;
                    let permit = permit.expect("the semaphore is never closed");
                    let served = serve(stream, peer, manner.clone(), service.clone());
                    tasks.spawn(async move {
                        served.await;
                        drop((permit, place));
                    });
                }
                Err(error) if is_of_one_connection(&error) => {}
                Err(error) => {
                    warn!(error = %error_line(&error), "No connection can be accepted; trying again.");
                    tokio::time::sleep(REST).await;
                }
            }
        }
    };
    tokio::select! {
        () = accepting => {}
        () = manner.stop.cancelled() => {}
    }
}

/// A caller that went away before it was accepted says nothing about the next one.
fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
    )
}
