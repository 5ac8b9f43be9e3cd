//! `cargo xtask fuzz`: builds the fuzzers in `fuzz/` and lets them run.
//!
//! They are libFuzzer with coverage counters, which a stable compiler puts in as well: neither a nightly one nor
//! cargo-fuzz is needed. No sanitizer: the code under test has no `unsafe`, and without one the build is shorter, and
//! each run. What they find is written to `fuzz/artifacts`; what reaches new code, to `fuzz/corpus`. Neither is part of
//! the repository: from there things go to `fuzz/seeds`, by hand.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};

use crate::packages;
use crate::shell::{self, Outcome};

const MANIFEST: &str = "fuzz/Cargo.toml";

/// Coverage counters, tables of what they count, and what comparisons compare, as cargo-fuzz has them.
const INSTRUMENTATION: [&str; 6] = [
    "--cfg fuzzing",
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
];

/// Of one input: no more bytes, no longer, and no more memory of the process.
const LIMITS: [&str; 4] = ["-max_len=8192", "-timeout=20", "-rss_limit_mb=2048", "-print_final_stats=1"];

/// Tells glibc to keep what is freed: windows of megabytes, as `compression` needs them for each input, would go back to
/// the system and be mapped anew.
const ALLOCATOR: [(&str, &str); 2] =
    [("MALLOC_MMAP_THRESHOLD_", "1073741824"), ("MALLOC_TRIM_THRESHOLD_", "1073741824")];

/// Seconds for each target, unless something else is asked for.
const SECONDS: u32 = 20;

/// So many run at the same time. Each has one thread.
const AT_ONCE: usize = 2;

/// What `cargo xtask fuzz` is asked for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Wish {
    target: Option<String>,
    seconds: u32,
}

impl Default for Wish {
    fn default() -> Self {
        Self { target: None, seconds: SECONDS }
    }
}

impl Wish {
    /// From `[TARGET] [--seconds N]`; `None` if it is something else.
    pub(crate) fn parse(words: &[&str]) -> Option<Self> {
        let mut wish = Self::default();
        let mut words = words.iter();
        while let Some(word) = words.next() {
            match *word {
                "--seconds" => wish.seconds = words.next()?.parse().ok()?,
                target if wish.target.is_none() && !target.starts_with('-') => wish.target = Some(target.to_owned()),
                _ => return None,
            }
        }
        Some(wish)
    }
}

pub(crate) fn run(root: &Path, wish: &Wish) -> Outcome {
    packages::ensure(packages::FUZZ)?;
    let known = targets(root)?;
    let chosen: Vec<_> =
        known.into_iter().filter(|name| wish.target.as_ref().is_none_or(|only| only == name)).collect();
    if chosen.is_empty() {
        return Err(format!("no fuzz target is called {}", wish.target.as_deref().unwrap_or_default()));
    }
    let programs = build(root)?;
    let (waiting, failed) = (Mutex::new(chosen.into_iter()), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                let next = || waiting.lock().unwrap_or_else(PoisonError::into_inner).next();
                while let Some(target) = next() {
                    if let Err(reason) = fuzz(root, &programs.join(&target), &target, wish.seconds) {
                        failed.lock().unwrap_or_else(PoisonError::into_inner).push(reason);
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().unwrap_or_else(PoisonError::into_inner);
    if failed.is_empty() { Ok(()) } else { Err(failed.join("\n")) }
}

/// The names of the fuzzers, sorted.
fn targets(root: &Path) -> Result<Vec<String>, String> {
    let folder = root.join("fuzz/fuzz_targets");
    let entries = std::fs::read_dir(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let files = entries.filter_map(Result::ok).map(|entry| entry.path());
    let mut names: Vec<_> = files.filter_map(|file| Some(file.file_stem()?.to_str()?.to_owned())).collect();
    names.sort();
    Ok(names)
}

/// Builds all of them and tells where they are.
fn build(root: &Path) -> Result<PathBuf, String> {
    let host = host(root)?;
    let flags = INSTRUMENTATION.join(" ");
    // With a target named, the flags are for it alone: build scripts and macros run without libFuzzer.
    let arguments = ["build", "--release", "--bins", "--manifest-path", MANIFEST, "--target", &host];
    shell::run(shell::cargo(root).args(arguments).env("RUSTFLAGS", flags))?;
    Ok(root.join("fuzz/target").join(host).join("release"))
}

/// The name of this machine's kind, as `rustc` calls it.
fn host(root: &Path) -> Result<String, String> {
    let mut rustc = Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
    let output =
        rustc.current_dir(root).arg("-vV").output().map_err(|error| format!("`rustc` did not start: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let line = text.lines().find_map(|line| line.strip_prefix("host: "));
    line.map(str::to_owned).ok_or_else(|| "`rustc -vV` named no host".to_owned())
}

/// Runs one of them and tells in a line how it went; what it printed is told if it failed.
fn fuzz(root: &Path, program: &Path, target: &str, seconds: u32) -> Outcome {
    let folder = |name: &str| root.join("fuzz").join(name).join(target);
    let (corpus, seeds, artifacts) = (folder("corpus"), folder("seeds"), folder("artifacts"));
    for made in [&corpus, &artifacts] {
        std::fs::create_dir_all(made).map_err(|error| format!("{}: {error}", made.display()))?;
    }
    let mut command = Command::new(program);
    command
        .current_dir(root)
        .envs(ALLOCATOR)
        .stdin(Stdio::null())
        .args(LIMITS)
        .arg(format!("-max_total_time={seconds}"));
    // New inputs go to the first folder.
    command.arg(format!("-artifact_prefix={}/", artifacts.display())).arg(corpus).arg(seeds);
    let output = command.output().map_err(|error| format!("`{target}` did not start: {error}"))?;
    let text = String::from_utf8_lossy(&output.stderr);
    let last = |what: &str| text.rsplit_once(what).and_then(|(_, rest)| rest.split_whitespace().next()).unwrap_or("?");
    println!("    {target}: {} runs, coverage {}", last("stat::number_of_executed_units:"), last("cov: "));
    if output.status.success() {
        return Ok(());
    }
    let end: Vec<_> = text.lines().rev().take(80).collect();
    end.iter().rev().for_each(|line| println!("    {target}: {line}"));
    Err(format!("{target} ended with {}; what it found is in {}", output.status, artifacts.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_and_seconds_may_come_in_any_order() {
        let wish = |target: Option<&str>, seconds| Some(Wish { target: target.map(str::to_owned), seconds });
        assert_eq!(Wish::parse(&[]), wish(None, SECONDS));
        assert_eq!(Wish::parse(&["wire", "--seconds", "5"]), wish(Some("wire"), 5));
        assert_eq!(Wish::parse(&["--seconds", "5", "wire"]), wish(Some("wire"), 5));
        for wrong in [&["--seconds"][..], &["--seconds", "x"], &["wire", "session"], &["--jobs", "2"]] {
            assert_eq!(Wish::parse(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn every_program_has_seeds() {
        let root = crate::repository();
        for target in targets(&root).expect("the folder can be read") {
            assert!(root.join("fuzz/seeds").join(&target).is_dir(), "{target}");
        }
    }
}
