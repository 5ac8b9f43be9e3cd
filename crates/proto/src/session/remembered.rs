//! What is remembered of a handshake, and its bytes.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use gramseal_wire::{CipherSuite, DecodeError, NamedGroup, ProtocolVersion, Reader, SignatureScheme, Writer};
use pki_types::{CertificateDer, SubjectPublicKeyInfoDer, UnixTime};
use zeroize::Zeroizing;

use crate::crypto::{Hash, SecretBytes};
use crate::encoding::{optional, read_optional};

/// Bytes in what stands for the settings that a session belongs to.
pub const CONTEXT_LEN: usize = 32;

/// Bytes in the longest session id (RFC 5246 §7.4.1.2).
pub(crate) const MAX_SESSION_ID_LEN: usize = 32;

/// Bytes in the master secret of 1.2 (RFC 5246 §8.1).
const MASTER_SECRET_LEN: usize = 48;

/// Bytes in the secrets of 1.3: in a digest of each hash that its suites have.
const PSK_LENS: [usize; 2] = [32, 48];

/// The first byte of an encoded session. Any change of what follows takes another number.
const FORMAT: u8 = 6;

/// Bytes in what ties a session to a pre-shared key. Who does not know the key cannot aim at what
/// fits it, so few are enough, and every byte makes tickets longer.
pub(crate) const PSK_BINDING_LEN: usize = 8;

/// How far the clocks of hosts that share sessions may be apart, in seconds.
const CLOCK_SKEW: u64 = 60;

/// A session that can be resumed: everything that the abbreviated handshake does not say again.
///
/// It holds the secret of the session, wiped when dropped. `Debug` does not show it,
/// [`to_bytes`](Self::to_bytes) does.
#[derive(Clone, PartialEq, Eq)]
pub struct Session {
    pub(crate) version: ProtocolVersion,
    pub(crate) cipher_suite: CipherSuite,
    pub(crate) secret: SecretBytes,
    pub(crate) context: [u8; CONTEXT_LEN],
    pub(crate) server_name: Option<String>,
    pub(crate) alpn: Option<Vec<u8>>,
    pub(crate) psk_identity: Option<Vec<u8>>,
    /// What the key of `psk_identity` was imported with (RFC 9258), if it was.
    pub(crate) psk_context: Option<Vec<u8>>,
    /// Tells whether a key is the one of `psk_identity`; nobody can compute it without `secret`.
    pub(crate) psk_binding: Option<[u8; PSK_BINDING_LEN]>,
    pub(crate) peer_certificates: Vec<CertificateDer<'static>>,
    pub(crate) peer_raw_public_key: Option<SubjectPublicKeyInfoDer<'static>>,
    /// What the server stapled to its certificate; empty on a server.
    pub(crate) peer_ocsp_response: Vec<u8>,
    pub(crate) group: Option<NamedGroup>,
    pub(crate) peer_signature_scheme: Option<SignatureScheme>,
    /// RFC 6066 §4: it stays with the session. In bytes.
    pub(crate) max_fragment_length: Option<u16>,
    /// Seconds since 1970, as are `expires` and `issued`.
    pub(crate) established: u64,
    pub(crate) expires: u64,
    /// In 1.3, when the ticket left the server or reached the client; in 1.2 it means nothing.
    pub(crate) issued: u64,
    /// In 1.3, what hides the age of the ticket (RFC 9846 §4.7.1), in milliseconds; in 1.2 0.
    pub(crate) age_add: u32,
    /// In 1.3, how many bytes of early data may come with the ticket (RFC 9846 §4.7.1); in 1.2 0.
    pub(crate) max_early_data: u32,
    /// How the client names it; both are empty on a server.
    pub(crate) id: Vec<u8>,
    pub(crate) ticket: Vec<u8>,
}

impl Session {
    /// The version that it was made with, and that it can be resumed with. One of 1.2 stands for a
    /// connection, one of 1.3 for a ticket of a connection, and has a secret of its own.
    #[must_use]
    pub fn version(&self) -> ProtocolVersion {
        self.version
    }

    /// Its cipher suite.
    #[must_use]
    pub fn cipher_suite(&self) -> CipherSuite {
        self.cipher_suite
    }

    /// On a client: the host name, in lower case, or the address that it connected to. On a server: the
    /// host name that the client asked for, if it did.
    #[must_use]
    pub fn server_name(&self) -> Option<&str> {
        self.server_name.as_deref()
    }

    /// Stands for the settings of the side that keeps it: whom to trust, and on a client also who it
    /// is and which application protocols it offers. Under other settings the session is not resumed.
    #[must_use]
    pub fn context(&self) -> &[u8; CONTEXT_LEN] {
        &self.context
    }

    /// When the full handshake took place, however often it was resumed since.
    #[must_use]
    pub fn established(&self) -> UnixTime {
        UnixTime::since_unix_epoch(Duration::from_secs(self.established))
    }

    /// From when on it is not resumed any more.
    #[must_use]
    pub fn expires(&self) -> UnixTime {
        UnixTime::since_unix_epoch(Duration::from_secs(self.expires))
    }

    /// How many bytes of early data the server takes with it (RFC 9846 §4.7.1); 0 for none, as with every
    /// session of 1.2.
    #[must_use]
    pub fn max_early_data(&self) -> u32 {
        self.max_early_data
    }

    /// Whether the time of day is outside the session's life.
    #[must_use]
    pub fn is_expired(&self, now: UnixTime) -> bool {
        // A clock that was set back must not lengthen a life.
        now.as_secs() >= self.expires || now.as_secs().saturating_add(CLOCK_SKEW) < self.established
    }

    /// Bytes that it occupies, roughly.
    #[must_use]
    pub fn size(&self) -> usize {
        /// What each takes beside its bytes: its place in the list, and what an allocation costs.
        const CERTIFICATE: usize = size_of::<CertificateDer<'_>>() + 32;
        let certificates: usize =
            self.peer_certificates.iter().map(|certificate| CERTIFICATE + certificate.len()).sum();
        size_of::<Self>()
            + self.secret.len()
            + self.server_name.as_ref().map_or(0, String::len)
            + self.alpn.as_ref().map_or(0, Vec::len)
            + self.psk_identity.as_ref().map_or(0, Vec::len)
            + self.psk_context.as_ref().map_or(0, Vec::len)
            + self.peer_raw_public_key.as_ref().map_or(0, |key| key.len())
            + self.peer_ocsp_response.len()
            + self.id.len()
            + self.ticket.len()
            + certificates
    }

    /// The session as bytes that [`from_bytes`](Self::from_bytes) reads again, here or elsewhere.
    ///
    /// **They hold the session's secret**: whoever reads them can read its traffic and pose as either
    /// side. RFC 5246 §F.1.4 advises against stable storage where others may read it.
    #[must_use]
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        // Enough room from the start: growing would leave copies of the secret behind.
        let mut bytes = Zeroizing::new(Vec::with_capacity(64 + self.size()));
        let mut w = Writer::new(&mut bytes);
        w.u8(FORMAT);
        w.u16(self.version.0);
        w.u16(self.cipher_suite.0);
        w.u64(self.established);
        w.u64(self.expires);
        if self.version == ProtocolVersion::DTLS1_3 {
            w.u64(self.issued);
            w.u32(self.age_add);
            w.u32(self.max_early_data);
        }
        w.u16(self.group.map_or(0, |group| group.0));
        w.u16(self.peer_signature_scheme.map_or(0, |scheme| scheme.0));
        w.u16(self.max_fragment_length.unwrap_or(0));
        w.vec8(|w| w.bytes(&self.secret));
        w.bytes(&self.context);
        optional(&mut w, self.server_name.as_ref().map(String::as_bytes));
        optional(&mut w, self.alpn.as_deref());
        optional(&mut w, self.psk_identity.as_deref());
        optional(&mut w, self.psk_context.as_deref());
        optional(&mut w, self.psk_binding.as_ref().map(<[u8; PSK_BINDING_LEN]>::as_slice));
        w.vec24(|w| {
            for certificate in &self.peer_certificates {
                w.vec24(|w| w.bytes(certificate));
            }
        });
        optional(&mut w, self.peer_raw_public_key.as_ref().map(AsRef::as_ref));
        w.vec24(|w| w.bytes(&self.peer_ocsp_response));
        w.vec8(|w| w.bytes(&self.id));
        w.vec16(|w| w.bytes(&self.ticket));
        // All came from messages whose length fields are no longer than these; if a name did not fit,
        // nothing could read the bytes, and a full handshake would follow.
        if w.finish().is_err() {
            bytes.clear();
        }
        bytes
    }

    /// Reads what [`to_bytes`](Self::to_bytes) made.
    ///
    /// # Errors
    /// If the bytes are damaged or of a version of gramseal with another format.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, BadSession> {
        let mut r = Reader::new(bytes);
        if r.u8()? != FORMAT {
            return Err(BadSession::UnknownFormat);
        }
        let version = ProtocolVersion(r.u16()?);
        let cipher_suite = CipherSuite(r.u16()?);
        let (established, expires) = (r.u64()?, r.u64()?);
        let (issued, age_add, max_early_data) = match version {
            ProtocolVersion::DTLS1_3 => (r.u64()?, r.u32()?, r.u32()?),
            _ => (established, 0, 0),
        };
        let session = Self {
            version,
            cipher_suite,
            established,
            expires,
            issued,
            age_add,
            max_early_data,
            group: Some(NamedGroup(r.u16()?)).filter(|group| group.0 != 0),
            peer_signature_scheme: Some(SignatureScheme(r.u16()?)).filter(|scheme| scheme.0 != 0),
            max_fragment_length: Some(r.u16()?).filter(|limit| *limit != 0),
            secret: r.vec8()?.to_vec().into(),
            context: r.array()?,
            server_name: match read_optional(&mut r)? {
                Some(name) => Some(core::str::from_utf8(name).map_err(|_| BadSession::Malformed)?.into()),
                None => None,
            },
            alpn: read_optional(&mut r)?.map(<[u8]>::to_vec),
            psk_identity: read_optional(&mut r)?.map(<[u8]>::to_vec),
            psk_context: read_optional(&mut r)?.map(<[u8]>::to_vec),
            psk_binding: match read_optional(&mut r)? {
                Some(binding) => Some(binding.try_into().map_err(|_| BadSession::Malformed)?),
                None => None,
            },
            peer_certificates: read_certificates(r.vec24()?)?,
            peer_raw_public_key: read_optional(&mut r)?.map(|key| key.to_vec().into()),
            peer_ocsp_response: r.vec24()?.to_vec(),
            id: r.vec8()?.to_vec(),
            ticket: r.vec16()?.to_vec(),
        };
        r.finish()?;
        let secret_fits = match version {
            ProtocolVersion::DTLS1_2 => session.secret.len() == MASTER_SECRET_LEN,
            ProtocolVersion::DTLS1_3 => PSK_LENS.contains(&session.secret.len()),
            _ => false,
        };
        if secret_fits && session.id.len() <= MAX_SESSION_ID_LEN { Ok(session) } else { Err(BadSession::Malformed) }
    }
}

fn read_certificates(bytes: &[u8]) -> Result<Vec<CertificateDer<'static>>, BadSession> {
    let (mut r, mut certificates) = (Reader::new(bytes), Vec::new());
    while !r.is_empty() {
        certificates.push(CertificateDer::from(r.vec24()?.to_vec()));
    }
    Ok(certificates)
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("version", &self.version)
            .field("cipher_suite", &self.cipher_suite)
            .field("server_name", &self.server_name)
            .field("established", &self.established)
            .field("expires", &self.expires)
            .field("ticket", &!self.ticket.is_empty())
            .finish_non_exhaustive()
    }
}

/// Bytes that are no session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum BadSession {
    /// They are of another version of gramseal.
    UnknownFormat,
    /// They are damaged, or were never a session.
    Malformed,
}

impl From<DecodeError> for BadSession {
    fn from(_: DecodeError) -> Self {
        Self::Malformed
    }
}

impl fmt::Display for BadSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::UnknownFormat => "the session is in the format of another version",
            Self::Malformed => "the session cannot be read",
        })
    }
}

impl core::error::Error for BadSession {}

/// What stands for the settings in `parts`, whose lengths count.
pub(crate) fn context<'p>(hash: &dyn Hash, parts: impl IntoIterator<Item = &'p [u8]>) -> [u8; CONTEXT_LEN] {
    let mut running = hash.start();
    for part in parts {
        running.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        running.update(part);
    }
    let mut context = [0; CONTEXT_LEN];
    for (to, from) in context.iter_mut().zip(running.current().as_ref()) {
        *to = *from;
    }
    context
}

#[cfg(test)]
pub(super) mod tests {
    use alloc::format;
    use alloc::vec;

    use super::*;

    pub(in crate::session) fn session() -> Session {
        Session {
            version: ProtocolVersion::DTLS1_2,
            cipher_suite: CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
            secret: vec![0xAB; 48].into(),
            context: [3; CONTEXT_LEN],
            server_name: Some("server.example".into()),
            alpn: Some(b"coap".to_vec()),
            psk_identity: Some(b"me\0".to_vec()),
            psk_context: Some(b"there".to_vec()),
            psk_binding: Some([6; PSK_BINDING_LEN]),
            peer_certificates: vec![CertificateDer::from(vec![1; 300]), CertificateDer::from(vec![2; 20])],
            group: Some(NamedGroup::X25519),
            peer_raw_public_key: Some(vec![6; 90].into()),
            peer_ocsp_response: vec![7; 80],
            peer_signature_scheme: Some(SignatureScheme::ECDSA_SECP256R1_SHA256),
            max_fragment_length: Some(1024),
            established: 1_000_000,
            expires: 1_000_600,
            issued: 1_000_000,
            age_add: 0,
            max_early_data: 0,
            id: vec![4; 32],
            ticket: vec![5; 100],
        }
    }

    /// What a client keeps of a ticket of 1.3.
    pub(in crate::session) fn session13() -> Session {
        Session {
            version: ProtocolVersion::DTLS1_3,
            cipher_suite: CipherSuite::TLS_AES_128_GCM_SHA256,
            secret: vec![0xAB; 32].into(),
            psk_identity: None,
            psk_context: None,
            psk_binding: None,
            max_fragment_length: None,
            issued: 1_000_100,
            age_add: 0xDEAD_BEEF,
            max_early_data: 0x0102_0304,
            id: Vec::new(),
            ..session()
        }
    }

    fn bare() -> Session {
        Session {
            server_name: None,
            alpn: None,
            psk_identity: None,
            psk_context: None,
            psk_binding: None,
            peer_certificates: Vec::new(),
            group: None,
            peer_raw_public_key: None,
            peer_ocsp_response: Vec::new(),
            peer_signature_scheme: None,
            max_fragment_length: None,
            id: Vec::new(),
            ticket: Vec::new(),
            ..session()
        }
    }

    #[test]
    fn a_session_comes_back_from_its_bytes() {
        let stapled = Session { peer_ocsp_response: vec![1; 70_000], ..bare() };
        for session in [session(), bare(), Session { psk_identity: Some(Vec::new()), ..bare() }, session13(), stapled] {
            let bytes = session.to_bytes();
            assert!(bytes.capacity() >= bytes.len() && bytes.len() <= 64 + session.size(), "it never had to grow");
            assert_eq!(Session::from_bytes(&bytes), Ok(session));
        }
    }

    #[test]
    fn damaged_bytes_are_refused() {
        let bytes = session().to_bytes();
        for len in 0..bytes.len() {
            assert_eq!(Session::from_bytes(&bytes[..len]), Err(BadSession::Malformed), "{len}");
        }
        assert_eq!(Session::from_bytes(&[&bytes[..], &[0]].concat()), Err(BadSession::Malformed));
        let mut other = bytes.to_vec();
        other[0] = FORMAT + 1;
        assert_eq!(Session::from_bytes(&other), Err(BadSession::UnknownFormat));
        let short = Session { secret: vec![1; 47].into(), ..session() };
        assert_eq!(Session::from_bytes(&short.to_bytes()), Err(BadSession::Malformed));
        let short = Session { secret: vec![1; 47].into(), ..session13() };
        assert_eq!(Session::from_bytes(&short.to_bytes()), Err(BadSession::Malformed));
        let older = Session { version: ProtocolVersion::DTLS1_0, ..session() };
        assert_eq!(Session::from_bytes(&older.to_bytes()), Err(BadSession::Malformed));
        let long = Session { id: vec![1; 33], ..session() };
        assert_eq!(Session::from_bytes(&long.to_bytes()), Err(BadSession::Malformed));
    }

    #[test]
    fn the_secret_is_not_shown() {
        let shown = format!("{:?}", session());
        assert!(!shown.contains("171") && !shown.contains("abab") && !shown.contains("ABAB"), "{shown}");
    }

    #[test]
    fn a_life_has_two_ends() {
        let at = |secs| UnixTime::since_unix_epoch(Duration::from_secs(secs));
        for (now, expired) in
            [(1_000_000, false), (1_000_599, false), (1_000_600, true), (999_940, false), (999_939, true)]
        {
            assert_eq!(session().is_expired(at(now)), expired, "{now}");
        }
    }

    #[test]
    fn parts_of_a_context_do_not_run_into_each_other() {
        let hash = &crate::crypto::test_hash::SHA256;
        assert_ne!(context(hash, [&b"ab"[..], b"c"]), context(hash, [&b"a"[..], b"bc"]));
        assert_ne!(context(hash, [&b"ab"[..]]), context(hash, [&b"ab"[..], b""]));
    }
}
