"""State Cookies (RFC 9260 sections 5.1.3 and 5.1.5)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pysctpstack.core import Route
from pysctpstack.core.cookie import Cookie, CookieJar
from pysctpstack.testing import SeededEntropy

COOKIE = Cookie(
    Route("192.0.2.1", 9_899, "198.51.100.1"),
    ["192.0.2.2", "2001:db8::1"],
    1_000.25,
    60.0,
    0x11111111,
    0x22222222,
    0x33333333,
    0x44444444,
    0xFFFFFFFF,
    0,
    100_000,
    7,
    5_000,
    10,
    65_535,
)


def jar(seed: int = 0, key_life: float = 3_600.0) -> CookieJar:
    return CookieJar(SeededEntropy(seed), key_life, 61.0)


@pytest.mark.parametrize("addresses", [[], ["192.0.2.2"], ["fe80::1%eth0", "2001:db8::1"]])
@pytest.mark.parametrize("local", ["", "198.51.100.1", "2001:db8::2"])
def test_what_is_signed_comes_back(addresses: list[str], local: str) -> None:
    cookie = replace(COOKIE, addresses=addresses, route=Route("192.0.2.1", 40_000, local))
    one = jar()
    assert one.verify(one.sign(cookie), 1_001.0) == cookie


def test_a_cookie_with_any_bit_flipped_is_refused() -> None:
    one = jar()
    signed = one.sign(COOKIE)
    for bit in range(len(signed) * 8):
        damaged = bytearray(signed)
        damaged[bit // 8] ^= 1 << bit % 8
        assert one.verify(bytes(damaged), 1_001.0) is None


def test_a_cut_or_longer_cookie_is_refused() -> None:
    one = jar()
    signed = one.sign(COOKIE)
    for cut in (b"", signed[:15], signed[:16], signed[:-1], signed + b"\0"):
        assert one.verify(cut, 1_001.0) is None


def test_another_stack_s_cookie_is_refused() -> None:
    assert jar(1).verify(jar(2).sign(COOKIE), 1_001.0) is None


def test_a_cookie_outlives_one_change_of_the_key_by_its_own_life_only() -> None:
    one = jar()
    signed = one.sign(replace(COOKIE, created_at=1_000.0))
    last = one.sign(replace(COOKIE, created_at=4_599.0))
    assert one.verify(last, 4_601.0) is not None
    assert one.verify(signed, 4_601.0) is not None
    # The key before is forgotten when all that it signed is stale.
    assert one.verify(last, 4_662.1) is None


def test_a_key_that_was_not_used_for_long_is_not_kept_as_the_one_before() -> None:
    one = jar()
    signed = one.sign(replace(COOKIE, created_at=1_000.0))
    assert one.verify(signed, 1_000.0 + 3_600.0 + 61.0) is None


def test_the_key_is_changed_and_new_cookies_use_the_new_one() -> None:
    one = jar()
    one.sign(replace(COOKIE, created_at=0.0))
    old = one.key
    one.sign(replace(COOKIE, created_at=3_600.0))
    assert one.key != old
    assert one.previous_key == old


def test_a_cookie_is_stale_after_its_lifespan_and_not_at_it() -> None:
    assert not COOKIE.is_stale(1_060.25)
    assert COOKIE.is_stale(1_060.26)


@pytest.mark.parametrize("packed", [b"", b"\0" * 10, COOKIE.pack() + b"\0", COOKIE.pack()[:-1]])
def test_unpacking_what_is_no_cookie_is_a_value_error(packed: bytes) -> None:
    with pytest.raises(ValueError):
        Cookie.unpack(packed)
