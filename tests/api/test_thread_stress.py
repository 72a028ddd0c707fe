"""Threads that call everything at random on sockets that they share, closing and aborting what others wait for.

All comes to an end: no call blocks for ever, what is raised makes sense, what arrives is intact, and nothing is left.
PYSCTPSTACK_STRESS_SECONDS makes it longer; PYSCTPSTACK_STRESS_SEED repeats the choices, though not the interleaving.
"""

from __future__ import annotations

import contextlib
import errno
import gc
import os
import random
import select
import socket
import sys
import threading
import time
import traceback
import weakref
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from struct import pack

import pytest
from loopback import Stacks

from pysctpstack import SctpSocket, Stack, structs
from pysctpstack import constants as c
from pysctpstack.sockets.options import OPTIONS

SECONDS = float(os.environ.get("PYSCTPSTACK_STRESS_SECONDS", "3"))
SEED = int(os.environ.get("PYSCTPSTACK_STRESS_SEED", "0")) or random.SystemRandom().randrange(1, 1 << 32)
THREADS = 8
SOCKETS = 50
STREAMS = 10
TIMEOUTS = [None, 0.0, 0.0, 0.01, 0.01, 0.05, 0.5]
PATIENCE = 20.0
"""Seconds after which a call that should have returned counts as stuck."""
LARGEST = 60_000
SCTP = c.IPPROTO_SCTP
MANY = socket.SOCK_SEQPACKET

USUAL = {
    errno.EBADF,
    errno.EAGAIN,
    errno.EPIPE,
    errno.ENOTCONN,
    errno.EINVAL,
    errno.ECONNRESET,
    errno.ECONNABORTED,
    errno.ETIMEDOUT,
    errno.ECONNREFUSED,
}
"""What the doings of other threads and of the peer may bring about in any call, as SO_ERROR of what was before."""
OF_A_CALL = {
    "connect": {errno.EISCONN, errno.EALREADY, errno.EINPROGRESS, errno.EADDRNOTAVAIL},
    "send": {errno.EISCONN, errno.EALREADY, errno.ECONNREFUSED, errno.EMSGSIZE, errno.EADDRNOTAVAIL},
    "accept": {errno.EOPNOTSUPP},
    "listen": {errno.EADDRINUSE},
    "bind": {errno.EADDRINUSE, errno.EADDRNOTAVAIL, errno.EBUSY},
    "shutdown": {errno.EOPNOTSUPP},
    "option": {errno.ENOPROTOOPT, errno.EOPNOTSUPP, errno.EACCES, errno.EDOM, errno.ENOMEM},
}
"""What else a call itself may answer."""

EVENTS = [
    c.SCTP_ASSOC_CHANGE,
    c.SCTP_PEER_ADDR_CHANGE,
    c.SCTP_SHUTDOWN_EVENT,
    c.SCTP_PARTIAL_DELIVERY_EVENT,
    c.SCTP_SENDER_DRY_EVENT,
    c.SCTP_SEND_FAILED_EVENT,
]


class Held:
    """A socket in the pool."""

    def __init__(self, sock: SctpSocket, stack: Stack, peers: Stack, watched: bool) -> None:
        self.sock = sock
        self.stack = stack
        self.peers = peers
        """Whose UDP port it sends to."""
        self.watched = watched
        """Subscribed to all that tells what has been read, and read by one thread at a time, which knows what to
        expect; the others are read by all who like to."""
        self.reading = threading.Lock()


class Assembly:
    """What has been read of an association's message."""

    def __init__(self, key: tuple[int, ...], size: int) -> None:
        self.key = key
        self.size = size


class Storm:
    def __init__(self, seed: int, stacks: list[Stack]) -> None:
        self.seed = seed
        self.stacks = stacks
        self.until = time.monotonic() + SECONDS
        self.over = False
        self.counts: Counter[str] = Counter()
        self.errors: list[str] = []
        self.pool: list[Held] = []
        self.dropped: list[weakref.ref[SctpSocket]] = []
        self.addresses: dict[Stack, list[tuple[str, int]]] = {stack: [] for stack in stacks}
        """Where somebody has listened, lately."""
        self.lock = threading.Lock()
        self.assemblies: dict[tuple[int, int], Assembly] = {}
        self.began: dict[int, tuple[float, float, str]] = {}
        """By thread: since when it is in a call, how long that may take, and its name."""

    def put(self, held: Held, rng: random.Random) -> None:
        """Into the pool; if it is full, in the place of another, which is closed, or dropped unclosed."""
        with self.lock:
            if len(self.pool) < SOCKETS:
                self.pool.append(held)
                return
            index = rng.randrange(SOCKETS)
            other, self.pool[index] = self.pool[index], held
            if rng.random() < 0.3:
                # Nobody closes it but the garbage collector, or, if somebody waits there, the reaper.
                self.dropped.append(weakref.ref(other.sock))
                return
        other.sock.close()

    def pick(self, rng: random.Random, *, for_messages: bool = False) -> Held | None:
        """Any, or rather one that can have messages; None: there is room for more."""
        with self.lock:
            if len(self.pool) < SOCKETS:
                return None
            found = rng.choice(self.pool)
            for _ in range(5):
                if not for_messages or found.sock.associations:
                    break
                found = rng.choice(self.pool)
            return found

    def drop(self, held: Held) -> None:
        """Out of the pool: it is closed."""
        with self.lock, contextlib.suppress(ValueError):
            self.pool.remove(held)

    def count(self, what: str) -> None:
        with self.lock:
            self.counts[what] += 1

    @contextlib.contextmanager
    def watch(self, name: str, limit: float) -> Iterator[None]:
        me = threading.get_ident()
        self.began[me] = (time.monotonic(), limit, name)
        try:
            yield
        finally:
            del self.began[me]


class Worker:
    """One thread of a storm: what it may do, and the doing of it."""

    def __init__(self, storm: Storm, number: int) -> None:
        self.storm = storm
        self.random = random.Random(f"{storm.seed} {number}")
        self.does: list[tuple[int, str, Callable[[Held], object]]] = [
            (30, "send", self.send),
            (30, "receive", self.receive),
            (6, "connect", self.connect),
            (8, "accept", self.accept),
            (2, "listen", self.listen),
            (1, "bind", self.bind),
            (1, "shutdown", self.shutdown),
            (6, "option", self.get_option),
            (4, "option", self.set_option),
            (3, "option", self.ask),
            (2, "peel", self.peel),
            (4, "wait", self.wait),
            (1, "wait", self.file),
            (2, "end", self.end),
            (1, "time", self.time),
        ]

    # --- the run ---

    def run(self) -> None:
        storm = self.storm
        weights = [weight for weight, _, _ in self.does]
        try:
            while not storm.over and time.monotonic() < storm.until:
                _, group, does = self.random.choices(self.does, weights)[0]
                held = storm.pick(self.random, for_messages=group in ("send", "receive"))
                if held is None:
                    self.new()
                    continue
                timeout = held.sock.gettimeout()
                with storm.watch(does.__name__, float("inf") if timeout is None else timeout):
                    self.guarded(group, does, held)
        except BaseException:
            storm.errors.append(traceback.format_exc())
            storm.over = True

    def guarded(self, group: str, does: Callable[[Held], object], held: Held) -> None:
        name = does.__name__
        try:
            does(held)
            self.storm.count(name)
        except TimeoutError:
            self.storm.count(f"{name} timed out")
        except OSError as error:
            if error.errno not in USUAL | OF_A_CALL.get(group, set()):
                raise
            if error.errno == errno.EBADF:
                self.storm.drop(held)
            self.storm.count(f"{name} {errno.errorcode[error.errno]}")

    # --- sockets ---

    def new(self) -> None:
        rng = self.random
        stack, peers = rng.choice(self.storm.stacks), rng.choice(self.storm.stacks)
        sock = stack.socket(socket.AF_INET, rng.choice([socket.SOCK_STREAM, MANY]))
        held = Held(sock, stack, peers, watched=rng.random() < 0.5)
        sock.settimeout(rng.choice(TIMEOUTS))
        encaps = structs.UdpEncaps(c.SCTP_FUTURE_ASSOC, None, socket.htons(peers.udp_ports[0]))
        sock.setsockopt(SCTP, c.SCTP_REMOTE_UDP_ENCAPS_PORT, encaps)
        sock.setsockopt(SCTP, c.SCTP_INITMSG, structs.InitMsg(STREAMS, STREAMS))
        if held.watched:
            sock.setsockopt(SCTP, c.SCTP_RECVRCVINFO, 1)
            sock.setsockopt(SCTP, c.SCTP_RECVNXTINFO, 1)
            for type_ in EVENTS:
                sock.setsockopt(SCTP, c.SCTP_EVENT, structs.Event(c.SCTP_FUTURE_ASSOC, type_, 1))
        if rng.random() < 0.3:
            sock.fileno()
        if rng.random() < 0.4:
            sock.listen(rng.choice([1, 5, 100]))
            self.known(held)
        self.storm.put(held, rng)

    def known(self, held: Held) -> None:
        address = held.sock.getsockname()
        with self.storm.lock:
            known = self.storm.addresses[held.stack]
            known.append(("127.0.0.1", int(address[1])))
            del known[:-10]

    def listen(self, held: Held) -> None:
        if self.random.random() < 0.2:
            held.sock.listen(0)
            return
        held.sock.listen(self.random.choice([1, 5, 100]))
        self.known(held)

    def accept(self, held: Held) -> None:
        child, address = held.sock.accept()
        assert address[0].startswith("127.0.0.")
        self.adopt(child, held)

    def adopt(self, child: SctpSocket, parent: Held) -> None:
        child.settimeout(self.random.choice(TIMEOUTS))
        self.storm.put(Held(child, parent.stack, parent.peers, parent.watched), self.random)

    def target(self, held: Held) -> tuple[str, int]:
        with self.storm.lock:
            return self.random.choice(self.storm.addresses[held.peers] or [("127.0.0.1", 1)])

    def connect(self, held: Held) -> None:
        target = self.target(held)
        what = self.random.random()
        if what < 0.6:
            held.sock.connect(target)
        elif what < 0.8:
            number = held.sock.connect_ex(target)
            if number:
                raise OSError(number, os.strerror(number))
        else:
            held.sock.sctp_connectx([target, ("127.0.0.2", target[1])])

    def bind(self, held: Held) -> None:
        rng = self.random
        addresses = [(f"127.0.0.{rng.randrange(1, 4)}", 0)]
        if rng.random() < 0.5:
            held.sock.bind(addresses[0])
        else:
            held.sock.sctp_bindx(addresses, rng.choice([c.SCTP_BINDX_ADD_ADDR, c.SCTP_BINDX_REM_ADDR]))

    def shutdown(self, held: Held) -> None:
        held.sock.shutdown(self.random.choice([socket.SHUT_RD, socket.SHUT_WR, socket.SHUT_RDWR]))

    def peel(self, held: Held) -> None:
        if not held.reading.acquire(blocking=False):
            return
        try:
            id_ = self.an_association(held)
            if self.random.random() < 0.5:
                child = held.sock.sctp_peeloff(id_)
            else:
                answer = held.sock.getsockopt(SCTP, c.SCTP_SOCKOPT_PEELOFF, structs.PeeloffArg(id_, 0))
                child = held.sock.peeled(answer.sd)
        finally:
            held.reading.release()
        self.adopt(child, held)

    def an_association(self, held: Held) -> int:
        ids = list(held.sock.associations)
        return self.random.choice(ids) if ids else 0

    def end(self, held: Held) -> None:
        rng = self.random
        what = rng.random()
        if what < 0.2:
            held.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, pack("=ii", 1, 0))
        elif what < 0.3:
            held.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, pack("=ii", 1, 1))
        elif what < 0.6 and held.sock.type == MANY:
            flag = rng.choice([c.SCTP_ABORT, c.SCTP_EOF])
            info = structs.SndRcvInfo(sinfo_flags=flag, sinfo_assoc_id=self.an_association(held))
            held.sock.sctp_send(b"", info)
            return
        held.sock.close()

    # --- messages: bytes of one value, of which the ppid tells the size and the value ---

    def send(self, held: Held) -> None:
        rng, sock = self.random, held.sock
        size = rng.choice([1, 100, 100, 1_400, 5_000, LARGEST])
        fill = rng.randrange(256)
        data = bytes([fill]) * size
        ppid = socket.htonl(size << 16 | rng.randrange(256) << 8 | fill) if size < 1 << 16 else 0
        stream = rng.randrange(STREAMS)
        flags = rng.choice([0, 0, 0, c.SCTP_UNORDERED, c.SCTP_SACK_IMMEDIATELY])
        to = self.target(held) if rng.random() < 0.3 else None
        what = rng.random()
        if what < 0.4:
            lifetime = rng.choice([0, 0, 0, 20])
            sock.sctp_sendmsg(data, to, ppid, flags, stream, lifetime)
            return
        info = structs.SndInfo(stream, flags, ppid, 0, self.an_association(held))
        if what < 0.55:
            policy = rng.choice(
                [(c.SCTP_PR_SCTP_TTL, 20), (c.SCTP_PR_SCTP_RTX, 1), (c.SCTP_PR_SCTP_PRIO, rng.randrange(5))]
            )
            both = structs.SendvSpa(c.SCTP_SEND_SNDINFO_VALID | c.SCTP_SEND_PRINFO_VALID, info, structs.PrInfo(*policy))
            sock.sctp_sendv([data[: size // 2], data[size // 2 :]], [to] if to else (), both)
        elif what < 0.75:
            sock.sendmsg([data], [(SCTP, c.SCTP_SNDINFO, info)], rng.choice([0, socket.MSG_DONTWAIT]), to)
        elif what < 0.85:
            sock.send(data)
        elif what < 0.9 and to:
            sock.sendto(data, to)
        elif what < 0.95:
            sock.sctp_send(data, structs.SndRcvInfo(stream, 0, flags, ppid, sinfo_assoc_id=self.an_association(held)))
        else:
            info.snd_flags |= c.SCTP_SENDALL
            sock.sctp_sendv([data], (), info)

    def receive(self, held: Held) -> None:
        if not held.watched:
            self.receive_anything(held.sock)
        elif held.reading.acquire(blocking=False):
            try:
                self.receive_watched(held)
            finally:
                held.reading.release()

    def receive_anything(self, sock: SctpSocket) -> None:
        rng = self.random
        size = rng.choice([1, 1_000, 1 << 20])
        flags = rng.choice([0, 0, 0, socket.MSG_PEEK, socket.MSG_DONTWAIT])
        what = rng.randrange(6)
        if what == 0:
            data = sock.recv(size, flags)
        elif what == 1:
            data, address = sock.recvfrom(size, flags)
            assert address is None or address[0].startswith("127.0.0.")
        elif what == 2:
            buffer = bytearray(size)
            data = bytes(buffer[: sock.recv_into(buffer, 0, flags)])
        elif what == 3:
            data, _, _, _ = sock.recvmsg(size, 0, flags)
        elif what == 4:
            data, _, _, _ = sock.sctp_recvmsg(size)
        else:
            data, _, _, _ = sock.sctp_recvv(size, flags)
        if data:
            self.storm.count("read")
            assert data.count(data[0]) == len(data), "bytes of two messages in one"

    def receive_watched(self, held: Held) -> None:
        rng, sock = self.random, held.sock
        size = rng.choice([700, 1 << 20, 1 << 20])
        if rng.random() < 0.5:
            data, _, info, msg_flags = sock.sctp_recvv(size)
            if isinstance(info, structs.RecvvRn):
                info = info.recvv_rcvinfo
        else:
            buffer = bytearray(size)
            length, ancillary, msg_flags, _ = sock.recvmsg_into([buffer], 300)
            data = bytes(buffer[:length])
            found = {type_: value for _, type_, value in ancillary}
            info = structs.RcvInfo.unpack(found[c.SCTP_RCVINFO]) if c.SCTP_RCVINFO in found else None
        if not data:
            return
        if msg_flags & c.MSG_NOTIFICATION:
            self.storm.count("notification")
            if size > LARGEST:
                # It may be the rest of one that was too long.
                with contextlib.suppress(ValueError):
                    structs.parse_notification(data)
            return
        assert isinstance(info, structs.RcvInfo)
        self.check(held, data, info, bool(msg_flags & socket.MSG_EOR))

    def check(self, held: Held, data: bytes, info: structs.RcvInfo, ends: bool) -> None:
        ppid = socket.ntohl(info.rcv_ppid)
        assert data.count(data[0]) == len(data), "bytes of two messages in one"
        place = (id(held.stack), info.rcv_assoc_id)
        key = (info.rcv_sid, info.rcv_ssn, info.rcv_flags & c.SCTP_UNORDERED, ppid)
        known = self.storm.assemblies.pop(place, None)
        if known is not None and known.key == key:
            known.size += len(data)
        else:
            # What was begun before has been given up (its life time was over), or was another thing.
            known = Assembly(key, len(data))
        if ppid:
            assert data[0] == ppid & 0xFF, "bytes of another message"
            assert known.size <= ppid >> 16, (known.size, ppid >> 16)
            if ends:
                assert known.size == ppid >> 16, (known.size, ppid >> 16)
        if ends:
            self.storm.count("whole")
        else:
            self.storm.assemblies[place] = known

    # --- the rest ---

    def get_option(self, held: Held) -> None:
        level, option = self.random.choice(list(OPTIONS))
        if option in (c.SCTP_SOCKOPT_PEELOFF, c.SCTP_SOCKOPT_PEELOFF_FLAGS):
            return
        buffer = pack("=i", self.an_association(held)) + bytes(self.random.choice([0, 4, 60, 300]))
        held.sock.getsockopt(level, option, buffer)

    def set_option(self, held: Held) -> None:
        rng, sock = self.random, held.sock
        id_ = self.an_association(held)
        level, option, value = rng.choice(
            [
                (socket.SOL_SOCKET, socket.SO_SNDBUF, rng.choice([20_000, 100_000])),
                (socket.SOL_SOCKET, socket.SO_RCVBUF, rng.choice([20_000, 100_000])),
                (socket.SOL_SOCKET, socket.SO_RCVTIMEO, pack("=qq", 0, 50_000)),
                (socket.SOL_SOCKET, socket.SO_SNDTIMEO, pack("=qq", 0, 50_000)),
                (socket.SOL_SOCKET, socket.SO_REUSEADDR, 1),
                (SCTP, c.SCTP_NODELAY, rng.randrange(2)),
                (SCTP, c.SCTP_DISABLE_FRAGMENTS, rng.randrange(2)),
                (SCTP, c.SCTP_FRAGMENT_INTERLEAVE, rng.randrange(2)),
                (SCTP, c.SCTP_PARTIAL_DELIVERY_POINT, rng.choice([2_000, 10_000])),
                (SCTP, c.SCTP_MAXSEG, structs.AssocValue(id_, rng.choice([0, 600]))),
                (SCTP, c.SCTP_MAX_BURST, structs.AssocValue(id_, rng.choice([1, 4]))),
                (SCTP, c.SCTP_DELAYED_SACK, structs.SackInfo(id_, rng.choice([1, 100]), rng.choice([1, 2]))),
                (SCTP, c.SCTP_CONTEXT, structs.AssocValue(id_, rng.randrange(9))),
                (SCTP, c.SCTP_AUTOCLOSE, rng.choice([0, 1])),
                (SCTP, c.SCTP_RTOINFO, structs.RtoInfo(id_, 200, 1_000, 100)),
                (SCTP, c.SCTP_ASSOCINFO, structs.AssocParams(id_, 3)),
                (SCTP, c.SCTP_PEER_ADDR_PARAMS, structs.PaddrParams(id_, None, spp_flags=c.SPP_HB_DEMAND)),
                (SCTP, c.SCTP_DEFAULT_SNDINFO, structs.SndInfo(rng.randrange(STREAMS), 0, 0, 7, id_)),
                (SCTP, c.SCTP_DEFAULT_PRINFO, structs.DefaultPrInfo(id_, 0, c.SCTP_PR_SCTP_NONE)),
            ]
        )
        sock.setsockopt(level, option, value)

    def ask(self, held: Held) -> None:
        sock = held.sock
        what = self.random.randrange(7)
        if what == 0:
            sock.getsockname()
        elif what == 1:
            sock.getpeername()
        elif what == 2:
            sock.sctp_getpaddrs(self.an_association(held))
        elif what == 3:
            sock.sctp_getladdrs(self.an_association(held))
        elif what == 4:
            id_ = self.an_association(held)
            status = sock.sctp_opt_info(id_, c.SCTP_STATUS, structs.Status())
            assert sock.one_to_one or status.sstat_assoc_id == id_
        elif what == 5:
            held.stack.statistics()
        else:
            repr(sock)

    def wait(self, held: Held) -> None:
        others = [held, self.storm.pick(self.random), self.storm.pick(self.random)]
        numbers = [number for number in {other.sock.fileno() for other in others if other} if number >= 0]
        timeout = self.random.choice([0.0, 0.02])
        # They may be closed meanwhile, and their numbers be another's, by whom that is not minded.
        if self.random.random() < 0.5:
            select.select(numbers, numbers, [], timeout)
        else:
            poll = select.poll()
            for number in numbers:
                poll.register(number, select.POLLIN | select.POLLOUT)
            poll.poll(timeout * 1_000)

    def file(self, held: Held) -> None:
        if held.watched:
            return
        with contextlib.suppress(ValueError), held.sock.makefile("rwb", buffering=0) as file:
            # ValueError: closed while it is open, by nobody else than this thread's luck.
            if held.sock.gettimeout() == 0.0:
                data = file.read(100)
                assert not data or data.count(data[0]) == len(data)

    def time(self, held: Held) -> None:
        held.sock.settimeout(self.random.choice(TIMEOUTS))
        assert held.sock.getblocking() in (True, False)


def stacks_of_threads() -> str:
    """Where every thread is."""
    frames = sys._current_frames()
    return "\n".join(
        f"--- {thread.name}\n" + "".join(traceback.format_stack(frames[thread.ident]))
        for thread in threading.enumerate()
        if thread.ident in frames
    )


def descriptors() -> list[str]:
    found = []
    for entry in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            found.append(f"{entry.name} {entry.readlink()}")
    return found


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="counts descriptors")
@pytest.mark.timeout(120 + 2 * SECONDS)
def test_everything_at_once(capfd: pytest.CaptureFixture[str]) -> None:
    print("seed", SEED)
    gc.collect()
    before = descriptors()
    crashed: list[str] = []
    hook, threading.excepthook = threading.excepthook, lambda what: crashed.append(repr(what))
    stacks = Stacks()
    try:
        storm_of(stacks, crashed)
    finally:
        threading.excepthook = hook
        stacks.close()
    gc.collect()
    left = descriptors()
    assert len(left) == len(before), (left, before)
    names = [thread.name for thread in threading.enumerate() if "pysctpstack" in thread.name]
    assert not names


def storm_of(stacks: Stacks, crashed: list[str]) -> None:
    pair = [stacks(), stacks(receive_buffer=50_000)]
    storm = Storm(SEED, pair)
    for stack in pair:
        # Both have their UDP ports before anybody wants to know them.
        with stack.socket() as sock:
            sock.listen()
    workers = [Worker(storm, number) for number in range(THREADS)]
    threads = [threading.Thread(target=worker.run, name=f"stress {i}", daemon=True) for i, worker in enumerate(workers)]
    for thread in threads:
        thread.start()
    rng = random.Random(f"{SEED} reaper")
    while not storm.over and time.monotonic() < storm.until:
        time.sleep(0.02)
        # Somebody has to be there for those who wait for ever.
        with storm.lock:
            victims = [storm.pool.pop(rng.randrange(len(storm.pool))).sock] if storm.pool else []
            victims += [sock for sock in (dropped() for dropped in storm.dropped) if sock is not None]
            storm.dropped.clear()
        for victim in victims:
            victim.close()
        victims.clear()
        now = time.monotonic()
        for began, limit, name in list(storm.began.values()):
            if now - began > limit + PATIENCE:
                storm.over = True
                storm.errors.append(f"{name} is stuck\n{stacks_of_threads()}")
    storm.over = True
    deadline = time.monotonic() + PATIENCE
    while any(thread.is_alive() for thread in threads):
        # What was accepted meanwhile is in the pool too.
        with storm.lock:
            left = [*(held.sock for held in storm.pool), *(dropped() for dropped in storm.dropped)]
        for sock in left:
            if sock is not None:
                sock.close()
        time.sleep(0.05)
        if time.monotonic() > deadline:
            storm.errors.append(f"a thread does not end\n{stacks_of_threads()}")
            break
    print(dict(sorted(storm.counts.items())))
    assert not storm.errors, "\n".join(storm.errors)
    assert not crashed, crashed
    counts = storm.counts
    wanted = ("send", "receive", "accept", "connect", "peel", "whole", "read", "notification")
    assert min(counts[name] for name in wanted) > 0, counts
    storm.pool.clear()
    left.clear()
    gc.collect()
    # Both at once: each is the other's peer.
    deadline = time.monotonic() + PATIENCE
    while any(stack.statistics().associations for stack in pair):
        if time.monotonic() > deadline:
            pytest.fail("\n".join(str(one) for stack in pair for one in stack.statistics().associations))
        time.sleep(0.05)
    assert [stack.close(1.0) for stack in pair] == [0, 0]
