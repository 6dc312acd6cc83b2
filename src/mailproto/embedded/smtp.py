"""SMTP, submission and LMTP into the store: what to say to each event, and no I/O."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from tempfile import SpooledTemporaryFile
from typing import Any, Final

from .. import smtp
from .._command import Bad, Chunk, End
from ..smtp import EnhancedCode, Extension, Reply
from .login import mechanisms
from .messages import NOWHERE, Origin
from .store import Store
from .talk import Talk

Said = smtp.Greeting | smtp.EhloData | smtp.Challenge | Reply

SPOOLED: Final = 1_048_576  # octets of a message that are in memory before it is stored

_OK: Final = Reply(250, "OK", EnhancedCode(2, 0, 0))
_WRONG: Final = Reply(535, "wrong name or password", EnhancedCode(5, 7, 8))
_LOG_IN: Final = Reply(530, "log in first", EnhancedCode(5, 7, 0))
_NOBODY: Final = Reply(550, "no such user here", EnhancedCode(5, 1, 1))
_BROKEN: Final = Reply(451, "it could not be stored", EnhancedCode(4, 3, 0))

# What is done here, whoever asks.
_OFFERED: Final = (
    "PIPELINING",
    "8BITMIME",
    "SMTPUTF8",
    "CHUNKING",
    "ENHANCEDSTATUSCODES",
    "DSN",
    "HELP",
)


class Smtp(Talk):
    """One session: events of *conn* in, values to send out.

    Mail is for whoever has an account, and with *strangers* for anybody: it is kept,
    and sent nowhere.  With *closed*, who sends must log in.  Call ``close`` at the end.
    """

    def __init__(
        self,
        conn: smtp.Server,
        store: Store,
        host: str,
        origin: Origin = NOWHERE,
        *,
        strangers: bool = True,
        closed: bool = False,
    ) -> None:
        super().__init__(conn, store, host, origin)
        self._conn: smtp.Server = conn
        self._strangers = strangers
        self._closed = closed
        self._mail = smtp.Mail("")
        self._rcpts: list[smtp.Rcpt] = []  # that were accepted
        self._content: smtp.Content = smtp.Data()  # that comes now
        self._full = False  # there was no room for some of it
        # What has come of the message.  ``close`` closes it, or the next MAIL.
        self._draft = SpooledTemporaryFile(SPOOLED)  # noqa: SIM115

    farewell = Reply(421, "closing down", EnhancedCode(4, 3, 2))

    @property
    def admitted(self) -> bool:
        """Whoever it is."""
        return True

    def greeting(self) -> smtp.Greeting:
        return smtp.Greeting(f"{self._host} mailproto ready")

    def close(self) -> None:
        """Forget what was not sent to its end."""
        self._draft.close()

    def stores(self, event: Any) -> bool:
        return isinstance(event, End)

    def handle(self, event: Any) -> Iterator[Said]:
        """What to send in answer to *event*, piece by piece."""
        match event:
            case Chunk(data=data):
                self._keep(data)
            case End():
                yield from self._end()
            case Bad(hint=hint):
                yield hint
            case smtp.Ehlo(domain=name) | smtp.Lhlo(domain=name):
                self._origin = replace(self._origin, helo=name)
                yield smtp.EhloData(self._host, tuple(self._offers()))
            case smtp.Auth(mechanism=mechanism, initial=initial):
                yield self._begin_login(mechanism, initial)
            case smtp.Response(data=data):
                yield self._step(data)
            case smtp.Cancel():
                yield Reply(501, "as you like", EnhancedCode(5, 0, 0))
            case smtp.Mail():
                yield self._begin(event)
            case smtp.Rcpt():
                yield self._recipient(event)
            case smtp.Content():
                self._content = event
                if isinstance(event, smtp.Data):
                    yield Reply(354, "go on; end with a dot on a line")
            case _:
                yield self._besides(event)

    def _besides(self, command: Any) -> Reply:
        match command:
            case smtp.StartTls():
                self._origin = replace(self._origin, helo="", login=None)
                return Reply(220, "TLS", EnhancedCode(2, 0, 0))
            case smtp.Quit():
                return Reply(221, "bye", EnhancedCode(2, 0, 0))
            case smtp.Helo(domain=name):
                self._origin = replace(self._origin, helo=name)
                return Reply(250, self._host)
            case smtp.Help():
                return Reply(214, "a server for tests: mail stays here")
            case smtp.Vrfy():
                return Reply(252, "send, and you will see", EnhancedCode(2, 0, 0))
            case smtp.Expn():
                return Reply(502, "there are no lists here", EnhancedCode(5, 5, 1))
        return _OK

    # -- who is there ----------------------------------------------------------

    def _offers(self) -> Iterator[Extension]:
        conn = self._conn
        for word in _OFFERED:
            yield Extension(word)
        yield Extension("SIZE", (str(conn.limits.message),))
        if conn.tls:
            yield Extension("REQUIRETLS")
        else:
            yield Extension("STARTTLS")
        if not conn.dialect.lmtp:
            known = mechanisms(cleartext_refused=conn.cleartext_refused)
            yield Extension("AUTH", known)

    def _challenge(self, data: bytes) -> smtp.Challenge:
        return smtp.Challenge(data)

    def _welcome(self, name: str) -> Reply:
        self._origin = replace(self._origin, login=name)
        return Reply(235, "welcome", EnhancedCode(2, 7, 0))

    def _wrong(self) -> Reply:
        return _WRONG

    # -- a transaction ---------------------------------------------------------

    def _begin(self, mail: smtp.Mail) -> Reply:
        if self._closed and not self._conn.authenticated:
            return _LOG_IN
        self._mail = mail
        self._rcpts = []
        self._full = False
        self._draft.close()
        self._draft = SpooledTemporaryFile(SPOOLED)  # noqa: SIM115
        return Reply(250, "OK", EnhancedCode(2, 1, 0))

    def _recipient(self, rcpt: smtp.Rcpt) -> Reply:
        known = self._strangers or rcpt.recipient == "Postmaster"  # RFC 5321 4.5.1
        if not known and not self._store.users_of(rcpt.recipient):
            return _NOBODY
        self._rcpts.append(rcpt)
        return Reply(250, "OK", EnhancedCode(2, 1, 5))

    def _keep(self, data: bytes) -> None:
        """Hold some of the message; where there is no room, its end tells."""
        try:
            self._draft.write(data)
        except OSError:
            self._full = True

    def _end(self) -> Iterator[Reply]:
        """It is ours from the moment that we say so, and so it is stored first."""
        if not self._content.ends_message:
            yield Reply(250, "and the rest?", EnhancedCode(2, 0, 0))
            return
        answer = Reply(250, "it is kept", EnhancedCode(2, 0, 0))
        origin = replace(self._origin, tls=self._conn.tls)
        users: dict[str, None] = {}
        for rcpt in self._rcpts:
            users.update(dict.fromkeys(self._store.users_of(rcpt.recipient)))
        try:
            if not self._full:
                self._store.deliver(self._draft, users, self._mail, self._rcpts, origin)
        except (sqlite3.Error, OSError):
            self._full = True
        if self._full:
            answer = _BROKEN
        for _ in self._rcpts if self._conn.dialect.lmtp else (None,):
            yield answer
