//! The task of a shard of an endpoint: waits for datagrams and deadlines, and hands them out.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::router::Router;
use crate::socket::Batch;

/// After this many failures in a row, the socket gets time to recover.
const FAILURES: u32 = 8;
const RECOVERY: Duration = Duration::from_millis(10);

/// Runs until the endpoint is closed, or nobody holds it or a connection of it any more.
pub(crate) async fn run(router: Arc<Router>) {
    let guard = Guard { router };
    let router = &*guard.router;
    let mut batch = Batch::new();
    let mut scratch = Vec::new();
    let mut failures = 0;
    #[cfg_attr(not(feature = "metrics"), expect(unused_mut, reason = "it has a time then"))]
    let mut report = Report::new(router);
    while !router.shards.is_finished(router) {
        router.fire_timers(router.clock.now(), &mut scratch);
        let next_report = report.publish_if_due(router);
        let deadline = router.timers.next().map(|moment| router.clock.when(moment));
        let deadline = deadline.into_iter().chain(next_report).min();
        let received = tokio::select! {
            // Timers cannot starve: they are looked at in every round.
            biased;
            received = router.socket.receive(&mut batch) => received,
            () = router.wake.notified() => continue,
            () = until(deadline) => continue,
        };
        if received.is_ok() {
            failures = 0;
            let now = router.clock.now();
            router.shards.rotate_if_due(now);
            for (path, run, stride) in batch.runs() {
                router.socket.received.add(run.len().div_ceil(stride) as u64);
                router.handle(now, path, run, stride, &mut scratch);
            }
            // Lets receivers fetch what came before their queues overflow.
            tokio::task::yield_now().await;
        } else {
            // Counted. An ICMP message may be behind it, and anybody can forge one.
            failures += 1;
            if failures > FAILURES {
                tokio::time::sleep(RECOVERY).await;
            }
        }
    }
}

/// Tells a recorder of metrics each second what a shard has counted, if there may be one.
#[cfg(feature = "metrics")]
struct Report {
    endpoint: String,
    due: Instant,
}

#[cfg(feature = "metrics")]
impl Report {
    const PERIOD: Duration = Duration::from_secs(1);

    fn new(router: &Router) -> Self {
        let endpoint = router.socket.local_addr().map(|addr| addr.to_string()).unwrap_or_default();
        Self { endpoint, due: Instant::now() }
    }

    fn publish_if_due(&mut self, router: &Router) -> Option<Instant> {
        let now = Instant::now();
        if self.due <= now {
            self.due = now + Self::PERIOD;
            crate::meters::publish(&self.endpoint, router.index, &router.stats());
        }
        Some(self.due)
    }
}

#[cfg(not(feature = "metrics"))]
struct Report;

#[cfg(not(feature = "metrics"))]
#[expect(clippy::unused_self, reason = "the same calls as with the feature")]
impl Report {
    fn new(_: &Router) -> Self {
        Self
    }

    fn publish_if_due(&self, _: &Router) -> Option<Instant> {
        None
    }
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

/// Tells the connections when the driver ends, also by a panic or with its runtime.
struct Guard {
    router: Arc<Router>,
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.router.abandon();
    }
}
