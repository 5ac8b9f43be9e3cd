//! use_srtp: which profile of SRTP protects the media that goes beside the association (RFC 5764 §4.1).
//!
//! Both roles: the client's offer, the server's choice, the client's check of it. Media itself is
//! none of our business; its keys are exported when the handshake is done.

use alloc::vec::Vec;

use gramseal_wire::extension::{Extensions, ExtensionsBuf, UseSrtp};
use gramseal_wire::handshake::ClientHello;
use gramseal_wire::{OwnedList, SrtpProfile};

use crate::config::{ClientConfig, Common};
use crate::error::{Error, PeerFault};

/// What was agreed on for media protected by SRTP (RFC 5764).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Srtp {
    /// The protection profile.
    pub profile: SrtpProfile,
    /// The master key identifier that every SRTP packet must carry, of at most 255 bytes; empty if
    /// packets carry none (RFC 5764 §4.1.3). Always empty at our servers, which agree to none.
    pub mki: Vec<u8>,
}

/// The client's offer, if it wants any.
pub(super) fn offer(config: &ClientConfig, buf: &mut ExtensionsBuf) {
    if !config.common.srtp.is_empty() {
        push(&config.common.srtp, &config.srtp_mki, buf);
    }
}

/// The server's choice: its most preferred profile that the client offers. Without one in common
/// the handshake goes on as if the client had offered nothing (RFC 5764 §4.1.1).
pub(super) fn select(hello: &ClientHello<'_>, common: &Common) -> Result<Option<Srtp>, Error> {
    if common.srtp.is_empty() {
        return Ok(None);
    }
    let Some(offer) = hello.extensions.find::<UseSrtp<'_>>()? else { return Ok(None) };
    let profile = common.srtp.iter().copied().find(|ours| offer.profiles.contains(ours));
    // RFC 5764 §4.1.3: an empty identifier in the answer says that we use none.
    Ok(profile.map(|profile| Srtp { profile, mki: Vec::new() }))
}

/// The server's answer, if it chose a profile.
pub(super) fn answer(chosen: Option<&Srtp>, buf: &mut ExtensionsBuf) {
    if let Some(Srtp { profile, mki }) = chosen {
        push(&[*profile], mki, buf);
    }
}

/// What the server's answer agrees to.
pub(super) fn check(answers: &Extensions<'_>, config: &ClientConfig) -> Result<Option<Srtp>, Error> {
    let Some(answer) = answers.find::<UseSrtp<'_>>()? else { return Ok(None) };
    // RFC 5764 §4.1.1: exactly one profile, and one of ours.
    let profile = answer.exactly_one()?;
    if !config.common.srtp.contains(&profile) {
        return Err(PeerFault::UnofferedSrtpProfile.into());
    }
    // RFC 5764 §4.1.3: our identifier or none.
    if !answer.mki.is_empty() && answer.mki != config.srtp_mki {
        return Err(PeerFault::SrtpMkiMismatch.into());
    }
    Ok(Some(Srtp { profile, mki: answer.mki.to_vec() }))
}

fn push(profiles: &[SrtpProfile], mki: &[u8], buf: &mut ExtensionsBuf) {
    let profiles: OwnedList<SrtpProfile> = profiles.iter().copied().collect();
    buf.push(&UseSrtp { profiles: profiles.as_list(), mki });
}
