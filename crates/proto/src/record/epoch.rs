//! One epoch of one direction: key, sequence number, replay window and usage limits in one value.
//!
//! Nothing outside chooses a key: whoever has the epoch has everything that goes with it. Sealing
//! takes a number for good before it uses the key, so that no nonce can repeat; opening moves the
//! window only after the key agreed. RFC 6347 §4.1 and §4.1.2.6, RFC 9147 §4.2 and §4.5.

use core::fmt;

use gramseal_wire::{
    Cid12Header, ContentType, Epoch, PlaintextHeader, ProtocolVersion, RecordNumber, SequenceNumber, UnifiedHeader,
};

use super::inner::TYPE_LEN;
use super::limits::{UsageLimits, blocks};
use super::protect12::{Covered, Named, Protection12};
use super::protect13::{Opened13, Protection13};
use super::replay::ReplayWindow;
use crate::crypto::{RecordKeys12, RecordKeys13};
use crate::discard::Discard;

/// The first number that there is not.
pub(super) const NUMBERS_END: u64 = SequenceNumber::MAX.0 + 1;

/// A sixteenth before the last number.
const WARN_AT: u64 = SequenceNumber::MAX.0 - SequenceNumber::MAX.0 / 16;

/// How the records of an epoch are protected.
enum Protection {
    Plaintext,
    Dtls12(Protection12),
    Dtls13(Protection13),
}

impl Protection {
    /// Bytes that a record has beyond content of a useful length, header included.
    #[inline]
    fn overhead(&self, cid: &[u8]) -> usize {
        match self {
            // RFC 9146 §3: never with a connection id.
            Self::Plaintext => PlaintextHeader::LEN,
            Self::Dtls12(protection) if cid.is_empty() => PlaintextHeader::LEN + protection.overhead(),
            Self::Dtls12(protection) => PlaintextHeader::LEN + cid.len() + TYPE_LEN + protection.overhead(),
            Self::Dtls13(protection) => protection.overhead() + cid.len(),
        }
    }

    /// Only in 1.3 keys can be made anew.
    fn rest(&mut self) {
        if let Self::Dtls13(protection) = self {
            protection.rest();
        }
    }

    fn wake(&mut self, keys: RecordKeys13) {
        if let Self::Dtls13(protection) = self {
            protection.wake(keys);
        }
    }

    /// Bytes of the record that holds `content_len` bytes.
    #[inline]
    fn sealed_len(&self, content_len: usize, cid: &[u8]) -> usize {
        match self {
            Self::Plaintext | Self::Dtls12(_) => self.overhead(cid) + content_len,
            Self::Dtls13(protection) => protection.sealed_len(content_len) + cid.len(),
        }
    }
}

/// An epoch that can be read.
pub(crate) struct ReadEpoch {
    epoch: Epoch,
    protection: Protection,
    pub(super) window: Option<ReplayWindow>,
    pub(super) failed_opens: u64,
    limits: UsageLimits,
}

impl ReadEpoch {
    /// Epoch 0. It has no replay window: anybody can write such records, so a window would only
    /// give an attacker a way to shut the peer out with one large sequence number. Handshake
    /// messages are told apart by their `message_seq` in any case.
    pub(crate) fn plaintext() -> Self {
        Self {
            epoch: Epoch::UNPROTECTED,
            protection: Protection::Plaintext,
            window: None,
            failed_opens: 0,
            limits: UsageLimits::NONE,
        }
    }

    /// A protected epoch of DTLS 1.2 with a replay window of `window_size` records.
    pub(crate) fn dtls12(epoch: Epoch, keys: RecordKeys12, window_size: u32) -> Self {
        let limits = UsageLimits::dtls12(keys.algorithm);
        Self {
            epoch,
            protection: Protection::Dtls12(Protection12::new(keys)),
            window: Some(ReplayWindow::new(window_size)),
            failed_opens: 0,
            limits,
        }
    }

    /// A protected epoch of DTLS 1.3 with a replay window of `window_size` records.
    pub(crate) fn dtls13(epoch: Epoch, keys: RecordKeys13, window_size: u32) -> Self {
        let limits = UsageLimits::dtls13(keys.algorithm);
        Self {
            epoch,
            protection: Protection::Dtls13(Protection13::new(keys)),
            window: Some(ReplayWindow::new(window_size)),
            failed_opens: 0,
            limits,
        }
    }

    /// Frees the expanded keys until [`Self::wake`]; numbers, window and limits stay.
    pub(super) fn rest(&mut self) {
        self.protection.rest();
    }

    /// Goes on with the same keys, expanded anew.
    pub(super) fn wake(&mut self, keys: RecordKeys13) {
        self.protection.wake(keys);
    }

    #[inline]
    pub(crate) fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// Whether records with a unified header that ends in these bits may be of this epoch.
    #[inline]
    pub(super) fn has_bits(&self, epoch_bits: u8) -> bool {
        matches!(self.protection, Protection::Dtls13(_)) && UnifiedHeader::epoch_bits_of(self.epoch) == epoch_bits
    }

    /// Whether a record of this epoch says something about who sent it.
    pub(super) fn is_protected(&self) -> bool {
        !matches!(self.protection, Protection::Plaintext)
    }

    /// Whether the key met so many forgeries that it opens nothing any more (RFC 9147 §4.5.3).
    pub(super) fn is_worn_out(&self) -> bool {
        self.failed_opens >= self.limits.failed_opens
    }

    /// The same, but its key may meet at most so many forgeries, even if its algorithm allows more.
    pub(crate) fn with_forgery_limit(mut self, forgeries: u64) -> Self {
        self.limits.failed_opens = self.limits.failed_opens.min(forgeries);
        self
    }

    /// Whether half of the forgeries have come that the key may meet.
    pub(super) fn is_wearing_out(&self) -> bool {
        self.failed_opens >= self.limits.failed_opens / 2
    }

    /// Opens a whole record of 1.3 in place.
    #[inline]
    pub(super) fn open13<'d>(&mut self, header: UnifiedHeader, record: &'d mut [u8]) -> Result<Opened13<'d>, Discard> {
        let (Protection::Dtls13(protection), Some(window)) = (&self.protection, &mut self.window) else {
            return Err(Discard::UnknownEpoch);
        };
        if self.failed_opens >= self.limits.failed_opens {
            return Err(Discard::KeyWornOut);
        }
        let opened = protection.open(header, window.expected(), record);
        let opened = opened.inspect_err(|discard| self.failed_opens += u64::from(*discard == Discard::BadTag))?;
        // RFC 9147 §4.5.1: after opening, or the time it takes would tell the number; and only a record
        // that opened may move the window.
        window.accept(opened.sequence_number)?;
        Ok(opened)
    }

    /// Opens the body of a record of 1.2 with a connection id in place; the type of its content is inside.
    #[inline]
    pub(super) fn open_named<'d>(
        &mut self,
        named: Named<'_>,
        body: &'d mut [u8],
    ) -> Result<(ContentType, &'d mut [u8]), Discard> {
        let number = named.number.sequence_number;
        // RFC 9146 §3: neither what is not protected nor records of 1.3 look like this.
        let (Protection::Dtls12(protection), Some(window)) = (&self.protection, &mut self.window) else {
            return Err(Discard::UnexpectedContent);
        };
        window.check(number)?;
        if self.failed_opens >= self.limits.failed_opens {
            return Err(Discard::KeyWornOut);
        }
        let opened = protection.open_named(named, body);
        let opened = opened.inspect_err(|discard| self.failed_opens += u64::from(*discard == Discard::BadTag))?;
        window.accept(number)?;
        Ok(opened)
    }

    /// The number above the highest one that came; 0 at first, and always where nothing is protected.
    pub(super) fn expected(&self) -> SequenceNumber {
        self.window.as_ref().map_or(SequenceNumber(0), ReplayWindow::expected)
    }

    /// Opens the body of a record in place.
    #[inline]
    pub(super) fn open<'d>(&mut self, covered: Covered, body: &'d mut [u8]) -> Result<&'d mut [u8], Discard> {
        let number = covered.number.sequence_number;
        // RFC 6347 §4.1.2.6: duplicates go first, they cost least here.
        if let Some(window) = &self.window {
            window.check(number)?;
        }
        if self.is_worn_out() {
            return Err(Discard::KeyWornOut);
        }
        let content = match &self.protection {
            Protection::Plaintext => Ok(body),
            Protection::Dtls12(protection) => protection.open(covered, body),
            // Its records have another header.
            Protection::Dtls13(_) => Err(Discard::UnknownEpoch),
        };
        // RFC 9147 §4.5.3: forgeries are counted per key.
        let content = content.inspect_err(|discard| self.failed_opens += u64::from(*discard == Discard::BadTag))?;
        // RFC 6347 §4.1.2.6: only a record that opened may move the window.
        if let Some(window) = &mut self.window {
            window.accept(number)?;
        }
        Ok(content)
    }
}

/// Why a record was not sealed. Nothing of it was sent and the caller may go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SealError {
    /// The buffer is shorter than the content and [`overhead`](WriteEpoch::overhead).
    BufferTooSmall,
    /// The content is longer than a record may have.
    TooLong,
    /// The epoch has no sequence number left, or its key has reached its limit.
    Exhausted,
    /// Further sequence numbers belong to whoever goes on from an image of the association.
    Reserved,
    /// The epoch is not there: not yet, or not any more.
    NoSuchEpoch,
    /// The crypto provider refused; no key that it made itself should.
    Crypto,
}

impl fmt::Display for SealError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BufferTooSmall => "the buffer is too small for the record",
            Self::TooLong => "the content is too long for one record",
            Self::Exhausted => "the key may seal no more records",
            Self::Reserved => "further numbers are reserved",
            Self::NoSuchEpoch => "the epoch has no keys",
            Self::Crypto => "the crypto provider refused to seal",
        })
    }
}

/// An epoch that can be written.
pub(crate) struct WriteEpoch {
    epoch: Epoch,
    protection: Protection,
    /// The number of the next record.
    pub(super) next: u64,
    /// The first number that is not ours to use: [`NUMBERS_END`], or one that may belong to whoever goes on from an
    /// image of this association.
    pub(super) end: u64,
    pub(super) sealed_blocks: u64,
    limits: UsageLimits,
}

impl WriteEpoch {
    /// Epoch 0, from the sequence number `first`: a server goes on from the ClientHello that it
    /// answered statelessly (RFC 6347 §4.2.1).
    pub(crate) fn plaintext(first: SequenceNumber) -> Self {
        Self {
            epoch: Epoch::UNPROTECTED,
            protection: Protection::Plaintext,
            next: first.0,
            end: NUMBERS_END,
            sealed_blocks: 0,
            limits: UsageLimits::NONE,
        }
    }

    /// A protected epoch of DTLS 1.2. The keys must never have sealed a record.
    pub(crate) fn dtls12(epoch: Epoch, keys: RecordKeys12) -> Self {
        let limits = UsageLimits::dtls12(keys.algorithm);
        Self {
            epoch,
            protection: Protection::Dtls12(Protection12::new(keys)),
            next: 0,
            end: NUMBERS_END,
            sealed_blocks: 0,
            limits,
        }
    }

    /// A protected epoch of DTLS 1.3. The keys must never have sealed a record.
    pub(crate) fn dtls13(epoch: Epoch, keys: RecordKeys13) -> Self {
        let limits = UsageLimits::dtls13(keys.algorithm);
        Self {
            epoch,
            protection: Protection::Dtls13(Protection13::new(keys)),
            next: 0,
            end: NUMBERS_END,
            sealed_blocks: 0,
            limits,
        }
    }

    /// Frees the expanded keys until [`Self::wake`]; numbers, window and limits stay.
    pub(super) fn rest(&mut self) {
        self.protection.rest();
    }

    /// Goes on with the same keys, expanded anew.
    pub(super) fn wake(&mut self, keys: RecordKeys13) {
        self.protection.wake(keys);
    }

    #[inline]
    pub(crate) fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// Whether its records are of 1.3.
    pub(super) fn is_dtls13(&self) -> bool {
        matches!(self.protection, Protection::Dtls13(_))
    }

    /// Whether its records can be longer than their content needs, with this connection id.
    pub(super) fn can_pad(&self, cid: &[u8]) -> bool {
        self.is_dtls13() || self.names_type_within(cid)
    }

    /// Whether its records are of 1.2 and have the type of their content inside, for they have a connection id.
    pub(super) fn names_type_within(&self, cid: &[u8]) -> bool {
        matches!(self.protection, Protection::Dtls12(_)) && !cid.is_empty()
    }

    /// The number of the next record; `None` when they are used up.
    pub(super) fn next_number(&self) -> Option<RecordNumber> {
        (self.next < NUMBERS_END).then(|| RecordNumber::new(self.epoch, SequenceNumber(self.next)))
    }

    /// Bytes that a record with this connection id has beyond its content, header included.
    #[inline]
    pub(super) fn overhead(&self, cid: &[u8]) -> usize {
        self.protection.overhead(cid)
    }

    /// Bytes of the record that holds `content_len` bytes, which may need padding.
    #[inline]
    pub(super) fn sealed_len(&self, content_len: usize, cid: &[u8]) -> usize {
        self.protection.sealed_len(content_len, cid)
    }

    /// Whether less than a sixteenth is left of what this epoch may seal, or `records_per_key` records are
    /// sealed.
    #[inline]
    pub(super) fn is_nearly_exhausted(&self, records_per_key: u64) -> bool {
        let limit = self.limits.sealed_blocks;
        self.next >= WARN_AT.min(records_per_key) || self.sealed_blocks >= limit - limit / 16
    }

    /// Seals one record into the front of `out` and returns its length. What is protected carries `cid`, unless that
    /// is empty. Only what [can be padded](Self::can_pad) has `padding`, in bytes, and only application data.
    #[inline]
    pub(super) fn seal(
        &mut self,
        content_type: ContentType,
        version: ProtocolVersion,
        cid: &[u8],
        content: &[u8],
        padding: usize,
        out: &mut [u8],
    ) -> Result<usize, SealError> {
        let padded = content.len() + padding;
        let len = self.sealed_len(padded, cid);
        let record = out.get_mut(..len).ok_or(SealError::BufferTooSmall)?;
        let number = RecordNumber::new(self.epoch, self.take_number(padded)?);
        let covered = Covered { number, content_type, version };
        let sealed = match &self.protection {
            Protection::Plaintext => {
                write_header(covered, record)?.copy_from_slice(content);
                Ok(())
            }
            Protection::Dtls12(protection) if cid.is_empty() => {
                protection.seal(covered, content, write_header(covered, record)?)
            }
            Protection::Dtls12(protection) => {
                let named = Named { number, version, cid };
                protection.seal_named(named, content_type, content, write_named_header(named, record)?)
            }
            Protection::Dtls13(protection) => protection.seal(number, content_type, cid, content, record),
        };
        sealed.map(|()| len).map_err(|_| SealError::Crypto)
    }

    /// Takes the next sequence number, for good: it is gone even if sealing fails.
    #[inline]
    fn take_number(&mut self, content_len: usize) -> Result<SequenceNumber, SealError> {
        // RFC 6347 §4.1: the number must not wrap. RFC 9147 §4.5.3, RFC 9325 §4.4: nor may the key
        // be used beyond its limit.
        let number = self.next;
        if number >= self.end {
            return Err(if number < NUMBERS_END { SealError::Reserved } else { SealError::Exhausted });
        }
        let sealed_blocks = self.sealed_blocks.saturating_add(blocks(content_len));
        if sealed_blocks > self.limits.sealed_blocks {
            return Err(SealError::Exhausted);
        }
        self.sealed_blocks = sealed_blocks;
        self.next = number + 1;
        Ok(SequenceNumber(number))
    }
}

/// Writes the header that plaintext and 1.2 have to the front of `record`, and gives back the rest.
#[inline]
fn write_header(covered: Covered, record: &mut [u8]) -> Result<&mut [u8], SealError> {
    let Covered { number: RecordNumber { epoch, sequence_number }, content_type, version } = covered;
    let (header, body) = record.split_first_chunk_mut::<{ PlaintextHeader::LEN }>().ok_or(SealError::BufferTooSmall)?;
    let length = u16::try_from(body.len()).map_err(|_| SealError::TooLong)?;
    *header = PlaintextHeader { content_type, version, epoch, sequence_number, length }.to_bytes();
    Ok(body)
}

/// The same of 1.2 with a connection id.
#[inline]
fn write_named_header<'r>(named: Named<'_>, record: &'r mut [u8]) -> Result<&'r mut [u8], SealError> {
    let Named { number: RecordNumber { epoch, sequence_number }, version, cid } = named;
    let cid_len = u8::try_from(cid.len()).map_err(|_| SealError::TooLong)?;
    let header_len = PlaintextHeader::LEN + cid.len();
    let (header, body) = record.split_at_mut_checked(header_len).ok_or(SealError::BufferTooSmall)?;
    let length = u16::try_from(body.len()).map_err(|_| SealError::TooLong)?;
    let fields = Cid12Header { version, epoch, sequence_number, cid_len, length };
    fields.write(cid, header).map_err(|_| SealError::BufferTooSmall)?;
    Ok(body)
}

#[cfg(test)]
mod tests {
    use gramseal_wire::{ContentType, Epoch, ProtocolVersion, Reader, RecordNumber, SequenceNumber, UnifiedHeader};

    use super::{Covered, NUMBERS_END, ReadEpoch, SealError, WriteEpoch};
    use crate::crypto::AeadAlgorithm;
    use crate::discard::Discard;
    use crate::record::RecordLayer;
    use crate::record::limits::blocks;
    use crate::record::test_keys::{test_keys, test_keys13};

    const DATA: ContentType = ContentType::APPLICATION_DATA;
    const VERSION: ProtocolVersion = ProtocolVersion::DTLS1_2;

    fn writer() -> WriteEpoch {
        WriteEpoch::dtls12(Epoch(1), test_keys(AeadAlgorithm::Aes128Gcm, 1))
    }

    fn covered(sequence_number: u64) -> Covered {
        let number = RecordNumber::new(Epoch(1), SequenceNumber(sequence_number));
        Covered { number, content_type: DATA, version: VERSION }
    }

    #[test] // RFC 9325 §4.4
    fn a_key_seals_up_to_its_limit_and_warns_before() {
        let mut out = [0; 64];
        let mut writer = writer();
        assert!(!writer.is_nearly_exhausted(u64::MAX) && writer.is_nearly_exhausted(0));
        let limit = writer.limits.sealed_blocks;
        for (left, warns) in [(limit / 16 + 1, false), (limit / 16, true), (2 * blocks(1), true)] {
            writer.sealed_blocks = limit - left;
            assert_eq!(writer.is_nearly_exhausted(u64::MAX), warns, "{left}");
        }
        for _ in 0..2 {
            assert!(writer.seal(DATA, VERSION, &[], b"x", 0, &mut out).is_ok());
        }
        assert_eq!(writer.seal(DATA, VERSION, &[], b"x", 0, &mut out), Err(SealError::Exhausted));
    }

    #[test] // RFC 9846 §5.5
    fn early_data_ends_at_the_limit_of_its_key() {
        let mut layer = RecordLayer::new(SequenceNumber(0), 64);
        let mut writer = WriteEpoch::dtls13(Epoch::EARLY_DATA, test_keys13(AeadAlgorithm::Aes128Gcm, 1));
        // Content and type are charged.
        writer.sealed_blocks = writer.limits.sealed_blocks - 2 * blocks(2);
        layer.install_write(writer);
        let mut out = [0; 64];
        for _ in 0..2 {
            assert!(layer.seal(Epoch::EARLY_DATA, DATA, b"x", &mut out).is_ok());
        }
        assert_eq!(layer.seal(Epoch::EARLY_DATA, DATA, b"x", &mut out), Err(SealError::Exhausted));
        // What else is to be said is not of that key.
        let hello = ContentType::HANDSHAKE;
        assert!(layer.seal(Epoch::UNPROTECTED, hello, b"x", &mut out).is_ok());
    }

    #[test] // RFC 9147 §4.5.3
    fn a_key_that_met_too_many_forgeries_opens_nothing() {
        let mut record = [0; 64];
        let len = writer().seal(DATA, VERSION, &[], b"x", 0, &mut record).expect("seals");
        let body = &mut record[13..len];
        let mut reader = ReadEpoch::dtls12(Epoch(1), test_keys(AeadAlgorithm::Aes128Gcm, 1), 64);
        reader.failed_opens = reader.limits.failed_opens / 2 - 1;
        assert!(!reader.is_wearing_out());
        reader.failed_opens = reader.limits.failed_opens - 1;

        assert_eq!(reader.open(covered(9), &mut body.to_vec()), Err(Discard::BadTag));
        assert!(reader.is_wearing_out() && reader.is_worn_out());
        assert_eq!(reader.open(covered(0), body), Err(Discard::KeyWornOut));
    }

    #[test] // RFC 9147 §4.5.3
    fn only_forgeries_count_as_failed() {
        let mut record = [0; 64];
        let len = writer().seal(DATA, VERSION, &[], b"x", 0, &mut record).expect("seals");
        let body = &mut record[13..len];
        let mut reader = ReadEpoch::dtls12(Epoch(1), test_keys(AeadAlgorithm::Aes128Gcm, 1), 64);
        assert!(reader.open(covered(0), &mut body.to_vec()).is_ok());
        assert_eq!(reader.open(covered(0), body), Err(Discard::Replayed));
        assert_eq!(reader.open(covered(1), &mut [0; 5]), Err(Discard::Malformed));
        assert_eq!(reader.failed_opens, 0);
    }

    #[test]
    fn a_first_number_beyond_48_bits_seals_nothing() {
        let mut writer = WriteEpoch::plaintext(SequenceNumber(1 << 48));
        assert_eq!(writer.seal(DATA, VERSION, &[], b"", 0, &mut [0; 64]), Err(SealError::Exhausted));
    }

    #[test] // RFC 9147 §4.5.3
    fn a_key_of_1_3_counts_its_forgeries_too() {
        let keys = || test_keys13(AeadAlgorithm::Aes128Gcm, 1);
        let mut record = [0; 64];
        let mut writer = WriteEpoch::dtls13(Epoch::APPLICATION, keys());
        let len = writer.seal(DATA, VERSION, &[], b"x", 0, &mut record).expect("seals");
        let mut reader = ReadEpoch::dtls13(Epoch::APPLICATION, keys(), 64).with_forgery_limit(2);
        let mut open = |change: u8| {
            let mut record = record[..len].to_vec();
            *record.last_mut().expect("a record") ^= change;
            let header = UnifiedHeader::read(&mut Reader::new(&record), 0).expect("a header");
            reader.open13(header, &mut record).map(|opened| opened.content.to_vec())
        };
        assert_eq!(open(1).err(), Some(Discard::BadTag));
        assert_eq!(open(0), Ok(b"x".to_vec()));
        assert_eq!(open(0).err(), Some(Discard::Replayed));
        assert_eq!(open(1).err(), Some(Discard::BadTag));
        assert_eq!(open(0).err(), Some(Discard::KeyWornOut));
    }

    #[test] // RFC 6347 §4.1
    fn the_next_number_is_the_one_that_the_next_record_gets() {
        let mut out = [0; 64];
        let mut writer = WriteEpoch { next: NUMBERS_END - 1, ..writer() };
        assert_eq!(writer.next_number(), Some(RecordNumber::new(Epoch(1), SequenceNumber::MAX)));
        assert!(writer.seal(DATA, VERSION, &[], b"x", 0, &mut out).is_ok());
        assert_eq!(writer.next_number(), None);
    }

    #[test] // RFC 9146 §4, RFC 9147 §4
    fn records_of_1_3_and_those_with_an_id_can_be_padded() {
        let newer = WriteEpoch::dtls13(Epoch::APPLICATION, test_keys13(AeadAlgorithm::Aes128Gcm, 1));
        let plain = WriteEpoch::plaintext(SequenceNumber(0));
        for (epoch, cid, can) in
            [(&newer, &[][..], true), (&newer, &[1], true), (&writer(), &[], false), (&writer(), &[1], true)]
        {
            assert_eq!(epoch.can_pad(cid), can, "{:?} {cid:?}", epoch.epoch());
        }
        assert!(!plain.can_pad(&[]) && !plain.can_pad(&[1]));
    }
}
