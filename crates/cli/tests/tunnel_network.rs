//! `gramseal tunnel` over a bad network: two network namespaces of our own, with a narrow link between them that loses
//! datagrams.

#![cfg(target_os = "linux")]
#![allow(missing_docs, reason = "a test")]

mod common;

use std::io::{BufRead, BufReader};
use std::net::UdpSocket;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use common::tunnel::{Local, Tunnel, serve_echo};
use common::{Folder, gramseal};
use gramseal_testkit::pki::TestPki;

/// Set inside of the network.
const INSIDE: &str = "GRAMSEAL_TEST_BAD_NETWORK";
/// Where the far side is, and where its target is, which only the far side reaches.
const FAR: &str = "10.9.0.2";
const TARGET: &str = "127.0.0.1:7000";
const CLIENTS: usize = 50;

#[test]
fn fifty_clients_on_a_bad_network() {
    // Debian has nft where only root looks for programs.
    let path = std::env::var("PATH").unwrap_or_default() + ":/usr/sbin:/sbin";
    let inside = Command::new("unshare")
        .args(["--map-root-user", "--net"])
        .arg(std::env::current_exe().expect("this program has a name"))
        .args(["--exact", "inside", "--ignored", "--nocapture"])
        .env(INSIDE, "1")
        .env("PATH", path)
        .output()
        .expect("there is unshare");
    let told = [inside.stdout.as_slice(), &inside.stderr].concat();
    assert!(inside.status.success(), "with unshare, nsenter, ip and nft: {}", String::from_utf8_lossy(&told));
    assert!(String::from_utf8_lossy(&inside.stdout).contains("1 passed"));
}

#[test]
#[ignore = "needs a network of its own, which `fifty_clients_on_a_bad_network` makes"]
fn inside() {
    assert!(std::env::var_os(INSIDE).is_some(), "run by `fifty_clients_on_a_bad_network`");
    let far = Far::new();
    for version in ["1.2", "1.3"] {
        fifty_clients(&far, version);
    }
}

#[test]
#[ignore = "is the target on the far side, which `inside` starts"]
fn the_target() {
    assert!(std::env::var_os(INSIDE).is_some(), "run by `inside`");
    serve_echo(&UdpSocket::bind(TARGET).expect("the port is free"));
}

/// All of them talk through one tunnel whose server is replaced meanwhile.
fn fifty_clients(far: &Far, version: &str) {
    let folder = Folder::new();
    let identity = TestPki::new().server("far.test");
    let (cert, key) = (folder.file("cert.pem", &identity.chain_pem), folder.file("key.pem", &identity.key_pem));
    let state = folder.path("state");
    let start = || {
        let line = format!(
            "tunnel server --listen {FAR}:4433 --forward {TARGET} --cert {cert} --key {key} --dtls {version} \
             --state {state} --drain 20"
        );
        let mut command = far.inside("--");
        command.arg(env!("CARGO_BIN_EXE_gramseal")).args(line.split_whitespace());
        Tunnel::run_at(command, &format!("{FAR}:0"))
    };
    let mut first = start();
    let line = format!("tunnel client --listen 127.0.0.1:0 --connect {FAR}:4433 --insecure --dtls {version}");
    let mut client = Tunnel::run(gramseal(&line));
    let entry = client.address();

    let (begun, asked, replaced) = (AtomicUsize::new(0), AtomicU64::new(0), AtomicBool::new(false));
    let second = std::thread::scope(|scope| {
        // Whatever fails, nobody goes on for ever.
        let _end = OnDrop(&replaced);
        let run = |at: usize| {
            let (begun, replaced, asked, entry) = (&begun, &replaced, &asked, &entry);
            scope.spawn(move || {
                let local = Local::new(entry);
                // Every other one fills its datagrams.
                let filler = "x".repeat(if at.is_multiple_of(2) { 400 } else { 0 });
                let ask = |what: &str, round: u32| {
                    asked.fetch_add(1, Ordering::Relaxed);
                    local.ask_every(&format!("{what} {round} of {at} {filler}"), Duration::from_millis(300))
                };
                let port = ask("before", 0);
                (1..5).for_each(|round| assert_eq!(ask("before", round), port));
                begun.fetch_add(1, Ordering::Relaxed);
                let mut round = 0;
                while !replaced.load(Ordering::Relaxed) {
                    ask("meanwhile", round);
                    round += 1;
                }
                (0..5).for_each(|round| assert_eq!(ask("after", round), port, "the target notices nothing"));
            })
        };
        let threads: Vec<_> = (0..CLIENTS).map(run).collect();
        while begun.load(Ordering::Relaxed) < CLIENTS {
            assert!(!threads.iter().any(|thread| thread.is_finished()), "a client failed");
            std::thread::sleep(Duration::from_millis(10));
        }
        assert_eq!(first.terminate().code(), Some(0));
        let second = start();
        second.wait_for_metric("imported_total", "", 1);
        second
    });
    let clients = u64::try_from(CLIENTS).expect("a small number");
    let counted = |tunnel: &Tunnel, name| tunnel.metric(name, "");
    assert_eq!(counted(&second, "imported_total"), clients, "{version}");
    assert_eq!([counted(&second, "connections"), counted(&second, "handshakes_total")], [clients, 0], "{version}");
    assert_eq!([counted(&client, "handshakes_total"), counted(&client, "reconnects_total")], [clients, 0]);
    assert_eq!(client.said("connection ended"), 0, "{version}");
    client.wait_for_metric("datagrams_total", "way=\"sealed\"", asked.load(Ordering::Relaxed));
    assert!(far.lost() > 0, "the network loses datagrams");
}

/// Sets a flag when it is dropped.
struct OnDrop<'f>(&'f AtomicBool);

impl Drop for OnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// The other namespace, which is gone with this value.
struct Far {
    holder: Child,
    target: Option<Child>,
}

impl Far {
    fn new() -> Self {
        // It ends with its standard input.
        let mut holder = Command::new("unshare")
            .args(["--net", "sh", "-c", "echo there; exec cat"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("there is unshare");
        let mut line = String::new();
        let stdout = holder.stdout.as_mut().expect("standard output is piped");
        BufReader::new(stdout).read_line(&mut line).expect("it speaks");
        assert_eq!(line, "there\n");
        let mut far = Self { holder, target: None };
        let pid = far.holder.id();
        sh(&format!("ip link set lo up && ip link add name near type veth peer name far netns {pid}"));
        let bad = |interface: &str, address: &str| {
            let rule = format!("iifname {interface} meta l4proto udp numgen random mod 100 < 5 counter drop");
            format!(
                "ip link set lo up && ip address add {address}/24 dev {interface} && \
                 ip link set {interface} mtu 600 up && nft add table inet bad && \
                 nft 'add chain inet bad in {{ type filter hook input priority 0; }}' && \
                 nft 'add rule inet bad in {rule}'"
            )
        };
        sh(&bad("near", "10.9.0.1"));
        let made = far.inside("sh").args(["-c", &bad("far", FAR)]).status().expect("there is nsenter");
        assert!(made.success());
        let mut target = far.inside("--");
        target.arg(std::env::current_exe().expect("this program has a name"));
        target.args(["--exact", "the_target", "--ignored"]).stdout(Stdio::null());
        far.target = Some(target.spawn().expect("there is nsenter"));
        far
    }

    /// `program` over there.
    fn inside(&self, program: &str) -> Command {
        let mut command = Command::new("nsenter");
        command.args(["--target", &self.holder.id().to_string(), "--net", program]);
        command
    }

    /// How many datagrams the rules on both sides have dropped.
    fn lost(&self) -> u64 {
        let near = Command::new("nft").args(["list", "ruleset"]).output().expect("there is nft");
        let far = self.inside("nft").args(["list", "ruleset"]).output().expect("there is nft");
        let text = [near.stdout, far.stdout].concat();
        let text = String::from_utf8(text).expect("rules are text");
        let counts = text.split("counter packets ").skip(1);
        counts.map(|rest| rest.split(' ').next().and_then(|count| count.parse::<u64>().ok()).expect("a number")).sum()
    }
}

impl Drop for Far {
    fn drop(&mut self) {
        for child in self.target.iter_mut().chain([&mut self.holder]) {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn sh(script: &str) {
    let status = Command::new("sh").args(["-c", script]).status().expect("there is a shell");
    assert!(status.success(), "{script}");
}
