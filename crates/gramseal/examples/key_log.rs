//! Writes the secrets of a connection to a file, with which Wireshark reads what was captured:
//! `cargo run --example key_log -- keys.txt`
//!
//! In Wireshark the file goes under Preferences, Protocols, TLS, "(Pre)-Master-Secret log filename", which DTLS uses
//! too. Start the capture on the loopback interface before this program, and take the traffic as DTLS ("Decode as") if
//! Wireshark does not recognise it by itself. The `gramseal` program does the same with `--keylog FILE`, and with the
//! environment variable `SSLKEYLOGFILE`.
//!
//! Whoever has the file can read the traffic of all connections in it: for debugging only.

use std::env;
use std::error::Error;
use std::path::Path;
use std::sync::Arc;

use gramseal::{ClientConfig, Connection, Endpoint, KeyLogFile, Psk, ServerConfig, provider};

type Failure = Box<dyn Error + Send + Sync>;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let path = env::args().nth(1).ok_or("usage: key_log FILE")?;
    run(path.as_ref()).await?;
    println!("the secrets are in {path}");
    Ok(())
}

/// Sends one datagram over a connection whose secrets go to `path`.
pub(crate) async fn run(path: &Path) -> Result<(), Failure> {
    // In earnest keys are random.
    let key = Psk::new("debugger", [0x2a; 16])?;
    let server = ServerConfig::psk_builder(provider(), Arc::new(vec![key.clone()])).build()?;
    let server = Endpoint::server("127.0.0.1:0", Arc::new(server))?;
    // One side is enough: both have the same secrets.
    let client = ClientConfig::psk_builder(provider(), key).with_key_log(KeyLogFile::open(path)?).build()?;

    let addr = server.local_addr()?;
    let endpoint = Endpoint::client("127.0.0.1:0")?;
    let accepted = tokio::spawn(accept(server));
    let conn = endpoint.connect(addr, addr.ip(), Arc::new(client)).await?;
    let accepted = accepted.await??;
    conn.send(b"what a capture does not show")?;
    accepted.recv().await?;
    conn.close().await;
    Ok(())
}

async fn accept(server: Endpoint) -> Result<Connection, Failure> {
    Ok(server.accept().await.ok_or("the endpoint is closed")?.await?)
}
