"""Plays an SMTP transcript: our client says its ``C:``, our server its ``S:`` lines.

The client is told the command that a ``C:`` line stands for, and must write just that
line; the events that it makes of the ``S:`` lines are told to the server, and it must
write just those.  So each side is held to the text by what the other side understood.
"""

from __future__ import annotations

from collections import deque
from pathlib import Path
from typing import Any

from mailproto import (
    PAUSED,
    Bad,
    Chunk,
    Completed,
    End,
    GoAhead,
    LocalProtocolError,
    MailError,
    Part,
    Security,
    smtp,
)
from mailproto.testing import Cut, Step, events, read_transcript, whole

TRANSCRIPTS = sorted((Path(__file__).parent.parent / "transcripts/smtp").glob("*.txt"))


def read(path: Path) -> list[Step]:
    return read_transcript(path.read_text(encoding="utf-8"))


def dialect(steps: list[Step]) -> smtp.Dialect:
    lmtp = any(line.startswith(b"LHLO") for step in steps for line in step.lines)
    return smtp.LMTP if lmtp else smtp.SMTP


class Player:
    def __init__(
        self,
        client_cut: Cut = whole,
        server_cut: Cut = whole,
        dialect: smtp.Dialect = smtp.SMTP,
    ) -> None:
        self.client = smtp.Client(Security.CLEARTEXT, strict=True, dialect=dialect)
        self.server = smtp.Server(Security.CLEARTEXT, dialect=dialect)
        self.client_cut = client_cut  # of what the client receives
        self.server_cut = server_cut
        self.seen: list[Any] = []  # every event of the client
        self.heard: list[Any] = []  # every event of the server
        self._awaited: Any = None  # the GoAhead that waits for us

    def play(self, steps: list[Step]) -> tuple[list[Any], list[Any]]:
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
        self._hear()
        assert self.client.buffered == self.server.buffered == 0
        return plain(self.seen), plain(self.heard)

    # -- the client ------------------------------------------------------------

    def _client_says(self, step: Step) -> None:
        lines = deque(step.lines)
        while lines:
            self._say(lines)
        assert b"".join(self.client.data_to_send()) == step.data
        for piece in self.server_cut(step.data):
            self.server.receive_data(piece)

    def _say(self, lines: deque[bytes]) -> None:
        """Send what the first of *lines* stands for, and what belongs to it."""
        awaited, self._awaited = self._awaited, None
        if isinstance(getattr(awaited, "command", None), smtp.Data):
            text = b""
            while (line := lines.popleft()) != b".":
                text += line.removeprefix(b".") + b"\r\n"
            self.client.send(Chunk(text))
            self.client.send(End())
            return
        line = lines.popleft()
        if awaited is not None:
            turn = smtp.Cancel() if line == b"*" else smtp.Response.read(line)
            self.client.send(turn)
            return
        command = self._command(line)
        if isinstance(command, smtp.Bdat):
            data = b""
            while len(data) < command.size:
                data += lines.popleft() + b"\r\n"
            command = smtp.Bdat.of(data, last=command.last)
        self.client.send(command)

    def _command(self, line: bytes) -> Any:
        verb, _, argument = line.partition(b" ")
        return self.client.dialect.verbs[verb].read(argument)

    def _foreigner_says(self, step: Step) -> None:
        (line,) = step.lines
        try:
            self.client.send(self._command(line))
        except (LocalProtocolError, ValueError, KeyError):
            self._awaited = "what the foreigner said"
        assert self._awaited is not None
        self.server.receive_data(step.data)

    # -- the server ------------------------------------------------------------

    def _hear(self) -> None:
        """Take what the server makes of what came, up to where it must answer."""
        while not isinstance(event := self.server.next_event(), type(PAUSED)):
            self.heard.append(event)
            if type(event).__name__ == "Closed":
                return

    def _server_says(self, step: Step) -> None:
        if isinstance(self._awaited, str):
            self._awaited = None
            self._hear()
            assert isinstance(self.heard[-1], Bad)
            answer = smtp.Reply.read(*step.lines)
            hint = self.heard[-1].hint
            assert (answer.code, answer.enhanced) == (hint.code, hint.enhanced)
            self.server.send(answer)
            assert b"".join(self.server.data_to_send()) == step.data
            return
        for piece in self.client_cut(step.data):
            self.client.receive_data(piece)
            for event in events(self.client):
                assert not isinstance(event, MailError), event
                self.seen.append(event)
                self._answer(event)
        said = b"".join(self.server.data_to_send())
        assert said == step.data or self.client.tls_due

    def _answer(self, event: Any) -> None:
        """Let the server say what the client heard."""
        self._hear()
        match event:
            case smtp.Greeting():
                self.server.send(event)
            case GoAhead(call=call, data=data):
                self._awaited = call
                if isinstance(call.command, smtp.Data):
                    self.server.send(smtp.Reply(354, data.decode()))
                else:
                    self.server.send(smtp.Challenge(data))
            case Part(value=smtp.Delivery(reply=reply)):
                self.server.send(reply)
            case Completed(answer=smtp.Deliveries()):
                pass
            case Completed(answer=answer):
                self.server.send(answer)
            case _:
                raise AssertionError(event)

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
            case GoAhead(call=call, data=data):
                out.append((call.command, data))
            case Part(call=call, value=value):
                out.append((call.command, value))
            case Completed(call=call, answer=answer):
                out.append((call.command, answer))
            case _:
                out.append(event)
    return out
