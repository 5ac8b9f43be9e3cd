//! The pre-shared keys that the options name.

use gramseal_proto::config::{ConfigError, Psk, PskLookup};
use gramseal_proto::crypto::HashAlgorithm;
use zeroize::Zeroizing;

use crate::options::{Credential, CredentialKind, Options};

/// The keys to import, in the order of the credentials, and behind them the one for 1.2.
pub(crate) fn all(options: &Options) -> Result<Vec<Psk>, ConfigError> {
    let imported = options.credentials.iter().filter(|credential| credential.kind == CredentialKind::PreSharedKey);
    let mut keys = imported.map(imported_key).collect::<Result<Vec<_>, _>>()?;
    if !options.psk.is_empty() {
        keys.push(Psk::new(options.psk_identity.clone(), options.psk.clone())?);
    }
    Ok(keys)
}

fn imported_key(credential: &Credential) -> Result<Psk, ConfigError> {
    let hash = if credential.psk_sha384 { HashAlgorithm::Sha384 } else { HashAlgorithm::Sha256 };
    let psk = Psk::new(credential.psk_identity.clone(), credential.psk.clone())?;
    psk.with_hash(hash).imported(credential.psk_context.clone())
}

/// A server's, whose hint is the identity that it expects.
#[derive(Debug)]
pub(crate) struct Keys {
    list: Vec<Psk>,
    hint: Vec<u8>,
}

impl Keys {
    pub(crate) fn new(list: Vec<Psk>, options: &Options) -> Self {
        Self { list, hint: options.psk_identity.clone() }
    }
}

impl PskLookup for Keys {
    fn key(&self, identity: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        self.list.key(identity)
    }

    fn hash(&self, identity: &[u8]) -> HashAlgorithm {
        self.list.hash(identity)
    }

    fn imported_key(&self, identity: &[u8], context: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        self.list.imported_key(identity, context)
    }

    fn rank(&self, identity: &[u8], context: Option<&[u8]>) -> usize {
        self.list.rank(identity, context)
    }

    fn hint(&self) -> &[u8] {
        &self.hint
    }
}
