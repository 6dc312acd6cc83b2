"""Any bytes, in any pieces, give only our errors, and the same events."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailproto import (
    PAUSED,
    Bad,
    Chunk,
    Closed,
    End,
    GoAhead,
    LocalProtocolError,
    MailError,
    Security,
    imap,
)
from mailproto._connection import Signal
from mailproto.imap import Capabilities, Condition, Reply, Tagged
from mailproto.testing import events
from tests.imap.player import plain
from tests.streams import cuts, stream_of

# No STARTTLS: whether something stands behind it depends on how the bytes are cut, as
# it must; test_server and test_client have it.
LINES = [
    b"a NOOP", b"a CAPABILITY", b"a LOGIN a b", b"a LOGIN {1}", b"x {1+}",
    b"a SELECT INBOX", b"a FETCH 1 FLAGS", b"a UID STORE 1 FLAGS ()", b"a SEARCH ALL",
    b"a APPEND x {3}", b"a APPEND x {3+}", b"abc", b"", b"a APPEND {1+}", b"a IDLE",
    b"DONE", b"a AUTHENTICATE PLAIN", b"a AUTHENTICATE PLAIN =", b"*", b"AGEAYg==",
    b"a LOGOUT", b"a CLOSE", b"a XPIG {9+}", b"a UID", b"x" * 300, b"GET / HTTP/1.0",
    b"a LIST {99}", b"a LIST {99+}", b"a LOGIN {99999999999}", b"+", b"a SEARCH (((",
    b"a LIST x *",
]  # fmt: skip
SAID = [
    b"* OK hi", b"* PREAUTH hi", b"* BYE hi", b"A1 OK done", b"A2 NO done", b"A3 BAD x",
    b"+ go", b"+", b"+ eA==", b"* 3 EXISTS", b"* 1 EXPUNGE", b"* LIST () NIL x",
    b"* 1 FETCH (FLAGS ())", b"* 1 FETCH (BODY[] {3}", b"abc)", b"* LIST () NIL {2}",
    b"A1 OK [CAPABILITY IDLE LITERAL+ AUTH=PLAIN] x", b"* OK [READ-ONLY] x", b"* X",
    b"* 1 FETCH (BODY[] {99}", b"", b"* CAPABILITY IMAP4rev1", b"* SEARCH 1 2", b"* 9",
]  # fmt: skip
ODD = st.sampled_from([b"\r", b"\n", b"{3}", b"\0", b"\xff"]) | st.binary(max_size=8)
OFFER = Capabilities("IMAP4rev1", "IDLE", "LITERAL+", "AUTH=PLAIN", "SASL-IR")


def run(conn: Any, pieces: list[bytes], react: Callable[[Any], None]) -> list[Any]:
    got: list[Any] = []
    try:
        for piece in [*pieces, b""]:
            conn.receive_data(piece)
            while not isinstance(event := conn.next_event(), Signal):
                got.append(event)
                if isinstance(event, Closed):
                    return plain(got)
                react(event)
                conn.data_to_send()
            assert event is not PAUSED
    except MailError as error:
        got.append((type(error), str(error)))
        with pytest.raises(type(error)):
            conn.next_event()
    return plain(got)


def serve(data: bytes, pieces: list[bytes], preauth: bool) -> list[Any]:
    limits = imap.Limits(
        discarded=50,
        bad_commands=100,
        command_before_login=200,
        command=200,
        literal_before_login=20,
        literal=20,
        append=20,
    )
    server = imap.Server(Security.CLEARTEXT, offer=OFFER, limits=limits)
    server.send(imap.Greeting(Condition.PREAUTH if preauth else Condition.OK))
    asked: Tagged | None = None

    def react(event: Any) -> None:
        nonlocal asked
        match event:
            case Bad(hint=hint):
                server.send(hint)
                return
            case Tagged(command=imap.Append()):
                asked = event
                return
            case Tagged(command=imap.Idle()):
                asked = event
                server.send(imap.Continue("idling"))
                return
            case Tagged(command=imap.Authenticate()):
                asked = event
                server.send(imap.Challenge(b"x"))
                return
            case Tagged():
                asked = event
            case Chunk():
                return
        assert asked is not None
        condition = Condition.NO if isinstance(event, imap.Cancel) else Condition.OK
        server.send(asked.answer(Reply(condition, "x")))

    return run(server, pieces, react)


@given(stream_of(LINES, ODD), st.lists(st.integers(0, 999), max_size=6), st.booleans())
@settings(max_examples=300)
def test_a_server_reads_anything(
    data: bytes, positions: list[int], preauth: bool
) -> None:
    whole = serve(data, [data], preauth)
    assert serve(data, cuts(data, positions), preauth) == whole
    assert serve(data, [data[i : i + 1] for i in range(len(data))], preauth) == whole


CALLS: list[list[Any]] = [
    [imap.Login("ä", "ö"), imap.Select("x"), imap.Noop(), imap.Logout()],
    [imap.Login("a", "b"), imap.Append("x", imap.Streamed(2)), imap.Noop()],
    [imap.Authenticate("PLAIN"), imap.Idle(), imap.Noop()],
    [imap.Capability(), imap.Login("a", "b"), imap.Idle(), imap.List("", "*")],
]


def ask(calls: list[Any], pieces: list[bytes]) -> list[Any]:
    limits = imap.Limits(inline_literal=10, streamed=100, response=200)
    client = imap.Client(Security.CLEARTEXT, limits=limits)
    todo = list(calls)

    def react(event: Any) -> None:
        if isinstance(event, GoAhead):
            match event.call.command:
                case imap.Append():
                    client.send(Chunk(b"ab"))
                    client.send(End())
                case imap.Idle():
                    client.send(imap.Done())
                case _:
                    client.send(imap.Cancel())
        while todo:
            try:
                client.send(todo[0])
            except LocalProtocolError:
                return
            todo.pop(0)

    return run(client, pieces, react)


@given(
    st.sampled_from(CALLS),
    stream_of(SAID, ODD),
    st.lists(st.integers(0, 999), max_size=6),
    st.sampled_from([b"* OK hi\r\n", b"* PREAUTH [CAPABILITY IDLE] hi\r\n", b""]),
)
@settings(max_examples=300)
def test_a_client_reads_anything(
    calls: list[Any], data: bytes, positions: list[int], greeting: bytes
) -> None:
    data = greeting + data
    whole = ask(calls, [data])
    assert ask(calls, cuts(data, positions)) == whole
    assert ask(calls, [data[i : i + 1] for i in range(len(data))]) == whole


def test_time_is_linear_in_the_bytes() -> None:
    """Twice the bytes in pieces of 7 octets take about twice the time."""

    def receive(size: int) -> float:
        limits = imap.Limits(append=10**9)
        server = imap.Server(Security.CLEARTEXT, offer=OFFER, limits=limits)
        server.send(imap.Greeting(Condition.PREAUTH))
        data = b"a APPEND x {%d+}\r\n" % size + b"x" * size + b"\r\n"
        begin = time.perf_counter()
        for i in range(0, len(data), 7):
            server.receive_data(data[i : i + 7])
            events(server)
        return time.perf_counter() - begin

    receive(10_000)
    assert receive(400_000) < 12 * receive(100_000)


@pytest.mark.parametrize("count", [32, 33, 5000])
def test_literals_of_a_command_are_counted(count: int) -> None:
    server = imap.Server(Security.CLEARTEXT, offer=OFFER)
    server.send(imap.Greeting(Condition.PREAUTH))
    server.receive_data(b"s SELECT x\r\n")
    (asked,) = events(server)
    server.send(asked.answer(Reply(Condition.OK, "x")))
    server.receive_data(b"a SEARCH" + b" BODY {1+}\r\nx" * count + b"\r\n")
    (event,) = events(server)
    assert isinstance(event, Tagged if count <= 32 else Bad)
