/* What the peers around libraries of C share: their command line, and how they print. */

#ifndef PEER_H
#define PEER_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LABEL "EXPORTER-gramseal-interop"
#define EXPORTED 32

/* An option of the command line: its value goes to `text`, or to `on` if it is `on` or `off`. */
struct option {
    const char *name, **text;
    int *on;
};

static void usage(const char *wrong) {
    fprintf(stderr, "%s; usage: server|client PORT [--option value]...\n", wrong);
    exit(1);
}

/* `known` ends with an option without a name. */
static void parse_options(int argc, char **argv, int *server, const char **port, const struct option *known) {
    if (argc < 3 || argc % 2 == 0) usage("something is missing");
    *server = strcmp(argv[1], "server") == 0;
    *port = argv[2];
    for (int i = 3; i < argc; i += 2) {
        const struct option *option = known;
        const char *value = argv[i + 1];
        while (option->name && strcmp(option->name, argv[i])) option++;
        if (!option->name) usage(argv[i]);
        if (option->text) *option->text = value;
        else if (!strcmp(value, "on")) *option->on = 1;
        else if (!strcmp(value, "off")) *option->on = 0;
        else usage(value);
    }
}

static size_t from_hex(const char *text, unsigned char *out, size_t room) {
    size_t length = strlen(text) / 2;
    if (length > room) usage("key too long");
    for (size_t i = 0; i < length; i++) {
        unsigned byte;
        if (sscanf(text + 2 * i, "%2x", &byte) != 1) usage("no hexadecimal digits");
        out[i] = (unsigned char)byte;
    }
    return length;
}

static void print_hex(const unsigned char *bytes, size_t length) {
    for (size_t i = 0; i < length; i++) printf("%02x", bytes[i]);
}

#endif
