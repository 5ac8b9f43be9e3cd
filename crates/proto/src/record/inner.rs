//! What is sealed behind content where its type is inside: the type, and zeros.
//!
//! RFC 9846 §5.2 and §5.4 for 1.3, RFC 9146 §4 for 1.2 with a connection id.

use gramseal_wire::ContentType;

use super::MAX_CONTENT_LEN;
use crate::crypto::MASK_SAMPLE_LEN;

/// Bytes behind the content that say its type.
pub(super) const TYPE_LEN: usize = 1;
/// The most padding that a record ever needs, in bytes: content is empty and the tag has 8.
const MAX_NEEDED: usize = MASK_SAMPLE_LEN - TYPE_LEN - 8;

/// A type, and as many zeros as a record can have behind it.
type Long = [u8; TYPE_LEN + MAX_CONTENT_LEN];

static DATA_TRAILER: Long = long(ContentType::APPLICATION_DATA);
static HANDSHAKE_TRAILER: Long = long(ContentType::HANDSHAKE);

const fn long(content_type: ContentType) -> Long {
    let mut trailer = [0; TYPE_LEN + MAX_CONTENT_LEN];
    let [first, ..] = &mut trailer;
    *first = content_type.0;
    trailer
}

/// Room for what follows content that is not application data.
pub(super) type Short = [u8; TYPE_LEN + MAX_NEEDED];

/// The `len` bytes behind content of this type; `None` if there is no such trailer: only application data, and messages
/// that try out how large a datagram may be, have more padding than is needed.
#[inline]
pub(super) fn trailer(content_type: ContentType, len: usize, short: &mut Short) -> Option<&[u8]> {
    if content_type == ContentType::APPLICATION_DATA {
        return DATA_TRAILER.get(..len);
    }
    if content_type == ContentType::HANDSHAKE {
        return HANDSHAKE_TRAILER.get(..len);
    }
    *short = Short::default();
    let [first, ..] = short;
    *first = content_type.0;
    short.get(..len)
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use gramseal_wire::ContentType;

    use super::{Short, trailer};

    #[test] // RFC 9846 §5.4, RFC 9147 §4.2.3
    fn what_may_be_padded_has_long_trailers_and_all_else_what_a_mask_needs() {
        for (content_type, longest) in [
            (ContentType::APPLICATION_DATA, (1 << 14) + 1),
            (ContentType::HANDSHAKE, (1 << 14) + 1),
            (ContentType::ALERT, 8),
            (ContentType::ACK, 8),
        ] {
            let mut short = Short::default();
            let trailer = |len, short: &mut Short| trailer(content_type, len, short).map(<[u8]>::to_vec);
            let whole = trailer(longest, &mut short).expect("as long as that");
            assert_eq!(whole[0], content_type.0);
            assert!(whole[1..].iter().all(|byte| *byte == 0));
            assert_eq!(trailer(1, &mut short), Some(vec![content_type.0]));
            assert_eq!(trailer(longest + 1, &mut short), None);
        }
    }
}
