//! Ticket keys (RFC 5077 §4, §5): what opens, what does not, how keys change and how hosts share them.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use gramseal_proto::crypto::CryptoProvider;
use gramseal_proto::session::{BadTicketKeys, TicketKeys, TicketSealer, TicketSecret};
use gramseal_testkit::null;
use gramseal_testkit::sessions::Clock;

const PERIOD: Duration = Duration::from_secs(1000);
const SESSION: &[u8] = b"what a server wants to be told again";

fn providers() -> [Arc<CryptoProvider>; 3] {
    [
        null::provider(1),
        Arc::new(gramseal_aws_lc::provider()),
        Arc::new(gramseal_rustcrypto::provider(Arc::new(null::SeededRandom::new(3)))),
    ]
}

/// A host of the fleet that shares `secrets`.
fn host(seed: u64, clock: &Clock, secrets: &[TicketSecret]) -> TicketKeys {
    TicketKeys::shared(null::provider(seed), clock.reader(), PERIOD, secrets).expect("all there")
}

fn secret(byte: u8, since: &Clock) -> TicketSecret {
    TicketSecret::new(&[byte; 32], since.now())
}

fn opens(keys: &TicketKeys, ticket: &[u8]) -> Option<bool> {
    let opened = keys.open(ticket)?;
    assert_eq!(&opened.session[..], SESSION);
    Some(opened.renew)
}

#[test] // RFC 5077 §5.3
fn a_ticket_that_was_changed_or_cut_anywhere_does_not_open() {
    for provider in providers() {
        let clock = Clock::new();
        let keys = TicketKeys::random(provider, clock.reader()).expect("all there");
        let ticket = keys.seal(SESSION).expect("sealed");
        assert_eq!(opens(&keys, &ticket), Some(false));
        for at in 0..ticket.len() {
            let mut forged = ticket.clone();
            forged[at] ^= 1 << (at % 8);
            assert_eq!(opens(&keys, &forged), None, "byte {at}");
            assert_eq!(opens(&keys, &ticket[..at]), None, "cut to {at}");
            assert_eq!(opens(&keys, &ticket[at + 1..]), None, "without the first {}", at + 1);
        }
        assert_eq!(opens(&keys, &[&ticket[..], &[0]].concat()), None);
    }
}

#[test] // RFC 5077 §5.2
fn a_ticket_does_not_show_the_session() {
    for provider in providers() {
        let keys = TicketKeys::random(provider, Clock::new().reader()).expect("all there");
        let tickets: Vec<_> = (0..50).map(|_| keys.seal(SESSION).expect("sealed")).collect();
        for ticket in &tickets {
            assert!(!ticket.windows(4).any(|part| SESSION.windows(4).any(|plain| plain == part)));
        }
        // Each has a key of its own: beyond the name of the period's key, nothing is the same.
        let parts: HashSet<&[u8]> = tickets.iter().flat_map(|ticket| [&ticket[8..24], &ticket[24..40]]).collect();
        assert_eq!(parts.len(), 100);
    }
}

#[test] // RFC 5077 §5.5, RFC 9325 §3.4
fn keys_change_by_themselves_and_the_last_but_one_is_forgotten() {
    let clock = Clock::new();
    let keys = host(1, &clock, &[secret(1, &clock)]);
    let ticket = keys.seal(SESSION).expect("sealed");
    let name = |ticket: &[u8]| ticket[..8].to_vec();
    clock.advance(PERIOD - Duration::from_secs(1));
    assert_eq!(opens(&keys, &ticket), Some(false), "the key is still the current one");
    clock.advance(Duration::from_secs(1));
    assert_eq!(opens(&keys, &ticket), Some(true), "the client should get a new one");
    let next = keys.seal(SESSION).expect("sealed");
    assert_ne!(name(&ticket), name(&next));
    clock.advance(PERIOD);
    assert_eq!((opens(&keys, &ticket), opens(&keys, &next)), (None, Some(true)));
    clock.advance(PERIOD * 500);
    assert_eq!(opens(&keys, &next), None);
    assert_eq!(keys.lifetime(), PERIOD, "no session outlives the keys of its tickets");
}

#[test]
fn hosts_with_one_secret_accept_each_others_tickets_at_all_times() {
    let (clock, since) = (Clock::new(), Clock::new());
    let first = host(1, &clock, &[secret(1, &since)]);
    for periods in [0, 1, 5, 40] {
        clock.advance(PERIOD * periods);
        let late = host(2, &clock, &[secret(1, &since)]);
        for (one, other) in [(&first, &late), (&late, &first)] {
            assert_eq!(opens(other, &one.seal(SESSION).expect("sealed")), Some(false), "{periods}");
        }
    }
}

#[test]
fn a_host_whose_clock_is_a_little_ahead_is_understood() {
    let since = Clock::new();
    let (slow, fast) = (Clock::new(), Clock::new());
    slow.advance(PERIOD - Duration::from_secs(1));
    fast.advance(PERIOD);
    let (slow, fast) = (host(1, &slow, &[secret(1, &since)]), host(2, &fast, &[secret(1, &since)]));
    assert_eq!(opens(&slow, &fast.seal(SESSION).expect("sealed")), Some(false));
    assert_eq!(opens(&fast, &slow.seal(SESSION).expect("sealed")), Some(true));
}

#[test]
fn a_host_with_another_secret_opens_nothing() {
    let clock = Clock::new();
    let one = host(1, &clock, &[secret(1, &clock)]);
    let random = || TicketKeys::random(null::provider(9), clock.reader()).expect("all there");
    let ticket = one.seal(SESSION).expect("sealed");
    assert_eq!(opens(&host(1, &clock, &[secret(2, &clock)]), &ticket), None);
    assert_eq!(opens(&random(), &ticket), None);
}

#[test] // RFC 5077 §5.5, RFC 9325 §3.4
fn whoever_steals_a_key_of_one_process_has_none_of_the_next_period() {
    let clock = Clock::new();
    let random = || TicketKeys::random(null::provider(9), clock.reader()).expect("all there");
    // The thief has all there is to know, but not the randomness that is still to come.
    let (keys, thief) = (random(), random());
    let ticket = keys.seal(SESSION).expect("sealed");
    assert_eq!(opens(&thief, &ticket), Some(false));
    clock.advance(TicketKeys::DEFAULT_PERIOD);
    let next = keys.seal(SESSION).expect("sealed");
    assert_eq!((opens(&keys, &ticket), opens(&keys, &next)), (Some(true), Some(false)));
    assert_eq!((opens(&thief, &ticket), opens(&thief, &next)), (Some(true), None));
}

#[test] // RFC 5077 §5.5
fn a_secret_can_be_replaced_without_losing_sessions() {
    let clock = Clock::new();
    let before = host(1, &clock, &[secret(1, &clock)]);
    let during = host(2, &clock, &[secret(2, &clock), secret(1, &clock)]);
    let (old, new) = (before.seal(SESSION).expect("sealed"), during.seal(SESSION).expect("sealed"));
    assert_eq!((opens(&during, &old), opens(&during, &new)), (Some(true), Some(false)));
    assert_eq!(opens(&before, &new), None);
    let after = host(3, &clock, &[secret(2, &clock)]);
    assert_eq!((opens(&after, &old), opens(&after, &new)), (None, Some(false)));
}

#[test]
fn a_clock_that_goes_astray_neither_stops_the_keys_nor_the_host() {
    let clock = Clock::new();
    let keys = host(1, &clock, &[secret(1, &clock)]);
    let ticket = keys.seal(SESSION).expect("sealed");
    clock.advance(Duration::from_secs(1 << 60));
    assert_eq!(opens(&keys, &ticket), Some(false), "it is not believed");
}

#[test]
fn keys_that_cannot_serve_are_refused_with_the_reason() {
    let clock = Clock::new();
    let epoch = TicketSecret::new(&[1; 32], pki_types::UnixTime::since_unix_epoch(Duration::ZERO));
    let shared = |secrets: &[TicketSecret]| TicketKeys::shared(null::provider(1), clock.reader(), PERIOD, secrets);
    assert_eq!(shared(&[]).err(), Some(BadTicketKeys::NoSecret));
    assert_eq!(shared(&[epoch]).err(), Some(BadTicketKeys::SecretTooOld));
    let mut lacking = (*null::provider(1)).clone();
    lacking.aeads.clear();
    let keys = TicketKeys::random(Arc::new(lacking), clock.reader());
    assert_eq!(keys.err(), Some(BadTicketKeys::MissingAlgorithm));
}

#[test]
fn keys_and_secrets_are_not_shown() {
    let clock = Clock::new();
    let shown = format!("{:?} {:?}", secret(0xAB, &clock), host(1, &clock, &[secret(0xAB, &clock)]));
    assert!(!shown.contains("171") && !shown.to_lowercase().contains("abab"), "{shown}");
}
