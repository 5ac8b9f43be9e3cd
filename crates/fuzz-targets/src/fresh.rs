//! Datagrams into a connection that knows nobody yet.

use gramseal_proto::{Connection, FirstHello};
use gramseal_testkit::alloc_counter::memory;
use gramseal_testkit::null::SERVER_NAME;
use gramseal_testkit::sim::Side;
use gramseal_wire::{MessageSeq, SequenceNumber};
use pki_types::ServerName;

use crate::configs::{self, Choice, Sessions};
use crate::host::{Host, START, time};
use crate::input::Input;

/// What one association may hold in memory, in bytes: one reassembly with bookkeeping, twice as vectors grow, and what
/// certificates need.
const MOST: u64 = 2 << 20;

/// A side, its settings, then datagrams and time.
///
/// # Panics
/// If a connection does what it must not; see [`Host`].
pub fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let side = if input.byte() & 1 == 0 { Side::Client } else { Side::Server };
    let choice = Choice::of(input.byte());
    let used = memory(|| {
        let mut host = Host::new(connection(side, choice), START);
        let mut now = START;
        while !input.is_empty() {
            match input.byte() {
                wait @ 0xe0.. => {
                    let end = now + time(wait);
                    host.advance(now, end);
                    now = end;
                }
                _ => host.deliver(now, None, input.string().to_vec()),
            }
            // The caller sends it and forgets it.
            host.outgoing.clear();
        }
    });
    let sent = u64::try_from(data.len()).expect("an input");
    assert!(used.most <= MOST + 4 * sent, "{} bytes", used.most);
}

/// A side at its beginning.
///
/// # Panics
/// Never, as the null provider has what it takes.
#[must_use]
pub fn connection(side: Side, choice: Choice) -> Connection {
    let sessions = Sessions::new();
    match side {
        Side::Client => {
            let name = ServerName::try_from(SERVER_NAME).expect("a name");
            Connection::client(configs::client(choice, &sessions, None), name, START).expect("a client begins")
        }
        Side::Server => {
            let first = FirstHello { message_seq: MessageSeq(0), sequence_number: SequenceNumber(0) };
            Connection::server(configs::server(choice, &sessions), first, START)
        }
    }
}
