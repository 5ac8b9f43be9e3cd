//! Exits with 1 if gramseal costs more than it may beside the bare cryptography.

use std::process::ExitCode;

use gramseal_bench::handshakes::HANDSHAKES;
use gramseal_bench::paired::{COLUMNS, Comparison};
use gramseal_bench::records::{self, CIPHERS};

/// Payload of the records, in bytes.
const SIZE: usize = 1200;

/// What may be at most, as ratios.
const SEAL: f64 = 1.25;
const OPEN: f64 = 1.2;
const HANDSHAKE: f64 = 1.2;

/// A bar is missed when it is missed this often in a row: a neighbour's load does not last.
const ATTEMPTS: u32 = 4;

fn main() -> ExitCode {
    println!("{:<34} bar {COLUMNS}", "");
    let mut reached = true;
    for cipher in &CIPHERS {
        reached &= check(&format!("seal {SIZE} {}", cipher.name), SEAL, || records::seal(cipher, SIZE));
        reached &= check(&format!("open {SIZE} {}", cipher.name), OPEN, || records::open(cipher, SIZE));
    }
    for handshake in &HANDSHAKES {
        reached &= check(handshake.name, HANDSHAKE, || handshake.compare());
    }
    if reached { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn check(name: &str, bar: f64, measure: impl Fn() -> Comparison) -> bool {
    for attempt in 1..=ATTEMPTS {
        let comparison = measure();
        let reached = comparison.median <= bar;
        let verdict = match (reached, attempt) {
            (true, _) => "reached",
            (false, ATTEMPTS) => "MISSED",
            (false, _) => "missed, again",
        };
        println!("{name:<33} {bar:>4.2} {comparison}   {verdict}");
        if reached {
            return true;
        }
    }
    false
}
