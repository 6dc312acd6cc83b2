"""Who has mail here: names, aliases, and whose an address is."""

from __future__ import annotations

import sqlite3

from ..sasl import saslprep
from ..smtp import Mailbox


def prepared(text: str) -> str:
    """A name or a password to be compared; what SASLprep prohibits stays as it is."""
    try:
        return saslprep(text)
    except ValueError:
        return text


def user_named(
    db: sqlite3.Connection, name: str, collation: str = "BINARY"
) -> str | None:
    row = db.execute(
        f"SELECT name FROM users WHERE name = ? COLLATE {collation} ORDER BY name",
        (name,),
    ).fetchone()
    return None if row is None else row[0]


def aliased(
    db: sqlite3.Connection, name: str, collation: str = "BINARY"
) -> tuple[str, ...]:
    """The users that the alias *name* stands for."""
    rows = db.execute(
        f"SELECT user FROM aliases WHERE name = ? COLLATE {collation} ORDER BY rowid",
        (name,),
    ).fetchall()
    return tuple(dict.fromkeys(user for (user,) in rows))


def users_of(db: sqlite3.Connection, recipient: str) -> tuple[str, ...]:
    """See ``Store.users_of``."""
    names = [prepared(recipient)]
    if "@" in recipient:
        names.append(prepared(Mailbox.read(recipient).name))
    base, plus, _ = names[-1].partition("+")
    for group in (names, [base] if base and plus else []):
        for collation in ("BINARY", "NOCASE"):
            for name in group:
                user = user_named(db, name, collation)
                if user is not None:
                    return (user,)
                if users := aliased(db, name, collation):
                    return users
    return ()


def add_alias(db: sqlite3.Connection, name: str, users: tuple[str, ...]) -> None:
    """See ``Store.add_alias``."""
    name = prepared(name)
    if not name or not users:
        raise ValueError("an alias has a name, and users that it stands for")
    if user_named(db, name) is not None:
        raise ValueError(f"{name} is a user")
    found: dict[str, None] = {}
    for user in users:
        meant = users_of(db, user)
        if not meant:
            raise KeyError(user)
        found.update(dict.fromkeys(meant))
    db.execute("DELETE FROM aliases WHERE name = ?", (name,))
    rows = [(name, user) for user in found]
    db.executemany("INSERT INTO aliases (name, user) VALUES (?, ?)", rows)
