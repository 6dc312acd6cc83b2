"""Log in, append, wait, fetch: scripts, driven by hand over a server that is made up.

How they run in a session, test_sockets has.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

import pytest

from mailproto import (
    Chunk,
    CommandFailed,
    GoAhead,
    Hand,
    LocalProtocolError,
    Relay,
    Security,
    imap,
    sasl,
)
from mailproto.imap import (
    Append,
    Arrived,
    Authenticate,
    Capability,
    Code,
    Condition,
    Create,
    Done,
    Exists,
    FetchData,
    Idle,
    Incoming,
    LiteralBegins,
    Login,
    Mark,
    Reply,
    StartTls,
    Streamed,
)
from mailproto.testing import events

Answers = Callable[[Any], Any]


def client(
    *capabilities: str, security: Security = Security.CLEARTEXT, tls: bool = False
) -> imap.Client:
    conn = imap.Client(security)
    words = " ".join(("IMAP4rev1", *capabilities))
    conn.receive_data(b"* OK [CAPABILITY %b] hi\r\n" % words.encode())
    events(conn)
    conn.tls = tls
    return conn


def drive(script: Generator[Any, Any, Any], answers: Answers) -> tuple[list[Any], Any]:
    """Run *script*; what it said, and what it returned."""
    said: list[Any] = []
    value: Any = None
    try:
        step = next(script)
        while True:
            said.append(step)
            value = answers(step)
            step = (
                script.throw(value)
                if isinstance(value, Exception)
                else script.send(value)
            )
    except StopIteration as stop:
        return said, stop.value


def anything(command: Any) -> None:
    return None


@pytest.mark.parametrize(
    ("offered", "said", "best"),
    [
        (("AUTH=PLAIN", "AUTH=CRAM-MD5"), Authenticate, "CRAM-MD5"),
        (("AUTH=PLAIN",), Authenticate, "PLAIN"),
        (("AUTH=X",), Login, "LOGIN"),
        ((), Login, "LOGIN"),
    ],
)
def test_the_best_way_is_taken(offered: Any, said: type[Any], best: str) -> None:
    conn = client(*offered, tls=True)
    steps, used = drive(imap.log_in(conn, "ann", "secret"), anything)
    assert [type(step) for step in steps] == [said]
    assert used == best


def test_ones_own_mechanisms_come_first() -> None:
    conn = client("AUTH=PLAIN", "AUTH=CRAM-MD5", tls=True)
    own = [sasl.Plain("ann", "secret")]
    _, used = drive(imap.log_in(conn, "ann", mechanisms=own), anything)
    assert used == "PLAIN"


def test_a_token_is_a_way() -> None:
    conn = client("AUTH=OAUTHBEARER", "AUTH=PLAIN", tls=True)
    _, used = drive(imap.log_in(conn, "ann", token="t"), anything)
    assert used == "OAUTHBEARER"


@pytest.mark.parametrize(
    ("offered", "password"), [(("LOGINDISABLED",), "secret"), (("AUTH=X",), "")]
)
def test_there_may_be_no_way(offered: Any, password: str) -> None:
    conn = client(*offered)
    with pytest.raises(LocalProtocolError, match="no way"):
        drive(imap.log_in(conn, "ann", password), anything)


def test_tls_comes_first_where_it_is_demanded() -> None:
    conn = client("STARTTLS", security=Security.STARTTLS)

    def answers(command: Any) -> Any:
        if isinstance(command, StartTls):
            conn._now.offered = None
            conn.tls = True
        return None

    steps, _ = drive(imap.log_in(conn, "ann", "secret"), answers)
    kinds = [type(step) for step in steps]
    assert kinds == [StartTls, Capability, Login, Capability]


def refusal(code: str | None) -> CommandFailed:
    reply = Reply(Condition.NO, "no", Code(code) if code else None)
    return CommandFailed("x", reply)


def test_append_makes_the_mailbox_if_it_is_told_to() -> None:
    answers = [refusal("TRYCREATE"), None, "kept"]
    steps, result = drive(imap.append("x", b"y"), lambda _: answers.pop(0))
    assert steps == [Append("x", b"y"), Create("x"), Append("x", b"y")]
    assert result == "kept"


@pytest.mark.parametrize("code", ["OVERQUOTA", None])
def test_and_not_for_another_reason(code: str | None) -> None:
    with pytest.raises(CommandFailed):
        drive(imap.append("x", b"y"), lambda _: refusal(code))


def test_idle_is_begun_again_and_again() -> None:
    flow: Any = imap.idle(renew=5)
    for _ in range(3):
        relay = next(flow)
        assert (relay.command, relay.ending, relay.within) == (Idle(), Done(), 5)
    call = imap.Client(Security.CLEARTEXT)
    assert call is not None
    conn = client("IDLE")
    conn._now.state = conn._ahead.state = imap.State.AUTHENTICATED
    asked = conn.send(Idle())
    assert list(relay.through(Exists(3))) == [Exists(3)]
    assert list(relay.through(GoAhead(asked, b""))) == []


def test_what_fetch_new_makes_of_an_answer() -> None:
    """News of flags amid it, and a body that is not there, are no messages."""
    flow: Any = imap.fetch_new()
    next(flow)
    flow.send([imap.ListData("a"), imap.ListData("a")])
    flow.send(imap.Selected(read_only=True, uid_validity=7))
    folder = flow.send(imap.Found((3, 2, 2), uid=True))
    assert folder == Hand(imap.Folder("a", 7, 2))
    relay = next(flow)
    assert isinstance(relay, Relay)
    assert relay.through is not None

    def made(event: Any) -> list[Any]:
        assert relay.through is not None
        return list(relay.through(event))

    arrived = Arrived("a", 2, Mark(7, 2), ("\\Seen",))
    whole = FetchData(1, {"UID": 2, "FLAGS": ("\\Seen",), "BODY[]": b"x"})
    assert made(whole) == [Incoming("a", 2, 1), Chunk(b"x"), arrived]
    empty = FetchData(1, {"UID": 2, "BODY[]": b""})
    assert made(empty) == [Incoming("a", 2, 0), Arrived("a", 2, Mark(7, 2))]
    assert made(LiteralBegins(1, "BODY[]", 9)) == [Incoming("a", None, 9)]
    assert made(Chunk(b"y")) == [Chunk(b"y")]
    streamed = FetchData(1, {"UID": 2, "BODY[]": Streamed(9)})
    assert made(streamed) == [Arrived("a", 2, Mark(7, 2))]
    for event in (
        FetchData(1, {"UID": 2, "FLAGS": ()}),
        FetchData(1, {"FLAGS": ()}),
        FetchData(1, {"UID": 2, "BODY[]": None}),
        Exists(3),
    ):
        assert made(event) == []
    with pytest.raises(StopIteration):
        flow.send(None)
