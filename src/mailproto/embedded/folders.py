"""The mailboxes of one user, as IMAP sees them: a tree of names, flags, UIDs.

A name is a path with ``/`` between its parts, and INBOX is one, in whatever case.  What
does not go raises ``Refused``, which says why.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import IO, Final

from .accounts import prepared
from .messages import NOWHERE, Origin
from .store import Store, add_letter, add_mailbox, add_message

SEPARATOR: Final = "/"
SEEN, DELETED = "\\Seen", "\\Deleted"


class Refused(Exception):
    """It cannot be done; *missing*: because there is no such mailbox."""

    def __init__(self, text: str, *, missing: bool = False) -> None:
        super().__init__(text)
        self.missing = missing


@dataclass(frozen=True, slots=True)
class Folder:
    """A name in the tree; *selectable*: a mailbox has it, not only what is below it."""

    name: str
    selectable: bool
    children: bool


@dataclass(frozen=True, slots=True)
class Status:
    """RFC 3501 6.3.10: what is known of a mailbox without opening it."""

    messages: int
    recent: int
    unseen: int
    uidnext: int
    uidvalidity: int


@dataclass(frozen=True, slots=True)
class Opened:
    """A mailbox that a session has open; *id* is never another's."""

    id: int
    uidvalidity: int
    uidnext: int


@dataclass(frozen=True, slots=True)
class Row:
    """A message in a mailbox; *received* is seconds since 1970."""

    uid: int
    flags: tuple[str, ...]
    received: float
    size: int
    letter: int
    modseq: int


@dataclass(frozen=True, slots=True)
class Copied:
    """RFC 4315 3: where messages went, UID by UID."""

    uidvalidity: int
    source: tuple[int, ...]
    target: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Changes:
    """What became of a mailbox since *modseq* was less: all UIDs, and what changed.

    *flags* has the messages that are new, or whose flags are.
    """

    modseq: int
    uids: tuple[int, ...]
    flags: dict[int, tuple[str, ...]]


def normal(name: str) -> str:
    """*name* with INBOX in capitals, and without a separator at the end."""
    name = name.rstrip(SEPARATOR) or name
    first, slash, rest = name.partition(SEPARATOR)
    return "INBOX" + slash + rest if first.upper() == "INBOX" else name


class Folders:
    """What *user* has in *store*; what he appends has that *origin*."""

    def __init__(self, store: Store, user: str, origin: Origin = NOWHERE) -> None:
        self._origin = origin
        self._store = store
        self._user = prepared(user)

    # -- names -----------------------------------------------------------------

    def tree(self) -> list[Folder]:
        """All names, sorted; also those that only have something below them."""
        with self._store.reading() as db:
            rows = db.execute(
                "SELECT name FROM mailboxes WHERE user = ?", (self._user,)
            ).fetchall()
        real = {name for (name,) in rows}
        above = {above for name in real for above in _above(name)}
        return [
            Folder(name, name in real, name in above) for name in sorted(real | above)
        ]

    def subscribed(self) -> list[str]:
        """The names that were subscribed to, sorted; a mailbox need not have them."""
        with self._store.reading() as db:
            rows = db.execute(
                "SELECT name FROM subscriptions WHERE user = ? ORDER BY name",
                (self._user,),
            )
            return [name for (name,) in rows]

    def subscribe(self, name: str) -> None:
        with self._store.transaction() as db:
            db.execute(
                "INSERT INTO subscriptions VALUES (?, ?) ON CONFLICT DO NOTHING",
                (self._user, normal(name)),
            )

    def unsubscribe(self, name: str) -> None:
        with self._store.transaction() as db:
            db.execute(
                "DELETE FROM subscriptions WHERE user = ? AND name = ?",
                (self._user, normal(name)),
            )

    def create(self, name: str) -> None:
        """RFC 3501 6.3.3: a new mailbox, and those above it that are missing."""
        name = _new_name(name)
        with self._store.transaction() as db:
            if self._find(db, name) is not None:
                raise Refused("there is such a mailbox already")
            for above in (*_above(name), name):
                if self._find(db, above) is None:
                    add_mailbox(db, self._user, above)

    def delete(self, name: str) -> None:
        """RFC 3501 6.3.4: the mailbox goes, and what is below it stays."""
        name = normal(name)
        if name == "INBOX":
            raise Refused("INBOX cannot be deleted")
        with self._store.transaction() as db:
            mailbox = self._open(db, name).id
            db.execute("DELETE FROM messages WHERE mailbox = ?", (mailbox,))
            db.execute("DELETE FROM mailboxes WHERE id = ?", (mailbox,))

    def rename(self, old: str, new: str) -> None:
        """RFC 3501 6.3.5: of INBOX the messages move, of others also what is below."""
        old, new = normal(old), _new_name(new)
        with self._store.transaction() as db:
            if self._find(db, new) is not None:
                raise Refused("there is such a mailbox already")
            if (new + SEPARATOR).startswith(old + SEPARATOR) and old != "INBOX":
                raise Refused("a mailbox cannot be below itself")
            names = [name for name in self._names(db) if _is_below(name, old)]
            if not names:
                raise Refused("there is no such mailbox", missing=True)
            for above in _above(new):
                if self._find(db, above) is None:
                    add_mailbox(db, self._user, above)
            if old == "INBOX":
                add_mailbox(db, self._user, new)
                source, target = self._open(db, old), self._open(db, new)
                uids = [row.uid for row in _rows(db, source.id)]
                _copy(db, source.id, uids, target.id)
                db.execute("DELETE FROM messages WHERE mailbox = ?", (source.id,))
                return
            db.executemany(
                "UPDATE mailboxes SET name = ? WHERE user = ? AND name = ?",
                [(new + name[len(old) :], self._user, name) for name in names],
            )

    def _names(self, db: sqlite3.Connection) -> list[str]:
        rows = db.execute("SELECT name FROM mailboxes WHERE user = ?", (self._user,))
        return [name for (name,) in rows]

    def _find(self, db: sqlite3.Connection, name: str) -> Opened | None:
        row = db.execute(
            "SELECT id, uidvalidity, uidnext FROM mailboxes "
            "WHERE user = ? AND name = ?",
            (self._user, name),
        ).fetchone()
        return None if row is None else Opened(*row)

    def _open(self, db: sqlite3.Connection, name: str) -> Opened:
        found = self._find(db, normal(name))
        if found is None:
            raise Refused("there is no such mailbox", missing=True)
        return found

    # -- what is in them -------------------------------------------------------

    def status(self, name: str) -> Status:
        with self._store.reading() as db:
            opened = self._open(db, name)
            flags = [
                (bool(recent), SEEN in flags.split(" "))
                for recent, flags in db.execute(
                    "SELECT recent, flags FROM messages WHERE mailbox = ?", (opened.id,)
                )
            ]
        recent = sum(recent for recent, _ in flags)
        unseen = sum(not seen for _, seen in flags)
        total = len(flags)
        return Status(total, recent, unseen, opened.uidnext, opened.uidvalidity)

    def open(self, name: str) -> Opened:
        with self._store.reading() as db:
            return self._open(db, name)

    def take_recent(self, mailbox: Opened) -> frozenset[int]:
        """The UIDs of what no session was told of; from now on, one was."""
        with self._store.transaction() as db:
            rows = db.execute(
                "UPDATE messages SET recent = 0 WHERE mailbox = ? AND recent "
                "RETURNING uid",
                (mailbox.id,),
            ).fetchall()
        return frozenset(uid for (uid,) in rows)

    def recent(self, mailbox: Opened) -> frozenset[int]:
        """The same for one who only looks: it stays what it is."""
        with self._store.reading() as db:
            rows = db.execute(
                "SELECT uid FROM messages WHERE mailbox = ? AND recent", (mailbox.id,)
            )
            return frozenset(uid for (uid,) in rows)

    def changes(self, mailbox: Opened, since: int) -> Changes | None:
        """What happened after *since*, or ``None``: nothing.  A mailbox may be gone."""
        with self._store.reading() as db:
            row = db.execute(
                "SELECT modseq FROM mailboxes WHERE id = ?", (mailbox.id,)
            ).fetchone()
            if row is None:
                raise Refused("the mailbox was deleted", missing=True)
            if row[0] == since:
                return None
            uids = db.execute(
                "SELECT uid FROM messages WHERE mailbox = ? ORDER BY uid", (mailbox.id,)
            ).fetchall()
            flags = db.execute(
                "SELECT uid, flags FROM messages WHERE mailbox = ? AND modseq > ? "
                "ORDER BY uid",
                (mailbox.id, since),
            ).fetchall()
        changed = {uid: _words(text) for uid, text in flags}
        return Changes(row[0], tuple(uid for (uid,) in uids), changed)

    def rows(self, mailbox: Opened, uids: Iterable[int] | None = None) -> list[Row]:
        """Of those *uids*, or of all: what is known without a look at the octets."""
        with self._store.reading() as db:
            return list(_rows(db, mailbox.id, uids))

    def data(self, row: Row) -> bytes | None:
        """The octets of a message; ``None`` if it is deleted meanwhile."""
        with self._store.reading() as db:
            found = db.execute(
                "SELECT data FROM letters WHERE id = ?", (row.letter,)
            ).fetchone()
        return None if found is None else found[0]

    def chunks(self, row: Row, start: int, size: int) -> Iterator[bytes]:
        """*size* octets from *start* on, a few at a time; KeyError: it is deleted."""
        end = min(start + size, row.size)
        yield from self._store.pieces(row.letter, min(start, end), end)

    def set_flags(self, mailbox: Opened, flags: Mapping[int, Sequence[str]]) -> None:
        """Give messages these flags, and no others."""
        with self._store.transaction() as db:
            db.executemany(
                "UPDATE messages SET flags = ? WHERE mailbox = ? AND uid = ?",
                [(" ".join(words), mailbox.id, uid) for uid, words in flags.items()],
            )

    def append(
        self,
        name: str,
        data: bytes | IO[bytes],
        flags: Sequence[str] = (),
        received: float | None = None,
    ) -> tuple[int, int]:
        """RFC 3501 6.3.11: a new message; UIDVALIDITY and UID."""
        now = time.time()
        with self._store.transaction() as db:
            mailbox = self._open(db, name)
            letter = add_letter(db, data, "FROM:<>", now, self._origin)
            when = now if received is None else received
            uid = add_message(db, mailbox.id, letter, when, " ".join(flags))
        return mailbox.uidvalidity, uid

    def expunge(self, mailbox: Opened, uids: Iterable[int] | None = None) -> list[int]:
        """Delete what has the flag Deleted, of *uids* or of all; what that was."""
        with self._store.transaction() as db:
            doomed = [
                row.uid for row in _rows(db, mailbox.id, uids) if DELETED in row.flags
            ]
            _delete(db, mailbox.id, doomed)
        return doomed

    def copy(
        self, mailbox: Opened, uids: Sequence[int], name: str, *, move: bool = False
    ) -> Copied:
        """RFC 3501 6.4.7, RFC 6851 3: all of them, or none."""
        with self._store.transaction() as db:
            target = self._open(db, name)
            there = [row.uid for row in _rows(db, mailbox.id, uids)]
            copied = _copy(db, mailbox.id, there, target.id)
            if move:
                _delete(db, mailbox.id, there)
        return Copied(target.uidvalidity, tuple(there), tuple(copied))


def _above(name: str) -> list[str]:
    parts = name.split(SEPARATOR)
    return [SEPARATOR.join(parts[:count]) for count in range(1, len(parts))]


def _is_below(name: str, top: str) -> bool:
    return name == top or (name.startswith(top + SEPARATOR) and top != "INBOX")


def _new_name(name: str) -> str:
    name = normal(name)
    if not all(name.split(SEPARATOR)):
        raise Refused("no part of a name may be empty")
    if any(word in name for word in "*%"):
        raise Refused("a name may not have a wildcard in it")
    return name


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


def _rows(
    db: sqlite3.Connection, mailbox: int, uids: Iterable[int] | None = None
) -> Iterator[Row]:
    wanted = None if uids is None else set(uids)
    least, most = (min(wanted), max(wanted)) if wanted else (0, 2**32)
    for uid, flags, *rest in db.execute(
        "SELECT uid, flags, messages.received, length(data), letter, modseq "
        "FROM messages JOIN letters ON letters.id = letter "
        "WHERE mailbox = ? AND uid BETWEEN ? AND ? ORDER BY uid",
        (mailbox, least, most),
    ).fetchall():
        if wanted is None or uid in wanted:
            yield Row(uid, _words(flags), *rest)


def _copy(
    db: sqlite3.Connection, source: int, uids: Iterable[int], target: int
) -> list[int]:
    copied = []
    for row in list(_rows(db, source, uids)):
        flags = " ".join(row.flags)
        copied.append(add_message(db, target, row.letter, row.received, flags))
    return copied


def _delete(db: sqlite3.Connection, mailbox: int, uids: Iterable[int]) -> None:
    db.executemany(
        "DELETE FROM messages WHERE mailbox = ? AND uid = ?",
        [(mailbox, uid) for uid in uids],
    )
