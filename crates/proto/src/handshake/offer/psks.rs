//! The pre-shared keys that a hello offers, from tickets and from elsewhere (RFC 9846 §4.3.9, §4.3.11), and how many
//! more tickets it asks for (RFC 9149).

use alloc::vec::Vec;

use gramseal_wire::extension::{
    PreSharedKeyClientHello, PreSharedKeyServerHello, PskIdentity, PskKeyExchangeModes, TicketRequestClientHello,
};
use gramseal_wire::handshake::ServerHello;
use gramseal_wire::{Epoch, MessageSeq, OwnedList, OwnedOpaqueList, PskKeyExchangeMode, Sequence};

use super::Offer;
use crate::crypto::{Digest, HashAlgorithm};
use crate::error::{Error, PeerFault};
use crate::handshake::compose::OutgoingSeq;
use crate::handshake::resume13::{OfferedPsk, obfuscated_age};
use crate::handshake::transcript::Transcript13;
use crate::session::forget_tickets;
use crate::suite::Suite13;

impl Offer {
    /// Adds how we would use pre-shared keys, and how many tickets we want.
    pub(super) fn push_psk_wishes(&mut self) {
        let modes = self.config.common.resumed_key_exchange.modes();
        let modes: OwnedList<PskKeyExchangeMode> = modes.iter().copied().collect();
        self.extensions.push(&PskKeyExchangeModes { modes: modes.as_list() });
        let wanted = self.config.ticket_request.filter(|_| self.config.sessions.is_some());
        if let Some((new_session_count, resumption_count)) = wanted {
            self.extensions.push(&TicketRequestClientHello { new_session_count, resumption_count });
        }
    }

    /// Adds the keys as the last extension of a hello that is complete otherwise. `before` is what the
    /// transcript has up to it: nothing, or a hello and its HelloRetryRequest.
    pub(in crate::handshake) fn push_psks(&mut self, before: Option<&Transcript13>) -> Result<(), Error> {
        if self.psks.is_empty() {
            return Ok(());
        }
        let now = self.config.sessions.as_ref().map(|sessions| sessions.store.now());
        // RFC 9846 §4.3.11: what is no ticket has no age.
        let age = |psk: &OfferedPsk| psk.session().zip(now).map_or(0, |(session, now)| obfuscated_age(session, now));
        let identities =
            self.psks.iter().map(|psk| PskIdentity { identity: psk.name(), obfuscated_ticket_age: age(psk) });
        let identities = Sequence::<PskIdentity<'_>>::encode(identities)?;
        let identities = Sequence::new(&identities)?;
        // RFC 9846 §4.3.11.2: the lengths count as if the binders were there.
        let without = self.extensions.clone();
        let blank = [0; Digest::MAX_LEN];
        let blanks = self.psks.iter().map(|psk| blank.get(..binder_len(psk)).unwrap_or(&blank));
        let binders = OwnedOpaqueList::new(blanks)?;
        let blank = PreSharedKeyClientHello { identities, binders: binders.as_list() };
        let binders_len = blank.binders_len();
        self.extensions.push(&blank);
        // The number of the message is not part of the transcript (RFC 9147 §5.2).
        let mut seq = OutgoingSeq::new(MessageSeq(0));
        let hello = self.with_hello(&[], |hello| seq.message(Epoch::UNPROTECTED, hello))?;
        let binder = |psk: &OfferedPsk| -> Digest {
            psk.binder(&Transcript13::digest_of_cut(psk.hash(), before, hello.bytes(), binders_len))
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
        self.psks.retain(|psk| psk.hash().algorithm() == hash);
    }

    /// The key that a ServerHello of 1.3 chose, which chose `suite` too, and its place in the list.
    pub(super) fn chosen_psk(
        &mut self,
        hello: &ServerHello<'_>,
        suite: &Suite13,
    ) -> Result<Option<(OfferedPsk, usize)>, Error> {
        let Some(choice) = hello.extensions.find::<PreSharedKeyServerHello>()? else { return Ok(None) };
        let index = usize::from(choice.selected_identity);
        // RFC 9846 §4.3.11: one that was offered, and of the suite's hash.
        let of_suite = |psk: &&OfferedPsk| psk.hash().algorithm() == suite.hash;
        self.psks.get(index).filter(of_suite).ok_or(PeerFault::UnofferedPsk)?;
        let chosen = self.psks.swap_remove(index);
        // The other tickets were shown, so they are of no use any more. If one was taken, nothing speaks against their
        // kind.
        if chosen.session().is_some() {
            self.psks.clear();
        }
        Ok(Some((chosen, index)))
    }

    /// RFC 9149 §3: a server that wants none of the tickets that it could use will not want others of the
    /// same session either. Called when the server has shown who it is; its suite has `hash`.
    pub(in crate::handshake) fn forget_declined(&mut self, hash: HashAlgorithm) {
        let Some(sessions) = &self.config.sessions else { return };
        let of_hash = self.psks.drain(..).filter(|psk| psk.hash().algorithm() == hash);
        for session in of_hash.filter_map(OfferedPsk::into_session) {
            let name = session.server_name().unwrap_or_default();
            forget_tickets(&*sessions.store, name, &sessions.context, session.established);
        }
    }
}

/// Bytes of the binder that goes with a key.
fn binder_len(psk: &OfferedPsk) -> usize {
    psk.hash().algorithm().output_len()
}

/// Bytes of the extension with these keys.
pub(super) fn extension_len<'p>(psks: impl Iterator<Item = &'p OfferedPsk>) -> usize {
    /// Type, length, and the lengths of both lists.
    const FIXED: usize = 2 + 2 + 2 + 2;
    /// The length and the age of an identity, and the length of a binder.
    const EACH: usize = 2 + 4 + 1;
    match psks.map(|psk| EACH + psk.name().len() + binder_len(psk)).sum() {
        0 => 0,
        sizes => FIXED + sizes,
    }
}
