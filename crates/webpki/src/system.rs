//! The roots that the operating system trusts.

use pki_types::CertificateDer;

use crate::builder::ChainVerifierBuilder;

/// How many of the operating system's roots were found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct SystemRoots {
    /// Roots that are trusted now.
    pub loaded: usize,
    /// Files that could not be read and certificates that cannot serve as roots.
    pub failed: usize,
}

impl ChainVerifierBuilder {
    /// Trusts the roots that the operating system trusts, too.
    ///
    /// Stores of operating systems hold odd entries, so one that cannot be used is counted rather
    /// than fatal. Reads files, and asks system services on some systems.
    pub fn with_system_roots(mut self) -> (Self, SystemRoots) {
        let found = rustls_native_certs::load_native_certs();
        let failed_files = found.errors.len();
        let (loaded, failed) = self.add_usable_roots(&found.certs);
        (self, SystemRoots { loaded, failed: failed + failed_files })
    }

    /// Adds those of `roots` that can be used; how many could and could not.
    fn add_usable_roots(&mut self, roots: &[CertificateDer<'_>]) -> (usize, usize) {
        let loaded = roots.iter().filter(|root| self.add_root(root).is_ok()).count();
        (loaded, roots.len() - loaded)
    }
}

#[cfg(test)]
mod tests {
    use crate::ChainVerifier;
    use gramseal_testkit::pki::TestPki;
    use pki_types::CertificateDer;

    #[test]
    fn unusable_roots_are_counted_and_skipped() {
        let mut builder = ChainVerifier::builder(&[]);
        let roots = [CertificateDer::from(vec![1, 2, 3]), TestPki::new().root()];
        assert_eq!(builder.add_usable_roots(&roots), (1, 1));
        assert!(builder.build().is_ok());
    }
}
