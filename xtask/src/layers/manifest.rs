//! Which crates of the workspace may depend on which, and what `wire` and `proto` may depend on at all.

use std::path::Path;

use crate::source;

/// The only crates that `proto` may use: nothing that brings I/O, a clock or somebody else's types.
const PROTO_NEEDS: [&str; 4] = ["gramseal-wire", "pki-types", "subtle", "zeroize"];

/// A crate's folder and the crates of this workspace that it may use. Tests may use more.
const CRATES: [(&str, &[&str]); 10] = [
    ("wire", &[]),
    ("proto", &["gramseal-wire"]),
    ("aws-lc", &["gramseal-wire", "gramseal-proto"]),
    ("rustcrypto", &["gramseal-wire", "gramseal-proto"]),
    ("webpki", &["gramseal-wire", "gramseal-proto"]),
    ("compress", &["gramseal-wire", "gramseal-proto"]),
    ("testkit", &["gramseal-wire", "gramseal-proto", "gramseal-aws-lc", "gramseal-rustcrypto", "gramseal-webpki"]),
    ("fuzz-targets", &["gramseal-wire", "gramseal-proto", "gramseal-testkit", "gramseal-webpki", "gramseal-compress"]),
    (
        "gramseal",
        &[
            "gramseal-wire",
            "gramseal-proto",
            "gramseal-aws-lc",
            "gramseal-rustcrypto",
            "gramseal-webpki",
            "gramseal-compress",
        ],
    ),
    (
        "cli",
        &[
            "gramseal",
            "gramseal-wire",
            "gramseal-proto",
            "gramseal-aws-lc",
            "gramseal-rustcrypto",
            "gramseal-webpki",
            "gramseal-compress",
        ],
    ),
];

pub(super) fn check(root: &Path) -> Result<Vec<String>, String> {
    let mut findings = Vec::new();
    let folder = root.join("crates");
    let entries = std::fs::read_dir(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    for entry in entries {
        let path = entry.map_err(|error| format!("{}: {error}", folder.display()))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.join("Cargo.toml").is_file() {
            let text = source::read(&path.join("Cargo.toml"))?;
            findings.extend(check_crate(&name, &text));
            if matches!(name.as_str(), "wire" | "proto" | "rustcrypto") {
                findings.extend(check_no_std(&name, &source::read(&path.join("src/lib.rs"))?));
            }
        }
    }
    Ok(findings)
}

fn check_crate(name: &str, manifest: &str) -> Vec<String> {
    let at = |line: usize| format!("crates/{name}/Cargo.toml:{line}");
    let Some((_, allowed)) = CRATES.iter().find(|(known, _)| *known == name) else {
        return vec![format!("{}: crate `{name}` has no layer: give it one in xtask/src/layers/manifest.rs", at(1))];
    };
    let mut findings = Vec::new();
    for (dependency, line) in dependencies(manifest) {
        let ours = dependency == "gramseal" || dependency.starts_with("gramseal-");
        let fits = match name {
            "wire" => false,
            "proto" => PROTO_NEEDS.contains(&dependency.as_str()),
            _ => !ours || allowed.contains(&dependency.as_str()),
        };
        if !fits {
            findings.push(format!("{}: `{name}` must not depend on `{dependency}`", at(line)));
        }
    }
    if !manifest_inherits_lints(manifest) {
        findings.push(format!("{}: `[lints] workspace = true` is missing", at(1)));
    }
    findings
}

fn check_no_std(name: &str, lib: &str) -> Option<String> {
    let tokens = source::tokens(lib);
    // Without a condition: what holds in some builds alone, the others do not show.
    let is_whole = tokens.windows(5).any(|window| {
        let [hash, bang, open, word, close] = window else { return false };
        hash.is('#') && bang.is('!') && open.is('[') && word.word() == Some("no_std") && close.is(']')
    });
    (!is_whole).then(|| format!("crates/{name}/src/lib.rs:1: `#![no_std]` is missing"))
}

/// What a manifest's normal and build dependencies name, each with its line.
fn dependencies(manifest: &str) -> Vec<(String, usize)> {
    let mut found = Vec::new();
    let mut in_table = false;
    for (number, line) in manifest.lines().enumerate() {
        let line = line.trim();
        if let Some(header) = line.strip_prefix('[') {
            let header = header.split(']').next().unwrap_or_default().trim();
            // `[dependencies]`, `[build-dependencies]`, `[target.….dependencies]`, or one of them with a crate's name.
            let (table, name) = match header.rsplit_once("dependencies.") {
                Some((before, name)) => (format!("{before}dependencies"), Some(name)),
                None => (header.to_owned(), None),
            };
            let counts = table.ends_with("dependencies") && !table.ends_with("dev-dependencies");
            in_table = counts && name.is_none();
            if let Some(name) = name.filter(|_| counts) {
                found.push((name.trim_matches('"').to_owned(), number + 1));
            }
        } else if in_table && !line.is_empty() && !line.starts_with('#') && line.contains('=') {
            let key = line.split(['=', '.']).next().unwrap_or_default().trim().trim_matches('"');
            found.push((key.to_owned(), number + 1));
        }
    }
    found
}

fn manifest_inherits_lints(manifest: &str) -> bool {
    let lints = manifest.split("[lints]").nth(1).unwrap_or_default();
    lints.lines().map(str::trim).find(|line| !line.is_empty()).is_some_and(|line| line == "workspace = true")
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINTS: &str = "[lints]\nworkspace = true\n";

    #[test]
    fn wire_and_proto_depend_on_nothing_else() {
        let manifest = format!("{LINTS}[dependencies]\ngramseal-wire.workspace = true\nsubtle = \"2\"\n");
        assert_eq!(check_crate("proto", &manifest), [""; 0]);
        assert_eq!(check_crate("wire", &manifest).len(), 2);
        let manifest = format!("{LINTS}[dependencies]\n# time = \"1\"\nrustls = {{ version = \"0.23\" }}\n");
        assert_eq!(check_crate("proto", &manifest), ["crates/proto/Cargo.toml:5: `proto` must not depend on `rustls`"]);
    }

    #[test]
    fn crates_depend_downwards() {
        let manifest = format!("{LINTS}[dependencies.gramseal]\nworkspace = true\n");
        assert_eq!(check_crate("webpki", &manifest).len(), 1);
        assert_eq!(check_crate("cli", &manifest), [""; 0]);
        let manifest = format!("{LINTS}[target.'cfg(unix)'.dependencies]\ngramseal-testkit.workspace = true\n");
        assert_eq!(check_crate("gramseal", &manifest).len(), 1);
        let manifest = format!("{LINTS}[build-dependencies]\ngramseal-cli = {{ path = \"../cli\" }}\n");
        assert_eq!(check_crate("gramseal", &manifest).len(), 1);
    }

    #[test]
    fn tests_may_use_more() {
        let manifest = format!("{LINTS}[dev-dependencies]\nproptest.workspace = true\n[features]\nstd = []\n");
        assert_eq!(check_crate("wire", &manifest), [""; 0]);
    }

    #[test]
    fn lints_no_std_and_a_layer_are_asked_for() {
        assert_eq!(check_crate("wire", "[lints.rust]\nunsafe_code = \"allow\"\n").len(), 1);
        assert_eq!(check_crate("helpers", LINTS).len(), 1);
        assert!(check_no_std("wire", "//! #![no_std]\nextern crate std;").is_some());
        assert!(check_no_std("wire", "#![no_std]").is_none());
        assert!(check_no_std("wire", "#![cfg_attr(not(test), no_std)]").is_some());
        assert!(check_no_std("wire", "#![no_std]\nextern crate alloc;").is_none());
    }
}
