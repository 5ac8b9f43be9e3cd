//! `client --early-data` and `server --max-early-data`, over loopback.

#![allow(missing_docs, reason = "a test")]

mod common;

use common::{Folder, Server, event, gramseal, json_lines, run, run_with_input, stderr, stdout};

/// Runs a client with two lines of input; its standard output and error.
fn client(server: &Server, options: &str) -> (String, String) {
    let output = run_with_input(gramseal(&format!("{} {options}", server.trusted())), "first\nsecond\n");
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    (stdout(&output).to_owned(), stderr(&output).to_owned())
}

#[test]
fn the_first_line_goes_as_early_data_and_the_server_marks_it() {
    let folder = Folder::new();
    let resume = format!("--resume {}", folder.path("session"));
    let mut server = Server::start("--max-early-data 4096 --echo");
    for round in 0..2 {
        let (echoed, _) = client(&server, &resume);
        assert_eq!(echoed, "first\nsecond\n");
        assert_eq!(server.next("connected")["resumed"], round > 0);
        for _ in 0..2 {
            assert!(server.next("datagram").get("early").is_none());
        }
    }
    for _ in 0..2 {
        let (echoed, said) = client(&server, &format!("{resume} --early-data"));
        assert_eq!(echoed, "first\nsecond\n");
        assert!(said.contains(", resumed, early data taken, peer "), "{said}");
        let datagram = server.next("datagram");
        assert_eq!((&datagram["utf8"], &datagram["early"]), (&"first".into(), &true.into()));
        assert_eq!(server.next("connected")["early_data"], true);
        let datagram = server.next("datagram");
        assert_eq!((&datagram["utf8"], datagram.get("early")), (&"second".into(), None));
    }
}

#[test]
fn a_line_that_the_server_does_not_take_early_is_sent_after_the_handshake() {
    let folder = Folder::new();
    let resume = format!("--resume {} --early-data", folder.path("session"));
    // The first time there is no session; the second time its server takes lines of at most three bytes.
    let mut server = Server::start("--max-early-data 3 --echo");
    for round in 0..2 {
        let (echoed, said) = client(&server, &resume);
        assert_eq!(echoed, "first\nsecond\n");
        assert!(said.contains("no early data is known to have been taken"), "{said}");
        assert_eq!(server.next("connected")["resumed"], round > 0);
        assert!(server.next("datagram").get("early").is_none());
    }
    let deaf = Server::start("--echo");
    let (echoed, said) = client(&deaf, &format!("--resume {} --early-data", folder.path("other")));
    assert_eq!(echoed, "first\nsecond\n");
    assert!(said.contains("no early data is known to have been taken"), "{said}");
}

#[test]
fn options_that_cannot_work_are_refused() {
    let output = run("server --listen 127.0.0.1:0 --max-early-data 10 --tickets 0");
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("--tickets"), "{}", stderr(&output));
    assert_eq!(run("client localhost:9 --insecure --early-data").status.code(), Some(2), "it needs --resume");
}

#[test]
fn json_says_whether_early_data_was_taken() {
    let folder = Folder::new();
    let options = format!("--json --early-data --resume {}", folder.path("session"));
    let server = Server::start("--max-early-data 100 --echo");
    for taken in [false, true] {
        let (lines, _) = client(&server, &options);
        assert_eq!(event(&json_lines(&lines), "connected")["early_data"], taken);
    }
}
