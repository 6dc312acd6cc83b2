"""The fast path for FETCH: whole responses, by regular expressions that are learned.

Servers say the same items in the same order, message after message.  The order is
learned from a response that the grammar has read: the regular expressions of its items,
one behind the other, make one that matches the next response at once, CRLF included.
What it does not match, and what turns out to be odd, is for the grammar, which comes to
the same.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from operator import call
from typing import Any, Final

from .fetch import COUNTED, FetchData, kind_of

MAX_SHAPES: Final = 128  # that are kept, of all connections
MAX_ITEMS: Final = 20

_call: Callable[[Callable[[bytes], Any], bytes], Any] = call


class Shape:
    """Certain items in a certain order.  *counted*: the last one's octets follow."""

    __slots__ = ("_makes", "_names", "counted", "pattern")

    def __init__(
        self, names: tuple[str, ...], makes: list[Callable[[bytes], Any]], source: bytes
    ) -> None:
        self._names = names
        self._makes: list[Callable[[bytes], Any]] = [int, *makes]
        self.counted = source.endswith(COUNTED)
        end = rb"\r\n" if self.counted else rb"\)\r\n"
        self.pattern = re.compile(
            rb"\* ([1-9][0-9]{0,8}+) FETCH \(" + source + end, re.DOTALL
        )

    def read(
        self, found: re.Match[bytes], literal: bytes | None = None
    ) -> FetchData | None:
        """The response that was found, or ``None`` if the grammar must read it."""
        values: tuple[bytes, ...] = found.groups()
        if literal is not None:
            values = (*values[:-1], literal)
        try:
            number, *made = map(_call, self._makes, values)
        except ValueError:
            return None
        return FetchData(number, dict(zip(self._names, made, strict=True)))


@lru_cache(maxsize=MAX_SHAPES)
def shape_of(names: tuple[str, ...]) -> Shape | None:
    """The shape of responses with those items, if it is one that can be fast."""
    if not 0 < len(names) <= MAX_ITEMS:
        return None
    sources: list[bytes] = []
    makes: list[Callable[[bytes], Any]] = []
    for i, name in enumerate(names, 1):
        kind = kind_of(name)
        source = kind and (kind.last if i == len(names) else kind.pattern)
        if kind is None or not source:
            return None
        sources.append(re.escape(name.encode("ascii")) + b" " + source)
        makes.append(kind.make)
    return Shape(names, makes, b" ".join(sources))
