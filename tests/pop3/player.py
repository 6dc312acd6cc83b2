"""Plays a POP3 transcript: our client says its ``C:``, our server its ``S:`` lines.

The client is told the command that a ``C:`` line stands for, and must write just that
line; the events that it makes of the ``S:`` lines are told to the server, and it must
write just those.  So each side is held to the text by what the other side understood.
"""

from __future__ import annotations

from collections import deque
from pathlib import Path
from typing import Any

from mailproto import (
    Bad,
    Chunk,
    Completed,
    End,
    GoAhead,
    Lines,
    LocalProtocolError,
    MailError,
    Part,
    Security,
    pop3,
)
from mailproto.testing import Cut, Step, events, read_transcript, whole

TRANSCRIPTS = sorted((Path(__file__).parent.parent / "transcripts/pop3").glob("*.txt"))


def read(path: Path) -> list[Step]:
    return read_transcript(path.read_text(encoding="utf-8"))


class Player:
    def __init__(self, client_cut: Cut = whole, server_cut: Cut = whole) -> None:
        self.client = pop3.Client(Security.CLEARTEXT, strict=True)
        self.server = pop3.Server(Security.CLEARTEXT)
        self.client_cut = client_cut  # of what the client receives
        self.server_cut = server_cut
        self.seen: list[Any] = []  # every event of the client, chunks joined
        self._asked: deque[Any] = deque()  # what the server must be handed next
        self._foreign = False  # the last C: line was none of ours

    def play(self, steps: list[Step]) -> list[Any]:
        for step in steps:
            match step.side:
                case "C":
                    self._client_says(step)
                case "X":
                    self._foreigner_says(step)
                case "S":
                    self._server_says(step)
                case "TLS":
                    self._handshake()
        assert not self._asked
        assert self.client.buffered == self.server.buffered == 0
        return self.seen

    def _client_says(self, step: Step) -> None:
        for line in step.lines:
            value = self._value(line)
            self.client.send(value)
            self._asked.append(value)
        assert b"".join(self.client.data_to_send()) == step.data
        for piece in self.server_cut(step.data):
            self.server.receive_data(piece)
        self._foreign = False

    def _value(self, line: bytes) -> Any:
        """What to send, that *line* comes out."""
        if self.seen and isinstance(self.seen[-1], GoAhead):
            return pop3.Cancel() if line == b"*" else pop3.Response.read(line)
        verb, _, argument = line.partition(b" ")
        return self.client.dialect.verbs[verb].read(argument)

    def _foreigner_says(self, step: Step) -> None:
        (line,) = step.lines
        try:
            self.client.send(self._value(line))
        except LocalProtocolError:
            self._foreign = True
        assert self._foreign
        self.server.receive_data(step.data)

    def _server_says(self, step: Step) -> None:
        if self._foreign:
            (line,) = step.lines
            assert isinstance(self.server.next_event(), Bad)
            self.server.send(pop3.Reply.read(line))
            assert b"".join(self.server.data_to_send()) == step.data
            return
        for piece in self.client_cut(step.data):
            self.client.receive_data(piece)
            self._take(events(self.client))
        said = b"".join(self.server.data_to_send())
        assert said == step.data or self.client.tls_due

    def _handshake(self) -> None:
        assert self.client.tls_due
        self.client.tls_started()
        (done,) = events(self.client)
        assert self.server.next_event() == self._asked.popleft()
        self.server.send(done.answer)
        assert self.server.tls_due
        self.server.data_to_send()
        self.server.tls_started()
        self.seen.append(done)

    def _take(self, got: list[Any]) -> None:
        for event in got:
            assert not isinstance(event, MailError), event
            match event:
                case Part(call=call, value=value):
                    last = self.seen[-1] if self.seen else None
                    if isinstance(last, Part) and last.call is call:
                        self.seen[-1] = Part(call, joined(last.value, value))
                        continue
                case pop3.Greeting():
                    self.server.send(event)
                case GoAhead():
                    assert self.server.next_event() == self._asked.popleft()
                    self.server.send(pop3.Challenge(event.data))
                case Completed(call=call, answer=answer):
                    self._answer(call, answer)
            self.seen.append(event)

    def _answer(self, call: Any, answer: pop3.Reply) -> None:
        assert self.server.next_event() == self._asked.popleft()
        self.server.send(answer)
        if answer.ok and call.command.shape is not pop3.Shape.SINGLE:
            for event in self.seen:
                if isinstance(event, Part) and event.call is call:
                    self.server.send(event.value)
            self.server.send(End())


def joined(first: Any, second: Any) -> Chunk | Lines[Any]:
    """Where a message or a list is cut means nothing."""
    if isinstance(first, Chunk):
        return Chunk(first.data + second.data)
    return Lines(first.values + second.values)


def plain(seen: list[Any]) -> list[Any]:
    """Events as values that compare: a call is its command."""
    return [
        (
            type(event),
            event.call.command,
            getattr(event, "value", None)
            or getattr(event, "answer", None)
            or getattr(event, "data", None),
        )
        if hasattr(event, "call")
        else event
        for event in seen
    ]
