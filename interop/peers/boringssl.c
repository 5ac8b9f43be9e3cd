/* A peer of the interop tests: DTLS 1.3 with BoringSSL, or with `--dtls 1.2` the older version, as server or client.
 *
 *   boringssl server|client PORT [--option value]...
 *
 * Prints what README.md lists, sends each line of its input as one payload and prints each payload that it receives. A
 * server takes one client after another. A client with `--resume on` waits for a ticket, leaves, and comes again with
 * it. With `--key-update requested` or `silent` either changes its keys before each payload that it sends, and asks for
 * new ones of the other side or does not. `--timeout` is the first of its timer, in milliseconds. With
 * `--compression zlib,brotli` it compresses certificates (RFC 8879), and says when it did; for one or both of them. */

#include <openssl/bytestring.h>
#include <openssl/err.h>
#include <openssl/pool.h>
#include <openssl/ssl.h>

#include <brotli/decode.h>
#include <brotli/encode.h>
#include <zlib.h>

#include "udp.h"

struct options {
    int server, resume;
    const char *port, *groups, *ca, *cert, *key, *name, *mtu, *timeout, *srtp, *alpn, *key_update, *compression, *dtls;
};

/* What `--resume` waits for. */
static SSL_SESSION *ticket;

/* Whom the connection is with. */
static struct sockaddr_in peer;

static void fail(const char *what) {
    fprintf(stderr, "%s\n", what);
    ERR_print_errors_fp(stderr);
    exit(1);
}

static void check(const char *what, int good) {
    if (!good) fail(what);
}

static struct options parse(int argc, char **argv) {
    struct options o = {.server = 0};
    const struct option known[] = {
        {"--groups", &o.groups, NULL}, {"--ca", &o.ca, NULL}, {"--cert", &o.cert, NULL}, {"--key", &o.key, NULL},
        {"--name", &o.name, NULL}, {"--mtu", &o.mtu, NULL}, {"--timeout", &o.timeout, NULL},
        {"--srtp", &o.srtp, NULL}, {"--alpn", &o.alpn, NULL}, {"--key-update", &o.key_update, NULL},
        {"--compression", &o.compression, NULL}, {"--dtls", &o.dtls, NULL},
        {"--resume", NULL, &o.resume}, {NULL, NULL, NULL},
    };
    parse_options(argc, argv, &o.server, &o.port, known);
    return o;
}

static int keep_ticket(SSL *ssl, SSL_SESSION *session) {
    (void)ssl;
    SSL_SESSION_free(ticket);
    ticket = session;
    return 1;
}

static void print_secret(const SSL *ssl, const char *line) {
    (void)ssl;
    printf("SECRET %s\n", line);
}

/* A list with one name (RFC 7301 §3.1). */
static size_t one_protocol(const char *name, uint8_t list[256]) {
    list[0] = (uint8_t)strlen(name);
    memcpy(list + 1, name, list[0]);
    return 1 + (size_t)list[0];
}

static int choose_protocol(SSL *ssl, const uint8_t **chosen, uint8_t *length, const uint8_t *offered, unsigned size,
                           void *name) {
    (void)ssl;
    static uint8_t list[256];
    unsigned listed = (unsigned)one_protocol(name, list);
    int common = SSL_select_next_proto((uint8_t **)chosen, length, offered, size, list, listed);
    return common == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

static int compressed(const char *name, CBB *out, size_t size) {
    printf("COMPRESSED %s\n", name);
    return CBB_did_write(out, size);
}

static int compress_zlib(SSL *ssl, CBB *out, const uint8_t *plain, size_t length) {
    (void)ssl;
    uint8_t *room;
    uLongf size = compressBound(length);
    return CBB_reserve(out, &room, size) && compress(room, &size, plain, length) == Z_OK && compressed("zlib", out, size);
}

static int compress_brotli(SSL *ssl, CBB *out, const uint8_t *plain, size_t length) {
    (void)ssl;
    uint8_t *room;
    size_t size = BrotliEncoderMaxCompressedSize(length);
    return CBB_reserve(out, &room, size) && BrotliEncoderCompress(5, 22, BROTLI_MODE_GENERIC, length, plain, &size, room) &&
           compressed("brotli", out, size);
}

static int decompress_zlib(SSL *ssl, CRYPTO_BUFFER **out, size_t length, const uint8_t *packed, size_t packed_length) {
    (void)ssl;
    uint8_t *room;
    uLongf size = length;
    if (!(*out = CRYPTO_BUFFER_alloc(&room, length))) return 0;
    printf("DECOMPRESSED zlib\n");
    return uncompress(room, &size, packed, packed_length) == Z_OK && size == length;
}

static int decompress_brotli(SSL *ssl, CRYPTO_BUFFER **out, size_t length, const uint8_t *packed, size_t packed_length) {
    (void)ssl;
    uint8_t *room;
    size_t size = length;
    if (!(*out = CRYPTO_BUFFER_alloc(&room, length))) return 0;
    printf("DECOMPRESSED brotli\n");
    return BrotliDecoderDecompress(packed_length, packed, &size, room) == BROTLI_DECODER_RESULT_SUCCESS && size == length;
}

static void configure_compression(SSL_CTX *context, const char *list) {
    for (const char *name = list; name; name = strchr(name, ',') ? strchr(name, ',') + 1 : NULL) {
        int zlib = !strncmp(name, "zlib", 4);
        check("compression", zlib ? SSL_CTX_add_cert_compression_alg(context, TLSEXT_cert_compression_zlib, compress_zlib,
                                                                     decompress_zlib)
                                  : SSL_CTX_add_cert_compression_alg(context, TLSEXT_cert_compression_brotli,
                                                                     compress_brotli, decompress_brotli));
    }
}

static SSL_CTX *configure(const struct options *o) {
    SSL_CTX *context = SSL_CTX_new(DTLS_method());
    uint16_t version = o->dtls && !strcmp(o->dtls, "1.2") ? DTLS1_2_VERSION : DTLS1_3_VERSION;
    check("version", SSL_CTX_set_min_proto_version(context, version));
    check("version", SSL_CTX_set_max_proto_version(context, version));
    if (o->groups) check("groups", SSL_CTX_set1_groups_list(context, o->groups));
    if (o->srtp) check("profile", SSL_CTX_set_srtp_profiles(context, o->srtp));
    if (o->cert) {
        check("chain", SSL_CTX_use_certificate_chain_file(context, o->cert));
        check("key", SSL_CTX_use_PrivateKey_file(context, o->key, SSL_FILETYPE_PEM));
    }
    if (o->ca) {
        check("roots", SSL_CTX_load_verify_locations(context, o->ca, NULL));
        SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    }
    if (o->alpn && o->server) SSL_CTX_set_alpn_select_cb(context, choose_protocol, (void *)o->alpn);
    configure_compression(context, o->compression);
    SSL_CTX_set_keylog_callback(context, print_secret);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(context, keep_ticket);
    check("context", SSL_CTX_set_session_id_context(context, (const uint8_t *)LABEL, strlen(LABEL)));
    return context;
}

/* What cannot be sent is lost. */
static int send_datagram(BIO *bio, const char *datagram, int length) {
    sendto((int)(intptr_t)BIO_get_data(bio), datagram, (size_t)length, 0, (struct sockaddr *)&peer, sizeof peer);
    return length;
}

static int receive_datagram(BIO *bio, char *datagram, int room) {
    int length = (int)recv((int)(intptr_t)BIO_get_data(bio), datagram, (size_t)room, 0);
    BIO_clear_retry_flags(bio);
    if (length < 0) BIO_set_retry_read(bio);
    return length;
}

static long control(BIO *bio, int command, long number, void *pointer) {
    (void)bio, (void)number, (void)pointer;
    return command == BIO_CTRL_FLUSH;
}

/* BoringSSL's own for sockets wants one that is connected, and a server has another client after this one. */
static BIO *datagrams(int descriptor) {
    BIO_METHOD *method = BIO_meth_new(0, "datagrams");
    check("method", BIO_meth_set_write(method, send_datagram));
    check("method", BIO_meth_set_read(method, receive_datagram));
    check("method", BIO_meth_set_ctrl(method, control));
    BIO *bio = BIO_new(method);
    BIO_set_data(bio, (void *)(intptr_t)descriptor);
    BIO_set_init(bio, 1);
    return bio;
}

static SSL *new_connection(SSL_CTX *context, int descriptor, const struct options *o) {
    SSL *ssl = SSL_new(context);
    BIO *bio = datagrams(descriptor);
    SSL_set_bio(ssl, bio, bio);
    if (o->mtu) check("MTU", SSL_set_mtu(ssl, (unsigned)atoi(o->mtu)));
    if (o->timeout) DTLSv1_set_initial_timeout_duration(ssl, (uint32_t)atoi(o->timeout));
    if (o->server) {
        SSL_set_accept_state(ssl);
        return ssl;
    }
    SSL_set_connect_state(ssl);
    if (o->name) {
        check("name", SSL_set_tlsext_host_name(ssl, o->name));
        check("name", SSL_set1_host(ssl, o->name));
    }
    if (o->alpn) {
        uint8_t list[256];
        check("ALPN", SSL_set_alpn_protos(ssl, list, one_protocol(o->alpn, list)) == 0);
    }
    return ssl;
}

/* Waits until one of these can be read, or a timer is due. */
static void wait_or_repeat(SSL *ssl, struct pollfd *readable, nfds_t count) {
    struct timeval due;
    int timed = DTLSv1_get_timeout(ssl, &due);
    poll(readable, count, timed ? (int)(due.tv_sec * 1000 + due.tv_usec / 1000) + 1 : -1);
    if (DTLSv1_handle_timeout(ssl) < 0) fail("TIMED OUT");
}

static void handshake(SSL *ssl, int descriptor, const struct options *o) {
    struct pollfd readable = {.fd = descriptor, .events = POLLIN};
    peer = other_side(descriptor, o->server, o->port);
    for (int code; (code = SSL_do_handshake(ssl)) != 1;) {
        if (SSL_get_error(ssl, code) != SSL_ERROR_WANT_READ) fail("HANDSHAKE FAILED");
        wait_or_repeat(ssl, &readable, 1);
    }
}

static void report(SSL *ssl, const struct options *o) {
    unsigned char exported[EXPORTED];
    if (o->srtp) {
        const SRTP_PROTECTION_PROFILE *profile = SSL_get_selected_srtp_profile(ssl);
        printf("SRTP %lu \n", profile ? profile->id : 0);
    }
    for (int use_context = 0; use_context <= 1; use_context++) {
        const uint8_t *context = (const uint8_t *)"context";
        int good = SSL_export_keying_material(ssl, exported, EXPORTED, LABEL, strlen(LABEL), context, 7, use_context);
        check("export", good);
        printf(use_context ? "\nCONTEXT " : "EXPORTED ");
        print_hex(exported, EXPORTED);
    }
    printf("\nSESSION %s", SSL_session_reused(ssl) ? "resumed" : "new");
    printf("\nCONNECTED %s %s\n", SSL_get_version(ssl), SSL_get_cipher_name(ssl));
}

/* Payloads until the peer closes; the return value says whether there is more to expect. */
static int print_payloads(SSL *ssl) {
    char buffer[SSL3_RT_MAX_PLAIN_LENGTH];
    for (;;) {
        int length = SSL_read(ssl, buffer, sizeof buffer), error = SSL_get_error(ssl, length);
        if (length > 0) printf("%.*s", length, buffer);
        else if (error == SSL_ERROR_WANT_READ) return 1;
        else if (error == SSL_ERROR_ZERO_RETURN) return 0;
        else fail("READING FAILED");
    }
}

static void send_line(SSL *ssl, const char *line, size_t length, const struct options *o) {
    int requested = o->key_update && !strcmp(o->key_update, "requested");
    if (o->key_update)
        check("key update", SSL_key_update(ssl, requested ? SSL_KEY_UPDATE_REQUESTED : SSL_KEY_UPDATE_NOT_REQUESTED));
    if (SSL_write(ssl, line, (int)length) != (int)length) fail("WRITING FAILED");
}

/* Lines and payloads until either side closes; the return value says whether there may be another connection. */
static int exchange(SSL *ssl, int descriptor, const struct options *o) {
    struct lines lines = {.end = 0};
    const char *line;
    struct pollfd both[2] = {{.fd = descriptor, .events = POLLIN}, {.fd = STDIN_FILENO, .events = POLLIN}};
    while (print_payloads(ssl)) {
        wait_or_repeat(ssl, both, 2);
        if (!(both[1].revents & (POLLIN | POLLHUP))) continue;
        if (!read_lines(&lines)) {
            SSL_shutdown(ssl);
            return 0;
        }
        for (size_t length; (length = next_line(&lines, &line)) > 0;) send_line(ssl, line, length, o);
    }
    SSL_shutdown(ssl);
    printf("CLOSED BY PEER\n");
    return 1;
}

/* Waits for a ticket, leaves, and makes another connection that offers it. */
static SSL *resume(SSL *ssl, SSL_CTX *context, int *descriptor, const struct options *o) {
    struct pollfd readable = {.fd = *descriptor, .events = POLLIN};
    while (!ticket) {
        if (!print_payloads(ssl)) fail("closed without a ticket");
        if (!ticket) wait_or_repeat(ssl, &readable, 1);
    }
    SSL_shutdown(ssl);
    SSL_free(ssl);
    close(*descriptor);
    *descriptor = bind_and_tell(o->server, o->port);
    ssl = new_connection(context, *descriptor, o);
    check("session", SSL_set_session(ssl, ticket));
    handshake(ssl, *descriptor, o);
    return ssl;
}

int main(int argc, char **argv) {
    struct options o = parse(argc, argv);
    int another;

    setvbuf(stdout, NULL, _IOLBF, 0);
    SSL_CTX *context = configure(&o);
    int descriptor = bind_and_tell(o.server, o.port);
    do {
        SSL *ssl = new_connection(context, descriptor, &o);
        handshake(ssl, descriptor, &o);
        if (!o.server && o.resume) ssl = resume(ssl, context, &descriptor, &o);
        report(ssl, &o);
        another = exchange(ssl, descriptor, &o);
        SSL_free(ssl);
    } while (o.server && another);
    return 0;
}
