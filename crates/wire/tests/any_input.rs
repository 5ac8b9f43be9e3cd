//! No reader panics, whatever the bytes, and what a reader accepts it also writes back byte for byte, so that unknown
//! values survive and a value has one encoding only.

use std::format;

use gramseal_wire::*;
use proptest::collection::vec;
use proptest::prelude::*;

/// Reads `$bytes` as each type. Accepted bytes must be what the value writes.
macro_rules! read_as {
    ($bytes:expr; $($ty:ty),* $(,)?) => {{
        let mut accepted = 0;
        $(
            if let Ok(value) = <$ty>::from_bytes($bytes) {
                accepted += 1;
                // Formatting walks every list in the value.
                let shown = format!("{value:?}");
                assert_eq!(value.to_vec().as_deref(), Ok($bytes), "{shown}");
            }
        )*
        accepted
    }};
}

fn read_messages(bytes: &[u8]) -> usize {
    read_as!(bytes;
        Alert, ChangeCipherSpec, Ack<'_>, ReturnRoutabilityCheck<'_>, RecordNumber, PlaintextHeader, HandshakeHeader,
        Fragment<'_>, ClientHello<'_>, ClientHelloPrefix<'_>, HelloVerifyRequest<'_>, ServerHello<'_>, Random,
        Certificate12<'_>, Certificate13<'_>, RawPublicKey12<'_>, CertificateEntry<'_>,
        CertificateRequest12<'_>, CertificateRequest13<'_>,
        CertificateVerify<'_>, CertificateStatus<'_>, CompressedCertificate<'_>, ServerEcdhParams<'_>,
        ServerDhParams<'_>, DigitallySigned<'_>, ServerKeyExchangeEcdhe<'_>, ServerKeyExchangeDhe<'_>,
        ServerKeyExchangePsk<'_>, ServerKeyExchangeEcdhePsk<'_>, ClientKeyExchangeEcdh<'_>, ClientKeyExchangeDh<'_>,
        ClientKeyExchangePsk<'_>, ClientKeyExchangeEcdhePsk<'_>, ServerHelloDone, HelloRequest, Finished<'_>,
        EncryptedExtensions<'_>, NewSessionTicket12<'_>, NewSessionTicket13<'_>, KeyUpdate, NewConnectionId<'_>,
        RequestConnectionId, Extensions<'_>,
    )
}

fn read_extensions(bytes: &[u8]) -> usize {
    // Entries of unknown name types are skipped, so this one need not write the same bytes.
    let names = usize::from(ServerName::from_bytes(bytes).is_ok());
    names
        + read_as!(bytes;
            ServerNameAck, MaxFragmentLength, SupportedGroups<'_>, EcPointFormats<'_>, SignatureAlgorithms<'_>,
            SignatureAlgorithmsCert<'_>, UseSrtp<'_>, Alpn<'_>, EncryptThenMac, ExtendedMasterSecret, SessionTicket<'_>,
            RecordSizeLimit, RenegotiationInfo<'_>, StatusRequest<'_>, StatusRequestAck, ClientCertificateTypeOffer<'_>,
            ClientCertificateTypeChoice, ServerCertificateTypeOffer<'_>, ServerCertificateTypeChoice,
            CompressCertificate<'_>, PreSharedKeyClientHello<'_>, PreSharedKeyServerHello, PskIdentity<'_>, EarlyData,
            EarlyDataNewSessionTicket, SupportedVersionsClientHello<'_>, SupportedVersionsServerHello, Cookie<'_>,
            PskKeyExchangeModes<'_>, CertificateAuthorities<'_>, PostHandshakeAuth, KeyShareClientHello<'_>,
            KeyShareEntry<'_>, KeyShareServerHello<'_>, KeyShareHelloRetryRequest, ConnectionId<'_>, Rrc,
            TicketRequestClientHello, TicketRequestEncryptedExtensions, Padding, ImportedIdentity<'_>,
        )
}

/// The records of a datagram cover it without gaps, up to the first fault.
fn read_records(datagram: &[u8], cid_len: usize) {
    let mut covered = 0;
    for record in Records::new(datagram, cid_len) {
        let Ok(record) = record else { return };
        assert_eq!(record.header_bytes, &datagram[covered..][..record.header.header_len()]);
        assert!(record.header.cid_range().end <= record.header_bytes.len());
        covered += record.header_bytes.len() + record.body.len();
        if let RecordHeader::Unified(header) = record.header {
            let mut masked = record.header_bytes.to_vec();
            header.apply_mask(&mut masked, [0x5a, 0xa5]).expect("a whole header");
            let read = RecordHeader::read(&masked, cid_len).expect("only the number changed");
            assert_eq!(read, RecordHeader::Unified(header.with_mask([0x5a, 0xa5])));
        }
    }
    assert_eq!(covered, datagram.len());
}

const VALID: &str = "a seed is valid";

/// Valid encodings to start from, since random bytes seldom get past the first length field.
fn seeds() -> Vec<Vec<u8>> {
    let suites: OwnedList<_> = [CipherSuite::TLS_AES_128_GCM_SHA256, CipherSuite(0x1a1a)].into_iter().collect();
    let methods: OwnedList<_> = [CompressionMethod::NULL].into_iter().collect();
    let schemes: OwnedList<_> = [SignatureScheme::ED25519, SignatureScheme(0x2a2a)].into_iter().collect();
    let types: OwnedList<_> = [ClientCertificateType::ECDSA_SIGN].into_iter().collect();
    let share = KeyShareEntry { group: NamedGroup::X25519, key_exchange: &[7; 32] };
    let shares = Sequence::<KeyShareEntry<'_>>::encode([share, share]).expect(VALID);
    let shares = KeyShareClientHello { client_shares: Sequence::new(&shares).expect(VALID) };
    let psk = PskIdentity { identity: b"psk", obfuscated_ticket_age: 1 };
    let identities = Sequence::<PskIdentity<'_>>::encode([psk, psk]).expect(VALID);
    let binders = OwnedOpaqueList::new([[1; 32], [2; 32]]).expect(VALID);
    let psks =
        PreSharedKeyClientHello { identities: Sequence::new(&identities).expect(VALID), binders: binders.as_list() };
    let mut block = ExtensionsBuf::new();
    block.push(&shares);
    block.push(&ServerName { host_name: b"example.org" });
    block.push_raw(ExtensionType(0x3a3a), &[0]);
    block.push(&psks);
    let extensions = block.as_extensions();
    let random = Random([9; 32]);
    let legacy_version = ProtocolVersion::DTLS1_2;
    let client = ClientHello {
        legacy_version,
        random,
        session_id: &[1, 2],
        cookie: &[3],
        cipher_suites: suites.as_list(),
        compression_methods: methods.as_list(),
        extensions,
    };
    let server = ServerHello {
        legacy_version,
        random,
        session_id: &[],
        cipher_suite: CipherSuite::TLS_AES_128_GCM_SHA256,
        compression_method: CompressionMethod::NULL,
        extensions,
    };
    let chain = OwnedOpaqueList::new([&b"leaf"[..], b"ca"]).expect(VALID);
    let entry = CertificateEntry { certificate: b"leaf", extensions };
    let entries = Sequence::<CertificateEntry<'_>>::encode([entry, entry]).expect(VALID);
    let names = OwnedOpaqueList::new([&b"one"[..], b"two"]).expect(VALID);
    let protocols = OwnedOpaqueList::new([&b"coap"[..], b"h2"]).expect(VALID);
    let signed = DigitallySigned { scheme: SignatureScheme::ED25519, signature: &[5; 64] };
    let ecdh = ServerEcdhParams { group: NamedGroup::X25519, public_key: &[6; 32] }.to_vec().expect(VALID);
    let dh = ServerDhParams { p: &[7; 40], g: &[2], public: &[8; 40] }.to_vec().expect(VALID);
    let request = CertificateRequest12 {
        certificate_types: types.as_list(),
        signature_algorithms: schemes.as_list(),
        authorities: names.as_list(),
    };
    let ticket = NewSessionTicket13 { lifetime: 1, age_add: 2, nonce: &[3], ticket: &[4], extensions };
    let cids = NewConnectionId { cids: protocols.as_list(), usage: ConnectionIdUsage::Spare };
    [
        client.to_vec(),
        server.to_vec(),
        shares.to_vec(),
        psks.to_vec(),
        Certificate12 { certificates: chain.as_list() }.to_vec(),
        Certificate13 { context: &[1], entries: Sequence::new(&entries).expect(VALID) }.to_vec(),
        ServerKeyExchangeEcdhe::new(&ecdh, signed).expect(VALID).to_vec(),
        ServerKeyExchangeDhe::new(&dh, signed).expect(VALID).to_vec(),
        request.to_vec(),
        ticket.to_vec(),
        cids.to_vec(),
        Alpn { protocols: protocols.as_list() }.to_vec(),
        StatusRequest::ocsp().to_vec(),
        extensions.to_vec(),
    ]
    .into_iter()
    .map(|encoded| encoded.expect(VALID))
    .collect()
}

#[test]
fn seeds_are_accepted() {
    for seed in seeds() {
        // Every byte string is a session ticket and a Finished, and more than that must take a seed.
        assert!(read_messages(&seed) + read_extensions(&seed) > 2, "{seed:02x?}");
    }
}

/// A seed with some bytes changed, then cut or lengthened.
fn damaged() -> impl Strategy<Value = Vec<u8>> {
    let change = (any::<prop::sample::Index>(), any::<u8>());
    let tail = vec(any::<u8>(), 0..4);
    (prop::sample::select(seeds()), vec(change, 0..4), any::<prop::sample::Index>(), any::<bool>(), tail).prop_map(
        |(mut bytes, changes, cut, do_cut, tail)| {
            for (at, value) in changes {
                let at = at.index(bytes.len());
                bytes[at] = value;
            }
            if do_cut {
                bytes.truncate(cut.index(bytes.len()));
            }
            bytes.extend(tail);
            bytes
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn random_bytes(bytes in vec(any::<u8>(), 0..200)) {
        read_messages(&bytes);
        read_extensions(&bytes);
        let _ = InnerPlaintext::find(&bytes);
    }

    #[test]
    fn damaged_messages(bytes in damaged()) {
        read_messages(&bytes);
        read_extensions(&bytes);
    }

    #[test]
    fn random_datagrams(first in 20u8..64, rest in vec(any::<u8>(), 0..60), cid_len in 0usize..10) {
        let mut datagram = vec![first];
        datagram.extend(rest);
        read_records(&datagram, cid_len);
    }

    #[test]
    fn datagrams_of_small_records(bodies in vec((32u8..64, vec(any::<u8>(), 0..8)), 1..5), cid_len in 1usize..4) {
        let mut datagram = Vec::new();
        for (first, body) in bodies {
            // With a length field, so that another record can follow.
            datagram.push(first | 0x04);
            let before = if first & 0x10 == 0 { 0 } else { cid_len } + if first & 0x08 == 0 { 1 } else { 2 };
            datagram.resize(datagram.len() + before, 0xcc);
            datagram.extend([0, u8::try_from(body.len()).unwrap()]);
            datagram.extend(body);
        }
        prop_assert!(Records::new(&datagram, cid_len).all(|r| r.is_ok()));
        read_records(&datagram, cid_len);
    }
}
