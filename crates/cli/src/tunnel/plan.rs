//! What a tunnel is to do: options, and what was read from the files that they name.
//!
//! A plan is made at the start and again at each reload, always as a whole: one that cannot be made changes nothing.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use gramseal::proto::config::{ClientAuth, ClientConfig, ServerConfig};
use gramseal::sessions;

use super::state::StateKey;
use crate::args::{FlowArgs, ProtocolArgs, TunnelClientArgs, TunnelServerArgs};
use crate::auth;
use crate::failure::{Failure, Remark};
use crate::identity::Own;
use crate::private;
use crate::setup::{Settings, listen_address};

/// What [`ServerPlan::is_open`] means for who runs the server.
const OPEN: &str = "everybody reaches the target; known clients alone do with client-ca and \
    require-client-cert, with fingerprint or raw-public-key, or with shared keys and no certificate of the server";

/// Bytes in the connection ids of a tunnel that is not told otherwise.
const CID_LEN: u8 = 8;

/// One tunnel of either kind.
pub(super) enum Plan {
    Client(ClientPlan),
    Server(ServerPlan),
}

pub(super) struct ClientPlan {
    pub(super) args: TunnelClientArgs,
    pub(super) address: SocketAddr,
    pub(super) config: Arc<ClientConfig>,
}

pub(super) struct ServerPlan {
    pub(super) args: TunnelServerArgs,
    pub(super) address: SocketAddr,
    pub(super) config: Arc<ServerConfig>,
    /// `None` where keys alone authenticate the server.
    pub(super) own: Option<Own>,
    /// Whether clients get in that do not say who they are.
    pub(super) is_open: bool,
    /// Of `--state-key`; `None` without `--state`, or as long as there is no such file.
    state_key: Mutex<Option<Arc<StateKey>>>,
}

impl Plan {
    pub(super) fn address(&self) -> SocketAddr {
        match self {
            Self::Client(plan) => plan.address,
            Self::Server(plan) => plan.address,
        }
    }

    /// What whoever runs it should know.
    pub(super) fn warnings(&self) -> Vec<Remark> {
        match self {
            Self::Client(plan) => plan.warnings(),
            Self::Server(plan) => plan.warnings(),
        }
    }

    /// The key of its state file, if it has one; makes one if there is none.
    pub(super) fn make_state_key(&self) -> Result<(), Failure> {
        match self {
            Self::Client(_) => Ok(()),
            Self::Server(plan) => plan.make_state_key(),
        }
    }

    /// Where its connections go when the process ends.
    pub(super) fn state(&self) -> Option<&Path> {
        match self {
            Self::Client(_) => None,
            Self::Server(plan) => plan.args.state.as_deref(),
        }
    }
}

impl ClientPlan {
    /// Reads what the options name.
    pub(super) fn new(args: TunnelClientArgs) -> Result<Self, Failure> {
        let address = listen_address(&args.listen)?;
        let mut settings = settings(&args.protocol)?;
        // Sessions of before a reload are forgotten: they stand for what was trusted then.
        settings.session_store = Some(sessions::client_cache());
        let config = settings.client(auth::trust(&args.auth)?, auth::client_identity(&args.auth)?)?;
        check_flow(&args.flow)?;
        Ok(Self { args, address, config })
    }

    /// What whoever runs it should know.
    pub(super) fn warnings(&self) -> Vec<Remark> {
        let auth = &self.args.auth;
        private::exposed(auth.identity.key.iter().chain(&auth.psk_file)).collect()
    }

    /// The name that the server has to prove.
    pub(super) fn server_name(&self) -> &str {
        self.args.auth.name.as_deref().unwrap_or(&self.args.connect.host)
    }

    /// How long silence lasts before somebody asks; `None` where nobody does.
    pub(super) fn patience(&self) -> Option<Duration> {
        Some(self.args.reconnect_after).filter(|patience| !patience.is_zero())
    }
}

impl ServerPlan {
    /// Reads what the options name. A certificate made on the spot stays that of `before`.
    pub(super) fn new(args: TunnelServerArgs, before: Option<&Self>) -> Result<Self, Failure> {
        let address = listen_address(&args.listen)?;
        let mut settings = settings(&args.protocol)?;
        settings.tickets = args.tickets;
        let kept = before
            .filter(|before| args.auth.self_signed.is_some() && before.args.auth.self_signed == args.auth.self_signed);
        let own = match kept {
            Some(before) => before.own.clone(),
            None => auth::own_identity(&args.auth, &args.protocol.suites)?,
        };
        let psks = auth::psks(&args.auth)?;
        if own.is_none() && psks.is_empty() {
            return Err(Failure::usage("a tunnel server needs --cert and --key, --psk-file or --self-signed"));
        }
        let identity = own.as_ref().map(|own| own.identity.clone());
        let client_auth = auth::client_auth(&args.auth)?;
        // Without a certificate of the server, clients need a key.
        let is_open = own.is_some() && !matches!(client_auth, ClientAuth::Required(_));
        let config = settings.server(identity, psks, client_auth)?;
        check_flow(&args.flow)?;
        let state_key = match state_key_file(&args) {
            Some(file) => StateKey::read(&file)?.map(Arc::new),
            None => None,
        };
        let state_key = Mutex::new(state_key);
        Ok(Self { args, address, config, own, is_open, state_key })
    }

    /// What whoever runs it should know.
    pub(super) fn warnings(&self) -> Vec<Remark> {
        let auth = &self.args.auth;
        let open = self.is_open.then(|| Remark::new(OPEN));
        open.into_iter().chain(private::exposed(auth.identity.key.iter().chain(&auth.psk_file))).collect()
    }

    /// The key of the state file; makes one if there is none.
    pub(super) fn make_state_key(&self) -> Result<(), Failure> {
        let mut key = self.lock_state_key();
        if let Some(file) = state_key_file(&self.args).filter(|_| key.is_none()) {
            *key = Some(Arc::new(StateKey::create(&file)?));
        }
        Ok(())
    }

    /// Puts a fresh key into its file, so that nothing opens any more what was sealed before. Not where the options name
    /// the file: its content is somebody else's affair.
    pub(super) fn renew_state_key(&self) -> Result<(), Failure> {
        if let Some(file) = state_key_file(&self.args).filter(|_| self.args.state_key.is_none()) {
            *self.lock_state_key() = Some(Arc::new(StateKey::create(&file)?));
        }
        Ok(())
    }

    /// `None` without `--state`, or before there is one.
    pub(super) fn state_key(&self) -> Option<Arc<StateKey>> {
        self.lock_state_key().clone()
    }

    fn lock_state_key(&self) -> MutexGuard<'_, Option<Arc<StateKey>>> {
        self.state_key.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn state_key_file(args: &TunnelServerArgs) -> Option<PathBuf> {
    let state = args.state.as_ref()?;
    Some(args.state_key.clone().unwrap_or_else(|| {
        let mut name = state.as_os_str().to_owned();
        name.push(".key");
        name.into()
    }))
}

fn settings(protocol: &ProtocolArgs) -> Result<Settings, Failure> {
    // Senders outlive addresses: NAT gives new ones after a pause.
    let protocol = ProtocolArgs { cid: protocol.cid.or(Some(CID_LEN)), ..protocol.clone() };
    let mut settings = Settings::new(&protocol)?;
    // The tunnel itself ends what is idle.
    settings.transport.idle_timeout = None;
    Ok(settings)
}

fn check_flow(flow: &FlowArgs) -> Result<(), Failure> {
    if flow.max_senders == 0 {
        return Err(Failure::option("max-senders", "is at least 1"));
    }
    if flow.max_senders_per_network == Some(0) {
        return Err(Failure::usage("--max-senders-per-network is at least 1"));
    }
    if flow.idle.is_zero() {
        return Err(Failure::option("idle", "is longer than 0 seconds"));
    }
    Ok(())
}
