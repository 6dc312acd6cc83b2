"""A log-in is the same conversation in all three protocols, at both ends."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from mailproto import Bad, GoAhead, LocalProtocolError, Security, imap, pop3, smtp
from mailproto.errors import RemoteProtocolError


@dataclass(frozen=True)
class Protocol:
    """What differs on the wire."""

    module: Any
    auth: bytes
    greeting: bytes  #: and what else a client must have heard
    hello: Callable[[Any], object]
    challenge: bytes
    limits: Any

    def server(self, **limits: int) -> tuple[Any, list[bytes]]:
        """One that has been asked for a log-in; what its transcript shows."""
        conn = self.module.Server(Security.CLEARTEXT, limits=self.limits(**limits))
        seen: list[bytes] = []
        if self.module is imap:
            conn.offer = imap.Capabilities("IMAP4rev1", "AUTH=LOGIN")
            conn.send(imap.Greeting())
        elif self.module is pop3:
            conn.send(pop3.Greeting("hello"))
        else:
            conn.send(smtp.Greeting("localhost"))
            conn.receive_data(b"EHLO [127.0.0.1]\r\n")
            conn.next_event()
            conn.send(
                smtp.EhloData.join("localhost", [smtp.Extension("AUTH", ("LOGIN",))])
            )
        conn.receive_data(self.auth)
        assert not isinstance(conn.next_event(), Bad)
        conn.data_to_send()
        conn.trace = lambda side, line: seen.append(side.encode() + b": " + line)
        return conn, seen

    def client(self) -> Any:
        conn = self.module.Client(Security.CLEARTEXT)
        conn.receive_data(self.greeting)
        conn.next_event()
        self.hello(conn)
        conn.send(self.command())
        conn.data_to_send()
        return conn

    def command(self) -> Any:
        kind = imap.Authenticate if self.module is imap else self.module.Auth
        return kind("LOGIN")


def _ehlo(conn: Any) -> None:
    conn.send(smtp.Ehlo("[127.0.0.1]"))
    conn.data_to_send()
    conn.receive_data(b"250-localhost\r\n250 AUTH LOGIN\r\n")
    conn.next_event()


PROTOCOLS = [
    Protocol(
        pop3, b"AUTH LOGIN\r\n", b"+OK\r\n", lambda _: None, b"+ %s\r\n", pop3.Limits
    ),
    Protocol(smtp, b"AUTH LOGIN\r\n", b"220 x\r\n", _ehlo, b"334 %s\r\n", smtp.Limits),
    Protocol(
        imap,
        b"a AUTHENTICATE LOGIN\r\n",
        b"* OK [CAPABILITY IMAP4rev1 AUTH=LOGIN] x\r\n",
        lambda _: None,
        b"+ %s\r\n",
        imap.Limits,
    ),
]
each = pytest.mark.parametrize("what", PROTOCOLS, ids=["pop3", "smtp", "imap"])


@each
def test_a_challenge_and_its_response_are_masked(what: Protocol) -> None:
    conn, seen = what.server()
    conn.send(what.module.Challenge(b"Password:"))
    assert b"".join(conn.data_to_send()) == what.challenge % b"UGFzc3dvcmQ6"
    conn.receive_data(b"c2VjcmV0\r\n")
    assert conn.next_event() == what.module.Response(b"secret")
    assert seen == [b"S: " + (what.challenge % b"****")[:-2], b"C: ****"]


@each
def test_a_cancel_comes_as_it_is(what: Protocol) -> None:
    conn, seen = what.server()
    conn.send(what.module.Challenge(b""))
    conn.receive_data(b"*\r\n")
    assert conn.next_event() == what.module.Cancel()
    assert seen[-1] == b"C: *"


@each
def test_what_is_not_base64_ends_the_log_in(what: Protocol) -> None:
    conn, _ = what.server()
    conn.send(what.module.Challenge(b""))
    conn.receive_data(b"secret!\r\n")
    event = conn.next_event()
    assert isinstance(event, Bad)
    assert b"that is not base64" in event.hint.write()
    conn.send(event.hint)
    with pytest.raises(LocalProtocolError):
        conn.send(what.module.Challenge(b""))


@each
def test_a_log_in_has_so_many_rounds(what: Protocol) -> None:
    conn, _ = what.server(sasl_rounds=2)
    for _ in range(2):
        conn.send(what.module.Challenge(b""))
        conn.receive_data(b"eA==\r\n")
        assert conn.next_event() == what.module.Response(b"x")
    conn.send(what.module.Challenge(b""))
    conn.receive_data(b"eA==\r\n")
    assert b"too much for one log-in" in conn.next_event().hint.write()


@each
def test_nothing_is_sent_behind_a_log_in(what: Protocol) -> None:
    conn = what.client()
    with pytest.raises(LocalProtocolError, match="nothing can be sent until AUTH"):
        conn.send(what.module.Noop())


@each
def test_a_challenge_waits_for_its_caller(what: Protocol) -> None:
    conn = what.client()
    with pytest.raises(LocalProtocolError, match="no challenge waits for a Response"):
        conn.send(what.module.Response(b"early"))
    conn.receive_data(what.challenge % b"UGFzc3dvcmQ6")
    event = conn.next_event()
    assert isinstance(event, GoAhead)
    assert event.data == b"Password:"
    conn.send(what.module.Response(b"secret"))
    assert conn.data_to_send() == [b"c2VjcmV0\r\n"]
    with pytest.raises(LocalProtocolError, match="no challenge waits for a Cancel"):
        conn.send(what.module.Cancel())


@each
def test_what_is_sent_behind_starttls_is_never_obeyed(what: Protocol) -> None:
    """CVE-2011-0411."""
    conn = what.module.Server(Security.STARTTLS)
    if what.module is imap:
        conn.send(imap.Greeting())
        conn.receive_data(b"a STARTTLS\r\nb NOOP\r\n")
    elif what.module is pop3:
        conn.send(pop3.Greeting("hello"))
        conn.receive_data(b"STLS\r\nCAPA\r\n")
    else:
        conn.send(smtp.Greeting("localhost"))
        conn.receive_data(b"EHLO [127.0.0.1]\r\n")
        conn.next_event()
        conn.send(smtp.EhloData.join("localhost", [smtp.Extension("STARTTLS")]))
        conn.receive_data(b"STARTTLS\r\nNOOP\r\n")
    with pytest.raises(RemoteProtocolError, match="plaintext behind ST"):
        conn.next_event()
