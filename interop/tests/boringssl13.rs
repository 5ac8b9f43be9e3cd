//! DTLS 1.3 with BoringSSL as client and as server, datagrams handed over in memory.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use boring::pkey::PKey;
use boring::ssl::{
    HandshakeError, MidHandshakeSslStream, Ssl, SslContextBuilder, SslMethod, SslStream, SslVerifyMode, SslVersion,
};
use boring::x509::X509;
use gramseal_interop::{SERVER_NAME, client, identity, pki, server, trust};
use gramseal_proto::config::ClientAuth;
use gramseal_proto::pki_types::{ServerName, UnixTime};
use gramseal_proto::session::ClientSessionCache;
use gramseal_proto::wire::handshake::KeyUpdateRequest;
use gramseal_proto::wire::{MessageSeq, NamedGroup, ProtocolVersion, SequenceNumber};
use gramseal_proto::{CloseReason, Connection, Event, FirstHello, Instant};
use gramseal_testkit::pki::{TestIdentity, TestKeyKind};

const VERSIONS: [ProtocolVersion; 1] = [ProtocolVersion::DTLS1_3];
const LABEL: &str = "EXPERIMENTAL gramseal interop";
const START: Instant = Instant::from_micros(1_000_000);

/// How far time goes between two looks at the timers.
const TICK: Duration = Duration::from_millis(10);
/// For how many of them anything may take.
const TICKS: u32 = 3000;

/// Datagrams on their way.
type Queue = Rc<RefCell<VecDeque<Vec<u8>>>>;

/// The network as BoringSSL sees it.
#[derive(Debug, Clone, Default)]
struct Pipe {
    to_boring: Queue,
    from_boring: Queue,
}

impl Read for Pipe {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let datagram = self.to_boring.borrow_mut().pop_front().ok_or(ErrorKind::WouldBlock)?;
        let room = buffer.get_mut(..datagram.len()).ok_or(ErrorKind::InvalidInput)?;
        room.copy_from_slice(&datagram);
        Ok(datagram.len())
    }
}

impl Write for Pipe {
    fn write(&mut self, datagram: &[u8]) -> io::Result<usize> {
        self.from_boring.borrow_mut().push_back(datagram.to_vec());
        Ok(datagram.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

enum Theirs {
    Shaking(MidHandshakeSslStream<Pipe>),
    Connected(SslStream<Pipe>),
}

impl Theirs {
    fn of(result: Result<SslStream<Pipe>, HandshakeError<Pipe>>) -> Self {
        match result {
            Ok(stream) => Self::Connected(stream),
            Err(HandshakeError::WouldBlock(shaking)) => Self::Shaking(shaking),
            Err(error) => panic!("BoringSSL refuses: {error}"),
        }
    }

    fn step(self) -> Self {
        match self {
            Self::Shaking(shaking) => Self::of(shaking.handshake()),
            connected @ Self::Connected(_) => connected,
        }
    }
}

/// Moves what we have to send, and events.
fn ours_to_theirs(ours: &mut Connection, pipe: &Pipe, now: Instant) {
    ours.handle_timeout(now);
    let mut datagram = Vec::new();
    while ours.poll_transmit(now, &mut datagram) {
        pipe.to_boring.borrow_mut().push_back(datagram.clone());
    }
    while let Some(event) = ours.poll_event() {
        if let Event::Closed(reason @ CloseReason::Failed(_)) = event {
            panic!("we refuse: {reason:?}");
        }
    }
}

fn theirs_to_ours(ours: &mut Connection, pipe: &Pipe, now: Instant) -> Vec<Vec<u8>> {
    let datagrams: Vec<_> = pipe.from_boring.borrow_mut().drain(..).collect();
    let open = |mut datagram: Vec<u8>| -> Vec<Vec<u8>> {
        ours.handle_datagram(now, &mut datagram).map(|payload| payload.to_vec()).collect()
    };
    datagrams.into_iter().flat_map(open).collect()
}

/// Handshake, exporters, data both ways, new keys, close.
fn talk(mut ours: Connection, pipe: &Pipe, theirs: Theirs) -> Connection {
    let (mut theirs, mut now) = (theirs, START);
    let mut stream = loop {
        assert!(now < START + TICK * TICKS, "both sides connect: {ours:?}");
        ours_to_theirs(&mut ours, pipe, now);
        theirs = theirs.step();
        theirs_to_ours(&mut ours, pipe, now);
        now = now + TICK;
        match theirs {
            Theirs::Connected(stream) if ours.is_connected() => break stream,
            other => theirs = other,
        }
    };
    let (mut mine, mut their) = ([0; 32], [0; 32]);
    ours.export_keying_material(LABEL.as_bytes(), Some(b"context"), &mut mine).expect("connected");
    stream.ssl().export_keying_material(&mut their, LABEL, Some(b"context")).expect("connected");
    assert_eq!(mine, their);

    exchange(&mut ours, &mut stream, pipe, &mut now);
    assert_eq!(ours.stats().retransmissions, 0, "nothing was lost");
    // RFC 9147 §8: they take our KeyUpdate and answer with their own, whose keys they use after our ACK. Theirs
    // waits for a timer that the crate does not let us run, so that we never get to use our own.
    ours.update_keys(KeyUpdateRequest::Requested).expect("nothing is on its way");
    exchange(&mut ours, &mut stream, pipe, &mut now);
    exchange(&mut ours, &mut stream, pipe, &mut now);
    assert_eq!((ours.stats().key_updates_sent, ours.stats().key_updates_received), (0, 1));
    let mut buffer = [0; 2000];
    ours.close();
    ours_to_theirs(&mut ours, pipe, now);
    assert_eq!(stream.ssl_read(&mut buffer).map_err(|error| error.code()), Err(boring::ssl::ErrorCode::ZERO_RETURN));
    ours
}

/// Data both ways.
fn exchange(ours: &mut Connection, stream: &mut SslStream<Pipe>, pipe: &Pipe, now: &mut Instant) {
    ours_to_theirs(ours, pipe, *now);
    let mut record = vec![0; ours.sealed_len(7)];
    ours.seal(b"from us", &mut record).expect("connected");
    pipe.to_boring.borrow_mut().push_back(record);
    stream.write_all(b"from them").expect("connected");
    let (mut received, mut buffer) = (Vec::new(), [0; 2000]);
    for _ in 0..50 {
        ours_to_theirs(ours, pipe, *now);
        if let Ok(len) = stream.ssl_read(&mut buffer) {
            assert_eq!(&buffer[..len], b"from us");
            received.push(len);
        }
        for payload in theirs_to_ours(ours, pipe, *now) {
            assert_eq!(payload, b"from them");
            received.push(payload.len());
        }
        *now = *now + TICK;
    }
    received.sort_unstable();
    assert_eq!(received, [7, 9], "each once");
}

fn context(identity: &TestIdentity, groups: &str) -> SslContextBuilder {
    let mut builder = SslContextBuilder::new(SslMethod::dtls()).expect("memory");
    builder.set_min_proto_version(Some(SslVersion::DTLS1_3)).expect("a known version");
    builder.set_max_proto_version(Some(SslVersion::DTLS1_3)).expect("a known version");
    builder.set_curves_list(groups).expect("known groups");
    builder.set_certificate(&X509::from_pem(identity.chain_pem.as_bytes()).expect("PEM")).expect("a certificate");
    let key = PKey::private_key_from_pem(identity.key_pem.as_bytes()).expect("PEM");
    builder.set_private_key(&key).expect("the certificate's key");
    builder
}

const KINDS: [TestKeyKind; 3] = [TestKeyKind::EcdsaP256, TestKeyKind::EcdsaP384, TestKeyKind::Rsa2048];

/// Whether clients show certificates.
const CLIENT_AUTH: [bool; 2] = [false, true];

#[test]
fn we_connect_to_boringssl_with_its_group_or_after_a_retry() {
    for kind in KINDS {
        // Our share is of the first; for the second it has to ask.
        for (groups, group) in [("X25519", NamedGroup::X25519), ("P-256", NamedGroup::SECP256R1)] {
            for asked in CLIENT_AUTH {
                let pki = pki(kind);
                let mut theirs = context(&pki.server(SERVER_NAME), groups);
                if asked {
                    let mode = SslVerifyMode::PEER | SslVerifyMode::FAIL_IF_NO_PEER_CERT;
                    theirs.set_verify_callback(mode, |_, _| true);
                }
                let config =
                    client(&pki).with_versions(&VERSIONS).with_identity(identity(&pki.client("client.example")));
                let config = config.build().expect("a configuration that works");
                let name = ServerName::try_from(SERVER_NAME).expect("a name");
                let ours = Connection::client(Arc::new(config), name, START).expect("random bytes");
                let pipe = Pipe::default();
                let ssl = Ssl::new(&theirs.build()).expect("memory");
                let ours = talk(ours, &pipe, Theirs::of(ssl.accept(pipe.clone())));
                assert_eq!(ours.negotiated().expect("connected").group, Some(group));
            }
        }
    }
}

#[test]
fn boringssl_connects_to_us() {
    for kind in KINDS {
        for (groups, group) in [("X25519", NamedGroup::X25519), ("P-256", NamedGroup::SECP256R1)] {
            for asked in CLIENT_AUTH {
                let pki = pki(kind);
                let mut theirs = context(&pki.client("client.example"), groups);
                theirs.set_verify(SslVerifyMode::NONE);
                let mut config = server(&pki).with_versions(&VERSIONS);
                if asked {
                    config = config.with_client_auth(ClientAuth::Required(trust(&pki)));
                }
                let first = FirstHello { message_seq: MessageSeq(0), sequence_number: SequenceNumber(0) };
                let config = Arc::new(config.build().expect("a configuration that works"));
                let ours = Connection::server(config, first, START);
                let pipe = Pipe::default();
                let mut ssl = Ssl::new(&theirs.build()).expect("memory");
                ssl.set_hostname(SERVER_NAME).expect("a name");
                let ours = talk(ours, &pipe, Theirs::of(ssl.connect(pipe.clone())));
                let agreed = ours.negotiated().expect("connected");
                assert_eq!((agreed.group, agreed.peer_certificates.is_empty()), (Some(group), !asked));
                assert_eq!(agreed.server_name.as_deref(), Some(SERVER_NAME));
            }
        }
    }
}

#[test] // RFC 9846 §2.2
fn we_resume_sessions_of_boringssl_with_its_group_or_after_a_retry() {
    for (groups, group) in [("X25519", NamedGroup::X25519), ("P-256", NamedGroup::SECP256R1)] {
        for asked in CLIENT_AUTH {
            let pki = pki(TestKeyKind::EcdsaP256);
            let mut theirs = context(&pki.server(SERVER_NAME), groups);
            theirs.set_session_id_context(b"gramseal").expect("short");
            if asked {
                let mode = SslVerifyMode::PEER | SslVerifyMode::FAIL_IF_NO_PEER_CERT;
                theirs.set_verify_callback(mode, |_, _| true);
            }
            let theirs = theirs.build();
            let sessions = Arc::new(ClientSessionCache::new(10, 100_000, UnixTime::now));
            let config = client(&pki).with_versions(&VERSIONS).with_session_store(sessions.clone());
            let config = config.with_session_context("test").with_identity(identity(&pki.client("client.example")));
            let config = Arc::new(config.build().expect("a configuration that works"));
            for resumed in [false, true, true] {
                let name = ServerName::try_from(SERVER_NAME).expect("a name");
                let ours = Connection::client(config.clone(), name, START).expect("random bytes");
                let pipe = Pipe::default();
                let ssl = Ssl::new(&theirs).expect("memory");
                let ours = talk(ours, &pipe, Theirs::of(ssl.accept(pipe.clone())));
                let agreed = ours.negotiated().expect("connected");
                assert_eq!((agreed.resumed, agreed.group), (resumed, Some(group)));
                assert!(!agreed.peer_certificates.is_empty(), "who the server is stays known");
                assert!(!sessions.is_empty(), "tickets came");
            }
        }
    }
}
