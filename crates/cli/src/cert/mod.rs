//! `gramseal cert`: certificates and keys for testing, and what they say.
//!
//! - [`names`]: which names a certificate may carry, and what its files are called;
//! - [`authority`]: an authority in a folder, and what it signs;
//! - [`files`]: writing, without losing or exposing anything;
//! - [`show`] and [`facts`]: reading.
//!
//! It decides nothing about trust: the verifiers of the library do.

mod authority;
mod facts;
mod files;
mod names;
mod show;

use std::path::Path;

use gramseal::webpki::Fingerprint;
use rcgen::{ExtendedKeyUsagePurpose, PublicKeyData};
use serde::Serialize;

use crate::args::{CaArgs, CertArgs, CertCommand, IssueArgs, MakeArgs};
use crate::failure::Failure;
use crate::identity;
use crate::output::{self, NOTICE, Output};
use crate::report::Event;
use authority::{Authority, Signed, Validity};
use files::{Existing, Paths};
pub(crate) use show::Item;

/// Days of validity.
const DAYS_OF_AUTHORITY: u32 = 3650;
const DAYS_OF_LEAF: u32 = 365;

pub(crate) fn run(args: &CertArgs) -> Result<(), Failure> {
    let output = Output::new(args.json, false);
    match &args.command {
        CertCommand::Ca(args) => make_authority(args, output),
        CertCommand::Server(args) => {
            let alternatives = args.names.iter().map(|name| names::of_server(name)).collect::<Result<_, _>>()?;
            let first = args.names.first().map(String::as_str).unwrap_or_default();
            make_leaf(&args.issue, first, alternatives, ExtendedKeyUsagePurpose::ServerAuth, output)
        }
        CertCommand::Client(args) => {
            let alternatives = names::of_client(&args.name)?;
            make_leaf(&args.issue, &args.name, alternatives, ExtendedKeyUsagePurpose::ClientAuth, output)
        }
        CertCommand::Show(args) => show::run(&args.files, output),
    }
}

fn make_authority(args: &CaArgs, output: Output) -> Result<(), Failure> {
    if let Some(above) = &args.ca
        && same_folder(above, &args.out)
    {
        return Err(Failure::usage("--ca and --out are the same folder").at(&args.out));
    }
    let paths = Paths::of(&args.out, authority::STEM);
    let default = if args.ca.is_some() { "gramseal test intermediate" } else { "gramseal test CA" };
    let params = identity::authority_params(args.name.as_deref().unwrap_or(default))?;
    make(params, args.ca.as_deref(), &paths, &args.make, DAYS_OF_AUTHORITY, output)
}

fn make_leaf(
    args: &IssueArgs,
    name: &str,
    alternatives: Vec<rcgen::SanType>,
    purpose: ExtendedKeyUsagePurpose,
    output: Output,
) -> Result<(), Failure> {
    let folder = args.out.as_deref().or(args.ca.as_deref()).unwrap_or_else(|| Path::new("."));
    let stem = names::file_stem(name);
    if stem == authority::STEM {
        // Not even with --force: the files of an authority would be lost.
        return Err(Failure::usage(format!("{name:?}: an authority's files are called that")));
    }
    let params = identity::leaf_params(name, alternatives, purpose)?;
    make(params, args.ca.as_deref(), &Paths::of(folder, &stem), &args.make, DAYS_OF_LEAF, output)
}

/// Makes a key and a certificate for it, signed by the authority in the folder `above` or by
/// itself, writes both and reports them.
fn make(
    params: rcgen::CertificateParams,
    above: Option<&Path>,
    paths: &Paths,
    args: &MakeArgs,
    default_days: u32,
    output: Output,
) -> Result<(), Failure> {
    let existing = if args.force { Existing::Replaced } else { Existing::Kept };
    paths.check(existing)?;
    let authority = above.map(Authority::open).transpose()?;
    let wanted = Validity::of_days(args.days.unwrap_or(default_days))?;
    let validity = authority.as_ref().map_or(wanted, |authority| authority.limit(wanted));
    if validity.end() != wanted.end() && args.days.is_some() {
        output::note(format_args!("{NOTICE}valid no longer than its authority: until {}{NOTICE:#}", validity.end()));
    }
    let key = identity::portable_key_pair(args.key_type)?;
    let signed = match &authority {
        Some(authority) => authority.sign(params, validity, &key)?,
        None => Signed::by_itself(params, validity, &key)?,
    };
    files::write(paths, &signed.chain, &key, existing)?;
    let made = Made::new(paths, &signed, &key, validity);
    output.result(&Event::Made(&made), &made);
    Ok(())
}

fn same_folder(one: &Path, other: &Path) -> bool {
    let canonical = |path: &Path| path.canonicalize().ok();
    canonical(one).is_some_and(|one| canonical(other) == Some(one))
}

/// What was written where.
#[derive(Debug, Serialize)]
pub(crate) struct Made {
    certificate: String,
    private_key: String,
    public_key: String,
    not_after: String,
    fingerprint: String,
    public_key_fingerprint: String,
}

impl Made {
    fn new(paths: &Paths, signed: &Signed, key: &rcgen::KeyPair, validity: Validity) -> Self {
        let text = |path: &Path| path.display().to_string();
        Self {
            certificate: text(&paths.certificate),
            private_key: text(&paths.private_key),
            public_key: text(&paths.public_key),
            not_after: validity.end(),
            fingerprint: Fingerprint::of(&signed.certificate).to_string(),
            public_key_fingerprint: facts::fingerprint_of(&key.subject_public_key_info()),
        }
    }
}

impl std::fmt::Display for Made {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "certificate  {}", self.certificate)?;
        writeln!(f, "private key  {}", self.private_key)?;
        writeln!(f, "public key   {}", self.public_key)?;
        writeln!(f, "valid until  {}", self.not_after)?;
        write!(f, "fingerprint  {}", self.fingerprint)
    }
}
