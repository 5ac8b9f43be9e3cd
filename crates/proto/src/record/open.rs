//! The receive path: one record in the caller's buffer in, its content out, in the same place.
//!
//! No copy and no allocation. Whatever is wrong with a record, it is dropped and the rest of the
//! association does not notice (RFC 6347 §4.1.2.7, RFC 9147 §4.5.2). RFC 6347 §4.1, RFC 5246 §6.2,
//! RFC 9147 §4, RFC 9146 §3 and §4.

use core::mem;

use gramseal_wire::{
    Cid12Header, Codec, ContentType, DatagramKind, Epoch, PlaintextHeader, ProtocolVersion, Reader, RecordHeader,
    RecordNumber, SequenceNumber, UnifiedHeader,
};

use super::MAX_CONTENT_LEN;
use super::cids::Cids;
use super::epoch::ReadEpoch;
use super::layer::RecordLayer;
use super::protect12::{Covered, Named};
use crate::discard::Discard;

/// How much longer than its content the body of a protected record may be (RFC 5246 §6.2.3).
const MAX_EXPANSION: usize = 2048;
/// The same of 1.3 (RFC 9846 §5.2).
const MAX_EXPANSION_13: usize = 256;

/// One record as it arrived: its header was read, nothing was checked.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Record<'d> {
    header: Header,
    /// Whether it carries one of our connection ids, or one before it in its datagram does.
    named: bool,
    /// Header and body.
    bytes: &'d mut [u8],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Header {
    Plaintext(PlaintextHeader),
    Cid12(Cid12Header),
    Unified(UnifiedHeader),
}

impl Record<'_> {
    /// Its bytes, header included.
    pub(crate) fn bytes(&self) -> &[u8] {
        self.bytes
    }

    /// Whether it carries one of our connection ids, or one before it in its datagram does.
    pub(crate) fn is_named(&self) -> bool {
        self.named
    }

    /// One before it in its datagram carries one of our connection ids.
    pub(crate) fn follows_named(&mut self) {
        self.named = true;
    }
}

/// What was in a record that is as authentic as its epoch.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Opened<'d> {
    pub(crate) number: RecordNumber,
    pub(crate) content_type: ContentType,
    /// A part of the record as it arrived.
    pub(crate) content: &'d mut [u8],
}

impl RecordLayer {
    /// Opens `record` in place.
    ///
    /// [`Discard::NextEpoch`] leaves the record as it was, so that it can be kept for later; after
    /// any other reason it may hold anything.
    #[inline]
    pub(crate) fn open<'d>(&mut self, record: Record<'d>) -> Result<Opened<'d>, Discard> {
        match record.header {
            Header::Plaintext(header) => self.open_plaintext(header, record),
            Header::Cid12(header) => self.open_cid12(header, record),
            Header::Unified(header) => self.open_unified(header, record),
        }
    }

    /// Opens a record with the header of 1.2, which those of epoch 0 have in 1.3 too.
    #[inline]
    fn open_plaintext<'d>(&mut self, header: PlaintextHeader, record: Record<'d>) -> Result<Opened<'d>, Discard> {
        check_form(&header)?;
        let PlaintextHeader { content_type, version, epoch, sequence_number, .. } = header;
        let body = record.bytes.get_mut(PlaintextHeader::LEN..).unwrap_or_default();
        let agreed = self.version();
        let newest = self.newest_read_epoch();
        let limit = self.read_limits.of(epoch);
        let expects_cids = self.expects_cids();
        let Some(reader) = self.read.find_mut(epoch) else {
            return Err(if newest.next() == Some(epoch) { Discard::NextEpoch } else { Discard::UnknownEpoch });
        };
        // RFC 9146 §3
        if expects_cids && reader.is_protected() {
            return Err(Discard::MissingCid);
        }
        // No RFC says what to do with another version. In epoch 0 the major one is all that is asked
        // for, at any time: a ClientHello may come with DTLS 1.0 (RFC 6347 §4.2.1, RFC 9147 §5.3), and
        // a peer that refuses our version says so in its own. BoringSSL does the same; OpenSSL asks for
        // the whole version of all but alerts, and so misses a ClientHello that is repeated.
        if reader.is_protected() && agreed.is_some_and(|agreed| agreed != version) {
            return Err(Discard::UnknownVersion);
        }
        let number = RecordNumber::new(epoch, sequence_number);
        let content = reader.open(Covered { number, content_type, version }, body)?;
        // RFC 8449 §4: dropped, as RFC 6347 §4.1.2.7 has it for all that is wrong with a record.
        if content.len() > limit {
            return Err(Discard::Oversized);
        }
        Ok(Opened { number, content_type, content })
    }

    /// Opens a record of 1.2 with a connection id.
    #[inline]
    fn open_cid12<'d>(&mut self, header: Cid12Header, record: Record<'d>) -> Result<Opened<'d>, Discard> {
        let Cid12Header { version, epoch, sequence_number, length, .. } = header;
        if !version.is_dtls() {
            return Err(Discard::UnknownVersion);
        }
        if usize::from(length) > MAX_CONTENT_LEN + MAX_EXPANSION {
            return Err(Discard::Oversized);
        }
        let (header_bytes, body) = record.bytes.split_at_mut_checked(header.header_len()).ok_or(Discard::Malformed)?;
        let cid = header_bytes.get(header.cid_range()).ok_or(Discard::Malformed)?;
        let (agreed, newest, limit) = (self.version(), self.newest_read_epoch(), self.read_limits.of(epoch));
        let Some(reader) = self.read.find_mut(epoch) else {
            return Err(if newest.next() == Some(epoch) { Discard::NextEpoch } else { Discard::UnknownEpoch });
        };
        if agreed.is_some_and(|agreed| agreed != version) {
            return Err(Discard::UnknownVersion);
        }
        let number = RecordNumber::new(epoch, sequence_number);
        let (content_type, content) = reader.open_named(Named { number, version, cid }, body)?;
        if content.len() > limit {
            return Err(Discard::Oversized);
        }
        Ok(Opened { number, content_type, content })
    }

    #[inline]
    fn open_unified<'d>(&mut self, header: UnifiedHeader, record: Record<'d>) -> Result<Opened<'d>, Discard> {
        if record.bytes.len() > header.header_len() + MAX_CONTENT_LEN + MAX_EXPANSION_13 {
            return Err(Discard::Oversized);
        }
        if self.comes_ahead_unified(header) {
            return Err(Discard::NextEpoch);
        }
        // RFC 9147 §4.2.2: of the epochs with these bits the newest is meant.
        let bits = header.epoch_bits;
        let lacks_cid = self.expects_cids() && !record.named;
        let reader = self.read.find_newest_mut(|epoch| epoch.has_bits(bits)).ok_or(Discard::UnknownEpoch)?;
        let epoch = reader.epoch();
        // RFC 9147 §4: each datagram has one. A client with early data has not heard of ours yet.
        if lacks_cid && epoch != Epoch::EARLY_DATA {
            return Err(Discard::MissingCid);
        }
        let opened = reader.open13(header, record.bytes)?;
        // A client with early data has not heard of our limit yet.
        let limit = if epoch == Epoch::EARLY_DATA { MAX_CONTENT_LEN } else { self.read_limits.of(epoch) };
        if opened.content.len() > limit {
            return Err(Discard::Oversized);
        }
        let number = RecordNumber::new(epoch, opened.sequence_number);
        Ok(Opened { number, content_type: opened.content_type, content: opened.content })
    }

    /// Whether `record` belongs to an epoch whose keys this handshake will make, so that it may be
    /// worth keeping. It may also be forged.
    pub(crate) fn comes_ahead(&self, record: &Record<'_>) -> bool {
        match record.header {
            Header::Plaintext(header) => self.comes_ahead12(header.epoch),
            Header::Cid12(header) => self.comes_ahead12(header.epoch),
            Header::Unified(header) => self.comes_ahead_unified(header),
        }
    }

    /// In 1.2 only one epoch ever gets keys.
    fn comes_ahead12(&self, epoch: Epoch) -> bool {
        let waits = self.newest_read_epoch() == Epoch::UNPROTECTED;
        waits && epoch == Epoch(1) && self.version() != Some(ProtocolVersion::DTLS1_3)
    }

    /// Whether `number`, of a record that opened, is above all others that came, of any epoch.
    pub(crate) fn is_newest(&self, number: RecordNumber) -> bool {
        let above = |epoch: &ReadEpoch| epoch.epoch() > number.epoch && epoch.expected() > SequenceNumber(0);
        let expected = self.read.find(number.epoch).map(ReadEpoch::expected);
        number.sequence_number.next() == expected && !self.read.any(above)
    }

    /// Whether `record` may be early data of a client whose hello has not come yet.
    pub(crate) fn comes_before_hello(&self, record: &Record<'_>) -> bool {
        let bits = UnifiedHeader::epoch_bits_of(Epoch::EARLY_DATA);
        self.version().is_none() && matches!(record.header, Header::Unified(header) if header.epoch_bits == bits)
    }

    /// RFC 9147 §6.1: epoch 2 is that of the handshake, epoch 3 the first of application data.
    #[inline]
    fn comes_ahead_unified(&self, header: UnifiedHeader) -> bool {
        let epoch = Epoch(header.epoch_bits.into());
        let handshakes = (Epoch::HANDSHAKE..=Epoch::APPLICATION).contains(&epoch) && epoch > self.newest_read_epoch();
        handshakes && self.version() != Some(ProtocolVersion::DTLS1_2)
    }
}

/// Takes the next record off the front of `datagram`; `None` at its end. `cids` are those of the association, if it has
/// any.
///
/// What is no record spoils all that follows, since nothing says where the next one begins: the
/// rest of the datagram is then dropped with it (RFC 6347 §4.1.1), as it is with a connection id that is not ours
/// (RFC 9147 §4).
#[inline]
pub(crate) fn split_record<'d>(
    datagram: &mut &'d mut [u8],
    cids: Option<&Cids>,
) -> Result<Option<Record<'d>>, Discard> {
    let rest = mem::take(datagram);
    let Some(first) = rest.first() else { return Ok(None) };
    if DatagramKind::of(*first) != DatagramKind::Dtls {
        return Err(Discard::Foreign);
    }
    let (header, len, named) = if UnifiedHeader::starts_with(*first) {
        let named = UnifiedHeader::has_cid(*first);
        let cid_len = if named { cid_len(rest.get(UnifiedHeader::CID_OFFSET..), cids)? } else { 0 };
        let header = UnifiedHeader::read(&mut Reader::new(rest), cid_len).map_err(|_| Discard::Malformed)?;
        let body = RecordHeader::Unified(header).body_len(rest.len()).map_err(|_| Discard::Malformed)?;
        (Header::Unified(header), header.header_len() + body, named)
    } else if *first == ContentType::TLS12_CID.0 {
        let cid_len = cid_len(rest.get(Cid12Header::CID_OFFSET..), cids)?;
        let header = Cid12Header::read(&mut Reader::new(rest), cid_len).map_err(|_| Discard::Malformed)?;
        (Header::Cid12(header), header.header_len() + usize::from(header.length), true)
    } else {
        let header = PlaintextHeader::read(&mut Reader::new(rest)).map_err(|_| Discard::Malformed)?;
        (Header::Plaintext(header), PlaintextHeader::LEN + usize::from(header.length), false)
    };
    let (bytes, rest) = rest.split_at_mut_checked(len).ok_or(Discard::Malformed)?;
    *datagram = rest;
    Ok(Some(Record { header, named, bytes }))
}

/// How long the connection id at the front of `bytes` is, which must be one of `cids`.
#[inline]
fn cid_len(bytes: Option<&[u8]>, cids: Option<&Cids>) -> Result<usize, Discard> {
    // RFC 9147 §9.1: who has not agreed on any takes none.
    let cids = cids.filter(|cids| cids.has_own()).ok_or(Discard::UnnegotiatedCid)?;
    cids.find(bytes.unwrap_or_default()).ok_or(Discard::UnknownCid)
}

/// What can be said against a record from its header alone.
#[inline]
fn check_form(header: &PlaintextHeader) -> Result<(), Discard> {
    match header.content_type {
        ContentType::CHANGE_CIPHER_SPEC
        | ContentType::ALERT
        | ContentType::HANDSHAKE
        | ContentType::APPLICATION_DATA => {}
        // No protected record of 1.3 has this header, and 1.2 has no ACKs.
        ContentType::ACK if header.epoch > Epoch::UNPROTECTED => return Err(Discard::UnexpectedContent),
        ContentType::ACK => {}
        // RFC 9853 §4: always protected.
        ContentType::RETURN_ROUTABILITY_CHECK if header.epoch > Epoch::UNPROTECTED => {}
        _ => return Err(Discard::UnknownContentType),
    }
    if !header.version.is_dtls() {
        return Err(Discard::UnknownVersion);
    }
    if usize::from(header.length) > MAX_CONTENT_LEN + MAX_EXPANSION {
        return Err(Discard::Oversized);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use alloc::vec;
    use alloc::vec::Vec;

    use gramseal_wire::{ContentType, Epoch, ProtocolVersion, RecordNumber, SequenceNumber, UnifiedHeader};
    use proptest::prelude::*;

    use super::{Opened, Record, split_record};
    use crate::crypto::AeadAlgorithm;
    use crate::discard::Discard;
    use crate::record::test_keys::{test_keys, test_keys13};
    use crate::record::{ContentLimits, ReadEpoch, RecordLayer, WriteEpoch};

    const EPOCH_1: Epoch = Epoch(1);
    const DATA: ContentType = ContentType::APPLICATION_DATA;

    /// The only record in `bytes`.
    fn whole(bytes: &mut [u8]) -> Result<Record<'_>, Discard> {
        let mut datagram = bytes;
        let record = split_record(&mut datagram, None)?.ok_or(Discard::Malformed)?;
        if datagram.is_empty() { Ok(record) } else { Err(Discard::Malformed) }
    }

    /// A side that writes and one that reads, in epochs 0 and 1.
    fn pair() -> (RecordLayer, RecordLayer) {
        let mut writer = RecordLayer::new(SequenceNumber(0), 64);
        let mut reader = RecordLayer::new(SequenceNumber(0), 64);
        for layer in [&mut writer, &mut reader] {
            layer.set_version(ProtocolVersion::DTLS1_2);
        }
        writer.install_write(WriteEpoch::dtls12(EPOCH_1, test_keys(AeadAlgorithm::Aes128Gcm, 1)));
        reader.install_read(ReadEpoch::dtls12(EPOCH_1, test_keys(AeadAlgorithm::Aes128Gcm, 1), 64));
        (writer, reader)
    }

    fn seal(writer: &mut RecordLayer, epoch: Epoch, content: &[u8]) -> Vec<u8> {
        let mut record = vec![0; content.len() + writer.overhead(epoch)];
        let len = writer.seal(epoch, DATA, content, &mut record).expect("seals");
        assert_eq!(len, record.len());
        record
    }

    fn open(reader: &mut RecordLayer, record: &[u8]) -> Result<Vec<u8>, Discard> {
        reader.open(whole(&mut record.to_vec())?).map(|opened| opened.content.to_vec())
    }

    #[test]
    fn content_stays_where_it_arrived() {
        let (mut writer, mut reader) = pair();
        for (epoch, offset) in [(Epoch::UNPROTECTED, 13), (EPOCH_1, 21)] {
            let mut record = seal(&mut writer, epoch, b"hello");
            let place = record[offset..].as_ptr();
            let Opened { number, content_type, content } =
                reader.open(whole(&mut record).expect("one record")).expect("opens");
            assert_eq!(number, RecordNumber::new(epoch, SequenceNumber(0)));
            assert_eq!((content_type, &*content), (DATA, &b"hello"[..]));
            assert_eq!(content.as_ptr(), place);
        }
    }

    #[test] // RFC 6347 §4.1.1
    fn a_datagram_is_taken_apart_record_by_record() {
        let (mut writer, _) = pair();
        let records =
            [seal(&mut writer, Epoch(0), b"a"), seal(&mut writer, EPOCH_1, b""), seal(&mut writer, EPOCH_1, b"bc")];
        let mut bytes = records.concat();
        let mut datagram = &mut bytes[..];
        for record in &records {
            assert_eq!(
                split_record(&mut datagram, None).expect("a record").map(|split| split.bytes().to_vec()),
                Some(record.clone())
            );
        }
        assert_eq!(split_record(&mut datagram, None), Ok(None));
    }

    #[test] // RFC 6347 §4.1.2.7
    fn what_is_no_record_takes_the_rest_of_the_datagram_along() {
        let (mut writer, _) = pair();
        let record = seal(&mut writer, Epoch(0), b"a");
        for (rest, reason) in [
            (&b"\x17"[..], Discard::Malformed),
            (&record[..13], Discard::Malformed),
            (&b"\x00\x01 STUN"[..], Discard::Foreign),
            (&b"\x80 RTP"[..], Discard::Foreign),
        ] {
            let mut bytes = [&record[..], rest].concat();
            let mut datagram = &mut bytes[..];
            assert!(split_record(&mut datagram, None).expect("a record").is_some());
            assert_eq!(split_record(&mut datagram, None), Err(reason));
            assert_eq!(split_record(&mut datagram, None), Ok(None));
        }
    }

    #[test] // RFC 6347 §4.1.2.6
    fn a_replayed_record_is_dropped() {
        let (mut writer, mut reader) = pair();
        let records: Vec<_> = (0..70).map(|_| seal(&mut writer, EPOCH_1, b"x")).collect();
        assert!(open(&mut reader, &records[69]).is_ok());
        assert_eq!(open(&mut reader, &records[69]), Err(Discard::Replayed));
        assert!(open(&mut reader, &records[6]).is_ok());
        assert_eq!(open(&mut reader, &records[5]), Err(Discard::TooOld));
    }

    #[test] // RFC 6347 §4.1.2.6
    fn forged_record_leaves_the_replay_window_alone() {
        let (mut writer, mut reader) = pair();
        let genuine = seal(&mut writer, EPOCH_1, b"x");
        let mut forged = genuine.clone();
        forged[5..11].fill(0xff);
        assert_eq!(open(&mut reader, &forged), Err(Discard::BadTag));
        assert!(open(&mut reader, &genuine).is_ok());
    }

    #[test]
    fn forged_plaintext_with_a_huge_number_shuts_nobody_out() {
        let (mut writer, mut reader) = pair();
        let genuine = seal(&mut writer, Epoch(0), b"x");
        let mut forged = genuine.clone();
        forged[5..11].fill(0xff);
        assert!(open(&mut reader, &forged).is_ok());
        assert!(open(&mut reader, &genuine).is_ok());
    }

    #[test] // RFC 6347 §4.1
    fn a_record_of_the_next_epoch_is_early_and_untouched() {
        let (mut writer, _) = pair();
        let mut reader = RecordLayer::new(SequenceNumber(0), 64);
        let record = seal(&mut writer, EPOCH_1, b"x");
        let mut arrived = record.clone();
        let early = whole(&mut arrived).expect("one record");
        assert!(reader.comes_ahead(&early));
        assert_eq!(reader.open(early), Err(Discard::NextEpoch));
        assert_eq!(arrived, record);

        let mut far = record;
        far[4] = 2;
        assert_eq!(open(&mut reader, &far), Err(Discard::UnknownEpoch));
    }

    #[test]
    fn retired_epochs_are_unknown() {
        let (mut writer, mut reader) = pair();
        reader.retire_read_before(EPOCH_1);
        assert!(!reader.can_read(Epoch(0)) && reader.can_read(EPOCH_1));
        assert_eq!(open(&mut reader, &seal(&mut writer, Epoch(0), b"x")), Err(Discard::UnknownEpoch));
        assert!(open(&mut reader, &seal(&mut writer, EPOCH_1, b"x")).is_ok());
    }

    #[test] // RFC 6347 §4.2.1, RFC 9147 §5.3
    fn epoch_0_takes_any_version_of_dtls_and_later_ones_the_agreed() {
        let (mut writer, mut reader) = pair();
        for (version, plaintext, sealed) in [
            ([0xfe, 0xff], Ok(()), Err(Discard::UnknownVersion)),
            ([0xfe, 0xfc], Ok(()), Err(Discard::UnknownVersion)),
            ([0x03, 0x03], Err(Discard::UnknownVersion), Err(Discard::UnknownVersion)),
        ] {
            for (epoch, expected) in [(Epoch(0), plaintext), (EPOCH_1, sealed)] {
                let mut record = seal(&mut writer, epoch, b"x");
                record[1..3].copy_from_slice(&version);
                assert_eq!(
                    whole(&mut record).and_then(|record| reader.open(record)).map(drop),
                    expected,
                    "{version:x?}"
                );
            }
        }
    }

    #[test]
    fn records_with_a_wrong_form_are_named_by_their_fault() {
        let (mut writer, mut reader) = pair();
        let record = seal(&mut writer, Epoch(0), b"x");
        assert_eq!(open(&mut reader, &record[..12]), Err(Discard::Malformed));
        assert_eq!(open(&mut reader, &record[..13]), Err(Discard::Malformed));
        let mut heartbeat = record.clone();
        heartbeat[0] = 24;
        assert_eq!(open(&mut reader, &heartbeat), Err(Discard::UnknownContentType));
        let mut ack = seal(&mut writer, EPOCH_1, b"x");
        ack[0] = ContentType::ACK.0;
        assert_eq!(open(&mut reader, &ack), Err(Discard::UnexpectedContent));

        for len in [(1 << 14) + 1, (1 << 14) + 2049] {
            let mut long = record.clone();
            long.truncate(13);
            long[11..13].copy_from_slice(&u16::try_from(len).expect("16 bits").to_be_bytes());
            long.resize(13 + len, 0);
            assert_eq!(open(&mut reader, &long), Err(Discard::Oversized));
        }
    }

    /// A record of 1.3 with a header of 5 bytes and so many behind it, which nothing sealed.
    fn unified(epoch: Epoch, len: usize) -> Vec<u8> {
        let mut record = vec![7; 5 + len];
        record[0] = 0b0010_1100 | UnifiedHeader::epoch_bits_of(epoch);
        record[3..5].copy_from_slice(&u16::try_from(len).expect("16 bits").to_be_bytes());
        record
    }

    #[test] // RFC 9846 §5.2
    fn what_is_longer_than_a_record_may_be_is_not_decrypted() {
        let mut reader = RecordLayer::new(SequenceNumber(0), 64);
        reader.install_read(ReadEpoch::dtls13(Epoch(3), test_keys13(AeadAlgorithm::Aes128Gcm, 1), 64));
        assert_eq!(open(&mut reader, &unified(Epoch(3), (1 << 14) + 256)), Err(Discard::BadTag));
        assert_eq!(open(&mut reader, &unified(Epoch(3), (1 << 14) + 257)), Err(Discard::Oversized));
    }

    #[test] // RFC 8449 §4
    fn records_of_1_3_keep_to_the_limit_too() {
        let keys = || test_keys13(AeadAlgorithm::Aes128Gcm, 1);
        let limits = |protected| ContentLimits { unprotected: 1 << 14, protected };
        let mut writer = RecordLayer::new(SequenceNumber(0), 64);
        let mut reader = RecordLayer::new(SequenceNumber(0), 64);
        reader.limit_content(limits(64), limits(1 << 14));
        for epoch in [Epoch::EARLY_DATA, Epoch::APPLICATION] {
            writer.install_write(WriteEpoch::dtls13(epoch, keys()));
            reader.install_read(ReadEpoch::dtls13(epoch, keys(), 64));
        }
        let mut lengths = |epoch| {
            [64, 65].map(|len| open(&mut reader, &seal(&mut writer, epoch, &vec![1; len])).map(|content| content.len()))
        };
        assert_eq!(lengths(Epoch::APPLICATION), [Ok(64), Err(Discard::Oversized)]);
        assert_eq!(lengths(Epoch::EARLY_DATA), [Ok(64), Ok(65)], "its client has not heard of the limit");
    }

    #[test] // RFC 6347 §4.1, RFC 9147 §6.1
    fn only_records_of_epochs_that_are_still_to_come_are_worth_keeping() {
        let older = |epoch: u8| [22, 0xfe, 0xfd, 0, epoch, 0, 0, 0, 0, 0, 0, 0, 0].to_vec();
        let newer = |epoch: u64| unified(Epoch(epoch), 32);
        let ahead =
            |layer: &RecordLayer, mut record: Vec<u8>| layer.comes_ahead(&whole(&mut record).expect("a record"));
        let mut layer = RecordLayer::new(SequenceNumber(0), 64);
        let kept = |layer: &RecordLayer| {
            let older = [0, 1, 2].map(|epoch| ahead(layer, older(epoch)));
            (older, [0, 1, 2, 3].map(|epoch| ahead(layer, newer(epoch))))
        };
        assert_eq!(kept(&layer), ([false, true, false], [false, false, true, true]), "any version may come");
        layer.set_version(ProtocolVersion::DTLS1_3);
        assert_eq!(kept(&layer), ([false; 3], [false, false, true, true]));
        layer.install_read(ReadEpoch::dtls13(Epoch(2), test_keys13(AeadAlgorithm::Aes128Gcm, 1), 64));
        assert_eq!(kept(&layer), ([false; 3], [false, false, false, true]));
        let (_, older_layer) = pair();
        assert_eq!(kept(&older_layer), ([false; 3], [false; 4]));
        let mut layer = RecordLayer::new(SequenceNumber(0), 64);
        layer.set_version(ProtocolVersion::DTLS1_2);
        assert_eq!(kept(&layer), ([false, true, false], [false; 4]));
    }

    #[test] // RFC 9147 §6.1
    fn only_records_of_epoch_1_are_early_data_before_a_hello() {
        let before =
            |layer: &RecordLayer, mut record: Vec<u8>| layer.comes_before_hello(&whole(&mut record).expect("a record"));
        let mut layer = RecordLayer::new(SequenceNumber(0), 64);
        assert_eq!([0, 1, 2, 3].map(|epoch| before(&layer, unified(Epoch(epoch), 32))), [false, true, false, false]);
        let (mut writer, _) = pair();
        assert!(!before(&layer, seal(&mut writer, EPOCH_1, b"x")), "not with the header of 1.2");
        layer.set_version(ProtocolVersion::DTLS1_3);
        assert!(!before(&layer, unified(Epoch(1), 32)), "the hello has come");
    }

    #[test] // RFC 9853 §4
    fn checks_of_return_routability_are_always_protected() {
        let (mut writer, mut reader) = pair();
        for (epoch, expected) in [(Epoch(0), Err(Discard::UnknownContentType)), (EPOCH_1, Ok(()))] {
            let mut record = vec![0; 1 + writer.overhead(epoch)];
            writer.seal(epoch, ContentType::RETURN_ROUTABILITY_CHECK, b"x", &mut record).expect("seals");
            assert_eq!(open(&mut reader, &record).map(drop), expected);
        }
    }

    #[test] // RFC 9147 §4.5.1, §4.2.2
    fn a_record_of_1_3_is_accepted_once() {
        let mut writer = RecordLayer::new(SequenceNumber(0), 64);
        let mut reader = RecordLayer::new(SequenceNumber(0), 64);
        for layer in [&mut writer, &mut reader] {
            layer.set_version(ProtocolVersion::DTLS1_3);
        }
        for epoch in [Epoch(2), Epoch(3)] {
            writer.install_write(WriteEpoch::dtls13(epoch, test_keys13(AeadAlgorithm::Aes128Gcm, 1)));
        }
        let records: Vec<_> = (0..70).map(|_| seal(&mut writer, Epoch(3), b"x")).collect();
        assert_eq!(open(&mut reader, &records[0]), Err(Discard::NextEpoch));
        reader.install_read(ReadEpoch::dtls13(Epoch(2), test_keys13(AeadAlgorithm::Aes128Gcm, 1), 64));
        assert_eq!(open(&mut reader, &records[0]), Err(Discard::NextEpoch), "the bits name the epoch");
        reader.install_read(ReadEpoch::dtls13(Epoch(3), test_keys13(AeadAlgorithm::Aes128Gcm, 1), 64));
        let mut forged = records[69].clone();
        *forged.last_mut().expect("a tag") ^= 1;
        assert_eq!(open(&mut reader, &forged), Err(Discard::BadTag));
        assert!(open(&mut reader, &records[0]).is_ok(), "a forgery moves no window");
        assert!(open(&mut reader, &records[69]).is_ok());
        assert_eq!(open(&mut reader, &records[69]), Err(Discard::Replayed));
        assert_eq!(open(&mut reader, &records[5]), Err(Discard::TooOld));
        let mut without_keys = records[68].clone();
        without_keys[0] = without_keys[0] & 0xFC | 1;
        assert_eq!(open(&mut reader, &without_keys), Err(Discard::UnknownEpoch));
    }

    proptest! {
        #[test]
        fn no_bytes_panic(mut bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let (_, mut reader) = pair();
            let mut datagram = &mut bytes[..];
            while let Ok(Some(record)) = split_record(&mut datagram, None) {
                let _ = reader.open(record);
            }
        }

        #[test]
        fn a_changed_record_never_opens(
            content in prop::collection::vec(any::<u8>(), 0..40),
            at in any::<prop::sample::Index>(),
            flip in 1u8..,
        ) {
            let (mut writer, mut reader) = pair();
            let mut record = seal(&mut writer, EPOCH_1, &content);
            let at = at.index(record.len());
            // A change of the epoch to 0 makes a plaintext record of it; nothing is authentic there.
            prop_assume!(!(at == 3 || at == 4));
            record[at] ^= flip;
            prop_assert!(whole(&mut record).and_then(|record| reader.open(record)).is_err());
        }
    }
}
