//! New keys for a connection of DTLS 1.3, over loopback (RFC 9147 §8).

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up fails")]

mod common;

use std::sync::Arc;

use common::*;
use gramseal::proto::wire::ProtocolVersion;
use gramseal::{Connection, CookiePolicy, Endpoint, KeyUpdateRequest, UpdateKeysError};
use gramseal_testkit::pki::TestPki;

/// The client's and the server's side of a connection of `version`.
async fn connected(version: ProtocolVersion) -> (Connection, Connection) {
    let pki = TestPki::new();
    let config = server_builder(&pki).with_versions(&[version]).build().unwrap();
    let builder = Endpoint::builder().with_server(Arc::new(config)).with_cookie_policy(CookiePolicy::Off);
    let (server, client) = (bind(builder).0, Endpoint::client(LOOPBACK).unwrap());
    let config = client_builder(&pki).with_versions(&[version]).build().unwrap();
    pair(&server, &client, Arc::new(config)).await
}

async fn passes(from: &Connection, to: &Connection, data: &'static [u8]) {
    from.send(data).unwrap();
    assert_eq!(to.recv().await.unwrap().unwrap(), data);
}

/// How often `side` changed the keys that it sends with, and those that it receives with.
fn updates(side: &Connection) -> (u32, u32) {
    let stats = side.stats().protocol;
    (stats.key_updates_sent, stats.key_updates_received)
}

#[tokio::test]
async fn either_side_updates_its_keys_and_data_goes_on() {
    soon(async {
        let (client, server) = connected(ProtocolVersion::DTLS1_3).await;
        for (one, other) in [(&client, &server), (&server, &client), (&client, &server)] {
            let (before, others) = (updates(one), updates(other));
            one.update_keys(KeyUpdateRequest::NotRequested).unwrap();
            // What is sent meanwhile goes out under the old keys.
            passes(one, other, b"meanwhile").await;
            eventually("the new keys are used", || updates(one).0 == before.0 + 1).await;
            passes(one, other, b"there").await;
            passes(other, one, b"and back").await;
            assert_eq!(updates(other), (others.0, others.1 + 1));
        }
    })
    .await;
}

#[tokio::test]
async fn the_keys_of_both_sides_change_when_one_asks_for_it() {
    soon(async {
        let (client, server) = connected(ProtocolVersion::DTLS1_3).await;
        for (one, other) in [(&client, &server), (&server, &client)] {
            let before = [updates(one), updates(other)];
            one.update_keys(KeyUpdateRequest::Requested).unwrap();
            let after = before.map(|(sent, received)| (sent + 1, received + 1));
            eventually("all keys are new", || [updates(one), updates(other)] == after).await;
            passes(one, other, b"there").await;
            passes(other, one, b"and back").await;
        }
    })
    .await;
}

#[tokio::test]
async fn keys_of_1_2_cannot_be_updated_and_nothing_happens() {
    soon(async {
        let (client, server) = connected(ProtocolVersion::DTLS1_2).await;
        for (one, other) in [(&client, &server), (&server, &client)] {
            assert_eq!(one.update_keys(KeyUpdateRequest::Requested), Err(UpdateKeysError::NotInThisVersion));
            passes(one, other, b"data").await;
        }
    })
    .await;
}
