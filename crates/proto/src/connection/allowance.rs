//! How much may be sent to an address of which nobody knows whether the peer is there.

/// Three times as many bytes as came from it (RFC 9147 §5.1, RFC 9853 §2).
#[derive(Debug, Default)]
pub(super) struct Allowance(usize);

impl Allowance {
    /// After so many bytes from there.
    pub(super) fn of(bytes: usize) -> Self {
        Self(bytes.saturating_mul(3))
    }

    pub(super) fn received(&mut self, bytes: usize) {
        self.0 = self.0.saturating_add(Self::of(bytes).0);
    }

    /// Whether so many bytes may go out; then they are spent.
    pub(super) fn spend(&mut self, bytes: usize) -> bool {
        let left = self.0.checked_sub(bytes);
        self.0 = left.unwrap_or(self.0);
        left.is_some()
    }

    /// So many bytes went out that something else allowed.
    pub(super) fn went(&mut self, bytes: usize) {
        self.0 = self.0.saturating_sub(bytes);
    }
}
