/*
 * The floor: a server that does nothing. It counts requests by their length alone (all of a run are of one length)
 * and answers each with the same bytes: epoll, one recv and one send a batch. No server that reads what it is asked
 * can cost less CPU per request than this, on this machine.
 *
 * usage: floor PORT REQUEST_BYTES VALUE_BYTES    (VALUE_BYTES 0: the answer is +OK)
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define FD_MAX 1024
#define BATCH_MAX 4096

static size_t pending[FD_MAX];

static void die(const char *what) {
    perror(what);
    exit(2);
}

int main(int argc, char **argv) {
    static char in[1 << 17];
    if (argc != 4) return 2;
    size_t request_bytes = strtoul(argv[2], NULL, 10), value_bytes = strtoul(argv[3], NULL, 10), reply_bytes = 5;
    char *reply = malloc(value_bytes + 64);
    if (!reply) die("malloc");
    if (value_bytes) {
        size_t head = (size_t)sprintf(reply, "$%zu\r\n", value_bytes);
        memset(reply + head, 'x', value_bytes);
        memcpy(reply + head + value_bytes, "\r\n", 2);
        reply_bytes = head + value_bytes + 2;
    } else memcpy(reply, "+OK\r\n", 5);
    char *out = malloc(reply_bytes * BATCH_MAX);
    if (!out) die("malloc");
    for (size_t i = 0; i < BATCH_MAX; i++) memcpy(out + i * reply_bytes, reply, reply_bytes);

    int listener = socket(AF_INET, SOCK_STREAM, 0), one = 1, epoll_fd = epoll_create1(0);
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argv[1]))};
    inet_pton(AF_INET, "127.0.0.1", &a.sin_addr);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(listener, (struct sockaddr *)&a, sizeof a) || listen(listener, 511)) die("listen");
    struct epoll_event e = {.events = EPOLLIN, .data.fd = listener}, events[256];
    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, listener, &e);
    for (;;) {
        int n = epoll_wait(epoll_fd, events, 256, -1);
        for (int i = 0; i < n; i++) {
            int fd = events[i].data.fd;
            if (fd == listener) {
                fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
                if (fd < 0 || fd >= FD_MAX) die("accept");
                setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
                pending[fd] = 0;
                e = (struct epoll_event){.events = EPOLLIN, .data.fd = fd};
                epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &e);
                continue;
            }
            ssize_t got = recv(fd, in, sizeof in, 0);
            if (got <= 0) {
                close(fd);
                continue;
            }
            pending[fd] += (size_t)got;
            size_t replies = pending[fd] / request_bytes;
            pending[fd] %= request_bytes;
            while (replies) {
                size_t batch = replies < BATCH_MAX ? replies : BATCH_MAX;
                if (send(fd, out, batch * reply_bytes, MSG_NOSIGNAL) != (ssize_t)(batch * reply_bytes)) die("send");
                replies -= batch;
            }
        }
    }
}
