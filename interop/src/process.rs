//! A child process with everything it says kept, killed when dropped.

use std::io::{Read, Write as _};
use std::net::SocketAddr;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::{Folder, PATIENCE};

const GLANCE: Duration = Duration::from_millis(2);

/// A running peer.
#[derive(Debug)]
pub struct Process {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: Said,
    stderr: Said,
    /// Its files, for as long as it may read them.
    pub folder: Folder,
}

/// What was said on one stream so far.
#[derive(Debug, Clone, Default)]
struct Said(Arc<Mutex<Vec<u8>>>);

impl Said {
    fn listen(mut stream: impl Read + Send + 'static) -> Self {
        let said = Self::default();
        let ours = said.clone();
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(length @ 1..) = stream.read(&mut buffer) {
                ours.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(&buffer[..length]);
            }
        });
        said
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
    }

    fn clear(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

impl Process {
    /// Starts `command`; its files are in `folder`.
    ///
    /// # Panics
    /// If the program is not there: a test without its peer has not tested anything.
    #[must_use]
    pub fn start(mut command: Command, folder: Folder) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| {
            let program = command.get_program().display();
            panic!("`{program}` did not start ({error}): README.md tells its Debian package")
        });
        let stdin = child.stdin.take();
        let stdout = Said::listen(child.stdout.take().expect("stdout is a pipe"));
        let stderr = Said::listen(child.stderr.take().expect("stderr is a pipe"));
        Self { child, stdin, stdout, stderr, folder }
    }

    /// What it wrote to its standard output.
    #[must_use]
    pub fn stdout(&self) -> String {
        self.stdout.text()
    }

    /// What it wrote to its standard error.
    #[must_use]
    pub fn stderr(&self) -> String {
        self.stderr.text()
    }

    /// Whether it said `text`, on either stream.
    #[must_use]
    pub fn said(&self, text: &str) -> bool {
        self.stdout().contains(text) || self.stderr().contains(text)
    }

    /// The rest of the last line with `prefix` on standard output.
    #[must_use]
    pub fn value(&self, prefix: &str) -> Option<String> {
        let output = self.stdout();
        // A line still being written has no value yet.
        let (lines, _) = output.rsplit_once('\n')?;
        let (_, rest) = lines.rsplit_once(prefix)?;
        rest.lines().next().map(|value| value.trim().to_owned())
    }

    /// Forgets what it said so far: what a test waits for after this is about its next connection.
    pub fn forget(&self) {
        self.stdout.clear();
        self.stderr.clear();
    }

    /// Waits until it said `text`.
    ///
    /// # Panics
    /// If that takes too long.
    pub fn wait_for(&self, text: &str) {
        self.wait(&format!("{text:?}"), || self.said(text).then_some(()));
    }

    /// Waits until `what` is there.
    ///
    /// # Panics
    /// If that takes too long.
    pub fn wait<T>(&self, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
        let started = Instant::now();
        loop {
            if let Some(found) = look() {
                return found;
            }
            assert!(started.elapsed() < PATIENCE, "waiting for {what}; {}", self.transcript());
            thread::sleep(GLANCE);
        }
    }

    /// Waits until `what` is there, for as long as the process runs.
    ///
    /// # Panics
    /// If that takes too long, or the process ends before.
    pub fn wait_alive<T>(&mut self, what: &str, look: impl Fn(&Self) -> Option<T>) -> T {
        let started = Instant::now();
        loop {
            if let Some(found) = look(self) {
                return found;
            }
            let waits = started.elapsed() < PATIENCE && self.ended().is_none();
            assert!(waits, "waiting for {what}; {}", self.transcript());
            thread::sleep(GLANCE);
        }
    }

    /// Waits until it tells after `prefix` where it listens.
    ///
    /// # Panics
    /// If that takes too long, the process ends before, or it tells no address.
    #[must_use]
    pub fn listening(mut self, prefix: &str) -> (Self, SocketAddr) {
        let address = self.wait_alive(prefix, |process| process.value(prefix));
        let address = address.parse().unwrap_or_else(|error| panic!("{address:?}: {error}"));
        (self, address)
    }

    /// The port of its UDP socket for IPv4, for a program that does not tell it.
    ///
    /// # Panics
    /// If the system does not show the sockets of processes as Linux does.
    #[must_use]
    pub fn udp_port(&self) -> Option<u16> {
        let folder = format!("/proc/{}", self.child.id());
        let open = std::fs::read_dir(format!("{folder}/fd")).expect("Linux shows what a child has open");
        let links = open.filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok());
        let inodes: Vec<String> = links
            .filter_map(|link| Some(link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned()))
            .collect();
        let sockets = std::fs::read_to_string(format!("{folder}/net/udp")).expect("Linux shows its sockets");
        sockets.lines().find_map(|line| {
            let fields: Vec<_> = line.split_whitespace().collect();
            let (_, port) = fields.get(1)?.split_once(':')?;
            // The tenth field is the inode.
            inodes
                .iter()
                .any(|inode| fields.get(9) == Some(&inode.as_str()))
                .then(|| u16::from_str_radix(port, 16).ok())?
        })
    }

    /// Writes `line` and an end of line to its standard input.
    ///
    /// # Panics
    /// If it does not read any more.
    pub fn type_line(&mut self, line: &str) {
        let stdin = self.stdin.as_mut().expect("standard input is open");
        let written = stdin.write_all(format!("{line}\n").as_bytes()).and_then(|()| stdin.flush());
        if let Err(error) = written {
            panic!("typing {line:?}: {error}; {}", self.transcript());
        }
    }

    /// Ends its standard input.
    pub fn end_input(&mut self) {
        self.stdin = None;
    }

    /// Whether it has ended.
    ///
    /// # Panics
    /// If the system cannot say.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("a child can be asked")
    }

    /// Everything it said, for messages.
    #[must_use]
    pub fn transcript(&self) -> String {
        format!("stdout:\n{}\nstderr:\n{}", self.stdout(), self.stderr())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ended = self.child.kill();
        let _status = self.child.wait();
    }
}
