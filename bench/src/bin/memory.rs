//! Prints the memory that connections hold, and how often a handshake allocates.
//!
//! Counted is what is allocated through Rust's allocator, and the connection itself. What the
//! cryptographic library allocates by itself (the expanded AEAD keys) shows only in what the
//! operating system says about the whole process, which includes what the allocator wastes.
//! A configuration is shared and does not count.

use std::env;
use std::fs;

use allocation_counter::measure;
use gramseal_bench::crowd::Crowd;
use gramseal_bench::handshakes::{HANDSHAKES, Handshake};
use gramseal_bench::pair::{Configs, Pair};
use gramseal_proto::Connection;

/// Connections of the endpoint that is looked at.
const CROWD: u32 = 100_000;

/// Connections that are held while the operating system is asked.
const HELD: usize = 4000;

/// Bytes of a page, as `/proc` counts.
const PAGE: usize = 4096;

/// One side of a pair; the other is dropped.
type Side = fn(Pair) -> Connection;
const SIDES: [(&str, Side); 2] = [("client", |pair| pair.client), ("server", |pair| pair.server)];

/// With `crowd [count]` only the connections of an endpoint are counted.
fn main() {
    let mut arguments = env::args().skip(1);
    if arguments.next().is_some_and(|what| what == "crowd") {
        return crowds(arguments.next().and_then(|count| count.parse().ok()).unwrap_or(CROWD));
    }
    println!("a connection itself: {} bytes\n", size_of::<Connection>());
    println!("{:<33} {:>16} {:>16} {:>18}", "bytes held", "after handshake", "at rest", "resident, at rest");
    let mut kept = Vec::with_capacity(2 * HELD * HANDSHAKES.len() * SIDES.len());
    for handshake in &HANDSHAKES {
        for (name, side) in SIDES {
            let configs = handshake.configs();
            let after = counted(side(Pair::connected(&configs, &mut Vec::new())));
            let later = counted(resting(side, &configs));
            let resident =
                resident(&configs, side, &mut kept).map_or_else(|| "-".to_owned(), |bytes| bytes.to_string());
            println!("{:<26} {name} {after:>16} {later:>16} {resident:>18}", handshake.name);
        }
    }
    println!("\n{:<26} {:>13} {:>13} {:>13}", "handshake, both sides", "allocations", "bytes in all", "at most");
    for handshake in &HANDSHAKES {
        allocations(handshake);
    }
    crowds(CROWD);
}

/// What each of `count` connections of an endpoint takes, with all maps.
fn crowds(count: u32) {
    println!("\n{:<41} {:>9} {:>9}", "bytes for each connection of an endpoint", "held", "resident");
    // They stay: memory that is given back would be used again and not be seen.
    let mut kept = Vec::new();
    for (name, ids) in [("1.3 server, one ticket", false), ("1.3 server, one ticket, connection ids", true)] {
        let mut crowd = None;
        let before = process_pages();
        let held = measure(|| crowd = Some(Crowd::of(count, ids))).bytes_current / i64::from(count);
        let grown = process_pages().zip(before).map(|(after, before)| after.saturating_sub(before) * PAGE);
        let resident = grown.map_or_else(|| "-".to_owned(), |bytes| (bytes / count as usize).to_string());
        println!("{name:<41} {held:>9} {resident:>9}");
        kept.extend(crowd);
    }
}

fn allocations(handshake: &Handshake) {
    let configs = handshake.configs();
    let mut datagram = Vec::with_capacity(1 << 16);
    drop(Pair::connected(&configs, &mut datagram));
    let info = measure(|| drop(Pair::connected(&configs, &mut datagram)));
    println!("{:<26} {:>13} {:>13} {:>13}", handshake.name, info.count_total, info.bytes_total, info.bytes_max);
}

/// One side of a pair that has been idle for so long that it rests, as `gramseal` has it.
fn resting(side: Side, configs: &Configs) -> Connection {
    let mut connection = side(Pair::idle(configs));
    connection.rest();
    connection
}

/// Bytes that go when `connection` does.
fn counted(connection: Connection) -> i64 {
    let own = i64::try_from(size_of::<Connection>()).expect("small");
    own - measure(|| drop(connection)).bytes_current
}

/// By how much each of many connections makes the process grow. They all go to `kept`: memory that
/// is given back would be used again and not be seen.
fn resident(configs: &Configs, side: Side, kept: &mut Vec<Connection>) -> Option<usize> {
    // The first ones fill what earlier work left free.
    kept.extend((0..HELD).map(|_| resting(side, configs)));
    let before = process_pages()?;
    kept.extend((0..HELD).map(|_| resting(side, configs)));
    Some(process_pages()?.saturating_sub(before) * PAGE / HELD)
}

/// Resident pages of this process, where `/proc` tells.
fn process_pages() -> Option<usize> {
    fs::read_to_string("/proc/self/statm").ok()?.split(' ').nth(1)?.parse().ok()
}
