from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from io import BytesIO
from pathlib import Path

import pytest

from mailproto.embedded.messages import NOWHERE, Origin, StoredMessage
from mailproto.embedded.store import CHUNK, Store
from mailproto.smtp import Mail, Notify, Other, Rcpt, Size
from tests.messages import MESSAGES


@pytest.fixture
def kept() -> Iterator[Store]:
    store = Store()
    store.add_user("ann", "secret")
    yield store
    store.close()


def test_what_is_delivered_is_listed_in_order_and_read_back(kept: Store) -> None:
    for message in MESSAGES.values():
        kept.deliver(
            message, ["ann"], Mail("bob@example.org"), [Rcpt("ann@example.net")]
        )
    entries = kept.listing("ann")
    assert [e.size for e in entries] == [len(m) for m in MESSAGES.values()]
    for entry, message in zip(entries, MESSAGES.values(), strict=True):
        chunks = list(kept.chunks(entry))
        assert b"".join(chunks) == message
        assert all(len(chunk) <= CHUNK for chunk in chunks)
    first = kept.messages()[0]
    assert first.data == next(iter(MESSAGES.values()))
    assert (first.users, first.sender) == (("ann",), "bob@example.org")
    assert first.recipients == ("ann@example.net",)
    assert first.email["Subject"] is not None


def test_unique_ids_last_and_are_not_used_again(kept: Store) -> None:
    for _ in range(3):
        kept.deliver(b"x\r\n", ["ann"])
    first, *rest = kept.listing("ann")
    kept.delete(rest)
    kept.deliver(b"y\r\n", ["ann"])
    names = [entry.unique for entry in kept.listing("ann")]
    assert names[0] == first.unique
    assert names[1] not in {entry.unique for entry in rest}
    kept.clear()
    assert kept.listing("ann") == []
    assert kept.messages() == []


def test_who_is_not_there_gets_no_mail(kept: Store) -> None:
    with pytest.raises(KeyError):
        kept.deliver(b"x", ["eve"])
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
    kept.deliver(b"x\r\n", ["ann"])
    before = kept.listing("ann")
    kept.close()
    again = Store(path)
    assert again.listing("ann") == before
    assert again.password("ann") == "secret"
    again.close()


def test_a_deletion_that_fails_deletes_nothing(kept: Store) -> None:
    kept.deliver(b"x\r\n", ["ann"])
    (entry,) = kept.listing("ann")
    broken = object()
    with pytest.raises(AttributeError):
        kept.delete([entry, broken])  # type: ignore[list-item]
    assert kept.listing("ann") == [entry]


def test_an_id_that_somebody_remembers_never_names_anothers_mail(kept: Store) -> None:
    kept.add_user("bob", "secret")
    kept.deliver(b"ann's\r\n", ["ann"])
    (gone,) = kept.listing("ann")
    kept.clear()
    kept.deliver(b"bob's\r\n", ["bob"])
    with pytest.raises(KeyError):
        list(kept.chunks(gone))
    kept.delete([gone])
    assert len(kept.listing("bob")) == 1


def test_a_message_that_is_deleted_while_it_is_read_ends_with_an_error(
    kept: Store,
) -> None:
    kept.deliver(bytes(2 * CHUNK), ["ann"])
    (entry,) = kept.listing("ann")
    chunks = kept.chunks(entry)
    assert next(chunks) == bytes(CHUNK)
    kept.clear()
    with pytest.raises(KeyError):
        next(chunks)


def test_what_finds_no_room_is_not_there_and_the_store_goes_on(kept: Store) -> None:
    kept._db.execute("PRAGMA max_page_count = 40")
    with pytest.raises(sqlite3.OperationalError, match="full"):
        kept.deliver(bytes(300_000), ["ann"])
    assert kept.listing("ann") == []
    kept.deliver(b"small\r\n", ["ann"])
    assert [entry.size for entry in kept.listing("ann")] == [7]


def test_what_was_delivered_is_in_the_file_at_once(tmp_path: Path) -> None:
    path = tmp_path / "mail.db"
    with closing(Store(path)) as one, closing(Store(path)) as other:
        one.add_user("ann", "secret")
        one.deliver(b"x\r\n", ["ann"])
        assert other.listing("ann") == one.listing("ann") != []


def test_many_threads_deliver_at_once(kept: Store) -> None:
    with ThreadPoolExecutor(8) as pool:
        uids = list(pool.map(lambda n: kept.deliver(b"%d" % n, ["ann"])[0], range(200)))
    assert sorted(uids) == list(range(1, 201))
    assert sorted(int(m.data) for m in kept.messages()) == list(range(200))


def test_a_name_is_one_however_it_is_typed(kept: Store) -> None:
    kept.add_user("\u2168", "\u2168")  # the Roman numeral
    assert kept.password("IX") == "IX"
    kept.deliver(b"x\r\n", ["\u2168"])
    assert len(kept.listing("IX")) == 1
    assert kept.lock("IX")
    assert not kept.lock("\u2168")


@pytest.mark.parametrize(("name", "password"), [("", "x"), ("x", ""), ("x", "\u00ad")])
def test_nobody_is_without_a_name_or_a_password(
    kept: Store, name: str, password: str
) -> None:
    with pytest.raises(ValueError, match="empty"):
        kept.add_user(name, password)


# -- envelopes -----------------------------------------------------------------------


def test_an_envelope_is_kept_with_all_its_parameters(kept: Store) -> None:
    mail = Mail("", Size(7), Other("X-TAG", "a+3D"))
    rcpts = (Rcpt("ann@example.net", Notify()), Rcpt('"a b"@[192.0.2.1]'))
    kept.deliver(b"x\r\n", ["ann"], mail, rcpts)
    (message,) = kept.messages()
    assert (message.mail, message.rcpts) == (mail, rcpts)
    assert message.recipients == ("ann@example.net", '"a b"@[192.0.2.1]')
    assert message.received > 0


def test_what_is_for_many_is_kept_once(kept: Store) -> None:
    kept.add_user("bob", "secret")
    assert kept.deliver(b"x\r\n", ["ann", "bob"]) == [1, 1]
    (message,) = kept.messages()
    assert message.users == ("ann", "bob")
    kept.delete(kept.listing("ann"))
    assert [message.users for message in kept.messages()] == [("bob",)]
    kept.delete(kept.listing("bob"))
    assert kept.messages() == []


def test_what_is_for_nobody_here_is_kept_too(kept: Store) -> None:
    assert kept.deliver(b"x\r\n", []) == []
    assert [message.users for message in kept.messages()] == [()]
    kept.clear()
    assert kept.messages() == []


def test_what_is_for_one_who_is_not_there_is_for_none(kept: Store) -> None:
    with pytest.raises(KeyError):
        kept.deliver(b"x\r\n", ["ann", "eve"])
    assert kept.listing("ann") == []
    assert kept.messages() == []


@pytest.mark.parametrize("size", [0, 1, CHUNK, 3 * CHUNK + 1])
def test_a_file_is_taken_whole(kept: Store, size: int) -> None:
    data = bytes(n % 251 for n in range(size))
    file = BytesIO(data)
    file.read(1)
    kept.deliver(file, ["ann"])
    assert kept.messages()[0].data == data


@pytest.mark.parametrize(
    ("recipient", "user"),
    [
        ("ann@example.org", "ann"),
        ("ANN@anything.example", "ann"),
        ("Postmaster", "postmaster"),
        ('"postmaster"@example.org', "postmaster"),
        ("bob@example.org", "bob@example.org"),
        ("Bob@Example.ORG", "bob@example.org"),
        ("bob@example.net", None),
        ('"two words"@example.org', "two words"),
        ("Cat@example.org", "Cat"),
        ("cat@example.org", "cat"),
        ("cAT@example.org", "Cat"),
        ("ann.b@example.org", None),
    ],
)
def test_whose_mail_it_is(kept: Store, recipient: str, user: str | None) -> None:
    for name in ("postmaster", "bob@example.org", "two words", "cat", "Cat"):
        kept.add_user(name, "secret")
    assert kept.users_of(recipient) == (() if user is None else (user,))


def test_who_waits_is_told_when_it_has_come(kept: Store) -> None:
    assert kept.wait_for(0, 0) == []
    assert kept.wait_for(1, 0) == []
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(kept.wait_for, 2, 20)
        kept.deliver(b"x", ["ann"])
        kept.deliver(b"y", [])
        assert [message.data for message in waiting.result()] == [b"x", b"y"]


def test_who_waits_for_some_is_not_told_of_others_nor_of_what_is_gone(
    kept: Store,
) -> None:
    def wanted(message: StoredMessage) -> bool:
        return b"!" in message.data

    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(kept.wait_for, 2, 20, wanted)
        kept.deliver(b"1!", ["ann"])
        kept.delete(kept.listing("ann"))
        kept.deliver(b"2", ["ann"])
        for data in (b"3!", b"4!"):
            kept.deliver(data, ["ann"])
        assert [message.data for message in waiting.result()][-1] == b"4!"
    assert [m.data for m in kept.wait_for(9, 0, wanted)] == [b"3!", b"4!"]


def test_an_alias_stands_for_users(kept: Store) -> None:
    kept.add_user("bob", "secret")
    kept.add_alias("info", "ann", "bob@example.org", "ann")
    kept.add_alias("sales@example.org", "info", "bob")
    assert kept.users() == ("ann", "bob")
    assert kept.users_of("info@example.com") == ("ann", "bob")
    assert kept.users_of("Sales@Example.org") == ("ann", "bob")
    assert kept.users_of("sales@example.com") == ()
    kept.add_alias("info", "bob")  # instead
    assert kept.users_of("INFO+x@example.com") == ("bob",)
    assert kept.users_of("sales@example.org") == ("ann", "bob")


@pytest.mark.parametrize(
    ("name", "users", "error"),
    [
        ("", ["ann"], ValueError),
        ("info", [], ValueError),
        ("ann", ["ann"], ValueError),
        ("info", ["ann", "eve"], KeyError),
    ],
)
def test_an_alias_that_cannot_be(
    kept: Store, name: str, users: list[str], error: type[Exception]
) -> None:
    with pytest.raises(error):
        kept.add_alias(name, *users)
    assert kept.users_of("info@example.org") == ()


def test_an_alias_is_no_user(kept: Store) -> None:
    kept.add_alias("info", "ann")
    with pytest.raises(ValueError, match="info is an alias"):
        kept.add_user("info", "secret")
    assert kept.password("info") is None


def test_what_is_for_nobody_else_is_for_one_who_catches_it(kept: Store) -> None:
    kept.catch_all = "bob"
    assert kept.users_of("eve@example.org") == ()  # there is no such user as yet
    kept.add_user("bob", "secret")
    assert kept.users_of("eve@example.org") == ("bob",)
    assert kept.users_of("ann@example.org") == ("ann",)


def test_what_stands_behind_a_plus_is_for_the_reader(kept: Store) -> None:
    assert kept.users_of("Ann+lists@example.org") == ("ann",)
    assert kept.users_of('"+"@example.org') == ()
    kept.add_user("ann+lists", "secret")
    assert kept.users_of("ann+lists@example.org") == ("ann+lists",)


def test_how_a_message_came_is_kept(kept: Store) -> None:
    origin = Origin("imaps", "pc.example", "ann", True, ("::1", 40000))
    kept.deliver(b"x", ["ann"], origin=origin)
    kept.deliver(b"x", ["ann"])
    assert [message.origin for message in kept.messages()] == [origin, NOWHERE]


def test_a_mailbox_is_shown_with_flags(kept: Store) -> None:
    kept.deliver(b"1", ["ann"], flags="\\Seen $Important")
    kept.deliver(b"2", [])
    kept.deliver(b"3", ["ann"])
    first, third = kept.filed("ann")
    assert (first.uid, third.uid) == (1, 2)
    assert first.flags == ("\\Seen", "$Important")
    assert third.flags == ()
    assert [first.message, third.message] == kept.messages()[::2]
    assert [each.unique for each in kept.listing("ann")] == [first.unique, third.unique]
    with pytest.raises(KeyError, match="Trash"):
        kept.filed("ann", "Trash")
    with pytest.raises(KeyError, match="eve"):
        kept.filed("eve")
