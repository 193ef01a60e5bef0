/*
 * Load generator of `make bench`: one thread, epoll, N clients, each a closed loop of P pipelined commands.
 *
 * Why not redis-benchmark: at pipeline 64 it costs more CPU per request than the servers it is to measure, and it
 * does not look at what it is answered. This one patches keys into prebuilt requests, parses every reply, and checks
 * that a GET answers the value that belongs to its key (a value starts with the digits of its key's number).
 *
 * Operations:
 *   fill       SET every key once, in order
 *   set, get   keys drawn from --dist
 *   cache      GET; what was missing is SET in the next batch (cache-aside)
 *   raw        --command, its {words} being 12 digits: {k} a number below --keys at random, {e} one below --elements,
 *              {r} one below a milliard, {n} 0, 1, 2... from request to request, {p} the same below --keys, shuffled;
 *              replies are looked at for errors only
 * Sizes between --value-min and --value-max are drawn anew for each SET; the sum of live key and value bytes is
 * known here (each --progress-ms it is printed as a line), which is what a server's memory is compared with. It is
 * exact for one client; two that write one key at once may be served in another order than they were sent.
 * With --rate a client rests after its batch until that many requests a second leave room for the next one.
 * --unchecked is for the floor, which answers every GET with the same value.
 * The sizes `fill` gives follow from key number and --seed alone, so a later `set` with the same seed knows them.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "histogram.h"
#include "random.h"

#define KEY_BYTES 16 /* "key:" and 12 digits */
#define DIGITS 12
#define READ_BYTES_MIN (1 << 17)
#define SHUFFLE 7368787 /* a prime: n * SHUFFLE % keys meets every number below keys once */

enum op { OP_FILL, OP_SET, OP_GET, OP_CACHE, OP_RAW };
enum kind { KIND_SET, KIND_GET, KIND_RAW };

struct request {
    uint32_t offset; /* of the key's digits in the write buffer */
    uint32_t kind;
    uint64_t key;
};

struct client {
    int fd;
    int waits_for_write;
    char *out;
    size_t out_length, out_sent;
    char *in;
    size_t in_length;
    struct request *requests; /* of the batch in flight, in order */
    unsigned requests_count, replies_count;
    struct client *resting_behind;
    uint64_t *missed; /* keys to SET in the next batch (cache) */
    unsigned missed_count;
    uint64_t sent_ns;
};

static struct {
    const char *host, *path, *command, *dist;
    int port;
    enum op op;
    unsigned clients, pipeline;
    uint64_t keys, key_start, elements, requests, rate, seed, value_min, value_max, ttl_min_ms, ttl_max_ms, warmup;
    double seconds, theta;
    unsigned progress_ms;
    int unchecked;
} opt = {.host = "127.0.0.1", .port = 6379, .op = OP_GET, .clients = 50, .pipeline = 16, .keys = 1000000, .elements = 8,
         .seed = 1, .value_min = 64, .value_max = 64, .theta = 0.99, .dist = "uniform"};

static struct {
    uint64_t sent, replies, gets, hits, errors, wrong, live_bytes, live_keys;
    char first_error[128];
} total;

static uint64_t random_state, fill_next, request_limit, started_ns;
static struct client *resting, **resting_end = &resting; /* those that wait for --rate, the longest first */
static uint32_t *size_of; /* value size + 1 of every key; 0: absent. Only when sizes vary. */
static struct alias_table zipf;
static struct histogram latency;
static char digit_quads[10000][4];
static char *filler;
static char raw_request[8192];
static size_t raw_request_length;
static struct patch {
    size_t offset; /* of 12 digits in raw_request */
    char kind;
} raw_patches[64];
static unsigned raw_patches_count;
static uint64_t raw_next;
static int epoll_fd;

static void die(const char *what) {
    fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
    exit(2);
}

static uint64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000ULL + (uint64_t)t.tv_nsec;
}

static double cpu_seconds(void) {
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) + (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

/* ---- requests ---- */

static inline void put_digits(char *to, uint64_t key) {
    uint32_t low = (uint32_t)(key % 10000), rest = (uint32_t)(key / 10000);
    memcpy(to + 8, digit_quads[low], 4);
    memcpy(to + 4, digit_quads[rest % 10000], 4);
    memcpy(to, digit_quads[rest / 10000 % 10000], 4);
}

static inline unsigned marked_bytes(uint64_t value_bytes) {
    return value_bytes < DIGITS ? (unsigned)value_bytes : DIGITS;
}

static inline uint64_t draw_size(uint64_t random) {
    return opt.value_min + (uint64_t)(((unsigned __int128)random * (opt.value_max - opt.value_min + 1)) >> 64);
}

static inline uint64_t fill_size(uint64_t key) {
    return draw_size(mix64(key * 0x9e3779b97f4a7c15ULL + opt.seed));
}

static void account(uint64_t key, uint64_t value_bytes) {
    uint32_t *size = &size_of[key - opt.key_start];
    if (*size) total.live_bytes -= *size - 1;
    else {
        total.live_bytes += KEY_BYTES;
        total.live_keys++;
    }
    total.live_bytes += value_bytes;
    *size = (uint32_t)value_bytes + 1;
}

static inline struct request *next_request(struct client *c, enum kind kind, uint64_t key) {
    struct request *r = &c->requests[c->requests_count++];
    r->kind = kind;
    r->key = key;
    return r;
}

static void put_get(struct client *c, uint64_t key) {
    static const char head[] = "*2\r\n$3\r\nGET\r\n$16\r\nkey:";
    char *p = c->out + c->out_length;
    struct request *r = next_request(c, KIND_GET, key);
    memcpy(p, head, sizeof head - 1);
    p += sizeof head - 1;
    r->offset = (uint32_t)(p - c->out);
    put_digits(p, key);
    memcpy(p + DIGITS, "\r\n", 2);
    c->out_length = (size_t)(p + DIGITS + 2 - c->out);
}

static void put_set(struct client *c, uint64_t key, uint64_t value_bytes) {
    static const char head3[] = "*3\r\n$3\r\nSET\r\n$16\r\nkey:";
    static const char head5[] = "*5\r\n$3\r\nSET\r\n$16\r\nkey:";
    static char length_text[32];
    static uint64_t length_value = UINT64_MAX;
    static unsigned length_bytes;
    char *p = c->out + c->out_length;
    struct request *r = next_request(c, KIND_SET, key);
    if (value_bytes != length_value) {
        length_bytes = (unsigned)sprintf(length_text, "\r\n$%llu\r\n", (unsigned long long)value_bytes);
        length_value = value_bytes;
    }
    memcpy(p, opt.ttl_max_ms ? head5 : head3, sizeof head3 - 1);
    p += sizeof head3 - 1;
    r->offset = (uint32_t)(p - c->out);
    put_digits(p, key);
    p += DIGITS;
    memcpy(p, length_text, length_bytes);
    p += length_bytes;
    unsigned marked = marked_bytes(value_bytes);
    memcpy(p, c->out + r->offset + DIGITS - marked, marked);
    memcpy(p + marked, filler, value_bytes - marked);
    p += value_bytes;
    memcpy(p, "\r\n", 2);
    p += 2;
    if (opt.ttl_max_ms) {
        char text[24];
        uint64_t ttl = opt.ttl_min_ms + random_below(&random_state, opt.ttl_max_ms - opt.ttl_min_ms + 1);
        int n = sprintf(text, "%llu", (unsigned long long)ttl);
        p += sprintf(p, "$2\r\nPX\r\n$%d\r\n%s\r\n", n, text);
    }
    c->out_length = (size_t)(p - c->out);
    if (size_of) account(key, value_bytes);
}

static void put_raw(struct client *c) {
    char *p = c->out + c->out_length;
    uint64_t n = raw_next++, key = random_below(&random_state, opt.keys), element = random_below(&random_state, opt.elements);
    next_request(c, KIND_RAW, 0);
    memcpy(p, raw_request, raw_request_length);
    for (unsigned i = 0; i < raw_patches_count; i++) {
        uint64_t number = 0;
        switch (raw_patches[i].kind) {
        case 'k': number = opt.key_start + key; break;
        case 'e': number = element; break;
        case 'r': number = random_below(&random_state, 1000000000); break;
        case 'n': number = opt.key_start + n; break;
        case 'p': number = opt.key_start + n % opt.keys * SHUFFLE % opt.keys; break;
        }
        put_digits(p + raw_patches[i].offset, number);
    }
    c->out_length += raw_request_length;
}

static inline uint64_t draw_key(void) {
    uint64_t i = zipf.n ? alias_draw(&zipf, &random_state) : random_below(&random_state, opt.keys);
    return opt.key_start + i;
}

static inline uint64_t set_size(void) {
    if (opt.value_min == opt.value_max) return opt.value_min;
    return draw_size(xorshift64(&random_state) * 0x2545f4914f6cdd1dULL);
}

/* One batch for one client. Nothing is put when the run has sent all it was asked for. */
static void put_batch(struct client *c) {
    c->out_length = c->out_sent = 0;
    c->requests_count = c->replies_count = 0;
    for (unsigned i = 0; i < c->missed_count; i++) put_set(c, c->missed[i], set_size());
    total.sent += c->missed_count;
    c->missed_count = 0;
    for (unsigned i = 0; i < opt.pipeline && total.sent < request_limit; i++, total.sent++) {
        switch (opt.op) {
        case OP_FILL: {
            uint64_t key = opt.key_start + fill_next++;
            put_set(c, key, fill_size(key));
            break;
        }
        case OP_SET: put_set(c, draw_key(), set_size()); break;
        case OP_GET:
        case OP_CACHE: put_get(c, draw_key()); break;
        case OP_RAW: put_raw(c); break;
        }
    }
}

static void watch(struct client *c, int operation, uint32_t events) {
    struct epoll_event e = {.events = events, .data.ptr = c};
    if (epoll_ctl(epoll_fd, operation, c->fd, &e)) die("epoll_ctl");
}

static void flush(struct client *c) {
    while (c->out_sent < c->out_length) {
        ssize_t n = send(c->fd, c->out + c->out_sent, c->out_length - c->out_sent, MSG_NOSIGNAL);
        if (n > 0) c->out_sent += (size_t)n;
        else if (errno == EAGAIN) {
            if (!c->waits_for_write) watch(c, EPOLL_CTL_MOD, EPOLLIN | EPOLLOUT);
            c->waits_for_write = 1;
            return;
        } else if (errno != EINTR) die("send");
    }
    if (c->waits_for_write) watch(c, EPOLL_CTL_MOD, EPOLLIN);
    c->waits_for_write = 0;
}

static int is_due(void) {
    return !opt.rate || (double)total.sent < (double)opt.rate * (double)(now_ns() - started_ns) / 1e9;
}

static void send_batch(struct client *c) {
    if (!is_due()) {
        c->resting_behind = NULL;
        *resting_end = c;
        resting_end = &c->resting_behind;
        return;
    }
    put_batch(c);
    if (!c->requests_count) return;
    c->sent_ns = now_ns();
    flush(c);
}

/* ---- replies ---- */

static void note_error(const char *text, const char *end) {
    if (!total.errors++) {
        size_t n = (size_t)(end - text) < sizeof total.first_error ? (size_t)(end - text) : sizeof total.first_error - 1;
        for (size_t i = 0; i < n; i++) total.first_error[i] = text[i] == '"' || text[i] == '\\' ? '\'' : text[i];
    }
}

static void take_bulk(struct client *c, const struct request *r, const char *value, long length) {
    if (r->kind != KIND_GET) return;
    int counts = total.gets++ >= opt.warmup;
    if (length < 0) {
        if (opt.op == OP_CACHE) c->missed[c->missed_count++] = r->key;
        return;
    }
    total.hits += (uint64_t)counts;
    if (opt.unchecked) return;
    unsigned marked = marked_bytes((uint64_t)length);
    if (memcmp(value, c->out + r->offset + DIGITS - marked, marked)) total.wrong++;
}

/* One reply from p. Returns the byte after it, or NULL when it is not complete. */
static const char *take_reply(struct client *c, const char *p, const char *end) {
    const struct request *r = &c->requests[c->replies_count];
    const char *line = p + 1;
    long length = 0;
    if (end - p < 3) return NULL;
    if (*p == '$') {
        const char *q = line;
        int negative = *q == '-';
        q += negative;
        while (q < end && *q != '\r') length = length * 10 + (*q++ - '0');
        if (end - q < 2) return NULL;
        q += 2;
        if (negative) {
            take_bulk(c, r, NULL, -1);
            return q;
        }
        if (end - q < length + 2) return NULL;
        take_bulk(c, r, q, length);
        return q + length + 2;
    }
    const char *stop = memchr(line, '\r', (size_t)(end - line));
    if (!stop || end - stop < 2) return NULL;
    if (*p == '-') note_error(line, stop);
    else if (*p == '_') take_bulk(c, r, NULL, -1);
    else if (*p != '+' && *p != ':') {
        fprintf(stderr, "load: unexpected reply type '%c'\n", *p);
        exit(2);
    } else if (r->kind == KIND_GET) total.wrong++;
    return stop + 2;
}

static size_t in_capacity;

static void wake_resting(void) {
    while (resting && (is_due() || !request_limit)) {
        struct client *c = resting;
        if (!(resting = c->resting_behind)) resting_end = &resting;
        if (request_limit) send_batch(c);
    }
}

static void on_readable(struct client *c) {
    ssize_t n = recv(c->fd, c->in + c->in_length, in_capacity - c->in_length, 0);
    if (n == 0) {
        fprintf(stderr, "load: the server closed a connection\n");
        exit(2);
    }
    if (n < 0) {
        if (errno == EAGAIN || errno == EINTR) return;
        die("recv");
    }
    const char *p = c->in, *end = c->in + c->in_length + (size_t)n, *next;
    while (p < end && c->replies_count < c->requests_count && (next = take_reply(c, p, end))) {
        p = next;
        c->replies_count++;
        total.replies++;
    }
    c->in_length = (size_t)(end - p);
    if (c->replies_count < c->requests_count) {
        if (c->in_length && p != c->in) memmove(c->in, p, c->in_length);
        return;
    }
    if (c->in_length) {
        fprintf(stderr, "load: more replies than requests\n");
        exit(2);
    }
    histogram_add(&latency, now_ns() - c->sent_ns);
    send_batch(c);
}

/* ---- set-up ---- */

static int connect_once(void) {
    int fd, one = 1;
    if (opt.path) {
        struct sockaddr_un a = {.sun_family = AF_UNIX};
        strncpy(a.sun_path, opt.path, sizeof a.sun_path - 1);
        fd = socket(AF_UNIX, SOCK_STREAM, 0);
        if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof a)) die("connect");
    } else {
        struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)opt.port)};
        inet_pton(AF_INET, opt.host, &a.sin_addr);
        fd = socket(AF_INET, SOCK_STREAM, 0);
        if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof a)) die("connect");
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    }
    return fd;
}

/* A word of the command as a bulk string; where its digits will be is noted. */
static char *put_word(char *p, const char *word) {
    char text[512];
    size_t n = 0, offsets[8];
    unsigned first = raw_patches_count;
    for (; *word && n < sizeof text - DIGITS; word++) {
        if (word[0] == '{' && word[1] && word[2] == '}' && raw_patches_count < 64 && raw_patches_count - first < 8) {
            offsets[raw_patches_count - first] = n;
            raw_patches[raw_patches_count++].kind = word[1];
            memset(text + n, '0', DIGITS);
            n += DIGITS;
            word += 2;
        } else text[n++] = *word;
    }
    p += sprintf(p, "$%zu\r\n", n);
    for (unsigned i = first; i < raw_patches_count; i++) raw_patches[i].offset = (size_t)(p - raw_request) + offsets[i - first];
    memcpy(p, text, n);
    memcpy(p + n, "\r\n", 2);
    return p + n + 2;
}

static void prepare_raw(const char *text) {
    char copy[2048], *words[64], *save = NULL;
    int n = 0;
    if (strlen(text) >= sizeof copy) {
        fprintf(stderr, "load: --command is too long\n");
        exit(2);
    }
    strcpy(copy, text);
    for (char *w = strtok_r(copy, " ", &save); w && n < 64; w = strtok_r(NULL, " ", &save)) words[n++] = w;
    char *p = raw_request + sprintf(raw_request, "*%d\r\n", n);
    for (int i = 0; i < n; i++) p = put_word(p, words[i]);
    raw_request_length = (size_t)(p - raw_request);
}

static void open_clients(struct client *clients) {
    size_t request_bytes = 128 + opt.value_max + raw_request_length;
    in_capacity = 2 * (opt.value_max + 64);
    if (in_capacity < READ_BYTES_MIN) in_capacity = READ_BYTES_MIN;
    for (unsigned i = 0; i < opt.clients; i++) {
        struct client *c = &clients[i];
        unsigned batch = opt.pipeline * (opt.op == OP_CACHE ? 2 : 1);
        memset(c, 0, sizeof *c);
        c->fd = connect_once();
        c->out = malloc(request_bytes * batch);
        c->in = malloc(in_capacity);
        c->requests = malloc(batch * sizeof *c->requests);
        c->missed = malloc(batch * sizeof *c->missed);
        if (!c->out || !c->in || !c->requests || !c->missed) die("malloc");
        watch(c, EPOLL_CTL_ADD, EPOLLIN);
    }
}

static uint64_t number(const char *text) {
    char *end;
    double v = strtod(text, &end);
    if (*end || v < 0) {
        fprintf(stderr, "load: not a number: %s\n", text);
        exit(2);
    }
    return (uint64_t)v;
}

static void parse_options(int argc, char **argv) {
    static const struct option names[] = {
        {"host", 1, 0, 'h'},       {"port", 1, 0, 'p'},       {"unix", 1, 0, 'u'},      {"op", 1, 0, 'o'},
        {"clients", 1, 0, 'c'},    {"pipeline", 1, 0, 'P'},   {"keys", 1, 0, 'k'},      {"key-start", 1, 0, 'K'},
        {"requests", 1, 0, 'n'},   {"seconds", 1, 0, 's'},    {"value", 1, 0, 'v'},     {"value-min", 1, 0, 'a'},
        {"value-max", 1, 0, 'b'},  {"ttl-min-ms", 1, 0, 't'}, {"ttl-max-ms", 1, 0, 'T'}, {"seed", 1, 0, 'S'},
        {"elements", 1, 0, 'e'},   {"dist", 1, 0, 'd'},       {"theta", 1, 0, 'z'},      {"warmup", 1, 0, 'w'},
        {"progress-ms", 1, 0, 'r'}, {"command", 1, 0, 'm'},    {"unchecked", 0, 0, 'x'},  {"rate", 1, 0, 'R'},
        {0, 0, 0, 0}};
    static const char *ops[] = {"fill", "set", "get", "cache", "raw"};
    int o;
    while ((o = getopt_long(argc, argv, "", names, NULL)) != -1) {
        switch (o) {
        case 'h': opt.host = optarg; break;
        case 'p': opt.port = (int)number(optarg); break;
        case 'u': opt.path = optarg; break;
        case 'o': {
            int i = 0;
            while (i < 5 && strcmp(optarg, ops[i])) i++;
            if (i == 5) {
                fprintf(stderr, "load: --op is one of fill set get cache raw\n");
                exit(2);
            }
            opt.op = (enum op)i;
            break;
        }
        case 'c': opt.clients = (unsigned)number(optarg); break;
        case 'P': opt.pipeline = (unsigned)number(optarg); break;
        case 'k': opt.keys = number(optarg); break;
        case 'K': opt.key_start = number(optarg); break;
        case 'n': opt.requests = number(optarg); break;
        case 'R': opt.rate = number(optarg); break;
        case 's': opt.seconds = atof(optarg); break;
        case 'v': opt.value_min = opt.value_max = number(optarg); break;
        case 'a': opt.value_min = number(optarg); break;
        case 'b': opt.value_max = number(optarg); break;
        case 't': opt.ttl_min_ms = number(optarg); break;
        case 'T': opt.ttl_max_ms = number(optarg); break;
        case 'S': opt.seed = number(optarg); break;
        case 'e': opt.elements = number(optarg); break;
        case 'd': opt.dist = optarg; break;
        case 'z': opt.theta = atof(optarg); break;
        case 'w': opt.warmup = number(optarg); break;
        case 'r': opt.progress_ms = (unsigned)number(optarg); break;
        case 'x': opt.unchecked = 1; break;
        case 'm': opt.command = optarg; break;
        default: exit(2);
        }
    }
    if (opt.ttl_max_ms < opt.ttl_min_ms) opt.ttl_max_ms = opt.ttl_min_ms;
    if (opt.value_max < opt.value_min || !opt.clients || !opt.pipeline || !opt.keys || !opt.elements || optind != argc) {
        fprintf(stderr, "load: bad options\n");
        exit(2);
    }
    if (opt.op == OP_FILL) opt.requests = opt.keys;
    else if (!opt.requests && opt.seconds <= 0) opt.requests = 1000000;
    if (opt.op == OP_RAW) prepare_raw(opt.command ? opt.command : "PING");
}

static void prepare(void) {
    for (int i = 0; i < 10000; i++) {
        char text[8];
        snprintf(text, sizeof text, "%04d", i);
        memcpy(digit_quads[i], text, 4);
    }
    random_state = mix64(opt.seed + 0x9e3779b97f4a7c15ULL) | 1;
    filler = malloc(opt.value_max + 1);
    if (!filler) die("malloc");
    memset(filler, 'x', opt.value_max);
    if (!strcmp(opt.dist, "zipf") && alias_zipf(&zipf, opt.keys, opt.theta)) die("malloc");
    if (opt.value_min != opt.value_max && (opt.op == OP_SET || opt.op == OP_FILL)) {
        size_of = calloc(opt.keys, sizeof *size_of);
        if (!size_of) die("malloc");
        for (uint64_t i = 0; opt.op == OP_SET && i < opt.keys; i++) account(opt.key_start + i, fill_size(opt.key_start + i));
    }
    epoll_fd = epoll_create1(0);
    if (epoll_fd < 0) die("epoll_create1");
}

static void print_progress(double seconds) {
    printf("{\"seconds\": %.3f, \"replies\": %llu, \"live_bytes\": %llu}\n", seconds,
           (unsigned long long)total.replies, (unsigned long long)total.live_bytes);
    fflush(stdout);
}

static void print_result(double seconds, double cpu) {
    printf("{\"seconds\": %.6f, \"replies\": %llu, \"requests_per_second\": %.0f, \"load_cpu_seconds\": %.6f, ", seconds,
           (unsigned long long)total.replies, (double)total.replies / seconds, cpu);
    printf("\"gets\": %llu, \"gets_counted\": %llu, \"hits\": %llu, \"errors\": %llu, \"wrong\": %llu, ",
           (unsigned long long)total.gets,
           (unsigned long long)(total.gets > opt.warmup ? total.gets - opt.warmup : 0),
           (unsigned long long)total.hits, (unsigned long long)total.errors, (unsigned long long)total.wrong);
    printf("\"first_error\": \"%s\", \"live_bytes\": %llu, \"live_keys\": %llu, \"batch_latency_us\": {", total.first_error,
           (unsigned long long)total.live_bytes, (unsigned long long)total.live_keys);
    printf("\"p50\": %.1f, \"p99\": %.1f, \"p99.9\": %.1f, \"max\": %.1f}}\n", histogram_percentile_us(&latency, 50),
           histogram_percentile_us(&latency, 99), histogram_percentile_us(&latency, 99.9), (double)latency.max / 1000.0);
}

int main(int argc, char **argv) {
    struct epoll_event events[256];
    parse_options(argc, argv);
    prepare();
    struct client *clients = calloc(opt.clients, sizeof *clients);
    if (!clients) die("malloc");
    open_clients(clients);

    request_limit = opt.requests ? opt.requests : UINT64_MAX;
    double cpu_start = cpu_seconds();
    uint64_t start = now_ns(), progress_at = start + opt.progress_ms * 1000000ULL;
    uint64_t deadline = opt.seconds > 0 ? start + (uint64_t)(opt.seconds * 1e9) : UINT64_MAX;
    started_ns = start;
    for (unsigned i = 0; i < opt.clients; i++) send_batch(&clients[i]);
    while (total.replies < total.sent || resting) {
        int n = epoll_wait(epoll_fd, events, 256, resting ? 1 : 1000);
        if (n < 0 && errno != EINTR) die("epoll_wait");
        for (int i = 0; i < n; i++) {
            struct client *c = events[i].data.ptr;
            if (events[i].events & EPOLLOUT) flush(c);
            if (events[i].events & ~(uint32_t)EPOLLOUT) on_readable(c);
        }
        wake_resting();
        if (opt.progress_ms || deadline != UINT64_MAX) {
            uint64_t now = now_ns();
            if (now >= deadline) request_limit = 0;
            if (opt.progress_ms && now >= progress_at) {
                print_progress((double)(now - start) / 1e9);
                progress_at = now + opt.progress_ms * 1000000ULL;
            }
        }
    }
    print_result((double)(now_ns() - start) / 1e9, cpu_seconds() - cpu_start);
    return total.errors || total.wrong ? 1 : 0;
}
