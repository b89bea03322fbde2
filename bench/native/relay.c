/* The floor: TLS and nothing else. Connections name themselves by a number and a line feed; what 2n sends goes to
   2n + 1, and back.     relay PORT PLAIN_PORT CERTIFICATE KEY                 On the second port there is no TLS. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define LARGEST 8192
#define EVENTS 256

struct peer {
    int fd, number;
    SSL *ssl;
};

static struct peer *peers[LARGEST];
static SSL_CTX *context;
static int listener, plain_listener;
static int poller;

static void check(bool good, const char *what)
{
    if (!good) {
        perror(what);
        ERR_print_errors_fp(stderr);
        exit(1);
    }
}

static void watch(int fd, void *data)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = data};
    check(epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event) == 0, "epoll");
}

static void leave(struct peer *peer)
{
    if (peer->number >= 0)
        peers[peer->number] = NULL;
    close(peer->fd);
    SSL_free(peer->ssl);
    free(peer);
}

static void take(int from)
{
    int fd, one = 1;
    while ((fd = accept4(from, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        struct peer *peer = calloc(1, sizeof *peer);
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        peer->fd = fd;
        peer->number = -1;
        if (from == listener) {
            peer->ssl = SSL_new(context);
            SSL_set_fd(peer->ssl, fd);
            SSL_set_accept_state(peer->ssl);
        }
        watch(fd, peer);
    }
}

/* A few KiB are under way: the socket takes them. */
static void put(struct peer *peer, const char *data, size_t length)
{
    if (peer->ssl)
        SSL_write(peer->ssl, data, (int)length);
    else if (write(peer->fd, data, length) != (ssize_t)length)
        fprintf(stderr, "%d does not read\n", peer->number);
}

static void pass_on(struct peer *peer, char *data, size_t length)
{
    if (peer->number < 0) { /* the first bytes are its name */
        char *end = memchr(data, '\n', length);
        int number = end ? atoi(data) : -1;
        if (number < 0 || number >= LARGEST)
            return;
        peer->number = number;
        peers[number] = peer;
        length -= (size_t)(end + 1 - data);
        data = end + 1;
    }
    struct peer *other = peers[peer->number ^ 1];
    if (length && other)
        put(other, data, length);
}

static void receive_plain(struct peer *peer)
{
    static char data[65536];
    ssize_t length = read(peer->fd, data, sizeof data);
    if (length > 0)
        pass_on(peer, data, (size_t)length);
    else if (length == 0 || (errno != EAGAIN && errno != EINTR))
        leave(peer);
}

static void receive(struct peer *peer)
{
    static char data[65536];
    do {
        ERR_clear_error();
        int length = SSL_read(peer->ssl, data, sizeof data);
        if (length <= 0) {
            int error = SSL_get_error(peer->ssl, length);
            if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE)
                leave(peer);
            return;
        }
        pass_on(peer, data, (size_t)length);
    } while (SSL_has_pending(peer->ssl));
}

static int listen_on(int port, void *name)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    check(bind(fd, (struct sockaddr *)&address, sizeof address) == 0, "bind");
    check(listen(fd, 1024) == 0, "listen");
    watch(fd, name);
    return fd;
}

static void prepare_tls(const char *certificate, const char *key)
{
    context = SSL_CTX_new(TLS_server_method());
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_read_ahead(context, 1);
    check(SSL_CTX_use_certificate_chain_file(context, certificate) == 1, certificate);
    check(SSL_CTX_use_PrivateKey_file(context, key, SSL_FILETYPE_PEM) == 1, key);
}

static void handle(void *data)
{
    if (data == &listener || data == &plain_listener)
        take(*(int *)data);
    else if (((struct peer *)data)->ssl)
        receive(data);
    else
        receive_plain(data);
}

int main(int count, char **arguments)
{
    check(count == 5, "relay PORT PLAIN_PORT CERTIFICATE KEY");
    signal(SIGPIPE, SIG_IGN);
    prepare_tls(arguments[3], arguments[4]);
    poller = epoll_create1(0);
    listener = listen_on(atoi(arguments[1]), &listener);
    plain_listener = listen_on(atoi(arguments[2]), &plain_listener);
    struct epoll_event events[EVENTS];
    for (;;) {
        int ready = epoll_wait(poller, events, EVENTS, -1);
        for (int i = 0; i < ready; i++)
            handle(events[i].data.ptr);
    }
}
