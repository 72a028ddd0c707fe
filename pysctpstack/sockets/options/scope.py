"""Which associations an option is about (RFC 6458 section 7.2), and options' values in bytes.

Getters and setters take and give the bytes that a C program has there, and refuse what Linux refuses.
"""

from __future__ import annotations

import errno
import sys
from collections.abc import Callable
from dataclasses import replace
from struct import Struct
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

from pysctpstack import constants as c
from pysctpstack.core.path import Path
from pysctpstack.core.settings import Settings
from pysctpstack.core.state import State
from pysctpstack.core.tcb import Tcb
from pysctpstack.drivers import routes
from pysctpstack.sockets import addresses
from pysctpstack.sockets.preferences import Preferences
from pysctpstack.sockets.values import failure
from pysctpstack.structs.layout import CStruct

if TYPE_CHECKING:
    from pysctpstack.sockets.base import BaseSocket

Getter = Callable[["BaseSocket", bytes], bytes]
"""Takes the in-and-out buffer: what is asked for, in as many bytes as there is room for the answer."""
Setter = Callable[["BaseSocket", bytes], None]
Entry = tuple[Getter | None, Setter | None]
Table = dict[tuple[int, int], Entry]

S = TypeVar("S", bound=CStruct)
INT_SIZE: Final = 4
_SETTING_UP: Final = (State.COOKIE_WAIT, State.COOKIE_ECHOED)
_INT: Final = Struct("=i")


# --- values ---


def request(arg: bytes, type_: type[S]) -> S:
    """The struct at the start of an in-and-out buffer. EINVAL: there is no room for it."""
    if len(arg) < type_.SIZE:
        raise failure(errno.EINVAL)
    return parsed(arg[: type_.SIZE], type_)


def exactly(value: bytes, type_: type[S]) -> S:
    """A value of just this size, as most options want it. EINVAL: another size."""
    if len(value) != type_.SIZE:
        raise failure(errno.EINVAL)
    return parsed(value, type_)


def at_least(value: bytes, type_: type[S]) -> S:
    """The value of an option that ignores what follows it. EINVAL: it is too short."""
    return request(value, type_)


def parsed(value: bytes, type_: type[S]) -> S:
    try:
        return type_.unpack(value)
    except ValueError:
        # An address of an unknown family.
        raise failure(errno.EINVAL) from None


def integer(value: bytes, *, exact: bool = False) -> int:
    """A C int. EINVAL: fewer bytes, or (``exact``) another number of them."""
    if len(value) < INT_SIZE or (exact and len(value) != INT_SIZE):
        raise failure(errno.EINVAL)
    return int(_INT.unpack_from(value)[0])


def unsigned(value: bytes) -> int:
    """A C int of an option that needs just its four bytes, taken as unsigned."""
    return integer(value, exact=True) & 0xFFFFFFFF


def packed_int(value: int) -> bytes:
    return (value & 0xFFFFFFFF).to_bytes(INT_SIZE, sys.byteorder)


def int_getter(read: Callable[[BaseSocket], int]) -> Getter:
    """An option that is one int and reads nothing from the buffer."""

    def get(sock: BaseSocket, arg: bytes) -> bytes:
        if len(arg) < INT_SIZE:
            raise failure(errno.EINVAL)
        return packed_int(read(sock))

    return get


def attribute_switch(name: str, *, exact: bool = False) -> Entry:
    """An option that is on or off for a socket as a whole, kept in an attribute of it."""

    def set_(sock: BaseSocket, value: bytes) -> None:
        setattr(sock, name, integer(value, exact=exact) != 0)
        sock.update_direct()

    return int_getter(lambda sock: int(getattr(sock, name))), set_


# --- associations ---


class Scope(NamedTuple):
    """One association, or (``tcb`` None) those to come."""

    sock: BaseSocket
    tcb: Tcb | None

    @property
    def settings(self) -> Settings:
        return self.tcb.settings if self.tcb is not None else self.sock.settings

    @property
    def preferences(self) -> Preferences:
        return self.sock.preferences_of(self.tcb.association_id) if self.tcb is not None else self.sock.preferences

    def prefer(self, **changes: Any) -> None:
        """Change preferences."""
        changed = replace(self.preferences, **changes)
        if self.tcb is not None:
            self.sock.set_preferences_of(self.tcb.association_id, changed)
        else:
            self.sock.preferences = changed


def found(sock: BaseSocket, id_: int) -> Scope | None:
    """The association that an id names. One-to-one sockets ignore it, and have one from ESTABLISHED on."""
    if sock.one_to_one:
        association = next(iter(sock.associations.values()), None)
        if association is None or association.state in _SETTING_UP:
            return None
    else:
        association = sock.associations.get(id_) if id_ > c.SCTP_ALL_ASSOC else None
        if association is None:
            return None
    return Scope(sock, association.tcb)


def future(sock: BaseSocket) -> Scope:
    return Scope(sock, None)


def one(sock: BaseSocket, id_: int) -> Scope:
    """The association that an id names, or those to come (SCTP_FUTURE_ASSOC). EINVAL: neither."""
    scope = found(sock, id_)
    if scope is None:
        if id_ != c.SCTP_FUTURE_ASSOC and not sock.one_to_one:
            raise failure(errno.EINVAL)
        return future(sock)
    return scope


def existing(sock: BaseSocket, id_: int) -> Tcb:
    """The association that an id names. EINVAL: there is none."""
    scope = found(sock, id_)
    if scope is None or scope.tcb is None:
        raise failure(errno.EINVAL)
    return scope.tcb


def each(sock: BaseSocket, id_: int) -> list[Scope]:
    """What an option that takes SCTP_CURRENT_ASSOC and SCTP_ALL_ASSOC is set for. EINVAL: no such association."""
    scope = found(sock, id_)
    if scope is not None:
        return [scope]
    if sock.one_to_one:
        return [future(sock)]
    if id_ > c.SCTP_ALL_ASSOC:
        raise failure(errno.EINVAL)
    scopes = [future(sock)] if id_ in (c.SCTP_FUTURE_ASSOC, c.SCTP_ALL_ASSOC) else []
    if id_ in (c.SCTP_CURRENT_ASSOC, c.SCTP_ALL_ASSOC):
        scopes += [Scope(sock, association.tcb) for association in sock.associations.values()]
    return scopes


# --- addresses ---


def is_any(address: Any) -> bool:
    """No address, or the wildcard address: the option is about all of them."""
    return address is None or address[0] in addresses.ANY or address[0] == addresses.MAPPED + "0.0.0.0"


def plain_ip(address: Any) -> str:
    """The IP address of a socket address as the layers below have it."""
    ip = str(address[0])
    if ip.lower().startswith(addresses.MAPPED):
        return ip[len(addresses.MAPPED) :]
    return routes.scoped(ip.partition("%")[0], address[3]) if len(address) == 4 else ip


def peer_path(sock: BaseSocket, id_: int, address: Any) -> tuple[Tcb, Path] | None:
    """The path to a peer's address and port; None: no association has it, or the id names another one."""
    if address is None:
        return None
    ip, port = plain_ip(address), address[1]
    for association in sock.associations.values():
        tcb = association.tcb
        if tcb.peer_port == port and ip in tcb.paths.by_address:
            named = found(sock, id_)
            if named is not None and named.tcb is not tcb:
                return None
            return tcb, tcb.paths.by_address[ip]
    return None


def named_path(sock: BaseSocket, id_: int, address: Any, refusal: int = errno.EINVAL) -> tuple[Tcb, Path] | None:
    """The path that an option is about; None: it names no address. OSError (``refusal``): it names an unknown one."""
    if is_any(address):
        return None
    path = peer_path(sock, id_, address)
    if path is None:
        raise failure(refusal)
    return path
