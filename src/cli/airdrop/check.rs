//! `airdrop check`: whether a bundle of `airdrop explain` is right, from the bundle alone.

use std::path::PathBuf;

use clap::Args;

use super::contradiction::contradiction;
use super::manifest::Manifest;
use super::{read, refused};
use crate::airdrop::{Bundle, Hash, Recorded as _, Text};
use crate::cli::exit::Exit;
use crate::policy::Policy;

/// Shown under the help text.
pub(super) const RULES: &str = "Computed again are the segments from the events, the score from the segments, the amount \
    from the score, the leaf from the amount, and the root from the leaf and the proof. That other holders were treated \
    alike, which `airdrop reproduce` says, cannot be seen from one bundle. Exit codes: 0 equal, 2 something is wrong.";

/// The arguments of `airdrop check`.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// What `explain --bundle` wrote
    #[arg(value_name = "BUNDLE")]
    bundle: PathBuf,
    /// The root that the contract has, to compare with that of the bundle
    #[arg(long, value_name = "HASH", value_parser = Hash::read)]
    root: Option<Hash>,
    /// Print what was found as JSON
    #[arg(long)]
    json: bool,
}

/// Says that everything is equal, or fails with the first difference.
pub(super) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let refused = refused(&arguments.bundle);
    let text = read(&arguments.bundle)?;
    let bundle = Bundle::<Manifest>::parse(&text).map_err(|error| refused(error.to_string()))?;
    let policy = policy_of(&bundle).map_err(&refused)?;
    let conditions = bundle.manifest.options.conditions(policy.as_ref());
    let checked = bundle.check(&text, &conditions);
    checked.map_err(|error| refused(error.to_string()))?;
    let explanation = &bundle.explanation;
    if let Some(contradiction) = contradiction(&bundle.manifest, explanation) {
        return Err(refused(contradiction));
    }
    let root = bundle.claim.as_ref().map(|claim| claim.root);
    if let Some(expected) = arguments.root.map(Text)
        && root != Some(expected)
    {
        let found = root.map_or("none".into(), |root| root.to_string());
        return Err(Exit::usage(format!(
            "--root: {expected} is not the root of the bundle, which is {found}"
        )));
    }
    let leaf = bundle.claim.as_ref().map(|claim| claim.leaf.to_string());
    let root = root.map(|root| root.to_string());
    if arguments.json {
        let found = serde_json::json!({
            "holder_id": explanation.holder_id,
            "score": explanation.score,
            "amount": explanation.amount,
            "leaf": leaf,
            "root": root,
        });
        println!("{found:#}");
        return Ok(());
    }
    let claim = leaf.zip(root).map_or(
        "the bundle has no leaf and no proof".to_owned(),
        |(leaf, root)| format!("its leaf {leaf} leads to the root {root}"),
    );
    println!(
        "equal: {} gets {} base units for a score of {}; {claim}",
        explanation.holder_id, explanation.amount, explanation.score
    );
    Ok(())
}

/// The policy of the bundle, if it is the one that the manifest names.
fn policy_of(bundle: &Bundle<Manifest>) -> Result<Option<Policy>, String> {
    let policy = bundle.policy.as_deref().map(Policy::from_document);
    let policy = policy
        .transpose()
        .map_err(|error| format!("policy: {error}"))?;
    let version = policy.as_ref().map(Policy::version);
    let stated = bundle.manifest.policy.as_ref();
    if version.as_deref() == stated.map(|policy| &*policy.version) {
        return Ok(policy);
    }
    Err("policy: not of the version that the manifest names".into())
}
