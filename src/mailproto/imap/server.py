"""The server end of an IMAP conversation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from .. import sasl
from .._command import Bad, Chunk, Closed, End
from .._connection import PAUSED, Security, Signal
from .._login import Cancel, LoginServer, Response
from ..errors import LimitExceeded, LocalProtocolError, RemoteProtocolError
from . import commands as c
from . import extensions as x
from .codes import Capabilities, Code, Data
from .fetch import FetchData
from .grammar import Cursor
from .intake import Announced, Intake, announced, split_tag
from .replies import Challenge, Condition, Continue, Greeting, Reply, TaggedReply
from .responses import Exists, Expunged
from .sending import Sending
from .state import (
    BEFORE_TLS,
    IMAP4REV1,
    Dialect,
    HasProgress,
    Limits,
    Progress,
    State,
    bad,
    may_expunge,
    no,
)
from .updates import Updates
from .verbs import ImapCommand, Other, read_command

Hint: TypeAlias = TaggedReply | Reply
Said: TypeAlias = Hint | Greeting | Continue | Challenge | Data | Chunk | End


@dataclass(frozen=True, slots=True)
class Tagged:
    """Event: *command* was said, and its answer bears *tag*."""

    tag: str
    command: ImapCommand[Any]

    def masked(self) -> bytes:
        """The line as a transcript may show it: secrets are left out."""
        return self.tag.encode("ascii") + b" " + self.command.masked()

    def answer(self, reply: Reply) -> TaggedReply:
        """*reply*, for this command."""
        return TaggedReply(self.tag, reply)


Event: TypeAlias = Tagged | Response | Cancel | x.Done | Chunk | End | Bad[Any] | Closed

GO_ON: Final = Continue("Ready for additional command text")


class Server(HasProgress, LoginServer[Said, Event, Hint]):
    """Hands over commands, sends what answers them (RFC 3501).

    Greet first.  Then every command comes as ``Tagged(tag, command)``; say the data
    that answer it, untagged, and in the end ``event.answer(reply)``.  Until then
    next_event is PAUSED.  A ``Bad`` is answered like a command; its hint will do.
    What is ``Streamed(size)`` in a FetchData follows it: Chunks, and an End for each.

    *offer* is what the server can do for a client that is logged in over TLS; what is
    true now is ``capabilities``, and what that lacks is not obeyed.

    Literals are asked for here, within the limits.  The message of an Append is
    Streamed: answer it at once to refuse it, or else go on to next_event:  Chunks and
    an End follow, and the End is answered.  Where a Bad stands in the place of an End,
    forget the message.  An Idle is answered by a Continue; a Done ends it, or a Bad
    does.

    ``updates``: give it the Updates of a mailbox before you answer the Select, tell
    them what happens there, at any time, and the client is told when the protocol
    allows: with the answer to a command, or at once in IDLE (by ``send_updates``).
    """

    alpn = ("imap",)

    def __init__(
        self,
        security: Security = Security.STARTTLS,
        *,
        offer: Capabilities | None = None,
        dialect: Dialect = IMAP4REV1,
        proxied: bool = False,
        limits: Limits | None = None,
    ) -> None:
        self.limits: Final = limits or Limits()
        super().__init__(security, self.limits, proxied=proxied)
        self.dialect: Final = dialect
        self.offer = offer or Capabilities("IMAP4rev1")
        self.updates: Updates | None = None  #: of the mailbox that is selected
        self._now = Progress(dialect)
        self._intake = Intake()
        self._asked: Tagged | Bad[Any] | None = None
        self._idling = False  # the client was told to go on, and DONE has not come
        self._coming: int | None = None  # octets of a message that are to come
        self._to_ask = False  # "+" is due, if the application does not refuse
        self._nul = False  # there was a NUL among them
        self._tail = False  # the message is here, but not the end of its line
        self._said_bye = False
        self._sending: Sending | None = None  # a FetchData that is not all said

    # -- to look at ------------------------------------------------------------

    @property
    def capabilities(self) -> Capabilities:
        """What the server can do now: *offer*, as TLS and the state allow."""
        names = [name for name in self.offer if name.upper() not in _BY_ITSELF]
        if self.state in (State.GREETING, State.NOT_AUTHENTICATED):
            if self.cleartext_refused:
                names = [name for name in names if not _reveals_secret(name)]
                names.append("LOGINDISABLED")
            wanted = self.security is Security.STARTTLS or "STARTTLS" in self.offer
            if wanted and not self.tls:
                names.append("STARTTLS")
        return Capabilities(*names)

    # -- out -------------------------------------------------------------------

    def _say(self, value: Said) -> None:
        if self.state is State.LOGOUT:
            raise self._not_now(value)
        if self._sending is not None:
            self._say_text(self._sending, value)
            return
        match value:
            case Greeting():
                self._greet(value)
            case TaggedReply():
                self._answer(value)
            case Reply(condition=Condition.BYE):
                self._say_bye(value)
            case Reply() if isinstance(self._asked, Bad) and self._asked.hint is value:
                self._write_value(value)
                self._asked = None
            case Reply(condition=Condition.OK | Condition.NO | Condition.BAD):
                self._check_greeted(value)
                self._write_value(value)
            case Continue() | Challenge() | Chunk() | End():
                self._go_ahead(value)
            case _:
                self._check_data(value)
                self._write_value(value)

    def _write_value(self, value: Any) -> None:
        """Queue its lines, a body as the object that it is, or as far as it is here."""
        if isinstance(value, FetchData):
            try:
                sending = Sending(value.fragments(), None)
            except ValueError as error:
                raise LocalProtocolError(str(error)) from error
            first, *rest = sending.write()
            self._sending = None if sending.over else sending
        else:
            first, rest = value.write(), []
        # A transcript shows a line.
        shown = None if self.trace is None else first.partition(b"\r\n")[0]
        self._write(first, shown)
        self._out += rest

    def _say_text(self, sending: Sending, value: Said) -> None:
        """What follows a FetchData with a Streamed; nothing else can."""
        match value:
            case Chunk():
                sending.take(value.data)
                self._out.append(value.data)
            case End():
                self._out += sending.end()
                self._sending = None if sending.over else sending
            case _:
                raise LocalProtocolError(f"{sending.left} octets of a FETCH are due")

    def _not_now(self, value: object) -> LocalProtocolError:
        name = type(value).__name__
        if self._asked is not None:
            return LocalProtocolError(f"{name} is no answer to {self._asked!r}")
        return LocalProtocolError(f"{name}: nothing was asked in {self.state.value}")

    def _greet(self, greeting: Greeting) -> None:
        if self.state is not State.GREETING or self._await_tls:
            raise self._not_now(greeting)
        if greeting.condition is Condition.PREAUTH and self.tls_demanded:
            raise LocalProtocolError("PREAUTH leaves no way to TLS, which is demanded")
        self._write_value(greeting)
        self._now.state = _GREETED[greeting.condition]

    def _check_greeted(self, value: object) -> None:
        if self.state is State.GREETING:
            raise self._not_now(value)

    def _say_bye(self, reply: Reply) -> None:
        """RFC 3501 7.1.5.  It is the last word, but in answer to LOGOUT."""
        self._check_greeted(reply)
        self._write_value(reply)
        asked = self._asked
        if isinstance(asked, Tagged) and isinstance(asked.command, c.Logout):
            self._said_bye = True
        else:
            self._hang_up()

    def _hang_up(self) -> None:
        self._asked = self._coming = None
        self._challenged = self._idling = self._tail = False
        self._now.state = State.LOGOUT

    def _go_ahead(self, value: Continue | Challenge | Chunk | End) -> None:
        match self._asked, value:
            case Tagged(command=x.Idle()), Continue() if not self._idling:
                self._idling = True
                self._write_value(value)
                self.send_updates()
            case Tagged(command=c.Authenticate()), Challenge() if not self._challenged:
                self._challenge(value)
            case Tagged(command=c.Append()), Continue() if self._to_ask:
                self._to_ask = False
                self._write_value(value)
            case _:
                raise self._not_now(value)

    def _check_data(self, value: Any) -> None:
        """Raise LocalProtocolError for data that cannot be said now."""
        if self._said_bye:
            raise self._not_now(value)
        asked = self._asked.command if isinstance(self._asked, Tagged) else None
        if isinstance(value, Capabilities) and self.state is not State.GREETING:
            if "STARTTLS" in value and self.tls:
                raise LocalProtocolError("STARTTLS must not be offered inside of TLS")
            return
        selecting = isinstance(asked, c.Select | c.Examine)
        known = self.state in (State.AUTHENTICATED, State.SELECTED)
        if isinstance(value, Exists | Expunged) and self.updates is not None:
            raise LocalProtocolError("this is for ``updates`` to say")
        if isinstance(value, Expunged) and not self.may_expunge:
            raise LocalProtocolError("EXPUNGE cannot be said now (RFC 3501 7.4.1)")
        if value.of_messages and not selecting:
            known = self.state is State.SELECTED
        if not known and not isinstance(asked, x.Id | Other):
            raise self._not_now(value)

    @property
    def may_expunge(self) -> bool:
        """Whether EXPUNGE can be said now (RFC 3501 7.4.1)."""
        if self.state is not State.SELECTED or not isinstance(self._asked, Tagged):
            return False
        return self._coming is None and may_expunge(self._asked.command)

    def send_updates(self) -> None:
        """Tell what ``updates`` has, if the client is in IDLE.  Else it has to wait."""
        if self._idling and self._sending is None:
            self._tell()

    def _tell(self) -> None:
        if self.updates is not None:
            for update in self.updates.take(expunges=self.may_expunge):
                self._write_value(update)

    def _answer(self, answer: TaggedReply) -> None:
        asked, reply = self._asked, answer.reply
        if isinstance(asked, Bad):
            if reply.ok or answer.tag != getattr(asked.hint, "tag", ""):
                raise self._not_now(answer)
            self._write_value(answer)
            self._asked, self._rounds = None, 0
            return
        if asked is None or answer.tag != asked.tag or self._challenged:
            raise self._not_now(answer)
        if reply.ok and (self._coming is not None or self._tail):
            raise LocalProtocolError("the message has not come: wait for its End")
        self._decide(asked.command, answer)

    def _decide(self, command: ImapCommand[Any], answer: TaggedReply) -> None:
        """All of the answer is said: what follows from it?"""
        reply = answer.reply
        if isinstance(command, c.Select | c.Examine) and not reply.ok:
            self.updates = None
        if not isinstance(command, c.Logout) or not reply.ok:
            self._tell()
        elif not self._said_bye:
            self._write_value(Reply(Condition.BYE, "logging out"))
        self._write_value(answer)
        self._asked = None
        self._idling, self._rounds = False, 0
        if self._to_ask:  # it was refused before it was sent
            self._to_ask, self._coming = False, None
        if reply.ok:
            self._now.granted(command, reply)
        else:
            self._now.refused(command)
        if self.state is not State.SELECTED:
            self.updates = None
        match command:
            case c.StartTls() if reply.ok:
                self._start_tls()
            case c.Login() | c.Authenticate() if not reply.ok:
                self._login_failed()

    # -- in --------------------------------------------------------------------

    def _fail(self, failure: RemoteProtocolError) -> None:
        super()._fail(failure)
        self._now.state = State.LOGOUT

    def _read(self) -> Event | Signal | None:
        while not self._await_tls:
            if self._sending is not None:  # nothing can be said amid a literal
                return PAUSED
            if self._coming is not None or self._tail:
                event: Any = self._read_message()
            elif self._challenged:
                event = self._read_response()
            elif self._idling:
                event = self._read_done()
            elif self.state is State.LOGOUT:
                return Closed()
            elif self._asked is not None or self.state is State.GREETING:
                return PAUSED
            else:
                event = self._read_command()
            if event is not GO_ON:
                found: Event | None = event
                return found
        return None

    def _read_command(self) -> Event | None:
        """Take lines and literals, until a command is whole or its message begins."""
        while True:
            intake = self._intake
            if intake.left:
                data = self._in.take(min(intake.left, _PIECE))
                if not data:
                    return None
                intake.left -= len(data)
                intake.add(data)
                continue
            line = self._take_line()
            if line is None:
                return None
            event = self._read_line(intake, line)
            if event is not None:
                return event

    def _take_line(self) -> bytes | None:
        """The next line; one that is too long is the end.

        It might announce a literal, whose octets would then be read as commands.
        """
        name = self._limit("command")
        line = self._take_command(getattr(self.limits, name), name)
        if isinstance(line, LimitExceeded):
            line.hint = Reply(Condition.BYE, "line too long", Code("TOOBIG"))
            raise line
        return line

    def _limit(self, name: str) -> str:
        """Which limit of that name it is: there are others before the log-in."""
        before = self.state is State.NOT_AUTHENTICATED
        return name + "_before_login" * before

    def _read_line(self, intake: Intake, line: bytes) -> Event | None:
        next_ = announced(line)
        if not intake:
            intake.size = 1  # something has come, be it an empty line
            found = split_tag(line, self.limits.tag)
            if found is None:
                intake.spoil(bad("a tag and a command are expected"))
            else:
                intake.tag, line = found
                if not self._knows(line):
                    intake.spoil(bad("unknown command"))
        intake.add(line)
        if intake.size > self.limits.arguments:
            intake.spoil(no("too long a command", Code("TOOBIG")))
        if next_ is None:
            return self._read_whole(intake)
        intake.literals += 1
        intake.add(b"\r\n")
        if intake.spoiled is None:
            why_not = self._literal_refusal(intake, next_)
            if why_not is not None:
                intake.spoil(why_not)
            else:
                event = self._read_append(intake, next_)
                if event is not None:
                    return event
                self._check_literal(intake, next_)
        if intake.spoiled is not None:
            if next_.asked:  # it is not sent, and with it nothing more of the command
                return self._read_whole(intake)
            if intake.size + next_.size > self.limits.discarded:
                hint = Reply(Condition.BYE, "too long a literal", Code("TOOBIG"))
                raise LimitExceeded(
                    "discarded", self.limits.discarded, "a literal too long", hint
                )
        elif next_.asked:
            self._write_value(GO_ON)
        intake.left = next_.size
        return None

    def _knows(self, line: bytes) -> bool:
        """Whether *line* begins with a verb; no literal is asked for without one."""
        words = line.upper().split(b" ", 2)
        verb = b" ".join(words[:2]) if words[0] == b"UID" else words[0]
        return verb in self.dialect.verbs

    def _literal_refusal(self, intake: Intake, next_: Announced) -> Reply | None:
        """Why no literal can come here, whatever it is for."""
        if intake.literals > getattr(self.limits, self._limit("literals")):
            return bad("too many literals in one command")
        known = self.capabilities
        if next_.asked or "LITERAL+" in known:
            return None
        if "LITERAL-" not in known:
            return bad("a literal that nobody asked for")
        if next_.size > 4096:
            return bad("too long for LITERAL- (RFC 7888 5)", Code("TOOBIG"))
        return None

    def _check_literal(self, intake: Intake, next_: Announced) -> None:
        """Spoil the command if its literal is too long to be kept."""
        most: int = getattr(self.limits, self._limit("literal"))
        if next_.size > most or intake.size + next_.size > self.limits.arguments:
            intake.spoil(no("too long a literal", Code("TOOBIG")))

    def _read_append(self, intake: Intake, next_: Announced) -> Event | None:
        """The event for an APPEND whose message comes now, if it is one."""
        data = intake.data
        if data[:7].upper() != b"APPEND ":
            return None
        try:
            command = read_command(Cursor(data, holes=(len(data),)), self.dialect.verbs)
        except ValueError:
            return None  # the literal is a mailbox name, or the rest is nonsense
        refusal = self._refusal(command)
        if refusal is None and next_.size > self.limits.append:
            refusal = no("too large a message", Code("TOOBIG"))
        if refusal is not None:
            intake.spoil(refusal)
            return None
        assert intake.tag is not None
        self._coming, self._to_ask, self._nul = next_.size, next_.asked, False
        self._intake = Intake()
        self._asked = Tagged(intake.tag, command)
        self._heard_command(self._asked)
        return self._asked

    def _read_whole(self, intake: Intake) -> Event:
        self._intake = Intake()
        tag, refusal = intake.tag, intake.spoiled
        if tag is None or refusal is not None:
            return self._refuse(b"", tag, refusal)
        data = intake.data
        try:
            command = read_command(Cursor(data), self.dialect.verbs)
        except ValueError as error:
            reason = getattr(error, "reason", str(error))
            return self._refuse(data, tag, bad(reason))
        refusal = self._refusal(command)
        if refusal is not None:
            return self._refuse(data, tag, refusal)
        if isinstance(command, c.StartTls):
            hint = Reply(Condition.BYE, "nothing may be sent behind STARTTLS")
            self._check_nothing_behind("STARTTLS", hint)
        self._asked = Tagged(tag, command)
        self._heard_command(self._asked)
        return self._asked

    def _refuse(self, data: bytes, tag: str | None, why: Reply | None) -> Bad[Any]:
        """The event for what cannot be obeyed."""
        assert why is not None
        self._heard(b"(no command)")
        hint = why if tag is None else TaggedReply(tag, why)
        try:
            self._asked = self._bad(data, hint)
        except LimitExceeded as exceeded:
            exceeded.hint = Reply(Condition.BYE, "too many bad commands")
            raise
        return self._asked

    def _refusal(self, command: ImapCommand[Any]) -> Reply | None:
        """What the server says by itself, where the protocol leaves no choice."""
        self._now.offered = self.capabilities
        if self.tls_demanded and type(command) not in BEFORE_TLS:
            return no("start TLS first", Code("PRIVACYREQUIRED"))
        before = self.state is State.NOT_AUTHENTICATED
        if before and self.cleartext_refused and command.reveals_secret:
            what = "no password in the clear: start TLS first"
            return no(what, Code("PRIVACYREQUIRED"))
        return self._now.why_not(command, tls=self.tls)

    def _read_message(self) -> Event | Continue | None:
        """Some of the message of an APPEND, or its end; GO_ON: nothing to tell."""
        if self._to_ask:  # nobody has refused it
            self._to_ask = False
            self._write_value(GO_ON)
        while self._coming:
            data = self._in.take(min(self._coming, _PIECE))
            if not data:
                return None
            self._coming -= len(data)
            if self._asked is not None and not self._nul:
                before, nul, _ = data.partition(b"\0")
                self._nul = bool(nul)
                if before:
                    return Chunk(before)
        self._coming, self._tail = None, True
        line = self._take_line()
        if line is None:
            return None
        self._tail = False
        self._check_ended(line)
        if not isinstance(self._asked, Tagged):
            return GO_ON  # it was refused meanwhile: go on
        if line:
            return self._refuse(line, self._asked.tag, bad("one message at a time"))
        if self._nul:
            why = no("a message must not hold NUL (RFC 3501 9, CHAR8)")
            return self._refuse(line, self._asked.tag, why)
        return End()

    def _check_ended(self, line: bytes) -> None:
        """Raise RemoteProtocolError if octets follow that nobody could tell apart."""
        next_ = announced(line)
        if next_ is not None and not next_.asked:
            hint = Reply(Condition.BYE, "no literal can come here")
            raise RemoteProtocolError("a literal out of place", hint)

    def _read_done(self) -> Event | None:
        line = self._take_line()
        if line is None:
            return None
        self._check_ended(line)
        self._idling = False
        try:
            done = x.Done.read(line)
        except ValueError:
            assert isinstance(self._asked, Tagged)
            return self._refuse(line, self._asked.tag, bad("DONE is expected"))
        self._heard(line)
        return done

    def _bad_response(self, line: bytes, why: str) -> Bad[Any]:
        assert isinstance(self._asked, Tagged)
        return self._refuse(line, self._asked.tag, bad(why))

    def _end(self) -> Event:
        unfinished = self._intake or self._asked or self._tail or self._too_long
        if len(self._in) or unfinished or self._coming is not None:
            raise RemoteProtocolError("connection closed inside a command")
        return Closed()


_PIECE: Final = 65_536  # octets of one Chunk
_BY_ITSELF: Final = frozenset({"STARTTLS", "LOGINDISABLED"})
_GREETED: Final = {
    Condition.OK: State.NOT_AUTHENTICATED,
    Condition.PREAUTH: State.AUTHENTICATED,
    Condition.BYE: State.LOGOUT,
}


def _reveals_secret(capability: str) -> bool:
    """Whether it is that of a mechanism by which the password can be read."""
    name = capability.upper()
    return name.startswith("AUTH=") and sasl.reveals_secret(name[5:])
