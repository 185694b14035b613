//! Whether the manifest of a bundle and its explanation can both be true.
//!
//! Only what no other holder could change is compared; that the manifest is right is what `reproduce` says.

use ruint::aliases::U256;

use super::manifest::{FORMAT, Manifest};
use crate::airdrop::{Explanation, REMAINDER_RULE};
use crate::excerpt::quoted;

/// Why the manifest and the explanation exclude each other.
pub(super) fn contradiction(manifest: &Manifest, explanation: &Explanation) -> Option<String> {
    let options = &manifest.options;
    let (pool, rest) = (options.pool.0, explanation.share.rest.0);
    let capped = manifest.counts.capped;
    let cap = options.cap.map_or(U256::ZERO, |cap| cap.0);
    let rest_of_pool = U256::from(capped)
        .checked_mul(cap)
        .and_then(|capped| pool.checked_sub(capped));
    let stated = if manifest.format != FORMAT {
        format!(
            "manifest.format: {} is not {FORMAT}",
            quoted(&manifest.format)
        )
    } else if manifest.remainder_rule != REMAINDER_RULE {
        format!(
            "manifest.remainder_rule: {} is not {REMAINDER_RULE}",
            quoted(&manifest.remainder_rule)
        )
    } else if manifest.sum.0 != pool {
        format!("manifest.sum: {}, and the pool is {pool}", manifest.sum)
    } else if rest_of_pool != Some(rest) {
        format!(
            "explanation.share.rest: {rest}, and the manifest has {capped} holders at the cap of {cap} in a pool of \
             {pool}"
        )
    } else if explanation.share.is_capped && capped == 0 {
        "explanation.share.is_capped: true, and the manifest has no holder at the cap".to_owned()
    } else if explanation.score.0.steps() < options.min_score.0 {
        format!(
            "explanation.score: {} is below the least score of the manifest",
            explanation.score
        )
    } else {
        return contradicting_name(manifest, explanation);
    };
    Some(stated)
}

/// A score of another name, if nothing in the manifest adds scores of several names.
fn contradicting_name(manifest: &Manifest, explanation: &Explanation) -> Option<String> {
    let options = &manifest.options;
    if options.holders.is_some() {
        return None;
    }
    let kind = options.addresses.0.0;
    let is_of_holder = |name: &str| {
        let name = kind.canonical(name);
        name.is_ok_and(|name| name == explanation.holder_id)
    };
    let mut names = explanation.scores.iter().map(|score| &*score.holder_id);
    if let Some(other) = names.find(|name| !is_of_holder(name)) {
        return Some(format!(
            "explanation.scores: {} is not {}, and the manifest has no file of wallets",
            quoted(other),
            quoted(&explanation.holder_id)
        ));
    }
    let count = explanation.scores.len();
    (count > 1 && !options.merge_duplicates).then(|| {
        format!("explanation.scores: {count} of them, and the manifest merges no duplicates")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANIFEST: &str = r#"{
        "format": "holdmetrics-airdrop-1", "version": "0.1.0",
        "options": {
            "files": ["events.jsonl"], "data_dir": null, "server": null, "input": {}, "on_error": "fail",
            "as_of": "1970-01-01T00:00:08Z", "from": null, "closed_only": false, "policy": null, "pool": "100",
            "decimals": 0, "curve": "linear", "cap": "60", "min_amount": "5", "min_score": "3", "addresses": "evm",
            "merge_duplicates": false, "exclude": null, "holders": null
        },
        "inputs": [], "store": null, "policy": null, "exclude": null, "holders": null, "remainder_rule": "RULE",
        "counts": {
            "read": 2, "accepted": 2, "refused": 0, "deficits": 0, "holders": 2, "excluded": 0, "merged": 0,
            "below_min_score": 0, "without_score": 0, "below_min_amount": 0, "without_amount": 0, "capped": 1,
            "recipients": 2
        },
        "sum": "100", "list": {"file": "list.csv", "sha256": ""}
    }"#;
    const EXPLANATION: &str = r#"{
        "holder_id": "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359", "amount": "40", "score": "0.000000000000000000000003",
        "share": {
            "weight": "3", "total": "3", "rest": "40", "is_capped": false, "floor": "40", "remainder": "0",
            "has_spare_unit": false, "last_spare_unit": null
        },
        "scores": [{"holder_id": "0xfb6916095ca1df60bb79ce92ce3ea74c37c5d359", "score": "0.000000000000000000000003", "keys": []}]
    }"#;

    /// The contradiction after these replacements in both.
    fn told(replacements: &[(&str, &str)]) -> Option<String> {
        let mut both = [
            MANIFEST.replace("RULE", REMAINDER_RULE),
            EXPLANATION.to_owned(),
        ];
        for (from, to) in replacements {
            assert!(both.iter().any(|text| text.contains(from)), "{from}");
            both = both.map(|text| text.replace(from, to));
        }
        let [manifest, explanation] = both;
        contradiction(
            &serde_json::from_str(&manifest).expect("a manifest"),
            &serde_json::from_str(&explanation).expect("an explanation"),
        )
    }

    #[test]
    fn what_excludes_each_other_is_told() {
        assert_eq!(told(&[]), None);
        let (one, other) = (r#""scores": [{"#, r#""scores": [{"holder_id": "x"}, {"#);
        let twice = other.replace(
            "\"x\"",
            r#""0xfb6916095ca1df60bb79ce92ce3ea74c37c5d359", "score": "0", "keys": []"#,
        );
        let wallet = other.replace("\"x\"", r#""wallet", "score": "0", "keys": []"#);
        let is_capped = (r#""is_capped": false"#, r#""is_capped": true"#);
        let none_capped = [
            (r#""capped": 1"#, r#""capped": 0"#),
            (r#""rest": "40""#, r#""rest": "100""#),
        ];
        for (replacements, begin) in [
            (&[("airdrop-1", "airdrop-2")][..], "manifest.format: "),
            (&[("floor(pool", "floor(rest")], "manifest.remainder_rule: "),
            (&[(r#""sum": "100""#, r#""sum": "99""#)], "manifest.sum: 99"),
            (&none_capped[..1], "explanation.share.rest: 40"),
            (
                &[none_capped[0], none_capped[1], is_capped],
                "explanation.share.is_capped: ",
            ),
            (
                &[(r#""min_score": "3""#, r#""min_score": "4""#)],
                "explanation.score: ",
            ),
            (&[(one, &wallet)], "explanation.scores: \"wallet\" is not "),
            (&[(one, &twice)], "explanation.scores: 2 of them"),
        ] {
            let told = told(replacements).unwrap_or_default();
            assert!(told.starts_with(begin), "{begin} {told}");
        }
        let of_wallets = (
            r#"false, "exclude": null, "holders": null"#,
            r#"false, "exclude": null, "holders": "holders.csv""#,
        );
        assert_eq!(told(&[(one, &wallet), of_wallets]).unwrap_or_default(), "");
    }
}
