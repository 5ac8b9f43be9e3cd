//! A whole association with `core` and `alloc` alone: handshake, application data, end.
//!
//! Everything about the protocol is in [`device`], which the tests of this crate also compile where
//! there is no `std` at all, and run. This file stands for the board: it starts the program, has
//! random bytes, and prints.
//!
//! `cargo run -p gramseal-rustcrypto --example alloc_only`

#![no_std]

extern crate alloc;
extern crate std;

mod device;

use std::println;
use std::string::String;

use gramseal_proto::crypto::SecureRandom;
use gramseal_rustcrypto::OsRandom;

fn main() -> Result<(), device::Failure> {
    let report = device::converse(|out| OsRandom::new().fill(out).is_ok())?;
    let text = String::from_utf8_lossy;
    println!("cipher suite:    {}", report.suite);
    println!("question:        {}", text(&report.question));
    println!("answer:          {}", text(&report.answer));
    println!("retransmissions: {}", report.retransmissions);
    println!("time:            {} ms", report.elapsed.as_millis());
    Ok(())
}
