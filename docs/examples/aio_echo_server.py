"""An asyncio echo server: a task for each association, and each message back on the stream that it came on."""

import argparse
import asyncio

from pysctpstack import aio

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("--host", default="0.0.0.0", help="local address (default: any)")
parser.add_argument("--port", type=int, default=29010, help="SCTP port (default: %(default)s)")
parser.add_argument("--once", action="store_true", help="end when the first association has ended")
options = parser.parse_args()


async def main() -> None:
    ended = asyncio.Event()

    async def echo(association: aio.AsyncAssociation) -> None:
        print("Association with {} port {}".format(*association.peer_address), flush=True)
        async for message in association:
            await association.send(message.data, stream_id=message.stream_id, ppid=message.ppid)
        ended.set()

    async with aio.serve(echo, options.host, options.port) as server:
        print("Server Running", flush=True)
        if options.once:
            await ended.wait()
        else:
            await server.serve_forever()


asyncio.run(main())
