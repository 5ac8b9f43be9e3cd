//! Several sockets with one address.

#![cfg(any(target_os = "linux", target_os = "android"))]
#![allow(missing_docs, clippy::unwrap_used, reason = "a test")]

mod common;

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::sync::Arc;

use common::*;
use gramseal::proto::crypto::{CryptoError, SecureRandom};
use gramseal::proto::wire::ProtocolVersion;
use gramseal::{
    Cid, CidGenerator, CloseReason, Connection, ConnectionIds, Endpoint, ImageKey, RandomCids, RoutableCids,
};
use gramseal_testkit::pki::TestPki;
use tokio::net::UdpSocket;

const SHARDS: NonZeroUsize = NonZeroUsize::new(3).unwrap();

fn server_with(pki: &TestPki, cids: ConnectionIds) -> (Endpoint, SocketAddr) {
    let config = server_builder(pki).with_connection_ids(cids).build().unwrap();
    bind(Endpoint::builder().with_server(Arc::new(config)).with_shards(SHARDS))
}

/// Accepts whoever comes.
fn accepting(server: &Endpoint) -> tokio::sync::mpsc::UnboundedReceiver<Connection> {
    let (sender, receiver) = tokio::sync::mpsc::unbounded_channel();
    let server = server.clone();
    tokio::spawn(async move {
        while let Some(incoming) = server.accept().await {
            sender.send(incoming.await.unwrap()).unwrap();
        }
    });
    receiver
}

async fn send(client: &mut Manual, payload: &[u8]) {
    let mut datagram = vec![0; client.connection.sealed_len(payload.len())];
    let len = client.connection.seal(payload, &mut datagram).unwrap();
    client.socket.send_to(&datagram[..len], client.addr).await.unwrap();
}

fn connections(server: &Endpoint) -> Vec<usize> {
    server.shard_stats().iter().map(|stats| stats.connections).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_of_every_shard_are_accepted_and_served() {
    soon(async {
        let pki = TestPki::new();
        let (server, addr) = server_with(&pki, ConnectionIds::Off);
        let mut accepted = accepting(&server);
        let mut clients = Vec::new();
        while connections(&server).contains(&0) {
            let endpoint = Endpoint::client(LOOPBACK).unwrap();
            let client = endpoint.connect(addr, NAME, client_config(&pki)).await.unwrap();
            let connection = accepted.recv().await.unwrap();
            client.send(b"to the server").unwrap();
            assert_eq!(connection.recv().await.unwrap().unwrap(), "to the server");
            connection.send(b"to the client").unwrap();
            assert_eq!(client.recv().await.unwrap().unwrap(), "to the client");
            clients.push((client, connection));
            assert!(clients.len() < 300, "the system spreads clients");
        }
        let stats = server.stats();
        assert_eq!((stats.connections, stats.half_open, stats.handed_over), (clients.len(), 0, 0));
        assert_eq!(stats.routing.incoming, clients.len() as u64);
        assert_eq!(server.shard_stats().len(), 3);
        server.close().await;
        for (client, _) in &clients {
            assert_eq!(client.closed().await, CloseReason::Peer);
        }
        assert!(server.accept().await.is_none());
    })
    .await;
}

/// Sends from one address after the other, until datagrams have come to another shard than the connection's.
async fn wander(server: &Endpoint, client: &mut Manual, connection: &Connection) {
    for n in 0..200_u8 {
        client.socket = UdpSocket::bind(LOOPBACK).await.unwrap();
        send(client, &[n]).await;
        assert_eq!(connection.recv().await.unwrap().unwrap(), [n][..]);
        if server.stats().handed_over >= 3 {
            return;
        }
    }
    panic!("the system spreads addresses");
}

#[tokio::test]
async fn a_client_that_moves_is_found_from_any_shard() {
    let routable = RoutableCids::new(2, &[7; 16], &[1, 2]).unwrap();
    let generators: [Arc<dyn CidGenerator>; 3] =
        [Arc::new(RandomCids::default()), Arc::new(RandomCids::new(4)), Arc::new(routable)];
    for (generator, version) in generators
        .into_iter()
        .flat_map(|each| [ProtocolVersion::DTLS1_2, ProtocolVersion::DTLS1_3].map(|v| (each.clone(), v)))
    {
        soon(async {
            let pki = TestPki::new();
            let (server, addr) = server_with(&pki, ConnectionIds::Both(generator.clone()));
            let mut accepted = accepting(&server);
            let config = client_builder(&pki).with_versions(&[version]).build().unwrap();
            let mut client = Manual::new(Arc::new(config), addr).await;
            client.connect().await;
            let connection = accepted.recv().await.unwrap();
            wander(&server, &mut client, &connection).await;
            let stats = server.stats();
            assert_eq!(stats.routing.discards.total(), 0, "{generator:?} {version}");
            // Nobody's ids are looked for everywhere, and end as anywhere.
            let stranger = UdpSocket::bind(LOOPBACK).await.unwrap();
            stranger.send_to(&[0x3f; 60], addr).await.unwrap();
            eventually("it is counted", || server.stats().routing.discards.total() == 1).await;
            assert_eq!(server.stats().handed_over, stats.handed_over);
            client.connection.close();
            client.flush().await;
            assert_eq!(connection.recv().await.unwrap(), None);
        })
        .await;
    }
}

/// Eight bytes of which one has two values.
#[derive(Debug)]
struct FewIds;

impl CidGenerator for FewIds {
    fn generate(&self, random: &dyn SecureRandom) -> Result<Cid, CryptoError> {
        let mut cid = [9; 8];
        random.fill(&mut cid[..1])?;
        cid[0] &= 1;
        Cid::new(&cid).ok_or(CryptoError::new())
    }
}

#[tokio::test]
async fn generators_that_cannot_name_a_shard_are_refused_or_led_separately() {
    soon(async {
        let pki = TestPki::new();
        let few = server_builder(&pki).with_connection_ids(ConnectionIds::Both(Arc::new(FewIds))).build().unwrap();
        let few = Arc::new(few);
        let refused = Endpoint::builder().with_server(few.clone()).with_shards(SHARDS).bind(LOOPBACK);
        assert!(refused.unwrap_err().to_string().contains("connection ids"));
        Endpoint::builder().with_server(few.clone()).bind(LOOPBACK).unwrap();

        // A handshake that has a configuration of its own may have any.
        let (server, addr) = server_with(&pki, ConnectionIds::random());
        let other = server_builder(&pki).with_connection_ids(ConnectionIds::Both(Arc::new(RandomCids::new(5))));
        for config in [few, Arc::new(other.build().unwrap())] {
            let accepted = tokio::spawn({
                let server = server.clone();
                async move { server.accept().await.unwrap().accept_with(config).await.unwrap() }
            });
            let mut client = Manual::new(client_config(&pki), addr).await;
            client.connect().await;
            let connection = accepted.await.unwrap();
            wander(&server, &mut client, &connection).await;
        }
    })
    .await;
}

#[tokio::test]
async fn connections_that_a_sharded_endpoint_begins_are_found() {
    soon(async {
        let pki = TestPki::new();
        let (plain, addr) = echo_server(&pki);
        let (sharded, _) = server_with(&pki, ConnectionIds::random());
        let ids = Arc::new(client_builder(&pki).with_connection_ids(ConnectionIds::random()).build().unwrap());
        let mut kept = Vec::new();
        for config in [client_config(&pki), ids.clone(), client_config(&pki)] {
            let conn = sharded.connect(addr, NAME, config).await.unwrap();
            conn.send(b"echo").unwrap();
            assert_eq!(conn.recv().await.unwrap().unwrap(), "echo");
            assert!(sharded.connect(addr, NAME, ids.clone()).await.is_err(), "one connection with each address");
            conn.close().await;
            kept.push(conn);
        }
        assert_eq!(sharded.stats().connections, 0);
        drop(plain);
    })
    .await;
}

#[tokio::test]
async fn a_connection_goes_on_in_a_sharded_endpoint() {
    for cids in [ConnectionIds::Off, ConnectionIds::random()] {
        soon(async {
            let pki = TestPki::new();
            let (first, addr) = server_with(&pki, cids.clone());
            let client = Endpoint::client(LOOPBACK).unwrap();
            let (ours, theirs) = {
                let accepted = async { first.accept().await.unwrap().await.unwrap() };
                let (ours, theirs) = tokio::join!(client.connect(addr, NAME, client_config(&pki)), accepted);
                (ours.unwrap(), theirs)
            };
            let key = ImageKey::new(gramseal::provider(), &[7; 32]).unwrap();
            let image = theirs.export(&key).unwrap();
            drop((first, theirs));
            let config = server_builder(&pki).with_connection_ids(cids).build().unwrap();
            let builder = Endpoint::builder().with_server(Arc::new(config)).with_shards(SHARDS);
            // The sockets of before close with their tasks.
            let second = loop {
                match builder.clone().bind(addr) {
                    Ok(endpoint) => break endpoint,
                    Err(_) => tokio::task::yield_now().await,
                }
            };
            let theirs = second.import(&key, &image).unwrap();
            for n in 0..3_u8 {
                ours.send(&[n]).unwrap();
                assert_eq!(theirs.recv().await.unwrap().unwrap(), [n][..]);
                theirs.send(&[n]).unwrap();
                assert_eq!(ours.recv().await.unwrap().unwrap(), [n][..]);
            }
            assert_eq!(second.stats().routing.discards.total(), 0);
        })
        .await;
    }
}

#[tokio::test]
async fn limits_and_secrets_are_those_of_all_shards() {
    soon(async {
        let pki = TestPki::new();
        let (server, addr) = server_with(&pki, ConnectionIds::Off);
        // A renewed secret is that of every shard: cookies of the one before are good, and clients come in.
        server.rotate_cookie_secret(&[1; 32]);
        let mut accepted = accepting(&server);
        let mut kept = Vec::new();
        for _ in 0..5 {
            let endpoint = Endpoint::client(LOOPBACK).unwrap();
            kept.push((
                endpoint.connect(addr, NAME, client_config(&pki)).await.unwrap(),
                accepted.recv().await.unwrap(),
            ));
        }
        assert_eq!(server.stats().routing.cookies_refused.total(), 0);
        assert_eq!(server.stats().routing.cookies_accepted, 5);
        // One socket is not enough for several shards.
        let socket = std::net::UdpSocket::bind(LOOPBACK).unwrap();
        assert!(Endpoint::builder().with_shards(SHARDS).on_socket(socket).is_err());
        // The address is taken, also by one socket that shares it.
        assert!(Endpoint::builder().bind(addr).is_err());
        assert!(Endpoint::builder().with_shards(SHARDS).bind(addr).is_err());
    })
    .await;
}
