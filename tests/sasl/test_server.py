"""What a server does with a client that errs, or that is not who he says."""

from __future__ import annotations

import hashlib
import hmac

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailproto import LocalProtocolError, sasl
from mailproto.sasl import Accepted, Challenge, NeedSecret, Rejected
from tests.sasl.test_exchanges import BINDING, mechanisms, talk

FLAGS = [("n", None), ("y", None), ("p=tls-exporter", BINDING)]


def serving(name: str, context: sasl.Context | None = None) -> sasl.ServerExchange:
    exchange = sasl.MECHANISMS.serve(name, context or sasl.Context())
    assert exchange is not None
    return exchange


@pytest.mark.parametrize(("hash", "algorithm"), sasl.HASHES.items())
@pytest.mark.parametrize(("flag", "binding"), FLAGS, ids=["n", "y", "p"])
def test_scram_takes_and_gives_what_another_computation_does(
    hash: str, algorithm: str, flag: str, binding: sasl.ChannelBinding | None
) -> None:
    def mac(key: bytes, data: bytes) -> bytes:
        return hmac.new(key, data, algorithm).digest()

    name = f"SCRAM-{hash}" + ("-PLUS" if binding else "")
    server = serving(name, sasl.Context(binding=binding, nonce="theirs"))
    header = f"{flag},a=b=2Cb,".encode()
    bare = b"n=a=3Dn,r=ours"
    assert server.step(header + bare) == NeedSecret("a=n", "b,b", hash)
    first = b"r=ourstheirs,s=c2FsdA==,i=4321"
    keys = sasl.ScramKeys.derive("pencil", hash, b"salt", 4321)
    assert server.supply(keys) == Challenge(first)
    channel = header + (binding.data if binding else b"")
    unsigned = b"c=" + sasl.encode_base64(channel) + b",r=ourstheirs"
    auth = bare + b"," + first + b"," + unsigned
    salted = hashlib.pbkdf2_hmac(algorithm, b"pencil", b"salt", 4321)
    client_key = mac(salted, b"Client Key")
    mask = mac(hashlib.new(algorithm, client_key).digest(), auth)
    proof = bytes(x ^ y for x, y in zip(client_key, mask, strict=True))
    verifier = sasl.encode_base64(mac(mac(salted, b"Server Key"), auth))
    step = server.step(unsigned + b",p=" + sasl.encode_base64(proof))
    assert step == Challenge(b"v=" + verifier)
    assert server.step(b"") == Accepted("a=n", "b,b")


@pytest.mark.parametrize(
    ("plus", "binding", "flag", "goes_on"),
    [
        (False, None, b"n", True),
        (False, None, b"y", True),
        (False, None, b"p=tls-exporter", False),
        (False, BINDING, b"n", True),
        (False, BINDING, b"y", False),  # the downgrade of RFC 5802 6
        (False, BINDING, b"p=tls-exporter", False),
        (True, BINDING, b"n", False),
        (True, BINDING, b"y", False),
        (True, BINDING, b"p=tls-exporter", True),
        (True, BINDING, b"p=tls-unique", False),
        (True, None, b"p=tls-exporter", False),
    ],
)
def test_what_the_client_says_of_channel_binding_must_fit(
    plus: bool, binding: sasl.ChannelBinding | None, flag: bytes, goes_on: bool
) -> None:
    name = "SCRAM-SHA-1" + ("-PLUS" if plus else "")
    step = serving(name, sasl.Context(binding=binding)).step(flag + b",,n=ann,r=x")
    assert isinstance(step, NeedSecret) is goes_on
    assert isinstance(step, Rejected) is not goes_on


def rejected_after(mechanism: sasl.Mechanism, kept: str | None) -> list[object]:
    """What goes over the wire until the server has had enough, but for the nonce."""
    context = sasl.Context(binding=BINDING, nonce="n", key=b"k")
    server = serving(mechanism.mechanism, context)
    client = mechanism.start()
    step = server.step(client.initial())
    seen: list[object] = []
    while not isinstance(step, Rejected):
        seen.append(step)
        if isinstance(step, Challenge):
            step = server.step(client.respond(step.data))
        elif isinstance(step, NeedSecret):
            step = server.supply(kept)
        else:
            step = server.supply(False)
    return [*seen, step]


@pytest.mark.parametrize(
    "mechanism",
    [
        *(
            sasl.Scram("ann", "guess", hash, binding=binding, nonce="ours")
            for hash in sasl.HASHES
            for binding in (None, BINDING)
        ),
        sasl.Plain("ann", "guess"),
        sasl.Login("ann", "guess"),
        sasl.CramMd5("ann", "guess"),
    ],
    ids=lambda m: m.mechanism,
)
def test_a_wrong_password_and_an_unknown_user_are_refused_alike(
    mechanism: sasl.Mechanism,
) -> None:
    assert rejected_after(mechanism, "right") == rejected_after(mechanism, None)


def test_a_made_up_salt_tells_no_context_from_its_key() -> None:
    def first(key: bytes) -> sasl.Step:
        server = serving("SCRAM-SHA-1", sasl.Context(key=key, nonce="n"))
        server.step(b"n,,n=ann,r=x")
        return server.supply(None)

    assert first(b"one") == first(b"one")
    assert first(b"one") != first(b"other")


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(["C", "S"]),
    st.integers(0, 2),
    st.integers(0, 100),
    st.integers(0, 100),
    st.binary(max_size=3),
)
def test_a_piece_that_is_replaced_never_ends_in_success(
    side: str, turn: int, start: int, length: int, other: bytes
) -> None:
    changed = False

    def tamper(who: str, when: int, data: bytes) -> bytes:
        nonlocal changed
        if (who, when) != (side, turn):
            return data
        after = data[:start] + other + data[start + length :]
        # Behind v= an extension may stand, which nobody signs (RFC 5802 7).
        if who == "S" and after.startswith(data + b","):
            return data
        changed = changed or after != data
        return after

    scram = sasl.Scram("ann", "secret", "SHA-1")
    result = talk(scram, "ann", "secret", tamper=tamper, context=sasl.Context())
    assert isinstance(result, Accepted) is not changed


@pytest.mark.parametrize(
    ("name", "initial", "response"),
    [
        ("PLAIN", "\0\xad\0secret".encode(), None),
        ("PLAIN", "\0ann\0\xad".encode(), None),
        ("LOGIN", "\xad".encode(), b"secret"),
        ("SCRAM-SHA-1", "n,,n=\xad,r=x".encode(), None),
        ("CRAM-MD5", None, b"0123456789abcdef"),
        ("CRAM-MD5", None, "\xad 0123456789abcdef".encode()),
    ],
)
def test_nobody_is_asked_about_who_has_no_name(
    name: str, initial: bytes | None, response: bytes | None
) -> None:
    """RFC 5802 5.1: nor if SASLprep leaves nothing of it."""
    server = serving(name)
    step = server.step(initial)
    if response is not None:
        step = server.step(response)
    assert isinstance(step, Rejected)


@pytest.mark.parametrize(
    "name", [n for n in sasl.MECHANISMS.names if not n.endswith("-PLUS")]
)
def test_a_challenge_wants_a_response(name: str) -> None:
    server = serving(name)
    challenge = server.step(None)
    assert isinstance(challenge, Challenge)
    with pytest.raises(LocalProtocolError):
        server.step(None)
    with pytest.raises(LocalProtocolError):
        server.supply(None)
    assert server.step(b"\xff") is not challenge  # and nothing has changed by that


@pytest.mark.parametrize("mechanism", mechanisms("ann", "x"), ids=lambda m: m.mechanism)
def test_what_was_decided_stays_so(mechanism: sasl.Mechanism) -> None:
    server = serving(mechanism.mechanism)
    step = server.step(b"\xff")
    while isinstance(step, Challenge):
        step = server.step(b"\xff")
    assert isinstance(step, Rejected)
    for again in (b"", b"\0ann\0x"):
        with pytest.raises(LocalProtocolError):
            server.step(again)
    with pytest.raises(LocalProtocolError):
        server.supply(True)


def test_keys_of_another_hash_let_nobody_in() -> None:
    server = serving("SCRAM-SHA-256")
    client = sasl.Scram("ann", "secret", "SHA-256").start()
    server.step(client.initial())
    first = server.supply(sasl.ScramKeys.derive("secret", "SHA-1", b"salt"))
    assert isinstance(first, Challenge)
    assert isinstance(server.step(client.respond(first.data)), Rejected)


def test_a_token_that_is_refused_is_told_why_and_nothing_else() -> None:
    """RFC 7628 3.2.2, RFC 7628 4.3."""
    server = serving("OAUTHBEARER")
    client = sasl.OAuthBearer("token", "ann").start()
    assert server.step(client.initial()) == sasl.CheckToken("ann", "token")
    reason = server.supply(False)
    assert reason == Challenge(b'{"status":"invalid_token"}')
    assert isinstance(server.step(client.respond(reason.data)), Rejected)
