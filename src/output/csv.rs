//! The holders as CSV: a header line, then one holder per row, with the version of the policy if there is one. The
//! counts are not written.

use std::io::{self, Write};

use super::{DeficitRow, RefusedLine, ScoreReport};

/// The holders.
pub(super) fn write(report: &ScoreReport<'_>, out: &mut (dyn Write + Send)) -> io::Result<()> {
    let mut rows = ::csv::Writer::from_writer(out);
    let names = [
        "rank",
        "holder_id",
        "held_us",
        "score",
        "weighted_score",
        "total_seconds",
    ];
    let version = report.policy.map(|policy| &*policy.version);
    rows.write_record(names.into_iter().chain(version.map(|_| "policy_version")))?;
    for row in report.leaderboard.rows() {
        rows.serialize((
            row.rank,
            &*row.holder_id,
            row.held_us,
            &*row.score,
            row.weighted_score,
            row.total_seconds,
            // A list of none or one is as many cells.
            version.as_slice(),
        ))?;
    }
    rows.flush()
}

/// The refused lines.
pub(super) fn write_refusals(refused: &[RefusedLine], out: &mut impl Write) -> io::Result<()> {
    let mut rows = ::csv::Writer::from_writer(out);
    rows.write_record(["file", "line", "reason"])?;
    for line in refused {
        rows.serialize((&*line.file, line.line, &line.reason))?;
    }
    rows.flush()
}

/// The deficits; their event ids are separated by blanks.
pub(super) fn write_deficits(deficits: &[DeficitRow], out: &mut impl Write) -> io::Result<()> {
    let mut rows = ::csv::Writer::from_writer(out);
    rows.write_record(["token_id", "holder_id", "at", "balance", "event_ids"])?;
    for row in deficits {
        rows.write_record([
            &row.token_id,
            &row.holder_id,
            &row.at,
            &row.balance,
            &row.event_ids.join(" "),
        ])?;
    }
    rows.flush()
}
