//! A UDP socket that can lose, duplicate and reorder datagrams, in both directions, as a seed says.

use std::collections::VecDeque;
use std::io::ErrorKind;
use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

use gramseal_proto::Direction;
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
    /// The fraction that lets the one behind it pass, if one follows at once.
    pub reorder: f64,
    /// One more that gets lost: the one that moves in this direction with this number, from 0.
    pub lose: Option<(Direction, u32)>,
    /// Where the dice start.
    pub seed: u64,
}

impl Default for Weather {
    fn default() -> Self {
        Self { loss: 0.0, duplicate: 0.0, reorder: 0.0, lose: None, seed: 1 }
    }
}

impl Weather {
    /// Loses a fifth of all datagrams and repeats a tenth.
    #[must_use]
    pub fn storm(seed: u64) -> Self {
        Self { loss: 0.2, duplicate: 0.1, seed, ..Self::default() }
    }
}

/// A socket in some weather.
#[derive(Debug)]
pub(crate) struct Network {
    socket: UdpSocket,
    weather: Weather,
    rng: Rng,
    /// What arrived and has not been received.
    again: VecDeque<(SocketAddr, Vec<u8>)>,
    /// What is sent after the next one.
    late: Option<(SocketAddr, Vec<u8>)>,
    /// How many datagrams were sent, and how many arrived.
    pub(crate) moved: [u32; 2],
    /// How many datagrams were lost.
    pub(crate) lost: u32,
}

impl Network {
    pub(crate) fn new(weather: Weather) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("the loopback interface has a free port");
        socket.set_read_timeout(Some(GLANCE)).expect("a timeout that is not zero");
        let rng = Rng::new(weather.seed);
        Self { socket, weather, rng, again: VecDeque::new(), late: None, moved: [0; 2], lost: 0 }
    }

    pub(crate) fn local_addr(&self) -> SocketAddr {
        self.socket.local_addr().expect("the socket is bound")
    }

    pub(crate) fn send(&mut self, peer: SocketAddr, datagram: &[u8]) {
        for _ in 0..self.copies(Direction::Sent) {
            if self.late.is_none() && self.is_late() {
                self.late = Some((peer, datagram.to_vec()));
                continue;
            }
            self.send_now(peer, datagram);
            self.send_late();
        }
    }

    fn send_late(&mut self) {
        if let Some((peer, datagram)) = self.late.take() {
            self.send_now(peer, &datagram);
        }
    }

    fn send_now(&self, peer: SocketAddr, datagram: &[u8]) {
        match self.socket.send_to(datagram, peer) {
            // On loopback a peer that has gone answers with ICMP, which counts as loss.
            Err(error) if error.kind() != ErrorKind::ConnectionRefused => panic!("sending: {error}"),
            _ => {}
        }
    }

    /// The next datagram, if one comes within a moment.
    pub(crate) fn receive(&mut self) -> Option<(SocketAddr, Vec<u8>)> {
        // Nothing followed it.
        self.send_late();
        if self.again.is_empty() {
            self.arrive();
            let first = self.again.len();
            if first > 0 && self.is_late() {
                self.arrive();
                self.again.rotate_left(first);
            }
        }
        self.again.pop_front()
    }

    /// Waits a moment for a datagram.
    fn arrive(&mut self) {
        let mut buffer = vec![0; 65_536];
        match self.socket.recv_from(&mut buffer) {
            Ok((length, peer)) => {
                buffer.truncate(length);
                for _ in 0..self.copies(Direction::Received) {
                    self.again.push_back((peer, buffer.clone()));
                }
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => {}
            Err(error) => panic!("receiving: {error}"),
        }
    }

    fn is_late(&mut self) -> bool {
        // Dice that nobody needs would change what a seed says of the rest.
        self.weather.reorder > 0.0 && self.rng.chance(self.weather.reorder)
    }

    fn copies(&mut self, direction: Direction) -> usize {
        let moved = &mut self.moved[usize::from(direction == Direction::Received)];
        let chosen = self.weather.lose == Some((direction, *moved));
        *moved += 1;
        let lost = self.rng.chance(self.weather.loss);
        let doubled = self.rng.chance(self.weather.duplicate);
        if lost || chosen {
            self.lost += 1;
            return 0;
        }
        1 + usize::from(doubled)
    }
}
