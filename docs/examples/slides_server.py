"""An iterative one-to-one server: three messages on three streams to each client, then close.

The C program of many SCTP introductions, in Python; only the import differs from a program for kernel SCTP.
"""

import argparse

from pysctpstack import socket

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("--host", default="0.0.0.0", help="local address (default: any)")
parser.add_argument("--port", type=int, default=29008, help="SCTP port (default: %(default)s)")
parser.add_argument("--once", action="store_true", help="end after the first client")
options = parser.parse_args()

server = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_SCTP)
server.bind((options.host, options.port))
# At most three streams each way, and two attempts at setting up an association.
init = socket.InitMsg(sinit_num_ostreams=3, sinit_max_instreams=3, sinit_max_attempts=2)
server.setsockopt(socket.IPPROTO_SCTP, socket.SCTP_INITMSG, init)
server.listen(5)
while True:
    print("Server Running", flush=True)
    client, address = server.accept()
    print(f"Connected to {address[0]}", flush=True)
    for stream in range(3):
        message = f"Message #{stream + 1}\n"
        client.sctp_sendmsg(message.encode(), stream_no=stream)
        print(f"Sent: {message}", flush=True)
    client.close()
    if options.once:
        break
server.close()
