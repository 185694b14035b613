//! `journal cursors`: how far each consumer has come, how much of the journal is kept for it, and how a cursor
//! that nobody uses any more is removed.
//!
//! It works while no service runs. A running one reports its consumers in the metrics, and removes cursors with
//! `DELETE /admin/consumers/NAME`.

use std::sync::Arc;

use clap::Args;
use comfy_table::{Attribute, Cell, CellAlignment, Table, presets};
use serde_json::{Value, json};

use super::report::{print, print_json, trimmed};
use super::state_copy;
use super::store_paths::{DataFolder, StorePaths};
use crate::cli::exit::Exit;
use crate::engine::CursorFile;
use crate::excerpt::quoted;
use crate::journal::{JournalError, RealVfs, Survey, Vfs, survey};
use crate::state::{CursorChanges, Standing, StoredCursor};

const HEADINGS: [&str; 6] = [
    "consumer",
    "position",
    "behind",
    "kept",
    "committed",
    "state",
];

/// The arguments of `journal cursors`.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    folder: DataFolder,
    /// Remove the cursor of this consumer; if it is opened again, it begins anew
    #[arg(long, value_name = "NAME")]
    remove: Option<String>,
    /// Print one JSON object instead of text
    #[arg(long)]
    json: bool,
}

/// Lists the cursors, or removes one.
pub(super) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let paths = arguments.folder.find()?;
    let _lock = paths.lock().map_err(|error| match &error {
        JournalError::Locked { .. } => anyhow::anyhow!(
            "{error}; a running service names its consumers in the metric holdmetrics_feed_lag_events, and removes a \
             cursor with `DELETE /admin/consumers/NAME`"
        ),
        _ => error.into(),
    })?;
    match &arguments.remove {
        Some(name) => remove(&paths, name, arguments.json),
        None => list(&paths, arguments.json),
    }
}

fn remove(paths: &StorePaths, name: &str, is_json: bool) -> anyhow::Result<()> {
    // Asked of a copy, because opening the file itself changes it.
    let contents = state_copy::cursors(&paths.data)?;
    if !contents.cursors.contains_key(name) {
        return Err(Exit::usage(format!(
            "--remove: there is no cursor of {}: `main_holdmetrics journal cursors` lists them",
            quoted(name)
        )));
    }
    let vfs: Arc<dyn Vfs> = Arc::new(RealVfs);
    let (mut file, _) = CursorFile::open(&vfs, &paths.data)?;
    file.write(&CursorChanges {
        cursors: [(name.to_owned(), None)].into(),
        ..CursorChanges::default()
    })?;
    if is_json {
        return print_json(&json!({"removed": name}));
    }
    print(&format!("removed the cursor of {name}\n"))
}

fn list(paths: &StorePaths, is_json: bool) -> anyhow::Result<()> {
    let contents = state_copy::cursors(&paths.data)?;
    let found = survey(&RealVfs, &paths.journal)?;
    let rows: Vec<_> = contents
        .cursors
        .iter()
        .map(|(name, cursor)| Row::new(name, *cursor, &found))
        .collect();
    if is_json {
        return print_json(&json!({
            "cursors": rows.iter().map(Row::json).collect::<Vec<_>>(),
            "is_incomplete": contents.is_incomplete,
        }));
    }
    if rows.is_empty() {
        return print("there are no cursors\n");
    }
    print(&table(&rows))
}

/// One cursor and what it costs.
struct Row<'a> {
    name: &'a str,
    cursor: StoredCursor,
    /// Events that it has not processed.
    behind: u64,
    /// Bytes of the segments that contain them; a detached consumer keeps none.
    kept: u64,
}

impl<'a> Row<'a> {
    fn new(name: &'a str, cursor: StoredCursor, found: &Survey) -> Self {
        let last = found.segments.last().map_or(0, |last| last.next - 1);
        let keeping = found.segments.iter().filter(|segment| {
            cursor.standing != Standing::Detached && segment.next > cursor.position + 1
        });
        Self {
            name,
            cursor,
            behind: last.saturating_sub(cursor.processed()),
            kept: keeping.map(|segment| segment.bytes).sum(),
        }
    }

    const fn state(&self) -> &'static str {
        match self.cursor.standing {
            Standing::Following => "following",
            Standing::Detached => "detached",
            Standing::ReadingFacts => "reading facts",
        }
    }

    fn json(&self) -> Value {
        json!({
            "consumer": self.name,
            "position": self.cursor.position,
            "lag_events": self.behind,
            "kept_bytes": self.kept,
            "committed": self.cursor.committed.to_string(),
            "state": self.state(),
        })
    }
}

fn table(rows: &[Row<'_>]) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    let right = |text: String| Cell::new(text).set_alignment(CellAlignment::Right);
    table.set_header(HEADINGS.map(|title| {
        let cell = Cell::new(title).add_attribute(Attribute::Bold);
        match title {
            "position" | "behind" | "kept" => cell.set_alignment(CellAlignment::Right),
            _ => cell,
        }
    }));
    for row in rows {
        table.add_row([
            Cell::new(row.name),
            right(row.cursor.position.to_string()),
            right(row.behind.to_string()),
            right(row.kept.to_string()),
            Cell::new(row.cursor.committed),
            Cell::new(row.state()),
        ]);
    }
    if let Some(names) = table.column_mut(0) {
        names.set_padding((0, 1));
    }
    trimmed(&table)
}
