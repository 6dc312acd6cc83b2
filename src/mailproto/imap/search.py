"""The keys of SEARCH, a tree of values (RFC 3501 6.4.4).

>>> key = SEEN & ~From("Smith") | Since(date(1994, 2, 1))
>>> inline(key.write())
b'OR (SEEN NOT FROM Smith) SINCE 1-Feb-1994'

Trees are read and written without recursion, and none is deeper than MAX_DEPTH.

A key with arguments is a class whose fields have their kinds.  To add one is to write
it and to name it in ``LEAVES``; of an application, in ``known`` of its own Search:

    @dataclass(frozen=True, slots=True)
    class Younger(Leaf):
        seconds: kinds.Number

    class SearchWithin(imap.Search):                     # RFC 5032
        known = {**search.LEAVES, "YOUNGER": Younger}

A client that has no such class says ``Other("YOUNGER", "3600")``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from . import kinds
from .grammar import (
    ATOM,
    Cursor,
    Fragment,
    GrammarError,
    check_atom,
    inline,
    write_astring,
)
from .kinds import Formed
from .sets import SequenceSet
from .tokens import MAX_DEPTH, Token, check_tokens, write_tokens

_word = re.compile(rb"[A-Za-z][%b]*+" % ATOM)
_charset = re.compile(rb"CHARSET ", re.IGNORECASE)
_is_charset = re.compile(r"[!-~]{1,40}").fullmatch


class Key:
    """A condition on messages.  ``a & b``, ``a | b`` and ``~a`` are conditions, too."""

    __slots__ = ()

    name: str
    #: the keys in it
    keys: tuple[Key, ...] = ()
    #: how many keys in keys there are
    depth: int = 0

    def parts(self) -> Sequence[Fragment | Key]:
        """What it is made of, in order."""
        return (self.name.encode("ascii"),)

    def write(self) -> list[Fragment]:
        """The key as it stands in the command."""
        written: list[Fragment] = []
        stack: list[Fragment | Key] = [self]
        while stack:
            part = stack.pop()
            if isinstance(part, Key):
                stack += reversed(part.parts())
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


@dataclass(frozen=True, slots=True, init=False)
class _OfKeys(Key):
    keys: tuple[Key, ...]
    depth: int = field(repr=False, compare=False)

    def __init__(self, *keys: Key) -> None:
        depth = max([key.depth for key in keys]) if len(keys) > 1 else keys[0].depth
        if depth >= MAX_DEPTH:
            raise ValueError(f"search keys are nested more than {MAX_DEPTH} deep")
        object.__setattr__(self, "keys", keys)
        object.__setattr__(self, "depth", depth + 1)

    def parts(self) -> Sequence[Fragment | Key]:
        spaced = [part for key in self.keys for part in (b" ", key)]
        return (self.name.encode("ascii"), *spaced)


class And(_OfKeys):
    """All of *keys*, ``(SEEN FLAGGED)``."""

    __slots__ = ()
    name = ""

    def __init__(self, *keys: Key) -> None:
        if not keys:
            raise ValueError("one key at least is needed")
        _OfKeys.__init__(self, *keys)

    def parts(self) -> Sequence[Fragment | Key]:
        return (b"(", *_OfKeys.parts(self)[2:], b")")


class Or(_OfKeys):
    """One of the two, or both, ``OR SEEN FLAGGED``."""

    __slots__ = ()
    name = "OR"

    def __init__(self, one: Key, other: Key) -> None:
        _OfKeys.__init__(self, one, other)


class Not(_OfKeys):
    """Those that *key* does not match, ``NOT SEEN``."""

    __slots__ = ()
    name = "NOT"

    def __init__(self, key: Key) -> None:
        _OfKeys.__init__(self, key)


# -- without an argument ---------------------------------------------------------

_WORDS: Final = frozenset(
    {"ALL", "ANSWERED", "DELETED", "DRAFT", "FLAGGED", "NEW", "OLD", "RECENT"}
    | {"SEEN", "UNANSWERED", "UNDELETED", "UNDRAFT", "UNFLAGGED", "UNSEEN"}
)


@dataclass(frozen=True, slots=True)
class Word(Key):
    """A key that is a word: ``SEEN``.  All there are have constants here."""

    name: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", self.name.upper())
        if self.name not in _WORDS:
            raise ValueError(f"{self.name!r} is no search key")


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
CONSTANTS: Final = {word: Word(word) for word in _WORDS}


# -- with arguments --------------------------------------------------------------


class Leaf(Formed, Key):
    """A key with arguments, called like its class in capitals if it has no *name*."""

    __slots__ = ()

    def __init_subclass__(cls) -> None:
        if "name" not in vars(cls):
            cls.name = cls.__name__.upper()

    def parts(self) -> Sequence[Fragment | Key]:
        return (self.name.encode("ascii"), *self.arguments())


@dataclass(frozen=True, slots=True)
class _OfText(Leaf):
    text: kinds.Text


class Bcc(_OfText):
    """Text in the BCC of the envelope, in any case of letters, ``BCC Smith``."""

    __slots__ = ()


class Body(_OfText):
    """Text in the body, ``BODY Smith``."""

    __slots__ = ()


class Cc(_OfText):
    """Text in the CC of the envelope, ``CC Smith``."""

    __slots__ = ()


class From(_OfText):
    """Text in the FROM of the envelope, ``FROM Smith``."""

    __slots__ = ()


class Subject(_OfText):
    """Text in the SUBJECT of the envelope, ``SUBJECT hello``."""

    __slots__ = ()


class Text(_OfText):
    """Text in the header or the body, ``TEXT hello``."""

    __slots__ = ()


class To(_OfText):
    """Text in the TO of the envelope, ``TO Smith``."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Header(Leaf):
    """Text in a header field, ``HEADER Message-ID x``; "" asks if it is there."""

    field: kinds.Text
    text: kinds.Text = ""


@dataclass(frozen=True, slots=True)
class _OfKeyword(Leaf):
    flag: kinds.Atom


class Keyword(_OfKeyword):
    """Messages with a flag that is none of the system's, ``KEYWORD $Forwarded``."""

    __slots__ = ()


class Unkeyword(_OfKeyword):
    """Messages without that flag, ``UNKEYWORD $Forwarded``."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class _OfDay(Leaf):
    date: kinds.Day


class Before(_OfDay):
    """INTERNALDATE, without its time and zone, is earlier, ``BEFORE 1-Feb-1994``."""

    __slots__ = ()


class On(_OfDay):
    """INTERNALDATE is that day, ``ON 1-Feb-1994``."""

    __slots__ = ()


class Since(_OfDay):
    """INTERNALDATE is that day or later, ``SINCE 1-Feb-1994``."""

    __slots__ = ()


class SentBefore(_OfDay):
    """The Date: of the message is earlier, ``SENTBEFORE 1-Feb-1994``."""

    __slots__ = ()


class SentOn(_OfDay):
    """The Date: of the message is that day, ``SENTON 1-Feb-1994``."""

    __slots__ = ()


class SentSince(_OfDay):
    """The Date: of the message is that day or later, ``SENTSINCE 1-Feb-1994``."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class _OfSize(Leaf):
    size: kinds.Number


class Larger(_OfSize):
    """RFC822.SIZE is more than that, ``LARGER 4096``."""

    __slots__ = ()


class Smaller(_OfSize):
    """RFC822.SIZE is less than that, ``SMALLER 4096``."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Uid(Leaf):
    """The messages with those unique identifiers, ``UID 304:310``."""

    messages: kinds.Uids


@dataclass(frozen=True, slots=True)
class Messages(Key):
    """The messages with those sequence numbers, ``2,4:7``."""

    messages: SequenceSet

    def parts(self) -> Sequence[Fragment | Key]:
        return (self.messages.write(),)


@dataclass(frozen=True, slots=True, init=False)
class Other(Key):
    """A key of an extension that has no class here, ``X-GM-RAW "has:attachment"``.

    ``Other("X-GM-RAW", b"has:attachment")``: words are text, strings ``bytes``, and
    lists tuples.  How many there are to be, the extension says.
    """

    name: str
    tokens: tuple[Token, ...]

    def __init__(self, name: str, *tokens: Token) -> None:
        check_atom(name, "a search key")
        if not name[0].isalpha():
            raise ValueError("the name of a search key begins with a letter")
        check_tokens(tokens)
        kinds.hold(self, name.upper(), tokens)

    def parts(self) -> Sequence[Fragment | Key]:
        return write_tokens((self.name, *self.tokens))


# -- the whole argument ----------------------------------------------------------

LEAVES: Final[Mapping[str, type[Leaf]]] = {
    kind.name: kind
    for kind in (
        *(Bcc, Body, Cc, From, Subject, Text, To, Header, Keyword, Unkeyword),
        *(Before, On, Since, SentBefore, SentOn, SentSince, Larger, Smaller, Uid),
    )
}

# A key that was begun and is not whole: its class, its keys so far, how many it takes.
_Begun = tuple[type[And | Or | Not], list[Key], int]


def take_key(cursor: Cursor, known: Mapping[str, type[Leaf]] = LEAVES) -> Key:
    """One key, with all that are in it; *known* are those with arguments."""
    stack: list[_Begun] = []
    while True:
        key = _take_leaf(cursor, stack, known)
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
    cursor: Cursor, stack: list[_Begun], known: Mapping[str, type[Leaf]]
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
        if name in known:
            return known[name].take(cursor)
        if name not in ("NOT", "OR"):
            raise GrammarError("there is no such search key", start)
        cursor.expect_space()
        stack.append((Not, [], 1) if name == "NOT" else (Or, [], 2))


def read_keys(
    cursor: Cursor, known: Mapping[str, type[Leaf]]
) -> tuple[list[Key], str | None]:
    """The keys that are left, and the name of the charset before them."""
    cursor.expect_space()
    charset = None
    if cursor.finds(_charset):
        cursor.take(_charset, "CHARSET")
        charset = cursor.take_text()
        cursor.expect_space()
    keys = [take_key(cursor, known)]
    while cursor.accept(b" "):
        keys.append(take_key(cursor, known))
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
    if inline(write_keys(keys, None)).isascii():
        return charset
    if charset is not None:
        raise ValueError("the text is not US-ASCII")
    return "UTF-8"
