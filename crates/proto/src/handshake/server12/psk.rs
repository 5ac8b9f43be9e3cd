//! The server's flight and ClientKeyExchange where a pre-shared key authenticates both sides
//! (RFC 4279 §2, RFC 5489 §2).

use alloc::boxed::Box;
use alloc::vec::Vec;

use gramseal_wire::HandshakeType;
use gramseal_wire::handshake::{
    ClientKeyExchangeEcdhePsk, ClientKeyExchangePsk, ServerEcdhParams, ServerKeyExchangeEcdhePsk, ServerKeyExchangePsk,
};
use gramseal_wire::{Codec, Epoch};
use zeroize::Zeroizing;

use super::key_exchange::Keyed;
use super::{AnyState, Context, ExpectFinished, State};
use crate::config::look_up;
use crate::crypto::ActiveKx;
use crate::error::{Error, Incompatible, LocalFault};
use crate::handshake::{Action, Protection, expect, psk};
use crate::message::Message;

/// After ServerHello: ServerKeyExchange, if there is anything to say, and ServerHelloDone.
pub(super) fn finish_flight(mut context: Box<Context>, out: &mut Vec<Action>) -> Result<AnyState, Error> {
    let config = context.config.clone();
    let provider = &config.common.provider;
    let hint = config.psks.as_ref().map(|psks| psks.hint()).unwrap_or_default();
    let kx = match context.negotiated.group {
        Some(group) => {
            let kx = provider.group(group).ok_or(LocalFault::MissingAlgorithm)?.start(&*provider.random)?;
            let params = ServerEcdhParams { group, public_key: kx.public_key() };
            let message = context.seq.message(Epoch::UNPROTECTED, &ServerKeyExchangeEcdhePsk { hint, params })?;
            context.send(message, out);
            Some(kx)
        }
        None => {
            if !hint.is_empty() {
                let message = context.seq.message(Epoch::UNPROTECTED, &ServerKeyExchangePsk { hint })?;
                context.send(message, out);
            }
            None
        }
    };
    context.send_done(out)?;
    let next = State::PskClientKeyExchange(ExpectPskClientKeyExchange { context, kx });
    Ok(AnyState::Server12(next))
}

/// Waits for ClientKeyExchange.
pub(crate) struct ExpectPskClientKeyExchange {
    context: Box<Context>,
    /// `None` without ECDHE.
    kx: Option<Box<dyn ActiveKx>>,
}

impl ExpectPskClientKeyExchange {
    pub(super) fn handle(self, message: &Message, out: &mut Vec<Action>) -> Result<State, Error> {
        let Self { mut context, kx } = self;
        expect(message, HandshakeType::CLIENT_KEY_EXCHANGE, Protection::None)?;
        context.transcript.add(message);
        let (identity, key, premaster_secret) = match kx {
            None => {
                let exchange = ClientKeyExchangePsk::from_bytes(message.body())?;
                let key = key(&context, exchange.identity)?;
                let premaster_secret = psk::plain(&key)?;
                (exchange.identity, key, premaster_secret)
            }
            Some(kx) => {
                let exchange = ClientKeyExchangeEcdhePsk::from_bytes(message.body())?;
                let secret = kx.complete(exchange.public)?;
                let key = key(&context, exchange.identity)?;
                let premaster_secret = psk::behind(secret.as_ref(), &key)?;
                (exchange.identity, key, premaster_secret)
            }
        };
        context.negotiated.psk_identity = Some(identity.to_vec());
        let mut keyed = Keyed::new(context, &premaster_secret, out)?;
        // Only who gives the client something to resume with needs it.
        if keyed.context.promise.is_made() {
            keyed.context.promise.psk_binding = Some(keyed.schedule.session.bind_to_psk(&key));
        }
        Ok(State::Finished(ExpectFinished { keyed }))
    }
}

/// The key for `identity`, or for an unknown one a random key: the handshake then fails exactly as
/// with a wrong key (RFC 4279 §2 allows it), so that nobody learns which identities exist, unless they may.
fn key(context: &Context, identity: &[u8]) -> Result<Zeroizing<Vec<u8>>, Error> {
    let config = &context.config;
    match config.psks.as_ref().and_then(|psks| look_up(&**psks, identity, None)) {
        Some(key) => Ok(key),
        None if config.tells_unknown_psks => Err(Incompatible::UnknownPskIdentity.into()),
        None => Ok(Zeroizing::new(config.common.provider.random_secret::<32>()?.to_vec())),
    }
}
