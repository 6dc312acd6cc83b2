"""What all commands of IMAP have in common, and the one that stands for the unknown."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self, TypeVar

from .._command import Command
from .grammar import (
    ATOM,
    Cursor,
    Fragment,
    Streamed,
    check_atom,
    inline,
    joined,
)
from .kinds import Formed, hold
from .tokens import Token, check_tokens, take_tokens, write_tokens

R = TypeVar("R")

_verb = re.compile(rb"(?:[Uu][Ii][Dd] (?=[%b]))?[%b]++" % (ATOM, ATOM))


class ImapCommand(Formed, Command[R]):
    """A verb with its arguments.  A subclass is a frozen dataclass with these.

    Fields that have their kind (``kinds``) are checked, written and read by that;
    where that does not do, ``arguments`` and ``read`` are written out.
    """

    __slots__ = ()

    verb: ClassVar[bytes]
    #: the class of the data that answer it, untagged, if there is one
    data: ClassVar[type[Any] | None] = None
    #: whether there is a UID variant (RFC 3501 6.4.8), UID and a space before the verb
    uid_too: ClassVar[bool] = False

    @property
    def by_uid(self) -> bool:
        """Whether it is the UID variant."""
        return False

    @property
    def extension(self) -> str | None:
        """What CAPABILITY must announce, as far as the command alone tells."""
        return None

    @classmethod
    def read(cls, cursor: Cursor, verb: bytes) -> Self:
        """The command whose arguments begin at *cursor*, before the space.

        *verb* is in capitals, with its ``UID `` if it has one.  Raises ValueError.
        Whether all has been read is for the caller to check.
        """
        return cls.take(cursor, verb[:4] == b"UID ")

    def write(self) -> list[Fragment]:
        """The whole command but its tag and CRLF."""
        verb = b"UID " + self.verb if self.by_uid else self.verb
        return joined((verb, *self.arguments()))

    def masked(self) -> bytes:
        """The command as a transcript may show it: secrets are left out."""
        return inline(
            b"{%d}" % part.size if isinstance(part, Streamed) else part
            for part in self.write()
        )

    def claims(self, event: object) -> bool:
        return type(event) is self.data

    def result(self, answer: Any, parts: list[Any]) -> R:
        """What was told last, or empty data; without *data* the tagged Reply."""
        result: R = answer
        if self.data is not None:
            result = parts[-1] if parts else self.data()
        return result


def verbs_of(*kinds: type[ImapCommand[Any]]) -> dict[bytes, type[ImapCommand[Any]]]:
    """Which class reads which verb, UID variants included."""
    verbs = {kind.verb: kind for kind in kinds}
    return verbs | {b"UID " + kind.verb: kind for kind in kinds if kind.uid_too}


def read_command(
    cursor: Cursor, verbs: Mapping[bytes, type[ImapCommand[Any]]]
) -> ImapCommand[Any]:
    """The command at *cursor*, which stands behind the tag and its space.

    It ends where the cursor's data end, CRLF not included.  Raises ValueError.
    """
    found = _verb.match(cursor.data, cursor.at)
    verb = found[0].upper() if found else b""
    if not found or verb not in verbs:
        cursor.fail("there is no such command")
    cursor.at = found.end()
    command = verbs[verb].read(cursor, verb)
    cursor.expect_end()
    return command


@dataclass(frozen=True, slots=True, init=False)
class Other(ImapCommand[list[Any]]):
    """RFC 3501 6.5.1: a command that has no class here.

    C: a1 SETQUOTA "" (STORAGE 512)
    S: a1 OK done

    ``Other("SETQUOTA", b"", ("STORAGE", "512"))``: words are text, strings ``bytes``,
    and lists tuples.  The result is what came that has no class either.
    """

    verb = b"X"
    name: str
    tokens: tuple[Token, ...]

    def __init__(self, name: str, *tokens: Token) -> None:
        check_atom(name, "a verb")
        check_tokens(tokens)
        hold(self, name.upper(), tokens)

    def write(self) -> list[Fragment]:
        arguments = write_tokens(self.tokens)
        space = [b" "] if arguments else []
        return joined([self.name.encode("ascii"), *space, *arguments])

    @classmethod
    def read(cls, cursor: Cursor, verb: bytes) -> Self:
        words = verb.decode("ascii").split(" ")
        return cls(words[0], *words[1:], *take_tokens(cursor))
