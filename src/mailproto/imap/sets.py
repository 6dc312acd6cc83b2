"""Sets of message sequence numbers and of unique identifiers (RFC 3501 9, 4315 3).

They look the same and mean different things, so they are different types: what one
returns is never given to the other.  A range stays a pair of numbers; ``1:4294967295``
costs as much as ``1``.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, Self, TypeAlias

MAX_NUMBER: Final = 2**32 - 1  # nz-number: RFC 3501 9

#: from and to, both included; ``None`` is ``*``, the largest there is
Range: TypeAlias = tuple[int | None, int | None]

_NUMBER = rb"(?:[1-9][0-9]{0,9}|\*)"
_is_set = re.compile(rb"%b(?::%b)?(?:,%b(?::%b)?)*+" % ((_NUMBER,) * 4)).fullmatch

#: most sets: one number or one range, of numbers that need not be checked
FEW: Final = rb"([1-9][0-9]{0,8}|\*)(?::([1-9][0-9]{0,8}|\*))?(?![0-9:,*])"
_few = re.compile(FEW)


def _range(low: int | None, high: int | None) -> Range:
    """The two in order, ``*`` last."""
    for number in (low, high):
        if number is not None and not 0 < number <= MAX_NUMBER:
            raise ValueError(f"{number} is not in 1 to {MAX_NUMBER}")
    if low is None or (high is not None and high < low):
        return high, low
    return low, high


def _part(text: str) -> Range:
    low, colon, high = text.partition(":")
    first = None if low == "*" else int(low)
    if not colon:
        return _range(first, first)
    return _range(first, None if high == "*" else int(high))


class _Spans(NamedTuple):
    """What a set holds, so that it can be searched: a memory, no part of the value."""

    starts: list[int]  # of the closed ranges, which ascend and do not touch ...
    ends: list[int]  # ... and their ends
    lows: list[int]  # n of each n:*
    star: bool  # whether there is a *


class _Memory:
    """Has a place for the spans that dataclasses know nothing of."""

    __slots__ = ("_spans",)
    _spans: _Spans


@dataclass(frozen=True, slots=True, init=False)
class NumberSet(_Memory):
    """Ranges in the order in which they were said; not empty.

    A part is a number, a pair (``None`` is ``*``), or text as on the wire.

    >>> SequenceSet(1, (4, 7), (12, None)) == SequenceSet("1,4:7,*:12")
    True
    """

    ranges: tuple[Range, ...]

    def __init__(self, *parts: int | Range | str) -> None:
        ranges: list[Range] = []
        for part in parts:
            if isinstance(part, str):
                ranges += self._read(part.encode("ascii", "replace"))
            elif isinstance(part, tuple):
                ranges.append(_range(*part))
            else:
                ranges.append(_range(part, part))
        if not ranges:
            raise ValueError("a set of messages must not be empty")
        object.__setattr__(self, "ranges", tuple(ranges))

    @classmethod
    def of(cls, numbers: Iterable[int]) -> Self:
        """The set of those *numbers*, in as few ranges as can be."""
        ranges: list[Range] = []
        low = high = None
        for number in sorted(set(numbers)):
            if high is None or number != high + 1:
                if high is not None:
                    ranges.append((low, high))
                low = number
            high = number
        return cls(*ranges, *([] if high is None else [(low, high)]))

    @classmethod
    def read(cls, text: bytes) -> Self:
        """Of ``2,4:7,9,12:*``; raises ValueError."""
        found = _few.fullmatch(text)
        return cls.of_few(*found.groups()) if found else cls._of(cls._read(text))

    @classmethod
    def of_few(cls, low: bytes, high: bytes | None) -> Self:
        """The set that FEW has found."""
        first = None if low == b"*" else int(low)
        if high is None:
            return cls._of([(first, first)])
        last = None if high == b"*" else int(high)
        if first is None or (last is not None and last < first):
            first, last = last, first
        return cls._of([(first, last)])

    @classmethod
    def _of(cls, ranges: list[Range]) -> Self:
        made = cls.__new__(cls)
        object.__setattr__(made, "ranges", tuple(ranges))
        return made

    @staticmethod
    def _read(text: bytes) -> list[Range]:
        if not _is_set(text):
            raise ValueError("a set of messages is expected")
        return [_part(part) for part in text.decode("ascii").split(",")]

    def write(self) -> bytes:
        parts = []
        for low, high in self.ranges:
            first = "*" if low is None else str(low)
            last = "*" if high is None else str(high)
            parts.append(first if low == high else f"{first}:{last}")
        return ",".join(parts).encode("ascii")

    def __str__(self) -> str:
        return self.write().decode("ascii")

    @property
    def open(self) -> bool:
        """Whether ``*`` is in it, so that what it holds depends on the mailbox."""
        return any(high is None for _, high in self.ranges)

    def contains(self, number: int, largest: int | None = None) -> bool:
        """Whether *number* is in it; *largest* is what ``*`` stands for.

        Without one, a set with ``*`` may hold any number: even ``5:*`` holds 3, if that
        is the largest.
        """
        if len(self.ranges) == 1:
            low, high = self.ranges[0]
            if low and high:
                return low <= number <= high
        try:
            starts, ends, lows, star = self._spans
        except AttributeError:
            starts, ends, lows, star = self._remember()
        at = bisect_right(starts, number) - 1
        if at >= 0 and number <= ends[at]:
            return True
        if largest is None or number == largest:
            return star
        return any(low <= number < largest or largest < number <= low for low in lows)

    def _remember(self) -> _Spans:
        spans = _Spans([], [], [], self.open)
        for low, high in sorted(
            (low, high) for low, high in self.ranges if high and low
        ):
            if spans.ends and low <= spans.ends[-1] + 1:
                spans.ends[-1] = max(high, spans.ends[-1])
            else:
                spans.starts.append(low)
                spans.ends.append(high)
        lows = {low for low, high in self.ranges if high is None and low is not None}
        spans.lows.extend({min(lows), max(lows)} if lows else ())
        object.__setattr__(self, "_spans", spans)
        return spans

    def among(self, numbers: Sequence[int]) -> list[int]:
        """Those of *numbers*, which ascend, that are in the set; they ascend, too.

        ``*`` is the last of *numbers*.
        """
        if not numbers:
            return []
        spans: list[tuple[int, int]] = []
        for low, high in self.ranges:
            first = numbers[-1] if low is None else low
            last = numbers[-1] if high is None else high
            first, last = min(first, last), max(first, last)
            spans.append((bisect_left(numbers, first), bisect_right(numbers, last)))
        found: list[int] = []
        done = 0
        for start, stop in sorted(spans):
            found += numbers[max(start, done) : stop]
            done = max(done, stop)
        return found

    def numbers(self) -> Iterator[int]:
        """One by one, in the order in which they were said: there may be billions.

        Raises ValueError if ``*`` is among them.
        """
        for span in self._closed():
            yield from span

    def _closed(self) -> Iterator[range]:
        for low, high in self.ranges:
            if low is None or high is None:
                raise ValueError("* is no number")
            yield range(low, high + 1)

    def count(self) -> int:
        """How many numbers, those that were said twice counted twice.

        Raises ValueError if ``*`` is among them.
        """
        return sum(map(len, self._closed()))


class SequenceSet(NumberSet):
    """Message sequence numbers, ``2:4,7,10:*``: they shift when messages go."""

    __slots__ = ()


class UidSet(NumberSet):
    """Unique identifiers, ``304,319:320``: they stay, while UIDVALIDITY does."""

    __slots__ = ()
