//! Handshake messages that never get whole.

use std::net::SocketAddr;
use std::time::Duration;

use gramseal_proto::Connection;
use gramseal_proto::endpoint::Limits;
use gramseal_testkit::alloc_counter;

use super::site::{CLIENTS, Site, client, first_hello, stranger};
use super::{EXCHANGES, flood};

/// Bytes of the headers of a record and of a handshake message.
const HEADERS: usize = 13 + 12;

/// A fragment of a message that claims to have `length` bytes.
fn fragment(number: u64, message_seq: u8, length: u32, offset: u32, body: &[u8]) -> Vec<u8> {
    let len = u16::try_from(body.len()).expect("short").to_be_bytes();
    let [_, length @ ..] = length.to_be_bytes();
    let [_, offset @ ..] = offset.to_be_bytes();
    let [_, _, number @ ..] = number.to_be_bytes();
    let record_len = u16::try_from(12 + body.len()).expect("short").to_be_bytes();
    let mut datagram = vec![22, 0xfe, 0xfd, 0, 0];
    datagram.extend(number);
    datagram.extend(record_len);
    datagram.push(11);
    datagram.extend(length);
    datagram.extend([0, message_seq]);
    datagram.extend(offset);
    datagram.push(0);
    datagram.extend(len);
    datagram.extend(body);
    datagram
}

/// All but the last bytes of a hello of the longest length, in two versions, which begins as the one in `datagram`.
fn long_parts(datagram: &[u8]) -> [Vec<u8>; 2] {
    [4096, 4095].map(|length| {
        let mut body = datagram[HEADERS..].to_vec();
        body.resize(4094, 7);
        let mut part = fragment(9, datagram[HEADERS - 7], length, 0, &body);
        part[13] = 1;
        part
    })
}

#[test] // RFC 9147 §5.5
fn parts_of_hellos_from_strangers_take_no_more_than_their_room() {
    let mut site = Site::new(Limits::default());
    let hello = first_hello(0, site.now);
    let mut parts = long_parts(&hello);
    let memory = flood(&mut site, 20_000, |site, number| {
        for part in &mut parts {
            part[27..35].copy_from_slice(&number.to_be_bytes());
            site.server_receives(stranger(number), part);
        }
    });
    // Of each sender one version finds room.
    assert!((64 * 4094..EXCHANGES + 800_000).contains(&memory.most), "{memory:?}");
    assert_eq!((site.endpoint.entries(), site.endpoint.half_open()), (CLIENTS, 0));
}

/// The second hello of a client that has received its cookie.
fn second_hello(site: &mut Site, address: SocketAddr, number: usize) -> (Connection, Vec<u8>) {
    let mut connection = client(number, site.now);
    let mut datagram = Vec::new();
    assert!(connection.poll_transmit(site.now, &mut datagram));
    site.server_receives(address, &mut datagram);
    let mut request = site.last_to_strangers.clone();
    drop(connection.handle_datagram(site.now, &mut request));
    assert!(connection.poll_transmit(site.now, &mut datagram));
    (connection, datagram)
}

#[test] // RFC 9147 §5.5
fn parts_of_hellos_with_a_cookie_take_no_more_than_their_room() {
    let mut site = Site::new(Limits::default());
    let memory = flood(&mut site, 5000, |site, number| {
        let address = stranger(number << 8);
        let (_, hello) = second_hello(site, address, 0);
        for mut part in long_parts(&hello) {
            site.server_receives(address, &mut part);
        }
    });
    assert!((256 * 4094..EXCHANGES + 3_200_000).contains(&memory.most), "{memory:?}");
    assert_eq!((site.endpoint.entries(), site.endpoint.half_open()), (CLIENTS, 0));
}

/// What a handshake may hold of messages that never get whole, in bytes, where no certificates are asked for.
const OF_HANDSHAKE: u64 = 80_000;

/// What the server keeps of a handshake otherwise.
const HANDSHAKE: u64 = 20_000;

/// Nearly all of each message that a server may keep, in two versions.
fn never_whole(site: &mut Site, from: SocketAddr) {
    const LENGTH: u32 = 16_384;
    // As few bytes for each piece of memory as it takes, and as many.
    for piece in [64, 1100] {
        let mut number = 10;
        for message_seq in 2..9 {
            for length in [LENGTH, LENGTH - 1] {
                for offset in (0..length - 1).step_by(piece) {
                    let len = usize::try_from(length - 1 - offset).expect("short").min(piece - 1);
                    number += 1;
                    let body = &[7; 1100][..len];
                    site.server_receives(from, &mut fragment(number, message_seq, length, offset, body));
                }
            }
        }
    }
}

#[test] // RFC 6347 §4.2.3
fn messages_of_handshakes_that_never_get_whole_take_no_more_than_their_room() {
    const NEIGHBOURS: u64 = 40;
    let limits = Limits { half_open_of_prefix: 40, ..Limits::default() };
    let mut site = Site::new(limits);
    let memory = flood(&mut site, 60, |site, number| {
        // Of whom most speak 1.2: under the keys of 1.3 nobody else can say anything.
        let from = stranger(number);
        let (_, mut hello) = second_hello(site, from, usize::from(number % 4 > 0));
        site.server_receives(from, &mut hello);
        never_whole(site, from);
    });
    assert_eq!(site.endpoint.half_open() as u64, NEIGHBOURS);
    assert_eq!(site.endpoint.stats().limits.half_open_of_prefix, 60 - NEIGHBOURS);
    assert!(memory.most < EXCHANGES + NEIGHBOURS * (HANDSHAKE + OF_HANDSHAKE), "{memory:?}");

    // Who lives elsewhere finds room at once.
    let number = site.add_client();
    assert!(site.clients[number].connection.is_connected());
    // The deadline of handshakes gives all of it back.
    let given_back = alloc_counter::memory(|| site.pass(Duration::from_secs(61))).kept;
    let kept = u64::try_from(memory.kept.saturating_add(given_back)).unwrap_or_default();
    assert!(kept < EXCHANGES, "{memory:?}, {given_back}");
    assert_eq!((site.endpoint.entries(), site.endpoint.half_open()), (CLIENTS + 1, 0));
    site.exchange_all();
}
