//! connection_id: what each side wants to see in the records to it (RFC 9146 §3, RFC 9147 §9); and rrc, which only goes
//! with it: whether both can check that the other is where its records come from (RFC 9853 §3).
//!
//! Both roles: the client's offer, the server's answer, the client's check of it. Agreed on anew in each handshake,
//! also where a session is resumed. The record layer puts the ids in and looks for them.

use gramseal_wire::extension::{ConnectionId, Extensions, ExtensionsBuf, Rrc};
use gramseal_wire::handshake::ClientHello;

use crate::cid::{Cid, ConnectionIds};
use crate::config::Common;
use crate::error::{Error, LocalFault};

/// What both sides said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AgreedCids {
    /// What the peer puts into its records; empty if nothing.
    pub(crate) ours: Cid,
    /// What we put into ours; empty if nothing.
    pub(crate) peers: Cid,
    /// Whether both sides check return routability.
    pub(crate) rrc: bool,
}

/// What we want to see in records to us; `None` if ids are not spoken of.
fn own(common: &Common) -> Result<Option<Cid>, Error> {
    match &common.cids {
        ConnectionIds::Off => Ok(None),
        ConnectionIds::Peers => Ok(Some(Cid::EMPTY)),
        ConnectionIds::Both(generator) => {
            let cid = generator.generate(&*common.provider.random)?;
            if cid.is_empty() { Err(LocalFault::UnusableCid.into()) } else { Ok(Some(cid)) }
        }
    }
}

/// The client's offer. RFC 9147 §5.1: also who wants none for itself says that the server may have one.
pub(super) fn offer(common: &Common, buf: &mut ExtensionsBuf) -> Result<Option<Cid>, Error> {
    let own = own(common)?;
    if let Some(cid) = &own {
        buf.push(&ConnectionId { cid });
        // RFC 9853 §3: never without connection_id.
        if common.rrc {
            buf.push(&Rrc);
        }
    }
    Ok(own)
}

/// What comes of the client's offer.
pub(super) fn select(hello: &ClientHello<'_>, common: &Common) -> Result<Option<AgreedCids>, Error> {
    let Some(ConnectionId { cid }) = hello.extensions.find()? else { return Ok(None) };
    let rrc = hello.extensions.find::<Rrc>()?.is_some() && common.rrc;
    agree(own(common)?, cid, rrc)
}

/// The server's answer, if it gives one.
pub(super) fn answer(agreed: Option<&AgreedCids>, buf: &mut ExtensionsBuf) {
    if let Some(agreed) = agreed {
        buf.push(&ConnectionId { cid: &agreed.ours });
        if agreed.rrc {
            buf.push(&Rrc);
        }
    }
}

/// What the server's answer agrees to. `offered` is what we said. Without ids there is no return routability check,
/// whatever the answer says of it.
pub(super) fn check(answers: &Extensions<'_>, offered: Option<Cid>) -> Result<Option<AgreedCids>, Error> {
    let rrc = answers.find::<Rrc>()?.is_some();
    let Some(ConnectionId { cid }) = answers.find()? else { return Ok(None) };
    agree(offered, cid, rrc)
}

fn agree(ours: Option<Cid>, peers: &[u8], rrc: bool) -> Result<Option<AgreedCids>, Error> {
    let peers = Cid::new(peers).ok_or(LocalFault::MessageTooLong)?;
    Ok(ours.map(|ours| AgreedCids { ours, peers, rrc }))
}
