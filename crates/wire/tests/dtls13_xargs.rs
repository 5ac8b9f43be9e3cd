//! A whole DTLS 1.3 handshake made by another implementation: TLS_AES_128_GCM_SHA256, x25519, an RSA certificate, no
//! HelloRetryRequest, no connection ids.
//!
//! Origin: "The Illustrated DTLS 1.3 Connection", dtls.xargs.org, repository syncsynchalt/illustrated-dtls at 7ceb867.
//! Copyright (c) 2022 Michael Driscoll, MIT License: `dtls13_xargs-LICENSE.txt` beside this file.

use gramseal_wire::*;

/// Datagram 1: a plaintext record.
const CLIENT_HELLO: &str = "\
    16fefd0000000000000000009d010000910000000000000091fefde0e1e2e3e4e5e6e7e8e9eaebecedeeeff0f1f2f3f4f5f6f7f8f9fafbfc\
    fdfeff0000000613011302130301000061003300260024001d0020358072d6365880d1aeea329adf9121383851ed21a28e3b75e965d0d2cd\
    166254002b000302fefc000d0020001e06030503040302030806080b0805080a080408090601050104010301020100160000000a00040002\
    001d";

/// Datagram 2: a plaintext record.
const SERVER_HELLO: &str = "\
    16fefd00000000000000000062020000560000000000000056fefd707172737475767778797a7b7c7d7e7f808182838485868788898a8b8c\
    8d8e8f00130100002e00330024001d00209fd7ad6dcff4298dd3f96d5b1b2af910a0535b1488d7f8fabb349a982880b615002b0002fefc";

/// Inner plaintext of datagram 3.
const ENCRYPTED_EXTENSIONS: &str = "0800001200010000000000120010000a000c000a0017001d00180019010016";

/// Inner plaintext of datagram 4.
const CERTIFICATE: &str = "\
    0b00032e000200000000032e0000032a0003253082032130820209a0030201020208155a92adc2048f90300d06092a864886f70d01010b05\
    003022310b300906035504061302555331133011060355040a130a4578616d706c65204341301e170d3138313030353031333831375a170d\
    3139313030353031333831375a302b310b3009060355040613025553311c301a060355040313136578616d706c652e756c666865696d2e6e\
    657430820122300d06092a864886f70d01010105000382010f003082010a0282010100c4803606bae7476b089404eca7b691043ff792bc19\
    eefb7d74d7a80d001e7b4b3a4ae60fe8c071fc73e7024c0dbcf4bdd11d396bba70464a13e94af83df3e10959547bc955fb412da3765211e1\
    f3dc776caa53376eca3aecbec3aab73b31d56cb6529c8098bcc9e02818e20bf7f8a03afd1704509ece79bd9f39f1ea69ec47972e830fb5ca\
    95de95a1e60422d5eebe527954a1e7bf8a86f6466d0d9f16951a4cf7a04692595c1352f2549e5afb4ebfd77a37950144e4c026874c653e40\
    7d7d23074401f484ffd08f7a1fa05210d1f4f0d5ce79702932e2cabe701fdfad6b4bb71101f44bad666a11130fe2ee829e4d029dc91cdd67\
    16dbb9061886edc1ba94210203010001a3523050300e0603551d0f0101ff0404030205a0301d0603551d250416301406082b060105050703\
    0206082b06010505070301301f0603551d23041830168014894fde5bcc69e252cf3ea300dfb197b81de1c146300d06092a864886f70d0101\
    0b05000382010100591645a69a2e3779e4f6dd271aba1c0bfd6cd75599b5e7c36e533eff3659084324c9e7a504079d39e0d42987ffe3ebdd\
    09c1cf1d914455870b571dd19bdf1d24f8bb9a11fe80fd592ba0398cde11e2651e618ce598fa96e5372eef3d248afde17463ebbfabb8e4d1\
    ab502a54ec0064e92f7819660d3f27cf209e667fce5ae2e4ac99c7c93818f8b2510722dfed97f32e3e9349d4c66c9ea6396d744462a06b42\
    c6d5ba688eac3a017bddfc8e2cfcad27cb69d3ccdca280414465d3ae348ce0f34ab2fb9c618371312b191041641c237f11a5d65c844f0404\
    849938712b959ed685bc5c5dd645ed19909473402926dcb40e3469a15941e8e2cca84bb6084636a0000016";

/// Inner plaintext of datagram 5.
const CERTIFICATE_VERIFY: &str = "\
    0f0001040003000000000104080401002c763d6ad3d8af7fa37da6d8d90e737cea53ee7affa5614874cc68489c73a2f3a043cbbae6c27a41\
    910ede9adfc72223582612ec9679fe1f9fa5f4a4b612f86f408849a329f763e04fbe959a91e8d18d4aba7929576fa024ecb237d63378e98e\
    e59dc95949b263b306530a2e6fb9b22fa23c6432334303893301fd60e205826eb9ec414fec5f9a0d6f8f3d89a09f148e0f050349bc1e1797\
    d9281eedf6e7669ce256ae79d4ee8c96560dcf076c2a45a4eee8d279710f0ce7034a3f5caa94414eaedf61084866e49e81883ee21a12593c\
    cb96dd11769e340f1e6cc214b05795e54afc9479845e4df2bf969fbb218cb9c4b834a851be3475a1452f4b33554f9d6516";

/// Inner plaintext of datagram 6.
const SERVER_FINISHED: &str = "\
    1400002000040000000000201d89aa62e5f88a0fc952884715d8acb3798659afb9e7789a8db2b3816ba4524616";

/// Inner plaintext of datagram 7.
const CLIENT_FINISHED: &str = "\
    1400002000010000000000206f2801396b0e90ebb4a3ba384abcfc6b24201abd81b316b2391da378377facf516";

/// Inner plaintext of datagram 8.
const ACK: &str = "0010000000000000000200000000000000001a";

/// Inner plaintext of datagram 9.
const CLIENT_DATA: &str = "70696e6717";

/// Inner plaintext of datagram 11.
const CLOSE: &str = "010015";

/// Datagram 3 as sent.
const PROTECTED: &str =
    "2e79fa002fee9dcff3f8679a4859fe68377fb34ada85df879c673e501d7a4e8f1950e0fcf67fe442e7d7d2b8a3d5fa59574ffd00";

fn bytes(hex: &str) -> Vec<u8> {
    let digit = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).expect("hex digits");
    (0..hex.len()).step_by(2).map(digit).collect()
}

/// The body of the only plaintext record in a datagram.
fn plaintext_body(datagram: &[u8]) -> Vec<u8> {
    let records: Vec<_> = Records::new(datagram, 0).map(|r| r.expect("a record")).collect();
    assert_eq!(records.len(), 1);
    let RecordHeader::Plaintext(header) = records[0].header else { panic!("not plaintext") };
    assert_eq!(header.to_bytes(), records[0].header_bytes);
    assert_eq!((header.content_type, header.epoch), (ContentType::HANDSHAKE, Epoch::UNPROTECTED));
    records[0].body.to_vec()
}

/// The content of an inner plaintext, which must be of the type given.
fn content(inner: &[u8], content_type: ContentType) -> &[u8] {
    let found = InnerPlaintext::find(inner).expect("a content type");
    assert_eq!(found.content_type, content_type);
    &inner[..found.content_len]
}

/// The body of the only message in a handshake record; the fragment must write back unchanged.
fn message(record: &[u8], msg_type: HandshakeType, message_seq: u16) -> &[u8] {
    let fragment = Fragment::from_bytes(record).expect("one fragment");
    assert_eq!((fragment.msg_type, fragment.message_seq), (msg_type, MessageSeq(message_seq)));
    assert!(fragment.is_whole());
    assert_eq!(fragment.to_vec().as_deref(), Ok(record));
    fragment.body
}

#[test]
fn client_hello() {
    let record = plaintext_body(&bytes(CLIENT_HELLO));
    let body = message(&record, HandshakeType::CLIENT_HELLO, 0);
    let hello = ClientHello::from_bytes(body).unwrap();
    assert_eq!(hello.to_vec().as_deref(), Ok(body));
    assert_eq!(hello.legacy_version, ProtocolVersion::DTLS1_2);
    assert!(hello.random.0.iter().copied().eq(0xe0..=0xff));
    assert!(hello.session_id.is_empty() && hello.cookie.is_empty());
    assert!(hello.cipher_suites.iter().map(|s| s.0).eq([0x1301, 0x1302, 0x1303]));
    let types: Vec<_> = hello.extensions.iter().map(|(ty, _)| ty).collect();
    let known = [
        ExtensionType::KEY_SHARE,
        ExtensionType::SUPPORTED_VERSIONS,
        ExtensionType::SIGNATURE_ALGORITHMS,
        ExtensionType::ENCRYPT_THEN_MAC,
        ExtensionType::SUPPORTED_GROUPS,
    ];
    assert_eq!(types, known);
    let shares = hello.extensions.find::<KeyShareClientHello<'_>>().unwrap().unwrap().client_shares;
    assert_eq!(shares.iter().count(), 1);
    let share = shares.first().unwrap();
    assert_eq!((share.group, share.key_exchange[0], share.key_exchange.len()), (NamedGroup::X25519, 0x35, 32));
    let versions = hello.extensions.find::<SupportedVersionsClientHello<'_>>().unwrap().unwrap().versions;
    assert!(versions.iter().eq([ProtocolVersion::DTLS1_3]));
    let schemes = hello.extensions.find::<SignatureAlgorithms<'_>>().unwrap().unwrap().schemes;
    assert_eq!((schemes.len(), schemes.first()), (15, Some(SignatureScheme::ECDSA_SECP521R1_SHA512)));
    assert_eq!(hello.extensions.find::<EncryptThenMac>(), Ok(Some(EncryptThenMac)));
    assert_eq!(hello.extensions.find::<Cookie<'_>>(), Ok(None));
}

#[test]
fn server_hello() {
    let record = plaintext_body(&bytes(SERVER_HELLO));
    let body = message(&record, HandshakeType::SERVER_HELLO, 0);
    let hello = ServerHello::from_bytes(body).unwrap();
    assert_eq!(hello.to_vec().as_deref(), Ok(body));
    assert_eq!(hello.cipher_suite, CipherSuite::TLS_AES_128_GCM_SHA256);
    assert!(!hello.is_hello_retry_request());
    let version = hello.extensions.find::<SupportedVersionsServerHello>().unwrap().unwrap();
    assert_eq!(version.selected_version, ProtocolVersion::DTLS1_3);
    let share = hello.extensions.find::<KeyShareServerHello<'_>>().unwrap().unwrap().server_share;
    assert_eq!((share.group, share.key_exchange[0], share.key_exchange.len()), (NamedGroup::X25519, 0x9f, 32));
}

#[test]
fn encrypted_extensions() {
    let inner = bytes(ENCRYPTED_EXTENSIONS);
    let body = message(content(&inner, ContentType::HANDSHAKE), HandshakeType::ENCRYPTED_EXTENSIONS, 1);
    let extensions = EncryptedExtensions::from_bytes(body).unwrap();
    assert_eq!(extensions.to_vec().as_deref(), Ok(body));
    let groups = extensions.extensions.find::<SupportedGroups<'_>>().unwrap().unwrap().groups;
    assert_eq!(groups.len(), 5);
    assert!(groups.contains(&NamedGroup::SECP521R1));
}

#[test]
fn certificate_and_proof() {
    let inner = bytes(CERTIFICATE);
    let body = message(content(&inner, ContentType::HANDSHAKE), HandshakeType::CERTIFICATE, 2);
    let certificate = Certificate13::from_bytes(body).unwrap();
    assert_eq!(certificate.to_vec().as_deref(), Ok(body));
    let entries: Vec<_> = certificate.entries.iter().collect();
    assert_eq!((entries.len(), entries[0].certificate.len()), (1, 0x325));
    assert!(entries[0].extensions.is_empty());

    let inner = bytes(CERTIFICATE_VERIFY);
    let body = message(content(&inner, ContentType::HANDSHAKE), HandshakeType::CERTIFICATE_VERIFY, 3);
    let verify = CertificateVerify::from_bytes(body).unwrap();
    assert_eq!(verify.to_vec().as_deref(), Ok(body));
    assert_eq!((verify.scheme, verify.signature.len()), (SignatureScheme::RSA_PSS_RSAE_SHA256, 256));
}

#[test]
fn finished() {
    for (inner, message_seq) in [(bytes(SERVER_FINISHED), 4), (bytes(CLIENT_FINISHED), 1)] {
        let body = message(content(&inner, ContentType::HANDSHAKE), HandshakeType::FINISHED, message_seq);
        assert_eq!(Finished::from_bytes(body).unwrap().verify_data.len(), 32);
    }
}

#[test]
fn after_the_handshake() {
    let inner = bytes(ACK);
    let ack = Ack::from_bytes(content(&inner, ContentType::ACK)).unwrap();
    assert!(ack.record_numbers.iter().eq([RecordNumber::new(Epoch(2), SequenceNumber(0))]));
    let inner = bytes(CLIENT_DATA);
    assert_eq!(content(&inner, ContentType::APPLICATION_DATA), b"ping");
    let inner = bytes(CLOSE);
    let alert = Alert::from_bytes(content(&inner, ContentType::ALERT)).unwrap();
    assert_eq!(alert, Alert::new(AlertDescription::CLOSE_NOTIFY));
}

#[test] // RFC 9147 §4
fn protected_record() {
    let datagram = bytes(PROTECTED);
    let records: Vec<_> = Records::new(&datagram, 0).map(Result::unwrap).collect();
    assert_eq!(records.len(), 1);
    let RecordHeader::Unified(header) = records[0].header else { panic!("not protected") };
    assert_eq!((header.epoch_bits, header.cid_len, header.length), (2, 0, Some(0x2f)));
    assert_eq!(header.sequence_number, ShortSequenceNumber::Bits16(0x79fa));
    // The plaintext and a tag of 16 bytes.
    assert_eq!(records[0].body.len(), bytes(ENCRYPTED_EXTENSIONS).len() + 16);
}
