"""What a POP3 client says (RFC 1939 5-7, 2449, 2595, 5034, 6856).

A client sends these and a server receives them: they are the same objects.  One
that exists can be put on the wire; bad arguments fail when it is made.

To add a verb is to write such a class and to give it rows in a table: see
``historic.py``, which does.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any, ClassVar, Self, TypeVar

from .. import sasl
from .._command import Command
from .._login import Cancel as Cancel
from .._login import LogIn, read_auth, write_auth
from .._login import Response as Response
from .._text import check_text, check_word, read_text, write_text
from .grammar import MAX_COMMAND, check_number, find_stamp, read_number
from .responses import (
    Capabilities,
    Capability,
    Language,
    Listing,
    Reply,
    StatData,
    UniqueId,
)

R = TypeVar("R")


class Shape(Enum):
    """What follows a ``+OK``, as told by the command and its argument."""

    SINGLE = auto()  #: nothing: the status line is all
    LINES = auto()  #: lines up to a lone dot, each a value by itself
    MESSAGE = auto()  #: dot-stuffed text
    UPLOAD = auto()  #: dot-stuffed text from the client, and another status line


class Pop3Command(Command[R]):
    """A verb with its arguments.  A subclass is a frozen dataclass with these."""

    __slots__ = ()

    verb: ClassVar[bytes]
    #: nothing may be sent behind it until it is answered
    alone: ClassVar[bool] = False
    #: what a line of the answer is (LINES), or the text behind +OK (SINGLE)
    data: ClassVar[type[Any] | None] = None

    @property
    def shape(self) -> Shape:
        return Shape.SINGLE

    @property
    def text(self) -> bytes | None:
        """What an UPLOAD sends by itself; ``None``: you send Chunks and an End."""
        return None

    def argument(self) -> bytes:
        """What stands behind the verb and a space; ``b""`` for nothing."""
        return b""

    @classmethod
    def read(cls, argument: bytes) -> Self:
        """The command with that argument; raises ValueError if it cannot have it."""
        if argument:
            raise ValueError("no argument is expected")
        return cls()

    def write(self) -> bytes:
        """The whole line, CRLF included."""
        argument = self.argument()
        return self.verb + (b" " + argument if argument else b"") + b"\r\n"

    def masked(self) -> bytes:
        """The line as a transcript may show it: secrets are left out."""
        return self.verb + b" ****" if self.reveals_secret else self.write()

    def _check_length(self) -> None:
        if len(self.write()) > MAX_COMMAND:
            raise ValueError(
                f"{self.verb.decode()} would be longer than {MAX_COMMAND} octets "
                "(RFC 2449 4)"
            )


def _check_user(name: str) -> None:
    check_text(name, "name")
    if not name or name != name.strip(" "):
        raise ValueError("name must neither be empty nor begin or end with a space")


# -- AUTHORIZATION ---------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class User(Pop3Command[None]):
    """RFC 1939 7: the first half of a log-in.

    C: USER mrose
    S: +OK mrose is a real hoopy frood

    Refused in the clear like PASS, so that no password follows.
    """

    verb = b"USER"
    name: str

    def __post_init__(self) -> None:
        _check_user(self.name)
        self._check_length()

    @property
    def reveals_secret(self) -> bool:
        return True

    def masked(self) -> bytes:
        return self.write()

    def argument(self) -> bytes:
        return write_text(self.name)

    @classmethod
    def read(cls, argument: bytes) -> Self:
        return cls(argument.decode("utf-8"))


@dataclass(frozen=True, slots=True)
class Pass(Pop3Command[None]):
    """RFC 1939 7: the second half.  Spaces are part of the password.

    C: PASS secret
    S: +OK mrose's maildrop has 2 messages (320 octets)
    """

    verb = b"PASS"
    alone = True
    password: str = field(repr=False)

    def __post_init__(self) -> None:
        check_text(self.password, "password")
        if not self.password:
            raise ValueError("password must not be empty")
        self._check_length()

    @property
    def reveals_secret(self) -> bool:
        return True

    def argument(self) -> bytes:
        return write_text(self.password)

    @classmethod
    def read(cls, argument: bytes) -> Self:
        return cls(argument.decode("utf-8"))


@dataclass(frozen=True, slots=True)
class Apop(Pop3Command[None]):
    """RFC 1939 7: a log-in by digest.

    S: +OK POP3 server ready <1896.697170952@dbc.mtview.ca.us>
    C: APOP mrose c4c9334bac560ecc979e58001b3e22fb
    S: +OK maildrop has 1 message (369 octets)

    *digest* is the MD5 of stamp and password, in lower-case hexadecimal digits: it
    protects the password from nobody but a passer-by.
    """

    verb = b"APOP"
    alone = True
    name: str
    digest: str = field(repr=False)

    def __post_init__(self) -> None:
        _check_user(self.name)
        if len(self.digest) != 32 or not set(self.digest) <= set("0123456789abcdef"):
            raise ValueError("an APOP digest is 32 lower-case hexadecimal digits")
        self._check_length()

    @classmethod
    def sign(cls, name: str, password: str, stamp: str) -> Self:
        """The command for a greeting's *stamp*; ValueError if that is no msg-id."""
        return cls(sasl.saslprep(name), _digest(password, stamp))

    def masked(self) -> bytes:
        return b"APOP %s ****" % write_text(self.name)

    def proves(self, password: str, stamp: str) -> bool:
        """Whether the client knows *password*.  Takes the same time if it does not.

        ``False`` also for a password that SASLprep does not allow: no client can.
        """
        try:
            return hmac.compare_digest(self.digest, _digest(password, stamp))
        except ValueError:
            return False

    def argument(self) -> bytes:
        return write_text(f"{self.name} {self.digest}")

    @classmethod
    def read(cls, argument: bytes) -> Self:
        name, _, digest = argument.decode("utf-8").rpartition(" ")
        return cls(name, digest)


def _digest(password: str, stamp: str) -> str:
    if find_stamp(stamp) != stamp:
        raise ValueError("an APOP timestamp must be a msg-id (RFC 1939 7)")
    secret = stamp + sasl.saslprep(password, stored=True)  # RFC 6856 2.2
    return hashlib.md5(secret.encode(), usedforsecurity=False).hexdigest()


@dataclass(frozen=True, slots=True)
class Auth(LogIn, Pop3Command[None]):
    """RFC 5034 4: a log-in by a SASL mechanism.

    C: AUTH PLAIN dGVzdAB0ZXN0AHRlc3Q=
    S: +OK Maildrop locked and ready

    ``Auth.using(sasl.Plain(name, password))`` answers the server's challenges by
    itself.  Without a *client*, each is a GoAhead and you send a Response or a
    Cancel.  *initial* is the first response, decoded; ``None`` is none, ``b""`` an
    empty one (``=`` on the wire).
    """

    verb = b"AUTH"
    alone = True

    def __post_init__(self) -> None:
        LogIn.__post_init__(self)
        self._check_length()

    def argument(self) -> bytes:
        return write_auth(self.mechanism, self.initial)

    @classmethod
    def read(cls, argument: bytes) -> Self:
        return cls(*read_auth(argument))


@dataclass(frozen=True, slots=True)
class Stls(Pop3Command[None]):
    """RFC 2595 4: from the answer on, TLS.

    C: STLS
    S: +OK Begin TLS negotiation
    (TLS negotiation, further commands are under TLS layer)
    """

    verb = b"STLS"
    locks = alone = True


@dataclass(frozen=True, slots=True)
class Utf8(Pop3Command[None]):
    """RFC 6856 2.1: messages and texts may be UTF-8 from here on.

    C: UTF8
    S: +OK UTF8 enabled

    After it STLS is not allowed any more.
    """

    verb = b"UTF8"


# -- both states -----------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Capa(Pop3Command[Capabilities]):
    """RFC 2449 5: what the server can do.

    C: CAPA
    S: +OK Capability list follows
    S: TOP
    S: SASL CRAM-MD5 PLAIN
    S: .
    """

    verb = b"CAPA"
    data = Capability

    @property
    def shape(self) -> Shape:
        return Shape.LINES

    def result(self, answer: Any, parts: list[Any]) -> Capabilities:
        return Capabilities(parts)


@dataclass(frozen=True, slots=True)
class Lang(Pop3Command[list[Language]]):
    """RFC 6856 3: the languages of the server's texts, or the choice of one.

    C: LANG
    S: +OK Language listing follows:
    S: en English
    S: .
    C: LANG es
    S: +OK es Idioma cambiado

    A *tag* of ``*`` leaves the choice to the server.  The result holds the one that
    was chosen, or all that there are.
    """

    verb = b"LANG"
    data = Language
    tag: str | None = None

    def __post_init__(self) -> None:
        if self.tag is not None:
            check_word(self.tag, "language tag")
            self._check_length()

    @property
    def shape(self) -> Shape:
        return Shape.LINES if self.tag is None else Shape.SINGLE

    def argument(self) -> bytes:
        return b"" if self.tag is None else self.tag.encode("ascii")

    @classmethod
    def read(cls, argument: bytes) -> Self:
        return cls(argument.decode("ascii") or None)

    def result(self, answer: Any, parts: list[Any]) -> list[Language]:
        return parts if self.tag is None else [_single(Language, answer)]


@dataclass(frozen=True, slots=True)
class Quit(Pop3Command[None]):
    """RFC 1939 4 and 6: the end.  Only this makes deletions real.

    C: QUIT
    S: +OK dewey POP3 server signing off
    """

    verb = b"QUIT"
    alone = True


# -- TRANSACTION -----------------------------------------------------------------


def _single(kind: type[Any], answer: Reply) -> Any:
    """What a single-line answer tells behind its +OK."""
    return kind.read(write_text(answer.text))


@dataclass(frozen=True, slots=True)
class Stat(Pop3Command[StatData]):
    """RFC 1939 5: how much there is.

    C: STAT
    S: +OK 2 320
    """

    verb = b"STAT"
    data = StatData

    def result(self, answer: Any, parts: list[Any]) -> StatData:
        data: StatData = _single(StatData, answer)
        return data


class _OfOne(Pop3Command[R]):
    """A command on one message."""

    __slots__ = ()
    number: int

    def __post_init__(self) -> None:
        check_number(self.number, "message number", 1)

    def argument(self) -> bytes:
        return b"%d" % self.number

    @classmethod
    def read(cls, argument: bytes) -> Self:
        number = read_number(read_text(argument), "message number", 1)
        return cls(number)  # type: ignore[call-arg]  # the dataclasses below have it


class _OfOneOrAll(Pop3Command[list[R]]):
    """A command on one message, or on all that are not marked as deleted."""

    __slots__ = ()
    number: int | None

    def __post_init__(self) -> None:
        if self.number is not None:
            check_number(self.number, "message number", 1)

    @property
    def shape(self) -> Shape:
        return Shape.LINES if self.number is None else Shape.SINGLE

    def argument(self) -> bytes:
        return b"" if self.number is None else b"%d" % self.number

    @classmethod
    def read(cls, argument: bytes) -> Self:
        if not argument:
            return cls()
        number = read_number(read_text(argument), "message number", 1)
        return cls(number)  # type: ignore[call-arg]

    def result(self, answer: Any, parts: list[Any]) -> list[R]:
        return parts if self.number is None else [_single(self.data, answer)]  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class List(_OfOneOrAll[Listing]):
    """RFC 1939 5: the size of one message or of all.

    C: LIST
    S: +OK 2 messages (320 octets)
    S: 1 120
    S: 2 200
    S: .
    C: LIST 2
    S: +OK 2 200
    """

    verb = b"LIST"
    data = Listing
    number: int | None = None


@dataclass(frozen=True, slots=True)
class Uidl(_OfOneOrAll[UniqueId]):
    """RFC 1939 7: the lasting name of one message or of all.

    C: UIDL
    S: +OK
    S: 1 whqtswO00WBw418f9t5JxYwZ
    S: 2 QhdPYR:00WBw1Ph7x7
    S: .
    C: UIDL 2
    S: +OK 2 QhdPYR:00WBw1Ph7x7
    """

    verb = b"UIDL"
    data = UniqueId
    number: int | None = None


class _Message(Pop3Command[bytes]):
    """A command that is worth a message, or some of it."""

    __slots__ = ()

    @property
    def shape(self) -> Shape:
        return Shape.MESSAGE

    def result(self, answer: Any, parts: list[Any]) -> bytes:
        return b"".join(chunk.data for chunk in parts)


@dataclass(frozen=True, slots=True)
class Retr(_Message, _OfOne[bytes]):
    """RFC 1939 5: one whole message, in Chunks.

    C: RETR 1
    S: +OK 120 octets
    S: (the message)
    S: .
    """

    verb = b"RETR"
    number: int


@dataclass(frozen=True, slots=True)
class Top(_Message):
    """RFC 1939 7: the header, the blank line, and so many *lines* of the body.

    C: TOP 1 10
    S: +OK
    S: (header, blank line, 10 lines)
    S: .
    """

    verb = b"TOP"
    number: int
    lines: int = 0

    def __post_init__(self) -> None:
        check_number(self.number, "message number", 1)
        check_number(self.lines, "lines")

    def argument(self) -> bytes:
        return b"%d %d" % (self.number, self.lines)

    @classmethod
    def read(cls, argument: bytes) -> Self:
        number, _, lines = read_text(argument).partition(" ")
        return cls(
            read_number(number, "message number", 1), read_number(lines, "lines")
        )


@dataclass(frozen=True, slots=True)
class Dele(_OfOne[None]):
    """RFC 1939 5: mark a message as deleted; QUIT deletes it."""

    verb = b"DELE"
    number: int


@dataclass(frozen=True, slots=True)
class Noop(Pop3Command[None]):
    """RFC 1939 5: nothing, and an answer."""

    verb = b"NOOP"


@dataclass(frozen=True, slots=True)
class Rset(Pop3Command[None]):
    """RFC 1939 5: no message is marked as deleted any more."""

    verb = b"RSET"
