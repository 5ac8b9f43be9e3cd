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
