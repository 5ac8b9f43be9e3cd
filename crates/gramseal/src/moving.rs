//! Connections that go on in another process: what this crate adds to the images of the protocol.

use std::fmt;
use std::net::{IpAddr, SocketAddr, SocketAddrV6};

use gramseal_proto as proto;
use gramseal_proto::wire::{DecodeError, Reader, Writer};

use crate::error::ConnectError;
use crate::socket::Path;

/// The first byte of what is attached to an image: what follows is a [`Path`].
const PATH: u8 = 1;

/// No connection goes on from an image.
#[derive(Debug)]
#[non_exhaustive]
pub enum ImportError {
    /// The protocol finds no connection in it.
    Image(proto::ImportError),
    /// It does not say where the peer is: it was not made by a [`Connection`](crate::Connection) of this crate.
    NoAddress,
    /// This endpoint is no server's, so that there is no configuration to go on with.
    NotServer,
    /// The endpoint does not take the connection: it is closed, or has one with the same peer already.
    Endpoint(ConnectError),
}

impl From<proto::ImportError> for ImportError {
    fn from(error: proto::ImportError) -> Self {
        Self::Image(error)
    }
}

impl fmt::Display for ImportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Image(error) => error.fmt(f),
            Self::NoAddress => f.write_str("the image does not say where the peer is"),
            Self::NotServer => f.write_str("the endpoint has no server configuration"),
            Self::Endpoint(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for ImportError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Image(error) => Some(error),
            Self::Endpoint(error) => Some(error),
            Self::NoAddress | Self::NotServer => None,
        }
    }
}

/// What to attach to an image of a connection on `path`.
pub(crate) fn attach(path: Path) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(48);
    let mut w = Writer::new(&mut bytes);
    w.u8(PATH);
    address(&mut w, path.peer.ip());
    w.u16(path.peer.port());
    w.u32(match path.peer {
        SocketAddr::V4(_) => 0,
        SocketAddr::V6(peer) => peer.scope_id(),
    });
    w.u8(u8::from(path.local.is_some()));
    if let Some(local) = path.local {
        address(&mut w, local);
    }
    // Nothing in it is longer than its field.
    let _ = w.finish();
    bytes
}

/// Where the peer of an image is.
pub(crate) fn detach(attached: &[u8]) -> Option<Path> {
    read_path(&mut Reader::new(attached)).ok()
}

fn read_path(r: &mut Reader<'_>) -> Result<Path, DecodeError> {
    if r.u8()? != PATH {
        return Err(DecodeError::IllegalValue);
    }
    let (ip, port, scope) = (read_address(r)?, r.u16()?, r.u32()?);
    let peer = match ip {
        IpAddr::V4(ip) => SocketAddr::from((ip, port)),
        IpAddr::V6(ip) => SocketAddrV6::new(ip, port, 0, scope).into(),
    };
    let local = match r.u8()? {
        0 => None,
        _ => Some(read_address(r)?),
    };
    Ok(Path { peer, local })
}

fn address(w: &mut Writer<'_>, ip: IpAddr) {
    w.vec8(|w| match ip {
        IpAddr::V4(ip) => w.bytes(&ip.octets()),
        IpAddr::V6(ip) => w.bytes(&ip.octets()),
    });
}

fn read_address(r: &mut Reader<'_>) -> Result<IpAddr, DecodeError> {
    let bytes = r.vec8()?;
    let v4 = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
    v4.or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from)).map_err(|_| DecodeError::BadVectorLength)
}

#[cfg(test)]
mod tests {
    use super::{Path, attach, detach};

    #[test]
    fn paths_come_back() {
        for (peer, local) in [
            ("192.0.2.1:4433", None),
            ("192.0.2.1:1", Some("198.51.100.7")),
            ("[2001:db8::1]:65535", Some("2001:db8::2")),
            ("[fe80::1%3]:4433", None),
        ] {
            let peer = peer.parse().expect("an address");
            let path = Path { peer, local: local.map(|local| local.parse().expect("an address")) };
            let attached = attach(path);
            assert_eq!(detach(&attached), Some(path));
            for len in 0..attached.len() {
                assert_ne!(detach(&attached[..len]), Some(path), "{len}");
            }
        }
        assert_eq!(detach(&[2, 4, 1, 2, 3, 4, 0, 1, 0, 0, 0, 0, 0]), None);
    }
}
