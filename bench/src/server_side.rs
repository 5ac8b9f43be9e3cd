//! What a full handshake of 1.3 costs a server beside one that resumes a session: its own work alone, without the
//! client's.

use std::time::{Duration, Instant};

use gramseal_proto::Connection;
use gramseal_proto::config::ResumedKeyExchange;

use crate::pair::{Configs, Key, NOW};
use crate::paired::{Comparison, Work, compare};

/// A way to resume, and what the full handshake signs with.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct ServerSide {
    /// What tables call it.
    pub name: &'static str,
    key: Key,
    exchange: ResumedKeyExchange,
}

/// All that are measured. Without a key exchange there is no forward secrecy.
pub static SERVER_SIDES: [ServerSide; 3] = [
    ServerSide { name: "RSA-2048, psk_dhe_ke", key: Key::Rsa2048, exchange: ResumedKeyExchange::Required },
    ServerSide { name: "ECDSA P-256, psk_dhe_ke", key: Key::EcdsaP256, exchange: ResumedKeyExchange::Required },
    ServerSide { name: "ECDSA P-256, psk_ke", key: Key::EcdsaP256, exchange: ResumedKeyExchange::Optional },
];

impl ServerSide {
    /// Measures the full handshake as ours, the resumed one as raw: the ratio says how many of the second a server
    /// does in the time of one of the first.
    ///
    /// # Panics
    /// If a handshake fails.
    #[must_use]
    pub fn compare(&self) -> Comparison {
        let [full, resumed] = Configs::full_and_resumed(self.key, self.exchange);
        compare(&mut Timed::new(&full), &mut Timed::new(&resumed))
    }
}

struct Timed<'a> {
    configs: &'a Configs,
    datagram: Vec<u8>,
}

impl<'a> Timed<'a> {
    fn new(configs: &'a Configs) -> Self {
        Self { configs, datagram: Vec::with_capacity(1 << 14) }
    }

    /// One handshake: what the server took of it.
    fn once(&mut self) -> Duration {
        let mut client = self.configs.client();
        let start = Instant::now();
        let mut server = self.configs.server();
        let mut taken = start.elapsed();
        loop {
            let mut sent = false;
            while client.poll_transmit(NOW, &mut self.datagram) {
                sent = true;
                let start = Instant::now();
                drop(server.handle_datagram(NOW, &mut self.datagram));
                taken += start.elapsed();
            }
            while transmit(&mut server, &mut self.datagram, &mut taken) {
                sent = true;
                drop(client.handle_datagram(NOW, &mut self.datagram));
            }
            if !sent {
                break;
            }
        }
        assert!(server.is_connected() && client.is_connected(), "the handshake is done");
        let start = Instant::now();
        drop(server);
        taken + start.elapsed()
    }
}

fn transmit(server: &mut Connection, datagram: &mut Vec<u8>, taken: &mut Duration) -> bool {
    let start = Instant::now();
    let sent = server.poll_transmit(NOW, datagram);
    while server.poll_event().is_some() {}
    *taken += start.elapsed();
    sent
}

impl Work for Timed<'_> {
    fn run(&mut self, count: u32) -> Duration {
        (0..count).map(|_| self.once()).sum()
    }
}
