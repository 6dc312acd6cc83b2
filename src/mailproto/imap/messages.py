"""What an IMAP client says about messages: the selected state (RFC 3501 6.4).

The messages are named by a SequenceSet or by a UidSet; a UidSet makes the command its
UID variant (6.4.8).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, ClassVar, Final, Self, TypeVar

from .._command import Chunk
from .fetch import FetchData
from .grammar import (
    Cursor,
    Fragment,
    GrammarError,
    SequenceSet,
    UidSet,
    check_flag,
    check_name,
    write_flags,
    write_mailbox,
)
from .items import (
    PLAIN_ITEMS,
    Item,
    answers,
    check_items,
    plain_items,
    take_items,
    write_items,
)
from .responses import CopyUid, Expunged, LiteralBegins, Reply, SearchData
from .results import Found, whole
from .search import LEAVES, Key, Leaf, check_keys, read_keys, write_keys
from .tokens import Parameter, take_parameters, write_parameters
from .verbs import ImapCommand, unchecked

R = TypeVar("R")


def _take_messages(cursor: Cursor, verb: bytes) -> SequenceSet | UidSet:
    cursor.expect_space()
    if verb[:4] == b"UID ":
        return cursor.take_set(UidSet)
    return cursor.take_set(SequenceSet)


class OnMessages(ImapCommand[R]):
    """A command on the messages that a set names."""

    __slots__ = ()
    uid_too = True
    messages: SequenceSet | UidSet

    def __post_init__(self) -> None:
        if not isinstance(self.messages, (SequenceSet, UidSet)):
            raise ValueError("messages are named by a SequenceSet or a UidSet")

    @property
    def by_uid(self) -> bool:
        return isinstance(self.messages, UidSet)

    def _names(self, data: FetchData) -> bool:
        """Whether *data* is of one of the messages."""
        if isinstance(self.messages, UidSet):
            return data.uid is not None and self.messages.contains(data.uid)
        return self.messages.contains(data.number)


@dataclass(frozen=True, slots=True)
class Check(ImapCommand[Reply]):
    """RFC 3501 6.4.1: the server may tidy up.

    C: FXXZ CHECK
    S: FXXZ OK CHECK Completed
    """

    verb = b"CHECK"


@dataclass(frozen=True, slots=True)
class Close(ImapCommand[Reply]):
    """RFC 3501 6.4.2: what is \\Deleted goes, and no mailbox is selected any more.

    C: A341 CLOSE
    S: A341 OK CLOSE completed
    """

    verb = b"CLOSE"


@dataclass(frozen=True, slots=True)
class Expunge(ImapCommand[list[int]]):
    """RFC 3501 6.4.3: what is \\Deleted goes.

    C: A202 EXPUNGE
    S: * 3 EXPUNGE
    S: * 3 EXPUNGE
    S: A202 OK EXPUNGE completed

    With *messages*, only those among them: UID EXPUNGE (RFC 4315 2.1).  The result is
    the sequence numbers as they were told, each after those before it were gone.
    """

    verb = b"EXPUNGE"
    uid_too = True
    messages: UidSet | None = None

    @property
    def by_uid(self) -> bool:
        return self.messages is not None

    @property
    def extension(self) -> str | None:
        return None if self.messages is None else "UIDPLUS"

    def claims(self, event: object) -> bool:
        return isinstance(event, Expunged)

    def result(self, answer: Reply, parts: list[Any]) -> list[int]:
        return [part.number for part in parts]

    def arguments(self) -> Iterable[Fragment]:
        return () if self.messages is None else (b" ", self.messages.write())

    @classmethod
    def read(cls, cursor: Cursor, verb: bytes) -> Self:
        if verb[:4] != b"UID ":
            return cls()
        cursor.expect_space()
        return cls(cursor.take_set(UidSet))


@dataclass(frozen=True, slots=True, init=False)
class Search(ImapCommand[Found]):
    """RFC 3501 6.4.4: which messages match all of *keys*?

    C: A282 SEARCH FLAGGED SINCE 1-Feb-1994 NOT FROM "Smith"
    S: * SEARCH 2 84 882
    S: A282 OK SEARCH completed

    With *uid*, the answer is in UIDs.  Text that is not ASCII makes *charset* UTF-8.
    """

    verb = b"SEARCH"
    uid_too = True
    #: the keys with arguments that are read
    known: ClassVar[Mapping[str, type[Leaf]]] = LEAVES
    keys: tuple[Key, ...]
    charset: str | None
    uid: bool

    def __init__(
        self, *keys: Key, charset: str | None = None, uid: bool = False
    ) -> None:
        object.__setattr__(self, "keys", keys)
        object.__setattr__(self, "charset", check_keys(keys, charset))
        object.__setattr__(self, "uid", uid)

    @property
    def by_uid(self) -> bool:
        return self.uid

    def claims(self, event: object) -> bool:
        return isinstance(event, SearchData)

    def result(self, answer: Reply, parts: list[Any]) -> Found:
        return Found(tuple(n for part in parts for n in part.numbers), self.uid)

    def arguments(self) -> Iterable[Fragment]:
        return write_keys(self.keys, self.charset)

    @classmethod
    def read(cls, cursor: Cursor, verb: bytes) -> Self:
        keys, charset = read_keys(cursor, cls.known)
        uid = verb[:4] == b"UID "
        if charset is None and cursor.data.isascii():
            return unchecked(cls, tuple(keys), None, uid)
        return cls(*keys, charset=charset, uid=uid)


# What most FETCHes are, in one step; what the grammar says of them is the same.
_plain_fetch = re.compile(rb" ([0-9:*,]++) (%b)\Z" % PLAIN_ITEMS)


class _Asking(OnMessages[list[FetchData]]):
    """Has a place for what the items are called in the answer."""

    __slots__ = ("_answers",)
    items: tuple[Item, ...]
    _answers: frozenset[str]

    @property
    def answers(self) -> frozenset[str]:
        """What the items are called in FetchData.  It is asked for each of them."""
        try:
            return self._answers
        except AttributeError:
            object.__setattr__(self, "_answers", answers(self.items))
            return self._answers


@dataclass(frozen=True, slots=True, init=False)
class Fetch(_Asking):
    """RFC 3501 6.4.5: data of messages.

    C: A654 FETCH 2:4 (FLAGS BODY[HEADER.FIELDS (DATE FROM)])
    S: * 2 FETCH ....
    S: * 3 FETCH ....
    S: * 4 FETCH ....
    S: A654 OK FETCH completed

    An item is an Item, or what it looks like, ``"BODY.PEEK[]"``.  The result has no
    Streamed in it: the octets are put together.
    """

    verb = b"FETCH"
    messages: SequenceSet | UidSet
    items: tuple[Item, ...]
    modifiers: tuple[Parameter, ...]

    def __init__(
        self,
        messages: SequenceSet | UidSet,
        *items: Item | str,
        modifiers: tuple[Parameter, ...] = (),
    ) -> None:
        object.__setattr__(self, "messages", messages)
        object.__setattr__(self, "items", check_items(items))
        object.__setattr__(self, "modifiers", modifiers)
        self.__post_init__()

    def claims(self, event: object) -> bool:
        """What tells of one of the messages what was asked, and the Chunks of it."""
        if isinstance(event, FetchData):
            return self._names(event) and self._asked(event.items)
        if isinstance(event, LiteralBegins):
            return self._has_begun(event) and self._asked((event.item,))
        return isinstance(event, Chunk) and any(i.is_message for i in self.items)

    def _has_begun(self, event: LiteralBegins) -> bool:
        """Whether it is of one of the messages, or may be: its UID may come later."""
        if self.by_uid:
            return event.uid is None or self.messages.contains(event.uid)
        return self.messages.contains(event.number)

    def claims_after(self, event: object, parts: list[Any]) -> bool:
        """A Chunk only of what was begun: several FETCHes may be answered at once."""
        return self.claims(event) and (
            not isinstance(event, Chunk)
            or bool(parts and isinstance(parts[-1], (LiteralBegins, Chunk)))
        )

    def _asked(self, names: Iterable[str]) -> bool:
        """Whether one of *names* is of an item; the order of fields means nothing."""
        asked = self.answers
        if not asked.isdisjoint(names):
            return True
        listed = {_sorted(name) for name in asked if "(" in name}
        return not listed.isdisjoint(_sorted(name) for name in names if "(" in name)

    def result(self, answer: Reply, parts: list[Any]) -> list[FetchData]:
        return whole(parts)

    def arguments(self) -> Iterable[Fragment]:
        yield b" %b %b" % (self.messages.write(), write_items(self.items))
        if self.modifiers:
            yield b" "
            yield from write_parameters(self.modifiers)

    @classmethod
    def read(cls, cursor: Cursor, verb: bytes) -> Self:
        found = _plain_fetch.match(cursor.data, cursor.at)
        items = plain_items(found[2]) if found else None
        if found and items:
            kind = UidSet if verb[:4] == b"UID " else SequenceSet
            try:
                messages = kind.read(found[1])
            except ValueError:
                return cls._read(cursor, verb)
            cursor.at = cursor.end
            return unchecked(cls, messages, items, ())
        return cls._read(cursor, verb)

    @classmethod
    def _read(cls, cursor: Cursor, verb: bytes) -> Self:
        """By the grammar, which knows all forms, and where what is wrong."""
        messages = _take_messages(cursor, verb)
        cursor.expect_space()
        items = take_items(cursor)
        modifiers = take_parameters(cursor) if cursor.accept(b" ") else ()
        return unchecked(cls, messages, items, modifiers)


def _sorted(name: str) -> tuple[str, ...]:
    return tuple(sorted(re.split("[ ()]", name)))


class Change(Enum):
    """What STORE does with the flags that it names."""

    REPLACE = b"FLAGS"  #: these and no others (but \Recent)
    ADD = b"+FLAGS"
    REMOVE = b"-FLAGS"


_CHANGES: Final = {
    change.value + silent: (change, bool(silent))
    for change in Change
    for silent in (b"", b".SILENT")
}


@dataclass(frozen=True, slots=True)
class Store(OnMessages[list[FetchData]]):
    """RFC 3501 6.4.6: flags of messages change.

    C: A003 STORE 2:4 +FLAGS (\\Deleted)
    S: * 2 FETCH (FLAGS (\\Deleted \\Seen))
    S: A003 OK STORE completed

    If *silent*, the server does not tell what the flags are then.
    """

    verb = b"STORE"
    messages: SequenceSet | UidSet
    change: Change
    flags: tuple[str, ...]
    silent: bool = False
    modifiers: tuple[Parameter, ...] = ()

    def __post_init__(self) -> None:
        OnMessages.__post_init__(self)
        object.__setattr__(self, "change", Change(self.change))
        object.__setattr__(self, "flags", tuple(map(check_flag, self.flags)))

    def claims(self, event: object) -> bool:
        """The new flags of one of the messages, or if *silent* its MODSEQ."""
        return (
            isinstance(event, FetchData)
            and self._names(event)
            and ("MODSEQ" in event.items if self.silent else "FLAGS" in event.items)
        )

    def result(self, answer: Reply, parts: list[Any]) -> list[FetchData]:
        return parts

    def arguments(self) -> Iterable[Fragment]:
        yield b" " + self.messages.write()
        if self.modifiers:
            yield b" "
            yield from write_parameters(self.modifiers)
        silent = b".SILENT" if self.silent else b""
        yield b" %b%b %b" % (self.change.value, silent, write_flags(self.flags))

    @classmethod
    def read(cls, cursor: Cursor, verb: bytes) -> Self:
        messages = _take_messages(cursor, verb)
        cursor.expect_space()
        modifiers: tuple[Parameter, ...] = ()
        if cursor.peek() == b"(":
            modifiers = take_parameters(cursor)
            cursor.expect_space()
        start = cursor.at
        name = cursor.take_verb()
        if name not in _CHANGES:
            raise GrammarError("FLAGS, +FLAGS or -FLAGS is expected", start)
        change, silent = _CHANGES[name]
        cursor.expect_space()
        flags = cursor.take_flags(bare=True)
        return unchecked(cls, messages, change, flags, silent, modifiers)


class ToMailbox(OnMessages[R]):
    """Messages go to another mailbox."""

    __slots__ = ()
    messages: SequenceSet | UidSet
    mailbox: str

    def __post_init__(self) -> None:
        OnMessages.__post_init__(self)
        object.__setattr__(self, "mailbox", check_name(self.mailbox))

    def arguments(self) -> Iterable[Fragment]:
        return (b" ", self.messages.write(), b" ", write_mailbox(self.mailbox))

    @classmethod
    def read(cls, cursor: Cursor, verb: bytes) -> Self:
        messages = _take_messages(cursor, verb)
        cursor.expect_space()
        return unchecked(cls, messages, cursor.take_mailbox())


@dataclass(frozen=True, slots=True)
class Copy(ToMailbox[CopyUid | None]):
    """RFC 3501 6.4.7: messages are copied, with flags and dates.

    C: A003 COPY 2:4 MEETING
    S: A003 OK COPY completed

    The result is the CopyUid that a server with UIDPLUS tells (RFC 4315), or ``None``.
    """

    verb = b"COPY"
    messages: SequenceSet | UidSet
    mailbox: str

    def result(self, answer: Reply, parts: list[Any]) -> CopyUid | None:
        return answer.code if isinstance(answer.code, CopyUid) else None
