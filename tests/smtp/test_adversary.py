"""Servers that refuse, hang up and vanish as they like: what is believed of them?

Whatever a server does, ``send_message`` tells of every recipient once, and of nobody
that he gets the message unless the server said so.
"""

from __future__ import annotations

import itertools
import tracemalloc
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import event as seen
from hypothesis import given, settings
from hypothesis import strategies as st

from mailproto import (
    Bad,
    Chunk,
    End,
    LimitExceeded,
    LocalProtocolError,
    RemoteProtocolError,
    Security,
    smtp,
)
from mailproto.smtp import (
    Bdat,
    Data,
    EhloData,
    Extension,
    Mail,
    Newlines,
    NotSent,
    Rcpt,
    Reply,
    Rset,
    State,
)
from mailproto.testing import events
from tests.wire import Wire

NAMES = [f"r{n}@d{n % 3}.example" for n in range(6)]
LETTER = b"From: ann@example.org\r\n\r\n.\r\nHello.\r\n"
ENDS_OF_LIFE = ("drop", "cut")
MOODS = st.sampled_from([250] * 12 + [450, 452, 550, 552, 421, *ENDS_OF_LIFE])
OFFERS = st.lists(
    st.sampled_from([
        "PIPELINING", "CHUNKING", "SIZE 1000", "LIMITS RCPTMAX=2",
        "LIMITS RCPTDOMAINMAX=1", "LIMITS MAILMAX=2", "ENHANCEDSTATUSCODES",
    ]),
    unique=True,
)  # fmt: skip


class Vanished(Exception):
    """The server is gone."""


@dataclass
class Plan:
    """How a server answers: *moods* in turn, and then it is good."""

    moods: list[Any]
    rset: int

    def code(self) -> int:
        mood = self.moods.pop(0) if self.moods else 250
        if mood in ENDS_OF_LIFE:
            raise Vanished(mood)
        code: int = mood
        return code


class Moody(Wire):
    """It keeps a list of those to whom it owes the message: *owed*."""

    def __init__(self, dialect: smtp.Dialect, offers: list[str], plan: Plan) -> None:
        security = Security.CLEARTEXT
        self.conn = smtp.Client(security, dialect=dialect)
        super().__init__(self.conn, smtp.Server(security, dialect=dialect), self.answer)
        self.lmtp = dialect.lmtp
        self.offers = offers
        self.plan = plan
        self.granted: list[str] = []
        self.owed: list[str] = []
        self.content: Any = None
        self.gone = False
        self.server.send(smtp.Greeting("moody.example"))
        self.carry()
        assert self.conn.next_event() == smtp.Greeting("moody.example")

    def carry(self) -> None:
        try:
            super().carry()
        except Vanished as how:
            self.gone = True
            # What it said before, it said; of what it would have said, some.
            cut = b"250 o" if str(how) == "cut" else b""
            for data in (*self.server.data_to_send(), cut):
                if data:
                    self.conn.receive_data(data)
            self.conn.receive_data(b"")

    def answer(self, event: Any) -> Iterator[Any]:
        match event:
            case Bad(hint=hint):
                yield hint
            case Chunk():
                pass
            case smtp.Ehlo() | smtp.Lhlo():
                lines = tuple(map(Extension.read, self.offers))
                yield EhloData("moody.example", lines)
            case Rset():
                yield Reply(self.plan.rset)
            case Bdat():
                self.content = event
            case Data():
                self.content = event
                code = self.plan.code()
                yield Reply(354 if code == 250 else code)
            case End():
                yield from self.end()
            case _:
                yield from self.envelope(event)

    def envelope(self, event: Any) -> Iterator[Reply]:
        code = self.plan.code()
        if isinstance(event, Mail):
            self.granted = []
        elif code == 250:
            assert isinstance(event, Rcpt)
            self.granted.append(event.recipient)
        yield Reply(code)

    def end(self) -> Iterator[Reply]:
        if not self.content.ends_message:
            yield Reply(self.plan.code())
            return
        if not self.lmtp:
            code = self.plan.code()
            if code == 250:
                self.owed += self.granted
            yield Reply(code)
            return
        for name in self.granted:
            code = self.plan.code()
            if code == 250:
                self.owed.append(name)
            yield Reply(code)
            if code == 421:
                return


PLANS = st.builds(Plan, st.lists(MOODS, max_size=16), st.sampled_from([250, 250, 421]))


@settings(max_examples=600)
@given(st.sampled_from([smtp.SMTP, smtp.LMTP]), OFFERS, PLANS, st.booleans())
def test_of_every_recipient_the_truth_is_told(
    dialect: smtp.Dialect, offers: list[str], plan: Plan, partial: bool
) -> None:
    host = Moody(dialect, offers, plan)
    script = smtp.send_message(host.conn, LETTER, None, NAMES, partial=partial)
    sent: smtp.Sent | None = None
    try:
        sent = host.run(script)
    except NotSent as failure:
        seen("nobody")
        assert not host.owed
        sent = smtp.Sent({}, failure.refused)
    except RemoteProtocolError:
        seen("vanished")
        assert host.gone
        assert host.conn.state is State.CLOSED
    except LocalProtocolError:
        seen("not begun")
        assert not partial
        assert not host.owed
    else:
        seen("complete" if sent.complete else "partly")
        assert sent.accepted
    if sent is not None:
        assert list(sent.accepted) == host.owed
        told = [*sent.accepted, *sent.refused, *sent.untried]
        assert sorted(told) == sorted(NAMES) or not (partial or sent.accepted)
        assert all(reply.ok for reply in sent.accepted.values())
        assert not any(reply.ok for reply in sent.refused.values())
        # In LMTP, each of those who were accepted may be refused in the end.
        assert partial or sent.complete or host.lmtp or not sent.accepted
    assert host.conn.state in (State.READY, State.CLOSED)
    assert host.conn.ahead is host.conn.state


# -- injection ---------------------------------------------------------------------

BREAKS = ["\r\n", "\r", "\n", "\0", "\u2028", "\x85", "\x0b", "\u560d\u560a", "\udc0a"]


@given(
    st.text(max_size=8),
    st.sampled_from(BREAKS),
    st.text(max_size=8),
    st.sampled_from(["{}@example.org", "ann@{}", '"{}"@example.org', "{}", "a@[x:{}]"]),
)
def test_an_address_is_one_word_or_none(
    before: str, between: str, after: str, shape: str
) -> None:
    """Nothing that is put into an address becomes a line, or a parameter."""
    address = shape.format(f"{before}{between}RCPT TO:<eve@example.com>{after}")
    for make in (smtp.Rcpt, lambda text: Mail(text, smtp.SmtpUtf8())):
        try:
            command = make(address)
        except ValueError:
            continue
        line = command.write()
        assert line.endswith(b"\r\n")
        assert min(line[:-2]) >= 0x20
        again = type(command).read(line[5:-2])
        assert again == command  # it is all inside of quotes


@given(st.sampled_from(BREAKS), st.booleans())
def test_send_message_writes_no_line_of_its_caller(between: str, sender: bool) -> None:
    evil = f"a@example.org>{between}RCPT TO:<eve@example.com"
    host = Moody(smtp.SMTP, ["PIPELINING", "SMTPUTF8"], Plan([], 250))
    who, to = (evil, ["bob@example.org"]) if sender else ("", ["bob@example.org", evil])
    with pytest.raises(ValueError):
        host.run(smtp.send_message(host.conn, LETTER, who, to))
    assert not host.granted
    assert host.conn.state is State.READY


def on_the_wire(newlines: Newlines, pieces: list[bytes], by_hand: bool) -> bytes:
    """What a client writes once DATA was granted."""
    client = smtp.Client(Security.CLEARTEXT, newlines=newlines)
    client.receive_data(b"220 mx\r\n")
    client.next_event()
    for command, answer in (
        (smtp.Ehlo("a.example"), b"250 mx\r\n"),
        (Mail(""), b"250 ok\r\n"),
        (Rcpt("bob@example.org"), b"250 ok\r\n"),
        (Data(None if by_hand else b"".join(pieces)), b"354 go\r\n"),
    ):
        client.send(command)
        client.data_to_send()
        client.receive_data(answer)
        client.next_event()
    if by_hand:
        for piece in pieces:
            client.send(Chunk(piece))
        client.send(End())
    return b"".join(client.data_to_send())


@given(
    st.lists(st.sampled_from([b"\r\n", b"\r", b"\n", b".", b"x"]), max_size=12),
    st.sampled_from([Newlines.NORMALIZE, Newlines.REJECT]),
    st.booleans(),
)
def test_a_message_ends_where_the_client_ends_it(
    pieces: list[bytes], newlines: Newlines, by_hand: bool
) -> None:
    """No line end is bare, and so no server finds a second message in the first."""
    try:
        wire = on_the_wire(newlines, pieces, by_hand)
    except LocalProtocolError:
        assert newlines is Newlines.REJECT
        return
    assert wire.count(b"\r\n") == wire.count(b"\r") == wire.count(b"\n")
    assert (b"\r\n" + wire).find(b"\r\n.\r\n") == len(wire) - 3


# -- without an end ----------------------------------------------------------------

SMALL = smtp.Limits(
    discarded=20_000, message=5_000, chunks=50, junk_commands=50, recipients=100
)


def drip(conn: Any, wire: Iterable[bytes]) -> None:
    """Feed *conn*, and answer what it asks, until it has had enough."""
    for data in wire:
        conn.receive_data(data)
        for happened in events(conn):
            if isinstance(happened, RemoteProtocolError):
                raise happened
            if conn.side == "S" and not isinstance(happened, Chunk | Bdat):
                conn.send(getattr(happened, "hint", Reply(250)))
        conn.data_to_send()


def room_until_it_is_stopped(conn: Any, wire: Iterable[bytes]) -> int:
    """The octets of memory that are taken until there is a LimitExceeded."""
    tracemalloc.start()
    try:
        with pytest.raises(LimitExceeded):
            drip(conn, wire)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def server_in(state: State) -> smtp.Server:
    server = smtp.Server(Security.CLEARTEXT, limits=SMALL)
    server.send(smtp.Greeting("mx"))
    steps: list[tuple[State, bytes, Any]] = [
        (State.START, b"EHLO x\r\n", EhloData("mx", (Extension("CHUNKING"),))),
        (State.READY, b"MAIL FROM:<>\r\n", Reply(250)),
        (State.MAIL, b"RCPT TO:<bob@example.org>\r\n", Reply(250)),
        (State.RCPT, b"DATA\r\n", Reply(354)),
    ]
    for before, line, answer in steps:
        if server.state is state:
            break
        assert server.state is before
        server.receive_data(line)
        server.next_event()
        server.send(answer)
    server.data_to_send()
    return server


@pytest.mark.parametrize(
    ("state", "text"),
    [
        (State.READY, b"x"),
        (State.READY, b"NOOP\r\n"),
        (State.READY, b"\r\n"),
        (State.READY, b"\r"),
        (State.RCPT, b"BDAT 1\r\nx"),
        (State.RCPT, b"BDAT 0\r\n"),
        (State.READY, b"BDAT 1\r\nx"),
        (State.MAIL, b"RCPT TO:<bob@example.org>\r\n"),
        (State.CLOSED, b"x"),  # DATA
        (State.CLOSED, b"\r\n.."),
        (State.CLOSED, b"\r\n.\r"),
    ],
)
def test_a_client_that_drips_for_ever_is_stopped(state: State, text: bytes) -> None:
    """Octet by octet: there is an end to it, and nothing is gathered before."""
    octets = (bytes((octet,)) for octet in itertools.cycle(text))
    assert room_until_it_is_stopped(server_in(state), octets) < 200_000


@pytest.mark.parametrize(
    "lines",
    [
        [b"250-a"],
        [b"250-"],
        [b"250-\x01"],
        [b"250-" + b"x" * 8000],
        [b"250-\xff", b"550-\tA  B"],
        [b"250-AUTH=LOGIN"],
        [b"250-" + b"a" * 600, b"251-"],
    ],
)
@pytest.mark.parametrize("cut", [1, 100_000])
def test_a_reply_without_an_end_is_stopped(lines: list[bytes], cut: int) -> None:
    client = smtp.Client(Security.CLEARTEXT)
    client.receive_data(b"220 mx\r\n")
    client.next_event()
    client.send(smtp.Ehlo("a.example"))
    client.data_to_send()
    wire = b"".join(line + b"\r\n" for line in lines)
    pieces = [wire[at : at + cut] for at in range(0, len(wire), cut)]
    assert room_until_it_is_stopped(client, itertools.cycle(pieces)) < 500_000
