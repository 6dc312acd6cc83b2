"""Where the embedded server keeps its mail: one SQLite database, for all protocols.

In memory, or in a file if a path is given; then whatever a call has returned from is on
the disk.  Any thread may call.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from os import PathLike
from typing import IO, Final

from ..sasl import saslprep
from ..smtp import Mail, Mailbox, Rcpt
from .schema import SCHEMA

CHUNK: Final = 65536  # octets of a message that are read at once


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
        self._changed = threading.Condition(self._lock)
        #: called, in any thread, whenever something may have changed
        self.watchers: set[Callable[[], object]] = set()
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
        self._db.executescript(SCHEMA)

    def close(self) -> None:
        with self._lock:
            self._db.close()

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """The database, for one who looks at it; nobody else writes meanwhile."""
        with self._lock:
            yield self._db

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """The database, for one who writes: all is done at the end, or nothing."""
        with self._changed:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:  # a full disk has rolled it back already
                    self._db.execute("ROLLBACK")
                raise
            self._changed.notify_all()
        for watcher in list(self.watchers):
            watcher()

    # -- users -----------------------------------------------------------------

    def add_user(self, name: str, password: str) -> None:
        """Add a user with an empty INBOX, or give one another password.

        Raises ValueError if either is empty: nobody could log in with it.
        """
        name, password = prepared(name), prepared(password)
        if not name or not password:
            raise ValueError("neither name nor password may be empty")
        with self.transaction() as db:
            db.execute(
                "INSERT INTO users VALUES (?, ?) "
                "ON CONFLICT (name) DO UPDATE SET password = excluded.password",
                (name, password),
            )
            if find_inbox(db, name) is None:
                add_mailbox(db, name, "INBOX")

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
        with self.transaction() as db:
            letter = add_letter(db, data, envelope, now)
            return [_add_to_inbox(db, user, letter, now) for user in users]

    def wait_for(self, count: int, timeout: float) -> bool:
        """Whether there are *count* messages or more, within so many seconds."""

        def there() -> bool:
            found = self._db.execute("SELECT count(*) FROM letters").fetchone()
            enough: bool = found[0] >= count
            return enough

        with self._changed:
            return self._changed.wait_for(there, timeout)

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
        with self.transaction() as db:
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
        with self.transaction() as db:
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


def add_letter(
    db: sqlite3.Connection, data: bytes | IO[bytes], envelope: str, now: float
) -> int:
    """Put *data*, which came *now*, into no mailbox as yet; its id."""
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


def add_mailbox(db: sqlite3.Connection, user: str, name: str) -> None:
    (uidvalidity,) = db.execute(
        "UPDATE uidvalidity SET last = max(last + 1, ?) RETURNING last",
        (int(time.time()),),
    ).fetchone()
    db.execute(
        "INSERT INTO mailboxes (user, name, uidvalidity) VALUES (?, ?, ?)",
        (user, name, uidvalidity),
    )


def find_inbox(db: sqlite3.Connection, user: str) -> int | None:
    row = db.execute(
        "SELECT id FROM mailboxes WHERE user = ? AND name = 'INBOX'", (user,)
    ).fetchone()
    return None if row is None else row[0]


def _add_to_inbox(db: sqlite3.Connection, user: str, letter: int, now: float) -> int:
    mailbox = find_inbox(db, prepared(user))
    if mailbox is None:
        raise KeyError(user)
    return add_message(db, mailbox, letter, now)


def add_message(
    db: sqlite3.Connection, mailbox: int, letter: int, received: float, flags: str = ""
) -> int:
    """Put a letter into a mailbox; its UID there."""
    uid: int
    (uid,) = db.execute(
        "UPDATE mailboxes SET uidnext = uidnext + 1 WHERE id = ? RETURNING uidnext - 1",
        (mailbox,),
    ).fetchone()
    db.execute(
        "INSERT INTO messages (mailbox, uid, letter, received, flags) "
        "VALUES (?, ?, ?, ?, ?)",
        (mailbox, uid, letter, received, flags),
    )
    return uid
