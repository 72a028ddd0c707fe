"""The slides' client for kernel SCTP and the standard socket module: three messages, each with its stream."""

import argparse
import socket
import struct

# <linux/sctp.h>
SCTP_INITMSG = 2
SCTP_RECVRCVINFO = 32
SCTP_RCVINFO = 3
RCVINFO = struct.Struct("=HHHxxIIIIi")

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("host", metavar="HOST", help="the server's address")
parser.add_argument("--port", type=int, default=29008, help="SCTP port (default: %(default)s)")
options = parser.parse_args()

with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_SCTP) as client:
    client.setsockopt(socket.IPPROTO_SCTP, SCTP_INITMSG, struct.pack("=HHHH", 3, 3, 2, 0))
    client.setsockopt(socket.IPPROTO_SCTP, SCTP_RECVRCVINFO, 1)
    client.connect((options.host, options.port))
    while True:
        message, ancillary, flags, _ = client.recvmsg(1024, socket.CMSG_SPACE(RCVINFO.size))
        if not message:
            break
        for level, kind, data in ancillary:
            if (level, kind) == (socket.IPPROTO_SCTP, SCTP_RCVINFO):
                stream, _, _, ppid, _, _, _, _ = RCVINFO.unpack(data)
                print(f"Received following data on stream {stream}: {message.decode()}", flush=True)
