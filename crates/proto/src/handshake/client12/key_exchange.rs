//! ServerKeyExchange: the server's ephemeral share, signed with its certificate's key.

use alloc::boxed::Box;
use alloc::vec::Vec;

use gramseal_wire::handshake::{DigitallySigned, ServerKeyExchangeDhe, ServerKeyExchangeEcdhe};
use gramseal_wire::{Codec, HandshakeType, NamedGroup};

use super::{Context, ExpectServerHelloDone, State};
use crate::config::PeerVerified;
use crate::crypto::KeyKind;
use crate::error::{Error, PeerFault};
use crate::handshake::auth12::signed_params;
use crate::handshake::{Action, Protection, expect};
use crate::message::Message;
use crate::suite::KeyExchange;

/// The server's share. Where a certificate authenticates the server, its signature was right; where
/// a pre-shared key does, Finished will tell.
pub(super) enum ServerShare {
    Ecdhe { group: NamedGroup, public_key: Vec<u8> },
    Dhe { p: Vec<u8>, g: Vec<u8>, public: Vec<u8> },
    Psk { hint: Vec<u8> },
    EcdhePsk { hint: Vec<u8>, group: NamedGroup, public_key: Vec<u8> },
}

impl ServerShare {
    /// Where a pre-shared key authenticates the server: its hint which one.
    pub(super) fn hint(&self) -> Option<&[u8]> {
        match self {
            Self::Psk { hint } | Self::EcdhePsk { hint, .. } => Some(hint),
            Self::Ecdhe { .. } | Self::Dhe { .. } => None,
        }
    }
}

/// Waits for ServerKeyExchange.
pub(crate) struct ExpectServerKeyExchange {
    pub(super) context: Box<Context>,
    pub(super) peer: PeerVerified,
}

impl ExpectServerKeyExchange {
    pub(super) fn handle(self, message: &Message, _: &mut Vec<Action>) -> Result<State, Error> {
        expect(message, HandshakeType::SERVER_KEY_EXCHANGE, Protection::None)?;
        let (share, params, signed) = self.read(message.body())?;
        self.verify(params, &signed)?;
        let mut context = self.context;
        context.negotiated.peer_signature_scheme = Some(signed.scheme);
        context.transcript.add(message);
        Ok(State::ServerHelloDone(ExpectServerHelloDone { context, share, request: None }))
    }

    /// The share, the bytes that are signed, and the signature.
    fn read<'m>(&self, body: &'m [u8]) -> Result<(ServerShare, &'m [u8], DigitallySigned<'m>), Error> {
        match self.context.suite.key_exchange {
            KeyExchange::Ecdhe => {
                let exchange = ServerKeyExchangeEcdhe::from_bytes(body)?;
                let group = self.context.offered_curve(exchange.params.group)?;
                let public_key = exchange.params.public_key.to_vec();
                Ok((ServerShare::Ecdhe { group, public_key }, exchange.params_bytes, exchange.signed))
            }
            KeyExchange::Dhe => {
                let exchange = ServerKeyExchangeDhe::from_bytes(body)?;
                let params = exchange.params;
                let share =
                    ServerShare::Dhe { p: params.p.to_vec(), g: params.g.to_vec(), public: params.public.to_vec() };
                Ok((share, exchange.params_bytes, exchange.signed))
            }
            // These suites have a state of their own.
            KeyExchange::Psk | KeyExchange::EcdhePsk => Err(PeerFault::UnofferedCipherSuite.into()),
        }
    }

    /// RFC 5246 §7.4.3: the signature covers both randoms and the parameters.
    fn verify(&self, params: &[u8], signed: &DigitallySigned<'_>) -> Result<(), Error> {
        if !self.context.offer.offers_scheme(signed.scheme) {
            return Err(PeerFault::UnofferedSignatureScheme.into());
        }
        if KeyKind::of(signed.scheme) != self.context.suite.auth {
            return Err(PeerFault::WrongKeyForCipherSuite.into());
        }
        let message = signed_params(&self.context.randoms, params);
        let provider = &self.context.offer.config.common.provider;
        provider
            .verify12(signed.scheme, self.peer.public_key(), &message, signed.signature)
            .map_err(|_| PeerFault::BadSignature.into())
    }
}
