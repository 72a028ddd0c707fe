"""What scenarios stand on: sockets that are closed afterwards, calls whose errno is a result, messages as text.

A scenario uses the standard methods of socket objects with bytes of Linux's structs. The one thing that the standard
module cannot do with kernel SCTP is `getsockopt` with a buffer that the kernel reads before it fills it: for the
kernel's sockets that goes through libc.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import select
import struct
import threading
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from interop.differential import numbers as n
from interop.differential.layouts import NOTIFICATIONS, SIZES, Masks, pack, sockaddr, sockaddrs, text_of

PATIENCE = 2.0
"""Seconds that what should happen at once is waited for."""
STILL = 0.12
"""Seconds without anything that count as nothing."""

Prepare = Callable[[Any], Any]

CMSGS = {
    n.SCTP_INIT: "initmsg",
    n.SCTP_SNDRCV: "sndrcvinfo",
    n.SCTP_SNDINFO: "sndinfo",
    n.SCTP_RCVINFO: "rcvinfo",
    n.SCTP_NXTINFO: "nxtinfo",
    n.SCTP_PRINFO: "prinfo",
}


class Pair(NamedTuple):
    """An association of two one-to-one sockets."""

    client: Any
    server: Any
    listener: Any


class Couple(NamedTuple):
    """An association of two one-to-many sockets, and its id at each end."""

    client: Any
    server: Any
    client_id: int
    server_id: int


class Kit:
    """One scenario's sockets and masks."""

    def __init__(self, socket: Any) -> None:
        self.socket = socket
        self.own = socket.__name__ != "socket"
        self.masks = Masks()
        self._opened: list[Any] = []

    # --- sockets ---

    def one(self, family: int | None = None) -> Any:
        """A new one-to-one socket."""
        return self._new(self.socket.SOCK_STREAM, family)

    def many(self, family: int | None = None) -> Any:
        """A new one-to-many socket."""
        return self._new(self.socket.SOCK_SEQPACKET, family)

    def _new(self, kind: int, family: int | None) -> Any:
        return self.keep(self.socket.socket(self.socket.AF_INET if family is None else family, kind, n.SOL_SCTP))

    def keep(self, sock: Any) -> Any:
        """Close this one after the scenario."""
        self._opened.append(sock)
        return sock

    def prompt(self, sock: Any) -> Any:
        """The socket, with SCTP_NODELAY."""
        sock.setsockopt(n.SOL_SCTP, n.SCTP_NODELAY, 1)
        return sock

    def bound(self, sock: Any, host: str = "127.0.0.1", port: int = 0) -> Any:
        """The socket, bound."""
        sock.bind((host, port))
        return sock

    def listening(self, sock: Any, host: str = "127.0.0.1") -> Any:
        """The socket, bound and listening."""
        sock.bind((host, 0))
        sock.listen(8)
        return sock

    def pair(
        self, client: Prepare | None = None, server: Prepare | None = None, hosts: tuple[str, str] = ("127.0.0.1",) * 2
    ) -> Pair:
        """An association of two one-to-one sockets; what is given prepares the connecting and the listening one.

        Without Nagle's algorithm, so that time has no part in what arrives.
        """
        listener, sock = self.prompt(self.one()), self.prompt(self.one())
        if server:
            server(listener)
        self.listening(listener, hosts[1])
        if client:
            client(sock)
        self.bound(sock, hosts[0])
        sock.connect(listener.getsockname())
        accepted = self.keep(listener.accept()[0])
        return Pair(sock, accepted, listener)

    def couple(self, client: Prepare | None = None, server: Prepare | None = None) -> Couple:
        """An association of two one-to-many sockets."""
        first, second = self.bound(self.prompt(self.many())), self.listening(self.prompt(self.many()))
        for sock, prepare in ((first, client), (second, server)):
            if prepare:
                prepare(sock)
        return self.join(first, second)

    def join(self, client: Any, server: Any) -> Couple:
        """Connect two one-to-many sockets; only SCTP_COMM_UP may be there to be read before."""
        for sock in (client, server):
            sock.setsockopt(n.SOL_SCTP, n.SCTP_EVENT, pack("event", type=n.SCTP_ASSOC_CHANGE, on=1))
        client.connect(server.getsockname())
        ids = []
        for sock in (client, server):
            data = sock.recv(1_000)
            ids.append(struct.unpack_from("=i", data, 16)[0])
        for sock in (client, server):
            event = pack("event", type=n.SCTP_ASSOC_CHANGE, on=0)
            sock.setsockopt(n.SOL_SCTP, n.SCTP_EVENT, event)
        for id_, sock in zip(ids, (client, server), strict=True):
            event = pack("event", id=id_, type=n.SCTP_ASSOC_CHANGE, on=0)
            sock.setsockopt(n.SOL_SCTP, n.SCTP_EVENT, event)
        return Couple(client, server, *ids)

    def peeloff(self, sock: Any, id_: int) -> Any:
        """`sctp_peeloff()`."""
        filled = self.raw_get(sock, n.SOL_SCTP, n.SCTP_SOCKOPT_PEELOFF, struct.pack("=ii", id_, 0))
        return self.keep(self.socket.socket(fileno=struct.unpack("=ii", filled.data)[1]))

    def close(self) -> None:
        """Close what the scenario has left, without delay."""
        for sock in reversed(self._opened):
            with contextlib.suppress(OSError):
                sock.setsockopt(self.socket.SOL_SOCKET, self.socket.SO_LINGER, struct.pack("ii", 1, 0))
            with contextlib.suppress(OSError):
                sock.close()

    # --- calls ---

    def tried(self, call: Callable[..., Any], *args: Any, **how: Any) -> Any:
        """What the call returns, or the name of its errno."""
        try:
            result = call(*args, **how)
        except OSError as error:
            return errno.errorcode[error.errno] if error.errno else type(error).__name__
        except (TypeError, ValueError, OverflowError) as error:
            return type(error).__name__
        if isinstance(result, bytes):
            return text_of(result)
        return "ok" if result is None else result

    def begin(self, call: Callable[..., Any], *args: Any, **how: Any) -> Call:
        """Call in a thread of its own."""
        return Call(self, call, args, how)

    # --- options ---

    def get(self, sock: Any, option: int, layout: str, /, room: int | None = None, **given: Any) -> Any:
        """An option that is a struct, of which the socket reads what is given; `room`: so many bytes instead of all."""
        data = pack(layout, **given)
        if room is not None:
            data = data.ljust(room, b"\0")[:room]
        found = self.tried(self.raw_get, sock, n.SOL_SCTP, option, data)
        return self.masks.show(layout, found.data) if isinstance(found, Filled) else found

    def raw_get(self, sock: Any, level: int, option: int, data: bytes) -> Filled:
        """`getsockopt()` as in C."""
        if self.own:
            return Filled(sock.getsockopt(level, option, data))
        return Filled(self._libc_getsockopt(sock, level, option, data))

    def set(self, sock: Any, option: int, layout: str, /, room: int | None = None, **values: Any) -> Any:
        """Set an option that is a struct; `room`: give so many bytes."""
        data = pack(layout, **values)
        if room is not None:
            data = data.ljust(room, b"\0")[:room]
        return self.tried(sock.setsockopt, n.SOL_SCTP, option, data)

    def get_int(self, sock: Any, option: int, level: int = n.SOL_SCTP) -> Any:
        """An option that is an int."""
        return self.tried(sock.getsockopt, level, option)

    def set_int(self, sock: Any, option: int, value: int, level: int = n.SOL_SCTP) -> Any:
        """Set an option that is an int."""
        return self.tried(sock.setsockopt, level, option, value)

    def subscribe(self, sock: Any, *types: int, id_: int = n.SCTP_FUTURE_ASSOC, on: int = 1) -> Any:
        """Ask for notifications; for associations that are there, too."""
        for type_ in types:
            sock.setsockopt(n.SOL_SCTP, n.SCTP_EVENT, pack("event", id=id_, type=type_, on=on))
        return sock

    def addresses(self, sock: Any, option: int, id_: int = 0) -> Any:
        """SCTP_GET_PEER_ADDRS or SCTP_GET_LOCAL_ADDRS: host addresses in order, and their ports."""
        found = self.tried(self.raw_get, sock, n.SOL_SCTP, option, struct.pack("=iI", id_, 0) + bytes(4_096))
        if not isinstance(found, Filled):
            return found
        if len(found.data) < 8:
            return []  # Linux, of a socket that is not bound: it fills nothing.
        number = struct.unpack_from("=iI", found.data)[1]
        known = sockaddrs(found.data[8:])[:number] if number else []
        return [[host, self.masks.port(port)] for host, port in sorted(known)]

    def bindx(self, sock: Any, hosts: list[str], port: int = 0, *, remove: bool = False) -> Any:
        """`sctp_bindx()`, as libsctp calls the kernel."""
        option = n.SCTP_SOCKOPT_BINDX_REM if remove else n.SCTP_SOCKOPT_BINDX_ADD
        return self.tried(sock.setsockopt, n.SOL_SCTP, option, b"".join(sockaddr(host, port) for host in hosts))

    def connectx(self, sock: Any, hosts: list[str], port: int) -> Any:
        """`sctp_connectx()`, as older versions of libsctp call the kernel."""
        data = b"".join(sockaddr(host, port) for host in hosts)
        return self.tried(sock.setsockopt, n.SOL_SCTP, n.SCTP_SOCKOPT_CONNECTX, data)

    def linger(self, sock: Any, on: int, seconds: int) -> Any:
        """Set SO_LINGER."""
        sock.setsockopt(self.socket.SOL_SOCKET, self.socket.SO_LINGER, struct.pack("ii", on, seconds))
        return sock

    def error(self, sock: Any) -> Any:
        """SO_ERROR by name."""
        number = sock.getsockopt(self.socket.SOL_SOCKET, self.socket.SO_ERROR)
        return errno.errorcode[number] if number else 0

    def state(self, sock: Any, id_: int = 0) -> Any:
        """The association's state of SCTP_STATUS, or an errno."""
        found = self.get(sock, n.SCTP_STATUS, "status", id=id_)
        return found["state"] if isinstance(found, dict) else found

    def ended(self, sock: Any) -> Any:
        """Wait until the one association has ended: an orderly end takes a moment; the state at last."""
        deadline = time.monotonic() + PATIENCE
        while self.state(sock) != "EINVAL" and time.monotonic() < deadline:
            time.sleep(0.005)
        return self.state(sock)

    def sizes(self, option: int, layout: str, value: bytes) -> Any:
        """What getsockopt() and setsockopt() of a new socket say to buffers of other sizes."""
        sock, size = self.one(), SIZES[layout]
        found: dict[str, Any] = {}
        for room in sorted({1, 4, size - 1, size, size + 1, size + 8}):
            data = value.ljust(room, b"\0")[:room]
            got = self.tried(self.raw_get, sock, n.SOL_SCTP, option, data)
            found[f"get {room}"] = len(got.data) if isinstance(got, Filled) else got
            found[f"set {room}"] = self.tried(sock.setsockopt, n.SOL_SCTP, option, data)
        return found

    # --- messages ---

    def send(self, sock: Any, data: bytes, to: Any = None, /, msg_flags: int = 0, **sndinfo: Any) -> Any:
        """`sendmsg` with an SCTP_SNDINFO of what is given."""
        control = [(n.SOL_SCTP, n.SCTP_SNDINFO, pack("sndinfo", **sndinfo))] if sndinfo else []
        return self.tried(sock.sendmsg, [data], control, msg_flags, *([to] if to else []))

    def send_old(self, sock: Any, data: bytes, to: Any = None, /, **sndrcvinfo: Any) -> Any:
        """`sendmsg` with an SCTP_SNDRCV of what is given: what `sctp_sendmsg()` does."""
        control = [(n.SOL_SCTP, n.SCTP_SNDRCV, pack("sndrcvinfo", **sndrcvinfo))]
        return self.tried(sock.sendmsg, [data], control, 0, *([to] if to else []))

    def recv(self, sock: Any, size: int = 70_000, room: int = 256, flags: int = 0) -> Any:
        """`recvmsg`, and what came, without what two runs have different."""
        try:
            data, control, found, address = sock.recvmsg(size, room, flags)
        except OSError as error:
            return errno.errorcode[error.errno] if error.errno else type(error).__name__
        shown: dict[str, Any] = {}
        if found & n.MSG_NOTIFICATION and len(data) >= 8:
            shown["notification"] = self.masks.notification(data)
        else:
            shown["data"] = text_of(data)
        shown["flags"] = self.flags(found)
        if address:
            shown["from"] = self.masks.address(address)
        for level, type_, value in control:
            if level == n.SOL_SCTP and type_ in CMSGS:
                shown[CMSGS[type_]] = self.masks.show(CMSGS[type_], value)
            else:
                shown[f"cmsg {level}/{type_}"] = value.hex()
        return shown

    def flags(self, flags: int) -> str:
        """msg_flags by name; MSG_DONTWAIT and the like are not in it, since kernels return some of what was given."""
        names = {
            "EOR": self.socket.MSG_EOR,
            "NOTIFICATION": n.MSG_NOTIFICATION,
            "TRUNC": self.socket.MSG_TRUNC,
            "CTRUNC": self.socket.MSG_CTRUNC,
        }
        return "|".join(name for name, bit in names.items() if flags & bit)

    def next(self, sock: Any, timeout: float = PATIENCE, **how: Any) -> Any:
        """`recv` of what arrives, or "nothing"."""
        if not self.readable(sock, timeout):
            return "nothing"
        return self.recv(sock, flags=self.socket.MSG_DONTWAIT, **how)

    def rest(self, sock: Any, limit: int = 12) -> list[Any]:
        """All that arrives until nothing does any more, or an error or the end of the file comes."""
        found: list[Any] = []
        while len(found) < limit:
            what = self.next(sock, STILL)
            if what == "nothing":
                break
            found.append(what)
            if not isinstance(what, dict) or what.get("data") == "":
                break
        return found

    def note(self, sock: Any, type_: int, timeout: float = PATIENCE) -> Any:
        """The next notification of this type; others, and messages, are passed over."""
        for _ in range(20):
            what = self.next(sock, timeout)
            if not isinstance(what, dict):
                return what
            found = what.get("notification")
            if found and found.get("type") == NOTIFICATIONS[type_]:
                return found
        return "others only"

    def readable(self, sock: Any, timeout: float = PATIENCE) -> bool:
        """Whether `select` says so within `timeout` seconds."""
        return bool(select.select([sock], [], [], timeout)[0])

    def writable(self, sock: Any, timeout: float = PATIENCE) -> bool:
        """Whether `select` says so within `timeout` seconds."""
        return bool(select.select([], [sock], [], timeout)[1])

    def poll(self, sock: Any, timeout: float = STILL) -> str:
        """What `poll` says within `timeout` seconds, by name."""
        poller = select.poll()
        poller.register(sock.fileno(), select.POLLIN | select.POLLOUT | select.POLLRDHUP | select.POLLPRI)
        events = dict(poller.poll(int(timeout * 1_000))).get(sock.fileno(), 0)
        names = ("POLLIN", "POLLOUT", "POLLPRI", "POLLERR", "POLLHUP", "POLLRDHUP", "POLLNVAL")
        return "|".join(name for name in names if events & getattr(select, name))

    def silent_peer(self) -> Any:
        """A UDP socket that answers nothing, where packets for a peer can be sent."""
        sock = self.keep(self.socket.socket(self.socket.AF_INET, self.socket.SOCK_DGRAM))
        sock.bind(("127.0.0.1", 0))
        return sock

    def towards(self, sock: Any, udp_port: int) -> Any:
        """Let the associations to come of a socket go to this UDP port (SCTP_REMOTE_UDP_ENCAPS_PORT)."""
        value = pack("udpencaps", addr=("0.0.0.0", 0), port=struct.pack("!H", udp_port))
        return self.tried(sock.setsockopt, n.SOL_SCTP, n.SCTP_REMOTE_UDP_ENCAPS_PORT, value)

    @staticmethod
    def _libc_getsockopt(sock: Any, level: int, option: int, data: bytes) -> bytes:
        libc = ctypes.CDLL(None, use_errno=True)
        buffer = ctypes.create_string_buffer(data, max(len(data), 1))
        length = ctypes.c_uint32(len(data))
        if libc.getsockopt(sock.fileno(), level, option, buffer, ctypes.byref(length)) < 0:
            raise OSError(ctypes.get_errno(), "getsockopt")
        return buffer.raw[: length.value]


class Filled(NamedTuple):
    """The buffer of a `getsockopt`, filled."""

    data: bytes


class Call:
    """A call in a thread of its own."""

    def __init__(self, kit: Kit, call: Callable[..., Any], args: tuple[Any, ...], how: dict[str, Any]) -> None:
        self._result: Any = None
        self._thread = threading.Thread(target=self._run, args=(kit, call, args, how), daemon=True)
        self._thread.start()

    def _run(self, kit: Kit, call: Callable[..., Any], args: tuple[Any, ...], how: dict[str, Any]) -> None:
        self._result = kit.tried(call, *args, **how)

    def result(self, timeout: float = PATIENCE) -> Any:
        """What it returned, or an errno; "blocked" when it has not ended by then."""
        self._thread.join(timeout)
        return "blocked" if self._thread.is_alive() else self._result


__all__ = ["Call", "Couple", "Filled", "Kit", "Pair", "pack", "sockaddr"]
