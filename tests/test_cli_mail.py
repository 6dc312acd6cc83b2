"""``mailproto send`` and ``mailproto fetch`` by IMAP, in this process."""

from __future__ import annotations

import io
import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mailproto.cli import main
from mailproto.embedded import MailServer
from mailproto.embedded.letters import LETTERS
from tests.scripted import Scripted
from tests.test_cli import read_terminal

PASSWORD = "a s3cret, with a space"
MESSAGE = b"From: bob@example.org\nTo: ann@example.net\nSubject: hi\n\n.dots\nand all\n"
STORED = MESSAGE.replace(b"\n", b"\r\n")


@pytest.fixture
def server() -> Iterator[MailServer]:
    with MailServer(strangers=False) as running:
        running.add_user("ann", PASSWORD)
        running.add_user("carl", PASSWORD)
        yield running


@pytest.fixture(autouse=True)
def password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAILPROTO_PASSWORD", PASSWORD)


def url(server: MailServer, service: str, name: str = "ann@") -> str:
    return f"{service}://{name}localhost:{server.ports[service]}"


def run(
    command: str,
    server: MailServer,
    capsys: pytest.CaptureFixture[str],
    *arguments: str,
) -> tuple[int, str, str]:
    """The exit status of *command*, and what it says: never the password."""
    status = main([command, *arguments, "--cafile", str(server.ca_file)])
    captured = capsys.readouterr()
    assert "s3cret" not in captured.out + captured.err
    return status, captured.out, captured.err


# -- send ----------------------------------------------------------------------------


def send(
    server: MailServer, capsys: pytest.CaptureFixture[str], *arguments: str
) -> tuple[int, str, str]:
    return run("send", server, capsys, *arguments)


@pytest.fixture
def file(tmp_path: Path) -> str:
    (tmp_path / "message.eml").write_bytes(MESSAGE)
    return str(tmp_path / "message.eml")


@pytest.mark.parametrize(
    ("service", "name"),
    [("submission", "ann@"), ("submissions", "ann@"), ("smtp", ""), ("lmtp", "")],
)
def test_a_message_is_sent_to_those_in_its_header(
    server: MailServer,
    capsys: pytest.CaptureFixture[str],
    file: str,
    service: str,
    name: str,
) -> None:
    target = url(server, service, name)
    status, out, err = send(server, capsys, target, file, "--verbose")
    assert (status, err) == (0, "")
    assert "\nann@example.net: accepted: 250 " in out
    said = [line for line in out.splitlines() if line.startswith("C: ")]
    assert ("C: STARTTLS" in said) == (service != "submissions")
    assert any("AUTH" in line for line in said) == bool(name)
    (stored,) = server.messages
    assert stored.data.endswith(STORED)
    assert (stored.sender, [*stored.recipients]) == (
        "bob@example.org",
        ["ann@example.net"],
    )


def test_of_each_recipient_is_told_what_became_of_it(
    server: MailServer, capsys: pytest.CaptureFixture[str], file: str
) -> None:
    to = [url(server, "lmtp", ""), file, "--from", "", "--to"]
    status, out, _ = send(
        server, capsys, *to, "carl@x.example", "--to", "who@x.example"
    )
    assert status == 9
    assert "carl@x.example: accepted: 250 " in out
    assert "who@x.example: REFUSED: 550 " in out
    (stored,) = server.messages
    assert (stored.sender, [*stored.recipients]) == ("", ["carl@x.example"])
    status, out, _ = send(server, capsys, *to, "who@x.example")
    assert status == 10
    assert out.startswith("who@x.example: REFUSED: 550 ")


def test_a_message_may_come_from_a_pipe(
    server: MailServer,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(MESSAGE)))
    assert send(server, capsys, url(server, "submission"), "-")[0] == 0
    assert server.messages[0].data.endswith(STORED)


def test_what_goes_wrong_with_sending(
    server: MailServer,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    file: str,
) -> None:
    submission = url(server, "submission")

    def fails(status: int, text: str, *arguments: str) -> None:
        got, out, err = send(server, capsys, *arguments)
        assert (got, out, text in err) == (status, "", True), err

    fails(2, "not the URL of SMTP or LMTP", url(server, "imap"), file)
    fails(1, "nothing: No such file", submission, str(tmp_path / "nothing"))
    fails(2, "", submission, file, "--to", "no address")
    (tmp_path / "empty").write_bytes(b"Subject: to nobody\n\n")
    fails(2, "", submission, str(tmp_path / "empty"), "--from", "ann@example.org")
    monkeypatch.setenv("MAILPROTO_PASSWORD", "wrong")
    fails(3, "log-in refused: 535 ", submission, file)
    fails(3, "(wrong password, or no such user)", submission, file)
    assert server.messages == []


def test_what_a_server_cannot_take_is_no_refused_log_in(
    server: MailServer, capsys: pytest.CaptureFixture[str], file: str
) -> None:
    answers = {b"EHLO": b"250-x\r\n250 SIZE 10\r\n", b"QUIT": b"221 x\r\n"}
    with Scripted(b"220 x\r\n", answers) as scripted:
        target = f"smtp://localhost:{scripted.port}"
        status, _, err = send(server, capsys, target, file)
    assert status == 1
    assert "mailproto: " in err


def test_recipients_that_were_not_tried_are_told(
    server: MailServer, capsys: pytest.CaptureFixture[str], file: str
) -> None:
    answers = {
        b"EHLO": b"250-x\r\n250 LIMITS RCPTMAX=1 MAILMAX=1\r\n",
        b"FROM:<BOB@EXAMPLE.ORG>": b"250 x\r\n",
        b"RCPT": b"250 x\r\n",
        b"DATA": b"354 x\r\n",
        b".": b"250 taken\r\n",
        b"QUIT": b"221 x\r\n",
    }
    with Scripted(b"220 x\r\n", answers) as scripted:
        to = ["--to", "a@x.example", "--to", "b@x.example"]
        target = f"smtp://localhost:{scripted.port}"
        status, out, err = send(server, capsys, target, file, *to)
    assert (status, err) == (9, "")
    assert "a@x.example: accepted: 250 taken\n" in out
    assert "b@x.example: NOT TRIED" in out


# -- fetch by IMAP -------------------------------------------------------------------


def fetch(
    server: MailServer, capsys: pytest.CaptureFixture[str], *arguments: str
) -> tuple[int, str, str]:
    return run("fetch", server, capsys, *arguments)


def stored(directory: Path) -> dict[str, list[bytes]]:
    """The messages by their directory."""
    found: dict[str, list[bytes]] = {}
    for path in sorted(directory.rglob("*")):
        if path.is_file() and path.name != ".mailproto-marks":
            room = str(path.parent.relative_to(directory))
            found.setdefault(room, []).append(path.read_bytes())
    return {room: sorted(messages) for room, messages in found.items()}


@pytest.fixture
def full(server: MailServer) -> MailServer:
    for message in LETTERS.values():
        server.deliver(message, to="ann")
    server.deliver(b"Subject: work\r\n\r\nx\r\n", to="ann", folder="Work/2026")
    return server


@pytest.mark.parametrize("service", ["imap", "imaps"])
@pytest.mark.parametrize(
    ("option", "inbox", "work"),
    [("--maildir", "new", ".Work.2026/new"), ("--into", "INBOX", "Work.2026")],
)
def test_what_is_new_is_fetched_from_all_mailboxes(
    full: MailServer,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    service: str,
    option: str,
    inbox: str,
    work: str,
) -> None:
    command = [url(full, service), option, str(tmp_path)]
    status, out, err = fetch(full, capsys, *command)
    assert (status, err) == (0, "")  # no progress bar in a pipe
    assert f"{len(LETTERS) + 1} fetched into" in out
    assert stored(tmp_path) == {
        inbox: sorted(LETTERS.values()),
        work: [b"Subject: work\r\n\r\nx\r\n"],
    }
    assert "\n0 fetched into" in "\n" + fetch(full, capsys, *command)[1]
    full.deliver(b"Subject: new\r\n\r\ny\r\n", to="ann", folder="Work/2026")
    assert fetch(full, capsys, *command, "--verbose")[1].endswith(
        f"1 fetched into {tmp_path}\n"
    )
    assert stored(tmp_path)[work][0] == b"Subject: new\r\n\r\ny\r\n"
    assert not any("\\Seen" in filed.flags for filed in full.mailbox("ann"))


def test_flags_go_along_into_a_maildir(
    server: MailServer, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    server.deliver(b"new\r\n", to="ann")
    server.deliver(b"seen\r\n", to="ann", flags=["\\Seen", "\\Answered", "Odd"])
    server.deliver(b"flagged\r\n", to="ann", flags=["\\Flagged"])
    command = [url(server, "imaps"), "--maildir", str(tmp_path)]
    assert fetch(server, capsys, *command)[0] == 0
    found = {
        path.read_bytes(): (path.parent.name, path.name.partition(":")[2])
        for path in tmp_path.glob("*/*")
    }
    assert found == {
        b"new\r\n": ("new", ""),
        b"seen\r\n": ("cur", "2,RS"),
        b"flagged\r\n": ("cur", "2,F"),
    }


def test_a_mailbox_that_one_says_and_all_of_it_again(
    full: MailServer, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    command = [url(full, "imaps"), "--into", str(tmp_path)]
    assert fetch(full, capsys, *command, "--folder", "Work*")[1].startswith("1 fetched")
    assert list(stored(tmp_path)) == ["Work.2026"]
    in_url = [f"{command[0]}/Work/2026", *command[1:]]
    assert fetch(full, capsys, *in_url)[1].startswith("0 fetched")
    assert fetch(full, capsys, *in_url, "--all")[1].startswith("1 fetched")
    assert len(stored(tmp_path)["Work.2026"]) == 1  # the same file
    twice = ["--folder", "Work/2026", "--folder", "INBOX", "--folder", "*"]
    assert fetch(full, capsys, *command, *twice)[1].startswith(
        f"{len(LETTERS)} fetched"
    )


def test_a_mailbox_that_begins_anew_is_new(
    full: MailServer, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    command = [url(full, "imaps"), "--into", str(tmp_path), "--folder", "Work/2026"]
    assert fetch(full, capsys, *command)[1].startswith("1 fetched")
    marks = tmp_path / ".mailproto-marks"
    account, validity, uid, mailbox = marks.read_text().split(" ")
    marks.write_text(f"{account} {int(validity) - 1} {int(uid) + 9} {mailbox}")
    assert fetch(full, capsys, *command)[1].startswith("1 fetched")


def test_what_goes_wrong_with_fetching(
    full: MailServer,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    imaps, into = url(full, "imaps"), ["--into", str(tmp_path)]

    def fails(status: int, text: str, *arguments: str) -> None:
        got, out, err = fetch(full, capsys, *arguments, *into)
        assert (got, out, text in err) == (status, "", True), err

    fails(2, "--delete and --apop are of POP3", imaps, "--delete")
    fails(2, "--folder is of IMAP", url(full, "pop3s"), "--folder", "x")
    fails(2, "mailboxes are fetched, not messages", f"{imaps}/INBOX/;UID=1")
    fails(2, "APOP is of POP3", imaps, "--mechanism", "APOP")
    fails(1, "no such mailbox: Nothing", imaps, "--folder", "Nothing")
    fails(2, "whose mail", url(full, "imaps", ""))
    monkeypatch.setenv("MAILPROTO_PASSWORD", "wrong")
    fails(3, "log-in refused: NO [AUTHENTICATIONFAILED]", imaps)
    assert stored(tmp_path) == {}


def test_a_mailbox_that_cannot_be_read_is_told(
    full: MailServer, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    answers = {
        b"CAPABILITY": b"* CAPABILITY IMAP4rev1\r\nTAG OK\r\n",
        b"LOGIN": b"TAG OK\r\n",
        b'""': b'* LIST () "/" "a\x1bb"\r\nTAG OK\r\n',
        b"EXAMINE": b"TAG NO [NOPERM] not yours\r\n",
        b"LOGOUT": b"* BYE x\r\nTAG OK\r\n",
    }
    with Scripted(b"* OK x\r\n", answers) as scripted:
        target = f"imap://ann@localhost:{scripted.port}"
        arguments = [target, "--into", str(tmp_path), "--security", "cleartext"]
        status, out, err = fetch(full, capsys, *arguments)
    assert (status, out) == (9, f"0 fetched into {tmp_path}\n")
    assert err == "skipped 'a\\udc1bb': NO [NOPERM] not yours\n"


def on_a_terminal(*arguments: str) -> tuple[int, str, bytes]:
    """The exit status, the output, and what is shown besides."""
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "mailproto", *arguments],
        stdout=subprocess.PIPE,
        stderr=follower,
        text=True,
    )
    os.close(follower)
    shown = read_terminal(leader)
    out, _ = process.communicate(timeout=30)
    os.close(leader)
    return process.returncode, out, shown


def test_progress_is_shown_on_a_terminal(
    full: MailServer, tmp_path: Path, file: str
) -> None:
    trust = ["--cafile", str(full.ca_file)]
    into = tmp_path / "mail"
    command = ["fetch", url(full, "imaps"), "--maildir", str(into), *trust]
    status, out, shown = on_a_terminal(*command)
    assert (status, b"] " in shown) == (0, True)
    assert out.endswith(f"fetched into {into}\n")
    status, _, shown = on_a_terminal("send", url(full, "submission"), file, *trust)
    assert (status, f"sending {len(MESSAGE)} octets".encode() in shown) == (0, True), (
        shown
    )
    ports = ["--ports", f"imaps={full.ports['imaps']}"]
    command = ["check", "localhost", "--user", "ann", *ports, *trust]
    status, _, shown = on_a_terminal(*command)
    assert b"services that are looked at: 1" in shown
    assert b"logging in at imaps" in shown
    assert (status, shown.endswith(b"\r\x1b[K")) == (9, True)
