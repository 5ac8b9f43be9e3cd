//! The gramseal program: DTLS from the command line.

mod args;
mod client;
mod demo;
mod failure;
mod identity;
mod ladder;
mod names;
mod output;
mod relay;
mod report;
mod server;
mod setup;
mod trace;

use std::process::ExitCode;

use clap::Parser;

use args::{Cli, Command, CommonArgs};
use failure::Failure;
use output::Output;

fn main() -> ExitCode {
    let command = Cli::parse().command;
    let output = match &command {
        Command::Demo(args) => output_for(&args.common),
        Command::Server(args) => output_for(&args.common),
        Command::Client(args) => output_for(&args.common),
    };
    match run(command, output) {
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

fn run(command: Command, output: Output) -> Result<(), Failure> {
    let runtime = tokio::runtime::Runtime::new().map_err(Failure::connection)?;
    let result = runtime.block_on(async {
        match command {
            Command::Demo(args) => demo::run(args, output).await,
            Command::Server(args) => server::run(args, output).await,
            Command::Client(args) => client::run(args, output).await,
        }
    });
    runtime.shutdown_background();
    result
}
