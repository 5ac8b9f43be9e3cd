//! Which protocol a datagram on a shared socket belongs to.

/// The protocol a first byte points to (RFC 7983 §7 as updated by RFC 9443 §2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DatagramKind {
    /// 0 to 3: STUN.
    Stun,
    /// 16 to 19: ZRTP.
    Zrtp,
    /// 20 to 63: DTLS of any version, the unified header included.
    Dtls,
    /// 64 to 79: a TURN channel, or QUIC where no TURN server is in play.
    TurnChannel,
    /// 80 to 127 and 192 to 255: QUIC.
    Quic,
    /// 128 to 191: RTP or RTCP.
    Rtp,
    /// Nobody's: 4 to 15.
    Unknown,
}

impl DatagramKind {
    /// Tells the protocol by the first byte of a datagram.
    pub fn of(first_byte: u8) -> Self {
        match first_byte {
            0..=3 => Self::Stun,
            4..=15 => Self::Unknown,
            16..=19 => Self::Zrtp,
            20..=63 => Self::Dtls,
            64..=79 => Self::TurnChannel,
            80..=127 | 192..=255 => Self::Quic,
            128..=191 => Self::Rtp,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test] // RFC 9443 §2
    fn first_bytes() {
        let kinds = [(0, 3, DatagramKind::Stun), (16, 19, DatagramKind::Zrtp), (20, 63, DatagramKind::Dtls)];
        for (low, high, kind) in kinds {
            assert_eq!((DatagramKind::of(low), DatagramKind::of(high)), (kind, kind));
        }
        assert_eq!(DatagramKind::of(4), DatagramKind::Unknown);
        assert_eq!(DatagramKind::of(15), DatagramKind::Unknown);
        assert_eq!(DatagramKind::of(64), DatagramKind::TurnChannel);
        assert_eq!(DatagramKind::of(79), DatagramKind::TurnChannel);
        assert_eq!(DatagramKind::of(80), DatagramKind::Quic);
        assert_eq!(DatagramKind::of(127), DatagramKind::Quic);
        assert_eq!(DatagramKind::of(128), DatagramKind::Rtp);
        assert_eq!(DatagramKind::of(191), DatagramKind::Rtp);
        assert_eq!(DatagramKind::of(192), DatagramKind::Quic);
        assert_eq!(DatagramKind::of(255), DatagramKind::Quic);
    }
}
