//! Who a side is, and whom it believes: what all commands that make or take connections have in common.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::str::FromStr;

use clap::builder::TypedValueParser;
use clap::error::{ContextKind, ContextValue};
use clap::{Arg, Args, Command, ValueHint};
use gramseal::proto::config::Psk;
use gramseal::webpki::{Fingerprint, ParseFingerprintError};

use crate::hex;

/// Our own certificate or raw public key, from files.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Certificate")]
pub(crate) struct IdentityArgs {
    /// Certificate chain to show, in PEM form, our own certificate first
    #[arg(long, value_name = "FILE", requires = "key")]
    pub(crate) cert: Option<PathBuf>,

    /// Private key to --cert, in PEM form; without --cert its public half is shown as it is (raw public key, RFC 7250),
    /// for peers that know it
    #[arg(long, value_name = "FILE")]
    pub(crate) key: Option<PathBuf>,
}

/// Who a server is, and which clients it serves.
#[derive(Debug, Clone, Args)]
pub(crate) struct ServerAuthArgs {
    /// Make a certificate for NAME on the spot and print its fingerprint, for the client's --fingerprint
    #[arg(long, value_name = "NAME", conflicts_with_all = ["cert", "key"])]
    pub(crate) self_signed: Option<String>,

    /// Staple the OCSP response (DER) in FILE to --cert for clients that ask. It is read anew for each of them, so that
    /// it can be replaced in time
    #[arg(long, value_name = "FILE", requires = "cert")]
    pub(crate) ocsp: Option<PathBuf>,

    /// Key that clients may use instead of certificates, and the identity it goes by; repeat it for several. Without
    /// --cert and --self-signed only such clients are served
    #[arg(long = "psk", value_name = "IDENTITY:HEXKEY", value_parser = Secret(parse_psk))]
    pub(crate) psks: Vec<Psk>,

    /// More such keys, from FILE: IDENTITY:HEXKEY on each line; empty lines and those that begin with # say nothing.
    /// Unlike --psk, nobody sees them in the list of processes
    #[arg(long, value_name = "FILE")]
    pub(crate) psk_file: Option<PathBuf>,

    /// Ask clients for a certificate and check it against the roots in FILE (PEM); they may decline
    #[arg(long, value_name = "FILE")]
    pub(crate) client_ca: Option<PathBuf>,

    /// Refuse clients that the revocation list in FILE (PEM or DER) names; repeat it for several. Every authority on
    /// the way to the root needs a list that is up to date
    #[arg(long = "crl", value_name = "FILE", requires = "client_ca")]
    pub(crate) crls: Vec<PathBuf>,

    /// Refuse clients that show no certificate
    #[arg(long, requires = "client_ca")]
    pub(crate) require_client_cert: bool,

    /// Ask clients for a certificate and refuse all but the one with this SHA-256 fingerprint, whatever its name and
    /// validity; repeat it for several
    #[arg(long = "fingerprint", value_name = "sha256:HEX", conflicts_with = "client_ca")]
    pub(crate) fingerprints: Vec<Fingerprint>,

    /// Refuse all clients but those that show the raw public key (RFC 7250) in FILE (PEM) or with this SHA-256
    /// fingerprint; repeat it for several. With --client-ca or --fingerprint those are served too
    #[arg(long = "raw-public-key", value_name = "FILE|sha256:HEX", value_hint = ValueHint::FilePath)]
    pub(crate) raw_public_keys: Vec<RawPublicKey>,

    #[command(flatten)]
    pub(crate) identity: IdentityArgs,
}

/// Which server a client believes, and who it is itself.
#[derive(Debug, Clone, Args)]
pub(crate) struct ClientAuthArgs {
    /// Name that the server's certificate must have, also sent as SNI [default: HOST]
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,

    #[command(flatten)]
    pub(crate) trust: TrustArgs,

    /// Refuse a server that the revocation list in FILE (PEM or DER) names; repeat it for several. Every authority on
    /// the way to the root needs a list that is up to date
    #[arg(long = "crl", value_name = "FILE", conflicts_with_all = NO_CHAIN)]
    pub(crate) crls: Vec<PathBuf>,

    /// Refuse a server that does not staple a good OCSP response to its certificate
    #[arg(long, conflicts_with_all = NO_CHAIN)]
    pub(crate) ocsp: bool,

    /// Key to use instead of certificates, and the identity it goes by; the server has to know it too
    #[arg(long, value_name = "IDENTITY:HEXKEY", value_parser = Secret(parse_psk), conflicts_with = "TrustArgs")]
    pub(crate) psk: Option<Psk>,

    /// The same with the key in FILE: one line IDENTITY:HEXKEY, beside empty lines and those that begin with #. Unlike
    /// --psk, nobody sees it in the list of processes
    #[arg(long, value_name = "FILE", conflicts_with_all = ["TrustArgs", "psk"])]
    pub(crate) psk_file: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) identity: IdentityArgs,
}

/// Ways to trust in which no chain of certificates is followed.
const NO_CHAIN: [&str; 5] = ["fingerprint", "raw_public_keys", "insecure", "psk", "psk_file"];

/// Which servers a client believes: at most one of these.
#[derive(Debug, Clone, Args)]
#[group(multiple = false)]
pub(crate) struct TrustArgs {
    /// Trust the root certificates in FILE (PEM)
    #[arg(long, value_name = "FILE")]
    pub(crate) ca: Option<PathBuf>,

    /// Trust the root certificates of the operating system (the default)
    #[arg(long)]
    pub(crate) system_roots: bool,

    /// Trust exactly the certificate with this SHA-256 fingerprint, whatever its name and validity
    #[arg(long, value_name = "sha256:HEX")]
    pub(crate) fingerprint: Option<Fingerprint>,

    /// Trust exactly the server that shows the raw public key (RFC 7250) in FILE (PEM) or with this SHA-256
    /// fingerprint, whatever its name; repeat it for several
    #[arg(long = "raw-public-key", value_name = "FILE|sha256:HEX", value_hint = ValueHint::FilePath)]
    pub(crate) raw_public_keys: Vec<RawPublicKey>,

    /// Trust any certificate: anybody on the path can pose as the server
    #[arg(long)]
    pub(crate) insecure: bool,
}

/// A raw public key of a peer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum RawPublicKey {
    Fingerprint(Fingerprint),
    /// With one or more keys in PEM form.
    File(PathBuf),
}

impl FromStr for RawPublicKey {
    type Err = ParseFingerprintError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.parse() {
            Ok(fingerprint) => Ok(Self::Fingerprint(fingerprint)),
            Err(ParseFingerprintError::UnknownAlgorithm) => Ok(Self::File(text.into())),
            Err(error) => Err(error),
        }
    }
}

/// Parses values that faults must not show: what is wrong with a key may be one digit of it.
#[derive(Debug, Clone)]
struct Secret<P>(P);

impl<P: TypedValueParser> TypedValueParser for Secret<P> {
    type Value = P::Value;

    fn parse_ref(&self, cmd: &Command, arg: Option<&Arg>, value: &OsStr) -> Result<P::Value, clap::Error> {
        self.0.parse_ref(cmd, arg, value).map_err(|mut error| {
            error.insert(ContextKind::InvalidValue, ContextValue::String("(not shown)".to_owned()));
            error
        })
    }
}

/// A key of `--psk`: splits at the last colon, since identities may hold some.
pub(crate) fn parse_psk(text: &str) -> Result<Psk, String> {
    let (identity, key) = text.rsplit_once(':').ok_or("IDENTITY:HEXKEY is wanted")?;
    let key = hex::decode(key).ok_or("the key is not hexadecimal")?;
    Psk::new(identity, key).map_err(|error| error.to_string())
}
