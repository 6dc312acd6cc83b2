"""What stands around the filter of docs/examples: servers behind it, clients."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from examples.filter import Forbid
from examples.filter.gateway import Upstream
from examples.filter.smtp import NewJudge, smtp_filter
from mailproto import (
    Bad,
    Chunk,
    Closed,
    CommandFailed,
    End,
    RemoteProtocolError,
    Security,
    sasl,
    smtp,
)
from mailproto.asyncio import Session, connect, serve
from mailproto.smtp import Reply
from tests.adapters import client_tls, server_tls

VIRUS = b"a virus, it is"
NO = Reply(550, "there is a virus in it", smtp.EnhancedCode(5, 7, 1))
OLD = ("SIZE 100000000", "8BITMIME")
NEW = (*OLD, "CHUNKING", "PIPELINING")
MAIL, RCPT = smtp.Mail("ann@example.org"), smtp.Rcpt("bob@example.net")
BIG = b"Subject: big\r\n\r\n" + b"0123456789abcdef" * 16000 + b"\r\n"


class Mta:
    """The mail server behind the filter: keeps what it is sent, and what was said."""

    def __init__(self, *words: str) -> None:
        self.words = words
        self.kept: list[bytes] = []
        self.heard: list[Any] = []  # commands, and those that hung up
        self.connections = 0
        self.octets = 0  # of all messages, whatever became of them
        #: what is said in the place of a good answer, by the kind of command
        self.answers: dict[type[Any], Reply | None] = {}
        self.keep = True
        self.over = asyncio.Event()  # a connection has ended

    async def handle(self, session: Session[smtp.Server]) -> None:
        server, text = session.conn, bytearray()
        self.connections += 1
        server.send(smtp.Greeting("mx.example.org"))
        try:
            while not isinstance(event := await session.next_event(), Closed):
                if not isinstance(event, Chunk | End | Bad):
                    self.heard.append(event)
                answer: Any = self.answers.get(type(event), Reply(250, "as you say"))
                if answer is None:
                    return
                match event:
                    case Bad(hint=hint):
                        answer = hint
                    case _ if type(event) in self.answers:
                        pass
                    case Chunk(data=data):
                        self.octets += len(data)
                        if self.keep:
                            text += data
                        continue
                    case smtp.Ehlo():
                        words = [w for w in self.words if w != "STARTTLS"]
                        lines = words if server.tls else self.words
                        offer = tuple(map(smtp.Extension.read, lines))
                        answer = smtp.EhloData("mx.example.org", offer)
                    case smtp.StartTls():
                        answer = Reply(220)
                    case smtp.Xclient():
                        answer = Reply(220, "mx.example.org")
                    case smtp.Auth():
                        answer = await log_in(session, event)
                    case smtp.Rset() | smtp.Mail():
                        text.clear()
                    case smtp.Data():
                        answer = Reply(354)
                    case smtp.Bdat():
                        chunk = event
                        continue
                    case End():
                        if not isinstance(self.heard[-1], smtp.Bdat) or chunk.last:
                            self.kept.append(bytes(text))
                            text.clear()
                    case smtp.Quit():
                        answer = Reply(221)
                server.send(answer)
        except (RemoteProtocolError, OSError) as error:
            self.heard.append(error)
        finally:
            self.over.set()


async def log_in(session: Session[Any], command: Any) -> Reply:
    """The server's side of a log-in of ann, by whatever mechanism."""
    exchange = sasl.MECHANISMS.serve(command.mechanism, sasl.Context())
    assert exchange is not None
    step = exchange.step(command.initial)
    while not isinstance(step, sasl.Accepted | sasl.Rejected):
        match step:
            case sasl.Challenge(data=data):
                session.conn.send(smtp.Challenge(data))
                event = await session.next_event()
                if isinstance(event, smtp.Cancel):
                    return Reply(501, "cancelled")
                step = exchange.step(event.data)
            case sasl.CheckPassword(name=name, password=password):
                step = exchange.supply((name, password) == ("ann", "secret"))
            case sasl.NeedSecret(hash=None):
                step = exchange.supply("secret")
            case sasl.NeedSecret(hash=str(hash)):
                keys = sasl.ScramKeys.derive("secret", hash, b"salt" * 4)
                step = exchange.supply(keys)
    return Reply(235 if isinstance(step, sasl.Accepted) else 535)


def judge(mail: smtp.Mail, rcpts: Sequence[smtp.Rcpt]) -> Forbid[Reply]:
    assert mail.sender == "ann@example.org"
    assert rcpts
    return Forbid(VIRUS, NO)


@asynccontextmanager
async def filtering(
    mta: Mta,
    security: Security = Security.CLEARTEXT,
    behind: Security = Security.CLEARTEXT,
    limits: smtp.Limits | None = None,
    judge: NewJudge = judge,
    **options: Any,
) -> AsyncIterator[int]:
    """A filter before *mta*; its port."""
    limits = limits or smtp.Limits(message=10**8)

    def make() -> smtp.Server:
        return smtp.Server(behind, limits=limits)

    async with serve(make, mta.handle, tls=server_tls(), grace=0.1) as server:
        route = Upstream("localhost", server.port, behind, client_tls())
        front = smtp_filter(judge, route, security=security, **options)
        async with front as listening:
            yield listening.port


@asynccontextmanager
async def talking(
    port: int, security: Security = Security.CLEARTEXT
) -> AsyncIterator[Session[smtp.Client]]:
    conn = smtp.Client(security, strict=True)
    async with await connect(conn, "localhost", port, tls=client_tls()) as session:
        await session.run(smtp.Ehlo("client.example"))
        yield session


def play(scenario: Callable[[], Awaitable[None]]) -> None:
    async def main() -> None:
        async with asyncio.timeout(60):
            await scenario()

    asyncio.run(main())


async def run_all(session: Session[smtp.Client], *commands: Any) -> list[Any]:
    return await session.run_all(commands)


async def send(session: Session[smtp.Client], message: bytes) -> Reply:
    """What the end of *message* is told."""
    await session.run_all([MAIL, RCPT])
    try:
        return (await session.run(smtp.Data(message)))[0]
    except CommandFailed as refused:
        return refused.answer  # type: ignore[no-any-return]
