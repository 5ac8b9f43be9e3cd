//! Peers that are slow, gone, begin anew or send rubbish, over loopback with real cryptography.

mod common;

use std::net::UdpSocket;
use std::sync::Arc;
use std::time::Duration;

use common::*;
use gramseal::pki_types::ServerName;
use gramseal::proto::wire::ProtocolVersion;
use gramseal::proto::{self, Discard, Error, Instant, TimedOut};
use gramseal::{
    AlertDescription, CloseReason, ConnectError, ConnectionError, CookiePolicy, CookieSecrets, Endpoint, Limits,
    Transport,
};
use gramseal_testkit::pki::TestPki;

#[tokio::test]
async fn accept_does_not_wait_for_a_slow_peer() {
    soon(async {
        let pki = TestPki::new();
        let (server, addr) = server(&pki);
        let mut slow = Manual::new(client_config(&pki), addr).await;
        slow.flush().await; // ClientHello
        slow.take().await; // HelloVerifyRequest
        slow.flush().await; // ClientHello with cookie, and then nothing
        let stuck = server.accept().await.unwrap();
        assert_eq!(stuck.peer(), slow.socket.local_addr().unwrap());
        let stuck = tokio::spawn(stuck.into_future());

        let client = Endpoint::client(LOOPBACK).unwrap();
        let (client_side, server_side) = pair(&server, &client, client_config(&pki)).await;
        client_side.send(b"fast").unwrap();
        assert_eq!(server_side.recv().await.unwrap().unwrap(), "fast");
        assert!(!stuck.is_finished());

        stuck.abort();
        assert!(stuck.await.unwrap_err().is_cancelled());
        assert_eq!(server.stats().connections, 1, "a dropped handshake is forgotten");
    })
    .await;
}

#[tokio::test]
async fn a_client_that_proves_nothing_costs_nothing() {
    soon(async {
        let pki = TestPki::new();
        let (server, addr) = server(&pki);
        for _ in 0..20 {
            let mut client = Manual::new(client_config(&pki), addr).await;
            client.flush().await;
            client.take().await;
        }
        let stats = server.stats();
        assert_eq!((stats.routing.cookies_sent, stats.routing.incoming, stats.connections), (20, 0, 0));
    })
    .await;
}

#[tokio::test]
async fn servers_that_share_cookie_secrets_accept_each_others_cookies() {
    for version in [ProtocolVersion::DTLS1_2, ProtocolVersion::DTLS1_3] {
        soon(async {
            let pki = TestPki::new();
            let fleet = || {
                let secrets = CookieSecrets::from_bytes(&gramseal::provider(), &[1; 32], None).unwrap();
                bind(Endpoint::builder().with_server(server_config(&pki)).with_cookie_secrets(secrets))
            };
            let ((_first, first_addr), (second, second_addr)) = (fleet(), fleet());
            let second_hello = async |to| {
                let config = client_builder(&pki).with_versions(&[version]).build().unwrap();
                let mut client = Manual::new(Arc::new(config), first_addr).await;
                client.flush().await;
                client.take().await;
                client.addr = to;
                client.flush().await;
                client
            };
            let _client = second_hello(second_addr).await;
            let _accepted = second.accept().await.unwrap();
            assert_eq!(second.stats().routing.cookies_sent, 0);

            second.rotate_cookie_secret(&[2; 32]);
            let _client = second_hello(second_addr).await;
            let _accepted = second.accept().await.unwrap();
            second.rotate_cookie_secret(&[3; 32]);
            let mut late = second_hello(second_addr).await;
            late.take().await;
            // Another cookie, or an alert.
            let answered = (second.stats().routing.cookies_sent, second.stats().routing.hellos_refused);
            let expected = if version == ProtocolVersion::DTLS1_3 { (0, 1) } else { (1, 0) };
            assert_eq!(answered, expected, "the secret is two rotations old");
        })
        .await;
    }
}

#[tokio::test]
async fn a_vanished_peer_ends_the_handshake_at_its_deadline() {
    soon(async {
        let pki = TestPki::new();
        let config = server_builder(&pki).with_transport(impatient()).build().unwrap();
        let (server, addr) = bind(Endpoint::builder().with_server(Arc::new(config)));
        let mut client = Manual::new(client_config(&pki), addr).await;
        client.flush().await;
        client.take().await;
        client.flush().await;
        let incoming = server.accept().await.unwrap();
        drop(client);
        let error = incoming.await.unwrap_err();
        assert!(matches!(error, ConnectError::Failed(Error::TimedOut(TimedOut::Handshake))), "{error}");
        let stats = server.stats();
        assert_eq!((stats.connections, stats.half_open, stats.handshakes.timed_out), (0, 0, 1));
    })
    .await;
}

#[tokio::test]
async fn an_ignored_client_hears_nothing_and_may_ask_again() {
    soon(async {
        let pki = TestPki::new();
        let (server, addr) = server(&pki);
        let config = Arc::new(client_builder(&pki).with_transport(impatient()).build().unwrap());
        let client = Endpoint::client(LOOPBACK).unwrap();
        let served = async {
            server.accept().await.unwrap().ignore();
            // The client's retransmission.
            server.accept().await.unwrap().await.unwrap()
        };
        let (connected, _peer) = tokio::join!(client.connect(addr, NAME, config), served);
        connected.unwrap();
    })
    .await;
}

#[tokio::test]
async fn an_incoming_that_nobody_accepts_expires() {
    soon(async {
        let pki = TestPki::new();
        let builder = Endpoint::builder().with_server(server_config(&pki));
        let (server, addr) =
            bind(builder.with_limits(Limits { incoming_expiry: Duration::from_millis(100), ..Limits::default() }));
        let config = Arc::new(client_builder(&pki).with_transport(impatient()).build().unwrap());
        let client = Endpoint::client(LOOPBACK).unwrap();
        // The last retransmission comes long before the handshake's deadline.
        assert!(client.connect(addr, NAME, config).await.is_err());
        tokio::time::sleep(Duration::from_millis(200)).await;
        assert!(server.stats().routing.incoming > 0);
        let nobody = tokio::time::timeout(Duration::from_millis(50), server.accept()).await;
        assert!(nobody.is_err(), "a client that has given up is not offered any more");
    })
    .await;
}

#[tokio::test]
async fn junk_changes_nothing_and_is_counted() {
    soon(async {
        let pki = TestPki::new();
        let (server, addr) = server(&pki);
        let socket = UdpSocket::bind(LOOPBACK).unwrap();
        let same_address = socket.try_clone().unwrap();
        let client = Endpoint::builder().on_socket(socket).unwrap();
        let config = client_builder(&pki).with_versions(&[ProtocolVersion::DTLS1_2]).build().unwrap();
        let (client_side, server_side) = pair(&server, &client, Arc::new(config)).await;

        let stranger = UdpSocket::bind(LOOPBACK).unwrap();
        let record = |content_type: u8, epoch: u8, content: &[u8]| {
            let mut record = vec![content_type, 0xfe, 0xfd, 0, epoch, 0, 0, 0, 0, 0, 77, 0];
            record.push(u8::try_from(content.len()).unwrap());
            record.extend(content);
            record
        };
        let junk = [
            b"GET / HTTP/1.0\r\n\r\n".to_vec(),
            vec![0x80; 40],                 // RTP
            vec![22; 5],                    // not even a record header
            record(23, 1, &[7; 60]),        // application data, not authentic
            record(21, 0, &[2, 40]),        // a forged fatal alert in the clear
            record(21, 1, &[1; 26]),        // an alert, not authentic
            record(22, 0, &[1, 0, 0, 200]), // a broken hello
            record(20, 0, &[1]),            // ChangeCipherSpec
        ];
        let before = server.stats().datagrams_received;
        for datagram in &junk {
            stranger.send_to(datagram, addr).unwrap();
            same_address.send_to(datagram, addr).unwrap();
        }
        eventually("all junk is received", || server.stats().datagrams_received == before + 16).await;
        client_side.send(b"fine").unwrap();
        assert_eq!(server_side.recv().await.unwrap().unwrap(), "fine");
        server_side.send(b"fine, too").unwrap();
        assert_eq!(client_side.recv().await.unwrap().unwrap(), "fine, too");

        // What is foreign never reaches a connection; the rest of the stranger's finds none.
        let routing = server.stats().routing.discards;
        assert_eq!(routing.get(Discard::Foreign), 4);
        assert_eq!(routing.total(), 4 + 6, "{routing:?}");
        let discards = server_side.stats().protocol.discards;
        assert_eq!((discards.get(Discard::BadTag), discards.get(Discard::UnknownEpoch)), (2, 3), "{discards:?}");
        assert_eq!(discards.total(), 6, "{discards:?}");
        assert_eq!(server.stats().connections, 1);
    })
    .await;
}

#[tokio::test] // RFC 6347 §4.2.8, RFC 9147 §5.11
async fn a_client_that_restarts_on_its_address_replaces_itself() {
    soon(async {
        let pki = TestPki::new();
        for policy in [CookiePolicy::Required, CookiePolicy::Off] {
            let builder = Endpoint::builder().with_server(server_config(&pki)).with_cookie_policy(policy);
            let (server, addr) = bind(builder);
            let mut first = Manual::new(client_config(&pki), addr).await;
            let accepted = async { server.accept().await.unwrap().await.unwrap() };
            let ((), before) = tokio::join!(first.connect(), accepted);
            // It crashes: no close_notify, and its address is used again.
            let socket = first.socket.into_std().unwrap();
            drop(first.connection);

            let client = Endpoint::builder().on_socket(socket).unwrap();
            let (client_side, server_side) = pair(&server, &client, client_config(&pki)).await;
            assert_eq!(before.peer_addr(), server_side.peer_addr());
            assert_eq!(before.recv().await, Err(ConnectionError::Replaced));
            assert_eq!(before.closed().await, CloseReason::Replaced);
            // Whatever it is asked for, it has ended once.
            assert!(!before.use_next_cid());
            assert_eq!(before.closed().await, CloseReason::Replaced);
            drop(before);
            client_side.send(b"anew").unwrap();
            assert_eq!(server_side.recv().await.unwrap().unwrap(), "anew");
            assert_eq!((server.stats().connections, server.stats().routing.restarts), (1, 1));
        }
    })
    .await;
}

/// With two connections at one address, the keys tell whose a record is.
#[tokio::test] // RFC 6347 §4.2.8, RFC 9147 §5.11
async fn a_connection_goes_on_until_its_client_has_begun_anew() {
    for version in [ProtocolVersion::DTLS1_2, ProtocolVersion::DTLS1_3] {
        soon(async {
            let pki = TestPki::new();
            let (server, addr) = server(&pki);
            let config = Arc::new(client_builder(&pki).with_versions(&[version]).build().unwrap());
            let mut first = Manual::new(Arc::clone(&config), addr).await;
            let accepted = async { server.accept().await.unwrap().await.unwrap() };
            let ((), before) = tokio::join!(first.connect(), accepted);
            let (mut connection, socket) = (first.connection, first.socket);
            let mut old_data = move |payload: &[u8]| {
                let mut datagram = vec![0; connection.sealed_len(payload.len())];
                let len = connection.seal(payload, &mut datagram).unwrap();
                datagram.truncate(len);
                datagram
            };

            let name = ServerName::try_from(NAME).unwrap();
            let connection = proto::Connection::client(config, name, Instant::now()).unwrap();
            let mut second = Manual { connection, socket, addr };
            second.flush().await; // ClientHello
            let anew = tokio::select! {
                incoming = server.accept() => incoming.unwrap(),
                // What asks for a cookie comes behind what the old connection still had to say.
                () = async { loop { second.take().await; second.flush().await; } } => unreachable!(),
            };
            let anew = tokio::spawn(anew.into_future());
            for payload in [b"one", b"two"] {
                second.socket.send_to(&old_data(payload), addr).await.unwrap();
                assert_eq!(before.recv().await.unwrap().unwrap(), &payload[..]);
            }
            assert_eq!((server.stats().connections, server.stats().half_open), (2, 1));

            second.connect().await;
            let after = anew.await.unwrap().unwrap();
            assert_eq!(before.closed().await, CloseReason::Replaced);
            second.socket.send_to(&old_data(b"three"), addr).await.unwrap();
            eventually("nobody takes it", || after.stats().protocol.discards.get(Discard::BadTag) > 0).await;
            assert_eq!((server.stats().connections, server.stats().half_open), (1, 0));
        })
        .await;
    }
}

#[tokio::test]
async fn a_refused_client_hears_why_and_believes_it_in_the_end() {
    soon(async {
        let pki = TestPki::new();
        let (server, addr) = server(&pki);
        let config = Arc::new(client_builder(&pki).with_transport(impatient()).build().unwrap());
        let client = Endpoint::client(LOOPBACK).unwrap();
        let refusing = async {
            loop {
                server.accept().await.unwrap().refuse();
            }
        };
        let error = tokio::select! {
            connected = client.connect(addr, NAME, config) => connected.unwrap_err(),
            () = refusing => unreachable!(),
        };
        match error {
            ConnectError::Failed(Error::AlertReceived(alert)) => {
                assert_eq!((alert.description, alert.authenticated), (AlertDescription::ACCESS_DENIED, false));
            }
            error => panic!("{error}"),
        }
        assert!(server.stats().routing.incoming_refused > 0);
        assert_eq!(server.stats().half_open, 0);
    })
    .await;
}

#[tokio::test]
async fn who_comes_beyond_a_limit_is_turned_away_and_counted() {
    soon(async {
        let pki = TestPki::new();
        let limits = Limits { connections: 1, ..Limits::default() };
        let (server, addr) = bind(Endpoint::builder().with_server(server_config(&pki)).with_limits(limits));
        let client = Endpoint::client(LOOPBACK).unwrap();
        let (one, peer) = pair(&server, &client, client_config(&pki)).await;
        let config = Arc::new(client_builder(&pki).with_transport(impatient()).build().unwrap());
        let other = Endpoint::client(LOOPBACK).unwrap();
        assert!(other.connect(addr, NAME, config).await.is_err());
        assert!(server.stats().routing.limits.connections > 0);
        one.send(b"untouched").unwrap();
        assert_eq!(peer.recv().await.unwrap().unwrap(), "untouched");
        one.close().await;
        eventually("there is room again", || server.stats().connections == 0).await;
        pair(&server, &other, client_config(&pki)).await;
    })
    .await;
}

#[tokio::test]
async fn a_peer_that_is_gone_is_forgotten_after_the_idle_timeout() {
    soon(async {
        let pki = TestPki::new();
        let transport = Transport { idle_timeout: Some(Duration::from_millis(200)), ..Transport::default() };
        let config = server_builder(&pki).with_transport(transport).build().unwrap();
        let (server, addr) = bind(Endpoint::builder().with_server(Arc::new(config)));
        let mut client = Manual::new(client_config(&pki), addr).await;
        let accepted = async { server.accept().await.unwrap().await.unwrap() };
        let ((), conn) = tokio::join!(client.connect(), accepted);
        drop(client);
        assert_eq!(conn.recv().await, Err(ConnectionError::Idle));
        assert_eq!(conn.closed().await, CloseReason::Idle);
        let stats = server.stats();
        assert_eq!((stats.connections, stats.half_open, stats.idle_closed), (0, 0, 1));
    })
    .await;
}
