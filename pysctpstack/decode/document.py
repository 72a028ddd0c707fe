"""One packet as plain values (``--json``) and as a line of text."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from typing import Any

from pysctpstack.decode.network import SctpPacket
from pysctpstack.errors import PacketError
from pysctpstack.wire import chunks as c
from pysctpstack.wire import codepoints as cp
from pysctpstack.wire import tlv
from pysctpstack.wire.causes import Cause, decode_cause
from pysctpstack.wire.dump import dump
from pysctpstack.wire.extension_chunks import IData
from pysctpstack.wire.packet import HEADER_SIZE, checksum_ok, decode_header, split
from pysctpstack.wire.params import Parameter, decode_parameter

Document = dict[str, Any]

#: Where parameters and causes begin in the values of the chunks that have them.
_PARAMETERS = {cp.INIT: 16, cp.INIT_ACK: 16, cp.HEARTBEAT: 0, cp.HEARTBEAT_ACK: 0, cp.RE_CONFIG: 0} | {
    cp.ASCONF: 4,
    cp.ASCONF_ACK: 4,
}
_CAUSES = {cp.ABORT: 0, cp.ERROR: 0}


def checksum_status(packet: SctpPacket) -> str:
    """``good``, ``bad``, ``zero`` (RFC 9653, or left to the network card), or ``unknown`` where bytes are missing."""
    if packet.missing or len(packet.data) < HEADER_SIZE:
        return "unknown"
    if checksum_ok(packet.data):
        return "good"
    return "zero" if packet.data[8:12] == b"\0\0\0\0" else "bad"


def document(packet: SctpPacket) -> Document:
    """Everything that is known about a packet; bytes are hexadecimal, lengths those of the length fields."""
    result: Document = {
        "number": packet.number,
        "time": packet.time,
        "source": packet.source,
        "destination": packet.destination,
        "encapsulation": {"source_port": packet.source_port, "destination_port": packet.destination_port}
        if packet.source_port or packet.destination_port
        else None,
        "length": len(packet.data) + packet.missing,
        "missing": packet.missing,
        "notes": list(packet.notes),
    }
    try:
        source_port, destination_port, verification_tag, checksum = decode_header(packet.data)
    except PacketError as error:
        return result | {"error": error.reason, "rest": packet.data.hex()}
    bounds, complete = split(packet.data)
    result |= {
        "source_port": source_port,
        "destination_port": destination_port,
        "verification_tag": verification_tag,
        "checksum": checksum,
        "checksum_status": checksum_status(packet),
        "chunks": [_chunk(packet.data, *bound) for bound in bounds],
    }
    if not complete:
        rest = packet.data[(bounds[-1][3] + 3) & ~3 if bounds else HEADER_SIZE :]
        result |= {"error": "partial_chunk", "rest": rest.hex()}
        if len(rest) >= 4:
            result["partial_chunk"] = _header(rest[0], rest[1], int.from_bytes(rest[2:4], "big"))
    return result


def line(packet: SctpPacket) -> str:
    """Number, time, addresses, and the packet as `pysctpstack.wire.dump` has it."""
    route = f"{_end(packet.source, packet.source_port)} > {_end(packet.destination, packet.destination_port)}"
    text = dump(packet.data)
    status = checksum_status(packet)
    if status in ("zero", "unknown"):
        text = text.replace(" !checksum", " !checksum-zero" if status == "zero" else "")
    notes = f" ({'; '.join(packet.notes)})" if packet.notes else ""
    return f"{packet.number} {packet.time:.6f} {route} {text}{notes}"


def _end(address: str, udp_port: int) -> str:
    if not udp_port:
        return address or "?"
    return f"[{address}]:{udp_port}" if ":" in address else f"{address}:{udp_port}"


def _header(type_: int, flags: int, length: int) -> Document:
    return {"type": type_, "name": cp.CHUNK_NAMES.get(type_, f"CHUNK-{type_}"), "flags": flags, "length": length}


def _chunk(data: bytes, type_: int, flags: int, start: int, end: int) -> Document:
    value = data[start:end]
    result = _header(type_, flags, end - start + 4) | {"chunk_padding": data[end : (end + 3) & ~3].hex()}
    try:
        chunk = c.decode_chunk(type_, flags, value)
    except PacketError as error:
        return result | {"error": error.reason, "value": value.hex()}
    skip = {"type", "flags", "parameters", "causes"}
    if type_ in _PARAMETERS:
        skip |= {"info", "address"}
    result |= {field.name: _plain(getattr(chunk, field.name)) for field in fields(chunk) if field.name not in skip}
    if isinstance(chunk, c.Data | IData):
        result |= {
            "unordered": bool(flags & cp.DATA_FLAG_U),
            "beginning": bool(flags & cp.DATA_FLAG_B),
            "ending": bool(flags & cp.DATA_FLAG_E),
            "immediate": bool(flags & cp.DATA_FLAG_I),
        }
    if isinstance(chunk, IData):
        result |= {"ppid": chunk.ppid, "fsn": chunk.fsn}
        del result["ppid_or_fsn"]
    if type_ in _PARAMETERS:
        result["parameters"] = _list(value, _PARAMETERS[type_], decode_parameter, parameter_document)
    if type_ in _CAUSES:
        result["causes"] = _list(value, _CAUSES[type_], decode_cause, cause_document)
    return result


def _list(
    value: bytes, start: int, decode: Callable[[int, bytes], Any], describe: Callable[[Any, int], Document]
) -> list[Document]:
    return [
        describe(decode(code, value[first:last]), last - first + 4)
        for code, first, last in tlv.walk(value, start, len(value))
    ]


def parameter_document(parameter: Parameter, length: int | None = None) -> Document:
    """A parameter; ``length`` is its length field, computed when it is not given."""
    if length is None:
        length = int.from_bytes(parameter.encode()[2:4], "big")
    name = cp.PARAMETER_NAMES.get(parameter.type, f"parameter-{parameter.type:#06x}")
    return {"type": parameter.type, "name": name, "length": length} | _fields(parameter)


def cause_document(cause: Cause, length: int | None = None) -> Document:
    """An error cause; ``length`` as in `parameter_document`."""
    if length is None:
        length = int.from_bytes(cause.encode()[2:4], "big")
    name = cp.CAUSE_NAMES.get(cause.code, f"cause-{cause.code}")
    return {"code": cause.code, "name": name, "length": length} | _fields(cause)


def _fields(value: Any) -> Document:
    return {
        field.name: _plain(getattr(value, field.name)) for field in fields(value) if field.name not in ("type", "code")
    }


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if hasattr(value, "code") and hasattr(value, "encode"):
        return cause_document(value)
    if hasattr(value, "type") and hasattr(value, "encode"):
        return parameter_document(value)
    return value
