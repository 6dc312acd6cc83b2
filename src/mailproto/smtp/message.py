"""A message as a program has it in hand, made into what an SMTP client sends.

Bcc fields are left out, the last line is whole, and the octets are such as the server
offers to take: an object of the ``email`` package is written in seven bits where there
is no 8BITMIME; bytes cannot be, for they may be signed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from email import policy
from email.generator import BytesGenerator
from email.headerregistry import Address
from email.message import Message
from email.parser import HeaderParser
from io import BytesIO
from typing import Any, Final

from .._text import read_text
from ..errors import LocalProtocolError
from .body import LineEnds, Newlines, check_line_ends
from .commands import Mail, Rcpt
from .parameters import Body, BodyType, Parameter, Size, SmtpUtf8
from .responses import EhloData

Sendable = bytes | Message
Sender = str | Mail
Recipients = Sequence[str | Rcpt]

# A bare LF is taken for a line end here: better a field too many is left out than a
# hidden recipient is shown.
_find_blank_line = re.compile(rb"(?:\A|(?<=\n))\r?\n").search
_BCC = re.compile(rb"^(?:Resent-)?Bcc[ \t]*:.*\n?(?:[ \t].*\n?)*", re.M | re.I)


@dataclass(frozen=True, slots=True)
class Letter:
    """What is sent: the message, to whom, and what is said of it with MAIL.

    *mail* has every parameter that the message needs and the server offers.
    """

    data: bytes
    mail: Mail
    recipients: tuple[Rcpt, ...]

    @classmethod
    def of(
        cls,
        message: Sendable,
        sender: Sender | None,
        recipients: Recipients | None,
        offered: EhloData,
        newlines: Newlines,
    ) -> Letter:
        """Raises LocalProtocolError for what the server does not offer to take."""
        eightbit = offered.eightbitmime
        data = message if isinstance(message, bytes) else _write(message, eightbit)
        # Line ends first: what is a line of the header, and so a Bcc, hangs on them.
        data = _whole(data, newlines)
        if sender is None or recipients is None:
            found_sender, found = envelope(data)
            sender = found_sender if sender is None else sender
            recipients = found if recipients is None else recipients
        data = _without_bcc(data)
        to = {str(each.argument()): each for each in map(_recipient, recipients)}
        utf8 = not (header(data).isascii() and "".join(to).isascii())
        mail = _mail(sender, data, offered, utf8)
        return cls(data, mail, tuple(to.values()))


def _recipient(recipient: str | Rcpt) -> Rcpt:
    return Rcpt(recipient) if isinstance(recipient, str) else recipient


def _write(message: Message[Any, Any], eightbit: bool) -> bytes:
    """An object of the ``email`` package as octets, with CRLF."""
    rules = message.policy.clone(
        linesep="\r\n", cte_type="8bit" if eightbit else "7bit"
    )
    if isinstance(rules, policy.EmailPolicy):
        rules = rules.clone(utf8=_needs_utf8(message))
    out = BytesIO()
    BytesGenerator(out, mangle_from_=False, policy=rules).flatten(message)
    return out.getvalue()


def _needs_utf8(message: Message[Any, Any]) -> bool:
    """RFC 6532: an address that is not ASCII cannot be encoded in another way."""
    found = (each for value in message.values() for each in _addresses(value))
    return not all(each.addr_spec.isascii() for each in found)


def _addresses(value: object) -> Iterable[Address]:
    found: Iterable[Address] = getattr(value, "addresses", ())
    return found


def header(data: bytes) -> bytes:
    """The header of a message, with the end of its last line."""
    found = _find_blank_line(data)
    return data if found is None else data[: found.start()]


def _without_bcc(data: bytes) -> bytes:
    top = header(data)
    rest = data[len(top) :]
    return _BCC.sub(b"", top) + rest


def _whole(data: bytes, newlines: Newlines) -> bytes:
    """*data* by the policy for line ends, its last line made whole."""
    ends = LineEnds(newlines)
    if newlines is Newlines.REJECT:
        check_line_ends(ends, data + b"\r\n")
    data = ends.take(data)
    data += ends.end()
    return data if data.endswith(b"\r\n") or not data else data + b"\r\n"


# -- the envelope ------------------------------------------------------------------


def envelope(data: bytes) -> tuple[str, list[str]]:
    """Sender and recipients, as the header has them (RFC 5322 3.6.2, 3.6.3, 3.6.6).

    Sender, or else the first From; To, Cc and Bcc; where the message was resent, the
    same of the Resent fields.  Raises ValueError if that cannot be told.
    """
    fields = HeaderParser(policy=policy.SMTP).parsestr(read_text(header(data)))
    resent = fields.get_all("Resent-Date", [])
    if len(resent) > 1:
        raise ValueError("resent more than once: name sender and recipients yourself")
    prefix = "Resent-" if resent else ""
    senders = [*_named(fields, prefix + "Sender"), *_named(fields, prefix + "From")]
    if not senders:
        raise ValueError(f"neither {prefix}Sender nor {prefix}From tells the sender")
    to = [
        each for name in ("To", "Cc", "Bcc") for each in _named(fields, prefix + name)
    ]
    return senders[0], list(dict.fromkeys(to))


def _named(fields: Message[Any, Any], name: str) -> Iterator[str]:
    for value in fields.get_all(name, []):
        for each in _addresses(value):
            if not each.username or not each.domain:
                raise ValueError(f"{name} holds what is no address")
            yield each.addr_spec


# -- what is said with MAIL --------------------------------------------------------


def _mail(sender: Sender, data: bytes, offered: EhloData, utf8: bool) -> Mail:
    given = () if isinstance(sender, str) else sender.parameters
    path = sender if isinstance(sender, str) else sender.sender
    needed = _parameters(data, offered, utf8 or not path.isascii())
    known = {type(parameter) for parameter in given}
    return Mail(path, *given, *(each for each in needed if type(each) not in known))


_BINARY: Final = "the message holds a NUL, and the server does not offer BINARYMIME"
_EIGHT: Final = (
    "the message is not ASCII, and the server does not offer 8BITMIME; "
    "give it as an EmailMessage, which can be encoded anew"
)
_UTF8: Final = (
    "an address or the header is not ASCII, and the server does not offer SMTPUTF8"
)


def _parameters(data: bytes, offered: EhloData, utf8: bool) -> Iterator[Parameter]:
    if offered.size is not None:
        yield Size(len(data))
    if b"\0" in data:
        if not offered.binarymime:
            raise LocalProtocolError(_BINARY)
        yield Body(BodyType.BINARYMIME)
    elif not data.isascii():
        if not offered.eightbitmime:
            raise LocalProtocolError(_EIGHT)
        yield Body(BodyType.EIGHTBITMIME)
    if utf8:
        if not offered.smtputf8:
            raise LocalProtocolError(_UTF8)
        yield SmtpUtf8()
