"""The slides' client for pysctp: three messages, each with its stream."""

import argparse
import socket

import sctp

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("host", metavar="HOST", help="the server's address")
parser.add_argument("--port", type=int, default=29008, help="SCTP port (default: %(default)s)")
options = parser.parse_args()

client = sctp.sctpsocket_tcp(socket.AF_INET)
client.initparams.max_init_timeo = 0  # as it is: pysctp reads another value from there
client.initparams.max_instreams = 3
client.events.clear()
client.connect((options.host, options.port))
while True:
    address, flags, message, info = client.sctp_recv(1024)
    if not message:
        break
    print(f"Received following data on stream {info.stream}: {message.decode()}", flush=True)
client.close()
