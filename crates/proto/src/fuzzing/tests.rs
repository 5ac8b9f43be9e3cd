//! Replays what the repository has for these targets.

use std::fs;
use std::path::Path;

type Target = fn(&[u8]);

#[test]
#[expect(clippy::disallowed_methods, reason = "what the repository has is on its disk")]
fn seeds_and_findings_pass() {
    let targets: [(&str, Target); 3] =
        [("acks", super::acks), ("reassembly", super::reassembly), ("replay_window", super::replay_window)];
    for (name, target) in targets {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/seeds").join(name);
        let files = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        let mut count = 0;
        for file in files {
            let path = file.expect("a folder that can be read").path();
            let bytes = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            // Shown if it fails.
            std::println!("{}", path.display());
            target(&bytes);
            count += 1;
        }
        assert!(count > 0, "{name} has no seeds");
    }
}

/// Bytes without meaning reach a good part of them, too.
#[test]
fn noise_passes() {
    let mut state = 1u64;
    for len in 0..400 {
        let mut bytes = alloc::vec![0; len];
        for byte in &mut bytes {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            *byte = state.to_be_bytes()[0];
        }
        for target in [super::acks, super::reassembly, super::replay_window] {
            target(&bytes);
        }
    }
}
