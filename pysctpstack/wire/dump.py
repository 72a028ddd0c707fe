"""One line of text for one packet: for traces, for the reasons of failing tests. Never raises.

``5001>5002 tag=0x1234abcd SACK[cum=7 a_rwnd=131072 gaps=2-3,5-5 dups=] DATA[tsn=8 sid=0 ssn=3 ppid=46 BE
len=100]``. Chunks that do not decode say why: ``INIT[bad_chunk_length]``; so do packets: ``!checksum`` and
``!partial`` at the end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from pysctpstack.errors import PacketError
from pysctpstack.wire import chunks as c
from pysctpstack.wire import codepoints as cp
from pysctpstack.wire import extension_chunks as e
from pysctpstack.wire import params as p
from pysctpstack.wire.causes import Cause, UnknownCause
from pysctpstack.wire.packet import checksum_ok, decode_header, split


def dump(datagram: bytes) -> str:
    """The packet in one line, as in the module's description."""
    try:
        source_port, destination_port, verification_tag, _ = decode_header(datagram)
        bounds, complete = split(datagram)
    except PacketError as error:
        return f"[{error.reason} {len(datagram)} bytes]"
    words = [f"{source_port}>{destination_port} tag={verification_tag:#010x}"]
    words += [_chunk(type_, flags, datagram[start:end]) for type_, flags, start, end in bounds]
    if not complete:
        words.append("!partial")
    if not checksum_ok(datagram):
        words.append("!checksum")
    return " ".join(words)


def _chunk(type_: int, flags: int, value: bytes) -> str:
    name = cp.CHUNK_NAMES.get(type_, f"CHUNK-{type_}")
    try:
        chunk = c.decode_chunk(type_, flags, value)
    except PacketError as error:
        return f"{name}[{error.reason}]"
    return f"{name}[{_FIELDS[chunk.__class__](chunk)}]"


def _data_flags(flags: int) -> str:
    return "".join(
        letter
        for letter, bit in (
            ("I", cp.DATA_FLAG_I),
            ("U", cp.DATA_FLAG_U),
            ("B", cp.DATA_FLAG_B),
            ("E", cp.DATA_FLAG_E),
        )
        if flags & bit
    )


def _words(*words: str) -> str:
    return " ".join(word for word in words if word)


def _comma(items: Iterable[object]) -> str:
    return ",".join(map(str, items))


def _data(chunk: c.Data) -> str:
    return _words(
        f"tsn={chunk.tsn} sid={chunk.stream_id} ssn={chunk.ssn} ppid={chunk.ppid}",
        _data_flags(chunk.flags),
        f"len={len(chunk.payload)}",
    )


def _i_data(chunk: e.IData) -> str:
    return _words(
        f"tsn={chunk.tsn} sid={chunk.stream_id} mid={chunk.mid}",
        f"fsn={chunk.fsn}" if chunk.ppid is None else f"ppid={chunk.ppid}",
        _data_flags(chunk.flags),
        f"len={len(chunk.payload)}",
    )


def _init(chunk: c.Init | c.InitAck) -> str:
    return _words(
        f"tag={chunk.initiate_tag:#010x} a_rwnd={chunk.a_rwnd} os={chunk.outbound_streams}",
        f"is={chunk.inbound_streams} tsn={chunk.initial_tsn}",
        _parameters(chunk.parameters),
    )


def _sack(chunk: c.Sack) -> str:
    gaps = _comma(f"{start}-{end}" for start, end in chunk.gaps)
    return f"cum={chunk.cumulative_tsn} a_rwnd={chunk.a_rwnd} gaps={gaps} dups={_comma(chunk.duplicates)}"


def _parameters(parameters: Sequence[p.Parameter]) -> str:
    return " ".join(map(_parameter, parameters))


def _parameter(parameter: p.Parameter) -> str:
    name = cp.PARAMETER_NAMES.get(parameter.type, f"parameter-{parameter.type:#06x}")
    if isinstance(parameter, p.Ipv4Address | p.Ipv6Address):
        return f"{name}={parameter.address}"
    if isinstance(parameter, p.AddIpAddress | p.DeleteIpAddress | p.SetPrimaryAddress):
        return f"{name}({_parameter(parameter.address)})"
    if isinstance(parameter, p.SupportedExtensions | p.ChunkList):
        return f"{name}={_comma(cp.CHUNK_NAMES.get(type_, type_) for type_ in parameter.chunk_types)}"
    if isinstance(parameter, p.ErrorCauseIndication):
        return f"{name}({_causes(parameter.causes)})"
    if isinstance(parameter, p.ReconfigResponse):
        return f"{name}={parameter.result}"
    if isinstance(parameter, p.OutgoingSsnResetRequest | p.IncomingSsnResetRequest):
        return f"{name}={_comma(parameter.streams) or 'all'}"
    if isinstance(parameter, p.AddOutgoingStreamsRequest | p.AddIncomingStreamsRequest):
        return f"{name}={parameter.new_streams}"
    return name


def _causes(causes: Sequence[Cause]) -> str:
    return " ".join(
        f"cause-{cause.code}" if isinstance(cause, UnknownCause) else cp.CAUSE_NAMES[cause.code] for cause in causes
    )


def _reflected(chunk: c.Abort | c.ShutdownComplete) -> str:
    return "T" if chunk.reflected else ""


def _nothing(_chunk: c.Chunk) -> str:
    return ""


#: How the fields of each chunk are written; `decode_chunk` gives no class that is not here.
_FIELDS: dict[type, Callable[[Any], str]] = {
    c.Data: _data,
    c.Init: _init,
    c.InitAck: _init,
    c.Sack: _sack,
    c.Heartbeat: lambda chunk: f"info={len(chunk.info)}",
    c.HeartbeatAck: lambda chunk: f"info={len(chunk.info)}",
    c.Abort: lambda chunk: _words(_reflected(chunk), _causes(chunk.causes)),
    c.Shutdown: lambda chunk: f"cum={chunk.cumulative_tsn}",
    c.ShutdownAck: _nothing,
    c.Error: lambda chunk: _causes(chunk.causes),
    c.CookieEcho: lambda chunk: f"cookie={len(chunk.cookie)}",
    c.CookieAck: _nothing,
    c.Ecne: lambda chunk: f"tsn={chunk.lowest_tsn}",
    c.Cwr: lambda chunk: f"tsn={chunk.lowest_tsn}",
    c.ShutdownComplete: _reflected,
    e.Auth: lambda chunk: f"key={chunk.key_id} hmac={chunk.hmac_id} len={len(chunk.hmac)}",
    e.Asconf: lambda chunk: _words(
        f"seq={chunk.sequence_number}", _parameter(chunk.address), _parameters(chunk.parameters)
    ),
    e.AsconfAck: lambda chunk: _words(f"seq={chunk.sequence_number}", _parameters(chunk.parameters)),
    e.ReConfig: lambda chunk: _parameters(chunk.parameters),
    e.Pad: lambda chunk: f"len={len(chunk.padding)}",
    e.ForwardTsn: lambda chunk: (
        f"cum={chunk.new_cumulative_tsn} streams={_comma(f'{sid}:{ssn}' for sid, ssn in chunk.streams)}"
    ),
    e.IForwardTsn: lambda chunk: (
        f"cum={chunk.new_cumulative_tsn} streams="
        + _comma(f"{sid}:{'U' if unordered else ''}{mid}" for sid, unordered, mid in chunk.streams)
    ),
    e.IData: _i_data,
    c.UnknownChunk: lambda chunk: f"flags={chunk.flags:#04x} len={len(chunk.value)}",
}
