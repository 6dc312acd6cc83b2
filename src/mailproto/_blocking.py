"""What a session awaits, done by waiting: the waits of ``mailproto.sync``.

The socket itself never blocks; we wait for it, with the deadline in sight, and go on
reading while we write.  What a session does is written once, for those that await: here
each wait is over when it returns, so one step runs a coroutine to its end.
"""

from __future__ import annotations

import selectors
import socket
import ssl
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine
from contextlib import suppress
from typing import Any, TypeVar

from ._async import AsyncSession
from ._session import HANDSHAKE, READ_SIZE, Conn, gathered

R = TypeVar("R")
T = TypeVar("T")
_Selector = getattr(selectors, "PollSelector", selectors.SelectSelector)
_READ, _WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE


class TooLate(TimeoutError):
    """The time for a wait is over: no time-out of the network's."""


class Blocking(AsyncSession[Conn]):
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
            raise TooLate(f"nothing happened within {self.timeout} seconds")
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
        except TooLate:
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
            for data in gathered(self.conn.data_to_send()):
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


async def take_next(parts: AsyncIterator[T]) -> T:
    """The next of *parts*, as a wait."""
    return await anext(parts)


async def finish(parts: AsyncGenerator[Any, None]) -> None:
    """Ask for no more of *parts*."""
    await parts.aclose()
