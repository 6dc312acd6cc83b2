"""What a session is told of its mailbox, and what its numbers mean until then."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailproto.imap import (
    Exists,
    Expunged,
    FetchData,
    MailboxView,
    SequenceSet,
    UidSet,
    Updates,
)


def opened(*uids: int) -> Updates:
    updates = Updates(uids)
    assert updates.take() == [Exists(len(uids))]
    return updates


def test_the_first_word_is_how_many_there_are() -> None:
    assert Updates().take() == [Exists(0)]
    assert Updates([4, 7]).take(expunges=False) == [Exists(2)]
    assert opened(4, 7).take() == []


def test_numbers_stay_until_expunge_is_said() -> None:
    updates = opened(4, 7, 9)
    updates.expunge(4)
    updates.add(12)
    assert updates.take(expunges=False) == [Exists(4)]  # it must not shrink
    assert [updates.uid(n) for n in (0, 1, 2, 3, 4, 5)] == [None, 4, 7, 9, 12, None]
    assert updates.is_gone(4)
    assert updates.take() == [Expunged(1)]
    assert [updates.uid(n) for n in (1, 2, 3, 4)] == [7, 9, 12, None]
    assert not updates.is_gone(4)
    assert len(updates) == 3


def test_the_last_is_said_first_so_that_none_shifts() -> None:
    updates = opened(1, 2, 3, 4, 5)
    for uid in (2, 5, 3):
        updates.expunge(uid)
    assert updates.take() == [Expunged(5), Expunged(3), Expunged(2)]


def test_what_came_and_went_meanwhile_was_never_there() -> None:
    updates = opened(1)
    updates.add(2)
    updates.flags(2, ["\\Seen"])
    updates.expunge(2)
    updates.expunge(99)
    assert updates.take() == []


def test_flags_are_told_once_and_not_of_what_is_gone() -> None:
    updates = opened(1, 5)
    updates.flags(1, [])
    updates.flags(1, ["\\Seen"])
    updates.flags(5, ["\\Seen"])
    updates.expunge(5)
    updates.flags(5, [])
    assert updates.take() == [Expunged(2), FetchData.of(1, uid=1, flags=("\\Seen",))]
    assert updates.take() == []


def test_which_messages_a_command_names() -> None:
    updates = opened(4, 7, 9)
    updates.expunge(7)
    updates.add(12)
    assert updates.chosen(SequenceSet("2:*")) == [(2, 7), (3, 9)]
    assert updates.chosen(SequenceSet((1, 4294967295))) == [(1, 4), (2, 7), (3, 9)]
    assert updates.chosen(UidSet("9,4,100:*")) == [(1, 4), (3, 9)]
    assert updates.chosen(UidSet(12)) == []
    assert Updates().chosen(SequenceSet("*")) == []


@pytest.mark.parametrize("uid", [0, 4, 5, 4294967296])
def test_uids_ascend(uid: int) -> None:
    updates = opened(4)
    updates.add(5)
    for _ in range(2):  # be the last one told or not
        with pytest.raises(ValueError, match="ascend"):
            updates.add(uid)
        updates.take()


what = st.one_of(
    st.tuples(st.just("add"), st.just(0)),
    st.tuples(st.sampled_from(["expunge", "flags"]), st.integers(0, 12)),
    st.tuples(st.just("take"), st.integers(0, 1)),
)


@given(st.lists(what, max_size=60))
def test_a_client_that_listens_numbers_the_messages_alike(steps: list[Any]) -> None:
    updates, view = Updates(), MailboxView()
    mailbox: list[int] = []
    flags: dict[int, tuple[str, ...]] = {}

    def listen(expunges: bool) -> None:
        before = len(updates)
        said = updates.take(expunges=expunges)
        for event in said:
            assert view.apply(event)
        assert view.exists == len(updates)
        if not expunges:
            assert view.exists >= before
            assert not any(isinstance(event, Expunged) for event in said)

    listen(True)
    for i, (verb, number) in enumerate(steps, 1):
        match verb:
            case "add":
                mailbox.append(i)
                updates.add(i)
            case "expunge" if number < len(mailbox):
                updates.expunge(mailbox.pop(number))
            case "flags" if number < len(mailbox):
                flags[mailbox[number]] = (f"f{i}",)
                updates.flags(mailbox[number], flags[mailbox[number]])
            case "take":
                listen(bool(number))
        for at in range(1, view.exists + 1):
            uid = updates.uid(at)
            assert uid is not None
            assert updates.number(uid) == at
            assert view.uid(at) in (None, uid)
    listen(True)
    assert [updates.uid(n + 1) for n in range(len(updates))] == mailbox
    for at, uid in enumerate(mailbox, 1):
        assert view.uid(at) in (None, uid)
        assert view.number(uid) in (None, at)
        if view.flags(at) is not None:
            assert view.flags(at) == flags[uid]
