//! Registries with a handful of values.

use super::{code_points, grease};

code_points! {
    /// What a record carries (RFC 9846 §5.1, RFC 9146 §4, RFC 9147 §7, RFC 9853 §4).
    ContentType: u8 {
        CHANGE_CIPHER_SPEC = 20, "change_cipher_spec";
        ALERT = 21, "alert";
        HANDSHAKE = 22, "handshake";
        APPLICATION_DATA = 23, "application_data";
        HEARTBEAT = 24, "heartbeat";
        TLS12_CID = 25, "tls12_cid";
        ACK = 26, "ACK";
        RETURN_ROUTABILITY_CHECK = 27, "return_routability_check";
    }
}

code_points! {
    /// Protocol version, the ones' complement of the TLS number it corresponds to (RFC 6347 §4.1, RFC 9147 §5.3).
    ProtocolVersion: u16 {
        DTLS1_0 = 0xfeff, "DTLS 1.0";
        DTLS1_2 = 0xfefd, "DTLS 1.2";
        DTLS1_3 = 0xfefc, "DTLS 1.3";
    }
}

impl ProtocolVersion {
    /// Whether the major byte is that of DTLS (0xfe).
    pub fn is_dtls(self) -> bool {
        self.0 >> 8 == 0xfe
    }
}

code_points! {
    /// Compression of record contents; only `null` is ever used (RFC 5246 §7.4.1.2, RFC 3749).
    CompressionMethod: u8 {
        NULL = 0, "null";
        DEFLATE = 1, "DEFLATE";
        LZS = 64, "LZS";
    }
}

code_points! {
    /// How a PSK is combined with a key exchange in 1.3 (RFC 9846 §4.3.9).
    PskKeyExchangeMode: u8 {
        PSK_KE = 0, "psk_ke";
        PSK_DHE_KE = 1, "psk_dhe_ke";
    }
}

code_points! {
    /// Key derivation function that a pre-shared key is imported for (RFC 9258 §10).
    TlsKdf: u16 {
        HKDF_SHA256 = 1, "HKDF_SHA256";
        HKDF_SHA384 = 2, "HKDF_SHA384";
    }
}

code_points! {
    /// Form of the certificate in a Certificate message (RFC 7250 §3, RFC 6091).
    CertificateType: u8 {
        X509 = 0, "X509";
        OPEN_PGP = 1, "OpenPGP";
        RAW_PUBLIC_KEY = 2, "RawPublicKey";
        IEEE_1609_DOT2 = 3, "1609Dot2";
    }
}

code_points! {
    /// Kind of client certificate a 1.2 server accepts (RFC 5246 §7.4.4, RFC 8422 §5.5).
    ClientCertificateType: u8 {
        RSA_SIGN = 1, "rsa_sign";
        DSS_SIGN = 2, "dss_sign";
        RSA_FIXED_DH = 3, "rsa_fixed_dh";
        DSS_FIXED_DH = 4, "dss_fixed_dh";
        ECDSA_SIGN = 64, "ecdsa_sign";
        RSA_FIXED_ECDH = 65, "rsa_fixed_ecdh";
        ECDSA_FIXED_ECDH = 66, "ecdsa_fixed_ecdh";
    }
}

code_points! {
    /// SRTP protection profile (RFC 5764 §4.1.2, RFC 7714 §14.2).
    SrtpProfile: u16 {
        AES128_CM_HMAC_SHA1_80 = 0x0001, "SRTP_AES128_CM_HMAC_SHA1_80";
        AES128_CM_HMAC_SHA1_32 = 0x0002, "SRTP_AES128_CM_HMAC_SHA1_32";
        NULL_HMAC_SHA1_80 = 0x0005, "SRTP_NULL_HMAC_SHA1_80";
        NULL_HMAC_SHA1_32 = 0x0006, "SRTP_NULL_HMAC_SHA1_32";
        AEAD_AES_128_GCM = 0x0007, "SRTP_AEAD_AES_128_GCM";
        AEAD_AES_256_GCM = 0x0008, "SRTP_AEAD_AES_256_GCM";
        DOUBLE_AEAD_AES_128_GCM = 0x0009, "DOUBLE_AEAD_AES_128_GCM_AEAD_AES_128_GCM";
        DOUBLE_AEAD_AES_256_GCM = 0x000a, "DOUBLE_AEAD_AES_256_GCM_AEAD_AES_256_GCM";
    }
}

code_points! {
    /// Compression of a Certificate message (RFC 8879 §7.3).
    CertificateCompressionAlgorithm: u16 {
        ZLIB = 1, "zlib";
        BROTLI = 2, "brotli";
        ZSTD = 3, "zstd";
    }
}

code_points! {
    /// Encoding of an elliptic curve point (RFC 8422 §5.1.2).
    EcPointFormat: u8 {
        UNCOMPRESSED = 0, "uncompressed";
        ANSI_X962_COMPRESSED_PRIME = 1, "ansiX962_compressed_prime";
        ANSI_X962_COMPRESSED_CHAR2 = 2, "ansiX962_compressed_char2";
    }
}

code_points! {
    /// Kind of certificate status (RFC 6066 §8, RFC 6961).
    CertificateStatusType: u8 {
        OCSP = 1, "ocsp";
        OCSP_MULTI = 2, "ocsp_multi";
    }
}

grease!(ProtocolVersion, SrtpProfile, CertificateCompressionAlgorithm);
