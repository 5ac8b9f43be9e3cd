/* What the peers share that keep a UDP socket of their own, and read lines while they wait for datagrams. */

#ifndef UDP_H
#define UDP_H

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "peer.h"

static void give_up(const char *what) {
    perror(what);
    exit(1);
}

static struct sockaddr_in loopback(const char *port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

/* A socket that does not block; a server's is at `port`, and told. */
static int bind_and_tell(int server, const char *port) {
    struct sockaddr_in address = loopback(server ? port : "0");
    socklen_t length = sizeof address;
    int descriptor = socket(AF_INET, SOCK_DGRAM, 0);
    if (descriptor < 0 || bind(descriptor, (struct sockaddr *)&address, length) != 0) give_up("bind");
    if (getsockname(descriptor, (struct sockaddr *)&address, &length) != 0) give_up("getsockname");
    if (fcntl(descriptor, F_SETFL, O_NONBLOCK) != 0) give_up("fcntl");
    if (server) printf("LISTENING 127.0.0.1:%u\n", ntohs(address.sin_port));
    return descriptor;
}

/* Whom a connection is with: the server at `port`, or who sends a server the next datagram, which stays unread. */
static struct sockaddr_in other_side(int descriptor, int server, const char *port) {
    struct sockaddr_in other = loopback(port);
    socklen_t length = sizeof other;
    struct pollfd readable = {.fd = descriptor, .events = POLLIN};
    unsigned char first;
    if (!server) return other;
    poll(&readable, 1, -1);
    if (recvfrom(descriptor, &first, 1, MSG_PEEK, (struct sockaddr *)&other, &length) < 0) give_up("peek");
    return other;
}

/* What was read of the input, and from where it is still to be sent. */
struct lines {
    char text[20000];
    size_t start, end;
};

/* Reads some input; not so at its end. */
static int read_lines(struct lines *lines) {
    lines->end -= lines->start;
    memmove(lines->text, lines->text + lines->start, lines->end);
    lines->start = 0;
    ssize_t length = read(STDIN_FILENO, lines->text + lines->end, sizeof lines->text - lines->end);
    if (length > 0) lines->end += (size_t)length;
    return length > 0;
}

/* The length of the next line and its end, which stay until more is read; 0 if it has not been read to its end. */
static size_t next_line(struct lines *lines, const char **line) {
    *line = lines->text + lines->start;
    const char *end = memchr(*line, '\n', lines->end - lines->start);
    size_t length = end ? (size_t)(end - *line) + 1 : 0;
    lines->start += length;
    return length;
}

#endif
