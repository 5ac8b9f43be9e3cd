//! What every connection that should work is checked for, whoever the peer is.

use std::time::Instant;

use crate::watch::hex;
use crate::{Node, PATIENCE, Process};

/// The label of the exporter that both sides print.
pub(crate) const LABEL: &str = "EXPORTER-gramseal-interop";

/// How many bytes they export.
pub(crate) const EXPORTED: usize = 32;

/// The file in a peer's folder that it logs its secrets to.
pub(crate) const KEY_LOG: &str = "keys";

/// Waits until our side is connected, and until the peer says that it is.
pub(crate) fn connected(node: &mut Node, peer: &Process, says: impl Fn(&Process) -> bool) {
    node.run_until("a connection", peer, |node| node.is_connected() || node.closed().is_some());
    assert!(node.is_connected(), "{}; {}", node.state(), peer.transcript());
    node.run_until("the peer's connection", peer, |_| says(peer));
}

/// Application data both ways with a peer that sends what it reads and prints what it receives;
/// `text` names the exchange. Repeats what the network lost.
pub(crate) fn exchange(node: &mut Node, peer: &mut Process, text: &str) {
    let (ours, theirs) = (format!("from gramseal: {text}"), format!("to gramseal: {text}"));
    let started = Instant::now();
    while !(peer.said(&ours) && node.received(&theirs)) {
        assert!(started.elapsed() < PATIENCE, "no exchange; {}; {}", node.state(), peer.transcript());
        // Each time both: after a handshake message that came again, OpenSSL's s_client blocks in
        // SSL_read until application data comes, and reads no input before.
        node.send(format!("{ours}\n").as_bytes());
        peer.type_line(&theirs);
        let _both = node.run_for(|node| peer.said(&ours) && node.received(&theirs));
    }
}

/// Application data both ways with a peer that sends back what it receives.
pub(crate) fn echo(node: &mut Node, peer: &Process, text: &str) {
    let text = format!("over and back: {text}");
    let started = Instant::now();
    while !(peer.said(&text) && node.received(&text)) {
        assert!(started.elapsed() < PATIENCE, "no echo; {}; {}", node.state(), peer.transcript());
        node.send(format!("{text}\n").as_bytes());
        let _both = node.run_for(|node| peer.said(&text) && node.received(&text));
    }
}

/// Both exported the same keying material (RFC 5705) for this context; `theirs` in hexadecimal digits.
pub(crate) fn exporter(node: &Node, context: Option<&[u8]>, theirs: &str) {
    let mut ours = [0; EXPORTED];
    node.connection().export_keying_material(LABEL.as_bytes(), context, &mut ours).expect("connected");
    assert_eq!(theirs.to_lowercase(), hex(&ours));
}

/// Both logged the same secret for the same random; the peer to its file [`KEY_LOG`].
pub(crate) fn key_log(node: &Node, peer: &Process) {
    logged(peer, &our_secret(node));
}

/// The peer logged our secret, for whatever random.
pub(crate) fn secret(node: &Node, peer: &Process) {
    let line = our_secret(node);
    logged(peer, line.rsplit(' ').next().expect("a line ends with the secret"));
}

fn our_secret(node: &Node) -> String {
    let secrets = node.watch().log().secrets;
    assert_eq!(secrets.len(), 1, "{secrets:?}");
    secrets[0].clone()
}

fn logged(peer: &Process, secret: &str) {
    let path = peer.folder.path(KEY_LOG);
    // It may write a moment after it is connected.
    peer.wait(secret, || std::fs::read_to_string(&path).ok().filter(|text| text.contains(secret)));
}
