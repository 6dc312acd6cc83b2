"""Client against server, for every mechanism; and what neither lets the other do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailproto import LocalProtocolError, RemoteProtocolError, sasl
from mailproto.sasl import Accepted, Challenge, Rejected

BINDING = sasl.ChannelBinding("tls-exporter", b"channel")
Tamper = Callable[[str, int, bytes], bytes]


def as_they_are(side: str, turn: int, data: bytes) -> bytes:
    return data


def answer(asked: Any, name: str, secret: str) -> Any:
    """What a server's application knows: one user, one password, one token."""
    match asked:
        case sasl.CheckPassword():
            return asked.name == sasl.saslprep(name) and sasl.same(
                sasl.saslprep(secret), asked.password
            )
        case sasl.CheckToken():
            return asked.name == name and asked.token == secret
        case sasl.NeedSecret():
            return secret if asked.name == sasl.saslprep(name) else None
        case sasl.CheckExternal():
            return name
        case sasl.CheckAnonymous():
            return True


def talk(
    mechanism: sasl.Mechanism,
    name: str,
    secret: str,
    *,
    context: sasl.Context | None = None,
    registry: sasl.Registry = sasl.MECHANISMS,
    tamper: Tamper = as_they_are,
    early: bool = True,
) -> Accepted | Rejected | None:
    """Both ends; ``None``: the client gave up, or did not believe the server."""
    context = context or sasl.Context(binding=BINDING)
    server = registry.serve(mechanism.mechanism, context)
    assert server is not None
    client = mechanism.start()
    initial = client.initial()
    first = initial if early else None
    step = server.step(None if first is None else tamper("C", 0, first))
    pending = initial if not early else None
    for turn in range(1, 20):
        while not isinstance(step, Challenge | Accepted | Rejected):
            step = server.supply(answer(step, name, secret))
        if isinstance(step, Rejected):
            return step
        try:
            if isinstance(step, Accepted):
                client.finish()
                return step
            challenge = tamper("S", turn, step.data)
            if pending is not None:
                response, pending = pending, None
            else:
                response = client.respond(challenge)
        except RemoteProtocolError:
            return None
        step = server.step(tamper("C", turn, response))
    raise AssertionError("it does not end")


def mechanisms(name: str, secret: str) -> list[sasl.Mechanism]:
    scrams: list[sasl.Mechanism] = [
        sasl.Scram(name, secret, hash, binding=binding)
        for hash in sasl.HASHES
        for binding in (None, BINDING)
    ]
    return [
        *scrams,
        sasl.Plain(name, secret),
        sasl.Login(name, secret),
        sasl.CramMd5(name, secret),
        sasl.External(),
        sasl.Anonymous("trace"),
    ]


TOKENS: list[sasl.Mechanism] = [
    sasl.XOAuth2("ann", "token"),
    sasl.OAuthBearer("token", "ann"),
    sasl.OAuthBearer("token", "ann", "host", 1),
]

texts = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], max_codepoint=0x3000),
    min_size=1,
    max_size=12,
)


def preparable(text: str) -> bool:
    try:
        return bool(sasl.saslprep(text)) and " " not in sasl.saslprep(text)
    except ValueError:
        return False


@settings(max_examples=15, deadline=None)
@given(texts.filter(preparable), texts.filter(preparable), st.booleans())
def test_every_mechanism_with_any_name_and_password(
    name: str, secret: str, early: bool
) -> None:
    for mechanism in mechanisms(name, secret):
        result = talk(mechanism, name, secret, early=early)
        assert isinstance(result, Accepted), mechanism
        if mechanism.mechanism not in ("ANONYMOUS", "LOGIN", "EXTERNAL"):
            assert result.name == sasl.saslprep(name)


@pytest.mark.parametrize("mechanism", TOKENS, ids=repr)
@pytest.mark.parametrize("early", [True, False])
def test_tokens(mechanism: sasl.Mechanism, early: bool) -> None:
    assert talk(mechanism, "ann", "token", early=early) == Accepted("ann")
    for name, secret in (("ann", "another"), ("bob", "token")):
        assert isinstance(talk(mechanism, name, secret, early=early), Rejected)


@pytest.mark.parametrize(
    "mechanism", mechanisms("ann", "secret")[:-2], ids=lambda m: m.mechanism
)
def test_wrong_passwords_and_unknown_users(mechanism: sasl.Mechanism) -> None:
    assert isinstance(talk(mechanism, "ann", "wrong"), Rejected)
    assert isinstance(talk(mechanism, "bob", "secret"), Rejected)


def test_a_made_up_salt_stays_the_same_for_a_name() -> None:
    context = sasl.Context(key=b"k", nonce="n")

    def salt(name: str, kept: str | None = None) -> bytes:
        server = sasl.MECHANISMS.serve("SCRAM-SHA-256", context)
        assert server is not None
        server.step(b"n,,n=%s,r=x" % name.encode())
        step = server.supply(kept)
        assert isinstance(step, Challenge)
        return step.data

    assert salt("ann") == salt("ann")
    assert salt("ann") != salt("bob")
    assert salt("ann", "a password") == salt("ann")  # who exists looks no different
    assert sasl.Context().key == sasl.Context().key  # one for the life of the process


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(["C", "S"]),
    st.integers(0, 2),
    st.integers(0, 200),
    st.integers(1, 255),
    st.booleans(),
)
def test_one_octet_that_is_changed_never_ends_in_success(
    side: str, turn: int, position: int, change: int, plus: bool
) -> None:
    changed = False

    def tamper(who: str, when: int, data: bytes) -> bytes:
        nonlocal changed
        if (who, when) != (side, turn) or position >= len(data):
            return data
        changed = True
        octet = data[position] ^ change
        return data[:position] + bytes([octet]) + data[position + 1 :]

    binding = BINDING if plus else None
    scram = sasl.Scram("ann", "secret", "SHA-1", binding=binding)
    context = sasl.Context(binding=binding)
    result = talk(scram, "ann", "secret", tamper=tamper, context=context)
    assert isinstance(result, Accepted) is not changed


def test_a_channel_that_is_another() -> None:
    for binding in (
        sasl.ChannelBinding("tls-exporter", b"another"),
        sasl.ChannelBinding("tls-unique", b"channel"),
    ):
        scram = sasl.Scram("ann", "secret", binding=binding)
        assert isinstance(talk(scram, "ann", "secret"), Rejected)


def test_a_list_of_mechanisms_that_somebody_cut() -> None:
    """RFC 5802 6: the client could have bound, and was offered no -PLUS form."""
    scram = sasl.Scram("ann", "secret", could_bind=True)
    assert isinstance(talk(scram, "ann", "secret"), Rejected)
    assert talk(scram, "ann", "secret", context=sasl.Context()) == Accepted("ann")


def clients() -> list[Callable[[], sasl.Exchange]]:
    return [m.start for m in (*mechanisms("ann", "secret"), *TOKENS)]


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(clients()), st.lists(st.binary(max_size=40), max_size=4))
def test_any_challenges_give_our_errors_only(
    start: Callable[[], sasl.Exchange], challenges: list[bytes]
) -> None:
    exchange = start()
    exchange.initial()
    said: list[bytes] = []
    try:
        for challenge in challenges:
            said.append(exchange.respond(challenge))
        exchange.finish()
    except RemoteProtocolError:
        pass
    assert sum(b"secret" in data for data in said) <= 1


messages = st.one_of(
    st.binary(max_size=40),
    st.builds(
        b"".join,
        st.lists(
            st.sampled_from(
                [b"n,,", b"y,", b"p=x,", b"a=", b"n=", b"r=", b",", b"=", b"\0", b"\1",
                 b"auth=Bearer ", b"user=", b"port=", b"c=biws", b"p=AAAA", b"m=", b"x"]
            )
        ),
    ),
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(sasl.MECHANISMS.names),
    st.none() | messages,
    st.lists(messages, max_size=3),
    st.booleans(),
)
def test_any_responses_end_in_accepted_or_rejected(
    name: str, initial: bytes | None, responses: list[bytes], known: bool
) -> None:
    server = sasl.MECHANISMS.serve(name, sasl.Context(binding=BINDING))
    assert server is not None
    keys = sasl.ScramKeys(b"salt", 4096, b"s" * 20, b"k" * 20)
    step = server.step(initial)
    for response in [*responses, b"", b"", b""]:
        while not isinstance(step, Challenge | Accepted | Rejected):
            match step:
                case sasl.NeedSecret(hash=hash):
                    step = server.supply(None if not known else keys if hash else "x")
                case sasl.CheckExternal():
                    step = server.supply(None)
                case _:
                    step = server.supply(known)
        if not isinstance(step, Challenge):
            return
        step = server.step(response)
    assert isinstance(step, Accepted | Rejected)


MALFORMED: list[tuple[str, list[bytes]]] = [
    ("PLAIN", [b"", b"a\0b", b"\0\0", b"\0a\0", b"a\0b\0c\0d", b"\0\xff\0b"]),
    ("CRAM-MD5", [b"too early"]),
    ("SCRAM-SHA-256", [b"", b"n,,n=a", b"x,,n=a,r=b", b"n,,n=,r=b", b"n,,n=a=2c,r=b",
                       b"p=x,,n=a,r=b", b"n,,m=x,n=a,r=b", b"n,,n=\xff,r=b"]),
    ("SCRAM-SHA-256-PLUS", [b"n,,n=a,r=b", b"p=tls-unique,,n=a,r=b"]),
    ("XOAUTH2", [b"", b"user=a\1\1", b"user=a\1auth=Basic x\1\1", b"\xff"]),
    ("OAUTHBEARER", [b"", b"n,,\1\1", b"n,,\1auth=MAC x\1\1", b"n,,\1auth=Bearer \1\1",
                     b"n,,\1port=x\1auth=Bearer t\1\1",
                     b"n,a=x=y,\1auth=Bearer t\1\1"]),
    ("ANONYMOUS", [b"x" * 256, b"\xff", b"a\0b"]),
    ("EXTERNAL", [b"\xff"]),
]  # fmt: skip


@pytest.mark.parametrize(("name", "wire"), MALFORMED)
def test_malformed_messages_are_rejected(name: str, wire: list[bytes]) -> None:
    for data in wire:
        server = sasl.MECHANISMS.serve(name, sasl.Context(binding=BINDING))
        assert server is not None
        assert isinstance(server.step(data), Rejected), data


@pytest.mark.parametrize(
    "final",
    [b"", b"c=biws", b"c=AAAA,r=xy,p=AAAA", b"c=biws,r=other,p=AAAA",
     b"c=biws,r=xy,p=AAAA", b"c=biws,r=xy,p=A", b"c=b,r=xy,p=AAAA"],
)  # fmt: skip
def test_final_messages_that_prove_nothing(final: bytes) -> None:
    server = sasl.MECHANISMS.serve("SCRAM-SHA-1", sasl.Context(nonce="y"))
    assert server is not None
    server.step(b"n,,n=ann,r=x")
    server.supply("secret")
    assert isinstance(server.step(final), Rejected)


def test_a_response_too_many_undoes_it() -> None:
    def late(side: str, turn: int, data: bytes) -> bytes:
        return b"x" if (side, turn) == ("C", 2) else data

    scram = sasl.Scram("ann", "secret", "SHA-1")
    context = sasl.Context()
    assert isinstance(
        talk(scram, "ann", "secret", tamper=late, context=context), Rejected
    )


def test_those_who_are_not_welcome() -> None:
    for name in ("EXTERNAL", "ANONYMOUS"):
        server = sasl.MECHANISMS.serve(name, sasl.Context())
        assert server is not None
        server.step(b"")
        assert isinstance(server.supply(None), Rejected)


def test_an_empty_password_lets_nobody_in() -> None:
    for mechanism in (sasl.CramMd5("ann", "x"), sasl.Scram("ann", "x", "SHA-1")):
        context = sasl.Context()
        assert isinstance(talk(mechanism, "ann", "", context=context), Rejected)


def test_out_of_turn() -> None:
    server = sasl.MECHANISMS.serve("PLAIN", sasl.Context())
    assert server is not None
    with pytest.raises(LocalProtocolError):
        server.supply(True)
    server.step(b"\0ann\0secret")
    with pytest.raises(LocalProtocolError):
        server.step(b"")
    server.supply(False)
    with pytest.raises(LocalProtocolError):
        server.step(b"")
    with pytest.raises(LocalProtocolError):
        server.supply(True)


def test_login_with_a_name_at_once_and_cram_without_a_challenge() -> None:
    server = sasl.MECHANISMS.serve("LOGIN", sasl.Context())
    assert server is not None
    assert server.step(b"ann") == Challenge(b"Password:")
    assert server.step(b"secret") == sasl.CheckPassword("ann", "secret")
    with pytest.raises(RemoteProtocolError, match="nothing to sign"):
        sasl.CramMd5("ann", "secret").start().respond(b"")
