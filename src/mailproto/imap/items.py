"""What a FETCH asks for: items, sections of messages, macros (RFC 3501 6.4.5)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Self

from .grammar import Cursor, Section
from .sets import MAX_NUMBER

#: what a macro stands for; it may stand alone only
MACROS: Final = {
    "ALL": ("FLAGS", "INTERNALDATE", "RFC822.SIZE", "ENVELOPE"),
    "FAST": ("FLAGS", "INTERNALDATE", "RFC822.SIZE"),
    "FULL": ("FLAGS", "INTERNALDATE", "RFC822.SIZE", "ENVELOPE", "BODY"),
}

_NAME = rb"[A-Za-z][A-Za-z0-9._-]*+"
_name = re.compile(_NAME)
_is_name = re.compile(_NAME.decode("ascii")).fullmatch
_partial = re.compile(rb"<([0-9]{1,10})\.([1-9][0-9]{0,9})>")
_PLAIN = _NAME + rb"(?:\[[A-Za-z0-9. ()-]*+\](?:<[0-9.]++>)?)?(?![\[<])"
#: what most FETCHes ask for: no names in quotes or literals
PLAIN_ITEMS: Final = rb"%b|\(%b(?: %b)*+\)" % ((_PLAIN,) * 3)


@dataclass(frozen=True, slots=True)
class Item:
    """RFC 3501 6.4.5: one data item, ``BODY.PEEK[1.TEXT]<0.1024>``.

    ``Item("FLAGS")`` is a plain one, and so is ``Item("MODSEQ")`` of an extension.
    *partial* is the first octet, from 0 on, and how many at most; ``None`` is all.
    """

    name: str
    section: Section | None = None
    partial: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        if not _is_name(self.name):
            raise ValueError("the name of a data item is an atom")
        object.__setattr__(self, "name", self.name.upper())
        if self.name in _PEEKING and self.section is None:
            raise ValueError(f"{self.name} needs a section")
        if self.name in _BARE and self.section is not None:
            raise ValueError(f"{self.name} has no section")
        if self.partial is None:
            return
        first, most = self.partial
        if self.section is None or not 0 <= first <= MAX_NUMBER >= most > 0:
            raise ValueError("a partial is of a section, and of one octet or more")

    def write(self) -> bytes:
        section = b"" if self.section is None else self.section.write()
        partial = b"" if self.partial is None else b"<%d.%d>" % self.partial
        return self.name.encode("ascii") + section + partial

    def __str__(self) -> str:
        return self.write().decode("ascii")

    @classmethod
    def read(cls, text: bytes) -> Self:
        """Of the whole text; raises ValueError."""
        cursor = Cursor(text)
        item = _take_item(cursor)
        cursor.expect_end()
        return cls(item.name, item.section, item.partial)

    @property
    def answer(self) -> str:
        """What it is called in a FetchData: without PEEK, ``BODY[1.TEXT]<0>``."""
        origin = "" if self.partial is None else f"<{self.partial[0]}>"
        section = "" if self.section is None else self.section.write().decode("ascii")
        return self.name.removesuffix(".PEEK") + section + origin

    @property
    def is_message(self) -> bool:
        """Whether the answer are octets of the message, which may be streamed."""
        return self.section is not None or self.name in _MESSAGES


def answers(items: Iterable[Item]) -> frozenset[str]:
    """What the items are called in FetchData, macros expanded."""
    return frozenset(
        name for item in items for name in MACROS.get(item.name, (item.answer,))
    )


_MESSAGES: Final = frozenset({"RFC822", "RFC822.HEADER", "RFC822.TEXT"})
_PEEKING: Final = frozenset({"BODY.PEEK", "BINARY.PEEK", "BINARY", "BINARY.SIZE"})
_BARE: Final = frozenset(
    {"FLAGS", "UID", "ENVELOPE", "INTERNALDATE", "BODYSTRUCTURE"}
    | {"RFC822.SIZE", *_MESSAGES, *MACROS}
)


def check_items(items: Sequence[Item | str]) -> tuple[Item, ...]:
    """The items; ValueError if there are none, or a macro among others."""
    made = tuple(
        Item.read(item.encode("ascii", "replace")) if isinstance(item, str) else item
        for item in items
    )
    if not made:
        raise ValueError("FETCH asks for one data item at least")
    if len(made) > 1 and any(item.name in MACROS for item in made):
        raise ValueError("a macro stands alone")
    return made


def write_items(items: Sequence[Item]) -> bytes:
    """One as it is, several in parentheses."""
    if len(items) == 1:
        return items[0].write()
    return b"(%b)" % b" ".join(item.write() for item in items)


def take_items(cursor: Cursor) -> tuple[Item, ...]:
    """One data item, a macro, or a list of data items in parentheses."""
    start = cursor.at
    if cursor.peek() != b"(":
        return (_take_item(cursor),)
    items = cursor.take_list(_take_item)
    if any(item.name in MACROS for item in items):
        cursor.at = start
        cursor.fail("a macro stands alone, without parentheses")
    return items


def read_items(text: bytes) -> tuple[Item, ...]:
    """Of PLAIN_ITEMS; raises ValueError."""
    return _few_items(text) if len(text) <= 200 else _read_items(text)


def _read_items(text: bytes) -> tuple[Item, ...]:
    cursor = Cursor(text)
    items = take_items(cursor)
    cursor.expect_end()
    return items


_few_items = lru_cache(maxsize=256)(_read_items)


def _take_item(cursor: Cursor) -> Item:
    start = cursor.at
    name = cursor.take(_name, "a data item").decode("ascii")
    section = cursor.take_section() if cursor.peek() == b"[" else None
    partial = None
    if cursor.peek() == b"<":
        found = _partial.match(cursor.take(_partial, "<octet.count>"))
        assert found
        partial = int(found[1]), int(found[2])
    return cursor.made(lambda: Item(name, section, partial), start)
