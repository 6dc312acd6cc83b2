"""The lab of SMTP itself: real clients send to a real server, and every octet arrives.

None of mailproto is involved. What fails here is the recipe, not the library.
"""

import smtplib
import socket
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.messages import MESSAGES

from . import daemon
from . import postfix as lab
from .daemon import ServerFailed, below_trace
from .dovecot import Dovecot
from .postfix import DOMAIN, Postfix
from .programs import Account, NeedsRoot, ProgramFailed, Security
from .smtp_clients import curl, msmtp, swaks

pytestmark = pytest.mark.interop

Client = Callable[..., None]

each = pytest.mark.parametrize("client", [curl, msmtp, swaks])
ADA, ALICE, BOB = "ada@sender.example", f"alice@{DOMAIN}", f"bob@{DOMAIN}"
PLAIN = MESSAGES["plain"]
HARD = ("lone dots", "dot last", "octets of no charset", "attachment of 2 MB")


def bodies(messages: Iterable[bytes]) -> Counter[bytes]:
    return Counter(map(below_trace, messages))


def account(server: Postfix, security: Security) -> Account:
    services = {"implicit": "submissions", "stls": "submission", "none": "smtp"}
    assert server.logins is not None
    return Account(
        host=server.host,
        port=getattr(server, f"{services[security]}_port"),
        user=server.logins.user,
        password=server.logins.password,
        ca_file=server.ca_file,
        security=security,
    )


@each
def test_client_sends_every_octet(postfix: Postfix, client: Client) -> None:
    for message in MESSAGES.values():
        client(account(postfix, "none"), message, ADA, [ALICE])
    stored = postfix.wait_for_mail(len(MESSAGES), "alice")
    assert bodies(stored) == Counter(MESSAGES.values())


@each
@pytest.mark.parametrize("security", ["implicit", "stls"])
def test_client_sends_what_is_hard_through_tls(
    postfix: Postfix, client: Client, security: Security
) -> None:
    for name in HARD:
        way = account(postfix, security)
        client(way, MESSAGES[name], ADA, [ALICE], auth="PLAIN")
    stored = postfix.wait_for_mail(len(HARD), "alice")
    assert bodies(stored) == Counter(MESSAGES[name] for name in HARD)


@each
def test_client_sends_to_more_than_one(postfix: Postfix, client: Client) -> None:
    client(account(postfix, "none"), PLAIN, ADA, [ALICE, BOB])
    for user in ("alice", "bob"):
        [stored] = postfix.wait_for_mail(1, user)
        assert below_trace(stored) == PLAIN


@pytest.mark.parametrize(
    ("client", "mechanism"),
    [
        (curl, "PLAIN"),
        (curl, "LOGIN"),
        (curl, "CRAM-MD5"),
        (msmtp, "PLAIN"),
        (msmtp, "LOGIN"),
        (msmtp, "CRAM-MD5"),
        (msmtp, "SCRAM-SHA-1"),
        (msmtp, "SCRAM-SHA-256"),
        (swaks, "PLAIN"),
        (swaks, "LOGIN"),
        (swaks, "CRAM-MD5"),
    ],
)
def test_client_authenticates_as_told(
    postfix: Postfix, client: Client, mechanism: str
) -> None:
    assert postfix.logins is not None
    for user in ("carol", "dave"):  # whose passwords are not easily written
        password = postfix.logins.users[user]
        way = replace(account(postfix, "stls"), user=user, password=password)
        client(way, PLAIN, ADA, [ALICE], auth=mechanism)
        postfix.wait_for_log(f"sasl_method={mechanism}, sasl_username={user}")


@each
def test_client_says_why_it_failed(postfix: Postfix, client: Client) -> None:
    way = replace(account(postfix, "implicit"), password="wrong")
    with pytest.raises(ProgramFailed, match=r"535|denied"):
        client(way, PLAIN, ADA, [ALICE], auth="PLAIN")


@each
def test_client_tells_that_a_recipient_is_refused(
    postfix: Postfix, client: Client
) -> None:
    for user in ("nobody", *lab.REFUSED):
        with pytest.raises(ProgramFailed, match=r"55[04]|452"):
            client(account(postfix, "none"), PLAIN, ADA, [f"{user}@{DOMAIN}"])


@each
def test_client_verifies_the_certificate(
    postfix: Postfix, client: Client, tmp_path: Path
) -> None:
    with Postfix() as other:
        other_ca = tmp_path / "ca.pem"
        other_ca.write_bytes(other.ca_file.read_bytes())
    way = replace(account(postfix, "stls"), ca_file=other_ca)
    with pytest.raises(ProgramFailed, match=r"(?i)certificate|tls startup failed"):
        client(way, PLAIN, ADA, [ALICE], auth="PLAIN")


def test_submission_wants_tls_and_a_log_in(postfix: Postfix) -> None:
    with smtplib.SMTP(postfix.host, postfix.submission_port) as session:
        session.ehlo()
        assert not session.has_extn("auth")
        assert session.mail(ADA)[0] == 530
        session.starttls(context=postfix.client_context())
        session.ehlo()
        assert session.has_extn("auth")
        session.mail(ADA)
        assert session.rcpt(ALICE)[0] == 554


def test_password_without_tls_is_refused_unless_the_server_allows_it() -> None:
    with (
        Dovecot(plaintext=True) as logins,
        Postfix(logins=logins, plaintext=True) as lax,
        smtplib.SMTP(lax.host, lax.smtp_port) as session,
    ):
        session.login(logins.user, logins.password)


def test_nothing_is_left_when_the_server_is_stopped() -> None:
    with Postfix() as server:
        smtplib.SMTP(server.host, server.smtp_port).quit()
    assert not server.directory.exists()
    for service in server.services:
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((server.host, getattr(server, f"{service}_port")))


def test_server_that_does_not_start_shows_its_log(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    wrong = lab.MAIN + "mail_owner = nobody-of-that-name\n"
    monkeypatch.setattr(lab, "MAIN", wrong)
    server = Postfix()
    with pytest.raises(ServerFailed, match="nobody-of-that-name"), server:
        pass
    assert not server.directory.exists()


def test_server_takes_other_ports_when_one_is_gone_meanwhile(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with socket.create_server((daemon.HOST, 0)) as thief:
        ports = daemon.free_ports(2 * len(Postfix.services) - 1)
        ports.append(thief.getsockname()[1])
        monkeypatch.setattr(
            daemon, "free_ports", lambda count: [ports.pop() for _ in range(count)]
        )
        with Postfix() as server:
            smtplib.SMTP(server.host, server.smtp_port).quit()
    assert not ports


def test_only_root_can_run_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lab, "IS_ROOT", False)
    with pytest.raises(NeedsRoot, match="root"):
        Postfix().__enter__()
