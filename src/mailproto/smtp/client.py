"""The client end of an SMTP or LMTP conversation."""

from __future__ import annotations

from collections import deque
from contextlib import suppress
from itertools import islice
from operator import itemgetter
from typing import Any, Final, TypeVar, overload

from .._command import (
    Call,
    Chunk,
    Closed,
    Command,
    Completed,
    End,
    GoAhead,
    Part,
)
from .._connection import PAUSED, Security, Signal
from .._login import Login
from .._text import write_text
from ..errors import LocalProtocolError, RemoteProtocolError
from . import commands as c
from .ahead import Ready, read_ahead
from .body import LineEnds, Newlines, Outgoing, check_line_ends
from .grammar import MAX_LINE
from .reading import Answer, Event, ReplyReader
from .responses import (
    Challenge,
    Closing,
    Deliveries,
    Delivery,
    EhloData,
    Greeting,
    Quirk,
    Reply,
)
from .state import (
    BEFORE_TLS,
    IN_TRANSACTION,
    SMTP,
    Dialect,
    HasProgress,
    Limits,
    Progress,
    State,
)

R = TypeVar("R")


class Client(HasProgress, ReplyReader):
    """Sends commands, hands over what answers them (RFC 5321, RFC 2033).

    What cannot be written yet waits: commands go out together, in the groups of RFC
    2920, only once an EHLO has told of PIPELINING.  The caller sends when the protocol
    allows, and need not know of it.

    *strict* tolerates no ``Quirk``.  *dialect* has the verbs; with LMTP this is an
    LMTP client.  *newlines* is what becomes of a bare CR or LF in a message; chunks of
    BDAT are counted before they come here, so there NORMALIZE can only reject.
    """

    before_tls = BEFORE_TLS

    def __init__(
        self,
        security: Security = Security.STARTTLS,
        *,
        strict: bool = False,
        dialect: Dialect = SMTP,
        newlines: Newlines = Newlines.NORMALIZE,
        limits: Limits | None = None,
    ) -> None:
        super().__init__(security, limits or Limits(), strict=strict)
        self.dialect: Final = dialect
        self.newlines: Final = newlines
        self.greeting: Greeting | None = None
        self._now = Progress(dialect)  # by what has been answered
        self._ahead = Progress(dialect)  # if all that was sent is granted
        self._stale = False  # that was counted on and did not come true
        self._events: deque[Event] = deque()  # to be handed over first
        self._recipients: list[str] = []  # accepted, of this transaction
        self._failed: Reply | None = None  # the last refusal
        # Of what was written, how much data_to_send has handed out:
        self._untaken = 0  # commands in flight that are not
        self._unsaid: Call[Any] | None = None  # whose end of text, or response, is not
        # Of the message that goes:
        self._chunk_ends = LineEnds(Newlines.REJECT)  # of BDAT
        self._by_hand: Call[Any] | None = None  # whose text is not over
        self._body: Outgoing | None = None  # where it may be sent now
        self._body_said = False  # 354 came, and all of the text is written
        self._ready: list[Ready] = []  # read ahead, the next one last
        self._deliveries: list[Delivery] = []
        # What the first in flight is told once TLS is up, or its text is over:
        self._due: Answer | None = None

    @property
    def ahead(self) -> State:
        """If all that is on its way is granted."""
        if self._stale:
            self._count_ahead()
        return self._ahead.state

    @property
    def buffered(self) -> int:
        return super().buffered + len(self._read_already())

    @property
    def trailing_data(self) -> bytes:
        return self._read_already() + super().trailing_data

    def _read_already(self) -> bytes:
        """The lines of replies that have not been handed over."""
        return b"".join(said + b"\r\n" for _, said, _ in self._ready[::-1])

    # -- out -------------------------------------------------------------------

    @overload
    def send(self, value: Command[R]) -> Call[R]: ...

    @overload
    def send(self, value: c.Response | c.Cancel | Chunk | End) -> None: ...

    def send(
        self, value: Command[R] | c.Response | c.Cancel | Chunk | End
    ) -> Call[R] | None:
        """Queue *value*; the events that answer a command name the call returned.

        A Response or a Cancel answers the GoAhead of an Auth, Chunks and an End that
        of a Data or a Bdat.
        """
        if self._failure is not None:
            raise self._failure
        if isinstance(value, c.SmtpCommand):
            return self._send_command(value)
        match value:
            case Chunk():
                self._send_chunk(value)
            case End():
                self._send_end()
            case c.Response() | c.Cancel():
                self._send_response(value)
            case _:
                raise LocalProtocolError(f"{value!r} is nothing that SMTP can send")
        return None

    def _send_command(self, command: c.SmtpCommand[Any]) -> Call[Any]:
        self._check_queue(self._by_hand)
        if self._stale:
            self._count_ahead()
        why_not = self._ahead.why_not(command, tls=self.tls)
        if why_not is not None:
            raise LocalProtocolError(f"{command.verb.decode()}: {why_not.text}")
        self._check_trust(command)
        self._check_content(command)
        self._ahead.granted(command)
        call = Call(command, self.limits.collected)
        if isinstance(command, c.Content) and command.by_hand:
            self._by_hand = call
        self._held.append(call)
        self._write_held()
        return call

    def _check_content(self, command: c.SmtpCommand[Any]) -> None:
        """Raise LocalProtocolError if the message cannot be sent as it is."""
        match command:
            case c.Data(message=bytes() as message):
                if self.newlines is Newlines.REJECT:
                    check_line_ends(LineEnds(Newlines.REJECT), message + b"\r\n")
                most = self._ahead.offered.size if self._ahead.offered else None
                if most and len(message) > most:
                    raise LocalProtocolError(f"DATA: larger than {most} octets")
            case c.Bdat(data=data):
                ends = check_line_ends(self._ends_of_chunk(), data or b"")
                if command.last and data is not None:
                    ends = check_line_ends(ends, b"\r\n")
                self._chunk_ends = ends

    def _ends_of_chunk(self) -> LineEnds:
        if self._ahead.state is State.RCPT:  # it is the first one
            binary = self._ahead.binary or self.newlines is Newlines.KEEP
            policy = Newlines.KEEP if binary else Newlines.REJECT
            self._chunk_ends = LineEnds(policy)
        return self._chunk_ends

    def _count_ahead(self) -> None:
        """What was counted on did not come true: count again."""
        self._stale = False
        self._ahead = self._now.copy()
        for call in (*self._in_flight, *self._held):
            self._ahead.granted(call.command)

    def _write_held(self) -> None:
        """Write what may go out now, in order."""
        pipelining = self._now.offered is not None and self._now.offered.pipelining
        while self._held:
            if self._in_flight:
                last = self._in_flight[-1]
                ends = last.command.ends_group and not self._body_said
                if not pipelining or ends:
                    return
            call = self._held[0]
            if isinstance(call.command, c.Content) and call.command.verb != b"DATA":
                if self.dialect.lmtp and self._in_flight and call.command.ends_message:
                    return  # whether it is answered depends on what was answered
                if not self._in_flight and self._is_pointless(call):
                    continue
            self._held.popleft()
            self._in_flight.append(call)
            self._untaken += 1
            self._write_command(call)

    def _is_pointless(self, call: Call[Any]) -> bool:
        """End *call* without a word, if it must not be said any more.

        RFC 3030 2: after a refused chunk "the sender-SMTP MUST NOT send any additional
        BDAT segments".  RFC 2033 4.3: without a recipient, nothing answers the last
        one, so that it would never be over.
        """
        if self._now.state in (State.RCPT, State.CHUNKS):
            return False
        answer: Answer = self._failed or Reply(503)
        if self._now.state is State.MAIL and self.dialect.lmtp:
            answer = Deliveries()
        self._held.popleft()
        self._stale = True
        if call is self._by_hand:
            self._by_hand = None
        self._events.append(Completed(call, answer))
        return True

    def _write_command(self, call: Call[Any]) -> None:
        command = call.command
        match command:
            case c.Auth():
                # RFC 4954 4: the first response must not make the line too long.
                self._begin_login(command, MAX_LINE)
                return
            case c.Bdat(data=None):
                self._body = Outgoing(self._chunk_ends, command.size, last=command.last)
                self._events.append(GoAhead(call, b""))
        self._write_masked(command)
        if isinstance(command, c.Bdat) and command.data:
            self._out.append(command.data)

    def _say_turn(self, value: c.Response | c.Cancel) -> None:
        self._unsaid = self._in_flight[0]
        super()._say_turn(value)

    def _send_chunk(self, chunk: Chunk) -> None:
        if self._body is None:
            raise LocalProtocolError("no text is awaited: Chunk")
        data = self._body.take(chunk.data)
        self._chunk_ends = self._body.ends
        if data:
            self._out.append(data)

    def _send_end(self) -> None:
        if self._body is None or self._by_hand is None:
            raise LocalProtocolError("no text is awaited: End")
        self._end_text(self._by_hand, self._body.end())

    def _end_text(self, call: Call[Any], data: bytes) -> None:
        self._body = self._by_hand = None
        self._body_said = True
        self._unsaid = call
        self._write(data, b"(a message)")
        if self._held:
            self._write_held()

    def data_to_send(self) -> list[bytes]:
        self._untaken = 0
        self._unsaid = None
        return super().data_to_send()

    # -- in --------------------------------------------------------------------

    def _fail(self, failure: RemoteProtocolError) -> None:
        super()._fail(failure)
        self._now.state = self._ahead.state = State.CLOSED

    def tls_started(self) -> None:
        """Nothing that was learnt in the clear is believed from here on."""
        super().tls_started()
        if self._due is not None:
            self._now.forget()
            self._ahead.forget()

    def next_event(self) -> Event | Signal:
        """The next event, or the signal that tells what must happen first.

        Raises RemoteProtocolError, and then the same one for ever.
        """
        if (
            not self._ready
            or self._held
            or self._events
            or self.trace is not None
            or self._failure is not None
        ):
            return super().next_event()
        event, _, after = self._ready.pop()
        self._in_flight.popleft()
        if after is None:
            self._settle(event.call.command, event.answer)
        else:  # its grant does nothing besides
            self._now.state = after
        return event

    def _read(self) -> Event | Signal | None:
        while True:
            if self._events:
                return self._events.popleft()
            if self._ready or self._read_ahead():
                ready, said, _ = self._ready.pop()
                if self.trace is not None:
                    for line in said.split(b"\r\n"):
                        self._heard(line)
                return self._complete(ready.call, ready.answer)
            if self._await_tls:
                return None
            if self._due is not None and self._body is None:
                return self._complete(self._in_flight[0], self._due)
            if self.state is State.TURNED:
                return PAUSED
            reply = self._read_reply()
            if not isinstance(reply, Reply):
                return reply
            event = self._read_answer(reply)
            if event is not None:
                return event

    def _read_ahead(self) -> bool:
        """Whether there are replies that could be read before their turn."""
        if self._line is not None or self._texts or not self._in_flight:
            return False
        if self._in_flight[0].command.plain:
            taken = islice(self._in_flight, len(self._in_flight) - self._untaken)
            lines = self._in.peek_lines()
            self._ready = read_ahead(taken, lines, self._now, self.limits)
            size = sum(map(len, map(itemgetter(1), self._ready)))
            self._in.drop(size + 2 * len(self._ready))
        return bool(self._ready)

    def _check_turn(self, code: int) -> None:
        """Raise RemoteProtocolError for a good answer to what was not said yet.

        That is how answers are forged.  A refusal may well come early.
        """
        if not self._in_flight or self._due is not None:
            raise RemoteProtocolError(f"an answer that nobody waits for: {code}")
        call = self._in_flight[0]
        taken = len(self._in_flight) - self._untaken
        early = not taken or self._unsaid is call or self._is_open(call)
        if code < 400 and (early or (self._login is not None and self._login.awaited)):
            raise RemoteProtocolError(f"an answer before the question was put: {code}")

    def _is_open(self, call: Call[Any]) -> bool:
        """Whether the text of *call* is on its way."""
        return self._body is not None and call is self._by_hand

    def _read_challenge(self, login: Login, line: bytes) -> Event | None:
        self._check_turn(334)
        if line == b"334":
            return self._deviates(Quirk.BARE_CHALLENGE, line, b"334 ")
        self._line = None
        challenge: bytes | None = None
        with suppress(ValueError):
            challenge = Challenge.read(line).data
        return self._answer_challenge(self._in_flight[0], login, challenge)

    def _read_answer(self, reply: Reply) -> Event | None:
        if reply.code == 421 and self.state is not State.CLOSED:
            return self._read_closing(reply)
        if self.state is State.GREETING:
            self.greeting = Greeting.of(reply)
            self._now.state = State.START if self.greeting.ok else State.REFUSED
            self._ahead.state = self._now.state
            return self.greeting
        self._check_turn(reply.code)
        call = self._in_flight[0]
        command = call.command
        if isinstance(command, c.Data):
            return self._read_data_answer(call, reply)
        if 300 <= reply.code < 400:
            raise RemoteProtocolError(f"{reply.code} is no answer to {command!r}")
        if self._is_open(call):
            self._due = reply  # it is not handed over before our End
            return None
        if isinstance(command, c.Content) and command.ends_message:
            return self._read_delivery(call, reply)
        if reply.ok and isinstance(command, c.StartTls):
            if reply.code != 220:
                raise RemoteProtocolError(f"{reply.code} is no way to begin TLS")
            self._due = reply
            self._start_tls()
            return None
        if reply.ok and self._login is not None:
            self._login.granted()
        return self._complete(call, reply)

    def _read_closing(self, reply: Reply) -> Event:
        """421: all that waits has this for its answer; then there is nothing."""
        waiting = [*self._in_flight, *self._held]
        if self.state is State.GREETING:
            self.greeting = Greeting.of(reply)
            self._events.append(self.greeting)
        elif not waiting:
            self._events.append(Closing(reply))
        if self._login is not None:
            waiting[0].cause = self._login.cause
        answers: list[Answer] = [reply for _ in waiting]
        if told := self._deliveries:  # RFC 2033 4.2: of these recipients, that stands
            rest = enumerate(self._recipients[len(told) :], len(told))
            answers[0] = Deliveries((*told, *(Delivery(*who, reply) for who in rest)))
        self._events.extend(map(Completed, waiting, answers))
        self._in_flight.clear()
        self._held.clear()
        self._body = self._by_hand = self._login = self._due = None
        self._now.state = self._ahead.state = State.CLOSED
        return self._events.popleft()

    def _read_data_answer(self, call: Call[Any], reply: Reply) -> Event | None:
        if self._body_said:
            if 300 <= reply.code < 400:
                raise RemoteProtocolError(f"{reply.code} at the end of a message")
            if reply.ok and self.state is not State.RCPT:
                raise RemoteProtocolError("a message without recipients was accepted")
            return self._read_delivery(call, reply)
        if self._is_open(call):
            self._due = reply
            return None
        if reply.code == 354:
            return self._begin_text(call, reply)
        if reply.code < 400:
            raise RemoteProtocolError(f"{reply.code} to DATA, before the message")
        return self._complete(call, reply)

    def _begin_text(self, call: Call[Any], reply: Reply) -> Event | None:
        message = call.command.message
        self._body = Outgoing(LineEnds(self.newlines), None)
        if self.state is not State.RCPT:
            # RFC 2920 3.1: "the client MUST send a single dot", the message to nobody.
            self._body = Outgoing(LineEnds(Newlines.KEEP), None)
        elif message is None:
            return GoAhead(call, write_text(reply.text))
        else:
            self._out.append(self._body.take(message))
        self._end_text(call, self._body.end())
        return None

    def _read_delivery(self, call: Call[Any], reply: Reply) -> Event:
        """The end of a message; in LMTP, one of several."""
        if not self.dialect.lmtp or not self._recipients:
            return self._complete(call, reply)
        index = len(self._deliveries)
        delivery = Delivery(index, self._recipients[index], reply)
        self._deliveries.append(delivery)
        if index + 1 == len(self._recipients):
            self._due = Deliveries(tuple(self._deliveries))
        return Part(call, delivery)

    def _complete(self, call: Call[Any], answer: Answer) -> Completed[Answer]:
        command = call.command
        if not command.plain:
            if self._login is not None:
                call.cause = self._login.cause
            if answer.ok and isinstance(command, c.Hello):
                assert isinstance(answer, Reply)
                self._stale = True  # what may be said is known only by now
                if not isinstance(command, c.Helo):
                    answer = EhloData.join(answer.lines[0], self._extensions)
        self._settle(command, answer)
        self._in_flight.popleft()
        if self._untaken > len(self._in_flight):  # a refusal may come early
            self._untaken -= 1
        if not command.plain:
            self._login = self._due = None
            self._extensions, self._body_said = [], False
            if call is self._by_hand:
                self._by_hand = None
        if self._held:
            self._write_held()
        return Completed(call, answer)

    def _settle(self, command: c.SmtpCommand[Any], answer: Answer) -> None:
        """What *answer* does to the transaction."""
        if answer.ok:
            self._now.granted(command, answer)
        else:
            assert isinstance(answer, Reply)
            self._now.refused(command, sent=self._body_said)
            self._stale, self._failed = True, answer
        if self.dialect.lmtp:
            if self._now.state not in IN_TRANSACTION:
                self._recipients, self._deliveries = [], []
            elif answer.ok and isinstance(command, c.Rcpt):
                self._recipients.append(command.recipient)

    def _end(self) -> Event:
        if len(self._in) or self._line is not None or self._texts:
            raise RemoteProtocolError("connection closed inside a reply")
        if self._due is not None and not self._await_tls:
            self._body = None  # whoever hung up will not read the rest
            return self._complete(self._in_flight[0], self._due)
        if self._in_flight:
            name = self._in_flight[0].command.verb.decode()
            why = f" (the last refusal: {self._failed})" if self._failed else ""
            raise RemoteProtocolError(
                f"connection closed before {name} was answered{why}"
            )
        if self.state not in (State.CLOSED, State.REFUSED):
            state = self.state.name
            raise RemoteProtocolError(f"connection closed by the server in {state}")
        return Closed()
