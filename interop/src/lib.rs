//! gramseal against other implementations of DTLS, over real UDP on the loopback interface.
//!
//! Owns what the tests share: a blocking driver for our side ([`Node`]), the peers as child
//! processes ([`openssl`], [`gnutls`], [`compiled`]) and the setting up of both. It tests nothing
//! by itself.

mod check;
pub mod cids;
mod command_line;
pub mod compiled;
pub mod gnutls;
mod nat;
mod network;
mod node;
pub mod openssl;
mod process;
pub mod program;
pub mod psk;
pub mod sessions;
mod setup;
mod storm;
mod watch;

use std::fmt::Debug;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

pub use nat::Nat;
pub use network::Weather;
pub use node::Node;
pub use process::Process;
pub use setup::{
    FRAGMENT_LENGTHS, Folder, SERVER_NAME, client, default_client, default_server, identity, pieces, pki, provider,
    pure_rust, raw_identity, server, trust, trust_ecdsa, trust_key, wide,
};
pub use storm::{in_storms, stormy_client, stormy_server};
pub use watch::{Log, Watch};

/// How long anything may take before a test fails.
pub const PATIENCE: Duration = Duration::from_secs(40);

/// How many cases of one test run at a time: they wait more than they compute.
const PARALLEL: usize = 6;

/// Runs `test` on every case, several at a time, and fails with the names of those that failed.
///
/// # Panics
/// If a case does.
pub fn for_each<C: Debug + Sync>(cases: &[C], test: impl Fn(&C) + Sync) {
    let next = AtomicUsize::new(0);
    let work = || {
        let mut failed = Vec::new();
        while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
            if catch_unwind(AssertUnwindSafe(|| test(case))).is_err() {
                failed.push(format!("{case:?}"));
            }
        }
        failed
    };
    let failed: Vec<String> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..PARALLEL.min(cases.len())).map(|_| scope.spawn(work)).collect();
        workers.into_iter().flat_map(|worker| worker.join().expect("panics are caught inside")).collect()
    });
    assert!(failed.is_empty(), "failed cases:\n{}", failed.join("\n"));
}
