//! `tunnel server --state FILE`: connections that outlive the process.
//!
//! The file is sealed as a whole (AES-256-GCM) with a key of its own, and each connection in it is an image that the
//! library seals besides, with a key that is in the file alone. It is written when the server ends, in one step and
//! for its owner's eyes, and removed *before* the first connection in it goes on: a connection that went on twice
//! would use numbers, and so nonces, twice. The key, unless its file is named by `--state-key`, is replaced before that as
//! well, so that an old copy of the file is worth nothing.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use gramseal::ImageKey;
use gramseal::proto::crypto::CryptoError;
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, Zeroizing};

use crate::failure::Failure;
use crate::hex;
use crate::private;

/// What such a file begins with: its name and the version of its format.
const MAGIC: &[u8] = b"gramseal tunnel state 1\n";

/// The secret of `--state-key`.
pub(super) struct StateKey(RandomizedNonceKey);

impl StateKey {
    /// Bytes in a secret.
    const LEN: usize = 32;

    /// The key in `file`, if there is such a file.
    pub(super) fn read(file: &Path) -> Result<Option<Self>, Failure> {
        let mut opened = match File::open(file) {
            Ok(opened) => opened,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Failure::usage(error).at(file)),
        };
        if !private::is_private(&opened).map_err(|error| Failure::usage(error).at(file))? {
            return Err(Failure::usage("the key is open to others, or somebody else's (chown, chmod 600)").at(file));
        }
        let mut text = Zeroizing::new(String::new());
        opened.read_to_string(&mut text).map_err(|error| Failure::usage(error).at(file))?;
        let secret = hex::decode(text.trim()).map(Zeroizing::new);
        let secret = secret.as_deref().and_then(|secret| <&[u8; Self::LEN]>::try_from(secret.as_slice()).ok());
        Self::new(secret.ok_or_else(|| Failure::usage("a key has 64 hexadecimal digits").at(file))?).map(Some)
    }

    /// Makes a key and writes it into `file`.
    pub(super) fn create(file: &Path) -> Result<Self, Failure> {
        let secret: [u8; Self::LEN] = gramseal::provider().random_array().map_err(Failure::connection)?;
        let secret = Zeroizing::new(secret);
        let mut text = Zeroizing::new(hex::encode(&*secret));
        text.push('\n');
        private::replace(file, text.as_bytes()).map_err(|error| Failure::usage(error).at(file))?;
        Self::new(&secret)
    }

    fn new(secret: &[u8; Self::LEN]) -> Result<Self, Failure> {
        RandomizedNonceKey::new(&AES_256_GCM, secret).map(Self).map_err(Failure::connection)
    }
}

/// What a file says, once it is opened.
#[derive(Serialize, Deserialize)]
struct Contents {
    image_key: [u8; ImageKey::LEN],
    connections: Vec<Saved>,
}

/// A connection, and how its other side was reached.
#[derive(Serialize, Deserialize)]
pub(super) struct Saved {
    pub(super) image: Vec<u8>,
    /// The local port that stood for the client towards the target.
    pub(super) local_port: u16,
}

/// Connections on their way into a file, or out of it.
pub(super) struct State {
    secret: Zeroizing<[u8; ImageKey::LEN]>,
    pub(super) key: ImageKey,
    pub(super) connections: Vec<Saved>,
}

impl State {
    /// Without connections yet.
    pub(super) fn new() -> Result<Self, CryptoError> {
        Self::with(Zeroizing::new(gramseal::provider().random_array()?), Vec::new())
    }

    fn with(secret: Zeroizing<[u8; ImageKey::LEN]>, connections: Vec<Saved>) -> Result<Self, CryptoError> {
        let key = ImageKey::new(gramseal::provider(), &secret)?;
        Ok(Self { secret, key, connections })
    }

    /// Seals `connections`, whose images its key made, and puts them into `file` in one step.
    pub(super) fn write(&self, connections: Vec<Saved>, file: &Path, key: &StateKey) -> Result<(), Failure> {
        let mut contents = Contents { image_key: *self.secret, connections };
        // Room for all of it (bytes are numbers of up to three digits and a comma): growing would leave copies.
        let room = 256 + contents.connections.iter().map(|saved| 64 + 4 * saved.image.len()).sum::<usize>();
        let mut sealed: Vec<u8> = Vec::with_capacity(room);
        let written = serde_json::to_writer(&mut sealed, &contents);
        contents.image_key.zeroize();
        written.map_err(Failure::connection)?;
        let nonce = key.0.seal_in_place_append_tag(Aad::from(MAGIC), &mut sealed).map_err(Failure::connection)?;
        let bytes = [MAGIC, nonce.as_ref(), &sealed].concat();
        private::replace(file, &bytes).map_err(|error| Failure::connection(error).at(file))
    }

    /// Without a key, nothing can be opened.
    fn open(bytes: &[u8], key: Option<&StateKey>) -> Result<Self, &'static str> {
        let sealed = bytes.strip_prefix(MAGIC).ok_or("is no state file of this version")?;
        let (nonce, sealed) = sealed.split_first_chunk::<NONCE_LEN>().ok_or("is cut off")?;
        let mut sealed = Zeroizing::new(sealed.to_vec());
        let foreign = "is damaged, or sealed with another key";
        let key = key.ok_or(foreign)?;
        let opened = key.0.open_in_place(Nonce::from(nonce), Aad::from(MAGIC), &mut sealed).map_err(|_| foreign)?;
        let mut contents: Contents =
            serde_json::from_slice(opened).map_err(|_| "does not say what a state file says")?;
        let secret = Zeroizing::new(contents.image_key);
        contents.image_key.zeroize();
        Self::with(secret, contents.connections).map_err(|_| "cannot be opened with this cryptography")
    }
}

/// A state file that was read, and is still there.
pub(super) struct Found {
    file: PathBuf,
    /// Or why it is no good.
    opened: Result<State, &'static str>,
}

impl Found {
    /// Reads and opens `file`, if there is one, and changes nothing.
    ///
    /// # Errors
    /// If the file cannot be read. One that is read and is no good, [`Self::take`] tells.
    pub(super) fn read(file: &Path, key: Option<&StateKey>) -> Result<Option<Self>, Failure> {
        match fs::read(file) {
            Ok(bytes) => Ok(Some(Self { file: file.to_owned(), opened: State::open(&bytes, key) })),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Failure::usage(error).at(file)),
        }
    }

    /// Does what `renew` does about the key, and removes the file, for its connections to go on. One that cannot be
    /// opened is put aside, as `FILE.refused`: what is wrong with it may be the key.
    ///
    /// # Errors
    /// If it is no good, or cannot be removed: then no connection in it may go on, since another process could read it
    /// again.
    pub(super) fn take(self, renew: impl FnOnce() -> Result<(), Failure>) -> Result<State, Failure> {
        let Self { file, opened } = self;
        let taken = match opened {
            Ok(state) => {
                renew()?;
                private::remove(&file).map(|()| state).map_err(|error| format!("cannot be removed: {error}"))
            }
            Err(reason) => {
                let mut aside = file.as_os_str().to_owned();
                aside.push(".refused");
                Err(match fs::rename(&file, &aside) {
                    Ok(()) => format!("{reason}; it is now {}", Path::new(&aside).display()),
                    Err(error) => format!("{reason}, and cannot be put aside: {error}"),
                })
            }
        };
        taken.map_err(|reason| Failure::connection(reason).at(&file))
    }
}
