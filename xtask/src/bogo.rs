//! `cargo xtask bogo`: BoringSSL's protocol suite, and the list of what passes in it.
//!
//! The list may only grow: a test on it that fails, cannot be run or is gone is a failure, as is one that passes and is
//! not on it. What the suite is and why some tests are disabled, `interop/bogo/` says.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::packages;
use crate::shell::{self, Outcome};
use crate::test::target_directory;

/// The names of the tests that pass, one a line.
const PASSING: &str = "interop/bogo-passing.txt";
const CONFIG: &str = "interop/bogo/config.json";
const SCRIPT: &str = "interop/bogo/build-runner.sh";
/// The tests whose protocol is DTLS, by their names.
const TESTS: &str = "*DTLS*;SendSplitAlert-*;StrayChangeCipherSpec";

/// What to do about the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Compare it.
    Check,
    /// Write what passes now.
    Bless,
}

pub(crate) fn run(root: &Path, mode: Mode) -> Outcome {
    packages::ensure(packages::BOGO)?;
    let target = target_directory(root)?;
    let runner = runner(root, &target)?;
    let build = ["build", "--manifest-path", "interop/Cargo.toml", "--package", "gramseal-bogo", "--target-dir"];
    shell::run(shell::cargo(root).args(build).arg(&target))?;
    let shim = target.join("debug").join(format!("gramseal-bogo{}", std::env::consts::EXE_SUFFIX));
    let outcomes = Outcomes::read(&suite(root, &runner, &shim)?);
    let passing = root.join(PASSING);
    if mode == Mode::Bless && outcomes.failed.is_empty() {
        let lines: String = outcomes.passed.iter().map(|name| format!("{name}\n")).collect();
        fs::write(&passing, lines).map_err(|error| format!("{}: {error}", passing.display()))?;
    }
    let listed = fs::read_to_string(&passing).map_err(|error| format!("{}: {error}", passing.display()))?;
    outcomes.compare(&listed.lines().map(str::to_owned).collect())
}

/// The runner, built once for each version of its sources.
fn runner(root: &Path, target: &Path) -> Result<PathBuf, String> {
    let boringssl = boringssl(root)?;
    let version = boringssl.ancestors().nth(2).and_then(Path::file_name).unwrap_or_default();
    let folder = target.join("bogo").join(version);
    let runner = folder.join("runner");
    let modified = |path: &Path| fs::metadata(path).and_then(|found| found.modified()).ok();
    if modified(&runner).is_none() || modified(&runner) < modified(&root.join(SCRIPT)) {
        shell::run(Command::new("bash").arg(root.join(SCRIPT)).arg(&boringssl).arg(&folder))?;
    }
    Ok(runner)
}

/// BoringSSL's sources, which the crate `boring-sys` carries.
fn boringssl(root: &Path) -> Result<PathBuf, String> {
    let metadata = ["metadata", "--format-version", "1", "--manifest-path", "interop/Cargo.toml"];
    let output = shell::cargo(root).args(metadata).stderr(Stdio::inherit()).output();
    let output = output.map_err(|error| format!("`cargo metadata` did not start: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let manifests = text.split("\"manifest_path\":\"").skip(1).filter_map(|rest| rest.split('"').next());
    let mut folders = manifests.filter_map(|manifest| Path::new(manifest).parent());
    let named =
        |folder: &&Path| folder.file_name().is_some_and(|name| name.to_string_lossy().starts_with("boring-sys"));
    let found = folders.find(named).ok_or("boring-sys is not among the packages of interop/Cargo.toml")?;
    Ok(found.join("deps/boringssl"))
}

/// Runs the suite and gives what it prints.
fn suite(root: &Path, runner: &Path, shim: &Path) -> Result<String, String> {
    let mut command = Command::new(runner);
    command.current_dir(root).arg("-shim-path").arg(shim).arg("-shim-config").arg(root.join(CONFIG));
    // Whoever waits longer has hung: time in the suite is made up.
    command.args(["-allow-unimplemented", "-pipe", "-num-workers", "4", "-idle-timeout", "60s", "-test", TESTS]);
    let output = command.stdin(Stdio::null()).stderr(Stdio::inherit()).output();
    let output = output.map_err(|error| format!("the runner did not start: {error}"))?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// What became of the tests.
#[derive(Debug, Default)]
struct Outcomes {
    passed: BTreeSet<String>,
    unimplemented: BTreeSet<String>,
    failed: BTreeSet<String>,
    /// What the runner says of those that failed.
    reports: String,
}

impl Outcomes {
    fn read(text: &str) -> Self {
        let mut outcomes = Self::default();
        let mut reports = false;
        for line in text.lines() {
            let name = |word: &str| Some(line.strip_prefix(word)?.strip_prefix(" (")?.strip_suffix(')')?.to_owned());
            if let Some(name) = name("PASSED") {
                outcomes.passed.insert(name);
                reports = false;
            } else if let Some(name) = name("UNIMPLEMENTED") {
                outcomes.unimplemented.insert(name);
                reports = false;
            } else if let Some(name) = name("FAILED") {
                outcomes.failed.insert(name);
                reports = true;
            }
            if reports {
                outcomes.reports.push_str(line);
                outcomes.reports.push('\n');
            }
        }
        outcomes
    }

    fn compare(&self, listed: &BTreeSet<String>) -> Outcome {
        println!(
            "    {} passed, {} failed, {} cannot be run; {} are listed",
            self.passed.len(),
            self.failed.len(),
            self.unimplemented.len(),
            listed.len(),
        );
        if !self.failed.is_empty() {
            return Err(format!("{} failed\n{}", self.failed.len(), self.reports));
        }
        let wrong = [
            ("the shim does not know a flag of", self.unimplemented.iter().collect()),
            ("listed, and do not pass any more:", listed.difference(&self.passed).collect()),
            ("pass, and are not listed; `cargo xtask bogo bless` lists", self.passed.difference(listed).collect()),
        ];
        let found = wrong.into_iter().find(|(_, names): &(_, Vec<&String>)| !names.is_empty());
        match found {
            Some((what, names)) => {
                let names: Vec<&str> = names.into_iter().map(String::as_str).collect();
                Err(format!("{what} {}", names.join(" ")))
            }
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn outcomes_are_told_apart_and_failures_explained() {
        let text = "PASSED (One-DTLS)\nFAILED (Two)\nunexpected failure\n\tgot:\nUNIMPLEMENTED (Three)\nnoise\n";
        let outcomes = Outcomes::read(text);
        assert_eq!(outcomes.passed, names(&["One-DTLS"]));
        assert_eq!(outcomes.unimplemented, names(&["Three"]));
        assert_eq!(outcomes.failed, names(&["Two"]));
        assert_eq!(outcomes.reports, "FAILED (Two)\nunexpected failure\n\tgot:\n");
        assert!(outcomes.compare(&names(&["One-DTLS"])).unwrap_err().contains("unexpected failure"));
    }

    #[test]
    fn the_list_only_grows_and_is_complete() {
        let outcomes = Outcomes::read("PASSED (One)\nPASSED (Two)\n");
        assert_eq!(outcomes.compare(&names(&["One", "Two"])), Ok(()));
        assert!(outcomes.compare(&names(&["One"])).unwrap_err().ends_with("lists Two"));
        assert!(outcomes.compare(&names(&["One", "Two", "Gone"])).unwrap_err().ends_with("any more: Gone"));
        let unknown = Outcomes::read("PASSED (One)\nUNIMPLEMENTED (Two)\n");
        assert!(unknown.compare(&names(&["One"])).is_err());
    }
}
