"""A message taken apart without being changed: where each part of it is, by octets.

The ``email`` package reads the headers.  It does not say where things stand, and what
it writes need not be what it read; but ``BODY[2.1]`` is octets of the very message (RFC
3501 6.4.5), so the parts are found here, as RFC 2046 5.1.1 has them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import Message
from functools import cached_property
from typing import Final

MAX_DEPTH: Final = 50  # of parts in parts; what is deeper is one part, and opaque
MAX_PARTS: Final = 1000  # of one message; what is more belongs to the last

_find_blank_line = re.compile(rb"(?:\A|(?<=\n))\r?\n").search
_fields = re.compile(rb"([!-9;-~]+)[ \t]*:.*\n?(?:[ \t].*\n?)*").finditer


@dataclass
class Part:
    """A message, or a part of one: its header, then its body, of *data*."""

    data: bytes = field(repr=False)
    start: int
    body: int  #: where the body starts, behind the blank line
    end: int
    digest: bool = False  #: it stands in a multipart/digest
    parts: list[Part] = field(default_factory=list)  #: of a multipart
    message: Part | None = None  #: what a message/rfc822 holds

    @cached_property
    def fields(self) -> Message:
        """The header, read by the old rules, which no header is too odd for."""
        return message_from_bytes(self.header)

    @cached_property
    def named_values(self) -> list[tuple[str, str]]:
        """Each field of the header: its name, and its value as it stands, unfolded."""
        return [
            (name, "".join(_text(value).splitlines()))
            for name, value in self.fields.raw_items()
        ]

    def values(self, name: str) -> list[str]:
        """The values of the fields of that name."""
        name = name.lower()
        return [value for each, value in self.named_values if each.lower() == name]

    @property
    def header(self) -> bytes:
        """With the blank line, if there is one."""
        return self.data[self.start : self.body]

    @property
    def text(self) -> bytes:
        return self.data[self.body : self.end]

    @property
    def whole(self) -> bytes:
        return self.data[self.start : self.end]

    @property
    def type(self) -> tuple[str, str]:
        """The media type, in small letters; RFC 2046 5.1.5: that of a digest's part."""
        if self.digest and "Content-Type" not in self.fields:
            return "message", "rfc822"
        main, _, sub = self.fields.get_content_type().partition("/")
        return main, sub

    @property
    def numbered(self) -> list[Part]:
        """What 1, 2, 3 ... stand for in it: of a message that has one part, itself."""
        if self.message is not None:
            return self.message.parts or [self.message]
        return self.parts

    def at(self, numbers: Sequence[int]) -> Part | None:
        """The part with that number, ``None``: there is none.  It is of a message."""
        part = self
        for depth, number in enumerate(numbers):
            below = part.numbered or ([part] if not depth else [])
            if number > len(below):
                return None
            part = below[number - 1]
        return part

    def named(self, names: Iterable[str], *, others: bool = False) -> bytes:
        """The header fields of those names, or all *others*, and a blank line."""
        wanted = {name.lower().encode() for name in names}
        kept = [
            found[0]
            for found in _fields(self.header)
            if (found[1].lower() in wanted) != others
        ]
        return b"".join(kept) + b"\r\n"


def _text(value: str) -> str:
    """The octets of a field as text; those that are not UTF-8 are lost."""
    return value.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def take_header(pieces: Iterable[bytes]) -> bytes:
    """Of a message that comes in pieces its header, and no more than it takes."""
    header = bytearray()
    for piece in pieces:
        start = max(len(header) - 3, 0)  # a blank line may be cut
        header += piece
        found = _find_blank_line(header, start)
        if found is not None:
            return bytes(header[: found.end()])
    return bytes(header)


def take_apart(data: bytes) -> Part:
    """The message, and all parts of it."""
    top = _part(data, 0, len(data), digest=False)
    waiting = [(top, 0)]
    count = 1
    while waiting:
        part, depth = waiting.pop()
        if depth >= MAX_DEPTH:
            continue
        main, sub = part.type
        if main == "multipart":
            boundary = part.fields.get_boundary()
            if boundary:
                spans = _split(part, boundary, MAX_PARTS - count)
                digest = sub == "digest"
                part.parts = [_part(data, *span, digest=digest) for span in spans]
        elif (main, sub) == ("message", "rfc822") and count < MAX_PARTS:
            part.message = _part(data, part.body, part.end, digest=False)
        below = part.parts or ([part.message] if part.message else [])
        count += len(below)
        waiting += [(each, depth + 1) for each in below]
    return top


def _part(data: bytes, start: int, end: int, *, digest: bool) -> Part:
    found = _find_blank_line(data[start:end])
    body = end if found is None else start + found.end()
    return Part(data, start, body, end, digest)


def _split(part: Part, boundary: str, most: int) -> list[tuple[int, int]]:
    """Where the parts of a multipart stand; what is before and behind them is not."""
    line = re.compile(
        rb"(?:\A|\r?\n)--%s(--)?[ \t]*(?:\r?\n|\Z)"
        % re.escape(boundary.encode("utf-8", "surrogateescape"))
    )
    spans: list[tuple[int, int]] = []
    start = None
    at, text = 0, part.text
    while found := line.search(text, at):
        if start is not None:
            spans.append((part.body + start, part.body + max(found.start(), start)))
        if found[1] or len(spans) >= most:
            return spans
        start = found.end()
        # The line end of this delimiter may be that before the next.
        at = start - 1 if start < len(text) else start
        if text[at - 1 : at] == b"\r":
            at -= 1
        if start == len(text):
            break
    if start is not None:  # the end is missing
        spans.append((part.body + start, part.end))
    return spans
