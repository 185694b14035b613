//! The OTLP environment variables that the exporters do not read themselves.
//!
//! A value that is not supported is an error: if it were ignored, a collector would wait in vain.

use tonic::metadata::{AsciiMetadataKey, AsciiMetadataValue, MetadataMap};

use super::OtlpError;

/// Returns the value of a variable; `None` if it is empty.
type Lookup<'v> = &'v dyn Fn(&str) -> Option<String>;

const PREFIX: &str = "OTEL_EXPORTER_OTLP_";

/// The variables of this process.
pub(super) fn from_environment(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|text| !text.is_empty())
}

/// Checks the variables for protocol and compression.
pub(super) fn check(variable: Lookup<'_>) -> Result<(), OtlpError> {
    for (what, supported) in [("PROTOCOL", "grpc"), ("COMPRESSION", "none")] {
        for signal in ["", "TRACES_", "METRICS_"] {
            let name = format!("{PREFIX}{signal}{what}");
            match variable(&name) {
                Some(text) if text != supported => {
                    return Err(OtlpError::Unsupported {
                        name,
                        text,
                        supported,
                    });
                }
                Some(_) | None => {}
            }
        }
    }
    Ok(())
}

/// The headers of every export of metrics, such as a token for the collector.
pub(super) fn metric_headers(variable: Lookup<'_>) -> Result<MetadataMap, OtlpError> {
    let mut headers = MetadataMap::new();
    let named = ["METRICS_HEADERS", "HEADERS"].map(|what| format!("{PREFIX}{what}"));
    let Some((name, text)) = named
        .into_iter()
        .find_map(|name| variable(&name).map(|text| (name, text)))
    else {
        return Ok(headers);
    };
    let entries = text.split(',').map(str::trim);
    for (index, entry) in entries.enumerate().filter(|(_, entry)| !entry.is_empty()) {
        let Some((key, value)) = header(entry) else {
            // The text is not repeated, because it may be a secret.
            let position = index + 1;
            return Err(OtlpError::Header { name, position });
        };
        headers.insert(key, value);
    }
    Ok(headers)
}

/// Parses `name=value`, with a percent-encoded value.
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
    fn an_unsupported_value_is_refused_with_its_variable() {
        for (name, text, is_supported) in [
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", true),
            ("OTEL_EXPORTER_OTLP_COMPRESSION", "none", true),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf", false),
            ("OTEL_EXPORTER_OTLP_METRICS_PROTOCOL", "http/json", false),
            ("OTEL_EXPORTER_OTLP_TRACES_COMPRESSION", "gzip", false),
        ] {
            let found = check(&with(name, text)).map_err(|error| error.to_string());
            assert_eq!(found.is_ok(), is_supported, "{found:?}");
            if let Err(sentence) = found {
                assert!(
                    sentence.starts_with(&format!("{name}: {text:?} is not supported")),
                    "{sentence}"
                );
            }
        }
    }

    #[test]
    fn metric_headers_are_read_as_those_of_traces() {
        let given = with(
            "OTEL_EXPORTER_OTLP_HEADERS",
            "Authorization=Bearer%20a=b, x-y=1,",
        );
        let headers = metric_headers(&given).unwrap();
        assert_eq!(headers.get("authorization").unwrap(), "Bearer a=b");
        assert_eq!(headers.get("x-y").unwrap(), "1");
        assert!(metric_headers(&|_| None).unwrap().is_empty());
    }

    #[test]
    fn a_malformed_header_is_named_by_its_position_only() {
        for text in ["a=1,secret", "a=1,a b=secret", "a=1,b=secret%2"] {
            let given = move |name: &str| {
                (name == "OTEL_EXPORTER_OTLP_METRICS_HEADERS").then(|| text.to_owned())
            };
            let sentence = metric_headers(&given).unwrap_err().to_string();
            assert!(
                sentence.starts_with("OTEL_EXPORTER_OTLP_METRICS_HEADERS: entry 2 "),
                "{sentence}"
            );
            assert!(!sentence.contains("secret"), "{sentence}");
        }
    }
}
