"""The structs of `<linux/sctp.h>` as bytes, and as the masked text that results are made of.

A layout is a list of members, `format name`, in the notation of the `struct` module, native sizes without
alignment; padding is spelled out, and shows in a result when it is not zero. Masks take the place of formats
where two runs may differ: `@` an association id, `A` a `sockaddr_storage` (its port is masked), `T` a TSN, `V` a
TSN of which only matters whether it is there, `~` a 32-bit value that depends on time.
"""

from __future__ import annotations

import socket
import struct
import zlib
from typing import Any

_LAYOUTS = {
    "rtoinfo": "@ id, I initial, I max, I min",
    "assocparams": "@ id, H maxrxt, H destinations, I peer_rwnd, I local_rwnd, I cookie_life",
    "initmsg": "H ostreams, H instreams, H attempts, H timeo",
    "prim": "@ id, A addr",
    "paddrparams": "@ id, A addr, I hbinterval, H maxrxt, I mtu, I sackdelay, I flags, I flowlabel, B dscp, x pad",
    "sndrcvinfo": "H stream, H ssn, H flags, xx pad, I ppid, I context, I timetolive, T tsn, V cumtsn, @ id",
    "sndinfo": "H sid, H flags, I ppid, I context, @ id",
    "rcvinfo": "H sid, H ssn, H flags, xx pad, I ppid, T tsn, V cumtsn, I context, @ id",
    "nxtinfo": "H sid, H flags, I ppid, I length, @ id",
    "prinfo": "H policy, xx pad, I value",
    "default_prinfo": "@ id, I value, H policy, xx pad",
    "events": "14s events",
    "event": "@ id, H type, B on, x pad",
    "status": (
        "@ id, i state, I rwnd, H unack, H pend, H in, H out, I frag, "
        "@ p_id, A p_addr, i p_state, I p_cwnd, ~ p_srtt, ~ p_rto, I p_mtu"
    ),
    "paddrinfo": "@ id, A addr, i state, I cwnd, ~ srtt, ~ rto, I mtu",
    "sack_info": "@ id, I delay, I freq",
    "assoc_value": "@ id, I value",
    "stream_value": "@ id, H stream, H value",
    "paddrthlds": "@ id, xxxx pad, A addr, H maxrxt, H pf, xxxx unused",
    "paddrthlds_v2": "@ id, xxxx pad, A addr, H maxrxt, H pf, H cp, xx pad2",
    "udpencaps": "@ id, xxxx pad, A addr, 2s port, xxxxxx pad2",
    "probeinterval": "@ id, xxxx pad, A addr, I interval, xxxx pad2",
    "prstatus": "@ id, H sid, H policy, Q unsent, Q sent",
    "setadaptation": "I ind",
    "int": "i value",
    "linger": "i on, i seconds",
    "timeval": "q seconds, q microseconds",
    # Notifications.
    "assoc_change": "H type, H flags, I length, H state, H error, H out, H in, @ id",
    "paddr_change": "H type, H flags, I length, A addr, i state, i error, @ id",
    "remote_error": "H type, H flags, I length, H error, xx pad, @ id",
    "send_failed": (
        "H type, H flags, I length, I error, H stream, H ssn, H sinfo_flags, xx pad, I ppid, I context, "
        "I timetolive, V tsn, V cumtsn, @ sinfo_id, @ id"
    ),
    "send_failed_event": "H type, H flags, I length, I error, H sid, H snd_flags, I ppid, I context, @ snd_id, @ id",
    "shutdown_event": "H type, H flags, I length, @ id",
    "adaptation_event": "H type, H flags, I length, I ind, @ id",
    "pdapi_event": "H type, H flags, I length, I indication, @ id, I stream, I seq",
    "authkey_event": "H type, H flags, I length, H key, H alternative, I indication, @ id",
    "sender_dry_event": "H type, H flags, I length, @ id",
}

Members = list[tuple[str, str, int]]


def _parse(text: str) -> Members:
    members = []
    for member in text.split(", "):
        form, name = member.split()
        size = {"@": 4, "A": 128, "T": 4, "V": 4, "~": 4}.get(form) or struct.calcsize("=" + form)
        members.append((form, name, size))
    return members


LAYOUTS = {name: _parse(text) for name, text in _LAYOUTS.items()}
SIZES = {name: sum(size for _, _, size in members) for name, members in LAYOUTS.items()}

NOTIFICATIONS = {
    0x8001: "assoc_change",
    0x8002: "paddr_change",
    0x8003: "send_failed",
    0x8004: "remote_error",
    0x8005: "shutdown_event",
    0x8006: "pdapi_event",
    0x8007: "adaptation_event",
    0x8008: "authkey_event",
    0x8009: "sender_dry_event",
    0x800D: "send_failed_event",
}


def pack(layout: str, **values: Any) -> bytes:
    """The bytes of a struct; members that are not named are zero. Addresses are `(host, port)`."""
    parts = []
    for form, name, size in LAYOUTS[layout]:
        value = values.pop(name, None)
        if value is None:
            parts.append(bytes(size))
        elif form == "A":
            parts.append(sockaddr(*value).ljust(128, b"\0"))
        else:
            parts.append(struct.pack("=" + {"@": "i", "T": "I", "V": "I", "~": "I"}.get(form, form), value))
    if values:
        raise ValueError(f"{layout} has no {', '.join(values)}")
    return b"".join(parts)


def sockaddr(host: str, port: int) -> bytes:
    """A `sockaddr_in` or `sockaddr_in6`."""
    if ":" in host:
        head = struct.pack("=H", socket.AF_INET6) + struct.pack("!H", port)
        return head + bytes(4) + socket.inet_pton(socket.AF_INET6, host) + bytes(4)
    return struct.pack("=H", socket.AF_INET) + struct.pack("!H", port) + socket.inet_aton(host) + bytes(8)


def sockaddrs(data: bytes) -> list[tuple[str, int]]:
    """What `SCTP_GET_PEER_ADDRS` and the like are filled with: addresses one after the other."""
    found = []
    while data:
        family = struct.unpack_from("=H", data)[0]
        size = 16 if family == socket.AF_INET else 28
        found.append(_address(data[:size]))
        data = data[size:]
    return found


def _address(data: bytes) -> tuple[str, int]:
    family, port = struct.unpack_from("=H", data)[0], struct.unpack_from("!H", data, 2)[0]
    if family == socket.AF_INET:
        return socket.inet_ntop(socket.AF_INET, data[4:8]), port
    return socket.inet_ntop(socket.AF_INET6, data[8:24]), port


class Masks:
    """Numbers that two runs have different ones of, named in the order in which one scenario meets them."""

    def __init__(self) -> None:
        self._ids: dict[int, str] = {}
        self._ports: dict[int, str] = {}
        self._first_tsn: dict[int, int] = {}

    def id(self, value: int) -> int | str:
        """An association id: those with a meaning of their own stay."""
        if 0 <= value <= 2:
            return value
        return self._ids.setdefault(value, f"id{len(self._ids) + 1}")

    def port(self, value: int) -> int | str:
        """A port."""
        return self._ports.setdefault(value, f"port{len(self._ports) + 1}") if value else 0

    def address(self, address: Any) -> Any:
        """A socket address as Python has it: host, port, and for IPv6 flow and scope."""
        if not isinstance(address, tuple):
            return address
        return [address[0], self.port(address[1]), *address[2:]]

    def storage(self, data: bytes) -> Any:
        """A `sockaddr_storage`. What follows the address in it means nothing, and is not looked at."""
        if not any(data[:2]):
            return "none" if not any(data) else "none, but not zero"
        host, port = _address(data)
        return f"{host}:{self.port(port)}"

    def tsn(self, value: int, of: int) -> int | str:
        """A TSN, counted from the first that was seen of an association."""
        if not value:
            return 0
        first = self._first_tsn.setdefault(of, value)
        return f"tsn+{(value - first) & 0xFFFFFFFF}"

    def show(self, layout: str, data: bytes) -> dict[str, Any]:
        """A struct's members; bytes beyond it are its `rest`."""
        shown: dict[str, Any] = {}
        offset = 0
        of = struct.unpack_from("=i", data, SIZES[layout] - 4)[0] if len(data) >= SIZES[layout] else 0
        for form, name, size in LAYOUTS[layout]:
            piece = data[offset : offset + size]
            offset += size
            if len(piece) < size:
                shown[name] = f"cut: {piece.hex()}"
                break
            if form == "A":
                shown[name] = self.storage(piece)
            elif "x" in form:
                # Linux fills `unused` with what a longer form of the struct has there.
                if any(piece) and name != "unused":
                    shown[name] = piece.hex()
            elif form.endswith("s"):
                shown[name] = piece.hex()
            else:
                value = struct.unpack("=" + {"@": "i", "T": "I", "V": "I", "~": "I"}.get(form, form), piece)[0]
                shown[name] = self._mask(form, value, of)
        if len(data) > offset:
            shown["rest"] = text_of(data[offset:])
        return shown

    def _mask(self, form: str, value: int, of: int) -> Any:
        if form == "@":
            return self.id(value)
        if form == "T":
            return self.tsn(value, of)
        if form == "~":
            return "time"
        if form == "V":
            return "some" if value else 0
        return value

    def notification(self, data: bytes) -> dict[str, Any]:
        """A notification of any type; its length has to be its own."""
        kind = struct.unpack_from("=H", data)[0] if len(data) >= 8 else 0
        if kind not in NOTIFICATIONS:
            return {"unknown": data.hex()}
        shown = self.show(NOTIFICATIONS[kind], data)
        shown["type"] = NOTIFICATIONS[kind]
        return shown


def text_of(data: bytes) -> str:
    """Bytes of a message: themselves when they are few, else their number and checksum."""
    if len(data) > 64:
        return f"<{len(data)} bytes, crc {zlib.crc32(data):08x}>"
    return data.decode("ascii") if all(32 <= byte < 127 for byte in data) else "0x" + data.hex()
