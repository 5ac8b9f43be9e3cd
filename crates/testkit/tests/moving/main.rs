//! Connections that go on in another process: exported and imported, and recovered from checkpoints.

#[path = "../common/mod.rs"]
mod common;

mod checkpoints;
mod images;
mod journeys;
mod refusals;

use std::sync::Arc;
use std::time::Duration;

use common::Configs;
use gramseal_proto::wire::ProtocolVersion;
use gramseal_proto::{Connection, ImageKey, ImportError, Imported, Instant};
use gramseal_testkit::null::{self, ToyKind};
use gramseal_testkit::sim::{Pair, Side, Sim};

/// Both versions.
const VERSIONS: [ProtocolVersion; 2] = [ProtocolVersion::DTLS1_2, ProtocolVersion::DTLS1_3];

const SECRET: [u8; ImageKey::LEN] = [5; ImageKey::LEN];

fn key() -> ImageKey {
    ImageKey::new(null::provider(77), &SECRET).expect("the provider has what it takes")
}

/// A connection of `version` with null cryptography, over which something went both ways.
fn connect(version: ProtocolVersion) -> (Sim, Pair, Configs) {
    let client = null::client_config(2).with_versions(&[version]).build().expect("a configuration");
    let identity = null::identity(ToyKind::EcdsaP256, null::SERVER_NAME, 300);
    let server = null::server_config(3, identity).with_versions(&[version]).build().expect("a configuration");
    connect_as((Arc::new(client), Arc::new(server)))
}

fn connect_as(configs: Configs) -> (Sim, Pair, Configs) {
    let mut sim = Sim::new(1).without_cookies();
    let pair = sim.connect(configs.0.clone(), configs.1.clone());
    sim.run_until(|sim| sim.connected(pair), Duration::from_secs(10)).expect("both sides connect");
    sim.exchange(pair, b"before");
    sim.run_for(Duration::from_secs(1));
    (sim, pair, configs)
}

fn import(configs: &Configs, side: Side, image: &[u8], now: Instant) -> Result<Imported, ImportError> {
    match side {
        Side::Client => Connection::import_client(configs.0.clone(), &key(), image, now),
        Side::Server => Connection::import_server(configs.1.clone(), &key(), image, now),
    }
}

fn connection(sim: &mut Sim, pair: Pair, side: Side) -> &mut Connection {
    sim.connection_mut(pair, side).expect("a connection")
}

/// Exports one side and lets the import go on.
fn move_side(sim: &mut Sim, pair: Pair, configs: &Configs, side: Side) {
    let now = sim.now();
    let image = connection(sim, pair, side).export(&key(), b"along", now).expect("nothing is under way");
    let Imported { connection, attached } = import(configs, side, &image, now).expect("the image is as it was");
    assert_eq!(attached, b"along");
    sim.replace(pair, side, connection);
}
