//! The program that BoringSSL's protocol suite ("BoGo") starts once for each of its tests.
//!
//! It speaks DTLS with the suite's runner through `gramseal-proto` alone: datagrams come framed over TCP, and time is
//! what the runner says it is. `../README.md` tells how the suite is run; what follows is the contract of the process.
//! Exit code 0 says that the connections went as the flags ask, 89 that a flag is unknown, 1 that something failed, with
//! the suite's token for it on stderr.

mod certificates;
mod clock;
mod configure;
mod connection;
mod expectations;
mod framing;
mod hello;
mod keys;
mod options;
mod sessions;
mod strict;
mod tickets;
mod token;

use std::process::ExitCode;

use options::{Invocation, Usage};

/// What the runner takes for "cannot do that".
const UNIMPLEMENTED: u8 = 89;

fn main() -> ExitCode {
    let arguments = std::env::args_os().skip(1).map(std::ffi::OsString::into_encoded_bytes).collect();
    let invocation = match Invocation::parse(arguments) {
        Ok(invocation) => invocation,
        // Asked once, before the first test.
        Err(Usage::HandshakerQuestion) => {
            println!("No");
            return ExitCode::SUCCESS;
        }
        Err(Usage::Unimplemented(flag)) => {
            eprintln!("not implemented: {flag}");
            return ExitCode::from(UNIMPLEMENTED);
        }
        Err(Usage::Wrong(flag)) => {
            eprintln!("wrong use of {flag}");
            return ExitCode::FAILURE;
        }
    };
    match connection::run_all(&invocation) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("{failure}");
            ExitCode::FAILURE
        }
    }
}
