//! See `gramseal_fuzz_targets::peers`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| gramseal_fuzz_targets::peers::run13(data));
