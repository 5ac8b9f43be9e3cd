//! How large a datagram may be.

/// The present limit and how it shrinks.
#[derive(Debug)]
pub(super) struct Mtu {
    current: usize,
}

impl Mtu {
    /// No step goes below this: what every IPv4 path must carry (RFC 791: 576 bytes less headers)
    /// would be 548, constrained links have less (RFC 7925 §15).
    const FLOOR: usize = 256;

    pub(super) fn new(bytes: usize) -> Self {
        Self { current: bytes.clamp(Self::FLOOR, 65_507) }
    }

    pub(super) fn bytes(&self) -> usize {
        self.current
    }

    /// RFC 6347 §4.1.1.1: repeated losses may mean that the path is narrower than we think.
    pub(super) fn step_down(&mut self) {
        self.current = (self.current / 2).max(Self::FLOOR);
    }
}
