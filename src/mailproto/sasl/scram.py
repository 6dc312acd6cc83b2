"""SCRAM, both sides (RFC 5802, 7677): neither end learns the other's secret.

    C: n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL
    S: r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096
    C: c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0...
    S: v=rmF9pqV8S7suAoZWja4dJRkFsKQ=

The client proves that it knows the password (p=), the server that it has what was made
of it (v=).  A server that reports success without v= has proved nothing.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass, field
from typing import ClassVar, Final

from ..errors import LimitExceeded, RemoteProtocolError
from .exchange import (
    ChannelBinding,
    Exchange,
    Mechanism,
    decode_base64,
    encode_base64,
    out_of_turn,
)
from .prepare import check_credential
from .simple import escape_name

HASHES: Final = {"SHA-1": "sha1", "SHA-256": "sha256", "SHA-512": "sha512"}
MIN_ITERATIONS: Final = 4096  # RFC 5802 5.1, RFC 7677 4
# A server chooses how long its client computes: 600,000 take half a second here, and
# 2**31 would take half an hour (CVE-2026-42256).  OWASP advises 600,000 for SHA-256.
MAX_ITERATIONS: Final = 600_000

_SERVER_FIRST = re.compile(
    rb"r=(?P<nonce>[!-+\--~]{1,512}),s=(?P<salt>[A-Za-z0-9+/=]{1,512}),"
    rb"i=(?P<iterations>[1-9][0-9]{0,9})(?:,.*)?",
    re.S,
)
_NONCE = re.compile(r"[!-+\--~]{1,256}")


@dataclass(frozen=True, slots=True)
class ScramKeys:
    """What a server keeps of a password, and cannot log in with (RFC 5802 3)."""

    salt: bytes
    iterations: int
    stored_key: bytes = field(repr=False)
    server_key: bytes = field(repr=False)

    @classmethod
    def derive(
        cls, password: str, hash: str, salt: bytes, iterations: int = MIN_ITERATIONS
    ) -> ScramKeys:
        """Made of *password*; *hash* is "SHA-1", "SHA-256" or "SHA-512"."""
        name = HASHES[hash]
        salted = _salted(password, name, salt, iterations)
        client_key = _hmac(salted, b"Client Key", name)
        stored_key = hashlib.new(name, client_key).digest()
        return cls(salt, iterations, stored_key, _hmac(salted, b"Server Key", name))


def _salted(password: str, name: str, salt: bytes, iterations: int) -> bytes:
    prepared = check_credential(password, "password").encode()
    return hashlib.pbkdf2_hmac(name, prepared, salt, iterations)


def _hmac(key: bytes, message: bytes, name: str) -> bytes:
    return hmac.new(key, message, name).digest()


def proof_of(signature: bytes, key: bytes) -> bytes:
    """RFC 5802 3: the exclusive or of two."""
    return bytes(a ^ b for a, b in zip(signature, key, strict=True))


def client_key_of(auth: bytes, keys: ScramKeys, proof: bytes, name: str) -> bytes:
    """What the client must have known, to make *proof* (RFC 5802 3)."""
    return proof_of(_hmac(keys.stored_key, auth, name), proof)


def server_signature(auth: bytes, keys: ScramKeys, name: str) -> bytes:
    return _hmac(keys.server_key, auth, name)


@dataclass(frozen=True, slots=True)
class Scram(Mechanism):
    """RFC 5802 and 7677, with any of ``HASHES``.

    With a *binding* it is the -PLUS form, and so bound to the TLS channel.  Without
    one, *could_bind* says that the client could have bound it and the server offered
    no -PLUS form: if it did, somebody between took it off the list, and the server
    will know (RFC 5802 6).  A *nonce* is made if none is given.
    """

    name: str
    password: str = field(repr=False)
    hash: str = "SHA-256"
    authzid: str = ""
    binding: ChannelBinding | None = None
    could_bind: bool = False
    nonce: str | None = field(default=None, repr=False)
    max_iterations: int = MAX_ITERATIONS

    reveals_secret: ClassVar[bool] = False

    def __post_init__(self) -> None:
        check_credential(self.name, "name")
        check_credential(self.password, "password")
        check_credential(self.authzid, "authzid", empty=True)
        if self.hash not in HASHES:
            raise ValueError(f"SCRAM is known with {', '.join(HASHES)}")
        if self.nonce is not None and not _NONCE.fullmatch(self.nonce):
            raise ValueError("a nonce is printable ASCII without a comma")
        if self.binding is not None and self.could_bind:
            raise ValueError("could_bind is for a log-in without a binding")

    @property
    def mechanism(self) -> str:
        return f"SCRAM-{self.hash}" + ("-PLUS" if self.binding is not None else "")

    def start(self) -> Exchange:
        return _Client(self, self.nonce or secrets.token_urlsafe(24))


class _Client(Exchange):
    def __init__(self, scram: Scram, nonce: str) -> None:
        super().__init__()
        self._scram = scram
        self._hash = HASHES[scram.hash]
        self._nonce = nonce.encode()
        binding = scram.binding
        flag = "y" if scram.could_bind else "n"
        flag = flag if binding is None else f"p={binding.kind}"
        authzid = f"a={escape_name(scram.authzid)}" if scram.authzid else ""
        header = f"{flag},{authzid},".encode()
        self._gs2 = header
        self._channel = header + (b"" if binding is None else binding.data)
        name = escape_name(check_credential(scram.name, "name"))
        self._bare = b"n=%s,r=%s" % (name.encode(), self._nonce)
        self._turn = 0
        self._signature: bytes | None = None  # what the server must send
        self._proved = False

    def initial(self) -> bytes:
        return self._gs2 + self._bare

    def respond(self, challenge: bytes) -> bytes:
        self._turn += 1
        if self._turn == 1:
            return self._prove(challenge)
        if self._turn == 2 and self._signature is not None:
            return self._verify(challenge, self._signature)
        raise out_of_turn(self._scram.mechanism)

    def _wrong(self, what: str) -> RemoteProtocolError:
        return RemoteProtocolError(f"{self._scram.mechanism}: {what}")

    def _prove(self, challenge: bytes) -> bytes:
        found = _SERVER_FIRST.fullmatch(challenge)
        if found is None:  # among them m=, which a client must refuse (RFC 5802 5.1)
            raise self._wrong("the server's first message is malformed")
        nonce = found["nonce"]
        if not nonce.startswith(self._nonce) or nonce == self._nonce:
            raise self._wrong("the server's nonce does not extend ours")
        try:
            salt = decode_base64(found["salt"])
        except ValueError:
            raise self._wrong("the salt is not base64") from None
        iterations = int(found["iterations"])
        if iterations < MIN_ITERATIONS:
            raise self._wrong(
                f"{iterations} iterations are fewer than {MIN_ITERATIONS}"
            )
        if iterations > self._scram.max_iterations:
            raise LimitExceeded(
                "max_iterations",
                self._scram.max_iterations,
                f"{self._scram.mechanism}: {iterations} iterations are asked for",
            )
        final = b"c=%s,r=%s" % (encode_base64(self._channel), nonce)
        auth = b",".join((self._bare, challenge, final))
        salted = _salted(self._scram.password, self._hash, salt, iterations)
        client_key = _hmac(salted, b"Client Key", self._hash)
        stored_key = hashlib.new(self._hash, client_key).digest()
        proof = proof_of(client_key, _hmac(stored_key, auth, self._hash))
        server_key = _hmac(salted, b"Server Key", self._hash)
        self._signature = _hmac(server_key, auth, self._hash)
        return final + b",p=" + encode_base64(proof)

    def _verify(self, challenge: bytes, signature: bytes) -> bytes:
        if challenge.startswith(b"e="):
            self.failure = challenge
            raise self._wrong("the server refuses, and says why")
        expected = b"v=" + encode_base64(signature)
        if not hmac.compare_digest(challenge.partition(b",")[0], expected):
            raise self._wrong("the server does not prove that it knows the password")
        self._proved = True
        return b""

    def finish(self) -> None:
        if not self._proved:
            raise self._wrong("the server has not proved that it knows the password")
