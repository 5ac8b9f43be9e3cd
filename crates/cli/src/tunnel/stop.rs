//! How a tunnel is told to end.

use tokio::sync::watch;
use tokio::time::Instant;

/// Until when connections may be ended in good order; `None` as long as nobody wants an end.
type Deadline = Option<Instant>;

/// Ends what holds the other side.
#[derive(Debug)]
pub(super) struct Stopper(watch::Sender<Deadline>);

/// Hears of the end.
#[derive(Debug, Clone)]
pub(super) struct Stop(watch::Receiver<Deadline>);

pub(super) fn channel() -> (Stopper, Stop) {
    let (sender, receiver) = watch::channel(None);
    (Stopper(sender), Stop(receiver))
}

impl Stopper {
    pub(super) fn stop(&self, deadline: Instant) {
        self.0.send_replace(Some(deadline));
    }
}

impl Stop {
    /// Waits for the end; until when it may take.
    pub(super) async fn wanted(&mut self) -> Instant {
        match self.0.wait_for(Option::is_some).await {
            Ok(deadline) => deadline.unwrap_or_else(Instant::now),
            // Whoever could say more is gone.
            Err(_) => Instant::now(),
        }
    }
}
