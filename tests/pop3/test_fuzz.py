"""Any bytes, in any pieces, give only our errors, and the same events."""

from __future__ import annotations

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
    Lines,
    MailError,
    Part,
    RemoteProtocolError,
    Security,
    pop3,
    sasl,
)
from mailproto._connection import Signal
from mailproto.pop3.historic import HISTORIC, Env, Last, XtndXmit
from tests.pop3.strategies import commands
from tests.streams import stream_of

STATUS = [
    b"+OK", b"-ERR", b"+OK 2 320", b"-ERR [IN-USE] x", b"+ ", b"+ dGVzdA==", b"+ok",
    b"+OKx", b"+", b"+OK 1 a",
]  # fmt: skip
ANSWERS = [
    *STATUS, b".", b"1 120", b"1  a", b"..x", b"TOP", b"", b"de Deutsch", b"PIPELINING",
    b"x" * 600,
]  # fmt: skip
# No STLS: whether something stands behind it depends on how the bytes are cut, as it
# must; test_server has it.
LINES = [
    b"USER ann", b"PASS x", b"AUTH PLAIN", b"AUTH PLAIN =", b"*", b"AGEAYg==",
    b"CAPA", b"LIST", b"LIST 1", b"RETR 1", b"TOP 1 1", b"DELE 1", b"QUIT", b"UTF8",
    b"XTND XMIT", b".", b"..", b"", b"x" * 300, b"GET / HTTP/1.0",
]  # fmt: skip
ODD = st.sampled_from([b"\r", b"\n", b".", b"\0", b"\xff"]) | st.binary(max_size=8)


def joined(got: list[Any]) -> list[Any]:
    """Events as values that compare; chunks that follow each other are one."""
    out: list[Any] = []
    for event in got:
        match event:
            case Part(value=Chunk(data=data)) | Chunk(data=data):
                if out and isinstance(out[-1], bytes):
                    out[-1] += data
                else:
                    out.append(data)
            case Part(value=Lines(values=values)):
                out.extend(values)
            case GoAhead(data=data):
                out.append(("go ahead", data))
            case MailError():
                out.append((type(event), str(event)))
            case _ if hasattr(event, "answer"):
                out.append((event.call.command, event.answer))
            case _:
                out.append(event)
    return out


def run(conn: Any, pieces: list[bytes], react: Callable[[Any], None]) -> list[Any]:
    got: list[Any] = []
    try:
        for piece in [*pieces, b""]:
            conn.receive_data(piece)
            while True:
                event = conn.next_event()
                if event is PAUSED:
                    react(event)
                elif isinstance(event, Signal):
                    break
                else:
                    got.append(event)
                    if isinstance(event, Closed):
                        return got
                    react(event)
    except RemoteProtocolError as error:
        with pytest.raises(RemoteProtocolError):
            conn.next_event()
        return [*got, error]
    return got


def client(ahead: list[Any], strict: bool) -> Any:
    conn = pop3.Client(
        Security.CLEARTEXT,
        strict=strict,
        dialect=HISTORIC,
        limits=pop3.Limits(lines=20, line=700, sasl_rounds=4),
    )
    conn.receive_data(b"+OK hi <a@b>\r\n")
    conn.next_event()
    conn.capabilities = pop3.Capabilities([pop3.Capability("PIPELINING")])
    for command in ahead:
        try:
            conn.send(command)
        except MailError:
            continue
    return conn


def react_as_client(conn: Any) -> Callable[[Any], None]:
    def react(event: Any) -> None:
        if isinstance(event, GoAhead):
            if isinstance(event.call.command, XtndXmit):
                conn.send(Chunk(b"x"))
                conn.send(End())
            else:
                conn.send(pop3.Response(b"x"))

    return react


SASL = [
    pop3.Auth.using(sasl.Plain("a", "b")),
    pop3.Auth.using(sasl.Login("a", "b")),
    pop3.Auth.using(sasl.XOAuth2("a", "t" * 300)),
]
scripts = st.lists(
    commands
    | st.sampled_from([pop3.User("a"), pop3.Pass("b"), *SASL])
    | st.sampled_from([pop3.Stat(), pop3.Uidl(), pop3.Retr(1), Last(), Env(1)]),
    max_size=8,
)


def cut(data: bytes, sizes: list[int]) -> list[bytes]:
    pieces = []
    for size in sizes:
        pieces.append(data[:size])
        data = data[size:]
    return [piece for piece in [*pieces, data] if piece]


@settings(max_examples=300)
@given(
    scripts,
    stream_of(ANSWERS, ODD, None),
    st.lists(st.integers(1, 30), max_size=12),
    st.booleans(),
)
def test_a_client_and_any_bytes(
    ahead: list[Any], data: bytes, sizes: list[int], strict: bool
) -> None:
    def events_of(pieces: list[bytes]) -> list[Any]:
        conn = client(ahead, strict)
        return joined(run(conn, pieces, react_as_client(conn)))

    whole = events_of([data] if data else [])
    bytewise = events_of([data[i : i + 1] for i in range(len(data))])
    assert bytewise == events_of(cut(data, sizes))
    # All at once is not the same where an answer is there before its question: that
    # is an error then, as it must be, and was a late answer else.
    assert whole == bytewise or "nobody waits for" in str(whole[-1])


@settings(max_examples=300)
@given(
    stream_of(LINES, ODD, None),
    st.lists(st.integers(1, 30), max_size=12),
    st.sampled_from([Security.CLEARTEXT, Security.OPTIONAL]),
    st.booleans(),
)
def test_a_server_and_any_bytes(
    data: bytes, sizes: list[int], security: Security, granting: bool
) -> None:
    def events_of(pieces: list[bytes]) -> tuple[list[Any], bytes]:
        conn = pop3.Server(
            security, dialect=HISTORIC, limits=pop3.Limits(bad_commands=5)
        )
        out: list[bytes] = []

        def react(event: Any) -> None:
            match event:
                case Signal() if conn.state is pop3.State.GREETING:
                    conn.send(pop3.Greeting())
                case Bad(hint=hint):
                    conn.send(hint)
                case pop3.Auth():
                    conn.send(pop3.Challenge(b"x"))
                case pop3.Stls() | Chunk():
                    if not isinstance(event, Chunk):
                        conn.send(pop3.Reply(False))
                case pop3.Pop3Command():
                    conn.send(pop3.Reply(granting))
                    if granting and event.shape in (
                        pop3.Shape.LINES,
                        pop3.Shape.MESSAGE,
                    ):
                        conn.send(End())
                case pop3.Response() | pop3.Cancel() | End():
                    conn.send(
                        pop3.Reply(granting and not isinstance(event, pop3.Cancel))
                    )
            out.extend(conn.data_to_send())

        return joined(run(conn, pieces, react)), b"".join(out)

    whole = events_of([data] if data else [])
    assert whole == events_of([data[i : i + 1] for i in range(len(data))])
    assert whole == events_of(cut(data, sizes))
