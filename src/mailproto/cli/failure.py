"""What goes wrong on the command line: one line, and an exit status."""

from __future__ import annotations

import errno
import os
import socket
import ssl
import sys
from typing import Final

from .. import imap, pop3, smtp
from .._text import printable
from ..errors import CommandFailed, LocalProtocolError, RemoteProtocolError
from .reasons import SAYS, Reason, judge, words

STATUSES: Final = """\
  0  all went well          5  no route, no such host, connection refused
  1  something else         6  time-out
  2  usage                  7  the server broke the protocol
  3  log-in refused         8  the maildrop is open elsewhere
  4  TLS refused, or its certificate not trusted
130  interrupted"""

# What the network says when it is not there; the other errors without the name of a
# file come from files too: a full disk names none.
NETWORK: Final = {
    errno.ENETDOWN,
    errno.ENETUNREACH,
    errno.EHOSTUNREACH,
    errno.EADDRNOTAVAIL,
}
UPGRADES: Final = (pop3.Stls, imap.StartTls, smtp.StartTls)
LOGINS: Final = (
    pop3.User,
    pop3.Pass,
    pop3.Apop,
    pop3.Auth,
    imap.Login,
    imap.Authenticate,
    smtp.Auth,
)
#: what is not for the credentials (RFC 3206): it may be granted another time
PASSING: Final = (Reason.BUSY, Reason.TOO_MANY, Reason.ADMINISTRATOR)


class Failure(Exception):
    """What to say on one line, and the exit status."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


class Unread(Exception):
    """Nobody reads what we print any more: ``| head``, say."""


def say(text: str) -> None:
    try:
        print(text, flush=True)
    except BrokenPipeError:
        raise Unread from None


def turn_away() -> None:
    """Print to nowhere, or Python complains when it ends."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


def explain(error: Exception) -> Failure:
    """The exit status of *error*, and what it says to somebody who reads no code."""
    match error:
        case Failure():
            return error
        case ssl.SSLCertVerificationError():
            return Failure(4, f"certificate not trusted: {error.verify_message}")
        case ssl.SSLError():
            return Failure(4, f"TLS failed: {error.reason or error}")
        case CommandFailed():
            return _refused(error)
        case TimeoutError():
            return Failure(6, f"time-out: {error}")
        case socket.gaierror():
            return Failure(5, f"no such host: {error.strerror}")
        case ConnectionError():
            return Failure(5, f"no connection: {error.strerror or error}")
        case RemoteProtocolError():
            return Failure(7, f"the server broke the protocol: {error}")
        case LocalProtocolError():
            return Failure(3, str(error))
        case OSError():
            where = "" if error.filename is None else f"{error.filename}: "
            status = 5 if error.errno in NETWORK else 1
            return Failure(status, where + (error.strerror or str(error)))
        case ValueError():
            return Failure(2, str(error))
    raise error


def _refused(error: CommandFailed) -> Failure:
    said, reason = words(error.answer), judge(error.answer)
    if isinstance(error.command, UPGRADES):
        return Failure(4, f"the server refuses TLS: {said}")
    if isinstance(error.__cause__, RemoteProtocolError):
        return Failure(7, f"the server broke the protocol: {error.__cause__}")
    if reason is Reason.IN_USE:
        return Failure(8, f"the maildrop is open elsewhere: {said}")
    if isinstance(error.command, LOGINS) and reason not in PASSING:
        why = "" if reason is Reason.REFUSED else f" ({SAYS[reason]})"
        return Failure(3, f"log-in refused: {said}{why}")
    return Failure(1, f"refused: {said}")


def show(side: str, line: bytes) -> None:
    say(f"{side}: {printable(line.decode('utf-8', 'surrogateescape'))}")
