"""smtpproto: a client without I/O.  It does not pipeline: a reply comes by itself."""

from __future__ import annotations

from collections.abc import Iterable
from email.message import EmailMessage
from typing import Any

from ..harness import peer

module = peer("smtpproto.protocol")

HELLO = b"250-mx.example.org\r\n250-SIZE\r\n250 8BITMIME\r\n"


class Written(EmailMessage):
    """A message that is bytes already: what costs time is to stuff it."""

    def __init__(self, body: bytes) -> None:
        super().__init__()
        self.body = body

    def as_bytes(self, unixfrom: bool = False, policy: Any = None) -> bytes:
        return self.body


def _client() -> Any:
    client = module.SMTPClientProtocol()
    client.feed_bytes(b"220 mx.example.org\r\n")
    client.send_greeting("bench.example.org")
    client.feed_bytes(HELLO)
    client.get_outgoing_data()
    return client


def replies(wire: Iterable[tuple[str, bytes]]) -> list[Any]:
    """*wire*: each verb, and what answers it.  Nobody's sending counts."""
    client = _client()
    got = []
    for verb, reply in wire:
        client._command_sent = verb
        got.append(client.feed_bytes(reply))
    return got


def ready(bodies: list[bytes]) -> tuple[list[tuple[Any, Written]]]:
    """Clients that were told 354, each with its message."""
    pairs = []
    for body in bodies:
        client = _client()
        client.mail("ann@example.org")
        client.feed_bytes(b"250 ok\r\n")
        client.recipient("bob@example.org")
        client.feed_bytes(b"250 ok\r\n")
        client.start_data()
        client.feed_bytes(b"354 go ahead\r\n")
        client.get_outgoing_data()
        pairs.append((client, Written(body)))
    return (pairs,)


def stuff(pairs: list[tuple[Any, Written]]) -> list[bytes]:
    sent = []
    for client, body in pairs:
        client.data(body)
        sent.append(client.get_outgoing_data())
    return sent
