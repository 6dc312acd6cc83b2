"""Lines that a server reads at a glance.

    MAIL FROM:<ann@example.org> SIZE=4042
    RCPT TO:<bob@example.org>
    DATA

Clients write nearly all of their lines so.  One regular expression knows each, and is
narrower than the grammar of ``commands``: what it does not find is read there.  Nobody
can tell the values apart.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from .._buffer import Match
from .._values import setters
from .commands import Data, Mail, Rcpt
from .grammar import PLAIN_MAILBOX, SHORT_PATH
from .parameters import Body, BodyType, Parameter, Size
from .state import Dialect, State

_PATH = rb"<(%s)>" % PLAIN_MAILBOX
_SIZE = rb"(?: SIZE=([0-9]{1,18}+))?"
_BODY = rb"(?: BODY=(7BIT|8BITMIME))?"
_MAIL = re.compile(rb"MAIL FROM:%s%s%s\r\n" % (_PATH, _SIZE, _BODY)).match
_RCPT = re.compile(rb"RCPT TO:%s\r\n" % _PATH).match
_RCPT_OR_DATA = re.compile(rb"(?:RCPT TO:%s|DATA)\r\n" % _PATH).match

_set_sender, _set_mail_parameters = setters(Mail)
_set_recipient, _set_rcpt_parameters = setters(Rcpt)
[_set_octets] = setters(Size)

_BODIES: Final = {kind.encode(): Body(BodyType(kind)) for kind in ("7BIT", "8BITMIME")}
_DATA: Final = Data()


def _read_mail(found: re.Match[bytes]) -> Mail | None:
    sender, octets, body = found.groups()
    if len(sender) > SHORT_PATH:
        return None
    parameters: tuple[Parameter, ...] = ()
    if octets is not None:
        size = object.__new__(Size)
        _set_octets(size, int(octets))
        parameters = (size,)
    if body is not None:
        parameters += (_BODIES[body],)
    command = object.__new__(Mail)
    _set_sender(command, sender.decode())
    _set_mail_parameters(command, parameters)
    return command


def _read_rcpt(found: re.Match[bytes]) -> Rcpt | Data | None:
    recipient = found[1]
    if recipient is None:
        return _DATA
    if len(recipient) > SHORT_PATH:
        return None
    command = object.__new__(Rcpt)
    _set_recipient(command, recipient.decode())
    _set_rcpt_parameters(command, ())
    return command


Reader = Callable[[re.Match[bytes]], Mail | Rcpt | Data | None]

#: What is found in which state, and what makes a command of it; ``None``: it must be
#: looked at closely.
LINES: Final[dict[State, tuple[Match, Reader]]] = {
    State.READY: (_MAIL, _read_mail),
    State.MAIL: (_RCPT, _read_rcpt),
    State.RCPT: (_RCPT_OR_DATA, _read_rcpt),
}


def knows_plain(dialect: Dialect) -> bool:
    """Whether these lines mean in *dialect* what they mean here."""
    return all(dialect.verbs.get(kind.verb) is kind for kind in (Mail, Rcpt, Data))
