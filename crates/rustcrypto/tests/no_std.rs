//! `gramseal-wire`, `gramseal-proto` and this crate build without std, dependencies included.
//!
//! A target without std may not be installed, so the host's is used: a crate that has a panic
//! handler of its own cannot be compiled once std, which brings another, is anywhere among its
//! dependencies. The crate is made in the target folder, with the lock file of this workspace.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

const PROBE: &str = "#![no_std]
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}
";

/// Compiles a crate without std that uses `dependencies`, folders of ours with features.
fn compile_probe(name: &str, dependencies: &[(&str, &str)]) -> Output {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the folder of crates");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::create_dir_all(folder.join("src")).expect("a writable target folder");
    let mut manifest = "[package]\nname = \"probe\"\nedition = \"2024\"\n\n[workspace]\n\n[dependencies]\n".to_owned();
    let mut code = PROBE.to_owned();
    for (dependency, features) in dependencies {
        let path = crates.join(dependency);
        let line = format!("{{ path = {path:?}, default-features = false, features = [{features}] }}\n");
        manifest.push_str(&format!("gramseal-{dependency} = {line}"));
        code.push_str(&format!("extern crate gramseal_{dependency};\n"));
    }
    fs::write(folder.join("Cargo.toml"), manifest).expect("a writable target folder");
    fs::write(folder.join("src/lib.rs"), code).expect("a writable target folder");
    fs::copy(crates.join("../Cargo.lock"), folder.join("Cargo.lock")).expect("a writable target folder");
    Command::new(env!("CARGO"))
        .args(["check", "--offline", "--quiet", "--target-dir"])
        .arg(Path::new(env!("CARGO_TARGET_TMPDIR")).join("probes"))
        .current_dir(folder)
        .env_remove("RUSTFLAGS")
        .output()
        .expect("cargo runs")
}

#[test]
fn nothing_needs_std_without_default_features() {
    let output = compile_probe("without-std", &[("wire", ""), ("proto", ""), ("rustcrypto", "")]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Otherwise the test above would show nothing.
#[test]
fn the_probe_sees_std_in_a_dependency() {
    let output = compile_probe("with-std", &[("proto", "\"std\"")]);
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && complaint.contains("panic_impl"), "{complaint}");
}
