//! The server's choice of a group in 1.3, out of what the client lists and sends shares of (RFC 9846 §4.3.8).

use alloc::collections::BTreeSet;

use gramseal_wire::extension::{KeyShareClientHello, KeyShareEntry, SupportedGroups};
use gramseal_wire::handshake::ClientHello;
use gramseal_wire::{List, NamedGroup, Sequence};

use crate::config::{Common, GroupKind};
use crate::error::{Error, Incompatible, PeerFault};

/// The groups in a hello, the two lists of which fit together.
pub(super) struct OfferedGroups<'h> {
    listed: List<'h, NamedGroup>,
    shares: Sequence<'h, KeyShareEntry<'h>>,
}

impl<'h> OfferedGroups<'h> {
    pub(super) fn read(hello: &ClientHello<'h>) -> Result<Self, Error> {
        let shares = hello.extensions.find::<KeyShareClientHello<'h>>()?.map(|extension| extension.client_shares);
        let listed = hello.extensions.find::<SupportedGroups<'h>>()?.map(|extension| extension.groups);
        let (listed, shares) = (listed.unwrap_or_default(), shares.unwrap_or_default());
        check_shares(shares.iter().map(|share| share.group), &listed)?;
        Ok(Self { listed, shares })
    }

    /// The client's share of `group`, if there is one.
    pub(super) fn share(&self, group: NamedGroup) -> Option<&'h [u8]> {
        self.shares.iter().find(|share| share.group == group).map(|share| share.key_exchange)
    }

    /// Our most preferred group that the client lists, whether or not there is a share of it.
    pub(super) fn favourite(&self, common: &Common) -> Result<NamedGroup, Error> {
        self.first_listed(ours(common))
    }

    fn first_listed(&self, mut groups: impl Iterator<Item = NamedGroup>) -> Result<NamedGroup, Error> {
        Ok(groups.find(|group| self.listed.contains(group)).ok_or(Incompatible::NoCommonGroup)?)
    }

    /// Our most preferred group of which the client sends a share, with the share; if there is none, the
    /// most preferred that both know: a round trip costs more than our order is worth. Only `asked` is
    /// looked at where a share of it was asked for.
    pub(super) fn choose(
        &self,
        common: &Common,
        asked: Option<NamedGroup>,
    ) -> Result<(NamedGroup, Option<&'h [u8]>), Error> {
        let candidates = || ours(common).filter(|group| asked.is_none_or(|asked| asked == *group));
        if let Some((group, share)) = candidates().find_map(|group| Some((group, self.share(group)?))) {
            return Ok((group, Some(share)));
        }
        Ok((self.first_listed(candidates())?, None))
    }
}

/// The groups that we take in 1.3, most preferred first.
fn ours(common: &Common) -> impl Iterator<Item = NamedGroup> + '_ {
    common.groups.iter().copied().filter(|group| GroupKind::of(*group).is_for_13())
}

/// One share of a group, and of listed groups alone. Sets, because a hostile hello has thousands of either.
fn check_shares(shares: impl Iterator<Item = NamedGroup>, listed: &List<'_, NamedGroup>) -> Result<(), Error> {
    let mut left: BTreeSet<NamedGroup> = listed.iter().collect();
    for group in shares {
        if !left.remove(&group) {
            return Err(PeerFault::BadKeyShareList.into());
        }
    }
    Ok(())
}

/// Whether the shares in a second hello are what was asked for: one of `group`, and no other
/// (RFC 9846 §4.2.2). A hello without the extension is another matter.
pub(super) fn has_only_share(hello: &ClientHello<'_>, group: NamedGroup) -> Result<bool, Error> {
    let Some(offer) = hello.extensions.find::<KeyShareClientHello<'_>>()? else { return Ok(true) };
    Ok(offer.client_shares.iter().map(|share| share.group).eq([group]))
}
