"""What an IMAP server tells, but for FETCH (RFC 3501 7.2 to 7.4), read and written.

    * CAPABILITY IMAP4rev1 IDLE        Capabilities
    * LIST (\\Noselect) "/" foo         ListData
    * 23 EXISTS                        Exists
    * X-FOO (bar)                      UnknownData

Status responses stand in ``replies``, their codes in ``codes``; they can be had here.

A class of data reads what stands behind its label; to add one is to write it and to name
it in ``KINDS``.  ``write`` gives the line, CRLF and literals included.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Final, Self

from .codes import AppendUid as AppendUid
from .codes import BadCharset as BadCharset
from .codes import (
    Capabilities,
    Data,
    check_number,
    take_flags,
)
from .codes import Code as Code
from .codes import CopyUid as CopyUid
from .codes import PermanentFlags as PermanentFlags
from .codes import ResponseCode as ResponseCode
from .codes import UidNext as UidNext
from .codes import UidValidity as UidValidity
from .codes import Unseen as Unseen
from .grammar import (
    MAX_NUMBER,
    Fragment,
    GrammarError,
    check_atom,
    check_flag,
    check_name,
    check_text,
    inline,
    read_text,
    write_mailbox,
    write_nstring,
    write_quoted,
    write_string,
    write_text,
)
from .lines import check_raw
from .names import read_name, write_name
from .quirks import Quirk, Reader
from .replies import Challenge as Challenge
from .replies import Condition as Condition
from .replies import Continue as Continue
from .replies import Greeting as Greeting
from .replies import LiteralBegins as LiteralBegins
from .replies import Malformed as Malformed
from .replies import Reply as Reply
from .replies import TaggedReply as TaggedReply
from .tokens import take_token
from .verbs import unchecked

MAX_64: Final = 2**63 - 1  # RFC 7162 7, mod-sequence-value; RFC 9051 9, number64


@dataclass(frozen=True, slots=True)
class _Count(Data):
    of_messages = True
    least: ClassVar[int] = 0
    number: int

    def __post_init__(self) -> None:
        check_number(self.number, self.least, "the number")

    def write(self) -> bytes:
        return b"* %d %b\r\n" % (self.number, self.label)

    @classmethod
    def read(cls, reader: Reader) -> Self:
        """Of the number that stands before the name."""
        return unchecked(cls, reader.take_count(least=cls.least))


class Exists(_Count):
    """RFC 3501 7.3.1: so many messages are in the mailbox, ``* 23 EXISTS``."""

    __slots__ = ()
    label = b"EXISTS"


class Recent(_Count):
    """RFC 3501 7.3.2: so many of them are \\Recent, ``* 5 RECENT``."""

    __slots__ = ()
    label = b"RECENT"


class Expunged(_Count):
    """RFC 3501 7.4.1: this message is gone, ``* 44 EXPUNGE``.

    All behind it have a number less by one from here on.
    """

    __slots__ = ()
    label = b"EXPUNGE"
    least = 1


@dataclass(frozen=True, slots=True)
class FlagsData(Data):
    """RFC 3501 7.2.6: the flags of the mailbox.

    S: * FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft)
    """

    label = b"FLAGS"
    of_messages = True
    flags: tuple[str, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "flags", tuple(map(check_flag, self.flags)))

    def write(self) -> bytes:
        return b"* FLAGS %b\r\n" % write_text(f"({' '.join(self.flags)})")

    @classmethod
    def read(cls, reader: Reader) -> Self:
        reader.expect_space()
        return unchecked(cls, take_flags(reader))


@dataclass(frozen=True, slots=True)
class SearchData(Data):
    """RFC 3501 7.2.5: numbers of messages, or their UIDs if UID SEARCH asked.

    S: * SEARCH 2 3 6
    """

    label = b"SEARCH"
    of_messages = True
    numbers: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        for number in self.numbers:
            check_number(number, 1, "the number of a message")

    def write(self) -> bytes:
        return b"* %b\r\n" % " ".join(("SEARCH", *map(str, self.numbers))).encode()

    @classmethod
    def read(cls, reader: Reader) -> Self:
        start = reader.at
        rest = reader.take_rest()
        if not _SEARCHED.fullmatch(rest):
            reader.at = start
            return unchecked(cls, _take_searched(reader))
        numbers = tuple(map(int, rest.split()))
        if numbers and not 0 < min(numbers) <= max(numbers) <= MAX_NUMBER:
            reader.at = start
            return unchecked(cls, _take_searched(reader))
        return unchecked(cls, numbers)


_SEARCHED: Final = re.compile(rb"(?: [0-9]{1,10}+)*+")


def _take_searched(reader: Reader) -> tuple[int, ...]:
    """The same, one by one."""
    numbers: list[int] = []
    while not reader.at_end:
        reader.expect_space()
        if not reader.at_end:
            numbers.append(reader.take_count(least=1))
    return tuple(number for number in numbers if number)


@dataclass(frozen=True, slots=True)
class ListData(Data):
    """RFC 3501 7.2.2: a mailbox.

    S: * LIST (\\Noselect) "/" ~/Mail/foo

    *attributes* are as they came; ``has`` does not mind case.  *delimiter* is ``None``
    where there is no hierarchy.  *extended* is what an extension adds, as it came.
    """

    label = b"LIST"
    mailbox: str
    delimiter: str | None = None
    attributes: tuple[str, ...] = ()
    extended: bytes = b""

    def __post_init__(self) -> None:
        object.__setattr__(self, "mailbox", check_name(self.mailbox))
        for attribute in self.attributes:
            check_flag(attribute)
            if attribute[:1] != "\\":
                raise ValueError("an attribute begins with a backslash")
        _check_delimiter(self.delimiter)
        if self.extended:
            check_raw(self.extended)

    def has(self, attribute: str) -> bool:
        """Whether it has ``"\\Noselect"``, say."""
        return attribute.lower() in map(str.lower, self.attributes)

    def write(self) -> bytes:
        parts: list[Fragment] = [b"* %b " % self.label]
        parts.append(write_text(f"({' '.join(self.attributes)}) "))
        parts += [_write_delimiter(self.delimiter), b" ", write_mailbox(self.mailbox)]
        parts += [b" ", self.extended] if self.extended else []
        return inline((*parts, b"\r\n"))

    @classmethod
    def read(cls, reader: Reader) -> Self:
        reader.expect_space()
        attributes = _take_attributes(reader)
        reader.expect_space()
        delimiter = _take_delimiter(reader)
        reader.expect_space()
        name, extended = _take_listed(reader)
        return unchecked(cls, read_name(name), delimiter, attributes, extended)


class LsubData(ListData):
    """RFC 3501 7.2.3: a mailbox that is subscribed to.

    S: * LSUB () "." #news.comp.mail.misc
    """

    __slots__ = ()
    label = b"LSUB"


def _check_delimiter(delimiter: str | None) -> None:
    if delimiter is not None:
        write_quoted(delimiter.encode("ascii", "replace"))
        if len(delimiter) != 1 or not delimiter.isascii():
            raise ValueError("a delimiter is one character of ASCII")


def _write_delimiter(delimiter: str | None) -> Fragment:
    return write_nstring(delimiter)


def _take_delimiter(reader: Reader) -> str | None:
    if reader.accept_nil():
        return None
    delimiter = read_text(reader.take_quoted())
    if len(delimiter) != 1:
        reader.tolerate(Quirk.ODD_DELIMITER)
    return delimiter or None


def _take_attributes(reader: Reader) -> tuple[str, ...]:
    start = reader.at
    attributes = take_flags(reader)
    if not all(attribute[:1] == "\\" for attribute in attributes):
        after, reader.at = reader.at, start
        reader.tolerate(Quirk.ODD_FLAG)
        reader.at = after
    return attributes


_UNQUOTED: Final = re.compile(rb"[^\r\n\0\"(){}]++\Z")
_SPACES: Final = re.compile(rb" *+\Z")


def _take_listed(reader: Reader) -> tuple[bytes, bytes]:
    """A mailbox name, and what an extension adds to it, up to the end."""
    start = reader.at
    bare = _UNQUOTED.match(reader.data, start)
    name = bare[0] if bare and not bare[0].isascii() else reader.take_astring()
    if reader.data.startswith(b" (", reader.at):
        reader.at += 1
        return name, reader.take_rest()
    if not reader.finds(_SPACES):
        reader.at = start
        reader.tolerate(Quirk.UNQUOTED_NAME)
        name = reader.take(_UNQUOTED, "a mailbox name").rstrip(b" ")
    reader.expect_end()
    return name, b""


@dataclass(frozen=True, slots=True)
class StatusData(Data):
    """RFC 3501 7.2.4: how a mailbox stands that is not selected.

    S: * STATUS blurdybloop (MESSAGES 231 UIDNEXT 44292)

    *items* has a number by each name, or what an extension has there, as it came.
    """

    label = b"STATUS"
    mailbox: str
    items: Mapping[str, int | bytes]

    def __post_init__(self) -> None:
        object.__setattr__(self, "mailbox", check_name(self.mailbox))
        for name, value in self.items.items():
            check_atom(name, "a status item")
            if isinstance(value, bytes):
                check_raw(value)
            elif not 0 <= value <= MAX_64:
                raise ValueError(f"a status item is from 0 to {MAX_64}")

    def __getitem__(self, name: str) -> int | bytes:
        return self.items[name]

    def write(self) -> bytes:
        written = [
            b"%b %b" % (name.encode("ascii"), value)
            if isinstance(value, bytes)
            else b"%b %d" % (name.encode("ascii"), value)
            for name, value in self.items.items()
        ]
        mailbox = inline((write_mailbox(self.mailbox),))
        return b"* STATUS %b (%b)\r\n" % (mailbox, b" ".join(written))

    @classmethod
    def read(cls, reader: Reader) -> Self:
        reader.expect_space()
        mailbox = _take_status_mailbox(reader)
        reader.expect_space()
        reader.expect(b"(")
        items: dict[str, int | bytes] = {}
        if reader.accept(b")"):
            return unchecked(cls, mailbox, items)
        while True:
            name = reader.take_atom().upper()
            reader.expect_space()
            items[name] = _take_status_value(reader, name)
            if reader.closes():
                return unchecked(cls, mailbox, items)


_BARE_NAME: Final = re.compile(rb"([^\r\n\0\"(){}]++)(?= \()")


def _take_status_mailbox(reader: Reader) -> str:
    start = reader.at
    try:
        name = reader.take_astring()
        if reader.peek() == b" ":
            return read_name(name)
    except GrammarError:
        pass
    reader.at = start
    bare = reader.take(_BARE_NAME, "a mailbox name").rstrip(b" ")
    after, reader.at = reader.at, start
    reader.tolerate(Quirk.UNQUOTED_NAME)
    reader.at = after
    return read_name(bare)


#: RFC 3501 9, status-att-list, erratum 261; of 32 bits, and two of them from 1 on
_STATUS_LEAST: Final = {
    "MESSAGES": 0, "RECENT": 0, "UNSEEN": 0, "UIDNEXT": 1, "UIDVALIDITY": 1,
}  # fmt: skip
_IS_COUNT: Final = re.compile(rb"-?[0-9]{1,19}+(?=[ )])")


def _take_status_value(reader: Reader, name: str) -> int | bytes:
    least = _STATUS_LEAST.get(name)
    if least is not None:
        return reader.take_count(least=least)
    if reader.finds(_IS_COUNT):
        return reader.take_count(MAX_64)
    start = reader.at
    take_token(reader)
    return reader.data[start : reader.at]


@dataclass(frozen=True, slots=True)
class NamespaceEntry:
    """RFC 2342 5: where mailboxes are, ``("#mh/" "/" "X-PARAM" ("FLAG1" "FLAG2"))``."""

    prefix: str
    delimiter: str | None
    extensions: tuple[tuple[str, tuple[str, ...]], ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "prefix", check_name(self.prefix))
        _check_delimiter(self.delimiter)
        for name, values in self.extensions:
            for text in (name, *values):
                check_text(text, "an extension")
            if not values:
                raise ValueError("an extension of a namespace has a value")

    def write(self) -> list[Fragment]:
        written: list[Fragment] = [b"(", write_string(write_name(self.prefix)), b" "]
        written.append(_write_delimiter(self.delimiter))
        for name, values in self.extensions:
            written += [b" ", write_string(name), b" ("]
            for i, value in enumerate(values):
                written += [b" " * bool(i), write_string(value)]
            written.append(b")")
        return [*written, b")"]

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
            reader.expect(b"(")
            values = [reader.take_string_text()]
            while not reader.closes():
                values.append(reader.take_string_text())
            extensions.append((name, tuple(values)))
        return unchecked(cls, prefix, delimiter, tuple(extensions))


@dataclass(frozen=True, slots=True)
class NamespaceData(Data):
    """RFC 2342 5: where one's own mailboxes are, those of others, and shared ones.

    S: * NAMESPACE (("" "/")) NIL NIL

    ``()`` is NIL: there are none.
    """

    label = b"NAMESPACE"
    personal: tuple[NamespaceEntry, ...] = ()
    others: tuple[NamespaceEntry, ...] = ()
    shared: tuple[NamespaceEntry, ...] = ()

    def write(self) -> bytes:
        written: list[Fragment] = [b"* NAMESPACE"]
        for entries in (self.personal, self.others, self.shared):
            inner = [part for entry in entries for part in entry.write()]
            written += [b" (", *inner, b")"] if entries else [b" NIL"]
        return inline((*written, b"\r\n"))

    @classmethod
    def read(cls, reader: Reader) -> Self:
        personal, others, shared = [_take_entries(reader) for _ in range(3)]
        return unchecked(cls, personal, others, shared)


def _take_entries(reader: Reader) -> tuple[NamespaceEntry, ...]:
    reader.expect_space()
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


@dataclass(frozen=True, slots=True)
class IdData(Data):
    """RFC 2971 3.2: who the server is, for statistics and bug reports only.

    S: * ID ("name" "Cyrus" "version" "1.5")

    ``None`` is NIL: it does not say.
    """

    label = b"ID"
    fields: tuple[tuple[str, str | None], ...] | None = None

    def __post_init__(self) -> None:
        for name, value in self.fields or ():
            check_text(name, "the name of a field")
            check_text(value or "", "the value of a field")

    def get(self, name: str) -> str | None:
        """The value by that name, in any case; ``None`` if there is none."""
        fields = {key.lower(): value for key, value in self.fields or ()}
        return fields.get(name.lower())

    def write(self) -> bytes:
        if self.fields is None:
            return b"* ID NIL\r\n"
        written: list[Fragment] = []
        for name, value in self.fields:
            written += [b" " if written else b"* ID (", write_string(name), b" "]
            written.append(write_nstring(value))
        return inline((*(written or [b"* ID ("]), b")\r\n"))

    @classmethod
    def read(cls, reader: Reader) -> Self:
        reader.expect_space()
        if reader.accept_nil():
            return unchecked(cls, None)
        reader.expect(b"(")
        fields: list[tuple[str, str | None]] = []
        if not reader.accept(b")"):
            while not fields or not reader.closes():
                name = reader.take_string_text()
                reader.expect_space()
                fields.append((name, reader.take_nstring_text()))
        return unchecked(cls, tuple(fields))


@dataclass(frozen=True, slots=True, init=False)
class Enabled(Data):
    """RFC 5161 3.2: what has been enabled by this ENABLE.

    S: * ENABLED CONDSTORE X-GOOD-IDEA
    """

    label = b"ENABLED"
    capabilities: tuple[str, ...]

    def __init__(self, *capabilities: str) -> None:
        Capabilities(*capabilities)  # raises ValueError
        object.__setattr__(self, "capabilities", capabilities)

    def write(self) -> bytes:
        return b"* %b\r\n" % " ".join(("ENABLED", *self.capabilities)).encode("ascii")

    @classmethod
    def read(cls, reader: Reader) -> Self:
        return unchecked(cls, Capabilities.read_code(reader).names)


@dataclass(frozen=True, slots=True)
class UnknownData(Data):
    """RFC 3501 7: what has no class here, byte by byte, ``* X-FOO (bar "baz") 5``.

    *raw* is all of it but ``* `` and CRLF, literals inline.
    """

    label = b""
    raw: bytes

    def __post_init__(self) -> None:
        check_raw(self.raw)
        if not self.known_as or self.known_as.encode() in KINDS:
            raise ValueError("the name of a response is an atom, and not a known one")

    @property
    def known_as(self) -> str:
        """Its name in capitals; a number before it left out."""
        found = _NAMED.match(self.raw)
        return found[1].decode("ascii").upper() if found else ""

    def write(self) -> bytes:
        return b"* %b\r\n" % self.raw

    @classmethod
    def read(cls, reader: Reader) -> Self:
        """Of the number, if there is one, the name, and the rest."""
        if not _NAMED.match(reader.data, reader.at):
            reader.fail("the name of a response is expected")
        return unchecked(cls, reader.take_rest())


_NAMED: Final = re.compile(
    rb'(?:[0-9]{1,20}+ )?([^\0-\x20(){}%*"\\\]\x7f-\xff]++)(?= |\Z)'
)

KINDS: Final[dict[bytes, type[Data]]] = {
    kind.label: kind
    for kind in (
        Capabilities, Enabled, Exists, Expunged, FlagsData, IdData, ListData, LsubData,
        NamespaceData, Recent, SearchData, StatusData,
    )
}  # fmt: skip
