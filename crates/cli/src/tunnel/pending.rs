//! What a local program sends before its connection is there.

/// Payloads that wait for a handshake. Enough for a program that opens with a few datagrams.
const MAX_PAYLOADS: usize = 32;
/// Their bytes.
const MAX_BYTES: usize = 64 * 1024;

/// Payloads in order, within bounds.
#[derive(Debug, Default)]
pub(super) struct Pending {
    payloads: Vec<Vec<u8>>,
    bytes: usize,
}

impl Pending {
    /// Appends a payload, if there is room.
    #[must_use]
    pub(super) fn push(&mut self, payload: &[u8]) -> bool {
        let fits = self.payloads.len() < MAX_PAYLOADS && payload.len() <= MAX_BYTES - self.bytes;
        if fits {
            self.bytes += payload.len();
            self.payloads.push(payload.to_vec());
        }
        fits
    }

    pub(super) fn is_empty(&self) -> bool {
        self.payloads.is_empty()
    }

    /// All of them, the first come first.
    pub(super) fn payloads(&self) -> &[Vec<u8>] {
        &self.payloads
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_bounds_hold_and_the_first_come_first() {
        let mut many = Pending::default();
        assert!((0..MAX_PAYLOADS).all(|at| many.push(&[u8::try_from(at).unwrap()])));
        assert!(!many.push(b"one more"));
        assert_eq!((many.payloads().len(), many.payloads().first()), (MAX_PAYLOADS, Some(&vec![0])));
        let mut large = Pending::default();
        assert!(large.push(&[0; MAX_BYTES - 1]) && large.push(&[1]));
        assert!(!large.push(&[2]) && large.push(&[]), "what has no bytes needs no room");
    }
}
