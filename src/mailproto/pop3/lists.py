"""Lists, of which a client reads all lines at once that are here.

    1 120 CRLF 2 200 CRLF . CRLF

Nearly every line of a list is without a fault.  For each kind one regular expression
finds as many of them as there are, and is narrower than ``read``: where it ends, the
client goes on line by line.  Nobody can tell the values apart.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from itertools import repeat
from json import loads
from typing import Any, Final

from .._buffer import Match
from .responses import Capability, Listing, UniqueId

#: Octets of the longest line that is found here, CRLF included.
MAX_PLAIN: Final = 256

_NUMBER = rb"[1-9][0-9]{0,17}+"  # 2**63 has 19 digits
_LISTING = rb"%s (?:0|%s)" % (_NUMBER, _NUMBER)
_UNIQUE_ID = rb"%s [!-~]{1,70}+" % _NUMBER
_CAPABILITY = rb"[!-,\-/-~]{1,50}+(?: [ -~]{0,200}+)?+"  # no dot in a keyword
_COMMAS = bytes.maketrans(b" \r", b",,")

Values = tuple[Any, ...]


def _lines(line: bytes) -> Match:
    """Finds the lines that are so (group 1), and the end of the list (group 2).

    Of more than a thousand at once nothing is gained.
    """
    return re.compile(rb"((?:%s\r\n){1,1000}+)(\.\r\n)?+" % line).match


def _read_listings(text: bytes) -> Values:
    # So many numbers at once the reader of JSON makes in two thirds of int's time.
    numbers = iter(loads(b"[%s]" % text[:-2].translate(_COMMAS)))
    made = _unchecked(Listing, text)
    for listing, number, size in zip(made, numbers, numbers, strict=True):
        listing.number = number
        listing.size = size
    return made


def _read_unique_ids(text: bytes) -> Values:
    words = iter(text.decode("ascii").split())
    made = _unchecked(UniqueId, text)
    for unique, number, uid in zip(made, words, words, strict=True):
        unique.number = int(number)
        unique.uid = uid
    return made


def _unchecked(kind: type[object], text: bytes) -> Values:
    """As many as there are lines, without what their constructor has seen to."""
    return tuple(map(object.__new__, repeat(kind, text.count(b"\n"))))


@lru_cache(maxsize=32)
def _read_capabilities(text: bytes) -> Values:
    """A server says the same before and after a log-in, and to everybody."""
    return tuple(map(Capability.read, text[:-2].split(b"\r\n")))


#: What finds plain lines of a kind, and what reads those.
PLAIN: Final[dict[Any, tuple[Match, Callable[[bytes], Values]]]] = {
    Listing: (_lines(_LISTING), _read_listings),
    UniqueId: (_lines(_UNIQUE_ID), _read_unique_ids),
    Capability: (_lines(_CAPABILITY), _read_capabilities),
}
