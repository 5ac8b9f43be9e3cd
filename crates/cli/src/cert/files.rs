//! Writing certificates and keys: private keys for their owner alone, nothing replaced unasked.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use rcgen::KeyPair;

use crate::failure::Failure;

/// What happens to a file that is there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Existing {
    /// It stays, and that is an error.
    Kept,
    Replaced,
}

/// Who may read a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Readers {
    Owner,
    Everybody,
}

/// Where a certificate and its keys go.
#[derive(Debug)]
pub(super) struct Paths {
    pub(super) certificate: PathBuf,
    pub(super) private_key: PathBuf,
    pub(super) public_key: PathBuf,
}

impl Paths {
    /// `stem` with three endings. It may contain dots.
    pub(super) fn of(folder: &Path, stem: &str) -> Self {
        let path = |ending: &str| folder.join(format!("{stem}.{ending}"));
        Self { certificate: path("pem"), private_key: path("key"), public_key: path("pub") }
    }

    /// Before anything is made: whether it could be written. A link counts, wherever it leads.
    pub(super) fn check(&self, existing: Existing) -> Result<(), Failure> {
        let all = [&self.certificate, &self.private_key, &self.public_key];
        match all.into_iter().find(|path| existing == Existing::Kept && fs::symlink_metadata(path).is_ok()) {
            Some(path) => Err(exists(path)),
            None => Ok(()),
        }
    }
}

/// Writes all three, the private key first: without it the others are of no use.
pub(super) fn write(paths: &Paths, chain: &str, key: &KeyPair, existing: Existing) -> Result<(), Failure> {
    if let Some(folder) = paths.certificate.parent() {
        fs::create_dir_all(folder).map_err(|error| Failure::usage(error).at(folder))?;
    }
    write_file(&paths.private_key, &key.serialize_pem(), Readers::Owner, existing)?;
    write_file(&paths.certificate, chain, Readers::Everybody, existing)?;
    write_file(&paths.public_key, &key.public_key_pem(), Readers::Everybody, existing)
}

/// Always makes a new file: one that is written over would keep its permissions, and a link would
/// lead elsewhere.
fn write_file(path: &Path, text: &str, readers: Readers, existing: Existing) -> Result<(), Failure> {
    let failed = |error: std::io::Error| match error.kind() {
        ErrorKind::AlreadyExists => exists(path),
        _ => Failure::usage(error).at(path),
    };
    if existing == Existing::Replaced {
        match fs::remove_file(path) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(failed(error)),
            Ok(()) | Err(_) => {}
        }
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    restrict(&mut options, readers);
    let mut file = options.open(path).map_err(failed)?;
    file.write_all(text.as_bytes()).map_err(failed)
}

#[cfg(unix)]
fn restrict(options: &mut OpenOptions, readers: Readers) {
    use std::os::unix::fs::OpenOptionsExt;

    if readers == Readers::Owner {
        options.mode(0o600);
    }
}

/// Other systems give new files the permissions of their folder.
#[cfg(not(unix))]
fn restrict(_options: &mut OpenOptions, _readers: Readers) {}

fn exists(path: &Path) -> Failure {
    Failure::usage("exists already (--force replaces it)").at(path)
}
