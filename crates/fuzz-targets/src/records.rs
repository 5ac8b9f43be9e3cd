//! Datagrams cut into records, and the parts of records that have no type of their own.

use gramseal_wire::{DatagramKind, InnerPlaintext, RecordHeader, Records};

/// The first byte is the length of connection ids, the rest a datagram.
///
/// # Panics
/// If a header is not written as it was read, or the records are not those of the datagram.
pub fn run(data: &[u8]) {
    let Some((cid_len, datagram)) = data.split_first() else { return };
    if let Some(first) = datagram.first() {
        let _ = DatagramKind::of(*first);
    }
    let mut rest = datagram;
    for record in Records::new(datagram, usize::from(*cid_len)) {
        let Ok(record) = record else { break };
        let header_len = record.header.header_len();
        let (header, behind) = rest.split_at(header_len);
        assert_eq!(behind.get(..record.body.len()), Some(record.body), "a record lies behind the one before it");
        check_header(&record.header, header);
        rest = &behind[record.body.len()..];
    }
    if let Ok(inner) = InnerPlaintext::find(datagram) {
        let padding = &datagram[inner.content_len + 1..];
        assert!(padding.iter().all(|byte| *byte == 0), "padding is zero");
        assert_eq!(datagram[inner.content_len], inner.content_type.0);
        assert_ne!(inner.content_type.0, 0);
    }
}

fn check_header(header: &RecordHeader, bytes: &[u8]) {
    let mut written = vec![0; bytes.len()];
    let cid = &bytes[header.cid_range()];
    match header {
        RecordHeader::Plaintext(header) => written = header.to_bytes().to_vec(),
        RecordHeader::Cid12(header) => assert_eq!(header.write(cid, &mut written), Ok(bytes.len())),
        RecordHeader::Unified(header) => assert_eq!(header.write(cid, &mut written), Ok(bytes.len())),
    }
    assert_eq!(written, bytes, "{header:?}");
}
