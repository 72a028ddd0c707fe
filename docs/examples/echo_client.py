"""A one-to-many echo client: the first message sets up the association, an empty one with SCTP_EOF ends it."""

import argparse

from pysctpstack import socket

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("host", metavar="HOST", help="the server's address")
parser.add_argument("--port", type=int, default=29007, help="SCTP port (default: %(default)s)")
parser.add_argument("words", nargs="*", default=["Hello", "SCTP"], help="messages to send (default: Hello SCTP)")
options = parser.parse_args()

client = socket.socket(socket.AF_INET, socket.SOCK_SEQPACKET, socket.IPPROTO_SCTP)
client.setsockopt(socket.IPPROTO_SCTP, socket.SCTP_EVENTS, socket.EventSubscribe(sctp_data_io_event=1))
server = (options.host, options.port)
for number, word in enumerate(options.words):
    # Like memory in C, ppid is opaque to the socket: htonl puts the same number on every wire.
    client.sctp_sendmsg(word.encode(), to=server, ppid=socket.htonl(number), stream_no=number % 3)
for _ in options.words:
    message, address, info, flags = client.sctp_recvmsg(65536)
    print(f"{message.decode()} (stream {info.sinfo_stream}, ppid {socket.ntohl(info.sinfo_ppid)})", flush=True)
client.sctp_sendmsg(b"", to=server, flags=socket.SCTP_EOF)
client.close()
