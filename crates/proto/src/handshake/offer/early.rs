//! Early data that a hello announces, with the first session that it offers (RFC 9846 §4.3.10).

use alloc::boxed::Box;
use alloc::vec::Vec;

use gramseal_wire::ExtensionType;
use gramseal_wire::extension::EarlyData;

use super::Offer;
use crate::crypto::Hash;
use crate::error::Error;
use crate::handshake::Action;
use crate::handshake::early::{EarlyTerms, Offered};
use crate::handshake::resume13::OfferedPsk;
use crate::handshake::schedule13::EarlySecret;
use crate::handshake::transcript::Transcript13;
use crate::session::Session;
use crate::suite::Suite13;

impl Offer {
    /// Announces early data if it is wanted and the first session allows it.
    pub(super) fn push_early_data(&mut self) {
        if self.first_ticket().is_some_and(|(session, _)| self.early_suite(session).is_some()) {
            self.extensions.push(&EarlyData);
        }
    }

    /// Whether the hello announces early data.
    pub(in crate::handshake) fn offers_early_data(&self) -> bool {
        self.extensions.as_extensions().contains(ExtensionType::EARLY_DATA)
    }

    /// The first key, if it is of a session.
    fn first_ticket(&self) -> Option<(&Session, &'static dyn Hash)> {
        let first = self.psks.first()?;
        Some((first.session()?, first.hash()))
    }

    /// The suite for early data with `session`, which has to be the very one that it had; `None` if there can
    /// be none. That the application protocol is offered again, the session's context says.
    fn early_suite(&self, session: &Session) -> Option<&'static Suite13> {
        let wanted = self.config.early_data && session.max_early_data > 0;
        self.config.common.suites13().find(|suite| wanted && suite.id == session.cipher_suite)
    }

    /// What the early data goes with that `hello`, our first, announces.
    pub(in crate::handshake) fn early_terms(
        &self,
        hello: &[u8],
        out: &mut Vec<Action>,
    ) -> Result<Option<Box<EarlyTerms>>, Error> {
        if !self.offers_early_data() {
            return Ok(None);
        }
        let Some((session, hash)) = self.first_ticket() else { return Ok(None) };
        let Some(suite) = self.early_suite(session) else { return Ok(None) };
        let secret = EarlySecret::with_psk(hash, &session.secret);
        let digest = Transcript13::digest_of_cut(hash, None, hello, 0);
        let common = &self.config.common;
        EarlyTerms::new(&secret, &digest, suite, session.max_early_data, common, &self.random, out).map(Some)
    }

    /// What a ServerHello leaves of it that chose this key at this place, if any, and `suite`.
    pub(super) fn early_data_after(&self, chosen: Option<&(OfferedPsk, usize)>, suite: &Suite13) -> Offered {
        let session = chosen.and_then(|(psk, index)| Some((psk.session()?, *index)));
        match session {
            _ if !self.offers_early_data() => Offered::Nothing,
            Some((session, 0)) if session.cipher_suite == suite.id => Offered::Fitting,
            _ => Offered::Void,
        }
    }
}
