//! Networks that lose, repeat and reorder, where both sides' timers have to help.

use std::time::Duration;

use gramseal_interop::compiled::{self, Compiled, to_server13};
use gramseal_interop::{Node, Process, Weather, for_each, in_storms, stormy_client, stormy_server};
use gramseal_proto::Direction;
use gramseal_proto::config::Transport;
use gramseal_testkit::pki::TestPki;

use crate::{boringssl, both, from_boringssl};

/// Datagrams of `mtu` bytes at most, and a timer that is soon due.
pub(crate) fn pieces(mtu: usize) -> Transport {
    Transport { mtu, initial_timeout: Duration::from_millis(100), ..Transport::default() }
}

fn small(peer: Compiled) -> Compiled {
    peer.args(["--timeout", "100", "--mtu", "300"])
}

/// Connects in both roles again and again, each time without the next datagram that moves in `direction`, and says
/// after how many times nothing was left to lose.
pub(crate) fn lose_each(direction: Direction, connect: impl Fn(&Weather) -> [(Node, Process); 2]) -> u32 {
    for index in 0.. {
        let weather = Weather { lose: Some((direction, index)), ..Weather::default() };
        let lost = connect(&weather).map(|(mut node, mut peer)| {
            compiled::check(&mut node, &mut peer);
            node.lost()
        });
        if lost == [0, 0] {
            return index;
        }
    }
    unreachable!("connections are made of a few datagrams")
}

#[test] // RFC 9147 §5.8, §7.2
fn any_datagram_of_either_side_may_get_lost() {
    for_each(&[Direction::Sent, Direction::Received], |direction| {
        let pki = TestPki::new().with_padding(500);
        let times = lose_each(*direction, |weather| {
            both(
                &pki,
                weather,
                |config| config.with_transport(pieces(300)),
                |config| config.with_transport(pieces(300)),
                small,
            )
        });
        assert!(times > 8, "flights of several datagrams");
    });
}

#[test] // RFC 9147 §4.5.1, §5.8
fn datagrams_may_arrive_in_another_order_or_twice() {
    let fine = Weather::default();
    for weather in [Weather { reorder: 1.0, ..fine.clone() }, Weather { duplicate: 1.0, ..fine }] {
        for (mut node, mut peer) in both(
            &TestPki::new().with_padding(1000),
            &weather,
            |config| config.with_transport(pieces(300)),
            |config| config.with_transport(pieces(300)),
            |peer| peer.args(["--mtu", "300"]),
        ) {
            compiled::check(&mut node, &mut peer);
        }
    }
}

const SEEDS: [u64; 3] = [1, 2, 3];

/// A storm that mixes up, too.
fn whirl(weather: Weather) -> Weather {
    Weather { reorder: 0.3, ..weather }
}

#[test] // RFC 9147 §5.8, §7
fn lossy_network_as_client() {
    in_storms(&SEEDS, |pki, weather| {
        let theirs = boringssl(pki).trust(pki).args(["--mtu", "700"]);
        let (mut node, mut peer) = to_server13(stormy_client(pki), theirs, whirl(weather));
        compiled::check(&mut node, &mut peer);
        node
    });
}

#[test] // RFC 9147 §5.8, §7
fn lossy_network_as_server() {
    in_storms(&SEEDS, |pki, weather| {
        let (mut node, mut peer) = from_boringssl(stormy_server(pki), pki, whirl(weather), |peer| {
            peer.identity(&pki.client("client.example")).args(["--mtu", "700"])
        });
        compiled::check(&mut node, &mut peer);
        node
    });
}

#[test] // RFC 9147 §5.8.4, §8
fn keys_change_in_a_lossy_network() {
    for_each(&SEEDS, |seed| {
        for (mut node, mut peer) in both(
            &TestPki::new(),
            &whirl(Weather::storm(*seed)),
            |config| config.with_transport(pieces(300)),
            |config| config.with_transport(pieces(300)),
            |peer| small(peer).args(["--key-update", "requested"]),
        ) {
            compiled::check(&mut node, &mut peer);
            compiled::exchange_until(&mut node, &mut peer, |node| {
                let stats = node.connection().stats();
                stats.key_updates_received >= 3 && stats.key_updates_sent >= 3
            });
        }
    });
}
