//! The tunnels of this process.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, timeout_at};

use super::client::ClientTunnel;
use super::plan::{Plan, ServerPlan};
use super::server::ServerTunnel;
use super::state::Found;
use super::stop::{self, Stopper};
use crate::args::TunnelServerArgs;
use crate::failure::Failure;

/// All that run, and their tasks.
#[derive(Default)]
pub(super) struct Running {
    tunnels: Vec<Tunnel>,
    tasks: JoinSet<Result<(), Failure>>,
}

struct Tunnel {
    end: End,
    stopper: Stopper,
}

enum End {
    Client(Arc<ClientTunnel>),
    Server(Arc<ServerTunnel>),
}

impl End {
    /// Whether this is the tunnel that `plan` means: an end of the same kind at the same address.
    fn is_meant(&self, plan: &Plan) -> bool {
        match (self, plan) {
            (Self::Client(tunnel), Plan::Client(plan)) => tunnel.plan().address == plan.address,
            (Self::Server(tunnel), Plan::Server(plan)) => tunnel.plan().address == plan.address,
            (Self::Client(_), Plan::Server(_)) | (Self::Server(_), Plan::Client(_)) => false,
        }
    }

    fn find_state(&self) -> Result<Option<Found>, Failure> {
        match self {
            Self::Client(_) => Ok(None),
            Self::Server(tunnel) => tunnel.find_state(),
        }
    }

    fn make_state_key(&self) -> Result<(), Failure> {
        match self {
            Self::Client(_) => Ok(()),
            Self::Server(tunnel) => tunnel.plan().make_state_key(),
        }
    }

    fn replan(&self, plan: Plan) {
        match (self, plan) {
            (Self::Client(tunnel), Plan::Client(plan)) => tunnel.replan(plan),
            (Self::Server(tunnel), Plan::Server(plan)) => tunnel.replan(plan),
            (Self::Client(_), Plan::Server(_)) | (Self::Server(_), Plan::Client(_)) => {}
        }
    }

    /// What a server says before a handshake begins, its endpoint has from the start.
    fn check(&self, plan: &Plan) -> Result<(), Failure> {
        let (Self::Server(tunnel), Plan::Server(plan)) = (self, plan) else { return Ok(()) };
        if tunnel.plan().args.protocol == plan.args.protocol {
            return Ok(());
        }
        let listen = &plan.args.listen;
        Err(Failure::usage(format!("the server at {listen} changes how it speaks DTLS with a restart only")))
    }
}

impl Running {
    /// Starts the tunnels of `plans` that do not run, gives plans to those that do, and ends the others, for which it
    /// takes at most as long as `drain` says. On failure nothing changes, but that keys for state files may be there.
    pub(super) fn apply(&mut self, plans: Vec<Plan>, drain: Duration) -> Result<(), Failure> {
        let mut left: Vec<usize> = (0..self.tunnels.len()).collect();
        let (mut changed, mut begun) = (Vec::new(), Vec::new());
        for plan in plans {
            match left.iter().position(|at| self.tunnels[*at].end.is_meant(&plan)) {
                Some(found) => {
                    let at = left.remove(found);
                    self.tunnels[at].end.check(&plan)?;
                    changed.push((at, plan));
                }
                None => begun.push(bind(plan)?),
            }
        }
        // All files are read before the first is removed.
        let found = begun.iter().map(End::find_state).collect::<Result<Vec<_>, _>>()?;
        for (_, plan) in &changed {
            plan.make_state_key()?;
        }
        for end in &begun {
            end.make_state_key()?;
        }
        // Nothing fails from here on: what is wrong with a state file, its server tells.
        for (at, plan) in changed {
            self.tunnels[at].end.replan(plan);
        }
        for at in left.into_iter().rev() {
            self.tunnels.remove(at).stopper.stop(Instant::now() + drain);
        }
        for (end, found) in begun.into_iter().zip(found) {
            let (stopper, stop) = stop::channel();
            match &end {
                End::Client(tunnel) => self.tasks.spawn(Arc::clone(tunnel).run(stop)),
                End::Server(tunnel) => {
                    let state = found.and_then(|found| tunnel.take_state(found));
                    self.tasks.spawn(Arc::clone(tunnel).run(state, stop))
                }
            };
            self.tunnels.push(Tunnel { end, stopper });
        }
        Ok(())
    }

    /// The plan of the server that runs where `args` want one.
    pub(super) fn server_plan(&self, args: &TunnelServerArgs) -> Option<Arc<ServerPlan>> {
        let servers = self.tunnels.iter().filter_map(|tunnel| match &tunnel.end {
            End::Server(server) => Some(server.plan()),
            End::Client(_) => None,
        });
        servers.into_iter().find(|plan| plan.args.listen == args.listen)
    }

    /// Waits until a tunnel fails.
    pub(super) async fn failed(&mut self) -> Failure {
        loop {
            match self.tasks.join_next().await {
                Some(ended) => {
                    if let Err(failure) = flatten(ended) {
                        return failure;
                    }
                }
                None => std::future::pending().await,
            }
        }
    }

    /// Ends all of them, until `deadline`.
    pub(super) async fn end(&mut self, deadline: Instant) -> Result<(), Failure> {
        for tunnel in self.tunnels.drain(..) {
            tunnel.stopper.stop(deadline);
        }
        let mut result = Ok(());
        // A moment for writing state files.
        let late = deadline + Duration::from_secs(2);
        while let Ok(Some(ended)) = timeout_at(late, self.tasks.join_next()).await {
            let ended = flatten(ended);
            result = result.and(ended);
        }
        result
    }
}

fn bind(plan: Plan) -> Result<End, Failure> {
    Ok(match plan {
        Plan::Client(plan) => End::Client(Arc::new(ClientTunnel::bind(plan)?)),
        Plan::Server(plan) => End::Server(Arc::new(ServerTunnel::bind(plan)?)),
    })
}

fn flatten(ended: Result<Result<(), Failure>, JoinError>) -> Result<(), Failure> {
    ended.unwrap_or_else(|panic| Err(Failure::connection(panic)))
}
