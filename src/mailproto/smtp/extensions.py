"""The verbs that few servers have: BURL, ETRN, ATRN, XCLIENT, XFORWARD.

They are commands like those in ``commands``, which would be too long with them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Self

from .._text import check_word
from .commands import Content, SmtpCommand
from .grammar import check_domain, check_keyword, read_xtext, write_xtext
from .responses import Reply


@dataclass(frozen=True, slots=True)
class Burl(Content):
    """RFC 4468 3: a part of the message that the server fetches itself.

    C: BURL imap://harry@example.com/outbox;uid=25;urlauth=... LAST
    S: 250 2.5.0 Ok.

    A URL with ``urlauth`` lets whoever has it read the message: it is not shown.
    """

    verb = b"BURL"
    extension = "BURL"
    url: str = field(repr=False)
    last: bool = False

    def __post_init__(self) -> None:
        check_word(self.url, "URL")
        if not re.match(r"[A-Za-z][A-Za-z0-9+.-]*:", self.url):
            raise ValueError("a URL begins with its scheme")
        self._check_length()

    @property
    def ends_message(self) -> bool:
        return self.last

    def masked(self) -> bytes:
        return b"BURL **** LAST" if self.last else b"BURL ****"

    def argument(self) -> str:
        return f"{self.url} LAST" if self.last else self.url

    @classmethod
    def read(cls, argument: bytes) -> Self:
        url, space, last = argument.decode("ascii").partition(" ")
        if space and last.upper() != "LAST":
            raise ValueError("behind the URL stands LAST or nothing")
        return cls(url, bool(space))


@dataclass(frozen=True, slots=True)
class Etrn(SmtpCommand[Reply]):
    """RFC 1985 5: send what you have for that node, ``@domain``, or ``#queue``.

    C: ETRN @example.org
    S: 250 OK, queuing for node example.org started
    """

    verb = b"ETRN"
    ends_group = True
    extension = "ETRN"
    node: str

    def __post_init__(self) -> None:
        check_word(self.node, "node")
        self._check_length()

    def argument(self) -> str:
        return self.node

    @classmethod
    def read(cls, argument: bytes) -> Self:
        return cls(argument.decode("ascii"))


@dataclass(frozen=True, slots=True)
class Atrn(SmtpCommand[Reply]):
    """RFC 2645 5.2.1: after this, the server is the client.

    C: ATRN example.org,example.com
    S: 250 OK now reversing the connection
    """

    verb = b"ATRN"
    ends_group = True
    extension = "ATRN"
    domains: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for domain in self.domains:
            check_domain(domain)
            if not domain.isascii():
                raise ValueError("ATRN knows no U-labels")
        self._check_length()

    def argument(self) -> str:
        return ",".join(self.domains)

    @classmethod
    def read(cls, argument: bytes) -> Self:
        text = argument.decode("ascii")
        return cls(tuple(text.split(",")) if text else ())


class Attributes(SmtpCommand[Reply]):
    """What a proxy knows of its client: names and values.

    A value may be ``[UNAVAILABLE]`` or ``[TEMPUNAVAIL]``.

    >>> Xclient.of(NAME="spike.example.org", ADDR="192.0.2.1").get("addr")
    '192.0.2.1'
    """

    __slots__ = ()
    attributes: tuple[tuple[str, str], ...]

    def __post_init__(self) -> None:
        upper = tuple((name.upper(), value) for name, value in self.attributes)
        object.__setattr__(self, "attributes", upper)
        if not upper or len(dict(upper)) != len(upper):
            raise ValueError("each attribute is told once, and one at least")
        for name, value in upper:
            check_keyword(name)
            if not value or read_xtext(write_xtext(value)) != value:
                raise ValueError("the value of an attribute must not be empty")
        self._check_length()

    @classmethod
    def of(cls, **attributes: str) -> Self:
        return cls(tuple(attributes.items()))  # type: ignore[call-arg]

    def get(self, name: str) -> str | None:
        return dict(self.attributes).get(name.upper())

    def argument(self) -> str:
        return " ".join(f"{name}={write_xtext(text)}" for name, text in self.attributes)

    @classmethod
    def read(cls, argument: bytes) -> Self:
        pairs = [word.partition("=") for word in argument.decode("ascii").split(" ")]
        attributes = tuple((name, read_xtext(value)) for name, _, value in pairs)
        return cls(attributes)  # type: ignore[call-arg]


@dataclass(frozen=True, slots=True)
class Xclient(Attributes):
    """Postfix, XCLIENT: take the client to be this; the session begins anew.

    C: XCLIENT NAME=spike.example.org ADDR=192.0.2.1
    S: 220 server.example.org ESMTP
    """

    verb = b"XCLIENT"
    plain = False
    ends_group = True
    extension = "XCLIENT"
    attributes: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Xforward(Attributes):
    """Postfix, XFORWARD: where the next message comes from, for the log.

    C: XFORWARD NAME=spike.example.org ADDR=192.0.2.1 PROTO=ESMTP
    S: 250 Ok
    """

    verb = b"XFORWARD"
    extension = "XFORWARD"
    attributes: tuple[tuple[str, str], ...]
