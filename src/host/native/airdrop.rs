//! Airdrops for Python: a pool shared by score, and Merkle trees over lists.
//!
//! Amounts and scores cross the boundary as decimal text, because they have up to 256 bits; documents as bytes.

use pyo3::prelude::*;
use pyo3::types::PyBytes;
use ruint::aliases::U256;

use crate::airdrop::{
    AddressKind, Curve, Details, Document, EvmAddress, Format, HexHash, List, Share, Terms,
    allocate, parse_units,
};
use crate::excerpt::quoted;
use crate::host::errors::{guarded, refused};
use crate::host::workers::detached;

/// The amounts that a pool gives to holders with these scores, in steps of 1e-24 weight-seconds, as text; how many get
/// the cap, and how many are left out because of the minimum. Raises `ValueError` if the pool cannot be shared.
#[pyfunction]
#[pyo3(signature = (shares, pool, curve, cap, min_amount))]
pub(super) fn allocate_pool(
    py: Python<'_>,
    shares: Vec<(String, String)>,
    pool: &str,
    curve: &str,
    cap: Option<&str>,
    min_amount: &str,
) -> PyResult<(Vec<String>, usize, usize)> {
    guarded("allocate_pool", || {
        let terms = Terms {
            pool: number("pool", pool)?,
            curve: Curve::named(curve).ok_or_else(|| {
                refused(format!(
                    "curve: {} is not linear or square-root",
                    quoted(curve)
                ))
            })?,
            cap: cap.map(|cap| number("cap", cap)).transpose()?,
            minimum: number("min_amount", min_amount)?,
        };
        let shares = shares.into_iter().map(|(holder_id, score)| {
            Ok(Share {
                holder_id: holder_id.into(),
                score: number("score", &score)?,
            })
        });
        let shares = shares.collect::<PyResult<Vec<_>>>()?;
        let allocation = detached(py, || allocate(&shares, &terms))?.map_err(refused)?;
        let amounts = allocation.amounts.iter().map(ToString::to_string);
        Ok((
            amounts.collect(),
            allocation.capped,
            allocation.below_minimum,
        ))
    })
}

fn number(name: &str, text: &str) -> PyResult<U256> {
    parse_units(text, 0).map_err(|error| refused(format!("{name}: {error}")))
}

/// An address of an EVM chain with the checksum of EIP-55. Raises `ValueError` for other text, and for another checksum.
#[pyfunction]
pub(super) fn checksummed_address(address: &str) -> PyResult<String> {
    let address =
        EvmAddress::parse(address).map_err(|error| refused(format!("address: {error}")))?;
    Ok(address.to_string())
}

/// A list with its Merkle tree, in a format that is one file.
#[pyclass(frozen, module = "poh_holdmetrics.native")]
pub(super) struct MerkleTree(Document);

#[pymethods]
impl MerkleTree {
    /// The tree of addresses and amounts in base units, as text. Raises `ValueError` naming the row, from 1.
    #[staticmethod]
    #[pyo3(signature = (rows, format, token=None))]
    fn of_list(
        py: Python<'_>,
        rows: Vec<(String, String)>,
        format: &str,
        token: Option<&str>,
    ) -> PyResult<Self> {
        guarded("MerkleTree.of_list", || {
            let kind = Format::named(format).filter(|format| !format.is_folder());
            let kind = kind.ok_or_else(|| {
                refused(format!(
                    "format: {} is not a format of one file",
                    quoted(format)
                ))
            })?;
            let token = token.map(EvmAddress::parse).transpose();
            let token = token.map_err(|error| refused(format!("token: {error}")))?;
            let built = detached(py, || {
                let mut list = List::new(false);
                for (address, amount) in rows {
                    list.push(&address, &amount);
                }
                if let Err((row, reason)) = list.check(kind.addresses()) {
                    return Err(format!("row {}: {reason}", row + 1));
                }
                let list = match token {
                    Some(token) => list.of_token(&token),
                    None => list,
                };
                let document = Document::of_list(&list, kind, Details::default());
                document.map_err(|error| error.to_string())
            })?;
            built.map(Self).map_err(refused)
        })
    }

    /// Reads a file of any format of one file, and checks every leaf, hash, proof and sum in it.
    #[staticmethod]
    fn read(py: Python<'_>, text: &[u8]) -> PyResult<Self> {
        guarded("MerkleTree.read", || {
            let read = detached(py, || Document::read(text))?;
            read.map(Self).map_err(refused)
        })
    }

    /// Its name, as in `standard-v1`.
    #[getter]
    fn format(&self) -> &'static str {
        self.0.format().name()
    }

    /// What the contract keeps, in hexadecimal digits after 0x.
    #[getter]
    fn root(&self) -> String {
        HexHash(&self.0.root()).to_string()
    }

    fn __len__(&self) -> usize {
        self.0.len()
    }

    /// The sum of the amounts as text; None if the values have no amounts.
    #[getter]
    fn sum(&self) -> Option<String> {
        self.0.sum().map(|sum| sum.to_string())
    }

    /// The value, leaf and proof of each row of a holder, as JSON objects. The address may be in any case.
    fn proofs(&self, holder: &str) -> PyResult<Vec<String>> {
        guarded("MerkleTree.proofs", || {
            let kind = self.0.format().addresses();
            let name = kind.canonical(holder);
            let name = name.map_err(|error| refused(format!("holder: {error}")))?;
            let name = match kind {
                AddressKind::Evm => name.to_ascii_lowercase(),
                AddressKind::Solana | AddressKind::Text => name.into(),
            };
            let rows = self.0.rows_of(&name).into_iter();
            Ok(rows.map(|row| self.0.proven(row)).collect())
        })
    }

    /// The file.
    fn dump<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        guarded("MerkleTree.dump", || {
            let mut bytes = Vec::new();
            let written = detached(py, || self.0.write(&mut bytes, &|_| ()))?;
            written.map_err(refused)?;
            Ok(PyBytes::new(py, &bytes))
        })
    }
}
