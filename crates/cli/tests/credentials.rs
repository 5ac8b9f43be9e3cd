//! Whom `gramseal server` and `gramseal client` believe, beyond certificates that lead to a root.

#![allow(missing_docs, reason = "a test")]

mod common;

use common::{Folder, Server, event, run, stderr};
use gramseal_testkit::pki::{Crl, Ocsp, OcspStatus, TestIdentity, TestPki};

/// `--cert … --key …` for `identity`.
fn identity_options(folder: &Folder, name: &str, identity: &TestIdentity) -> String {
    let cert = folder.file(&format!("{name}.pem"), &identity.chain_pem);
    let key = folder.file(&format!("{name}-key.pem"), &identity.key_pem);
    format!("--cert {cert} --key {key}")
}

#[test]
fn faults_in_keys_do_not_show_them() {
    for wrong in [
        "server --psk meter:00ffeeddx",
        "client localhost:9 --psk meter:00ffeedd0",
        "client localhost:9 --psk 00ffeedd",
    ] {
        let output = run(wrong);
        assert_eq!(output.status.code(), Some(2), "{wrong}: {}", stderr(&output));
        let said = stderr(&output);
        assert!(said.contains("--psk") && !said.contains("00ffeedd"), "{wrong}: {said}");
    }
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

#[test]
fn servers_staple_what_clients_ask_for() {
    let (folder, pki) = (Folder::new(), TestPki::new());
    let identity = pki.server("localhost");
    let ca = folder.file("ca.pem", &pki.root_pem());
    let response = folder.file("response.der", &pki.ocsp(&Ocsp::good(identity.end_entity())));
    let options = identity_options(&folder, "server", &identity);
    for dtls in VERSIONS {
        let server = Server::start(&format!("{options} --ocsp {response}"));
        let line = format!("client {} --wait 0 --name localhost --ca {ca} --ocsp --dtls {dtls}", server.address);
        let output = run(&line);
        assert_eq!(output.status.code(), Some(0), "{dtls}: {}", stderr(&output));
    }
    let server = Server::start(&format!("{options} --ocsp {response}"));
    let client = |server: &Server, options| {
        run(&format!("client {} --wait 0 --name localhost --ca {ca} {options}", server.address))
    };
    let output = client(&server, "--ocsp");
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));

    // The file is read anew.
    let revoked = pki.ocsp(&Ocsp::new(identity.end_entity(), OcspStatus::Revoked));
    folder.file("response.der", &revoked);
    assert!(stderr(&client(&server, "--ocsp")).contains("certificate_revoked"));
    assert_eq!(client(&server, "").status.code(), Some(0), "nobody asked");

    let server = Server::start(&options);
    let output = client(&server, "--ocsp");
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("bad_certificate_status_response"), "{}", stderr(&output));
    assert_eq!(run(&format!("server {options} --ocsp no-such-file")).status.code(), Some(2));
}

/// Those of which statuses and raw public keys are tried; all else is tried in the newest.
const VERSIONS: [&str; 2] = ["1.3", "1.2"];

#[test] // RFC 7250
fn raw_public_keys_stand_for_certificates_on_both_sides() {
    let (folder, pki) = (Folder::new(), TestPki::new());
    let (server, client) = (pki.server("a.test"), pki.client("b.test"));
    let server_key = folder.file("server-key.pem", &server.key_pem);
    let client_key = folder.file("client-key.pem", &client.key_pem);
    let server_public = folder.file("server-public.pem", &server.public_key_pem);
    let client_public = folder.file("client-public.pem", &client.public_key_pem);

    for dtls in VERSIONS {
        let running = Server::start(&format!("--key {server_key} --raw-public-key {client_public} --dtls {dtls}"));
        let line = format!("client {} --wait 0 --raw-public-key {server_public} --key {client_key}", running.address);
        let output = run(&line);
        assert_eq!(output.status.code(), Some(0), "{dtls}: {}", stderr(&output));
        assert!(stderr(&output).contains(&format!("DTLS {dtls}")), "{}", stderr(&output));
    }
    let running = Server::start(&format!("--key {server_key} --raw-public-key {client_public} --once"));
    assert_eq!(running.fingerprint, "", "no certificate is made");
    let line = format!("client {} --wait 0 --raw-public-key {server_public} --key {client_key}", running.address);
    let output = run(&line);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(stderr(&output).contains(&running.raw_public_key), "{}", stderr(&output));
    let (lines, status) = running.finish();
    assert_eq!(status, Some(0));
    let shown = &event(&lines, "connected")["peer_raw_public_key"];

    // The fingerprints that were printed serve as well; other keys do not.
    let fingerprint = shown.as_str().expect("a text");
    let running = Server::start(&format!("--key {server_key} --raw-public-key {fingerprint}"));
    let client = format!("client {} --wait 0 --raw-public-key", running.address);
    let output = run(&format!("{client} {} --key {client_key}", running.raw_public_key));
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    // In 1.3 a client is connected before it hears that the server refuses it.
    let patient = format!("client {} --wait 20 --raw-public-key", running.address);
    for (trusted, key) in [(&client_public, &client_key), (&server_public, &server_key)] {
        let output = run(&format!("{patient} {trusted} --key {key}"));
        assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
        assert!(stderr(&output).contains("bad_certificate"), "{}", stderr(&output));
    }
    let output = run(&format!("{client} {server_key}"));
    assert_eq!(output.status.code(), Some(2), "a private key is no public one: {}", stderr(&output));
}

#[test] // RFC 8879
fn certificates_are_compressed_where_both_sides_ask_for_it() {
    let (folder, pki) = (Folder::new(), TestPki::new().with_padding(1000));
    let ca = folder.file("ca.pem", &pki.root_pem());
    let server_options = identity_options(&folder, "server", &pki.server("localhost"));
    let client_options = identity_options(&folder, "client", &pki.client("client.test"));
    for (server_asks, client_asks, dtls, used) in [
        (true, true, "1.3", true),
        (true, false, "1.3", false),
        (false, true, "1.3", false),
        (true, true, "1.2", false),
    ] {
        let option = |asks: bool| if asks { "--compress-certificates" } else { "" };
        let asked = option(server_asks);
        let server = Server::start(&format!("{server_options} --client-ca {ca} --require-client-cert --once {asked}"));
        let line = format!("client {} --wait 0 --name localhost --ca {ca} {client_options}", server.address);
        let output = run(&format!("{line} --dtls {dtls} {}", option(client_asks)));
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        let said = ", own certificate compressed (brotli), peer's certificate compressed (brotli), peer localhost";
        assert_eq!(stderr(&output).contains(said), used, "{}", stderr(&output));
        let (lines, _) = server.finish();
        let connected = event(&lines, "connected");
        for field in ["own_certificate_compression", "peer_certificate_compression"] {
            assert_eq!(connected[field], if used { "brotli".into() } else { serde_json::Value::Null });
        }
    }
}

#[test]
fn keys_can_be_in_files() {
    let folder = Folder::new();
    let known = folder.file("known", "# devices\nmeter:1:00ff\n\n  other:22\n");
    let server = Server::start(&format!("--psk-file {known}"));
    let client = format!("client {} --wait 0", server.address);
    for (key, status) in [("other:22\n", 0), ("meter:1:00ff", 0), ("meter:1:00fe", 1)] {
        let own = folder.file("own", key);
        let output = run(&format!("{client} --psk-file {own}"));
        assert_eq!(output.status.code(), Some(status), "{}", stderr(&output));
    }
    for (content, said) in
        [("# none\n", "no key"), ("a:00\nb:11\n", "more than one"), ("\na:0g0g\n", "line 2: the key")]
    {
        let wrong = folder.file("wrong", content);
        let output = run(&format!("{client} --psk-file {wrong}"));
        assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
        assert!(stderr(&output).contains(said) && !stderr(&output).contains("0g0g"), "{}", stderr(&output));
    }
}

#[cfg(unix)]
#[test]
fn keys_that_others_can_read_are_warned_of_and_used() {
    let folder = Folder::new();
    let psks = folder.file("psks", "a:00ff\n");
    let server = Server::start(&format!("--psk-file {psks}"));
    for (mode, warned) in [(0o600, false), (0o644, true)] {
        folder.set_mode("psks", mode);
        let said = format!("warning: {psks}: others have access to the key");
        let output = run(&format!("client {} --wait 0 --psk-file {psks}", server.address));
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        assert_eq!(stderr(&output).contains(&said), warned, "{}", stderr(&output));
        let output = run(&format!("server --listen nowhere --psk-file {psks}"));
        assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
        assert_eq!(stderr(&output).contains(&said), warned, "{}", stderr(&output));
    }
    // That of an authority as well.
    let ca = folder.path("ca");
    assert_eq!(run(&format!("cert ca --out {ca}")).status.code(), Some(0));
    folder.set_mode("ca/ca.key", 0o640);
    let output = run(&format!("cert server localhost --ca {ca}"));
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(stderr(&output).contains("ca.key: others have access"), "{}", stderr(&output));
}
