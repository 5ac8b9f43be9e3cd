//! The pre-shared keys from tickets that a hello offers (RFC 9846 §4.3.9, §4.3.11), and how many more
//! tickets it asks for (RFC 9149).

use alloc::vec::Vec;

use gramseal_wire::extension::{
    PreSharedKeyClientHello, PreSharedKeyServerHello, PskIdentity, PskKeyExchangeModes, TicketRequestClientHello,
};
use gramseal_wire::handshake::ServerHello;
use gramseal_wire::{Epoch, MessageSeq, OwnedList, OwnedOpaqueList, PskKeyExchangeMode, Sequence};

use super::Offer;
use crate::crypto::{Digest, Hash, HashAlgorithm};
use crate::error::{Error, PeerFault};
use crate::handshake::compose::OutgoingSeq;
use crate::handshake::resume13::{Offered, obfuscated_age};
use crate::handshake::schedule13::EarlySecret;
use crate::handshake::transcript::Transcript13;
use crate::session::{Session, forget_tickets};
use crate::suite::Suite13;

impl Offer {
    /// Adds how we would use tickets, and how many we want.
    pub(super) fn push_ticket_wishes(&mut self) {
        let modes = self.config.common.resumed_key_exchange.modes();
        let modes: OwnedList<PskKeyExchangeMode> = modes.iter().copied().collect();
        self.extensions.push(&PskKeyExchangeModes { modes: modes.as_list() });
        if let Some((new_session_count, resumption_count)) = self.config.ticket_request {
            self.extensions.push(&TicketRequestClientHello { new_session_count, resumption_count });
        }
    }

    /// Adds the keys as the last extension of a hello that is complete otherwise. `before` is what the
    /// transcript has up to it: nothing, or a hello and its HelloRetryRequest.
    pub(in crate::handshake) fn push_psks(&mut self, before: Option<&Transcript13>) -> Result<(), Error> {
        let Some(sessions) = self.config.sessions.as_ref().filter(|_| !self.psks.is_empty()) else { return Ok(()) };
        let now = sessions.store.now();
        let identities = self.psks.iter().map(|(session, _)| PskIdentity {
            identity: &session.ticket,
            obfuscated_ticket_age: obfuscated_age(session, now),
        });
        let identities = Sequence::<PskIdentity<'_>>::encode(identities)?;
        let identities = Sequence::new(&identities)?;
        // RFC 9846 §4.3.11.2: the lengths count as if the binders were there.
        let without = self.extensions.clone();
        let blanks = self.psks.iter().map(|(session, _)| session.secret.as_slice());
        let binders = OwnedOpaqueList::new(blanks)?;
        let blank = PreSharedKeyClientHello { identities, binders: binders.as_list() };
        let binders_len = blank.binders_len();
        self.extensions.push(&blank);
        // The number of the message is not part of the transcript (RFC 9147 §5.2).
        let mut seq = OutgoingSeq::new(MessageSeq(0));
        let hello = self.with_hello(&[], |hello| seq.message(Epoch::UNPROTECTED, hello))?;
        let binder = |(session, hash): &(Session, &'static dyn Hash)| -> Digest {
            let digest = Transcript13::digest_of_cut(*hash, before, hello.bytes(), binders_len);
            EarlySecret::with_psk(*hash, &session.secret).resumption_binder(&digest)
        };
        let binders: Vec<Digest> = self.psks.iter().map(binder).collect();
        let binders = OwnedOpaqueList::new(binders.iter().map(AsRef::as_ref))?;
        self.extensions = without;
        self.extensions.push(&PreSharedKeyClientHello { identities, binders: binders.as_list() });
        Ok(())
    }

    /// After a HelloRetryRequest that chose a suite with `hash`: others cannot be used any more
    /// (RFC 9846 §4.2.4).
    pub(super) fn keep_psks_of(&mut self, hash: HashAlgorithm) {
        self.psks.retain(|(_, of)| of.algorithm() == hash);
    }

    /// The session that a ServerHello of 1.3 chose, which chose `suite` too, and its place in the list.
    pub(super) fn chosen_psk(
        &mut self,
        hello: &ServerHello<'_>,
        suite: &Suite13,
    ) -> Result<Option<(Session, usize)>, Error> {
        let Some(choice) = hello.extensions.find::<PreSharedKeyServerHello>()? else { return Ok(None) };
        let index = usize::from(choice.selected_identity);
        // RFC 9846 §4.3.11: one that was offered, and of the suite's hash.
        let of_suite = |(_, hash): &&(Session, &dyn Hash)| hash.algorithm() == suite.hash;
        self.psks.get(index).filter(of_suite).ok_or(PeerFault::UnofferedPsk)?;
        let (session, _) = self.psks.swap_remove(index);
        // The others were shown, so they are of no use any more, but nothing speaks against their kind.
        self.psks.clear();
        Ok(Some((session, index)))
    }

    /// RFC 9149 §3: a server that wants none of the tickets that it could use will not want others of the
    /// same session either. Called when the server has shown who it is; its suite has `hash`.
    pub(in crate::handshake) fn forget_declined(&mut self, hash: HashAlgorithm) {
        let Some(sessions) = &self.config.sessions else { return };
        for (session, _) in self.psks.drain(..).filter(|(_, of)| of.algorithm() == hash) {
            let name = session.server_name().unwrap_or_default();
            forget_tickets(&*sessions.store, name, &sessions.context, session.established);
        }
    }
}

/// Bytes of the extension with these keys.
pub(super) fn extension_len(psks: &Offered) -> usize {
    /// Type, length, and the lengths of both lists.
    const FIXED: usize = 2 + 2 + 2 + 2;
    /// The length and the age of an identity, and the length of a binder.
    const EACH: usize = 2 + 4 + 1;
    let sizes = psks.iter().map(|(session, _)| EACH + session.ticket.len() + session.secret.len());
    if psks.is_empty() { 0 } else { FIXED + sizes.sum::<usize>() }
}
