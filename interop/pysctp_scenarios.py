"""What pysctp does, check by check: a program for the real one on a kernel, and for `pysctpstack run`.

Prints a JSON line for each check: its name and its result. Times, ids, ports and tags are left out of results or
turned into what can be compared. Only the standard library and `sctp` are used.
"""

from __future__ import annotations

import errno
import json
import os
import select
import signal
import socket
import struct
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import sctp  # type: ignore[import-not-found, import-untyped, unused-ignore]

HOST = "127.0.0.1"
PATIENCE = 10
"""Seconds for each check."""

CHECKS: list[Callable[[], Any]] = []
_open: list[Any] = []


def check(function: Callable[[], Any]) -> Callable[[], Any]:
    CHECKS.append(function)
    return function


def tcp(family: int = socket.AF_INET) -> Any:
    _open.append(sctp.sctpsocket_tcp(family))
    return _open[-1]


def udp(family: int = socket.AF_INET) -> Any:
    _open.append(sctp.sctpsocket_udp(family))
    return _open[-1]


def pair(prepare: Callable[[Any], Any] = lambda _: None) -> tuple[Any, Any, Any]:
    """A listening TCP-style socket, and both ends of an association."""
    listener, client = tcp(), tcp()
    for sock in (listener, client):
        prepare(sock)
        # To one address, so that the ends tell each other of no more.
        sock.bind((HOST, 0))
    listener.listen(5)
    client.connect(listener.getsockname())
    server, _ = listener.accept()
    _open.append(server)
    return listener, client, server


def many(prepare: Callable[[Any], Any] = lambda _: None) -> tuple[Any, Any, tuple[str, int]]:
    """A listening UDP-style socket, one that is to send, and the address of the first."""
    server, client = udp(), udp()
    for sock in (server, client):
        prepare(sock)
        sock.bind((HOST, 0))
    server.listen(5)
    return server, client, (HOST, server.getsockname()[1])


def all_events(sock: Any) -> None:
    for name in ("data_io", "association", "address", "send_failure", "peer_error", "shutdown", "partial_delivery"):
        setattr(sock.events, name, True)


def refusal(call: Callable[..., Any], *args: Any) -> list[Any]:
    """The exception that a call raises: its class, and its errno if it has one."""
    try:
        call(*args)
    except (OSError, ValueError, TypeError, AttributeError, OverflowError) as error:
        number = getattr(error, "errno", None)
        return [type(error).__name__, errno.errorcode.get(number, number) if number is not None else None]
    return ["nothing", None]


def received(sock: Any, size: int = 65_536) -> list[Any]:
    """What `sctp_recv` gives, without what differs between two runs."""
    address, flags, message, notif = sock.sctp_recv(size)
    text = message.decode() if isinstance(message, bytes) else message
    host = address[0] if address else address
    return [host, flags, text, type(notif).__name__]


def until_data(sock: Any) -> tuple[list[Any], Any]:
    """The next message, and the names of the notifications before it."""
    names: list[Any] = []
    while True:
        _, flags, message, notif = sock.sctp_recv(65_536)
        if not flags & sctp.FLAG_NOTIFICATION:
            return names, (message, notif)
        names.append(type(notif).__name__)


# --- the module ---


@check
def constants() -> Any:
    return {
        name: int(getattr(sctp, name))
        for name in dir(sctp)
        if name.startswith(("BINDX_", "MSG_", "FLAG_", "HAVE_", "STYLE_")) or name.endswith(("_SCTP", "_STYLE"))
    }


@check
def features() -> Any:
    return sctp.features()


@check
def class_constants() -> Any:
    classes = [
        *(sctp.notification, sctp.assoc_change, sctp.paddr_change, sctp.send_failed, sctp.pdapi_event),
        *(sctp.paddrparams, sctp.paddrinfo, sctp.status),
    ]
    prefixes = ("type_", "state_", "error_", "flag_", "flags_", "indication_")
    return {f"{c.__name__}.{n}": getattr(c, n) for c in classes for n in dir(c) if n.startswith(prefixes)}


@check
def classes() -> Any:
    names: tuple[str, ...] = (
        "rtoinfo",
        "assocparams",
        "paddrparams",
        "paddrinfo",
        "initmsg",
        "sndrcvinfo",
        "assoc_change",
    )
    names += ("paddr_change", "remote_error", "shutdown_event", "adaptation_event", "pdapi_event")
    return {name: vars(getattr(sctp, name)()) for name in names}


@check
def status_object() -> Any:
    made = vars(sctp.status())
    return {**made, "primary": vars(made["primary"])}


@check
def class_tree() -> Any:
    return [
        issubclass(sctp.sctpsocket_tcp, sctp.sctpsocket),
        issubclass(sctp.sctpsocket_udp, sctp.sctpsocket),
        issubclass(sctp.send_failed, sctp.notification),
        sorted(sctp.notification_table),
    ]


@check
def names_of_socket_module() -> Any:
    return [sctp.AF_INET == socket.AF_INET, sctp.socket.__name__, hasattr(sctp, "gethostbyname"), sctp.ntohl(1)]


@check
def factory() -> Any:
    made = sctp.notification_factory({"type": sctp.notification.type_SHUTDOWN_EVENT, "flags": 3, "assoc_id": 9})
    failed = sctp.notification_factory(
        {"type": sctp.notification.type_SEND_FAILED, "flags": 0, "_info": {"stream": 4, "ppid": 5}, "data": "x"}
    )
    return [type(made).__name__, vars(made), type(failed).__name__, failed.info.stream, sorted(vars(failed))]


@check
def factory_refuses() -> Any:
    return refusal(sctp.notification_factory, {})


# --- sockets before there is an association ---


@check
def held_socket() -> Any:
    sock = tcp()
    held = sock.sock()
    return [isinstance(held, socket.socket), int(held.family), int(held.type), held.proto, sock.fileno() >= 0]


@check
def wraps_a_socket() -> Any:
    made = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_SCTP)
    sock = sctp.sctpsocket_tcp(socket.AF_INET, made)
    _open.append(sock)
    return [sock.sock() is made, sock.gettimeout()]


@check
def base_class() -> Any:
    sock = sctp.sctpsocket(socket.AF_INET, sctp.UDP_STYLE, None)
    _open.append(sock)
    return [int(sock.sock().type), sock.unexpected_event_raises_exception, sock.datalogging]


@check
def bad_family() -> Any:
    return refusal(sctp.sctpsocket_tcp, socket.AF_UNIX)


@check
def unknown_attribute() -> Any:
    return refusal(lambda: tcp().no_such_thing)


@check
def initparams_default() -> Any:
    params = tcp().initparams
    return [params.num_ostreams, params.max_instreams, params.max_attempts, params.autoflush]


@check
def initparams_set() -> Any:
    sock = tcp()
    sock.initparams.max_init_timeo = 3000
    sock.initparams.num_ostreams = 7
    sock.initparams.set_max_instreams(9)
    raw = sock.sock().getsockopt(sctp.SOL_SCTP, 2, 8)
    return [struct.unpack("=4H", raw), sock.initparams.get_num_ostreams(), sock._get_initparams()["_max_instreams"]]


@check
def initparams_flush() -> Any:
    sock = tcp()
    sock.initparams.autoflush = False
    sock.initparams.num_ostreams = 12
    before = sock._get_initparams()["_num_ostreams"]
    sock.initparams.flush()
    return [before, sock._get_initparams()["_num_ostreams"]]


@check
def initparams_initmsg() -> Any:
    sock = tcp()
    sock.initparams.num_ostreams = 5
    copy = sock.initparams.initmsg()
    return [type(copy).__name__, copy.num_ostreams, copy.max_instreams, copy.max_attempts]


@check
def events_default() -> Any:
    events = tcp().events
    return {key: value for key, value in vars(events).items() if key != "container"}


@check
def events_clear() -> Any:
    sock = tcp()
    sock.events.clear()
    return [sock._get_events(), sock.events.data_io, sock.events.association]


@check
def events_set() -> Any:
    sock = tcp()
    sock.events.clear()
    sock.events.association = 1
    sock.events.sendfailure = True
    sock.events.adaptationlayer = 1
    again = sctp.event_subscribe(sock)
    return [sock._get_events(), sock.events.association, again.get_send_failure(), again.dataio, again.sndrcvinfo]


@check
def events_flush() -> Any:
    sock = tcp()
    sock.events.autoflush = False
    sock.events.clear()
    sock.events.shutdown = 1
    before = sock._get_events()["_shutdown"]
    sock.events.flush()
    return [before, sock._get_events()["_shutdown"]]


@check
def nodelay() -> Any:
    sock = tcp()
    before = sock.nodelay
    sock.nodelay = True
    during = sock.get_nodelay()
    sock.set_nodelay(0)
    return [before, during, sock.nodelay]


@check
def adaptation() -> Any:
    sock = tcp()
    before = sock.adaptation
    sock.adaptation = 0x12345678
    return [before, sock.adaptation]


@check
def disable_fragments() -> Any:
    sock = tcp()
    before = sock.disable_fragments
    sock.disable_fragments = 1
    return [before, sock.disable_fragments]


@check
def mappedv4() -> Any:
    sock = tcp(socket.AF_INET6)
    before = sock.mappedv4
    sock.mappedv4 = False
    return [before, sock.mappedv4, tcp().mappedv4]


@check
def maxseg() -> Any:
    sock = tcp()
    before = sock.maxseg
    sock.maxseg = 600
    return [before, sock.maxseg, refusal(sock.set_maxseg, 1)]


@check
def autoclose() -> Any:
    sock = udp()
    before = sock.autoclose
    sock.autoclose = 120
    return [before, sock.get_autoclose()]


@check
def autoclose_of_tcp_style() -> Any:
    sock = tcp()
    return [refusal(sock.get_autoclose), refusal(sock.set_autoclose, 1), refusal(lambda: sock.autoclose)]


@check
def buffers() -> Any:
    sock = tcp()
    default = [sock.get_sndbuf(), sock.get_rcvbuf()]
    sock.set_sndbuf(100_000)
    sock.set_rcvbuf(50_000)
    return [default, sock.get_sndbuf(), sock.get_rcvbuf()]


@check
def ttl_and_streamid() -> Any:
    sock = tcp()
    before = [sock.ttl, sock.streamid]
    sock.ttl, sock.streamid = 200, 9
    after = [sock.get_ttl(), sock.get_streamid()]
    bad = [refusal(sock.set_ttl, value) for value in (-1, 256, 1.5)]
    return [before, after, bad, [refusal(sock.set_streamid, value) for value in (-1, 65_536, "1")]]


@check
def rtoinfo() -> Any:
    sock = tcp()
    info = sock.get_rtoinfo()
    default = [info.assoc_id, info.max, info.min]
    info.initial, info.min, info.max = 2000, 500, 4000
    sock.set_rtoinfo(info)
    return [default, vars(sock.get_rtoinfo())]


@check
def rto_initial_default() -> Any:
    return tcp().get_rtoinfo().initial


@check
def hbinterval_default() -> Any:
    return tcp().get_paddrparams(0, ("", 0)).hbinterval


@check
def max_init_timeo_default() -> Any:
    return tcp().initparams.max_init_timeo


@check
def rtoinfo_refused() -> Any:
    sock = tcp()
    info = sock.get_rtoinfo()
    info.min, info.max = 9000, 100
    return [refusal(sock.set_rtoinfo, info), refusal(udp().get_rtoinfo, 12_345)]


@check
def assocparams() -> Any:
    sock = tcp()
    params = sock.get_assocparams()
    default = [params.assocmaxrxt, params.cookie_life, params.number_peer_destinations]
    params.assocmaxrxt, params.cookie_life = 5, 30_000
    sock.set_assocparams(params)
    params = sock.get_assocparams()
    return [default, params.assocmaxrxt, params.cookie_life]


@check
def paddrparams_default() -> Any:
    sock = tcp()
    params = sock.get_paddrparams(0, ("", 0))
    return [type(params).__name__, params.sockaddr, params.pathmaxrxt, params.flags, params.pathmtu]


@check
def paddrparams_set() -> Any:
    sock = tcp()
    params = sock.get_paddrparams(0, ("", 0))
    params.pathmaxrxt = 3
    sock.set_paddrparams(params)
    return sock.get_paddrparams(0, ("", 0)).pathmaxrxt


@check
def id_rules() -> Any:
    one, several, address = tcp(), udp(), (HOST, 1)
    return [
        refusal(one.get_status, 1),
        refusal(several.get_status),
        refusal(one.get_paddrinfo, 1, address),
        refusal(several.get_paddrinfo, 0, address),
        refusal(one.get_paddrparams, 1, address),
        refusal(one.set_primary, 1, address),
        refusal(several.set_primary, 0, address),
        refusal(one.set_peer_primary, 1, address),
    ]


@check
def status_without_association() -> Any:
    return [refusal(tcp().get_status), refusal(udp().get_status, 77)]


@check
def bad_addresses() -> Any:
    sock = tcp()
    return [
        refusal(sock.bindx, [("nowhere", 0)]),
        refusal(sock.bindx, []),
        refusal(sock.bindx, 5),
        refusal(sock.connectx, [("localhost", 1)]),
        refusal(sock.connectx, []),
        refusal(sock.sctp_send, b"x", ("localhost", 1)),
        refusal(sock.get_paddrparams, 0, ("localhost", 1)),
    ]


@check
def bindx() -> Any:
    sock = tcp()
    sock.bindx([(HOST, 0)])
    port = sock.getsockname()[1]
    sock.bindx([("127.0.0.2", port)])
    both = sorted(host for host, _ in sock.getladdrs())
    ports = {number for _, number in sock.getladdrs()} == {port}
    sock.bindx([("127.0.0.2", port)], sctp.BINDX_REMOVE)
    return [both, ports, [host for host, _ in sock.getladdrs()], type(sock.getladdrs()).__name__]


@check
def bindx_refused() -> Any:
    sock = tcp()
    sock.bindx([(HOST, 0)])
    port = sock.getsockname()[1]
    return [refusal(sock.bindx, [("192.0.2.1", port)]), refusal(sock.bindx, [(HOST, port)], sctp.BINDX_REM)]


@check
def getladdrs_unbound() -> Any:
    return [refusal(tcp().getpaddrs), [host for host, _ in tcp().getladdrs()]]


# --- one association ---


@check
def accepted() -> Any:
    _, client, server = pair()
    return [
        type(server).__name__,
        isinstance(server.sock(), socket.socket),
        server.getpeername() == client.getsockname(),
    ]


@check
def message() -> Any:
    _, client, server = pair()
    sent = client.sctp_send(b"Hello")
    first = received(server)
    return [sent, first[1:], first[0] in (HOST, None)]


@check
def message_as_text() -> Any:
    _, client, server = pair()
    sent = client.sctp_send("naïve")
    return [sent, server.sctp_recv(100)[2].decode()]


@check
def metadata() -> Any:
    _, client, server = pair()
    server.events.clear()
    client.sctp_send(b"x", ppid=46, stream=3, flags=sctp.MSG_UNORDERED, context=5)
    _, flags, _, info = server.sctp_recv(100)
    return [
        flags,
        info.stream,
        info.ppid,
        socket.ntohl(info.ppid),
        info.flags,
        info.ssn,
        info.timetolive,
        sorted(vars(info)),
    ]


@check
def metadata_not_wanted() -> Any:
    _, client, server = pair()
    server.events.data_io = 0
    client.sctp_send(b"x", ppid=46, stream=3)
    return vars(server.sctp_recv(100)[3])


@check
def defaults_of_send() -> Any:
    _, client, server = pair(lambda sock: setattr(sock, "adaptation", 7))
    server.events.clear()
    client.streamid = 4
    client.sctp_send(b"x")
    _, _, _, info = server.sctp_recv(100)
    return [info.stream, socket.ntohl(info.ppid)]


@check
def large_ppid() -> Any:
    """One whose lowest byte has its highest bit set."""
    _, client, server = pair()
    server.events.clear()
    refused = refusal(client.sctp_send, b"x", ("", 0), 0x80)
    return [refused, socket.ntohl(server.sctp_recv(100)[3].ppid) if refused[0] == "nothing" else None]


@check
def order_in_streams() -> Any:
    _, client, server = pair()
    server.events.clear()
    for stream, text in ((0, b"a"), (1, b"b"), (0, b"c"), (1, b"d")):
        client.sctp_send(text, stream=stream)
    found = [server.sctp_recv(10) for _ in range(4)]
    return [[message.decode(), info.stream, info.ssn] for _, _, message, info in found]


@check
def bad_sends() -> Any:
    _, client, _ = pair()
    return [
        refusal(client.sctp_send, b""),
        refusal(client.sctp_send, b"x", ("", 0), None, 0, 60_000),
        refusal(client.sctp_send, bytes(1_000_000)),
        refusal(client.sctp_send, None),
        refusal(tcp().sctp_send, b"x"),
    ]


@check
def pieces() -> Any:
    _, client, server = pair()
    client.sctp_send(b"0123456789")
    return [received(server, 4)[1:], received(server, 4)[1:], received(server, 4)[1:]]


@check
def large_message() -> Any:
    _, client, server = pair()
    data = bytes(range(256)) * 200
    client.sctp_send(data)
    got = b""
    while True:
        _, flags, message, _ = server.sctp_recv(100_000)
        got += message
        if flags & sctp.FLAG_EOR:
            return [len(got), got == data]


@check
def delegation() -> Any:
    _, client, server = pair()
    client.send(b"plain")
    client.sendall(b"more")
    return [server.recv(100).decode(), server.recv(100).decode(), refusal(server.getpeername)]


@check
def non_blocking() -> Any:
    _, client, server = pair()
    server.setblocking(False)
    empty = refusal(server.sctp_recv, 100)
    client.sctp_send(b"x")
    readable = bool(select.select([server], [], [], PATIENCE)[0])
    return [empty, readable, bool(select.select([], [server], [], PATIENCE)[1]), received(server)[1:]]


@check
def timeout() -> Any:
    _, _, server = pair()
    server.settimeout(0.05)
    return [server.gettimeout(), refusal(server.sctp_recv, 100)]


@check
def polled() -> Any:
    _, client, server = pair()
    client.sctp_send(b"x")
    poll = select.poll()
    poll.register(server, select.POLLIN)
    return [mask & select.POLLIN for _, mask in poll.poll(1000 * PATIENCE)]


@check
def end_of_file() -> Any:
    _, client, server = pair()
    client.sctp_send(b"last")
    client.close()
    return [received(server)[1:], received(server)]


@check
def half_close() -> Any:
    _, client, server = pair()
    server.sctp_send(b"still")
    client.shutdown(socket.SHUT_WR)
    return [received(client)[1:], received(server), refusal(client.sctp_send, b"x")]


@check
def association_events() -> Any:
    _, client, server = pair(all_events)
    first = client.sctp_recv(1000)
    up = first[3]
    server.close()
    names: list[list[Any]] = []
    while not names or names[-1][1] != sctp.assoc_change.state_SHUTDOWN_COMP:
        _, flags, message, notif = client.sctp_recv(1000)
        if flags & sctp.FLAG_NOTIFICATION:
            names.append([type(notif).__name__, getattr(notif, "state", None)])
        else:
            time.sleep(0.01)  # the end of file may be there before the last notification
    message = client.sctp_recv(1000)[2]
    return [
        *(first[1], first[2], type(up).__name__, up.state, up.error, up.outbound_streams, up.inbound_streams),
        *(up.assoc_id > 0, up.type, up.flags, up.length, names, message == b""),
    ]


@check
def abort() -> Any:
    _, client, server = pair(lambda sock: setattr(sock.events, "association", 1))
    client.sctp_recv(1000)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("=ii", 1, 0))
    server.close()
    lost = client.sctp_recv(1000)[3]
    return [type(lost).__name__, lost.state, refusal(client.sctp_recv, 1000)]


@check
def status() -> Any:
    def prepare(sock: Any) -> None:
        sock.initparams.max_init_timeo = 0
        sock.initparams.num_ostreams = 6
        sock.initparams.max_instreams = 4

    _, client, server = pair(prepare)
    found = client.get_status()
    primary = found.primary
    return [
        *(found.assoc_id, found.state == sctp.status.state_ESTABLISHED, found.instrms, found.outstrms),
        *(found.unackdata, found.penddata, found.rwnd > 0, found.fragmentation_point > 0),
        *(primary.sockaddr == server.getsockname(), primary.state == sctp.paddrinfo.state_ACTIVE),
        *(primary.cwnd > 0, primary.rto > 0, primary.mtu > 0, primary.assoc_id > 0),
    ]


@check
def paddrinfo() -> Any:
    _, client, server = pair()
    found = client.get_paddrinfo(0, server.getsockname())
    return [
        *(type(found).__name__, found.sockaddr == server.getsockname(), found.state == sctp.paddrinfo.state_ACTIVE),
        *(found.cwnd > 0, found.mtu > 0, refusal(client.get_paddrinfo, 0, ("127.0.0.9", 1))),
    ]


@check
def assocparams_of_association() -> Any:
    _, client, _ = pair()
    params = client.get_assocparams()
    params.assocmaxrxt = 4
    client.set_assocparams(params)
    found = client.get_assocparams()
    return [found.number_peer_destinations, found.assocmaxrxt, found.peer_rwnd > 0, found.local_rwnd > 0]


@check
def paddrparams_of_address() -> Any:
    _, client, server = pair()
    params = client.get_paddrparams(0, server.getsockname())
    params.pathmaxrxt = 2
    client.set_paddrparams(params)
    return [
        client.get_paddrparams(0, server.getsockname()).pathmaxrxt,
        refusal(client.get_paddrparams, 0, ("127.0.0.9", 1)),
    ]


@check
def addresses_of_association() -> Any:
    _, client, server = pair()
    ends = [client.getpaddrs() == (server.getsockname(),), server.getpaddrs() == (client.getsockname(),)]
    return [*ends, client.getladdrs() == (client.getsockname(),), server.getladdrs() == (server.getsockname(),)]


@check
def addresses_of_wildcard() -> Any:
    """How many addresses the peer is told of by a socket that is not bound to some."""
    listener, client = tcp(), tcp()
    listener.bind((HOST, 0))
    listener.listen(5)
    client.connect(listener.getsockname())
    server, _ = listener.accept()
    _open.append(server)
    return len(server.getpaddrs()) > 1


@check
def primary() -> Any:
    _, client, server = pair()
    client.set_primary(0, server.getsockname())
    return [refusal(client.set_primary, 0, ("127.0.0.9", 1)), refusal(client.set_peer_primary, 0, client.getsockname())]


@check
def connectx() -> Any:
    listener, client = tcp(), tcp()
    listener.bindx([(HOST, 0)])
    port = listener.getsockname()[1]
    listener.bindx([("127.0.0.2", port)])
    listener.listen(5)
    found: dict[str, int] = {}
    client.connectx([(HOST, port), ("127.0.0.2", port)], found)
    server, _ = listener.accept()
    _open.append(server)
    client.sctp_send(b"over two")
    hosts = [sorted(host for host, _ in addresses) for addresses in (client.getpaddrs(), server.getladdrs())]
    return [list(found), found["assoc_id"] > 0, hosts, server.sctp_recv(100)[2].decode()]


@check
def connect_refused() -> Any:
    sock = tcp()
    sock.bind((HOST, 0))
    port = sock.getsockname()[1]
    sock.close()
    return [refusal(tcp().connect, (HOST, port)), refusal(tcp().connectx, [(HOST, port)])]


@check
def connected_twice() -> Any:
    listener, client, _ = pair()
    return refusal(client.connect, (HOST, listener.getsockname()[1]))


@check
def peeloff_of_tcp_style() -> Any:
    _, client, _ = pair()
    return refusal(client.peeloff, 1)


@check
def recording() -> Any:
    _, client, _ = pair()
    here = os.getcwd()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        try:
            client.sctp_send("kept", record_file_prefix="prefix", datalogging=True)
            client.datalogging = True
            client.sctp_send("too")
            names = sorted(os.listdir("."))
            return [
                [name.split("-")[0] + name[-6:] for name in names],
                sorted(Path(name).read_text() for name in names),
            ]
        finally:
            os.chdir(here)


# --- many associations ---


@check
def implicit_association() -> Any:
    server, client, address = many()
    sent = client.sctp_send(b"Hello", address)
    host, flags, message, _ = server.sctp_recv(100)
    return [sent, host[0], flags, message.decode()]


@check
def events_of_many() -> Any:
    server, client, address = many(all_events)
    client.sctp_send(b"Hello", address, stream=2, ppid=9)
    names, (message, info) = until_data(server)
    first = client.sctp_recv(1000)[3]
    return [
        names,
        message.decode(),
        info.stream,
        socket.ntohl(info.ppid),
        info.assoc_id > 0,
        type(first).__name__,
        first.state,
    ]


@check
def answer() -> Any:
    server, client, address = many()
    client.sctp_send(b"ping", address)
    back, _, message, _ = server.sctp_recv(100)
    server.sctp_send(message + b" pong", back)
    return received(client)


@check
def eof() -> Any:
    server, client, address = many(all_events)
    client.sctp_send(b"Hello", address)
    until_data(server)
    client.sctp_send(b"", address, flags=sctp.MSG_EOF)
    names: list[Any] = []
    while not names or names[-1][1] != sctp.assoc_change.state_SHUTDOWN_COMP:
        notif = server.sctp_recv(1000)[3]
        names.append([type(notif).__name__, getattr(notif, "state", None)])
    return names


@check
def aborted_by_flag() -> Any:
    server, client, address = many(all_events)
    client.sctp_send(b"Hello", address)
    until_data(server)
    client.sctp_send(b"why", address, flags=sctp.MSG_ABORT)
    notif = server.sctp_recv(1000)[3]
    return [type(notif).__name__, notif.state, notif.error]


@check
def peeloff() -> Any:
    server, client, address = many(all_events)
    client.sctp_send(b"Hello", address)
    _, (_, info) = until_data(server)
    branch = server.peeloff(info.assoc_id)
    _open.append(branch)
    client.sctp_send(b"for the branch", address)
    got = branch.sctp_recv(100)[2].decode()
    branch.sctp_send(b"from the branch")
    _, (back, _) = until_data(client)
    return [type(branch).__name__, got, back.decode(), refusal(server.peeloff, 12_345)]


@check
def type_of_peeled_off() -> Any:
    server, client, address = many(all_events)
    client.sctp_send(b"Hello", address)
    _, (_, info) = until_data(server)
    _open.append(server.peeloff(info.assoc_id))
    return int(_open[-1].sock().type)


@check
def accept_of_udp_style() -> Any:
    return refusal(many()[0].accept)


@check
def status_of_many() -> Any:
    server, client, address = many(all_events)
    client.sctp_send(b"Hello", address)
    _, (_, info) = until_data(server)
    found = server.get_status(info.assoc_id)
    paths = server.getpaddrs(info.assoc_id)
    return [
        *(found.assoc_id == info.assoc_id, found.state == sctp.status.state_ESTABLISHED, found.unackdata),
        *([host for host, _ in paths], found.primary.sockaddr in paths),
        *(server.get_rtoinfo(info.assoc_id).min, server.get_paddrinfo(info.assoc_id, paths[0]).state),
    ]


@check
def unsent_messages() -> Any:
    """A message that nobody takes comes back."""
    _, client, _ = many()
    nobody = udp()
    nobody.bind((HOST, 0))
    gone = (HOST, nobody.getsockname()[1])
    nobody.close()
    all_events(client)
    client.sctp_send(b"comes back", gone, context=33, stream=1)
    found: list[Any] = []
    while len(found) < 2:
        notif = client.sctp_recv(1000)[3]
        found.append([type(notif).__name__, getattr(notif, "state", None), getattr(notif, "data", None)])
        if isinstance(notif, sctp.send_failed):
            found[-1] += [notif.flags, notif.info.context, notif.info.stream]
    return sorted(found)


@check
def ipv6() -> Any:
    server, client = tcp(socket.AF_INET6), tcp(socket.AF_INET6)
    server.bind(("::1", 0))
    server.listen(5)
    client.connect(("::1", server.getsockname()[1]))
    end, _ = server.accept()
    _open.append(end)
    client.sctp_send(b"six")
    paths = client.getpaddrs()
    return [received(end)[1:], paths[0][0], len(paths[0]), client.get_status().primary.sockaddr == paths[0]]


@check
def ipv4_on_ipv6_socket() -> Any:
    server, client = udp(socket.AF_INET6), udp()
    server.bind(("::", 0))
    server.listen(5)
    client.sctp_send(b"four", (HOST, server.getsockname()[1]))
    return received(server)


def run() -> Iterator[tuple[str, Any]]:
    for function in CHECKS:
        signal.alarm(PATIENCE)
        try:
            result = function()
        except Exception as error:
            result = [
                "failed",
                type(error).__name__,
                errno.errorcode.get(getattr(error, "errno", None) or 0),
                str(error),
            ]
        finally:
            signal.alarm(0)
            for sock in _open:
                sock.close()
            _open.clear()
        yield function.__name__, result


def _too_long(*_: object) -> None:
    raise TimeoutError(f"not done within {PATIENCE} s")


if __name__ == "__main__":
    signal.signal(signal.SIGALRM, _too_long)
    for name, result in run():
        print(json.dumps({"check": name, "result": result}, default=repr), flush=True)
    sys.exit(0)
