//! Peers that know nothing of return routability checks.

use super::*;

fn without_checks(version: ProtocolVersion, policy: MovePolicy) -> (Sim, Pair) {
    let wanted = Wanted { policy, client_knows_checks: false, ..Wanted::new(version, PathCheck::default()) };
    wanted.connect(Sim::new(1))
}

#[test] // RFC 9146 §6: not without a strategy
fn a_peer_that_cannot_be_checked_stays_where_it_was_by_default() {
    assert_eq!(Transport::default().move_policy, MovePolicy::Stay);
    for version in VERSIONS {
        let (mut sim, pair) = without_checks(version, MovePolicy::Stay);
        let home = believed(&sim, pair);
        sim.move_client(pair, address(1));
        for payload in [b"1", b"2"] {
            say(&mut sim, pair, payload);
            sim.run_for(2 * T);
        }
        let told = sim.events(pair, Side::Server).iter().filter(|event| **event == Event::PeerElsewhere(address(1)));
        assert_eq!(told.count(), 2, "{version}: as often as it is heard");
        assert_eq!((believed(&sim, pair), moves(&sim, pair)), (home, vec![]), "{version}");
        assert_eq!(sent_to(&sim, pair, address(1)).len(), 0, "{version}");
        assert_eq!(counts(&sim, pair), PathCheckCounts::default(), "{version}");
        // The application has found out by itself.
        sim.act(pair, Side::Server, |server| server.set_peer(address(1)));
        sim.exchange(pair, b"and on");
    }
}

#[test]
fn a_peer_that_cannot_be_checked_is_followed_where_that_is_wanted() {
    for version in VERSIONS {
        let (mut sim, pair) = without_checks(version, MovePolicy::FollowNewest);
        for port in [1, 2] {
            sim.move_client(pair, address(port));
            say(&mut sim, pair, b"here");
            sim.run_for(Duration::from_millis(12));
            assert_eq!(believed(&sim, pair), address(port), "{version}: at once");
            sim.exchange(pair, b"and on");
        }
        assert_eq!(moves(&sim, pair), [address(1), address(2)], "{version}");
        assert_eq!((counts(&sim, pair).unchecked_moves, counts(&sim, pair).begun), (2, 0), "{version}");
    }
}

#[test] // RFC 9146 §6
fn what_is_old_forged_or_sent_on_twice_moves_nobody() {
    for version in VERSIONS {
        let (mut sim, pair) = without_checks(version, MovePolicy::FollowNewest);
        let home = believed(&sim, pair);
        let third = deliver_nothing_new(&mut sim, pair);
        assert_eq!((believed(&sim, pair), moves(&sim, pair)), (home, vec![]), "{version}");
        sim.inject_from(pair, Side::Server, address(2), third);
        assert_eq!((believed(&sim, pair), moves(&sim, pair)), (address(2), vec![address(2)]), "{version}");
    }
}
