/* A peer of the interop tests: DTLS 1.2 with Mbed TLS 2.28 or 3.5, as server or client.
 *
 *   mbedtls server|client PORT [--option value]...
 *
 * Prints what peers/README.md lists, sends each line of its input as one payload and prints each
 * payload that it receives. A server takes one client after another. A client with `--sessions`
 * leaves its first connection at once and resumes it. With 3.5, `--cid HEX` asks the peer to put that connection id
 * into its records, and `--cid none` only puts the peer's into its own. */

/* The descriptor of a socket. */
#define MBEDTLS_ALLOW_PRIVATE_ACCESS

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <mbedtls/ctr_drbg.h>
#include <mbedtls/entropy.h>
#include <mbedtls/net_sockets.h>
#include <mbedtls/ssl.h>
#include <mbedtls/ssl_cache.h>
#include <mbedtls/ssl_cookie.h>
#include <mbedtls/ssl_ticket.h>
#include <mbedtls/timing.h>
#include <mbedtls/version.h>

#include "peer.h"

struct options {
    int server;
    const char *port, *suite, *psk, *identity, *ca, *cert, *key, *name, *mtu, *sessions, *srtp, *mki, *max_fragment, *cid;
    int cookies;
};

struct secrets {
    unsigned char exported[EXPORTED];
    int known;
};

static void fail(const char *what, int code) {
    fprintf(stderr, "%s: -0x%04x\n", what, (unsigned)-code);
    exit(1);
}

static void check(const char *what, int code) {
    if (code != 0) fail(what, code);
}

static struct options parse(int argc, char **argv) {
    struct options o = {.cookies = 1};
    const struct option known[] = {
        {"--suite", &o.suite, NULL}, {"--psk", &o.psk, NULL}, {"--identity", &o.identity, NULL},
        {"--ca", &o.ca, NULL}, {"--cert", &o.cert, NULL}, {"--key", &o.key, NULL}, {"--name", &o.name, NULL},
        {"--mtu", &o.mtu, NULL}, {"--sessions", &o.sessions, NULL}, {"--srtp", &o.srtp, NULL},
        {"--mki", &o.mki, NULL}, {"--cid", &o.cid, NULL}, {"--max-fragment", &o.max_fragment, NULL}, {"--cookies", NULL, &o.cookies},
        {NULL, NULL, NULL},
    };
    parse_options(argc, argv, &o.server, &o.port, known);
    return o;
}

/* Logs the master secret and computes what RFC 5705 exports. */
static int export_keys(struct secrets *secrets, const unsigned char *master, const unsigned char client_random[32],
                       const unsigned char server_random[32], mbedtls_tls_prf_types prf) {
    unsigned char seed[64];
    memcpy(seed, client_random, 32);
    memcpy(seed + 32, server_random, 32);
    printf("SECRET CLIENT_RANDOM ");
    print_hex(client_random, 32);
    printf(" ");
    print_hex(master, 48);
    printf("\n");
    check("PRF", mbedtls_ssl_tls_prf(prf, master, 48, LABEL, seed, sizeof seed, secrets->exported, EXPORTED));
    secrets->known = 1;
    return 0;
}

/* Called when the keys are there. */
#if MBEDTLS_VERSION_MAJOR >= 3
static void on_keys(void *context, mbedtls_ssl_key_export_type type, const unsigned char *master, size_t length,
                    const unsigned char client_random[32], const unsigned char server_random[32],
                    mbedtls_tls_prf_types prf) {
    (void)type, (void)length;
    export_keys(context, master, client_random, server_random, prf);
}
#else
static int on_keys(void *context, const unsigned char *master, const unsigned char *block, size_t mac_length,
                   size_t key_length, size_t iv_length, const unsigned char client_random[32],
                   const unsigned char server_random[32], mbedtls_tls_prf_types prf) {
    (void)block, (void)mac_length, (void)key_length, (void)iv_length;
    return export_keys(context, master, client_random, server_random, prf);
}
#endif

/* `--sessions id` or `--sessions ticket`: how a server remembers. */
static void configure_sessions(mbedtls_ssl_config *config, const struct options *o, mbedtls_ctr_drbg_context *random) {
    static mbedtls_ssl_cache_context cache;
    static mbedtls_ssl_ticket_context tickets;
    int by_ticket = o->sessions && !strcmp(o->sessions, "ticket");
    if (!o->server) {
        mbedtls_ssl_conf_session_tickets(config, by_ticket);
    } else if (by_ticket) {
        mbedtls_ssl_ticket_init(&tickets);
        check("tickets", mbedtls_ssl_ticket_setup(&tickets, mbedtls_ctr_drbg_random, random,
                                                  MBEDTLS_CIPHER_AES_256_GCM, 3600));
        mbedtls_ssl_conf_session_tickets_cb(config, mbedtls_ssl_ticket_write, mbedtls_ssl_ticket_parse, &tickets);
    } else if (o->sessions) {
        mbedtls_ssl_cache_init(&cache);
        mbedtls_ssl_conf_session_cache(config, &cache, mbedtls_ssl_cache_get, mbedtls_ssl_cache_set);
    }
}

/* `--srtp PROFILE`, a number of the registry, and `--max-fragment BYTES`. */
static void configure_extensions(mbedtls_ssl_config *config, const struct options *o) {
#if defined(MBEDTLS_SSL_DTLS_SRTP)
    static mbedtls_ssl_srtp_profile profiles[] = {MBEDTLS_TLS_SRTP_UNSET, MBEDTLS_TLS_SRTP_UNSET};
    if (o->srtp) {
        profiles[0] = (mbedtls_ssl_srtp_profile)atoi(o->srtp);
        check("profiles", mbedtls_ssl_conf_dtls_srtp_protection_profiles(config, profiles));
        mbedtls_ssl_conf_srtp_mki_value_supported(config, MBEDTLS_SSL_DTLS_SRTP_MKI_SUPPORTED);
    }
#endif
    if (o->max_fragment) {
        unsigned char code = MBEDTLS_SSL_MAX_FRAG_LEN_512;
        for (int bytes = 512; bytes < atoi(o->max_fragment); bytes *= 2) code++;
        check("fragment", mbedtls_ssl_conf_max_frag_len(config, code));
    }
}

static void configure(mbedtls_ssl_config *config, const struct options *o, struct secrets *secrets) {
    static mbedtls_entropy_context entropy;
    static mbedtls_ctr_drbg_context random;
    static mbedtls_ssl_cookie_ctx cookies;
    static mbedtls_x509_crt roots, chain;
    static mbedtls_pk_context key;
    static int suites[2];

    mbedtls_entropy_init(&entropy);
    mbedtls_ctr_drbg_init(&random);
    check("random", mbedtls_ctr_drbg_seed(&random, mbedtls_entropy_func, &entropy, NULL, 0));
    mbedtls_ssl_config_init(config);
    check("defaults", mbedtls_ssl_config_defaults(config, o->server ? MBEDTLS_SSL_IS_SERVER : MBEDTLS_SSL_IS_CLIENT,
                                                  MBEDTLS_SSL_TRANSPORT_DATAGRAM, MBEDTLS_SSL_PRESET_DEFAULT));
#if MBEDTLS_VERSION_MAJOR >= 3
    /* It has nothing older, and keys belong to a connection. */
    (void)secrets;
    size_t cid_length = o->cid && strcmp(o->cid, "none") ? strlen(o->cid) / 2 : 0;
    check("CID", mbedtls_ssl_conf_cid(config, cid_length, MBEDTLS_SSL_UNEXPECTED_CID_FAIL));
#else
    mbedtls_ssl_conf_min_version(config, MBEDTLS_SSL_MAJOR_VERSION_3, MBEDTLS_SSL_MINOR_VERSION_3);
    mbedtls_ssl_conf_export_keys_ext_cb(config, on_keys, secrets);
#endif
    mbedtls_ssl_conf_rng(config, mbedtls_ctr_drbg_random, &random);
    mbedtls_ssl_conf_handshake_timeout(config, 500, 8000);
    if (o->server) {
        mbedtls_ssl_cookie_init(&cookies);
        check("cookies", mbedtls_ssl_cookie_setup(&cookies, mbedtls_ctr_drbg_random, &random));
        if (o->cookies) mbedtls_ssl_conf_dtls_cookies(config, mbedtls_ssl_cookie_write, mbedtls_ssl_cookie_check, &cookies);
        else mbedtls_ssl_conf_dtls_cookies(config, NULL, NULL, NULL);
    }
    configure_sessions(config, o, &random);
    configure_extensions(config, o);
    if (o->suite) {
        suites[0] = mbedtls_ssl_get_ciphersuite_id(o->suite);
        if (suites[0] == 0) fail("unknown suite", 0);
        mbedtls_ssl_conf_ciphersuites(config, suites);
    }
    if (o->psk) {
        unsigned char bytes[64];
        size_t length = from_hex(o->psk, bytes, sizeof bytes);
        check("key", mbedtls_ssl_conf_psk(config, bytes, length, (const unsigned char *)o->identity, strlen(o->identity)));
    }
    mbedtls_x509_crt_init(&roots);
    mbedtls_x509_crt_init(&chain);
    mbedtls_pk_init(&key);
    if (o->ca) {
        check("roots", mbedtls_x509_crt_parse_file(&roots, o->ca));
        mbedtls_ssl_conf_ca_chain(config, &roots, NULL);
        mbedtls_ssl_conf_authmode(config, MBEDTLS_SSL_VERIFY_REQUIRED);
    }
    if (o->cert) {
        check("chain", mbedtls_x509_crt_parse_file(&chain, o->cert));
#if MBEDTLS_VERSION_MAJOR >= 3
        check("key", mbedtls_pk_parse_keyfile(&key, o->key, NULL, mbedtls_ctr_drbg_random, &random));
#else
        check("key", mbedtls_pk_parse_keyfile(&key, o->key, NULL));
#endif
        check("identity", mbedtls_ssl_conf_own_cert(config, &chain, &key));
    }
}

static void print_address(int descriptor) {
    struct sockaddr_in address;
    socklen_t length = sizeof address;
    if (getsockname(descriptor, (struct sockaddr *)&address, &length) != 0) fail("getsockname", errno);
    printf("LISTENING 127.0.0.1:%u\n", ntohs(address.sin_port));
}

/* What is forgotten with each connection. */
static void configure_connection(mbedtls_ssl_context *ssl, const struct options *o) {
#if MBEDTLS_VERSION_MAJOR >= 3
    unsigned char cid[32];
    if (!o->cid) return;
    size_t length = strcmp(o->cid, "none") ? from_hex(o->cid, cid, sizeof cid) : 0;
    check("CID", mbedtls_ssl_set_cid(ssl, MBEDTLS_SSL_CID_ENABLED, cid, length));
#else
    (void)ssl, (void)o;
#endif
}

/* The handshake; a server starts again for the hello that answers its cookie. */
static void handshake(mbedtls_ssl_context *ssl, mbedtls_net_context *listener, mbedtls_net_context *peer,
                      const struct options *o) {
    if (!o->server) check("connect", mbedtls_net_connect(peer, "127.0.0.1", o->port, MBEDTLS_NET_PROTO_UDP));
    for (;;) {
        if (o->server) {
            unsigned char address[16];
            size_t length;
            mbedtls_net_free(peer);
            check("reset", mbedtls_ssl_session_reset(ssl));
            check("accept", mbedtls_net_accept(listener, peer, address, sizeof address, &length));
            check("address", mbedtls_ssl_set_client_transport_id(ssl, address, length));
        }
        configure_connection(ssl, o);
        mbedtls_ssl_set_bio(ssl, peer, mbedtls_net_send, mbedtls_net_recv, mbedtls_net_recv_timeout);
        int code;
        do code = mbedtls_ssl_handshake(ssl);
        while (code == MBEDTLS_ERR_SSL_WANT_READ || code == MBEDTLS_ERR_SSL_WANT_WRITE);
        if (code == 0) return;
        if (code != MBEDTLS_ERR_SSL_HELLO_VERIFY_REQUIRED) fail("HANDSHAKE FAILED", code);
    }
}

/* Leaves the connection and makes another one of its session. */
static void resume(mbedtls_ssl_context *ssl, mbedtls_net_context *peer, const struct options *o) {
    mbedtls_ssl_session session;
    mbedtls_ssl_session_init(&session);
    check("session", mbedtls_ssl_get_session(ssl, &session));
    mbedtls_ssl_close_notify(ssl);
    mbedtls_net_free(peer);
    check("reset", mbedtls_ssl_session_reset(ssl));
    check("session", mbedtls_ssl_set_session(ssl, &session));
    mbedtls_ssl_session_free(&session);
    handshake(ssl, NULL, peer, o);
}

/* The connection ids in records to it and in its own. */
static void print_cids(mbedtls_ssl_context *ssl, const struct options *o) {
#if MBEDTLS_VERSION_MAJOR >= 3
    unsigned char peers[32];
    size_t length = sizeof peers;
    int enabled = 0;
    check("CID", mbedtls_ssl_get_peer_cid(ssl, &enabled, peers, &length));
    printf("CIDS %s/", enabled && strcmp(o->cid, "none") ? o->cid : "");
    print_hex(peers, enabled ? length : 0);
    printf("\n");
#else
    (void)ssl, (void)o;
#endif
}

static void report(mbedtls_ssl_context *ssl, struct secrets *secrets, const struct options *o) {
    if (!secrets->known) fail("no keys", 0);
    if (o->cid) print_cids(ssl, o);
#if defined(MBEDTLS_SSL_DTLS_SRTP)
    if (o->srtp) {
        mbedtls_dtls_srtp_info srtp;
        mbedtls_ssl_get_dtls_srtp_negotiation_result(ssl, &srtp);
        printf("SRTP %u %.*s\n", srtp.chosen_dtls_srtp_profile, srtp.mki_len, (const char *)srtp.mki_value);
    }
#endif
    printf("EXPORTED ");
    print_hex(secrets->exported, EXPORTED);
    printf("\nCONNECTED %s %s\n", mbedtls_ssl_get_version(ssl), mbedtls_ssl_get_ciphersuite(ssl));
    secrets->known = 0;
}

/* Payloads until the peer closes; the return value says whether there is more to expect. */
static int print_payloads(mbedtls_ssl_context *ssl) {
    unsigned char buffer[16384];
    for (;;) {
        int length = mbedtls_ssl_read(ssl, buffer, sizeof buffer);
        if (length == MBEDTLS_ERR_SSL_WANT_READ || length == MBEDTLS_ERR_SSL_TIMEOUT) return 1;
        if (length == MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY || length == 0) {
            printf("CLOSED BY PEER\n");
            return 0;
        }
        if (length < 0) fail("READING FAILED", length);
        printf("%.*s", length, (const char *)buffer);
    }
}

/* Lines and payloads until either side closes; the return value says whether there may be another connection. */
static int exchange(mbedtls_ssl_context *ssl, mbedtls_net_context *peer) {
    char line[4096];
    size_t filled = 0;
    struct pollfd both[2] = {{.fd = peer->fd, .events = POLLIN}, {.fd = STDIN_FILENO, .events = POLLIN}};
    mbedtls_net_set_nonblock(peer);
    mbedtls_ssl_set_bio(ssl, peer, mbedtls_net_send, mbedtls_net_recv, NULL);
    for (;;) {
        if (!print_payloads(ssl)) return 1;
        poll(both, 2, 100);
        if (!(both[1].revents & (POLLIN | POLLHUP))) continue;
        ssize_t length = read(STDIN_FILENO, line + filled, sizeof line - filled);
        if (length <= 0) {
            mbedtls_ssl_close_notify(ssl);
            return 0;
        }
        filled += (size_t)length;
        for (char *end; (end = memchr(line, '\n', filled)) != NULL;) {
            size_t used = (size_t)(end - line) + 1;
            if (mbedtls_ssl_write(ssl, (unsigned char *)line, used) != (int)used) fail("WRITING FAILED", 0);
            filled -= used;
            memmove(line, line + used, filled);
        }
    }
}

int main(int argc, char **argv) {
    struct options o = parse(argc, argv);
    struct secrets secrets = {.known = 0};
    mbedtls_ssl_config config;
    mbedtls_ssl_context ssl;
    mbedtls_net_context listener, peer;
    mbedtls_timing_delay_context timer;
    int another;

    setvbuf(stdout, NULL, _IOLBF, 0);
    configure(&config, &o, &secrets);
    mbedtls_ssl_init(&ssl);
    check("setup", mbedtls_ssl_setup(&ssl, &config));
    mbedtls_ssl_set_timer_cb(&ssl, &timer, mbedtls_timing_set_delay, mbedtls_timing_get_delay);
    if (o.mtu) mbedtls_ssl_set_mtu(&ssl, (uint16_t)atoi(o.mtu));
    if (o.name) check("name", mbedtls_ssl_set_hostname(&ssl, o.name));
#if MBEDTLS_VERSION_MAJOR >= 3
    mbedtls_ssl_set_export_keys_cb(&ssl, on_keys, &secrets);
#endif
#if defined(MBEDTLS_SSL_DTLS_SRTP)
    if (o.mki) check("MKI", mbedtls_ssl_dtls_srtp_set_mki_value(&ssl, (unsigned char *)o.mki, (uint16_t)strlen(o.mki)));
#endif
    mbedtls_net_init(&listener);
    mbedtls_net_init(&peer);
    if (o.server) {
        check("bind", mbedtls_net_bind(&listener, "127.0.0.1", o.port, MBEDTLS_NET_PROTO_UDP));
        print_address(listener.fd);
    }
    do {
        handshake(&ssl, &listener, &peer, &o);
        if (!o.server && o.sessions) resume(&ssl, &peer, &o);
        report(&ssl, &secrets, &o);
        another = exchange(&ssl, &peer);
    } while (o.server && another);
    return 0;
}
