//! What an endpoint counts, for the recorder that the program has installed (crate `metrics`): each second, so that a
//! datagram costs nothing.
//!
//! The names are part of the interface: the table in the crate's documentation has them.

use gramseal_proto::{Discard, DiscardCounts};
use metrics::{Label, counter, gauge};

use crate::stats::{EndpointStats, Outcome};

/// Tells the counts of a shard.
pub(crate) fn publish(endpoint: &str, shard: usize, stats: &EndpointStats) {
    let own = || vec![Label::new("endpoint", endpoint.to_owned()), Label::new("shard", shard.to_string())];
    let with = |key, value| [own(), vec![Label::new(key, value)]].concat();
    for (name, value) in [
        ("gramseal_datagrams_received_total", stats.datagrams_received),
        ("gramseal_datagrams_sent_total", stats.datagrams_sent),
        ("gramseal_sends_blocked_total", stats.sends_blocked),
        ("gramseal_send_errors_total", stats.send_errors),
        ("gramseal_receive_errors_total", stats.receive_errors),
        ("gramseal_handed_over_total", stats.handed_over),
        ("gramseal_cookies_sent_total", stats.routing.cookies_sent),
        ("gramseal_cookies_refused_total", stats.routing.cookies_refused.total()),
        ("gramseal_incoming_total", stats.routing.incoming),
        ("gramseal_limited_total", stats.routing.limits.total()),
        ("gramseal_idle_closed_total", stats.idle_closed),
        ("gramseal_retransmissions_total", stats.retransmissions_of_ended),
    ] {
        counter!(name, own()).absolute(value);
    }
    gauge!("gramseal_connections", own()).set(count(stats.connections));
    gauge!("gramseal_half_open", own()).set(count(stats.half_open));
    gauge!("gramseal_buffered_bytes", own()).set(count(stats.buffered_bytes));
    for outcome in Outcome::ALL {
        counter!("gramseal_handshakes_total", with("outcome", outcome.name())).absolute(stats.handshakes.of(outcome));
    }
    counter!("gramseal_handshakes_total", with("outcome", "refused")).absolute(stats.handshakes.refused);
    for reason in Discard::ALL {
        let dropped = |counts: &DiscardCounts| u64::from(counts.get(reason));
        let dropped = dropped(&stats.routing.discards) + dropped(&stats.discards_of_ended);
        if dropped > 0 {
            counter!("gramseal_discards_total", with("reason", reason.name())).absolute(dropped);
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "nobody has so many")]
fn count(value: usize) -> f64 {
    value as f64
}
