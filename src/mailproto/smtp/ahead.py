"""Replies that a client reads many at a time.

Most of what a server says is a reply without a fault, to a command that it just ends.
Such replies may be read before their turn, as long as nobody can tell: what they mean
is another matter, and its time comes when they are handed over.  Whatever is not so
plain is left to the client, which reads line by line.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import TypeAlias

from .._command import Call, Completed
from .._values import setters
from .grammar import MAX_LINE
from .responses import STATUS, EnhancedCode, Reply
from .state import Limits, Progress, State

#: An event, the lines that it is made of, and the state that it leads to; ``None``:
#: there is more to it than that.
Ready: TypeAlias = tuple[Completed[Reply], bytes, State | None]

# What comes before the text, ``250 2.1.5``, and the text.
_PLAIN = re.compile(
    rb"([245][0-5][0-9](?: %s(?![^ ]))?)(?: ([ -~]*+))?" % STATUS.encode()
)


def read_ahead(
    calls: Iterable[Call[object]],
    lines: Iterable[bytes],
    now: Progress,
    limits: Limits,
) -> list[Ready]:
    """Replies to *calls*, the next one last; they end before the first odd one."""
    found: list[Ready] = []
    if min(limits.line, limits.reply) < MAX_LINE:
        return found
    moves, table, state = now.moves, now.dialect.table, now.state
    row = moves.get(state, {})
    left = iter(lines)
    for call, said in zip(calls, left, strict=False):
        reply = read_plain(said)
        kind = type(call.command)
        after = row.get(kind)
        if reply is None or reply.code >= 300 or after is None:
            if reply is None and said[3:4] == b"-":
                said = _gather(said, left, limits)
                reply = read_plain(said)
            if reply is None or not kind.plain:
                break
            after = row.get(kind) if reply.ok else None
            state = after or table.get((state, kind), state) if reply.ok else state
            row = moves.get(state, {})
        elif after is not state:
            state = after
            row = moves.get(state, {})
        found.append((Completed(call, reply), said, after))
    found.reverse()
    return found


def _gather(first: bytes, lines: Iterator[bytes], limits: Limits) -> bytes:
    """The reply of several lines that begins so, if it keeps to all limits."""
    said, most = [first], MAX_LINE - 2
    for line in lines:
        said.append(line)
        if line[3:4] != b"-" or len(line) > most:
            break
    whole = b"\r\n".join(said)
    few = len(said) <= limits.reply_lines and len(whole) + 2 <= limits.reply
    return whole if few and max(map(len, said)) <= most else b""


@lru_cache(maxsize=256)
def read_plain(said: bytes) -> Reply | None:
    """The reply that *said* is, if it is a plain one: most are.

    Servers say the same over and over.  ``None``: it has to be looked at in its place.
    """
    found = _PLAIN.fullmatch(said) if len(said) <= MAX_LINE - 2 else None
    if found is None:
        return _read_lines(said) if said[3:4] == b"-" else None
    head = _read_head(found[1])
    if head is None:
        return None
    text = found[5]
    reply = object.__new__(Reply)  # all that its constructor checks has been seen to
    _set_code(reply, head[0])
    _set_text(reply, "" if text is None else text.decode("ascii"))
    _set_enhanced(reply, head[1])
    _set_written(reply, None)
    return reply


@lru_cache(maxsize=256)
def _read_head(head: bytes) -> tuple[int, EnhancedCode | None] | None:
    """What comes before the text of a reply, ``250 2.1.5``; ``None``: look closely."""
    code, _, status = head.decode("ascii").partition(" ")
    if code == "421" or (status and status[0] != code[0]):
        return None
    return int(code), EnhancedCode.read(status) if status else None


_set_code, _set_text, _set_enhanced, _set_written = setters(Reply)


def _read_lines(said: bytes) -> Reply | None:
    try:
        reply = Reply.read(*said.split(b"\r\n"))
    except ValueError:
        return None
    return None if reply.code == 421 or 300 <= reply.code < 400 else reply
