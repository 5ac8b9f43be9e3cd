//! `--cid`, over loopback (RFC 9146, RFC 9147 §9).

#![allow(missing_docs, reason = "a test")]

mod common;

use common::{Server, event, gramseal, json_lines, run, run_with_input, stderr, stdout};

/// What a client and its server agree on: the lengths of the client's ids and of the server's.
fn agreed(server: &str, client: &str) -> Option<(u64, u64)> {
    let server = Server::start(&format!("--echo --once {server}"));
    let options = format!("client {} --fingerprint {} --json {client}", server.address, server.fingerprint);
    let output = run_with_input(gramseal(&options), "one\ntwo\n");
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let client = json_lines(stdout(&output));
    let echoed: Vec<_> = client.iter().filter(|line| line["event"] == "datagram").map(|line| &line["utf8"]).collect();
    assert_eq!(echoed, ["one", "two"]);
    let (server, _) = server.finish();
    let [client, server] = [&client, &server].map(|lines| {
        let ids = &event(lines, "connected")["connection_ids"];
        ids["own"].as_u64().zip(ids["peer"].as_u64())
    });
    assert_eq!(server, client.map(|(own, peer)| (peer, own)), "both sides say the same");
    client
}

#[test]
fn each_side_asks_for_ids_of_its_own_length() {
    for version in ["1.2", "1.3"] {
        let dtls = format!("--dtls {version}");
        assert_eq!(agreed(&format!("{dtls} --cid"), &format!("{dtls} --cid=255")), Some((255, 8)), "{version}");
        assert_eq!(agreed(&format!("{dtls} --cid=20"), &dtls), Some((0, 20)), "{version}");
        assert_eq!(agreed(&dtls, &dtls), None, "{version}");
        assert_eq!(agreed(&format!("{dtls} --cid"), &format!("{dtls} --cid=0")), None, "{version}");
    }
}

#[test]
fn lengths_that_make_no_sense_are_refused() {
    for len in ["1", "3", "256", "-1", "x"] {
        let output = run(&format!("client 127.0.0.1:4433 --cid={len}"));
        assert_eq!(output.status.code(), Some(2));
        assert!(stderr(&output).contains("from 4 to 255"), "{}", stderr(&output));
    }
}
