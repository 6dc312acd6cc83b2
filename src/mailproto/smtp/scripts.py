"""What an SMTP or LMTP client does with several commands: log in, send a message.

Any session runs them, and they know nothing of sessions:

    session.run(smtp.log_in(session.conn, "ann", "secret"))
    session.run(smtp.send_message(session.conn, message))
    session.run(smtp.Quit())
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from .. import sasl
from .._command import Pipelined, Script, do
from .._login import choose, no_way_in
from ..errors import CommandFailed, LocalProtocolError
from .client import Client
from .commands import (
    Auth,
    Bdat,
    Data,
    Ehlo,
    Helo,
    Lhlo,
    Mail,
    Rcpt,
    Rset,
    SmtpCommand,
    StartTls,
)
from .grammar import Mailbox
from .message import Letter, Recipients, Sendable, Sender
from .responses import EhloData, Reply
from .state import State

#: who a client is that does not say: a literal is always good (RFC 5321 4.1.4)
NOBODY: Final = "[127.0.0.1]"
# What an old server says to EHLO (RFC 5321 3.2, 4.1.4).
_UNKNOWN: Final = frozenset({500, 501, 502, 504, 550})
_TOO_MANY: Final = frozenset({452, 552})  # RFC 5321 4.5.3.1.10: take one for the other


def hello(client: Client, domain: str = NOBODY) -> Script[EhloData | None]:
    """Say who *domain* is, and what must come before all: TLS, where it is demanded.

    EHLO, or HELO for a server that does not know it; in LMTP, LHLO.  Nothing is said
    twice: call it as often as you like.  What it returns is what the server offers.

    Raises CommandFailed if the server refuses, TLS above all: nothing goes on without.
    """
    if client.state is State.START:
        yield from _greet(client, domain)
    if client.tls_demanded:
        yield StartTls()
        yield from _greet(client, domain)
    return client.capabilities


def _greet(client: Client, domain: str) -> Script[None]:
    if client.dialect.lmtp:
        yield Lhlo(domain)
        return
    try:
        yield Ehlo(domain)
    except CommandFailed as refusal:
        if refusal.answer.code not in _UNKNOWN or client.tls_demanded:
            raise
        yield Helo(domain)


def log_in(
    client: Client,
    name: str,
    password: str = "",
    *,
    token: str = "",
    mechanisms: Sequence[sasl.Mechanism] | None = None,
    domain: str = NOBODY,
) -> Script[str]:
    """Log in the best way that the server offers; returns what that was.

    ``hello`` comes first.  Then the strongest SASL mechanism on offer for *password* or
    *token* is taken, or for *mechanisms*, if you have your own.

    Raises CommandFailed if the server refuses; nothing weaker is tried after that.
    Raises LocalProtocolError if there is no way that is allowed: a password is never
    sent in the clear unless *client* has Security.CLEARTEXT.
    """
    offers = yield from hello(client, domain)
    offered = offers.sasl if offers is not None else ()
    best = choose(
        client, offered, name, password=password, token=token, mechanisms=mechanisms
    )
    if best is None:
        raise no_way_in(offered)
    yield Auth.using(best)
    return best.mechanism


# -- one message -------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of a message, recipient by recipient.

    *accepted* are those whom the server now owes it to, with its last word; in LMTP
    there is one for each.  *refused* are those whom it will not reach, and why.
    *untried* are left for another session: this one may send no more (RFC 9422 4.1).
    """

    accepted: Mapping[str, Reply] = field(default_factory=dict)
    refused: Mapping[str, Reply] = field(default_factory=dict)
    untried: tuple[str, ...] = ()

    @property
    def complete(self) -> bool:
        """Whether it goes to everybody."""
        return not self.refused and not self.untried


class NotSent(CommandFailed):
    """Nobody gets the message: *command* was refused, and *refused* tells of each."""

    def __init__(
        self, command: SmtpCommand[Any], answer: Reply, refused: Mapping[str, Reply]
    ) -> None:
        super().__init__(command, answer)
        self.refused = refused


def send_message(
    client: Client,
    message: Sendable,
    sender: Sender | None = None,
    recipients: Recipients | None = None,
    *,
    domain: str = NOBODY,
    partial: bool = True,
) -> Script[Sent]:
    """Send *message*, as octets or as an EmailMessage, to all *recipients*.

    Without *sender* or *recipients* the header tells; ``""`` is the null path.  A
    Mail in the place of *sender*, a Rcpt in that of a recipient, may have parameters of
    its own (``Rcpt("bob@example.org", Notify())``).  SIZE, BODY, SMTPUTF8 and BDAT are
    used where the server offers them, Bcc fields are left out, and what may be said
    together is (RFC 2920).  ``hello`` comes first, if nothing was said yet.

    Those who are too many for one transaction get the next one.  With *partial* false,
    nobody gets the message unless everybody is accepted before it is sent.

    Raises NotSent if nobody gets it.  Raises LocalProtocolError, and sends nothing, for
    a message that the server cannot take; ValueError for an address that is none.
    """
    offered = (yield from hello(client, domain)) or EhloData("")
    letter = Letter.of(message, sender, recipients, offered, client.newlines)
    if not letter.recipients:
        raise ValueError("a message needs a recipient")
    yield from _reset(client)  # one that somebody gave up
    sending = _Sending(client, letter, offered, partial)
    try:
        return (yield from sending.run())
    except LocalProtocolError:
        yield from _reset(client)
        raise


def _reset(client: Client) -> Script[None]:
    """End the transaction, if one was begun."""
    if client.ahead not in (State.START, State.READY, State.CLOSED):
        yield Rset()


class _Sending:
    """One message on its way: in as many transactions as it takes."""

    def __init__(
        self, client: Client, letter: Letter, offered: EhloData, partial: bool
    ) -> None:
        self._client = client
        self._letter = letter
        self._offered = offered
        self._partial = partial
        self._accepted: dict[str, Reply] = {}
        self._refused: dict[str, Reply] = {}
        self._failure: CommandFailed | None = None  # the first

    def run(self) -> Script[Sent]:
        waiting = list(self._letter.recipients)
        untried: list[Rcpt] = []
        while waiting:
            group = list(self._first(waiting))
            if len(group) < len(waiting) and not self._partial:
                raise LocalProtocolError("too many recipients for one transaction")
            try:
                later = yield from self._transact(group)
            except LocalProtocolError:
                if not self._accepted:
                    raise
                untried = waiting  # what was accepted is: that must be told
                break
            waiting = later + waiting[len(group) :]
        if not self._accepted:
            assert self._failure is not None
            command, answer = self._failure.command, self._failure.answer
            raise NotSent(command, answer, self._refused) from self._failure
        names = tuple(rcpt.recipient for rcpt in untried)
        return Sent(self._accepted, self._refused, names)

    def _first(self, waiting: Sequence[Rcpt]) -> Iterator[Rcpt]:
        """As many as one transaction may have (RFC 9422 4.2, 4.3)."""
        most, most_domains = map(self._offered.limit, ("RCPTMAX", "RCPTDOMAINMAX"))
        domains: set[str] = set()
        for count, rcpt in enumerate(waiting):
            if "@" in rcpt.recipient:
                domains.add(Mailbox.read(rcpt.recipient).domain.lower())
            if count == most or len(domains) > (most_domains or len(domains)):
                return
            yield rcpt

    def _transact(self, group: list[Rcpt]) -> Script[list[Rcpt]]:
        """One transaction; those who were one too many for it."""
        letter = self._letter
        # One turn of the wire less, and RFC 2920 3.1 tells what becomes of a message
        # that is to nobody in the end.  A message by BDAT would go out whole for it.
        along = self._offered.pipelining and self._partial
        along &= not self._offered.chunking
        message = Bdat.of(letter.data, last=True) if self._offered.chunking else None
        content = message or Data(letter.data)
        said = (letter.mail, *group, content) if along else (letter.mail, *group)
        mailed, *outcomes = yield from self._ask(said)
        if isinstance(mailed, CommandFailed):
            self._refuse(group, mailed)
            return []
        good: list[Rcpt] = []
        later: list[Rcpt] = []
        for rcpt, outcome in zip(group, outcomes, strict=False):
            if not isinstance(outcome, CommandFailed):
                good.append(rcpt)
            elif self._partial and good and _too_many(outcome.answer):
                later.append(rcpt)
            else:
                self._refuse([rcpt], outcome)
        if not good or not (self._partial or len(good) == len(group)):
            yield from _reset(self._client)
        else:
            ended = outcomes[-1:] if along else (yield from self._ask((content,)))
            self._judge(good, ended[0])
            yield from _reset(self._client)
        return later

    def _ask(self, commands: tuple[SmtpCommand[Any], ...]) -> Script[list[Any]]:
        """What became of each.  Nothing is asked behind a MAIL that was refused."""
        if self._offered.pipelining:
            outcomes: list[Any] = yield Pipelined(commands)
            if isinstance(outcomes[-1], LocalProtocolError):
                raise outcomes[-1]
            return outcomes
        outcomes = []
        for command in commands:
            try:
                outcomes.append((yield from do(command)))
            except CommandFailed as refusal:
                outcomes.append(refusal)
                if isinstance(command, Mail):
                    break
        return outcomes

    def _judge(self, good: list[Rcpt], ended: CommandFailed | list[Reply]) -> None:
        """The message has been sent, and this is the last word on it."""
        if isinstance(ended, CommandFailed):
            self._refuse(good, ended)
            return
        replies = ended if self._client.dialect.lmtp else ended * len(good)
        for rcpt, reply in zip(good, replies, strict=True):
            if reply.ok:
                self._accepted[rcpt.recipient] = reply
            else:
                self._refuse([rcpt], CommandFailed(rcpt, reply))

    def _refuse(self, group: list[Rcpt], refusal: CommandFailed) -> None:
        self._failure = self._failure or refusal
        self._refused |= {rcpt.recipient: refusal.answer for rcpt in group}


def _too_many(reply: Reply) -> bool:
    """Whether it says that there are too many recipients, not that this one is bad."""
    why = reply.enhanced
    told = why is not None and (why.subject, why.detail) not in ((0, 0), (5, 3))
    return reply.code in _TOO_MANY and not told
