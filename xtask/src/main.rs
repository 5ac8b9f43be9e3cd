//! Checks and chores of this repository; run as `cargo xtask <command>`.
//!
//! Owns the list of what has to hold before a change is taken. Holds no protocol code and is never published.

mod ci;
mod conformance;
mod layers;
mod packages;
mod shell;
mod source;
mod test;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

const USAGE: &str = "\
usage: cargo xtask <command>

  ci           everything that has to hold: format, clippy, rustdoc, test, conformance, layers, licences
  test         all tests: unit, integration, documentation and interop tests
  conformance  docs/conformance.md names only files and tests that exist
  layers       who may import whom, sizes of files and functions, no `unsafe`
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [command] = arguments.as_slice() else {
        eprint!("{USAGE}");
        return ExitCode::from(2);
    };
    let root = repository();
    let done = match command.as_str() {
        "ci" => ci::run(&root),
        "test" => test::run(&root),
        "conformance" => conformance::run(&root),
        "layers" => layers::run(&root),
        "help" | "-h" | "--help" => {
            print!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        _ => {
            eprint!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            eprintln!("xtask {command}: {reason}");
            ExitCode::FAILURE
        }
    }
}

/// The repository's root: the folder above this crate.
fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies in the repository").to_path_buf()
}
