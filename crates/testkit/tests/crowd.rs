//! Ten thousand clients of one endpoint, over a network that loses datagrams.

use std::sync::Arc;
use std::time::Duration;

use gramseal_proto::config::{ClientConfig, ServerConfig};
use gramseal_proto::endpoint::LimitCounts;
use gramseal_proto::wire::ProtocolVersion;
use gramseal_testkit::null::{self, ToyKind};
use gramseal_testkit::sim::{Pair, Side, Sim};

const CLIENTS: usize = 10_000;

const VERSIONS: [ProtocolVersion; 2] = [ProtocolVersion::DTLS1_3, ProtocolVersion::DTLS1_2];

fn client(version: ProtocolVersion) -> Arc<ClientConfig> {
    Arc::new(null::client_config(2).with_versions(&[version]).build().expect("a configuration"))
}

fn server() -> Arc<ServerConfig> {
    let identity = null::identity(ToyKind::EcdsaP256, null::SERVER_NAME, 300);
    let config = null::server_config(3, identity).with_versions(&VERSIONS);
    Arc::new(config.build().expect("a configuration"))
}

/// Runs until nobody of `waiting` is left, and asks again and again who is.
fn until_nobody(sim: &mut Sim, mut waiting: Vec<Pair>, mut waits: impl FnMut(&mut Sim, Pair) -> bool) {
    for _ in 0..120 {
        waiting.retain(|pair| waits(sim, *pair));
        if waiting.is_empty() {
            return;
        }
        sim.run_for(Duration::from_millis(500));
    }
    panic!("{} of {CLIENTS} are left", waiting.len());
}

#[test]
fn ten_thousand_clients_of_one_endpoint_connect_and_talk_over_a_lossy_network() {
    let mut sim = Sim::new(1).loss(0.05);
    let server = sim.serve(server());
    let clients = VERSIONS.map(client);
    let pairs: Vec<Pair> = (0..CLIENTS)
        .map(|number| {
            sim.run_for(Duration::from_millis(1));
            sim.connect_to(Arc::clone(&clients[number % 2]), server)
        })
        .collect();
    until_nobody(&mut sim, pairs.clone(), |sim, pair| !sim.connected(pair));
    let endpoint = sim.endpoint(server);
    assert_eq!((endpoint.entries(), endpoint.half_open()), (CLIENTS, 0));
    assert_eq!((endpoint.stats().limits, endpoint.stats().hellos_refused), (LimitCounts::default(), 0));

    for from in Side::BOTH {
        until_nobody(&mut sim, pairs.clone(), |sim, pair| {
            let arrived = !sim.received(pair, from.peer()).is_empty();
            if !arrived {
                sim.send(pair, from, b"payload").expect("connected");
            }
            !arrived
        });
    }
    assert!(pairs.iter().all(|pair| Side::BOTH.iter().all(|side| sim.closed(*pair, *side).is_none())));
}
