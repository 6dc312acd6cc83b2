"""What a POP3 client does with several commands: log in, fetch what is new.

Any session runs them, and they know nothing of sessions:

    session.run(pop3.log_in(session.conn, "ann", "secret"))
    for event in session.stream(pop3.fetch_new(seen)):
        ...
    session.run(pop3.Quit())
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from .. import sasl
from .._command import Chunk, Flow, Hand, Relay, Script, do
from .._login import choose, no_way_in
from ..errors import CommandFailed
from .client import Client
from .commands import Apop, Auth, Capa, Dele, List, Pass, Retr, Stls, Top, Uidl, User
from .responses import Capabilities, UniqueId

# Port 1109: Kerberos has made the log-in before the first octet, PASS is a word that
# must be said, and must not be a password.
KPOP_PASSWORD: Final = "krb_ticket"


def log_in(
    client: Client,
    name: str,
    password: str = "",
    *,
    token: str = "",
    mechanisms: Sequence[sasl.Mechanism] | None = None,
    apop: bool = False,
) -> Script[str]:
    """Log in the best way that the server offers; returns what that was.

    Where *client* demands TLS and has none, STLS comes first; if it is refused, that
    is the end.  Then the strongest SASL mechanism on offer for *password* or *token*
    is taken (or for *mechanisms*, if you have your own), and USER and PASS if there
    is none.  APOP is taken before those only if you say so: its digest is MD5.

    Raises CommandFailed if the server refuses; nothing weaker is tried after that.
    Raises LocalProtocolError if there is no way that is allowed: a password is never
    sent in the clear unless *client* has Security.CLEARTEXT.
    """
    if client.capabilities is None:
        yield from _capa()
    if client.tls_demanded:
        yield Stls()
        yield from _capa()
    known = client.capabilities or Capabilities()
    best = choose(
        client,
        known.sasl,
        name,
        password=password,
        token=token,
        mechanisms=mechanisms,
    )
    if best is not None:
        yield Auth.using(best)
        return best.mechanism
    if password:
        stamp = client.greeting.stamp if client.greeting is not None else None
        if apop and stamp is not None:
            yield Apop.sign(name, password, stamp)
            return "APOP"
        yield User(name)  # a server without CAPA has it, and others forget to say so
        yield Pass(password)
        return "USER"
    raise no_way_in(known.sasl)


def log_in_kpop(name: str) -> Script[str]:
    """Say who one is after Kerberos has shown it (KPOP); no password is sent."""
    yield User(name)
    yield Pass(KPOP_PASSWORD)
    return "KPOP"


def _capa() -> Script[None]:
    """Ask what the server can do; it need not know the question."""
    with suppress(CommandFailed):
        yield Capa()


@dataclass(frozen=True, slots=True)
class Incoming:
    """Handed over by fetch_new: message *number* comes now, in Chunks.

    *size* is its octets, as LIST has it; servers are known to be wrong about it.
    """

    number: int
    uid: str
    size: int


@dataclass(slots=True)
class Arrived:
    """Handed over by fetch_new: all of message *number* has come.

    Call ``confirm`` once it is stored.  Only then may it be deleted, and only then
    should its *uid* be remembered as seen.
    """

    number: int
    uid: str
    confirmed: bool = False

    def confirm(self) -> None:
        self.confirmed = True


def fetch_new(
    seen: Collection[str] = (), *, delete: bool = False
) -> Flow[Incoming | Chunk | Arrived]:
    """Fetch each message whose unique-id is not among *seen*.

    Hands over, for each: an Incoming, Chunks, an Arrived.  With *delete* those that
    were confirmed are marked as deleted (and so are those among *seen*: they were
    stored earlier, and a crash kept them here).  The session's QUIT deletes them; a
    crash before it may repeat a message, and never loses one.

    Where the server has no UIDL, the SHA-256 of a message's header is its name.
    """
    sizes = {entry.number: entry.size for entry in (yield from do(List()))}
    for unique in (yield from _names(sorted(sizes))):
        if unique.uid not in seen:
            size = sizes.get(unique.number, 0)
            yield Hand(Incoming(unique.number, unique.uid, size))
            yield Relay(Retr(unique.number))
            arrived = Arrived(unique.number, unique.uid)
            yield Hand(arrived)
            if not arrived.confirmed:
                continue
        if delete:
            yield Dele(unique.number)


def _names(numbers: Sequence[int]) -> Script[list[UniqueId]]:
    try:
        return (yield from do(Uidl()))
    except CommandFailed:
        names = []
        for number in numbers:
            header = yield from do(Top(number, 0))
            names.append(UniqueId(number, hashlib.sha256(header).hexdigest()))
        return names
