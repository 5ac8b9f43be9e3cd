//! `gramseal-wire`, `gramseal-proto` and this crate build without std, dependencies included.
//!
//! So does what a device would do with them, `examples/alloc_only/device.rs`, which is also run here.
//!
//! A target without std may not be installed, so the host's is used: a crate that has a panic
//! handler of its own cannot be compiled once std, which brings another, is anywhere among its
//! dependencies. The crate is made in the target folder, with the lock file of this workspace.

extern crate alloc;

#[path = "../examples/alloc_only/device.rs"]
mod device;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU8, Ordering};

use gramseal_proto::wire::CipherSuite;

const PROBE: &str = "#![no_std]
extern crate alloc;
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}
";

/// Compiles a crate without std that uses `dependencies`, folders of ours with features, and
/// contains the `modules` in these files.
fn compile_probe(name: &str, dependencies: &[(&str, &str)], modules: &[&Path]) -> Output {
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
    for (number, file) in modules.iter().enumerate() {
        code.push_str(&format!("#[path = {file:?}]\npub mod module_{number};\n"));
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

fn device() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/alloc_only/device.rs")
}

#[test]
fn nothing_needs_std_without_default_features() {
    let output = compile_probe("without-std", &[("wire", ""), ("proto", ""), ("rustcrypto", "")], &[]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_device_that_talks_needs_no_std() {
    let output = compile_probe("device-without-std", &[("proto", ""), ("rustcrypto", "")], &[&device()]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Otherwise the tests above would show nothing.
#[test]
fn the_probe_sees_std_in_a_dependency() {
    let output = compile_probe("with-std", &[("proto", "\"std\"")], &[]);
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && complaint.contains("panic_impl"), "{complaint}");
}

/// Nor would they if a module could name what it likes.
#[test]
fn the_probe_sees_std_in_a_module() {
    let module = Path::new(env!("CARGO_TARGET_TMPDIR")).join("uses_std.rs");
    let device = fs::read_to_string(device()).expect("the example");
    fs::write(&module, format!("{device}\nfn now() -> std::time::SystemTime {{ std::time::SystemTime::now() }}\n"))
        .expect("a writable target folder");
    let output = compile_probe("module-with-std", &[("proto", ""), ("rustcrypto", "")], &[&module]);
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && complaint.contains("`std`"), "{complaint}");
}

#[test]
fn a_device_asks_and_is_answered() {
    /// Enough for a test, and for nothing else.
    fn count(out: &mut [u8]) -> bool {
        static NEXT: AtomicU8 = AtomicU8::new(1);
        out.fill_with(|| NEXT.fetch_add(1, Ordering::Relaxed));
        true
    }

    let report = device::converse(count).expect("an association");
    assert_eq!(report.suite, CipherSuite::TLS_ECDHE_PSK_WITH_AES_128_CCM_SHA256);
    assert_eq!(report.question, b"what is the threshold?");
    assert_eq!(report.answer, b"21.5");
    assert_eq!(report.retransmissions, 1, "the first datagram was lost");
    assert!(device::converse(|_| false).is_err(), "no keys without randomness");
}
