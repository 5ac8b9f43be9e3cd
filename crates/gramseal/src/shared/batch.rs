//! Many payloads on their way out: sealed next to each other, and given to the system together.

use std::{io, mem};

use gramseal_proto::SealedBatch;

use super::{DATAGRAM, Shared};
use crate::error::SendError;
use crate::socket::{self, Path};

impl Shared {
    /// Seals as many of `payloads` as go out with one call to the system, and gives the batch to `then` with no lock
    /// held.
    fn seal_batch<P: AsRef<[u8]>, T>(
        &self,
        payloads: &[P],
        then: impl FnOnce(Path, &mut Vec<u8>, SealedBatch) -> T,
    ) -> Result<T, SendError> {
        let payloads = &payloads[..payloads.len().min(self.router.socket.segments())];
        DATAGRAM.with_borrow_mut(|buffer| {
            let mut state = self.lock();
            let path = state.path;
            let protocol = &mut state.protocol;
            let most = payloads.first().map_or(0, |first| {
                let record = protocol.sealed_len(first.as_ref().len().min(protocol.max_payload()));
                (record * payloads.len()).min(socket::MAX_BATCH_LEN).max(record)
            });
            if buffer.len() < most {
                buffer.resize(most, 0);
            }
            let rested = protocol.is_resting();
            let sealed = protocol.seal_batch(payloads, &mut buffer[..most]);
            self.go_on_after_sealing(rested, state);
            Ok(then(path, buffer, sealed?))
        })
    }

    /// Sends from the front of `payloads` until the socket's buffer is full or one cannot be sent, and says how many
    /// went out.
    pub(crate) fn send_many<P: AsRef<[u8]>>(&self, payloads: &[P]) -> Result<usize, SendError> {
        let mut sent = 0;
        while sent < payloads.len() {
            let outcome = self.seal_batch(&payloads[sent..], |path, buffer, batch| {
                let gone = self.router.socket.send_batch(path, &buffer[..batch.bytes], batch.segment);
                (gone, batch)
            });
            let outcome = outcome.and_then(|(gone, batch)| match gone {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok((0, batch)),
                gone => gone.map(|count| (count, batch)).map_err(|error| self.not_sent(error, batch.segment)),
            });
            match outcome {
                Ok((count, batch)) => {
                    sent += count;
                    if count < batch.records {
                        break;
                    }
                }
                // The next call tells.
                Err(_) if sent > 0 => break,
                Err(error) => return Err(error),
            }
        }
        Ok(sent)
    }

    /// Like [`send_many`](Self::send_many), but waits while the socket's buffer is full.
    pub(crate) async fn send_many_wait<P: AsRef<[u8]>>(&self, payloads: &[P]) -> Result<usize, SendError> {
        let mut sent = 0;
        while sent < payloads.len() {
            match self.send_batch_wait(&payloads[sent..]).await {
                Ok(count) => sent += count,
                // The next call tells.
                Err(_) if sent > 0 => break,
                Err(error) => return Err(error),
            }
        }
        Ok(sent)
    }

    /// Sends as many of `payloads` as fit into one batch.
    async fn send_batch_wait<P: AsRef<[u8]>>(&self, payloads: &[P]) -> Result<usize, SendError> {
        let socket = &self.router.socket;
        let (path, batch, gone, left) = self.seal_batch(payloads, |path, buffer, batch| {
            let gone = match socket.send_batch(path, &buffer[..batch.bytes], batch.segment) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(0),
                gone => gone,
            };
            let is_left = gone.as_ref().is_ok_and(|count| *count < batch.records);
            // Another task may need the thread's buffer meanwhile.
            (path, batch, gone, is_left.then(|| mem::take(buffer)))
        })?;
        let mut gone = gone.map_err(|error| self.not_sent(error, batch.segment))?;
        let Some(left) = left else { return Ok(gone) };
        while gone < batch.records {
            let rest = &left[gone * batch.segment..batch.bytes];
            match socket.send_batch_wait(path, rest, batch.segment).await {
                Ok(count) => gone += count,
                Err(_) if gone > 0 => break,
                Err(error) => return Err(self.not_sent(error, batch.segment)),
            }
        }
        Ok(gone)
    }
}
