"""Real clients against our server: they fetch, keep and delete."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mailproto.embedded import MailServer
from tests.interop.pop3_clients import curl, fetchmail, mpop
from tests.interop.programs import Account, ProgramFailed, Security
from tests.messages import MESSAGES

pytestmark = pytest.mark.interop

Client = Callable[..., list[bytes]]
CLIENTS: dict[str, Client] = {"curl": curl, "fetchmail": fetchmail, "mpop": mpop}
PASSWORD = "not a secret"
WAYS: tuple[Security, ...] = ("stls", "implicit")

each = pytest.mark.parametrize("client", CLIENTS.values(), ids=CLIENTS)


@pytest.fixture
def server() -> Iterator[MailServer]:
    with MailServer() as running:
        running.add_user("ann", PASSWORD)
        for message in MESSAGES.values():
            running.deliver(message, to="ann")
        yield running


def account(
    server: MailServer, security: Security, password: str = PASSWORD
) -> Account:
    service = "pop3s" if security == "implicit" else "pop3"
    assert server.ca_file is not None
    ca_file: Path = server.ca_file
    port = server.ports[service]
    return Account("localhost", port, "ann", password, ca_file, security)


def digests(messages: list[bytes]) -> list[str]:
    return [hashlib.sha256(message).hexdigest() for message in messages]


@each
@pytest.mark.parametrize("security", WAYS)
def test_it_fetches_and_keeps(
    server: MailServer, client: Client, security: Security
) -> None:
    got = client(account(server, security))
    assert digests(got) == digests(list(MESSAGES.values()))
    assert len(server.messages) == len(MESSAGES)


@each
@pytest.mark.parametrize("security", WAYS)
def test_it_fetches_and_deletes(
    server: MailServer, client: Client, security: Security
) -> None:
    got = client(account(server, security), delete=True)
    assert digests(got) == digests(list(MESSAGES.values()))
    assert server.messages == []


@each
def test_it_finds_nothing(server: MailServer, client: Client) -> None:
    server.clear()
    assert client(account(server, "implicit")) == []


@each
def test_it_is_told_of_a_wrong_password(server: MailServer, client: Client) -> None:
    with pytest.raises(ProgramFailed):
        client(account(server, "implicit", "wrong"))
    assert len(server.messages) == len(MESSAGES)


# Debian's curl is built without SCRAM: it denies itself the log-in, and says nothing.
@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN", "CRAM-MD5"])
def test_mechanisms_of_curl(server: MailServer, mechanism: str) -> None:
    got = curl(account(server, "stls"), auth=mechanism)
    assert len(got) == len(MESSAGES)


@pytest.mark.parametrize("mechanism", ["scram-sha-256", "cram-md5", "plain", "user"])
def test_mechanisms_of_mpop(server: MailServer, mechanism: str) -> None:
    got = mpop(account(server, "implicit"), auth=mechanism)
    assert len(got) == len(MESSAGES)


def test_apop_of_curl() -> None:
    with MailServer(apop=True) as server:
        server.add_user("ann", PASSWORD)
        server.deliver(MESSAGES["plain"], to="ann")
        got = curl(account(server, "stls"), auth="+APOP")
        assert got == [MESSAGES["plain"]]
