//! Records of the next epoch that arrived before its keys.
//!
//! RFC 6347 §4.1 and RFC 9147 §4.2.1 leave the choice between keeping and dropping them; keeping a
//! few saves a timeout when a flight is reordered. Nothing in here is authentic: everybody can
//! fill the store, which is why it is small and why losing what is in it only costs time.

use alloc::vec::Vec;

use crate::discard::Discard;

/// A small store of whole records, sealed as they arrived.
#[derive(Default)]
pub(crate) struct RecordsAhead {
    records: Vec<Vec<u8>>,
    bytes: usize,
}

impl RecordsAhead {
    /// The most records it holds.
    pub(crate) const MAX_RECORDS: usize = 16;
    /// The most bytes it holds.
    pub(crate) const MAX_BYTES: usize = 8192;

    /// An empty store; allocates nothing.
    pub(crate) const fn new() -> Self {
        Self { records: Vec::new(), bytes: 0 }
    }

    /// Keeps a copy of one whole record, header included.
    pub(crate) fn push(&mut self, record: &[u8]) -> Result<(), Discard> {
        let bytes = self.bytes.saturating_add(record.len());
        if self.records.len() >= Self::MAX_RECORDS || bytes > Self::MAX_BYTES {
            return Err(Discard::NextEpochFull);
        }
        self.records.push(record.to_vec());
        self.bytes = bytes;
        Ok(())
    }

    /// Takes everything out, in the order of arrival, and frees the memory.
    pub(crate) fn drain(&mut self) -> impl Iterator<Item = Vec<u8>> + use<> {
        core::mem::take(self).records.into_iter()
    }

    /// Whether nothing is kept.
    pub(crate) fn is_empty(&self) -> bool {
        self.records.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;
    use alloc::vec::Vec;

    use super::RecordsAhead;
    use crate::discard::Discard;

    #[test]
    fn gives_back_in_order_what_it_kept() {
        let mut early = RecordsAhead::new();
        early.push(b"one").expect("room");
        early.push(b"two").expect("room");
        assert!(!early.is_empty());
        assert_eq!(early.drain().collect::<Vec<_>>(), [b"one".to_vec(), b"two".to_vec()]);
        assert!(early.is_empty());
        assert_eq!(early.drain().count(), 0);
    }

    #[test]
    fn a_flood_of_records_is_bounded_in_number_and_bytes() {
        let mut many = RecordsAhead::new();
        let kept = (0..100).filter(|_| many.push(&[0]).is_ok()).count();
        assert_eq!(kept, 16);
        assert_eq!(many.push(&[0]), Err(Discard::NextEpochFull));

        let mut large = RecordsAhead::new();
        let record = vec![0; 1024];
        let kept = (0..100).filter(|_| large.push(&record).is_ok()).count();
        assert_eq!(kept * record.len(), 8192);
        assert_eq!(large.push(&[0]), Err(Discard::NextEpochFull));
        assert_eq!(RecordsAhead::new().push(&[0; 8193]), Err(Discard::NextEpochFull));

        assert_eq!(many.drain().count(), 16);
        many.push(&[0]).expect("there is room again");
    }
}
