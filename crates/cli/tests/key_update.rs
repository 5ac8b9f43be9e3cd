//! `client --key-update`, over loopback (RFC 9147 §8).

#![allow(missing_docs, reason = "a test")]

mod common;

use common::{Server, event, gramseal, json_lines, run, run_with_input, stderr, stdout};

/// A client of `server` that waits longer for the last answers than others do.
fn patient(server: &Server, options: &str) -> String {
    format!("client {} --fingerprint {} --wait 2 {options}", server.address, server.fingerprint)
}

#[test]
fn keys_of_both_sides_are_updated_while_lines_come_and_go() {
    let server = Server::start("--echo --once");
    let output = run_with_input(gramseal(&patient(&server, "--json --key-update 2")), "one\ntwo\nthree\nfour\nfive\n");
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let client = json_lines(stdout(&output));
    let echoed: Vec<_> = client.iter().filter(|line| line["event"] == "datagram").map(|line| &line["utf8"]).collect();
    assert_eq!(echoed, ["one", "two", "three", "four", "five"]);

    let (server, status) = server.finish();
    assert_eq!(status, Some(0));
    for lines in [&client, &server] {
        let closed = event(lines, "closed");
        for count in ["key_updates_sent", "key_updates_received"] {
            assert!(closed[count].as_u64() >= Some(1), "{count}: {closed}");
        }
    }
}

#[test]
fn keys_of_1_2_cannot_be_updated() {
    let server = Server::start("--echo --once --dtls 1.2");
    let output = run_with_input(gramseal(&patient(&server, "--key-update 1")), "one\n");
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("DTLS 1.2, in which --key-update"), "{}", stderr(&output));
    assert_eq!(stdout(&output), "");
}

#[test]
fn keys_are_not_updated_after_no_lines() {
    let output = run("client 127.0.0.1:4433 --key-update 0");
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("--key-update"), "{}", stderr(&output));
}
