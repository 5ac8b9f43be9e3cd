//! Associations that go on in another process: an image of one is made here, and it goes on from that elsewhere.
//!
//! - [`Connection::export`] ends the association here and has all of it in the image: for a process that is replaced
//!   or has too much to do.
//! - [`Connection::checkpoint`] lets it go on here, with an image for whoever takes over if this process dies.
//!
//! The peer notices neither. What an image has stands in `image`; who has it in memory writes it: `record` epochs and
//! numbers, `handshake` secrets, `flight` messages on their way. Keys are never written, but what they are derived
//! from. What cannot be written is waited for: [`NotMovable`] says what.

mod checkpoint;
mod error;
mod image;
mod key;

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;

use gramseal_wire::{DecodeError, Epoch, MessageSeq, ProtocolVersion, Reader, SequenceNumber, Writer};
use zeroize::Zeroizing;

pub use checkpoint::Checkpoint;
pub(super) use checkpoint::Checkpoints;
pub use error::{ImportError, NotMovable};
use image::{Field, Fields, field};
pub use key::ImageKey;

use super::apply::PROTECTED;
use super::cids::CidChange;
use super::idle::Idle;
use super::key_update::KeyUpdates;
use super::mtu::Mtu;
use super::mtu_search::MtuSearch;
use super::new_cids::NewCids;
use super::post::Post;
use super::sessions::Remembered;
use super::{Agreed, CloseReason, Connection, Phase, Role, Stats, Unread};
use crate::config::{ClientConfig, ServerConfig};
use crate::encoding::{optional_u64, read_optional_u64};
use crate::flight::{Acks, Behind, PostFlights};
use crate::handshake::{Keying, Negotiated, PostHandshake, Signer};
use crate::message::Message;
use crate::record::{Cids, ReadEpoch, RecordImage, RecordLayer, WriteEpoch};
use crate::time::Instant;

/// An association that goes on from an image.
#[derive(Debug)]
#[expect(clippy::exhaustive_structs, reason = "these two are what an image is of")]
pub struct Imported {
    /// The connection: established, with everything that was agreed on. Its counters begin at 0.
    pub connection: Connection,
    /// What the exporter attached.
    pub attached: Vec<u8>,
}

impl Connection {
    /// Ends the association here, with [`CloseReason::Moved`] and without a word to the peer, and returns an image from
    /// which it goes on elsewhere: with [`import_client`](Self::import_client) or
    /// [`import_server`](Self::import_server). What the application wants to find there, such as the peer's address,
    /// can be `attached`, up to 2^24 bytes.
    ///
    /// Before it, poll what there is to send and the events. The image has the secrets of the association, sealed with
    /// `key`. Import it **once**, and destroy it then: two connections from one image would seal two records with one
    /// nonce, which gives their content and the key of the authentication away. Where an image must outlive its
    /// import, in case the importer dies, [`checkpoint`](Self::checkpoint) is the way.
    ///
    /// Whatever is on its way moves along: messages that the peer has not acknowledged are sent again by the importer.
    /// Not so a [check](crate::config::PathCheck) of where the peer is, and the ability to [authenticate the client](Self::authenticate_client) later, which a server loses.
    ///
    /// # Errors
    /// See [`NotMovable`]; the connection goes on then, and most reasons pass within a round trip.
    pub fn export(&mut self, key: &ImageKey, attached: &[u8], now: Instant) -> Result<Vec<u8>, NotMovable> {
        self.check_movable()?;
        let image = self.image(key, attached, None, now)?;
        self.end(CloseReason::Moved);
        // The keys are the importer's now.
        self.records = RecordLayer::new(SequenceNumber(0), self.records.replay_window());
        self.post = None;
        self.new_cids = None;
        self.early = None;
        self.checkpoints = None;
        self.pending_alert = None;
        Ok(image)
    }

    /// Goes on with a client's association from an `image` that was sealed with `key`.
    ///
    /// What was agreed on stands, whatever `config` would agree on now; from it come the provider, the session store,
    /// what the peer's later messages are checked with, and the timers. The datagrams are as large as they were.
    /// Our connection ids are told once more ([`Event::CidIssued`](crate::Event::CidIssued)); where the peer is, the
    /// caller [says](Self::set_peer).
    ///
    /// If the image is a [checkpoint](Self::checkpoint), or the exporter made some, another one is due before
    /// anything can be sent: make and store it, or say that no image is left with
    /// [`end_checkpoints`](Self::end_checkpoints).
    ///
    /// # Errors
    /// See [`ImportError`].
    pub fn import_client(
        config: Arc<ClientConfig>,
        key: &ImageKey,
        image: &[u8],
        now: Instant,
    ) -> Result<Imported, ImportError> {
        Self::import(Role::Client(config), key, image, now)
    }

    /// The same of a server's association.
    ///
    /// # Errors
    /// See [`ImportError`].
    pub fn import_server(
        config: Arc<ServerConfig>,
        key: &ImageKey,
        image: &[u8],
        now: Instant,
    ) -> Result<Imported, ImportError> {
        Self::import(Role::Server(config), key, image, now)
    }

    /// Whether all of the association can be written down.
    fn check_movable(&self) -> Result<(), NotMovable> {
        match self.phase {
            Phase::Handshaking => return Err(NotMovable::NotConnected),
            Phase::Closed => return Err(NotMovable::Closed),
            Phase::Connected => {}
        }
        if self.handshake.is_some() {
            return Err(NotMovable::LastFlight);
        }
        if self.has_early_data_waiting() {
            return Err(NotMovable::EarlyData);
        }
        let Some(post) = &self.post else { return Ok(()) };
        if post.deferral.is_some() || !post.after.has_image() {
            return Err(NotMovable::ClientAuthentication);
        }
        if !post.inbound.is_empty() {
            return Err(NotMovable::MessageInPart);
        }
        if post.inbound.next_seq().is_none() { Err(NotMovable::NumbersUsedUp) } else { Ok(()) }
    }

    /// The image, from which an importer goes on `reserved` records later if it is a checkpoint.
    fn image(
        &self,
        key: &ImageKey,
        attached: &[u8],
        reserved: Option<u64>,
        now: Instant,
    ) -> Result<Vec<u8>, NotMovable> {
        let agreed = self.agreed.as_deref().ok_or(NotMovable::NotConnected)?;
        let keying = agreed.keying.as_ref().ok_or(NotMovable::Closed)?;
        // Enough room from the start: growing would leave copies of the secrets behind.
        let mut fields = Zeroizing::new(Vec::with_capacity(self.image_len(agreed) + attached.len()));
        let room = fields.capacity();
        let mut w = Writer::new(&mut fields);
        field(&mut w, Field::Negotiated, |w| {
            w.u8(self.role.code());
            agreed.negotiated.write_image(w);
        });
        field(&mut w, Field::Keying, |w| keying.write_image(w));
        let newest = self.records.newest_read_epoch();
        let has_keys = |epoch| match &self.post {
            Some(post) => post.after.reads(epoch, newest),
            None => epoch == PROTECTED,
        };
        field(&mut w, Field::Records, |w| self.records.write_image(w, has_keys, reserved));
        if let Some(post) = &self.post {
            field(&mut w, Field::Post, |w| post.write_image(w, now));
        }
        if let Some(remembered) = &agreed.remembered {
            field(&mut w, Field::Remembered, |w| remembered.write_image(w, keying));
        }
        field(&mut w, Field::Path, |w| self.mtu.write_image(w));
        field(&mut w, Field::Attached, |w| w.bytes(attached));
        if let Some(cids) = self.records.cids() {
            field(&mut w, Field::Cids, |w| cids.write_image(w));
        }
        if let Some(new_cids) = &self.new_cids {
            field(&mut w, Field::NewCids, |w| new_cids.write_image(w, now));
        }
        w.finish().map_err(|_| NotMovable::TooLong)?;
        debug_assert_eq!(fields.capacity(), room, "the secrets were copied");
        key.seal(&fields)
    }

    /// Bytes that the fields of an image have, or a few less than these.
    fn image_len(&self, agreed: &Agreed) -> usize {
        let messages = self
            .post
            .as_ref()
            .map_or(0, |post| post.flights.messages().map(|(message, _)| 8 + message.bytes().len()).sum());
        let remembered = agreed.remembered.as_ref().map_or(0, Remembered::image_len);
        let cids = self.records.cids().map_or(0, Cids::image_len);
        // The windows have at most 136 bytes of bits each.
        1024 + cids + 3 * 170 + agreed.negotiated.image_len() + messages + remembered
    }

    fn import(role: Role, key: &ImageKey, image: &[u8], now: Instant) -> Result<Imported, ImportError> {
        let bytes = key.open(image)?;
        let fields = Fields::read(&bytes)?;
        let (code, negotiated) =
            fields.need(Field::Negotiated, |r| Ok::<_, DecodeError>((r.u8()?, Negotiated::read_image(r)?)))?;
        if code != role.code() {
            return Err(if code <= 1 { ImportError::WrongRole } else { ImportError::Malformed });
        }
        let missing = ImportError::MissingAlgorithm(negotiated.cipher_suite);
        let (aead, hash) = negotiated.algorithms(&role.common().provider).ok_or(missing)?;
        let is_13 = negotiated.version == ProtocolVersion::DTLS1_3;
        let keying = fields.need(Field::Keying, |r| {
            if is_13 { Keying::read_image13(r, hash) } else { Keying::read_image12(r, hash) }
        })?;
        let records = fields.need(Field::Records, RecordImage::read)?;
        let post = if is_13 {
            let side = role.side();
            let read = |r: &mut Reader<'_>| {
                let after = PostHandshake::read_image(r, side, aead, hash)?;
                Post::read_image(r, after, &role, now)
            };
            Some(Box::new(fields.need(Field::Post, read)?))
        } else {
            None
        };
        let remembered = match fields.find(Field::Remembered) {
            Some(_) => fields.need(Field::Remembered, |r| Remembered::read_image(r, &keying, &role))?,
            None => None,
        };
        let mtu = fields.need(Field::Path, Mtu::read_image)?;
        let attached = fields.find(Field::Attached).unwrap_or_default().to_vec();
        let mut records = restore(records, &role, &negotiated, &keying, post.as_deref())?;
        if fields.find(Field::Cids).is_some() {
            records.restore_cids(fields.need(Field::Cids, Cids::read_image)?);
        }
        let new_cids = match fields.find(Field::NewCids) {
            Some(_) => Some(Box::new(fields.need(Field::NewCids, |r| NewCids::read_image(r, now))?)),
            None => None,
        };
        // The caller's endpoint has to know them.
        let cids: Vec<_> = records.own_cids().iter().cloned().map(CidChange::Issued).collect();
        records.set_padding(role.common().padding);
        records.set_largest_record(mtu.bytes());
        let checkpoints = records.reserved_left().map(|_| Box::new(Checkpoints::imported()));
        let mut connection = Self {
            records,
            phase: Phase::Connected,
            resting: false,
            handshake: None,
            agreed: Some(Box::new(Agreed { negotiated, keying: Some(keying), remembered })),
            next_message: None,
            post,
            early: None,
            pending_alert: None,
            unread: Unread { checkpoint_due: checkpoints.is_some(), ..Unread::default() },
            mtu,
            mtu_search: MtuSearch::later(&role.common().transport, now),
            stats: Stats::default(),
            idle: Idle::default(),
            peer: None,
            new_cids,
            paths: None,
            checkpoints,
            role,
        };
        connection.tell_cids(cids);
        connection.begin_idle(now);
        Ok(Imported { connection, attached })
    }
}

/// The record layer with its keys.
fn restore(
    image: RecordImage,
    role: &Role,
    negotiated: &Negotiated,
    keying: &Keying,
    post: Option<&Post>,
) -> Result<RecordLayer, ImportError> {
    let common = role.common();
    // The window is taken from the image.
    let window = common.transport.replay_window;
    let forgeries = common.transport.forgeries_per_key;
    let (newest, written) = (image.newest_read_epoch(), image.write_epoch());
    let (read, write) = match post {
        None => {
            if !image.read_epochs().eq([PROTECTED]) || written != PROTECTED {
                return Err(ImportError::Malformed);
            }
            let keys = keying.record_keys12(negotiated.cipher_suite, role.side(), &common.provider);
            let [read, write] = keys.map_err(|_| ImportError::Crypto)?;
            (Vec::from([ReadEpoch::dtls12(PROTECTED, read, window)]), WriteEpoch::dtls12(PROTECTED, write))
        }
        Some(post) => {
            let known = image.read_epochs().all(|epoch| post.after.reads(epoch, newest));
            if !known || newest < Epoch::APPLICATION || written < Epoch::APPLICATION {
                return Err(ImportError::Malformed);
            }
            let keys = |epoch| post.after.read_keys(epoch, newest, &common.provider);
            let read = image.read_epochs().map(|epoch| Ok(ReadEpoch::dtls13(epoch, keys(epoch)?, window)));
            let read: Result<Vec<_>, crate::error::Error> = read.collect();
            let [_, write] = post.after.current_keys(&common.provider).map_err(|_| ImportError::Crypto)?;
            (read.map_err(|_| ImportError::Crypto)?, WriteEpoch::dtls13(written, write))
        }
    };
    let read = read.into_iter().map(|epoch| epoch.with_forgery_limit(forgeries)).collect();
    Ok(image.into_layer(negotiated.version, read, write))
}

impl Role {
    fn code(&self) -> u8 {
        match self {
            Self::Client(_) => 0,
            Self::Server(_) => 1,
        }
    }

    fn side(&self) -> Signer {
        match self {
            Self::Client(_) => Signer::Client,
            Self::Server(_) => Signer::Server,
        }
    }
}

impl Post {
    fn write_image(&self, w: &mut Writer<'_>, now: Instant) {
        self.after.write_image(w);
        w.u16(self.inbound.next_seq().map_or(0, |next| next.0));
        let left = |until: Option<Instant>| until.map(|until| micros(until.saturating_since(now)));
        optional_u64(w, left(self.last_flight_kept));
        optional_u64(w, left(self.updates.previous_until));
        self.updates.write_image(w);
        w.vec24(|w| {
            for (message, behind) in self.flights.messages() {
                w.u8(u8::from(behind == Behind::Nothing));
                w.vec24(|w| w.bytes(message.bytes()));
            }
        });
    }

    fn read_image(r: &mut Reader<'_>, after: PostHandshake, role: &Role, now: Instant) -> Result<Self, DecodeError> {
        let (initial_wait, longest) = (role.common().transport.initial_timeout, role.longest_later());
        let next = MessageSeq(r.u16()?);
        let mut until = || read_optional_u64(r).map(|left| left.map(|left| now + Duration::from_micros(left)));
        let (last_flight_kept, previous_until) = (until()?, until()?);
        let mut updates = KeyUpdates::read_image(r)?;
        updates.previous_until = previous_until;
        let mut flights = PostFlights::default();
        let mut messages = Reader::new(r.vec24()?);
        while !messages.is_empty() {
            let behind = if messages.u8()? == 0 { Behind::Others } else { Behind::Nothing };
            let message = Message::new(Epoch::APPLICATION, messages.vec24()?.to_vec())?;
            if !flights.has_room(1) {
                return Err(DecodeError::BadVectorLength);
            }
            flights.push(message, behind);
        }
        Ok(Self { flights, updates, last_flight_kept, ..Self::new(next, after, Acks::new(), initial_wait, longest) })
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

impl Remembered {
    fn write_image(&self, w: &mut Writer<'_>, keying: &Keying) {
        let id = |w: &mut Writer<'_>, id: &[u8]| w.vec16(|w| w.bytes(id));
        match self {
            Self::Name(name) => {
                w.u8(0);
                id(w, name.as_bytes());
            }
            Self::Terms(terms) => {
                w.u8(1);
                terms.write_image(w, keying);
            }
            Self::Id(one) => {
                w.u8(2);
                id(w, one);
            }
            Self::Ids(ids) => {
                w.u8(3);
                ids.iter().for_each(|one| id(w, one));
            }
        }
    }

    /// Bytes that [`Self::write_image`] writes, or a few less than these.
    fn image_len(&self) -> usize {
        256 + match self {
            Self::Name(name) => name.len(),
            Self::Terms(terms) => terms.image_len(),
            Self::Id(id) => id.len(),
            Self::Ids(ids) => ids.iter().map(|id| 2 + id.len()).sum(),
        }
    }

    fn read_image(r: &mut Reader<'_>, keying: &Keying, role: &Role) -> Result<Option<Self>, DecodeError> {
        Ok(match (r.u8()?, role) {
            (0, Role::Client(_)) => {
                let name = core::str::from_utf8(r.vec16()?).map_err(|_| DecodeError::IllegalValue)?;
                Some(Self::Name(name.into()))
            }
            (1, Role::Client(config)) => crate::handshake::TicketTerms::read_image(r, keying, config)?.map(Self::Terms),
            (2, Role::Server(_)) => Some(Self::Id(r.vec16()?.into())),
            (3, Role::Server(_)) => {
                let mut ids = Vec::new();
                while !r.is_empty() {
                    ids.push(r.vec16()?.into());
                }
                Some(Self::Ids(ids.into()))
            }
            _ => return Err(DecodeError::IllegalValue),
        })
    }
}
