//! Flows of gramseal: `send_many` and `recv_many`.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc::Sender;

use gramseal::{ClientConfig, Connection, Endpoint, Limits, Payloads};
use gramseal_proto::config::ServerConfig;
use tokio::runtime::{Builder, Runtime};

use super::PAYLOAD;
use super::flow::{Flow, Shared};
use crate::pair::{Configs, NAME};

/// `count` connections between two endpoints, each of which sends `batch` payloads in turn.
pub(super) fn flow(count: usize, batch: usize) -> Flow {
    let configs = Configs::for_sockets();
    let (client, server) = (configs.client_config(), configs.server_config());
    Flow::start(
        move |shared, ready| runtime().block_on(receive(server, shared, &ready)),
        move |shared, addr, ready| runtime().block_on(send(client, addr, shared, count, batch, &ready)),
    )
}

pub(super) fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().expect("a runtime")
}

async fn receive(config: Arc<ServerConfig>, shared: Arc<Shared>, ready: &Sender<SocketAddr>) {
    let limits = Limits { handshake_rate: None, ..Limits::default() };
    let endpoint = Endpoint::builder().with_server(config).with_limits(limits).bind("127.0.0.1:0").expect("a port");
    ready.send(endpoint.local_addr().expect("an address")).expect("somebody waits");
    while let Some(incoming) = endpoint.accept().await {
        let shared = Arc::clone(&shared);
        tokio::spawn(async move {
            let connection = incoming.await.expect("a handshake");
            let mut payloads = Payloads::new();
            while let Ok(Some(count)) = connection.recv_many(&mut payloads).await {
                assert!(payloads.as_bytes().len() == count * PAYLOAD, "whole payloads");
                shared.received(count);
            }
        });
    }
}

/// Each connection has a socket's address of its own: an endpoint has one connection with each address.
async fn connect(config: &Arc<ClientConfig>, addr: SocketAddr, count: usize) -> Vec<Connection> {
    let mut connections = Vec::new();
    for _ in 0..count {
        let endpoint = Endpoint::client("127.0.0.1:0").expect("a port");
        connections.push(endpoint.connect(addr, NAME, Arc::clone(config)).await.expect("a handshake"));
    }
    connections
}

async fn send(
    config: Arc<ClientConfig>,
    addr: SocketAddr,
    shared: Arc<Shared>,
    count: usize,
    batch: usize,
    ready: &Sender<()>,
) {
    let connections = connect(&config, addr, count).await;
    let payload = [7; PAYLOAD];
    let payloads = vec![&payload[..]; batch];
    ready.send(()).expect("somebody waits");
    loop {
        shared.wait();
        for connection in connections.iter().cycle() {
            if !shared.runs() {
                break;
            }
            // The driver of this side shares the thread.
            shared.sent(connection.send_many_wait(&payloads).await.expect("a connection"));
            tokio::task::yield_now().await;
        }
    }
}
