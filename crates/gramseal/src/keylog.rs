//! Key logs in a file, as Wireshark and others read them (RFC 9850).

use std::fmt::Write as _;
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::{env, fmt};

use gramseal_proto::KeyLog;

use crate::telemetry;

/// Appends the secrets of connections to a file. Whoever reads it can read their traffic: for
/// debugging only.
pub struct KeyLogFile {
    file: Mutex<File>,
}

impl KeyLogFile {
    /// Opens the file that the environment variable `SSLKEYLOGFILE` names; `None` if it is unset
    /// or empty.
    ///
    /// # Errors
    /// If the file cannot be opened.
    pub fn from_env() -> io::Result<Option<Arc<Self>>> {
        match env::var_os("SSLKEYLOGFILE") {
            Some(path) if !path.is_empty() => Self::open(path).map(Some),
            Some(_) | None => Ok(None),
        }
    }

    /// Opens `path` for appending, and creates it if need be, on Unix for its owner alone.
    ///
    /// # Errors
    /// If the file cannot be opened.
    pub fn open(path: impl AsRef<Path>) -> io::Result<Arc<Self>> {
        let mut options = OpenOptions::new();
        options.append(true).create(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        Ok(Arc::new(Self { file: Mutex::new(options.open(path)?) }))
    }
}

impl KeyLog for KeyLogFile {
    fn log(&self, label: &str, client_random: &[u8; 32], secret: &[u8]) {
        let mut line = String::with_capacity(label.len() + 2 * (client_random.len() + secret.len()) + 3);
        line.push_str(label);
        line.push(' ');
        push_hex(&mut line, client_random);
        line.push(' ');
        push_hex(&mut line, secret);
        line.push('\n');
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        // One write a line, so that lines of several processes do not mix. A connection does not
        // fail because its debugging does.
        if let Err(error) = file.write_all(line.as_bytes()) {
            telemetry::key_log_failed(&error);
        }
    }
}

fn push_hex(line: &mut String, bytes: &[u8]) {
    for byte in bytes {
        write!(line, "{byte:02x}").expect("a String takes all text");
    }
}

impl fmt::Debug for KeyLogFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyLogFile").finish_non_exhaustive()
    }
}
