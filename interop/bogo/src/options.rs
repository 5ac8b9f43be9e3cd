//! The command line: what each connection is to do, and what is expected of it.

use std::collections::VecDeque;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Why there is nothing to run.
pub(crate) enum Usage {
    /// Whether a second process could take over a handshake.
    HandshakerQuestion,
    /// A flag, or a value of one, that nothing here stands for.
    Unimplemented(String),
    /// A value that is missing or unreadable.
    Wrong(String),
}

/// All that one process is told.
#[derive(Default)]
pub(crate) struct Invocation {
    pub(crate) port: u16,
    pub(crate) ipv6: bool,
    pub(crate) shim_id: u64,
    pub(crate) resume_count: u64,
    /// The first connection.
    pub(crate) initial: Options,
    /// Those after it.
    pub(crate) resumed: Options,
}

/// What a credential is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum CredentialKind {
    #[default]
    X509,
    RawPublicKey,
    PreSharedKey,
}

/// One credential of ours. Byte strings that are empty were not given.
#[derive(Debug, Clone, Default)]
pub(crate) struct Credential {
    pub(crate) kind: CredentialKind,
    pub(crate) cert_file: Vec<u8>,
    pub(crate) key_file: Vec<u8>,
    pub(crate) signing_prefs: Vec<u16>,
    pub(crate) ocsp_response: Vec<u8>,
    pub(crate) must_match_issuer: bool,
    pub(crate) psk: Vec<u8>,
    pub(crate) psk_identity: Vec<u8>,
    pub(crate) psk_context: Vec<u8>,
    pub(crate) psk_sha384: bool,
}

/// What one connection is told; the names are those of the flags.
#[derive(Debug, Clone, Default)]
pub(crate) struct Options {
    pub(crate) server: bool,
    /// The credential before the first `-new-…-credential`.
    pub(crate) own: Credential,
    pub(crate) credentials: Vec<Credential>,
    pub(crate) switches: Switches,
    pub(crate) expect: Expect,
    pub(crate) mtu: Option<u64>,
    pub(crate) initial_timeout_duration_ms: Option<u64>,
    pub(crate) min_version: Option<u64>,
    pub(crate) max_version: Option<u64>,
    pub(crate) private_key_delay_ms: Option<u64>,
    pub(crate) resumption_delay: Option<u64>,
    pub(crate) max_cert_list: Option<u64>,
    pub(crate) export_keying_material: Option<u64>,
    pub(crate) export_label: Vec<u8>,
    pub(crate) export_context: Vec<u8>,
    pub(crate) shim_initial_write: Vec<u8>,
    pub(crate) psk: Vec<u8>,
    pub(crate) psk_identity: Vec<u8>,
    pub(crate) host_name: Vec<u8>,
    pub(crate) advertise_alpn: Vec<u8>,
    pub(crate) select_alpn: Vec<u8>,
    pub(crate) srtp_profiles: Vec<u8>,
    pub(crate) curves: Vec<u16>,
    pub(crate) verify_prefs: Vec<u16>,
    pub(crate) accepted_peer_cert_types: Vec<u16>,
    pub(crate) session_id_context: Vec<u8>,
}

/// The flags without a value, as far as they change anything.
#[derive(Debug, Clone, Default)]
pub(crate) struct Switches {
    pub(crate) no_tls12: bool,
    pub(crate) no_tls13: bool,
    pub(crate) require_any_client_certificate: bool,
    pub(crate) verify_peer: bool,
    pub(crate) verify_fail: bool,
    pub(crate) use_custom_verify_callback: bool,
    pub(crate) reverify_on_resume: bool,
    pub(crate) use_export_context: bool,
    pub(crate) send_alert: bool,
    pub(crate) shim_writes_first: bool,
    pub(crate) key_update: bool,
    pub(crate) key_update_before_read: bool,
    pub(crate) no_ticket: bool,
    pub(crate) renew_ticket: bool,
    pub(crate) skip_ticket: bool,
    pub(crate) no_server_name_ack: bool,
    pub(crate) reject_alpn: bool,
    pub(crate) enable_ocsp_stapling: bool,
    pub(crate) use_ocsp_callback: bool,
    pub(crate) decline_ocsp_callback: bool,
    pub(crate) fail_ocsp_callback: bool,
    /// Taken, and of no effect: what it shows is in the way that BoringSSL is called.
    pub(crate) ignored: bool,
}

/// What is checked after the handshake, or at the end.
#[derive(Debug, Clone, Default)]
pub(crate) struct Expect {
    pub(crate) server_name: Vec<u8>,
    pub(crate) no_server_name: bool,
    pub(crate) alpn: Vec<u8>,
    pub(crate) advertised_alpn: Vec<u8>,
    /// What moves, line by line.
    pub(crate) messages: Vec<u8>,
    /// That early data may come with the session.
    pub(crate) ticket_supports_early_data: bool,
    /// That early data is neither offered nor taken.
    pub(crate) early_data_disabled: bool,
    pub(crate) session_miss: bool,
    pub(crate) no_session: bool,
    pub(crate) session_id: bool,
    pub(crate) no_session_id: bool,
    pub(crate) ticket_renewal: bool,
    pub(crate) hrr: bool,
    pub(crate) no_hrr: bool,
    pub(crate) no_peer_cert: bool,
    pub(crate) verify_result: bool,
    pub(crate) ocsp_response: Vec<u8>,
    pub(crate) version: Option<u64>,
    pub(crate) cipher: Option<u64>,
    pub(crate) curve_id: Option<u64>,
    pub(crate) peer_signature_algorithm: Option<u64>,
    pub(crate) peer_certificate_type: Option<u64>,
    pub(crate) peer_rpk_sha256: Vec<u8>,
    /// -1 is the credential before the first `-new-…-credential`.
    pub(crate) selected_credential: Option<i64>,
}

/// The arguments that are left.
type Rest = VecDeque<Vec<u8>>;

impl Invocation {
    pub(crate) fn parse(arguments: Vec<Vec<u8>>) -> Result<Self, Usage> {
        let mut rest: Rest = arguments.into();
        let mut invocation = Self::default();
        while let Some(flag) = rest.pop_front() {
            let flag = String::from_utf8(flag).map_err(|_| Usage::Wrong("a flag".into()))?;
            invocation.take(&flag, &mut rest)?;
        }
        Ok(invocation)
    }

    fn take(&mut self, flag: &str, rest: &mut Rest) -> Result<(), Usage> {
        match flag {
            "-is-handshaker-supported" => return Err(Usage::HandshakerQuestion),
            "-dtls" => return Ok(()),
            "-ipv6" => self.ipv6 = true,
            "-port" => self.port = number(flag, rest)?,
            "-shim-id" => self.shim_id = number(flag, rest)?,
            "-resume-count" => self.resume_count = number(flag, rest)?,
            _ => return self.take_for_connections(flag, rest),
        }
        Ok(())
    }

    fn take_for_connections(&mut self, flag: &str, rest: &mut Rest) -> Result<(), Usage> {
        if let Some(plain) = flag.strip_prefix("-on-shim") {
            return self.take_for_connections(plain, rest);
        }
        // A second process that takes handshakes over, and early data that is tried once more: there is neither.
        if let Some(plain) = flag.strip_prefix("-on-handshaker").or_else(|| flag.strip_prefix("-on-retry")) {
            return Options::default().take(plain, rest);
        }
        if let Some(plain) = flag.strip_prefix("-on-initial") {
            return self.initial.take(plain, rest);
        }
        if let Some(plain) = flag.strip_prefix("-on-resume") {
            return self.resumed.take(plain, rest);
        }
        let mut again = rest.clone();
        self.initial.take(flag, &mut again)?;
        self.resumed.take(flag, rest)
    }
}

impl Options {
    fn take(&mut self, flag: &str, rest: &mut Rest) -> Result<(), Usage> {
        if let Some(credential) = new_credential(flag) {
            self.credentials.push(credential);
        } else if let Some(on) = self.switch(flag) {
            *on = true;
        } else if let Some(value) = self.number(flag) {
            *value = Some(number(flag, rest)?);
        } else if let Some(value) = self.text(flag) {
            *value = argument(flag, rest)?;
        } else if let Some(value) = self.bytes(flag) {
            *value = STANDARD.decode(argument(flag, rest)?).map_err(|_| Usage::Wrong(flag.into()))?;
        } else if let Some(list) = self.list(flag) {
            list.push(number(flag, rest)?);
        } else if flag == "-expect-early-data-reason" {
            // There are other reasons where it was tried, which BoringSSL does not do in DTLS.
            if argument(flag, rest)? != b"disabled" {
                return Err(Usage::Unimplemented(flag.into()));
            }
            self.expect.early_data_disabled = true;
        } else if let "-trust-cert" | "-available-client-cert-types" = flag {
            // BoringSSL's shim accepts every chain, too; and what forms a client has, its credentials tell.
            argument(flag, rest)?;
        } else if flag == "-expect-selected-credential" {
            self.expect.selected_credential = Some(number(flag, rest)?);
        } else {
            return Err(Usage::Unimplemented(flag.into()));
        }
        Ok(())
    }

    /// The credential that flags speak of.
    fn credential(&mut self) -> &mut Credential {
        self.credentials.last_mut().unwrap_or(&mut self.own)
    }

    fn switch(&mut self, flag: &str) -> Option<&mut bool> {
        match flag {
            "-must-match-issuer" => return Some(&mut self.credential().must_match_issuer),
            "-psk-importer-sha384" => return Some(&mut self.credential().psk_sha384),
            _ => {}
        }
        let Self { switches, expect, .. } = self;
        Some(match flag {
            "-server" => &mut self.server,
            "-no-tls12" => &mut switches.no_tls12,
            "-no-tls13" => &mut switches.no_tls13,
            "-require-any-client-certificate" => &mut switches.require_any_client_certificate,
            "-verify-peer" => &mut switches.verify_peer,
            "-verify-fail" => &mut switches.verify_fail,
            "-use-custom-verify-callback" => &mut switches.use_custom_verify_callback,
            "-reverify-on-resume" => &mut switches.reverify_on_resume,
            "-use-export-context" => &mut switches.use_export_context,
            "-send-alert" => &mut switches.send_alert,
            "-shim-writes-first" => &mut switches.shim_writes_first,
            "-key-update" => &mut switches.key_update,
            "-key-update-before-read" => &mut switches.key_update_before_read,
            "-no-ticket" => &mut switches.no_ticket,
            "-renew-ticket" => &mut switches.renew_ticket,
            "-skip-ticket" => &mut switches.skip_ticket,
            "-no-server-name-ack" => &mut switches.no_server_name_ack,
            "-reject-alpn" => &mut switches.reject_alpn,
            "-enable-ocsp-stapling" => &mut switches.enable_ocsp_stapling,
            "-use-ocsp-callback" => &mut switches.use_ocsp_callback,
            "-decline-ocsp-callback" => &mut switches.decline_ocsp_callback,
            "-fail-ocsp-callback" => &mut switches.fail_ocsp_callback,
            "-expect-no-server-name" => &mut expect.no_server_name,
            "-expect-session-miss" => &mut expect.session_miss,
            "-expect-no-session" => &mut expect.no_session,
            "-expect-session-id" => &mut expect.session_id,
            "-expect-no-session-id" => &mut expect.no_session_id,
            "-expect-ticket-supports-early-data" => &mut expect.ticket_supports_early_data,
            "-expect-ticket-renewal" => &mut expect.ticket_renewal,
            "-expect-hrr" => &mut expect.hrr,
            "-expect-no-hrr" => &mut expect.no_hrr,
            "-expect-no-peer-cert" => &mut expect.no_peer_cert,
            "-expect-verify-result" => &mut expect.verify_result,
            // Shapes of BoringSSL's calls, versions that nobody has, and early data, which it does not do in DTLS.
            "-use-early-callback"
            | "-use-old-client-cert-callback"
            | "-false-start"
            | "-no-tls1"
            | "-no-tls11"
            | "-use-ticket-callback"
            | "-enable-early-data"
            | "-expect-no-offer-early-data"
            | "-expect-accept-early-data"
            | "-handshake-twice"
            | "-no-op-extra-handshake"
            | "-install-ddos-callback"
            | "-server-preference"
            | "-check-close-notify"
            | "-set-ocsp-in-callback"
            | "-use-ticket-aead-callback"
            | "-implicit-handshake"
            | "-async"
            // Declining is what having no protocol does, and SHA-256 is what an imported key has by default.
            | "-decline-alpn"
            | "-psk-importer-sha256"
            // What no connection of ours is without.
            | "-expect-extended-master-secret"
            | "-expect-secure-renegotiation" => &mut switches.ignored,
            _ => return None,
        })
    }

    fn number(&mut self, flag: &str) -> Option<&mut Option<u64>> {
        Some(match flag {
            "-mtu" => &mut self.mtu,
            "-initial-timeout-duration-ms" => &mut self.initial_timeout_duration_ms,
            "-min-version" => &mut self.min_version,
            "-max-version" => &mut self.max_version,
            "-private-key-delay-ms" => &mut self.private_key_delay_ms,
            "-resumption-delay" => &mut self.resumption_delay,
            "-max-cert-list" => &mut self.max_cert_list,
            "-export-keying-material" => &mut self.export_keying_material,
            "-expect-version" => &mut self.expect.version,
            "-expect-cipher" => &mut self.expect.cipher,
            "-expect-curve-id" => &mut self.expect.curve_id,
            "-expect-peer-signature-algorithm" => &mut self.expect.peer_signature_algorithm,
            "-expect-peer-certificate-type" => &mut self.expect.peer_certificate_type,
            _ => return None,
        })
    }

    /// Values that are taken as they are.
    fn text(&mut self, flag: &str) -> Option<&mut Vec<u8>> {
        Some(match flag {
            "-cert-file" => &mut self.credential().cert_file,
            "-key-file" => &mut self.credential().key_file,
            "-export-label" => &mut self.export_label,
            "-export-context" => &mut self.export_context,
            "-shim-initial-write" => &mut self.shim_initial_write,
            "-psk" => &mut self.psk,
            "-psk-identity" => &mut self.psk_identity,
            "-expect-msg-callback" => &mut self.expect.messages,
            "-host-name" => &mut self.host_name,
            "-advertise-alpn" => &mut self.advertise_alpn,
            "-select-alpn" => &mut self.select_alpn,
            "-srtp-profiles" => &mut self.srtp_profiles,
            "-expect-server-name" => &mut self.expect.server_name,
            "-expect-alpn" => &mut self.expect.alpn,
            "-expect-advertised-alpn" => &mut self.expect.advertised_alpn,
            _ => return None,
        })
    }

    /// Values in base64.
    fn bytes(&mut self, flag: &str) -> Option<&mut Vec<u8>> {
        Some(match flag {
            "-ocsp-response" => &mut self.credential().ocsp_response,
            "-psk-importer-key" => &mut self.credential().psk,
            "-psk-importer-identity" => &mut self.credential().psk_identity,
            "-psk-importer-context" => &mut self.credential().psk_context,
            "-expect-ocsp-response" => &mut self.expect.ocsp_response,
            "-expect-peer-rpk-sha256" => &mut self.expect.peer_rpk_sha256,
            "-session-id-context" => &mut self.session_id_context,
            _ => return None,
        })
    }

    /// Flags that may come several times.
    fn list(&mut self, flag: &str) -> Option<&mut Vec<u16>> {
        Some(match flag {
            "-curves" => &mut self.curves,
            "-verify-prefs" => &mut self.verify_prefs,
            "-signing-prefs" => &mut self.credential().signing_prefs,
            "-accepted-peer-cert-types" => &mut self.accepted_peer_cert_types,
            _ => return None,
        })
    }
}

fn new_credential(flag: &str) -> Option<Credential> {
    let kind = match flag {
        "-new-x509-credential" => CredentialKind::X509,
        "-new-rpk-credential" => CredentialKind::RawPublicKey,
        "-new-psk-credential" => CredentialKind::PreSharedKey,
        _ => return None,
    };
    Some(Credential { kind, ..Credential::default() })
}

fn argument(flag: &str, rest: &mut Rest) -> Result<Vec<u8>, Usage> {
    rest.pop_front().ok_or_else(|| Usage::Wrong(flag.into()))
}

fn number<T: std::str::FromStr>(flag: &str, rest: &mut Rest) -> Result<T, Usage> {
    let text = String::from_utf8(argument(flag, rest)?).ok();
    text.and_then(|text| text.parse().ok()).ok_or_else(|| Usage::Wrong(flag.into()))
}
