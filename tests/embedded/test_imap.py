"""The IMAP of the embedded server: in memory, then on sockets."""

from __future__ import annotations

import imaplib
import smtplib
import threading
import tracemalloc
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from mailproto import Chunk, CommandFailed, End, Security, imap, sasl, sync
from mailproto.embedded import MailServer
from mailproto.embedded.folders import DELETED
from mailproto.embedded.imap import OFFERED, Imap
from mailproto.embedded.letters import LETTERS
from mailproto.embedded.store import Store
from mailproto.imap import Change, SequenceSet, UidSet, search
from tests.adapters import KINDS, connect, play
from tests.wire import Wire, say

LETTER = (
    b"Date: Tue, 01 Oct 2024 12:00:00 +0200\r\n"
    b"From: Zo\xc3\xab <zoe@example.org>\r\n"
    b"To: friends: bob@example.net, Cat <c@d.e>;\r\n"
    b"Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\nMessage-ID: <1@example.org>\r\n\r\n"
    b"Hello, Ann.\r\n"
)
INBOX = imap.Select("INBOX")
ALL = SequenceSet((1, None))


OPEN: list[Session] = []


@pytest.fixture(autouse=True)
def close_sessions() -> Iterator[None]:
    yield
    while OPEN:
        OPEN.pop().app.close()


class Session(Wire):
    """Our client and the embedded server's handler."""

    def __init__(
        self, store: Store, security: Security = Security.CLEARTEXT, name: str = "ann"
    ) -> None:
        offer = imap.Capabilities(*OFFERED, "AUTH=PLAIN", "AUTH=SCRAM-SHA-256")
        server = imap.Server(security, offer=offer)
        client = imap.Client(security, strict=True)
        self.app = Imap(server, store, "example.org")
        super().__init__(client, server, self.app.handle)
        self.client: imap.Client = client
        server.send(self.app.greeting())
        self.carry()
        assert isinstance(client.next_event(), imap.Greeting)
        self.name = name
        OPEN.append(self)

    def log_in(self) -> Session:
        self.run(imap.log_in(self.client, self.name, f"{self.name}'s secret"))
        return self

    def say(self, command: Any) -> Any:
        return self.run(say(command))

    def refused(self, command: Any) -> imap.Reply:
        with pytest.raises(CommandFailed) as caught:
            self.say(command)
        reply: imap.Reply = caught.value.answer
        return reply

    def flags(self) -> list[tuple[str, ...] | None]:
        return [data.flags for data in self.say(imap.Fetch(ALL, "FLAGS"))]

    def uids(self) -> list[int | None]:
        return [data.uid for data in self.say(imap.Fetch(ALL, "UID"))]

    def news(self) -> list[Any]:
        """What nobody asked for."""
        found = list(self._core.unclaimed)
        self._core.unclaimed.clear()
        return found


@pytest.fixture
def store() -> Iterator[Store]:
    kept = Store()
    for name in ("ann", "bob"):
        kept.add_user(name, f"{name}'s secret")
    yield kept
    kept.close()


@pytest.fixture
def session(store: Store) -> Session:
    return Session(store).log_in()


def fill(session: Session, count: int = 3) -> None:
    for number in range(count):
        session.say(imap.Append("INBOX", b"Subject: %d\r\n\r\n" % number))
    session.say(INBOX)


# -- log in ------------------------------------------------------------------------


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256", ""])
@pytest.mark.parametrize("password", ["ann's secret", "wrong"])
def test_every_way_in(store: Store, mechanism: str, password: str) -> None:
    session = Session(store)
    known = sasl.candidates("ann", password=password)
    fit = [each for each in known if each.mechanism == mechanism]
    command: Any = (
        imap.Authenticate.using(fit[0]) if fit else imap.Login("ann", password)
    )
    if password == "wrong":
        reply = session.refused(command)
        assert reply.code == imap.Code("AUTHENTICATIONFAILED")
    else:
        session.say(command)
        assert session.say(INBOX).exists == 0


def test_no_password_in_the_clear(store: Store) -> None:
    session = Session(store, Security.OPTIONAL)
    known = session.say(imap.Capability())
    assert "LOGINDISABLED" in known
    assert "STARTTLS" in known
    session.say(imap.StartTls())
    assert "LOGINDISABLED" not in session.say(imap.Capability())
    session.log_in()


def test_small_talk(session: Session) -> None:
    for command in (imap.Noop(), imap.Capability(), imap.Namespace(), imap.Id()):
        session.say(command)
    assert session.say(imap.Enable("CONDSTORE")).capabilities == ()
    session.say(imap.Logout())
    assert session.client.state is imap.State.LOGOUT


# -- mailboxes ---------------------------------------------------------------------


def test_the_tree_of_mailboxes(session: Session) -> None:
    for name in ("work/now", "Entwürfe", "a&b", "受信箱"):
        session.say(imap.Create(name))
    listed = {data.mailbox: data.attributes for data in session.say(imap.List())}
    assert set(listed) == {"INBOX", "work", "work/now", "Entwürfe", "a&b", "受信箱"}
    assert "\\HasChildren" in listed["work"]
    names = [data.mailbox for data in session.say(imap.List("", "%"))]
    assert "work/now" not in names
    assert session.say(imap.List("", ""))[0].delimiter == "/"
    session.say(imap.Delete("work"))
    (above,) = session.say(imap.List("", "work"))
    assert above.has("\\Noselect")
    session.say(imap.Rename("work/now", "later"))
    session.say(imap.Subscribe("later"))
    session.say(imap.Subscribe("x/y"))
    assert [data.mailbox for data in session.say(imap.Lsub())] == ["later", "x/y"]
    top = {data.mailbox: data.attributes for data in session.say(imap.Lsub("", "%"))}
    assert top == {"later": (), "x": ("\\Noselect",)}
    session.say(imap.Unsubscribe("later"))
    assert len(session.say(imap.Lsub())) == 1
    assert session.refused(imap.Create("later")).code is None
    assert session.refused(imap.Delete("nothing")).code == imap.Code("NONEXISTENT")


def test_status_and_select(session: Session) -> None:
    fill(session)
    session.say(imap.Store(SequenceSet(1), Change.ADD, ("\\Seen",)))
    status = session.say(imap.Status("INBOX", "MESSAGES", "UNSEEN", "UIDNEXT"))
    assert status.items == {"MESSAGES": 3, "UNSEEN": 2, "UIDNEXT": 4}
    selected = session.say(INBOX)
    assert (selected.exists, selected.unseen, selected.uid_next) == (3, 2, 4)
    assert not selected.read_only
    assert session.say(imap.Examine("INBOX")).read_only
    assert session.refused(imap.Status("INBOX", "X-ODD")).condition.name == "BAD"
    assert session.refused(imap.Select("nothing")).condition.name == "NO"


def test_what_was_read_only_stays_as_it_is(session: Session) -> None:
    fill(session)
    session.say(imap.Examine("INBOX"))
    (data,) = session.say(imap.Fetch(SequenceSet(1), "BODY[]", "FLAGS"))
    assert "\\Seen" not in data.flags
    for command in (
        imap.Store(ALL, Change.ADD, ("\\Deleted",)),
        imap.Expunge(),
        imap.Move(ALL, "INBOX"),
    ):
        assert session.refused(command).text == "the mailbox is read-only"
    session.say(imap.Close())
    assert session.say(INBOX).exists == 3


# -- messages ----------------------------------------------------------------------


def test_what_is_appended_is_fetched(session: Session) -> None:
    when = datetime(2024, 10, 1, 12, 0, tzinfo=UTC)
    code = session.say(imap.Append("INBOX", LETTER, ("\\seen", "work"), when))
    assert list(code.uids.numbers()) == [1]
    session.say(INBOX)
    asked = ("UID", "FLAGS", "INTERNALDATE", "RFC822.SIZE", "ENVELOPE", "BODY[]")
    (data,) = session.say(imap.Fetch(ALL, *asked))
    assert (data.uid, data.date, data.size) == (1, when, len(LETTER))
    assert data.flags == ("\\Seen", "work", "\\Recent")
    assert data.body() == LETTER
    assert data.envelope.subject == "=?utf-8?q?Gr=C3=BC=C3=9Fe?="
    assert [str(each) for each in data.envelope.from_] == ["zoe@example.org"]
    assert data.envelope.from_ == data.envelope.sender == data.envelope.reply_to
    begin, bob, cat, end = data.envelope.to
    assert (begin.mailbox, begin.host, end.mailbox) == ("friends", None, None)
    assert (str(bob), cat.name) == ("bob@example.net", "Cat")
    assert data.envelope.message_id == "<1@example.org>"
    reply = session.refused(imap.Append("nothing", LETTER))
    assert reply.code == imap.Code("TRYCREATE")


def test_some_of_a_message(session: Session) -> None:
    session.say(imap.Append("INBOX", LETTERS["multipart"]))
    session.say(INBOX)
    (data,) = session.say(
        imap.Fetch(
            ALL, "BODY.PEEK[HEADER.FIELDS (SUBJECT)]", "BODY.PEEK[1.1]",
            "BODY.PEEK[2.MIME]", "BODY.PEEK[]<5.10>", "BODY.PEEK[9]", "BODYSTRUCTURE",
            "RFC822.HEADER", "BODY.PEEK[TEXT]", "BODY.PEEK[HEADER.FIELDS.NOT (TO)]",
        )
    )  # fmt: skip
    whole = LETTERS["multipart"]
    assert data.body("HEADER.FIELDS (SUBJECT)").startswith(b"Subject: ")
    assert b"begins with a dot" in data.body("1.1")
    assert data.body("2.MIME").startswith(b"Content-Type: ")
    assert data.body("", 5) == whole[5:15]
    assert data.body("9") is None
    assert data.items["RFC822.HEADER"] + data.body("TEXT") == whole
    assert b"\r\nTo:" not in data.body("HEADER.FIELDS.NOT (TO)")
    structure = data.structure
    assert structure.media_type == "multipart/mixed"
    inner, table = structure.parts
    assert [part.media_type for part in inner.parts] == ["text/plain", "text/html"]
    assert table.disposition.parameters == (("FILENAME", "table.csv"),)
    assert session.flags() == [("\\Recent",)]  # nobody has read it
    (data,) = session.say(imap.Fetch(ALL, "FULL"))
    assert data.structure.parts[1].disposition is None


def test_to_fetch_is_to_have_read(session: Session) -> None:
    fill(session)
    for number, item in enumerate(("BODY[]", "RFC822", "RFC822.TEXT"), 1):
        (data,) = session.say(imap.Fetch(SequenceSet(number), item))
        assert "\\Seen" in data.flags
    assert all("\\Seen" in flags for flags in session.flags() if flags)


def test_a_message_in_a_message(session: Session) -> None:
    outer = b"Subject: fwd\r\nContent-Type: message/rfc822\r\n\r\n" + LETTER
    session.say(imap.Append("INBOX", outer))
    session.say(INBOX)
    asked = (
        "BODYSTRUCTURE",
        "BODY.PEEK[1]",
        "BODY.PEEK[1.HEADER]",
        "BODY.PEEK[2.TEXT]",
    )
    (data,) = session.say(imap.Fetch(ALL, *asked))
    part = data.structure
    assert part.media_type == "message/rfc822"
    assert part.envelope.message_id == "<1@example.org>"
    assert part.body.media_type == "text/plain"
    assert part.lines == LETTER.count(b"\n")
    assert data.body("2.TEXT") is None


def test_no_news_behind_bye(store: Store, session: Session) -> None:
    fill(session)
    store.deliver(LETTER, ["ann"])
    bye, told = asked_for(session, b"a LOGOUT")
    assert bye.condition is imap.Condition.BYE
    assert told.reply.ok


BIG = b"Subject: big\r\nFrom: a@b.c\r\n\r\n" + b"0123456789abcd\r\n" * 50_000


def test_what_is_large_comes_in_pieces(session: Session) -> None:
    session.say(imap.Append("INBOX", BIG))
    session.say(INBOX)
    body = BIG.index(b"\r\n\r\n") + 4
    asked = (
        "RFC822.HEADER", "BODY.PEEK[]", "UID", "BODY.PEEK[TEXT]<7.300000>", "RFC822",
        "BODY.PEEK[1]", "BODY.PEEK[HEADER.FIELDS (FROM)]", "ENVELOPE",
    )  # fmt: skip
    (data,) = session.say(imap.Fetch(ALL, *asked))
    assert data.body() == data.items["RFC822"] == BIG
    assert data.items["RFC822.HEADER"] == BIG[:body]
    assert data.body("TEXT", 7) == BIG[body + 7 : body + 300_007]
    assert data.body("1") == BIG[body:]
    assert data.body("HEADER.FIELDS (FROM)") == b"From: a@b.c\r\n\r\n"
    assert data.envelope.subject == "big"


@pytest.mark.parametrize(
    "line",
    [
        b"FETCH 1 FULLL", b"FETCH 1 (FLAGS MODSEQ)", b"FETCH 1 BINARY[1]",
        b"FETCH 1 FLAGS (CHANGEDSINCE 1)", b"STORE 1 (UNCHANGEDSINCE 1) FLAGS ()",
    ],
)  # fmt: skip
def test_what_is_not_offered_is_bad(session: Session, line: bytes) -> None:
    fill(session, 1)
    (reply,) = asked_for(session, b"a " + line)
    assert reply.reply.condition is imap.Condition.BAD


def asked_for(session: Session, line: bytes) -> Iterator[Any]:
    """What the server says to it, one by one."""
    session.server.receive_data(line + b"\r\n")
    return session.app.handle(session.server.next_event())


def test_what_is_gone_is_not_told(store: Store, session: Session) -> None:
    """RFC 2180 4.1.2: another session was quicker."""
    for letter in (BIG, LETTER, BIG):
        session.say(imap.Append("INBOX", letter))
    session.say(INBOX)
    saying = asked_for(session, b"a FETCH 1:3 BODY.PEEK[]")
    assert next(saying).items == {"BODY[]": imap.Streamed(len(BIG))}
    other = Session(store).log_in()
    other.say(INBOX)
    other.say(imap.Store(SequenceSet("2:3"), Change.ADD, (DELETED,)))
    assert other.say(imap.Expunge()) == [3, 2]
    *chunks, end, told = saying
    assert b"".join(chunk.data for chunk in chunks) == BIG
    assert end == End()
    assert told.reply.code == imap.Code("EXPUNGEISSUED")


def test_what_goes_amid_its_octets_ends_the_session(
    store: Store, session: Session
) -> None:
    session.say(imap.Append("INBOX", BIG))
    session.say(INBOX)
    saying = asked_for(session, b"a FETCH 1 BODY.PEEK[]")
    next(saying)
    next(saying)
    store.clear()
    with pytest.raises(KeyError):
        list(saying)


def test_a_large_message_is_never_in_memory(tmp_path: Path) -> None:
    """100 MB, in less than 4 MB.  They are NULs, which IMAP has no way to say."""
    store = Store(tmp_path / "mail")
    store.add_user("ann", "ann's secret")
    size = 100_000_000
    with open(tmp_path / "message", "wb+") as file:
        file.write(b"\r\n")
        file.truncate(size + 2)
        store.deliver(file, ["ann"])
    session = Session(store).log_in()
    session.say(INBOX)
    got = Counter[bytes]()
    tracemalloc.start()
    try:
        for value in asked_for(session, b"a FETCH 1 (BODY.PEEK[TEXT] BODY.PEEK[])"):
            session.server.send(value)
            session.server.data_to_send()
            if isinstance(value, Chunk):
                got.update({value.data[-1:]: len(value.data)})
        assert tracemalloc.get_traced_memory()[1] < 4_000_000
    finally:
        tracemalloc.stop()
    assert got == {b"\x80": size + 2 + size}
    session.app.close()
    store.close()


def test_flags(session: Session) -> None:
    fill(session)
    one = SequenceSet(1)
    (data,) = session.say(imap.Store(one, Change.ADD, ("\\FLAGGED", "work")))
    assert data.flags == ("\\Flagged", "work", "\\Recent")
    assert session.say(imap.Store(one, Change.ADD, ("x",), silent=True)) == []
    (data,) = session.say(imap.Store(UidSet(1), Change.REMOVE, ("WORK",)))
    assert (data.uid, data.flags) == (1, ("\\Flagged", "x", "\\Recent"))
    (data,) = session.say(imap.Store(one, Change.REPLACE, ("\\Recent", "y")))
    assert data.flags == ("y", "\\Recent")
    assert session.news() == []


def test_what_is_marked_goes(session: Session) -> None:
    fill(session, 5)
    session.say(imap.Store(SequenceSet(2, 4), Change.ADD, ("\\Deleted",), silent=True))
    session.say(imap.Expunge(UidSet(2, 3)))
    assert session.uids() == [1, 3, 4, 5]
    session.say(imap.Expunge())
    assert session.uids() == [1, 3, 5]
    session.say(imap.Store(SequenceSet(1), Change.ADD, ("\\Deleted",), silent=True))
    session.say(imap.Unselect())
    assert session.say(INBOX).exists == 3
    session.say(imap.Close())
    assert session.say(INBOX).exists == 2


def test_copies_and_moves(session: Session) -> None:
    fill(session, 4)
    session.say(imap.Create("there"))
    copied = session.say(imap.Copy(SequenceSet((1, 2)), "there"))
    assert list(copied.target.numbers()) == [1, 2]
    moved = session.say(imap.Move(UidSet(4), "there"))
    assert (list(moved.source.numbers()), list(moved.target.numbers())) == ([4], [3])
    assert session.uids() == [1, 2, 3]
    assert session.say(imap.Copy(UidSet(99), "there")) is None
    assert session.refused(imap.Copy(ALL, "nothing")).code == imap.Code("TRYCREATE")
    assert session.say(imap.Select("there")).exists == 3


def found(session: Session, *keys: search.Key) -> list[int]:
    return list(session.say(imap.Search(*keys)))


def test_what_is_looked_for_is_found(session: Session) -> None:
    when = datetime(2024, 10, 2, tzinfo=UTC)
    session.say(imap.Append("INBOX", LETTER, ("\\Seen", "work"), when))
    session.say(imap.Append("INBOX", LETTERS["8-bit, in three scripts"]))
    session.say(imap.Append("INBOX", LETTERS["multipart"], ("\\Deleted",)))
    session.say(INBOX)
    day = date(2024, 10, 1)
    for keys, numbers in (
        ((search.ALL,), [1, 2, 3]),
        ((search.SEEN,), [1]),
        ((search.UNSEEN, search.DELETED), [3]),
        ((search.NEW,), [2, 3]),
        ((search.OLD,), []),
        ((search.Keyword("WORK"),), [1]),
        ((search.Unkeyword("work"),), [2, 3]),
        ((search.Subject("grüße"),), [1, 2]),
        ((search.From("zoë"),), [1, 2]),
        ((search.To("bob@"),), [1]),
        ((search.Body("本当に"),), [2]),
        ((search.Text("zwölf"),), [3]),
        ((search.Body("<b>bold"),), [3]),
        ((search.Header("Message-ID", "1@"),), [1]),
        ((search.Header("Message-ID"),), [1]),
        ((search.SentOn(day),), [1]),
        ((search.SentSince(day),), [1]),
        ((search.SentBefore(day),), []),
        ((search.On(date(2024, 10, 2)),), [1]),
        ((search.Before(date(2024, 10, 3)),), [1]),
        ((search.Since(date(2024, 10, 3)),), [2, 3]),
        ((search.Larger(400),), [3]),
        ((search.Smaller(300),), [1, 2]),
        ((search.Messages(SequenceSet((2, None))),), [2, 3]),
        ((search.Uid(UidSet(1, 3)),), [1, 3]),
        ((~search.SEEN & (search.DELETED | search.From("zoë")),), [2, 3]),
    ):
        assert found(session, *keys) == numbers, keys
    assert list(session.say(imap.Search(search.DELETED, uid=True))) == [3]
    refused = session.refused(imap.Search(search.ALL, charset="KOI8-R"))
    assert isinstance(refused.code, imap.BadCharset)


# -- several sessions --------------------------------------------------------------


def test_sessions_see_what_others_do(store: Store, session: Session) -> None:
    fill(session, 3)
    other = Session(store).log_in()
    other.say(INBOX)
    other.say(imap.Store(SequenceSet(2), Change.ADD, ("\\Deleted",)))
    session.say(imap.Noop())
    (changed,) = session.news()
    assert (changed.number, changed.flags) == (2, ("\\Deleted", "\\Recent"))
    other.say(imap.Expunge())
    store.deliver(LETTER, ["ann"])
    # FETCH may not tell of what is gone, and the numbers stay what they were.
    assert [data.uid for data in session.say(imap.Fetch(SequenceSet(3), "UID"))] == [3]
    reply = session.refused(imap.Fetch(SequenceSet(2), "UID"))
    assert reply.code == imap.Code("EXPUNGEISSUED")
    session.say(imap.Noop())
    kinds = {type(event) for event in session.news()}
    assert {imap.Expunged, imap.Exists} <= kinds
    assert session.uids() == [1, 3, 4]
    other.say(imap.Noop())
    assert other.uids() == [1, 3, 4]


def test_a_mailbox_that_is_deleted_under_a_session(
    store: Store, session: Session
) -> None:
    session.say(imap.Create("there"))
    session.say(imap.Append("there", LETTER))
    session.say(imap.Select("there"))
    other = Session(store).log_in()
    other.say(imap.Delete("there"))
    session.say(imap.Noop())
    assert session.uids() == []


def test_to_listen(store: Store, session: Session) -> None:
    fill(session, 1)
    call = session.client.send(imap.Idle())
    session.carry()
    listening = session.app.listening
    store.deliver(LETTER, ["ann"])
    for value in session.app.news():
        session.server.send(value)
    session.client.send(imap.Done())
    events: list[Any] = []
    while not call.done:
        session.carry()
        event = session.client.next_event()
        events.append(event)
        call.feed(event)
    assert (listening, session.app.listening) == (True, False)
    assert imap.Exists(2) in events
    assert session.uids() == [1, 2]


# -- on sockets --------------------------------------------------------------------


@pytest.fixture(scope="module")
def server() -> Iterator[MailServer]:
    with MailServer() as running:
        running.add_user("ann", "secret")
        yield running


@pytest.fixture(autouse=True)
def emptied(request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    if "server" in request.fixturenames:
        request.getfixturevalue("server").clear()


def send(server: MailServer, *messages: bytes) -> None:
    with smtplib.SMTP("localhost", server.ports["smtp"], timeout=20) as mail:
        for message in messages:
            mail.sendmail("bob@example.org", ["ann@example.net"], message)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("security", [Security.STARTTLS, Security.IMPLICIT])
def test_what_was_sent_is_fetched(
    server: MailServer, kind: str, security: Security
) -> None:
    send(server, *LETTERS.values())
    port = server.ports["imaps" if security is Security.IMPLICIT else "imap"]

    async def scenario() -> None:
        conn = imap.Client(security, strict=True)
        tls = server.client_context()
        async with await connect(kind, conn, port, tls=tls) as session:
            await session.run(imap.log_in(conn, "ann", "secret"))
            await session.run(INBOX)
            fetched = await session.run(imap.Fetch(ALL, "BODY.PEEK[]", "UID"))
            assert [data.body() for data in fetched] == list(LETTERS.values())
            await session.run(imap.Logout())

    play(kind, scenario)


def test_who_listens_is_told_of_what_comes(server: MailServer) -> None:
    conn = imap.Client(Security.STARTTLS, strict=True)
    port, tls = server.ports["imap"], server.client_context()
    with sync.connect(conn, "localhost", port, tls=tls, timeout=20) as session:
        session.run(imap.log_in(conn, "ann", "secret"))
        session.run(INBOX)
        sender = threading.Thread(target=send, args=(server, LETTER))
        sender.start()
        for event in session.stream(imap.idle()):
            if event == imap.Exists(1):
                break
        sender.join()
        session.run(imap.Noop())
        assert [data.body() for data in session.run(imap.Fetch(ALL, "BODY[]"))] == [
            LETTER
        ]


def test_imaplib_works_with_it(server: MailServer) -> None:
    send(server, *LETTERS.values())
    port, tls = server.ports["imap"], server.client_context()
    with imaplib.IMAP4("localhost", port, timeout=20) as mail:
        mail.starttls(tls)
        mail.login("ann", "secret")
        assert mail.select() == ("OK", [b"%d" % len(LETTERS)])
        _, found = mail.search(None, "SUBJECT", '"lunch"')
        assert found == [b"1"]
        _, data = mail.fetch("1:*", "(BODY.PEEK[])")
        bodies = [part[1] for part in data if isinstance(part, tuple)]
        assert bodies == list(LETTERS.values())
        mail.append("INBOX", "(\\Seen)", None, LETTER)
        mail.store("1", "+FLAGS", "\\Deleted")
        assert mail.expunge() == ("OK", [b"1"])
    assert len(server.messages) == len(LETTERS)
