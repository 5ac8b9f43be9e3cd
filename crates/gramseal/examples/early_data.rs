//! Connects twice; the second time the request goes with the first flight (0-RTT):
//! `cargo run --example early_data -- chain.pem key.pem`
//!
//! Server and client both run here, over loopback. See `echo_server` for a certificate to try it with. The request only
//! asks for something: whoever copies it on its way can send it again, and must not reach more by that than the client
//! did.

use std::env;
use std::error::Error;
use std::net::SocketAddr;
use std::sync::Arc;

use gramseal::trust::{self, Fingerprint};
use gramseal::{ClientConfig, CookiePolicy, Endpoint, Incoming, ServerConfig, identity_from_pem, provider, sessions};

type Failure = Box<dyn Error + Send + Sync>;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let mut args = env::args().skip(1);
    let (Some(chain), Some(key)) = (args.next(), args.next()) else {
        return Err("usage: early_data CHAIN.PEM KEY.PEM".into());
    };
    for answer in run(&std::fs::read(chain)?, &std::fs::read(key)?).await? {
        println!("{answer}");
    }
    Ok(())
}

/// What the server answers to each of two requests.
pub(crate) async fn run(chain: &[u8], key: &[u8]) -> Result<[String; 2], Failure> {
    let server = ServerConfig::builder(provider(), identity_from_pem(chain, key)?)
        .with_ticket_sealer(sessions::ticket_keys()?)
        .with_early_data(4096, sessions::anti_replay())
        .build()?;
    let server = Endpoint::builder()
        .with_server(Arc::new(server))
        // A client that is asked for a cookie begins anew, and its early data is lost.
        .with_cookie_policy(CookiePolicy::ExceptEarlyData)
        .bind("127.0.0.1:0")?;
    let addr = server.local_addr()?;
    tokio::spawn(async move {
        while let Some(incoming) = server.accept().await {
            tokio::spawn(serve(incoming));
        }
    });

    let certificates = trust::certificates_from_pem(chain)?;
    let own = certificates.first().ok_or("the chain is empty")?;
    let config = ClientConfig::builder(provider(), trust::fingerprints([Fingerprint::of(own)]))
        .with_session_store(sessions::client_cache())
        .with_early_data()
        .build()?;
    let config = Arc::new(config);
    Ok([ask(addr, &config).await?, ask(addr, &config).await?])
}

async fn ask(server: SocketAddr, config: &Arc<ClientConfig>) -> Result<String, Failure> {
    const REQUEST: &[u8] = b"what time is it?";
    let endpoint = Endpoint::client("127.0.0.1:0")?;
    let early = endpoint.connect_early(server, "localhost", Arc::clone(config))?;
    // The first time there is no session yet: an error that says so, and the handshake goes on.
    let sent = early.send_early(REQUEST).is_ok();
    let conn = early.established().await?;
    if !(sent && conn.negotiated().early_data) {
        // Not sent, or not taken: whether to send it again is for the application to say.
        conn.send(REQUEST)?;
    }
    // The ticket for the next time comes before the answer.
    let answer = conn.recv().await?.ok_or("no answer")?;
    conn.close().await;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

async fn serve(incoming: Incoming) -> Result<(), Failure> {
    let early = incoming.accept_early()?;
    let mut requests = Vec::new();
    while let Some(request) = early.recv_early().await {
        // This may be a copy, so it can only prepare an answer.
        requests.push(request);
    }
    let conn = early.established().await?;
    for request in requests {
        conn.send(&[b"early: ", &request[..]].concat())?;
    }
    while let Some(request) = conn.recv().await? {
        conn.send(&[b"later: ", &request[..]].concat())?;
    }
    Ok(())
}
