"""The command line, in this process where that will do, and as a program."""

from __future__ import annotations

import os
import pty
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mailproto.cli import main
from mailproto.cli.account import Account
from mailproto.embedded import MailServer
from mailproto.embedded.letters import LETTERS
from mailproto.services import parse_url
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


def trusting(server: MailServer, *arguments: str) -> list[str]:
    return [*arguments, "--cafile", str(server.ca_file)]


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
    for line in ("STARTTLS", "STLS", "A1 STARTTLS"):
        assert f"C: {line}\n" in done.stdout
    for line in ("AUTH SCRAM-SHA-512", "A3 AUTHENTICATE SCRAM-SHA-512"):
        assert f"C: {line} ****\n" in done.stdout
    assert "all of it arrived octet for octet" in done.stdout
    assert "correct horse" not in done.stdout
    assert done.stdout.count("identical") == 2 * len(LETTERS)
    assert len(done.stdout.splitlines()) < 300


def test_the_demo_in_this_process(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo"]) == 0
    assert "by IMAP, through TLSv1.3" in capsys.readouterr().out


def test_the_demo_fails_if_a_message_differs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from mailproto.cli import demo

    rest = list(LETTERS.values())[1:]
    for fetch in ("_demo_pop3", "_demo_imap"):
        for arrived in ([b"x", *rest], rest):
            both: object = (arrived, "TLS") if fetch == "_demo_pop3" else arrived
            with monkeypatch.context() as patched:
                patched.setattr(demo, fetch, lambda *_, both=both: both)
                assert main(["demo"]) == 1
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
    monkeypatch.setenv("MAILPROTO_PASSWORD", "")
    assert main(["pop3", url(server), *options]) == 2


@pytest.mark.parametrize(
    ("typed", "status"), [(f"{PASSWORD}\n", 0), ("\n", 2), ("\x04", 2)]
)
def test_a_password_is_asked_for_on_a_terminal_and_not_shown(
    server: MailServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    typed: str,
    status: int,
) -> None:
    monkeypatch.delenv("MAILPROTO_PASSWORD")
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "mailproto", "pop3", url(server), "--into",
         str(tmp_path), *trusting(server)],
        stdin=follower,
        stdout=subprocess.PIPE,
        stderr=follower,
        start_new_session=True,  # no other terminal to turn to
    )  # fmt: skip
    os.close(follower)
    shown = read_terminal(leader, b"localhost: ")
    os.write(leader, typed.encode())
    process.communicate(timeout=30)
    shown += read_terminal(leader)
    os.close(leader)
    assert process.returncode == status, shown
    assert b"s3cret" not in shown
    assert (b"[" in shown) == (status == 0)  # the progress bar


def read_terminal(leader: int, until: bytes | None = None) -> bytes:
    """What a program shows, up to *until* or to its end."""
    shown = b""
    while until is None or until not in shown:
        try:
            data = os.read(leader, 4096)
        except OSError:  # Linux, at the end
            break
        if not data:
            break
        shown += data
    return shown


@pytest.mark.parametrize(
    ("auth", "option", "said"),
    [
        (";AUTH=CRAM-MD5", None, "C: AUTH CRAM-MD5\n"),
        (";AUTH=*", None, "C: AUTH SCRAM-SHA-512 ****\n"),
        (";AUTH=+APOP", None, "C: APOP ann ****\n"),
        ("", "apop", "C: APOP ann ****\n"),
        ("", "user", "C: PASS ****\n"),
        (";AUTH=CRAM-MD5", "plain", "C: AUTH PLAIN ****\n"),
        ("", "scram-sha-256", "C: AUTH SCRAM-SHA-256 ****\n"),
    ],
)
def test_the_mechanism_that_one_says_and_no_other(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    auth: str,
    option: str | None,
    said: str,
) -> None:
    with MailServer(apop=True) as server:
        server.add_user("ann", PASSWORD)
        target = url(server).replace("ann@", f"ann{auth}@")
        arguments = ["pop3", target, "--into", str(tmp_path), "--verbose"]
        arguments += [] if option is None else ["--mechanism", option]
        assert main(trusting(server, *arguments)) == 0
    out = capsys.readouterr().out
    assert said in out
    logins = [line for line in out.split("\n") if line.startswith(("C: AU", "C: AP"))]
    assert len(logins) <= 1


@pytest.mark.parametrize("mechanism", ["OAUTHBEARER", "XOAUTH2"])
def test_a_token_takes_the_place_of_a_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mechanism: str
) -> None:
    monkeypatch.setenv("MAILPROTO_PASSWORD", "ya29.token")
    with MailServer() as server:
        server.add_user("ann", "ya29.token")
        arguments = [url(server), "--into", str(tmp_path), "--mechanism", mechanism]
        assert main(trusting(server, "pop3", *arguments)) == 0


def test_a_maildrop_is_the_same_with_tls_and_without() -> None:
    def maildrop(text: str) -> str:
        url = parse_url(text)
        return Account(url, "x", url.service.security, None).maildrop

    assert maildrop("pop3://ann@h") == maildrop("pop3s://ann;AUTH=PLAIN@h") == "ann@h"
    assert maildrop("pop3://ann@h:1110") == "ann@h:1110"


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
    check([url(server), "--cafile", str(tmp_path / "nothing")], 2, "nothing: [Errno 2]")
    (tmp_path / "junk").write_text("no certificate")
    junk = str(tmp_path / "junk")
    check([url(server), "--cafile", junk], 2, "no certificate in it")
    check([url(server), "--mechanism", "GSSAPI"], 2, "GSSAPI: no mechanism")
    check([url(server), *trust, "--mechanism", "APOP"], 3, "does not offer APOP")
    check(["http://localhost"], 2, "unknown scheme")
    check(["smtp://ann@localhost"], 2, "not the URL of POP3 or IMAP")
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
        ([b"-ERR\r\n", b"-ERR who?\r\n"], "cleartext", 3, "log-in refused"),
        (
            [b"-ERR\r\n", b"+OK\r\n", b"-ERR [SYS/TEMP] later\r\n"],
            "cleartext",
            1,
            "refused: -ERR [SYS/TEMP] later",
        ),
        (
            [b"+OK\r\nSASL SCRAM-SHA-256\r\n.\r\n", b"+ bm8=\r\n", b"-ERR\r\n"],
            "optional",
            7,
            "first message is malformed",
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
    # A shell starts what it puts in the background deaf to interrupts.
    code = (
        "import signal, sys; from mailproto.cli import main; "
        "signal.signal(signal.SIGINT, signal.default_int_handler); "
        "sys.exit(main(sys.argv[1:]))"
    )

    def talk(sock: socket.socket) -> None:
        sock.sendall(b"+OK ready\r\n")
        read_line(sock)
        ready.append(True)
        process.send_signal(signal.SIGINT)
        sock.recv(1)

    with raw_server(talk) as port:
        process = subprocess.Popen(
            [sys.executable, "-c", code, "pop3", f"pop3://ann@127.0.0.1:{port}",
             "--into", str(tmp_path)],
            stderr=subprocess.PIPE,
            text=True,
        )  # fmt: skip
        _, said = process.communicate(timeout=30)
    assert ready
    assert (process.returncode, said) == (130, "interrupted\n")


def test_a_disk_that_is_full_is_no_network_trouble_and_nothing_is_lost(
    server: MailServer, tmp_path: Path
) -> None:
    arguments = trusting(server, "pop3", url(server), "--into", str(tmp_path))
    code = (
        "import resource, sys; from mailproto.cli import main; "
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000)); "
        "sys.exit(main(sys.argv[1:]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments, "--delete"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (1, "mailproto: File too large\n")
    assert len(fetched(tmp_path)) == len(LETTERS) - 1  # all but the largest
    assert len(server.messages) == len(LETTERS)
    for _ in range(100):  # until the server has seen that the first one is gone
        if main(arguments) == 0:
            break
    assert fetched(tmp_path) == EVERYTHING


def test_output_that_nobody_reads_is_no_network_trouble() -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "mailproto", "demo"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    said = process.stderr.read()
    process.stderr.close()
    assert (process.wait(30), said) == (1, "")


def test_what_a_terminal_cannot_show_is_escaped(
    server: MailServer, tmp_path: Path
) -> None:
    directory = tmp_path / "grüße"
    done = subprocess.run(
        [sys.executable, "-m", "mailproto", "pop3", url(server), "--into",
         str(directory), *trusting(server)],
        capture_output=True,
        timeout=60,
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
        check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, b"")
    assert rb"gr\xfc\xdfe" in done.stdout
    assert fetched(directory) == EVERYTHING


def test_usage(capsys: pytest.CaptureFixture[str]) -> None:
    fine = ["pop3", "pop3://ann@localhost", "--into", "x"]
    for arguments in (
        [],
        ["pop3"],
        ["nonsense"],
        fine[:2],
        *([*fine, "--timeout", text] for text in ("0", "-1", "nan", "inf", "soon")),
    ):
        with pytest.raises(SystemExit) as caught:
            main(arguments)
        assert caught.value.code == 2
    assert "not a number of seconds: 'soon'" in capsys.readouterr().err


def test_help_tells_the_exit_statuses(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["fetch", "--help"])
    assert caught.value.code == 0
    out = capsys.readouterr().out
    assert all(f"  {status}  " in out for status in range(9))
