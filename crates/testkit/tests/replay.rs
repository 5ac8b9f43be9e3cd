//! A simulated run follows from its seed, bit for bit: every datagram of both sides, when it was sent, and what the
//! applications heard. Handshakes in a storm, data both ways, new keys and ids, and the end.
//!
//! Not with aws-lc-rs, which takes its randomness from nowhere but its own source.

mod common;

use std::env;
use std::net::SocketAddr;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use common::KINDS;
use gramseal_proto::Instant;
use gramseal_proto::config::{ClientAuth, ClientConfig, ConnectionIds, Identity, ServerConfig, Transport};
use gramseal_proto::wire::handshake::KeyUpdateRequest;
use gramseal_proto::wire::{NamedGroup, ProtocolVersion};
use gramseal_testkit::null::{self, SERVER_NAME, SeededRandom, ToyKind};
use gramseal_testkit::pki::{self, TestIdentity, TestPki};
use gramseal_testkit::sim::{Fate, Pair, Side, Sim};
use gramseal_webpki::ChainVerifier;
use pki_types::CertificateDer;

const PATIENCE: Duration = Duration::from_secs(180);

/// All that can be seen of a run.
#[derive(Debug, PartialEq, Eq)]
struct Run {
    sent: Vec<(Instant, Side, Fate, Vec<u8>)>,
    events: [String; 2],
    received: [Vec<Vec<u8>>; 2],
    ended: Instant,
}

fn storm(seed: u64) -> Sim {
    Sim::new(seed).loss(0.2).reorder(0.1).duplicate(0.05).jitter(Duration::from_millis(7))
}

/// Connects, talks, changes keys, asks for ids and closes, all in the storm.
fn life(connect: impl Fn() -> (Sim, Pair), check: impl Fn(&Sim, Pair)) -> Run {
    let (mut sim, pair) = connect();
    sim.run_until(|sim| sim.connected(pair), PATIENCE).expect("both sides connect");
    check(&sim, pair);
    for round in 0..10u8 {
        for side in Side::BOTH {
            sim.send(pair, side, &[round; 100]).expect("connected");
        }
        if round % 4 == 1 {
            // In 1.2 there is no such thing, and one update waits for the one before it.
            let _updated = sim.update_keys(pair, Side::Client, KeyUpdateRequest::Requested);
        }
        sim.run_for(Duration::from_millis(300));
    }
    end(sim, pair)
}

/// Closes what has gone on for long enough.
fn end(mut sim: Sim, pair: Pair) -> Run {
    sim.run_for(Duration::from_secs(30));
    sim.close(pair, Side::Client);
    sim.run_for(Duration::from_secs(300));
    let mut sent: Vec<_> = Side::BOTH
        .iter()
        .flat_map(|side| sim.sent_by(pair, *side))
        .map(|sent| (sent.at, sent.from, sent.fate, sent.bytes.clone()))
        .collect();
    sent.sort_by_key(|(at, from, ..)| (*at, *from));
    Run {
        sent,
        events: Side::BOTH.map(|side| format!("{:?}", sim.events(pair, side))),
        received: Side::BOTH.map(|side| sim.received(pair, side).to_vec()),
        ended: sim.now(),
    }
}

#[track_caller]
fn assert_repeats(what: &str, run: impl Fn(u64) -> Run) {
    let first = run(5);
    assert!(first.sent.iter().any(|(_, _, fate, _)| *fate == Fate::Lost), "{what}: it was a storm");
    let again = run(5);
    for (number, (one, other)) in first.sent.iter().zip(&again.sent).enumerate() {
        assert_eq!(one, other, "{what}: datagram {number} differs");
    }
    assert_eq!(first, again, "{what}");
    assert_ne!(first.sent, run(6).sent, "{what}: another seed is another run");
}

#[test]
fn every_kind_of_run_repeats_bit_for_bit() {
    for kind in KINDS {
        assert_repeats(kind.name, |seed| {
            life(|| kind.connect(storm(seed), seed, PATIENCE), |sim, pair| kind.check(sim, pair))
        });
    }
}

/// Certificates with keys that are new in each run of the test, and the same in all runs of a simulation.
struct Issued {
    root: CertificateDer<'static>,
    client: TestIdentity,
    server: TestIdentity,
}

/// Both sides with certificates and the pure-Rust provider.
fn real(issued: &Issued, version: ProtocolVersion, group: NamedGroup, seed: u64) -> (ClientConfig, ServerConfig) {
    let provider = |seed| Arc::new(gramseal_rustcrypto::provider(Arc::new(SeededRandom::new(seed))));
    let builder = ChainVerifier::builder(gramseal_rustcrypto::ALL_VERIFICATION_ALGORITHMS);
    let builder = builder.with_roots([issued.root.clone()]).expect("a good root").with_clock(pki::clock);
    let verifier = Arc::new(builder.build().expect("a root"));
    let (ours, theirs) = (provider(seed), provider(!seed));
    let identity = |issued: &TestIdentity| {
        let key = ours.keys.load(&issued.key).expect("a good key");
        Identity::new(issued.chain.clone(), key).expect("a chain")
    };
    let transport = || Transport { handshake_timeout: PATIENCE, ..Transport::default() };
    let client = ClientConfig::builder(Arc::clone(&ours), verifier.clone())
        .with_versions(&[version])
        .with_groups(&[group])
        .with_transport(transport())
        .with_identity(identity(&issued.client));
    let server = ServerConfig::builder(theirs, identity(&issued.server))
        .with_versions(&[version])
        .with_transport(transport())
        .with_client_auth(ClientAuth::Required(verifier));
    (client.build().expect("a client"), server.build().expect("a server"))
}

#[test]
fn runs_with_real_cryptography_repeat_bit_for_bit() {
    let cases = [
        ("1.2", ProtocolVersion::DTLS1_2, NamedGroup::SECP256R1),
        ("1.3", ProtocolVersion::DTLS1_3, NamedGroup::X25519),
        ("1.3, hybrid", ProtocolVersion::DTLS1_3, NamedGroup::X25519MLKEM768),
    ];
    let pki = TestPki::new();
    let (client, server) = (pki.client("client.example"), pki.server(SERVER_NAME));
    let issued = Issued { root: pki.root(), client, server };
    for (what, version, group) in cases {
        assert_repeats(what, |seed| {
            let connect = || {
                let (client, server) = real(&issued, version, group, seed);
                let mut sim = storm(seed);
                let pair = sim.connect(client, server);
                (sim, pair)
            };
            life(connect, |_, _| ())
        });
    }
}

/// A client that moves in the storm, and a server that asks where it is.
fn travels(version: ProtocolVersion, seed: u64) -> Run {
    let client = null::client_config(2).with_versions(&[version]).with_connection_ids(ConnectionIds::Peers);
    let server = null::server_config(3, null::identity(ToyKind::EcdsaP256, SERVER_NAME, 0));
    let server = server.with_versions(&[version]).with_connection_ids(ConnectionIds::random());
    let mut sim = storm(seed);
    let pair = sim.connect(client.build().expect("a client"), server.build().expect("a server"));
    sim.run_until(|sim| sim.connected(pair), PATIENCE).expect("both sides connect");
    for place in 1..=4 {
        sim.move_client(pair, SocketAddr::from(([198, 51, 100, place], 4000)));
        for _ in 0..10 {
            for side in Side::BOTH {
                sim.send(pair, side, &[place; 100]).expect("connected");
            }
            sim.run_for(Duration::from_millis(300));
        }
    }
    let server = sim.connection(pair, Side::Server).expect("it goes on");
    assert_ne!(server.stats().path_checks().succeeded, 0, "{version}: somewhere it was found");
    end(sim, pair)
}

/// Set for the process that only tells what its runs come to.
const TELL: &str = "GRAMSEAL_TEST_TELL_RUNS";

/// A line for each run: what it was, and a digest of all that can be seen of it.
fn digests() -> String {
    let line = |what: &str, run: &Run| {
        let digest = gramseal_rustcrypto::SHA256.digest(&[format!("{run:?}").as_bytes()]);
        let digits: String = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        format!("run: {what}: {digits}\n")
    };
    let mut lines = String::new();
    for kind in KINDS {
        let run = life(|| kind.connect(storm(5), 5, PATIENCE), |sim, pair| kind.check(sim, pair));
        lines += &line(kind.name, &run);
    }
    for version in [ProtocolVersion::DTLS1_2, ProtocolVersion::DTLS1_3] {
        for seed in 5..8 {
            lines += &line(&format!("{version}, moving, {seed}"), &travels(version, seed));
        }
    }
    lines
}

/// What is drawn once in each process, such as the keys of a `HashMap`, is the same in two runs of one process.
#[test]
fn a_run_is_the_same_in_another_process() {
    const NAME: &str = "a_run_is_the_same_in_another_process";
    let ours = digests();
    if env::var_os(TELL).is_some() {
        print!("{ours}");
        return;
    }
    let mut other = Command::new(env::current_exe().expect("a test has a program"));
    let output = other.args(["--exact", NAME, "--nocapture"]).env(TELL, "1").output().expect("it starts");
    let text = String::from_utf8_lossy(&output.stdout);
    let theirs: Vec<&str> = text.lines().filter_map(|line| line.find("run: ").map(|at| &line[at..])).collect();
    assert_eq!(theirs, ours.lines().collect::<Vec<_>>(), "{}", String::from_utf8_lossy(&output.stderr));
}
