//! Nothing that this crate prints holds a byte of a key.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use common::{LOOPBACK, NAME, bind, client_builder, pair, server_builder, soon};
use gramseal::{CookiePolicy, Endpoint, KeyLogFile, ServerConfig, identity_from_pem, provider, sessions};
use gramseal_testkit::pki::TestPki;
use gramseal_testkit::secrets::{Secrets, types_that_could_print_bytes};

/// What the tests below print of this crate, each its part.
const OF_CONNECTIONS: [&str; 9] = [
    "ConnectError",
    "Connection",
    "ConnectionStats",
    "Endpoint",
    "EndpointBuilder",
    "EndpointStats",
    "Handshake",
    "Incoming",
    "SendError",
];
const OF_BEGINNINGS: [&str; 2] = ["EarlyConnection", "KeyLogFile"];

/// What none of them prints, and why.
const EXCEPTED: [(&str, &str); 1] = [("Payloads", "it holds what the application asked for")];

#[test]
fn every_type_that_could_print_a_key_is_looked_at() {
    let known: BTreeSet<String> = OF_CONNECTIONS
        .into_iter()
        .chain(OF_BEGINNINGS)
        .chain(EXCEPTED.map(|(name, _)| name))
        .map(str::to_owned)
        .collect();
    let found = types_that_could_print_bytes(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
    assert!(found.len() > 5, "{found:?}");
    let unknown: Vec<_> = found.difference(&known).collect();
    assert!(unknown.is_empty(), "neither looked at nor excepted: {unknown:?}");
}

#[track_caller]
fn assert_looked_at(types: &[&str], secrets: &Secrets) {
    let looked_at = secrets.types_of("gramseal");
    let missing: Vec<_> = types.iter().filter(|name| !looked_at.contains(**name)).collect();
    assert!(missing.is_empty(), "never looked at: {missing:?}");
}

/// Both forms of `Debug`, and `Display` of an error.
#[track_caller]
fn assert_error_hides(secrets: &Secrets, error: &(dyn std::error::Error + 'static)) {
    secrets.assert_hidden(error);
    secrets.assert_hidden_in(&error.to_string());
}

#[tokio::test]
async fn no_secret_is_in_what_endpoints_and_connections_print() {
    soon(async {
        let (pki, secrets) = (TestPki::new(), Arc::new(Secrets::default()));
        let server_config = server_builder(&pki).with_key_log(secrets.clone());
        secrets.assert_hidden(&server_config);
        let client_config = client_builder(&pki).with_key_log(secrets.clone());
        secrets.assert_hidden(&client_config);
        let builder = Endpoint::builder().with_server(Arc::new(server_config.build().unwrap()));
        secrets.assert_hidden(&builder);
        let (server, addr) = bind(builder);
        let client = Endpoint::client(LOOPBACK).unwrap();
        let config = Arc::new(client_config.build().unwrap());
        let (ours, theirs) = pair(&server, &client, Arc::clone(&config)).await;
        ours.send(b"hello").unwrap();
        assert_eq!(&soon(theirs.recv()).await.unwrap().unwrap()[..], b"hello");
        assert!(secrets.len() > 4, "{}", secrets.len());
        for connection in [&ours, &theirs] {
            secrets.assert_hidden(connection);
            secrets.assert_hidden(&connection.stats());
        }
        for endpoint in [&server, &client] {
            secrets.assert_hidden(endpoint);
            secrets.assert_hidden(&endpoint.stats());
        }
        secrets.assert_hidden(&config);

        // One that is accepted later, and one that fails. Of the first client's address there is a connection.
        let other = Endpoint::client(LOOPBACK).unwrap();
        let connecting = tokio::spawn({
            let config = Arc::clone(&config);
            async move { other.connect(addr, "other.test", config).await }
        });
        let incoming = server.accept().await.unwrap();
        secrets.assert_hidden(&incoming);
        let handshake = incoming.into_future();
        secrets.assert_hidden(&handshake);
        let accepted = handshake.await;
        let refused = connecting.await.unwrap().expect_err("another name");
        secrets.assert_hidden(&refused);
        assert_error_hides(&secrets, &refused);
        if let Err(error) = accepted {
            assert_error_hides(&secrets, &error);
        }
        ours.close().await;
        secrets.assert_hidden(&ours);
        secrets.assert_hidden_in(&format!("{:?}", theirs.recv().await));
        let late = ours.send(b"late").expect_err("it is closed");
        secrets.assert_hidden(&late);
        assert_error_hides(&secrets, &late);
        assert_looked_at(&OF_CONNECTIONS, &secrets);
    })
    .await;
}

#[tokio::test]
async fn no_secret_is_in_what_a_beginning_prints() {
    soon(async {
        let (pki, secrets) = (TestPki::new(), Arc::new(Secrets::default()));
        let server_config = server_builder(&pki).with_ticket_sealer(sessions::ticket_keys().unwrap());
        let server_config = server_config.with_early_data(1000, sessions::anti_replay()).with_key_log(secrets.clone());
        let builder = Endpoint::builder().with_server(Arc::new(server_config.build().unwrap()));
        let (server, addr) = bind(builder.with_cookie_policy(CookiePolicy::ExceptEarlyData));
        let client_config = client_builder(&pki).with_session_store(sessions::client_cache()).with_early_data();
        let config = Arc::new(client_config.with_key_log(secrets.clone()).build().unwrap());
        let client = Endpoint::client(LOOPBACK).unwrap();
        for resumed in [false, true] {
            let early = client.connect_early(addr, NAME, Arc::clone(&config)).unwrap();
            secrets.assert_hidden(&early);
            assert_eq!(early.send_early(b"early").is_ok(), resumed);
            let theirs = server.accept().await.unwrap().accept_early().unwrap();
            secrets.assert_hidden(&theirs);
            let (ours, theirs) = tokio::join!(early.established(), theirs.established());
            let (ours, theirs) = (ours.unwrap(), theirs.unwrap());
            secrets.assert_hidden(&[&ours, &theirs]);
            // The tickets come first.
            theirs.send(b"hello").unwrap();
            assert_eq!(ours.recv().await.unwrap().unwrap(), "hello");
            ours.close().await;
        }
        assert!(secrets.len() > 8, "{}", secrets.len());

        let folder = std::env::temp_dir().join(format!("gramseal-secrets-{}", std::process::id()));
        let file = KeyLogFile::open(&folder).unwrap();
        gramseal::KeyLog::log(&*file, "LABEL", &[7; 32], b"a secret of the file");
        secrets.add("what was written", b"a secret of the file");
        secrets.assert_hidden(&file);
        std::fs::remove_file(folder).unwrap();
        assert_looked_at(&OF_BEGINNINGS, &secrets);
    })
    .await;
}

#[test]
fn no_secret_is_in_what_is_said_of_a_key_that_does_not_fit() {
    let (pki, secrets) = (TestPki::new(), Secrets::default());
    let (one, other) = (pki.server(NAME), pki.server(NAME));
    // The number in the PKCS#8 of a P-256 key.
    let der = one.key.secret_der();
    let at = der.windows(5).position(|bytes| bytes == [2, 1, 1, 4, 32]).expect("an EC private key") + 5;
    secrets.add("a private key", &der[at..at + 32]);
    let pem_body: String = one.key_pem.lines().filter(|line| !line.starts_with('-')).collect();
    secrets.add("its base64", &pem_body.as_bytes()[50..90]);

    let identity = identity_from_pem(one.chain_pem.as_bytes(), one.key_pem.as_bytes()).unwrap();
    secrets.assert_hidden(&identity);
    secrets.assert_hidden(&ServerConfig::builder(provider(), identity));
    let mut cut = one.key_pem.clone();
    cut.truncate(120);
    for (chain, key) in [
        (other.chain_pem.as_str(), one.key_pem.as_str()),
        (one.chain_pem.as_str(), cut.as_str()),
        (one.key_pem.as_str(), one.key_pem.as_str()),
        (one.key_pem.as_str(), one.chain_pem.as_str()),
    ] {
        if let Err(error) = identity_from_pem(chain.as_bytes(), key.as_bytes()) {
            assert_error_hides(&secrets, &error);
        }
    }
}
