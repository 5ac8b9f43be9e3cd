//! Peers whose address changes, on real sockets: clients that go on from another one, and the servers that follow
//! (RFC 9853).

#![allow(missing_docs, clippy::unwrap_used, reason = "a test")]

mod common;

use std::net::UdpSocket;
use std::sync::Arc;
use std::time::Duration;

use common::*;
use gramseal::proto::wire::ProtocolVersion;
use gramseal::{CloseReason, Connection, ConnectionIds, Endpoint, MovePolicy, PathCheck, Transport};
use gramseal_testkit::pki::TestPki;

/// What a server with `transport`, and a client that knows checks or not, say to each other.
async fn connect(
    version: ProtocolVersion,
    transport: Transport,
    knows_checks: bool,
) -> ((Endpoint, Endpoint), Connection, Connection) {
    let pki = TestPki::new();
    let config = server_builder(&pki).with_connection_ids(ConnectionIds::random()).with_transport(transport);
    let (server, _) = bind(Endpoint::builder().with_server(Arc::new(config.build().unwrap())));
    let client = Endpoint::client(LOOPBACK).unwrap();
    let config = client_builder(&pki).with_versions(&[version]).with_return_routability_check(knows_checks);
    let (ours, theirs) = pair(&server, &client, Arc::new(config.build().unwrap())).await;
    ((server, client), ours, theirs)
}

fn rebind(client: &Endpoint) {
    let before = client.local_addr().unwrap();
    client.rebind(UdpSocket::bind(LOOPBACK).unwrap()).unwrap();
    assert_ne!(client.local_addr().unwrap(), before);
}

#[tokio::test] // RFC 9853 §5
async fn a_client_that_goes_on_from_another_socket_is_followed() {
    for version in [ProtocolVersion::DTLS1_2, ProtocolVersion::DTLS1_3] {
        for path_check in [PathCheck::Basic, PathCheck::Enhanced] {
            soon(async {
                let transport = Transport { path_check, ..Transport::default() };
                let ((server, client), ours, theirs) = connect(version, transport, true).await;
                for round in 1..=3_u8 {
                    let known = theirs.peer_addr();
                    rebind(&client);
                    ours.send(&[round]).unwrap();
                    assert_eq!(theirs.recv().await.unwrap().unwrap(), [round][..], "{version} {path_check:?}");
                    let moved = theirs.moved_from(known).await.unwrap();
                    assert_eq!((moved, theirs.peer_addr()), (client.local_addr().unwrap(), moved));
                    theirs.send(&[round]).unwrap();
                    assert_eq!(ours.recv().await.unwrap().unwrap(), [round][..], "{version} {path_check:?}");
                    assert_eq!(theirs.stats().protocol.path_checks().succeeded, round.into());
                }
                assert_eq!(server.stats().routing.discards.total(), 0);
                // What the endpoint knows has moved along.
                ours.close().await;
                assert_eq!(theirs.closed().await, CloseReason::Peer);
                eventually("the connection is forgotten", || server.stats().connections == 0).await;
            })
            .await;
        }
    }
}

#[tokio::test]
async fn an_address_that_was_left_is_free_for_others() {
    soon(async {
        let pki = TestPki::new();
        let config = server_builder(&pki).with_connection_ids(ConnectionIds::random()).build().unwrap();
        let (server, _) = bind(Endpoint::builder().with_server(Arc::new(config)));
        let first = Endpoint::client(LOOPBACK).unwrap();
        let (ours, theirs) = pair(&server, &first, client_config(&pki)).await;
        let left = first.local_addr().unwrap();
        rebind(&first);
        ours.send(b"moved").unwrap();
        theirs.moved_from(left).await.unwrap();
        // The driver has let go of it some time after.
        let mut second = Endpoint::client(left);
        while second.is_err() {
            tokio::task::yield_now().await;
            second = Endpoint::client(left);
        }
        let (others, _theirs) = pair(&server, &second.unwrap(), client_config(&pki)).await;
        assert_eq!(server.stats().routing.restarts, 0, "it is another client");
        ours.send(b"and on").unwrap();
        assert_eq!(theirs.recv().await.unwrap().unwrap(), "moved");
        assert_eq!(theirs.recv().await.unwrap().unwrap(), "and on");
        others.close().await;
    })
    .await;
}

#[cfg(target_os = "linux")] // where all of 127.0.0.0/8 is this host
#[tokio::test] // RFC 9853 §5.3, §5.4
async fn whoever_is_asked_hears_from_the_address_that_it_wrote_to() {
    for version in [ProtocolVersion::DTLS1_2, ProtocolVersion::DTLS1_3] {
        for path_check in [PathCheck::Basic, PathCheck::Enhanced] {
            soon(async {
                let pki = TestPki::new();
                let path_check_timeout = Duration::from_millis(150);
                let transport = Transport { path_check, path_check_timeout, ..Transport::default() };
                let config = server_builder(&pki).with_connection_ids(ConnectionIds::random());
                let config = Arc::new(config.with_transport(transport).build().unwrap());
                let server = Endpoint::builder().with_server(config).bind("0.0.0.0:0").unwrap();
                let port = server.local_addr().unwrap().port();
                let [first, second] = [1, 2].map(|last| std::net::SocketAddr::from(([127, 0, 0, last], port)));
                let config = client_builder(&pki).with_versions(&[version]).build().unwrap();
                let mut client = Manual::new(Arc::new(config), first).await;
                let accepted = async { server.accept().await.unwrap().await.unwrap() };
                let ((), theirs) = tokio::join!(client.connect(), accepted);

                let mut datagram = vec![0; client.connection.sealed_len(500)];
                let len = client.connection.seal(&[7; 500], &mut datagram).unwrap();
                let elsewhere = tokio::net::UdpSocket::bind(LOOPBACK).await.unwrap();
                elsewhere.send_to(&datagram[..len], second).await.unwrap();
                assert_eq!(theirs.recv().await.unwrap().unwrap().len(), 500);
                // It answers nothing, so that all but perhaps the first are sent when their time has come.
                for _ in 0..3 {
                    let (_, from) = elsewhere.recv_from(&mut [0; 2048]).await.unwrap();
                    assert_eq!(from, second, "{version} {path_check:?}");
                }
                eventually("nobody answers", || theirs.stats().protocol.path_checks().failed == 1).await;
                // Where the client was, it is as before.
                let mut datagram = [0; 2048];
                while client.socket.try_recv_from(&mut datagram).is_ok() {}
                theirs.send(b"where it was").unwrap();
                assert_eq!(client.socket.recv_from(&mut datagram).await.unwrap().1, first);
            })
            .await;
        }
    }
}

#[tokio::test] // RFC 9146 §6
async fn the_policy_decides_about_clients_that_cannot_be_checked() {
    for version in [ProtocolVersion::DTLS1_2, ProtocolVersion::DTLS1_3] {
        for move_policy in [MovePolicy::Stay, MovePolicy::FollowNewest] {
            soon(async {
                let transport = Transport { move_policy, ..Transport::default() };
                let ((_server, client), ours, theirs) = connect(version, transport, false).await;
                let known = theirs.peer_addr();
                rebind(&client);
                ours.send(b"from elsewhere").unwrap();
                assert_eq!(theirs.recv().await.unwrap().unwrap(), "from elsewhere");
                if move_policy == MovePolicy::Stay {
                    assert_eq!(theirs.peer_addr(), known, "{version}");
                } else {
                    assert_eq!(theirs.moved_from(known).await.unwrap(), client.local_addr().unwrap(), "{version}");
                    theirs.send(b"found").unwrap();
                    assert_eq!(ours.recv().await.unwrap().unwrap(), "found", "{version}");
                }
            })
            .await;
        }
    }
}

#[tokio::test] // RFC 9147 §9, RFC 9853 §9
async fn another_socket_gets_another_connection_id_in_1_3() {
    soon(async {
        let ((_server, client), ours, theirs) = connect(ProtocolVersion::DTLS1_3, Transport::default(), true).await;
        ours.request_cids(2).unwrap();
        eventually("ids are issued", || theirs.stats().protocol.cids_issued == 2).await;
        eventually("they have arrived", || ours.stats().protocol.cids_received == 2).await;
        rebind(&client);
        assert!(ours.use_next_cid(), "the second is left");
        assert!(!ours.use_next_cid());
        ours.send(b"unknown").unwrap();
        assert_eq!(theirs.recv().await.unwrap().unwrap(), "unknown");
    })
    .await;
}

#[tokio::test]
async fn who_waits_for_a_move_hears_of_the_end() {
    soon(async {
        let ((_server, _client), ours, theirs) = connect(ProtocolVersion::DTLS1_3, Transport::default(), true).await;
        let waiting = tokio::spawn({
            let theirs = theirs.clone();
            async move { theirs.moved_from(theirs.peer_addr()).await }
        });
        let none = tokio::time::timeout(Duration::from_millis(50), ours.moved_from(ours.peer_addr())).await;
        assert!(none.is_err(), "nobody has moved");
        ours.close().await;
        assert_eq!(waiting.await.unwrap(), Err(CloseReason::Peer));
    })
    .await;
}
