//! Images of connections, sealed with the right key whatever is in them.

use std::sync::Arc;

use gramseal_proto::crypto::{AeadAlgorithm, AeadKey, HashAlgorithm, NONCE_LEN};
use gramseal_proto::{Connection, ImageKey, ImportError, Imported};
use gramseal_testkit::null;
use gramseal_testkit::peer::Wiretap;
use gramseal_testkit::sim::Side;
use gramseal_wire::{ConnectionIdUsage, KeyUpdateRequest};

use crate::configs::{self, Choice, Sessions};
use crate::host::{Host, START, time};
use crate::input::Input;
use crate::sealed::{connected, exchange};

const SECRET: [u8; ImageKey::LEN] = [5; ImageKey::LEN];

/// Magic, format and the name of the key; then the seed.
const NAME_AT: usize = 6;
const SEED_AT: usize = 14;
const FIELDS_AT: usize = 30;

/// A side, its settings, then the fields of an image, or, if the first byte says so, the whole image.
///
/// # Panics
/// If a connection is made of it that does what it must not, or does not come out as it is when it moves again.
pub fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let (first, settings) = (input.byte(), input.byte());
    let side = if first & 1 == 0 { Side::Client } else { Side::Server };
    let image = if first & 2 == 0 { seal(input.rest()) } else { input.rest().to_vec() };
    let sessions = Sessions::new();
    let Ok(Imported { connection, .. }) = import(side, Choice::of(settings), &sessions, &image) else { return };
    let mut host = Host::new(connection, START);
    // Whether it can do these things is its answer.
    drop(host.seal(b"hello"));
    let _ = host.connection.update_keys(KeyUpdateRequest::Requested);
    let _ = host.connection.issue_cids(1, ConnectionIdUsage::Immediate);
    let _ = host.connection.rest();
    host.drain(START);
    for len in [0, 1, 13, 40] {
        host.deliver(START, None, vec![0x2f; len]);
    }
    let end = START + time(12);
    host.advance(START, end);
    drop(host.seal(b"later"));
    host.connection.end_checkpoints();
    drop(host.seal(b"later still"));
    host.drain(end);
    if let Ok(image) = host.connection.export(&key(), b"", end) {
        let again = import(side, Choice::of(settings), &sessions, &image);
        assert!(again.is_ok(), "{again:?} of what was made of an image");
    }
}

fn import(side: Side, choice: Choice, sessions: &Sessions, image: &[u8]) -> Result<Imported, ImportError> {
    match side {
        Side::Client => Connection::import_client(configs::client(choice, sessions, None), &key(), image, START),
        Side::Server => Connection::import_server(configs::server(choice, sessions), &key(), image, START),
    }
}

fn key() -> ImageKey {
    ImageKey::new(null::provider(5), &SECRET).expect("the provider has what it takes")
}

/// The key of the image with this seed, written apart from the code under test.
fn sealer(seed: &[u8]) -> ([u8; 8], Box<dyn AeadKey>) {
    let provider = null::provider(5);
    let hmac = provider.hash(HashAlgorithm::Sha256).expect("it has SHA-256").hmac_key(&SECRET);
    let name = hmac.sign(&[b"gramseal image key name"]);
    let aead = provider.aead(AeadAlgorithm::Aes256Gcm).expect("it has AES-256-GCM");
    let material = hmac.sign(&[b"gramseal image", seed]);
    let key = aead.key(&material.as_ref()[..32]).expect("a key of 32 bytes");
    (*name.as_ref().first_chunk().expect("8 bytes"), key)
}

/// An image with these fields.
fn seal(fields: &[u8]) -> Vec<u8> {
    let seed = [9; FIELDS_AT - SEED_AT];
    let (name, key) = sealer(&seed);
    let header = [&b"GsIm\0\x01"[..], &name, &seed].concat();
    let mut sealed = vec![0; fields.len() + 16];
    key.seal([0; NONCE_LEN], &header, fields, &[], &mut sealed).expect("lengths fit");
    [header, sealed].concat()
}

/// Inputs of this target made of a real connection: one with the fields of its image, one with the image.
///
/// # Panics
/// If the connection cannot move.
#[must_use]
pub fn seeds(side: Side, settings: u8, busy: bool) -> [Vec<u8>; 2] {
    let choice = Choice::of(settings);
    let tap = Arc::new(Wiretap::default());
    let mut hosts = connected(choice, &Sessions::new(), &tap);
    if busy {
        for host in &mut hosts {
            let _ = host.connection.issue_cids(2, ConnectionIdUsage::Spare);
            let _ = host.connection.update_keys(KeyUpdateRequest::Requested);
            host.drain(START);
        }
        exchange(&mut hosts, START);
    }
    // The last flight is kept for a while.
    let mut now = START;
    for wait in [9, 17, 17] {
        let end = now + time(wait);
        hosts.iter_mut().for_each(|host| host.advance(now, end));
        now = end;
        exchange(&mut hosts, now);
    }
    let [client, server] = hosts;
    let host = &mut if side == Side::Client { client } else { server };
    let image = host.connection.export(&key(), b"attached", now).expect("nothing is under way");
    let (name, key) = sealer(&image[SEED_AT..FIELDS_AT]);
    assert_eq!(image[NAME_AT..SEED_AT], name);
    let mut fields = image[FIELDS_AT..].to_vec();
    let len = key.open([0; NONCE_LEN], &image[..FIELDS_AT], &mut fields).expect("an image of ours");
    fields.truncate(len);
    let first = side as u8;
    [[&[first, settings][..], &fields].concat(), [&[first | 2, settings][..], &image].concat()]
}
