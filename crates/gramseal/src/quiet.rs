//! When a connection has been quiet for so long that it may rest.

use std::time::Duration;

use gramseal_proto::{Connection, Instant};

/// How long no record comes or goes before the keys are put to rest. Deriving them anew takes microseconds, so
/// that this need not be long; a connection that is used costs a look each time.
const QUIET: Duration = Duration::from_secs(30);

/// Looks at a connection now and then.
#[derive(Debug, Default)]
pub(crate) struct Quiet {
    look: Option<Instant>,
    /// How many records had come and gone at the last look.
    records: u64,
}

impl Quiet {
    /// Puts `connection` to rest if nothing has happened since the last look, and says when to look next.
    pub(crate) fn look(&mut self, now: Instant, connection: &mut Connection) -> Option<Instant> {
        self.look = if connection.can_rest() {
            let stats = connection.stats();
            let records = stats.records_opened + stats.records_sealed;
            self.next(now, records, || connection.rest())
        } else {
            None
        };
        self.look
    }

    fn next(&mut self, now: Instant, records: u64, rest: impl FnOnce() -> bool) -> Option<Instant> {
        match self.look {
            Some(at) if now < at => Some(at),
            Some(_) if records == self.records && rest() => None,
            _ => {
                self.records = records;
                Some(now + QUIET)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Instant, QUIET, Quiet};

    #[test]
    fn only_who_was_quiet_for_a_whole_while_rests() {
        let mut quiet = Quiet::default();
        let mut look = |now, records| {
            let mut rested = false;
            quiet.look = quiet.next(now, records, || {
                rested = true;
                true
            });
            (quiet.look, rested)
        };
        let start = Instant::default();
        let [first, second] = [start + QUIET, start + QUIET * 2];
        assert_eq!(look(start, 5), (Some(first), false));
        assert_eq!(look(start + QUIET / 2, 5), (Some(first), false), "too early");
        assert_eq!(look(first, 6), (Some(second), false), "not quiet");
        assert_eq!(look(second, 6), (None, true));
    }
}
