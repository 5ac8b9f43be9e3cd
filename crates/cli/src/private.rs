//! Files that nobody but their owner may read or could have written.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

/// Whether only its owner has access. What others own in this way, nobody else can have opened, except
/// root.
#[cfg(unix)]
pub(crate) fn is_private(file: &File) -> io::Result<bool> {
    use std::os::unix::fs::PermissionsExt;

    Ok(file.metadata()?.permissions().mode() & 0o077 == 0)
}

/// Other systems give files the permissions of their folder.
#[cfg(not(unix))]
pub(crate) fn is_private(_file: &File) -> io::Result<bool> {
    Ok(true)
}

/// Puts `bytes` into `file` in one step, readable by its owner alone whatever was there before.
pub(crate) fn replace(file: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut name = file.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}", std::process::id()));
    let fresh = file.with_file_name(name);
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let written = options
        .open(&fresh)
        .and_then(|mut open| open.write_all(bytes).and_then(|()| open.sync_all()))
        .and_then(|()| fs::rename(&fresh, file));
    if written.is_err() {
        // What is wrong is told; that there is nothing to clean up is no further fault.
        let _ = fs::remove_file(&fresh);
    }
    written
}

/// Removes `file` so that it stays removed: also after a loss of power.
pub(crate) fn remove(file: &Path) -> io::Result<()> {
    fs::remove_file(file)?;
    // A folder can be opened and synchronised on Unix alone; elsewhere this is the best there is.
    #[cfg(unix)]
    File::open(folder(file))?.sync_all()?;
    Ok(())
}

#[cfg(unix)]
fn folder(file: &Path) -> &Path {
    file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."))
}
