//! What the initiator makes of answers, from a client that can say anything.

use std::sync::Mutex;

use gramseal_proto::crypto::CryptoError;
use gramseal_proto::wire::ContentType;
use gramseal_proto::{Discard, Instant};
use gramseal_testkit::null::SeededRandom;

use super::*;

const CHALLENGE: u8 = 0;
const RESPONSE: u8 = 1;
const DROP: u8 = 2;

/// A server whose client has been heard from elsewhere, and what the client can say.
struct Scene {
    sim: Sim,
    pair: Pair,
    tap: Arc<Wiretap>,
    home: SocketAddr,
    next: u64,
    seen: usize,
}

impl Scene {
    fn new(check: PathCheck) -> Self {
        let mut scene = Self::at_home(Wanted::new(ProtocolVersion::DTLS1_3, check));
        scene.say(address(1), ContentType::APPLICATION_DATA, &[7; 200]);
        scene
    }

    /// Before that.
    fn at_home(wanted: Wanted) -> Self {
        let tap = Arc::new(Wiretap::default());
        let wanted = Wanted { tap: Some(Arc::clone(&tap)), ..wanted };
        let (mut sim, pair) = wanted.connect(Sim::new(1));
        // Nothing that the real client says arrives any more.
        sim.drop_if(|sent| sent.from == Side::Client);
        let (home, seen) = (believed(&sim, pair), sim.sent().len());
        Self { sim, pair, tap, home, next: 100, seen }
    }

    fn say(&mut self, from: SocketAddr, content_type: ContentType, content: &[u8]) {
        let cid = connection(&self.sim, self.pair, Side::Server).own_cids()[0].clone();
        self.next += 1;
        let record = self.tap.seal_named(Side::Client, &cid, (3, self.next), content_type, content);
        self.sim.inject_from(self.pair, Side::Server, from, record);
    }

    fn answer(&mut self, from: SocketAddr, msg_type: u8, cookie: [u8; 8]) {
        let message = [&[msg_type][..], &cookie].concat();
        self.say(from, ContentType::RETURN_ROUTABILITY_CHECK, &message);
    }

    /// The types of what the server has sent to `to` since the last call, and how many bytes that is.
    fn sent_to(&mut self, to: SocketAddr) -> (Vec<u8>, usize) {
        let cid_len = connection(&self.sim, self.pair, Side::Server).peer_cid().len();
        let new = self.sim.sent()[self.seen..].iter().filter(|sent| sent.from == Side::Server && sent.to == to);
        let read = |sent: &Sent| self.tap.open_named(Side::Server, &sent.bytes, cid_len)[0].content[0];
        let sent = (new.clone().map(read).collect(), new.map(|sent| sent.bytes.len()).sum());
        self.seen = self.sim.sent().len();
        sent
    }

    /// The challenges that the server has sent since the last call: where to, and with which cookie.
    fn challenges(&mut self) -> Vec<(SocketAddr, [u8; 8])> {
        let new = self.sim.sent()[self.seen..].iter().filter(|sent| sent.from == Side::Server);
        let read = |sent: &Sent| {
            let records = self.tap.open_named(Side::Server, &sent.bytes, 0);
            assert_eq!(records.len(), 1, "each has a datagram of its own");
            let content = &records[0].content;
            assert_eq!((records[0].content_type, content[0]), (ContentType::RETURN_ROUTABILITY_CHECK, 0));
            (sent.to, content[1..].try_into().expect("a cookie"))
        };
        let challenges = new.map(read).collect();
        self.seen = self.sim.sent().len();
        challenges
    }

    fn challenge(&mut self) -> (SocketAddr, [u8; 8]) {
        let challenges = self.challenges();
        assert_eq!(challenges.len(), 1, "{challenges:?}");
        challenges[0]
    }

    fn now(&self) -> Instant {
        self.sim.now()
    }

    #[track_caller]
    fn assert_checks(&self, expected: [u32; 4]) {
        assert_checks(&self.sim, self.pair, expected);
    }

    fn unasked(&self) -> u32 {
        connection(&self.sim, self.pair, Side::Server).stats().discards.get(Discard::UnaskedPathAnswer)
    }
}

#[test] // RFC 9853 §5.1
fn the_right_answer_from_the_new_address_moves_the_peer() {
    let mut scene = Scene::new(PathCheck::Basic);
    let (to, cookie) = scene.challenge();
    assert_eq!(to, address(1));
    for (from, msg_type, cookie) in [
        (address(1), RESPONSE, [0; 8]),
        (address(2), RESPONSE, cookie),
        (scene.home, RESPONSE, cookie),
        (scene.home, DROP, cookie),
    ] {
        let before = scene.unasked();
        scene.answer(from, msg_type, cookie);
        assert_eq!(scene.unasked(), before + 1, "{from} {msg_type}");
        scene.assert_checks([1, 0, 0, 0]);
    }
    scene.answer(address(1), RESPONSE, cookie);
    scene.assert_checks([1, 1, 0, 0]);
    assert_eq!((believed(&scene.sim, scene.pair), moves(&scene.sim, scene.pair)), (address(1), vec![address(1)]));
    // RFC 9853 §7.1: another answer to one challenge is worth a look.
    let before = scene.unasked();
    scene.answer(address(1), RESPONSE, cookie);
    assert_eq!(scene.unasked(), before + 1);
}

#[test] // RFC 9853 §5.2
fn an_answer_to_the_first_challenge_ends_the_enhanced_check_wherever_it_comes_from() {
    for from in [None, Some(address(1)), Some(address(2))] {
        let mut scene = Scene::new(PathCheck::Enhanced);
        let (to, cookie) = scene.challenge();
        assert_eq!(to, scene.home);
        scene.answer(from.unwrap_or(scene.home), RESPONSE, cookie);
        scene.assert_checks([1, 0, 1, 0]);
        scene.sim.run_for(3 * T);
        assert_eq!(believed(&scene.sim, scene.pair), scene.home);
    }
}

#[test] // RFC 9853 §5.2
fn path_drop_from_the_old_address_brings_the_new_one_in_at_once() {
    let mut scene = Scene::new(PathCheck::Enhanced);
    let (_, cookie) = scene.challenge();
    let began = scene.now();
    scene.answer(scene.home, DROP, cookie);
    let (to, cookie) = scene.challenge();
    assert_eq!((to, scene.now()), (address(1), began), "before T is up");
    scene.answer(address(1), RESPONSE, cookie);
    scene.assert_checks([1, 1, 0, 0]);
    assert_eq!(believed(&scene.sim, scene.pair), address(1));
}

#[test]
fn path_drop_from_the_new_address_ends_the_check() {
    let mut scene = Scene::new(PathCheck::Basic);
    let (_, cookie) = scene.challenge();
    scene.answer(address(1), DROP, cookie);
    scene.assert_checks([1, 0, 0, 1]);
    assert_eq!(believed(&scene.sim, scene.pair), scene.home);
}

#[test] // RFC 9853 §5.2: a slow path is not a dead one
fn a_late_answer_from_the_old_address_still_counts() {
    let mut scene = Scene::new(PathCheck::Enhanced);
    let (_, cookie) = scene.challenge();
    scene.sim.run_for(T_BEFORE + Duration::from_millis(1));
    let challenges = scene.challenges();
    assert_eq!(challenges.iter().map(|(to, _)| *to).collect::<Vec<_>>(), [scene.home, scene.home, address(1)]);
    scene.answer(scene.home, RESPONSE, cookie);
    scene.assert_checks([1, 0, 1, 0]);
    let before = scene.unasked();
    scene.answer(address(1), RESPONSE, challenges[2].1);
    assert_eq!((believed(&scene.sim, scene.pair), scene.unasked()), (scene.home, before + 1));
}

#[test] // RFC 9853 §5.3, §8
fn no_cookie_is_sent_twice_and_each_is_good() {
    let cookies = |scene: &mut Scene| {
        scene.sim.run_for(2 * T);
        scene.challenges().into_iter().map(|(_, cookie)| cookie).collect::<Vec<_>>()
    };
    let mut scene = Scene::new(PathCheck::Enhanced);
    let sent = cookies(&mut scene);
    let mut distinct = sent.clone();
    distinct.sort_unstable();
    distinct.dedup();
    assert_eq!((sent.len(), distinct.len()), (6, 6));
    for which in 0..3 {
        let mut scene = Scene::new(PathCheck::Basic);
        scene.sim.run_for(T - Duration::from_millis(1));
        let challenges = scene.challenges();
        scene.answer(address(1), RESPONSE, challenges[which].1);
        scene.assert_checks([1, 1, 0, 0]);
    }
}

#[test] // RFC 9853 §5.1
fn an_answer_after_t_is_too_late() {
    let mut scene = Scene::new(PathCheck::Basic);
    let (_, cookie) = scene.challenge();
    scene.sim.run_for(T);
    scene.assert_checks([1, 0, 0, 1]);
    scene.answer(address(1), RESPONSE, cookie);
    assert_eq!((believed(&scene.sim, scene.pair), scene.unasked()), (scene.home, 1));
    // It is a newest record from elsewhere all the same.
    scene.assert_checks([2, 0, 0, 1]);
}

#[test] // RFC 9853 §5.5: whoever delays answers does not make checks longer
fn a_late_answer_from_the_old_address_makes_no_round_trip_longer() {
    let mut scene = Scene::new(PathCheck::Enhanced);
    let (_, cookie) = scene.challenge();
    let round_trip = |scene: &Scene| connection(&scene.sim, scene.pair, Side::Server).stats().round_trip();
    let before = round_trip(&scene);
    assert_eq!(before, Some(Duration::from_millis(20)));
    scene.sim.run_for(T_BEFORE + T / 2);
    scene.answer(scene.home, RESPONSE, cookie);
    scene.assert_checks([1, 0, 1, 0]);
    assert_eq!(round_trip(&scene), before);
}

/// When the server asks again.
fn next_challenge(scene: &Scene) -> Duration {
    let mut timers = connection(&scene.sim, scene.pair, Side::Server).timers();
    let (at, _) = timers.find(|(_, timer)| *timer == Timer::PathCheck).expect("a check goes on");
    at - scene.now()
}

#[test] // RFC 9853 §5.5
fn who_delays_answers_makes_no_check_last_longer_than_four_times_the_timeout() {
    let longest = 4 * T / 3;
    for check in CHECKS {
        let mut scene = Scene::new(check);
        let mut thirds = Vec::new();
        for port in 1..=5 {
            if port > 1 {
                scene.say(address(port), ContentType::APPLICATION_DATA, &[7; 200]);
            }
            if check == PathCheck::Enhanced {
                thirds.push(next_challenge(&scene));
                scene.sim.run_for(3 * next_challenge(&scene) + Duration::from_millis(1));
            }
            let third = next_challenge(&scene);
            thirds.push(third);
            let (_, cookie) = scene.challenges().into_iter().find(|(to, _)| *to == address(port)).expect("it is asked");
            // At the last moment the first challenge is answered.
            scene.sim.run_for(3 * third - Duration::from_millis(2));
            scene.challenges();
            scene.answer(address(port), RESPONSE, cookie);
            assert_eq!(believed(&scene.sim, scene.pair), address(port), "{check:?}");
        }
        assert!(thirds.iter().all(|third| *third <= longest), "{check:?}: {thirds:?}");
        let round_trip = connection(&scene.sim, scene.pair, Side::Server).stats().round_trip();
        assert!(round_trip > Some(3 * T), "{round_trip:?}");
        // Part of the last ones was over when they were looked at.
        assert!(
            thirds[thirds.len() - 2..].iter().all(|third| *third + Duration::from_millis(2) > longest),
            "{thirds:?}"
        );
    }
}

#[test] // RFC 9853 §2
fn answers_leave_less_for_challenges_to_the_same_address() {
    // A record to this client is 81 bytes long and one of it 39, of which each allows 117.
    let client_cids = ConnectionIds::Both(Arc::new(gramseal_proto::RandomCids::new(50)));
    let wanted = Wanted::new(ProtocolVersion::DTLS1_3, PathCheck::Basic);
    let mut scene = Scene::at_home(Wanted { client_cids, ..wanted });
    let mut harm = 0;
    for (round, expected) in (1..).zip([&[RESPONSE][..], &[RESPONSE], &[RESPONSE, CHALLENGE], &[RESPONSE]]) {
        scene.answer(address(1), CHALLENGE, [round; 8]);
        let (types, bytes) = scene.sent_to(address(1));
        harm += bytes;
        assert_eq!(types, expected, "{round}");
        assert!(harm <= 117 * usize::from(round), "{round}: {harm}");
    }
}

/// Remembers what it gave, until it fails.
#[derive(Debug)]
struct Watched {
    inner: SeededRandom,
    given: Mutex<Option<Vec<Vec<u8>>>>,
}

impl SecureRandom for Watched {
    fn fill(&self, out: &mut [u8]) -> Result<(), CryptoError> {
        let mut given = self.given.lock().expect("nobody panics with it");
        let given = given.as_mut().ok_or_else(CryptoError::new)?;
        self.inner.fill(out)?;
        given.push(out.to_vec());
        Ok(())
    }
}

#[test] // RFC 9853 §4, §8
fn cookies_are_what_the_generator_gives_and_without_it_nobody_is_asked() {
    for check in CHECKS {
        for works in [true, false] {
            let random = Arc::new(Watched { inner: SeededRandom::new(3), given: Mutex::new(Some(Vec::new())) });
            let wanted = Wanted { random: Some(random.clone()), ..Wanted::new(ProtocolVersion::DTLS1_3, check) };
            let mut scene = Scene::at_home(wanted);
            *random.given.lock().expect("nobody panics with it") = works.then(Vec::new);
            scene.say(address(1), ContentType::APPLICATION_DATA, &[7; 200]);
            scene.sim.run_for(10 * T);
            let cookies: Vec<_> = scene.challenges().into_iter().map(|(_, cookie)| cookie.to_vec()).collect();
            let given = random.given.lock().expect("nobody panics with it").take();
            assert_eq!(cookies, given.unwrap_or_default(), "{check:?}");
            assert_eq!(cookies.is_empty(), !works, "{check:?}");
            // Nobody answers, so that the client stays where it was.
            assert_eq!((counts(&scene.sim, scene.pair).begun, believed(&scene.sim, scene.pair)), (1, scene.home));
        }
    }
}
