//! Whom `gramseal server` and `gramseal client` believe, beyond certificates that lead to a root.

#![allow(missing_docs, reason = "a test")]

mod common;

use common::{Folder, Server, event, run, stderr};
use gramseal_testkit::pki::{Crl, TestIdentity, TestPki};

/// `--cert … --key …` for `identity`.
fn identity_options(folder: &Folder, name: &str, identity: &TestIdentity) -> String {
    let cert = folder.file(&format!("{name}.pem"), &identity.chain_pem);
    let key = folder.file(&format!("{name}-key.pem"), &identity.key_pem);
    format!("--cert {cert} --key {key}")
}

#[test]
fn clients_refuse_revoked_servers() {
    let (folder, pki) = (Folder::new(), TestPki::new());
    let identity = pki.server("localhost");
    let server = Server::start(&identity_options(&folder, "server", &identity));
    let ca = folder.file("ca.pem", &pki.root_pem());
    let client = format!("client {} --wait 0 --name localhost --ca {ca}", server.address);

    let good = folder.file("good.crl", &pki.crl(&Crl::new(&[])));
    let output = run(&format!("{client} --crl {good}"));
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));

    let revoked = folder.file("revoked.pem", &pki.crl_pem(&Crl::new(&[identity.end_entity()])));
    let output = run(&format!("{client} --crl {revoked}"));
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("certificate_revoked"), "{}", stderr(&output));

    // A file without a list would leave everybody unchecked.
    let output = run(&format!("{client} --crl {ca}"));
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("no revocation lists"), "{}", stderr(&output));
}

#[test]
fn servers_refuse_revoked_clients() {
    let (folder, pki) = (Folder::new(), TestPki::new());
    let (good, bad) = (pki.client("good.test"), pki.client("bad.test"));
    let ca = folder.file("ca.pem", &pki.root_pem());
    let crl = folder.file("ca.crl", &pki.crl(&Crl::new(&[bad.end_entity()])));
    let options = format!("--client-ca {ca} --crl {crl} --require-client-cert --once");

    let server = Server::start(&options);
    let output = run(&format!("{} {}", server.trusted(), identity_options(&folder, "good", &good)));
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));

    let server = Server::start(&options);
    let output = run(&format!("{} {}", server.trusted(), identity_options(&folder, "bad", &bad)));
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    let (lines, status) = server.finish();
    assert_eq!((status, &event(&lines, "failed")["alert"]), (Some(1), &"certificate_revoked".into()));
}
