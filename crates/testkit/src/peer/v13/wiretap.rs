//! Listening to a handshake with its key log.

use std::collections::BTreeMap;
use std::sync::Mutex;

use gramseal_proto::KeyLog;
use gramseal_wire::{
    ContentType, Epoch, HandshakeType, PlaintextHeader, RecordHeader, RecordNumber, SequenceNumber, UnifiedHeader,
};

use super::super::inbox::whole_records;
use super::super::keys::Keys as Keys12;
use super::keys::{Keys, Suite};
use super::{APPLICATION, EARLY, Form, HANDSHAKE, Seen};
use crate::decode::{fragments, records};
use crate::null;
use crate::sim::Side;

/// A key log that opens what the two sides of 1.3 send, up to the first epoch of application data, and makes records of
/// either version: in the null cryptography, with AES-128-GCM and SHA-256.
#[derive(Debug, Default)]
pub struct Wiretap(Mutex<Heard>);

#[derive(Debug, Default)]
struct Heard {
    secrets: BTreeMap<String, Vec<u8>>,
    /// The client's and the server's; the keys of 1.2 are made of them.
    randoms: [[u8; 32]; 2],
}

/// Of 1.2.
const MASTER_SECRET: &str = "CLIENT_RANDOM";

impl KeyLog for Wiretap {
    fn log(&self, label: &str, client_random: &[u8; 32], secret: &[u8]) {
        let mut heard = self.0.lock().expect("not poisoned");
        heard.randoms[0] = *client_random;
        heard.secrets.insert(label.to_owned(), secret.to_vec());
    }
}

impl Wiretap {
    /// The records in a datagram that `from` sent.
    ///
    /// # Panics
    /// If a record does not open.
    #[must_use]
    pub fn open(&self, from: Side, datagram: &[u8]) -> Vec<Seen> {
        self.open_named(from, datagram, 0)
    }

    /// The same where connection ids have `cid_len` bytes.
    ///
    /// # Panics
    /// If a record does not open.
    #[must_use]
    pub fn open_named(&self, from: Side, datagram: &[u8], cid_len: usize) -> Vec<Seen> {
        let records = whole_records(datagram, cid_len).into_iter();
        records.map(|(header, record)| self.open_record(from, record, header, cid_len)).collect()
    }

    /// Takes from a datagram of a server of 1.2 what its keys are made of beside the log: a ServerHello in one piece.
    ///
    /// # Panics
    /// If another thread panicked.
    pub fn hear(&self, datagram: &[u8]) {
        let unprotected = records(datagram).into_iter().filter(|record| record.header.epoch == Epoch::UNPROTECTED);
        let fragments = unprotected.flat_map(|record| fragments(record.body));
        let mut hellos = fragments.filter(|fragment| fragment.msg_type == HandshakeType::SERVER_HELLO);
        let random = hellos.find_map(|hello| hello.body.get(2..34)?.try_into().ok());
        if let Some(random) = random {
            self.0.lock().expect("not poisoned").randoms[1] = random;
        }
    }

    /// A record that opens as if `from` had made it.
    ///
    /// # Panics
    /// If the log does not have the keys of `epoch`.
    #[must_use]
    pub fn seal(&self, from: Side, epoch: u64, number: u64, content_type: ContentType, content: &[u8]) -> Vec<u8> {
        self.seal_named(from, &[], (epoch, number), content_type, content)
    }

    /// The same with a connection id, and the number that an epoch and a place in it make.
    ///
    /// # Panics
    /// If the log does not have the keys of the epoch.
    #[must_use]
    pub fn seal_named(
        &self,
        from: Side,
        cid: &[u8],
        (epoch, number): (u64, u64),
        content_type: ContentType,
        content: &[u8],
    ) -> Vec<u8> {
        let number = RecordNumber::new(Epoch(epoch), SequenceNumber(number));
        if let Some(master_secret) = self.secret(MASTER_SECRET) {
            let randoms = self.0.lock().expect("not poisoned").randoms;
            let keys = Keys12::resumed(&null::provider(0), &master_secret, randoms);
            return keys.seal(from, cid, number, content_type, content);
        }
        self.keys(epoch).seal(from, cid, number, content_type, content, Form::default())
    }

    /// The secret with this label, if it was logged.
    ///
    /// # Panics
    /// If another thread panicked.
    #[must_use]
    pub fn secret(&self, label: &str) -> Option<Vec<u8>> {
        self.0.lock().expect("not poisoned").secrets.get(label).cloned()
    }

    fn open_record(&self, from: Side, record: &[u8], header: RecordHeader, cid_len: usize) -> Seen {
        match header {
            RecordHeader::Plaintext(header) => Seen {
                number: RecordNumber::new(header.epoch, header.sequence_number),
                content_type: header.content_type,
                content: record[PlaintextHeader::LEN..].to_vec(),
            },
            RecordHeader::Unified(header) => {
                let is_of = |epoch: &u64| header.epoch_bits == UnifiedHeader::epoch_bits_of(Epoch(*epoch));
                let epoch = [EARLY, HANDSHAKE, APPLICATION].into_iter().find(is_of).expect("an epoch of ours");
                let opened = self.keys(epoch).open(from, Epoch(epoch), record, cid_len);
                let (number, content_type, content) = opened.expect("the keys of the log");
                Seen { number, content_type, content }
            }
            RecordHeader::Cid12(_) => panic!("a record of 1.2"),
        }
    }

    fn keys(&self, epoch: u64) -> Keys {
        let labels = match epoch {
            EARLY => ["CLIENT_EARLY_TRAFFIC_SECRET"; 2],
            HANDSHAKE => ["CLIENT_HANDSHAKE_TRAFFIC_SECRET", "SERVER_HANDSHAKE_TRAFFIC_SECRET"],
            _ => ["CLIENT_TRAFFIC_SECRET_0", "SERVER_TRAFFIC_SECRET_0"],
        };
        let secret = |label: &str| self.secret(label).expect("in the log by now");
        Suite::new(&null::provider(0)).keys_of(labels.map(secret))
    }
}
