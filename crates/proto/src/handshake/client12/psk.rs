//! ServerKeyExchange where a pre-shared key authenticates the server: a hint, and with ECDHE the
//! server's unsigned share.

use alloc::boxed::Box;
use alloc::vec::Vec;

use gramseal_wire::handshake::{ServerKeyExchangeEcdhePsk, ServerKeyExchangePsk};
use gramseal_wire::{Codec, HandshakeType};

use super::key_exchange::ServerShare;
use super::{Context, ExpectServerHelloDone, State};
use crate::error::Error;
use crate::handshake::{Action, Protection, expect};
use crate::message::Message;
use crate::suite::KeyExchange;

/// Waits for ServerKeyExchange; without ECDHE the server leaves it out if it has no hint to give
/// (RFC 4279 §2).
pub(crate) struct ExpectPskServerKeyExchange {
    pub(super) context: Box<Context>,
}

impl ExpectPskServerKeyExchange {
    pub(super) fn handle(self, message: &Message, out: &mut Vec<Action>) -> Result<State, Error> {
        let mut context = self.context;
        let plain = context.suite.key_exchange == KeyExchange::Psk;
        if plain && message.msg_type() == HandshakeType::SERVER_HELLO_DONE {
            let share = ServerShare::Psk { hint: Vec::new() };
            return ExpectServerHelloDone { context, share, request: None }.handle(message, out);
        }
        expect(message, HandshakeType::SERVER_KEY_EXCHANGE, Protection::None)?;
        let share = if plain {
            ServerShare::Psk { hint: ServerKeyExchangePsk::from_bytes(message.body())?.hint.to_vec() }
        } else {
            let exchange = ServerKeyExchangeEcdhePsk::from_bytes(message.body())?;
            let group = context.offered_curve(exchange.params.group)?;
            let public_key = exchange.params.public_key.to_vec();
            ServerShare::EcdhePsk { hint: exchange.hint.to_vec(), group, public_key }
        };
        context.transcript.add(message);
        Ok(State::ServerHelloDone(ExpectServerHelloDone { context, share, request: None }))
    }
}
