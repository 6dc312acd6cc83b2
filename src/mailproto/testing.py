"""For tests of whatever speaks mail: two ends on a wire in memory, and transcripts.

A ``Pair`` carries bytes between two connections, cut as you like, and does the TLS
handshakes that they ask for.  A transcript is text that people read too:

    # RFC 1939 7, APOP
    S: +OK POP3 server ready <1896.697170952@dbc.mtview.ca.us>
    C: APOP mrose c4c9334bac560ecc979e58001b3e22fb
    S: +OK maildrop has 1 message (369 octets)

Lines of comment begin with ``#``; a line ``TLS`` stands for a handshake.  ``X:`` is
what a client says that is not ours, for ours would refuse.  ``\\xHH`` is an octet,
``\\\\`` a backslash; every line ends with CRLF on the wire.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Generic, Literal, TypeVar

from ._command import Closed
from ._connection import Connection, Signal
from .errors import MailError

Client = TypeVar("Client", bound=Connection[Any, Any])
Server = TypeVar("Server", bound=Connection[Any, Any])

Side = Literal["C", "S", "X", "TLS"]
Cut = Callable[[bytes], Iterator[bytes]]


def whole(data: bytes) -> Iterator[bytes]:
    yield data


def bytewise(data: bytes) -> Iterator[bytes]:
    for i in range(len(data)):
        yield data[i : i + 1]


def cut_at(position: int) -> Cut:
    """Cut the stream once, behind its first *position* octets."""
    left = position

    def cut(data: bytes) -> Iterator[bytes]:
        nonlocal left
        if 0 < left < len(data):
            yield data[:left]
            yield data[left:]
        else:
            yield data
        left -= len(data)

    return cut


@dataclass(frozen=True, slots=True)
class Step:
    """What one side says before the other does; ``TLS`` is said by both."""

    side: Side
    lines: tuple[bytes, ...] = ()

    @property
    def data(self) -> bytes:
        return b"".join(line + b"\r\n" for line in self.lines)


_LINE = re.compile(r"(?P<side>[CSX]):(?: (?P<said>.*))?|TLS")


def read_lines(text: str) -> Iterator[tuple[int, Side, bytes]]:
    """The lines of a transcript with their numbers; ValueError for what is none."""
    for number, line in enumerate(text.split("\n"), 1):
        if not line or line.startswith("#"):
            continue
        found = _LINE.fullmatch(line)
        if found is None:
            raise ValueError(f"line {number} of the transcript: {line!r}")
        side: Any = found["side"] or "TLS"
        yield number, side, _read_line(found["said"] or "")


def read_transcript(text: str) -> list[Step]:
    """The steps of a transcript; raises ValueError for a line that is none."""
    return [
        Step(side, () if side == "TLS" else tuple(line for _, _, line in lines))
        for side, lines in groupby(read_lines(text), key=lambda line: line[1])
    ]


def _read_line(text: str) -> bytes:
    def octet(found: re.Match[bytes]) -> bytes:
        return bytes([int(found[1], 16)]) if found[1] else b"\\"

    return re.sub(rb"\\x([0-9A-Fa-f]{2})|\\\\", octet, text.encode())


def events(conn: Connection[Any, Any]) -> list[Any]:
    """What *conn* makes of the bytes that it has, up to a signal.

    An error ends the list, as its last member.
    """
    got: list[Any] = []
    while True:
        try:
            event = conn.next_event()
        except MailError as error:
            return [*got, error]
        if isinstance(event, Signal):
            return got
        got.append(event)
        if isinstance(event, Closed):
            return got


class Pair(Generic[Client, Server]):
    """A client, a server, and the wire between them.

    *cut* is made for each direction, and says in what pieces the bytes arrive.
    """

    def __init__(
        self, client: Client, server: Server, cut: Callable[[], Cut] = lambda: whole
    ) -> None:
        self.client = client
        self.server = server
        self._to_server = cut()
        self._to_client = cut()

    def pump(self) -> None:
        """Carry what is written, both ways; shake hands when both ends wait for it."""
        for source, target, cut in (
            (self.client, self.server, self._to_server),
            (self.server, self.client, self._to_client),
        ):
            for data in source.data_to_send():
                for piece in cut(bytes(data)) if data else ():
                    target.receive_data(piece)

    def client_events(self) -> list[Any]:
        """Carry, and take the client's events."""
        self.pump()
        got = events(self.client)
        self.handshake()
        return got + events(self.client)

    def server_events(self) -> list[Any]:
        """Carry, and take the server's events."""
        self.pump()
        got = events(self.server)
        self.handshake()
        return got

    def handshake(self) -> None:
        """TLS starts, if both ends wait for it."""
        if self.client.tls_due and self.server.tls_due:
            self.client.tls_started()
            self.server.tls_started()
