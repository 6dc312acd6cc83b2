"""The embedded server on real sockets, with the standard library's client."""

from __future__ import annotations

import asyncio
import poplib
import socket
import ssl
import threading
from email.message import EmailMessage
from pathlib import Path

import pytest

from mailproto.embedded import MailServer
from mailproto.embedded.certificate import make_certificate
from mailproto.embedded.letters import LETTERS
from tests.adapters import client_tls, server_tls

PLAIN = {name: data for name, data in LETTERS.items() if len(data) < 10_000}


def fill(server: MailServer) -> None:
    server.add_user("ann", "secret")
    for message in PLAIN.values():
        server.deliver(message, to="ann")


def fetch(mail: poplib.POP3) -> list[bytes]:
    count, _ = mail.stat()
    return [b"\r\n".join(mail.retr(n + 1)[1]) + b"\r\n" for n in range(count)]


def implicit(server: MailServer) -> poplib.POP3:
    return poplib.POP3_SSL(
        "localhost", server.ports["pop3s"], context=server.client_context(), timeout=20
    )


def upgraded(server: MailServer) -> poplib.POP3:
    mail = poplib.POP3("localhost", server.ports["pop3"], timeout=20)
    mail.stls(server.client_context())
    return mail


# poplib leaves the stuffed dots of ".." alone and takes those of other lines for what
# they are; what it gives is compared with that in mind.
def as_poplib(message: bytes) -> bytes:
    return b"\r\n".join(
        b"." + line if line.startswith(b".") and not line.startswith(b"..") else line
        for line in message.split(b"\r\n")
    )


@pytest.mark.parametrize("connect", [implicit, upgraded])
def test_poplib_fetches_and_deletes(connect: object) -> None:
    assert callable(connect)
    with MailServer() as server:
        fill(server)
        mail = connect(server)
        mail.user("ann")
        mail.pass_("secret")
        got = fetch(mail)
        assert len(got) == len(PLAIN)
        for message, sent in zip(got, PLAIN.values(), strict=True):
            assert message in (sent, as_poplib(sent), sent.replace(b"\r\n..", b"\r\n."))
        mail.dele(1)
        mail.quit()
        assert len(server.messages) == len(PLAIN) - 1
        server.clear()
        assert server.messages == []


def test_a_password_in_the_clear_is_refused_unless_one_says_so() -> None:
    with MailServer() as server:
        mail = poplib.POP3("localhost", server.ports["pop3"], timeout=20)
        with pytest.raises(poplib.error_proto, match="no password in the clear"):
            mail.user("ann")
        mail.close()
    with MailServer(cleartext=True) as server:
        fill(server)
        mail = poplib.POP3("localhost", server.ports["pop3"], timeout=20)
        mail.user("ann")
        mail.pass_("secret")
        mail.quit()


def test_apop() -> None:
    with MailServer(apop=True) as server:
        fill(server)
        mail = poplib.POP3("localhost", server.ports["pop3"], timeout=20)
        mail.apop("ann", "secret")
        assert mail.stat()[0] == len(PLAIN)
        mail.quit()


def test_a_connection_that_is_lost_deletes_nothing_and_unlocks() -> None:
    with MailServer() as server:
        fill(server)
        for _ in range(2):
            mail = implicit(server)
            mail.user("ann")
            try:
                mail.pass_("secret")
            except poplib.error_proto:  # the other one is still on its way out
                mail.close()
                continue
            mail.dele(1)
            mail.close()
        assert len(server.messages) == len(PLAIN)


def test_an_email_message_is_delivered_too() -> None:
    message = EmailMessage()
    message["Subject"] = "hello"
    message.set_content("text\n")
    with MailServer() as server:
        server.add_user("ann", "secret")
        server.deliver(message, to="ann")
        (kept,) = server.messages
        assert kept.data.startswith(b"Subject: hello\r\n")
        assert kept.data.endswith(b"\r\n\r\ntext\r\n")
        assert kept.email["Subject"] == "hello"
        with pytest.raises(KeyError):
            server.deliver(message, to="nobody")


def test_async_with() -> None:
    async def main() -> None:
        async with MailServer() as server:
            reader, writer = await asyncio.open_connection(
                server.host, server.ports["pop3"]
            )
            assert await reader.readline() == b"+OK mailproto ready\r\n"
            writer.close()
            await writer.wait_closed()

    asyncio.run(main())


def test_a_port_that_is_taken_is_an_error_and_nothing_is_left_running() -> None:
    before = threading.active_count()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match="in use"), MailServer(ports={"pop3": port}):
            pass
    assert threading.active_count() == before


def test_a_port_and_a_certificate_of_ones_own(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    path = tmp_path / "mail.db"
    with MailServer(ports={"pop3s": port}, tls=server_tls(), path=path) as server:
        assert server.ports["pop3s"] == port
        assert server.ca_file is None
        server.client_context()
        mail = poplib.POP3_SSL("localhost", port, context=client_tls(), timeout=20)
        mail.quit()


def test_the_certificate_is_good_for_loopback_and_nothing_else(tmp_path: Path) -> None:
    certificate, key = make_certificate(["localhost", "127.0.0.1"])
    (tmp_path / "cert.pem").write_text(certificate)
    (tmp_path / "key.pem").write_text(key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    trusting = ssl.create_default_context(cadata=certificate)
    trusting.verify_flags |= ssl.VERIFY_X509_STRICT

    def shake(name: str) -> None:
        ours, theirs = ssl.MemoryBIO(), ssl.MemoryBIO()
        client = trusting.wrap_bio(theirs, ours, server_hostname=name)
        server = context.wrap_bio(ours, theirs, server_side=True)
        for _ in range(4):
            for end in (client, server):
                try:
                    end.do_handshake()
                except ssl.SSLWantReadError:
                    continue
        assert client.version() == "TLSv1.3"
        client.do_handshake()

    shake("localhost")
    shake("127.0.0.1")
    with pytest.raises(ssl.SSLCertVerificationError, match="mismatch"):
        shake("example.org")


def test_a_certificate_may_have_expired() -> None:
    certificate, _ = make_certificate(starts=-10, ends=-1)
    assert "BEGIN CERTIFICATE" in certificate
