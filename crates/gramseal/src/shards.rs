//! The shards of an endpoint: sockets with one address, each with a driver and a table of connections of its own.
//!
//! The system spreads peers among the sockets by their address, and the same peer always comes to the same one. What comes
//! to another shard than its connection's is found here, and handed over: datagrams of peers whose address has changed,
//! by a connection id that names its shard, and those of connections that did not begin with a datagram from the peer.
//!
//! Lock order: the lock of the strays is the last. No two tables are locked at once.

use std::collections::hash_map::RandomState;
use std::collections::{BTreeMap, HashMap};
use std::hash::BuildHasher;
use std::net::SocketAddr;
use std::ops::Bound;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::Duration;

use gramseal_proto::config::ServerConfig;
use gramseal_proto::crypto::{CryptoError, SecureRandom};
use gramseal_proto::endpoint::{CookieSecrets, cid_in};
use gramseal_proto::{Cid, CidGenerator, Instant};
use tokio::sync::Notify;
use zeroize::Zeroizing;

use crate::router::{Key, Router};

/// How often the cookie secret that all shards share is renewed.
const ROTATION: Duration = Duration::from_secs(600);

/// So many ids are drawn for each shard before a generator counts as one that has none for it. That happens to one which
/// has some in one of 10^13 cases.
const DRAWS: usize = 30;

/// What all shards of an endpoint share.
#[derive(Debug)]
pub(crate) struct Shards {
    /// Set when all are there. The drivers hold them.
    routers: OnceLock<Vec<Weak<Router>>>,
    names: Option<Arc<Names>>,
    strays: Strays,
    rotation: Option<Rotation>,
    /// For `accept`: a handshake waits, or none will any more.
    pub(crate) accept: Notify,
}

impl Shards {
    /// `names` if there are several; `random` to renew the cookie secret from.
    pub(crate) fn new(names: Option<Names>, random: Option<Arc<dyn SecureRandom>>) -> Self {
        let due = AtomicU64::new((Instant::default() + ROTATION).as_micros());
        Self {
            routers: OnceLock::new(),
            names: names.map(Arc::new),
            strays: Strays::default(),
            rotation: random.map(|random| Rotation { random, due }),
            accept: Notify::new(),
        }
    }

    /// To be called once, before anything else.
    pub(crate) fn set(&self, routers: &[Arc<Router>]) {
        // Nobody sets them a second time.
        let _ = self.routers.set(routers.iter().map(Arc::downgrade).collect());
    }

    pub(crate) const fn is_single(&self) -> bool {
        self.names.is_none()
    }

    /// All of them but those that are gone.
    pub(crate) fn routers(&self) -> impl Iterator<Item = Arc<Router>> + '_ {
        self.routers.get().into_iter().flatten().filter_map(Weak::upgrade)
    }

    fn router(&self, index: usize) -> Option<Arc<Router>> {
        self.routers.get()?.get(index)?.upgrade()
    }

    /// The shard that has the connection of a datagram which came to `asking`, if it is another one.
    #[inline]
    pub(crate) fn owner(&self, asking: &Router, peer: SocketAddr, datagram: &[u8]) -> Option<Arc<Router>> {
        let names = self.names.as_ref()?;
        self.owner_among(names, asking, peer, datagram)
    }

    fn owner_among(&self, names: &Names, asking: &Router, peer: SocketAddr, datagram: &[u8]) -> Option<Arc<Router>> {
        let other = |index: usize| if index == asking.index { None } else { self.router(index) };
        let Some(bytes) = cid_in(datagram) else { return self.strays.at(peer).and_then(other) };
        if asking.knows_cid_in(datagram) {
            return None;
        }
        let named = self.strays.named(bytes).or_else(|| names.shard_of(bytes)).and_then(other);
        // An id that is none any more goes by the address.
        named.filter(|router| router.knows_cid_in(datagram)).or_else(|| self.strays.at(peer).and_then(other))
    }

    /// Notes that the datagrams from `peer` go to a connection, whatever socket they come to.
    pub(crate) fn add_address(&self, shard: usize, key: Key, peer: SocketAddr) {
        if !self.is_single() {
            self.strays.add(shard, key, Stray::Address(peer));
        }
    }

    /// Notes a connection id, if it does not name its shard by itself.
    pub(crate) fn add_cid(&self, shard: usize, key: Key, cid: &Cid) {
        if self.names.as_ref().is_some_and(|names| names.shard_of(cid) != Some(shard)) {
            self.strays.add(shard, key, Stray::Cid(cid.clone()));
        }
    }

    pub(crate) fn remove_cid(&self, shard: usize, key: Key, cid: &Cid) {
        self.strays.remove_cid(shard, key, cid);
    }

    /// Forgets a connection.
    pub(crate) fn forget(&self, shard: usize, key: Key) {
        self.strays.forget(shard, key);
    }

    /// Whether another shard has a connection with this address.
    pub(crate) fn is_elsewhere(&self, asking: usize, peer: SocketAddr) -> bool {
        !self.is_single() && self.routers().any(|router| router.index != asking && router.has(peer))
    }

    /// `config` with ids that name the shard.
    pub(crate) fn adapt(&self, shard: usize, config: Arc<ServerConfig>) -> Arc<ServerConfig> {
        match (&self.names, config.cid_generator()) {
            (Some(names), Some(generator)) => {
                let (generator, names) = (Arc::clone(generator), Arc::clone(names));
                Arc::new(config.with_cid_generator(Arc::new(Naming { generator, names, shard })))
            }
            _ => config,
        }
    }

    /// Wakes the drivers: something has changed for all of them.
    pub(crate) fn wake(&self) {
        self.routers().for_each(|router| router.wake.notify_one());
    }

    /// Whether no shard has anything to do any more. All end together, so that the system does not spread peers anew.
    pub(crate) fn is_finished(&self, asking: &Router) -> bool {
        asking.is_finished() && (self.is_single() || self.routers().all(|router| router.is_finished()))
    }

    /// Renews the cookie secret of all shards when it is time.
    pub(crate) fn rotate_if_due(&self, now: Instant) {
        let Some(rotation) = self.rotation.as_ref().filter(|rotation| rotation.is_due(now)) else { return };
        let mut next = Zeroizing::new([0; CookieSecrets::SECRET_LEN]);
        // If the source fails, the old secret serves on and the next period tries again.
        if rotation.random.fill(&mut *next).is_ok() {
            self.routers().for_each(|router| router.rotate_cookie_secret(&next));
        }
    }
}

#[derive(Debug)]
struct Rotation {
    random: Arc<dyn SecureRandom>,
    /// In microseconds of the endpoint's clock.
    due: AtomicU64,
}

impl Rotation {
    /// Whether it is time; only one caller hears so.
    fn is_due(&self, now: Instant) -> bool {
        let due = self.due.load(Ordering::Relaxed);
        now.as_micros() >= due
            && self
                .due
                .compare_exchange(due, (now + ROTATION).as_micros(), Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
    }
}

/// How connection ids name a shard: by a hash of all their bytes, whose key nobody else has. So ids are as random as
/// those of their generator but for the choice among the shards, have its form, and show the shard to nobody.
#[derive(Debug)]
pub(crate) struct Names {
    key: RandomState,
    shards: usize,
    /// Of all ids that name a shard, in bytes.
    cid_len: usize,
}

impl Names {
    /// For ids from the generator of `config`, if it has one; `None` if that has no ids for some of the shards.
    pub(crate) fn new(shards: usize, config: Option<&ServerConfig>) -> Option<Self> {
        let mut names = Self { key: RandomState::new(), shards, cid_len: 0 };
        let Some((config, generator)) = config.and_then(|config| Some((config, config.cid_generator()?))) else {
            return Some(names);
        };
        let random = &*config.provider().random;
        names.cid_len = generator.generate(random).ok()?.len();
        (0..shards).all(|shard| names.draw(shard, &**generator, random).is_ok_and(|cid| cid.is_some())).then_some(names)
    }

    /// The shard of an id that `bytes` begin with.
    fn shard_of(&self, bytes: &[u8]) -> Option<usize> {
        let cid = bytes.get(..self.cid_len).filter(|cid| !cid.is_empty())?;
        let count = u64::try_from(self.shards).ok()?;
        usize::try_from(self.key.hash_one(cid) % count).ok()
    }

    /// An id that names `shard`; `None` if the generator seems to have none.
    fn draw(
        &self,
        shard: usize,
        generator: &dyn CidGenerator,
        random: &dyn SecureRandom,
    ) -> Result<Option<Cid>, CryptoError> {
        for _ in 0..self.shards.saturating_mul(DRAWS) {
            let cid = generator.generate(random)?;
            if cid.len() == self.cid_len && self.shard_of(&cid) == Some(shard) {
                return Ok(Some(cid));
            }
        }
        Ok(None)
    }
}

/// Makes ids that name a shard.
#[derive(Debug)]
struct Naming {
    generator: Arc<dyn CidGenerator>,
    names: Arc<Names>,
    shard: usize,
}

impl CidGenerator for Naming {
    fn generate(&self, random: &dyn SecureRandom) -> Result<Cid, CryptoError> {
        match self.names.draw(self.shard, &*self.generator, random)? {
            Some(cid) => Ok(cid),
            // Of another configuration than the endpoint's. It will be a stray.
            None => self.generator.generate(random),
        }
    }
}

/// What leads to a connection and does not name its shard: ids from another process or another configuration, and the
/// addresses of peers that the system did not choose the shard for.
#[derive(Debug, Default)]
struct Strays {
    /// So that nobody takes the lock while there are none.
    count: AtomicUsize,
    known: Mutex<KnownStrays>,
}

#[derive(Debug, Default)]
struct KnownStrays {
    addresses: HashMap<SocketAddr, (usize, Key)>,
    cids: BTreeMap<Cid, (usize, Key)>,
    of: HashMap<(usize, Key), Vec<Stray>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Stray {
    Address(SocketAddr),
    Cid(Cid),
}

impl Strays {
    fn at(&self, peer: SocketAddr) -> Option<usize> {
        self.lock()?.addresses.get(&peer).map(|(shard, _)| *shard)
    }

    fn named(&self, bytes: &[u8]) -> Option<usize> {
        let known = self.lock()?;
        let (cid, (shard, _)) = known.cids.range::<[u8], _>((Bound::Unbounded, Bound::Included(bytes))).next_back()?;
        bytes.starts_with(cid).then_some(*shard)
    }

    fn add(&self, shard: usize, key: Key, stray: Stray) {
        self.count.fetch_add(1, Ordering::Release);
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        match &stray {
            Stray::Address(peer) => drop(known.addresses.insert(*peer, (shard, key))),
            Stray::Cid(cid) => drop(known.cids.insert(cid.clone(), (shard, key))),
        }
        known.of.entry((shard, key)).or_default().push(stray);
    }

    fn remove_cid(&self, shard: usize, key: Key, cid: &Cid) {
        let Some(mut known) = self.lock() else { return };
        let Some(strays) = known.of.get_mut(&(shard, key)) else { return };
        let Some(at) = strays.iter().position(|stray| matches!(stray, Stray::Cid(other) if other == cid)) else {
            return;
        };
        let stray = strays.swap_remove(at);
        self.erase(&mut known, (shard, key), &stray);
    }

    fn forget(&self, shard: usize, key: Key) {
        let Some(mut known) = self.lock() else { return };
        for stray in known.of.remove(&(shard, key)).unwrap_or_default() {
            self.erase(&mut known, (shard, key), &stray);
        }
    }

    /// Takes a stray out of its map, unless another connection has it by now.
    fn erase(&self, known: &mut KnownStrays, whose: (usize, Key), stray: &Stray) {
        self.count.fetch_sub(1, Ordering::Release);
        match stray {
            Stray::Address(peer) if known.addresses.get(peer) == Some(&whose) => drop(known.addresses.remove(peer)),
            Stray::Cid(cid) if known.cids.get(cid) == Some(&whose) => drop(known.cids.remove(cid)),
            Stray::Address(_) | Stray::Cid(_) => {}
        }
    }

    /// `None` if there are none.
    fn lock(&self) -> Option<MutexGuard<'_, KnownStrays>> {
        let any = self.count.load(Ordering::Acquire) > 0;
        any.then(|| self.known.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
