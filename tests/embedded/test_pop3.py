"""The POP3 of the embedded server, in memory: no socket, no thread."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailproto import CommandFailed, Security, pop3, sasl
from mailproto._command import Closed
from mailproto.embedded.login import Login, mechanisms
from mailproto.embedded.pop3 import Pop3, top
from mailproto.embedded.store import Store
from mailproto.pop3 import ResponseCode
from mailproto.testing import Pair
from tests.messages import MESSAGES

SMALL = [message for message in MESSAGES.values() if len(message) < 5000]


OPEN: list[Store] = []


@pytest.fixture(autouse=True)
def close_stores() -> Iterator[None]:
    yield
    while OPEN:
        OPEN.pop().close()


def new_store() -> Store:
    OPEN.append(Store())
    return OPEN[-1]


class Talk:
    """A client and the embedded server's handler, on a wire in memory."""

    def __init__(
        self,
        store: Store | None = None,
        security: Security = Security.CLEARTEXT,
        **options: Any,
    ) -> None:
        self.store = store or self.full()
        self.pair = Pair(pop3.Client(security, strict=True), pop3.Server(security))
        self.client = self.pair.client
        self.app = Pop3(self.pair.server, self.store, "example.org", **options)
        self.pair.server.send(self.app.greeting())
        (self.greeting,) = self.pair.client_events()

    @staticmethod
    def full() -> Store:
        store = new_store()
        for name in ("ann", "bob"):
            store.add_user(name, f"{name}'s secret")
            for message in SMALL:
                store.deliver(message, [name])
        return store

    def run(self, command: Any) -> Any:
        call = self.client.send(command)
        while not call.done:
            for event in self.pair.server_events():
                for value in self.app.handle(event):
                    self.pair.server.send(value)
            for event in self.pair.client_events():
                call.feed(event)
        return call.result()

    def log_in(self, name: str = "ann") -> Talk:
        self.run(pop3.User(name))
        self.run(pop3.Pass(f"{name}'s secret"))
        return self


def refused(talk: Talk, command: Any) -> Any:
    with pytest.raises(CommandFailed) as caught:
        talk.run(command)
    return caught.value.answer


def test_messages_come_as_they_were_delivered() -> None:
    talk = Talk().log_in()
    total = sum(map(len, SMALL))
    assert talk.run(pop3.Stat()) == pop3.StatData(len(SMALL), total)
    listing = talk.run(pop3.List())
    assert [entry.size for entry in listing] == [len(message) for message in SMALL]
    for number, message in enumerate(SMALL, 1):
        assert talk.run(pop3.Retr(number)) == message
        assert talk.run(pop3.List(number)) == [listing[number - 1]]
    assert refused(talk, pop3.Retr(len(SMALL) + 1)).text == "no such message"


def test_numbers_stay_what_they_were() -> None:
    talk = Talk().log_in()
    names = talk.run(pop3.Uidl())
    talk.run(pop3.Dele(1))
    talk.store.deliver(b"late\r\n", ["ann"])  # not in this session
    assert talk.run(pop3.Uidl()) == names[1:]
    assert talk.run(pop3.Uidl(2)) == [names[1]]
    for command in (
        pop3.Dele(1),
        pop3.Retr(1),
        pop3.Top(1),
        pop3.List(1),
        pop3.Uidl(1),
    ):
        assert refused(talk, command).text == "no such message"
    talk.run(pop3.Rset())
    assert talk.run(pop3.Uidl()) == names


def test_only_quit_deletes() -> None:
    talk = Talk().log_in()
    talk.run(pop3.Dele(1))
    talk.app.close()  # the connection was lost
    assert len(talk.store.listing("ann")) == len(SMALL)

    talk = Talk(talk.store).log_in()
    talk.run(pop3.Dele(2))
    talk.run(pop3.Quit())
    assert len(talk.store.listing("ann")) == len(SMALL) - 1
    assert len(talk.store.listing("bob")) == len(SMALL)
    assert talk.pair.server_events() == [Closed()]

    talk = Talk(talk.store)
    talk.run(pop3.Quit())
    assert len(talk.store.listing("ann")) == len(SMALL) - 1


def test_one_session_has_a_maildrop() -> None:
    first = Talk().log_in()
    second = Talk(first.store)
    second.run(pop3.User("ann"))
    assert refused(second, pop3.Pass("ann's secret")).code is ResponseCode.IN_USE
    Talk(first.store).log_in("bob")
    first.run(pop3.Quit())
    second.log_in()
    second.app.close()
    Talk(first.store).log_in()


MECHANISMS = [
    sasl.Plain("ann", "ann's secret"),
    sasl.Login("ann", "ann's secret"),
    sasl.CramMd5("ann", "ann's secret"),
    sasl.Scram("ann", "ann's secret", "SHA-1"),
    sasl.Scram("ann", "ann's secret", "SHA-256"),
    sasl.Scram("ann", "ann's secret", "SHA-512"),
    sasl.XOAuth2("ann", "ann's secret"),
    sasl.OAuthBearer("ann's secret", "ann"),
]


@pytest.mark.parametrize("mechanism", MECHANISMS, ids=lambda m: m.mechanism)
def test_mechanisms(mechanism: Any) -> None:
    talk = Talk()
    assert mechanism.mechanism in talk.run(pop3.Capa()).sasl
    talk.run(pop3.Auth.using(mechanism))
    assert talk.run(pop3.Stat()).count == len(SMALL)


def without_text(reply: pop3.Reply) -> tuple[bool, str | None]:
    return reply.ok, reply.code


@pytest.mark.parametrize(
    "make",
    [
        lambda name: pop3.Auth.using(sasl.Plain(name, "wrong")),
        lambda name: pop3.Auth.using(sasl.Login(name, "wrong")),
        lambda name: pop3.Auth.using(sasl.CramMd5(name, "wrong")),
        lambda name: pop3.Auth.using(sasl.Scram(name, "wrong")),
        lambda name: pop3.Auth.using(sasl.XOAuth2(name, "wrong")),
        lambda name: pop3.Apop(name, "0" * 32),
    ],
)
def test_who_does_not_exist_cannot_be_told_from_a_wrong_password(make: Any) -> None:
    answers = [refused(Talk(apop=True), make(name)) for name in ("ann", "nobody")]
    assert answers[0] == answers[1]
    assert answers[0].code is ResponseCode.AUTH


@pytest.mark.parametrize("password", ["I\u00adX", "\u2168", "a\x07b"])
def test_passwords_are_prepared_before_they_are_compared(password: str) -> None:
    store = new_store()
    store.add_user("ann", password)
    talk = Talk(store)
    talk.run(pop3.Capa())
    for how in (sasl.Plain("ann", password), sasl.Login("ann", password)):
        if "\x07" not in password:  # which SASLprep prohibits
            one = Talk(store)
            one.run(pop3.Auth.using(how))
            one.app.close()
    talk.client.capabilities = pop3.Capabilities([pop3.Capability("UTF8", ("USER",))])
    talk.run(pop3.User("ann"))
    talk.run(pop3.Pass(password))


def test_a_wrong_password() -> None:
    talk = Talk()
    for name in ("ann", "nobody"):
        talk.run(pop3.User(name))
        assert refused(talk, pop3.Pass("wrong")).code is ResponseCode.AUTH
    talk.log_in()


def test_apop_is_there_if_one_asked_for_it() -> None:
    talk = Talk(apop=True)
    assert talk.greeting.stamp
    talk.run(pop3.Apop.sign("ann", "ann's secret", talk.greeting.stamp))
    assert talk.run(pop3.Stat()).count
    assert Talk().greeting.stamp is None


def test_nobody_acts_for_another() -> None:
    plain = sasl.Plain("ann", "ann's secret", authzid="bob")
    assert refused(Talk(), pop3.Auth.using(plain)).code is ResponseCode.AUTH
    itself = sasl.Plain("ann", "ann's secret", authzid="ann")
    Talk().run(pop3.Auth.using(itself))


def test_a_mechanism_that_is_not_there_says_nothing_of_the_password() -> None:
    for name in ("EXTERNAL", "ANONYMOUS", "X-UNKNOWN", "SCRAM-SHA-256-PLUS"):
        assert refused(Talk(), pop3.Auth(name, b"")).code is None


def test_what_is_not_offered_lets_nobody_in() -> None:
    store = Talk.full()
    assert "EXTERNAL" not in mechanisms(cleartext_refused=False)
    assert isinstance(Login(store, "EXTERNAL", "h").step(b"ann"), sasl.Rejected)


@pytest.mark.parametrize("hash", ["SHA-1", "SHA-256", "SHA-512"])
def test_a_salt_does_not_tell_who_exists(hash: str) -> None:
    store = Talk.full()
    for name in (b"ann", b"nobody"):
        first, second = (
            Login(store, f"SCRAM-{hash}", "h").step(b"n,,n=%s,r=nonce" % name)
            for _ in range(2)
        )
        assert isinstance(first, sasl.Challenge)
        assert isinstance(second, sasl.Challenge)
        assert first.data.split(b",")[1:] == second.data.split(b",")[1:]
        assert first.data != second.data  # by the nonce


@pytest.mark.parametrize("name", ["ann", "nobody"])
def test_a_password_that_a_mechanism_cannot_have_is_a_wrong_one(name: str) -> None:
    for password in ("\x07", "\U0001f600"):  # prohibited; unassigned in Unicode 3.2
        store = new_store()
        store.add_user("ann", password)
        talk = Talk(store, apop=True)
        assert refused(talk, pop3.Apop(name, "0" * 32)).code is ResponseCode.AUTH
        scram = sasl.Scram(name, "guess")
        assert refused(talk, pop3.Auth.using(scram)).code is ResponseCode.AUTH


def test_a_message_that_is_gone_is_no_such_message_and_nobody_elses() -> None:
    talk = Talk().log_in()
    talk.run(pop3.Dele(2))
    talk.store.clear()
    talk.store.deliver(b"bob's\r\n", ["bob"])
    for command in (pop3.Retr(1), pop3.Top(1)):
        assert refused(talk, command).text == "no such message"
    talk.run(pop3.Quit())
    assert [message.data for message in talk.store.messages()] == [b"bob's\r\n"]


def test_a_quit_that_cannot_delete_says_so_and_unlocks() -> None:
    talk = Talk().log_in()
    talk.run(pop3.Dele(1))
    talk.store.close()
    assert refused(talk, pop3.Quit()).code is ResponseCode.SYS_TEMP
    assert talk.store.lock("ann")


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["DELE", "RSET", "deliver", "QUIT", "drop"]),
            st.integers(1, 6),
        ),
        max_size=30,
    )
)
def test_numbers_and_names_through_many_sessions(steps: list[tuple[str, int]]) -> None:
    store = new_store()
    store.add_user("ann", "ann's secret")
    there = [store_letter(store, n) for n in range(4)]  # in the maildrop
    talk, seen, marked = Talk(store).log_in(), list(there), set[int]()
    for step, number in [*steps, ("QUIT", 0)]:
        if step == "deliver":
            there.append(store_letter(store, len(there) + 1000 * number))
        elif step == "RSET":
            talk.run(pop3.Rset())
            marked.clear()
        elif step == "DELE" and number <= len(seen) and number not in marked:
            talk.run(pop3.Dele(number))
            marked.add(number)
        elif step == "DELE":
            assert refused(talk, pop3.Dele(number)).text == "no such message"
        else:
            if step == "QUIT":
                talk.run(pop3.Quit())
                gone = {seen[n - 1] for n in marked}
                there = [letter for letter in there if letter not in gone]
            talk.app.close()
            talk, seen, marked = Talk(store).log_in(), list(there), set()
        left = {n: uid for n, uid in enumerate(seen, 1) if n not in marked}
        assert {u.number: u.uid for u in talk.run(pop3.Uidl())} == left
        assert [entry.number for entry in talk.run(pop3.List())] == list(left)
        assert talk.run(pop3.Stat()).count == len(left)


def store_letter(store: Store, number: int) -> str:
    """Deliver a letter; its unique-id."""
    store.deliver(b"Subject: %d\r\n\r\n" % number, ["ann"])
    return store.listing("ann")[-1].unique


def test_what_is_announced_follows_from_what_is_allowed() -> None:
    clear = Talk(security=Security.OPTIONAL)
    before = clear.run(pop3.Capa())
    assert before.stls
    assert not before.user
    assert "PLAIN" not in before.sasl
    assert "SCRAM-SHA-256" in before.sasl
    clear.run(pop3.Stls())
    after = clear.run(pop3.Capa())
    assert not after.stls
    assert after.user
    assert "PLAIN" in after.sasl
    assert after.expire == pop3.Expire(None)
    assert after.auth_resp_code
    demanded = Talk(security=Security.STARTTLS).run(pop3.Capa())
    assert demanded.stls
    assert demanded.sasl == ()
    assert not Talk(tls_offered=False).run(pop3.Capa()).stls
    assert not refused(Talk(tls_offered=False), pop3.Stls()).ok


def test_languages_and_the_rest() -> None:
    talk = Talk()
    english = pop3.Language("en", "English")
    assert talk.run(pop3.Lang()) == [english]
    assert talk.run(pop3.Lang("*")) == talk.run(pop3.Lang("en-GB")) == [english]
    assert not refused(talk, pop3.Lang("de")).ok
    talk.run(pop3.Utf8())
    talk.log_in()
    talk.run(pop3.Noop())


def test_a_log_in_that_is_given_up_and_a_line_that_is_nothing() -> None:
    talk = Talk()
    server = talk.pair.server
    for line, answer in (
        (b"AUTH PLAIN\r\n", b"+ \r\n"),
        (b"*\r\n", b"-ERR as you like\r\n"),
        (b"NONSENSE\r\n", b"-ERR unknown command\r\n"),
    ):
        server.receive_data(line)
        for value in talk.app.handle(server.next_event()):
            server.send(value)
        assert b"".join(server.data_to_send()) == answer


def slow_top(message: bytes, lines: int) -> bytes:
    """RFC 1939 7, as it is told there."""
    header, blank, body = message.partition(b"\r\n\r\n")
    if message.startswith(b"\r\n"):
        header, blank, body = b"", b"\r\n", message[2:]
    kept = body.split(b"\r\n")[: lines + 1]
    text = b"\r\n".join(kept[:lines]) + b"\r\n" if len(kept) > lines else body
    return header + blank + (text if lines else b"")


@given(
    st.lists(st.sampled_from([b"a", b"\r\n", b"\r", b"\n", b".", b"\r\n\r\n"])),
    st.integers(0, 4),
    st.lists(st.integers(1, 5), max_size=10),
)
def test_top_however_the_message_is_read(
    parts: list[bytes], lines: int, sizes: list[int]
) -> None:
    message = b"".join(parts)
    chunks, rest = [], message
    for size in sizes:
        chunks.append(rest[:size])
        rest = rest[size:]
    chunks = [chunk for chunk in [*chunks, rest] if chunk]
    assert b"".join(top(chunks, lines)) == slow_top(message, lines)


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (0, b"A: 1\r\nB: 2\r\n\r\n"),
        (1, b"A: 1\r\nB: 2\r\n\r\none\r\n"),
        (2, b"A: 1\r\nB: 2\r\n\r\none\r\n\r\n"),
        (9, b"A: 1\r\nB: 2\r\n\r\none\r\n\r\nthree"),
    ],
)
def test_top_counts_lines_of_the_body(lines: int, expected: bytes) -> None:
    message = b"A: 1\r\nB: 2\r\n\r\none\r\n\r\nthree"
    assert b"".join(top([message], lines)) == expected


def test_top_hands_the_chunks_on_and_does_not_take_them_apart() -> None:
    chunks = [b"A: 1\r\n\r\n", *[b"line\r\n" * 1000] * 20]
    assert list(top(chunks, 19_500)) == [*chunks[:20], b"line\r\n" * 500]
    assert list(top(chunks, 10**9)) == chunks
