"""Verbs that are in no RFC on the standards track, as proof that verbs can be added.

    LAST         RFC 1460 5: the highest message number accessed
    XTND XMIT    RFC 1082, qpopper: a message goes the other way, to be sent
    *ENV         Demon's SDPS: a message's envelope, before SMTP delivered by MX

Each is a class and the rows that it has in the table.  A dialect with them is

    >>> HISTORIC
    STANDARD.extended(ROWS)

and a Client or Server that is to speak it is told ``dialect=HISTORIC``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final, Self

from .._text import check_text, read_text, write_text
from .commands import Pop3Command, Shape
from .grammar import check_number, read_number
from .state import STANDARD, State, Table


@dataclass(frozen=True, slots=True)
class LastData:
    """The answer to LAST, ``1``: a message number, or 0 if none was accessed."""

    number: int

    def __post_init__(self) -> None:
        check_number(self.number, "message number")

    def write(self) -> bytes:
        return b"%d" % self.number

    @classmethod
    def read(cls, line: bytes) -> Self:
        return cls(read_number(read_text(line).split(" ")[0], "message number"))


@dataclass(frozen=True, slots=True)
class Last(Pop3Command[int]):
    """RFC 1460 5: the highest message number accessed in this or earlier sessions.

    C: LAST
    S: +OK 1
    """

    verb = b"LAST"
    data = LastData

    def result(self, answer: Any, parts: list[Any]) -> int:
        return LastData.read(write_text(answer.text)).number


@dataclass(frozen=True, slots=True)
class XtndXmit(Pop3Command[None]):
    """RFC 1082, as qpopper does it: the server sends this message on.

    C: XTND XMIT
    S: +OK Start sending message.
    C: (the message)
    C: .
    S: +OK Message sent

    Without a *message* the server's go-ahead is a GoAhead, and you send Chunks and
    an End.
    """

    verb = b"XTND"
    message: bytes | None = field(default=None, repr=False, compare=False)

    @property
    def shape(self) -> Shape:
        return Shape.UPLOAD

    @property
    def text(self) -> bytes | None:
        return self.message

    def argument(self) -> bytes:
        return b"XMIT"

    @classmethod
    def read(cls, argument: bytes) -> Self:
        if argument.upper() != b"XMIT":
            raise ValueError("XTND is known with XMIT only")
        return cls()


@dataclass(frozen=True, slots=True)
class EnvLine:
    """A line of the answer to ``*ENV``, as it is."""

    text: str

    def __post_init__(self) -> None:
        check_text(self.text, "a line of an envelope")

    def write(self) -> bytes:
        return write_text(self.text)

    @classmethod
    def read(cls, line: bytes) -> Self:
        return cls(read_text(line))


@dataclass(frozen=True, slots=True)
class EnvData:
    """What ``*ENV`` tells: sender (empty: the null path), recipient, all lines."""

    sender: str
    recipient: str
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Env(Pop3Command[EnvData | None]):
    """SDPS: the envelope of a message; the third line is its sender, the fourth its
    recipient.  Nobody has written down what the others mean.

    C: *ENV 1
    S: +OK
    S: 1
    S: smtp.example.org
    S: sender@example.org
    S: recipient@example.net
    S: .

    The result is ``None`` if there are fewer lines than that.
    """

    verb = b"*ENV"
    data = EnvLine
    number: int

    def __post_init__(self) -> None:
        check_number(self.number, "message number", 1)

    @property
    def shape(self) -> Shape:
        return Shape.LINES

    def argument(self) -> bytes:
        return b"%d" % self.number

    @classmethod
    def read(cls, argument: bytes) -> Self:
        return cls(read_number(read_text(argument), "message number", 1))

    def result(self, answer: Any, parts: list[Any]) -> EnvData | None:
        lines = tuple(part.text for part in parts)
        return EnvData(lines[2], lines[3], lines) if len(lines) >= 4 else None


ROWS: Final[Table] = {
    (State.TRANSACTION, Last): State.TRANSACTION,
    (State.TRANSACTION, XtndXmit): State.TRANSACTION,
    (State.TRANSACTION, Env): State.TRANSACTION,
}

HISTORIC: Final = STANDARD.extended(ROWS)
