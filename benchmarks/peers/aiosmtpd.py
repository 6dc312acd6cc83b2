"""aiosmtpd: its server, on a transport that goes nowhere."""

from __future__ import annotations

import asyncio
from typing import Any

from ..harness import peer

module = peer("aiosmtpd.smtp")


class Handler:
    """Keeps what was accepted: sender, recipients, message."""

    def __init__(self) -> None:
        self.got: list[tuple[str, list[str], bytes]] = []

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        self.got.append((envelope.mail_from, envelope.rcpt_tos, envelope.content))
        return "250 2.0.0 OK"


class Transport(asyncio.Transport):
    def write(self, data: Any) -> None:
        pass

    def close(self) -> None:
        pass

    def is_closing(self) -> bool:
        return False

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass


async def _talk(wire: list[bytes]) -> list[tuple[str, list[str], bytes]]:
    handler = Handler()
    server = module.SMTP(
        handler,
        data_size_limit=None,
        hostname="mx.example.org",
        loop=asyncio.get_running_loop(),
    )
    server.connection_made(Transport())
    for data in wire:
        server.data_received(data)
        await asyncio.sleep(0)
    while server._reader._buffer:
        await asyncio.sleep(0)
    server.connection_lost(None)
    return handler.got


def serve(wire: list[bytes]) -> list[tuple[str, list[str], bytes]]:
    return asyncio.run(_talk(wire))
