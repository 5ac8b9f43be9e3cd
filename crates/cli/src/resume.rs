//! `client --resume FILE`: one session in a file.
//!
//! The file holds the session's secret, so nobody but its owner may read it. Nor may anybody else have
//! written it: whoever can plant a session there can pose as its server, whose certificate is not looked
//! at again.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use gramseal::pki_types::UnixTime;
use gramseal::sessions::{ClientSessionStore, Session};

use crate::failure::Failure;
use crate::private;

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
            Some(session) => private::replace(&self.file, &session.to_bytes()),
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
    let private = private::is_private(&file).map_err(Failure::usage)?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).map_err(Failure::usage)?;
    let session = Session::from_bytes(&bytes).map_err(Failure::usage)?;
    if private {
        Ok(session)
    } else {
        Err(Failure::usage("the session is open to others, or somebody else's (chown, chmod 600)"))
    }
}
