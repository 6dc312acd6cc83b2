"""aiosmtplib: its parser and its DATA, without a loop, futures or a transport."""

from __future__ import annotations

from contextlib import suppress
from types import SimpleNamespace
from typing import Any

from ..harness import peer

module = peer("aiosmtplib.protocol")


class _Lock:
    async def __aenter__(self) -> None:
        pass

    async def __aexit__(self, *_: object) -> None:
        pass


def _client() -> Any:
    return module.SMTPProtocol(loop=SimpleNamespace(create_future=lambda: None))


def replies(wire: list[bytes]) -> list[Any]:
    client = _client()
    got = []
    for data in wire:
        client._buffer.extend(data)
        while (reply := client._read_response_from_buffer()) is not None:
            got.append(reply)
    return got


def ready(count: int) -> tuple[list[tuple[Any, list[bytes]]]]:
    """Clients whose server says 354 and 250, and lists of what each writes."""
    return ([_with_answers() for _ in range(count)],)


def _with_answers() -> tuple[Any, list[bytes]]:
    client = _client()
    sent: list[bytes] = []
    answers = iter((354, 250))

    async def read_response(timeout: object = None) -> Any:
        return SimpleNamespace(code=next(answers), message="")

    client._command_lock = _Lock()
    client.write = sent.append
    client.read_response = read_response
    return client, sent


def stuff(pairs: list[tuple[Any, list[bytes]]], bodies: list[bytes]) -> list[bytes]:
    for (client, _), body in zip(pairs, bodies, strict=True):
        with suppress(StopIteration):  # it ends without having to wait
            client.execute_data_command(body).send(None)
    return [sent[-1] for _, sent in pairs]
