//! Whether a caller takes the form that an answer has, and how it may be packed.

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};

use super::problem::Problem;

/// What questions are answered with.
pub(super) const JSON: &str = "application/json";

/// Refuses a caller whose `Accept` leaves `media_type` out.
pub(super) fn accepts(headers: &HeaderMap, media_type: &str) -> Result<(), Problem> {
    if is_accepted(headers, media_type) {
        return Ok(());
    }
    Err(Problem::of_field(
        StatusCode::NOT_ACCEPTABLE,
        "accept",
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
        if precision > best.0 {
            best = (precision, is_wanted(parts));
        }
    }
    !is_asked || best.1
}

/// Lets an answer be sent unpacked, even to who forbids that: RFC 9110 allows it, and a refusal would come
/// when the request has had its effect already.
pub(super) fn allow_unpacked(headers: &mut HeaderMap) {
    let is_allowed = |coding: &&str| {
        let mut parts = coding.split(';').map(str::trim);
        let name = parts.next().unwrap_or("");
        !(name == "*" || name.eq_ignore_ascii_case("identity")) || is_wanted(parts)
    };
    let codings: Vec<&str> = headers
        .get_all(header::ACCEPT_ENCODING)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|list| list.split(','))
        .collect();
    if codings.iter().all(is_allowed) {
        return;
    }
    let allowed: Vec<&str> = codings.into_iter().filter(is_allowed).collect();
    let allowed = HeaderValue::try_from(allowed.join(",")).expect("it was cut out of header lines");
    headers.insert(header::ACCEPT_ENCODING, allowed);
}

/// Whether the parameters of a range or a coding give it any weight.
fn is_wanted<'a>(mut parameters: impl Iterator<Item = &'a str>) -> bool {
    parameters.all(|parameter| {
        let quality = parameter
            .strip_prefix("q=")
            .or_else(|| parameter.strip_prefix("Q="));
        quality.is_none_or(|quality| {
            let quality = quality.trim().parse::<f32>();
            quality.is_ok_and(|quality| quality > 0.0)
        })
    })
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

    #[test]
    fn no_list_of_codings_forbids_an_unpacked_answer() {
        for (codings, allowed) in [
            ("gzip, zstd;q=0.5", "gzip, zstd;q=0.5"),
            ("identity;q=0", ""),
            ("br, *;q=0", "br"),
            ("*;Q=0.0,gzip; q=0, Identity; q=0.000", "gzip; q=0"),
            ("*;q=0.1, identity", "*;q=0.1, identity"),
            ("gzip;q=0, zstd;q=0", "gzip;q=0, zstd;q=0"),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT_ENCODING, codings.parse().unwrap());
            allow_unpacked(&mut headers);
            assert_eq!(headers[header::ACCEPT_ENCODING], allowed, "{codings:?}");
        }
    }
}
