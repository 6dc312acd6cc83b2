"""What a look at a server ends with, whatever the server says."""

from __future__ import annotations

import asyncio
import json
import random
from contextlib import suppress

import pytest

from mailproto.cli.looking import Look, Place, look
from mailproto.cli.report import Checked, Report, as_json, as_table
from mailproto.services import SERVICES
from tests.adapters import client_tls, server_tls

CAPABILITY = b"* CAPABILITY IMAP4rev1 STARTTLS AUTH=PLAIN\r\nA1 OK\r\n"
SAID = (
    b"+OK\r\n", b"+OK x\r\n", b"-ERR\r\n", b"+ \r\n", b"STLS\r\n.\r\n", b".\r\n",
    b"+OK\r\nSTLS\r\nUSER\r\nSASL PLAIN\r\n.\r\n", b"* OK x\r\n", b"* BYE\r\n",
    b"* PREAUTH x\r\n", b"* OK [CAPABILITY IMAP4rev1 STARTTLS] x\r\n", b"A1 OK\r\n",
    CAPABILITY, b"A1 NO\r\n", b"{5}\r\n", b"220 x\r\n", b"220 go\r\n", b"250-x\r\n",
    b"250 STARTTLS\r\n", b"250 AUTH PLAIN\r\n", b"421 bye\r\n", b"502 what\r\n",
    b"\x1b[31m\r\n", b"\xff\x00\r\n", b"x" * 9000, b"",
)  # fmt: skip


async def look_at_garbage(seed: int) -> list[Look]:
    """All services, at one port where anything is said."""
    chance = random.Random(seed)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, ValueError, RuntimeError):
            for _ in range(6):
                writer.write(b"".join(chance.choices(SAID, k=chance.randint(1, 2))))
                if not await reader.readline() or chance.random() < 0.1:
                    break
                if chance.random() < 0.2:
                    await writer.start_tls(server_tls())
        writer.transport.abort()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        places = [Place(service, "localhost", port) for service in SERVICES.values()]
        looks = [look(place, client_tls(), 0.5) for place in places * 3]
        return await asyncio.gather(*looks)


@pytest.mark.parametrize("seed", range(4))
def test_garbage_is_told_and_nothing_is_raised(seed: int) -> None:
    looks = asyncio.run(look_at_garbage(seed))
    assert all(found.reachable for found in looks)
    assert any(found.error for found in looks)
    report = Report("x", None, None, tuple(map(Checked, looks)), (), (), 1)
    shown = as_table(report)
    assert shown.isprintable() or all(map(str.isprintable, shown.splitlines()))
    assert json.loads(json.dumps(as_json(report)))["target"] == "x"
