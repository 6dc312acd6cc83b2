"""What a transcript may show of what an IMAP server says: no challenge, no message."""

from __future__ import annotations

from typing import Any

from .._command import Chunk, Deviation
from .fetch import FetchData
from .replies import Continue, LiteralBegins, Malformed


def shown(response: Any, *, login: bool) -> bytes | None:
    """One line, without its CRLF; *login*: a log-in goes on.  ``None``: no line.

    Of FETCH data only the names of the items: they may be large, and private.  What
    streams is told of once, as it begins.
    """
    match response:
        case Continue() if login:
            return b"+ ****"
        case Chunk():
            return None
        case LiteralBegins(number=number, item=item, size=size):
            name = item.encode("ascii", "replace")
            return b"(%b of message %d, %d octets)" % (name, number, size)
        case FetchData(number=number, items=items):
            names = " ".join(items).encode("ascii", "replace")
            return b"* %d FETCH (%b)" % (number, names)
        case Malformed(raw=data) | Deviation(raw=data):
            return data.partition(b"\r\n")[0]
    said: bytes = response.write()
    return said.partition(b"\r\n")[0]
