"""Dot-stuffed text, as POP3 (RFC 1939 3) and SMTP (RFC 5321 4.5.2) share it.

    a line of the text        on the wire
    ----------------------    ---------------------
    ``hello``                 ``hello CRLF``
    ``.hidden``               ``..hidden CRLF``
    (the end of the text)     ``. CRLF``

Only CRLF ends a line.  A bare LF or CR is data like any other: whoever reads it as
a line end lets mail be smuggled.  Text is searched by the chunk, never by the line.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from ._buffer import ReceiveBuffer

CHUNK: Final = 65536  # octets handed on at once: one read of an adapter
END: Final = b"\r\n.\r\n"
# For so short a pattern, regular expressions are faster than the methods of bytes: to
# search takes two thirds, to split and join two thirds, and half of replace.
_find_end = re.compile(re.escape(END)).search
_split_dots = re.compile(rb"\r\n\.").split


class WholeTexts:
    """Takes texts that are whole in one read: that is searched once for all of them.

    *check* is asked about what is searched, and ``checked`` is what it said.
    """

    __slots__ = ("_at", "_check", "_ends", "_part", "_parts", "_until", "checked")

    def __init__(self, check: Callable[[bytes], bool]) -> None:
        self._check = check
        self.checked = False
        self._until = 0  # how far it was searched, of all that ever came
        self._parts: list[bytes] = []  # what stands between the dots
        self._ends: list[int] = []  # which of those follow an end, the next one last
        self._part = 0  # the one at hand ...
        self._at = 0  # ... and where it begins

    def take(self, buffer: ReceiveBuffer, at_most: int) -> bytes | None:
        """The text that comes next; ``None``: nothing is taken, an Unstuffer must."""
        data, start, at = buffer.at_hand()
        if at >= self._until:
            self._search(data[start : start + CHUNK], at)
        if not self._ends:
            return None
        if at >= self._at + len(self._parts[self._part]):
            self._skip(at)
        if at < self._at or not self._ends:
            return None
        first, after = self._part, self._ends[-1]
        begun = self._parts[first][at - self._at :]
        if begun[0] == 0x2E:  # its end may be here
            return None
        text = b"\r\n".join((begun, *self._parts[first + 1 : after], b""))
        if len(text) > at_most:
            return None
        size = len(text) + after - first  # a dot for each
        buffer.drop(size + 2)
        self._ends.pop()
        self._part, self._at = after, at + size
        if not self._ends:
            self._parts = []
        return text

    def _search(self, data: bytes, at: int) -> None:
        self._until, self._at, self._part = at + len(data), at, 0
        parts = _split_dots(data)
        self._ends = []
        if b"" not in parts:  # the CRLF of an end may be that of a dot: rare
            ends = [n for n, part in enumerate(parts) if part[:2] == b"\r\n" and n]
            self._ends = ends[::-1]
        self._parts = parts if self._ends else []
        self.checked = bool(self._ends) and self._check(data)

    def _skip(self, at: int) -> None:
        """Others took what was here: turn to the part that holds *at*."""
        while self._ends and at >= self._at + len(self._parts[self._part]):
            self._at += len(self._parts[self._part]) + 3
            self._part += 1
            if self._part == self._ends[-1]:
                self._ends.pop()


class Unstuffer:
    """Takes one stuffed text out of a buffer."""

    __slots__ = ("_held", "_unreal")

    def __init__(self) -> None:
        # What may be the beginning of END is held back.  A text begins as if a
        # line end had gone before it; those two octets are not part of it.
        self._held = b"\r\n"
        self._unreal = 2

    def take(self, buffer: ReceiveBuffer) -> tuple[bytes, bool]:
        """Some of the text, and whether that was the last of it.

        ``(b"", False)``: more bytes are needed.  What follows the end stays in
        the buffer.
        """
        while data := buffer.take(CHUNK, _find_end):
            text, ended = data, data.endswith(END)
            if self._held:
                text = self._held + data
                found = _find_end(text, 0, len(self._held) + len(END) - 1)
                if found is not None:  # it had begun before
                    buffer.untake(len(text) - found.end())
                    text, ended = text[: found.end()], True
            if ended:
                return self._unstuff(text, len(text) - len(b".\r\n")), True
            kept = next((n for n in (4, 3, 2, 1) if text.endswith(END[:n])), 0)
            self._held = END[:kept]
            if kept == len(text):
                continue
            ready = self._unstuff(text, len(text) - kept)
            self._unreal = 0
            if ready:
                return ready, False
        return b"", False

    def _unstuff(self, text: bytes, end: int) -> bytes:
        parts = _split_dots(text[:end])
        # Of one part, split and slices give the very object: nothing is copied.
        text = parts[0] if len(parts) == 1 else b"\r\n".join(parts)
        return text[self._unreal :]


class Stuffer:
    """Makes one stuffed text of the chunks that it is given."""

    __slots__ = ("_tail",)

    def __init__(self) -> None:
        self._tail = b"\r\n"  # the last two octets of the text so far

    def stuff(self, data: bytes) -> bytes:
        """*data* as it goes on the wire: the very object, if no line needs a dot."""
        if not data:
            return data
        parts = _split_dots(data)
        stuffed = data if len(parts) == 1 else b"\r\n..".join(parts)
        if data[0] == 0x2E and self._tail == b"\r\n":
            stuffed = b"." + stuffed
        elif data[0] == 0x0A and self._tail.endswith(b"\r") and data[1:2] == b".":
            stuffed = b"\n." + stuffed[1:]
        self._tail = data[-2:] if len(data) > 1 else self._tail[-1:] + data
        return stuffed

    def end(self) -> bytes:
        """The end of the text; its last line is made whole if it is not."""
        return b".\r\n" if self._tail == b"\r\n" else END
