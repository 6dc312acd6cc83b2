"""The command line, in this process where that will do, and as a program."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mailproto.cli import main
from mailproto.embedded import MailServer
from mailproto.embedded.letters import LETTERS
from tests.adapters import raw_server
from tests.test_adapters import read_line

PASSWORD = "a s3cret, with a space"


@pytest.fixture
def server() -> Iterator[MailServer]:
    with MailServer() as running:
        running.add_user("ann", PASSWORD)
        for message in LETTERS.values():
            running.deliver(message, to="ann")
        yield running


@pytest.fixture(autouse=True)
def password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAILPROTO_PASSWORD", PASSWORD)


def url(server: MailServer, service: str = "pop3") -> str:
    return f"{service}://ann@localhost:{server.ports[service]}"


def fetched(directory: Path) -> list[bytes]:
    return sorted(
        path.read_bytes()
        for path in directory.rglob("*")
        if path.is_file() and path.name != ".mailproto-seen"
    )


EVERYTHING = sorted(LETTERS.values())


def test_the_demo_as_a_program() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "mailproto", "demo"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "C: STLS\n" in done.stdout
    assert "C: AUTH SCRAM-SHA-512 ****\n" in done.stdout
    assert "all of it arrived octet for octet" in done.stdout
    assert "correct horse" not in done.stdout
    assert done.stdout.count("identical") == len(LETTERS)


def test_the_demo_fails_if_a_message_differs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from mailproto import cli

    assert cli._judge([b"x", *list(LETTERS.values())[1:]], "TLS") == 1
    assert cli._judge(list(LETTERS.values())[1:], "TLS") == 1
    assert "NOT ALL OF IT ARRIVED" in capsys.readouterr().out


@pytest.mark.parametrize("service", ["pop3", "pop3s"])
@pytest.mark.parametrize("option", ["--maildir", "--into"])
def test_what_is_new_is_fetched_and_left(
    server: MailServer,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    service: str,
    option: str,
) -> None:
    command = ["pop3", url(server, service), option, str(tmp_path)]
    command += ["--cafile", str(server.ca_file)]
    assert main(command) == 0
    assert fetched(tmp_path) == EVERYTHING
    assert len(server.messages) == len(LETTERS)
    assert main(command) == 0
    out = capsys.readouterr().out
    assert f"{len(LETTERS)} fetched" in out
    assert "\n0 fetched" in out
    assert main([*command, "--all", "--verbose", "--delete"]) == 0
    captured = capsys.readouterr()
    assert "C: RETR 1\n" in captured.out
    assert captured.err == ""  # no progress bar in a pipe
    assert "s3cret" not in captured.out
    assert server.messages == []


def test_the_password_comes_from_where_one_says(
    server: MailServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MAILPROTO_PASSWORD")
    options = ["--into", str(tmp_path), "--cafile", str(server.ca_file)]
    secret = tmp_path / "password"
    secret.write_text(f"{PASSWORD}\nnot this\n")
    assert main(["pop3", url(server), *options, "--password-file", str(secret)]) == 0
    with_password = url(server).replace("ann@", "ann:a%20s3cret,%20with%20a%20space@")
    assert main(["pop3", with_password, *options]) == 0
    with open(os.devnull) as nobody:
        monkeypatch.setattr("sys.stdin", nobody)
        assert main(["pop3", url(server), *options]) == 2


def fails(
    arguments: list[str], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> tuple[int, str]:
    status = main(["pop3", *arguments, "--into", str(tmp_path / "mail")])
    captured = capsys.readouterr()
    assert captured.err.startswith("mailproto: ")
    assert captured.err.count("\n") == 1
    assert "s3cret" not in captured.err
    return status, captured.err


def test_plain_errors(
    server: MailServer,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    trust = ["--cafile", str(server.ca_file)]

    def check(arguments: list[str], status: int, text: str) -> None:
        got, said = fails(arguments, capsys, tmp_path)
        assert (got, text in said) == (status, True), said

    check([url(server)], 4, "certificate not trusted")
    check([url(server).replace("localhost", "127.0.0.2"), *trust], 5, "no connection")
    check(["http://localhost"], 2, "unknown scheme")
    check(["imap://ann@localhost"], 2, "not a POP3 URL")
    check(["pop3://localhost"], 2, "whose mail")
    check(["pop3://ann@no-such-host.invalid"], 5, "no such host")
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    check([f"pop3://ann@127.0.0.1:{port}"], 5, "no connection")
    monkeypatch.setenv("MAILPROTO_PASSWORD", "wrong s3cret")
    check([url(server), *trust], 3, "log-in refused: -ERR [AUTH]")


def serve_lines(*lines: bytes) -> object:
    """A server that answers the first lines by these, and then is silent."""

    def talk(sock: socket.socket) -> None:
        sock.sendall(b"+OK ready\r\n")
        for line in lines:
            read_line(sock)
            sock.sendall(line)
        while sock.recv(4096):
            pass

    return raw_server(talk)


@pytest.mark.parametrize(
    ("lines", "security", "status", "text"),
    [
        ([b"-ERR\r\n", b"-ERR no TLS today\r\n"], "starttls", 4, "refuses TLS"),
        ([b"-ERR\r\n"], "optional", 3, "in the clear"),
        ([], "cleartext", 6, "time-out"),
        ([b"nonsense\r\n"], "cleartext", 7, "broke the protocol"),
        (
            [b"-ERR\r\n", b"+OK\r\n", b"-ERR [IN-USE] x\r\n"],
            "cleartext",
            8,
            "elsewhere",
        ),
        (
            [b"-ERR\r\n", b"+OK\r\n", b"+OK\r\n", b"-ERR x\r\n"],
            "cleartext",
            1,
            "refused",
        ),
    ],
)
def test_servers_that_are_in_no_mood(
    lines: list[bytes],
    security: str,
    status: int,
    text: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    running = serve_lines(*lines)
    with running as port:  # type: ignore[attr-defined]
        arguments = [f"pop3://ann@127.0.0.1:{port}", "--security", security]
        arguments += ["--timeout", "0.5"]
        got, said = fails(arguments, capsys, tmp_path)
    assert (got, text in said) == (status, True), said
    assert fetched(tmp_path) == []


def test_kpop_sends_no_password(tmp_path: Path) -> None:
    heard: list[bytes] = []

    def talk(sock: socket.socket) -> None:
        sock.sendall(b"+OK ready\r\n")
        for answer in (
            b"+OK\r\n",
            b"+OK\r\n",
            b"+OK\r\n.\r\n",
            b"+OK\r\n.\r\n",
            b"+OK\r\n",
        ):
            heard.append(read_line(sock))
            sock.sendall(answer)

    with raw_server(talk) as port:
        target = f"kpop://ann@127.0.0.1:{port}"
        assert main(["pop3", target, "--into", str(tmp_path)]) == 0
    assert heard[:2] == [b"USER ann\r\n", b"PASS krb_ticket\r\n"]


def test_a_file_that_cannot_be_written_is_no_network_trouble(
    server: MailServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mail").write_text("a file is in the way")
    status, said = fails(
        [url(server), "--cafile", str(server.ca_file)], capsys, tmp_path
    )
    assert status == 1
    assert "mail" in said


def test_an_interrupt_ends_it_plainly(tmp_path: Path) -> None:
    ready = []

    def talk(sock: socket.socket) -> None:
        sock.sendall(b"+OK ready\r\n")
        read_line(sock)
        ready.append(True)
        process.send_signal(signal.SIGINT)
        sock.recv(1)

    with raw_server(talk) as port:
        process = subprocess.Popen(
            [sys.executable, "-m", "mailproto", "pop3", f"pop3://ann@127.0.0.1:{port}",
             "--into", str(tmp_path)],
            stderr=subprocess.PIPE,
            text=True,
        )  # fmt: skip
        _, said = process.communicate(timeout=30)
    assert ready
    assert (process.returncode, said) == (130, "interrupted\n")


def test_usage() -> None:
    for arguments in ([], ["pop3"], ["nonsense"], ["pop3", "pop3://ann@localhost"]):
        with pytest.raises(SystemExit) as caught:
            main(arguments)
        assert caught.value.code == 2
