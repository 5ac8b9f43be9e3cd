//! The gramseal program: DTLS from the command line.

mod args;
mod auth;
mod cert;
mod client;
mod demo;
mod failure;
mod hex;
mod identity;
mod ladder;
mod names;
mod output;
mod private;
mod relay;
mod report;
mod resume;
mod sender;
mod server;
mod setup;
mod trace;
mod tunnel;

use std::process::ExitCode;

use clap::Parser;

use args::{Cli, Command, CommonArgs};
use failure::Failure;
use output::Output;

fn main() -> ExitCode {
    match run(Cli::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            output::error(&failure);
            failure.exit_code()
        }
    }
}

fn output_for(common: &CommonArgs) -> Output {
    Output::new(common.json, common.verbose)
}

fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::Demo(args) => within_runtime(async {
            let output = output_for(&args.common);
            demo::run(args, output).await
        }),
        Command::Server(args) => within_runtime(async {
            let output = output_for(&args.common);
            server::run(args, output).await
        }),
        Command::Client(args) => within_runtime(async {
            let output = output_for(&args.common);
            client::run(args, output).await
        }),
        Command::Tunnel(args) => within_runtime(tunnel::run(args)),
        Command::Check(args) => tunnel::check(&args),
        Command::Cert(args) => cert::run(&args),
    }
}

fn within_runtime(command: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    let runtime = tokio::runtime::Runtime::new().map_err(Failure::connection)?;
    let result = runtime.block_on(command);
    runtime.shutdown_background();
    result
}
