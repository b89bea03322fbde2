/* What the generator makes the clients do once they are logged in. */
#ifndef BENCH_LOAD_H
#define BENCH_LOAD_H

#include "client.h"

#define LAST_ID_SIZE 128

enum kind { IDLE, CHAT, RATE, PRESENCE, PAGES, DISCUSSION, ENTRANCE };

struct load {
    enum kind kind;
    bool stopping;
    int first, last;    /* the clients that take part; in CHAT and RATE 2n and 2n + 1 talk to each other */
    int sender;         /* PRESENCE: who changes presence, DISCUSSION: who speaks; the others get a copy each */
    long per_second;    /* RATE */
    double began;       /* RATE */
    long sent, received, errors;
    long in_flight;
    long results;       /* PAGES: messages on them */
    long sequence;
};

extern struct load load;

struct client *client_number(int number);

void load_chat(int first, int pairs, int in_flight, const char *template);
void load_rate(int pairs, long per_second, const char *template);
void load_presence(int sender, int first, int last, const char *template);
void load_pages(int first, int count, const char *template);
void load_discussion(const char *room, int sender, int first, int last, const char *template);
void load_entrance(const char *room, int first, int count, long copies, const char *template);
void load_say(int number, const char *text);
void load_tick(void);
void load_stop(void);

/* The id of the last message on the page that came last (XEP-0059); empty if there was none. */
extern char last_id[LAST_ID_SIZE];

/* Latencies since the last reset: from when a stanza was due to when the last byte of it was there. */
void latency_reset(void);
void latency_add(double seconds);
double latency_quantile(double part); /* in seconds; NaN without any */
void latency_lap(void);
double latency_lap_quantile(double part); /* of those since the last lap */

#endif
