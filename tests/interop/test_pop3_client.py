"""Our client against Debian's Dovecot, through each of the adapters."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import pytest

from mailproto import Chunk, CommandFailed, LocalProtocolError, Security, pop3, sasl
from tests.adapters import KINDS, connect, play
from tests.interop.dovecot import Dovecot
from tests.messages import MESSAGES

pytestmark = pytest.mark.interop
each = pytest.mark.parametrize("kind", KINDS)

DIGESTS = [hashlib.sha256(message).hexdigest() for message in MESSAGES.values()]
SECURITIES = (Security.STARTTLS, Security.IMPLICIT)


@pytest.fixture
def full(dovecot: Dovecot) -> Dovecot:
    assert len(MESSAGES) >= 20
    for message in MESSAGES.values():
        dovecot.deliver(message)
    return dovecot


async def session_with(kind: str, server: Dovecot, conn: pop3.Client) -> Any:
    implicit = conn.security is Security.IMPLICIT
    port = server.pop3s_port if implicit else server.pop3_port
    return await connect(
        kind, conn, port, host=server.host, tls=server.client_context(), timeout=30
    )


@each
@pytest.mark.parametrize("security", SECURITIES)
def test_every_message_arrives_octet_for_octet(
    full: Dovecot, kind: str, security: Security
) -> None:
    async def scenario() -> None:
        conn = pop3.Client(security, strict=True)
        async with await session_with(kind, full, conn) as session:
            how = await session.run(pop3.log_in(conn, full.user, full.password))
            assert how == "SCRAM-SHA-256"
            digests, gathered = [], bytearray()
            async for event in session.stream(pop3.fetch_new()):
                match event:
                    case pop3.Incoming():
                        gathered = bytearray()
                    case Chunk(data=data):
                        gathered += data
                    case pop3.Arrived():
                        digests.append(hashlib.sha256(gathered).hexdigest())
            assert digests == DIGESTS
            await session.run(pop3.Quit())

    play(kind, scenario)
    assert len(full.stored()) == len(MESSAGES)


@each
def test_pipelined(full: Dovecot, kind: str) -> None:
    async def scenario() -> None:
        conn = pop3.Client(Security.IMPLICIT, strict=True)
        async with await session_with(kind, full, conn) as session:
            await session.run(pop3.log_in(conn, full.user, full.password))
            assert conn.capabilities is not None
            assert conn.capabilities.pipelining
            numbers = range(1, len(MESSAGES) + 1)
            got = await session.run_all([pop3.Retr(number) for number in numbers])
            assert [hashlib.sha256(message).hexdigest() for message in got] == DIGESTS
            listing = await session.run(pop3.List())
            assert [entry.size for entry in listing] == [len(m) for m in got]
            assert len(await session.run(pop3.Uidl())) == len(MESSAGES)
            header = await session.run(pop3.Top(1, 0))
            assert got[0].startswith(header)

    play(kind, scenario)


@each
def test_what_is_confirmed_is_deleted_by_quit(full: Dovecot, kind: str) -> None:
    async def scenario(quit_: bool) -> None:
        conn = pop3.Client(Security.STARTTLS)
        async with await session_with(kind, full, conn) as session:
            await session.run(pop3.log_in(conn, full.user, full.password))
            async for event in session.stream(pop3.fetch_new(delete=True)):
                if isinstance(event, pop3.Arrived) and event.number <= 5:
                    event.confirm()
            if quit_:
                await session.run(pop3.Quit())

    play(kind, lambda: scenario(False))
    assert len(full.stored()) == len(MESSAGES)
    play(kind, lambda: scenario(True))
    assert len(full.stored()) == len(MESSAGES) - 5


def plain(server: Dovecot, password: str) -> Any:
    return pop3.Auth.using(sasl.Plain(server.user, password))


LOG_INS: dict[str, Callable[[Dovecot, str], Any]] = {
    "PLAIN": plain,
    "LOGIN": lambda s, p: pop3.Auth.using(sasl.Login(s.user, p)),
    "CRAM-MD5": lambda s, p: pop3.Auth.using(sasl.CramMd5(s.user, p)),
    "SCRAM-SHA-1": lambda s, p: pop3.Auth.using(sasl.Scram(s.user, p, "SHA-1")),
    "SCRAM-SHA-256": lambda s, p: pop3.Auth.using(sasl.Scram(s.user, p, "SHA-256")),
}


@each
@pytest.mark.parametrize("name", LOG_INS)
def test_mechanisms(dovecot: Dovecot, kind: str, name: str) -> None:
    async def scenario() -> None:
        for password, good in ((dovecot.password, True), ("wrong", False)):
            conn = pop3.Client(Security.IMPLICIT, strict=True)
            async with await session_with(kind, dovecot, conn) as session:
                command = LOG_INS[name](dovecot, password)
                if good:
                    await session.run(command)
                    assert (await session.run(pop3.Stat())).count == 0
                else:
                    with pytest.raises(CommandFailed) as refused:
                        await session.run(command)
                    assert refused.value.answer.code is pop3.ResponseCode.AUTH

    play(kind, scenario)


@each
def test_user_and_apop(dovecot: Dovecot, kind: str) -> None:
    async def scenario() -> None:
        for apop, user_pass in ((True, False), (False, True)):
            conn = pop3.Client(Security.IMPLICIT)
            async with await session_with(kind, dovecot, conn) as session:
                if user_pass:
                    await session.run(pop3.User(dovecot.user))
                    await session.run(pop3.Pass(dovecot.password))
                else:
                    assert apop
                    stamp = session.greeting.stamp
                    sign = pop3.Apop.sign(dovecot.user, dovecot.password, stamp)
                    await session.run(sign)
                assert (await session.run(pop3.Stat())).count == 0

    play(kind, scenario)


@each
def test_a_wrong_password_is_typed(dovecot: Dovecot, kind: str) -> None:
    async def scenario() -> None:
        conn = pop3.Client(Security.STARTTLS)
        async with await session_with(kind, dovecot, conn) as session:
            with pytest.raises(CommandFailed) as refused:
                await session.run(pop3.log_in(conn, dovecot.user, "wrong"))
            assert refused.value.answer.code is pop3.ResponseCode.AUTH

    play(kind, scenario)


@each
def test_plaintext_is_refused_by_both_ends(dovecot: Dovecot, kind: str) -> None:
    async def scenario() -> None:
        conn = pop3.Client(Security.OPTIONAL)
        async with await session_with(kind, dovecot, conn) as session:
            with pytest.raises(LocalProtocolError, match="in the clear"):
                await session.run(pop3.User(dovecot.user))
        conn = pop3.Client(Security.CLEARTEXT)
        async with await session_with(kind, dovecot, conn) as session:
            with pytest.raises(CommandFailed):
                await session.run(pop3.User(dovecot.user))

    play(kind, scenario)
