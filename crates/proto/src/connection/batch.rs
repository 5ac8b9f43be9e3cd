//! Many payloads at once, for systems that cut one buffer into datagrams themselves (GSO).

use super::Connection;
use crate::error::SendError;

/// Records next to each other, each of which is one datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct SealedBatch {
    /// How many there are, and so many payloads are in them.
    pub records: usize,
    /// How long they are together, in bytes.
    pub bytes: usize,
    /// How long each is, in bytes, but the last, which may be shorter.
    pub segment: usize,
}

impl Connection {
    /// Seals payloads from the front of `payloads`, each as by [`seal`](Self::seal) and one behind the other at the front
    /// of `out`: as long as the records have one length and fit, and one shorter record at the end. So a system that
    /// cuts what it is given into datagrams of one length (`UDP_SEGMENT`) sends them all with one call.
    ///
    /// # Errors
    /// See [`SendError`], if it is the first payload that cannot be sealed; nothing changed then. Before another one
    /// that cannot be, the batch ends.
    pub fn seal_batch<P: AsRef<[u8]>>(&mut self, payloads: &[P], out: &mut [u8]) -> Result<SealedBatch, SendError> {
        let Some((first, rest)) = payloads.split_first() else {
            return Ok(SealedBatch { records: 0, bytes: 0, segment: 0 });
        };
        let segment = self.seal(first.as_ref(), out)?;
        let mut batch = SealedBatch { records: 1, bytes: segment, segment };
        for payload in rest {
            let payload = payload.as_ref();
            let room = out.get_mut(batch.bytes..).unwrap_or_default();
            let needed = self.sealed_len(payload.len());
            if needed > segment || needed > room.len() {
                break;
            }
            let Ok(len) = self.seal(payload, room) else { break };
            batch.records += 1;
            batch.bytes += len;
            if len < segment {
                break;
            }
        }
        Ok(batch)
    }
}
