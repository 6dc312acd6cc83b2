"""The client side of the mechanisms that take a message or two.

Each says its piece once.  A challenge more is an error: a client that answered it
would tell its password as often as it is asked.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from ..errors import RemoteProtocolError
from .exchange import Exchange, Mechanism, out_of_turn
from .prepare import check_credential

Response = Callable[[bytes], bytes]


class Spoken(Exchange):
    """An exchange that says *initial*, and answers a challenge by each of *responses*.

    With *refusal* one challenge more may come: the reason why we are refused, which
    wants *refusal* for an answer.
    """

    def __init__(
        self,
        mechanism: str,
        initial: bytes | None,
        responses: Sequence[Response] = (),
        refusal: bytes | None = None,
    ) -> None:
        super().__init__()
        self._mechanism = mechanism
        self._initial = initial
        self._responses = list(responses)
        self._refusal = refusal

    def initial(self) -> bytes | None:
        return self._initial

    def respond(self, challenge: bytes) -> bytes:
        if self._responses:
            return self._responses.pop(0)(challenge)
        if self._refusal is None or self.failure is not None:
            raise out_of_turn(self._mechanism)
        self.failure = challenge
        return self._refusal

    def finish(self) -> None:
        if self._responses:
            raise RemoteProtocolError(f"{self._mechanism}: granted before its end")
        if self.failure is not None:
            raise RemoteProtocolError(f"{self._mechanism}: granted after a refusal")


def _check_sent(text: str, what: str) -> None:
    """Raise ValueError if *text* cannot be sent as it is."""
    if not text or "\0" in text:
        raise ValueError(f"{what} must not be empty, nor hold NUL")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError(f"{what} holds a lone surrogate") from None


@dataclass(frozen=True, slots=True)
class Plain(Mechanism):
    """RFC 4616: name and password, as they are.

    C: authzid NUL name NUL password

    *authzid* is whom to act as, if that is somebody else.
    """

    mechanism: ClassVar[str] = "PLAIN"
    reveals_secret: ClassVar[bool] = True
    name: str
    password: str = field(repr=False)
    authzid: str = ""

    def __post_init__(self) -> None:
        # RFC 4616 2: it is the server that prepares them, to compare.
        _check_sent(self.name, "name")
        _check_sent(self.password, "password")
        _check_sent(self.authzid or "none", "authzid")

    def start(self) -> Exchange:
        message = f"{self.authzid}\0{self.name}\0{self.password}"
        return Spoken(self.mechanism, message.encode())


@dataclass(frozen=True, slots=True)
class Login(Mechanism):
    """draft-murchison-sasl-login-00: name and password, as they are asked for.

    S: User Name
    C: ann
    S: Password
    C: secret

    What the server asks is anything; its first question is for the name.
    """

    mechanism: ClassVar[str] = "LOGIN"
    reveals_secret: ClassVar[bool] = True
    name: str
    password: str = field(repr=False)

    def __post_init__(self) -> None:
        _check_sent(self.name, "name")
        _check_sent(self.password, "password")

    def start(self) -> Exchange:
        name, password = self.name.encode(), self.password.encode()
        return Spoken(self.mechanism, None, [lambda _: name, lambda _: password])


@dataclass(frozen=True, slots=True)
class CramMd5(Mechanism):
    """RFC 2195: a digest of the password and of what the server says.

    S: <1896.697170952@postoffice.reston.mci.net>
    C: tim b913a602c7eda7a495b4e6e7334d3890
    """

    mechanism: ClassVar[str] = "CRAM-MD5"
    name: str
    password: str = field(repr=False)

    def __post_init__(self) -> None:
        check_credential(self.name, "name")
        check_credential(self.password, "password")

    def start(self) -> Exchange:
        return Spoken(self.mechanism, None, [self._sign])

    def _sign(self, challenge: bytes) -> bytes:
        if not challenge:
            raise RemoteProtocolError("CRAM-MD5: nothing to sign")
        return b"%s %s" % (self.name.encode(), cram_digest(self.password, challenge))


def cram_digest(password: str, challenge: bytes) -> bytes:
    """RFC 2195 2: the HMAC-MD5 of *challenge*, in lower-case hexadecimal digits."""
    key = check_credential(password, "password").encode()
    return hmac.new(key, challenge, hashlib.md5).hexdigest().encode()


def _check_token(token: str) -> None:
    """RFC 6750 2.1: b64token, and tolerant of what vendors put into it."""
    if not re.fullmatch(r"[!-~]+(?: [!-~]+)*", token):
        raise ValueError("a token is printable ASCII, and not empty")


@dataclass(frozen=True, slots=True)
class XOAuth2(Mechanism):
    """Google's, and Microsoft's: an OAuth 2.0 access token.

    C: user=ann@example.com ^A auth=Bearer ya29.vF9dft4qmTc2Nvb3RlckBhd... ^A ^A

    A server that refuses says why in JSON (``failure``), and wants an empty response.
    """

    mechanism: ClassVar[str] = "XOAUTH2"
    reveals_secret: ClassVar[bool] = True
    name: str
    token: str = field(repr=False)

    def __post_init__(self) -> None:
        check_credential(self.name, "name")
        _check_token(self.token)

    def start(self) -> Exchange:
        message = f"user={self.name}\1auth=Bearer {self.token}\1\1"
        return Spoken(self.mechanism, message.encode(), refusal=b"")


@dataclass(frozen=True, slots=True)
class OAuthBearer(Mechanism):
    """RFC 7628: an OAuth 2.0 access token.

    C: n,a=ann@example.com, ^A host=... ^A port=143 ^A auth=Bearer vF9d... ^A ^A

    A server that refuses says why in JSON (``failure``), and wants a lone ^A (3.2.3).
    """

    mechanism: ClassVar[str] = "OAUTHBEARER"
    reveals_secret: ClassVar[bool] = True
    token: str = field(repr=False)
    name: str = ""
    host: str = ""
    port: int | None = None

    def __post_init__(self) -> None:
        _check_token(self.token)
        check_credential(self.name, "name", empty=True)
        if not re.fullmatch(r"[!-~]*", self.host):
            raise ValueError("host must be printable ASCII")
        if self.port is not None and not 0 < self.port < 65536:
            raise ValueError("port must be 1 to 65535")

    def start(self) -> Exchange:
        authzid = f"a={escape_name(self.name)}" if self.name else ""
        pairs = [f"auth=Bearer {self.token}"]
        if self.port is not None:
            pairs.insert(0, f"port={self.port}")
        if self.host:
            pairs.insert(0, f"host={self.host}")
        message = "\1".join([f"n,{authzid},", *pairs, "", ""])
        return Spoken(self.mechanism, message.encode(), refusal=b"\1")


@dataclass(frozen=True, slots=True)
class External(Mechanism):
    """RFC 4422 A: what the TLS certificate says already; *authzid* as for PLAIN."""

    mechanism: ClassVar[str] = "EXTERNAL"
    authzid: str = ""

    def __post_init__(self) -> None:
        check_credential(self.authzid, "authzid", empty=True)

    def start(self) -> Exchange:
        return Spoken(self.mechanism, self.authzid.encode())


@dataclass(frozen=True, slots=True)
class Anonymous(Mechanism):
    """RFC 4505: nobody; *trace* is a word to leave behind, an address perhaps."""

    mechanism: ClassVar[str] = "ANONYMOUS"
    trace: str = ""

    def __post_init__(self) -> None:
        if len(self.trace) > 255:
            raise ValueError("a trace is 255 characters at most (RFC 4505 2)")
        _check_sent(self.trace or "none", "trace")

    def start(self) -> Exchange:
        return Spoken(self.mechanism, self.trace.encode())


def escape_name(name: str) -> str:
    """RFC 5801 4, RFC 5802 5.1: a name in a list that commas part."""
    return name.replace("=", "=3D").replace(",", "=2C")


def unescape_name(text: str) -> str:
    """The same back; raises ValueError for an equals sign that escapes nothing."""
    if re.search(r"=(?!3D|2C)", text):
        raise ValueError("an equals sign that escapes nothing")
    return text.replace("=2C", ",").replace("=3D", "=")
