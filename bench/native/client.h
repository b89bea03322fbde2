/* One XMPP client of the load generator: a socket, TLS, and the steps of a login. */
#ifndef BENCH_CLIENT_H
#define BENCH_CLIENT_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>

enum transport { PLAIN, STARTTLS, DIRECT_TLS, RELAY, PLAIN_RELAY };
/* FAST: by SASL2 with SCRAM-SHA-1 the first time, and by the token that was given then from there on. */
enum mechanism { SASL_PLAIN, SASL_SCRAM_SHA_1, FAST };

/* What it waits for. */
enum state {
    CLOSED,
    CONNECTED,
    TLS_FEATURES,
    PROCEED,
    HANDSHAKE,
    AUTH_FEATURES,
    CHALLENGE,
    SUCCESS,
    BIND_FEATURES,
    BOUND,
    SESSION,
    ROSTER,
    PONG,
    ENABLED,
    READY
};

struct options {
    const char *host, *domain, *password;
    int port;
    int far_port; /* where clients with an odd number live, and their domain; NULL: where all do */
    const char *far_domain;
    enum transport transport;
    enum mechanism mechanism;
    bool managed; /* turn on stream management (XEP-0198) when logged in */
};

struct buffer {
    char *data;
    size_t length, size;
};

/* A stanza encoded beforehand; a number is written into it at each of `slots` before it is sent. */
struct stanza {
    char *text;
    size_t length;
    size_t slots[4];
    int slot_count;
};

/* When what is on its way to a client was sent: first in, first out, since a pair's stanzas keep their order. */
struct times {
    double *at;
    size_t head, count, size;
};

struct client {
    int number, fd;
    enum state state;
    SSL *ssl;
    bool waits_for_room, failed, needs_session;
    double began;
    struct buffer in;  /* of the negotiation */
    struct buffer out; /* what the socket did not take yet */
    size_t matched;    /* how much of the marker the last bytes were */
    char nonce[32];
    struct stanza stanza;
    struct times sent;
    char token[256]; /* XEP-0484; empty: there is none */
    /* XEP-0198, if it is on. Only messages are counted: nothing else comes to a client that has logged in. */
    bool managed;
    size_t asked_matched;
    long handled, owed; /* messages that came; how many answers the server waits for */
    int unasked;        /* stanzas sent since it asked the server */
};

extern struct options options;

/* Where a client lives. */
const char *domain_of(int number);

double now(void);
void die(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));

void append(struct buffer *buffer, const char *data, size_t length);

/* Make an encoded stanza from a template: @TO@ is replaced, each @ID@ becomes a slot of ten digits. */
void encode(struct stanza *stanza, const char *template, const char *to);
#define SLOT_DIGITS 10
#define ASKS "<r " /* how a server asks for an acknowledgement (XEP-0198) */

/* `poller` is the epoll descriptor that all clients are registered with. */
void clients_begin(int poller);
void client_connect(struct client *client, int number);
void client_event(struct client *client, unsigned events);
void client_write(struct client *client, const char *data, size_t length);
void client_close(struct client *client);

/* Given by the generator. */
void client_ready(struct client *client);
void client_failed(struct client *client, const char *reason);
void client_received(struct client *client, const char *data, size_t length);

/* SCRAM-SHA-1: the answer to a server's first message, in base 64; NULL if that cannot be understood. */
char *scram_first(struct client *client);
char *scram_final(struct client *client, const char *challenge, size_t length);
/* HT-SHA-256-NONE: the only message, in base 64. */
char *signed_token(struct client *client);
char *to_base64(const void *data, size_t length);

#endif
