//! Running the program as users do.

#![allow(dead_code, reason = "each test binary uses its part")]

pub(crate) mod tunnel;

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use serde_json::Value;

/// The program with `line` as its arguments, cut at spaces.
pub(crate) fn gramseal(line: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gramseal"));
    command.args(line.split_whitespace()).env_remove("SSLKEYLOGFILE").stdin(Stdio::null());
    command
}

/// Runs it with `input` on standard input.
pub(crate) fn run_with_input(mut command: Command, input: &str) -> Output {
    let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = child.expect("the program starts");
    let mut stdin = child.stdin.take().expect("standard input is piped");
    // A program that has failed already does not read.
    let _ = stdin.write_all(input.as_bytes());
    drop(stdin);
    child.wait_with_output().expect("the program ends")
}

pub(crate) fn run(line: &str) -> Output {
    gramseal(line).output().expect("the program starts")
}

pub(crate) fn stdout(output: &Output) -> &str {
    std::str::from_utf8(&output.stdout).expect("standard output is text")
}

pub(crate) fn stderr(output: &Output) -> &str {
    std::str::from_utf8(&output.stderr).expect("standard error is text")
}

/// Every line of `text` as JSON.
pub(crate) fn json_lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}"))).collect()
}

/// The first of `lines` that reports `event`.
pub(crate) fn event<'a>(lines: &'a [Value], event: &str) -> &'a Value {
    lines.iter().find(|line| line["event"] == event).unwrap_or_else(|| panic!("no {event} in {lines:#?}"))
}

/// A server on a free port of loopback, with `--json`; killed when dropped.
pub(crate) struct Server {
    child: Child,
    stdout: BufReader<ChildStdout>,
    pub(crate) address: String,
    pub(crate) fingerprint: String,
    /// Its fingerprint, if the server shows no certificate.
    pub(crate) raw_public_key: String,
}

impl Server {
    pub(crate) fn start(options: &str) -> Self {
        let mut command = gramseal(&format!("server --listen 127.0.0.1:0 --json {options}"));
        let child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
        let mut child = child.expect("the server starts");
        let mut stdout = BufReader::new(child.stdout.take().expect("standard output is piped"));
        let mut line = String::new();
        stdout.read_line(&mut line).expect("the server says where it listens");
        let listening = &json_lines(&line)[0];
        assert_eq!(listening["event"], "listening");
        let text = |name: &str| listening[name].as_str().expect("a text").to_owned();
        // A server that only has keys has no certificate.
        let fingerprint = listening["fingerprint"].as_str().unwrap_or_default().to_owned();
        let raw_public_key = listening["raw_public_key"].as_str().unwrap_or_default().to_owned();
        Self { child, stdout, address: text("address"), fingerprint, raw_public_key }
    }

    /// Options of a client that trusts this server.
    pub(crate) fn trusted(&self) -> String {
        format!("client {} --fingerprint {} --wait 0.3", self.address, self.fingerprint)
    }

    /// The next line that reports `event`, once there is one.
    pub(crate) fn next(&mut self, event: &str) -> Value {
        loop {
            let mut line = String::new();
            assert_ne!(self.stdout.read_line(&mut line).expect("standard output is text"), 0, "the server ended");
            let line = json_lines(&line).remove(0);
            if line["event"] == event {
                return line;
            }
        }
    }

    /// Waits for the end of a server with `--once`: what it reported, and its exit status.
    pub(crate) fn finish(mut self) -> (Vec<Value>, Option<i32>) {
        let status = (0..600).find_map(|_| {
            std::thread::sleep(Duration::from_millis(50));
            self.child.try_wait().expect("the server can be asked")
        });
        let status = status.expect("the server ends by itself");
        let lines = std::io::read_to_string(&mut self.stdout).expect("standard output is text");
        (json_lines(&lines), status.code())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A folder of its own for one test, removed afterwards.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("gramseal-cli-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        std::fs::create_dir_all(&path).expect("the folder can be made");
        Self(path)
    }

    /// Writes `content` to the file `name`, for nobody else to read, and returns its path.
    pub(crate) fn file(&self, name: &str, content: &(impl AsRef<[u8]> + ?Sized)) -> String {
        std::fs::write(self.0.join(name), content).expect("the file can be written");
        #[cfg(unix)]
        self.set_mode(name, 0o600);
        self.path(name)
    }

    #[cfg(unix)]
    pub(crate) fn set_mode(&self, name: &str, mode: u32) {
        let mode = std::os::unix::fs::PermissionsExt::from_mode(mode);
        std::fs::set_permissions(self.0.join(name), mode).expect("the file is ours");
    }

    pub(crate) fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().expect("the path is text").to_owned()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
