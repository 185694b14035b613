//! How ids and times of synthetic events are written, and which forms a shape leaves open.
//!
//! People's files differ in this alone, and readers are to be as fast with one form as with another.

use super::Shape;
use super::holds::HoldShape;
use super::permutation::mix;
use super::weights::WeightForm;

/// The text of an id. No two numbers have the same one in files of one seed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum IdForm {
    /// `0x` and 40 hexadecimal digits.
    #[default]
    Hex,
    /// The same in upper and lower case.
    MixedHex,
    /// `0x` and 64 hexadecimal digits.
    Hash,
    /// A UUID of version 4.
    Uuid,
    /// An e-mail address.
    Email,
    /// 16 hexadecimal digits.
    Short,
}

const FIRST_NAMES: [&str; 8] = [
    "ana", "chidi", "elena", "hiroshi", "maria", "olu", "sofia", "wei",
];
const LAST_NAMES: [&str; 8] = [
    "almeida",
    "fernandez",
    "johansson",
    "kowalski",
    "nakamura",
    "okafor",
    "rossi",
    "zhang",
];

impl IdForm {
    /// The id of `number` in files of `seed`.
    pub(super) fn id(self, seed: u64, number: u64) -> String {
        let first = mix(seed ^ mix(number));
        let (second, third) = (mix(first), mix(first ^ number) >> 32);
        match self {
            Self::Hex => format!("0x{first:016x}{second:016x}{third:08x}"),
            Self::MixedHex => {
                let is_upper = |place: usize| mix(second) >> place & 1 == 1;
                let digits = format!("{first:016x}{second:016x}{third:08x}");
                let digits = digits.chars().enumerate().map(|(place, digit)| {
                    if is_upper(place) {
                        digit.to_ascii_uppercase()
                    } else {
                        digit
                    }
                });
                format!("0x{}", digits.collect::<String>())
            }
            Self::Hash => format!("0x{first:016x}{second:016x}{third:016x}{:016x}", mix(third)),
            Self::Uuid => {
                let version = first & !0xf000 | 0x4000;
                let variant = second & !(0b11 << 62) | 0b10 << 62;
                let digits = format!("{version:016x}{variant:016x}");
                let groups = [0..8, 8..12, 12..16, 16..20, 20..32].map(|group| &digits[group]);
                groups.join("-")
            }
            Self::Email => {
                let name = |names: [&'static str; 8], bits: u64| {
                    names[usize::try_from(bits % 8).expect("less than eight")]
                };
                let (first_name, last_name) = (name(FIRST_NAMES, first), name(LAST_NAMES, second));
                format!("{first_name}.{last_name}{number}@example.org")
            }
            Self::Short => format!("{first:016x}"),
        }
    }
}

/// The times of a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum TimeForm {
    /// Milliseconds in text formats, timestamps in Parquet.
    #[default]
    Number,
    /// RFC 3339.
    Text,
}

/// The forms of one file.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Forms {
    /// Of holders.
    pub(crate) ids: IdForm,
    /// Of the events of shapes without event ids; `None` for no event ids.
    pub(crate) event_ids: Option<IdForm>,
    /// `None` for those of the shape.
    pub(crate) weights: Option<WeightForm>,
    pub(crate) times: TimeForm,
}

/// A form that a user may choose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Choice {
    Ids,
    EventIds,
    Weights,
    Times,
}

impl Choice {
    /// Whether files of a shape can be written in each of its forms.
    pub(crate) const fn is_open(self, shape: Shape) -> bool {
        match shape {
            Shape::Holds(HoldShape::Equal | HoldShape::Mixed) => true,
            Shape::Holds(HoldShape::Nested) => !matches!(self, Self::Weights),
            Shape::Holds(HoldShape::Marks) | Shape::Transfers => {
                matches!(self, Self::Ids | Self::Times)
            }
            Shape::Export(_) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_number_has_an_id_of_its_own_in_each_form() {
        for (form, lengths) in [
            (IdForm::Hex, 42..=42),
            (IdForm::MixedHex, 42..=42),
            (IdForm::Hash, 66..=66),
            (IdForm::Uuid, 36..=36),
            (IdForm::Email, 21..=64),
            (IdForm::Short, 16..=16),
        ] {
            let ids: HashSet<_> = (0..10_000)
                .flat_map(|number| [form.id(1, number), form.id(1, !number)])
                .collect();
            assert_eq!(ids.len(), 20_000, "{form:?}");
            assert!(ids.iter().all(|id| lengths.contains(&id.len())), "{form:?}");
            let has_upper = |id: &String| id.bytes().any(|byte| byte.is_ascii_uppercase());
            assert_eq!(ids.iter().any(has_upper), form == IdForm::MixedHex);
        }
    }
}
