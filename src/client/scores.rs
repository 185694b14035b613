//! The scores of all holders, page by page, all of one state.

use super::{Client, ClientError};
use crate::core::{Micros, Window};
use crate::net::pb;

/// Holders in a page: the most that a server gives.
const PAGE_SIZE: u32 = 10_000;
/// A state that changes while its pages are read is read again so often.
const ATTEMPTS_MAX: usize = 5;

/// All scores at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scores {
    /// Holders and their scores in weight-seconds.
    pub holders: Vec<(String, String)>,
    /// Number of the last event that is counted.
    pub sequence: u64,
    /// Keys whose balance is below 0 at some time.
    pub deficits: u64,
    /// Name and version of the policy, if one was asked for.
    pub policy: Option<(String, String)>,
}

impl Client {
    /// Reads the scores of all holders; those under a policy if `policy` is not empty.
    ///
    /// # Errors
    /// [`ClientError::Changing`] if the state changes whenever its pages are read.
    pub async fn scores(&mut self, window: &Window, policy: &str) -> Result<Scores, ClientError> {
        for _ in 0..ATTEMPTS_MAX {
            if let Some(scores) = self.scores_of_one_state(window, policy).await? {
                return Ok(scores);
            }
        }
        Err(ClientError::Changing)
    }

    /// `None` if events were applied meanwhile.
    async fn scores_of_one_state(
        &mut self,
        window: &Window,
        policy: &str,
    ) -> Result<Option<Scores>, ClientError> {
        let mut scores: Option<Scores> = None;
        let mut page_token = String::new();
        loop {
            let request = self.request(pb::GetSnapshotRequest {
                window: Some(wire_from_window(window)),
                page_size: PAGE_SIZE,
                page_token,
                policy: policy.to_owned(),
                ..pb::GetSnapshotRequest::default()
            });
            let page = match self.calls.get_snapshot(request).await {
                Ok(page) => page.into_inner(),
                Err(status) => return Err(self.failed(status).await),
            };
            let scores = scores.get_or_insert_with(|| Scores {
                holders: Vec::new(),
                sequence: page.sequence,
                deficits: page.deficits,
                policy: page.policy.map(|policy| (policy.name, policy.version)),
            });
            if page.sequence != scores.sequence {
                return Ok(None);
            }
            let rows = page.holders.into_iter();
            scores
                .holders
                .extend(rows.map(|row| (row.holder_id, row.score)));
            page_token = page.next_page_token;
            if page_token.is_empty() {
                break;
            }
        }
        Ok(scores)
    }
}

fn wire_from_window(window: &Window) -> pb::Window {
    let time = |at: Micros| prost_types::Timestamp {
        seconds: at.get().div_euclid(1_000_000),
        nanos: i32::try_from(at.get().rem_euclid(1_000_000) * 1_000).expect("under a second"),
    };
    pb::Window {
        as_of: Some(time(window.as_of)),
        from: window.from.map(time),
        closed_only: window.closed_only,
    }
}
