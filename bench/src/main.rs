//! Prints what records and handshakes cost beside the bare cryptography; with `server` only what handshakes cost servers,
//! with `tunnel` only what `gramseal tunnel` carries. See README.md.

use std::env;

use gramseal_bench::handshakes::{HANDSHAKES, PRESHARED};
use gramseal_bench::paired::COLUMNS;
use gramseal_bench::records::{self, CIPHERS, SIZES};
use gramseal_bench::server_side::SERVER_SIDES;
use gramseal_bench::sockets::{CarriedByTunnel, TunnelFlow};

fn main() {
    match env::args().nth(1).as_deref() {
        Some("server") => return servers(),
        Some("tunnel") => return tunnel(),
        _ => {}
    }
    println!("{:>26}   seal {COLUMNS}   open {COLUMNS}", "bytes");
    for cipher in &CIPHERS {
        for size in SIZES {
            let (seal, open) = (records::seal(cipher, size), records::open(cipher, size));
            println!("{:<20} {size:>5}        {seal}        {open}", cipher.name);
        }
    }
    println!("\n{:<26}        {COLUMNS}", "handshake, both sides");
    for handshake in &HANDSHAKES {
        println!("{:<26}        {}", handshake.name, handshake.compare());
    }
    for handshake in &PRESHARED {
        println!("{:<26}        {}", handshake.name, handshake.compare());
    }
    servers();
}

/// Full handshakes beside those that resume a session.
fn servers() {
    println!("\n{:<26}           full ns   resumed     min  ratio   max", "1.3, server alone");
    for server in &SERVER_SIDES {
        println!("{:<26}        {}", server.name, server.compare());
    }
}

/// A flow through a tunnel, beside others over loopback. More is better.
fn tunnel() {
    let CarriedByTunnel { udp, ours, gigabits, .. } = TunnelFlow::new().compare();
    println!("{:<34}  min ratio   max", "");
    println!("{:<33} {udp}", "tunnel, beside plain UDP");
    println!("{:<33} {ours}", "tunnel, beside send_many");
    println!("gigabits a second: tunnel {:.2}, UDP {:.2}, send_many {:.2}", gigabits[0], gigabits[1], gigabits[2]);
}
