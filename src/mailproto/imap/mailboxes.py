"""What an IMAP server tells of mailboxes, selected or not (RFC 3501 7.2, RFC 2342).

* LIST (\\Noselect) "/" foo           ListData
* LSUB () "." #news.comp             LsubData
* STATUS foo (MESSAGES 231)          StatusData
* NAMESPACE (("" "/")) NIL NIL       NamespaceData
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Final, Self

from .._text import read_text, write_text
from . import kinds
from .codes import Data, take_flags, write_odd_flags
from .grammar import (
    Cursor,
    Fragment,
    GrammarError,
    check_atom,
    check_flag,
    check_text,
    write_mailbox,
    write_nstring,
    write_quoted,
)
from .kinds import unchecked
from .lines import check_raw
from .names import check_name, read_name, write_name
from .quirks import Quirk, Reader
from .tokens import Token, take_token, write_tokens

MAX_64: Final = 2**63 - 1  # RFC 7162 7, mod-sequence-value; RFC 9051 9, number64


def _check_attributes(attributes: tuple[str, ...], what: str) -> None:
    for attribute in attributes:
        check_flag(attribute)
        if attribute[:1] != "\\":
            raise ValueError("an attribute begins with a backslash")


def _take_attributes(reader: Reader) -> tuple[str, ...]:
    start = reader.at
    attributes = take_flags(reader)
    if not all(attribute[:1] == "\\" for attribute in attributes):
        after, reader.at = reader.at, start
        reader.tolerate(Quirk.ODD_FLAG)
        reader.at = after
    return attributes


def _check_delimiter(delimiter: str | None, what: str) -> None:
    if delimiter is not None:
        write_quoted(delimiter.encode("ascii", "replace"))
        if len(delimiter) != 1 or not delimiter.isascii():
            raise ValueError("a delimiter is one character of ASCII")


def _take_delimiter(reader: Reader) -> str | None:
    if reader.accept_nil():
        return None
    delimiter = read_text(reader.take_quoted())
    if len(delimiter) != 1:
        reader.tolerate(Quirk.ODD_DELIMITER)
    return delimiter or None


_UNQUOTED: Final = re.compile(rb"[^\r\n\0\"(){}]++\Z")
_AFTER_NAME: Final = re.compile(rb" \(| *+\Z")


def _take_listed(reader: Reader) -> str:
    start = reader.at
    bare = _UNQUOTED.match(reader.data, start)
    name = bare[0] if bare and not bare[0].isascii() else reader.take_astring()
    if not reader.finds(_AFTER_NAME):
        reader.at = start
        reader.tolerate(Quirk.UNQUOTED_NAME)
        name = reader.take(_UNQUOTED, "a mailbox name").rstrip(b" ")
    return read_name(name)


# fmt: off
_Attributes = Annotated[tuple[str, ...], kinds.Kind(
    _check_attributes, write_odd_flags, _take_attributes
)]
_Delimiter = Annotated[str | None, kinds.Kind(
    _check_delimiter, write_nstring, _take_delimiter
)]
_Listed = Annotated[str, kinds.Kind(kinds.check_mailbox, write_mailbox, _take_listed)]
_Extended = Annotated[bytes, kinds.Kind(
    lambda raw, _: check_raw(raw), bytes, Reader.take_rest, opens=b" ("
)]
# fmt: on


@dataclass(frozen=True, slots=True)
class ListData(Data):
    """RFC 3501 7.2.2: a mailbox.

    S: * LIST (\\Noselect) "/" ~/Mail/foo

    *attributes* are as they came; ``has`` does not mind case.  *delimiter* is ``None``
    where there is no hierarchy.  *extended* is what an extension adds, as it came.
    """

    label = b"LIST"
    wire = ("attributes", "delimiter", "mailbox", "extended")
    mailbox: _Listed
    delimiter: _Delimiter = None
    attributes: _Attributes = ()
    extended: _Extended = b""

    def has(self, attribute: str) -> bool:
        """Whether it has ``"\\Noselect"``, say."""
        return attribute.lower() in map(str.lower, self.attributes)


class LsubData(ListData):
    """RFC 3501 7.2.3: a mailbox that is subscribed to.

    S: * LSUB () "." #news.comp.mail.misc
    """

    __slots__ = ()
    label = b"LSUB"


@dataclass(frozen=True, slots=True)
class Raw:
    """What an extension says, byte by byte: a number, a string, a list (RFC 4466 2)."""

    data: bytes

    def __post_init__(self) -> None:
        check_raw(self.data)
        cursor = Cursor(self.data)
        take_token(cursor)
        cursor.expect_end()

    @property
    def token(self) -> Token:
        """The same, taken apart: words are text, strings ``bytes``, lists tuples."""
        return take_token(Cursor(self.data))

    @classmethod
    def take(cls, reader: Reader) -> Self:
        start = reader.at
        take_token(reader)
        return unchecked(cls, reader.between(start, reader.at))


_BARE_NAME: Final = re.compile(rb"[^\r\n\0\"(){}]++(?=\()")
_LIST: Final = re.compile(rb" ++\(")


def _take_status_mailbox(reader: Reader) -> str:
    start = reader.at
    try:
        name = reader.take_astring()
        if reader.finds(_LIST):
            return read_name(name)
    except GrammarError:
        pass
    reader.at = start
    name = reader.take(_BARE_NAME, "a mailbox name").rstrip(b" ")
    reader.at = start
    reader.tolerate(Quirk.UNQUOTED_NAME)
    reader.at += len(name)
    return read_name(name)


def _check_status(items: Mapping[str, int | Raw], what: str) -> None:
    for name, value in items.items():
        check_atom(name, "a status item")
        if not isinstance(value, Raw) and not 0 <= value <= MAX_64:
            raise ValueError(f"a status item is from 0 to {MAX_64}")


def _write_status(items: Mapping[str, int | Raw]) -> bytes:
    values = (v.data if isinstance(v, Raw) else b"%d" % v for v in items.values())
    words = zip((name.encode("ascii") for name in items), values, strict=True)
    return b"(%b)" % b" ".join(map(b" ".join, words))


#: RFC 3501 9, status-att-list, erratum 261; of 32 bits, and two of them from 1 on
_STATUS_LEAST: Final = {
    "MESSAGES": 0, "RECENT": 0, "UNSEEN": 0, "UIDNEXT": 1, "UIDVALIDITY": 1,
}  # fmt: skip
_IS_COUNT: Final = re.compile(rb"-?[0-9]{1,19}+(?=[ )])")


def _take_status(reader: Reader) -> dict[str, int | Raw]:
    return dict(() if reader.accept(b"()") else reader.take_list(_take_status_item))


def _take_status_item(reader: Reader) -> tuple[str, int | Raw]:
    name = reader.take_atom().upper()
    reader.expect_space()
    least = _STATUS_LEAST.get(name)
    if least is not None:
        return name, reader.take_count(least=least)
    if reader.finds(_IS_COUNT):
        return name, reader.take_count(MAX_64)
    return name, Raw.take(reader)


# fmt: off
_OfStatus = Annotated[str, kinds.Kind(
    kinds.check_mailbox, write_mailbox, _take_status_mailbox
)]
_StatusItems = Annotated[Mapping[str, int | Raw], kinds.Kind(
    _check_status, _write_status, _take_status
)]
# fmt: on


@dataclass(frozen=True, slots=True)
class StatusData(Data):
    """RFC 3501 7.2.4: how a mailbox stands that is not selected.

    S: * STATUS blurdybloop (MESSAGES 231 UIDNEXT 44292)

    *items* has a number by each name, or what an extension has there.
    """

    label = b"STATUS"
    mailbox: _OfStatus
    items: _StatusItems

    def __getitem__(self, name: str) -> int | Raw:
        return self.items[name]


@dataclass(frozen=True, slots=True)
class NamespaceEntry:
    """RFC 2342 5: where mailboxes are, ``("#mh/" "/" "X-PARAM" ("FLAG1" "FLAG2"))``."""

    prefix: str
    delimiter: str | None
    extensions: tuple[tuple[str, tuple[str, ...]], ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "prefix", check_name(self.prefix))
        _check_delimiter(self.delimiter, "delimiter")
        for name, values in self.extensions:
            for text in (name, *values):
                check_text(text, "an extension")
            if not values:
                raise ValueError("an extension of a namespace has a value")

    def write(self) -> list[Fragment]:
        entry: list[Token] = [
            write_name(self.prefix),
            "NIL" if self.delimiter is None else self.delimiter.encode("ascii"),
        ]
        for name, values in self.extensions:
            entry += [write_text(name), tuple(map(write_text, values))]
        return write_tokens([tuple(entry)])

    @classmethod
    def take(cls, reader: Reader) -> Self:
        reader.expect(b"(")
        prefix = read_name(reader.take_string())
        reader.expect_space()
        delimiter = _take_delimiter(reader)
        extensions: list[tuple[str, tuple[str, ...]]] = []
        while not reader.closes():
            name = reader.take_string_text()
            reader.expect_space()
            extensions.append((name, reader.take_list(Reader.take_string_text)))
        return unchecked(cls, prefix, delimiter, tuple(extensions))


def _write_entries(entries: tuple[NamespaceEntry, ...]) -> list[Fragment]:
    inner = [part for entry in entries for part in entry.write()]
    return [b"(", *inner, b")"] if entries else [b"NIL"]


def _take_entries(reader: Reader) -> tuple[NamespaceEntry, ...]:
    if reader.accept_nil():
        return ()
    reader.expect(b"(")
    entries: list[NamespaceEntry] = []
    while reader.peek() == b"(":
        entries.append(NamespaceEntry.take(reader))
    if not entries:
        reader.tolerate(Quirk.EMPTY_LIST)
    reader.expect_close()
    return tuple(entries)


_Entries = Annotated[
    tuple[NamespaceEntry, ...],
    kinds.Kind(lambda entries, _: None, _write_entries, _take_entries),
]


@dataclass(frozen=True, slots=True)
class NamespaceData(Data):
    """RFC 2342 5: where one's own mailboxes are, those of others, and shared ones.

    S: * NAMESPACE (("" "/")) NIL NIL

    ``()`` is NIL: there are none.
    """

    label = b"NAMESPACE"
    personal: _Entries = ()
    others: _Entries = ()
    shared: _Entries = ()
