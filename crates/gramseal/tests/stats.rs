//! What connections and endpoints count and tell.

#![allow(missing_docs, clippy::unwrap_used, reason = "a test")]

mod common;

use std::sync::Arc;

use common::*;
use gramseal::proto::Discard;
use gramseal::proto::wire::ProtocolVersion;
use gramseal::{Endpoint, HandshakeCounts};
use gramseal_testkit::pki::TestPki;

fn counts(endpoint: &Endpoint) -> HandshakeCounts {
    endpoint.stats().handshakes
}

#[tokio::test]
async fn connections_tell_their_round_trip_and_datagram_size() {
    for version in [ProtocolVersion::DTLS1_2, ProtocolVersion::DTLS1_3] {
        soon(async {
            let pki = TestPki::new();
            let (server, client) = (server(&pki).0, Endpoint::client(LOOPBACK).unwrap());
            let config = client_builder(&pki).with_versions(&[version]).build().unwrap();
            let (ours, theirs) = pair(&server, &client, Arc::new(config)).await;
            for side in [&ours, &theirs] {
                let stats = side.stats();
                assert_eq!(stats.mtu, 1200);
                // Nobody was so slow that a flight was sent again, unless this machine is.
                assert!(stats.round_trip.is_some() || stats.protocol.retransmissions > 0, "{version}");
            }
        })
        .await;
    }
}

#[tokio::test]
async fn handshakes_are_counted_by_what_became_of_them() {
    soon(async {
        let (pki, others) = (TestPki::new(), TestPki::new());
        let (server, addr) = server(&pki);
        let accepting = tokio::spawn({
            let server = server.clone();
            async move {
                let mut outcomes = Vec::new();
                for _ in 0..3 {
                    outcomes.push(server.accept().await.unwrap().await.is_ok());
                }
                server.accept().await.unwrap().refuse();
                outcomes
            }
        });
        let client = Endpoint::client(LOOPBACK).unwrap();
        let conn = client.connect(addr, NAME, client_config(&pki)).await.unwrap();
        conn.close().await;
        assert!(client.connect(addr, NAME, client_config(&others)).await.is_err());
        assert_eq!((counts(&client).completed, counts(&client).certificate), (1, 1));
        let unanswered = client_builder(&pki).with_alpn([b"one".as_slice()]).build().unwrap();
        drop(client.connect(addr, NAME, Arc::new(unanswered)).await.unwrap());
        // Nobody waits for this one any more.
        let refused = tokio::spawn({
            let (client, config) = (client.clone(), client_config(&pki));
            async move { client.connect(addr, NAME, config).await.map(drop) }
        });
        assert_eq!(accepting.await.unwrap(), [true, false, true]);
        refused.abort();
        let _aborted = refused.await;
        eventually("all have ended", || client.stats().connections == 0 && server.stats().connections == 0).await;
        let (ours, theirs) = (counts(&client), counts(&server));
        assert_eq!((theirs.completed, theirs.alert_received, theirs.refused), (2, 1, 1));
        assert_eq!((ours.completed, ours.certificate, ours.abandoned + ours.alert_received), (2, 1, 1));
    })
    .await;
}

#[tokio::test]
async fn what_a_connection_dropped_is_told_by_it_and_then_by_its_endpoint() {
    soon(async {
        let pki = TestPki::new();
        let (server, addr) = server(&pki);
        let accepted = tokio::spawn({
            let server = server.clone();
            async move { server.accept().await.unwrap().await.unwrap() }
        });
        let config = client_builder(&pki).with_versions(&[ProtocolVersion::DTLS1_2]).build().unwrap();
        let mut client = Manual::new(Arc::new(config), addr).await;
        client.connect().await;
        let connection = accepted.await.unwrap();
        let mut forged = vec![23, 0xfe, 0xfd, 0, 1, 0, 0, 0, 0, 0x7f, 3, 0, 64];
        forged.extend([7; 64]);
        client.socket.send_to(&forged, addr).await.unwrap();
        let dropped = |stats: &gramseal::ConnectionStats| stats.protocol.discards.get(Discard::BadTag);
        eventually("it is dropped", || dropped(&connection.stats()) == 1).await;
        assert_eq!(server.stats().discards_of_ended.total(), 0);
        connection.close().await;
        assert_eq!(server.stats().discards_of_ended.get(Discard::BadTag), 1);
    })
    .await;
}

#[cfg(feature = "tracing")]
mod spans {
    use std::fmt::Debug;
    use std::sync::{Arc, Mutex};

    use super::*;
    use tracing::field::{Field, Visit};
    use tracing::span::{Attributes, Id, Record};
    use tracing::{Event, Metadata, Subscriber};

    /// Notes what is told, and in which span.
    #[derive(Clone, Default)]
    struct Listener(Arc<Mutex<Told>>);

    #[derive(Default)]
    struct Told {
        spans: u64,
        entered: Vec<u64>,
        events: Vec<(bool, String)>,
    }

    struct Text(String);

    impl Visit for Text {
        fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
            self.0.push_str(&format!("{}={value:?} ", field.name()));
        }
    }

    impl Subscriber for Listener {
        fn enabled(&self, metadata: &Metadata<'_>) -> bool {
            metadata.target().starts_with("gramseal")
        }

        fn new_span(&self, _: &Attributes<'_>) -> Id {
            let mut told = self.0.lock().unwrap();
            told.spans += 1;
            Id::from_u64(told.spans)
        }

        fn record(&self, _: &Id, _: &Record<'_>) {}

        fn record_follows_from(&self, _: &Id, _: &Id) {}

        fn event(&self, event: &Event<'_>) {
            let mut text = Text(String::new());
            event.record(&mut text);
            let mut told = self.0.lock().unwrap();
            let inside = !told.entered.is_empty();
            told.events.push((inside, text.0));
        }

        fn enter(&self, span: &Id) {
            self.0.lock().unwrap().entered.push(span.into_u64());
        }

        fn exit(&self, _: &Id) {
            self.0.lock().unwrap().entered.pop();
        }
    }

    #[tokio::test]
    async fn a_connection_tells_its_life_in_a_span() {
        let listener = Listener::default();
        // One thread runs all of it.
        let _listening = tracing::subscriber::set_default(listener.clone());
        soon(async {
            let pki = TestPki::new();
            let (server, client) = (server(&pki).0, Endpoint::client(LOOPBACK).unwrap());
            let (ours, theirs) = pair(&server, &client, client_config(&pki)).await;
            let stranger = tokio::net::UdpSocket::bind(LOOPBACK).await.unwrap();
            stranger.send_to(&[0x3f; 60], server.local_addr().unwrap()).await.unwrap();
            eventually("it is dropped", || server.stats().routing.discards.total() == 1).await;
            ours.close().await;
            theirs.closed().await;
        })
        .await;
        let told = listener.0.lock().unwrap();
        assert_eq!(told.spans, 2, "one for each side");
        let count = |text: &str| told.events.iter().filter(|(_, event)| event.contains(text)).count();
        assert_eq!((count("message=connected"), count("message=closed"), count("unknown_cid")), (2, 2, 1));
        assert!(told.events.iter().all(|(inside, event)| *inside != event.contains("unknown_cid")));
    }
}

#[cfg(feature = "metrics")]
mod recorder {
    use std::collections::HashMap;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::sync::{Arc, Mutex};

    use super::*;
    use metrics::{Counter, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit};

    /// Keeps the newest value of each counter.
    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<HashMap<Key, Arc<AtomicU64>>>>);

    impl Kept {
        fn place(&self, key: &Key) -> Arc<AtomicU64> {
            Arc::clone(self.0.lock().unwrap().entry(key.clone()).or_default())
        }

        fn sum(&self, name: &str, label: Option<&str>) -> u64 {
            let counters = self.0.lock().unwrap();
            let wanted = |key: &Key| {
                key.name() == name && label.is_none_or(|label| key.labels().any(|each| each.value() == label))
            };
            counters.iter().filter(|(key, _)| wanted(key)).map(|(_, value)| value.load(Ordering::Relaxed)).sum()
        }
    }

    impl Recorder for Kept {
        fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

        fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

        fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

        fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
            Counter::from_arc(self.place(key))
        }

        fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
            Gauge::from_arc(self.place(key))
        }

        fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
            Histogram::noop()
        }
    }

    #[tokio::test]
    async fn a_recorder_hears_each_second() {
        let kept = Kept::default();
        metrics::set_global_recorder(kept.clone()).unwrap();
        soon(async {
            let pki = TestPki::new();
            let (server, client) = (server(&pki).0, Endpoint::client(LOOPBACK).unwrap());
            let (_ours, _theirs) = pair(&server, &client, client_config(&pki)).await;
            eventually("both endpoints tell", || kept.sum("gramseal_handshakes_total", Some("completed")) >= 2).await;
            assert!(kept.sum("gramseal_datagrams_received_total", None) > 0);
            assert!(kept.sum("gramseal_cookies_sent_total", None) > 0);
        })
        .await;
    }
}
