//! Debian packages that the tests need: looks for a file of each and installs what is missing.
//!
//! Never skips: a test without its peer would pass without having tested anything.

use std::path::Path;
use std::process::Command;

use crate::shell::{self, Outcome};

/// A file that tests need, and the Debian package that holds it.
pub(crate) struct Needed {
    /// The name of a program, or the whole path of another file.
    pub(crate) file: &'static str,
    pub(crate) package: &'static str,
}

/// What the tests of the workspace start, to have a network of their own.
pub(crate) const WORKSPACE: &[Needed] = &[
    Needed { file: "unshare", package: "util-linux" },
    Needed { file: "nsenter", package: "util-linux" },
    Needed { file: "ip", package: "iproute2" },
    Needed { file: "/usr/sbin/nft", package: "nftables" },
];

/// What the interop tests start, and what they compile the other peers with.
pub(crate) const INTEROP: &[Needed] = &[
    Needed { file: "openssl", package: "openssl" },
    Needed { file: "gnutls-serv", package: "gnutls-bin" },
    Needed { file: "cc", package: "gcc" },
    Needed { file: "c++", package: "g++" },
    Needed { file: "/usr/include/mbedtls/ssl.h", package: "libmbedtls-dev" },
    Needed { file: "/usr/include/botan-2/botan/tls_client.h", package: "libbotan-2-dev" },
    Needed { file: "cmake", package: "cmake" },
    Needed { file: "/usr/include/zlib.h", package: "zlib1g-dev" },
    Needed { file: "/usr/include/brotli/encode.h", package: "libbrotli-dev" },
    Needed { file: "/usr/lib/llvm-14/lib/libclang.so.1", package: "libclang-dev" },
];

/// What libFuzzer is built with.
pub(crate) const FUZZ: &[Needed] = &[Needed { file: "c++", package: "g++" }];

/// What BoringSSL's suite is built with: a Python that can install Go, and what the suite imports.
pub(crate) const BOGO: &[Needed] = &[
    Needed { file: "openssl", package: "openssl" },
    Needed { file: "/usr/lib/python3.11/ensurepip/__init__.py", package: "python3-venv" },
    Needed { file: "/usr/share/gocode/src/golang.org/x/crypto/go.mod", package: "golang-golang-x-crypto-dev" },
    Needed { file: "/usr/share/gocode/src/golang.org/x/term/term.go", package: "golang-golang-x-term-dev" },
    Needed {
        file: "/usr/share/gocode/src/golang.org/x/sys/unix/affinity_linux.go",
        package: "golang-golang-x-sys-dev",
    },
];

/// Makes sure that every file is there; as root with `apt-get`, otherwise by telling what to install.
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
        // Another program may be installing something just now, as automatic updates do.
        command.args(["-o", "DPkg::Lock::Timeout=120"]);
        shell::run(command.env("DEBIAN_FRONTEND", "noninteractive"))
            .map_err(|error| format!("missing Debian packages ({list}): {error}"))?;
    }
    Ok(())
}

fn missing(needed: &[Needed], folders: &[impl AsRef<Path>]) -> Vec<&'static str> {
    // Joined to a folder, a whole path stays what it is.
    let there = |file: &str| folders.iter().any(|folder| folder.as_ref().join(file).is_file());
    needed.iter().filter(|needed| !there(needed.file)).map(|needed| needed.package).collect()
}

fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_package_of_the_peers_is_looked_for() {
        let readme = crate::own_folder().join("../interop/README.md");
        let readme = std::fs::read_to_string(readme).expect("the interop tests have a README");
        let peers = readme.lines().skip_while(|line| !line.starts_with("| peer |")).skip(2);
        let cells = peers.take_while(|line| line.starts_with('|')).filter_map(|line| line.split('|').nth_back(1));
        let named: Vec<&str> = cells.flat_map(|cell| cell.split('`').skip(1).step_by(2)).collect();
        assert!(named.contains(&"openssl"), "{named:?}");
        for package in named {
            assert!(INTEROP.iter().any(|needed| needed.package == package), "{package} is not looked for");
        }
    }

    #[test]
    fn only_absent_files_are_missing() {
        let whole_path = crate::own_folder().join("Cargo.toml").display().to_string().leak();
        let needed = [
            Needed { file: "Cargo.toml", package: "there" },
            Needed { file: "no-such-program", package: "absent" },
            Needed { file: "src", package: "folder" },
            Needed { file: whole_path, package: "also there" },
            Needed { file: "/no/such/header.h", package: "header" },
        ];
        assert_eq!(missing(&needed, &[crate::own_folder()]), ["absent", "folder", "header"]);
    }
}
