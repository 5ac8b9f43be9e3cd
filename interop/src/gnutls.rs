//! GnuTLS's `gnutls-serv` and `gnutls-cli` as peers.
//!
//! Both tell on standard error what they read and send (`-d 4`), down to every extension. The
//! server sends back what it receives; the client sends what it reads and prints what it receives.

use std::ffi::OsStr;
use std::net::{Ipv4Addr, SocketAddr};

use gramseal_testkit::pki::{TestIdentity, TestPki};

use crate::check::{self, EXPORTED, KEY_LOG, LABEL};
use crate::command_line::CommandLine;
use crate::sessions::resumed;
use crate::{Node, Process};

/// What they would take by themselves, with DTLS 1.2 as the only version.
const NORMAL: &str = "NORMAL:-VERS-ALL:+VERS-DTLS1.2";

/// What the client says when a full handshake is done.
const COMPLETED: &str = "- Handshake was completed";

/// A peer in the making.
#[derive(Debug)]
pub struct GnuTls {
    line: CommandLine,
    priority: String,
}

/// `gnutls-serv`, by default with cookies and without a wish for client certificates.
#[must_use]
pub fn serv() -> GnuTls {
    GnuTls::new("gnutls-serv").args(["--port", "0", "--echo"])
}

/// `gnutls-cli` to `server`.
#[must_use]
pub fn cli(server: SocketAddr) -> GnuTls {
    let this = GnuTls::new("gnutls-cli").args(["--port", &server.port().to_string(), &server.ip().to_string()]);
    this.args(["--keymatexport", LABEL, "--keymatexportsize", &EXPORTED.to_string()])
}

impl GnuTls {
    fn new(program: &str) -> Self {
        let line = CommandLine::new(program).args(["--udp", "-d", "4"]).output_by_env("SSLKEYLOGFILE", KEY_LOG);
        Self { line, priority: NORMAL.to_owned() }
    }

    /// More arguments.
    #[must_use]
    pub fn args<A: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.line = self.line.args(args);
        self
    }

    /// An option whose value is a file with `content`.
    #[must_use]
    pub fn file(mut self, option: &str, name: &str, content: &str) -> Self {
        self.line = self.line.file(option, name, content);
        self
    }

    /// Shows this chain.
    #[must_use]
    pub fn identity(self, identity: &TestIdentity) -> Self {
        self.file("--x509certfile", "chain.pem", &identity.chain_pem).file(
            "--x509keyfile",
            "key.pem",
            &identity.key_pem,
        )
    }

    /// Trusts the root of `pki`.
    #[must_use]
    pub fn trust(self, pki: &TestPki) -> Self {
        self.file("--x509cafile", "root.pem", &pki.root_pem())
    }

    /// As server, requires a certificate that `pki` issued.
    #[must_use]
    pub fn require_client(self, pki: &TestPki) -> Self {
        self.trust(pki).args(["--require-client-cert", "--verify-client-cert"])
    }

    /// What to offer or take instead of the usual, as a priority string that names no version.
    #[must_use]
    pub fn priority(mut self, priority: &str) -> Self {
        self.priority = format!("{priority}:-VERS-ALL:+VERS-DTLS1.2");
        self
    }

    /// Only one suite and its kind, such as `ECDHE-ECDSA` with `AES-128-GCM`.
    #[must_use]
    pub fn suite(self, exchange: &str, aead: &str) -> Self {
        self.priority(&format!("NORMAL:-KX-ALL:+{exchange}:-CIPHER-ALL:+{aead}"))
    }

    /// Starts it.
    ///
    /// # Panics
    /// If GnuTLS's programs are not there.
    #[must_use]
    pub fn start(self) -> Process {
        self.line.args(["--priority", &self.priority]).start()
    }

    /// Starts it and waits until it listens.
    ///
    /// # Panics
    /// If GnuTLS's programs are not there, or it does not listen in time.
    #[must_use]
    pub fn listening(self) -> (Process, SocketAddr) {
        let mut process = self.start();
        process.wait_alive("a socket", |process| process.said("listening on IPv4").then_some(()));
        // It names the port that it was given, which is 0.
        let port = process.wait_alive("a port", Process::udp_port);
        (process, (Ipv4Addr::LOCALHOST, port).into())
    }
}

/// With its client: waits for the connection on both sides, then checks that data passes both ways,
/// that both exported the same keying material and that both logged the same secret.
///
/// # Panics
/// If not.
pub fn check_client(node: &mut Node, peer: &mut Process) {
    check_after(node, peer, COMPLETED);
}

/// The same for the second connection of a client with `--resume`.
///
/// # Panics
/// If not, or if it is not resumed.
pub fn check_resumed_client(node: &mut Node, peer: &mut Process) {
    check_after(node, peer, "- Resume Handshake was completed");
    assert!(peer.said("*** This is a resumed session"), "{}", peer.transcript());
}

fn check_after(node: &mut Node, peer: &mut Process, completed: &str) {
    check::connected(node, peer, |peer| peer.said(completed));
    check::exchange(node, peer, "over and back");
    check::exporter(node, None, &peer.value("- Key material: ").expect("printed when connected"));
    key_log(node, peer);
}

/// With its server: the same, but for the exporter, which it does not print for DTLS.
///
/// # Panics
/// If not.
pub fn check_server(node: &mut Node, peer: &Process) {
    check::connected(node, peer, |peer| peer.said("FINISHED was queued"));
    check::echo(node, peer, "once");
    key_log(node, peer);
}

/// With its client: waits until both sides are connected.
///
/// # Panics
/// If that takes too long.
pub fn connected(node: &mut Node, peer: &Process) {
    check::connected(node, peer, |peer| peer.said(COMPLETED));
}

/// With its client and ECDHE_PSK: both took the other's Finished, and both logged the same secret.
/// No more, because gnutls-cli 3.7 then crashes where it would print the session, with any server.
///
/// # Panics
/// If not.
pub fn check_handshake(node: &mut Node, peer: &Process) {
    check::connected(node, peer, |peer| peer.said("FINISHED (20) was received"));
    key_log(node, peer);
}

/// GnuTLS logs nothing for a resumed connection, whose secret is that of the first one.
fn key_log(node: &Node, peer: &Process) {
    if resumed(node) { check::secret(node, peer) } else { check::key_log(node, peer) }
}

/// The extensions that `peer` read in our hello, by GnuTLS's name and number, such as `Encrypt-then-MAC/22`.
#[must_use]
pub fn read_extensions(peer: &Process) -> Vec<String> {
    named(peer, "Parsing extension '")
}

/// The extensions that `peer` sent, by GnuTLS's name and number.
#[must_use]
pub fn sent_extensions(peer: &Process) -> Vec<String> {
    named(peer, "Sending extension ")
}

fn named(peer: &Process, prefix: &str) -> Vec<String> {
    let name = |line: &str| {
        let (_, rest) = line.split_once(prefix)?;
        // "Extended Master Secret/23' (0 bytes)", with the quote or without.
        let (name, _) = rest.rsplit_once(" (")?;
        Some(name.trim_end_matches('\'').to_owned())
    };
    peer.stderr().lines().filter_map(name).collect()
}
