//! `client --resume FILE`: one session in a file.
//!
//! The file holds the session's secret, so nobody but its owner may read it. Nor may anybody else have
//! written it: whoever can plant a session there can pose as its server, whose certificate is not looked
//! at again.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use gramseal::pki_types::UnixTime;
use gramseal::sessions::{ClientSessionStore, Session};

use crate::failure::Failure;

/// A store for one session. The file is read at the start and written when [`save`](Self::save) says so.
#[derive(Debug)]
pub(crate) struct SessionFile {
    file: PathBuf,
    session: Mutex<Option<Session>>,
}

impl SessionFile {
    /// With the session in `file`, if there is such a file.
    pub(crate) fn open(file: &Path) -> Result<Self, Failure> {
        let session = match File::open(file) {
            Ok(opened) => Some(read(opened).map_err(|error| error.at(file))?),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(Failure::usage(error).at(file)),
        };
        Ok(Self { file: file.to_owned(), session: Mutex::new(session) })
    }

    /// Writes the session that is there now, or removes the file if there is none: one that was offered
    /// and refused, or whose connection failed, is of no use any more.
    pub(crate) fn save(&self) -> Result<(), Failure> {
        let session = self.lock().clone();
        let saved = match session {
            Some(session) => replace(&self.file, &session.to_bytes()),
            None => match fs::remove_file(&self.file) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
                _ => Ok(()),
            },
        };
        saved.map_err(|error| Failure::usage(error).at(&self.file))
    }

    fn lock(&self) -> MutexGuard<'_, Option<Session>> {
        self.session.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ClientSessionStore for SessionFile {
    fn now(&self) -> UnixTime {
        UnixTime::now()
    }

    fn take(&self, server_name: &str, context: &[u8; 32]) -> Option<Session> {
        let fits = |session: &mut Session| session.server_name() == Some(server_name) && session.context() == context;
        self.lock().take_if(fits)
    }

    fn put(&self, session: Session) {
        *self.lock() = Some(session);
    }
}

/// The session in `file`, if it is nobody else's.
fn read(mut file: File) -> Result<Session, Failure> {
    let private = is_private(&file).map_err(Failure::usage)?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).map_err(Failure::usage)?;
    let session = Session::from_bytes(&bytes).map_err(Failure::usage)?;
    if private { Ok(session) } else { Err(Failure::usage("the session is open to others than its owner (chmod 600)")) }
}

/// Whether only its owner has access. What others own in this way, nobody else can have opened, except
/// root.
#[cfg(unix)]
fn is_private(file: &File) -> io::Result<bool> {
    use std::os::unix::fs::PermissionsExt;

    Ok(file.metadata()?.permissions().mode() & 0o077 == 0)
}

/// Other systems give files the permissions of their folder.
#[cfg(not(unix))]
fn is_private(_file: &File) -> io::Result<bool> {
    Ok(true)
}

/// Puts `bytes` into `file` in one step, readable by its owner alone whatever was there before.
fn replace(file: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut name = file.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}", std::process::id()));
    let fresh = file.with_file_name(name);
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let written =
        options.open(&fresh).and_then(|mut open| open.write_all(bytes)).and_then(|()| fs::rename(&fresh, file));
    if written.is_err() {
        // What is wrong is told; that there is nothing to clean up is no further fault.
        let _ = fs::remove_file(&fresh);
    }
    written
}
