"""Values that are made by the hundred thousand: like frozen ones, but for one thing."""

from __future__ import annotations

import copy
import pickle

from mailproto import Chunk, pop3
from mailproto._values import setters


def test_hot_values_are_compared_hashed_and_shown_like_frozen_ones() -> None:
    assert Chunk(b"a") == Chunk(b"a") != Chunk(b"b")
    assert len({Chunk(b"a"), Chunk(b"a"), Chunk(b"b")}) == 2
    assert repr(pop3.Listing(1, 120)) == "Listing(number=1, size=120)"
    assert not hasattr(Chunk(b"a"), "__dict__")
    match Chunk(b"a"):
        case Chunk(data):
            assert data == b"a"


def test_hot_values_can_be_copied_and_stored() -> None:
    for value in (Chunk(b"a"), pop3.Listing(1, 120), pop3.UniqueId(1, "a")):
        assert copy.copy(value) == pickle.loads(pickle.dumps(value)) == value


def test_a_value_can_be_made_without_its_checks() -> None:
    made = object.__new__(pop3.StatData)
    for put, value in zip(setters(pop3.StatData), (2, 320), strict=True):
        put(made, value)
    assert made == pop3.StatData(2, 320)
