//! Exits with 1 if gramseal costs more than it may beside the bare cryptography, or carries less than it should beside
//! bare sockets. `bars [part of a name]` looks only at cryptography that has that in its name, `bars sockets` only at flows.

use std::env;
use std::process::ExitCode;

use gramseal_bench::handshakes::{HANDSHAKES, PRESHARED};
use gramseal_bench::paired::{COLUMNS, Comparison};
use gramseal_bench::records::{self, CIPHERS};
use gramseal_bench::server_side::SERVER_SIDES;
use gramseal_bench::sockets::{Carried, ManyFlows, OneFlow, Ratio};
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

/// What one flow over loopback carries at least: beside batches of quinn-udp with the bare AEAD, beside datagrams of
/// quinn, and beside one call to the system for each record.
const CARRIED: [f64; 3] = [0.6, 1.5, 4.0];

/// What a datagram of 1000 flows may cost beside one of a single flow.
const MANY_FLOWS: f64 = 1.5;

/// A bar is missed when it is missed this often in a row: a neighbour's load does not last.
const ATTEMPTS: u32 = 4;

fn main() -> ExitCode {
    let wanted = env::args().nth(1).unwrap_or_default();
    let sockets_alone = wanted == "sockets";
    let mut reached = sockets_alone || cryptography(&wanted);
    if sockets_alone || wanted.is_empty() {
        reached &= sockets();
    }
    if reached { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn cryptography(wanted: &str) -> bool {
    let check = |name: &str, bar, measure: &dyn Fn() -> Comparison| !name.contains(wanted) || check(name, bar, measure);
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
    for server in SERVER_SIDES.iter().filter(|server| server.name.contains(wanted)) {
        // The other way round: more is better.
        reached &= check_at_least(server.name, RESUMED_FOR_FULL, || server.compare());
    }
    reached
}

/// Flows over loopback. More is better, but for what many cost.
fn sockets() -> bool {
    println!("{:<34} bar   min ratio   max", "");
    let flow = OneFlow::new();
    let one = (1..=ATTEMPTS).any(|attempt| {
        let Carried { raw, quic, plain, gigabits, .. } = flow.compare();
        println!(
            "gigabits a second: ours {:.1}, raw {:.1}, quinn {:.1}, plain {:.1}",
            gigabits[0], gigabits[1], gigabits[2], gigabits[3]
        );
        let rows = [
            ("one flow, beside quinn-udp and AEAD", raw),
            ("one flow, beside quinn", quic),
            ("one flow, beside plain sends", plain),
        ];
        let all = rows
            .into_iter()
            .zip(CARRIED)
            .map(|((name, ratio), bar)| row(name, bar, ratio, ratio.median >= bar, attempt));
        all.fold(true, |all, one| all & one)
    });
    drop(flow);
    let flows = ManyFlows::new();
    let many = (1..=ATTEMPTS).any(|attempt| {
        let ratio = flows.compare();
        row("1000 flows, cost of a datagram", MANY_FLOWS, ratio, ratio.median <= MANY_FLOWS, attempt)
    });
    one & many
}

fn row(name: &str, bar: f64, ratio: Ratio, reached: bool, attempt: u32) -> bool {
    println!("{name:<33} {bar:>4.2} {ratio}   {}", verdict(reached, attempt));
    reached
}

fn verdict(reached: bool, attempt: u32) -> &'static str {
    match (reached, attempt) {
        (true, _) => "reached",
        (false, ATTEMPTS) => "MISSED",
        (false, _) => "missed, again",
    }
}

/// Like [`check`], of a ratio that must not be below the bar.
fn check_at_least(name: &str, bar: f64, measure: impl Fn() -> Comparison) -> bool {
    (1..=ATTEMPTS).any(|attempt| {
        let comparison = measure();
        let reached = comparison.median >= bar;
        println!("{name:<33} {bar:>4.2} {comparison}   {}", verdict(reached, attempt));
        reached
    })
}

fn check(name: &str, bar: f64, measure: &dyn Fn() -> Comparison) -> bool {
    for attempt in 1..=ATTEMPTS {
        let comparison = measure();
        let reached = comparison.median <= bar;
        println!("{name:<33} {bar:>4.2} {comparison}   {}", verdict(reached, attempt));
        if reached {
            return true;
        }
    }
    false
}
