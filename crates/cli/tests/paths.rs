//! `client --rebind-after` and `--max-mtu`, over loopback (RFC 9853, RFC 8899).

#![allow(missing_docs, reason = "a test")]

mod common;

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use common::{Server, gramseal, run, run_with_input, stderr};

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// A client that somebody types at; killed when dropped.
struct Typed {
    child: Child,
    stdin: ChildStdin,
    /// Lines of both its outputs.
    said: Receiver<String>,
}

impl Typed {
    fn start(server: &Server, options: &str) -> Self {
        let mut command = gramseal(&format!("{} {options}", server.trusted()));
        let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let mut child = child.expect("the client starts");
        let (sender, said) = channel();
        let stdout = BufReader::new(child.stdout.take().expect("it is piped")).lines();
        let stderr = BufReader::new(child.stderr.take().expect("it is piped")).lines();
        let to = sender.clone();
        std::thread::spawn(move || stdout.map_while(Result::ok).try_for_each(|line| to.send(line)));
        std::thread::spawn(move || stderr.map_while(Result::ok).try_for_each(|line| sender.send(line)));
        let stdin = child.stdin.take().expect("it is piped");
        Self { child, stdin, said }
    }

    fn type_line(&mut self, line: &str) {
        writeln!(self.stdin, "{line}").expect("the client reads");
    }

    /// The next line that it prints with one of these in it.
    fn wait_for(&self, parts: &[&str]) -> String {
        loop {
            let line = self.said.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("none of {parts:?} in time"));
            if parts.iter().any(|part| line.contains(part)) {
                return line;
            }
        }
    }
}

impl Drop for Typed {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test] // RFC 9853 §5
fn a_client_that_changes_its_port_is_followed() {
    for version in ["1.2", "1.3"] {
        let mut server = Server::start(&format!("--cid --echo --dtls {version}"));
        let mut client = Typed::start(&server, &format!("--rebind-after 2 --dtls {version}"));
        client.type_line("one");
        client.wait_for(&["one"]);
        let home = server.next("connected")["peer"].clone();
        client.type_line("two");
        client.wait_for(&["on port"]);
        client.type_line("three");
        let moved = server.next("moved");
        assert_eq!(moved["peer"], home, "{version}");
        client.type_line("four");
        client.wait_for(&["four"]);
        let four = server.next("datagram");
        assert_eq!((&four["utf8"], &four["peer"]), (&"four".into(), &moved["to"]), "{version}");
    }
}

#[test]
fn a_server_that_would_not_recognise_the_client_is_not_left() {
    let server = Server::start("--echo");
    let output = run_with_input(gramseal(&format!("{} --rebind-after 1", server.trusted())), "one\n");
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("no connection id"), "{}", stderr(&output));
    let output = run("client 127.0.0.1:4433 --rebind-after 0");
    assert_eq!(output.status.code(), Some(2));
}

#[test] // RFC 8899 §5.2
fn datagrams_grow_where_the_path_carries_more() {
    let mut server = Server::start("");
    let long = "x".repeat(4000);
    let mut client = Typed::start(&server, "--max-mtu 9000");
    loop {
        client.type_line(&long);
        client.type_line("short");
        // Either it comes, or it is too long as yet.
        if server.next("datagram")["utf8"] != "short" {
            break;
        }
    }
    let mut client = Typed::start(&server, "");
    client.type_line(&long);
    client.wait_for(&["was not sent"]);
}
