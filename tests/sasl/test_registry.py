from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailproto import RemoteProtocolError, sasl
from tests.sasl.test_exchanges import talk

# -- a mechanism of somebody else's: several rounds, as GSSAPI has them -------------


@dataclass(frozen=True, slots=True)
class Counting(sasl.Mechanism):
    """Both ends count to ten, in turns; whoever errs is not who he says."""

    mechanism: ClassVar[str] = "X-COUNTING"
    name: str
    start_at: int = 1

    def start(self) -> sasl.Exchange:
        return CountingExchange(self)


class CountingExchange(sasl.Exchange):
    def __init__(self, counting: Counting) -> None:
        super().__init__()
        self._name = counting.name
        self._next = counting.start_at

    def initial(self) -> bytes:
        return self._name.encode()

    def respond(self, challenge: bytes) -> bytes:
        if challenge != b"%d" % self._next:
            raise RemoteProtocolError("X-COUNTING: miscounted")
        self._next += 2
        return b"%d" % (self._next - 1)

    def finish(self) -> None:
        if self._next != 11:
            raise RemoteProtocolError("X-COUNTING: not at ten")


def serve_counting(context: sasl.Context, initial: bytes | None) -> sasl.Talk:
    name = (initial or b"").decode()
    for number in range(1, 10, 2):
        response: bytes = yield sasl.Challenge(b"%d" % number)
        if response != b"%d" % (number + 1):
            return sasl.Rejected("miscounted")
    return sasl.Accepted(name)


def test_a_mechanism_of_ones_own_on_both_ends() -> None:
    entry = sasl.Entry("x-counting", 85, serve=serve_counting)
    registry = sasl.MECHANISMS.extended(entry)
    accepted = talk(Counting("ann"), "ann", "", registry=registry)
    assert accepted == sasl.Accepted("ann")
    assert talk(Counting("ann", 3), "ann", "", registry=registry) is None
    mine, weaker = Counting("ann"), sasl.Scram("ann", "secret")
    offered = ["SCRAM-SHA-256", "X-COUNTING"]
    assert registry.choose(offered, [weaker, mine], tls=False) is mine
    assert sasl.choose(offered, [weaker, mine], tls=False) is weaker
    assert registry.names[0].endswith("-PLUS")
    assert "X-COUNTING" in registry.names
    assert "X-COUNTING" not in sasl.MECHANISMS.names


def test_mechanisms_that_nobody_serves() -> None:
    context = sasl.Context()
    assert sasl.MECHANISMS.serve("GSSAPI", context) is None
    only_client = sasl.MECHANISMS.extended(sasl.Entry("GSSAPI", 85))
    assert only_client.serve("gssapi", context) is None
    assert "GSSAPI" not in only_client.names
    assert only_client.strength("gssapi") == 85
    assert sasl.MECHANISMS.strength("gssapi") == 0
    assert not sasl.reveals_secret("GSSAPI")


# -- which one ---------------------------------------------------------------------

BINDING = sasl.ChannelBinding("tls-exporter", b"x")
ALL = " ".join(sasl.MECHANISMS.names)


def chosen(offered: str, tls: bool = True, **options: Any) -> str | None:
    allow = options.pop("allow_cleartext", False)
    names = offered.split()
    candidates = sasl.candidates("ann", offered=names, **options)
    best = sasl.choose(names, candidates, tls=tls, allow_cleartext=allow)
    return None if best is None else best.mechanism


@pytest.mark.parametrize(
    ("offered", "options", "best"),
    [
        (ALL, {"password": "x"}, "SCRAM-SHA-512"),
        (ALL, {"password": "x", "binding": BINDING}, "SCRAM-SHA-512-PLUS"),
        ("PLAIN SCRAM-SHA-1", {"password": "x", "binding": BINDING}, "SCRAM-SHA-1"),
        (ALL, {"token": "t"}, "OAUTHBEARER"),
        ("xoauth2 plain", {"token": "t"}, "XOAUTH2"),
        (ALL, {"token": "t", "password": "x"}, "OAUTHBEARER"),
        ("LOGIN PLAIN CRAM-MD5", {"password": "x"}, "CRAM-MD5"),
        ("LOGIN PLAIN", {"password": "x"}, "PLAIN"),
        ("LOGIN", {"password": "x"}, "LOGIN"),
        ("LOGIN PLAIN XOAUTH2", {"password": "x", "token": "t", "tls": False}, None),
        ("PLAIN CRAM-MD5", {"password": "x", "tls": False}, "CRAM-MD5"),
        ("PLAIN", {"password": "x", "tls": False, "allow_cleartext": True}, "PLAIN"),
        ("GSSAPI", {"password": "x"}, None),
        ("", {"password": "x"}, None),
        (ALL, {}, None),
    ],
)
def test_the_strongest_that_may_be(
    offered: str, options: dict[str, Any], best: str | None
) -> None:
    assert chosen(offered, **options) == best


def test_external_and_anonymous_if_one_has_them() -> None:
    mine = [sasl.External(), sasl.Plain("a", "b")]
    assert sasl.choose(["PLAIN", "EXTERNAL"], mine, tls=True) is mine[0]


def test_a_client_says_that_it_could_have_bound() -> None:
    for offered, expected in (
        (["SCRAM-SHA-1"], True),
        (["SCRAM-SHA-1", "SCRAM-SHA-1-PLUS"], False),
    ):
        found = sasl.candidates("ann", password="x", binding=BINDING, offered=offered)
        unbound = [c for c in found if isinstance(c, sasl.Scram) and not c.binding]
        assert {scram.could_bind for scram in unbound} == {expected}


def test_a_password_that_saslprep_does_not_allow_goes_by_plain() -> None:
    found = sasl.candidates("ann", password="a\x07b")
    assert [c.mechanism for c in found] == ["PLAIN", "LOGIN"]


# -- values ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "make",
    [
        lambda: sasl.Plain("", "x"),
        lambda: sasl.Plain("a", ""),
        lambda: sasl.Plain("a\0b", "x"),
        lambda: sasl.Plain("a", "x", "b\0"),
        lambda: sasl.Plain("\ud800", "x"),
        lambda: sasl.Login("a", "\0"),
        lambda: sasl.CramMd5("", "x"),
        lambda: sasl.CramMd5("a", "\x07"),
        lambda: sasl.Scram("a", "x", "MD5"),
        lambda: sasl.Scram("a", "x", nonce="a,b"),
        lambda: sasl.Scram("a", "x", binding=BINDING, could_bind=True),
        lambda: sasl.Scram("", "x"),
        lambda: sasl.Scram("\ud800", "x"),
        lambda: sasl.XOAuth2("a\1b", "t"),
        lambda: sasl.XOAuth2("a", "t\1"),
        lambda: sasl.XOAuth2("a", ""),
        lambda: sasl.OAuthBearer("t", "\x07"),
        lambda: sasl.OAuthBearer("t", host="a b"),
        lambda: sasl.OAuthBearer("t", port=0),
        lambda: sasl.Anonymous("x" * 256),
        lambda: sasl.Anonymous("a\0b"),
        lambda: sasl.External("\x07"),
        lambda: sasl.ChannelBinding("tls unique", b""),
        lambda: sasl.Entry("", 1),
    ],
)
def test_what_cannot_be_sent_cannot_be_made(make: Any) -> None:
    with pytest.raises(ValueError):
        make()


def test_secrets_are_not_shown() -> None:
    values: list[Any] = [
        sasl.Plain("a", "s3cret"),
        sasl.Login("a", "s3cret"),
        sasl.CramMd5("a", "s3cret"),
        sasl.Scram("a", "s3cret", nonce="s3cret"),
        sasl.XOAuth2("a", "s3cret"),
        sasl.OAuthBearer("s3cret"),
        sasl.CheckPassword("a", "s3cret"),
        sasl.CheckToken("a", "s3cret"),
        sasl.Challenge(b"s3cret"),
        sasl.ChannelBinding("x", b"s3cret"),
        sasl.ScramKeys(b"salt", 1, b"s3cret", b"s3cret"),
        sasl.Context(key=b"s3cret"),
    ]
    for value in [
        *values,
        *(v.start() for v in values if isinstance(v, sasl.Mechanism)),
    ]:
        assert "s3cret" not in repr(value)
    with pytest.raises(ValueError) as caught:
        sasl.CramMd5("a", "s3cret\x07")
    assert "s3cret" not in str(caught.value)


@given(st.binary())
def test_base64_round_trip(data: bytes) -> None:
    coded = sasl.encode_base64(data)
    assert coded == base64.b64encode(data)
    assert sasl.decode_base64(coded) == data


@pytest.mark.parametrize(
    "coded",
    [b"=AAA", b"AAA=BBB", b"AAA", b"AA==\n", b" AAAA", b"AA-_", b"AB==", b"AAB=", b"="],
)
def test_base64_that_is_not_canonical(coded: bytes) -> None:
    with pytest.raises(ValueError, match="base64"):
        sasl.decode_base64(coded)
