//! How large a datagram may be.
//!
//! Three things say so: the caller (`Transport::mtu`, `set_mtu`), the network by way of the caller (`set_path_mtu`), and
//! what was tried out (`mtu_search`). The smallest of the first two counts, until a search has found more. A handshake
//! cuts its messages smaller when datagrams get lost. RFC 6347 §4.1.1.1, RFC 9147 §4.4, RFC 8899.

use gramseal_wire::{DecodeError, Reader, Writer};

/// The limits, in bytes of UDP payload.
#[derive(Debug)]
pub(super) struct Mtu {
    /// What the caller allows.
    allowed: u16,
    /// What a search has found to pass on the present path.
    found: Option<u16>,
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
        Self { allowed, found: None, path: Self::MOST, flights: allowed }
    }

    pub(super) fn write_image(&self, w: &mut Writer<'_>) {
        let Self { allowed, found, path, flights } = self;
        [*allowed, found.unwrap_or_default(), *path, *flights].into_iter().for_each(|bytes| w.u16(bytes));
    }

    pub(super) fn read_image(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mut bytes = || r.u16();
        let (allowed, found) = (clamped(bytes()?.into()), Some(bytes()?).filter(|bytes| *bytes != 0));
        let found = found.map(|bytes| clamped(bytes.into()));
        Ok(Self { allowed, found, path: clamped(bytes()?.into()), flights: clamped(bytes()?.into()) })
    }

    /// For application data: a handshake that met losses does not change it, for they may have had other reasons.
    pub(super) fn bytes(&self) -> usize {
        self.found.unwrap_or(self.allowed).min(self.path).into()
    }

    /// For handshake messages, which can be cut smaller.
    pub(super) fn for_flights(&self) -> usize {
        self.bytes().min(self.flights.into())
    }

    /// Repeated losses may mean that the path is narrower than we think.
    pub(super) fn shrink_flights(&mut self) {
        let now = clamped(self.for_flights());
        self.flights = (now / 2).max(Self::FLOOR).min(now);
    }

    /// What the path carries from now on, as somebody says. RFC 9147 §4.4: who says less than every path carries is not
    /// believed.
    pub(super) fn set_path(&mut self, bytes: usize) {
        self.path = clamped(bytes).max(Self::FLOOR);
    }

    /// Datagrams of so many bytes pass, or no larger ones do.
    pub(super) fn found(&mut self, bytes: usize) {
        let found = clamped(bytes);
        self.found = Some(found);
        self.flights = self.flights.max(found);
    }

    /// The peer is somewhere else: nothing is known of the path there.
    pub(super) fn change_path(&mut self) {
        *self = Self::new(self.allowed.into());
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
        mtu.change_path();
        assert_eq!((mtu.bytes(), mtu.for_flights()), (1400, 1400));
    }
}
