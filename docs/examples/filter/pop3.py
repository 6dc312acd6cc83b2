"""A filter in front of a POP3 server: what is said passes, mail passes if it may."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, suppress
from tempfile import SpooledTemporaryFile
from typing import Any, Final

from mailproto import (
    Bad,
    Chunk,
    Closed,
    CommandFailed,
    End,
    LocalProtocolError,
    MailError,
    Part,
    Security,
    pop3,
)
from mailproto.pop3 import Capability, Reply

from .gateway import CHUNK, Gateway, Judge, Lost, Server, Session, Upstream, serve

IN_MEMORY: Final = 1_048_576  # octets of a message; what is more waits in a file
#: What passes of CAPA: all that is typed, but for what each side has by itself.
_CARRIED = (
    "AUTH-RESP-CODE EXPIRE IMPLEMENTATION LANG LOGIN-DELAY RESP-CODES TOP "
    "UIDL USER UTF8"
)
CARRIED: Final = frozenset(_CARRIED.split())

GONE = Reply(False, "the mail server is gone", "SYS/TEMP")

NewJudge = Callable[[pop3.Retr | pop3.Top], Judge[Reply]]


def pop3_filter(
    judge: NewJudge,
    upstream: Upstream,
    *,
    security: Security = Security.OPTIONAL,
    tls: ssl.SSLContext | None = None,
    host: str = "127.0.0.1",
    port: int = 0,
) -> AbstractAsyncContextManager[Server]:
    """Listen; STLS is offered where there is a *tls*."""

    async def handle(session: Session[pop3.Server]) -> None:
        gateway = _Filter(session, upstream, pop3.Client)
        await gateway.talk(judge, stls=tls is not None)

    return serve(lambda: pop3.Server(security), handle, host=host, port=port, tls=tls)


class _Filter(Gateway[pop3.Server, pop3.Client]):
    """One client's session."""

    async def talk(self, judge: NewJudge, *, stls: bool) -> None:
        try:
            self.server.send(await self._greet())
            while not isinstance(event := await self.heard(), Closed):
                await self._handle(event, judge, stls)
        except Lost:
            with suppress(LocalProtocolError):  # amid a list there is no word for it
                self.server.send(GONE)
        finally:
            await self.cut()  # without QUIT nothing is deleted

    async def _greet(self) -> pop3.Greeting:
        """The server's own greeting: APOP signs the stamp that is in it."""
        try:
            await self.open()
            if self.upstream.conn.tls_demanded:
                await self.run(pop3.Stls())
            with suppress(CommandFailed):
                await self.run(pop3.Capa())
        except CommandFailed as refused:
            return pop3.Greeting(refused.answer.text, False, refused.answer.code)
        except (OSError, MailError, Lost):
            return pop3.Greeting("the mail server is out of reach", False, "SYS/TEMP")
        greeting: pop3.Greeting = self.upstream.greeting
        return greeting

    async def _handle(self, event: Any, judge: NewJudge, stls: bool) -> None:
        send = self.server.send
        try:
            match event:
                case Bad(hint=hint):
                    send(hint)
                case pop3.Stls():
                    send(Reply(True, "go ahead"))
                case pop3.Auth():
                    send(await self.log_in(event, pop3.Challenge))
                case pop3.Retr() | pop3.Top():
                    await self._fetch(event, judge(event))
                case pop3.Capa():
                    await self._capa(event, stls)
                case _:
                    await self._pass(event)
        except LocalProtocolError as error:  # say, APOP, and there was no stamp
            send(Reply(False, str(error)))

    async def _pass(self, command: Any) -> None:
        """Any other command: the server's answer is the answer, line by line."""
        event, begun = await self.ask(command), False
        while isinstance(event, Part):
            if not begun:
                self.server.send(Reply(True))
                begun = True
            self.server.send(event.value)
            await self.flush()
            event = await self.answer()
        if not begun:
            self.server.send(event.answer)
        if event.ok and command.shape.name == "LINES":
            self.server.send(End())

    async def _capa(self, command: pop3.Capa, stls: bool) -> None:
        event = await self.ask(command)
        while isinstance(event, Part):  # the connection keeps them
            event = await self.answer()
        theirs = self.upstream.conn.capabilities
        if not event.ok or theirs is None:
            self.server.send(event.answer)
            return
        ours = [Capability("PIPELINING")]  # one at a time, from the buffer
        if stls and not self.server.tls:
            ours.append(Capability("STLS"))
        if mechanisms := self.mechanisms(theirs.sasl):
            ours.append(Capability("SASL", mechanisms))
        ours += [line for line in theirs.lines if line.keyword in CARRIED]
        if self.cleartext_refused:
            ours = [line for line in ours if line.keyword != "USER"]
        self.server.send(Reply(True))
        for line in ours:
            self.server.send(line)
        self.server.send(End())

    async def _fetch(self, command: Any, judge: Judge[Reply]) -> None:
        """All of a message is here and judged before the client is told +OK."""
        with SpooledTemporaryFile(IN_MEMORY) as spool:
            event = await self.ask(command)
            while isinstance(event, Part):
                judge.feed(event.value.data)
                spool.write(event.value.data)
                event = await self.answer()
            refusal = judge.verdict() if event.ok else event.answer
            self.server.send(refusal or event.answer)
            if refusal is not None:
                return
            spool.seek(0)
            while data := spool.read(CHUNK):
                self.server.send(Chunk(data))
                await self.flush()
        self.server.send(End())
