/*
 * The one-to-one SCTP client of the "SCTP Sockets" slides, written anew: it receives three messages and says on which
 * streams they came.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/sctp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PORT 29008
#define STREAMS 3
#define BUFFER_SIZE 1024

static void check(int result, const char *what)
{
    if (result < 0) {
        perror(what);
        exit(1);
    }
}

int main(int argc, char **argv)
{
    struct sockaddr_in server;
    struct sctp_initmsg init;
    struct sctp_event_subscribe events;
    int association;

    if (argc != 2) {
        fprintf(stderr, "Usage: %s ipaddress\n", argv[0]);
        return 2;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    association = socket(AF_INET, SOCK_STREAM, IPPROTO_SCTP);
    check(association, "socket");

    memset(&init, 0, sizeof(init));
    init.sinit_num_ostreams = STREAMS;
    init.sinit_max_instreams = STREAMS;
    init.sinit_max_attempts = 2;
    check(setsockopt(association, IPPROTO_SCTP, SCTP_INITMSG, &init, sizeof(init)), "setsockopt SCTP_INITMSG");

    memset(&server, 0, sizeof(server));
    server.sin_family = AF_INET;
    server.sin_port = htons(PORT);
    if (inet_pton(AF_INET, argv[1], &server.sin_addr) != 1) {
        fprintf(stderr, "%s is not an IPv4 address\n", argv[1]);
        return 2;
    }
    check(connect(association, (struct sockaddr *)&server, sizeof(server)), "connect");

    /* Without this, sinfo_stream would stay as it is. */
    memset(&events, 0, sizeof(events));
    events.sctp_data_io_event = 1;
    check(setsockopt(association, SOL_SCTP, SCTP_EVENTS, &events, sizeof(events)), "setsockopt SCTP_EVENTS");

    for (int count = 0; count < STREAMS; count++) {
        char buffer[BUFFER_SIZE + 1];
        struct sctp_sndrcvinfo info;
        int flags = 0;
        int length;

        memset(&info, 0, sizeof(info));
        length = sctp_recvmsg(association, buffer, BUFFER_SIZE, NULL, 0, &info, &flags);
        check(length, "sctp_recvmsg");
        if (length == 0) {
            fprintf(stderr, "the server ended the association after %d messages\n", count);
            return 1;
        }
        buffer[length] = '\0';
        printf("Received following data on stream %d\n\n%s\n", info.sinfo_stream, buffer);
    }
    close(association);
    return 0;
}
