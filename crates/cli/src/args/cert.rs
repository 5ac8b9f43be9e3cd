//! The command line of `gramseal cert`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::identity::KeyKind;

/// The longest validity that can be asked for, in days: a century.
const MAX_DAYS: i64 = 36_525;

#[derive(Debug, Clone, Args)]
pub(crate) struct CertArgs {
    #[command(subcommand)]
    pub(crate) command: CertCommand,

    /// Print one JSON object per line on standard output
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

#[derive(Debug, Clone, Subcommand)]
pub(crate) enum CertCommand {
    /// Make a certification authority
    ///
    /// Writes its certificate to DIR/ca.pem, its private key to DIR/ca.key and its public key to DIR/ca.pub. Whoever
    /// trusts DIR/ca.pem (client --ca, server --client-ca) believes every certificate made with DIR/ca.key.
    Ca(CaArgs),
    /// Make a certificate for a server
    ///
    /// Writes the certificate chain to NAME.pem, the private key to NAME.key and the public key to NAME.pub; NAME is
    /// the first one. Then: gramseal server --cert NAME.pem --key NAME.key
    Server(ServerCertArgs),
    /// Make a certificate for a client
    ///
    /// Writes the certificate chain to NAME.pem, the private key to NAME.key and the public key to NAME.pub. Then:
    /// gramseal client HOST:PORT --cert NAME.pem --key NAME.key
    Client(ClientCertArgs),
    /// Print what certificates and keys say
    ///
    /// Nothing is checked: a certificate that is printed may be forged. Of a private key only its public half is shown.
    Show(ShowArgs),
}

#[derive(Debug, Clone, Args)]
pub(crate) struct CaArgs {
    /// Folder for the files
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,

    /// What to call it [default: "gramseal test CA", below another one "gramseal test intermediate"]
    #[arg(long, value_name = "TEXT")]
    pub(crate) name: Option<String>,

    /// Folder of the authority that this one is below [default: none, it is a root]
    #[arg(long, value_name = "DIR")]
    pub(crate) ca: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) make: MakeArgs,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct ServerCertArgs {
    /// Host names and IP addresses that clients may know it by; *.example.org stands for all hosts one level below
    #[arg(value_name = "NAME", required = true)]
    pub(crate) names: Vec<String>,

    #[command(flatten)]
    pub(crate) issue: IssueArgs,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct ClientCertArgs {
    /// What to call it: a host name, an IP or mail address, a URI, or any text
    #[arg(value_name = "NAME")]
    pub(crate) name: String,

    #[command(flatten)]
    pub(crate) issue: IssueArgs,
}

/// Who signs a certificate, and where it goes.
#[derive(Debug, Clone, Args)]
pub(crate) struct IssueArgs {
    /// Folder of the authority that signs, made by `gramseal cert ca`
    #[arg(long, value_name = "DIR", required_unless_present = "self_signed", conflicts_with = "self_signed")]
    pub(crate) ca: Option<PathBuf>,

    /// Sign it with its own key: for peers that know its fingerprint
    #[arg(long)]
    pub(crate) self_signed: bool,

    /// Folder for the files [default: that of the authority; with --self-signed, the current one]
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) make: MakeArgs,
}

/// How to make a key and its certificate.
#[derive(Debug, Clone, Args)]
pub(crate) struct MakeArgs {
    /// Kind of key to make
    #[arg(long, value_name = "KIND", value_enum, default_value_t = KeyKind::EcdsaP256)]
    pub(crate) key_type: KeyKind,

    /// How long it is valid, in days; never longer than its authority [default: 3650 for an authority, else 365]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=MAX_DAYS))]
    pub(crate) days: Option<u32>,

    /// Replace files that exist
    #[arg(long)]
    pub(crate) force: bool,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct ShowArgs {
    /// Certificates, public keys and private keys: PEM, with any number in a file, or one in DER form
    #[arg(value_name = "FILE", required = true)]
    pub(crate) files: Vec<PathBuf>,
}
