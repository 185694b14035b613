//! Which column of a columnar file holds which field, found and checked once before any row.
//!
//! Reads no values; see [`super::batch_rows`].

use std::sync::Arc;

use arrow_schema::{DataType, Schema};

use super::decimal_column::DecimalColumn;
use super::error::{HOLDER_COLUMNS, TIME_COLUMNS, TOKEN_COLUMN};
use super::hex;
use super::id_column::IdColumn;
use super::options::FIELDS;
use super::text_column::TextColumn;
use super::type_words::type_words;
use super::{InputError, InputOptions, unknown_columns};
use crate::core::TimeUnit;

/// A file's columns by field, as indices into batches of the projected columns only.
#[derive(Debug)]
pub(super) struct ColumnMapping {
    pub(super) token_id: usize,
    pub(super) holder_id: Option<usize>,
    pub(super) start: Option<MappedTime>,
    pub(super) end: Option<MappedTime>,
    pub(super) weight: Option<usize>,
    pub(super) event_id: Option<usize>,
    pub(super) revision: Option<usize>,
    pub(super) retract: Option<usize>,
    pub(super) at: Option<MappedTime>,
    pub(super) delta: Option<usize>,
    pub(super) seq: Option<usize>,
    pub(super) from_id: Option<usize>,
    pub(super) to_id: Option<usize>,
    pub(super) amount: Option<usize>,
    /// The mapped columns as indices into the file's columns, ascending.
    pub(super) projection: Vec<usize>,
    /// Texts that all rows have; their indices follow those of the projected columns.
    pub(super) constants: Vec<String>,
    pub(super) options: Arc<InputOptions>,
    /// The names of the other columns.
    ignored: Vec<String>,
}

/// A column of instants.
#[derive(Clone, Copy, Debug)]
pub(super) struct MappedTime {
    pub(super) column: usize,
    /// The unit of integers; a timestamp has its own.
    pub(super) unit: TimeUnit,
}

impl ColumnMapping {
    /// # Errors
    /// If a required column is absent, a column is there twice, or a column has a type that cannot be read.
    pub(super) fn new(
        file: &Arc<str>,
        schema: &Schema,
        options: &Arc<InputOptions>,
    ) -> Result<Self, InputError> {
        let ignored = ignored_columns(file, schema, options)?;
        let mut finder = Finder {
            file,
            schema,
            options,
            projection: Vec::new(),
            constants: Vec::new(),
        };
        let token_id = finder.id("token_id")?;
        let token_id = token_id.ok_or_else(|| finder.missing(TOKEN_COLUMN))?;
        let holder_id = finder.id("holder_id")?;
        let start = finder.time("start", "start_us")?;
        let end = finder.time("end", "end_us")?;
        let weight = finder.decimal("weight")?;
        let event_id = finder.find("event_id", TextColumn::can_read, "text")?;
        let revision = finder.find("revision", is_integer, "an integer")?;
        let retract = finder.find("retract", is_boolean, "a boolean")?;
        let at = finder.time("at", "at_us")?;
        let delta = finder.decimal("delta")?;
        let seq = finder.find("seq", is_integer, "an integer")?;
        let from_id = finder.id("from_id")?;
        let to_id = finder.id("to_id")?;
        let amount = finder.decimal("amount")?;
        if holder_id.or(from_id).or(to_id).is_none() {
            return Err(finder.missing(HOLDER_COLUMNS));
        }
        if start.or(end).or(at).is_none() && retract.is_none() {
            return Err(finder.missing(TIME_COLUMNS));
        }
        let mut projection = finder.projection;
        projection.sort_unstable();
        let (columns, constants) = (schema.fields().len(), finder.constants);
        let index = |column: usize| match column.checked_sub(columns) {
            Some(constant) => projection.len() + constant,
            None => projection
                .binary_search(&column)
                .expect("every column found is in the projection"),
        };
        let mapped_time = |time: MappedTime| MappedTime {
            column: index(time.column),
            unit: time.unit,
        };
        Ok(Self {
            token_id: index(token_id),
            holder_id: holder_id.map(index),
            start: start.map(mapped_time),
            end: end.map(mapped_time),
            weight: weight.map(index),
            event_id: event_id.map(index),
            revision: revision.map(index),
            retract: retract.map(index),
            at: at.map(mapped_time),
            delta: delta.map(index),
            seq: seq.map(index),
            from_id: from_id.map(index),
            to_id: to_id.map(index),
            amount: amount.map(index),
            projection,
            constants,
            options: Arc::clone(options),
            ignored,
        })
    }

    /// The columns that no field is read from.
    pub(super) fn ignored(&self) -> impl Iterator<Item = &str> {
        self.ignored.iter().map(String::as_str)
    }
}

/// The columns that no field is read from; fails at one that is probably meant for a field.
fn ignored_columns(
    file: &Arc<str>,
    schema: &Schema,
    options: &InputOptions,
) -> Result<Vec<String>, InputError> {
    const MICROS: [(&str, &str); 3] = [("start_us", "start"), ("end_us", "end"), ("at_us", "at")];
    let (fields, sources) = (schema.fields(), &options.columns);
    let names = || fields.iter().map(|field| field.name().as_str());
    let is_column_of = |field: &str, name: &str| {
        let micros = || MICROS.contains(&(name, field)) && sources.get(field).is_none();
        sources.column(field) == Some(name) || micros()
    };
    let mapped = FIELDS.iter().filter(|field| sources.get(field).is_some());
    let mut mapped = mapped.filter_map(|field| sources.column(field));
    if let Some(absent) = mapped.find(|column| !names().any(|name| name == *column)) {
        return Err(InputError::MissingColumn {
            file: Arc::clone(file),
            column: absent.to_owned(),
            columns: names().map(str::to_owned).collect(),
            cure: "",
        });
    }
    let is_read = |index: usize| {
        FIELDS
            .iter()
            .any(|field| is_column_of(field, fields[index].name()))
    };
    let has = |field: &str| {
        sources.constant(field).is_some() || names().any(|name| is_column_of(field, name))
    };
    match unknown_columns::ignored(names(), is_read, has, sources) {
        Ok(ignored) => Ok(ignored.into_iter().map(str::to_owned).collect()),
        Err(near) => Err(InputError::NearMiss {
            file: Arc::clone(file),
            near,
        }),
    }
}

struct Finder<'a> {
    file: &'a Arc<str>,
    schema: &'a Schema,
    options: &'a InputOptions,
    projection: Vec<usize>,
    /// Their indices follow those of the file's columns.
    constants: Vec<String>,
}

impl Finder<'_> {
    fn missing(&self, (column, cure): (&str, &'static str)) -> InputError {
        let fields = self.schema.fields();
        InputError::MissingColumn {
            file: Arc::clone(self.file),
            column: column.to_owned(),
            columns: fields.iter().map(|field| field.name().clone()).collect(),
            cure,
        }
    }

    fn id(&mut self, name: &str) -> Result<Option<usize>, InputError> {
        let can_read: fn(&DataType) -> bool = if self.options.values.hex_binary_ids {
            |values| IdColumn::can_read(values) || hex::is_fixed_binary(values)
        } else {
            |values| IdColumn::can_read(values) || hex::is_uuid(values)
        };
        let expected = "text or an integer (or --binary-ids hex, for binary ids)";
        self.find(name, can_read, expected)
    }

    fn decimal(&mut self, name: &str) -> Result<Option<usize>, InputError> {
        let expected = "a double, a decimal, an integer or text";
        self.find(name, DecimalColumn::can_read, expected)
    }

    /// The column of `field`, of a type that `can_read` accepts, plain or dictionary-encoded.
    fn find(
        &mut self,
        field: &str,
        can_read: fn(&DataType) -> bool,
        expected: &'static str,
    ) -> Result<Option<usize>, InputError> {
        let fields = self.schema.fields();
        let sources = &self.options.columns;
        let Some(name) = sources.column(field) else {
            return Ok(sources.constant(field).map(|text| {
                self.constants.push(text.to_owned());
                fields.len() + self.constants.len() - 1
            }));
        };
        let mut columns = (0..fields.len()).filter(|column| fields[*column].name() == name);
        let Some(column) = columns.next() else {
            return match sources.get(field) {
                Some(_) => Err(self.missing((name, ""))),
                None => Ok(None),
            };
        };
        if columns.next().is_some() {
            return Err(self.two(name, name));
        }
        let found = fields[column].data_type();
        let values = match found {
            DataType::Dictionary(_, values) => values,
            plain => plain,
        };
        if *values == DataType::Null {
            return Ok(None);
        }
        if !can_read(values) {
            return Err(InputError::ColumnType {
                file: Arc::clone(self.file),
                column: name.to_owned(),
                found: type_words(found).into_owned(),
                expected,
            });
        }
        self.projection.push(column);
        Ok(Some(column))
    }

    /// The times of one field, in one of its two columns.
    fn time(&mut self, name: &str, name_us: &str) -> Result<Option<MappedTime>, InputError> {
        let (can_read, expected): (fn(&DataType) -> bool, _) =
            if self.options.values.times.assume_utc {
                (
                    |values| {
                        is_time(values) || matches!(values, DataType::Date32 | DataType::Date64)
                    },
                    "a timestamp, a date, text or an integer",
                )
            } else {
                (
                    is_time,
                    "a timestamp, text or an integer (or --assume-utc, for dates)",
                )
            };
        let instants = self.find(name, can_read, expected)?;
        let micros = match self.options.columns.get(name) {
            None => self.find(name_us, is_integer, "integer microseconds")?,
            Some(_) => None,
        };
        match (instants, micros) {
            (Some(_), Some(_)) => Err(self.two(name, name_us)),
            (Some(column), None) => Ok(Some(MappedTime {
                column,
                unit: self.options.values.times.unit,
            })),
            (None, Some(column)) => Ok(Some(MappedTime {
                column,
                unit: TimeUnit::Micros,
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
    values.is_integer()
        || matches!(values, DataType::Timestamp(_, _) | DataType::Float64)
        || TextColumn::can_read(values)
}

fn is_boolean(values: &DataType) -> bool {
    *values == DataType::Boolean
}

#[cfg(test)]
mod tests {
    use arrow_schema::{Field, TimeUnit as ArrowUnit};

    use super::*;

    fn mapping(columns: &[(&str, DataType)]) -> Result<ColumnMapping, String> {
        let fields = columns
            .iter()
            .map(|(name, kind)| Field::new(*name, kind.clone(), true));
        let schema = Schema::new(fields.collect::<Vec<_>>());
        ColumnMapping::new(&"f".into(), &schema, &Arc::default()).map_err(|error| error.to_string())
    }

    #[test]
    fn indices_count_the_projected_columns_only() {
        let found = mapping(&[
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
            (Some(0), Some(2), 3)
        );
        assert!(found.start.is_none());
        assert!(matches!(
            found.end,
            Some(MappedTime {
                column: 1,
                unit: TimeUnit::Micros
            })
        ));
    }

    #[test]
    fn unreadable_columns_are_refused_by_name_and_type() {
        let text = || DataType::Utf8;
        let time = || DataType::Timestamp(ArrowUnit::Nanosecond, None);
        for (columns, expected) in [
            (
                vec![("holder_id", text()), ("start", time())],
                "f: no column token_id; the columns are holder_id, start; name yours: --columns token_id=COLUMN, or --token NAME",
            ),
            (
                vec![
                    ("token_id", text()),
                    ("holder_id", text()),
                    ("weight", text()),
                ],
                "f: no column start, end or at; the columns are token_id, holder_id, weight; name yours: --columns start=COLUMN",
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
                vec![("token_id", text()), ("at", time()), ("amount", text())],
                "f: no column holder_id, from_id or to_id; the columns are token_id, at, amount; name yours: --columns holder_id=COLUMN",
            ),
            (
                vec![
                    ("token_id", text()),
                    ("to_id", text()),
                    ("at", time()),
                    ("at_us", DataType::Int64),
                ],
                "f: columns at and at_us are both there; keep one of them",
            ),
            (
                vec![("token_id", text()), ("to_id", text()), ("amount", time())],
                "f: column amount is of type timestamp, but a double, a decimal, an integer or text is needed",
            ),
            (
                vec![("token_id", text()), ("holder_id", text()), ("seq", text())],
                "f: column seq is of type text, but an integer is needed",
            ),
            (
                vec![("token_id", text()), ("holder_id", DataType::Float64)],
                "f: column holder_id is of type double, but text or an integer (or --binary-ids hex, for binary ids) is needed",
            ),
            (
                vec![
                    ("token_id", text()),
                    ("holder_id", text()),
                    ("start", DataType::Date32),
                ],
                "f: column start is of type date, but a timestamp, text or an integer (or --assume-utc, for dates) is needed",
            ),
        ] {
            assert_eq!(mapping(&columns).unwrap_err(), expected);
        }
    }
}
