//! See `gramseal_fuzz_targets::records`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| gramseal_fuzz_targets::records::run(data));
