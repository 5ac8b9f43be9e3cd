/* A peer of the interop tests: DTLS 1.3 with wolfSSL 5.9, as server or client.
 *
 *   wolfssl server|client PORT [--option value]...
 *
 * Prints what README.md lists, sends each line of its input as one payload and prints each payload
 * that it receives. A server takes one client after another. A client with `--resume on` waits for
 * a ticket, leaves, and comes again with it. With `--key-update on` either asks for new keys of both
 * sides before each payload that it sends. With `--post-auth on` a client lets itself be asked for its
 * certificate after the handshake, and a server asks once as soon as it is connected. With `--early-data TEXT` a
 * client that comes again sends TEXT as early data; with `--early-data N` a server takes up to N bytes of it.
 * With `--cid HEX` it asks the peer to put that connection id into its records, with `--cid none` it only puts the
 * peer's into its own. `--dtls 1.2` is for the older version.
 * With `--own-key FILE` it shows that public key, of `--key`, in place of a certificate (RFC 7250), and with
 * `--peer-key FILE` it wants just that one of the peer. With `--psk HEX --identity TEXT`, which needs `--suite`,
 * either has that key. */

#include <wolfssl/wolfcrypt/settings.h>

#include <wolfssl/error-ssl.h>
#include <wolfssl/ssl.h>
#include <wolfssl/wolfcrypt/asn_public.h>

#include "udp.h"

#define MOST_GROUPS 4

struct options {
    int server, cookies, resume, key_update, post_auth;
    const char *dtls, *cid, *early_data, *port, *suite, *psk, *identity, *groups, *ca, *cert, *key, *own_key, *peer_key, *name, *mtu,
        *srtp, *alpn;
};

static void fail(const char *what, int code) {
    fprintf(stderr, "%s: %d %s\n", what, code, wolfSSL_ERR_reason_error_string((unsigned long)(code < 0 ? -code : code)));
    exit(1);
}

static void check(const char *what, int code) {
    if (code != WOLFSSL_SUCCESS) fail(what, code);
}

static struct options parse(int argc, char **argv) {
    struct options o = {.cookies = 1};
    const struct option known[] = {
        {"--suite", &o.suite, NULL}, {"--groups", &o.groups, NULL}, {"--ca", &o.ca, NULL},
        {"--own-key", &o.own_key, NULL}, {"--peer-key", &o.peer_key, NULL},
        {"--psk", &o.psk, NULL}, {"--identity", &o.identity, NULL},
        {"--cert", &o.cert, NULL}, {"--key", &o.key, NULL}, {"--name", &o.name, NULL}, {"--mtu", &o.mtu, NULL},
        {"--srtp", &o.srtp, NULL}, {"--alpn", &o.alpn, NULL}, {"--cookies", NULL, &o.cookies},
        {"--dtls", &o.dtls, NULL}, {"--cid", &o.cid, NULL}, {"--early-data", &o.early_data, NULL}, {"--resume", NULL, &o.resume},
        {"--key-update", NULL, &o.key_update}, {"--post-auth", NULL, &o.post_auth}, {NULL, NULL, NULL},
    };
    parse_options(argc, argv, &o.server, &o.port, known);
    return o;
}

/* Raw public keys (RFC 7250) in place of certificates, for either side. */
static void configure_keys(WOLFSSL_CTX *context, const struct options *o) {
    static const char raw[] = {WOLFSSL_CERT_TYPE_RPK};
    unsigned char der[1024];
    const char *client = o->server ? o->peer_key : o->own_key, *server = o->server ? o->own_key : o->peer_key;
    if (client) check("form", wolfSSL_CTX_set_client_cert_type(context, raw, sizeof raw));
    if (server) check("form", wolfSSL_CTX_set_server_cert_type(context, raw, sizeof raw));
    if (o->own_key) {
        int length = wc_PemPubKeyToDer(o->own_key, der, sizeof der);
        if (length < 0) fail("own key", length);
        check("own key", wolfSSL_CTX_use_certificate_buffer(context, der, length, WOLFSSL_FILETYPE_ASN1));
        check("key", wolfSSL_CTX_use_PrivateKey_file(context, o->key, WOLFSSL_FILETYPE_PEM));
    }
    if (o->peer_key) {
        int length = wc_PemPubKeyToDer(o->peer_key, der, sizeof der);
        if (length < 0) fail("peer's key", length);
        check("peer's key", wolfSSL_CTX_set_expected_rpk(context, der, (unsigned)length));
    }
}

/* What callbacks need that get no context. */
static struct options chosen;

static unsigned int psk_of_server(
    WOLFSSL *ssl, const char *identity, unsigned char *key, unsigned int most, const char **suite) {
    (void)ssl;
    if (strcmp(identity, chosen.identity)) return 0;
    *suite = chosen.suite;
    return (unsigned int)from_hex(chosen.psk, key, most);
}

static unsigned int psk_of_client(WOLFSSL *ssl, const char *hint, char *identity, unsigned int longest,
    unsigned char *key, unsigned int most, const char **suite) {
    (void)ssl, (void)hint;
    snprintf(identity, longest, "%s", chosen.identity);
    *suite = chosen.suite;
    return (unsigned int)from_hex(chosen.psk, key, most);
}

static int is_12(const struct options *o) {
    return o->dtls && !strcmp(o->dtls, "1.2");
}

static WOLFSSL_METHOD *method(const struct options *o) {
    if (is_12(o)) return o->server ? wolfDTLSv1_2_server_method() : wolfDTLSv1_2_client_method();
    return o->server ? wolfDTLSv1_3_server_method() : wolfDTLSv1_3_client_method();
}

static WOLFSSL_CTX *configure(const struct options *o) {
    WOLFSSL_CTX *context = wolfSSL_CTX_new(method(o));
    if (!context) fail("context", 0);
    if (o->server && o->early_data && wolfSSL_CTX_set_max_early_data(context, (unsigned)atoi(o->early_data)) != 0)
        fail("early data", 0);
    if (o->suite) check("suite", wolfSSL_CTX_set_cipher_list(context, o->suite));
    if (o->srtp && wolfSSL_CTX_set_tlsext_use_srtp(context, o->srtp) != 0) fail("profile", 0);
    if (o->ca) check("roots", wolfSSL_CTX_load_verify_locations(context, o->ca, NULL));
    if (o->cert) {
        check("chain", wolfSSL_CTX_use_certificate_chain_file(context, o->cert));
        check("key", wolfSSL_CTX_use_PrivateKey_file(context, o->key, WOLFSSL_FILETYPE_PEM));
    }
    configure_keys(context, o);
    if (o->psk) {
        chosen = *o;
        if (o->server) wolfSSL_CTX_set_psk_server_tls13_callback(context, psk_of_server);
        else wolfSSL_CTX_set_psk_client_tls13_callback(context, psk_of_client);
    }
    int strict = WOLFSSL_VERIFY_PEER | WOLFSSL_VERIFY_FAIL_IF_NO_PEER_CERT;
    if (o->post_auth && o->server) strict = WOLFSSL_VERIFY_PEER | WOLFSSL_VERIFY_POST_HANDSHAKE;
    wolfSSL_CTX_set_verify(context, o->ca || o->peer_key ? strict : WOLFSSL_VERIFY_NONE, NULL);
    return context;
}

/* `--groups 29,23`: numbers of the registry; a client sends a share of the first. */
static void configure_groups(WOLFSSL *ssl, const struct options *o) {
    int groups[MOST_GROUPS], count = 0;
    for (const char *rest = o->groups; rest && count < MOST_GROUPS; rest = strchr(rest, ',') ? strchr(rest, ',') + 1 : NULL)
        groups[count++] = atoi(rest);
    if (count == 0) return;
    if (!o->server) check("share", wolfSSL_UseKeyShare(ssl, (word16)groups[0]));
    check("groups", wolfSSL_set_groups(ssl, groups, count));
}

static int on_ticket(WOLFSSL *ssl, const unsigned char *ticket, int length, void *context) {
    (void)ssl, (void)ticket;
    if (length > 0) *(int *)context = 1;
    return 0;
}

static void configure_cid(WOLFSSL *ssl, const struct options *o) {
    unsigned char cid[255];
    if (!o->cid) return;
    check("CID", wolfSSL_dtls_cid_use(ssl));
    if (strcmp(o->cid, "none")) check("CID", wolfSSL_dtls_cid_set(ssl, cid, (unsigned)from_hex(o->cid, cid, sizeof cid)));
}

static WOLFSSL *new_connection(WOLFSSL_CTX *context, int descriptor, const struct options *o, int *ticket) {
    WOLFSSL *ssl = wolfSSL_new(context);
    if (!ssl) fail("connection", 0);
    wolfSSL_KeepArrays(ssl); /* for the exporter */
    wolfSSL_dtls_set_using_nonblock(ssl, 1);
    check("timeout", wolfSSL_dtls_set_timeout_init(ssl, 1));
    check("timeout", wolfSSL_dtls_set_timeout_max(ssl, 64));
    if (o->mtu) check("MTU", wolfSSL_dtls_set_mtu(ssl, (unsigned short)atoi(o->mtu)));
    if (o->alpn)
        check("ALPN", wolfSSL_UseALPN(ssl, (char *)o->alpn, (unsigned)strlen(o->alpn), WOLFSSL_ALPN_FAILED_ON_MISMATCH));
    configure_groups(ssl, o);
    configure_cid(ssl, o);
    if (is_12(o)) {
        /* Its cookies are always on. */
        if (!o->server) check("tickets", wolfSSL_UseSessionTicket(ssl));
    } else if (o->server) {
        check("cookies", o->cookies ? wolfSSL_send_hrr_cookie(ssl, NULL, 0) : wolfSSL_disable_hrr_cookie(ssl));
        check("fragments", wolfSSL_dtls13_allow_ch_frag(ssl, 1));
    } else {
        if (o->post_auth && wolfSSL_allow_post_handshake_auth(ssl) != 0) fail("post_handshake_auth", 0);
        check("ticket", wolfSSL_set_SessionTicket_cb(ssl, on_ticket, ticket));
    }
    if (o->name) {
        check("name", wolfSSL_UseSNI(ssl, WOLFSSL_SNI_HOST_NAME, o->name, (unsigned short)strlen(o->name)));
        check("name", wolfSSL_check_domain_name(ssl, o->name));
    }
    check("descriptor", wolfSSL_set_fd(ssl, descriptor));
    return ssl;
}

/* Until something can be read, or the timer of the handshake is due. */
static void wait_or_repeat(WOLFSSL *ssl, int descriptor) {
    struct pollfd readable = {.fd = descriptor, .events = POLLIN};
    int wait = wolfSSL_dtls_get_current_timeout(ssl) * 1000;
    if (wolfSSL_dtls13_use_quick_timeout(ssl)) wait /= 4;
    if (poll(&readable, 1, wait) == 0 && wolfSSL_dtls_got_timeout(ssl) != WOLFSSL_SUCCESS)
        fail("HANDSHAKE FAILED", wolfSSL_get_error(ssl, 0));
}

/* What a client sends with its first flight. */
static void send_early(WOLFSSL *ssl, int descriptor, const char *text) {
    int length = (int)strlen(text), sent = 0;
    for (;;) {
        int code = wolfSSL_write_early_data(ssl, text, length, &sent);
        if (sent == length) return;
        int error = wolfSSL_get_error(ssl, code);
        if (error != WOLFSSL_ERROR_WANT_READ && error != WOLFSSL_ERROR_WANT_WRITE) fail("EARLY DATA FAILED", error);
        wait_or_repeat(ssl, descriptor);
    }
}

/* Early data until the handshake is done, as server. */
static void print_early(WOLFSSL *ssl, int descriptor) {
    char buffer[16384];
    while (!wolfSSL_is_init_finished(ssl)) {
        int length = 0, code = wolfSSL_read_early_data(ssl, buffer, sizeof buffer, &length);
        if (length > 0) printf("EARLY %.*s\n", length, buffer);
        if (code > 0) continue;
        int error = wolfSSL_get_error(ssl, code);
        if (error == WOLFSSL_ERROR_NONE) return;
        if (error != WOLFSSL_ERROR_WANT_READ && error != WOLFSSL_ERROR_WANT_WRITE) fail("EARLY DATA FAILED", error);
        wait_or_repeat(ssl, descriptor);
    }
}

static void handshake(WOLFSSL *ssl, int descriptor, const struct options *o, int early) {
    struct sockaddr_in peer = other_side(descriptor, o->server, o->port);
    check("peer", wolfSSL_dtls_set_peer(ssl, &peer, sizeof peer));
    if (early && o->server) print_early(ssl, descriptor);
    if (early && !o->server) send_early(ssl, descriptor, o->early_data);
    for (;;) {
        int code = o->server ? wolfSSL_accept(ssl) : wolfSSL_connect(ssl);
        if (code == WOLFSSL_SUCCESS) return;
        int error = wolfSSL_get_error(ssl, code);
        if (error != WOLFSSL_ERROR_WANT_READ && error != WOLFSSL_ERROR_WANT_WRITE) fail("HANDSHAKE FAILED", error);
        wait_or_repeat(ssl, descriptor);
    }
}

/* The connection ids in records to it and in its own. */
static void print_cids(WOLFSSL *ssl) {
    unsigned char *own = NULL, *peers = NULL;
    unsigned own_length = 0, peers_length = 0;
    if (wolfSSL_dtls_cid_get_rx_size(ssl, &own_length) == WOLFSSL_SUCCESS) wolfSSL_dtls_cid_get0_rx(ssl, &own);
    if (wolfSSL_dtls_cid_get_tx_size(ssl, &peers_length) == WOLFSSL_SUCCESS) wolfSSL_dtls_cid_get0_tx(ssl, &peers);
    printf("CIDS ");
    print_hex(own, own_length);
    printf("/");
    print_hex(peers, peers_length);
    printf("\n");
}

static void report(WOLFSSL *ssl, const struct options *o) {
    unsigned char exported[EXPORTED];
    if (o->srtp) {
        const WOLFSSL_SRTP_PROTECTION_PROFILE *profile = wolfSSL_get_selected_srtp_profile(ssl);
        printf("SRTP %lu \n", profile ? profile->id : 0);
    }
    if (o->cid) print_cids(ssl);
    check("export", wolfSSL_export_keying_material(ssl, exported, EXPORTED, LABEL, strlen(LABEL), NULL, 0, 0));
    printf("EXPORTED ");
    print_hex(exported, EXPORTED);
    printf("\nSESSION %s", wolfSSL_session_reused(ssl) ? "resumed" : "new");
    printf("\nCONNECTED %s %s\n", wolfSSL_get_version(ssl), wolfSSL_get_cipher_name(ssl));
}

/* Payloads until the peer closes; the return value says whether there is more to expect. */
static int print_payloads(WOLFSSL *ssl) {
    char buffer[16384];
    for (;;) {
        int length = wolfSSL_read(ssl, buffer, sizeof buffer);
        if (length > 0) {
            printf("%.*s", length, buffer);
            continue;
        }
        int error = wolfSSL_get_error(ssl, length);
        if (error == WOLFSSL_ERROR_WANT_READ || error == WOLFSSL_ERROR_WANT_WRITE) return 1;
        if (error != WOLFSSL_ERROR_ZERO_RETURN) fail("READING FAILED", error);
        printf("CLOSED BY PEER\n");
        return 0;
    }
}

static void send_line(WOLFSSL *ssl, const char *line, size_t length, const struct options *o) {
    if (o->key_update) check("key update", wolfSSL_update_keys(ssl));
    if (wolfSSL_write(ssl, line, (int)length) != (int)length) fail("WRITING FAILED", wolfSSL_get_error(ssl, 0));
}

/* Lines and payloads until either side closes; the return value says whether there may be another connection. */
static int exchange(WOLFSSL *ssl, int descriptor, const struct options *o) {
    struct lines lines = {.end = 0};
    const char *line;
    struct pollfd both[2] = {{.fd = descriptor, .events = POLLIN}, {.fd = STDIN_FILENO, .events = POLLIN}};
    /* Once: a second request before the first answer is in the transcript by which it checks that answer. */
    if (o->post_auth && o->server) check("request", wolfSSL_request_certificate(ssl));
    for (;;) {
        if (!print_payloads(ssl)) {
            wolfSSL_shutdown(ssl);
            return 1;
        }
        int events = poll(both, 2, 300);
        /* Its timeouts have an end, whether or not something waits for an ACK. */
        if (events == 0 && (wolfSSL_dtls13_has_pending_msg(ssl) || wolfSSL_dtls13_use_quick_timeout(ssl)))
            wolfSSL_dtls_got_timeout(ssl);
        if (!(both[1].revents & (POLLIN | POLLHUP))) continue;
        if (!read_lines(&lines)) {
            wolfSSL_shutdown(ssl);
            return 0;
        }
        for (size_t length; (length = next_line(&lines, &line)) > 0;) send_line(ssl, line, length, o);
    }
}

/* Waits for a ticket, which in 1.2 comes before the handshake is done if any does, leaves, and makes another connection
 * that offers the session. */
static WOLFSSL *resume(WOLFSSL *ssl, WOLFSSL_CTX *context, int *descriptor, const struct options *o, int *ticket) {
    while (!is_12(o) && !*ticket) {
        if (!print_payloads(ssl)) fail("closed without a ticket", 0);
        wait_or_repeat(ssl, *descriptor);
    }
    WOLFSSL_SESSION *session = wolfSSL_get1_session(ssl);
    if (!session) fail("session", 0);
    wolfSSL_shutdown(ssl);
    wolfSSL_free(ssl);
    close(*descriptor);
    *descriptor = bind_and_tell(o->server, o->port);
    ssl = new_connection(context, *descriptor, o, ticket);
    check("session", wolfSSL_set_session(ssl, session));
    wolfSSL_SESSION_free(session);
    handshake(ssl, *descriptor, o, o->early_data != NULL);
    if (o->early_data)
        printf("EARLY DATA %s\n", wolfSSL_get_early_data_status(ssl) == WOLFSSL_EARLY_DATA_ACCEPTED ? "accepted" : "rejected");
    return ssl;
}

int main(int argc, char **argv) {
    struct options o = parse(argc, argv);
    int another, ticket = 0;

    setvbuf(stdout, NULL, _IOLBF, 0);
    check("library", wolfSSL_Init());
    WOLFSSL_CTX *context = configure(&o);
    int descriptor = bind_and_tell(o.server, o.port);
    do {
        WOLFSSL *ssl = new_connection(context, descriptor, &o, &ticket);
        handshake(ssl, descriptor, &o, o.server && o.early_data != NULL);
        if (!o.server && o.resume) ssl = resume(ssl, context, &descriptor, &o, &ticket);
        report(ssl, &o);
        another = exchange(ssl, descriptor, &o);
        wolfSSL_free(ssl);
    } while (o.server && another);
    return 0;
}
