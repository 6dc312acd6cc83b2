"""What a certificate says, whether or not anybody trusts it (RFC 5280, X.690).

The standard library tells of a certificate only once it was verified.  To say what is
wrong with one that was not, names and dates are read here; nothing is believed for it.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Self

_SEQUENCE: Final = 0x30
_UTC_TIME: Final = 0x17
_GENERALIZED_TIME: Final = 0x18
_EXTENSIONS: Final = 0xA3
_DNS: Final = 0x82
_ADDRESS: Final = 0x87
_COMMON_NAME: Final = bytes.fromhex("550403")  # 2.5.4.3
_ORGANIZATION: Final = bytes.fromhex("55040a")  # 2.5.4.10
_SUBJECT_ALTERNATIVE: Final = bytes.fromhex("551d11")  # 2.5.29.17


@dataclass(frozen=True, slots=True)
class Certificate:
    """RFC 5280 4.1: for whom, by whom, and from when to when.

    *names* are the host names and addresses of its subjectAltName.
    """

    subject: str
    issuer: str
    starts: datetime
    ends: datetime
    names: tuple[str, ...] = ()

    def fits(self, host: str) -> bool:
        """RFC 6125 6.4: whether it is for *host*; ``*`` is for one whole label."""
        try:
            wanted = str(ipaddress.ip_address(host))
        except ValueError:
            wanted = host.lower().rstrip(".")
        wildcard = "*." + wanted.partition(".")[2]
        return any(name.lower() in (wanted, wildcard) for name in self.names)

    @classmethod
    def read(cls, der: bytes) -> Self:
        """Of its DER; raises ValueError."""
        try:
            ((_, whole),) = _items(der)
            fields = list(_items(next(_items(whole))[1]))
            if fields[0][0] == 0xA0:  # the version, if it is not the first
                del fields[0]
            _, _, (_, issuer), (_, validity), (_, subject), _, *more = fields
            starts, ends = (_moment(tag, data) for tag, data in _items(validity))
            names = [
                name
                for tag, data in more
                if tag == _EXTENSIONS
                for name in _alternatives(data)
            ]
            return cls(_name(subject), _name(issuer), starts, ends, tuple(names))
        except (IndexError, StopIteration, RuntimeError) as error:
            raise ValueError("not a certificate") from error


def _items(data: bytes) -> Iterator[tuple[int, bytes]]:
    """X.690 8.1: tag and contents, one after the other."""
    at = 0
    while at < len(data):
        tag, size = data[at], data[at + 1]
        at += 2
        if size >= 128:
            octets = data[at : at + size - 128]
            at += size - 128
            size = int.from_bytes(octets)
        if at + size > len(data):
            raise ValueError("a certificate that is cut off")
        yield tag, data[at : at + size]
        at += size


def _moment(tag: int, data: bytes) -> datetime:
    """RFC 5280 4.1.2.5: ``261124120000Z``, or with all of the year."""
    text = data.decode("ascii")
    if tag == _UTC_TIME:  # 50 to 99 are of the century before
        text = ("19" if text[:2] >= "50" else "20") + text
    elif tag != _GENERALIZED_TIME:
        raise ValueError("a certificate has no such time")
    return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)


def _name(data: bytes) -> str:
    """What to call somebody: the common name, or else the organization."""
    found: dict[bytes, str] = {}
    for _, relative in _items(data):
        for _, pair in _items(relative):
            (_, kind), (_, value) = _items(pair)
            found.setdefault(kind, value.decode("utf-8", "replace"))
    return found.get(_COMMON_NAME) or found.get(_ORGANIZATION) or ""


def _alternatives(data: bytes) -> Iterator[str]:
    """RFC 5280 4.2.1.6: the names in the extensions."""
    for _, extension in _items(next(_items(data))[1]):
        (_, kind), *_, (_, value) = _items(extension)
        if kind != _SUBJECT_ALTERNATIVE:
            continue
        for tag, name in _items(next(_items(value))[1]):
            if tag == _DNS:
                yield name.decode("ascii", "replace")
            elif tag == _ADDRESS:
                yield str(ipaddress.ip_address(name))
