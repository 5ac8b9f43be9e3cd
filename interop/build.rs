//! Compiles wolfSSL, which Debian 12 packages without DTLS 1.3, for `peers/wolfssl.c`, and Mbed TLS 3, of which it has the
//! older 2.28 alone, without connection ids, for `peers/mbedtls.c`; and tells where the crate `boring-sys` has compiled
//! BoringSSL, which Debian does not package, for `peers/boringssl.c`.
//!
//! The crates `wolfssl-sys` and `psa-crypto-sys` carry the sources. Their own build scripts would take autotools and
//! bindgen, and leave out what we want of them; so nothing depends on these crates where they would be
//! built, and their files take seconds. Cargo keeps the result until something here changes.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The crates with the sources, as `Cargo.toml` names them.
const WOLFSSL: &str = "wolfssl-sys";
const MBEDTLS: &str = "psa-crypto-sys";

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
    let metadata = metadata();
    let sources = sources(&metadata, WOLFSSL).join("wolfssl-src");
    let mut build = cc::Build::new();
    build.include(&sources).include("peers/wolfssl").define("WOLFSSL_USER_SETTINGS", None);
    // Its warnings are not ours; without optimisation RSA takes long.
    build.warnings(false).opt_level(1).debug(false).cargo_metadata(false);
    build.files(PROTOCOL.iter().map(|file| sources.join("src").join(file).with_extension("c")));
    build.files(CRYPTOGRAPHY.iter().map(|file| sources.join("wolfcrypt/src").join(file).with_extension("c")));
    build.compile("wolfssl");
    let mbedtls = sources_of_mbedtls(&metadata);

    let out = std::env::var("OUT_DIR").expect("cargo names a folder for what is built");
    println!("cargo::rustc-env=WOLFSSL_SOURCES={}", sources.display());
    println!("cargo::rustc-env=WOLFSSL_LIBRARY={}", Path::new(&out).join("libwolfssl.a").display());
    println!("cargo::rustc-env=MBEDTLS_SOURCES={}", mbedtls.display());
    println!("cargo::rustc-env=MBEDTLS_LIBRARY={}", Path::new(&out).join("libmbedtls3.a").display());
    let boringssl = std::env::var("DEP_BORINGSSL_ROOT").expect("boring-sys tells where it built");
    println!("cargo::rustc-env=BORINGSSL={boringssl}");
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=peers/wolfssl");
    println!("cargo::rerun-if-changed=Cargo.lock");
}

/// Compiles Mbed TLS as its authors configure it.
fn sources_of_mbedtls(metadata: &str) -> PathBuf {
    let sources = sources(metadata, MBEDTLS).join("vendor");
    let library = std::fs::read_dir(sources.join("library")).expect("the crate has the whole library");
    let files = library.map(|entry| entry.expect("a readable folder").path());
    let mut build = cc::Build::new();
    build.include(sources.join("include")).include(sources.join("library"));
    build.warnings(false).opt_level(1).debug(false).cargo_metadata(false);
    build.files(files.filter(|file| file.extension().is_some_and(|extension| extension == "c")));
    build.compile("mbedtls3");
    sources
}

/// What cargo knows of all crates; it fetches them if they are not there.
fn metadata() -> String {
    let cargo = std::env::var("CARGO").expect("cargo names itself");
    let metadata = Command::new(cargo).args(["metadata", "--format-version", "1"]).output().expect("cargo starts");
    assert!(metadata.status.success(), "{}", String::from_utf8_lossy(&metadata.stderr));
    String::from_utf8(metadata.stdout).expect("JSON is UTF-8")
}

/// Where cargo keeps `name`.
fn sources(metadata: &str, name: &str) -> PathBuf {
    let manifests = metadata.split("\"manifest_path\":\"").skip(1).filter_map(|rest| rest.split('"').next());
    let mut folders = manifests.filter_map(|manifest| Path::new(manifest).parent());
    let named = |folder: &&Path| folder.file_name().is_some_and(|folder| folder.to_string_lossy().starts_with(name));
    folders.find(named).unwrap_or_else(|| panic!("{name} is in Cargo.toml")).to_path_buf()
}
