//! A loop over std sockets: one call to the system for each record of `gramseal_proto`.

use std::net::UdpSocket;

use gramseal_proto::Connection;

use super::PAYLOAD;
use super::flow::Flow;
use crate::pair::{Configs, NOW, Pair};

pub(super) fn flow() -> Flow {
    let configs = Configs::for_sockets();
    let mut pair = Pair::connected(&configs, &mut Vec::new());
    pair.confirm(&mut Vec::new());
    let Pair { client, server } = pair;
    Flow::start(
        move |shared, ready| {
            let socket = UdpSocket::bind("127.0.0.1:0").expect("a port");
            ready.send(socket.local_addr().expect("an address")).expect("somebody waits");
            receive(&socket, server, |count| shared.received(count));
        },
        move |shared, addr, ready| {
            let socket = UdpSocket::bind("127.0.0.1:0").expect("a port");
            socket.connect(addr).expect("an address");
            ready.send(()).expect("somebody waits");
            let mut client = client;
            let mut datagram = [0; 2048];
            loop {
                shared.wait();
                while shared.runs() {
                    let len = client.seal(&[7; PAYLOAD], &mut datagram).expect("connected");
                    socket.send(&datagram[..len]).expect("a socket");
                    shared.sent(1);
                }
            }
        },
    )
}

fn receive(socket: &UdpSocket, mut server: Connection, received: impl Fn(usize)) {
    let mut datagram = [0; 2048];
    loop {
        let len = socket.recv(&mut datagram).expect("a socket");
        for payload in server.handle_datagram(NOW, &mut datagram[..len]) {
            assert!(payload.len() == PAYLOAD, "whole payloads");
            received(1);
        }
    }
}
