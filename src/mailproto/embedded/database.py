"""A SQLite database for many threads: who looks waits for nobody, who writes together
with others waits for the disk once.

In memory, or in a file if a path is given.  What is in a file outlives the process as
soon as ``transaction`` is over, and the machine too: that is what one waits for.  Those
who come meanwhile are put together, and the last of them commits for all.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from os import PathLike
from typing import Any, Final

TOGETHER: Final = 100  # that are committed at once; the first of them waits for all
ORPHANED: Final = 1.0  # seconds until one looks whether the committer was cut off


class Batch:
    """Transactions that are committed together, or fail together."""

    def __init__(self) -> None:
        self.over = threading.Event()
        self.size = 0
        self.error: BaseException | None = None


class Database:
    """See above.  *schema* makes the tables of that *version*, if there are none.

    Raises ValueError for a file with another version of them, or with others, and what
    SQLite raises: ProgrammingError, with what to make of it, once it is closed.
    """

    def __init__(
        self, path: str | PathLike[str] | None, schema: str, version: int
    ) -> None:
        #: whether it is in a file, so that one waits for the end of a transaction
        self.on_disk: Final = path is not None
        #: called, in any thread, whenever something may have changed
        self.watchers: set[Callable[[], object]] = set()
        self._path = path
        self._changed = threading.Condition()
        self._closed = False
        self._writing = threading.RLock()
        self._coming = 0  # threads that wait for it, to write
        self._counting = threading.Lock()
        self._batch: Batch | None = None  # what is written, and not yet committed
        self._reading = threading.RLock() if self.on_disk else self._writing
        self._db = _connect(":memory:" if path is None else path)
        self._reader = self._db
        try:
            self._prepare(schema, version)
            if path is not None:
                self._reader = _connect(path)
                self._reader.execute("PRAGMA query_only = ON")
        except BaseException:
            self._db.close()
            raise

    def _prepare(self, schema: str, version: int) -> None:
        if self.on_disk:
            # A writer does not wait for readers, nor they for him.
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = FULL")
        self._db.execute("PRAGMA foreign_keys = ON")
        (found,) = self._db.execute("PRAGMA user_version").fetchone()
        if found not in (0, version):
            raise ValueError(f"the file has tables of version {found}, not {version}")
        if found == 0 and self._db.execute("SELECT 1 FROM sqlite_master").fetchone():
            raise ValueError("the file has the tables of something else")
        if found == 0:  # in one go: each step by itself would wait for the disk
            made = f"PRAGMA user_version = {version}"
            self._db.executescript(f"BEGIN IMMEDIATE; {schema}; {made}; COMMIT")

    def close(self) -> None:
        with self._reading, self._writing:
            self._closed = True
            self._reader.close()
            self._db.close()
        with self._changed:  # who waits for something waits in vain
            self._changed.notify_all()

    def _check_open(self) -> None:
        if self._closed:
            what = "the mail server is stopped, and its store is closed"
            raise sqlite3.ProgrammingError(what)

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """The database as it is now, for one who looks at it, whatever others write."""
        with self._reading:
            self._check_open()
            if not self.on_disk or self._reader.in_transaction:
                yield self._reader
                return
            self._reader.execute("BEGIN")
            try:
                yield self._reader
            finally:
                self._reader.execute("COMMIT")

    @contextmanager
    def looking(
        self,
    ) -> Iterator[tuple[sqlite3.Connection, AbstractContextManager[Any]]]:
        """The database for one who looks for long, and a lock for whenever he does.

        A file is seen as it was at the first look, by a connection of one's own: on a
        shared one, all others would see no more than that, too.
        """
        if self._path is None:
            yield self._reader, self._reading
            return
        with closing(_connect(self._path)) as db:
            yield db, nullcontext()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """The database, for one who writes: all is done at the end, or nothing.

        Whatever SQLite raises may come at the end, too.  One does not begin another.
        """
        with self._turn():
            self._check_open()
            batch, first = self._begin()
            try:
                yield self._db
            except BaseException as error:
                self._take_back(batch, first, error)
                raise
            if not first:
                self._db.execute("RELEASE one")
            batch.size += 1
            self._commit_unless_more_come(batch)
        while not batch.over.wait(ORPHANED):
            with self._turn():
                self._commit_unless_more_come(batch)
        if batch.error is not None:
            raise sqlite3.OperationalError(str(batch.error)) from batch.error
        with self._changed:
            self._changed.notify_all()
        for watcher in list(self.watchers):
            watcher()

    @contextmanager
    def _turn(self) -> Iterator[None]:
        with self._counting:
            self._coming += 1
        try:
            self._writing.acquire()
        finally:
            with self._counting:
                self._coming -= 1
        try:
            yield
        finally:
            self._writing.release()

    def _begin(self) -> tuple[Batch, bool]:
        """The batch, and whether it is new: then what is done in it is all of it."""
        if self._batch is not None:
            self._db.execute("SAVEPOINT one")
            return self._batch, False
        self._db.execute("BEGIN IMMEDIATE")
        self._batch = Batch()
        return self._batch, True

    def _take_back(self, batch: Batch, first: bool, error: BaseException) -> None:
        """Undo what one has written; the others of the batch go on, if they can."""
        if not self._db.in_transaction:  # a full disk: SQLite has taken all of it back
            self._end(batch, error)
        elif first:
            self._db.execute("ROLLBACK")
            self._end(batch, None)
        else:
            self._db.execute("ROLLBACK TO one")
            self._db.execute("RELEASE one")
            self._commit_unless_more_come(batch)

    def _commit_unless_more_come(self, batch: Batch) -> None:
        if batch is not self._batch or (self._coming and batch.size < TOGETHER):
            return
        failure = None
        try:
            self._db.execute("COMMIT")
        except sqlite3.Error as error:
            failure = error
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
        self._end(batch, failure)

    def _end(self, batch: Batch, error: BaseException | None) -> None:
        self._batch = None
        batch.error = error
        batch.over.set()


def _connect(path: str | PathLike[str]) -> sqlite3.Connection:
    return sqlite3.connect(path, check_same_thread=False, isolation_level=None)
