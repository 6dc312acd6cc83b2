"""What a client does with a server that errs, or that wants the password again."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailproto import RemoteProtocolError, sasl
from tests.sasl.test_exchanges import BINDING, TOKENS, mechanisms

EVERY = [*mechanisms("ann", "s3cret"), *TOKENS]
FIRST = b"r=ourstheirs,s=c2FsdA==,i=4096"

parts = st.sampled_from(
    [b"r=ours", b"r=ourstheirs", b"r=", b",s=c2FsdA==", b",s=AB==", b",s=", b",i=4096",
     b",i=4095", b",i=600001", b",i=9999999999", b",i=0", b",", b"m=x,", b"e=x",
     b"v=AAAA", b"v=", b"\xff", b"\0"]
)  # fmt: skip


def given_up(exchange: sasl.Exchange, challenge: bytes) -> bool:
    try:
        exchange.respond(challenge)
    except RemoteProtocolError:
        return True
    return False


def gets_in(exchange: sasl.Exchange) -> bool:
    try:
        exchange.finish()
    except RemoteProtocolError:
        return False
    return True


@settings(max_examples=80, deadline=None)
@given(st.lists(st.lists(parts, max_size=5).map(b"".join), max_size=4))
def test_a_server_that_does_not_know_the_password_is_never_believed(
    challenges: list[bytes],
) -> None:
    exchange = sasl.Scram("ann", "s3cret", "SHA-1", nonce="ours").start()
    for challenge in challenges:
        given_up(exchange, challenge)
    assert not gets_in(exchange)


def test_a_client_that_gave_up_once_gives_up_ever_after() -> None:
    exchange = sasl.Scram("ann", "s3cret", "SHA-1", nonce="ours").start()
    assert given_up(exchange, b"nonsense")
    for challenge in (FIRST, b"v=AAAA", b"e=other-error", b""):
        assert given_up(exchange, challenge)
    assert not gets_in(exchange)


@pytest.mark.parametrize("mechanism", EVERY, ids=lambda m: m.mechanism)
def test_one_challenge_too_many_is_an_error_and_gets_nothing_secret(
    mechanism: sasl.Mechanism,
) -> None:
    exchange = mechanism.start()
    said = [exchange.initial() or b""]
    with suppress(RemoteProtocolError):
        for _ in range(4):
            said.append(exchange.respond(b"again, please"))
    assert len(said) <= 3
    assert sum(b"s3cret" in data or b"token" in data for data in said) <= 1
    assert given_up(exchange, b"again, please")


def test_success_before_the_server_has_proved_itself_is_not_believed() -> None:
    exchange = sasl.Scram("ann", "s3cret", "SHA-1", nonce="ours").start()
    assert not gets_in(exchange)
    exchange.respond(FIRST)
    assert not gets_in(exchange)


@pytest.mark.parametrize(
    ("iterations", "good"), [(1, False), (4095, False), (4096, True), (5000, True)]
)
def test_iterations_have_a_least_number(iterations: int, good: bool) -> None:
    exchange = sasl.Scram("ann", "s3cret", "SHA-1", nonce="ours").start()
    assert given_up(exchange, b"r=ourst,s=c2FsdA==,i=%d" % iterations) is not good


@pytest.mark.parametrize(
    ("scram", "header"),
    [
        (sasl.Scram("ann", "x", nonce="n"), b"n,,"),
        (sasl.Scram("ann", "x", nonce="n", could_bind=True), b"y,,"),
        (sasl.Scram("ann", "x", nonce="n", binding=BINDING), b"p=tls-exporter,,"),
    ],
)
def test_the_header_says_what_the_client_can_bind(
    scram: sasl.Scram, header: bytes
) -> None:
    assert scram.start().initial() == header + b"n=ann,r=n"


def test_every_log_in_has_a_nonce_of_its_own() -> None:
    scram = sasl.Scram("ann", "x")
    assert scram.start().initial() != scram.start().initial()


def test_oauthbearer_by_smtp() -> None:
    """RFC 7628 4.1, its second example."""
    token = "vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg=="
    bearer = sasl.OAuthBearer(token, "user@example.com", "server.example.com", 587)
    assert sasl.encode_base64(bearer.start().initial() or b"") == (
        b"bixhPXVzZXJAZXhhbXBsZS5jb20sAWhvc3Q9c2VydmVyLmV4YW1wbGUuY29tAXBvcnQ9NTg3"
        b"AWF1dGg9QmVhcmVyIHZGOWRmdDRxbVRjMk52YjNSbGNrQmhiSFJoZG1semRHRXVZMjl0Q2c9"
        b"PQEB"
    )


@pytest.mark.parametrize("mechanism", EVERY, ids=lambda m: m.mechanism)
def test_a_mechanism_and_its_name_agree_on_what_they_reveal(
    mechanism: sasl.Mechanism,
) -> None:
    by_name = sasl.reveals_secret(mechanism.mechanism.lower())
    assert sasl.reveals_secret(mechanism) is by_name


@given(st.lists(st.sampled_from(sasl.MECHANISMS.names)), st.booleans())
def test_without_tls_none_is_chosen_that_reveals_a_secret(
    offered: list[str], tls: bool
) -> None:
    best = sasl.choose(offered, EVERY, tls=tls)
    fit = [name for name in offered if tls or not sasl.reveals_secret(name)]
    strongest = max(map(sasl.MECHANISMS.strength, fit), default=None)
    assert strongest == (best and sasl.MECHANISMS.strength(best.mechanism))
