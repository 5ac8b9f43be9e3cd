//! ClientHello and the choice of version. Cookies are the endpoint's affair: whoever gets here has
//! shown its address, or need not.
//!
//! | message | next state |
//! | --- | --- |
//! | ClientHello, 1.2 | `server12`, after our flight: a full or, with a session, an abbreviated one |
//! | ClientHello, 1.3 | `server13`, after our flight |

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

use gramseal_wire::handshake::ClientHello;
use gramseal_wire::{Codec, HandshakeType, MessageSeq, ProtocolVersion};

use crate::config::ServerConfig;
use crate::error::Error;
use crate::handshake::compose::OutgoingSeq;
use crate::handshake::{Action, Protection, State, expect, resume, select, server12, server13};
use crate::message::Message;

/// A server that waits for its client; its first message will have the number `first`.
pub(crate) fn start(config: Arc<ServerConfig>, first: MessageSeq) -> State {
    State::ServerHello(Box::new(ExpectClientHello { config, seq: OutgoingSeq::new(first) }))
}

/// Waits for the ClientHello that begins the handshake.
pub(crate) struct ExpectClientHello {
    config: Arc<ServerConfig>,
    seq: OutgoingSeq,
}

impl ExpectClientHello {
    pub(crate) fn handle(self, message: &Message, out: &mut Vec<Action>) -> Result<State, Error> {
        expect(message, HandshakeType::CLIENT_HELLO, Protection::None)?;
        let hello = ClientHello::from_bytes(message.body())?;
        let version = select::version(&hello, &self.config.common.versions)?;
        out.push(Action::Version(version));
        if version == ProtocolVersion::DTLS1_3 {
            let selected = select::select13(&hello, &self.config)?;
            return server13::start(self.config, self.seq, &hello, message, selected, out);
        }
        select::check12(&hello)?;
        if let Some(found) = resume::find(&hello, &self.config)? {
            return server12::resume(self.config, self.seq, &hello, message, found, out);
        }
        let selected = select::select12(&hello, &self.config)?;
        server12::start(self.config, self.seq, &hello, message, selected, out)
    }
}
