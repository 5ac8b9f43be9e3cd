//! ClientKeyExchange: both shares are known, so are the keys.

use alloc::boxed::Box;
use alloc::vec::Vec;

use gramseal_wire::handshake::{ClientKeyExchangeDh, ClientKeyExchangeEcdh};
use gramseal_wire::{Codec, HandshakeType};

use super::{Context, ExpectCertificateVerify, ExpectFinished, State};
use crate::config::PeerVerified;
use crate::crypto::{ActiveKx, RecordKeys12, SharedSecret};
use crate::error::{Error, LocalFault};
use crate::handshake::schedule12::KeySchedule12;
use crate::handshake::{Action, Protection, expect};
use crate::message::Message;
use crate::suite::KeyExchange;

/// What follows from the key exchange; carried to the end of the handshake.
pub(super) struct Keyed {
    pub(super) context: Box<Context>,
    pub(super) schedule: KeySchedule12,
    pub(super) write_keys: RecordKeys12,
}

impl Keyed {
    /// Derives the keys from the premaster secret and the handshake up to ClientKeyExchange, and lets
    /// the client's be read.
    pub(super) fn new(context: Box<Context>, premaster_secret: &[u8], out: &mut Vec<Action>) -> Result<Self, Error> {
        let provider = &context.config.common.provider;
        let hash = provider.hash(context.suite.hash).ok_or(LocalFault::MissingAlgorithm)?;
        let schedule = KeySchedule12::extended(hash, premaster_secret, &context.transcript.digest(), context.randoms);
        out.extend(schedule.session.logged(&context.config.common));
        let keys = schedule.key_block(context.suite, provider)?;
        out.push(Action::InstallRead(keys.client_write));
        Ok(Self { context, schedule, write_keys: keys.server_write })
    }
}

/// Waits for ClientKeyExchange.
pub(crate) struct ExpectClientKeyExchange {
    pub(super) context: Box<Context>,
    pub(super) kx: Box<dyn ActiveKx>,
    pub(super) peer: Option<PeerVerified>,
}

impl ExpectClientKeyExchange {
    pub(super) fn handle(self, message: &Message, out: &mut Vec<Action>) -> Result<State, Error> {
        let Self { mut context, kx, peer } = self;
        expect(message, HandshakeType::CLIENT_KEY_EXCHANGE, Protection::None)?;
        context.transcript.add(message);
        let complete = |kx: Box<dyn ActiveKx>, share: &[u8]| -> Result<SharedSecret, Error> { Ok(kx.complete(share)?) };
        let secret = match context.suite.key_exchange {
            KeyExchange::Ecdhe => complete(kx, ClientKeyExchangeEcdh::from_bytes(message.body())?.public)?,
            KeyExchange::Dhe => complete(kx, ClientKeyExchangeDh::from_bytes(message.body())?.public)?,
            // These suites have a state of their own.
            KeyExchange::Psk | KeyExchange::EcdhePsk => return Err(LocalFault::MissingAlgorithm.into()),
        };
        let premaster_secret = match context.suite.key_exchange {
            KeyExchange::Dhe => secret.without_leading_zeros(),
            KeyExchange::Ecdhe | KeyExchange::Psk | KeyExchange::EcdhePsk => secret.as_ref(),
        };
        let keyed = Keyed::new(context, premaster_secret, out)?;
        Ok(match peer {
            Some(peer) => State::CertificateVerify(ExpectCertificateVerify { keyed, peer }),
            None => State::Finished(ExpectFinished { keyed }),
        })
    }
}
