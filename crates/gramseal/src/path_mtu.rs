//! What the operating system knows of how large a datagram a path carries: from the network interface, and from ICMP
//! (RFC 1191, RFC 8201), which it checks before it believes it.
//!
//! It says so of connected sockets alone (`IP_MTU`), so that one is made for the question. Ours never let it fragment
//! a datagram (quinn-udp sees to that), and it refuses one only if the interface is too narrow.

use std::io;

use crate::socket::Path;

/// The largest UDP payload that passes, in bytes, as far as the system knows; `None` if it does not tell.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) fn of(path: Path) -> Option<usize> {
    use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket};

    use rustix::net::sockopt;

    let anywhere = match path.peer.ip() {
        IpAddr::V4(_) => IpAddr::from(Ipv4Addr::UNSPECIFIED),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let local = path.local.filter(|local| local.is_ipv4() == anywhere.is_ipv4());
    let socket = UdpSocket::bind((local.unwrap_or(anywhere), 0)).ok()?;
    socket.connect(path.peer).ok()?;
    // The headers of IP and UDP.
    let (mtu, headers) = match path.peer.ip() {
        IpAddr::V4(_) => (sockopt::ip_mtu(&socket).ok()?, 20 + 8),
        IpAddr::V6(_) => (sockopt::ipv6_mtu(&socket).ok()?, 40 + 8),
    };
    usize::try_from(mtu).ok()?.checked_sub(headers)
}

/// The same where no system is known that tells.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(crate) fn of(_: Path) -> Option<usize> {
    None
}

/// Whether the system did not take a datagram because it is too large.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) fn is_too_large(error: &io::Error) -> bool {
    rustix::io::Errno::from_io_error(error) == Some(rustix::io::Errno::MSGSIZE)
}

/// The same where other systems have other numbers for it.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(crate) fn is_too_large(_: &io::Error) -> bool {
    false
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn the_loopback_interface_carries_large_datagrams() {
        for peer in ["127.0.0.1:9", "[::1]:9"] {
            let path = Path { peer: peer.parse().expect("an address"), local: None };
            // Some hosts have no IPv6.
            if let Some(bytes) = of(path) {
                assert!((1232..=65_536).contains(&bytes), "{peer}: {bytes}");
            }
        }
        let path = Path { peer: "127.0.0.1:9".parse().expect("an address"), local: None };
        assert!(of(path).is_some(), "IPv4 is everywhere");
    }
}
