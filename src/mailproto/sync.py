"""Blocking sockets under any mailproto connection.

``timeout`` is for a whole operation, not for each read: a peer that drips does not win.
"""

from __future__ import annotations

import logging
import socket
import ssl
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Any, Generic, Self, TypeVar

from ._blocking import Blocking, finish, take_next
from ._command import Command, Flow, Script
from ._connection import ClientConnection, Connection
from ._session import GRACE, Conn, last_word

AnyConn = TypeVar("AnyConn", bound=Connection[Any, Any])
R = TypeVar("R")
T = TypeVar("T")
_log = logging.getLogger(__name__)


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
        self._core = Blocking(conn, sock, tls, server_hostname, timeout)

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

    @property
    def peer(self) -> tuple[str, int]:
        """The address at the other end of the socket, and the port."""
        host, port, *_ = self._core.sock.getpeername()
        return host, port

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
                yield self._core.now(take_next(parts))
        except StopAsyncIteration:
            return
        finally:
            self._core.now(finish(parts))

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
    # Who finds no place in the queue may wait for a greeting for ever.
    listener = socket.create_server((host, port), backlog=max_connections)
    return Server(make_conn, handler, listener, tls, timeout, max_connections)
