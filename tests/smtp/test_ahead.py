"""Replies that are read before their turn: nobody can tell."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailproto import (
    NEED_DATA,
    Closed,
    Completed,
    LimitExceeded,
    MailError,
    RemoteProtocolError,
    Security,
    smtp,
)
from mailproto._connection import Signal
from mailproto.smtp import Mail, Quirk, Rcpt, Reply, Rset, State
from mailproto.smtp.ahead import read_plain
from mailproto.testing import events

HEADS = ("250", "250 ", "250-", "250 2.1.5 ", "250 2.1.5", "550 5.1.1 ", "450 5.1.1 ",
         "354 ", "421 ", "421 4.3.2 ", "250-2.1.5 ", "250 2.01.5 ", "260 ")  # fmt: skip
TEXTS = st.one_of(
    st.sampled_from(("", "ok", "2.1.5", "2.1.5 ok", " ok ", "caf\u00e9", "\t")),
    st.text(st.characters(codec="utf-8", exclude_characters="\r\n"), max_size=8),
    st.sampled_from(("a\rb", "a\nb", "a\0b", "\x7f", "\x85", "\u2028")),
)


@given(st.lists(st.tuples(st.sampled_from(HEADS), TEXTS), min_size=1, max_size=3))
def test_what_is_read_ahead_is_read_as_ever(parts: list[tuple[str, str]]) -> None:
    lines = [(head + text).encode() for head, text in parts]
    reply = read_plain(b"\r\n".join(lines))
    if reply is not None:
        assert reply == Reply.read(*lines)
        assert reply.write() == Reply.read(*lines).write()
        assert reply.code != 421
        assert not 300 <= reply.code < 400


def test_octets_that_are_no_utf_8_are_not_read_ahead() -> None:
    assert read_plain(b"250 caf\xe9") is None
    assert read_plain(b"250-a") is None
    said = b"250-2.1.5 a\r\n250 b"
    assert read_plain(said) == Reply(250, "a\nb", smtp.EnhancedCode(2, 1, 5))


def asking(*commands: Any, **limits: Any) -> smtp.Client:
    """A client that has said MAIL and all of *commands* at once."""
    client = smtp.Client(Security.CLEARTEXT, limits=smtp.Limits(**limits))
    client.receive_data(b"220 mx.example.org\r\n")
    events(client)
    client.send(smtp.Ehlo("a.example"))
    client.data_to_send()
    client.receive_data(b"250-mx.example.org\r\n250 PIPELINING\r\n")
    events(client)
    for command in (Mail("ann@example.org"), *commands):
        client.send(command)
    client.data_to_send()
    return client


def recipients(count: int) -> list[Rcpt]:
    return [Rcpt(f"user{number}@example.org") for number in range(count)]


def test_state_and_buffer_move_as_replies_are_handed_over() -> None:
    client = asking(*recipients(2), Rset())
    lines: list[tuple[str, bytes]] = []
    client.trace = lambda side, line: lines.append((side, line))
    said = (b"250 2.1.0 ok", b"550-5.1.1 no\r\n550 5.1.1 such user", b"250 ok", b"250")
    client.receive_data(b"".join(reply + b"\r\n" for reply in said))
    states = (State.MAIL, State.MAIL, State.RCPT, State.READY)
    left = sum(len(reply) + 2 for reply in said)
    for reply, state in zip(said, states, strict=True):
        event = client.next_event()
        assert isinstance(event, Completed)
        assert event.answer == Reply.read(*reply.split(b"\r\n"))
        assert client.state is state
        left -= len(reply) + 2
        assert client.buffered == len(client.trailing_data) == left
    assert client.next_event() is NEED_DATA
    assert lines == [("S", line) for reply in said for line in reply.split(b"\r\n")]


def test_what_is_odd_is_left_to_its_turn() -> None:
    client = asking(*recipients(4))
    client.receive_data(b"250 ok\r\n250-a\r\n550 b\r\n250 \xff\r\n250 " + b"x" * 600)
    client.receive_data(b"\r\n250-half")
    first, mixed, refused, octets, strange, long, last = events(client)
    assert (first.answer, refused.answer.code) == (Reply(250, "ok"), 550)
    assert mixed.quirk is Quirk.MIXED_CODES
    assert octets.quirk is Quirk.NOT_UTF8
    assert strange.answer.text == "\udcff"
    assert long.quirk is Quirk.LONG_REPLY
    assert last.answer == Reply(250, "x" * 600)
    client.receive_data(b"\r\n250-" + b"y" * 600 + b"\r\n250 z\r\n")
    long, last = events(client)
    assert long.quirk is Quirk.LONG_REPLY
    assert last.answer.text == "half\n" + "y" * 600 + "\nz"


@pytest.mark.parametrize("sign", [b"-", b" "])
def test_a_long_line_within_a_reply_is_told_of(sign: bytes) -> None:
    client = asking()
    client.receive_data(b"250-a\r\n250" + sign + b"y" * 600 + b"\r\n")
    if sign == b"-":
        client.receive_data(b"250 z\r\n")
    long, last = events(client)
    assert long.quirk is Quirk.LONG_REPLY
    assert last.ok


@pytest.mark.parametrize(("limit", "most"), [("reply", 80), ("reply_lines", 3)])
def test_limits_hold_for_what_is_read_ahead(limit: str, most: int) -> None:
    client = asking(**{limit: most})
    client.receive_data(b"250-a\r\n" * 20 + b"250 a\r\n")
    (failure,) = events(client)
    assert isinstance(failure, LimitExceeded)
    assert failure.limit == limit


def test_more_replies_than_questions_are_forged() -> None:
    client = asking()
    client.receive_data(b"250 ok\r\n250 ok\r\n")
    assert isinstance(client.next_event(), Completed)
    with pytest.raises(RemoteProtocolError, match="nobody waits for"):
        client.next_event()


def test_421_among_others_ends_them_all() -> None:
    client = asking(*recipients(3))
    client.receive_data(b"250 ok\r\n250 ok\r\n421-4.3.2 down\r\n421 bye\r\n")
    assert [event.answer.code for event in events(client)] == [250, 250, 421, 421]
    assert client.state is State.CLOSED


def test_a_mail_amid_a_transaction_that_a_server_grants() -> None:
    client = asking(*recipients(1), Rset(), Mail("eve@example.org"))
    client.receive_data(b"250 ok\r\n250 ok\r\n502 what?\r\n250 ok\r\n")
    assert [event.answer.code for event in events(client)] == [250, 250, 502, 250]
    assert client.state is State.RCPT


COMMANDS = [
    Mail("ann@example.org"), Rcpt("bob@example.org"), Rcpt("eve@example.org"), Rset(),
    smtp.Noop(), smtp.Help(), smtp.Quit(), smtp.Data(b"hi"), smtp.Bdat(2),
]  # fmt: skip
SAID = [
    *(b"250 ok\r\n", b"250 2.1.5 ok\r\n", b"250-a\r\n250 b\r\n", b"550 no\r\n") * 3,
    b"354 go\r\n", b"421 bye\r\n", b"250 \xff\r\n", b"250-a\r\n", b"?\r\n", b"25",
    b"250 " + b"x" * 600 + b"\r\n",
]  # fmt: skip


class Session:
    """A client that is told things; with a trace, it goes the long way."""

    def __init__(self, offer: bytes, dialect: smtp.Dialect, traced: bool) -> None:
        self.client = smtp.Client(Security.CLEARTEXT, dialect=dialect)
        if traced:
            self.client.trace = lambda side, line: None
        self.client.receive_data(b"220 mx\r\n")
        events(self.client)
        self.client.send(smtp.Lhlo("a") if dialect.lmtp else smtp.Ehlo("a"))
        self.client.data_to_send()
        self.client.receive_data(offer)
        events(self.client)
        self.seen: list[Any] = []

    def say(self, command: Any) -> None:
        try:
            self.client.send(command)
        except MailError as error:
            self.seen.append(str(error))

    def hear(self, said: bytes, then: list[Any]) -> None:
        client = self.client
        client.receive_data(said)
        try:
            while not isinstance(event := client.next_event(), Signal | Closed):
                call = getattr(event, "call", None)
                command, answer = call and call.command, getattr(event, "answer", None)
                self.seen += [type(event), command, answer, client.state, client.ahead]
                self.seen += [client.buffered, client.trailing_data]
                if then:
                    self.say(then.pop())
                self.seen += client.data_to_send()
        except MailError as error:
            self.seen.append(str(error))


turns = st.tuples(
    st.lists(st.sampled_from(COMMANDS), max_size=8),
    st.lists(st.sampled_from(SAID), max_size=8).map(b"".join),
    st.lists(st.sampled_from(COMMANDS), max_size=2),
)


@settings(max_examples=500)
@given(
    st.sampled_from([
        b"250-mx\r\n250-PIPELINING\r\n250 CHUNKING\r\n",
        b"250-mx\r\n250-PIPELINING\r\n250 LIMITS RCPTMAX=2 MAILMAX=3\r\n",
    ]),
    st.sampled_from([smtp.SMTP, smtp.LMTP]),
    st.lists(turns, max_size=4),
)  # fmt: skip
def test_what_is_ready_is_handed_over_as_ever(
    offer: bytes,
    dialect: smtp.Dialect,
    told: list[tuple[list[Any], bytes, list[Any]]],
) -> None:
    short, long = (Session(offer, dialect, traced) for traced in (False, True))
    for session in (short, long):
        for commands, said, then in told:
            for command in commands:
                session.say(command)
            session.client.data_to_send()
            session.hear(said, list(then))
    assert short.seen == long.seen


@pytest.mark.parametrize("limit", ["line", "reply"])
def test_where_replies_must_be_short_none_is_read_ahead(limit: str) -> None:
    client = asking(*recipients(1), **{limit: 100})
    client.receive_data(b"250 ok\r\n250 " + b"x" * 100 + b"\r\n")
    done, failure = events(client)
    assert done.ok
    assert isinstance(failure, LimitExceeded)
    assert failure.limit == limit
