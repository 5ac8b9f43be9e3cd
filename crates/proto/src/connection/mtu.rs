//! How large a datagram may be.

use gramseal_wire::{DecodeError, Reader, Writer};

/// The configured limit, and the one for flights, which shrinks.
#[derive(Debug)]
pub(super) struct Mtu {
    configured: usize,
    flights: usize,
}

impl Mtu {
    /// The least that may be configured: constrained links carry little more in one piece
    /// (RFC 7925 §15).
    const LEAST: usize = 256;
    /// No step goes below this: what every IPv4 path carries, 576 bytes (RFC 791 §3.2), less the
    /// headers of IP and UDP. Smaller datagrams would be more of them, to be lost one by one.
    const FLOOR: usize = 548;

    pub(super) fn new(bytes: usize) -> Self {
        let configured = bytes.clamp(Self::LEAST, 65_507);
        Self { configured, flights: configured }
    }

    pub(super) fn write_image(&self, w: &mut Writer<'_>) {
        for bytes in [self.configured, self.flights] {
            w.u32(u32::try_from(bytes).unwrap_or(u32::MAX));
        }
    }

    pub(super) fn read_image(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mut bytes = || r.u32().map(|bytes| usize::try_from(bytes).unwrap_or(usize::MAX));
        let (read, flights) = (Self::new(bytes()?), bytes()?);
        Ok(Self { flights: flights.clamp(Self::LEAST.min(read.configured), read.configured), ..read })
    }

    /// For application data: what the caller configured, so that `max_payload` does not change
    /// because a handshake met losses.
    pub(super) fn bytes(&self) -> usize {
        self.configured
    }

    /// For handshake messages, which can be cut smaller.
    pub(super) fn for_flights(&self) -> usize {
        self.flights
    }

    /// Repeated losses may mean that the path is narrower than we think.
    pub(super) fn shrink_flights(&mut self) {
        self.flights = (self.flights / 2).max(Self::FLOOR).min(self.flights);
    }
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
}
