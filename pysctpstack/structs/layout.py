"""C structs as dataclasses: a class that lists its members knows its bytes.

A struct is declared once, member by member, with types that say how each lies in memory::

    @dataclass(slots=True)
    class RtoInfo(CStruct):
        srto_assoc_id: AssocId = 0
        srto_initial: U32 = 0

``CStruct`` derives the layout from it when the class is made, by the rules of the C compiler for 64-bit
Linux (every member aligned to its own alignment, the whole padded to the largest of them; ``PACKED``
structs have no padding between members and are padded to 4), so that sizes and offsets are the same on
every operating system. Integers are in the host's byte order, as memory is. Members may also be addresses
(``Storage``), other structs, and, at the end, a part of variable length (``TailBytes``, ``TailU16``,
``TailI32``, ``TailAddresses``).
"""

from __future__ import annotations

from collections.abc import Callable
from struct import Struct
from struct import error as struct_error
from typing import (
    Annotated,
    Any,
    ClassVar,
    Final,
    NamedTuple,
    TypeAlias,
    TypeVar,
    get_args,
    get_origin,
    get_type_hints,
)

from .sockaddr import (
    STORAGE_SIZE,
    Address,
    Octets,
    pack_sockaddr_list,
    pack_storage,
    unpack_sockaddr,
    unpack_sockaddr_list,
)

S = TypeVar("S", bound="CStruct")


class Conversion(NamedTuple):
    """For a member that is more than an integer."""

    encode: Callable[[Any], bytes]
    decode: Callable[[bytes], Any]


class Member(NamedTuple):
    """How one member lies in memory: its ``struct`` format, size and alignment."""

    name: str
    """The C type, for messages."""
    code: str
    size: int
    align: int
    conversion: Conversion | None = None


class Tail(NamedTuple):
    """The flexible array at the end of a struct."""

    item: int
    """Bytes of an element; 0 where elements differ in size."""
    encode: Callable[[Any], bytes]
    decode: Callable[[bytes, int | None], Any]
    """Takes the octets and how many elements they are (None: as many as there are)."""


class Derived(NamedTuple):
    """Marks an integer that ``pack()`` computes when it is 0."""

    what: str


TOTAL: Final = Derived("bytes of the struct with its tail")
COUNT: Final = Derived("elements of the tail")


def _octets(value: Octets) -> bytes:
    return bytes(memoryview(value))  # bytes(5) would be five zeros


def _numbers(code: str) -> Tail:
    item = Struct("=" + code).size
    return Tail(
        item,
        lambda values: Struct(f"={len(values)}{code}").pack(*values),
        lambda octets, _count: list(Struct(f"={len(octets) // item}{code}").unpack(octets)),
    )


_U8 = Member("unsigned 8-bit integer", "B", 1, 1)
_U16 = Member("unsigned 16-bit integer", "H", 2, 2)
_U32 = Member("unsigned 32-bit integer", "I", 4, 4)

U8: TypeAlias = Annotated[int, _U8]
U16: TypeAlias = Annotated[int, _U16]
U32: TypeAlias = Annotated[int, _U32]
U64: TypeAlias = Annotated[int, Member("unsigned 64-bit integer", "Q", 8, 8)]
I32: TypeAlias = Annotated[int, Member("signed 32-bit integer", "i", 4, 4)]
AssocId: TypeAlias = I32
"""sctp_assoc_t."""
Length: TypeAlias = Annotated[int, _U32, TOTAL]
"""Bytes of the whole notification; ``pack()`` computes it when it is 0."""
# Elements of the tail; ``pack()`` computes them when they are 0.
CountU16: TypeAlias = Annotated[int, _U16, COUNT]
CountU32: TypeAlias = Annotated[int, _U32, COUNT]
# struct sockaddr_storage holds an unsigned long to be aligned as strictly as any address may need.
Storage: TypeAlias = Annotated[
    Address | None,
    Member("address", f"{STORAGE_SIZE}s", STORAGE_SIZE, 8, Conversion(pack_storage, unpack_sockaddr)),
]
TailBytes: TypeAlias = Annotated[bytes, Tail(1, _octets, lambda octets, _count: octets)]
TailU16: TypeAlias = Annotated[list[int], _numbers("H")]
TailI32: TypeAlias = Annotated[list[int], _numbers("i")]
TailAddresses: TypeAlias = Annotated[list[Address], Tail(0, pack_sockaddr_list, unpack_sockaddr_list)]


class Layout(NamedTuple):
    """What ``CStruct`` derives from the members of a class."""

    codec: Struct
    align: int
    names: tuple[str, ...]
    members: tuple[Member, ...]
    conversions: tuple[tuple[int, Conversion], ...]
    """With the index of the member that each is for."""
    total_at: int | None
    """Index of the member that holds TOTAL."""
    count_at: int | None
    """Index of the member that holds COUNT."""
    tail_name: str
    tail: Tail | None


class CStruct:
    """The base of every struct: ``pack()``, ``unpack()`` and ``SIZE``."""

    __slots__ = ()

    SIZE: ClassVar[int]
    """Bytes of the struct as C's sizeof has them: without the tail, with the padding at the end."""
    PACKED: ClassVar[bool] = False
    """Whether the struct is declared ``__attribute__((packed, aligned(4)))``."""
    LAYOUT: ClassVar[Layout]

    def __init_subclass__(cls) -> None:
        cls.LAYOUT = _lay_out(cls)
        cls.SIZE = cls.LAYOUT.codec.size

    def pack(self) -> bytes:
        """The struct as Linux lays it out, followed by its tail.

        Raises ValueError, naming the member, for a value that its C type cannot hold.
        """
        layout = self.LAYOUT
        values = [getattr(self, name) for name in layout.names]
        tail = b""
        if layout.tail is not None:
            elements = getattr(self, layout.tail_name)
            try:
                tail = layout.tail.encode(elements)
            except struct_error as error:
                raise ValueError(f"{type(self).__name__}.{layout.tail_name}: {error}") from None
            if layout.count_at is not None and not values[layout.count_at]:
                values[layout.count_at] = len(elements)
        if layout.total_at is not None and not values[layout.total_at]:
            values[layout.total_at] = self.SIZE + len(tail)
        try:
            for index, conversion in layout.conversions:
                values[index] = conversion.encode(values[index])
            return layout.codec.pack(*values) + tail
        except struct_error:
            raise ValueError(_misfit(self, values)) from None

    @classmethod
    def unpack(cls: type[S], data: Octets) -> S:
        """The struct at the start of ``data``; bytes beyond it are ignored, as a C program ignores them.

        Raises ValueError when ``data`` is too short for the struct, or for the tail that its length or count
        announces, and when an address in it has an unknown family.
        """
        octets = cls._complete(bytes(data))
        layout = cls.LAYOUT
        if len(octets) < cls.SIZE:
            raise ValueError(f"{cls.__name__} needs {cls.SIZE} bytes, not {len(octets)}")
        values = list(layout.codec.unpack_from(octets))
        for index, conversion in layout.conversions:
            values[index] = conversion.decode(values[index])
        instance = cls.__new__(cls)
        for name, value in zip(layout.names, values, strict=True):
            setattr(instance, name, value)
        if layout.tail is not None:
            setattr(instance, layout.tail_name, cls._unpack_tail(octets, values, layout.tail))
        return instance

    @classmethod
    def _complete(cls, octets: bytes) -> bytes:
        """Bring what an older header declared to today's size; structs that have grown override it."""
        return octets

    @classmethod
    def _unpack_tail(cls, octets: bytes, values: list[Any], tail: Tail) -> Any:
        layout = cls.LAYOUT
        count: int | None = None
        end = len(octets)
        if layout.count_at is not None:
            count = values[layout.count_at]
            if tail.item:
                end = cls.SIZE + values[layout.count_at] * tail.item
        elif layout.total_at is not None:
            end = values[layout.total_at]
            if end < cls.SIZE or (tail.item and (end - cls.SIZE) % tail.item):
                raise ValueError(f"{cls.__name__}.{layout.names[layout.total_at]} cannot be {end}")
        if len(octets) < end:
            raise ValueError(f"{cls.__name__} needs {end} bytes, not {len(octets)}")
        return tail.decode(octets[cls.SIZE : end], count)


def _nested(inner: type[CStruct]) -> Member:
    """A struct as member of another."""

    def encode(value: Any) -> bytes:
        if not isinstance(value, inner):
            raise ValueError(f"{value!r} is no {inner.__name__}")
        return value.pack()

    conversion = Conversion(encode, inner.unpack)
    return Member(inner.__name__, f"{inner.SIZE}s", inner.SIZE, inner.LAYOUT.align, conversion)


def _lay_out(cls: type[CStruct]) -> Layout:
    """Place the members of ``cls`` as the C compiler does."""
    codes, names = ["="], []
    members: list[Member] = []
    total_at = count_at = tail = None
    tail_name = ""
    end, strictest = 0, 4 if cls.PACKED else 1
    for name, hint in get_type_hints(cls, include_extras=True).items():
        if get_origin(hint) is ClassVar:
            continue
        marks = get_args(hint)[1:] if get_origin(hint) is Annotated else (_nested(hint),)
        if isinstance(marks[0], Tail):
            tail_name, tail = name, marks[0]
            continue
        member: Member = marks[0]
        align = 1 if cls.PACKED else member.align
        padding = -end % align
        codes.append("x" * padding + member.code)
        total_at = len(members) if TOTAL in marks else total_at
        count_at = len(members) if COUNT in marks else count_at
        names.append(name)
        members.append(member)
        end += padding + member.size
        strictest = max(strictest, align)
    codes.append("x" * (-end % strictest))
    conversions = tuple((index, m.conversion) for index, m in enumerate(members) if m.conversion is not None)
    return Layout(
        codec=Struct("".join(codes)),
        align=strictest,
        names=tuple(names),
        members=tuple(members),
        conversions=conversions,
        total_at=total_at,
        count_at=count_at,
        tail_name=tail_name,
        tail=tail,
    )


def _misfit(struct: CStruct, values: list[Any]) -> str:
    """Which of the values, already encoded, its member cannot hold."""
    for name, member, value in zip(struct.LAYOUT.names, struct.LAYOUT.members, values, strict=True):
        try:
            Struct("=" + member.code).pack(value)
        except struct_error:
            return f"{type(struct).__name__}.{name}: {value!r} is no {member.name}"
    raise AssertionError("each value fits its member, so all fit the struct")
