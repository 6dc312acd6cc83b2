"""What an SMTP client says (RFC 5321 4.1.1 and its extensions), and an LMTP client.

A client sends these and a server receives them: they are the same objects.  One
that exists can be put on the wire; bad arguments fail when it is made.

To add a verb is to write such a class and to give it rows in a table: see
``state.Dialect``, and ``extensions``, which does it for those that few servers have.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar, Final, Self, TypeVar

from .._command import Command
from .._login import Cancel as Cancel
from .._login import LogIn, read_auth, write_auth
from .._login import Response as Response
from .grammar import (
    check_argument,
    check_hello,
    check_mailbox,
    check_number,
    read_number,
    read_path,
)
from .parameters import (
    Other,
    Parameter,
    SmtpUtf8,
    Verb,
    check_parameters,
    read_parameters,
    refuse,
)
from .responses import Deliveries, EhloData, Reply

MAX_COMMAND: Final = 2048  # octets, CRLF included; Postfix reads as much

R = TypeVar("R")
P = TypeVar("P", bound=Parameter)


class SmtpCommand(Command[R]):
    """A verb with its arguments.  A subclass is a frozen dataclass with these."""

    __slots__ = ()

    verb: ClassVar[bytes]
    #: one reply is all of its answer, and tells no more than how it went
    plain: ClassVar[bool] = True
    #: nothing may be sent behind it until it is answered (RFC 2920 3.1)
    ends_group: ClassVar[bool] = False
    #: what EHLO must have announced
    extension: ClassVar[str | None] = None

    def argument(self) -> str:
        """What stands behind the verb and a space; ``""`` for nothing."""
        return ""

    @classmethod
    def read(cls, argument: bytes) -> Self:
        """The command with that argument; raises ValueError if it cannot have it."""
        if argument:
            raise ValueError("no argument is expected")
        return cls()

    def write(self) -> bytes:
        """The whole line, CRLF included."""
        argument = self.argument()
        line = self.verb + b" " + argument.encode() if argument else self.verb
        return line + b"\r\n"

    def masked(self) -> bytes:
        """The line as a transcript may show it: secrets are left out."""
        return self.write()

    def result(self, answer: Any, parts: list[Any]) -> R:
        """The server's answer, itself."""
        result: R = answer
        return result

    def _check_length(self) -> None:
        if len(self.write()) > MAX_COMMAND:
            raise ValueError(
                f"{self.verb.decode()} would be longer than {MAX_COMMAND} octets"
            )


# -- who is there ----------------------------------------------------------------


class Hello(SmtpCommand[R]):
    """What a session begins with, and begins anew; it ends a transaction."""

    __slots__ = ()
    plain = False
    ends_group = True
    domain: str

    def __post_init__(self) -> None:
        check_hello(self.domain)

    def argument(self) -> str:
        return self.domain

    @classmethod
    def read(cls, argument: bytes) -> Self:
        domain = argument.decode("ascii")
        return cls(domain)  # type: ignore[call-arg]  # the dataclasses below have it


@dataclass(frozen=True, slots=True)
class Ehlo(Hello[EhloData]):
    """RFC 5321 4.1.1.1: who the client is, and what can the server do?

    C: EHLO bar.com
    S: 250-foo.com greets bar.com
    S: 250-8BITMIME
    S: 250 SIZE 1000000
    """

    verb = b"EHLO"
    domain: str


@dataclass(frozen=True, slots=True)
class Helo(Hello[Reply]):
    """RFC 5321 4.1.1.1: the same for a server that knows of no extensions.

    C: HELO bar.com
    S: 250 foo.com
    """

    verb = b"HELO"
    domain: str


@dataclass(frozen=True, slots=True)
class Lhlo(Hello[EhloData]):
    """RFC 2033 4.1: EHLO, as it is called in LMTP.

    C: LHLO foo.edu
    S: 250-foo.edu
    S: 250-PIPELINING
    S: 250 SIZE
    """

    verb = b"LHLO"
    domain: str


@dataclass(frozen=True, slots=True)
class StartTls(SmtpCommand[Reply]):
    """RFC 3207 4: from the answer on, TLS; then EHLO is said again.

    C: STARTTLS
    S: 220 Go ahead
    (TLS negotiation)
    """

    verb = b"STARTTLS"
    locks = True
    plain = False
    ends_group = True
    extension = "STARTTLS"


@dataclass(frozen=True, slots=True)
class Auth(LogIn, SmtpCommand[Reply]):
    """RFC 4954 4: a log-in by a SASL mechanism.

    C: AUTH PLAIN dGVzdAB0ZXN0ADEyMzQ=
    S: 235 2.7.0 Authentication successful

    ``Auth.using(sasl.Plain(name, password))`` answers the server's challenges by
    itself.  Without a *client*, each is a GoAhead and you send a Response or a
    Cancel.  *initial* is the first response, decoded; ``None`` is none, ``b""`` an
    empty one (``=`` on the wire).
    """

    verb = b"AUTH"
    plain = False
    ends_group = True
    extension = "AUTH"

    def argument(self) -> str:
        return write_auth(self.mechanism, self.initial).decode("ascii")

    @classmethod
    def read(cls, argument: bytes) -> Self:
        try:
            mechanism, initial = read_auth(argument)
        except UnicodeError:
            raise
        except ValueError as error:  # RFC 4954 4: 5.5.2 for what is not base64
            raise refuse(str(error), 501, 5, 2) from error
        return cls(mechanism, initial)


# -- a transaction ---------------------------------------------------------------


class Envelope(SmtpCommand[Reply]):
    """A path with parameters.

    >>> Mail("ann@example.org", Size(1000), SmtpUtf8()).get(Size)
    Size(octets=1000)
    """

    __slots__ = ()
    parameters: tuple[Parameter, ...]

    def get(self, kind: type[P]) -> P | None:
        """The parameter of that class, if there is one."""
        for parameter in self.parameters:
            if isinstance(parameter, kind):
                return parameter
        return None

    def other(self, keyword: str) -> Other | None:
        """The parameter that has no class of its own here, if it is there."""
        for parameter in self.parameters:
            if isinstance(parameter, Other) and parameter.word.upper() == keyword:
                return parameter
        return None


def _split_path(verb: Verb, argument: bytes) -> tuple[str, tuple[Parameter, ...]]:
    text = argument.decode("utf-8")
    before = "FROM:" if verb == "MAIL" else "TO:"
    if text[: len(before)].upper() != before:
        raise ValueError(f"{verb} {before}<address> is expected")
    try:
        path, rest = read_path(text, len(before))
    except ValueError as error:
        raise _bad_path(verb, str(error)) from error
    return path, read_parameters(verb, rest) if rest else ()


def _bad_path(verb: Verb, text: str) -> ValueError:
    """501 5.1.7 for a sender, 501 5.1.3 for a recipient (RFC 3463 3.2)."""
    return refuse(text, 501, 1, 7 if verb == "MAIL" else 3)


@dataclass(frozen=True, slots=True, init=False)
class Mail(Envelope):
    """RFC 5321 4.1.1.2: a transaction begins; ``""`` is the null path, ``<>``.

    C: MAIL FROM:<Smith@bar.com> SIZE=500000
    S: 250 OK
    """

    verb = b"MAIL"
    sender: str
    parameters: tuple[Parameter, ...]

    def __init__(self, sender: str, *parameters: Parameter) -> None:
        if sender:
            check_mailbox(sender)
        check_parameters("MAIL", parameters)
        object.__setattr__(self, "sender", sender)
        object.__setattr__(self, "parameters", parameters)
        if not self.argument().isascii():
            self._check_utf8()
        self._check_length()

    def _check_utf8(self) -> None:
        if not self.smtputf8:
            text = "an address that is not ASCII needs SMTPUTF8"
            raise refuse(text, 550, 6, 7)

    def argument(self) -> str:
        return " ".join((f"FROM:<{self.sender}>", *map(str, self.parameters)))

    @property
    def smtputf8(self) -> bool:
        return self.get(SmtpUtf8) is not None

    @classmethod
    def read(cls, argument: bytes) -> Self:
        sender, parameters = _split_path("MAIL", argument)
        if sender and "@" not in sender:
            raise _bad_path("MAIL", "a sender has a domain")
        command = cls.__new__(cls)  # the parts of it have been checked
        object.__setattr__(command, "sender", sender)
        object.__setattr__(command, "parameters", parameters)
        if not argument.isascii():
            command._check_utf8()
        return command


@dataclass(frozen=True, slots=True, init=False)
class Rcpt(Envelope):
    """RFC 5321 4.1.1.3: one recipient; ``"Postmaster"`` needs no domain.

    C: RCPT TO:<Jones@foo.com> NOTIFY=NEVER
    S: 250 OK
    """

    verb = b"RCPT"
    recipient: str
    parameters: tuple[Parameter, ...]

    def __init__(self, recipient: str, *parameters: Parameter) -> None:
        if recipient.lower() == "postmaster":
            recipient = "Postmaster"
        else:
            check_mailbox(recipient)
        check_parameters("RCPT", parameters)
        object.__setattr__(self, "recipient", recipient)
        object.__setattr__(self, "parameters", parameters)
        self._check_length()

    def argument(self) -> str:
        return " ".join((f"TO:<{self.recipient}>", *map(str, self.parameters)))

    def isascii(self) -> bool:
        """Whether it needs no SMTPUTF8."""
        return self.recipient.isascii() and (
            not self.parameters or self.argument().isascii()
        )

    @classmethod
    def read(cls, argument: bytes) -> Self:
        recipient, parameters = _split_path("RCPT", argument)
        if "@" not in recipient:
            if recipient.lower() != "postmaster":
                raise _bad_path("RCPT", "a recipient has a domain")
            recipient = "Postmaster"
        command = cls.__new__(cls)  # the parts of it have been checked
        object.__setattr__(command, "recipient", recipient)
        object.__setattr__(command, "parameters", parameters)
        return command


class Content(SmtpCommand[list[Reply]]):
    """What hands over a message, or a part of it.

    The result is the server's one reply; in LMTP, at the end of the message, one for
    each recipient that was accepted, in their order (RFC 2033 4.2).
    """

    __slots__ = ()
    plain = False

    @property
    def ends_message(self) -> bool:
        return True

    @property
    def by_hand(self) -> bool:
        """Whether whoever sends it hands over the text, piece by piece."""
        return False

    def result(self, answer: Any, parts: list[Any]) -> list[Reply]:
        return answer.replies if isinstance(answer, Deliveries) else [answer]


@dataclass(frozen=True, slots=True)
class Data(Content):
    """RFC 5321 4.1.1.4: the message.

    C: DATA
    S: 354 Start mail input; end with <CRLF>.<CRLF>
    C: (the message)
    C: .
    S: 250 OK

    ``Data(message)`` sends it by itself.  Without a *message*, you are given a GoAhead
    and send Chunks and an End.  Dots are stuffed, and the last line is made whole.
    """

    verb = b"DATA"
    ends_group = True
    message: bytes | None = field(default=None, repr=False, compare=False)

    @property
    def by_hand(self) -> bool:
        return self.message is None


@dataclass(frozen=True, slots=True)
class Bdat(Content):
    """RFC 3030 2: so many octets of the message, as they are.

    C: BDAT 86 LAST
    C: (86 octets)
    S: 250 OK, message accepted

    ``Bdat.of(data, last=True)`` sends them by itself.  Without *data*, you are given a
    GoAhead and send Chunks of *size* octets in all, and an End.
    """

    verb = b"BDAT"
    extension = "CHUNKING"
    size: int
    last: bool = False
    data: bytes | None = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        check_number(self.size, "the size of a chunk")
        if self.data is not None and len(self.data) != self.size:
            raise ValueError("the data are not of that size")

    @classmethod
    def of(cls, data: bytes, *, last: bool = False) -> Self:
        return cls(len(data), last, data)

    @property
    def ends_message(self) -> bool:
        return self.last

    @property
    def by_hand(self) -> bool:
        return self.data is None

    def argument(self) -> str:
        return f"{self.size} LAST" if self.last else str(self.size)

    @classmethod
    def read(cls, argument: bytes) -> Self:
        size, space, last = argument.decode("ascii").partition(" ")
        if space and last.upper() != "LAST":
            raise ValueError("behind the size of a chunk stands LAST or nothing")
        return cls(read_number(size, "the size of a chunk"), bool(space))


@dataclass(frozen=True, slots=True)
class Rset(SmtpCommand[Reply]):
    """RFC 5321 4.1.1.5: forget the transaction.

    C: RSET
    S: 250 OK
    """

    verb = b"RSET"


# -- besides ---------------------------------------------------------------------


class Query(SmtpCommand[Reply]):
    """A question about an address."""

    __slots__ = ()
    ends_group = True
    text: str
    smtputf8: bool

    def __post_init__(self) -> None:
        check_argument(self.text, "text")
        if self.text == '""' or self.text.upper().endswith(" SMTPUTF8"):
            raise ValueError("text must be a name or an address")
        if not self.text.isascii() and not self.smtputf8:
            raise ValueError("text that is not ASCII needs SMTPUTF8")
        self._check_length()

    def argument(self) -> str:
        return f"{self.text} SMTPUTF8" if self.smtputf8 else self.text

    @classmethod
    def read(cls, argument: bytes) -> Self:
        text = argument.decode("utf-8")
        smtputf8 = text.upper().endswith(" SMTPUTF8")
        if smtputf8:
            text = text[: -len(" SMTPUTF8")]
        return cls(text, smtputf8)  # type: ignore[call-arg]


@dataclass(frozen=True, slots=True)
class Vrfy(Query):
    """RFC 5321 4.1.1.6: is that a mailbox?

    C: VRFY Crispin
    S: 250 Mark Crispin <Admin.MRC@foo.com>
    """

    verb = b"VRFY"
    text: str
    smtputf8: bool = False


@dataclass(frozen=True, slots=True)
class Expn(Query):
    """RFC 5321 4.1.1.7: who is on that list?

    C: EXPN Example-People
    S: 250-Jon Postel <Postel@isi.edu>
    S: 250 Sam Q. Smith <SQSmith@specific.generic.com>
    """

    verb = b"EXPN"
    text: str
    smtputf8: bool = False


class _Said(SmtpCommand[Reply]):
    """A verb that may be followed by any text."""

    __slots__ = ()
    text: str

    def __post_init__(self) -> None:
        if self.text:
            check_argument(self.text, "text")
            self._check_length()

    def argument(self) -> str:
        return self.text

    @classmethod
    def read(cls, argument: bytes) -> Self:
        return cls(argument.decode("utf-8"))  # type: ignore[call-arg]


@dataclass(frozen=True, slots=True)
class Help(_Said):
    """RFC 5321 4.1.1.8: what can be said here?

    C: HELP MAIL
    S: 214 MAIL FROM:<sender> [parameters]
    """

    verb = b"HELP"
    text: str = ""


@dataclass(frozen=True, slots=True)
class Noop(_Said):
    """RFC 5321 4.1.1.9: nothing.

    C: NOOP
    S: 250 OK
    """

    verb = b"NOOP"
    ends_group = True
    text: str = ""


@dataclass(frozen=True, slots=True)
class Quit(SmtpCommand[Reply]):
    """RFC 5321 4.1.1.10: the end.

    C: QUIT
    S: 221 foo.com Service closing transmission channel
    """

    verb = b"QUIT"
    ends_group = True
