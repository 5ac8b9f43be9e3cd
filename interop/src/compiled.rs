//! Peers around libraries that come without a program: `peers/` has their sources, and this module
//! compiles them when a test first needs one. `peers/README.md` tells what they print.

use std::ffi::OsStr;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;
use std::sync::LazyLock;

use gramseal_testkit::pki::{TestIdentity, TestPki};

use crate::command_line::CommandLine;
use crate::{Node, Process, check, psk};

/// A library with a program of ours around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Library {
    /// Mbed TLS 2.28: pre-shared keys and certificates.
    MbedTls,
    /// Botan 2.19: pre-shared keys.
    Botan,
    /// wolfSSL 5.9, which `build.rs` compiles: DTLS 1.3.
    WolfSsl,
}

impl Library {
    /// Its program, compiled by now.
    fn program(self) -> &'static PathBuf {
        static MBEDTLS: LazyLock<PathBuf> = LazyLock::new(|| {
            compile(
                "cc",
                &["-O1", "peers/mbedtls.c"],
                &["-lmbedtls", "-lmbedx509", "-lmbedcrypto"],
                "libmbedtls-dev of Debian 12",
            )
        });
        static BOTAN: LazyLock<PathBuf> = LazyLock::new(|| {
            let source = ["-std=c++14", "-O1", "-I/usr/include/botan-2", "peers/botan.cpp"];
            compile("c++", &source, &["-lbotan-2"], "libbotan-2-dev of Debian 12")
        });
        static WOLFSSL: LazyLock<PathBuf> = LazyLock::new(|| {
            let headers = ["-DWOLFSSL_USER_SETTINGS", "-Ipeers/wolfssl", "-isystem", env!("WOLFSSL_SOURCES")];
            let source = [&["-O1"], &headers[..], &["peers/wolfssl.c"]].concat();
            compile("cc", &source, &[env!("WOLFSSL_LIBRARY"), "-lm"], "wolfSSL that build.rs compiles")
        });
        match self {
            Self::MbedTls => &MBEDTLS,
            Self::Botan => &BOTAN,
            Self::WolfSsl => &WOLFSSL,
        }
    }
}

/// Compiles to a file beside the tests' own programs, named after the source.
fn compile(compiler: &str, source: &[&str], libraries: &[&str], needed: &str) -> PathBuf {
    let name = source.last().and_then(|file| file.split(['/', '.']).nth(1)).expect("a source is named last");
    let tests = std::env::current_exe().expect("a running program has a path");
    let folder = tests.parent().expect("a program lies in a folder").join("interop-peers");
    std::fs::create_dir_all(&folder).expect("the folder of the tests is writable");
    // Another test program may compile the same at this moment: each to a name of its own, and then in its place.
    let draft = folder.join(format!("{name}-{}", std::process::id()));
    let program = folder.join(name);
    let output = Command::new(compiler)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args(["-Wall", "-Wextra", "-o"])
        .arg(&draft)
        .args(source)
        .args(libraries)
        .output()
        .unwrap_or_else(|error| panic!("`{compiler}` did not start ({error}): install a compiler for C and C++"));
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "peers/{name} needs {needed}:\n{complaint}");
    std::fs::rename(&draft, &program).expect("the folder of the tests is writable");
    program
}

/// A peer in the making.
#[derive(Debug)]
pub struct Compiled(CommandLine);

/// A server.
///
/// # Panics
/// If it cannot be compiled.
#[must_use]
pub fn server(library: Library) -> Compiled {
    Compiled(CommandLine::new(library.program()).args(["server", "0"]))
}

/// A client of the server at `server`.
///
/// # Panics
/// If it cannot be compiled.
#[must_use]
pub fn client(library: Library, server: SocketAddr) -> Compiled {
    Compiled(CommandLine::new(library.program()).args(["client", &server.port().to_string()]))
}

impl Compiled {
    /// More arguments.
    #[must_use]
    pub fn args<A: AsRef<OsStr>>(self, args: impl IntoIterator<Item = A>) -> Self {
        Self(self.0.args(args))
    }

    /// One suite, by the library's name of it.
    #[must_use]
    pub fn suite(self, name: &str) -> Self {
        self.args(["--suite", name])
    }

    /// The key of [`psk`].
    #[must_use]
    pub fn psk(self) -> Self {
        self.args(["--psk", psk::KEY_HEX, "--identity", psk::IDENTITY])
    }

    /// Shows this chain; not for Botan.
    #[must_use]
    pub fn identity(self, identity: &TestIdentity) -> Self {
        let line = self.0.file("--cert", "chain.pem", &identity.chain_pem);
        Self(line.file("--key", "key.pem", &identity.key_pem))
    }

    /// Requires a certificate that `pki` issued; not for Botan.
    #[must_use]
    pub fn trust(self, pki: &TestPki) -> Self {
        Self(self.0.file("--ca", "root.pem", &pki.root_pem()))
    }

    /// Starts it.
    ///
    /// # Panics
    /// If the system cannot.
    #[must_use]
    pub fn start(self) -> Process {
        self.0.start()
    }

    /// Starts it and waits until it listens.
    ///
    /// # Panics
    /// If it does not listen in time.
    #[must_use]
    pub fn listening(self) -> (Process, SocketAddr) {
        self.start().listening("LISTENING ")
    }
}

/// Waits for the connection on both sides, then checks that data passes both ways, that both
/// exported the same keying material and, if the library shows it, that both have the same secret.
///
/// # Panics
/// If not.
pub fn check(node: &mut Node, peer: &mut Process) {
    check::connected(node, peer, |peer| peer.value("CONNECTED ").is_some());
    check::exchange(node, peer, "over and back");
    check::exporter(node, &peer.value("EXPORTED ").expect("printed when connected"));
    if let Some(theirs) = peer.value("SECRET ") {
        assert_eq!(node.watch().log().secrets, [theirs]);
    }
}

/// Data both ways once more, named `text`.
///
/// # Panics
/// If it does not arrive.
pub fn exchange(node: &mut Node, peer: &mut Process, text: &str) {
    check::exchange(node, peer, text);
}
