//! Peers whose address changes: who is followed, who is not, and what that costs whom (RFC 9146 §6, RFC 9853 §5, §8).

mod answers;
mod attackers;
mod followed;
mod unchecked;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use gramseal_proto::config::{ConnectionIds, MovePolicy, PathCheck, ServerConfig, Transport};
use gramseal_proto::crypto::SecureRandom;
use gramseal_proto::wire::ProtocolVersion;
use gramseal_proto::{Connection, Event, PathCheckCounts, Timer};
use gramseal_testkit::null::{self, ToyKind};
use gramseal_testkit::peer::Wiretap;
use gramseal_testkit::sim::{Pair, Sent, Side, Sim};

const VERSIONS: [ProtocolVersion; 2] = [ProtocolVersion::DTLS1_2, ProtocolVersion::DTLS1_3];
const CHECKS: [PathCheck; 2] = [PathCheck::Basic, PathCheck::Enhanced];
/// How long a check waits where the client seems to be.
const T: Duration = Duration::from_secs(1);
/// How long it waits where the client was, three round trips of 20 ms away.
const T_BEFORE: Duration = Duration::from_millis(100);

/// What the sides of a test want; the rest is as it is by default.
#[derive(Clone)]
struct Wanted {
    version: ProtocolVersion,
    check: PathCheck,
    policy: MovePolicy,
    client_knows_checks: bool,
    client_cids: ConnectionIds,
    tap: Option<Arc<Wiretap>>,
    /// The server's.
    random: Option<Arc<dyn SecureRandom>>,
}

impl Wanted {
    fn new(version: ProtocolVersion, check: PathCheck) -> Self {
        Self {
            version,
            check,
            policy: MovePolicy::default(),
            client_knows_checks: true,
            client_cids: ConnectionIds::Peers,
            tap: None,
            random: None,
        }
    }

    fn connect(self, mut sim: Sim) -> (Sim, Pair) {
        let pair = self.begin(&mut sim);
        sim.run_until(|sim| sim.connected(pair), Duration::from_secs(180)).expect("both sides connect");
        sim.run_for(Duration::from_secs(5));
        (sim, pair)
    }

    fn begin(self, sim: &mut Sim) -> Pair {
        let transport = Transport { path_check: self.check, move_policy: self.policy, ..Transport::default() };
        let identity = null::identity(ToyKind::EcdsaP256, null::SERVER_NAME, 0);
        let mut client = null::client_config(2)
            .with_versions(&[self.version])
            .with_transport(transport.clone())
            .with_connection_ids(self.client_cids)
            .with_return_routability_check(self.client_knows_checks);
        let mut provider = (*null::provider(3)).clone();
        if let Some(random) = self.random {
            provider.random = random;
        }
        let server = ServerConfig::builder(Arc::new(provider), identity)
            .with_versions(&[self.version])
            .with_transport(transport)
            .with_connection_ids(ConnectionIds::random());
        if let Some(tap) = self.tap {
            client = client.with_key_log(tap);
        }
        sim.connect(client.build().expect("a client"), server.build().expect("a server"))
    }
}

/// Runs `test` for each version with each check, over a network that loses nothing.
fn each(test: impl Fn(Sim, Pair, PathCheck)) {
    for version in VERSIONS {
        for check in CHECKS {
            eprintln!("{version} {check:?}");
            let (sim, pair) = Wanted::new(version, check).connect(Sim::new(1));
            test(sim, pair, check);
        }
    }
}

fn address(port: u16) -> SocketAddr {
    ([203, 0, 113, 9], port).into()
}

fn connection(sim: &Sim, pair: Pair, side: Side) -> &Connection {
    sim.connection(pair, side).expect("there is one")
}

/// Where the server believes the client to be.
fn believed(sim: &Sim, pair: Pair) -> SocketAddr {
    connection(sim, pair, Side::Server).peer().expect("the endpoint has said")
}

fn counts(sim: &Sim, pair: Pair) -> PathCheckCounts {
    connection(sim, pair, Side::Server).stats().path_checks()
}

/// Begun, succeeded, refuted and failed checks of the server.
#[track_caller]
fn assert_checks(sim: &Sim, pair: Pair, expected: [u32; 4]) {
    let PathCheckCounts { begun, succeeded, refuted, failed, .. } = counts(sim, pair);
    assert_eq!([begun, succeeded, refuted, failed], expected);
}

fn checks_now(sim: &Sim, pair: Pair) -> bool {
    connection(sim, pair, Side::Server).timers().any(|(_, timer)| timer == Timer::PathCheck)
}

/// The moves that the server has told of.
fn moves(sim: &Sim, pair: Pair) -> Vec<SocketAddr> {
    let moved = |event: &Event| if let Event::PeerMoved(to) = event { Some(*to) } else { None };
    sim.events(pair, Side::Server).iter().filter_map(moved).collect()
}

/// What the server has sent there.
fn sent_to(sim: &Sim, pair: Pair, to: SocketAddr) -> Vec<&Sent> {
    sim.sent_by(pair, Side::Server).filter(|sent| sent.to == to).collect()
}

/// Sends a payload of the client and gives the datagram.
fn say(sim: &mut Sim, pair: Pair, payload: &[u8]) -> Vec<u8> {
    sim.send(pair, Side::Client, payload).expect("connected");
    sim.sent_by(pair, Side::Client).last().expect("just sent").bytes.clone()
}

/// Sends three payloads of the client. The second arrives; then the first, delayed, the second once more and the third,
/// damaged, come from `address(1)`. Gives the third as it was.
fn deliver_nothing_new(sim: &mut Sim, pair: Pair) -> Vec<u8> {
    sim.drop_if(|sent| sent.from == Side::Client);
    let [first, second, third] = [b"1", b"2", b"3"].map(|payload| say(sim, pair, payload));
    sim.inject(pair, Side::Server, second.clone());
    let mut damaged = third.clone();
    *damaged.last_mut().expect("not empty") ^= 1;
    for datagram in [first, second, damaged] {
        sim.inject_from(pair, Side::Server, address(1), datagram);
    }
    assert_eq!(sim.received(pair, Side::Server), [b"2", b"1"]);
    third
}

/// Lets the client speak every 200 ms until the server believes that it is where it is.
fn speak_until_followed(sim: &mut Sim, pair: Pair) {
    for _ in 0..300 {
        say(sim, pair, b"here");
        sim.run_for(Duration::from_millis(200));
        if believed(sim, pair) == sim.address(pair, Side::Client) {
            return;
        }
    }
    panic!("the server does not follow: {:?}", counts(sim, pair));
}
