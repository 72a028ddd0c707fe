"""Options about the peer's addresses (RFC 6458 sections 8.1.9, 8.1.12, 8.2.2 and 8.3.1; RFCs 7829, 6951, 8899)."""

from __future__ import annotations

import errno
import socket
from typing import TYPE_CHECKING, Final

from pysctpstack import constants as c
from pysctpstack import structs
from pysctpstack.core import heartbeat, pmtud
from pysctpstack.core.path import Path, PathState
from pysctpstack.core.settings import Settings
from pysctpstack.core.tcb import Tcb
from pysctpstack.drivers.pump import clock
from pysctpstack.sockets.options import scope
from pysctpstack.sockets.options.scope import Table
from pysctpstack.sockets.preferences import EXPOSE_DISABLED
from pysctpstack.sockets.values import failure

if TYPE_CHECKING:
    from pysctpstack.sockets.base import BaseSocket

SCTP: Final = c.IPPROTO_SCTP
MAX_SACK_DELAY: Final = 500
"""Milliseconds (RFC 9260 section 6.2)."""
MIN_PATH_MTU: Final = 512
"""Bytes, Linux's bound of ``spp_pathmtu``."""
MIN_PROBE_INTERVAL: Final = 5_000
"""Milliseconds, Linux's bound of SCTP_PLPMTUD_PROBE_INTERVAL."""
NO_SWITCHOVER: Final = 0xFFFF
"""``spt_pathcpthld``: the primary path is never given up for good."""
_OLD_PADDR_PARAMS: Final = 152
"""Bytes of ``struct sctp_paddrparams`` before it had ``spp_ipv6_flowlabel``."""
_PATH_STATES: Final = {
    PathState.UNCONFIRMED: c.SCTP_UNCONFIRMED,
    PathState.ACTIVE: c.SCTP_ACTIVE,
    PathState.POTENTIALLY_FAILED: c.SCTP_PF,
    PathState.INACTIVE: c.SCTP_INACTIVE,
}


# --- state of an address (section 8.2.2) ---


def paddr_info(sock: BaseSocket, tcb: Tcb, path: Path) -> structs.PaddrInfo:
    return structs.PaddrInfo(
        tcb.association_id,
        sock.show(path.address, tcb.peer_port),
        _PATH_STATES[path.state],
        path.congestion.cwnd,
        round((path.rto.srtt or 0) * 1_000),
        round(path.rto.rto * 1_000),
        path.mtu & ~3,
    )


def _get_peer_addr_info(sock: BaseSocket, arg: bytes) -> bytes:
    info = scope.request(arg, structs.PaddrInfo)
    named = scope.peer_path(sock, info.spinfo_assoc_id, info.spinfo_address)
    if named is None:
        raise failure(errno.EINVAL)
    tcb, path = named
    expose = sock.preferences_of(tcb.association_id).expose_potentially_failed
    if path.state is PathState.POTENTIALLY_FAILED and expose == EXPOSE_DISABLED:
        raise failure(errno.EACCES)
    return paddr_info(sock, tcb, path).pack()


# --- the primary path (sections 8.1.9 and 8.3.1) ---


def _set_primary(sock: BaseSocket, value: bytes) -> None:
    prim = scope.exactly(value, structs.Prim)
    named = scope.peer_path(sock, prim.ssp_assoc_id, prim.ssp_addr)
    if named is None:
        raise failure(errno.EINVAL)
    tcb, path = named
    tcb.set_primary(path)
    tcb.shared.touched.add(tcb.association_id)
    sock.kick()


def _get_primary(sock: BaseSocket, arg: bytes) -> bytes:
    id_ = scope.request(arg, structs.Prim).ssp_assoc_id
    tcb = scope.existing(sock, id_)
    return structs.Prim(id_, sock.show(tcb.paths.primary.address, tcb.peer_port)).pack()


def _set_peer_primary(_sock: BaseSocket, _value: bytes) -> None:
    """The peer is asked with ASCONF (RFC 5061), which is not offered."""
    raise failure(errno.EPERM)


# --- SCTP_PEER_ADDR_PARAMS (section 8.1.12) ---


def _paddr_params(value: bytes) -> structs.PaddrParams:
    if len(value) not in (structs.PaddrParams.SIZE, _OLD_PADDR_PARAMS):
        raise failure(errno.EINVAL)
    params = scope.parsed(value, structs.PaddrParams)
    flags = params.spp_flags
    contradicts = any(flags & both == both for both in (c.SPP_HB, c.SPP_PMTUD, c.SPP_SACKDELAY))
    if (
        contradicts
        or params.spp_sackdelay > MAX_SACK_DELAY
        or 0 < params.spp_pathmtu < MIN_PATH_MTU
        or (len(value) == _OLD_PADDR_PARAMS and flags & (c.SPP_IPV6_FLOWLABEL | c.SPP_DSCP))
    ):
        raise failure(errno.EINVAL)
    return params


def _set_paddr_params(sock: BaseSocket, value: bytes) -> None:
    params = _paddr_params(value)
    named = scope.named_path(sock, params.spp_assoc_id, params.spp_address)
    about = scope.one(sock, params.spp_assoc_id)
    tcb = about.tcb
    demand = params.spp_flags & c.SPP_HB_DEMAND
    if demand and named is None and tcb is None:
        raise failure(errno.EINVAL)
    if named is not None:
        tcb, path = named
        _apply_to_path(tcb, path, params)
        if demand:
            sock.associations[tcb.association_id].heartbeat(path.address, clock())
        sock.kick()
        return
    _apply_to_settings(about.settings, params)
    if tcb is not None:
        for path in tcb.paths:
            _apply_to_path(tcb, path, params)
            if demand:
                sock.associations[tcb.association_id].heartbeat(path.address, clock())
        sock.kick()


def _heartbeat_interval(params: structs.PaddrParams) -> float | None:
    """Seconds; None: as it is."""
    if not params.spp_flags & c.SPP_HB_ENABLE:
        return None
    if params.spp_flags & c.SPP_HB_TIME_IS_ZERO:
        return 0.0
    return params.spp_hbinterval / 1_000 or None


def _apply_to_settings(settings: Settings, params: structs.PaddrParams) -> None:
    flags = params.spp_flags
    interval = _heartbeat_interval(params)
    if interval is not None:
        settings.heartbeat_interval = interval
    if flags & c.SPP_HB:
        settings.heartbeats = bool(flags & c.SPP_HB_ENABLE)
    if flags & c.SPP_PMTUD:
        settings.discovers_mtu = bool(flags & c.SPP_PMTUD_ENABLE)
    if flags & c.SPP_PMTUD_DISABLE and params.spp_pathmtu:
        settings.path_mtu = params.spp_pathmtu
    if flags & c.SPP_SACKDELAY_ENABLE and params.spp_sackdelay:
        settings.sack_delay = params.spp_sackdelay / 1_000
    if flags & c.SPP_SACKDELAY:
        settings.delays_sacks = bool(flags & c.SPP_SACKDELAY_ENABLE)
    if params.spp_pathmaxrxt:
        settings.path_max_retrans = params.spp_pathmaxrxt


def _apply_to_path(tcb: Tcb, path: Path, params: structs.PaddrParams) -> None:
    flags = params.spp_flags
    now = clock()
    interval = _heartbeat_interval(params)
    if interval is not None:
        path.heartbeat_interval = interval
    if flags & c.SPP_HB:
        path.heartbeats = bool(flags & c.SPP_HB_ENABLE)
        if tcb.state in heartbeat.SENDING_STATES:
            heartbeat.schedule(tcb, path, now)
    if flags & c.SPP_PMTUD:
        _discover_mtu(tcb, path, bool(flags & c.SPP_PMTUD_ENABLE), now)
    if flags & c.SPP_PMTUD_DISABLE and params.spp_pathmtu:
        tcb.set_path_mtu(path, params.spp_pathmtu)
    if flags & c.SPP_SACKDELAY_ENABLE and params.spp_sackdelay:
        path.sack_delay = params.spp_sackdelay / 1_000
    if flags & c.SPP_SACKDELAY:
        path.delays_sacks = bool(flags & c.SPP_SACKDELAY_ENABLE)
    if flags & c.SPP_SACKDELAY and path is tcb.sack_path:
        # One timer for the association: what the address that DATA comes from has.
        tcb.receiver.sack_delay = path.sack_delay if path.delays_sacks else 0.0
        tcb.receiver.ack.frequency = tcb.settings.sack_frequency if path.delays_sacks else 1
    if params.spp_pathmaxrxt:
        path.path_max_retrans = params.spp_pathmaxrxt
    tcb.shared.touched.add(tcb.association_id)


def _discover_mtu(tcb: Tcb, path: Path, wanted: bool, now: float) -> None:
    was_fixed = not path.discovers_mtu
    path.discovers_mtu = wanted
    pmtud.set_enabled(tcb, path, wanted and tcb.settings.plpmtud, now)
    if wanted and was_fixed and not path.search.enabled:
        tcb.set_path_mtu(path, tcb.shared.route_table.path_mtu(path.route))


def _get_paddr_params(sock: BaseSocket, arg: bytes) -> bytes:
    if len(arg) < _OLD_PADDR_PARAMS:
        raise failure(errno.EINVAL)
    size = structs.PaddrParams.SIZE if len(arg) >= structs.PaddrParams.SIZE else _OLD_PADDR_PARAMS
    asked = scope.parsed(arg[:size], structs.PaddrParams)
    named = scope.named_path(sock, asked.spp_assoc_id, asked.spp_address)
    about = scope.one(sock, asked.spp_assoc_id)
    settings, tcb = about.settings, about.tcb
    source: Path | Settings = settings if named is None else named[1]
    if isinstance(source, Path):
        mtu = source.mtu & ~3
    else:
        # Of an association: what all of its paths take.
        mtu = min(path.mtu for path in tcb.paths) & ~3 if tcb else settings.path_mtu
    asked.spp_hbinterval = round(source.heartbeat_interval * 1_000)
    asked.spp_pathmaxrxt = source.path_max_retrans
    asked.spp_pathmtu = mtu
    asked.spp_sackdelay = round(source.sack_delay * 1_000)
    asked.spp_flags = (
        (c.SPP_HB_ENABLE if source.heartbeats else c.SPP_HB_DISABLE)
        | (c.SPP_PMTUD_ENABLE if source.discovers_mtu else c.SPP_PMTUD_DISABLE)
        | (c.SPP_SACKDELAY_ENABLE if source.delays_sacks else c.SPP_SACKDELAY_DISABLE)
    )
    asked.spp_ipv6_flowlabel = asked.spp_dscp = 0
    return asked.pack()[:size]


# --- thresholds (RFC 7829 section 7.2) ---


def _apply_thresholds(target: Path | Settings, wanted: structs.PaddrThlds | structs.PaddrThldsV2) -> None:
    if wanted.spt_pathmaxrxt:
        target.path_max_retrans = wanted.spt_pathmaxrxt
    target.potentially_failed_max_retrans = wanted.spt_pathpfthld
    if isinstance(wanted, structs.PaddrThldsV2):
        target.primary_switchover_max_retrans = wanted.spt_pathcpthld


def _set_thresholds(
    sock: BaseSocket, value: bytes, type_: type[structs.PaddrThlds] | type[structs.PaddrThldsV2]
) -> None:
    wanted = scope.at_least(value, type_)
    if isinstance(wanted, structs.PaddrThldsV2) and wanted.spt_pathpfthld > wanted.spt_pathcpthld:
        raise failure(errno.EINVAL)
    named = scope.named_path(sock, wanted.spt_assoc_id, wanted.spt_address, errno.ENOENT)
    if named is not None:
        _apply_thresholds(named[1], wanted)
        return
    about = scope.one(sock, wanted.spt_assoc_id)
    for target in (about.settings, *(about.tcb.paths if about.tcb else ())):
        _apply_thresholds(target, wanted)


def _get_thresholds(
    sock: BaseSocket, arg: bytes, type_: type[structs.PaddrThlds] | type[structs.PaddrThldsV2]
) -> bytes:
    asked = scope.request(arg, type_)
    named = scope.named_path(sock, asked.spt_assoc_id, asked.spt_address, errno.ENOENT)
    source: Path | Settings = scope.one(sock, asked.spt_assoc_id).settings if named is None else named[1]
    asked.spt_pathmaxrxt = source.path_max_retrans
    asked.spt_pathpfthld = source.potentially_failed_max_retrans
    # Linux writes the last member in the short form too, in what is padding there.
    full = structs.PaddrThldsV2(
        asked.spt_assoc_id,
        asked.spt_address,
        asked.spt_pathmaxrxt,
        asked.spt_pathpfthld,
        source.primary_switchover_max_retrans,
    )
    return full.pack()


# --- UDP ports (RFC 6951 section 6.1) and the search for the path MTU (RFC 8899) ---


def _set_encaps_port(sock: BaseSocket, value: bytes) -> None:
    encaps = scope.exactly(value, structs.UdpEncaps)
    port = socket.ntohs(encaps.sue_port)
    named = scope.named_path(sock, encaps.sue_assoc_id, encaps.sue_address)
    if named is not None:
        named[1].route = named[1].route._replace(port=port)
        return
    tcb = scope.one(sock, encaps.sue_assoc_id).tcb
    if tcb is None:
        sock.remote_udp_port = port
        return
    for path in tcb.paths:
        path.route = path.route._replace(port=port)


def _get_encaps_port(sock: BaseSocket, arg: bytes) -> bytes:
    asked = scope.request(arg, structs.UdpEncaps)
    named = scope.named_path(sock, asked.sue_assoc_id, asked.sue_address)
    tcb = None if named is not None else scope.one(sock, asked.sue_assoc_id).tcb
    path = named[1] if named is not None else tcb.paths.primary if tcb is not None else None
    asked.sue_port = socket.htons(path.route.port if path is not None else sock.remote_udp_port)
    return asked.pack()


def _set_probe_interval(sock: BaseSocket, value: bytes) -> None:
    wanted = scope.exactly(value, structs.ProbeInterval)
    if 0 < wanted.spi_interval < MIN_PROBE_INTERVAL:
        raise failure(errno.EINVAL)
    named = scope.named_path(sock, wanted.spi_assoc_id, wanted.spi_address)
    if named is not None:
        _probe(named[0], named[1], wanted.spi_interval)
        sock.kick()
        return
    about = scope.one(sock, wanted.spi_assoc_id)
    settings, tcb = about.settings, about.tcb
    settings.plpmtud = wanted.spi_interval > 0
    settings.plpmtud_probe_interval = wanted.spi_interval / 1_000 or settings.plpmtud_probe_interval
    if tcb is not None:
        for path in tcb.paths:
            _probe(tcb, path, wanted.spi_interval)
        sock.kick()


def _probe(tcb: Tcb, path: Path, interval: int) -> None:
    if interval:
        # One interval for all the paths.
        tcb.settings.plpmtud_probe_interval = interval / 1_000
    pmtud.set_enabled(tcb, path, interval > 0 and path.discovers_mtu, clock())
    tcb.shared.touched.add(tcb.association_id)


def _get_probe_interval(sock: BaseSocket, arg: bytes) -> bytes:
    asked = scope.request(arg, structs.ProbeInterval)
    named = scope.named_path(sock, asked.spi_assoc_id, asked.spi_address)
    if named is not None:
        settings, probes = named[0].settings, named[1].search.enabled
    else:
        settings = scope.one(sock, asked.spi_assoc_id).settings
        probes = settings.plpmtud
    asked.spi_interval = round(settings.plpmtud_probe_interval * 1_000) if probes else 0
    return asked.pack()


OPTIONS: Final[Table] = {
    (SCTP, c.SCTP_GET_PEER_ADDR_INFO): (_get_peer_addr_info, None),
    (SCTP, c.SCTP_PRIMARY_ADDR): (_get_primary, _set_primary),
    (SCTP, c.SCTP_SET_PEER_PRIMARY_ADDR): (None, _set_peer_primary),
    (SCTP, c.SCTP_PEER_ADDR_PARAMS): (_get_paddr_params, _set_paddr_params),
    (SCTP, c.SCTP_PEER_ADDR_THLDS): (
        lambda sock, arg: _get_thresholds(sock, arg, structs.PaddrThlds),
        lambda sock, value: _set_thresholds(sock, value, structs.PaddrThlds),
    ),
    (SCTP, c.SCTP_PEER_ADDR_THLDS_V2): (
        lambda sock, arg: _get_thresholds(sock, arg, structs.PaddrThldsV2),
        lambda sock, value: _set_thresholds(sock, value, structs.PaddrThldsV2),
    ),
    (SCTP, c.SCTP_REMOTE_UDP_ENCAPS_PORT): (_get_encaps_port, _set_encaps_port),
    (SCTP, c.SCTP_PLPMTUD_PROBE_INTERVAL): (_get_probe_interval, _set_probe_interval),
}
