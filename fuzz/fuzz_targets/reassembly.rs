//! See `gramseal_proto::fuzzing::reassembly`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| gramseal_proto::fuzzing::reassembly(data));
