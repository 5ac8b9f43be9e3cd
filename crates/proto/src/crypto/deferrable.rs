//! Answers that may take time: of a key in a hardware module, of a verifier that asks the network.
//!
//! Whoever knows the answer gives it; whoever does not gives a future. Nothing here runs one: the
//! connection hands it to its caller (see [`Connection::poll_deferred`](crate::Connection::poll_deferred)),
//! who has an executor, a thread or all the time in the world.

use alloc::boxed::Box;
use core::fmt;
use core::future::Future;
use core::pin::Pin;

/// A value, now or later.
pub enum Deferrable<T> {
    /// Here it is.
    Now(T),
    /// It takes time; the handshake waits for it.
    Later(Pin<Box<dyn Future<Output = T> + Send>>),
}

impl<T> Deferrable<T> {
    /// What `future` will give.
    pub fn later(future: impl Future<Output = T> + Send + 'static) -> Self {
        Self::Later(Box::pin(future))
    }

    /// The value, if it is there.
    pub fn now(self) -> Option<T> {
        match self {
            Self::Now(value) => Some(value),
            Self::Later(_) => None,
        }
    }
}

impl<T> From<T> for Deferrable<T> {
    fn from(value: T) -> Self {
        Self::Now(value)
    }
}

impl<T: fmt::Debug> fmt::Debug for Deferrable<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Now(value) => f.debug_tuple("Now").field(value).finish(),
            Self::Later(_) => f.write_str("Later"),
        }
    }
}
