"""Who may say what, when.  The whole of it, for both roles.

                 +OK                          PASS, APOP, AUTH
    GREETING ---------> AUTHORIZATION <--+  +-----------------> TRANSACTION
        |                  |  |  USER    |  |                        |
        | -ERR             |  +-------> NAMED  (PASS refused:        | QUIT
        |                  |              |     AUTHORIZATION)       v
        |                  | QUIT         | QUIT                  UPDATE
        v                  v              v                          |
      CLOSED <-------------+--------------+--------------------------+

RFC 1939 3 has three states: AUTHORIZATION, TRANSACTION, UPDATE.  GREETING and CLOSED
are their ends.  NAMED is AUTHORIZATION just after an accepted USER: only there may
PASS be said (7: "the client may issue either the PASS command ... or the QUIT
command"); whatever else is granted there forgets the name.  STLS leads back to
AUTHORIZATION, not to GREETING: no second greeting comes (RFC 2595 4).

UPDATE is not a state to say anything in: a server is in it from the moment that QUIT
was handed to it in TRANSACTION until it has answered, and this is the only time when
messages are deleted (6: "If a session terminates for some reason other than a
client-issued QUIT command, the POP3 session does NOT enter the UPDATE state").  A
client goes through it in the same moment in which it learns the answer.

A row says what a granted command leads to.  A refused one leaves the state as it is,
but for a refused PASS or USER, which forgets the name, and a QUIT: there is no
staying, even if a message could not be deleted.

Two rules are about what was said before rather than about a state: TLS is started
once (RFC 2595 4) and not after UTF8 (RFC 6856 2.1).  They are in ``why_not``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

from .. import _connection
from . import commands as c


class State(Enum):
    """Where a session stands; see the module's docstring."""

    GREETING = "GREETING"
    AUTHORIZATION = "AUTHORIZATION"  #: RFC 1939 4
    NAMED = "AUTHORIZATION after USER"
    TRANSACTION = "TRANSACTION"  #: RFC 1939 5
    UPDATE = "UPDATE"  #: RFC 1939 6
    CLOSED = "CLOSED"


Command = type[c.Pop3Command[Any]]
Table = Mapping[tuple[State, Command], State]

_A, _N, _T = State.AUTHORIZATION, State.NAMED, State.TRANSACTION

# (state, command granted in it) -> next state.  No row: it cannot be said there.
TRANSITIONS: Final[Table] = {
    (_A, c.Capa): _A,
    (_A, c.Stls): _A,
    (_A, c.Utf8): _A,
    (_A, c.Lang): _A,
    (_A, c.User): _N,
    (_A, c.Apop): _T,
    (_A, c.Auth): _T,
    (_A, c.Quit): State.CLOSED,
    (_N, c.Capa): _A,
    (_N, c.Stls): _A,
    (_N, c.Utf8): _A,
    (_N, c.Lang): _A,
    (_N, c.User): _N,
    (_N, c.Pass): _T,
    (_N, c.Apop): _T,
    (_N, c.Auth): _T,
    (_N, c.Quit): State.CLOSED,
    (_T, c.Capa): _T,
    (_T, c.Lang): _T,
    (_T, c.Stat): _T,
    (_T, c.List): _T,
    (_T, c.Uidl): _T,
    (_T, c.Retr): _T,
    (_T, c.Top): _T,
    (_T, c.Dele): _T,
    (_T, c.Noop): _T,
    (_T, c.Rset): _T,
    (_T, c.Quit): State.CLOSED,
}

# What leads to TLS, or gives up on it, and may be said where TLS is demanded.
BEFORE_TLS: Final = frozenset({c.Capa, c.Lang, c.Stls, c.Quit})

# Log-ins: a server counts how often it refuses one.
LOGINS: Final = frozenset({c.Pass, c.Apop, c.Auth})


class Dialect:
    """A set of verbs with their table; ``STANDARD`` is POP3 as it is in the RFCs.

    >>> STANDARD.extended({(State.TRANSACTION, Last): State.TRANSACTION})
    """

    def __init__(self, table: Table) -> None:
        self.table: Final = dict(table)
        self.verbs: Final = {kind.verb: kind for _, kind in table}

    def extended(self, rows: Table) -> Dialect:
        """The same with more verbs, or with other classes for the same verbs."""
        return Dialect({**self.table, **rows})

    def granted(self, state: State, command: Command) -> State:
        return self.table.get((state, command), state)

    def refused(self, state: State, command: Command) -> State:
        if command in (c.User, c.Pass) and state is State.NAMED:
            return State.AUTHORIZATION
        return State.CLOSED if command is c.Quit else state

    def why_not(
        self, state: State, command: Command, *, tls: bool, utf8: bool
    ) -> str | None:
        """Why *command* cannot be said, or ``None`` if it can."""
        name = command.verb.decode("ascii")
        if (state, command) not in self.table:
            return f"{name} cannot be said in {state.value}"
        if command is c.Stls and tls:
            return "STLS: TLS is there already (RFC 2595 4)"
        if command is c.Stls and utf8:
            return "STLS cannot be said after UTF8 (RFC 6856 2.1)"
        return None


STANDARD: Final = Dialect(TRANSITIONS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits(_connection.Limits):
    """How much a POP3 peer may ask of us."""

    #: server: octets of a command line, CRLF included (RFC 2449 4)
    command: int = 255
    #: client: lines in the answer to one LIST, UIDL, CAPA or LANG
    lines: int = 1_000_000
