//! The server before it knows which version the client speaks.

mod hello;
mod retry;

pub(crate) use hello::{AdmittedBy, ExpectClientHello, start};
pub(crate) use retry::{Asked, CookieExchange, chooses13, hash_of_hello, hash_of_kept};
