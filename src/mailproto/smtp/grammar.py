"""The small words of SMTP, to and from text (RFC 5321 4.1.2, 4.1.3).

A line is UTF-8 (RFC 6531); in replies, octets that are not come through as surrogate
escapes (PEP 383), so that what was read can be sent again octet for octet.  Addresses
are kept as they were written: whether ``"a\\b"@example`` and ``ab@example`` are the
same is for those to say who deliver there (RFC 5321 2.3.11).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from ipaddress import IPv6Address
from typing import Final, Self

from .._text import check_text

MAX_LINE: Final = 512  # octets of a command or a reply, CRLF included: RFC 5321 4.5.3.1
MAX_DOMAIN: Final = 255  # octets of a domain: RFC 5321 4.5.3.1.2
# Octets of a path, <> included: RFC 5321 4.5.3.1.3.  That a local part has 64 octets
# (4.5.3.1.1) is what must be accepted, and VERP and SRS make longer ones.
MAX_PATH: Final = 256
SHORT_PATH: Final = 64  # octets that neither half of a path needs to be measured for
MAX_NUMBER: Final = 2**63 - 1  # of octets: no message is larger

# Non-ASCII that may stand in an address: no controls, no surrogates, and none of the
# dots that IDNA 2003 takes for one (a domain must not have two readings).
_U = "\u00a0-\u3001\u3003-\ud7ff\ue000-\uff0d\uff0f-\uff60\uff62-\U0010ffff"
_ATOM = rf"[A-Za-z0-9!#$%&'*+/=?^_`{{|}}~{_U}-]++"
_LABEL = rf"[A-Za-z0-9{_U}]++(?:-++[A-Za-z0-9{_U}]++)*+"
_DOMAIN = rf"{_LABEL}(?:\.{_LABEL})*+"
_LITERAL = r"\[[!-Z^-~]++\]"
# Erratum 5414: an empty quoted string was not meant to be a local part.
_QUOTED = rf'(?!"")"(?:[ !#-\[\]-~{_U}]++|\\[ -~])*+"'
_DOTTED = rf"{_ATOM}(?:\.{_ATOM})*+"
_MAILBOX = rf"(?P<local>{_DOTTED}|{_QUOTED})@(?P<domain>{_DOMAIN}|{_LITERAL})"
#: a mailbox without quotes and literals, all of ASCII: a pattern of bytes
PLAIN_MAILBOX: Final = rf"{_DOTTED}@{_DOMAIN}".replace(_U, "").encode("ascii")
_ROUTE = rf"(?:@{_DOMAIN}(?:,@{_DOMAIN})*+:)?"

_is_domain = re.compile(_DOMAIN).fullmatch
_is_mailbox = re.compile(_MAILBOX).fullmatch
_is_local = re.compile(_DOTTED).fullmatch
_find_path = re.compile(rf"<{_ROUTE}(?P<path>{_MAILBOX})>(?= |\Z)").match
_find_word = re.compile(r"<(?P<path>[A-Za-z]*+)>(?= |\Z)").match
_is_ipv4 = re.compile(
    r"([0-9]{1,3})\.([0-9]{1,3})\.([0-9]{1,3})\.([0-9]{1,3})"
).fullmatch
_is_general = re.compile(
    r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?:[!-Z^-~]+"
).fullmatch
_is_hello = re.compile(r"[A-Za-z0-9._-]+").fullmatch

_NUMBER = re.compile(r"[0-9]{1,20}")
_CONTROL = re.compile(r"[\0-\x1f\x7f-\x9f]")
_KEYWORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*")
_VALUE = re.compile(rf"[!-<>-~{_U}]+")
_XTEXT = re.compile(r"(?:[!-*,-<>-~]|\+[0-9A-F]{2})*")
_TO_XTEXT = re.compile(rb"[^!-*,-<>-~]")
_UNITEXT = re.compile(rf"(?:[!-*,-<>-\[\]-~{_U}]|\\x\{{[0-9A-F]{{2,6}}\}})+")
_TO_UNITEXT = re.compile(r"[^!-*,-<>-\[\]-~]")
_DATE = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})[Tt]([0-9]{2}):([0-9]{2}):([0-9]{2})"
    r"(?:\.([0-9]{1,9}))?(?:[Zz]|([+-])([0-9]{2}):([0-9]{2}))"
)


# -- text ------------------------------------------------------------------------


def check_argument(text: str, what: str) -> None:
    """Raise ValueError if *text* cannot be the whole argument of a command."""
    if not text or text != text.strip(" "):
        raise ValueError(f"{what} must neither be empty nor begin or end with a space")
    if _CONTROL.search(text):
        raise ValueError(f"{what} must not hold control characters")
    check_text(text, what)
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise ValueError(f"{what} is not UTF-8") from None


def read_number(text: str, what: str, most: int = MAX_NUMBER, least: int = 0) -> int:
    """Digits, and nothing that ``int`` would besides let pass."""
    if not _NUMBER.fullmatch(text):
        raise ValueError(f"{what} must be a number")
    number = int(text)
    if not least <= number <= most:
        check_number(number, what, most, least)
    return number


def check_number(
    number: int, what: str, most: int = MAX_NUMBER, least: int = 0
) -> None:
    if not least <= number <= most:
        raise ValueError(f"{what} must be from {least} to {most}")


# -- domains and mailboxes -------------------------------------------------------


def check_domain(text: str, what: str = "domain") -> None:
    """Raise ValueError if *text* is no domain; U-labels are (RFC 6531 3.3).

    Neither may it end with a dot: erratum 6561 was rejected.
    """
    if not _is_domain(text) or len(text.encode()) > MAX_DOMAIN:
        raise ValueError(f"not a {what}")


def check_literal(text: str) -> None:
    """Raise ValueError if *text* is no address literal (RFC 5321 4.1.3).

    ``[192.0.2.1]``, ``[IPv6:2001:db8::1]``, ``[tag:whatever]``.  Erratum 4315: ``::``
    may stand for one group, too.
    """
    inner = text[1:-1]
    found = _is_ipv4(inner)
    if found is not None:
        good = all(int(part) <= 255 for part in found.groups())
    elif inner[:5].lower() == "ipv6:":
        good = _is_ipv6(inner[5:])
    else:
        good = _is_general(inner) is not None
    if not good or text != f"[{inner}]":
        raise ValueError("not an address literal")


def _is_ipv6(text: str) -> bool:
    if not re.fullmatch(r"[0-9A-Fa-f:.]{2,45}", text):
        return False
    try:
        IPv6Address(text)
    except ValueError:
        return False
    return True


def check_hello(text: str) -> None:
    """Raise ValueError if *text* cannot be whom a client says it is.

    That is a domain or a literal; but names with an underscore or a final dot are
    common, and a server must not mind them (RFC 5321 4.1.4).  No U-labels here: RFC
    6531 3.7.1.
    """
    if text.startswith("["):
        check_literal(text)
    elif not _is_hello(text) or len(text) > MAX_DOMAIN:
        raise ValueError("neither a domain nor an address literal")


@dataclass(frozen=True, slots=True)
class Mailbox:
    """RFC 5321 4.1.2: the two halves of an address, as they are written.

    >>> Mailbox.read('"Joe.\\\\\\\\Blow"@[IPv6:2001:db8::1]').domain
    '[IPv6:2001:db8::1]'
    """

    local: str
    domain: str

    def __post_init__(self) -> None:
        found = _is_mailbox(f"{self.local}@{self.domain}")
        if found is None or found["local"] != self.local:
            raise ValueError("not a mailbox (RFC 5321 4.1.2)")
        if self.domain.startswith("["):
            check_literal(self.domain)
        if len(str(self).encode()) > MAX_PATH - 2:
            raise ValueError(f"path longer than {MAX_PATH} octets")

    def __str__(self) -> str:
        return f"{self.local}@{self.domain}"

    @property
    def name(self) -> str:
        """The local part without its quotes and backslashes."""
        if not self.local.startswith('"'):
            return self.local
        return re.sub(r"\\(.)", r"\1", self.local[1:-1])

    @classmethod
    def of(cls, name: str, domain: str) -> Self:
        """The mailbox whose ``name`` that is: quoted, if it must be.

        >>> str(Mailbox.of("Joe Blow", "example.org"))
        '"Joe Blow"@example.org'
        """
        if not _is_local(name):
            name = '"' + re.sub(r'(["\\])', r"\\\1", name) + '"'
        return cls(name, domain)

    @classmethod
    def read(cls, text: str) -> Self:
        found = _is_mailbox(text)
        if found is None:
            raise ValueError("not a mailbox (RFC 5321 4.1.2)")
        return cls(found["local"], found["domain"])


def check_mailbox(text: str) -> None:
    """Raise ValueError if *text* is no address of an envelope.

    No comments, no display names, no encoded words: those are of message headers.
    """
    Mailbox.read(text)


def read_path(text: str, start: int = 0) -> tuple[str, str]:
    """The address that *text* has at *start*, and what stands behind it.

    ``<>`` is ``""``.  A source route is dropped: RFC 5321 4.1.1.3, appendix C.

    >>> read_path("<@hosta.int,@jkl.org:userc@d.bar.org> SIZE=1")
    ('userc@d.bar.org', 'SIZE=1')
    """
    found = _find_path(text, start)
    if found is None:
        word = _find_word(text, start)
        if word is None:
            raise ValueError("not a path: <local-part@domain> is expected")
        return word["path"], text[word.end() + 1 :]
    rest = text[found.end() + 1 :]
    path = found["path"]
    # What has no need of the long way is most of what comes.
    if len(path) > SHORT_PATH or path[-1] == "]":
        Mailbox(found["local"], found["domain"])
    return path, rest


# -- parameters ------------------------------------------------------------------


def check_keyword(text: str) -> None:
    if not _KEYWORD.fullmatch(text):
        raise ValueError("a keyword is letters, digits and hyphens")


def check_value(text: str) -> None:
    if not _VALUE.fullmatch(text):
        raise ValueError("a value holds no space, no equals sign and no control")


def write_xtext(text: str) -> str:
    """RFC 3461 4: *text* as printable ASCII.

    >>> write_xtext("e=mc2@example.com")
    'e+3Dmc2@example.com'
    """

    def escape(found: re.Match[bytes]) -> bytes:
        return b"+%02X" % found[0][0]

    return _TO_XTEXT.sub(escape, text.encode("utf-8")).decode("ascii")


def read_xtext(text: str) -> str:
    """The same backwards; ValueError if it is no xtext, or hides a control."""
    if not _XTEXT.fullmatch(text):
        raise ValueError("not xtext (RFC 3461 4)")

    def octet(found: re.Match[bytes]) -> bytes:
        return bytes.fromhex(found[1].decode("ascii"))

    try:
        plain = re.sub(rb"\+(..)", octet, text.encode("ascii")).decode("utf-8")
    except UnicodeDecodeError:
        raise ValueError("xtext that is not UTF-8") from None
    if _CONTROL.search(plain):
        raise ValueError("xtext that hides a control character")
    return plain


def write_unitext(text: str) -> str:
    """RFC 6533 3: *text* as utf-8-addr-xtext, which is printable ASCII.

    >>> write_unitext("péter@example.hu")
    'p\\\\x{E9}ter@example.hu'
    """
    return _TO_UNITEXT.sub(lambda found: f"\\x{{{ord(found[0]):02X}}}", text)


def read_unitext(text: str) -> str:
    """The same backwards; utf-8-addr-unitext and utf-8-address are read, too."""
    if not _UNITEXT.fullmatch(text):
        raise ValueError("not an address of type utf-8 (RFC 6533 3)")

    def point(found: re.Match[str]) -> str:
        number = int(found[1], 16)
        if number > 0x10FFFF or 0xD800 <= number <= 0xDFFF:
            raise ValueError("not a character of Unicode")
        return chr(number)

    plain = re.sub(r"\\x\{([0-9A-F]+)\}", point, text)
    if _CONTROL.search(plain):
        raise ValueError("an address that hides a control character")
    return plain


def read_date(text: str) -> datetime:
    """RFC 3339 5.6: a date and time; below the microsecond it is cut off.

    >>> read_date("2014-04-03T23:01:00Z").isoformat()
    '2014-04-03T23:01:00+00:00'
    """
    found = _DATE.fullmatch(text)
    if found is None:
        raise ValueError("not a date and time (RFC 3339)")
    year, month, day, hour, minute, second = map(int, found.groups()[:6])
    micro = int((found[7] or "0").ljust(6, "0")[:6])
    zone: timezone = UTC
    if found[8]:
        offset = timedelta(hours=int(found[9]), minutes=int(found[10]))
        zone = timezone(offset if found[8] == "+" else -offset)
    if second == 60:  # a leap second, which datetime has not
        second, micro = 59, 999_999
    return datetime(year, month, day, hour, minute, second, micro, zone)


def write_date(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


def check_date(moment: datetime) -> None:
    if moment.tzinfo is None or read_date(write_date(moment)) != moment:
        raise ValueError("a date and time needs an offset of whole minutes from UTC")
