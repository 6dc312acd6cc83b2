"""Where a line announces a literal, and where text only looks so (RFC 3501 4.3, 9).

* LIST () "/" {3}          three octets follow, and then the rest of the response
* OK hello {5}             text: nothing follows
* LIST () "/" "foo {5}"    neither
"""

from __future__ import annotations

import re
from typing import Final

# What announces a literal at the end of a line, where a string can stand: behind a
# space or a parenthesis, and not in a quoted string.
ANNOUNCED: Final = re.compile(rb"(?<=[ (])~?\{([0-9]{1,20})\+?\}\Z")
_OUT_OF_QUOTES: Final = re.compile(rb'[^"]*+(?:"(?:[^"\\]|\\.)*+"[^"]*+)*+', re.S)


def announced(line: bytes) -> int | None:
    """How many octets of a literal follow *line*, which is without its CRLF.

    To be asked of data only: the text of a status response announces nothing.
    """
    if not line.endswith(b"}"):
        return None
    found = ANNOUNCED.search(line, max(len(line) - 26, 0))
    if found is None or not _OUT_OF_QUOTES.fullmatch(line):
        return None
    return int(found[1])


def check_raw(raw: bytes) -> None:
    """Raise ValueError if *raw* would not be framed as a piece of one response."""
    at = 0
    while True:
        end = raw.find(b"\r\n", at)
        line = raw[at:] if end < 0 else raw[at:end]
        if b"\r" in line or b"\n" in line or b"\0" in line:
            raise ValueError("a response must not hold CR, LF or NUL")
        size = announced(line if at else b" " + line)
        if size is None or end < 0:
            break
        at = end + 2 + size
    if end >= 0 or size is not None or at > len(raw):
        raise ValueError("lines and literals do not fit together")
