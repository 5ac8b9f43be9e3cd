//! OpenSSL's `s_server` and `s_client` as peers.

use std::ffi::OsStr;
use std::net::SocketAddr;
use std::process::Command;

use gramseal_testkit::pki::{TestIdentity, TestPki};

use crate::check::{self, EXPORTED, KEY_LOG, LABEL};
use crate::command_line::CommandLine;
use crate::{Node, Process};

const PROGRAM: &str = "openssl";

/// A peer in the making.
#[derive(Debug)]
pub struct OpenSsl {
    line: CommandLine,
    listen: bool,
    version: &'static str,
}

/// `openssl s_server`, by default with cookies (`-listen`), for one connection.
#[must_use]
pub fn s_server() -> OpenSsl {
    // Port 0: the system finds a free one, and the ACCEPT line tells which.
    OpenSsl::new("s_server", true).args(["-accept", "127.0.0.1:0", "-naccept", "1"])
}

/// `openssl s_client` to `server`.
#[must_use]
pub fn s_client(server: SocketAddr) -> OpenSsl {
    OpenSsl::new("s_client", false).args(["-connect", &server.to_string()])
}

impl OpenSsl {
    fn new(command: &str, listen: bool) -> Self {
        let line = CommandLine::new(PROGRAM)
            .args([command, "-keymatexport", LABEL, "-keymatexportlen", &EXPORTED.to_string()])
            .output("-keylogfile", KEY_LOG)
            .args(["-no-CApath", "-no-CAstore"]);
        Self { line, listen, version: "-dtls1_2" }
    }

    /// One more argument.
    #[must_use]
    pub fn arg(self, arg: impl AsRef<OsStr>) -> Self {
        self.args([arg])
    }

    /// More arguments.
    #[must_use]
    pub fn args<A: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.line = self.line.args(args);
        self
    }

    /// `-dtls1_2` or `-dtls1`.
    #[must_use]
    pub fn version(mut self, version: &'static str) -> Self {
        self.version = version;
        self
    }

    /// The cookie exchange inside the connection's state, without `DTLSv1_listen`. For networks
    /// that lose datagrams: after it, s_server takes the first timeout for the end.
    #[must_use]
    pub fn without_listen(mut self) -> Self {
        self.listen = false;
        self
    }

    /// Shows this chain.
    #[must_use]
    pub fn identity(self, identity: &TestIdentity) -> Self {
        const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
        let rest = identity.chain_pem.get(BEGIN.len()..).and_then(|rest| rest.find(BEGIN)).map(|at| at + BEGIN.len());
        let (leaf, chain) = identity.chain_pem.split_at(rest.unwrap_or(identity.chain_pem.len()));
        let this = self.file("-cert", "certificate.pem", leaf).file("-key", "key.pem", &identity.key_pem);
        if chain.is_empty() { this } else { this.file("-cert_chain", "chain.pem", chain) }
    }

    /// Trusts the root of `pki` and ends the handshake if the peer's certificate is not good.
    #[must_use]
    pub fn trust(self, pki: &TestPki) -> Self {
        self.file("-CAfile", "root.pem", &pki.root_pem()).arg("-verify_return_error")
    }

    /// Requires a certificate of the client.
    #[must_use]
    pub fn require_client(self, pki: &TestPki) -> Self {
        self.trust(pki).args(["-Verify", "4"])
    }

    /// One suite, by OpenSSL's name of it.
    #[must_use]
    pub fn cipher(self, name: &str) -> Self {
        self.args(["-cipher", name])
    }

    /// An option whose value is a file with `content`.
    #[must_use]
    pub fn file(mut self, option: &str, name: &str, content: &str) -> Self {
        self.line = self.line.file(option, name, content);
        self
    }

    /// Starts it.
    ///
    /// # Panics
    /// If openssl is not there.
    #[must_use]
    pub fn start(self) -> Process {
        let listen = self.listen.then_some("-listen");
        self.line.args([self.version]).args(listen).start()
    }

    /// Starts it and waits until it listens.
    ///
    /// # Panics
    /// If openssl is not there or does not listen in time.
    #[must_use]
    pub fn listening(self) -> (Process, SocketAddr) {
        self.start().listening("ACCEPT ")
    }
}

/// Runs `openssl` to its end and gives its standard output.
///
/// # Panics
/// If openssl is not there or fails.
#[must_use]
pub fn run(args: &[&str]) -> String {
    let output = Command::new(PROGRAM)
        .args(args)
        .output()
        .unwrap_or_else(|error| panic!("`{PROGRAM}` did not start ({error}): install the Debian package of that name"));
    assert!(output.status.success(), "openssl {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("PEM is text")
}

/// Waits for the connection on both sides, then checks that data passes both ways, that both
/// exported the same keying material and that both logged the same secret.
///
/// # Panics
/// If not.
pub fn check(node: &mut Node, peer: &mut Process) {
    connected(node, peer);
    exchange(node, peer, "over and back");
    check::exporter(node, None, &peer.value("Keying material: ").expect("printed when connected"));
    check::key_log(node, peer);
}

/// Waits until both sides are connected.
///
/// # Panics
/// If that takes too long.
pub fn connected(node: &mut Node, peer: &Process) {
    check::connected(node, peer, |peer| peer.value("Keying material: ").is_some());
}

/// Application data both ways; `text` names the exchange. Repeats what the network lost.
///
/// # Panics
/// If that takes too long.
pub fn exchange(node: &mut Node, peer: &mut Process, text: &str) {
    check::exchange(node, peer, text);
}
