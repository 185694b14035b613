//! Choices of the command line as a manifest writes them: by their words.

use clap::ValueEnum;

use crate::airdrop::Recorded;

/// A choice of the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Choice<T>(pub(super) T);

impl<T: ValueEnum> Recorded for Choice<T> {
    fn write(&self) -> String {
        let word = self.0.to_possible_value().expect("every choice has a word");
        word.get_name().to_owned()
    }

    fn read(text: &str) -> Result<Self, String> {
        T::from_str(text, false).map(Self)
    }
}
