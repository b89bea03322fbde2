/* The load generator: one line in says what to do, one line of JSON out says how it went.

   generator HOST PORT plain|starttls|direct|relay|plain-relay PLAIN|SCRAM-SHA-1|FAST DOMAIN PASSWORD

   message TEMPLATE | presence TEMPLATE | query TEMPLATE      what is sent; @TO@ and @ID@ are filled in
   far PORT DOMAIN                        clients with an odd number live there, and not where the others do
   manage                                 who logs in from now on turns on stream management (XEP-0198)
   login FIRST COUNT WINDOW               clients FIRST and so on log in, WINDOW of them at the same time
   logout FIRST COUNT | drop FIRST COUNT  they close their streams, or only their sockets
   chat FIRST PAIRS IN_FLIGHT             from FIRST on, which is even: 2n and 2n + 1 answer each other's messages
   rate PAIRS PER_SECOND                  messages at a fixed rate, whatever comes back
   update SENDER FIRST COUNT              SENDER changes presence when all others of these have the last one
   say NUMBER STANZA                      one client sends it
   enter ROOM FIRST COUNT COPIES          they enter a room at once, and see so many presences there altogether
   discuss ROOM SENDER FIRST COUNT        SENDER speaks when all of these have what it said before
   pages FIRST COUNT                      each asks for a page of its archive when it has the one before
   last                                   the id of the last message on the last page
   count | reset                          what was sent and received; reset begins new latencies
   lap                                    the latencies since the last lap; those of `count` go on
   stop                                   nothing new is sent; answers when all has arrived, or after 5 s
   quit                                                                                                      */
#define _GNU_SOURCE
#include "load.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define EVENTS 256
#define PATIENCE 5.0
#define LOGIN_PATIENCE 60.0
#define STREAM_END "</stream:stream>"

static struct client **clients;
static int client_count;
static char *message_template, *presence_template, *query_template;
static char timer; /* its address marks the timer's events */

static struct {
    bool active;
    int next, end, window, under_way, ready, failed;
    double began, deadline;
} login;
static struct {
    bool active;
    double deadline;
} stop;

struct client *client_number(int number)
{
    if (number >= client_count) {
        clients = realloc(clients, (size_t)(number + 1) * sizeof *clients);
        for (; client_count <= number; client_count++)
            clients[client_count] = calloc(1, sizeof **clients);
    }
    return clients[number];
}

/* Logins */

static void begin_logins(void)
{
    while (login.under_way < login.window && login.next < login.end) {
        login.under_way++;
        client_connect(client_number(login.next), login.next);
        login.next++;
    }
}

static void print_seconds(const char *name, double seconds)
{
    if (isnan(seconds))
        printf(", \"%s\": null", name);
    else
        printf(", \"%s\": %.6f", name, seconds);
}

static void print_latencies(double (*quantile)(double))
{
    print_seconds("p50", quantile(0.5));
    print_seconds("p99", quantile(0.99));
    print_seconds("longest", quantile(1));
    printf("}\n");
    fflush(stdout);
}

static void end_login(void)
{
    login.active = false;
    printf("{\"ready\": %d, \"failed\": %d, \"seconds\": %.6f", login.ready, login.failed, now() - login.began);
    print_latencies(latency_quantile);
}

static void login_done(void)
{
    login.under_way--;
    begin_logins();
    if (!login.under_way && login.active)
        end_login();
}

void client_ready(struct client *client)
{
    login.ready++;
    latency_add(now() - client->began);
    login_done();
}

void client_failed(struct client *client, const char *reason)
{
    fprintf(stderr, "client %d: %s\n", client->number, reason);
    load.errors++;
    if (login.active) {
        login.failed++;
        login_done();
    }
}

static void begin_login(int first, int count, int window)
{
    double began = now();
    latency_reset();
    login.active = true;
    login.next = first;
    login.end = first + count;
    login.window = window;
    login.under_way = login.ready = login.failed = 0;
    login.began = began;
    login.deadline = began + LOGIN_PATIENCE;
    begin_logins();
}

/* Commands */

static void report_with(double (*quantile)(double))
{
    printf("{\"time\": %.6f, \"sent\": %ld, \"received\": %ld, \"errors\": %ld, \"in_flight\": %ld, "
           "\"results\": %ld", now(), load.sent, load.received, load.errors, load.in_flight, load.results);
    print_latencies(quantile);
}

static void report(void)
{
    report_with(latency_quantile);
}

static void leave(int first, int count, bool politely)
{
    for (int n = first; n < first + count; n++) {
        struct client *client = client_number(n);
        if (politely)
            client_write(client, STREAM_END, strlen(STREAM_END));
        client_close(client);
    }
    report();
}

static void do_command(char *line)
{
    int a, b, c, at;
    long copies;
    char room[200], domain[200];
    if (!strncmp(line, "message ", 8)) {
        message_template = strdup(line + 8);
        report();
    } else if (!strncmp(line, "presence ", 9)) {
        presence_template = strdup(line + 9);
        report();
    } else if (!strncmp(line, "query ", 6)) {
        query_template = strdup(line + 6);
        report();
    } else if (sscanf(line, "far %d %199s", &a, domain) == 2) {
        options.far_port = a;
        options.far_domain = strdup(domain);
        report();
    } else if (!strcmp(line, "manage")) {
        options.managed = true;
        report();
    } else if (sscanf(line, "pages %d %d", &a, &b) == 2) {
        load_pages(a, b, query_template);
        report();
    } else if (!strcmp(line, "last")) {
        printf("{\"last\": \"%s\"}\n", last_id);
        fflush(stdout);
    } else if (sscanf(line, "login %d %d %d", &a, &b, &c) == 3) {
        begin_login(a, b, c);
    } else if (sscanf(line, "logout %d %d", &a, &b) == 2) {
        leave(a, b, true);
    } else if (sscanf(line, "drop %d %d", &a, &b) == 2) {
        leave(a, b, false);
    } else if (sscanf(line, "chat %d %d %d", &a, &b, &c) == 3) {
        load_chat(a, b, c, message_template);
        report();
    } else if (sscanf(line, "rate %d %d", &a, &b) == 2) {
        load_rate(a, b, message_template);
        report();
    } else if (sscanf(line, "update %d %d %d", &a, &b, &c) == 3) {
        load_presence(a, b, b + c, presence_template);
        report();
    } else if (sscanf(line, "say %d %n", &a, &at) == 1) {
        load_say(a, line + at);
        report();
    } else if (sscanf(line, "enter %199s %d %d %ld", room, &a, &b, &copies) == 4) {
        load_entrance(room, a, b, copies, presence_template);
        report();
    } else if (sscanf(line, "discuss %199s %d %d %d", room, &a, &b, &c) == 4) {
        load_discussion(room, a, b, b + c, message_template);
        report();
    } else if (!strcmp(line, "count")) {
        report();
    } else if (!strcmp(line, "reset")) {
        latency_reset();
        report();
    } else if (!strcmp(line, "lap")) {
        report_with(latency_lap_quantile);
        latency_lap();
    } else if (!strcmp(line, "stop")) {
        load_stop();
        stop.active = true;
        stop.deadline = now() + PATIENCE;
    } else if (!strcmp(line, "quit")) {
        exit(0);
    } else {
        die("no such command: %s", line);
    }
}

static void read_commands(void)
{
    static struct buffer input;
    char data[4096];
    ssize_t length = read(STDIN_FILENO, data, sizeof data);
    if (length == 0)
        exit(0);
    if (length < 0)
        return;
    append(&input, data, (size_t)length);
    char *end;
    while ((end = memchr(input.data, '\n', input.length))) {
        *end = '\0';
        do_command(input.data);
        size_t used = (size_t)(end + 1 - input.data);
        memmove(input.data, end + 1, input.length - used);
        input.length -= used;
    }
}

static void look_at_clock(void)
{
    if (login.active && now() > login.deadline) {
        for (int n = 0; n < login.next; n++)
            if (client_number(n)->state != READY && client_number(n)->state != CLOSED)
                fprintf(stderr, "client %d waits in state %d after %g s: %.300s\n", n, client_number(n)->state,
                        LOGIN_PATIENCE, client_number(n)->in.data);
        login.failed += login.under_way;
        end_login();
    }
    if (stop.active && (load.in_flight <= 0 || now() > stop.deadline)) {
        stop.active = false;
        load.kind = IDLE;
        report();
    }
}

/* The loop */

static int start_timer(int poller)
{
    struct itimerspec every = {.it_interval = {0, 1000000}, .it_value = {0, 1000000}};
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = &timer};
    int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (fd < 0 || timerfd_settime(fd, 0, &every, NULL) < 0 || epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event) < 0)
        die("timer: %s", strerror(errno));
    return fd;
}

static void run(int poller)
{
    struct epoll_event events[EVENTS];
    int timer_fd = start_timer(poller);
    unsigned long long ticks;
    for (;;) {
        int count = epoll_wait(poller, events, EVENTS, -1);
        for (int i = 0; i < count; i++) {
            if (!events[i].data.ptr) {
                read_commands();
            } else if (events[i].data.ptr == &timer) {
                if (read(timer_fd, &ticks, sizeof ticks) > 0)
                    load_tick();
                look_at_clock();
            } else {
                struct client *client = events[i].data.ptr;
                if (client->state != CLOSED)
                    client_event(client, events[i].events);
            }
        }
    }
}

static enum transport transport_named(const char *name)
{
    const char *names[] = {"plain", "starttls", "direct", "relay", "plain-relay"};
    for (int i = 0; i < 5; i++)
        if (!strcmp(name, names[i]))
            return (enum transport)i;
    die("no such transport: %s", name);
}

static enum mechanism mechanism_named(const char *name)
{
    const char *names[] = {"PLAIN", "SCRAM-SHA-1", "FAST"};
    for (int i = 0; i < 3; i++)
        if (!strcmp(name, names[i]))
            return (enum mechanism)i;
    die("no such mechanism: %s", name);
}

int main(int count, char **arguments)
{
    if (count != 7)
        die("generator HOST PORT TRANSPORT MECHANISM DOMAIN PASSWORD");
    signal(SIGPIPE, SIG_IGN);
    options = (struct options){
        .host = arguments[1],
        .port = atoi(arguments[2]),
        .transport = transport_named(arguments[3]),
        .mechanism = mechanism_named(arguments[4]),
        .domain = arguments[5],
        .password = arguments[6],
    };
    int poller = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    fcntl(STDIN_FILENO, F_SETFL, O_NONBLOCK);
    if (epoll_ctl(poller, EPOLL_CTL_ADD, STDIN_FILENO, &event) < 0)
        die("epoll: %s", strerror(errno));
    clients_begin(poller);
    run(poller);
}
