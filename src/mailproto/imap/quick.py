"""The fast path for the responses that come most often, but for FETCH (see ``shapes``).

    * 23 EXISTS          * LIST (\\HasNoChildren) "/" "Sent"
    * OK Still here      A142 OK FETCH completed

One regular expression matches them at once, CRLF included, in their plain form; the
rest is for the grammar, which comes to the same.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

from .codes import PLAIN
from .grammar import ATOM, read_flags
from .names import read_name
from .responses import (
    Capabilities,
    Code,
    Condition,
    Data,
    Exists,
    Expunged,
    FlagsData,
    ListData,
    Recent,
    Reply,
    ResponseCode,
    StatusData,
    TaggedReply,
    UidNext,
    UidValidity,
    Unseen,
)
from .verbs import unchecked

_CODE: Final = rb"(?:\[([A-Z-]++)(?: ([1-9][0-9]{0,8}+))?+\] )?+"
_TEXT: Final = _CODE + rb"([ -Z\\-~][ -~]*+)"
_NAME: Final = rb'(?:"([ !#-\[\]-~]*+)"|([%b\]]++))' % ATOM
_WORDS: Final = rb"(?: [%b]++)*+" % ATOM
_ATTRIBUTES: Final = rb"((?:\\[A-Za-z]++(?: \\[A-Za-z]++)*+)?)"
_COUNTS: Final = rb"([A-Z]++ [0-9]{1,9}+(?: [A-Z]++ [0-9]{1,9}+)*+)"
QUICK: Final = re.compile(
    rb"\* (?:([1-9][0-9]{0,8}+) (EXISTS|RECENT|EXPUNGE)|(OK|NO) %b"
    rb'|LIST \(%b\) (?:"([!#-\[\]-~])"|NIL) %b|STATUS %b \(%b\)'
    rb"|FLAGS \(([^()\r\n]*+)\)|CAPABILITY(%b))\r\n"
    rb"|([A-Za-z0-9]++) (OK|NO|BAD) %b\r\n"
    % (_TEXT, _ATTRIBUTES, _NAME, _NAME, _COUNTS, _WORDS, _TEXT)
)

_new: Final = object.__new__


def _setter(kind: Any, name: str) -> Any:
    """What sets a field of a frozen value."""
    return getattr(kind, name).__set__


# Frozen values are made of what the regular expression has checked.
_number: Final = _setter(Exists, "number")
_condition: Final = _setter(Reply, "condition")
_text: Final = _setter(Reply, "text")
_code: Final = _setter(Reply, "code")
_tag: Final = _setter(TaggedReply, "tag")
_reply: Final = _setter(TaggedReply, "reply")
_mailbox: Final = _setter(ListData, "mailbox")
_delimiter: Final = _setter(ListData, "delimiter")
_attributes: Final = _setter(ListData, "attributes")
_extended: Final = _setter(ListData, "extended")

_CONDITIONS: Final = {condition.value: condition for condition in Condition}
_COUNTED: Final[dict[bytes, Any]] = {
    kind.label: kind for kind in (Exists, Recent, Expunged)
}
_PLAIN: Final = {name.encode("ascii"): Code(name) for name in PLAIN}
_NUMBERED: Final[dict[bytes, Any]] = {
    b"UIDNEXT": UidNext, b"UIDVALIDITY": UidValidity, b"UNSEEN": Unseen,
}  # fmt: skip


def _count(found: re.Match[bytes]) -> Data:
    made: Data = _new(_COUNTED[found[2]])
    _number(made, int(found[1]))
    return made


def _said(
    condition: bytes, name: bytes | None, number: bytes | None, text: bytes
) -> Reply:
    code: ResponseCode | None = None
    if name is not None:
        code = _PLAIN[name] if number is None else _NUMBERED[name](int(number))
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
    _attributes(made, read_flags(attributes))
    _extended(made, b"")
    return made


def _status(found: re.Match[bytes]) -> StatusData:
    quoted, bare, items = found.group(11, 12, 13)
    words = items.decode("ascii").split(" ")
    numbers = dict(zip(words[::2], map(int, words[1::2]), strict=True))
    if 0 in (numbers.get("UIDNEXT"), numbers.get("UIDVALIDITY")):
        raise ValueError("this is for the grammar")
    return unchecked(StatusData, read_name(bare if quoted is None else quoted), numbers)


def _flags(found: re.Match[bytes]) -> FlagsData:
    return unchecked(FlagsData, read_flags(found[14]))


def _capabilities(found: re.Match[bytes]) -> Capabilities:
    return unchecked(Capabilities, tuple(found[15].decode("ascii").split()))


#: by the last group that has matched
_MAKES: Final[dict[int, Callable[[re.Match[bytes]], Any]]] = {
    2: _count, 6: _untagged, 9: _listed, 10: _listed, 13: _status, 14: _flags,
    15: _capabilities, 20: _tagged,
}  # fmt: skip


def read_quick(found: re.Match[bytes]) -> Reply | TaggedReply | Data | None:
    """The response that ``QUICK`` has found; ``None``: it is for the grammar."""
    try:
        response: Reply | TaggedReply | Data = _MAKES[found.lastindex or 0](found)
        return response
    except (ValueError, KeyError):
        return None
