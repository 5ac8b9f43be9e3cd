//! A bad network on loopback: loses, reorders and repeats datagrams between a client and a server.
//!
//! The client sends to the relay's front, the server sees the relay's back. What happens to the
//! n-th datagram of a direction follows from the seed alone.

use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::Serialize;
use tokio::net::UdpSocket;
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// How long a datagram waits at most to be overtaken.
const HELD: Duration = Duration::from_millis(40);
/// The largest UDP payload (RFC 768), in bytes.
const MAX_DATAGRAM: usize = 65_535;

/// How bad the network is: probabilities, and the seed of all decisions.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Weather {
    pub(crate) loss: f64,
    pub(crate) reorder: f64,
    pub(crate) duplicate: f64,
    pub(crate) seed: u64,
}

/// What one direction has carried.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Traffic {
    /// Datagrams sent into it.
    pub(crate) datagrams: u64,
    /// UDP payload sent into it, in bytes.
    pub(crate) bytes: u64,
    pub(crate) lost: u64,
    pub(crate) reordered: u64,
    pub(crate) duplicated: u64,
}

impl fmt::Display for Traffic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { datagrams, bytes, lost, reordered, duplicated } = self;
        write!(f, "{datagrams} datagrams, {bytes} bytes: {lost} lost, {reordered} reordered, {duplicated} duplicated")
    }
}

/// A running relay; stops when dropped.
#[derive(Debug)]
pub(crate) struct Relay {
    front: SocketAddr,
    to_server: Arc<Mutex<Traffic>>,
    to_client: Arc<Mutex<Traffic>>,
    tasks: [JoinHandle<()>; 2],
}

impl Relay {
    /// Relays between whoever writes to its front first and `server`.
    pub(crate) async fn start(server: SocketAddr, weather: Weather) -> io::Result<Self> {
        let front = Arc::new(UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await?);
        let back = Arc::new(UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await?);
        back.connect(server).await?;
        let address = front.local_addr()?;
        let (to_server, to_client) = (Arc::default(), Arc::default());
        let forth = carry(Arc::clone(&front), Arc::clone(&back), Direction::new(weather, 0, &to_server));
        let home = carry(back, front, Direction::new(weather, 1, &to_client));
        Ok(Self { front: address, to_server, to_client, tasks: [tokio::spawn(forth), tokio::spawn(home)] })
    }

    /// Where clients find the server.
    pub(crate) fn front(&self) -> SocketAddr {
        self.front
    }

    pub(crate) fn to_server(&self) -> Traffic {
        *self.to_server.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn to_client(&self) -> Traffic {
        *self.to_client.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

/// Reads from one socket and writes to the other. The front learns its peer from the first
/// datagram and stays with it.
async fn carry(from: Arc<UdpSocket>, to: Arc<UdpSocket>, mut direction: Direction) {
    let mut buffer = vec![0; MAX_DATAGRAM];
    loop {
        let received = match &direction.held {
            Some(_) => timeout(HELD, from.recv_from(&mut buffer)).await.ok(),
            None => Some(from.recv_from(&mut buffer).await),
        };
        let (datagram, peer) = match received {
            Some(Ok((len, peer))) => (&buffer[..len], Some(peer)),
            // An ICMP error: nobody listens there yet, or any more.
            Some(Err(_)) => continue,
            None => (&[][..], None),
        };
        if let Some(peer) = peer
            && from.peer_addr().is_err()
        {
            let _ = from.connect(peer).await;
        }
        for out in if peer.is_some() { direction.step(datagram) } else { direction.release() } {
            // Lost like any other.
            let _ = to.send(&out).await;
        }
    }
}

/// Decides what happens to the datagrams of one direction.
struct Direction {
    weather: Weather,
    /// Makes the directions differ.
    salt: u64,
    index: u64,
    /// Waits to be overtaken.
    held: Option<Vec<u8>>,
    traffic: Arc<Mutex<Traffic>>,
}

impl Direction {
    fn new(weather: Weather, salt: u64, traffic: &Arc<Mutex<Traffic>>) -> Self {
        Self { weather, salt, index: 0, held: None, traffic: Arc::clone(traffic) }
    }

    /// What to pass on now, in order.
    fn step(&mut self, datagram: &[u8]) -> Vec<Vec<u8>> {
        let [lost, reordered, duplicated] = self.decide();
        let mut traffic = self.traffic.lock().unwrap_or_else(PoisonError::into_inner);
        traffic.datagrams += 1;
        traffic.bytes += datagram.len() as u64;
        if lost {
            traffic.lost += 1;
            return Vec::new();
        }
        if reordered && self.held.is_none() {
            traffic.reordered += 1;
            self.held = Some(datagram.to_vec());
            return Vec::new();
        }
        let mut out = vec![datagram.to_vec()];
        if duplicated {
            traffic.duplicated += 1;
            out.push(datagram.to_vec());
        }
        out.extend(self.held.take());
        out
    }

    /// Nothing came to overtake what is held.
    fn release(&mut self) -> Vec<Vec<u8>> {
        self.held.take().into_iter().collect()
    }

    /// Whether the next datagram is lost, overtaken, repeated.
    fn decide(&mut self) -> [bool; 3] {
        let first = self.index * 3;
        self.index += 1;
        let chance = |n: u64| unit(mix(self.weather.seed ^ mix(first + n) ^ mix(!self.salt)));
        [chance(0) < self.weather.loss, chance(1) < self.weather.reorder, chance(2) < self.weather.duplicate]
    }
}

/// Spreads every bit of `value` over the whole result (the finaliser of SplitMix64).
fn mix(value: u64) -> u64 {
    let mut z = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A number from 0 up to but without 1, from the upper 32 bits.
fn unit(bits: u64) -> f64 {
    let upper = u32::try_from(bits >> 32).unwrap_or(u32::MAX);
    f64::from(upper) / (f64::from(u32::MAX) + 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn direction(loss: f64, reorder: f64, duplicate: f64, salt: u64) -> Direction {
        Direction::new(Weather { loss, reorder, duplicate, seed: 7 }, salt, &Arc::default())
    }

    #[test]
    fn good_weather_changes_nothing() {
        let mut direction = direction(0.0, 0.0, 0.0, 0);
        assert!((0..100).all(|n| direction.step(&[n]) == [vec![n]]));
        let traffic = *direction.traffic.lock().unwrap();
        assert_eq!(traffic, Traffic { datagrams: 100, bytes: 100, ..Traffic::default() });
    }

    #[test]
    fn decisions_follow_from_the_seed_and_differ_by_direction() {
        let decisions = |salt| {
            let mut direction = direction(0.3, 0.3, 0.3, salt);
            (0..200).map(|_| direction.decide()).collect::<Vec<_>>()
        };
        assert_eq!(decisions(0), decisions(0));
        assert_ne!(decisions(0), decisions(1));
        let lost = decisions(0).iter().filter(|[lost, ..]| *lost).count();
        assert!((30..90).contains(&lost), "{lost} of 200");
    }

    #[test]
    fn what_is_held_is_overtaken_by_one() {
        let mut direction = direction(0.0, 0.9, 0.0, 0);
        let mut order: Vec<Vec<u8>> = (0..20).flat_map(|n| direction.step(&[n])).collect();
        order.extend(direction.release());
        assert_ne!(order, (0..20).map(|n| vec![n]).collect::<Vec<_>>());
        order.sort();
        assert_eq!(order, (0..20).map(|n| vec![n]).collect::<Vec<_>>());
    }

    #[test]
    fn repeated_datagrams_are_counted() {
        let mut direction = direction(0.0, 0.0, 0.9, 0);
        let passed: usize = (0..50).map(|n| direction.step(&[n]).len()).sum();
        assert_eq!(passed as u64, 50 + direction.traffic.lock().unwrap().duplicated);
    }
}
