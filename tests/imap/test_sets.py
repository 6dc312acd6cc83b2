"""Sets of numbers, which are never expanded."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailproto.imap import SequenceSet, UidSet
from tests.imap.strategies import sequence_sets, uid_sets


@given(sequence_sets | uid_sets)
def test_what_is_written_is_read(numbers: SequenceSet | UidSet) -> None:
    assert type(numbers).read(numbers.write()) == numbers
    assert type(numbers)(str(numbers)) == numbers


def test_ranges_are_in_order_and_parts_as_they_were() -> None:
    numbers = SequenceSet(9, (4, 2), "7:*,*:3,*")
    assert numbers.ranges == ((9, 9), (2, 4), (7, None), (3, None), (None, None))
    assert str(numbers) == "9,2:4,7:*,3:*,*"
    for text in (b"*:4", b"4:*"):
        assert SequenceSet.read(text).ranges == ((4, None),)
    assert SequenceSet.read(b"9:4").ranges == ((4, 9),)
    assert SequenceSet.read(b"5:5").write() == b"5"
    numbers_of_uids: object = UidSet(1)
    assert SequenceSet(1) != numbers_of_uids
    assert UidSet(123_456_789_0).write() == b"1234567890"


@pytest.mark.parametrize(
    "text", [b"", b"0", b"1,", b",1", b"1:", b":1", b"1:2:3", b"1 2", b"01", b"x",
             b"4294967296", b"9999999999", b"1;2", b"\xb2"]
)  # fmt: skip
def test_what_is_no_set(text: bytes) -> None:
    with pytest.raises(ValueError):
        UidSet.read(text)
    with pytest.raises(ValueError):
        UidSet(text.decode("latin-1"))


@given(st.lists(st.integers(1, 30), min_size=1))
def test_a_set_of_numbers_is_short(numbers: list[int]) -> None:
    made = UidSet.of(numbers)
    assert list(made.numbers()) == sorted(set(numbers))
    assert made.count() == len(set(numbers))
    for (_, high), (low, _) in zip(made.ranges, made.ranges[1:], strict=False):
        assert high is not None
        assert low is not None
        assert high + 1 < low


def expanded(numbers: SequenceSet, there: list[int]) -> list[int]:
    """The meaning, as RFC 3501 9 tells it, the slow way."""
    found = set()
    for low, high in numbers.ranges:
        first = there[-1] if low is None else low
        last = there[-1] if high is None else high
        found |= {n for n in there if min(first, last) <= n <= max(first, last)}
    return sorted(found)


small = st.none() | st.integers(1, 30)
small_sets = st.lists(st.tuples(small, small), min_size=1, max_size=4).map(
    lambda parts: SequenceSet(*parts)
)


@given(small_sets, st.lists(st.integers(1, 30), unique=True).map(sorted))
def test_what_of_a_mailbox_is_in_a_set(numbers: SequenceSet, there: list[int]) -> None:
    if not there:
        assert numbers.among(there) == []
        return
    found = expanded(numbers, there)
    assert numbers.among(there) == found
    assert [n for n in there if numbers.contains(n, there[-1])] == found
    beyond = sorted({*expanded(numbers, [*range(1, 31), there[-1]])})
    assert [n for n in range(1, 31) if numbers.contains(n, there[-1])] == beyond


@given(small_sets, st.integers(1, 30))
def test_without_the_largest(numbers: SequenceSet, number: int) -> None:
    """There is none so large that it could not be the one."""
    assert numbers.contains(number) == any(
        numbers.contains(number, largest) for largest in [number, *range(30, 99)]
    )


def test_without_the_largest_a_star_may_be_anything() -> None:
    assert UidSet("*").contains(7)
    assert UidSet("5:*").contains(7)
    assert UidSet("8:*").contains(7)
    assert not UidSet("1:6,8").contains(7)
    assert UidSet("100:*").contains(7, largest=7)
    assert UidSet("5:*").open
    assert not UidSet("5").open


def test_four_billion_cost_as_much_as_one() -> None:
    everything = UidSet("1:4294967295")
    assert everything.count() == 2**32 - 1
    assert everything.contains(4_000_000_000)
    assert everything.among([1, 5, 9]) == [1, 5, 9]
    assert next(everything.numbers()) == 1
    with pytest.raises(ValueError, match="no number"):
        UidSet("*").count()
    with pytest.raises(ValueError, match="no number"):
        next(UidSet("5:*").numbers())
