"""What a client knows of the messages, by what it was told."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailproto import LimitExceeded, RemoteProtocolError
from mailproto.imap import (
    Code,
    Condition,
    Exists,
    Expunged,
    FetchData,
    FlagsData,
    ListData,
    MailboxView,
    Recent,
    Reply,
    Selected,
    UidNext,
    UidValidity,
)


def told(*events: Any, **options: Any) -> MailboxView:
    view = MailboxView(**options)
    for event in events:
        assert view.apply(event)
    return view


def uid(number: int, uid: int) -> FetchData:
    return FetchData.of(number, uid=uid)


def test_what_select_tells() -> None:
    view = told(
        Exists(3),
        Recent(1),
        FlagsData(("\\Seen",)),
        Reply(Condition.OK, "x", UidValidity(7)),
        Reply(Condition.OK, "x", UidNext(9)),
    )
    assert (view.exists, view.recent, view.known_flags) == (3, 1, ("\\Seen",))
    assert (view.uid_validity, view.uid_next) == (7, 9)
    assert not view.apply(Reply(Condition.OK, "x", Code("ALERT")))
    assert not view.apply(Reply(Condition.OK, "x"))
    assert not view.apply(ListData("x"))


def test_what_select_was_worth_is_where_it_begins() -> None:
    view = MailboxView(Selected(False, 3, 1, ("a",), ("b",), 7, 9, 2))
    assert (view.exists, view.recent, view.known_flags) == (3, 1, ("a",))
    assert (view.uid_validity, view.uid_next) == (7, 9)
    assert view.unknown() == [1, 2, 3]
    assert view.apply(uid(3, 8))
    assert view.apply(Expunged(1))
    assert (view.exists, view.number(8)) == (2, 2)


def test_numbers_shift_when_messages_go() -> None:
    view = told(Exists(4), uid(1, 4), uid(3, 9), FetchData.of(4, flags=("a",)))
    assert view.unknown() == [2, 4]
    assert (view.uid(1), view.uid(2), view.uid(3), view.uid(5)) == (4, None, 9, None)
    view.apply(Expunged(2))
    assert (view.number(9), view.exists) == (2, 3)
    assert view.flags(3) == ("a",)
    assert view.flags(9) is None
    view.apply(Expunged(1))
    assert view.number(4) is None
    assert view.number(9) == 1
    assert view.number(100) is None
    view.apply(Exists(5))
    assert view.unknown() == [2, 3, 4, 5]
    view.apply(Expunged(5))  # of which nothing was known


def test_a_fetch_without_uid_and_flags_teaches_nothing() -> None:
    view = told(Exists(1), FetchData(1, {"RFC822.SIZE": 3}))
    assert view.unknown() == [1]


@pytest.mark.parametrize(
    "event", [Exists(2), Expunged(4), uid(4, 20), uid(3, 10)], ids=repr
)
def test_what_cannot_be_is_told(event: Any) -> None:
    view = told(Exists(3), uid(3, 9))
    with pytest.raises(RemoteProtocolError):
        view.apply(event)


def test_no_number_makes_us_remember_more_than_we_will() -> None:
    view = told(Exists(4_294_967_295), max_messages=10)
    with pytest.raises(LimitExceeded, match="max_messages"):
        view.apply(uid(4_294_967_295, 5))
    assert len(view.unknown()) == 10


@given(st.lists(st.booleans(), max_size=40))
def test_a_uid_is_found_whatever_gaps_there_are(known: list[bool]) -> None:
    view = told(Exists(len(known)))
    for number, here in enumerate(known, 1):
        if here:
            view.apply(uid(number, number * 2))
    for number, here in enumerate(known, 1):
        assert view.number(number * 2) == (number if here else None)
        assert view.number(number * 2 + 1) is None
