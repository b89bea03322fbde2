/* Sends stanzas that were encoded beforehand, and counts what arrives by looking for one string. */
#define _GNU_SOURCE
#include "load.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MESSAGE_END "</message>"
#define PRESENCE_START "<presence"
#define OCCUPANT "<item " /* in an occupant's presence; a room has a presence of its own in some servers */
#define PAGE_END "</iq>"
#define RESULT_END "</forwarded>"
#define LAST_START "<last>"
#define REQUEST "<r xmlns='urn:xmpp:sm:3'/>"
#define ASK_AFTER 10 /* stanzas, as clients do */
#define STEP 1e-5 /* of the histogram, in seconds */
#define STEPS 400000

struct load load;
char last_id[LAST_ID_SIZE];
static const char *const markers[] = {
    [IDLE] = MESSAGE_END,
    [CHAT] = MESSAGE_END,
    [RATE] = MESSAGE_END,
    [PRESENCE] = PRESENCE_START,
    [PAGES] = PAGE_END,
    [DISCUSSION] = MESSAGE_END,
    [ENTRANCE] = OCCUPANT,
};
static const char *marker = MESSAGE_END;
static struct buffer together; /* several go out in one write, as a client would send what it has */
static unsigned histogram[STEPS], lap[STEPS];
static long measured, lapped;
static double fan_out_began;

void latency_reset(void)
{
    memset(histogram, 0, sizeof histogram);
    measured = 0;
    latency_lap();
}

void latency_lap(void)
{
    memset(lap, 0, sizeof lap);
    lapped = 0;
}

void latency_add(double seconds)
{
    long step = (long)(seconds / STEP);
    step = step < 0 ? 0 : step >= STEPS ? STEPS - 1 : step;
    histogram[step]++;
    lap[step]++;
    measured++;
    lapped++;
}

static double quantile(const unsigned *steps, long count, double part)
{
    long wanted = (long)ceil(part * (double)count), seen = 0;
    for (long step = 0; count && step < STEPS; step++)
        if ((seen += steps[step]) >= wanted)
            return ((double)step + 1) * STEP;
    return NAN;
}

double latency_quantile(double part)
{
    return quantile(histogram, measured, part);
}

double latency_lap_quantile(double part)
{
    return quantile(lap, lapped, part);
}

static void remember(struct times *times, double at)
{
    if (times->count == times->size) {
        size_t size = times->size ? times->size * 2 : 16;
        double *grown = malloc(size * sizeof *grown);
        for (size_t i = 0; i < times->count; i++)
            grown[i] = times->at[(times->head + i) % times->size];
        free(times->at);
        *times = (struct times){.at = grown, .count = times->count, .size = size};
    }
    times->at[(times->head + times->count++) % times->size] = at;
}

static double recall(struct times *times)
{
    if (!times->count)
        return NAN;
    double at = times->at[times->head];
    times->head = (times->head + 1) % times->size;
    times->count--;
    return at;
}

static void number(struct stanza *stanza)
{
    char digits[24];
    int length = sprintf(digits, "%010ld", ++load.sequence);
    for (int slot = 0; slot < stanza->slot_count; slot++)
        memcpy(stanza->text + stanza->slots[slot], digits + length - SLOT_DIGITS, SLOT_DIGITS);
}

/* Answer each <r/> of the server's (XEP-0198 §4). */
static void acknowledge(struct client *client)
{
    char text[80];
    int length = sprintf(text, "<a xmlns='urn:xmpp:sm:3' h='%ld'/>", client->handled);
    for (; client->owed > 0; client->owed--)
        append(&together, text, (size_t)length);
}

static void ask_now_and_then(struct client *client)
{
    if (++client->unasked < ASK_AFTER)
        return;
    append(&together, REQUEST, strlen(REQUEST));
    client->unasked = 0;
}

static bool is_fan_out(void)
{
    return load.kind == PRESENCE || load.kind == DISCUSSION;
}

static void send_stanzas(struct client *client, long count, double due)
{
    struct client *receiver = client_number(load.kind == PAGES ? client->number : client->number ^ 1);
    together.length = 0;
    acknowledge(client);
    for (long i = 0; i < count; i++) {
        number(&client->stanza);
        append(&together, client->stanza.text, client->stanza.length);
        if (client->managed)
            ask_now_and_then(client);
        if (!is_fan_out())
            remember(&receiver->sent, due);
    }
    load.sent += count;
    client_write(client, together.data, together.length);
}

/* One stanza that everybody gets a copy of. */
static void fan_out(void)
{
    fan_out_began = now();
    load.in_flight = load.last - load.first;
    send_stanzas(client_number(load.sender), 1, fan_out_began);
}

static void begin(enum kind kind, int first, int last)
{
    long sequence = load.sequence;
    load = (struct load){.kind = kind, .first = first, .last = last, .sequence = sequence};
    marker = markers[kind];
    for (int n = first; n < last; n++) {
        client_number(n)->matched = 0;
        client_number(n)->sent.count = 0;
        client_number(n)->in.length = 0;
    }
    latency_reset();
}

static void encode_for_peers(int first, int last, const char *template)
{
    char address[300];
    for (int n = first; n < last; n++) {
        snprintf(address, sizeof address, "u%d@%s", n ^ 1, domain_of(n ^ 1));
        encode(&client_number(n)->stanza, template, address);
    }
}

void load_chat(int first, int pairs, int in_flight, const char *template)
{
    begin(CHAT, first, first + 2 * pairs);
    encode_for_peers(load.first, load.last, template);
    load.in_flight = (long)pairs * in_flight;
    for (int n = load.first; n < load.last; n += 2)
        send_stanzas(client_number(n), in_flight, now());
}

void load_rate(int pairs, long per_second, const char *template)
{
    begin(RATE, 0, 2 * pairs);
    encode_for_peers(0, 2 * pairs, template);
    load.per_second = per_second;
    load.began = now();
}

void load_presence(int sender, int first, int last, const char *template)
{
    begin(PRESENCE, first, last);
    load.sender = sender;
    encode(&client_number(sender)->stanza, template, "");
    fan_out();
}

/* Who speaks gets a copy as well (XEP-0045 §7.4). */
void load_discussion(const char *room, int sender, int first, int last, const char *template)
{
    begin(DISCUSSION, first, last);
    load.sender = sender;
    encode(&client_number(sender)->stanza, template, room);
    fan_out();
}

/* All enter a room at once; it is over when so many copies of presences have come to those who are in it. */
void load_entrance(const char *room, int first, int count, long copies, const char *template)
{
    char occupant[300];
    begin(ENTRANCE, first, first + count);
    load.in_flight = copies;
    load.began = now();
    for (int n = load.first; n < load.last; n++) {
        snprintf(occupant, sizeof occupant, "%s/u%d", room, n);
        encode(&client_number(n)->stanza, template, occupant);
        number(&client_number(n)->stanza);
        client_write(client_number(n), client_number(n)->stanza.text, client_number(n)->stanza.length);
    }
}

void load_say(int number, const char *text)
{
    client_write(client_number(number), text, strlen(text));
}

/* Each asks for a page of its archive as soon as it has the page before. */
void load_pages(int first, int count, const char *template)
{
    begin(PAGES, first, first + count);
    load.in_flight = count;
    for (int n = load.first; n < load.last; n++) {
        encode(&client_number(n)->stanza, template, "");
        send_stanzas(client_number(n), 1, now());
    }
}

void load_tick(void)
{
    if (load.kind != RATE || load.stopping)
        return;
    long due = (long)((now() - load.began) * (double)load.per_second);
    while (load.sent < due) {
        load.in_flight++;
        send_stanzas(client_number((int)(load.sent % load.last)), 1,
                     load.began + (double)load.sent / (double)load.per_second);
    }
}

void load_stop(void)
{
    load.stopping = true;
}

/* How many times the marker ends in these bytes; `before` is how much of it earlier ones were. "<" is only its first. */
static long count(size_t *before, const char *marker, const char *data, size_t length)
{
    size_t whole = strlen(marker), matched = *before;
    const char *end = data + length;
    long found = 0;
    for (const char *at = data; at < end;) {
        if (!matched) {
            at = memchr(at, '<', (size_t)(end - at));
            if (!at)
                break;
            matched = 1;
            at++;
        } else if (*at == marker[matched]) {
            at++;
            if (++matched == whole) {
                found++;
                matched = 0;
            }
        } else {
            matched = *at == '<' ? 1 : 0;
            at++;
        }
    }
    *before = matched;
    return found;
}

static void answer(struct client *client, long arrived)
{
    double at = now();
    for (long i = 0; i < arrived; i++) {
        double sent = recall(&client->sent);
        if (!isnan(sent))
            latency_add(at - sent);
    }
    client->handled += arrived;
    if (load.kind == CHAT && !load.stopping)
        send_stanzas(client, arrived, at);
    else
        load.in_flight -= arrived;
}

static void copy_arrived(struct client *client, long arrived)
{
    if (load.kind == PRESENCE && client->number == load.sender) {
        load.received -= arrived; /* its own, which every server sends back, is not a delivered copy */
        return;
    }
    load.in_flight -= arrived;
    if (load.in_flight > 0)
        return;
    latency_add(now() - fan_out_began);
    if (!load.stopping)
        fan_out();
}

static void entrance_seen(long arrived)
{
    load.in_flight -= arrived;
    if (load.in_flight <= 0)
        latency_add(now() - load.began);
}

static void read_page(struct client *client)
{
    const char *at = client->in.data, *last = strstr(at, LAST_START);
    while ((at = strstr(at, RESULT_END))) {
        load.results++;
        at += strlen(RESULT_END);
    }
    last_id[0] = '\0';
    if (last)
        sscanf(last + strlen(LAST_START), "%127[^<]", last_id);
    client->in.length = 0;
}

static void page_arrived(struct client *client)
{
    read_page(client);
    latency_add(now() - recall(&client->sent));
    if (load.stopping)
        load.in_flight--;
    else
        send_stanzas(client, 1, now());
}

static void stanzas_arrived(struct client *client, const char *data, size_t length)
{
    long arrived = count(&client->matched, marker, data, length);
    if (memmem(data, length, "error", 5))
        load.errors++;
    if (load.kind == PAGES)
        append(&client->in, data, length);
    if (!arrived)
        return;
    load.received += arrived;
    if (is_fan_out())
        copy_arrived(client, arrived);
    else if (load.kind == ENTRANCE)
        entrance_seen(arrived);
    else if (load.kind == PAGES)
        page_arrived(client);
    else
        answer(client, arrived);
}

void client_received(struct client *client, const char *data, size_t length)
{
    if (client->managed)
        client->owed += count(&client->asked_matched, ASKS, data, length);
    if (load.kind != IDLE)
        stanzas_arrived(client, data, length);
    if (!client->owed)
        return;
    together.length = 0;
    acknowledge(client);
    client_write(client, together.data, together.length);
}
