//! The accept loop of gRPC and HTTP: each accepted connection takes a permit and gets a task.
//!
//! If no permit is left, one connection waits here and the others in the backlog of the system. If an address
//! has reached its limit, its next connection is closed. Reads no bytes; see `connection`.

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

use super::address_limit::AddressLimit;
use super::connection::{Mode, serve};
use crate::error_line::error_line;

/// The pause before the next attempt if the system has no descriptor left for a connection.
const RETRY_PAUSE: Duration = Duration::from_millis(100);

/// Accepts until the stop signal of `mode`; accepted connections run on in `tasks`.
pub(super) async fn accept<S, B>(
    socket: TcpListener,
    permits: Arc<Semaphore>,
    addresses: Arc<AddressLimit>,
    tasks: TaskTracker,
    mode: Mode,
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
                    // Closed rather than kept waiting: connections of other addresses are queued behind it.
                    let Some(address_permit) = addresses.acquire(peer.ip()) else {
                        mode.metrics.connection_refused("address");
                        debug!(%peer, "Closed a connection: its address has reached its limit.");
                        continue;
                    };
                    // After accepting, or an idle listener would hold a permit.
                    let permit = Arc::clone(&permits).acquire_owned().await;
                    let permit = permit.expect("the semaphore is never closed");
                    let served = serve(stream, peer, mode.clone(), service.clone());
                    tasks.spawn(async move {
                        served.await;
                        drop((permit, address_permit));
                    });
                }
                Err(error) if is_of_one_connection(&error) => {}
                Err(error) => {
                    warn!(error = %error_line(&error), "Cannot accept connections; trying again.");
                    tokio::time::sleep(RETRY_PAUSE).await;
                }
            }
        }
    };
    tokio::select! {
        () = accepting => {}
        () = mode.stop.cancelled() => {}
    }
}

/// A client that disconnected before it was accepted does not affect the next one.
fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
    )
}
