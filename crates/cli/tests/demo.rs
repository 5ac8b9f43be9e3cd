//! `gramseal demo`.

#![allow(missing_docs, reason = "a test")]
#![allow(dead_code, reason = "the helpers serve other tests too")]

mod common;

use common::{event, json_lines, run, stderr, stdout};

const RUNGS: [&str; 12] = [
    "ClientHello",
    "HelloVerifyRequest",
    "ClientHello",
    "ServerHello",
    "Certificate",
    "ServerKeyExchange",
    "ServerHelloDone",
    "ClientKeyExchange",
    "ChangeCipherSpec",
    "Finished",
    "ChangeCipherSpec",
    "Finished",
];

const RUNGS_WITH_CLIENT_AUTH: [&str; 15] = [
    "ClientHello",
    "HelloVerifyRequest",
    "ClientHello",
    "ServerHello",
    "Certificate",
    "ServerKeyExchange",
    "CertificateRequest",
    "ServerHelloDone",
    "Certificate",
    "ClientKeyExchange",
    "CertificateVerify",
    "ChangeCipherSpec",
    "Finished",
    "ChangeCipherSpec",
    "Finished",
];

/// The messages in the order of the output, wherever their names stand.
fn messages(text: &str) -> Vec<&str> {
    let known = |word: &&str| RUNGS_WITH_CLIENT_AUTH.contains(word);
    text.split_whitespace().filter(known).collect()
}

#[test]
fn prints_the_ladder_of_a_handshake() {
    let output = run("demo");
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(messages(stdout(&output)), RUNGS);
    assert!(stdout(&output).contains("5 messages sent, 5 came back"), "{}", stdout(&output));
    assert!(!stdout(&output).contains('\u{1b}'), "no colour where there is no terminal");
}

#[test]
fn prints_the_same_ladder_whatever_is_lost() {
    let legacy = "demo --dtls 1.2 --suite TLS_DHE_RSA_WITH_AES_128_GCM_SHA256 --legacy --client-auth --loss 0.2";
    for weather in ["--seed 7", "--seed 8 --reorder 0.3", "--seed 9 --duplicate 0.3 --reorder 0.2"] {
        let output = run(&format!("{legacy} {weather}"));
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        assert_eq!(messages(stdout(&output)), RUNGS_WITH_CLIENT_AUTH, "{weather}: {}", stdout(&output));
    }
}

#[test]
fn reports_in_json() {
    let output = run("demo --json --mtu 512 --messages 40 --export EXPORTER-test:16 --client-auth");
    let lines = json_lines(stdout(&output));
    let names: Vec<_> = lines.iter().filter(|line| line["event"] == "message").map(|line| &line["message"]).collect();
    assert_eq!(names, RUNGS_WITH_CLIENT_AUTH);
    let certificate = lines.iter().find(|line| line["message"] == "Certificate").expect("there is one");
    assert_eq!((&certificate["from"], &certificate["flight"]), (&"server".into(), &4.into()));
    assert!(certificate["fragments"].as_u64().expect("a number") > 1, "{certificate}");
    let connected = event(&lines, "connected");
    assert_eq!(connected["version"], "DTLS 1.2");
    assert_eq!(connected["export"]["hex"].as_str().expect("a text").len(), 32);
    let summary = event(&lines, "summary");
    assert_eq!((&summary["messages_sent"], &summary["messages_echoed"]), (&40.into(), &40.into()));
    assert_eq!(summary["server"]["records_received"], 40);
}

#[test]
fn traces_both_sides() {
    let output = run("demo --trace --messages 0 --suite TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256 --group secp384r1");
    let traced = stderr(&output);
    assert!(traced.lines().any(|line| line.starts_with("client sent") && line.contains("ClientHello")), "{traced}");
    assert!(traced.lines().any(|line| line.starts_with("server received") && line.contains("Finished")), "{traced}");
    assert!(stdout(&output).contains("TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256, secp384r1"));
}

#[test]
fn wrong_use_is_told_apart() {
    for (line, reason) in [
        ("demo --dtls 1.3", "not implemented yet"),
        ("demo --suite TLS_FANCY", "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"),
        ("demo --group p256", "x25519"),
        ("demo --suite TLS_DHE_RSA_WITH_AES_128_GCM_SHA256", "--legacy"),
        ("demo --suite TLS_PSK_WITH_AES_128_CCM_8", "not supported"),
        ("demo --mtu 100", "256 to 65507"),
        ("demo --loss 1.5", "0.9"),
        ("demo --keylog no/such/folder/file", "no/such/folder/file"),
    ] {
        let output = run(line);
        assert_eq!(output.status.code(), Some(2), "{line}");
        assert!(stderr(&output).contains(reason), "{line}: {}", stderr(&output));
        assert_eq!(stdout(&output), "", "{line}");
    }
}
