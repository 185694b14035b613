//! A JSON document into steps; whatever is wrong is refused by the number of its step and its field.

use serde_json::{Map, Value};

use super::json;
use super::links::Links;
use super::step::{Lists, Season, Step};
use super::values::{self, PolicyError, shown};
use crate::core::{Addressed, Audience, Micros, Wad};
use crate::excerpt::quoted;

const STEPS_MAX: usize = 32;
const MULTIPLYING_MAX: usize = 4;
const SEASONS_MAX: usize = 1_000;
/// Each step with its required fields and the others.
const STEPS: [(&str, &[&str], &[&str]); 9] = [
    ("exclude", &[], &["holders", "tokens"]),
    ("include", &[], &["holders", "tokens"]),
    ("linked", &["wallets"], &[]),
    ("minimum_hold", &["duration"], &[]),
    ("tiers", &["multipliers"], &["counting"]),
    ("decay", &["multipliers"], &[]),
    ("seasons", &["seasons"], &["otherwise"]),
    ("weight_cap", &["most"], &[]),
    ("score_cap", &["most"], &[]),
];

type Fields = Map<String, Value>;

/// The steps of a document.
pub(super) fn steps(text: &str) -> Result<Vec<Step>, PolicyError> {
    let document = json::read(text)
        .map_err(|error| PolicyError::new("policy", format!("not JSON ({error})")))?;
    let fields = fields("policy", &document, &["steps"], &[])?;
    let Some(documents) = fields["steps"].as_array() else {
        return Err(PolicyError::new("steps", "expected a list of steps"));
    };
    let numbered = documents.iter().enumerate();
    let steps = numbered.map(|(place, document)| step(&format!("steps[{place}]"), document));
    let steps = steps.collect::<Result<Vec<_>, _>>()?;
    if !(1..=STEPS_MAX).contains(&steps.len()) {
        let problem = format!("expected 1 to {STEPS_MAX} steps, found {}", steps.len());
        return Err(PolicyError::new("steps", problem));
    }
    if steps.iter().filter(|step| step.multiplies()).count() > MULTIPLYING_MAX {
        let problem = format!("more than {MULTIPLYING_MAX} steps multiply; combine some");
        return Err(PolicyError::new("steps", problem));
    }
    for (place, step) in steps.iter().enumerate() {
        let name = format!("steps[{place}]");
        if matches!(step, Step::ScoreCap(_)) && place + 1 < steps.len() {
            return Err(PolicyError::new(
                &name,
                "score_cap: not the last step; move it to the end",
            ));
        }
        if matches!(step, Step::Linked(_)) && steps[..place].iter().any(Step::multiplies) {
            return Err(PolicyError::new(
                &name,
                "linked: after a step that multiplies; move it before",
            ));
        }
    }
    Ok(steps)
}

fn step(place: &str, document: &Value) -> Result<Step, PolicyError> {
    let kind = &document["step"];
    let known = STEPS.iter().find(|(name, ..)| kind.as_str() == Some(name));
    let Some((kind, required, optional)) = known else {
        let names: Vec<_> = STEPS.iter().map(|(name, ..)| *name).collect();
        let expected = format!(
            "expected an object with a step, which is one of {}",
            names.join(", ")
        );
        return Err(PolicyError::new(
            place,
            format!("{expected}; found {}", shown(kind)),
        ));
    };
    let place = format!("{place}: {kind}");
    let required: Vec<_> = [&["step"], *required].concat();
    let fields = fields(&place, document, &required, optional)?;
    let at = |name: &str| format!("{place}: {name}");
    Ok(match *kind {
        "exclude" => Step::Exclude(lists(&place, fields)?),
        "include" => Step::Include(lists(&place, fields)?),
        "linked" => Step::Linked(links(&at("wallets"), &fields["wallets"])?),
        "minimum_hold" => {
            let Some(text) = fields["duration"].as_str() else {
                return Err(PolicyError::new(
                    &at("duration"),
                    "expected text such as 7d or 1h30m",
                ));
            };
            Step::MinimumHold {
                least_us: values::duration(&at("duration"), text, 1)?,
            }
        }
        "tiers" => Step::Tiers {
            tiers: values::multipliers(&at("multipliers"), &fields["multipliers"])?,
            is_whole: match fields
                .get("counting")
                .map(|counting| (counting.as_str(), counting))
            {
                None | Some((Some("reached"), _)) => false,
                Some((Some("whole"), _)) => true,
                Some((_, other)) => {
                    let problem = format!("expected reached or whole, not {}", shown(other));
                    return Err(PolicyError::new(&at("counting"), problem));
                }
            },
        },
        "decay" => Step::Decay {
            ages: values::multipliers(&at("multipliers"), &fields["multipliers"])?,
        },
        "seasons" => Step::Seasons {
            seasons: seasons(&place, &fields["seasons"])?,
            otherwise: match fields.get("otherwise") {
                None => 0,
                Some(value) => values::millionths(&at("otherwise"), value)?,
            },
        },
        "weight_cap" => Step::WeightCap(weight(&at("most"), &fields["most"])?),
        _ => Step::ScoreCap(values::score(&at("most"), &fields["most"])?),
    })
}

fn lists(place: &str, fields: &Fields) -> Result<Lists, PolicyError> {
    let list = |name: &str| match fields.get(name) {
        None => Ok(Vec::new()),
        Some(value) => values::ids(&format!("{place}: {name}"), value),
    };
    let lists = Lists {
        holders: list("holders")?,
        tokens: list("tokens")?,
    };
    if lists.holders.is_empty() && lists.tokens.is_empty() {
        let problem = "no holders and no tokens; list at least one of them";
        return Err(PolicyError::new(place, problem));
    }
    Ok(lists)
}

fn links(place: &str, value: &Value) -> Result<Links, PolicyError> {
    let Some(holders) = value.as_object().filter(|holders| !holders.is_empty()) else {
        let problem = "expected at least one holder with a list of its wallets, as in ann: [0xa1]";
        return Err(PolicyError::new(place, problem));
    };
    if holders.contains_key("") {
        return Err(PolicyError::new(
            place,
            "expected a list of ids, none of them empty",
        ));
    }
    let mut links = Links::default();
    for (holder_id, wallets) in holders {
        links.add_holder(holder_id);
        for wallet in values::ids(&format!("{place}: {}", quoted(holder_id)), wallets)? {
            if *wallet == **holder_id {
                continue;
            }
            if holders.contains_key(&*wallet) || !links.add(&wallet, holder_id) {
                let rule = "occurs twice; a wallet has one holder, which is not a wallet itself";
                return Err(PolicyError::new(
                    place,
                    format!("{} {rule}", quoted(&wallet)),
                ));
            }
        }
    }
    Ok(links)
}

fn seasons(place: &str, value: &Value) -> Result<Vec<Season>, PolicyError> {
    let Some(documents) = value.as_array() else {
        return Err(PolicyError::new(place, "expected a list of seasons"));
    };
    let mut seasons = Vec::new();
    for document in documents {
        let fields = fields(place, document, &["end", "start"], &["multiplier"])?;
        let season = Season {
            start: instant(place, "start", &fields["start"])?,
            end: instant(place, "end", &fields["end"])?,
            millionths: match fields.get("multiplier") {
                None => values::MILLION,
                Some(value) => values::millionths(&format!("{place}: multiplier"), value)?,
            },
        };
        if season.start >= season.end {
            return Err(PolicyError::new(
                place,
                "end: not after the start of its season",
            ));
        }
        seasons.push(season);
    }
    seasons.sort_by_key(|season| season.start);
    let place = format!("{place}: seasons");
    if !(1..=SEASONS_MAX).contains(&seasons.len()) {
        let problem = format!("expected 1 to {SEASONS_MAX} seasons");
        return Err(PolicyError::new(&place, problem));
    }
    if let Some(pair) = seasons.windows(2).find(|pair| pair[1].start < pair[0].end) {
        let start = pair[1].start;
        let problem =
            format!("the one from {start} overlaps the one before it; let it start later");
        return Err(PolicyError::new(&place, problem));
    }
    Ok(seasons)
}

fn instant(place: &str, name: &str, value: &Value) -> Result<Micros, PolicyError> {
    let read = match value {
        Value::String(text) => Micros::parse_argument(text),
        other => {
            let millis = other.as_i64().ok_or_else(|| {
                let expected = "start and end: expected a time as text, or milliseconds since 1970";
                PolicyError::new(place, expected)
            })?;
            Micros::from_millis(millis)
        }
    };
    read.map_err(|error| {
        let reason = error.to(Audience::Service);
        PolicyError::new(place, format!("{name}: {reason}; found {}", shown(value)))
    })
}

fn weight(place: &str, value: &Value) -> Result<Wad, PolicyError> {
    let read = match value {
        Value::String(text) => Wad::parse(text),
        Value::Number(number) => match number.as_f64().filter(|_| number.is_f64()) {
            Some(double) => Wad::from_double(double),
            None => Wad::parse(&number.to_string()),
        },
        // Not a number either.
        _ => Wad::parse(""),
    };
    read.map_err(|error| PolicyError::new(place, format!("{error}; found {}", shown(value))))
}

/// The fields of an object that has all of `required`, and of others those of `optional`.
fn fields<'a>(
    place: &str,
    document: &'a Value,
    required: &[&str],
    optional: &[&str],
) -> Result<&'a Fields, PolicyError> {
    let Some(fields) = document.as_object() else {
        return Err(PolicyError::new(place, "expected an object"));
    };
    if let Some(name) = required.iter().find(|name| !fields.contains_key(**name)) {
        return Err(PolicyError::new(place, format!("{name}: missing")));
    }
    let mut known = [required, optional].concat();
    known.sort_unstable();
    let mut unknown = fields.keys().filter(|name| !known.contains(&name.as_str()));
    if let Some(name) = unknown.next() {
        let problem = format!(
            "unknown field {}; known are {}",
            quoted(name),
            known.join(", ")
        );
        return Err(PolicyError::new(place, problem));
    }
    Ok(fields)
}
