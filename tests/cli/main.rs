//! The commands that read files, run as a shell runs them, and the cases with known answers.

#[path = "../support/bugcases.rs"]
mod bugcases;
#[path = "../support/golden.rs"]
mod golden;
#[path = "../support/journal_writer.rs"]
mod journal_writer;
#[path = "../support/published_cases.rs"]
mod published_cases;

mod airdrop;
mod airdrop_explain;
mod airdrop_inputs;
mod airdrop_trees;
mod change_columns;
mod columns;
mod config;
mod conformance;
mod convert;
mod deficits;
mod feed_files;
mod feed_lookups;
mod feeds;
mod forms;
mod fuzz_seeds;
mod generate;
mod inspect;
mod journal;
mod journal_cursors;
mod journal_rounds;
mod journal_state;
mod mappings;
mod odd_files;
mod odd_inputs;
mod policies;
mod real_files;
mod recipes;
mod reported_inputs;
mod score;
mod score_errors;
mod support;
mod transfer_files;
mod warnings;
