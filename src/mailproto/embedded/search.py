"""Which messages match the keys of a SEARCH (RFC 3501 6.4.4).

Text is looked for in any case of letters, in what people read: encoded words, transfer
encodings and charsets are undone first.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from email.utils import parsedate_tz
from functools import cached_property
from typing import Any, Final

from ..imap import search as s
from .folders import DELETED, SEEN, Row
from .mime import Part, take_apart


def plain(text: str) -> str:
    """What people read where *text* stands in a header."""
    try:
        return str(make_header(decode_header(text)))
    except (HeaderParseError, LookupError, ValueError):
        return text


@dataclass
class Candidate:
    """A message that may match; *load* gives its octets, if they are still there."""

    number: int
    largest: tuple[int, int]  #: the number and the UID that ``*`` stands for
    row: Row
    recent: bool
    load: Callable[[], bytes] = field(repr=False)

    @cached_property
    def top(self) -> Part:
        return take_apart(self.load())

    @cached_property
    def flags(self) -> frozenset[str]:
        return frozenset(flag.lower() for flag in self.row.flags)

    @cached_property
    def received(self) -> date:
        return datetime.fromtimestamp(self.row.received, UTC).date()

    @cached_property
    def sent(self) -> date | None:
        found = parsedate_tz("".join(self.top.values("Date")[:1]))
        if found is None:
            return None
        try:
            return date(*found[:3])
        except ValueError:
            return None

    def header(self, name: str) -> list[str]:
        """The fields of that name, as people read them."""
        return [plain(value) for value in self.top.values(name)]

    @cached_property
    def body(self) -> str:
        """All that people can read of the body, and the body as it is."""
        found = [self.top.text.decode("utf-8", "replace")]
        waiting = [self.top]
        while waiting:
            part = waiting.pop()
            below = part.parts or ([part.message] if part.message else [])
            waiting += below
            if not below and part.type[0] == "text":
                found.append(_readable(part))
            if part.message is not None:
                found += _fields(part.message)
        return "\n".join(found).casefold()

    @cached_property
    def text(self) -> str:
        """The header, too."""
        return "\n".join(_fields(self.top)).casefold() + "\n" + self.body


def _fields(part: Part) -> list[str]:
    return [f"{name}: {plain(value)}" for name, value in part.named_values]


def _readable(part: Part) -> str:
    fields = part.fields
    fields.set_payload(part.text.decode("ascii", "surrogateescape"))
    data = fields.get_payload(decode=True)
    assert isinstance(data, bytes)
    charset = str(fields.get_param("charset", "utf-8"))
    try:
        return data.decode(charset, "replace")
    except (LookupError, ValueError):
        return data.decode("utf-8", "replace")


def _has(*flags: str) -> Callable[[Candidate], bool]:
    return lambda candidate: all(flag.lower() in candidate.flags for flag in flags)


def _lacks(flag: str) -> Callable[[Candidate], bool]:
    return lambda candidate: flag.lower() not in candidate.flags


_WORDS: Final[Mapping[str, Callable[[Candidate], bool]]] = {
    "ALL": lambda c: True,
    "ANSWERED": _has("\\Answered"),
    "DELETED": _has(DELETED),
    "DRAFT": _has("\\Draft"),
    "FLAGGED": _has("\\Flagged"),
    "NEW": lambda c: c.recent and SEEN.lower() not in c.flags,
    "OLD": lambda c: not c.recent,
    "RECENT": lambda c: c.recent,
    "SEEN": _has(SEEN),
    "UNANSWERED": _lacks("\\Answered"),
    "UNDELETED": _lacks(DELETED),
    "UNDRAFT": _lacks("\\Draft"),
    "UNFLAGGED": _lacks("\\Flagged"),
    "UNSEEN": _lacks(SEEN),
}


def _in_field(name: str, text: str, candidate: Candidate) -> bool:
    wanted = text.casefold()
    return any(wanted in value.casefold() for value in candidate.header(name))


_KEYS: Final[Mapping[type[s.Key], Callable[[Any, Candidate], bool]]] = {
    s.Word: lambda k, c: _WORDS[k.name](c),
    s.And: lambda k, c: all(matches(key, c) for key in k.keys),
    s.Or: lambda k, c: any(matches(key, c) for key in k.keys),
    s.Not: lambda k, c: not matches(k.keys[0], c),
    s.Bcc: lambda k, c: _in_field("Bcc", k.text, c),
    s.Cc: lambda k, c: _in_field("Cc", k.text, c),
    s.From: lambda k, c: _in_field("From", k.text, c),
    s.Subject: lambda k, c: _in_field("Subject", k.text, c),
    s.To: lambda k, c: _in_field("To", k.text, c),
    s.Header: lambda k, c: _in_field(k.field, k.text, c),
    s.Body: lambda k, c: k.text.casefold() in c.body,
    s.Text: lambda k, c: k.text.casefold() in c.text,
    s.Keyword: lambda k, c: k.flag.lower() in c.flags,
    s.Unkeyword: lambda k, c: k.flag.lower() not in c.flags,
    s.Before: lambda k, c: c.received < k.date,
    s.On: lambda k, c: c.received == k.date,
    s.Since: lambda k, c: c.received >= k.date,
    s.SentBefore: lambda k, c: c.sent is not None and c.sent < k.date,
    s.SentOn: lambda k, c: c.sent == k.date,
    s.SentSince: lambda k, c: c.sent is not None and c.sent >= k.date,
    s.Larger: lambda k, c: c.row.size > k.size,
    s.Smaller: lambda k, c: c.row.size < k.size,
    s.Messages: lambda k, c: k.messages.contains(c.number, c.largest[0]),
    s.Uid: lambda k, c: k.messages.contains(c.row.uid, c.largest[1]),
}


def matches(key: s.Key, candidate: Candidate) -> bool:
    """Whether the message is one of those; no key is nested deep (``MAX_DEPTH``)."""
    return _KEYS[type(key)](key, candidate)
