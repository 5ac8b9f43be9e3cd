//! Nothing that this crate prints holds a byte of a key.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::sync::Arc;

use common::{LOOPBACK, NAME, bind, client_builder, pair, server_builder, soon};
use gramseal::{Endpoint, ServerConfig, identity_from_pem, provider};
use gramseal_testkit::pki::TestPki;
use gramseal_testkit::secrets::Secrets;

/// Both forms of `Debug`, and `Display` of an error.
#[track_caller]
fn assert_error_hides(secrets: &Secrets, error: &(dyn std::error::Error + 'static)) {
    secrets.assert_hidden(&error);
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
        let accepted = incoming.await;
        let refused = connecting.await.unwrap();
        assert_error_hides(&secrets, &refused.expect_err("another name"));
        if let Err(error) = accepted {
            assert_error_hides(&secrets, &error);
        }
        ours.close().await;
        secrets.assert_hidden(&ours);
        secrets.assert_hidden_in(&format!("{:?}", theirs.recv().await));
        assert_error_hides(&secrets, &ours.send(b"late").expect_err("it is closed"));
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
