"""docs/sockets-api.md lists every item of the sockets API, and what it says of this stack is what the code says."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

from pysctpstack import constants, structs
from pysctpstack.sockets.options import OPTIONS

TOOL = Path(__file__).resolve().parents[2] / "tools" / "sockets_api.py"

# Constants that are no items of their own: other names of an item, numbers of the protocol, ends of ranges.
NO_ITEMS = {
    "another name": "IPPROTO_SCTP SOL_SCTP SCTP_DELAYED_ACK SCTP_DELAYED_ACK_TIME SCTP_EXPOSE_PF_STATE SCTP_ADDR_PF "
    "SCTP_PF SCTP_AUTHENTICATION_INDICATION SCTP_AUTH_NEWKEY SCTP_STREAM_CHANGE_DENIED SCTP_STREAM_CHANGE_FAILED "
    "SCTP_SS_DEFAULT",
    "a mask or the end of a range": "SCTP_PR_SCTP_MASK SCTP_PR_SCTP_MAX SCTP_SN_TYPE_BASE SCTP_SN_TYPE_MAX "
    "SCTP_DATA_IO_EVENT SCTP_ENABLE_STRRESET_MASK SPP_HB SPP_PMTUD SPP_SACKDELAY",
    "Linux's own value within an item": "SCTP_PR_SCTP_ALL SCTP_EMPTY SCTP_UNKNOWN SCTP_FAILED_THRESHOLD "
    "SCTP_RECEIVED_SACK SCTP_HEARTBEAT_SUCCESS SCTP_RESPONSE_TO_USER_REQ SCTP_INTERNAL_ERROR "
    "SCTP_SHUTDOWN_GUARD_EXPIRES SCTP_PEER_FAULTY",
    "a value of RFC 6525's items": "SCTP_ENABLE_RESET_STREAM_REQ SCTP_ENABLE_RESET_ASSOC_REQ "
    "SCTP_ENABLE_CHANGE_ASSOC_REQ SCTP_STREAM_RESET_INCOMING SCTP_STREAM_RESET_OUTGOING "
    "SCTP_STREAM_RESET_INCOMING_SSN SCTP_STREAM_RESET_OUTGOING_SSN SCTP_STREAM_RESET_DENIED "
    "SCTP_STREAM_RESET_FAILED SCTP_ASSOC_RESET_DENIED SCTP_ASSOC_RESET_FAILED SCTP_ASSOC_CHANGE_DENIED "
    "SCTP_ASSOC_CHANGE_FAILED",
    "a value of RFC 8260's items": "SCTP_SS_FCFS SCTP_SS_PRIO SCTP_SS_RR SCTP_SS_FC SCTP_SS_WFQ",
}


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("sockets_api", TOOL)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def rows(tool: ModuleType) -> dict[str, tuple[str, str, str]]:
    """What the page says of each item: here, on Linux, and the note."""
    listed = [pair for table in tool.tables(tool.Code()).values() for pair in table]
    found = {item.name: (here, item.linux, item.note) for item, here in listed}
    assert len(found) == len(listed), "an item is listed twice"
    page = tool.render()
    assert all(f" | {name} | {here or '-'} | {linux or '-'} | " in page for name, (here, linux, _) in found.items())
    return found


def test_the_page_is_up_to_date(tool: ModuleType) -> None:
    assert tool.main(["--check"]) == 0, "run python tools/sockets_api.py"


def test_every_constant_is_an_item_or_is_said_to_be_none(tool: ModuleType) -> None:
    none = {name for names in NO_ITEMS.values() for name in names.split()}
    items = set(rows(tool))
    assert items & none == set()
    assert set(constants.__all__) - none - items == set()
    assert none <= set(constants.__all__)


def test_every_option_that_can_be_used_is_an_item(tool: ModuleType) -> None:
    numbers = {number for level, number in OPTIONS if level == constants.IPPROTO_SCTP}
    listed = {
        getattr(constants, item.name, None): item for item in (*tool.SOCKET_OPTIONS, *tool.MORE_OPTIONS) if item.linux
    }
    assert numbers <= set(listed)


def test_what_has_no_number_is_not_there(tool: ModuleType) -> None:
    without = {name: row for name, row in rows(tool).items() if tool.NO_NUMBER in row[2]}
    assert len(without) == 10
    for name, (here, linux, _) in without.items():
        assert (here, linux) == ("", ""), name
        assert not hasattr(constants, name), name


@pytest.mark.parametrize(
    ("name", "here"),
    [
        ("SCTP_SNDRCV", "send, receive"),
        ("SCTP_SNDINFO", "send"),
        ("SCTP_RCVINFO", "receive"),
        ("SCTP_ASSOC_CHANGE", "yes"),
        ("SCTP_RTOINFO", "get, set"),
        ("SO_LINGER", "get, set"),
        ("SCTP_STATUS", "get"),
        ("SCTP_HMAC_IDENT", "refused (off)"),
        ("sctp_sendmsg", "yes"),
        ("sctp_sendx", ""),
        ("SCTP_UNORDERED", "yes"),
        ("SCTP_COMM_UP", "yes"),
    ],
)
def test_what_is_read_from_the_code(tool: ModuleType, name: str, here: str) -> None:
    assert rows(tool)[name][0] == here


def test_only_what_is_referred_to_is_there(tool: ModuleType) -> None:
    code = tool.Code()
    assert code.value("SCTP_ESTABLISHED") == "yes"
    assert code.value("SCTP_NO_SUCH_VALUE") == ""
    assert code.ancillary("SCTP_NO_SUCH_TYPE") == ""


def test_a_change_of_the_code_changes_the_page(tool: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(OPTIONS, (constants.IPPROTO_SCTP, constants.SCTP_RTOINFO), (None, None))
    owner = next(cls for cls in tool.SctpSocket.__mro__ if "sctp_getpaddrs" in vars(cls))
    monkeypatch.delattr(owner, "sctp_getpaddrs")
    assert rows(tool)["SCTP_RTOINFO"][0] == ""
    assert rows(tool)["sctp_getpaddrs"][0] == ""
    assert tool.main(["--check"]) == 1


def test_every_type_has_its_struct(tool: ModuleType) -> None:
    # The ancillary data that a program can send has a struct, or is a bare address.
    for item in tool.ANCILLARY:
        assert bool(item.linux) == (item.name in tool.SENT), item.name
    assert set(structs.NOTIFICATIONS) == {getattr(constants, item.name) for item in tool.NOTIFICATIONS if item.linux}
    assert all(re.fullmatch(r"(RFC \d{4}, )?\d[\d., ]*|Linux", item.section) for item in tool.VALUES)
