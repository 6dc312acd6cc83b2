"""A mail server in one object, on loopback: for tests, demos, development.

    with MailServer() as server:
        server.add_user("ann", "secret")
        ... smtplib.SMTP(server.host, server.ports["smtp"]) ...
        message, = server.wait_for(1)
        ... poplib.POP3(server.host, server.ports["pop3"]) ...

It is not a production mail server.
"""

from __future__ import annotations

import asyncio
import ssl
import tempfile
import threading
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from email import policy
from email.message import EmailMessage
from functools import partial
from os import PathLike
from pathlib import Path
from typing import Any, Final, Self

from .. import asyncio as aio
from .. import imap, pop3, smtp
from .._command import Chunk, Closed
from .._connection import Security
from ..services import SERVICES
from ..smtp import LMTP, Mail, Mailbox, Rcpt
from .certificate import make_certificate
from .imap import OFFERED, Imap
from .login import mechanisms
from .pop3 import Pop3
from .smtp import Smtp
from .store import Store, StoredMessage
from .talk import Talk

FLUSHED: Final = 262_144  # octets of messages that may wait to be written
LOGIN_TIMEOUT: Final = 180.0  # seconds from the greeting to the log-in: Dovecot
IDLE_TIMEOUT: Final = 600.0  # seconds between two commands: RFC 1939 3

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


class MailServer:
    """SMTP, submission, LMTP, POP3 and IMAP, plain and over TLS, on one store.

    Mail for ``name@anything`` is for the user *name*, whatever the domain.  The port
    "smtp" takes mail from anybody for anybody, unless *strangers* is false: then only
    for users.  "submission" and "submissions" take it from who has logged in, "lmtp"
    for users.  No mail ever leaves this server.

    *path* keeps the mail in a file; else it is gone at the end.  *cleartext* lets
    passwords in without TLS, *apop* offers APOP.  *ports* gives a service a port of
    your choice; the others get free ones.  Without *tls* a certificate for localhost
    is made, and ``client_context`` trusts it.  *login_timeout* and *idle_timeout* are
    seconds: to the log-in in all, and then between two commands.
    """

    def __init__(
        self,
        *,
        path: str | PathLike[str] | None = None,
        host: str = "127.0.0.1",
        ports: Mapping[str, int] | None = None,
        tls: ssl.SSLContext | None = None,
        cleartext: bool = False,
        apop: bool = False,
        strangers: bool = True,
        login_timeout: float = LOGIN_TIMEOUT,
        idle_timeout: float = IDLE_TIMEOUT,
    ) -> None:
        unknown = set(ports or ()) - set(SERVED)
        if unknown:
            raise ValueError(f"no service here: {', '.join(sorted(unknown))}")
        self.host: Final = host
        #: the ports, by the names of the services
        self.ports: dict[str, int] = {}
        #: the certificate in PEM, for clients that want a file; ``None``: it is yours
        self.ca_file: Path | None = None
        self._wanted = dict(ports or {})
        self._cleartext = cleartext
        self._apop = apop
        self._strangers = strangers
        self._login_timeout = login_timeout
        self._idle_timeout = idle_timeout
        self._store = Store(path)
        self._directory = tempfile.TemporaryDirectory(prefix="mailproto-")
        self._tls = tls or self._make_context()
        self._used = False
        self._thread: threading.Thread | None = None
        self._stop: Callable[[], object] = lambda: None
        self._sessions: set[asyncio.Event] = set()  # each set when mail has changed

    def _make_context(self) -> ssl.SSLContext:
        certificate, key = make_certificate()
        self.ca_file = Path(self._directory.name, "certificate.pem")
        self.ca_file.write_text(certificate)
        key_file = Path(self._directory.name, "key.pem")
        key_file.touch(mode=0o600)
        key_file.write_text(key)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(self.ca_file, key_file)
        return context

    # -- what is in it ---------------------------------------------------------

    def add_user(self, name: str, password: str) -> None:
        """Let *name* log in; mail for him or her is kept from now on."""
        self._store.add_user(name, password)

    def deliver(
        self, message: bytes | EmailMessage, *, to: str, sender: str = ""
    ) -> None:
        """Put a message into the mailbox of *to*; KeyError: there is no such user."""
        if isinstance(message, EmailMessage):
            message = message.as_bytes(policy=policy.SMTP)
        address = to if "@" in to else str(Mailbox.of(to, "localhost"))
        self._store.deliver(message, [to], Mail(sender), [Rcpt(address)])

    def wait_for(self, count: int, timeout: float = 10.0) -> list[StoredMessage]:
        """All messages, as soon as there are *count* or more.

        Raises TimeoutError if there are not within *timeout* seconds.  It blocks: from
        a coroutine, ``await asyncio.to_thread(server.wait_for, 1)``.
        """
        if not self._store.wait_for(count, timeout):
            there = len(self.messages)
            what = f"{there} of {count} messages came within {timeout} seconds"
            raise TimeoutError(what)
        return self.messages

    @property
    def messages(self) -> list[StoredMessage]:
        """All that there is, in the order in which it came."""
        return self._store.messages()

    def clear(self) -> None:
        """Delete every message."""
        self._store.clear()

    def client_context(self) -> ssl.SSLContext:
        """A context that verifies certificates, and trusts this server's."""
        context = ssl.create_default_context()
        if self.ca_file is not None:
            context.load_verify_locations(self.ca_file)
        return context

    # -- start and stop --------------------------------------------------------

    def start(self) -> None:
        """Listen, in a thread of its own; returns when it does.  Once only."""
        if self._used:
            raise RuntimeError("a MailServer is started once: make another")
        self._used = True
        ready = threading.Event()
        failure: list[BaseException] = []

        def run() -> None:
            try:
                asyncio.run(self._main(ready))
            except BaseException as error:
                failure.append(error)
                ready.set()

        self._thread = threading.Thread(target=run, name="mailproto", daemon=True)
        self._thread.start()
        ready.wait()
        if failure:
            self.stop()
            raise failure[0]

    def stop(self) -> None:
        """Listen no more, and let go of everything."""
        if self._thread is not None:
            self._stop()
            self._thread.join()
            self._thread = None
        self._store.close()
        self._directory.cleanup()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()

    async def __aenter__(self) -> Self:
        await asyncio.to_thread(self.start)
        return self

    async def __aexit__(self, *error: object) -> None:
        await asyncio.to_thread(self.stop)

    async def _main(self, ready: threading.Event) -> None:
        over = asyncio.Event()
        async with AsyncExitStack() as stack:
            for name in SERVED:
                server = await stack.enter_async_context(
                    aio.serve(
                        partial(self._machine, name),
                        partial(self._serve, name),
                        host=self.host,
                        port=self._wanted.get(name, 0),
                        tls=self._tls,
                        grace=0.5,
                    )
                )
                self.ports[name] = server.port
            loop = asyncio.get_running_loop()
            self._stop = partial(loop.call_soon_threadsafe, over.set)
            wake = partial(loop.call_soon_threadsafe, self._wake)
            self._store.watchers.add(wake)
            stack.callback(self._store.watchers.discard, wake)
            ready.set()
            await over.wait()

    def _wake(self) -> None:
        for woken in self._sessions:
            woken.set()

    # -- protocols -------------------------------------------------------------

    def _machine(self, name: str) -> Any:
        """A connection of the service *name*, as yet without a word."""
        security = SERVICES[name].security
        if security is not Security.IMPLICIT:
            security = Security.CLEARTEXT if self._cleartext else Security.OPTIONAL
        match name:
            case "lmtp":
                return smtp.Server(security, dialect=LMTP)
            case "pop3" | "pop3s":
                return pop3.Server(security)
            case "imap" | "imaps":
                return imap.Server(security, offer=_IMAP)
        return smtp.Server(security)

    def _talk(self, name: str, conn: Any) -> Talk:
        match name:
            case "pop3" | "pop3s":
                return Pop3(conn, self._store, "localhost", apop=self._apop)
            case "imap" | "imaps":
                return Imap(conn, self._store, "localhost")
        return Smtp(
            conn,
            self._store,
            "localhost",
            strangers=self._strangers and name != "lmtp",
            closed=name.startswith("submission"),
        )

    async def _serve(self, name: str, session: aio.Session[Any]) -> None:
        conn = session.conn
        talk = self._talk(name, conn)
        clock = asyncio.get_running_loop().time
        woken = asyncio.Event()
        self._sessions.add(woken)
        try:
            conn.send(talk.greeting())
            async with asyncio.timeout(self._login_timeout) as patience:
                next_event = partial(self._next, session, talk, woken)
                while not isinstance(event := await next_event(), Closed):
                    waiting = 0
                    for value in talk.handle(event):
                        conn.send(value)
                        waiting += _weight(value)
                        if waiting >= FLUSHED:
                            await session.flush()
                            patience.reschedule(clock() + self._idle_timeout)
                            waiting = 0
                    if talk.admitted:
                        patience.reschedule(clock() + self._idle_timeout)
        finally:
            self._sessions.discard(woken)
            talk.close()

    async def _next(
        self, session: aio.Session[Any], talk: Talk, woken: asyncio.Event
    ) -> Any:
        """The next event; to a client that listens, news are told meanwhile."""
        while talk.listening:
            event = asyncio.ensure_future(session.next_event())
            changed = asyncio.ensure_future(woken.wait())
            try:
                await asyncio.wait(
                    {event, changed}, return_when=asyncio.FIRST_COMPLETED
                )
            finally:
                changed.cancel()
                if not event.done():
                    event.cancel()
                await asyncio.wait({event, changed})
            if not event.cancelled():
                return event.result()
            woken.clear()
            for value in talk.news():
                session.conn.send(value)
            await session.flush()
        return await session.next_event()


def _weight(value: Any) -> int:
    """About how many octets of a message it has; the rest is small."""
    if isinstance(value, Chunk):
        return len(value.data)
    if isinstance(value, imap.FetchData):
        return sum(len(v) for v in value.items.values() if isinstance(v, bytes))
    return 0


_IMAP: Final = imap.Capabilities(
    *OFFERED, *(f"AUTH={name}" for name in mechanisms(cleartext_refused=False))
)
