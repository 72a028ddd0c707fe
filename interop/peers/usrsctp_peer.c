/*
 * One end of an interop exchange on usrsctp, over UDP encapsulation. It carries out interop/plan.py's exchange and
 * writes one JSON line per event to standard output; interop/peers/peer.py is the same program on Python sockets.
 *
 * Usage: usrsctp_peer --role server|client --local ADDR --peer ADDR --port SCTP_PORT --local-udp PORT
 *                     --remote-udp PORT [--streams N] [--messages N] [--largest BYTES] [--pace MS] [--lifetime MS]
 *                     [--short-timers] [--stay] --scenario close-client|close-server|abort-client|abort-server
 *
 * N messages in each stream, cut to so many BYTES, one every MS milliseconds (0: as fast as they are taken); with
 * --lifetime some of the client's live for so many milliseconds only, and need not arrive; with --stay a
 * client's stack remains there until SIGTERM.
 *
 * close-X: X sends everything, waits until it has received everything, and shuts down gracefully.
 * abort-client: as above, but the client waits until the server has everything too, then sends ABORT with a reason.
 * abort-server: the server does so by closing with SO_LINGER of zero.
 *
 * A sender thread writes while the main thread reads, as both directions fill at once.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <usrsctp.h>

#include "plan.h"

#define MAX_STREAMS 64
#define BUFFER_SIZE (512 * 1024)

struct options {
    bool is_server;
    const char *local;
    const char *peer;
    uint16_t port;
    uint16_t local_udp;
    uint16_t remote_udp;
    unsigned streams;
    unsigned messages;
    unsigned largest;
    unsigned pace;
    unsigned lifetime;
    bool short_timers;
    bool stays;
    const char *scenario;
    bool ends;   /* this side is the one that ends the association */
    bool aborts; /* the scenario ends with ABORT */
};

static struct options options;
static pthread_mutex_t log_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t state_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t state_changed = PTHREAD_COND_INITIALIZER;
static bool received_all;
static bool peer_ready;
static bool association_over;

/* Only the reading thread touches these. */
static unsigned expected[MAX_STREAMS]; /* the index that the next message of each stream has, or more */
static unsigned streams_left; /* those whose last message has not come yet */
static unsigned received_total;

static void emit(const char *format, ...)
{
    va_list arguments;

    pthread_mutex_lock(&log_lock);
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    putchar('\n');
    fflush(stdout);
    pthread_mutex_unlock(&log_lock);
}

static void die(const char *what)
{
    emit("{\"event\": \"error\", \"what\": \"%s\", \"errno\": %d, \"text\": \"%s\"}", what, errno, strerror(errno));
    exit(1);
}

static uint32_t crc32_of(const uint8_t *data, size_t length)
{
    uint32_t value = 0xFFFFFFFFu;

    for (size_t i = 0; i < length; i++) {
        value ^= data[i];
        for (int bit = 0; bit < 8; bit++)
            value = (value >> 1) ^ (0xEDB88320u & -(value & 1));
    }
    return value ^ 0xFFFFFFFFu;
}

static struct sockaddr_in address_of(const char *text, uint16_t port)
{
    struct sockaddr_in address;

    memset(&address, 0, sizeof(address));
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    if (inet_pton(AF_INET, text, &address.sin_addr) != 1) {
        errno = EINVAL;
        die("not an IPv4 address");
    }
    return address;
}

static size_t size_of(unsigned direction, unsigned stream, unsigned index)
{
    size_t size = plan_size(direction, stream, index);

    return size < options.largest ? size : options.largest;
}

static void set_option(struct socket *sock, int level, int name, const void *value, socklen_t length, const char *what)
{
    if (usrsctp_setsockopt(sock, level, name, value, length) < 0)
        die(what);
}

static void subscribe(struct socket *sock, uint16_t type)
{
    struct sctp_event event = {.se_assoc_id = SCTP_FUTURE_ASSOC, .se_type = type, .se_on = 1};

    set_option(sock, IPPROTO_SCTP, SCTP_EVENT, &event, sizeof(event), "SCTP_EVENT");
}

/* Options of the association to come; accepted sockets inherit them from the listening one. */
static void configure(struct socket *sock)
{
    struct sctp_initmsg init;
    struct sctp_udpencaps encaps;
    struct sockaddr_in peer = address_of(options.peer, options.port);
    int on = 1;
    int size = BUFFER_SIZE;

    memset(&init, 0, sizeof(init));
    init.sinit_num_ostreams = options.streams;
    init.sinit_max_instreams = options.streams;
    set_option(sock, IPPROTO_SCTP, SCTP_INITMSG, &init, sizeof(init), "SCTP_INITMSG");
    set_option(sock, IPPROTO_SCTP, SCTP_RECVRCVINFO, &on, sizeof(on), "SCTP_RECVRCVINFO");
    set_option(sock, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size), "SO_RCVBUF");
    set_option(sock, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size), "SO_SNDBUF");
    subscribe(sock, SCTP_ASSOC_CHANGE);
    subscribe(sock, SCTP_SHUTDOWN_EVENT);
    subscribe(sock, SCTP_REMOTE_ERROR);
    subscribe(sock, SCTP_SEND_FAILED_EVENT);
    if (options.short_timers) {
        struct sctp_rtoinfo rto = {
            .srto_initial = PLAN_RTO_INITIAL, .srto_max = PLAN_RTO_MAX, .srto_min = PLAN_RTO_MIN};

        set_option(sock, IPPROTO_SCTP, SCTP_RTOINFO, &rto, sizeof(rto), "SCTP_RTOINFO");
    }
    if (!options.is_server) {
        memset(&encaps, 0, sizeof(encaps));
        memcpy(&encaps.sue_address, &peer, sizeof(peer));
        encaps.sue_port = htons(options.remote_udp);
        set_option(sock, IPPROTO_SCTP, SCTP_REMOTE_UDP_ENCAPS_PORT, &encaps, sizeof(encaps),
                   "SCTP_REMOTE_UDP_ENCAPS_PORT");
    }
}

/* Return false when the association ended before the message was taken. */
static bool send_message(struct socket *sock, unsigned stream, uint32_t ppid, uint16_t flags, const void *data,
                         size_t length, unsigned lifetime)
{
    struct sctp_sendv_spa info;

    memset(&info, 0, sizeof(info));
    info.sendv_flags = SCTP_SEND_SNDINFO_VALID;
    info.sendv_sndinfo.snd_sid = (uint16_t)stream;
    info.sendv_sndinfo.snd_flags = flags;
    info.sendv_sndinfo.snd_ppid = htonl(ppid);
    if (lifetime > 0) {
        info.sendv_flags |= SCTP_SEND_PRINFO_VALID;
        info.sendv_prinfo.pr_policy = SCTP_PR_SCTP_TTL;
        info.sendv_prinfo.pr_value = lifetime;
    }
    if (usrsctp_sendv(sock, data, length, NULL, 0, &info, sizeof(info), SCTP_SENDV_SPA, 0) < 0) {
        emit("{\"event\": \"send_error\", \"sid\": %u, \"errno\": %d, \"text\": \"%s\"}", stream, errno,
             strerror(errno));
        return false;
    }
    return true;
}

/* Wait until `flag` is set, or the association is over; return the flag. */
static bool wait_for(const bool *flag)
{
    bool value;

    pthread_mutex_lock(&state_lock);
    while (!*flag && !association_over)
        pthread_cond_wait(&state_changed, &state_lock);
    value = *flag;
    pthread_mutex_unlock(&state_lock);
    return value;
}

static void announce(bool *flag)
{
    pthread_mutex_lock(&state_lock);
    *flag = true;
    pthread_cond_broadcast(&state_changed);
    pthread_mutex_unlock(&state_lock);
}

/* The end comes from close(), which the main thread calls when it has stopped reading. */
static bool closes_with_linger(void)
{
    return options.aborts && options.ends && options.is_server;
}

static void end_association(struct socket *sock)
{
    if (!options.aborts) {
        if (usrsctp_shutdown(sock, SHUT_WR) < 0)
            die("shutdown");
        emit("{\"event\": \"shutdown_sent\"}");
    } else if (!closes_with_linger()) {
        /* Log before the call: the abort may wake the reader first. */
        emit("{\"event\": \"abort_sent\", \"reason\": \"%s\"}", PLAN_ABORT_REASON);
        send_message(sock, 0, 0, SCTP_ABORT, PLAN_ABORT_REASON, strlen(PLAN_ABORT_REASON), 0);
    }
}

static void *sender(void *argument)
{
    struct socket *sock = argument;
    unsigned direction = options.is_server ? 1 : 0;
    uint8_t *data = malloc(PLAN_LARGEST);
    unsigned sent = 0;

    if (data == NULL)
        die("malloc");
    for (unsigned index = 0; index < options.messages; index++) {
        for (unsigned stream = 0; stream < options.streams; stream++) {
            size_t length = size_of(direction, stream, index);
            unsigned lifetime = plan_expires(direction, index, options.messages) ? options.lifetime : 0;

            for (size_t i = 0; i < length; i++)
                data[i] = plan_byte(direction, stream, index, i);
            if (!send_message(sock, stream, plan_ppid(direction, stream, index), 0, data, length, lifetime))
                goto out;
            sent++;
            usleep(options.pace * 1000);
        }
    }
    emit("{\"event\": \"sent\", \"count\": %u}", sent);
    if (!wait_for(&received_all))
        goto out;
    if (options.aborts) {
        if (!send_message(sock, 0, PLAN_READY_PPID, 0, PLAN_READY_BODY, strlen(PLAN_READY_BODY), 0))
            goto out;
        if (options.ends && !wait_for(&peer_ready))
            goto out;
    }
    if (options.ends)
        end_association(sock);
out:
    free(data);
    return NULL;
}

static void take_message(const uint8_t *data, size_t length, const struct sctp_rcvinfo *info)
{
    unsigned direction = options.is_server ? 0 : 1;
    unsigned stream = info->rcv_sid;
    uint32_t ppid = ntohl(info->rcv_ppid);
    bool unordered = (info->rcv_flags & SCTP_UNORDERED) != 0;
    bool good;

    if (ppid == PLAN_READY_PPID) {
        good = length == strlen(PLAN_READY_BODY) && memcmp(data, PLAN_READY_BODY, length) == 0;
        emit("{\"event\": \"ready\", \"ok\": %s}", good ? "true" : "false");
        announce(&peer_ready);
        return;
    }
    good = stream < options.streams && expected[stream] < options.messages && !unordered;
    if (good) {
        unsigned index = expected[stream];

        /* Those before may have expired; what is still to come has a higher index. */
        if (options.lifetime > 0 && (ppid & 0xFFFF) > index)
            index = ppid & 0xFFFF;
        expected[stream] = index + 1;
        if (index == options.messages - 1)
            streams_left--;
        good = ppid == plan_ppid(direction, stream, index) && length == size_of(direction, stream, index);
        for (size_t i = 0; good && i < length; i++)
            good = data[i] == plan_byte(direction, stream, index, i);
    }
    emit("{\"event\": \"message\", \"sid\": %u, \"ppid\": %u, \"len\": %zu, \"crc\": %u, \"unordered\": %s, "
         "\"ok\": %s}",
         stream, ppid, length, crc32_of(data, length), unordered ? "true" : "false", good ? "true" : "false");
    received_total++;
    if (streams_left == 0)
        announce(&received_all);
}

static const char *state_name(uint16_t state)
{
    switch (state) {
    case SCTP_COMM_UP:
        return "COMM_UP";
    case SCTP_COMM_LOST:
        return "COMM_LOST";
    case SCTP_RESTART:
        return "RESTART";
    case SCTP_SHUTDOWN_COMP:
        return "SHUTDOWN_COMP";
    case SCTP_CANT_STR_ASSOC:
        return "CANT_STR_ASSOC";
    default:
        return "UNKNOWN";
    }
}

static void take_notification(const uint8_t *data, size_t length)
{
    union sctp_notification note;

    memset(&note, 0, sizeof(note));
    memcpy(&note, data, length < sizeof(note) ? length : sizeof(note));
    switch (note.sn_header.sn_type) {
    case SCTP_ASSOC_CHANGE: {
        const struct sctp_assoc_change *change = &note.sn_assoc_change;
        size_t head = sizeof(*change);
        const uint8_t *chunk = data + head;
        int cause = -1;

        /* After COMM_LOST sac_info holds the ABORT chunk: 4 bytes of header, then causes of (code, length, value). */
        if (change->sac_state == SCTP_COMM_LOST && length >= head + 8 && chunk[0] == SCTP_ABORT_ASSOCIATION)
            cause = chunk[4] << 8 | chunk[5];
        emit("{\"event\": \"assoc_change\", \"state\": \"%s\", \"error\": %u, \"out\": %u, \"in\": %u, "
             "\"info\": %zu, \"cause\": %d}",
             state_name(change->sac_state), change->sac_error, change->sac_outbound_streams,
             change->sac_inbound_streams, length > head ? length - head : 0, cause);
        break;
    }
    case SCTP_SHUTDOWN_EVENT:
        emit("{\"event\": \"shutdown_event\"}");
        break;
    default:
        emit("{\"event\": \"notification\", \"type\": %u, \"len\": %zu}", note.sn_header.sn_type, length);
    }
}

/* Read until the end of the association and log how it came; or until it is this end's turn to close with SO_LINGER. */
static void receive_all(struct socket *sock)
{
    static uint8_t buffer[BUFFER_SIZE];
    size_t filled = 0;

    for (;;) {
        struct sctp_rcvinfo info;
        socklen_t info_length = sizeof(info);
        unsigned info_type = SCTP_RECVV_NOINFO;
        int flags = 0;
        ssize_t count;

        memset(&info, 0, sizeof(info));
        count = usrsctp_recvv(sock, buffer + filled, sizeof(buffer) - filled, NULL, NULL, &info, &info_length,
                              &info_type, &flags);
        if (count < 0) {
            const char *how = errno == ECONNRESET || errno == ECONNABORTED ? "reset" : "error";

            emit("{\"event\": \"end\", \"how\": \"%s\", \"errno\": %d, \"text\": \"%s\"}", how, errno,
                 strerror(errno));
            return;
        }
        if (count == 0) {
            emit("{\"event\": \"end\", \"how\": \"eof\"}");
            return;
        }
        filled += (size_t)count;
        if (!(flags & MSG_EOR)) {
            if (filled == sizeof(buffer)) {
                errno = EMSGSIZE;
                die("message without an end");
            }
            continue; /* a part of a message (partial delivery): the rest follows */
        }
        if (flags & MSG_NOTIFICATION)
            take_notification(buffer, filled);
        else
            take_message(buffer, filled, &info);
        filled = 0;
        if (closes_with_linger() && received_all && peer_ready)
            return;
    }
}

static unsigned number_up_to(const char *text, unsigned most)
{
    char *end;
    long value = strtol(text, &end, 10);

    if (*text == '\0' || *end != '\0' || value < 0 || value > (long)most) {
        errno = EINVAL;
        die("not a number, or too large");
    }
    return (unsigned)value;
}

static uint16_t number(const char *text)
{
    return (uint16_t)number_up_to(text, 65535);
}

static void parse(int argc, char **argv)
{
    static const struct option names[] = {
        {"role", required_argument, NULL, 'r'},      {"local", required_argument, NULL, 'l'},
        {"peer", required_argument, NULL, 'p'},      {"port", required_argument, NULL, 's'},
        {"local-udp", required_argument, NULL, 'u'}, {"remote-udp", required_argument, NULL, 'e'},
        {"streams", required_argument, NULL, 'n'},   {"scenario", required_argument, NULL, 'x'},
        {"messages", required_argument, NULL, 'm'},  {"largest", required_argument, NULL, 'b'},
        {"pace", required_argument, NULL, 't'},      {"lifetime", required_argument, NULL, 'v'},
        {"short-timers", no_argument, NULL, 'q'},    {"stay", no_argument, NULL, 'y'},
        {NULL, 0, NULL, 0},
    };
    const char *role = "";
    bool client_ends;
    int choice;

    options.streams = 3;
    options.messages = 100;
    options.largest = PLAN_LARGEST;
    options.scenario = "";
    while ((choice = getopt_long(argc, argv, "", names, NULL)) != -1) {
        switch (choice) {
        case 'r':
            role = optarg;
            break;
        case 'l':
            options.local = optarg;
            break;
        case 'p':
            options.peer = optarg;
            break;
        case 's':
            options.port = number(optarg);
            break;
        case 'u':
            options.local_udp = number(optarg);
            break;
        case 'e':
            options.remote_udp = number(optarg);
            break;
        case 'n':
            options.streams = number(optarg);
            break;
        case 'm':
            options.messages = number(optarg);
            break;
        case 'b':
            options.largest = number_up_to(optarg, PLAN_LARGEST);
            break;
        case 't':
            options.pace = number(optarg);
            break;
        case 'v':
            options.lifetime = number(optarg);
            break;
        case 'q':
            options.short_timers = true;
            break;
        case 'y':
            options.stays = true;
            break;
        case 'x':
            options.scenario = optarg;
            break;
        default:
            exit(2);
        }
    }
    options.is_server = strcmp(role, "server") == 0;
    options.aborts = strncmp(options.scenario, "abort-", 6) == 0;
    client_ends = strcmp(options.scenario, "close-client") == 0 || strcmp(options.scenario, "abort-client") == 0;
    if ((!options.is_server && strcmp(role, "client") != 0) || options.local == NULL || options.peer == NULL ||
        options.port == 0 || options.local_udp == 0 || options.remote_udp == 0 || options.streams == 0 ||
        options.streams > MAX_STREAMS || options.messages == 0 || options.largest == 0 ||
        (!client_ends && strcmp(options.scenario, "close-server") != 0 &&
         strcmp(options.scenario, "abort-server") != 0)) {
        fprintf(stderr, "usage: see the head of usrsctp_peer.c\n");
        exit(2);
    }
    options.ends = client_ends != options.is_server;
    streams_left = options.streams;
}

static struct socket *establish(struct socket **listener)
{
    struct sockaddr_in local = address_of(options.local, options.is_server ? options.port : 0);
    struct sockaddr_in peer = address_of(options.peer, options.port);
    socklen_t length = sizeof(peer);
    struct socket *sock = usrsctp_socket(AF_INET, SOCK_STREAM, IPPROTO_SCTP, NULL, NULL, 0, NULL);

    *listener = NULL;
    if (sock == NULL)
        die("socket");
    configure(sock);
    if (usrsctp_bind(sock, (struct sockaddr *)&local, sizeof(local)) < 0)
        die("bind");
    if (!options.is_server) {
        if (usrsctp_connect(sock, (struct sockaddr *)&peer, sizeof(peer)) < 0)
            die("connect");
        return sock;
    }
    if (usrsctp_listen(sock, 1) < 0)
        die("listen");
    emit("{\"event\": \"listening\"}");
    *listener = sock;
    sock = usrsctp_accept(*listener, (struct sockaddr *)&peer, &length);
    if (sock == NULL)
        die("accept");
    return sock;
}

int main(int argc, char **argv)
{
    struct socket *listener;
    struct socket *sock;
    pthread_t thread;
    sigset_t stops;
    const struct timespec patience = {.tv_sec = 15};

    parse(argc, argv);
    options.stays = options.stays && !options.is_server;
    sigemptyset(&stops);
    sigaddset(&stops, SIGTERM);
    if (options.stays)
        pthread_sigmask(SIG_BLOCK, &stops, NULL); /* before there are other threads, which inherit it */
    usrsctp_init(options.local_udp, NULL, NULL);
    usrsctp_sysctl_set_sctp_blackhole(0);
    /* Otherwise a wrong checksum would pass unseen between equal addresses. */
    usrsctp_sysctl_set_sctp_no_csum_on_loopback(0);
    sock = establish(&listener);
    emit("{\"event\": \"up\"}");
    if (pthread_create(&thread, NULL, sender, sock) != 0)
        die("pthread_create");
    receive_all(sock);
    announce(&association_over);
    pthread_join(thread, NULL);
    if (closes_with_linger() && peer_ready) {
        struct linger now = {.l_onoff = 1, .l_linger = 0};

        set_option(sock, SOL_SOCKET, SO_LINGER, &now, sizeof(now), "SO_LINGER");
        emit("{\"event\": \"abort_sent\"}");
    }
    emit("{\"event\": \"done\", \"received\": %u}", received_total);
    usrsctp_close(sock);
    if (listener != NULL)
        usrsctp_close(listener);
    if (options.stays)
        sigtimedwait(&stops, NULL, &patience);
    for (int tries = 0; tries < 50 && usrsctp_finish() != 0; tries++)
        usleep(100 * 1000);
    return 0;
}
