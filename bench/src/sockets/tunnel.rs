//! Flows through both ends of `gramseal tunnel`, each a process of its own, and the same two programs without a tunnel
//! between them.
//!
//! They are programs as they usually are: one call to the system for each datagram, and no more datagrams on their way
//! than a socket's buffer holds. A tunnel is several processes in a row, and what a program sent faster than they carry
//! would only show how many datagrams are thrown away where.

use std::net::{SocketAddr, UdpSocket};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use super::PAYLOAD;
use super::flow::Flow;

/// How many datagrams a receipt stands for, and how many receipts may be missing.
const OF_A_RECEIPT: u64 = 32;
const RECEIPTS: usize = 2;

/// After so long without a receipt what is on its way is lost.
const LOST: Duration = Duration::from_millis(20);

/// How long a handshake may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Who may use the tunnel.
const KEY: &str = "bench:000102030405060708090a0b0c0d0e0f";

/// Both ends of a tunnel; they end with this value.
#[derive(Debug)]
pub(super) struct Ends(Vec<Child>);

impl Drop for Ends {
    fn drop(&mut self) {
        for end in &mut self.0 {
            // One that has ended already is what is wanted.
            let _ = end.kill();
            let _ = end.wait();
        }
    }
}

/// From a program straight to another.
pub(super) fn direct() -> Flow {
    let [sender, target] = [(); 2].map(|()| socket());
    sender.connect(address(&target)).expect("an address");
    flow(sender, target)
}

/// From a program through a tunnel to another. The program `gramseal` is built first, as this one was.
pub(super) fn through_a_tunnel() -> (Flow, Ends) {
    cargo("build", &[]).status().ok().filter(|status| status.success()).expect("`gramseal` can be built");
    let [sender, target, server, client] = [(); 4].map(|()| socket());
    let (entry, connect, forward) = (address(&client), address(&server), address(&target));
    // Their ports are free again, for the ends of the tunnel.
    drop((server, client));
    let options =
        ["--psk", KEY, "--dtls", "1.3", "--suite", "TLS_AES_128_GCM_SHA256", "--mtu", "1400", "--log", "warn"];
    let start = |end: &str, listen: SocketAddr, where_to: &str, to: SocketAddr| {
        let (listen, to) = (listen.to_string(), to.to_string());
        let arguments = [&["--", "tunnel", end, "--listen", &listen, where_to, &to], &options[..]].concat();
        cargo("run", &arguments).stdin(Stdio::null()).spawn().expect("`gramseal` can be run")
    };
    let ends = Ends(vec![start("server", connect, "--forward", forward), start("client", entry, "--connect", connect)]);
    sender.connect(entry).expect("an address");
    connected(&sender, &target);
    (flow(sender, target), ends)
}

/// Cargo on the program, which is in the workspace above this one.
fn cargo(what: &str, arguments: &[&str]) -> Command {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("a folder in the repository");
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args([what, "--quiet", "--package", "gramseal-cli", "--manifest-path"]).arg(workspace.join("Cargo.toml"));
    if !cfg!(debug_assertions) {
        cargo.arg("--release");
    }
    cargo.args(arguments);
    cargo
}

fn socket() -> UdpSocket {
    UdpSocket::bind("127.0.0.1:0").expect("a port")
}

fn address(socket: &UdpSocket) -> SocketAddr {
    socket.local_addr().expect("an address")
}

/// Returns once something goes through.
fn connected(sender: &UdpSocket, target: &UdpSocket) {
    let deadline = Instant::now() + PATIENCE;
    target.set_read_timeout(Some(Duration::from_millis(100))).expect("a time");
    // Nobody may listen yet.
    while sender.send(b"anybody there?").is_err() || target.recv(&mut [0; PAYLOAD]).is_err() {
        assert!(Instant::now() < deadline, "the tunnel carries nothing");
    }
    // What was sent in vain comes late.
    while target.recv(&mut [0; PAYLOAD]).is_ok() {}
    target.set_read_timeout(None).expect("a time");
}

fn flow(sender: UdpSocket, target: UdpSocket) -> Flow {
    let (receipt, receipts) = channel();
    Flow::start(
        move |shared, ready| {
            ready.send(()).expect("somebody waits");
            receive(&target, &receipt, |count| shared.received(count));
        },
        move |shared, (), ready| {
            ready.send(()).expect("somebody waits");
            loop {
                shared.wait();
                send(&sender, &receipts, || shared.runs(), |count| shared.sent(count));
            }
        },
    )
}

fn receive(target: &UdpSocket, receipt: &Sender<()>, received: impl Fn(usize)) {
    let mut datagram = [0; 2048];
    for count in 1_u64.. {
        let len = target.recv(&mut datagram).expect("a socket");
        assert!(len == PAYLOAD, "whole payloads");
        received(1);
        if count.is_multiple_of(OF_A_RECEIPT) {
            // Nobody reads it when the program is about to end.
            let _ = receipt.send(());
        }
    }
}

fn send(sender: &UdpSocket, receipts: &Receiver<()>, runs: impl Fn() -> bool, sent: impl Fn(usize)) {
    // Those of the turn before say nothing about this one.
    while receipts.try_recv().is_ok() {}
    let mut missing = 0;
    while runs() {
        if missing == RECEIPTS {
            match receipts.recv_timeout(LOST) {
                Ok(()) => missing -= 1,
                Err(RecvTimeoutError::Timeout) => missing = 0,
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
        missing += 1;
        for _ in 0..OF_A_RECEIPT {
            // What the other side of a closed port says is told with the next call.
            if sender.send(&[7; PAYLOAD]).is_ok() {
                sent(1);
            }
        }
    }
}
