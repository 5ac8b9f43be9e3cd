//! What a configuration does about sessions: where they are kept, and under which settings they may be
//! resumed.
//!
//! A resumed handshake checks no certificate. So a session counts only under the settings of its full
//! handshake, for which a digest stands: a store that several configurations share must not let a
//! peer that one of them trusts in through the door of another.

use alloc::sync::Arc;
use alloc::vec::Vec;

use gramseal_wire::extension::MaxFragmentLength;

use super::{ClientAuth, Common, ConfigError, Identity, PeerVerifier};
use crate::crypto::HashAlgorithm;
use crate::session::{CONTEXT_LEN, ClientSessionStore, ServerSessionStore, TicketSealer, context};

/// A client's side.
#[derive(Debug, Clone)]
pub(crate) struct ClientSessions {
    pub(crate) store: Arc<dyn ClientSessionStore>,
    pub(crate) context: [u8; CONTEXT_LEN],
}

impl ClientSessions {
    pub(super) fn new(
        store: Arc<dyn ClientSessionStore>,
        common: &Common,
        verifier: Option<&dyn PeerVerifier>,
        identities: &[Arc<Identity>],
        max_fragment_length: Option<MaxFragmentLength>,
    ) -> Result<Self, ConfigError> {
        let trust = trust(common, verifier)?;
        let shown: Vec<&[u8]> = identities.iter().map(|identity| identity.shown()).collect();
        let offered: Vec<&[u8]> = common.alpn.iter().map(Vec::as_slice).collect();
        let limit = [max_fragment_length.map_or(0, |code| code.0)];
        let parts: [&[u8]; 5] = [b"client", &trust, &digest(common, &shown), &digest(common, &offered), &limit];
        Ok(Self { store, context: digest(common, &parts) })
    }
}

/// A server's side.
#[derive(Debug, Clone)]
pub(crate) struct ServerSessions {
    /// Sessions by id.
    pub(crate) store: Option<Arc<dyn ServerSessionStore>>,
    /// Sessions in tickets.
    pub(crate) tickets: Option<Arc<dyn TicketSealer>>,
    /// How many tickets of 1.3 follow a full handshake.
    pub(crate) ticket_count: u8,
    /// Bytes in the longest ticket.
    pub(crate) max_ticket_len: usize,
    pub(crate) context: [u8; CONTEXT_LEN],
}

impl ServerSessions {
    pub(super) fn new(
        store: Option<Arc<dyn ServerSessionStore>>,
        tickets: Option<Arc<dyn TicketSealer>>,
        ticket_count: u8,
        max_ticket_len: usize,
        common: &Common,
        client_auth: &ClientAuth,
    ) -> Result<Self, ConfigError> {
        if store.is_none() && tickets.is_none() {
            return Ok(Self { store, tickets, ticket_count: 0, max_ticket_len, context: [0; CONTEXT_LEN] });
        }
        let trust = trust(common, client_auth.verifier().map(|verifier| &**verifier))?;
        Ok(Self { store, tickets, ticket_count, max_ticket_len, context: digest(common, &[b"server", &trust]) })
    }
}

/// Stands for the rule by which peers were accepted.
fn trust(common: &Common, verifier: Option<&dyn PeerVerifier>) -> Result<Vec<u8>, ConfigError> {
    if let Some(context) = &common.session_context {
        return Ok(context.clone());
    }
    let Some(verifier) = verifier else { return Ok(Vec::new()) };
    match verifier.session_context() {
        Some(context) => Ok(context),
        // Nobody else has this one.
        None => Ok(common.provider.random_array::<32>().map_err(|_| ConfigError::NoRandomness)?.to_vec()),
    }
}

fn digest(common: &Common, parts: &[&[u8]]) -> [u8; CONTEXT_LEN] {
    let provider = &common.provider;
    // Every suite needs a hash, so there is one.
    let hash = provider.hash(HashAlgorithm::Sha256).or_else(|| provider.hashes.first().copied());
    hash.map_or([0; CONTEXT_LEN], |hash| context(hash, parts.iter().copied()))
}
