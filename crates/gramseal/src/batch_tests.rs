//! Batches where the system does not do what was hoped for.

use std::io;
use std::sync::Arc;

use gramseal_proto::config::{ClientConfig, ServerConfig};
use gramseal_testkit::pki::TestPki;

use crate::{Connection, Endpoint, Payloads, SendError, identity_from_pem, provider, trust};

const EIO: i32 = 5;

async fn pair() -> (Connection, Connection) {
    let pki = TestPki::new();
    let identity = pki.server("server.test");
    let identity = identity_from_pem(identity.chain_pem.as_bytes(), identity.key_pem.as_bytes()).unwrap();
    let server = Arc::new(ServerConfig::builder(provider(), identity).build().unwrap());
    let roots = trust::roots_from_pem(pki.root_pem().as_bytes()).unwrap();
    let client = Arc::new(ClientConfig::builder(provider(), roots).build().unwrap());
    let server = Endpoint::server("127.0.0.1:0", server).unwrap();
    let addr = server.local_addr().unwrap();
    let accepted = async { server.accept().await.unwrap().await.unwrap() };
    let endpoint = Endpoint::client("127.0.0.1:0").unwrap();
    let (ours, theirs) = tokio::join!(endpoint.connect(addr, "server.test", client), accepted);
    (ours.unwrap(), theirs)
}

/// What the system answers to the next calls.
fn answer<const N: usize>(connection: &Connection, answers: [io::Error; N]) {
    connection.shared().router.socket.answers.lock().unwrap().extend(answers);
}

async fn fetch(connection: &Connection, count: usize) -> Vec<Vec<u8>> {
    let (mut payloads, mut fetched) = (Payloads::new(), Vec::new());
    while fetched.len() < count {
        connection.recv_many(&mut payloads).await.unwrap().unwrap();
        fetched.extend(payloads.iter().map(<[u8]>::to_vec));
    }
    fetched
}

fn payloads() -> Vec<Vec<u8>> {
    (0..10).map(|n| vec![n; 100]).collect()
}

#[tokio::test]
async fn a_full_buffer_is_no_failure_and_waiting_gets_through() {
    let (ours, theirs) = pair().await;
    let full = || io::Error::from(io::ErrorKind::WouldBlock);
    answer(&ours, [full()]);
    assert_eq!(ours.send_many(&payloads()).unwrap(), 0);
    answer(&ours, [full()]);
    assert_eq!(ours.send_many_wait(&payloads()).await.unwrap(), 10);
    assert_eq!(fetch(&theirs, 10).await, payloads());
    assert_eq!(ours.stats().sends_blocked, 0, "nothing was lost");
}

#[tokio::test]
async fn a_system_that_refuses_batches_gets_single_datagrams_from_then_on() {
    for refusal in [|| io::Error::from_raw_os_error(EIO), || io::Error::from(io::ErrorKind::InvalidInput)] {
        let (ours, theirs) = pair().await;
        let socket = &ours.shared().router.socket;
        let cuts = socket.segments() > 1;
        assert!(cuts || !cfg!(any(target_os = "linux", target_os = "android")), "these do");
        if !cuts {
            // Where the system cuts nothing from the start there is nothing to refuse.
            return;
        }
        answer(&ours, [refusal()]);
        assert_eq!(ours.send_many(&payloads()).unwrap(), 10);
        assert_eq!(socket.segments(), 1);
        assert_eq!(ours.send_many_wait(&payloads()).await.unwrap(), 10);
        assert_eq!(fetch(&theirs, 20).await, [payloads(), payloads()].concat());
        assert_eq!(socket.batches.value(), 0, "none went out together");
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
#[tokio::test]
async fn a_system_that_cuts_batches_gets_all_datagrams_together() {
    let (ours, theirs) = pair().await;
    let socket = &ours.shared().router.socket;
    assert!(socket.segments() >= 10, "{}", socket.segments());
    let sent = socket.sent.value();
    assert_eq!(ours.send_many(&payloads()).unwrap(), 10);
    assert_eq!((socket.batches.value(), socket.sent.value() - sent), (1, 10));
    assert_eq!(ours.send_many_wait(&payloads()).await.unwrap(), 10);
    assert_eq!((socket.batches.value(), socket.sent.value() - sent), (2, 20));
    assert_eq!(fetch(&theirs, 20).await, [payloads(), payloads()].concat());
}

#[cfg(any(target_os = "linux", target_os = "android"))]
#[tokio::test]
async fn datagrams_that_are_too_large_for_the_path_do_not_end_batches() {
    let (ours, theirs) = pair().await;
    let socket = &ours.shared().router.socket;
    let before = socket.segments();
    let too_large = || io::Error::from_raw_os_error(rustix::io::Errno::MSGSIZE.raw_os_error());
    answer(&ours, [io::Error::from(io::ErrorKind::InvalidInput), too_large()]);
    let limit = match ours.send_many(&vec![vec![1; 1100]; 3]) {
        Err(SendError::TooLarge { limit }) => limit,
        other => panic!("{other:?}"),
    };
    assert!(limit < 1100 && socket.segments() == before, "the datagrams were to blame");
    assert_eq!(ours.send_many(&payloads()).unwrap(), 10);
    assert_eq!(fetch(&theirs, 10).await, payloads());
}

#[tokio::test]
async fn what_went_out_before_a_failure_is_told_first() {
    let (ours, theirs) = pair().await;
    ours.shared().router.socket.cut_nothing();
    let failure = || io::Error::from(io::ErrorKind::NetworkUnreachable);
    answer(&ours, [failure()]);
    assert!(matches!(ours.send_many(&payloads()), Err(SendError::Io(_))));
    assert_eq!(ours.stats().protocol.records_sealed, 1);
    assert_eq!(ours.send_many(&payloads()).unwrap(), 10, "the connection is as before");
    assert_eq!(fetch(&theirs, 10).await, payloads());
    assert_eq!(ours.shared().router.socket.send_errors.value(), 1);
}
