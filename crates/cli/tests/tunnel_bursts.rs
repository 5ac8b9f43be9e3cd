//! Bursts through `gramseal tunnel`: each payload arrives, or it is counted why not.

#![cfg(unix)]
#![allow(missing_docs, reason = "a test")]

mod common;

use std::net::UdpSocket;

use common::tunnel::{Local, Tunnel, receive};

const KEY: &str = "--psk tunnel:000102030405060708090a0b0c0d0e0f";
/// Fewer than any socket's buffer holds, and more than a tunnel takes at one look.
const COUNT: u8 = 100;

/// Both ends of a tunnel, a program at either side, and which address the first is for the second.
struct Path {
    server: Tunnel,
    client: Tunnel,
    local: Local,
    target: UdpSocket,
    sender: std::net::SocketAddr,
}

impl Path {
    /// One payload has gone over it.
    fn new(version: &str) -> Self {
        let target = UdpSocket::bind("127.0.0.1:0").expect("a port");
        let forward = target.local_addr().expect("an address");
        let options = format!("{KEY} --dtls {version}");
        let mut server = Tunnel::start(&format!("server --listen 127.0.0.1:0 --forward {forward} {options}"));
        let connect = server.address();
        let mut client = Tunnel::start(&format!("client --listen 127.0.0.1:0 --connect {connect} {options}"));
        let local = Local::new(&client.address());
        local.send(b"first");
        let (_, sender) = target.recv_from(&mut [0; 8]).expect("a datagram");
        Self { server, client, local, target, sender }
    }

    /// Whether exactly so many payloads were sealed by one end and opened by the other.
    fn went(&self, [sealer, opener]: [&Tunnel; 2], count: u64) {
        for (tunnel, way) in [(sealer, "sealed"), (opener, "opened")] {
            let label = format!("way=\"{way}\"");
            tunnel.wait_for_metric("datagrams_total", &label, count);
            assert_eq!(tunnel.metric("datagrams_total", &label), count, "{way}");
        }
    }
}

/// Payloads of many lengths: some next to each other have the same, some do not.
fn payloads() -> Vec<Vec<u8>> {
    (0..COUNT).map(|number| vec![number; 1 + usize::from(number / 8 % 3) * 30 + usize::from(number % 8 / 7)]).collect()
}

#[test]
fn bursts_arrive_whole_and_are_counted() {
    for version in ["1.2", "1.3"] {
        let path = Path::new(version);
        let sent = payloads();
        sent.iter().for_each(|payload| path.local.send(payload));
        assert_eq!(receive(&path.target, sent.len()), sent, "{version}");
        for payload in &sent {
            path.target.send_to(payload, path.sender).expect("it is sent");
        }
        assert_eq!(path.local.receive(sent.len()), sent, "{version}");
        path.went([&path.client, &path.server], 1 + u64::from(COUNT));
        path.went([&path.server, &path.client], u64::from(COUNT));
        assert_eq!([path.client.metric("dropped_total", ""), path.server.metric("dropped_total", "")], [0, 0]);
    }
}

#[test]
fn a_payload_that_does_not_fit_takes_no_other_with_it() {
    for version in ["1.2", "1.3"] {
        let path = Path::new(version);
        let mut sent = payloads();
        let mut fit = sent.clone();
        // Two next to each other, one in front and one at the end.
        for at in [99, 31, 30, 0] {
            sent[at] = vec![0; 2000];
            fit.remove(at);
        }
        let (fits, drops) = (u64::from(COUNT) - 4, 4);
        sent.iter().for_each(|payload| path.local.send(payload));
        assert_eq!(receive(&path.target, fit.len()), fit, "{version}");
        for payload in &sent {
            path.target.send_to(payload, path.sender).expect("it is sent");
        }
        assert_eq!(path.local.receive(fit.len()), fit, "{version}");
        path.went([&path.client, &path.server], 1 + fits);
        path.went([&path.server, &path.client], fits);
        for tunnel in [&path.client, &path.server] {
            tunnel.wait_for_metric("dropped_total", "too_large", drops);
            assert_eq!(tunnel.metric("dropped_total", ""), drops, "{version}");
        }
    }
}
