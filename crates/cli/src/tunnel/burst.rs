//! Datagrams that came together and go on together: one call to the system, one lock and one wake-up for many of them.
//!
//! Nobody waits for a burst to grow: it is what is there at one look, and often that is one datagram.

use std::io;
use std::net::SocketAddr;
use std::ops::Range;

use gramseal::Payloads;
use tokio::net::UdpSocket;

/// The most that one look takes, before other work has its turn: as many as go out together.
const MOST: usize = 64;
/// No datagram is longer.
const DATAGRAM_LEN: usize = 65_536;
/// As many bytes as go out together, and room for whatever the next datagram is.
const ROOM: usize = 2 * DATAGRAM_LEN;

/// What one look at a socket brought.
pub(super) struct Burst {
    bytes: Box<[u8]>,
    /// From whom, and where in `bytes`.
    datagrams: Vec<(SocketAddr, Range<usize>)>,
}

impl Burst {
    /// Without datagrams yet.
    pub(super) fn new() -> Self {
        Self { bytes: vec![0; ROOM].into_boxed_slice(), datagrams: Vec::with_capacity(MOST) }
    }

    /// Takes what has come to `socket`, within bounds, in place of what was here. Returns how many errors there were
    /// instead of datagrams: what came back of some that were sent earlier.
    pub(super) fn fill(&mut self, socket: &UdpSocket) -> usize {
        self.datagrams.clear();
        let (mut start, mut errors) = (0, 0);
        for _ in 0..MOST {
            let room = &mut self.bytes[start..];
            if room.len() < DATAGRAM_LEN {
                break;
            }
            match socket.try_recv_from(room) {
                Ok((len, from)) => {
                    self.datagrams.push((from, start..start + len));
                    start += len;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(_) => errors += 1,
            }
        }
        // Each sender's stay in order.
        self.datagrams.sort_by_key(|(from, _)| *from);
        errors
    }

    pub(super) fn len(&self) -> usize {
        self.datagrams.len()
    }

    /// Gives `take` all that each sender has sent, with its address.
    pub(super) fn by_sender(&self, mut take: impl FnMut(SocketAddr, &[&[u8]])) {
        for of_one in self.datagrams.chunk_by(|(one, _), (other, _)| one == other) {
            let mut payloads: [&[u8]; MOST] = [&[]; MOST];
            for (payload, (_, at)) in payloads.iter_mut().zip(of_one) {
                *payload = &self.bytes[at.clone()];
            }
            if let Some((from, _)) = of_one.first() {
                take(*from, &payloads[..of_one.len()]);
            }
        }
    }
}

/// Gives the room of a large burst back, which a connection that is quiet would keep for nothing.
pub(super) fn keep_little(payloads: &mut Payloads) {
    if payloads.as_bytes().len() > DATAGRAM_LEN {
        *payloads = Payloads::new();
    }
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket as StdUdpSocket;

    use super::*;

    async fn socket() -> (UdpSocket, SocketAddr) {
        let socket = UdpSocket::bind("127.0.0.1:0").await.expect("a port");
        let address = socket.local_addr().expect("an address");
        (socket, address)
    }

    fn sender(to: SocketAddr) -> StdUdpSocket {
        let socket = StdUdpSocket::bind("127.0.0.1:0").expect("a port");
        socket.connect(to).expect("an address");
        socket
    }

    #[tokio::test]
    async fn one_look_takes_all_that_is_there_by_sender_and_in_order() {
        let (socket, address) = socket().await;
        let senders = [sender(address), sender(address)];
        for number in 0..10_u8 {
            senders[usize::from(number % 2)].send(&vec![number; usize::from(number)]).expect("it is sent");
        }
        let mut burst = Burst::new();
        let mut came: Vec<(SocketAddr, Vec<Vec<u8>>)> = Vec::new();
        while came.iter().map(|(_, payloads)| payloads.len()).sum::<usize>() < 10 {
            socket.readable().await.expect("datagrams");
            assert_eq!(burst.fill(&socket), 0);
            burst.by_sender(|from, payloads| came.push((from, payloads.iter().map(|one| one.to_vec()).collect())));
        }
        let mut expected: Vec<(SocketAddr, Vec<Vec<u8>>)> = [0, 1]
            .map(|first| {
                let address = senders[usize::from(first)].local_addr().expect("an address");
                (address, (first..10).step_by(2).map(|number| vec![number; usize::from(number)]).collect())
            })
            .into();
        expected.sort_by_key(|(from, _)| *from);
        assert_eq!(came, expected, "loopback delivers at once: two groups of five");
        burst.fill(&socket);
        assert_eq!(burst.len(), 0, "nothing comes twice");
    }

    #[tokio::test]
    async fn one_look_has_bounds_and_the_rest_is_for_the_next() {
        let (socket, address) = socket().await;
        let sender = sender(address);
        let mut burst = Burst::new();
        let mut looks = |count: usize, len: usize| {
            (0..count).for_each(|_| assert_eq!(sender.send(&vec![7; len]).expect("it is sent"), len));
            [(); 3].map(|()| (burst.fill(&socket), burst.len()).1)
        };
        sender.send(b"first").expect("it is sent");
        socket.readable().await.expect("a datagram");
        assert_eq!(looks(MOST, 20), [MOST, 1, 0], "a number of datagrams");
        sender.send(b"first").expect("it is sent");
        socket.readable().await.expect("a datagram");
        assert_eq!(looks(3, 40_000), [3, 1, 0], "a number of bytes, and nothing is cut off");
    }
}
