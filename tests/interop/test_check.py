"""``mailproto check``, ``send`` and ``fetch`` against Debian's Dovecot and Postfix."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from mailproto.cli import main
from tests.interop.daemon import HOST, below_trace
from tests.interop.dovecot import Dovecot
from tests.interop.postfix import DOMAIN, Postfix
from tests.messages import MESSAGES

pytestmark = pytest.mark.interop

READS = ["pop3", "pop3s", "imap", "imaps"]
SENDS = ["smtp", "submission", "submissions"]
GOOD = ("localhost", HOST)


class Site:
    """Both servers, as one host with all its ports."""

    def __init__(self, dovecot: Dovecot, postfix: Postfix, directory: Path) -> None:
        self.dovecot = dovecot
        self.postfix = postfix
        ca = dovecot.ca_file.read_text() + postfix.ca_file.read_text()
        self.ca_file = directory / "ca.pem"
        self.ca_file.write_text(ca)

    @property
    def ports(self) -> str:
        named = [
            f"{name}={getattr(server, f'{name}_port')}"
            for server in (self.dovecot, self.postfix)
            for name in server.services
            if name != "auth"
        ]
        return ",".join(named)


@contextmanager
def site(
    directory: Path,
    *,
    plaintext: bool = False,
    names: tuple[str, ...] = GOOD,
    ends: datetime | None = None,
) -> Iterator[Site]:
    dovecot = Dovecot(plaintext=plaintext)
    postfix = Postfix(logins=dovecot, plaintext=plaintext)
    for server in (dovecot, postfix):
        server.names, server.ends = names, ends
    with dovecot, postfix:
        yield Site(dovecot, postfix, directory)


@pytest.fixture(autouse=True)
def password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAILPROTO_PASSWORD", Dovecot().password)


def check(
    site: Site, capsys: pytest.CaptureFixture[str], *arguments: str, trust: bool = True
) -> tuple[int, dict[str, Any]]:
    """The exit status, and what was found by service."""
    command = ["check", HOST, "--ports", site.ports, *arguments]
    command += ["--cafile", str(site.ca_file)] if trust else []
    status = main([*command, "--json"])
    report = json.loads(capsys.readouterr().out)
    rows = {row["service"]: row for row in report["services"]}
    assert all(row["reachable"] for row in rows.values()), rows
    return status, report | {"services": rows}


def test_all_is_well(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with site(tmp_path) as whole:
        status, report = check(whole, capsys, "--user", "alice")
    assert (status, report["read"], report["send"]) == (0, READS, SENDS), report
    for name, row in report["services"].items():
        assert row["error"] is None, row
        assert row["cleartext"] is False
        assert row["tls"]["version"] == "TLSv1.3"
        assert row["certificate"]["valid"]
        assert row["certificate"]["host_fits"]
        assert "Dovecot" in row["greeting"] or "Postfix" in row["greeting"]
        mechanism = row["login"] and row["login"]["mechanism"]
        assert mechanism == (None if name == "lmtp" else "SCRAM-SHA-256")


@pytest.mark.parametrize(
    ("names", "ends", "trust", "faults"),
    [
        (GOOD, -3, True, ["expired"]),
        (("mail.example.org",), 3, True, ["wrong-name"]),
        (("mail.example.org",), -3, True, ["expired", "wrong-name"]),
        (GOOD, 3, False, ["not-trusted"]),
    ],
)
def test_a_certificate_that_is_not_good(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    names: tuple[str, ...],
    ends: int,
    trust: bool,
    faults: list[str],
) -> None:
    until = datetime.now(UTC) + timedelta(days=ends)
    with site(tmp_path, names=names, ends=until) as whole:
        status, report = check(whole, capsys, "--user", "alice", trust=trust)
        log = whole.dovecot.log()
    assert (status, report["read"], report["send"]) == (4, [], [])
    for name, row in report["services"].items():
        found = row["certificate"]
        assert [each["fault"] for each in found["problems"]] == faults
        assert found["names"] == [*names]
        assert found["days_left"] == (2 if ends > 0 else -4)
        assert row["tls"]["version"] == "TLSv1.3"
        assert row["capabilities"]
        if name != "lmtp":
            assert row["mechanisms"]
            assert row["login"]["reason"] == "certificate-not-trusted"
    assert "alice" not in log  # it has never heard of her


def test_passwords_in_the_clear(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with site(tmp_path, plaintext=True) as whole:
        _, report = check(whole, capsys)
    clear = [name for name, row in report["services"].items() if row["cleartext"]]
    assert clear == ["pop3", "imap", "smtp"]


def test_a_wrong_password(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MAILPROTO_PASSWORD", "wrong")
    with site(tmp_path) as whole:
        for mechanism in ("SCRAM-SHA-256", "PLAIN"):
            status, report = check(
                whole, capsys, "--user", "alice", "--mechanism", mechanism
            )
            rows = report["services"]
            reasons = [
                rows[name]["login"]["reason"] for name in ("pop3", "imap", "smtp")
            ]
            assert (status, reasons) == (3, ["wrong-password"] * 3), report


def test_mail_is_sent_and_fetched(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with site(tmp_path) as whole:
        trust = ["--cafile", str(whole.ca_file)]
        message = tmp_path / "message.eml"
        message.write_bytes(MESSAGES["plain"].replace(b"\r\n", b"\n"))
        port = whole.postfix.submissions_port
        target = f"submissions://alice@{HOST}:{port}"
        to = ["--from", f"alice@{DOMAIN}", "--to", f"bob@{DOMAIN}", "--to"]
        command = ["send", target, str(message), *trust, *to]
        assert main([*command, f"nobody@{DOMAIN}"]) == 9
        said = capsys.readouterr().out
        assert f"bob@{DOMAIN}: accepted: 250 2.0.0 Ok: " in said
        assert f"nobody@{DOMAIN}: REFUSED: 550 5.1.1 " in said
        (stored,) = whole.postfix.wait_for_mail(1, "bob")
        assert below_trace(stored) == MESSAGES["plain"]
        for each in MESSAGES.values():
            whole.dovecot.deliver(each)
        for service in ("imaps", "imap", "pop3s", "pop3"):
            into = tmp_path / service
            port = getattr(whole.dovecot, f"{service}_port")
            target = f"{service}://alice@{HOST}:{port}"
            command = ["fetch", target, "--maildir", str(into), *trust]
            for count in (len(MESSAGES), 0):
                assert main(command) == 0
                assert capsys.readouterr().out == f"{count} fetched into {into}\n"
            got = [path.read_bytes() for path in (into / "new").iterdir()]
            assert sorted(got) == sorted(MESSAGES.values())
