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

Most arguments are plain: no escapes, no literals.  Kinds that say what that looks like
make one regular expression of a class, which reads all of its arguments at once; the
rest is for the grammar, which comes to the same.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import fields
from datetime import date, datetime
from functools import cache, partial
from typing import Annotated, Any, ClassVar, NamedTuple, Self, TypeVar, get_type_hints

from .._values import setters
from .dates import date_of, write_date
from .grammar import (
    ATOM,
    Cursor,
    Fragment,
    check_atom,
    check_flag,
    check_text,
    write_astring,
    write_flags,
    write_list_mailbox,
    write_mailbox,
)
from .names import check_name, read_name
from .sets import MAX_NUMBER, NumberSet, SequenceSet, UidSet
from .tokens import Parameter, take_parameters, write_parameters

K = TypeVar("K")


class Kind(NamedTuple):
    """One kind of argument, without the space before it."""

    #: of the value and what it is called; gives what is kept, ``None`` if that is the
    #: value itself; raises ValueError
    check: Callable[[Any, str], Any]
    write: Callable[[Any], Fragment | list[Fragment]]
    take: Callable[[Any], Any]
    #: what it mostly looks like, as a regular expression without groups, and what makes
    #: the value of that; ValueError: it is for the grammar
    plain: bytes = b""
    make: Callable[[bytes], Any] = bytes
    #: what it begins with, space included, if it may be missing
    opens: bytes = b""
    #: the kind that it is in the UID variant of a command, if that is another
    by_uid: Any = None

    def _pattern(self) -> bytes:
        if self.opens:
            return b"(?!%b)()" % re.escape(self.opens)
        return b" (%b)" % self.plain


class _Row(NamedTuple):
    """A field of a class: what sets it, its kind, and what it is if it is missing."""

    name: str
    put: Callable[[Any, Any], None]
    kind: Kind
    default: Any


def _find_form(
    cls: type[Any], *, uid: bool = False
) -> tuple[list[_Row], re.Pattern[bytes] | None]:
    """The fields that have a kind, as they stand on the wire; what is mostly there."""
    hints = get_type_hints(cls, include_extras=True)
    rows = {}
    for field in fields(cls):
        for kind in getattr(hints[field.name], "__metadata__", ()):
            put = getattr(cls, field.name).__set__
            kind = (uid and kind.by_uid) or kind
            rows[field.name] = _Row(field.name, put, kind, field.default)
    form = [rows[name] for name in cls.wire or rows]
    if not form or not all(row.kind.opens or row.kind.plain for row in form):
        return form, None
    return form, re.compile(b"".join(row.kind._pattern() for row in form))


# There are as many as classes.
_form: Any = cache(_find_form)
_uid_form: Any = cache(partial(_find_form, uid=True))
_setters: Any = cache(setters)


def unchecked(kind: type[K], *values: object) -> K:
    """A *kind* with those fields, all of them, which have been checked by reading."""
    made = kind.__new__(kind)
    hold(made, *values)
    return made


def hold(made: object, *values: object) -> None:
    """Set the fields of a frozen value, all of them."""
    for setter, value in zip(_setters(type(made)), values, strict=True):
        setter(made, value)


class Formed:
    """A frozen dataclass whose fields are arguments, each behind a space."""

    __slots__ = ()

    #: the fields as they follow one another on the wire, if that is another order
    wire: ClassVar[tuple[str, ...]] = ()

    def __post_init__(self) -> None:
        for name, put, kind, _ in _form(type(self))[0]:
            kept = kind.check(getattr(self, name), name)
            if kept is not None:
                put(self, kept)

    def arguments(self) -> Iterable[Fragment]:
        """What stands behind the name, the first space included."""
        written: list[Fragment] = []
        for name, _, kind, _ in _form(type(self))[0]:
            value = getattr(self, name)
            if value or not kind.opens:
                said = kind.write(value)
                written += [b" ", *said] if isinstance(said, list) else [b" ", said]
        return written

    @classmethod
    def take(cls, cursor: Cursor, uid: bool = False) -> Self:
        """The value whose arguments begin at *cursor*; *uid*: of a UID variant."""
        made = cls.__new__(cls)
        rows, plain = _uid_form(cls) if uid else _form(cls)
        found = plain.match(cursor.data, cursor.at) if plain else None
        if found:
            try:
                for (_, put, kind, default), text in zip(rows, found.groups()):  # noqa: B905
                    put(made, default if kind.opens else kind.make(text))
                cursor.at = found.end()
                return made
            except ValueError:
                pass  # the grammar knows what is wrong, and where
        for _, put, kind, default in rows:
            if kind.opens and not cursor.data.startswith(kind.opens, cursor.at):
                put(made, default)
                continue
            cursor.expect_space()
            put(made, kind.take(cursor))
        return made


# -- the kinds -------------------------------------------------------------------


def check_number(number: int, what: str, least: int = 0) -> None:
    """Raise ValueError for what is no number of 32 bits."""
    if not least <= number <= MAX_NUMBER:
        raise ValueError(f"{what} is from {least} to {MAX_NUMBER}")


def _check_set(kind: type[NumberSet]) -> Callable[[Any, str], None]:
    def check(value: object, what: str) -> None:
        if not isinstance(value, kind):
            raise ValueError(f"{what}: a {kind.__name__} is expected")

    return check


def check_mailbox(name: str, what: str) -> str:
    return check_name(name)


def check_flags(flags: Iterable[str], what: str) -> tuple[str, ...]:
    return tuple(map(check_flag, flags))


def _check_atoms(words: tuple[str, ...], what: str) -> tuple[str, ...]:
    for word in words:
        check_atom(word, f"one of the {what}")
    if not words:
        raise ValueError(f"{what}: one at least is asked for")
    return tuple(word.upper() for word in words)


def _read_atoms(words: bytes) -> tuple[str, ...]:
    return tuple(words.strip(b"()").decode("ascii").upper().split(" "))


def _string(word: bytes) -> bytes:
    return word[1:-1] if word[:1] == b'"' else word


_WORD = rb"[%b]++" % ATOM
_WORDS = rb"%b(?: %b)*+" % (_WORD, _WORD)
_QUOTED = rb'"[^"\\\r\n\0\x80-\xff]*+"(?=[ )]|\Z)'
_ASTRING = rb"[%b\]]++|%b" % (ATOM, _QUOTED)
_PATTERN = rb"[%b\]%%*]++|%b" % (ATOM, _QUOTED)
_SET = rb"[0-9:,*]++"
_words, _list = re.compile(_WORDS), re.compile(rb"\(%b\)" % _WORDS)

# fmt: off
Atom = Annotated[str, Kind(
    check_atom, str.encode, Cursor.take_atom, _WORD, lambda word: word.decode("ascii")
)]
#: atoms in capitals, one at least
Atoms = Annotated[tuple[str, ...], Kind(
    _check_atoms, lambda words: " ".join(words).encode("ascii"),
    lambda cursor: _read_atoms(cursor.take(_words, "an atom")),
)]
#: the same in parentheses
AtomList = Annotated[tuple[str, ...], Kind(
    _check_atoms, write_flags,
    lambda cursor: _read_atoms(cursor.take(_list, "a list of atoms")),
    _list.pattern, _read_atoms,
)]
Text = Annotated[str, Kind(
    check_text, write_astring, Cursor.take_text,
    _ASTRING, lambda word: _string(word).decode("ascii"),
)]
Mailbox = Annotated[str, Kind(
    check_mailbox, write_mailbox, Cursor.take_mailbox,
    _ASTRING, lambda word: read_name(_string(word)),
)]
#: a mailbox name with wildcards
Pattern = Annotated[str, Kind(
    check_mailbox, write_list_mailbox, Cursor.take_list_mailbox,
    _PATTERN, lambda word: read_name(_string(word)),
)]
Number = Annotated[int, Kind(
    check_number, b"%d".__mod__, Cursor.take_number, rb"[0-9]{1,9}+(?![0-9])", int
)]
#: nz-number: from 1 on
Counting = Annotated[int, Kind(
    lambda number, what: check_number(number, what, 1), b"%d".__mod__,
    lambda cursor: cursor.take_number(least=1), rb"[1-9][0-9]{0,8}+(?![0-9])", int,
)]
#: a day; of a moment, the day where it is
Day = Annotated[date, Kind(
    lambda day, _: day.date() if isinstance(day, datetime) else None, write_date,
    Cursor.take_date,
    rb"[0-9]{1,2}-[A-Za-z]{3}-[0-9]{4}", lambda day: date_of(*day.split(b"-")),
)]
UIDS = Kind(
    _check_set(UidSet), UidSet.write, lambda cursor: cursor.take_set(UidSet),
    _SET, UidSet.read,
)
Uids = Annotated[UidSet, UIDS]
#: by number, or by UID: then the command is the UID variant
AnyMessages = Annotated[SequenceSet | UidSet, Kind(
    _check_set(NumberSet), NumberSet.write, lambda cursor: cursor.take_set(SequenceSet),
    _SET, SequenceSet.read, by_uid=UIDS,
)]
#: flags in parentheses, which may be missing
Flags = Annotated[tuple[str, ...], Kind(
    check_flags, write_flags, Cursor.take_flags, opens=b" ("
)]
#: what extensions add, in parentheses
Parameters = Annotated[tuple[Parameter, ...], Kind(
    lambda parameters, _: None, write_parameters, take_parameters, opens=b" ("
)]
# fmt: on
