//! `GetDeficits`: the keys whose balance is below 0 at some time, page by page.
//!
//! `service` passes the call on, `dispatcher` has authorized its caller.

use tonic::Status;

use super::event::wire_from_instant;
use super::response::{count_from_wire, instant, wire_from_deficit};
use super::service::{HoldService, filter, unlisted};
use super::status::{bad_field, query_failed};
use crate::core::Window;
use crate::engine::Question;
use crate::net::answer_budget::AnswerBudget;
use crate::net::page_token::{DeficitPageStart, PageTokenError, read_deficit_page_token};
use crate::net::pb::{Deficits, GetDeficitsRequest};
use crate::net::query_pool::Answered;

impl HoldService {
    /// One page of deficits.
    pub(super) async fn deficits(
        &self,
        answers: &AnswerBudget,
        request: GetDeficitsRequest,
    ) -> Result<Answered<Deficits>, Status> {
        let size = count_from_wire("page_size", request.page_size, 1_000, 10_000)?;
        let start = self.deficits_start(request)?;
        let asked = (start, size);
        let answered = self.queries.deficits(answers, asked, |start, page| {
            let page = page.map_err(|error| unlisted(&error, start.by_key()))?;
            Ok::<_, Status>(Deficits {
                as_of: Some(wire_from_instant(start.question.window.as_of)),
                deficits: page.deficits.iter().map(wire_from_deficit).collect(),
                next_page_token: start.next(&page).unwrap_or_default(),
                deficits_total: page.known as u64,
                sequence: page.sequence,
            })
        });
        answered.await.map_err(query_failed)?.ok()
    }

    /// What a page is about, and where it begins.
    fn deficits_start(&self, request: GetDeficitsRequest) -> Result<DeficitPageStart, Status> {
        let as_of = instant("as_of", request.as_of.as_ref())?;
        let token_id = filter(request.token_id);
        if request.page_token.is_empty() {
            let question = Question {
                window: Window::until(as_of.unwrap_or_else(|| self.engine.now())),
                token_id,
            };
            return Ok(DeficitPageStart {
                question,
                after: None,
            });
        }
        let refused = |error: PageTokenError| bad_field("page_token", &error);
        let start = read_deficit_page_token(&request.page_token).map_err(refused)?;
        let question = &start.question;
        let is_same = token_id == question.token_id
            && as_of.is_none_or(|as_of| as_of == question.window.as_of);
        if !is_same {
            return Err(refused(PageTokenError::OtherQuestion));
        }
        Ok(start)
    }
}
