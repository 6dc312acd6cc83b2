"""FETCH: what a server tells of a message (RFC 3501 7.4.2).

    * 23 FETCH (UID 4 FLAGS (\\Seen) RFC822.SIZE 44827 BODY[TEXT]<0> {5}
    abcde)

A kind of data item is one entry in ``KINDS``: how its value is read and written, and,
if it is to be fast, its regular expression (see ``quick``).  One that has none is kept
as it came.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, Final, Self, TypeAlias

from .._text import write_text
from .codes import Data, take_flags
from .dates import check_date_time, read_date_time, write_date_time
from .envelope import ENVELOPE, Envelope, read_envelope, take_envelope
from .grammar import (
    Fragment,
    GrammarError,
    Literal,
    Section,
    Streamed,
    check_flag,
    few_flags,
    inline,
)
from .mailboxes import MAX_64, Raw
from .quirks import Quirk, Reader
from .sets import MAX_NUMBER
from .structure import (
    Structure,
    read_structure,
    take_structure,
    write_structure,
)

#: by its name in capitals, with section and origin: ``BODY[HEADER.FIELDS (DATE)]<0>``
Items: TypeAlias = dict[str, Any]


@dataclass(slots=True, init=False)
class FetchData(Data):
    """RFC 3501 7.4.2: data of the message that has this number now.

    S: * 12 FETCH (FLAGS (\\Seen) UID 4827313 RFC822.SIZE 44827)

    *items* has their values by their names: ``int`` (UID, RFC822.SIZE, MODSEQ), a tuple
    of ``str`` (FLAGS), ``datetime`` (INTERNALDATE), Envelope, BodyPart or Multipart
    (BODY, BODYSTRUCTURE); ``bytes`` or ``None`` for what is in the message, and
    ``Streamed`` where those came in Chunks; a Raw for what is not known.

    It is made by the hundred thousand, and so it is not frozen and checks itself when
    it is written only.  It is not to be changed all the same.
    """

    label = b"FETCH"
    of_messages = True
    number: int
    items: Items

    def __init__(self, number: int, items: Items) -> None:
        self.number = number
        self.items = items

    @classmethod
    def of(cls, number: int, **items: Any) -> Self:
        """``FetchData.of(1, uid=4, flags=())``, by the names of the properties."""
        made = cls(number, {_NAMES[name]: value for name, value in items.items()})
        made.fragments()  # raises ValueError
        return made

    @property
    def uid(self) -> int | None:
        return self.items.get("UID")

    @property
    def flags(self) -> tuple[str, ...] | None:
        return self.items.get("FLAGS")

    @property
    def date(self) -> datetime | None:
        return self.items.get("INTERNALDATE")

    @property
    def size(self) -> int | None:
        return self.items.get("RFC822.SIZE")

    @property
    def modseq(self) -> int | None:
        return self.items.get("MODSEQ")

    @property
    def envelope(self) -> Envelope | None:
        return self.items.get("ENVELOPE")

    @property
    def structure(self) -> Structure | None:
        """BODYSTRUCTURE, or else BODY."""
        items = self.items
        found: Structure | None = items.get("BODYSTRUCTURE") or items.get("BODY")
        return found

    def body(
        self, section: Section | str = "", origin: int | None = None
    ) -> bytes | Streamed | None:
        """The octets of a section, ``"1.HEADER"``; *origin* is where a part begins."""
        if isinstance(section, str):
            section = Section.read(f"[{section}]".encode("ascii", "replace"))
        name = name_of("BODY", section, origin)
        found: bytes | Streamed | None = self.items.get(name)
        return found

    def fragments(self) -> list[Fragment]:
        """The whole response; raises ValueError for what cannot be said."""
        if not 1 <= self.number <= MAX_NUMBER:
            raise ValueError("the number of a message is from 1 on")
        if not self.items:
            raise ValueError("FETCH tells one data item at least")
        written: list[Fragment] = []
        for name, value in self.items.items():
            written.append(b" " if written else b"* %d FETCH (" % self.number)
            written += _write_item(name, value)
        return [*written, b")\r\n"]

    def write(self) -> bytes:
        return inline(self.fragments())

    @classmethod
    def read(cls, reader: Reader) -> Self:
        """Of all from the number on."""
        number = reader.take_count(least=1)
        take_label(reader)
        return cls(number, _take_items(reader))


_NAMES: Final = {
    "uid": "UID", "flags": "FLAGS", "date": "INTERNALDATE", "size": "RFC822.SIZE",
    "modseq": "MODSEQ", "envelope": "ENVELOPE", "structure": "BODYSTRUCTURE",
}  # fmt: skip


def name_of(item: str, section: Section | None, origin: int | None = None) -> str:
    """What an item is called in ``items``: ``BODY[1.TEXT]<0>``."""
    where = "" if section is None else section.write().decode("ascii")
    return f"{item}{where}" if origin is None else f"{item}{where}<{origin}>"


# -- kinds of items --------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Kind:
    """How the value of a data item is read and written.

    What *pattern* matches is the value where it is plain, and its one group is for
    *make*, which raises ValueError where the grammar is to look.  *last* is one for
    where no item follows, if that makes a difference.
    """

    take: Callable[[Reader], Any]
    write: Callable[[Any], list[Fragment]]
    make: Callable[[Any], Any] = bytes
    pattern: bytes = b""
    last: bytes = b""


def _take_uid(reader: Reader) -> int:
    return reader.take_count(least=1)


def _write_uid(uid: int) -> list[Fragment]:
    return [_digits(uid, 1, MAX_NUMBER)]


def _digits(number: int, least: int, most: int) -> bytes:
    if not least <= number <= most:
        raise ValueError(f"a number from {least} to {most} is expected")
    return b"%d" % number


def _take_size(reader: Reader) -> int:
    start = reader.at
    number = reader.take_count(MAX_64)
    if number > MAX_NUMBER:
        after, reader.at = reader.at, start
        reader.tolerate(Quirk.LARGE_NUMBER)
        reader.at = after
    return number


def _write_size(size: int) -> list[Fragment]:
    return [_digits(size, 0, MAX_64)]


def _write_flags(flags: Iterable[str]) -> list[Fragment]:
    return [write_text(f"({' '.join(map(check_flag, flags))})")]


def _take_date(reader: Reader) -> datetime | None:
    if reader.accept_nil():
        reader.tolerate(Quirk.NIL)
        return None
    text = reader.take_quoted()
    try:
        return read_date_time(text)
    except ValueError:
        reader.tolerate(Quirk.ODD_DATE)
    try:
        return read_date_time(text.strip().rjust(26))
    except ValueError:
        return None


def _write_date(date: datetime) -> list[Fragment]:
    return [b'"%b"' % write_date_time(check_date_time(date))]


def _take_modseq(reader: Reader) -> int:
    if reader.peek() != b"(":
        reader.tolerate(Quirk.BARE_MODSEQ)
        return reader.take_count(MAX_64)
    reader.expect(b"(")
    number = reader.take_count(MAX_64, 1)
    reader.expect_close()
    return number


def _write_modseq(modseq: int) -> list[Fragment]:
    return [b"(%b)" % _digits(modseq, 1, MAX_64)]


def _take_body(reader: Reader) -> bytes | Streamed | None:
    return reader.take_body()


def _write_body(data: bytes | Streamed | None) -> list[Fragment]:
    """A literal even where a quoted string would do: curl and imaplib know no other."""
    return [Literal(data) if isinstance(data, bytes) else data or b"NIL"]


def _octets(data: bytes | Streamed) -> bytes | Streamed:
    if isinstance(data, bytes) and b"\0" in data:
        raise ValueError("this is for the grammar")
    return data


def _take_binary(reader: Reader) -> bytes | Streamed | None:
    if reader.peek() == b"~":
        return reader.take_announced(binary=True)
    return reader.take_body()


def _write_binary(data: bytes | Streamed | None) -> list[Fragment]:
    if isinstance(data, bytes) and b"\0" in data:
        return [Literal(data, binary=True)]
    return _write_body(data)


# What each of them looks like where it is plain.
_NUMBER: Final = rb"([0-9]{1,9}+)"
_COUNTING: Final = rb"([1-9][0-9]{0,8}+)"
_DATE: Final = rb'"([^"]{26}+)"'
_MODSEQ: Final = rb"\(([1-9][0-9]{0,17}+)\)"
_FLAGS: Final = rb"\(([^)]{0,200}+)\)"
#: all up to the end of the line
_REST: Final = rb"(\([^\r]*\))"
#: as many octets follow the line
COUNTED: Final = rb"\{([0-9]{1,9}+)\}"

_PARTS: Final = Kind(take_structure, write_structure, read_structure, last=_REST)
_BODY: Final = Kind(_take_body, _write_body, _octets, last=COUNTED)

KINDS: Final[dict[str, Kind]] = {
    "UID": Kind(_take_uid, _write_uid, int, _COUNTING),
    "FLAGS": Kind(take_flags, _write_flags, few_flags, _FLAGS),
    "INTERNALDATE": Kind(_take_date, _write_date, read_date_time, _DATE),
    "RFC822.SIZE": Kind(_take_size, _write_size, int, _NUMBER),
    "MODSEQ": Kind(_take_modseq, _write_modseq, int, _MODSEQ),
    "ENVELOPE": Kind(take_envelope, Envelope.write, read_envelope, ENVELOPE, _REST),
    "BODY": _PARTS,
    "BODYSTRUCTURE": _PARTS,
    "RFC822": _BODY,
    "RFC822.HEADER": _BODY,
    "RFC822.TEXT": _BODY,
}
#: the same for those with a section
SECTIONED: Final[dict[str, Kind]] = {
    "BODY": _BODY,
    "BINARY": Kind(_take_binary, _write_binary),
    "BINARY.SIZE": Kind(_take_size, _write_size),
}


# -- items -----------------------------------------------------------------------

_ITEM: Final = re.compile(rb"[A-Za-z0-9][A-Za-z0-9._-]*+")
_PLAIN: Final = re.compile(
    _ITEM.pattern + rb"(?:\[[A-Za-z0-9. ()_-]*+\])?+(?:<[0-9]{1,10}+>)?+(?![\[<])"
)
_ORIGIN: Final = re.compile(rb"<[0-9]{1,10}+>")
_ANY_SECTION: Final = re.compile(rb"\[[^\]\[\r\n\0\"{}\x80-\xff]*+\]")
_MAX_KEPT: Final = 200  # octets of a name that is looked up


def kind_of(name: str) -> Kind | None:
    """The kind of an item by what it is called in ``items``; raises ValueError."""
    return _find(name)[1]


def _find(name: str) -> tuple[str, Kind | None]:
    text = name.encode("ascii", "replace")
    return _few_names(text) if len(text) < _MAX_KEPT else _read_name(text)


def _read_name(text: bytes) -> tuple[str, Kind | None]:
    """What an item is called in ``items``, and its kind; raises ValueError."""
    reader = Reader(text)
    found = _take_odd_name(reader)
    reader.expect_end()
    return found


_few_names = lru_cache(maxsize=512)(_read_name)


def _take_name(reader: Reader) -> tuple[str, Kind | None]:
    plain = _PLAIN.match(reader.data, reader.at)
    if plain and len(plain[0]) < _MAX_KEPT:
        with suppress(ValueError):
            found = _few_names(plain[0])
            reader.at = plain.end()
            return found
    return _take_odd_name(reader)


def _take_odd_name(reader: Reader) -> tuple[str, Kind | None]:
    item = reader.take(_ITEM, "a data item").decode("ascii").upper()
    if reader.peek() != b"[":
        _check_bare(reader, item)
        return item, KINDS.get(item)
    kind = SECTIONED.get(item)
    where = _take_section(reader) if kind else _take_any_section(reader, item)
    if item in KINDS and not kind:
        return item, KINDS[item]
    if reader.peek() == b"<":
        where += f"<{int(reader.take(_ORIGIN, 'an origin')[1:-1])}>"
    return item + where, kind


def _check_bare(reader: Reader, item: str) -> None:
    if item in SECTIONED and item not in KINDS:
        reader.fail("a section is expected")


def _take_section(reader: Reader) -> str:
    start = reader.at
    try:
        return reader.take_section().write().decode("ascii")
    except GrammarError:
        reader.at = start
        reader.tolerate(Quirk.ODD_SECTION)
    return reader.take(_ANY_SECTION, "a section").decode("ascii").upper()


def _take_any_section(reader: Reader, item: str) -> str:
    """A section of an item that has none, or that is not known."""
    if item in KINDS:
        reader.tolerate(Quirk.ODD_SECTION)
    return reader.take(_ANY_SECTION, "a section").decode("ascii").upper()


def _write_item(name: str, value: Any) -> list[Fragment]:
    """Name and value; raises ValueError for what is none, or does not fit."""
    known, kind = _find(name)
    if known != name:
        raise ValueError(f"this data item is called {known}")
    head: list[Fragment] = [name.encode("ascii"), b" "]
    if isinstance(value, Raw):
        return [*head, value.data]
    if kind is None:
        raise ValueError(f"the value of {name} must be a Raw")
    return head + kind.write(value)


def _take_items(reader: Reader) -> Items:
    items: Items = {}
    reader.expect_space()
    reader.expect(b"(")
    reader.skip_spaces()
    if reader.accept(b")"):
        reader.tolerate(Quirk.EMPTY_LIST)
        return items
    while True:
        name, value = _take_item(reader)
        items[name] = value
        if reader.closes():
            return items


_NOTHING: Final = re.compile(rb" *+\)")


def _take_item(reader: Reader) -> tuple[str, Any]:
    name, kind = _take_name(reader)
    if kind is not None and kind.take is _take_body and reader.finds(_NOTHING):
        reader.tolerate(Quirk.NO_VALUE)
        return name, None
    reader.expect_space()
    return name, Raw.take(reader) if kind is None else kind.take(reader)


def take_label(reader: Reader) -> None:
    """FETCH, behind a space."""
    reader.expect_space()
    start = reader.at
    if reader.take_verb() != b"FETCH":
        reader.at = start
        reader.fail("FETCH is expected")


def streamed_item(reader: Reader) -> tuple[int, str, int | None] | None:
    """Which item of which message ends in the literal that is announced at the end.

    And the UID of that message, if it stands before it.
    """
    uid = None
    try:
        reader.expect(b"*")
        reader.expect_space()
        number = reader.take_count(least=1)
        take_label(reader)
        reader.expect_space()
        reader.expect(b"(")
        reader.skip_spaces()
        while True:
            name, value = _take_item(reader)
            if reader.at_end:
                return (number, name, uid) if isinstance(value, Streamed) else None
            if reader.closes():
                return None
            if name == "UID":
                uid = value
    except GrammarError:
        return None
