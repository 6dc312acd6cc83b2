"""A client that is answered line by line, in the order of its commands.

POP3 and SMTP have such.  What is on its way, what waits to be written, and the line
that is being read are kept here.  What may be sent, and what a line means, is theirs.
"""

from __future__ import annotations

from collections import deque
from enum import Enum
from typing import Any, ClassVar, Final, TypeVar

from ._command import Call, Deviation
from ._connection import Limits, Security
from ._login import Challenge, LoginClient
from .errors import LocalProtocolError, RemoteProtocolError, quote

Event = TypeVar("Event", covariant=True)


class LineClient(LoginClient[Event]):
    """Its calls in their order, and the line that may have to be mended."""

    #: what a server asks in a log-in
    _asks: ClassVar[type[Challenge]]

    def __init__(self, security: Security, limits: Limits, *, strict: bool) -> None:
        super().__init__(security, limits)
        self.strict: Final = strict
        self._in_flight: deque[Call[Any]] = deque()  # written, not answered
        self._held: deque[Call[Any]] = deque()  # to be written when it may be
        self._line: bytes | None = None  # taken, and not understood yet
        self._excused = False  # that line deviates, and this has been said

    def _check_queue(self, unfinished: Call[Any] | None = None) -> None:
        """Raise LocalProtocolError if no command can be sent now, whatever it is.

        *unfinished*: of this one the caller has not said all.
        """
        held, in_flight = self._held, self._in_flight
        if not held and not in_flight:
            return
        last = (held or in_flight)[-1]
        if last is unfinished or last.command.locks:
            name = last.command.verb.decode()
            raise LocalProtocolError(f"nothing can be sent until {name} is over")
        most = self._base_limits.in_flight
        if len(held) + len(in_flight) >= most:
            raise LocalProtocolError(f"more than {most} commands in flight")

    def _take_line(self) -> bytes | None:
        """The line that was mended, or else the next one; ``None``: not all here."""
        if self._line is not None:
            return self._line
        login = self._login is not None
        limits = self._base_limits
        limit = limits.sasl_line if login else limits.line
        self._line = self._in.take_line(limit, "sasl_line" if login else "line")
        self._excused = False
        if self._line is not None and self.trace is not None:
            secret = login and self._line.startswith(self._asks.begins)
            self._heard(self._asks().masked() if secret else self._line)
        return self._line

    def _deviates(self, quirk: Enum, raw: bytes, better: bytes) -> Deviation:
        """Tell of a fault; *better* is what will be read instead of *raw*."""
        if self.strict:
            raise RemoteProtocolError(f"{quirk.value}: {quote(raw)}")
        self._line, self._excused = better, True
        return Deviation(quirk, raw)
