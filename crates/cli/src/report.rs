//! What the commands report: one type per line, with its form as JSON and for people.

use std::fmt;
use std::net::SocketAddr;
use std::path::Path;

use gramseal::pki_types::SubjectPublicKeyInfoDer;
use gramseal::proto::{DiscardCounts, Negotiated};
use gramseal::webpki::{Fingerprint, describe};
use gramseal::{Connection, ConnectionStats};
use serde::Serialize;

use crate::args::Export;
use crate::failure::Failure;
use crate::hex;
use crate::ladder::Rung;
use crate::output::printable;
use crate::trace::TraceLine;

/// One line.
#[derive(Debug, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub(crate) enum Event<'a> {
    /// A server waits for clients.
    Listening { address: SocketAddr, fingerprint: Option<String>, raw_public_key: Option<String> },
    /// Something of a handshake moved (`--trace`).
    Trace(&'a TraceLine),
    /// One rung of the ladder (`demo`).
    Message(&'a Rung),
    /// A handshake is done.
    Connected(&'a Connected),
    /// Application data came.
    Datagram {
        peer: SocketAddr,
        /// It came before the handshake was done, and others can have sent it again.
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        early: bool,
        #[serde(flatten)]
        payload: Payload<'a>,
    },
    /// A peer has another address from now on.
    Moved { peer: SocketAddr, to: SocketAddr },
    /// A connection ended in good order.
    Closed {
        peer: SocketAddr,
        reason: &'a str,
        #[serde(flatten)]
        counts: Counted,
    },
    /// A connection, or the attempt to make one, failed.
    Failed { peer: Option<SocketAddr>, reason: String, alert: Option<String> },
    /// How the demonstration went.
    Summary(&'a crate::demo::Summary),
    /// A certificate and its keys are in files (`cert ca`, `server`, `client`).
    Made(&'a crate::cert::Made),
    /// Something in a file (`cert show`).
    Item(&'a crate::cert::Item),
    /// A configuration file is right (`check`).
    Checked { tunnels: usize },
    /// Something in it is right, but may not be meant (`check`).
    Warning { file: &'a Path, line: Option<usize>, reason: &'a str },
    /// Something in it is wrong (`check`).
    Fault { file: &'a Path, line: Option<usize>, reason: &'a str },
}

/// A payload as text if it is text, else in hex.
#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Payload<'a> {
    Utf8(&'a str),
    Hex(String),
}

impl<'a> Payload<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        std::str::from_utf8(bytes).map_or_else(|_| Self::Hex(hex::encode(bytes)), Self::Utf8)
    }
}

/// What a handshake agreed on.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Connected {
    pub(crate) peer: SocketAddr,
    pub(crate) version: String,
    pub(crate) cipher_suite: String,
    pub(crate) group: Option<String>,
    pub(crate) alpn: Option<String>,
    pub(crate) srtp: Option<String>,
    pub(crate) connection_ids: Option<ConnectionIds>,
    pub(crate) server_name: Option<String>,
    pub(crate) resumed: bool,
    /// Whether early data was taken.
    pub(crate) early_data: bool,
    pub(crate) signature_scheme: Option<String>,
    pub(crate) psk_identity: Option<String>,
    /// How our own certificate was compressed, and the peer's.
    pub(crate) own_certificate_compression: Option<String>,
    pub(crate) peer_certificate_compression: Option<String>,
    pub(crate) peer_identity: Option<PeerIdentity>,
    /// The fingerprint of the key that the peer showed in place of a certificate.
    pub(crate) peer_raw_public_key: Option<String>,
    pub(crate) export: Option<Exported>,
}

/// How long the connection ids in records are, in bytes; 0 where there are none.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct ConnectionIds {
    /// In records to this side.
    pub(crate) own: u8,
    /// In records to the peer.
    pub(crate) peer: u8,
}

/// Who the peer's certificate says it is.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct PeerIdentity {
    pub(crate) subject: String,
    pub(crate) fingerprint: String,
}

/// Keying material (RFC 5705).
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Exported {
    pub(crate) label: String,
    pub(crate) hex: String,
}

impl Connected {
    pub(crate) fn new(connection: &Connection, export: Option<&Export>) -> Result<Self, Failure> {
        let negotiated = connection.negotiated();
        Ok(Self {
            peer: connection.peer_addr(),
            version: negotiated.version.to_string(),
            cipher_suite: negotiated.cipher_suite.to_string(),
            group: negotiated.group.map(|group| group.to_string()),
            alpn: negotiated.alpn.as_deref().map(printable),
            srtp: negotiated.srtp.as_ref().map(|srtp| srtp.profile.to_string()),
            connection_ids: negotiated.cids.map(|cids| ConnectionIds { own: cids.own, peer: cids.peer }),
            server_name: negotiated.server_name.as_deref().map(|name| printable(name.as_bytes())),
            resumed: negotiated.resumed,
            early_data: negotiated.early_data,
            signature_scheme: negotiated.peer_signature_scheme.map(|scheme| scheme.to_string()),
            psk_identity: negotiated.psk_identity.as_deref().map(printable),
            own_certificate_compression: negotiated.own_certificate_compression.map(|how| how.to_string()),
            peer_certificate_compression: negotiated.peer_certificate_compression.map(|how| how.to_string()),
            peer_identity: PeerIdentity::of(&negotiated),
            peer_raw_public_key: negotiated.peer_raw_public_key.as_ref().map(fingerprint_of_key),
            export: export.map(|export| Exported::new(connection, export)).transpose()?,
        })
    }
}

impl fmt::Display for Connected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} connected: {}, {}", self.peer, self.version, self.cipher_suite)?;
        if let Some(group) = &self.group {
            write!(f, ", {group}")?;
        }
        if let Some(alpn) = &self.alpn {
            write!(f, ", alpn {alpn}")?;
        }
        if let Some(srtp) = &self.srtp {
            write!(f, ", srtp {srtp}")?;
        }
        if let Some(ConnectionIds { own, peer }) = self.connection_ids {
            write!(f, ", connection ids of {own} bytes (own) and {peer} (peer's)")?;
        }
        if self.resumed {
            f.write_str(", resumed")?;
        }
        if self.early_data {
            f.write_str(", early data taken")?;
        }
        if let Some(how) = &self.own_certificate_compression {
            write!(f, ", own certificate compressed ({how})")?;
        }
        if let Some(how) = &self.peer_certificate_compression {
            write!(f, ", peer's certificate compressed ({how})")?;
        }
        match (&self.peer_identity, &self.peer_raw_public_key, &self.psk_identity) {
            (Some(identity), _, _) => write!(f, ", peer {} {}", identity.subject, identity.fingerprint),
            (None, Some(key), _) => write!(f, ", peer's raw public key {key}"),
            (None, None, Some(identity)) => write!(f, ", psk {identity}"),
            (None, None, None) => f.write_str(", peer without certificate"),
        }
    }
}

fn fingerprint_of_key(key: &SubjectPublicKeyInfoDer<'static>) -> String {
    Fingerprint::of_public_key(key).to_string()
}

impl PeerIdentity {
    fn of(negotiated: &Negotiated) -> Option<Self> {
        let certificate = negotiated.peer_certificates.first()?;
        let subject = describe(certificate).map_or_else(|_| "?".to_owned(), |description| description.subject);
        Some(Self { subject, fingerprint: Fingerprint::of(certificate).to_string() })
    }
}

impl Exported {
    fn new(connection: &Connection, export: &Export) -> Result<Self, Failure> {
        let mut out = vec![0; export.length];
        connection
            .export_keying_material(export.label.as_bytes(), None, &mut out)
            .map_err(|error| Failure::usage(format!("--export: {error}")))?;
        Ok(Self { label: export.label.clone(), hex: hex::encode(&out) })
    }
}

impl fmt::Display for Exported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "export {}: {}", printable(self.label.as_bytes()), self.hex)
    }
}

/// What a connection counted.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Counted {
    /// Records of application data.
    pub(crate) records_sent: u64,
    pub(crate) records_received: u64,
    /// Datagrams of the protocol itself: handshake and alerts.
    pub(crate) handshake_datagrams_sent: u64,
    /// All of them.
    pub(crate) datagrams_received: u64,
    /// Flights sent again.
    pub(crate) retransmissions: u32,
    /// How often the keys of this side changed, and those of the peer (DTLS 1.3).
    pub(crate) key_updates_sent: u32,
    pub(crate) key_updates_received: u32,
    /// What was dropped, by reason.
    pub(crate) discards: serde_json::Map<String, serde_json::Value>,
}

impl Counted {
    pub(crate) fn new(stats: &ConnectionStats) -> Self {
        let protocol = &stats.protocol;
        let mut discards = discards(&protocol.discards);
        if stats.receive_queue_dropped > 0 {
            discards.insert("receive_queue_full".to_owned(), stats.receive_queue_dropped.into());
        }
        Self {
            records_sent: protocol.records_sealed,
            records_received: protocol.records_opened,
            handshake_datagrams_sent: protocol.datagrams_sent,
            datagrams_received: protocol.datagrams_received,
            retransmissions: protocol.retransmissions,
            key_updates_sent: protocol.key_updates_sent,
            key_updates_received: protocol.key_updates_received,
            discards,
        }
    }
}

/// The reasons that occurred, with their counts.
fn discards(counts: &DiscardCounts) -> serde_json::Map<String, serde_json::Value> {
    let occurred = counts.iter().filter(|(_, count)| *count > 0);
    occurred.map(|(reason, count)| (reason.name().to_owned(), count.into())).collect()
}

impl fmt::Display for Counted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} records sent, {} received; {} handshake datagrams sent, {} datagrams received; {} retransmissions",
            self.records_sent,
            self.records_received,
            self.handshake_datagrams_sent,
            self.datagrams_received,
            self.retransmissions
        )?;
        if (self.key_updates_sent, self.key_updates_received) != (0, 0) {
            write!(f, "; {} key updates sent, {} received", self.key_updates_sent, self.key_updates_received)?;
        }
        let mut separator = "; discarded: ";
        for (reason, count) in &self.discards {
            write!(f, "{separator}{reason} {count}")?;
            separator = ", ";
        }
        Ok(())
    }
}
