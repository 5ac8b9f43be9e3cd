//! The `gramseal` program as client and as server, with the programs of OpenSSL and GnuTLS.

use gramseal_interop::{Process, SERVER_NAME, gnutls, openssl, pki, program};
use gramseal_testkit::pki::{TestKeyKind, TestPki};

/// A line each way, through a peer that prints what it receives and sends what it reads.
fn exchange(ours: &mut Process, theirs: &mut Process) {
    ours.type_line("from gramseal");
    theirs.wait_for("from gramseal");
    theirs.type_line("to gramseal");
    ours.wait("a line", || ours.stdout().contains("to gramseal").then_some(()));
}

/// A line of the peer's that our server sends back.
fn echo(ours: &Process, theirs: &mut Process) {
    theirs.type_line("over and back");
    theirs.wait("an echo", || theirs.stdout().contains("over and back").then_some(()));
    ours.wait_for("over and back");
}

fn says_version(ours: &Process) {
    ours.wait_for("connected: DTLS 1.2, TLS_");
}

#[test]
fn our_client_with_s_server() {
    let pki = pki(TestKeyKind::EcdsaP256);
    let theirs = openssl::s_server().identity(&pki.server(SERVER_NAME)).require_client(&pki);
    let (mut theirs, address) = theirs.listening();
    let client = program::client(address).trust(&pki).identity(&pki.client("client.example"));
    let mut ours = client.args(["--name", SERVER_NAME]).start();
    says_version(&ours);
    exchange(&mut ours, &mut theirs);
    ours.end_input();
    let ended = (0..2000).find_map(|_| {
        std::thread::sleep(std::time::Duration::from_millis(5));
        ours.ended()
    });
    assert!(ended.is_some_and(|status| status.success()), "{}", ours.transcript());
}

#[test]
fn our_server_with_s_client() {
    let pki = pki(TestKeyKind::EcdsaP256);
    let server = program::server().identity(&pki.server(SERVER_NAME)).require_client(&pki);
    let (ours, address) = server.listening();
    let mut theirs = openssl::s_client(address).trust(&pki).identity(&pki.client("client.example")).start();
    says_version(&ours);
    echo(&ours, &mut theirs);
}

#[test]
fn our_client_with_gnutls_serv() {
    let pki = TestPki::new();
    let theirs = gnutls::serv().identity(&pki.server(SERVER_NAME)).args(["--disable-client-cert"]);
    let (_theirs, address) = theirs.listening();
    let mut ours = program::client(address).trust(&pki).args(["--name", SERVER_NAME]).start();
    says_version(&ours);
    ours.type_line("over and back");
    ours.wait("an echo", || ours.stdout().contains("over and back").then_some(()));
}

#[test]
fn our_server_with_gnutls_cli() {
    let pki = TestPki::new();
    let (ours, address) = program::server().identity(&pki.server(SERVER_NAME)).listening();
    let theirs = gnutls::cli(address).trust(&pki).args(["--verify-hostname", SERVER_NAME]);
    let mut theirs = theirs.start();
    says_version(&ours);
    echo(&ours, &mut theirs);
}
