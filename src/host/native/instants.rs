//! `datetime` objects as microseconds since 1970.
//!
//! If the zone is UTC, as in every `HoldEvent`, the fields are read directly; of any other aware
//! `datetime` the offset is queried. A naive one is refused, because it is not an instant.

use pyo3::prelude::*;
use pyo3::types::{
    PyDateAccess, PyDateTime, PyDelta, PyDeltaAccess, PyTimeAccess, PyTzInfo, PyTzInfoAccess,
};

use crate::core::time::days_since_1970;
use crate::core::{Field, Micros, Refusal, TimeError};

const SECOND: i64 = 1_000_000;
const DAY: i64 = 86_400 * SECOND;

/// Reads `datetime` objects.
pub(super) struct InstantReader<'py> {
    utc: Bound<'py, PyTzInfo>,
}

impl<'py> InstantReader<'py> {
    pub(super) fn new(py: Python<'py>) -> PyResult<Self> {
        Ok(Self {
            utc: PyTzInfo::utc(py)?.to_owned(),
        })
    }

    /// The instant of `value`, an aware `datetime`; `None` for `None`.
    pub(super) fn read(
        &self,
        field: Field,
        value: Option<&Bound<'py, PyAny>>,
    ) -> Result<Option<Micros>, Refusal> {
        let refused = |error| Refusal::Time(field, error);
        let Some(value) = value.filter(|value| !value.is_none()) else {
            return Ok(None);
        };
        let value = value
            .cast::<PyDateTime>()
            .map_err(|_| refused(TimeError::NotATime))?;
        let zone = value.get_tzinfo().ok_or(refused(TimeError::NoOffset))?;
        let offset = if zone.is(&self.utc) {
            0
        } else {
            offset_micros(value).ok_or(refused(TimeError::NoOffset))?
        };
        Micros::new(civil_micros(value) - offset)
            .map(Some)
            .map_err(refused)
    }
}

/// The fields of `value` as if they were UTC.
fn civil_micros(value: &Bound<'_, PyDateTime>) -> i64 {
    let days = days_since_1970(
        value.get_year().into(),
        value.get_month().into(),
        value.get_day().into(),
    );
    let minutes = i64::from(value.get_hour()) * 60 + i64::from(value.get_minute());
    let seconds = minutes * 60 + i64::from(value.get_second());
    days * DAY + seconds * SECOND + i64::from(value.get_microsecond())
}

/// The offset from UTC; `None` if the zone has none.
fn offset_micros(value: &Bound<'_, PyDateTime>) -> Option<i64> {
    let offset = value.call_method0("utcoffset").ok()?;
    let offset = offset.cast::<PyDelta>().ok()?;
    Some(
        i64::from(offset.get_days()) * DAY
            + i64::from(offset.get_seconds()) * SECOND
            + i64::from(offset.get_microseconds()),
    )
}
