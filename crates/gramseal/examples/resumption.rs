//! Connects twice, the second time with the session of the first:
//! `cargo run --example resumption -- chain.pem key.pem`
//!
//! Server and client both run here, over loopback. See `echo_server` for a certificate to try it with.

use std::env;
use std::error::Error;
use std::net::SocketAddr;
use std::sync::Arc;

use gramseal::trust::{self, Fingerprint};
use gramseal::{ClientConfig, Endpoint, ServerConfig, identity_from_pem, provider, sessions};

type Failure = Box<dyn Error + Send + Sync>;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let mut args = env::args().skip(1);
    let (Some(chain), Some(key)) = (args.next(), args.next()) else {
        return Err("usage: resumption CHAIN.PEM KEY.PEM".into());
    };
    let [first, second] = run(&std::fs::read(chain)?, &std::fs::read(key)?).await?;
    println!("resumed: the first time {first}, the second time {second}");
    Ok(())
}

/// Whether either of two connections resumed a session.
pub(crate) async fn run(chain: &[u8], key: &[u8]) -> Result<[bool; 2], Failure> {
    let server = ServerConfig::builder(provider(), identity_from_pem(chain, key)?)
        // Tickets need no memory here. Clients that do not know them resume by session id, from the store.
        .with_ticket_sealer(sessions::ticket_keys()?)
        .with_session_store(sessions::server_cache())
        .build()?;
    let server = Endpoint::server("127.0.0.1:0", Arc::new(server))?;
    let addr = server.local_addr()?;
    tokio::spawn(serve(server));

    let certificates = trust::certificates_from_pem(chain)?;
    let own = certificates.first().ok_or("the chain is empty")?;
    // One configuration for all connections: a session is resumed under the settings of its first handshake only.
    let config = ClientConfig::builder(provider(), trust::fingerprints([Fingerprint::of(own)]))
        .with_session_store(sessions::client_cache())
        .build()?;
    let config = Arc::new(config);
    Ok([connect(addr, &config).await?, connect(addr, &config).await?])
}

async fn connect(server: SocketAddr, config: &Arc<ClientConfig>) -> Result<bool, Failure> {
    let conn = Endpoint::client("127.0.0.1:0")?.connect(server, "localhost", Arc::clone(config)).await?;
    // In 1.3 tickets follow the handshake: with the answer they are there, too.
    conn.send(b"hello")?;
    conn.recv().await?;
    conn.close().await;
    Ok(conn.negotiated().resumed)
}

async fn serve(endpoint: Endpoint) {
    while let Some(incoming) = endpoint.accept().await {
        let Ok(conn) = incoming.await else { continue };
        while let Ok(Some(data)) = conn.recv().await {
            if conn.send(&data).is_err() {
                break;
            }
        }
    }
}
