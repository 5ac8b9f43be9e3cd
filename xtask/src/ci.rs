//! `cargo xtask ci`: everything that has to hold before a change is taken, the same here and in CI.

use std::path::Path;

use crate::shell::{self, Outcome, Steps};
use crate::{conformance, layers, test};

/// The cargo-deny that `deny.toml` is written for.
const CARGO_DENY: &str = "0.20.2";

/// Workspaces beside the main one, so that heavy peers never burden a user's build.
const OTHER_WORKSPACES: [&str; 2] = ["interop/Cargo.toml", "bench/Cargo.toml"];

/// The fuzzers: lines that can only be built as fuzzers, so that clippy leaves them out. What they call is in the main
/// workspace.
const FUZZERS: &str = "fuzz/Cargo.toml";

pub(crate) fn run(root: &Path) -> Outcome {
    let mut steps = Steps::new();
    steps.step("lock files", || lock_files(root))?;
    steps.step("format", || format(root))?;
    // The checks that read sources alone come first: they take no time.
    steps.step("layers", || layers::run(root))?;
    steps.step("conformance", || conformance::run(root))?;
    steps.step("clippy", || clippy(root, &["--workspace"]))?;
    steps.step("clippy: proto without std", || {
        clippy(root, &["--package", "gramseal-proto", "--no-default-features"])
    })?;
    steps.step("clippy: proto with std", || clippy(root, &["--package", "gramseal-proto", "--features", "std"]))?;
    steps.step("clippy: rustcrypto without std", || {
        clippy(root, &["--package", "gramseal-rustcrypto", "--no-default-features"])
    })?;
    steps.step("clippy: gramseal without features", || {
        clippy(root, &["--package", "gramseal", "--no-default-features"])
    })?;
    steps.step("clippy: gramseal with all features", || clippy(root, &["--package", "gramseal", "--all-features"]))?;
    steps.step("rustdoc", || {
        let mut doc = shell::cargo(root);
        shell::run(doc.args(["doc", "--workspace", "--no-deps"]).env("RUSTDOCFLAGS", "-D warnings"))
    })?;
    test::add(root, &mut steps)?;
    steps.step("clippy: other workspaces", || other_workspaces(root))?;
    steps.step("licences", || licences(root))?;
    steps.finish();
    Ok(())
}

/// `Cargo.lock` fits its manifests: what was tested is then what anybody builds.
fn lock_files(root: &Path) -> Outcome {
    shell::run(shell::cargo(root).args(["update", "--workspace", "--locked"]))?;
    for manifest in OTHER_WORKSPACES.into_iter().chain([FUZZERS]) {
        if root.join(manifest).is_file() {
            shell::run(shell::cargo(root).args(["update", "--workspace", "--locked", "--manifest-path", manifest]))?;
        }
    }
    Ok(())
}

fn format(root: &Path) -> Outcome {
    shell::run(shell::cargo(root).args(["fmt", "--all", "--check"]))?;
    for manifest in OTHER_WORKSPACES.into_iter().chain([FUZZERS]) {
        if root.join(manifest).is_file() {
            shell::run(shell::cargo(root).args(["fmt", "--all", "--check", "--manifest-path", manifest]))?;
        }
    }
    Ok(())
}

fn clippy(root: &Path, selection: &[&str]) -> Outcome {
    shell::run(shell::cargo(root).arg("clippy").args(selection).args(["--all-targets", "--", "-D", "warnings"]))
}

fn other_workspaces(root: &Path) -> Outcome {
    let target = test::target_directory(root)?;
    for manifest in OTHER_WORKSPACES {
        if root.join(manifest).is_file() {
            let mut clippy = shell::cargo(root);
            clippy.args(["clippy", "--manifest-path", manifest, "--target-dir"]).arg(&target);
            shell::run(clippy.args(["--all-targets", "--", "-D", "warnings"]))?;
        }
    }
    Ok(())
}

/// Licences, banned crates and sources. Not `advisories`: their database is no crate, and a check that needs
/// another host would fail for everyone who reaches the registry of crates alone.
fn licences(root: &Path) -> Outcome {
    if !shell::succeeds(shell::cargo(root).args(["deny", "--version"])) {
        println!("    cargo-deny is not installed: building it, once on this machine");
        shell::run(shell::cargo(root).args(["install", "cargo-deny", "--locked", "--version", CARGO_DENY]))?;
    }
    shell::run(shell::cargo(root).args([
        "deny",
        "--workspace",
        "--all-features",
        "check",
        "licenses",
        "bans",
        "sources",
    ]))
}
