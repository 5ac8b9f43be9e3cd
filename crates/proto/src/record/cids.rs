//! The connection ids of an association: which ones records to us may carry, and the one that ours carry.
//!
//! RFC 9146 §3, RFC 9147 §4 and §9.

use alloc::boxed::Box;
use alloc::vec::Vec;

use gramseal_wire::{DecodeError, Reader, Writer};

use super::layer::RecordLayer;
use crate::cid::{Cid, CidLengths};
use crate::encoding::{flag, read_flag};

/// Those of one association. Ids do not say how long they are, so that none of ours may begin with another.
#[derive(Debug)]
pub(crate) struct Cids {
    /// Ours, which the peer knows or is told.
    ours: Vec<Cid>,
    /// The peer's, in the records that we send; empty if it wants none.
    peers: Cid,
    /// Others of the peer's, for later: those that were in no record yet, in the order in which it gave them, and then
    /// those that were lent, the latest at the end.
    spares: Vec<Cid>,
    /// How many of the spares were in records to where the peer perhaps is not.
    lent: usize,
    /// Whether all that the peer protects has to carry one of ours.
    expected: bool,
}

impl Cids {
    fn new(ours: Vec<Cid>, peers: Cid, expected: bool) -> Self {
        Self { ours, peers, spares: Vec::new(), lent: 0, expected }
    }

    /// How long the id of ours is that `bytes` begin with.
    #[inline]
    pub(super) fn find(&self, bytes: &[u8]) -> Option<usize> {
        self.ours.iter().find(|cid| bytes.starts_with(cid)).map(|cid| cid.len())
    }

    /// Whether the peer may put any into its records.
    #[inline]
    pub(super) fn has_own(&self) -> bool {
        !self.ours.is_empty()
    }

    /// What protected records to the peer carry; empty if nothing.
    #[inline]
    pub(super) fn peers(&self) -> &[u8] {
        &self.peers
    }

    pub(super) fn are_expected(&self) -> bool {
        self.expected
    }

    pub(crate) fn write_image(&self, w: &mut Writer<'_>) {
        // What was lent is as good as new to an importer that has nothing else, and comes last.
        let Self { ours, peers, spares, expected, lent: _ } = self;
        w.vec8(|w| w.bytes(peers));
        flag(w, *expected);
        for cids in [ours, spares] {
            w.vec16(|w| cids.iter().for_each(|cid| w.vec8(|w| w.bytes(cid))));
        }
    }

    /// Bytes that [`Self::write_image`] writes.
    pub(crate) fn image_len(&self) -> usize {
        let cids = self.ours.iter().chain(&self.spares).chain([&self.peers]);
        5 + cids.map(|cid| 1 + cid.len()).sum::<usize>()
    }

    pub(crate) fn read_image(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let cid = |r: &mut Reader<'_>| Cid::new(r.vec8()?).ok_or(DecodeError::BadVectorLength);
        let cids = |r: &mut Reader<'_>| {
            let (mut list, mut cids) = (Reader::new(r.vec16()?), Vec::new());
            while !list.is_empty() {
                cids.push(cid(&mut list)?);
            }
            Ok::<_, DecodeError>(cids)
        };
        let (peers, expected, ours, spares) = (cid(r)?, read_flag(r)?, cids(r)?, cids(r)?);
        // One that is empty would be found in every record.
        let sound = ours.iter().chain(&spares).all(|cid| !cid.is_empty()) && (!expected || !ours.is_empty());
        if sound { Ok(Self { ours, peers, spares, lent: 0, expected }) } else { Err(DecodeError::IllegalValue) }
    }
}

impl RecordLayer {
    /// We offered `cid`: protected records may carry it from now on, for they may overtake the answer.
    pub(crate) fn offer_cid(&mut self, cid: Cid) {
        self.cids = Some(Box::new(Cids::new(Vec::from([cid]), Cid::EMPTY, false)));
    }

    /// Both sides said what they want to see in records to them: we `ours`, the peer `peers`; empty if nothing.
    pub(crate) fn agree_on_cids(&mut self, ours: Cid, peers: Cid) {
        let expected = !ours.is_empty();
        let ours = if expected { Vec::from([ours]) } else { Vec::new() };
        self.cids = (expected || !peers.is_empty()).then(|| Box::new(Cids::new(ours, peers, expected)));
    }

    /// They are as they were in another process.
    pub(crate) fn restore_cids(&mut self, cids: Cids) {
        self.cids = Some(Box::new(cids));
    }

    /// The peer wants to hear of no ids.
    pub(crate) fn forget_cids(&mut self) {
        self.cids = None;
    }

    /// What [`split_record`](super::split_record) has to know.
    #[inline]
    pub(crate) fn cids(&self) -> Option<&Cids> {
        self.cids.as_deref()
    }

    /// Those of ours that the peer may use.
    pub(crate) fn own_cids(&self) -> &[Cid] {
        self.cids.as_ref().map_or(&[], |cids| &cids.ours)
    }

    /// What protected records to the peer carry; empty if nothing.
    #[inline]
    pub(crate) fn peer_cid(&self) -> &[u8] {
        self.cids.as_ref().map_or(&[], |cids| cids.peers())
    }

    /// The peer may use `cid`, too.
    pub(crate) fn accept_cid(&mut self, cid: Cid) {
        if let Some(cids) = &mut self.cids {
            cids.ours.reserve_exact(1);
            cids.ours.push(cid);
        }
    }

    /// The peer may not use its oldest `count` ids any more, which are given back. One always stays.
    pub(crate) fn retire_cids(&mut self, count: usize) -> Vec<Cid> {
        let Some(cids) = &mut self.cids else { return Vec::new() };
        let count = count.min(cids.ours.len().saturating_sub(1));
        let kept = cids.ours.split_off(count);
        core::mem::replace(&mut cids.ours, kept)
    }

    /// Protected records to the peer carry `cid` from now on, and none of those it gave before.
    pub(crate) fn replace_peer_cid(&mut self, cid: Cid) {
        if let Some(cids) = &mut self.cids {
            (cids.peers, cids.spares, cids.lent) = (cid, Vec::new(), 0);
        }
    }

    /// Keeps an id of the peer's for later, unless it is known, in place of one that was lent if there are `most`
    /// already.
    pub(crate) fn add_spare_cid(&mut self, cid: Cid, most: usize) {
        let Some(cids) = &mut self.cids else { return };
        if cids.peers == cid || cids.spares.contains(&cid) {
            return;
        }
        let fresh = cids.spares.len() - cids.lent;
        if cids.spares.len() < most {
            cids.spares.reserve_exact(1);
        } else if cids.lent > 0 {
            cids.spares.remove(fresh);
            cids.lent -= 1;
        } else {
            return;
        }
        cids.spares.insert(fresh, cid);
    }

    /// How many ids of the peer's are kept for later that were in no record yet.
    pub(crate) fn spare_cids(&self) -> usize {
        self.cids.as_ref().map_or(0, |cids| cids.spares.len() - cids.lent)
    }

    /// Protected records to the peer carry the oldest id that was kept for later, one that was lent if there is no other;
    /// `false` if there is none.
    pub(crate) fn use_next_cid(&mut self) -> bool {
        let Some(cids) = self.cids.as_mut().filter(|cids| !cids.spares.is_empty()) else { return false };
        cids.peers = cids.spares.remove(0);
        cids.lent = cids.lent.min(cids.spares.len());
        true
    }

    /// Lends the next of the ids that are kept for later, if there are any, to records that go where the peer perhaps is
    /// not. It stays one of them: the last that is lent again.
    pub(crate) fn lend_next_cid(&mut self) {
        if let Some(cids) = self.cids.as_mut().filter(|cids| !cids.spares.is_empty()) {
            cids.spares.rotate_left(1);
            cids.lent = (cids.lent + 1).min(cids.spares.len());
        }
    }

    /// Whether one is.
    pub(crate) fn has_lent_cid(&self) -> bool {
        self.cids.as_ref().is_some_and(|cids| cids.lent > 0)
    }

    /// Protected records carry the id that was lent last; called again, the one before once more.
    pub(crate) fn swap_lent_cid(&mut self) {
        if let Some(cids) = self.cids.as_mut().filter(|cids| cids.lent > 0) {
            if let Some(lent) = cids.spares.last_mut() {
                core::mem::swap(&mut cids.peers, lent);
            }
        }
    }

    /// Protected records to the peer carry the id that was lent last, if one is, from now on.
    pub(crate) fn keep_lent_cid(&mut self) {
        if let Some(cids) = self.cids.as_mut().filter(|cids| cids.lent > 0) {
            if let Some(lent) = cids.spares.pop() {
                cids.peers = lent;
                cids.lent -= 1;
            }
        }
    }

    /// Bytes in the longest of the ids that are kept for later; 0 if there are none.
    pub(crate) fn longest_spare_cid(&self) -> usize {
        let spares = self.cids.as_ref().map_or(&[][..], |cids| &cids.spares);
        spares.iter().map(|cid| cid.len()).max().unwrap_or(0)
    }

    /// How long the ids of both sides are; `None` if there are none.
    pub(crate) fn cid_lengths(&self) -> Option<CidLengths> {
        let cids = self.cids.as_ref()?;
        Some(CidLengths { own: cids.ours.first().map_or(0, Cid::length), peer: cids.peers.length() })
    }

    /// Whether protected records to us have to carry a connection id.
    #[inline]
    pub(super) fn expects_cids(&self) -> bool {
        self.cids.as_ref().is_some_and(|cids| cids.are_expected())
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;
    use alloc::vec::Vec;

    use gramseal_wire::{
        ContentType, DecodeError, Epoch, ProtocolVersion, Reader, RecordNumber, SequenceNumber, Writer,
    };

    use super::Cids;
    use crate::cid::{Cid, CidLengths};
    use crate::crypto::AeadAlgorithm;
    use crate::discard::Discard;
    use crate::padding::Padding;
    use crate::record::test_keys::{test_keys, test_keys13};
    use crate::record::{ContentLimits, ReadEpoch, RecordLayer, WriteEpoch, split_record};

    const DATA: ContentType = ContentType::APPLICATION_DATA;
    const OURS: &[u8] = &[0xc1, 0xd2, 0xe3];
    const VERSIONS: [ProtocolVersion; 2] = [ProtocolVersion::DTLS1_2, ProtocolVersion::DTLS1_3];

    fn cid(bytes: &[u8]) -> Cid {
        Cid::new(bytes).expect("short enough")
    }

    /// The epoch of application data.
    fn epoch(version: ProtocolVersion) -> Epoch {
        if version == ProtocolVersion::DTLS1_3 { Epoch::APPLICATION } else { Epoch(1) }
    }

    /// A side that puts `cid` into its records, and one that expects `OURS` in records to it.
    fn pair(version: ProtocolVersion, peers: &[u8]) -> (RecordLayer, RecordLayer) {
        let mut writer = RecordLayer::new(SequenceNumber(0), 64);
        let mut reader = RecordLayer::new(SequenceNumber(0), 64);
        let epoch = epoch(version);
        if version == ProtocolVersion::DTLS1_3 {
            writer.install_write(WriteEpoch::dtls13(epoch, test_keys13(AeadAlgorithm::Aes128Gcm, 1)));
            reader.install_read(ReadEpoch::dtls13(epoch, test_keys13(AeadAlgorithm::Aes128Gcm, 1), 64));
        } else {
            writer.install_write(WriteEpoch::dtls12(epoch, test_keys(AeadAlgorithm::Aes128Gcm, 1)));
            reader.install_read(ReadEpoch::dtls12(epoch, test_keys(AeadAlgorithm::Aes128Gcm, 1), 64));
        }
        for layer in [&mut writer, &mut reader] {
            layer.set_version(version);
        }
        writer.agree_on_cids(Cid::EMPTY, cid(peers));
        reader.agree_on_cids(cid(OURS), Cid::EMPTY);
        (writer, reader)
    }

    fn seal(writer: &mut RecordLayer, epoch: Epoch, content: &[u8]) -> Vec<u8> {
        let padded = content.len() + writer.padding(epoch, content.len());
        let mut record = vec![0; writer.sealed_len(epoch, padded)];
        let len = writer.seal(epoch, DATA, content, &mut record).expect("seals");
        assert_eq!(len, record.len());
        record
    }

    /// What comes of each record of a datagram, up to what cannot be split off.
    fn open(reader: &mut RecordLayer, datagram: &[u8]) -> Vec<Result<Vec<u8>, Discard>> {
        let mut datagram = datagram.to_vec();
        let mut rest = datagram.as_mut_slice();
        let mut named = false;
        let mut opened = Vec::new();
        loop {
            match split_record(&mut rest, reader.cids()) {
                Ok(Some(mut record)) => {
                    if named {
                        record.follows_named();
                    }
                    named = record.is_named();
                    opened.push(reader.open(record).map(|opened| {
                        assert_eq!(opened.content_type, DATA);
                        opened.content.to_vec()
                    }));
                }
                Ok(None) => return opened,
                Err(reason) => {
                    opened.push(Err(reason));
                    return opened;
                }
            }
        }
    }

    #[test] // RFC 9146 §4, RFC 9147 §4
    fn records_carry_ids_of_every_length() {
        for version in VERSIONS {
            for len in 0..=255 {
                let id = vec![len; usize::from(len)];
                let (mut writer, mut reader) = pair(version, &id);
                reader.agree_on_cids(cid(&id), Cid::EMPTY);
                let record = seal(&mut writer, epoch(version), b"hello");
                let (offset, first) = match (version, len) {
                    (ProtocolVersion::DTLS1_3, 0) => (1, 0b0010_1111),
                    (ProtocolVersion::DTLS1_3, _) => (1, 0b0011_1111),
                    (_, 0) => (11, 23),
                    (_, _) => (11, 25),
                };
                assert_eq!(record[0], first, "{version} {len}");
                assert!(record[offset..].starts_with(&id));
                assert_eq!(record.len(), 5 + writer.overhead(epoch(version)), "{version} {len}");
                assert_eq!(open(&mut reader, &record), [Ok(b"hello".to_vec())], "{version} {len}");
            }
        }
    }

    #[test] // RFC 9146 §3, RFC 9147 §4
    fn what_is_protected_carries_the_id_that_was_agreed_on() {
        for version in VERSIONS {
            let (mut without, mut reader) = pair(version, &[]);
            let record = seal(&mut without, epoch(version), b"x");
            assert_eq!(open(&mut reader, &record), [Err(Discard::MissingCid)], "{version}");
            let (mut other, mut reader) = pair(version, &[0xc1, 0xd2, 0xe4]);
            let record = seal(&mut other, epoch(version), b"x");
            assert_eq!(open(&mut reader, &record), [Err(Discard::UnknownCid)], "{version}");
            let (mut short, mut reader) = pair(version, &[0xc1]);
            let record = seal(&mut short, epoch(version), b"x");
            assert_eq!(open(&mut reader, &record), [Err(Discard::UnknownCid)], "{version}");
        }
    }

    #[test] // RFC 9147 §9.1
    fn who_has_agreed_on_none_takes_none() {
        for version in VERSIONS {
            let (mut writer, mut reader) = pair(version, OURS);
            let record = seal(&mut writer, epoch(version), b"x");
            reader.forget_cids();
            assert_eq!(open(&mut reader, &record), [Err(Discard::UnnegotiatedCid)], "{version}");
            reader.agree_on_cids(Cid::EMPTY, cid(&[7]));
            assert_eq!(open(&mut reader, &record), [Err(Discard::UnnegotiatedCid)], "{version}");
            reader.agree_on_cids(Cid::EMPTY, Cid::EMPTY);
            assert!(reader.cids().is_none() && reader.cid_lengths().is_none());
        }
    }

    #[test] // RFC 9146 §3
    fn what_is_not_protected_never_carries_an_id() {
        for version in VERSIONS {
            let (mut writer, mut reader) = pair(version, OURS);
            let record = seal(&mut writer, Epoch::UNPROTECTED, b"x");
            assert_eq!((record[0], record.len()), (23, 14), "{version}");
            assert_eq!(open(&mut reader, &record), [Ok(b"x".to_vec())], "{version}");
        }
        let (mut writer, mut reader) = pair(ProtocolVersion::DTLS1_2, OURS);
        let mut record = seal(&mut writer, Epoch(1), b"x");
        record[4] = 0;
        assert_eq!(open(&mut reader, &record), [Err(Discard::UnexpectedContent)]);
        record[4] = 2;
        assert_eq!(open(&mut reader, &record), [Err(Discard::NextEpoch)]);
        record[4] = 3;
        assert_eq!(open(&mut reader, &record), [Err(Discard::UnknownEpoch)]);
    }

    #[test] // RFC 9146 §3: the client's records may overtake nothing, the server's its hello
    fn before_the_answer_an_offered_id_is_taken_and_not_missed() {
        for version in VERSIONS {
            for id in [&[][..], OURS] {
                let (mut writer, mut reader) = pair(version, id);
                reader.forget_cids();
                reader.offer_cid(cid(OURS));
                let record = seal(&mut writer, epoch(version), b"x");
                assert_eq!(open(&mut reader, &record), [Ok(b"x".to_vec())], "{version} {id:?}");
            }
        }
    }

    #[test] // RFC 9147 §4
    fn a_record_of_another_association_takes_the_rest_of_the_datagram_along() {
        for version in VERSIONS {
            let (mut ours, mut reader) = pair(version, OURS);
            let (mut theirs, _) = pair(version, &[9; 3]);
            let ours = [0; 2].map(|_| seal(&mut ours, epoch(version), b"x"));
            let datagram = [&ours[0], &seal(&mut theirs, epoch(version), b"x"), &ours[1]].map(Vec::as_slice).concat();
            assert_eq!(open(&mut reader, &datagram), [Ok(b"x".to_vec()), Err(Discard::UnknownCid)], "{version}");
            assert_eq!(open(&mut reader, &ours[1]), [Ok(b"x".to_vec())], "{version}");
        }
    }

    #[test] // RFC 9147 §4: each datagram has an id; RFC 9146 §3: each record has
    fn behind_a_record_with_an_id_others_do_without_in_1_3() {
        for version in VERSIONS {
            let (mut writer, mut reader) = pair(version, OURS);
            let named = seal(&mut writer, epoch(version), b"a");
            writer.forget_cids();
            let unnamed = seal(&mut writer, epoch(version), b"b");
            let second = if version == ProtocolVersion::DTLS1_3 { Ok(b"b".to_vec()) } else { Err(Discard::MissingCid) };
            assert_eq!(open(&mut reader, &[&named[..], &unnamed].concat()), [Ok(b"a".to_vec()), second], "{version}");
            assert_eq!(open(&mut reader, &unnamed), [Err(Discard::MissingCid)], "{version}");
        }
    }

    #[test] // RFC 9146 §5.3, RFC 9147 §4
    fn every_bit_of_a_record_is_authentic() {
        for version in VERSIONS {
            let (mut writer, mut reader) = pair(version, OURS);
            let record = seal(&mut writer, epoch(version), b"hello");
            for bit in 0..record.len() * 8 {
                let mut changed = record.clone();
                changed[bit / 8] ^= 1 << (bit % 8);
                let opened = open(&mut reader, &changed);
                assert!(opened.iter().all(Result::is_err), "{version} {bit}: {opened:?}");
            }
            assert_eq!(open(&mut reader, &record), [Ok(b"hello".to_vec())]);
            assert_eq!(open(&mut reader, &record)[0], Err(Discard::Replayed), "{version}");
        }
    }

    #[test] // RFC 9146 §4 and §5
    fn records_of_1_2_with_an_id_have_padding_and_room_for_the_type() {
        let (mut writer, mut reader) = pair(ProtocolVersion::DTLS1_2, OURS);
        writer.set_padding(Padding::Block(64));
        let lengths = [1, 40, 64].map(|len| {
            let content = vec![7; len];
            let record = seal(&mut writer, Epoch(1), &content);
            assert_eq!(open(&mut reader, &record), [Ok(content)]);
            record.len()
        });
        assert_eq!(lengths, [64 + 13 + 3 + 1 + 24; 3]);
        let most = (1 << 14) - 1;
        assert_eq!(writer.max_content(Epoch(1)), most);
        let record = seal(&mut writer, Epoch(1), &vec![1; most]);
        assert_eq!(record.len(), (1 << 14) + 13 + 3 + 24);
        assert_eq!(open(&mut reader, &record), [Ok(vec![1; most])]);
        writer.forget_cids();
        assert_eq!(writer.max_content(Epoch(1)), 1 << 14);
        assert_eq!(writer.padding(Epoch(1), 1), 0, "there is no place for it");
    }

    #[test] // RFC 8449 §4
    fn records_with_an_id_keep_to_the_limit_too() {
        for version in VERSIONS {
            let (mut writer, mut reader) = pair(version, OURS);
            let limits = ContentLimits { unprotected: 1 << 14, protected: 64 };
            reader.limit_content(limits, limits);
            let lengths = [64, 65].map(|len| {
                let record = seal(&mut writer, epoch(version), &vec![1; len]);
                open(&mut reader, &record).remove(0).map(|content| content.len())
            });
            assert_eq!(lengths, [Ok(64), Err(Discard::Oversized)], "{version}");
        }
    }

    #[test] // RFC 9146 §6
    fn the_newest_record_is_the_one_with_the_highest_number_of_the_newest_epoch() {
        let (mut writer, mut reader) = pair(ProtocolVersion::DTLS1_3, OURS);
        let records = [0; 3].map(|_| seal(&mut writer, Epoch::APPLICATION, b"x"));
        let newest =
            |reader: &RecordLayer, epoch, number| reader.is_newest(RecordNumber::new(epoch, SequenceNumber(number)));
        for (number, is_newest) in [(1, true), (0, false), (2, true)] {
            assert!(open(&mut reader, &records[number])[0].is_ok());
            assert_eq!(newest(&reader, Epoch::APPLICATION, number as u64), is_newest, "{number}");
        }
        let next = Epoch(4);
        writer.install_write(WriteEpoch::dtls13(next, test_keys13(AeadAlgorithm::Aes128Gcm, 2)));
        reader.install_read(ReadEpoch::dtls13(next, test_keys13(AeadAlgorithm::Aes128Gcm, 2), 64));
        assert!(newest(&reader, Epoch::APPLICATION, 2), "nothing of the new epoch came");
        let [old, new] = [Epoch::APPLICATION, next].map(|epoch| seal(&mut writer, epoch, b"x"));
        assert!(open(&mut reader, &new)[0].is_ok() && open(&mut reader, &old)[0].is_ok());
        assert!(newest(&reader, next, 0) && !newest(&reader, Epoch::APPLICATION, 3));
    }

    #[test] // RFC 9147 §9
    fn ids_are_lent_in_order_and_come_back() {
        let (mut layer, _) = pair(ProtocolVersion::DTLS1_3, &[9]);
        layer.lend_next_cid();
        layer.swap_lent_cid();
        layer.keep_lent_cid();
        assert_eq!((layer.peer_cid(), layer.has_lent_cid(), layer.longest_spare_cid()), (&[9][..], false, 0));
        let lend = |layer: &mut RecordLayer| {
            layer.lend_next_cid();
            layer.swap_lent_cid();
            let lent = layer.peer_cid().to_vec();
            layer.swap_lent_cid();
            assert_eq!(layer.peer_cid(), [9]);
            lent
        };
        for id in [&[1; 1][..], &[2; 2], &[1; 1], &[9]] {
            layer.add_spare_cid(cid(id), 3);
        }
        assert_eq!((layer.spare_cids(), layer.longest_spare_cid()), (2, 2));
        assert_eq!(lend(&mut layer), [1]);
        layer.add_spare_cid(cid(&[3; 3]), 3);
        assert_eq!([lend(&mut layer), lend(&mut layer), lend(&mut layer)], [vec![2; 2], vec![3; 3], vec![1]]);
        assert_eq!((layer.spare_cids(), layer.has_lent_cid()), (0, true));
        // The one that was lent longest ago makes room, and those that were not go first.
        layer.add_spare_cid(cid(&[4; 4]), 3);
        assert_eq!((layer.spare_cids(), layer.longest_spare_cid()), (1, 4));
        assert_eq!([lend(&mut layer), lend(&mut layer)], [vec![4; 4], vec![3; 3]]);
        layer.keep_lent_cid();
        assert_eq!((layer.peer_cid(), layer.spare_cids()), (&[3; 3][..], 0));
        assert!(layer.use_next_cid() && layer.has_lent_cid() && layer.peer_cid() == [1]);
        assert!(layer.use_next_cid() && !layer.has_lent_cid() && layer.peer_cid() == [4; 4]);
        assert!(!layer.use_next_cid());
        for (count, id) in (5..10).enumerate() {
            assert_eq!(layer.spare_cids(), count.min(3));
            layer.add_spare_cid(cid(&[id]), 3);
        }
    }

    #[test]
    fn lengths_are_those_that_were_agreed_on() {
        let mut layer = RecordLayer::new(SequenceNumber(0), 64);
        assert_eq!(layer.cid_lengths(), None);
        layer.agree_on_cids(cid(&[1; 7]), cid(&[2; 200]));
        assert_eq!(layer.cid_lengths(), Some(CidLengths { own: 7, peer: 200 }));
        assert_eq!((layer.own_cids(), layer.peer_cid()), (&[cid(&[1; 7])][..], &[2; 200][..]));
    }

    #[test] // RFC 9147 §9
    fn ids_for_later_are_used_in_their_order_and_known_ones_are_not_kept_twice() {
        let mut layer = RecordLayer::new(SequenceNumber(0), 64);
        layer.add_spare_cid(cid(&[1]), 8);
        assert!(!layer.use_next_cid(), "there is nothing to add one to");
        layer.agree_on_cids(Cid::EMPTY, cid(&[1]));
        for (known, kept) in [(1, 0), (2, 1), (3, 2), (2, 2), (1, 2)] {
            layer.add_spare_cid(cid(&[known]), 8);
            assert_eq!(layer.spare_cids(), kept, "{known}");
        }
        for next in [2, 3] {
            assert!(layer.use_next_cid());
            assert_eq!(layer.peer_cid(), [next]);
        }
        assert!(!layer.use_next_cid());
        assert_eq!(layer.peer_cid(), [3]);
        layer.add_spare_cid(cid(&[4]), 8);
        layer.replace_peer_cid(cid(&[5]));
        assert_eq!((layer.peer_cid(), layer.spare_cids()), (&[5][..], 0));
    }

    #[test] // RFC 9147 §9
    fn the_oldest_ids_of_ours_go_first_and_one_stays() {
        let mut layer = RecordLayer::new(SequenceNumber(0), 64);
        layer.accept_cid(cid(&[1]));
        assert!(layer.own_cids().is_empty() && layer.retire_cids(1).is_empty());
        layer.agree_on_cids(cid(&[1]), Cid::EMPTY);
        (2..=4).for_each(|next| layer.accept_cid(cid(&[next])));
        assert_eq!(layer.retire_cids(0), []);
        assert_eq!(layer.retire_cids(2), [cid(&[1]), cid(&[2])]);
        assert_eq!(layer.retire_cids(9), [cid(&[3])]);
        assert_eq!(layer.own_cids(), [cid(&[4])]);
    }

    fn image(cids: &Cids) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut w = Writer::new(&mut bytes);
        cids.write_image(&mut w);
        w.finish().expect("short lists");
        bytes
    }

    #[test]
    fn an_image_says_all_and_has_the_length_it_is_said_to_have() {
        let list = |lengths: &[u8]| lengths.iter().map(|len| cid(&vec![*len; usize::from(*len)])).collect::<Vec<_>>();
        for (ours, peers, spares, expected) in [
            (&[][..], &[][..], &[][..], false),
            (&[3, 4], &[7], &[9, 200], true),
            (&[255], &[], &[], true),
            (&[5], &[], &[], false),
            (&[], &[1], &[2], false),
        ] {
            let peers = peers.first().map_or(Cid::EMPTY, |len| cid(&vec![*len; usize::from(*len)]));
            let cids = Cids { ours: list(ours), peers, spares: list(spares), lent: 0, expected };
            let bytes = image(&cids);
            assert_eq!(bytes.len(), cids.image_len());
            let mut r = Reader::new(&bytes);
            let again = Cids::read_image(&mut r).expect("it was written");
            assert!(r.is_empty());
            assert_eq!(image(&again), bytes);
        }
    }

    #[test]
    fn an_image_with_an_id_that_every_record_begins_with_is_refused() {
        let sound = Cids { ours: vec![cid(OURS)], peers: Cid::EMPTY, spares: vec![cid(&[1])], lent: 0, expected: true };
        assert!(Cids::read_image(&mut Reader::new(&image(&sound))).is_ok());
        let none_is_expected = Cids { ours: Vec::new(), expected: true, spares: Vec::new(), ..sound };
        let own_is_empty = Cids { ours: vec![cid(OURS), Cid::EMPTY], spares: Vec::new(), ..none_is_expected };
        for unsound in [image(&own_is_empty), image(&Cids { ours: Vec::new(), ..own_is_empty })] {
            let read = Cids::read_image(&mut Reader::new(&unsound));
            assert_eq!(read.err(), Some(DecodeError::IllegalValue));
        }
    }
}
