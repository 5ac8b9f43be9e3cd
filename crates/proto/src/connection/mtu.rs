//! How large a datagram may be.

/// The configured limit, and the one for flights, which shrinks.
#[derive(Debug)]
pub(super) struct Mtu {
    configured: usize,
    flights: usize,
}

impl Mtu {
    /// No step goes below this: constrained links carry little more in one piece (RFC 7925 §15).
    const FLOOR: usize = 256;

    pub(super) fn new(bytes: usize) -> Self {
        let configured = bytes.clamp(Self::FLOOR, 65_507);
        Self { configured, flights: configured }
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
        self.flights = (self.flights / 2).max(Self::FLOOR);
    }
}

#[cfg(test)]
mod tests {
    use super::Mtu;

    #[test] // RFC 6347 §4.1.1.1
    fn flights_shrink_to_a_floor_and_payloads_do_not() {
        let mut mtu = Mtu::new(1200);
        let mut sizes = [0; 4];
        for size in &mut sizes {
            mtu.shrink_flights();
            *size = mtu.for_flights();
        }
        assert_eq!((sizes, mtu.bytes()), ([600, 300, 256, 256], 1200));
    }
}
