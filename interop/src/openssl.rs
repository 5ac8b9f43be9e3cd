//! OpenSSL's `s_server` and `s_client` as peers.

use std::ffi::{OsStr, OsString};
use std::net::SocketAddr;
use std::process::Command;
use std::time::{Duration, Instant};

use gramseal_testkit::pki::{TestIdentity, TestPki};

use crate::watch::hex;
use crate::{Folder, Node, PATIENCE, Process};

/// The label of the exporter that both sides print.
const LABEL: &str = "EXPORTER-gramseal-interop";
const EXPORTED: usize = 32;
const PROGRAM: &str = "openssl";

/// A peer in the making.
#[derive(Debug)]
pub struct OpenSsl {
    args: Vec<OsString>,
    folder: Folder,
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
        let folder = Folder::new();
        let args = vec![OsString::from(command)];
        let this = Self { args, folder, listen, version: "-dtls1_2" };
        let key_log = this.folder.path("keys");
        this.args(["-keymatexport", LABEL, "-keymatexportlen", &EXPORTED.to_string()])
            .arg("-keylogfile")
            .arg(key_log)
            .args(["-no-CApath", "-no-CAstore"])
    }

    /// One more argument.
    #[must_use]
    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.args.push(arg.as_ref().to_owned());
        self
    }

    /// More arguments.
    #[must_use]
    pub fn args<A: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.args.extend(args.into_iter().map(|arg| arg.as_ref().to_owned()));
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
    pub fn file(self, option: &str, name: &str, content: &str) -> Self {
        let path = self.folder.write(name, content);
        self.arg(option).arg(path)
    }

    /// Starts it.
    ///
    /// # Panics
    /// If openssl is not there.
    #[must_use]
    pub fn start(self) -> Process {
        let mut command = Command::new(PROGRAM);
        command.args(&self.args).arg(self.version);
        if self.listen {
            command.arg("-listen");
        }
        Process::start(command, self.folder)
    }

    /// Starts it and waits until it listens.
    ///
    /// # Panics
    /// If openssl is not there or does not listen in time.
    #[must_use]
    pub fn listening(self) -> (Process, SocketAddr) {
        let mut process = self.start();
        let started = Instant::now();
        loop {
            if let Some(address) = process.value("ACCEPT ") {
                let address = address.parse().unwrap_or_else(|error| panic!("{address:?}: {error}"));
                return (process, address);
            }
            assert!(started.elapsed() < PATIENCE && process.ended().is_none(), "{}", process.transcript());
            std::thread::sleep(Duration::from_millis(2));
        }
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
    let mut exported = [0; EXPORTED];
    node.connection().export_keying_material(LABEL.as_bytes(), None, &mut exported).expect("connected");
    let theirs = peer.value("Keying material: ").expect("printed when connected");
    assert_eq!(theirs.to_lowercase(), hex(&exported));
    let secrets = node.watch().log().secrets;
    assert_eq!(secrets.len(), 1, "{secrets:?}");
    let path = peer.folder.path("keys");
    let theirs = peer.wait("the key log", || std::fs::read_to_string(&path).ok().filter(|text| text.ends_with('\n')));
    assert!(theirs.contains(&secrets[0]), "ours {secrets:?}, theirs {theirs}");
}

/// Waits until both sides are connected.
///
/// # Panics
/// If that takes too long.
pub fn connected(node: &mut Node, peer: &Process) {
    node.run_until("a connection", peer, |node| node.is_connected() || node.closed().is_some());
    assert!(node.is_connected(), "{}; {}", node.state(), peer.transcript());
    node.run_until("OpenSSL's exporter", peer, |_| peer.value("Keying material: ").is_some());
}

/// Application data both ways; `text` names the exchange. Repeats what the network lost.
///
/// # Panics
/// If that takes too long.
pub fn exchange(node: &mut Node, peer: &mut Process, text: &str) {
    let (ours, theirs) = (format!("from gramseal: {text}"), format!("to gramseal: {text}"));
    let started = Instant::now();
    while !(peer.said(&ours) && node.received(&theirs)) {
        assert!(started.elapsed() < PATIENCE, "no exchange; {}; {}", node.state(), peer.transcript());
        // Each time both: after a handshake message that came again, s_client blocks in SSL_read
        // until application data comes, and reads no input before.
        node.send(format!("{ours}\n").as_bytes());
        peer.type_line(&theirs);
        let _both = node.run_for(|node| peer.said(&ours) && node.received(&theirs));
    }
}
