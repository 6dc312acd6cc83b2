"""The PROXY protocol: who a connection really comes from, said by a proxy before all.

    PROXY TCP4 192.0.2.1 192.0.2.2 56324 25                      version 1, text
    \\r\\n\\r\\n\\0\\r\\nQUIT\\n 0x21 0x11 0x00 0x0C ...               version 2, octets

It stands in front of the server's greeting, and of TLS; see ``ServerConnection``.  It
is for a port that only a trusted proxy can reach: whoever can say it can say anything.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from enum import Enum
from ipaddress import ip_address
from typing import Final, Self

from ._buffer import ReceiveBuffer
from .errors import LimitExceeded, RemoteProtocolError, quote

MAX_TEXT: Final = 107  # octets of a header of version 1, CRLF included
SIGNATURE: Final = b"\r\n\r\n\0\r\nQUIT\n"
FIXED: Final = 16  # octets of a header of version 2 before its addresses

_TEXT = re.compile(
    rb"PROXY (?:UNKNOWN(?: [ -~]*)?|"
    rb"(TCP[46]) ([0-9A-Fa-f:.]+) ([0-9A-Fa-f:.]+) (0|[1-9][0-9]*) (0|[1-9][0-9]*))"
)


class ProxyTransport(Enum):
    """What the proxied connection is; the value is that of version 2."""

    UNKNOWN = 0x00
    TCP4 = 0x11
    UDP4 = 0x12
    TCP6 = 0x21
    UDP6 = 0x22
    UNIX_STREAM = 0x31
    UNIX_DATAGRAM = 0x32

    @property
    def address_size(self) -> int:
        """Octets of one address."""
        return {1: 4, 2: 16, 3: 108}.get(self.value >> 4, 0)


@dataclass(frozen=True, slots=True)
class ProxyHeader:
    """Who connected, and to whom; without *source*, the proxy speaks for itself.

    >>> ProxyHeader(ProxyTransport.TCP4, "192.0.2.1", 56324, "192.0.2.2", 25).write(1)
    b'PROXY TCP4 192.0.2.1 192.0.2.2 56324 25\\r\\n'

    A Unix socket has a path, in hexadecimal digits, for its address.  *extras* are the
    type-length-values of version 2, in order.
    """

    transport: ProxyTransport = ProxyTransport.UNKNOWN
    source: str | None = None
    source_port: int = 0
    destination: str | None = None
    destination_port: int = 0
    extras: tuple[tuple[int, bytes], ...] = ()

    def __post_init__(self) -> None:
        size = self.transport.address_size
        if (self.source is None) != (not size) or (self.destination is None) != (
            not size
        ):
            raise ValueError(f"two addresses belong to {self.transport.name}, or none")
        for address in filter(None, (self.source, self.destination)):
            if len(_pack(address, size)) != size:
                raise ValueError(f"not an address of {self.transport.name}")
        if not (0 <= self.source_port < 65536 and 0 <= self.destination_port < 65536):
            raise ValueError("a port is 0 to 65535")
        for kind, value in self.extras:
            if not 0 <= kind < 256 or len(value) > 65535:
                raise ValueError("an extra is a type of one octet, and a value")

    def write(self, version: int = 2) -> bytes:
        """The header; version 1 has no extras, and knows only of TCP."""
        if version == 1:
            return self._write_text()
        size = self.transport.address_size
        addresses = b"".join(
            _pack(address, size)
            for address in (self.source, self.destination)
            if address is not None
        )
        if size in (4, 16):
            addresses += struct.pack("!HH", self.source_port, self.destination_port)
        extras = b"".join(
            struct.pack("!BH", kind, len(value)) + value for kind, value in self.extras
        )
        command = 0x21 if size else 0x20
        length = len(addresses) + len(extras)
        if length > 65535:
            raise ValueError("the extras are too long")
        fixed = struct.pack("!BBH", command, self.transport.value, length)
        return SIGNATURE + fixed + addresses + extras

    def _write_text(self) -> bytes:
        if self.transport is ProxyTransport.UNKNOWN:
            return b"PROXY UNKNOWN\r\n"
        if self.transport not in (ProxyTransport.TCP4, ProxyTransport.TCP6):
            raise ValueError("version 1 of the PROXY protocol knows only of TCP")
        return (
            f"PROXY {self.transport.name} {self.source} {self.destination} "
            f"{self.source_port} {self.destination_port}\r\n"
        ).encode("ascii")

    @classmethod
    def read(cls, data: bytes) -> Self:
        """The header that *data* is, all of it; raises ValueError if it is none."""
        if data.startswith(SIGNATURE):
            return cls._read_octets(data)
        found = _TEXT.fullmatch(data.removesuffix(b"\r\n"))
        if found is None or len(data) > MAX_TEXT or not data.endswith(b"\r\n"):
            raise ValueError("not a header of version 1")
        if found[1] is None:
            return cls()
        source, destination = found[2].decode("ascii"), found[3].decode("ascii")
        ports = int(found[4][:6]), int(found[5][:6])
        transport = ProxyTransport[found[1].decode("ascii")]
        return cls(transport, source, ports[0], destination, ports[1])

    @classmethod
    def _read_octets(cls, data: bytes) -> Self:
        command, family, length = struct.unpack_from("!BBH", data, len(SIGNATURE))
        rest = data[FIXED:]
        if len(rest) != length or command not in (0x20, 0x21):
            raise ValueError("not a header of version 2")
        if command == 0x20:  # LOCAL: what follows means nothing, the family neither
            return cls()
        transport = ProxyTransport(family)
        size = transport.address_size
        ports = 4 if size in (4, 16) else 0
        if len(rest) < 2 * size + ports:
            raise ValueError("the addresses are not all there")
        extras = _read_extras(rest[2 * size + ports :])
        if not size:
            return cls(transport, extras=extras)
        source, destination = _unpack(rest[:size]), _unpack(rest[size : 2 * size])
        here = struct.unpack_from("!HH", rest, 2 * size) if ports else (0, 0)
        return cls(transport, source, here[0], destination, here[1], extras)


def _pack(address: str, size: int) -> bytes:
    if size == 108:
        return bytes.fromhex(address)
    return ip_address(address).packed


def _unpack(data: bytes) -> str:
    return data.hex() if len(data) == 108 else str(ip_address(data))


def _read_extras(data: bytes) -> tuple[tuple[int, bytes], ...]:
    extras = []
    at = 0
    while at < len(data):
        if at + 3 > len(data):
            raise ValueError("an extra is cut off")
        kind, size = struct.unpack_from("!BH", data, at)
        at += 3 + size
        if at > len(data):
            raise ValueError("an extra is cut off")
        extras.append((kind, data[at - size : at]))
    return tuple(extras)


def take_header(buffer: ReceiveBuffer, most: int) -> ProxyHeader | None:
    """The header that *buffer* begins with, and nothing behind it; ``None``: not yet.

    *most* is how long one of version 2 may say that it is, behind its first 16 octets.
    Raises RemoteProtocolError if it is none.
    """
    data = bytes(buffer)
    size = _size(data, most)
    if size > len(data):
        return None
    try:
        header = ProxyHeader.read(data[:size])
    except ValueError as error:
        raise _no_header(data, str(error)) from error
    while size:
        size -= len(buffer.take(size))
    return header


def _size(data: bytes, most: int) -> int:
    """How long the header is; more than there is if that is not known yet."""
    if SIGNATURE.startswith(data[: len(SIGNATURE)]):
        if len(data) < FIXED:
            return FIXED
        length = int.from_bytes(data[14:16])
        if length > most:
            raise LimitExceeded("proxy", most, "a PROXY header that is too long")
        return FIXED + length
    end = data.find(b"\r\n", 0, MAX_TEXT)
    if end >= 0:
        return end + 2
    if len(data) >= MAX_TEXT or not b"PROXY ".startswith(data[:6]):
        raise _no_header(data, "neither of version 1 nor of version 2")
    return MAX_TEXT + 1


def _no_header(data: bytes, why: str) -> RemoteProtocolError:
    what = quote(data[:MAX_TEXT])
    return RemoteProtocolError(f"not a PROXY header: {what}: {why}")
