//! `cargo xtask layers`: the folder tree is the dependency diagram, proven by reading the sources.
//!
//! - [`clock`]: no clock and no randomness of its own in `proto`;
//! - [`imports`]: inside `crates/proto/src`, who may name whom;
//! - [`manifest`]: which crates may depend on which;
//! - [`secrets`]: nothing is derived that would show or compare secrets;
//! - [`style`]: sizes of files and functions, no `unsafe`, nothing newer than a crate's stated Rust version.
//!
//! Every finding is one line, `file:line: what is wrong`. Test code may import whatever it likes.

mod clock;
mod imports;
mod manifest;
mod secrets;
mod style;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::shell::Outcome;
use crate::source::{self, Token};

/// A Rust file, read and split into tokens.
struct Source {
    /// Relative to the repository, with `/`.
    path: String,
    lines: usize,
    tokens: Vec<Token>,
    /// `tokens` without what only test builds contain; empty for a file that is all test.
    shipped: Vec<Token>,
}

pub(crate) fn run(root: &Path) -> Outcome {
    let mut findings = manifest::check(root)?;
    findings.extend(clock::check_list(root)?);
    let mut files = 0;
    for folder in ["crates", "xtask", "interop", "bench", "fuzz"] {
        if !root.join(folder).is_dir() {
            continue;
        }
        let sources = load(root, &root.join(folder))?;
        files += sources.len();
        for source in &sources {
            findings.extend(style::check(source));
            findings.extend(clock::check(source));
            findings.extend(secrets::check(source));
        }
        findings.extend(imports::check(&sources));
    }
    report(findings, files)
}

fn report(mut findings: Vec<String>, files: usize) -> Outcome {
    findings.sort();
    findings.dedup();
    for finding in &findings {
        println!("{finding}");
    }
    match findings.len() {
        0 => {
            println!("layers: {files} files keep the rules");
            Ok(())
        }
        count => Err(format!("{count} findings in {files} files")),
    }
}

fn load(root: &Path, folder: &Path) -> Result<Vec<Source>, String> {
    let paths = source::rust_files(folder)?;
    let mut test_files = BTreeSet::new();
    let mut sources = Vec::new();
    for path in paths {
        let text = source::read(&path)?;
        let tokens = source::tokens(&text);
        let (shipped, test_modules) = source::without_tests(&tokens);
        for module in test_modules {
            let folder = module_folder(&path);
            test_files.insert(folder.join(format!("{module}.rs")));
            test_files.insert(folder.join(module));
        }
        sources.push((path, Source { path: String::new(), lines: text.lines().count(), tokens, shipped }));
    }
    for (path, source) in &mut sources {
        let relative = path.strip_prefix(root).unwrap_or(path);
        source.path = relative.to_string_lossy().replace('\\', "/");
        let in_test_file = path.ancestors().any(|part| test_files.contains(part));
        if in_test_file || is_test_path(&source.path) {
            source.shipped.clear();
        }
    }
    Ok(sources.into_iter().map(|(_, source)| source).collect())
}

/// Where the modules that a file declares have their files.
fn module_folder(file: &Path) -> PathBuf {
    let parent = file.parent().unwrap_or_else(|| Path::new(""));
    match file.file_stem().and_then(|stem| stem.to_str()) {
        Some("mod" | "lib" | "main") | None => parent.to_path_buf(),
        Some(stem) => parent.join(stem),
    }
}

/// Folders that cargo compiles for tests alone.
fn is_test_path(path: &str) -> bool {
    path.split('/').any(|part| matches!(part, "tests" | "benches")) || path.ends_with("/tests.rs")
}

#[cfg(test)]
impl Source {
    fn of(path: &str, text: &str) -> Self {
        let tokens = source::tokens(text);
        let (shipped, _) = source::without_tests(&tokens);
        Self { path: path.to_owned(), lines: text.lines().count(), tokens, shipped }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn findings_fail() {
        assert_eq!(report(Vec::new(), 3), Ok(()));
        assert_eq!(report(vec!["a:1: b".to_owned(), "a:1: b".to_owned()], 3), Err("1 findings in 3 files".to_owned()));
    }

    #[test]
    fn modules_lie_beside_or_below_their_parent() {
        assert_eq!(module_folder(Path::new("src/record/mod.rs")), Path::new("src/record"));
        assert_eq!(module_folder(Path::new("src/lib.rs")), Path::new("src"));
        assert_eq!(module_folder(Path::new("src/record/open.rs")), Path::new("src/record/open"));
    }

    #[test]
    fn a_test_file_ships_nothing() {
        let root = crate::own_folder();
        let sources = load(&root, &root.join("src")).expect("own sources can be read");
        assert!(sources.iter().any(|source| source.path == "src/layers/imports.rs" && !source.shipped.is_empty()));
        assert!(is_test_path("crates/proto/tests/loss.rs"));
        assert!(is_test_path("crates/proto/src/record/tests.rs"));
        assert!(!is_test_path("crates/testkit/src/lib.rs"));
    }
}
