//! Datagrams of QUIC (RFC 9221), by quinn with its defaults, AES-128-GCM and packets of up to 1400 bytes.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc::Sender;

use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use quinn::{ClientConfig, Endpoint, EndpointConfig, ServerConfig, TokioRuntime, TransportConfig};
use rustls::RootCertStore;
use rustls::crypto::{CryptoProvider, aws_lc_rs as provider};
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};

use super::PAYLOAD;
use super::flow::{Flow, Shared};
use super::ours::runtime;
use crate::pair::{Key, NAME};

pub(super) fn flow() -> Flow {
    let (client, server) = configs();
    Flow::start(
        move |shared, ready| runtime().block_on(receive(server, shared, &ready)),
        move |shared, addr, ready| runtime().block_on(send(client, addr, shared, &ready)),
    )
}

fn suites() -> Arc<CryptoProvider> {
    let suites = vec![provider::cipher_suite::TLS13_AES_128_GCM_SHA256];
    Arc::new(CryptoProvider { cipher_suites: suites, ..provider::default_provider() })
}

fn transport() -> Arc<TransportConfig> {
    let mut transport = TransportConfig::default();
    transport.initial_mtu(1400).mtu_discovery_config(None);
    Arc::new(transport)
}

fn configs() -> (ClientConfig, ServerConfig) {
    let key = Key::EcdsaP256.generate();
    let params = rcgen::CertificateParams::new([NAME.to_owned()]).expect("a name");
    let certificate: CertificateDer<'static> = params.self_signed(&key).expect("a certificate").der().clone();
    let mut roots = RootCertStore::empty();
    roots.add(certificate.clone()).expect("a root");
    let versions = [&rustls::version::TLS13];
    let client = rustls::ClientConfig::builder_with_provider(suites())
        .with_protocol_versions(&versions)
        .expect("the suite is there")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let server = rustls::ServerConfig::builder_with_provider(suites())
        .with_protocol_versions(&versions)
        .expect("the suite is there")
        .with_no_client_auth()
        .with_single_cert(vec![certificate], PrivatePkcs8KeyDer::from(key.serialize_der()).into())
        .expect("a key");
    let mut client = ClientConfig::new(Arc::new(QuicClientConfig::try_from(client).expect("the suite is there")));
    client.transport_config(transport());
    let mut server =
        ServerConfig::with_crypto(Arc::new(QuicServerConfig::try_from(server).expect("the suite is there")));
    server.transport_config(transport());
    (client, server)
}

fn endpoint(server: Option<ServerConfig>) -> Endpoint {
    let mut config = EndpointConfig::default();
    config.max_udp_payload_size(1472).expect("a size");
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").expect("a port");
    Endpoint::new(config, server, socket, Arc::new(TokioRuntime)).expect("an endpoint")
}

async fn receive(config: ServerConfig, shared: Arc<Shared>, ready: &Sender<SocketAddr>) {
    let endpoint = endpoint(Some(config));
    ready.send(endpoint.local_addr().expect("an address")).expect("somebody waits");
    let connection = endpoint.accept().await.expect("a client").await.expect("a handshake");
    loop {
        let payload = connection.read_datagram().await.expect("a connection");
        assert!(payload.len() == PAYLOAD, "whole payloads");
        shared.received(1);
    }
}

async fn send(config: ClientConfig, addr: SocketAddr, shared: Arc<Shared>, ready: &Sender<()>) {
    let endpoint = endpoint(None);
    let connection = endpoint.connect_with(config, addr, NAME).expect("a name").await.expect("a handshake");
    let payload = bytes::Bytes::from_static(&[7; PAYLOAD]);
    ready.send(()).expect("somebody waits");
    loop {
        // Keeps the connection alive while it waits for its turn.
        while !shared.runs() {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        connection.send_datagram_wait(payload.clone()).await.expect("a connection");
        shared.sent(1);
    }
}
