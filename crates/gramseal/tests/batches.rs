//! Many payloads at once, with and without a system that cuts batches into datagrams.

#![allow(missing_docs, clippy::unwrap_used, reason = "a test")]

mod common;

use std::collections::HashSet;
use std::sync::Arc;

use common::*;
use gramseal::proto::wire::ProtocolVersion;
use gramseal::{Connection, Endpoint, EndpointBuilder, Payloads, ReceiveLimits, SendError};
use gramseal_testkit::pki::TestPki;

const VERSIONS: [ProtocolVersion; 2] = [ProtocolVersion::DTLS1_2, ProtocolVersion::DTLS1_3];

/// A client that sends batches if the system cuts them, and one that does not.
fn clients() -> [Endpoint; 2] {
    [Endpoint::builder(), Endpoint::builder().without_segmentation_offload()].map(|builder| bind(builder).0)
}

async fn pair_of(pki: &TestPki, client: &Endpoint, version: ProtocolVersion) -> (Connection, Connection) {
    pair_with(pki, Endpoint::builder(), client, version).await
}

async fn pair_with(
    pki: &TestPki,
    server: EndpointBuilder,
    client: &Endpoint,
    version: ProtocolVersion,
) -> (Connection, Connection) {
    let server = bind(server.with_server(server_config(pki))).0;
    let config = client_builder(pki).with_versions(&[version]).build().unwrap();
    pair(&server, client, Arc::new(config)).await
}

/// The next `count` payloads, by `recv_many`.
async fn fetch(connection: &Connection, count: usize) -> Vec<Vec<u8>> {
    let (mut payloads, mut fetched) = (Payloads::new(), Vec::new());
    while fetched.len() < count {
        let came = connection.recv_many(&mut payloads).await.unwrap().unwrap();
        assert_eq!((came, payloads.iter().len()), (payloads.len(), came));
        assert!(came > 0, "it waits until something is there");
        fetched.extend(payloads.iter().map(<[u8]>::to_vec));
    }
    fetched
}

#[tokio::test]
async fn payloads_of_any_lengths_arrive_whole_and_in_order() {
    let pki = TestPki::new();
    for client in clients() {
        for version in VERSIONS {
            soon(async {
                let (ours, theirs) = pair_of(&pki, &client, version).await;
                let lengths = (0..70).map(|n| match n {
                    0..30 => 1000,
                    30..50 => n,
                    _ => 90 - n,
                });
                let payloads: Vec<Vec<u8>> = (0..).zip(lengths).map(|(n, len)| vec![n; len]).collect();
                assert_eq!(ours.send_many(&payloads).unwrap(), payloads.len());
                assert_eq!(fetch(&theirs, payloads.len()).await, payloads, "{version}");
                assert_eq!(theirs.send_many_wait(&payloads).await.unwrap(), payloads.len());
                assert_eq!(fetch(&ours, payloads.len()).await, payloads, "{version}");
                let stats = [&ours, &theirs].map(|side| side.stats().protocol);
                assert!(stats.iter().all(|stats| stats.records_sealed == 70 && stats.discards.total() == 0));
            })
            .await;
        }
    }
}

#[tokio::test]
async fn batches_and_single_payloads_mix() {
    let pki = TestPki::new();
    for client in clients() {
        soon(async {
            let (ours, theirs) = pair_of(&pki, &client, ProtocolVersion::DTLS1_3).await;
            ours.send(b"first").unwrap();
            assert_eq!(ours.send_many(&["second", "third!", "4th"]).unwrap(), 3);
            let none: [&[u8]; 0] = [];
            assert_eq!(ours.send_many(&none).unwrap(), 0);
            ours.send_wait(b"last").await.unwrap();
            assert_eq!(theirs.recv().await.unwrap().unwrap(), "first");
            let mut buffer = [0; 10];
            assert_eq!(theirs.recv_into(&mut buffer).await, Ok(Some(6)));
            assert_eq!(fetch(&theirs, 3).await, [&b"third!"[..], b"4th", b"last"]);
            ours.send_many(&["to be fetched"]).unwrap();
            ours.close().await;
            theirs.closed().await;
            let mut payloads = Payloads::new();
            assert_eq!(theirs.recv_many(&mut payloads).await, Ok(Some(1)));
            assert_eq!(theirs.recv_many(&mut payloads).await, Ok(None));
            assert!(matches!(ours.send_many(&["late"]), Err(SendError::Closed)));
        })
        .await;
    }
}

#[tokio::test]
async fn a_payload_that_is_too_long_stops_a_batch_before_it() {
    let pki = TestPki::new();
    for client in clients() {
        for version in VERSIONS {
            soon(async {
                let (ours, theirs) = pair_of(&pki, &client, version).await;
                let limit = ours.max_payload();
                let payloads = [vec![1; limit], vec![2; limit], vec![3; limit + 1], vec![4; 5]];
                assert_eq!(ours.send_many(&payloads).unwrap(), 2);
                for outcome in [ours.send_many(&payloads[2..]), ours.send_many_wait(&payloads[2..]).await] {
                    assert!(matches!(outcome, Err(SendError::TooLarge { limit: told }) if told == limit));
                }
                assert_eq!(ours.send_many_wait(&payloads[3..]).await.unwrap(), 1);
                assert_eq!(fetch(&theirs, 3).await, [&payloads[0], &payloads[1], &payloads[3]].map(Vec::clone));
            })
            .await;
        }
    }
}

/// More than the sockets hold: what is too much is lost on the way, and nothing else comes of it.
#[tokio::test]
async fn a_flood_of_batches_ends_nothing() {
    let pki = TestPki::new();
    for client in clients() {
        soon(async {
            let (ours, theirs) = pair_of(&pki, &client, ProtocolVersion::DTLS1_3).await;
            let payloads: Vec<[u8; 4]> = (0..5000_u32).map(u32::to_be_bytes).collect();
            let received = tokio::spawn(async move {
                let (mut payloads, mut seen) = (Payloads::new(), HashSet::new());
                loop {
                    theirs.recv_many(&mut payloads).await.unwrap().unwrap();
                    for payload in &payloads {
                        if payload == b"end" {
                            return seen.len();
                        }
                        assert!(seen.insert(payload.to_vec()), "none comes twice");
                    }
                }
            });
            assert_eq!(ours.send_many_wait(&payloads).await.unwrap(), payloads.len());
            while !received.is_finished() {
                ours.send_many_wait(&["end"]).await.unwrap();
                tokio::task::yield_now().await;
            }
            assert!(received.await.unwrap() > 0);
        })
        .await;
    }
}

#[tokio::test]
async fn what_is_received_at_once_keeps_to_the_limits() {
    soon(async {
        let pki = TestPki::new();
        let client = Endpoint::client(LOOPBACK).unwrap();
        let limits = ReceiveLimits { payloads: 5, ..ReceiveLimits::default() };
        let server = Endpoint::builder().with_receive_limits(limits);
        let (ours, theirs) = pair_with(&pki, server, &client, ProtocolVersion::DTLS1_3).await;
        assert_eq!(ours.send_many(&[[7; 100]; 20]).unwrap(), 20);
        eventually("all have come", || theirs.stats().protocol.records_opened == 20).await;
        assert_eq!((theirs.stats().receive_queue, theirs.stats().receive_queue_dropped), (5, 15));
        assert_eq!(fetch(&theirs, 5).await, vec![vec![7; 100]; 5]);
        ours.send(b"room again").unwrap();
        assert_eq!(fetch(&theirs, 1).await, [b"room again"]);
    })
    .await;
}

#[tokio::test]
async fn several_receivers_share_what_comes() {
    soon(async {
        let pki = TestPki::new();
        let client = Endpoint::client(LOOPBACK).unwrap();
        let (ours, theirs) = pair_of(&pki, &client, ProtocolVersion::DTLS1_3).await;
        let receivers: Vec<_> = (0..3)
            .map(|_| {
                let theirs = theirs.clone();
                tokio::spawn(async move { theirs.recv().await.unwrap().unwrap() })
            })
            .collect();
        // All wait before anything comes.
        tokio::task::yield_now().await;
        assert_eq!(ours.send_many(&["abc", "def", "ghi"]).unwrap(), 3);
        let mut got = HashSet::new();
        for receiver in receivers {
            got.insert(receiver.await.unwrap().to_vec());
        }
        assert_eq!(got.len(), 3, "one wake-up for all of them is passed on");
    })
    .await;
}
