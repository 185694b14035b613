//! Events for property tests: few keys, instants and names, so that many of them meet.

use proptest::prelude::*;

use crate::naive::{INSTANTS, Sent};

/// Events that meet often: two tokens, three holders, few instants, weights and names.
pub(crate) fn events(count: std::ops::Range<usize>) -> impl Strategy<Value = Vec<Sent>> {
    proptest::collection::vec(event(), count)
}

fn event() -> impl Strategy<Value = Sent> {
    let token = prop_oneof![Just("gold"), Just("nft#7")];
    let holder = prop_oneof![
        Just("h"),
        Just("0xc5521660f3a3c5717476189975a3adb3254a9493"),
        Just("0xC5521660f3a3c5717476189975a3adb3254a9493")
    ];
    let times = prop_oneof![
        4 => (INSTANTS, 0_i64..15).prop_map(|(start, length)| (Some(start), Some((start + length).min(29)))),
        2 => INSTANTS.prop_map(|at| (Some(at), None)),
        2 => INSTANTS.prop_map(|at| (None, Some(at))),
    ];
    let weight = prop_oneof![
        Just(0),
        Just(1),
        Just(3),
        Just(u128::from(u64::MAX)),
        0_u128..1 << 100
    ];
    let name = prop_oneof![
        3 => Just((None, 0, false)),
        2 => (prop_oneof![Just("a"), Just("b")], 0_u64..3, prop::bool::weighted(0.2))
            .prop_map(|(id, revision, retract)| (Some(id), revision, retract)),
    ];
    let seq = prop_oneof![3 => Just(0), 1 => 0_u64..3, 1 => Just(i64::MAX.cast_unsigned())];
    let hold = (token, holder, times, weight, name, seq).prop_map(
        |(token, holder, (start, end), weight, name, seq)| Sent {
            token,
            holder,
            start: start.min(end.or(start)),
            end,
            weight,
            event_id: name.0,
            revision: name.1,
            retract: name.2,
            seq,
            ..Sent::default()
        },
    );
    // Many more names than of holds, which are the changes that add up.
    let named = (
        proptest::sample::select(&NAMES[..]),
        0_u64..2,
        prop::bool::weighted(0.1),
    );
    let delta = prop_oneof![6 => -4_i128..6, 1 => -(1_i128 << 100)..1 << 100];
    let change = (hold.clone(), INSTANTS, delta, named, 0_u64..2).prop_map(
        |(hold, at, delta, (event_id, revision, retract), seq)| Sent {
            token: hold.token,
            holder: hold.holder,
            event_id: Some(event_id),
            revision,
            retract,
            at: Some(at),
            delta,
            seq,
            ..Sent::default()
        },
    );
    prop_oneof![2 => hold, 1 => change]
}

const NAMES: [&str; 12] = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"];
