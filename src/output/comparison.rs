//! Who moves between two leaderboards of the same events: another rank or score, or published by only one.

use std::collections::BTreeMap;
use std::io::{self, BufWriter, Write};

use comfy_table::{Cell, CellAlignment, Table, presets};
use serde::Serialize;

use super::json::write_list;
use super::table::{count_of, grouped, printable, window_text};
use super::{Leaderboard, OutputFormat, PolicyName, ScoreReport};

/// Rank and exact score of a holder in both; `None` where it is not published.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Move {
    /// The holder.
    pub holder_id: String,
    /// Its rank before.
    pub rank_before: Option<u64>,
    /// Its rank after.
    pub rank_after: Option<u64>,
    /// Its score before.
    pub score_before: Option<String>,
    /// Its score after.
    pub score_after: Option<String>,
}

/// Two leaderboards of one set of files.
pub(crate) struct Comparison<'a> {
    /// The question and the counts; its leaderboard is that of `after`.
    pub report: ScoreReport<'a>,
    /// The policy before; `None` for the scores themselves.
    pub before: Option<&'a PolicyName>,
    /// The first of those who move.
    pub moves: Vec<Move>,
    /// How many move.
    pub moved: usize,
    /// How many holders are published by at least one of the two.
    pub holders: usize,
}

/// Those who move, and how many holders there are in both together: in the order of the ranks after, then
/// before, those without a rank last; then by `holder_id`.
pub(crate) fn moves_between(
    before: &dyn Leaderboard,
    after: &dyn Leaderboard,
) -> (Vec<Move>, usize) {
    type Place = Option<(u64, String)>;
    let mut places: BTreeMap<String, (Place, Place)> = BTreeMap::new();
    for row in before.rows() {
        let place = places.entry(row.holder_id.into_owned()).or_default();
        place.0 = Some((row.rank, row.score.into_owned()));
    }
    for row in after.rows() {
        let place = places.entry(row.holder_id.into_owned()).or_default();
        place.1 = Some((row.rank, row.score.into_owned()));
    }
    let holders = places.len();
    let different = places
        .into_iter()
        .filter(|(_, (before, after))| before != after);
    let mut moves: Vec<_> = different
        .map(|(holder_id, (before, after))| {
            let (rank_before, score_before) = before.unzip();
            let (rank_after, score_after) = after.unzip();
            Move {
                holder_id,
                rank_before,
                rank_after,
                score_before,
                score_after,
            }
        })
        .collect();
    let last = |rank: Option<u64>| rank.unwrap_or(u64::MAX);
    // Stable, so that equal ranks stay in the order of their ids.
    moves.sort_by_key(|each| (last(each.rank_after), last(each.rank_before)));
    (moves, holders)
}

/// Writes `comparison` to `out`.
///
/// # Errors
/// If `out` cannot be written to, and for Parquet, which a comparison has no form of.
pub(crate) fn write_comparison(
    comparison: &Comparison<'_>,
    format: OutputFormat,
    out: &mut (dyn Write + Send),
) -> io::Result<()> {
    match format {
        OutputFormat::Table => table(comparison, out),
        OutputFormat::Json => json(comparison, out),
        OutputFormat::Csv => csv(comparison, out),
        OutputFormat::Parquet => Err(io::ErrorKind::Unsupported.into()),
    }
}

fn table(comparison: &Comparison<'_>, out: &mut (dyn Write + Send)) -> io::Result<()> {
    let mut out = BufWriter::new(out);
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.force_no_tty();
    table.set_header(["holder", "rank", "score"]);
    let right = |text| Cell::new(text).set_alignment(CellAlignment::Right);
    let change = |before: Option<String>, after: Option<String>| {
        let shown =
            |text: Option<String>| text.map_or_else(|| "-".to_owned(), |text| grouped(&text));
        right(format!("{} -> {}", shown(before), shown(after)))
    };
    let text = |rank: Option<u64>| rank.map(|rank| rank.to_string());
    for each in &comparison.moves {
        table.add_row([
            Cell::new(printable(&each.holder_id)),
            change(text(each.rank_before), text(each.rank_after)),
            change(each.score_before.clone(), each.score_after.clone()),
        ]);
    }
    for line in table.lines() {
        writeln!(out, "{}", line.trim_end())?;
    }
    let (moved, holders) = (
        count_of(comparison.moved as u64),
        count_of(comparison.holders as u64),
    );
    let listed = comparison.moves.len();
    let shown = if listed < comparison.moved {
        format!(" ({} shown)", count_of(listed as u64))
    } else {
        String::new()
    };
    let window = window_text(&comparison.report);
    writeln!(out, "\n{moved} of {holders} holders move{shown}; {window}")?;
    let named = |policy: Option<&PolicyName>| {
        policy.map_or_else(|| "no policy".to_owned(), PolicyName::to_string)
    };
    writeln!(out, "before: {}", named(comparison.before))?;
    writeln!(out, "after: {}", named(comparison.report.policy))?;
    if let Some(line) = comparison.report.missing_input() {
        writeln!(out, "{line}")?;
    }
    out.flush()
}

fn json(comparison: &Comparison<'_>, out: &mut (dyn Write + Send)) -> io::Result<()> {
    let mut out = BufWriter::new(out);
    super::json::write_reading(&comparison.report, &mut out)?;
    for (name, policy) in [
        ("before", comparison.before),
        ("after", comparison.report.policy),
    ] {
        write!(out, ",\n\"{name}\": ")?;
        serde_json::to_writer(&mut out, &policy)?;
    }
    write!(
        out,
        ",\n\"holders_total\": {},\n\"moved\": {},\n\"moves\": ",
        comparison.holders, comparison.moved
    )?;
    write_list(&mut out, comparison.moves.iter(), |out, each| {
        serde_json::to_writer(out, each)
    })?;
    out.write_all(b"\n}\n")?;
    out.flush()
}

fn csv(comparison: &Comparison<'_>, out: &mut (dyn Write + Send)) -> io::Result<()> {
    let mut rows = ::csv::Writer::from_writer(out);
    rows.write_record([
        "holder_id",
        "rank_before",
        "rank_after",
        "score_before",
        "score_after",
        "policy_version_before",
        "policy_version_after",
    ])?;
    let version = |policy: Option<&PolicyName>| policy.map(|policy| policy.version.clone());
    let versions = (
        version(comparison.before),
        version(comparison.report.policy),
    );
    for each in &comparison.moves {
        rows.serialize((
            &each.holder_id,
            each.rank_before,
            each.rank_after,
            &each.score_before,
            &each.score_after,
            &versions,
        ))?;
    }
    rows.flush()
}
