//! See `gramseal_proto::fuzzing::replay_window`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| gramseal_proto::fuzzing::replay_window(data));
