//! Sends every datagram back: `cargo run --example echo_server -- chain.pem key.pem`
//!
//! A certificate to try it with, which is its own root (clients take `chain.pem` as CA.PEM):
//!
//! ```sh
//! openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN=localhost \
//!     -addext subjectAltName=DNS:localhost -addext basicConstraints=critical,CA:FALSE \
//!     -out chain.pem -keyout key.pem
//! ```

use std::env;
use std::error::Error;
use std::sync::Arc;

use gramseal::{Endpoint, ServerConfig, identity_from_pem, provider};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let mut args = env::args().skip(1);
    let (Some(chain), Some(key)) = (args.next(), args.next()) else {
        return Err("usage: echo_server CHAIN.PEM KEY.PEM".into());
    };
    let identity = identity_from_pem(&std::fs::read(chain)?, &std::fs::read(key)?)?;
    let config = ServerConfig::builder(provider(), identity).build()?;
    let endpoint = Endpoint::server("[::]:4433", Arc::new(config))?;
    println!("listening on {}", endpoint.local_addr()?);

    while let Some(incoming) = endpoint.accept().await {
        tokio::spawn(async move {
            let peer = incoming.peer();
            match incoming.await {
                Ok(conn) => {
                    while let Ok(Some(data)) = conn.recv().await {
                        let _ = conn.send(&data);
                    }
                    println!("{peer}: {}", conn.closed().await);
                }
                Err(error) => println!("{peer}: {error}"),
            }
        });
    }
    Ok(())
}
