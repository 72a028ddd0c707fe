"""Sizes, offsets and numbers against the C compiler.

tests/support/abi.c prints what <linux/sctp.h> makes of them.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from pysctpstack import constants, structs
from pysctpstack.structs import CStruct, unpack_sockaddr

SOURCE = Path(__file__).parents[1] / "support" / "abi.c"
PROBE = """
#include <stdint.h>
#include <sys/socket.h>
#include <linux/sctp.h>
int probe = SCTP_PLPMTUD_PROBE_INTERVAL;
"""

# Given no number by the header that is installed: newer than it, or only in <netinet/sctp.h>.
PERHAPS_UNKNOWN = {"SCTP_SS_FC", "SCTP_SS_WFQ", "SOL_SCTP"}
ONLY_NETINET = {"SendvSpa", "RecvvRn"}

Abi = dict[str, list[list[str]]]


@pytest.fixture(scope="module")
def abi(tmp_path_factory: pytest.TempPathFactory) -> Abi:
    """The lines of abi.c by their first word, split."""
    compiler = shutil.which("cc")
    if compiler is None or not sys.platform.startswith("linux") or sys.maxsize < 2**32:
        pytest.skip("no C compiler, or not 64-bit Linux")
    probe = [compiler, "-fsyntax-only", "-x", "c", "-"]
    if subprocess.run(probe, input=PROBE, text=True, capture_output=True, timeout=60).returncode:
        pytest.skip("no <linux/sctp.h> of Linux 5.14 or later")
    program = tmp_path_factory.mktemp("abi") / "abi"
    command = [compiler, "-Wall", "-Wextra", "-Werror", "-o", str(program), str(SOURCE)]
    compiled = subprocess.run(command, text=True, capture_output=True, timeout=60)
    assert compiled.returncode == 0, compiled.stderr
    printed = subprocess.run([str(program)], text=True, capture_output=True, timeout=60, check=True).stdout
    lines: Abi = defaultdict(list)
    for line in printed.splitlines():
        kind, *words = line.split()
        lines[kind].append(words)
    return lines


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
    sizes = {name: int(size) for name, size in abi["struct"]}
    for name, size in sizes.items():
        assert (name, getattr(structs, name).SIZE) == (name, size)
        assert len(getattr(structs, name)().pack()) == size
    declared = {
        value.__name__
        for value in vars(structs).values()
        if isinstance(value, type) and issubclass(value, CStruct) and value is not CStruct
    }
    assert declared - set(sizes) <= ONLY_NETINET


def test_every_number_lies_where_c_has_it(abi: Abi) -> None:
    assert len(abi["integer"]) > 200
    for name, member, offset, size, signed in abi["integer"]:
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
    for name, member, offset, size in abi["member"]:
        cls = getattr(structs, name)
        start, end = int(offset), int(offset) + int(size)
        value = getattr(cls(), member)
        if value is None:
            addresses += 1
            address = ("2001:db8::1", 0xFEDC, 0xABCDE, 0x01020304)
            packed, differ = changed(cls, member, address)
            assert unpack_sockaddr(packed[start:end]) == address, (name, member)
        else:
            nested += 1
            first = value.LAYOUT.names[0]
            setattr(value, first, 1)
            packed, differ = changed(cls, member, value)
            assert packed[start:end] == value.pack(), (name, member)
        assert start <= differ[0] <= differ[-1] < end, (name, member)
    assert addresses >= 10
    assert nested >= 3


def test_every_tail_begins_where_c_has_it(abi: Abi) -> None:
    for name, member, offset, size in abi["tail"]:
        cls = getattr(structs, name)
        assert int(offset) == cls.SIZE, name
        if name == "GetAddrs":  # an array of bytes in C, which holds socket addresses
            value: Any = [("192.0.2.1", 1)]
            assert int(size) == 1
        elif isinstance(getattr(cls(), member), bytes):
            value = b"\x01\x02"
            assert len(value) == 2 * int(size)
        else:
            value = [1, 2]
            assert len(cls(**{member: value}).pack()) == cls.SIZE + 2 * int(size)
        assert getattr(cls.unpack(cls(**{member: value}).pack()), member) == value
    assert len(abi["tail"]) == 11


def test_every_constant_has_its_value(abi: Abi) -> None:
    c = {name: int(value) for name, value in abi["constant"]}
    assert {name: getattr(constants, name) for name in c} == c
    ours = {name for name in constants.__all__ if not name.endswith("INFO_VALID")}
    ours -= {name for name in ours if name.startswith(("SCTP_SENDV_", "SCTP_RECVV_"))}
    assert ours - set(c) <= PERHAPS_UNKNOWN
