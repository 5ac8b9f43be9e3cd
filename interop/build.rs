//! Compiles wolfSSL, which Debian 12 packages without DTLS 1.3, for `peers/wolfssl.c`, and tells where the crate
//! `boring-sys` has compiled BoringSSL, which Debian does not package, for `peers/boringssl.c`.
//!
//! The crate `wolfssl-sys` carries its sources. Its own build script would take autotools and
//! bindgen, and leave out exporters and SRTP; so nothing depends on that crate where it would be
//! built, and these few files take seconds. Cargo keeps the result until something here changes.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The crate with the sources, as `Cargo.toml` names it.
const CRATE: &str = "wolfssl-sys";

/// What is not chosen by the settings in `peers/wolfssl/user_settings.h`.
const PROTOCOL: &[&str] = &["dtls", "dtls13", "internal", "keys", "ssl", "tls", "tls13", "wolfio"];

const CRYPTOGRAPHY: &[&str] = &[
    "aes",
    "asn",
    "chacha",
    "chacha20_poly1305",
    "coding",
    "cpuid",
    "curve25519",
    "ecc",
    "ed25519",
    "error",
    "fe_operations",
    "ge_operations",
    "hash",
    "hmac",
    "kdf",
    "logging",
    "memory",
    "poly1305",
    "random",
    "rsa",
    "sha",
    "sha256",
    "sha3",
    "sha512",
    "signature",
    "sp_int",
    "wc_encrypt",
    "wc_mlkem",
    "wc_mlkem_poly",
    "wc_port",
    "wolfmath",
];

fn main() {
    let sources = sources();
    let mut build = cc::Build::new();
    build.include(&sources).include("peers/wolfssl").define("WOLFSSL_USER_SETTINGS", None);
    // Its warnings are not ours; without optimisation RSA takes long.
    build.warnings(false).opt_level(1).debug(false).cargo_metadata(false);
    build.files(PROTOCOL.iter().map(|file| sources.join("src").join(file).with_extension("c")));
    build.files(CRYPTOGRAPHY.iter().map(|file| sources.join("wolfcrypt/src").join(file).with_extension("c")));
    build.compile("wolfssl");

    let out = std::env::var("OUT_DIR").expect("cargo names a folder for what is built");
    println!("cargo::rustc-env=WOLFSSL_SOURCES={}", sources.display());
    println!("cargo::rustc-env=WOLFSSL_LIBRARY={}", Path::new(&out).join("libwolfssl.a").display());
    let boringssl = std::env::var("DEP_BORINGSSL_ROOT").expect("boring-sys tells where it built");
    println!("cargo::rustc-env=BORINGSSL={boringssl}");
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=peers/wolfssl");
    println!("cargo::rerun-if-changed=Cargo.lock");
}

/// Where cargo keeps the sources; it fetches them if they are not there.
fn sources() -> PathBuf {
    let cargo = std::env::var("CARGO").expect("cargo names itself");
    let metadata = Command::new(cargo).args(["metadata", "--format-version", "1"]).output().expect("cargo starts");
    assert!(metadata.status.success(), "{}", String::from_utf8_lossy(&metadata.stderr));
    let metadata = String::from_utf8(metadata.stdout).expect("JSON is UTF-8");
    let manifests = metadata.split("\"manifest_path\":\"").skip(1).filter_map(|rest| rest.split('"').next());
    let mut folders = manifests.filter_map(|manifest| Path::new(manifest).parent());
    let named = |folder: &&Path| folder.file_name().is_some_and(|name| name.to_string_lossy().starts_with(CRATE));
    folders.find(named).unwrap_or_else(|| panic!("{CRATE} is in Cargo.toml")).join("wolfssl-src")
}
