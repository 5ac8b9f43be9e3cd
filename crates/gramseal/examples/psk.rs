//! A sensor and its server, which share a key and have no certificates: `cargo run --example psk`
//!
//! Both run here, over loopback, and agree on DTLS 1.3 or on 1.2, with the same key. A key exchange goes with it, so
//! that who learns the key later cannot read what was recorded. The smallest devices may want to do without that: in
//! 1.2 the suites with a key alone have to be named (`with_cipher_suites`), in 1.3 both sides have to say
//! `with_resumed_key_exchange(ResumedKeyExchange::Optional)`.
//!
//! Where all peers can do it, `Psk::imported` is the better choice for 1.3 (RFC 9258).

use std::error::Error;
use std::net::SocketAddr;
use std::sync::Arc;

use gramseal::{ClientConfig, Endpoint, Negotiated, ProtocolVersion, Psk, ServerConfig, provider};

type Failure = Box<dyn Error + Send + Sync>;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    for version in [ProtocolVersion::DTLS1_2, ProtocolVersion::DTLS1_3] {
        let agreed = run(version).await?;
        let identity = agreed.psk_identity.unwrap_or_default();
        println!("{} connected with {version}, {}", String::from_utf8_lossy(&identity), agreed.cipher_suite);
    }
    Ok(())
}

/// Takes one reading of a sensor that speaks this version; returns what the server knows of it.
pub(crate) async fn run(version: ProtocolVersion) -> Result<Negotiated, Failure> {
    // In earnest keys are random, one for each device; a database can be the `PskLookup`.
    let keys = vec![Psk::new("sensor-16", [0x16; 16])?, Psk::new("sensor-17", [0x17; 16])?];
    let config = ServerConfig::psk_builder(provider(), Arc::new(keys)).build()?;
    let server = Endpoint::server("127.0.0.1:0", Arc::new(config))?;

    let sensor = tokio::spawn(sensor(server.local_addr()?, version));
    let conn = server.accept().await.ok_or("the endpoint is closed")?.await?;
    let reading = conn.recv().await?.ok_or("the sensor says nothing")?;
    conn.send(&[b"noted: ", &reading[..]].concat())?;
    sensor.await??;
    Ok(conn.negotiated())
}

async fn sensor(server: SocketAddr, version: ProtocolVersion) -> Result<(), Failure> {
    let key = Psk::new("sensor-17", [0x17; 16])?;
    let config = ClientConfig::psk_builder(provider(), key).with_versions(&[version]).build()?;
    // Whoever has the key is the right server, so any name will do.
    let conn = Endpoint::client("127.0.0.1:0")?.connect(server, server.ip(), Arc::new(config)).await?;
    conn.send(b"21.5 C")?;
    println!("{}", String::from_utf8_lossy(&conn.recv().await?.ok_or("the server has gone")?));
    conn.close().await;
    Ok(())
}
