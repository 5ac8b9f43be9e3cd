//! DTLS 1.2 and 1.3 wire formats: bytes to typed messages and back.

#![no_std]

extern crate alloc;
