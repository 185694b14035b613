//! The sales of CryptoPunks, which lie beside the checkout, as events.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// Of all sales.
pub(crate) const EVENTS: usize = 33_648;

/// The file of the sales; `None`, and a line that says so, if it is not there.
pub(crate) fn found() -> Option<PathBuf> {
    let sales = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../shared/data/cryptopunks_sales_2017_2022.csv");
    let sales = std::env::var_os("POH_CRYPTOPUNKS").map_or(sales, PathBuf::from);
    if !sales.is_file() {
        println!(
            "not run: the sales are not at {} (POH_CRYPTOPUNKS names another place)",
            sales.display()
        );
        return None;
    }
    Some(sales)
}

/// Two marks a sale: the seller's stop, the buyer's start.
pub(crate) fn marks(sales: &Path) -> String {
    let mut lines = String::new();
    let mut reader = csv::Reader::from_path(sales).expect("the sales are CSV");
    let header = reader.headers().expect("a header").clone();
    let column = |name| header.iter().position(|found| found == name).expect(name);
    let (at, from, to, punk) = (
        column("date_time"),
        column("from"),
        column("to"),
        column("punk_id"),
    );
    for sale in reader.records() {
        let sale = sale.expect("a row");
        let at = sale[at].replace(' ', "T");
        for (holder, mark) in [(&sale[from], "end"), (&sale[to], "start")] {
            writeln!(
                lines,
                "{{\"token_id\":\"punk/{}\",\"holder_id\":\"{holder}\",\"{mark}\":\"{at}Z\"}}",
                &sale[punk]
            )
            .expect("memory takes it");
        }
    }
    lines
}
