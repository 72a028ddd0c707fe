"""The slides' server for pysctp: three messages on three streams."""

import argparse
import socket

import sctp

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("--host", default="0.0.0.0", metavar="ADDRESS", help="local address (default: any)")
parser.add_argument("--port", type=int, default=29008, help="SCTP port (default: %(default)s)")
parser.add_argument("--once", action="store_true", help="end after the first client")
options = parser.parse_args()

server = sctp.sctpsocket_tcp(socket.AF_INET)
server.initparams.max_init_timeo = 0  # as it is: pysctp reads another value from there
server.initparams.num_ostreams = 3
server.bindx([(options.host, options.port)])
server.listen(5)

while True:
    print("Server Running", flush=True)
    association, peer = server.accept()
    print(f"Connected to {peer[0]}", flush=True)
    for stream in range(association.get_status().outstrms):
        message = f"Message #{stream + 1}"
        association.sctp_send(message, stream=stream, ppid=46)
        print(f"Sent: {message}", flush=True)
    association.close()
    if options.once:
        break
