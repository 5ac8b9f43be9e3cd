//! The kinds of handshakes that every network test goes through.

use std::sync::Arc;
use std::time::Duration;

use gramseal_proto::config::{
    ClientAuth, ClientConfig, ConnectionIds, Identity, LegacySuites, PeerVerifier, Psk, ServerConfig, Transport,
};
use gramseal_proto::crypto::SigningKey;
use gramseal_proto::session::AntiReplayCache;
use gramseal_proto::wire::{
    CertificateCompressionAlgorithm, CertificateType, CipherSuite, NamedGroup, ProtocolVersion, SrtpProfile,
};
use gramseal_proto::{KeyLog, RandomCids};
use gramseal_testkit::null::{self, NullKey, NullVerifier, Slow, ToyKind};
use gramseal_testkit::sessions::{Resumption, Stores};
use gramseal_testkit::sim::{Pair, Side, Sim};

/// One kind of handshake.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Kind {
    pub(crate) name: &'static str,
    /// DTLS 1.3 alone.
    pub(crate) dtls13: bool,
    /// The client's first share is of a group that the server does not allow.
    pub(crate) retry: bool,
    pub(crate) client_auth: bool,
    pub(crate) legacy: bool,
    /// The one suite to use, with a pre-shared key instead of certificates.
    pub(crate) psk: Option<CipherSuite>,
    /// That key is imported.
    pub(crate) imported: bool,
    pub(crate) cookies: bool,
    /// Raw public keys in place of certificates.
    pub(crate) raw: bool,
    /// The server staples a status to its certificate.
    pub(crate) staple: bool,
    /// Both sides compress certificates.
    pub(crate) compress: bool,
    /// Signers and verifiers take their time.
    pub(crate) slow: bool,
    /// Bytes in each certificate.
    pub(crate) certificate_len: usize,
    /// The largest datagram each side sends.
    pub(crate) mtu: usize,
    /// Where doubling the wait for an answer stops.
    pub(crate) max_timeout: Duration,
    /// How a session is resumed, after a full handshake on a good network.
    pub(crate) resumption: Option<Resumption>,
    /// Early data goes with the hello; without cookies it is taken.
    pub(crate) early_data: bool,
    /// Whether the key exchange has a large share, and when the client sends it.
    pub(crate) large: Large,
    /// Whether both sides use SRTP, and how records are kept small.
    pub(crate) extensions: Extensions,
}

/// Large key shares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Large {
    None,
    /// When the server asks, and with the cookie if there is one.
    Asked,
    AtOnce,
}

/// Extensions that change what is sent, both with use_srtp; or what records look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extensions {
    None,
    RecordSizeLimit,
    MaxFragmentLength,
    /// Ids of other lengths for either side.
    ConnectionIds,
}

const PLAIN: Kind = Kind {
    name: "ECDHE",
    dtls13: false,
    retry: false,
    client_auth: false,
    legacy: false,
    psk: None,
    imported: false,
    cookies: true,
    raw: false,
    staple: false,
    compress: false,
    slow: false,
    certificate_len: 500,
    mtu: 1200,
    max_timeout: Duration::from_secs(60),
    resumption: None,
    early_data: false,
    large: Large::None,
    extensions: Extensions::None,
};

const PLAIN_13: Kind = Kind { name: "1.3", dtls13: true, ..PLAIN };
const PSK_13: Kind = Kind { name: "1.3, PSK", psk: Some(CipherSuite::TLS_AES_128_GCM_SHA256), ..PLAIN_13 };

pub(crate) const KINDS: [Kind; 68] = [
    PLAIN,
    Kind { name: "ECDHE with client certificate", client_auth: true, ..PLAIN },
    Kind { name: "DHE_RSA", legacy: true, ..PLAIN },
    Kind { name: "PSK", psk: Some(CipherSuite::TLS_PSK_WITH_AES_128_GCM_SHA256), ..PLAIN },
    Kind { name: "ECDHE_PSK", psk: Some(CipherSuite::TLS_ECDHE_PSK_WITH_AES_128_GCM_SHA256), ..PLAIN },
    Kind { name: "use_srtp and record_size_limit", extensions: Extensions::RecordSizeLimit, ..PLAIN },
    Kind {
        name: "use_srtp and max_fragment_length with client certificate",
        client_auth: true,
        certificate_len: 1500,
        extensions: Extensions::MaxFragmentLength,
        ..PLAIN
    },
    Kind { name: "connection ids", extensions: Extensions::ConnectionIds, ..PLAIN },
    Kind {
        name: "connection ids with client certificate and small MTU",
        client_auth: true,
        extensions: Extensions::ConnectionIds,
        mtu: 300,
        ..PLAIN
    },
    Kind {
        name: "connection ids, resumed by id",
        extensions: Extensions::ConnectionIds,
        resumption: Some(Resumption::Id),
        ..PLAIN
    },
    Kind { name: "1.3, connection ids", extensions: Extensions::ConnectionIds, ..PLAIN_13 },
    Kind { name: "1.3, connection ids after a retry", retry: true, extensions: Extensions::ConnectionIds, ..PLAIN_13 },
    Kind {
        name: "1.3, connection ids with client certificate and small MTU",
        client_auth: true,
        extensions: Extensions::ConnectionIds,
        mtu: 300,
        ..PLAIN_13
    },
    Kind {
        name: "1.3, connection ids and early data",
        cookies: false,
        early_data: true,
        extensions: Extensions::ConnectionIds,
        resumption: Some(Resumption::Ticket),
        ..PLAIN_13
    },
    Kind {
        name: "1.3, connection ids and early data after a cookie",
        early_data: true,
        extensions: Extensions::ConnectionIds,
        resumption: Some(Resumption::Id),
        ..PLAIN_13
    },
    Kind { name: "raw public keys", client_auth: true, raw: true, ..PLAIN },
    Kind { name: "stapled status", staple: true, ..PLAIN },
    Kind { name: "slow signers and verifiers", client_auth: true, slow: true, ..PLAIN },
    Kind { name: "slow, stapled, small MTU", client_auth: true, slow: true, staple: true, mtu: 300, ..PLAIN },
    Kind { name: "ECDHE without cookie", cookies: false, ..PLAIN },
    Kind { name: "big certificates", client_auth: true, certificate_len: 6000, ..PLAIN },
    Kind { name: "small MTU", client_auth: true, certificate_len: 1500, mtu: 300, ..PLAIN },
    Kind { name: "DHE_RSA with client certificate and small MTU", client_auth: true, legacy: true, mtu: 600, ..PLAIN },
    Kind { name: "a first ticket", resumption: Some(Resumption::FirstTicket), ..PLAIN },
    Kind { name: "resumed by id", resumption: Some(Resumption::Id), ..PLAIN },
    Kind { name: "resumed by id without cookie", cookies: false, resumption: Some(Resumption::Id), ..PLAIN },
    Kind { name: "resumed by ticket", client_auth: true, resumption: Some(Resumption::Ticket), ..PLAIN },
    Kind {
        name: "resumed by id with use_srtp and record_size_limit",
        extensions: Extensions::RecordSizeLimit,
        resumption: Some(Resumption::Id),
        ..PLAIN
    },
    Kind {
        name: "resumed by ticket with use_srtp and max_fragment_length",
        extensions: Extensions::MaxFragmentLength,
        resumption: Some(Resumption::Ticket),
        ..PLAIN
    },
    Kind { name: "resumed by ticket with a new one", resumption: Some(Resumption::NewTicket), mtu: 600, ..PLAIN },
    Kind { name: "resumed by id after slow ones", slow: true, resumption: Some(Resumption::Id), ..PLAIN },
    Kind {
        name: "resumed PSK with a new ticket and small MTU",
        resumption: Some(Resumption::NewTicket),
        psk: Some(CipherSuite::TLS_PSK_WITH_AES_128_GCM_SHA256),
        mtu: 400,
        ..PLAIN
    },
    PLAIN_13,
    Kind { name: "1.3 without cookie", cookies: false, ..PLAIN_13 },
    Kind { name: "1.3 after a retry", retry: true, ..PLAIN_13 },
    Kind { name: "1.3 after a retry without cookie", retry: true, cookies: false, ..PLAIN_13 },
    Kind { name: "1.3 after a retry with small MTU", retry: true, client_auth: true, mtu: 300, ..PLAIN_13 },
    Kind { name: "1.3 with client certificate", client_auth: true, ..PLAIN_13 },
    Kind { name: "1.3, use_srtp and record_size_limit", extensions: Extensions::RecordSizeLimit, ..PLAIN_13 },
    Kind { name: "1.3, raw public keys", client_auth: true, raw: true, ..PLAIN_13 },
    Kind { name: "1.3, stapled status", staple: true, ..PLAIN_13 },
    Kind { name: "1.3, slow signers and verifiers", client_auth: true, slow: true, ..PLAIN_13 },
    Kind { name: "1.3, slow, stapled, small MTU", client_auth: true, slow: true, staple: true, mtu: 300, ..PLAIN_13 },
    Kind { name: "1.3, big certificates", client_auth: true, certificate_len: 6000, ..PLAIN_13 },
    Kind { name: "1.3, small MTU", client_auth: true, certificate_len: 1500, mtu: 300, ..PLAIN_13 },
    Kind {
        name: "1.3, compressed certificates",
        client_auth: true,
        staple: true,
        compress: true,
        certificate_len: 3000,
        ..PLAIN_13
    },
    Kind {
        name: "1.3, compressed certificates, slow, small MTU",
        client_auth: true,
        compress: true,
        slow: true,
        mtu: 300,
        ..PLAIN_13
    },
    Kind { name: "1.3, raw public keys and compression", client_auth: true, raw: true, compress: true, ..PLAIN_13 },
    Kind { name: "1.3, first tickets", resumption: Some(Resumption::FirstTicket), ..PLAIN_13 },
    Kind { name: "1.3, resumed by id", resumption: Some(Resumption::Id), ..PLAIN_13 },
    Kind { name: "1.3, resumed by ticket", client_auth: true, resumption: Some(Resumption::Ticket), ..PLAIN_13 },
    Kind { name: "1.3, resumed after a retry", retry: true, resumption: Some(Resumption::Ticket), ..PLAIN_13 },
    Kind { name: "1.3, resumed by id after a retry", retry: true, resumption: Some(Resumption::Id), ..PLAIN_13 },
    Kind {
        name: "1.3, resumed with small MTU, use_srtp and record_size_limit",
        extensions: Extensions::RecordSizeLimit,
        resumption: Some(Resumption::NewTicket),
        slow: true,
        mtu: 600,
        ..PLAIN_13
    },
    Kind { name: "1.3, a large share", large: Large::Asked, ..PLAIN_13 },
    Kind { name: "1.3, a large share without cookie", large: Large::Asked, cookies: false, ..PLAIN_13 },
    Kind { name: "1.3, a large share at once", large: Large::AtOnce, ..PLAIN_13 },
    Kind { name: "1.3, a large share at once without cookie", large: Large::AtOnce, cookies: false, ..PLAIN_13 },
    Kind { name: "1.3, a large share and small MTU", large: Large::Asked, client_auth: true, mtu: 300, ..PLAIN_13 },
    Kind { name: "1.3, a large share at once and small MTU", large: Large::AtOnce, mtu: 300, ..PLAIN_13 },
    Kind {
        name: "1.3, resumed with a large share",
        large: Large::AtOnce,
        resumption: Some(Resumption::Ticket),
        mtu: 600,
        ..PLAIN_13
    },
    Kind {
        name: "1.3, early data",
        cookies: false,
        early_data: true,
        resumption: Some(Resumption::Ticket),
        ..PLAIN_13
    },
    Kind { name: "1.3, early data after a cookie", early_data: true, resumption: Some(Resumption::Id), ..PLAIN_13 },
    PSK_13,
    Kind { name: "1.3, PSK without cookie, small MTU", cookies: false, mtu: 256, ..PSK_13 },
    Kind { name: "1.3, imported PSK after a retry", imported: true, retry: true, ..PSK_13 },
    Kind {
        name: "1.3, resumed imported PSK with small MTU",
        imported: true,
        resumption: Some(Resumption::NewTicket),
        mtu: 600,
        ..PSK_13
    },
    Kind {
        name: "1.3, more records than go out at once",
        client_auth: true,
        certificate_len: 3500,
        mtu: 300,
        ..PLAIN_13
    },
];

impl Extensions {
    /// The largest payload of a side, if an extension says so.
    fn max_payload(self, side: Side) -> Option<usize> {
        match (self, side) {
            (Self::None | Self::ConnectionIds, _) => None,
            (Self::RecordSizeLimit, Side::Client) => Some(400),
            (Self::RecordSizeLimit, Side::Server) => Some(300),
            (Self::MaxFragmentLength, _) => Some(512),
        }
    }
}

impl Kind {
    fn transport(&self, handshake_timeout: Duration) -> Transport {
        Transport { mtu: self.mtu, max_timeout: self.max_timeout, handshake_timeout, ..Transport::default() }
    }

    fn client(&self, seed: u64, timeout: Duration, stores: &Stores, key_log: Option<Arc<dyn KeyLog>>) -> ClientConfig {
        let mut builder = match self.psk {
            None => ClientConfig::builder(null::provider(seed), self.verifier(self.verifier_of_servers())),
            Some(suite) => ClientConfig::psk_builder(null::provider(seed), self.key()).with_cipher_suites(&[suite]),
        };
        builder = builder.with_transport(self.transport(timeout)).with_versions(&[self.version()]);
        if self.client_auth {
            builder = builder.with_identity(self.identity(ToyKind::EcdsaP256, null::CLIENT_NAME));
        }
        if self.legacy {
            builder = builder.with_legacy_suites(LegacySuites::Allowed).with_cipher_suites(&LEGACY);
        }
        builder = match self.extensions {
            Extensions::None => builder,
            Extensions::ConnectionIds => builder.with_connection_ids(cids(CLIENT_CID)),
            Extensions::RecordSizeLimit => builder.with_srtp(&SRTP).with_record_size_limit(300),
            Extensions::MaxFragmentLength => {
                builder.with_srtp(&SRTP).with_srtp_mki([1; 4]).with_max_fragment_length(512)
            }
        };
        if self.early_data {
            builder = builder.with_early_data();
        }
        if self.compress {
            builder = builder.with_certificate_compression([gramseal_compress::brotli(), gramseal_compress::zlib()]);
        }
        builder = match self.large {
            Large::None => builder,
            // No other group: the server has to ask.
            Large::Asked => builder.with_groups(&LARGE),
            Large::AtOnce => builder.with_groups(&LARGE).with_large_share_at_once(),
        };
        if let Some(key_log) = key_log {
            builder = builder.with_key_log(key_log);
        }
        stores.client(builder).build().expect("a client configuration")
    }

    fn server(&self, seed: u64, timeout: Duration, stores: &Stores) -> ServerConfig {
        let key = if self.legacy { ToyKind::Rsa } else { ToyKind::EcdsaP256 };
        let mut identity = self.identity(key, null::SERVER_NAME);
        if self.staple {
            identity = identity.with_ocsp_source(Arc::new(STAPLE.to_vec()));
        }
        let mut builder = match self.psk {
            None => null::server_config(!seed, identity),
            Some(suite) => ServerConfig::psk_builder(null::provider(!seed), Arc::new(vec![self.key()]))
                .with_cipher_suites(&[suite]),
        };
        builder = builder.with_transport(self.transport(timeout)).with_versions(&[self.version()]);
        if self.retry {
            builder = builder.with_groups(&[NamedGroup::SECP256R1]);
        }
        if self.large != Large::None {
            builder = builder.with_groups(&LARGE);
        }
        if self.client_auth {
            let verifier = NullVerifier::default().with_client_name(null::CLIENT_NAME);
            builder = builder.with_client_auth(ClientAuth::Required(self.verifier(verifier)));
        }
        if self.legacy {
            builder = builder.with_legacy_suites(LegacySuites::Allowed).with_cipher_suites(&LEGACY);
        }
        builder = match self.extensions {
            Extensions::None => builder,
            Extensions::ConnectionIds => builder.with_connection_ids(cids(SERVER_CID)),
            Extensions::RecordSizeLimit | Extensions::MaxFragmentLength => {
                builder.with_srtp(&SRTP).with_record_size_limit(400)
            }
        };
        if self.compress {
            builder = builder.with_certificate_compression([gramseal_compress::zlib(), gramseal_compress::zstd()]);
        }
        if self.early_data {
            builder = builder.with_early_data(1000, Arc::new(AntiReplayCache::new(10, stores.clock.now())));
        }
        stores.server(builder).build().expect("a server configuration")
    }

    fn key(&self) -> Psk {
        let key = Psk::new("client", [7; 16]);
        let key = if self.imported { key.and_then(|key| key.imported("both")) } else { key };
        key.expect("good lengths")
    }

    fn version(&self) -> ProtocolVersion {
        if self.dtls13 { ProtocolVersion::DTLS1_3 } else { ProtocolVersion::DTLS1_2 }
    }

    fn identity(&self, kind: ToyKind, name: &str) -> Identity {
        let key = NullKey::new(kind, 1);
        let chain = vec![null::certificate(name, &key, self.certificate_len)];
        let key: Arc<dyn SigningKey> = if self.slow { Arc::new(Slow(Arc::new(key))) } else { Arc::new(key) };
        let identity = if self.raw { Identity::raw_public_key(key) } else { Identity::new(chain, key) };
        identity.expect("a chain, or a key that tells its public half")
    }

    fn verifier_of_servers(&self) -> NullVerifier {
        let verifier = NullVerifier::default();
        if self.staple { verifier.with_staple(&STAPLE) } else { verifier }
    }

    fn verifier(&self, mut verifier: NullVerifier) -> Arc<dyn PeerVerifier> {
        if self.raw {
            verifier = verifier.with_forms(&[CertificateType::RAW_PUBLIC_KEY]);
        }
        if self.slow { Arc::new(Slow(Arc::new(verifier))) } else { Arc::new(verifier) }
    }

    /// Starts a handshake of this kind that may take `timeout`.
    pub(crate) fn connect(&self, sim: Sim, seed: u64, timeout: Duration) -> (Sim, Pair) {
        let (sim, pair, _) = self.connect_keeping(sim, seed, timeout, None);
        (sim, pair)
    }

    /// The same, with a key log of the client; gives the configurations too.
    pub(crate) fn connect_keeping(
        &self,
        mut sim: Sim,
        seed: u64,
        timeout: Duration,
        key_log: Option<Arc<dyn KeyLog>>,
    ) -> (Sim, Pair, Configs) {
        if !self.cookies {
            sim = sim.without_cookies();
        }
        let stores = Stores::new(self.resumption);
        let client = self.client(seed, timeout, &stores, key_log);
        let configs = (Arc::new(client), Arc::new(self.server(seed, timeout, &stores)));
        if let Some(resumption) = self.resumption {
            resumption.prepare(&configs, &stores, self.cookies);
        }
        let pair = sim.connect(configs.0.clone(), configs.1.clone());
        if self.early_data {
            sim.send_early(pair, b"early").expect("the session allows it");
        }
        (sim, pair, configs)
    }

    /// Checks that the handshake, which is done, was of this kind.
    pub(crate) fn check(&self, sim: &Sim, pair: Pair) {
        let resumes = self.resumption.is_some_and(|resumption| resumption != Resumption::FirstTicket);
        for side in Side::BOTH {
            let negotiated = sim.connection(pair, side).and_then(|connection| connection.negotiated());
            let negotiated = negotiated.expect("connected");
            let version = self.version();
            assert_eq!(self.large != Large::None, negotiated.group == Some(LARGE[0]), "{}", self.name);
            assert!(!self.retry || negotiated.group == Some(NamedGroup::SECP256R1), "{}", self.name);
            assert_eq!((negotiated.version, negotiated.resumed), (version, resumes), "{}", self.name);
            assert_eq!(negotiated.psk_identity.is_some(), self.psk.is_some(), "{}", self.name);
            assert_eq!(negotiated.early_data, self.early_data && !self.cookies, "{}", self.name);
            let sizes = [Extensions::RecordSizeLimit, Extensions::MaxFragmentLength].contains(&self.extensions);
            assert_eq!(negotiated.srtp.is_some(), sizes, "{}", self.name);
            let lengths = negotiated.cids.map(|cids| [cids.own, cids.peer]);
            let expected = if side == Side::Client { [CLIENT_CID, SERVER_CID] } else { [SERVER_CID, CLIENT_CID] };
            let speaks = self.extensions == Extensions::ConnectionIds;
            assert_eq!(lengths, speaks.then_some(expected), "{}", self.name);
            assert!(negotiated.return_routability_check, "{}", self.name);
            // A key alone is as short as it gets.
            let zlib = (self.compress && !self.raw).then_some(CertificateCompressionAlgorithm::ZLIB);
            let compression = [negotiated.own_certificate_compression, negotiated.peer_certificate_compression];
            assert_eq!(compression, [zlib; 2], "{}", self.name);
            let most = self.extensions.max_payload(side);
            let payload = sim.connection(pair, side).expect("connected").max_payload();
            // In 1.3 the content type counts too (RFC 8449 §4).
            let most = most.map(|most| most - usize::from(self.dtls13));
            assert!(most.is_none_or(|most| payload == most), "{}: {payload}", self.name);
        }
    }
}

/// Bytes of connection ids.
const CLIENT_CID: u8 = 5;
const SERVER_CID: u8 = 20;

fn cids(len: u8) -> ConnectionIds {
    ConnectionIds::Both(Arc::new(RandomCids::new(len)))
}

/// What both sides of a handshake are told.
pub(crate) type Configs = (Arc<ClientConfig>, Arc<ServerConfig>);

const LARGE: [NamedGroup; 1] = [NamedGroup::X25519MLKEM768];

/// What servers staple to their certificates.
const STAPLE: [u8; 400] = [0x30; 400];

const SRTP: [SrtpProfile; 1] = [SrtpProfile::AEAD_AES_128_GCM];

const LEGACY: [CipherSuite; 1] = [CipherSuite::TLS_DHE_RSA_WITH_AES_128_GCM_SHA256];
