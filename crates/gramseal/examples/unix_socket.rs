//! DTLS over something that is not UDP, without tokio: `cargo run --example unix_socket`
//!
//! Here datagrams go through a pair of Unix sockets; with ICE, a radio or a tunnel of one's own they go elsewhere, and
//! nothing else changes. `Peer` is all that there is to do around [`Connection`]: it keeps the contract that its
//! documentation states. Who has many peers behind one socket also wants `gramseal::proto::endpoint`.

use std::error::Error;
use std::io::{self, ErrorKind};
use std::os::unix::net::UnixDatagram;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use gramseal::pki_types::ServerName;
use gramseal::proto::wire::{MessageSeq, SequenceNumber};
use gramseal::proto::{CloseReason, Connection, Event, FirstHello, Instant};
use gramseal::{ClientConfig, Psk, ServerConfig, Transport, provider};

type Failure = Box<dyn Error + Send + Sync>;

fn main() -> Result<(), Failure> {
    println!("{}", run()?);
    Ok(())
}

/// Asks a question over a pair of sockets; returns the answer.
pub(crate) fn run() -> Result<String, Failure> {
    let (ours, theirs) = UnixDatagram::pair()?;
    let server = thread::spawn(move || answer(theirs));
    let answer = ask(ours)?;
    server.join().map_err(|_| "the server's thread has panicked")??;
    Ok(answer)
}

fn ask(socket: UnixDatagram) -> Result<String, Failure> {
    let config = ClientConfig::psk_builder(provider(), key()?).with_transport(transport()).build()?;
    // Whoever has the key is the right server, so any name will do.
    let name = ServerName::try_from("localhost")?;
    let mut peer = Peer::new(Connection::client(Arc::new(config), name, Instant::now())?, socket);
    peer.connect()?;
    peer.send(b"who is there?")?;
    let answer = peer.receive()?.ok_or("the server has gone")?;
    peer.close()?;
    Ok(String::from_utf8(answer)?)
}

fn answer(socket: UnixDatagram) -> Result<(), Failure> {
    let config = ServerConfig::psk_builder(provider(), Arc::new(vec![key()?])).with_transport(transport()).build()?;
    // Nobody else can write to this socket, so no cookie has to show where the client is.
    let first = FirstHello { message_seq: MessageSeq(0), sequence_number: SequenceNumber(0) };
    let mut peer = Peer::new(Connection::server(Arc::new(config), first, Instant::now()), socket);
    peer.connect()?;
    while let Some(question) = peer.receive()? {
        peer.send(&[&question[..], b" a server"].concat())?;
    }
    Ok(())
}

/// In earnest keys are random.
fn key() -> Result<Psk, Failure> {
    Ok(Psk::new("the other end", [0x2a; 16])?)
}

/// A Unix socket takes larger datagrams than a network does.
fn transport() -> Transport {
    Transport { mtu: 16_000, ..Transport::default() }
}

/// The protocol, and what moves its datagrams.
struct Peer {
    protocol: Connection,
    socket: UnixDatagram,
    buffer: Vec<u8>,
    /// Payloads that came together with the one that was handed out.
    waiting: Vec<Vec<u8>>,
    connected: bool,
    closed: Option<CloseReason>,
}

impl Peer {
    fn new(protocol: Connection, socket: UnixDatagram) -> Self {
        Self { protocol, socket, buffer: vec![0; 65_536], waiting: Vec::new(), connected: false, closed: None }
    }

    /// Waits until the handshake is done.
    fn connect(&mut self) -> Result<(), Failure> {
        self.drain()?;
        while !self.connected {
            if let Some(reason) = &self.closed {
                return Err(format!("no connection: {reason:?}").into());
            }
            self.step()?;
        }
        Ok(())
    }

    fn send(&mut self, payload: &[u8]) -> Result<(), Failure> {
        let mut datagram = vec![0; self.protocol.sealed_len(payload.len())];
        let len = self.protocol.seal(payload, &mut datagram)?;
        self.socket.send(&datagram[..len])?;
        Ok(())
    }

    /// The next payload; `None` once the peer has closed the association.
    fn receive(&mut self) -> Result<Option<Vec<u8>>, Failure> {
        while self.waiting.is_empty() {
            match &self.closed {
                Some(CloseReason::Local | CloseReason::Peer) => return Ok(None),
                Some(reason) => return Err(format!("the association has ended: {reason:?}").into()),
                None => self.step()?,
            }
        }
        Ok(Some(self.waiting.remove(0)))
    }

    fn close(&mut self) -> Result<(), Failure> {
        self.protocol.close();
        self.drain()
    }

    /// Waits for a datagram or for the protocol's time, whichever comes first.
    fn step(&mut self) -> Result<(), Failure> {
        let now = Instant::now();
        // Zero would mean to wait for ever.
        let wait = self.protocol.poll_timeout().map(|(when, _)| (when - now).max(Duration::from_millis(1)));
        self.socket.set_read_timeout(wait)?;
        match self.socket.recv(&mut self.buffer) {
            Ok(len) => {
                for payload in self.protocol.handle_datagram(Instant::now(), &mut self.buffer[..len]) {
                    self.waiting.push(payload.to_vec());
                }
            }
            Err(error) if is_timeout(&error) => self.protocol.handle_timeout(Instant::now()),
            Err(error) => return Err(error.into()),
        }
        self.drain()
    }

    /// To be called after everything else: sends what the protocol has to say, and hears what has happened.
    fn drain(&mut self) -> Result<(), Failure> {
        let mut datagram = Vec::new();
        while self.protocol.poll_transmit(Instant::now(), &mut datagram) {
            match self.socket.send(&datagram) {
                // The other end is gone; as with UDP, the protocol finds out by itself.
                Err(error) if error.kind() == ErrorKind::ConnectionRefused => {}
                sent => drop(sent?),
            }
        }
        while let Some(event) = self.protocol.poll_event() {
            match event {
                Event::Connected => self.connected = true,
                Event::Closed(reason) => self.closed = Some(reason),
                _ => {}
            }
        }
        Ok(())
    }
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}
