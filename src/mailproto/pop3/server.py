"""The server end of a POP3 conversation."""

from __future__ import annotations

from typing import Any, Final

from .. import _dots
from .._command import Bad, Chunk, Closed, End, Lines
from .._connection import PAUSED, Security, Signal
from .._login import LoginServer
from ..errors import LimitExceeded, LocalProtocolError, RemoteProtocolError
from . import commands as c
from .responses import Challenge, Data, Greeting, Reply
from .state import BEFORE_TLS, LOGINS, STANDARD, Dialect, Limits, State

Said = Greeting | Reply | Challenge | Data | Lines[Data] | Chunk | End
Event = c.Pop3Command[Any] | c.Response | c.Cancel | Chunk | End | Bad[Reply] | Closed


class Server(LoginServer[Said, Event, Reply]):
    """Hands over commands, sends what answers them (RFC 1939).

    Greet first.  Then every command is answered: by a Reply, or, where it asks for
    one thing, by that thing (``StatData(2, 320)`` is ``+OK 2 320``).  A ``+OK`` to a
    command that asks for more is followed by those values (or Lines of them), or by
    Chunks, and an End.
    Until then next_event is PAUSED.

    A ``Bad`` is answered like a command; its hint will do.  A log-in that would be
    in the clear is one, unless ``security`` is CLEARTEXT.  After the QUIT that ends
    a session the state is UPDATE: that, and only that, is the time to delete.
    """

    alpn = ("pop3",)

    def __init__(
        self,
        security: Security = Security.STARTTLS,
        *,
        dialect: Dialect = STANDARD,
        proxied: bool = False,
        limits: Limits | None = None,
    ) -> None:
        self.limits: Final = limits or Limits()
        super().__init__(security, self.limits, proxied=proxied)
        self.dialect: Final = dialect
        self.state = State.GREETING  #: by what has been answered
        self.utf8 = False  #: whether UTF8 was granted
        self._asked: c.Pop3Command[Any] | Bad[Reply] | None = None
        self._listing = False  # +OK was said, and what follows it is not over
        self._text: _dots.Stuffer | None = None  # the message that goes
        self._upload: _dots.Unstuffer | None = None  # the message that comes
        self._upload_over = False

    # -- out -------------------------------------------------------------------

    def _say(self, value: Said) -> None:
        match value:
            case Greeting() if self.state is State.GREETING:
                self._write(value.write())
                self.state = State.AUTHORIZATION if value.ok else State.CLOSED
            case Reply() if self._may_reply():
                self._write(value.write())
                self._replied(value.ok)
            case Challenge() if self._may_challenge():
                self._challenge(value)
            case Chunk() if self._text is not None:
                self._out.append(self._text.stuff(value.data))
            case End() if self._text is not None:
                self._write(self._text.end(), b"(a message)")
                self._decided(True)
            case End() if self._listing:
                self._write(b".\r\n")
                self._decided(True)
            case _:
                self._say_data(value)

    def _not_now(self, value: object) -> LocalProtocolError:
        return LocalProtocolError(
            f"{type(value).__name__} is no answer to {self._asked!r}"
            if self._asked is not None
            else f"{type(value).__name__}: nothing was asked in {self.state.value}"
        )

    def _may_reply(self) -> bool:
        return (
            self._asked is not None
            and not self._listing
            and self._text is None
            and not self._challenged
            and self._upload is None
        )

    def _may_challenge(self) -> bool:
        return isinstance(self._asked, c.Auth) and not self._challenged

    def _say_data(self, value: Any) -> None:
        asked = self._asked
        if not isinstance(asked, c.Pop3Command):
            raise self._not_now(value)
        if self._listing:
            values = value.values if isinstance(value, Lines) else (value,)
            for line in [self._line(asked, each) for each in values]:
                dot = b"." if line.startswith(b".") else b""
                self._write(dot + line + b"\r\n")
        elif asked.shape is c.Shape.SINGLE:
            self._write(b"+OK " + self._line(asked, value) + b"\r\n")
            self._replied(True)
        else:
            raise self._not_now(value)

    def _line(self, asked: c.Pop3Command[Any], value: Any) -> bytes:
        if type(value) is not asked.data:
            raise self._not_now(value)
        try:
            line: bytes = value.write()
        except ValueError as error:
            raise LocalProtocolError(str(error)) from error
        return line

    def _replied(self, ok: bool) -> None:
        """A status line was said: does more belong to it?"""
        shape = c.Shape.SINGLE
        if ok and isinstance(self._asked, c.Pop3Command):
            shape = self._asked.shape
        if shape is c.Shape.LINES:
            self._listing = True
        elif shape is c.Shape.MESSAGE:
            self._text = _dots.Stuffer()
        elif shape is c.Shape.UPLOAD and not self._upload_over:
            self._upload = _dots.Unstuffer()
        else:
            self._decided(ok)

    def _decided(self, ok: bool) -> None:
        """All of the answer was said: what follows from it?"""
        kind = type(self._asked)
        self._asked = self._text = self._upload = None
        self._listing = self._upload_over = False
        self._rounds = 0
        if not issubclass(kind, c.Pop3Command):
            return
        if ok:
            self.state = self.dialect.granted(self.state, kind)
            self.utf8 |= kind is c.Utf8
        else:
            self.state = self.dialect.refused(self.state, kind)
        if kind is c.Quit:
            self.state = State.CLOSED
        elif kind is c.Stls and ok:
            self._start_tls()
        elif kind in LOGINS and not ok:
            self._login_failed()

    # -- in --------------------------------------------------------------------

    def _fail(self, failure: RemoteProtocolError) -> None:
        super()._fail(failure)
        self.state = State.CLOSED

    def _read(self) -> Event | Signal | None:
        if self._await_tls:
            return None
        if self._upload is not None:
            return self._read_upload(self._upload)
        if self._challenged:
            return self._read_response()
        if self.state is State.CLOSED:
            return Closed()
        if self._asked is not None or self.state is State.GREETING:
            return PAUSED
        line = self._take_command(self.limits.command, "command")
        if line is None:
            return None
        if isinstance(line, LimitExceeded):
            self._asked = self._bad(b"", Reply(False, "line too long"))
        else:
            self._asked = self._command(line)
        self._heard_command(self._asked)
        return self._asked

    def _command(self, line: bytes) -> c.Pop3Command[Any] | Bad[Reply]:
        verb, _, argument = line.partition(b" ")
        kind = self.dialect.verbs.get(verb.upper())
        if kind is None:
            return self._bad(line, Reply(False, "unknown command"))
        try:
            command = kind.read(argument)
        except UnicodeError:
            return self._bad(line, Reply(False, "that is not UTF-8"))
        except ValueError as error:
            return self._bad(line, Reply(False, str(error)))
        refusal = self._refusal(command)
        if refusal is not None:
            return self._bad(line, refusal)
        if kind is c.Stls:
            hint = Reply(False, "nothing may be sent behind STLS")
            self._check_nothing_behind("STLS", hint)
        if kind is c.Quit and self.state is State.TRANSACTION:
            self.state = State.UPDATE
        return command

    def _refusal(self, command: c.Pop3Command[Any]) -> Reply | None:
        """What the server says by itself, where the protocol leaves no choice."""
        kind = type(command)
        why_not = self.dialect.why_not(self.state, kind, tls=self.tls, utf8=self.utf8)
        if why_not is not None:
            return Reply(False, why_not)
        if self.tls_demanded and kind not in BEFORE_TLS:
            return Reply(False, "start TLS first")
        if command.reveals_secret and self.cleartext_refused:
            return Reply(False, "no password in the clear: start TLS first", "AUTH")
        return None

    def _bad_response(self, line: bytes, why: str) -> Bad[Reply]:
        self._asked = self._bad(line, Reply(False, why))
        return self._asked

    def _read_upload(self, upload: _dots.Unstuffer) -> Event | None:
        if not self._upload_over:
            data, self._upload_over = upload.take(self._in)
            if data:
                return Chunk(data)
            if not self._upload_over:
                return None
        self._upload = None
        return End()

    def _end(self) -> Event:
        unfinished = self._too_long or self._upload or self._asked
        if len(self._in) or unfinished is not None:
            raise RemoteProtocolError("connection closed inside a command")
        return Closed()
