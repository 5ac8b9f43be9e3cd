//! What the two sides of a target are told, from one byte.

use std::sync::Arc;
use std::time::Duration;

use gramseal_proto::KeyLog;
use gramseal_proto::config::{ClientAuth, ClientConfig, ConnectionIds, Psk, ServerConfig, Transport};
use gramseal_proto::session::{AntiReplayCache, ClientSessionCache, TicketKeys};
use gramseal_testkit::null::{self, NullVerifier, ToyKind};
use gramseal_testkit::sessions::Clock;
use gramseal_wire::ProtocolVersion;

/// The settings that a byte stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "targets change one or another")]
pub struct Choice {
    /// One version, or both.
    pub versions: &'static [ProtocolVersion],
    /// Both sides have connection ids and check return routability.
    pub cids: bool,
    /// The server asks for a certificate.
    pub client_auth: bool,
    /// A pre-shared key in place of certificates.
    pub psk: bool,
    /// Both sides remember sessions, and take early data in 1.3.
    pub sessions: bool,
    /// Certificates are compressed.
    pub compressed: bool,
    /// Datagrams are small and certificates are not.
    pub fragmented: bool,
}

const BOTH: &[ProtocolVersion] = &[ProtocolVersion::DTLS1_3, ProtocolVersion::DTLS1_2];

impl Choice {
    /// Each bit is a setting.
    #[must_use]
    pub const fn of(byte: u8) -> Self {
        Self {
            versions: match byte & 3 {
                0 => &[ProtocolVersion::DTLS1_2],
                1 => &[ProtocolVersion::DTLS1_3],
                _ => BOTH,
            },
            cids: byte & 4 != 0,
            client_auth: byte & 8 != 0,
            psk: byte & 0x10 != 0,
            sessions: byte & 0x20 != 0,
            compressed: byte & 0x40 != 0,
            fragmented: byte & 0x80 != 0,
        }
    }

    fn transport(self) -> Transport {
        let mtu = if self.fragmented { 300 } else { Transport::default().mtu };
        Transport { mtu, ..Transport::default() }
    }

    /// Early data goes with sessions of 1.3.
    #[must_use]
    pub fn has_early_data(self) -> bool {
        self.sessions && self.versions.contains(&ProtocolVersion::DTLS1_3)
    }

    const fn certificate_len(self) -> usize {
        if self.fragmented { 900 } else { 0 }
    }

    fn cid_kind(self) -> ConnectionIds {
        if self.cids { ConnectionIds::random() } else { ConnectionIds::default() }
    }
}

/// What both sides keep of sessions.
#[derive(Debug)]
pub struct Sessions {
    clock: Clock,
    client: Arc<ClientSessionCache>,
    tickets: Arc<TicketKeys>,
    replays: Arc<AntiReplayCache>,
}

impl Sessions {
    /// Nothing yet.
    ///
    /// # Panics
    /// Never, as the null provider has what it takes.
    #[must_use]
    pub fn new() -> Self {
        let clock = Clock::new();
        let tickets = TicketKeys::random(null::provider(77), clock.reader()).expect("the null provider has all");
        let replays = AntiReplayCache::new(10, clock.now());
        clock.advance(Duration::from_secs(60));
        let client = ClientSessionCache::new(10, 100_000, clock.reader());
        Self { client: Arc::new(client), tickets: Arc::new(tickets), replays: Arc::new(replays), clock }
    }

    /// What they take for the time of day.
    #[must_use]
    pub const fn clock(&self) -> &Clock {
        &self.clock
    }
}

impl Default for Sessions {
    fn default() -> Self {
        Self::new()
    }
}

/// A client with these settings.
///
/// # Panics
/// Never: all of them can be had.
#[must_use]
pub fn client(choice: Choice, sessions: &Sessions, key_log: Option<Arc<dyn KeyLog>>) -> Arc<ClientConfig> {
    let provider = null::provider(2);
    let mut builder = if choice.psk {
        ClientConfig::psk_builder(provider, psk())
    } else {
        ClientConfig::builder(provider, Arc::new(NullVerifier::default()))
    };
    builder = builder.with_versions(choice.versions).with_transport(choice.transport());
    builder = builder.with_connection_ids(choice.cid_kind()).with_return_routability_check(choice.cids);
    if choice.client_auth {
        let identity = null::identity(ToyKind::EcdsaP256, null::CLIENT_NAME, choice.certificate_len());
        builder = builder.with_identity(identity).with_post_handshake_auth();
    }
    if choice.sessions {
        builder = builder.with_session_store(sessions.client.clone());
    }
    if choice.has_early_data() {
        builder = builder.with_early_data();
    }
    if choice.compressed {
        builder = builder.with_certificate_compression([gramseal_compress::zlib()]);
    }
    if let Some(key_log) = key_log {
        builder = builder.with_key_log(key_log);
    }
    Arc::new(builder.build().expect("a client"))
}

/// A server with these settings.
///
/// # Panics
/// Never: all of them can be had.
#[must_use]
pub fn server(choice: Choice, sessions: &Sessions) -> Arc<ServerConfig> {
    let provider = null::provider(3);
    let mut builder = if choice.psk {
        ServerConfig::psk_builder(provider, Arc::new(vec![psk()]))
    } else {
        let identity = null::identity(ToyKind::EcdsaP256, null::SERVER_NAME, choice.certificate_len());
        ServerConfig::builder(provider, identity)
    };
    builder = builder.with_versions(choice.versions).with_transport(choice.transport());
    builder = builder.with_connection_ids(choice.cid_kind()).with_return_routability_check(choice.cids);
    if choice.client_auth && !choice.psk {
        let verifier = Arc::new(NullVerifier::default().with_client_name(null::CLIENT_NAME));
        builder = builder.with_client_auth(ClientAuth::Optional(verifier));
    }
    if choice.sessions {
        builder = builder.with_ticket_sealer(sessions.tickets.clone());
    }
    if choice.has_early_data() {
        builder = builder.with_early_data(1000, sessions.replays.clone());
    }
    if choice.compressed {
        builder = builder.with_certificate_compression([gramseal_compress::zlib()]);
    }
    Arc::new(builder.build().expect("a server"))
}

fn psk() -> Psk {
    Psk::new("client", [7; 16]).expect("good lengths")
}
