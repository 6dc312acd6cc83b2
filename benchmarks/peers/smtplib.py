"""smtplib, of the standard library, with a file in the place of its socket."""

from __future__ import annotations

import io
import smtplib
from typing import Any

from ..corpus import READ_SIZE


class Peer(smtplib.SMTP):
    """What is written goes into a list."""

    def __init__(self, wire: bytes) -> None:
        super().__init__()
        self.file = io.BufferedReader(io.BytesIO(wire), READ_SIZE)
        self.sent: list[bytes] = []

    def putcmd(self, cmd: str, args: str = "") -> None:
        pass

    def send(self, s: Any) -> None:
        self.sent.append(s)


def replies(wire: bytes, count: int) -> list[tuple[int, bytes]]:
    peer = Peer(wire)
    return [peer.getreply() for _ in range(count)]


def ready(count: int) -> tuple[list[Peer]]:
    return ([Peer(b"354 go ahead\r\n250 thanks\r\n") for _ in range(count)],)


def stuff(peers: list[Peer], bodies: list[bytes]) -> list[bytes]:
    for peer, body in zip(peers, bodies, strict=True):
        peer.data(body)
    return [b"".join(peer.sent) for peer in peers]
