"""What an IMAP client does with several commands: log in, fetch what is new, wait.

Any session runs them, and they know nothing of sessions:

    session.run(imap.log_in(session.conn, "ann", "secret"))
    for event in session.stream(imap.fetch_new(marks)):
        ...
    session.run(imap.Select("INBOX"))
    for event in session.stream(imap.idle()):
        ...
    session.run(imap.Logout())
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from .. import sasl
from .._command import Chunk, Flow, GoAhead, Hand, Relay, Script, do
from .._login import choose, no_way_in
from ..errors import CommandFailed
from . import search
from .client import Client
from .codes import Capabilities
from .commands import (
    Append,
    Authenticate,
    Capability,
    Create,
    Examine,
    List,
    Login,
    StartTls,
)
from .extensions import Done, Idle
from .fetch import FetchData
from .grammar import Streamed
from .messages import Fetch, Search
from .replies import LiteralBegins, Reply
from .sets import UidSet
from .state import State

# RFC 2177 3: "at least every 29 minutes".  Whoever sits behind a NAT wants less.
RENEWAL: Final = 29 * 60.0  # seconds


def log_in(
    client: Client,
    name: str,
    password: str = "",
    *,
    token: str = "",
    mechanisms: Sequence[sasl.Mechanism] | None = None,
) -> Script[str]:
    """Log in the best way that the server offers; returns what that was.

    Where *client* demands TLS and has none, STARTTLS comes first; if it is refused,
    that is the end.  Then the strongest SASL mechanism on offer for *password* or
    *token* is taken (or for *mechanisms*, if you have your own), and LOGIN if there is
    none.  Whom the server knows already (PREAUTH) it need not be told.

    Raises CommandFailed if the server refuses; nothing weaker is tried after that.
    Raises LocalProtocolError if there is no way that is allowed: a password is never
    sent in the clear unless *client* has Security.CLEARTEXT, nor by LOGIN where the
    server says LOGINDISABLED.
    """
    if client.state is not State.NOT_AUTHENTICATED:
        return "PREAUTH"
    if client.tls_demanded:
        yield StartTls()
    if client.capabilities is None:
        yield Capability()
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
        yield Authenticate.using(best)
    elif password and "LOGINDISABLED" not in known:
        yield Login(name, password)
    else:
        raise no_way_in(known.sasl)
    if client.capabilities is None:
        yield Capability()  # they may be others now (RFC 3501 6.2.2)
    return "LOGIN" if best is None else best.mechanism


def append(
    mailbox: str,
    message: bytes,
    *,
    flags: Iterable[str] = (),
    date: datetime | None = None,
) -> Script[Any]:
    """Put *message* into *mailbox*, which is made if need be (RFC 3501 6.3.11).

    Returns what Append is worth: the AppendUid, or ``None``.
    """
    command = Append(mailbox, message, tuple(flags), date)
    try:
        return (yield command)
    except CommandFailed as failure:
        code = getattr(failure.answer, "code", None)
        if code is None or code.name != "TRYCREATE":
            raise
    yield Create(mailbox)
    return (yield command)


def idle(*, renew: float = RENEWAL) -> Flow[Any]:
    """What happens in the mailbox, as it happens: hands over untagged data, for ever.

    Every *renew* seconds IDLE is ended and begun anew, or the server would think that
    nobody is there (RFC 2177 3).  It is ended, too, when you want no more.
    Raises CommandFailed if the server refuses.
    """
    while True:
        yield Relay(Idle(), through=_news, ending=Done(), within=renew)


def _news(event: Any) -> Iterator[Any]:
    if not isinstance(event, GoAhead):
        yield event


# -- fetch what is new -----------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Mark:
    """How far a mailbox was read: all up to *uid*, while *uid_validity* is the same."""

    uid_validity: int
    uid: int


@dataclass(frozen=True, slots=True)
class Folder:
    """Handed over by fetch_new: what comes now is of this mailbox.

    *begun_anew*: its UIDs are others than before (RFC 3501 2.3.1.1), so that all of it
    is new.  *count* is how many messages come.
    """

    mailbox: str
    uid_validity: int
    count: int
    begun_anew: bool = False


@dataclass(frozen=True, slots=True)
class Skipped:
    """Handed over by fetch_new: this mailbox could not be read, and why."""

    mailbox: str
    reply: Reply


@dataclass(frozen=True, slots=True)
class Incoming:
    """Handed over by fetch_new: a message comes now, in Chunks.

    *size* is its octets.  *uid* is ``None`` if it is told later, as for large ones;
    Arrived has it in any case.
    """

    mailbox: str
    uid: int | None
    size: int


@dataclass(frozen=True, slots=True)
class Arrived:
    """Handed over by fetch_new: all of a message has come.

    Keep *mark* once it is stored: the next time, what it covers is not new.
    """

    mailbox: str
    uid: int
    mark: Mark
    flags: tuple[str, ...] = ()
    date: datetime | None = None


New = Folder | Skipped | Incoming | Chunk | Arrived


def fetch_new(
    marks: Mapping[str, Mark] | None = None, *, pattern: str = "*", batch: int = 100
) -> Flow[New]:
    """Fetch what came after *marks*, of every mailbox that *pattern* lists.

    Hands over, for each mailbox: a Folder (or a Skipped); for each message in it, by
    ascending UID: an Incoming, Chunks, an Arrived, whose mark you keep.  *batch* is how
    many are asked for at once.  Nothing changes on the server: mailboxes are opened by
    EXAMINE, and no flag is set.
    """
    listed = yield from do(List("", pattern))
    for mailbox in _selectable(listed):
        try:
            opened = yield from do(Examine(mailbox))
        except CommandFailed as failure:
            yield Hand(Skipped(mailbox, failure.answer))
            continue
        validity = opened.uid_validity or 0
        mark = (marks or {}).get(mailbox)
        anew = mark is not None and mark.uid_validity != validity
        after = 0 if mark is None or anew else mark.uid
        uids = yield from _uids_after(after)
        yield Hand(Folder(mailbox, validity, len(uids), anew))
        for start in range(0, len(uids), batch):
            some = UidSet.of(uids[start : start + batch])
            arrival = _Arrival(mailbox, validity)
            command = Fetch(some, "UID", "FLAGS", "INTERNALDATE", "BODY.PEEK[]")
            yield Relay(command, through=arrival.take)


def _selectable(listed: Iterable[Any]) -> Iterator[str]:
    """The mailboxes that can hold messages, each once."""
    closed = ("\\Noselect", "\\NonExistent")
    names = {entry.mailbox: None for entry in listed if not any(map(entry.has, closed))}
    yield from names


def _uids_after(uid: int) -> Script[list[int]]:
    """UIDs of the messages behind *uid*, in ascending order.

    ``n:*`` always names the last message, even one before n (RFC 3501 6.4.8).
    """
    found = yield from do(Search(search.Uid(UidSet((uid + 1, None))), uid=True))
    return sorted({number for number in found if number > uid})


class _Arrival:
    """Makes of the answer to a FETCH of whole messages what fetch_new hands over."""

    def __init__(self, mailbox: str, uid_validity: int) -> None:
        self._mailbox = mailbox
        self._validity = uid_validity

    def take(self, event: Any) -> Iterator[New]:
        match event:
            case LiteralBegins():
                yield Incoming(self._mailbox, None, event.size)
            case Chunk():
                yield event
            case FetchData() if event.uid is not None:
                body = event.body()
                if isinstance(body, bytes):
                    yield Incoming(self._mailbox, event.uid, len(body))
                    if body:
                        yield Chunk(body)
                elif not isinstance(body, Streamed):
                    return  # news of flags
                mark = Mark(self._validity, event.uid)
                flags = event.flags or ()
                yield Arrived(self._mailbox, event.uid, mark, flags, event.date)
