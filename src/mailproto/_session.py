"""What a session does with its connection, without the waiting.

The adapters share all of it but ``await``: each talk is a generator that yields
``None`` when it needs the next event and is sent that event.  Where it cannot wait for
ever it yields a ``Within``, and is sent ``LATE`` when its time is over.  A Flow besides
yields what it hands to its caller (``Handed``).
"""

from __future__ import annotations

import logging
import ssl
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, Final, Generic, TypeVar

from ._command import (
    Call,
    Command,
    Completed,
    Flow,
    Hand,
    Lines,
    Part,
    Pipelined,
    Relay,
    Script,
)
from ._connection import PAUSED, ClientConnection, Connection
from .errors import (
    CommandFailed,
    LimitExceeded,
    LocalProtocolError,
    MailError,
    RemoteProtocolError,
)

Conn = TypeVar("Conn", bound=Connection[Any, Any], covariant=True)
R = TypeVar("R")
T = TypeVar("T")

READ_SIZE: Final = 65536  # octets of one read
#: octets that wait to become events before reading stops
HIGH_WATER: Final = 262_144
#: The same while a client writes: it must go on reading then, or two peers that write
#: at each other would both wait for ever.  A server need not: one of two is enough, and
#: a client that never reads could make it keep all that it sends.
BACKLOG: Final = 67_108_864
JOINED: Final = 16_384  # octets from which on a piece is written by itself
UNCLAIMED: Final = 10_000  # events that nobody claimed and nobody fetched
HANDSHAKE: Final = 30.0  # seconds; Postfix and Dovecot: 30 to 60
GRACE: Final = 5.0  # seconds that connections get to end by themselves

Talk = Generator[None, Any, R]


class Within:
    """A wait for an event that may last that long, from when it is first begun."""

    __slots__ = ("deadline", "seconds")

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.deadline: float | None = None  # by the clock of the adapter


class Late(Enum):
    """What comes in the place of an event when the time for it is over."""

    LATE = auto()


LATE: Final = Late.LATE


@dataclass(frozen=True, slots=True)
class Handed(Generic[T]):
    """What a Flow hands to its caller."""

    value: T


class SessionCore(Generic[Conn]):
    """The part of a Session that waits for nothing."""

    def __init__(self, conn: Conn) -> None:
        self.conn: Conn = conn
        #: what the server said first, once ``connect`` has it
        self.greeting: Any = None
        #: events that answered nothing that was asked, oldest first
        self.unclaimed: deque[Any] = deque()
        self._given_up: set[Call[Any]] = set()
        self._handed: Any = None  # an event that nobody has got yet
        self._owned = False
        self._closed: str | None = None  # and why

    @property
    def _backlog(self) -> int:
        """How many octets may wait to become events while we write."""
        return BACKLOG if isinstance(self.conn, ClientConnection) else HIGH_WATER

    # -- one at a time ---------------------------------------------------------

    def _own(self) -> None:
        if self._closed is not None:
            raise LocalProtocolError(f"the session is closed: {self._closed}")
        if self._owned:
            raise LocalProtocolError("another task is using this session")
        self._owned = True

    def _disown(self) -> None:
        self._owned = False

    def _tls_side(self, context: ssl.SSLContext | None) -> tuple[bool, ssl.SSLContext]:
        """Whether we are the server in a handshake, and the context for it."""
        if isinstance(self.conn, ClientConnection):
            return False, context or client_context(self.conn.alpn)
        if context is None:
            raise ValueError("a server needs an SSLContext: tls=")
        return True, context

    def _check_paused(self, event: Any) -> None:
        if event is PAUSED:
            raise LocalProtocolError("the connection is paused: send something first")

    def _claimed(self) -> Any:
        """The oldest of the events that nobody claimed, or ``None``."""
        return self.unclaimed.popleft() if self.unclaimed else None

    # -- talks -----------------------------------------------------------------

    def _run(
        self: SessionCore[ClientConnection[Any]], what: Command[R] | Script[R]
    ) -> Talk[R]:
        if isinstance(what, Command):
            return (yield from self._await_call(self.conn.send(what)))
        return (yield from self._run_script(what))

    def _run_script(
        self: SessionCore[ClientConnection[Any]], script: Script[R]
    ) -> Talk[R]:
        try:
            step = next(script)
            while True:
                try:
                    result = yield from self._step(step)
                except (CommandFailed, LocalProtocolError) as error:
                    step = script.throw(error)
                else:
                    step = script.send(result)
        except StopIteration as stop:
            value: R = stop.value
            return value
        finally:
            script.close()

    def _step(
        self: SessionCore[ClientConnection[Any]], step: Command[Any] | Pipelined
    ) -> Talk[Any]:
        if isinstance(step, Pipelined):
            return (yield from self._run_each(step.commands))
        return (yield from self._await_call(self.conn.send(step)))

    def _run_all(
        self: SessionCore[ClientConnection[Any]], commands: Sequence[Command[R]]
    ) -> Talk[list[R]]:
        outcomes: list[Any] = yield from self._run_each(commands)
        if outcomes and isinstance(outcomes[-1], LocalProtocolError):
            raise outcomes[-1]
        for outcome in outcomes:
            if isinstance(outcome, CommandFailed):
                raise outcome
        return outcomes

    def _run_each(
        self: SessionCore[ClientConnection[Any]], commands: Sequence[Command[Any]]
    ) -> Talk[list[Any]]:
        """What became of each; see ``Pipelined``."""
        calls: list[Call[Any]] = []
        unsent: list[LocalProtocolError] = []
        for command in commands:
            try:
                calls.append(self.conn.send(command))
            except LocalProtocolError as error:
                unsent.append(error)  # what was sent is still answered: wait for it
                break
        outcomes: list[Any] = []
        try:
            for call in calls:
                try:
                    outcomes.append((yield from self._await_call(call, calls)))
                except CommandFailed as error:
                    outcomes.append(error)
        finally:
            for call in calls:
                self._give_up(call)
        return outcomes + unsent

    def _await_call(self, call: Call[R], others: Sequence[Call[Any]] = ()) -> Talk[R]:
        try:
            while not call.done:
                event = yield
                if not call.feed(event) and not any(c.feed(event) for c in others):
                    self._leave(event)
        finally:
            self._give_up(call)
        return call.result()

    def _flow(
        self: SessionCore[ClientConnection[Any]], flow: Flow[T]
    ) -> Generator[Handed[T] | Within | None, Any, None]:
        try:
            step = next(flow)
            while True:
                if isinstance(step, Hand):
                    yield Handed(step.value)
                    step = next(flow)
                    continue
                try:
                    if isinstance(step, Relay):
                        result = yield from self._relay(step)
                    else:
                        result = yield from self._step(step)
                except (CommandFailed, LocalProtocolError) as error:
                    step = flow.throw(error)
                else:
                    step = flow.send(result)
        except StopIteration:
            return
        finally:
            flow.close()

    def _relay(
        self: SessionCore[ClientConnection[Any]], step: Relay
    ) -> Generator[Handed[Any] | Within | None, Any, Any]:
        call = self.conn.send(step.command)
        wait = None if step.within is None else Within(step.within)
        ending = step.ending
        try:
            while not call.done:
                event = yield wait
                if event is LATE:
                    self.conn.send(ending)
                    wait = ending = None
                elif isinstance(event, Part) and event.call is call:
                    yield from _handed(step, event.value)
                elif not isinstance(event, Completed) and call.command.claims(event):
                    yield from _handed(step, event)
                elif not call.feed(event):
                    self._leave(event)
        finally:
            if ending is not None and not call.done:
                with suppress(MailError):  # it goes out with whatever is said next
                    self.conn.send(ending)
            self._give_up(call)
        return call.result()

    def _give_up(self, call: Call[Any]) -> None:
        """Nobody waits for the rest of the answer to *call*, if there is a rest."""
        if not call.done:
            self._given_up.add(call)

    def _leave(self, event: Any) -> None:
        call = getattr(event, "call", None)
        if call in self._given_up:
            if isinstance(event, Completed):
                self._given_up.discard(call)
            return
        if len(self.unclaimed) >= UNCLAIMED:
            what = "events that nobody fetches"
            raise LimitExceeded("unclaimed", UNCLAIMED, what)
        self.unclaimed.append(event)


def _handed(step: Relay, value: Any) -> Generator[Handed[Any], Any, None]:
    for part in value.values if isinstance(value, Lines) else (value,):
        for one in (part,) if step.through is None else step.through(part):
            yield Handed(one)


def gathered(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The same octets in few writes: what is large goes as it is, the rest together."""
    small: list[bytes] = []
    size = 0
    for piece in pieces:
        large = len(piece) >= JOINED
        if small and (large or size >= JOINED):
            yield b"".join(small)
            small, size = [], 0
        if large:
            yield piece
        else:
            small.append(piece)
            size += len(piece)
    if small:
        yield b"".join(small)


def one(command: Command[Any]) -> Flow[Any]:
    """The Flow of one command: its parts, as they come."""
    yield Relay(command)


def greeted(greeting: Any) -> Any:
    """*greeting*, unless with it the server refused to talk to us."""
    if not greeting.ok:
        raise CommandFailed("connect", greeting)
    return greeting


def client_context(alpn: Sequence[str]) -> ssl.SSLContext:
    """The context of a client that brings none: certificates are verified."""
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2  # RFC 8996
    if alpn:
        context.set_alpn_protocols(list(alpn))
    return context


def last_word(
    conn: Connection[Any, Any], error: Exception, log: logging.Logger
) -> None:
    """One connection of a server has ended by *error*: what is left to do?

    A peer that errs is told, where it can be; a handler that errs is put on record.
    """
    if isinstance(error, RemoteProtocolError):
        if error.hint is not None:
            conn.send(error.hint)
    elif not isinstance(error, MailError | OSError):
        log.error("a handler failed", exc_info=error)
