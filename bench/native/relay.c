/* The floor: TLS and nothing else. Connections name themselves by a number and a line feed; what 2n sends goes to
   2n + 1, and back.     relay PORT CERTIFICATE KEY                                                                */
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

#define LARGEST 4096
#define EVENTS 256

struct peer {
    int fd, number;
    SSL *ssl;
};

static struct peer *peers[LARGEST];
static SSL_CTX *context;
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

static void take(int listener)
{
    int fd, one = 1;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        struct peer *peer = calloc(1, sizeof *peer);
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        peer->fd = fd;
        peer->number = -1;
        peer->ssl = SSL_new(context);
        SSL_set_fd(peer->ssl, fd);
        SSL_set_accept_state(peer->ssl);
        watch(fd, peer);
    }
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
        SSL_write(other->ssl, data, (int)length); /* a few KiB under way: the socket takes them */
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

int main(int count, char **arguments)
{
    check(count == 4, "relay PORT CERTIFICATE KEY");
    signal(SIGPIPE, SIG_IGN);
    context = SSL_CTX_new(TLS_server_method());
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_read_ahead(context, 1);
    check(SSL_CTX_use_certificate_chain_file(context, arguments[2]) == 1, arguments[2]);
    check(SSL_CTX_use_PrivateKey_file(context, arguments[3], SSL_FILETYPE_PEM) == 1, arguments[3]);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(arguments[1]))};
    inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
    int one = 1, listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    check(bind(listener, (struct sockaddr *)&address, sizeof address) == 0, "bind");
    check(listen(listener, 1024) == 0, "listen");
    poller = epoll_create1(0);
    watch(listener, NULL);
    struct epoll_event events[EVENTS];
    for (;;) {
        int ready = epoll_wait(poller, events, EVENTS, -1);
        for (int i = 0; i < ready; i++) {
            if (events[i].data.ptr)
                receive(events[i].data.ptr);
            else
                take(listener);
        }
    }
}
