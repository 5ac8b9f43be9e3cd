//! Fuzz targets for what `record` and `flight` keep to themselves: each compares with a model that is too simple to be
//! wrong. Only tests and fuzzers have them: tests replay the inputs in the repository's `fuzz/seeds`, and the programs in
//! `fuzz/` call them. The other targets, which need nothing private, are in the crate `gramseal-fuzz-targets`.

mod acks;
mod input;
mod reassembly;
mod replay;
#[cfg(test)]
mod tests;

pub use acks::acks;
pub use reassembly::reassembly;
pub use replay::replay_window;
