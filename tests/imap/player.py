"""Plays an IMAP transcript: our client says its ``C:``, our server its ``S:`` lines.

The client is told the command that its lines stand for, and must write just those
lines; the events that it makes of the ``S:`` lines are told to the server, and it must
write just those.  So each side is held to the text by what the other side understood.
"""

from __future__ import annotations

import re
from itertools import chain
from pathlib import Path
from typing import Any

from mailproto import (
    Bad,
    Chunk,
    Closed,
    Completed,
    End,
    GoAhead,
    MailError,
    Security,
    imap,
)
from mailproto._connection import Signal
from mailproto.imap import Append, Cursor, Streamed
from mailproto.testing import Cut, Step, events, read_transcript, whole

TRANSCRIPTS = sorted((Path(__file__).parent.parent / "transcripts/imap").glob("*.txt"))


def read(path: Path) -> list[Step]:
    return read_transcript(path.read_text(encoding="utf-8"))


def take_unit(data: bytes, at: int) -> int:
    """Where the command that begins at *at* ends, its literals included."""
    while True:
        end = data.index(b"\r\n", at) + 2
        literal = re.search(rb"\{([0-9]+)\+?\}\r\n\Z", data[at:end])
        if literal is None:
            return end
        at = end + int(literal[1])
        if at > len(data):  # it is refused, and not sent
            return end


class Player:
    def __init__(
        self, steps: list[Step], client_cut: Cut = whole, server_cut: Cut = whole
    ) -> None:
        self.steps = steps
        said = b"".join(step.data for step in steps if step.side == "S")
        names = re.findall(rb"CAPABILITY ([^]\r]*)", said)
        offer = dict.fromkeys(chain.from_iterable(n.decode().split() for n in names))
        self._spoken = b"".join(step.data for step in steps if step.side == "C")
        tags = re.findall(rb"^(\w+) (?:OK|NO|BAD)", said, re.MULTILINE)
        tags += [b"A006"]  # of an IDLE that is never answered
        self.client = imap.Client(
            Security.CLEARTEXT, strict=True, tags=[tag.decode() for tag in tags]
        )
        self.server = imap.Server(
            Security.CLEARTEXT,
            offer=imap.Capabilities(*(offer or ["IMAP4rev1"])),
        )
        self.client_cut = client_cut  # of what the client receives
        self.server_cut = server_cut
        self.seen: list[Any] = []  # every event of the client
        self.heard: list[Any] = []  # every event of the server
        self._sent = 0  # octets of what is spoken that were told to the client
        self._target = 0  # octets of it up to here
        self._awaited: Any = None  # the GoAhead that waits for us
        self._message = b""  # that goes in chunks
        self._asked: imap.Tagged | None = None
        self._foreign = False

    def play(self) -> tuple[list[Any], list[Any]]:
        for step in self.steps:
            match step.side:
                case "C":
                    self._client_says(step)
                case "X":
                    self._foreign = True
                    self.server.receive_data(step.data)
                case "S":
                    self._server_says(step)
                case "TLS":
                    self._handshake()
        self._hear()
        assert self.client.buffered == self.server.buffered == 0
        return plain(self.seen), plain(self.heard)

    # -- the client ------------------------------------------------------------

    def _client_says(self, step: Step) -> None:
        self._target += len(step.data)
        if self._message:
            self.client.send(Chunk(self._message[:100]))
            self.client.send(Chunk(self._message[100:]))
            self.client.send(End())
            self._message = b""
        while self._sent < self._target:
            self._say()
        assert b"".join(self.client.data_to_send()) == step.data
        for piece in self.server_cut(step.data):
            self.server.receive_data(piece)
            if self.server_cut is not whole:
                self._hear()

    def _say(self) -> None:
        """Send the next thing that is spoken, as a value."""
        awaited, self._awaited = self._awaited, None
        start = self._sent
        self._sent = take_unit(self._spoken, start)
        line = self._spoken[start : self._sent - 2]
        if isinstance(awaited, imap.Authenticate):
            turn = imap.Cancel() if line == b"*" else imap.Response.read(line)
            self.client.send(turn)
            return
        if line == b"DONE":
            self.client.send(imap.Done())
            return
        line = line[line.index(b" ") + 1 :]
        if line.endswith(b"}"):
            line += b"\r\n"
        cursor = Cursor(line, holes=(len(line),))
        command = imap.read_command(cursor, imap.IMAP4REV1.verbs)
        if isinstance(command, Append) and isinstance(command.message, bytes):
            self._message = command.message
            size = Streamed(len(self._message))
            command = Append(command.mailbox, size, command.flags, command.date)
        self.client.send(command)
        if self._message and isinstance(command, Append):
            for event in events(self.client):  # LITERAL+: nobody is asked
                assert isinstance(event, GoAhead)
                self.client.send(Chunk(self._message))
                self.client.send(End())
                self._message = b""

    # -- the server ------------------------------------------------------------

    def _hear(self) -> None:
        """Take what the server makes of what came, up to where it must answer."""
        while not self.server._to_ask:
            event = self.server.next_event()
            if isinstance(event, Signal):
                return
            self.heard.append(event)
            if isinstance(event, imap.Tagged):
                self._asked = event
            if isinstance(event, Closed):
                return

    def _server_says(self, step: Step) -> None:
        self._hear()
        if self._foreign:
            self._foreign = False
            bad = self.heard[-1]
            assert isinstance(bad, Bad)
            self.server.send(bad.hint)
            said = b"".join(self.server.data_to_send())
            assert said[:8] == step.data[:8]  # its words are its own
            return
        for piece in self.client_cut(step.data):
            self.client.receive_data(piece)
            for event in events(self.client):
                assert not isinstance(event, MailError), event
                self.seen.append(event)
                self._answer(event)
        if self.server._to_ask and b"+ " in step.data:
            self.server.send(imap.Continue(step.lines[-1][2:].decode()))
        self._hear()
        said = b"".join(self.server.data_to_send())
        assert said == step.data or self.client.tls_due

    def _answer(self, event: Any) -> None:
        """Let the server say what the client heard."""
        match event:
            case Chunk():
                pass
            case GoAhead(call=call, data=data):
                self._awaited = call.command
                if isinstance(call.command, imap.Authenticate):
                    self.server.send(imap.Challenge(data))
                else:
                    self.server.send(imap.Continue(data.decode()))
            case Completed(answer=answer):
                self._message = b""
                if isinstance(bad := self.heard[-1], Bad):
                    self.server.send(bad.hint)
                else:
                    assert self._asked is not None
                    self.server.send(self._asked.answer(answer))
            case _:
                self.server.send(event)

    def _handshake(self) -> None:
        assert self.client.tls_due
        self.client.tls_started()
        (done,) = events(self.client)
        self.seen.append(done)
        self._answer(done)
        assert self.server.tls_due
        self.server.data_to_send()
        self.server.tls_started()


def plain(got: list[Any]) -> list[Any]:
    """Events as values that compare; chunks that follow each other are one."""
    out: list[Any] = []
    for event in got:
        match event:
            case Chunk(data=data):
                if out and isinstance(out[-1], bytes):
                    out[-1] += data
                else:
                    out.append(data)
            case imap.Malformed(raw=raw, error=error):
                out.append((raw, str(error)))
            case GoAhead(call=call, data=data):
                out.append((call.command, data))
            case Completed(call=call, answer=answer):
                out.append((call.command, answer))
            case _:
                out.append(event)
    return out
