"""How a client reads replies, line by line, and what it mends in them."""

from __future__ import annotations

from abc import abstractmethod
from typing import Final

from .._command import Closed, Completed, Deviation, GoAhead, Part
from .._connection import Security
from .._lines import LineClient
from .._login import Login
from .._text import read_text, write_text
from ..errors import LimitExceeded, RemoteProtocolError, quote
from . import commands as c
from .grammar import MAX_LINE
from .responses import (
    Challenge,
    Closing,
    Deliveries,
    Delivery,
    EhloData,
    Extension,
    Greeting,
    Quirk,
    Reply,
    fault_of,
    mend_extension,
    split_line,
)
from .state import Limits

Answer = Reply | EhloData | Deliveries
Event = (
    Greeting
    | Completed[Answer]
    | Part[Delivery]
    | GoAhead
    | Closing
    | Deviation
    | Closed
)


class ReplyReader(LineClient[Event]):
    """Lines of a server become replies; faults that have a name are told of.

    What a reply means is for the ``Client`` to say.
    """

    _asks = Challenge

    def __init__(self, security: Security, limits: Limits, *, strict: bool) -> None:
        super().__init__(security, limits, strict=strict)
        self.limits: Final = limits
        # Of the reply that is being read:
        self._code = 0
        self._texts: list[bytes] = []  # its lines so far
        self._extensions: list[Extension] = []
        self._size = 0  # octets

    @abstractmethod
    def _read_challenge(self, login: Login, line: bytes) -> Event | None:
        """What comes of a 334 in the log-in that is going on."""

    def _read_reply(self) -> Reply | Event | None:
        """The next whole reply, or an event that comes before it."""
        while True:
            line = self._take_line()
            if line is None:
                return None
            odd = len(line) + 2 > MAX_LINE or not line.isascii()
            if odd and not (self._login or self._excused) and (fault := fault_of(line)):
                return self._deviates(fault, line, line)
            try:
                event = self._read_line(line)
            except ValueError as error:
                raise RemoteProtocolError(f"not a reply: {quote(line)}") from error
            if event is not None:
                return event

    def _read_line(self, line: bytes) -> Reply | Event | None:
        """One line: the end of a reply, an event that comes before it, or neither."""
        code, more, text = split_line(line)
        if self._login is not None and code == 334 and not more and not self._texts:
            return self._read_challenge(self._login, line)
        if self._texts and code != self._code:
            deviation = self._deviates(Quirk.MIXED_CODES, line, line)
            self._code = code
            return deviation
        event = self._read_text(code, text)
        if event is not None or more:
            return event
        reply = Reply.join(code, self._texts)
        self._texts, self._size = [], 0
        return reply

    def _read_text(self, code: int, text: bytes) -> Event | None:
        """One line of a reply, without its code."""
        asked = self._in_flight[0].command if self._in_flight else None
        extension = isinstance(asked, c.Ehlo | c.Lhlo) and code == 250 and self._texts
        if extension and (text or not self._excused):
            try:
                self._extensions.append(Extension.read(read_text(text)))
            except ValueError:
                return self._mend_extension(text)
        self._line = None
        self._code = code
        self._texts.append(text)
        self._size += len(text) + 6
        if len(self._texts) > self.limits.reply_lines:
            most = self.limits.reply_lines
            raise LimitExceeded("reply_lines", most, "a reply of too many lines")
        if self._size > self.limits.reply:
            raise LimitExceeded("reply", self.limits.reply, "a reply that is too long")
        return None

    def _mend_extension(self, text: bytes) -> Event:
        assert self._line is not None
        raw, before = self._line, self._line[:4]
        mended = None if self._excused else mend_extension(read_text(text))
        if mended is None:  # what is left is no extension, but it may be the last line
            return self._deviates(Quirk.EHLO_LINE, raw, before)
        return self._deviates(mended[0], raw, before + write_text(mended[1]))
