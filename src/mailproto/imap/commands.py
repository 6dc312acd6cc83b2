"""What an IMAP client says (RFC 3501 6): on the session, on mailboxes, on messages.

A client sends these and a server receives them: they are the same objects.  One that
exists can be put on the wire; bad arguments fail when it is made.  Those on messages
stand in ``messages.py``, those of the extensions in ``extensions.py``.

To add a verb is to write such a class and to give it rows in a table: see
``state.Dialect``.  What has no class here is said with ``Other``.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any, Self, TypeVar

from .._login import LogIn, read_auth, write_auth
from . import kinds
from .codes import AppendUid, Capabilities
from .dates import check_date_time, write_date_time
from .grammar import Cursor, Fragment, Literal, Streamed, inline, write_astring
from .mailboxes import ListData, LsubData, StatusData
from .replies import Condition, Reply
from .results import Selected
from .verbs import ImapCommand

R = TypeVar("R")

# -- in any state (6.1) ----------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Capability(ImapCommand[Capabilities]):
    """RFC 3501 6.1.1: what can the server do?

    C: abcd CAPABILITY
    S: * CAPABILITY IMAP4rev1 STARTTLS AUTH=GSSAPI
    S: abcd OK CAPABILITY completed
    """

    verb = b"CAPABILITY"
    data = Capabilities


@dataclass(frozen=True, slots=True)
class Noop(ImapCommand[Reply]):
    """RFC 3501 6.1.2: nothing, and a chance for the server to tell news.

    C: a002 NOOP
    S: * 22 EXPUNGE
    S: * 23 EXISTS
    S: a002 OK NOOP completed
    """

    verb = b"NOOP"


@dataclass(frozen=True, slots=True)
class Logout(ImapCommand[Reply]):
    """RFC 3501 6.1.3: the end, ``LOGOUT``; the server says BYE before its OK."""

    verb = b"LOGOUT"

    def claims(self, event: object) -> bool:
        return isinstance(event, Reply) and event.condition is Condition.BYE


# -- not authenticated (6.2) -----------------------------------------------------


@dataclass(frozen=True, slots=True)
class StartTls(ImapCommand[Reply]):
    """RFC 3501 6.2.1: from the answer on, TLS, ``STARTTLS``."""

    verb = b"STARTTLS"
    locks = True
    extension = "STARTTLS"


@dataclass(frozen=True, slots=True)
class Authenticate(LogIn, ImapCommand[Reply]):
    """RFC 3501 6.2.2, RFC 4959: a log-in by a SASL mechanism.

    C: A01 AUTHENTICATE PLAIN dGVzdAB0ZXN0AHRlc3Q=
    S: A01 OK Success

    ``Authenticate.using(sasl.Plain(name, password))`` answers the server's challenges
    by itself.  Without a *client*, each is a GoAhead and you send a Response or a
    Cancel.  *initial* is the first response, decoded, which only servers with SASL-IR
    take; ``None`` is none, ``b""`` an empty one (``=`` on the wire).
    """

    verb = b"AUTHENTICATE"

    @property
    def extension(self) -> str | None:
        return f"AUTH={self.mechanism}"

    def arguments(self) -> Iterable[Fragment]:
        return (b" ", write_auth(self.mechanism, self.initial))

    @classmethod
    def read(cls, cursor: Cursor, verb: bytes) -> Self:
        cursor.expect_space()
        start = cursor.at
        return cursor.made(lambda: cls(*read_auth(cursor.take_rest())), start)


@dataclass(frozen=True, slots=True)
class Login(ImapCommand[Reply]):
    """RFC 3501 6.2.3: a log-in that sends the password as it is, ``LOGIN joe secret``.

    Both are UTF-8; octets that are not are kept as surrogate escapes (PEP 383).
    """

    verb = b"LOGIN"
    reveals_secret = True
    user: kinds.Text
    password: kinds.Text = field(repr=False)

    def masked(self) -> bytes:
        return inline((b"LOGIN ", write_astring(self.user), b" ****"))


# -- authenticated (6.3) ---------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _OnMailbox(ImapCommand[Reply]):
    mailbox: kinds.Mailbox


@dataclass(frozen=True, slots=True)
class _WithParameters(ImapCommand[R]):
    mailbox: kinds.Mailbox
    parameters: kinds.Parameters = ()


class _Selecting(_WithParameters[Selected]):
    """A command that selects a mailbox."""

    __slots__ = ()

    def claims(self, event: object) -> bool:
        return Selected.tells(event)

    def result(self, answer: Reply, parts: list[Any]) -> Selected:
        code = answer.code
        read_only = code is not None and code.name == "READ-ONLY"
        return Selected.of(parts, read_only=read_only)


class Select(_Selecting):
    """RFC 3501 6.3.1: the mailbox whose messages are meant from now on.

    C: A142 SELECT INBOX
    S: * 172 EXISTS
    S: * 1 RECENT
    S: * OK [UNSEEN 12] Message 12 is first unseen
    S: * OK [UIDVALIDITY 3857529045] UIDs valid
    S: * OK [UIDNEXT 4392] Predicted next UID
    S: * FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft)
    S: * OK [PERMANENTFLAGS (\\Deleted \\Seen \\*)] Limited
    S: A142 OK [READ-WRITE] SELECT completed
    """

    __slots__ = ()
    verb = b"SELECT"


class Examine(_Selecting):
    """RFC 3501 6.3.2: the same, and nothing in it can be changed, ``EXAMINE foo``."""

    __slots__ = ()
    verb = b"EXAMINE"

    def result(self, answer: Reply, parts: list[Any]) -> Selected:
        return Selected.of(parts, read_only=True)


class Create(_WithParameters[Reply]):
    """RFC 3501 6.3.3: a new mailbox, and those above it if need be, ``CREATE a/b``."""

    __slots__ = ()
    verb = b"CREATE"


class Delete(_OnMailbox):
    """RFC 3501 6.3.4: a mailbox goes, ``DELETE foo``; those below it stay."""

    __slots__ = ()
    verb = b"DELETE"


@dataclass(frozen=True, slots=True)
class Rename(ImapCommand[Reply]):
    """RFC 3501 6.3.5: a mailbox is called *to*, ``RENAME foo bar``.

    INBOX stays: its messages are moved there.
    """

    verb = b"RENAME"
    mailbox: kinds.Mailbox
    to: kinds.Mailbox


class Subscribe(_OnMailbox):
    """RFC 3501 6.3.6: LSUB is to list that mailbox, ``SUBSCRIBE #news.comp``."""

    __slots__ = ()
    verb = b"SUBSCRIBE"


class Unsubscribe(_OnMailbox):
    """RFC 3501 6.3.7: LSUB is not to list it any more, ``UNSUBSCRIBE #news.comp``."""

    __slots__ = ()
    verb = b"UNSUBSCRIBE"


@dataclass(frozen=True, slots=True)
class _Listing(ImapCommand[list[R]]):
    reference: kinds.Mailbox = ""
    pattern: kinds.Pattern = "*"

    def result(self, answer: Reply, parts: list[Any]) -> list[R]:
        return parts


class List(_Listing[ListData]):
    """RFC 3501 6.3.8: which mailboxes there are.  ``*`` is anything, ``%`` one level.

    C: A202 LIST ~/Mail/ %
    S: * LIST (\\Noselect) "/" ~/Mail/foo
    S: * LIST () "/" ~/Mail/meetings
    S: A202 OK LIST completed

    An empty *pattern* asks for the delimiter and the root of *reference*.
    """

    __slots__ = ()
    verb = b"LIST"
    data = ListData


class Lsub(_Listing[LsubData]):
    """RFC 3501 6.3.9: which mailboxes are subscribed to.

    C: A002 LSUB "#news." "comp.mail.*"
    S: * LSUB () "." #news.comp.mail.mime
    S: A002 OK LSUB completed
    """

    __slots__ = ()
    verb = b"LSUB"
    data = LsubData


@dataclass(frozen=True, slots=True, init=False)
class Status(ImapCommand[StatusData]):
    """RFC 3501 6.3.10: how a mailbox stands that is not selected.

    C: A042 STATUS blurdybloop (UIDNEXT MESSAGES)
    S: * STATUS blurdybloop (MESSAGES 231 UIDNEXT 44292)
    S: A042 OK STATUS completed

    *items* are MESSAGES, RECENT, UIDNEXT, UIDVALIDITY, UNSEEN, or those of extensions.
    """

    verb = b"STATUS"
    mailbox: kinds.Mailbox
    items: kinds.AtomList

    def __init__(self, mailbox: str, *items: str) -> None:
        kinds.hold(self, mailbox, items)
        self.__post_init__()

    def claims(self, event: object) -> bool:
        return isinstance(event, StatusData) and event.mailbox == self.mailbox

    def result(self, answer: Reply, parts: list[Any]) -> StatusData:
        """What the server told of it; without items if it told nothing."""
        return parts[-1] if parts else StatusData(self.mailbox, {})


def _check_message(message: bytes | Streamed, what: str) -> None:
    if not isinstance(message, Streamed):
        Literal(message)  # raises ValueError for NUL


# fmt: off
_Message = Annotated[bytes | Streamed, kinds.Kind(
    _check_message, lambda said: said if isinstance(said, Streamed) else Literal(said),
    Cursor.take_announced,
)]
_Moment = Annotated[datetime | None, kinds.Kind(
    lambda moment, _: moment and check_date_time(moment),
    lambda moment: b'"%b"' % write_date_time(moment), Cursor.take_date_time, opens=b' "'
)]
# fmt: on


@dataclass(frozen=True, slots=True)
class Append(ImapCommand[AppendUid | None]):
    """RFC 3501 6.3.11: a message is put into a mailbox.

    C: A003 APPEND saved-messages (\\Seen) {310}
    S: + Ready for literal data
    C: (the message)
    S: A003 OK APPEND completed

    *message* is the whole of it, or ``Streamed(size)`` if you send it in Chunks; *date*
    becomes its INTERNALDATE, in whole seconds.  The result is the AppendUid that a
    server with UIDPLUS tells (RFC 4315), else ``None``.
    """

    verb = b"APPEND"
    wire = ("mailbox", "flags", "date", "message")
    mailbox: kinds.Mailbox
    message: _Message = field(repr=False)
    flags: kinds.Flags = ()
    date: _Moment = None

    def result(self, answer: Reply, parts: list[Any]) -> AppendUid | None:
        return answer.code if isinstance(answer.code, AppendUid) else None

    def masked(self) -> bytes:
        """Without the message."""
        *line, last = self.write()
        assert not isinstance(last, bytes)
        size = last.size if isinstance(last, Streamed) else len(last.data)
        return inline((*line, b"{%d}" % size))
