//! Connections that go on in another process, over loopback with real cryptography.

#![allow(clippy::unwrap_used, reason = "a helper that fails fails the test")]

mod common;

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use common::*;
use gramseal::proto::ImportError as BadImage;
use gramseal::{
    CloseReason, ConnectError, Connection, Endpoint, ImageKey, ImportError, NotMovable, ProtocolVersion, SendError,
    ServerConfig, identity_from_pem, provider,
};
use gramseal_testkit::pki::{TestIdentity, TestPki};

const VERSIONS: [ProtocolVersion; 2] = [ProtocolVersion::DTLS1_2, ProtocolVersion::DTLS1_3];

fn key() -> ImageKey {
    ImageKey::new(provider(), &[9; ImageKey::LEN]).unwrap()
}

/// The server's configuration, from what can be handed to another process.
fn config_of(chain_pem: &[u8], key_pem: &[u8]) -> Arc<ServerConfig> {
    let identity = identity_from_pem(chain_pem, key_pem).unwrap();
    Arc::new(ServerConfig::builder(provider(), identity).build().unwrap())
}

/// A connected pair of this version over which something went both ways.
async fn connected(version: ProtocolVersion, pki: &TestPki, server: &Endpoint) -> (Connection, Connection) {
    let config = client_builder(pki).with_versions(&[version]).build().unwrap();
    let (client, server) = pair(server, &Endpoint::client(LOOPBACK).unwrap(), Arc::new(config)).await;
    exchange(&client, &server).await;
    (client, server)
}

async fn exchange(one: &Connection, other: &Connection) {
    for (from, to) in [(one, other), (other, one)] {
        from.send(b"there").unwrap();
        assert_eq!(to.recv().await.unwrap().unwrap(), "there");
    }
}

/// Exports as soon as nothing is under way.
async fn export(conn: &Connection) -> Vec<u8> {
    loop {
        match conn.export(&key()) {
            Ok(image) => return image,
            Err(NotMovable::LastFlight) => tokio::time::sleep(Duration::from_millis(5)).await,
            Err(error) => panic!("{error}"),
        }
    }
}

/// Binds what another endpoint has just left.
async fn bind_again(addr: SocketAddr, config: Arc<ServerConfig>) -> Endpoint {
    for _ in 0..500 {
        match Endpoint::server(addr, Arc::clone(&config)) {
            Ok(endpoint) => return endpoint,
            Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
    panic!("{addr} stays in use");
}

/// What goes to the other process: everything with its length before it.
fn parcel(parts: [&[u8]; 4]) -> Vec<u8> {
    parts.iter().flat_map(|part| [&u32::try_from(part.len()).unwrap().to_be_bytes()[..], part].concat()).collect()
}

fn unpack(parcel: &[u8]) -> [Vec<u8>; 4] {
    let mut rest = parcel;
    std::array::from_fn(|_| {
        let (len, more) = rest.split_first_chunk::<4>().unwrap();
        let (part, more) = more.split_at(usize::try_from(u32::from_be_bytes(*len)).unwrap());
        rest = more;
        part.to_vec()
    })
}

/// Set for the process that goes on with a connection.
const ROLE: &str = "GRAMSEAL_TEST_NEXT_PROCESS";

#[tokio::test]
#[ignore = "runs in a process of its own, which `a_connection_goes_on_in_another_process` starts"]
async fn the_next_process() {
    assert!(std::env::var_os(ROLE).is_some(), "run by `a_connection_goes_on_in_another_process`");
    soon(async {
        let mut bytes = Vec::new();
        std::io::stdin().read_to_end(&mut bytes).unwrap();
        let [addr, chain, private_key, image] = unpack(&bytes);
        let addr = String::from_utf8(addr).unwrap().parse().unwrap();
        let server = bind_again(addr, config_of(&chain, &private_key)).await;
        let conn = server.import(&key(), &image).unwrap();
        conn.send(format!("from process {}", std::process::id()).as_bytes()).unwrap();
        while let Some(data) = conn.recv().await.unwrap() {
            conn.send(&data).unwrap();
        }
    })
    .await;
}

#[tokio::test]
async fn a_connection_goes_on_in_another_process() {
    for version in VERSIONS {
        let pki = TestPki::new();
        let TestIdentity { chain_pem, key_pem, .. } = pki.server(NAME);
        let (chain, private_key) = (chain_pem.as_bytes(), key_pem.as_bytes());
        let server = Endpoint::server(LOOPBACK, config_of(chain, private_key)).unwrap();
        let addr = server.local_addr().unwrap();
        let (client, conn) = soon(connected(version, &pki, &server)).await;
        let before = client.stats().protocol.datagrams_sent;

        let image = soon(export(&conn)).await;
        assert_eq!(conn.closed().await, CloseReason::Moved);
        assert!(matches!(conn.send(b"x"), Err(SendError::Closed)));
        drop((server, conn));
        let mut next = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "the_next_process", "--ignored"])
            .env(ROLE, "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let parcel = parcel([addr.to_string().as_bytes(), chain, private_key, &image]);
        next.stdin.take().unwrap().write_all(&parcel).unwrap();

        let first = soon(client.recv()).await.unwrap().unwrap();
        assert_eq!(first, format!("from process {}", next.id()));
        client.send(b"and back").unwrap();
        assert_eq!(soon(client.recv()).await.unwrap().unwrap(), "and back");
        let acks = if version == ProtocolVersion::DTLS1_3 { 1 } else { 0 };
        assert!(client.stats().protocol.datagrams_sent <= before + acks, "no handshake took place");
        client.close().await;
        let status = tokio::task::spawn_blocking(move || next.wait().unwrap()).await.unwrap();
        assert!(status.success());
    }
}

#[tokio::test]
async fn a_server_that_died_is_replaced_from_its_last_checkpoint() {
    soon(async {
        for version in VERSIONS {
            let pki = TestPki::new();
            let config = server_config(&pki);
            let server = Endpoint::server(LOOPBACK, Arc::clone(&config)).unwrap();
            let addr = server.local_addr().unwrap();
            let (client, conn) = connected(version, &pki, &server).await;
            let checkpoint = loop {
                match conn.checkpoint(&key(), 8) {
                    Ok(checkpoint) => break checkpoint,
                    Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
                }
            };
            conn.checkpoint_stored(&checkpoint);
            for _ in 0..5 {
                exchange(&client, &conn).await;
            }
            let due = tokio::spawn({
                let conn = conn.clone();
                async move { conn.checkpoint_due().await }
            });
            for _ in 5..8 {
                exchange(&client, &conn).await;
            }
            assert_eq!(due.await.unwrap(), Ok(()));
            assert!(matches!(conn.send(b"x"), Err(SendError::CheckpointDue)));

            // Nothing is left of it but the image, and the client hears nothing.
            export(&conn).await;
            drop((server, conn));
            let server = bind_again(addr, config).await;
            let conn = server.import(&key(), checkpoint.image()).unwrap();
            assert!(matches!(conn.send(b"x"), Err(SendError::CheckpointDue)));
            client.send(b"heard").unwrap();
            assert_eq!(conn.recv().await.unwrap().unwrap(), "heard");
            assert_eq!(conn.checkpoint_due().await, Ok(()));
            let checkpoint = conn.checkpoint(&key(), 8).unwrap();
            conn.checkpoint_stored(&checkpoint);
            exchange(&client, &conn).await;
            conn.end_checkpoints();
            for _ in 0..20 {
                exchange(&client, &conn).await;
            }
            client.close().await;
            assert_eq!(conn.checkpoint_due().await, Err(CloseReason::Peer));
        }
    })
    .await;
}

#[tokio::test]
async fn a_client_moves_to_another_socket_of_its_address() {
    soon(async {
        for version in VERSIONS {
            let pki = TestPki::new();
            let (server, addr) = echo_server(&pki);
            let config = Arc::new(client_builder(&pki).with_versions(&[version]).build().unwrap());
            let endpoint = Endpoint::client(LOOPBACK).unwrap();
            let local = endpoint.local_addr().unwrap();
            let conn = endpoint.connect(addr, NAME, Arc::clone(&config)).await.unwrap();
            conn.send(b"one").unwrap();
            assert_eq!(conn.recv().await.unwrap().unwrap(), "one");
            let image = export(&conn).await;
            drop((endpoint, conn));
            eventually("the address is free", || std::net::UdpSocket::bind(local).is_ok()).await;
            let endpoint = Endpoint::client(local).unwrap();
            let conn = endpoint.import_client(Arc::clone(&config), &key(), &image).unwrap();
            assert_eq!((conn.peer_addr(), conn.negotiated().version), (addr, version));
            conn.send(b"two").unwrap();
            assert_eq!(conn.recv().await.unwrap().unwrap(), "two");
            let again = endpoint.import_client(config, &key(), &image);
            assert!(matches!(again, Err(ImportError::Endpoint(ConnectError::AlreadyConnected(_)))));
            assert_eq!(server.stats().routing.cookies_accepted, 1);
        }
    })
    .await;
}

#[tokio::test]
async fn what_was_received_before_a_move_is_fetched_where_it_was_received() {
    soon(async {
        let pki = TestPki::new();
        let (server, _) = server(&pki);
        let (client, conn) = connected(ProtocolVersion::DTLS1_3, &pki, &server).await;
        client.send(b"late").unwrap();
        eventually("it arrives", || conn.stats().receive_queue == 1).await;
        export(&conn).await;
        assert_eq!(conn.recv().await.unwrap().unwrap(), "late");
        assert_eq!(conn.recv().await, Ok(None));
        assert_eq!(conn.export(&key()).err(), Some(NotMovable::Closed));
        assert_eq!(server.stats().connections, 0);
    })
    .await;
}

#[tokio::test]
async fn images_that_do_not_fit_are_named() {
    soon(async {
        let pki = TestPki::new();
        let (server, _) = server(&pki);
        let (client, conn) = connected(ProtocolVersion::DTLS1_3, &pki, &server).await;
        let image = export(&conn).await;
        let other = ImageKey::new(provider(), &[8; ImageKey::LEN]).unwrap();
        assert!(matches!(server.import(&other, &image), Err(ImportError::Image(BadImage::WrongKey))));
        assert!(matches!(server.import(&key(), b"GsIm"), Err(ImportError::Image(BadImage::NotAnImage))));
        let nobody = Endpoint::client(LOOPBACK).unwrap();
        assert!(matches!(nobody.import(&key(), &image), Err(ImportError::NotServer)));
        let as_client = nobody.import_client(client_config(&pki), &key(), &image);
        assert!(matches!(as_client, Err(ImportError::Image(BadImage::WrongRole))));
        server.close().await;
        let closed = server.import(&key(), &image);
        assert!(matches!(closed, Err(ImportError::Endpoint(ConnectError::EndpointClosed))));
        drop(client);
    })
    .await;
}
