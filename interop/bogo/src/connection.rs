//! The life of one connection: handshake, checks, what is asked for, and then an echo.

use std::fmt;
use std::future::Future;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use gramseal_proto::pki_types::ServerName;
use gramseal_proto::wire::{AlertDescription, KeyUpdateRequest, MessageSeq, SequenceNumber};
use gramseal_proto::{CloseReason, Connection, Error, Event, FirstHello, SendError, Timer, UpdateKeysError};

use crate::certificates::Shared;
use crate::clock;
use crate::configure::{self, Process, Watch};
use crate::expectations;
use crate::framing::{Frame, Link};
use crate::hello::Greeting;
use crate::options::{Invocation, Options};
use crate::strict;
use crate::token::{Circumstances, token};

/// Why the shim fails.
pub(crate) enum Failure {
    /// The association ended with an error: what the runner usually waits for.
    Association(Error, Circumstances),
    /// Something is not as the flags say.
    Unexpected(String),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Association(error, circumstances) => write!(f, "{}: {error}", token(error, *circumstances)),
            Self::Unexpected(what) => f.write_str(what),
        }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Unexpected(format!("link with the runner: {error}"))
    }
}

impl From<String> for Failure {
    fn from(what: String) -> Self {
        Self::Unexpected(what)
    }
}

/// All connections, one after the other.
pub(crate) fn run_all(invocation: &Invocation) -> Result<(), Failure> {
    let process = Process::new()?;
    for number in 0..=invocation.resume_count {
        let is_resume = number > 0;
        let options = if is_resume { &invocation.resumed } else { &invocation.initial };
        if is_resume {
            clock::advance(Duration::from_secs(options.resumption_delay.unwrap_or(0)));
        }
        if !process.client_store.next_connection() && is_resume && !options.server {
            return Err(Failure::Unexpected("no session to offer".into()));
        }
        let kept = process.server_store.kept();
        let mut one = One::begin(options, is_resume, &process)?;
        let mut link = Link::connect(invocation.port, invocation.ipv6, invocation.shim_id)?;
        let done = one.run(&mut link, &process, kept).inspect_err(|_| one.tell_discards());
        link.finish();
        done?;
    }
    Ok(())
}

/// How far a connection is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Progress {
    Handshaking,
    Echoing,
    /// Nothing more is to be done.
    Over,
}

/// A connection.
struct One<'o> {
    options: &'o Options,
    is_resume: bool,
    seen: Shared,
    watch: Arc<Watch>,
    mtu: usize,
    /// What a client said first.
    greeting: Greeting,
    connection: Connection,
}

impl<'o> One<'o> {
    fn begin(options: &'o Options, is_resume: bool, process: &Process) -> Result<Self, Failure> {
        let (seen, watch) = (Shared::default(), Arc::default());
        let connection = if options.server {
            let config = configure::server(options, process, &seen, &watch)?;
            let first = FirstHello { message_seq: MessageSeq(0), sequence_number: SequenceNumber(0) };
            Connection::server(Arc::new(config), first, clock::now())
        } else {
            let config = configure::client(options, process, &seen, &watch)?;
            Connection::client(Arc::new(config), server_name(options)?, clock::now()).map_err(|error| {
                Failure::Association(error, Circumstances { established: false, client_of_12: false })
            })?
        };
        let greeting = Greeting::default();
        Ok(Self { options, is_resume, seen, watch, mtu: configure::mtu(options), greeting, connection })
    }

    fn run(&mut self, link: &mut Link, process: &Process, kept: u32) -> Result<(), Failure> {
        let mut progress = Progress::Handshaking;
        loop {
            self.settle(link)?;
            let before = progress;
            while let Some(event) = self.connection.poll_event() {
                match event {
                    Event::Connected => {
                        expectations::after_handshake(
                            self.options,
                            &self.connection,
                            self.is_resume,
                            &self.seen,
                            &self.watch,
                        )?;
                        expectations::greeting(self.options, &self.greeting)?;
                        expectations::sessions_after_handshake(
                            self.options,
                            &self.connection,
                            process,
                            kept,
                            self.is_resume,
                        )?;
                        progress = self.speak_first(link)?;
                    }
                    Event::Closed(CloseReason::Failed(error)) => {
                        let established = before != Progress::Handshaking;
                        let client_of_12 = self.options.server && self.greeting.is_of_12();
                        return Err(Failure::Association(error, Circumstances { established, client_of_12 }));
                    }
                    Event::Closed(_) => progress = Progress::Over,
                    _ => {}
                }
            }
            self.send(link)?;
            if progress == Progress::Over {
                break;
            }
            match link.receive()? {
                Some(frame) => self.handle(frame, link)?,
                None if progress == Progress::Handshaking => {
                    return Err(Failure::Unexpected(":HANDSHAKE_INTERRUPTED: the runner is gone".into()));
                }
                None => break,
            }
        }
        expectations::at_the_end(self.options, &self.connection, process, &self.watch)?;
        Ok(())
    }

    /// What was dropped, before the line that says why all failed.
    fn tell_discards(&self) {
        let dropped = self.connection.stats().discards.iter().filter(|(_, count)| *count > 0);
        for (reason, count) in dropped {
            eprintln!("dropped {count}: {reason}");
        }
    }

    /// What goes out as soon as the connection is there.
    fn speak_first(&mut self, link: &mut Link) -> Result<Progress, Failure> {
        let options = self.options;
        if let Some(len) = options.export_keying_material {
            let mut exported = vec![0; usize::try_from(len).unwrap_or(0)];
            let context = options.switches.use_export_context.then_some(options.export_context.as_slice());
            self.connection
                .export_keying_material(&options.export_label, context, &mut exported)
                .map_err(|error| format!("export: {error}"))?;
            self.write(&exported, link)?;
        }
        if options.switches.send_alert {
            self.connection.abort(AlertDescription(30));
            self.send(link)?;
            return Ok(Progress::Over);
        }
        if options.switches.shim_writes_first {
            let given = options.shim_initial_write.as_slice();
            self.write(if given.is_empty() { b"hello" } else { given }, link)?;
        }
        self.before_read()?;
        Ok(Progress::Echoing)
    }

    fn before_read(&mut self) -> Result<(), Failure> {
        if self.options.switches.key_update_before_read {
            self.update_keys()?;
        }
        Ok(())
    }

    fn update_keys(&mut self) -> Result<(), Failure> {
        match self.connection.update_keys(KeyUpdateRequest::NotRequested) {
            // To BoringSSL the one that is under way is the one that is asked for.
            Ok(()) | Err(UpdateKeysError::OnItsWay) => Ok(()),
            Err(UpdateKeysError::Exhausted) => Err(Failure::Unexpected(":TOO_MANY_KEY_UPDATES:".into())),
            Err(UpdateKeysError::NumbersUsedUp) => Err(Failure::Unexpected(":overflow:".into())),
            Err(error) => Err(Failure::Unexpected(format!("key update: {error}"))),
        }
    }

    fn handle(&mut self, frame: Frame, link: &mut Link) -> Result<(), Failure> {
        let now = clock::now();
        match frame {
            Frame::Datagram(mut datagram) => {
                if self.options.server && self.connection.negotiated().is_none() {
                    self.greeting.receive(&datagram);
                }
                let shape = strict::Shape::of(&datagram);
                let discards = self.connection.stats().discards.clone();
                let received = self.connection.handle_datagram(now, &mut datagram);
                let payloads: Vec<Vec<u8>> = received.map(|payload| payload.to_vec()).collect();
                if let Some(fault) = strict::fault(&discards, &self.connection.stats().discards, shape) {
                    self.connection.abort(fault.alert);
                    self.send(link)?;
                    return Err(Failure::Unexpected(fault.to_string()));
                }
                self.settle(link)?;
                for payload in payloads {
                    self.echo(&payload, link)?;
                }
            }
            Frame::Advance(by) => {
                link.advanced()?;
                clock::advance(by);
                // What is due in less than 15 ms is due.
                if let Some(soon) = self.timer().filter(|left| *left < Duration::from_millis(15)) {
                    clock::advance(soon);
                }
                self.connection.handle_timeout(clock::now());
            }
            Frame::Mtu(bytes) => {
                self.mtu = bytes;
                self.connection.set_mtu(bytes);
            }
            Frame::ExpectTimer(expected) => self.check_timer(expected)?,
            Frame::InitialTimeout(initial) => self.connection.set_initial_timeout(initial),
        }
        Ok(())
    }

    /// How long it is until the next timer of those that BoringSSL has, too.
    fn timer(&self) -> Option<Duration> {
        let timers = self.connection.timers().filter(|(_, why)| matches!(why, Timer::Retransmit | Timer::Ack));
        timers.map(|(at, _)| at.saturating_since(clock::now())).min()
    }

    fn check_timer(&self, expected: Option<Duration>) -> Result<(), Failure> {
        let left = self.timer();
        if left == expected {
            return Ok(());
        }
        Err(Failure::Unexpected(format!("the next timer is in {left:?}, not in {expected:?}")))
    }

    fn echo(&mut self, payload: &[u8], link: &mut Link) -> Result<(), Failure> {
        if payload.is_empty() {
            return Ok(());
        }
        if self.options.switches.key_update {
            self.update_keys()?;
        }
        let inverted: Vec<u8> = payload.iter().map(|byte| byte ^ 0xff).collect();
        self.write(&inverted, link)?;
        self.before_read()
    }

    fn write(&mut self, payload: &[u8], link: &mut Link) -> Result<(), Failure> {
        self.send(link)?;
        let mut record = vec![0; self.connection.sealed_len(payload.len())];
        // To BoringSSL the MTU is for the protocol's own messages.
        self.connection.set_mtu(usize::MAX);
        let sealed = self.connection.seal(payload, &mut record);
        self.connection.set_mtu(self.mtu);
        match sealed {
            Ok(len) => Ok(link.send(&record[..len])?),
            Err(SendError::TooLarge { limit }) => {
                Err(Failure::Unexpected(format!(":DATA_LENGTH_TOO_LONG: more than {limit} bytes")))
            }
            Err(error) => Err(Failure::Unexpected(format!("write: {error}"))),
        }
    }

    /// Sends what the protocol has to send.
    fn send(&mut self, link: &mut Link) -> Result<(), Failure> {
        let mut datagram = Vec::new();
        while self.connection.poll_transmit(clock::now(), &mut datagram) {
            link.send(&datagram)?;
        }
        Ok(())
    }

    /// Does what the handshake waits for.
    fn settle(&mut self, link: &mut Link) -> Result<(), Failure> {
        self.send(link)?;
        while let Some(deferred) = self.connection.poll_deferred() {
            // Whatever takes time here moves the clock and is done.
            let Poll::Ready(settled) = pin!(deferred).poll(&mut Context::from_waker(Waker::noop())) else {
                return Err(Failure::Unexpected("a signer or verifier waits for something".into()));
            };
            self.connection.handle_timeout(clock::now());
            self.send(link)?;
            self.connection.handle_deferred(clock::now(), settled);
            self.send(link)?;
        }
        Ok(())
    }
}

fn server_name(options: &Options) -> Result<ServerName<'static>, Failure> {
    let name = std::str::from_utf8(&options.host_name).unwrap_or_default();
    // An address is not sent, which stands for a client that was given no name.
    let name = if name.is_empty() { "127.0.0.1" } else { name };
    ServerName::try_from(name.to_owned()).map_err(|error| Failure::Unexpected(format!("host name: {error}")))
}
