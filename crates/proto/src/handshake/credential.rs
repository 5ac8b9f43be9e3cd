//! Which of several credentials a peer gets to see: pure functions of what it said and of our
//! configuration.
//!
//! RFC 5246 §7.4.2, §7.4.4 and §7.4.6, RFC 6066 §3, RFC 7250 §4, RFC 9846 §4.3.3, §4.3.4 and §4.5.1.2.

use alloc::sync::Arc;
use alloc::vec::Vec;

use gramseal_wire::extension::{
    CertificateAuthorities, ClientCertificateTypeOffer, ServerCertificateTypeOffer, SignatureAlgorithms,
    SignatureAlgorithmsCert, StatusRequest, SupportedGroups,
};
use gramseal_wire::handshake::{CertificateRequest12, ClientHello};
use gramseal_wire::{CertificateType, ClientCertificateType, List, NamedGroup, SignatureScheme};

use super::select;
use crate::config::{CertificateCompression, ClientAuth, ClientConfig, Identity, ServerConfig};
use crate::crypto::{KeyKind, signs13};
use crate::error::{Error, Incompatible, Misfit};

/// A credential and the scheme to sign with.
#[derive(Debug, Clone)]
pub(super) struct Chosen {
    pub(super) identity: Arc<Identity>,
    pub(super) scheme: SignatureScheme,
}

/// The server's credentials that a client may see, most fitting first.
pub(super) struct Candidates<'h> {
    identities: Vec<Arc<Identity>>,
    /// Why there is none, if we have some.
    left_out: Option<Incompatible>,
    schemes: Option<List<'h, SignatureScheme>>,
    /// Where those in certificates are others.
    in_certificates: Option<List<'h, SignatureScheme>>,
    /// Also those that ECDSA keys are on.
    groups: Option<List<'h, NamedGroup>>,
}

/// Those of our credentials that are for the name, the forms and the authorities in `hello`.
pub(super) fn candidates<'h>(hello: &ClientHello<'h>, config: &ServerConfig) -> Result<Candidates<'h>, Error> {
    let forms = hello.extensions.find::<ServerCertificateTypeOffer<'_>>()?.map(|offer| offer.types);
    let schemes = hello.extensions.find::<SignatureAlgorithms<'_>>()?.map(|extension| extension.schemes);
    // RFC 7250 §4.1: who lists no forms means X.509.
    let takes = |form| forms.as_ref().map_or(form == CertificateType::X509, |forms| forms.contains(&form));
    let mut identities: Vec<_> =
        config.identities.iter().filter(|identity| takes(identity.certificate_type())).cloned().collect();
    let authorities = hello.extensions.find::<CertificateAuthorities<'_>>()?;
    let names = |trusted: &CertificateAuthorities<'_>, issuer: &[u8]| trusted.authorities.iter().any(|it| it == issuer);
    let named = |issuer: &[u8]| authorities.as_ref().is_some_and(|trusted| names(trusted, issuer));
    let mut left_out =
        (identities.is_empty() && !config.identities.is_empty()).then_some(Incompatible::NoCommonCertificateType);
    identities.retain(|identity| !identity.is_withheld(named));
    if identities.is_empty() && !config.identities.is_empty() {
        left_out = left_out.or(Some(Incompatible::NoCommonAuthority));
    }
    if identities.len() > 1 {
        prefer_name(&mut identities, select::server_name(hello)?.as_deref());
    }
    if authorities.is_some() {
        keep_if_any(&mut identities, |identity| identity.may_be_trusted(named));
    }
    let in_certificates = hello.extensions.find::<SignatureAlgorithmsCert<'_>>()?.map(|extension| extension.schemes);
    if let Some(checked) = in_certificates.as_ref().or(schemes.as_ref()) {
        prefer_checkable(&mut identities, checked);
    }
    let groups = hello.extensions.find::<SupportedGroups<'_>>()?.map(|extension| extension.groups);
    Ok(Candidates { identities, left_out, schemes, in_certificates, groups })
}

/// RFC 6066 §3: the name says which server the client wants. A client that asks for none, or for
/// one that nothing is for, gets what is for any name, or else whatever there is: it will notice.
fn prefer_name(identities: &mut Vec<Arc<Identity>>, name: Option<&str>) {
    if let Some(name) = name {
        if identities.iter().any(|identity| identity.is_for(name)) {
            return identities.retain(|identity| identity.is_for(name));
        }
    }
    keep_if_any(identities, Identity::is_for_any);
}

/// RFC 9846 §4.5.1.2, RFC 5246 §7.4.2: a chain that the peer can check comes before one that it cannot, which
/// is still better than none.
fn prefer_checkable(identities: &mut [Arc<Identity>], checked: &List<'_, SignatureScheme>) {
    identities.sort_by_key(|identity| !identity.can_be_checked(|scheme| checked.contains(&scheme)));
}

/// RFC 9846 §4.5.1.2: SHA-1 is for peers that name it.
fn may_be_shown13(identity: &Identity, checked: &List<'_, SignatureScheme>) -> bool {
    let sha1 = [SignatureScheme::RSA_PKCS1_SHA1, SignatureScheme::ECDSA_SHA1];
    identity.can_be_checked(|scheme| !sha1.contains(&scheme) || checked.contains(&scheme))
}

/// Keeps what passes, or everything if nothing does.
fn keep_if_any(identities: &mut Vec<Arc<Identity>>, passes: impl Fn(&Identity) -> bool) {
    if identities.iter().any(|identity| passes(identity)) {
        identities.retain(|identity| passes(identity));
    }
}

impl Candidates<'_> {
    /// Whether any can authenticate suites of `kind`.
    pub(super) fn have_key_of(&self, kind: KeyKind) -> bool {
        self.identities.iter().any(|identity| identity.is_of(kind))
    }

    /// What to tell a client for which no suite is left.
    pub(super) fn nothing_in_common(&self) -> Incompatible {
        self.left_out.unwrap_or(Incompatible::NoCommonCipherSuite)
    }

    /// The first that can sign a 1.3 handshake in a way that the client understands.
    pub(super) fn choose13(&self) -> Result<Chosen, Incompatible> {
        let missing = self.left_out.unwrap_or(Incompatible::NoCommonSignatureScheme);
        let schemes = self.schemes.as_ref().ok_or(missing)?;
        let offers = |scheme| schemes.contains(&scheme);
        let checked = self.in_certificates.as_ref().unwrap_or(schemes);
        let chosen = self.identities.iter().filter(|identity| may_be_shown13(identity, checked)).find_map(|identity| {
            let scheme = identity.choose_scheme(|scheme| offers(scheme) && signs13(scheme), None)?;
            Some(Chosen { identity: identity.clone(), scheme })
        });
        chosen.ok_or(missing)
    }

    /// The first that can sign for a suite of `kind` in a way that the client understands.
    pub(super) fn choose(&self, kind: KeyKind) -> Result<Chosen, Incompatible> {
        // RFC 5246 §7.4.1.4.1: without the extension the client means SHA-1, which we do not do.
        let offers = |scheme| self.schemes.as_ref().is_some_and(|schemes| schemes.contains(&scheme));
        let signing = self.identities.iter().filter_map(|identity| {
            let scheme = identity.choose_scheme(offers, Some(kind))?;
            Some(Chosen { identity: identity.clone(), scheme })
        });
        let fitting = signing.clone().find(|chosen| self.lists_curve_of(&chosen.identity));
        // Clients that list X25519 alone and verify with P-256 nevertheless are common: one that cannot will say so.
        fitting.or_else(|| signing.clone().next()).ok_or(Incompatible::NoCommonSignatureScheme)
    }

    /// RFC 8422 §5.3: the groups of a client of 1.2 are also the curves of the keys that it can verify with.
    fn lists_curve_of(&self, identity: &Identity) -> bool {
        let listed = |curve| self.groups.as_ref().is_none_or(|groups| groups.contains(&curve));
        identity.curve().is_none_or(listed)
    }
}

/// What a server does about certificates, once it has chosen its own.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) chosen: Chosen,
    /// Whether the client lists forms, so that we tell it ours (RFC 7250 §4.2).
    pub(super) tells_form: bool,
    /// The OCSP response to staple.
    pub(super) staple: Option<Vec<u8>>,
    /// With what our certificate is compressed, if it is.
    pub(super) compression: Option<Arc<dyn CertificateCompression>>,
    /// How the client is asked for its certificate, if it is.
    pub(super) ask: Option<Ask>,
}

/// How a client is asked for its certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ask {
    pub(super) form: CertificateType,
    /// Whether the client lists forms, so that we tell it which one (RFC 7250 §4.2).
    pub(super) tells_form: bool,
}

/// Everything about certificates that follows from `hello` and our own choice.
pub(super) fn plan(hello: &ClientHello<'_>, config: &ServerConfig, chosen: Chosen) -> Result<Plan, Error> {
    let staple = match hello.extensions.find::<StatusRequest<'_>>()? {
        Some(StatusRequest::Ocsp { .. }) => chosen.identity.ocsp_response()?,
        Some(StatusRequest::Other { .. }) | None => None,
    };
    let tells_form = hello.extensions.find::<ServerCertificateTypeOffer<'_>>()?.is_some();
    Ok(Plan { chosen, tells_form, staple, compression: None, ask: ask(hello, config)? })
}

fn ask(hello: &ClientHello<'_>, config: &ServerConfig) -> Result<Option<Ask>, Error> {
    let Some(verifier) = config.client_auth.verifier() else { return Ok(None) };
    let offered = hello.extensions.find::<ClientCertificateTypeOffer<'_>>()?.map(|offer| offer.types);
    // RFC 7250 §4.1: who lists no forms has certificates, if anything.
    let has = |form| offered.as_ref().map_or(form == CertificateType::X509, |forms| forms.contains(&form));
    match verifier.certificate_types().iter().copied().find(|form| has(*form)) {
        Some(form) => Ok(Some(Ask { form, tells_form: offered.is_some() })),
        // RFC 7250 §4.2
        None if matches!(config.client_auth, ClientAuth::Required(_)) => {
            Err(Incompatible::NoCommonCertificateType.into())
        }
        None => Ok(None),
    }
}

/// What a client shows to a server that asks with `request` for a certificate of this form; `None` for nothing.
pub(super) fn for_request(
    config: &ClientConfig,
    request: &CertificateRequest12<'_>,
    form: CertificateType,
) -> Result<Option<Chosen>, Error> {
    // RFC 5246 §7.4.4: the key goes with one of the types and one of the schemes, and if there are
    // authorities, one of them is behind the chain.
    let offered = |scheme| asks_for_key_of(request, scheme) && request.signature_algorithms.contains(&scheme);
    let trusted = |issuer: &[u8]| request.authorities.iter().any(|authority| authority == issuer);
    choose_from(config, &request.signature_algorithms, |identity| {
        check_form(identity, form)?;
        identity.choose_scheme(|scheme| asks_for_key_of(request, scheme), None).ok_or(Misfit::KeyType)?;
        let scheme = identity.choose_scheme(offered, None).ok_or(Misfit::SignatureScheme)?;
        let may_be_trusted = request.authorities.is_empty() || identity.may_be_trusted(trusted);
        if may_be_trusted && !identity.is_withheld(trusted) { Ok(scheme) } else { Err(Misfit::Authority) }
    })
}

/// The first that `fits`, with the scheme to sign with; of those of which the peer can check the chain if there are
/// any.
fn choose_from(
    config: &ClientConfig,
    checked: &List<'_, SignatureScheme>,
    fits: impl Fn(&Identity) -> Result<SignatureScheme, Misfit>,
) -> Result<Option<Chosen>, Error> {
    let mut identities = config.identities.clone();
    prefer_checkable(&mut identities, checked);
    let mut nearest = None;
    for identity in identities {
        match fits(&identity) {
            Ok(scheme) => return Ok(Some(Chosen { identity, scheme })),
            Err(misfit) => nearest = nearest.max(Some(misfit)),
        }
    }
    match nearest {
        Some(misfit) if config.identity_required => Err(Incompatible::NoFittingIdentity(misfit).into()),
        _ => Ok(None),
    }
}

/// RFC 7250 §4.2
fn check_form(identity: &Identity, form: CertificateType) -> Result<(), Misfit> {
    if identity.certificate_type() == form { Ok(()) } else { Err(Misfit::Form) }
}

/// What a server of 1.3 asks for.
pub(super) struct Asked13<'m> {
    /// How the handshake may be signed.
    pub(super) schemes: List<'m, SignatureScheme>,
    /// How certificates may be, where that differs.
    pub(super) in_certificates: Option<List<'m, SignatureScheme>>,
    pub(super) authorities: Option<CertificateAuthorities<'m>>,
}

/// The same in 1.3, where the request is a list of extensions (RFC 9846 §4.4.2).
pub(super) fn for_request13(
    config: &ClientConfig,
    asked: &Asked13<'_>,
    form: CertificateType,
) -> Result<Option<Chosen>, Error> {
    let Asked13 { schemes, in_certificates, authorities } = asked;
    let offered = |scheme| signs13(scheme) && schemes.contains(&scheme);
    let named = |issuer: &[u8]| {
        authorities.as_ref().is_some_and(|trusted| trusted.authorities.iter().any(|authority| authority == issuer))
    };
    let checked = in_certificates.as_ref().unwrap_or(schemes);
    choose_from(config, checked, |identity| {
        check_form(identity, form)?;
        let scheme = identity.choose_scheme(offered, None).filter(|_| may_be_shown13(identity, checked));
        let scheme = scheme.ok_or(Misfit::SignatureScheme)?;
        let may_be_trusted = authorities.is_none() || identity.may_be_trusted(named);
        if may_be_trusted && !identity.is_withheld(named) { Ok(scheme) } else { Err(Misfit::Authority) }
    })
}

/// Whether `request` names the type of certificate whose keys make signatures of `scheme`
/// (RFC 5246 §7.4.4, RFC 8422 §5.5).
fn asks_for_key_of(request: &CertificateRequest12<'_>, scheme: SignatureScheme) -> bool {
    let certificate_type = match KeyKind::of(scheme) {
        Some(KeyKind::Rsa) => ClientCertificateType::RSA_SIGN,
        Some(KeyKind::Ecdsa) => ClientCertificateType::ECDSA_SIGN,
        None => return false,
    };
    request.certificate_types.contains(&certificate_type)
}
