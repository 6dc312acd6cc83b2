"""What crossed the wire in one session, without its secrets, in constant memory.

A ``Recording`` is told the octets of both sides as they go by (``Connection.tap``), and
keeps them as the pieces of a transcript.  It knows just enough of each protocol to tell
three things apart:

    a line with a secret   is masked before it is kept: ``PASS ****``, ``334 ****``
    a body                 a message, a literal, a list: ends by count or by a dot
    the rest               is kept as it is, octet by octet

Of a long session the beginning and the end are kept; of a long body, the beginning.
Where a mask is in doubt it is put: within a log-in all lines of the client's have one.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from threading import Lock
from typing import Final

from .services import Protocol

KEPT: Final = 65_536  # octets of one session
LINE: Final = 8192  # octets of one line; what is beyond is counted
SHOWN: Final = 8  # lines of a message that an abbreviated transcript has
SHOWN_OCTETS: Final = 1024  # the same, in octets
_COST: Final = 64  # octets that a piece is counted for, besides its own
_PIPELINED: Final = 1000  # commands of POP3 whose answers are awaited

MASK: Final = b"****"
_DOT: Final = b"\r\n.\r\n"

_POP3_SECRET: Final = re.compile(rb" *(PASS|APOP +[^ ]+|AUTH +[^ ]+)(.*)", re.I | re.S)
_SMTP_SECRET: Final = re.compile(rb" *(AUTH +[^ ]+)(.*)", re.I | re.S)
_IMAP_SECRET: Final = re.compile(
    rb" *(([^ ]+) +(?:LOGIN|(AUTHENTICATE) +[^ ]+))(.*)", re.I | re.S
)
_BDAT: Final = re.compile(rb"BDAT +([0-9]{1,18})(?: |\Z)", re.I)
_LITERAL: Final = re.compile(rb"~?\{([0-9]{1,18})(\+?)\}\Z")
_STATUS: Final = re.compile(rb"[^ ]+ (?:OK|NO|BAD|BYE|PREAUTH)\b|\+(?: |\Z)", re.I)
_LISTS: Final = frozenset({b"LIST", b"UIDL", b"CAPA", b"AUTH"})
_MESSAGES: Final = frozenset({b"RETR", b"TOP"})
_LOGIN: Final = b"AUTH with a mechanism"


@dataclass(frozen=True, slots=True)
class Piece:
    """Some octets of one side, ``C`` or ``S``; or ``TLS``, or a remark (``#``).

    *missing* octets of a line or a body came behind them and were not kept.
    """

    side: str
    data: bytes = field(repr=False)
    body: bool = False  #: a message, or a part of one
    missing: int = 0


class _Stream:
    """What one side says: where it stands between lines and bodies."""

    __slots__ = ("dots", "kept", "left", "letter", "missing", "side", "tail")

    def __init__(self, side: str) -> None:
        self.side = side
        self.kept = bytearray()  # of what is not over: a line, or a body
        self.missing = 0  # octets of it that were not kept
        self.left = 0  # octets of a body that are to come
        self.dots = False  # what comes goes on up to a dot
        self.letter = True  # and it is a message, not a list
        self.tail = b""  # its last octets

    def begin_dots(self, *, letter: bool) -> None:
        self.dots, self.letter = True, letter
        self.tail = (b"\r\n" + self.kept)[-4:]

    def begin_octets(self, size: int) -> None:
        self.left, self.letter = size, True

    def keep(self, data: bytes, most: int) -> None:
        room = max(most - len(self.kept), 0)
        self.kept += data[:room]
        self.missing += max(len(data) - room, 0)

    def take(self) -> tuple[bytes, int]:
        """What is over, and how much of it is missing."""
        taken = bytes(self.kept), self.missing
        self.kept.clear()
        self.missing = 0
        return taken


class Recording:
    """The pieces of one session; ``heard`` is for the ``tap`` of a connection.

    *kept* octets of it are, and a quarter of that of each body.
    """

    def __init__(self, protocol: Protocol, *, kept: int = KEPT) -> None:
        self.protocol: Final = protocol
        self._kept = kept
        self._lock = Lock()
        self._first: list[Piece] = []
        self._room = kept // 2  # for the first
        self._last: deque[Piece] = deque()
        self._size = 0  # of the last
        self._dropped = 0  # octets between them
        self._client = _Stream("C")
        self._server = _Stream("S")
        self._closed = ""  # the sides that have
        self._login: bytes | None = None  # one goes on; in IMAP, its tag
        self._owed = False  # what the client says next answers a challenge
        # POP3: what the answers that are to come will answer; the greeting, nothing.
        self._asked: deque[bytes] = deque([b""])
        # IMAP: the command that goes on behind a literal
        self._tag: bytes | None = None
        self._hidden = False  # and there is a secret in it
        self._held = False  # and its literal waits for a "+"

    @property
    def pieces(self) -> tuple[Piece, ...]:
        """What is over, in its order; from any thread."""
        with self._lock:
            gap = b"%d octets were not kept" % self._dropped
            between = [Piece("#", gap)] if self._dropped else []
            return (*self._first, *between, *self._last)

    # -- in --------------------------------------------------------------------

    def heard(self, side: str, data: bytes) -> None:
        """*side* is ``C`` or ``S``, or ``TLS`` where a handshake has ended.

        No *data*: that side has closed the connection.
        """
        with self._lock:
            if side == "TLS":
                self._break_off()
                self._keep(Piece("TLS", b""))
            elif data:
                self._feed(self._client if side == "C" else self._server, data)
            elif side not in self._closed:
                self._closed += side
                self._break_off()
                self._keep(Piece("#", side.encode() + b" closes the connection"))

    def _feed(self, stream: _Stream, data: bytes) -> None:
        at = 0
        while at < len(data):
            if stream.dots:
                at = self._take_dots(stream, data, at)
            elif stream.left:
                end = min(at + stream.left, len(data))
                stream.left -= end - at
                stream.keep(data[at:end], self._kept // 4)
                at = end
                if not stream.left:
                    self._end_body(stream)
            else:
                at = self._take_line(stream, data, at)

    def _take_line(self, stream: _Stream, data: bytes, at: int) -> int:
        """One line, or a part of one; gives where the next begins."""
        if stream.kept.endswith(b"\r") and data[at] == 0x0A:
            end = at + 1
        else:
            end = data.find(b"\r\n", at) + 2
            if end == 1:
                stream.keep(data[at:], LINE)
                return len(data)
        stream.keep(data[at:end], LINE)
        line, missing = stream.take()
        self._understand(stream, line.removesuffix(b"\r\n"), b"\r\n", missing)
        return end

    def _take_dots(self, stream: _Stream, data: bytes, at: int) -> int:
        """What comes up to a dot on a line, or all that there is."""
        before = stream.tail
        found = (before + data[at : at + 4]).find(_DOT)
        if found >= 0:
            end = at + found - len(before) + len(_DOT)
        else:
            end = data.find(_DOT, at) + len(_DOT)
        if end < len(_DOT) and found < 0:
            stream.tail = (before + data[max(at, len(data) - 4) :])[-4:]
            stream.keep(data[at:], self._kept // 4)
            return len(data)
        stream.keep(data[at:end], self._kept // 4)
        self._end_body(stream)
        return end

    def _end_body(self, stream: _Stream) -> None:
        data, missing = stream.take()
        ended, stream.dots = stream.dots, False
        if self._hidden and stream is self._client:
            return
        if ended:  # the dot is seen, whatever else is not
            size = len(data) + missing - 3
            data, missing = data[:size], size - len(data[:size])
        self._keep(Piece(stream.side, data, stream.letter, missing))
        if ended:
            self._keep(Piece(stream.side, b".\r\n"))

    def _break_off(self) -> None:
        """Nothing more comes of what has come in part."""
        for stream in (self._client, self._server):
            if stream.dots or stream.left:
                stream.dots = False
                self._end_body(stream)
            elif stream.kept:
                line, missing = stream.take()
                self._understand(stream, line, b"", missing)
            stream.left = 0

    def _keep(self, piece: Piece) -> None:
        size = len(piece.data) + _COST
        if size <= self._room:
            self._room -= size
            self._first.append(piece)
            return
        self._room = 0
        self._last.append(piece)
        self._size += size
        while self._size > self._kept // 2 and len(self._last) > 1:
            gone = self._last.popleft()
            self._size -= len(gone.data) + _COST
            self._dropped += len(gone.data) + gone.missing

    # -- what a line means -----------------------------------------------------

    def _understand(
        self, stream: _Stream, line: bytes, end: bytes, missing: int
    ) -> None:
        if stream is self._server:
            match self.protocol:
                case Protocol.POP3:
                    line = self._pop3_reply(line)
                case Protocol.IMAP:
                    line = self._imap_response(line)
                case _:
                    line = self._smtp_reply(line)
        elif self._hidden:
            self._hidden = self._announces(line)
            line = MASK
        elif self._owed or self._login is not None:
            self._owed = False
            line = line if line == b"*" else MASK
        else:
            match self.protocol:
                case Protocol.POP3:
                    line = self._pop3_command(line)
                case Protocol.IMAP:
                    line = self._imap_command(line)
                case _:
                    line = self._smtp_command(line)
        self._keep(Piece(stream.side, line + end, missing=missing))

    def _pop3_command(self, line: bytes) -> bytes:
        verb, _, argument = line.upper().partition(b" ")
        found = _POP3_SECRET.match(line)
        if found and verb == b"AUTH":
            self._login = verb = _LOGIN
        elif verb in _LISTS and argument:
            verb = b""
        if len(self._asked) < _PIPELINED:
            self._asked.append(verb)
        return _masked(found[1], found[2]) if found else line

    def _pop3_reply(self, line: bytes) -> bytes:
        if line == b"+" or line.startswith(b"+ "):
            self._owed = True
            return b"+ " + MASK
        verb = self._asked.popleft() if self._asked else b""
        if verb is _LOGIN:
            self._login = None
        if line[:3].upper() == b"+OK" and verb in _LISTS | _MESSAGES:
            self._server.begin_dots(letter=verb in _MESSAGES)
        return line

    def _smtp_command(self, line: bytes) -> bytes:
        if found := _SMTP_SECRET.match(line):
            self._login = _LOGIN
            return _masked(found[1], found[2])
        if found := _BDAT.match(line):
            self._client.begin_octets(int(found[1]))
        return line

    def _smtp_reply(self, line: bytes) -> bytes:
        code, more = line[:3], line[3:4] == b"-"
        if code == b"334":
            self._owed = True
            return b"334 " + MASK
        if not more:
            self._login = None
        if code == b"354" and not more:
            self._client.begin_dots(letter=True)
        return line

    def _imap_command(self, line: bytes) -> bytes:
        found = None
        if self._tag is None:
            self._tag = line.partition(b" ")[0]
            found = _IMAP_SECRET.match(line)
        tag = self._tag
        more = self._announces(line)
        if found is None:
            return line
        if found[3]:
            self._login = tag
        self._hidden = more
        return _masked(found[1], found[4])

    def _announces(self, line: bytes) -> bool:
        """Whether a literal follows, and the command goes on behind it."""
        found = _LITERAL.search(line)
        if not found:
            self._tag = None
            return False
        self._client.begin_octets(int(found[1]))
        self._held = not found[2]
        return True

    def _imap_response(self, line: bytes) -> bytes:
        first = line.partition(b" ")[0]
        if first == b"+":
            self._held = False
            return b"+ " + MASK if self._login is not None else line
        if first == self._login:
            self._login = None
        if self._held and first == self._tag:  # the literal is refused
            self._tag, self._held, self._hidden = None, False, False
            self._client.left = 0
        found = None if _STATUS.match(line) else _LITERAL.search(line)
        if found:
            self._server.begin_octets(int(found[1]))
        return line


def _masked(said: bytes, secret: bytes) -> bytes:
    return said + b" " + MASK if secret.strip() else said


# -- as text ---------------------------------------------------------------------

_ODD: Final = re.compile("[\\\\\x00-\x1f\x7f-\x9f\u2028\u2029\udc80-\udcff]")


def write_line(line: bytes) -> str:
    """One line as a transcript has it; what no one can read is ``\\xHH``."""

    def octets(found: re.Match[str]) -> str:
        if found[0] == "\\":
            return "\\\\"
        return "".join(f"\\x{n:02x}" for n in found[0].encode(errors="surrogateescape"))

    return _ODD.sub(octets, line.decode(errors="surrogateescape"))


def transcript_lines(pieces: Iterable[Piece], *, whole: bool = False) -> list[str]:
    """The lines of the transcript; a message has few of its own unless *whole*."""
    lines: list[str] = []
    side, said = "", b""
    for piece in pieces:
        if piece.side != side:
            lines += _broken_off(side, said)
            side, said = piece.side, b""
        if side == "TLS":
            lines.append("TLS")
        elif side == "#":
            lines.append("# " + write_line(piece.data))
        else:
            data, missing = piece.data, piece.missing
            if piece.body and not whole:
                data = _beginning(data)
                missing += len(piece.data) - len(data)
            *ended, said = (said + data).split(b"\r\n")
            if missing and said:
                ended.append(said)
                said = b""
            lines += [f"{side}: {write_line(x)}" if x else f"{side}:" for x in ended]
            if missing:
                lines.append(f"# ... {missing} octets more")
    return lines + _broken_off(side, said)


def _broken_off(side: str, said: bytes) -> list[str]:
    return [f"# {side}: {write_line(said)}  (it breaks off here)"] if said else []


def _beginning(data: bytes) -> bytes:
    """The first lines of a message that is not short."""
    if len(data) <= SHOWN_OCTETS and data.count(b"\r\n") <= SHOWN:
        return data
    start = data[:SHOWN_OCTETS]
    return b"".join(line + b"\r\n" for line in start.split(b"\r\n")[:-1][:SHOWN])
