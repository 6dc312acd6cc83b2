"""Where the embedded server keeps its mail: one SQLite database, for all protocols.

In memory, or in a file if a path is given; then whatever a call has returned from is on
the disk.  Any thread may call.
"""

from __future__ import annotations

import json
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from os import PathLike
from typing import IO, Any, Final

from ..sasl import saslprep
from ..smtp import Mail, Mailbox, Rcpt
from .messages import NOWHERE, FiledMessage, Origin, StoredMessage
from .schema import SCHEMA, VERSION

CHUNK: Final = 65536  # octets of a message that are read at once


@dataclass(frozen=True, slots=True)
class Entry:
    """A message as a listing has it; *unique* is its lasting name."""

    letter: int
    id: int
    unique: str
    size: int


class Store:
    """Users, their mailboxes, and what is in these.

    Names are one if they are one to SASLprep (RFC 6856 2.2), however they are typed.
    """

    def __init__(self, path: str | PathLike[str] | None = None) -> None:
        #: who gets the mail that is for nobody else here
        self.catch_all: str | None = None
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
        try:
            self._prepare(on_disk=path is not None)
        except BaseException:
            self._db.close()
            raise

    def _prepare(self, *, on_disk: bool) -> None:
        if on_disk:
            # What is committed outlives the process, and the machine.
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = FULL")
        self._db.execute("PRAGMA foreign_keys = ON")
        (version,) = self._db.execute("PRAGMA user_version").fetchone()
        if version not in (0, VERSION):
            raise ValueError(f"the file has tables of version {version}, not {VERSION}")
        if version == 0:  # in one go: each step by itself would wait for the disk
            made = f"PRAGMA user_version = {VERSION}"
            self._db.executescript(f"BEGIN IMMEDIATE; {SCHEMA}; {made}; COMMIT")

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
            if _targets(db, name, "BINARY"):
                raise ValueError(f"{name} is an alias")
            db.execute(
                "INSERT INTO users VALUES (?, ?) "
                "ON CONFLICT (name) DO UPDATE SET password = excluded.password",
                (name, password),
            )
            if find_mailbox(db, name) is None:
                add_mailbox(db, name, "INBOX")

    def add_alias(self, name: str, *users: str) -> None:
        """Mail for *name* is for all of *users* from now on, and for no others.

        What stands for users already, an alias or an address, may be one of *users*.
        Raises KeyError if there is no such user, ValueError if *name* is one, or empty.
        """
        name = prepared(name)
        if not name or not users:
            raise ValueError("an alias has a name, and users that it stands for")
        with self.transaction() as db:
            if _user(db, name, "BINARY") is not None:
                raise ValueError(f"{name} is a user")
            found: dict[str, None] = {}
            for user in users:
                meant = _meant(db, user)
                if not meant:
                    raise KeyError(user)
                found.update(dict.fromkeys(meant))
            db.execute("DELETE FROM aliases WHERE name = ?", (name,))
            rows = [(name, user) for user in found]
            db.executemany("INSERT INTO aliases (name, user) VALUES (?, ?)", rows)

    def users(self) -> tuple[str, ...]:
        """The names of all, in the order in which they were added."""
        with self._lock:
            rows = self._db.execute("SELECT name FROM users ORDER BY rowid").fetchall()
        return tuple(name for (name,) in rows)

    def password(self, name: str) -> str | None:
        """The password of *name*, prepared; ``None``: there is no such user."""
        with self._lock:
            row = self._db.execute(
                "SELECT password FROM users WHERE name = ?", (prepared(name),)
            ).fetchone()
        return None if row is None else row[0]

    def users_of(self, recipient: str) -> tuple[str, ...]:
        """Whose mail it is that comes for that address: *name* has name@anything.

        The whole address may be a name too.  Upper and lower case are the same, unless
        there are two who differ by it.  What stands behind a ``+`` (RFC 5233) is for
        the reader, unless somebody has just that name.
        """
        with self._lock:
            meant = _meant(self._db, recipient)
            if not meant and self.catch_all is not None:
                meant = _meant(self._db, self.catch_all)
        return meant

    # -- messages --------------------------------------------------------------

    def deliver(
        self,
        data: bytes | IO[bytes],
        users: Iterable[str],
        mail: Mail | None = None,
        rcpts: Sequence[Rcpt] = (),
        origin: Origin = NOWHERE,
        *,
        mailbox: str = "INBOX",
        flags: str = "",
    ) -> list[int]:
        """Put *data* into that mailbox of each of *users*; its UIDs there.

        *flags* are words with a space between.  Of a file, all is taken.  With nobody
        for it, the message is kept all the same.
        Returns when the store has it.  Raises KeyError if there is no such user, or
        mailbox.
        """
        envelope = "\n".join(each.argument() for each in (mail or Mail(""), *rcpts))
        now = time.time()
        with self.transaction() as db:
            letter = add_letter(db, data, envelope, now, origin)
            uids = []
            for user in users:
                where = find_mailbox(db, prepared(user), mailbox)
                if where is None:
                    raise KeyError(user if mailbox == "INBOX" else mailbox)
                uids.append(add_message(db, where, letter, now, flags))
        return uids

    def wait_for(
        self,
        count: int,
        timeout: float,
        where: Callable[[StoredMessage], bool] = lambda _: True,
    ) -> list[StoredMessage]:
        """The messages for which *where* holds, once there are *count* of them.

        If there are not within so many seconds, those that there are.
        """
        found: dict[int, StoredMessage | None] = {}  # None: another than is wanted

        def enough() -> bool:
            there = self._db.execute("SELECT id FROM letters ORDER BY id").fetchall()
            letters = [letter for (letter,) in there]
            for gone in found.keys() - set(letters):
                del found[gone]
            for letter in letters:
                if letter not in found:
                    message = self._stored(letter)
                    found[letter] = message if where(message) else None
            return sum(message is not None for message in found.values()) >= count

        with self._changed:
            self._changed.wait_for(enough, timeout)
        return [message for message in found.values() if message is not None]

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
            letters = self._db.execute("SELECT id FROM letters ORDER BY id").fetchall()
            return [self._stored(letter) for (letter,) in letters]

    def filed(self, user: str, mailbox: str = "INBOX") -> list[FiledMessage]:
        """What is in that mailbox, by UID; KeyError: there is no such user, or none."""
        with self._lock:
            where = find_mailbox(self._db, prepared(user), mailbox)
            if where is None:
                there = find_mailbox(self._db, prepared(user)) is not None
                raise KeyError(mailbox if there else user)
            rows = self._db.execute(
                "SELECT uid, uidvalidity || '.' || uid, flags, received, letter "
                "FROM messages JOIN mailboxes ON mailboxes.id = mailbox "
                "WHERE mailbox = ? ORDER BY uid",
                (where,),
            ).fetchall()
            return [
                FiledMessage(
                    uid, unique, tuple(flags.split()), received, self._stored(letter)
                )
                for uid, unique, flags, received, letter in rows
            ]

    def _stored(self, letter: int) -> StoredMessage:
        data, envelope, received, origin = self._db.execute(
            "SELECT data, envelope, received, origin FROM letters WHERE id = ?",
            (letter,),
        ).fetchone()
        owners = self._db.execute(
            "SELECT user FROM messages JOIN mailboxes ON mailboxes.id = mailbox "
            "WHERE letter = ? ORDER BY messages.id",
            (letter,),
        ).fetchall()
        mail, *rcpts = envelope.split("\n")
        return StoredMessage(
            data,
            Mail.read(mail.encode()),
            tuple(Rcpt.read(rcpt.encode()) for rcpt in rcpts),
            tuple(dict.fromkeys(user for (user,) in owners)),
            received,
            _read_origin(origin),
        )

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


def _user(db: sqlite3.Connection, name: str, collation: str) -> str | None:
    row = db.execute(
        f"SELECT name FROM users WHERE name = ? COLLATE {collation} ORDER BY name",
        (name,),
    ).fetchone()
    return None if row is None else row[0]


def _targets(db: sqlite3.Connection, name: str, collation: str) -> tuple[str, ...]:
    """The users that the alias *name* stands for."""
    rows = db.execute(
        f"SELECT user FROM aliases WHERE name = ? COLLATE {collation} ORDER BY rowid",
        (name,),
    ).fetchall()
    return tuple(dict.fromkeys(user for (user,) in rows))


def _meant(db: sqlite3.Connection, recipient: str) -> tuple[str, ...]:
    names = [prepared(recipient)]
    if "@" in recipient:
        names.append(prepared(Mailbox.read(recipient).name))
    base, plus, _ = names[-1].partition("+")
    for group in (names, [base] if base and plus else []):
        for collation in ("BINARY", "NOCASE"):
            for name in group:
                user = _user(db, name, collation)
                if user is not None:
                    return (user,)
                if users := _targets(db, name, collation):
                    return users
    return ()


def _read_origin(text: str) -> Origin:
    service, helo, login, tls, peer = json.loads(text)
    return Origin(service, helo, login, tls, None if peer is None else tuple(peer))


def _write_origin(origin: Origin) -> str:
    return json.dumps(astuple(origin))


def add_letter(
    db: sqlite3.Connection,
    data: bytes | IO[bytes],
    envelope: str,
    now: float,
    origin: Origin,
) -> int:
    """Put *data*, which came *now*, into no mailbox as yet; its id."""
    add = "INSERT INTO letters (received, envelope, origin, data) VALUES (?, ?, ?, {})"
    known: tuple[Any, ...] = (now, envelope, _write_origin(origin))
    if isinstance(data, bytes):
        letter = db.execute(add.format("?"), (*known, data)).lastrowid
        assert letter is not None
        return letter
    data.seek(0, os.SEEK_END)
    size = data.tell()
    data.seek(0)
    letter = db.execute(add.format("zeroblob(?)"), (*known, size)).lastrowid
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


def find_mailbox(db: sqlite3.Connection, user: str, name: str = "INBOX") -> int | None:
    row = db.execute(
        "SELECT id FROM mailboxes WHERE user = ? AND name = ?", (user, name)
    ).fetchone()
    return None if row is None else row[0]


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
