/*
 * The one-to-one SCTP server of the "SCTP Sockets" slides, written anew: it accepts one association after the other,
 * sends three messages on three streams, and closes. Its output is flushed line by line, so that a test can follow it.
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
#define BACKLOG 5
#define DIGIT 9 /* index of the character after '#' */

static void check(int result, const char *what)
{
    if (result < 0) {
        perror(what);
        exit(1);
    }
}

int main(void)
{
    struct sockaddr_in address;
    struct sctp_initmsg init;
    char message[] = "Message ##\n";
    int listener;

    setvbuf(stdout, NULL, _IOLBF, 0);
    listener = socket(AF_INET, SOCK_STREAM, IPPROTO_SCTP);
    check(listener, "socket");

    memset(&address, 0, sizeof(address));
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_ANY);
    address.sin_port = htons(PORT);
    check(bind(listener, (struct sockaddr *)&address, sizeof(address)), "bind");

    memset(&init, 0, sizeof(init));
    init.sinit_num_ostreams = STREAMS;
    init.sinit_max_instreams = STREAMS;
    init.sinit_max_attempts = 2;
    check(setsockopt(listener, IPPROTO_SCTP, SCTP_INITMSG, &init, sizeof(init)), "setsockopt SCTP_INITMSG");
    check(listen(listener, BACKLOG), "listen");

    for (;;) {
        struct sockaddr_in peer;
        socklen_t length = sizeof(peer);
        char text[INET_ADDRSTRLEN];
        int association;

        printf("Server Running\n");
        association = accept(listener, (struct sockaddr *)&peer, &length);
        check(association, "accept");
        printf("Connected to %s\n", inet_ntop(AF_INET, &peer.sin_addr, text, sizeof(text)));
        for (int stream = 0; stream < STREAMS; stream++) {
            message[DIGIT] = (char)('1' + stream);
            check(sctp_sendmsg(association, message, strlen(message), NULL, 0, 0, 0, (uint16_t)stream, 0, 0),
                  "sctp_sendmsg");
            printf("Sent: %s\n", message);
        }
        close(association);
    }
}
