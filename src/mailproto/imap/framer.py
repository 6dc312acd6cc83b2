"""Responses out of bytes: where each one ends, and then what it means (RFC 3501 7).

Framing comes first and does not depend on meaning.  A response is a line; in data, but
not in the text of a status response, a line can end in the announcement of a literal,
and then the response goes on behind it:

    * OK hello {5}                          text: the response ends here
    * 1 FETCH (BODY[TEXT] {5}               data: five octets follow,
    abcde UID 4)                            and the response ends here

What then makes no sense is lost, by itself (``Malformed``), and the next response is
found all the same.

Literals of some length are kept out of the text that the grammar walks over, so they
are copied once, out of the reads in which they came.  One that is too long for that is
handed on as it comes, in Chunks, if it is the value of a FETCH item; any other is too
much.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from typing import Final, Protocol, TypeAlias

from .._buffer import AHEAD, ReceiveBuffer
from .._command import Chunk, Deviation
from ..errors import LimitExceeded
from .codes import Data
from .fetch import FetchData, streamed_item
from .grammar import GrammarError, Streamed, write_quoted
from .lines import announced
from .quick import PLAIN_SHAPE, Shape, shape_of
from .quirks import Quirk, Reader
from .replies import (
    Continue,
    LiteralBegins,
    Malformed,
    Reply,
    TaggedReply,
    take_bare_code,
)
from .responses import KINDS, UnknownData

Response: TypeAlias = Reply | TaggedReply | Continue | Data

_APART: Final = 4096  # octets of a literal that is kept out of the text
_SHAPES: Final = 4  # that one connection tries
_TAIL: Final = b")\r\n"  # of a response, behind its last literal
_NEVER_LITERAL: Final = (1, 26)  # octets of a delimiter, and of a date
_TRICKLE: Final = 16  # pieces of a literal, before they are gathered as they come
_LABELS: Final[dict[bytes, type[Data]]] = {**KINDS, FetchData.label: FetchData}
_NUMBERED: Final = frozenset({b"EXISTS", b"RECENT", b"EXPUNGE", b"FETCH"})

# Data: what begins with * and is no status response.  All else is text up to its CRLF.
_IS_DATA: Final = re.compile(
    rb"\* *+(?!(?i:OK|NO|BAD|BYE|PREAUTH)(?:[ \t]|\Z)|\[)", re.DOTALL
)
_LABEL: Final = re.compile(rb"(-?[0-9]{1,20}+ ++)?+([A-Za-z]++)(?=[ (]|\Z)")


class Limits(Protocol):
    """What of an IMAP client's limits is read here."""

    @property
    def response(self) -> int: ...
    @property
    def inline_literal(self) -> int: ...
    @property
    def response_literals(self) -> int: ...
    @property
    def streamed(self) -> int: ...


def read_response(reader: Reader) -> Response:
    """The one response that *reader* has, without its CRLF; raises GrammarError."""
    if reader.data.endswith(b"\r"):
        reader.tolerate(Quirk.STRAY_CR)
        reader.end -= 1
        reader.data = reader.data[:-1]
    match reader.peek():
        case b"*":
            return _read_untagged(reader)
        case b"+":
            return Continue.read(reader)
        case b"[":
            return take_bare_code(reader)
    return TaggedReply.read(reader)


def _read_untagged(reader: Reader) -> Response:
    is_data = _IS_DATA.match(reader.data)
    reader.expect(b"*")
    reader.expect_space()
    if is_data is None:
        if reader.peek() == b"[":
            return take_bare_code(reader)
        return Reply.read(reader)
    found = _LABEL.match(reader.data, reader.at)
    label = found[2].upper() if found else b""
    kind = _LABELS.get(label)
    if found is None or kind is None or (found[1] is None) is (label in _NUMBERED):
        return UnknownData.read(reader)
    if found[1] is None:
        reader.at = found.end()
    value = kind.read(reader)
    if found[1] is not None and kind is not FetchData:
        reader.expect_space()
        reader.at += len(label)
    reader.expect_end()
    return value


class ResponseReader:
    """The responses of one connection, one after the other.

    Tolerated faults are told, by a Deviation, just before the response that has them;
    *strict* tolerates none.
    """

    __slots__ = (
        "_ahead", "_count", "_data", "_found", "_gathered", "_left", "_length",
        "_limit", "_limits", "_literals", "_pieces", "_queue", "_shape", "_shapes",
        "_size", "_streaming", "_strict",
    )  # fmt: skip

    def __init__(self, limits: Limits, *, strict: bool = False) -> None:
        self._limits = limits
        self._strict = strict
        self._limit = limits.response
        self._queue: deque[Response | Malformed | Deviation] = deque()
        self._ahead: deque[tuple[Response, int]] = deque()  # with their octets
        self._shapes: list[Shape] = [PLAIN_SHAPE]  # the last one that fitted first
        self._begin()

    def _begin(self) -> None:
        """Expect a new response."""
        self._pieces: list[bytes] = []  # of its text: lines, short literals
        self._length = 0  # of those, in octets
        self._size = 0  # the same, with long literals that are kept
        self._data = False  # whether it can have literals
        self._literals: dict[int, bytes | Streamed] = {}
        self._count = 0  # of literals
        self._left = 0  # octets to come of the literal that comes
        self._gathered: list[bytes] | bytearray = []  # what is here of it
        self._streaming = False  # it is handed on instead
        self._shape: Shape | None = None  # it looks so
        self._found: re.Match[bytes] | None = None

    @property
    def unfinished(self) -> bool:
        """Whether something of a response was taken, and it has not ended."""
        return bool(self._pieces or self._queue)

    def read(
        self, buffer: ReceiveBuffer
    ) -> Response | Malformed | Deviation | LiteralBegins | Chunk | None:
        """The next of what *buffer* has; ``None`` if it is not all here.

        Takes nothing behind it.  Raises LimitExceeded.
        """
        if self._ahead:
            event, size = self._ahead.popleft()
            buffer.drop(size)
            return event
        if self._queue:
            return self._queue.popleft()
        if self._pieces:
            return self._go_on(buffer)
        for shape in self._shapes:
            found = buffer.take_match(shape.match, self._limit, "response")
            if found is None:
                continue
            if shape is not self._shapes[0]:
                self._prefer(shape)
            if shape.counted:
                begun = self._read_counted(shape, found, buffer)
                return begun or self._go_on(buffer)
            try:
                event = shape.read(found)
            except ValueError:
                buffer.untake(len(found[0]))
                break
            self._read_ahead(shape, buffer)
            return event
        return self._go_on(buffer)

    def _read_ahead(self, shape: Shape, buffer: ReceiveBuffer) -> None:
        """More of the same kind, that stay in *buffer* until they are handed over."""
        data, at, _ = buffer.at_hand()
        stop = at + AHEAD
        match, read, keep = shape.match, shape.read, self._ahead.append
        while at < stop:
            found = match(data, at)
            if found is None:
                return
            size = found.end() - at
            if size > self._limit:
                return
            try:
                keep((read(found), size))
            except ValueError:
                return
            at += size

    def _prefer(self, shape: Shape) -> None:
        """The next one may look like this."""
        self._shapes.remove(shape)
        self._shapes.insert(0, shape)

    def _read_counted(
        self, shape: Shape, found: re.Match[bytes], buffer: ReceiveBuffer
    ) -> Response | LiteralBegins | None:
        """What matched a shape goes on with a literal; mostly all of it is here."""
        size = int(found[found.lastindex or 0])
        data, start, _ = buffer.at_hand()
        end = start + size
        room = self._limit - len(found[0]) - len(_TAIL)
        if data.startswith(_TAIL, end) and size <= min(
            room, self._limits.inline_literal
        ):
            with suppress(ValueError):
                event = shape.read(found, data[start:end])
                buffer.drop(size + len(_TAIL))
                return event
        self._shape, self._found, self._data = shape, found, True
        self._add(found[0])
        return self._take_literal(size)

    def _add(self, text: bytes) -> None:
        self._pieces.append(text)
        self._length += len(text)
        self._size += len(text)

    def _go_on(
        self, buffer: ReceiveBuffer
    ) -> Response | Malformed | Deviation | LiteralBegins | Chunk | None:
        while True:
            if self._left:
                piece = buffer.take(self._left)
                if not piece:
                    return None
                self._left -= len(piece)
                if self._streaming:
                    return Chunk(piece)
                self._gather(piece)
                continue
            limit = self._limits.response
            line = buffer.take_line(limit - self._size, "response")
            if line is None:
                return None
            event = self._take_line(line)
            if event is not None:
                return event

    def _gather(self, piece: bytes) -> None:
        """Keep a piece of a literal, and the literal when that was the last."""
        if isinstance(self._gathered, bytearray):
            self._gathered += piece
        else:
            self._gathered.append(piece)
            if len(self._gathered) > _TRICKLE:
                self._gathered = bytearray().join(self._gathered)
        if self._left:
            return
        gathered = self._gathered
        literal = (
            bytes(gathered) if isinstance(gathered, bytearray) else b"".join(gathered)
        )
        self._gathered = []
        apart = len(literal) >= _APART or self._shape is not None
        if apart or literal[-1:] == b"\r":  # which might be taken for a stray one
            self._literals[self._length] = literal
            self._size += len(literal)
        else:
            self._add(literal)

    def _take_line(
        self, line: bytes
    ) -> Response | Malformed | Deviation | LiteralBegins | None:
        """What a line ends, or a literal that it announces begins."""
        if not self._pieces:
            self._data = _IS_DATA.match(line) is not None
        size = announced(line) if self._data else None
        if size is None:
            return self._end(line)
        self._add(line + b"\r\n")
        return self._take_literal(size)

    def _take_literal(self, size: int) -> LiteralBegins | None:
        """A literal of that *size* begins."""
        self._left = size
        self._streaming = False
        self._count += 1
        limits = self._limits
        allowed = limits.response_literals
        if self._count > allowed:
            what = "too many literals in one response"
            raise LimitExceeded("response_literals", allowed, what)
        room = limits.response - self._size
        return None if size <= min(limits.inline_literal, room) else self._stream(size)

    def _stream(self, size: int) -> LiteralBegins:
        """Hand the literal on, if it is one of a FETCH."""
        allowed = self._limits.streamed
        if size > allowed:
            raise LimitExceeded("streamed", allowed, "a literal too long")
        self._literals[self._length] = Streamed(size)
        found = streamed_item(self._reader(b"".join(self._pieces), strict=False))
        if found is None:
            allowed = self._limits.inline_literal
            raise LimitExceeded("inline_literal", allowed, "a literal too long")
        self._streaming = True
        number, item, uid = found
        return LiteralBegins(number, item, size, uid)

    def _reader(self, text: bytes, *, strict: bool) -> Reader:
        return Reader(text, strict=strict, literals=self._literals)

    def _end(self, line: bytes) -> Response | Malformed | Deviation:
        """The response that ends with *line*."""
        try:
            event = self._read_quickly(line)
        except ValueError:
            return self._understand(b"".join((*self._pieces, line)))
        if self._pieces:
            self._begin()
        return event

    def _read_quickly(self, line: bytes) -> Response:
        """One of several reads, or with literals, that has a shape all the same."""
        if self._shape is not None and line == b")":
            [literal] = self._literals.values()  # or ValueError, too
            return self._shape.read(self._found, literal)
        text = self._quoted(line) if self._pieces else line + b"\r\n"
        for shape in self._shapes:
            found = None if shape.counted else shape.match(text, 0)
            if found is not None:
                return shape.read(found)
        raise ValueError("no shape fits")

    def _quoted(self, line: bytes) -> bytes:
        """The response with quoted strings for literals, where that is the same."""
        pieces = self._pieces
        if len(pieces) != 2 * self._count:
            raise ValueError("a literal is long, or empty")
        text: list[bytes] = []
        for announcement, literal in zip(pieces[::2], pieces[1::2], strict=True):
            start = announcement.rindex(b"{")
            plain = announcement[start + 1 : -3].isdigit()
            if not plain or announcement.endswith(b"~{", 0, start + 1):
                raise ValueError("a literal of another kind")
            if len(literal) in _NEVER_LITERAL:
                raise ValueError("this may be for quoted strings alone")
            text += [announcement[:start], write_quoted(literal)]
        return b"".join((*text, line, b"\r\n"))

    def _understand(self, text: bytes) -> Response | Malformed | Deviation:
        """The event that a whole response makes, or the first of several."""
        reader = self._reader(text, strict=self._strict)
        try:
            if not text:
                reader.tolerate(Quirk.EMPTY_LINE)
                return Deviation(Quirk.EMPTY_LINE, b"\r\n")
            response = read_response(reader)
        except GrammarError as error:
            return Malformed(_raw(text, self._literals), self._placed(error))
        finally:
            if self._pieces:
                self._begin()
        if reader.quirks:
            raw = _raw(text, reader.literals)
            self._queue.extend(Deviation(quirk, raw) for quirk in reader.quirks)
            self._queue.append(response)
            return self._queue.popleft()
        if isinstance(response, FetchData):
            self._learn(response)
        return response

    def _placed(self, error: GrammarError) -> GrammarError:
        """The same with its position among all octets, those of long literals too."""
        before = sum(
            len(literal)
            for at, literal in self._literals.items()
            if isinstance(literal, bytes) and at <= error.position
        )
        return GrammarError(error.reason, error.position + before) if before else error

    def _learn(self, response: FetchData) -> None:
        """The next one may have the same items."""
        shape = shape_of(tuple(response.items))
        if shape is not None and shape not in self._shapes:
            learned = [one for one in self._shapes if one is not PLAIN_SHAPE]
            self._shapes = [shape, *learned[: _SHAPES - 1], PLAIN_SHAPE]


def _raw(text: bytes, literals: Mapping[int, bytes | Streamed]) -> bytes:
    """A response as it came, but for what was streamed."""
    pieces: list[bytes] = []
    start = 0
    for at, literal in literals.items():
        pieces.append(text[start:at])
        pieces += [literal] if isinstance(literal, bytes) else []
        start = at
    return b"".join((*pieces, text[start:], b"\r\n"))
