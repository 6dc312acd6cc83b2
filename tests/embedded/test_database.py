"""Transactions that share a commit, and looks that wait for none."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from mailproto.embedded import database
from mailproto.embedded.database import Database

SCHEMA = """
CREATE TABLE numbers (number INTEGER PRIMARY KEY CHECK (number <> 13));
CREATE TABLE friends (of INTEGER REFERENCES numbers DEFERRABLE INITIALLY DEFERRED)
"""


@pytest.fixture(params=["memory", "file"])
def kept(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    path = tmp_path / "numbers.db" if request.param == "file" else None
    with closing(Database(path, SCHEMA, 1)) as made:
        yield made


def add(kept: Database, number: int) -> None:
    with kept.transaction() as db:
        db.execute("INSERT INTO numbers VALUES (?)", (number,))


def numbers(kept: Database) -> list[int]:
    with kept.reading() as db:
        rows = db.execute("SELECT number FROM numbers ORDER BY number").fetchall()
    return [number for (number,) in rows]


def commits(kept: Database) -> list[str]:
    """Those that are made from now on."""
    made: list[str] = []

    def trace(statement: str) -> None:
        if statement == "COMMIT":
            made.append(statement)

    kept._db.set_trace_callback(trace)
    return made


def together(
    kept: Database, pool: ThreadPoolExecutor, *some: int
) -> list[Future[None]]:
    """Have *some* numbers added by threads that all wait for the first to write."""
    with kept._turn():
        coming = [pool.submit(add, kept, number) for number in some]
        while kept._coming < len(some):
            pass
    return coming


def test_many_threads_write(kept: Database) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: add(kept, number), range(100, 400)))
    assert numbers(kept) == list(range(100, 400))


def test_who_comes_at_the_same_time_shares_a_commit(kept: Database) -> None:
    made = commits(kept)
    with ThreadPoolExecutor(5) as pool:
        for each in together(kept, pool, 1, 2, 3, 4, 5):
            each.result()
    assert numbers(kept) == [1, 2, 3, 4, 5]
    assert made == ["COMMIT"]


def test_no_more_than_some_share_it(
    kept: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "TOGETHER", 2)
    made = commits(kept)
    with ThreadPoolExecutor(5) as pool:
        for each in together(kept, pool, 1, 2, 3, 4, 5):
            each.result()
    assert len(made) == 3


def test_one_that_fails_hurts_no_other(kept: Database) -> None:
    with ThreadPoolExecutor(5) as pool:
        coming = together(kept, pool, 12, 13, 14, 12, 13)
    failed = [each for each in coming if each.exception() is not None]
    assert len(failed) == 3
    for each in failed:
        assert isinstance(each.exception(), sqlite3.IntegrityError)
    assert numbers(kept) == [12, 14]
    add(kept, 15)
    assert numbers(kept) == [12, 14, 15]


def test_what_is_not_committed_fails_for_all_who_share_it(kept: Database) -> None:
    def befriend() -> None:
        with kept.transaction() as db:
            db.execute("INSERT INTO friends VALUES (99)")  # of nobody

    with ThreadPoolExecutor(3) as pool:
        with kept._turn():
            coming = [pool.submit(add, kept, 1), pool.submit(befriend)]
            while kept._coming < 2:
                pass
        for each in coming:
            with pytest.raises(sqlite3.OperationalError, match="FOREIGN KEY"):
                each.result()
    assert numbers(kept) == []
    add(kept, 2)
    assert numbers(kept) == [2]


def test_one_who_was_to_commit_and_is_cut_off_is_not_waited_for(
    kept: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "ORPHANED", 0.01)
    kept._coming = 1
    with ThreadPoolExecutor(1) as pool:
        adding = pool.submit(add, kept, 1)
        while kept._batch is None:
            pass
        kept._coming = 0
        adding.result(20)
    assert numbers(kept) == [1]


def test_who_looks_waits_for_nobody_and_sees_what_is_committed(tmp_path: Path) -> None:
    with closing(Database(tmp_path / "numbers.db", SCHEMA, 1)) as kept:
        add(kept, 1)
        with ThreadPoolExecutor(1) as pool, kept.transaction() as db:
            db.execute("INSERT INTO numbers VALUES (2)")
            assert pool.submit(numbers, kept).result(20) == [1]
        assert numbers(kept) == [1, 2]
        with kept.reading(), kept.reading() as db:
            add(kept, 3)
            assert len(db.execute("SELECT * FROM numbers").fetchall()) == 3
        with kept.reading() as db:
            assert len(db.execute("SELECT * FROM numbers").fetchall()) == 3
            add(kept, 4)
            assert len(db.execute("SELECT * FROM numbers").fetchall()) == 3


def test_who_looks_for_long_keeps_nothing_from_others(tmp_path: Path) -> None:
    with closing(Database(tmp_path / "numbers.db", SCHEMA, 1)) as kept:
        add(kept, 1)
        with kept.looking() as (db, lock), lock:
            rows = db.execute("SELECT * FROM numbers")
            add(kept, 2)
            assert numbers(kept) == [1, 2]
            assert rows.fetchall() == [(1,)]


def test_a_watcher_is_called_behind_the_commit(kept: Database) -> None:
    seen: list[list[int]] = []
    kept.watchers.add(lambda: seen.append(numbers(kept)))
    add(kept, 1)
    with pytest.raises(sqlite3.IntegrityError):
        add(kept, 13)
    add(kept, 2)
    assert seen == [[1], [1, 2]]


def test_a_file_of_another_version_is_an_error(tmp_path: Path) -> None:
    Database(tmp_path / "numbers.db", SCHEMA, 1).close()
    Database(tmp_path / "numbers.db", SCHEMA, 1).close()
    with pytest.raises(ValueError, match="version 1, not 2"):
        Database(tmp_path / "numbers.db", SCHEMA, 2)


def test_a_file_with_the_tables_of_something_else_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE users (x)")
    with pytest.raises(ValueError, match="something else"):
        Database(path, "CREATE TABLE t (x);", 1)
    with closing(sqlite3.connect(path)) as other:
        assert other.execute("SELECT name FROM sqlite_master").fetchall() == [
            ("users",)
        ]


@pytest.mark.parametrize("use", [Database.reading, Database.transaction])
def test_who_comes_when_it_is_closed_is_told(use: Any) -> None:
    database = Database(None, "CREATE TABLE t (x);", 1)
    database.close()
    with pytest.raises(sqlite3.ProgrammingError, match="stopped"), use(database):
        pass
