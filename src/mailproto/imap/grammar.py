"""The small words of IMAP, to and from bytes (RFC 3501 4, 5.1, 9).

``Cursor`` walks over one whole command or response, its literals inline as they came.
It never looks back and never calls itself, so its time is linear in what it walks over.

What goes out is a list of fragments: ``bytes``, and between them ``Literal``, which the
sender announces as ``{n}`` and for which it may have to wait.  The library alone picks
atom, quoted string or literal; none of them lets CR, LF or NUL through as anything but
counted data.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import lru_cache
from typing import Final, NoReturn, Self, TypeAlias, TypeVar

from .._text import read_text, write_text
from .dates import DATE, DATE_TIME, read_date, read_date_time
from .names import read_name, write_name
from .sets import FEW, MAX_NUMBER, NumberSet

S = TypeVar("S", bound=NumberSet)
T = TypeVar("T")

# Octets of a string that goes quoted: RFC 2683 3.2.1.5 would have lines of about 1000,
# not counting literals.
MAX_QUOTED: Final = 512

# ATOM-CHAR, for use between [ and ]: without ( ) { SP CTL % * " \ ] (RFC 3501 9).
ATOM: Final = rb"!#$&'+,\-./0-9:;<=>?@A-Z\[^_`a-z|}~"

_atom = re.compile(rb"[%b]++" % ATOM)
_astring = re.compile(rb"[%b\]]++" % ATOM)
_tag = re.compile(rb"[%b\]]++" % ATOM.replace(b"+", b""))
_list_mailbox = re.compile(rb"[%b\]%%*]++" % ATOM)
_flag = re.compile(rb"\\?[%b]++" % ATOM)
_bare_flags = re.compile(rb"\\?[%b]++(?: \\?[%b]++)*+" % (ATOM, ATOM))
_flags = re.compile(rb"\((?:%b)?\)" % _bare_flags.pattern)
_digits = re.compile(rb"[0-9]{1,20}+")
_few = re.compile(FEW)
_number_set = re.compile(rb"[0-9:,*]++")
_quoted = re.compile(rb'"((?:[^"\\\r\n\0\x80-\xff]|\\["\\])*+)"')
_quoted_8bit = re.compile(rb'"((?:[^"\\\r\n\0]|\\["\\])*+)"')
_literal = re.compile(rb"(~?)\{([0-9]{1,20})\+?\}\r\n")
# What most strings are: a bare word, or a quoted string without escapes.
_simple = re.compile(rb'([%b\]]++)|"([^"\\\r\n\0\x80-\xff]*+)"' % ATOM)

_date_time = re.compile(rb'"%b"' % DATE_TIME)
_date = re.compile(rb'"%b"|%b' % (DATE, DATE))
_ESCAPED = re.compile(rb'\\(["\\])')
_SPECIAL = re.compile(rb'(["\\])')
_no_quoted = re.compile(rb"[\r\n\0\x80-\xff]").search


class GrammarError(ValueError):
    """What was read is not what the grammar has here; *position* counts octets."""

    def __init__(self, reason: str, position: int) -> None:
        super().__init__(f"{reason} (at octet {position})")
        self.reason = reason
        self.position = position


# -- what goes out ---------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Literal:
    """RFC 3501 4.3: a string of any octets, ``{3}``, CRLF, ``abc``.

    Only a *binary* one, ``~{3}`` (RFC 3516 4.4), may hold NUL.
    """

    data: bytes = field(repr=False)
    binary: bool = field(default=False, kw_only=True)

    def __post_init__(self) -> None:
        if not self.binary and b"\0" in self.data:
            raise ValueError("a literal must not hold NUL")

    def write(self) -> bytes:
        """As it is in one piece, announced and counted."""
        return b"%b{%d}\r\n%b" % (b"~" * self.binary, len(self.data), self.data)


@dataclass(frozen=True, slots=True)
class Streamed:
    """A literal of *size* octets that come by themselves, in Chunks."""

    size: int

    def __post_init__(self) -> None:
        if not 0 <= self.size <= MAX_NUMBER:
            raise ValueError("a literal has 0 to 2**32 - 1 octets")


Fragment: TypeAlias = bytes | Literal | Streamed


def joined(fragments: Iterable[Fragment]) -> list[Fragment]:
    """The same with ``bytes`` that are neighbours in one piece."""
    whole: list[Fragment] = []
    run: list[bytes] = []
    for fragment in fragments:
        if isinstance(fragment, bytes):
            run.append(fragment)
            continue
        whole += [b"".join(run), fragment] if run else [fragment]
        run = []
    return [*whole, b"".join(run)] if run else whole


def inline(fragments: Iterable[Fragment]) -> bytes:
    """All in one piece, as a Cursor reads it.  Nothing may be Streamed."""
    return b"".join(
        fragment if isinstance(fragment, bytes) else _inline(fragment)
        for fragment in fragments
    )


def _inline(fragment: Literal | Streamed) -> bytes:
    if isinstance(fragment, Literal):
        return fragment.write()
    raise ValueError("the octets of a Streamed literal are not here")


# -- strings (4.3) ---------------------------------------------------------------


def check_text(text: str, what: str) -> None:
    """Raise ValueError for text that no string can hold."""
    if "\0" in text:
        raise ValueError(f"{what} must not hold NUL")
    if not text.isascii() and read_text(_text(text, what)) != text:
        raise ValueError(f"{what} holds a lone surrogate")


def _text(text: str, what: str) -> bytes:
    try:
        return write_text(text)
    except UnicodeEncodeError:
        raise ValueError(f"{what} holds a lone surrogate") from None


def check_atom(text: str, what: str) -> None:
    """Raise ValueError if *text* is not an atom."""
    if not text.isascii() or not _atom.fullmatch(text.encode("ascii")):
        raise ValueError(f"{what} must be an atom")


def write_quoted(data: bytes) -> bytes:
    """The quoted string; raises ValueError for what cannot be in one."""
    if _no_quoted(data):
        raise ValueError("a quoted string must not hold CR, LF, NUL or 8-bit octets")
    return b'"%b"' % _SPECIAL.sub(rb"\\\1", data)


def write_string(text: str | bytes) -> bytes | Literal:
    """A quoted string if it can be one and is not long, else a literal."""
    data = write_text(text) if isinstance(text, str) else text
    if len(data) > MAX_QUOTED or _no_quoted(data):
        return Literal(data)
    return write_quoted(data)


def write_astring(text: str | bytes) -> bytes | Literal:
    """The bare word if it can be one, else a string.  NIL is quoted: it is none."""
    data = write_text(text) if isinstance(text, str) else text
    bare = len(data) <= MAX_QUOTED and _astring.fullmatch(data)
    return data if bare and data.upper() != b"NIL" else write_string(data)


def write_nstring(data: str | bytes | None) -> bytes | Literal:
    return b"NIL" if data is None else write_string(data)


def write_mailbox(name: str) -> bytes | Literal:
    return write_astring(write_name(name))


def write_list_mailbox(pattern: str) -> bytes | Literal:
    """A mailbox name in which ``*`` and ``%`` are wildcards (6.3.8)."""
    data = write_name(pattern)
    bare = len(data) <= MAX_QUOTED and _list_mailbox.fullmatch(data)
    return data if bare and data.upper() != b"NIL" else write_string(data)


# -- flags (2.3.2) ---------------------------------------------------------------

_SYSTEM: Final = {
    "\\" + name.lower(): "\\" + name
    for name in ("Seen", "Answered", "Flagged", "Deleted", "Draft", "Recent")
}


def check_flag(name: str) -> str:
    """*name* itself, system flags as RFC 3501 spells them; ValueError if it is none."""
    if not name.isascii() or not _flag.fullmatch(name.encode("ascii")):
        raise ValueError("a flag is an atom, or a backslash and an atom")
    return _SYSTEM.get(name.lower(), name) if name[0] == "\\" else name


def read_flags(text: bytes) -> tuple[str, ...]:
    r"""The flags of what stands between the parentheses, ``\Seen $Forwarded``."""
    return few_flags(text) if len(text) < 200 else _read_flags(text)


def _read_flags(text: bytes) -> tuple[str, ...]:
    return tuple(map(check_flag, text.decode("ascii").split(" "))) if text else ()


#: the same of short texts, looked up
few_flags: Final = lru_cache(maxsize=1024)(_read_flags)


def write_flags(flags: Iterable[str]) -> bytes:
    """The same back, parentheses included."""
    return b"(%b)" % " ".join(flags).encode("ascii")


# -- sections (6.4.5) ------------------------------------------------------------

_TEXTS: Final = ("", "HEADER", "HEADER.FIELDS", "HEADER.FIELDS.NOT", "TEXT", "MIME")
_section = re.compile(rb"([1-9][0-9]{0,9}(?:\.[1-9][0-9]{0,9})*+)?(\.?+)([A-Z.a-z]*+)")
_is_field = re.compile(r"[ -~]+").fullmatch


@dataclass(frozen=True, slots=True)
class Section:
    """RFC 3501 6.4.5: which piece of a message, ``[1.2.HEADER.FIELDS (DATE FROM)]``.

    *part* numbers the body part, ``(1, 2)``, and ``()`` is the message itself; *text*
    is "", HEADER, HEADER.FIELDS, HEADER.FIELDS.NOT, TEXT or MIME; *fields* are names of
    header fields.  Those, and *text*, are held in capitals: case has no meaning there.
    """

    part: tuple[int, ...] = ()
    text: str = ""
    fields: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not all(0 < number <= MAX_NUMBER for number in self.part):
            raise ValueError("the numbers of body parts begin with 1")
        object.__setattr__(self, "text", self.text.upper())
        object.__setattr__(self, "fields", tuple(n.upper() for n in self.fields))
        if self.text not in _TEXTS:
            raise ValueError("there is no such section")
        if self.text == "MIME" and not self.part:
            raise ValueError("MIME is of a body part")
        if bool(self.fields) != self.text.startswith("HEADER.FIELDS"):
            raise ValueError("HEADER.FIELDS, and nothing else, has names of fields")
        if not all(map(_is_field, self.fields)):
            raise ValueError("the name of a header field is printable ASCII")
        if max(map(len, self.fields), default=0) > MAX_QUOTED:
            raise ValueError("the name of a header field is too long")

    def write(self) -> bytes:
        """With its brackets."""
        spec = ".".join((*map(str, self.part), *([self.text] if self.text else [])))
        if not self.fields:
            return f"[{spec}]".encode("ascii")
        names = b" ".join(map(_write_field, self.fields))
        return b"[%b (%b)]" % (spec.encode("ascii"), names)

    @classmethod
    def read(cls, text: bytes) -> Self:
        """Of the whole text, brackets included; raises ValueError."""
        cursor = Cursor(text)
        section = cursor.take_section()
        cursor.expect_end()
        return cls(section.part, section.text, section.fields)


def _write_field(name: str) -> bytes:
    data = name.encode("ascii")
    return data if _astring.fullmatch(data) else write_quoted(data)


def _read_section(part: bytes | None, dot: bytes, text: bytes) -> Section:
    """One that has no fields."""
    if bool(dot) != bool(part and text):
        raise ValueError("a section is expected")
    return Section(_numbers(part), text.decode("ascii"))


_few_sections = lru_cache(maxsize=256)(_read_section)


def _numbers(part: bytes | None) -> tuple[int, ...]:
    return tuple(map(int, part.split(b"."))) if part else ()


# -- what comes in ---------------------------------------------------------------


class Cursor:
    """A place in one whole command or response, and the words from there on.

    ``take_x`` gives the word that stands here and goes on behind it; if there is none,
    it raises GrammarError, which is a ValueError with the position.

    *holes* are the offsets, each right behind the CRLF of a literal's announcement,
    where the octets of that literal are left out: they are Streamed.
    *eight_bit* lets quoted strings hold octets beyond ASCII: RFC 3501 forbids them, and
    servers send them.
    """

    __slots__ = ("_holes", "_quoted", "at", "data", "end")

    def __init__(
        self,
        data: bytes,
        at: int = 0,
        *,
        holes: Iterable[int] = (),
        eight_bit: bool = False,
    ) -> None:
        self.data = data
        self.at = at  #: offset of the next octet
        self.end = len(data)
        self._holes = frozenset(holes)
        self._quoted = _quoted_8bit if eight_bit else _quoted

    def fail(self, reason: str) -> NoReturn:
        raise GrammarError(reason, self.at)

    # -- one octet or a few

    @property
    def at_end(self) -> bool:
        return self.at >= self.end

    def peek(self) -> bytes:
        """The next octet, ``b""`` at the end."""
        return self.data[self.at : self.at + 1]

    def accept(self, octets: bytes) -> bool:
        """Go on behind *octets* if they are next; whether they were."""
        if self.data.startswith(octets, self.at):
            self.at += len(octets)
            return True
        return False

    def expect_space(self) -> None:
        if not self.data.startswith(b" ", self.at):
            self.fail("a space is expected")
        self.at += 1

    def expect(self, octets: bytes) -> None:
        if not self.data.startswith(octets, self.at):
            self.fail(f"{octets!r} is expected")
        self.at += len(octets)

    def closes(self) -> bool:
        """Go on behind a ``)``, or behind the space before one more word."""
        if self.accept(b")"):
            return True
        self.expect_space()
        return False

    def expect_end(self) -> None:
        if self.at != self.end:
            self.fail("nothing more is expected")

    def take_list(self, take: Callable[[Self], T]) -> tuple[T, ...]:
        """What *take* gives, once or more, in parentheses and with spaces between."""
        self.expect(b"(")
        words = [take(self)]
        while not self.closes():
            words.append(take(self))
        return tuple(words)

    def take_rest(self) -> bytes:
        """All that is left."""
        start, self.at = self.at, self.end
        return self.data[start:]

    def finds(self, pattern: re.Pattern[bytes], ahead: int = 0) -> bool:
        """Whether *pattern* matches so many octets ahead."""
        return pattern.match(self.data, self.at + ahead) is not None

    def take(self, pattern: re.Pattern[bytes], what: str) -> bytes:
        """What *pattern* matches here."""
        found = pattern.match(self.data, self.at)
        if not found:
            self.fail(f"{what} is expected")
        self.at = found.end()
        return found[0]

    def made(self, make: Callable[[], T], start: int) -> T:
        """What *make* gives; a word at *start* was wrong if it raises ValueError."""
        try:
            return make()
        except ValueError as error:
            raise GrammarError(str(error), start) from None

    # -- words

    def take_tag(self) -> bytes:
        return self.take(_tag, "a tag")

    def take_atom(self) -> str:
        return self.take(_atom, "an atom").decode("ascii")

    def take_verb(self) -> bytes:
        """An atom in capitals."""
        return self.take(_atom, "an atom").upper()

    def take_number(self, most: int = MAX_NUMBER, least: int = 0) -> int:
        """Digits; ``least=1`` is the grammar's nz-number, which begins with no 0."""
        start = self.at
        digits = self.take(_digits, "a number")
        number = int(digits)
        if not least <= number <= most or (least and digits[:1] == b"0"):
            self.at = start
            self.fail(f"a number from {least} to {most} is expected")
        return number

    def take_set(self, kind: type[S]) -> S:
        """A SequenceSet or a UidSet."""
        found = _few.match(self.data, self.at)
        if found:
            self.at = found.end()
            return kind.of_few(*found.groups())
        start = self.at
        text = self.take(_number_set, "a set of messages")
        return self.made(lambda: kind.read(text), start)

    def take_flags(self, *, bare: bool = False) -> tuple[str, ...]:
        """A list of flags in its parentheses, or *bare* without, if that may be."""
        if bare and self.peek() != b"(":
            return read_flags(self.take(_bare_flags, "flags"))
        return read_flags(self.take(_flags, "a list of flags")[1:-1])

    # -- strings

    def take_quoted(self) -> bytes:
        data = self.take(self._quoted, "a quoted string")[1:-1]
        return _ESCAPED.sub(rb"\1", data) if b"\\" in data else data

    def take_literal(self, *, binary: bool = False) -> bytes:
        """Its octets; *binary* ones, ``~{n}``, only if that is said."""
        data = self.take_announced(binary=binary)
        if isinstance(data, Streamed):
            self.fail("a literal that is streamed cannot stand here")
        return data

    def take_announced(self, *, binary: bool = False) -> bytes | Streamed:
        """The same, or its size if the octets are left out here."""
        found = _literal.match(self.data, self.at)
        if not found or (found[1] and not binary):
            self.fail("a literal is expected")
        size, start = int(found[2]), found.end()
        if start in self._holes:
            self.at = start
            return self.made(lambda: Streamed(size), found.start())
        data = self.data[start : start + size]
        if len(data) < size:
            self.fail("a literal is cut off")
        if not found[1] and b"\0" in data:
            self.fail("a literal must not hold NUL")
        self.at = start + size
        return data

    def accept_literal(self) -> bytes | None:
        """The octets of a literal, binary or not; ``None`` if none stands here."""
        if not _literal.match(self.data, self.at):
            return None
        return self.take_literal(binary=True)

    def take_string(self) -> bytes:
        return self.take_quoted() if self.peek() == b'"' else self.take_literal()

    def take_astring(self) -> bytes:
        found = _simple.match(self.data, self.at)
        if not found:
            return self.take_string()
        self.at = found.end()
        return found[found.lastindex or 0]

    def take_nstring(self) -> bytes | None:
        return None if self.accept_nil() else self.take_string()

    def take_body(self) -> bytes | Streamed | None:
        """An nstring that may be streamed."""
        if self.accept_nil():
            return None
        return self.take_quoted() if self.peek() == b'"' else self.take_announced()

    def accept_nil(self) -> bool:
        """Go on behind NIL if it is next; whether it was."""
        if self.data[self.at : self.at + 3].upper() != b"NIL":
            return False
        self.at += 3
        return True

    def take_text(self) -> str:
        """An astring, as text."""
        return read_text(self.take_astring())

    def take_string_text(self) -> str:
        return read_text(self.take_string())

    def take_nstring_text(self) -> str | None:
        return None if self.accept_nil() else read_text(self.take_string())

    # -- what has a meaning

    def take_mailbox(self) -> str:
        return read_name(self.take_astring())

    def take_list_mailbox(self) -> str:
        found = _list_mailbox.match(self.data, self.at)
        if not found:
            return read_name(self.take_string())
        self.at = found.end()
        return read_name(found[0])

    def take_date_time(self) -> datetime:
        start = self.at
        text = self.take(_date_time, "a date and time")
        return self.made(lambda: read_date_time(text[1:-1]), start)

    def take_date(self) -> date:
        """A date of SEARCH, in quotes or not."""
        start = self.at
        text = self.take(_date, "a date")
        return self.made(lambda: read_date(text.strip(b'"')), start)

    def take_section(self) -> Section:
        """A section with its brackets.  Names of fields may be literals."""
        start = self.at
        self.expect(b"[")
        found = _section.match(self.data, self.at)
        assert found  # it matches nothing, too
        self.at = found.end()
        part, dot, text = found.groups()
        fields = self.take_list(Cursor.take_text) if self.accept(b" ") else ()
        self.expect(b"]")
        if not fields:
            make = _few_sections if self.at - start < 100 else _read_section
            return self.made(lambda: make(part, dot, text), start)
        if bool(dot) != bool(part):
            self.fail("a section is expected")
        numbers, name = _numbers(part), text.decode("ascii")
        return self.made(lambda: Section(numbers, name, fields), start)
