/*
 * One end of a bulk transfer over UDP with usrsctp; flow.py is the same with this project's sockets.
 *
 * Usage: usrsctp_flow receive UDP_PORT REMOTE_UDP_PORT BUFFER WARM_UP SECONDS
 *        usrsctp_flow send    UDP_PORT REMOTE_UDP_PORT BUFFER PAYLOAD SECONDS
 *
 * The receiver writes a JSON line when it knows: the user data that arrived in SECONDS after WARM_UP, counted from
 * the first message; then it reads on until its standard input ends. The sender sends for SECONDS in all, then writes
 * its retransmission counters and ends.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <usrsctp.h>

#define SCTP_PORT 7

static char message[65536];

static void die(const char *what)
{
    fprintf(stderr, "%s: %s\n", what, strerror(errno));
    _exit(1);
}

static void *end_with_input(void *unused)
{
    char byte;

    (void)unused;
    while (read(STDIN_FILENO, &byte, 1) > 0)
        ;
    _exit(0);
}

static double now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void receive(struct socket *listener, double warm_up, double seconds)
{
    struct socket *sock;
    double start = 0, size = 0, at;
    ssize_t length;
    int done = 0;
    pthread_t watcher;

    if (pthread_create(&watcher, NULL, end_with_input, NULL) != 0)
        die("pthread_create");
    if (usrsctp_listen(listener, 1) < 0)
        die("listen");
    puts("{\"ready\": true}");
    fflush(stdout);
    sock = usrsctp_accept(listener, NULL, NULL);
    if (sock == NULL)
        die("accept");
    for (;;) {
        struct sctp_rcvinfo info;
        socklen_t from_length = 0, info_length = sizeof(info);
        unsigned info_type = 0;
        int flags = 0;

        length = usrsctp_recvv(sock, message, sizeof(message), NULL, &from_length, &info, &info_length, &info_type, &flags);
        if (length <= 0)
            break;
        at = now();
        if (start == 0)
            start = at;
        if (!done && at >= start + warm_up + seconds) {
            printf("{\"bits_per_second\": %.0f}\n", 8 * size / seconds);
            fflush(stdout);
            done = 1;
        }
        if (at >= start + warm_up)
            size += (double)length;
    }
    if (!done)
        die("the sender ended too early");
}

static void send_all(struct socket *sock, uint16_t port, size_t payload, double seconds)
{
    struct sockaddr_in peer = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct sctpstat statistics;
    double until;

    inet_pton(AF_INET, "127.0.0.1", &peer.sin_addr);
    if (usrsctp_connect(sock, (struct sockaddr *)&peer, sizeof(peer)) < 0)
        die("connect");
    until = now() + seconds;
    while (now() < until)
        if (usrsctp_sendv(sock, message, payload, NULL, 0, NULL, 0, SCTP_SENDV_NOINFO, 0) < 0)
            die("send");
    usrsctp_get_stat(&statistics);
    printf("{\"timeouts\": %u, \"retransmissions\": %u}\n", statistics.sctps_timodata, statistics.sctps_sendretransdata);
}

int main(int argc, char **argv)
{
    struct sctp_udpencaps encaps = {.sue_port = 0};
    struct sockaddr_in local = {.sin_family = AF_INET};
    struct socket *sock;
    int buffer;
    int receives;

    if (argc != 7) {
        fprintf(stderr, "usage: %s receive|send UDP_PORT REMOTE_UDP_PORT BUFFER WARM_UP|PAYLOAD SECONDS\n", argv[0]);
        return 2;
    }
    receives = strcmp(argv[1], "receive") == 0;
    buffer = atoi(argv[4]);
    usrsctp_init((uint16_t)atoi(argv[2]), NULL, NULL);
    /* The number of chunks that may be outstanding is 512 by default: less than a long fat line holds. */
    usrsctp_sysctl_set_sctp_max_chunks_on_queue(65535);
    usrsctp_sysctl_set_sctp_blackhole(0);
    usrsctp_sysctl_set_sctp_ecn_enable(0);
    sock = usrsctp_socket(AF_INET, SOCK_STREAM, IPPROTO_SCTP, NULL, NULL, 0, NULL);
    if (sock == NULL)
        die("socket");
    if (usrsctp_setsockopt(sock, SOL_SOCKET, receives ? SO_RCVBUF : SO_SNDBUF, &buffer, sizeof(buffer)) < 0)
        die("buffer");
    encaps.sue_address.ss_family = AF_INET;
    encaps.sue_port = htons((uint16_t)atoi(argv[3]));
    if (usrsctp_setsockopt(sock, IPPROTO_SCTP, SCTP_REMOTE_UDP_ENCAPS_PORT, &encaps, sizeof(encaps)) < 0)
        die("SCTP_REMOTE_UDP_ENCAPS_PORT");
    inet_pton(AF_INET, "127.0.0.1", &local.sin_addr);
    local.sin_port = receives ? htons(SCTP_PORT) : 0;
    if (usrsctp_bind(sock, (struct sockaddr *)&local, sizeof(local)) < 0)
        die("bind");
    if (receives)
        receive(sock, atof(argv[5]), atof(argv[6]));
    else
        send_all(sock, SCTP_PORT, (size_t)atoi(argv[5]), atof(argv[6]));
    fflush(stdout);
    _exit(0); /* without waiting for the association to end */
}
