"""What was said at the ports can be read afterwards."""

from __future__ import annotations

import gc
import imaplib
import poplib
import smtplib
import socket
import time
from typing import Any

from mailproto import imap
from mailproto.embedded import MailServer
from mailproto.embedded import conversations as module
from mailproto.testing import read_transcript


def test_each_connection_has_a_transcript() -> None:
    with MailServer(cleartext=True) as server:
        server.add_user("ann", "secret")
        letter = b"Subject: hi\r\n\r\n" + b"line\r\n" * 100
        with smtplib.SMTP(server.host, server.ports["smtp"], timeout=20) as mail:
            mail.starttls(context=server.client_context())
            mail.login("ann", "secret")
            mail.sendmail("bob@example.com", "ann@example.com", letter)
        pop = poplib.POP3(server.host, server.ports["pop3"], timeout=20)
        pop.user("ann")
        pop.pass_("secret")
        pop.retr(1)
        pop.quit()
        imap = imaplib.IMAP4(server.host, server.ports["imap"], timeout=20)
        imap.login("ann", "secret")
        smtp, pop3, live = server.conversations()
        assert [each.service for each in (smtp, pop3, live)] == ["smtp", "pop3", "imap"]
        assert not live.over
        assert live.peer == imap.sock.getsockname()
        assert live.lines[-1].endswith(" OK welcome")
        assert any(line.endswith(" LOGIN ****") for line in live.lines)
        imap.logout()
    for each in server.conversations():
        assert each.over
        assert "secret" not in each.text(whole=True)
        read_transcript(str(each))
    assert smtp.peer is not None
    assert str(smtp).startswith(f"# smtp, from 127.0.0.1:{smtp.peer[1]}\nS: 220 ")
    assert "\nTLS\n" in str(smtp)
    assert "C: AUTH " in str(smtp)
    assert str(smtp).count("C: line\n") == 6
    assert "\n# ... 564 octets more\nC: .\nS: 250 " in str(smtp)
    assert smtp.text(whole=True).count("C: line\n") == 100
    assert "S: line\n# ... 564 octets more\nS: .\nC: QUIT\n" in str(pop3)


def test_they_are_forgotten_with_the_messages() -> None:
    with MailServer() as server:
        stays = smtplib.SMTP(server.host, server.ports["smtp"], timeout=20)
        stays.noop()
        smtplib.SMTP(server.host, server.ports["smtp"], timeout=20).quit()
        assert len(server.conversations()) == 2
        deadline = time.monotonic() + 20  # until the server is done with it, too
        while len(server.conversations()) > 1 and time.monotonic() < deadline:
            server.clear()
        (left,) = server.conversations()
        assert left.peer == stays.sock.getsockname()  # type: ignore[union-attr]
        stays.quit()


def test_the_oldest_are_forgotten_first() -> None:
    with MailServer() as server:
        port = server.ports["pop3"]
        for _ in range(module.REMEMBERED + 3):
            with socket.create_connection((server.host, port), timeout=20) as sock:
                sock.recv(100)
                last = sock.getsockname()
        found = server.conversations()
        assert len(found) == module.REMEMBERED
        assert found[-1].peer == last


def test_who_never_comes_to_words_has_one_too() -> None:
    with MailServer() as server:
        port = server.ports["imaps"]
        with socket.create_connection((server.host, port), timeout=20) as sock:
            sock.sendall(b"a LOGIN ann secret\r\n")
            while sock.recv(100):
                pass
    gc.collect()
    (only,) = server.conversations()
    assert (only.service, only.peer, only.over) == ("imaps", None, True)
    assert str(only).startswith("# imaps\nTLS\n")


def test_who_never_came_to_words_is_forgotten_as_well() -> None:
    conversations = module.Conversations(recorded=True)
    conn: Any = imap.Server()
    conversations.begin("imaps", conn)
    conversations.forget()
    assert [each.over for each in conversations.all()] == [False]
    del conn
    gc.collect()
    conversations.forget()
    assert conversations.all() == []


def test_a_server_may_remember_nothing() -> None:
    with MailServer(recorded=False) as server:
        with smtplib.SMTP(server.host, server.ports["smtp"]) as client:
            client.noop()
        assert server.conversations() == []
