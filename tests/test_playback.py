"""A session is recorded, and played as either side of it."""

from __future__ import annotations

import imaplib
import poplib
import smtplib
import socket
from contextlib import closing
from pathlib import Path

import pytest

from mailproto import Security, imap, pop3, smtp, sync
from mailproto.embedded import MailServer
from mailproto.playback import Deviates, play, played, record
from mailproto.testing import Pair, read_transcript
from tests.adapters import client_tls, server_tls

LETTER = b"Subject: hi\r\nDate: today\r\n\r\n.caf\xe9\r\n"


def send(host: str, port: int, letter: bytes = LETTER) -> None:
    with smtplib.SMTP(host, port, local_hostname="here", timeout=20) as mail:
        mail.starttls(context=client_tls())
        mail.login("ann", "secret")
        mail.sendmail("bob@example.com", ["ann@example.com"], letter)


def test_a_session_of_ours_is_recorded_and_played_as_both(tmp_path: Path) -> None:
    path = tmp_path / "session.txt"
    with MailServer(tls=server_tls(), cleartext=True) as server:
        server.add_user("ann", "secret")
        server.deliver(LETTER, to="ann")
        conn = pop3.Client(Security.CLEARTEXT)
        recording = record(conn)
        with sync.connect(conn, server.host, server.ports["pop3"]) as session:
            session.run(pop3.User("ann"))
            session.run(pop3.Pass("secret"))
            session.run(pop3.Retr(1))
            session.run(pop3.Quit())
        recording.save(path)
        assert path.read_text(encoding="utf-8") == str(recording)
        assert "C: PASS ****\n" in str(recording)
        assert "S: ..caf\\xe9\n" in recording.text(whole=False)
        port = server.ports["pop3"]
        play(path, server.host, port, secrets=["secret"])
        with pytest.raises(ValueError, match="line 4 of the transcript has a secret"):
            play(path, server.host, port)
        with pytest.raises(Deviates, match=r"line 5.*got '-ERR") as caught:
            play(path, server.host, port, secrets=["guess"])
        assert caught.value.number == 5
        assert caught.value.expected.startswith("+OK")
        assert (caught.value.got or "").startswith("-ERR")
    with played(path) as double:
        mail = poplib.POP3(double.host, double.port, timeout=20)
        mail.user("ann")
        mail.pass_("whatever")
        assert mail.retr(1)[1][:1] == [b"Subject: hi"]
        mail.quit()


def test_smtp_with_tls_and_a_login_is_played() -> None:
    with MailServer(tls=server_tls()) as server:
        server.add_user("ann", "secret")
        send("localhost", server.ports["smtp"])
        text = server.conversations()[0].text(whole=True)
    assert "TLS\n" in text
    with played(text, tls=server_tls()) as double:
        send("localhost", double.port)
    with played(text, tls=server_tls()) as double:  # the date is any
        send("localhost", double.port, LETTER.replace(b"today", b"later"))
    with (
        pytest.raises(Deviates, match="expected 'Subject: hi', got 'Subject: ho'"),
        played(text, tls=server_tls()) as double,
    ):
        send("localhost", double.port, LETTER.replace(b"hi", b"ho"))
    with pytest.raises(ValueError, match="give a context"), played(text):
        pass


def test_imap_is_played_with_the_tags_of_the_client() -> None:
    with MailServer(cleartext=True) as server:
        server.add_user("ann", "secret")
        conn = imap.Client(Security.CLEARTEXT)
        recording = record(conn)
        with sync.connect(conn, server.host, server.ports["imap"]) as session:
            session.run(imap.Capability())
            session.run(imap.Login("ann", "secret"))
            session.run(imap.Append("INBOX", b"Subject: hi\r\n\r\nho\r\n"))
            session.run(imap.Logout())
        text = str(recording).replace("{19+}", "{19}\nS: + go on")
    with played(text) as double:
        mail = imaplib.IMAP4(double.host, double.port, timeout=20)
        mail.login("ann", "what")
        status, _ = mail.append("INBOX", None, None, b"Subject: hi\r\n\r\nho\r\n")
        assert status == "OK"
        mail.logout()


def play_noop(text: str, *, quit_too: bool = False) -> None:
    with (
        played(text) as double,
        closing(poplib.POP3(double.host, double.port, timeout=20)) as mail,
    ):
        mail.noop()
        if quit_too:
            mail.quit()


def test_a_client_that_says_too_little_or_too_much() -> None:
    text = "S: +OK\nC: noop\nS: +OK\n"
    play_noop(text)
    with pytest.raises(Deviates, match=r"line 2.*got nothing more"), played(text):
        pass
    with pytest.raises(Deviates, match=r"line 4.*'QUIT', got nothing more"):
        play_noop(text + "C: QUIT\nS: +OK\n")
    with pytest.raises(Deviates, match=r"line 4.*'nothing more', got 'QUIT'"):
        play_noop(text, quit_too=True)


def test_what_cannot_be_played() -> None:
    for remark in ("# ... 20480 octets more", "# 12 octets were not kept"):
        with pytest.raises(ValueError, match="line 2 of the transcript: it is not"):
            play(f"S: +OK\n{remark}\n", "localhost", 1)
    with pytest.raises(ValueError, match="line 1"):
        play("nonsense\n", "localhost", 1)


def test_a_recording_is_of_the_protocol_of_its_connection() -> None:
    class Mine(smtp.Client):
        """Another's."""

    pair = Pair(Mine(Security.CLEARTEXT), smtp.Server(Security.CLEARTEXT))
    recordings = [record(pair.client), record(pair.server)]
    pair.server.send(smtp.Greeting("hello"))
    pair.client_events()
    pair.client.send(smtp.Ehlo("here"))
    pair.server_events()
    for recording in recordings:
        assert str(recording) == "S: 220 hello\nC: EHLO here\n"
        assert len(read_transcript(str(recording))) == 2


def test_a_mask_stands_for_anything_in_a_line() -> None:
    text = "S: +OK\nC: UIDL ****\nS: +OK\nC: X ****-****\nS: +OK 2\n"
    with played(text) as double:
        address = (double.host, double.port)
        with socket.create_connection(address, timeout=20) as sock:
            said = sock.makefile("rwb")
            said.write(b"uidl 17\r\nX 1-2\r\n")
            said.flush()
            assert said.readlines(1)
            assert [said.readline() for _ in range(2)] == [b"+OK\r\n", b"+OK 2\r\n"]
            said.close()
