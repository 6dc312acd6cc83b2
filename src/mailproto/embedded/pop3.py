"""POP3 on the store: what to say to each event, and no I/O."""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any

from .. import pop3
from .._command import Bad, Chunk, End
from ..pop3 import Capability, Reply, ResponseCode, State
from ..pop3.responses import Data
from .login import check_password, mechanisms, secret_or_decoy
from .messages import NOWHERE, Origin
from .store import Entry, Store
from .talk import Talk

Said = pop3.Greeting | Reply | pop3.Challenge | Data | Chunk | End

# One answer for all who may not come in: it does not tell who exists.
WRONG = Reply(False, "wrong name or password", ResponseCode.AUTH)
NO_MESSAGE = Reply(False, "no such message")


def top(chunks: Iterable[bytes], lines: int) -> Iterator[bytes]:
    """RFC 1939 7: the header, the blank line, and so many *lines* of the body."""
    # As much of what went before as a cut line end may need.  A message begins as if
    # a line had ended before it: it may begin with the blank line.
    before = b"\r\n"
    in_body = False
    for data in chunks:
        text = before + data
        start = 0
        if not in_body:
            found = text.find(b"\r\n\r\n")
            if found < 0:
                yield data
                before = text[-3:]
                continue
            in_body, start = True, found + 4
        end, lines = _skip_lines(text, start, lines)
        yield data[: end - len(before)]
        if not lines:
            return
        before = b"\r" if text.endswith(b"\r") else b""


def _skip_lines(text: bytes, start: int, lines: int) -> tuple[int, int]:
    """Where *lines* lines from *start* on end, and how many of them are not here."""
    ended = text.count(b"\r\n", start)
    if ended < lines:
        return len(text), lines - ended
    for _ in range(lines):
        start = text.index(b"\r\n", start) + 2
    return start, 0


def _listed(lines: Iterable[Data]) -> Iterator[Said]:
    yield Reply(True)
    yield from lines
    yield End()


class Pop3(Talk):
    """One session: events of *conn* in, values to send out.

    *tls_offered* says whether STLS can be granted, *apop* whether the greeting has a
    stamp.  Call ``close`` at the end, however it comes.
    """

    def __init__(
        self,
        conn: pop3.Server,
        store: Store,
        host: str,
        origin: Origin = NOWHERE,
        *,
        tls_offered: bool = True,
        apop: bool = False,
    ) -> None:
        super().__init__(conn, store, host, origin)
        self._conn: pop3.Server = conn
        self._tls_offered = tls_offered
        self._stamp = f"<{secrets.token_hex(8)}@{host}>" if apop else ""
        self._name = ""  # as USER told it
        self._user: str | None = None  # whose maildrop is open
        self._entries: dict[int, Entry] = {}  # numbered once and for all
        self._marked: set[int] = set()

    @property
    def admitted(self) -> bool:
        """Whether a session is waited for from command to command."""
        return self._conn.state is State.TRANSACTION

    def greeting(self) -> pop3.Greeting:
        return pop3.Greeting(f"mailproto ready {self._stamp}".rstrip())

    def close(self) -> None:
        """Let another session have the maildrop."""
        if self._user is not None:
            self._store.unlock(self._user)
            self._user = None

    def stores(self, event: Any) -> bool:
        return isinstance(event, pop3.Quit)

    def handle(self, event: Any) -> Iterator[Said]:
        """What to send in answer to *event*, piece by piece."""
        match event:
            case Bad(hint=hint):
                yield hint
            case pop3.User(name=name):
                self._name = name
                yield Reply(True, "and the password?")
            case pop3.Pass(password=password):
                good = check_password(self._store, self._name, password)
                yield self._open(self._name) if good else WRONG
            case pop3.Apop(name=name):
                yield self._apop(event)
            case pop3.Auth(mechanism=mechanism, initial=initial):
                yield self._auth(mechanism, initial)
            case pop3.Response(data=data):
                yield self._step(data)
            case pop3.Cancel():
                yield Reply(False, "as you like")
            case pop3.Stls():
                yield Reply(self._tls_offered, "TLS" if self._tls_offered else "no TLS")
            case pop3.Quit():
                yield self._quit()
            case pop3.Capa():
                yield from _listed(self._capabilities())
            case pop3.Lang():
                yield from self._languages(event.tag)
            case pop3.Noop() | pop3.Utf8():
                yield Reply(True)
            case _:
                yield from self._transact(event)

    # -- AUTHORIZATION ---------------------------------------------------------

    def _apop(self, apop: pop3.Apop) -> Reply:
        if not self._stamp:
            return Reply(False, "there is no APOP here")
        password, exists = secret_or_decoy(self._store, apop.name)
        proved = apop.proves(password, self._stamp)
        return self._open(apop.name) if proved and exists else WRONG

    def _auth(self, mechanism: str, initial: bytes | None) -> Said:
        if mechanism not in mechanisms(cleartext_refused=False):
            return Reply(False, "that mechanism is not here")
        said: Said = self._begin_login(mechanism, initial)
        return said

    def _challenge(self, data: bytes) -> pop3.Challenge:
        return pop3.Challenge(data)

    def _welcome(self, name: str) -> Reply:
        return self._open(name)

    def _wrong(self) -> Reply:
        return WRONG

    def _open(self, name: str) -> Reply:
        if not self._store.lock(name):
            text = "another session has this maildrop"
            return Reply(False, text, ResponseCode.IN_USE)
        self._user = name
        self._entries = dict(enumerate(self._store.listing(name), 1))
        return Reply(True, f"{len(self._entries)} messages")

    def _capabilities(self) -> Iterator[Capability]:
        for word in (
            "TOP",
            "UIDL",
            "RESP-CODES",
            "AUTH-RESP-CODE",
            "PIPELINING",
            "LANG",
        ):
            yield Capability(word)
        yield Capability("UTF8", ("USER",))
        yield Capability("EXPIRE", ("NEVER",))
        yield Capability("IMPLEMENTATION", ("mailproto",))
        if self._tls_offered and not self._conn.tls:
            yield Capability("STLS")
        if self._conn.tls or not self._conn.tls_demanded:
            refused = self._conn.cleartext_refused
            if not refused:
                yield Capability("USER")
            yield Capability("SASL", mechanisms(cleartext_refused=refused))

    def _languages(self, tag: str | None) -> Iterator[Said]:
        english = pop3.Language("en", "English")
        if tag is None:
            yield from _listed([english])
        elif tag == "*" or tag.lower().split("-")[0] in ("en", "i"):
            yield english
        else:
            yield Reply(False, "that language is not spoken here")

    # -- TRANSACTION -----------------------------------------------------------

    def _left(self) -> dict[int, Entry]:
        return {n: e for n, e in self._entries.items() if n not in self._marked}

    def _transact(self, command: Any) -> Iterator[Said]:
        number: int | None = getattr(command, "number", None)
        if number is not None:
            gone = number in self._marked
            entry = None if gone else self._entries.get(number)
            yield from self._on_one(command, number, entry)
            return
        left = self._left()
        match command:
            case pop3.Stat():
                yield pop3.StatData(len(left), sum(e.size for e in left.values()))
            case pop3.List():
                yield from _listed(pop3.Listing(n, e.size) for n, e in left.items())
            case pop3.Uidl():
                yield from _listed(pop3.UniqueId(n, e.unique) for n, e in left.items())
            case pop3.Rset():
                self._marked.clear()
                yield Reply(True)

    def _on_one(self, command: Any, number: int, entry: Entry | None) -> Iterator[Said]:
        if entry is None:
            yield NO_MESSAGE
            return
        match command:
            case pop3.List():
                yield pop3.Listing(number, entry.size)
            case pop3.Uidl():
                yield pop3.UniqueId(number, entry.unique)
            case pop3.Retr():
                yield from self._message(self._store.chunks(entry))
            case pop3.Top(lines=lines):
                yield from self._message(top(self._store.chunks(entry), lines))
            case pop3.Dele():
                self._marked.add(number)
                yield Reply(True)

    def _message(self, chunks: Iterator[bytes]) -> Iterator[Said]:
        try:
            first = next(chunks, b"")
        except KeyError:  # something else than this session deleted it
            yield NO_MESSAGE
            return
        yield Reply(True)
        for data in chain([first] if first else [], chunks):
            yield Chunk(data)
        yield End()

    def _quit(self) -> Reply:
        """RFC 1939 6: the answer tells whether all that was marked is deleted."""
        try:
            if self._conn.state is State.UPDATE:
                self._store.delete([self._entries[n] for n in sorted(self._marked)])
        except sqlite3.Error:
            text = "nothing was deleted"
            return Reply(False, text, ResponseCode.SYS_TEMP)
        finally:
            self.close()
        return Reply(True, "bye")
