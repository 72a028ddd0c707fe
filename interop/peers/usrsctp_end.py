"""An end on usrsctp, driven through ctypes: usrsctp's numbers and structs (<usrsctp.h>), which differ from Linux's."""

from __future__ import annotations

import ctypes
import ctypes.util
import os
import socket
import struct
import time

from interop.peers.ends import (
    BUFFER_SIZE,
    SOL_SCTP,
    Adaptation,
    Change,
    End,
    Event,
    Message,
    Other,
    Settings,
    change_of,
)

_RTOINFO, _ASSOCINFO, _INITMSG, _ADAPTATION_LAYER, _PADDRPARAMS = 0x01, 0x02, 0x03, 0x08, 0x0A
_EVENT, _RECVRCVINFO, _UDP_ENCAPS, _BINDX_ADD = 0x1E, 0x1F, 0x24, 0x8001
_ASSOC_CHANGE, _SHUTDOWN_EVENT, _ADAPTATION = 0x0001, 0x0005, 0x0006
_UNORDERED, _ABORT, _PR_TTL, _HB_ENABLE = 0x0400, 0x0200, 0x0001, 0x1
_MSG_NOTIFICATION, _MSG_EOR = 0x2000, socket.MSG_EOR
_SENDV_SPA, _SNDINFO_VALID, _PRINFO_VALID = 4, 0x1, 0x2
_STATES = {1: "COMM_UP", 2: "COMM_LOST", 3: "RESTART", 4: "SHUTDOWN_COMP", 5: "CANT_STR_ASSOC"}
_FINISH_TRIES, _FINISH_PAUSE = 40, 0.05


def load() -> ctypes.CDLL:
    """Return the library; OSError when it is not there."""
    library = ctypes.CDLL(ctypes.util.find_library("usrsctp") or "libusrsctp.so.2", use_errno=True)
    for name in ("usrsctp_socket", "usrsctp_accept"):
        getattr(library, name).restype = ctypes.c_void_p
    library.usrsctp_sendv.restype = library.usrsctp_recvv.restype = ctypes.c_ssize_t
    return library


class UsrsctpEnd(End):
    """An end on a one-to-one socket of usrsctp, which has SCTP_ABORT there."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._library = library = load()
        self._buffer = ctypes.create_string_buffer(BUFFER_SIZE)
        self._listener: ctypes.c_void_p | None = None
        library.usrsctp_init(ctypes.c_uint16(settings.local_udp), None, None)
        library.usrsctp_sysctl_set_sctp_blackhole(0)
        # Otherwise a wrong checksum would pass unseen between equal addresses.
        library.usrsctp_sysctl_set_sctp_no_csum_on_loopback(0)
        made = library.usrsctp_socket(settings.family, socket.SOCK_STREAM, SOL_SCTP, None, None, 0, None)
        if not made:
            raise _error("usrsctp_socket")
        self._sock = ctypes.c_void_p(made)
        self._configure()
        port = settings.client_port if settings.role == "client" else settings.port
        self._call("bind", *_address(settings.local, port))
        if settings.second:
            address, _length = _address(settings.second, 0)
            self._call("bindx", address, 1, _BINDX_ADD)

    def _configure(self) -> None:
        settings = self.settings
        inbound = settings.most_inbound or settings.streams
        anyone = struct.pack("=H126x", settings.family)
        options = {
            _INITMSG: struct.pack("=HHHH", settings.streams, inbound, 0, 0),
            _RECVRCVINFO: struct.pack("=i", 1),
            _UDP_ENCAPS: anyone + struct.pack("=I", 0) + struct.pack("!Hxx", settings.remote_udp),
        }
        if settings.rto:
            options[_RTOINFO] = struct.pack("=IIII", 0, settings.rto, 2 * settings.rto, settings.rto)
        if settings.retransmissions:
            options[_ASSOCINFO] = struct.pack("=IIIIHH", 0, 0, 0, 0, settings.retransmissions, 0)
        if settings.heartbeat:
            options[_PADDRPARAMS] = struct.pack("=128xIIIIIHBx", 0, settings.heartbeat, 0, _HB_ENABLE, 0, 0, 0)
        if settings.adaptation:
            options[_ADAPTATION_LAYER] = struct.pack("=I", settings.adaptation)
        for name, value in options.items():
            self._set(SOL_SCTP, name, value)
        for event in (_ASSOC_CHANGE, _SHUTDOWN_EVENT, _ADAPTATION):
            self._set(SOL_SCTP, _EVENT, struct.pack("=IHBx", 0, event, 1))
        if not settings.lingers:
            self._set(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        for name, size in ((socket.SO_SNDBUF, settings.send_buffer), (socket.SO_RCVBUF, settings.receive_buffer)):
            if size:
                self._set(socket.SOL_SOCKET, name, struct.pack("i", size))

    def _set(self, level: int, name: int, value: bytes) -> None:
        self._call("setsockopt", level, name, value, ctypes.c_uint32(len(value)))

    def _call(self, name: str, *arguments: object) -> int:
        result: int = getattr(self._library, f"usrsctp_{name}")(self._sock, *arguments)
        if result < 0:
            raise _error(f"usrsctp_{name}")
        return result

    def listen(self) -> None:
        self._call("listen", 1)

    def accept(self) -> None:
        accepted = self._library.usrsctp_accept(self._sock, None, None)
        if not accepted:
            raise _error("usrsctp_accept")
        self._listener, self._sock = self._sock, ctypes.c_void_p(accepted)

    def connect(self) -> None:
        self._call("connect", *_address(self.settings.peer, self.settings.port))

    def send(self, message: Message, lifetime: int = 0) -> None:
        self._send(message, _UNORDERED if message.unordered else 0, lifetime)

    def _send(self, message: Message, flags: int, lifetime: int = 0) -> None:
        valid = _SNDINFO_VALID | (_PRINFO_VALID if lifetime else 0)
        # struct sctp_sendv_spa: what is valid, sndinfo, prinfo, authinfo
        sndinfo = struct.pack("=HHIII", message.sid, flags, socket.htonl(message.ppid), 0, 0)
        spa = struct.pack("=I", valid) + sndinfo + struct.pack("=HxxI", _PR_TTL if lifetime else 0, lifetime) + bytes(4)
        data = message.data
        length = ctypes.c_uint32(len(spa))
        self._call("sendv", data, ctypes.c_size_t(len(data)), None, 0, spa, length, ctypes.c_uint(_SENDV_SPA), 0)

    def receive(self) -> Event | None:
        data = b""
        while True:
            info = ctypes.create_string_buffer(28)  # struct sctp_rcvinfo
            info_length, info_type, flags = ctypes.c_uint32(28), ctypes.c_uint(0), ctypes.c_int(0)
            count = self._call(
                "recvv",
                self._buffer,
                ctypes.c_size_t(BUFFER_SIZE),
                None,
                None,
                info,
                ctypes.byref(info_length),
                ctypes.byref(info_type),
                ctypes.byref(flags),
            )
            if count == 0:
                return None
            data += ctypes.string_at(self._buffer, count)
            if flags.value & _MSG_EOR:
                break
        if flags.value & _MSG_NOTIFICATION:
            return _notification(data)
        sid, _ssn, info_flags, ppid = struct.unpack_from("=HHHxxI", info)
        return Message(data, sid, socket.ntohl(ppid), bool(info_flags & _UNORDERED))

    def shutdown(self) -> None:
        self._call("shutdown", socket.SHUT_WR)

    def abort(self, reason: bytes) -> None:
        self._send(Message(reason, 0, 0, False), _ABORT)

    def close(self) -> None:
        for sock in (self._sock, self._listener):
            if sock is not None:
                self._library.usrsctp_close(sock)
        for _try in range(_FINISH_TRIES):
            if self._library.usrsctp_finish() == 0:
                return
            time.sleep(_FINISH_PAUSE)  # it tells of the end in no other way


def _notification(data: bytes) -> Event:
    (kind,) = struct.unpack_from("=H", data)
    if kind == _ASSOC_CHANGE:
        state, _error_number, outbound, inbound = struct.unpack_from("=HHHH", data, 8)
        change: Change = change_of(_STATES[state], outbound, inbound, data[24:])  # after the ABORT's header
        return change
    if kind == _ADAPTATION:
        return Adaptation(struct.unpack_from("=I", data, 8)[0])
    return Other(kind)


def _address(text: str, port: int) -> tuple[bytes, ctypes.c_uint32]:
    if ":" in text:
        packed = struct.pack("=H", socket.AF_INET6) + struct.pack("!HI", port, 0)
        packed += socket.inet_pton(socket.AF_INET6, text) + bytes(4)
    else:
        packed = struct.pack("=H", socket.AF_INET) + struct.pack("!H", port) + socket.inet_aton(text) + bytes(8)
    return packed, ctypes.c_uint32(len(packed))


def _error(name: str) -> OSError:
    number = ctypes.get_errno()
    return OSError(number, f"{name}: {os.strerror(number)}")
