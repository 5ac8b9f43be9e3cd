//! `cargo xtask test`: every test there is, by one command.

use std::path::{Path, PathBuf};

use crate::bogo;
use crate::fuzz::{self, Wish};
use crate::packages;
use crate::shell::{self, Outcome, Steps};

pub(crate) fn run(root: &Path) -> Outcome {
    let mut steps = Steps::new();
    add(root, &mut steps)?;
    steps.finish();
    Ok(())
}

/// The test steps, for `test` itself and for `ci`.
pub(crate) fn add(root: &Path, steps: &mut Steps) -> Outcome {
    steps.step("unit and integration tests", || workspace(root))?;
    steps.step("documentation tests", || {
        shell::run(shell::cargo(root).args(["test", "--doc", "--workspace"]).args(FEATURES))
    })?;
    if root.join("interop/Cargo.toml").is_file() {
        steps.step("interop tests", || interop(root))?;
        steps.step("BoringSSL's protocol suite", || bogo::run(root, bogo::Mode::Check))?;
    }
    steps.step("fuzzers", || fuzz::run(root, &Wish::default()))?;
    Ok(())
}

/// Features that nothing else in the workspace asks for.
const FEATURES: [&str; 2] = ["--features", "gramseal/blocking,gramseal/metrics"];

fn workspace(root: &Path) -> Outcome {
    packages::ensure(packages::WORKSPACE)?;
    if shell::succeeds(shell::cargo(root).args(["nextest", "--version"])) {
        shell::run(shell::cargo(root).args(["nextest", "run", "--workspace"]).args(FEATURES))
    } else {
        // Without nextest; `--all-targets` leaves the documentation tests to their own step.
        shell::run(shell::cargo(root).args(["test", "--workspace", "--all-targets"]).args(FEATURES))
    }
}

/// Other implementations as peers; `GRAMSEAL_BIN` tells the tests where our program is. It is the one that was built for
/// its own tests, a step before: one by itself would need other features of what it is made of, and most of that again.
fn interop(root: &Path) -> Outcome {
    packages::ensure(packages::INTEROP)?;
    let target = target_directory(root)?;
    let program = target.join("debug").join(format!("gramseal{}", std::env::consts::EXE_SUFFIX));
    if !program.is_file() {
        return Err(format!("gramseal-cli was tested, but {} is not there", program.display()));
    }
    // One target folder for both workspaces: what they share is compiled once.
    shell::run(
        shell::cargo(root)
            .args(["test", "--manifest-path", "interop/Cargo.toml", "--target-dir"])
            .arg(&target)
            .env("GRAMSEAL_BIN", &program),
    )
}

/// Where cargo puts what it builds for this workspace.
pub(crate) fn target_directory(root: &Path) -> Result<PathBuf, String> {
    let output = shell::cargo(root)
        .args(["metadata", "--format-version", "1", "--no-deps"])
        .output()
        .map_err(|error| format!("`cargo metadata` did not start: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    string_field(&text, "target_directory")
        .map(PathBuf::from)
        .ok_or_else(|| "`cargo metadata` named no target folder".to_owned())
}

/// The text of a string field of a JSON object, for a key that stands there once.
fn string_field(json: &str, key: &str) -> Option<String> {
    let (_, rest) = json.split_once(&format!("\"{key}\":\""))?;
    let mut value = String::new();
    let mut characters = rest.chars();
    loop {
        match characters.next()? {
            '"' => return Some(value),
            '\\' => value.push(characters.next()?),
            other => value.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn string_field_ends_at_its_quote() {
        let json = r#"{"version":1,"target_directory":"C:\\b\"c","workspace_root":"/w"}"#;
        assert_eq!(string_field(json, "target_directory").as_deref(), Some(r#"C:\b"c"#));
        assert_eq!(string_field(json, "absent"), None);
        assert_eq!(string_field(r#"{"a":"unfinished"#, "a"), None);
    }
}
