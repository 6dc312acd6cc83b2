"""The mailboxes of a user: names, flags, UIDs, and who is told of what."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailproto.embedded.folders import Folder, Folders, Refused, Row, normal
from mailproto.embedded.store import CHUNK, Store

LETTER = b"Subject: x\r\n\r\nHello.\r\n"


@pytest.fixture
def store() -> Iterator[Store]:
    kept = Store()
    kept.add_user("ann", "secret")
    kept.add_user("bob", "secret")
    yield kept
    kept.close()


@pytest.fixture
def ann(store: Store) -> Folders:
    return Folders(store, "ann")


def names(folders: Folders) -> list[str]:
    return [folder.name for folder in folders.tree() if folder.selectable]


# -- names -------------------------------------------------------------------------


def test_everybody_has_an_inbox(ann: Folders) -> None:
    assert ann.tree() == [Folder("INBOX", True, False)]


@pytest.mark.parametrize(
    ("name", "means"),
    [
        ("inbox", "INBOX"),
        ("InBox/work", "INBOX/work"),
        ("inboxes", "inboxes"),
        ("a/b/", "a/b"),
        ("/", "/"),
    ],
)
def test_a_name_has_one_form(name: str, means: str) -> None:
    assert normal(name) == means


def test_what_is_above_a_new_name_is_made_too(ann: Folders) -> None:
    ann.create("a/b/c/")
    assert names(ann) == ["INBOX", "a", "a/b", "a/b/c"]
    assert ann.tree()[1] == Folder("a", True, True)
    for name in ("a/b/c", "a", "inbox"):
        with pytest.raises(Refused, match="already"):
            ann.create(name)
    for name in ("", "/", "a//b", "a*", "a/%"):
        with pytest.raises(Refused, match=r"of a name|a name may"):
            ann.create(name)


def test_what_is_below_a_deleted_name_stays(ann: Folders) -> None:
    ann.create("a/b")
    ann.delete("a")
    assert ann.tree()[1:] == [Folder("a", False, True), Folder("a/b", True, False)]
    for name in ("a", "nothing"):
        with pytest.raises(Refused, match="no such") as refused:
            ann.delete(name)
        assert refused.value.missing
    with pytest.raises(Refused, match="INBOX"):
        ann.delete("inbox")


def test_a_name_that_is_used_again_has_another_uidvalidity(ann: Folders) -> None:
    seen = {ann.open("INBOX").uidvalidity}
    for _ in range(5):
        ann.create("a")
        ann.append("a", LETTER)
        assert ann.open("a").uidvalidity not in seen
        seen.add(ann.open("a").uidvalidity)
        ann.delete("a")


def test_what_is_below_is_renamed_too(ann: Folders) -> None:
    ann.create("a/b/c")
    ann.create("ab")
    ann.append("a/b", LETTER)
    before = ann.open("a/b")
    ann.rename("a", "x/y")
    assert names(ann) == ["INBOX", "ab", "x", "x/y", "x/y/b", "x/y/b/c"]
    assert ann.open("x/y/b") == before
    for old, new in (("x", "x/z"), ("nothing", "a"), ("x", "ab"), ("x", "inbox")):
        with pytest.raises(Refused):
            ann.rename(old, new)


def test_a_name_that_is_only_above_others_is_renamed_with_them(ann: Folders) -> None:
    ann.create("a/b")
    ann.delete("a")
    ann.rename("a", "c")
    assert names(ann) == ["INBOX", "c/b"]


def test_of_inbox_the_messages_move(ann: Folders) -> None:
    ann.create("INBOX/below")
    ann.append("INBOX", LETTER, ["\\Seen"])
    ann.rename("INBOX", "old")
    assert names(ann) == ["INBOX", "INBOX/below", "old"]
    assert ann.rows(ann.open("INBOX")) == []
    assert [row.flags for row in ann.rows(ann.open("old"))] == [("\\Seen",)]


def test_a_name_is_subscribed_to_whether_it_is_there(ann: Folders) -> None:
    ann.subscribe("z")
    ann.subscribe("inbox")
    ann.subscribe("z")
    assert ann.subscribed() == ["INBOX", "z"]
    ann.unsubscribe("z")
    ann.unsubscribe("nothing")
    assert ann.subscribed() == ["INBOX"]


def test_nobody_sees_the_mailboxes_of_another(store: Store, ann: Folders) -> None:
    ann.create("a")
    ann.subscribe("a")
    bob = Folders(store, "bob")
    assert names(bob) == ["INBOX"]
    assert bob.subscribed() == []
    with pytest.raises(Refused):
        bob.open("a")


# -- messages ----------------------------------------------------------------------


def test_what_is_appended_is_there(ann: Folders) -> None:
    opened = ann.open("INBOX")
    assert ann.append("inbox", LETTER, ["\\Seen", "work"], 86400.0) == (
        opened.uidvalidity,
        1,
    )
    (row,) = ann.rows(opened)
    assert (row.uid, row.flags, row.received) == (1, ("\\Seen", "work"), 86400.0)
    assert row.size == len(LETTER)
    assert ann.data(row) == LETTER
    ann.append("INBOX", LETTER)
    assert ann.rows(opened)[1].received > 86400.0
    with pytest.raises(Refused) as refused:
        ann.append("nothing", LETTER)
    assert refused.value.missing


@given(start=st.integers(0, 3 * CHUNK), size=st.integers(0, 3 * CHUNK))
def test_some_octets_of_a_message(start: int, size: int) -> None:
    store = Store()
    store.add_user("ann", "secret")
    folders = Folders(store, "ann")
    data = bytes(n % 251 for n in range(2 * CHUNK + 7))
    folders.append("INBOX", data)
    (row,) = folders.rows(folders.open("INBOX"))
    assert b"".join(folders.chunks(row, start, size)) == data[start : start + size]
    store.close()


def test_what_is_deleted_meanwhile_is_an_error(ann: Folders) -> None:
    ann.append("INBOX", bytes(2 * CHUNK), ["\\Deleted"])
    (row,) = ann.rows(ann.open("INBOX"))
    chunks = ann.chunks(row, 0, row.size)
    next(chunks)
    ann.expunge(ann.open("INBOX"))
    with pytest.raises(KeyError):
        next(chunks)
    assert ann.data(row) is None


def fill(ann: Folders, count: int = 5) -> list[Row]:
    for number in range(count):
        ann.append("INBOX", b"%d\r\n" % number, ["\\Deleted"] if number % 2 else [])
    return ann.rows(ann.open("INBOX"))


def test_only_what_is_marked_is_expunged(ann: Folders) -> None:
    fill(ann)
    inbox = ann.open("INBOX")
    assert ann.expunge(inbox, [1, 2, 3]) == [2]
    assert ann.expunge(inbox) == [4]
    assert ann.expunge(inbox) == []
    assert [row.uid for row in ann.rows(inbox)] == [1, 3, 5]
    assert ann.append("INBOX", LETTER)[1] == 6


def test_copies_keep_flags_and_date(ann: Folders) -> None:
    rows = fill(ann)
    ann.create("a")
    copied = ann.copy(ann.open("INBOX"), [2, 4, 99], "a")
    assert (copied.source, copied.target) == ((2, 4), (1, 2))
    assert copied.uidvalidity == ann.open("a").uidvalidity
    for row, was in zip(ann.rows(ann.open("a")), (rows[1], rows[3]), strict=True):
        assert (row.flags, row.received) == (was.flags, was.received)
        assert ann.data(row) == ann.data(was)
    assert len(ann.rows(ann.open("INBOX"))) == 5
    with pytest.raises(Refused):
        ann.copy(ann.open("INBOX"), [1], "nothing")


def test_what_is_moved_is_in_one_place(store: Store, ann: Folders) -> None:
    fill(ann)
    ann.create("a")
    ann.copy(ann.open("INBOX"), [1, 2], "a", move=True)
    assert [row.uid for row in ann.rows(ann.open("INBOX"))] == [3, 4, 5]
    assert [ann.data(row) for row in ann.rows(ann.open("a"))] == [b"0\r\n", b"1\r\n"]
    assert len(store.messages()) == 5


def test_status_and_what_is_recent(store: Store, ann: Folders) -> None:
    fill(ann, 3)
    inbox = ann.open("INBOX")
    ann.set_flags(inbox, {1: ["\\Seen"]})
    status = ann.status("INBOX")
    assert (status.messages, status.recent, status.unseen) == (3, 3, 2)
    assert (status.uidnext, status.uidvalidity) == (4, inbox.uidvalidity)
    assert ann.recent(inbox) == {1, 2, 3}
    assert ann.take_recent(inbox) == {1, 2, 3}
    assert ann.take_recent(inbox) == frozenset()
    store.deliver(LETTER, ["ann"])
    assert ann.recent(inbox) == {4}
    assert ann.status("INBOX").recent == 1


# -- who is told -------------------------------------------------------------------


def test_whatever_changes_is_told_of(store: Store, ann: Folders) -> None:
    inbox = ann.open("INBOX")
    first = ann.changes(inbox, 0)
    assert first is not None
    assert first.uids == ()
    seen = first.modseq
    assert ann.changes(inbox, seen) is None

    def news() -> tuple[tuple[int, ...], dict[int, tuple[str, ...]]]:
        nonlocal seen
        changes = ann.changes(inbox, seen)
        assert changes is not None
        assert changes.modseq > seen
        seen = changes.modseq
        assert ann.changes(inbox, seen) is None
        return changes.uids, changes.flags

    store.deliver(LETTER, ["ann", "bob"])  # by SMTP
    assert news() == ((1,), {1: ()})
    ann.append("INBOX", LETTER, ["work"])
    assert news() == ((1, 2), {2: ("work",)})
    ann.set_flags(inbox, {1: ["\\Deleted"]})
    assert news() == ((1, 2), {1: ("\\Deleted",)})
    ann.expunge(inbox)
    assert news() == ((2,), {})
    store.delete(store.listing("ann"))  # by POP3
    assert news() == ((), {})
    ann.append("INBOX", LETTER)
    store.clear()
    assert news() == ((), {})
    ann.take_recent(inbox)
    assert ann.changes(inbox, seen) is None


def test_a_mailbox_that_is_gone_is_told_of(ann: Folders) -> None:
    ann.create("a")
    opened = ann.open("a")
    ann.delete("a")
    ann.create("a")
    with pytest.raises(Refused, match="was deleted"):
        ann.changes(opened, 0)
    assert ann.rows(opened) == []


def test_whoever_watches_is_woken(store: Store, ann: Folders) -> None:
    woken = []

    def watcher() -> None:
        woken.append(len(store.messages()))

    store.watchers.add(watcher)
    store.deliver(LETTER, ["ann"])
    ann.append("INBOX", LETTER)
    assert woken == [1, 2]
    with pytest.raises(KeyError):
        store.deliver(LETTER, ["nobody"])
    assert woken == [1, 2]
    store.watchers.remove(watcher)
    store.clear()
    assert woken == [1, 2]
