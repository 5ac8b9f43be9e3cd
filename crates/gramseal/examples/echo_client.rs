//! Sends one datagram and prints the answer:
//! `cargo run --example echo_client -- 127.0.0.1:4433 localhost ca.pem`
//!
//! For a server as in `echo_server`, `ca.pem` is its `chain.pem`.

use std::env;
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use gramseal::{ClientConfig, Endpoint, provider, trust};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let mut args = env::args().skip(1);
    let (Some(addr), Some(name), Some(roots)) = (args.next(), args.next(), args.next()) else {
        return Err("usage: echo_client ADDRESS:PORT NAME CA.PEM".into());
    };
    let roots = trust::roots_from_pem(&std::fs::read(roots)?)?;
    let config = ClientConfig::builder(provider(), roots).build()?;
    let endpoint = Endpoint::client("[::]:0")?;

    let conn = endpoint.connect(addr.parse()?, name, Arc::new(config)).await?;
    conn.send(b"hello")?;
    // As with UDP, either datagram may get lost.
    if let Some(reply) = tokio::time::timeout(Duration::from_secs(1), conn.recv()).await?? {
        println!("{}", String::from_utf8_lossy(&reply));
    }
    conn.close().await;
    Ok(())
}
