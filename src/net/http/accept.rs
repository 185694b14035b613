//! Whether a caller takes the form that an answer has.

use axum::http::{HeaderMap, StatusCode, header};

use super::problem::Problem;

/// What questions are answered with.
pub(super) const JSON: &str = "application/json";

/// Refuses a caller whose `Accept` leaves `media_type` out.
pub(super) fn accepts(headers: &HeaderMap, media_type: &str) -> Result<(), Problem> {
    if is_accepted(headers, media_type) {
        return Ok(());
    }
    Err(Problem::new(
        StatusCode::NOT_ACCEPTABLE,
        format!("accept: the answer is {media_type}, which is not accepted"),
    ))
}

/// The most precise range that fits decides; without the header all is accepted.
fn is_accepted(headers: &HeaderMap, media_type: &str) -> bool {
    let (family, _) = media_type.split_once('/').unwrap_or((media_type, ""));
    let mut is_asked = false;
    let mut best = (0, false);
    for range in headers
        .get_all(header::ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|list| list.split(','))
    {
        let mut parts = range.split(';').map(str::trim);
        let name = parts.next().unwrap_or("").to_ascii_lowercase();
        if name.is_empty() {
            continue;
        }
        is_asked = true;
        let precision = if name == media_type {
            3
        } else if name.strip_suffix("/*") == Some(family) {
            2
        } else if name == "*/*" {
            1
        } else {
            continue;
        };
        let is_wanted = parts
            .filter_map(|part| part.strip_prefix("q="))
            .all(|quality| {
                quality
                    .trim()
                    .parse::<f32>()
                    .is_ok_and(|quality| quality > 0.0)
            });
        if precision > best.0 {
            best = (precision, is_wanted);
        }
    }
    !is_asked || best.1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_precise_range_decides() {
        for (accept, is_ok) in [
            ("", true),
            ("*/*", true),
            ("application/*", true),
            ("text/html, application/json;q=0.1", true),
            ("text/html", false),
            ("*/*, application/json;q=0", false),
            ("application/json;q=0.5, */*;q=0", true),
            ("text/*", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT, accept.parse().unwrap());
            assert_eq!(is_accepted(&headers, JSON), is_ok, "{accept:?}");
        }
        assert!(is_accepted(&HeaderMap::new(), JSON));
    }
}
