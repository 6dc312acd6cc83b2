"""The embedded server on real sockets, with the standard library's client."""

from __future__ import annotations

import asyncio
import gc
import imaplib
import poplib
import smtplib
import socket
import sqlite3
import ssl
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from mailproto import CommandFailed, pop3, sync
from mailproto.embedded import MailServer, Origin, StoredMessage
from mailproto.embedded.certificate import make_certificate
from mailproto.embedded.letters import LETTERS
from mailproto.services import SERVICES, parse_url
from tests.adapters import client_tls, server_tls
from tests.test_adapters import read_line

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
def test_poplib_fetches_and_deletes(
    connect: Callable[[MailServer], poplib.POP3],
) -> None:
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


def ours(server: MailServer) -> sync.Session[pop3.Client]:
    """A session of our own client."""
    port, tls = server.ports["pop3"], server.client_context()
    return sync.connect(pop3.Client(), server.host, port, tls=tls, timeout=20)


def log_in(session: sync.Session[pop3.Client], name: str = "ann") -> None:
    session.run(pop3.log_in(session.conn, name, "secret"))


def test_one_session_has_a_maildrop_and_one_that_is_lost_deletes_nothing() -> None:
    with MailServer() as server:
        fill(server)
        with ours(server) as first, ours(server) as second:
            log_in(first)
            with pytest.raises(CommandFailed) as caught:
                log_in(second)
            assert caught.value.answer.code is pop3.ResponseCode.IN_USE
            first.run(pop3.Dele(1))
        for _ in range(100):  # until the server has seen that the first is gone
            with ours(server) as third:
                try:
                    log_in(third)
                except CommandFailed:
                    continue
                assert third.run(pop3.Stat()).count == len(PLAIN)
                break
        else:
            pytest.fail("the maildrop stayed locked")


def test_each_user_has_mail_of_his_own() -> None:
    with MailServer() as server:
        for name in ("ann", "bob"):
            server.add_user(name, "secret")
            server.deliver(f"Subject: for {name}\r\n\r\n".encode(), to=name)
        with ours(server) as ann, ours(server) as bob:
            log_in(ann, "ann")
            log_in(bob, "bob")
            assert ann.run(pop3.Retr(1)) == b"Subject: for ann\r\n\r\n"
            assert bob.run(pop3.Retr(1)) == b"Subject: for bob\r\n\r\n"
            ann.run(pop3.Dele(1))
            ann.run(pop3.Quit())
            assert [message.users for message in server.messages] == [("bob",)]
            bob.run(pop3.Quit())


def test_who_does_not_log_in_is_not_waited_for() -> None:
    with MailServer(login_timeout=0.05) as server:
        port = server.ports["pop3"]
        with socket.create_connection((server.host, port), 20) as sock:
            assert read_line(sock).startswith(b"+OK")
            assert sock.recv(100) == b""


def test_who_falls_silent_loses_the_session_and_no_mail() -> None:
    with MailServer(idle_timeout=0.05, cleartext=True) as server:
        fill(server)
        port = server.ports["pop3"]
        with socket.create_connection((server.host, port), 20) as sock:
            read_line(sock)
            sock.sendall(b"USER ann\r\nPASS secret\r\nDELE 1\r\n")
            assert [read_line(sock)[:3] for _ in range(3)] == [b"+OK"] * 3
            assert sock.recv(100) == b""
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


def test_the_envelope_and_its_origin_are_told_exactly() -> None:
    with MailServer(cleartext=True) as server:
        server.add_user("ann", "secret")
        server.add_alias("info", "ann")
        tls = server.client_context()
        port = server.ports["submission"]
        with smtplib.SMTP(server.host, port, "client.example", 20) as mail:
            mail.starttls(context=tls)
            mail.login("ann", "secret")
            options = ["BODY=8BITMIME", "RET=HDRS", "ENVID=a+2Bb"]
            mail.ehlo("client.example")
            mail.mail("ann@example.org", options)
            mail.rcpt("info@example.net", ["NOTIFY=NEVER"])
            mail.rcpt("eve@example.net")
            mail.data(b"Subject: hello\r\n\r\n.\r\n")
            assert mail.sock is not None
            address = mail.sock.getsockname()
        (message,) = server.wait_for(1)
        assert message.mail.argument() == "FROM:<ann@example.org> " + " ".join(options)
        assert [rcpt.argument() for rcpt in message.rcpts] == [
            "TO:<info@example.net> NOTIFY=NEVER",
            "TO:<eve@example.net>",
        ]
        assert message.users == ("ann",)
        assert message.origin == Origin(
            "submission", "client.example", "ann", True, address
        )
        assert message.data == b"Subject: hello\r\n\r\n.\r\n"

        with smtplib.LMTP(server.host, server.ports["lmtp"], "mta.example") as mta:
            mta.sendmail("", ["ann@example.org"], b"Subject: 2\r\n\r\n")
            assert mta.sock is not None
            address = mta.sock.getsockname()
        (found,) = server.wait_for(1, where=lambda message: message.sender == "")
        assert found.origin == Origin("lmtp", "mta.example", peer=address)


def test_what_was_told_before_tls_is_forgotten() -> None:
    with MailServer(cleartext=True) as server:
        with smtplib.SMTP(server.host, server.ports["smtp"], timeout=20) as mail:
            mail.helo("before.example")
            mail.ehlo("before.example")
            mail.starttls(context=server.client_context())
            mail.helo("after.example")
            mail.sendmail("", "ann@example.org", "x")
        (message,) = server.messages
        assert (message.origin.helo, message.origin.tls) == ("after.example", True)


def test_what_imap_appends_has_an_origin_too() -> None:
    with MailServer() as server:
        server.add_user("ann", "secret")
        tls = server.client_context()
        with imaplib.IMAP4_SSL(
            server.host, server.ports["imaps"], ssl_context=tls
        ) as mail:
            mail.login("ann", "secret")
            mail.append("INBOX", r"(\Seen)", "", b"Subject: x\r\n\r\n")
        (filed,) = server.mailbox("ann")
        assert filed.flags == ("\\Seen",)
        origin = filed.message.origin
        assert (origin.service, origin.login, origin.tls) == ("imaps", "ann", True)


def test_waiting_for_some_of_the_messages() -> None:
    with MailServer() as server:
        for name in ("ann", "bob"):
            server.add_user(name, "secret")
        server.add_alias("info", "ann", "bob")
        for number, to in enumerate(("ann@example.org", "info@example.org", "bob")):
            server.deliver(b"Subject: %d\r\n\r\n" % number, to=to)

        def subjects(**wanted: Any) -> list[str]:
            return [each.email["Subject"] for each in server.wait_for(1, **wanted)]

        assert subjects(to="Ann@example.org") == ["0"]
        assert subjects(to="ann") == ["0", "1"]
        assert subjects(to="info@example.org") == ["1"]
        assert subjects(to="bob", where=lambda m: b"2" in m.data) == ["2"]
        with pytest.raises(TimeoutError, match=r"^1 of 2 messages .*, and 2 others"):
            server.wait_for(2, 0.01, to="ann@example.org")
        with pytest.raises(TimeoutError, match=r"^3 of 4 messages .* seconds$"):
            server.wait_for(4, timeout=0.01)


def test_catch_all() -> None:
    with MailServer(catch_all="ann", strangers=False) as server:
        server.add_user("ann", "secret")
        for name in ("smtp", "lmtp"):
            kind = smtplib.LMTP if name == "lmtp" else smtplib.SMTP
            with kind(server.host, server.ports[name], "client.example") as mail:
                mail.sendmail("", "whoever@example.org", "Subject: x\n\n")
        assert [message.users for message in server.messages] == [("ann",)] * 2


def test_folders_of_a_user() -> None:
    with MailServer() as server:
        server.add_user("ann", "secret")
        server.add_folder("ann", "Lists/python")
        server.deliver(b"x", to="ann", folder="Sent", flags=["\\Seen"])
        server.deliver(b"y", to="ann", folder="sent")
        server.deliver(b"z", to="ann", folder="inbox")
        assert server.folders("ann") == [
            "INBOX",
            "Lists",
            "Lists/python",
            "Sent",
            "sent",
        ]
        (filed,) = server.mailbox("ann", "Sent")
        assert (filed.uid, filed.flags) == (1, ("\\Seen",))
        assert filed.message.data == b"x"
        assert [each.message.data for each in server.mailbox("ann", "Inbox")] == [b"z"]
        for look in (server.folders, server.mailbox):
            with pytest.raises(KeyError, match="eve"):
                look("eve")
        with pytest.raises(KeyError, match="eve"):
            server.add_folder("eve", "Sent")
        with pytest.raises(ValueError, match="there is such a mailbox"):
            server.add_folder("ann", "Sent")
        server.clear()
        assert "Sent" in server.folders("ann")


def test_the_url_of_a_service() -> None:
    with MailServer() as server:
        port = server.ports["imaps"]
        assert server.url("imaps", "ann") == f"imaps://ann@127.0.0.1:{port}"
        url = parse_url(server.url("lmtp"))
        assert (url.host, url.port) == (server.host, server.ports["lmtp"])
        with pytest.raises(KeyError):
            server.url("finger")
        assert {*server.ports} <= {*SERVICES}


def test_ipv6() -> None:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("no IPv6 here")
    with MailServer(host="::1") as server:
        assert server.url("smtp") == f"smtp://[::1]:{server.ports['smtp']}"
        with smtplib.SMTP("::1", server.ports["smtp"], "x.example") as mail:
            mail.starttls(context=server.client_context())
            mail.sendmail("", "ann@example.org", "x")
        (message,) = server.messages
        assert message.origin.peer is not None
        assert message.origin.peer[0] == "::1"


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
        server = MailServer(ports={"pop3": port})
        with pytest.raises(OSError, match=f"pop3 cannot have port {port} of .* in use"):
            server.start()
    assert threading.active_count() == before


def test_a_service_that_is_not_here_is_an_error() -> None:
    with pytest.raises(ValueError, match="no service here: finger, pop"):
        MailServer(ports={"pop": 110, "pop3": 0, "finger": 79})


def test_a_server_is_started_once() -> None:
    server = MailServer()
    with server, pytest.raises(RuntimeError, match="make another"):
        server.start()
    with pytest.raises(RuntimeError, match="make another"):
        server.start()
    server.stop()  # does no harm


def test_a_file_that_cannot_be_opened_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(sqlite3.OperationalError):
        MailServer(path=tmp_path / "no such directory" / "mail.db")
    gc.collect()  # what was left open would warn now


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


def shake_hands(directory: Path, name: str, **validity: float) -> str | None:
    """A TLS handshake in memory with a made certificate; the version agreed upon."""
    certificate, key = make_certificate(["localhost", "127.0.0.1"], **validity)
    (directory / "cert.pem").write_text(certificate)
    (directory / "key.pem").write_text(key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(directory / "cert.pem", directory / "key.pem")
    trusting = ssl.create_default_context(cadata=certificate)
    trusting.verify_flags |= ssl.VERIFY_X509_STRICT
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = trusting.wrap_bio(back, there, server_hostname=name)
    server = context.wrap_bio(there, back, server_side=True)
    for end in (client, server) * 2:
        try:
            end.do_handshake()
        except ssl.SSLWantReadError:
            continue
    return client.version()


def test_the_certificate_is_good_for_loopback_and_nothing_else(tmp_path: Path) -> None:
    for name in ("localhost", "127.0.0.1"):
        assert shake_hands(tmp_path, name) == "TLSv1.3"
    with pytest.raises(ssl.SSLCertVerificationError, match="mismatch"):
        shake_hands(tmp_path, "example.org")


def test_a_certificate_may_have_expired_or_be_early(tmp_path: Path) -> None:
    with pytest.raises(ssl.SSLCertVerificationError, match="expired"):
        shake_hands(tmp_path, "localhost", starts=-10, ends=-1)
    with pytest.raises(ssl.SSLCertVerificationError, match="not yet valid"):
        shake_hands(tmp_path, "localhost", starts=1, ends=10)


@pytest.mark.parametrize("port", [-1, 65536])
def test_a_port_that_is_none_is_an_error_at_once(port: int) -> None:
    with pytest.raises(ValueError, match=f"imap cannot have port {port}"):
        MailServer(ports={"imap": port})


def test_a_start_that_is_cancelled_leaves_no_server() -> None:
    async def use() -> None:
        async with MailServer():
            raise AssertionError  # it is cancelled before

    async def cancel() -> None:
        using = asyncio.create_task(use())
        await asyncio.sleep(0)  # it has begun to start
        using.cancel()
        with pytest.raises(asyncio.CancelledError):
            await using

    asyncio.run(cancel())
    assert "mailproto" not in {thread.name for thread in threading.enumerate()}


def test_who_waits_when_it_stops_waits_no_longer() -> None:
    server = MailServer()
    server.start()
    asked = threading.Event()

    def never(message: StoredMessage) -> bool:
        asked.set()
        return False

    server.add_user("ann", "secret")
    server.deliver(b"x", to="ann")
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(server.wait_for, 1, 600, where=never)
        assert asked.wait(20)
        server.stop()
        with pytest.raises(
            sqlite3.ProgrammingError, match="the mail server is stopped"
        ):
            waiting.result(20)
    with pytest.raises(sqlite3.ProgrammingError, match="the mail server is stopped"):
        _ = server.messages
