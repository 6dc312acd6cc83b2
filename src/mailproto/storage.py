"""Mail that was fetched, into files; what is kept is kept, whatever happens next.

A message is written beside its place, brought to the disk, and only then put where a
reader looks.  What is half there when the power goes is never taken for a message.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import socket
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Final, Self
from urllib.parse import quote, unquote

#: the letters that a Maildir has for the flags of IMAP
FLAGS: Final = {
    "\\answered": "R",
    "\\deleted": "T",
    "\\draft": "D",
    "\\flagged": "F",
    "\\seen": "S",
    "$forwarded": "P",
}
LINES: Final = 1000  # of marks, from which on those are left out that count no more


class Letter:
    """One message on its way into *place*; without ``keep`` it leaves no trace."""

    def __init__(self, draft: Path, place: Path) -> None:
        self._draft = draft
        self._place = place
        self._file = draft.open("xb")

    def write(self, data: bytes) -> None:
        self._file.write(data)

    def keep(self, place: Path | None = None) -> None:
        """Returns when the message is on the disk, in its place.

        *place* is one that was not known before.
        """
        self._place = place or self._place
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        self._draft.replace(self._place)
        _sync(self._place.parent)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()
        self._draft.unlink(missing_ok=True)


def _sync(directory: Path) -> None:
    """Bring the names in *directory* to the disk."""
    if os.name == "nt":  # where a directory cannot be opened, and need not be
        return
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


class Maildir:
    """A Maildir: a message is in ``new``, or in ``cur``, when it is all there."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        for name in ("tmp", "new", "cur"):
            (directory / name).mkdir(parents=True, exist_ok=True)
        _sync(directory)
        _sync(directory.parent)
        self._host = socket.gethostname().replace("/", r"\057").replace(":", r"\072")

    def letter(self, uid: str) -> Letter:
        unique = self._unique()
        return Letter(self.directory / "tmp" / unique, self.directory / "new" / unique)

    def place(self, uid: str, flags: Iterable[str] = ()) -> Path:
        """Where a message with these flags of IMAP belongs; what has none is new."""
        known = {flag.lower() for flag in flags}
        info = "".join(sorted(FLAGS[flag] for flag in known & FLAGS.keys()))
        if not info or os.name == "nt":  # where no name holds a colon
            return self.directory / "new" / self._unique()
        return self.directory / "cur" / f"{self._unique()}:2,{info}"

    def _unique(self) -> str:
        return f"{time.time():.6f}.P{os.getpid()}R{secrets.token_hex(4)}.{self._host}"


class Folder:
    """A directory with a file for each message, named by its unique-id."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        directory.mkdir(parents=True, exist_ok=True)
        _sync(directory.parent)

    def letter(self, uid: str) -> Letter:
        place = self.place(uid)
        return Letter(self.directory / f".{place.name}.{secrets.token_hex(4)}", place)

    def place(self, uid: str, flags: Iterable[str] = ()) -> Path:
        """Where the message of that unique-id belongs."""
        plain = "".join(
            c if (c.isascii() and c.isalnum()) or c in "-_" else "_" for c in uid
        )
        digest = hashlib.sha256(uid.encode("utf-8", "surrogateescape")).hexdigest()
        return self.directory / f"{plain[:80]}-{digest[:12]}.eml"


def sub_folder(
    parent: Maildir | Folder, mailbox: str, delimiter: str | None
) -> Maildir | Folder:
    """Where the mail of *mailbox* goes: INBOX of a Maildir is the Maildir itself.

    Others are beside it, ``.Work.2026`` for ``Work/2026`` (Maildir++).  What could lead
    elsewhere, or mean a level, is written as ``%2E``; no two mailboxes are one.
    """
    inbox = mailbox.upper() == "INBOX"
    if inbox and isinstance(parent, Maildir):
        return parent
    levels = mailbox.split(delimiter) if delimiter else [mailbox]
    name = "INBOX" if inbox else ".".join(map(_plain, levels))
    if len(name) > 200:  # octets; a file system allows 255
        digest = hashlib.sha256(mailbox.encode("utf-8", "surrogateescape")).hexdigest()
        name = f"{name[:180]}-{digest[:12]}"
    if isinstance(parent, Maildir):
        return Maildir(parent.directory / f".{name}")
    return Folder(parent.directory / name)


def _plain(level: str) -> str:
    """Fit for the name of a directory; never empty, and not like those of our files."""
    text = quote(level, safe=" ", errors="surrogateescape").replace(".", "%2E")
    return text.replace("mailproto-", "mailproto%2D") or "%"


class Marks:
    """How far each mailbox was read: UIDVALIDITY and UID, a line each time.

    The last line of a mailbox counts.
    """

    def __init__(self, path: Path, account: str) -> None:
        self._path = path
        self._account = hashlib.sha256(account.encode()).hexdigest()[:16]
        self._known: dict[tuple[str, str], tuple[int, int]] = {}
        if path.exists():
            # A last line without its end was cut off by a crash: it does not count.
            *lines, rest = path.read_text("ascii").split("\n")
            for line in lines:
                account_, validity, uid, mailbox = line.split(" ")
                self._known[account_, mailbox] = (int(validity), int(uid))
            if rest or len(lines) > LINES:
                self._shorten()

    def known(self) -> dict[str, tuple[int, int]]:
        """By mailbox, what was set last."""
        return {
            unquote(mailbox, errors="surrogateescape"): mark
            for (account, mailbox), mark in self._known.items()
            if account == self._account
        }

    def set(self, mailbox: str, uid_validity: int, uid: int) -> None:
        """Returns when it is on the disk."""
        key = (self._account, quote(mailbox, safe="", errors="surrogateescape"))
        self._known[key] = (uid_validity, uid)
        with self._path.open("a", encoding="ascii") as file:
            file.write(self._line(key))
            file.flush()
            os.fsync(file.fileno())

    def _line(self, key: tuple[str, str]) -> str:
        (account, mailbox), (validity, uid) = key, self._known[key]
        return f"{account} {validity} {uid} {mailbox}\n"

    def _shorten(self) -> None:
        """Leave out the lines that count no more."""
        draft = self._path.with_name(f"{self._path.name}.{secrets.token_hex(4)}")
        with Letter(draft, self._path) as file:
            file.write("".join(map(self._line, self._known)).encode("ascii"))
            file.keep()


class Seen:
    """The unique-ids that were stored before, of one account: a line each."""

    def __init__(self, path: Path, account: str) -> None:
        self._path = path
        self._account = hashlib.sha256(account.encode()).hexdigest()[:16]
        self.uids: set[str] = set()
        self._cut_off = False
        if path.exists():
            # A last line without its end was cut off by a crash: it does not count.
            *lines, rest = path.read_bytes().split(b"\n")
            self._cut_off = bool(rest)
            for line in lines:
                account_, _, uid = line.decode("utf-8", "surrogateescape").partition(
                    " "
                )
                if account_ == self._account:
                    self.uids.add(uid)

    def add(self, uid: str) -> None:
        """Returns when it is on the disk."""
        line = f"{self._account} {uid}\n".encode("utf-8", "surrogateescape")
        with self._path.open("ab") as file:
            file.write(b"\n" * self._cut_off + line)
            file.flush()
            os.fsync(file.fileno())
        self._cut_off = False
        self.uids.add(uid)
