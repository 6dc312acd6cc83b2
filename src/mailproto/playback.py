"""Transcripts of sessions: recorded, and played against whatever speaks mail.

    conn = smtp.Client()
    recording = record(conn)
    with sync.connect(conn, "localhost", 2525) as session: ...
    recording.save("session.txt")

    with played("session.txt") as server:            # plays the server
        smtplib.SMTP(server.host, server.port) ...
    play("session.txt", "localhost", 2525)           # plays the client

What varies from one session to the next is not compared:

    the tags of IMAP             each tag of the transcript stands for the other's
    ``****``                     stands for anything within its line
    the argument of EHLO         and of HELO and LHLO
    ``Date:``, ``Message-ID:``   the header fields that clients make up
    upper or lower case          in the verb of a command

All else that differs is a ``Deviates``, and the end of the session.
"""

from __future__ import annotations

import re
import socket
import ssl
import threading
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import Any, Final, NamedTuple

from ._connection import Connection
from ._recording import MASK, Recording, transcript_lines, write_line
from .services import Protocol
from .testing import read_lines

RECORDED: Final = 67_108_864  # octets of a session that is recorded
TIMEOUT: Final = 10.0  # seconds that the other side may be silent

_ABBREVIATED: Final = re.compile(r"# (?:\.\.\. )?[0-9]+ octets (?:more|were not kept)")
_TAGGED: Final = re.compile(rb"([^ ]+)( .*)", re.S)
_VARIES: Final = re.compile(rb"((?:EHLO|HELO|LHLO) |(?:Date|Message-ID):).*", re.I)
_CHALLENGE: Final = re.compile(rb"(\+ |334 )\*\*\*\*\Z")


class Deviates(AssertionError):
    """The other side did not say what stands in the transcript, in line *number*.

    *got* is ``None`` where it said nothing more.
    """

    def __init__(self, number: int, expected: str, got: str | None) -> None:
        said = "nothing more" if got is None else repr(got)
        what = f"line {number} of the transcript: expected {expected!r}, got {said}"
        super().__init__(what)
        self.number = number
        self.expected = expected
        self.got = got


# -- record ----------------------------------------------------------------------


class Transcript:
    """What a connection says and hears from now on; secrets are masked."""

    def __init__(self, protocol: Protocol, kept: int) -> None:
        self._recording = Recording(protocol, kept=kept)
        self.heard = self._recording.heard  #: for the ``tap`` of a connection

    def text(self, *, whole: bool = True) -> str:
        """As far as it has come; without *whole*, few lines of each message."""
        lines = transcript_lines(self._recording.pieces, whole=whole)
        return "".join(line + "\n" for line in lines)

    def __str__(self) -> str:
        return self.text()

    def save(self, path: str | PathLike[str]) -> None:
        """Write it into a file that can be played."""
        Path(path).write_text(self.text(), encoding="utf-8", newline="\n")


def record(conn: Connection[Any, Any], *, kept: int = RECORDED) -> Transcript:
    """Record what *conn*, of any role and under any adapter, says from now on.

    At most *kept* octets are kept, and a quarter of that of one message.
    """
    for kind in type(conn).__mro__:
        house, _, rest = kind.__module__.partition(".")
        room = rest.partition(".")[0]
        if house == __package__ and room in [*Protocol]:
            transcript = Transcript(Protocol(room), kept)
            conn.tap = transcript.heard
            return transcript
    raise ValueError(f"{type(conn).__name__} speaks no protocol that is known")


# -- play ------------------------------------------------------------------------


class _Line(NamedTuple):
    number: int
    side: str
    data: bytes


def _read(transcript: str | PathLike[str]) -> list[_Line]:
    """The lines of a text, or of a file: what has more than one line is a text."""
    if isinstance(transcript, str) and "\n" in transcript:
        text = transcript
    else:
        text = Path(transcript).read_text(encoding="utf-8")
    for number, line in enumerate(text.split("\n"), 1):
        if _ABBREVIATED.fullmatch(line):
            raise ValueError(f"line {number} of the transcript: it is not whole")
    return [
        _Line(number, "C" if side == "X" else side, data)
        for number, side, data in read_lines(text)
    ]


@dataclass(slots=True)
class _Wire:
    """A socket that is read by lines; only CRLF ends one."""

    sock: socket.socket
    data: bytearray = field(default_factory=bytearray)
    seen: int = 0  # octets that have no CRLF in them

    def close(self) -> None:
        self.sock.close()

    def hear_no_more(self) -> None:
        """From another thread: what waits for a line finds the end."""
        with suppress(OSError):  # it is closed
            socket.socket.shutdown(self.sock, socket.SHUT_RD)  # TLS left as it is

    def take_line(self) -> bytes | None:
        """``None`` at the end; what has no CRLF then is lost."""
        while (end := self.data.find(b"\r\n", max(self.seen - 1, 0))) < 0:
            self.seen = len(self.data)
            try:
                more = self.sock.recv(65536)
            except (TimeoutError, ConnectionError):
                return None
            if not more:
                return None
            self.data += more
        self.seen = 0
        line = bytes(self.data[:end])
        del self.data[: end + 2]
        return line


class _Player:
    """Says the lines of one side, and compares those of the other."""

    def __init__(
        self,
        lines: list[_Line],
        ours: str,
        tls: ssl.SSLContext | None,
        secrets: Iterable[str] = (),
    ) -> None:
        self._lines = lines
        self._ours = ours
        self._tls = tls
        self._secrets = iter(secrets)
        first = next((line.data for line in lines if line.side == "S"), b"")
        self._tagged = first.startswith(b"*")  # it is IMAP
        self._tags: dict[bytes, bytes] = {}  # of the transcript: the other's

    def play(self, wire: _Wire, hostname: str | None = None) -> None:
        """All of it; raises Deviates."""
        for line in self._lines:
            if line.side == "TLS":
                assert self._tls is not None
                wire.sock = self._tls.wrap_socket(
                    wire.sock,
                    server_side=self._ours == "S",
                    server_hostname=hostname,
                )
            elif line.side == self._ours:
                with suppress(ConnectionError):  # who is gone says nothing more
                    wire.sock.sendall(self._said(line) + b"\r\n")
            else:
                got = wire.take_line()
                if got is None or not self._matches(line.data, got):
                    said = None if got is None else write_line(got)
                    raise Deviates(line.number, write_line(line.data), said)

    def play_to_one(self, listener: socket.socket, met: list[_Wire]) -> None:
        """All of it to who comes, who is *met* then; and nothing more may be said."""
        sock, _ = listener.accept()
        sock.settimeout(listener.gettimeout())
        with closing(_Wire(sock)) as wire:
            met.append(wire)
            self.play(wire)
            more = wire.take_line()
        if more is not None:
            end = self._lines[-1].number + 1 if self._lines else 1
            raise Deviates(end, "nothing more", write_line(more))

    def _said(self, line: _Line) -> bytes:
        if self._ours == "S":
            # A challenge is empty: what it was, nobody can tell.
            said = _CHALLENGE.sub(rb"\1", line.data)
            found = _TAGGED.match(said)
            if found and found[1] in self._tags:
                return self._tags[found[1]] + found[2]
            return said
        if MASK not in line.data:
            return line.data
        secret = next(self._secrets, None)
        if secret is None:
            what = "has a secret that you did not give"
            raise ValueError(f"line {line.number} of the transcript {what}")
        return line.data.replace(MASK, secret.encode(), 1)

    def _matches(self, expected: bytes, got: bytes) -> bool:
        if self._tagged and self._ours == "S":
            ours, other = _TAGGED.match(expected), _TAGGED.match(got)
            if (
                ours
                and other
                and self._tags.get(ours[1], other[1]) == other[1]
                and _is_same(ours[2].lstrip(), other[2].lstrip())
            ):
                self._tags[ours[1]] = other[1]
                return True
        return _is_same(expected, got)


def _is_same(expected: bytes, got: bytes) -> bool:
    if found := _VARIES.match(expected):
        return got[: found.end(1)].upper() == found[1].upper()
    verb, space, rest = expected.partition(b" ")
    if verb.upper() != got[: len(verb)].upper() and MASK not in verb:
        return False
    if MASK not in expected:
        return space + rest == got[len(verb) :]
    pattern = b".*".join(map(re.escape, expected.split(MASK)))
    return re.fullmatch(pattern, got, re.S | re.I) is not None


def _check_tls(lines: list[_Line], tls: ssl.SSLContext | None) -> None:
    if tls is None and any(line.side == "TLS" for line in lines):
        raise ValueError("there is TLS in the transcript: give a context, tls=")


class Played:
    """The server of ``played``: where it listens."""

    def __init__(self, host: str, port: int) -> None:
        self.host: Final = host
        self.port: Final = port


@contextmanager
def played(
    transcript: str | PathLike[str],
    *,
    tls: ssl.SSLContext | None = None,
    timeout: float = TIMEOUT,
) -> Iterator[Played]:
    """Play the server of *transcript*, a file or a text, to one client.

    At the end all of it must have been played: else Deviates is raised, in the place
    of what the client raised when it was cut off.  A challenge that was masked is sent
    empty.  Raises ValueError for a transcript that cannot be played.
    """
    lines = _read(transcript)
    _check_tls(lines, tls)
    player = _Player(lines, "S", tls)
    failures: list[BaseException] = []
    met: list[_Wire] = []

    def serve() -> None:
        try:
            player.play_to_one(listener, met)
        except BaseException as error:
            failures.append(error)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(timeout)
        thread = threading.Thread(target=serve, name="played", daemon=True)
        thread.start()
        try:
            yield Played(*listener.getsockname())
        finally:
            if not met and not failures:  # a client that comes now says nothing
                with suppress(OSError):
                    socket.create_connection(listener.getsockname(), timeout).close()
            for wire in met:
                wire.hear_no_more()
            thread.join()
            if failures:
                raise failures[0]


def play(
    transcript: str | PathLike[str],
    host: str,
    port: int,
    *,
    tls: ssl.SSLContext | None = None,
    secrets: Iterable[str] = (),
    timeout: float = TIMEOUT,
) -> None:
    """Play the client of *transcript*, a file or a text, to the server at *port*.

    Each ``****`` that the client says is the next of *secrets*.  Raises Deviates;
    ValueError for a transcript that cannot be played; OSError.
    """
    lines = _read(transcript)
    _check_tls(lines, tls)
    with closing(_Wire(socket.create_connection((host, port), timeout))) as wire:
        _Player(lines, "C", tls, secrets).play(wire, host)
