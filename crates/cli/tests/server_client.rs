//! `gramseal server` and `gramseal client` with each other, over loopback.

#![allow(missing_docs, reason = "a test")]

mod common;

use std::time::{Duration, Instant};

use common::{Folder, Server, event, gramseal, json_lines, run, run_with_input, stderr, stdout};
use gramseal_testkit::pki::TestPki;

#[test]
fn datagrams_come_back() {
    let server = Server::start("--self-signed example.test --echo --once --alpn coap");
    assert!(server.fingerprint.starts_with("sha256:"));
    let output = run_with_input(gramseal(&format!("{} --alpn coap", server.trusted())), "hello\n\nthere\n");
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(stdout(&output), "hello\n\nthere\n");
    assert!(stderr(&output).contains("connected: DTLS 1.3, TLS_AES_"), "{}", stderr(&output));

    let (lines, status) = server.finish();
    assert_eq!(status, Some(0));
    let connected = event(&lines, "connected");
    assert_eq!((&connected["alpn"], &connected["group"]), (&"coap".into(), &"X25519MLKEM768".into()));
    assert!(connected["peer_identity"].is_null());
    assert_eq!(event(&lines, "datagram")["utf8"], "hello");
    assert_eq!(event(&lines, "closed")["reason"], "closed by the peer");
}

#[test]
fn both_sides_say_which_srtp_profile_they_agreed_on() {
    let server = Server::start("--srtp SRTP_AEAD_AES_256_GCM --srtp SRTP_AES128_CM_HMAC_SHA1_80 --once");
    let offer = "--srtp SRTP_AES128_CM_SHA1_80 --srtp SRTP_AEAD_AES_128_GCM --export EXTRACTOR-dtls_srtp:60";
    let output = run(&format!("{} {offer}", server.trusted()));
    assert!(stderr(&output).contains(", srtp SRTP_AES128_CM_HMAC_SHA1_80"), "{}", stderr(&output));
    assert!(stderr(&output).contains("export EXTRACTOR-dtls_srtp: "), "{}", stderr(&output));
    let (lines, _) = server.finish();
    assert_eq!(event(&lines, "connected")["srtp"], "SRTP_AES128_CM_HMAC_SHA1_80");

    for (profile, why) in
        [("SRTP_FANCY", "SRTP_AEAD_AES_128_GCM"), ("DOUBLE_AEAD_AES_128_GCM_AEAD_AES_128_GCM", "not supported")]
    {
        let output = run(&format!("server --listen 127.0.0.1:0 --srtp {profile}"));
        assert_eq!(output.status.code(), Some(2));
        assert!(stderr(&output).contains(why), "{}", stderr(&output));
    }
}

#[test]
fn both_sides_report_in_json_and_export_the_same() {
    let folder = Folder::new();
    let keys = folder.path("keys");
    let export = "--export EXPORTER:with:colons:32";
    let server = Server::start(&format!("{export} --echo --once --no-cookie"));
    let client = gramseal(&format!("{} {export} --json --keylog {keys}", server.trusted()));
    let output = run_with_input(client, "one\n");
    let client = json_lines(stdout(&output));
    let (server, _) = server.finish();
    let exported = |lines| event(lines, "connected")["export"].clone();
    assert_eq!(exported(&client), exported(&server));
    assert_eq!(exported(&client)["label"], "EXPORTER:with:colons");
    assert_eq!(exported(&client)["hex"].as_str().expect("a text").len(), 64);
    assert_eq!(event(&client, "connected")["peer_identity"]["subject"], "localhost");
    assert_eq!(event(&client, "datagram")["utf8"], "one");
    assert_eq!(event(&client, "closed")["records_received"], 1);

    let keys = std::fs::read_to_string(keys).expect("there is a key log");
    let line =
        keys.lines().find(|line| line.starts_with("CLIENT_TRAFFIC_SECRET_0 ")).expect("the secret of the client");
    let fields: Vec<_> = line.split(' ').map(str::len).collect();
    assert_eq!((&fields[1], fields[2] == 64 || fields[2] == 96), (&64, true));
}

#[test]
fn a_server_that_is_not_trusted_is_refused() {
    let server = Server::start("--once");
    let wrong = format!("sha256:{}", "ab".repeat(32));
    let output = run(&format!("client {} --fingerprint {wrong}", server.address));
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(stderr(&output).lines().count(), 1, "{}", stderr(&output));
    assert!(stderr(&output).contains("bad_certificate"), "{}", stderr(&output));
    assert_eq!(stdout(&output), "");
    drop(server);

    let folder = Folder::new();
    let pki = TestPki::new();
    let identity = pki.server("localhost");
    let cert = folder.file("cert.pem", &identity.chain_pem);
    let key = folder.file("key.pem", &identity.key_pem);
    let server = Server::start(&format!("--cert {cert} --key {key}"));
    let client = format!("client {} --wait 0 --name", server.address);
    let ca = folder.file("ca.pem", &pki.root_pem());
    let other = folder.file("other.pem", &TestPki::new().server("other.test").chain_pem);
    for (options, status, alert) in [
        (format!("localhost --ca {ca}"), 0, ""),
        (format!("other.test --ca {ca}"), 1, "bad_certificate"),
        (format!("localhost --ca {other}"), 1, "unknown_ca"),
        ("other.test --insecure".to_owned(), 0, ""),
    ] {
        let output = run(&format!("{client} {options}"));
        assert_eq!(output.status.code(), Some(status), "{options}: {}", stderr(&output));
        assert!(stderr(&output).contains(alert), "{options}: {}", stderr(&output));
    }
}

#[test]
fn clients_can_be_asked_for_certificates() {
    let folder = Folder::new();
    let pki = TestPki::new();
    let identity = pki.client("client.test");
    let (cert, key) = (folder.file("cert.pem", &identity.chain_pem), folder.file("key.pem", &identity.key_pem));
    let ca = folder.file("ca.pem", &pki.root_pem());
    let options = format!("--client-ca {ca} --once");

    let server = Server::start(&format!("{options} --require-client-cert"));
    let output = run(&format!("{} --cert {cert} --key {key}", server.trusted()));
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let (lines, status) = server.finish();
    assert_eq!(status, Some(0));
    let peer = &event(&lines, "connected")["peer_identity"];
    assert_eq!(peer["subject"], "client.test");
    assert!(peer["fingerprint"].as_str().expect("a text").starts_with("sha256:"));

    for (version, alert) in [("1.2", "handshake_failure"), ("1.3", "certificate_required")] {
        let server = Server::start(&format!("{options} --require-client-cert"));
        let output = run(&format!("{} --dtls {version}", server.trusted()));
        assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
        assert!(stderr(&output).contains(alert), "{}", stderr(&output));
        let (lines, status) = server.finish();
        assert_eq!((status, &event(&lines, "failed")["alert"]), (Some(1), &alert.into()));
    }

    let server = Server::start(&options);
    assert_eq!(run(&server.trusted()).status.code(), Some(0));
    assert!(event(&server.finish().0, "connected")["peer_identity"].is_null());
}

#[test]
fn keys_stand_for_certificates() {
    for (version, named) in [("", "DTLS 1.3"), ("--dtls 1.2", "DTLS 1.2"), ("--dtls 1.3", "DTLS 1.3")] {
        let server = Server::start("--psk meter:1:00ff --psk other:22 --echo --once");
        assert_eq!(server.fingerprint, "", "no certificate is made");
        let client = format!("client {} --psk meter:1:00ff --wait 0.3 {version}", server.address);
        let output = run_with_input(gramseal(&client), "hello\n");
        assert_eq!((stdout(&output), output.status.code()), ("hello\n", Some(0)), "{}", stderr(&output));
        assert!(stderr(&output).contains(&format!("connected: {named}, ")), "{}", stderr(&output));
        assert!(stderr(&output).contains("psk meter:1"), "{}", stderr(&output));
        let (lines, code) = server.finish();
        assert_eq!(event(&lines, "connected")["psk_identity"], "meter:1");
        assert_eq!(code, Some(0));
    }
}

#[test]
fn each_side_can_be_told_the_versions_to_speak() {
    let (both, old, new) = ("", "--dtls 1.2", "--dtls 1.3");
    for (server, client, version) in [
        (both, both, "DTLS 1.3"),
        (both, old, "DTLS 1.2"),
        (old, both, "DTLS 1.2"),
        (new, both, "DTLS 1.3"),
        (both, new, "DTLS 1.3"),
        (old, "--dtls 1.2 --dtls 1.3", "DTLS 1.2"),
        ("--dtls 1.2,1.3", new, "DTLS 1.3"),
    ] {
        let server = Server::start(&format!("--echo --once {server}"));
        let output = run_with_input(gramseal(&format!("{} {client}", server.trusted())), "hello\n");
        assert_eq!((stdout(&output), output.status.code()), ("hello\n", Some(0)), "{}", stderr(&output));
        assert!(stderr(&output).contains(&format!("connected: {version}, ")), "{}", stderr(&output));
        assert_eq!(event(&server.finish().0, "connected")["version"], version);
    }

    let server = Server::start("--dtls 1.3");
    let output = run(&format!("{} --dtls 1.2", server.trusted()));
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("protocol_version"), "{}", stderr(&output));
}

#[test]
fn a_large_share_may_come_at_once() {
    let server = Server::start("--self-signed example.test --echo --no-cookie");
    for (option, group, pieces) in [("--large-share-at-once", "X25519MLKEM768", true), ("", "x25519", false)] {
        let output = run_with_input(gramseal(&format!("{} {option} --trace", server.trusted())), "hello\n");
        assert_eq!((output.status.code(), stdout(&output)), (Some(0), "hello\n"), "{}", stderr(&output));
        assert!(stderr(&output).contains(&format!("_SHA256, {group}")), "{}", stderr(&output));
        let second = |line: &str| line.contains("ClientHello") && line.contains(" bytes from ");
        assert_eq!(stderr(&output).lines().any(second), pieces, "{}", stderr(&output));
    }
}

#[test]
fn dhe_needs_the_legacy_switch_on_both_sides() {
    let suite = "--suite TLS_DHE_RSA_WITH_AES_256_GCM_SHA384 --legacy";
    let server = Server::start(suite);
    let output = run(&format!("{} {suite} --group ffdhe2048 --trace", server.trusted()));
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(stderr(&output).contains("TLS_DHE_RSA_WITH_AES_256_GCM_SHA384, ffdhe2048"), "{}", stderr(&output));
    assert!(stderr(&output).contains("ServerKeyExchange"), "{}", stderr(&output));

    // The refusal is not protected, so it is believed only after some silence; not as late as the
    // handshake's deadline, though.
    let began = Instant::now();
    let output = run(&server.trusted());
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("handshake_failure"), "{}", stderr(&output));
    assert!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());
}

#[test]
fn lines_that_do_not_fit_are_reported() {
    let server = Server::start("--echo");
    let output = run_with_input(gramseal(&server.trusted()), &format!("{}\nshort\n", "long".repeat(1000)));
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    assert_eq!(stdout(&output), "short\n");
    assert!(stderr(&output).contains("4000 bytes"), "{}", stderr(&output));
}

#[test]
fn wrong_use_is_told_apart() {
    for line in [
        "client",
        "client localhost",
        "client localhost:1 --ca no-such-file",
        "client localhost:1 --fingerprint sha256:12",
        "client localhost:1 --insecure --system-roots",
        "client localhost:1 --insecure --dtls 1.1",
        "client localhost:1 --psk :00 --dtls 1.3",
        "client localhost:1 --insecure --name a_b..c",
        "server --require-client-cert",
        "server --cert no-such-file --key no-such-file",
        "server --listen nonsense",
    ] {
        let output = run(line);
        assert_eq!(output.status.code(), Some(2), "{line}: {}", stderr(&output));
    }
    assert_eq!(run("client no-such-host.invalid:1 --insecure").status.code(), Some(1));
}
