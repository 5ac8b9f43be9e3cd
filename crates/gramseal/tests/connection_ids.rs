//! Connection ids on real sockets: clients whose address changes, and generators that repeat themselves.

#![allow(missing_docs, clippy::unwrap_used, reason = "a test")]

mod common;

use std::sync::Arc;

use common::*;
use gramseal::proto::crypto::{CryptoError, SecureRandom};
use gramseal::proto::wire::ProtocolVersion;
use gramseal::proto::{Error, LocalFault};
use gramseal::{Cid, CidGenerator, ConnectError, ConnectionIdUsage, ConnectionIds, Endpoint, NewCidsError};
use gramseal_testkit::pki::TestPki;
use tokio::net::UdpSocket;

fn server_with(pki: &TestPki, cids: ConnectionIds) -> (Endpoint, std::net::SocketAddr) {
    let config = server_builder(pki).with_connection_ids(cids).build().unwrap();
    bind(Endpoint::builder().with_server(Arc::new(config)))
}

async fn send(client: &mut Manual, payload: &[u8]) {
    let mut datagram = vec![0; client.connection.sealed_len(payload.len())];
    let len = client.connection.seal(payload, &mut datagram).unwrap();
    client.socket.send_to(&datagram[..len], client.addr).await.unwrap();
}

#[tokio::test] // RFC 9146 §3
async fn a_client_is_found_wherever_it_sends_from() {
    for version in [ProtocolVersion::DTLS1_2, ProtocolVersion::DTLS1_3] {
        soon(async {
            let pki = TestPki::new();
            let (server, addr) = server_with(&pki, ConnectionIds::random());
            let accepted = tokio::spawn({
                let server = server.clone();
                async move { server.accept().await.unwrap().await.unwrap() }
            });
            let config = client_builder(&pki).with_versions(&[version]).build().unwrap();
            let mut client = Manual::new(Arc::new(config), addr).await;
            client.connect().await;
            let connection = accepted.await.unwrap();
            let home = client.socket.local_addr().unwrap();
            for n in 0..3_u8 {
                client.socket = UdpSocket::bind(LOOPBACK).await.unwrap();
                send(&mut client, &[n]).await;
                assert_eq!(connection.recv().await.unwrap().unwrap(), [n][..], "{version}");
            }
            assert_eq!(connection.peer_addr(), home, "nobody has checked that it is elsewhere");
            assert!(server.stats().routing.named >= 3);
            // What belongs to nobody is dropped before it reaches a connection.
            let stranger = UdpSocket::bind(LOOPBACK).await.unwrap();
            stranger.send_to(&[0x3f; 60], addr).await.unwrap();
            eventually("it is counted", || server.stats().routing.discards.total() > 0).await;
            client.connection.close();
            client.flush().await;
            assert_eq!(connection.recv().await.unwrap(), None, "close_notify arrives, too");
            eventually("the connection is forgotten", || server.stats().connections == 0).await;
        })
        .await;
    }
}

#[tokio::test]
async fn ids_of_clients_serve_several_connections_of_one_endpoint() {
    soon(async {
        let pki = TestPki::new();
        let (server, _) = server_with(&pki, ConnectionIds::random());
        let client = Endpoint::client(LOOPBACK).unwrap();
        let config = Arc::new(client_builder(&pki).with_connection_ids(ConnectionIds::random()).build().unwrap());
        let (ours, theirs) = pair(&server, &client, config).await;
        let cids = [&ours, &theirs].map(|connection| connection.negotiated().cids.map(|cids| (cids.own, cids.peer)));
        assert_eq!(cids, [Some((8, 8)); 2]);
        ours.send(b"to the server").unwrap();
        assert_eq!(theirs.recv().await.unwrap().unwrap(), "to the server");
        theirs.send(b"to the client").unwrap();
        assert_eq!(ours.recv().await.unwrap().unwrap(), "to the client");
        for endpoint in [&server, &client] {
            assert!(endpoint.stats().routing.named > 0);
        }
    })
    .await;
}

#[tokio::test] // RFC 9147 §9
async fn new_ids_lead_to_their_connection() {
    soon(async {
        let pki = TestPki::new();
        let (server, _) = server_with(&pki, ConnectionIds::random());
        let client = Endpoint::client(LOOPBACK).unwrap();
        let (ours, theirs) = pair(&server, &client, client_config(&pki)).await;
        let received = || ours.stats().protocol.cids_received;
        theirs.issue_cids(1, ConnectionIdUsage::Immediate).unwrap();
        eventually("a new id", || received() == 1).await;
        ours.request_cids(2).unwrap();
        eventually("two more", || received() == 3).await;
        for n in 0..3_u8 {
            let before = server.stats().routing.named;
            ours.send(&[n]).unwrap();
            assert_eq!(theirs.recv().await.unwrap().unwrap(), [n][..]);
            assert!(server.stats().routing.named > before);
            assert_eq!(ours.use_next_cid(), n < 2);
        }
        assert_eq!(ours.issue_cids(1, ConnectionIdUsage::Spare), Err(NewCidsError::NotAgreedOn));
        assert_eq!(server.stats().routing.discards.total(), 0);
    })
    .await;
}

/// Always the same.
#[derive(Debug)]
struct Stuck;

impl CidGenerator for Stuck {
    fn generate(&self, _: &dyn SecureRandom) -> Result<Cid, CryptoError> {
        Cid::new(&[7; 4]).ok_or(CryptoError::new())
    }
}

#[tokio::test]
async fn an_id_that_is_taken_ends_the_connection_that_wants_it() {
    soon(async {
        let pki = TestPki::new();
        let (server, addr) = server_with(&pki, ConnectionIds::Both(Arc::new(Stuck)));
        let client = Endpoint::client(LOOPBACK).unwrap();
        let (first, first_server) = pair(&server, &client, client_config(&pki)).await;
        let other = Endpoint::client(LOOPBACK).unwrap();
        let accepted = async { server.accept().await.unwrap().await };
        let config = client_config(&pki);
        let (second, second_server) = tokio::join!(other.connect(addr, NAME, config), accepted);
        let unusable =
            |error: &ConnectError| matches!(error, ConnectError::Failed(Error::Local(LocalFault::UnusableCid)));
        assert!(second_server.as_ref().is_err_and(unusable), "{second_server:?}");
        // The client may have been told before that all is well.
        if let Ok(second) = second {
            assert_eq!(second.recv().await.unwrap(), None, "and its client hears of it");
        }
        first.send(b"still there").unwrap();
        assert_eq!(first_server.recv().await.unwrap().unwrap(), "still there");
    })
    .await;
}
