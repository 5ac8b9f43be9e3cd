//! Where logs go: to standard error, one line each, without secrets and payloads.

use std::io;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

use crate::args::{LogFormat, ServiceArgs};
use crate::failure::Failure;

/// Installs the subscriber. `--log` wins over `RUST_LOG`.
pub(super) fn start(service: &ServiceArgs) -> Result<(), Failure> {
    let builder = EnvFilter::builder().with_default_directive(LevelFilter::INFO.into());
    let (name, directives) = match (&service.log, std::env::var(EnvFilter::DEFAULT_ENV)) {
        (Some(directives), _) => ("--log", directives.clone()),
        (None, Ok(directives)) => (EnvFilter::DEFAULT_ENV, directives),
        (None, Err(_)) => ("", String::new()),
    };
    let filter = builder.parse(directives).map_err(|error| Failure::usage(format!("{name}: {error}")))?;
    let subscriber = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).with_target(false);
    let installed = match service.log_format.unwrap_or(LogFormat::Text) {
        LogFormat::Text => subscriber.with_ansi(false).try_init(),
        LogFormat::Json => subscriber.json().flatten_event(true).try_init(),
    };
    installed.map_err(Failure::connection)
}
