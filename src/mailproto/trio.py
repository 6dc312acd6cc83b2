"""trio streams under any mailproto connection."""

from __future__ import annotations

import logging
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Any, TypeVar

import trio

from ._async import AsyncSession
from ._connection import Connection
from ._session import GRACE, HANDSHAKE, READ_SIZE, Conn, gathered, last_word

AnyConn = TypeVar("AnyConn", bound=Connection[Any, Any])
_log = logging.getLogger(__name__)


class Session(AsyncSession[Conn]):
    """A connection, a stream, and the loop between them.

    Put a cancel scope around whatever you await.  A wait for an answer that is given
    up leaves the session as it is: the answer will be late, and never taken for
    another.  One that came amid writing or a handshake closes it.
    """

    def __init__(
        self,
        conn: Conn,
        stream: trio.abc.Stream,
        *,
        tls: ssl.SSLContext | None = None,
        server_hostname: str | None = None,
    ) -> None:
        super().__init__(conn)
        self._stream = stream
        self._heard = False  # something was read while we wrote
        self._tls = tls
        self._hostname = server_hostname

    @property
    def ssl_object(self) -> trio.SSLStream[trio.abc.Stream] | None:
        """For the certificate, the channel binding, the version of TLS."""
        return self._stream if isinstance(self._stream, trio.SSLStream) else None

    @property
    def peer(self) -> tuple[str, int]:
        """The address at the other end of the socket, and the port."""
        stream: Any = self._stream
        while isinstance(stream, trio.SSLStream):
            stream = stream.transport_stream
        host, port, *_ = stream.socket.getpeername()
        return host, port

    async def close(self) -> None:
        """Close at once.  What the protocol says at the end, a QUIT, you ``run``."""
        self._closed = self._closed or "you closed it"
        with suppress(trio.BrokenResourceError), trio.move_on_after(GRACE):
            await self._stream.aclose()

    async def _read(self) -> None:
        self.conn.receive_data(await self._stream.receive_some(READ_SIZE))

    async def _read_until(self, deadline: float) -> bool:
        with trio.move_on_at(deadline):
            await self._read()
            return True
        return False

    def _clock(self) -> float:
        return trio.current_time()

    async def _write(self) -> bool:
        out = self.conn.data_to_send()
        if not out:
            return False
        self._heard = False
        failure: BaseException | None = None
        # The peer may not read, because it waits for us to read: so we do both.
        async with trio.open_nursery() as nursery:
            if not self.conn.tls_due:
                nursery.start_soon(self._read_on)
            try:
                for data in gathered(out):
                    await self._stream.send_all(data)
            except BaseException as error:
                self._closed = f"it was cut off by {error!r}"
                if isinstance(error, trio.Cancelled):
                    raise
                failure = error
            nursery.cancel_scope.cancel()
        if failure is not None:
            raise failure
        return self._heard

    async def _read_on(self) -> None:
        while self.conn.buffered < self._backlog:
            try:
                data = await self._stream.receive_some(READ_SIZE)
            except trio.BrokenResourceError:
                return  # whoever writes will see it too
            self.conn.receive_data(data)
            self._heard = True
            if not data:
                return

    async def _start_tls(self) -> None:
        server_side, context = self._tls_side(self._tls)
        stream = trio.SSLStream(
            self._stream,
            context,
            server_side=server_side,
            server_hostname=None if server_side else self._hostname,
            https_compatible=True,  # an end without close_notify is an end
        )
        self._stream = stream
        try:
            with trio.fail_after(HANDSHAKE):
                await stream.do_handshake()
        except BaseException as error:
            self._closed = f"it was cut off by {error!r}"
            raise
        self.conn.tls_started()


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
    stream = await trio.open_tcp_stream(host, port)
    session = Session(conn, stream, tls=tls, server_hostname=server_hostname or host)
    try:
        await session._greet()
    except BaseException:
        await trio.aclose_forcefully(session._stream)
        raise
    return session


class Server:
    """Tasks that serve connections; see ``serve``."""

    def __init__(
        self,
        make_conn: Callable[[], Connection[Any, Any]],
        handler: Callable[[Session[Any]], Awaitable[None]],
        tls: ssl.SSLContext | None,
        max_connections: int,
    ) -> None:
        self._make_conn = make_conn
        self._handler = handler
        self._tls = tls
        self._room = trio.CapacityLimiter(max_connections)
        self.host: str
        self.port: int

    async def serve(self, stream: trio.SocketStream) -> None:
        try:
            self._room.acquire_nowait()
        except trio.WouldBlock:
            await trio.aclose_forcefully(stream)
            return
        try:
            await self._serve(Session(self._make_conn(), stream, tls=self._tls))
        finally:
            self._room.release()

    async def _serve(self, session: Session[Any]) -> None:
        async with session:
            try:
                await session._greet()
                await self._handler(session)
            except (trio.BrokenResourceError, trio.TooSlowError):
                return
            except Exception as error:
                last_word(session.conn, error, _log)
            with suppress(Exception):
                await session.flush()


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
    server = Server(make_conn, handler, tls, max_connections)
    async with trio.open_nursery() as handlers:
        listen = partial(trio.serve_tcp, server.serve, port, host=host)
        async with trio.open_nursery() as nursery:
            listeners = await nursery.start(partial(listen, handler_nursery=handlers))
            server.host, server.port = listeners[0].socket.getsockname()[:2]
            try:
                yield server
            finally:
                nursery.cancel_scope.cancel()
        handlers.cancel_scope.deadline = trio.current_time() + grace
