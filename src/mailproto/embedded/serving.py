"""All services on one store, in one event loop: what runs in a MailServer's thread."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Coroutine, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from .. import asyncio as aio
from .. import imap, pop3, smtp
from .._command import Chunk, Closed
from .._connection import Security
from ..services import SERVICES, Protocol
from ..smtp import LMTP
from .certificate import Certificates
from .conversations import Conversations
from .faults import GREETING, HANDSHAKE, Faults, Names
from .imap import OFFERED, Imap
from .login import mechanisms
from .messages import Origin
from .misbehaving import misbehave
from .pop3 import Pop3
from .smtp import Smtp
from .store import Store
from .talk import Talk

FLUSHED: Final = 262_144  # octets of messages that may wait to be written
WRITERS: Final = 16  # that may wait for the disk together
GRACE: Final = 2.0  # seconds at the end for who is owed an answer, and reads slowly

#: the services that run
SERVED: Final = (
    "smtp",
    "submission",
    "submissions",
    "lmtp",
    "pop3",
    "pop3s",
    "imap",
    "imaps",
)

_OVER: Final = object()  # behind the last value
_IMAP: Final = imap.Capabilities(
    *OFFERED, *(f"AUTH={name}" for name in mechanisms(cleartext_refused=False))
)


@dataclass(frozen=True, slots=True)
class Options:
    """What ``MailServer`` was told; the parameters are explained there."""

    host: str
    ports: Mapping[str, int]
    cleartext: bool
    apop: bool
    strangers: bool
    login_timeout: float
    idle_timeout: float
    recorded: bool

    def __post_init__(self) -> None:
        unknown = set(self.ports) - set(SERVED)
        if unknown:
            raise ValueError(f"no service here: {', '.join(sorted(unknown))}")
        for name, port in self.ports.items():
            if not 0 <= port < 65536:
                raise ValueError(f"{name} cannot have port {port}: 0 to 65535")


class Guest:
    """A connection that is served: *waiting* while nothing that it said is handled."""

    __slots__ = ("session", "waiting")

    def __init__(self, session: aio.Session[Any]) -> None:
        self.session = session
        self.waiting = False

    @property
    def quiet(self) -> bool:
        """Whether all that it said is answered, and the answers are sent."""
        return self.waiting and not self.session.unsent


class Serving:
    """The services; ``run`` returns soon after ``stop`` was called, in any thread."""

    def __init__(
        self, store: Store, options: Options, certificates: Certificates, faults: Faults
    ) -> None:
        self._store = store
        self._options = options
        self._certificates = certificates
        self._faults = faults
        self._loop: asyncio.AbstractEventLoop
        self._over: asyncio.Event
        self._guests: set[Guest] = set()
        self._listening: set[asyncio.Event] = set()  # each set when mail has changed
        # In a file, to store is to wait for the disk: others are served meanwhile, and
        # those who wait at the same time wait for it once.
        self._aside: ThreadPoolExecutor | None = None
        if store.on_disk:
            self._aside = ThreadPoolExecutor(WRITERS, "mailproto-store")
        self.conversations: Final = Conversations(recorded=options.recorded)
        #: the ports, by the names of the services
        self.ports: dict[str, int] = {}

    async def run(self, started: Callable[[], object]) -> None:
        """Listen; call *started* as soon as all services do.

        Raises OSError if one cannot, and then none does.
        """
        self._loop = asyncio.get_running_loop()
        self._over = asyncio.Event()
        wake = partial(self._loop.call_soon_threadsafe, self._wake)
        listeners: list[AsyncExitStack] = []
        try:
            for name in SERVED:
                listeners.append(AsyncExitStack())
                await self._listen(listeners[-1], name)
            self._store.watchers.add(wake)
            started()
            await self._over.wait()
            with suppress(TimeoutError):
                async with asyncio.timeout(GRACE):
                    await self._quiet()
        finally:
            self._store.watchers.discard(wake)
            await asyncio.gather(*(each.aclose() for each in listeners))
            if self._aside is not None:
                self._aside.shutdown()

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._over.set)

    async def _listen(self, stack: AsyncExitStack, name: str) -> None:
        options, port = self._options, self._options.ports.get(name, 0)
        service = aio.serve(
            partial(self._connection, name),
            partial(self._serve, name),
            host=options.host,
            port=port,
            tls=self._context(name),
            grace=0.0,  # _quiet has waited for all
        )
        try:
            server = await stack.enter_async_context(service)
        except OSError as error:
            where = f"{name} cannot have port {port} of {options.host}"
            why = error.strerror or error  # Python 3.13 has the text alone
            raise OSError(error.errno, f"{where}: {why}") from error
        self.ports[name] = server.port

    def _context(self, name: str) -> ssl.SSLContext:
        """One for each service, if that may show another certificate."""
        context = self._certificates.context()

        def choose(tls: ssl.SSLObject, *_: object) -> None:
            if self._faults.take(name, HANDSHAKE) is not None:
                tls.context = self._certificates.expired()

        if self._certificates.ours:
            context.sni_callback = choose
        return context

    async def _quiet(self) -> None:
        """Wait until nobody is owed an answer; who says more now hears no more."""
        while not all(guest.quiet for guest in self._guests):
            await asyncio.sleep(0.001)

    def _wake(self) -> None:
        for woken in self._listening:
            woken.set()

    # -- one connection --------------------------------------------------------

    def _connection(self, name: str) -> Any:
        """One of the service *name*, as yet without a word; it is listened to."""
        conn = self._machine(name)
        self.conversations.begin(name, conn)
        return conn

    def _machine(self, name: str) -> Any:
        security = SERVICES[name].security
        if security is not Security.IMPLICIT:
            cleartext = self._options.cleartext
            security = Security.CLEARTEXT if cleartext else Security.OPTIONAL
        match SERVICES[name].protocol:
            case Protocol.LMTP:
                return smtp.Server(security, dialect=LMTP)
            case Protocol.POP3:
                return pop3.Server(security)
            case Protocol.IMAP:
                return imap.Server(security, offer=_IMAP)
        return smtp.Server(security)

    def _talk(self, name: str, conn: Any, peer: tuple[str, int]) -> Talk:
        origin = Origin(name, peer=peer)
        match SERVICES[name].protocol:
            case Protocol.POP3:
                apop = self._options.apop
                return Pop3(conn, self._store, "localhost", origin, apop=apop)
            case Protocol.IMAP:
                return Imap(conn, self._store, "localhost", origin)
        return Smtp(
            conn,
            self._store,
            "localhost",
            origin,
            strangers=self._options.strangers and name != "lmtp",
            closed=name.startswith("submission"),
        )

    async def _serve(self, name: str, session: aio.Session[Any]) -> None:
        talk = self._talk(name, session.conn, session.peer)
        self.conversations.meet(session.conn, session.peer)
        guest = Guest(session)
        self._guests.add(guest)
        try:
            await self._converse(name, guest, talk)
        except asyncio.CancelledError:  # at the end; who listens is told
            if talk.farewell is not None:
                with suppress(Exception):
                    session.conn.send(talk.farewell)
                    await session.flush()
            raise
        finally:
            self._guests.discard(guest)
            self.conversations.end(session.conn)
            talk.close()

    async def _converse(self, name: str, guest: Guest, talk: Talk) -> None:
        session = guest.session
        clock, patient = self._loop.time, self._options.idle_timeout
        names = Names()

        async def greet() -> None:
            session.conn.send(talk.greeting())

        fault = self._faults.take(name, GREETING)
        if fault is None:
            await greet()
        elif await misbehave(session, fault, None, None, greet):
            return
        async with asyncio.timeout(self._options.login_timeout) as patience:

            def patiently() -> None:
                patience.reschedule(clock() + patient)

            while True:
                guest.waiting = True
                event = await self._next(session, talk)
                guest.waiting = False
                if isinstance(event, Closed):
                    return
                called = names.of(event)
                fault = self._faults.take(name, called) if called else None
                if fault is None:
                    await self._answer(session, talk, event, patiently)
                else:
                    answer = partial(self._answer, session, talk, event, None)
                    if await misbehave(session, fault, event, names.last, answer):
                        return
                if talk.admitted:
                    patiently()

    async def _answer(
        self,
        session: aio.Session[Any],
        talk: Talk,
        event: Any,
        flushed: Callable[[], None] | None,
    ) -> None:
        """Send what answers *event*; without *flushed*, write nothing of it."""
        waiting = 0
        answer = talk.handle(event)
        aside = self._aside if talk.stores(event) else None
        while (value := await self._after(answer, aside)) is not _OVER:
            aside = None  # what is to be stored is so before a word is said
            session.conn.send(value)
            waiting += _weight(value)
            if waiting >= FLUSHED and flushed is not None:
                await session.flush()
                flushed()
                waiting = 0

    async def _next(self, session: aio.Session[Any], talk: Talk) -> Any:
        """The next event; to a client that listens, news are told meanwhile."""
        if not talk.listening:
            return await session.next_event()
        woken = asyncio.Event()
        woken.set()  # something may have come since it was last looked
        self._listening.add(woken)
        try:
            while True:
                if woken.is_set():
                    woken.clear()
                    await self._tell(session, talk)
                event = await _unless(woken, session.next_event())
                if event is not None:
                    return event
        finally:
            self._listening.discard(woken)

    async def _tell(self, session: aio.Session[Any], talk: Talk) -> None:
        news = talk.news()
        while (value := await self._after(news, self._aside)) is not _OVER:
            session.conn.send(value)
        await session.flush()

    async def _after(
        self, answer: Iterator[Any], aside: ThreadPoolExecutor | None
    ) -> Any:
        """The next value of *answer*, or ``_OVER``; what makes it may run *aside*."""
        if aside is None:
            return next(answer, _OVER)
        made = self._loop.run_in_executor(aside, next, answer, _OVER)
        try:
            return await asyncio.shield(made)
        except asyncio.CancelledError:
            # It can not be stopped, and needs what is let go of when we leave.
            while not made.done():
                with suppress(asyncio.CancelledError):
                    await asyncio.wait({made})
            raise


async def _unless(woken: asyncio.Event, coming: Coroutine[Any, Any, Any]) -> Any:
    """What *coming* gives; it is given up, for ``None``, when *woken* is set."""
    event = asyncio.ensure_future(coming)
    changed = asyncio.ensure_future(woken.wait())
    try:
        await asyncio.wait({event, changed}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        changed.cancel()
        if not event.done():
            event.cancel()
        # Their errors are had, too: of one that is not, asyncio complains.
        await asyncio.gather(event, changed, return_exceptions=True)
    return None if event.cancelled() else event.result()


def _weight(value: Any) -> int:
    """About how many octets of a message it has; the rest is small."""
    if isinstance(value, Chunk):
        return len(value.data)
    if isinstance(value, imap.FetchData):
        return sum(len(v) for v in value.items.values() if isinstance(v, bytes))
    return 0
