//! gRPC: the contract of `proto/poh/hold.proto`, with health checking and server reflection.
//!
//! Read in this order: [`dispatcher`] (authorization, deadlines, metrics), [`service`] (the calls), [`counted_messages`], [`decoder`],
//! [`event`] and [`columns`] (events in), [`ack_stream`] and [`ack_group`] (acknowledgements), [`response`],
//! [`deficits`] and [`watch`] (scores out), [`feed`] (events out), [`rounds`] (sealed rounds), [`status`] (errors).

mod ack_group;
mod ack_stream;
mod call_metrics;
mod columns;
mod counted_messages;
mod deadline;
mod decoder;
mod deficits;
mod dispatcher;
mod event;
mod feed;
#[cfg(fuzzing)]
mod fuzzing;
mod response;
mod rounds;
mod service;
mod status;
mod unfolded;
mod watch;

use std::sync::Arc;

use tonic::service::Routes;
use tonic_health::ServingStatus;
use tonic_health::server::{HealthReporter, health_reporter};

pub(super) use dispatcher::Dispatcher;
#[cfg(fuzzing)]
pub use fuzzing::Conversion;

use super::context::ServerContext;
use super::pb::DESCRIPTORS;
use columns::BatchBounds;
use service::HoldService;

/// The events of a batch may take so many times the bytes of the largest message.
const UNFOLDED_MAX: usize = 4;
/// The name of our service in health checks, besides the empty one.
const SERVICE: &str = "poh.HoldMetrics";

/// The dispatcher of all gRPC calls, and the handle that sets the reported health.
pub(super) fn dispatcher(context: &ServerContext) -> (Dispatcher, Health) {
    let (reporter, health) = health_reporter();
    let bytes_max = context.limits.message_bytes_max;
    let reflection = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(DESCRIPTORS)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
            // The error details, so that clients that know the contract from reflection alone can decode them.
            .register_encoded_file_descriptor_set(tonic_types::pb::FILE_DESCRIPTOR_SET)
    };
    let others = Routes::new(health.max_decoding_message_size(bytes_max))
        .add_service(
            reflection()
                .build_v1()
                .expect("generated descriptors are valid")
                .max_decoding_message_size(bytes_max),
        )
        .add_service(
            reflection()
                .build_v1alpha()
                .expect("generated descriptors are valid")
                .max_decoding_message_size(bytes_max),
        );
    let service = HoldService {
        engine: Arc::clone(&context.engine),
        queries: context.queries.clone(),
        access: context.access.clone(),
        batch_bounds: BatchBounds {
            rows_max: context.limits.batch_events_max,
            bytes_max: (UNFOLDED_MAX * context.limits.message_bytes_max)
                .min(context.engine.queue_bytes_max()),
        },
        request_wait_max: context.limits.request_wait_max,
        stop: context.stop.clone(),
    };
    let dispatcher = Dispatcher::new(
        service,
        others,
        context.access.clone(),
        Arc::clone(&context.metrics),
        Arc::clone(&context.request_ids),
        &context.limits,
    );
    (dispatcher, Health(reporter))
}

/// Sets what health checking reports.
pub(super) struct Health(HealthReporter);

impl Health {
    /// Reports whether events are accepted.
    pub(super) async fn set_serving(&self, is_serving: bool) {
        let status = if is_serving {
            ServingStatus::Serving
        } else {
            ServingStatus::NotServing
        };
        for name in ["", SERVICE] {
            self.0.set_service_status(name, status).await;
        }
    }
}
