"""The fast path: whole responses, CRLF included, by one regular expression each.

    * 23 EXISTS          * LIST (\\HasNoChildren) "/" "Sent"
    * OK Still here      A142 OK FETCH completed

What comes most often, in its plain form, has one that is always the same.  For FETCH
they are learned: servers say the same items in the same order, message after message.
The order is learned from a response that the grammar has read, and the expressions of
its items, one behind the other, make one that matches the next response at once.

What none of them matches, and what turns out to be odd, is for the grammar, which comes
to the same.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from .._values import setters
from .codes import (
    PLAIN,
    Capabilities,
    Code,
    Data,
    ResponseCode,
    UidNext,
    UidValidity,
    Unseen,
)
from .fetch import COUNTED, FetchData, kind_of
from .grammar import ATOM, few_flags
from .mailboxes import ListData, StatusData
from .names import read_name
from .replies import Condition, Reply, TaggedReply
from .responses import Exists, Expunged, FlagsData, Recent

_CODE: Final = rb"(?:\[([A-Z-]++)(?: ([1-9][0-9]{0,8}+))?+\] )?+"
_TEXT: Final = _CODE + rb"([ -Z\\-~][ -~]*+)"
_NAME: Final = rb'(?:"([ !#-\[\]-~]*+)"|([%b\]]++))' % ATOM
_WORDS: Final = rb"(?: [%b]++)*+" % ATOM
_FLAGS: Final = rb"([^)]{0,200}+)"
_COUNTS: Final = rb"([A-Z]++ [0-9]{1,9}+(?: [A-Z]++ [0-9]{1,9}+)*+)"
_PLAIN_FORM: Final = re.compile(
    rb"\* (?:([0-9]{1,9}+) (EXISTS|RECENT|EXPUNGE)|(OK|NO) %b"
    rb'|LIST \(%b\) (?:"([!#-\[\]-~])"|NIL) %b|STATUS %b \(%b\)'
    rb"|FLAGS \(%b\)|CAPABILITY(%b))\r\n"
    rb"|([A-Za-z0-9]++) (OK|NO|BAD) %b\r\n"
    % (_TEXT, _FLAGS, _NAME, _NAME, _COUNTS, _FLAGS, _WORDS, _TEXT)
)

_new: Final = object.__new__


# The expression has checked what is set by these.
[_number] = setters(Exists)
_condition, _text, _code = setters(Reply)
[_code_number] = setters(UidNext)
_tag, _reply = setters(TaggedReply)
_mailbox, _delimiter, _attributes, _extended = setters(ListData)
_status_mailbox, _items = setters(StatusData)
[_known_flags] = setters(FlagsData)
[_names] = setters(Capabilities)

_CONDITIONS: Final = {condition.value: condition for condition in Condition}
_COUNTED: Final[dict[bytes, Any]] = {
    kind.label: kind for kind in (Exists, Recent, Expunged)
}
_PLAIN: Final = {name.encode("ascii"): Code(name) for name in PLAIN}
_NUMBERED: Final[dict[bytes | None, Any]] = {
    b"UIDNEXT": UidNext, b"UIDVALIDITY": UidValidity, b"UNSEEN": Unseen,
}  # fmt: skip


def _count(found: re.Match[bytes]) -> Data:
    number = int(found[1])
    kind = _COUNTED[found[2]]
    if number < kind.least:
        raise ValueError("this is for the grammar")
    made: Data = _new(kind)
    _number(made, number)
    return made


def _said(
    condition: bytes, name: bytes | None, number: bytes | None, text: bytes
) -> Reply:
    code: ResponseCode | None = None
    if number is not None:
        code = _new(_NUMBERED[name])
        _code_number(code, int(number))
    elif name is not None:
        code = _PLAIN[name]
    made = _new(Reply)
    _condition(made, _CONDITIONS[condition])
    _text(made, text.decode("ascii"))
    _code(made, code)
    return made


def _untagged(found: re.Match[bytes]) -> Reply:
    return _said(*found.group(3, 4, 5, 6))


def _tagged(found: re.Match[bytes]) -> TaggedReply:
    reply = _said(*found.group(17, 18, 19, 20))
    made = _new(TaggedReply)
    _tag(made, found[16].decode("ascii"))
    _reply(made, reply)
    return made


def _listed(found: re.Match[bytes]) -> ListData:
    attributes, delimiter, quoted, bare = found.group(7, 8, 9, 10)
    made = _new(ListData)
    _mailbox(made, read_name(bare if quoted is None else quoted))
    _delimiter(made, None if delimiter is None else delimiter.decode("ascii"))
    _attributes(made, _few_attributes(attributes))
    _extended(made, b"")
    return made


@lru_cache(maxsize=256)
def _few_attributes(text: bytes) -> tuple[str, ...]:
    if text and not all(word.startswith(b"\\") for word in text.split(b" ")):
        raise ValueError("this is for the grammar")
    return few_flags(text)


def _status(found: re.Match[bytes]) -> StatusData:
    quoted, bare, items = found.group(11, 12, 13)
    words = items.decode("ascii").split(" ")
    numbers = {words[i]: int(words[i + 1]) for i in range(0, len(words), 2)}
    if b" 0" in items and 0 in (numbers.get("UIDNEXT"), numbers.get("UIDVALIDITY")):
        raise ValueError("this is for the grammar")
    made = _new(StatusData)
    _status_mailbox(made, read_name(bare if quoted is None else quoted))
    _items(made, numbers)
    return made


def _flags(found: re.Match[bytes]) -> FlagsData:
    made = _new(FlagsData)
    _known_flags(made, few_flags(found[14]))
    return made


def _capabilities(found: re.Match[bytes]) -> Capabilities:
    made = _new(Capabilities)
    _names(made, tuple(found[15].decode("ascii").split()))
    return made


#: by the last group that has matched
_MAKES: Final[dict[int, Callable[[re.Match[bytes]], Any]]] = {
    2: _count, 6: _untagged, 9: _listed, 10: _listed, 13: _status, 14: _flags,
    15: _capabilities, 20: _tagged,
}  # fmt: skip


def _read_plain(found: re.Match[bytes], literal: bytes = b"") -> Any:
    try:
        return _MAKES[found.lastindex or 0](found)
    except KeyError as error:
        raise ValueError("this is for the grammar") from error


@dataclass(frozen=True, slots=True, eq=False)
class Shape:
    """Responses that one regular expression finds, and what reads them.

    Of those that are *counted* the octets of a literal, and ``)``, follow what *match*
    finds.  *read* raises ValueError for what only the grammar can read.
    """

    match: Callable[[bytes, int], re.Match[bytes] | None]
    read: Callable[..., Reply | TaggedReply | Data]
    counted: bool = False


#: all of them but FETCH
PLAIN_SHAPE: Final = Shape(_PLAIN_FORM.match, _read_plain)

MAX_SHAPES: Final = 128  # of FETCH that are kept, of all connections
MAX_ITEMS: Final = 20


@lru_cache(maxsize=MAX_SHAPES)
def shape_of(names: tuple[str, ...]) -> Shape | None:
    """The shape of FETCH data with those items, if it is one that can be fast."""
    if not 0 < len(names) <= MAX_ITEMS:
        return None
    source = b""
    makes: list[tuple[int, str, Callable[[bytes], Any]]] = []
    for i, name in enumerate(names, 1):
        kind = kind_of(name)
        if kind is None:
            return None
        pattern = (kind.last if i == len(names) else b"") or kind.pattern
        if not pattern:
            return None
        source += b" %b %b" % (re.escape(name.encode("ascii")), pattern)
        makes.append((i, name, kind.make))
    counted = source.endswith(COUNTED)
    end = rb"\r\n" if counted else rb"\)\r\n"
    form = re.compile(rb"\* ([1-9][0-9]{0,8}+) FETCH \(" + source[1:] + end)

    def read(found: re.Match[bytes], literal: bytes | None = None) -> FetchData:
        values = found.groups()
        if literal is not None:
            values = (*values[:-1], literal)
        items = {}
        for i, name, make in makes:
            items[name] = make(values[i])
        return FetchData(int(values[0]), items)

    return Shape(form.match, read, counted)
