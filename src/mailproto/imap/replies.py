"""Status responses: how a command went, and how the server is (RFC 3501 7.1, 7.5).

* OK [UIDNEXT 4392] Predicted next UID       Reply, with a ResponseCode
a001 OK LOGIN completed                      TaggedReply
+ Ready for literal data                     Continue; Challenge in a log-in
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import Enum
from typing import Final, Self

from .. import _login, sasl
from .._text import read_text, write_text
from .codes import ResponseCode, take_code
from .grammar import GrammarError, check_text
from .kinds import unchecked
from .quirks import Quirk, Reader

_CONDITION: Final = re.compile(rb"(?i:OK|NO|BAD|BYE|PREAUTH)(?=[ \t]|\Z)")
_CONTROL: Final = re.compile("[\r\n\0]")


class Condition(Enum):
    """RFC 3501 7.1, resp-cond-state: how it is."""

    OK = b"OK"  #: done; untagged, news
    NO = b"NO"  #: not done; untagged, a warning
    BAD = b"BAD"  #: not understood
    BYE = b"BYE"  #: the server hangs up (untagged)
    PREAUTH = b"PREAUTH"  #: logged in already (the greeting)


@dataclass(frozen=True, slots=True)
class Reply:
    """RFC 3501 7.1: how it is, untagged.

    S: * OK [ALERT] System shutdown in 10 minutes
    """

    condition: Condition
    text: str = ""
    code: ResponseCode | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "condition", Condition(self.condition))
        _check(self.code, self.text)

    @property
    def ok(self) -> bool:
        return self.condition in (Condition.OK, Condition.PREAUTH)

    def write(self) -> bytes:
        return _write(b"* " + self.condition.value, self.code, self.text)

    @classmethod
    def read(cls, reader: Reader) -> Self:
        """Of the condition and all that follows it."""
        word = reader.take(_CONDITION, "OK, NO, BAD, BYE or PREAUTH")
        code, text = _take_text(reader)
        return unchecked(cls, Condition(word.upper()), text, code)


def check_line(text: str) -> None:
    """Raise ValueError for text that is not one line."""
    check_text(text, "the text of a response")
    if _CONTROL.search(text):
        raise ValueError("the text of a response must not hold CR or LF")


def _check(code: ResponseCode | None, text: str) -> None:
    check_line(text)
    if code is None and text.startswith("["):
        raise ValueError("the text begins with a response code: say code=")


def _write(before: bytes, code: ResponseCode | None, text: str) -> bytes:
    known = b"" if code is None else b"[%b] " % code.write_code()
    return b"%b %b%b\r\n" % (before, known, write_text(text))


def _take_text(reader: Reader) -> tuple[ResponseCode | None, str]:
    """The rest of the line, behind a space: perhaps a code, and text."""
    if reader.at_end:
        reader.tolerate(Quirk.MISSING_TEXT)
        return None, ""
    if reader.accept(b"\t"):
        reader.tolerate(Quirk.MISSING_SPACE)
    else:
        reader.accept(b" ")
    code = take_code(reader)
    if code is not None and not reader.accept(b" "):
        missing = Quirk.MISSING_TEXT if reader.at_end else Quirk.MISSING_SPACE
        reader.tolerate(missing)
    start = reader.at
    rest = reader.take_rest()
    try:
        text = rest.decode("utf-8")
    except UnicodeDecodeError:
        reader.tolerate(Quirk.EIGHT_BIT)
        text = read_text(rest)
    if _CONTROL.search(text):
        reader.at = start
        reader.fail("the text of a response must not hold CR, LF or NUL")
    return code, text


def take_bare_code(reader: Reader) -> Reply:
    """A code where its condition is missing; it is taken to be OK."""
    reader.tolerate(Quirk.MISSING_STATUS)
    code, text = _take_text(reader)
    return unchecked(Reply, Condition.OK, text, code)


@dataclass(frozen=True, slots=True)
class TaggedReply:
    """RFC 3501 7.1: how a command went; the last that is said about it.

    S: a001 OK LOGIN completed
    """

    tag: str
    reply: Reply

    def __post_init__(self) -> None:
        check_tag(self.tag)
        if self.reply.condition not in _TAGGED:
            raise ValueError("a tagged response is OK, NO or BAD")

    def write(self) -> bytes:
        reply = self.reply
        before = self.tag.encode("ascii") + b" " + reply.condition.value
        return _write(before, reply.code, reply.text)

    @classmethod
    def read(cls, reader: Reader) -> Self:
        tag = reader.take_tag().decode("ascii")
        reader.expect(b" ")
        start = reader.at
        reply = Reply.read(reader)
        if reply.condition not in _TAGGED:
            raise GrammarError("a tagged response is OK, NO or BAD", start)
        return unchecked(cls, tag, reply)


_TAGGED: Final = (Condition.OK, Condition.NO, Condition.BAD)
_IS_TAG: Final = re.compile(r"[^\0-\x20(){%*\"\\+\x7f-\U0010ffff]+").fullmatch


def check_tag(tag: str) -> None:
    """Raise ValueError for what is no tag."""
    if not _IS_TAG(tag):
        raise ValueError("a tag is an atom without +")


def _check_greets(condition: Condition) -> None:
    if condition in (Condition.NO, Condition.BAD):
        raise ValueError("a greeting is OK, PREAUTH or BYE")


@dataclass(frozen=True, slots=True)
class Greeting:
    """RFC 3501 7.1: the first line of a session: OK, PREAUTH or BYE.

    S: * OK IMAP4rev1 Service Ready
    """

    condition: Condition = Condition.OK
    text: str = ""
    code: ResponseCode | None = None

    def __post_init__(self) -> None:
        _check(self.code, self.text)
        _check_greets(self.condition)

    @classmethod
    def of(cls, reply: Reply) -> Self:
        """The same as a greeting; raises ValueError for NO and BAD."""
        _check_greets(reply.condition)
        return unchecked(cls, reply.condition, reply.text, reply.code)

    @property
    def ok(self) -> bool:
        return self.condition is not Condition.BYE

    def write(self) -> bytes:
        return _write(b"* " + self.condition.value, self.code, self.text)


@dataclass(frozen=True, slots=True)
class Continue:
    """RFC 3501 7.5: go on.  Text, or what a log-in has in base64.

    S: + Ready for additional command text
    """

    text: str = ""
    code: ResponseCode | None = None

    def __post_init__(self) -> None:
        _check(self.code, self.text)

    @property
    def challenge(self) -> bytes:
        """What it is in a log-in; raises ValueError for what is no base64."""
        return sasl.decode_base64(write_text(self.text))

    def write(self) -> bytes:
        return _write(b"+", self.code, self.text)

    @classmethod
    def read(cls, reader: Reader) -> Self:
        """Of the whole line."""
        reader.expect(b"+")
        if not reader.at_end and reader.peek() not in (b" ", b"\t"):
            reader.tolerate(Quirk.MISSING_SPACE)
        code, text = _take_text(reader)
        return unchecked(cls, text, code)


@dataclass(frozen=True, slots=True)
class Challenge(_login.Challenge):
    """RFC 3501 6.2.2: what a server asks in a log-in, decoded.

    S: + dGVzdA==
    """

    @classmethod
    def read(cls, text: bytes) -> Self:
        """Of what stands behind the ``+`` and its space; raises ValueError."""
        return cls(sasl.decode_base64(text))


# -- what comes in the place of a response, or before it -------------------------


@dataclass(frozen=True, slots=True)
class Malformed:
    """Event: one response that makes no sense is lost; the conversation goes on.

    *raw* is all of it, CRLF included, but for what was streamed; *error* has the reason
    and its position in *raw*.
    """

    raw: bytes = field(repr=False)
    error: GrammarError = field(compare=False)


@dataclass(frozen=True, slots=True)
class LiteralBegins:
    """Event: the octets of a long literal follow in Chunks, *size* of them.

    They are *item* of message *number*, ``BODY[1.TEXT]<0>``; the FetchData that ends it
    holds ``Streamed(size)`` in their place.  *uid* is ``None`` if it was not told yet.
    """

    number: int
    item: str
    size: int
    uid: int | None = field(default=None, compare=False)
