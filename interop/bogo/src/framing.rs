//! What goes over the TCP connection with the runner: datagrams, and what stands for time and path.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

/// Something that the runner says.
#[derive(Debug)]
pub(crate) enum Frame {
    /// A datagram from the peer.
    Datagram(Vec<u8>),
    /// Time passes, which is to be acknowledged before anything that follows from it is sent.
    Advance(Duration),
    /// The largest datagram from now on, in bytes.
    Mtu(usize),
    /// How long it should take until the next timer; `None`: no timer should run.
    ExpectTimer(Option<Duration>),
    /// The first retransmission timeout from now on.
    InitialTimeout(Duration),
}

/// The connection with the runner.
pub(crate) struct Link(TcpStream);

impl Link {
    pub(crate) fn connect(port: u16, ipv6: bool, shim_id: u64) -> io::Result<Self> {
        let address: SocketAddr =
            if ipv6 { (Ipv6Addr::LOCALHOST, port).into() } else { (Ipv4Addr::LOCALHOST, port).into() };
        let mut stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.write_all(&shim_id.to_le_bytes())?;
        Ok(Self(stream))
    }

    /// The next frame; `None` when the runner is gone.
    pub(crate) fn receive(&mut self) -> io::Result<Option<Frame>> {
        let mut opcode = [0];
        if self.0.read(&mut opcode)? == 0 {
            return Ok(None);
        }
        Ok(Some(match opcode[0] {
            b'P' => {
                let mut datagram = vec![0; self.number()? as usize];
                self.0.read_exact(&mut datagram)?;
                Frame::Datagram(datagram)
            }
            b'T' => Frame::Advance(Duration::from_nanos(self.long()?)),
            b'M' => Frame::Mtu(self.number()? as usize),
            b'E' => Frame::ExpectTimer(Some(self.long()?).filter(|nanos| *nanos != u64::MAX).map(Duration::from_nanos)),
            b'U' => Frame::InitialTimeout(Duration::from_millis(u64::from(self.number()?))),
            other => return Err(io::Error::other(format!("unknown frame {other:#x}"))),
        }))
    }

    fn number(&mut self) -> io::Result<u32> {
        let mut bytes = [0; 4];
        self.0.read_exact(&mut bytes)?;
        Ok(u32::from_be_bytes(bytes))
    }

    fn long(&mut self) -> io::Result<u64> {
        let mut bytes = [0; 8];
        self.0.read_exact(&mut bytes)?;
        Ok(u64::from_be_bytes(bytes))
    }

    pub(crate) fn send(&mut self, datagram: &[u8]) -> io::Result<()> {
        let len = u32::try_from(datagram.len()).map_err(io::Error::other)?;
        let frame = [b"P", &len.to_be_bytes()[..], datagram].concat();
        self.0.write_all(&frame)
    }

    /// Tells the runner that time has passed.
    pub(crate) fn advanced(&mut self) -> io::Result<()> {
        self.0.write_all(b"t")
    }

    /// Lets the runner read all that was sent: a reset would take it away.
    pub(crate) fn finish(mut self) {
        let _gone = self.0.shutdown(Shutdown::Write);
        let _rest = io::copy(&mut self.0, &mut io::sink());
    }
}
