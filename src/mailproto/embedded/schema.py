"""The tables of the embedded server's database, and what they see to by themselves.

Whatever changes in a mailbox, by whichever protocol, raises its *modseq*, and a message
has the modseq of its last change: a session that has seen up to one asks for the rest.
"""

from __future__ import annotations

from typing import Final

#: of the tables; to be raised with every change of them
VERSION: Final = 1

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS users (
    name TEXT PRIMARY KEY,
    password TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS users_in_any_case ON users (name COLLATE NOCASE);
CREATE TABLE IF NOT EXISTS aliases (
    name TEXT NOT NULL,
    user TEXT NOT NULL REFERENCES users (name)
);
CREATE INDEX IF NOT EXISTS aliases_by_name ON aliases (name);
CREATE INDEX IF NOT EXISTS aliases_in_any_case ON aliases (name COLLATE NOCASE);
-- An id is never used again (AUTOINCREMENT): an open session remembers those of what
-- was deleted under it, and must not come upon another's mail there.
CREATE TABLE IF NOT EXISTS mailboxes (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    user TEXT NOT NULL REFERENCES users (name),
    name TEXT NOT NULL,
    uidvalidity INTEGER NOT NULL,
    uidnext INTEGER NOT NULL DEFAULT 1,
    modseq INTEGER NOT NULL DEFAULT 1,
    UNIQUE (user, name)
);
-- The highest UIDVALIDITY that ever was: a name that is used again has a new one (RFC
-- 3501 2.3.1.1), were it in the same second.
CREATE TABLE IF NOT EXISTS uidvalidity (last INTEGER NOT NULL);
INSERT INTO uidvalidity SELECT 0 WHERE NOT EXISTS (SELECT 1 FROM uidvalidity);
-- A name may be subscribed to that no mailbox has (RFC 3501 6.3.6).
CREATE TABLE IF NOT EXISTS subscriptions (
    user TEXT NOT NULL REFERENCES users (name),
    name TEXT NOT NULL,
    PRIMARY KEY (user, name)
);
-- What came, once, however many mailboxes it is in, and its envelope: the arguments of
-- MAIL and of the RCPTs, a line each.  origin: a JSON array, Origin's fields.
CREATE TABLE IF NOT EXISTS letters (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    received REAL NOT NULL,
    envelope TEXT NOT NULL,
    origin TEXT NOT NULL,
    data BLOB NOT NULL
);
-- flags: words with a space between; recent: no session has been told of it.
CREATE TABLE IF NOT EXISTS messages (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    mailbox INTEGER NOT NULL REFERENCES mailboxes (id),
    uid INTEGER NOT NULL,
    letter INTEGER NOT NULL REFERENCES letters (id),
    received REAL NOT NULL,
    flags TEXT NOT NULL DEFAULT '',
    recent INTEGER NOT NULL DEFAULT 1,
    modseq INTEGER NOT NULL DEFAULT 0,
    UNIQUE (mailbox, uid)
);
CREATE INDEX IF NOT EXISTS messages_of_letter ON messages (letter);
CREATE TRIGGER IF NOT EXISTS message_added AFTER INSERT ON messages
BEGIN
    UPDATE mailboxes SET modseq = modseq + 1 WHERE id = new.mailbox;
    UPDATE messages SET modseq = (SELECT modseq FROM mailboxes WHERE id = new.mailbox)
        WHERE id = new.id;
END;
CREATE TRIGGER IF NOT EXISTS message_flagged AFTER UPDATE OF flags ON messages
BEGIN
    UPDATE mailboxes SET modseq = modseq + 1 WHERE id = new.mailbox;
    UPDATE messages SET modseq = (SELECT modseq FROM mailboxes WHERE id = new.mailbox)
        WHERE id = new.id;
END;
CREATE TRIGGER IF NOT EXISTS message_gone AFTER DELETE ON messages
BEGIN
    UPDATE mailboxes SET modseq = modseq + 1 WHERE id = old.mailbox;
    DELETE FROM letters WHERE id = old.letter
        AND NOT EXISTS (SELECT 1 FROM messages WHERE letter = old.letter);
END;
"""
