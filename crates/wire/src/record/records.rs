//! The records of a datagram, for tools and tests; the record layer splits its buffer itself, to open it in place.

use super::RecordHeader;
use crate::codec::{DecodeError, Reader};

/// A record as it lies in a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// The header, read.
    pub header: RecordHeader,
    /// The header's bytes.
    pub header_bytes: &'a [u8],
    /// What follows it, protected or not.
    pub body: &'a [u8],
}

/// Iterates the records of a datagram. After the first error, which hides where the next record starts, it ends.
#[derive(Clone, Debug)]
pub struct Records<'a> {
    rest: Reader<'a>,
    cid_len: usize,
}

impl<'a> Records<'a> {
    /// Starts at the front of `datagram`, whose connection ids, if any, have `cid_len` bytes.
    pub fn new(datagram: &'a [u8], cid_len: usize) -> Self {
        Self { rest: Reader::new(datagram), cid_len }
    }

    fn read(&mut self) -> Result<Record<'a>, DecodeError> {
        let left = self.rest.remaining();
        let header = RecordHeader::read(self.rest.clone().rest(), self.cid_len)?;
        let body_len = header.body_len(left)?;
        Ok(Record { header, header_bytes: self.rest.bytes(header.header_len())?, body: self.rest.bytes(body_len)? })
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = Result<Record<'a>, DecodeError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let record = self.read();
        if record.is_err() {
            self.rest.rest();
        }
        Some(record)
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    #[test] // RFC 9147 §4.3
    fn records_follow_each_other_and_the_last_needs_no_length() {
        let datagram = [21, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 1, 0, 0x27, 9, 0, 1, 0xaa, 0x23, 8, 0xbb, 0xcc];
        let records: Vec<_> = Records::new(&datagram, 0).map(Result::unwrap).collect();
        let bodies: Vec<_> = records.iter().map(|r| r.body).collect();
        assert_eq!(bodies, [&[1, 0][..], &[0xaa], &[0xbb, 0xcc]]);
        assert_eq!(records[1].header_bytes, [0x27, 9, 0, 1]);
    }

    #[test]
    fn a_cut_record_ends_the_iteration() {
        let datagram = [0x27, 9, 0, 2, 0xaa];
        let mut records = Records::new(&datagram, 0);
        assert_eq!(records.next(), Some(Err(DecodeError::Truncated)));
        assert_eq!(records.next(), None);
    }
}
