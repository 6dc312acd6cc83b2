"""Our client against our server in memory: a model knows what each must see.

The wire delivers as many bytes at a time as Hypothesis likes, the server refuses
when it likes, TLS starts, somebody hangs up.  Whatever happens, an answer belongs to
the command that asked for it, and messages are deleted by a QUIT or not at all.
"""

from __future__ import annotations

from collections import deque
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from mailproto import (
    Bad,
    Call,
    Chunk,
    Closed,
    CommandFailed,
    End,
    LimitExceeded,
    LocalProtocolError,
    RemoteProtocolError,
    Security,
    pop3,
    sasl,
)
from mailproto._connection import Signal
from mailproto.pop3 import Reply, State
from tests.messages import MESSAGES

SMALL = [m for m in MESSAGES.values() if len(m) < 1000][:4]
NUMBERS = st.integers(1, len(SMALL) + 1)
COMMANDS = st.one_of(
    st.sampled_from(
        [pop3.Stat(), pop3.List(), pop3.Uidl(), pop3.Noop(), pop3.Rset(), pop3.Capa(),
         pop3.User("ann"), pop3.Pass("secret"), pop3.Pass("wrong"), pop3.Utf8(),
         pop3.Auth.using(sasl.Plain("ann", "secret")),
         pop3.Auth.using(sasl.Login("ann", "wrong")), pop3.Lang(), pop3.Lang("*")]
    ),
    st.builds(pop3.Retr, NUMBERS),
    st.builds(pop3.Dele, NUMBERS),
    st.builds(pop3.Top, NUMBERS, st.integers(0, 3)),
    st.builds(pop3.List, NUMBERS),
    st.builds(pop3.Uidl, NUMBERS),
)  # fmt: skip


class Maildrop:
    """The application behind the server, and the model of what it holds."""

    def __init__(self) -> None:
        self.messages = dict(enumerate(SMALL, 1))
        self.marked: set[int] = set()
        self.exchange: deque[bytes] = deque()

    def there(self, number: int) -> bool:
        return number in self.messages and number not in self.marked

    def answer(self, event: Any, state: State) -> tuple[list[Any], Any]:
        """What to send, and what the client's result must be (``None``: refused)."""
        left: dict[int, bytes] = {
            i: m for i, m in self.messages.items() if i not in self.marked
        }
        match event:
            case pop3.User():
                return [Reply(True)], "done"
            case pop3.Pass(password=password):
                ok = password == "secret"
                return [Reply(ok)], "done" if ok else None
            case pop3.Stat():
                data = pop3.StatData(len(left), sum(map(len, left.values())))
                return [data], data
            case pop3.List(number=None):
                lines = [pop3.Listing(i, len(m)) for i, m in left.items()]
                return [Reply(True), *lines, End()], lines
            case pop3.Uidl(number=None):
                names = [pop3.UniqueId(i, f"uid-{i}") for i in left]
                return [Reply(True), *names, End()], names
            case pop3.Capa():
                caps = [pop3.Capability("PIPELINING"), pop3.Capability("UIDL")]
                return [Reply(True), *caps, End()], pop3.Capabilities(caps)
            case pop3.Lang(tag=None):
                return [Reply(True), End()], []
            case pop3.Lang():
                language = pop3.Language("en", "English")
                return [language], [language]
            case pop3.Noop() | pop3.Utf8() | pop3.Stls():
                return [Reply(True)], "done"
            case pop3.Rset():
                self.marked.clear()
                return [Reply(True)], "done"
            case pop3.Quit():
                if state is State.UPDATE:
                    for marked in self.marked:
                        del self.messages[marked]
                return [Reply(True)], "done"
        number: int = event.number
        if not self.there(number):
            return [Reply(False, "no such message")], None
        message = self.messages[number]
        match event:
            case pop3.List():
                entry = pop3.Listing(number, len(message))
                return [entry], [entry]
            case pop3.Uidl():
                unique = pop3.UniqueId(number, f"uid-{number}")
                return [unique], [unique]
            case pop3.Dele():
                self.marked.add(number)
                return [Reply(True)], "done"
        cut = len(message) // 2
        chunks = [Chunk(part) for part in (message[:cut], message[cut:]) if part]
        return [Reply(True), *chunks, End()], message


class Conversation(RuleBasedStateMachine):
    @initialize(
        security=st.sampled_from([Security.CLEARTEXT, Security.STARTTLS]),
        granted=st.integers(0, 5),
    )
    def greet(self, security: Security, granted: int) -> None:
        self.client = pop3.Client(security, strict=True)
        self.server = pop3.Server(
            security, limits=pop3.Limits(failed_logins=3, bad_commands=1000)
        )
        self.drop = Maildrop()
        self.initial = dict(self.drop.messages)
        self.expected: deque[Any] = deque()  # what the answers were, in order
        self.sent: deque[Call[Any]] = deque()  # what they belong to
        self.wire = {"C": b"", "S": b""}
        self.over = False
        self.committed = False
        self.tired = True
        self.server.send(pop3.Greeting("ready"))
        self.flush()

    def flush(self) -> None:
        self.wire["C"] += b"".join(self.client.data_to_send())
        self.wire["S"] += b"".join(self.server.data_to_send())

    @precondition(lambda self: not self.over)
    @rule(command=COMMANDS)
    def say(self, command: Any) -> None:
        state = self.client.state
        try:
            self.sent.append(self.client.send(command))
        except LocalProtocolError:
            assert self.client.data_to_send() == []
            assert self.client.state is state
        self.flush()

    @precondition(lambda self: not self.over)
    @rule()
    def log_in(self) -> None:
        if self.client.state is State.AUTHORIZATION and not self.sent:
            self.say(pop3.Capa())
            self.say(pop3.User("ann"))
            self.say(pop3.Pass("secret"))

    @precondition(lambda self: not self.over)
    @rule()
    def start_tls(self) -> None:
        self.say(pop3.Stls())

    @precondition(lambda self: not self.over)
    @rule()
    def quit(self) -> None:
        self.say(pop3.Quit())

    @precondition(lambda self: not self.over)
    @rule(size=st.integers(1, 100), refuse=st.booleans())
    def deliver_to_server(self, size: int, refuse: bool) -> None:
        data, self.wire["C"] = self.wire["C"][:size], self.wire["C"][size:]
        if data:
            self.server.receive_data(data)
        self.serve(refuse)

    def serve(self, refuse: bool) -> None:
        while True:
            try:
                event = self.server.next_event()
            except LimitExceeded as reached:
                self.tired = reached.limit == "failed_logins"
                self.hang_up()
                return
            if isinstance(event, Signal | Closed):
                break
            self.answer(event, refuse)
        self.flush()

    def answer(self, event: Any, refuse: bool) -> None:
        if isinstance(event, Bad):  # what was on its way behind a refusal
            self.server.send(event.hint)
            self.expected.append(None)
            return
        if isinstance(event, pop3.Auth | pop3.Response | pop3.Cancel):
            self.answer_login(event)
            return
        may_refuse = not isinstance(event, pop3.Quit | pop3.Pass)
        if refuse and may_refuse:
            self.server.send(Reply(False, "the server is in no mood"))
            self.expected.append(None)
            return
        self.committed |= (
            isinstance(event, pop3.Quit) and self.server.state is State.UPDATE
        )
        values, result = self.drop.answer(event, self.server.state)
        for value in values:
            self.server.send(value)
        self.expected.append(result)

    def answer_login(self, event: Any) -> None:
        match event:
            case pop3.Auth(mechanism="PLAIN", initial=initial):
                ok = initial == b"\0ann\0secret"
            case pop3.Auth():
                self.drop.exchange = deque([b"Password:"])
                self.server.send(pop3.Challenge(b"User Name"))
                return
            case pop3.Response() if self.drop.exchange:
                self.server.send(pop3.Challenge(self.drop.exchange.popleft()))
                return
            case _:
                ok = event == pop3.Response(b"secret")
        self.server.send(Reply(ok))
        self.expected.append("done" if ok else None)

    @precondition(lambda self: not self.over)
    @rule(size=st.integers(1, 200))
    def deliver_to_client(self, size: int) -> None:
        data, self.wire["S"] = self.wire["S"][:size], self.wire["S"][size:]
        if data:
            self.client.receive_data(data)
        self.take()

    def take(self) -> None:
        while not isinstance(event := self.client.next_event(), Signal):
            if isinstance(event, pop3.Greeting):
                continue
            call = self.sent[0]
            assert call.feed(event), "an answer to something else"
            if call.done:
                self.check(self.sent.popleft(), self.expected.popleft())
        self.flush()

    def check(self, call: Call[Any], expected: Any) -> None:
        try:
            result = call.result()
        except CommandFailed:
            assert expected is None
            return
        if isinstance(call.command, pop3.Top):
            assert expected.startswith(result) or result == expected
        else:
            assert result == (None if expected == "done" else expected)

    @precondition(lambda self: not self.over)
    @rule()
    def shake_hands(self) -> None:
        if self.client.tls_due and self.server.tls_due:
            assert self.wire == {"C": b"", "S": b""}
            assert self.client.buffered == self.server.buffered == 0
            self.client.tls_started()
            self.server.tls_started()
            self.take()

    @precondition(lambda self: not self.over)
    @rule()
    def hang_up(self) -> None:
        """The wire is cut; what is on it is lost."""
        self.over = True
        for conn in (self.client, self.server):
            conn.receive_data(b"")
            try:
                while not isinstance(conn.next_event(), Signal | Closed):
                    pass
            except RemoteProtocolError:
                pass

    @precondition(lambda self: self.over)
    @rule()
    def nothing_more(self) -> None:
        """After the end there is nothing left to do."""

    @invariant()
    def messages_are_deleted_by_quit_alone(self) -> None:
        if hasattr(self, "drop") and not self.committed:
            assert self.drop.messages == self.initial

    @invariant()
    def the_server_hangs_up_for_one_reason(self) -> None:
        assert getattr(self, "tired", True)

    @invariant()
    def the_server_is_never_behind(self) -> None:
        if not hasattr(self, "client") or self.over:
            return
        assert len(self.expected) <= len(self.sent)
        if not self.sent and not self.wire["S"]:
            assert self.client.state is self.server.state
            assert self.client.utf8 == self.server.utf8


Conversation.TestCase.settings = settings(
    max_examples=100, stateful_step_count=40, deadline=None
)
TestConversation = Conversation.TestCase
