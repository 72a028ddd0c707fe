"""Numbers of the sockets API that need no C compiler; tests/unit/test_abi.py compares them all with one."""

from __future__ import annotations

import subprocess
import sys

import pytest

from pysctpstack import constants, socket, structs

# Those that BSD numbers otherwise, and the ends of each run of numbers.
LINUX = {
    "IPPROTO_SCTP": 132,
    "MSG_NOTIFICATION": 0x8000,
    "SCTP_FUTURE_ASSOC": 0,
    "SCTP_ALL_ASSOC": 2,
    "SCTP_RTOINFO": 0,
    "SCTP_INITMSG": 2,
    "SCTP_NODELAY": 3,
    "SCTP_STATUS": 14,
    "SCTP_DELAYED_SACK": 16,
    "SCTP_AUTO_ASCONF": 30,
    "SCTP_PEER_ADDR_THLDS_V2": 37,
    "SCTP_SOCKOPT_CONNECTX3": 111,
    "SCTP_ADD_STREAMS": 121,
    "SCTP_REMOTE_UDP_ENCAPS_PORT": 132,
    "SCTP_INIT": 0,
    "SCTP_DSTADDRV6": 8,
    "SCTP_UNORDERED": 1,
    "SCTP_ABORT": 4,
    "SCTP_EOF": 0x200,
    "SCTP_PR_SCTP_PRIO": 0x30,
    "SCTP_ASSOC_CHANGE": 0x8001,
    "SCTP_SEND_FAILED_EVENT": 0x800D,
    "SCTP_CANT_STR_ASSOC": 4,
    "SCTP_ADDR_POTENTIALLY_FAILED": 6,
    "SCTP_ESTABLISHED": 4,
    "SCTP_SHUTDOWN_ACK_SENT": 8,
    "SCTP_UNCONFIRMED": 3,
    "SCTP_SS_PRIO": 1,
    "SCTP_SS_RR": 2,
    "SPP_DSCP": 0x200,
}


@pytest.mark.parametrize(("name", "value"), LINUX.items())
def test_linux_number(name: str, value: int) -> None:
    assert getattr(constants, name) == value


def test_all_lists_every_constant_once() -> None:
    defined = [name for name in vars(constants) if name.isupper() and not name.startswith("_")]
    assert sorted(constants.__all__) == sorted(defined)
    assert all(type(getattr(constants, name)) is int for name in constants.__all__)


def test_flags_of_a_message_share_no_bit() -> None:
    flags = [
        constants.SCTP_UNORDERED,
        constants.SCTP_ADDR_OVER,
        constants.SCTP_ABORT,
        constants.SCTP_SACK_IMMEDIATELY,
        constants.SCTP_PR_SCTP_MASK,
        constants.SCTP_SENDALL,
        constants.SCTP_PR_SCTP_ALL,
        constants.SCTP_EOF,
        constants.SCTP_NOTIFICATION,
    ]
    assert sum(flags) == 0x82FF
    assert all(a & b == 0 for i, a in enumerate(flags) for b in flags[:i])


def test_the_facade_has_every_constant_and_struct() -> None:
    # MSG_EOR is the host's own, as in the flags that recvmsg() returns.
    for name in set(constants.__all__) - {"MSG_EOR"}:
        assert getattr(socket, name) == getattr(constants, name), name
    for name in structs.__all__:
        assert getattr(socket, name) is getattr(structs, name), name


def test_the_facade_has_linux_numbers_where_the_host_has_others() -> None:
    # FreeBSD's module has this name, with this number.
    program = "import _socket; _socket.MSG_NOTIFICATION = 0x2000\nfrom pysctpstack import socket; "
    program += "print(int(socket._std.MSG_NOTIFICATION), socket.MSG_NOTIFICATION)"
    done = subprocess.run([sys.executable, "-c", program], text=True, capture_output=True, timeout=60, check=True)
    assert done.stdout.split() == [str(0x2000), str(0x8000)]
