"""The keys of SEARCH, a tree of values (RFC 3501 6.4.4).

>>> key = SEEN & ~From("Smith") | Since(date(1994, 2, 1))
>>> joined(key.write())
[b'OR (SEEN NOT FROM Smith) SINCE 1-Feb-1994']

Trees are read and written without recursion, and none is deeper than MAX_DEPTH.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Final

from .grammar import (
    MAX_NUMBER,
    Cursor,
    Fragment,
    GrammarError,
    SequenceSet,
    UidSet,
    check_atom,
    check_text,
    write_astring,
    write_date,
)
from .grammar import joined as joined
from .tokens import MAX_DEPTH

_word = re.compile(rb"[A-Za-z]++")
_charset = re.compile(rb"CHARSET ", re.IGNORECASE)
_is_charset = re.compile(r"[!-~]{1,40}").fullmatch


class Key:
    """A condition on messages.  ``a & b``, ``a | b`` and ``~a`` are conditions, too."""

    __slots__ = ()

    name: str = ""
    #: how many keys in keys there are
    depth: int = 0

    def texts(self) -> tuple[str, ...]:
        """The text in it that need not be ASCII."""
        return ()

    def arguments(self) -> Iterable[Fragment | Key]:
        """What stands behind its name."""
        return ()

    @classmethod
    def take(cls, cursor: Cursor) -> Key:
        """The key whose arguments begin at *cursor*."""
        raise NotImplementedError

    def write(self) -> list[Fragment]:
        """The key as it stands in the command."""
        written: list[Fragment] = []
        stack: list[Fragment | Key] = [self]
        while stack:
            part = stack.pop()
            if isinstance(part, Key):
                stack += reversed([part.name.encode("ascii"), *part.arguments()])
            else:
                written.append(part)
        return written

    def __and__(self, other: Key) -> And:
        keys = self.keys if isinstance(self, And) else (self,)
        return And(*keys, *(other.keys if isinstance(other, And) else (other,)))

    def __or__(self, other: Key) -> Or:
        return Or(self, other)

    def __invert__(self) -> Not:
        return Not(self)


def any_of(*keys: Key) -> Key:
    """Messages that match one of *keys* at least, as ORs that are not nested deep."""
    if not keys:
        raise ValueError("one key at least is needed")
    level = list(keys)
    while len(level) > 1:
        pairs = [Or(*level[i : i + 2]) for i in range(0, len(level) - 1, 2)]
        level = pairs + level[len(pairs) * 2 :]
    return level[0]


# -- of other keys ---------------------------------------------------------------


def _deeper(depth: int) -> int:
    if depth >= MAX_DEPTH:
        raise ValueError(f"search keys are nested more than {MAX_DEPTH} deep")
    return depth + 1


@dataclass(frozen=True, slots=True, init=False)
class And(Key):
    """All of *keys*, ``(SEEN FLAGGED)``."""

    keys: tuple[Key, ...]
    depth: int = field(repr=False, compare=False)

    def __init__(self, *keys: Key) -> None:
        if not keys:
            raise ValueError("one key at least is needed")
        object.__setattr__(self, "keys", keys)
        object.__setattr__(self, "depth", _deeper(max(key.depth for key in keys)))

    def arguments(self) -> Iterable[Fragment | Key]:
        opening: bytes = b"("
        for key in self.keys:
            yield opening
            yield key
            opening = b" "
        yield b")"


@dataclass(frozen=True, slots=True)
class Or(Key):
    """One of the two, or both, ``OR SEEN FLAGGED``."""

    name = "OR"
    one: Key
    other: Key
    depth: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        depth = _deeper(max(self.one.depth, self.other.depth))
        object.__setattr__(self, "depth", depth)

    def arguments(self) -> Iterable[Fragment | Key]:
        return (b" ", self.one, b" ", self.other)


@dataclass(frozen=True, slots=True)
class Not(Key):
    """Those that *key* does not match, ``NOT SEEN``."""

    name = "NOT"
    key: Key
    depth: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "depth", _deeper(self.key.depth))

    def arguments(self) -> Iterable[Fragment | Key]:
        return (b" ", self.key)


# -- without an argument ---------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Word(Key):
    """A key that is a word: ``SEEN``.  All there are have constants here."""

    name: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", self.name.upper())
        if self.name not in _WORDS:
            raise ValueError(f"{self.name!r} is no search key")


_WORDS: Final = frozenset(
    {"ALL", "ANSWERED", "DELETED", "DRAFT", "FLAGGED", "NEW", "OLD", "RECENT"}
    | {"SEEN", "UNANSWERED", "UNDELETED", "UNDRAFT", "UNFLAGGED", "UNSEEN"}
)

ALL: Final = Word("ALL")
ANSWERED: Final = Word("ANSWERED")
DELETED: Final = Word("DELETED")
DRAFT: Final = Word("DRAFT")
FLAGGED: Final = Word("FLAGGED")
NEW: Final = Word("NEW")  #: RECENT, and not SEEN
OLD: Final = Word("OLD")  #: not RECENT
RECENT: Final = Word("RECENT")
SEEN: Final = Word("SEEN")
UNANSWERED: Final = Word("UNANSWERED")
UNDELETED: Final = Word("UNDELETED")
UNDRAFT: Final = Word("UNDRAFT")
UNFLAGGED: Final = Word("UNFLAGGED")
UNSEEN: Final = Word("UNSEEN")


# -- of text ---------------------------------------------------------------------


class _OfText(Key):
    """A key that looks for text, in any case of letters."""

    __slots__ = ()
    text: str

    def __post_init__(self) -> None:
        check_text(self.text, "text")

    def texts(self) -> tuple[str, ...]:
        return (self.text,)

    def arguments(self) -> Iterable[Fragment | Key]:
        return (b" ", write_astring(self.text))

    @classmethod
    def take(cls, cursor: Cursor) -> Key:
        cursor.expect_space()
        return cls(cursor.take_text())  # type: ignore[call-arg]


@dataclass(frozen=True, slots=True)
class Bcc(_OfText):
    """Text in the BCC of the envelope, ``BCC Smith``."""

    name = "BCC"
    text: str


@dataclass(frozen=True, slots=True)
class Body(_OfText):
    """Text in the body, ``BODY Smith``."""

    name = "BODY"
    text: str


@dataclass(frozen=True, slots=True)
class Cc(_OfText):
    """Text in the CC of the envelope, ``CC Smith``."""

    name = "CC"
    text: str


@dataclass(frozen=True, slots=True)
class From(_OfText):
    """Text in the FROM of the envelope, ``FROM Smith``."""

    name = "FROM"
    text: str


@dataclass(frozen=True, slots=True)
class Subject(_OfText):
    """Text in the SUBJECT of the envelope, ``SUBJECT hello``."""

    name = "SUBJECT"
    text: str


@dataclass(frozen=True, slots=True)
class Text(_OfText):
    """Text in the header or the body, ``TEXT hello``."""

    name = "TEXT"
    text: str


@dataclass(frozen=True, slots=True)
class To(_OfText):
    """Text in the TO of the envelope, ``TO Smith``."""

    name = "TO"
    text: str


@dataclass(frozen=True, slots=True)
class Header(Key):
    """Text in a header field, ``HEADER Message-ID x``; "" asks if it is there."""

    name = "HEADER"
    field: str
    text: str = ""

    def __post_init__(self) -> None:
        check_text(self.field, "the name of a header field")
        check_text(self.text, "text")

    def texts(self) -> tuple[str, ...]:
        return (self.field, self.text)

    def arguments(self) -> Iterable[Fragment | Key]:
        return (b" ", write_astring(self.field), b" ", write_astring(self.text))

    @classmethod
    def take(cls, cursor: Cursor) -> Key:
        cursor.expect_space()
        name = cursor.take_text()
        cursor.expect_space()
        return cls(name, cursor.take_text())


class _OfKeyword(Key):
    """A key that asks for a flag that is none of the system's."""

    __slots__ = ()
    flag: str

    def __post_init__(self) -> None:
        check_atom(self.flag, "a keyword")

    def arguments(self) -> Iterable[Fragment | Key]:
        return (b" ", self.flag.encode("ascii"))

    @classmethod
    def take(cls, cursor: Cursor) -> Key:
        cursor.expect_space()
        return cls(cursor.take_atom())  # type: ignore[call-arg]


@dataclass(frozen=True, slots=True)
class Keyword(_OfKeyword):
    """Messages with that flag, ``KEYWORD $Forwarded``."""

    name = "KEYWORD"
    flag: str


@dataclass(frozen=True, slots=True)
class Unkeyword(_OfKeyword):
    """Messages without that flag, ``UNKEYWORD $Forwarded``."""

    name = "UNKEYWORD"
    flag: str


# -- of dates, sizes, sets -------------------------------------------------------


class _OfDate(Key):
    """A key that compares dates, without regard to time and zone."""

    __slots__ = ()
    date: date

    def __post_init__(self) -> None:
        if isinstance(self.date, datetime):
            object.__setattr__(self, "date", self.date.date())

    def arguments(self) -> Iterable[Fragment | Key]:
        return (b" ", write_date(self.date))

    @classmethod
    def take(cls, cursor: Cursor) -> Key:
        cursor.expect_space()
        return cls(cursor.take_date())  # type: ignore[call-arg]


@dataclass(frozen=True, slots=True)
class Before(_OfDate):
    """INTERNALDATE is earlier, ``BEFORE 1-Feb-1994``."""

    name = "BEFORE"
    date: date


@dataclass(frozen=True, slots=True)
class On(_OfDate):
    """INTERNALDATE is that day, ``ON 1-Feb-1994``."""

    name = "ON"
    date: date


@dataclass(frozen=True, slots=True)
class Since(_OfDate):
    """INTERNALDATE is that day or later, ``SINCE 1-Feb-1994``."""

    name = "SINCE"
    date: date


@dataclass(frozen=True, slots=True)
class SentBefore(_OfDate):
    """The Date: of the message is earlier, ``SENTBEFORE 1-Feb-1994``."""

    name = "SENTBEFORE"
    date: date


@dataclass(frozen=True, slots=True)
class SentOn(_OfDate):
    """The Date: of the message is that day, ``SENTON 1-Feb-1994``."""

    name = "SENTON"
    date: date


@dataclass(frozen=True, slots=True)
class SentSince(_OfDate):
    """The Date: of the message is that day or later, ``SENTSINCE 1-Feb-1994``."""

    name = "SENTSINCE"
    date: date


class _OfSize(Key):
    """A key that compares RFC822.SIZE."""

    __slots__ = ()
    size: int

    def __post_init__(self) -> None:
        if not 0 <= self.size <= MAX_NUMBER:
            raise ValueError(f"a size is 0 to {MAX_NUMBER}")

    def arguments(self) -> Iterable[Fragment | Key]:
        return (b" %d" % self.size,)

    @classmethod
    def take(cls, cursor: Cursor) -> Key:
        cursor.expect_space()
        return cls(cursor.take_number())  # type: ignore[call-arg]


@dataclass(frozen=True, slots=True)
class Larger(_OfSize):
    """More octets than that, ``LARGER 4096``."""

    name = "LARGER"
    size: int


@dataclass(frozen=True, slots=True)
class Smaller(_OfSize):
    """Fewer octets than that, ``SMALLER 4096``."""

    name = "SMALLER"
    size: int


@dataclass(frozen=True, slots=True)
class Messages(Key):
    """The messages with those sequence numbers, ``2,4:7``."""

    messages: SequenceSet

    def arguments(self) -> Iterable[Fragment | Key]:
        return (self.messages.write(),)


@dataclass(frozen=True, slots=True)
class Uid(Key):
    """The messages with those unique identifiers, ``UID 304:310``."""

    name = "UID"
    messages: UidSet

    def arguments(self) -> Iterable[Fragment | Key]:
        return (b" ", self.messages.write())

    @classmethod
    def take(cls, cursor: Cursor) -> Key:
        cursor.expect_space()
        return cls(cursor.take_set(UidSet))


# -- the whole argument ----------------------------------------------------------

LEAVES: Final[dict[str, type[Key]]] = {
    kind.name: kind
    for kind in (
        *(Bcc, Body, Cc, From, Subject, Text, To, Header, Keyword, Unkeyword),
        *(Before, On, Since, SentBefore, SentOn, SentSince, Larger, Smaller, Uid),
    )
}
CONSTANTS: Final = {word: Word(word) for word in _WORDS}


def take_key(cursor: Cursor) -> Key:
    """One key, with all that are in it."""
    # What was begun and is not whole: its class, its keys so far, how many it takes.
    stack: list[tuple[type[And | Or | Not], list[Key], int]] = []
    while True:
        key = _take_leaf(cursor, stack)
        while stack:
            kind, keys, most = stack[-1]
            keys.append(key)
            if len(keys) < most and not (kind is And and cursor.accept(b")")):
                cursor.expect_space()
                break
            stack.pop()
            key = kind(*keys)
        else:
            return key


def _take_leaf(
    cursor: Cursor, stack: list[tuple[type[And | Or | Not], list[Key], int]]
) -> Key:
    """The next key that has no keys; those that begin before it are stacked."""
    while True:
        if len(stack) > MAX_DEPTH:
            cursor.fail(f"search keys are nested more than {MAX_DEPTH} deep")
        if cursor.accept(b"("):
            stack.append((And, [], cursor.end))
            continue
        start = cursor.at
        found = _word.match(cursor.data, start)
        if not found:
            return Messages(cursor.take_set(SequenceSet))
        name = found[0].decode("ascii").upper()
        cursor.at = found.end()
        if name in CONSTANTS:
            return CONSTANTS[name]
        if name in LEAVES:
            return LEAVES[name].take(cursor)
        if name not in ("NOT", "OR"):
            raise GrammarError("there is no such search key", start)
        cursor.expect_space()
        stack.append((Not, [], 1) if name == "NOT" else (Or, [], 2))


def read_keys(cursor: Cursor) -> tuple[list[Key], str | None]:
    """The keys that are left, and the name of the charset before them."""
    cursor.expect_space()
    charset = None
    if cursor.finds(_charset):
        cursor.take(_charset, "CHARSET")
        charset = cursor.take_text()
        cursor.expect_space()
    keys = [take_key(cursor)]
    while cursor.accept(b" "):
        keys.append(take_key(cursor))
    return keys, charset


def write_keys(keys: Sequence[Key], charset: str | None) -> list[Fragment]:
    """The same back, the first space included."""
    written: list[Fragment] = []
    if charset is not None:
        written += [b" CHARSET ", write_astring(charset)]
    for key in keys:
        written += [b" ", *key.write()]
    return written


def check_keys(keys: Sequence[Key], charset: str | None) -> str | None:
    """The charset that is needed: UTF-8 for what is not ASCII if none is given.

    Raises ValueError for no keys, and for a charset that cannot be.
    """
    if not keys or not all(isinstance(key, Key) for key in keys):
        raise ValueError("SEARCH has search keys, one at least")
    if charset is not None:
        charset = charset.upper()
        if not _is_charset(charset):
            raise ValueError("the name of a charset is printable ASCII")
        if charset != "US-ASCII":
            return charset
    if all(map(_is_ascii, keys)):
        return charset
    if charset is not None:
        raise ValueError("the text is not US-ASCII")
    return "UTF-8"


def _is_ascii(key: Key) -> bool:
    stack: list[Any] = [key]
    while stack:
        part = stack.pop()
        if not isinstance(part, Key):
            continue
        if not all(map(str.isascii, part.texts())):
            return False
        if part.depth:
            stack += part.arguments()
    return True
