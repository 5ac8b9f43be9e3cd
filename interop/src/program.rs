//! Our own program, `gramseal`, as users run it: for tests of the program and a peer without anything
//! of ours between them.

use std::ffi::OsStr;
use std::net::SocketAddr;
use std::path::PathBuf;

use gramseal_testkit::pki::{TestIdentity, TestPki};

use crate::Process;
use crate::command_line::CommandLine;

/// Where the program is.
///
/// # Panics
/// If nothing tells.
#[must_use]
pub fn path() -> PathBuf {
    let program = std::env::var_os("GRAMSEAL_BIN").map(PathBuf::from);
    program.expect("GRAMSEAL_BIN names the built program, as `cargo xtask test` does")
}

/// A run of the program in the making.
#[derive(Debug)]
pub struct Gramseal(CommandLine);

/// `gramseal server` on a free port of loopback, for one connection, which sends back what it receives.
#[must_use]
pub fn server() -> Gramseal {
    Gramseal(CommandLine::new(path())).args(["server", "--listen", "127.0.0.1:0", "--echo", "--once"])
}

/// `gramseal client` to `server`.
#[must_use]
pub fn client(server: SocketAddr) -> Gramseal {
    Gramseal(CommandLine::new(path())).args(["client", &server.to_string()])
}

impl Gramseal {
    /// More arguments.
    #[must_use]
    pub fn args<A: AsRef<OsStr>>(self, args: impl IntoIterator<Item = A>) -> Self {
        Self(self.0.args(args))
    }

    /// Shows this chain.
    #[must_use]
    pub fn identity(self, identity: &TestIdentity) -> Self {
        let line = self.0.file("--cert", "chain.pem", &identity.chain_pem);
        Self(line.file("--key", "key.pem", &identity.key_pem))
    }

    /// As client, trusts the root of `pki`.
    #[must_use]
    pub fn trust(self, pki: &TestPki) -> Self {
        Self(self.0.file("--ca", "root.pem", &pki.root_pem()))
    }

    /// As server, requires a certificate that `pki` issued.
    #[must_use]
    pub fn require_client(self, pki: &TestPki) -> Self {
        Self(self.0.file("--client-ca", "root.pem", &pki.root_pem())).args(["--require-client-cert"])
    }

    /// Starts it.
    #[must_use]
    pub fn start(self) -> Process {
        self.0.start()
    }

    /// Starts a server and waits until it listens.
    ///
    /// # Panics
    /// If it does not listen in time.
    #[must_use]
    pub fn listening(self) -> (Process, SocketAddr) {
        let mut process = self.start();
        let address = process.wait_alive("an address", |process| {
            let said = process.stderr();
            let (_, rest) = said.split_once("listening on ")?;
            let (address, _) = rest.split_once('\n')?;
            Some(address.trim().to_owned())
        });
        let address = address.parse().unwrap_or_else(|error| panic!("{address:?}: {error}"));
        (process, address)
    }
}
