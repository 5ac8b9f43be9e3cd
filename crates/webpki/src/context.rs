//! Stands for a verifier's rule in sessions: see
//! [`PeerVerifier::session_context`](gramseal_proto::config::PeerVerifier::session_context).

use sha2::{Digest, Sha256};

/// A digest of everything that decides whom a verifier accepts. Whatever is left out could let a
/// session resume under a rule that would refuse its peer today.
pub(crate) struct Context(Sha256);

impl Context {
    /// For verifiers of `kind`, so that those of different kinds never have the same bytes.
    pub(crate) fn new(kind: &str) -> Self {
        Self(Sha256::new()).with(kind)
    }

    /// Adds a part, whose length counts as well.
    pub(crate) fn with(mut self, part: impl AsRef<[u8]>) -> Self {
        let part = part.as_ref();
        self.0.update((part.len() as u64).to_be_bytes());
        self.0.update(part);
        self
    }

    /// Adds parts whose order does not matter, and how many there are.
    pub(crate) fn with_set<T: AsRef<[u8]> + Ord>(self, parts: impl IntoIterator<Item = T>) -> Self {
        let mut parts: Vec<T> = parts.into_iter().collect();
        parts.sort_unstable();
        parts.dedup();
        let number = (parts.len() as u64).to_be_bytes();
        parts.into_iter().fold(self.with(number), Self::with)
    }

    pub(crate) fn finish(self) -> Vec<u8> {
        self.0.finalize().to_vec()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_do_not_run_into_each_other() {
        let of = |parts: &[&str]| parts.iter().fold(Context::new("a"), |context, part| context.with(part)).finish();
        assert_eq!(of(&["bc", "d"]), of(&["bc", "d"]));
        assert_ne!(of(&["bc", "d"]), of(&["b", "cd"]));
        assert_ne!(of(&["bc"]), of(&["bc", ""]));
        assert_ne!(Context::new("a").finish(), Context::new("b").finish());
    }

    #[test]
    fn sets_have_no_order_and_no_repetitions() {
        let of = |parts: &[&str]| Context::new("a").with_set(parts).with("end").finish();
        assert_eq!(of(&["x", "y", "x"]), of(&["y", "x"]));
        assert_ne!(of(&["x", "y"]), of(&["x"]));
        assert_ne!(of(&["x", "end"]), of(&["x"]));
    }
}
