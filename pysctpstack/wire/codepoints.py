"""The numbers of SCTP's registries (IANA "SCTP Parameters"): chunks, parameters, error causes, flags.

Plain ints, because the data path compares them: an attribute of an Enum costs a hundred nanoseconds.
"""

from __future__ import annotations

from typing import Final

# Chunk types: RFC 9260 section 3.2, table 1, and the extensions.
DATA: Final = 0
INIT: Final = 1
INIT_ACK: Final = 2
SACK: Final = 3
HEARTBEAT: Final = 4
HEARTBEAT_ACK: Final = 5
ABORT: Final = 6
SHUTDOWN: Final = 7
SHUTDOWN_ACK: Final = 8
ERROR: Final = 9
COOKIE_ECHO: Final = 10
COOKIE_ACK: Final = 11
ECNE: Final = 12
CWR: Final = 13
SHUTDOWN_COMPLETE: Final = 14
AUTH: Final = 15  # RFC 4895
I_DATA: Final = 64  # RFC 8260
ASCONF_ACK: Final = 128  # RFC 5061
RE_CONFIG: Final = 130  # RFC 6525
PAD: Final = 132  # RFC 4820
FORWARD_TSN: Final = 192  # RFC 3758
ASCONF: Final = 193  # RFC 5061
I_FORWARD_TSN: Final = 194  # RFC 8260

# Chunk flags: RFC 9260 section 3.3.1; T is of ABORT and SHUTDOWN COMPLETE (sections 3.3.7, 3.3.13).
DATA_FLAG_E: Final = 0x01
DATA_FLAG_B: Final = 0x02
DATA_FLAG_U: Final = 0x04
DATA_FLAG_I: Final = 0x08
FLAG_T: Final = 0x01

# Parameter types: RFC 9260 section 3.3 and the extensions.
PARAM_HEARTBEAT_INFO: Final = 1
PARAM_IPV4_ADDRESS: Final = 5
PARAM_IPV6_ADDRESS: Final = 6
PARAM_STATE_COOKIE: Final = 7
PARAM_UNRECOGNIZED: Final = 8
PARAM_COOKIE_PRESERVATIVE: Final = 9
PARAM_HOST_NAME: Final = 11
PARAM_SUPPORTED_ADDRESS_TYPES: Final = 12
PARAM_OUTGOING_SSN_RESET_REQUEST: Final = 13  # RFC 6525, up to 18
PARAM_INCOMING_SSN_RESET_REQUEST: Final = 14
PARAM_SSN_TSN_RESET_REQUEST: Final = 15
PARAM_RECONFIG_RESPONSE: Final = 16
PARAM_ADD_OUTGOING_STREAMS_REQUEST: Final = 17
PARAM_ADD_INCOMING_STREAMS_REQUEST: Final = 18
PARAM_ECN_CAPABLE: Final = 0x8000
PARAM_ZERO_CHECKSUM: Final = 0x8001  # RFC 9653
PARAM_RANDOM: Final = 0x8002  # RFC 4895
PARAM_CHUNKS: Final = 0x8003  # RFC 4895
PARAM_HMAC_ALGO: Final = 0x8004  # RFC 4895
PARAM_PADDING: Final = 0x8005  # RFC 4820
PARAM_SUPPORTED_EXTENSIONS: Final = 0x8008  # RFC 5061
PARAM_FORWARD_TSN_SUPPORTED: Final = 0xC000  # RFC 3758
PARAM_ADD_IP: Final = 0xC001  # RFC 5061, up to 0xC006
PARAM_DELETE_IP: Final = 0xC002
PARAM_ERROR_CAUSE_INDICATION: Final = 0xC003
PARAM_SET_PRIMARY: Final = 0xC004
PARAM_SUCCESS_INDICATION: Final = 0xC005
PARAM_ADAPTATION_LAYER_INDICATION: Final = 0xC006

# Error causes: RFC 9260 section 3.3.10, table 11, and the extensions.
CAUSE_INVALID_STREAM_IDENTIFIER: Final = 1
CAUSE_MISSING_MANDATORY_PARAMETER: Final = 2
CAUSE_STALE_COOKIE: Final = 3
CAUSE_OUT_OF_RESOURCE: Final = 4
CAUSE_UNRESOLVABLE_ADDRESS: Final = 5
CAUSE_UNRECOGNIZED_CHUNK: Final = 6
CAUSE_INVALID_MANDATORY_PARAMETER: Final = 7
CAUSE_UNRECOGNIZED_PARAMETERS: Final = 8
CAUSE_NO_USER_DATA: Final = 9
CAUSE_COOKIE_RECEIVED_WHILE_SHUTTING_DOWN: Final = 10
CAUSE_RESTART_WITH_NEW_ADDRESSES: Final = 11
CAUSE_USER_INITIATED_ABORT: Final = 12
CAUSE_PROTOCOL_VIOLATION: Final = 13
CAUSE_RESTART_NEW_ENCAPSULATION_PORT: Final = 14  # draft-tuexen-tsvwg-sctp-udp-encaps-cons section 4
CAUSE_DELETE_LAST_ADDRESS: Final = 0xA0  # RFC 5061 section 4.3, up to 0xA4
CAUSE_RESOURCE_SHORTAGE: Final = 0xA1
CAUSE_DELETE_SOURCE_ADDRESS: Final = 0xA2
CAUSE_ILLEGAL_ASCONF_ACK: Final = 0xA3
CAUSE_NO_AUTHORIZATION: Final = 0xA4
CAUSE_UNSUPPORTED_HMAC: Final = 0x0105  # RFC 4895 section 4.1

CHUNK_NAMES: Final[dict[int, str]] = {
    DATA: "DATA",
    INIT: "INIT",
    INIT_ACK: "INIT-ACK",
    SACK: "SACK",
    HEARTBEAT: "HEARTBEAT",
    HEARTBEAT_ACK: "HEARTBEAT-ACK",
    ABORT: "ABORT",
    SHUTDOWN: "SHUTDOWN",
    SHUTDOWN_ACK: "SHUTDOWN-ACK",
    ERROR: "ERROR",
    COOKIE_ECHO: "COOKIE-ECHO",
    COOKIE_ACK: "COOKIE-ACK",
    ECNE: "ECNE",
    CWR: "CWR",
    SHUTDOWN_COMPLETE: "SHUTDOWN-COMPLETE",
    AUTH: "AUTH",
    I_DATA: "I-DATA",
    ASCONF_ACK: "ASCONF-ACK",
    RE_CONFIG: "RE-CONFIG",
    PAD: "PAD",
    FORWARD_TSN: "FORWARD-TSN",
    ASCONF: "ASCONF",
    I_FORWARD_TSN: "I-FORWARD-TSN",
}

PARAMETER_NAMES: Final[dict[int, str]] = {
    PARAM_HEARTBEAT_INFO: "heartbeat-info",
    PARAM_IPV4_ADDRESS: "ipv4",
    PARAM_IPV6_ADDRESS: "ipv6",
    PARAM_STATE_COOKIE: "state-cookie",
    PARAM_UNRECOGNIZED: "unrecognized",
    PARAM_COOKIE_PRESERVATIVE: "cookie-preservative",
    PARAM_HOST_NAME: "host-name",
    PARAM_SUPPORTED_ADDRESS_TYPES: "supported-address-types",
    PARAM_OUTGOING_SSN_RESET_REQUEST: "outgoing-ssn-reset",
    PARAM_INCOMING_SSN_RESET_REQUEST: "incoming-ssn-reset",
    PARAM_SSN_TSN_RESET_REQUEST: "ssn-tsn-reset",
    PARAM_RECONFIG_RESPONSE: "reconfig-response",
    PARAM_ADD_OUTGOING_STREAMS_REQUEST: "add-outgoing-streams",
    PARAM_ADD_INCOMING_STREAMS_REQUEST: "add-incoming-streams",
    PARAM_ECN_CAPABLE: "ecn-capable",
    PARAM_ZERO_CHECKSUM: "zero-checksum",
    PARAM_RANDOM: "random",
    PARAM_CHUNKS: "chunks",
    PARAM_HMAC_ALGO: "hmac-algo",
    PARAM_PADDING: "padding",
    PARAM_SUPPORTED_EXTENSIONS: "supported-extensions",
    PARAM_FORWARD_TSN_SUPPORTED: "forward-tsn-supported",
    PARAM_ADD_IP: "add-ip",
    PARAM_DELETE_IP: "delete-ip",
    PARAM_ERROR_CAUSE_INDICATION: "error-cause-indication",
    PARAM_SET_PRIMARY: "set-primary",
    PARAM_SUCCESS_INDICATION: "success-indication",
    PARAM_ADAPTATION_LAYER_INDICATION: "adaptation-layer-indication",
}

CAUSE_NAMES: Final[dict[int, str]] = {
    CAUSE_INVALID_STREAM_IDENTIFIER: "invalid-stream-identifier",
    CAUSE_MISSING_MANDATORY_PARAMETER: "missing-mandatory-parameter",
    CAUSE_STALE_COOKIE: "stale-cookie",
    CAUSE_OUT_OF_RESOURCE: "out-of-resource",
    CAUSE_UNRESOLVABLE_ADDRESS: "unresolvable-address",
    CAUSE_UNRECOGNIZED_CHUNK: "unrecognized-chunk",
    CAUSE_INVALID_MANDATORY_PARAMETER: "invalid-mandatory-parameter",
    CAUSE_UNRECOGNIZED_PARAMETERS: "unrecognized-parameters",
    CAUSE_NO_USER_DATA: "no-user-data",
    CAUSE_COOKIE_RECEIVED_WHILE_SHUTTING_DOWN: "cookie-received-while-shutting-down",
    CAUSE_RESTART_WITH_NEW_ADDRESSES: "restart-with-new-addresses",
    CAUSE_USER_INITIATED_ABORT: "user-initiated-abort",
    CAUSE_PROTOCOL_VIOLATION: "protocol-violation",
    CAUSE_RESTART_NEW_ENCAPSULATION_PORT: "restart-with-new-encapsulation-port",
    CAUSE_DELETE_LAST_ADDRESS: "delete-last-address",
    CAUSE_RESOURCE_SHORTAGE: "resource-shortage",
    CAUSE_DELETE_SOURCE_ADDRESS: "delete-source-address",
    CAUSE_ILLEGAL_ASCONF_ACK: "illegal-asconf-ack",
    CAUSE_NO_AUTHORIZATION: "no-authorization",
    CAUSE_UNSUPPORTED_HMAC: "unsupported-hmac",
}


def chunk_stops(type: int) -> bool:  # noqa: A002
    """Whether an unknown chunk of this type ends the processing of its packet (RFC 9260 section 3.2)."""
    return not type & 0x80


def chunk_reported(type: int) -> bool:  # noqa: A002
    """Whether an unknown chunk of this type is reported in an ERROR chunk (RFC 9260 section 3.2)."""
    return bool(type & 0x40)


def parameter_stops(type: int) -> bool:  # noqa: A002
    """Whether an unknown parameter ends the processing of its chunk (RFC 9260 section 3.2.1)."""
    return not type & 0x8000


def parameter_reported(type: int) -> bool:  # noqa: A002
    """Whether an unknown parameter is reported to its sender (RFC 9260 section 3.2.1)."""
    return bool(type & 0x4000)
