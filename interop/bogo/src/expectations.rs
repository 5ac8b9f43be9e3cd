//! What the flags say of a connection, compared with what it is.

use gramseal_proto::Connection;
use gramseal_proto::wire::{CertificateType, ProtocolVersion};
use gramseal_webpki::Fingerprint;

use crate::certificates::Shared;
use crate::configure::{Process, Watch};
use crate::hello::Greeting;
use crate::options::Options;

type Outcome = Result<(), String>;

fn check(holds: bool, what: impl FnOnce() -> String) -> Outcome {
    if holds { Ok(()) } else { Err(what()) }
}

fn same<T: PartialEq + std::fmt::Debug>(what: &str, is: T, expected: T) -> Outcome {
    check(is == expected, || format!("{what} is {is:?}, not {expected:?}"))
}

pub(crate) fn after_handshake(
    options: &Options,
    connection: &Connection,
    is_resume: bool,
    seen: &Shared,
    watch: &Watch,
) -> Outcome {
    let expect = &options.expect;
    let negotiated = connection.negotiated().ok_or("nothing was negotiated")?;
    same("resumption", negotiated.resumed, is_resume && !expect.session_miss)?;
    if let Some(version) = expect.version {
        same("the version", u64::from(negotiated.version.0), version)?;
    }
    if let Some(cipher) = expect.cipher {
        same("the cipher suite", u64::from(negotiated.cipher_suite.0), cipher)?;
    }
    if let Some(curve) = expect.curve_id {
        same("the group", negotiated.group.map(|group| u64::from(group.0)), Some(curve))?;
    }
    if let Some(scheme) = expect.peer_signature_algorithm {
        same("the peer's scheme", negotiated.peer_signature_scheme.map(|it| u64::from(it.0)), Some(scheme))?;
    }
    let alpn = if options.server { &options.select_alpn } else { &expect.alpn };
    same("the application protocol", negotiated.alpn.clone().unwrap_or_default(), alpn.clone())?;
    if !expect.server_name.is_empty() {
        let name = String::from_utf8_lossy(&expect.server_name).into_owned();
        same("the server name", negotiated.server_name.clone(), Some(name))?;
    }
    if expect.no_server_name {
        same("the server name", negotiated.server_name.clone(), None)?;
    }
    check(!expect.early_data_disabled || !negotiated.early_data, || "early data was taken".into())?;
    check(!expect.hrr || watch.had_retry_request(), || "no HelloRetryRequest".into())?;
    check(!expect.no_hrr || !watch.had_retry_request(), || "a HelloRetryRequest".into())?;
    certificates(options, connection, seen)
}

/// What the client offered.
pub(crate) fn greeting(options: &Options, greeting: &Greeting) -> Outcome {
    let expected = &options.expect.advertised_alpn;
    if !expected.is_empty() {
        same("what the client offers", greeting.protocols(), Some(expected.clone()))?;
    }
    Ok(())
}

fn certificates(options: &Options, connection: &Connection, seen: &Shared) -> Outcome {
    let expect = &options.expect;
    let negotiated = connection.negotiated().ok_or("nothing was negotiated")?;
    let shown = !negotiated.peer_certificates.is_empty();
    let by_key = negotiated.psk_identity.is_some() || !expect.peer_rpk_sha256.is_empty();
    if expect.no_peer_cert || by_key {
        check(!shown, || "the peer showed a certificate".into())?;
    } else if !options.server || options.switches.require_any_client_certificate {
        check(shown, || "the peer showed no certificate".into())?;
    }
    if let Some(expected) = expect.peer_certificate_type {
        let raw = negotiated.peer_raw_public_key.is_some();
        let form = if raw { CertificateType::RAW_PUBLIC_KEY } else { CertificateType::X509 };
        same("the form of the peer's certificate", u64::from(form.0), expected)?;
    }
    if !expect.peer_rpk_sha256.is_empty() {
        let key = negotiated.peer_raw_public_key.as_ref().ok_or("the peer showed no raw public key")?;
        let expected: String = expect.peer_rpk_sha256.iter().map(|byte| format!("{byte:02x}")).collect();
        let is = Fingerprint::of_public_key(key).to_string().replace(':', "").to_lowercase();
        check(is.ends_with(&expected), || {
            format!("the peer's raw public key has the fingerprint {is}, not {expected}")
        })?;
    }
    let seen = seen.lock().map_err(|_| "a callback panicked")?;
    // Only a client that is told to asks again about a session's peer.
    let asked = shown && (!negotiated.resumed || (!options.server && options.switches.reverify_on_resume));
    same("how often the verifier was asked", seen.verified, u32::from(asked))?;
    if expect.verify_result && asked {
        same("that the peer passed", seen.accepted, !options.switches.verify_fail)?;
    }
    if !expect.ocsp_response.is_empty() {
        same("the OCSP response", &negotiated.peer_ocsp_response, &expect.ocsp_response)?;
        if seen.verified > 0 {
            same("the OCSP response that the verifier saw", &seen.ocsp_response, &expect.ocsp_response)?;
        }
    }
    if let Some(expected) = expect.selected_credential {
        let by_psk = negotiated.psk_identity.as_ref().and_then(|identity| {
            let of = options.credentials.iter().position(|credential| credential.psk_identity == *identity);
            of.and_then(|place| i64::try_from(place).ok())
        });
        same("the credential", seen.signed_with.or(by_psk), Some(expected))?;
    }
    Ok(())
}

/// What came of sessions by now.
pub(crate) fn sessions_after_handshake(
    options: &Options,
    connection: &Connection,
    process: &Process,
    kept: u32,
    is_resume: bool,
) -> Outcome {
    let expect = &options.expect;
    let negotiated = connection.negotiated().ok_or("nothing was negotiated")?;
    if options.server {
        let kept = process.server_store.kept() > kept;
        check(is_resume || !expect.session_id || kept, || "no session was kept".into())?;
        check(is_resume || !expect.no_session_id || !kept, || "a session was kept".into())?;
    } else if negotiated.version != ProtocolVersion::DTLS1_3 {
        let expected = !expect.no_session && (!negotiated.resumed || expect.ticket_renewal);
        same("a new session", process.client_store.has_fresh(), expected)?;
    }
    Ok(())
}

pub(crate) fn at_the_end(options: &Options, connection: &Connection, process: &Process, watch: &Watch) -> Outcome {
    if !options.expect.messages.is_empty() {
        // BoringSSL leaves it to its caller to answer close_notify, and its shim does not.
        let moved = watch.lines();
        let moved = moved.strip_suffix("write alert 1 0\n").unwrap_or(&moved);
        same("what moved", moved, &*String::from_utf8_lossy(&options.expect.messages))?;
    }
    let version = connection.negotiated().map(|negotiated| negotiated.version);
    if !options.server && version == Some(ProtocolVersion::DTLS1_3) && !options.switches.send_alert {
        let early = process.client_store.max_early_data();
        same("a new session", early.is_some(), !options.expect.no_session)?;
        if let Some(bytes) = early {
            same("early data with the new session", bytes > 0, options.expect.ticket_supports_early_data)?;
        }
    }
    Ok(())
}
