"""Received bytes, waiting to be understood: lines, counted bytes, nothing else.

A read is kept as the object that came, and searched once for line ends.  A line
that is cut between two reads is gathered in ``_cut`` until its end arrives.  So
every byte is searched once and copied twice at most, in whatever pieces it comes:
the time is linear in the bytes, however they are cut.
"""

from __future__ import annotations

import re
import sys
from collections import deque
from collections.abc import Callable
from typing import Final, TypeAlias

from .errors import LimitExceeded

Search: TypeAlias = Callable[[bytes, int, int], re.Match[bytes] | None]
Match: TypeAlias = Callable[[bytes, int], re.Match[bytes] | None]

AHEAD: Final = 4096  # octets that are looked at for lines at once
TINY: Final = 512  # octets that pieces are joined to, while they wait


class ReceiveBuffer:
    """A queue of bytes.  Only CRLF ends a line."""

    __slots__ = ("_cut", "_data", "_fed", "_later", "_start", "_waiting", "eof")

    def __init__(self) -> None:
        self._cut = bytearray()  # the beginning of a line, searched already
        self._data = b""  # the read at hand ...
        self._start = 0  # ... of which this much is used up
        self._later: deque[bytes] = deque()  # reads not looked at yet
        self._waiting = 0  # octets of those
        self._fed = 0  # octets that ever came
        self.eof = False

    def __len__(self) -> int:
        return len(self._cut) + len(self._data) - self._start + self._waiting

    def __bytes__(self) -> bytes:
        return b"".join((self._cut, self._data[self._start :], *self._later))

    def feed(self, data: bytes | bytearray | memoryview) -> None:
        """Add *data*.  ``bytes`` are kept as they are, anything else is copied.

        Only tiny pieces are joined: each by itself would cost more than it holds.
        """
        piece = bytes(data)
        self._waiting += len(piece)
        self._fed += len(piece)
        if self._later and len(self._later[-1]) + len(piece) <= TINY:
            self._later[-1] += piece
        else:
            self._later.append(piece)

    def take_line(self, limit: int, name: str) -> bytes | None:
        """The next line without its CRLF, or ``None`` if it is not all here.

        Raises LimitExceeded(*name*) for a line of more than *limit* octets, CRLF
        included, as soon as that many are here.  Nothing is lost by it.
        """
        start = self._start
        end = self._data.find(b"\r\n", start)
        if end >= 0 and not self._cut and end + 2 - start <= limit:
            self._start = end + 2  # all but a few lines are whole within a read
            return self._data[start:end]
        while True:
            end = self._line_end()
            size = len(self._cut) + (end or len(self._data)) - self._start
            if size > limit or (size == limit and not end):
                raise LimitExceeded(name, limit, f"line longer than {limit} octets")
            if end:
                self._cut += self._data[self._start : end]
                line = bytes(self._cut[:-2])
                self._cut.clear()
                self._start = end
                return line
            if not self._cut_off():
                return None

    def peek_lines(self) -> list[bytes]:
        """The next lines, without their CRLF; not all that are here, or none."""
        if self._cut or (self._start == len(self._data) and not self._next_read()):
            return []
        lines = self._data[self._start : self._start + AHEAD].split(b"\r\n")
        lines.pop()  # it has no end yet
        return lines

    def drop(self, count: int) -> None:
        """Forget *count* octets of what ``peek_lines`` or ``at_hand`` gave."""
        self._start += count

    def skip_line(self) -> bool:
        """Forget what is here of the next line; whether its end was among it."""
        while True:
            end = self._line_end()
            if not end and self._cut_off():
                continue
            if end:
                self._start = end
                self._cut.clear()
                return True
            if self._cut.endswith(b"\r"):  # half of a line end
                self._cut[:] = b"\r"
            else:
                self._cut.clear()
            return False

    def take(self, at_most: int, until: Search | None = None) -> bytes:
        """Up to *at_most* of the bytes that are here; ``b""`` when there are none.

        What *until* finds among them is the last of them.  A read that fits is handed
        on as the object that came in.
        """
        if self._cut:
            self._data = bytes(self._cut) + self._data[self._start :]
            self._start = 0
            self._cut.clear()
        elif self._start == len(self._data) and not self._next_read():
            return b""
        end = min(self._start + at_most, len(self._data))
        if until is not None:
            found = until(self._data, self._start, end)
            end = end if found is None else found.end()
        data = self._data[self._start : end]
        self._start = end
        return data

    def take_match(
        self, match: Match, limit: int = sys.maxsize, name: str = ""
    ) -> re.Match[bytes] | None:
        """What *match* finds at the beginning, if it is whole in the read at hand.

        ``None``: nothing is taken.  It must not match the beginning of a longer match.
        Raises LimitExceeded(*name*) for more than *limit* octets.
        """
        if self._cut or (self._start == len(self._data) and not self._next_read()):
            return None
        found = match(self._data, self._start)
        if found is not None:
            end = found.end()
            if end - self._start > limit:
                raise LimitExceeded(name, limit, f"more than {limit} octets")
            self._start = end
        return found

    def at_hand(self) -> tuple[bytes, int, int]:
        """The read at hand as it came, how much of it is used up, and ever was.

        There is none while the line is incomplete that began in the one before.
        """
        if self._cut or (self._start == len(self._data) and not self._next_read()):
            return b"", 0, -1
        left = len(self._data) - self._start
        return self._data, self._start, self._fed - self._waiting - left

    def untake(self, count: int) -> None:
        """Put back the last *count* of the bytes that the last ``take`` gave."""
        self._start -= count

    def _line_end(self) -> int:
        """Where in the read at hand the next line ends, behind its LF, or 0."""
        if self._cut.endswith(b"\r") and self._data.startswith(b"\n", self._start):
            return self._start + 1
        at = self._data.find(b"\r\n", self._start)
        return at + 2 if at >= 0 else 0

    def _cut_off(self) -> bool:
        """Set the rest of this read aside, turn to the next; whether there is one."""
        self._cut += self._data[self._start :]
        return self._next_read()

    def _next_read(self) -> bool:
        self._data, self._start = b"", 0
        while self._later and not self._data:
            self._data = self._later.popleft()
            self._waiting -= len(self._data)
        return bool(self._data)
