"""A command or a FETCH on its way out, and the literals in it that hold it up.

    C: A003 APPEND saved {310}       the server must ask for it (RFC 3501 7.5)
    S: + Ready for literal data      or refuse the command, and nothing more is sent
    C: (310 octets)

    C: A003 APPEND saved {310+}      but not where it said LITERAL+, or LITERAL- and the
    C: (310 octets)                  literal has no more than 4096 octets (RFC 7888)

    S: * 1 FETCH (BODY[] {310}       nobody asks a server, but it may have the octets
    S: (310 octets)                  in pieces, one after the other
    S:  UID 7)

What is written is up to the connection to send, of which nothing is known here.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Container, Iterable
from typing import Final

from ..errors import LocalProtocolError
from .grammar import Fragment, Literal, Streamed

MAX_UNASKED: Final = 4096  # octets that LITERAL- lets go at once (RFC 7888 5)


class Sending:
    """What is written of it, and what is not.

    *offered* is what CAPABILITY told; ``None``: a server writes.  ``write`` gives what
    may go out now.
    """

    __slots__ = ("_offered", "_rest", "awaited", "left")

    def __init__(
        self, fragments: Iterable[Fragment], offered: Container[str] | None
    ) -> None:
        self._rest: deque[Fragment] = deque(fragments)
        self._offered = offered
        #: what "+" must ask for
        self.awaited: Literal | Streamed | None = None
        #: octets of a Streamed literal that are due from the caller; ``None``: not now
        self.left: int | None = None

    @property
    def over(self) -> bool:
        """Whether all is written."""
        return not self._rest and self.awaited is None and self.left is None

    def write(self) -> list[bytes]:
        """What goes out next, up to a literal that must be asked for, or sent by hand.

        Literals stand for themselves, so that a large one goes out as the object that
        it is.
        """
        out: list[bytes] = []
        line: list[bytes] = []
        while self._rest and self.awaited is None and self.left is None:
            part = self._rest.popleft()
            if isinstance(part, bytes):
                line.append(part)
                continue
            size = part.size if isinstance(part, Streamed) else len(part.data)
            binary = isinstance(part, Literal) and part.binary
            plus = _needs_no_asking(size, self._offered)
            line.append(b"%b{%d%b}\r\n" % (b"~" * binary, size, b"+" * plus))
            if self._offered is not None and not plus:
                self.awaited = part
            elif isinstance(part, Streamed):
                self.left = size
            elif size > MAX_UNASKED:
                out += [b"".join(line), part.data]
                line = []
            else:
                line.append(part.data)
        return [*out, b"".join(line)] if line else out

    def asked(self) -> list[bytes]:
        """The server asked for the literal: what goes out now."""
        part, self.awaited = self.awaited, None
        if isinstance(part, Streamed):
            self.left = part.size
            return []
        assert part is not None
        return [part.data, *self.write()]

    def take(self, data: bytes) -> None:
        """Count some octets from the caller; LocalProtocolError if they cannot be."""
        if self.left is None or len(data) > self.left:
            raise LocalProtocolError(f"only {self.left or 0} octets are due")
        if b"\0" in data:
            raise LocalProtocolError("a literal must not hold NUL")
        self.left -= len(data)

    def end(self) -> list[bytes]:
        """The caller has no more octets: what goes out behind them."""
        if self.left != 0:
            raise LocalProtocolError(f"{self.left or 0} octets more are due")
        self.left = None
        return self.write()


def _needs_no_asking(size: int, offered: Container[str] | None) -> bool:
    """Whether a client says that it does not wait to be asked (RFC 7888)."""
    if offered is None:
        return False
    return "LITERAL+" in offered or ("LITERAL-" in offered and size <= MAX_UNASKED)
