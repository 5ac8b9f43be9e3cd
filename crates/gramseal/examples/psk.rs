//! A sensor and its server, which share a key and have no certificates: `cargo run --example psk`
//!
//! Both run here, over loopback. Plain PSK suites need no public-key operation, which small devices
//! like, and so have no forward secrecy: they have to be named. Without `with_cipher_suites` the key
//! comes with ECDHE.

use std::error::Error;
use std::net::SocketAddr;
use std::sync::Arc;

use gramseal::{CipherSuite, ClientConfig, Endpoint, Negotiated, Psk, ServerConfig, provider};

type Failure = Box<dyn Error + Send + Sync>;

const SUITES: [CipherSuite; 2] =
    [CipherSuite::TLS_PSK_WITH_AES_128_CCM_8, CipherSuite::TLS_PSK_WITH_AES_128_GCM_SHA256];

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let agreed = run().await?;
    let identity = agreed.psk_identity.unwrap_or_default();
    println!("{} connected with {}", String::from_utf8_lossy(&identity), agreed.cipher_suite);
    Ok(())
}

/// Takes one reading of the sensor; returns what the server knows of it.
pub(crate) async fn run() -> Result<Negotiated, Failure> {
    // In earnest keys are random, one for each device; a database can be the `PskLookup`.
    let keys = vec![Psk::new("sensor-16", [0x16; 16])?, Psk::new("sensor-17", [0x17; 16])?];
    let config = ServerConfig::psk_builder(provider(), Arc::new(keys)).with_cipher_suites(&SUITES).build()?;
    let server = Endpoint::server("127.0.0.1:0", Arc::new(config))?;

    let sensor = tokio::spawn(sensor(server.local_addr()?));
    let conn = server.accept().await.ok_or("the endpoint is closed")?.await?;
    let reading = conn.recv().await?.ok_or("the sensor says nothing")?;
    conn.send(&[b"noted: ", &reading[..]].concat())?;
    sensor.await??;
    Ok(conn.negotiated())
}

async fn sensor(server: SocketAddr) -> Result<(), Failure> {
    let key = Psk::new("sensor-17", [0x17; 16])?;
    let config = ClientConfig::psk_builder(provider(), key).with_cipher_suites(&SUITES).build()?;
    // Whoever has the key is the right server, so any name will do.
    let conn = Endpoint::client("127.0.0.1:0")?.connect(server, server.ip(), Arc::new(config)).await?;
    conn.send(b"21.5 C")?;
    println!("{}", String::from_utf8_lossy(&conn.recv().await?.ok_or("the server has gone")?));
    conn.close().await;
    Ok(())
}
