"""What the sessions of all adapters do, awaiting nothing but their own waits.

An adapter fills in its waits: ``_write`` what the connection has to say, ``_read``
something for it, be it ``_read_until`` some time by its ``_clock``, ``_start_tls``.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Self, TypeVar

from ._command import Command, Flow, Script
from ._connection import NEED_DATA, START_TLS, ClientConnection, Signal
from ._session import LATE, Conn, Handed, SessionCore, Talk, Within, greeted, one

R = TypeVar("R")
T = TypeVar("T")


class AsyncSession(SessionCore[Conn]):
    """See ``mailproto.asyncio.Session`` and ``mailproto.trio.Session``."""

    async def run(
        self: AsyncSession[ClientConnection[Any]], what: Command[R] | Script[R]
    ) -> R:
        """Run a command or a script; its result, or CommandFailed if it is refused."""
        with self._operation():
            return await self._finish(self._run(what))

    async def run_all(
        self: AsyncSession[ClientConnection[Any]], commands: Sequence[Command[R]]
    ) -> list[R]:
        """Run them all, pipelined where that is allowed; their results, in order.

        The first refusal is raised, once all of them are answered.
        """
        with self._operation():
            return await self._finish(self._run_all(commands))

    async def stream(
        self: AsyncSession[ClientConnection[Any]], what: Command[Any] | Flow[T]
    ) -> AsyncGenerator[Any, None]:
        """The parts of the answer to a command, or what a flow hands over."""
        talk = self._flow(one(what) if isinstance(what, Command) else what)
        with self._operation():
            try:
                step = next(talk)
                while True:
                    if isinstance(step, Handed):
                        yield step.value
                        step = next(talk)
                    else:
                        step = talk.send(await self._event(step))
            except StopIteration:
                return
            finally:
                talk.close()

    async def next_event(self, within: float | None = None) -> Any:
        """The next event that answers nothing that ``run`` asked.

        ``None`` if there is none *within* so many seconds.
        """
        with self._operation():
            event = self._claimed()
            if event is None:
                event = await self._event(None if within is None else Within(within))
            return None if event is LATE else event

    async def flush(self) -> None:
        """Write what the connection has to say."""
        with self._operation():
            await self._write()

    @abstractmethod
    async def close(self) -> None:
        """Close at once.  What the protocol says at the end, a QUIT, you ``run``."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.close()

    # -- waiting ---------------------------------------------------------------

    @contextmanager
    def _operation(self) -> Iterator[None]:
        self._own()
        try:
            yield
        finally:
            self._disown()

    async def _finish(self, talk: Talk[R]) -> R:
        try:
            next(talk)
            while True:
                talk.send(await self._event())
        except StopIteration as stop:
            value: R = stop.value
            return value
        finally:
            talk.close()

    async def _event(self, within: Within | None = None) -> Any:
        while True:
            # A wait that is given up amid writing must not lose what was handed over.
            event = self._handed or self.conn.next_event()
            self._handed = None if isinstance(event, Signal) else event
            heard = await self._write()
            self._handed = None
            if event is NEED_DATA:
                if not heard and not await self._heard_within(within):
                    return LATE
            elif event is START_TLS:
                await self._start_tls()
            else:
                self._check_paused(event)
                return event

    async def _heard_within(self, within: Within | None) -> bool:
        """Read something; ``False`` if the time for it is over."""
        if within is None:
            await self._read()
            return True
        if within.deadline is None:
            within.deadline = self._clock() + within.seconds
        return await self._read_until(within.deadline)

    async def _greet(self) -> None:
        """A client waits for the greeting, a server for what comes before its own."""
        with self._operation():
            if isinstance(self.conn, ClientConnection):
                while not hasattr(event := await self._event(), "ok"):
                    self._leave(event)  # a Deviation
                self.greeting = greeted(event)
            else:
                while (signal := self.conn.next_event()) in (NEED_DATA, START_TLS):
                    wait = self._read if signal is NEED_DATA else self._start_tls
                    await wait()

    @abstractmethod
    async def _write(self) -> bool:
        """Whether something was read meanwhile, and another look is due."""

    @abstractmethod
    async def _read(self) -> None: ...

    @abstractmethod
    async def _read_until(self, deadline: float) -> bool:
        """The same, but ``False`` once ``_clock`` says *deadline*."""

    @abstractmethod
    def _clock(self) -> float: ...

    @abstractmethod
    async def _start_tls(self) -> None: ...
