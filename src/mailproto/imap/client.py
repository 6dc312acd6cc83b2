"""The client end of an IMAP conversation."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from itertools import count
from typing import Any, Final, TypeAlias, TypeVar, overload

from .._command import Call, Chunk, Closed, Command, Completed, Deviation, End, GoAhead
from .._connection import Security
from .._login import Cancel, Login, LoginClient, Response
from ..errors import LocalProtocolError, RemoteProtocolError, quote
from . import commands as c
from . import extensions as x
from .codes import Capabilities
from .fetch import FetchData
from .framer import ResponseReader
from .grammar import Literal, Streamed
from .quirks import Quirk
from .replies import (
    Condition,
    Continue,
    Greeting,
    LiteralBegins,
    Malformed,
    Reply,
    TaggedReply,
)
from .responses import KINDS, Enabled
from .results import Unclear
from .sending import Sending
from .state import (
    BEFORE_TLS,
    IMAP4REV1,
    Dialect,
    HasProgress,
    Limits,
    Progress,
    State,
    Traffic,
    Verdict,
    conflict,
    name_of,
)
from .transcript import shown
from .verbs import ImapCommand

R = TypeVar("R")
Event: TypeAlias = Any


class Client(HasProgress, LoginClient[Event]):
    """Sends commands, hands over all that the server says, in order (RFC 3501).

    What cannot be written yet waits: a command that could be misunderstood together
    with one on its way (RFC 3501 5.5, ``state.conflict``), and any command behind one
    whose literal the server has not asked for yet.  The caller sends when the protocol
    allows, and need not know of it; ``can_send`` tells.

    *strict* tolerates no ``Quirk``.  *dialect* has the verbs.  *tags* are used one
    after the other; by default they are A1, A2 and so on.
    """

    alpn = ("imap",)
    before_tls = BEFORE_TLS

    def __init__(
        self,
        security: Security = Security.STARTTLS,
        *,
        strict: bool = False,
        dialect: Dialect = IMAP4REV1,
        tags: Iterable[str] | None = None,
        limits: Limits | None = None,
    ) -> None:
        self.limits: Final = limits or Limits()
        super().__init__(security, self.limits)
        self.strict: Final = strict
        self.dialect: Final = dialect
        self.greeting: Greeting | None = None
        self._tags: Iterator[str] = iter(tags or (f"A{n}" for n in count(1)))
        self._now = Progress(dialect)  # by what has been answered
        self._ahead = Progress(dialect)  # if all that was sent is granted
        self._stale = False  # that was counted on and did not come true
        self._in_flight: dict[str, Call[Any]] = {}  # by tag; begun, not answered
        self._traffic = Traffic()  # the same
        self._held: deque[Call[Any]] = deque()  # to be written when it may be
        self._refusal: Reply | None = None  # the last one; what was held hangs on it
        self._events: deque[Event] = deque()  # to be handed over first
        self._reader = ResponseReader(self.limits, strict=strict)
        self._unclear = Unclear(self.limits.collected)
        self._bye: Reply | None = None
        self._forgotten: set[str] = set()  # tags that BYE answered
        # Of what was written, what data_to_send has not handed out:
        self._unsaid: set[str] = set()  # tags
        # Of the command that is being written:
        self._writing: str | None = None  # its tag
        self._sending: Sending | None = None
        self._by_hand: Call[Any] | None = None  # whose octets the caller sends
        self._due: tuple[str, Reply] | None = None  # the answer that waits for End, TLS
        # Of a log-in, and of IDLE:
        self._challenged = False  # the server has said something in it
        self._learnt: Capabilities | None = None  # while it was going on
        self._idling = False  # "+" came
        self._ended: set[Call[Any]] = set()  # IDLEs whose DONE was sent, or is to be

    # -- to look at ------------------------------------------------------------

    @property
    def capabilities(self) -> Capabilities | None:
        """What the server can do; ``None``: not told since TLS or the log-in."""
        return self._now.offered

    @property
    def enabled(self) -> frozenset[str]:
        """What the server said that ENABLE has brought about."""
        return self._now.enabled

    def can_send(self, command: Command[Any]) -> Verdict:
        """Whether *command* could be written now; if not, why."""
        no = self._why_refused(command)
        return Verdict(no=no) if no else Verdict(wait=self._why_wait(command))

    # -- out -------------------------------------------------------------------

    @overload
    def send(self, value: Command[R]) -> Call[R]: ...

    @overload
    def send(self, value: Response | Cancel | x.Done | Chunk | End) -> None: ...

    def send(
        self, value: Command[R] | Response | Cancel | x.Done | Chunk | End
    ) -> Call[R] | None:
        """Queue *value*; the events that answer a command name the call returned.

        A Response or a Cancel answers the GoAhead of an Authenticate, Chunks and an End
        that of an Append whose message is Streamed.  Done ends an Idle.
        """
        if self._failure is not None:
            raise self._failure
        match value:
            case ImapCommand():
                return self._send_command(value)
            case Response() | Cancel():
                self._send_response(value)
            case x.Done():
                self._send_done()
            case Chunk() | End():
                self._send_text(value)
            case _:
                raise LocalProtocolError(f"{value!r} is nothing that IMAP can send")
        return None

    def _send_command(self, command: ImapCommand[Any]) -> Call[Any]:
        no = self._why_refused(command)
        if no is not None:
            raise LocalProtocolError(no)
        self._ahead.granted(command)
        call = Call(command, self.limits.collected)
        if any(isinstance(part, Streamed) for part in command.write()):
            self._by_hand = call
        self._held.append(call)
        self._write_held()
        return call

    def _last(self) -> Call[Any] | None:
        """What was sent last, of that which is not answered."""
        if self._held:
            return self._held[-1]
        return next(reversed(self._in_flight.values()), None)

    def _why_refused(self, command: Command[Any]) -> str | None:
        """Why ``send`` raises LocalProtocolError for *command*, if it does."""
        if not isinstance(command, ImapCommand):
            return f"{command!r} is no command of IMAP"
        last = self._last()
        if last is not None and (last is self._by_hand or self._keeps_others_out(last)):
            return f"nothing can be sent until {name_of(last.command)} is over"
        if len(self._in_flight) + len(self._held) >= self.limits.in_flight:
            return f"more than {self.limits.in_flight} commands in flight"
        if self._stale:
            self._count_ahead()
        why_not = self._ahead.why_not(command, tls=self.tls)
        if why_not is not None:
            return why_not.text
        if self._binary_refused(command):
            return f"{name_of(command)}: BINARY is not offered here"
        try:
            self._check_trust(command)
        except LocalProtocolError as error:
            return str(error)
        return None

    def _keeps_others_out(self, call: Call[Any]) -> bool:
        """Whether nobody can say what could be sent behind *call*."""
        if isinstance(call.command, x.Idle):
            return call not in self._ended
        locks: bool = call.command.locks
        return locks

    def _binary_refused(self, command: ImapCommand[Any]) -> bool:
        offered = self._ahead.offered or ()
        return "BINARY" not in offered and any(
            isinstance(part, Literal) and part.binary for part in command.write()
        )

    def _count_ahead(self) -> None:
        """What was counted on did not come true: count again."""
        self._stale = False
        self._ahead = self._granting(*self._in_flight.values(), *self._held)

    def _granting(self, *calls: Call[Any]) -> Progress:
        """How far all will have come if *calls* are granted."""
        hoped = self._now.copy()
        for call in calls:
            hoped.granted(call.command)
        return hoped

    def _why_wait(self, command: Any) -> str | None:
        """Why *command* could not be written at once, if it could not."""
        for call in self._held:
            why = conflict(call.command, command)
            if why is not None:
                return why
        return self._why_hold(command)

    def _why_hold(self, command: Any) -> str | None:
        """The same, if it is the next one."""
        if self._writing is not None:
            name = name_of(self._in_flight[self._writing].command)
            return f"the server has not asked for a literal of {name}"
        return self._traffic.why_wait(command)

    def _write_held(self) -> None:
        """Write what may go out now, in order."""
        while self._held:
            call = self._held[0]
            if self._why_hold(call.command) is not None:
                return
            self._held.popleft()
            why_not = self._now.why_not(call.command, tls=self.tls)
            if why_not is not None:
                hoped = self._granting(*self._in_flight.values())
                why_not = hoped.why_not(call.command, tls=self.tls)
            if why_not is not None:
                # It was sent in the hope of something that was refused.
                self._events.append(Completed(call, self._refusal or why_not))
                continue
            tag = next(self._tags)
            self._in_flight[tag] = call
            self._traffic.add(tag, call.command)
            self._unsaid.add(tag)
            self._begin(tag, call.command)

    def _begin(self, tag: str, command: ImapCommand[Any]) -> None:
        """Write *command* as far as it may be written."""
        self._learnt = None
        self._idling = self._challenged = False
        if isinstance(command, c.Authenticate):
            # RFC 4959 3: the first response goes with it, if the server lets it.
            ready = "SASL-IR" in (self.capabilities or ())
            most = self.limits.sasl_line if ready else 0
            self._begin_login(command, most, tag.encode("ascii") + b" ")
            return
        if self.trace is not None:
            self.trace("C", tag.encode("ascii") + b" " + command.masked())
        line = [tag.encode("ascii") + b" ", *command.write(), b"\r\n"]
        self._writing = tag
        self._sending = Sending(line, self.capabilities or ())
        self._go_on(self._sending, self._sending.write(), b"")

    def _go_on(self, sending: Sending, out: list[bytes], text: bytes) -> None:
        self._out += out
        if sending.left is not None:
            assert self._by_hand is not None
            self._events.append(GoAhead(self._by_hand, text))
        elif sending.over:
            self._writing = self._sending = None

    def _send_text(self, value: Chunk | End) -> None:
        sending = self._sending
        if sending is None or sending.left is None:
            raise LocalProtocolError(f"no literal is awaited: {type(value).__name__}")
        if isinstance(value, Chunk):
            sending.take(value.data)
            self._out.append(value.data)
        else:
            out = sending.end()
            self._by_hand = None
            self._go_on(sending, out, b"")
            self._write_held()

    def _say_turn(self, value: Response | Cancel) -> None:
        self._unsaid.update(self._in_flight)  # a log-in goes alone
        super()._say_turn(value)

    def _send_done(self) -> None:
        last = self._last()
        if last is None or not isinstance(last.command, x.Idle) or last in self._ended:
            raise LocalProtocolError("Done: no IDLE goes on")
        self._ended.add(last)
        if self._idling and not self._held:
            self._write(x.Done().write())

    def data_to_send(self) -> list[bytes]:
        self._unsaid.clear()
        return super().data_to_send()

    # -- in --------------------------------------------------------------------

    def _fail(self, failure: RemoteProtocolError) -> None:
        super()._fail(failure)
        self._now.state = self._ahead.state = State.LOGOUT

    def tls_started(self) -> None:
        """Nothing that was learnt in the clear is believed from here on."""
        super().tls_started()
        self._now.offered = self._ahead.offered = None

    def _read(self) -> Event | None:
        while True:
            if self._events:
                return self._events.popleft()
            if self._await_tls:
                return None
            if self._due is not None and (
                self._sending is None or self._sending.left is None
            ):
                (tag, reply), self._due = self._due, None
                return self._complete(tag, reply)
            response: Any = self._reader.read(self._in)
            if response is None:
                return None
            unclear, state = self._unclear, self._now.state
            known = state is _SELECTED or state is _AUTHENTICATED
            if known and self.trace is None and not unclear.events:
                kind = type(response)
                if kind in _TOLD or (kind is Reply and _says_nothing(response)):
                    return response
            event = self._understand(response)
            if unclear.events or (
                type(event) is LiteralBegins and unclear.begins(event, self._commands())
            ):
                self._events += unclear.take(event)
            elif event is not None:
                return event

    def _commands(self) -> Iterator[Command[Any]]:
        """Those on their way."""
        return (call.command for call in self._in_flight.values())

    def _understand(self, response: Any) -> Event | None:
        """The event that one response makes, if it makes one at once."""
        if self.trace is not None:
            line = shown(response, login=self._login is not None)
            if line is not None:
                self._heard(line)
        kind = type(response)
        if kind is Malformed:
            self._check_malformed(response)
        if kind is Malformed or kind is Deviation or kind is Chunk:
            return response
        if self._now.state is _GREETING:
            return self._read_greeting(response)
        if kind is TaggedReply:
            return self._read_answer(response.tag, response.reply)
        if kind is Continue:
            return self._read_continue(response)
        return self._read_untagged(response, kind)

    def _check_malformed(self, response: Malformed) -> None:
        """A line that is lost must not be one that is waited for."""
        raw = response.raw
        tag = raw[:100].partition(b" ")[0].rstrip(b"\r\n").decode("ascii", "replace")
        begun = self.state is State.GREETING or tag in self._in_flight
        if begun or raw.startswith(b"+"):
            what = f"not a response: {quote(raw)}"
            raise RemoteProtocolError(what) from response.error

    def _read_greeting(self, response: Any) -> Event:
        if not isinstance(response, Reply) or response.condition not in _GREETINGS:
            raise RemoteProtocolError("the server does not begin with a greeting")
        preauth = response.condition is Condition.PREAUTH
        if preauth and self.tls_demanded:
            # No STARTTLS can follow (RFC 3501 6.2.1): that is how TLS is prevented.
            raise RemoteProtocolError("PREAUTH where TLS is demanded")
        self.greeting = Greeting.of(response)
        if response.condition is Condition.BYE:
            return self._close(self.greeting, response)
        state = State.AUTHENTICATED if preauth else State.NOT_AUTHENTICATED
        self._now.state = state
        self._stale = True
        self._learn(response.code)
        return self.greeting

    def _learn(self, code: object) -> None:
        """What the server can do, if it is this that was told."""
        if isinstance(code, Capabilities):
            self._now.offered = self._learnt = code
            self._stale = True

    def _read_untagged(self, response: Any, kind: type[Any]) -> Event | None:
        if kind is Reply:
            if response.condition is _BYE:
                return self._close(response, response)
            if response.code is not None:
                self._learn(response.code)
                self._now.told(response)
            # Before TLS it is not for people's eyes: RFC 9051 7.1, ALERT.
            return None if self.tls_demanded else response
        if kind is Capabilities:
            self._learn(response)
        elif self.tls_demanded and not any(
            command.claims(response) for command in self._commands()
        ):
            # It would be taken for what came through TLS (NO STARTTLS, 2021).
            raise RemoteProtocolError("data in the clear, where TLS is demanded")
        elif kind is Enabled:
            self._now.enabled |= set(response.capabilities)
        return response

    def _close(self, event: Event, bye: Reply) -> Event:
        """BYE: what waits for an answer has this one, but for a LOGOUT."""
        self._bye = bye
        for tag, call in list(self._in_flight.items()):
            if not isinstance(call.command, c.Logout):
                self._forgotten.add(tag)
                self._take_call(tag)
                call.cause = self._login.cause if self._login else None
                self._events.append(Completed(call, bye))
        self._events.extend(Completed(call, bye) for call in self._held)
        self._held.clear()
        self._writing = self._sending = self._by_hand = None
        self._login = self._due = None
        self._now.state = self._ahead.state = State.LOGOUT
        return event

    def _read_continue(self, response: Continue) -> Event | None:
        call = next(iter(self._in_flight.values()), None)
        if self._unsaid or call is None:
            raise RemoteProtocolError("the server asks for what it has not heard of")
        text = response.text.encode("utf-8", "surrogateescape")
        sending = self._sending
        if sending is not None and sending.awaited is not None:
            assert self._writing is not None
            self._unsaid.add(self._writing)
            self._go_on(sending, sending.asked(), text)
            self._write_held()
            return None
        if self._login is not None and not self._login.awaited:
            return self._read_challenge(call, self._login, response)
        if isinstance(call.command, x.Idle) and not self._idling:
            self._idling = True
            if call in self._ended:
                self._write(x.Done().write())
            return GoAhead(call, text)
        raise RemoteProtocolError("the server asks for what it is not owed")

    def _read_challenge(
        self, call: Call[Any], login: Login, response: Continue
    ) -> Event | None:
        first, self._challenged = not self._challenged, True
        try:
            challenge = response.challenge
        except ValueError:
            if first and not self.strict:  # it means: go on
                event = self._answer_challenge(call, login, b"")
                self._events += [] if event is None else [event]
                return Deviation(Quirk.ODD_CHALLENGE, response.write()[:-2])
            return self._answer_challenge(call, login, None)
        return self._answer_challenge(call, login, challenge)

    def _read_answer(self, tag: str, reply: Reply) -> Event | None:
        if tag in self._forgotten:
            self._forgotten.discard(tag)
            return None
        call = self._in_flight.get(tag)
        if call is None:
            raise RemoteProtocolError(f"an answer that nobody waits for: {tag[:80]!r}")
        unfinished = tag == self._writing or tag in self._unsaid
        login = self._login
        if login is not None and (login.awaited or login.unsaid is not None):
            unfinished = True
        granted = reply.ok
        if granted and unfinished:
            # CVE-2026-42246: it cannot be an answer to what was not said.
            raise RemoteProtocolError("an answer before the command was sent")
        if tag == self._writing:  # not before our End, if its octets are under way
            self._due = (tag, reply)
            return None
        if granted and isinstance(call.command, c.StartTls):
            self._due = (tag, reply)
            self._start_tls()
            return None
        if granted and login is not None:
            login.granted()
        return self._complete(tag, reply)

    def _complete(self, tag: str, reply: Reply) -> Event:
        call = self._take_call(tag)
        command = call.command
        if tag == self._writing:  # what was not asked for is not sent
            self._writing = self._sending = None
        if self._login is not None:
            call.cause = self._login.cause
        if reply.ok:
            self._granted(command, reply)
        else:
            self._now.refused(command)
        self._refusal = None if reply.ok else reply
        self._stale = True
        self._login = None
        self._write_held()
        return Completed(call, reply)

    def _take_call(self, tag: str) -> Call[Any]:
        self._traffic.remove(tag)
        call = self._in_flight.pop(tag)
        self._ended.discard(call)
        return call

    def _granted(self, command: ImapCommand[Any], reply: Reply) -> None:
        self._now.granted(command, reply)
        if isinstance(command, (c.Login, c.Authenticate)):
            # Another user, other extensions: what was told before is not true any more,
            # unless it came with the answer (RFC 3501 6.2.2, 6.2.3).
            self._now.offered = self._learnt
        if not isinstance(command, c.StartTls):
            self._learn(reply.code)

    def _end(self) -> Event:
        if len(self._in) or self._reader.unfinished:
            raise RemoteProtocolError("connection closed inside a response")
        if self._bye is not None:
            for tag, call in self._in_flight.items():  # a LOGOUT
                if self.strict:
                    break
                self._take_call(tag)
                return Completed(call, Reply(Condition.OK, self._bye.text))
        if self._in_flight:
            name = name_of(next(iter(self._in_flight.values())).command)
            raise RemoteProtocolError(f"connection closed before {name} was answered")
        if self._bye is None:
            state = self.state.name
            raise RemoteProtocolError(f"connection closed by the server in {state}")
        return Closed()


_GREETINGS: Final = frozenset({Condition.OK, Condition.PREAUTH, Condition.BYE})
# To look up a member of an Enum takes its time.
_AUTHENTICATED, _SELECTED = State.AUTHENTICATED, State.SELECTED
_BYE, _GREETING = Condition.BYE, State.GREETING
# Data that change nothing here, once there can be no question of TLS.
_TOLD: Final = frozenset({FetchData, *KINDS.values()} - {Capabilities, Enabled})


def _says_nothing(reply: Reply) -> bool:
    return reply.code is None and reply.condition is not _BYE
