//! Connections over loopback with real cryptography: what applications do.

mod common;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use common::*;
use gramseal::proto::wire::{ProtocolVersion, SrtpProfile};
use gramseal::proto::{AlertReceived, CertificateFault, Error, Incompatible, TimedOut};
use gramseal::webpki::Fingerprint;
use gramseal::{
    ClientAuth, CloseReason, ConnectError, ConnectionError, Endpoint, KeyLogFile, ReceiveLimits, SendError, trust,
};
use gramseal_testkit::pki::TestPki;

#[tokio::test]
async fn echoes_and_the_client_closes() {
    soon(async {
        let pki = TestPki::new();
        let (server, client) = (server(&pki).0, Endpoint::client(LOOPBACK).unwrap());
        let (client_side, server_side) = pair(&server, &client, client_config(&pki)).await;
        assert_eq!(client_side.peer_addr(), server.local_addr().unwrap());
        assert_eq!(server_side.peer_addr(), client.local_addr().unwrap());

        client_side.send(b"ping").unwrap();
        assert_eq!(server_side.recv().await.unwrap().unwrap(), "ping");
        server_side.send(b"pong").unwrap();
        let mut buffer = [0; 16];
        assert_eq!(client_side.recv_into(&mut buffer).await, Ok(Some(4)));
        assert_eq!(&buffer[..4], b"pong");

        client_side.send(b"last").unwrap();
        client_side.close().await;
        assert_eq!(server_side.closed().await, CloseReason::Peer);
        assert_eq!(server_side.recv().await.unwrap().unwrap(), "last");
        assert_eq!(server_side.recv().await, Ok(None));
        assert_eq!(client_side.recv().await, Ok(None));
        assert!(matches!(client_side.send(b"late"), Err(SendError::Closed)));
        assert_eq!((server.stats().connections, client.stats().connections), (0, 0));
    })
    .await;
}

#[tokio::test]
async fn dtls_1_3_works_where_it_is_asked_for() {
    soon(async {
        let pki = TestPki::new();
        let versions = [ProtocolVersion::DTLS1_3];
        let config = server_builder(&pki).with_versions(&versions).build().unwrap();
        let builder = Endpoint::builder().with_server(Arc::new(config));
        let (server, client) = (bind(builder).0, Endpoint::client(LOOPBACK).unwrap());
        let config = client_builder(&pki).with_versions(&versions).build().unwrap();
        let (client_side, server_side) = pair(&server, &client, Arc::new(config)).await;
        client_side.send(b"ping").unwrap();
        assert_eq!(server_side.recv().await.unwrap().unwrap(), "ping");
        server_side.send(b"pong").unwrap();
        assert_eq!(client_side.recv().await.unwrap().unwrap(), "pong");
        client_side.close().await;
        assert_eq!(server_side.closed().await, CloseReason::Peer);
        assert_eq!(server.stats().routing.cookies_accepted, 1);
    })
    .await;
}

#[tokio::test]
async fn the_server_closes_by_dropping_its_last_clone() {
    soon(async {
        let pki = TestPki::new();
        let (server, client) = (server(&pki).0, Endpoint::client(LOOPBACK).unwrap());
        let (client_side, server_side) = pair(&server, &client, client_config(&pki)).await;
        let clone = server_side.clone();
        drop(server_side);
        clone.send(b"still here").unwrap();
        assert_eq!(client_side.recv().await.unwrap().unwrap(), "still here");
        drop(clone);
        assert_eq!(client_side.recv().await, Ok(None));
        assert_eq!(client_side.closed().await, CloseReason::Peer);
    })
    .await;
}

#[tokio::test]
async fn both_sides_agree_on_what_was_negotiated() {
    soon(async {
        let pki = TestPki::new();
        let alpn = ["coap".as_bytes()];
        let server_config = Arc::new(server_builder(&pki).with_alpn(alpn).build().unwrap());
        let client_config = Arc::new(client_builder(&pki).with_alpn(alpn).build().unwrap());
        let server = bind(Endpoint::builder().with_server(server_config)).0;
        let client = Endpoint::client(LOOPBACK).unwrap();
        let (client_side, server_side) = pair(&server, &client, client_config).await;

        let (ours, theirs) = (client_side.negotiated(), server_side.negotiated());
        assert_eq!((ours.cipher_suite, ours.group, &ours.alpn), (theirs.cipher_suite, theirs.group, &theirs.alpn));
        assert_eq!(ours.alpn.as_deref(), Some(&b"coap"[..]));
        assert_eq!(theirs.server_name.as_deref(), Some(NAME));
        let mut keys = [[0; 32]; 2];
        client_side.export_keying_material(b"EXPORTER-test", None, &mut keys[0]).unwrap();
        server_side.export_keying_material(b"EXPORTER-test", None, &mut keys[1]).unwrap();
        assert_eq!(keys[0], keys[1]);
    })
    .await;
}

#[tokio::test]
async fn both_sides_have_the_same_srtp_keys_and_keep_to_record_limits() {
    soon(async {
        let pki = TestPki::new();
        let profiles = [SrtpProfile::AEAD_AES_128_GCM];
        let server = server_builder(&pki).with_srtp(&profiles).with_record_size_limit(600).build().unwrap();
        let config = client_builder(&pki).with_srtp(&profiles).with_record_size_limit(700);
        let config = config.with_versions(&[ProtocolVersion::DTLS1_2]).build().unwrap();
        let server = bind(Endpoint::builder().with_server(Arc::new(server))).0;
        let client = Endpoint::client(LOOPBACK).unwrap();
        let (client_side, server_side) = pair(&server, &client, Arc::new(config)).await;
        let (ours, theirs) = (client_side.srtp_keys().unwrap(), server_side.srtp_keys().unwrap());
        assert_eq!((ours.local().key(), ours.local().salt()), (theirs.peer().key(), theirs.peer().salt()));
        assert_eq!((ours.peer().key(), ours.peer().salt()), (theirs.local().key(), theirs.local().salt()));
        assert_eq!(client_side.negotiated().srtp.map(|srtp| srtp.profile), Some(ours.profile()));
        assert_eq!((client_side.max_payload(), server_side.max_payload()), (600, 700));
        client_side.send(&[1; 600]).unwrap();
        assert_eq!(server_side.recv().await.unwrap().unwrap(), vec![1; 600]);
    })
    .await;
}

#[tokio::test]
async fn payloads_are_limited_to_one_datagram() {
    soon(async {
        let pki = TestPki::new();
        let (server, client) = (server(&pki).0, Endpoint::client(LOOPBACK).unwrap());
        let (client_side, server_side) = pair(&server, &client, client_config(&pki)).await;
        let limit = client_side.max_payload();
        let error = client_side.send(&vec![1; limit + 1]).unwrap_err();
        assert!(matches!(error, SendError::TooLarge { limit: named } if named == limit), "{error}");
        client_side.send(&vec![2; limit]).unwrap();
        assert_eq!(server_side.recv().await.unwrap().unwrap(), vec![2; limit]);
        client_side.send(b"").unwrap();
        assert_eq!(server_side.recv().await.unwrap().unwrap(), "");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_clients_at_once() {
    soon(async {
        let pki = TestPki::new();
        let (server, addr) = echo_server(&pki);
        let config = client_config(&pki);
        let mut clients = tokio::task::JoinSet::new();
        for number in 0..50_u32 {
            let config = Arc::clone(&config);
            clients.spawn(async move {
                let endpoint = Endpoint::client(LOOPBACK).unwrap();
                let conn = endpoint.connect(addr, NAME, config).await.unwrap();
                for round in 0..10_u32 {
                    let text = format!("{number} {round}");
                    conn.send(text.as_bytes()).unwrap();
                    assert_eq!(conn.recv().await.unwrap().unwrap(), text);
                }
                conn.close().await;
            });
        }
        while let Some(client) = clients.join_next().await {
            client.unwrap();
        }
        assert_eq!(server.stats().routing.incoming, 50);
        eventually("every connection is forgotten", || server.stats().connections == 0).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_datagrams() {
    soon(async {
        let pki = TestPki::new();
        let (_server, addr) = echo_server(&pki);
        let client = Endpoint::client(LOOPBACK).unwrap();
        let conn = client.connect(addr, NAME, client_config(&pki)).await.unwrap();
        let mut buffer = vec![0; 2048];
        for burst in 0..200_u32 {
            for index in 0..25_u32 {
                let mut payload = vec![0; 1000];
                payload[..4].copy_from_slice(&(burst * 25 + index).to_be_bytes());
                conn.send_wait(&payload).await.unwrap();
            }
            for index in 0..25_u32 {
                assert_eq!(conn.recv_into(&mut buffer).await, Ok(Some(1000)));
                assert_eq!(buffer[..4], (burst * 25 + index).to_be_bytes());
            }
        }
        let stats = conn.stats();
        assert_eq!((stats.protocol.records_sealed, stats.protocol.records_opened), (5000, 5000));
        assert_eq!((stats.receive_queue_dropped, stats.sends_blocked), (0, 0));
    })
    .await;
}

#[tokio::test]
async fn an_ipv6_wildcard_serves_ipv4_and_shows_plain_addresses() {
    soon(async {
        let pki = TestPki::new();
        let server = Endpoint::server("[::]:0", server_config(&pki)).unwrap();
        let addr: SocketAddr = ([127, 0, 0, 1], server.local_addr().unwrap().port()).into();
        let client = Endpoint::client("[::]:0").unwrap();
        let accepted = async { server.accept().await.unwrap().await.unwrap() };
        let (conn, server_side) = tokio::join!(client.connect(addr, NAME, client_config(&pki)), accepted);
        let conn = conn.unwrap();
        assert!(server_side.peer_addr().is_ipv4());
        server_side.send(b"from the address that was called").unwrap();
        assert!(conn.recv().await.unwrap().is_some());
    })
    .await;
}

#[tokio::test]
async fn both_sides_say_why_when_the_authority_is_wrong() {
    soon(async {
        let (pki, other) = (TestPki::new(), TestPki::new().server("Another Authority"));
        let other = trust::roots_from_pem(other.chain_pem.as_bytes()).unwrap();
        let other = Arc::new(
            gramseal::ClientConfig::builder(gramseal::provider(), other)
                .with_versions(&[ProtocolVersion::DTLS1_2])
                .build()
                .unwrap(),
        );
        let server_config = Arc::new(server_builder(&pki).with_transport(impatient()).build().unwrap());
        let (server, addr) = bind(Endpoint::builder().with_server(server_config));
        let client = Endpoint::client(LOOPBACK).unwrap();
        let accepted = async { server.accept().await.unwrap().await };
        let (ours, theirs) = tokio::join!(client.connect(addr, NAME, other), accepted);

        let ours = ours.unwrap_err();
        assert!(matches!(ours, ConnectError::Failed(Error::Certificate(CertificateFault::UnknownIssuer))), "{ours}");
        assert!(ours.to_string().contains("unknown_ca"), "{ours}");
        let theirs = theirs.unwrap_err();
        let ConnectError::Failed(Error::AlertReceived(AlertReceived { description, authenticated: false })) = theirs
        else {
            panic!("{theirs}");
        };
        assert_eq!(description.to_string(), "unknown_ca");
    })
    .await;
}

#[tokio::test]
async fn a_missing_client_certificate_is_named_on_both_sides() {
    soon(async {
        let pki = TestPki::new();
        let clients = trust::roots_from_pem(pki.root_pem().as_bytes()).unwrap();
        let config = server_builder(&pki).with_client_auth(ClientAuth::Required(clients)).build().unwrap();
        let (server, addr) = bind(Endpoint::builder().with_server(Arc::new(config)));
        let client = Endpoint::client(LOOPBACK).unwrap();
        let accepted = async { server.accept().await.unwrap().await };
        // In 1.3 the client is done before the server looks at its answer.
        let config = client_builder(&pki).with_versions(&[ProtocolVersion::DTLS1_2]).with_transport(impatient());
        let config = config.build().unwrap();
        let (ours, theirs) = tokio::join!(client.connect(addr, NAME, Arc::new(config)), accepted);
        assert!(matches!(ours, Err(ConnectError::Failed(Error::AlertReceived(_)))), "{ours:?}");
        let required = Error::Incompatible(Incompatible::CertificateRequired);
        assert!(matches!(theirs, Err(ConnectError::Failed(error)) if error == required));
    })
    .await;
}

#[tokio::test]
async fn a_fingerprint_takes_the_place_of_an_authority() {
    soon(async {
        let pki = TestPki::new();
        let (server, client) = (server(&pki).0, Endpoint::client(LOOPBACK).unwrap());
        let (first, _peer) = pair(&server, &client, client_config(&pki)).await;
        let fingerprint = Fingerprint::of(&first.negotiated().peer_certificates[0]);
        drop(first);

        let builder = |print| gramseal::ClientConfig::builder(gramseal::provider(), trust::fingerprints([print]));
        let config = Arc::new(builder(fingerprint).build().unwrap());
        let (second, _peer) = pair(&server, &client, config).await;
        drop(second);
        let config = Arc::new(builder(Fingerprint::new([0; 32])).build().unwrap());
        let accepted = async { server.accept().await.unwrap().await };
        let connected = client.connect(server.local_addr().unwrap(), NAME, config);
        let refused = tokio::select! { _ = accepted => unreachable!(), refused = connected => refused };
        let mismatch = Error::Certificate(CertificateFault::FingerprintMismatch);
        assert!(matches!(refused, Err(ConnectError::Failed(error)) if error == mismatch));
    })
    .await;
}

#[tokio::test]
async fn nobody_there_shows_at_the_deadline() {
    soon(async {
        let pki = TestPki::new();
        // A port that was free a moment ago: the system answers with ICMP, which is not believed.
        let addr = std::net::UdpSocket::bind(LOOPBACK).unwrap().local_addr().unwrap();
        let config = Arc::new(client_builder(&pki).with_transport(impatient()).build().unwrap());
        let client = Endpoint::client(LOOPBACK).unwrap();
        let error = client.connect(addr, NAME, config).await.unwrap_err();
        assert!(matches!(error, ConnectError::Failed(Error::TimedOut(TimedOut::NoAnswer))), "{error}");
        assert_eq!(client.stats().connections, 0);
        assert!(client.stats().datagrams_sent > 2, "the hello was repeated");
    })
    .await;
}

#[tokio::test]
async fn an_address_that_cannot_be_reached_fails_at_once() {
    soon(async {
        let pki = TestPki::new();
        let client = Endpoint::client(LOOPBACK).unwrap();
        let started = std::time::Instant::now();
        let error = client.connect("[::1]:9".parse().unwrap(), NAME, client_config(&pki)).await.unwrap_err();
        assert!(matches!(error, ConnectError::Io(_)), "{error}");
        assert!(started.elapsed() < Duration::from_secs(1));
        let error = client.connect("127.0.0.1:9".parse().unwrap(), "not a name", client_config(&pki)).await;
        assert!(matches!(error, Err(ConnectError::InvalidName(_))));
    })
    .await;
}

#[tokio::test]
async fn two_associations_cannot_share_both_addresses() {
    soon(async {
        let pki = TestPki::new();
        let (server, client) = (server(&pki).0, Endpoint::client(LOOPBACK).unwrap());
        let (first, peer) = pair(&server, &client, client_config(&pki)).await;
        let addr = server.local_addr().unwrap();
        let error = client.connect(addr, NAME, client_config(&pki)).await.unwrap_err();
        assert!(matches!(error, ConnectError::AlreadyConnected(named) if named == addr), "{error}");
        first.send(b"untouched").unwrap();
        assert_eq!(peer.recv().await.unwrap().unwrap(), "untouched");
        first.close().await;
        pair(&server, &client, client_config(&pki)).await;
    })
    .await;
}

#[tokio::test]
async fn a_slow_application_loses_datagrams_and_the_count_says_so() {
    soon(async {
        let pki = TestPki::new();
        let limits = ReceiveLimits { payloads: 8, bytes: 1000, ..ReceiveLimits::default() };
        let server = bind(Endpoint::builder().with_server(server_config(&pki)).with_receive_limits(limits)).0;
        let client = Endpoint::client(LOOPBACK).unwrap();
        let (client_side, server_side) = pair(&server, &client, client_config(&pki)).await;
        for number in 0..20_u8 {
            client_side.send(&[number; 10]).unwrap();
        }
        eventually("all are opened", || server_side.stats().protocol.records_opened == 20).await;
        let stats = server_side.stats();
        assert_eq!((stats.receive_queue, stats.receive_queue_dropped), (8, 12));
        assert_eq!(server.stats().buffered_bytes, 80);
        for number in 0..8_u8 {
            assert_eq!(server_side.recv().await.unwrap().unwrap(), vec![number; 10]);
        }
        // There is room again.
        client_side.send(b"next").unwrap();
        assert_eq!(server_side.recv().await.unwrap().unwrap(), "next");
    })
    .await;
}

#[tokio::test]
async fn a_closed_endpoint_says_goodbye_to_everybody() {
    soon(async {
        let pki = TestPki::new();
        let server = server(&pki).0;
        let clients = [Endpoint::client(LOOPBACK).unwrap(), Endpoint::client(LOOPBACK).unwrap()];
        let (first, first_peer) = pair(&server, &clients[0], client_config(&pki)).await;
        let (second, _second_peer) = pair(&server, &clients[1], client_config(&pki)).await;
        let accepting = tokio::spawn({
            let server = server.clone();
            async move { server.accept().await.is_none() }
        });
        tokio::task::yield_now().await;
        server.close().await;
        assert!(accepting.await.unwrap(), "a waiting accept ends");
        assert_eq!((first.closed().await, second.closed().await), (CloseReason::Peer, CloseReason::Peer));
        assert_eq!(first_peer.closed().await, CloseReason::Local);
        assert!(server.accept().await.is_none());
        let refused = server.connect(clients[0].local_addr().unwrap(), NAME, client_config(&pki)).await;
        assert!(matches!(refused, Err(ConnectError::EndpointClosed)));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_closed_endpoint_says_goodbye_before_its_driver_ends() {
    soon(async {
        let pki = TestPki::new();
        for _ in 0..10 {
            let (server, client) = (server(&pki).0, Endpoint::client(LOOPBACK).unwrap());
            let (client_side, server_side) = pair(&server, &client, client_config(&pki)).await;
            client.close().await;
            assert_eq!(server_side.closed().await, CloseReason::Peer);
            assert_eq!(client_side.closed().await, CloseReason::Local);
        }
    })
    .await;
}

#[tokio::test]
async fn connections_outlive_their_endpoint() {
    soon(async {
        let pki = TestPki::new();
        let (server, client) = (server(&pki).0, Endpoint::client(LOOPBACK).unwrap());
        let (client_side, server_side) = pair(&server, &client, client_config(&pki)).await;
        drop((server, client));
        // The drivers hear of it, and would end now.
        for payload in ["on", "and on"] {
            client_side.send(payload.as_bytes()).unwrap();
            assert_eq!(server_side.recv().await.unwrap().unwrap(), payload);
        }
    })
    .await;
}

#[test]
fn connections_end_with_the_runtime_of_their_endpoint() {
    let pki = TestPki::new();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (client_side, _server_side) = runtime.block_on(async {
        let (server, client) = (server(&pki).0, Endpoint::client(LOOPBACK).unwrap());
        pair(&server, &client, client_config(&pki)).await
    });
    runtime.shutdown_timeout(Duration::from_secs(5));
    let other = tokio::runtime::Runtime::new().unwrap();
    assert_eq!(other.block_on(client_side.recv()), Err(ConnectionError::EndpointGone));
}

#[test]
fn an_endpoint_without_a_runtime_is_an_error_not_a_panic() {
    assert!(Endpoint::client(LOOPBACK).is_err());
}

#[tokio::test]
async fn key_logs_of_both_sides_agree() {
    soon(async {
        let pki = TestPki::new();
        let directory = std::env::temp_dir();
        let path = |side| directory.join(format!("gramseal-keylog-{}-{side}", std::process::id()));
        let (ours, theirs) = (path("client"), path("server"));
        let server_config = server_builder(&pki).with_key_log(KeyLogFile::open(&theirs).unwrap()).build().unwrap();
        let client_config = client_builder(&pki)
            .with_versions(&[ProtocolVersion::DTLS1_2])
            .with_key_log(KeyLogFile::open(&ours).unwrap())
            .build()
            .unwrap();
        let server = bind(Endpoint::builder().with_server(Arc::new(server_config))).0;
        let client = Endpoint::client(LOOPBACK).unwrap();
        let connections = pair(&server, &client, Arc::new(client_config)).await;
        drop(connections);

        let logs = [&ours, &theirs].map(|path| std::fs::read_to_string(path).unwrap());
        for path in [ours, theirs] {
            std::fs::remove_file(path).unwrap();
        }
        assert_eq!(logs[0], logs[1]);
        let words: Vec<&str> = logs[0].trim_end().split(' ').collect();
        assert_eq!((words[0], words[1].len(), words[2].len()), ("CLIENT_RANDOM", 64, 96));
    })
    .await;
}
