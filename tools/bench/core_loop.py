"""The sans-IO core alone: both ends in one process, datagrams handed over in memory, no sockets and no threads.

Run as a program, ``core_loop.py SIZE MTU SECONDS``, it prints a line of JSON: what arrived, in which time, and how much
of that the sending and the receiving end took.
"""

from __future__ import annotations

import json
import sys
import time
from secrets import token_bytes

from pysctpstack import Config
from pysctpstack.core import Association, Endpoint, FixedMtu, Message, Route, Settings, State
from pysctpstack.events import MessageReceived

PORT = 5_000
UDP_PORT = 9_899
TRAIN = 65_507
"""Bytes that are handed over at once at most: what one UDP call takes."""
TICK = 0.000_1
"""Seconds of virtual time between two exchanges."""


class SystemEntropy:
    """Randomness of the operating system, as a stack has it."""

    def token(self, size: int) -> bytes:
        return token_bytes(size)


class CorePair:
    """Two endpoints with one association, and the time that each of them took since `reset`."""

    def __init__(self, mtu: int, buffer: int = 1 << 20) -> None:
        config = Config(send_buffer=buffer, receive_buffer=buffer)
        self.settings = Settings.from_config(config)
        self.buffer = buffer
        self.sender = Endpoint(config, SystemEntropy(), FixedMtu(mtu))
        self.receiver = Endpoint(config, SystemEntropy(), FixedMtu(mtu))
        self.receiver.listen(PORT, self.settings, 1)
        self.to_receiver = Route("192.0.2.2", UDP_PORT)
        self.to_sender = Route("192.0.2.1", UDP_PORT)
        self.now = 0.0
        self.reset()
        self.association: Association = self.sender.associate(PORT, PORT, self.to_receiver, self.settings, self.now)
        for _ in range(10):
            self.exchange()
        if self.association.state is not State.ESTABLISHED:
            raise RuntimeError(f"the association is {self.association.state}")

    def reset(self) -> None:
        self.bytes = self.messages = self.packets = self.acknowledgements = 0
        self.sender_seconds = self.receiver_seconds = 0.0

    def fill(self, message: bytes) -> None:
        """Send until the send buffer is full."""
        clock = time.perf_counter
        before = clock()
        send, association, now = self.association.send, self.association, self.now
        while association.send_buffered + len(message) <= self.buffer:
            send(Message(0, 0, message), now)
        self.sender_seconds += clock() - before

    def exchange(self) -> None:
        """Hand over what the sender has, have it read, and hand back what the receiver answers."""
        clock = time.perf_counter
        self.now = now = self.now + TICK
        started = clock()
        out = self.sender.datagrams_to_send(now)
        sent = clock()
        batches = self._batches([(self.to_sender, datagram) for _, datagram in out])
        begun = clock()
        receiver = self.receiver
        for batch in batches:
            receiver.receive_datagrams(batch, now)
        size = 0
        for event in receiver.next_events():
            if isinstance(event, MessageReceived):
                size += len(event.data)
                self.messages += event.complete
                receiver.associations[event.association_id].consumed(len(event.data), now)
        answers = receiver.datagrams_to_send(now)
        if receiver.next_timeout() <= now:
            receiver.handle_timeout(now)
            answers += receiver.datagrams_to_send(now)
        received = clock()
        self.bytes += size
        self.packets += len(out)
        self.acknowledgements += len(answers)
        back = [(self.to_receiver, datagram) for _, datagram in answers]
        resumed = clock()
        sender = self.sender
        if back:
            sender.receive_datagrams(back, now)
        sender.next_events()
        if sender.next_timeout() <= now:
            sender.handle_timeout(now)
        self.sender_seconds += (sent - started) + (clock() - resumed)
        self.receiver_seconds += received - begun

    @staticmethod
    def _batches(datagrams: list[tuple[Route, bytes]]) -> list[list[tuple[Route, bytes]]]:
        if not datagrams:
            return []
        many = max(TRAIN // max(len(datagrams[0][1]), 1), 1)
        return [datagrams[i : i + many] for i in range(0, len(datagrams), many)]

    def run(self, size: int, seconds: float) -> float:
        """Carry messages for so long; the time that it took. RuntimeError: nothing arrived."""
        message = bytes(size)
        warm_up = time.perf_counter() + seconds / 10
        while time.perf_counter() < warm_up:
            self.fill(message)
            self.exchange()
        self.reset()
        started = time.perf_counter()
        until = started + seconds
        while time.perf_counter() < until:
            self.fill(message)
            self.exchange()
        elapsed = time.perf_counter() - started
        if not self.bytes:
            raise RuntimeError("nothing arrived")
        return elapsed


def main() -> None:
    size, mtu, seconds = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
    pair = CorePair(mtu, max(1 << 20, 2 * size))
    elapsed = pair.run(size, seconds)
    result = {
        "bytes": pair.bytes,
        "seconds": elapsed,
        "packets": pair.packets,
        "acknowledgements": pair.acknowledgements,
        "sender_seconds": pair.sender_seconds,
        "receiver_seconds": pair.receiver_seconds,
    }
    print(json.dumps(result), flush=True)


if __name__ == "__main__":
    main()
