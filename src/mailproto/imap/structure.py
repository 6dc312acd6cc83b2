"""BODY and BODYSTRUCTURE: the parts of a message (RFC 3501 7.4.2).

    ("TEXT" "PLAIN" ("CHARSET" "US-ASCII") NIL NIL "7BIT" 3028 92)         BodyPart
    (("TEXT" ...)("TEXT" ...) "MIXED" ("BOUNDARY" "x") NIL NIL NIL)        Multipart

Parts nest: multiparts in multiparts, messages in messages.  Reading and writing go
round a loop with a stack, and stop at ``MAX_DEPTH``.  As with an envelope there are
two ways to read:  ``take_structure`` goes word by word and knows the faults of real
servers, and ``read_structure`` takes a part at a time by a regular expression, and
comes to the same where it comes to something.

Like those of ``envelope``, the values are not frozen, and not to be changed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final, TypeAlias, TypeVar

from .envelope import Envelope, take_envelope
from .grammar import Fragment, check_text, write_nstring, write_string
from .lines import check_raw
from .quirks import Quirk, Reader
from .sets import MAX_NUMBER
from .tokens import MAX_DEPTH, take_token

T = TypeVar("T")

#: in their order; a name may be there twice, and case is as it came
Parameters: TypeAlias = tuple[tuple[str, str], ...]
Structure: TypeAlias = "BodyPart | Multipart"


@dataclass(slots=True)
class Disposition:
    """RFC 3501 7.4.2, RFC 2183: ``("attachment" ("filename" "a.pdf"))``."""

    type: str
    parameters: Parameters = ()


@dataclass(slots=True)
class BodyPart:
    """RFC 3501 7.4.2: a part that has no parts, or a message.

    *type* and *subtype* are as they came: compare them without regard to case, or ask
    ``media_type``.  *size* counts octets as they are encoded; *lines* is told of text
    and of messages, *envelope* and *body* of messages only.  The rest is extension
    data, which BODY leaves out; *extensions* is what future versions add, as it came.
    """

    type: str
    subtype: str
    parameters: Parameters = ()
    id: str | None = None
    description: str | None = None
    encoding: str = "7BIT"
    size: int = 0
    lines: int | None = None
    envelope: Envelope | None = None
    body: Structure | None = None
    md5: str | None = None
    disposition: Disposition | None = None
    language: tuple[str, ...] = ()
    location: str | None = None
    extensions: bytes = b""

    @property
    def media_type(self) -> str:
        """``text/plain``, in small letters."""
        return f"{self.type}/{self.subtype}".lower()

    def write(self) -> list[Fragment]:
        """In parentheses, extension data only if there are some; raises ValueError."""
        return write_structure(self)


@dataclass(slots=True)
class Multipart:
    """RFC 3501 7.4.2: a part that has parts.  Behind *subtype* is extension data."""

    parts: tuple[Structure, ...]
    subtype: str
    parameters: Parameters = ()
    disposition: Disposition | None = None
    language: tuple[str, ...] = ()
    location: str | None = None
    extensions: bytes = b""

    @property
    def media_type(self) -> str:
        """``multipart/mixed``, in small letters."""
        return f"multipart/{self.subtype}".lower()

    def write(self) -> list[Fragment]:
        """The same for a part with parts."""
        return write_structure(self)


def walk(structure: Structure) -> Iterator[tuple[tuple[int, ...], Structure]]:
    """All parts with their numbers, as FETCH wants them in a section (RFC 3501 6.4.5).

    A message that is a part has the number of its text, if that is not a multipart, in
    common with it: its parts are counted below its own.
    """
    stack: list[tuple[tuple[int, ...], Structure]] = [((), structure)]
    while stack:
        number, part = stack.pop()
        if isinstance(part, Multipart):
            yield number, part
            numbered = enumerate(part.parts, 1)
            stack += reversed([((*number, i), inner) for i, inner in numbered])
            continue
        yield number or (1,), part
        if part.body is not None:
            below = number or (1,)
            single = not isinstance(part.body, Multipart)
            stack.append(((*below, 1) if single else below, part.body))


# -- writing ---------------------------------------------------------------------


def write_structure(structure: Structure) -> list[Fragment]:
    """A structure in its parentheses; raises ValueError for what cannot be said."""
    written: list[Fragment] = []
    stack: list[Structure | list[Fragment]] = [structure]
    depth = 0
    while stack:
        top = stack.pop()
        if isinstance(top, list):
            written += top
            depth -= 1
            continue
        depth += 1
        if depth > MAX_DEPTH + 1:
            raise ValueError(f"parts are nested more than {MAX_DEPTH} deep")
        head, inner, tail = _pieces(top)
        written += head
        stack.append(tail)
        stack += reversed(inner)
    return written


def _pieces(part: Structure) -> tuple[list[Fragment], list[Structure], list[Fragment]]:
    """What stands before the parts, the parts, and what stands behind them."""
    if isinstance(part, Multipart):
        if not part.parts:
            raise ValueError("a multipart has one part at least")
        tail = [b" ", _write(part.subtype)]
        tail += _trimmed([_write_parameters(part.parameters), *_write_common(part)])
        return [b"("], list(part.parts), [*tail, b")"]
    head: list[Fragment] = [
        b"(", _write(part.type), b" ", _write(part.subtype), b" ",
        *_write_parameters(part.parameters), b" ", _maybe(part.id), b" ",
        _maybe(part.description), b" ", _write(part.encoding),
        b" %d" % _number(part.size),
    ]  # fmt: skip
    lines = [] if part.lines is None else [b" %d" % _number(part.lines)]
    tail = _trimmed([[_maybe(part.md5)], *_write_common(part)])
    inner: list[Structure] = []
    if _is_message(part.type, part.subtype):
        if part.envelope is None or part.body is None or not lines:
            raise ValueError("a message has an envelope, a body, and lines")
        head += [b" ", *part.envelope.write(), b" "]
        inner = [part.body]
    elif (part.type.upper() == "TEXT") is not bool(lines):
        raise ValueError("text, and nothing else but messages, has lines")
    return head, inner, [*lines, *tail, b")"]


def _number(number: int) -> int:
    if not 0 <= number <= MAX_NUMBER:
        raise ValueError(f"a size is from 0 to {MAX_NUMBER}")
    return number


def _is_message(kind: str, subtype: str) -> bool:
    return kind.upper() == "MESSAGE" and subtype.upper() == "RFC822"


def _write(text: str) -> Fragment:
    check_text(text, "a field of a body structure")
    return write_string(text)


def _maybe(text: str | None) -> Fragment:
    return write_nstring(None) if text is None else _write(text)


def _write_parameters(parameters: Parameters) -> list[Fragment]:
    written: list[Fragment] = []
    for name, value in parameters:
        written += [b" " if written else b"(", _write(name), b" ", _write(value)]
    return [*written, b")"] if written else [b"NIL"]


def _write_common(part: Structure) -> list[list[Fragment]]:
    """Disposition, language, location, and what the future brings."""
    disposition: list[Fragment] = [b"NIL"]
    if part.disposition is not None:
        inner = _write_parameters(part.disposition.parameters)
        disposition = [b"(", _write(part.disposition.type), b" ", *inner, b")"]
    language: list[Fragment] = [_write(tag) for tag in part.language] or [b"NIL"]
    if len(part.language) > 1:
        spaced = [fragment for tag in language for fragment in (b" ", tag)]
        language = [b"(", *spaced[1:], b")"]
    if part.extensions:
        check_raw(part.extensions)
    return [disposition, language, [_maybe(part.location)], [part.extensions]]


def _trimmed(fields: list[list[Fragment]]) -> list[Fragment]:
    """The extension data without what is NIL at their end, each behind a space."""
    while fields and fields[-1] in ([b"NIL"], [b""]):
        fields.pop()
    return [fragment for one in fields for fragment in (b" ", *one)]


# -- a part at a time -------------------------------------------------------------

_WORD: Final = r'"[^"]*+"'
_STRING: Final = r'"([^"]*+)"'
_NSTRING: Final = rf"(?:NIL|{_STRING})"
_PAIRS: Final = rf"(?:NIL|(\({_WORD} {_WORD}(?: {_WORD} {_WORD})*+\)))"
# Disposition, language, location, as far as they are there.
_COMMON: Final = (
    rf"(?: (?:NIL|\({_STRING} {_PAIRS}\))(?: {_NSTRING}(?: {_NSTRING})?+)?+)?+"
)
_TYPE: Final = rf"{_STRING} {_STRING} {_PAIRS}"


def _whole(pattern: str) -> str:
    """The same, as one group in the place of its groups."""
    return "(" + re.sub(r"(?<!\\)\((?!\?)", "(?:", pattern) + ")"


# A part without parts, or the end of one with parts.  Types and dispositions repeat
# from message to message, and are looked up.
_PIECE: Final = re.compile(
    rf"(\({{0,{MAX_DEPTH}}})\({_whole(_TYPE)} {_NSTRING} {_NSTRING} {_STRING} "
    rf"([0-9]{{1,9}}+)(?: ([0-9]{{1,9}}+))?+(?: {_NSTRING}{_whole(_COMMON)})?+\)"
    rf"| {_STRING}(?: {_PAIRS}{_whole(_COMMON)})?+\)"
    "|"
)
_type_of = re.compile(_TYPE).fullmatch
_common_of = re.compile(_COMMON).fullmatch
_Type: TypeAlias = tuple[str, str, Parameters]
_Common: TypeAlias = tuple[Disposition | None, tuple[str, ...], str | None]


def read_structure(data: bytes) -> Structure:
    """The same of the whole text; ValueError if it is not of the regular kind."""
    text = data.decode("ascii")
    odd = "\\" in text or "\0" in text or "\n" in text
    stack: list[list[Structure]] = []
    parts: list[Structure] = []
    pieces = _PIECE.finditer(text)  # and then the empty one
    while True:
        found = next(pieces)
        (opened, known, id_, description, encoding, size, lines, md5, placed,
         subtype, pairs, common) = found.groups()  # fmt: skip
        if known is not None:
            for _ in opened:
                stack.append(parts)
                parts = []
            kind, sub, parameters = _type(known)
            odd = odd or (kind.upper() == "TEXT") is (lines is None)
            parts.append(
                BodyPart(
                    kind, sub, parameters, id_, description, encoding, int(size),
                    None if lines is None else int(lines), None, None, md5,
                    *_common(placed),
                )
            )  # fmt: skip
        elif subtype is not None and stack:
            inner, parts = tuple(parts), stack.pop()
            parts.append(Multipart(inner, subtype, _pairs(pairs), *_common(common)))
        else:
            odd = odd or found.end() < len(text)
            break
        odd = odd or len(stack) > MAX_DEPTH
    if odd or stack or len(parts) != 1:
        raise ValueError("this is for the grammar")
    return parts[0]


def _type(text: str) -> _Type:
    return _few_types(text) if len(text) < _MAX_KEPT else _read_type(text)


def _common(text: str | None) -> _Common:
    if not text:
        return None, (), None
    return _few_commons(text) if len(text) < _MAX_KEPT else _read_common(text)


def _pairs(text: str | None) -> Parameters:
    words = text.split('"') if text else ()
    return tuple(zip(words[1::4], words[3::4], strict=False))


def _read_type(text: str) -> _Type:
    found = _type_of(text)
    assert found  # who asks has looked
    kind, subtype, pairs = found.groups()
    if _is_message(kind, subtype):
        raise ValueError("this is for the grammar")
    return kind, subtype, _pairs(pairs)


def _read_common(text: str) -> _Common:
    found = _common_of(text)
    assert found
    placed, pairs, language, location = found.groups()
    disposition = None if placed is None else Disposition(placed, _pairs(pairs))
    return disposition, () if language is None else (language,), location


_MAX_KEPT: Final = 200  # octets of what is looked up
_few_types: Final = lru_cache(maxsize=2048)(_read_type)
_few_commons: Final = lru_cache(maxsize=2048)(_read_common)


# -- the grammar -----------------------------------------------------------------


@dataclass(slots=True)
class _Open:
    """A part whose parts are being read: a multipart, or a message."""

    message: BodyPart | None = None
    parts: list[Structure] = field(default_factory=list)


def take_structure(reader: Reader) -> Structure:
    """The structure that begins here."""
    stack: list[_Open] = []
    while True:
        part = _take_beginning(reader, stack)
        while part is not None:
            if not stack:
                return part
            stack[-1].parts.append(part)
            part = _take_ending(reader, stack)


def _take_beginning(reader: Reader, stack: list[_Open]) -> Structure | None:
    """A part without parts; or ``None``, and what has begun is on the stack."""
    reader.expect(b"(")
    reader.skip_spaces()
    if reader.peek() == b"(":
        _push(reader, stack, _Open())
        return None
    kind = reader.take_string_text()
    if reader.closes():
        reader.tolerate(Quirk.NO_PARTS)
        return Multipart((), kind)
    return _take_single(reader, stack, kind)


def _push(reader: Reader, stack: list[_Open], begun: _Open) -> None:
    if len(stack) >= MAX_DEPTH:
        reader.fail(f"parts are nested more than {MAX_DEPTH} deep")
    stack.append(begun)


def _take_single(reader: Reader, stack: list[_Open], kind: str) -> Structure | None:
    if reader.peek() in (b"(", b")"):  # ("ALTERNATIVE" ("BOUNDARY" "x") NIL NIL)
        return _take_childless(reader, kind)
    part = BodyPart(kind, reader.take_string_text())
    reader.expect_space()
    if kind == "" and part.subtype and not _is_basic(reader):
        return _take_childless(reader, part.subtype)
    part.parameters = _take_parameters(reader)
    reader.expect_space()
    part.id = reader.take_nstring_text()
    reader.expect_space()
    part.description = reader.take_nstring_text()
    reader.expect_space()
    part.encoding = reader.take_string_text()
    reader.expect_space()
    part.size = reader.take_count()
    if _is_message(kind, part.subtype):
        return _take_message(reader, stack, part)
    if kind.upper() == "TEXT":
        reader.expect_space()
        part.lines = reader.take_count()
    return _finish(reader, part)


# ("boundary" "x") NIL NIL ...: a multipart; NIL NIL NIL "7BIT" 0: a part of no type.
_BASIC: Final = re.compile(rb'(?:NIL|\([^()]*+\)) ++(?:(?:NIL|"[^"]*+") ++){3}[0-9]')


def _is_basic(reader: Reader) -> bool:
    return reader.finds(_BASIC)


def _take_childless(reader: Reader, subtype: str) -> Multipart:
    """A multipart of which the server has left out the parts."""
    reader.tolerate(Quirk.NO_PARTS)
    part = Multipart((), subtype, _take_parameters(reader))
    _take_common(reader, part)
    return part


def _take_message(
    reader: Reader, stack: list[_Open], part: BodyPart
) -> BodyPart | None:
    """The envelope of a message in a message; its body comes next."""
    if reader.accept(b" ("):
        reader.at -= 1
        part.envelope = take_envelope(reader)
        reader.expect_space()
        _push(reader, stack, _Open(part))
        return None
    reader.tolerate(Quirk.BARE_MESSAGE)
    return _finish(reader, part)


def _take_ending(reader: Reader, stack: list[_Open]) -> Structure | None:
    """What ends behind a part that has been read; ``None``: another part follows."""
    begun = stack[-1]
    message = begun.message
    if message is not None:
        stack.pop()
        message.body = begun.parts[0]
        reader.expect_space()
        message.lines = reader.take_count()
        return _finish(reader, message)
    if reader.peek() == b"(":
        return None
    reader.expect_space()
    if reader.peek() == b"(":
        reader.tolerate(Quirk.SPACE_BETWEEN)
        return None
    stack.pop()
    part = Multipart(tuple(begun.parts), reader.take_string_text())
    if not reader.closes():
        part.parameters = _take_parameters(reader)
        _take_common(reader, part)
    return part


def _finish(reader: Reader, part: BodyPart) -> BodyPart:
    """The extension data of a part without parts."""
    if not reader.closes():
        part.md5 = reader.take_nstring_text()
        _take_common(reader, part)
    return part


def _take_common(reader: Reader, part: Structure) -> None:
    """The rest of the extension data, and the end."""
    if reader.closes():
        return
    part.disposition = _take_disposition(reader)
    if reader.closes():
        return
    part.language = _take_language(reader)
    if reader.closes():
        return
    if reader.accept(b"()"):
        reader.tolerate(Quirk.EMPTY_LIST)
    else:
        part.location = reader.take_nstring_text()
    if reader.closes():
        return
    start = reader.at
    take_token(reader)
    end = reader.at
    while not reader.closes():
        take_token(reader)
        end = reader.at
    part.extensions = reader.between(start, end)


def _take_parameters(reader: Reader) -> Parameters:
    if reader.accept_nil():
        return ()
    return _take_list(reader, _take_parameter)


def _take_parameter(reader: Reader) -> tuple[str, str]:
    name = reader.take_string_text()
    reader.expect_space()
    return name, reader.take_string_text()


def _take_list(reader: Reader, take: Callable[[Reader], T]) -> tuple[T, ...]:
    if reader.accept(b"()"):
        reader.tolerate(Quirk.EMPTY_LIST)
        return ()
    return reader.take_list(take)


def _take_disposition(reader: Reader) -> Disposition | None:
    if reader.accept_nil():
        return None
    if reader.peek() == b'"':
        reader.tolerate(Quirk.BARE_DISPOSITION)
        return Disposition(reader.take_string_text())
    reader.expect(b"(")
    kind = reader.take_string_text()
    if reader.closes():
        reader.tolerate(Quirk.BARE_DISPOSITION)
        return Disposition(kind)
    disposition = Disposition(kind, _take_parameters(reader))
    reader.expect_close()
    return disposition


def _take_language(reader: Reader) -> tuple[str, ...]:
    if reader.peek() != b"(":
        tag = reader.take_nstring_text()
        return () if tag is None else (tag,)
    return _take_list(reader, Reader.take_string_text)
