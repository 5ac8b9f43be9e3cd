//! A server's tickets, as the options of one connection want them.

use std::sync::Arc;
use std::time::Duration;

use gramseal_proto::pki_types::UnixTime;
use gramseal_proto::session::{OpenedTicket, TicketKeys, TicketSealer};

use crate::options::Switches;

#[derive(Debug)]
pub(crate) struct Tickets {
    keys: Arc<TicketKeys>,
    renew: bool,
    skip: bool,
}

impl Tickets {
    pub(crate) fn new(keys: Arc<TicketKeys>, switches: &Switches) -> Self {
        Self { keys, renew: switches.renew_ticket, skip: switches.skip_ticket }
    }
}

impl TicketSealer for Tickets {
    fn now(&self) -> UnixTime {
        self.keys.now()
    }

    fn lifetime(&self) -> Duration {
        self.keys.lifetime()
    }

    fn seal(&self, session: &[u8]) -> Option<Vec<u8>> {
        if self.skip { None } else { self.keys.seal(session) }
    }

    fn open(&self, ticket: &[u8]) -> Option<OpenedTicket> {
        let mut opened = self.keys.open(ticket)?;
        opened.renew |= self.renew;
        Some(opened)
    }
}
