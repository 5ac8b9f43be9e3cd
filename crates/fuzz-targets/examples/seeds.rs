//! Makes `fuzz/seeds`: inputs from real handshakes, one folder a target. What is there stays, unless it has the same name.
//!
//! `cargo run -p gramseal-fuzz-targets --example seeds`; with `-- fixtures` it makes new certificates as well, which
//! change with every run, since their keys are random.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use gramseal_fuzz_targets::certificates::{self, fixtures};
use gramseal_fuzz_targets::configs::{self, Choice, Sessions};
use gramseal_fuzz_targets::host::{Host, START};
use gramseal_fuzz_targets::input::Output;
use gramseal_fuzz_targets::{image, wire};
use gramseal_proto::session::{ClientSessionStore, Session};
use gramseal_proto::{Connection, FirstHello};
use gramseal_testkit::decode::{fragments, records};
use gramseal_testkit::null::{self, SERVER_NAME, ToyKind};
use gramseal_testkit::peer::ack;
use gramseal_testkit::pki::{Crl, Ocsp, TestPki};
use gramseal_testkit::sessions::{Clock, Resumption, Stores};
use gramseal_testkit::sim::{Side, Sim};
use gramseal_wire::{
    Ack, Codec, ExtensionType, HandshakeType, MessageSeq, ProtocolVersion, ReturnRoutabilityCheck, RrcCookie,
    SequenceNumber,
};
use pki_types::{ServerName, UnixTime};

/// Settings that differ in what is on the wire.
const SETTINGS: [u8; 7] = [0x00, 0x09, 0x05, 0x11, 0x10, 0x69, 0x8a];

fn main() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    if std::env::args().any(|argument| argument == "fixtures") {
        make_fixtures(&folder.join("fixtures"));
        return;
    }
    let seeds = Seeds(folder.join("../../fuzz/seeds"));
    let flights: Vec<_> = SETTINGS.iter().map(|settings| (*settings, handshake(Choice::of(*settings)))).collect();
    for (settings, datagrams) in &flights {
        fresh(&seeds, *settings, datagrams);
        endpoint(&seeds, *settings, datagrams);
        formats(&seeds, datagrams);
    }
    peers(&seeds);
    sealed_records(&seeds);
    images(&seeds);
    stored(&seeds);
    private(&seeds);
}

struct Seeds(PathBuf);

impl Seeds {
    fn put(&self, target: &str, name: &str, bytes: &[u8]) {
        let folder = self.0.join(target);
        fs::create_dir_all(&folder).expect("a folder");
        fs::write(folder.join(name), bytes).expect("a file");
    }
}

/// A datagram and the side that it went to.
type Sent = (Side, Vec<u8>);

/// What two sides with these settings say to each other.
fn handshake(choice: Choice) -> Vec<Sent> {
    let sessions = Sessions::new();
    let name = ServerName::try_from(SERVER_NAME).expect("a name");
    let client = Connection::client(configs::client(choice, &sessions, None), name, START).expect("a client begins");
    let first = FirstHello { message_seq: MessageSeq(0), sequence_number: SequenceNumber(0) };
    let server = Connection::server(configs::server(choice, &sessions), first, START);
    let (mut client, mut server) = (Host::new(client, START), Host::new(server, START));
    let mut sent = Vec::new();
    loop {
        let (to_server, to_client) = (std::mem::take(&mut client.outgoing), std::mem::take(&mut server.outgoing));
        if to_server.is_empty() && to_client.is_empty() {
            assert!(client.connection.is_connected() && server.connection.is_connected());
            let data = client.seal(b"hello").expect("connected");
            sent.push((Side::Server, data));
            return sent;
        }
        for datagram in to_server {
            server.deliver(START, None, datagram.clone());
            sent.push((Side::Server, datagram));
        }
        for datagram in to_client {
            client.deliver(START, None, datagram.clone());
            sent.push((Side::Client, datagram));
        }
    }
}

fn fresh(seeds: &Seeds, settings: u8, datagrams: &[Sent]) {
    for side in Side::BOTH {
        let mut input = Output::new().byte(side as u8).byte(settings);
        for (_, datagram) in datagrams.iter().filter(|(to, _)| *to == side) {
            input = input.byte(0).string(datagram);
        }
        seeds.put("fresh", &format!("{settings:02x}-{}", side as u8), &input.byte(0xee).into_bytes());
    }
}

fn endpoint(seeds: &Seeds, settings: u8, datagrams: &[Sent]) {
    let to_server: Vec<_> = datagrams.iter().filter(|(to, _)| *to == Side::Server).map(|(_, sent)| sent).collect();
    for policy in 0..3 {
        let mut input = Output::new().byte(settings).byte(policy);
        for datagram in &to_server {
            input = input.byte(0).string(datagram);
        }
        // The first once more, from elsewhere, with the cookie that it got.
        input = input.byte(1).string(to_server[0]).byte(0x91).string(to_server[0]).byte(0xd0).byte(9);
        seeds.put("endpoint", &format!("{settings:02x}-{policy}"), &input.into_bytes());
    }
}

/// Messages and extensions that nothing protects, each for its type.
fn formats(seeds: &Seeds, datagrams: &[Sent]) {
    for (_, datagram) in datagrams {
        seeds.put("records", &format!("{:08x}", sum(datagram)), &[&[0], &datagram[..]].concat());
        for record in records(datagram).iter().filter(|record| record.header.epoch.0 == 0) {
            for fragment in fragments(record.body).iter().filter(|part| part.body.len() == part.length as usize) {
                message(seeds, fragment.msg_type, fragment.body);
            }
        }
    }
}

fn message(seeds: &Seeds, msg_type: HandshakeType, body: &[u8]) {
    let name = match msg_type {
        HandshakeType::CLIENT_HELLO => "ClientHello",
        HandshakeType::SERVER_HELLO => "ServerHello",
        HandshakeType::CERTIFICATE => "Certificate12",
        HandshakeType::SERVER_KEY_EXCHANGE => "ServerKeyExchangeEcdhe",
        HandshakeType::CERTIFICATE_REQUEST => "CertificateRequest12",
        HandshakeType::CERTIFICATE_VERIFY => "CertificateVerify",
        _ => return,
    };
    seeds.put("wire", &format!("{name}-{:08x}", sum(body)), &[&[wire::selector(name)], body].concat());
    let extensions = match msg_type {
        HandshakeType::CLIENT_HELLO => gramseal_wire::ClientHello::from_bytes(body).map(|hello| hello.extensions),
        HandshakeType::SERVER_HELLO => gramseal_wire::ServerHello::from_bytes(body).map(|hello| hello.extensions),
        _ => return,
    };
    let client = msg_type == HandshakeType::CLIENT_HELLO;
    for (extension, content) in extensions.expect("a hello of ours").iter() {
        if let Some(name) = extension_name(extension, client) {
            seeds.put("wire", &format!("{name}-{:08x}", sum(content)), &[&[wire::selector(name)], content].concat());
        }
    }
}

fn extension_name(extension: ExtensionType, client: bool) -> Option<&'static str> {
    let both = BTreeMap::from([
        (ExtensionType::SERVER_NAME.0, ["ServerName", "ServerNameAck"]),
        (ExtensionType::SUPPORTED_GROUPS.0, ["SupportedGroups"; 2]),
        (ExtensionType::SIGNATURE_ALGORITHMS.0, ["SignatureAlgorithms"; 2]),
        (ExtensionType::KEY_SHARE.0, ["KeyShareClientHello", "KeyShareServerHello"]),
        (ExtensionType::PRE_SHARED_KEY.0, ["PreSharedKeyClientHello", "PreSharedKeyServerHello"]),
        (ExtensionType::SUPPORTED_VERSIONS.0, ["SupportedVersionsClientHello", "SupportedVersionsServerHello"]),
        (ExtensionType::CONNECTION_ID.0, ["ConnectionId"; 2]),
        (ExtensionType::COMPRESS_CERTIFICATE.0, ["CompressCertificate"; 2]),
    ]);
    both.get(&extension.0).map(|names| names[usize::from(!client)])
}

/// Tells inputs apart.
fn sum(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x811c_9dc5, |sum, byte| (sum ^ u32::from(*byte)).wrapping_mul(0x0100_0193))
}

/// A whole handshake, then an authentic message of each kind.
fn peers(seeds: &Seeds) {
    let types = [0u8, 1, 2, 4, 8, 11, 13, 15, 20, 24, 25];
    for side in 0..2 {
        for settings in [0u8, 8, 0x20, 0x40, 0x80] {
            for good in [0u8, 2, 100] {
                let start = || Output::new().byte(side).byte(settings).byte(good);
                let (mut v12, mut v13) = (start(), start());
                if good == 0 {
                    for msg_type in [1, 2, 8, 11, 12, 14, 16, 15, 20] {
                        v12 = v12.byte(0).byte(msg_type);
                        v13 = v13.byte(0).byte(msg_type);
                    }
                }
                for msg_type in types {
                    v12 = v12.byte(1).byte(msg_type).string(&[0, 1, 0, 3, 1, 2, 3]);
                    v13 = v13.byte(1).byte(msg_type).string(&[0]);
                }
                v12 = v12.byte(4).byte(21).string(&[1, 0]).byte(10).byte(12);
                v13 = v13.byte(9).byte(0).byte(8).byte(3).rest(&[2, 0, 2, 1, 3, 0]).byte(3).byte(23).string(b"hello");
                v13 = v13.byte(10).byte(2).byte(11).byte(12);
                let name = format!("{side}-{settings:02x}-{good}");
                seeds.put("peer12", &name, &v12.into_bytes());
                seeds.put("peer13", &name, &v13.into_bytes());
            }
        }
    }
}

/// A record from another address.
const ELSEWHERE: u8 = 70;

fn sealed_records(seeds: &Seeds) {
    let challenge = ReturnRoutabilityCheck::PathChallenge(RrcCookie([7; 8])).to_vec().expect("short");
    for side in 0..2 {
        for settings in [0x05u8, 0x0d, 0x01, 0x25] {
            let input = Output::new().byte(side).byte(settings);
            let input = input.byte(7).byte(0x13).byte(1).byte(10).string(&[0, 3, 2, 9, 9, 1]);
            let input = input.byte(1).byte(9).string(&[2]).byte(1).byte(24).string(&[1]);
            let input =
                input.byte(ELSEWHERE).byte(27).string(&challenge).byte(0).byte(26).string(&ack([(3, 0), (3, 1)]));
            let input = input.byte(7).byte(0x25).byte(0).byte(21).string(&[1, 0]).byte(9).byte(13);
            let input = input.byte(7).byte(1).byte(8).byte(3).byte(4).byte(1).byte(0).byte(23).string(b"hello");
            seeds.put("sealed", &format!("{side}-{settings:02x}"), &input.into_bytes());
            // In 1.2 few messages may follow, and none that a client and a server take alike.
            let input = Output::new().byte(side | 2).byte(settings).byte(0).byte(23).string(b"hello");
            let input = input.byte(ELSEWHERE).byte(27).string(&challenge).byte(ELSEWHERE).byte(23).string(b"hello");
            let input = input.byte(2).byte(9).byte(1).byte(side).string(&[]).byte(8).byte(3).byte(9).byte(13);
            let input = input.byte(0).byte(21).string(&[1, 0]);
            seeds.put("sealed", &format!("12-{side}-{settings:02x}"), &input.into_bytes());
        }
    }
    // Sessions are scripts that need no form.
    for settings in SETTINGS {
        let script: Vec<u8> = (0..120u8).map(|at| at.wrapping_mul(89).wrapping_add(settings)).collect();
        seeds.put("session", &format!("{settings:02x}"), &[&[settings], &script[..]].concat());
    }
}

fn images(seeds: &Seeds) {
    for side in Side::BOTH {
        for (settings, busy) in [(0u8, false), (1, false), (4, true), (5, true), (0x21, true), (0x11, false)] {
            let [fields, whole] = image::seeds(side, settings, busy);
            let name = format!("{}-{settings:02x}", side as u8);
            seeds.put("image", &name, &fields);
            if !busy {
                seeds.put("image", &format!("{name}-whole"), &whole);
            }
        }
    }
}

/// What comes out of files and stores, and from authorities.
fn stored(seeds: &Seeds) {
    let text = b"server.test server.test server.test, and so on: server.test";
    let algorithms = [gramseal_compress::brotli(), gramseal_compress::zlib(), gramseal_compress::zstd()];
    for (index, algorithm) in (0u8..).zip(&algorithms) {
        for (name, message) in [("text", &text[..]), ("certificate", fixtures::SERVER), ("zeros", &[0; 5000])] {
            let compressed = algorithm.compress(message).expect("it can be compressed");
            let len = u16::try_from(message.len()).expect("short");
            let input = Output::new().byte(index).word(len).rest(&compressed);
            seeds.put("compression", &format!("{index}-{name}"), &input.into_bytes());
            if message.len() < 100 {
                seeds.put("compression", &format!("{index}-back"), &[&[index | 0x80], message].concat());
            }
        }
    }
    for (name, kind, bytes) in [("server", 0, fixtures::SERVER), ("root", 5, fixtures::ROOT)] {
        seeds.put("certificates", name, &[&[kind], bytes].concat());
    }
    let chain = Output::new().byte(2).string(fixtures::SERVER).string(fixtures::INTERMEDIATE).string(&[]);
    seeds.put("certificates", "chain", &chain.into_bytes());
    seeds.put("certificates", "fingerprint", &[&[6], "ab:".repeat(31).as_bytes(), b"ab"].concat());
    for name in ["ocsp", "crl", "raw_key", "pem"] {
        let kind = match name {
            "ocsp" => 3,
            "crl" => 4,
            "raw_key" => 1,
            _ => 7,
        };
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(name);
        let bytes = fs::read(&file).expect("made by `-- fixtures`");
        seeds.put("certificates", name, &[&[kind], &bytes[..]].concat());
    }
    for version in [ProtocolVersion::DTLS1_2, ProtocolVersion::DTLS1_3] {
        let session = session(version);
        seeds.put("tickets", &format!("session-{:04x}", version.0), &[&[1], &session[..]].concat());
    }
    seeds.put("tickets", "ticket", &[0; 120]);
    let ack = Ack::from_bytes(&ack([(2, 0)])).map(|ack| ack.to_vec().expect("short"));
    seeds.put("wire", "Ack", &[&[wire::selector("Ack")], &ack.expect("an ACK")[..]].concat());
}

/// What a client keeps in the end.
#[derive(Debug, Default)]
struct Kept(Mutex<Vec<u8>>);

impl ClientSessionStore for Kept {
    fn now(&self) -> UnixTime {
        Clock::new().now()
    }

    fn take(&self, _: &str, _: &[u8; 32]) -> Option<Session> {
        None
    }

    fn put(&self, session: Session) {
        *self.0.lock().expect("not poisoned") = session.to_bytes().to_vec();
    }
}

/// The bytes of a session of this version.
fn session(version: ProtocolVersion) -> Vec<u8> {
    let kept = Arc::new(Kept::default());
    let client = null::client_config(2).with_versions(&[version]).with_session_store(kept.clone());
    let identity = null::identity(ToyKind::EcdsaP256, SERVER_NAME, 100);
    let server = null::server_config(3, identity).with_versions(&[version]);
    let server = Stores::new(Some(Resumption::Ticket)).server(server);
    let mut sim = Sim::new(1);
    let pair = sim.connect(client.build().expect("a client"), server.build().expect("a server"));
    sim.run_for(Duration::from_secs(5));
    assert!(sim.connected(pair));
    kept.0.lock().expect("not poisoned").clone()
}

/// For the targets inside `proto`: bytes that walk through their steps.
fn private(seeds: &Seeds) {
    for target in ["acks", "reassembly", "replay_window"] {
        for mode in 0..6u8 {
            let bytes: Vec<u8> =
                (0..240u16).map(|at| (sum(&[mode, at.to_be_bytes()[1]]) >> 9).to_be_bytes()[3]).collect();
            seeds.put(target, &format!("walk-{mode}"), &[&[mode], &bytes[..]].concat());
        }
    }
}

fn make_fixtures(folder: &Path) {
    let pki = TestPki::new().with_intermediate();
    let server = pki.server(certificates::NAME);
    let put = |name: &str, bytes: &[u8]| fs::write(folder.join(name), bytes).expect("a file");
    put("root.der", &pki.root());
    put("intermediate.der", &server.intermediates()[0]);
    put("server.der", server.end_entity());
    put("ocsp", &pki.ocsp(&Ocsp::good(server.end_entity())));
    put("crl", &pki.crl(&Crl::new(&[server.end_entity()])));
    let pem = server.public_key_pem.as_bytes();
    let key = <pki_types::SubjectPublicKeyInfoDer<'_> as pki_types::pem::PemObject>::from_pem_slice(pem);
    put("raw_key", &key.expect("a public key"));
    put("pem", server.chain_pem.as_bytes());
}
