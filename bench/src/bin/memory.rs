//! Prints the memory that connections hold, and how often a handshake allocates.
//!
//! Counted is what is allocated through Rust's allocator, and the connection itself. A
//! configuration is shared and does not count.

use allocation_counter::measure;
use gramseal_bench::handshakes::{HANDSHAKES, Handshake};
use gramseal_bench::pair::Pair;
use gramseal_proto::Connection;

fn main() {
    println!("{:<26} {:>13} {:>13} {:>13} {:>13}", "bytes", "client", "server", "confirmed: cl.", "server");
    for handshake in &HANDSHAKES {
        let [client, server] = held(handshake, |_| {});
        let [confirmed_client, confirmed_server] = held(handshake, |pair| pair.confirm(&mut Vec::new()));
        println!("{:<26} {client:>13} {server:>13} {confirmed_client:>14} {confirmed_server:>13}", handshake.name);
    }
    println!("\n{:<26} {:>13} {:>13} {:>13}", "handshake, both sides", "allocations", "bytes in all", "at most");
    for handshake in &HANDSHAKES {
        let configs = handshake.configs();
        let mut datagram = Vec::with_capacity(1 << 16);
        drop(Pair::connected(&configs, &mut datagram));
        let info = measure(|| drop(Pair::connected(&configs, &mut datagram)));
        println!("{:<26} {:>13} {:>13} {:>13}", handshake.name, info.count_total, info.bytes_total, info.bytes_max);
    }
}

/// What client and server hold after the handshake and `then`, in bytes.
fn held(handshake: &Handshake, then: impl FnOnce(&mut Pair)) -> [i64; 2] {
    let mut pair = Pair::connected(&handshake.configs(), &mut Vec::new());
    then(&mut pair);
    [size(pair.client), size(pair.server)]
}

fn size(connection: Connection) -> i64 {
    let own = i64::try_from(size_of::<Connection>()).expect("small");
    own - measure(|| drop(connection)).bytes_current
}
