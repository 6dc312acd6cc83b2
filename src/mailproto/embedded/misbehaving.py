"""How a fault is made to happen: between what a session says and its socket."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from .. import asyncio as aio
from .. import imap, smtp
from .._command import End
from ..errors import LocalProtocolError
from ..services import SERVICES, Protocol
from .faults import GREETING, Fault, read_reply
from .quirks import shown_as


async def misbehave(
    session: aio.Session[Any],
    fault: Fault,
    event: Any,
    last: Any,
    answer: Callable[[], Awaitable[None]],
) -> bool:
    """Let *fault* happen at *event*, which belongs to the command *last*.

    *answer* sends what the server has to say, and writes nothing.  ``True``: that was
    the end of the connection.
    """
    conn, protocol = session.conn, SERVICES[fault.service].protocol
    await session.flush()
    if fault.delay:
        await asyncio.sleep(fault.delay)
    if fault.drop == "before":
        _close(conn)
        return True
    over = fault.drop is not None
    instead: bytes | None = None
    if fault.reply is None:
        await answer()
    else:
        value = read_reply(protocol, fault.command, fault.reply)
        over = over or _is_last_word(value)
        if fault.command == GREETING:
            conn.send(value)
        elif value.ok:
            await answer()
            instead = _tagged(value, last).write()
        else:
            _refuse(conn, value, event, last)
    said = _take(conn)
    if instead is not None:
        said = _replaced(protocol, said, instead)
    await _say(session, fault, said)
    if over:
        _close(conn)
    return over


def _is_last_word(value: Any) -> bool:
    """Whether a server that says so hangs up."""
    if isinstance(value, imap.Reply):
        return value.condition is imap.Condition.BYE
    return isinstance(value, smtp.Reply) and value.code == 421


def _tagged(value: Any, last: Any) -> Any:
    """What answers *last*; BYE has no tag."""
    if isinstance(value, imap.Reply) and value.condition is not imap.Condition.BYE:
        return last.answer(value)
    return value


def _refuse(conn: Any, value: Any, event: Any, last: Any) -> None:
    conn.send(_tagged(value, last))
    if isinstance(event, End):  # in LMTP, for each recipient
        with suppress(LocalProtocolError):
            while isinstance(conn, smtp.Server):
                conn.send(value)


def _take(conn: Any) -> bytes:
    """What was to be said; a transcript has what is said indeed."""
    tap, conn.tap = conn.tap, None
    said = b"".join(conn.data_to_send())
    conn.tap = tap
    return said


def _replaced(protocol: Protocol, said: bytes, instead: bytes) -> bytes:
    """*said* with another status: POP3 has it in front, IMAP at the end."""
    match protocol:
        case Protocol.POP3:
            return instead + said.partition(b"\r\n")[2]
        case Protocol.IMAP:
            begin = said.rfind(b"\r\n", 0, len(said) - 2) + 2 if said else 0
            return said[: begin if begin > 1 else 0] + instead
    return instead


async def _say(session: aio.Session[Any], fault: Fault, said: bytes) -> None:
    shown = shown_as(fault.quirk) if fault.quirk is not None else None
    if shown is not None:
        said = shown(said)
    if fault.drop == "middle":
        said = said[: len(said) // 2]
    if session.conn.tap is not None and said:
        session.conn.tap("S", said)
    if not fault.bytewise:
        await session.write(said)
        return
    for i in range(len(said)):
        await session.write(said[i : i + 1])
        await asyncio.sleep(0)


def _close(conn: Any) -> None:
    if conn.tap is not None:
        conn.tap("S", b"")
