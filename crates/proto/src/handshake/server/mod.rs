//! The server before it knows which version the client speaks.

mod hello;

pub(crate) use hello::{ExpectClientHello, start};
