//! Files that nobody but their owner may read or could have written.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::failure::Remark;
use crate::hex;

/// Those of `files` that others than their owner have access to, and that nobody else should. That is told and no fault:
/// some keep keys for a group of users.
pub(crate) fn exposed<'f>(files: impl IntoIterator<Item = &'f PathBuf>) -> impl Iterator<Item = Remark> {
    files
        .into_iter()
        .filter(|file| is_exposed(file))
        .map(|file| Remark::new("others have access to the key (chmod 600)").at(file))
}

/// What is no file, such as a pipe, has no content that others could read as well. What cannot be looked at cannot be read
/// either, which is told elsewhere.
#[cfg(unix)]
fn is_exposed(file: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;

    fs::metadata(file).is_ok_and(|file| file.is_file() && file.mode() & OTHERS != 0)
}

/// Other systems give files the permissions of their folder.
#[cfg(not(unix))]
fn is_exposed(_file: &Path) -> bool {
    false
}

/// What a mode allows to others than the owner.
#[cfg(unix)]
const OTHERS: u32 = 0o077;

/// Whether nobody has access but this process's user, and root, who has it everywhere.
#[cfg(unix)]
pub(crate) fn is_private(file: &File) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt;

    let file = file.metadata()?;
    Ok(is_private_of(rustix::process::geteuid().as_raw(), file.uid(), file.mode()))
}

/// A file of somebody else's says what that one wants, whatever its mode.
#[cfg(unix)]
fn is_private_of(user: u32, owner: u32, mode: u32) -> bool {
    mode & OTHERS == 0 && (owner == user || owner == 0)
}

/// Other systems give files the permissions of their folder.
#[cfg(not(unix))]
pub(crate) fn is_private(_file: &File) -> io::Result<bool> {
    Ok(true)
}

/// Puts `bytes` into `file` in one step that a loss of power does not undo, readable by its owner alone
/// whatever was there before.
pub(crate) fn replace(file: &Path, bytes: &[u8]) -> io::Result<()> {
    // What an earlier process has left behind, or somebody else laid there, has another name.
    let random: [u8; 8] = gramseal::provider().random_array().map_err(io::Error::other)?;
    let mut name = file.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}", hex::encode(&random)));
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
    written?;
    sync_folder(file)
}

/// Removes `file` so that it stays removed: also after a loss of power.
pub(crate) fn remove(file: &Path) -> io::Result<()> {
    fs::remove_file(file)?;
    sync_folder(file)
}

/// Lets the names in the folder of `file` outlive a loss of power.
#[cfg(unix)]
fn sync_folder(file: &Path) -> io::Result<()> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
    File::open(folder)?.sync_all()
}

/// A folder can be opened and synchronised on Unix alone; elsewhere nothing is the best there is.
#[cfg(not(unix))]
fn sync_folder(_file: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn files_that_others_have_access_to_are_exposed() {
        use std::os::unix::fs::PermissionsExt;

        let folder = std::env::temp_dir().join(format!("gramseal-exposed-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("it can be made");
        let file = folder.join("key");
        fs::write(&file, "key").expect("it can be written");
        let exposed_with = |mode: u32| {
            fs::set_permissions(&file, fs::Permissions::from_mode(mode)).expect("it is ours");
            exposed([&file, &folder.join("absent"), &folder]).map(|remark| remark.to_string()).collect::<Vec<_>>()
        };
        let told = [0o600, 0o400, 0o700].map(exposed_with);
        let one = [0o640, 0o604, 0o620, 0o601].map(exposed_with);
        let name = file.display().to_string();
        fs::remove_dir_all(&folder).expect("it is ours");
        assert_eq!(told, [const { Vec::<String>::new() }; 3]);
        assert!(one.iter().all(|told| told.len() == 1 && told[0].starts_with(&name)), "{one:?}");
    }

    #[test]
    fn what_belongs_to_others_is_not_private() {
        assert!(is_private_of(1000, 1000, 0o100_600) && is_private_of(1000, 0, 0o100_400));
        assert!(!is_private_of(1000, 1001, 0o100_600));
        assert!(!is_private_of(1000, 1000, 0o100_640) && !is_private_of(1000, 1000, 0o100_604));
    }

    #[test]
    fn leftovers_are_in_nobodys_way() {
        let folder = std::env::temp_dir().join(format!("gramseal-private-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("it can be made");
        let file = folder.join("state");
        // What a process of the same number left behind that died while it wrote.
        fs::write(folder.join(format!("state.{}", std::process::id())), "half").expect("it can be written");
        replace(&file, b"one").expect("it can be written");
        replace(&file, b"two").expect("it can be written again");
        let content = fs::read(&file).expect("it is there");
        let private = is_private(&File::open(&file).expect("it is there")).expect("it has a mode");
        let names = fs::read_dir(&folder).expect("it is there").count();
        fs::remove_dir_all(&folder).expect("it is ours");
        assert_eq!((content.as_slice(), private, names), (&b"two"[..], true, 2));
    }
}
