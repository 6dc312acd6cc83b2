"""The lab itself: real clients fetch from a real server, and every octet arrives.

None of mailproto is involved. What fails here is the recipe, not the library.
"""

import imaplib
import poplib
import smtplib
import socket
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from hashlib import sha256

import pytest

from tests.messages import MESSAGES

from . import daemon, programs
from . import dovecot as lab
from .daemon import ServerFailed
from .dovecot import Dovecot
from .pop3_clients import curl, fetchmail, mpop
from .programs import Account, MissingProgram, ProgramFailed, Security

pytestmark = pytest.mark.interop

Client = Callable[..., list[bytes]]

every_client = pytest.mark.parametrize("client", [curl, fetchmail, mpop])
every_security = pytest.mark.parametrize("security", ["implicit", "stls"])


def digests(messages: list[bytes]) -> list[str]:
    return [sha256(message).hexdigest() for message in messages]


EXPECTED = digests([*MESSAGES.values()])


@pytest.fixture
def full(dovecot: Dovecot) -> Dovecot:
    """A server that holds every message for its first user."""
    for message in MESSAGES.values():
        dovecot.deliver(message)
    return dovecot


def account(server: Dovecot, security: Security = "implicit") -> Account:
    return Account(
        host=server.host,
        port=server.pop3s_port if security == "implicit" else server.pop3_port,
        user=server.user,
        password=server.password,
        ca_file=server.ca_file,
        security=security,
    )


def poplib_session(server: Dovecot, security: Security) -> poplib.POP3:
    context = server.client_context()
    if security == "implicit":
        session: poplib.POP3 = poplib.POP3_SSL(
            server.host, server.pop3s_port, context=context, timeout=10
        )
    else:
        session = poplib.POP3(server.host, server.pop3_port, timeout=10)
        if security == "stls":
            session.stls(context)
    session.encoding = "utf-8"
    return session


@every_security
def test_poplib_fetches_every_octet(full: Dovecot, security: Security) -> None:
    session = poplib_session(full, security)
    session.user(full.user)
    session.pass_(full.password)
    count, size = session.stat()
    fetched = [
        b"".join(line + b"\r\n" for line in session.retr(number)[1])
        for number in range(1, count + 1)
    ]
    session.quit()
    assert digests(fetched) == EXPECTED
    assert size == sum(map(len, MESSAGES.values()))


@every_security
@every_client
def test_client_fetches_every_octet_and_keeps_the_mail(
    full: Dovecot, client: Client, security: Security
) -> None:
    assert digests(client(account(full, security))) == EXPECTED
    assert digests(full.stored()) == EXPECTED


@every_client
def test_client_deletes_what_it_fetched(full: Dovecot, client: Client) -> None:
    assert digests(client(account(full), delete=True)) == EXPECTED
    assert full.stored() == []


@every_client
def test_client_finds_an_empty_mailbox(dovecot: Dovecot, client: Client) -> None:
    assert client(account(dovecot)) == []


@pytest.mark.parametrize(
    ("client", "mechanism", "command"),
    [
        (curl, "PLAIN", "PLAIN"),
        (curl, "CRAM-MD5", "CRAM-MD5"),
        (curl, "+APOP", "APOP"),
        (fetchmail, "password", "PLAIN"),
        (fetchmail, "cram-md5", "CRAM-MD5"),
        (mpop, "user", "PLAIN"),
        (mpop, "plain", "PLAIN"),
        (mpop, "scram-sha-1", "SCRAM-SHA-1"),
        (mpop, "scram-sha-256", "SCRAM-SHA-256"),
    ],
)
def test_client_authenticates_as_told(
    dovecot: Dovecot, client: Client, mechanism: str, command: str
) -> None:
    dovecot.deliver(MESSAGES["plain"])
    assert client(account(dovecot), auth=mechanism) == [MESSAGES["plain"]]
    dovecot.wait_for_log(f"method={command},")


@every_client
def test_client_says_why_it_failed(dovecot: Dovecot, client: Client) -> None:
    with pytest.raises(ProgramFailed, match=r"(?i)auth|denied"):
        client(replace(account(dovecot), password="wrong"))


@every_client
def test_client_verifies_the_certificate(dovecot: Dovecot, client: Client) -> None:
    with Dovecot() as other, pytest.raises(ProgramFailed, match=r"(?i)certificate"):
        client(replace(account(dovecot), ca_file=other.ca_file))


@every_security
def test_each_user_has_a_mailbox_and_a_password(
    dovecot: Dovecot, security: Security
) -> None:
    for user in dovecot.users:
        dovecot.deliver(f"To: {user}\r\n\r\n".encode(), user)
    for user, password in dovecot.users.items():
        with closing(poplib_session(dovecot, security)) as session:
            session.user(user)
            session.pass_(password)
            assert session.retr(1)[1] == [f"To: {user}".encode(), b""]
            session.quit()


def test_password_without_tls_is_refused_unless_the_server_allows_it(
    dovecot: Dovecot,
) -> None:
    with closing(poplib_session(dovecot, "none")) as session:
        assert "USER" not in session.capa()
        with pytest.raises(poplib.error_proto, match="Plaintext authentication"):
            session.user(dovecot.user)
    with (
        Dovecot(plaintext=True) as lax,
        closing(poplib_session(lax, "none")) as session,
    ):
        assert "USER" in session.capa()
        session.user(lax.user)
        session.pass_(lax.password)


@every_client
def test_client_does_without_tls_when_told(client: Client) -> None:
    with Dovecot(plaintext=True) as lax:
        lax.deliver(MESSAGES["plain"])
        assert client(account(lax, "none")) == [MESSAGES["plain"]]


def test_imap_and_lmtp_are_there_too(dovecot: Dovecot) -> None:
    user, password = dovecot.user, dovecot.password
    with smtplib.LMTP(dovecot.host, dovecot.lmtp_port) as lmtp:
        lmtp.sendmail("ada@sender.example", [user], MESSAGES["plain"])
    context = dovecot.client_context()
    with imaplib.IMAP4_SSL(
        dovecot.host, dovecot.imaps_port, ssl_context=context, timeout=10
    ) as implicit:
        implicit.login(user, password)
        assert implicit.select() == ("OK", [b"1"])
    with imaplib.IMAP4(dovecot.host, dovecot.imap_port, timeout=10) as upgraded:
        upgraded.starttls(context)
        upgraded.login(user, password)
        assert upgraded.select() == ("OK", [b"1"])


def test_nothing_is_left_when_the_server_is_stopped() -> None:
    with Dovecot() as server:
        poplib_session(server, "implicit").close()
    assert not server.directory.exists()
    for service in server.services:
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((server.host, getattr(server, f"{service}_port")))


def test_server_that_does_not_start_shows_its_log(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lab, "CONFIGURATION", "no_such_setting = yes\n")
    server = Dovecot()
    with pytest.raises(ServerFailed, match="no_such_setting"), server:
        pass
    assert not server.directory.exists()


def test_server_takes_other_ports_when_one_is_gone_meanwhile(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with socket.create_server((daemon.HOST, 0)) as thief:
        ports = daemon.free_ports(2 * len(Dovecot.services) - 1)
        ports.append(thief.getsockname()[1])
        monkeypatch.setattr(
            daemon, "free_ports", lambda count: [ports.pop() for _ in range(count)]
        )
        with Dovecot() as server:
            poplib_session(server, "implicit").close()
    assert not ports


def test_missing_program_is_named_with_its_package(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(programs, "PROGRAM_PATH", "/nowhere")
    with pytest.raises(MissingProgram, match="apt-get install dovecot-pop3d"):
        Dovecot().__enter__()
