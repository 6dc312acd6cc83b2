"""SMTP through the adapters: ours against ours, and the standard library's client."""

from __future__ import annotations

import smtplib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from mailproto import Bad, Chunk, Closed, End, Security, smtp, sync
from mailproto.smtp import Reply
from tests.adapters import KINDS, client_tls, connect, play, server_tls
from tests.messages import MESSAGES

EXTENSIONS = ("PIPELINING", "8BITMIME", "CHUNKING", "STARTTLS", "SIZE 36700160")


def hello(tls: bool) -> smtp.EhloData:
    lines = [line for line in EXTENSIONS if not (tls and line == "STARTTLS")]
    return smtp.EhloData("localhost", tuple(map(smtp.Extension.read, lines)))


@contextmanager
def receiving(security: Security) -> Iterator[tuple[int, list[bytes]]]:
    """A server that keeps what it is sent; its port, and what that was."""
    kept: list[bytes] = []

    def handler(session: Any) -> None:
        server = session.conn
        server.send(smtp.Greeting("localhost"))
        text = bytearray()
        while not isinstance(event := session.next_event(), Closed):
            match event:
                case Bad(hint=hint):
                    server.send(hint)
                case smtp.Ehlo():
                    server.send(hello(server.tls))
                case smtp.Data():
                    server.send(Reply(354))
                case Chunk(data=data):
                    text += data
                case End():
                    kept.append(bytes(text))
                    text.clear()
                    server.send(Reply(250, "kept"))
                case smtp.Bdat():
                    continue
                case smtp.StartTls():
                    server.send(Reply(220))
                case smtp.Quit():
                    server.send(Reply(221))
                case _:
                    server.send(Reply(250))

    with sync.serve(lambda: smtp.Server(security), handler, tls=server_tls()) as server:
        yield server.port, kept


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("security", [Security.CLEARTEXT, Security.STARTTLS])
def test_messages_arrive_octet_for_octet(kind: str, security: Security) -> None:
    async def scenario() -> None:
        conn = smtp.Client(security, strict=True)
        async with await connect(kind, conn, port) as session:
            await session.run(smtp.Ehlo("client.example"))
            if security is Security.STARTTLS:
                await session.run(smtp.StartTls())
                await session.run(smtp.Ehlo("client.example"))
            body = smtp.Body(smtp.BodyType.EIGHTBITMIME)
            for message in MESSAGES.values():
                sender = smtp.Mail("ann@example.org", body)
                recipient = smtp.Rcpt("bob@example.net")
                answers = await session.run_all([sender, recipient, smtp.Data(message)])
                assert answers[-1][-1].code == 250
            await session.run(smtp.Quit())

    with receiving(security) as (port, kept):
        play(kind, scenario)
    assert kept == list(MESSAGES.values())


def test_smtplib_is_understood() -> None:
    with receiving(Security.STARTTLS) as (port, kept):
        with smtplib.SMTP("localhost", port, timeout=20) as mail:
            mail.starttls(context=client_tls())
            for message in MESSAGES.values():
                mail.sendmail("ann@example.org", ["bob@example.net"], message)
        assert kept == list(MESSAGES.values())
