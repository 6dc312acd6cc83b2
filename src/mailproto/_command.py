"""From a command to its result, and the events that all protocols share.

A client *sends* a ``Command`` and gets a ``Call``, the ticket for that one sending.
The events that answer it (``Part``, ``GoAhead``, ``Completed``) name the call, so
that two sendings of one command cannot be mistaken for one another, nor can an
answer be shifted to the next command by a wait that was given up.

What takes several commands is a ``Script``: a generator that yields commands, is
sent their results, and returns its own.  What it may say together it yields as
``Pipelined``.  A ``Flow`` besides hands values to its caller while it goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass, field
from typing import Any, ClassVar, Generic, Protocol, TypeAlias, TypeVar

from ._values import hot_value
from .errors import CommandFailed, LimitExceeded, MailError

R = TypeVar("R", covariant=True)
T = TypeVar("T")


class Answer(Protocol):
    """The last word of a server on a command, in any of the protocols."""

    @property
    def ok(self) -> bool: ...


A = TypeVar("A", bound=Answer, covariant=True)


class Command(Generic[R]):
    """A value that a client sends; when it is answered it is worth an *R*."""

    __slots__ = ()

    #: whether nothing can be sent behind it before it is over: TLS, a log-in
    locks: ClassVar[bool] = False

    @property
    def reveals_secret(self) -> bool:
        """Whether it carries a password that anybody on the way could read."""
        return False

    def claims(self, event: Any) -> bool:
        """Whether *event*, which names no call, is part of the answer (IMAP)."""
        return False

    def claims_after(self, event: Any, parts: list[Any]) -> bool:
        """The same, where *parts* of the answer have come."""
        return self.claims(event)

    def result(self, answer: Any, parts: list[Any]) -> R:
        """What the command is worth: pure, of *answer* and the parts before it."""
        return None  # type: ignore[return-value]  # of a Command[None]


class Call(Generic[T]):
    """One sending of a command: the ticket for it, and the way to its result."""

    __slots__ = ("_answer", "_collected", "_limit", "_parts", "cause", "command")

    def __init__(self, command: Command[T], collected: int) -> None:
        self.command: Any = command  #: as it was sent
        self.cause: MailError | None = None  #: why the client itself gave it up
        self._limit = collected  # octets
        self._collected = 0
        self._parts: list[Any] = []
        self._answer: Answer | None = None

    def __repr__(self) -> str:
        return f"<Call {self.command!r}>"

    @property
    def done(self) -> bool:
        return self._answer is not None

    def feed(self, event: object) -> bool:
        """Take *event* if it is ours; ``False`` leaves it to the caller.

        Raises LimitExceeded("collected") for more data than that allows.
        """
        if isinstance(event, Part) and event.call is self:
            self._collect(event.value)
        elif isinstance(event, Completed) and event.call is self:
            self._answer = event.answer
        elif self._answer is None and self.command.claims_after(event, self._parts):
            self._collect(event)
        else:
            return False
        return True

    def _collect(self, value: Any) -> None:
        if isinstance(value, Lines):
            self._parts += value.values
            return
        if isinstance(value, Chunk):
            self._collected += len(value.data)
            if self._collected > self._limit:
                self._parts.clear()
                what = f"answer to {self.command!r} is too large to be collected"
                raise LimitExceeded("collected", self._limit, what)
        self._parts.append(value)

    def result(self) -> T:
        """What the command is worth; raises CommandFailed if it was refused."""
        assert self._answer is not None, "the command is still running"
        if not self._answer.ok:
            raise CommandFailed(self.command, self._answer) from self.cause
        value: T = self.command.result(self._answer, self._parts)
        return value


# -- events of a client ----------------------------------------------------------


@hot_value
class Part(Generic[T]):
    """One more piece of the answer to *call*."""

    call: Call[Any]
    value: T


@dataclass(frozen=True, slots=True)
class GoAhead:
    """The server waits for more of *call*; *data* is its challenge, decoded."""

    call: Call[Any]
    data: bytes = field(repr=False)


@hot_value
class Completed(Generic[A]):
    """*call* is over, and *answer* is how it went."""

    call: Call[Any]
    answer: A

    @property
    def ok(self) -> bool:
        return self.answer.ok


@dataclass(frozen=True, slots=True)
class Deviation:
    """The peer broke the protocol in a way that is known by name and tolerated.

    It comes just before the event that it concerns.  *quirk* is a member of the
    protocol's ``Quirk``, *raw* the line as it came.
    """

    quirk: Any
    raw: bytes


# -- events and values of both ---------------------------------------------------


@hot_value
class Chunk:
    """Some octets of a message, never none; where they are cut means nothing."""

    data: bytes


@hot_value
class Lines(Generic[T]):
    """Some lines of a list, never none; where it is cut means nothing."""

    values: tuple[T, ...]


@dataclass(frozen=True, slots=True)
class End:
    """Nothing more belongs to what was begun: a list, a message."""


@dataclass(frozen=True, slots=True)
class Bad(Generic[A]):
    """Event of a server: this line is no command that can be obeyed now.

    *hint* is an answer that fits.  The conversation goes on.
    """

    line: bytes = field(repr=False)  # it may be a mistyped password
    hint: A


@dataclass(frozen=True, slots=True)
class Closed:
    """The peer closed the connection, and nothing was left unfinished by it."""


# -- several commands ------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Pipelined:
    """Yielded by a script: send these together, as far as the protocol allows.

    What comes back is a list, in their order: of each its result, or the CommandFailed
    that it ended with.  A command that cannot be sent at all is a LocalProtocolError,
    the last of the list: what stands behind it is not sent.
    """

    commands: tuple[Command[Any], ...]


@dataclass(frozen=True, slots=True)
class Hand(Generic[T]):
    """Yielded by a Flow: *value* is for the caller."""

    value: T


@dataclass(frozen=True, slots=True)
class Relay:
    """Yielded by a Flow: send *command*, hand the parts of the answer to the caller.

    The result that comes back is what the command is worth without its parts.

    *through* makes of each part what is handed over in its place, nothing or more.
    A command that goes on until it is ended (IDLE) has an *ending*, the value that is
    sent for that: after *within* seconds, or when the caller wants no more of it.
    """

    command: Command[Any]
    through: Callable[[Any], Iterable[Any]] | None = None
    ending: Any = None
    within: float | None = None


Script: TypeAlias = Generator[Command[Any] | Pipelined, Any, T]
Flow: TypeAlias = Generator[Command[Any] | Pipelined | Relay | Hand[T], Any, None]


def do(command: Command[T]) -> Script[T]:
    """One step of a script, typed: ``reply = yield from do(Noop())``."""
    result: T = yield command
    return result
