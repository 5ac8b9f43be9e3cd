//! A private key that is somewhere else, as in a hardware module, and signs when asked:
//! `cargo run --example remote_key -- chain.pem key.pem`
//!
//! The handshake waits for the answer, the endpoint does not. Here a task plays the module, with the
//! key in `key.pem`; see `echo_server` for a certificate to try it with.

use std::env;
use std::error::Error;
use std::sync::Arc;

use gramseal::pki_types::pem::PemObject;
use gramseal::pki_types::{PrivateKeyDer, SubjectPublicKeyInfoDer};
use gramseal::proto::crypto::{CryptoError, Deferrable, SecureRandom, SigningKey};
use gramseal::proto::wire::SignatureScheme;
use gramseal::trust::{self, Fingerprint};
use gramseal::{ClientConfig, Endpoint, ServerConfig, identity_with_key, provider};
use tokio::sync::{mpsc, oneshot};

type Failure = Box<dyn Error + Send + Sync>;

/// What the module is asked for.
struct Request {
    scheme: SignatureScheme,
    message: Vec<u8>,
    answer: oneshot::Sender<Result<Vec<u8>, CryptoError>>,
}

/// The key as the handshake sees it.
#[derive(Debug)]
struct RemoteKey {
    schemes: Vec<SignatureScheme>,
    public_key: SubjectPublicKeyInfoDer<'static>,
    module: mpsc::Sender<Request>,
}

impl SigningKey for RemoteKey {
    fn schemes(&self) -> &[SignatureScheme] {
        &self.schemes
    }

    fn sign(
        &self,
        scheme: SignatureScheme,
        message: &[u8],
        _random: &dyn SecureRandom,
    ) -> Deferrable<Result<Vec<u8>, CryptoError>> {
        let (module, message) = (self.module.clone(), message.to_vec());
        Deferrable::later(async move {
            let (answer, signature) = oneshot::channel();
            module.send(Request { scheme, message, answer }).await.map_err(|_| CryptoError::new())?;
            signature.await.map_err(|_| CryptoError::new())?
        })
    }

    fn public_key(&self) -> Option<SubjectPublicKeyInfoDer<'_>> {
        Some(self.public_key.clone())
    }
}

/// Stands for the module: it has `key` and signs one message after the other.
fn module(key: Arc<dyn SigningKey>) -> mpsc::Sender<Request> {
    let (sender, mut requests) = mpsc::channel::<Request>(16);
    tokio::spawn(async move {
        while let Some(Request { scheme, message, answer }) = requests.recv().await {
            let signature = key.sign(scheme, &message, &*provider().random).now();
            let _ = answer.send(signature.unwrap_or_else(|| Err(CryptoError::new())));
        }
    });
    sender
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let mut args = env::args().skip(1);
    let (Some(chain), Some(key)) = (args.next(), args.next()) else {
        return Err("usage: remote_key CHAIN.PEM KEY.PEM".into());
    };
    run(&std::fs::read(chain)?, &std::fs::read(key)?).await?;
    println!("connected");
    Ok(())
}

/// One connection to a server whose key signs elsewhere.
pub(crate) async fn run(chain: &[u8], key: &[u8]) -> Result<(), Failure> {
    let local = provider().keys.load(&PrivateKeyDer::from_pem_slice(key)?)?;
    let public_key = local.public_key().ok_or("the key does not tell its public half")?.into_owned();
    let remote = RemoteKey { schemes: local.schemes().to_vec(), public_key, module: module(local) };

    let config = ServerConfig::builder(provider(), identity_with_key(chain, Arc::new(remote))?).build()?;
    let server = Endpoint::server("127.0.0.1:0", Arc::new(config))?;
    let addr = server.local_addr()?;
    tokio::spawn(async move { server.accept().await?.await.ok() });

    let certificates = trust::certificates_from_pem(chain)?;
    let own = certificates.first().ok_or("the chain is empty")?;
    let config = ClientConfig::builder(provider(), trust::fingerprints([Fingerprint::of(own)])).build()?;
    let conn = Endpoint::client("127.0.0.1:0")?.connect(addr, "localhost", Arc::new(config)).await?;
    conn.close().await;
    Ok(())
}
