//! A UDP socket that can lose and duplicate datagrams, in both directions, as a seed says.

use std::collections::VecDeque;
use std::io::ErrorKind;
use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

use gramseal_testkit::rng::Rng;

/// How long one look at the socket may take: what else a test waits for is checked as often.
const GLANCE: Duration = Duration::from_millis(2);

/// What happens to datagrams on their way.
#[derive(Debug, Clone)]
#[expect(clippy::exhaustive_structs, reason = "tests set the fields that matter to them")]
pub struct Weather {
    /// The fraction of datagrams that get lost, 0 to 1.
    pub loss: f64,
    /// The fraction of the others that arrive twice.
    pub duplicate: f64,
    /// Where the dice start.
    pub seed: u64,
}

impl Default for Weather {
    fn default() -> Self {
        Self { loss: 0.0, duplicate: 0.0, seed: 1 }
    }
}

impl Weather {
    /// Loses a fifth of all datagrams and repeats a tenth.
    #[must_use]
    pub fn storm(seed: u64) -> Self {
        Self { loss: 0.2, duplicate: 0.1, seed }
    }
}

/// A socket in some weather.
#[derive(Debug)]
pub(crate) struct Network {
    socket: UdpSocket,
    weather: Weather,
    rng: Rng,
    again: VecDeque<(SocketAddr, Vec<u8>)>,
    /// How many datagrams were lost.
    pub(crate) lost: u32,
}

impl Network {
    pub(crate) fn new(weather: Weather) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("the loopback interface has a free port");
        socket.set_read_timeout(Some(GLANCE)).expect("a timeout that is not zero");
        let rng = Rng::new(weather.seed);
        Self { socket, weather, rng, again: VecDeque::new(), lost: 0 }
    }

    pub(crate) fn local_addr(&self) -> SocketAddr {
        self.socket.local_addr().expect("the socket is bound")
    }

    pub(crate) fn send(&mut self, peer: SocketAddr, datagram: &[u8]) {
        for _ in 0..self.copies() {
            match self.socket.send_to(datagram, peer) {
                // On loopback a peer that has gone answers with ICMP, which counts as loss.
                Err(error) if error.kind() != ErrorKind::ConnectionRefused => panic!("sending: {error}"),
                _ => {}
            }
        }
    }

    /// The next datagram, if one comes within a moment.
    pub(crate) fn receive(&mut self) -> Option<(SocketAddr, Vec<u8>)> {
        if let Some(again) = self.again.pop_front() {
            return Some(again);
        }
        let mut buffer = vec![0; 65_536];
        match self.socket.recv_from(&mut buffer) {
            Ok((length, peer)) => {
                buffer.truncate(length);
                let copies = self.copies();
                if copies == 2 {
                    self.again.push_back((peer, buffer.clone()));
                }
                (copies > 0).then_some((peer, buffer))
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => None,
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => None,
            Err(error) => panic!("receiving: {error}"),
        }
    }

    fn copies(&mut self) -> usize {
        let lost = self.rng.chance(self.weather.loss);
        let doubled = self.rng.chance(self.weather.duplicate);
        if lost {
            self.lost += 1;
            return 0;
        }
        1 + usize::from(doubled)
    }
}
