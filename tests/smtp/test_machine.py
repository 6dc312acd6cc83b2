"""Our client against our server, in memory: whatever both do, they agree.

Rules send commands, carry some bytes, and answer what was asked, well or not.  What
must hold: every question gets the answer that was given to it, a message arrives as it
was sent or not at all, and whenever nothing is on its way both ends are in the same
state.
"""

from __future__ import annotations

from collections import deque
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from mailproto import (
    Bad,
    Call,
    Chunk,
    Closed,
    Completed,
    End,
    GoAhead,
    LocalProtocolError,
    Part,
    RemoteProtocolError,
    Security,
    smtp,
)
from mailproto._connection import Signal
from mailproto.smtp import Bdat, Data, EhloData, Extension, Mail, Rcpt, Reply, State

TEXTS = [b"", b"a\r\n", b".", b"..\r\n.\r\nMAIL FROM:<>\r\n", b"x" * 300 + b"\r\n.y"]
OFFERS = [
    ("PIPELINING", "CHUNKING", "SIZE 1000", "AUTH PLAIN", "XCLIENT NAME", "STARTTLS"),
    ("PIPELINING", "ENHANCEDSTATUSCODES", "CHUNKING"),
    ("CHUNKING", "AUTH PLAIN", "STARTTLS"),
    (),
]
COMMANDS = [
    Mail("ann@example.org"), Mail("", smtp.Size(10)), Rcpt("bob@example.org"),
    Rcpt("Postmaster"), smtp.Rset(), smtp.Noop(), smtp.Expn("list"), smtp.StartTls(),
    smtp.Auth("PLAIN", b"x"), smtp.Xclient.of(NAME="x"), smtp.Quit(),
]  # fmt: skip


class Conversation(RuleBasedStateMachine):
    dialect = smtp.SMTP

    def __init__(self) -> None:
        super().__init__()
        many = 10_000
        limits = smtp.Limits(
            junk_commands=many, bad_commands=many, failed_logins=many, chunks=many
        )
        security, dialect = Security.CLEARTEXT, self.dialect
        self.client = smtp.Client(security, dialect=dialect)
        self.server = smtp.Server(security, dialect=dialect, limits=limits)
        self.wires: dict[str, bytearray] = {"C": bytearray(), "S": bytearray()}
        self.sent: deque[Call[Any]] = deque()
        self.given: deque[int | None] = deque()  # codes; None: one for each recipient
        self.asked: Any = None  # what the server is to answer now
        self.texts: list[bytes] = []  # of every message and chunk, by number
        self.left: bytes | None = None  # what is to be handed over now
        self.heard = b""
        self.dropped = False
        self.server.send(smtp.Greeting("mx.example.org"))

    def text(self, text: bytes) -> bytes:
        """*text* with a number of its own, so that it is known again."""
        text = b".%d:" % len(self.texts) + text
        self.texts.append(text)
        return text

    # -- the client ------------------------------------------------------------

    def send(self, command: smtp.SmtpCommand[Any]) -> None:
        try:
            self.sent.append(self.client.send(command))
        except (LocalProtocolError, RemoteProtocolError):
            return

    @rule(command=st.sampled_from(COMMANDS))
    def says(self, command: Any) -> None:
        self.send(command)

    @rule()
    def says_hello(self) -> None:
        self.send((smtp.Lhlo if self.dialect.lmtp else smtp.Ehlo)("a.example"))

    @rule(text=st.sampled_from(TEXTS))
    def says_all_at_once(self, text: bytes) -> None:
        for command in COMMANDS[0], COMMANDS[2], COMMANDS[3], Data(self.text(text)):
            self.send(command)

    @rule(text=st.none() | st.sampled_from(TEXTS))
    def says_data(self, text: bytes | None) -> None:
        self.send(Data(None if text is None else self.text(text)))

    @rule(text=st.sampled_from(TEXTS), last=st.booleans(), by_hand=st.booleans())
    def says_chunk(self, text: bytes, last: bool, by_hand: bool) -> None:
        text = self.text(text)
        self.send(Bdat(len(text), last) if by_hand else Bdat.of(text, last=last))

    @precondition(lambda self: self.left is not None)
    @rule(size=st.integers(1, 400))
    def hands_over(self, size: int) -> None:
        assert self.left is not None
        try:
            self.client.send(Chunk(self.left[:size]))
            self.left = self.left[size:]
            if not self.left:
                self.left = None
                self.client.send(End())
        except (LocalProtocolError, RemoteProtocolError):
            assert self.client.state is State.CLOSED
            self.left = None

    # -- the server ------------------------------------------------------------

    @precondition(lambda self: self.asked is not None)
    @rule(
        code=st.sampled_from([250, 250, 250, 250, 451, 550]),
        offer=st.sampled_from(OFFERS),
        rare=st.integers(0, 30),
    )
    def answers(self, code: int, offer: tuple[str, ...], rare: int) -> None:
        answer: Any = Reply(421 if rare == 0 else code, "x")
        match self.asked:
            case _ if rare == 0:
                pass
            case Bad(hint=hint):
                answer = hint
            case smtp.Ehlo() | smtp.Lhlo() if code == 250:
                lines = [x for x in offer if x != "STARTTLS" or not self.server.tls]
                answer = EhloData("mx.example.org", tuple(map(Extension.read, lines)))
            case Data() if code == 250:
                answer = Reply(354, "go")
            case smtp.StartTls() | smtp.Xclient() if code == 250:
                answer = Reply(220, "x")
        self.server.send(answer)
        each = isinstance(self.asked, End) and self.part_ends_message
        if isinstance(answer, Reply) and answer.code in (354, 421):
            self.asked = None
            return
        if self.server._asked is None:  # in LMTP, more answers may be due
            lmtp = self.dialect.lmtp and self.part_ends_message
            ended = isinstance(self.asked, End) or self.bad_part
            self.asked = None
            self.bad_part = False
            self.given.append(None if lmtp and ended else getattr(answer, "code", 250))
        assert each or self.asked is None

    bad_part = False
    part_ends_message = False

    # -- the wire --------------------------------------------------------------

    @rule(size=st.integers(1, 60), side=st.sampled_from("CS"))
    def carries_some(self, size: int, side: str) -> None:
        client, server = self.client, self.server
        source, target = (client, server) if side == "C" else (server, client)
        wire = self.wires[side]
        wire += b"".join(source.data_to_send())
        if wire and not self.dropped:
            target.receive_data(bytes(wire[:size]))
        del wire[:size]
        self.read()

    @rule()
    def carries_all(self) -> None:
        self.carries_some(100_000, "C")
        self.carries_some(100_000, "S")

    @precondition(lambda self: not self.dropped)
    @rule(side=st.sampled_from("CS"), often=st.integers(0, 9))
    def drops(self, side: str, often: int) -> None:
        if not often:
            self.dropped = True
            self.client.receive_data(b"")
            self.server.receive_data(b"")
            self.read()

    def read(self) -> None:
        while (event := self.next(self.client)) is not None:
            self.client_reads(event)
        while self.asked is None and (event := self.next(self.server)) is not None:
            self.server_reads(event)
        quiet = not any(self.wires.values()) and not self.server._out
        if self.client.tls_due and self.server.tls_due and quiet:
            self.client.tls_started()
            self.server.tls_started()
            self.read()

    def next(self, conn: Any) -> Any:
        """The next event, if there is one that matters."""
        try:
            event = conn.next_event()
        except RemoteProtocolError:
            assert self.dropped or self.closed
            return None
        return None if isinstance(event, Signal | Closed) else event

    def client_reads(self, event: Any) -> None:
        match event:
            case GoAhead(call=call):
                if isinstance(call.command, Bdat):
                    sized = [x for x in self.texts if len(x) == call.command.size]
                    self.left = sized[-1]
                else:
                    self.left = self.text(b"by hand\r\n")
            case Part(call=call):
                assert call is self.sent[0]
            case Completed(call=call, answer=answer):
                assert call is self.sent.popleft()
                self.check_answer(call.command, answer)

    def check_answer(self, command: Any, answer: Any) -> None:
        last = answer.replies[-1:] if isinstance(answer, smtp.Deliveries) else [answer]
        if any(isinstance(each, Reply) and each.code == 421 for each in last):
            assert self.client.state is State.CLOSED
        elif not self.given:
            assert isinstance(command, Bdat)  # it was not said at all
        elif isinstance(answer, smtp.Deliveries):
            assert self.given.popleft() is None
        else:
            assert self.given.popleft() == getattr(answer, "code", 250)

    def server_reads(self, event: Any) -> None:
        match event:
            case Chunk(data=data):
                self.heard += data
            case Bdat():
                self.part_ends_message = event.last
            case _:
                self.asked = event
                if isinstance(event, Data):
                    self.part_ends_message = True
                if isinstance(event, End):
                    self.arrived()

    def arrived(self) -> None:
        heard, self.heard = self.heard, b""
        if heard:  # but for the lone dot, the message to nobody
            number = int(heard[1 : heard.index(b":")])
            assert heard in (self.texts[number], self.texts[number] + b"\r\n")

    # -- what holds ------------------------------------------------------------

    @property
    def closed(self) -> bool:
        return State.CLOSED in (self.client.state, self.server.state)

    @invariant()
    def at_rest_both_are_in_the_same_state(self) -> None:
        busy = self.sent or self.asked or any(self.wires.values())
        if busy or self.dropped or self.closed or self.server._out:
            return
        if self.client.greeting is None:
            return
        assert self.client.state is self.server.state
        assert self.client.authenticated == self.server.authenticated
        assert self.client.capabilities == self.server.capabilities


class LmtpConversation(Conversation):
    dialect = smtp.LMTP


TestSmtp = Conversation.TestCase
TestLmtp = LmtpConversation.TestCase
TestSmtp.settings = TestLmtp.settings = settings(
    max_examples=100, stateful_step_count=50
)
