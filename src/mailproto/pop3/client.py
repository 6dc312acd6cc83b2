"""The client end of a POP3 conversation."""

from __future__ import annotations

from typing import Any, Final, TypeVar, overload

from .. import _dots
from .._command import (
    Call,
    Chunk,
    Closed,
    Command,
    Completed,
    Deviation,
    End,
    GoAhead,
    Lines,
    Part,
)
from .._connection import Security
from .._lines import LineClient
from .._login import Login
from .._text import write_text
from ..errors import LimitExceeded, LocalProtocolError, RemoteProtocolError, quote
from . import commands as c
from .grammar import MAX_COMMAND, MAX_REPLY
from .lists import MAX_PLAIN, PLAIN
from .responses import (
    Capabilities,
    Capability,
    Challenge,
    Greeting,
    Quirk,
    Reply,
    UniqueId,
    mend_challenge,
    mend_data,
    mend_status,
    read_reply,
)
from .state import BEFORE_TLS, STANDARD, Dialect, Limits, State

R = TypeVar("R")
Event = Greeting | Completed[Reply] | Part[Any] | GoAhead | Deviation | Closed


class Client(LineClient[Event]):
    """Sends commands, hands over what answers them (RFC 1939).

    What cannot be written yet waits: commands go out together only once a CAPA has
    told of PIPELINING, and nothing goes out behind a log-in before it is answered.
    The caller sends when the protocol allows, and need not know of it.

    *strict* tolerates no ``Quirk``.  *dialect* has the verbs.
    """

    alpn = ("pop3",)
    before_tls = BEFORE_TLS
    _asks = Challenge

    def __init__(
        self,
        security: Security = Security.STARTTLS,
        *,
        strict: bool = False,
        dialect: Dialect = STANDARD,
        limits: Limits | None = None,
    ) -> None:
        self.limits: Final = limits or Limits()
        super().__init__(security, self.limits, strict=strict)
        self.dialect: Final = dialect
        self.state = State.GREETING  #: by what has been answered
        self.greeting: Greeting | None = None
        self.capabilities: Capabilities | None = None  #: ``None``: not asked yet
        self.utf8 = False  #: whether UTF8 was granted
        self._ahead = State.GREETING  # the state if all that was sent is granted
        self._utf8_ahead = False
        # Of the answer that is being read:
        self._answer: Reply | None = None  # its +OK; more comes, unless ...
        self._over = False  # ... that was all
        self._text: _dots.Unstuffer | None = None  # the message that comes
        self._lines: list[Any] = []  # the capabilities that came
        self._count = 0  # of lines, or of octets of a message
        self._upload: _dots.Stuffer | None = None  # the message that goes
        self._uploaded = False

    # -- out -------------------------------------------------------------------

    @overload
    def send(self, value: Command[R]) -> Call[R]: ...

    @overload
    def send(self, value: c.Response | c.Cancel | Chunk | End) -> None: ...

    def send(
        self, value: Command[R] | c.Response | c.Cancel | Chunk | End
    ) -> Call[R] | None:
        """Queue *value*; the events that answer a command name the call returned.

        A Response or a Cancel answers the GoAhead of an Auth, Chunks and an End
        that of a command which uploads.
        """
        if self._failure is not None:
            raise self._failure
        match value:
            case c.Pop3Command():
                return self._send_command(value)
            case c.Response() | c.Cancel():
                self._send_response(value)
            case Chunk() | End():
                self._send_text(value)
            case _:
                raise LocalProtocolError(f"{value!r} is nothing that POP3 can send")
        return None

    def _send_command(self, command: c.Pop3Command[Any]) -> Call[Any]:
        self._check_queue()
        why_not = self.dialect.why_not(
            self._ahead, type(command), tls=self.tls, utf8=self._utf8_ahead
        )
        if why_not is not None:
            raise LocalProtocolError(why_not)
        self._check_trust(command)
        self._check_login(command)
        self._ahead = self.dialect.granted(self._ahead, type(command))
        self._utf8_ahead |= isinstance(command, c.Utf8)
        call = Call(command, self.limits.collected)
        self._held.append(call)
        self._write_held()
        return call

    def _check_login(self, command: c.Pop3Command[Any]) -> None:
        if isinstance(command, c.Apop) and not (self.greeting and self.greeting.stamp):
            raise LocalProtocolError("APOP: the greeting has no timestamp to sign")
        if isinstance(command, c.User | c.Pass | c.Apop):
            known = self.capabilities
            if not command.argument().isascii() and not (known and known.utf8_user):
                raise LocalProtocolError(
                    f"{command.verb.decode()}: the server has not said that it takes "
                    "UTF-8 (RFC 6856 2.2); AUTH does"
                )

    def _write_held(self) -> None:
        """Write what may go out now, in order."""
        pipelining = self.capabilities is not None and self.capabilities.pipelining
        while self._held and self._failure is None:
            if self._in_flight:
                last = self._in_flight[-1].command
                if not pipelining or last.alone or last.shape is c.Shape.UPLOAD:
                    return
            elif len(self._in) or self._line is not None:
                # It speaks before it is asked: that is how answers are forged.
                self._fail(RemoteProtocolError("an answer that nobody waits for"))
                return
            call = self._held.popleft()
            self._in_flight.append(call)
            command = call.command
            if isinstance(command, c.Auth):
                self._begin_login(command, MAX_COMMAND)
            else:
                self._write_masked(command)

    def _send_text(self, value: Chunk | End) -> None:
        if self._upload is None:
            raise LocalProtocolError(f"no text is awaited: {type(value).__name__}")
        if isinstance(value, Chunk):
            self._out.append(self._upload.stuff(value.data))
        else:
            self._write(self._upload.end(), b"(a message)")
            self._upload = None

    # -- in --------------------------------------------------------------------

    def _fail(self, failure: RemoteProtocolError) -> None:
        super()._fail(failure)
        self.state = self._ahead = State.CLOSED

    def tls_started(self) -> None:
        """Nothing that was learnt in the clear is believed from here on."""
        super().tls_started()
        self.capabilities = None

    def _read(self) -> Event | None:
        if self._await_tls or self._upload is not None:
            return None
        if self._answer is not None:
            return self._read_more(self._in_flight[0], self._answer)
        line = self._take_line()
        if line is None:
            return None
        if self.state is not State.GREETING and not self._in_flight:
            raise RemoteProtocolError(f"an answer that nobody waits for: {quote(line)}")
        if len(line) + 2 > MAX_REPLY and self._login is None and not self._excused:
            return self._deviates(Quirk.LONG_REPLY, line, line)
        if self._login is not None and line[:1] == b"+" and line[1:2] in (b"", b" "):
            return self._read_challenge(self._login, line)
        return self._read_status(line)

    def _read_status(self, line: bytes) -> Event | None:
        try:
            reply = read_reply(line) if len(line) < MAX_REPLY else Reply.read(line)
        except ValueError as error:
            return self._mend(mend_status(line), line, "a status line", error)
        if self.state is State.GREETING:
            self._line = None
            self.greeting = Greeting(reply.text, reply.ok, reply.code)
            self.state = State.AUTHORIZATION if reply.ok else State.CLOSED
            self._ahead = self.state
            return self.greeting
        call = self._in_flight[0]
        shape = call.command.shape
        if not reply.ok or self._uploaded:
            return self._complete(call, reply)
        if self._login is not None and self._login.unsaid is not None:
            return self._deviates(Quirk.CHALLENGE_OK, line, b"+ ")
        if shape is c.Shape.SINGLE:
            return self._read_single(call, reply)
        self._line = None
        if shape is c.Shape.UPLOAD:
            return self._begin_upload(call)
        self._answer = reply
        if shape is c.Shape.LINES:
            return self._read_lines(call, reply)
        self._text = _dots.Unstuffer()
        return self._read_text(self._text, call, reply)

    def _read_single(self, call: Call[Any], reply: Reply) -> Event | None:
        command = call.command
        if command.data is not None:
            event = self._read_data(command, write_text(reply.text), b"+OK ")
            if isinstance(event, Deviation):
                return event
        if isinstance(command, c.Stls):
            # The answer is held back until TLS is up.
            self._line, self._answer, self._over = None, reply, True
            self._start_tls()
            return None
        if self._login is not None:
            self._login.granted()
        return self._complete(call, reply)

    def _read_more(self, call: Call[Any], answer: Reply) -> Event | None:
        if self._over:
            return self._complete(call, answer)
        if self._text is not None:
            return self._read_text(self._text, call, answer)
        return self._read_lines(call, answer)

    def _read_text(
        self, text: _dots.Unstuffer, call: Call[Any], answer: Reply
    ) -> Event | None:
        data, self._over = text.take(self._in)
        self._count += len(data)
        if self._over:
            self._heard(b"(%d octets)" % self._count)
        if data:
            return Part(call, Chunk(data))
        return self._complete(call, answer) if self._over else None

    def _read_lines(self, call: Call[Any], answer: Reply) -> Event | None:
        """As many plain lines of a list as are here, or else the next one."""
        if self._count > self.limits.lines:
            raise self._too_many(call)
        kind = call.command.data
        values = self._read_plain(kind)
        if not values:
            line = self._take_line()
            if line is None:
                return None
            if line == b".":
                return self._complete(call, answer)
            value = self._read_data(call.command, line.removeprefix(b"."), b"")
            if isinstance(value, Deviation):
                return value
            self._line = None
            values = (value,)
        left = self.limits.lines - self._count
        self._count += len(values)
        if len(values) > left:  # as if they had come one by one
            values, self._over = values[:left], False
            if not values:
                raise self._too_many(call)
        if kind is Capability:
            self._lines += values
        return Part(call, Lines(values))

    def _read_plain(self, kind: Any) -> tuple[Any, ...]:
        """All at once; a transcript has them line by line."""
        plain = PLAIN.get(kind)
        if (
            plain is None
            or self._line is not None
            or self.trace is not None
            or self.limits.line < MAX_PLAIN
        ):
            return ()
        match, read = plain
        found = self._in.take_match(match)
        if found is None:
            return ()
        self._over = found[2] is not None
        return read(found[1])

    def _too_many(self, call: Call[Any]) -> LimitExceeded:
        what = f"answer to {call.command!r} has too many lines"
        return LimitExceeded("lines", self.limits.lines, what)

    def _read_data(self, command: Any, line: bytes, status: bytes) -> Any:
        """The value of *line*, or the Deviation that must be told of before it."""
        kind: Any = command.data
        try:
            value = kind.read(line)
        except ValueError as error:
            mended = mend_data(kind, line, getattr(command, "number", None))
            if mended is not None:
                return self._mend((mended[0], status + mended[1]), line, "", error)
            if status:
                return self._mend(None, line, f"an answer to {command!r}", error)
            event = self._deviates(Quirk.LIST_LINE, line, line)
            self._line = None
            self._count += 1
            if self._count > self.limits.lines:
                raise self._too_many(self._in_flight[0]) from None
            return event
        if isinstance(value, UniqueId) and not value.legal and not self._excused:
            return self._deviates(Quirk.UNIQUE_ID, line, status + line)
        return value

    def _mend(
        self,
        mended: tuple[Quirk, bytes] | None,
        line: bytes,
        what: str,
        error: ValueError,
    ) -> Deviation:
        if mended is None:
            raise RemoteProtocolError(f"not {what}: {quote(line)}: {error}") from error
        return self._deviates(mended[0], line, mended[1])

    def _read_challenge(self, login: Login, line: bytes) -> Event | None:
        try:
            challenge = Challenge.read(line)
        except ValueError as error:
            return self._mend(mend_challenge(line), line, "a challenge", error)
        self._line = None
        call = self._in_flight[0]
        return self._answer_challenge(call, login, challenge.data) or self._read()

    def _begin_upload(self, call: Call[Any]) -> Event | None:
        self._upload, self._uploaded = _dots.Stuffer(), True
        text = call.command.text
        if text is None:
            return GoAhead(call, b"")
        self._send_text(Chunk(text))
        self._send_text(End())
        return self._read()

    def _complete(self, call: Call[Any], reply: Reply) -> Completed[Reply]:
        command = call.command
        if self._login is not None:
            call.cause = self._login.cause
        if isinstance(command, c.Capa):
            self.capabilities = Capabilities(self._lines)
        self._in_flight.popleft()
        self._login = self._line = self._answer = self._text = None
        self._over = self._uploaded = False
        self._lines, self._count = [], 0
        if reply.ok:
            self.state = self.dialect.granted(self.state, type(command))
            self.utf8 |= isinstance(command, c.Utf8)
        else:
            self.state = self.dialect.refused(self.state, type(command))
            self._count_ahead()
        if self._held:
            self._write_held()
        return Completed(call, reply)

    def _count_ahead(self) -> None:
        """What was counted on did not come true: count again."""
        self._ahead, self._utf8_ahead = self.state, self.utf8
        for call in (*self._in_flight, *self._held):
            self._ahead = self.dialect.granted(self._ahead, type(call.command))
            self._utf8_ahead |= isinstance(call.command, c.Utf8)

    def _end(self) -> Event:
        if len(self._in) or self._line is not None:
            raise RemoteProtocolError("connection closed inside an answer")
        if self._in_flight:
            name = self._in_flight[0].command.verb.decode()
            raise RemoteProtocolError(f"connection closed before {name} was answered")
        if self.state is not State.CLOSED:
            raise RemoteProtocolError(
                f"connection closed by the server in {self.state.value}"
            )
        return Closed()
