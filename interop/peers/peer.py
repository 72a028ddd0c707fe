"""One end of an interop exchange on Python sockets: the kernel's SCTP, or pysctpstack.

`--socket kernel` uses the standard library's `socket` with the bytes of Linux's structs; `--socket
pysctpstack` uses `pysctpstack.socket` with the dataclasses of `pysctpstack.structs`. Everything else is the
same code, which is the point. Events are JSON lines on standard output, the same as `usrsctp_peer.c` writes.
Run it as `python -m interop.peers.peer`; scenarios are described in `usrsctp_peer.c` and in
`interop/README.md`.

pysctpstack takes its UDP ports from PYSCTPSTACK_UDP_PORT and PYSCTPSTACK_REMOTE_UDP_PORT, the kernel its own
from net.sctp.udp_port; `--remote-udp` is set on the kernel's socket (SCTP_REMOTE_UDP_ENCAPS_PORT).
"""

from __future__ import annotations

import argparse
import errno
import importlib
import json
import os
import signal
import socket as standard_socket
import struct
import sys
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, TypeAlias

from interop import plan

BUFFER_SIZE = 512 * 1024
SOL_SCTP = 132
MSG_NOTIFICATION = 0x8000  # Linux's value, which pysctpstack has everywhere

# Linux's numbers (<linux/sctp.h>), for the kernel's sockets; pysctpstack must export the same under these
# names.
NUMBERS = {
    "SCTP_RTOINFO": 0,
    "SCTP_INITMSG": 2,
    "SCTP_PEER_ADDR_PARAMS": 9,
    "SCTP_RECVRCVINFO": 32,
    "SCTP_EVENT": 127,
    "SCTP_REMOTE_UDP_ENCAPS_PORT": 132,
    "SCTP_SNDINFO": 2,
    "SCTP_RCVINFO": 3,
    "SCTP_PRINFO": 5,
    "SCTP_PR_SCTP_TTL": 0x10,
    "SCTP_SOCKOPT_BINDX_ADD": 100,
    "SPP_HB_ENABLE": 0x1,
    "SCTP_UNORDERED": 0x1,
    "SCTP_ABORT": 0x4,
    "SCTP_ASSOC_CHANGE": 0x8001,
    "SCTP_SEND_FAILED_EVENT": 0x800D,
    "SCTP_REMOTE_ERROR": 0x8004,
    "SCTP_SHUTDOWN_EVENT": 0x8005,
    "MSG_NOTIFICATION": MSG_NOTIFICATION,
}
STATE_NAMES = ("COMM_UP", "COMM_LOST", "RESTART", "SHUTDOWN_COMP", "CANT_STR_ASSOC")
SUBSCRIPTIONS = ("SCTP_ASSOC_CHANGE", "SCTP_SHUTDOWN_EVENT", "SCTP_REMOTE_ERROR", "SCTP_SEND_FAILED_EVENT")
ABORT_CHUNK = 6


@dataclass
class Info:
    """What a received message says of itself; the PPID as on the wire."""

    sid: int
    ppid: int
    unordered: bool


@dataclass
class Change:
    """An SCTP_ASSOC_CHANGE notification."""

    state: int
    error: int
    out: int
    in_: int
    info: bytes


class KernelApi:
    """The standard library's `socket` on the kernel's SCTP: constants as numbers, structs as bytes."""

    socket: Any = standard_socket
    # After a shutdown() of one's own, Linux reports SCTP_SHUTDOWN_COMP and then lets recv() wait for ever,
    # where other stacks give the end of file.
    ends_silently = True
    # On one-to-one sockets Linux answers SCTP_ABORT with EINVAL, which RFC 6458 section 5.3.4 does not know
    # of.
    has_abort_flag = False
    ends_with_process = False

    def number(self, name: str) -> int:
        return NUMBERS[name]

    def open(self, options: argparse.Namespace) -> Any:
        """Return a socket that is bound, with the timers that `options` ask for."""
        sock = standard_socket.socket(standard_socket.AF_INET, standard_socket.SOCK_STREAM, SOL_SCTP)
        if options.short_timers:
            rto = struct.pack("=iIII", 0, plan.RTO_INITIAL, plan.RTO_MAX, plan.RTO_MIN)
            sock.setsockopt(SOL_SCTP, NUMBERS["SCTP_RTOINFO"], rto)
            # struct sctp_paddrparams, packed; no address: the defaults of associations to come.
            flags = NUMBERS["SPP_HB_ENABLE"]
            parameters = struct.pack("=i128xIHIIIIB1x", 0, plan.HEARTBEAT_INTERVAL, 0, 0, 0, flags, 0, 0)
            sock.setsockopt(SOL_SCTP, NUMBERS["SCTP_PEER_ADDR_PARAMS"], parameters)
        sock.bind((options.local, options.port if options.role == "server" else 0))
        if options.second:
            # What sctp_bindx() of libsctp does: a sockaddr_in, of the port that is bound already.
            address = struct.pack("=H", standard_socket.AF_INET) + struct.pack("!H", sock.getsockname()[1])
            address += standard_socket.inet_aton(options.second) + bytes(8)
            sock.setsockopt(SOL_SCTP, NUMBERS["SCTP_SOCKOPT_BINDX_ADD"], address)
        return sock

    def initmsg(self, streams: int) -> Any:
        return struct.pack("=HHHH", streams, streams, 0, 0)

    def event(self, kind: int) -> Any:
        return struct.pack("=iHBx", 0, kind, 1)

    def sndinfo(self, sid: int, flags: int, ppid: int) -> Any:
        return struct.pack("=HHIIi", sid, flags, standard_socket.htonl(ppid), 0, 0)

    def prinfo(self, lifetime: int) -> Any:
        return struct.pack("=HxxI", NUMBERS["SCTP_PR_SCTP_TTL"], lifetime)

    def rcvinfo(self, data: bytes) -> Info:
        sid, _ssn, flags, ppid = struct.unpack_from("=HHHxxI", data)
        return Info(sid, standard_socket.ntohl(ppid), bool(flags & NUMBERS["SCTP_UNORDERED"]))

    def assoc_change(self, data: bytes) -> Change:
        _type, _flags, _length, state, error, out, in_, _id = struct.unpack_from("=HHIHHHHi", data)
        return Change(state, error, out, in_, data[20:])

    def prepare(self, sock: Any, remote_udp: int) -> None:
        """Tell the socket the peer's UDP port; a server learns it from the packets."""
        # struct sctp_udpencaps: sctp_assoc_t, sockaddr_storage (aligned to 8), port in network order, padding.
        # For an association to come, Linux wants the wildcard address, not the peer's (EINVAL).
        anyone = struct.pack("=H126x", standard_socket.AF_INET)
        option = struct.pack("=i4x", 0) + anyone + struct.pack("!H6x", remote_udp)
        sock.setsockopt(SOL_SCTP, NUMBERS["SCTP_REMOTE_UDP_ENCAPS_PORT"], option)


class OwnApi:
    """pysctpstack: constants from `pysctpstack.socket`, structs as dataclasses from `pysctpstack.structs`."""

    ends_silently = False
    has_abort_flag = False
    ends_with_process = True

    def __init__(self) -> None:
        self.socket: Any = importlib.import_module("pysctpstack.socket")
        self.structs: Any = importlib.import_module("pysctpstack.structs")
        wrong = [name for name, value in NUMBERS.items() if int(getattr(self.socket, name)) != value]
        if wrong:
            raise ValueError(f"these constants are not Linux's: {', '.join(wrong)}")

    def number(self, name: str) -> int:
        return int(getattr(self.socket, name))

    def open(self, options: argparse.Namespace) -> Any:
        """Return a socket that is bound, with the timers that `options` ask for."""
        port = options.port if options.role == "server" else 0
        if not options.short_timers and not options.second:
            sock = self.socket.socket(self.socket.AF_INET, self.socket.SOCK_STREAM, SOL_SCTP)
            sock.bind((options.local, port))
            return sock
        package = importlib.import_module("pysctpstack")
        timers = {
            "rto_initial": plan.RTO_INITIAL / 1_000,
            "rto_min": plan.RTO_MIN / 1_000,
            "rto_max": plan.RTO_MAX / 1_000,
            "heartbeat_interval": plan.HEARTBEAT_INTERVAL / 1_000,
        }
        config = package.Config(
            udp_port=options.local_udp,
            remote_udp_port=options.remote_udp,
            multihome=bool(options.second),
            **(timers if options.short_timers else {}),
        )
        sock = package.Stack(config).socket()
        # With `multihome` the wildcard address stands for all that the host has.
        sock.bind(("" if options.second else options.local, port))
        return sock

    def initmsg(self, streams: int) -> Any:
        return self.structs.InitMsg(sinit_num_ostreams=streams, sinit_max_instreams=streams)

    def event(self, kind: int) -> Any:
        return self.structs.Event(se_assoc_id=0, se_type=kind, se_on=1)

    def sndinfo(self, sid: int, flags: int, ppid: int) -> Any:
        return self.structs.SndInfo(snd_sid=sid, snd_flags=flags, snd_ppid=standard_socket.htonl(ppid))

    def prinfo(self, lifetime: int) -> Any:
        return self.structs.PrInfo(pr_policy=self.number("SCTP_PR_SCTP_TTL"), pr_value=lifetime)

    def rcvinfo(self, data: bytes) -> Info:
        info = self.structs.RcvInfo.unpack(data)
        unordered = bool(info.rcv_flags & self.number("SCTP_UNORDERED"))
        return Info(info.rcv_sid, standard_socket.ntohl(info.rcv_ppid), unordered)

    def assoc_change(self, data: bytes) -> Change:
        change = self.structs.AssocChange.unpack(data)
        out, in_ = change.sac_outbound_streams, change.sac_inbound_streams
        return Change(int(change.sac_state), change.sac_error, out, in_, bytes(change.sac_info))

    def prepare(self, sock: Any, remote_udp: int) -> None:
        """Do nothing: the environment says it (PYSCTPSTACK_REMOTE_UDP_PORT)."""


Api: TypeAlias = KernelApi | OwnApi

_log_lock = threading.Lock()


def emit(event: str, **fields: Any) -> None:
    """Write one event as a JSON line."""
    with _log_lock:
        print(json.dumps({"event": event, **fields}), flush=True)


class Peer:
    """One end of the exchange: a sender thread writes while the caller of `run` reads."""

    def __init__(self, api: Api, sock: Any, options: argparse.Namespace) -> None:
        self.api = api
        self.sock = sock
        self.options = options
        self.exchange = plan.Exchange(
            options.scenario, options.streams, options.messages, options.largest, options.pace, options.lifetime
        )
        self.is_server = options.role == "server"
        self.aborts = options.scenario.startswith("abort-")
        self.ends = options.scenario.endswith(options.role)
        # The server aborts by closing with SO_LINGER of zero, which happens when nobody reads any more.
        self.closes_with_linger = self.aborts and self.ends and (self.is_server or not api.has_abort_flag)
        self.changed = threading.Condition()
        self.over = False
        self.shut_down = False
        self.received_all = False
        self.peer_ready = False
        self.received = 0
        self.expected = [0] * options.streams  # the index that the next message of each stream has, or more

    def run(self) -> None:
        """Carry out the exchange until the association has ended, and close the socket."""
        sender = threading.Thread(target=self._send_all, name="sender")
        sender.start()
        try:
            self._receive_all()
        finally:
            self._announce("over")
            sender.join()
        if self.closes_with_linger and self.peer_ready:
            linger = struct.pack("ii", 1, 0)
            self.sock.setsockopt(self.api.socket.SOL_SOCKET, self.api.socket.SO_LINGER, linger)
            emit("abort_sent")
        emit("done", received=self.received)
        self.sock.close()

    def _announce(self, flag: str) -> None:
        with self.changed:
            setattr(self, flag, True)
            self.changed.notify_all()

    def _wait_for(self, flag: str) -> bool:
        """Wait until `flag` is set, or the association is over; return the flag."""
        with self.changed:
            self.changed.wait_for(lambda: self.over or getattr(self, flag), timeout=self.options.timeout)
            return bool(getattr(self, flag))

    def _send(self, sid: int, flags: int, ppid: int, data: bytes, lifetime: int = 0) -> None:
        ancillary = [(SOL_SCTP, self.api.number("SCTP_SNDINFO"), self.api.sndinfo(sid, flags, ppid))]
        if lifetime:
            ancillary.append((SOL_SCTP, self.api.number("SCTP_PRINFO"), self.api.prinfo(lifetime)))
        count = self.sock.sendmsg([data], ancillary)
        if count != len(data):
            raise ValueError(f"sendmsg took {count} of {len(data)} bytes: messages are all or nothing")

    def _send_all(self) -> None:
        direction = plan.SERVER_TO_CLIENT if self.is_server else plan.CLIENT_TO_SERVER
        exchange = self.exchange
        sent = 0
        begin = time.monotonic()
        try:
            for index in range(exchange.messages):
                for stream in range(exchange.streams):
                    time.sleep(max(0.0, begin + sent * exchange.pace / 1_000 - time.monotonic()))
                    lifetime = exchange.lifetime if exchange.expires(direction, index) else 0
                    body = exchange.body(direction, stream, index)
                    self._send(stream, 0, plan.ppid(direction, stream, index), body, lifetime)
                    sent += 1
            emit("sent", count=sent)
            if not self._wait_for("received_all"):
                return
            if self.aborts:
                self._send(0, 0, plan.READY_PPID, plan.READY_BODY)
                if self.ends and not self._wait_for("peer_ready"):
                    return
            if self.ends:
                self._end()
        except (OSError, ValueError) as error:
            emit("send_error", sent=sent, **describe(error))

    def _end(self) -> None:
        if not self.aborts:
            self.sock.shutdown(self.api.socket.SHUT_WR)
            emit("shutdown_sent")
        elif not self.closes_with_linger:
            # Log before the call: the abort may wake the reader first.
            emit("abort_sent", reason=plan.ABORT_REASON.decode())
            self._send(0, self.api.number("SCTP_ABORT"), 0, plan.ABORT_REASON)

    def _receive_all(self) -> None:
        """Read until the end of the association, or until it is this end's turn to close with SO_LINGER."""
        parts: list[bytes] = []
        while True:
            try:
                data, ancillary, flags, _address = self.sock.recvmsg(BUFFER_SIZE, 256)
            except OSError as error:
                reset = error.errno in (errno.ECONNRESET, errno.ECONNABORTED)
                emit("end", how="reset" if reset else "error", **describe(error))
                return
            if not data:
                emit("end", how="eof")
                return
            parts.append(data)
            if not flags & self.api.socket.MSG_EOR:
                continue  # a part of a message (partial delivery): the rest follows
            whole = b"".join(parts)
            parts.clear()
            if flags & MSG_NOTIFICATION:
                self._take_notification(whole)
            else:
                self._take_message(whole, ancillary)
            if self.shut_down and self.ends and self.api.ends_silently:
                emit("end", how="eof")
                return
            if self.closes_with_linger and self.received_all and self.peer_ready:
                return

    def _take_message(self, data: bytes, ancillary: Iterable[tuple[int, int, bytes]]) -> None:
        kind = self.api.number("SCTP_RCVINFO")
        values = [value for level, number, value in ancillary if (level, number) == (SOL_SCTP, kind)]
        if len(values) != 1:
            emit("error", what=f"{len(values)} SCTP_RCVINFO with a message of {len(data)} bytes")
            return
        info = self.api.rcvinfo(values[0])
        if info.ppid == plan.READY_PPID:
            emit("ready", ok=data == plan.READY_BODY)
            self._announce("peer_ready")
            return
        direction = plan.CLIENT_TO_SERVER if self.is_server else plan.SERVER_TO_CLIENT
        good = False
        self.received += 1
        if info.sid < self.exchange.streams:
            index = self.expected[info.sid]
            if self.exchange.lifetime:
                # Those before may have expired; what is still to come has a higher index.
                index = max(index, plan.index_of(info.ppid))
            self.expected[info.sid] = index + 1
            expected = (plan.ppid(direction, info.sid, index), self.exchange.body(direction, info.sid, index))
            good = (info.ppid, data) == expected and not info.unordered
        emit(
            "message",
            sid=info.sid,
            ppid=info.ppid,
            len=len(data),
            crc=plan.crc(data),
            unordered=info.unordered,
            ok=good,
        )
        if all(index >= self.exchange.messages for index in self.expected):
            self._announce("received_all")

    def _take_notification(self, data: bytes) -> None:
        (kind,) = struct.unpack_from("=H", data)
        if kind == self.api.number("SCTP_ASSOC_CHANGE"):
            change = self.api.assoc_change(data)
            self.shut_down = change.state == STATE_NAMES.index("SHUTDOWN_COMP")
            cause = abort_cause(change.info) if change.state == STATE_NAMES.index("COMM_LOST") else -1
            emit(
                "assoc_change",
                state=STATE_NAMES[change.state],
                error=change.error,
                out=change.out,
                **{"in": change.in_},
                info=change.info.hex(),
                cause=cause,
            )
        elif kind == self.api.number("SCTP_SHUTDOWN_EVENT"):
            emit("shutdown_event")
        else:
            emit("notification", type=kind, len=len(data))


def abort_cause(info: bytes) -> int:
    """Return the code of the first error cause in the `sac_info` of an SCTP_COMM_LOST; -1 when there is none."""
    # RFC 6458 section 6.1.1 has the complete ABORT chunk there; Linux leaves the chunk's header out.
    causes = info[4:] if info[:1] == bytes([ABORT_CHUNK]) else info
    return int.from_bytes(causes[:2], "big") if len(causes) >= 4 else -1


def describe(error: Exception) -> dict[str, Any]:
    """Return the fields of an event that tell of `error`."""
    number = getattr(error, "errno", None)
    return {"errno": errno.errorcode.get(number, number) if number is not None else None, "text": str(error)}


def establish(api: Api, options: argparse.Namespace) -> Any:
    """Connect or accept, and return the socket of the association."""
    sock = api.open(options)
    sock.settimeout(options.timeout)
    sock.setsockopt(SOL_SCTP, api.number("SCTP_INITMSG"), api.initmsg(options.streams))
    sock.setsockopt(SOL_SCTP, api.number("SCTP_RECVRCVINFO"), 1)
    sock.setsockopt(api.socket.SOL_SOCKET, api.socket.SO_RCVBUF, BUFFER_SIZE)
    sock.setsockopt(api.socket.SOL_SOCKET, api.socket.SO_SNDBUF, BUFFER_SIZE)
    for name in SUBSCRIPTIONS:
        sock.setsockopt(SOL_SCTP, api.number("SCTP_EVENT"), api.event(api.number(name)))
    if options.role == "client":
        api.prepare(sock, options.remote_udp)
        sock.connect((options.peer, options.port))
        return sock
    with sock:
        sock.listen(1)
        emit("listening")
        accepted, _address = sock.accept()
    accepted.settimeout(options.timeout)
    return accepted


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """Read the command line, which is the C peer's and `--socket`, `--second`, `--timeout`."""
    parser = argparse.ArgumentParser(prog="interop.peers.peer", description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--socket", choices=("kernel", "pysctpstack"), required=True)
    parser.add_argument("--role", choices=("server", "client"), required=True)
    parser.add_argument("--local", required=True, help="IPv4 address to bind")
    parser.add_argument("--peer", required=True, help="IPv4 address of the other end")
    parser.add_argument("--port", type=int, required=True, help="the server's SCTP port")
    parser.add_argument("--local-udp", type=int, required=True, help="this end's UDP port (told by other means too)")
    parser.add_argument("--remote-udp", type=int, required=True, help="the other end's UDP port")
    parser.add_argument("--second", help="a second IPv4 address to bind (pysctpstack: all that there are)")
    parser.add_argument("--streams", type=int, default=plan.STREAMS)
    parser.add_argument("--messages", type=int, default=plan.MESSAGES, help="in each stream")
    parser.add_argument("--largest", type=int, default=max(plan.SIZES), help="bytes of the longest message")
    parser.add_argument("--pace", type=int, default=0, help="milliseconds from one message to the next")
    parser.add_argument("--lifetime", type=int, default=0, help="milliseconds that some of the client's messages live")
    parser.add_argument("--short-timers", action="store_true", help="short RTO and HEARTBEAT interval")
    parser.add_argument("--timeout", type=float, default=15.0, help="seconds for any one call")
    parser.add_argument("--stay", action="store_true", help="a client's stack remains there until SIGTERM")
    choices = ("close-client", "close-server", "abort-client", "abort-server")
    parser.add_argument("--scenario", choices=choices, required=True)
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    """Run one end of an exchange; return the exit code, which says whether the end was set up and run."""
    options = parse(arguments)
    stops = {signal.SIGTERM} if options.stay and options.role == "client" else set()
    signal.pthread_sigmask(signal.SIG_BLOCK, stops)  # before there are other threads, which inherit it
    try:
        api = OwnApi() if options.socket == "pysctpstack" else KernelApi()
        sock = establish(api, options)
        emit("up", local=list(sock.getsockname()), peer=list(sock.getpeername()), pid=os.getpid())
        Peer(api, sock, options).run()
        if stops and api.ends_with_process:
            signal.sigtimedwait(stops, options.timeout)
    except (OSError, ValueError) as error:
        emit("error", what=type(error).__name__, **describe(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
