//! How large a datagram may be.
//!
//! Three things say so: the caller (`Transport::mtu`, `set_mtu`), the network by way of the caller (`set_path_mtu`), and
//! what was tried out (`mtu_search`). The smallest of the first two counts, until a search has found more. A handshake
//! cuts its messages smaller when datagrams get lost. RFC 6347 §4.1.1.1, RFC 9147 §4.4, RFC 8899.

use gramseal_wire::{DecodeError, Reader, Writer};

/// The limits, in bytes of UDP payload.
#[derive(Debug)]
pub(super) struct Mtu {
    /// What the caller allows, or a search has found.
    allowed: u16,
    /// What the path carries, as far as somebody has said.
    path: u16,
    /// For handshake messages; it shrinks.
    flights: u16,
}

impl Mtu {
    /// The least that may be configured: constrained links carry little more in one piece
    /// (RFC 7925 §15).
    const LEAST: u16 = 256;
    /// The most: more has no place in an IP packet.
    pub(super) const MOST: u16 = 65_507;
    /// No step goes below this: what every IPv4 path carries, 576 bytes (RFC 791 §3.2), less the
    /// headers of IP and UDP. Smaller datagrams would be more of them, to be lost one by one.
    const FLOOR: u16 = 548;

    pub(super) fn new(bytes: usize) -> Self {
        let allowed = clamped(bytes);
        Self { allowed, path: Self::MOST, flights: allowed }
    }

    pub(super) fn write_image(&self, w: &mut Writer<'_>) {
        let Self { allowed, path, flights } = self;
        [*allowed, *path, *flights].into_iter().for_each(|bytes| w.u16(bytes));
    }

    pub(super) fn read_image(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mut bytes = || r.u16().map(|bytes| clamped(bytes.into()));
        Ok(Self { allowed: bytes()?, path: bytes()?, flights: bytes()? })
    }

    /// For application data: a handshake that met losses does not change it, for they may have had other reasons.
    pub(super) fn bytes(&self) -> usize {
        self.allowed.min(self.path).into()
    }

    /// For handshake messages, which can be cut smaller.
    pub(super) fn for_flights(&self) -> usize {
        self.bytes().min(self.flights.into())
    }

    /// Repeated losses may mean that the path is narrower than we think.
    pub(super) fn shrink_flights(&mut self) {
        let now = self.flights.min(self.allowed).min(self.path);
        self.flights = (now / 2).max(Self::FLOOR).min(now);
    }

    /// What the path carries from now on, as somebody says. RFC 9147 §4.4: who says less than every path carries is not
    /// believed.
    pub(super) fn set_path(&mut self, bytes: usize) {
        self.path = clamped(bytes).max(Self::FLOOR);
    }

    /// Datagrams of so many bytes pass, or no larger ones do.
    pub(super) fn found(&mut self, bytes: usize) {
        self.allowed = clamped(bytes);
        self.flights = self.flights.max(self.allowed);
    }
}

fn clamped(bytes: usize) -> u16 {
    u16::try_from(bytes).unwrap_or(u16::MAX).clamp(Mtu::LEAST, Mtu::MOST)
}

#[cfg(test)]
mod tests {
    use super::Mtu;

    #[test] // RFC 6347 §4.1.1.1
    fn flights_shrink_to_a_floor_and_payloads_do_not() {
        for (configured, expected) in [(1400, [700, 548, 548]), (600, [548; 3]), (300, [300; 3])] {
            let mut mtu = Mtu::new(configured);
            for size in expected {
                mtu.shrink_flights();
                assert_eq!((mtu.for_flights(), mtu.bytes()), (size, configured));
            }
        }
    }

    #[test] // RFC 9147 §4.4
    fn what_the_path_carries_bounds_what_is_allowed_and_both_ways() {
        let mut mtu = Mtu::new(1400);
        for (path, expected) in [(1300, 1300), (9000, 1400), (100, 548), (1232, 1232)] {
            mtu.set_path(path);
            assert_eq!((mtu.bytes(), mtu.for_flights()), (expected, expected), "{path}");
        }
        mtu.found(1350);
        assert_eq!(mtu.bytes(), 1232, "it may have been another path");
        mtu.set_path(1500);
        assert_eq!(mtu.bytes(), 1350);
    }
}
