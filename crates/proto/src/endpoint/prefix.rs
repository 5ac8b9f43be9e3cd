//! What of an address stands for the network that it is in.

use core::net::{IpAddr, SocketAddr};

/// The first 24 bits of an IPv4 address, or 56 of an IPv6 address: what [`Limits`](super::Limits) takes for one network,
/// for callers that bound something of their own likewise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Prefix(u64);

impl Prefix {
    /// The one that `peer` is in; an IPv4 address that is written as IPv6 is in that of IPv4.
    #[must_use]
    pub fn of(peer: SocketAddr) -> Self {
        // The last byte has no place in either and tells them apart.
        Self(match peer.ip().to_canonical() {
            IpAddr::V4(v4) => u64::from(v4.to_bits() >> 8) << 8 | 4,
            IpAddr::V6(v6) => {
                let [network @ .., _, _, _, _, _, _, _, _, _] = v6.octets();
                network.into_iter().fold(0, |prefix, byte| prefix << 8 | u64::from(byte)) << 8 | 6
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(peer: &str) -> Prefix {
        Prefix::of(peer.parse().expect("an address"))
    }

    #[test]
    fn a_prefix_has_as_many_bits_as_one_small_network_shares() {
        let same = [
            ("192.0.2.1:1", "192.0.2.254:9"),
            ("[::ffff:192.0.2.1]:1", "192.0.2.7:1"),
            ("[2001:db8:1:200::1]:1", "[2001:db8:1:2ff:f::9]:7"),
        ];
        for (one, other) in same {
            assert_eq!(of(one), of(other));
        }
        let different = [
            ("192.0.2.1:1", "192.0.3.1:1"),
            ("192.0.2.1:1", "192.1.2.1:1"),
            ("[2001:db8:1:200::1]:1", "[2001:db8:1:300::1]:1"),
            ("[2001:db8:1:200::1]:1", "[2002:db8:1:200::1]:1"),
            ("0.0.0.0:1", "[2::]:1"),
        ];
        for (one, other) in different {
            assert_ne!(of(one), of(other));
        }
    }
}
