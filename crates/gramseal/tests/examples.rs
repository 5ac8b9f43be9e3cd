//! The examples that bring both sides along do what they show.

#![allow(clippy::unwrap_used, reason = "a helper that fails fails the test")]

#[allow(dead_code, reason = "their `main`")]
#[path = "../examples/early_data.rs"]
mod early_data;
#[allow(dead_code, reason = "their `main`")]
#[path = "../examples/key_log.rs"]
mod key_log;
#[allow(dead_code, reason = "their `main`")]
#[path = "../examples/moving.rs"]
mod moving;
#[allow(dead_code, reason = "their `main`")]
#[path = "../examples/psk.rs"]
mod psk;
#[allow(dead_code, reason = "their `main`")]
#[path = "../examples/remote_key.rs"]
mod remote_key;
#[allow(dead_code, reason = "their `main`")]
#[path = "../examples/resumption.rs"]
mod resumption;
#[cfg(unix)]
#[allow(dead_code, reason = "their `main`")]
#[path = "../examples/unix_socket.rs"]
mod unix_socket;

mod common;

use common::soon;
use gramseal::ProtocolVersion;
use gramseal_testkit::pki::TestPki;

#[tokio::test]
async fn a_sensor_connects_with_a_key_in_both_versions() {
    for version in [ProtocolVersion::DTLS1_2, ProtocolVersion::DTLS1_3] {
        let agreed = soon(psk::run(version)).await.unwrap();
        assert_eq!(agreed.psk_identity.as_deref(), Some(&b"sensor-17"[..]));
        assert_eq!((agreed.version, agreed.group.is_some()), (version, true));
    }
}

#[tokio::test]
async fn the_second_connection_resumes_the_session_of_the_first() {
    let identity = TestPki::new().server("localhost");
    let resumed = soon(resumption::run(identity.chain_pem.as_bytes(), identity.key_pem.as_bytes())).await.unwrap();
    assert_eq!(resumed, [false, true]);
}

#[tokio::test]
async fn the_second_request_is_early_data() {
    let identity = TestPki::new().server("localhost");
    let answers = soon(early_data::run(identity.chain_pem.as_bytes(), identity.key_pem.as_bytes())).await.unwrap();
    assert_eq!(answers, ["later: what time is it?", "early: what time is it?"]);
}

#[tokio::test]
async fn a_client_does_not_notice_that_its_server_was_replaced_and_that_one_died() {
    let identity = TestPki::new().server("localhost");
    let answers = soon(moving::run(identity.chain_pem.as_bytes(), identity.key_pem.as_bytes())).await.unwrap();
    assert_eq!(answers, ["first: hello", "second: hello", "third: hello"]);
}

#[tokio::test]
async fn a_server_shows_a_certificate_whose_key_is_elsewhere() {
    let identity = TestPki::new().server("localhost");
    soon(remote_key::run(identity.chain_pem.as_bytes(), identity.key_pem.as_bytes())).await.unwrap();
}

#[tokio::test]
async fn the_secrets_of_a_connection_are_in_its_key_log() {
    let file = std::env::temp_dir().join(format!("gramseal-key-log-{}.txt", std::process::id()));
    soon(key_log::run(&file)).await.unwrap();
    let log = std::fs::read_to_string(&file).unwrap();
    std::fs::remove_file(&file).unwrap();
    let labels: Vec<&str> = log.lines().filter_map(|line| line.split(' ').next()).collect();
    for label in ["CLIENT_HANDSHAKE_TRAFFIC_SECRET", "CLIENT_TRAFFIC_SECRET_0", "SERVER_TRAFFIC_SECRET_0"] {
        assert!(labels.contains(&label), "{label} in {labels:?}");
    }
}

#[cfg(unix)]
#[test]
fn the_protocol_runs_over_a_unix_socket() {
    assert_eq!(unix_socket::run().unwrap(), "who is there? a server");
}
