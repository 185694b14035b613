//! The report for people: aligned columns, grouped digits, durations in words, then the counts, and what is
//! missing from the input.

use std::io::{self, BufWriter, Write};

use comfy_table::{Attribute, Cell, CellAlignment, Color, Table, presets};

use super::ScoreReport;

const UNITS: [(&str, u128); 4] = [("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1)];
/// How many units a duration shows, the largest first: days and hours, or hours and minutes.
const UNITS_SHOWN: usize = 2;
const MICROS_PER_SECOND: u128 = 1_000_000;

/// The holders under a header, then one line with the counts and the window.
pub(super) fn write(
    report: &ScoreReport<'_>,
    has_colours: bool,
    out: &mut (dyn Write + Send),
) -> io::Result<()> {
    let mut out = BufWriter::new(out);
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    if has_colours {
        table.enforce_styling();
    } else {
        table.force_no_tty();
    }
    table.set_header(["rank", "holder", "held", "score"].map(heading));
    let rows: Vec<_> = report.leaderboard.rows().collect();
    let places = rows.iter().map(|row| places(&row.score)).max().unwrap_or(0);
    for row in rows {
        table.add_row([
            number(grouped(&row.rank.to_string())).fg(Color::DarkGrey),
            Cell::new(printable(&row.holder_id)),
            number(duration(row.held_us)),
            number(aligned(&row.score, places)).add_attribute(Attribute::Bold),
        ]);
    }
    for line in table.lines() {
        writeln!(out, "{}", line.trim_end())?;
    }
    writeln!(out, "\n{}", summary(report))?;
    if let Some(policy) = report.policy {
        writeln!(out, "policy {policy}")?;
    }
    if let Some(line) = report.missing_input() {
        writeln!(out, "{line}")?;
    }
    out.flush()
}

fn heading(title: &str) -> Cell {
    let cell = Cell::new(title)
        .add_attribute(Attribute::Bold)
        .fg(Color::Cyan);
    if title == "holder" {
        cell
    } else {
        cell.set_alignment(CellAlignment::Right)
    }
}

fn number(text: String) -> Cell {
    Cell::new(text).set_alignment(CellAlignment::Right)
}

/// A holder's id is untrusted text: control characters are escaped, so that it cannot move the cursor.
pub(crate) fn printable(text: &str) -> String {
    let escape = |letter: char| {
        if letter.is_control() {
            letter.escape_default().to_string()
        } else {
            letter.to_string()
        }
    };
    text.chars().map(escape).collect()
}

/// The number of characters from the decimal point on; 0 without a point.
fn places(decimal: &str) -> usize {
    decimal.find('.').map_or(0, |point| decimal.len() - point)
}

/// A decimal padded on the right to `places_max`, so that the points are aligned.
fn aligned(decimal: &str, places_max: usize) -> String {
    grouped(decimal) + &" ".repeat(places_max - places(decimal))
}

/// A decimal with its whole digits in groups of three.
pub(super) fn grouped(decimal: &str) -> String {
    let (whole, fraction) = decimal.split_at(decimal.find('.').unwrap_or(decimal.len()));
    let mut text = String::with_capacity(decimal.len() * 4 / 3 + 1);
    for (place, digit) in whole.chars().enumerate() {
        if place > 0 && (whole.len() - place) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text + fraction
}

/// A duration in its two largest units: `3 d 4 h`; under a second in seconds with decimals.
fn duration(held_us: u128) -> String {
    let mut seconds = held_us / MICROS_PER_SECOND;
    let micros = held_us % MICROS_PER_SECOND;
    if seconds == 0 && micros > 0 {
        let digits = format!("{micros:06}");
        return format!("0.{} s", digits.trim_end_matches('0'));
    }
    let mut parts = Vec::new();
    for (unit, size) in UNITS {
        let count = seconds / size;
        seconds %= size;
        if count > 0 || !parts.is_empty() {
            parts.push(format!("{} {unit}", grouped(&count.to_string())));
        }
    }
    parts.truncate(UNITS_SHOWN);
    if parts.is_empty() {
        "0 s".to_owned()
    } else {
        parts.join(" ")
    }
}

fn summary(report: &ScoreReport<'_>) -> String {
    let holders = count(report.leaderboard.known() as u64, "holder");
    let (known, listed) = (report.leaderboard.known(), report.leaderboard.listed());
    let shown = if listed < known {
        format!(" ({} shown)", count_of(listed as u64))
    } else {
        String::new()
    };
    let refused = match report.refused.len() as u64 {
        0 => String::new(),
        refused => format!(", {} refused", count_of(refused)),
    };
    format!(
        "{holders}{shown}, {} of {} accepted{refused}; {}",
        count_of(report.accepted),
        count(report.read, "event"),
        window_text(report)
    )
}

/// The window of the question.
pub(super) fn window_text(report: &ScoreReport<'_>) -> String {
    let window = report.window;
    let from = window
        .from
        .map_or(String::new(), |from| format!("from {from} "));
    let now = if report.is_as_of_now { " (now)" } else { "" };
    let closed = if window.closed_only {
        ", closed holds only"
    } else {
        ""
    };
    format!("{from}as of {}{now}{closed}", window.as_of)
}

pub(super) fn count_of(number: u64) -> String {
    grouped(&number.to_string())
}

fn count(number: u64, thing: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {thing}{plural}", count_of(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_and_fractions_are_not() {
        for (plain, text) in [
            ("0", "0"),
            ("999", "999"),
            ("1000", "1,000"),
            ("1234567.1234567", "1,234,567.1234567"),
        ] {
            assert_eq!(grouped(plain), text);
        }
    }

    #[test]
    fn decimal_points_are_aligned() {
        assert_eq!(aligned("1000", 3), "1,000   ");
        assert_eq!(aligned("2.5", 3), "2.5 ");
        assert_eq!(aligned("0.25", 3), "0.25");
    }

    #[test]
    fn durations_show_their_two_largest_units() {
        for (held_us, text) in [
            (0, "0 s"),
            (1, "0.000001 s"),
            (500_000, "0.5 s"),
            (61_999_999, "1 min 1 s"),
            (3_600_000_000, "1 h 0 min"),
            (1_234 * 86_400_000_000 + 3 * 3_600_000_000, "1,234 d 3 h"),
        ] {
            assert_eq!(duration(held_us), text);
        }
    }

    #[test]
    fn control_characters_of_an_id_are_escaped() {
        assert_eq!(printable("a\u{1b}[2Jé"), "a\\u{1b}[2Jé");
    }
}
