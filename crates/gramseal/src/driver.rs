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
    while !router.shards.is_finished(router) {
        router.fire_timers(router.clock.now(), &mut scratch);
        let deadline = router.timers.next().map(|moment| router.clock.when(moment));
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
