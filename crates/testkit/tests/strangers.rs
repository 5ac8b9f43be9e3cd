//! A server's endpoint before and after a client has proved its address (RFC 6347 §4.2.1).

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use gramseal_proto::endpoint::{Endpoint, EndpointConfig, Route};
use gramseal_proto::wire::ProtocolVersion;
use gramseal_proto::{Connection, Instant};
use gramseal_testkit::alloc_counter::{allocations, memory};
use gramseal_testkit::null::{self, ToyKind};

fn server() -> Endpoint<u32> {
    server_of(ProtocolVersion::DTLS1_2)
}

fn server_of(version: ProtocolVersion) -> Endpoint<u32> {
    let identity = null::identity(ToyKind::EcdsaP256, null::SERVER_NAME, 0);
    let config = null::server_config(1, identity).with_versions(&[version]).build().expect("a server configuration");
    Endpoint::new(EndpointConfig::server(Arc::new(config)).expect("the null provider never fails"))
}

fn client() -> Connection {
    client_of(ProtocolVersion::DTLS1_2)
}

fn client_of(version: ProtocolVersion) -> Connection {
    let config = null::client_config(2).with_versions(&[version]).build().expect("a client configuration");
    let config = Arc::new(config);
    let name = null::SERVER_NAME.try_into().expect("a DNS name");
    Connection::client(config, name, Instant::default()).expect("the null provider never fails")
}

fn transmit(connection: &mut Connection) -> Vec<u8> {
    let mut datagram = Vec::new();
    assert!(connection.poll_transmit(Instant::default(), &mut datagram));
    datagram
}

fn peer(number: u32) -> SocketAddr {
    (Ipv4Addr::from(0x0a00_0000 | number), 5000).into()
}

#[test]
fn hellos_without_a_cookie_allocate_nothing() {
    let mut endpoint = server();
    let hello = transmit(&mut client());
    let mut reply = Vec::with_capacity(hello.len());
    let count = allocations(|| {
        for number in 0..100_000 {
            let route = endpoint.route(Instant::default(), peer(number), &hello, &mut reply);
            assert!(matches!(route, Route::Reply));
            assert!(reply.len() <= hello.len());
        }
    });
    assert_eq!((count, endpoint.entries()), (0, 0));
    assert_eq!(endpoint.stats().cookies_sent, 100_000);
}

#[test]
fn hellos_of_1_3_without_a_cookie_leave_nothing_allocated() {
    let mut endpoint = server_of(ProtocolVersion::DTLS1_3);
    let hello = transmit(&mut client_of(ProtocolVersion::DTLS1_3));
    let mut reply = Vec::with_capacity(hello.len());
    let memory = memory(|| {
        for number in 0..10_000 {
            let route = endpoint.route(Instant::default(), peer(number), &hello, &mut reply);
            assert!(matches!(route, Route::Reply));
            assert!(reply.len() <= hello.len());
        }
    });
    assert_eq!((memory.kept, endpoint.entries()), (0, 0));
    assert!(memory.most < 4096, "at any time: {memory:?}");
    assert_eq!(endpoint.stats().cookies_sent, 10_000);
}

#[test]
fn an_accepted_client_is_answered_with_the_numbers_of_its_hello() {
    let now = Instant::default();
    let (mut endpoint, mut client) = (server(), client());
    let mut reply = Vec::new();
    let route = endpoint.route(now, peer(1), &transmit(&mut client), &mut reply);
    assert!(matches!(route, Route::Reply));
    drop(client.handle_datagram(now, &mut reply));

    let hello = transmit(&mut client);
    let Route::Incoming(incoming) = endpoint.route(now, peer(1), &hello, &mut reply) else {
        panic!("the cookie was not accepted");
    };
    let identity = null::identity(ToyKind::EcdsaP256, null::SERVER_NAME, 500);
    let config = null::server_config(3, identity).build().expect("a server configuration");
    let mut server = incoming.accept(Arc::new(config), now);
    assert_eq!(endpoint.insert(peer(1), 1).replaced, None);
    assert!(matches!(endpoint.route(now, peer(1), &hello, &mut reply), Route::Connection(1)));

    let answer = transmit(&mut server);
    // Sequence number of the record, message_seq of the ServerHello.
    assert_eq!((&answer[5..11], &answer[17..19]), (&hello[5..11], &hello[17..19]));
    assert_eq!(answer[13], 2, "a ServerHello");
}
