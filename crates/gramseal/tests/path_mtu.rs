//! Datagrams that the system does not take, in a network of our own whose one interface is narrow.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a helper that fails fails the test")]

mod common;

use std::process::Command;
use std::sync::Arc;

use common::*;
use gramseal::{Endpoint, ProtocolVersion, SendError, Transport};
use gramseal_testkit::pki::TestPki;

/// Set inside of that network.
const INSIDE: &str = "GRAMSEAL_TEST_NARROW_NETWORK";
/// What a UDP datagram carries there: 1000 bytes less the headers.
const CARRIES: usize = 972;

/// Runs `command` in a network namespace with nothing but a loopback interface.
fn in_a_network(command: &str) -> Command {
    let mut unshare = Command::new("unshare");
    unshare.args(["--map-root-user", "--net", "sh", "-c", command]);
    unshare
}

#[test] // RFC 9147 §4.4, RFC 6347 §4.1.1
fn a_narrow_interface_makes_datagrams_smaller() {
    let inside = in_a_network("ip link set lo up mtu 1000 && exec \"$0\" --exact inside --ignored --nocapture")
        .arg(std::env::current_exe().unwrap())
        .env(INSIDE, "1")
        .output()
        .unwrap();
    let told = [inside.stdout.as_slice(), &inside.stderr].concat();
    assert!(inside.status.success(), "with `unshare` and `ip`: {}", String::from_utf8_lossy(&told));
    assert!(String::from_utf8_lossy(&inside.stdout).contains("1 passed"));
}

#[tokio::test]
#[ignore = "needs a network of its own, which `a_narrow_interface_makes_datagrams_smaller` makes"]
async fn inside() {
    assert!(std::env::var_os(INSIDE).is_some(), "run by `a_narrow_interface_makes_datagrams_smaller`");
    soon(async {
        for version in [ProtocolVersion::DTLS1_2, ProtocolVersion::DTLS1_3] {
            let pki = TestPki::new();
            // The handshake would fill larger datagrams, and no timeout is short enough for this test to wait for two.
            let transport = Transport { mtu: 1400, initial_timeout: std::time::Duration::from_secs(5), ..impatient() };
            let transport = Transport { handshake_timeout: std::time::Duration::from_secs(15), ..transport };
            let config = server_builder(&pki).with_transport(transport.clone()).build().unwrap();
            let (server, _) = bind(Endpoint::builder().with_server(Arc::new(config)));
            let config = client_builder(&pki).with_versions(&[version]).with_transport(transport).build().unwrap();
            let (client, server) = pair(&server, &Endpoint::client(LOOPBACK).unwrap(), Arc::new(config)).await;
            for (from, to) in [(&client, &server), (&server, &client)] {
                let limit = from.max_payload();
                assert!((CARRIES - 40..CARRIES).contains(&limit), "{version:?}: {limit}");
                assert_eq!(from.ask_path_mtu(), Some(CARRIES));
                from.send(&vec![7; limit]).unwrap();
                assert_eq!(to.recv().await.unwrap().unwrap().len(), limit);
                let more = from.send(&vec![7; limit + 1]);
                assert!(matches!(more, Err(SendError::TooLarge { limit: told }) if told == limit), "{more:?}");
            }
            // The interface becomes narrower yet, and nobody says so.
            assert!(Command::new("ip").args(["link", "set", "lo", "mtu", "800"]).status().unwrap().success());
            let limit = client.max_payload();
            let refused = client.send(&vec![7; limit]);
            let Err(SendError::TooLarge { limit: now }) = refused else { panic!("{refused:?}") };
            assert_eq!((limit - now, client.max_payload()), (200, now));
            client.send_wait(&vec![7; now]).await.unwrap();
            assert_eq!(server.recv().await.unwrap().unwrap().len(), now);
            assert!(Command::new("ip").args(["link", "set", "lo", "mtu", "1000"]).status().unwrap().success());
        }
    })
    .await;
}
