"""Where the embedded server keeps its mail: one SQLite database, for all protocols.

In memory, or in a file if a path is given; then whatever a call has returned from is on
the disk.  Any thread may call.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from os import PathLike
from typing import IO, Final

from ..sasl import saslprep
from ..smtp import Mail, Mailbox, Rcpt

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
-- What came, once, however many mailboxes it is in, and its envelope: the arguments of
-- MAIL and of the RCPTs, a line each.
CREATE TABLE IF NOT EXISTS letters (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    received REAL NOT NULL,
    envelope TEXT NOT NULL,
    data BLOB NOT NULL
);
-- AUTOINCREMENT: an id is never used again.  An open session remembers those of what
-- was deleted under it, and must not come upon another's mail there.
CREATE TABLE IF NOT EXISTS messages (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    mailbox INTEGER NOT NULL REFERENCES mailboxes (id),
    uid INTEGER NOT NULL,
    letter INTEGER NOT NULL REFERENCES letters (id),
    received REAL NOT NULL,
    flags TEXT NOT NULL DEFAULT '',
    UNIQUE (mailbox, uid)
);
CREATE INDEX IF NOT EXISTS messages_of_letter ON messages (letter);
CREATE TRIGGER IF NOT EXISTS forget_letter AFTER DELETE ON messages
WHEN NOT EXISTS (SELECT 1 FROM messages WHERE letter = old.letter)
BEGIN
    DELETE FROM letters WHERE id = old.letter;
END;
"""


@dataclass(frozen=True, slots=True)
class Entry:
    """A message as a listing has it; *unique* is its lasting name."""

    letter: int
    id: int
    unique: str
    size: int


@dataclass(frozen=True, slots=True)
class StoredMessage:
    """A message as it was received: its octets, and its envelope with all parameters.

    *users* are those in whose mailboxes it is, if there is anybody of that name here.
    """

    data: bytes = field(repr=False)
    mail: Mail
    rcpts: tuple[Rcpt, ...]
    users: tuple[str, ...]
    received: float  #: seconds since 1970

    @property
    def sender(self) -> str:
        """``""`` is the null path."""
        return self.mail.sender

    @property
    def recipients(self) -> tuple[str, ...]:
        return tuple(rcpt.recipient for rcpt in self.rcpts)

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
        self._arrival = threading.Condition(self._lock)
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

    def user_of(self, recipient: str) -> str | None:
        """Whose mail it is that comes for that address: *name* has name@anything.

        The whole address may be a name too.  Upper and lower case are the same, unless
        there are two who differ by it.
        """
        names = [recipient]
        if "@" in recipient:
            names.append(Mailbox.read(recipient).name)
        with self._lock:
            for collation in ("BINARY", "NOCASE"):
                for name in map(prepared, names):
                    row = self._db.execute(
                        f"SELECT name FROM users WHERE name = ? COLLATE {collation} "
                        "ORDER BY name",
                        (name,),
                    ).fetchone()
                    if row is not None:
                        found: str = row[0]
                        return found
        return None

    def deliver(
        self,
        data: bytes | IO[bytes],
        users: Iterable[str],
        mail: Mail | None = None,
        rcpts: Sequence[Rcpt] = (),
    ) -> list[int]:
        """Put *data* into the INBOX of each of *users*; its UIDs there.

        Of a file, all is taken.  With nobody for it, the message is kept all the same.
        Returns when the store has it.  Raises KeyError if there is no such user.
        """
        envelope = "\n".join(each.argument() for each in (mail or Mail(""), *rcpts))
        now = time.time()
        with self._transaction() as db:
            letter = _add_letter(db, data, envelope, now)
            uids = [_add_message(db, user, letter, now) for user in users]
        with self._arrival:
            self._arrival.notify_all()
        return uids

    def wait_for(self, count: int, timeout: float) -> bool:
        """Whether there are *count* messages or more, within so many seconds."""

        def there() -> bool:
            found = self._db.execute("SELECT count(*) FROM letters").fetchone()
            enough: bool = found[0] >= count
            return enough

        with self._arrival:
            return self._arrival.wait_for(there, timeout)

    def listing(self, user: str) -> list[Entry]:
        """What is in the INBOX of *user*, oldest first."""
        with self._lock:
            rows = self._db.execute(
                "SELECT letter, messages.id, uidvalidity || '.' || uid, length(data) "
                "FROM messages JOIN mailboxes ON mailboxes.id = mailbox "
                "JOIN letters ON letters.id = letter "
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
            with self._db.blobopen(
                "letters", "data", entry.letter, readonly=True
            ) as blob:
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
            letters = self._db.execute(
                "SELECT id, data, envelope, received FROM letters ORDER BY id"
            ).fetchall()
            owners: dict[int, list[str]] = {}
            for letter, user in self._db.execute(
                "SELECT DISTINCT letter, user FROM messages "
                "JOIN mailboxes ON mailboxes.id = mailbox ORDER BY messages.id"
            ):
                owners.setdefault(letter, []).append(user)
        found = []
        for letter, data, envelope, received in letters:
            mail, *rcpts = envelope.split("\n")
            found.append(
                StoredMessage(
                    data,
                    Mail.read(mail.encode()),
                    tuple(Rcpt.read(rcpt.encode()) for rcpt in rcpts),
                    tuple(owners.get(letter, ())),
                    received,
                )
            )
        return found

    def clear(self) -> None:
        """Delete every message; UIDs go on from where they were."""
        with self._transaction() as db:
            db.execute("DELETE FROM messages")
            db.execute("DELETE FROM letters")

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


def _add_letter(
    db: sqlite3.Connection, data: bytes | IO[bytes], envelope: str, now: float
) -> int:
    add = "INSERT INTO letters (received, envelope, data) VALUES (?, ?, {})"
    if isinstance(data, bytes):
        letter = db.execute(add.format("?"), (now, envelope, data)).lastrowid
        assert letter is not None
        return letter
    data.seek(0, os.SEEK_END)
    size = data.tell()
    data.seek(0)
    letter = db.execute(add.format("zeroblob(?)"), (now, envelope, size)).lastrowid
    assert letter is not None
    with db.blobopen("letters", "data", letter) as blob:
        while piece := data.read(CHUNK):
            blob.write(piece)
    return letter


def _add_message(db: sqlite3.Connection, user: str, letter: int, now: float) -> int:
    row = db.execute(
        "UPDATE mailboxes SET uidnext = uidnext + 1 "
        "WHERE user = ? AND name = 'INBOX' RETURNING id, uidnext - 1",
        (prepared(user),),
    ).fetchone()
    if row is None:
        raise KeyError(user)
    mailbox, uid = row
    db.execute(
        "INSERT INTO messages (mailbox, uid, letter, received) VALUES (?, ?, ?, ?)",
        (mailbox, uid, letter, now),
    )
    found: int = uid
    return found
