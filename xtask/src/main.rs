//! Checks and chores of this repository; run as `cargo xtask <command>`.
//!
//! Owns the list of what has to hold before a change is taken. Holds no protocol code and is never published.

mod bogo;
mod ci;
mod conformance;
mod fuzz;
mod layers;
mod packages;
mod shell;
mod source;
mod test;

use std::path::PathBuf;
use std::process::ExitCode;

const USAGE: &str = "\
usage: cargo xtask <command>

  ci           everything that has to hold: format, clippy, rustdoc, test, conformance, layers, licences
  test         all tests: unit, integration, documentation and interop tests, BoringSSL's protocol suite, fuzzers
  fuzz         every fuzzer for 20 seconds; `fuzz TARGET --seconds N` for one, or for longer
  bogo         that suite alone; `bogo bless` writes down what passes
  conformance  docs/conformance.md and docs/attacks.md name only files and tests that exist
  layers       who may import whom, sizes of files and functions, no `unsafe`
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let root = repository();
    let done = match words.join(" ").as_str() {
        "bogo" => bogo::run(&root, bogo::Mode::Check),
        "bogo bless" => bogo::run(&root, bogo::Mode::Bless),
        "ci" => ci::run(&root),
        fuzzing if fuzzing == "fuzz" || fuzzing.starts_with("fuzz ") => match fuzz::Wish::parse(&words[1..]) {
            Some(wish) => fuzz::run(&root, &wish),
            None => {
                eprint!("{USAGE}");
                return ExitCode::from(2);
            }
        },
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
            eprintln!("xtask {}: {reason}", words.join(" "));
            ExitCode::FAILURE
        }
    }
}

/// The repository's root: the folder above this crate.
fn repository() -> PathBuf {
    own_folder().parent().expect("xtask lies in the repository").to_path_buf()
}

/// This crate's folder, as cargo tells it when it starts the program. The folder known at compile time may be another
/// checkout's, where several share what they build.
fn own_folder() -> PathBuf {
    std::env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| env!("CARGO_MANIFEST_DIR").into(), PathBuf::from)
}
