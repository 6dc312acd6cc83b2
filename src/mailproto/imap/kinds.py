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

from .dates import read_date
from .grammar import (
    ATOM,
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
from .names import read_name
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
    #: what it mostly looks like, as a regular expression without groups, and what makes
    #: the value of that; ValueError: it is for the grammar
    plain: bytes = b""
    make: Callable[[bytes], Any] = bytes
    #: the kind that it is in the UID variant of a command, if that is another
    by_uid: Any = None


class _Row(NamedTuple):
    """A field of a class: what sets it, its kind, and what it is if it is missing."""

    name: str
    put: Callable[[Any, Any], None]
    kind: Kind
    default: Any


class _Form(NamedTuple):
    """The fields that have a kind, as they follow one another on the wire."""

    rows: list[_Row]
    #: what they mostly look like; for each what sets it, and what makes its value
    plain: re.Pattern[bytes] | None
    puts: list[Callable[[Any, Any], None]]
    makes: list[Callable[[bytes], Any]]


def _find_form(cls: type[Any], *, uid: bool = False) -> _Form:
    hints = get_type_hints(cls, include_extras=True)
    rows = {}
    for field in fields(cls):
        for kind in getattr(hints[field.name], "__metadata__", ()):
            put = getattr(cls, field.name).__set__
            kind = (uid and kind.by_uid) or kind
            rows[field.name] = _Row(field.name, put, kind, field.default)
    form = [rows[name] for name in cls.wire or rows]
    if not form or not all(row.kind.opens or row.kind.plain for row in form):
        return _Form(form, None, [], [])
    plain = b""
    makes: list[Callable[[bytes], Any]] = []
    for _, _, kind, default in form:
        if kind.opens:
            plain += b"(?!%b)()" % re.escape(kind.opens)
            makes.append(partial(_missing, default))
        else:
            plain += b" (%b)" % kind.plain
            makes.append(kind.make)
    return _Form(form, re.compile(plain), [row.put for row in form], makes)


def _missing(default: object, nothing: bytes) -> object:
    return default


def _find_setters(cls: type[Any]) -> list[Any]:
    return [getattr(cls, field.name).__set__ for field in fields(cls)]


# There are as many as classes, which are hashable, whatever mypy says.
_form: Callable[[type[Any]], _Form] = cache(_find_form)  # type: ignore[assignment]
_uid_form: Callable[[type[Any]], _Form] = cache(partial(_find_form, uid=True))  # type: ignore[assignment]
_setters: Callable[[type[Any]], list[Any]] = cache(_find_setters)  # type: ignore[assignment]


def unchecked(kind: type[K], *values: object) -> K:
    """A *kind* with those fields, all of them, which have been checked by reading."""
    made = kind.__new__(kind)
    for setter, value in zip(_setters(kind), values, strict=True):
        setter(made, value)
    return made


class Formed:
    """A frozen dataclass whose fields are arguments, each behind a space."""

    __slots__ = ()

    #: the fields as they follow one another on the wire, if that is another order
    wire: ClassVar[tuple[str, ...]] = ()

    def __post_init__(self) -> None:
        for name, put, kind, _ in _form(type(self)).rows:
            kept = kind.check(getattr(self, name), name)
            if kept is not None:
                put(self, kept)

    def arguments(self) -> Iterable[Fragment]:
        """What stands behind the name, the first space included."""
        written: list[Fragment] = []
        for name, _, kind, _ in _form(type(self)).rows:
            value = getattr(self, name)
            if value or not kind.opens:
                said = kind.write(value)
                written += [b" ", *said] if isinstance(said, list) else [b" ", said]
        return written

    @classmethod
    def take(cls, cursor: Cursor, *, uid: bool = False) -> Self:
        """The value whose arguments begin at *cursor*; *uid*: of a UID variant."""
        made = cls.__new__(cls)
        rows, plain, puts, makes = _uid_form(cls) if uid else _form(cls)
        found = plain.match(cursor.data, cursor.at) if plain else None
        if found:
            try:
                for put, make, text in zip(puts, makes, found.groups()):  # noqa: B905
                    put(made, make(text))
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

_QUOTED = rb'"[^"\\\r\n\0\x80-\xff]*+"(?=[ )]|\Z)'
_ASTRING = rb"[%b\]]++|%b" % (ATOM, _QUOTED)
_PATTERN = rb"[%b\]%%*]++|%b" % (ATOM, _QUOTED)
_SET = rb"[0-9:*,]++"
_ATOMS = rb"[%b]++(?: [%b]++)*+" % (ATOM, ATOM)
_atoms = re.compile(_ATOMS)
_listed = re.compile(rb"\(%b\)" % _ATOMS)


def _string(word: bytes) -> bytes:
    return word[1:-1] if word[:1] == b'"' else word


def check_number(number: int, what: str, least: int = 0) -> None:
    """Raise ValueError for what is no number of 32 bits."""
    if not least <= number <= MAX_NUMBER:
        raise ValueError(f"{what} is from {least} to {MAX_NUMBER}")


def _check_set(kind: type[NumberSet]) -> Callable[[Any, str], None]:
    def check(value: object, what: str) -> None:
        if not isinstance(value, kind):
            raise ValueError(f"{what}: a {kind.__name__} is expected")

    return check


def _check_name(name: str, what: str) -> str:
    return check_name(name)


def _check_atoms(words: tuple[str, ...], what: str) -> tuple[str, ...]:
    for word in words:
        check_atom(word, f"one of the {what}")
    if not words:
        raise ValueError(f"{what}: one at least is asked for")
    return tuple(word.upper() for word in words)


def _read_atoms(words: bytes) -> tuple[str, ...]:
    return tuple(words.decode("ascii").upper().split(" "))


Atom = Annotated[
    str,
    Kind(
        check_atom,
        lambda word: word.encode("ascii"),
        Cursor.take_atom,
        plain=rb"[%b]++" % ATOM,
        make=lambda word: word.decode("ascii"),
    ),
]
#: atoms in capitals, one at least
Atoms = Annotated[
    tuple[str, ...],
    Kind(
        _check_atoms,
        lambda words: " ".join(words).encode("ascii"),
        lambda cursor: _read_atoms(cursor.take(_atoms, "an atom")),
    ),
]
#: the same in parentheses
AtomList = Annotated[
    tuple[str, ...],
    Kind(
        _check_atoms,
        write_flags,
        lambda cursor: _read_atoms(cursor.take(_listed, "a list of atoms")[1:-1]),
        plain=_listed.pattern,
        make=lambda words: _read_atoms(words[1:-1]),
    ),
]
Text = Annotated[
    str,
    Kind(
        check_text,
        write_astring,
        Cursor.take_text,
        plain=_ASTRING,
        make=lambda word: _string(word).decode("ascii"),
    ),
]
Mailbox = Annotated[
    str,
    Kind(
        _check_name,
        write_mailbox,
        Cursor.take_mailbox,
        plain=_ASTRING,
        make=lambda word: read_name(_string(word)),
    ),
]
#: a mailbox name with wildcards
Pattern = Annotated[
    str,
    Kind(
        _check_name,
        write_list_mailbox,
        Cursor.take_list_mailbox,
        plain=_PATTERN,
        make=lambda word: read_name(_string(word)),
    ),
]
Number = Annotated[
    int,
    Kind(
        check_number,
        b"%d".__mod__,
        Cursor.take_number,
        plain=rb"[0-9]{1,9}+(?![0-9])",
        make=int,
    ),
]
#: nz-number: from 1 on
Counting = Annotated[
    int,
    Kind(
        lambda number, what: check_number(number, what, 1),
        b"%d".__mod__,
        lambda cursor: cursor.take_number(least=1),
        plain=rb"[1-9][0-9]{0,8}+(?![0-9])",
        make=int,
    ),
]
UIDS = Kind(
    _check_set(UidSet),
    UidSet.write,
    lambda cursor: cursor.take_set(UidSet),
    plain=_SET,
    make=UidSet.read,
)
Uids = Annotated[UidSet, UIDS]
#: by number, or by UID: then the command is the UID variant
AnyMessages = Annotated[
    SequenceSet | UidSet,
    Kind(
        _check_set(NumberSet),
        NumberSet.write,
        lambda cursor: cursor.take_set(SequenceSet),
        plain=_SET,
        make=SequenceSet.read,
        by_uid=UIDS,
    ),
]
#: a day; of a moment, the day where it is
Day = Annotated[
    date,
    Kind(
        lambda day, _: day.date() if isinstance(day, datetime) else None,
        write_date,
        Cursor.take_date,
        plain=rb"[0-9]{1,2}-[A-Za-z]{3}-[0-9]{4}",
        make=read_date,
    ),
]
#: flags in parentheses, which may be missing
Flags = Annotated[
    tuple[str, ...],
    Kind(
        lambda flags, _: tuple(map(check_flag, flags)),
        write_flags,
        Cursor.take_flags,
        opens=b" (",
    ),
]
#: what extensions add, in parentheses
Parameters = Annotated[
    tuple[Parameter, ...],
    Kind(lambda parameters, _: None, write_parameters, take_parameters, opens=b" ("),
]
