"""A client that is told and asked anything in any order answers every call, once."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from mailproto import (
    Call,
    Chunk,
    Closed,
    Completed,
    End,
    LocalProtocolError,
    RemoteProtocolError,
    Security,
    imap,
    sasl,
)
from mailproto._connection import Signal
from mailproto.imap import Change, SequenceSet, Streamed, UidSet, search

COMMANDS = [
    imap.Noop(), imap.Login("ä", "b"), imap.Select("x"), imap.Examine("é"), imap.Idle(),
    imap.Append("x", Streamed(3)), imap.Append("x", b"abc"), imap.Append("x", b""),
    imap.Fetch(UidSet(1), "BODY.PEEK[]"), imap.Fetch(UidSet(2), "BODY.PEEK[]"),
    imap.Fetch(SequenceSet(1), "FLAGS"), imap.Search(search.ALL), imap.Close(),
    imap.Store(SequenceSet(1), Change.ADD, ("a",)), imap.Expunge(), imap.List(),
    imap.Authenticate("X"), imap.Authenticate.using(sasl.Plain("a", "b")),
    imap.Create("x"), imap.Move(UidSet(1), "b"), imap.Enable("X"), imap.Logout(),
]  # fmt: skip
VALUES = [
    imap.Done(),
    Chunk(b"a"),
    Chunk(b"abc"),
    End(),
    imap.Response(),
    imap.Cancel(),
]
SAID = [
    b"+ go", b"+ YQ==", b"+ ", b"* BYE x", b"* 5 EXISTS", b"* 1 EXPUNGE", b"* SEARCH 1",
    b"* 1 FETCH (BODY[] {2}\r\nab UID 1)", b"* 1 FETCH (UID 2 BODY[] {2}\r\nab)",
    b"* OK [CAPABILITY IMAP4rev1 MOVE AUTH=X] x", b"* 99999999999 EXISTS",
]  # fmt: skip
GREETINGS = [
    b"* OK [CAPABILITY AUTH=X AUTH=PLAIN SASL-IR IDLE] hi",
    b"* PREAUTH [CAPABILITY IMAP4rev1 IDLE LITERAL+ ENABLE MOVE] hi",
    b"* PREAUTH [CAPABILITY IMAP4rev1 IDLE] hi",
]
# What a server answers, and which of the commands on their way it is.
ANSWERS = st.tuples(st.sampled_from([b"OK", b"OK", b"NO", b"BAD"]), st.integers(0, 3))
STEPS = st.lists(
    st.one_of(
        st.sampled_from(COMMANDS),
        st.sampled_from(VALUES),
        st.sampled_from(SAID),
        ANSWERS,
    ),
    max_size=40,
)


class Walk:
    """Takes the steps, and looks at what is true after each."""

    def __init__(self, greeting: bytes) -> None:
        limits = imap.Limits(inline_literal=1, sasl_rounds=3)
        self.client = imap.Client(Security.CLEARTEXT, limits=limits)
        self.calls: list[Call[Any]] = []
        self.over: list[Call[Any]] = []
        self.hear(greeting)

    def hear(self, line: bytes) -> None:
        self.client.data_to_send()
        self.client.receive_data(line + b"\r\n")
        self.look()

    def look(self) -> None:
        client = self.client
        while not isinstance(event := client.next_event(), Signal | Closed):
            if isinstance(event, Completed):
                self.over.append(event.call)
            # What waits, waits for something.
            assert client._in_flight or not client._held

    def take(self, step: Any) -> None:
        match step:
            case bytes():
                self.hear(step)
            case (bytes() as condition, int() as which):
                tags = list(self.client._in_flight)
                if tags:
                    tag = tags[which % len(tags)].encode()
                    self.hear(tag + b" " + condition + b" x")
            case imap.ImapCommand():
                allowed = self.client.can_send(step).no is None
                try:
                    self.calls.append(self.client.send(step))
                except LocalProtocolError:
                    assert not allowed
                else:
                    assert allowed
                self.look()
            case _:
                try:
                    self.client.send(step)
                except LocalProtocolError:
                    return
                self.look()


@given(st.sampled_from(GREETINGS), STEPS)
@settings(max_examples=400)
def test_each_call_is_answered_once(greeting: bytes, steps: list[Any]) -> None:
    walk = Walk(greeting)
    try:
        for step in steps:
            walk.take(step)
        walk.hear(b"* BYE x")
    except RemoteProtocolError:
        assert len(set(walk.over)) == len(walk.over)
        return
    asked = [c for c in walk.calls if not isinstance(c.command, imap.Logout)]
    answered = [c for c in walk.over if not isinstance(c.command, imap.Logout)]
    assert len(answered) == len(asked)
    assert set(answered) == set(asked)
