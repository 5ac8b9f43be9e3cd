//! Prints what is in files: certificates, public keys, and the public halves of private keys.

use std::fmt;
use std::path::{Path, PathBuf};

use gramseal::pki_types::PrivateKeyDer;
use gramseal::pki_types::pem::{PemObject, SectionKind};
use serde::Serialize;

use super::facts::{CertificateFacts, KeyFacts};
use crate::failure::Failure;
use crate::output::Output;
use crate::report::Event;

pub(super) fn run(files: &[PathBuf], output: Output) -> Result<(), Failure> {
    for file in files {
        let bytes = std::fs::read(file).map_err(|error| Failure::usage(error).at(file))?;
        for item in items(file, &bytes).map_err(|reason| Failure::usage(reason).at(file))? {
            output.result(&Event::Item(&item), &item);
        }
    }
    Ok(())
}

/// One thing in a file.
#[derive(Debug, Serialize)]
pub(crate) struct Item {
    file: String,
    /// Counted from 1.
    position: usize,
    #[serde(flatten)]
    content: Content,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
enum Content {
    Certificate(Box<CertificateFacts>),
    PublicKey(KeyFacts),
    PrivateKey(KeyFacts),
}

fn items(file: &Path, bytes: &[u8]) -> Result<Vec<Item>, String> {
    let mut contents = Vec::new();
    for section in <(SectionKind, Vec<u8>)>::pem_slice_iter(bytes) {
        let (kind, der) = section.map_err(|error| error.to_string())?;
        let content = section_content(kind, der);
        // Which of many it is that cannot be read.
        contents.extend(content.map_err(|reason| format!("item {}: {reason}", contents.len() + 1))?);
    }
    if contents.is_empty() {
        let bare = CertificateFacts::read(bytes).map(|facts| Content::Certificate(Box::new(facts)));
        let bare = bare.or_else(|_| KeyFacts::read(bytes).map(Content::PublicKey));
        contents.push(bare.map_err(|_| "holds no certificate and no key, in PEM or DER form".to_owned())?);
    }
    let numbered = contents.into_iter().zip(1..);
    Ok(numbered.map(|(content, position)| Item { file: file.display().to_string(), position, content }).collect())
}

/// `None` for what is not shown here: revocation lists, requests.
fn section_content(kind: SectionKind, der: Vec<u8>) -> Result<Option<Content>, String> {
    Ok(match kind {
        SectionKind::Certificate => Some(Content::Certificate(Box::new(CertificateFacts::read(&der)?))),
        SectionKind::PublicKey => Some(Content::PublicKey(KeyFacts::read(&der)?)),
        kind => match PrivateKeyDer::from_pem(kind, der) {
            Some(key) => Some(Content::PrivateKey(public_half(&key)?)),
            None => None,
        },
    })
}

fn public_half(key: &PrivateKeyDer<'_>) -> Result<KeyFacts, String> {
    let key = gramseal::provider().keys.load(key).map_err(|error| error.to_string())?;
    let public = key.public_key().ok_or("the private key does not tell its public half")?;
    KeyFacts::read(&public)
}

impl fmt::Display for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, position, content } = self;
        match content {
            Content::Certificate(facts) => write!(f, "{file}: {position}: certificate\n{facts}"),
            Content::PublicKey(facts) => write!(f, "{file}: {position}: public key\n{facts}"),
            Content::PrivateKey(facts) => write!(f, "{file}: {position}: private key\n{facts}"),
        }
    }
}
