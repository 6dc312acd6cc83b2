from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mailproto.embedded.store import CHUNK, Store
from tests.messages import MESSAGES


@pytest.fixture
def kept() -> Iterator[Store]:
    store = Store()
    store.add_user("ann", "secret")
    yield store
    store.close()


def test_what_is_delivered_is_listed_in_order_and_read_back(kept: Store) -> None:
    for message in MESSAGES.values():
        kept.deliver("ann", message, "bob@example.org", ["ann@example.net"])
    entries = kept.listing("ann")
    assert [e.size for e in entries] == [len(m) for m in MESSAGES.values()]
    for entry, message in zip(entries, MESSAGES.values(), strict=True):
        chunks = list(kept.chunks(entry))
        assert b"".join(chunks) == message
        assert all(len(chunk) <= CHUNK for chunk in chunks)
    first = kept.messages()[0]
    assert first.data == next(iter(MESSAGES.values()))
    assert (first.user, first.uid, first.sender) == ("ann", 1, "bob@example.org")
    assert first.recipients == ("ann@example.net",)
    assert first.email["Subject"] is not None


def test_unique_ids_last_and_are_not_used_again(kept: Store) -> None:
    for _ in range(3):
        kept.deliver("ann", b"x\r\n")
    first, *rest = kept.listing("ann")
    kept.delete(rest)
    kept.deliver("ann", b"y\r\n")
    names = [entry.unique for entry in kept.listing("ann")]
    assert names[0] == first.unique
    assert names[1] not in {entry.unique for entry in rest}
    kept.clear()
    assert kept.listing("ann") == []
    assert kept.messages() == []


def test_who_is_not_there_gets_no_mail(kept: Store) -> None:
    with pytest.raises(KeyError):
        kept.deliver("eve", b"x")
    assert kept.listing("eve") == []
    assert kept.password("eve") is None
    kept.add_user("ann", "another")
    assert kept.password("ann") == "another"


def test_a_maildrop_is_open_once(kept: Store) -> None:
    assert kept.lock("ann")
    assert not kept.lock("ann")
    kept.unlock("ann")
    assert kept.lock("ann")


def test_a_file_keeps_it_all(tmp_path: Path) -> None:
    path = tmp_path / "mail.db"
    kept = Store(path)
    kept.add_user("ann", "secret")
    kept.deliver("ann", b"x\r\n")
    before = kept.listing("ann")
    kept.close()
    again = Store(path)
    assert again.listing("ann") == before
    assert again.password("ann") == "secret"
    again.close()


def test_a_deletion_that_fails_deletes_nothing(kept: Store) -> None:
    kept.deliver("ann", b"x\r\n")
    (entry,) = kept.listing("ann")
    broken = object()
    with pytest.raises(AttributeError):
        kept.delete([entry, broken])  # type: ignore[list-item]
    assert kept.listing("ann") == [entry]
