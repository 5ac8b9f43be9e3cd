//! `gramseal tunnel` over loopback: both ends, local programs in front and behind.

#![cfg(unix)]
#![allow(missing_docs, reason = "a test")]

mod common;

use std::net::UdpSocket;
use std::os::unix::net::UnixDatagram;

use common::tunnel::{Local, Tunnel, echo};
use common::{Folder, gramseal, run, stderr};

/// Options of one version alone.
const VERSIONS: [&str; 2] = ["--dtls 1.2", "--dtls 1.3"];
const KEY: &str = "--psk tunnel:000102030405060708090a0b0c0d0e0f";

/// A server end with these options in front of [`echo`], and its address.
fn server(options: &str) -> (Tunnel, String) {
    let target = echo();
    let mut server = Tunnel::start(&format!("server --listen 127.0.0.1:0 --forward {target} {options}"));
    let address = server.address();
    (server, address)
}

/// A client end with these options, and the address that local programs send to.
fn client(server: &str, options: &str) -> (Tunnel, String) {
    let mut client = Tunnel::start(&format!("client --listen 127.0.0.1:0 --connect {server} {options}"));
    let address = client.address();
    (client, address)
}

#[test]
fn answers_find_their_sender() {
    for version in VERSIONS {
        let (server, address) = server(&format!("{KEY} {version}"));
        let (client, entry) = client(&address, &format!("{KEY} {version}"));
        let locals: Vec<Local> = (0..5).map(|_| Local::new(&entry)).collect();
        let ports: Vec<u16> = (0..5).map(|at| locals[at].ask(&format!("I am {at}"))).collect();
        let again: Vec<u16> = (0..5).map(|at| locals[at].ask(&format!("I am {at} still"))).collect();
        assert_eq!(ports, again, "the target knows each of them by its port");
        let mut others = ports.clone();
        others.sort_unstable();
        others.dedup();
        assert_eq!(others.len(), 5, "{ports:?}");
        for tunnel in [&server, &client] {
            assert_eq!([tunnel.metric("connections", ""), tunnel.metric("senders", "")], [5, 5]);
            // Counted once they are sent: an answer may be here before.
            tunnel.wait_for_metric("datagrams_total", "way=\"sealed\"", 10);
            tunnel.wait_for_metric("bytes_total", "way=\"opened\"", 80);
        }
        assert_eq!(server.http("/health"), (200, "ok\n".to_owned()));
        assert_eq!(server.http("/other").0, 404);
    }
}

#[test]
fn payloads_that_do_not_fit_are_dropped_and_told_once() {
    let (_server, address) = server(KEY);
    let (mut client, entry) = client(&address, KEY);
    let local = Local::new(&entry);
    local.ask("first");
    for _ in 0..3 {
        local.send(&[7; 2000]);
    }
    client.wait_for_metric("dropped_total", "too_large", 3);
    let told = client.wait_for("larger than a datagram");
    let limit = told["limit"].as_u64().expect("a limit");
    assert!((1100..1200).contains(&limit) && told["len"] == 2000, "{told}");
    assert_eq!(client.said("larger than a datagram"), 0, "told once");
    // What just fits passes; the answer does not fit back any more.
    local.send(&vec![7; usize::try_from(limit).expect("a small number")]);
    local.ask("last");
    client.wait_for_metric("dropped_total", "too_large", 3);
    assert_eq!(client.metric("dropped_total", "too_large"), 3);
}

#[test]
fn idle_senders_expire_and_resume_when_they_come_back() {
    for version in VERSIONS {
        let (mut server, address) = server(&format!("{KEY} {version}"));
        let (mut client, entry) = client(&address, &format!("{KEY} {version} --idle 0.3"));
        let local = Local::new(&entry);
        local.ask("first");
        assert_eq!(client.wait_for("connected")["resumed"], false);
        assert_eq!(server.wait_for("connected")["resumed"], false);
        assert_eq!(client.wait_for("connection ended")["why"], "idle");
        server.wait_for("connection ended");
        local.ask("second");
        assert_eq!(client.wait_for("connected")["resumed"], true, "{version}");
        assert_eq!(server.wait_for("connected")["resumed"], true);
        server.wait_for_metric("handshakes_total", "outcome=\"resumed\"", 1);
    }
}

#[test]
fn a_server_forgets_idle_clients() {
    let (mut server, address) = server(&format!("{KEY} --idle 0.3"));
    let (mut client, entry) = client(&address, KEY);
    let local = Local::new(&entry);
    local.ask("first");
    assert_eq!(server.wait_for("connection ended")["why"], "idle");
    client.wait_for("connection ended");
    local.ask("second");
    assert_eq!(client.wait_for("connected")["resumed"], false);
    assert_eq!(client.wait_for("connected")["resumed"], true);
}

#[test]
fn no_more_senders_than_there_may_be() {
    let (server, address) = server(&format!("{KEY} --max-senders 2"));
    let (mut bounded, entry) = client(&address, &format!("{KEY} --max-senders 1"));
    let first = Local::new(&entry);
    first.ask("first");
    let second = Local::new(&entry);
    second.send(b"too much");
    bounded.wait_for_metric("dropped_total", "too_many_senders", 1);
    bounded.wait_for("too many senders");
    assert_eq!((first.ask("still there"), bounded.metric("senders", "")), (first.ask("and again"), 1));

    let (other, entry) = client(&address, KEY);
    let locals = [Local::new(&entry), Local::new(&entry)];
    locals[0].ask("the second of the server");
    locals[1].send(b"the third");
    server.wait_for_metric("dropped_total", "too_many_senders", 1);
    assert_eq!([server.metric("connections", ""), other.metric("connections", "")], [2, 1]);
}

#[test]
fn no_more_senders_of_a_network_than_there_may_be() {
    let (server, address) = server(&format!("{KEY} --max-senders-per-network 1"));
    let (mut bounded, entry) = client(&address, &format!("{KEY} --max-senders-per-network 1"));
    let first = Local::new(&entry);
    first.ask("first");
    Local::new(&entry).send(b"too much");
    bounded.wait_for_metric("dropped_total", "too_many_of_network", 1);
    bounded.wait_for("too many senders of one network");

    let (other, entry) = client(&address, KEY);
    Local::new(&entry).send(b"too much for the server");
    server.wait_for_metric("dropped_total", "too_many_of_network", 1);
    first.ask("still there");
    assert_eq!([server.metric("connections", ""), other.metric("connections", "")], [1, 0]);
    assert_eq!([bounded.metric("senders", ""), server.metric("dropped_total", "too_many_senders")], [1, 0]);
}

#[test]
fn who_is_idle_makes_room_for_others() {
    let (mut server, address) = server(&format!("{KEY} --max-senders 1"));
    let (_first, entry) = client(&address, KEY);
    Local::new(&entry).ask("first");
    let (_second, entry) = client(&address, KEY);
    // Asks until it is let in.
    Local::new(&entry).ask("second");
    assert_eq!(server.wait_for("connection ended")["why"], "another took its place");
    assert_eq!([server.metric("displaced_total", ""), server.metric("connections", "")], [1, 1]);
    server.wait_for_metric("dropped_total", "too_many_senders", 1);
}

#[test]
fn little_is_kept_while_a_handshake_runs() {
    // Nobody answers there.
    let silent = UdpSocket::bind("127.0.0.1:0").expect("a port");
    let address = silent.local_addr().expect("an address").to_string();
    let (client, entry) = client(&address, KEY);
    let local = Local::new(&entry);
    for _ in 0..40 {
        local.send(b"anybody there?");
    }
    client.wait_for_metric("dropped_total", "handshake_runs", 8);
    client.wait_for_metric("dropped_total", "handshake_runs", 8);
    assert_eq!(client.metric("dropped_total", "handshake_runs"), 8);
}

#[test]
fn what_came_during_the_handshake_is_sent_after_it() {
    let target = UdpSocket::bind("127.0.0.1:0").expect("a port");
    let forward = target.local_addr().expect("an address");
    let mut server = Tunnel::start(&format!("server --listen 127.0.0.1:0 --forward {forward} {KEY}"));
    let (_client, entry) = client(&server.address(), KEY);
    let local = Local::new(&entry);
    let sent: Vec<String> = (0..20).map(|at| format!("number {at}")).collect();
    sent.iter().for_each(|text| local.send(text.as_bytes()));
    let mut buffer = [0; 100];
    let mut next = || {
        let len = target.recv(&mut buffer).expect("a datagram");
        String::from_utf8_lossy(&buffer[..len]).into_owned()
    };
    let received: Vec<String> = (0..20).map(|_| next()).collect();
    assert_eq!(received, sent);
}

#[test]
fn a_server_that_dies_is_noticed() {
    for version in VERSIONS {
        let target = echo();
        let line = |listen: &str| format!("server --listen {listen} --forward {target} {KEY} {version}");
        let mut first = Tunnel::start(&line("127.0.0.1:0"));
        let address = first.address();
        let (mut client, entry) = client(&address, &format!("{KEY} {version} --reconnect-after 0.6"));
        let local = Local::new(&entry);
        local.ask("first");
        first.kill();
        let second = Tunnel::start(&line(&address));
        local.ask("second");
        client.wait_for("the server is silent");
        client.wait_for_metric("reconnects_total", "", 1);
        client.wait_for_metric("connections", "", 1);
        assert_eq!(client.metric("connections", ""), 1);
        second.wait_for_metric("handshakes_total", "outcome=\"full\"", 1);
    }
}

#[test]
fn a_server_that_is_merely_silent_keeps_its_connection() {
    let target = UdpSocket::bind("127.0.0.1:0").expect("a port");
    let forward = target.local_addr().expect("an address");
    let mut server = Tunnel::start(&format!("server --listen 127.0.0.1:0 --forward {forward} {KEY}"));
    let (mut client, entry) = client(&server.address(), &format!("{KEY} --reconnect-after 3 --log debug"));
    let local = Local::new(&entry);
    target.set_read_timeout(Some(std::time::Duration::from_millis(50))).expect("a time");
    while client.said("the server is there") < 1 {
        local.send(b"no answer is wanted");
        let _ = target.recv(&mut [0; 100]);
    }
    assert_eq!(client.metric("reconnects_total", ""), 0);
    server.wait_for_metric("handshakes_total", "", 1);
    assert_eq!(server.metric("handshakes_total", ""), 1);
}

#[test]
fn clients_that_others_can_reach_are_warned_of() {
    let warning = "others than this machine's programs";
    let line = |listen: &str| format!("client --listen {listen} --connect localhost:9 {KEY}");
    // Metrics are served after tunnels are bound, so that it was said by then.
    assert_eq!(Tunnel::start(&line("127.0.0.1:0")).said(warning), 0);
    Tunnel::start(&line("0.0.0.0:0")).wait_for(warning);
}

#[cfg(unix)]
#[test]
fn keys_that_others_can_read_are_warned_of() {
    let folder = Folder::new();
    let psks = folder.file("psks", "a:00ff\n");
    folder.set_mode("psks", 0o644);
    let warning = "others have access to the key";
    let options = format!("--listen 127.0.0.1:0 --psk-file {psks}");
    Tunnel::start(&format!("client --connect localhost:9 {options}")).wait_for(warning);
    Tunnel::start(&format!("server --forward localhost:9 {options}")).wait_for(warning);
    folder.set_mode("psks", 0o600);
    assert_eq!(Tunnel::start(&format!("server --forward localhost:9 {options}")).said(warning), 0);
}

#[test]
fn a_server_that_ends_says_so() {
    let (mut server, address) = server(KEY);
    let (mut client, entry) = client(&address, KEY);
    Local::new(&entry).ask("first");
    assert_eq!(server.terminate().code(), Some(0));
    assert_eq!(client.wait_for("connection ended")["why"], "closed by the peer");
    assert_eq!(client.terminate().code(), Some(0));
}

#[test] // sd_notify(3)
fn the_service_manager_is_told() {
    let folder = Folder::new();
    let manager = UnixDatagram::bind(folder.path("notify")).expect("a socket");
    let mut command = gramseal(&format!("tunnel client --listen 127.0.0.1:0 --connect localhost:9 {KEY}"));
    command.env("NOTIFY_SOCKET", folder.path("notify"));
    let mut tunnel = Tunnel::run(command);
    let mut buffer = [0; 1000];
    let mut told = || {
        let len = manager.recv(&mut buffer).expect("a message");
        String::from_utf8_lossy(&buffer[..len]).trim().to_owned()
    };
    assert_eq!(told(), "READY=1");
    tunnel.signal("HUP");
    let reloading = told();
    assert!(reloading.starts_with("RELOADING=1\nMONOTONIC_USEC="), "{reloading}");
    assert_eq!(told(), "READY=1");
    tunnel.signal("INT");
    assert_eq!(told(), "STOPPING=1");
    assert_eq!(tunnel.ended().code(), Some(0));
}

#[test]
fn the_target_may_come_later() {
    let place = UdpSocket::bind("127.0.0.1:0").expect("a port");
    let forward = place.local_addr().expect("an address");
    drop(place);
    let mut server = Tunnel::start(&format!("server --listen 127.0.0.1:0 --forward {forward} {KEY}"));
    let (_client, entry) = client(&server.address(), KEY);
    let local = Local::new(&entry);
    local.send(b"nobody there");
    server.wait_for("connected");
    let target = UdpSocket::bind(forward).expect("the port is free again");
    std::thread::spawn(move || common::tunnel::serve_echo(&target));
    local.ask("and now");
}

#[test]
fn a_server_that_lets_everybody_in_says_so() {
    for (options, warned) in [("--self-signed a.test", 1), (&format!("--self-signed a.test {KEY}"), 1), (KEY, 0)] {
        let (mut server, _) = server(options);
        assert_eq!(server.said("everybody reaches the target"), warned, "{options}");
    }
}

#[test]
fn wrong_use_is_told_before_anything_begins() {
    for (line, said) in [
        ("server --forward localhost:9", "--psk-file"),
        ("server --forward localhost:9 --listen nowhere --self-signed a", "--listen nowhere"),
        ("client --listen 127.0.0.1:0 --connect localhost", "HOST:PORT"),
        ("client --listen 127.0.0.1:0 --connect localhost:9 --ca no-such-file", "no-such-file"),
        ("client --listen 127.0.0.1:0 --connect localhost:9 --insecure --max-senders 0", "--max-senders"),
        ("server --forward localhost:9 --self-signed a --max-senders-per-network 0", "--max-senders-per-network"),
        ("client --listen 127.0.0.1:0 --connect localhost:9 --insecure --log what=ever=", "--log"),
        ("server --forward localhost:9 --state-key x --self-signed a", "--state"),
    ] {
        let output = run(&format!("tunnel {line}"));
        assert_eq!(output.status.code(), Some(2), "{line}: {}", stderr(&output));
        assert!(stderr(&output).contains(said), "{line}: {}", stderr(&output));
    }
    let taken = UdpSocket::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address");
    let output = run(&format!("tunnel client --listen {address} --connect localhost:9 --insecure"));
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
}
