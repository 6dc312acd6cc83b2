"""What a command is worth, where the answer comes in several responses."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Self

from .._command import Chunk, Command, Deviation
from .codes import PermanentFlags, ResponseCode, UidNext, UidValidity, Unseen
from .fetch import FetchData, Items
from .grammar import Streamed
from .replies import LiteralBegins, Reply
from .responses import Exists, FlagsData, Recent
from .sets import SequenceSet, UidSet


@dataclass(frozen=True, slots=True)
class Selected:
    """RFC 3501 6.3.1: the mailbox that is selected now, as it was when it was opened.

    What the server did not tell is ``None``; without PERMANENTFLAGS all flags can be
    changed for good.  *codes* are those that have no field here.
    """

    read_only: bool
    exists: int = 0
    recent: int = 0
    flags: tuple[str, ...] = ()
    permanent_flags: tuple[str, ...] | None = None
    uid_validity: int | None = None
    uid_next: int | None = None
    unseen: int | None = None  #: sequence number of the first message without \Seen
    codes: tuple[ResponseCode, ...] = ()

    @staticmethod
    def tells(event: object) -> bool:
        """Whether *event* is part of the answer to SELECT."""
        if isinstance(event, Reply):
            code = event.code
            return event.ok and code is not None and code.name != "ALERT"
        return isinstance(event, (Exists, Recent, FlagsData))

    @classmethod
    def of(cls, events: Sequence[Any], *, read_only: bool) -> Self:
        """Of what ``tells``; where something was said twice, the last word is taken."""
        known: dict[str, Any] = {}
        codes: list[ResponseCode] = []
        for event in events:
            told: Any = event.code if isinstance(event, Reply) else event
            field = _FIELDS.get(type(told))
            if field is None:
                codes.append(told)
            else:
                known[field] = told.flags if field.endswith("flags") else told.number
        return cls(read_only, codes=tuple(codes), **known)


_FIELDS: Final[dict[type[Any], str]] = {
    Exists: "exists",
    Recent: "recent",
    FlagsData: "flags",
    PermanentFlags: "permanent_flags",
    UidValidity: "uid_validity",
    UidNext: "uid_next",
    Unseen: "unseen",
}


@dataclass(frozen=True, slots=True)
class Found:
    """RFC 3501 7.2.5: the messages that a SEARCH found, by number or by UID.

    ``found.messages`` is what a FETCH takes: a set of the right kind.
    """

    numbers: tuple[int, ...]
    uid: bool

    @property
    def messages(self) -> SequenceSet | UidSet | None:
        """All of them in as few ranges as can be; ``None`` if there are none."""
        if not self.numbers:
            return None
        return UidSet.of(self.numbers) if self.uid else SequenceSet.of(self.numbers)

    def __iter__(self) -> Iterator[int]:
        return iter(self.numbers)

    def __len__(self) -> int:
        return len(self.numbers)

    def __contains__(self, number: object) -> bool:
        return number in self.numbers


class Unclear:
    """Octets that more than one FETCH on its way may have asked for.

    A UID may be told behind them: then they wait for it, *most* octets at most.
    """

    __slots__ = ("_most", "_room", "events")

    def __init__(self, most: int) -> None:
        self._most = most
        self._room = most
        self.events: list[Any] = []  #: that wait

    def begins(self, event: LiteralBegins, commands: Iterable[Command[Any]]) -> bool:
        """Whether it is not clear which of *commands* what begins is for."""
        self._room = self._most
        claims = (command.claims(event) for command in commands)
        return event.uid is None and sum(claims) > 1

    def take(self, event: Any) -> list[Any]:
        """Nothing as yet; or all that waited, and *event*."""
        self.events.append(event)
        uid = getattr(event, "uid", None)
        if uid is None and isinstance(event, LiteralBegins | Chunk | Deviation):
            self._room -= len(event.data) if isinstance(event, Chunk) else 0
            if self._room >= 0:
                return []
        events, self.events = self.events, []
        return [
            replace(event, uid=uid) if isinstance(event, LiteralBegins) else event
            for event in events
        ]


def whole(parts: Iterable[Any]) -> list[FetchData]:
    """The FetchData among *parts*, with the octets that came before them in Chunks."""
    found: list[FetchData] = []
    bodies: dict[str, list[bytes]] = {}
    chunks: list[bytes] = []
    for part in parts:
        if isinstance(part, LiteralBegins):
            chunks = bodies[part.item] = []
        elif isinstance(part, Chunk):
            chunks.append(part.data)
        else:
            joined = _joined(part.number, part.items, bodies) if bodies else part
            found.append(joined)
            bodies = {}
    return found


def _joined(number: int, items: Items, bodies: dict[str, list[bytes]]) -> FetchData:
    octets = {name: b"".join(chunks) for name, chunks in bodies.items()}
    complete = {
        name: data
        for name, data in octets.items()
        if items.get(name) == Streamed(len(data))  # else they went elsewhere
    }
    return FetchData(number, items | complete)
