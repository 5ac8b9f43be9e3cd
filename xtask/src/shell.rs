//! Runs other programs, and a list of named steps with their times.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Why a step failed, in one or more lines for a person.
pub(crate) type Outcome = Result<(), String>;

/// Named steps, run in order until one fails.
pub(crate) struct Steps {
    passed: Vec<(&'static str, Duration)>,
    started: Instant,
}

impl Steps {
    pub(crate) fn new() -> Self {
        Self { passed: Vec::new(), started: Instant::now() }
    }

    /// Runs one step and prints its name before and its time after.
    pub(crate) fn step(&mut self, name: &'static str, run: impl FnOnce() -> Outcome) -> Outcome {
        println!("==> {name}");
        let started = Instant::now();
        let done = run();
        let took = started.elapsed();
        match done {
            Ok(()) => {
                println!("<== {name}: passed in {:.1} s", took.as_secs_f64());
                self.passed.push((name, took));
                Ok(())
            }
            Err(reason) => {
                println!("<== {name}: FAILED after {:.1} s", took.as_secs_f64());
                println!("{} passed, 1 failed", self.passed.len());
                Err(format!("step `{name}` failed: {reason}"))
            }
        }
    }

    /// Prints each step's time again and the closing line.
    pub(crate) fn finish(self) {
        println!();
        for (name, took) in &self.passed {
            println!("{:>8.1} s  {name}", took.as_secs_f64());
        }
        println!("{:>8.1} s  in all", self.started.elapsed().as_secs_f64());
        println!("{} passed, 0 failed", self.passed.len());
    }
}

/// The cargo that runs this program, working in `root`.
pub(crate) fn cargo(root: &Path) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root);
    // `cargo run` describes this crate to its child in the environment. Handed on to the next cargo, that would make
    // build scripts run again that a cargo started by hand would not run.
    for (name, _) in std::env::vars_os() {
        let Some(name) = name.to_str() else { continue };
        if name.starts_with("CARGO_PKG_")
            || name.starts_with("CARGO_MANIFEST_")
            || matches!(name, "CARGO_BIN_NAME" | "CARGO_CRATE_NAME" | "CARGO_PRIMARY_PACKAGE" | "OUT_DIR")
        {
            command.env_remove(name);
        }
    }
    command
}

/// Runs a command with this program's output; anything but exit status 0 is a failure.
pub(crate) fn run(command: &mut Command) -> Outcome {
    println!("    {}", describe(command));
    match command.stdin(Stdio::null()).status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("`{}` ended with {status}", describe(command))),
        Err(error) => Err(format!("`{}` did not start: {error}", describe(command))),
    }
}

/// Whether a command starts and ends with status 0; its output is thrown away.
pub(crate) fn succeeds(command: &mut Command) -> bool {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

fn describe(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_name().unwrap_or_else(|| command.get_program());
    let mut line = program.to_string_lossy().into_owned();
    for argument in command.get_args() {
        line.push(' ');
        line.push_str(&argument.to_string_lossy());
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_step_is_named_in_the_error() {
        let mut steps = Steps::new();
        assert_eq!(steps.step("good", || Ok(())), Ok(()));
        let error = steps.step("bad", || Err("three lines too long".to_owned())).unwrap_err();
        assert_eq!(error, "step `bad` failed: three lines too long");
        assert_eq!(steps.passed.len(), 1);
    }

    #[test]
    fn exit_status_decides() {
        assert!(succeeds(&mut Command::new("true")));
        assert!(!succeeds(&mut Command::new("false")));
        assert!(!succeeds(&mut Command::new("no-such-program-anywhere")));
        assert!(run(&mut Command::new("false")).unwrap_err().starts_with("`false` ended with"));
    }
}
