"""Where the embedded server keeps its mail: one SQLite database, for all protocols.

In memory, or in a file if a path is given; then whatever a call has returned from is on
the disk.  Any thread may call.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from os import PathLike
from typing import Final

from ..sasl import saslprep

CHUNK: Final = 65536  # octets of a message that are read at once

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS users (
    name TEXT PRIMARY KEY,
    password TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS mailboxes (
    id INTEGER PRIMARY KEY,
    user TEXT NOT NULL REFERENCES users (name),
    name TEXT NOT NULL,
    uidvalidity INTEGER NOT NULL,
    uidnext INTEGER NOT NULL DEFAULT 1,
    UNIQUE (user, name)
);
-- AUTOINCREMENT: an id is never used again.  An open session remembers those of what
-- was deleted under it, and must not come upon another's mail there.
CREATE TABLE IF NOT EXISTS messages (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    mailbox INTEGER NOT NULL REFERENCES mailboxes (id),
    uid INTEGER NOT NULL,
    received REAL NOT NULL,
    flags TEXT NOT NULL DEFAULT '',
    sender TEXT NOT NULL,
    recipients TEXT NOT NULL,
    data BLOB NOT NULL,
    UNIQUE (mailbox, uid)
);
"""


@dataclass(frozen=True, slots=True)
class Entry:
    """A message as a listing has it; *unique* is its lasting name."""

    id: int
    unique: str
    size: int


@dataclass(frozen=True, slots=True)
class StoredMessage:
    """A message as it was received: its octets, and its envelope."""

    user: str
    uid: int
    data: bytes = field(repr=False)
    sender: str = ""
    recipients: tuple[str, ...] = ()

    @property
    def email(self) -> EmailMessage:
        """The message, parsed."""
        return message_from_bytes(self.data, policy=policy.default)


class Store:
    """Users, their mailboxes, and what is in these.

    Names are one if they are one to SASLprep (RFC 6856 2.2), however they are typed.
    """

    def __init__(self, path: str | PathLike[str] | None = None) -> None:
        self._lock = threading.RLock()
        self._open: set[str] = set()  # maildrops that a POP3 session has
        self._db = sqlite3.connect(
            ":memory:" if path is None else path,
            check_same_thread=False,
            isolation_level=None,
        )
        if path is not None:
            # What is committed outlives the process, and the machine.
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = FULL")
        self._db.execute("PRAGMA foreign_keys = ON")
        self._db.executescript(_SCHEMA)

    def close(self) -> None:
        with self._lock:
            self._db.close()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:  # a full disk has rolled it back already
                    self._db.execute("ROLLBACK")
                raise

    # -- users -----------------------------------------------------------------

    def add_user(self, name: str, password: str) -> None:
        """Add a user with an empty INBOX, or give one another password.

        Raises ValueError if either is empty: nobody could log in with it.
        """
        name, password = prepared(name), prepared(password)
        if not name or not password:
            raise ValueError("neither name nor password may be empty")
        with self._transaction() as db:
            db.execute(
                "INSERT INTO users VALUES (?, ?) "
                "ON CONFLICT (name) DO UPDATE SET password = excluded.password",
                (name, password),
            )
            db.execute(
                "INSERT INTO mailboxes (user, name, uidvalidity) "
                "VALUES (?, 'INBOX', ?) ON CONFLICT DO NOTHING",
                (name, int(time.time())),
            )

    def password(self, name: str) -> str | None:
        """The password of *name*, prepared; ``None``: there is no such user."""
        with self._lock:
            row = self._db.execute(
                "SELECT password FROM users WHERE name = ?", (prepared(name),)
            ).fetchone()
        return None if row is None else row[0]

    # -- messages --------------------------------------------------------------

    def deliver(
        self, user: str, data: bytes, sender: str = "", recipients: Sequence[str] = ()
    ) -> int:
        """Put *data* into the INBOX of *user*; its UID.

        Raises KeyError if there is no such user.
        """
        with self._transaction() as db:
            row = db.execute(
                "UPDATE mailboxes SET uidnext = uidnext + 1 "
                "WHERE user = ? AND name = 'INBOX' RETURNING id, uidnext - 1",
                (prepared(user),),
            ).fetchone()
            if row is None:
                raise KeyError(user)
            db.execute(
                "INSERT INTO messages "
                "(mailbox, uid, received, sender, recipients, data) "
                "VALUES (?, ?, ?, ?, ?, ?)",
                (*row, time.time(), sender, "\n".join(recipients), data),
            )
        uid: int = row[1]
        return uid

    def listing(self, user: str) -> list[Entry]:
        """What is in the INBOX of *user*, oldest first."""
        with self._lock:
            rows = self._db.execute(
                "SELECT messages.id, uidvalidity || '.' || uid, length(data) "
                "FROM messages JOIN mailboxes ON mailboxes.id = mailbox "
                "WHERE user = ? AND name = 'INBOX' ORDER BY uid",
                (prepared(user),),
            ).fetchall()
        return [Entry(*row) for row in rows]

    def chunks(self, entry: Entry) -> Iterator[bytes]:
        """The octets of a message, a few at a time; never the whole in memory.

        Raises KeyError, wherever it is by then, if the message is deleted.
        """
        for start in range(0, entry.size, CHUNK):
            yield self._read(entry, start)

    def _read(self, entry: Entry, start: int) -> bytes:
        with self._lock:
            there = "SELECT 1 FROM messages WHERE id = ?"
            if self._db.execute(there, (entry.id,)).fetchone() is None:
                raise KeyError(entry.unique)
            with self._db.blobopen("messages", "data", entry.id, readonly=True) as blob:
                blob.seek(start)
                return blob.read(CHUNK)

    def delete(self, entries: Sequence[Entry]) -> None:
        """Delete them all, or none if something goes wrong."""
        with self._transaction() as db:
            rows = [(entry.id,) for entry in entries]
            db.executemany("DELETE FROM messages WHERE id = ?", rows)

    def messages(self) -> list[StoredMessage]:
        """All that there is, in the order in which it came."""
        with self._lock:
            rows = self._db.execute(
                "SELECT user, uid, data, sender, recipients "
                "FROM messages JOIN mailboxes ON mailboxes.id = mailbox "
                "ORDER BY messages.id"
            ).fetchall()
        return [
            StoredMessage(user, uid, data, sender, tuple(filter(None, to.split("\n"))))
            for user, uid, data, sender, to in rows
        ]

    def clear(self) -> None:
        """Delete every message; UIDs go on from where they were."""
        with self._transaction() as db:
            db.execute("DELETE FROM messages")

    # -- maildrops -------------------------------------------------------------

    def lock(self, user: str) -> bool:
        """Take the maildrop of *user* for one session; ``False``: another has it."""
        with self._lock:
            if prepared(user) in self._open:
                return False
            self._open.add(prepared(user))
            return True

    def unlock(self, user: str) -> None:
        with self._lock:
            self._open.discard(prepared(user))


def prepared(text: str) -> str:
    """A name or a password to be compared; what SASLprep prohibits stays as it is."""
    try:
        return saslprep(text)
    except ValueError:
        return text
