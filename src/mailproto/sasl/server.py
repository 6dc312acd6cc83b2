"""The server's side of a log-in: machines that ask for what they must know.

A ``ServerExchange`` is driven by the client's responses.  What it needs to know it
asks of its caller by a value, so that whoever looks passwords up may take his time,
in whatever way he waits:

    step(response)   -> Challenge(data)               send it, step on with the response
                        CheckPassword(name, ...)      supply(True) if that is right
                        NeedSecret(name)              supply(password, keys or None)
                        CheckToken(name, token, ...)  supply(True) if that is right
                        CheckExternal(authzid)        supply(name or None)
                        CheckAnonymous(trace)         supply(True) if you let him in
                        Accepted(name, authzid)       the log-in is made
                        Rejected(reason)              it is not

Whatever a client sends, the end of it is Accepted or Rejected.  *authzid* is whom the
client wants to act as, empty if as itself: to allow that is the caller's to decide,
who refuses an Accepted that goes too far.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from ..errors import LocalProtocolError
from .exchange import ChannelBinding, decode_base64, encode_base64
from .prepare import saslprep
from .scram import (
    HASHES,
    ScramKeys,
    client_key_of,
    server_signature,
)
from .simple import cram_digest, unescape_name


@dataclass(frozen=True, slots=True)
class Challenge:
    """Send *data*, and step on with the response to it."""

    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class CheckPassword:
    """Supply whether *password* is that of *name*; compare by ``same``.

    All of it is prepared by SASLprep: do the same with what you keep.
    """

    name: str
    password: str = field(repr=False)
    authzid: str = ""


@dataclass(frozen=True, slots=True)
class NeedSecret:
    """Supply what is kept of the password of *name*; ``None`` if there is no such.

    The password itself will do; for SCRAM (*hash* names it) ScramKeys as well.
    """

    name: str
    authzid: str = ""
    hash: str | None = None


@dataclass(frozen=True, slots=True)
class CheckToken:
    """Supply whether the OAuth 2.0 *token* is good, and is for *name*."""

    name: str
    token: str = field(repr=False)
    host: str = ""
    port: int | None = None


@dataclass(frozen=True, slots=True)
class CheckExternal:
    """Supply who the client is by its certificate, ``None`` if that is not known."""

    authzid: str = ""


@dataclass(frozen=True, slots=True)
class CheckAnonymous:
    """Supply whether nobody in particular may come in."""

    trace: str = ""


@dataclass(frozen=True, slots=True)
class Accepted:
    """*name* is who he says, and wants to act as *authzid*, if that is not empty."""

    name: str
    authzid: str = ""


@dataclass(frozen=True, slots=True)
class Rejected:
    """*reason* is for a log; a client should not learn it."""

    reason: str


Check = CheckPassword | NeedSecret | CheckToken | CheckExternal | CheckAnonymous
Step = Challenge | Check | Accepted | Rejected
Talk: TypeAlias = Generator[Challenge | Check, Any, Accepted | Rejected]


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What a server brings into its exchanges."""

    host: str = "localhost"  #: its own name
    binding: ChannelBinding | None = None  #: given: the -PLUS forms are on offer
    nonce: str | None = None  #: made if none is given
    #: keeps the made-up salt of a user that does not exist the same every time
    key: bytes = field(default=secrets.token_bytes(32), repr=False)


def same(one: str | bytes, other: str | bytes) -> bool:
    """Whether they are equal, in a time that does not tell how far they are."""
    first = one.encode() if isinstance(one, str) else one
    second = other.encode() if isinstance(other, str) else other
    return hmac.compare_digest(first, second)


class ServerExchange:
    """One log-in; see the module's docstring."""

    def __init__(self, talk: Callable[[bytes | None], Talk]) -> None:
        self._talk = talk
        self._running: Talk | None = None
        self._last: Step | None = None

    def step(self, response: bytes | None) -> Step:
        """Go on with the client's *response*; at first with its initial one, if any."""
        if self._running is None:
            self._running = self._talk(response)
            return self._go(None)
        if not isinstance(self._last, Challenge):
            raise LocalProtocolError("the exchange waits for no response")
        if response is None:
            raise LocalProtocolError("a challenge wants a response")
        return self._go(response)

    def supply(self, answer: bool | str | ScramKeys | None) -> Step:
        """Go on with what was asked for."""
        if not isinstance(self._last, Check):
            raise LocalProtocolError("the exchange has asked for nothing")
        return self._go(answer)

    def _go(self, value: Any) -> Step:
        assert self._running is not None
        try:
            self._last = self._running.send(value)
        except StopIteration as stop:
            self._last = stop.value
        except ValueError as error:
            self._last = Rejected(f"malformed: {error}")
        assert self._last is not None
        return self._last


def _text(data: bytes) -> str:
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise ValueError("not UTF-8") from None
    if "\0" in text:
        raise ValueError("a NUL")
    return text


def plain(context: Context, initial: bytes | None) -> Talk:
    """RFC 4616"""
    if initial is None:
        initial = yield Challenge(b"")
    parts = initial.split(b"\0")
    if len(parts) != 3:
        raise ValueError("not authzid, name and password")
    authzid, name, password = (saslprep(_text(part)) for part in parts)
    return (yield from _check_password(name, password, authzid))


def _check_password(name: str, password: str, authzid: str) -> Talk:
    if not name or not password:
        raise ValueError("no name, or no password")
    good: bool = yield CheckPassword(name, password, authzid)
    return Accepted(name, authzid) if good else Rejected("wrong name or password")


def login(context: Context, initial: bytes | None) -> Talk:
    """draft-murchison-sasl-login-00; some clients know just these two prompts."""
    if initial is None:
        initial = yield Challenge(b"Username:")
    password: bytes = yield Challenge(b"Password:")
    name, word = saslprep(_text(initial)), saslprep(_text(password))
    return (yield from _check_password(name, word, ""))


def cram_md5(context: Context, initial: bytes | None) -> Talk:
    """RFC 2195"""
    if initial is not None:
        raise ValueError("CRAM-MD5 has no initial response")
    challenge = f"<{context.nonce or secrets.token_hex(16)}@{context.host}>".encode()
    response: bytes = yield Challenge(challenge)
    written, _, digest = _text(response).rpartition(" ")
    name = saslprep(written)
    if not name:
        raise ValueError("no name")
    secret: str | None = yield NeedSecret(name)
    expected = cram_digest(secret or _made_of(context, name).hex(), challenge)
    if same(expected, digest) and secret:
        return Accepted(name)
    return Rejected("wrong name or password")


_CLIENT_FIRST = re.compile(
    rb"(?P<gs2>(?P<flag>n|y|p=(?P<kind>[A-Za-z0-9.-]+)),(?:a=(?P<authzid>[^,]*))?,)"
    rb"(?P<bare>n=(?P<name>[^,]+),r=(?P<nonce>[!-+\--~]{1,256})(?:,.*)?)",
    re.S,
)
_CLIENT_FINAL = re.compile(
    rb"(?P<unsigned>c=(?P<channel>[A-Za-z0-9+/=]+),r=(?P<nonce>[!-+\--~]+)(?:,.*)?)"
    rb",p=(?P<proof>[A-Za-z0-9+/=]+)",
    re.S,
)


def scram(hash: str, plus: bool) -> Callable[[Context, bytes | None], Talk]:
    """RFC 5802, RFC 7677"""

    def talk(context: Context, initial: bytes | None) -> Talk:
        if initial is None:
            initial = yield Challenge(b"")
        first = _CLIENT_FIRST.fullmatch(initial)
        if first is None:
            raise ValueError("the client's first message")
        _check_flag(first, context.binding, plus)
        name = saslprep(unescape_name(_text(first["name"])))
        if not name:  # RFC 5802 5.1
            raise ValueError("no name")
        authzid = unescape_name(_text(first["authzid"] or b""))
        kept: str | ScramKeys | None = yield NeedSecret(name, authzid, hash)
        keys = _keys(kept, name, hash, context)
        extension = context.nonce or secrets.token_urlsafe(24)
        nonce = first["nonce"] + extension.encode()
        salt = encode_base64(keys.salt)
        server_first = b"r=%s,s=%s,i=%d" % (nonce, salt, keys.iterations)
        response: bytes = yield Challenge(server_first)
        final = _CLIENT_FINAL.fullmatch(response)
        if final is None:
            raise ValueError("the client's final message")
        bound = context.binding.data if plus and context.binding else b""
        if decode_base64(final["channel"]) != first["gs2"] + bound:
            return Rejected("the channel binding is another")
        if final["nonce"] != nonce:
            return Rejected("the nonce is another")
        auth = b",".join((first["bare"], server_first, final["unsigned"]))
        if not _proved(auth, keys, decode_base64(final["proof"]), hash) or not kept:
            return Rejected("wrong name or password")
        signature = server_signature(auth, keys, HASHES[hash])
        # Success has no data in the mail protocols: this goes as a challenge, which
        # wants an empty response (RFC 4422 3.6, RFC 5034 4).
        rest: bytes = yield Challenge(b"v=" + encode_base64(signature))
        return Rejected("a response too many") if rest else Accepted(name, authzid)

    return talk


def _check_flag(
    first: re.Match[bytes], binding: ChannelBinding | None, plus: bool
) -> None:
    """RFC 5802 6: what the client says of channel binding."""
    if plus:
        if binding is None or first["kind"] != binding.kind.encode():
            raise ValueError("not the channel binding that there is")
    elif first["kind"] is not None:
        raise ValueError("a channel binding without -PLUS")
    elif first["flag"] == b"y" and binding is not None:
        raise ValueError("somebody took the -PLUS forms off the list")


def _keys(
    kept: str | ScramKeys | None, name: str, hash: str, context: Context
) -> ScramKeys:
    """What is kept of *name*, or else what is made up in its place.

    RFC 5802 says nothing of users that do not exist; whoever answers them differently
    tells which do.  Where passwords are supplied, the two look the same and take the
    same time.  Where ScramKeys are, they do not: no iteration is counted for those,
    and their salt and count may be others than the 16 octets and 4096 made up here.
    """
    if isinstance(kept, ScramKeys):
        return kept
    made = _made_of(context, name)
    return ScramKeys.derive(kept or made.hex(), hash, made[:16])


def _made_of(context: Context, name: str) -> bytes:
    return hmac.digest(context.key, name.encode(), "sha256")


def _proved(auth: bytes, keys: ScramKeys, proof: bytes, hash: str) -> bool:
    if len(proof) != len(keys.stored_key):
        return False
    client_key = client_key_of(auth, keys, proof, HASHES[hash])
    return same(hashlib.new(HASHES[hash], client_key).digest(), keys.stored_key)


_XOAUTH2 = re.compile(
    r"user=(?P<name>[^\x01]+)\x01auth=Bearer (?P<token>[!-~ ]+)\x01\x01", re.I
)
_BEARER = re.compile(
    r"n,(?:a=(?P<name>[^,]+))?,(?P<pairs>\x01(?:[A-Za-z]+=[^\x01]*\x01)*)\x01"
)
# RFC 7628 3.2.2; Google says the same.
REFUSAL: Final = b'{"status":"invalid_token"}'


def xoauth2(context: Context, initial: bytes | None) -> Talk:
    """Google's XOAUTH2"""
    if initial is None:
        initial = yield Challenge(b"")
    found = _XOAUTH2.fullmatch(_text(initial))
    if found is None:
        raise ValueError("not user and auth")
    return (yield from _check_token(CheckToken(found["name"], found["token"])))


def oauthbearer(context: Context, initial: bytes | None) -> Talk:
    """RFC 7628"""
    if initial is None:
        initial = yield Challenge(b"")
    found = _BEARER.fullmatch(_text(initial))
    if found is None:
        raise ValueError("not a header and pairs")
    pairs = dict(
        pair.split("=", 1) for pair in found["pairs"].strip("\1").split("\1") if pair
    )
    scheme, _, token = pairs.get("auth", "").partition(" ")
    port = pairs.get("port")
    if scheme.lower() != "bearer" or not re.fullmatch(r"[!-~ ]+", token):
        raise ValueError("no bearer token")
    if port is not None and not re.fullmatch(r"[0-9]{1,5}", port):
        raise ValueError("not a port")
    name = unescape_name(found["name"] or "")
    check = CheckToken(name, token, pairs.get("host", ""), int(port) if port else None)
    return (yield from _check_token(check))


def _check_token(check: CheckToken) -> Talk:
    good: bool = yield check
    if good:
        return Accepted(check.name)
    yield Challenge(REFUSAL)  # the response to it means nothing
    return Rejected("the token is not good")


def external(context: Context, initial: bytes | None) -> Talk:
    """RFC 4422 A"""
    if initial is None:
        initial = yield Challenge(b"")
    authzid = _text(initial)
    name: str | None = yield CheckExternal(authzid)
    return (
        Rejected("not known by a certificate")
        if name is None
        else Accepted(name, authzid)
    )


def anonymous(context: Context, initial: bytes | None) -> Talk:
    """RFC 4505"""
    if initial is None:
        initial = yield Challenge(b"")
    trace = _text(initial)
    if len(trace) > 255:
        raise ValueError("a trace of more than 255 characters")
    welcome: bool = yield CheckAnonymous(trace)
    return Accepted("anonymous") if welcome else Rejected("nobody is not welcome")
