"""A certificate for loopback, made on the spot, of the standard library alone.

X.509 (RFC 5280) in DER, signed with ECDSA over P-256 (SEC 1).  The arithmetic takes no
care of who watches it: the key lives as long as a test does, and is good for nothing
but this machine's own addresses.
"""

from __future__ import annotations

import base64
import hashlib
import ipaddress
import secrets
import ssl
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

# SEC 2 2.4.2: the curve secp256r1.
_P: Final = 2**256 - 2**224 + 2**192 + 2**96 - 1
_N: Final = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_G: Final = (
    0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
    0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
)
_DAY: Final = 86400.0  # seconds

# (X, Y, Z) is the point (X / Z**2, Y / Z**3), so that only the last step divides; at
# infinity Z is 0 (IEEE 1363 A.9.6, for a = -3).
Point = tuple[int, int, int]


def _twice(point: Point) -> Point:
    x, y, z = point
    square = y * y % _P
    four = 4 * x * square % _P
    slope = 3 * (x - z * z) * (x + z * z) % _P
    sum_ = (slope * slope - 2 * four) % _P
    return sum_, (slope * (four - sum_) - 8 * square * square) % _P, 2 * y * z % _P


def _plus(point: Point, x: int, y: int) -> Point:
    """*point* and (*x*, *y*), which is another and not its negative."""
    x1, y1, z1 = point
    if z1 == 0:
        return x, y, 1
    square = z1 * z1 % _P
    run = (x * square - x1) % _P
    rise = (y * square * z1 - y1) % _P
    run2 = run * run % _P
    run3 = run2 * run % _P
    middle = x1 * run2 % _P
    sum_ = (rise * rise - run3 - 2 * middle) % _P
    return sum_, (rise * (middle - sum_) - y1 * run3) % _P, z1 * run % _P


def _times(factor: int) -> tuple[int, int]:
    """The generator so many times; 0 < *factor* < the order of the group."""
    result: Point = (0, 1, 0)
    for bit in f"{factor:b}":
        result = _twice(result)
        if bit == "1":
            result = _plus(result, *_G)
    x, y, z = result
    inverse = pow(z, -1, _P)
    return x * inverse**2 % _P, y * inverse**3 % _P


# -- DER (X.690) -------------------------------------------------------------------


def _der(tag: int, *parts: bytes) -> bytes:
    body = b"".join(parts)
    size = len(body)
    if size < 128:
        return bytes([tag, size]) + body
    octets = size.to_bytes((size.bit_length() + 7) // 8)
    return bytes([tag, 128 + len(octets)]) + octets + body


def _integer(number: int) -> bytes:
    return _der(0x02, number.to_bytes(number.bit_length() // 8 + 1))


def _oid(dotted: str) -> bytes:
    first, second, *rest = map(int, dotted.split("."))
    octets = bytearray([40 * first + second])
    for number in rest:
        groups = [number & 127]
        while number := number >> 7:
            groups.append(number & 127 | 128)
        octets += bytes(reversed(groups))
    return _der(0x06, bytes(octets))


def _sequence(*parts: bytes) -> bytes:
    return _der(0x30, *parts)


def _bits(data: bytes, unused: int = 0) -> bytes:
    return _der(0x03, bytes([unused]), data)


def _moment(seconds: float) -> bytes:
    return _der(0x17, time.strftime("%y%m%d%H%M%SZ", time.gmtime(seconds)).encode())


def _extension(oid: str, value: bytes, critical: bool = False) -> bytes:
    flag = _der(0x01, b"\xff") if critical else b""
    return _sequence(_oid(oid), flag, _der(0x04, value))


def _alternative(name: str) -> bytes:
    try:
        return _der(0x87, ipaddress.ip_address(name).packed)
    except ValueError:
        return _der(0x82, name.encode("ascii"))


def _pem(label: str, der: bytes) -> str:
    text = base64.encodebytes(der).decode().replace("\n", "")
    lines = [text[at : at + 64] for at in range(0, len(text), 64)]
    return "\n".join([f"-----BEGIN {label}-----", *lines, f"-----END {label}-----", ""])


_CURVE: Final = _oid("1.2.840.10045.3.1.7")  # prime256v1
_SIGNED: Final = _sequence(_oid("1.2.840.10045.4.3.2"))  # ecdsa-with-SHA256


def make_certificate(
    names: Sequence[str] = ("localhost", "127.0.0.1", "::1"),
    *,
    starts: float = -1.0,
    ends: float = 30.0,
) -> tuple[str, str]:
    """A self-signed certificate for *names*, and its private key, both in PEM.

    It is valid from *starts* to *ends*, days from now.
    """
    private = secrets.randbelow(_N - 1) + 1
    x, y = _times(private)
    public = b"\x04" + x.to_bytes(32) + y.to_bytes(32)
    now = time.time()
    owner = _sequence(
        _der(0x31, _sequence(_oid("2.5.4.3"), _der(0x0C, names[0].encode())))
    )
    to_sign = _sequence(
        _der(0xA0, _integer(2)),  # version 3
        _integer(secrets.randbits(120) | 1),
        _SIGNED,
        owner,
        _sequence(_moment(now + starts * _DAY), _moment(now + ends * _DAY)),
        owner,
        _sequence(_sequence(_oid("1.2.840.10045.2.1"), _CURVE), _bits(public)),
        _der(0xA3, _sequence(*_extensions(names, public))),
    )
    certificate = _sequence(to_sign, _SIGNED, _bits(_sign(private, to_sign)))
    key = _sequence(
        _integer(1),
        _der(0x04, private.to_bytes(32)),
        _der(0xA0, _CURVE),
        _der(0xA1, _bits(public)),
    )
    return _pem("CERTIFICATE", certificate), _pem("EC PRIVATE KEY", key)


def _extensions(names: Sequence[str], public: bytes) -> tuple[bytes, ...]:
    key_id = hashlib.sha1(public, usedforsecurity=False).digest()
    return (
        _extension("2.5.29.19", _sequence(_der(0x01, b"\xff")), critical=True),  # a CA
        # Digital signature, certificate signing.
        _extension("2.5.29.15", _bits(b"\x84", unused=2), critical=True),
        _extension("2.5.29.37", _sequence(_oid("1.3.6.1.5.5.7.3.1"))),  # a server
        _extension("2.5.29.17", _sequence(*map(_alternative, names))),
        _extension("2.5.29.14", _der(0x04, key_id)),
        _extension("2.5.29.35", _sequence(_der(0x80, key_id))),
    )


def _sign(private: int, data: bytes) -> bytes:
    """SEC 1 4.1.3: ECDSA."""
    digest = int.from_bytes(hashlib.sha256(data).digest())
    while True:
        nonce = secrets.randbelow(_N - 1) + 1
        r = _times(nonce)[0] % _N
        s = pow(nonce, -1, _N) * (digest + r * private) % _N
        if r and s:
            return _sequence(_integer(r), _integer(s))


class Certificates:
    """The contexts of one server: *given* to it, or with certificates of its own.

    Those are in *directory*, and what clients are to trust in ``file``.
    """

    def __init__(
        self, given: ssl.SSLContext | None, directory: Path, names: Sequence[str]
    ) -> None:
        self._given = given
        self._directory = directory
        self._names = names
        self._expired: ssl.SSLContext | None = None
        self.file: Path | None = None
        if given is None:
            self._write("certificate", *make_certificate(names))
            self.file = directory / "certificate.pem"

    @property
    def ours(self) -> bool:
        return self._given is None

    def context(self) -> ssl.SSLContext:
        """Another one at each call, unless it was given."""
        return self._given or self._load("certificate")

    def prepare(self) -> None:
        """Let there be one that has expired; but for that, a client can trust it.

        Raises ValueError if the certificate is not ours.
        """
        if self.file is None:
            raise ValueError("the certificate is yours: an expired one is not at hand")
        if self._expired is None:
            made = make_certificate(self._names, starts=-31.0, ends=-1.0)
            self._write("expired", *made)
            self._expired = self._load("expired")
            with self.file.open("a") as trusted:
                trusted.write(made[0])

    def expired(self) -> ssl.SSLContext:
        assert self._expired is not None
        return self._expired

    def _write(self, name: str, certificate: str, key: str) -> None:
        (self._directory / f"{name}.pem").write_text(certificate)
        key_file = self._directory / f"{name}-key.pem"
        key_file.touch(mode=0o600)
        key_file.write_text(key)

    def _load(self, name: str) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        directory = self._directory
        context.load_cert_chain(
            directory / f"{name}.pem", directory / f"{name}-key.pem"
        )
        return context
