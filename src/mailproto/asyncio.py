"""asyncio transports under any mailproto connection.

No StreamReader: its buffer would stand between the socket and the connection, and what
waits there before a handshake is handed out after it, as if it had come through TLS.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, Final, TypeVar, cast

from ._async import AsyncSession
from ._connection import Connection
from ._session import GRACE, HANDSHAKE, HIGH_WATER, Conn, gathered, last_word

LINGER: Final = 0.05  # seconds for the last octets of those that are cut off

AnyConn = TypeVar("AnyConn", bound=Connection[Any, Any])
_log = logging.getLogger(__name__)


class Session(AsyncSession[Conn], asyncio.Protocol):
    """A connection, a transport, and the loop between them.

    Put a time limit around whatever you await.  A wait for an answer that is given up
    leaves the session as it is: the answer will be late, and never taken for another.
    """

    def __init__(
        self,
        conn: Conn,
        *,
        tls: ssl.SSLContext | None = None,
        server_hostname: str | None = None,
    ) -> None:
        super().__init__(conn)
        self._tls = tls
        self._hostname = server_hostname
        self._transport: asyncio.Transport
        self._readable = asyncio.Event()
        self._writable = asyncio.Event()
        self._writable.set()
        self._lost = asyncio.Event()
        self._error: Exception | None = None  # what the connection was lost by
        self._writing = False

    @property
    def ssl_object(self) -> ssl.SSLObject | None:
        """For the certificate, the channel binding, the version of TLS."""
        found: ssl.SSLObject | None = self._transport.get_extra_info("ssl_object")
        return found

    @property
    def peer(self) -> tuple[str, int]:
        """The address at the other end of the socket, and the port."""
        host, port, *_ = self._transport.get_extra_info("peername")
        return host, port

    @property
    def unsent(self) -> int:
        """Octets that the system has not yet taken, since the peer does not read."""
        return self._transport.get_write_buffer_size()

    async def write(self, data: bytes) -> None:
        """Write octets of which the connection knows nothing: to err on purpose."""
        if data and not self._transport.is_closing():
            self._transport.write(data)
        await self._writable.wait()

    async def close(self) -> None:
        """Close at once.  What the protocol says at the end, a QUIT, you ``run``."""
        self._closed = self._closed or "you closed it"
        self._transport.close()
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(GRACE):  # what is written goes out
                    await self._lost.wait()
        finally:
            if not self._lost.is_set():  # in time; or nobody waits for it any more
                self._transport.abort()

    # -- waiting ---------------------------------------------------------------

    async def _read(self) -> None:
        if self._error is not None and not self._readable.is_set():
            raise self._error
        self._resume_reading()
        await self._readable.wait()
        self._readable.clear()

    async def _read_until(self, deadline: float) -> bool:
        # A connection that was lost by a time-out is at its end: next_event tells.
        with suppress(TimeoutError):
            async with asyncio.timeout_at(deadline) as limit:
                await self._read()
        return not limit.expired()

    def _clock(self) -> float:
        return asyncio.get_running_loop().time()

    async def _write(self) -> bool:
        out = self.conn.data_to_send()
        if not self._transport.is_closing():
            # Not writelines: in Python 3.12 to 3.12.8, 3.13 and 3.13.1 it does not tell
            # that the peer does not read (CVE-2024-12254).
            for piece in gathered(out):
                self._transport.write(piece)
        if not self._writable.is_set():
            self._writing = True
            self._resume_reading()
            try:
                await self._writable.wait()
            finally:
                self._writing = False
        return False  # _readable tells

    def _resume_reading(self) -> None:
        if not self._transport.is_closing():
            self._transport.resume_reading()

    async def _start_tls(self) -> None:
        if not self.conn.tls_due:
            return  # what came while we wrote is plaintext: next_event tells
        server_side, context = self._tls_side(self._tls)
        # Before the await: the peer's first words may be decrypted in the turn of
        # the loop that ends the handshake, ahead of this task.  Nothing can come in
        # the clear meanwhile: start_tls stops reading before it first waits.
        self.conn.tls_started()
        try:
            upgraded = await asyncio.get_running_loop().start_tls(
                self._transport,
                self,
                context,
                server_side=server_side,
                server_hostname=None if server_side else self._hostname,
                ssl_handshake_timeout=HANDSHAKE,
            )
        except BaseException as error:
            self._closed = f"it was cut off by {error!r}"
            self._transport.abort()
            self._lost.set()  # nobody tells while TLS has the transport
            raise
        if upgraded is None:  # the connection was lost amid the handshake
            raise ConnectionResetError("connection lost in the TLS handshake")
        self._transport = upgraded

    # -- what asyncio calls ----------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self.conn.receive_data(data)
        if self.conn.buffered > (self._backlog if self._writing else HIGH_WATER):
            self._transport.pause_reading()
        self._readable.set()

    def eof_received(self) -> bool:
        self.conn.receive_data(b"")
        self._readable.set()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._error = exc
        self.conn.receive_data(b"")
        self._lost.set()
        self._readable.set()
        self._writable.set()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()


async def connect(
    conn: AnyConn,
    host: str,
    port: int,
    *,
    tls: ssl.SSLContext | None = None,
    server_hostname: str | None = None,
) -> Session[AnyConn]:
    """A session with *host*, greeted: ``greeting`` is what the server said first.

    TLS comes when *conn* says so.  *tls* is by default a context that verifies the
    certificate, for *server_hostname* or else *host*.  Raises CommandFailed if the
    server greets with a refusal, and whatever the network raises.
    """
    _, session = await asyncio.get_running_loop().create_connection(
        lambda: Session(conn, tls=tls, server_hostname=server_hostname or host),
        host,
        port,
        happy_eyeballs_delay=0.25,  # RFC 8305
    )
    try:
        await session._greet()
    except BaseException:
        session._transport.abort()
        raise
    return session


class Server:
    """Tasks that serve connections; see ``serve``."""

    def __init__(
        self, handler: Callable[[Session[Any]], Awaitable[None]], max_connections: int
    ) -> None:
        self._handler = handler
        self._max = max_connections
        # The loop keeps no task alive.
        self._sessions: dict[asyncio.Task[None], Session[Any]] = {}
        self.host: str
        self.port: int

    def connected(self, session: Session[Any]) -> None:
        if len(self._sessions) >= self._max:
            session._transport.abort()
            return
        task = asyncio.get_running_loop().create_task(self._serve(session))
        self._sessions[task] = session
        task.add_done_callback(self._sessions.pop)

    async def _serve(self, session: Session[Any]) -> None:
        async with session:
            try:
                await session._greet()
                await self._handler(session)
            except Exception as error:
                last_word(session.conn, error, _log)
            with suppress(Exception):
                await session.flush()

    async def drain(self, grace: float) -> None:
        if not self._sessions:
            return
        _, late = await asyncio.wait(self._sessions, timeout=grace)
        for task in late:
            task.cancel()
        if late:  # what is written goes out; an answer to TLS's farewell may not come
            _, late = await asyncio.wait(late, timeout=LINGER)
        for task in late:
            self._sessions[task]._transport.abort()
        await asyncio.gather(*late, return_exceptions=True)


class _Served(Session[Conn]):
    def __init__(self, conn: Conn, tls: ssl.SSLContext | None, server: Server) -> None:
        super().__init__(conn, tls=tls)
        self._server: Server | None = server

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        if self._server is not None:  # TLS calls once more
            server, self._server = self._server, None
            server.connected(self)


@asynccontextmanager
async def serve(
    make_conn: Callable[[], AnyConn],
    handler: Callable[[Session[AnyConn]], Awaitable[None]],
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    tls: ssl.SSLContext | None = None,
    max_connections: int = 1000,
    grace: float = GRACE,
) -> AsyncIterator[Server]:
    """Serve each connection by *handler*, in a task of its own.

    One more than *max_connections* is closed at once.  A handler that fails ends its
    own connection and no other.  At the end those that are there get *grace* seconds.
    """
    server = Server(handler, max_connections)
    listener = await asyncio.get_running_loop().create_server(
        lambda: _Served(make_conn(), tls, server),
        host,
        port,
        # Who finds no place in the queue may wait for a greeting for ever.
        backlog=max_connections,
    )
    server.host, server.port = listener.sockets[0].getsockname()[:2]
    try:
        yield server
    finally:
        listener.close()
        await server.drain(grace)
