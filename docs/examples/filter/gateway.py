"""A client on one side, a mail server on the other: what both filters share."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final, Generic, Protocol, TypeVar

from mailproto import Bad, Closed, GoAhead, RemoteProtocolError, Security, sasl, smtp
from mailproto.asyncio import Server, Session, connect, serve

__all__ = [
    "CHUNK",
    "Gateway",
    "Judge",
    "Lost",
    "Server",
    "Session",
    "Upstream",
    "serve",
]

IDLE: Final = 300.0  # seconds that a client may be silent: RFC 5321 4.5.3.2.7
CONNECT: Final = 60.0  # seconds to be greeted: the client waits meanwhile, 300 at most
PATIENCE: Final = 600.0  # seconds for one answer of the server: RFC 5321 4.5.3.2.6
CHUNK: Final = 65536  # octets of a message that go on at once

# Toward the client we are a server, toward the server we are a client.
ServerConn = TypeVar("ServerConn", bound=Any)
ClientConn = TypeVar("ClientConn", bound=Any)
Answer = TypeVar("Answer", covariant=True)
T = TypeVar("T")


class Judge(Protocol[Answer]):
    """Looks at one message as it goes by, and says what becomes of it."""

    def feed(self, data: bytes) -> None:
        """Some more of the message, in order; where it is cut means nothing."""

    def verdict(self) -> Answer | None:
        """All was fed: the refusal that the client is told, or ``None``, it passes."""


@dataclass(frozen=True, slots=True)
class Upstream:
    """Where the mail server is, and what is demanded of TLS on the way to it."""

    host: str
    port: int
    security: Security = Security.STARTTLS
    tls: ssl.SSLContext | None = None  #: by default certificates are verified


class Lost(Exception):
    """The mail server is not to be had any more, and what it was asked is open."""


class Gateway(Generic[ServerConn, ClientConn]):
    """One client, and its own connection to the mail server."""

    def __init__(
        self,
        client: Session[ServerConn],
        route: Upstream,
        make: Callable[[Security], ClientConn],
    ) -> None:
        self.client = client
        self.server = client.conn
        self._route = route
        self._make = make
        self._session: Session[ClientConn] | None = None

    @property
    def upstream(self) -> Session[ClientConn]:
        """The connection to the mail server; raises Lost if there is none."""
        if self._session is None:
            raise Lost
        return self._session

    async def open(self) -> None:
        """Connect; raises CommandFailed if the server greets with a refusal."""
        route = self._route
        conn = self._make(route.security)
        async with asyncio.timeout(CONNECT):
            self._session = await connect(conn, route.host, route.port, tls=route.tls)

    async def cut(self) -> None:
        """Hang up on the mail server, whatever is on its way."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def heard(self) -> Any:
        """The client's next event; TimeoutError if it has nothing to say."""
        async with asyncio.timeout(IDLE):
            return await self.client.next_event()

    async def flush(self) -> None:
        """Wait until the client reads: the server is asked for no more than that."""
        async with asyncio.timeout(IDLE):
            await self.client.flush()

    async def ask(self, command: Any) -> Any:
        """The server's first word on *command*: a Part, a GoAhead, or Completed.

        Raises LocalProtocolError, and nothing was sent, if it cannot be asked now.
        """
        self.upstream.conn.send(command)
        return await self.answer()

    async def run(self, command: Any) -> Any:
        """What *command* is worth; raises CommandFailed if it is refused."""
        return await self._wait(lambda: self.upstream.run(command))

    async def answer(self) -> Any:
        """The server's next word on what was asked."""
        while not hasattr(event := await self._wait(self.upstream.next_event), "call"):
            if isinstance(event, Closed):
                raise Lost  # anything else is a Deviation, mended
        return event

    async def push(self, value: Any) -> None:
        """Send, and wait until the server reads: the client must be no faster."""
        self.upstream.conn.send(value)
        await self._wait(self.upstream.flush)

    async def _wait(self, act: Callable[[], Awaitable[T]]) -> T:
        try:
            async with asyncio.timeout(PATIENCE):
                return await act()
        except (OSError, RemoteProtocolError) as error:
            await self.cut()
            raise Lost from error

    # -- log-ins ---------------------------------------------------------------

    @property
    def cleartext_refused(self) -> bool:
        """Whether a password would cross one of the sides in the clear."""
        conn = self.upstream.conn
        safe = conn.tls or conn.security is Security.CLEARTEXT
        return not safe or bool(self.server.cleartext_refused)

    def mechanisms(self, offered: tuple[str, ...]) -> tuple[str, ...]:
        """Those that can be passed through, of those that the server offers.

        Not what is bound to the TLS of one side (-PLUS, EXTERNAL), and no password
        that would cross either side in the clear.
        """
        refused = self.cleartext_refused
        return tuple(
            name
            for name in offered
            if not name.endswith("-PLUS")
            and name != "EXTERNAL"
            and not (refused and sasl.reveals_secret(name))
        )

    async def log_in(self, command: Any, challenge: Callable[[bytes], Any]) -> Any:
        """Pass a log-in through, word for word; what the client is told at the end."""
        event = await self.ask(command)
        while isinstance(event, GoAhead):
            self.server.send(challenge(event.data))
            response = await self.heard()
            if isinstance(response, Bad):
                await self.ask(smtp.Cancel())  # the same in all protocols
                return response.hint
            event = await self.ask(response)
        return event.answer
