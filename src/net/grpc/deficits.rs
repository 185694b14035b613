//! `GetDeficits`: the keys whose balance is below 0 at some time, page by page.
//!
//! `service` passes the call on, `dispatcher` has authorized its caller.

use tonic::Status;

use super::event::wire_from_instant;
use super::response::{count_from_wire, instant, wire_from_deficit};
use super::service::{HoldService, filter};
use super::status::{bad_field, query_failed};
use crate::core::Window;
use crate::engine::{DeficitCursor, Question};
use crate::net::answer_budget::AnswerBudget;
use crate::net::page_token::{PageTokenError, deficit_page_token, read_deficit_page_token};
use crate::net::pb::{Deficits, GetDeficitsRequest};
use crate::net::query_pool::Answered;
use crate::net::report_limit::listed_deficits;

impl HoldService {
    /// One page of deficits.
    pub(super) async fn deficits(
        &self,
        answers: &AnswerBudget,
        request: GetDeficitsRequest,
    ) -> Result<Answered<Deficits>, Status> {
        let size = count_from_wire("page_size", request.page_size, 1_000, 10_000)?;
        let (question, after) = self.deficits_start(request)?;
        let asked = (question, after, size);
        let answered = self.queries.deficits(answers, asked, |question, page| {
            let (deficits, next) = listed_deficits(&page);
            Deficits {
                as_of: Some(wire_from_instant(question.window.as_of)),
                deficits: deficits.iter().map(wire_from_deficit).collect(),
                next_page_token: next
                    .map_or_else(String::new, |cursor| deficit_page_token(question, cursor)),
                deficits_total: page.known as u64,
                sequence: page.sequence,
            }
        });
        answered.await.map_err(query_failed)
    }

    /// The question of a page, and the cursor after which it begins.
    fn deficits_start(
        &self,
        request: GetDeficitsRequest,
    ) -> Result<(Question, Option<DeficitCursor>), Status> {
        let as_of = instant("as_of", request.as_of.as_ref())?;
        let token_id = filter(request.token_id);
        if request.page_token.is_empty() {
            let question = Question {
                window: Window::until(as_of.unwrap_or_else(|| self.engine.now())),
                token_id,
            };
            return Ok((question, None));
        }
        let refused = |error: PageTokenError| bad_field("page_token", &error);
        let (question, cursor) = read_deficit_page_token(&request.page_token).map_err(refused)?;
        let is_same = token_id == question.token_id
            && as_of.is_none_or(|as_of| as_of == question.window.as_of);
        if !is_same {
            return Err(refused(PageTokenError::OtherQuestion));
        }
        Ok((question, Some(cursor)))
    }
}
