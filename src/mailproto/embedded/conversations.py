"""What was said at a MailServer's ports, for whoever asks why a test failed."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from threading import Lock
from typing import Final
from weakref import WeakKeyDictionary, ref

from .._connection import Connection
from .._recording import KEPT, Piece, Recording, transcript_lines
from ..services import SERVICES

REMEMBERED: Final = 200  # conversations; the oldest are forgotten first


@dataclass(frozen=True, slots=True)
class Conversation:
    """One connection, as far as it has come; ``str`` of it is a transcript.

    # smtp, from 127.0.0.1:40123
    S: 220 localhost mailproto ready
    C: EHLO client.example

    Secrets are masked.  Of each message there are a few lines, unless *whole* is asked
    for; of a long session the beginning and the end, in 64 KiB.
    """

    service: str
    #: where the client is; ``None``: it went before it was met
    peer: tuple[str, int] | None
    pieces: tuple[Piece, ...] = field(repr=False)
    over: bool = False  #: whether the server is done with it

    @property
    def lines(self) -> tuple[str, ...]:
        """What was said; the first line of the text is not among them."""
        return tuple(transcript_lines(self.pieces))

    def text(self, *, whole: bool = False) -> str:
        """The transcript; with *whole*, all of the messages that was kept."""
        where = "" if self.peer is None else f", from {self.peer[0]}:{self.peer[1]}"
        lines = transcript_lines(self.pieces, whole=whole)
        return "\n".join((f"# {self.service}{where}", *lines, ""))

    def __str__(self) -> str:
        return self.text()


class _Entry:
    __slots__ = ("_conn", "ended", "peer", "recording", "service")

    def __init__(self, service: str, conn: Connection[object, object]) -> None:
        self.service = service
        self.peer: tuple[str, int] | None = None
        self.recording = Recording(SERVICES[service].protocol, kept=KEPT)
        self.ended = False
        self._conn = ref(conn)

    @property
    def over(self) -> bool:
        """Of who failed in the handshake nobody tells that it has ended."""
        return self.ended or self._conn() is None


class Conversations:
    """Those of one server, in the order in which they were opened."""

    def __init__(self, *, recorded: bool) -> None:
        self._recorded = recorded
        self._lock = Lock()
        self._entries: deque[_Entry] = deque(maxlen=REMEMBERED)
        self._entry_of: WeakKeyDictionary[Connection[object, object], _Entry]
        self._entry_of = WeakKeyDictionary()

    def begin(self, service: str, conn: Connection[object, object]) -> None:
        """Listen to what *conn* says and hears from now on."""
        entry = self._entry_of[conn] = _Entry(service, conn)
        if not self._recorded:
            return
        conn.tap = entry.recording.heard
        with self._lock:
            self._entries.append(entry)

    def meet(self, conn: Connection[object, object], peer: tuple[str, int]) -> None:
        self._entry_of[conn].peer = peer

    def end(self, conn: Connection[object, object]) -> None:
        """Nothing more is said, whoever closes the connection."""
        self._entry_of[conn].ended = True

    def forget(self) -> None:
        """Keep those only that still go on."""
        with self._lock:
            going = [entry for entry in self._entries if not entry.over]
            self._entries.clear()
            self._entries.extend(going)

    def all(self) -> list[Conversation]:
        """As they stand; from any thread."""
        with self._lock:
            entries = list(self._entries)
        return [
            Conversation(each.service, each.peer, each.recording.pieces, each.over)
            for each in entries
        ]
