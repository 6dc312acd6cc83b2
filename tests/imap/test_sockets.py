"""IMAP through the adapters: ours against ours, and the standard library's client."""

from __future__ import annotations

import imaplib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from mailproto import Chunk, CommandFailed, Security, imap, sync
from mailproto.imap import (
    Arrived,
    Examine,
    Exists,
    Fetch,
    FetchData,
    Folder,
    Incoming,
    LiteralBegins,
    Mark,
    Select,
    SequenceSet,
    Skipped,
    UidSet,
)
from tests.adapters import KINDS, client_tls, connect, play, raw_server, server_tls
from tests.imap.app import PASSWORD, Store, make, sync_handler
from tests.messages import MESSAGES

each = pytest.mark.parametrize("kind", KINDS)


@contextmanager
def serving(store: Store, security: Security = Security.CLEARTEXT) -> Iterator[int]:
    server = sync.serve(lambda: make(security), sync_handler(store), tls=server_tls())
    with server:
        yield server.port


async def logged_in(kind: str, port: int, security: Security, **limits: int) -> Any:
    conn = imap.Client(security, strict=True, limits=imap.Limits(**limits))
    session = await connect(kind, conn, port)
    await session.run(imap.log_in(conn, "ann", PASSWORD))
    return session


@each
@pytest.mark.parametrize(
    "security", [Security.CLEARTEXT, Security.STARTTLS, Security.IMPLICIT]
)
def test_messages_go_and_come_octet_for_octet(kind: str, security: Security) -> None:
    store = Store()
    octets = [m for m in MESSAGES.values() if b"\0" not in m]

    async def scenario() -> None:
        async with await logged_in(kind, port, security) as session:
            for message in octets:
                append = imap.append("INBOX", message, flags=["\\Seen"])
                assert (await session.run(append)).uid_validity == 1
            opened = await session.run(Examine("INBOX"))
            assert opened.exists == len(octets)
            fetched = await session.run(Fetch(SequenceSet("1:*"), "UID", "BODY[]"))
            assert [data.body() for data in fetched] == octets
            await session.run(imap.Logout())
            assert not session.unclaimed

    with serving(store, security) as port:
        play(kind, scenario)
    assert [m.octets for m in store.mailboxes["INBOX"].messages] == octets


@each
def test_log_in_takes_the_best_way(kind: str) -> None:
    async def scenario() -> None:
        conn = imap.Client(Security.STARTTLS)
        async with await connect(kind, conn, port) as session:
            best = await session.run(imap.log_in(conn, "ann", PASSWORD))
            assert best == "SCRAM-SHA-256"
            assert await session.run(imap.log_in(conn, "ann", PASSWORD)) == "PREAUTH"
        conn = imap.Client(Security.STARTTLS)
        async with await connect(kind, conn, port) as session:
            with pytest.raises(CommandFailed):
                await session.run(imap.log_in(conn, "ann", "wrong"))

    with serving(Store(), Security.STARTTLS) as port:
        play(kind, scenario)


@each
def test_commands_go_out_together(kind: str) -> None:
    store = Store()
    for message in (b"1", b"2", b"3"):
        store.add("INBOX", message)

    async def scenario() -> None:
        async with await logged_in(kind, port, Security.CLEARTEXT) as session:
            commands: list[Any] = [
                Select("INBOX"),
                Fetch(SequenceSet(1), "BODY[]"),
                Fetch(SequenceSet(3), "BODY[]"),
                imap.Search(imap.search.ALL),
                imap.Noop(),
                Fetch(UidSet(2), "FLAGS"),
            ]
            _, one, three, found, _, two = await session.run_all(commands)
            assert [one[0].body(), three[0].body()] == [b"1", b"3"]
            assert list(found) == [1, 2, 3]
            assert two[0].flags == ("\\Seen",) or two[0].flags == ()

    with serving(store) as port:
        play(kind, scenario)


@each
def test_idle_tells_what_happens(kind: str) -> None:
    """It is begun anew every now and then, and ended when nobody wants more."""
    store = Store()
    store.add("INBOX", b"x")

    async def scenario() -> None:
        async with await logged_in(kind, port, Security.CLEARTEXT) as session:
            await session.run(Select("INBOX"))
            store.add("INBOX", b"y")
            got: list[Any] = []
            stream = session.stream(imap.idle(renew=0.02))
            async for event in stream:
                got.append(event)
                if len(got) < 5:
                    store.add("INBOX", b"z")
                    continue
                break
            await stream.aclose()
            assert got == [Exists(n) for n in range(2, 7)]
            assert (await session.run(imap.Noop())).ok
            found = await session.run(imap.Search(imap.search.ALL))
            assert len(found) == 6
            assert not session.unclaimed

    with serving(store) as port:
        play(kind, scenario)


@each
def test_who_wants_no_more_of_idle_ends_it(kind: str) -> None:
    store = Store()

    async def scenario() -> None:
        async with await logged_in(kind, port, Security.CLEARTEXT) as session:
            await session.run(Select("INBOX"))
            stream = session.stream(imap.idle())
            store.add("INBOX", b"y")
            assert [await anext(stream)] == [Exists(1)]
            await stream.aclose()
            assert (await session.run(imap.Noop())).ok
            assert not session.unclaimed

    with serving(store) as port:
        play(kind, scenario)


@each
def test_a_large_message_comes_in_chunks(kind: str) -> None:
    store = Store()
    large = b"0123456789" * 100_000
    store.add("INBOX", large)

    async def scenario() -> None:
        limits = {"inline_literal": 1000}
        async with await logged_in(kind, port, Security.CLEARTEXT, **limits) as session:
            await session.run(Select("INBOX"))
            command = Fetch(SequenceSet(1), "UID", "BODY.PEEK[]")
            begin, *chunks, end = [part async for part in session.stream(command)]
            assert begin == LiteralBegins(1, "BODY[]", len(large))
            assert b"".join(chunk.data for chunk in chunks) == large
            assert isinstance(end, FetchData)
            assert end.uid == 1

    with serving(store) as port:
        play(kind, scenario)


def out_of_order(sock: Any) -> None:
    """A server that answers three FETCHes from behind, UIDs behind the octets."""
    sock.sendall(b"* PREAUTH [CAPABILITY IMAP4rev1] hi\r\n")
    with sock.makefile("rb") as lines:
        tag, _ = next(lines).split(b" ", 1)
        sock.sendall(b"* 3 EXISTS\r\n%b OK done\r\n" % tag)
        tags = [next(lines).split(b" ", 1)[0] for _ in range(3)]
        for number in (3, 1, 2):
            octets = b"%d" % number * 100_000
            head = b"* %d FETCH (BODY[] {%d}\r\n" % (number, len(octets))
            sock.sendall(head + octets + b" UID %d)\r\n" % (number + 6))
        for tag in reversed(tags):
            sock.sendall(tag + b" OK done\r\n")
        next(lines, None)


@each
def test_large_messages_are_of_the_fetch_that_asked_for_them(kind: str) -> None:
    async def scenario() -> None:
        limits = imap.Limits(inline_literal=1000)
        conn = imap.Client(Security.CLEARTEXT, limits=limits)
        async with await connect(kind, conn, port, timeout=20) as session:
            await session.run(Select("INBOX"))
            each_one = [Fetch(UidSet(uid), "BODY.PEEK[]") for uid in (7, 8, 9)]
            fetched = await session.run_all(each_one)
            assert [data.uid for [data] in fetched] == [7, 8, 9]
            bodies = [data.body() for [data] in fetched]
            assert bodies == [b"%d" % n * 100_000 for n in (1, 2, 3)]

    with raw_server(out_of_order) as port:
        play(kind, scenario)


# -- scripts -----------------------------------------------------------------------


def arrivals(events: list[Any]) -> dict[tuple[str, int], bytes]:
    found: dict[tuple[str, int], bytes] = {}
    text = b""
    for event in events:
        match event:
            case Incoming():
                text = b""
            case Chunk(data=data):
                text += data
            case Arrived(mailbox=mailbox, uid=uid):
                found[mailbox, uid] = text
    return found


@each
def test_fetch_new(kind: str) -> None:
    store = Store()
    store.mailboxes["INBOX/a"] = imap_mailbox = type(store.mailboxes["INBOX"])(7)
    want = {}
    for number, name in enumerate(["INBOX", "INBOX/a"] * 3):
        text = b"" if number == 3 else b"%d" % number * (1 + 900 * (number % 2))
        want[name, store.add(name, text)] = text
    marks: dict[str, Mark] = {}

    async def collect(session: Any) -> list[Any]:
        events = [e async for e in session.stream(imap.fetch_new(marks, batch=2))]
        for event in events:
            if isinstance(event, Arrived):
                marks[event.mailbox] = event.mark
        return events

    async def scenario() -> None:
        limits = {"inline_literal": 500}
        async with await logged_in(kind, port, Security.CLEARTEXT, **limits) as session:
            events = await collect(session)
            assert arrivals(events) == want
            assert [e.mailbox for e in events if isinstance(e, Skipped)] == ["gone"]
            assert Folder("INBOX/a", 7, 3) in events
            assert marks == {"INBOX": Mark(1, 3), "INBOX/a": Mark(7, 3)}
            assert arrivals(await collect(session)) == {}
            store.add("INBOX", b"new")
            assert arrivals(await collect(session)) == {("INBOX", 4): b"new"}
            imap_mailbox.uid_validity = 8
            events = await collect(session)
            assert Folder("INBOX/a", 8, 3, begun_anew=True) in events
            assert len(arrivals(events)) == 3

    with serving(store) as port:
        play(kind, scenario)


@each
def test_append_makes_the_mailbox(kind: str) -> None:
    store = Store()

    async def scenario() -> None:
        async with await logged_in(kind, port, Security.CLEARTEXT) as session:
            assert (await session.run(imap.append("new", b"x"))).uid_validity == 1

    with serving(store) as port:
        play(kind, scenario)
    assert store.mailboxes["new"].messages[0].octets == b"x"


# -- the standard library ------------------------------------------------------------


def test_imaplib_is_understood() -> None:
    store = Store()
    octets = [m for m in MESSAGES.values() if b"\0" not in m]
    with serving(store, Security.STARTTLS) as port:
        mail = imaplib.IMAP4("localhost", port, timeout=20)
        mail.starttls(client_tls())
        mail.login("ann", PASSWORD)
        for message in octets:
            mail.append("INBOX", "(\\Seen)", None, message)
        assert mail.select("INBOX") == ("OK", [b"%d" % len(octets)])
        _, found = mail.search(None, "ALL")
        assert found[0].split() == [b"%d" % n for n in range(1, len(octets) + 1)]
        for number in found[0].split():
            _, parts = mail.fetch(number, "(RFC822)")
            assert isinstance(parts[0], tuple)
            kept = store.mailboxes["INBOX"].messages[int(number) - 1].octets
            assert parts[0][1] == kept
        mail.store("1", "+FLAGS", "\\Deleted")
        assert mail.expunge() == ("OK", [b"1"])
        assert mail.noop()[0] == "OK"
        mail.logout()
    assert len(store.mailboxes["INBOX"].messages) == len(octets) - 1
