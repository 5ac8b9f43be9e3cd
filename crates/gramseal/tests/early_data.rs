//! Early data (0-RTT) on real sockets.

#![allow(clippy::unwrap_used, reason = "a helper that fails fails the test")]

mod common;

use std::sync::Arc;

use common::{LOOPBACK, NAME, bind, client_builder, server_builder, soon};
use gramseal::{
    ClientConfig, Connection, CookiePolicy, EarlyConnection, Endpoint, SendEarlyError, ServerConfig, sessions,
};
use gramseal_testkit::pki::TestPki;

fn server_config(pki: &TestPki) -> Arc<ServerConfig> {
    let builder = server_builder(pki).with_ticket_sealer(sessions::ticket_keys().unwrap());
    Arc::new(builder.with_early_data(1000, sessions::anti_replay()).build().unwrap())
}

fn client_config(pki: &TestPki) -> Arc<ClientConfig> {
    let builder = client_builder(pki).with_session_store(sessions::client_cache());
    Arc::new(builder.with_early_data().build().unwrap())
}

/// Connects, sends early data if that is possible, and says hello; what the server got early.
async fn connect(
    server: &Endpoint,
    config: &Arc<ClientConfig>,
    payloads: &[&[u8]],
) -> (Connection, Vec<Vec<u8>>, Vec<Result<(), SendEarlyError>>) {
    let addr = server.local_addr().unwrap();
    let client = Endpoint::client(LOOPBACK).unwrap();
    let accepted = async {
        let early = server.accept().await.unwrap().accept_early().unwrap();
        let mut taken = Vec::new();
        while let Some(payload) = early.recv_early().await {
            taken.push(payload.to_vec());
        }
        let conn = early.established().await.unwrap();
        conn.send(b"hello").unwrap();
        (conn, taken)
    };
    let connected = async {
        let early = client.connect_early(addr, NAME, Arc::clone(config)).unwrap();
        let sent: Vec<_> = payloads.iter().map(|payload| early.send_early(payload)).collect();
        let conn = early.established().await.unwrap();
        // The tickets come first.
        assert_eq!(conn.recv().await.unwrap().unwrap(), "hello");
        (conn, sent)
    };
    let ((served, taken), (conn, sent)) = tokio::join!(accepted, connected);
    assert_eq!(served.negotiated().early_data, conn.negotiated().early_data);
    assert_eq!(served.recv_early().await, None);
    (conn, taken, sent)
}

#[tokio::test]
async fn early_data_is_taken_where_cookies_are_not_asked_for() {
    for policy in [CookiePolicy::ExceptEarlyData, CookiePolicy::Off] {
        let pki = TestPki::new();
        let (server, _) = bind(Endpoint::builder().with_server(server_config(&pki)).with_cookie_policy(policy));
        let config = client_config(&pki);
        let (_, taken, sent) = soon(connect(&server, &config, &[b"one"])).await;
        assert!(taken.is_empty());
        assert!(matches!(sent[..], [Err(SendEarlyError::NotOffered)]), "{sent:?}");
        for _ in 0..3 {
            let (conn, taken, sent) = soon(connect(&server, &config, &[b"one", b"two"])).await;
            assert!(sent.iter().all(Result::is_ok), "{sent:?}");
            assert_eq!(taken, [b"one", b"two"], "loopback loses nothing");
            assert!(conn.negotiated().early_data && conn.negotiated().resumed);
            assert_eq!(server.stats().routing.cookies_sent, u64::from(policy == CookiePolicy::ExceptEarlyData));
        }
    }
}

#[tokio::test]
async fn a_cookie_rejects_early_data_and_the_handshake_goes_on() {
    let pki = TestPki::new();
    let (server, _) = bind(Endpoint::builder().with_server(server_config(&pki)));
    let config = client_config(&pki);
    soon(connect(&server, &config, &[])).await;
    let (conn, taken, sent) = soon(connect(&server, &config, &[b"one"])).await;
    assert!(sent[0].is_ok() && taken.is_empty());
    assert!(!conn.negotiated().early_data && conn.negotiated().resumed);
}

/// A server, and a client on its way with early data.
async fn begun(pki: &TestPki, config: &Arc<ServerConfig>) -> (Endpoint, EarlyConnection) {
    let builder = Endpoint::builder().with_server(Arc::clone(config));
    let (server, addr) = bind(builder.with_cookie_policy(CookiePolicy::ExceptEarlyData));
    let config = client_config(pki);
    soon(connect(&server, &config, &[])).await;
    let client = Endpoint::client(LOOPBACK).unwrap();
    let early = client.connect_early(addr, NAME, config).unwrap();
    early.send_early(b"one").unwrap();
    (server, early)
}

#[tokio::test]
async fn early_data_is_rejected_where_nobody_would_fetch_it() {
    let pki = TestPki::new();
    let config = server_config(&pki);
    for named in [false, true] {
        let (server, early) = begun(&pki, &config).await;
        let accepted = async {
            let incoming = server.accept().await.unwrap();
            if named { incoming.accept_with(Arc::clone(&config)).await } else { incoming.await }
        };
        let (conn, served) = soon(async { tokio::join!(early.established(), accepted) }).await;
        let (conn, served) = (conn.unwrap(), served.unwrap());
        assert!(!conn.negotiated().early_data && !served.negotiated().early_data);
        assert_eq!(soon(served.recv_early()).await, None);
        conn.send(b"one, later").unwrap();
        assert_eq!(soon(served.recv()).await.unwrap().unwrap(), "one, later");
    }
}

#[tokio::test]
async fn early_data_can_be_fetched_after_the_handshake_too() {
    let pki = TestPki::new();
    let (server, early) = begun(&pki, &server_config(&pki)).await;
    let mut key = [0; 16];
    early.export_early_keying_material(b"EXPERIMENTAL test", b"", &mut key).unwrap();
    let accepted = async { server.accept().await.unwrap().accept_early().unwrap().established().await.unwrap() };
    let (conn, served) = soon(async { tokio::join!(early.established(), accepted) }).await;
    assert_eq!(soon(served.recv_early()).await.unwrap(), "one");
    assert_eq!(soon(served.recv_early()).await, None);
    conn.unwrap().send(b"two").unwrap();
    assert_eq!(soon(served.recv()).await.unwrap().unwrap(), "two");
}

#[tokio::test]
async fn a_handshake_that_fails_ends_early_data() {
    let pki = TestPki::new();
    let (server, early) = begun(&pki, &server_config(&pki)).await;
    let accepted = soon(server.accept()).await.unwrap().accept_early().unwrap();
    assert_eq!(soon(accepted.recv_early()).await.unwrap(), "one");
    drop(early);
    server.close().await;
    assert_eq!(soon(accepted.recv_early()).await, None);
    assert!(soon(accepted.established()).await.is_err());
}
