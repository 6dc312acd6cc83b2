"""``mailproto serve`` as a program: what it says, what it takes, how it ends."""

from __future__ import annotations

import imaplib
import re
import signal
import smtplib
import socket
import sqlite3
import ssl
from pathlib import Path

import pytest

from mailproto import smtp
from mailproto.cli import main
from mailproto.cli.serve import Ending, describe
from mailproto.embedded import MailServer, Origin, StoredMessage
from mailproto.embedded.certificate import make_certificate
from mailproto.embedded.serving import SERVED

from .served import Served, serve

LETTER = (
    b"From: bob@example.org\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n\r\nHello.\r\n"
)


def trusting(server: Served) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=server.certificate)


def imap(server: Served, name: str, password: str) -> imaplib.IMAP4:
    session = imaplib.IMAP4_SSL(
        "localhost", server.ports["imaps"], ssl_context=trusting(server), timeout=30
    )
    session.login(name, password)
    return session


def send(server: Served, letter: bytes = LETTER, to: str = "ann@example.net") -> None:
    session = smtplib.SMTP("127.0.0.1", server.ports["smtp"], timeout=30)
    session.sendmail("bob@example.org", [to], letter)
    session.close()  # without QUIT: that it came may be the end of the server


def test_it_says_what_there_is_and_what_comes() -> None:
    with serve() as server:
        assert [word for word, _ in server.told] == [
            "mailproto", *SERVED, "user", "certificate", "mail",
        ]  # fmt: skip
        assert server.ports.keys() == {*SERVED}
        told = dict(server.told)
        assert told["mail"] == "in memory"
        name, password = told["user"].split(", password ")
        with imap(server, name, password) as session:
            send(server)
            assert server.line().partition("  ")[2] == (
                "smtp  from <bob@example.org>  to ann@example.net  "
                f"{len(LETTER)} octets  Grüße"
            )
            session.append("INBOX", "", "", b"Subject: a draft\r\n\r\n")
            assert server.line().endswith("imaps  from <>  to ann  20 octets  a draft")
        assert server.end() == (0, "", "")
        assert not server.certificate.exists()


@pytest.mark.parametrize("by", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_in_order_whoever_is_there(by: int, tmp_path: Path) -> None:
    file = tmp_path / "mail.db"
    with serve("--path", str(file), "--user", "ann:secret") as server:
        assert dict(server.told)["user"] == "ann"
        assert dict(server.told)["mail"] == str(file)
        there = imap(server, "ann", "secret")
        send(server)
        status, said, wrong = server.end(by)
        assert (status, wrong) == (0, "")
        assert said.endswith("Grüße\n")  # nothing that came is not told
        assert list(tmp_path.iterdir()) == [file]  # no -wal: it is closed
        there.shutdown()
    with serve("--path", str(file), "--user", "bob:b:c") as server:
        users = [rest for word, rest in server.told if word == "user"]
        assert users == ["ann", "bob"]
        imap(server, "bob", "b:c").logout()
        session = imap(server, "ann", "secret")
        assert session.select()[1] == [b"1"]
        session.logout()


def test_a_signal_is_heeded_before_there_is_anything_to_end() -> None:
    ended: list[int] = []
    with Ending() as ending:
        signal.raise_signal(signal.SIGTERM)
        ending.call(lambda: ended.append(1))
        assert ended == [1]
        signal.raise_signal(signal.SIGINT)
        assert ended == [1, 1]


def test_a_port_of_ones_choice_and_a_certificate_of_ones_own(tmp_path: Path) -> None:
    certificate, key = tmp_path / "cert,1.pem", tmp_path / "key.pem"
    for file, text in zip(
        (certificate, key), make_certificate(["localhost"]), strict=True
    ):
        file.write_text(text)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with serve("--tls", f"{certificate},{key}", "--port", f"imaps={port}") as server:
        assert server.certificate == certificate
        assert server.ports["imaps"] == port
        name, password = dict(server.told)["user"].split(", password ")
        imap(server, name, password).logout()
        assert server.end() == (0, "", "")
    assert certificate.exists()


@pytest.mark.parametrize("cleartext", [True, False])
def test_passwords_without_tls_are_let_in_only_if_one_says_so(cleartext: bool) -> None:
    options = ["--user", "ann:secret", *(["--cleartext"] if cleartext else [])]
    with serve(*options) as server:
        session = imaplib.IMAP4("127.0.0.1", server.ports["imap"], timeout=30)
        with session:
            if cleartext:
                session.login("ann", "secret")
            else:
                with pytest.raises(imaplib.IMAP4.error):
                    session.login("ann", "secret")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--port", "http=80"], "no service: 'http'; known are smtp, "),
        (["--port", "smtp"], "no port: ''"),
        (["--port", "smtp=65536"], "no port: '65536'"),
        (["--user", "ann"], "not a name, a colon and a password"),
        (["--user", ":secret"], "not a name, a colon and a password"),
        (["--user", "ann:"], "not a name, a colon and a password"),
        (["--tls", "cert.pem"], "not two files: 'cert.pem'"),
    ],
)
def test_options_that_are_wrong(
    options: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["serve", *options])
    assert ended.value.code == 2
    assert said in capsys.readouterr().err.splitlines()[-1]


def fails(capsys: pytest.CaptureFixture[str], *options: str) -> tuple[int, str]:
    status = main(["serve", *options])
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1
    return status, said.err.removeprefix("mailproto: ").strip()


def test_a_port_that_is_taken(capsys: pytest.CaptureFixture[str]) -> None:
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        status, said = fails(capsys, "--port", f"pop3={port}")
    assert status == 1
    assert said.startswith(f"pop3 cannot have port {port} of 127.0.0.1: ")
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


def test_an_address_that_is_not_here(capsys: pytest.CaptureFixture[str]) -> None:
    status, said = fails(capsys, "--host", "192.0.2.1")
    assert status == 1
    assert re.match(
        r"smtp cannot have port 0 of 192\.0\.2\.1: .*\b192\.0\.2\.1\b", said
    )


def test_files_that_are_none(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text, gone = tmp_path / "text", tmp_path / "gone"
    text.write_text("This is no database, and no certificate either.\n" * 100)
    path = ["--path", str(text)]
    assert fails(capsys, *path) == (1, f"--path {text}: file is not a database")
    path = ["--path", str(gone / "mail.db")]
    assert fails(capsys, *path) == (
        1,
        f"--path {path[1]}: unable to open database file",
    )
    tls = ["--tls", f"{text},{gone}"]
    assert fails(capsys, *tls) == (1, f"{gone}: No such file or directory")
    tls = ["--tls", f"{text},{text}"]
    status, said = fails(capsys, *tls)
    assert status == 4
    assert said.startswith(f"--tls {text},{text}: ")


def test_a_file_of_another_version(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "mail.db"
    with sqlite3.connect(file) as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    status, said = fails(capsys, "--path", str(file))
    assert (status, said.partition(": ")[0]) == (1, f"--path {file}")


def test_a_user_who_cannot_be(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "mail.db"
    with MailServer(path=file) as server:
        server.add_user("ann", "secret")
        server.add_alias("info", "ann")
    options = ["--path", str(file), "--user", "info:secret"]
    assert fails(capsys, *options) == (2, "info is an alias")


def test_lines_that_nobody_reads() -> None:
    with serve() as server:
        server.says.close()
        send(server)
        assert server.process.wait(30) == 1
        assert server.process.stderr is not None
        assert server.process.stderr.read() == ""


MANY = [f"{n}@b.example" for n in range(7)]
FIRST = ", ".join(MANY[:5])


def message(data: bytes, *to: str, sender: str = "") -> StoredMessage:
    rcpts = tuple(map(smtp.Rcpt, to))
    return StoredMessage(data, smtp.Mail(sender), rcpts, ("ann",), 0.0, Origin("lmtp"))


@pytest.mark.parametrize(
    ("given", "line"),
    [
        (message(b""), "lmtp  from <>  to ann  0 octets"),
        (message(b"no header at all"), "lmtp  from <>  to ann  16 octets"),
        (
            message(b"\r\nSubject: none\r\n"),
            "lmtp  from <>  to ann  17 octets",
        ),
        (
            message(b"subject: two\r\n lines\r\n\r\n", "a@b.example"),
            "lmtp  from <>  to a@b.example  24 octets  two lines",
        ),
        (
            message(b"Subject: \x1b[2J \xff\r\n\r\n", *MANY),
            f"lmtp  from <>  to {FIRST}, 2 more  19 octets  \\x1b[2J \ufffd",
        ),
        (
            message(b"Subject: =?utf-8?q?=E2=80=AE=0Aevil?=\r\n\r\n"),
            "lmtp  from <>  to ann  41 octets  \\u202e\\nevil",
        ),
        (
            message(b"Subject: " + b"x" * 101 + b"\r\n\r\n"),
            "lmtp  from <>  to ann  114 octets  " + "x" * 97 + "...",
        ),
    ],
)
def test_a_message_on_a_line(given: StoredMessage, line: str) -> None:
    described = describe(given)
    assert described.isprintable()
    assert described.partition("  ")[2] == line


def test_a_header_without_end_costs_no_more_than_its_beginning() -> None:
    given = message(b"a" * 70_000 + b"\r\nSubject: late\r\n\r\n")
    assert describe(given).endswith(" octets")
