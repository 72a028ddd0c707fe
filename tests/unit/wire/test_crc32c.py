"""Every implementation of CRC32c that is installed gives the same, chains, and can be chosen."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from pysctpstack.wire import crc32c as module

NAMES = ["crc32c", "google_crc32c", "crcmod-c", "crcmod-python"]


@pytest.fixture(params=NAMES)
def implementation(request: pytest.FixtureRequest) -> module.Crc32c:
    try:
        name, function = module.choose(request.param)
    except ImportError as error:
        pytest.skip(str(error))
    assert name == request.param
    return function


# The check value of the CRC's catalogue, and the vectors of RFC 3720 section B.4.
@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", 0),
        (b"123456789", 0xE3069283),
        (bytes(32), 0x8A9136AA),
        (b"\xff" * 32, 0x62A8AB43),
        (bytes(range(32)), 0x46DD794E),
        (bytes(reversed(range(32))), 0x113FDB5C),
    ],
)
def test_known_values(implementation: module.Crc32c, data: bytes, expected: int) -> None:
    assert implementation(data) == expected


def test_chains(implementation: module.Crc32c) -> None:
    data = bytes(range(256)) * 6
    whole = implementation(data)
    for cut in (0, 1, 7, 8, 12, 255, 1000, len(data)):
        assert implementation(data[cut:], implementation(data[:cut])) == whole


def test_takes_every_kind_of_bytes(implementation: module.Crc32c) -> None:
    data = bytes(range(200))
    assert implementation(bytearray(data)) == implementation(data)
    assert implementation(memoryview(data)[3:150]) == implementation(data[3:150])


def test_the_module_has_the_first_one_that_is_installed() -> None:
    forced = os.environ.get("PYSCTPSTACK_CRC32C", "")
    name, _ = module.choose(forced)
    assert name == module.IMPLEMENTATION
    for better in NAMES[: NAMES.index(name)] if not forced else []:
        with pytest.raises(ImportError):
            module.choose(better)


def test_an_unknown_name_is_refused_with_the_names_there_are() -> None:
    with pytest.raises(ValueError, match=r"PYSCTPSTACK_CRC32C=md5.*crc32c, google_crc32c, crcmod-c"):
        module.choose("md5")


def test_a_forced_one_that_is_missing_is_said_to_be_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "crc32c", None)
    with pytest.raises(ImportError, match="PYSCTPSTACK_CRC32C=crc32c: not installed"):
        module.choose("crc32c")


def test_falls_back_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    for missing in ("crc32c", "google_crc32c", "crcmod._crcfunext"):
        monkeypatch.setitem(sys.modules, missing, None)
    name, function = module.choose()
    assert name == "crcmod-python"
    assert function(b"123456789") == 0xE3069283


def test_nothing_installed_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    for missing in ("crc32c", "google_crc32c", "crcmod", "crcmod._crcfunext"):
        monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(ImportError, match="install crcmod or crc32c"):
        module.choose()


def test_the_environment_variable_decides_at_import() -> None:
    program = "from pysctpstack.wire import crc32c; print(crc32c.IMPLEMENTATION, hex(crc32c.crc32c(b'123456789')))"
    environment = {**os.environ, "PYSCTPSTACK_CRC32C": "crcmod-python"}
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stdout == "crcmod-python 0xe3069283\n"
