//! Datagrams that mean nothing, or only look as if they meant something.

use gramseal_testkit::rng::Rng;

/// The longest.
const MAX_LEN: usize = 160;

/// Makes one datagram after another in the same place.
pub(crate) struct Junk {
    pub(crate) rng: Rng,
    datagram: Vec<u8>,
}

impl Junk {
    pub(crate) fn new(seed: u64) -> Self {
        Self { rng: Rng::new(seed), datagram: Vec::with_capacity(MAX_LEN + 64) }
    }

    fn byte(&mut self) -> u8 {
        self.rng.next_u64().to_be_bytes()[7]
    }

    /// Up to `MAX_LEN` bytes of anything behind what is there.
    fn anything(&mut self) {
        let len = self.rng.below(MAX_LEN as u64);
        for _ in 0..len {
            let byte = self.byte();
            self.datagram.push(byte);
        }
    }

    /// A record with a 13-byte header around what `content` adds.
    fn record(&mut self, content_type: u8, epoch: u8, content: impl FnOnce(&mut Self)) {
        let number = self.rng.next_u64().to_be_bytes();
        self.datagram.extend([content_type, 0xfe, 0xfd, 0, epoch]);
        self.datagram.extend([0, 0, 0, 0, number[0] % 4, number[1], 0, 0]);
        let start = self.datagram.len();
        content(self);
        let len = u16::try_from(self.datagram.len() - start).expect("short").to_be_bytes();
        self.datagram[start - 2..start].copy_from_slice(&len);
    }

    /// Whatever comes to mind.
    pub(crate) fn any(&mut self) -> &mut [u8] {
        self.datagram.clear();
        match self.rng.below(8) {
            0 => self.anything(),
            1 => {
                // Of 1.3, perhaps with an id.
                let first = 0x20 | self.byte() & 0x1f;
                self.datagram.push(first);
                self.anything();
            }
            2 => {
                let (content_type, epoch) = (20 + self.byte() % 8, self.byte() % 4);
                self.record(content_type, epoch, Self::anything);
            }
            3 => self.record(23, 1, Self::anything),
            4 => {
                // A handshake message of any kind, a part of one, or one that claims too much.
                let (msg_type, message_seq) = (self.byte() % 26, self.byte() % 8);
                let length = [0, 0, self.byte() % 3, self.byte(), 0, message_seq, 0, 0, 0, 0, 0];
                self.record(22, 0, |junk| {
                    junk.datagram.push(msg_type);
                    junk.datagram.extend(&length[1..]);
                    let start = junk.datagram.len();
                    junk.datagram.push(0);
                    junk.anything();
                    let len = u8::try_from(junk.datagram.len() - start - 1).expect("short");
                    junk.datagram[start] = len;
                });
            }
            5 => self.datagram.push(22),
            6 => return self.alert(),
            _ => return self.ack(),
        }
        &mut self.datagram
    }

    /// An alert that nothing protects, or that pretends to be protected.
    pub(crate) fn alert(&mut self) -> &mut [u8] {
        self.datagram.clear();
        let (level, description, epoch) = (1 + self.byte() % 2, self.byte() % 121, self.byte() % 3);
        self.record(21, epoch, |junk| {
            junk.datagram.extend([level, description]);
            if epoch > 0 {
                junk.anything();
            }
        });
        &mut self.datagram
    }

    /// An ACK that nothing protects, of anything.
    pub(crate) fn ack(&mut self) -> &mut [u8] {
        self.datagram.clear();
        let (entries, epoch) = (self.byte() % 10, self.byte() % 3);
        self.record(26, epoch, |junk| {
            junk.datagram.extend([0, entries * 16]);
            for _ in 0..entries {
                let (of, number) = (junk.byte() % 4, junk.byte() % 8);
                junk.datagram.extend([0, 0, 0, 0, 0, 0, 0, of, 0, 0, 0, 0, 0, 0, 0, number]);
            }
        });
        &mut self.datagram
    }
}
