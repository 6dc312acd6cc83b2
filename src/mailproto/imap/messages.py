"""What an IMAP client says about messages: the selected state (RFC 3501 6.4).

The messages are named by a SequenceSet or by a UidSet; a UidSet makes the command its
UID variant (6.4.8).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Annotated, Any, ClassVar, Final, Self, TypeVar

from .._command import Chunk
from . import kinds
from .codes import CopyUid
from .fetch import FetchData
from .grammar import Cursor, Fragment, check_flag, write_flags
from .items import (
    PLAIN_ITEMS,
    Item,
    answers,
    check_items,
    read_items,
    take_items,
    write_items,
)
from .kinds import unchecked
from .replies import LiteralBegins, Reply
from .responses import Expunged, SearchData
from .results import Found, whole
from .search import LEAVES, Key, Leaf, check_keys, read_keys, write_keys
from .sets import SequenceSet, UidSet
from .tokens import Parameter
from .verbs import ImapCommand

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class OnMessages(ImapCommand[R]):
    """A command on the messages that a set names."""

    uid_too = True
    messages: kinds.AnyMessages

    @property
    def by_uid(self) -> bool:
        return isinstance(self.messages, UidSet)

    def _names(self, data: FetchData) -> bool:
        """Whether *data* is of one of the messages."""
        number = data.uid if self.by_uid else data.number
        return number is not None and self.messages.contains(number)


@dataclass(frozen=True, slots=True)
class Check(ImapCommand[Reply]):
    """RFC 3501 6.4.1: the server may tidy up, ``CHECK``."""

    verb = b"CHECK"


@dataclass(frozen=True, slots=True)
class Close(ImapCommand[Reply]):
    """RFC 3501 6.4.2: what is \\Deleted goes, and the mailbox is left, ``CLOSE``."""

    verb = b"CLOSE"


def _check_some(uids: UidSet | None, what: str) -> None:
    if uids is not None:
        kinds.UIDS.check(uids, what)


_SOME: Final = kinds.UIDS._replace(check=_check_some, opens=b" ", by_uid=kinds.UIDS)


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
    data = Expunged
    messages: Annotated[UidSet | None, _SOME] = None

    @property
    def by_uid(self) -> bool:
        return self.messages is not None

    @property
    def extension(self) -> str | None:
        return None if self.messages is None else "UIDPLUS"

    def result(self, answer: Reply, parts: list[Any]) -> list[int]:
        return [part.number for part in parts]

    @classmethod
    def read(cls, cursor: Cursor, verb: bytes) -> Self:
        return cls.take(cursor, uid=True) if verb[:4] == b"UID " else cls()


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
    data = SearchData

    def __init__(
        self, *keys: Key, charset: str | None = None, uid: bool = False
    ) -> None:
        kinds.hold(self, keys, check_keys(keys, charset), uid)

    @property
    def by_uid(self) -> bool:
        return self.uid

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


# fmt: off
_Items = Annotated[tuple[Item, ...], kinds.Kind(
    lambda items, _: check_items(items), write_items, take_items,
    PLAIN_ITEMS, read_items,
)]
# fmt: on


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
    messages: kinds.AnyMessages
    items: _Items
    modifiers: kinds.Parameters = ()

    def __init__(
        self,
        messages: SequenceSet | UidSet,
        *items: Item | str,
        modifiers: tuple[Parameter, ...] = (),
    ) -> None:
        kinds.hold(self, messages, items, modifiers)
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


def _sorted(name: str) -> tuple[str, ...]:
    return tuple(sorted(re.split("[ ()]", name)))


class Change(Enum):
    """What STORE does with the flags that it names."""

    REPLACE = b"FLAGS"  #: these and no others (but \Recent)
    ADD = b"+FLAGS"
    REMOVE = b"-FLAGS"


_CHANGES: Final = {change.value: change for change in Change}
_change = re.compile(rb" ([+-]?FLAGS)(\.SILENT)? ", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Store(OnMessages[list[FetchData]]):
    """RFC 3501 6.4.6: flags of messages change.

    C: A003 STORE 2:4 +FLAGS (\\Deleted)
    S: * 2 FETCH (FLAGS (\\Deleted \\Seen))
    S: A003 OK STORE completed

    If *silent*, the server does not tell what the flags are then.
    """

    verb = b"STORE"
    wire = ("messages", "modifiers")
    change: Change
    flags: tuple[str, ...]
    silent: bool = False
    modifiers: kinds.Parameters = ()

    def __post_init__(self) -> None:
        OnMessages.__post_init__(self)
        object.__setattr__(self, "change", Change(self.change))
        object.__setattr__(self, "flags", tuple(map(check_flag, self.flags)))

    def claims(self, event: object) -> bool:
        """The new flags of one of the messages, or if *silent* its MODSEQ."""
        wanted = "MODSEQ" if self.silent else "FLAGS"
        return (
            isinstance(event, FetchData)
            and self._names(event)
            and wanted in event.items
        )

    def result(self, answer: Reply, parts: list[Any]) -> list[FetchData]:
        return parts

    def arguments(self) -> Iterable[Fragment]:
        silent = b".SILENT" if self.silent else b""
        change = (self.change.value, silent, write_flags(self.flags))
        return [*OnMessages.arguments(self), b" %b%b %b" % change]

    @classmethod
    def read(cls, cursor: Cursor, verb: bytes) -> Self:
        made = cls.take(cursor, uid=verb[:4] == b"UID ")
        found = _change.match(cursor.data, cursor.at)
        if not found:
            cursor.fail("FLAGS, +FLAGS or -FLAGS is expected")
        cursor.at = found.end()
        change, flags = _CHANGES[found[1].upper()], cursor.take_flags(bare=True)
        silent = found[2] is not None
        return unchecked(cls, made.messages, change, flags, silent, made.modifiers)


@dataclass(frozen=True, slots=True)
class ToMailbox(OnMessages[CopyUid | None]):
    """Messages go to another mailbox."""

    mailbox: kinds.Mailbox

    def result(self, answer: Reply, parts: list[Any]) -> CopyUid | None:
        replies = (answer, *parts)
        codes = [r.code for r in replies if isinstance(r.code, CopyUid)]
        return codes[0] if codes else None


class Copy(ToMailbox):
    """RFC 3501 6.4.7: messages are copied, with flags and dates.

    C: A003 COPY 2:4 MEETING
    S: A003 OK COPY completed

    The result is the CopyUid that a server with UIDPLUS tells (RFC 4315), or ``None``.
    """

    __slots__ = ()
    verb = b"COPY"
