//! use_srtp: what is agreed on, and the keys that both sides export (RFC 5764).

use std::time::Duration;

use gramseal_proto::config::{ClientConfigBuilder, ConfigError, ServerConfigBuilder};
use gramseal_proto::wire::SrtpProfile as P;
use gramseal_proto::{Connection, ExportError, Negotiated, SrtpKeys};
use gramseal_testkit::null::{self, ToyKind};
use gramseal_testkit::sim::{Pair, Side, Sim};

/// With the lengths of master key and master salt in bytes (RFC 5764 §4.1.2, RFC 7714 §14.2).
const PROFILES: [(P, usize, usize); 6] = [
    (P::AES128_CM_HMAC_SHA1_80, 16, 14),
    (P::AES128_CM_HMAC_SHA1_32, 16, 14),
    (P::NULL_HMAC_SHA1_80, 16, 14),
    (P::NULL_HMAC_SHA1_32, 16, 14),
    (P::AEAD_AES_128_GCM, 16, 12),
    (P::AEAD_AES_256_GCM, 32, 12),
];

fn client() -> ClientConfigBuilder {
    null::client_config(2)
}

fn server() -> ServerConfigBuilder {
    null::server_config(3, null::identity(ToyKind::EcdsaP256, null::SERVER_NAME, 0))
}

fn connect(client: ClientConfigBuilder, server: ServerConfigBuilder) -> (Sim, Pair) {
    let mut sim = Sim::new(1);
    let pair = sim.connect(client.build().expect("a client"), server.build().expect("a server"));
    sim.run_until(|sim| sim.connected(pair), Duration::from_secs(10)).expect("both sides connect");
    (sim, pair)
}

fn both<'s, T>(sim: &'s Sim, pair: Pair, ask: impl Fn(&'s Connection) -> T) -> [T; 2] {
    Side::BOTH.map(|side| ask(sim.connection(pair, side).expect("connected")))
}

fn profiles(sim: &Sim, pair: Pair) -> [Option<P>; 2] {
    let agreed = |connection| Connection::negotiated(connection).and_then(|agreed: &Negotiated| agreed.srtp.as_ref());
    both(sim, pair, |connection| agreed(connection).map(|srtp| srtp.profile))
}

fn keys(sim: &Sim, pair: Pair) -> [SrtpKeys; 2] {
    both(sim, pair, |connection| connection.srtp_keys().expect("a profile was agreed on"))
}

#[test] // RFC 5764 §4.2 with erratum 4788
fn both_sides_export_the_same_keys_for_every_profile() {
    for (profile, key_len, salt_len) in PROFILES {
        let (sim, pair) = connect(client().with_srtp(&[profile]), server().with_srtp(&[profile]));
        assert_eq!(profiles(&sim, pair), [Some(profile); 2]);
        let [client, server] = keys(&sim, pair);
        assert_eq!([client.profile(), server.profile()], [profile; 2]);
        for (sender, receiver) in [(client.local(), server.peer()), (server.local(), client.peer())] {
            assert_eq!((sender.key(), sender.salt()), (receiver.key(), receiver.salt()), "{profile}");
            assert_eq!((sender.key().len(), sender.salt().len()), (key_len, salt_len), "{profile}");
        }
        assert_ne!(client.local().key(), server.local().key());
        assert_ne!(client.local().salt(), server.local().salt());
        // The same as the plain exporter gives without a context: keys, then salts, the client's first.
        let mut exported = vec![0; 2 * (key_len + salt_len)];
        let connection = sim.connection(pair, Side::Server).expect("connected");
        connection.export_keying_material(b"EXTRACTOR-dtls_srtp", None, &mut exported).expect("connected");
        let (local, peer) = (client.local(), client.peer());
        assert_eq!(exported, [local.key(), peer.key(), local.salt(), peer.salt()].concat(), "{profile}");
    }
}

#[test] // RFC 5764 §4.1.1
fn the_server_takes_its_most_preferred_profile_that_the_client_offers() {
    let (gcm, sha1) = (P::AEAD_AES_128_GCM, P::AES128_CM_HMAC_SHA1_80);
    for (offered, ours, chosen) in [
        (vec![sha1, gcm], vec![gcm, sha1], gcm),
        (vec![gcm, sha1], vec![sha1, gcm], sha1),
        (vec![P::AEAD_AES_256_GCM, sha1], vec![gcm, sha1], sha1),
    ] {
        let (sim, pair) = connect(client().with_srtp(&offered), server().with_srtp(&ours));
        assert_eq!(profiles(&sim, pair), [Some(chosen); 2]);
    }
}

#[test] // RFC 5764 §4.1.1: the connection falls back to plain DTLS, and says so
fn without_a_profile_in_common_there_is_no_srtp() {
    let gcm = &[P::AEAD_AES_128_GCM][..];
    let sha1 = &[P::AES128_CM_HMAC_SHA1_80][..];
    for (offered, ours) in [(gcm, sha1), (gcm, &[]), (&[], gcm), (&[], &[])] {
        let (mut sim, pair) = connect(client().with_srtp(offered), server().with_srtp(ours));
        assert_eq!(profiles(&sim, pair), [None; 2]);
        for refused in both(&sim, pair, Connection::srtp_keys) {
            assert_eq!(refused.map(drop), Err(ExportError::NoSrtp));
        }
        sim.exchange(pair, b"plain DTLS");
    }
}

#[test] // RFC 5764 §4.1.3
fn our_server_agrees_to_no_master_key_identifier() {
    for len in [1, 4, 255] {
        let offer = client().with_srtp(&[P::AEAD_AES_128_GCM]).with_srtp_mki(vec![7; len]);
        let (sim, pair) = connect(offer, server().with_srtp(&[P::AEAD_AES_128_GCM]));
        for agreed in both(&sim, pair, Connection::negotiated) {
            let srtp = agreed.and_then(|agreed| agreed.srtp.as_ref()).expect("a profile was agreed on");
            assert!(srtp.mki.is_empty());
        }
    }
}

#[test]
fn there_are_no_keys_before_the_handshake_is_done() {
    let srtp = [P::AEAD_AES_128_GCM];
    let mut sim = Sim::new(1);
    let configs = (client().with_srtp(&srtp).build(), server().with_srtp(&srtp).build());
    let pair = sim.connect(configs.0.expect("a client"), configs.1.expect("a server"));
    let keys = sim.connection(pair, Side::Client).map(Connection::srtp_keys);
    assert_eq!(keys.map(|keys| keys.map(drop)), Some(Err(ExportError::NotConnected)));
}

#[test]
fn what_srtp_cannot_use_is_refused_when_it_is_configured() {
    for profile in [P::DOUBLE_AEAD_AES_128_GCM, P(0), P(3), P(0x0a0a)] {
        let refused = Err(ConfigError::UnsupportedSrtpProfile(profile));
        assert_eq!(client().with_srtp(&[profile]).build().map(drop), refused);
        assert_eq!(server().with_srtp(&[P::AEAD_AES_128_GCM, profile]).build().map(drop), refused);
    }
    let long = client().with_srtp(&[P::AEAD_AES_128_GCM]).with_srtp_mki([0; 256]);
    assert_eq!(long.build().map(drop), Err(ConfigError::BadSrtpMki));
    assert_eq!(client().with_srtp_mki([1]).build().map(drop), Err(ConfigError::BadSrtpMki));
}
