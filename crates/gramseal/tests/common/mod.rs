//! What the tests on real sockets share: configurations, an echo server, and a client without an
//! endpoint that can stop in the middle.

#![allow(dead_code, reason = "each test binary uses its part")]
#![allow(clippy::unwrap_used, reason = "a helper that fails fails the test")]

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use gramseal::pki_types::ServerName;
use gramseal::proto::{self, Instant};
use gramseal::{
    ClientConfig, ClientConfigBuilder, Connection, Endpoint, EndpointBuilder, ServerConfig, ServerConfigBuilder,
    Transport, identity_from_pem, provider, trust,
};
use gramseal_testkit::pki::TestPki;
use tokio::net::UdpSocket;

pub(crate) const NAME: &str = "server.test";
pub(crate) const LOOPBACK: &str = "127.0.0.1:0";

pub(crate) fn server_builder(pki: &TestPki) -> ServerConfigBuilder {
    let identity = pki.server(NAME);
    let identity = identity_from_pem(identity.chain_pem.as_bytes(), identity.key_pem.as_bytes()).unwrap();
    ServerConfig::builder(provider(), identity)
}

pub(crate) fn client_builder(pki: &TestPki) -> ClientConfigBuilder {
    ClientConfig::builder(provider(), trust::roots_from_pem(pki.root_pem().as_bytes()).unwrap())
}

pub(crate) fn server_config(pki: &TestPki) -> Arc<ServerConfig> {
    Arc::new(server_builder(pki).build().unwrap())
}

pub(crate) fn client_config(pki: &TestPki) -> Arc<ClientConfig> {
    Arc::new(client_builder(pki).build().unwrap())
}

/// Deadlines that a test can wait for.
pub(crate) fn impatient() -> Transport {
    Transport {
        initial_timeout: Duration::from_millis(100),
        handshake_timeout: Duration::from_millis(1500),
        ..Transport::default()
    }
}

pub(crate) fn server(pki: &TestPki) -> (Endpoint, SocketAddr) {
    bind(Endpoint::builder().with_server(server_config(pki)))
}

pub(crate) fn bind(builder: EndpointBuilder) -> (Endpoint, SocketAddr) {
    let endpoint = builder.bind(LOOPBACK).unwrap();
    let addr = endpoint.local_addr().unwrap();
    (endpoint, addr)
}

/// A server that sends everything back.
pub(crate) fn echo_server(pki: &TestPki) -> (Endpoint, SocketAddr) {
    let (endpoint, addr) = server(pki);
    tokio::spawn(echo(endpoint.clone()));
    (endpoint, addr)
}

pub(crate) async fn echo(endpoint: Endpoint) {
    while let Some(incoming) = endpoint.accept().await {
        tokio::spawn(async move {
            let conn = incoming.await.unwrap();
            while let Ok(Some(data)) = conn.recv().await {
                conn.send(&data).unwrap();
            }
        });
    }
}

/// A connected pair: the client's and the server's side. The endpoints may go; connections stay.
pub(crate) async fn pair(server: &Endpoint, client: &Endpoint, config: Arc<ClientConfig>) -> (Connection, Connection) {
    let addr = server.local_addr().unwrap();
    let accepted = async { server.accept().await.unwrap().await.unwrap() };
    let (client, server) = tokio::join!(client.connect(addr, NAME, config), accepted);
    (client.unwrap(), server)
}

/// Waits until `condition` holds.
pub(crate) async fn eventually(what: &str, condition: impl Fn() -> bool) {
    for _ in 0..500 {
        if condition() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("never happened: {what}");
}

/// Fails instead of hanging.
pub(crate) async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), future).await.expect("the test does not hang")
}

/// A client that moves one step at a time and may vanish without a word.
pub(crate) struct Manual {
    pub(crate) connection: proto::Connection,
    pub(crate) socket: UdpSocket,
    pub(crate) addr: SocketAddr,
}

impl Manual {
    pub(crate) async fn new(config: Arc<ClientConfig>, addr: SocketAddr) -> Self {
        let name = ServerName::try_from(NAME).unwrap();
        let connection = proto::Connection::client(config, name, Instant::now()).unwrap();
        Self { connection, socket: UdpSocket::bind(LOOPBACK).await.unwrap(), addr }
    }

    /// Sends what the protocol has to send.
    pub(crate) async fn flush(&mut self) {
        let mut datagram = Vec::new();
        while self.connection.poll_transmit(Instant::now(), &mut datagram) {
            self.socket.send_to(&datagram, self.addr).await.unwrap();
        }
    }

    /// Takes one datagram in, without answering.
    pub(crate) async fn take(&mut self) {
        let mut datagram = [0; 2048];
        let (len, _) = self.socket.recv_from(&mut datagram).await.unwrap();
        drop(self.connection.handle_datagram(Instant::now(), &mut datagram[..len]));
    }

    /// Goes on until connected.
    pub(crate) async fn connect(&mut self) {
        self.flush().await;
        while !self.connection.is_connected() {
            self.take().await;
            self.flush().await;
        }
    }
}
