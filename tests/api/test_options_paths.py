"""Options about single addresses of the peer (RFC 6458 sections 8.1.9, 8.1.12 and 8.2.2; RFCs 7829, 6951, 8899)."""

from __future__ import annotations

import errno
import socket
import sys
from typing import Any

import pytest
from loopback import Pair, Stacks, expect_errno, listening, notification, subscribe, until

from pysctpstack import SctpSocket, structs
from pysctpstack import constants as c

SCTP = c.IPPROTO_SCTP
HERE, THERE = "127.0.0.1", "127.0.0.2"
several = pytest.mark.skipif(sys.platform != "linux", reason="this system has 127.0.0.1 only")


def params(sock: SctpSocket, address: Any = None) -> structs.PaddrParams:
    got = sock.getsockopt(SCTP, c.SCTP_PEER_ADDR_PARAMS, structs.PaddrParams(spp_address=address))
    assert isinstance(got, structs.PaddrParams)
    return got


def set_params(sock: SctpSocket, address: Any = None, **fields: int) -> None:
    sock.setsockopt(SCTP, c.SCTP_PEER_ADDR_PARAMS, structs.PaddrParams(spp_address=address, **fields))


def two_paths(stacks: Stacks, **config: Any) -> tuple[SctpSocket, SctpSocket]:
    """A client, and what its server accepted, which has two addresses that are both confirmed."""
    server_stack = stacks(**config)
    server = server_stack.socket()
    server.sctp_bindx([(HERE, 0), (THERE, 0)])
    server.listen()
    client = stacks.towards(server_stack, rto_initial=0.1, rto_min=0.1, **config).socket()
    client.connect((HERE, server.getsockname()[1]))
    accepted, _ = server.accept()
    until(lambda: path_state(client, THERE) == c.SCTP_ACTIVE, "the second address to be confirmed")
    return client, accepted


def path_state(sock: SctpSocket, ip: str) -> int:
    address = (ip, sock.getpeername()[1])
    info = sock.getsockopt(SCTP, c.SCTP_GET_PEER_ADDR_INFO, structs.PaddrInfo(spinfo_address=address))
    return int(info.spinfo_state)


_ON = c.SPP_HB_ENABLE | c.SPP_PMTUD_ENABLE | c.SPP_SACKDELAY_ENABLE


@pytest.mark.parametrize("whose", ["to come", "association", "address"])
def test_peer_addr_params(pair: Pair, whose: str) -> None:
    sock = pair.client_stack.socket() if whose == "to come" else pair.client
    address = pair.client.getpeername() if whose == "address" else None
    found = params(sock, address)
    mtu = found.spp_pathmtu
    assert (found.spp_hbinterval, found.spp_pathmaxrxt, found.spp_sackdelay) == (15_000, 5, 200)
    assert found.spp_flags == _ON
    assert (mtu == 0) == (whose == "to come")
    # Each of them: what is set, and what then is there of interval, retransmissions, MTU, SACK delay and flags.
    for fields, expected in (
        ({"spp_hbinterval": 5_000, "spp_flags": c.SPP_HB_ENABLE}, (5_000, 5, mtu, 200, _ON)),
        # 0 leaves it, and without the flag everything does.
        ({"spp_hbinterval": 0, "spp_flags": c.SPP_HB_ENABLE}, (5_000, 5, mtu, 200, _ON)),
        ({"spp_hbinterval": 77}, (5_000, 5, mtu, 200, _ON)),
        ({"spp_flags": c.SPP_HB_DISABLE}, (5_000, 5, mtu, 200, _ON ^ c.SPP_HB)),
        ({"spp_flags": c.SPP_HB_ENABLE | c.SPP_HB_TIME_IS_ZERO}, (0, 5, mtu, 200, _ON)),
        ({"spp_pathmaxrxt": 3}, (0, 3, mtu, 200, _ON)),
        ({"spp_pathmtu": 1_400}, (0, 3, mtu, 200, _ON)),
        ({"spp_pathmtu": 1_400, "spp_flags": c.SPP_PMTUD_DISABLE}, (0, 3, 1_400, 200, _ON ^ c.SPP_PMTUD)),
        ({"spp_sackdelay": 100, "spp_flags": c.SPP_SACKDELAY_ENABLE}, (0, 3, 1_400, 100, _ON ^ c.SPP_PMTUD)),
        (
            {"spp_flags": c.SPP_SACKDELAY_DISABLE},
            (0, 3, 1_400, 100, _ON ^ c.SPP_PMTUD ^ c.SPP_SACKDELAY),
        ),
    ):
        set_params(sock, address, **fields)
        got = params(sock, address)
        assert (
            got.spp_hbinterval,
            got.spp_pathmaxrxt,
            got.spp_pathmtu,
            got.spp_sackdelay,
            got.spp_flags,
        ) == expected, fields


@pytest.mark.parametrize(
    "fields",
    [
        {"spp_flags": c.SPP_HB},
        {"spp_flags": c.SPP_PMTUD},
        {"spp_flags": c.SPP_SACKDELAY},
        {"spp_sackdelay": 501},
        {"spp_pathmtu": 511},
        {"spp_address": ("192.0.2.9", 1)},
    ],
)
def test_peer_addr_params_that_are_refused(pair: Pair, fields: dict[str, Any]) -> None:
    value = structs.PaddrParams(**fields)
    expect_errno(errno.EINVAL, pair.client.setsockopt, SCTP, c.SCTP_PEER_ADDR_PARAMS, value)
    demand = structs.PaddrParams(spp_flags=c.SPP_HB_DEMAND)
    expect_errno(errno.EINVAL, pair.client_stack.socket().setsockopt, SCTP, c.SCTP_PEER_ADDR_PARAMS, demand)


def test_a_fixed_mtu_is_that_of_associations_to_come(stacks: Stacks) -> None:
    server_stack = stacks()
    listener = listening(server_stack)
    sock = stacks.towards(server_stack).socket()
    set_params(sock, spp_pathmtu=1_000, spp_flags=c.SPP_PMTUD_DISABLE)
    sock.connect(listener.getsockname())
    status = sock.getsockopt(SCTP, c.SCTP_STATUS, structs.Status())
    assert status.sstat_primary.spinfo_mtu == 1_000
    # IPv4, UDP, the common header and the chunk's.
    assert status.sstat_fragmentation_point == 1_000 - 20 - 8 - 12 - 16


def test_a_heartbeat_on_demand_measures_the_path(pair: Pair) -> None:
    def statistics() -> Any:
        return next(iter(pair.client_stack.statistics().associations)).paths[0]

    client = pair.client
    set_params(client, client.getpeername(), spp_flags=c.SPP_HB_DISABLE)
    before = pair.server_stack.statistics().udp[pair.server_stack.udp_ports[0]].datagrams_received
    set_params(client, client.getpeername(), spp_flags=c.SPP_HB_DEMAND)
    until(
        lambda: pair.server_stack.statistics().udp[pair.server_stack.udp_ports[0]].datagrams_received > before,
        "the HEARTBEAT",
    )
    until(lambda: statistics().srtt is not None, "a round-trip time")


def test_thresholds(pair: Pair) -> None:
    client = pair.client
    for address in (None, client.getpeername()):
        client.setsockopt(SCTP, c.SCTP_PEER_ADDR_THLDS_V2, structs.PaddrThldsV2(0, address, 3, 1, 7))
        got = client.getsockopt(SCTP, c.SCTP_PEER_ADDR_THLDS_V2, structs.PaddrThldsV2(0, address))
        assert got == structs.PaddrThldsV2(0, address, 3, 1, 7)
        # 0 leaves spt_pathmaxrxt alone; the older form has no spt_pathcpthld.
        client.setsockopt(SCTP, c.SCTP_PEER_ADDR_THLDS, structs.PaddrThlds(0, address, 0, 0))
        got = client.getsockopt(SCTP, c.SCTP_PEER_ADDR_THLDS_V2, structs.PaddrThldsV2(0, address))
        assert got == structs.PaddrThldsV2(0, address, 3, 0, 7)
        bad = structs.PaddrThldsV2(0, address, 3, 8, 7)
        expect_errno(errno.EINVAL, client.setsockopt, SCTP, c.SCTP_PEER_ADDR_THLDS_V2, bad)
    unknown = structs.PaddrThlds(0, ("192.0.2.9", 1), 3, 1)
    expect_errno(errno.ENOENT, client.setsockopt, SCTP, c.SCTP_PEER_ADDR_THLDS, unknown)
    expect_errno(errno.ENOENT, client.getsockopt, SCTP, c.SCTP_PEER_ADDR_THLDS, unknown)


@pytest.mark.parametrize("whose", ["to come", "association", "address"])
def test_probe_interval(pair: Pair, whose: str) -> None:
    sock = pair.client_stack.socket() if whose == "to come" else pair.client
    address = pair.client.getpeername() if whose == "address" else None
    for value, expected in ((5_000, 5_000), (20_000, 20_000), (0, 0)):
        sock.setsockopt(SCTP, c.SCTP_PLPMTUD_PROBE_INTERVAL, structs.ProbeInterval(0, address, value))
        got = sock.getsockopt(SCTP, c.SCTP_PLPMTUD_PROBE_INTERVAL, structs.ProbeInterval(0, address))
        assert got.spi_interval == expected
    bad = structs.ProbeInterval(0, address, 4_999)
    expect_errno(errno.EINVAL, sock.setsockopt, SCTP, c.SCTP_PLPMTUD_PROBE_INTERVAL, bad)


def test_the_udp_port_of_an_address(pair: Pair) -> None:
    client = pair.client
    port = socket.htons(pair.server_stack.udp_ports[0])
    for address in (None, client.getpeername()):
        got = client.getsockopt(SCTP, c.SCTP_REMOTE_UDP_ENCAPS_PORT, structs.UdpEncaps(0, address))
        assert got == structs.UdpEncaps(0, address, port)
    unknown = structs.UdpEncaps(0, ("192.0.2.9", 1), port)
    expect_errno(errno.EINVAL, client.setsockopt, SCTP, c.SCTP_REMOTE_UDP_ENCAPS_PORT, unknown)
    expect_errno(errno.EINVAL, client.getsockopt, SCTP, c.SCTP_REMOTE_UDP_ENCAPS_PORT, unknown)


def test_peer_addr_info(pair: Pair) -> None:
    peer = pair.client.getpeername()
    info = pair.client.getsockopt(SCTP, c.SCTP_GET_PEER_ADDR_INFO, structs.PaddrInfo(spinfo_address=peer))
    assert info.spinfo_assoc_id == next(iter(pair.client.associations))
    assert (info.spinfo_address, info.spinfo_state) == (peer, c.SCTP_ACTIVE)
    assert info.spinfo_cwnd > 4_000
    assert info.spinfo_rto >= 1_000
    for unknown in (None, ("192.0.2.9", 1), (peer[0], 1)):
        asked = structs.PaddrInfo(spinfo_address=unknown)
        expect_errno(errno.EINVAL, pair.client.getsockopt, SCTP, c.SCTP_GET_PEER_ADDR_INFO, asked)


@several
def test_the_primary_address(stacks: Stacks) -> None:
    client, accepted = two_paths(stacks)
    port = client.getpeername()[1]
    subscribe(client, c.SCTP_PEER_ADDR_CHANGE)
    assert client.getsockopt(SCTP, c.SCTP_PRIMARY_ADDR, structs.Prim()).ssp_addr == (HERE, port)
    client.setsockopt(SCTP, c.SCTP_PRIMARY_ADDR, structs.Prim(0, (THERE, port)))
    assert client.getsockopt(SCTP, c.SCTP_PRIMARY_ADDR, structs.Prim()).ssp_addr == (THERE, port)
    status = client.getsockopt(SCTP, c.SCTP_STATUS, structs.Status())
    assert status.sstat_primary.spinfo_address == (THERE, port)
    told = notification(client)
    assert isinstance(told, structs.PaddrChange)
    assert (told.spc_aaddr, told.spc_state, told.spc_error) == ((THERE, port), c.SCTP_ADDR_MADE_PRIM, 0)
    client.send(b"that way")
    assert accepted.recv(100) == b"that way"
    for wrong in (None, (THERE, 1), ("192.0.2.9", port)):
        expect_errno(errno.EINVAL, client.setsockopt, SCTP, c.SCTP_PRIMARY_ADDR, structs.Prim(0, wrong))


@several
def test_an_address_is_confirmed_by_a_heartbeat(stacks: Stacks) -> None:
    server_stack = stacks()
    server = server_stack.socket()
    server.sctp_bindx([(HERE, 0), (THERE, 0)])
    server.listen()
    client = stacks.towards(server_stack, rto_initial=0.1, rto_min=0.1).socket()
    subscribe(client, c.SCTP_PEER_ADDR_CHANGE)
    port = server.getsockname()[1]
    client.connect((HERE, port))
    told = notification(client)
    assert isinstance(told, structs.PaddrChange)
    assert (told.spc_aaddr, told.spc_state) == ((THERE, port), c.SCTP_ADDR_CONFIRMED)
    assert told.spc_error == c.SCTP_HEARTBEAT_SUCCESS
