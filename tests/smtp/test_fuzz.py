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
    RemoteProtocolError,
    Security,
    smtp,
)
from mailproto._connection import Signal
from mailproto.smtp import Bdat, Data, Ehlo, EhloData, Extension, Greeting, Reply
from mailproto.testing import events
from tests.smtp.player import plain
from tests.smtp.strategies import commands
from tests.streams import cuts, stream_of

REPLIES = [
    b"220 mx", b"250 ok", b"250-mx", b"250 PIPELINING", b"250-SIZE 10", b"354 go",
    b"334 ", b"334 eA==", b"334", b"235 ok", b"421 bye", b"550 5.1.1 no", b"550-a",
    b"250-AUTH=LOGIN", b"250 2.0.0", b"", b"250", b"x" * 600, b"250 " + b"x" * 600,
]  # fmt: skip
# No STARTTLS: whether something stands behind it depends on how the bytes are cut, as
# it must; test_server has it.
LINES = [
    b"EHLO a", b"HELO a", b"LHLO a", b"MAIL FROM:<>", b"MAIL FROM:<a@b> SIZE=1",
    b"RCPT TO:<a@b>", b"RCPT TO:<Postmaster>", b"DATA", b".", b"..", b"BDAT 3",
    b"BDAT 0 LAST", b"BDAT 5 LAST", b"BDAT x", b"RSET", b"NOOP", b"QUIT", b"AUTH PLAIN",
    b"AUTH PLAIN =", b"*", b"AGEAYg==", b"VRFY a", b"", b"x" * 2100,
    b"BURL imap:x LAST", b"GET / HTTP/1.0", b"XCLIENT NAME=a", b"ETRN a", b"ATRN",
]  # fmt: skip
ODD = st.sampled_from([b"\r", b"\n", b".", b"\0", b"\xff"]) | st.binary(max_size=8)
OFFER = EhloData(
    "mx",
    tuple(
        map(
            Extension.read,
            ["PIPELINING", "SIZE 40", "CHUNKING", "AUTH PLAIN", "XCLIENT NAME", "ATRN",
             "BURL imap", "ETRN"],
        )
    ),
)  # fmt: skip


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
            if event is PAUSED:
                got.append(event)
    except MailError as error:
        got.append((type(error), str(error)))
        with pytest.raises(type(error)):
            conn.next_event()
    return [event for event in plain(got) if event is not PAUSED]


def serve(data: bytes, pieces: list[bytes], lmtp: bool) -> list[Any]:
    server = smtp.Server(
        Security.CLEARTEXT,
        dialect=smtp.LMTP if lmtp else smtp.SMTP,
        limits=smtp.Limits(discarded=50, bad_commands=100),
    )
    server.send(Greeting("mx"))

    def react(event: Any) -> None:
        match event:
            case Chunk():
                return
            case Bad(hint=hint):
                answer: Any = hint
            case Ehlo() | smtp.Lhlo():
                answer = OFFER
            case Data():
                answer = Reply(354, "go")
            case smtp.Auth():
                answer = smtp.Challenge(b"x")
            case Bdat() | smtp.Response():
                if isinstance(event, Bdat):
                    return
                answer = Reply(235, "ok")
            case smtp.Cancel():
                answer = Reply(501, "no")
            case smtp.Xclient():
                answer = Reply(220, "mx")
            case _:
                answer = Reply(250, "ok")
        server.send(answer)
        while lmtp and isinstance(event, End) and server.next_event() is PAUSED:
            server.send(Reply(250, "ok"))
            if not server.state.name.startswith("RCPT"):
                return

    return run(server, pieces, react)


@given(stream_of(LINES, ODD), st.lists(st.integers(0, 999), max_size=6))
@settings(max_examples=200)
def test_a_server_reads_anything(data: bytes, positions: list[int]) -> None:
    whole = serve(data, [data], False)
    assert serve(data, cuts(data, positions), False) == whole
    assert serve(data, [data[i : i + 1] for i in range(len(data))], False) == whole


CALLS: list[list[Any]] = [
    [Ehlo("a"), smtp.Mail(""), smtp.Rcpt("a@b"), Data(b"x\r\n"), smtp.Quit()],
    [Ehlo("a"), smtp.Mail(""), smtp.Rcpt("a@b"), Data()],
    [Ehlo("a"), smtp.Auth("PLAIN", b"x")],
    [smtp.Helo("a"), smtp.Noop(), smtp.Vrfy("x"), smtp.Rset(), smtp.Help()],
]


def ask(calls: list[Any], pieces: list[bytes]) -> list[Any]:
    client = smtp.Client(Security.CLEARTEXT, limits=smtp.Limits(reply_lines=20))
    todo = list(calls)

    def react(event: Any) -> None:
        if isinstance(event, GoAhead):
            if isinstance(event.call.command, Data):
                client.send(Chunk(b"x"))
                client.send(End())
            else:
                client.send(smtp.Cancel())
        while todo:
            try:
                client.send(todo[0])
            except LocalProtocolError:
                return
            todo.pop(0)

    return run(client, pieces, react)


@given(
    st.sampled_from(CALLS),
    stream_of(REPLIES, ODD),
    st.lists(st.integers(0, 999), max_size=6),
)
@settings(max_examples=200)
def test_a_client_reads_anything(
    calls: list[Any], data: bytes, positions: list[int]
) -> None:
    data = b"220 mx\r\n" + data
    whole = ask(calls, [data])
    assert ask(calls, cuts(data, positions)) == whole
    assert ask(calls, [data[i : i + 1] for i in range(len(data))]) == whole


@given(st.binary(max_size=200))
def test_any_line_is_a_command_or_a_value_error(data: bytes) -> None:
    for kind in {*smtp.SMTP.verbs.values(), *smtp.LMTP.verbs.values()}:
        try:
            command = kind.read(data)
        except ValueError:
            continue
        assert kind.read(command.write()[:-2].partition(b" ")[2]) == command


@given(commands, st.integers(0, 10_000), st.binary(min_size=1, max_size=3))
def test_a_damaged_command_is_no_crash(command: Any, at: int, noise: bytes) -> None:
    line = command.write()[:-2]
    at %= len(line)
    server = smtp.Server(Security.CLEARTEXT)
    server.send(Greeting("mx"))
    server.receive_data(line[:at] + noise + line[at:] + b"\r\n")
    try:
        server.next_event()
    except RemoteProtocolError:
        assert server.state is smtp.State.CLOSED


@given(st.binary(max_size=300), st.sampled_from(smtp.Newlines))
def test_a_message_comes_out_as_it_went_in(
    text: bytes, newlines: smtp.Newlines
) -> None:
    """What our client normalises, our server lets pass; dots come and go."""
    client = smtp.Client(Security.CLEARTEXT, newlines=newlines)
    server = smtp.Server(Security.CLEARTEXT, newlines=newlines)
    client.receive_data(b"220 mx\r\n")
    server.send(Greeting("mx"))
    events(client)
    for command in (smtp.Helo("a"), smtp.Mail(""), smtp.Rcpt("a@b")):
        client.send(command)
        client.data_to_send()
        client.receive_data(b"250 ok\r\n")
        events(client)
        server.receive_data(command.write())
        events(server)
        server.send(Reply(250, "ok"))
    server.receive_data(b"DATA\r\n")
    events(server)
    server.send(Reply(354, "go"))
    try:
        client.send(Data(text))
    except LocalProtocolError:
        assert newlines is smtp.Newlines.REJECT
        return
    client.data_to_send()
    client.receive_data(b"354 go\r\n")
    events(client)
    server.receive_data(b"".join(client.data_to_send()))
    got = events(server)
    assert got[-1] == End()
    heard = b"".join(chunk.data for chunk in got[:-1])
    assert heard.endswith(b"\r\n") or heard == b""
    if newlines is smtp.Newlines.NORMALIZE:
        assert heard.split(b"\r\n")[:-1] == (text.splitlines() if text else [])
    else:
        assert heard in (text, text + b"\r\n")


def test_time_is_linear_in_the_bytes() -> None:
    """Twice the bytes in pieces of 7 octets take about twice the time."""

    def receive(size: int) -> float:
        server = smtp.Server(Security.CLEARTEXT, limits=smtp.Limits(message=10**9))
        server.send(Greeting("mx"))
        for line, answer in (
            (b"HELO a", Reply(250)),
            (b"MAIL FROM:<>", Reply(250)),
            (b"RCPT TO:<a@b>", Reply(250)),
            (b"DATA", Reply(354)),
        ):
            server.receive_data(line + b"\r\n")
            events(server)
            server.send(answer)
        data = (b"x" * 60 + b"\r\n.." + b"y" * 60 + b"\r\n") * (size // 126)
        begin = time.perf_counter()
        for i in range(0, len(data), 7):
            server.receive_data(data[i : i + 7])
            events(server)
        return time.perf_counter() - begin

    receive(10_000)
    assert receive(400_000) < 12 * receive(100_000)
