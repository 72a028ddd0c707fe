/*
 * One end of a measurement on usrsctp, over UDP encapsulation. tools/bench/peer.py is the same program on our sockets:
 * the same command line, the same calls in the same order, the same lines of JSON.
 *
 * Usage: peer server|client MEASURE --udp-port PORT --remote-udp-port PORT --port SCTP_PORT [--size BYTES]
 *             [--seconds S] [--count N] [--idle N] [--send-buffer BYTES] [--receive-buffer BYTES]
 *
 * goodput    the client sends messages for so many seconds and closes; the server counts what arrives. With --idle
 *            there are so many other associations in the same processes
 * ping-pong  the client sends a message and waits for it to come back
 * setup      the client connects and closes, so many times
 * memory     the client connects so many times; both hold what they have until standard input ends
 *
 * The server prints {"ready": true} when it listens. The last line of either is its result; times are of
 * CLOCK_MONOTONIC, which both processes share.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <usrsctp.h>

#define BACKLOG 4096
#define CLOCK_BYTES 65536 /* about so much is sent between two looks at the clock, ... */
#define CLOCK_MESSAGES 64 /* ... but not more messages than this */

static uint16_t udp_port;
static uint16_t remote_udp_port;
static uint16_t sctp_port;
static size_t size = 64;
static double seconds = 1.0;
static unsigned count = 1;
static unsigned idle;
static int send_buffer;
static int receive_buffer;

static void die(const char *what)
{
    fprintf(stderr, "usrsctp peer: %s: %s\n", what, strerror(errno));
    exit(1);
}

static double now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* Seconds of processor time of all threads, user and system. */
static double cpu(void)
{
    struct rusage usage;

    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static long resident(void)
{
    long total;
    long pages;
    FILE *file = fopen("/proc/self/statm", "r");

    if (file == NULL || fscanf(file, "%ld %ld", &total, &pages) != 2)
        die("/proc/self/statm");
    fclose(file);
    return pages * sysconf(_SC_PAGESIZE);
}

static void *allocate(size_t bytes)
{
    void *memory = malloc(bytes);

    if (memory == NULL)
        die("malloc");
    return memory;
}

/* What both ends know a message to be. */
static uint8_t *make_message(void)
{
    uint8_t *message = allocate(size);

    for (size_t i = 0; i < size; i++)
        message[i] = (uint8_t)(i * 7 + 3);
    return message;
}

static struct sockaddr_in loopback(uint16_t port)
{
    struct sockaddr_in address;

    memset(&address, 0, sizeof(address));
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

static void set_option(struct socket *sock, int level, int name, const void *value, socklen_t length, const char *what)
{
    if (usrsctp_setsockopt(sock, level, name, value, length) < 0)
        die(what);
}

static struct socket *make_socket(bool no_delay)
{
    struct socket *sock = usrsctp_socket(AF_INET, SOCK_STREAM, IPPROTO_SCTP, NULL, NULL, 0, NULL);
    struct sctp_udpencaps encaps;
    int value = no_delay;

    if (sock == NULL)
        die("usrsctp_socket");
    memset(&encaps, 0, sizeof(encaps));
    encaps.sue_address.ss_family = AF_INET;
    encaps.sue_port = htons(remote_udp_port);
    set_option(sock, IPPROTO_SCTP, SCTP_REMOTE_UDP_ENCAPS_PORT, &encaps, sizeof(encaps), "SCTP_REMOTE_UDP_ENCAPS_PORT");
    set_option(sock, IPPROTO_SCTP, SCTP_NODELAY, &value, sizeof(value), "SCTP_NODELAY");
    if (send_buffer > 0)
        set_option(sock, SOL_SOCKET, SO_SNDBUF, &send_buffer, sizeof(send_buffer), "SO_SNDBUF");
    if (receive_buffer > 0)
        set_option(sock, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof(receive_buffer), "SO_RCVBUF");
    return sock;
}

static struct socket *listen_at_port(bool no_delay)
{
    struct socket *sock = make_socket(no_delay);
    struct sockaddr_in address = loopback(sctp_port);

    if (usrsctp_bind(sock, (struct sockaddr *)&address, sizeof(address)) < 0)
        die("usrsctp_bind");
    if (usrsctp_listen(sock, BACKLOG) < 0)
        die("usrsctp_listen");
    puts("{\"ready\": true}");
    fflush(stdout);
    return sock;
}

static struct socket *accept_one(struct socket *listener)
{
    struct socket *sock = usrsctp_accept(listener, NULL, NULL);

    if (sock == NULL)
        die("usrsctp_accept");
    return sock;
}

static struct socket *connect_one(bool no_delay)
{
    struct socket *sock = make_socket(no_delay);
    struct sockaddr_in address = loopback(sctp_port);

    if (usrsctp_connect(sock, (struct sockaddr *)&address, sizeof(address)) < 0)
        die("usrsctp_connect");
    return sock;
}

static void send_one(struct socket *sock, const void *data, size_t length)
{
    if (usrsctp_sendv(sock, data, length, NULL, 0, NULL, 0, SCTP_SENDV_NOINFO, 0) != (ssize_t)length)
        die("usrsctp_sendv");
}

/* A message, or a part of one; 0 at the end of the association. */
static size_t receive_some(struct socket *sock, void *buffer, size_t length)
{
    struct sctp_rcvinfo info;
    struct sockaddr_in from;
    socklen_t from_length = sizeof(from);
    socklen_t info_length = sizeof(info);
    unsigned type = 0;
    int flags = 0;
    ssize_t received = usrsctp_recvv(sock, buffer, length, (struct sockaddr *)&from, &from_length, &info, &info_length,
                                     &type, &flags);

    if (received < 0)
        die("usrsctp_recvv");
    return (size_t)received;
}

/* Wait until every association has ended. */
static void finish(void)
{
    const struct timespec pause = {.tv_sec = 0, .tv_nsec = 1000000};
    double until = now() + 10.0;

    while (usrsctp_finish() != 0) {
        if (now() > until) {
            errno = ETIMEDOUT;
            die("usrsctp_finish");
        }
        nanosleep(&pause, NULL);
    }
}

/* The other associations of a process, in the order in which they come. */
static struct socket **open_others(struct socket *listener, unsigned number)
{
    struct socket **others = allocate((number + 1) * sizeof(*others));

    for (unsigned i = 0; i < number; i++)
        others[i] = listener != NULL ? accept_one(listener) : connect_one(false);
    return others;
}

static void serve_goodput(void)
{
    struct socket *listener = listen_at_port(false);
    size_t room = size > 65536 ? size : 65536;
    uint8_t *buffer = allocate(room);
    uint8_t *message = make_message();
    unsigned long long bytes = 0;
    unsigned long long first_bytes = 0;
    unsigned long reads = 0;
    size_t last = 0;
    double first_time = 0.0;
    double last_time = 0.0;
    double cpu_before;
    bool intact = true;

    open_others(listener, idle);

    struct socket *sock = accept_one(listener);

    cpu_before = cpu();
    for (;;) {
        size_t received = receive_some(sock, buffer, room);

        if (received == 0)
            break;
        last_time = now();
        if (reads++ == 0) {
            first_time = last_time;
            first_bytes = received;
            intact = memcmp(buffer, message, received < size ? received : size) == 0;
        }
        bytes += received;
        last = received;
    }
    if (reads > 0)
        intact = intact && last <= size && memcmp(buffer, message + (bytes - last) % size, last) == 0;
    double cpu_used = cpu() - cpu_before;

    usrsctp_close(sock);
    printf("{\"bytes\": %llu, \"first_bytes\": %llu, \"reads\": %lu, \"seconds\": %.9f, \"cpu\": %.6f, \"intact\": %s}\n",
           bytes, first_bytes, reads, last_time - first_time, cpu_used, intact ? "true" : "false");
}

static void send_goodput(void)
{
    uint8_t *message = make_message();
    unsigned long long messages = 0;
    unsigned between = CLOCK_BYTES / size < 1 ? 1 : (unsigned)(CLOCK_BYTES / size);

    if (between > CLOCK_MESSAGES)
        between = CLOCK_MESSAGES;
    open_others(NULL, idle);

    struct socket *sock = connect_one(false);
    double cpu_before = cpu();
    double until = now() + seconds;

    while (now() < until) {
        for (unsigned i = 0; i < between; i++)
            send_one(sock, message, size);
        messages += between;
    }
    /* All has arrived when the association has ended. */
    if (usrsctp_shutdown(sock, SHUT_WR) < 0)
        die("usrsctp_shutdown");
    if (receive_some(sock, message, 1) != 0) {
        errno = EBADMSG;
        die("end of the association");
    }
    double cpu_used = cpu() - cpu_before;

    usrsctp_close(sock);
    printf("{\"bytes\": %llu, \"messages\": %llu, \"cpu\": %.6f}\n", messages * size, messages, cpu_used);
}

static void serve_ping_pong(void)
{
    struct socket *listener = listen_at_port(true);
    struct socket *sock = accept_one(listener);
    uint8_t *buffer = allocate(size);
    unsigned long messages = 0;

    for (;;) {
        size_t received = receive_some(sock, buffer, size);

        if (received == 0)
            break;
        send_one(sock, buffer, received);
        messages++;
    }
    usrsctp_close(sock);
    printf("{\"messages\": %lu}\n", messages);
}

static void send_ping_pong(void)
{
    struct socket *sock = connect_one(true);
    uint8_t *message = make_message();
    uint8_t *buffer = allocate(size);
    size_t room = 1024;
    size_t number = 0;
    double *times = allocate(room * sizeof(*times));
    double until = now() + seconds;

    for (double before = now(); before < until; before = now()) {
        send_one(sock, message, size);
        if (receive_some(sock, buffer, size) != size || memcmp(buffer, message, size) != 0) {
            errno = EBADMSG;
            die("echo");
        }
        if (number == room) {
            room *= 2;
            times = realloc(times, room * sizeof(*times));
            if (times == NULL)
                die("realloc");
        }
        times[number++] = now() - before;
    }
    usrsctp_close(sock);
    finish();
    printf("{\"microseconds\": [");
    for (size_t i = 0; i < number; i++)
        printf("%s%.2f", i ? ", " : "", times[i] * 1e6);
    printf("]}\n");
}

static void serve_setup(void)
{
    struct socket *listener = listen_at_port(false);
    uint8_t buffer[64];

    for (unsigned i = 0; i < count; i++) {
        struct socket *sock = accept_one(listener);

        if (receive_some(sock, buffer, sizeof(buffer)) != 0) {
            errno = EBADMSG;
            die("end of the association");
        }
        usrsctp_close(sock);
    }
    printf("{\"closed\": %u, \"last\": %.9f}\n", count, now());
}

static void connect_setup(void)
{
    double first = now();

    for (unsigned i = 0; i < count; i++)
        usrsctp_close(connect_one(false));
    finish();
    printf("{\"closed\": %u, \"first\": %.9f}\n", count, first);
}

static void hold_memory(bool is_server)
{
    struct socket *listener = is_server ? listen_at_port(false) : NULL;
    char line[64];

    open_others(listener, 1); /* whatever is made once is there now */
    long before = resident();

    open_others(listener, count);
    printf("{\"before\": %ld, \"after\": %ld, \"associations\": %u}\n", before, resident(), count);
    fflush(stdout);
    while (fgets(line, sizeof(line), stdin) != NULL)
        ;
}

static void parse(int argc, char **argv)
{
    for (int i = 3; i + 1 < argc; i += 2) {
        const char *name = argv[i];
        const char *value = argv[i + 1];

        if (strcmp(name, "--udp-port") == 0)
            udp_port = (uint16_t)atoi(value);
        else if (strcmp(name, "--remote-udp-port") == 0)
            remote_udp_port = (uint16_t)atoi(value);
        else if (strcmp(name, "--port") == 0)
            sctp_port = (uint16_t)atoi(value);
        else if (strcmp(name, "--size") == 0)
            size = (size_t)atol(value);
        else if (strcmp(name, "--seconds") == 0)
            seconds = atof(value);
        else if (strcmp(name, "--count") == 0)
            count = (unsigned)atoi(value);
        else if (strcmp(name, "--idle") == 0)
            idle = (unsigned)atoi(value);
        else if (strcmp(name, "--send-buffer") == 0)
            send_buffer = atoi(value);
        else if (strcmp(name, "--receive-buffer") == 0)
            receive_buffer = atoi(value);
        else {
            fprintf(stderr, "usrsctp peer: unknown option %s\n", name);
            exit(2);
        }
    }
}

int main(int argc, char **argv)
{
    if (argc < 3) {
        fprintf(stderr, "usage: peer server|client goodput|ping-pong|setup|memory [--option value]...\n");
        return 2;
    }
    parse(argc, argv);

    const char *measure = argv[2];
    bool is_server = strcmp(argv[1], "server") == 0;

    usrsctp_init(udp_port, NULL, NULL);
    usrsctp_sysctl_set_sctp_blackhole(2);
    /* Both stacks compute and check every checksum. */
    usrsctp_sysctl_set_sctp_no_csum_on_loopback(0);
    usrsctp_sysctl_set_sctp_enable_sack_immediately(1);

    if (strcmp(measure, "goodput") == 0)
        is_server ? serve_goodput() : send_goodput();
    else if (strcmp(measure, "ping-pong") == 0)
        is_server ? serve_ping_pong() : send_ping_pong();
    else if (strcmp(measure, "setup") == 0)
        is_server ? serve_setup() : connect_setup();
    else if (strcmp(measure, "memory") == 0)
        hold_memory(is_server);
    else {
        fprintf(stderr, "usrsctp peer: no measure %s\n", measure);
        return 2;
    }
    fflush(stdout);
    _exit(0); /* what has not ended is of no interest any more */
}
