"""Makes the standard `socket` module's own class give SCTP sockets of this stack.

`socket.socket` stays the class that it is, so that it makes no difference who imported it, how and when: what changes
is its ``__new__`` and ``__init__``. A call that asks for SCTP gets a `StandardSocket`, which is a `socket.socket` as
well as an `SctpSocket`. A class derived from `socket.socket` gets a twin with the same methods over SCTP's. Every
other socket is what it was.
"""

from __future__ import annotations

import errno
import functools
import os
import socket
import weakref
from collections.abc import Callable
from typing import Any, Final

from pysctpstack.constants import IPPROTO_SCTP
from pysctpstack.sockets import SctpSocket, default_stack
from pysctpstack.stack import Host

_STANDARD: Final[Any] = socket.socket
"""Any: `mypy` would compare each of its methods with the one of `SctpSocket` that takes its place."""
_new_standard: Final[Any] = _STANDARD.__new__
_init_standard: Final[Any] = _STANDARD.__init__
_fromfd_standard: Final[Any] = socket.fromfd

_FLAGS: Final = getattr(socket, "SOCK_NONBLOCK", 0) | getattr(socket, "SOCK_CLOEXEC", 0)
"""What Linux takes along with a type."""
_NO_DESCRIPTOR: Final = (
    "an SCTP socket of this stack has no descriptor that another socket could be made of: its fileno() is only to be"
    " waited on"
)

_descriptors: Final[weakref.WeakValueDictionary[tuple[int, ...], StandardSocket]] = weakref.WeakValueDictionary()
"""The SCTP sockets whose `fileno` has been asked for, by what tells their descriptors from others."""
_peeled: Final[dict[int, Host]] = {}
"""Descriptors that SCTP_SOCKOPT_PEELOFF has returned and no socket has taken over, and whose they are."""
_taken_over: Final[weakref.WeakSet[StandardSocket]] = weakref.WeakSet()
"""Complete before ``__init__`` is called."""


def wants_sctp(family: int, type_: int, proto: int) -> bool:
    """Whether a kernel with SCTP would make an SCTP socket of these."""
    if family not in (-1, socket.AF_INET, socket.AF_INET6):
        return False
    if proto == IPPROTO_SCTP:
        return True
    return proto in (-1, 0) and isinstance(type_, int) and type_ & ~_FLAGS == socket.SOCK_SEQPACKET


class StandardSocket(SctpSocket, _STANDARD):  # type: ignore[misc]
    """An SCTP socket that is an instance of `socket.socket` too; the descriptor of the latter stays unset."""

    # Attributes of the instance here, where the standard class has descriptors that can't be set.
    family = socket.AF_UNSPEC
    type = socket.SOCK_RAW
    proto = 0
    _known_descriptor = -1

    def __init__(self, family: int = -1, type: int = -1, proto: int = -1, fileno: int | None = None) -> None:  # noqa: A002, ARG002
        if self in _taken_over:
            _taken_over.discard(self)
            return
        _check_descriptor(fileno, sctp=True)
        super().__init__(
            default_stack()._host,
            socket.AF_INET if family == -1 else family,
            socket.SOCK_STREAM if type == -1 else type,
        )

    @classmethod
    def _bare(cls, host: Host, family: int, type_: int) -> StandardSocket:
        # As in the standard library, `accept` returns plain sockets whatever class the listening one has.
        sock: StandardSocket = _new_standard(StandardSocket)
        sock._set_up(host, family, type_)
        return sock

    def fileno(self) -> int:
        number = super().fileno()
        if number not in (self._known_descriptor, -1):
            self._known_descriptor = number
            _descriptors[_identity(number)] = self
        return number

    def peel_off(self, id_: int, flags: int) -> int:
        descriptor = super().peel_off(id_, flags)
        _peeled[descriptor] = self._host
        return descriptor

    def dup(self) -> Any:
        """There is no descriptor to duplicate: EOPNOTSUPP."""
        raise OSError(errno.EOPNOTSUPP, _NO_DESCRIPTOR)

    def sendfile(self, file: Any, offset: int = 0, count: int | None = None) -> int:
        """As the standard method, with `send`: `os.sendfile` would write into the descriptor."""
        return int(self._sendfile_use_send(file, offset, count))


def _check_descriptor(fileno: int | None, *, sctp: bool) -> None:
    """EOPNOTSUPP where a socket is to be made of an SCTP socket's descriptor, or an SCTP socket of any."""
    if fileno is not None and (sctp or _is_ours(fileno)):
        raise OSError(errno.EOPNOTSUPP, _NO_DESCRIPTOR)


def _is_ours(fileno: int) -> bool:
    """Whether this is the descriptor of an SCTP socket, or a duplicate of it."""
    if not _descriptors or fileno < 0:
        return False
    sock = _descriptors.get(_identity(fileno))
    return sock is not None and not sock._closed


def _identity(fileno: int) -> tuple[int, ...]:
    """What a descriptor has in common with its duplicates, and with nothing else."""
    try:
        found = os.fstat(fileno)
    except OSError:  # not a file's, as on Windows, or closed
        return (fileno,)
    return found.st_dev, found.st_ino


def _arguments(
    family: int = -1,
    type: int = -1,  # noqa: A002
    proto: int = -1,
    fileno: int | None = None,
) -> tuple[int, int, int, int | None]:
    return family, type, proto, fileno


def _new(cls: Any, *args: Any, **kwargs: Any) -> Any:
    if not issubclass(cls, StandardSocket):
        try:
            family, type_, proto, fileno = _arguments(*args, **kwargs)
        except TypeError:
            # A derived class may take what it likes: `_init` sees what it makes of it.
            return _new_standard(cls)
        if fileno in _peeled:
            return _take_over(fileno, cls)
        if wants_sctp(family, type_, proto):
            cls = _twin(cls)
    return _new_standard(cls)


def _take_over(descriptor: int, cls: Any) -> Any:
    """The socket behind a descriptor of SCTP_SOCKOPT_PEELOFF."""
    sock: Any = _peeled.pop(descriptor).peeled.pop(descriptor)
    sock.fileno()
    if isinstance(sock, cls):
        _taken_over.add(sock)
    return sock


def _init(self: Any, family: int = -1, type: int = -1, proto: int = -1, fileno: int | None = None) -> None:  # noqa: A002
    if wants_sctp(family, type, proto):
        if not isinstance(self, StandardSocket):
            self.__class__ = _twin(self.__class__)
        StandardSocket.__init__(self, family, type, proto, fileno)
        return
    _check_descriptor(fileno, sctp=False)
    _init_standard(self, family, type, proto, fileno)


def _fromfd(fd: int, family: int, type: int, proto: int = 0) -> Any:  # noqa: A002
    # Before the original duplicates the descriptor, which nobody would close again.
    _check_descriptor(fd, sctp=wants_sctp(family, type, proto))
    return _fromfd_standard(fd, family, type, proto)


@functools.cache
def _twin(cls: Any) -> Any:
    """The class ``cls`` with SCTP in the place of `socket.socket`."""
    if cls is _STANDARD:
        return StandardSocket
    _dispatch_unbound_calls()
    return type(cls.__name__, (cls, StandardSocket), {"__module__": cls.__module__, "__qualname__": cls.__qualname__})


@functools.cache
def _dispatch_unbound_calls() -> None:
    """For derived classes that call ``socket.socket.send(self, data)`` rather than ``super().send(data)``."""
    for name in dir(_STANDARD):
        ours, standard = getattr(StandardSocket, name), getattr(_STANDARD, name)
        if not name.startswith("__") and ours is not standard and callable(ours) and callable(standard):
            setattr(_STANDARD, name, _dispatcher(ours, standard))


def _dispatcher(ours: Callable[..., Any], standard: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(standard)
    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        return (ours if isinstance(self, StandardSocket) else standard)(self, *args, **kwargs)

    return method


def install() -> None:
    """From here on, in this process, the standard library's `socket` makes SCTP sockets of the default stack."""
    _new.__name__, _init.__name__ = "__new__", "__init__"
    _STANDARD.__new__ = staticmethod(_new)
    _STANDARD.__init__ = _init
    standard: Any = socket
    standard.fromfd = _fromfd
    if not hasattr(socket, "IPPROTO_SCTP"):
        standard.IPPROTO_SCTP = IPPROTO_SCTP
