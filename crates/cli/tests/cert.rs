//! `gramseal cert`: what it makes works, what it prints is true, what exists is safe.

#![allow(missing_docs, reason = "a test")]

mod common;

use std::fs;

use common::{Folder, Server, event, gramseal, json_lines, run, run_with_input, stderr, stdout};
use serde_json::{Value, json};

/// Made with OpenSSL 3.0.19, and so were the facts below: `openssl x509 -text -fingerprint -sha256`, and the hash of
/// `openssl x509 -pubkey | openssl pkey -pubin -outform DER`.
const OPENSSL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/openssl.pem");

/// Runs it, expects success, and gives the first line of its JSON.
fn cert(line: &str) -> Value {
    let output = run(&format!("cert --json {line}"));
    assert_eq!(output.status.code(), Some(0), "{line}: {}", stderr(&output));
    json_lines(stdout(&output)).remove(0)
}

/// What `cert show` says of `file`.
fn shown(file: &str) -> Vec<Value> {
    let output = run(&format!("cert show --json {file}"));
    assert_eq!(output.status.code(), Some(0), "{file}: {}", stderr(&output));
    json_lines(stdout(&output))
}

#[test]
fn peers_connect_with_what_is_made() {
    let folder = Folder::new();
    let (root, below) = (folder.path("root"), folder.path("below"));
    cert(&format!("ca --out {root}"));
    cert(&format!("ca --out {below} --ca {root} --key-type p384"));
    for kind in ["p256", "p384", "ed25519", "rsa2048", "rsa3072"] {
        let server = cert(&format!("server {kind}.test 127.0.0.1 --ca {below} --key-type {kind}"));
        cert(&format!("client meter.{kind} --ca {below} --key-type {kind}"));
        let own = |stem: &str| format!("--cert {below}/{stem}.pem --key {below}/{stem}.key");
        let listening = Server::start(&format!(
            "{} --client-ca {root}/ca.pem --require-client-cert --once --echo",
            own(&format!("{kind}.test"))
        ));
        assert_eq!(server["fingerprint"], listening.fingerprint);
        // The host is 127.0.0.1, which is the certificate's second name.
        let address = &listening.address;
        let client = format!("client {address} --ca {root}/ca.pem --wait 0.3 {}", own(&format!("meter.{kind}")));
        let output = run_with_input(gramseal(&client), "hello\n");
        assert_eq!(output.status.code(), Some(0), "{kind}: {}", stderr(&output));
        assert_eq!(stdout(&output), "hello\n");
        let (lines, _) = listening.finish();
        assert_eq!(event(&lines, "connected")["peer_identity"]["subject"], format!("meter.{kind}"));
    }
}

#[test]
fn a_server_certificate_is_none_for_clients() {
    let folder = Folder::new();
    let root = folder.path("root");
    cert(&format!("ca --out {root}"));
    cert(&format!("server localhost --ca {root}"));
    let server = Server::start(&format!("--client-ca {root}/ca.pem --require-client-cert"));
    let output = run(&format!("{} --cert {root}/localhost.pem --key {root}/localhost.key", server.trusted()));
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
}

#[test]
fn clients_can_be_known_by_fingerprints() {
    let folder = Folder::new();
    let out = folder.path("");
    let made = |name| {
        let made = cert(&format!("client {name} --self-signed --out {out}"));
        let text = |file: &str| made[file].as_str().expect("a text").to_owned();
        (text("fingerprint"), format!("--cert {} --key {}", text("certificate"), text("private_key")))
    };
    let (one, two, stranger) = (made("one"), made("two"), made("stranger"));
    let server = Server::start(&format!("--fingerprint {} --fingerprint {}", one.0, two.0));
    for (identity, status, alert) in [
        (&one.1, 0, ""),
        (&two.1, 0, ""),
        (&stranger.1, 1, "bad_certificate"),
        (&String::new(), 1, "certificate_required"),
    ] {
        let output = run(&format!("{} {identity}", server.trusted()));
        assert_eq!(output.status.code(), Some(status), "{identity}: {}", stderr(&output));
        assert!(stderr(&output).contains(alert), "{identity}: {}", stderr(&output));
    }
}

#[test]
fn facts_are_those_that_openssl_tells() {
    let certificate = json!({
        "subject": "CN=Zoë's CA,OU=Things,O=Example\\, Inc.,C=DE",
        "issuer": "CN=Zoë's CA,OU=Things,O=Example\\, Inc.,C=DE",
        "serial": "ffeeddccbbaa99887766",
        "not_before": "2026-11-26T09:43:29Z",
        "not_after": "2300-09-11T09:43:29Z",
        "validity": "valid",
        "names": ["DNS:a.test", "IP:192.0.2.1", "IP:2001:db8::1", "email:a@a.test", "URI:coap://a.test/"],
        "key": {
            "kind": "RSA",
            "bits": 2048,
            "fingerprint": "sha256:008a4c97850f8fd5becbcbc4b285151b208fcdce7036c45c9d2ae08ada73ad72",
        },
        "key_usage": ["digitalSignature", "keyCertSign", "cRLSign"],
        "extended_key_usage": ["serverAuth", "clientAuth", "1.3.6.1.4.1.65261.1"],
        "ca": true,
        "path_length": 2,
        "signature_algorithm": "sha384WithRSAEncryption",
        "fingerprint": "sha256:3aa2894741dc893d32fb06d7f5920c99b1a78a0e4f27d039f090eea29c5f36d3",
    });
    assert_eq!(
        shown(OPENSSL),
        [json!({ "event": "item", "file": OPENSSL, "position": 1, "certificate": certificate })]
    );
    let text = run(&format!("cert show {OPENSSL}"));
    for fact in ["RSA 2048", "CN=Zoë's CA", "(valid)", "yes, at most 2 more below it", "sha256:3aa28947"] {
        assert!(stdout(&text).contains(fact), "{fact}: {}", stdout(&text));
    }
}

/// The public keys of the test keys of `gramseal-testkit`, which OpenSSL made, hashed as above.
#[test]
fn public_keys_are_shown_alone_and_with_their_private_halves() {
    let data = concat!(env!("CARGO_MANIFEST_DIR"), "/../testkit/src/conformance/data");
    for (file, kind, bits, hash) in [
        ("p256", "EC P-256", 256, "fc864cc88992ab67d75c7c88c76dde25b9ccef822e20426d4e729b8e6bbf989f"),
        ("p521", "EC P-521", 521, "10c5a056acd3299c42f45cb678e84b502a57c9f66585cef6f27ae9c7ecbb2538"),
        ("ed25519", "Ed25519", 256, "780e25755524da17f65c7e3007f7507ee83bd3313aab4a10317766eacadd5804"),
        ("rsa2048", "RSA", 2048, "d73364c7d6e744d9d83c00dd8a5295250bb53b2de9caa280a59543d6461b36da"),
    ] {
        let key = json!({ "kind": kind, "bits": bits, "fingerprint": format!("sha256:{hash}") });
        assert_eq!(shown(&format!("{data}/{file}.pub.pem"))[0]["public_key"], key);
        assert_eq!(shown(&format!("{data}/{file}.pem"))[0]["private_key"], key);
        let output = run(&format!("cert show {data}/{file}.pem"));
        assert!(!stdout(&output).contains("PRIVATE"), "only the public half: {}", stdout(&output));
    }
}

#[test]
fn a_file_may_hold_many() {
    let folder = Folder::new();
    let (root, below) = (folder.path("root"), folder.path("below"));
    cert(&format!("ca --out {root}"));
    cert(&format!("ca --out {below} --ca {root} --name Below"));
    let made = cert(&format!("server a.test *.b.test ::1 --ca {below}"));
    let read = |file: &str| fs::read_to_string(file).expect("a file");
    let path = |name: &str| made[name].as_str().expect("a path").to_owned();
    let all = ["certificate", "private_key", "public_key"].map(|name| read(&path(name))).concat();
    let items = shown(&folder.file("all", &all));
    assert_eq!(items.iter().map(|item| item["position"].as_u64()).collect::<Vec<_>>(), [1, 2, 3, 4].map(Some));
    let leaf = &items[0]["certificate"];
    assert_eq!(leaf["names"], json!(["DNS:a.test", "DNS:*.b.test", "IP:::1"]));
    assert_eq!((&leaf["subject"], &leaf["issuer"]), (&json!("CN=a.test"), &json!("CN=Below")));
    assert_eq!((&leaf["ca"], &leaf["extended_key_usage"]), (&json!(false), &json!(["serverAuth"])));
    assert_eq!(leaf["fingerprint"], made["fingerprint"]);
    let above = &items[1]["certificate"];
    assert_eq!((&above["subject"], &above["issuer"]), (&json!("CN=Below"), &json!("CN=gramseal test CA")));
    assert_eq!((&above["ca"], &above["key_usage"]), (&json!(true), &json!(["keyCertSign", "cRLSign"])));
    let keys = [&leaf["key"]["fingerprint"], &items[2]["private_key"]["fingerprint"]];
    assert_eq!(keys, [&made["public_key_fingerprint"], &items[3]["public_key"]["fingerprint"]]);
    assert_ne!(leaf["key"]["fingerprint"], above["key"]["fingerprint"]);
}

#[test]
fn nothing_is_valid_longer_than_its_authority() {
    let folder = Folder::new();
    let root = folder.path("root");
    let authority = cert(&format!("ca --out {root} --days 10"));
    assert_eq!(cert(&format!("server a.test --ca {root}"))["not_after"], authority["not_after"]);
    let output = run(&format!("cert client b --ca {root} --days 11"));
    assert!(stderr(&output).contains("no longer than its authority"), "{}", stderr(&output));
    assert_ne!(cert(&format!("client c --ca {root} --days 9"))["not_after"], authority["not_after"]);
}

#[test]
fn existing_files_are_replaced_only_when_that_is_asked_for() {
    let folder = Folder::new();
    let out = folder.path("");
    for existing in ["a.test.pem", "a.test.key", "a.test.pub"] {
        let path = folder.file(existing, "precious");
        let output = run(&format!("cert server a.test --self-signed --out {out}"));
        assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
        assert!(stderr(&output).contains(&format!("{existing}: exists already (--force")), "{}", stderr(&output));
        assert_eq!(fs::read_to_string(&path).expect("the file"), "precious");
        let others = fs::read_dir(&out).expect("the folder").count();
        assert_eq!(others, 1, "nothing is written if not everything is");
        fs::remove_file(path).expect("removed");
    }
    folder.file("a.test.key", "precious");
    cert(&format!("server a.test --self-signed --out {out} --force"));
    assert_eq!(shown(&folder.path("a.test.pem")).len(), 1);
}

#[cfg(unix)]
#[test]
fn private_keys_are_for_their_owner_alone() {
    use std::os::unix::fs::{PermissionsExt, symlink};

    let folder = Folder::new();
    let out = folder.path("");
    let mode = |name: &str| fs::metadata(folder.path(name)).expect("a file").permissions().mode() & 0o777;
    cert(&format!("ca --out {out}"));
    assert_eq!(mode("ca.key"), 0o600);

    // A file that everybody can read, and a link to somewhere else, are not written into.
    let elsewhere = folder.file("elsewhere", "precious");
    fs::set_permissions(&elsewhere, fs::Permissions::from_mode(0o644)).expect("permissions");
    symlink(&elsewhere, folder.path("a.key")).expect("a link");
    let output = run(&format!("cert client a --ca {out}"));
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    cert(&format!("client a --ca {out} --force"));
    assert_eq!(mode("a.key"), 0o600);
    assert_eq!(fs::read_to_string(elsewhere).expect("the file"), "precious");
}

#[test]
fn what_is_wrong_is_named() {
    let folder = Folder::new();
    let (root, other) = (folder.path("root"), folder.path("other"));
    let name = "RootOfTheTest";
    cert(&format!("ca --out {root} --name {name}"));
    cert(&format!("ca --out {other}"));
    cert(&format!("server leaf.test --ca {root}"));
    let junk = folder.file("junk", "nothing of use");
    let broken = folder.file("broken", "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n");
    let mixed = |name: &str, certificate: &str, key: &str| {
        let mixed = folder.path(name);
        fs::create_dir(&mixed).expect("a folder");
        fs::copy(certificate, format!("{mixed}/ca.pem")).expect("a certificate");
        fs::copy(key, format!("{mixed}/ca.key")).expect("a key");
        mixed
    };
    let strangers = mixed("strangers", &format!("{root}/ca.pem"), &format!("{other}/ca.key"));
    let leaf = mixed("leaf", &format!("{root}/leaf.test.pem"), &format!("{root}/leaf.test.key"));
    let keyless = mixed("keyless", &format!("{root}/ca.pem"), &junk);
    for (line, reason) in [
        (format!("server a.test --ca {other}/none"), "no authority is here (gramseal cert ca --out"),
        (format!("server a.test --ca {strangers}"), "ca.pem: the private key beside it does not belong"),
        (format!("server a.test --ca {leaf}"), "ca.pem: the first certificate is not an authority's"),
        (format!("server a.test --ca {keyless}"), "ca.key: no private key"),
        (format!("server a..test --ca {root}"), "\"a..test\" is neither a host name"),
        (format!("client ca --ca {root} --force"), "an authority's files are called that"),
        (format!("ca --out {root} --ca {root} --force"), "the same folder"),
        (format!("ca --out {other}/below --ca {root} --name={name}"), "the name is that of the authority above"),
        (format!("server a.test --ca {root} --self-signed"), "cannot be used with"),
        (format!("server a.test --ca {root} --days 0"), "0 is not in 1..="),
        ("server a.test".to_owned(), "--ca <DIR>"),
        (format!("show {junk}"), "junk: holds no certificate and no key"),
        (format!("show {broken}"), "broken: item 1: the certificate is damaged"),
        (format!("show {root}/none"), "none: "),
    ] {
        let output = run(&format!("cert {line}"));
        assert_eq!(output.status.code(), Some(2), "{line}: {}", stderr(&output));
        assert!(stderr(&output).contains(reason), "{line}: {}", stderr(&output));
        assert_eq!(stdout(&output), "", "{line}");
    }
}
