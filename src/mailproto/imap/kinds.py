"""What arguments are made of, in commands, response codes and SEARCH keys alike.

Each of those is a name with arguments behind it.  What a field is on the wire is said
once, by its kind:

    @dataclass(frozen=True, slots=True)
    class Rename(ImapCommand[Reply]):
        verb = b"RENAME"
        mailbox: kinds.Mailbox
        to: kinds.Mailbox

By it the field is checked when the value is made, written, and read.  A new kind is
what checks, writes and takes one; one that only one class has stands beside that class.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import MISSING, fields
from datetime import date, datetime
from functools import cache
from typing import Annotated, Any, ClassVar, NamedTuple, Self, TypeVar, get_type_hints

from .grammar import (
    MAX_NUMBER,
    Cursor,
    Fragment,
    NumberSet,
    SequenceSet,
    UidSet,
    check_atom,
    check_flag,
    check_name,
    check_text,
    write_astring,
    write_date,
    write_flags,
    write_list_mailbox,
    write_mailbox,
)
from .tokens import Parameter, take_parameters, write_parameters

K = TypeVar("K")


class Kind(NamedTuple):
    """One kind of argument, without the space before it."""

    #: of the value and what it is called; gives what is kept, ``None`` if that is the
    #: value itself; raises ValueError
    check: Callable[[Any, str], Any]
    write: Callable[[Any], Fragment | list[Fragment]]
    take: Callable[[Any], Any]
    #: what it begins with, space included, if it may be missing
    opens: bytes = b""


class _Row(NamedTuple):
    """A field of a class: what sets it, its kind, and what it is if it is missing."""

    name: str
    put: Callable[[Any, Any], None]
    kind: Kind
    default: Any


def _find_rows(kind: type[Any]) -> list[_Row]:
    """The fields that have a kind, as they follow one another on the wire."""
    hints = get_type_hints(kind, include_extras=True)
    known = {
        field.name: _Row(
            field.name,
            getattr(kind, field.name).__set__,
            hints[field.name].__metadata__[0],
            None if field.default is MISSING else field.default,
        )
        for field in fields(kind)
        if hasattr(hints[field.name], "__metadata__")
    }
    return [known[name] for name in kind.wire or known]


def _find_setters(kind: type[Any]) -> list[Any]:
    return [getattr(kind, field.name).__set__ for field in fields(kind)]


# There are as many as classes, which are hashable, whatever mypy says.
_rows: Callable[[type[Any]], list[_Row]] = cache(_find_rows)  # type: ignore[assignment]
_setters: Callable[[type[Any]], list[Any]] = cache(_find_setters)  # type: ignore[assignment]


def unchecked(kind: type[K], *values: object) -> K:
    """A *kind* with those fields, all of them, which have been checked by reading."""
    made = kind.__new__(kind)
    setters = _setters(kind)
    for setter, value in zip(setters, values, strict=True):
        setter(made, value)
    return made


class Formed:
    """A frozen dataclass whose fields are arguments, each behind a space."""

    __slots__ = ()

    #: the fields as they follow one another on the wire, if that is another order
    wire: ClassVar[tuple[str, ...]] = ()

    def __post_init__(self) -> None:
        for name, put, kind, _ in _rows(type(self)):
            kept = kind.check(getattr(self, name), name)
            if kept is not None:
                put(self, kept)

    def arguments(self) -> Iterable[Fragment]:
        """What stands behind the name, the first space included."""
        written: list[Fragment] = []
        for name, _, kind, _ in _rows(type(self)):
            value = getattr(self, name)
            if value or not kind.opens:
                said = kind.write(value)
                written += [b" ", *said] if isinstance(said, list) else [b" ", said]
        return written

    @classmethod
    def take(cls, cursor: Cursor, *known: object) -> Self:
        """The value whose arguments begin at *cursor*, but for those *known*."""
        made = cls.__new__(cls)
        rows = _rows(cls)
        for (_, put, _, _), value in zip(rows, known, strict=False):
            put(made, value)
        for _, put, kind, default in rows[len(known) :]:
            if kind.opens and not cursor.data.startswith(kind.opens, cursor.at):
                put(made, default)
                continue
            cursor.expect_space()
            put(made, kind.take(cursor))
        return made


def check_number(number: int, what: str, least: int = 0) -> None:
    """Raise ValueError for what is no number of 32 bits."""
    if not least <= number <= MAX_NUMBER:
        raise ValueError(f"{what} is from {least} to {MAX_NUMBER}")


def _check_name(name: str, what: str) -> str:
    return check_name(name)


def _check_set(kind: type[NumberSet]) -> Callable[[Any, str], None]:
    def check(value: object, what: str) -> None:
        if not isinstance(value, kind):
            raise ValueError(f"{what}: a {kind.__name__} is expected")

    return check


def _write_word(word: str) -> bytes:
    return word.encode("ascii")


Atom = Annotated[str, Kind(check_atom, _write_word, Cursor.take_atom)]
Text = Annotated[str, Kind(check_text, write_astring, Cursor.take_text)]

Mailbox = Annotated[str, Kind(_check_name, write_mailbox, Cursor.take_mailbox)]
#: a mailbox name with wildcards
Pattern = Annotated[
    str,
    Kind(_check_name, write_list_mailbox, Cursor.take_list_mailbox),
]

Number = Annotated[int, Kind(check_number, b"%d".__mod__, Cursor.take_number)]
#: nz-number: from 1 on
Counting = Annotated[
    int,
    Kind(
        lambda number, what: check_number(number, what, 1),
        b"%d".__mod__,
        lambda cursor: cursor.take_number(least=1),
    ),
]

Numbers = Annotated[
    SequenceSet,
    Kind(
        _check_set(SequenceSet),
        SequenceSet.write,
        lambda cursor: cursor.take_set(SequenceSet),
    ),
]
Uids = Annotated[
    UidSet,
    Kind(_check_set(UidSet), UidSet.write, lambda cursor: cursor.take_set(UidSet)),
]
#: either of them: the verb tells which one is read
AnyMessages = Annotated[
    SequenceSet | UidSet, Kind(_check_set(NumberSet), NumberSet.write, Cursor.take_set)
]

#: a day; of a moment, the day where it is
Day = Annotated[
    date,
    Kind(
        lambda day, _: day.date() if isinstance(day, datetime) else None,
        write_date,
        Cursor.take_date,
    ),
]

#: flags in parentheses, which may be missing
Flags = Annotated[
    tuple[str, ...],
    Kind(
        lambda flags, _: tuple(map(check_flag, flags)),
        write_flags,
        Cursor.take_flags,
        b" (",
    ),
]
#: what extensions add, in parentheses
Parameters = Annotated[
    tuple[Parameter, ...],
    Kind(lambda parameters, _: None, write_parameters, take_parameters, b" ("),
]
