//! gRPC: the contract of `proto/poh/hold.proto`, with health checking and server reflection.
//!
//! Read in this order: [`door`] (who may call what, until when), [`service`] (the calls), [`event`] and
//! [`columns`] (what comes in), [`intake`] and [`group`] (streams of it), [`answer`] and [`watch`] (what goes out),
//! [`status`] (what goes wrong).

mod answer;
mod columns;
mod deadline;
mod door;
mod event;
#[cfg(fuzzing)]
mod fuzzing;
mod group;
mod intake;
mod service;
mod status;
mod tally;
mod watch;

use std::sync::Arc;

use tonic::service::Routes;
use tonic_health::ServingStatus;
use tonic_health::server::{HealthReporter, health_reporter};

pub(super) use door::Door;
#[cfg(fuzzing)]
pub use fuzzing::Conversion;

use super::house::House;
use super::pb::DESCRIPTORS;
use service::HoldService;

/// The name that health is asked under, besides the empty one.
const SERVICE: &str = "poh.HoldMetrics";

/// The door of gRPC, and who tells the health that it reports.
pub(super) fn door(house: &House) -> (Door, Health) {
    let (reporter, health) = health_reporter();
    let reflection = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(DESCRIPTORS)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
            // The details of a failure, so that callers who know the contract from here alone can show them.
            .register_encoded_file_descriptor_set(tonic_types::pb::FILE_DESCRIPTOR_SET)
    };
    let others = Routes::new(health)
        .add_service(reflection().build_v1().expect("our own descriptors"))
        .add_service(reflection().build_v1alpha().expect("our own descriptors"));
    let service = HoldService {
        engine: Arc::clone(&house.engine),
        metrics: Arc::clone(&house.metrics),
        questions: house.questions.clone(),
        batch_events_max: house.limits.batch_events_max,
        stop: house.stop.clone(),
    };
    let door = Door::new(
        service,
        others,
        house.access.clone(),
        Arc::clone(&house.request_ids),
        &house.limits,
    );
    (door, Health(reporter))
}

/// What health checking reports.
pub(super) struct Health(HealthReporter);

impl Health {
    /// Says whether events are taken.
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
