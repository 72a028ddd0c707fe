"""The structs of the sockets API without a C compiler: sizes, bytes, round trips, bad input, addresses."""

from __future__ import annotations

import copy
import pickle
import socket
import sys
from dataclasses import fields
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pysctpstack import constants, structs
from pysctpstack.structs import (
    NOTIFICATIONS,
    Address,
    AddStreams,
    AssocChange,
    AssocIds,
    AuthKey,
    CStruct,
    DefaultPrInfo,
    Event,
    EventSubscribe,
    GetAddrs,
    HmacAlgo,
    InitMsg,
    PaddrChange,
    PaddrInfo,
    PaddrParams,
    PdapiEvent,
    Prim,
    RcvInfo,
    RemoteError,
    ResetStreams,
    RtoInfo,
    SendFailed,
    SendFailedEvent,
    SendvSpa,
    ShutdownEvent,
    SndInfo,
    SndRcvInfo,
    Status,
    StreamResetEvent,
    pack_sockaddr,
    pack_sockaddr_list,
    parse_notification,
    unpack_sockaddr,
    unpack_sockaddr_list,
)

# Measured on 64-bit Linux.
SIZES = {
    "InitMsg": 8,
    "SndRcvInfo": 32,
    "SndInfo": 16,
    "RcvInfo": 28,
    "NxtInfo": 16,
    "PrInfo": 8,
    "AuthInfo": 2,
    "SendvSpa": 32,
    "RecvvRn": 44,
    "AssocChange": 20,
    "PaddrChange": 148,
    "RemoteError": 16,
    "SendFailed": 48,
    "SendFailedEvent": 32,
    "ShutdownEvent": 12,
    "AdaptationEvent": 16,
    "PdapiEvent": 24,
    "AuthkeyEvent": 20,
    "SenderDryEvent": 12,
    "StreamResetEvent": 12,
    "AssocResetEvent": 20,
    "StreamChangeEvent": 16,
    "EventSubscribe": 14,
    "Event": 8,
    "RtoInfo": 16,
    "AssocParams": 20,
    "Prim": 132,
    "SetPrim": 132,
    "SetPeerPrim": 132,
    "SetAdaptation": 4,
    "PaddrParams": 156,
    "HmacAlgo": 4,
    "AuthKeyId": 8,
    "SackInfo": 12,
    "AssocValue": 8,
    "DefaultPrInfo": 12,
    "PaddrInfo": 152,
    "Status": 176,
    "AuthChunk": 1,
    "AuthChunks": 8,
    "AuthKey": 8,
    "AssocIds": 4,
    "ResetStreams": 8,
    "AddStreams": 8,
    "UdpEncaps": 144,
    "PaddrThlds": 144,
    "PaddrThldsV2": 144,
    "PrStatus": 24,
    "StreamValue": 8,
    "ProbeInterval": 144,
    "AssocStats": 256,
    "GetAddrs": 8,
    "PeeloffArg": 8,
    "PeeloffFlagsArg": 12,
    "Tlv": 8,
}

STRUCTS: list[type[CStruct]] = [getattr(structs, name) for name in SIZES if name != "SetPrim"]
TAILED = [cls for cls in STRUCTS if cls.LAYOUT.tail is not None]
COUNTED = [cls for cls in TAILED if cls.LAYOUT.count_at is not None]

little_endian = pytest.mark.skipif(sys.byteorder != "little", reason="the bytes are written out little-endian")


def ipv6_text(address: Any) -> str:
    return str(address) if address.ipv4_mapped is None else f"::ffff:{address.ipv4_mapped}"


ports = st.integers(0, 0xFFFF)
addresses: st.SearchStrategy[Address] = st.one_of(
    st.tuples(st.ip_addresses(v=4).map(str), ports),
    st.tuples(st.ip_addresses(v=6).map(ipv6_text), ports, st.integers(0, 0xFFFFF), st.integers(0, 0xFFFFFFFF)),
)
NUMBERS = {
    "B": st.integers(0, 2**8 - 1),
    "H": st.integers(0, 2**16 - 1),
    "I": st.integers(0, 2**32 - 1),
    "Q": st.integers(0, 2**64 - 1),
    "i": st.integers(-(2**31), 2**31 - 1),
}
TAILS = {
    "HmacAlgo": st.lists(NUMBERS["H"]),
    "ResetStreams": st.lists(NUMBERS["H"]),
    "StreamResetEvent": st.lists(NUMBERS["H"]),
    "AssocIds": st.lists(NUMBERS["i"]),
    "GetAddrs": st.lists(addresses),
}


def instances(cls: type[CStruct]) -> st.SearchStrategy[Any]:
    """Any value of the struct, with lengths and counts left to ``pack()``."""
    layout = cls.LAYOUT
    values: dict[str, st.SearchStrategy[Any]] = {}
    for index, (name, member) in enumerate(zip(layout.names, layout.members, strict=True)):
        if index in (layout.total_at, layout.count_at):
            values[name] = st.just(0)
        elif member.conversion is None:
            values[name] = NUMBERS[member.code]
        elif member.name == "address":
            values[name] = st.none() | addresses
        else:
            values[name] = instances(getattr(structs, member.name))
    if layout.tail is not None:
        values[layout.tail_name] = TAILS.get(cls.__name__, st.binary(max_size=40))
    return st.builds(cls, **values)


# --- sizes and bytes ---


@pytest.mark.parametrize(("name", "size"), SIZES.items())
def test_size(name: str, size: int) -> None:
    cls = getattr(structs, name)
    assert size == cls.SIZE
    assert len(cls().pack()) == size


def test_the_table_of_sizes_has_every_struct() -> None:
    exported = [getattr(structs, name) for name in structs.__all__]
    classes = {value for value in exported if isinstance(value, type) and issubclass(value, CStruct)}
    assert classes == {CStruct, *STRUCTS}


@little_endian
def test_bytes_where_bsd_orders_the_members_otherwise() -> None:
    assert DefaultPrInfo(pr_assoc_id=1, pr_value=2, pr_policy=3).pack().hex() == "010000000200000003000000"
    pdapi = PdapiEvent(pdapi_assoc_id=1, pdapi_stream=2, pdapi_seq=3).pack()
    assert pdapi.hex() == "0680000018000000" + "00000000" + "010000000200000003000000"
    info = PaddrInfo(spinfo_assoc_id=7, spinfo_address=("192.0.2.1", 5000), spinfo_state=2).pack()
    assert info[:12].hex() == "07000000" + "02001388c0000201"
    assert info[132:136].hex() == "02000000"


@little_endian
def test_bytes_of_what_a_program_sends_most() -> None:
    sent = SndRcvInfo(sinfo_stream=1, sinfo_flags=0x0201, sinfo_ppid=0x2E000000, sinfo_assoc_id=-1)
    assert sent.pack().hex() == "01000000010200000000002e00000000" * 1 + "00" * 12 + "ffffffff"
    assert InitMsg(10, 65535, 4, 1000).pack().hex() == "0a00ffff0400e803"
    assert Event(0, constants.SCTP_ASSOC_CHANGE, se_on=True).pack().hex() == "0000000001800100"


def test_members_of_packed_structs_follow_without_gaps() -> None:
    params = PaddrParams(spp_pathmaxrxt=0xFFFF, spp_pathmtu=0xFFFFFFFF, spp_dscp=0xFF).pack()
    assert [at for at, byte in enumerate(params) if byte] == [136, 137, 138, 139, 140, 141, 154]


# --- round trips ---


@pytest.mark.parametrize("cls", STRUCTS)
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_round_trip(cls: type[CStruct], data: st.DataObject) -> None:
    original = data.draw(instances(cls))
    packed = original.pack()
    layout = cls.LAYOUT
    expected = copy.copy(original)
    if layout.total_at is not None:
        setattr(expected, layout.names[layout.total_at], len(packed))
    if layout.count_at is not None:
        setattr(expected, layout.names[layout.count_at], len(getattr(original, layout.tail_name)))
    assert cls.unpack(packed) == expected
    assert cls.unpack(bytearray(packed)).pack() == packed
    # What follows a struct in a buffer that is too large for it is not read.
    assert cls.unpack(memoryview(packed + b"\xff" * 7)) == expected


@pytest.mark.parametrize("cls", [cls for cls in STRUCTS if cls is not EventSubscribe])
def test_too_short_says_how_many_bytes_are_needed(cls: type[CStruct]) -> None:
    packed = cls().pack()
    with pytest.raises(ValueError, match=rf"{cls.__name__} needs {cls.SIZE} bytes, not {cls.SIZE - 1}"):
        cls.unpack(packed[:-1])


def test_structs_copy_and_pickle() -> None:
    status = Status(3, sstat_primary=PaddrInfo(spinfo_address=("192.0.2.1", 1)))
    assert pickle.loads(pickle.dumps(status)) == copy.deepcopy(status) == status
    twin = copy.deepcopy(status)
    twin.sstat_primary.spinfo_cwnd = 1
    assert twin != status
    assert Status().sstat_primary is not Status().sstat_primary
    with pytest.raises(AttributeError):
        status.sstat_stat = 1  # type: ignore[attr-defined]


def test_members_are_the_fields_in_order() -> None:
    for cls in STRUCTS:
        layout = cls.LAYOUT
        tail = (layout.tail_name,) if layout.tail is not None else ()
        assert tuple(field.name for field in fields(cls)) == layout.names + tail  # type: ignore[arg-type]


# --- older and shorter forms ---


@pytest.mark.parametrize("size", range(1, 15))
def test_shorter_event_subscribe_is_off_for_what_it_lacks(size: int) -> None:
    subscribed = EventSubscribe.unpack(b"\x01" * size)
    assert subscribed.pack() == (b"\x01" * size).ljust(14, b"\0")


def test_empty_event_subscribe_is_refused() -> None:
    with pytest.raises(ValueError, match="needs 14 bytes, not 0"):
        EventSubscribe.unpack(b"")


def test_paddrparams_of_older_headers() -> None:
    new = PaddrParams(5, ("192.0.2.1", 7), 1000, 3, 1400, 200, constants.SPP_HB_ENABLE, 0xFFFFF, 0xFC)
    old = new.pack()[:150] + b"\xab\xcd"  # 150 bytes of members, then padding that may hold anything
    assert PaddrParams.unpack(old) == PaddrParams(
        5, ("192.0.2.1", 7), 1000, 3, 1400, 200, constants.SPP_HB_ENABLE, 0, 0
    )
    for size in (150, 151, 153, 155):
        with pytest.raises(ValueError, match=f"needs 156 bytes, not {size}"):
            PaddrParams.unpack(new.pack()[:size])


# --- tails ---


@pytest.mark.parametrize(
    ("struct", "size"),
    [
        (AssocChange(sac_info=b"abcde"), 25),
        (RemoteError(sre_data=b"abc"), 19),
        (SendFailed(ssf_info=SndRcvInfo(1), ssf_data=b"message"), 55),
        (SendFailedEvent(ssfe_info=SndInfo(1), ssf_data=b"message"), 39),
        (StreamResetEvent(strreset_stream_list=[1, 2, 3]), 18),
        (ShutdownEvent(), 12),
        (PaddrChange(), 148),
    ],
)
def test_length_is_computed_when_left_0(struct: Any, size: int) -> None:
    packed = struct.pack()
    assert len(packed) == size
    assert int.from_bytes(packed[4:8], sys.byteorder) == size
    assert getattr(struct, struct.LAYOUT.names[2]) == 0  # pack() changes nothing
    assert parse_notification(packed + b"beyond").pack() == packed


def test_count_is_computed_when_left_0() -> None:
    assert AssocIds.unpack(AssocIds(gaids_assoc_id=[3, 4, 9]).pack()) == AssocIds(3, [3, 4, 9])
    assert ResetStreams.unpack(ResetStreams(3, 1, srs_stream_list=[7]).pack()) == ResetStreams(3, 1, 1, [7])
    assert AuthKey.unpack(AuthKey(3, 1, sca_key=b"secret").pack()) == AuthKey(3, 1, 6, b"secret")
    peers: list[Address] = [("192.0.2.1", 1), ("2001:db8::1", 1, 0, 0)]
    assert len(GetAddrs(3, addrs=peers).pack()) == 8 + 16 + 28
    assert GetAddrs.unpack(GetAddrs(3, addrs=peers).pack()) == GetAddrs(3, 2, peers)


def test_a_count_is_taken_at_its_word() -> None:
    assert HmacAlgo.unpack(HmacAlgo(1, [3, 1]).pack()) == HmacAlgo(1, [3])
    with pytest.raises(ValueError, match="HmacAlgo needs 10 bytes, not 8"):
        HmacAlgo.unpack(HmacAlgo(3, [3, 1]).pack())


@pytest.mark.parametrize("cls", COUNTED)
def test_a_count_beyond_the_bytes_is_refused(cls: type[CStruct]) -> None:
    greedy = cls()
    setattr(greedy, cls.LAYOUT.names[cls.LAYOUT.count_at or 0], 0xFFFF)
    with pytest.raises(ValueError, match="needs"):
        cls.unpack(greedy.pack())


def test_a_count_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="sca_keylength: 65536 is no unsigned 16-bit integer"):
        AuthKey(sca_key=bytes(65_536)).pack()


# --- bad values ---


@pytest.mark.parametrize(
    ("struct", "message"),
    [
        (
            InitMsg(sinit_max_attempts=65_536),
            "InitMsg.sinit_max_attempts: 65536 is no unsigned 16-bit integer",
        ),
        (RtoInfo(srto_max=-1), "RtoInfo.srto_max: -1 is no unsigned 32-bit integer"),
        (RtoInfo(srto_assoc_id=2**31), "RtoInfo.srto_assoc_id: 2147483648 is no signed 32-bit integer"),
        (AddStreams(sas_instrms=1.5), "AddStreams.sas_instrms: 1.5 is no unsigned 16-bit integer"),  # type: ignore[arg-type]
        (ResetStreams(srs_stream_list=[70_000]), "ResetStreams.srs_stream_list"),
        (SendvSpa(sendv_prinfo=3), "3 is no PrInfo"),  # type: ignore[arg-type]
        (Prim(ssp_addr=("peer.example", 1)), "'peer.example' is not a numeric IPv4 or IPv6 address"),
    ],
)
def test_values_that_do_not_fit_are_named(struct: CStruct, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        struct.pack()


def test_a_tail_of_bytes_takes_no_number() -> None:
    with pytest.raises(TypeError):
        AssocChange(sac_info=5).pack()  # type: ignore[arg-type]


def test_an_address_of_another_family_is_refused() -> None:
    with pytest.raises(ValueError, match="address family 1 is neither AF_INET nor AF_INET6"):
        Prim.unpack(bytes(4) + (1).to_bytes(2, sys.byteorder) + bytes(126))


# --- notifications ---


def test_every_type_of_notification_has_its_class() -> None:
    numbers = set(range(constants.SCTP_SN_TYPE_BASE + 1, constants.SCTP_SN_TYPE_MAX + 1))
    assert set(NOTIFICATIONS) == numbers
    for number, cls in NOTIFICATIONS.items():
        notification = parse_notification(cls().pack())
        assert type(notification) is cls
        assert getattr(notification, cls.LAYOUT.names[0]) == number


@pytest.mark.parametrize("sn_type", [0, 1, constants.SCTP_SN_TYPE_BASE, constants.SCTP_SN_TYPE_MAX + 1, 0xFFFF])
def test_unknown_notification(sn_type: int) -> None:
    with pytest.raises(ValueError, match=f"{sn_type:#06x} is unknown"):
        parse_notification(sn_type.to_bytes(2, sys.byteorder) + bytes(30))


def test_short_notification() -> None:
    packed = AssocChange(sac_info=b"abcde").pack()
    with pytest.raises(ValueError, match="at least 8 bytes, not 7"):
        parse_notification(packed[:7])
    with pytest.raises(ValueError, match="AssocChange needs 20 bytes, not 8"):
        parse_notification(packed[:8])
    with pytest.raises(ValueError, match="AssocChange needs 25 bytes, not 24"):
        parse_notification(packed[:24])


def test_length_that_cannot_be() -> None:
    with pytest.raises(ValueError, match="sac_length cannot be 19"):
        AssocChange.unpack(AssocChange(sac_length=19).pack())
    with pytest.raises(ValueError, match="strreset_length cannot be 13"):
        StreamResetEvent.unpack(StreamResetEvent(strreset_length=13).pack() + bytes(2))


@settings(max_examples=200, deadline=None)
@given(sn_type=st.sampled_from(sorted(NOTIFICATIONS)), rest=st.binary(max_size=200))
def test_any_bytes_parse_or_raise_value_error(sn_type: int, rest: bytes) -> None:
    data = sn_type.to_bytes(2, sys.byteorder) + rest
    try:
        notification = parse_notification(data)
    except ValueError:
        return
    assert type(notification) is NOTIFICATIONS[sn_type]
    assert len(notification.pack()) <= len(data)


# --- addresses ---


@little_endian
def test_bytes_of_addresses() -> None:
    v4 = pack_sockaddr(("192.0.2.1", 9899))
    assert v4.hex() == "020026abc0000201" + "00" * 8
    v6 = pack_sockaddr(("2001:db8::1", 9899, 0x12345, 3))
    assert v6.hex() == "0a0026ab0001234520010db800000000000000000000000103000000"


@given(addresses)
def test_addresses_round_trip(address: Address) -> None:
    packed = pack_sockaddr(address)
    assert len(packed) == (16 if len(address) == 2 else 28)
    assert unpack_sockaddr(packed) == address
    assert unpack_sockaddr(packed.ljust(128, b"\0")) == address


@given(st.lists(addresses, max_size=5))
def test_address_lists_round_trip(several: list[Address]) -> None:
    packed = pack_sockaddr_list(several)
    assert packed == b"".join(pack_sockaddr(address) for address in several)
    assert unpack_sockaddr_list(packed) == several
    assert unpack_sockaddr_list(packed + b"beyond", len(several)) == several
    with pytest.raises(ValueError, match="needs"):
        unpack_sockaddr_list(packed, len(several) + 1)


@pytest.mark.parametrize(
    ("given_as", "means"),
    [
        (("2001:db8::1", 1), ("2001:db8::1", 1, 0, 0)),
        (("2001:db8:0:0::1", 1, 5), ("2001:db8::1", 1, 5, 0)),
        (("fe80::1%3", 1), ("fe80::1", 1, 0, 3)),
        (("fe80::1%3", 1, 0, 3), ("fe80::1", 1, 0, 3)),
        (("fe80::1", 1, 0, 3), ("fe80::1", 1, 0, 3)),
        (("", 1), ("0.0.0.0", 1)),
        (("", 1, 0, 0), ("::", 1, 0, 0)),
        (("::ffff:192.0.2.1", 1), ("::ffff:192.0.2.1", 1, 0, 0)),
        (("::ffff:c000:201", 1), ("::ffff:192.0.2.1", 1, 0, 0)),
    ],
)
def test_ways_to_write_an_address(given_as: Any, means: Address) -> None:
    assert unpack_sockaddr(pack_sockaddr(given_as)) == means


@pytest.mark.parametrize(
    ("address", "message"),
    [
        (("localhost", 1), "not a numeric"),
        (("192.0.2.256", 1), "not a numeric"),
        (("192.0.2.1", 65_536), "port 65536"),
        (("192.0.2.1", -1), "port -1"),
        (("192.0.2.1", 1, 2, 0), "has no flowinfo"),
        (("192.0.2.1", 1, 0, 2), "has no flowinfo and no scope_id"),
        (("::1", 1, 0x100000, 0), "flowinfo 1048576"),
        (("::1", 1, 0, 2**32), "scope_id 4294967296"),
        (("fe80::1%eth0", 1), "the zone of fe80::1%eth0 is not a number"),
        (("fe80::1%4294967296", 1), "the zone of"),
        (("fe80::1%3", 1, 0, 4), "names zone 3, but scope_id is 4"),
    ],
)
def test_addresses_that_cannot_be(address: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        pack_sockaddr(address)


@pytest.mark.parametrize("address", ["::1", ("::1",), ("::1", 1, 0, 0, 0), (1, 1), ("::1", "1"), None])
def test_what_is_no_address(address: Any) -> None:
    with pytest.raises(TypeError, match="an address is"):
        pack_sockaddr(address)


def family(number: int) -> bytes:
    return number.to_bytes(2, sys.byteorder)


def test_bytes_that_are_no_address() -> None:
    assert unpack_sockaddr(bytes(128)) is None
    for data, message in [
        (b"", "needs 2 bytes for its family, not 0"),
        (family(2) + bytes(13), "family 2 needs 16 bytes, not 15"),
        (family(10) + bytes(25), "family 10 needs 28 bytes, not 27"),
        (family(17) + bytes(26), "address family 17 is neither"),
    ]:
        with pytest.raises(ValueError, match=message):
            unpack_sockaddr(data)
    with pytest.raises(ValueError, match="the address at byte 16 has no family"):
        unpack_sockaddr_list(pack_sockaddr(("192.0.2.1", 1)) + bytes(16))


def test_ipv6_is_read_by_linux_number_and_by_the_hosts_own() -> None:
    own = int(socket.AF_INET6)
    for number in (10, own):
        assert unpack_sockaddr(family(number) + bytes(26)) == ("::", 0, 0, 0)
    for number in {23, 24, 28, 30} - {own}:
        with pytest.raises(ValueError, match=f"address family {number} is neither"):
            unpack_sockaddr(family(number) + bytes(26))


def test_received_information_reads_the_same_wherever_it_lies() -> None:
    info = RcvInfo(1, 2, 3, 4, 5, 6, 7, 8)
    assert RcvInfo.unpack(memoryview(b"pad!" + info.pack())[4:]) == info
