//! Prints what records and handshakes cost beside the bare cryptography, or with `server` only what handshakes cost
//! servers. See README.md.

use std::env;

use gramseal_bench::handshakes::{HANDSHAKES, PRESHARED};
use gramseal_bench::paired::COLUMNS;
use gramseal_bench::records::{self, CIPHERS, SIZES};
use gramseal_bench::server_side::SERVER_SIDES;

fn main() {
    if env::args().nth(1).is_some_and(|what| what == "server") {
        return servers();
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
