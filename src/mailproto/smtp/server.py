"""The server end of an SMTP or LMTP conversation."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from .._command import Bad, Chunk, Closed, End
from .._connection import PAUSED, Security, Signal
from .._dots import WholeTexts
from .._login import LoginServer
from .._text import printable
from ..errors import LimitExceeded, LocalProtocolError, RemoteProtocolError
from . import commands as c
from . import extensions as x
from .body import Incoming, Newlines, is_clean
from .grammar import MAX_LINE
from .parameters import refuse
from .plain import LINES, knows_plain
from .responses import (
    Challenge,
    EhloData,
    EnhancedCode,
    Greeting,
    Refusal,
    Reply,
)
from .state import (
    BEFORE_TLS,
    JUNK,
    SMTP,
    Dialect,
    HasProgress,
    Limits,
    Progress,
    State,
    no,
)

Said = Greeting | Reply | EhloData | Challenge
Event = c.SmtpCommand[Any] | c.Response | c.Cancel | Chunk | End | Bad[Reply] | Closed

_SILENT = (State.GREETING, State.TURNED, State.CLOSED)  # nothing is heard in these
_IN_MESSAGE = (State.RCPT, State.CHUNKS)
_FRESH = (c.Mail, c.Hello, c.Rset)  # whatever was refused before is over
_END: Final = End()
_OBSOLETE = frozenset({b"SEND", b"SOML", b"SAML", b"TURN"})  # RFC 5321 appendix F


class Server(HasProgress, LoginServer[Said, Event, Reply]):
    """Hands over commands, sends what answers them (RFC 5321, RFC 2033).

    Greet first.  Then every command is answered by a Reply; a good answer to EHLO or
    LHLO is an EhloData, and what it announces is what is obeyed from there on.  Until
    then next_event is PAUSED.

    A ``Reply(354)`` to DATA is followed by Chunks and an End, and so is a BDAT, without
    a word of yours.  The End is answered like a command; in LMTP, once for each
    recipient that was accepted, in their order, if it ends the message.

    A ``Bad`` is answered like a command; its hint will do.  Where one stands in the
    place of an End, forget the message: it is too large, or not what *newlines* allows.
    A log-in that would be in the clear is one, unless ``security`` is CLEARTEXT.
    """

    def __init__(
        self,
        security: Security = Security.STARTTLS,
        *,
        dialect: Dialect = SMTP,
        newlines: Newlines = Newlines.REJECT,
        proxied: bool = False,
        limits: Limits | None = None,
    ) -> None:
        self.limits: Final = limits or Limits()
        super().__init__(security, self.limits, proxied=proxied)
        self.dialect: Final = dialect
        self.newlines: Final = newlines
        self._max_line = max(self.limits.command, self.limits.sasl_line)
        self._now = Progress(dialect)
        self._asked: c.SmtpCommand[Any] | Bad[Reply] | None = None
        self._message: Incoming | None = None  # of this transaction
        self._coming: Incoming | None = None  # what comes now is a part of that
        self._over = False  # all of the part has come
        self._ended: c.Content | None = None  # whose part came, and has no answer yet
        self._refused: tuple[bytes, Reply] | None = None  # the chunk that comes now
        self._owed = 0  # replies to the end of a message
        self._granted = False  # one of them was good
        self._junk = 0
        self._doomed = False  # what is refused now may come of an earlier refusal
        self._excused = 0  # commands of which that was believed
        self._texts = WholeTexts(is_clean)
        # Whether there are short ways:
        self._plain = knows_plain(dialect) and self.limits.command >= MAX_LINE

    # -- short ways ------------------------------------------------------------

    # What nearly all of a session consists of: plain commands that are granted, and
    # messages that are all there.  Whatever is not so plain goes the long ways below.

    def send(self, value: Said) -> None:
        """Queue *value*, or raise LocalProtocolError and change nothing.

        On a connection that has failed, its failure's hint can be sent, once.
        """
        if type(value) is not Reply or not self._grant(value):
            super().send(value)

    def next_event(self) -> Event | Signal:
        """The next event, or the signal that tells what must happen first.

        Raises RemoteProtocolError, and then the same one for ever.
        """
        event: Event | None = None
        if self._plain and self._failure is None and self.trace is None:
            if self._coming is None:
                event = self._read_plain() if self._asked is None else None
            elif self._over:
                event = self._end_text()
            else:
                event = self._read_whole(self._coming)
        return super().next_event() if event is None else event

    def _grant(self, reply: Reply) -> bool:
        """Send *reply* if it just lets a transaction go on; whether it did."""
        asked, code = self._asked, reply.code
        if (
            not self._plain
            or self._failure is not None
            or self.trace is not None
            or (reply.enhanced is None and self._with_code(reply) is not reply)
        ):
            return False
        if type(asked) is c.Data:
            if self._coming is not None or self._granted:
                return False
            if self._ended is None:
                if code != 354:
                    return False
                self._out.append(reply.write())
                self._begin(None)
                return True
            if self._owed != 1 or code >= 300:
                return False
            self._owed = self._junk = 0
            self._ended = self._message = None
        elif (type(asked) is not c.Mail and type(asked) is not c.Rcpt) or code >= 300:
            return False
        self._asked = None
        self._out.append(reply.write())
        self._now.granted(asked)
        return True

    def _read_plain(self) -> c.Mail | c.Rcpt | c.Data | None:
        """The next command, if it is of those and nothing stands against it."""
        now = self._now
        line = LINES.get(now.state)
        if (
            line is None
            or now.limited
            or (self._wants_tls and not self.tls)
            or (self._too_long or self._doomed or self._excused)
        ):
            return None
        found = self._in.take_match(line[0])
        if found is None:
            return None
        command = line[1](found)
        if isinstance(command, c.Rcpt):
            good = now.rcpts < self.limits.recipients
        elif isinstance(command, c.Mail):
            good = not command.parameters or now.why_not_parameters(command) is None
        else:
            good = command is not None and not now.binary
        if not good:
            self._in.untake(found.end() - found.start())
            return None
        self._asked = command
        return command

    def _read_whole(self, coming: Incoming) -> Chunk | None:
        """All of a message, if it is there."""
        data = coming.take_whole(self._in, self._texts)
        if data is None:
            return None
        self._over = True
        return Chunk(data)

    # -- out -------------------------------------------------------------------

    def _say(self, value: Said) -> None:
        if isinstance(value, Reply) and value.code != 421 and self._may_reply():
            self._reply(value)
            return
        match value:
            case Greeting() if self.state is State.GREETING and not self._await_tls:
                self._write(value.write())
                refused = State.CLOSED if value.code == 421 else State.REFUSED
                self._now.state = State.START if value.ok else refused
            case EhloData() if isinstance(self._asked, c.Ehlo | c.Lhlo):
                self._check_offer(value)
                self._write(value.write())
                self._decided(self._asked, True, value)
            case Challenge() if self._may_challenge():
                self._challenge(value)
            case Reply(code=421) if self._may_hang_up():
                self._write(self._with_code(value).write())
                self._asked = self._coming = self._refused = None
                self._challenged = False
                self._now.state = State.CLOSED
            case _:
                raise self._not_now(value)

    def _not_now(self, value: object) -> LocalProtocolError:
        return LocalProtocolError(
            f"{value} is no answer to {self._asked!r}"
            if self._asked is not None
            else f"{type(value).__name__}: nothing was asked in {self.state.name}"
        )

    def _may_reply(self) -> bool:
        return self._asked is not None and not (self._coming or self._challenged)

    def _may_hang_up(self) -> bool:
        """421 can be said at any time (RFC 5321 3.8), but not amid a handshake."""
        return self.state not in (State.CLOSED, State.TURNED) and not self._await_tls

    def _may_challenge(self) -> bool:
        return isinstance(self._asked, c.Auth) and not self._challenged

    def _check_offer(self, offer: EhloData) -> None:
        if not offer.domain:
            raise LocalProtocolError("EHLO is answered with the server's domain")
        if offer.starttls and self.tls:
            raise LocalProtocolError("STARTTLS must not be offered inside of TLS")
        if offer.requiretls and not self.tls:
            raise LocalProtocolError("REQUIRETLS must not be offered without TLS")

    def _with_code(self, reply: Reply) -> Reply:
        """RFC 2034 4: where enhanced codes were announced, every reply has one."""
        if reply.enhanced is not None:
            return reply
        offered = self._now.offered
        if offered is None or not offered.enhancedstatuscodes:
            return reply
        category = reply.code // 100
        if category == 3 or isinstance(self._asked, c.Hello):
            return reply
        return replace(reply, enhanced=EnhancedCode(category, 0, 0))

    def _reply(self, reply: Reply) -> None:
        asked = self._asked
        if not self._fits(asked, reply):
            raise self._not_now(reply)
        line = self._with_code(reply).write()
        if self._ended is None:
            self._write(line)
            if isinstance(asked, c.Data) and reply.code == 354:
                self._begin(None)
            else:
                self._decided(asked, reply.ok, reply)
            return
        for _ in range(self._owed if isinstance(asked, Bad) else 1):
            self._write(line)  # a fault of the message is the refusal of all
            self._owed -= 1
        self._granted |= reply.ok
        if not self._owed:
            self._decided(self._ended, self._granted, reply)

    def _fits(self, asked: object, reply: Reply) -> bool:
        """Whether *reply* can be an answer at all."""
        if isinstance(asked, c.SmtpCommand) and asked.plain:
            return not 300 <= reply.code < 400
        match asked:
            case Bad():
                return reply.code >= 400
            case c.Ehlo() | c.Lhlo():
                return reply.code >= 400  # a good one is an EhloData
            case c.Data() if self._ended is None:
                return reply.code == 354 or reply.code >= 400
            case c.StartTls() | x.Xclient():
                return reply.code == 220 or reply.code >= 400
        return not 300 <= reply.code < 400

    def _decided(
        self, asked: c.SmtpCommand[Any] | Bad[Reply] | None, ok: bool, answer: object
    ) -> None:
        """All of the answer was said: what follows from it?"""
        sent = self._ended is not None
        self._asked = self._ended = None
        self._granted = False
        self._rounds = 0
        if not isinstance(asked, c.SmtpCommand):
            return
        if ok:
            self._now.granted(asked, answer)
        else:
            self._now.refused(asked, sent=sent)
            self._doomed |= isinstance(asked, c.Envelope | c.Content)
        if self._message is not None and self._now.state not in _IN_MESSAGE:
            self._message = None
        if asked.plain:
            return
        match asked:
            case c.StartTls() if ok:
                self._start_tls()
            case c.Auth() if not ok:
                self._login_failed()
            case c.Content() if ok and asked.ends_message:
                self._junk = 0

    # -- in --------------------------------------------------------------------

    def _fail(self, failure: RemoteProtocolError) -> None:
        super()._fail(failure)
        self._now.state = State.CLOSED

    def _read(self) -> Event | Signal | None:
        if self._await_tls:
            return None
        if self._coming is not None:
            return self._read_text(self._coming)
        if self._challenged:
            return self._read_response()
        state = self._now.state
        if state in _SILENT:
            return Closed() if state is State.CLOSED else PAUSED
        if self._asked is not None:
            return PAUSED
        line = self._take_command(self._max_line, "command")
        if line is None:
            return None
        if isinstance(line, LimitExceeded):
            event: c.SmtpCommand[Any] | Bad[Reply]
            event = self._bad(b"", no(500, "line too long", 5, 2))
        else:
            event = self._command(line)
        self._heard_command(event)
        if self._refused is not None:
            return self._read_refused()
        self._asked = event
        if type(event) in JUNK or self._doomed or self._excused:
            self._count_junk(event)
        return event

    def _command(self, line: bytes) -> c.SmtpCommand[Any] | Bad[Reply]:
        verb, _, argument = line.rstrip(b" \t").partition(b" ")
        verb = verb.upper()
        kind = self.dialect.verbs.get(verb)
        if len(line) + 2 > self.limits.command and verb != b"AUTH":
            return self._bad(line, no(500, "line too long", 5, 2))
        if kind is None:
            if verb in _OBSOLETE:
                return self._bad(line, no(502, "that is not done any more", 5, 1))
            return self._bad(line, no(500, "unknown command", 5, 2))
        try:
            command = kind.read(argument)
        except Refusal as refusal:
            hint = refusal.reply
        except UnicodeError:
            hint = no(501, "that is not the right character set", 5, 2)
        except ValueError as error:
            hint = refuse(printable(str(error))).reply
        else:
            return self._obey(line, command)
        if kind is c.Bdat:
            # How many octets follow is not known, and they are no commands.
            raise RemoteProtocolError("a malformed BDAT", hint)
        return self._bad_part(line, kind, hint)

    def _obey(
        self, line: bytes, command: c.SmtpCommand[Any]
    ) -> c.SmtpCommand[Any] | Bad[Reply]:
        refusal = self._refusal(command)
        if refusal is None and command.plain:
            return command
        if isinstance(command, c.Bdat):
            self._begin(command.size, refusal)
            self._refused = None if refusal is None else (line, refusal)
            return command
        if refusal is not None:
            return self._bad_part(line, type(command), refusal)
        if isinstance(command, c.StartTls):
            hint = no(503, "nothing may be sent behind STARTTLS", 5, 1)
            self._check_nothing_behind("STARTTLS", hint)
        return command

    def _refusal(self, command: c.SmtpCommand[Any]) -> Reply | None:
        """What the server says by itself, where the protocol leaves no choice."""
        if self.tls_demanded and type(command) not in BEFORE_TLS:
            return no(530, "start TLS first", 7, 0)
        why_not = self._now.why_not(command, tls=self.tls)
        if why_not is not None:
            return why_not
        if isinstance(command, c.Rcpt):
            if self._now.rcpts >= self.limits.recipients:
                return no(452, "too many recipients", 5, 3)
        elif isinstance(command, c.Bdat):
            chunks = self._message.chunks if self._message is not None else 0
            if chunks >= self.limits.chunks:
                return no(552, "too many chunks", 3, 4)
        elif not self.tls and command.reveals_secret and self.cleartext_refused:
            return no(538, "no password in the clear: start TLS first", 7, 11)
        return None

    def _bad(self, line: bytes, hint: Reply) -> Bad[Any]:
        try:
            return super()._bad(line, self._with_code(hint))
        except LimitExceeded as exceeded:
            exceeded.hint = no(421, "too many bad commands", 7, 0)
            raise

    def _bad_part(
        self, line: bytes, kind: type[c.SmtpCommand[Any]], hint: Reply
    ) -> Bad[Reply]:
        """The event for a command that cannot be obeyed, be it part of a transaction.

        It does not count against the client where it comes of pipelining: what was
        sent before it was refused, or there are too many recipients.
        """
        if issubclass(kind, c.Content) and kind is not c.Data:
            # Without this part, the message is not what it should be.
            self._now.refused(c.Bdat(0))
        if issubclass(kind, c.Rcpt | c.Content) and (self._doomed or hint.code == 452):
            self._excused += 1
            if self._excused <= self.limits.recipients:
                return Bad(line, self._with_code(hint))
        self._doomed |= kind is c.Mail or self.state is State.MAIL
        return self._bad(line, hint)

    def _count_junk(self, command: c.SmtpCommand[Any] | Bad[Reply]) -> None:
        if type(command) in JUNK:
            self._junk += 1
            allowed = self.limits.junk_commands
            if self._junk > allowed:
                what = "too many commands that bring no mail"
                hint = no(421, what, 7, 0)
                raise LimitExceeded("junk_commands", allowed, what, hint)
        if isinstance(command, _FRESH):
            self._doomed, self._excused = False, 0

    def _begin(self, size: int | None, refusal: Reply | None = None) -> None:
        """Some of a message comes: a chunk of *size* octets, or DATA."""
        most = self._now.offered.size if self._now.offered else None
        most = min(most or self.limits.message, self.limits.message)
        if refusal is not None:  # it is read past
            self._coming = Incoming(Newlines.KEEP, most, self.limits.discarded)
        else:
            if self._message is None:
                policy = Newlines.KEEP if self._now.binary else self.newlines
                self._message = Incoming(policy, most, self.limits.discarded)
            self._coming = self._message
        self._coming.begin(size)

    def _read_text(self, coming: Incoming) -> Event | None:
        asked = self._asked
        if not self._over:
            data, self._over = coming.take(self._in)
            last = isinstance(asked, c.Content) and asked.ends_message
            if self._over and last:
                data += coming.end()
            if data and self._refused is None:
                return Chunk(data)
            if not self._over:
                return None
        return self._end_text()

    def _end_text(self) -> Event:
        """The part that came is over."""
        asked, coming = self._asked, self._coming
        assert coming is not None
        self._over, self._coming = False, None
        if self.trace is not None:
            self._heard(b"(%d octets)" % coming.size)
        if self._refused is not None:
            line, hint = self._refused
            self._refused = None
            self._asked = self._bad_part(line, c.Bdat, hint)
            return self._asked
        assert isinstance(asked, c.Content)
        self._ended = asked
        lmtp = self.dialect.lmtp and asked.ends_message
        self._owed = self._now.accepted if lmtp else 1
        fault = coming.fault
        if fault is None:
            return _END
        self._asked = Bad(b"", self._with_code(fault))
        return self._asked

    def _read_refused(self) -> Event | None:
        assert self._coming is not None
        return self._read_text(self._coming)

    def _bad_response(self, line: bytes, why: str) -> Bad[Reply]:
        hint = no(501, why, 5, 2) if line else no(500, why, 5, 6)
        self._asked = self._bad(line, hint)
        return self._asked

    def _end(self) -> Event:
        unfinished = self._too_long or self._coming or self._asked
        if len(self._in) or unfinished is not None:
            raise RemoteProtocolError("connection closed inside a command")
        return Closed()
