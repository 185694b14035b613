//! What all shapes draw from: holders by Zipf's law, tokens evenly, a shuffled order of rows.
//!
//! Every value is a pure function of the seed and a number. One seed gives one file on one kind of
//! machine: the powers in Zipf's law are as exact as the system's math library.

use rand::RngExt;
use rand_distr::{Distribution, Zipf};
use rand_pcg::Pcg64Mcg;

use super::Options;
use super::forms::IdForm;
use super::permutation::{Permutation, mix};

/// 2023-01-01T00:00:00Z.
pub(super) const FIRST_MS: i64 = 1_672_531_200_000;
pub(super) const DAY_MS: i64 = 86_400_000;
/// All times of a file lie in these two years.
pub(super) const SPAN_MS: i64 = 730 * DAY_MS;

/// The draws of one file.
pub(super) struct Draws {
    seed: u64,
    ids: IdForm,
    tokens: u64,
    zipf: Zipf<f64>,
    order: Permutation,
}

impl Draws {
    pub(super) fn new(options: &Options) -> Self {
        Self {
            seed: options.seed,
            ids: options.forms.ids,
            tokens: options.tokens,
            zipf: Zipf::new(real(options.holders), 1.0)
                .expect("at least one holder, a positive exponent"),
            order: Permutation::new(options.events, mix(options.seed)),
        }
    }

    /// The number of the event in row `row`.
    pub(super) fn number(&self, row: u64) -> u64 {
        self.order.of(row)
    }

    /// The random numbers of event or group `number`.
    pub(super) fn rng(&self, number: u64) -> Pcg64Mcg {
        let high = mix(self.seed ^ mix(number));
        Pcg64Mcg::new(u128::from(high) << 64 | u128::from(mix(high ^ number)))
    }

    /// A rank: 1 is drawn most often.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a rank is a whole number from 1 to the count of holders"
    )]
    pub(super) fn holder(&self, rng: &mut Pcg64Mcg) -> u64 {
        self.zipf.sample(rng) as u64
    }

    pub(super) fn token(&self, rng: &mut Pcg64Mcg) -> u64 {
        rng.random_range(0..self.tokens)
    }

    /// The id of a holder in the form of the file.
    pub(super) fn holder_id(&self, holder: u64) -> String {
        self.ids.id(self.seed, holder)
    }

    /// The address of a holder, whatever the form of ids is.
    pub(super) fn address(&self, holder: u64) -> String {
        IdForm::Hex.id(self.seed, holder)
    }

    /// The id of event `number`, which no holder has.
    pub(super) fn event_id(&self, form: IdForm, number: u64) -> String {
        form.id(self.seed, !number)
    }

    pub(super) fn token_id(token: u64) -> String {
        format!("token-{token}")
    }

    /// 64 hexadecimal digits that no other `number` has.
    pub(super) fn digest(&self, number: u64) -> String {
        let first = mix(!self.seed ^ mix(number));
        let (second, third) = (mix(first), mix(!first ^ number));
        format!("{first:016x}{second:016x}{third:016x}{:016x}", mix(third))
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a count that only shapes a distribution"
)]
pub(super) fn real(count: u64) -> f64 {
    count as f64
}
