//! Replays what the repository has for the fuzzers: seeds from real handshakes, and what fuzzers have found.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use gramseal_fuzz_targets::{TARGETS, wire};

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<_> = entries.map(|entry| entry.expect("a folder that can be read").path()).collect();
    files.sort();
    files
}

#[test]
fn seeds_and_findings_pass() {
    for (name, run) in TARGETS {
        let files = files(&repository().join("fuzz/seeds").join(name));
        assert!(!files.is_empty(), "{name} has no seeds");
        for file in files {
            // Shown if it fails.
            println!("{}", file.display());
            run(&fs::read(&file).expect("a file that can be read"));
        }
    }
}

/// What a seed begins, damage goes on with.
#[test]
fn damaged_seeds_pass() {
    for (name, run) in TARGETS {
        for (number, file) in files(&repository().join("fuzz/seeds").join(name)).iter().enumerate() {
            let mut bytes = fs::read(file).expect("a file that can be read");
            println!("{}", file.display());
            run(&bytes[..bytes.len() / 2]);
            for step in 1..4 {
                let at = (number * 31 + step * 97) % bytes.len().max(1);
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 0x41;
                }
                run(&bytes);
            }
        }
    }
}

#[test]
fn every_target_has_its_program() {
    let programs: BTreeSet<_> = files(&repository().join("fuzz/fuzz_targets"))
        .iter()
        .map(|file| file.file_stem().expect("a name").to_string_lossy().into_owned())
        .collect();
    let private = ["acks", "reassembly", "replay_window"];
    let targets = TARGETS.iter().map(|(name, _)| *name).chain(private).map(str::to_owned).collect();
    assert_eq!(programs, targets);
}

/// Types that macros make are not looked for.
#[test]
fn every_type_on_the_wire_is_fuzzed() {
    let known: BTreeSet<&str> = wire::TYPES.iter().map(|(name, _)| *name).collect();
    let mut folders = vec![repository().join("crates/wire/src")];
    let mut found = 0;
    while let Some(folder) = folders.pop() {
        for file in files(&folder) {
            if file.is_dir() {
                folders.push(file);
                continue;
            }
            let text = fs::read_to_string(&file).expect("a source");
            for (_, rest) in text.match_indices("Codec<'a> for ").map(|(at, found)| text.split_at(at + found.len())) {
                let name: String = rest.chars().take_while(|character| character.is_ascii_alphanumeric()).collect();
                assert!(name.is_empty() || known.contains(&name[..]), "{name} in {} is not fuzzed", file.display());
                found += 1;
            }
        }
    }
    assert!(found > 60, "{found} types are in the sources");
}
