//! The client end of a tunnel: one local socket, and a connection for each address that sends to it.
//!
//! What a sender sends is sealed on the task that receives it, so that nothing waits in between. Handshakes, answers and
//! ends are the affair of a task for each sender (`sender.rs`).

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::task::JoinSet;
use tokio::time::timeout_at;

use super::burst::Burst;
use super::counts::{Counts, Dropped};
use super::places::Bounds;
use super::plan::ClientPlan;
use super::sender::{Sender, Taken};
use super::senders::Senders;
use super::socket;
use super::stop::Stop;
use crate::client::{self, Established};
use crate::failure::Failure;
use crate::output::Output;

/// A client end that runs.
pub(super) struct ClientTunnel {
    pub(super) name: String,
    pub(super) socket: UdpSocket,
    pub(super) counts: Counts,
    plan: Mutex<Arc<ClientPlan>>,
    senders: Mutex<Senders>,
    /// That there are too many senders was told.
    told_full: AtomicBool,
}

impl ClientTunnel {
    /// Binds the socket.
    pub(super) fn bind(plan: ClientPlan) -> Result<Self, Failure> {
        let socket = socket::bind(plan.address, plan.args.flow.socket_buffer)?;
        let socket = UdpSocket::from_std(socket).map_err(Failure::connection)?;
        let name = plan.args.listen.clone();
        let address = socket.local_addr().map_err(Failure::connection)?;
        tracing::info!(tunnel = %name, %address, connect = %plan.args.connect, "tunnel client listens");
        if !address.ip().to_canonical().is_loopback() {
            tracing::warn!(
                tunnel = %name, %address,
                "others than this machine's programs can send into the tunnel, also with forged addresses"
            );
        }
        let tunnel = Self {
            counts: Counts::new(&name),
            name,
            socket,
            plan: Mutex::new(Arc::new(plan)),
            senders: Mutex::default(),
            told_full: AtomicBool::new(false),
        };
        tunnel.warn();
        Ok(tunnel)
    }

    /// What is right is told, in case it is not meant.
    fn warn(&self) {
        for warning in self.plan().warnings() {
            tracing::warn!(tunnel = %self.name, "{warning}");
        }
    }

    pub(super) fn plan(&self) -> Arc<ClientPlan> {
        Arc::clone(&self.plan.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Does as `plan` says from now on; connections go on.
    pub(super) fn replan(&self, mut plan: ClientPlan) {
        socket::keep_buffer(&self.name, self.plan().args.flow.socket_buffer, &mut plan.args.flow.socket_buffer);
        *self.plan.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(plan);
        self.warn();
    }

    /// Serves until `stop`; connections are closed in good order then.
    pub(super) async fn run(self: Arc<Self>, mut stop: Stop) -> Result<(), Failure> {
        let mut tasks = JoinSet::new();
        let mut burst = Burst::new();
        let deadline = loop {
            tokio::select! {
                ready = self.socket.readable() => {
                    ready.map_err(Failure::connection)?;
                    // A local program that is gone, says ICMP; that is no fault of this socket.
                    self.counts.drop_many(Dropped::LocalProgram, burst.fill(&self.socket));
                    burst.by_sender(|from, payloads| self.take(from, payloads, &mut tasks, &stop));
                }
                Some(_) = tasks.join_next(), if !tasks.is_empty() => {}
                deadline = stop.wanted() => break deadline,
            }
        };
        // Those that are not done by then are ended with the process.
        let late = deadline + Duration::from_secs(1);
        while let Ok(Some(_)) = timeout_at(late, tasks.join_next()).await {}
        Ok(())
    }

    /// A local program has sent something.
    fn take(self: &Arc<Self>, from: SocketAddr, payloads: &[&[u8]], tasks: &mut JoinSet<()>, stop: &Stop) {
        let known = self.senders().find(from);
        if let Some(sender) = known
            && sender.take(self, payloads) == Taken::Yes
        {
            return;
        }
        let bounds = Bounds::new(&self.plan().args.flow, from);
        let begun = self.senders().begin(from, bounds);
        let sender = match begun {
            Ok(sender) => sender,
            Err(reason) => {
                self.counts.drop_many(reason, payloads.len());
                if !self.told_full.swap(true, Ordering::Relaxed) {
                    let Bounds { all, of_network } = bounds;
                    let what = match reason {
                        Dropped::TooManyOfNetwork => "there are too many senders of one network",
                        _ => "there are too many senders",
                    };
                    tracing::warn!(tunnel = %self.name, sender = %from, all, of_network, "{what}: others get nothing");
                }
                return;
            }
        };
        sender.take(self, payloads);
        let (tunnel, stop) = (Arc::clone(self), stop.clone());
        tasks.spawn(async move {
            sender.serve(&tunnel, stop).await;
            tunnel.forget(&sender);
        });
    }

    /// A sender's task has ended.
    fn forget(&self, sender: &Arc<Sender>) {
        self.senders().forget(sender);
        self.told_full.store(false, Ordering::Relaxed);
    }

    fn senders(&self) -> MutexGuard<'_, Senders> {
        self.senders.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A new connection to the server.
    pub(super) async fn connect(&self) -> Result<Established, Failure> {
        let plan = self.plan();
        let connected = async {
            let addresses = client::resolve(&plan.args.connect).await?;
            let quiet = Output::new(false, false);
            client::connect(&addresses, plan.server_name(), &plan.config, None, quiet).await
        };
        let connected = connected.await;
        match &connected {
            Ok(established) => self.counts.established(&established.connection),
            Err(error) => self.counts.failed(error),
        }
        connected
    }
}
