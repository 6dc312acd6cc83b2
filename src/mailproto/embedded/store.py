"""Where the embedded server keeps its mail: one SQLite database, for all protocols.

Any thread may call.  What a call has returned from is in the file, if there is one.
"""

from __future__ import annotations

import json
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import astuple, dataclass
from os import PathLike
from typing import IO, Any, Final

from ..smtp import Mail, Rcpt
from . import accounts
from .accounts import prepared
from .database import Database
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


class Store(Database):
    """Users, their mailboxes, and what is in these.

    Names are one if they are one to SASLprep (RFC 6856 2.2), however they are typed.
    """

    def __init__(self, path: str | PathLike[str] | None = None) -> None:
        super().__init__(path, SCHEMA, VERSION)
        #: who gets the mail that is for nobody else here
        self.catch_all: str | None = None
        self._drops: set[str] = set()  # maildrops that a POP3 session has
        self._taking = threading.Lock()

    # -- users -----------------------------------------------------------------

    def add_user(self, name: str, password: str) -> None:
        """Add a user with an empty INBOX, or give one another password.

        Raises ValueError if either is empty: nobody could log in with it.
        """
        name, password = prepared(name), prepared(password)
        if not name or not password:
            raise ValueError("neither name nor password may be empty")
        with self.transaction() as db:
            if accounts.aliased(db, name):
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
        with self.transaction() as db:
            accounts.add_alias(db, name, users)

    def users(self) -> tuple[str, ...]:
        """The names of all, in the order in which they were added."""
        with self.reading() as db:
            rows = db.execute("SELECT name FROM users ORDER BY rowid").fetchall()
        return tuple(name for (name,) in rows)

    def password(self, name: str) -> str | None:
        """The password of *name*, prepared; ``None``: there is no such user."""
        with self.reading() as db:
            row = db.execute(
                "SELECT password FROM users WHERE name = ?", (prepared(name),)
            ).fetchone()
        return None if row is None else row[0]

    def users_of(self, recipient: str) -> tuple[str, ...]:
        """Whose mail it is that comes for that address: *name* has name@anything.

        The whole address may be a name too.  Upper and lower case are the same, unless
        there are two who differ by it.  What stands behind a ``+`` (RFC 5233) is for
        the reader, unless somebody has just that name.
        """
        with self.reading() as db:
            meant = accounts.users_of(db, recipient)
            if not meant and self.catch_all is not None:
                meant = accounts.users_of(db, self.catch_all)
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
        found: dict[int, StoredMessage] = {}
        last = 0

        def forget_the_gone() -> None:
            for gone in found.keys() - set(self.letters()):
                del found[gone]

        def enough() -> bool:
            nonlocal last
            for letter in self.letters(last):
                last = letter
                message = self.stored(letter)
                if message is not None and where(message):
                    found[letter] = message
            if len(found) >= count:
                forget_the_gone()
            return len(found) >= count

        with self._changed:
            if not self._changed.wait_for(enough, timeout):
                forget_the_gone()
        return list(found.values())

    def listing(self, user: str) -> list[Entry]:
        """What is in the INBOX of *user*, oldest first."""
        with self.reading() as db:
            rows = db.execute(
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
        with self.reading() as db:
            there = "SELECT 1 FROM messages WHERE id = ?"
            if db.execute(there, (entry.id,)).fetchone() is None:
                raise KeyError(entry.unique)
        yield from self.pieces(entry.letter, 0, entry.size)

    def pieces(self, letter: int, start: int, end: int) -> Iterator[bytes]:
        """The octets from *start* to *end* of a letter; KeyError: it is deleted.

        It is opened once: SQLite walks through all that stands before the octets that
        it is asked for, so to open it for every piece would take quadratic time.
        """
        try:
            if end - start <= CHUNK:
                with self.reading() as db, _open(db, letter, start) as blob:
                    piece = blob.read(end - start)
                yield piece
                return
            with self.looking() as (db, lock):
                with lock:
                    blob = _open(db, letter, start)
                try:
                    for at in range(start, end, CHUNK):
                        with lock:
                            piece = blob.read(min(CHUNK, end - at))
                        yield piece
                finally:
                    with lock, suppress(sqlite3.ProgrammingError):
                        blob.close()  # unless the database is closed
        except sqlite3.OperationalError:
            raise KeyError(letter) from None

    def delete(self, entries: Sequence[Entry]) -> None:
        """Delete them all, or none if something goes wrong."""
        with self.transaction() as db:
            rows = [(entry.id,) for entry in entries]
            db.executemany("DELETE FROM messages WHERE id = ?", rows)

    def messages(self) -> list[StoredMessage]:
        """All that there is, in the order in which it came."""
        # Each by itself: a server that is looked at has others to serve.
        found = map(self.stored, self.letters())
        return [message for message in found if message is not None]

    def filed(self, user: str, mailbox: str = "INBOX") -> list[FiledMessage]:
        """What is in that mailbox, by UID; KeyError: there is no such user, or none."""
        with self.reading() as db:
            where = find_mailbox(db, prepared(user), mailbox)
            if where is None:
                there = find_mailbox(db, prepared(user)) is not None
                raise KeyError(mailbox if there else user)
            rows = db.execute(
                "SELECT letter, uid, uidvalidity || '.' || uid, flags, received "
                "FROM messages JOIN mailboxes ON mailboxes.id = mailbox "
                "WHERE mailbox = ? ORDER BY uid",
                (where,),
            ).fetchall()
        return [
            FiledMessage(uid, unique, tuple(flags.split()), received, message)
            for letter, uid, unique, flags, received in rows
            if (message := self.stored(letter)) is not None
        ]

    def letters(self, after: int = 0) -> list[int]:
        """The ids of what came after the letter of that id, or of all."""
        with self.reading() as db:
            rows = db.execute(
                "SELECT id FROM letters WHERE id > ? ORDER BY id", (after,)
            ).fetchall()
        return [letter for (letter,) in rows]

    def last_letter(self) -> int:
        """The id of what came last; 0: there is nothing."""
        with self.reading() as db:
            (letter,) = db.execute("SELECT max(id) FROM letters").fetchone()
        return letter or 0

    def stored(self, letter: int) -> StoredMessage | None:
        """What came, by its id; ``None`` if it is deleted by now."""
        with self.reading() as db:
            row = db.execute(
                "SELECT data, envelope, received, origin FROM letters WHERE id = ?",
                (letter,),
            ).fetchone()
            if row is None:
                return None
            owners = db.execute(
                "SELECT user FROM messages JOIN mailboxes ON mailboxes.id = mailbox "
                "WHERE letter = ? ORDER BY messages.id",
                (letter,),
            ).fetchall()
        data, envelope, received, origin = row
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
        with self._taking:
            if prepared(user) in self._drops:
                return False
            self._drops.add(prepared(user))
            return True

    def unlock(self, user: str) -> None:
        with self._taking:
            self._drops.discard(prepared(user))


def _open(db: sqlite3.Connection, letter: int, start: int) -> sqlite3.Blob:
    blob = db.blobopen("letters", "data", letter, readonly=True)
    blob.seek(start)
    return blob


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
