"""A one-to-many echo server: one socket, any number of associations, no accept."""

import argparse

from pysctpstack import socket

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("--host", default="0.0.0.0", help="local address (default: any)")
parser.add_argument("--port", type=int, default=29007, help="SCTP port (default: %(default)s)")
parser.add_argument("--once", action="store_true", help="end when the first association has ended")
options = parser.parse_args()

server = socket.socket(socket.AF_INET, socket.SOCK_SEQPACKET, socket.IPPROTO_SCTP)
server.bind((options.host, options.port))
events = socket.EventSubscribe(sctp_data_io_event=1, sctp_association_event=1)
server.setsockopt(socket.IPPROTO_SCTP, socket.SCTP_EVENTS, events)
server.listen()
print("Server Running", flush=True)
while True:
    message, address, info, flags = server.sctp_recvmsg(65536)
    if flags & socket.MSG_NOTIFICATION:
        change = socket.parse_notification(message)
        if change.sac_state == socket.SCTP_COMM_UP:
            print(f"Association {change.sac_assoc_id} with {address[0]} port {address[1]}", flush=True)
        elif options.once and change.sac_state in (socket.SCTP_SHUTDOWN_COMP, socket.SCTP_COMM_LOST):
            break
        continue
    # The same payload, stream and protocol identifier, back to where it came from.
    server.sctp_sendmsg(message, to=address, ppid=info.sinfo_ppid, stream_no=info.sinfo_stream)
server.close()
