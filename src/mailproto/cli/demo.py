"""``mailproto demo``: mail through our own server and client, on loopback."""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Sequence
from typing import Any

from .. import imap, pop3, smtp, sync
from .._command import Chunk
from ..embedded import MailServer
from ..embedded.letters import LETTERS
from .failure import say, show


def add(commands: Any) -> None:
    parser = commands.add_parser(
        "demo",
        help="mail through our own server and client, on loopback",
        description="Start a mail server on loopback, send to it by SMTP and fetch "
        "from it by POP3 and by IMAP, all over TLS, show the conversations, and check "
        "that every message arrives octet for octet.",
    )
    parser.set_defaults(run=_demo)


def _demo(options: argparse.Namespace) -> int:
    password = "correct horse battery staple"
    with MailServer() as server:
        server.add_user("ann", password)
        say(f"# {len(LETTERS)} messages by SMTP, port {server.ports['submission']}\n")
        _demo_send(server, password)
        say(f"\n# and back by POP3, port {server.ports['pop3']}\n")
        by_pop3, version = _demo_pop3(server, password)
        say(f"\n# and once more by IMAP, port {server.ports['imap']}\n")
        by_imap = _demo_imap(server, password)
    good = _judge("POP3", by_pop3, version) & _judge("IMAP", by_imap, version)
    say("\nall of it arrived octet for octet" if good else "\nNOT ALL OF IT ARRIVED")
    return 0 if good else 1


def _demo_send(server: MailServer, password: str) -> None:
    conn = smtp.Client()
    conn.trace = show
    port, tls = server.ports["submission"], server.client_context()
    with sync.connect(conn, server.host, port, tls=tls, timeout=60) as session:
        session.run(smtp.log_in(conn, "ann", password))
        for message in LETTERS.values():
            to = ["ann@example.net"]
            session.run(smtp.send_message(conn, message, "bob@example.org", to))
        session.run(smtp.Quit())


def _demo_pop3(server: MailServer, password: str) -> tuple[list[bytes], str]:
    """The messages, and the version of TLS."""
    conn = pop3.Client()
    conn.trace = show
    arrived: list[bytes] = []
    port, tls = server.ports["pop3"], server.client_context()
    with sync.connect(conn, server.host, port, tls=tls, timeout=60) as session:
        session.run(pop3.log_in(conn, "ann", password))
        for event in session.stream(pop3.fetch_new()):
            match event:
                case pop3.Incoming():
                    gathered = bytearray()
                case Chunk(data=data):
                    gathered += data
                case pop3.Arrived():
                    arrived.append(bytes(gathered))
                    event.confirm()
        version = session.ssl_object.version() if session.ssl_object else "no TLS"
        session.run(pop3.Quit())
    return arrived, str(version)


def _demo_imap(server: MailServer, password: str) -> list[bytes]:
    conn = imap.Client()
    conn.trace = show
    arrived: list[bytes] = []
    port, tls = server.ports["imap"], server.client_context()
    with sync.connect(conn, server.host, port, tls=tls, timeout=60) as session:
        session.run(imap.log_in(conn, "ann", password))
        gathered = bytearray()
        for event in session.stream(imap.fetch_new()):
            match event:
                case imap.Incoming():
                    gathered = bytearray()
                case Chunk(data=data):
                    gathered += data
                case imap.Arrived():
                    arrived.append(bytes(gathered))
        session.run(imap.Logout())
    return arrived


def _judge(protocol: str, arrived: Sequence[bytes], version: str) -> bool:
    say(f"\n# what arrived by {protocol}, through {version}\n")
    good = len(arrived) == len(LETTERS)
    for (name, sent), got in zip(LETTERS.items(), arrived, strict=False):
        same = got == sent
        good &= same
        digest = hashlib.sha256(got).hexdigest()[:16]
        verdict = "identical" if same else "DIFFERENT"
        say(f"{len(got):>9} octets  sha256 {digest}...  {verdict}  {name}")
    return good
