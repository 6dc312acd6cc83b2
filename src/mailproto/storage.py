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
from pathlib import Path
from typing import Self


class Letter:
    """One message on its way into *place*; without ``keep`` it leaves no trace."""

    def __init__(self, draft: Path, place: Path) -> None:
        self._draft = draft
        self._place = place
        self._file = draft.open("xb")

    def write(self, data: bytes) -> None:
        self._file.write(data)

    def keep(self) -> None:
        """Returns when the message is on the disk, in its place."""
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
    """A Maildir: a message is in ``new`` when it is all there."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        for name in ("tmp", "new", "cur"):
            (directory / name).mkdir(parents=True, exist_ok=True)
        _sync(directory)
        _sync(directory.parent)
        self._host = socket.gethostname().replace("/", r"\057").replace(":", r"\072")

    def letter(self, uid: str) -> Letter:
        unique = f"{time.time():.6f}.P{os.getpid()}R{secrets.token_hex(4)}.{self._host}"
        return Letter(self.directory / "tmp" / unique, self.directory / "new" / unique)


class Folder:
    """A directory with a file for each message, named by its unique-id."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        directory.mkdir(parents=True, exist_ok=True)
        _sync(directory.parent)

    def letter(self, uid: str) -> Letter:
        plain = "".join(
            c if (c.isascii() and c.isalnum()) or c in "-_" else "_" for c in uid
        )
        digest = hashlib.sha256(uid.encode("utf-8", "surrogateescape")).hexdigest()
        name = f"{plain[:80]}-{digest[:12]}.eml"
        draft = self.directory / f".{name}.{secrets.token_hex(4)}"
        return Letter(draft, self.directory / name)


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
