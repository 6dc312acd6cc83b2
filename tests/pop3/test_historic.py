"""Verbs that were added from outside: the registry carries them in both roles."""

from __future__ import annotations

import pytest

from mailproto import (
    PAUSED,
    Bad,
    Chunk,
    End,
    GoAhead,
    LocalProtocolError,
    Security,
    pop3,
)
from mailproto.pop3 import Reply, State
from mailproto.pop3.historic import (
    HISTORIC,
    Env,
    EnvData,
    EnvLine,
    Last,
    LastData,
    XtndXmit,
)
from mailproto.testing import Pair, bytewise, events

OK = Reply(True)


def pair() -> Pair[pop3.Client, pop3.Server]:
    both = Pair(
        pop3.Client(Security.CLEARTEXT, dialect=HISTORIC),
        pop3.Server(Security.CLEARTEXT, dialect=HISTORIC),
        lambda: bytewise,
    )
    both.server.send(pop3.Greeting())
    both.client_events()
    for command in (pop3.User("ann"), pop3.Pass("x")):
        both.client.send(command)
        assert both.server_events() == [command]
        both.server.send(OK)
        both.client_events()
    assert both.client.state is both.server.state is State.TRANSACTION
    return both


def test_last() -> None:
    both = pair()
    call = both.client.send(Last())
    assert both.server_events() == [Last()]
    both.server.send(LastData(3))
    for event in both.client_events():
        call.feed(event)
    assert call.result() == 3


def test_env() -> None:
    both = pair()
    lines = ["1", ".smtp.example", "", "ann@example.net", "more"]
    for count, expected in (
        (5, EnvData("", "ann@example.net", tuple(lines))),
        (3, None),
    ):
        call = both.client.send(Env(1))
        assert both.server_events() == [Env(1)]
        both.server.send(OK)
        for line in lines[:count]:
            both.server.send(EnvLine(line))
        both.server.send(End())
        for event in both.client_events():
            call.feed(event)
        assert call.result() == expected


MESSAGE = b".dots\r\n\r\n.\r\nend"


@pytest.mark.parametrize("by_hand", [False, True])
def test_xtnd_xmit(by_hand: bool) -> None:
    both = pair()
    call = both.client.send(XtndXmit(None if by_hand else MESSAGE))
    both.client.send(pop3.Noop())  # waits: nothing goes into the middle of a message
    assert both.server_events() == [XtndXmit()]
    with pytest.raises(LocalProtocolError):
        both.client.send(Chunk(b"too early"))
    both.server.send(Reply(True, "Start sending message."))
    if by_hand:
        assert both.client_events() == [GoAhead(call, b"")]
        with pytest.raises(LocalProtocolError):
            both.client.send(pop3.Response())
        for at in range(len(MESSAGE)):
            both.client.send(Chunk(MESSAGE[at : at + 1]))
        both.client.send(End())
    else:
        assert both.client_events() == []
    *chunks, end = both.server_events()
    assert b"".join(chunk.data for chunk in chunks) == MESSAGE + b"\r\n"
    assert end == End()
    assert both.server.next_event() is PAUSED
    both.server.send(Reply(True, "Message sent"))
    (done,) = both.client_events()
    call.feed(done)
    assert call.result() is None
    assert both.server_events() == [pop3.Noop()]


def test_a_message_that_is_not_wanted_is_not_sent() -> None:
    both = pair()
    call = both.client.send(XtndXmit(MESSAGE))
    both.server_events()
    both.server.send(Reply(False, "no"))
    (done,) = both.client_events()
    assert done.call is call
    assert not done.ok
    assert both.server_events() == []


def test_a_message_that_comes_in_two_reads() -> None:
    both = pair()
    both.client.send(XtndXmit())
    both.server_events()
    both.server.send(OK)
    both.client_events()
    got = []
    for read in (b"half\r\n", b".", b"\r\n"):
        both.server.receive_data(read)
        got += events(both.server)
    *chunks, end = got
    assert b"".join(chunk.data for chunk in chunks) == b"half\r\n"
    assert end == End()
    assert pop3.Noop().text is None


def test_a_message_of_nothing() -> None:
    both = pair()
    call = both.client.send(XtndXmit(b""))
    both.server_events()
    both.server.send(OK)
    both.client_events()
    assert both.server_events() == [End()]
    both.server.send(OK)
    for event in both.client_events():
        call.feed(event)
    assert call.done


def test_half_a_message_is_an_error() -> None:
    both = pair()
    both.client.send(XtndXmit())
    both.server_events()
    both.server.send(OK)
    both.client_events()
    both.client.send(Chunk(b"half a mess"))
    both.pump()
    both.server.receive_data(b"")
    assert "inside a command" in str(events(both.server)[-1])


def test_xtnd_is_known_with_xmit_only() -> None:
    both = pair()
    both.server.receive_data(b"XTND BBOARDS\r\n")
    (bad,) = events(both.server)
    assert isinstance(bad, Bad)


def test_who_was_not_told_of_the_dialect_knows_none_of_it() -> None:
    conn = pop3.Client(Security.CLEARTEXT)
    conn.receive_data(b"+OK\r\n")
    events(conn)
    with pytest.raises(LocalProtocolError, match="LAST cannot be said"):
        conn.send(Last())
    assert b"LAST" not in pop3.STANDARD.verbs
