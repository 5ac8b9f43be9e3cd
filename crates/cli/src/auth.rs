//! Who a side is, and whom it believes: from options to what configurations take.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use gramseal::proto::config::{ClientAuth, Identity, OcspSource, Psk};
use gramseal::proto::wire::CipherSuite;
use gramseal::trust;

use crate::args::{ClientAuthArgs, ServerAuthArgs, parse_psk};
use crate::failure::Failure;
use crate::identity::{self, KeyKind, Own};
use crate::setup::{self, Trust};

/// What the options of a server name: a certificate, a raw public key, or one to be made for one of `suites`.
pub(crate) fn own_identity(args: &ServerAuthArgs, suites: &[CipherSuite]) -> Result<Option<Own>, Failure> {
    if let Some(key) = &args.identity.key {
        let mut own = identity::from_files(&gramseal::provider(), args.identity.cert.as_deref(), key)?;
        if let Some(file) = &args.ocsp {
            own.identity = own.identity.with_ocsp_source(Arc::new(OcspFile::new(file)?));
        }
        return Ok(Some(own));
    }
    args.self_signed.as_ref().map(|name| self_signed(name, suites)).transpose()
}

/// A certificate for `name` that one of `suites` can be used with.
pub(crate) fn self_signed(name: &str, suites: &[CipherSuite]) -> Result<Own, Failure> {
    identity::self_signed(&gramseal::provider(), name, KeyKind::for_suites(suites))
}

/// The keys that clients of a server may use.
pub(crate) fn psks(args: &ServerAuthArgs) -> Result<Vec<Psk>, Failure> {
    let mut psks = args.psks.clone();
    if let Some(file) = &args.psk_file {
        psks.extend(psks_in(file)?);
    }
    Ok(psks)
}

/// The keys in a file, at least one.
fn psks_in(file: &Path) -> Result<Vec<Psk>, Failure> {
    let text = setup::read(file)?;
    let text = String::from_utf8(text).map_err(|_| Failure::usage("is no text").at(file))?;
    let lines = text.lines().map(str::trim).enumerate();
    let psks = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    let psks = psks.map(|(at, line)| {
        // The line itself is told to nobody: it may hold a key.
        parse_psk(line).map_err(|error| Failure::usage(format!("line {}: {error}", at + 1)).at(file))
    });
    let psks = psks.collect::<Result<Vec<_>, _>>()?;
    if psks.is_empty() { Err(Failure::usage("holds no key").at(file)) } else { Ok(psks) }
}

/// Whether a server asks its clients who they are.
pub(crate) fn client_auth(args: &ServerAuthArgs) -> Result<ClientAuth, Failure> {
    let certificates = match &args.client_ca {
        Some(file) => Some(setup::roots(file, &args.crls)?),
        None if args.fingerprints.is_empty() => None,
        None => Some(trust::fingerprints(args.fingerprints.iter().copied())),
    };
    if args.raw_public_keys.is_empty() {
        let optional = args.client_ca.is_some() && !args.require_client_cert;
        return Ok(match certificates {
            None => ClientAuth::None,
            Some(verifier) if optional => ClientAuth::Optional(verifier),
            Some(verifier) => ClientAuth::Required(verifier),
        });
    }
    let mut verifier = setup::raw_public_keys(&args.raw_public_keys)?;
    if let Some(certificates) = certificates {
        verifier = verifier.or_certificates(certificates);
    }
    Ok(ClientAuth::Required(Arc::new(verifier)))
}

/// An OCSP response in a file that somebody keeps up to date.
#[derive(Debug)]
struct OcspFile(PathBuf);

impl OcspFile {
    /// Fails if there is no such file now.
    fn new(file: &Path) -> Result<Self, Failure> {
        setup::read(file)?;
        Ok(Self(file.to_owned()))
    }
}

impl OcspSource for OcspFile {
    /// What cannot be read is not stapled: a client that insists says so.
    fn response(&self) -> Option<Vec<u8>> {
        std::fs::read(&self.0).ok().filter(|response| !response.is_empty())
    }
}

/// How a client knows its server.
pub(crate) fn trust(args: &ClientAuthArgs) -> Result<Trust, Failure> {
    if let Some(psk) = &args.psk {
        return Ok(Trust::Key(psk.clone()));
    }
    let Some(file) = &args.psk_file else { return setup::verifier(args).map(Trust::Certificates) };
    let mut psks = psks_in(file)?.into_iter();
    match (psks.next(), psks.next()) {
        (Some(psk), None) => Ok(Trust::Key(psk)),
        _ => Err(Failure::usage("holds more than one key").at(file)),
    }
}

/// Who a client is, if it says so.
pub(crate) fn client_identity(args: &ClientAuthArgs) -> Result<Option<Identity>, Failure> {
    let Some(key) = &args.identity.key else { return Ok(None) };
    let own = identity::from_files(&gramseal::provider(), args.identity.cert.as_deref(), key)?;
    Ok(Some(own.identity))
}
