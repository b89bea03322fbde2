/* RFC 6120: a client that logs in by looking for the strings it waits for. Nothing is parsed. */
#define _GNU_SOURCE
#include "client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define READ_SIZE 65536
#define FEATURES_END "</stream:features>"
/* Clients come from 127.0.0.1 and so many addresses after it: one has 28,000 ports for all that come and go. */
#define SOURCES 16
#define NS_SASL "urn:ietf:params:xml:ns:xmpp-sasl"
#define NS_SM "urn:xmpp:sm:3"
#define NS_SASL2 "urn:xmpp:sasl:2"
#define NS_FAST "urn:xmpp:fast:0"
#define TOKEN_START " token="
#define INSTALLATION "d4565fa7-4d72-4749-b3d3-740edbf87770" /* each account has one client */

struct options options;
static SSL_CTX *context;
static int poller;

double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

void die(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    exit(1);
}

static bool lives_far(int number)
{
    return options.far_domain && number % 2;
}

const char *domain_of(int number)
{
    return lives_far(number) ? options.far_domain : options.domain;
}

void append(struct buffer *buffer, const char *data, size_t length)
{
    if (buffer->length + length + 1 > buffer->size) {
        buffer->size = (buffer->length + length + 1) * 2;
        buffer->data = realloc(buffer->data, buffer->size);
    }
    memcpy(buffer->data + buffer->length, data, length);
    buffer->length += length;
    buffer->data[buffer->length] = '\0';
}

static void forget(struct buffer *buffer)
{
    free(buffer->data);
    *buffer = (struct buffer){0};
}

void encode(struct stanza *stanza, const char *template, const char *to)
{
    struct buffer text = {0};
    stanza->slot_count = 0;
    for (const char *at = template; *at;) {
        if (!strncmp(at, "@TO@", 4)) {
            append(&text, to, strlen(to));
            at += 4;
        } else if (!strncmp(at, "@ID@", 4) && stanza->slot_count < 4) {
            stanza->slots[stanza->slot_count++] = text.length;
            append(&text, "0000000000", SLOT_DIGITS);
            at += 4;
        } else {
            append(&text, at++, 1);
        }
    }
    free(stanza->text);
    stanza->text = text.data;
    stanza->length = text.length;
}

void clients_begin(int epoll)
{
    poller = epoll;
    context = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION);
    SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_read_ahead(context, 1);
}

/* Sockets */

static void watch(struct client *client, int operation, unsigned events)
{
    struct epoll_event event = {.events = events, .data.ptr = client};
    if (epoll_ctl(poller, operation, client->fd, &event) < 0)
        die("epoll: %s", strerror(errno));
}

/* The kernel chooses the port when it knows where to, so that each address can use all of them. */
static void take_source(int fd, int number)
{
    struct sockaddr_in source = {.sin_family = AF_INET};
    int one = 1;
    source.sin_addr.s_addr = htonl(INADDR_LOOPBACK + (uint32_t)(number % SOURCES));
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
    if (bind(fd, (struct sockaddr *)&source, sizeof source) < 0)
        die("bind: %s", strerror(errno));
}

void client_connect(struct client *client, int number)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)(lives_far(number) ? options.far_port : options.port))};
    inet_pton(AF_INET, options.host, &address.sin_addr);
    int one = 1;
    client->number = number;
    client->began = now();
    client->failed = client->waits_for_room = client->needs_session = false;
    client->managed = false;
    client->matched = client->asked_matched = 0;
    client->handled = client->owed = client->unasked = 0;
    client->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (client->fd < 0)
        die("socket: %s", strerror(errno));
    setsockopt(client->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    take_source(client->fd, number);
    client->state = CONNECTED;
    if (connect(client->fd, (struct sockaddr *)&address, sizeof address) < 0 && errno != EINPROGRESS)
        die("connect: %s", strerror(errno));
    watch(client, EPOLL_CTL_ADD, EPOLLIN | EPOLLOUT);
}

void client_close(struct client *client)
{
    if (client->state == CLOSED)
        return;
    client->state = CLOSED;
    SSL_free(client->ssl);
    client->ssl = NULL;
    close(client->fd);
    forget(&client->in);
    forget(&client->out);
    client->sent.count = 0;
}

static void give_up(struct client *client, const char *reason)
{
    client_close(client);
    client->failed = true;
    client_failed(client, reason);
}

/* How many bytes; 0: not now; -1: it is over. */
static ssize_t outcome(struct client *client, ssize_t result)
{
    if (result > 0)
        return result;
    if (!client->ssl)
        return result < 0 && (errno == EAGAIN || errno == EWOULDBLOCK) ? 0 : -1;
    int error = SSL_get_error(client->ssl, (int)result);
    return error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE ? 0 : -1;
}

static ssize_t put(struct client *client, const char *data, size_t length)
{
    ERR_clear_error();
    return outcome(client, client->ssl ? SSL_write(client->ssl, data, (int)length) : write(client->fd, data, length));
}

static ssize_t get(struct client *client, char *data, size_t length)
{
    ERR_clear_error();
    return outcome(client, client->ssl ? SSL_read(client->ssl, data, (int)length) : read(client->fd, data, length));
}

static void flush(struct client *client)
{
    size_t done = 0;
    while (done < client->out.length) {
        ssize_t taken = put(client, client->out.data + done, client->out.length - done);
        if (taken <= 0)
            break; /* an error is found when reading */
        done += (size_t)taken;
    }
    memmove(client->out.data, client->out.data + done, client->out.length - done);
    client->out.length -= done;
    bool waits = client->out.length > 0;
    if (waits != client->waits_for_room)
        watch(client, EPOLL_CTL_MOD, EPOLLIN | (waits ? EPOLLOUT : 0));
    client->waits_for_room = waits;
}

void client_write(struct client *client, const char *data, size_t length)
{
    if (client->state == CLOSED)
        return;
    if (!client->out.length) {
        ssize_t taken = put(client, data, length);
        if (taken == (ssize_t)length)
            return;
        if (taken > 0) {
            data += taken;
            length -= (size_t)taken;
        }
    }
    append(&client->out, data, length);
    flush(client);
}

static void say(struct client *client, const char *format, ...)
{
    char *text;
    va_list arguments;
    va_start(arguments, format);
    int length = vasprintf(&text, format, arguments);
    va_end(arguments);
    client_write(client, text, (size_t)length);
    free(text);
}

/* The steps */

static void open_stream(struct client *client, enum state next)
{
    say(client,
        "<?xml version='1.0'?><stream:stream to='%s' version='1.0' xml:lang='en' xmlns='jabber:client' "
        "xmlns:stream='http://etherx.jabber.org/streams'>",
        domain_of(client->number));
    client->state = next;
}

static void name_itself(struct client *client)
{
    say(client, "%d\n", client->number);
    client->state = READY;
    client_ready(client);
}

static void shake_hands(struct client *client)
{
    if (!client->ssl) {
        client->ssl = SSL_new(context);
        SSL_set_fd(client->ssl, client->fd);
        SSL_set_tlsext_host_name(client->ssl, domain_of(client->number));
        client->state = HANDSHAKE;
    }
    ERR_clear_error();
    int result = SSL_connect(client->ssl);
    if (result != 1) {
        if (outcome(client, result) < 0)
            give_up(client, "the TLS handshake failed");
        return;
    }
    if (options.transport == RELAY)
        name_itself(client);
    else
        open_stream(client, AUTH_FEATURES);
}

static void begin(struct client *client)
{
    watch(client, EPOLL_CTL_MOD, EPOLLIN);
    if (options.transport == DIRECT_TLS || options.transport == RELAY)
        shake_hands(client);
    else if (options.transport == PLAIN_RELAY)
        name_itself(client);
    else
        open_stream(client, options.transport == PLAIN ? AUTH_FEATURES : TLS_FEATURES);
}

/* XEP-0388, with resource binding (XEP-0386) in the same request, and a token, or the wish for one (XEP-0484). */
static void authenticate_at_once(struct client *client)
{
    bool has_token = client->token[0];
    char *data = has_token ? signed_token(client) : scram_first(client);
    client->state = has_token ? SUCCESS : CHALLENGE;
    say(client,
        "<authenticate xmlns='" NS_SASL2 "' mechanism='%s'><initial-response>%s</initial-response><user-agent id='"
        INSTALLATION "'><software>bench</software></user-agent><bind xmlns='urn:xmpp:bind:0'/>%s</authenticate>",
        has_token ? "HT-SHA-256-NONE" : "SCRAM-SHA-1", data,
        has_token ? "<fast xmlns='" NS_FAST "'/>"
                  : "<request-token xmlns='" NS_FAST "' mechanism='HT-SHA-256-NONE'/>");
    free(data);
}

/* Nothing else in this answer has an attribute of that name. */
static void keep_token(struct client *client)
{
    const char *found = strstr(client->in.data, TOKEN_START);
    if (found)
        sscanf(found + strlen(TOKEN_START) + 1, "%255[^'\"]", client->token);
}

static void authenticate(struct client *client)
{
    char *text, *data;
    if (options.mechanism == FAST) {
        authenticate_at_once(client);
        return;
    }
    if (options.mechanism == SASL_SCRAM_SHA_1) {
        data = scram_first(client);
        client->state = CHALLENGE;
    } else {
        int length = asprintf(&text, "%cu%d%c%s", 0, client->number, 0, options.password);
        data = to_base64(text, (size_t)length);
        free(text);
        client->state = SUCCESS;
    }
    say(client, "<auth xmlns='" NS_SASL "' mechanism='%s'>%s</auth>",
        options.mechanism == SASL_SCRAM_SHA_1 ? "SCRAM-SHA-1" : "PLAIN", data);
    free(data);
}

static void respond(struct client *client)
{
    char *end = strstr(client->in.data, "</challenge>"), *start = end;
    while (start > client->in.data && start[-1] != '>')
        start--;
    char *data = scram_final(client, start, (size_t)(end - start));
    if (!data) {
        give_up(client, "this challenge is not SCRAM's");
        return;
    }
    client->state = SUCCESS;
    say(client, "<response xmlns='%s'>%s</response>", options.mechanism == FAST ? NS_SASL2 : NS_SASL, data);
    free(data);
}

static void bind_resource(struct client *client)
{
    const char *session = strstr(client->in.data, "urn:ietf:params:xml:ns:xmpp-session");
    client->needs_session = session && !strstr(client->in.data, "<optional");
    client->state = BOUND;
    say(client, "<iq type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>"
                "<resource>bench</resource></bind></iq>");
}

static void ask_for_roster(struct client *client)
{
    if (client->state == BOUND && client->needs_session) {
        client->state = SESSION;
        say(client, "<iq type='set' id='session'><session xmlns='urn:ietf:params:xml:ns:xmpp-session'/></iq>");
        return;
    }
    client->state = ROSTER;
    say(client, "<iq type='get' id='roster'><query xmlns='jabber:iq:roster'/></iq>");
}

static const char *awaited(const struct client *client)
{
    switch (client->state) {
    case TLS_FEATURES:
    case AUTH_FEATURES:
    case BIND_FEATURES:
        return FEATURES_END;
    case PROCEED:
        return "<proceed";
    case CHALLENGE:
        return "</challenge>";
    case SUCCESS:
        return options.mechanism == FAST ? FEATURES_END : "<success";
    case PONG:
        return "<iq";
    case ENABLED:
        return "<enabled";
    default:
        return "</iq>";
    }
}

/* Last of all, so that what is counted from now on are messages. */
static void enable(struct client *client)
{
    client->state = ENABLED;
    say(client, "<enable xmlns='" NS_SM "' resume='true'/>");
}

static void end_login(struct client *client)
{
    client->managed = client->state == ENABLED;
    client->owed = client->managed && strstr(client->in.data, ASKS) ? 1 : 0;
    client->state = READY;
    client_ready(client);
}

static void step(struct client *client)
{
    switch (client->state) {
    case TLS_FEATURES:
        client->state = PROCEED;
        say(client, "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
        break;
    case PROCEED:
        shake_hands(client);
        break;
    case AUTH_FEATURES:
        authenticate(client);
        break;
    case CHALLENGE:
        respond(client);
        break;
    case SUCCESS:
        if (options.mechanism == FAST) {
            keep_token(client);
            if (client->token[0])
                ask_for_roster(client);
            else
                give_up(client, "it was given no token");
        } else {
            open_stream(client, BIND_FEATURES);
        }
        break;
    case BIND_FEATURES:
        bind_resource(client);
        break;
    case BOUND:
    case SESSION:
        ask_for_roster(client);
        break;
    case ROSTER:
        /* Not every server sends one's own presence back, so an answer to a ping says that it was handled. */
        client->state = PONG;
        say(client, "<presence/><iq type='get' id='ping' to='%s'><ping xmlns='urn:xmpp:ping'/></iq>",
            domain_of(client->number));
        break;
    case PONG:
        if (options.managed) {
            enable(client);
            break;
        }
        /* fall through */
    default:
        end_login(client);
    }
}

static void negotiate(struct client *client, const char *data, size_t length)
{
    append(&client->in, data, length);
    if (strstr(client->in.data, "<failure") || strstr(client->in.data, "<failed") || strstr(client->in.data, "<stream:error") ||
        strstr(client->in.data, "='error'") || strstr(client->in.data, "=\"error\"")) {
        char reason[400];
        snprintf(reason, sizeof reason, "state %d: %s", client->state, client->in.data);
        give_up(client, reason);
        return;
    }
    /* An answer is awaited before the next question, so what came belongs to this step alone. */
    const char *found = strstr(client->in.data, awaited(client));
    if (!found || !strchr(found, '>'))
        return;
    enum state before = client->state;
    step(client);
    if (client->state == before)
        return;
    if (client->state == READY || client->state == CLOSED)
        forget(&client->in);
    else
        client->in.length = 0;
}

void client_event(struct client *client, unsigned events)
{
    static char data[READ_SIZE];
    if (client->state == CONNECTED) {
        if (events & (EPOLLERR | EPOLLHUP))
            give_up(client, "the connection was refused");
        else
            begin(client);
        return;
    }
    if (client->state == HANDSHAKE) {
        shake_hands(client);
        if (client->state == HANDSHAKE || client->state == CLOSED)
            return;
    }
    if (events & EPOLLOUT)
        flush(client);
    ssize_t length;
    do {
        length = get(client, data, sizeof data);
        if (length < 0) {
            give_up(client, "the server closed the connection");
            return;
        }
        if (length > 0 && client->state == READY)
            client_received(client, data, (size_t)length);
        else if (length > 0)
            negotiate(client, data, (size_t)length);
        /* What OpenSSL has taken from the socket already raises no further event. */
    } while (length > 0 && client->state != CLOSED && client->ssl && SSL_has_pending(client->ssl));
}
