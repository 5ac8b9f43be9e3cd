//! No AEAD key ever seals two records with one nonce (RFC 5288 §3, RFC 9147 §4.2.3): in whole lives of connections in
//! storms, with everything that is sent again, new keys, and both sides sealing at every moment.

use std::sync::Arc;
use std::time::Duration;

use gramseal_proto::config::{ClientAuth, ClientConfig, ConnectionIds, ServerConfig, Transport};
use gramseal_proto::wire::ProtocolVersion;
use gramseal_proto::wire::handshake::KeyUpdateRequest;
use gramseal_testkit::null::{self, NullVerifier, ToyKind};
use gramseal_testkit::sim::{Side, Sim, seeds};
use gramseal_testkit::spy::Nonces;

const PATIENCE: Duration = Duration::from_secs(180);

/// One life; how many records were sealed.
fn life(version: ProtocolVersion, cids: ConnectionIds, seed: u64) -> usize {
    let nonces = Nonces::default();
    let verifier = Arc::new(NullVerifier::default());
    let transport = || Transport { handshake_timeout: PATIENCE, mtu: 300, ..Transport::default() };
    let identity = |name| null::identity(ToyKind::EcdsaP256, name, 900);
    let client = ClientConfig::builder(nonces.spied(&null::provider(seed)), verifier.clone())
        .with_versions(&[version])
        .with_transport(transport())
        .with_connection_ids(cids.clone())
        .with_identity(identity(null::CLIENT_NAME));
    let server = ServerConfig::builder(nonces.spied(&null::provider(!seed)), identity(null::SERVER_NAME))
        .with_versions(&[version])
        .with_transport(transport())
        .with_connection_ids(cids)
        .with_client_auth(ClientAuth::Required(verifier));
    let mut sim = Sim::new(seed).loss(0.25).reorder(0.1).duplicate(0.1);
    let pair = sim.connect(client.build().expect("a client"), server.build().expect("a server"));
    sim.run_until(|sim| sim.connected(pair), PATIENCE).expect("both sides connect");
    for round in 0..20u8 {
        for side in Side::BOTH {
            sim.send(pair, side, &[round; 20]).expect("connected");
        }
        if round % 5 == 0 {
            // In 1.2 there is no such thing, and one update waits for the one before it.
            let _updated = sim.update_keys(pair, Side::Server, KeyUpdateRequest::Requested);
        }
        sim.run_for(Duration::from_millis(700));
    }
    sim.close(pair, Side::Server);
    sim.run_for(Duration::from_secs(300));
    assert_eq!(nonces.repeated(), 0, "{version}, seed {seed}");
    nonces.sealed()
}

#[test]
fn no_key_seals_two_records_with_one_nonce_in_any_storm() {
    for seed in seeds(0..30) {
        for version in [ProtocolVersion::DTLS1_2, ProtocolVersion::DTLS1_3] {
            for cids in [ConnectionIds::Off, ConnectionIds::random()] {
                assert!(life(version, cids, seed) > 40, "{version}, seed {seed}");
            }
        }
    }
}
