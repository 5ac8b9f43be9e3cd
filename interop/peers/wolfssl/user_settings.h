/* wolfSSL as the interop tests build it: DTLS 1.3 with what it has of extensions, and no more of
 * cryptography than that needs. build.rs has the list of files. */

/* DTLS 1.3, and 1.2 for the choice between them. */
#define WOLFSSL_DTLS
#define WOLFSSL_DTLS13
#define WOLFSSL_DTLS_MTU
#define WOLFSSL_DTLS_CH_FRAG
#define WOLFSSL_SEND_HRR_COOKIE
#define WOLFSSL_TLS13
#define NO_OLD_TLS
#define HAVE_TLS_EXTENSIONS
#define HAVE_SUPPORTED_CURVES
#define HAVE_EXTENDED_MASTER
#define HAVE_SERVER_RENEGOTIATION_INFO
#define HAVE_RENEGOTIATION_INDICATION
#define HAVE_SNI
#define HAVE_RPK
#define WOLFSSL_PUB_PEM_TO_DER
#define HAVE_ALPN
#define HAVE_SESSION_TICKET
#define WOLFSSL_EARLY_DATA
#define HAVE_KEYING_MATERIAL
#define WOLFSSL_POST_HANDSHAKE_AUTH
#define HAVE_SECRET_CALLBACK
#define WOLFSSL_SRTP
#define WOLFSSL_DTLS_CID
#define DTLS_CID_MAX_SIZE 255

/* Suites, groups and signatures. */
#define HAVE_AESGCM
#define GCM_TABLE_4BIT
#define HAVE_AESCCM
#define HAVE_CHACHA
#define HAVE_POLY1305
#define HAVE_HKDF
#define WOLFSSL_SHA384
#define WOLFSSL_SHA512
#define HAVE_ECC
#define HAVE_ECC384
#define HAVE_ECC521
#define ECC_TIMING_RESISTANT
#define HAVE_CURVE25519
#define HAVE_ED25519
#define WOLFSSL_HAVE_MLKEM
#define WOLFSSL_PQC_HYBRIDS
#define WOLFSSL_NO_ML_KEM_512
#define WOLFSSL_NO_ML_KEM_1024
#define WOLFSSL_TLS_NO_MLKEM_STANDALONE
#define WOLFSSL_SHA3
#define WOLFSSL_SHAKE128
#define WOLFSSL_SHAKE256
#define WC_RSA_PSS
#define WC_RSA_BLINDING
#define WOLFSSL_SP_MATH_ALL
#define TFM_TIMING_RESISTANT

/* Left out. */
#define NO_DES3
#define NO_DH
#define NO_DSA
#define NO_MD4
#define NO_MD5
#define NO_PWDBASED
#define NO_RC4
#define WOLFSSL_IGNORE_FILE_WARN
