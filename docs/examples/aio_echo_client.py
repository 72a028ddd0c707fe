"""An asyncio echo client: sends words on several streams and prints what comes back."""

import argparse
import asyncio

from pysctpstack import aio

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("host", metavar="HOST", help="the server's address")
parser.add_argument("--port", type=int, default=29010, help="SCTP port (default: %(default)s)")
parser.add_argument("words", nargs="*", default=["Hello", "SCTP"], help="messages to send (default: Hello SCTP)")
options = parser.parse_args()


async def main() -> None:
    async with aio.connect((options.host, options.port), streams=3, timeout=10) as association:
        for number, word in enumerate(options.words):
            await association.send(word.encode(), stream_id=number % 3, ppid=number)
        for _ in options.words:
            message = await association.recv(timeout=10)
            if message is None:
                break
            print(f"{message.data.decode()} (stream {message.stream_id}, ppid {message.ppid})", flush=True)


asyncio.run(main())
