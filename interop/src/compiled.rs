//! Peers around libraries that come without a program: `peers/` has their sources, and this module
//! compiles them when a test first needs one. `peers/README.md` tells what they print.

use std::ffi::OsStr;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;
use std::sync::LazyLock;
use std::time::Instant;

use gramseal_proto::CloseReason;
use gramseal_proto::config::{ClientConfigBuilder, ServerConfigBuilder};
use gramseal_proto::endpoint::CookiePolicy;
use gramseal_proto::wire::{CipherSuite as Suite, ProtocolVersion};
use gramseal_testkit::pki::{TestIdentity, TestPki};

use crate::command_line::CommandLine;
use crate::sessions::resumed;
use crate::{Node, PATIENCE, Process, SERVER_NAME, Weather, check, psk};

/// The suites of 1.3 with the names that wolfSSL has for them.
pub const WOLFSSL_SUITES_13: [(Suite, &str); 5] = [
    (Suite::TLS_AES_128_GCM_SHA256, "TLS13-AES128-GCM-SHA256"),
    (Suite::TLS_AES_256_GCM_SHA384, "TLS13-AES256-GCM-SHA384"),
    (Suite::TLS_CHACHA20_POLY1305_SHA256, "TLS13-CHACHA20-POLY1305-SHA256"),
    (Suite::TLS_AES_128_CCM_SHA256, "TLS13-AES128-CCM-SHA256"),
    (Suite::TLS_AES_128_CCM_8_SHA256, "TLS13-AES128-CCM-8-SHA256"),
];

/// The context of the exporter that some of them print.
const CONTEXT: &[u8] = b"context";

/// A library with a program of ours around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Library {
    /// Mbed TLS 2.28: pre-shared keys and certificates.
    MbedTls,
    /// Mbed TLS 3.5, which `build.rs` compiles: connection ids.
    MbedTls3,
    /// Botan 2.19: pre-shared keys.
    Botan,
    /// wolfSSL 5.9, which `build.rs` compiles: DTLS 1.3.
    WolfSsl,
    /// BoringSSL, which the crate `boring-sys` compiles: DTLS 1.3.
    BoringSsl,
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
        static MBEDTLS3: LazyLock<PathBuf> = LazyLock::new(|| {
            let source = ["-O1", "-isystem", concat!(env!("MBEDTLS_SOURCES"), "/include"), "peers/mbedtls.c"];
            compile_as("mbedtls3", "cc", &source, &[env!("MBEDTLS_LIBRARY")], "Mbed TLS 3 that build.rs compiles")
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
        static BORINGSSL: LazyLock<PathBuf> = LazyLock::new(|| {
            let source = ["-O1", "-isystem", concat!(env!("BORINGSSL"), "/boringssl/include"), "peers/boringssl.c"];
            let libraries =
                [concat!(env!("BORINGSSL"), "/build/libssl.a"), concat!(env!("BORINGSSL"), "/build/libcrypto.a")];
            let system = ["-lstdc++", "-lz", "-lbrotlienc", "-lbrotlidec"];
            let needed = "BoringSSL that boring-sys compiles, zlib1g-dev and libbrotli-dev of Debian 12";
            compile("cc", &source, &[&libraries[..], &system].concat(), needed)
        });
        match self {
            Self::MbedTls => &MBEDTLS,
            Self::MbedTls3 => &MBEDTLS3,
            Self::Botan => &BOTAN,
            Self::WolfSsl => &WOLFSSL,
            Self::BoringSsl => &BORINGSSL,
        }
    }
}

/// Compiles to a file beside the tests' own programs, named after the source.
fn compile(compiler: &str, source: &[&str], libraries: &[&str], needed: &str) -> PathBuf {
    let name = source.last().and_then(|file| file.split(['/', '.']).nth(1)).expect("a source is named last");
    compile_as(name, compiler, source, libraries, needed)
}

/// The same, to a file of this name.
fn compile_as(name: &str, compiler: &str, source: &[&str], libraries: &[&str], needed: &str) -> PathBuf {
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

    /// Shows the public key of `own` in place of a certificate, and requires that of `peer` if there is one; for
    /// wolfSSL.
    #[must_use]
    pub fn raw_keys(self, own: &TestIdentity, peer: Option<&TestIdentity>) -> Self {
        let line = self.0.file("--own-key", "own.pem", &own.public_key_pem).file("--key", "key.pem", &own.key_pem);
        Self(match peer {
            Some(peer) => line.file("--peer-key", "peer.pem", &peer.public_key_pem),
            None => line,
        })
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

/// Our client of 1.3 with that server.
///
/// # Panics
/// If the configuration cannot work, or the server does not listen in time.
#[must_use]
pub fn to_server13(config: ClientConfigBuilder, peer: Compiled, weather: Weather) -> (Node, Process) {
    let (peer, address) = peer.listening();
    (Node::client(config.with_versions(&[ProtocolVersion::DTLS1_3]), SERVER_NAME, address, weather), peer)
}

/// Our server of 1.3 with a client of `library` that trusts `pki`, and `options` more.
///
/// # Panics
/// If the configuration cannot work, or the client cannot be compiled.
#[must_use]
pub fn from_client13(
    library: Library,
    cookies: CookiePolicy,
    config: ServerConfigBuilder,
    pki: &TestPki,
    weather: Weather,
    options: impl FnOnce(Compiled) -> Compiled,
) -> (Node, Process) {
    let node = Node::server(config.with_versions(&[ProtocolVersion::DTLS1_3]), cookies, weather);
    let peer = client(library, node.local_addr()).trust(pki).args(["--name", SERVER_NAME]);
    (node, options(peer).start())
}

/// Waits for the connection on both sides, then checks that data passes both ways, that both
/// exported the same keying material and, if the library shows them, that both have the same secrets.
///
/// # Panics
/// If not.
pub fn check(node: &mut Node, peer: &mut Process) {
    check::connected(node, peer, |peer| peer.value("CONNECTED ").is_some());
    check::exchange(node, peer, "over and back");
    check::exporter(node, None, &peer.value("EXPORTED ").expect("printed when connected"));
    if let Some(theirs) = peer.value("CONTEXT ") {
        check::exporter(node, Some(CONTEXT), &theirs);
    }
    let (said, ours) = (peer.stdout(), node.watch().log().secrets);
    let theirs: Vec<_> = said.lines().filter_map(|line| line.strip_prefix("SECRET ")).collect();
    if !theirs.is_empty() {
        // Those of an earlier connection have another random; those of new keys the peer may not show.
        let random = ours[0].split(' ').nth(1).expect("label, random, secret");
        let theirs: Vec<_> = theirs.into_iter().filter(|line| line.contains(random)).collect();
        assert!(
            !theirs.is_empty() && theirs.iter().all(|line| ours.iter().any(|ours| ours == line)),
            "{ours:#?}\n{said}"
        );
    }
}

/// Data both ways once more, named `text`.
///
/// # Panics
/// If it does not arrive.
pub fn exchange(node: &mut Node, peer: &mut Process, text: &str) {
    check::exchange(node, peer, text);
}

/// Data both ways again and again until `done`, for a peer that does something with each line that it sends, or does
/// not while what it did with an earlier one is still on its way.
///
/// # Panics
/// If data does not arrive, or that takes too long.
pub fn exchange_until(node: &mut Node, peer: &mut Process, done: impl Fn(&Node) -> bool) {
    let started = Instant::now();
    for line in 1.. {
        if done(node) {
            return;
        }
        assert!(started.elapsed() < PATIENCE, "{}; {}", node.state(), peer.transcript());
        check::exchange(node, peer, &format!("line {line}."));
    }
}

/// Updates our keys five times and asks for new ones of the peer's, in a connection of 1.3.
///
/// # Panics
/// If not both change them each time, or data does not pass afterwards.
pub fn update_keys_of_both(node: &mut Node, peer: &mut Process) {
    check(node, peer);
    for round in 1..=5 {
        node.update_keys();
        node.run_until("new keys of both", peer, |node| {
            let stats = node.connection().stats();
            (stats.key_updates_sent, stats.key_updates_received) == (round, round)
        });
        exchange(node, peer, &format!("round {round}"));
    }
}

/// Waits until a client that was told to resume has left its first connection and come again.
///
/// # Panics
/// If not, or if it did not resume the session.
pub fn comes_again(node: &mut Node, peer: &mut Process) {
    // It leaves the first connection by itself.
    assert_eq!(node.run_to_end(peer), CloseReason::Peer);
    assert!(node.is_connected() && !resumed(node));
    node.next();
    check(node, peer);
    assert!(resumed(node), "{}", node.state());
    assert_eq!(peer.value("SESSION ").as_deref(), Some("resumed"));
}
