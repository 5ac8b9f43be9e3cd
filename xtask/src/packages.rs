//! Debian packages that the tests need: looks for their programs and installs what is missing.
//!
//! Never skips: a test without its peer would pass without having tested anything.

use std::path::Path;
use std::process::Command;

use crate::shell::{self, Outcome};

/// A program that tests start, and the Debian package that holds it.
pub(crate) struct Needed {
    pub(crate) program: &'static str,
    pub(crate) package: &'static str,
}

/// What the interop tests start.
pub(crate) const INTEROP: &[Needed] =
    &[Needed { program: "openssl", package: "openssl" }, Needed { program: "gnutls-serv", package: "gnutls-bin" }];

/// Makes sure that every program is there; as root with `apt-get`, otherwise by telling what to install.
pub(crate) fn ensure(needed: &[Needed]) -> Outcome {
    let search = std::env::var_os("PATH").unwrap_or_default();
    let folders: Vec<_> = std::env::split_paths(&search).collect();
    let missing = missing(needed, &folders);
    if missing.is_empty() {
        return Ok(());
    }
    let list = missing.join(" ");
    if !is_root() {
        return Err(format!("missing Debian packages; run: sudo apt-get install {list}"));
    }
    let mut update = Command::new("apt-get");
    let mut install = Command::new("apt-get");
    update.args(["update", "-qq"]);
    install.args(["install", "-y", "-qq", "--no-install-recommends"]).args(&missing);
    for command in [&mut update, &mut install] {
        shell::run(command.env("DEBIAN_FRONTEND", "noninteractive"))
            .map_err(|error| format!("missing Debian packages ({list}): {error}"))?;
    }
    Ok(())
}

fn missing(needed: &[Needed], folders: &[impl AsRef<Path>]) -> Vec<&'static str> {
    let there = |program: &str| folders.iter().any(|folder| folder.as_ref().join(program).is_file());
    needed.iter().filter(|needed| !there(needed.program)).map(|needed| needed.package).collect()
}

fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_absent_programs_are_missing() {
        let needed = [
            Needed { program: "Cargo.toml", package: "there" },
            Needed { program: "no-such-program", package: "absent" },
            Needed { program: "src", package: "folder" },
        ];
        assert_eq!(missing(&needed, &[crate::own_folder()]), ["absent", "folder"]);
    }
}
