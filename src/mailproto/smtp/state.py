"""Who may say what, when.  The whole of it, for both roles.

              220          EHLO, HELO, LHLO
    GREETING ------> START ----------------> READY <------------------------+
        |                                    |   ^                          |
        | 554, 521                      MAIL |   | RSET, EHLO               |
        v                                    v   |                          |
     REFUSED                                MAIL-+                          |
                                             |                              |
                 QUIT, 421                   |                              |
      CLOSED <-- from everywhere             |                              |
                                        RCPT |   DATA, and the message:     |
                                             v   accepted or not            |
                                            RCPT -------------------------->+
                                             |                              |
                                        BDAT |   BDAT LAST                  |
                                             v                              |
                                           CHUNKS ------------------------->+
                                             |
                                             | BDAT is refused
                                             v
                                           FAILED  until RSET, EHLO

RFC 5321 4.1.4 is an order of commands rather than a machine: a session begins with
EHLO; MAIL begins a transaction, RCPT goes on with it, DATA ends it; NOOP, HELP, EXPN,
VRFY and RSET can be said at any time, even before EHLO.  START is where a connection
begins and where STARTTLS and XCLIENT lead back to; READY is between transactions.  In
MAIL a transaction has no recipient yet; in RCPT it has one that was accepted.  Whoever
refuses by the greeting "MUST still wait for the client to send a QUIT" (3.1): REFUSED.

DATA is answered twice.  The state moves with the second answer, for better or worse:
"if the processing fails, ... the buffers are cleared" (4.1.1.4).  When it is refused
at once, the transaction goes on.  BDAT is answered once a chunk, and after a refusal
"the resulting state is indeterminate; a RSET command must be issued" (RFC 3030 2): that
is FAILED.  DATA does not mix with BDAT in one transaction: there is no row for it.

In LMTP, LHLO stands for EHLO and HELO, and the end of a message is answered once for
each recipient that was accepted (RFC 2033 4.2).  The table is the same.

421 is no answer to a command, even where it stands in the place of one: whoever says
it hangs up, so it leads to CLOSED from everywhere.  After ATRN, client and server are
exchanged: the conversation of these two machines is over (TURNED), and two others go on
with the connection.

What depends on more than the state (what EHLO announced, TLS, an earlier log-in, the
transaction's parameters) is in ``Progress.why_not``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any, Final, TypeVar

from .. import _connection
from . import commands as c
from . import extensions as x
from .grammar import Mailbox
from .parameters import Body, BodyType, By, HoldFor, RequireTls, SmtpUtf8
from .responses import EhloData, EnhancedCode, Reply


class State(Enum):
    """Where a session stands; see the module's docstring."""

    __hash__ = object.__hash__  # the one of Enum is written in Python

    GREETING = "GREETING"
    REFUSED = "REFUSED, where QUIT is due"
    START = "START, where EHLO is due"
    READY = "READY, outside of a transaction"
    MAIL = "MAIL, without a recipient"
    RCPT = "RCPT"
    CHUNKS = "CHUNKS, within a message"
    FAILED = "FAILED, where RSET is due"
    TURNED = "TURNED"  #: RFC 2645 5.3
    CLOSED = "CLOSED"


R = TypeVar("R")
# Python 3.11 takes long to look a member up in its Enum.
_MAIL, _RCPT, _BINARY = State.MAIL, State.RCPT, BodyType.BINARYMIME
IN_TRANSACTION: Final = (State.MAIL, State.RCPT, State.CHUNKS)

Command = type[c.SmtpCommand[Any]]
Table = Mapping[tuple[State, Command], State]

_OPEN = (
    State.START,
    State.READY,
    State.MAIL,
    State.RCPT,
    State.CHUNKS,
    State.FAILED,
)


def _table(hellos: Iterable[Command]) -> Table:
    """(state, command granted in it) -> next state.  No row: it cannot be said."""
    anywhere: dict[tuple[State, Command], State] = {}
    for state in _OPEN:
        for asked in (c.Noop, c.Help, c.Vrfy, c.Expn):
            anywhere[state, asked] = state
        for kind in hellos:
            anywhere[state, kind] = State.READY
        anywhere[state, c.Rset] = State.START if state is State.START else State.READY
        anywhere[state, c.Quit] = State.CLOSED
    return {
        **anywhere,
        (State.REFUSED, c.Quit): State.CLOSED,
        (State.READY, c.StartTls): State.START,
        (State.READY, c.Auth): State.READY,
        (State.READY, x.Etrn): State.READY,
        (State.READY, x.Atrn): State.TURNED,
        (State.READY, x.Xclient): State.START,
        (State.READY, x.Xforward): State.READY,
        (State.READY, c.Mail): State.MAIL,
        (State.MAIL, c.Rcpt): State.RCPT,
        (State.RCPT, c.Rcpt): State.RCPT,
        (State.RCPT, c.Data): State.READY,
        (State.RCPT, c.Bdat): State.CHUNKS,
        (State.RCPT, x.Burl): State.CHUNKS,
        (State.CHUNKS, c.Bdat): State.CHUNKS,
        (State.CHUNKS, x.Burl): State.CHUNKS,
    }


_NOTHING: Final = EhloData("")

# RFC 3207 4: what a server that demands TLS obeys without it.
BEFORE_TLS: Final = frozenset({c.Ehlo, c.Lhlo, c.Noop, c.StartTls, c.Quit})

# What costs a server time and brings no mail: it counts them (Postfix does, too).
JUNK: Final = frozenset(
    {c.Ehlo, c.Helo, c.Lhlo, c.Noop, c.Help, c.Vrfy, c.Expn, c.Rset, x.Etrn}
    | {x.Xclient, x.Xforward}
)


def no(code: int, text: str, subject: int, detail: int) -> Reply:
    """A refusal, its enhanced code of the same class."""
    return Reply(code, text, EnhancedCode(code // 100, subject, detail))


@dataclass(slots=True)
class Progress:
    """How far a conversation has come: its state, and what else was agreed upon.

    A server has one.  A client has two: one by what has been answered, and one that
    takes all that is on its way for granted.
    """

    dialect: Dialect
    state: State = State.GREETING
    offered: EhloData | None = None  #: by the last EHLO, if it is still true
    limited: bool = False  #: whether LIMITS are among that (RFC 9422)
    authenticated: bool = False
    smtputf8: bool = False  #: of this transaction
    binary: bool = False  #: of this transaction
    mails: int = 0  #: MAILs of this session
    rcpts: int = 0  #: RCPTs of this transaction, refused or not
    accepted: int = 0  #: recipients of this transaction
    domains: frozenset[str] = frozenset()  #: of recipients, if they are limited

    @property
    def moves(self) -> Mapping[State, Mapping[Command, State]]:
        """The table for commands that do nothing besides, to a client."""
        return {} if self.limited or self.dialect.lmtp else self.dialect.moves

    def copy(self) -> Progress:
        return replace(self)

    def granted(self, command: c.SmtpCommand[Any], answer: object = None) -> None:
        """*command* was answered well, or is taken to be."""
        kind = type(command)
        dialect = self.dialect
        self.state = dialect.table.get((self.state, kind), self.state)
        effect = dialect.effects.get(kind)
        if effect is not None:
            effect(self, command, answer)

    def _hello(self, command: c.Hello[Any], answer: object) -> None:
        self.offered = answer if isinstance(answer, EhloData) else None
        self.limited = self.offered is not None and bool(self.offered.limits)

    def _log_in(self, command: c.Auth, answer: object) -> None:
        self.authenticated = True

    def forget(self, *_: object) -> None:
        """All is as if the connection had just begun (RFC 3207 4.2)."""
        self.state, self.offered, self.authenticated = State.START, None, False
        self.limited = False

    def _begin(self, command: c.Mail, answer: object) -> None:
        if self.state is not _MAIL:
            return
        self.mails += 1
        self.rcpts = self.accepted = 0
        self.domains = frozenset()
        self.smtputf8 = self.binary = False
        for parameter in command.parameters:
            if isinstance(parameter, SmtpUtf8):
                self.smtputf8 = True
            elif isinstance(parameter, Body):
                self.binary = parameter.type is _BINARY

    def _add(self, command: c.Rcpt, answer: object) -> None:
        if self.state is _RCPT:
            self.accepted += 1
            self.rcpts += 1
            if self.limited:
                self.domains |= _domain(command)

    def _end(self, command: c.Bdat | x.Burl, answer: object) -> None:
        if self.state is State.CHUNKS and command.ends_message:
            self.state = State.READY

    def refused(self, command: c.SmtpCommand[Any], *, sent: bool = False) -> None:
        """*command* was refused; *sent*: the message of DATA had been sent."""
        match command:
            case c.Quit():  # there is no staying
                self.state = State.CLOSED
            case c.Mail():
                self.mails += 1
            case c.Rcpt():
                self.rcpts += 1
                if self.limited:
                    self.domains |= _domain(command)
            case c.Data() if sent and self.state is State.RCPT:
                self.state = State.READY
            case c.Data():
                pass
            case c.Content() if self.state in (State.RCPT, State.CHUNKS):
                self.state = State.FAILED

    # -- what more than the state decides --------------------------------------

    def why_not(self, command: c.SmtpCommand[Any], *, tls: bool) -> Reply | None:
        """The Reply that says why *command* cannot be said now, if it cannot."""
        kind = type(command)
        if (self.state, kind) not in self.dialect.table:
            name = command.verb.decode("ascii")
            return no(503, f"{name} cannot be said in {self.state.value}", 5, 1)
        extension = command.extension
        if extension is not None and extension not in (self.offered or ()):
            return no(502, f"{extension} is not offered here", 5, 1)
        objection = self.dialect.objections.get(kind)
        return None if objection is None else objection(self, command, tls)

    def _why_not_data(self, command: c.Data, tls: bool) -> Reply | None:
        if self.binary:
            return no(503, "BODY=BINARYMIME needs BDAT (RFC 3030 3)", 5, 1)
        return None

    def _why_not_tls(self, command: c.StartTls, tls: bool) -> Reply | None:
        return no(503, "TLS is there already", 5, 1) if tls else None

    def _why_not_turn(self, command: x.Atrn, tls: bool) -> Reply | None:
        return None if self.authenticated else no(530, "authentication required", 7, 0)

    def _why_not_query(self, command: c.Query, tls: bool) -> Reply | None:
        if command.smtputf8 and "SMTPUTF8" not in (self.offered or ()):
            return no(504, "SMTPUTF8 is not offered here", 5, 4)
        return None

    def why_not_parameters(self, command: c.Envelope) -> Reply | None:
        """The Reply that says why its parameters cannot be said, if so."""
        offered = self.offered if self.offered is not None else _NOTHING
        for parameter in command.parameters:
            why_not = parameter.why_not(offered)
            if why_not is not None:
                return why_not
        return None

    def _why_not_mail(self, command: c.Mail, tls: bool) -> Reply | None:
        if command.parameters and not tls and command.get(RequireTls) is not None:
            return no(530, "REQUIRETLS needs TLS (RFC 8689 4.1)", 7, 0)
        if self.limited and self.offered is not None:
            most = self.offered.limit("MAILMAX")
            if most is not None and self.mails >= most:
                return no(452, f"only {most} messages in one session", 5, 3)
        if not command.parameters:
            return None
        hold, by = command.get(HoldFor), command.get(By)
        if hold is not None and by is not None and hold.seconds > by.seconds:
            return no(501, "HOLDFOR is longer than BY (RFC 4865 5.2)", 5, 4)
        return self.why_not_parameters(command)

    def _why_not_rcpt(self, command: c.Rcpt, tls: bool) -> Reply | None:
        if not self.smtputf8 and not command.isascii():
            return no(553, "an address that is not ASCII needs SMTPUTF8", 6, 7)
        if self.limited and self.offered is not None:
            most = self.offered.limit("RCPTMAX")
            if most is not None and self.rcpts >= most:
                return no(452, f"only {most} recipients at once", 5, 3)
            most = self.offered.limit("RCPTDOMAINMAX")
            if most is not None and len(self.domains | _domain(command)) > most:
                return no(452, f"recipients of only {most} domains", 5, 3)
        return self.why_not_parameters(command) if command.parameters else None

    def _why_not_auth(self, command: c.Auth, tls: bool) -> Reply | None:
        if self.authenticated:
            return no(503, "AUTH can be said once (RFC 4954 4)", 5, 1)
        if self.offered is None or command.mechanism not in self.offered.sasl:
            return no(504, "that mechanism is not offered here", 5, 4)
        return None

    def _why_not_attributes(self, command: x.Attributes, tls: bool) -> Reply | None:
        assert self.offered is not None
        xclient = isinstance(command, x.Xclient)
        known = self.offered.xclient if xclient else self.offered.xforward
        if known.issuperset(name for name, _ in command.attributes):
            return None
        return no(501, "an attribute that is not offered here", 5, 4)


# What a command does besides moving the state, and what may stand against it besides
# that: by its class, or the nearest of its bases that is here.
_EFFECTS: Final[dict[type, Callable[[Progress, Any, object], None]]] = {
    c.Hello: Progress._hello,
    c.StartTls: Progress.forget,
    x.Xclient: Progress.forget,
    c.Auth: Progress._log_in,
    c.Mail: Progress._begin,
    c.Rcpt: Progress._add,
    c.Bdat: Progress._end,
    x.Burl: Progress._end,
}
_OBJECTIONS: Final[dict[type, Callable[[Progress, Any, bool], Reply | None]]] = {
    c.Mail: Progress._why_not_mail,
    c.Rcpt: Progress._why_not_rcpt,
    c.Data: Progress._why_not_data,
    c.StartTls: Progress._why_not_tls,
    c.Auth: Progress._why_not_auth,
    c.Query: Progress._why_not_query,
    x.Atrn: Progress._why_not_turn,
    x.Attributes: Progress._why_not_attributes,
}


def _by_kind(rules: dict[type, R], kinds: Iterable[type]) -> dict[type, R]:
    return {
        kind: next(rules[base] for base in kind.__mro__ if base in rules)
        for kind in kinds
        if not rules.keys().isdisjoint(kind.__mro__)
    }


def _domain(command: c.Rcpt) -> frozenset[str]:
    if "@" not in command.recipient:
        return frozenset()
    return frozenset({Mailbox.read(command.recipient).domain.lower()})


class Dialect:
    """A set of verbs with their table: ``SMTP`` or ``LMTP``, or either with more.

    >>> SMTP.extended({(State.READY, Turn): State.TURNED})
    """

    def __init__(self, table: Table, *, lmtp: bool = False) -> None:
        self.table: Final = dict(table)
        self.verbs: Final = {kind.verb: kind for _, kind in table}
        self.effects: Final = _by_kind(_EFFECTS, self.verbs.values())
        self.objections: Final = _by_kind(_OBJECTIONS, self.verbs.values())
        #: where there is no effect but to count, for LIMITS or for LMTP, by state
        self.moves: Final[dict[State, dict[Command, State]]] = {}
        for (state, kind), after in table.items():
            if kind.plain and (kind is c.Rcpt or kind not in self.effects):
                self.moves.setdefault(state, {})[kind] = after
        #: whether a message is answered once for each recipient
        self.lmtp: Final = lmtp

    def extended(self, rows: Table) -> Dialect:
        """The same with more verbs, or with other classes for the same verbs."""
        return Dialect({**self.table, **rows}, lmtp=self.lmtp)


SMTP: Final = Dialect(_table((c.Ehlo, c.Helo)))
LMTP: Final = Dialect(_table((c.Lhlo,)), lmtp=True)


class HasProgress:
    """Either end of a conversation, to look at."""

    _now: Progress

    @property
    def state(self) -> State:
        """By what has been answered."""
        return self._now.state

    @property
    def capabilities(self) -> EhloData | None:
        """What the last EHLO told, while it is true; ``None``: it was not said yet."""
        return self._now.offered

    @property
    def authenticated(self) -> bool:
        """Whether a log-in was granted."""
        return self._now.authenticated


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits(_connection.Limits):
    """How much an SMTP peer may ask of us."""

    #: server: octets of a command line, CRLF included, but for AUTH (Postfix: 2048)
    command: int = c.MAX_COMMAND
    #: server: recipients of one message (RFC 5321 4.5.3.1.8: not below 100)
    recipients: int = 1000
    #: server: octets of one message (35 MiB); what EHLO announces may be less
    message: int = 36_700_160
    #: server: BDATs of one message
    chunks: int = 10_000
    #: server: NOOPs, RSETs, VRFYs ... between two messages (Postfix: 100)
    junk_commands: int = 100
    #: client: lines of one reply
    reply_lines: int = 200
    #: client: octets of one reply
    reply: int = 65_536
