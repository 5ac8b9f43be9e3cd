//! Signers and verifiers that take their time, as a key in a hardware module or a look-up does: the
//! endpoint goes on meanwhile.

#![allow(clippy::unwrap_used, reason = "a helper that fails fails the test")]

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use common::*;
use gramseal::pki_types::pem::PemObject;
use gramseal::pki_types::{CertificateDer, PrivateKeyDer, SubjectPublicKeyInfoDer};
use gramseal::proto::config::{PeerVerified, Presented, Verdict};
use gramseal::proto::crypto::{CryptoError, Deferrable, SecureRandom, SigningKey};
use gramseal::proto::wire::SignatureScheme;
use gramseal::proto::{CertificateFault, Error};
use gramseal::webpki::public_key_of;
use gramseal::{ClientAuth, ClientConfig, ConnectError, Endpoint, Identity, PeerVerifier, ServerConfig, provider};
use gramseal_testkit::pki::{TestIdentity, TestPki};

const SLOWNESS: Duration = Duration::from_millis(200);

/// Answers from another task, like a module that is asked over a bus.
#[derive(Debug)]
struct SlowKey(Arc<dyn SigningKey>);

impl SigningKey for SlowKey {
    fn schemes(&self) -> &[SignatureScheme] {
        self.0.schemes()
    }

    fn sign(
        &self,
        scheme: SignatureScheme,
        message: &[u8],
        _: &dyn SecureRandom,
    ) -> Deferrable<Result<Vec<u8>, CryptoError>> {
        let (key, message) = (Arc::clone(&self.0), message.to_vec());
        Deferrable::later(async move {
            tokio::time::sleep(SLOWNESS).await;
            key.sign(scheme, &message, &*provider().random).now().ok_or_else(CryptoError::new)?
        })
    }

    fn public_key(&self) -> Option<SubjectPublicKeyInfoDer<'_>> {
        self.0.public_key()
    }
}

/// Accepts or refuses everybody after a while.
#[derive(Debug)]
struct SlowVerifier {
    accepts: bool,
    /// Set when a look-up was given up before its end.
    abandoned: Arc<AtomicBool>,
    patience: Duration,
    waiting: Arc<Waiting>,
}

impl SlowVerifier {
    fn new(accepts: bool) -> Self {
        Self { accepts, abandoned: Arc::default(), patience: SLOWNESS, waiting: Arc::default() }
    }
}

/// How many look-ups go on, and how many did at most.
#[derive(Debug, Default)]
struct Waiting {
    now: AtomicUsize,
    most: AtomicUsize,
}

struct Guard(Option<Arc<AtomicBool>>);

impl Guard {
    fn disarm(mut self) {
        self.0 = None;
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if let Some(abandoned) = &self.0 {
            abandoned.store(true, Ordering::SeqCst);
        }
    }
}

impl PeerVerifier for SlowVerifier {
    fn verify(&self, presented: &Presented<'_>) -> Deferrable<Verdict> {
        let gramseal::webpki::PeerCredential::Chain { end_entity, .. } = presented.credential else {
            return Err(CertificateFault::Unsupported).into();
        };
        let (key, accepts, patience) = (public_key_of(end_entity), self.accepts, self.patience);
        let guard = Guard(Some(Arc::clone(&self.abandoned)));
        let waiting = Arc::clone(&self.waiting);
        Deferrable::later(async move {
            waiting.most.fetch_max(waiting.now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            tokio::time::sleep(patience).await;
            waiting.now.fetch_sub(1, Ordering::SeqCst);
            guard.disarm();
            if accepts { key.map(PeerVerified::assertion) } else { Err(CertificateFault::Revoked) }
        })
    }
}

fn slow_identity(identity: &TestIdentity) -> Identity {
    let chain = CertificateDer::pem_slice_iter(identity.chain_pem.as_bytes()).collect::<Result<_, _>>().unwrap();
    let key = PrivateKeyDer::from_pem_slice(identity.key_pem.as_bytes()).unwrap();
    let key = provider().keys.load(&key).unwrap();
    Identity::new(chain, Arc::new(SlowKey(key))).unwrap()
}

#[tokio::test]
async fn handshakes_wait_for_slow_answers_all_at_once() {
    soon(async {
        let pki = TestPki::new();
        let (slow, of_server) = (SlowVerifier::new(true), SlowVerifier::new(true));
        let waiting = [&slow, &of_server].map(|verifier| Arc::clone(&verifier.waiting));
        let config = ServerConfig::builder(provider(), slow_identity(&pki.server(NAME)))
            .with_client_auth(ClientAuth::Required(Arc::new(of_server)))
            .build();
        let (server, addr) = bind(Endpoint::builder().with_server(Arc::new(config.unwrap())));
        tokio::spawn(echo(server.clone()));
        let client = ClientConfig::builder(provider(), Arc::new(slow))
            .with_identity(slow_identity(&pki.client("client.test")))
            .build();
        let client = Arc::new(client.unwrap());
        let mut all = tokio::task::JoinSet::new();
        for _ in 0..10 {
            let client = Arc::clone(&client);
            all.spawn(async move {
                let conn = Endpoint::client(LOOPBACK).unwrap().connect(addr, NAME, client).await.unwrap();
                // In 1.3 we are done before the server has looked at our certificate; until then it takes nothing.
                loop {
                    conn.send(b"hello").unwrap();
                    if let Ok(reply) = tokio::time::timeout(SLOWNESS, conn.recv()).await {
                        assert_eq!(reply.unwrap().unwrap(), "hello");
                        break;
                    }
                }
            });
        }
        while let Some(done) = all.join_next().await {
            done.unwrap();
        }
        for waiting in waiting {
            let most = waiting.most.load(Ordering::SeqCst);
            assert!(most > 1, "{most} at a time");
        }
    })
    .await;
}

#[tokio::test]
async fn a_late_refusal_is_a_refusal() {
    soon(async {
        let pki = TestPki::new();
        let (server, addr) = server(&pki);
        tokio::spawn(echo(server.clone()));
        let config = ClientConfig::builder(provider(), Arc::new(SlowVerifier::new(false))).build().unwrap();
        let error = Endpoint::client(LOOPBACK).unwrap().connect(addr, NAME, Arc::new(config)).await.unwrap_err();
        let refused = matches!(error, ConnectError::Failed(Error::Certificate(CertificateFault::Revoked)));
        assert!(refused, "{error:?}");
    })
    .await;
}

#[tokio::test]
async fn a_look_up_ends_with_its_connection() {
    soon(async {
        let pki = TestPki::new();
        let (server, addr) = server(&pki);
        tokio::spawn(async move {
            while let Some(incoming) = server.accept().await {
                tokio::spawn(incoming.into_future());
            }
        });
        let verifier = SlowVerifier { patience: Duration::from_secs(3600), ..SlowVerifier::new(true) };
        let abandoned = Arc::clone(&verifier.abandoned);
        let config = ClientConfig::builder(provider(), Arc::new(verifier)).with_transport(impatient()).build().unwrap();
        let error = Endpoint::client(LOOPBACK).unwrap().connect(addr, NAME, Arc::new(config)).await.unwrap_err();
        assert!(matches!(error, ConnectError::Failed(Error::TimedOut(_))), "{error:?}");
        eventually("the look-up is given up", || abandoned.load(Ordering::SeqCst)).await;
    })
    .await;
}
