"""Mail services by name, and the URLs that name them.

A service is a port, a protocol, and what it demands of TLS (RFC 8314 3: TLS from the
first octet, or at least an upgrade, wherever a password or a mailbox is at stake).

    >>> SERVICES["pop3s"].port
    995
    >>> parse_url("imap://ann;AUTH=*@mail.example.org/INBOX/;UID=20").mailbox
    ImapPath(mailbox='INBOX', uidvalidity=None, uid=20, section=None, partial=None, ...)

The URLs are those of RFC 2384 (``pop:``), RFC 5092 (``imap:``), and the forms that curl
uses for all of them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Final
from urllib.parse import quote, unquote_to_bytes

from ._connection import Security


class Protocol(StrEnum):
    """What is spoken at a port."""

    POP3 = "pop3"
    SMTP = "smtp"
    LMTP = "lmtp"
    IMAP = "imap"


@dataclass(frozen=True, slots=True)
class Service:
    """A port where a protocol is spoken, and how."""

    name: str
    protocol: Protocol
    port: int
    security: Security
    reference: str
    retired: bool = False  #: nobody should offer or ask for it any more
    logged_in: bool = False  #: the log-in is made before the first octet
    srv: str = ""  #: the label of its SRV record, if it has one


def _table() -> dict[str, Service]:
    pop3, smtp, imap = Protocol.POP3, Protocol.SMTP, Protocol.IMAP
    implicit, starttls = Security.IMPLICIT, Security.STARTTLS
    rows = [
        Service("pop3", pop3, 110, starttls, "RFC 1939, RFC 2595", srv="_pop3._tcp"),
        Service("pop3s", pop3, 995, implicit, "RFC 8314 3.1", srv="_pop3s._tcp"),
        # PASS is a dummy there: what crosses in the clear is no password.
        Service("kpop", pop3, 1109, Security.CLEARTEXT, "Kerberos 4", logged_in=True),
        Service("imap", imap, 143, starttls, "RFC 3501 6.2.1", srv="_imap._tcp"),
        Service("imaps", imap, 993, implicit, "RFC 8314 3.2", srv="_imaps._tcp"),
        Service("imap-ssl", imap, 585, implicit, "RFC 2595 7", retired=True),
        # Between servers TLS is taken where it is offered; there is no log-in.
        Service("smtp", smtp, 25, Security.OPTIONAL, "RFC 5321"),
        Service("smtp-2525", smtp, 2525, starttls, "in no RFC: for who cannot use 587"),
        Service("submission", smtp, 587, starttls, "RFC 6409", srv="_submission._tcp"),
        Service(
            "submissions", smtp, 465, implicit, "RFC 8314 3.3", srv="_submissions._tcp"
        ),
        # RFC 2033 5: not on port 25; on one machine, or within a site.
        Service("lmtp", Protocol.LMTP, 24, Security.OPTIONAL, "RFC 2033"),
    ]
    return {row.name: row for row in rows}


#: every service by its name
SERVICES: Final[Mapping[str, Service]] = MappingProxyType(_table())

# What a URL may begin with.  smtps is not registered and everybody's; pop is RFC 2384.
SCHEMES: Final[Mapping[str, str]] = MappingProxyType(
    {name: name for name in SERVICES} | {"pop": "pop3", "smtps": "submissions"}
)


def by_port(port: int) -> Service | None:
    """The service that has *port*, or ``None``."""
    return next((s for s in SERVICES.values() if s.port == port), None)


@dataclass(frozen=True, slots=True)
class ImapPath:
    """RFC 5092: what an IMAP URL names within a server."""

    mailbox: str
    uidvalidity: int | None = None
    uid: int | None = None
    section: str | None = None
    partial: tuple[int, int | None] | None = None  #: first octet, and how many
    search: str | None = None
    urlauth: str | None = None  #: ``;EXPIRE=`` and ``;URLAUTH=``, as they stand

    def __post_init__(self) -> None:
        _check(self.mailbox, "mailbox")
        if not self.mailbox:
            raise ValueError("mailbox must not be empty")
        for text, what in ((self.section, "section"), (self.search, "search")):
            if text is not None and not text:
                raise ValueError(f"{what} must not be empty")
            _check(text or "", what)
        for number, what in ((self.uidvalidity, "UIDVALIDITY"), (self.uid, "UID")):
            if number is not None and not 0 < number < 2**32:
                raise ValueError(f"{what} must be 1 to 4294967295")
        if self.uid is None and (self.section or self.partial):
            raise ValueError("a section or a part is of a message: UID is missing")
        if self.search is not None and self.uid is not None:
            raise ValueError("a search is of a mailbox, not of a message")
        if self.urlauth is not None and not re.fullmatch(r"[!-~]+", self.urlauth):
            raise ValueError("URLAUTH must be printable ASCII")

    def write(self) -> str:
        text = quote(self.mailbox, safe=_MAILBOX)
        if self.uidvalidity is not None:
            text += f";UIDVALIDITY={self.uidvalidity}"
        if self.uid is not None:
            text += f"/;UID={self.uid}"
        if self.section is not None:
            text += "/;SECTION=" + quote(self.section, safe=_MAILBOX)
        if self.partial is not None:
            first, size = self.partial
            text += f"/;PARTIAL={first}" + ("" if size is None else f".{size}")
        if self.search is not None:
            text += "?" + quote(self.search, safe=_SEARCH)
        return text + (self.urlauth or "")

    @classmethod
    def read(cls, text: str) -> ImapPath:
        found = _IMAP.fullmatch(text)
        if found is None:
            raise ValueError("the path of an IMAP URL is malformed")
        first, size = found["first"], found["size"]
        return cls(
            _decode(found["mailbox"], "mailbox"),
            _number(found["uidvalidity"]),
            _number(found["uid"]),
            None if found["section"] is None else _decode(found["section"], "section"),
            None if first is None else (int(first), _number(size)),
            None if found["search"] is None else _decode(found["search"], "search"),
            found["urlauth"],
        )


@dataclass(frozen=True, slots=True)
class MailUrl:
    """Where mail is, and who asks for it.

    *mechanism* is RFC 2384's and RFC 5092's ``;AUTH=``: a SASL mechanism, ``+APOP``, or
    ``*`` for any.  *path* is what stands behind the host, without its slash; in an
    IMAP URL it is ``mailbox`` that understands it.
    """

    service: Service
    host: str
    port: int
    name: str | None = None
    password: str | None = field(default=None, repr=False)
    mechanism: str | None = None
    path: str = ""
    mailbox: ImapPath | None = None
    scheme: str = ""

    def __post_init__(self) -> None:
        if SERVICES.get(SCHEMES.get(self.scheme, "")) is not self.service:
            raise ValueError("the scheme is not that of the service")
        if not _HOST.fullmatch(self.host):
            raise ValueError("host must be a name or an address")
        if not 0 < self.port < 65536:
            raise ValueError("port must be 1 to 65535")
        for text, what in (
            (self.name, "name"),
            (self.password, "password"),
            (self.path, "path"),
        ):
            _check(text or "", what)
        if self.name is not None and not self.name:
            raise ValueError("name must not be empty")
        if self.password is not None and self.name is None:
            raise ValueError("a password is somebody's: name is missing")
        if self.mechanism is not None and not _MECHANISM.fullmatch(self.mechanism):
            raise ValueError("AUTH= takes a mechanism, +APOP, or an asterisk")
        if self.mailbox is not None and self.path:
            raise ValueError("the path of an IMAP URL is its mailbox")

    def __str__(self) -> str:
        return self.write()

    def write(self, *, with_password: bool = False) -> str:
        """The URL; the password only if you say so."""
        user = "" if self.name is None else quote(self.name, safe=_USER)
        if with_password and self.password is not None:
            user += ":" + quote(self.password, safe=_USER)
        if self.mechanism is not None:
            user += f";AUTH={self.mechanism}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port == self.service.port else f":{self.port}"
        path = quote(self.path, safe=_PATH)
        if self.mailbox is not None:
            path = self.mailbox.write()
        at = "@" if user else ""
        slash = "/" if path else ""
        return f"{self.scheme}://{user}{at}{host}{port}{slash}{path}"


# RFC 3986 2.2, RFC 5092 11: what need not be escaped where.
_USER: Final = "-._~!$&'()*+,="
_PATH: Final = "-._~!$&'()*+,;=:@/"
_MAILBOX: Final = "-._~!$'()*+,&=:@/"
_SEARCH: Final = "-._~!$'()*+,&=:@/"
_HOST = re.compile(r"[A-Za-z0-9._-]{1,255}|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]+")
_MECHANISM = re.compile(r"\*|\+?[A-Za-z0-9_-]{1,20}")
_URL = re.compile(
    r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://"
    r"(?:(?P<user>[^/@;:]*)(?P<colon>:(?P<password>[^/@;]*))?"
    r"(?:;AUTH=(?P<mechanism>[^/@]*))?@)?"
    r"(?:\[(?P<literal>[^\]/]*)\]|(?P<host>[^/:@\[\]]*))(?::(?P<port>[^/]*))?"
    r"(?:/(?P<path>.*))?",
    re.I | re.S,
)
_IMAP = re.compile(
    r"(?P<mailbox>[^;?]*?)(?:;UIDVALIDITY=(?P<uidvalidity>[0-9]{1,10}))?"
    r"(?:/?;UID=(?P<uid>[0-9]{1,10}))?(?:/?;SECTION=(?P<section>[^;?]*?))?"
    r"(?:/?;PARTIAL=(?P<first>[0-9]{1,18})(?:\.(?P<size>[0-9]{1,18}))?)?"
    r"(?:\?(?P<search>[^;]*))?(?P<urlauth>;(?:EXPIRE|URLAUTH)=.*)?/?",
    re.I | re.S,
)
_ESCAPED = re.compile(r"(?:[^%]|%[0-9A-Fa-f]{2})*", re.S)


def _check(text: str, what: str) -> None:
    """Raise ValueError for what could end a line; it may be a secret: no quoting."""
    if re.search(r"[\x00-\x1f\x7f]", text):
        raise ValueError(f"{what} must not hold control characters")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError(f"{what} holds a lone surrogate") from None


def _decode(text: str, what: str) -> str:
    if not _ESCAPED.fullmatch(text):
        raise ValueError(f"{what} has a percent sign that escapes nothing")
    try:
        return unquote_to_bytes(text).decode()
    except UnicodeError:
        raise ValueError(f"{what} is not UTF-8") from None


def _number(text: str | None) -> int | None:
    return None if text is None else int(text)


def parse_url(text: str) -> MailUrl:
    """The URL that *text* is; raises ValueError, which never repeats a password."""
    found = _URL.fullmatch(text)
    if found is None:
        raise ValueError("not a mail URL: scheme://user@host:port/path is expected")
    scheme = found["scheme"].lower()
    if scheme not in SCHEMES:
        known = ", ".join(SCHEMES)
        raise ValueError(f"unknown scheme; known are {known}")
    service = SERVICES[SCHEMES[scheme]]
    host = found["literal"] if found["literal"] is not None else found["host"]
    if not host:
        raise ValueError("the host is missing")
    if (found["literal"] is not None) != (":" in host):
        raise ValueError("an IPv6 address, and nothing else, stands in brackets")
    port = found["port"]
    if port and not re.fullmatch(r"[0-9]{1,5}", port):
        raise ValueError("port must be a number")
    path = found["path"] or ""
    imap = service.protocol is Protocol.IMAP and path
    return MailUrl(
        service,
        host,
        int(port) if port else service.port,
        _decode(found["user"], "name") if found["user"] else None,
        None if found["colon"] is None else _decode(found["password"], "password"),
        found["mechanism"],
        "" if imap else _decode(path, "path"),
        ImapPath.read(path) if imap else None,
        scheme,
    )
