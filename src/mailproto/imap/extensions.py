"""What an IMAP client says to servers with extensions: one small class each.

UID EXPUNGE is ``Expunge(messages)``; SASL-IR is what ``Authenticate`` has as *initial*.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Self

from .._command import GoAhead
from . import kinds
from .codes import CopyUid, Data
from .grammar import (
    Cursor,
)
from .mailboxes import NamespaceData
from .messages import ToMailbox
from .replies import Reply
from .responses import Enabled, IdData
from .tokens import Id as Pairs
from .tokens import check_id, take_id, write_id
from .verbs import ImapCommand


@dataclass(frozen=True, slots=True)
class Idle(ImapCommand[Reply]):
    """RFC 2177 3: the server tells news by itself until the client says DONE.

    C: A002 IDLE
    S: + idling
    S: * 4 EXISTS
    C: DONE
    S: A002 OK IDLE terminated
    """

    verb = b"IDLE"
    extension = "IDLE"

    def claims(self, event: object) -> bool:
        """All that comes untagged meanwhile, and the ``+``."""
        if isinstance(event, GoAhead):
            return event.call.command is self
        return isinstance(event, Data | Reply)


@dataclass(frozen=True, slots=True)
class Done:
    """RFC 2177 3: the end of IDLE.  It is a line without a tag, not a command."""

    def masked(self) -> bytes:
        """What a transcript may show."""
        return b"DONE"

    def write(self) -> bytes:
        """The whole line, CRLF included."""
        return b"DONE\r\n"

    @classmethod
    def read(cls, line: bytes) -> Self:
        """Of the line without its CRLF; raises ValueError."""
        if line.upper() != b"DONE":
            raise ValueError("DONE is expected")
        return cls()


@dataclass(frozen=True, slots=True)
class Namespace(ImapCommand[NamespaceData]):
    """RFC 2342 5: where mailboxes are, one's own and others'.

    C: A001 NAMESPACE
    S: * NAMESPACE (("" "/")) NIL NIL
    S: A001 OK NAMESPACE command completed
    """

    verb = b"NAMESPACE"
    extension = "NAMESPACE"
    data = NamespaceData


@dataclass(frozen=True, slots=True)
class Unselect(ImapCommand[Reply]):
    """RFC 3691 2: the mailbox is left, and nothing is expunged, ``UNSELECT``."""

    verb = b"UNSELECT"
    extension = "UNSELECT"


class Move(ToMailbox):
    """RFC 6851 3: messages are moved, all or none.

    C: a UID MOVE 42:69 foo
    S: * OK [COPYUID 432432 42:69 1202:1229]
    S: * 22 EXPUNGE
    S: a OK Done

    The result is the CopyUid that a server with UIDPLUS tells, or ``None``.
    """

    __slots__ = ()
    verb = b"MOVE"
    extension = "MOVE"

    def claims(self, event: object) -> bool:
        """The untagged COPYUID (RFC 6851 4.3).  The EXPUNGEs are news."""
        return isinstance(event, Reply) and isinstance(event.code, CopyUid)


def _take_fields(cursor: Cursor) -> Pairs | None:
    fields = take_id(cursor)
    check_id(fields or ())
    return fields


_Fields = Annotated[
    Pairs | None,
    kinds.Kind(lambda fields, _: check_id(fields or ()), write_id, _take_fields),
]


@dataclass(frozen=True, slots=True)
class Id(ImapCommand[IdData]):
    """RFC 2971 3.1: who the client is, and who is the server?

    C: a023 ID ("name" "sodr" "version" "19.34")
    S: * ID NIL
    S: a023 OK ID completed

    *fields* are pairs of a name and a value; ``None`` tells nothing, ``NIL``.
    """

    verb = b"ID"
    extension = "ID"
    data = IdData
    fields: _Fields = None

    @classmethod
    def of(cls, **fields: str | None) -> Self:
        """``Id.of(name="sodr", version="19.34")``."""
        return cls(tuple(fields.items()))


@dataclass(frozen=True, slots=True, init=False)
class Enable(ImapCommand[Enabled]):
    """RFC 5161 3.1: extensions that change what the server says are wanted.

    C: t2 ENABLE CONDSTORE X-GOOD-IDEA
    S: * ENABLED X-GOOD-IDEA
    S: t2 OK foo
    """

    verb = b"ENABLE"
    extension = "ENABLE"
    data = Enabled
    capabilities: kinds.Atoms

    def __init__(self, *capabilities: str) -> None:
        kinds.hold(self, capabilities)
        self.__post_init__()

    def result(self, answer: Reply, parts: list[Any]) -> Enabled:
        """What has been enabled; nothing if the server told nothing."""
        return Enabled(*(name for part in parts for name in part.capabilities))
