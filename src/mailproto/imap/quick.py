"""The fast path for the responses that come most often, but for FETCH (see ``shapes``).

    * 23 EXISTS          * LIST (\\HasNoChildren) "/" "Sent"
    * OK Still here      A142 OK FETCH completed

One regular expression matches them at once, CRLF included, in their plain form; the
rest is for the grammar, which comes to the same.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final, TypeAlias

from .codes import ResponseCode
from .grammar import ATOM, read_flags
from .names import read_name
from .responses import (
    Condition,
    Exists,
    Expunged,
    ListData,
    Recent,
    Reply,
    TaggedReply,
)

# Text is ASCII here, and begins with no code.
_TEXT: Final = rb"([ -Z\\-~][ -~]*+)"
QUICK: Final = re.compile(
    rb"\* (?:([1-9][0-9]{0,8}+) (EXISTS|RECENT|EXPUNGE)|(OK|NO) %b"
    rb'|LIST \(((?:\\[A-Za-z]++(?: \\[A-Za-z]++)*+)?)\) (?:"([!#-\[\]-~])"|NIL) '
    rb'(?:"([ !#-\[\]-~]*+)"|([%b\]]++)))\r\n'
    rb"|([A-Za-z0-9]++) (OK|NO|BAD) %b\r\n" % (_TEXT, ATOM, _TEXT)
)

_Groups: TypeAlias = tuple[bytes, ...]
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
_COUNTS: Final[dict[bytes, Any]] = {
    kind.label: kind for kind in (Exists, Recent, Expunged)
}


def _count(found: re.Match[bytes]) -> Any:
    made = _new(_COUNTS[found[2]])
    _number(made, int(found[1]))
    return made


def _said(condition: bytes, text: bytes, code: ResponseCode | None = None) -> Reply:
    made = _new(Reply)
    _condition(made, _CONDITIONS[condition])
    _text(made, text.decode("ascii"))
    _code(made, code)
    return made


def _untagged(found: re.Match[bytes]) -> Reply:
    return _said(found[3], found[4])


def _tagged(found: re.Match[bytes]) -> TaggedReply:
    made = _new(TaggedReply)
    _tag(made, found[9].decode("ascii"))
    _reply(made, _said(found[10], found[11]))
    return made


def _listed(found: re.Match[bytes]) -> ListData:
    attributes, delimiter, quoted, bare = found.group(5, 6, 7, 8)
    made = _new(ListData)
    _mailbox(made, read_name(bare if quoted is None else quoted))
    _delimiter(made, None if delimiter is None else _character(delimiter))
    _attributes(made, read_flags(attributes))
    _extended(made, b"")
    return made


@lru_cache(maxsize=128)
def _character(octet: bytes) -> str:
    return octet.decode("ascii")


_MAKES: Final[dict[int, Callable[[re.Match[bytes]], Any]]] = {
    2: _count,
    4: _untagged,
    7: _listed,
    8: _listed,
    11: _tagged,
}


def read_quick(found: re.Match[bytes]) -> Any:
    """The response that ``QUICK`` has found."""
    return _MAKES[found.lastindex or 0](found)
