"""Who may say what, when.  The whole of it, for both roles.

              * OK                    LOGIN, AUTHENTICATE
    GREETING ------> NOT_AUTHENTICATED ------> AUTHENTICATED <----------+
      |  |                 |    ^                ^  |   ^               |
      |  |        STARTTLS |    |                |  |   | any but       | CLOSE,
      |  |                 +----+                |  |   | SELECT        | UNSELECT;
      |  |                                       |  |   +--+            | SELECT or
      |  +---------------------------------------+  |      |            | EXAMINE that
      |              * PREAUTH                      +------+            | is refused
      |                                             |                   |
      |                             SELECT, EXAMINE |                   |
      | * BYE                                       v                   |
      v                                          SELECTED --------------+
    LOGOUT <--- LOGOUT, * BYE                       |  ^
                from everywhere                     +--+ SELECT, EXAMINE, all others

That is RFC 3501 3, and it is a table of (state, command): what has no row cannot be
said.  A granted command leads to the state in its row.  A refused one changes nothing,
but for SELECT and EXAMINE: they leave the mailbox that was selected before they try
the new one (6.3.1), so that a refusal leads to AUTHENTICATED.

What depends on more than the state: what CAPABILITY announced (an extension, a SASL
mechanism, LOGINDISABLED), and TLS.  That is ``Progress.why_not``.

Several commands may be on their way at once, unless an answer could then be understood
in two ways (5.5).  That is data, too: each kind of command *needs* something to stay
as it is, and *changes* something else (``Effect``), and it must wait for a command
before it that changes what it needs:

    FETCH 1, NOOP, STORE 1     NOOP may bring an EXPUNGE, which shifts the numbers
    STORE 1 +FLAGS, FETCH 1    the flags before, or after?
    CREATE a, SELECT a         is there an a yet?
    SELECT a, UID FETCH 1      in which mailbox?
    SEARCH, SEARCH             whose are the numbers that come?

Between a SELECT and its answer nothing else is on its way that is about messages: so
all data that come then are of the new mailbox, but for news of the old one that
crossed it.

``conflict`` finds it.  Log-ins, STARTTLS, IDLE, ENABLE and LOGOUT go alone: what comes
behind them depends on their outcome, or cannot come at all.  A command whose literal
waits to be asked for holds up all others (5.5: "MUST be negotiated before any
subsequent command is initiated"); that is the client's business, for it hangs on what
was written.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum, Flag, auto
from typing import Any, Final, TypeAlias

from .. import _connection
from . import commands as c
from . import extensions as x
from . import messages as m
from .codes import Capabilities, Code
from .replies import Condition, Reply
from .search import Messages
from .sets import NumberSet
from .verbs import ImapCommand, Other, verbs_of


class State(Enum):
    """Where a session stands; see the module's docstring."""

    GREETING = "GREETING"
    NOT_AUTHENTICATED = "NOT AUTHENTICATED"
    AUTHENTICATED = "AUTHENTICATED"
    SELECTED = "SELECTED"
    LOGOUT = "LOGOUT"


Command = ImapCommand[Any]
Kind = type[Command]
Table = Mapping[tuple[State, Kind], State]

_ANYWHERE: Final[tuple[Kind, ...]] = (c.Capability, c.Noop, x.Id, Other)
_WITH_NAMES: Final[tuple[Kind, ...]] = (
    c.Create, c.Delete, c.Rename, c.Subscribe, c.Unsubscribe, c.List, c.Lsub, c.Status,
    c.Append, x.Namespace, x.Idle,
)  # fmt: skip
_WITH_MESSAGES: Final[tuple[Kind, ...]] = (
    m.Check, m.Expunge, m.Search, m.Fetch, m.Store, m.Copy, x.Move,
)  # fmt: skip


def _table() -> Table:
    """(state, command granted in it) -> next state.  No row: it cannot be said."""
    rows: dict[tuple[State, Kind], State] = {}
    before, after = State.NOT_AUTHENTICATED, State.AUTHENTICATED
    selected = State.SELECTED
    for state in (before, after, selected):
        rows[state, c.Logout] = State.LOGOUT
        rows.update({(state, kind): state for kind in _ANYWHERE})
    rows[before, c.StartTls] = before
    rows[before, c.Login] = rows[before, c.Authenticate] = after
    rows[after, x.Enable] = after  # RFC 5161 3.1: before a mailbox is selected
    for state in (after, selected):
        rows[state, c.Select] = rows[state, c.Examine] = selected
        rows.update({(state, kind): state for kind in _WITH_NAMES})
    rows.update({(selected, kind): selected for kind in _WITH_MESSAGES})
    rows[selected, m.Close] = rows[selected, x.Unselect] = after
    return rows


class Dialect:
    """A set of verbs with their table: ``IMAP4REV1``, or that with more.

    >>> IMAP4REV1.extended({(State.AUTHENTICATED, GetQuota): State.AUTHENTICATED})
    """

    def __init__(self, table: Table) -> None:
        self.table: Final = dict(table)
        kinds = dict.fromkeys(kind for _, kind in table if kind is not Other)
        self.verbs: Final = verbs_of(*kinds)

    def extended(self, rows: Table) -> Dialect:
        """The same with more verbs, or with other classes for the same verbs."""
        return Dialect({**self.table, **rows})


IMAP4REV1: Final = Dialect(_table())

# RFC 3501 6.2.1: what may be said where TLS is demanded and not there.
BEFORE_TLS: Final[frozenset[type[object]]] = frozenset(
    {c.Capability, c.Noop, c.StartTls, c.Logout, x.Id}
)

# Nothing else is on its way together with these.
ALONE: Final[frozenset[Kind]] = frozenset(
    {c.StartTls, c.Authenticate, c.Login, c.Logout, x.Idle, x.Enable}
)


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a command can be sent now.  It is true if it can.

    *wait* says why it would be held until something else is over, *no* why it would be
    refused.
    """

    wait: str | None = None
    no: str | None = None

    def __bool__(self) -> bool:
        return self.wait is None and self.no is None


# -- several commands at once ----------------------------------------------------


class Effect(Flag):
    """What a command changes, or needs to stay as it is (RFC 3501 5.5)."""

    NOTHING = 0
    NUMBERS = auto()  #: which message has which number
    FLAGS = auto()  #: of messages
    SELECTION = auto()  #: which mailbox is selected
    NAMES = auto()  #: which mailboxes there are


def _effects() -> Mapping[Kind, tuple[Effect, Effect]]:
    """(needs, changes); message numbers and flags come by the arguments."""
    nothing, names, selection = Effect.NOTHING, Effect.NAMES, Effect.SELECTION
    groups: list[tuple[Effect, Effect, tuple[Kind, ...]]] = [
        (names | selection, selection, (c.Select, c.Examine)),
        (selection, selection, (m.Close, x.Unselect)),
        (nothing, names, (c.Create, c.Subscribe, c.Unsubscribe)),
        (names, names, (c.Delete, c.Rename)),
        (names, nothing, (c.List, c.Lsub, c.Status, c.Append)),
        (names | selection, nothing, (m.Copy, x.Move)),
        (selection, nothing, (m.Check, m.Expunge, m.Search, m.Fetch, m.Store)),
    ]
    return {kind: (needs, may) for needs, may, kinds in groups for kind in kinds}


_EFFECTS: Final = _effects()

# Their answers do not say which question they answer.
_ALIKE: Final[frozenset[Kind]] = frozenset({m.Search, c.List, c.Lsub})

_WHY: Final = {
    Effect.NUMBERS: "an EXPUNGE may come of {}, and shift the message numbers",
    Effect.FLAGS: "{} is about flags of the same messages",
    Effect.SELECTION: "{} changes which mailbox is selected",
    Effect.NAMES: "{} changes which mailboxes there are",
}

_READS_FLAGS: Final = frozenset({"FLAGS", "ALL", "FAST", "FULL"})
_SETS_SEEN: Final = frozenset({"BODY", "BINARY", "RFC822", "RFC822.TEXT"})


def name_of(command: Command) -> str:
    """The verb, as people know it."""
    if isinstance(command, Other):
        return command.name
    return ("UID " if command.by_uid else "") + command.verb.decode("ascii")


def may_expunge(command: Command) -> bool:
    """Whether EXPUNGE may come while *command* is in progress (RFC 3501 7.4.1).

    UID FETCH, UID STORE and UID SEARCH "are different commands".
    """
    return command.by_uid or not isinstance(command, m.Fetch | m.Store | m.Search)


def uses_numbers(command: Command) -> bool:
    """Whether it names messages by their numbers."""
    if isinstance(command, m.OnMessages):
        return not command.by_uid
    keys = list(command.keys) if isinstance(command, m.Search) else []
    for key in keys:  # grows
        if isinstance(key, Messages):
            return True
        keys += key.keys
    return False


def _flags(command: Command) -> tuple[bool, bool]:
    """Whether it reads flags of messages, and whether it changes some."""
    if isinstance(command, m.Store):
        return True, True
    if not isinstance(command, m.Fetch):
        return False, False
    seen = any(
        item.name in _SETS_SEEN and (item.section is not None or item.name != "BODY")
        for item in command.items
    )
    return any(item.name in _READS_FLAGS for item in command.items), seen


def effects(command: Command) -> tuple[Effect, Effect]:
    """What *command* needs to stay as it is, and what it changes."""
    nothing = (Effect.NOTHING, Effect.NOTHING)
    needs, changes = _EFFECTS.get(type(command), nothing)
    reads, sets = _flags(command)
    if uses_numbers(command):
        needs |= Effect.NUMBERS
    if may_expunge(command):
        changes |= Effect.NUMBERS
    if reads:
        needs |= Effect.FLAGS
    if sets:
        changes |= Effect.FLAGS
    return needs, changes


def conflict(earlier: Command, later: Command) -> str | None:
    """Why *later* must wait until *earlier* is over, if it must (RFC 3501 5.5)."""
    for command in (earlier, later):
        if type(command) in ALONE:
            return f"{name_of(command)} goes alone"
    needed, changed = effects(earlier)
    needs, changes = effects(later)
    clash = needs & changed
    clash |= (needed | changed) & changes & (Effect.FLAGS | Effect.SELECTION)
    if Effect.FLAGS in clash and _are_apart(earlier, later):
        clash &= ~Effect.FLAGS
    for effect in clash:
        return _WHY[effect].format(name_of(earlier))
    if type(later) in _ALIKE and type(earlier) is type(later):
        return f"its answer would look like the one to the {name_of(earlier)} before it"
    return None


def _are_apart(earlier: Any, later: Any) -> bool:
    """Whether two commands are known to be about different messages."""
    one, other = earlier.messages, later.messages
    if type(one) is not type(other) or one.open or other.open:
        return False
    return not _overlap(one, other)


def _overlap(one: NumberSet, other: NumberSet) -> bool:
    """Whether two sets without ``*`` have a number in common."""
    ranges: list[Any] = [(low, high, 0) for low, high in one.ranges]
    ranges += [(low, high, 1) for low, high in other.ranges]
    highest = [0, 0]
    for low, high, side in sorted(ranges):
        if low <= highest[1 - side]:
            return True
        highest[side] = max(highest[side], high)
    return False


# A command, what it needs to stay as it is, and what it changes.
_Sent: TypeAlias = tuple[Command, tuple[Effect, ...], tuple[Effect, ...]]


class Traffic:
    """The commands that are on their way at once.

    What all of them need and change is added up, so that to ask whether one more can go
    does not take longer the more there are.
    """

    __slots__ = ("_changed", "_commands", "_kinds", "_needed")

    def __init__(self) -> None:
        self._commands: dict[str, _Sent] = {}  # by tag
        self._kinds: Counter[Kind] = Counter()
        self._needed: Counter[Effect] = Counter()
        self._changed: Counter[Effect] = Counter()

    def add(self, tag: str, command: Command) -> None:
        needs, changes = effects(command)
        self._commands[tag] = sent = (command, tuple(needs), tuple(changes))
        self._count(sent, 1)

    def remove(self, tag: str) -> None:
        self._count(self._commands.pop(tag), -1)

    def _count(self, sent: _Sent, by: int) -> None:
        command, needs, changes = sent
        self._kinds[type(command)] += by
        for effect in needs:
            self._needed[effect] += by
        for effect in changes:
            self._changed[effect] += by

    def why_wait(self, command: Command) -> str | None:
        """Why *command* must wait for one of these, if it must."""
        if self._commands and self._may_clash(command):
            for earlier, _, _ in self._commands.values():
                why = conflict(earlier, command)
                if why is not None:
                    return why
        return None

    def _may_clash(self, command: Command) -> bool:
        kind = type(command)
        if kind in ALONE or any(self._kinds[other] for other in ALONE):
            return True
        if kind in _ALIKE and self._kinds[kind]:
            return True
        needs, changes = effects(command)
        both = changes & (Effect.FLAGS | Effect.SELECTION)
        return any(self._changed[effect] for effect in needs | both) or any(
            self._needed[effect] for effect in both
        )


# -- how far a conversation has come ---------------------------------------------


def bad(text: str, code: Code | None = None) -> Reply:
    """A refusal of what is no command, or none now."""
    return Reply(Condition.BAD, text, code)


def no(text: str, code: Code | None = None) -> Reply:
    """A refusal of a command."""
    return Reply(Condition.NO, text, code)


@dataclass(slots=True)
class Progress:
    """How far a conversation has come: its state, and what else was agreed upon.

    A server has one.  A client has two: one by what has been answered, and one that
    takes all that is on its way for granted.
    """

    dialect: Dialect
    state: State = State.GREETING
    #: what the server can do; ``None``: a client has not heard of it
    offered: Capabilities | None = None
    mailbox: str | None = None  #: which is selected
    read_only: bool = False
    enabled: frozenset[str] = frozenset()  #: what ENABLED told

    def copy(self) -> Progress:
        return replace(self)

    def granted(self, command: Command, answer: Reply | None = None) -> None:
        """*command* was answered by OK, or is taken to be."""
        self.state = self.dialect.table.get((self.state, type(command)), self.state)
        match command:
            case c.Select() | c.Examine():
                self.mailbox = command.mailbox
                self.read_only = isinstance(command, c.Examine)
                self._read_code(answer)
            case _ if self.state is not State.SELECTED:
                self.mailbox = None

    def refused(self, command: Command) -> None:
        """*command* was answered by NO or BAD."""
        match command:
            case c.Select() | c.Examine():
                self.state, self.mailbox = State.AUTHENTICATED, None

    def _read_code(self, answer: Reply | None) -> None:
        """RFC 3501 7.1: whether the mailbox can be changed."""
        name = answer.code.name if answer is not None and answer.code else ""
        if name in ("READ-ONLY", "READ-WRITE"):
            self.read_only = name == "READ-ONLY"

    def told(self, reply: Reply) -> None:
        """*reply* came untagged: the mailbox may be read-only now (RFC 3501 7.1)."""
        if self.state is State.SELECTED:
            self._read_code(reply)

    # -- what more than the state decides --------------------------------------

    def why_not(self, command: Command, *, tls: bool) -> Reply | None:
        """The Reply that says why *command* cannot be said now, if it cannot."""
        name = name_of(command)
        if (self.state, type(command)) not in self.dialect.table:
            return bad(f"{name} cannot be said in {self.state.value}")
        offered = self.offered or ()
        match command:
            case c.StartTls() if tls:
                return bad("TLS is there already")
            case c.StartTls() if self.offered is None:
                return None  # whether it is there is found out by saying it
            case c.Login() if "LOGINDISABLED" in offered:
                return no("LOGIN is disabled here", Code("PRIVACYREQUIRED"))
            case c.Authenticate(initial=bytes()) if "SASL-IR" not in offered:
                return bad("SASL-IR is not offered here")
            case c.Authenticate() if self.offered is None:
                return None
            case c.Authenticate() if command.extension not in offered:
                return no("that mechanism is not offered here")
        extension = command.extension
        if extension is None or extension in offered:
            return None
        if self.offered is None:
            return bad(f"{name}: whether {extension} is offered, CAPABILITY must tell")
        return bad(f"{name}: {extension} is not offered here")


class HasProgress:
    """Either end of a conversation, to look at."""

    _now: Progress

    @property
    def state(self) -> State:
        """By what has been answered."""
        return self._now.state

    @property
    def mailbox(self) -> str | None:
        """Which is selected."""
        return self._now.mailbox

    @property
    def read_only(self) -> bool:
        """Whether nothing can be changed in the mailbox that is selected."""
        return self._now.read_only


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits(_connection.Limits):
    """How much an IMAP peer may ask of us."""

    #: client: octets of one response, without the literals that come in Chunks
    response: int = 16_777_216
    #: client: octets of a literal that comes inside of its response
    inline_literal: int = 1_048_576
    #: client: octets of one that comes in Chunks (RFC 3501 9: a number has 32 bits)
    streamed: int = 4_294_967_295
    #: client: literals in one response (CVE-2026-42245)
    response_literals: int = 10_000
    #: server: octets of a command line, CRLF included (Dovecot: 65,536)
    command: int = 65_536
    #: server: the same before the log-in: an AUTHENTICATE fits that has a first
    #: response
    command_before_login: int = 12_288
    #: server: octets of a tag (Dovecot: 126)
    tag: int = 64
    #: server: octets of a literal that is no message (Cyrus: 131,072)
    literal: int = 131_072
    #: server: the same before the log-in (RFC 7888 5 thinks 4096 to be enough)
    literal_before_login: int = 4096
    #: server: literals in one command
    literals: int = 32
    #: server: the same before the log-in; LOGIN has two
    literals_before_login: int = 4
    #: server: octets of one command, literals included, but for a message (Cyrus)
    arguments: int = 1_048_576
    #: server: octets of one message (35 MiB)
    append: int = 36_700_160
