"""What an SMTP server says: values that are read and written here.

    220 foo.com Simple Mail Transfer Service Ready     Greeting
    250-foo.com greets bar.com                         EhloData,
    250-SIZE 1000000                                   gathered of
    250 HELP                                           Extensions
    550 5.1.1 No such user here                        Reply
    250 OK, 452 4.2.2 over quota, one by one           Delivery (LMTP)
    334 dGVzdA==                                       Challenge

``read`` takes lines without their CRLF and raises ValueError where they are not what
they should be.  Faults of real servers are not tolerated here but mended before
(``mend``), so that there is one reader, and it is strict.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from functools import lru_cache
from typing import Final, Self

from .. import _login
from .._text import check_text, printable, read_text, write_text
from .grammar import MAX_LINE, check_number, read_date, read_number

_LINE = re.compile(rb"([2-5][0-5][0-9])(?:([ -])([^\r\n\0]*))?")
STATUS: Final = r"([245])\.(0|[1-9][0-9]{0,2})\.(0|[1-9][0-9]{0,2})"
_ENHANCED = re.compile(STATUS)
_BEGINNING = re.compile(rf"{STATUS}(?: |\Z)")
_EXTENSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*(?: [!-~]+)*")
_LIMIT = re.compile(r"[A-Za-z0-9_-]+(?:=[!-:<-~]+)?")
_LIMIT_VALUE = re.compile(r"[1-9][0-9]{0,5}")


# -- replies ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class EnhancedCode:
    """RFC 3463 2: class, subject and detail of what happened, ``5.1.1``.

    The registry is that of RFC 5248; a code that is not in it is fine.
    """

    category: int  #: 2 success, 4 transient failure, 5 permanent failure
    subject: int
    detail: int

    def __post_init__(self) -> None:
        if self.category not in (2, 4, 5):
            raise ValueError("the class of an enhanced status code is 2, 4 or 5")
        check_number(self.subject, "the subject of an enhanced status code", 999)
        check_number(self.detail, "the detail of an enhanced status code", 999)

    def __str__(self) -> str:
        return f"{self.category}.{self.subject}.{self.detail}"

    @classmethod
    def read(cls, text: str) -> Self:
        found = _ENHANCED.fullmatch(text)
        if found is None:
            raise ValueError("not an enhanced status code (RFC 3463 2)")
        return cls(int(found[1]), int(found[2]), int(found[3]))


def split_enhanced(code: int, text: str) -> tuple[EnhancedCode | None, str]:
    """Take the enhanced code off the text of a reply, if its class is the reply's.

    >>> split_enhanced(550, "5.1.1 no such user")
    (EnhancedCode(category=5, subject=1, detail=1), 'no such user')
    """
    found = _BEGINNING.match(text)
    if found is None or code // 100 != int(found[1]):
        return None, text
    return _enhanced(*found.groups()), text[found.end() :]


@lru_cache(maxsize=256)
def _enhanced(category: str, subject: str, detail: str) -> EnhancedCode:
    return EnhancedCode(int(category), int(subject), int(detail))


def split_line(line: bytes) -> tuple[int, bool, bytes]:
    """The code of one line of a reply, whether more follow, and its text.

    RFC 5321 4.2 has no other codes than 200 to 559, and no other signs behind them
    than a space and a hyphen.
    """
    found = _LINE.fullmatch(line)
    if found is None:
        raise ValueError("a reply begins with a code of three digits")
    return int(found[1]), found[2] == b"-", found[3] or b""


def split_reply(lines: Sequence[bytes]) -> tuple[int, list[bytes]]:
    """The code of a whole reply, and the text of each of its lines."""
    split = [split_line(line) for line in lines]
    if [more for _, more, _ in split] != [True] * (len(split) - 1) + [False]:
        raise ValueError("a hyphen stands on every line of a reply but the last")
    if len({code for code, _, _ in split}) != 1:
        raise ValueError("every line of a reply has the same code")
    return split[0][0], [text for _, _, text in split]


@dataclass(frozen=True, slots=True)
class Reply:
    """RFC 5321 4.2: what a server says to a command, in one line or several.

    S: 550-5.1.1 No such user here.
    S: 550 5.1.1 Try the staff list.

    ``Reply(550, "No such user here.\\nTry the staff list.", EnhancedCode(5, 1, 1))``.
    The enhanced code stands on every line that is sent; of what is received the one of
    the first line counts, and lines without it are read, too.
    """

    code: int
    text: str = ""  #: lines are separated by LF
    enhanced: EnhancedCode | None = None
    # What write() gave: servers say the same over and over.
    _written: bytes | None = field(default=None, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not 200 <= self.code <= 559 or self.code // 10 % 10 > 5:
            raise ValueError("a reply code is 200 to 559, its second digit 0 to 5")
        if not self.text.isascii() or not self.text.isprintable():
            check_text(self.text.replace("\n", ""), "the text of a reply")
        if self.enhanced is None:
            if split_enhanced(self.code, self.text)[0] is not None:
                raise ValueError("the text begins with an enhanced code: say enhanced=")
        elif self.enhanced.category != self.code // 100:
            raise ValueError("an enhanced code has the class of its reply (RFC 2034 4)")

    def __str__(self) -> str:
        said = f"{self.code} {self.enhanced or ''} {printable(self.text)}"
        return re.sub(r" +", " ", said).strip()

    @property
    def ok(self) -> bool:
        """Whether it is a success; 354 and 334 are none yet."""
        return self.code < 300

    @property
    def transient(self) -> bool:
        """Whether it is a failure that may be none next time."""
        return 400 <= self.code < 500

    @property
    def lines(self) -> list[str]:
        """The text by its lines, without codes."""
        return self.text.split("\n")

    def write(self) -> bytes:
        """All of it, each line with its CRLF."""
        if self._written is None:
            object.__setattr__(self, "_written", self._write())
            assert self._written is not None
        return self._written

    def _write(self) -> bytes:
        lines = self.lines
        if self.enhanced is not None:
            same = str(self.enhanced)
            lines = [f"{same} {line}" if line else same for line in lines]
        said = "".join(f"{self.code}-{line}\r\n" for line in lines[:-1])
        last = f"{self.code} {lines[-1]}" if lines[-1] else str(self.code)
        return write_text(f"{said}{last}\r\n")

    @classmethod
    def read(cls, *lines: bytes) -> Self:
        return cls.join(*split_reply(lines))

    @classmethod
    def join(cls, code: int, texts: Iterable[bytes]) -> Self:
        """The reply of which these are the lines, without code and sign."""
        said = [read_text(text) for text in texts]
        enhanced, said[0] = split_enhanced(code, said[0])
        if enhanced is not None:
            same = str(enhanced)
            said[1:] = [
                line[len(same) + 1 :] if f"{line} ".startswith(f"{same} ") else line
                for line in said[1:]
            ]
        return cls(code, "\n".join(said), enhanced)


@dataclass(frozen=True, slots=True)
class Greeting:
    """RFC 5321 4.2: the first reply of a session.

    S: 220 foo.com Simple Mail Transfer Service Ready

    A refusal (``ok`` is false) ends the session before it began: 421 at once, 554 and
    521 (RFC 7504) with QUIT.
    """

    text: str = ""
    code: int = 220
    enhanced: EnhancedCode | None = None

    def __post_init__(self) -> None:
        Reply(self.code, self.text, self.enhanced)

    def __str__(self) -> str:
        return str(self.reply)

    @property
    def reply(self) -> Reply:
        return Reply(self.code, self.text, self.enhanced)

    @property
    def ok(self) -> bool:
        return self.code == 220

    @property
    def domain(self) -> str:
        """Who the server says it is; empty where it says nothing."""
        return re.split("[ \n]", self.text, maxsplit=1)[0]

    def write(self) -> bytes:
        """All of it, each line with its CRLF."""
        return self.reply.write()

    @classmethod
    def of(cls, reply: Reply) -> Self:
        return cls(reply.text, reply.code, reply.enhanced)

    @classmethod
    def read(cls, *lines: bytes) -> Self:
        return cls.of(Reply.read(*lines))


@dataclass(frozen=True, slots=True)
class Closing:
    """Event of a client: 421, which nobody asked for; the server hangs up."""

    reply: Reply


@dataclass(frozen=True, slots=True)
class Challenge(_login.Challenge):
    """RFC 4954 4: the server's turn in a log-in, ``334 dGVzdA==``, decoded."""

    begins = b"334 "


@dataclass(frozen=True, slots=True)
class Delivery:
    """RFC 2033 4.2: what became of the message for one recipient.

    *index* counts the RCPTs that were accepted, from 0: one address may be there twice.
    """

    index: int
    recipient: str
    reply: Reply


@dataclass(frozen=True, slots=True)
class Deliveries:
    """RFC 2033 4.2: the end of an LMTP transaction, a Delivery for each recipient.

    It is ``ok`` whatever they say: each of them speaks for itself.
    """

    each: tuple[Delivery, ...] = ()

    @property
    def ok(self) -> bool:
        return True

    @property
    def replies(self) -> list[Reply]:
        return [delivery.reply for delivery in self.each]


class Refusal(ValueError):
    """A line that cannot be obeyed, with the Reply that says so."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.text)
        self.reply: Final = reply


# -- EHLO ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Extension:
    """RFC 5321 4.1.1.1: a line of the answer to EHLO, ``SIZE 1000000``.

    The keyword is kept as it was written; in whatever case, it is the same.
    """

    keyword: str
    parameters: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not _EXTENSION.fullmatch(str(self)) or " " in self.keyword:
            raise ValueError("not a line of EHLO (RFC 5321 4.1.1.1)")
        if any(" " in parameter for parameter in self.parameters):
            raise ValueError("the parameter of an extension is one word")

    def __str__(self) -> str:
        return " ".join((self.keyword, *self.parameters))

    @classmethod
    def read(cls, text: str) -> Self:
        keyword, *parameters = text.split(" ")
        return cls(keyword, tuple(parameters))


@dataclass(frozen=True, slots=True)
class FutureRelease:
    """RFC 4865 3: seconds, and until when, a message may be held at most."""

    interval: int
    until: datetime


@dataclass(frozen=True, slots=True)
class EhloData:
    """RFC 5321 4.1.1.1: who the server is, and what it can do, in order.

    S: 250-foo.com greets bar.com
    S: 250-SIZE 1000000
    S: 250-AUTH PLAIN SCRAM-SHA-256
    S: 250 XYZZY

    >>> data = EhloData("foo.com", (Extension("SIZE", ("1000000",)),))
    >>> data.size, data.pipelining, "xyzzy" in data
    (1000000, False, False)

    Those that nobody here knows are in ``extensions`` like all the others.
    """

    domain: str
    extensions: tuple[Extension, ...] = ()
    greeting: str = ""
    _known: dict[str, tuple[str, ...]] = field(
        init=False, repr=False, compare=False, hash=False
    )
    #: RFC 9422: limits by name, upper-case; none if one of them is malformed
    limits: Mapping[str, str] = field(init=False, repr=False, compare=False, hash=False)
    #: RFC 1870: octets of the largest message; 0 is no limit that is told.
    #: ``None``: SIZE is not known there, and cannot be said with MAIL.
    size: int | None = field(init=False, repr=False, compare=False, hash=False)

    def __post_init__(self) -> None:
        check_text(self.domain + self.greeting, "domain and greeting")
        if " " in self.domain:
            raise ValueError("the domain must be one word")
        object.__setattr__(self, "extensions", tuple(self.extensions))
        # The first one counts, should a keyword stand there twice.
        known = {
            line.keyword.upper(): line.parameters for line in self.extensions[::-1]
        }
        object.__setattr__(self, "_known", known)
        object.__setattr__(self, "limits", self._read_limits())
        object.__setattr__(self, "size", self._read_size())

    @property
    def ok(self) -> bool:
        return True

    def __contains__(self, keyword: str) -> bool:
        return keyword in self._known or keyword.upper() in self._known

    def parameters(self, keyword: str) -> tuple[str, ...]:
        """What follows *keyword*; empty too where it is not announced."""
        return self._known.get(keyword.upper(), ())

    def write(self) -> bytes:
        """All of it, each line with its CRLF."""
        first = f"{self.domain} {self.greeting}" if self.greeting else self.domain
        *rest, last = (first, *map(str, self.extensions))
        said = "".join(f"250-{line}\r\n" for line in rest)
        return write_text(f"{said}250 {last}\r\n")

    @classmethod
    def read(cls, *lines: bytes) -> Self:
        code, texts = split_reply(lines)
        if code != 250:
            raise ValueError("EHLO is granted by 250")
        first, *rest = map(read_text, texts)
        return cls.join(first, map(Extension.read, rest))

    @classmethod
    def join(cls, first: str, extensions: Iterable[Extension]) -> Self:
        domain, _, greeting = first.partition(" ")
        return cls(domain, tuple(extensions), greeting)

    def _number(self, keyword: str, default: int | None) -> int | None:
        """The number behind *keyword*; *default* if there is none that is legal."""
        try:
            return read_number(self.parameters(keyword)[0], keyword)
        except (ValueError, IndexError):
            return default

    @property
    def pipelining(self) -> bool:
        """RFC 2920."""
        return "PIPELINING" in self

    def _read_size(self) -> int | None:
        return self._number("SIZE", 0) if "SIZE" in self else None

    @property
    def eightbitmime(self) -> bool:
        """RFC 6152."""
        return "8BITMIME" in self

    @property
    def binarymime(self) -> bool:
        """RFC 3030 3; it cannot be used without CHUNKING."""
        return "BINARYMIME" in self and self.chunking

    @property
    def chunking(self) -> bool:
        """RFC 3030 2."""
        return "CHUNKING" in self

    @property
    def starttls(self) -> bool:
        """RFC 3207."""
        return "STARTTLS" in self

    @property
    def sasl(self) -> tuple[str, ...]:
        """RFC 4954 3: the mechanisms on offer, upper-case, each once."""
        lines = (x for x in self.extensions if x.keyword.upper() == "AUTH")
        return tuple(dict.fromkeys(w.upper() for x in lines for w in x.parameters))

    @property
    def enhancedstatuscodes(self) -> bool:
        """RFC 2034."""
        return "ENHANCEDSTATUSCODES" in self

    @property
    def dsn(self) -> bool:
        """RFC 3461."""
        return "DSN" in self

    @property
    def smtputf8(self) -> bool:
        """RFC 6531."""
        return "SMTPUTF8" in self

    @property
    def requiretls(self) -> bool:
        """RFC 8689."""
        return "REQUIRETLS" in self

    @property
    def deliverby(self) -> int | None:
        """RFC 2852 2: the shortest time that can be asked for, in seconds."""
        if "DELIVERBY" not in self:
            return None
        least = ",".join(self.parameters("DELIVERBY")).split(",")[0]
        return int(least) if re.fullmatch("[0-9]{1,9}", least) else 0

    @property
    def futurerelease(self) -> FutureRelease | None:
        """RFC 4865 3."""
        match self.parameters("FUTURERELEASE"):
            case (interval, until, *_):
                try:
                    return FutureRelease(
                        read_number(interval, "interval", 999_999_999, 1),
                        read_date(until),
                    )
                except ValueError:
                    return None
        return None

    @property
    def mt_priority(self) -> str | None:
        """RFC 6710 7: the name of the profile, ``""`` if it has none."""
        if "MT-PRIORITY" not in self:
            return None
        return "".join(self.parameters("MT-PRIORITY")[:1])

    def _read_limits(self) -> dict[str, str]:
        words = self.parameters("LIMITS")
        if not all(map(_LIMIT.fullmatch, words)):
            return {}
        pairs = (word.partition("=") for word in words)
        return {name.upper(): value for name, _, value in pairs}

    def limit(self, name: str) -> int | None:
        """RFC 9422 4: MAILMAX, RCPTMAX or RCPTDOMAINMAX."""
        value = self.limits.get(name, "")
        return int(value) if _LIMIT_VALUE.fullmatch(value) else None

    @property
    def burl(self) -> tuple[str, ...]:
        """RFC 4468 3.3: what URLs can be resolved, ``imap`` or ``imap://host``."""
        return self.parameters("BURL")

    @property
    def rrvs(self) -> bool:
        """RFC 7293."""
        return "RRVS" in self

    @property
    def etrn(self) -> bool:
        """RFC 1985."""
        return "ETRN" in self

    @property
    def atrn(self) -> bool:
        """RFC 2645."""
        return "ATRN" in self

    @property
    def xclient(self) -> frozenset[str]:
        """The attributes that XCLIENT can tell, upper-case."""
        return frozenset(map(str.upper, self.parameters("XCLIENT")))

    @property
    def xforward(self) -> frozenset[str]:
        """The attributes that XFORWARD can tell, upper-case."""
        return frozenset(map(str.upper, self.parameters("XFORWARD")))


# -- what real servers do --------------------------------------------------------


class Quirk(Enum):
    """Faults of real servers that a client tolerates unless it is strict.

    Each is mended into what the server should have said, and reported as a
    Deviation.  None of them changes where a line or a reply ends.
    """

    #: a line of more than 512 octets; it is read up to Limits.line
    LONG_REPLY = "line of a reply longer than 512 octets"
    #: neither ASCII nor UTF-8; the octets come through as surrogate escapes
    NOT_UTF8 = "line of a reply that is not UTF-8"
    #: ``250-a``, then ``550 b``: the last one counts
    MIXED_CODES = "lines of one reply with several codes"
    #: ``334`` and nothing else: an empty challenge
    BARE_CHALLENGE = "challenge without a space"
    #: ``250-AUTH=LOGIN PLAIN``: from before RFC 2554, for Outlook 4
    OLD_AUTH = "AUTH with an equals sign"
    #: ``250-SIZE``, space, end of line: a space too many, or a tab
    EHLO_SPACE = "white space where none belongs in a line of EHLO"
    #: a line of EHLO that makes no sense: it is left out
    EHLO_LINE = "line of EHLO that cannot be read"


def fault_of(line: bytes) -> Quirk | None:
    """The fault in a line of any reply that does not keep it from being read."""
    try:
        line.decode("utf-8")
    except UnicodeDecodeError:
        return Quirk.NOT_UTF8
    return Quirk.LONG_REPLY if len(line) + 2 > MAX_LINE else None


def mend_extension(text: str) -> tuple[Quirk, str] | None:
    """The fault in a line of EHLO, and the line without it."""
    if text[:5].upper() == "AUTH=":
        return Quirk.OLD_AUTH, "AUTH " + text[5:]
    better = re.sub("[ \t]+", " ", text).strip(" ")
    return (Quirk.EHLO_SPACE, better) if better != text else None
