"""A filter in front of an SMTP server: what is said passes, mail passes if it may."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager, suppress
from functools import partial
from typing import Any, Final

from mailproto import (
    Bad,
    Chunk,
    Closed,
    CommandFailed,
    Completed,
    End,
    LocalProtocolError,
    MailError,
    Security,
    smtp,
)
from mailproto.smtp import EhloData, EnhancedCode, Mail, Rcpt, Reply

from .gateway import CHUNK, Gateway, Judge, Lost, Server, Session, Upstream, serve

#: What the client is offered if the server offers it: all that is typed, so that it
#: passes as it is.  Not here: what each side has by itself (STARTTLS, AUTH, REQUIRETLS,
#: PIPELINING); what hands mail over behind our back (BURL, ATRN); what only we may say
#: (XCLIENT, XFORWARD); what nobody here knows, for it may be any of those.
_CARRIED = (
    "8BITMIME BINARYMIME CHUNKING DELIVERBY DSN ENHANCEDSTATUSCODES ETRN EXPN "
    "FUTURERELEASE HELP LIMITS MT-PRIORITY RRVS SIZE SMTPUTF8 VRFY"
)
CARRIED: Final = frozenset(_CARRIED.split())

NewJudge = Callable[[Mail, Sequence[Rcpt]], Judge[Reply]]

GONE = Reply(421, "the mail server is gone", EnhancedCode(4, 4, 2))
UNREACHABLE = Reply(451, "the mail server is out of reach", EnhancedCode(4, 4, 1))
IDLE = Reply(421, "nothing was said for too long", EnhancedCode(4, 4, 2))
AGAIN = Reply(421, "please connect again", EnhancedCode(4, 3, 2))
SO_FAR = Reply(250, "so far, so good")
MALFORMED = Reply(550, "a CR or LF by itself, or a NUL", EnhancedCode(5, 6, 0))
EARLY = Reply(503, "say EHLO first", EnhancedCode(5, 5, 1))


def smtp_filter(
    judge: NewJudge,
    upstream: Upstream,
    *,
    security: Security = Security.OPTIONAL,
    tls: ssl.SSLContext | None = None,
    name: str = "localhost",
    host: str = "127.0.0.1",
    port: int = 0,
) -> AbstractAsyncContextManager[Server]:
    """Listen as *name*; STARTTLS is offered where there is a *tls*."""

    async def handle(session: Session[smtp.Server]) -> None:
        await _Filter(session, upstream, judge, name, tls is not None).talk()

    # The size of a message is for the server to limit: here it only passes by.
    limits = smtp.Limits(message=2**62)
    make = partial(smtp.Server, security, limits=limits)
    return serve(make, handle, host=host, port=port, tls=tls)


class _Filter(Gateway[smtp.Server, smtp.Client]):
    """One client's session."""

    def __init__(
        self,
        client: Session[smtp.Server],
        route: Upstream,
        judge: NewJudge,
        name: str,
        starttls: bool,
    ) -> None:
        super().__init__(client, route, smtp.Client)
        self._new_judge = judge
        self._name = name
        self._starttls = starttls
        self._hello: smtp.Hello[Any] | None = None
        self._mail = Mail("")
        self._rcpts: list[Rcpt] = []
        # Of the message that comes:
        self._judge: Judge[Reply] | None = None
        self._held = bytearray()  # of it, not sent on yet
        self._begun = False  # DATA was said, and some of it is on its way
        self._refusal: Reply | None = None

    async def talk(self) -> None:
        self.server.send(smtp.Greeting(f"{self._name} ESMTP"))
        try:
            while not isinstance(event := await self.heard(), Closed):
                try:
                    self.server.send(await self._handle(event))
                except Lost:
                    self.server.send(GONE)
        except TimeoutError:
            self.server.send(IDLE)
        finally:
            await self.cut()

    async def _handle(self, event: Any) -> Reply | EhloData:
        match event:
            case Bad(hint=Reply() as hint):
                return hint
            case smtp.Ehlo() | smtp.Helo():
                self._hello = event
                return await self._greet(event)
            case smtp.StartTls():
                await self.cut()  # what was said in the clear counts no more
                self._hello = None
                return Reply(220, "go ahead")
            case smtp.Quit() if self._session is None:
                return Reply(221, "bye")
            case smtp.Noop() | smtp.Rset() if self._hello is None:
                return Reply(250)
            case smtp.Data() | smtp.Bdat():
                return await self._take(event)
        refusal = await self._reopen()
        if refusal is not None:
            return refusal
        if isinstance(event, smtp.Auth):
            return await self.log_in(event, smtp.Challenge)  # type: ignore[no-any-return]
        return await self._pass(event)

    async def _pass(self, command: Any) -> Reply:
        """Any other command: the server's answer is the answer."""
        if isinstance(command, Mail):
            told = self._who(self._offered.xforward)
            if told and not (event := await self.ask(smtp.Xforward(told))).ok:
                return event.answer  # type: ignore[no-any-return]
        try:
            answer: Reply = (await self.ask(command)).answer
        except LocalProtocolError:  # beyond LIMITS, of which HELO does not tell
            return Reply(452, "too much for one session", EnhancedCode(4, 5, 3))
        if answer.ok and isinstance(command, Mail):
            self._mail, self._rcpts = command, []
        elif answer.ok and isinstance(command, Rcpt):
            self._rcpts.append(command)
        elif isinstance(command, smtp.Rset):
            self._forget()
        return answer

    # -- who is there ----------------------------------------------------------

    async def _greet(self, hello: smtp.Hello[Any]) -> Reply | EhloData:
        """What EHLO is answered: only now is a connection to the server needed."""
        self._forget()
        try:
            if self._session is None:
                await self.open()
                await self._introduce(hello)
            else:
                await self._say_hello(hello.domain)
        except CommandFailed as refused:  # in the greeting, or thereafter
            await self.cut()
            answer = refused.answer
            return answer.reply if isinstance(answer, smtp.Greeting) else answer
        except (OSError, MailError, Lost):
            await self.cut()
            return UNREACHABLE
        offer = self._offer()
        return offer if isinstance(hello, smtp.Ehlo) else Reply(250, offer.domain)

    async def _introduce(self, hello: smtp.Hello[Any]) -> None:
        await self._say_hello(hello.domain)
        if self.upstream.conn.tls_demanded:
            await self.run(smtp.StartTls())
            await self._say_hello(hello.domain)
        told = self._who(self._offered.xclient)
        if told:
            await self.run(smtp.Xclient(told))
            await self._say_hello(hello.domain)

    async def _say_hello(self, domain: str) -> None:
        try:
            await self.run(smtp.Ehlo(domain))
        except CommandFailed as refused:
            if refused.answer.code not in (500, 502, 504):
                raise
            await self.run(smtp.Helo(domain))

    async def _reopen(self) -> Reply | None:
        """Connect anew where we had to hang up; or why the client must do so."""
        if self._session is not None:
            return None
        if self._hello is None:
            return EARLY
        if self.server.authenticated:
            return AGAIN  # it was passed through: we cannot repeat it
        answer = await self._greet(self._hello)
        if isinstance(answer, Reply):
            return None if answer.ok else answer
        return None if answer == self.server.capabilities else AGAIN

    @property
    def _offered(self) -> EhloData:
        """What the server offers: nothing, if it knows of no EHLO."""
        return self.upstream.conn.capabilities or EhloData("")

    def _offer(self) -> EhloData:
        """What the client is offered."""
        theirs, server = self._offered, self.server
        ours = [smtp.Extension("PIPELINING")]  # one at a time, from the buffer
        if self._starttls and not server.tls:
            ours.append(smtp.Extension("STARTTLS"))
        if theirs.requiretls and server.tls and self.upstream.conn.tls:
            ours.append(smtp.Extension("REQUIRETLS"))
        if mechanisms := self.mechanisms(theirs.sasl):
            ours.append(smtp.Extension("AUTH", mechanisms))
        ours += [line for line in theirs.extensions if line.keyword.upper() in CARRIED]
        return EhloData(theirs.domain or self._name, tuple(ours))

    def _who(self, known: frozenset[str]) -> tuple[tuple[str, str], ...]:
        """The client, in those attributes that the server wants to know."""
        assert self._hello is not None
        host, port = self.client.peer
        told = {
            "NAME": "[UNAVAILABLE]",
            "ADDR": f"IPV6:{host}" if ":" in host else host,
            "PORT": str(port),
            "HELO": self._hello.domain,
            "PROTO": "ESMTP" if isinstance(self._hello, smtp.Ehlo) else "SMTP",
        }
        return tuple(pair for pair in told.items() if pair[0] in known)

    # -- a message -------------------------------------------------------------

    async def _take(self, content: smtp.Data | smtp.Bdat) -> Reply:
        """All of DATA, or one chunk of BDAT: what the client is told of it."""
        if self._judge is None:
            self._judge = self._new_judge(self._mail, tuple(self._rcpts))
        if isinstance(content, smtp.Data):
            self.server.send(Reply(354, "go ahead"))
        while isinstance(event := await self.heard(), Chunk):
            self._judge.feed(event.data)
            if self._refusal is None:  # otherwise it is only read past
                self._held += event.data
                if len(self._held) >= CHUNK:
                    answer = await self._send_on(last=False)
                    self._refusal = None if answer.ok else answer
        if isinstance(event, Bad):  # in the place of an End
            self._refusal = event.hint
        if self._refusal is None and not content.ends_message:
            return SO_FAR
        answer = self._refusal or self._judge.verdict() or SO_FAR
        if answer.ok:
            answer = await self._send_on(last=True)
        if not answer.ok:
            await self._drop()
        self._forget()
        return answer

    async def _send_on(self, *, last: bool) -> Reply:
        """Send what is held, as the end of the message or not: the server's answer."""
        data = bytes(self._held)
        self._held.clear()
        try:
            if self._offered.chunking:
                event = await self.ask(smtp.Bdat.of(data, last=last))
            elif last and not self._begun:
                event = await self.ask(smtp.Data(data))
            else:
                return await self._send_text(data, last=last)
        except LocalProtocolError:  # a bare CR or LF: nothing of this piece was sent
            return MALFORMED
        except Lost:
            return GONE
        answer: Reply = event.answer
        return answer

    async def _send_text(self, data: bytes, *, last: bool) -> Reply:
        """The same in DATA, which once begun can only be finished or cut off."""
        event = None if self._begun else await self.ask(smtp.Data())
        if not isinstance(event, Completed):  # which would be a refusal
            self._begun = True
            await self.push(Chunk(data))
            if not last:
                return SO_FAR
            event = await self.ask(End())
            self._begun = False
        answer: Reply = event.answer
        return answer

    async def _drop(self) -> None:
        """Take care that nothing of the message is delivered."""
        if self._begun:
            await self.cut()
        elif self._session is not None:
            with suppress(Lost, LocalProtocolError):  # where it is gone, or says so
                await self.ask(smtp.Rset())

    def _forget(self) -> None:
        """There is no transaction any more."""
        self._judge, self._refusal, self._begun = None, None, False
        self._held.clear()
        self._rcpts = []
