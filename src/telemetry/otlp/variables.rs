//! Variables of the OTLP standard that the exporters leave to us: read, or refused where they ask for
//! what is not spoken.
//!
//! A word that is passed over in silence would leave a receiver waiting for what never comes.

use tonic::metadata::{AsciiMetadataKey, AsciiMetadataValue, MetadataMap};

use super::OtlpError;

/// The value of a variable; an empty one counts as not set.
type Lookup<'v> = &'v dyn Fn(&str) -> Option<String>;

const PREFIX: &str = "OTEL_EXPORTER_OTLP_";

/// Those of this process.
pub(super) fn of_the_process(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|text| !text.is_empty())
}

/// Refuses protocols and packings that are not spoken.
pub(super) fn check(variable: Lookup<'_>) -> Result<(), OtlpError> {
    for (what, spoken) in [("PROTOCOL", "grpc"), ("COMPRESSION", "none")] {
        for signal in ["", "TRACES_", "METRICS_"] {
            let name = format!("{PREFIX}{signal}{what}");
            match variable(&name) {
                Some(text) if text != spoken => {
                    return Err(OtlpError::Unspoken { name, text, spoken });
                }
                Some(_) | None => {}
            }
        }
    }
    Ok(())
}

/// What goes with every export of figures, such as a token of the receiver.
pub(super) fn headers_of_figures(variable: Lookup<'_>) -> Result<MetadataMap, OtlpError> {
    let mut headers = MetadataMap::new();
    let named = ["METRICS_HEADERS", "HEADERS"].map(|what| format!("{PREFIX}{what}"));
    let Some((name, text)) = named
        .into_iter()
        .find_map(|name| variable(&name).map(|text| (name, text)))
    else {
        return Ok(headers);
    };
    let entries = text.split(',').map(str::trim);
    for (place, entry) in entries.enumerate().filter(|(_, entry)| !entry.is_empty()) {
        let Some((key, value)) = header(entry) else {
            // The text may be a secret, and is not repeated.
            let place = place + 1;
            return Err(OtlpError::Header { name, place });
        };
        headers.insert(key, value);
    }
    Ok(headers)
}

/// One `name=value`, the value with `%` before what is written in hexadecimal digits.
fn header(entry: &str) -> Option<(AsciiMetadataKey, AsciiMetadataValue)> {
    let (key, value) = entry.split_once('=')?;
    let key = key.trim().to_ascii_lowercase().parse().ok()?;
    let value = AsciiMetadataValue::try_from(unescaped(value.trim())?).ok()?;
    Some((key, value))
}

fn unescaped(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(if byte == b'%' {
            let digit = |byte: u8| char::from(byte).to_digit(16);
            let (high, low) = (digit(rest.next()?)?, digit(rest.next()?)?);
            u8::try_from(high * 16 + low).ok()?
        } else {
            byte
        });
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(name: &'static str, text: &'static str) -> impl Fn(&str) -> Option<String> {
        move |asked| (asked == name).then(|| text.to_owned())
    }

    #[test]
    fn what_is_not_spoken_is_refused_by_name() {
        for (name, text, is_spoken) in [
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", true),
            ("OTEL_EXPORTER_OTLP_COMPRESSION", "none", true),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf", false),
            ("OTEL_EXPORTER_OTLP_METRICS_PROTOCOL", "http/json", false),
            ("OTEL_EXPORTER_OTLP_TRACES_COMPRESSION", "gzip", false),
        ] {
            let found = check(&with(name, text)).map_err(|error| error.to_string());
            assert_eq!(found.is_ok(), is_spoken, "{found:?}");
            if let Err(sentence) = found {
                assert!(
                    sentence.starts_with(&format!("{name}: {text:?} is not spoken")),
                    "{sentence}"
                );
            }
        }
    }

    #[test]
    fn headers_of_figures_are_read_as_those_of_traces() {
        let given = with(
            "OTEL_EXPORTER_OTLP_HEADERS",
            "Authorization=Bearer%20a=b, x-y=1,",
        );
        let headers = headers_of_figures(&given).unwrap();
        assert_eq!(headers.get("authorization").unwrap(), "Bearer a=b");
        assert_eq!(headers.get("x-y").unwrap(), "1");
        assert!(headers_of_figures(&|_| None).unwrap().is_empty());
    }

    #[test]
    fn a_header_that_is_none_is_named_by_its_place_alone() {
        for text in ["a=1,secret", "a=1,a b=secret", "a=1,b=secret%2"] {
            let given = move |name: &str| {
                (name == "OTEL_EXPORTER_OTLP_METRICS_HEADERS").then(|| text.to_owned())
            };
            let sentence = headers_of_figures(&given).unwrap_err().to_string();
            assert!(
                sentence.starts_with("OTEL_EXPORTER_OTLP_METRICS_HEADERS: entry 2 "),
                "{sentence}"
            );
            assert!(!sentence.contains("secret"), "{sentence}");
        }
    }
}
