//! Secure datagrams: DTLS 1.3 and 1.2 on tokio and UDP.
//!
//! An [`Endpoint`] is one UDP socket with any number of peers behind it; a [`Connection`] is an
//! association with one of them. A server and a client, each in a few lines:
//!
//! ```no_run
//! use std::sync::Arc;
//!
//! use gramseal::{ClientConfig, Endpoint, ServerConfig};
//!
//! # type Failure = Box<dyn std::error::Error + Send + Sync>;
//! async fn serve(config: ServerConfig) -> Result<(), Failure> {
//!     let endpoint = Endpoint::server("[::]:4433", Arc::new(config))?;
//!     while let Some(incoming) = endpoint.accept().await {
//!         tokio::spawn(async move {
//!             let conn = incoming.await?;
//!             while let Some(data) = conn.recv().await? {
//!                 conn.send(&data)?;
//!             }
//!             Ok::<(), Failure>(())
//!         });
//!     }
//!     Ok(())
//! }
//!
//! async fn ask(config: ClientConfig) -> Result<(), Failure> {
//!     let endpoint = Endpoint::client("[::]:0")?;
//!     let addr = "[2001:db8::1]:4433".parse()?;
//!     let conn = endpoint.connect(addr, "example.org", Arc::new(config)).await?;
//!     conn.send(b"hello")?;
//!     println!("{:?}", conn.recv().await?);
//!     conn.close().await;
//!     Ok(())
//! }
//! ```
//!
//! The configurations come from builders that ask for what has no safe default: who we are, and
//! whom to trust ([`identity_from_pem`], [`trust`]).
//!
//! ```no_run
//! # fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
//! use gramseal::{ClientConfig, ServerConfig, identity_from_pem, provider, trust};
//!
//! let identity = identity_from_pem(&std::fs::read("chain.pem")?, &std::fs::read("key.pem")?)?;
//! let server_config = ServerConfig::builder(provider(), identity).build()?;
//!
//! let roots = trust::roots_from_pem(&std::fs::read("ca.pem")?)?;
//! let client_config = ClientConfig::builder(provider(), roots).build()?;
//! # Ok(())
//! # }
//! ```
//!
//! Features:
//!
//! - `system-roots` (on by default): `trust::system_roots`, the roots that the operating system trusts.
//! - `tracing` (on by default): a span for each connection, and events for what becomes of it; why datagrams are
//!   dropped, at the level `TRACE`.
//! - `certificate-compression`: `compress`, the algorithms of `gramseal-compress`.
//! - `blocking`: `blocking`, the same without `async`.
//! - `metrics`: what endpoints count goes each second to the recorder of the crate `metrics`, if there is one.
//!
//! # Metrics
//!
//! All have the labels `endpoint`, the address that the socket is bound to, and `shard`, a number from 0 on.
//!
//! | name | what |
//! | --- | --- |
//! | `gramseal_connections`, `gramseal_half_open` | gauges: connections, and handshakes of clients that are not done |
//! | `gramseal_buffered_bytes` | gauge: payloads that nobody has fetched, of all shards |
//! | `gramseal_handshakes_total` | what became of handshakes, by `outcome`: `completed`, or as the fields of [`HandshakeCounts`] are called |
//! | `gramseal_incoming_total`, `gramseal_limited_total` | clients offered to the application, and turned away by [`Limits`] |
//! | `gramseal_cookies_sent_total`, `gramseal_cookies_refused_total` | the stateless exchange with clients |
//! | `gramseal_discards_total` | what was dropped, by `reason` ([`proto::Discard::name`]): before it reached a connection, and by those that have ended |
//! | `gramseal_retransmissions_total` | flights that were sent again by connections that have ended |
//! | `gramseal_idle_closed_total` | connections that nobody used for too long |
//! | `gramseal_datagrams_received_total`, `gramseal_datagrams_sent_total`, `gramseal_handed_over_total` | datagrams, and those that came to another shard than their connection's |
//! | `gramseal_sends_blocked_total`, `gramseal_send_errors_total`, `gramseal_receive_errors_total` | what the socket refused |
//!
//! # Where to find it
//!
//! | for | see |
//! | --- | --- |
//! | pre-shared keys | [`ServerConfig::psk_builder`], [`ClientConfig::psk_builder`], `with_psks` and `with_psk` beside certificates; [`Psk`] tells how each version uses them; example `psk` |
//! | suites by choice: plain PSK, 8-byte tags | `with_cipher_suites`, which takes [`CipherSuite`]s; [`LegacySuites`] for DHE_RSA |
//! | client certificates | [`ServerConfigBuilder::with_client_auth`], [`ClientConfigBuilder::with_identity`] |
//! | client certificates after the handshake (1.3) | [`ClientConfigBuilder::with_post_handshake_auth`], [`ServerConfigBuilder::with_post_handshake_verifier`], then [`Connection::authenticate_client`] |
//! | several certificates or keys | [`ServerConfigBuilder::with_identity`], once for each; [`Identity`] tells which one is shown |
//! | raw public keys (RFC 7250) | [`raw_public_key_from_pem`], [`trust::raw_public_keys`] |
//! | fingerprints, as in WebRTC | [`trust::fingerprints`] |
//! | revocation lists | [`trust::chain`], [`trust::crls_from_pem`] |
//! | OCSP | to staple a response: [`Identity::with_ocsp_source`]; to check one: [`webpki::ChainVerifierBuilder::with_ocsp`] |
//! | compressed certificates (1.3) | `with_certificate_compression` on the configuration, with `compress::all()` of feature `certificate-compression` or a [`CertificateCompression`] of one's own |
//! | connection ids, for peers whose address changes | `with_connection_ids` on the configuration, which takes [`ConnectionIds`]; [`RoutableCids`] for load balancers, or a [`CidGenerator`] of one's own; new ones with [`Connection::issue_cids`] and [`Connection::request_cids`] |
//! | peers that move | [`Connection::peer_addr`] and [`Connection::moved_from`]; [`Endpoint::rebind`] for a client that goes on from another socket; [`Transport::path_check`] says how moves are checked, [`MovePolicy`] what happens without checks |
//! | SRTP keys | `with_srtp` on the configuration, then [`Connection::srtp_keys`] |
//! | resumption | [`sessions`]; example `resumption`; [`ClientConfigBuilder::with_reverification`] |
//! | early data (0-RTT) | [`EarlyConnection`]; `with_early_data` on both configurations, [`CookiePolicy::ExceptEarlyData`]; example `early_data` |
//! | key exchange groups by choice, post-quantum ones alone or at once | `with_groups`, which takes [`NamedGroup`]s; [`ClientConfigBuilder::with_large_share_at_once`] |
//! | much data | [`Connection::send_many`], [`Connection::recv_many`]; [`EndpointBuilder::with_shards`] for servers |
//! | numbers, logs and spans | [`Endpoint::stats`], [`Connection::stats`]; features `metrics` and `tracing` |
//! | threads instead of `async` | module `blocking` of feature `blocking` |
//! | larger datagrams, and what the path carries | [`Transport::mtu`] and `max_mtu`; [`Connection::max_payload`], [`Connection::ask_path_mtu`] |
//! | connections that go on in another process | [`Connection::export`] and [`Endpoint::import`]; after a crash, [`Connection::checkpoint`]; example `moving` |
//! | keys in hardware modules | [`identity_with_key`], [`proto::crypto::SigningKey`]; example `remote_key` |
//! | verifiers that ask somebody | [`PeerVerifier`], [`proto::crypto::Deferrable`] |
//! | other cryptography | a [`proto::crypto::CryptoProvider`] of one's own, or of `gramseal-rustcrypto` |
//!
//! What has no name here is in [`proto`], above all the traits of cryptography ([`proto::crypto`]) and
//! of verification ([`proto::config`]), and in [`webpki`].
//!
//! This crate moves datagrams and keeps time. Every rule of the protocol lives in
//! [`proto`], which also serves programs that have a transport of their own.
//!
//! # What the network cannot do
//!
//! Nothing that an outsider sends ends a connection or an endpoint; it is dropped and counted
//! ([`Endpoint::stats`], [`Connection::stats`]). That goes for ICMP errors too, which anybody can
//! forge: a client whose server's port is closed therefore waits until the handshake's deadline
//! (`Transport::handshake_timeout`, 60 s unless configured), as it would behind a firewall.

#[cfg(test)]
mod batch_tests;
#[cfg(feature = "blocking")]
pub mod blocking;
mod builder;
mod connection;
mod credentials;
mod driver;
mod early;
mod endpoint;
mod error;
mod incoming;
mod keylog;
#[cfg(feature = "metrics")]
mod meters;
mod moving;
mod name;
mod path_mtu;
mod queue;
mod quiet;
mod router;
pub mod sessions;
mod shards;
mod shared;
mod socket;
mod stats;
mod telemetry;
mod timers;
pub mod trust;

pub use builder::EndpointBuilder;
pub use connection::Connection;
pub use credentials::{IdentityError, identity_from_pem, identity_with_key, provider, raw_public_key_from_pem};
pub use early::{EarlyConnection, SendEarlyError};
pub use endpoint::Endpoint;
pub use error::{AuthenticateError, CloseReason, ConnectError, ConnectionError, SendError};
#[cfg(feature = "certificate-compression")]
pub use gramseal_compress as compress;
pub use gramseal_proto as proto;
pub use gramseal_proto::config::{
    CertificateCompression, ClientAuth, ClientConfig, ClientConfigBuilder, ConfigError, ConnectionIds, Identity,
    LegacySuites, MovePolicy, OcspSource, Padding, PathCheck, PeerVerifier, Psk, PskLookup, ResumedKeyExchange,
    ServerConfig, ServerConfigBuilder, Transport,
};
pub use gramseal_proto::crypto::HashAlgorithm;
pub use gramseal_proto::endpoint::{CookiePolicy, CookieSecrets, HandshakeRate, Limits};
pub use gramseal_proto::wire::handshake::{ConnectionIdUsage, KeyUpdateRequest};
pub use gramseal_proto::wire::{AlertDescription, CipherSuite, NamedGroup, ProtocolVersion, SrtpProfile};
pub use gramseal_proto::{
    AuthenticateClientError, Checkpoint, Cid, CidGenerator, CidLengths, ClientAnswer, Error, ExportError, ImageKey,
    KeyLog, Negotiated, NewCidsError, NotMovable, PathCheckCounts, RandomCids, Srtp, SrtpKeys, SrtpMasterKey,
    UpdateKeysError,
};
pub use gramseal_rustcrypto::{RoutableCids, RoutableCidsError};
pub use gramseal_webpki as webpki;
pub use incoming::{Handshake, Incoming};
pub use keylog::KeyLogFile;
pub use moving::ImportError;
pub use name::ToServerName;
pub use pki_types;
pub use queue::{Payloads, PayloadsIter, ReceiveLimits};
pub use socket::bind_socket;
pub use stats::{ConnectionStats, EndpointStats, HandshakeCounts};

/// Compiles the code in the repository's README.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;

/// Compiles the code in the guide.
#[cfg(doctest)]
mod guide {
    #[doc = include_str!("../../../docs/guide/first-connection.md")]
    struct FirstConnection;
    #[doc = include_str!("../../../docs/guide/credentials.md")]
    struct Credentials;
    #[doc = include_str!("../../../docs/guide/debugging.md")]
    struct Debugging;
    #[doc = include_str!("../../../docs/guide/embedding.md")]
    struct Embedding;
}
