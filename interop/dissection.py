"""This stack's decoder beside tshark's: every field that both have, packet by packet.

`differences` takes a capture and says where they disagree. A field of tshark's is a list, all chunks of the packet in
order; so is what is taken out of `pysctpstack.decode.document` here. Where tshark calls a packet malformed it stops in
the middle: then what it has must be the beginning of what we have.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any

from pysctpstack.decode import UDP_PORT, SctpPacket, document, packets

Document = dict[str, Any]
Pick = Callable[[Document], list[Any]]

_TEXT_STATUS = {"good": 1, "bad": 0, "zero": 0}


def _header(name: str) -> Pick:
    return lambda packet: [packet[name]]


def _chunks(*types: int) -> Callable[[str], Pick]:
    """Makes pickers of one value of each chunk of these types (of all, when none is given)."""

    def field(name: str) -> Pick:
        return lambda packet: [
            chunk[name] for chunk in packet["chunks"] if (not types or chunk["type"] in types) and name in chunk
        ]

    return field


def _lists(types: Collection[int], name: str, position: int | None = None) -> Pick:
    """Picks the items of a list in each chunk, or one part of each item."""
    return lambda packet: [
        item if position is None else item[position]
        for chunk in packet["chunks"]
        if chunk["type"] in types
        for item in chunk.get(name, ())
    ]


def _entries(key: str, name: str, *types: int) -> Pick:
    """Picks one value of each parameter or cause, or of those of some types."""
    code = "code" if key == "causes" else "type"
    return lambda packet: [
        entry[name]
        for chunk in packet["chunks"]
        for entry in chunk.get(key, ())
        if (not types or entry[code] in types) and name in entry
    ]


def _flat(key: str, name: str, *types: int) -> Pick:
    """Picks all numbers of a list in each parameter or cause."""
    pick = _entries(key, name, *types)
    return lambda packet: [value for values in pick(packet) for value in values]


_any, _data, _i_data = _chunks(), _chunks(0, 64), _chunks(64)
_init, _init_ack, _sack = _chunks(1), _chunks(2), _chunks(3)

#: tshark's name of each field, and where it is in our document.
FIELDS: dict[str, Pick] = {
    "sctp.srcport": _header("source_port"),
    "sctp.dstport": _header("destination_port"),
    "sctp.verification_tag": _header("verification_tag"),
    "sctp.checksum": _header("checksum"),
    "sctp.checksum.status": lambda packet: [_TEXT_STATUS[packet["checksum_status"]]],
    "sctp.chunk_type": _any("type"),
    "sctp.chunk_flags": _any("flags"),
    "sctp.chunk_length": _any("length"),
    "sctp.chunk_padding": lambda packet: [
        chunk["chunk_padding"] for chunk in packet["chunks"] if chunk["chunk_padding"]
    ],
    "sctp.data_tsn_raw": _data("tsn"),
    "sctp.data_sid": _data("stream_id"),
    "sctp.data_ssn": _chunks(0)("ssn"),
    "sctp.data_mid": _i_data("mid"),
    "sctp.data_payload_proto_id": lambda packet: [
        chunk["ppid"] for chunk in packet["chunks"] if chunk.get("ppid") is not None
    ],
    "sctp.data_i_bit": _data("immediate"),
    "sctp.data_u_bit": _data("unordered"),
    "sctp.data_b_bit": _data("beginning"),
    "sctp.data_e_bit": _data("ending"),
    "sctp.init_initiate_tag": _init("initiate_tag"),
    "sctp.init_credit": _init("a_rwnd"),
    "sctp.init_nr_out_streams": _init("outbound_streams"),
    "sctp.init_nr_in_streams": _init("inbound_streams"),
    "sctp.init_initial_tsn": _init("initial_tsn"),
    "sctp.initack_initiate_tag": _init_ack("initiate_tag"),
    "sctp.initack_credit": _init_ack("a_rwnd"),
    "sctp.initack_nr_out_streams": _init_ack("outbound_streams"),
    "sctp.initack_nr_in_streams": _init_ack("inbound_streams"),
    "sctp.initack_initial_tsn": _init_ack("initial_tsn"),
    "sctp.sack_cumulative_tsn_ack_raw": _sack("cumulative_tsn"),
    "sctp.sack_a_rwnd": _sack("a_rwnd"),
    "sctp.sack_number_of_gap_blocks": lambda packet: [
        len(chunk["gaps"]) for chunk in packet["chunks"] if chunk["type"] == 3 and "gaps" in chunk
    ],
    "sctp.sack_number_of_duplicated_tsns": lambda packet: [
        len(chunk["duplicates"]) for chunk in packet["chunks"] if chunk["type"] == 3 and "duplicates" in chunk
    ],
    "sctp.sack_gap_block_start": _lists((3,), "gaps", 0),
    "sctp.sack_gap_block_end": _lists((3,), "gaps", 1),
    "sctp.sack_duplicate_tsn": _lists((3,), "duplicates"),
    "sctp.shutdown_cumulative_tsn_ack": _chunks(7)("cumulative_tsn"),
    "sctp.cookie": _chunks(10)("cookie"),
    "sctp.abort_t_bit": _chunks(6)("reflected"),
    "sctp.shutdown_complete_t_bit": _chunks(14)("reflected"),
    "sctp.forward_tsn_tsn": _chunks(192)("new_cumulative_tsn"),
    "sctp.forward_tsn_sid": _lists((192,), "streams", 0),
    "sctp.forward_tsn_ssn": _lists((192,), "streams", 1),
    "sctp.asconf_seq_nr_number": _chunks(193)("sequence_number"),
    "sctp.asconf_ack_seq_nr_number": _chunks(128)("sequence_number"),
    "sctp.shared_key_id": _chunks(15)("key_id"),
    "sctp.hmac_id": lambda packet: [
        value
        for chunk in packet["chunks"]
        for value in (
            [chunk["hmac_id"]]
            if "hmac_id" in chunk
            else [item for entry in chunk.get("parameters", ()) for item in entry.get("identifiers", ())]
        )
    ],
    "sctp.hmac": _chunks(15)("hmac"),
    "sctp.parameter_type": lambda packet: [value for value, _ in _parameters(packet)],
    "sctp.parameter_length": lambda packet: [value for _, value in _parameters(packet)],
    "sctp.parameter_ipv4_address": lambda packet: _addresses(packet, 5),
    "sctp.parameter_ipv6_address": lambda packet: _addresses(packet, 6),
    "sctp.parameter_supported_address_type": _flat("parameters", "types", 12),
    "sctp.parameter_state_cookie": _entries("parameters", "cookie", 7),
    "sctp.adaptation_layer_indication": _entries("parameters", "code_point", 0xC006),
    "sctp.random_number": _entries("parameters", "number", 0x8002),
    "sctp.correlation_id": _entries("parameters", "correlation_id"),
    "sctp.parameter_heartbeat_information": _entries("parameters", "info", 1),
    "sctp.parameter_cookie_preservative_incr": _entries("parameters", "increment_ms", 9),
    "sctp.supported_chunk_type": _flat("parameters", "chunk_types", 0x8008),
    "sctp.chunk_type_to_auth": _flat("parameters", "chunk_types", 0x8003),
    "sctp.parameter_reconfig_request_sequence_number": _entries("parameters", "request_sn"),
    "sctp.parameter_reconfig_response_sequence_number": _entries("parameters", "response_sn"),
    "sctp.parameter_senders_last_assigned_tsn": _entries("parameters", "last_tsn", 13),
    "sctp.parameter_reconfig_response_result": _entries("parameters", "result", 16),
    "sctp.parameter_reconfig_sid": _flat("parameters", "streams", 13, 14),
    "sctp.parameter_add_outgoing_streams_number": _entries("parameters", "new_streams", 17),
    "sctp.parameter_add_incoming_streams_number": _entries("parameters", "new_streams", 18),
    "sctp.data_fsn": lambda packet: [
        chunk["fsn"] for chunk in packet["chunks"] if chunk.get("fsn") is not None and not chunk["beginning"]
    ],
    "sctp.i_forward_tsn_tsn": _chunks(194)("new_cumulative_tsn"),
    "sctp.i_forward_tsn_sid": _lists((194,), "streams", 0),
    "sctp.i_forward_tsn_u_bit": _lists((194,), "streams", 1),
    "sctp.forward_tsn_mid": _lists((194,), "streams", 2),
    "sctp.ecne_lowest_tsn": _chunks(12)("lowest_tsn"),
    "sctp.cwr_lowest_tsn": _chunks(13)("lowest_tsn"),
    "sctp.cause_stream_identifier": _entries("causes", "stream_id"),
    "sctp.cause_missing_parameter_type": _flat("causes", "types", 2),
    "sctp.cause_measure_of_staleness": _entries("causes", "staleness_us"),
    "sctp.cause_tsn": _entries("causes", "tsn", 9),
    "sctp.cause_code": _entries("causes", "code"),
    "sctp.cause_length": _entries("causes", "length"),
}

#: The parameter of an INIT ACK that holds one of the INIT's, which tshark looks into.
_UNRECOGNIZED = 8

#: Fields whose bytes tshark writes in hexadecimal.
_BYTES = frozenset(
    (
        "sctp.chunk_padding",
        "sctp.cookie",
        "sctp.parameter_heartbeat_information",
        "sctp.parameter_state_cookie",
        "sctp.hmac",
        "sctp.random_number",
        "sctp.parameter_ipv4_address",
        "sctp.parameter_ipv6_address",
    )
)


def _parameters(packet: Document) -> Iterator[tuple[int, int]]:
    """Type and length of every parameter in tshark's order: what is inside one comes after it."""
    for chunk in packet["chunks"]:
        entries = [chunk["address"]] if isinstance(chunk.get("address"), dict) else []
        for entry in [*entries, *chunk.get("parameters", ())]:
            yield entry["type"], entry["length"]
            if entry["type"] == _UNRECOGNIZED:
                inner = bytes.fromhex(entry["parameter"])
                yield int.from_bytes(inner[:2], "big"), int.from_bytes(inner[2:4], "big")
            if isinstance(entry.get("address"), dict):
                yield entry["address"]["type"], entry["address"]["length"]


def _addresses(packet: Document, type_: int) -> list[str]:
    found = []
    for chunk in packet["chunks"]:
        outer = [chunk["address"]] if isinstance(chunk.get("address"), dict) else []
        for entry in [*outer, *chunk.get("parameters", ())]:
            inner = entry["address"] if isinstance(entry.get("address"), dict) else entry
            if inner["type"] == type_ and "address" in inner:
                found.append(inner["address"])
    return found


def why_not() -> str | None:
    """Return the reason why nothing can be compared here, or None."""
    return None if shutil.which("tshark") else "tshark is not installed (Debian: tshark)"


def differences(capture: Path, udp_ports: Collection[int] = ()) -> list[str]:
    """One line for each field of each packet in which tshark and this stack's decoder differ."""
    ports = sorted({UDP_PORT, *udp_ports})
    theirs = dict(tshark(capture, ports))
    ours: dict[int, list[SctpPacket]] = {}
    for packet in packets(capture, ports):
        ours.setdefault(packet.number, []).append(packet)
    found = [f"packet {number}: only tshark decodes it" for number in sorted(set(theirs) - set(ours))]
    found += [f"packet {number}: only pysctpstack decodes it" for number in sorted(set(ours) - set(theirs))]
    for number in sorted(set(ours) & set(theirs)):
        if len(ours[number]) == 1:  # tshark does not know trains
            found += [f"packet {number}: {text}" for text in _compare(document(ours[number][0]), theirs[number])]
    return found


def _compare(packet: Document, row: dict[str, str]) -> Iterator[str]:
    if "chunks" not in packet:
        yield f"pysctpstack: {packet['error']}"
        return
    malformed = bool(row.pop("_ws.malformed"))
    failed = any("error" in chunk for chunk in packet["chunks"]) or "error" in packet
    for name, text in row.items():
        theirs = [part for part in text.split("|") if part]
        if name == "sctp.checksum.status" and packet["checksum_status"] == "unknown":
            continue
        mine = [_text(name, value) for value in FIELDS[name](packet)]
        them = [_text(name, _number(name, part)) for part in theirs]
        if malformed or failed:
            shorter = min(len(mine), len(them))
            mine, them = mine[:shorter], them[:shorter]
        if mine != them:
            yield f"{name}: tshark {them}, pysctpstack {mine}"


def _number(name: str, text: str) -> str | int:
    if name in _BYTES:
        return text.replace(":", "") if "address" not in name else text
    if text in ("True", "False"):
        return int(text == "True")
    return int(text, 0)


def _text(name: str, value: object) -> str:
    return str(value).lower() if name in _BYTES else str(int(value))  # type: ignore[call-overload]


def tshark(capture: Path, ports: Collection[int]) -> Iterator[tuple[int, dict[str, str]]]:
    """Frame numbers, and what tshark has for each of `FIELDS`; OSError when it fails."""
    names = [*FIELDS, "_ws.malformed"]
    command = ["tshark", "-n", "-r", str(capture), "-Y", "sctp && !icmp && !icmpv6"]
    for setting in ("checksum:CRC 32c", "reassembly:FALSE", "ulp_dissection:FALSE", "relative_tsns:FALSE"):
        command += ["-o", f"sctp.{setting}"]
    for port in ports:
        command += ["-d", f"udp.port=={port},sctp"]
    command += ["-T", "fields", "-E", "separator=/t", "-E", "occurrence=a", "-E", "aggregator=|", "-e", "frame.number"]
    for name in names:
        command += ["-e", name]
    result = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=60, check=False)
    if result.returncode:
        raise OSError(f"tshark: {result.stderr.strip()}")
    for line in result.stdout.splitlines():
        number, *values = line.split("\t")
        yield int(number), dict(zip(names, values + [""] * (len(names) - len(values)), strict=True))
