//! `gramseal cert` as OpenSSL sees it: chains, keys, fingerprints, and an authority of OpenSSL's.

use std::process::Command;

use gramseal_interop::{Folder, for_each, openssl, program};

const KINDS: [&str; 5] = ["p256", "p384", "ed25519", "rsa2048", "rsa3072"];

/// Runs `gramseal cert` and gives what it printed.
fn cert(args: &[&str]) -> String {
    let output = Command::new(program::path()).arg("cert").args(args).output().expect("gramseal starts");
    assert!(output.status.success(), "gramseal cert {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

/// The value of the first line that begins with `title`.
fn fact<'t>(text: &'t str, title: &str) -> &'t str {
    let value = text.lines().find_map(|line| line.trim().strip_prefix(title));
    value.unwrap_or_else(|| panic!("no {title:?} in {text}")).trim()
}

/// As OpenSSL prints it, and as gramseal does.
fn fingerprint(file: &str) -> String {
    let printed = openssl::run(&["x509", "-in", file, "-noout", "-fingerprint", "-sha256"]);
    let (_, digits) = printed.trim().split_once('=').expect("name=value");
    format!("sha256:{}", digits.replace(':', "").to_lowercase())
}

/// Verifies the last of `args` without any leniency.
fn verify(args: &[&str]) {
    let said = openssl::run(&[&["verify", "-x509_strict"], args].concat());
    assert!(said.ends_with(": OK\n"), "{said}");
}

#[test]
fn openssl_verifies_our_chains_and_reads_our_keys() {
    for_each(&KINDS, |kind| {
        let folder = Folder::new();
        let path = |name: &str| folder.path(name).to_str().expect("text").to_owned();
        let (root, below) = (path("root"), path("below"));
        cert(&["ca", "--out", &root, "--key-type", kind]);
        cert(&["ca", "--out", &below, "--ca", &root, "--key-type", kind]);
        let server = cert(&["server", "a.example", "192.0.2.1", "--ca", &below, "--key-type", kind]);
        cert(&["client", "meter 1", "--ca", &below, "--key-type", kind]);
        for (stem, check) in [
            ("a.example", ["-purpose", "sslserver", "-verify_hostname", "a.example"]),
            ("a.example", ["-purpose", "sslserver", "-verify_ip", "192.0.2.1"]),
            ("meter_1", ["-purpose", "sslclient", "-verify_depth", "2"]),
        ] {
            let chain = format!("{below}/{stem}.pem");
            let authority = format!("{root}/ca.pem");
            verify(&[&["-CAfile", &authority, "-untrusted", &chain], &check[..], &[&chain]].concat());
            // The three files are of one key.
            let public = std::fs::read_to_string(format!("{below}/{stem}.pub")).expect("a public key");
            assert_eq!(openssl::run(&["pkey", "-in", &format!("{below}/{stem}.key"), "-pubout"]), public);
            assert_eq!(openssl::run(&["x509", "-in", &chain, "-noout", "-pubkey"]), public);
        }
        assert_eq!(fact(&server, "fingerprint"), fingerprint(&format!("{below}/a.example.pem")));
    });
}

#[test]
fn an_authority_of_openssl_signs_what_we_make() {
    let folder = Folder::new();
    let path = |name: &str| folder.path(name).to_str().expect("text").to_owned();
    let (authority, key) = (path("ca.pem"), path("ca.key"));
    let subject = "/C=DE/O=Example, Inc./OU=Things/CN=An authority";
    let make = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-384", "-nodes", "-subj", subject];
    let usage = "keyUsage=critical,keyCertSign,cRLSign";
    let files = ["-keyout", &key, "-out", &authority];
    assert_eq!(openssl::run(&[&make[..], &["-addext", usage], &files].concat()), "");
    let folder = authority.strip_suffix("/ca.pem").expect("in a folder").to_owned();
    cert(&["server", "a.example", "--ca", &folder]);
    let made = path("a.example.pem");
    verify(&["-CAfile", &authority, "-purpose", "sslserver", &made]);
    let shown = cert(&["show", &made, &authority]);
    assert_eq!(fact(&shown, "issuer"), "CN=An authority,OU=Things,O=Example\\, Inc.,C=DE");
    assert_eq!(fact(&shown, "signed with"), "ecdsa-with-SHA384");
    assert_eq!(fact(&shown, "fingerprint"), fingerprint(&made));
}
