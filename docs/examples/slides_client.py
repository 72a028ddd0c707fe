"""A one-to-one client: receive three messages and print the stream that each came on."""

import argparse

from pysctpstack import socket

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("host", metavar="HOST", help="the server's address")
parser.add_argument("--port", type=int, default=29008, help="SCTP port (default: %(default)s)")
options = parser.parse_args()

client = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_SCTP)
# At most three streams each way, and two attempts at setting up the association.
init = socket.InitMsg(sinit_num_ostreams=3, sinit_max_instreams=3, sinit_max_attempts=2)
client.setsockopt(socket.IPPROTO_SCTP, socket.SCTP_INITMSG, init)
client.connect((options.host, options.port))
# Without this subscription the stream of a message would not be told.
events = socket.EventSubscribe(sctp_data_io_event=1)
client.setsockopt(socket.SOL_SCTP, socket.SCTP_EVENTS, events)
for _ in range(3):
    message, address, info, flags = client.sctp_recvmsg(1024)
    print(f"Received following data on stream {info.sinfo_stream}: {message.decode().strip()}", flush=True)
client.close()
