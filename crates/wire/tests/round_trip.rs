//! What is written is read back unchanged, for every type on the wire and any content it can hold.

use gramseal_wire::*;
use proptest::collection::vec;
use proptest::prelude::*;

/// Writes a value, reads it back and compares.
macro_rules! same {
    ($ty:ty, $value:expr) => {{
        let value = $value;
        let bytes = value.to_vec().expect("the strategy stays within the length fields");
        prop_assert_eq!(<$ty>::from_bytes(&bytes), Ok(value));
    }};
}

/// Opaque bytes of up to `max`, empty allowed.
fn opaque(max: usize) -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>(), 0..=max)
}

/// Opaque bytes of up to `max`, at least one.
fn some(max: usize) -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>(), 1..=max)
}

fn strings(max: usize) -> impl Strategy<Value = Vec<Vec<u8>>> {
    vec(some(max), 0..6)
}

/// A list of code points, at least one: unknown values included.
fn list16<T: CodePoint>(of: fn(u16) -> T) -> impl Strategy<Value = OwnedList<T>> {
    vec(any::<u16>(), 1..20).prop_map(move |values| values.into_iter().map(of).collect())
}

fn list8<T: CodePoint>(of: fn(u8) -> T) -> impl Strategy<Value = OwnedList<T>> {
    vec(any::<u8>(), 1..20).prop_map(move |values| values.into_iter().map(of).collect())
}

fn extensions() -> impl Strategy<Value = ExtensionsBuf> {
    proptest::collection::btree_map(any::<u16>(), opaque(20), 0..20).prop_map(|map| {
        let mut buf = ExtensionsBuf::new();
        map.iter().for_each(|(&ty, content)| buf.push_raw(ExtensionType(ty), content));
        buf
    })
}

/// A block, or none at all.
fn optional(present: bool, buf: &ExtensionsBuf) -> Extensions<'_> {
    if present { buf.as_extensions() } else { Extensions::ABSENT }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn code_points(byte: u8, word: u16) {
        same!(ContentType, ContentType(byte));
        same!(HandshakeType, HandshakeType(byte));
        same!(ProtocolVersion, ProtocolVersion(word));
        same!(CipherSuite, CipherSuite(word));
        same!(NamedGroup, NamedGroup(word));
        same!(SignatureScheme, SignatureScheme(word));
        same!(ExtensionType, ExtensionType(word));
        same!(AlertLevel, AlertLevel(byte));
        same!(AlertDescription, AlertDescription(byte));
        same!(CompressionMethod, CompressionMethod(byte));
        same!(PskKeyExchangeMode, PskKeyExchangeMode(byte));
        same!(TlsKdf, TlsKdf(word));
        same!(CertificateType, CertificateType(byte));
        same!(ClientCertificateType, ClientCertificateType(byte));
        same!(SrtpProfile, SrtpProfile(word));
        same!(CertificateCompressionAlgorithm, CertificateCompressionAlgorithm(word));
        same!(EcPointFormat, EcPointFormat(byte));
        same!(CertificateStatusType, CertificateStatusType(byte));
    }

    #[test]
    fn small_contents(level: u8, description: u8, cookie: [u8; 8], msg_type in 3u8.., body in opaque(20),
                      numbers in vec(any::<(u64, u64)>(), 0..20)) {
        same!(Alert, Alert { level: AlertLevel(level), description: AlertDescription(description) });
        same!(ChangeCipherSpec, ChangeCipherSpec);
        same!(ReturnRoutabilityCheck<'_>, ReturnRoutabilityCheck::PathChallenge(RrcCookie(cookie)));
        same!(ReturnRoutabilityCheck<'_>, ReturnRoutabilityCheck::PathResponse(RrcCookie(cookie)));
        same!(ReturnRoutabilityCheck<'_>, ReturnRoutabilityCheck::PathDrop(RrcCookie(cookie)));
        same!(ReturnRoutabilityCheck<'_>, ReturnRoutabilityCheck::Unknown { msg_type, body: &body });
        let numbers: OwnedList<_> =
            numbers.into_iter().map(|(e, s)| RecordNumber::new(Epoch(e), SequenceNumber(s))).collect();
        same!(Ack<'_>, Ack { record_numbers: numbers.as_list() });
    }

    #[test]
    fn fragments(msg_type: u8, message_seq: u16, before in 0u32..1000, body in opaque(100), after in 0u32..1000) {
        let length = before + u32::try_from(body.len()).unwrap() + after;
        let fragment = Fragment {
            msg_type: HandshakeType(msg_type),
            length,
            message_seq: MessageSeq(message_seq),
            fragment_offset: before,
            body: &body,
        };
        same!(Fragment<'_>, fragment);
        same!(HandshakeHeader, fragment.header());
        prop_assert_eq!(fragment.header().to_vec().unwrap(), fragment.header().to_bytes());
    }

    #[test]
    fn hellos(version: u16, random: [u8; 32], session_id in opaque(32), cookie in opaque(255),
              suites in list16(CipherSuite), methods in list8(CompressionMethod), present: bool, block in extensions()) {
        let legacy_version = ProtocolVersion(version);
        let random = Random(random);
        let client = ClientHello {
            legacy_version,
            random,
            session_id: &session_id,
            cookie: &cookie,
            cipher_suites: suites.as_list(),
            compression_methods: methods.as_list(),
            extensions: optional(present, &block),
        };
        same!(ClientHello<'_>, client);
        same!(ClientHelloPrefix<'_>, client.prefix());
        let bytes = client.to_vec().unwrap();
        prop_assert_eq!(ClientHelloPrefix::read(&mut Reader::new(&bytes)), Ok(client.prefix()));
        same!(HelloVerifyRequest<'_>, HelloVerifyRequest { server_version: legacy_version, cookie: &cookie });
        let server = ServerHello {
            legacy_version,
            random,
            session_id: &session_id,
            cipher_suite: CipherSuite(version),
            compression_method: methods.as_list().first().unwrap(),
            extensions: optional(present, &block),
        };
        same!(ServerHello<'_>, server);
        same!(EncryptedExtensions<'_>, EncryptedExtensions { extensions: block.as_extensions() });
    }

    #[test]
    fn certificates(chain in strings(300), context in opaque(255), block in extensions(), scheme: u16,
                    signature in opaque(300), length in 0u32..1 << 24, compressed in some(50), status: u8) {
        let list = OwnedOpaqueList::new(&chain).unwrap();
        same!(Certificate12<'_>, Certificate12 { certificates: list.as_list() });
        same!(RawPublicKey12<'_>, RawPublicKey12 { public_key: &signature });
        let entries = chain.iter().map(|c| CertificateEntry { certificate: c, extensions: block.as_extensions() });
        let bytes = Sequence::<CertificateEntry<'_>>::encode(entries.clone()).unwrap();
        let message = Certificate13 { context: &context, entries: Sequence::new(&bytes).unwrap() };
        prop_assert!(message.entries.iter().eq(entries));
        same!(Certificate13<'_>, message);
        same!(CertificateVerify<'_>, CertificateVerify { scheme: SignatureScheme(scheme), signature: &signature });
        same!(CompressedCertificate<'_>, CompressedCertificate {
            algorithm: CertificateCompressionAlgorithm(scheme),
            uncompressed_length: length,
            compressed: &compressed,
        });
        let status_type = CertificateStatusType(status);
        same!(CertificateStatus<'_>, CertificateStatus { status_type, response: &compressed });
    }

    #[test]
    fn certificate_requests(types in list8(ClientCertificateType), schemes in list16(SignatureScheme),
                            names in strings(40), context in opaque(255), block in extensions()) {
        let names = OwnedOpaqueList::new(names).unwrap();
        same!(CertificateRequest12<'_>, CertificateRequest12 {
            certificate_types: types.as_list(),
            signature_algorithms: schemes.as_list(),
            authorities: names.as_list(),
        });
        let extensions = block.as_extensions();
        same!(CertificateRequest13<'_>, CertificateRequest13 { context: &context, extensions });
    }

    #[test]
    fn key_exchanges(group: u16, point in some(255), p in some(300), g in some(5), public in some(300),
                     identity in opaque(300), scheme: u16, signature in opaque(300)) {
        let signed = DigitallySigned { scheme: SignatureScheme(scheme), signature: &signature };
        same!(DigitallySigned<'_>, signed);
        let params = ServerEcdhParams { group: NamedGroup(group), public_key: &point };
        same!(ServerEcdhParams<'_>, params);
        let encoded = params.to_vec().unwrap();
        same!(ServerKeyExchangeEcdhe<'_>, ServerKeyExchangeEcdhe::new(&encoded, signed).unwrap());
        same!(ServerKeyExchangeEcdhePsk<'_>, ServerKeyExchangeEcdhePsk { hint: &identity, params });
        let params = ServerDhParams { p: &p, g: &g, public: &public };
        same!(ServerDhParams<'_>, params);
        let encoded = params.to_vec().unwrap();
        same!(ServerKeyExchangeDhe<'_>, ServerKeyExchangeDhe::new(&encoded, signed).unwrap());
        same!(ServerKeyExchangePsk<'_>, ServerKeyExchangePsk { hint: &identity });
        same!(ClientKeyExchangeEcdh<'_>, ClientKeyExchangeEcdh { public: &point });
        same!(ClientKeyExchangeDh<'_>, ClientKeyExchangeDh { public: &public });
        same!(ClientKeyExchangePsk<'_>, ClientKeyExchangePsk { identity: &identity });
        same!(ClientKeyExchangeEcdhePsk<'_>, ClientKeyExchangeEcdhePsk { identity: &identity, public: &point });
    }

    #[test]
    fn later_messages(lifetime: u32, age_add: u32, nonce in opaque(255), ticket in some(300), block in extensions(),
                      cids in vec(some(255), 0..4), num_cids: u8) {
        same!(NewSessionTicket12<'_>, NewSessionTicket12 { lifetime_hint: lifetime, ticket: &ticket });
        let extensions = block.as_extensions();
        same!(NewSessionTicket13<'_>, NewSessionTicket13 { lifetime, age_add, nonce: &nonce, ticket: &ticket, extensions });
        same!(Finished<'_>, Finished { verify_data: &nonce });
        same!(KeyUpdate, KeyUpdate { request_update: KeyUpdateRequest::NotRequested });
        same!(KeyUpdate, KeyUpdate { request_update: KeyUpdateRequest::Requested });
        let cids = OwnedOpaqueList::new(cids).unwrap();
        for usage in [ConnectionIdUsage::Immediate, ConnectionIdUsage::Spare] {
            same!(NewConnectionId<'_>, NewConnectionId { cids: cids.as_list(), usage });
        }
        same!(RequestConnectionId, RequestConnectionId { num_cids });
        same!(ServerHelloDone, ServerHelloDone);
        same!(HelloRequest, HelloRequest);
    }

    #[test]
    fn list_extensions(groups in list16(NamedGroup), formats in list8(EcPointFormat),
                       schemes in list16(SignatureScheme), profiles in list16(SrtpProfile), mki in opaque(255),
                       versions in list16(ProtocolVersion), modes in list8(PskKeyExchangeMode),
                       types in list8(CertificateType), algorithms in list16(CertificateCompressionAlgorithm)) {
        same!(SupportedGroups<'_>, SupportedGroups { groups: groups.as_list() });
        same!(EcPointFormats<'_>, EcPointFormats { formats: formats.as_list() });
        same!(SignatureAlgorithms<'_>, SignatureAlgorithms { schemes: schemes.as_list() });
        same!(SignatureAlgorithmsCert<'_>, SignatureAlgorithmsCert { schemes: schemes.as_list() });
        same!(UseSrtp<'_>, UseSrtp { profiles: profiles.as_list(), mki: &mki });
        same!(SupportedVersionsClientHello<'_>, SupportedVersionsClientHello { versions: versions.as_list() });
        same!(PskKeyExchangeModes<'_>, PskKeyExchangeModes { modes: modes.as_list() });
        same!(ClientCertificateTypeOffer<'_>, ClientCertificateTypeOffer { types: types.as_list() });
        same!(ServerCertificateTypeOffer<'_>, ServerCertificateTypeOffer { types: types.as_list() });
        same!(CompressCertificate<'_>, CompressCertificate { algorithms: algorithms.as_list() });
    }

    #[test]
    fn opaque_extensions(short in opaque(255), long in some(500), names in vec(some(60), 1..5), status in 2u8..,
                         ids in strings(20)) {
        same!(ServerName<'_>, ServerName { host_name: &long });
        same!(SessionTicket<'_>, SessionTicket { ticket: &long });
        same!(RenegotiationInfo<'_>, RenegotiationInfo { renegotiated_connection: &short });
        same!(Cookie<'_>, Cookie { cookie: &long });
        same!(ConnectionId<'_>, ConnectionId { cid: &short });
        let protocols = OwnedOpaqueList::new(&names).unwrap();
        same!(Alpn<'_>, Alpn { protocols: protocols.as_list() });
        let authorities = OwnedOpaqueList::new(&names).unwrap();
        same!(CertificateAuthorities<'_>, CertificateAuthorities { authorities: authorities.as_list() });
        let ids = OwnedOpaqueList::new(ids).unwrap();
        same!(StatusRequest<'_>, StatusRequest::Ocsp { responder_ids: ids.as_list(), request_extensions: &short });
        let status_type = CertificateStatusType(status);
        same!(StatusRequest<'_>, StatusRequest::Other { status_type, request: &short });
    }

    #[test]
    fn number_extensions(byte: u8, word: u16, size: u32, padding in 0u16..600) {
        same!(MaxFragmentLength, MaxFragmentLength(byte));
        same!(RecordSizeLimit, RecordSizeLimit(word));
        let version = ProtocolVersion(word);
        same!(SupportedVersionsServerHello, SupportedVersionsServerHello { selected_version: version });
        same!(ClientCertificateTypeChoice, ClientCertificateTypeChoice(CertificateType(byte)));
        same!(ServerCertificateTypeChoice, ServerCertificateTypeChoice(CertificateType(byte)));
        same!(PreSharedKeyServerHello, PreSharedKeyServerHello { selected_identity: word });
        same!(EarlyDataNewSessionTicket, EarlyDataNewSessionTicket { max_early_data_size: size });
        same!(TicketRequestClientHello, TicketRequestClientHello { new_session_count: byte, resumption_count: 1 });
        same!(TicketRequestEncryptedExtensions, TicketRequestEncryptedExtensions { expected_count: byte });
        same!(Padding, Padding { len: padding });
        same!(ServerNameAck, ServerNameAck);
        same!(StatusRequestAck, StatusRequestAck);
        same!(EncryptThenMac, EncryptThenMac);
        same!(ExtendedMasterSecret, ExtendedMasterSecret);
        same!(EarlyData, EarlyData);
        same!(PostHandshakeAuth, PostHandshakeAuth);
        same!(Rrc, Rrc);
    }

    #[test]
    fn key_shares_and_psks(shares in vec((any::<u16>(), some(200)), 0..5),
                           psks in vec((some(60), any::<u32>(), vec(any::<u8>(), 32..=255)), 1..4)) {
        let entries = shares.iter().map(|(g, k)| KeyShareEntry { group: NamedGroup(*g), key_exchange: k });
        let bytes = Sequence::<KeyShareEntry<'_>>::encode(entries.clone()).unwrap();
        same!(KeyShareClientHello<'_>, KeyShareClientHello { client_shares: Sequence::new(&bytes).unwrap() });
        for entry in entries {
            same!(KeyShareServerHello<'_>, KeyShareServerHello { server_share: entry });
            same!(KeyShareHelloRetryRequest, KeyShareHelloRetryRequest { selected_group: entry.group });
        }
        let identities = psks.iter().map(|(identity, age, _)| PskIdentity { identity, obfuscated_ticket_age: *age });
        let identities = Sequence::<PskIdentity<'_>>::encode(identities).unwrap();
        let binders = OwnedOpaqueList::new(psks.iter().map(|(_, _, binder)| binder)).unwrap();
        let offer = PreSharedKeyClientHello { identities: Sequence::new(&identities).unwrap(), binders: binders.as_list() };
        let bytes = offer.to_vec().unwrap();
        prop_assert_eq!(bytes.len() - offer.binders_len(), 2 + identities.len());
        same!(PreSharedKeyClientHello<'_>, offer);
    }

    #[test]
    fn extension_blocks(content in proptest::collection::btree_map(any::<u16>(), opaque(20), 0..40)) {
        let mut buf = ExtensionsBuf::new();
        content.iter().for_each(|(&ty, data)| buf.push_raw(ExtensionType(ty), data));
        let block = buf.finish().unwrap();
        same!(Extensions<'_>, block);
        prop_assert!(block.iter().eq(content.iter().map(|(&ty, data)| (ExtensionType(ty), &data[..]))));
        for (&ty, data) in &content {
            prop_assert_eq!(block.get(ExtensionType(ty)), Some(&data[..]));
        }
    }

    #[test]
    fn a_repeated_extension_is_always_noticed(types in vec(any::<u16>(), 1..60), repeat: prop::sample::Index) {
        let mut buf = ExtensionsBuf::new();
        let mut types: Vec<u16> = types;
        types.sort_unstable();
        types.dedup();
        types.iter().for_each(|&ty| buf.push_raw(ExtensionType(ty), &[]));
        prop_assert!(Extensions::new(buf.as_extensions().as_bytes()).is_ok());
        buf.push_raw(ExtensionType(*repeat.get(&types)), &[]);
        prop_assert_eq!(Extensions::new(buf.as_extensions().as_bytes()), Err(DecodeError::DuplicateExtension));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn record_headers(content_type in prop::sample::select(vec![20u8, 21, 22, 23, 24, 26, 27]), version: u16,
                      epoch: u16, number in 0u64..1 << 48, length: u16, cid in some(255), wide: bool, sized: bool,
                      with_cid: bool) {
        let (version, epoch, sequence_number) = (ProtocolVersion(version), Epoch(epoch.into()), SequenceNumber(number));
        let plain = PlaintextHeader {
            content_type: ContentType(content_type), version, epoch, sequence_number, length
        };
        same!(PlaintextHeader, plain);
        prop_assert_eq!(RecordHeader::read(&plain.to_bytes(), cid.len()), Ok(RecordHeader::Plaintext(plain)));

        let mut out = [0; 512];
        let cid_len = u8::try_from(cid.len()).unwrap();
        let header = Cid12Header { version, epoch, sequence_number, cid_len, length };
        let len = header.write(&cid, &mut out).unwrap();
        let read = RecordHeader::read(&out[..len], cid.len()).unwrap();
        prop_assert_eq!(read, RecordHeader::Cid12(header));
        prop_assert_eq!(read.header_len(), len);
        prop_assert_eq!(&out[read.cid_range()], &cid[..]);

        let cid: &[u8] = if with_cid { &cid } else { &[] };
        let header = UnifiedHeader {
            epoch_bits: UnifiedHeader::epoch_bits_of(epoch),
            cid_len: u8::try_from(cid.len()).unwrap(),
            sequence_number: if wide {
                ShortSequenceNumber::low16(sequence_number)
            } else {
                ShortSequenceNumber::low8(sequence_number)
            },
            length: sized.then_some(length),
        };
        let len = header.write(cid, &mut out).unwrap();
        let read = RecordHeader::read(&out[..len], cid.len()).unwrap();
        prop_assert_eq!(read, RecordHeader::Unified(header));
        prop_assert_eq!(read.header_len(), len);
        prop_assert_eq!(&out[read.cid_range()], cid);
    }

    #[test]
    fn inner_plaintexts(content in opaque(100), content_type in 1u8.., padding in 0usize..50) {
        let mut plaintext = content.clone();
        plaintext.push(content_type);
        plaintext.resize(plaintext.len() + padding, 0);
        let expected = InnerPlaintext { content_type: ContentType(content_type), content_len: content.len() };
        prop_assert_eq!(InnerPlaintext::find(&plaintext), Ok(expected));
    }
}
