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
import os
import shutil
import ssl
import tempfile
import threading
import weakref
from collections.abc import Callable, Iterable, Mapping
from email import policy
from email.message import EmailMessage
from os import PathLike
from pathlib import Path
from typing import Final, Self

from ..services import SERVICES, MailUrl
from ..smtp import Mail, Mailbox, Rcpt
from .arrivals import Arrivals
from .certificate import Certificates
from .conversations import Conversation
from .faults import Fault, Faults
from .folders import Folders, Refused, normal
from .messages import FiledMessage, StoredMessage
from .serving import Options, Serving
from .store import Store

LOGIN_TIMEOUT: Final = 180.0  # seconds from the greeting to the log-in: Dovecot
IDLE_TIMEOUT: Final = 600.0  # seconds between two commands: RFC 1939 3


class MailServer:
    """SMTP, submission, LMTP, POP3 and IMAP, plain and over TLS, on one store.

    Mail for ``name@anything`` is for the user *name*, whatever the domain.  The port
    "smtp" takes mail from anybody for anybody, unless *strangers* is false: then only
    for users and their aliases.  "submission" and "submissions" take it from who has
    logged in, "lmtp" for users.  With *catch_all*, the user of that name gets what is
    for nobody else.  No mail ever leaves this server.

    *path* keeps all of it in a file; else it is gone at the end.  *cleartext* lets
    passwords in without TLS, *apop* offers APOP.  *ports* gives a service a port of
    your choice; the others get free ones.  Without *tls* a certificate for localhost
    is made, and ``client_context`` trusts it.  *login_timeout* and *idle_timeout* are
    seconds: to the log-in in all, and then between two commands.  *faults* go wrong.
    What is said is *recorded*; that is two fifths of the work, if there is a load.
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
        catch_all: str | None = None,
        login_timeout: float = LOGIN_TIMEOUT,
        idle_timeout: float = IDLE_TIMEOUT,
        recorded: bool = True,
        faults: Iterable[Fault] = (),
    ) -> None:
        self.host: Final = host
        #: the ports, by the names of the services; none before the start
        self.ports: dict[str, int] = {}
        #: the certificate in PEM, for clients that want a file; ``None``: it is yours
        self.ca_file: Path | None = None
        self._options = Options(
            host,
            dict(ports or {}),
            cleartext,
            apop,
            strangers,
            login_timeout,
            idle_timeout,
            recorded,
        )
        self._store = Store(path)
        self._store.catch_all = catch_all
        self._owner = os.getpid()
        directory = tempfile.mkdtemp(prefix="mailproto-")
        self._release = weakref.finalize(
            self, _release, self._owner, directory, self._store
        )
        names = dict.fromkeys(("localhost", "127.0.0.1", "::1", self.host))
        certificates = Certificates(tls, Path(directory), [*names])
        self.ca_file = certificates.file
        #: what is to go wrong, and what of that has not: ``faults.left``
        self.faults: Final = Faults(faults, certificates.prepare)
        self._serving = Serving(self._store, self._options, certificates, self.faults)
        self._used = False
        self._thread: threading.Thread | None = None

    def client_context(self) -> ssl.SSLContext:
        """A context that verifies certificates, and trusts this server's."""
        context = ssl.create_default_context()
        if self.ca_file is not None:
            context.load_verify_locations(self.ca_file)
        return context

    def url(self, service: str, user: str | None = None) -> str:
        """Where a service is, as ``imaps://ann@127.0.0.1:40993``; no password is told.

        Raises KeyError if there is no such service, or not yet.
        """
        port = self.ports[service]
        known = SERVICES[service]
        return str(MailUrl(known, self.host, port, name=user, scheme=service))

    # -- who is there ----------------------------------------------------------

    def add_user(self, name: str, password: str) -> None:
        """Let *name* log in; mail for him or her is kept from now on."""
        self._store.add_user(name, password)

    def add_alias(self, name: str, *users: str) -> None:
        """Mail for ``name@anything`` is for all of *users* from now on.

        An alias may be one of *users*, and means those that it stands for now.  Raises
        KeyError if there is no such user, ValueError if a user has that name.
        """
        self._store.add_alias(name, *users)

    @property
    def users(self) -> tuple[str, ...]:
        """The names of all who can log in."""
        return self._store.users()

    # -- what is in it ---------------------------------------------------------

    def deliver(
        self,
        message: bytes | EmailMessage,
        *,
        to: str,
        sender: str = "",
        folder: str = "INBOX",
        flags: Iterable[str] = (),
    ) -> None:
        """Put a message into a mailbox of *to*, which is made if there is none.

        *to* is a user, an alias or an address.  Raises KeyError: that is nobody's here.
        """
        if isinstance(message, EmailMessage):
            message = message.as_bytes(policy=policy.SMTP)
        users = self._store.users_of(to)
        if not users:
            raise KeyError(to)
        mailbox = normal(folder)
        for user in users:
            if mailbox not in self.folders(user):
                self.add_folder(user, mailbox)
        address = to if "@" in to else str(Mailbox.of(to, "localhost"))
        self._store.deliver(
            message,
            users,
            Mail(sender),
            [Rcpt(address)],
            mailbox=mailbox,
            flags=" ".join(flags),
        )

    def wait_for(
        self,
        count: int,
        timeout: float = 10.0,
        *,
        to: str | None = None,
        where: Callable[[StoredMessage], bool] | None = None,
    ) -> list[StoredMessage]:
        """All messages, as soon as there are *count* or more.

        Only those count that have *to* among their recipients or users, and for which
        *where* is true.  Raises TimeoutError if there are not enough within *timeout*
        seconds.  It blocks: from a coroutine, ``await
        asyncio.to_thread(server.wait_for, 1)``.
        """

        def wanted(message: StoredMessage) -> bool:
            return (to is None or message.is_to(to)) and (
                where is None or bool(where(message))
            )

        found = self._store.wait_for(count, timeout, wanted)
        if len(found) < count:
            there = len(self.messages)
            what = f"{len(found)} of {count} messages came within {timeout} seconds"
            others = f", and {there - len(found)} others" if there > len(found) else ""
            raise TimeoutError(what + others)
        return found

    @property
    def messages(self) -> list[StoredMessage]:
        """All that there is, in the order in which it came."""
        return self._store.messages()

    def arrivals(self) -> Arrivals:
        """Each message that comes from now on, to iterate over; it blocks meanwhile.

        It ends by its ``close()``, not by the end of the server.
        """
        return Arrivals(self._store)

    def mailbox(self, user: str, folder: str = "INBOX") -> list[FiledMessage]:
        """What is in a mailbox, with flags, by UID; KeyError: there is none."""
        return self._store.filed(user, normal(folder))

    def folders(self, user: str) -> list[str]:
        """The names of the mailboxes of *user*, sorted; KeyError: there is nobody."""
        if self._store.password(user) is None:
            raise KeyError(user)
        tree = Folders(self._store, user).tree()
        return [folder.name for folder in tree if folder.selectable]

    def add_folder(self, user: str, name: str) -> None:
        """Make a mailbox, and those above it; ``/`` stands between the parts.

        Raises KeyError if there is no such user, ValueError if it cannot be made.
        """
        if self._store.password(user) is None:
            raise KeyError(user)
        try:
            Folders(self._store, user).create(name)
        except Refused as refused:
            raise ValueError(str(refused)) from None

    def clear(self) -> None:
        """Delete every message, and forget the conversations that are over.

        Users, aliases and mailboxes stay.
        """
        self._store.clear()
        self._serving.conversations.forget()

    def conversations(self) -> list[Conversation]:
        """What was said at the ports so far, in the order of the connections.

        ``print(*server.conversations())`` shows the transcripts.  The last 200 are
        there, those of connections that go on too; also after ``stop``.
        """
        return self._serving.conversations.all()

    # -- start and stop --------------------------------------------------------

    def start(self) -> None:
        """Listen, in a thread of its own; returns when it does.  Once only.

        Raises OSError if a port cannot be had.
        """
        if self._used:
            raise RuntimeError("a MailServer is started once: make another")
        self._used = True
        ready = threading.Event()
        failure: list[BaseException] = []

        def run() -> None:
            try:
                asyncio.run(self._serving.run(ready.set))
            except BaseException as error:
                failure.append(error)
                ready.set()

        self._thread = threading.Thread(target=run, name="mailproto", daemon=True)
        self._thread.start()
        ready.wait()
        if failure:
            self._thread.join()
            self._release()
            raise failure[0]
        self.ports.update(self._serving.ports)

    def stop(self) -> None:
        """Listen no more, and let go of everything; what is being answered, will be.

        In a process that was forked from the server's own, it does nothing.
        """
        if self._owner != os.getpid():
            return
        if self._thread is not None and self._thread.is_alive():
            self._serving.stop()
            self._thread.join()
        self._release()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()

    async def __aenter__(self) -> Self:
        starting = asyncio.ensure_future(asyncio.to_thread(self.start))
        try:
            await asyncio.shield(starting)
        except asyncio.CancelledError:  # a thread goes on: nobody else would stop it
            await asyncio.wait({starting})
            await asyncio.to_thread(self.stop)
            raise
        return self

    async def __aexit__(self, *error: object) -> None:
        await asyncio.to_thread(self.stop)


def _release(owner: int, directory: str, store: Store) -> None:
    """Let go of what a server has, unless it is another process's."""
    if owner == os.getpid():
        store.close()
        shutil.rmtree(directory, ignore_errors=True)
