"""The filter of POP3 in docs/examples, between real sockets."""

from __future__ import annotations

import asyncio
import poplib
import tracemalloc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from examples.filter import Forbid
from examples.filter.gateway import Upstream
from examples.filter.pop3 import pop3_filter
from mailproto import Chunk, Closed, CommandFailed, End, Security, pop3, sasl
from mailproto.asyncio import Session, connect, serve
from mailproto.embedded import MailServer
from tests.adapters import client_tls, server_tls
from tests.filtering import BIG, VIRUS, play
from tests.messages import MESSAGES

REFUSED = pop3.Reply(False, "there is a virus in it", "SYS/PERM")


def pop3_judge(asked: pop3.Retr | pop3.Top) -> Forbid[pop3.Reply]:
    return Forbid(VIRUS, REFUSED)


@asynccontextmanager
async def before_pop3(
    *messages: bytes, security: Security = Security.OPTIONAL, **options: Any
) -> AsyncIterator[tuple[MailServer, int]]:
    """A filter before the POP3 of a server that has *messages*, and its port."""
    async with MailServer(**options) as server:
        server.add_user("ann", "secret")
        for message in messages:
            server.deliver(message, to="ann")
        port, tls = server.ports["pop3"], server.client_context()
        route = Upstream("localhost", port, Security.STARTTLS, tls)
        front = pop3_filter(pop3_judge, route, security=security, tls=server_tls())
        async with front as listening:
            yield server, listening.port


@asynccontextmanager
async def reading(
    port: int, security: Security = Security.STARTTLS, **options: Any
) -> AsyncIterator[Session[pop3.Client]]:
    conn = pop3.Client(security, strict=True)
    async with await connect(conn, "localhost", port, tls=client_tls()) as session:
        await session.run(pop3.log_in(conn, "ann", "secret", **options))
        yield session


def test_mail_is_fetched_octet_for_octet() -> None:
    messages = [*MESSAGES.values(), BIG * 8]

    async def scenario() -> None:
        async with before_pop3(*messages) as (server, port):
            async with reading(port) as session:
                stat = await session.run(pop3.Stat())
                assert stat == pop3.StatData(len(messages), sum(map(len, messages)))
                sizes = [entry.size for entry in await session.run(pop3.List())]
                assert sizes == list(map(len, messages))
                names = await session.run(pop3.Uidl())
                assert len({entry.uid for entry in names}) == len(messages)
                assert (await session.run(pop3.Uidl(2))) == names[1:2]
                numbers = range(1, len(messages) + 1)
                assert await session.run_all(list(map(pop3.Retr, numbers))) == messages
                top = await session.run(pop3.Top(1, 0))
                assert messages[0].startswith(top)
                with pytest.raises(CommandFailed):
                    await session.run(pop3.Retr(99))
                await session.run(pop3.Dele(1))
            assert len(server.messages) == len(messages)  # there was no QUIT
            async with reading(port) as session:
                await session.run(pop3.Dele(1))
                await session.run(pop3.Quit())
            assert len(server.messages) == len(messages) - 1

    play(scenario)


def test_an_empty_maildrop() -> None:
    async def scenario() -> None:
        async with before_pop3() as (_, port), reading(port) as session:
            assert await session.run(pop3.List()) == []
            assert await session.run(pop3.Stat()) == pop3.StatData(0, 0)

    play(scenario)


def test_a_message_is_refused_before_a_word_of_it_is_told() -> None:
    bad = BIG * 8 + VIRUS + b"\r\n"

    async def scenario() -> None:
        async with before_pop3(bad, BIG) as (_, port), reading(port) as session:
            with pytest.raises(CommandFailed) as refused:
                await session.run(pop3.Retr(1))
            assert refused.value.answer == REFUSED
            assert await session.run(pop3.Retr(2)) == BIG
            assert await session.run(pop3.Top(1, 0)) == BIG[:16]

    play(scenario)


def test_poplib_passes() -> None:
    def client(port: int) -> None:
        mail = poplib.POP3("localhost", port, timeout=20)
        mail.stls(context=client_tls())
        mail.user("ann")
        mail.pass_("secret")
        _, lines, _ = mail.retr(1)
        assert b"\r\n".join(lines) + b"\r\n" == MESSAGES["plain"]
        mail.quit()

    async def scenario() -> None:
        async with before_pop3(MESSAGES["plain"]) as (_, port):
            await asyncio.to_thread(client, port)

    play(scenario)


@pytest.mark.parametrize("name", ["PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-256"])
def test_a_pop3_log_in_passes(name: str) -> None:
    made = sasl.candidates("ann", password="secret", token="", offered=(name,))
    (mechanism,) = [each for each in made if each.mechanism == name]

    async def scenario() -> None:
        async with (
            before_pop3(BIG) as (_, port),
            reading(port, mechanisms=[mechanism]) as session,
        ):
            assert (await session.run(pop3.Stat())).count == 1

    play(scenario)


def test_apop_signs_the_stamp_of_the_server() -> None:
    async def scenario() -> None:
        async with before_pop3(BIG, apop=True) as (_, port):
            conn = pop3.Client(Security.CLEARTEXT)
            async with await connect(conn, "localhost", port) as session:
                stamp = session.greeting.stamp
                await session.run(pop3.Apop.sign("ann", "secret", stamp))
                assert await session.run(pop3.Retr(1)) == BIG

    play(scenario)


def test_what_pop3_offers() -> None:
    async def scenario() -> None:
        async with before_pop3() as (_, port):
            conn = pop3.Client(Security.OPTIONAL)
            tls = client_tls()
            async with await connect(conn, "localhost", port, tls=tls) as session:
                known = await session.run(pop3.Capa())
                assert (known.stls, known.user, known.pipelining) == (True, False, True)
                assert known.sasl
                assert not any(map(sasl.reveals_secret, known.sasl))
                await session.run(pop3.Stls())
                known = await session.run(pop3.Capa())
                assert (known.stls, known.user, known.top) == (False, True, True)
                assert "PLAIN" in known.sasl

    play(scenario)


def test_a_pop3_server_that_hangs_up_or_is_out_of_reach() -> None:
    async def short(session: Session[pop3.Server]) -> None:
        session.conn.send(pop3.Greeting("ready"))
        await session.next_event()  # CAPA
        session.conn.send(pop3.Reply(False))
        await session.next_event()

    def make() -> pop3.Server:
        return pop3.Server(Security.CLEARTEXT)

    async def scenario() -> None:
        async with serve(make, short) as server:
            route = Upstream("localhost", server.port, Security.CLEARTEXT)
            front = pop3_filter(pop3_judge, route, security=Security.CLEARTEXT)
            async with front as listening:
                conn = pop3.Client(Security.CLEARTEXT)
                port = listening.port
                async with await connect(conn, "localhost", port) as session:
                    with pytest.raises(CommandFailed, match="SYS/TEMP"):
                        await session.run(pop3.User("ann"))
        async with pop3_filter(pop3_judge, route) as listening:
            conn = pop3.Client(Security.CLEARTEXT)
            with pytest.raises(CommandFailed, match=r"SYS/TEMP.*out of reach"):
                await connect(conn, "localhost", listening.port)

    play(scenario)


def test_a_large_message_is_fetched_in_bounded_memory() -> None:
    """And by a client that reads slowly: what it has not read waits in a file."""
    piece, count = b"0123456789abcde\r\n" * 3855, 320

    async def large(session: Session[pop3.Server]) -> None:
        server = session.conn
        server.send(pop3.Greeting("ready"))
        while not isinstance(event := await session.next_event(), Closed):
            match event:
                case pop3.Retr():
                    server.send(pop3.Reply(True))
                    for _ in range(count):
                        server.send(Chunk(piece))
                        await session.flush()
                    server.send(End())
                case pop3.Capa():
                    server.send(pop3.Reply(False))
                case _:
                    server.send(pop3.Reply(True))

    async def scenario() -> None:
        async with serve(lambda: pop3.Server(Security.CLEARTEXT), large) as server:
            route = Upstream("localhost", server.port, Security.CLEARTEXT)
            front = pop3_filter(pop3_judge, route, security=Security.CLEARTEXT)
            async with (
                front as listening,
                reading(listening.port, Security.CLEARTEXT) as session,
            ):
                tracemalloc.start()
                try:
                    size = 0
                    async for part in session.stream(pop3.Retr(1)):
                        size += len(part.data)
                    assert tracemalloc.get_traced_memory()[1] < 6_000_000
                finally:
                    tracemalloc.stop()
                assert size == count * len(piece)

    play(scenario)
