"""The slides' server for kernel SCTP and the standard socket module: three messages on three streams."""

import argparse
import socket
import struct

# <linux/sctp.h>
SCTP_INITMSG = 2
SCTP_SNDINFO = 2

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("--host", default="", metavar="ADDRESS", help="local address (default: any)")
parser.add_argument("--port", type=int, default=29008, help="SCTP port (default: %(default)s)")
parser.add_argument("--once", action="store_true", help="end after the first client")
options = parser.parse_args()

server = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_SCTP)
server.bind((options.host, options.port))
# struct sctp_initmsg: at most three streams each way, and two attempts at setting up an association.
server.setsockopt(socket.IPPROTO_SCTP, SCTP_INITMSG, struct.pack("=HHHH", 3, 3, 2, 0))
server.listen(5)

while True:
    print("Server Running", flush=True)
    association, peer = server.accept()
    print(f"Connected to {peer[0]}", flush=True)
    with association:
        for stream in range(3):
            message = f"Message #{stream + 1}"
            # struct sctp_sndinfo: stream, flags, payload protocol identifier, context, association.
            info = struct.pack("=HHIIi", stream, 0, socket.htonl(46), 0, 0)
            association.sendmsg([message.encode()], [(socket.IPPROTO_SCTP, SCTP_SNDINFO, info)])
            print(f"Sent: {message}", flush=True)
    if options.once:
        break
