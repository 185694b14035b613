//! Lists without trees, as other tools read them: Safe's CSV airdrop, Sablier, thirdweb.

use std::io::{self, Write};

use super::{List, format_units};

/// The form of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExportFormat {
    /// `address,amount` in base units.
    Csv,
    /// `token_address,receiver,amount` in tokens, for Safe's airdrop app.
    SafeCsv,
    /// `address,amount` in tokens.
    SablierCsv,
    /// `[{"recipient","amount"}]` in tokens.
    ThirdwebJson,
}

impl List {
    /// Writes the list in a form of another tool; `token` is the token's address, empty for the chain's own.
    ///
    /// # Errors
    /// If `out` cannot be written to.
    pub fn write_as(
        &self,
        format: ExportFormat,
        places: u8,
        token: &str,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        let mut out = io::BufWriter::new(out);
        let rows = (0..self.len()).map(|row| {
            let amount = format_units(self.amount(row), places);
            (row, self.address(row), amount)
        });
        match format {
            ExportFormat::Csv => self.write(&mut out)?,
            ExportFormat::SafeCsv => {
                writeln!(out, "token_address,receiver,amount")?;
                for (row, address, amount) in rows {
                    let own = self.token(row);
                    let token = own.as_deref().unwrap_or(token);
                    writeln!(out, "{token},{address},{amount}")?;
                }
            }
            ExportFormat::SablierCsv => {
                writeln!(out, "address,amount")?;
                for (_, address, amount) in rows {
                    writeln!(out, "{address},{amount}")?;
                }
            }
            ExportFormat::ThirdwebJson => {
                out.write_all(b"[")?;
                for (row, address, amount) in rows {
                    let comma = if row == 0 { "" } else { "," };
                    write!(
                        out,
                        r#"{comma}{{"recipient":"{address}","amount":"{amount}"}}"#
                    )?;
                }
                out.write_all(b"]")?;
            }
        }
        out.flush()
    }
}
