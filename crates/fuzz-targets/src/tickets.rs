//! Sessions and tickets as they come back from files, stores and peers.

use std::sync::{Arc, LazyLock};

use gramseal_proto::session::{Session, TicketKeys, TicketSealer, TicketSecret};
use gramseal_testkit::null;
use pki_types::UnixTime;

/// Long enough for the periods of the keys to be tried.
static KEYS: LazyLock<TicketKeys> = LazyLock::new(|| {
    let since = UnixTime::since_unix_epoch(core::time::Duration::from_secs(1_800_000_000));
    let secret = TicketSecret::new(&[7; TicketSecret::LEN], since);
    TicketKeys::shared(null::provider(1), move || since, TicketKeys::DEFAULT_PERIOD, &[secret]).expect("good keys")
});

/// A ticket, or, if the first byte says so, the bytes of a session, which are sealed into a ticket as well.
///
/// # Panics
/// If a session is not written as it was read, or does not come out of its ticket.
pub fn run(data: &[u8]) {
    let Some((first, data)) = data.split_first() else { return };
    let keys: Arc<&dyn TicketSealer> = Arc::new(&*KEYS);
    if first & 1 == 0 {
        let _ = keys.open(data);
        return;
    }
    if let Ok(session) = Session::from_bytes(data) {
        assert_eq!(&session.to_bytes()[..], data, "{session:?}");
        let _ = (session.size(), session.server_name(), session.version(), session.is_expired(keys.now()));
    }
    let ticket = keys.seal(data).expect("the null provider never fails");
    let opened = keys.open(&ticket).expect("a ticket of ours");
    assert_eq!(&opened.session[..], data);
}
