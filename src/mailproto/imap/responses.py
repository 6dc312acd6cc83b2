"""What an IMAP server tells, but for FETCH (RFC 3501 7.2 to 7.4), read and written.

    * CAPABILITY IMAP4rev1 IDLE        Capabilities
    * 23 EXISTS                        Exists
    * SEARCH 2 3 6                     SearchData
    * X-FOO (bar)                      UnknownData

Status responses stand in ``replies``, their codes in ``codes``, and what is told of
mailboxes that need not be selected in ``mailboxes``.

A class of data reads what stands behind its label; to add one is to write it and to
name it in ``KINDS``.  ``write`` gives the line, CRLF and literals included.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Annotated, ClassVar, Final, Self

from . import kinds
from .codes import Capabilities, CapabilityNames, Data, OddFlags
from .grammar import check_text
from .kinds import check_number, unchecked
from .lines import check_raw
from .mailboxes import MAX_64, ListData, LsubData, NamespaceData, StatusData
from .quirks import Quirk, Reader
from .replies import Condition
from .sets import MAX_NUMBER
from .tokens import Id, take_id, write_id


@dataclass(frozen=True, slots=True)
class _Count(Data):
    of_messages = True
    least: ClassVar[int] = 0
    number: int

    def __post_init__(self) -> None:
        check_number(self.number, "the number", self.least)

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
    flags: OddFlags


@dataclass(frozen=True, slots=True)
class SearchData(Data):
    """RFC 3501 7.2.5: numbers of messages, or their UIDs if UID SEARCH asked.

    S: * SEARCH 2 3 6

    *modseq* is the highest of them, where it was asked for (RFC 7162 3.1.5).
    """

    label = b"SEARCH"
    of_messages = True
    numbers: tuple[int, ...] = ()
    modseq: int | None = None

    def __post_init__(self) -> None:
        for number in self.numbers:
            check_number(number, "the number of a message", 1)
        if self.modseq is not None and not 1 <= self.modseq <= MAX_64:
            raise ValueError(f"MODSEQ is from 1 to {MAX_64}")

    def write(self) -> bytes:
        words = ["SEARCH", *map(str, self.numbers)]
        words += [] if self.modseq is None else [f"(MODSEQ {self.modseq})"]
        return b"* %b\r\n" % " ".join(words).encode("ascii")

    @classmethod
    def read(cls, reader: Reader) -> Self:
        start = reader.at
        rest = reader.take_rest()
        try:
            numbers = _read_searched(rest)
        except ValueError:
            reader.at = start
            return unchecked(cls, *_take_searched(reader))
        return unchecked(cls, numbers, None)


def _read_searched(text: bytes) -> tuple[int, ...]:
    """Numbers, each behind one space; ValueError if there is anything else.

    But for its commas that is JSON, whose scanner takes half the time of int().
    """
    if text.translate(None, b"0123456789 ") or b" 0" in text:
        raise ValueError("this is for the grammar")
    numbers = tuple(json.loads(b"[0%b]" % text.replace(b" ", b","))[1:])
    if max(numbers, default=0) > MAX_NUMBER:
        raise ValueError("this is for the grammar")
    return numbers


def _take_searched(reader: Reader) -> tuple[tuple[int, ...], int | None]:
    """The same, one by one."""
    numbers: list[int] = []
    modseq = None
    while not reader.at_end and modseq is None:
        reader.expect_space()
        if not reader.peek():
            reader.tolerate(Quirk.EXTRA_SPACE)
        elif reader.accept(b"(MODSEQ "):
            modseq = reader.take_count(MAX_64, 1)
            reader.expect_close()
        else:
            numbers.append(reader.take_count(least=1))
    return tuple(number for number in numbers if number), modseq


def _check_fields(fields: Id | None, what: str) -> None:
    for name, value in fields or ():
        check_text(name, "the name of a field")
        check_text(value or "", "the value of a field")


_Fields = Annotated[Id | None, kinds.Kind(_check_fields, write_id, take_id)]


@dataclass(frozen=True, slots=True)
class IdData(Data):
    """RFC 2971 3.2: who the server is, for statistics and bug reports only.

    S: * ID ("name" "Cyrus" "version" "1.5")

    ``None`` is NIL: it does not say.
    """

    label = b"ID"
    fields: _Fields = None

    def get(self, name: str) -> str | None:
        """The value by that name, in any case; ``None`` if there is none."""
        fields = {key.lower(): value for key, value in self.fields or ()}
        return fields.get(name.lower())


@dataclass(frozen=True, slots=True, init=False)
class Enabled(Data):
    """RFC 5161 3.2: what has been enabled by this ENABLE.

    S: * ENABLED CONDSTORE X-GOOD-IDEA
    """

    label = b"ENABLED"
    capabilities: CapabilityNames = ()

    def __init__(self, *capabilities: str) -> None:
        kinds.hold(self, capabilities)
        self.__post_init__()


@dataclass(frozen=True, slots=True)
class UnknownData(Data):
    """RFC 3501 7: what has no class here, byte by byte, ``* X-FOO (bar "baz") 5``.

    *raw* is all of it but ``* `` and CRLF, literals inline.
    """

    label = b""
    raw: bytes

    def __post_init__(self) -> None:
        check_raw(self.raw)
        label = self.known_as.encode("ascii")
        if not label or label in KINDS or label in _NOT_UNKNOWN:
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
        start = reader.at
        reader.take_rest()
        return unchecked(cls, reader.between(start, reader.end))


_NAMED: Final = re.compile(
    rb'(?:[0-9]{1,20}+ )?+([^\0-\x20(){%*"\\\]\x7f-\xff]++)(?= |\Z)'
)

_NOT_UNKNOWN: Final = {b"FETCH", *(condition.value for condition in Condition)}

KINDS: Final[dict[bytes, type[Data]]] = {
    kind.label: kind
    for kind in (
        Capabilities, Enabled, Exists, Expunged, FlagsData, IdData, ListData, LsubData,
        NamespaceData, Recent, SearchData, StatusData,
    )
}  # fmt: skip
