"""What may stand behind the path of a MAIL or a RCPT (RFC 5321 4.1.1.11).

    SIZE=500000  BODY=8BITMIME  SMTPUTF8  RET=HDRS  ENVID=QQ314159        MAIL
    NOTIFY=SUCCESS,DELAY  ORCPT=rfc822;Bob@Example.COM  RRVS=...;C        RCPT

Each is a class, and one that exists can be put on the wire.  What is not known here is
an ``Other``, octet for octet.  To add one is to write such a class and decorate it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import ClassVar, Final, Literal, Self, TypeVar

from .grammar import (
    check_date,
    check_keyword,
    check_mailbox,
    check_number,
    check_value,
    read_date,
    read_number,
    read_unitext,
    read_xtext,
    write_date,
    write_unitext,
    write_xtext,
)
from .responses import EhloData, EnhancedCode, Refusal, Reply

Verb = Literal["MAIL", "RCPT"]

_ATOM = re.compile(r"[A-Za-z0-9!#$%&'*/?^_`{|}~-]+")
_MAX_SIZE: Final = 10**20 - 1  # RFC 1870 6: up to 20 digits
_BY = re.compile(r"([+-]?[0-9]{1,9});([NnRr])([Tt]?)")


def refuse(text: str, code: int = 501, subject: int = 5, detail: int = 4) -> Refusal:
    """The error for arguments that cannot be obeyed: 501 5.5.4 unless you say so."""
    return Refusal(Reply(code, text, EnhancedCode(5, subject, detail)))


class Parameter:
    """A keyword, and a value if it has one.  A subclass is a frozen dataclass."""

    __slots__ = ()

    keyword: ClassVar[str]
    verb: ClassVar[Verb]
    #: what EHLO must have announced
    extension: ClassVar[str]

    def value(self) -> str | None:
        """What stands behind the equals sign, if there is one."""
        return None

    @classmethod
    def read(cls, value: str | None) -> Self:
        """The parameter with that value; raises ValueError if it cannot have it."""
        if value is not None:
            raise ValueError(f"{cls.keyword} takes no value")
        return cls()

    def why_not(self, offered: EhloData) -> Reply | None:
        """Why a server that *offered* this must refuse it, or ``None``."""
        if self.extension not in offered:
            return _unknown(self.extension)
        return None

    def __str__(self) -> str:
        value = self.value()
        return self.keyword if value is None else f"{self.keyword}={value}"


P = TypeVar("P", bound=Parameter)

KNOWN: Final[dict[str, type[Parameter]]] = {}


def _known(kind: type[P]) -> type[P]:
    KNOWN[kind.keyword] = kind
    return kind


def _unknown(what: str) -> Reply:
    return Reply(555, f"{what} is not offered here", EnhancedCode(5, 5, 4))


def _given(value: str | None, keyword: str) -> str:
    if value is None:
        raise ValueError(f"{keyword} needs a value")
    return value


# -- MAIL ------------------------------------------------------------------------


@_known
@dataclass(frozen=True, slots=True)
class Size(Parameter):
    """RFC 1870 6: octets of the message, or as near as the client can say.

    C: MAIL FROM:<ned@thor.innosoft.com> SIZE=500000
    """

    keyword = extension = "SIZE"
    verb = "MAIL"
    octets: int

    def __post_init__(self) -> None:
        check_number(self.octets, "SIZE", _MAX_SIZE)

    def value(self) -> str:
        return str(self.octets)

    @classmethod
    def read(cls, value: str | None) -> Self:
        return cls(read_number(_given(value, "SIZE"), "SIZE", _MAX_SIZE))

    def why_not(self, offered: EhloData) -> Reply | None:
        if offered.size is None:
            return _unknown("SIZE")
        if 0 < offered.size < self.octets:
            what = f"the message is larger than {offered.size} octets"
            return Reply(552, what, EnhancedCode(5, 3, 4))
        return None


class BodyType(StrEnum):
    """RFC 6152 3, RFC 3030 3: what a body may hold."""

    SEVENBIT = "7BIT"
    EIGHTBITMIME = "8BITMIME"
    BINARYMIME = "BINARYMIME"


@_known
@dataclass(frozen=True, slots=True)
class Body(Parameter):
    """RFC 6152 3: what the body holds.

    C: MAIL FROM:<ned@ymir.claremont.edu> BODY=8BITMIME
    """

    keyword = "BODY"
    extension = "8BITMIME"
    verb = "MAIL"
    type: BodyType

    def __post_init__(self) -> None:
        object.__setattr__(self, "type", BodyType(self.type.upper()))

    def value(self) -> str:
        return self.type.value

    @classmethod
    def read(cls, value: str | None) -> Self:
        try:
            return cls(BodyType(_given(value, "BODY").upper()))
        except ValueError:
            raise ValueError("BODY is 7BIT, 8BITMIME or BINARYMIME") from None

    def why_not(self, offered: EhloData) -> Reply | None:
        binary = self.type is BodyType.BINARYMIME
        good = offered.binarymime or (offered.eightbitmime and not binary)
        return None if good else _unknown(f"BODY={self.type.value}")


@_known
@dataclass(frozen=True, slots=True)
class SmtpUtf8(Parameter):
    """RFC 6531 3.4: addresses or header fields of the message may be UTF-8.

    C: MAIL FROM:<péter@example.hu> SMTPUTF8
    """

    keyword = extension = "SMTPUTF8"
    verb = "MAIL"


@_known
@dataclass(frozen=True, slots=True)
class AuthAs(Parameter):
    """RFC 4954 5: who handed the message in; ``""`` is ``<>``, nobody that is known.

    C: MAIL FROM:<e=mc2@example.com> AUTH=e+3Dmc2@example.com
    """

    keyword = extension = "AUTH"
    verb = "MAIL"
    mailbox: str = ""

    def __post_init__(self) -> None:
        if self.mailbox:
            check_mailbox(self.mailbox)

    def value(self) -> str:
        return write_xtext(self.mailbox or "<>")

    @classmethod
    def read(cls, value: str | None) -> Self:
        plain = read_xtext(_given(value, "AUTH"))
        return cls("" if plain == "<>" else plain)


class Returned(StrEnum):
    """RFC 3461 4.3: what of the message a failure notice carries."""

    FULL = "FULL"
    HDRS = "HDRS"


@_known
@dataclass(frozen=True, slots=True)
class Ret(Parameter):
    """RFC 3461 4.3: how much of the message a failure notice carries.

    C: MAIL FROM:<Alice@Example.ORG> RET=HDRS ENVID=QQ314159
    """

    keyword = "RET"
    extension = "DSN"
    verb = "MAIL"
    what: Returned

    def __post_init__(self) -> None:
        object.__setattr__(self, "what", Returned(self.what.upper()))

    def value(self) -> str:
        return self.what.value

    @classmethod
    def read(cls, value: str | None) -> Self:
        try:
            return cls(Returned(_given(value, "RET").upper()))
        except ValueError:
            raise ValueError("RET is FULL or HDRS") from None


@_known
@dataclass(frozen=True, slots=True)
class EnvId(Parameter):
    """RFC 3461 4.4: a name for this sending, of at most 100 characters as xtext.

    C: MAIL FROM:<Alice@Example.ORG> ENVID=QQ314159
    """

    keyword = "ENVID"
    extension = "DSN"
    verb = "MAIL"
    name: str

    def __post_init__(self) -> None:
        if not self.name.isascii() or not self.name.isprintable():
            raise ValueError("ENVID must be printable ASCII")
        if not 1 <= len(self.value()) <= 100:
            raise ValueError("ENVID is 1 to 100 characters long")

    def value(self) -> str:
        return write_xtext(self.name)

    @classmethod
    def read(cls, value: str | None) -> Self:
        return cls(read_xtext(_given(value, "ENVID")))


@_known
@dataclass(frozen=True, slots=True)
class RequireTls(Parameter):
    """RFC 8689 2: the message must not be sent on without TLS that is verified.

    C: MAIL FROM:<roger@example.org> REQUIRETLS

    A server offers it only inside of TLS (4.1), and so it can only be said there.
    """

    keyword = extension = "REQUIRETLS"
    verb = "MAIL"


@_known
@dataclass(frozen=True, slots=True)
class By(Parameter):
    """RFC 2852 4: deliver within so many *seconds*, or else.

    C: MAIL FROM:<ann@example.org> BY=120;R

    *notify*: a delay is told, otherwise the message is returned; then *seconds* must
    be positive.  *trace*: relays that do not know of it are told.
    """

    keyword = "BY"
    extension = "DELIVERBY"
    verb = "MAIL"
    seconds: int
    notify: bool = False
    trace: bool = False

    def __post_init__(self) -> None:
        check_number(self.seconds, "BY", 999_999_999, -999_999_999)
        if not self.notify and self.seconds <= 0:
            raise ValueError("BY with mode R needs a time to come (RFC 2852 4)")

    def value(self) -> str:
        mode = "N" if self.notify else "R"
        return f"{self.seconds};{mode}{'T' if self.trace else ''}"

    @classmethod
    def read(cls, value: str | None) -> Self:
        found = _BY.fullmatch(_given(value, "BY"))
        if found is None:
            raise ValueError("BY is seconds, a semicolon, N or R, and maybe T")
        return cls(int(found[1]), found[2] in "Nn", bool(found[3]))

    def why_not(self, offered: EhloData) -> Reply | None:
        least = offered.deliverby
        if least is None:
            return _unknown("BY")
        if not self.notify and self.seconds < least:
            what = f"no message can be sure to arrive within {self.seconds} seconds"
            return Reply(555, what, EnhancedCode(5, 5, 4))
        return None


@_known
@dataclass(frozen=True, slots=True)
class HoldFor(Parameter):
    """RFC 4865 4: release the message in so many *seconds*.

    C: MAIL FROM:<ann@example.org> HOLDFOR=86400
    """

    keyword = "HOLDFOR"
    extension = "FUTURERELEASE"
    verb = "MAIL"
    seconds: int

    def __post_init__(self) -> None:
        check_number(self.seconds, "HOLDFOR", 999_999_999, 1)

    def value(self) -> str:
        return str(self.seconds)

    @classmethod
    def read(cls, value: str | None) -> Self:
        number = _given(value, "HOLDFOR")
        if number.startswith("0"):
            raise ValueError("HOLDFOR begins with no zero")
        return cls(read_number(number, "HOLDFOR"))

    def why_not(self, offered: EhloData) -> Reply | None:
        most = offered.futurerelease
        if most is None:
            return _unknown("HOLDFOR")
        if self.seconds > most.interval:
            return refuse(f"HOLDFOR is {most.interval} at most").reply
        return None


@_known
@dataclass(frozen=True, slots=True)
class HoldUntil(Parameter):
    """RFC 4865 4: release the message then; erratum 2040: a date-time of RFC 3339.

    C: MAIL FROM:<ann@example.org> HOLDUNTIL=2003-07-23T00:00:00Z
    """

    keyword = "HOLDUNTIL"
    extension = "FUTURERELEASE"
    verb = "MAIL"
    moment: datetime

    def __post_init__(self) -> None:
        check_date(self.moment)
        if self.moment.utcoffset():
            raise ValueError("HOLDUNTIL is in UTC")

    def value(self) -> str:
        return write_date(self.moment)

    @classmethod
    def read(cls, value: str | None) -> Self:
        return cls(read_date(_given(value, "HOLDUNTIL")))

    def why_not(self, offered: EhloData) -> Reply | None:
        most = offered.futurerelease
        if most is None:
            return _unknown("HOLDUNTIL")
        if self.moment > most.until:
            return refuse(f"HOLDUNTIL is {write_date(most.until)} at most").reply
        return None


@_known
@dataclass(frozen=True, slots=True)
class MtPriority(Parameter):
    """RFC 6710 3: how urgent the message is, from -9 to 9.

    C: MAIL FROM:<eljefe@example.net> MT-PRIORITY=6
    """

    keyword = extension = "MT-PRIORITY"
    verb = "MAIL"
    priority: int

    def __post_init__(self) -> None:
        check_number(self.priority, "MT-PRIORITY", 9, -9)

    def value(self) -> str:
        return str(self.priority)

    @classmethod
    def read(cls, value: str | None) -> Self:
        if not re.fullmatch("0|-?[1-9]", _given(value, "MT-PRIORITY")):
            raise ValueError("MT-PRIORITY is from -9 to 9")
        return cls(int(value or ""))


# -- RCPT ------------------------------------------------------------------------


class NotifyWhen(StrEnum):
    """RFC 3461 4.1: what is told of."""

    SUCCESS = "SUCCESS"
    FAILURE = "FAILURE"
    DELAY = "DELAY"


@_known
@dataclass(frozen=True, slots=True)
class Notify(Parameter):
    """RFC 3461 4.1: what the sender wants to be told of; nothing: NEVER.

    C: RCPT TO:<Bob@Example.COM> NOTIFY=SUCCESS,DELAY
    """

    keyword = "NOTIFY"
    extension = "DSN"
    verb = "RCPT"
    of: tuple[NotifyWhen, ...] = ()

    def __post_init__(self) -> None:
        of = tuple(NotifyWhen(word.upper()) for word in self.of)
        if len(set(of)) != len(of):
            raise ValueError("NOTIFY names each word once")
        object.__setattr__(self, "of", of)

    def value(self) -> str:
        return ",".join(self.of) or "NEVER"

    @classmethod
    def read(cls, value: str | None) -> Self:
        words = _given(value, "NOTIFY").upper().split(",")
        if words == ["NEVER"]:
            return cls()
        try:
            return cls(tuple(map(NotifyWhen, words)))
        except ValueError:
            raise ValueError("NOTIFY is NEVER, or of SUCCESS, FAILURE, DELAY") from None


@_known
@dataclass(frozen=True, slots=True)
class Orcpt(Parameter):
    """RFC 3461 4.2: to whom it was sent at first; type ``utf-8``: RFC 6533 3.

    C: RCPT TO:<Bob@Example.COM> ORCPT=rfc822;Bob@Example.COM
    """

    keyword = "ORCPT"
    extension = "DSN"
    verb = "RCPT"
    address: str
    type: str = "rfc822"

    def __post_init__(self) -> None:
        if not _ATOM.fullmatch(self.type):
            raise ValueError("the address type of ORCPT is an atom")
        if not self.address or not self.address.isprintable():
            raise ValueError("the address of ORCPT must be printable")
        if self.type.lower() != "utf-8" and not self.address.isascii():
            raise ValueError("an address that is not ASCII has the type utf-8")
        if len(self.value()) > 500:
            raise ValueError("ORCPT is at most 500 characters long")

    def value(self) -> str:
        write = write_unitext if self.type.lower() == "utf-8" else write_xtext
        return f"{self.type};{write(self.address)}"

    @classmethod
    def read(cls, value: str | None) -> Self:
        kind, _, address = _given(value, "ORCPT").partition(";")
        read = read_unitext if kind.lower() == "utf-8" else read_xtext
        return cls(read(address), kind)


@_known
@dataclass(frozen=True, slots=True)
class Rrvs(Parameter):
    """RFC 7293 5.1: the mailbox must have had its owner since *moment*.

    C: RCPT TO:<user@example.com> RRVS=2014-04-03T23:01:00Z;C

    *action* tells what becomes of the message where that cannot be passed on: ``C``,
    it goes on, ``R``, it is refused.
    """

    keyword = extension = "RRVS"
    verb = "RCPT"
    moment: datetime
    action: Literal["C", "R"] | None = None

    def __post_init__(self) -> None:
        check_date(self.moment)
        if self.action not in (None, "C", "R"):
            raise ValueError("the action of RRVS is C or R")

    def value(self) -> str:
        moment = write_date(self.moment)
        return moment if self.action is None else f"{moment};{self.action}"

    @classmethod
    def read(cls, value: str | None) -> Self:
        moment, mark, action = _given(value, "RRVS").partition(";")
        known: dict[str, Literal["C", "R"]] = {"C": "C", "R": "R"}
        if mark and action.upper() not in known:
            raise ValueError("the action of RRVS is C or R")
        return cls(read_date(moment), known.get(action.upper()))


# -- both ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Other(Parameter):
    """A parameter that nobody here knows, kept as it is written.

    C: MAIL FROM:<> TRANSID=<12345@claremont.edu>
    """

    word: str
    text: str | None = None

    def __post_init__(self) -> None:
        check_keyword(self.word)
        if self.word.upper() in KNOWN:
            raise ValueError(f"{self.word} has a class of its own")
        if self.text is not None:
            check_value(self.text)

    def value(self) -> str | None:
        return self.text

    def why_not(self, offered: EhloData) -> Reply | None:
        return None if self.word in offered else _unknown(self.word)

    def __str__(self) -> str:
        return self.word if self.text is None else f"{self.word}={self.text}"


def read_parameters(verb: Verb, text: str) -> tuple[Parameter, ...]:
    """All of them, in order; raises Refusal for what cannot stand there."""
    parameters = tuple(map(_read, text.split(" ")))
    check_parameters(verb, parameters)
    return parameters


def _read(text: str) -> Parameter:
    word, mark, rest = text.partition("=")
    value = rest if mark else None
    kind = KNOWN.get(word) or KNOWN.get(word.upper())
    try:
        return Other(word, value) if kind is None else kind.read(value)
    except ValueError as error:
        raise refuse(str(error)) from error


def check_parameters(verb: Verb, parameters: Iterable[Parameter]) -> None:
    """Raise Refusal if one is not for *verb*, or there twice, or beside its rival."""
    seen: set[str] = set()
    for parameter in parameters:
        if isinstance(parameter, Other):
            word = parameter.word.upper()
        else:
            word = parameter.keyword
            if parameter.verb != verb:
                raise refuse(f"{word} is no parameter of {verb}", 555)
        if word in seen:
            raise refuse(f"{word} stands there twice")
        seen.add(word)
    if len(seen) > 1 and {"HOLDFOR", "HOLDUNTIL"} <= seen:
        raise refuse("either HOLDFOR or HOLDUNTIL")
