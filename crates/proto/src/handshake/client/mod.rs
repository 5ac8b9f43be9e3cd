//! The client before it knows which version the server speaks.

mod hello;

pub(crate) use hello::{ExpectServerHello, start};
