//! See `gramseal_fuzz_targets::session`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| gramseal_fuzz_targets::session::run(data));
