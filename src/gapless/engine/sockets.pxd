"""What the loop asks of the system: epoll, sockets, the eventfd that wakes it, the process's resident memory."""
from libc.stdint cimport int64_t, uint32_t, uint64_t


cdef extern from * nogil:
    """
    #ifndef GAPLESS_SOCKETS_H
    #define GAPLESS_SOCKETS_H
    #include <arpa/inet.h>
    #include <fcntl.h>
    #include <netinet/in.h>
    #include <netinet/tcp.h>
    #include <poll.h>
    #include <sys/epoll.h>
    #include <sys/eventfd.h>
    #include <sys/socket.h>
    #include <sys/un.h>
    #include <unistd.h>

    /* "127.0.0.1:6379", "[::1]:6379", "/path:0"; returns 1 when it is loopback or a Unix socket. */
    static inline int gapless_address(int fd, int peer, char *out, size_t n, int *is_unix) {
        struct sockaddr_storage s; socklen_t len = sizeof(s);
        char ip[INET6_ADDRSTRLEN] = "";
        memset(&s, 0, sizeof(s));
        *is_unix = 0;
        if ((peer ? getpeername : getsockname)(fd, (struct sockaddr *)&s, &len)) { snprintf(out, n, "?:0"); return 0; }
        if (s.ss_family == AF_INET) {
            struct sockaddr_in *a = (struct sockaddr_in *)&s;
            inet_ntop(AF_INET, &a->sin_addr, ip, sizeof(ip));
            snprintf(out, n, "%s:%d", ip, ntohs(a->sin_port));
            return (ntohl(a->sin_addr.s_addr) >> 24) == 127;
        }
        if (s.ss_family == AF_INET6) {
            struct sockaddr_in6 *a = (struct sockaddr_in6 *)&s;
            inet_ntop(AF_INET6, &a->sin6_addr, ip, sizeof(ip));
            snprintf(out, n, "[%s]:%d", ip, ntohs(a->sin6_port));
            return IN6_IS_ADDR_LOOPBACK(&a->sin6_addr);
        }
        *is_unix = 1;
        if (peer) { len = sizeof(s); getsockname(fd, (struct sockaddr *)&s, &len); }
        snprintf(out, n, "%.100s:0", len > sizeof(sa_family_t) ? ((struct sockaddr_un *)&s)->sun_path : "");
        return 1;
    }
    static inline void gapless_tune(int fd, int keepalive_s) {
        int on = 1, interval = keepalive_s / 3 ? keepalive_s / 3 : 1, count = 3;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        if (keepalive_s <= 0) return;
        setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
        setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &keepalive_s, sizeof(keepalive_s));
        setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof(interval));
        setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof(count));
    }
    static inline int gapless_accept(int fd) { return accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC); }
    static inline int gapless_epoll(int epfd, int op, int fd, uint32_t events, void *p) {
        struct epoll_event e; memset(&e, 0, sizeof(e)); e.events = events; e.data.ptr = p;
        return epoll_ctl(epfd, op, fd, &e);
    }
    static inline int gapless_eventfd(void) { return eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC); }
    static inline void gapless_signal(int fd) { uint64_t one = 1; ssize_t n = write(fd, &one, 8); (void)n; }
    /* Waits until there is something to read, at most so long (negative: for ever), or until a signal comes. */
    static inline int gapless_readable(int fd, int64_t timeout_us) {
        struct pollfd p = {fd, POLLIN, 0};
        struct timespec t = {timeout_us / 1000000, timeout_us % 1000000 * 1000};
        return ppoll(&p, 1, timeout_us < 0 ? NULL : &t, NULL) > 0;
    }
    static inline void gapless_drain(int fd) { uint64_t v; ssize_t n = read(fd, &v, 8); (void)n; }
    static inline int gapless_statm(void) { return open("/proc/self/statm", O_RDONLY | O_CLOEXEC); }
    static inline uint64_t gapless_resident(int fd) {
        char text[128]; unsigned long long size, resident = 0;
        ssize_t n = fd < 0 ? -1 : pread(fd, text, sizeof(text) - 1, 0);
        if (n <= 0) return 0;
        text[n] = 0;
        if (sscanf(text, "%llu %llu", &size, &resident) != 2) return 0;
        return resident * (uint64_t)sysconf(_SC_PAGESIZE);
    }
    #endif
    """
    ctypedef union epoll_data_t:
        void* ptr
    struct epoll_event:
        uint32_t events
        epoll_data_t data
    int epoll_create1(int flags)
    int epoll_wait(int epfd, epoll_event* events, int maxevents, int timeout)
    ssize_t recv(int fd, void* buf, size_t n, int flags)
    ssize_t send(int fd, const void* buf, size_t n, int flags)
    int close(int fd)
    int EPOLLIN
    int EPOLLOUT
    int EPOLLERR
    int EPOLLHUP
    int EPOLLRDHUP
    int EPOLL_CTL_ADD
    int EPOLL_CTL_MOD
    int EPOLL_CLOEXEC
    int MSG_NOSIGNAL
    int MSG_DONTWAIT
    int MSG_PEEK
    int gapless_address(int fd, int peer, char* out, size_t n, int* is_unix)
    void gapless_tune(int fd, int keepalive_s)
    int gapless_accept(int fd)
    int gapless_epoll(int epfd, int op, int fd, uint32_t events, void* p)
    int gapless_eventfd()
    int gapless_readable(int fd, int64_t timeout_us)
    void gapless_signal(int fd)
    void gapless_drain(int fd)
    int gapless_statm()
    uint64_t gapless_resident(int fd)
