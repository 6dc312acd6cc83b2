"""``mailproto check``: against our own server, and against servers that are none."""

from __future__ import annotations

import json
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from mailproto import CommandFailed, pop3
from mailproto.cli import main
from mailproto.cli.check import _reason, find_target
from mailproto.cli.looking import Look, Place
from mailproto.cli.reasons import Reason
from mailproto.cli.report import Checked, LogIn, Report, as_json, as_table
from mailproto.embedded import MailServer
from mailproto.embedded.certificate import make_certificate
from mailproto.providers import by_domain
from mailproto.services import SERVICES
from tests.adapters import authority, server_tls
from tests.scripted import HANG, Scripted

PASSWORD = "a s3cret, with a space"
READS = ["pop3", "pop3s", "imap", "imaps"]
SENDS = ["smtp", "submission", "submissions"]


@pytest.fixture(autouse=True)
def password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAILPROTO_PASSWORD", PASSWORD)
    monkeypatch.setenv("COLUMNS", "88")


@contextmanager
def serving(**options: Any) -> Iterator[MailServer]:
    with MailServer(**options) as server:
        server.add_user("ann", PASSWORD)
        yield server


def ports(server: MailServer) -> str:
    return ",".join(f"{name}={port}" for name, port in server.ports.items())


def check(*arguments: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, Any]:
    """The exit status, and the report."""
    status = main(["check", *arguments, "--json"])
    captured = capsys.readouterr()
    assert "s3cret" not in captured.out + captured.err
    report = json.loads(captured.out)
    assert report["status"] == status
    return status, report


def table(*arguments: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    status = main(["check", *arguments])
    captured = capsys.readouterr()
    assert "s3cret" not in captured.out + captured.err
    return status, captured.out


# -- our own server ------------------------------------------------------------------


def test_a_server_where_all_is_well(capsys: pytest.CaptureFixture[str]) -> None:
    with serving() as server:
        arguments = ["localhost", "--ports", ports(server)]
        arguments += ["--cafile", str(server.ca_file)]
        status, report = check(*arguments, capsys=capsys)
        assert (status, report["read"], report["send"]) == (0, READS, SENDS)
        for row in report["services"]:
            assert row["reachable"], row
            assert row["error"] is None
            assert row["tls"]["version"] == "TLSv1.3"
            assert row["certificate"]["valid"], row
            assert row["certificate"]["host_fits"]
            assert 28 <= row["certificate"]["days_left"] <= 30
            assert not row["cleartext"]
            assert row["login"] is None
            assert "ready" in row["greeting"]
            assert row["capabilities"]
        status, shown = table(*arguments, capsys=capsys)
    assert status == 0
    assert f"pop3         {server.ports['pop3']}" in shown
    assert "TLSv1.3 by STLS" in shown
    assert "good, 29 days" in shown
    assert "mail can be read: pop3, pop3s, imap, imaps\n" in shown
    assert "mail can be sent: smtp, submission, submissions\n" in shown
    assert max(map(len, shown.splitlines())) <= 88


def test_the_keys_of_the_report_stay(capsys: pytest.CaptureFixture[str]) -> None:
    with serving() as server:
        arguments = ["localhost", "--ports", f"imaps={server.ports['imaps']}"]
        arguments += ["--cafile", str(server.ca_file), "--user", "ann"]
        status, report = check(*arguments, capsys=capsys)
    assert status == 9  # it can be read, and nobody was asked to send
    assert list(report) == [
        "target", "provider", "wants", "user", "services", "read", "send", "advice",
        "status",
    ]  # fmt: skip
    (row,) = report["services"]
    assert list(row) == [
        "service", "protocol", "host", "port", "retired", "reachable", "error", "tls",
        "certificate", "greeting", "capabilities", "mechanisms", "cleartext", "login",
    ]  # fmt: skip
    assert list(row["tls"]) == ["version", "cipher", "how"]
    assert list(row["certificate"]) == [
        "valid", "problems", "subject", "issuer", "names", "not_before", "not_after",
        "days_left", "host_fits",
    ]  # fmt: skip
    assert list(row["login"]) == ["ok", "mechanism", "reason", "text", "said"]


def test_a_log_in_at_each_service(capsys: pytest.CaptureFixture[str]) -> None:
    with serving() as server:
        arguments = ["localhost", "--ports", ports(server), "--user", "ann"]
        arguments += ["--cafile", str(server.ca_file)]
        status, report = check(*arguments, capsys=capsys)
        assert (status, report["read"], report["send"]) == (0, READS, SENDS)
        outcomes = {row["service"]: row["login"] for row in report["services"]}
        assert outcomes.pop("lmtp") is None
        assert {each["mechanism"] for each in outcomes.values()} == {"SCRAM-SHA-512"}
        status, shown = table(*arguments, "--mechanism", "plain", capsys=capsys)
        assert status == 0
        assert shown.count("granted, by PLAIN") == len(outcomes)
        assert main(["check", *arguments, "--mechanism", "GSSAPI"]) == 2


def test_apop_and_the_commands_without_sasl(capsys: pytest.CaptureFixture[str]) -> None:
    with serving(apop=True) as server:
        some = {name: server.ports[name] for name in ("pop3", "imap", "submission")}
        arguments = ["localhost", "--user", "ann", "--cafile", str(server.ca_file)]
        arguments += ["--ports", ",".join(f"{n}={p}" for n, p in some.items())]
        _, report = check(*arguments, "--mechanism", "apop", capsys=capsys)
        assert [row["login"]["mechanism"] for row in report["services"]] == [
            "APOP", "SCRAM-SHA-512", "SCRAM-SHA-512",
        ]  # fmt: skip
        status, report = check(*arguments, "--mechanism", "user", capsys=capsys)
    assert status == 9
    by = [
        (row["login"]["mechanism"], row["login"]["reason"])
        for row in report["services"]
    ]
    assert by == [("USER", None), ("LOGIN", None), (None, "no-mechanism")]


def test_a_wrong_password_is_tried_once_for_each_protocol(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAILPROTO_PASSWORD", "not the s3cret")
    with serving() as server:
        arguments = ["localhost", "--ports", ports(server), "--user", "ann"]
        arguments += ["--cafile", str(server.ca_file)]
        status, report = check(*arguments, capsys=capsys)
        _, shown = table(*arguments, capsys=capsys)
    assert (status, report["read"], report["send"]) == (3, [], [])
    reasons = [row["login"]["reason"] for row in report["services"] if row["login"]]
    refused, untried = "wrong-password", "not-tried"
    assert reasons == [refused, untried, refused, untried, refused, untried, untried]
    assert "NO: wrong password, or no such user (" in shown
    assert "mail cannot be read\n" in shown


def test_passwords_in_the_clear_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    with serving(cleartext=True) as server:
        arguments = ["localhost", "--ports", ports(server)]
        _, report = check(*arguments, capsys=capsys)
    clear = {row["service"]: row["cleartext"] for row in report["services"]}
    expected = {"pop3", "imap", "smtp", "submission"}
    assert {name for name, yes in clear.items() if yes} == expected


# -- certificates --------------------------------------------------------------------


@contextmanager
def certified(
    directory: Path, names: list[str], **validity: float
) -> Iterator[tuple[MailServer, str]]:
    """A server with such a certificate, and the file that one may trust."""
    certificate, key = make_certificate(names, **validity)
    file, key_file = directory / "certificate.pem", directory / "key.pem"
    file.write_text(certificate)
    key_file.write_text(key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file, key_file)
    with serving(tls=context) as server:
        yield server, str(file)


@pytest.mark.parametrize(
    ("names", "validity", "trusted", "faults", "told"),
    [
        (["localhost"], {"starts": -9, "ends": -5}, True, ["expired"], "expired on 2"),
        (["localhost"], {"starts": 5}, True, ["not-yet-valid"], "not valid before 2"),
        (
            ["a.example", "b.example", "c.example", "d.example"],
            {},
            True,
            ["wrong-name"],
            "for a.example, b.example, c.example, ..., not for localhost",
        ),
        (["localhost"], {}, False, ["not-trusted"], "self-signed, and not known here"),
        (
            ["mail.example.org"],
            {"starts": -9, "ends": -5},
            False,
            ["not-trusted", "expired", "wrong-name"],
            "for mail.example.org, not for localhost",
        ),
        (
            ["mail.example.org"],
            {"starts": -9, "ends": -5},
            True,
            ["expired", "wrong-name"],
            "; for mail.example.org, not for localhost",
        ),
    ],
)
def test_what_is_wrong_with_a_certificate_is_told_and_the_rest_is_seen(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    names: list[str],
    validity: dict[str, float],
    trusted: bool,
    faults: list[str],
    told: str,
) -> None:
    with certified(tmp_path, names, **validity) as (server, file):
        arguments = ["localhost", "--user", "ann", "--ports", ports(server)]
        arguments += ["--cafile", file] if trusted else []
        status, report = check(*arguments, capsys=capsys)
        _, shown = table(*arguments, capsys=capsys)
    assert (status, report["read"], report["send"]) == (4, [], [])
    for row in report["services"]:
        found = row["certificate"]
        assert [each["fault"] for each in found["problems"]] == faults, row
        assert not found["valid"]
        assert found["names"] == names
        assert row["tls"]["version"] == "TLSv1.3"
        assert row["greeting"]
        assert row["capabilities"]
        if row["service"] != "lmtp":
            assert row["login"]["reason"] == "certificate-not-trusted"
    assert told in " ".join(shown.split())
    assert ", ".join(faults) in shown


# -- servers that are in no mood -----------------------------------------------------


CAPA = b"+OK\r\nSTLS\r\nUSER\r\n.\r\n"
IMAP = {
    b"CAPABILITY": b"* CAPABILITY IMAP4rev1 STARTTLS\r\nTAG OK\r\n",
    b"LOGOUT": b"* BYE\r\nTAG OK\r\n",
}


@pytest.mark.parametrize(
    ("service", "greeting", "answers", "error"),
    [
        ("pop3", b"", {}, "no answer within 0.5 seconds"),
        ("pop3s", b"", {}, "no answer within 0.5 seconds"),
        ("pop3", b"HTTP/1.1 400 Bad Request\r\n", {}, "breaks the protocol"),
        ("smtp", b"220 x\r\n", {}, "no answer within 0.5 seconds"),
        ("smtp", b"421 too many connections\r\n", {}, "refuses: 421 too many"),
        ("imap", b"* BYE overloaded\r\n", {}, "refuses: BYE overloaded"),
        ("pop3", b"-ERR [SYS/TEMP] later\r\n", {}, "refuses: -ERR [SYS/TEMP] later"),
        ("imap", b"* OK\r\n* OK 1\r\n", {b"CAPABILITY": b"TAG NO\r\n"}, "refuses: NO"),
        ("imaps", b"* OK in the clear\r\n", {}, "where the TLS handshake is due"),
        (
            "pop3",
            b"+OK\r\n",
            {b"CAPA": CAPA, b"STLS": b"-ERR not today\r\n", b"QUIT": b"+OK\r\n"},
            "TLS is refused: -ERR not today",
        ),
        (
            "smtp",
            b"220 x\r\n",
            {
                b"EHLO": b"250-x\r\n250-STARTTLS\r\n250 AUTH PLAIN\r\n",
                # What an attacker plants would be taken for the answer to EHLO.
                b"STARTTLS": b"220 go\r\n250-x\r\n250 AUTH PLAIN\r\n",
            },
            "where the TLS handshake is due",
        ),
    ],
)
def test_servers_that_are_in_no_mood(
    capsys: pytest.CaptureFixture[str],
    service: str,
    greeting: bytes,
    answers: dict[bytes, bytes],
    error: str,
) -> None:
    with Scripted(greeting, answers) as server:
        arguments = ["127.0.0.1", "--ports", f"{service}={server.port}"]
        arguments += ["--user", "ann"]
        arguments += ["--timeout", "0.5"] if "within" in error else []
        status, report = check(*arguments, capsys=capsys)
        _, shown = table(*arguments, capsys=capsys)
    (row,) = report["services"]
    assert row["reachable"]
    assert error in row["error"], row["error"]
    assert row["tls"] is None
    assert status in (1, 4)
    assert f"trouble     {row['error']}"[:60] in shown
    assert not any(b"s3cret" in line or b"AUTH" in line for line in server.heard)


def test_nobody_there(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    for host, error in (
        ("127.0.0.1", "connection refused"),
        ("localhost", "connection refused"),
        ("no-such-host.invalid", "no such host"),
        ("no..host", "not the name of a host"),
    ):
        status, report = check(host, "--ports", f"imaps={port}", capsys=capsys)
        (row,) = report["services"]
        assert (status, row["reachable"], row["error"]) == (5, False, error)
        _, shown = table(host, "--ports", f"imaps={port}", capsys=capsys)
        assert f"not reachable: {error}" in shown


@pytest.mark.parametrize(
    ("service", "greeting", "answers"),
    [
        ("pop3", b"+OK <1@x>\r\n", {b"CAPA": b"-ERR\r\n", b"QUIT": b"+OK\r\n"}),
        ("imap", b"* OK [CAPABILITY IMAP4rev1] x\r\n", IMAP),
        ("submission", b"220 x\r\n", {b"EHLO": b"250-x\r\n250 AUTH LOGIN\r\n"}),
    ],
)
def test_no_password_goes_where_there_is_no_tls(
    capsys: pytest.CaptureFixture[str],
    service: str,
    greeting: bytes,
    answers: dict[bytes, bytes],
) -> None:
    with Scripted(greeting, answers) as server:
        arguments = ["127.0.0.1", "--ports", f"{service}={server.port}"]
        status, report = check(*arguments, "--user", "ann", capsys=capsys)
    (row,) = report["services"]
    assert (status, row["cleartext"], row["login"]["reason"]) == (4, True, "no-tls")
    assert not any(b"ann" in line for line in server.heard)


def test_what_a_server_says_does_not_steer_a_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with Scripted(b"+OK \x1b[31mred\r\n", {b"CAPA": b"-ERR\r\n"}) as server:
        arguments = ["127.0.0.1", "--ports", f"pop3={server.port}"]
        _, shown = table(*arguments, capsys=capsys)
    assert "\x1b" not in shown
    assert "\\x1b[31mred" in shown


def test_a_log_in_that_is_refused_by_a_code_and_by_words(
    capsys: pytest.CaptureFixture[str],
) -> None:
    answers = {
        b"EHLO": b"250-x\r\n250-STARTTLS\r\n250 AUTH PLAIN\r\n",
        b"STARTTLS": b"220 BEGIN\r\n",
        b"AUTH": b"535 5.7.139 Authentication unsuccessful, basic authentication is "
        b"disabled.\r\n",
        b"QUIT": b"221 x\r\n",
    }
    with Scripted(b"220 x\r\n", answers, server_tls()) as server, cafile() as file:
        arguments = ["localhost", "--ports", f"submission={server.port}"]
        arguments += ["--cafile", file, "--user", "ann"]
        status, report = check(*arguments, capsys=capsys)
        _, shown = table(*arguments, capsys=capsys)
    (row,) = report["services"]
    assert (status, row["login"]["reason"]) == (3, "oauth-needed")
    assert row["login"]["said"].startswith("535 5.7.139 ")
    assert "NO: it takes no password, only OAuth" in shown


@pytest.mark.parametrize(
    ("auth", "reason"),
    [
        (b"", "time-out"),
        (b"nonsense\r\n", "broken"),
        (b"334 bm9uY2U=\r\n", "broken"),  # a challenge before the first response
        (b"454 4.7.0 later\r\n", "server-busy"),
        (b"235 welcome\r\n", None),
    ],
)
def test_how_a_log_in_may_end(
    capsys: pytest.CaptureFixture[str], auth: bytes, reason: str | None
) -> None:
    answers = {
        b"EHLO": b"250-x\r\n250-STARTTLS\r\n250 AUTH PLAIN\r\n",
        b"STARTTLS": b"220 BEGIN\r\n",
        b"AUTH": auth,
        b"*": b"501 cancelled\r\n",
        b"QUIT": b"221 x\r\n" if reason else HANG,  # all is known by then
    }
    with Scripted(b"220 x\r\n", answers, server_tls()) as server, cafile() as file:
        arguments = ["localhost", "--ports", f"submission={server.port}"]
        arguments += ["--cafile", file, "--user", "ann"]
        arguments += ["--timeout", "3"] if reason in (None, "time-out") else []
        status, report = check(*arguments, capsys=capsys)
    (row,) = report["services"]
    assert row["error"] is None
    assert row["login"]["reason"] == reason
    assert row["login"]["ok"] == (reason is None)
    assert status == {None: 10, "server-busy": 3}.get(reason, 1)


@pytest.mark.parametrize(
    ("service", "greeting", "answers", "mechanisms"),
    [
        ("smtp", b"220 x\r\n", {b"EHLO": b"502 x\r\n", b"HELO": b"250 x\r\n"}, []),
        ("imap", b"* PREAUTH x\r\n", {}, []),
        ("pop3", b"+OK\r\n", {b"CAPA": b"-ERR\r\n"}, ["USER/PASS"]),
        ("kpop", b"+OK\r\n", {b"CAPA": b"-ERR\r\n"}, ["USER/PASS"]),
        ("imap-ssl", b"", {}, []),
    ],
)
def test_servers_of_the_old_kind(
    capsys: pytest.CaptureFixture[str],
    service: str,
    greeting: bytes,
    answers: dict[bytes, bytes],
    mechanisms: list[str],
) -> None:
    with Scripted(greeting, answers) as server:
        arguments = ["127.0.0.1", "--ports", f"{service}={server.port}"]
        arguments += ["--user", "ann"]
        arguments += [] if greeting else ["--timeout", "0.5"]
        status, report = check(*arguments, capsys=capsys)
        _, shown = table(*arguments, capsys=capsys)
    (row,) = report["services"]
    assert status in (1, 4)
    assert row["mechanisms"] == mechanisms
    assert row["retired"] == (service == "imap-ssl") == ("is retired" in shown)
    if service == "kpop":  # what follows PASS there is no password, and none is sent
        assert (row["cleartext"], row["login"]) == (False, None)


def test_a_refused_upgrade_is_no_wrong_password() -> None:
    refused = pop3.Reply(False, "not today")
    assert _reason(CommandFailed(pop3.Stls(), refused)) is Reason.NO_TLS
    assert _reason(CommandFailed(pop3.Capa(), refused)) is Reason.REFUSED
    assert _reason(CommandFailed(pop3.Pass("x"), refused)) is Reason.WRONG_PASSWORD


@contextmanager
def cafile() -> Iterator[str]:
    with authority().cert_pem.tempfile() as file:
        yield file


# -- what one asks for ---------------------------------------------------------------


def test_a_provider_is_known_by_address_domain_and_host() -> None:
    for text in ("ann@gmail.com", "gmail.com", "Ann@GMail.com"):
        target = find_target(text, None)
        assert target.provider is by_domain("gmail.com")
        places = {(p.service.name, p.host, p.port) for p in target.places}
        assert ("imaps", "imap.gmail.com", 993) in places
        assert ("submission", "smtp.gmail.com", 587) in places
        assert target.user is None  # an address is no wish to log in
    target = find_target("imap.gmail.com", None)
    assert target.provider is by_domain("gmail.com")
    assert {place.host for place in target.places} == {"imap.gmail.com"}
    assert find_target("ann@mail.example.org", None).provider is None
    (place,) = find_target("münchen.example", {"imaps": 1993}).places
    assert place.host == "xn--mnchen-3ya.example"
    (place,) = find_target("::1", {"imaps": 1993}).places
    assert place.host == "::1"
    target = find_target("gmail.com", {"imaps": 1993})
    assert [(p.host, p.port) for p in target.places] == [("imap.gmail.com", 1993)]


def test_a_url_is_an_account() -> None:
    target = find_target("imaps://ann;AUTH=PLAIN@mail.example.org:1993", None)
    assert (target.user, target.mechanism) == ("ann", "PLAIN")
    places = {p.service.name: p.port for p in target.places}
    assert places["imaps"] == 1993
    assert places["submission"] == 587
    assert len(places) == 11
    assert "secret" not in repr(find_target("imaps://ann:secret@h", None))


def test_the_password_of_a_url_logs_in_and_is_not_told(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAILPROTO_PASSWORD", "not this one")
    with serving() as server:
        arguments = ["imaps://ann:a%20s3cret,%20with%20a%20space@localhost"]
        arguments += ["--ports", f"imaps={server.ports['imaps']}"]
        arguments += ["--cafile", str(server.ca_file)]
        status, report = check(*arguments, capsys=capsys)
        table(*arguments, capsys=capsys)
    assert (status, report["user"], report["read"]) == (9, "ann", ["imaps"])
    assert report["target"] == "imaps://ann@localhost"


def test_the_advice_of_the_provider_is_for_whom_was_refused(
    capsys: pytest.CaptureFixture[str],
) -> None:
    provider = by_domain("icloud.com")
    look = Look(Place(SERVICES["imaps"], "imap.mail.me.com", 993), reachable=True)
    for reason in (None, Reason.WRONG_PASSWORD):
        checked = Checked(look, LogIn(reason is None, "PLAIN", reason))
        report = Report("icloud.com", provider, "ann", (checked,), (), (), 3)
        shown = " ".join(as_table(report).split())
        assert ("app-specific password" in shown) == (reason is not None)
        assert "(iCloud, which wants: app-password), as ann" in shown
        assert as_json(report)["wants"] == ["app-password"]


@pytest.mark.parametrize("ports", ["nonsense=1", "imaps=0", "imaps=x", "imaps=", ""])
def test_ports_that_are_none(ports: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["check", "localhost", "--ports", ports])
    assert caught.value.code == 2
    assert "no service" in (err := capsys.readouterr().err) or "no port" in err


def test_the_exit_statuses_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["check", "--help"])
    out = capsys.readouterr().out
    assert all(f" {status}  " in out for status in (0, 1, 2, 3, 4, 5, 9, 10, 130))
    for target in ("nonsense://x", "ann@", "", "mail.example.org:993", "a b", "ü..x"):
        assert main(["check", target]) == 2, target
