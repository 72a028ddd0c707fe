"""The wire format: bytes in, values out, and the same bytes' values again; PacketError is the only exception."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from typing import Any

from pysctpstack.core.cookie import Cookie, CookieJar
from pysctpstack.core.route import Route
from pysctpstack.errors import PacketError
from pysctpstack.testing import SeededEntropy
from pysctpstack.wire import causes, chunks, packet, params
from pysctpstack.wire import codepoints as cp
from pysctpstack.wire.dump import dump
from tools.fuzz.seeds import captured_packets, genuine_packets
from tools.fuzz.target import Target

PARAMETER_FAMILIES: dict[str, tuple[int, ...]] = {
    "init": (1, 5, 6, 7, 8, 9, 11, 12, 0x8000, 0xC000),
    "setup-extensions": (0x8001, 0x8002, 0x8003, 0x8004, 0x8005, 0x8008, 0xC006),
    "reconfig": (13, 14, 15, 16, 17, 18),
    "asconf": (0xC001, 0xC002, 0xC003, 0xC004, 0xC005),
}
CAUSE_FAMILIES: dict[str, tuple[int, ...]] = {
    "rfc9260": tuple(range(1, 14)),
    "extensions": (14, 0xA0, 0xA1, 0xA2, 0xA3, 0xA4, 0x0105),
}


def same_again(decoded: Any, decode: Callable[[bytes], Any]) -> None:
    """What was decoded encodes, and that decodes to the same."""
    again = decode(decoded.encode())
    if again != decoded:
        raise ValueError(f"{decoded} came back as {again}")


# --- packets ---


def run_packet(data: bytes) -> None:
    dump(data)
    try:
        decoded = packet.decode(data, verify=False)
    except PacketError:
        return
    same_again(decoded, lambda octets: _without_checksum(packet.decode(octets), decoded.checksum))


def _without_checksum(decoded: packet.Packet, checksum: int) -> packet.Packet:
    decoded.checksum = checksum
    return decoded


# --- chunks, parameters, causes: a number picks the kind, the rest is its value ---


def run_chunk(data: bytes) -> None:
    if len(data) < 2:
        return
    type_, flags, value = data[0], data[1], data[2:]
    try:
        chunk = chunks.decode_chunk(type_, flags, value)
    except PacketError:
        return

    def decode(octets: bytes) -> chunks.Chunk:
        size = int.from_bytes(octets[2:4], "big")
        return chunks.decode_chunk(octets[0], octets[1], octets[4:size])

    same_again(chunk, decode)


def run_tlv(kinds: tuple[int, ...], decode: Callable[[int, bytes], Any], data: bytes) -> None:
    if not data:
        return
    type_, value = kinds[data[0] % len(kinds)], data[1:]
    try:
        decoded = decode(type_, value)
    except PacketError:
        return

    def again(octets: bytes) -> Any:
        size = int.from_bytes(octets[2:4], "big")
        return decode(int.from_bytes(octets[:2], "big"), octets[4:size])

    same_again(decoded, again)


def run_list(decode: Callable[[bytes, int, int], list[Any]], data: bytes) -> None:
    """A list of parameters or causes: every one that is found comes back."""
    try:
        found = decode(data, 0, len(data))
    except PacketError:
        return
    octets = b"".join(one.encode() for one in found)
    if decode(octets, 0, len(octets)) != found:
        raise ValueError(f"{found} did not come back")


def _tlv_seeds(kinds: tuple[int, ...]) -> list[bytes]:
    """A short and a long value of each kind, and what tests and captures have of it."""
    seeds = [bytes((index,)) + bytes(size) for index in range(len(kinds)) for size in (0, 2, 4, 8, 12, 16, 20)]
    for octets in _all_packets():
        for type_, value in _tlvs(octets):
            if type_ in kinds:
                seeds.append(bytes((kinds.index(type_),)) + value)
    return seeds


def _tlvs(octets: bytes) -> list[tuple[int, bytes]]:
    """Everything in a packet that might be a parameter or a cause: (type, value)."""
    found = []
    bounds, _ = packet.split(octets)
    for _, _, start, end in bounds:
        for skip in (0, 4, 16):
            position = start + skip
            while position + 4 <= end:
                type_, size = (
                    octets[position : position + 2],
                    int.from_bytes(octets[position + 2 : position + 4], "big"),
                )
                if size < 4 or position + size > end:
                    break
                found.append((int.from_bytes(type_, "big"), octets[position + 4 : position + size]))
                position += (size + 3) & ~3
    return found


@cache
def _all_packets() -> list[bytes]:
    return [*genuine_packets(), *captured_packets()]


def _chunk_seeds() -> list[bytes]:
    seeds = [bytes((type_, 3)) + bytes(16) for type_ in cp.CHUNK_NAMES]
    for octets in _all_packets():
        bounds, _ = packet.split(octets)
        seeds += [bytes((type_, flags)) + octets[start:end] for type_, flags, start, end in bounds]
    return seeds


# --- the cookie ---

NOW = 1_000.0


@cache
def _jar() -> CookieJar:
    return CookieJar(SeededEntropy(1), 1e9, 60.0)


def _cookie(**fields: Any) -> Cookie:
    values: dict[str, Any] = {
        "route": Route("192.0.2.1", 9_899, "198.51.100.1"),
        "addresses": ["192.0.2.2", "2001:db8::1"],
        "created_at": NOW,
        "lifespan": 60.0,
        **dict.fromkeys(("local_tag", "peer_tag", "local_tie_tag", "peer_tie_tag"), 0x1234_5678),
        **dict.fromkeys(("local_initial_tsn", "peer_initial_tsn", "peer_a_rwnd"), 0xFFFF_FFFF),
        **dict.fromkeys(("local_port", "peer_port", "outbound_streams", "inbound_streams"), 7),
    }
    return Cookie(**{**values, **fields})


@cache
def _genuine() -> dict[bytes, Cookie]:
    """By what was signed."""
    cookies = (_cookie(), _cookie(addresses=[]), _cookie(route=Route("2001:db8::2", 1, "")))
    return {_jar().sign(cookie): cookie for cookie in cookies}


def run_cookie(data: bytes) -> None:
    """No bytes but those that were signed verify; what was signed comes back; what is no cookie is a ValueError."""
    jar = _jar()
    verified = jar.verify(data, NOW)
    genuine = _genuine().get(data)
    if verified != genuine:
        raise ValueError("a genuine cookie did not come back" if genuine else "a forged cookie verifies")
    if len(data) > 16:
        # Below the signature: contents that only a bug of ours could have signed still end in ValueError or a cookie.
        try:
            unpacked = Cookie.unpack(data[16:])
        except ValueError:
            return
        if Cookie.unpack(unpacked.pack()).pack() != unpacked.pack():
            raise ValueError(f"{unpacked} does not come back")


def _cookie_seeds() -> list[bytes]:
    return list(_genuine())


def targets() -> list[Target]:
    found = [
        Target("packet", "the packet parser and the dump of a packet", run_packet, _all_packets),
        Target("chunks", "every chunk by itself", run_chunk, _chunk_seeds),
        Target(
            "parameters",
            "lists of parameters",
            partial(run_list, params.decode_parameters),
            lambda: [octets[32:] for octets in _all_packets() if octets[12] in (cp.INIT, cp.INIT_ACK)],
        ),
        Target(
            "causes",
            "lists of error causes",
            partial(run_list, causes.decode_causes),
            lambda: [octets[16:] for octets in _all_packets() if octets[12] in (cp.ABORT, cp.ERROR)],
        ),
        Target("cookie", "State Cookies: signatures and contents", run_cookie, _cookie_seeds, max_size=512),
    ]
    for name, kinds in PARAMETER_FAMILIES.items():
        found.append(
            Target(
                f"parameters/{name}",
                f"the parameters {', '.join(cp.PARAMETER_NAMES[kind] for kind in kinds)}",
                partial(run_tlv, kinds, params.decode_parameter),
                partial(_tlv_seeds, kinds),
                max_size=512,
            )
        )
    for name, kinds in CAUSE_FAMILIES.items():
        found.append(
            Target(
                f"causes/{name}",
                f"the causes {', '.join(cp.CAUSE_NAMES[kind] for kind in kinds)}",
                partial(run_tlv, kinds, causes.decode_cause),
                partial(_tlv_seeds, kinds),
                max_size=512,
            )
        )
    return found


__all__ = ["CAUSE_FAMILIES", "PARAMETER_FAMILIES", "targets"]
