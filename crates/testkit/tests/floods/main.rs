//! Floods from strangers while a hundred clients talk to the same server: none of them notices, and memory stays
//! within the bounds that are stated where it is used.

mod fragments;
mod junk;
mod site;

use std::time::Duration;

use gramseal_proto::endpoint::Limits;
use gramseal_testkit::alloc_counter::{Memory, memory};
use junk::Junk;
use site::{CLIENTS, Site, first_hello, stranger};

/// Bytes that the clients' own exchanges take at any time, and the counters of what was dropped, for both sides of each.
const EXCHANGES: u64 = 48 * 1024;

/// Floods `site` with `count` datagrams, between which the clients exchange data.
fn flood(site: &mut Site, count: u64, mut send: impl FnMut(&mut Site, u64)) -> Memory {
    let before = site.repeated();
    let memory = memory(|| {
        for number in 0..count {
            site.pass_quickly();
            send(site, number);
            if number % 500 == 0 {
                let client = usize::try_from(number / 500).expect("a small number") % CLIENTS;
                site.exchange(client);
                site.pass(Duration::from_micros(5));
            }
        }
    });
    site.exchange_all();
    assert_eq!(site.repeated(), before, "nobody had to repeat anything");
    memory
}

/// A client by chance.
fn somebody(junk: &mut Junk) -> usize {
    usize::try_from(junk.rng.below(CLIENTS as u64)).expect("a small number")
}

#[test] // RFC 6347 §4.1.2.7, RFC 9147 §4.5.2
fn a_million_datagrams_of_junk_disturb_nobody() {
    let mut site = Site::new(Limits::default());
    let mut junk = Junk::new(1);
    let memory = flood(&mut site, 1_000_000, |site, number| {
        let client = somebody(&mut junk);
        match number % 4 {
            0 => site.client_receives(client, junk.any()),
            1 | 2 => site.server_receives(site.clients[client].address, junk.any()),
            _ => site.server_receives(stranger(number), junk.any()),
        }
    });
    // Some of it are parts of hellos, as if by chance: 64 are kept.
    assert!(memory.most < EXCHANGES + 64 * 512, "{memory:?}");
    assert_eq!((site.endpoint.entries(), site.endpoint.half_open()), (CLIENTS, 0));
}

#[test] // RFC 6347 §4.2.1, RFC 9147 §5.1
fn hellos_from_a_hundred_thousand_addresses_disturb_nobody_and_leave_nothing() {
    let mut site = Site::new(Limits::default());
    let mut hellos = [0, 1].map(|number| first_hello(number, site.now));
    let cookies = site.endpoint.stats().cookies_sent;
    let mut sent = 0;
    let memory = flood(&mut site, 100_000, |site, number| {
        let hello = &mut hellos[usize::from(number % 2 == 0)];
        // Its random, behind the headers and the version.
        hello[27..35].copy_from_slice(&number.to_be_bytes());
        sent += hello.len();
        site.server_receives(stranger(number), hello);
    });
    assert!(memory.most < EXCHANGES, "{memory:?}");
    assert_eq!((site.endpoint.entries(), site.endpoint.half_open()), (CLIENTS, 0));
    assert_eq!(site.endpoint.stats().cookies_sent - cookies, 100_000);
    assert!(site.to_strangers <= sent, "{} bytes for {sent}", site.to_strangers);
}

#[test] // RFC 6347 §4.1.2.7, RFC 9147 §7
fn forged_acks_and_alerts_disturb_nobody() {
    let mut site = Site::new(Limits::default());
    let mut junk = Junk::new(2);
    let memory = flood(&mut site, 100_000, |site, number| {
        let client = somebody(&mut junk);
        let forged = if number % 2 == 0 { junk.ack() } else { junk.alert() };
        match number % 4 {
            0 | 1 => site.client_receives(client, forged),
            _ => site.server_receives(site.clients[client].address, forged),
        }
    });
    assert!(memory.most < EXCHANGES, "{memory:?}");
    // Nor anybody who comes meanwhile, with fifty of them before each datagram.
    site.forged = Some(junk);
    for _ in 0..20 {
        let number = site.add_client();
        assert!(site.clients[number].connection.is_connected(), "client {number}");
        assert_eq!(site.clients[number].connection.stats().retransmissions, 0);
    }
    site.exchange_all();
}
