"""The ways in which a conversation goes wrong.

    MailError
      LocalProtocolError       you erred: nothing was sent, nothing changed
      RemoteProtocolError      the peer erred beyond repair: close the connection
        LimitExceeded          ... by sending more than one of the limits allows
      CommandFailed            the server refused a command: raised only by ``run``

Out of the core comes nothing else, for any bytes whatever.  A refusal and a bad
command are no errors there but events; time-outs, lost connections and failed
handshakes reach you as the exceptions of the layer where they happen.
"""

from __future__ import annotations

from typing import Any, Final

QUOTED: Final = 80  # octets of the peer's that a message may repeat


def quote(data: bytes) -> str:
    """What the peer said, fit for a message: printable ASCII, and not too long.

    >>> quote(b"+OK \\x1b[31m")
    "b'+OK \\\\x1b[31m'"
    """
    return repr(data[:QUOTED]) + ("..." if len(data) > QUOTED else "")


class MailError(Exception):
    """Base of everything that mailproto raises on purpose."""


class LocalProtocolError(MailError):
    """You asked for something that the protocol forbids now.

    Nothing was sent and no state changed: the connection is as it was.
    """


class RemoteProtocolError(MailError):
    """The peer broke the protocol beyond repair; close the connection.

    *hint* is what a server may still say before it closes, or ``None``.  A
    connection that raised this once raises it for ever after.
    """

    def __init__(self, message: str, hint: Any = None) -> None:
        super().__init__(message)
        self.hint = hint


class LimitExceeded(RemoteProtocolError):
    """The peer sent more than *limit*, the field of ``Limits`` that is named so."""

    def __init__(self, limit: str, allowed: int, what: str, hint: Any = None) -> None:
        super().__init__(f"{what} (limit {limit!r}: {allowed})", hint)
        self.limit = limit
        self.allowed = allowed


class CommandFailed(MailError):
    """The server refused *command*; *answer* is what it said.

    Where a client gave up on an exchange by itself (a challenge that cannot be
    trusted, say), ``__cause__`` tells why.
    """

    def __init__(self, command: Any, answer: Any) -> None:
        super().__init__(f"{command!r}: {answer}")
        self.command = command
        self.answer = answer
