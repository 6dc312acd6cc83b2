"""The examples of RFC 2195, 4013, 4505, 4616, 5802, 7628 and 7677, on both sides."""

from __future__ import annotations

import hashlib
import hmac
from typing import Any

import pytest

from mailproto import LimitExceeded, RemoteProtocolError, sasl

SCRAM_SHA_1 = (
    b"n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL",
    b"r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096",
    b"c=biws,r=%b,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts="
    % b"fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j",
    b"v=rmF9pqV8S7suAoZWja4dJRkFsKQ=",
)
_NONCE = b"rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
SCRAM_SHA_256 = (
    b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO",
    b"r=%b,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096" % _NONCE,
    b"c=biws,r=%b,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=" % _NONCE,
    b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
)
EXAMPLES = [
    ("SHA-1", "fyko+d2lbbFgONRv9qkxdawL", "3rfcNHYJY1ZVvWVs7j", SCRAM_SHA_1),
    (
        "SHA-256",
        "rOprNGfwEbeRWgbNEkqO",
        "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0",
        SCRAM_SHA_256,
    ),
]


@pytest.mark.parametrize(("name", "nonce", "more", "wire"), EXAMPLES)
def test_scram_client(name: str, nonce: str, more: str, wire: Any) -> None:
    exchange = sasl.Scram("user", "pencil", name, nonce=nonce).start()
    assert exchange.initial() == wire[0]
    assert exchange.respond(wire[1]) == wire[2]
    assert exchange.respond(wire[3]) == b""
    exchange.finish()
    with pytest.raises(RemoteProtocolError, match="more than"):
        exchange.respond(b"")


@pytest.mark.parametrize(("name", "nonce", "more", "wire"), EXAMPLES)
def test_scram_server(name: str, nonce: str, more: str, wire: Any) -> None:
    context = sasl.Context(nonce=more)
    exchange = sasl.MECHANISMS.serve(f"scram-{name}", context)
    assert exchange is not None
    assert exchange.step(wire[0]) == sasl.NeedSecret("user", "", name)
    salt = sasl.decode_base64(wire[1].split(b",s=")[1].split(b",")[0])
    keys = sasl.ScramKeys.derive("pencil", name, salt)
    assert exchange.supply(keys) == sasl.Challenge(wire[1])
    assert exchange.step(wire[2]) == sasl.Challenge(wire[3])
    assert exchange.step(b"") == sasl.Accepted("user")


def independent(
    password: str, name: str, salt: bytes, auth: bytes
) -> tuple[bytes, bytes]:
    """RFC 5802 3, told once more: the client's proof, the server's signature."""

    def mac(key: bytes, data: bytes) -> bytes:
        return hmac.new(key, data, name).digest()

    salted = hashlib.pbkdf2_hmac(name, password.encode(), salt, 5000)
    client_key = mac(salted, b"Client Key")
    signature = mac(hashlib.new(name, client_key).digest(), auth)
    proof = int.from_bytes(client_key) ^ int.from_bytes(signature)
    return proof.to_bytes(len(signature)), mac(mac(salted, b"Server Key"), auth)


@pytest.mark.parametrize(("name", "algorithm"), sasl.HASHES.items())
@pytest.mark.parametrize("kind", ["tls-exporter", "tls-server-end-point", None])
def test_scram_with_and_without_a_binding(
    name: str, algorithm: str, kind: str | None
) -> None:
    binding = None if kind is None else sasl.ChannelBinding(kind, b"\x00channel\xff")
    scram = sasl.Scram("us,e=r", "pencil", name, binding=binding, nonce="ours")
    assert scram.mechanism == f"SCRAM-{name}" + ("-PLUS" if binding else "")
    exchange = scram.start()
    flag = b"n" if kind is None else b"p=" + kind.encode()
    assert exchange.initial() == flag + b",,n=us=2Ce=3Dr,r=ours"
    first = b"r=ourstheirs,s=c2FsdA==,i=5000"
    channel = flag + b",," + (binding.data if binding else b"")
    unsigned = b"c=" + sasl.encode_base64(channel) + b",r=ourstheirs"
    auth = b"n=us=2Ce=3Dr,r=ours," + first + b"," + unsigned
    proof, signature = independent("pencil", algorithm, b"salt", auth)
    assert exchange.respond(first) == unsigned + b",p=" + sasl.encode_base64(proof)
    assert exchange.respond(b"v=" + sasl.encode_base64(signature)) == b""
    exchange.finish()


def test_a_client_that_proves_itself_for_another_nonce() -> None:
    server = sasl.MECHANISMS.serve("SCRAM-SHA-1", sasl.Context(nonce="theirs"))
    assert server is not None
    server.step(b"n,,n=user,r=ours")
    keys = sasl.ScramKeys.derive("pencil", "SHA-1", b"salt", 5000)
    first = server.supply(keys)
    assert isinstance(first, sasl.Challenge)
    unsigned = b"c=biws,r=oursreplayed"
    auth = b"n=user,r=ours," + first.data + b"," + unsigned
    proof, _ = independent("pencil", "sha1", b"salt", auth)
    final = unsigned + b",p=" + sasl.encode_base64(proof)
    assert isinstance(server.step(final), sasl.Rejected)


def test_an_authzid_and_a_client_that_could_have_bound() -> None:
    scram = sasl.Scram("ann", "x", authzid="b,b", could_bind=True, nonce="n")
    assert scram.start().initial() == b"y,a=b=2Cb,n=ann,r=n"


@pytest.mark.parametrize(
    "first",
    [
        b"r=other,s=c2FsdA==,i=4096",
        b"r=ours,s=c2FsdA==,i=4096",  # not extended
        b"m=x,r=ourstheirs,s=c2FsdA==,i=4096",  # RFC 5802 5.1: must be refused
        b"r=ourstheirs,s=c2Fsd=,i=4096",
        b"r=ourstheirs,s=,i=4096",
        b"r=ourstheirs,s=c2FsdA==,i=4095",
        b"r=ourstheirs,s=c2FsdA==,i=0",
        b"r=ourstheirs,s=c2FsdA==,i=-1",
        b"r=ourstheirs,s=c2FsdA==,i=4_096",
        b"r=ourstheirs,s=c2FsdA==",
        b"e=unknown-user",
        b"",
        b"\xff",
    ],
)
def test_a_scram_server_that_errs(first: bytes) -> None:
    exchange = sasl.Scram("user", "pencil", nonce="ours").start()
    with pytest.raises(RemoteProtocolError):
        exchange.respond(first)


def test_iterations_have_a_limit() -> None:
    exchange = sasl.Scram("user", "pencil", nonce="ours").start()
    with pytest.raises(LimitExceeded) as caught:
        exchange.respond(b"r=ourstheirs,s=c2FsdA==,i=600001")
    assert (caught.value.limit, caught.value.allowed) == ("max_iterations", 600_000)
    patient = sasl.Scram("user", "pencil", nonce="ours", max_iterations=600_001)
    assert patient.start().respond(b"r=ourstheirs,s=c2FsdA==,i=600001,x=ext")


@pytest.mark.parametrize("last", [b"v=AAAA", b"", b"v=", b"e=other-error", b"\xff"])
def test_a_server_that_does_not_prove_itself(last: bytes) -> None:
    exchange = sasl.Scram("user", "pencil", "SHA-1", nonce=EXAMPLES[0][1]).start()
    exchange.initial()
    exchange.respond(SCRAM_SHA_1[1])
    with pytest.raises(RemoteProtocolError):
        exchange.respond(last)
    assert exchange.failure == (last if last.startswith(b"e=") else None)
    with pytest.raises(RemoteProtocolError, match="has not proved"):
        exchange.finish()


def test_plain() -> None:
    """RFC 4616 4"""
    assert sasl.Plain("tim", "tanstaaftanstaaf").start().initial() == (
        b"\0tim\0tanstaaftanstaaf"
    )
    kurt = sasl.Plain("Kurt", "xipj3plmq", authzid="Ursel").start()
    assert kurt.initial() == b"Ursel\0Kurt\0xipj3plmq"
    exchange = sasl.MECHANISMS.serve("PLAIN", sasl.Context())
    assert exchange is not None
    asked = sasl.CheckPassword("Kurt", "xipj3plmq", "Ursel")
    assert exchange.step(b"Ursel\0Kurt\0xipj3plmq") == asked
    assert exchange.supply(True) == sasl.Accepted("Kurt", "Ursel")


def test_cram_md5() -> None:
    """RFC 2195 2"""
    challenge = b"<1896.697170952@postoffice.reston.mci.net>"
    exchange = sasl.CramMd5("tim", "tanstaaftanstaaf").start()
    assert exchange.initial() is None
    digest = b"tim b913a602c7eda7a495b4e6e7334d3890"
    assert exchange.respond(challenge) == digest
    context = sasl.Context(host="postoffice.reston.mci.net", nonce="1896.697170952")
    server = sasl.MECHANISMS.serve("CRAM-MD5", context)
    assert server is not None
    assert server.step(None) == sasl.Challenge(challenge)
    assert server.step(digest) == sasl.NeedSecret("tim")
    assert server.supply("tanstaaftanstaaf") == sasl.Accepted("tim")


TOKEN = "vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg=="


def test_oauthbearer() -> None:
    """RFC 7628 4.1 and 4.3"""
    coded = (
        b"bixhPXVzZXJAZXhhbXBsZS5jb20sAWhvc3Q9c2VydmVyLmV4YW1wbGUuY29tAXBvcnQ9MTQzAWF1"
        b"dGg9QmVhcmVyIHZGOWRmdDRxbVRjMk52YjNSbGNrQmhiSFJoZG1semRHRXVZMjl0Q2c9PQEB"
    )
    bearer = sasl.OAuthBearer(TOKEN, "user@example.com", "server.example.com", 143)
    exchange = bearer.start()
    assert sasl.encode_base64(exchange.initial() or b"") == coded
    assert exchange.respond(b'{"status":"invalid_token"}') == b"\1"
    assert exchange.failure == b'{"status":"invalid_token"}'
    with pytest.raises(RemoteProtocolError, match="after a refusal"):
        exchange.finish()
    with pytest.raises(RemoteProtocolError, match="more than"):
        exchange.respond(b"{}")
    server = sasl.MECHANISMS.serve("OAUTHBEARER", sasl.Context())
    assert server is not None
    asked = server.step(sasl.decode_base64(coded))
    assert asked == sasl.CheckToken(
        "user@example.com", TOKEN, "server.example.com", 143
    )
    assert isinstance(server.supply(False), sasl.Challenge)
    assert isinstance(server.step(b"\1"), sasl.Rejected)


def test_xoauth2() -> None:
    exchange = sasl.XOAuth2("someuser@example.com", "ya29.vF9dft4qmTc2").start()
    expected = b"user=someuser@example.com\1auth=Bearer ya29.vF9dft4qmTc2\1\1"
    assert exchange.initial() == expected
    assert exchange.respond(b"{}") == b""


def test_anonymous_and_external() -> None:
    """RFC 4505 4, RFC 4422 A"""
    assert sasl.Anonymous("sirhc").start().initial() == b"sirhc"
    assert sasl.External().start().initial() == b""
    assert sasl.External("fred@example.com").start().initial() == b"fred@example.com"


def test_login_says_what_it_is_asked_for() -> None:
    exchange = sasl.Login("ann", "secret").start()
    assert exchange.initial() is None
    assert exchange.respond(b"User Name\0") == b"ann"
    with pytest.raises(RemoteProtocolError, match="before its end"):
        exchange.finish()
    assert exchange.respond(b"") == b"secret"
    exchange.finish()


@pytest.mark.parametrize(
    ("text", "prepared"),
    [
        ("I\u00adX", "IX"),
        ("user", "user"),
        ("USER", "USER"),
        ("\u00aa", "a"),
        ("\u2168", "IX"),
        ("a\u00a0b", "a b"),
        ("\u0627\u0628", "\u0627\u0628"),
        ("", ""),
    ],
)
def test_saslprep(text: str, prepared: str) -> None:
    """RFC 4013 3"""
    assert sasl.saslprep(text) == prepared


@pytest.mark.parametrize(
    "text",
    ["\x07", "\u0627\u0031", "\u0627a\u0628", "\ue000", "\u200e", "\ufffd"],
)
def test_what_saslprep_prohibits(text: str) -> None:
    with pytest.raises(ValueError, match="SASLprep"):
        sasl.saslprep(text)


def test_a_stored_string_has_no_unassigned_code_points() -> None:
    """RFC 4013 2.5; U+0221 was unassigned in Unicode 3.2."""
    assert sasl.saslprep("\u0221") == "\u0221"
    with pytest.raises(ValueError, match="unassigned"):
        sasl.saslprep("\u0221", stored=True)
