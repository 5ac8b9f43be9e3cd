//! `gramseal demo`.

#![allow(missing_docs, reason = "a test")]
#![allow(dead_code, reason = "the helpers serve other tests too")]

mod common;

use common::{event, json_lines, run, stderr, stdout};

/// Of 1.2.
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

/// Of 1.3, with client authentication.
const RUNGS_13: [&str; 12] = [
    "ClientHello",
    "HelloRetryRequest",
    "ClientHello",
    "ServerHello",
    "EncryptedExtensions",
    "CertificateRequest",
    "Certificate",
    "CertificateVerify",
    "Finished",
    "Certificate",
    "CertificateVerify",
    "Finished",
];

/// Of 1.3, with client authentication or without.
fn rungs_13(client_auth: bool) -> Vec<&'static str> {
    let without = |index: &usize| ![5, 9, 10].contains(index);
    (0..12).filter(|index| client_auth || without(index)).map(|index| RUNGS_13[index]).collect()
}

/// The messages in the order of the output, wherever their names stand.
fn messages(text: &str) -> Vec<&str> {
    let known = |word: &&str| RUNGS_WITH_CLIENT_AUTH.contains(word) || RUNGS_13.contains(word);
    text.split_whitespace().filter(known).collect()
}

#[test]
fn prints_the_ladder_of_a_handshake() {
    for (line, rungs, version) in [("demo", &rungs_13(false)[..], "DTLS 1.3"), ("demo --dtls 1.2", &RUNGS, "DTLS 1.2")]
    {
        let output = run(line);
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        assert_eq!(messages(stdout(&output)), rungs);
        assert!(stdout(&output).contains(&format!("connected: {version}, ")), "{}", stdout(&output));
        assert!(stdout(&output).contains("5 messages sent, 5 came back"), "{}", stdout(&output));
        assert!(!stdout(&output).contains('\u{1b}'), "no colour where there is no terminal");
    }
}

#[test]
fn prints_the_same_ladder_whatever_is_lost() {
    let legacy = "demo --dtls 1.2 --suite TLS_DHE_RSA_WITH_AES_128_GCM_SHA256 --legacy --client-auth --loss 0.2";
    for weather in ["--seed 7", "--seed 8 --reorder 0.3", "--seed 9 --duplicate 0.3 --reorder 0.2"] {
        let output = run(&format!("{legacy} {weather}"));
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        assert_eq!(messages(stdout(&output)), RUNGS_WITH_CLIENT_AUTH, "{weather}: {}", stdout(&output));
        let output = run(&format!("demo --client-auth --loss 0.2 {weather}"));
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        assert_eq!(messages(stdout(&output)), rungs_13(true), "{weather}: {}", stdout(&output));
    }
}

#[test]
fn reports_in_json() {
    let output = run("demo --dtls 1.2 --json --mtu 512 --messages 40 --export EXPORTER-test:16 --client-auth");
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
fn shows_a_post_quantum_handshake_in_small_datagrams_whatever_is_lost() {
    // The second hello has the share, with the cookie; without another group there is none before.
    for options in ["", "--group X25519MLKEM768 --mtu 600 --loss 0.2", "--group SecP256r1MLKEM768 --mtu 300"] {
        let output = run(&format!("demo {options} --seed 7"));
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        assert_eq!(messages(stdout(&output)), rungs_13(false), "{}", stdout(&output));
        let group = if options.contains("SecP256r1") { "SecP256r1MLKEM768" } else { "X25519MLKEM768" };
        assert!(stdout(&output).contains(&format!("_SHA256, {group}")), "{}", stdout(&output));
        let nothing_lost = stdout(&output).matches(": 0 lost,").count() == 2;
        assert_eq!(nothing_lost, !options.contains("--loss"), "{}", stdout(&output));
    }
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
fn traces_acknowledgements_epochs_and_retransmissions_of_1_3() {
    let output = run("demo --dtls 1.3 --trace --messages 2");
    let ack = |side: &str| {
        let is_ack = |line: &&str| line.starts_with(side) && line.contains("ACK ") && line.contains("epoch 3");
        stderr(&output).lines().find(is_ack).map(str::to_owned).unwrap_or_else(|| panic!("{}", stderr(&output)))
    };
    assert!(ack("server sent").ends_with(" for 1 record") || ack("server sent").ends_with(" records"));
    ack("client received");
    let finished = stderr(&output).lines().find(|line| line.starts_with("client sent") && line.contains("Finished"));
    assert!(finished.is_some_and(|line| line.contains("epoch 2")), "{}", stderr(&output));

    let output = run("demo --dtls 1.3 --trace --messages 0 --loss 0.4 --seed 3 --json");
    let lines = json_lines(stdout(&output));
    let traced =
        |test: &dyn Fn(&serde_json::Value) -> bool| lines.iter().any(|line| line["event"] == "trace" && test(line));
    assert!(traced(&|line| line["retransmission"].as_u64() > Some(0)), "{lines:#?}");
    assert!(traced(&|line| line["message"] == "ACK" && line["records"].as_u64() > Some(0)), "{lines:#?}");
}

#[test]
fn wrong_use_is_told_apart() {
    for (line, reason) in [
        ("demo --dtls 1.1", "1.2, 1.3"),
        ("demo --suite TLS_FANCY", "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"),
        ("demo --group p256", "x25519"),
        ("demo --group X25519MLKEM768 --dtls 1.2", "X25519MLKEM768"),
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
