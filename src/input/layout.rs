//! Which columns of a columnar file hold which field, found and checked once before any row.
//!
//! Reads no values; see [`super::rows`].

use std::sync::Arc;

use arrow_schema::{DataType, Schema};

use super::InputError;
use super::ids::{Ids, TextColumn};
use super::times::Unit;
use super::weights::Weights;

/// A file's columns by field, as places in batches that hold the needed columns alone.
#[derive(Debug)]
pub(super) struct Layout {
    pub(super) token_id: usize,
    pub(super) holder_id: usize,
    pub(super) start: Option<TimeColumn>,
    pub(super) end: Option<TimeColumn>,
    pub(super) weight: Option<usize>,
    pub(super) event_id: Option<usize>,
    pub(super) revision: Option<usize>,
    pub(super) retract: Option<usize>,
    /// The needed columns as places in the file, ascending.
    pub(super) projection: Vec<usize>,
}

/// A column of instants.
#[derive(Clone, Copy, Debug)]
pub(super) struct TimeColumn {
    pub(super) column: usize,
    /// What integers count; a timestamp says it by its type.
    pub(super) unit: Unit,
}

impl Layout {
    /// # Errors
    /// Where a needed column is absent, one is there twice, or one has a type that cannot be read.
    pub(super) fn new(file: &Arc<str>, schema: &Schema) -> Result<Self, InputError> {
        let mut finder = Finder {
            file,
            schema,
            projection: Vec::new(),
        };
        let token_id = finder.needed("token_id", Ids::can_read, IDS)?;
        let holder_id = finder.needed("holder_id", Ids::can_read, IDS)?;
        let start = finder.time("start", "start_us")?;
        let end = finder.time("end", "end_us")?;
        let weight = finder.find("weight", Weights::can_read, WEIGHTS)?;
        let event_id = finder.find("event_id", TextColumn::can_read, "text")?;
        let revision = finder.find("revision", is_integer, "an integer")?;
        let retract = finder.find("retract", is_boolean, "a boolean")?;
        if start.is_none() && end.is_none() && retract.is_none() {
            return Err(finder.missing("start or end"));
        }
        let mut projection = finder.projection;
        projection.sort_unstable();
        let place = |column: usize| {
            projection
                .binary_search(&column)
                .expect("every column found is in the projection")
        };
        let time_place = |time: TimeColumn| TimeColumn {
            column: place(time.column),
            unit: time.unit,
        };
        Ok(Self {
            token_id: place(token_id),
            holder_id: place(holder_id),
            start: start.map(time_place),
            end: end.map(time_place),
            weight: weight.map(place),
            event_id: event_id.map(place),
            revision: revision.map(place),
            retract: retract.map(place),
            projection,
        })
    }
}

const IDS: &str = "text or an integer";
const WEIGHTS: &str = "a double, a decimal, an integer or text";

struct Finder<'a> {
    file: &'a Arc<str>,
    schema: &'a Schema,
    projection: Vec<usize>,
}

impl Finder<'_> {
    fn missing(&self, column: &'static str) -> InputError {
        let fields = self.schema.fields();
        InputError::MissingColumn {
            file: Arc::clone(self.file),
            column,
            columns: fields.iter().map(|field| field.name().clone()).collect(),
        }
    }

    fn needed(
        &mut self,
        name: &'static str,
        can_read: fn(&DataType) -> bool,
        expected: &'static str,
    ) -> Result<usize, InputError> {
        self.find(name, can_read, expected)?
            .ok_or_else(|| self.missing(name))
    }

    /// The column `name`, its type one that `can_read` accepts, bare or behind a dictionary.
    fn find(
        &mut self,
        name: &str,
        can_read: fn(&DataType) -> bool,
        expected: &'static str,
    ) -> Result<Option<usize>, InputError> {
        let fields = self.schema.fields();
        let mut places = (0..fields.len()).filter(|place| fields[*place].name() == name);
        let Some(place) = places.next() else {
            return Ok(None);
        };
        if places.next().is_some() {
            return Err(self.two(name, name));
        }
        let found = fields[place].data_type();
        let values = match found {
            DataType::Dictionary(_, values) => values,
            plain => plain,
        };
        if !can_read(values) {
            return Err(InputError::ColumnType {
                file: Arc::clone(self.file),
                column: name.to_owned(),
                found: found.to_string(),
                expected,
            });
        }
        self.projection.push(place);
        Ok(Some(place))
    }

    /// The instants of one field, in one of its two columns.
    fn time(&mut self, name: &str, name_us: &str) -> Result<Option<TimeColumn>, InputError> {
        let instants = self.find(name, is_time, "a timestamp or integer milliseconds")?;
        let micros = self.find(name_us, is_integer, "integer microseconds")?;
        match (instants, micros) {
            (Some(_), Some(_)) => Err(self.two(name, name_us)),
            (Some(column), None) => Ok(Some(TimeColumn {
                column,
                unit: Unit::Millis,
            })),
            (None, Some(column)) => Ok(Some(TimeColumn {
                column,
                unit: Unit::Micros,
            })),
            (None, None) => Ok(None),
        }
    }

    fn two(&self, first: &str, second: &str) -> InputError {
        InputError::TwoColumns {
            file: Arc::clone(self.file),
            first: first.to_owned(),
            second: second.to_owned(),
        }
    }
}

fn is_integer(values: &DataType) -> bool {
    values.is_integer()
}

fn is_time(values: &DataType) -> bool {
    values.is_integer() || matches!(values, DataType::Timestamp(_, _))
}

fn is_boolean(values: &DataType) -> bool {
    *values == DataType::Boolean
}

#[cfg(test)]
mod tests {
    use arrow_schema::{Field, TimeUnit};

    use super::*;

    fn layout(columns: &[(&str, DataType)]) -> Result<Layout, String> {
        let fields = columns
            .iter()
            .map(|(name, kind)| Field::new(*name, kind.clone(), true));
        let schema = Schema::new(fields.collect::<Vec<_>>());
        Layout::new(&"f".into(), &schema).map_err(|error| error.to_string())
    }

    #[test]
    fn places_count_the_needed_columns_alone() {
        let found = layout(&[
            ("other", DataType::Date32),
            ("weight", DataType::Float64),
            ("end_us", DataType::Int64),
            ("holder_id", DataType::Utf8),
            ("token_id", DataType::UInt16),
        ])
        .unwrap();
        assert_eq!(found.projection, [1, 2, 3, 4]);
        assert_eq!(
            (found.weight, found.holder_id, found.token_id),
            (Some(0), 2, 3)
        );
        assert!(found.start.is_none());
        assert!(matches!(
            found.end,
            Some(TimeColumn {
                column: 1,
                unit: Unit::Micros
            })
        ));
    }

    #[test]
    fn what_cannot_be_read_is_told_by_name_and_type() {
        let text = || DataType::Utf8;
        let time = || DataType::Timestamp(TimeUnit::Nanosecond, None);
        for (columns, expected) in [
            (
                vec![("holder_id", text()), ("start", time())],
                "f: no column token_id; the columns are holder_id, start",
            ),
            (
                vec![
                    ("token_id", text()),
                    ("holder_id", text()),
                    ("weight", text()),
                ],
                "f: no column start or end; the columns are token_id, holder_id, weight",
            ),
            (
                vec![
                    ("token_id", text()),
                    ("holder_id", text()),
                    ("start", time()),
                    ("start_us", DataType::Int64),
                ],
                "f: columns start and start_us are both there; keep one of them",
            ),
            (
                vec![("token_id", text()), ("holder_id", DataType::Float64)],
                "f: column holder_id has type Float64, but text or an integer is needed",
            ),
            (
                vec![
                    ("token_id", text()),
                    ("holder_id", text()),
                    ("start", DataType::Date32),
                ],
                "f: column start has type Date32, but a timestamp or integer milliseconds is needed",
            ),
        ] {
            assert_eq!(layout(&columns).unwrap_err(), expected);
        }
    }
}
