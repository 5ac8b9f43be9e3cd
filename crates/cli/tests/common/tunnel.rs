//! Running tunnels as users do, and watching them by their logs and metrics.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::gramseal;

/// How long anything may take before a test gives up.
const PATIENCE: Duration = Duration::from_secs(60);

/// A process of `gramseal tunnel`; killed when dropped.
pub(crate) struct Tunnel {
    child: Child,
    log: Receiver<Value>,
    /// Lines that were read while others were looked for.
    seen: VecDeque<Value>,
    metrics: String,
}

impl Tunnel {
    /// `gramseal tunnel` with these arguments, cut at spaces; returns once it listens and serves metrics.
    pub(crate) fn start(line: &str) -> Self {
        Self::run(gramseal(&format!("tunnel {line}")))
    }

    /// The same with a command that is already there, to which the options of logs and metrics are added.
    pub(crate) fn run(command: Command) -> Self {
        Self::run_at(command, "127.0.0.1:0")
    }

    /// The same with metrics at this address.
    pub(crate) fn run_at(mut command: Command, metrics: &str) -> Self {
        command.args(["--log-format", "json", "--metrics", metrics]).env_remove("RUST_LOG");
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("the program starts");
        let stderr = BufReader::new(child.stderr.take().expect("standard error is piped"));
        let (sender, log) = channel();
        std::thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                // What is no JSON is the one line that says why the program ends.
                let line = serde_json::from_str(&line).unwrap_or_else(|_| serde_json::json!({ "message": line }));
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        let mut tunnel = Self { child, log, seen: VecDeque::new(), metrics: String::new() };
        let served = tunnel.wait_for("metrics are served");
        tunnel.metrics = served["address"].as_str().expect("an address").to_owned();
        tunnel
    }

    /// The address that the (first) tunnel listens at.
    pub(crate) fn address(&mut self) -> String {
        let listening = self.find(|line| message(line).ends_with("listens")).expect("it listens");
        listening["address"].as_str().expect("an address").to_owned()
    }

    /// The next line of the log that says `what`, apart from others, which stay there.
    pub(crate) fn wait_for(&mut self, what: &str) -> Value {
        self.find(|line| message(line).contains(what)).unwrap_or_else(|| panic!("{what:?} not in {:#?}", self.seen))
    }

    fn find(&mut self, fits: impl Fn(&Value) -> bool) -> Option<Value> {
        if let Some(at) = self.seen.iter().position(&fits) {
            return self.seen.remove(at);
        }
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.log.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) if fits(&line) => return Some(line),
                Ok(line) => self.seen.push_back(line),
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return None,
            }
        }
    }

    /// How many lines that were logged up to now say `what`.
    pub(crate) fn said(&mut self, what: &str) -> usize {
        self.seen.extend(self.log.try_iter());
        self.seen.iter().filter(|line| message(line).contains(what)).count()
    }

    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([&format!("-{name}"), &self.child.id().to_string()]).status();
        assert!(sent.expect("there is kill").success());
    }

    /// Ends it with SIGTERM; its exit status.
    pub(crate) fn terminate(&mut self) -> ExitStatus {
        self.signal("TERM");
        self.ended()
    }

    /// Waits for its end.
    pub(crate) fn ended(&mut self) -> ExitStatus {
        self.child.wait().expect("it ends")
    }

    /// Ends it at once.
    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("it can be killed");
        self.child.wait().expect("it ends");
    }

    /// What an HTTP request for `path` gets: status and body.
    pub(crate) fn http(&self, path: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(&self.metrics).expect("metrics are served");
        write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").expect("it listens");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        let (head, body) = answer.split_once("\r\n\r\n").expect("head and body");
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
        (status, body.to_owned())
    }

    /// The sum of all values of the metric `gramseal_tunnel_{name}` that have this label.
    pub(crate) fn metric(&self, name: &str, label: &str) -> u64 {
        let (status, body) = self.http("/metrics");
        assert_eq!(status, 200);
        let name = format!("gramseal_tunnel_{name}");
        let fits = |line: &&str| line.split(['{', ' ']).next() == Some(name.as_str()) && line.contains(label);
        let values = body.lines().filter(fits).map(|line| line.rsplit(' ').next().unwrap_or_default());
        values.map(|value| value.parse::<u64>().unwrap_or_else(|error| panic!("{value}: {error}"))).sum()
    }

    /// Waits until that metric has at least this value.
    pub(crate) fn wait_for_metric(&self, name: &str, label: &str, value: u64) {
        let deadline = Instant::now() + PATIENCE;
        while self.metric(name, label) < value {
            assert!(Instant::now() < deadline, "{name} {label} stays below {value}: {}", self.http("/metrics").1);
            std::thread::yield_now();
        }
    }
}

impl Drop for Tunnel {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn message(line: &Value) -> &str {
    line["message"].as_str().unwrap_or_default()
}

/// A program behind a tunnel that answers every datagram with its sender's port and what it said; returns its address.
pub(crate) fn echo() -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a port");
    let address = socket.local_addr().expect("an address");
    std::thread::spawn(move || serve_echo(&socket));
    address
}

/// Answers as [`echo`] does, for ever.
pub(crate) fn serve_echo(socket: &UdpSocket) {
    let mut buffer = [0; 65_536];
    loop {
        // A port that is closed is told with the next call; that is nobody's end.
        let Ok((len, from)) = socket.recv_from(&mut buffer) else { continue };
        let answer = [format!("{}:", from.port()).as_bytes(), &buffer[..len]].concat();
        let _ = socket.send_to(&answer, from);
    }
}

/// The next `count` datagrams that come to `socket`.
pub(crate) fn receive(socket: &UdpSocket, count: usize) -> Vec<Vec<u8>> {
    socket.set_read_timeout(Some(PATIENCE)).expect("a time");
    let mut buffer = [0; 65_536];
    let mut next = |at| {
        let len = socket.recv(&mut buffer).unwrap_or_else(|error| panic!("datagram {at} of {count}: {error}"));
        buffer[..len].to_vec()
    };
    (0..count).map(&mut next).collect()
}

/// A local program that talks through a tunnel client at `to`.
pub(crate) struct Local {
    socket: UdpSocket,
}

impl Local {
    pub(crate) fn new(to: &str) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a port");
        socket.connect(to).expect("an address");
        Self { socket }
    }

    pub(crate) fn send(&self, payload: &[u8]) {
        // That the other port is closed is seen by who waits for answers.
        let _ = self.socket.send(payload);
    }

    /// The next `count` datagrams.
    pub(crate) fn receive(&self, count: usize) -> Vec<Vec<u8>> {
        receive(&self.socket, count)
    }

    /// Sends `text` until it is answered; the port that the target saw.
    pub(crate) fn ask(&self, text: &str) -> u16 {
        self.ask_every(text, Duration::from_millis(200))
    }

    /// The same, and how long to wait before it is sent again.
    pub(crate) fn ask_every(&self, text: &str, pause: Duration) -> u16 {
        let deadline = Instant::now() + PATIENCE;
        let mut buffer = [0; 65_536];
        self.socket.set_read_timeout(Some(pause)).expect("a time");
        while Instant::now() < deadline {
            self.send(text.as_bytes());
            while let Ok(len) = self.socket.recv(&mut buffer) {
                let answer = String::from_utf8_lossy(&buffer[..len]);
                let (port, said) = answer.split_once(':').expect("port and text");
                // Answers to what was sent before, and again, come late.
                if said == text {
                    return port.parse().expect("a port");
                }
            }
        }
        panic!("no answer to {text:?}");
    }
}
