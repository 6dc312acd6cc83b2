"""What a POP3 server says: values that are read and written here.

    +OK 2 320                    Reply, StatData
    1 120                        Listing
    1 whqtswO00WBw418f9t5JxYwZ   UniqueId
    LOGIN-DELAY 900              Capability, gathered in Capabilities
    de Deutsch                   Language
    + dGVzdA==                   Challenge
    (a message)                  Chunk, End

``read`` takes a line without its CRLF and raises ValueError where it is not what it
should be; ``write`` gives such a line.  Faults of real servers are not tolerated
here but mended before (``mend``), so that there is one reader, and it is strict.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum, StrEnum
from functools import lru_cache
from typing import Protocol, Self

from .._login import Challenge as Challenge
from .._text import check_text, check_word, printable, read_text, write_text
from .._values import hot_value
from .grammar import MAX_NUMBER, check_number, find_stamp, read_number, split_code


class ResponseCode(StrEnum):
    """Why it was refused (RFC 2449 8).  Others come as plain ``str``, upper-case."""

    IN_USE = "IN-USE"  #: the maildrop is open elsewhere: RFC 2449 8.1.2
    LOGIN_DELAY = "LOGIN-DELAY"  #: too soon after the last log-in: RFC 2449 8.1.1
    SYS_TEMP = "SYS/TEMP"  #: the server is unwell, and will recover: RFC 3206 4
    SYS_PERM = "SYS/PERM"  #: the server needs a hand: RFC 3206 4
    AUTH = "AUTH"  #: the credentials are wrong: RFC 3206 4
    UTF8 = "UTF8"  #: the message needs the UTF8 command: RFC 6856 5


def _known(code: str | None) -> str | None:
    return ResponseCode(code) if code in set(ResponseCode) else code


@dataclass(frozen=True, slots=True)
class Reply:
    """RFC 1939 3: one status line.

    S: -ERR [IN-USE] Do you have another POP session running?

    *code* is what stands in brackets, upper-case: a ResponseCode where it is known.
    """

    ok: bool
    text: str = ""
    code: str | None = None

    def __post_init__(self) -> None:
        check_text(self.text, "the text of a reply")
        before, _ = split_code(self.text)
        if self.code is None:
            if before is not None:
                raise ValueError("the text begins with a response code: say code=")
            return
        if split_code(f"[{self.code}]") != (self.code, ""):
            raise ValueError(f"not a response code: {self.code!r}")
        object.__setattr__(self, "code", _known(self.code))

    def __str__(self) -> str:
        return printable(read_text(self.write()[:-2]))

    def write(self) -> bytes:
        """The whole line, CRLF included."""
        line = "+OK" if self.ok else "-ERR"
        if self.code is not None:
            line += f" [{self.code}]"
        if self.text:
            line += " " + self.text
        return write_text(line + "\r\n")

    @classmethod
    def read(cls, line: bytes) -> Self:
        status, _, text = read_text(line).partition(" ")
        if status not in ("+OK", "-ERR"):
            raise ValueError("a reply begins with +OK or -ERR")
        code, text = split_code(text)
        return cls(status == "+OK", text, code)


@lru_cache(maxsize=256)
def read_reply(line: bytes) -> Reply:
    """``Reply.read``: servers say the same over and over."""
    return Reply.read(line)


@dataclass(frozen=True, slots=True)
class Greeting:
    """RFC 1939 4: the first line of a session.

    S: +OK POP3 server ready <1896.697170952@dbc.mtview.ca.us>

    A refusal (``ok`` is false) ends the session before it began.
    """

    text: str = ""
    ok: bool = True
    code: str | None = None

    def __post_init__(self) -> None:
        Reply(self.ok, self.text, self.code)
        object.__setattr__(self, "code", _known(self.code))

    def __str__(self) -> str:
        return str(Reply(self.ok, self.text, self.code))

    @property
    def stamp(self) -> str | None:
        """What APOP signs, or ``None`` where the server offers no APOP."""
        return find_stamp(self.text) if self.ok else None

    def write(self) -> bytes:
        """The whole line, CRLF included."""
        return Reply(self.ok, self.text, self.code).write()

    @classmethod
    def read(cls, line: bytes) -> Self:
        reply = Reply.read(line)
        return cls(reply.text, reply.ok, reply.code)


_PAIR = re.compile(rb"([0-9]{1,19}) ([0-9]{1,19})(?: .*)?", re.S)
_UNIQUE_ID = re.compile(r"[!-~]{1,70}")


def _read_pair(line: bytes) -> tuple[int, int]:
    """Two numbers; more may follow them, and means nothing (RFC 1939 5)."""
    found = _PAIR.fullmatch(line)
    if found is None:
        raise ValueError("two numbers are expected")
    return int(found[1]), int(found[2])


class Data(Protocol):
    """A line of an answer, or what stands behind a ``+OK``; without its CRLF."""

    def write(self) -> bytes: ...


@dataclass(frozen=True, slots=True)
class StatData:
    """RFC 1939 5: the answer to STAT, ``2 320``: messages, and octets in them."""

    count: int
    size: int

    def __post_init__(self) -> None:
        check_number(self.count, "count")
        check_number(self.size, "size")

    def write(self) -> bytes:
        return b"%d %d" % (self.count, self.size)

    @classmethod
    def read(cls, line: bytes) -> Self:
        return cls(*_read_pair(line))


@hot_value
class Listing:
    """RFC 1939 5: a line of LIST, ``1 120``: message number, and its octets."""

    number: int
    size: int

    def __post_init__(self) -> None:
        if not (0 < self.number <= MAX_NUMBER and 0 <= self.size <= MAX_NUMBER):
            check_number(self.number, "message number", 1)
            check_number(self.size, "size")

    def write(self) -> bytes:
        return b"%d %d" % (self.number, self.size)

    @classmethod
    def read(cls, line: bytes) -> Self:
        return cls(*_read_pair(line))


@hot_value
class UniqueId:
    """RFC 1939 7: a line of UIDL, ``1 whqtswO00WBw418f9t5JxYwZ``.

    *uid* is 1 to 70 octets from 0x21 to 0x7E.  A lenient client may be given
    others (Quirk.UNIQUE_ID); they compare and are kept like any, but not sent.
    """

    number: int
    uid: str

    def __post_init__(self) -> None:
        if self.legal and 0 < self.number <= MAX_NUMBER:
            return
        check_number(self.number, "message number", 1)
        check_text(self.uid, "unique-id")
        if not self.uid or self.uid.startswith(" "):
            raise ValueError("a unique-id is not empty and begins with no space")

    @property
    def legal(self) -> bool:
        """Whether it is a unique-id to the letter of RFC 1939 7."""
        return _UNIQUE_ID.fullmatch(self.uid) is not None

    def write(self) -> bytes:
        """Raises ValueError for a unique-id that is not legal."""
        if not self.legal:
            raise ValueError("a unique-id is 1 to 70 octets from 0x21 to 0x7E")
        return b"%d %s" % (self.number, write_text(self.uid))

    @classmethod
    def read(cls, line: bytes) -> Self:
        """The unique-id may be one that is not legal: look."""
        number, _, uid = read_text(line).partition(" ")
        return cls(read_number(number, "message number", 1), uid)


@dataclass(frozen=True, slots=True)
class Language:
    """RFC 6856 3: a line of LANG, ``de Deutsch``: a tag, and what it is called."""

    tag: str
    description: str = ""

    def __post_init__(self) -> None:
        check_word(self.tag, "language tag")
        check_text(self.description, "the description of a language")

    def write(self) -> bytes:
        return write_text(" ".join(filter(None, (self.tag, self.description))))

    @classmethod
    def read(cls, line: bytes) -> Self:
        tag, _, description = read_text(line).partition(" ")
        return cls(tag, description)


@dataclass(frozen=True, slots=True)
class Capability:
    """RFC 2449 5: a line of CAPA, ``LOGIN-DELAY 900``.  The keyword is upper-case."""

    keyword: str
    arguments: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_word(self.keyword, "capability")
        if "." in self.keyword:
            raise ValueError("a capability must not hold a dot (RFC 2449 3)")
        if not all(self.arguments):
            raise ValueError("the argument of a capability must not be empty")
        for argument in self.arguments:
            check_text(argument, "the argument of a capability")
            if " " in argument:
                raise ValueError("the argument of a capability must be one word")
        object.__setattr__(self, "keyword", self.keyword.upper())

    def write(self) -> bytes:
        return write_text(" ".join((self.keyword, *self.arguments)))

    @classmethod
    def read(cls, line: bytes) -> Self:
        keyword, *arguments = read_text(line).split(" ")
        return cls(keyword, tuple(filter(None, arguments)))


@dataclass(frozen=True, slots=True)
class LoginDelay:
    """RFC 2449 6.5: seconds between two log-ins; *per_user*: ask again after it."""

    seconds: int
    per_user: bool = False


@dataclass(frozen=True, slots=True)
class Expire:
    """RFC 2449 6.7: *days* that mail stays at least; ``None``: it is never deleted.

    0 means that nothing may be left on the server.
    """

    days: int | None
    per_user: bool = False


@dataclass(frozen=True, slots=True)
class Capabilities:
    """RFC 2449 5: all that CAPA told, in order, and what it means.

    >>> caps = Capabilities([Capability("TOP"), Capability("EXPIRE", ("60", "USER"))])
    >>> caps.top, caps.uidl, caps.expire
    (True, False, Expire(days=60, per_user=True))

    Those that nobody here knows are in ``lines`` like all the others.
    """

    lines: tuple[Capability, ...] = ()
    # What they are by their keywords, once somebody asks.
    _known: dict[str, tuple[str, ...]] | None = field(
        init=False, repr=False, compare=False, hash=False
    )

    def __init__(self, lines: Iterable[Capability] = ()) -> None:
        object.__setattr__(self, "lines", tuple(lines))
        object.__setattr__(self, "_known", None)

    def _by_keyword(self) -> dict[str, tuple[str, ...]]:
        known = self._known
        if known is None:
            # The first one counts, should a keyword stand there twice.
            known = {line.keyword: line.arguments for line in reversed(self.lines)}
            object.__setattr__(self, "_known", known)
        return known

    def __contains__(self, keyword: str) -> bool:
        return keyword.upper() in self._by_keyword()

    def arguments(self, keyword: str) -> tuple[str, ...]:
        """What follows *keyword*; empty too where it is not announced."""
        return self._by_keyword().get(keyword.upper(), ())

    def _number(self, keyword: str) -> tuple[int, bool] | None:
        match self.arguments(keyword):
            case (number, *rest):
                try:
                    return read_number(number, keyword), "USER" in map(str.upper, rest)
                except ValueError:
                    return None
        return None

    @property
    def top(self) -> bool:
        return "TOP" in self

    @property
    def user(self) -> bool:
        return "USER" in self

    @property
    def sasl(self) -> tuple[str, ...]:
        """RFC 5034 3: the mechanisms on offer, upper-case."""
        return tuple(map(str.upper, self.arguments("SASL")))

    @property
    def resp_codes(self) -> bool:
        return "RESP-CODES" in self

    @property
    def auth_resp_code(self) -> bool:
        """RFC 3206 5: codes tell wrong credentials from a server that is unwell."""
        return "AUTH-RESP-CODE" in self

    @property
    def login_delay(self) -> LoginDelay | None:
        found = self._number("LOGIN-DELAY")
        return LoginDelay(*found) if found else None

    @property
    def expire(self) -> Expire | None:
        found = self._number("EXPIRE")
        if found:
            return Expire(*found)
        words = [word.upper() for word in self.arguments("EXPIRE")]
        return Expire(None, "USER" in words) if words[:1] == ["NEVER"] else None

    @property
    def pipelining(self) -> bool:
        return "PIPELINING" in self

    @property
    def uidl(self) -> bool:
        return "UIDL" in self

    @property
    def implementation(self) -> str | None:
        words = self.arguments("IMPLEMENTATION")
        return " ".join(words) if words else None

    @property
    def stls(self) -> bool:
        return "STLS" in self

    @property
    def utf8(self) -> bool:
        return "UTF8" in self

    @property
    def utf8_user(self) -> bool:
        """RFC 6856 2.2: names and passwords may be UTF-8."""
        return "USER" in map(str.upper, self.arguments("UTF8"))

    @property
    def lang(self) -> bool:
        return "LANG" in self


# -- what real servers do --------------------------------------------------------


class Quirk(Enum):
    """Faults of real servers that a client tolerates unless it is strict.

    Each is mended into what the server should have said, and reported as a
    Deviation.  None of them changes where a line or a message ends.
    """

    #: a status line of more than 512 octets; it is read up to Limits.line
    LONG_REPLY = "status line longer than 512 octets"
    #: ``+ok ready``: the status indicator not in upper case
    STATUS_CASE = "status indicator in lower case"
    #: ``+OKready``: no space behind the status indicator
    STATUS_GLUED = "no space behind the status indicator"
    #: ``+OK 5 -1`` to STAT (seen by MailKit, issue 872): the size is taken for 0
    STAT_SIZE = "STAT without a size"
    #: ``1  abc`` (Maillennium, 2007), or an id that is too long or not printable
    UNIQUE_ID = "unique-id not to the letter"
    #: ``+OK abc`` to ``UIDL 1`` (Twisted): the number is missing
    UIDL_NUMBER = "UIDL of one message without its number"
    #: ``+`` and nothing else: an empty challenge
    BARE_CHALLENGE = "challenge without a space"
    #: ``+ Username:`` (seen by MailKit, issue 268): taken for an empty challenge
    CHALLENGE_TEXT = "challenge that is not base64"
    #: ``+OK`` where the client is to send its first response (MailKit, issue 391)
    CHALLENGE_OK = "+OK in the place of an empty challenge"
    #: a line of a list that makes no sense: it is left out
    LIST_LINE = "line of a list that cannot be read"


_STATUS = re.compile(rb"(\+OK|-ERR)(.*)", re.I | re.S)


def mend_status(line: bytes) -> tuple[Quirk, bytes] | None:
    """The fault in a status line, and the line without it."""
    found = _STATUS.fullmatch(line)
    if found is None:
        return None
    status, text = found[1], found[2]
    if status != status.upper():
        return Quirk.STATUS_CASE, status.upper() + text
    if text[:1] in (b"", b" "):
        return None
    return Quirk.STATUS_GLUED, status + b" " + text


def mend_challenge(line: bytes) -> tuple[Quirk, bytes] | None:
    """The same for a line that begins with a plus sign."""
    if line == b"+":
        return Quirk.BARE_CHALLENGE, b"+ "
    return Quirk.CHALLENGE_TEXT, b"+ "


def mend_data(
    kind: type[object], line: bytes, number: int | None
) -> tuple[Quirk, bytes] | None:
    """The same for what answers STAT, or UIDL of one message (*number*) or all."""
    if kind is StatData:
        found = re.match(rb"([0-9]+)( -[0-9]+)?(?= |$)", line)
        return (Quirk.STAT_SIZE, found[1] + b" 0") if found else None
    if kind is not UniqueId:
        return None
    if number is not None and re.fullmatch(rb"[!-~]+", line) and line != b"%d" % number:
        return Quirk.UIDL_NUMBER, b"%d %s" % (number, line)
    if b"  " in line:
        return Quirk.UNIQUE_ID, re.sub(rb" +", b" ", line, count=1)
    return None
