//! Who we are, and whom to accept.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use gramseal_proto::config::{Identity, OcspSource, PeerCredential, PeerVerified, PeerVerifier, Presented, Verdict};
use gramseal_proto::crypto::{CryptoError, CryptoProvider, Deferrable, SecureRandom, SigningKey};
use gramseal_proto::pki_types::pem::PemObject;
use gramseal_proto::pki_types::{CertificateDer, PrivateKeyDer, SubjectPublicKeyInfoDer};
use gramseal_proto::wire::{AlertDescription, CertificateType, SignatureScheme};
use gramseal_proto::{CertificateFault, OcspFault};
use gramseal_webpki::{issuers, public_key_of, public_key_of_raw};

use crate::clock;
use crate::options::{Credential, CredentialKind, Options, Switches};

/// What the callbacks of one connection saw.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// The credential that signed; -1 for the one before the first `-new-…-credential`.
    pub(crate) signed_with: Option<i64>,
    /// How often a certificate was looked at.
    pub(crate) verified: u32,
    /// What came of it, also where nobody minds.
    pub(crate) accepted: bool,
    pub(crate) ocsp_response: Vec<u8>,
}

pub(crate) type Shared = Arc<Mutex<Seen>>;

/// The credentials that the options name, in their order, the one before the others last.
pub(crate) fn identities(options: &Options, provider: &CryptoProvider, seen: &Shared) -> Result<Vec<Identity>, String> {
    let delay = options.private_key_delay_ms.map(Duration::from_millis);
    let numbered = (0..).zip(&options.credentials);
    let all = numbered.chain([(-1, &options.own)]);
    let shown = all
        .filter(|(_, credential)| credential.kind != CredentialKind::PreSharedKey && !credential.key_file.is_empty());
    let staple = Staple::new(&options.switches);
    shown.map(|(number, credential)| identity(credential, number, provider, delay, staple.clone(), seen)).collect()
}

fn identity(
    credential: &Credential,
    number: i64,
    provider: &CryptoProvider,
    delay: Option<Duration>,
    staple: Staple,
    seen: &Shared,
) -> Result<Identity, String> {
    let failed = |what: &dyn std::fmt::Display| format!("credential {number}: {what}");
    let key = PrivateKeyDer::from_pem_file(path(&credential.key_file)).map_err(|error| failed(&error))?;
    let inner = provider.keys.load(&key).map_err(|error| failed(&error))?;
    let schemes = match credential.signing_prefs.as_slice() {
        [] => inner.schemes().to_vec(),
        prefs => prefs.iter().map(|code| SignatureScheme(*code)).filter(|it| inner.schemes().contains(it)).collect(),
    };
    let key = Arc::new(Key { inner, schemes, number, delay, seen: Arc::clone(seen) });
    if credential.kind == CredentialKind::RawPublicKey {
        return Identity::raw_public_key(key).map_err(|error| failed(&error));
    }
    let chain = CertificateDer::pem_file_iter(path(&credential.cert_file)).map_err(|error| failed(&error))?;
    let chain: Vec<_> = chain.collect::<Result<_, _>>().map_err(|error| failed(&error))?;
    let names = issuers(&chain).map_err(|error| failed(&format_args!("{error:?}")))?;
    let mut identity = Identity::new(chain, key).map_err(|error| failed(&error))?;
    if credential.must_match_issuer {
        identity = identity.with_issuers(names).with_issuer_required();
    }
    let staple = Staple { response: credential.ocsp_response.clone(), ..staple };
    Ok(identity.with_ocsp_source(Arc::new(staple)))
}

/// What a server has to staple, as far as its callback lets it.
#[derive(Debug, Clone, Default)]
struct Staple {
    response: Vec<u8>,
    declines: bool,
    fails: bool,
}

impl Staple {
    fn new(switches: &Switches) -> Self {
        let asked = switches.use_ocsp_callback;
        let (declines, fails) = (switches.decline_ocsp_callback, switches.fail_ocsp_callback);
        Self { response: Vec::new(), declines: asked && declines, fails: asked && fails }
    }
}

impl OcspSource for Staple {
    fn response(&self) -> Option<Vec<u8>> {
        Some(self.response.clone()).filter(|response| !response.is_empty() && !self.declines && !self.fails)
    }

    fn is_required(&self) -> bool {
        self.fails
    }
}

fn path(bytes: &[u8]) -> &Path {
    Path::new(std::str::from_utf8(bytes).unwrap_or_default())
}

/// A private key that notes its use, and takes as long as it is told to.
#[derive(Debug)]
struct Key {
    inner: Arc<dyn SigningKey>,
    schemes: Vec<SignatureScheme>,
    number: i64,
    delay: Option<Duration>,
    seen: Shared,
}

impl SigningKey for Key {
    fn schemes(&self) -> &[SignatureScheme] {
        &self.schemes
    }

    fn sign(
        &self,
        scheme: SignatureScheme,
        message: &[u8],
        random: &dyn SecureRandom,
    ) -> Deferrable<Result<Vec<u8>, CryptoError>> {
        if let Ok(mut seen) = self.seen.lock() {
            seen.signed_with = Some(self.number);
        }
        let signed = self.inner.sign(scheme, message, random);
        match (self.delay, signed) {
            (Some(delay), Deferrable::Now(signed)) => Deferrable::later(async move {
                clock::advance(delay);
                signed
            }),
            (_, signed) => signed,
        }
    }

    fn public_key(&self) -> Option<SubjectPublicKeyInfoDer<'_>> {
        self.inner.public_key()
    }
}

/// Accepts every peer, or none, as the options say.
#[derive(Debug)]
pub(crate) struct Verifier {
    refuses: Option<CertificateFault>,
    refuses_status: Option<CertificateFault>,
    accepts: bool,
    certificate_types: Vec<CertificateType>,
    wants_ocsp_response: bool,
    seen: Shared,
}

impl Verifier {
    pub(crate) fn new(options: &Options, seen: &Shared) -> Self {
        let switches = &options.switches;
        // BoringSSL's client that was not told to verify notes the result, and goes on.
        let minds = options.server || switches.verify_peer || switches.require_any_client_certificate;
        let alert = if switches.use_custom_verify_callback {
            AlertDescription::CERTIFICATE_UNKNOWN
        } else {
            AlertDescription::HANDSHAKE_FAILURE
        };
        let refuses = switches.verify_fail.then_some(CertificateFault::RefusedWith(alert));
        // A client's callback for responses is asked after all else, whether there is a response or not.
        let status = !options.server && switches.use_ocsp_callback && switches.fail_ocsp_callback;
        let types: Vec<_> = options.accepted_peer_cert_types.iter().map(|code| certificate_type(*code)).collect();
        Self {
            accepts: refuses.is_none(),
            refuses: refuses.filter(|_| minds),
            refuses_status: status.then_some(CertificateFault::Ocsp(OcspFault::Untrusted)),
            certificate_types: if types.is_empty() { vec![CertificateType::X509] } else { types },
            wants_ocsp_response: switches.enable_ocsp_stapling,
            seen: Arc::clone(seen),
        }
    }

    fn look_at(&self, presented: &Presented<'_>) -> Verdict {
        if let Ok(mut seen) = self.seen.lock() {
            seen.verified += 1;
            seen.accepted = self.accepts;
            seen.ocsp_response = presented.ocsp_response.to_vec();
        }
        if let Some(fault) = self.refuses.or(self.refuses_status) {
            return Err(fault);
        }
        let key = match presented.credential {
            PeerCredential::Chain { end_entity, .. } => public_key_of(end_entity)?,
            PeerCredential::RawPublicKey(key) => public_key_of_raw(key)?,
        };
        Ok(PeerVerified::assertion(key))
    }
}

impl PeerVerifier for Verifier {
    fn verify(&self, presented: &Presented<'_>) -> Deferrable<Verdict> {
        self.look_at(presented).into()
    }

    fn certificate_types(&self) -> &[CertificateType] {
        &self.certificate_types
    }

    fn wants_ocsp_response(&self) -> bool {
        self.wants_ocsp_response
    }
}

fn certificate_type(code: u16) -> CertificateType {
    CertificateType(u8::try_from(code).unwrap_or(u8::MAX))
}
