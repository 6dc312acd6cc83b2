"""Twisted's SMTP server, on a transport that goes nowhere."""

from __future__ import annotations

from typing import Any

from ..harness import peer

module = peer("twisted.mail.smtp")
defer = module and peer("twisted.internet.defer")
testing = module and peer("twisted.internet.testing")


class Message:
    """Gathers the lines of one message."""

    def __init__(self, got: list[list[bytes]]) -> None:
        self.got = got
        self.lines: list[bytes] = []

    def lineReceived(self, line: bytes) -> None:
        self.lines.append(line)

    def eomReceived(self) -> Any:
        self.got.append(self.lines)
        return defer.succeed(None)

    def connectionLost(self) -> None:
        pass


class Delivery:
    """Accepts whatever comes."""

    def __init__(self) -> None:
        self.got: list[list[bytes]] = []

    def receivedHeader(self, helo: Any, origin: Any, recipients: Any) -> bytes:
        return b""

    def validateFrom(self, helo: Any, origin: Any) -> Any:
        return origin

    def validateTo(self, user: Any) -> Any:
        return lambda: Message(self.got)


def serve(wire: list[bytes]) -> list[list[bytes]]:
    delivery = Delivery()
    server = module.ESMTP()
    server.noisy = False
    server.delivery = delivery
    transport = testing.StringTransport()
    server.callLater = lambda *_: None  # no reactor: nothing times out
    server.setTimeout = lambda *_: None
    server.resetTimeout = lambda: None
    server.makeConnection(transport)
    for data in wire:
        server.dataReceived(data)
        transport.clear()
    return delivery.got
