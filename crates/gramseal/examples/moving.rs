//! A server that is replaced, and one that dies, without its client noticing:
//! `cargo run --example moving -- chain.pem key.pem`
//!
//! Everything runs here, over loopback; in earnest each server would be a process of its own, and the images would go
//! through a pipe to the next one, or into a store that outlives the process. See `echo_server` for a certificate to
//! try it with.

use std::env;
use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use gramseal::trust::{self, Fingerprint};
use gramseal::{ClientConfig, Connection, Endpoint, ImageKey, NotMovable, ServerConfig, identity_from_pem, provider};

type Failure = Box<dyn Error + Send + Sync>;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let mut args = env::args().skip(1);
    let (Some(chain), Some(key)) = (args.next(), args.next()) else {
        return Err("usage: moving CHAIN.PEM KEY.PEM".into());
    };
    for answer in run(&std::fs::read(chain)?, &std::fs::read(key)?).await? {
        println!("{answer}");
    }
    Ok(())
}

/// What three servers answer to one client, over one connection.
pub(crate) async fn run(chain: &[u8], key: &[u8]) -> Result<[String; 3], Failure> {
    let config = Arc::new(ServerConfig::builder(provider(), identity_from_pem(chain, key)?).build()?);
    // All servers know it, and nobody else does.
    let image_key = ImageKey::new(provider(), &provider().random_array()?)?;

    let first = Endpoint::server("127.0.0.1:0", Arc::clone(&config))?;
    let addr = first.local_addr()?;
    let own = trust::certificates_from_pem(chain)?;
    let own = own.first().ok_or("the chain is empty")?;
    let trusted = ClientConfig::builder(provider(), trust::fingerprints([Fingerprint::of(own)])).build()?;
    let endpoint = Endpoint::client("127.0.0.1:0")?;
    let accepted = async { first.accept().await.ok_or("closed")?.await.map_err(Failure::from) };
    let connected = async { endpoint.connect(addr, "localhost", Arc::new(trusted)).await.map_err(Failure::from) };
    let (client, conn) = tokio::try_join!(connected, accepted)?;
    let answer1 = ask(&client, &conn, "first").await?;

    // The first server is replaced: what was its connection is now an image.
    let image = export(&conn, &image_key).await?;
    drop((first, conn));
    let second = bind_again(addr, &config).await?;
    let conn = second.import(&image_key, &image)?;
    drop(image);

    // The second one is ready to die at any time.
    let checkpoint = conn.checkpoint(&image_key, 1000)?;
    let stored = checkpoint.image().to_vec();
    conn.checkpoint_stored(&checkpoint);
    let answer2 = ask(&client, &conn, "second").await?;

    // And so it does: here it forgets its connection, so that no close_notify tells the client.
    conn.export(&image_key)?;
    drop((second, conn));
    let third = bind_again(addr, &config).await?;
    let conn = third.import(&image_key, &stored)?;
    // Another checkpoint would have to be stored now; this server takes the risk.
    drop(stored);
    conn.end_checkpoints();
    let answer3 = ask(&client, &conn, "third").await?;

    client.close().await;
    Ok([answer1, answer2, answer3])
}

/// The image of a connection, as soon as nothing that cannot move is under way.
async fn export(conn: &Connection, key: &ImageKey) -> Result<Vec<u8>, Failure> {
    loop {
        match conn.export(key) {
            Err(NotMovable::LastFlight | NotMovable::MessageInPart) => {
                tokio::time::sleep(Duration::from_millis(10)).await
            }
            moved => return Ok(moved?),
        }
    }
}

/// A server at an address that another one has just left.
async fn bind_again(addr: SocketAddr, config: &Arc<ServerConfig>) -> Result<Endpoint, Failure> {
    loop {
        match Endpoint::server(addr, Arc::clone(config)) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                tokio::time::sleep(Duration::from_millis(10)).await
            }
            bound => return Ok(bound?),
        }
    }
}

/// What the server with the name `name` answers.
async fn ask(client: &Connection, server: &Connection, name: &str) -> Result<String, Failure> {
    client.send(b"hello")?;
    let request = server.recv().await?.ok_or("closed")?;
    server.send(format!("{name}: {}", String::from_utf8_lossy(&request)).as_bytes())?;
    let answer = client.recv().await?.ok_or("closed")?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}
