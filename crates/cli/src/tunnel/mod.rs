//! `gramseal tunnel`: DTLS between programs that speak UDP.
//!
//! ```text
//! plan.rs      what a tunnel is to do, from options (args/tunnel.rs) or a file (config.rs)
//! running.rs   the tunnels of the process: started, given other plans (SIGHUP), ended (SIGTERM)
//! client.rs    one end: a local socket; sender.rs: a connection for each sender; pending.rs: what waits for it;
//!              senders.rs: who they are, and how many there may be
//! server.rs    the other end: a task and a local socket for each connection; state.rs: those that outlive the process;
//!              places.rs: how many there may be
//! burst.rs     datagrams that came together and go on together, at either end
//! counts.rs    what is counted; http.rs: where that is told; logging.rs, notify.rs: to whom else
//! ```

mod burst;
mod client;
mod config;
mod counts;
mod http;
mod logging;
mod notify;
mod pending;
mod places;
mod plan;
mod running;
mod sender;
mod senders;
mod server;
mod signals;
mod socket;
mod state;
mod stop;

use std::path::PathBuf;
use std::time::Duration;

use crate::args::{CheckArgs, ServiceArgs, TunnelArgs, TunnelClientArgs, TunnelCommand, TunnelServerArgs};
use crate::failure::Failure;
use crate::output::Output;
use crate::report::Event;
pub(crate) use config::Fault;
use config::{Before, Config};
use counts::Reloads;
use http::Exporter;
use plan::{ClientPlan, Plan, ServerPlan};
use running::Running;
use signals::{Signal, Signals};
use tokio::time::Instant;

/// How long ending connections may take unless `--drain` says otherwise.
const DRAIN: Duration = Duration::from_secs(5);

/// Where plans come from, at the start and at each reload.
enum Source {
    Client(Box<TunnelClientArgs>, ServiceArgs),
    Server(Box<TunnelServerArgs>, ServiceArgs),
    File(PathBuf, ServiceArgs),
}

impl Source {
    fn of(args: TunnelArgs) -> Result<Self, Failure> {
        match (args.command, args.config) {
            (Some(TunnelCommand::Client(single)), _) => Ok(Self::Client(Box::new(single.tunnel), single.service)),
            (Some(TunnelCommand::Server(single)), _) => Ok(Self::Server(Box::new(single.tunnel), single.service)),
            (None, Some(file)) => Ok(Self::File(file, args.service)),
            (None, None) => Err(Failure::usage("neither an end of a tunnel nor --config FILE is given")),
        }
    }

    /// Reads everything anew.
    fn read(&self, before: Before<'_>) -> Result<Config, Failure> {
        match self {
            Self::Client(args, service) => {
                let plans = vec![Plan::Client(ClientPlan::new((**args).clone())?)];
                Ok(Config { service: service.clone(), plans, warnings: Vec::new() })
            }
            Self::Server(args, service) => {
                let plan = ServerPlan::new((**args).clone(), before(args).as_deref())?;
                Ok(Config { service: service.clone(), plans: vec![Plan::Server(plan)], warnings: Vec::new() })
            }
            Self::File(file, service) => {
                let lines = |faults: Vec<Fault>| {
                    let lines: Vec<String> = faults.iter().map(ToString::to_string).collect();
                    Failure::usage(lines.join("\n"))
                };
                let config = config::read(file, before).map_err(lines)?;
                Ok(Config { service: service.clone().or(config.service), ..config })
            }
        }
    }
}

/// Runs until a signal ends it.
pub(crate) async fn run(args: TunnelArgs) -> Result<(), Failure> {
    let source = Source::of(args)?;
    let Config { mut service, plans, .. } = source.read(&|_| None)?;
    logging::start(&service)?;
    // From now on no signal ends the process by itself.
    let mut signals = Signals::new()?;
    let exporter = service.metrics.map(|_| Exporter::install()).transpose()?;
    // All that can fail comes before the tunnels, which use up state files.
    let listener = match service.metrics {
        Some(address) => Some(Exporter::bind(address).await?),
        None => None,
    };
    let mut running = Running::default();
    running.apply(plans, drain(&service))?;
    if let (Some(exporter), Some(listener)) = (&exporter, listener) {
        exporter.serve(listener);
    }
    notify::ready();
    let reloads = Reloads::new();
    let ended = loop {
        tokio::select! {
            signal = signals.next() => match signal {
                Signal::Reload => {
                    notify::reloading();
                    match reload(&source, &mut service, &mut running) {
                        Ok(()) => reloads.done.increment(1),
                        Err(error) => {
                            reloads.failed.increment(1);
                            tracing::error!(%error, "not reloaded: everything goes on as before");
                        }
                    }
                    notify::ready();
                }
                Signal::End(name) => {
                    tracing::info!(signal = name, "ending");
                    break Ok(());
                }
            },
            failure = running.failed() => break Err(failure),
        }
    };
    notify::stopping();
    if let Some(exporter) = exporter {
        exporter.drain();
    }
    let drained = running.end(Instant::now() + drain(&service)).await;
    ended.and(drained)
}

fn drain(service: &ServiceArgs) -> Duration {
    service.drain.unwrap_or(DRAIN)
}

/// Reads everything anew, and does as it says; or changes nothing.
fn reload(source: &Source, service: &mut ServiceArgs, running: &mut Running) -> Result<(), Failure> {
    let before = |args: &TunnelServerArgs| running.server_plan(args);
    let config = source.read(&before)?;
    running.apply(config.plans, drain(&config.service))?;
    let fixed = |service: &ServiceArgs| (service.metrics, service.log.clone(), service.log_format);
    if fixed(service) != fixed(&config.service) {
        tracing::warn!("metrics, log and log-format change with a restart only");
    }
    service.drain = config.service.drain;
    tracing::info!("reloaded");
    Ok(())
}

/// `gramseal check`: says what is wrong with a configuration file.
pub(crate) fn check(args: &CheckArgs) -> Result<(), Failure> {
    let output = Output::new(args.json, false);
    match config::read(&args.file, &|_| None) {
        Ok(config) => {
            for warning in &config.warnings {
                let line = Event::Warning { file: &warning.file, line: warning.line, reason: &warning.reason };
                output.status(&line, format_args!("warning: {warning}"));
            }
            let tunnels = config.plans.len();
            output.result(&Event::Checked { tunnels }, format_args!("{}: {tunnels} tunnels", args.file.display()));
            Ok(())
        }
        Err(faults) => {
            for fault in &faults {
                let line = Event::Fault { file: &fault.file, line: fault.line, reason: &fault.reason };
                output.status(&line, fault);
            }
            Err(Failure::usage(format!("{}: wrong in {} places", args.file.display(), faults.len())))
        }
    }
}
