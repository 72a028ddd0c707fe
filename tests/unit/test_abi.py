"""Sizes, offsets, bytes and numbers against the C compiler, and the names against those that the headers declare.

tests/support/abi.c prints what <linux/sctp.h> and <netinet/sctp.h> make of them.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from pysctpstack import constants, structs
from pysctpstack.structs import CStruct, unpack_sockaddr

SOURCE = Path(__file__).parents[1] / "support" / "abi.c"
PAGE = Path(__file__).parents[2] / "docs" / "sockets-api.md"
PROBE = """
#include <stdint.h>
#include <sys/socket.h>
#include <linux/sctp.h>
int probe = SCTP_PLPMTUD_PROBE_INTERVAL;
"""
INCLUDES = {
    "linux/sctp.h": "#include <stdint.h>\n#include <sys/socket.h>\n#include <linux/sctp.h>\n",
    "netinet/sctp.h": "#include <netinet/in.h>\n#include <netinet/sctp.h>\n",
}
TIMEOUT = 60
ADDRESS = ("2001:db8::1", 0xFEDC, 0xABCDE, 0x01020304)
"""What abi.c has for every address."""

# Given no number by the header that is installed: newer than it.
PERHAPS_UNKNOWN = {"SCTP_SS_FC", "SCTP_SS_WFQ"}
# Only in <netinet/sctp.h>, which may be missing.
NETINET_STRUCTS = {"SendvSpa", "RecvvRn"}
NETINET_CONSTANTS = ("SOL_SCTP", "SCTP_SENDV_", "SCTP_SEND_", "SCTP_RECVV_")

# Names of the headers that Python does without, by the reason.
LEFT_OUT = {
    "linux/sctp.h": {
        "a guard against including twice": "_SCTP_H",
        "a macro with arguments, for what `&` and `|` with SCTP_PR_SCTP_MASK do": (
            "__SCTP_PR_INDEX SCTP_PR_INDEX SCTP_PR_POLICY SCTP_PR_SET_POLICY SCTP_PR_TTL_ENABLED SCTP_PR_RTX_ENABLED "
            "SCTP_PR_PRIO_ENABLED"
        ),
        "the largest scheduler of one version of the kernel, another one in the next": "SCTP_SS_MAX",
        "older spellings of members, which have one name here": "guth_number_of_chunks shmac_number_of_idents",
        "a type of integers, which are int": (
            "sctp_assoc_t sctp_msg_flags sctp_sinfo_flags sctp_cmsg_type sctp_cmsg_t sctp_sac_state sctp_spc_state "
            "sctp_ssf_flags sctp_sn_type sctp_sn_error sctp_sn_error_t sctp_spp_flags sctp_spinfo_state "
            "sctp_sstat_state sctp_sched_type"
        ),
        "a union, for which structs.Notification and parse_notification() are": "sctp_notification",
        "a union that no call takes": "sctp_cmsg_data_t",
        "what the kernel tells its own diagnostics (ss), not the sockets API": "sctp_info",
        "holds a pointer, behind SCTP_SOCKOPT_CONNECTX3: sctp_connectx() is for that": "sctp_getaddrs_old",
    },
    "netinet/sctp.h": {
        "a guard against including twice": "__linux_sctp_h__",
        "tells a C program at compile time what the header has": (
            "HAVE_SCTP HAVE_KERNEL_SCTP HAVE_SCTP_MULTIBUF HAVE_SCTP_NOCONNECT HAVE_SCTP_PRSCTP HAVE_SCTP_ADDIP "
            "HAVE_SCTP_CANSET_PRIMARY HAVE_SCTP_STREAM_RESET_EVENT HAVE_SCTP_STREAM_RECONFIG HAVE_SCTP_PEELOFF_FLAGS "
            "HAVE_SCTP_PDAPI_EVENT_PDAPI_STREAM HAVE_SCTP_PDAPI_EVENT_PDAPI_SEQ HAVE_SCTP_SENDV "
            "HAVE_SCTP_AUTH_NO_AUTH HAVE_SCTP_SPP_IPV6_FLOWLABEL HAVE_SCTP_SPP_DSCP"
        ),
    },
}

Abi = dict[str, list[list[str]]]


@pytest.fixture(scope="module")
def compiler() -> str:
    """The C compiler, where <linux/sctp.h> is there for it."""
    found = shutil.which("cc")
    if found is None or not sys.platform.startswith("linux") or sys.maxsize < 2**32:
        pytest.skip("no C compiler, or not 64-bit Linux")
    probe = [found, "-fsyntax-only", "-x", "c", "-"]
    if subprocess.run(probe, input=PROBE, text=True, capture_output=True, timeout=TIMEOUT).returncode:
        pytest.skip("no <linux/sctp.h> of Linux 5.14 or later (Debian: linux-libc-dev)")
    return found


@pytest.fixture(scope="module")
def abi(compiler: str, tmp_path_factory: pytest.TempPathFactory) -> Abi:
    """The lines of abi.c by their first word, split."""
    program = tmp_path_factory.mktemp("abi") / "abi"
    command = [compiler, "-Wall", "-Wextra", "-Werror", "-o", str(program), str(SOURCE)]
    compiled = subprocess.run(command, text=True, capture_output=True, timeout=TIMEOUT)
    assert compiled.returncode == 0, compiled.stderr
    printed = subprocess.run([str(program)], text=True, capture_output=True, timeout=TIMEOUT, check=True).stdout
    lines: Abi = defaultdict(list)
    for line in printed.splitlines():
        kind, *words = line.split()
        lines[kind].append(words)
    return lines


@pytest.fixture(scope="module", params=sorted(INCLUDES))
def header(compiler: str, request: pytest.FixtureRequest) -> Header:
    """The declarations of each header."""
    name = request.param
    command = [compiler, "-E", "-dD", "-x", "c", "-"]
    found = subprocess.run(command, input=INCLUDES[name], text=True, capture_output=True, timeout=TIMEOUT)
    if found.returncode and name == "netinet/sctp.h":
        pytest.skip("no <netinet/sctp.h> (Debian: libsctp-dev)")
    assert found.returncode == 0, found.stderr
    return declarations(name, found.stdout)


class Header(NamedTuple):
    """What a header declares."""

    name: str
    constants: set[str]
    """Enumerators, and macros without arguments."""
    structs: dict[str, list[str]]
    """With the names of their members."""
    functions: set[str]
    other: set[str]
    """Unions, types of integers, macros with arguments."""

    @property
    def left_out(self) -> dict[str, str]:
        """Name to reason."""
        return {name: reason for reason, names in LEFT_OUT[self.name].items() for name in names.split()}


def declarations(header: str, preprocessed: str) -> Header:
    """Read the output of ``cc -E -dD``, in which every file's lines follow a marker with its name."""
    text: list[str] = []
    found = Header(header, set(), {}, set(), set())
    here = False
    for line in preprocessed.splitlines():
        if marker := re.match(r'# \d+ "(.*?)"', line):
            here = marker[1].endswith("/" + header)
        elif here and (macro := re.match(r"#define (\w+)(\(?)", line)):
            (found.other if macro[2] else found.constants).add(macro[1])
        elif here and not line.startswith("#"):
            text.append(line)
    for declaration in re.findall(r"(?:[^;{}]|\{(?:[^{}]|\{[^{}]*\})*\})+", " ".join(text)):
        head, brace, rest = declaration.strip().partition("{")
        body, _, end = rest.rpartition("}")
        kind, _, tag = head.removeprefix("typedef").strip().partition(" ")
        names = {tag.strip(), end.partition("__attribute__")[0].strip()} - {""}
        if not brace:
            name = re.match(r"(?:extern )?\w+ (\w+)\(", head)
            if name:
                found.functions.add(name[1])
            elif kind and tag:
                found.other.add(tag.split()[-1])
        elif kind == "enum":
            found.constants.update(re.findall(r"(?:^|,)\s*(\w+)", body))
            found.other.update(names)
        elif kind == "struct":
            found.structs.update((name, re.findall(r"(\w+)\s*(?:\[\w*\])?;", body)) for name in names)
        else:
            found.other.update(names)
    return found


def numbers(abi: Abi) -> list[list[str]]:
    """Class, member, offset, size and signedness of every number."""
    return [words[:5] for kind in ("integer", "length", "count") for words in abi[kind]]


def blank(cls: type[CStruct]) -> Any:
    """All members 0, also the type of a notification."""
    instance = cls()
    if cls in structs.NOTIFICATIONS.values():
        setattr(instance, cls.LAYOUT.names[0], 0)
    return instance


def changed(cls: type[CStruct], member: str, value: Any) -> tuple[bytes, list[int]]:
    """The bytes of the struct with one member set, and where they differ from those without."""
    instance = blank(cls)
    before = instance.pack()
    setattr(instance, member, value)
    after = instance.pack()
    return after, [at for at in range(len(before)) if before[at] != after[at]]


def test_every_struct_has_its_size(abi: Abi) -> None:
    sizes = {name: int(size) for name, size, *_ in abi["struct"]}
    for name, size in sizes.items():
        assert (name, getattr(structs, name).SIZE) == (name, size)
        assert len(getattr(structs, name)().pack()) == size
    declared = {
        value.__name__
        for value in vars(structs).values()
        if isinstance(value, type) and issubclass(value, CStruct) and value is not CStruct
    }
    assert declared - set(sizes) == (set() if "SOL_SCTP" in printed_constants(abi) else NETINET_STRUCTS)


def test_every_number_lies_where_c_has_it(abi: Abi) -> None:
    assert len(numbers(abi)) > 200
    for name, member, offset, size, signed in numbers(abi):
        cls = getattr(structs, name)
        bits = 8 * int(size)
        all_ones = -1 if int(signed) else 2**bits - 1
        _, differ = changed(cls, member, all_ones)
        assert differ == list(range(int(offset), int(offset) + int(size))), (name, member)
        with pytest.raises(ValueError, match=member):
            changed(cls, member, 2 ** (bits - int(signed)))
        with pytest.raises(ValueError, match=member):
            changed(cls, member, -(2 ** (bits - 1)) - 1 if int(signed) else -1)


def test_every_nested_value_lies_where_c_has_it(abi: Abi) -> None:
    addresses = nested = 0
    for name, member, offset, size, _inner in abi["member"]:
        cls = getattr(structs, name)
        start, end = int(offset), int(offset) + int(size)
        value = getattr(cls(), member)
        if value is None:
            addresses += 1
            packed, differ = changed(cls, member, ADDRESS)
            assert unpack_sockaddr(packed[start:end]) == ADDRESS, (name, member)
        else:
            nested += 1
            first = value.LAYOUT.names[0]
            setattr(value, first, 1)
            packed, differ = changed(cls, member, value)
            assert packed[start:end] == value.pack(), (name, member)
        assert start <= differ[0] <= differ[-1] < end, (name, member)
    assert addresses >= 10
    assert nested >= 4


def test_every_struct_has_the_bytes_of_c(abi: Abi) -> None:
    expected = {name: bytes.fromhex(octets) for name, octets in abi["bytes"]}
    assert set(expected) == {name for name, *_ in abi["struct"]}
    values: dict[str, dict[str, Any]] = defaultdict(dict)
    for name, member, _offset, size, signed, value in abi["integer"]:
        values[name][member] = int(value) if int(signed) else int(value) % 2 ** (8 * int(size))
    for name, member, *_place, inner in abi["member"]:
        values[name][member] = ADDRESS if inner == "-" else getattr(structs, inner).unpack(expected[inner])
    for name, member, _offset, _size, *elements in abi["tail"]:
        octets = isinstance(getattr(getattr(structs, name)(), member), bytes)
        tail: list[Any] = [int(element) for element in elements] or [ADDRESS]
        values[name][member] = bytes(tail) if octets else tail
    for name, packed in expected.items():
        cls = getattr(structs, name)
        instance = cls(**values[name])
        # Lengths and counts are left to pack() ...
        assert instance.pack() == packed, name
        # ... and read back.
        for kind, total in (("length", len(packed)), ("count", 1 if name == "GetAddrs" else 2)):
            for member in [words[1] for words in abi[kind] if words[0] == name]:
                setattr(instance, member, total)
        assert cls.unpack(packed) == instance, name
        assert instance.pack() == packed, name


def test_every_tail_begins_where_c_has_it(abi: Abi) -> None:
    for name, _member, offset, _size, *_ in abi["tail"]:
        assert int(offset) == getattr(structs, name).SIZE, name
    tailed = {name for name, *_ in abi["struct"] if getattr(structs, name).LAYOUT.tail is not None}
    assert {name for name, *_ in abi["tail"]} == tailed
    assert len(tailed) == 11


def test_every_constant_has_its_value(abi: Abi) -> None:
    c = {name: int(value) for name, value in abi["constant"]}
    assert {name: getattr(constants, name) for name in c} == c
    ours = set(constants.__all__) - PERHAPS_UNKNOWN
    if "SOL_SCTP" not in c:
        ours -= {name for name in ours if name.startswith(NETINET_CONSTANTS)}
    assert ours <= set(c)


def printed_constants(abi: Abi) -> set[str]:
    return {name for name, _ in abi["constant"]}


# --- names ---


def test_every_constant_of_the_header_is_compared_or_left_out(abi: Abi, header: Header) -> None:
    ours = printed_constants(abi) | set(vars(structs))
    names = {"SetPrim" if name == "sctp_setprim" else name for name in header.constants | header.other}
    assert names - ours == (set(header.left_out) & names)
    assert not ours & set(header.left_out)


def test_every_struct_of_the_header_is_compared_or_left_out(abi: Abi, header: Header) -> None:
    classes = {words[-1]: words[0] for words in abi["struct"]}
    for name, members in header.structs.items():
        assert (name in classes) != (name in header.left_out), name
        if name in classes:
            cls = getattr(structs, classes[name])
            tail = [cls.LAYOUT.tail_name] if cls.LAYOUT.tail is not None else []
            assert [*cls.LAYOUT.names, *tail] == members, name
            # The class is named as the struct.
            assert cls.__name__.lower() == name.removeprefix("sctp_").removesuffix("_t").replace("_", ""), name
    assert len(header.structs) >= (45 if header.name == "linux/sctp.h" else 2)


def test_every_function_of_the_header_is_on_the_page(header: Header) -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert {name for name in header.functions if f" | {name} | " not in page} == set()
    assert len(header.functions) == (15 if header.name == "netinet/sctp.h" else 0)


def test_what_is_left_out_is_in_the_header(header: Header) -> None:
    assert set(header.left_out) <= header.constants | set(header.structs) | header.other
