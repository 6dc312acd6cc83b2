"""Response codes: what a status response says to the program (RFC 3501 7.1).

    * OK [UIDNEXT 4392] Predicted next UID
          ^^^^^^^^^^^^ here
    A003 OK [APPENDUID 38505 3955] APPEND completed        RFC 4315 3
    A001 NO [AUTHENTICATIONFAILED] Try again               RFC 5530 3

A code that carries something has a class; to add one, write the class and name it in
``_BY_NAME``.  One that says all by its name is a ``Code``; so is any that is not known,
and it keeps what it carries as it came.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Annotated, ClassVar, Final, Self

from .._text import read_text, write_text
from . import kinds
from .grammar import GrammarError, check_flag, inline, write_quoted
from .kinds import Formed
from .quirks import Quirk, Reader
from .sets import UidSet

# RFC 3501 9, resp-text-code: an atom, and then anything but "]".  Atoms end at "]".
_NAME: Final = re.compile(rb'[^\0-\x20()\[\]{%*"\\\x7f-\xff]++')
_OTHER: Final = re.compile(rb"[^\]\r\n\0]*+")
_IS_OTHER: Final = re.compile(r"[^\]\r\n\0]+").fullmatch
_CAPABILITY: Final = re.compile(rb'[^\0-\x20(){%*"\\\]\x7f-\xff]++')
_IS_CAPABILITY: Final = re.compile(r'[^\0-\x20(){%*"\\\]\x7f-\U0010ffff]+').fullmatch
_ODD_FLAGS: Final = re.compile(rb"\(([^()\r\n]*+)\)")


class ResponseCode(Formed):
    """A response code.  What it carries is read behind its name."""

    __slots__ = ()
    name: str  #: in capitals, if it is known

    def write_code(self) -> bytes:
        """What stands between the brackets."""
        return inline((self.name.encode("ascii"), *self.arguments()))

    @classmethod
    def read_code(cls, reader: Reader) -> Self:
        """The code whose name has been read."""
        code = cls.take(reader)
        code.__post_init__()
        return code


@dataclass(frozen=True, slots=True)
class Code(ResponseCode):
    """RFC 3501 7.1, RFC 5530 3: ``[TRYCREATE]``, ``[X-FOO anything]``.

    *text* is what stands behind the name, ``None`` if nothing does.
    """

    name: str
    text: str | None = None

    def __post_init__(self) -> None:
        if not self.name.isascii() or not _NAME.fullmatch(self.name.encode("ascii")):
            raise ValueError("the name of a response code is an atom")
        if self.name.upper() in PLAIN:
            object.__setattr__(self, "name", self.name.upper())
        if self.text is not None and not _IS_OTHER(self.text):
            raise ValueError("a response code must not hold ], CR, LF or NUL")

    def write_code(self) -> bytes:
        text = "" if self.text is None else f" {self.text}"
        return write_text(self.name + text)

    @classmethod
    def read_code(cls, reader: Reader) -> Self:
        """With its name, up to the bracket."""
        name = reader.take(_NAME, "a response code").decode("ascii")
        text = None
        if reader.accept(b" "):
            text = read_text(reader.take(_OTHER, "the data of a response code"))
        if reader.peek() != b"]":
            reader.fail("] is expected")
        return cls(name, text or None)


class Data(Formed):
    """What a server tells, untagged."""

    __slots__ = ()
    #: what it begins with, in capitals
    label: ClassVar[bytes]
    #: whether it makes sense in the selected state only
    of_messages: ClassVar[bool] = False

    def write(self) -> bytes:
        """The whole response, CRLF and literals included."""
        return inline((b"* ", self.label, *self.arguments(), b"\r\n"))

    @classmethod
    def read(cls, reader: Reader) -> Self:
        """Of what stands behind the name; raises GrammarError."""
        return cls.take(reader)


#: those that carry nothing: RFC 3501 7.1, RFC 4315 3, RFC 5530 3
PLAIN: Final = frozenset({
    "ALERT", "PARSE", "READ-ONLY", "READ-WRITE", "TRYCREATE", "UIDNOTSTICKY",
    "UNAVAILABLE", "AUTHENTICATIONFAILED", "AUTHORIZATIONFAILED", "EXPIRED",
    "PRIVACYREQUIRED", "CONTACTADMIN", "NOPERM", "INUSE", "EXPUNGEISSUED", "CORRUPTION",
    "SERVERBUG", "CLIENTBUG", "CANNOT", "LIMIT", "OVERQUOTA", "ALREADYEXISTS",
    "NONEXISTENT",
})  # fmt: skip


def take_flags(reader: Reader, *, star: bool = False) -> tuple[str, ...]:
    """A list of flags; odd ones are kept.  *star*: ``\\*`` may be among them."""
    if reader.accept_nil():
        reader.tolerate(Quirk.NIL)
        return ()
    start = reader.at
    words = reader.take(_ODD_FLAGS, "a list of flags")[1:-1].split(b" ")
    after, reader.at = reader.at, start
    flags: list[str] = []
    for word in words:
        if not word:
            if len(words) > 1:
                reader.tolerate(Quirk.EXTRA_SPACE)
            continue
        text = read_text(word)
        try:
            text = text if star and text == "\\*" else check_flag(text)
        except ValueError:
            reader.tolerate(Quirk.ODD_FLAG)
            if word[:1] == b'"' == word[-1:]:
                text = text[1:-1].replace("\\\\", "\\")
        flags.append(text)
    reader.at = after
    return tuple(flags)


def write_odd_flags(flags: tuple[str, ...]) -> bytes:
    return write_text(f"({' '.join(flags)})")


def _check_any_flags(flags: tuple[str, ...], what: str) -> tuple[str, ...]:
    return tuple(flag if flag == "\\*" else check_flag(flag) for flag in flags)


def _check_charsets(charsets: tuple[str, ...], what: str) -> None:
    for charset in charsets:
        if not charset.isascii():
            raise ValueError("the name of a charset is ASCII")
        write_quoted(charset.encode("ascii"))


def _write_charsets(charsets: tuple[str, ...]) -> bytes:
    words = (charset.encode("ascii") for charset in charsets)
    return b"(%b)" % b" ".join(
        word if _NAME.fullmatch(word) else write_quoted(word) for word in words
    )


def _take_charset(reader: Reader) -> str:
    quoted = reader.peek() == b'"'
    word = reader.take_quoted() if quoted else reader.take(_NAME, "a charset")
    return read_text(word)


def _check_known(uids: UidSet, what: str) -> None:
    if uids.open:
        raise ValueError("* is no UID that was given")


def _check_capabilities(names: tuple[str, ...], what: str) -> None:
    for name in names:
        if not _IS_CAPABILITY(name):
            raise ValueError("a capability is an atom")


def _take_capabilities(reader: Reader) -> tuple[str, ...]:
    words: list[str] = []
    while True:
        if reader.at_end or reader.peek() in (b" ", b"]"):
            reader.tolerate(Quirk.EXTRA_SPACE)
        else:
            words.append(reader.take(_CAPABILITY, "a capability").decode("ascii"))
        if not reader.accept(b" "):
            return tuple(words)


# fmt: off
#: up to the end, or to a bracket
CapabilityNames = Annotated[tuple[str, ...], kinds.Kind(
    _check_capabilities, lambda names: " ".join(names).encode("ascii"),
    _take_capabilities, opens=b" "
)]
#: flags as servers tell them; and perhaps ``\\*`` among them
OddFlags = Annotated[tuple[str, ...], kinds.Kind(
    kinds.check_flags, write_odd_flags, take_flags
)]
_AnyFlags = Annotated[tuple[str, ...], kinds.Kind(
    _check_any_flags, write_odd_flags, partial(take_flags, star=True)
)]
_Charsets = Annotated[tuple[str, ...], kinds.Kind(
    _check_charsets, _write_charsets,
    lambda reader: reader.take_list(_take_charset), opens=b" (",
)]
_Known = Annotated[UidSet, kinds.Kind(
    _check_known, UidSet.write, lambda reader: reader.take_set(UidSet)
)]
# fmt: on


@dataclass(frozen=True, slots=True)
class _Numbered(ResponseCode):
    number: kinds.Counting


class UidNext(_Numbered):
    """RFC 3501 7.1: the next message will have this UID, or a larger one."""

    __slots__ = ()
    name = "UIDNEXT"


class UidValidity(_Numbered):
    """RFC 3501 7.1: UIDs mean the same while this number is the same (2.3.1.1)."""

    __slots__ = ()
    name = "UIDVALIDITY"


class Unseen(_Numbered):
    """RFC 3501 7.1: the first message without the \\Seen flag has this number."""

    __slots__ = ()
    name = "UNSEEN"


@dataclass(frozen=True, slots=True)
class PermanentFlags(ResponseCode):
    """RFC 3501 7.1: the flags that can be changed for good.

    S: * OK [PERMANENTFLAGS (\\Deleted \\Seen \\*)] Limited

    ``\\*`` among them: there can be new keywords.
    """

    name = "PERMANENTFLAGS"
    flags: _AnyFlags

    @classmethod
    def read_code(cls, reader: Reader) -> Self:
        return cls.take(reader)  # odd flags are kept


@dataclass(frozen=True, slots=True)
class BadCharset(ResponseCode):
    """RFC 3501 7.1: SEARCH does not know the charset, but these (if any are told)."""

    name = "BADCHARSET"
    charsets: _Charsets = ()


@dataclass(frozen=True, slots=True)
class AppendUid(ResponseCode):
    """RFC 4315 3: what became of an APPEND, ``[APPENDUID 38505 3955]``."""

    name = "APPENDUID"
    uid_validity: kinds.Counting
    uids: _Known


@dataclass(frozen=True, slots=True)
class CopyUid(ResponseCode):
    """RFC 4315 3: what became of a COPY, ``[COPYUID 38505 304,319:320 3956:3958]``.

    The first of *source* is now the first of *target*, and so on; both may be huge.
    """

    name = "COPYUID"
    uid_validity: kinds.Counting
    source: _Known
    target: _Known

    def __post_init__(self) -> None:
        ResponseCode.__post_init__(self)
        if self.source.count() != self.target.count():
            raise ValueError("COPYUID has as many UIDs there as here")

    def pairs(self) -> Iterator[tuple[int, int]]:
        """UID there, UID here, one by one."""
        return zip(self.source.numbers(), self.target.numbers(), strict=True)


@dataclass(frozen=True, slots=True, init=False)
class Capabilities(ResponseCode, Data):
    """RFC 3501 7.2.1: what the server can do, as a response and as a code.

    S: * CAPABILITY IMAP4rev1 STARTTLS AUTH=GSSAPI XPIG-LATIN
    S: * OK [CAPABILITY IMAP4rev1 LITERAL+] ready

    They are kept as they came; ``in`` does not mind case.
    """

    name = "CAPABILITY"
    label = b"CAPABILITY"
    names: CapabilityNames = ()

    def __init__(self, *names: str) -> None:
        kinds.hold(self, names)
        self.__post_init__()

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __len__(self) -> int:
        return len(self.names)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.upper() in map(str.upper, self.names)

    @property
    def sasl(self) -> tuple[str, ...]:
        """The mechanisms of AUTHENTICATE, in capitals, as they are offered."""
        names = (name.upper() for name in self.names)
        return tuple(name[5:] for name in names if name.startswith("AUTH="))


_BY_NAME: Final[dict[str, type[ResponseCode]]] = {
    kind.name: kind
    for kind in (
        AppendUid, BadCharset, Capabilities, CopyUid, PermanentFlags, UidNext,
        UidValidity, Unseen,
    )
}  # fmt: skip


def take_code(reader: Reader) -> ResponseCode | None:
    """A code in its brackets, if this is one; else nothing is taken."""
    start = reader.at
    if not reader.accept(b"["):
        return None
    found = _NAME.match(reader.data, reader.at)
    kind = _BY_NAME.get(found[0].decode("ascii").upper()) if found else None
    if found and kind is not None:
        reader.at = found.end()
        try:
            code = reader.made(lambda: kind.read_code(reader), start)
            reader.expect(b"]")
            return code
        except GrammarError:
            reader.at = start + 1
    try:
        other = Code.read_code(reader)
        if kind is not None or (other.name in PLAIN and other.text is not None):
            reader.tolerate(Quirk.CODE_DATA)
        reader.expect(b"]")
        return other
    except GrammarError:
        reader.at = start
        reader.tolerate(Quirk.NOT_A_CODE)
        return None
