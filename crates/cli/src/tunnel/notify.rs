//! Tells systemd how far the service is (sd_notify(3)); without `$NOTIFY_SOCKET`, nobody.

#[cfg(unix)]
use sd_notify::NotifyState;

/// All tunnels listen.
pub(super) fn ready() {
    #[cfg(unix)]
    tell(&[NotifyState::Ready]);
}

/// The configuration is read anew; [`ready`] follows.
pub(super) fn reloading() {
    #[cfg(unix)]
    if let Ok(now) = NotifyState::monotonic_usec_now() {
        tell(&[NotifyState::Reloading, now]);
    }
}

/// Connections are being ended.
pub(super) fn stopping() {
    #[cfg(unix)]
    tell(&[NotifyState::Stopping]);
}

#[cfg(unix)]
fn tell(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::warn!(%error, "the service manager was not told");
    }
}
