"""Blocking sockets under any mailproto connection.

``timeout`` is for a whole operation, not for each read: a peer that drips does not win.
The socket itself never blocks; we wait for it, with the deadline in sight, and go on
reading while we write.  What a session does is written once, for those that await: here
each wait is over when it returns, so one step runs a coroutine to its end.
"""

from __future__ import annotations

import logging
import selectors
import socket
import ssl
import threading
import time
from collections import deque
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Callable,
    Coroutine,
    Iterator,
    Sequence,
)
from contextlib import suppress
from typing import Any, Generic, Self, TypeVar

from ._async import AsyncSession
from ._command import Command, Flow, Script
from ._connection import ClientConnection, Connection
from ._session import GRACE, HANDSHAKE, READ_SIZE, Conn, last_word

AnyConn = TypeVar("AnyConn", bound=Connection[Any, Any])
R = TypeVar("R")
T = TypeVar("T")
_log = logging.getLogger(__name__)
_Selector = getattr(selectors, "PollSelector", selectors.SelectSelector)
_READ, _WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE


class _TooLate(TimeoutError):
    """The time for a wait is over: no time-out of the network's."""


class _Blocking(AsyncSession[Conn]):
    """A session whose waits block: what it awaits is done when it comes back."""

    def __init__(
        self,
        conn: Conn,
        sock: socket.socket,
        tls: ssl.SSLContext | None,
        server_hostname: str | None,
        timeout: float | None,
    ) -> None:
        super().__init__(conn)
        sock.setblocking(False)
        self.sock = sock
        self.timeout = timeout
        self._tls = tls
        self._hostname = server_hostname
        self._deadline: float | None = None

    def now(self, wait: Coroutine[Any, Any, R]) -> R:
        """What *wait* returns, within the time for one operation."""
        start = time.monotonic()
        self._deadline = None if self.timeout is None else start + self.timeout
        try:
            wait.send(None)
        except StopIteration as stop:
            value: R = stop.value
            return value
        raise AssertionError("a wait that blocks was put off")

    async def close(self) -> None:
        self._closed = self._closed or "you closed it"
        if isinstance(self.sock, ssl.SSLSocket):
            with suppress(OSError, ValueError):
                self.sock.unwrap()  # says close_notify, and does not wait for theirs
        with suppress(OSError):
            self.sock.close()

    def _wait(self, events: int) -> int:
        left = None if self._deadline is None else self._deadline - time.monotonic()
        with _Selector() as selector:
            selector.register(self.sock, events)
            ready = selector.select(None if left is None else max(left, 0))
        if not ready:
            raise _TooLate(f"nothing happened within {self.timeout} seconds")
        mask: int = ready[0][1]
        return mask

    def _patiently(self, act: Callable[[], T]) -> T:
        """What *act* gives, as soon as the socket lets it."""
        while True:
            try:
                return act()
            except (BlockingIOError, ssl.SSLWantReadError):
                self._wait(_READ)
            except ssl.SSLWantWriteError:
                self._wait(_WRITE)

    async def _read(self) -> None:
        self.conn.receive_data(self._patiently(lambda: self.sock.recv(READ_SIZE)))

    async def _read_until(self, deadline: float) -> bool:
        self._deadline = deadline
        try:
            await self._read()
        except _TooLate:
            return False
        finally:  # a wait that was meant takes nothing of the time for the rest
            left = self.timeout
            self._deadline = None if left is None else time.monotonic() + left
        return True

    def _clock(self) -> float:
        return time.monotonic()

    async def _write(self) -> bool:
        heard = False
        try:
            for data in self.conn.data_to_send():
                heard |= self._write_one(memoryview(data))
        except BaseException as error:
            self._abort(error)
            raise
        return heard

    def _write_one(self, view: memoryview) -> bool:
        heard = False
        while view:
            try:
                view = view[self.sock.send(view) :]
                continue
            except (BlockingIOError, ssl.SSLWantWriteError):
                wanted = _WRITE
            except ssl.SSLWantReadError:
                wanted = _READ
            # The peer does not read.  Perhaps it waits for us to read.
            may_read = self.conn.buffered < self._backlog and not self.conn.tls_due
            if self._wait(wanted | (_READ if may_read else 0)) & _READ and may_read:
                with suppress(BlockingIOError, ssl.SSLWantReadError):
                    self.conn.receive_data(self.sock.recv(READ_SIZE))
                    heard = True
        return heard

    async def _start_tls(self) -> None:
        server_side, context = self._tls_side(self._tls)
        deadline, soon = self._deadline, time.monotonic() + HANDSHAKE
        self._deadline = soon if deadline is None else min(deadline, soon)
        try:
            sock = context.wrap_socket(
                self.sock,
                server_side=server_side,
                server_hostname=None if server_side else self._hostname,
                do_handshake_on_connect=False,
            )
            self.sock = sock
            self._patiently(sock.do_handshake)
        except BaseException as error:
            self._abort(error)
            raise
        self._deadline = deadline
        self.conn.tls_started()

    def _abort(self, error: BaseException) -> None:
        """Amid something that cannot be taken up again."""
        self._closed = f"it was cut off by {error!r}"
        with suppress(OSError):
            self.sock.close()


class Session(Generic[Conn]):
    """A connection, a socket, and the loop between them.

    *timeout* is seconds for each operation; TimeoutError comes after that.  The
    session goes on after one that waited for an answer, which will then be late but
    never taken for another; it is closed by one that came amid writing or a handshake.
    """

    def __init__(
        self,
        conn: Conn,
        sock: socket.socket,
        *,
        tls: ssl.SSLContext | None = None,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> None:
        self.conn: Conn = conn
        self._core = _Blocking(conn, sock, tls, server_hostname, timeout)

    @property
    def greeting(self) -> Any:
        """What the server said first, once ``connect`` has it."""
        return self._core.greeting

    @property
    def unclaimed(self) -> deque[Any]:
        """Events that answered nothing that was asked, oldest first."""
        return self._core.unclaimed

    @property
    def timeout(self) -> float | None:
        return self._core.timeout

    @timeout.setter
    def timeout(self, seconds: float | None) -> None:
        self._core.timeout = seconds

    @property
    def ssl_object(self) -> ssl.SSLSocket | None:
        """For the certificate, the channel binding, the version of TLS."""
        sock = self._core.sock
        return sock if isinstance(sock, ssl.SSLSocket) else None

    def run(self: Session[ClientConnection[Any]], what: Command[R] | Script[R]) -> R:
        """Run a command or a script; its result, or CommandFailed if it is refused."""
        return self._core.now(self._core.run(what))

    def run_all(
        self: Session[ClientConnection[Any]], commands: Sequence[Command[R]]
    ) -> list[R]:
        """Run them all, pipelined where that is allowed; their results, in order.

        The first refusal is raised, once all of them are answered.
        """
        return self._core.now(self._core.run_all(commands))

    def stream(
        self: Session[ClientConnection[Any]], what: Command[Any] | Flow[T]
    ) -> Iterator[Any]:
        """The parts of the answer to a command, or what a flow hands over.

        *timeout* is for each of them, but where a flow sets a time of its own.
        """
        parts = self._core.stream(what)
        try:
            while True:
                yield self._core.now(_next(parts))
        except StopAsyncIteration:
            return
        finally:
            self._core.now(_end(parts))

    def next_event(self, within: float | None = None) -> Any:
        """The next event that answers nothing that ``run`` asked.

        ``None`` if there is none *within* so many seconds, whatever *timeout* is.
        """
        return self._core.now(self._core.next_event(within))

    def flush(self) -> None:
        """Write what the connection has to say."""
        self._core.now(self._core.flush())

    def close(self) -> None:
        """Close at once.  What the protocol says at the end, a QUIT, you ``run``."""
        self._core.now(self._core.close())

    def greet(self) -> None:
        """Wait for the greeting, or for the handshake that comes before it."""
        self._core.now(self._core._greet())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


async def _next(parts: AsyncIterator[T]) -> T:
    return await anext(parts)


async def _end(parts: AsyncGenerator[Any, None]) -> None:
    await parts.aclose()


def connect(
    conn: AnyConn,
    host: str,
    port: int,
    *,
    tls: ssl.SSLContext | None = None,
    server_hostname: str | None = None,
    timeout: float | None = 30.0,
) -> Session[AnyConn]:
    """A session with *host*, greeted: ``greeting`` is what the server said first.

    TLS comes when *conn* says so.  *tls* is by default a context that verifies the
    certificate, for *server_hostname* or else *host*.  Raises CommandFailed if the
    server greets with a refusal, and whatever the network raises.
    """
    sock = socket.create_connection((host, port), timeout)
    session = Session(
        conn, sock, tls=tls, server_hostname=server_hostname or host, timeout=timeout
    )
    try:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        session.greet()
    except BaseException:
        session.close()
        raise
    return session


class Server:
    """Threads that serve connections; see ``serve``."""

    def __init__(
        self,
        make_conn: Callable[[], Connection[Any, Any]],
        handler: Callable[[Session[Any]], None],
        listener: socket.socket,
        tls: ssl.SSLContext | None,
        timeout: float | None,
        max_connections: int,
    ) -> None:
        self._make_conn = make_conn
        self._handler = handler
        self._listener = listener
        self._tls = tls
        self._timeout = timeout
        self._room = threading.BoundedSemaphore(max_connections)
        self._sockets: dict[threading.Thread, socket.socket] = {}
        self._closing = threading.Event()
        self.host: str
        self.port: int
        self.host, self.port = listener.getsockname()[:2]
        self._acceptor = threading.Thread(target=self._accept, daemon=True)
        self._acceptor.start()

    def _accept(self) -> None:
        while not self._closing.is_set():
            try:
                sock, _ = self._listener.accept()
            except OSError:  # closed; or out of file descriptors, which will pass
                self._closing.wait(0.1)
                continue
            if self._closing.is_set() or not self._room.acquire(blocking=False):
                sock.close()
                continue
            thread = threading.Thread(target=self._serve, args=(sock,), daemon=True)
            self._sockets[thread] = sock
            thread.start()

    def _serve(self, sock: socket.socket) -> None:
        conn = self._make_conn()
        session: Session[Any] = Session(
            conn, sock, tls=self._tls, timeout=self._timeout
        )
        try:
            with session:
                try:
                    session.greet()
                    self._handler(session)
                except Exception as error:
                    last_word(conn, error, _log)
                with suppress(Exception):
                    session.flush()
        finally:
            del self._sockets[threading.current_thread()]
            self._room.release()

    def close(self, grace: float = GRACE) -> None:
        """Accept no more; give those that are there *grace* seconds, then cut them."""
        self._closing.set()
        with suppress(OSError):  # wakes accept up
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._acceptor.join()
        end = time.monotonic() + grace
        for thread in list(self._sockets):
            thread.join(max(end - time.monotonic(), 0))
        for thread, sock in list(self._sockets.items()):
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


def serve(
    make_conn: Callable[[], AnyConn],
    handler: Callable[[Session[AnyConn]], None],
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    tls: ssl.SSLContext | None = None,
    timeout: float | None = 600.0,
    max_connections: int = 100,
) -> Server:
    """Serve each connection by *handler*, in a thread of its own.

    One more than *max_connections* is closed at once.  A handler that fails ends its
    own connection and no other.
    """
    listener = socket.create_server((host, port))
    return Server(make_conn, handler, listener, tls, timeout, max_connections)
