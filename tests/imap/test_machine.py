"""Two clients, two servers, one mailbox, in memory: whatever they do, they agree.

Rules send commands, carry some bytes, answer what was asked, well or not, and let
other agents change the mailbox.  What must hold (RFC 3501 5.2, 5.5, 7.4.1): every
command gets the answer that was given to it; a message arrives as it was sent or not
at all; a number means the same message to the client that says it and to the server
that hears it; and whenever nothing is on its way both ends believe the same.
"""

from __future__ import annotations

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
    Completed,
    End,
    GoAhead,
    LocalProtocolError,
    RemoteProtocolError,
    Security,
)
from mailproto._connection import Signal
from mailproto.imap import (
    Append,
    Capabilities,
    Capability,
    Change,
    Client,
    Close,
    Code,
    Condition,
    Continue,
    Copy,
    Done,
    Examine,
    Exists,
    Expunge,
    Expunged,
    Fetch,
    FetchData,
    Greeting,
    Idle,
    Limits,
    List,
    ListData,
    Login,
    Logout,
    Noop,
    Reply,
    Search,
    SearchData,
    Select,
    SequenceSet,
    Server,
    State,
    Store,
    Streamed,
    Tagged,
    UidSet,
    Unselect,
    Updates,
    search,
)

OFFERS = [
    ("IMAP4rev1", "IDLE", "UNSELECT"),
    ("IMAP4rev1", "IDLE", "LITERAL+", "UNSELECT"),
    ("IMAP4rev1", "IDLE", "LITERAL-", "UNSELECT"),
]
COMMANDS = [
    Noop(), Capability(), Login("a", "b"), Login("ä", "ö"), List(), List("", "ä" * 300),
    Select("INBOX"), Examine("INBOX"), Close(), Unselect(), Idle(), Expunge(),
    Search(search.SEEN), Search(search.SEEN, uid=True), Copy(SequenceSet("1:*"), "x"),
    Fetch(UidSet("1:*"), "FLAGS"), Store(UidSet("2:*"), Change.ADD, ("\\Deleted",)),
    Logout(),
]  # fmt: skip
TEXTS = [b"", b"x", b"a1 LOGOUT\r\n", b"{3}\r\n", b"y" * 5000]


class Told(Updates):
    """Updates that note which messages each EXISTS was about."""

    def __init__(self, uids: list[int], noted: list[list[int]]) -> None:
        super().__init__(uids)
        self.noted = noted

    def take(self, *, expunges: bool = True) -> list[Any]:
        said = super().take(expunges=expunges)
        if any(isinstance(event, Exists) for event in said):
            self.noted.append(self.known())
        return said

    def known(self) -> list[int]:
        found = [self.uid(n) for n in range(1, len(self) + 1)]
        return [uid for uid in found if uid is not None]


class Talk:
    """One client with its server, and the wire between them."""

    def __init__(self, offer: tuple[str, ...]) -> None:
        many = 10_000
        limits = Limits(bad_commands=many, failed_logins=many, literal_before_login=9)
        self.client = Client(Security.CLEARTEXT)
        self.server = Server(
            Security.CLEARTEXT, offer=Capabilities(*offer), limits=limits
        )
        self.wires = {"C": bytearray(), "S": bytearray()}
        self.sent: list[Call[Any]] = []
        self.given: dict[str, Any] = {}  # by the words of the answer
        #: FETCHes by number, and the UID that was meant, ``None`` where it was open
        self.meant: list[tuple[Call[Any], int | None]] = []
        self.believed: list[int] = []  # UIDs by number, as the client knows them
        self.noted: list[list[int]] = []  # what each EXISTS on its way is about
        self.updates = Told([], self.noted)
        self.asked: Any = None
        self.ended = False  # the message that was asked for is here
        self.heard: bytes | None = None  # of the message that comes
        self.left: bytes | None = None  # of the message that goes in chunks
        self.noise = self.noise_heard = 0
        code = Capabilities(*offer)
        self.server.send(Greeting(Condition.OK, "hi", code))

    @property
    def closed(self) -> bool:
        return State.LOGOUT in (self.client.state, self.server.state)

    def quiet(self) -> bool:
        busy = self.sent or self.asked or any(self.wires.values())
        return not (busy or self.server._out or self.client._out or self.closed)


class Conversation(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.talks = [Talk(OFFERS[0]), Talk(OFFERS[1])]
        self.uids = [1, 2, 3]
        self.last_uid = 3
        self.texts: list[bytes] = []
        self.kept: list[bytes] = []
        self.words = 0

    side = st.integers(0, 1)

    # -- the client ------------------------------------------------------------

    def send(self, talk: Talk, command: Any) -> None:
        now = bool(talk.client.can_send(command))
        try:
            call = talk.client.send(command)
        except (LocalProtocolError, RemoteProtocolError):
            return
        talk.sent.append(call)
        if isinstance(command, Fetch) and not command.by_uid:
            (number,) = command.messages.numbers()
            known = now and number <= len(talk.believed)
            talk.meant.append((call, talk.believed[number - 1] if known else None))

    @rule(which=side, command=st.sampled_from(COMMANDS))
    def says(self, which: int, command: Any) -> None:
        self.send(self.talks[which], command)

    @initialize(offers=st.tuples(st.sampled_from(OFFERS), st.sampled_from(OFFERS)))
    def begins(self, offers: Any) -> None:
        self.talks = [Talk(offer) for offer in offers]
        for which in (0, 1):
            self.gets_into_the_mailbox(which)

    @rule(which=side)
    def gets_into_the_mailbox(self, which: int) -> None:
        self.carries_all(which)
        for command in (Login("a", "b"), Select("INBOX")):
            self.send(self.talks[which], command)
        self.plays_on(which)

    @rule(which=side, number=st.integers(1, 5))
    def says_fetch(self, which: int, number: int) -> None:
        self.send(self.talks[which], Fetch(SequenceSet(number), "FLAGS", "UID"))

    @rule(which=side, first=st.integers(0, 3), then=st.integers(1, 4), gone=side)
    def pipelines_while_messages_go(
        self, which: int, first: int, then: int, gone: int
    ) -> None:
        """A FETCH by number behind another, or behind a NOOP."""
        self.plays_on(which)
        if first:
            self.says_fetch(which, first)
        else:
            self.says(which, Noop())
        self.says_fetch(which, then)
        if gone < len(self.uids):
            self.expunge(self.uids[gone])
        self.plays_on(which)

    @rule(which=side)
    def plays_on(self, which: int) -> None:
        for _ in range(3):
            self.carries_all(which)
            self.answers(which, 1, False)
        self.carries_all(which)

    @rule(which=side, number=st.integers(1, 5))
    def says_store(self, which: int, number: int) -> None:
        store = Store(SequenceSet(number), Change.ADD, ("\\Seen",))
        self.send(self.talks[which], store)

    @rule(which=side, text=st.sampled_from(TEXTS), by_hand=st.booleans())
    def says_append(self, which: int, text: bytes, by_hand: bool) -> None:
        text = b"%d:" % len(self.texts) + text
        self.texts.append(text)
        self.send(
            self.talks[which], Append("INBOX", Streamed(len(text)) if by_hand else text)
        )

    @rule(which=side, size=st.integers(1, 3000))
    def hands_over(self, which: int, size: int) -> None:
        talk = self.talks[which]
        if talk.left is None:
            return
        try:
            if talk.left:
                talk.client.send(Chunk(talk.left[:size]))
                talk.left = talk.left[size:]
            else:
                talk.left = None
                talk.client.send(End())
        except (LocalProtocolError, RemoteProtocolError):
            assert talk.closed
            talk.left = None

    @rule(which=side)
    def says_done(self, which: int) -> None:
        try:
            self.talks[which].client.send(Done())
        except (LocalProtocolError, RemoteProtocolError):
            return

    # -- the server ------------------------------------------------------------

    @rule(which=side)
    def another_agent_adds(self, which: int) -> None:
        self.last_uid += 1
        self.uids.append(self.last_uid)
        for talk in self.talks:
            talk.updates.add(self.last_uid)
            talk.server.send_updates()

    def expunge(self, uid: int) -> None:
        self.uids.remove(uid)
        for talk in self.talks:
            talk.updates.expunge(uid)
            talk.server.send_updates()

    @precondition(lambda self: self.uids)
    @rule(at=st.integers(0, 100))
    def another_agent_expunges(self, at: int) -> None:
        self.expunge(self.uids[at % len(self.uids)])

    @precondition(lambda self: self.uids)
    @rule(at=st.integers(0, 100))
    def another_agent_sets_a_flag(self, at: int) -> None:
        for talk in self.talks:
            talk.updates.flags(self.uids[at % len(self.uids)], ("\\Seen",))
            talk.server.send_updates()

    @rule(which=side)
    def tells_news(self, which: int) -> None:
        talk = self.talks[which]
        if talk.server.state in (State.AUTHENTICATED, State.SELECTED):
            talk.noise += 1
            talk.server.send(Reply(Condition.NO, str(talk.noise), Code("ALERT")))

    @rule(which=side, good=st.integers(0, 3), answers=st.booleans())
    def answers(self, which: int, good: int, answers: bool) -> None:
        talk = self.talks[which]
        match talk.asked:
            case None:
                return
            case Bad(hint=hint):
                talk.server.send(hint)
                talk.asked = None
            case Tagged(command=Append()) if good and talk.heard is None:
                talk.heard = b""  # it may come
                self.read(talk)
            case Tagged(command=Idle()) if good and talk.server._idling:
                talk.asked = None if answers else talk.asked
                if answers:  # by itself
                    self.answer(talk, self.idle(talk), True)
            case Tagged(command=Idle()) if good:
                talk.server.send(Continue("idling"))
                self.read(talk)
            case Tagged(command=Append()) as asked if not talk.ended:
                self.answer(talk, asked, False)
            case Tagged() as asked:
                self.answer(talk, asked, bool(good))

    def idle(self, talk: Talk) -> Tagged:
        asked = talk.server._asked
        assert isinstance(asked, Tagged)
        return asked

    def answer(self, talk: Talk, asked: Tagged, good: bool) -> None:
        command = asked.command
        if good:
            self.obey(talk, command)
        self.words += 1
        talk.given[str(self.words)] = command
        talk.asked = talk.heard = None
        reply = Reply(Condition.OK if good else Condition.NO, str(self.words))
        talk.server.send(asked.answer(reply))
        if talk.server.updates is None:
            talk.updates = Told([], talk.noted)

    def obey(self, talk: Talk, command: Any) -> None:
        server = talk.server
        match command:
            case Capability():
                server.send(server.capabilities)
            case Select() | Examine():
                talk.updates = Told(self.uids, talk.noted)
                server.updates = talk.updates
            case Fetch() | Store():
                self.check_meaning(talk, command)
                for number, uid in talk.updates.chosen(command.messages):
                    server.send(FetchData.of(number, uid=uid, flags=()))
            case Search():
                server.send(SearchData((1,)))
            case List():
                server.send(ListData("x"))
            case Expunge() if self.uids:
                self.expunge(self.uids[0])
            case Append():
                assert talk.heard is not None
                number = int(talk.heard[: talk.heard.index(b":")])
                assert talk.heard == self.texts[number]
                assert talk.heard not in self.kept
                self.kept.append(talk.heard)

    def check_meaning(self, talk: Talk, command: Any) -> None:
        """The number that the client said is of the message that it meant."""
        if isinstance(command, Store) or command.by_uid:
            return
        at = [call.command for call, _ in talk.meant].index(command)
        _, meant = talk.meant.pop(at)
        (number,) = command.messages.numbers()
        assert meant in (None, talk.updates.uid(number))

    # -- the wire --------------------------------------------------------------

    @rule(which=side, size=st.integers(1, 60), side=st.sampled_from("CS"))
    def carries_some(self, which: int, size: int, side: str) -> None:
        talk = self.talks[which]
        client, server = talk.client, talk.server
        source, target = (client, server) if side == "C" else (server, client)
        wire = talk.wires[side]
        wire += b"".join(source.data_to_send())
        if wire:
            target.receive_data(bytes(wire[:size]))
        del wire[:size]
        self.read(talk)

    @rule(which=side)
    def carries_all(self, which: int) -> None:
        for side in "CSCS":
            self.carries_some(which, 100_000, side)

    def read(self, talk: Talk) -> None:
        while (event := self.next(talk, talk.client)) is not None:
            self.client_reads(talk, event)
        while self.may_read(talk):
            event = self.next(talk, talk.server)
            if event is None:
                return
            self.server_reads(talk, event)

    def may_read(self, talk: Talk) -> bool:
        if talk.asked is None or talk.heard is not None:
            return True
        return talk.server._idling

    def next(self, talk: Talk, conn: Any) -> Any:
        event = conn.next_event()
        return None if isinstance(event, Signal | Closed) else event

    def client_reads(self, talk: Talk, event: Any) -> None:
        match event:
            case GoAhead(call=call) if isinstance(call.command, Append):
                assert isinstance(call.command.message, Streamed)
                fits = [t for t in self.texts if len(t) == call.command.message.size]
                talk.left = fits[-1]
            case Exists():
                talk.believed = talk.noted.pop(0)
                assert event.number == len(talk.believed)
            case Expunged(number=number):
                del talk.believed[number - 1]
            case FetchData(number=number, uid=uid):
                assert talk.believed[number - 1] == uid
            case Reply(condition=Condition.NO, text=text):
                talk.noise_heard += 1
                assert int(text) == talk.noise_heard
            case Completed(call=call, answer=answer):
                self.check_answer(talk, call, answer)

    def check_answer(self, talk: Talk, call: Call[Any], answer: Reply) -> None:
        talk.sent.remove(call)
        talk.meant = [(asked, uid) for asked, uid in talk.meant if asked is not call]
        if isinstance(call.command, Append):
            talk.left = None if call.command.message == Streamed(0) else talk.left
        given = talk.given.get(answer.text)
        if given is None:
            assert not answer.ok
        elif answer.condition is not Condition.OK:
            pass  # what was held may have the refusal of another
        elif isinstance(given, Append):
            assert isinstance(call.command, Append)
        else:
            assert given == call.command

    def server_reads(self, talk: Talk, event: Any) -> None:
        match event:
            case Chunk(data=data):
                assert talk.heard is not None
                talk.heard += data
            case End():
                asked = talk.server._asked
                assert isinstance(asked, Tagged)
                talk.asked, talk.ended = asked, True
            case Done():
                self.answer(talk, self.idle(talk), True)
            case _:
                talk.asked, talk.ended = event, False
                talk.heard = None

    # -- what holds ------------------------------------------------------------

    @invariant()
    def at_rest_both_believe_the_same(self) -> None:
        for talk in self.talks:
            if not talk.quiet() or talk.client.greeting is None:
                continue
            assert talk.client.state is talk.server.state
            assert talk.client.mailbox == talk.server.mailbox
            if talk.client.state is State.SELECTED:
                assert talk.believed == talk.updates.known()
            assert talk.noise == talk.noise_heard


TestImap = Conversation.TestCase
TestImap.settings = settings(max_examples=60, stateful_step_count=50)
