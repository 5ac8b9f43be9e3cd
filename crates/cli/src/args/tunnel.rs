//! Options of `gramseal tunnel`. Those of its two ends are also the keys of the tables of a configuration file.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};

use super::{ClientAuthArgs, ProtocolArgs, ServerAuthArgs, Target, parse_seconds, parse_target};

#[derive(Debug, Clone, Args)]
#[command(arg_required_else_help = true, subcommand_negates_reqs = true, args_conflicts_with_subcommands = true)]
pub(crate) struct TunnelArgs {
    /// Run all tunnels in FILE (TOML): a table [[client]] or [[server]] for each, whose keys are the options of
    /// `gramseal tunnel client` and `server`, and above them the options for all of them
    #[arg(long, value_name = "FILE", required = true)]
    pub(crate) config: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) service: ServiceArgs,

    #[command(subcommand)]
    pub(crate) command: Option<TunnelCommand>,
}

#[derive(Debug, Clone, Subcommand)]
pub(crate) enum TunnelCommand {
    /// Carry what local programs send to a tunnel server
    Client(Single<TunnelClientArgs>),
    /// Accept tunnel clients and pass on what they carry
    Server(Single<TunnelServerArgs>),
}

/// One tunnel and the process that runs it.
#[derive(Debug, Clone, Args)]
pub(crate) struct Single<T: Args> {
    #[command(flatten)]
    pub(crate) tunnel: T,

    #[command(flatten)]
    pub(crate) service: ServiceArgs,
}

/// What all tunnels of a process share.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
#[command(next_help_heading = "Service")]
pub(crate) struct ServiceArgs {
    /// Answer HTTP requests for /metrics (in the format of Prometheus) and /health at ADDR
    #[arg(long, value_name = "ADDR")]
    pub(crate) metrics: Option<SocketAddr>,

    /// What to log to standard error: error, warn, info, debug or trace, also for single parts, as in
    /// `info,gramseal=debug` [default: $RUST_LOG, or info]
    #[arg(long, value_name = "LEVEL")]
    pub(crate) log: Option<String>,

    /// How to log [default: text]
    #[arg(long, value_name = "FORMAT", value_enum)]
    pub(crate) log_format: Option<LogFormat>,

    /// How long SIGTERM may take to end all connections in good order, in seconds [default: 5]
    #[arg(long, value_name = "SECONDS", value_parser = parse_seconds)]
    pub(crate) drain: Option<Duration>,
}

impl ServiceArgs {
    /// These, and from `other` what these do not say.
    pub(crate) fn or(self, other: Self) -> Self {
        Self {
            metrics: self.metrics.or(other.metrics),
            log: self.log.or(other.log),
            log_format: self.log_format.or(other.log_format),
            drain: self.drain.or(other.drain),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// One line for people
    Text,
    /// One JSON object per line
    Json,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct TunnelClientArgs {
    /// Address and UDP port that local programs send to
    #[arg(long, value_name = "ADDR")]
    pub(crate) listen: String,

    /// The tunnel server; an IPv6 address in brackets
    #[arg(long, value_name = "HOST:PORT", value_parser = parse_target)]
    pub(crate) connect: Target,

    /// Connect anew if a local program sends and nothing has come back for so long, in seconds; 0 never does. A server
    /// of DTLS 1.3 that is silent but there says so when it is asked, and keeps its connection; 1.2 cannot ask
    #[arg(long, value_name = "SECONDS", default_value = "20", value_parser = parse_seconds)]
    pub(crate) reconnect_after: Duration,

    #[command(flatten)]
    pub(crate) flow: FlowArgs,

    #[command(flatten)]
    pub(crate) auth: ClientAuthArgs,

    #[command(flatten)]
    pub(crate) protocol: ProtocolArgs,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct TunnelServerArgs {
    /// Address and UDP port that tunnel clients connect to
    #[arg(long, value_name = "ADDR", default_value = "[::]:4433")]
    pub(crate) listen: String,

    /// Where to pass on what clients carry; an IPv6 address in brackets
    #[arg(long, value_name = "HOST:PORT", value_parser = parse_target)]
    pub(crate) forward: Target,

    /// How many tickets to give each client, to resume its session with (RFC 5077, RFC 9846); 0 for none
    #[arg(long, value_name = "N", default_value = "1")]
    pub(crate) tickets: u8,

    /// On SIGTERM put the connections into FILE instead of closing them, and go on with those that are there at the
    /// start. Each of them is used once: FILE is removed when it is read
    #[arg(long, value_name = "FILE")]
    pub(crate) state: Option<PathBuf>,

    /// Key that --state FILE is sealed with: 64 hexadecimal digits, made if there is no such file. Whoever reads both
    /// can read the traffic. A key in FILE stays; that in the default file is replaced each time connections go on, so
    /// that an old copy of the state is refused [default: the name of --state with .key behind it]
    #[arg(long, value_name = "FILE", requires = "state")]
    pub(crate) state_key: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) flow: FlowArgs,

    #[command(flatten)]
    pub(crate) auth: ServerAuthArgs,

    #[command(flatten)]
    pub(crate) protocol: ProtocolArgs,
}

/// How much a tunnel keeps, and how long.
#[derive(Debug, Clone, Args)]
pub(crate) struct FlowArgs {
    /// Close connections over which nothing has gone either way for so long, in seconds. A sender that comes back gets
    /// a new one
    #[arg(long, value_name = "SECONDS", default_value = "300", value_parser = parse_seconds)]
    pub(crate) idle: Duration,

    /// The most senders (of a server: connections) at a time. Each takes a socket: see `ulimit -n`
    #[arg(long, value_name = "N", default_value = "512")]
    pub(crate) max_senders: usize,

    /// The most of them from one network: the first 24 bits of an IPv4 address, or 56 of an IPv6 address [default: half
    /// of --max-senders, but all of them on loopback]
    #[arg(long, value_name = "N")]
    pub(crate) max_senders_per_network: Option<usize>,

    /// Size of the receive and send buffers of the socket at --listen, in bytes; the system may allow less
    /// (net.core.rmem_max, wmem_max)
    #[arg(long, value_name = "BYTES")]
    pub(crate) socket_buffer: Option<usize>,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct CheckArgs {
    /// The configuration file (TOML)
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,

    /// Print one JSON object per line on standard output
    #[arg(long)]
    pub(crate) json: bool,
}
