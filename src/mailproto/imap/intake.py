"""One command of a client as it comes in: a line, perhaps a literal, perhaps more.

    A001 LOGIN {11}            what ends in {n} is gone on with, behind n octets
    FRED FOOBAR {7}
    fat man

Lines and literals are told apart here, before grammar sees them, so that a command
that is wrong costs that command and nothing else.  In a command no free text can end a
line, so what looks like the announcement of a literal is one (RFC 3501 9), even amid
nonsense: to take it for less would let the octets of a literal be read as commands.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from .replies import Reply

_ANNOUNCED: Final = re.compile(rb"(~?)\{([0-9]{1,20})(\+?)\}\Z")
# RFC 3501 9, tag: any ASTRING-CHAR but "+".
_TAG: Final = re.compile(rb"[!#$&',\-./0-9:;<=>?@A-Z\[\]^_`a-z|}~]+")


@dataclass(frozen=True, slots=True)
class Announced:
    """What a line said at its end: *size* octets come next, *asked* for or not."""

    size: int
    asked: bool  #: they wait for "+"


def announced(line: bytes) -> Announced | None:
    """What *line* announces, if it announces a literal."""
    found = _ANNOUNCED.search(line, max(len(line) - 24, 0))
    if found is None:
        return None
    return Announced(int(found[2]), asked=not found[3])


def split_tag(line: bytes, most: int) -> tuple[str, bytes] | None:
    """The tag of a command, and the rest; ``None`` for none of *most* octets."""
    found = _TAG.match(line)
    if (
        found is None
        or found.end() > most
        or line[found.end() : found.end() + 1] != b" "
    ):
        return None
    return found[0].decode("ascii"), line[found.end() + 1 :]


class Intake:
    """The command that is coming: what has come of it."""

    __slots__ = ("_parts", "left", "literals", "size", "spoiled", "tag")

    def __init__(self) -> None:
        self.tag: str | None = None
        self.size = 0  #: octets so far, literals included
        self.literals = 0  #: how many so far
        self.left = 0  #: octets that are missing of the literal that comes
        #: why none of it is kept: the answer that it will have
        self.spoiled: Reply | None = None
        self._parts: list[bytes] = []

    def __bool__(self) -> bool:
        """Whether anything has come."""
        return bool(self.size)

    def add(self, data: bytes) -> None:
        self.size += len(data)
        if self.spoiled is None:
            self._parts.append(data)

    def spoil(self, why: Reply) -> None:
        """Keep nothing from here on: it is too much, or makes no sense."""
        self.spoiled = self.spoiled or why
        self._parts.clear()

    @property
    def data(self) -> bytes:
        """All of it in one piece, its tag left out."""
        return b"".join(self._parts)
