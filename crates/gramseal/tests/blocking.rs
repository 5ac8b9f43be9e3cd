//! The interface without `async`.

#![cfg(feature = "blocking")]
#![allow(missing_docs, clippy::unwrap_used, reason = "a test")]

mod common;

use std::net::UdpSocket;
use std::thread;
use std::time::Duration;

use common::*;
use gramseal::blocking::{Endpoint, TimedOut};
use gramseal::{CloseReason, Payloads};
use gramseal_testkit::pki::TestPki;

#[test]
fn threads_talk_without_a_runtime() {
    let pki = TestPki::new();
    let server = Endpoint::server(LOOPBACK, server_config(&pki)).unwrap();
    let addr = server.local_addr().unwrap();
    let serving = thread::spawn(move || {
        while let Some(incoming) = server.accept() {
            let conn = incoming.accept().unwrap();
            while let Some(data) = conn.recv().unwrap() {
                conn.send(&data).unwrap();
            }
            server.close();
        }
        server.stats().handshakes.completed
    });
    let endpoint = Endpoint::client(LOOPBACK).unwrap();
    let conn = endpoint.connect(addr, NAME, client_config(&pki)).unwrap();
    assert_eq!(conn.peer_addr(), addr);
    conn.send_wait(b"ping").unwrap();
    assert_eq!(conn.recv().unwrap().unwrap(), "ping");
    assert_eq!(conn.recv_timeout(Duration::from_millis(1)).unwrap_err(), TimedOut);
    conn.send(b"pong").unwrap();
    assert_eq!(conn.recv_timeout(Duration::from_secs(20)).unwrap().unwrap().unwrap(), "pong");
    assert_eq!(conn.send_many_wait(&["abc", "def"]).unwrap(), 2);
    let (mut payloads, mut came) = (Payloads::new(), 0);
    while came < 2 {
        came += conn.recv_many(&mut payloads).unwrap().unwrap();
    }
    assert_eq!(endpoint.stats().connections, 1);
    conn.close();
    assert_eq!(conn.closed(), CloseReason::Local);
    assert_eq!(serving.join().unwrap(), 1);
    let socket = UdpSocket::bind(LOOPBACK).unwrap();
    let another = socket.local_addr().unwrap();
    endpoint.rebind(socket).unwrap();
    assert_eq!(endpoint.local_addr().unwrap(), another);
}
