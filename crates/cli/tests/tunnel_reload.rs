//! `gramseal tunnel`: what signals do. SIGHUP: new certificates, keys and configuration; SIGTERM with `--state`:
//! connections that outlive the process.

#![cfg(unix)]
#![allow(missing_docs, reason = "a test")]

mod common;

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
#[cfg(target_os = "linux")]
use std::process::Command;

use common::tunnel::{Local, Tunnel, echo};
use common::{Folder, run, stderr};
use gramseal_testkit::pki::TestPki;

const VERSIONS: [&str; 2] = ["--dtls 1.2", "--dtls 1.3"];
const KEY: &str = "--psk tunnel:000102030405060708090a0b0c0d0e0f";

fn client(server: &str, options: &str) -> (Tunnel, String) {
    let mut client = Tunnel::start(&format!("client --listen 127.0.0.1:0 --connect {server} {options}"));
    let address = client.address();
    (client, address)
}

/// A new certificate for "localhost" in the same files; options of clients that trust its authority.
fn renew(folder: &Folder, round: u32) -> String {
    let pki = TestPki::new();
    let identity = pki.server("localhost");
    folder.file("cert.pem", &identity.chain_pem);
    folder.file("key.pem", &identity.key_pem);
    let ca = folder.file(&format!("ca{round}.pem"), &pki.root_pem());
    format!("--ca {ca} --name localhost")
}

#[test]
fn a_new_certificate_is_for_new_connections() {
    for version in VERSIONS {
        let folder = Folder::new();
        let trust = renew(&folder, 1);
        let (cert, key) = (folder.path("cert.pem"), folder.path("key.pem"));
        let line = format!("server --listen 127.0.0.1:0 --forward {} --cert {cert} --key {key} {version}", echo());
        let mut server = Tunnel::start(&line);
        let address = server.address();
        let (old, entry) = client(&address, &trust);
        let local = Local::new(&entry);
        let port = local.ask("first");

        let other_trust = renew(&folder, 2);
        server.signal("HUP");
        server.wait_for("reloaded");
        assert_eq!(local.ask("still there"), port);
        let (_new, entry) = client(&address, &other_trust);
        Local::new(&entry).ask("who sees the new certificate");
        let (mut refused, entry) = client(&address, &trust);
        Local::new(&entry).send(b"who wants the old one");
        refused.wait_for("no connection");
        assert_eq!((local.ask("and still there"), old.metric("handshakes_total", "")), (port, 1));
        server.wait_for_metric("reloads_total", "outcome=\"done\"", 1);
        assert_eq!(server.metric("reloads_total", "outcome=\"done\""), 1);
    }
}

#[test]
fn a_reload_that_fails_changes_nothing_and_says_why() {
    let folder = Folder::new();
    let trust = renew(&folder, 1);
    let (cert, key) = (folder.path("cert.pem"), folder.path("key.pem"));
    let line = format!("server --listen 127.0.0.1:0 --forward {} --cert {cert} --key {key}", echo());
    let mut server = Tunnel::start(&line);
    folder.file("cert.pem", "no certificate any more");
    server.signal("HUP");
    let said = server.wait_for("not reloaded");
    assert!(said["error"].as_str().expect("a reason").contains("cert.pem"), "{said}");
    server.wait_for_metric("reloads_total", "outcome=\"failed\"", 1);
    assert_eq!(server.metric("reloads_total", "outcome=\"failed\""), 1);
    let (_client, entry) = client(&server.address(), &trust);
    Local::new(&entry).ask("served as before");
}

#[test]
fn keys_come_and_go() {
    for version in VERSIONS {
        let folder = Folder::new();
        let psks = folder.file("psks", "# who may come\nold:00112233445566778899aabbccddeeff\n");
        let line = format!("server --listen 127.0.0.1:0 --forward {} --psk-file {psks} {version}", echo());
        let mut server = Tunnel::start(&line);
        let address = server.address();
        let old = folder.file("old", "old:00112233445566778899aabbccddeeff");
        let (_old, entry) = client(&address, &format!("--psk-file {old} {version}"));
        let local = Local::new(&entry);
        local.ask("first");
        folder.file("psks", "\nnew:ffeeddccbbaa99887766554433221100\n");
        server.signal("HUP");
        server.wait_for("reloaded");
        let (_new, entry) = client(&address, &format!("--psk new:ffeeddccbbaa99887766554433221100 {version}"));
        Local::new(&entry).ask("with the new key");
        local.ask("the old one goes on");
        if version == "--dtls 1.2" {
            // What is sealed with a key that the server does not have, it drops, and time ends such handshakes.
            continue;
        }
        let (mut refused, entry) = client(&address, &format!("--psk-file {old} {version}"));
        Local::new(&entry).send(b"with the old key");
        refused.wait_for("no connection");
    }
}

#[test]
fn tunnels_of_a_configuration_file_come_and_go() {
    let folder = Folder::new();
    let target = echo();
    let server = |port: u16, more: &str| {
        format!("[[server]]\nlisten = \"127.0.0.1:{port}\"\nforward = \"{target}\"\npsk-file = \"psks\"\n{more}\n")
    };
    let free = || std::net::UdpSocket::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address").port();
    let (one, two) = (free(), free());
    folder.file("psks", "tunnel:000102030405060708090a0b0c0d0e0f");
    let file = folder.file("tunnels.toml", &server(one, ""));
    let mut tunnels = Tunnel::start(&format!("--config {file}"));
    let (_client, entry) = client(&format!("127.0.0.1:{one}"), KEY);
    let local = Local::new(&entry);
    let port = local.ask("first");

    // Another tunnel, and another setting of the first.
    folder.file("tunnels.toml", &(server(one, "max-senders = 1") + &server(two, "")));
    tunnels.signal("HUP");
    tunnels.wait_for("reloaded");
    let (_other, entry) = client(&format!("127.0.0.1:{two}"), KEY);
    Local::new(&entry).ask("through the other one");
    assert_eq!(local.ask("still there"), port);
    let (_late, late) = client(&format!("127.0.0.1:{one}"), KEY);
    Local::new(&late).send(b"one too many");
    tunnels.wait_for_metric("dropped_total", "too_many_senders", 1);

    // What is wrong changes nothing, and has a line.
    folder.file("tunnels.toml", &(server(one, "tickets = 300") + &server(two, "")));
    tunnels.signal("HUP");
    let said = tunnels.wait_for("not reloaded");
    assert!(said["error"].as_str().expect("a reason").contains("tunnels.toml:5: `tickets`"), "{said}");
    folder.file("tunnels.toml", &server(one, "dtls = \"1.2\""));
    tunnels.signal("HUP");
    let said = tunnels.wait_for("not reloaded");
    assert!(said["error"].as_str().expect("a reason").contains("restart"), "{said}");
    assert_eq!(local.ask("nothing happened"), port);

    // The first one ends, and says so.
    folder.file("tunnels.toml", &server(two, ""));
    tunnels.signal("HUP");
    tunnels.wait_for("connection ended");
    Local::new(&entry).ask("the other one goes on");
    assert_eq!(tunnels.terminate().code(), Some(0));
}

#[test]
fn what_changes_with_a_restart_alone_is_told() {
    let folder = Folder::new();
    let target = echo();
    let free = || std::net::UdpSocket::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
    let (one, two) = (free(), free());
    let server = |listen: SocketAddr, more: &str| {
        format!("[[server]]\nlisten = \"{listen}\"\nforward = \"{target}\"\npsk-file = \"psks\"\n{more}\n")
    };
    folder.file("psks", "tunnel:000102030405060708090a0b0c0d0e0f");
    let file = folder.file("tunnels.toml", &server(one, ""));
    let mut tunnels = Tunnel::start(&format!("--config {file}"));
    tunnels.wait_for("tunnel server listens");

    // Another way to speak DTLS: the file is refused as a whole, the new tunnel in it too.
    for option in ["dtls = \"1.2\"", "mtu = 1000", "cid = 4", "legacy = true"] {
        folder.file("tunnels.toml", &(server(one, option) + &server(two, "")));
        tunnels.signal("HUP");
        let said = tunnels.wait_for("not reloaded");
        assert!(said["error"].as_str().expect("a reason").contains("restart"), "{option}: {said}");
    }
    drop(std::net::UdpSocket::bind(two).expect("nobody listens there"));
    tunnels.wait_for_metric("reloads_total", "outcome=\"failed\"", 4);
    assert_eq!(tunnels.metric("reloads_total", "outcome=\"failed\""), 4);

    // Other things are told, as often as they are wanted, and the rest is done.
    for _ in 0..2 {
        folder.file("tunnels.toml", &("log = \"debug\"\n".to_owned() + &server(one, "socket-buffer = 100000")));
        tunnels.signal("HUP");
        tunnels.wait_for("socket-buffer changes with a restart only");
        tunnels.wait_for("log and log-format change with a restart only");
        tunnels.wait_for("reloaded");
    }
    folder.file("tunnels.toml", &server(one, ""));
    tunnels.signal("HUP");
    tunnels.wait_for("reloaded");
    assert_eq!(tunnels.said("with a restart only"), 0, "all is as it was");
    tunnels.wait_for_metric("reloads_total", "outcome=\"done\"", 3);
    assert_eq!(tunnels.metric("reloads_total", "outcome=\"done\""), 3);
}

#[test]
fn connections_outlive_a_server_with_state() {
    for version in VERSIONS {
        let folder = Folder::new();
        let (state, key) = (folder.path("state"), folder.path("state.key"));
        let target = echo();
        let line =
            |listen: &str| format!("server --listen {listen} --forward {target} {KEY} {version} --state {state}");
        let mut first = Tunnel::start(&line("127.0.0.1:0"));
        let address = first.address();
        let (client, entry) = client(&address, &format!("{KEY} {version}"));
        let locals: Vec<Local> = (0..3).map(|_| Local::new(&entry)).collect();
        for local in &locals {
            local.ask("first");
        }
        assert_eq!(first.terminate().code(), Some(0));
        for file in [&state, &key] {
            let mode = std::fs::metadata(file).expect("there is a file").permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{file}");
        }
        let second = Tunnel::start(&line(&address));
        assert!(!std::fs::exists(&state).expect("it can be looked for"), "each image is used once");
        for local in &locals {
            local.ask("second");
        }
        second.wait_for_metric("imported_total", "", 3);
        assert_eq!([second.metric("imported_total", ""), second.metric("handshakes_total", "")], [3, 0]);
        assert_eq!([client.metric("handshakes_total", ""), client.metric("reconnects_total", "")], [3, 0]);
    }
}

/// What a server with `--state` has left: one connection, whose client is still there.
struct Left {
    folder: Folder,
    state: String,
    target: SocketAddr,
    /// Further options of the server, and where it listens.
    options: String,
    address: String,
    _client: Tunnel,
    local: Local,
    /// What the target knows it by.
    port: u16,
}

impl Left {
    fn new(options: impl FnOnce(&Folder) -> String) -> Self {
        let (folder, target) = (Folder::new(), echo());
        let (state, options) = (folder.path("state"), options(&folder));
        let mut first = Tunnel::start(&line("127.0.0.1:0", target, &state, &options));
        let address = first.address();
        let (client, entry) = client(&address, &format!("{KEY} --reconnect-after 0.6"));
        let local = Local::new(&entry);
        let port = local.ask("first");
        assert!(first.terminate().success());
        Self { folder, state, target, options, address, _client: client, local, port }
    }

    /// How the next server starts.
    fn line(&self) -> String {
        line(&self.address, self.target, &self.state, &self.options)
    }

    fn go_on(&self) -> Tunnel {
        Tunnel::start(&self.line())
    }
}

fn line(listen: &str, target: SocketAddr, state: &str, options: &str) -> String {
    format!("server --listen {listen} --forward {target} {KEY} --state {state} {options}")
}

#[cfg(target_os = "linux")]
#[test]
fn no_connection_of_a_state_file_that_stays_goes_on() {
    let left = Left::new(|_| String::new());
    let mut command = Command::new("unshare");
    // What something is mounted on cannot be removed, by root neither.
    let script = "mount --bind \"$0\" \"$0\" && exec \"$@\"";
    command.args([
        "--map-root-user",
        "--mount",
        "sh",
        "-c",
        script,
        &left.state,
        env!("CARGO_BIN_EXE_gramseal"),
        "tunnel",
    ]);
    command.args(left.line().split_whitespace());
    let mut server = Tunnel::run(command);
    let said = server.wait_for("the state file is refused");
    assert!(said["error"].as_str().expect("a reason").contains("cannot be removed"), "{said}");
    left.local.ask("served anew");
    assert_eq!([server.metric("imported_total", ""), server.metric("handshakes_total", "outcome=\"full\"")], [0, 1]);
    server.kill();
    // Its key is gone, so that it is worth nothing to the next one either.
    let mut next = left.go_on();
    next.wait_for("the state file is refused");
    assert_eq!(next.metric("imported_total", ""), 0);
}

#[test]
fn a_state_file_is_used_once_whoever_puts_it_back() {
    for named in [false, true] {
        let name = if named { "named.key" } else { "state.key" };
        let left = Left::new(|folder| if named { format!("--state-key {}", folder.path(name)) } else { String::new() });
        let Left { folder, state, local, .. } = &left;
        let key = folder.path(name);
        let (old_state, old_key) = (std::fs::read(state).expect("a file"), std::fs::read(&key).expect("a file"));
        let mut second = left.go_on();
        second.wait_for_metric("imported_total", "", 1);
        assert_eq!(std::fs::read(&key).expect("a file") == old_key, named, "a named key is not ours to replace");
        local.ask("second");
        if named {
            continue;
        }
        // The new key is good for what comes after it.
        assert!(second.terminate().success());
        let mut third = left.go_on();
        third.wait_for_metric("imported_total", "", 1);
        third.kill();
        std::fs::write(state, &old_state).expect("it is ours");
        let mut fourth = left.go_on();
        fourth.wait_for("the state file is refused");
        assert_eq!(fourth.metric("imported_total", ""), 0);
        assert_eq!(std::fs::read(folder.path("state.refused")).expect("it is put aside"), old_state);
        local.ask("served anew");
    }
}

#[test]
fn a_start_that_fails_keeps_the_state_file() {
    let left = Left::new(|_| String::new());
    let Left { folder, state, target, address, local, port, .. } = &left;
    let saved = std::fs::read(state).expect("there is a file");

    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let metrics = taken.local_addr().expect("an address");
    let output = run(&format!("tunnel {} --metrics {metrics}", left.line()));
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert!(stderr(&output).contains("--metrics"), "{}", stderr(&output));
    assert_eq!(std::fs::read(state).expect("it is still there"), saved);

    // Another server whose state file is there and cannot be read.
    std::fs::create_dir(folder.path("other")).expect("it can be made");
    folder.file("psks", "tunnel:000102030405060708090a0b0c0d0e0f");
    let server = |listen: &str, state: &str| {
        format!("[[server]]\nlisten = \"{listen}\"\nforward = \"{target}\"\npsk-file = \"psks\"\nstate = \"{state}\"\n")
    };
    let file = folder.file("tunnels.toml", &(server(address, "state") + &server("127.0.0.1:0", "other")));
    let output = run(&format!("tunnel --config {file}"));
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    assert!(stderr(&output).contains(&folder.path("other")), "{}", stderr(&output));
    assert_eq!(std::fs::read(state).expect("it is still there"), saved);
    assert!(!std::fs::exists(folder.path("other.key")).expect("it can be looked for"), "nothing is made either");

    let second = left.go_on();
    assert_eq!(local.ask("second"), *port);
    second.wait_for_metric("imported_total", "", 1);
    assert_eq!(second.metric("imported_total", ""), 1);
}

#[test]
fn a_state_file_that_is_no_good_is_put_aside_and_service_goes_on() {
    let left = Left::new(|_| String::new());
    let Left { folder, state, local, .. } = &left;
    // Sealed with another key, then damaged, then something else.
    let good = std::fs::read(state).expect("there is a file");
    let mut damaged = good.clone();
    *damaged.last_mut().expect("bytes") ^= 1;
    let key = std::fs::read(folder.path("state.key")).expect("there is a key");
    for (content, foreign) in [(&good[..], true), (&damaged, false), (b"something else", false), (b"", false)] {
        folder.file("state", content);
        if foreign {
            std::fs::remove_file(folder.path("state.key")).expect("there is a key");
        }
        let mut server = left.go_on();
        let said = server.wait_for("the state file is refused");
        assert!(said["error"].as_str().expect("a reason").contains("state.refused"), "{said}");
        assert_eq!(std::fs::read(folder.path("state.refused")).expect("it is put aside"), content);
        assert_eq!(server.metric("imported_total", ""), 0);
        if !foreign {
            continue;
        }
        local.ask("served anew");
        server.kill();
        std::fs::write(folder.path("state.key"), &key).expect("it is ours");
    }
    std::fs::write(state, &good).expect("it is ours");
    for (mode, content, said) in [(0o644, &key[..], "open to others"), (0o600, b"00ff", "hexadecimal")] {
        std::fs::write(folder.path("state.key"), content).expect("it is ours");
        let permissions = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(folder.path("state.key"), permissions).expect("it is ours");
        let output = run(&format!("tunnel {}", left.line()));
        assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
        assert!(stderr(&output).contains(said), "{}", stderr(&output));
    }
    assert!(std::fs::exists(state).expect("it can be looked for"), "without a key nothing is used up");
}
