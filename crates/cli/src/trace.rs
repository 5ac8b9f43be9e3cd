//! `--trace`: a line for each handshake message, ACK, ChangeCipherSpec and alert, as it moves.

use std::fmt;

use gramseal::proto::{Direction, Trace, TraceEvent, Traced};
use serde::Serialize;

use crate::ladder::Side;
use crate::output::{self, Output};
use crate::report::Event;

/// Prints what one side sees.
#[derive(Debug)]
pub(crate) struct LiveTrace {
    pub(crate) side: Side,
    pub(crate) output: Output,
}

impl Trace for LiveTrace {
    fn trace(&self, event: &TraceEvent) {
        let line = TraceLine::new(self.side, event);
        let style = match self.side {
            _ if line.retransmission > 0 || line.alert.is_some() => output::NOTICE,
            Side::Client => output::CLIENT,
            Side::Server => output::SERVER,
        };
        self.output.status(&Event::Trace(&line), format_args!("{style}{line}{style:#}"));
    }
}

/// One line.
#[derive(Debug, Serialize)]
pub(crate) struct TraceLine {
    /// Who saw it.
    side: Side,
    direction: &'static str,
    /// 0 for ACKs, alerts and whatever comes after the handshake.
    flight: u32,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    alert: Option<String>,
    epoch: u64,
    sequence_number: u64,
    #[serde(flatten)]
    fragment: Option<Fragment>,
    /// Records that an ACK lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    records: Option<usize>,
    pub(crate) retransmission: u32,
}

/// Which part of a handshake message, in bytes without headers.
#[derive(Debug, Serialize)]
struct Fragment {
    message_seq: u16,
    fragment_offset: u32,
    fragment_length: u32,
    length: u32,
}

impl TraceLine {
    fn new(side: Side, event: &TraceEvent) -> Self {
        let (message, alert, fragment) = match event.traced {
            Traced::Handshake { msg_type, message_seq, fragment_offset, fragment_length, message_length } => {
                let message_seq = message_seq.0;
                let fragment = Fragment { message_seq, fragment_offset, fragment_length, length: message_length };
                (msg_type.to_string(), None, Some(fragment))
            }
            Traced::ChangeCipherSpec => ("ChangeCipherSpec".to_owned(), None, None),
            Traced::Ack { .. } => ("ACK".to_owned(), None, None),
            Traced::Alert(alert) => ("Alert".to_owned(), Some(alert.to_string()), None),
            _ => ("?".to_owned(), None, None),
        };
        Self {
            side,
            direction: match event.direction {
                Direction::Sent => "sent",
                Direction::Received => "received",
            },
            flight: event.flight,
            message,
            alert,
            epoch: event.record.epoch.0,
            sequence_number: event.record.sequence_number.0,
            fragment,
            records: match event.traced {
                Traced::Ack { records } => Some(records),
                _ => None,
            },
            retransmission: event.retransmission,
        }
    }
}

impl fmt::Display for TraceLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let side = match self.side {
            Side::Client => "client",
            Side::Server => "server",
        };
        write!(f, "{side} {:<8}  ", self.direction)?;
        match self.flight {
            0 => write!(f, "{:9}", "")?,
            flight => write!(f, "flight {flight:2}")?,
        }
        match &self.alert {
            Some(alert) => write!(f, "  {:<19}", format!("{} {alert}", self.message))?,
            None => write!(f, "  {:<19}", self.message)?,
        }
        write!(f, "  epoch {}  sequence_number {:2}", self.epoch, self.sequence_number)?;
        if let Some(Fragment { message_seq, fragment_offset, fragment_length, length }) = self.fragment {
            write!(f, "  message_seq {message_seq:2}  {fragment_length} of {length} bytes")?;
            if fragment_offset > 0 {
                write!(f, " from {fragment_offset}")?;
            }
        }
        if let Some(records) = self.records {
            write!(f, "  for {records} {}", if records == 1 { "record" } else { "records" })?;
        }
        if self.retransmission > 0 {
            write!(f, "  retransmission {}", self.retransmission)?;
        }
        Ok(())
    }
}
