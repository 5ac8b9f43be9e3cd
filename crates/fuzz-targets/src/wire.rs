//! Every type on the wire: reading never panics, and what was read is written as it was.

use gramseal_wire::*;

/// A type and what is done with bytes that may be one.
type Check = fn(&[u8]);

macro_rules! types {
    ($($ty:ident $(<$lifetime:lifetime>)?),* $(,)?) => {
        /// Every type that has an encoding, by name.
        pub const TYPES: &[(&str, Check)] = &[$((stringify!($ty), |data| same!(data, $ty $(<$lifetime>)?))),*];
    };
}

/// Reads a value from the front of the bytes. It has one encoding: what it was read from. All but names of types that
/// nobody has defined, which are skipped.
macro_rules! same {
    ($data:expr, $ty:ty) => {{
        let mut r = Reader::new($data);
        if let Ok(value) = <$ty>::read(&mut r) {
            let bytes = value.to_vec().expect("what was read can be written");
            let read = $data.get(..$data.len() - r.remaining());
            assert!(Some(&bytes[..]) == read || stringify!($ty).starts_with("ServerName"), "{value:?} of {read:?}");
            assert_eq!(<$ty>::from_bytes(&bytes), Ok(value));
        }
    }};
}

types![
    Ack<'_>,
    Alert,
    AlertDescription,
    AlertLevel,
    Alpn<'_>,
    Certificate12<'_>,
    Certificate13<'_>,
    CertificateAuthorities<'_>,
    CertificateCompressionAlgorithm,
    CertificateEntry<'_>,
    CertificateRequest12<'_>,
    CertificateRequest13<'_>,
    CertificateStatus<'_>,
    CertificateStatusType,
    CertificateType,
    CertificateVerify<'_>,
    ChangeCipherSpec,
    CipherSuite,
    ClientCertificateType,
    ClientCertificateTypeChoice,
    ClientCertificateTypeOffer<'_>,
    ClientHello<'_>,
    ClientHelloPrefix<'_>,
    ClientKeyExchangeDh<'_>,
    ClientKeyExchangeEcdh<'_>,
    ClientKeyExchangeEcdhePsk<'_>,
    ClientKeyExchangePsk<'_>,
    CompressCertificate<'_>,
    CompressedCertificate<'_>,
    CompressionMethod,
    ConnectionId<'_>,
    ContentType,
    Cookie<'_>,
    DigitallySigned<'_>,
    EarlyData,
    EarlyDataNewSessionTicket,
    EcPointFormat,
    EcPointFormats<'_>,
    EncryptThenMac,
    EncryptedExtensions<'_>,
    ExtendedMasterSecret,
    ExtensionType,
    Extensions<'_>,
    Finished<'_>,
    Fragment<'_>,
    HandshakeHeader,
    HandshakeType,
    HelloRequest,
    HelloVerifyRequest<'_>,
    ImportedIdentity<'_>,
    KeyShareClientHello<'_>,
    KeyShareEntry<'_>,
    KeyShareHelloRetryRequest,
    KeyShareServerHello<'_>,
    KeyUpdate,
    MaxFragmentLength,
    NamedGroup,
    NewConnectionId<'_>,
    NewSessionTicket12<'_>,
    NewSessionTicket13<'_>,
    Padding,
    PlaintextHeader,
    PostHandshakeAuth,
    PreSharedKeyClientHello<'_>,
    PreSharedKeyServerHello,
    ProtocolVersion,
    PskIdentity<'_>,
    PskKeyExchangeMode,
    PskKeyExchangeModes<'_>,
    Random,
    RawPublicKey12<'_>,
    RecordNumber,
    RecordSizeLimit,
    RenegotiationInfo<'_>,
    RequestConnectionId,
    ReturnRoutabilityCheck<'_>,
    Rrc,
    ServerCertificateTypeChoice,
    ServerCertificateTypeOffer<'_>,
    ServerDhParams<'_>,
    ServerEcdhParams<'_>,
    ServerHello<'_>,
    ServerHelloDone,
    ServerKeyExchangeDhe<'_>,
    ServerKeyExchangeEcdhe<'_>,
    ServerKeyExchangeEcdhePsk<'_>,
    ServerKeyExchangePsk<'_>,
    ServerName<'_>,
    ServerNameAck,
    SessionTicket<'_>,
    SignatureAlgorithms<'_>,
    SignatureAlgorithmsCert<'_>,
    SignatureScheme,
    SrtpProfile,
    StatusRequest<'_>,
    StatusRequestAck,
    SupportedGroups<'_>,
    SupportedVersionsClientHello<'_>,
    SupportedVersionsServerHello,
    TicketRequestClientHello,
    TicketRequestEncryptedExtensions,
    UseSrtp<'_>,
];

/// The first byte chooses a type, the others may be one.
///
/// # Panics
/// If what was read cannot be written, or comes out otherwise.
pub fn run(data: &[u8]) {
    let Some((first, data)) = data.split_first() else { return };
    if let Some((_, check)) = TYPES.get(usize::from(*first)) {
        check(data);
    }
    if let Ok(block) = Extensions::new(data) {
        // Each is looked for by its code point; those that are there are read.
        let _ = (block.find::<KeyShareClientHello<'_>>(), block.find::<PreSharedKeyClientHello<'_>>());
        let _ = (block.find::<ServerName<'_>>(), block.find::<StatusRequest<'_>>(), block.find::<Cookie<'_>>());
        assert!(block.iter().all(|(extension, content)| block.get(extension) == Some(content)));
    }
}

/// The first byte of an input for the type with this name.
///
/// # Panics
/// If there is none.
#[must_use]
pub fn selector(name: &str) -> u8 {
    let at = TYPES.iter().position(|(known, _)| *known == name).expect("a type on the wire");
    u8::try_from(at).expect("not so many types")
}
