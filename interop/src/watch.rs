//! What our side shows of a handshake: secrets for the key log, and the trace.

use std::fmt::{self, Write as _};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use gramseal_proto::wire::{AlertDescription, HandshakeType};
use gramseal_proto::{Direction, KeyLog, Trace, TraceEvent, Traced};

/// What was seen.
#[derive(Debug, Default, Clone)]
#[non_exhaustive]
pub struct Log {
    /// Lines as in a key log file.
    pub secrets: Vec<String>,
    /// Handshake messages, ChangeCipherSpec and alerts, in order.
    pub events: Vec<TraceEvent>,
}

impl Log {
    /// The alerts that moved in `direction`.
    #[must_use]
    pub fn alerts(&self, direction: Direction) -> Vec<AlertDescription> {
        let alert = |event: &TraceEvent| match event.traced {
            Traced::Alert(description) if event.direction == direction => Some(description),
            _ => None,
        };
        self.events.iter().filter_map(alert).collect()
    }

    /// Whether a part of a message of this type moved in `direction`.
    #[must_use]
    pub fn saw(&self, direction: Direction, wanted: HandshakeType) -> bool {
        self.events.iter().any(|event| {
            matches!(event.traced, Traced::Handshake { msg_type, .. } if msg_type == wanted)
                && event.direction == direction
        })
    }

    /// How often a client began anew: once, or twice if it was asked to retry.
    #[must_use]
    pub fn hellos(&self) -> usize {
        let front = |event: &&TraceEvent| {
            event.retransmission == 0
                && matches!(
                    event.traced,
                    Traced::Handshake { msg_type: HandshakeType::CLIENT_HELLO, fragment_offset: 0, .. }
                )
        };
        self.events.iter().filter(front).count()
    }

    /// How many handshake fragments went out that were not whole messages.
    #[must_use]
    pub fn fragments_sent(&self) -> usize {
        let partial = |event: &&TraceEvent| {
            matches!(event.traced, Traced::Handshake { fragment_length, message_length, .. }
                if event.direction == Direction::Sent && fragment_length < message_length)
        };
        self.events.iter().filter(partial).count()
    }
}

impl fmt::Display for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for event in &self.events {
            let what = match event.traced {
                Traced::Handshake { msg_type, .. } => msg_type.to_string(),
                Traced::ChangeCipherSpec => "ChangeCipherSpec".to_owned(),
                Traced::Alert(description) => format!("alert {description}"),
                other => format!("{other:?}"),
            };
            writeln!(f, "{:?} {what}, transmission {}", event.direction, event.retransmission)?;
        }
        Ok(())
    }
}

/// Collects a [`Log`]. Clones share it.
#[derive(Debug, Default, Clone)]
pub struct Watch(Arc<Mutex<Log>>);

impl Watch {
    /// What was seen so far.
    #[must_use]
    pub fn log(&self) -> Log {
        self.lock().clone()
    }

    /// Forgets it.
    pub(crate) fn clear(&self) {
        *self.lock() = Log::default();
    }

    fn lock(&self) -> MutexGuard<'_, Log> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl KeyLog for Watch {
    fn log(&self, label: &str, client_random: &[u8; 32], secret: &[u8]) {
        self.lock().secrets.push(format!("{label} {} {}", hex(client_random), hex(secret)));
    }
}

impl Trace for Watch {
    fn trace(&self, event: &TraceEvent) {
        self.lock().events.push(*event);
    }
}

/// Lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("strings take everything");
        text
    })
}
