//! Exits with 1 if gramseal costs more than it may beside the bare cryptography. `bars [part of a name]` looks only at
//! what has that in its name.

use std::env;
use std::process::ExitCode;

use gramseal_bench::handshakes::{HANDSHAKES, PRESHARED};
use gramseal_bench::paired::{COLUMNS, Comparison};
use gramseal_bench::records::{self, CIPHERS};
use gramseal_bench::server_side::SERVER_SIDES;
use gramseal_proto::wire::ProtocolVersion;

/// What records of one size may cost at most, as ratios.
struct Bar {
    /// Bytes of payload.
    size: usize,
    seal: f64,
    open: f64,
}

const RECORDS_12: &[Bar] = &[Bar { size: 1200, seal: 1.25, open: 1.2 }];
const RECORDS_13: &[Bar] = &[Bar { size: 64, seal: 1.6, open: 1.5 }, Bar { size: 1200, seal: 1.35, open: 1.3 }];

/// What a full handshake may cost at most.
const HANDSHAKE_12: f64 = 1.2;
const HANDSHAKE_13: f64 = 1.25;

/// What a handshake that resumes a session may, and one of 1.2 with a pre-shared key alone.
const RESUMED: f64 = 1.5;
const PSK: f64 = 1.3;

/// How many sessions a server of 1.3 resumes at least in the time of one full handshake.
const RESUMED_FOR_FULL: f64 = 4.0;

/// A bar is missed when it is missed this often in a row: a neighbour's load does not last.
const ATTEMPTS: u32 = 4;

fn main() -> ExitCode {
    let wanted = env::args().nth(1).unwrap_or_default();
    let check =
        |name: &str, bar, measure: &dyn Fn() -> Comparison| !name.contains(&wanted) || check(name, bar, measure);
    println!("{:<34} bar {COLUMNS}", "");
    let mut reached = true;
    for cipher in &CIPHERS {
        let bars = if cipher.version == ProtocolVersion::DTLS1_3 { RECORDS_13 } else { RECORDS_12 };
        for &Bar { size, seal, open } in bars {
            reached &= check(&format!("seal {size} {}", cipher.name), seal, &|| records::seal(cipher, size));
            reached &= check(&format!("open {size} {}", cipher.name), open, &|| records::open(cipher, size));
        }
    }
    for handshake in &HANDSHAKES {
        let bar = if handshake.version == ProtocolVersion::DTLS1_3 { HANDSHAKE_13 } else { HANDSHAKE_12 };
        reached &= check(handshake.name, bar, &|| handshake.compare());
    }
    for handshake in &PRESHARED {
        let bar = if handshake.resumes() { RESUMED } else { PSK };
        reached &= check(handshake.name, bar, &|| handshake.compare());
    }
    for server in SERVER_SIDES.iter().filter(|server| server.name.contains(&wanted)) {
        // The other way round: more is better.
        reached &= check_at_least(server.name, RESUMED_FOR_FULL, || server.compare());
    }
    if reached { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Like [`check`], of a ratio that must not be below the bar.
fn check_at_least(name: &str, bar: f64, measure: impl Fn() -> Comparison) -> bool {
    (1..=ATTEMPTS).any(|attempt| {
        let comparison = measure();
        let reached = comparison.median >= bar;
        let verdict = if reached {
            "reached"
        } else if attempt == ATTEMPTS {
            "MISSED"
        } else {
            "missed, again"
        };
        println!("{name:<33} {bar:>4.2} {comparison}   {verdict}");
        reached
    })
}

fn check(name: &str, bar: f64, measure: &dyn Fn() -> Comparison) -> bool {
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
