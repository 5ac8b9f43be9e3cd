//! Certificates that BoringSSL compresses, and ours that it undoes, with the C libraries of zlib and brotli. It
//! compresses as server alone.

use std::sync::Arc;

use gramseal_compress::{all, brotli, zlib, zstd};
use gramseal_interop::compiled::{self, Compiled};
use gramseal_interop::{Node, Process, Weather, for_each};
use gramseal_proto::Direction;
use gramseal_proto::config::CertificateCompression;
use gramseal_proto::wire::CertificateCompressionAlgorithm as Algorithm;
use gramseal_testkit::pki::TestPki;

use crate::both;
use crate::losses::{lose_each, pieces};

type Algorithms = Vec<Arc<dyn CertificateCompression>>;

/// Our client, then our server, with a peer that knows `theirs`. Certificates are long enough to be worth it, and
/// both sides show one.
fn connections(ours: &Algorithms, theirs: &str, weather: &Weather) -> [(Node, Process); 2] {
    let options = |peer: Compiled| if theirs.is_empty() { peer } else { peer.args(["--compression", theirs]) };
    both(
        &TestPki::new().with_padding(1000),
        weather,
        |config| config.with_certificate_compression(ours.iter().cloned()).with_transport(pieces(300)),
        |config| config.with_certificate_compression(ours.iter().cloned()).with_transport(pieces(300)),
        options,
    )
}

/// How our certificate was compressed, and the peer's.
fn compressions(node: &Node) -> [Option<Algorithm>; 2] {
    [node.agreed().own_certificate_compression, node.agreed().peer_certificate_compression]
}

#[test] // RFC 8879 §4
fn each_server_compresses_for_the_other_side() {
    for_each(&[Algorithm::ZLIB, Algorithm::BROTLI], |algorithm| {
        let name = algorithm.to_string();
        let [from_us, from_it] = connections(&all(), &name, &Weather::default());
        let said = [("COMPRESSED ", [None, Some(*algorithm)]), ("DECOMPRESSED ", [Some(*algorithm), None])];
        for ((mut node, mut peer), (word, expected)) in [from_us, from_it].into_iter().zip(said) {
            compiled::check(&mut node, &mut peer);
            assert_eq!(compressions(&node), expected);
            assert_eq!(peer.value(word).as_deref(), Some(name.as_str()), "{}", peer.transcript());
            assert_eq!(node.agreed().peer_certificates.len(), 1);
        }
    });
}

#[test] // RFC 8879 §3
fn nothing_is_compressed_without_an_algorithm_in_common() {
    for (ours, theirs) in [(vec![], "zlib"), (all(), ""), (vec![zstd(), zlib()], "brotli")] {
        for (mut node, mut peer) in connections(&ours, theirs, &Weather::default()) {
            compiled::check(&mut node, &mut peer);
            assert_eq!(compressions(&node), [None, None]);
        }
    }
}

#[test] // RFC 8879 §4
fn our_preference_decides_what_we_compress_with() {
    for (ours, expected) in [(vec![brotli(), zlib()], Algorithm::BROTLI), (vec![zlib(), brotli()], Algorithm::ZLIB)] {
        for theirs in ["zlib,brotli", "brotli,zlib"] {
            let [_, (mut node, mut peer)] = connections(&ours, theirs, &Weather::default());
            compiled::check(&mut node, &mut peer);
            assert_eq!(compressions(&node), [Some(expected), None]);
        }
    }
}

#[test] // RFC 9147 §5.8
fn any_datagram_with_compressed_certificates_may_get_lost() {
    for_each(&[Direction::Sent, Direction::Received], |direction| {
        let times = lose_each(*direction, |weather| connections(&all(), "brotli,zlib", weather));
        assert!(times > 4, "flights of several datagrams");
    });
}
