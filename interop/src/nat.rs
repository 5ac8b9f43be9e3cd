//! A NAT in front of a client: its datagrams reach the server from another port, which can change at any time.

use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// How long one look at a socket takes, and so how long the old port may still be heard at after it has changed.
const GLANCE: Duration = Duration::from_millis(2);

/// Stands where the client believes the server to be. It ends when it is dropped.
#[derive(Debug)]
pub struct Nat {
    inside: SocketAddr,
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    server: SocketAddr,
    inside: UdpSocket,
    outside: Mutex<Arc<UdpSocket>>,
    client: Mutex<Option<SocketAddr>>,
    ended: AtomicBool,
}

fn socket() -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("the loopback interface has a free port");
    socket.set_read_timeout(Some(GLANCE)).expect("a timeout that is not zero");
    socket
}

impl Nat {
    /// One in front of `server`.
    ///
    /// # Panics
    /// If the system has no sockets left.
    #[must_use]
    pub fn new(server: SocketAddr) -> Self {
        let inside = socket();
        let address = inside.local_addr().expect("it is bound");
        let shared = Arc::new(Shared {
            server,
            inside,
            outside: Mutex::new(Arc::new(socket())),
            client: Mutex::new(None),
            ended: AtomicBool::new(false),
        });
        let threads = [Shared::out, Shared::back].map(|way| {
            let shared = Arc::clone(&shared);
            thread::spawn(move || {
                while !shared.ended.load(Ordering::Relaxed) {
                    way(&shared);
                }
            })
        });
        Self { inside: address, shared, threads: threads.into() }
    }

    /// Where clients connect to.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.inside
    }

    /// The port from which the server hears the client.
    ///
    /// # Panics
    /// If the socket has gone.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.shared.outside().local_addr().expect("it is bound").port()
    }

    /// Forgets the port: the server hears the client from another one, and what it sends to the old one is lost.
    ///
    /// # Panics
    /// If the system has no sockets left.
    pub fn rebind(&self) {
        *self.shared.outside.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(socket());
    }
}

impl Drop for Nat {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            // A panic of its own has been printed.
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn outside(&self) -> Arc<UdpSocket> {
        Arc::clone(&self.outside.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// One datagram of the client.
    fn out(&self) {
        let mut datagram = [0; 2048];
        let Ok((len, client)) = self.inside.recv_from(&mut datagram) else { return };
        *self.client.lock().unwrap_or_else(PoisonError::into_inner) = Some(client);
        // What does not pass is lost.
        let _ = self.outside().send_to(&datagram[..len], self.server);
    }

    /// One datagram of the server.
    fn back(&self) {
        let mut datagram = [0; 2048];
        let Ok((len, _)) = self.outside().recv_from(&mut datagram) else { return };
        if let Some(client) = *self.client.lock().unwrap_or_else(PoisonError::into_inner) {
            let _ = self.inside.send_to(&datagram[..len], client);
        }
    }
}
