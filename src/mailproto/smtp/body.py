"""The message itself, as it comes and goes: line ends, dots, chunks, and its size.

Both ways to hand it over, DATA and BDAT, and both roles share this.  Where a message
ends is never a matter of line ends: only CRLF . CRLF ends DATA, only the count a
chunk.  What becomes of a CR or LF that stands alone is ``Newlines``; some servers
take it for a line end, and so a message for two (SMTP smuggling, 2023).
"""

from __future__ import annotations

from copy import copy
from enum import Enum
from io import IncrementalNewlineDecoder  # no I/O in it
from typing import Final

from .. import _dots
from .._buffer import ReceiveBuffer
from ..errors import LimitExceeded, LocalProtocolError
from .responses import EnhancedCode, Reply

TOO_LARGE: Final = Reply(552, "the message is too large", EnhancedCode(5, 3, 4))
MALFORMED: Final = Reply(
    550, "the message has a CR or LF by itself, or a NUL", EnhancedCode(5, 6, 0)
)


class Newlines(Enum):
    """What becomes of a CR or LF in a message that is no part of a CRLF."""

    REJECT = "reject"  #: the message is refused, and one with a NUL, too
    NORMALIZE = "normalize"  #: it becomes a CRLF
    KEEP = "keep"  #: nothing; who reads it must know what he does


# Python 3.11 takes long to look a member up in its Enum.
_REJECT, _NORMALIZE, _KEEP = Newlines


def _all_whole(data: bytes) -> bool:
    """Whether each CR and LF in *data* is one half of a CRLF.

    What notes for text files which line ends they have does it in one pass: a quarter
    of the time that it takes to count CR, LF and CRLF.
    """
    ends = IncrementalNewlineDecoder(None, translate=False)
    ends.decode(data.decode("latin-1"), final=True)
    return ends.newlines in (None, "\r\n")


def is_clean(data: bytes) -> bool:
    """Whether no policy has anything against *data*, nor to change."""
    return _all_whole(data) and b"\0" not in data


class LineEnds:
    """Applies a policy to one message, given in pieces."""

    __slots__ = ("_cr", "bad", "policy")

    def __init__(self, policy: Newlines) -> None:
        self.policy = policy
        self._cr = False  # the last piece ended with a CR
        #: whether the message is to be refused
        self.bad = False

    def take(self, data: bytes) -> bytes:
        """What goes on of *data*: the very object, if there is nothing to be done."""
        if self.policy is _KEEP or not data:
            return data
        text = b"\r" + data if self._cr else data
        self._cr = data[-1] == 0x0D
        if self._cr:  # the LF may be the first of what follows
            text = text[:-1]
        good = _all_whole(text)
        if self.policy is _REJECT:
            self.bad |= not good or b"\0" in text
            return data
        if good:
            return text
        text = text.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        return text.replace(b"\n", b"\r\n")

    def end(self) -> bytes:
        """What is still to go on when the message is over."""
        held, self._cr = self._cr, False
        if held and self.policy is _REJECT:
            self.bad = True
        return b"\r\n" if held and self.policy is _NORMALIZE else b""


def check_line_ends(ends: LineEnds, data: bytes) -> LineEnds:
    """*ends* after *data*; raises LocalProtocolError if that must not be sent."""
    if ends.policy is _KEEP:
        return ends
    after = copy(ends)
    after.take(data)
    if after.bad:
        raise LocalProtocolError("a CR or LF by itself, or a NUL, in a message")
    return after


class Outgoing:
    """One message, or one chunk of it, that its sender hands over piece by piece."""

    __slots__ = ("_last", "_left", "_stuffer", "ends")

    def __init__(self, ends: LineEnds, size: int | None, *, last: bool = False) -> None:
        self.ends = ends
        self._left = size  # of a chunk; None: DATA
        self._last = last  # chunk
        self._stuffer = _dots.Stuffer()

    def take(self, data: bytes) -> bytes:
        """*data* as it goes on the wire; LocalProtocolError if it cannot."""
        if self._left is None:
            policy = self.ends.policy
            if policy is _REJECT:
                self.ends = check_line_ends(self.ends, data)
            elif policy is _NORMALIZE:
                data = self.ends.take(data)
            return self._stuffer.stuff(data)
        if len(data) > self._left:
            raise LocalProtocolError(f"only {self._left} octets of the chunk are left")
        ends = check_line_ends(self.ends, data)
        if self._last and self._left == len(data):
            check_line_ends(ends, b"\r\n")  # a CR at the very end is one by itself
        self.ends = ends
        self._left -= len(data)
        return data

    def end(self) -> bytes:
        """What ends it on the wire; LocalProtocolError if it is not all there."""
        if self._left:
            raise LocalProtocolError(f"{self._left} octets of the chunk are missing")
        if self._left is not None:
            return b""
        if self.ends.policy is _KEEP:
            return self._stuffer.end()
        check_line_ends(self.ends, b"\r\n")
        return self._stuffer.stuff(self.ends.end()) + self._stuffer.end()


class Incoming:
    """One message that comes: ``begin`` it, or each chunk of it, and ``take``."""

    __slots__ = (
        "_at_once",
        "_discarded",
        "_ends",
        "_left",
        "_most",
        "_text",
        "chunks",
        "size",
    )

    def __init__(self, policy: Newlines, most: int, discarded: int) -> None:
        self._ends = LineEnds(policy)
        self._most = most
        self._discarded = discarded  # octets beyond that are read past
        self.size = 0  #: octets that came, whatever became of them
        self._left = 0  # of the chunk
        self._text: _dots.Unstuffer | None = None  # of DATA
        self._at_once = False  # it is DATA, and none of it has been taken
        self.chunks = 0

    def begin(self, size: int | None) -> None:
        """What follows is a chunk of *size* octets; ``None``: it is DATA."""
        self.chunks += 1
        if size is None:
            self._at_once = True
        else:
            self._left = size

    def take_whole(
        self, buffer: ReceiveBuffer, texts: _dots.WholeTexts
    ) -> bytes | None:
        """All of a message of DATA, if it is there, and no larger than it may be.

        ``None``: nothing was taken, ``take`` it.
        """
        if not self._at_once:
            return None
        data = texts.take(buffer, self._most)
        if data is None:
            return None
        self._at_once = False
        self.size = len(data)
        return data if texts.checked else self._ends.take(data)

    def take(self, buffer: ReceiveBuffer) -> tuple[bytes, bool]:
        """Some of it, and whether that was the last of what was begun.

        Nothing is handed on of what is too large.  Raises LimitExceeded("message")
        when there comes far too much.
        """
        if self._at_once:
            if not len(buffer):
                return b"", False
            self._at_once, self._text = False, _dots.Unstuffer()
        while True:
            if self._text is not None:
                data, over = self._text.take(buffer)
            else:
                data = buffer.take(min(self._left, _dots.CHUNK)) if self._left else b""
                self._left -= len(data)
                over = not self._left
            if not data and not over:
                return b"", False
            self.size += len(data)
            if self.size > self._most + self._discarded:
                what = "the message is far too large"
                raise LimitExceeded("message", self._most, what, TOO_LARGE)
            data = self._ends.take(data) if self.size <= self._most else b""
            if data or over:
                return data, over

    def end(self) -> bytes:
        """The message is over: what is still to be handed on of it."""
        return self._ends.end()

    @property
    def fault(self) -> Reply | None:
        """Why the message is to be refused, if it is."""
        if self.size > self._most:
            return TOO_LARGE
        return MALFORMED if self._ends.bad else None
