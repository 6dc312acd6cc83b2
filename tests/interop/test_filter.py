"""The filter of the examples, between real clients and Debian's Dovecot and Postfix."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import trustme

from examples.filter import Forbid
from examples.filter.gateway import Upstream
from examples.filter.pop3 import pop3_filter
from examples.filter.smtp import smtp_filter
from mailproto import Security, pop3, smtp
from tests.filtering import NO, VIRUS, play
from tests.interop.daemon import below_trace
from tests.interop.dovecot import Dovecot
from tests.interop.pop3_clients import curl, mpop
from tests.interop.postfix import DOMAIN, Postfix
from tests.interop.programs import Account, ProgramFailed
from tests.interop.smtp_clients import msmtp, swaks
from tests.messages import MESSAGES

pytestmark = pytest.mark.interop

REFUSED = pop3.Reply(False, "there is a virus in it", "SYS/PERM")


def judge(asked: pop3.Retr | pop3.Top) -> Forbid[pop3.Reply]:
    return Forbid(VIRUS, REFUSED)


@dataclass(frozen=True)
class Front:
    """The certificate that a filter shows to its clients."""

    tls: ssl.SSLContext
    ca_file: Path

    @classmethod
    def make(cls, directory: Path) -> Front:
        authority = trustme.CA()
        ca_file = directory / "front.pem"
        authority.cert_pem.write_to_path(ca_file)
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("localhost").configure_cert(tls)
        return cls(tls, ca_file)

    def account(self, port: int, dovecot: Dovecot) -> Account:
        name, password = dovecot.user, dovecot.password
        return Account("localhost", port, name, password, self.ca_file, "stls")


def through(
    dovecot: Dovecot, directory: Path, fetch: Callable[[Account], list[bytes]]
) -> list[bytes]:
    """What *fetch* gets through a filter, with TLS on both sides."""
    front = Front.make(directory)
    got: list[bytes] = []

    async def scenario() -> None:
        trusted = dovecot.client_context()
        route = Upstream("localhost", dovecot.pop3_port, Security.STARTTLS, trusted)
        async with pop3_filter(judge, route, tls=front.tls) as listening:
            account = front.account(listening.port, dovecot)
            got.extend(await asyncio.to_thread(fetch, account))

    play(scenario)
    return got


@pytest.mark.parametrize("auth", ["PLAIN", "CRAM-MD5", "+APOP"])
def test_curl_fetches_through_it(dovecot: Dovecot, tmp_path: Path, auth: str) -> None:
    for message in MESSAGES.values():
        dovecot.deliver(message)
    got = through(dovecot, tmp_path, lambda account: curl(account, auth=auth))
    assert got == list(MESSAGES.values())
    assert len(dovecot.stored()) == len(MESSAGES)


@pytest.mark.parametrize("auth", ["user", "scram-sha-256"])
def test_mpop_fetches_and_deletes_through_it(
    dovecot: Dovecot, tmp_path: Path, auth: str
) -> None:
    for message in MESSAGES.values():
        dovecot.deliver(message)
    fetch = lambda account: mpop(account, delete=True, auth=auth)  # noqa: E731
    assert through(dovecot, tmp_path, fetch) == list(MESSAGES.values())
    assert dovecot.stored() == []


def test_what_is_refused_stays(dovecot: Dovecot, tmp_path: Path) -> None:
    dovecot.deliver(b"Subject: x\r\n\r\n" + VIRUS + b"\r\n")
    with pytest.raises(ProgramFailed):
        through(dovecot, tmp_path, curl)
    assert len(dovecot.stored()) == 1


def smtp_judge(mail: smtp.Mail, rcpts: object) -> Forbid[smtp.Reply]:
    return Forbid(VIRUS, NO)


@pytest.mark.parametrize("client", [swaks, msmtp], ids=["swaks", "msmtp"])
@pytest.mark.parametrize("auth", ["PLAIN", "CRAM-MD5"])
def test_mail_goes_through_it_to_postfix(
    tmp_path: Path, client: Callable[..., None], auth: str
) -> None:
    """A log-in, a message of many chunks, a verdict; Postfix knows the true client."""
    big = MESSAGES["plain"] + b"0123456789\r\n" * 100_000
    bad = big + VIRUS + b"\r\n"
    sender, recipients = "ann@example.org", [f"alice@{DOMAIN}"]
    front = Front.make(tmp_path)

    with Dovecot() as dovecot, Postfix(logins=dovecot) as postfix:

        def send(port: int) -> None:
            account = front.account(port, dovecot)
            for message in (MESSAGES["plain"], big):
                client(account, message, sender, recipients, auth=auth)
            with pytest.raises(ProgramFailed, match="virus"):
                client(account, bad, sender, recipients, auth=auth)
            with pytest.raises(ProgramFailed, match="Mailbox full"):
                client(account, big, sender, [f"full@{DOMAIN}"], auth=auth)

        async def scenario() -> None:
            host, port = postfix.host, postfix.smtp_port
            tls = postfix.client_context()
            route = Upstream(host, port, Security.STARTTLS, tls)
            async with smtp_filter(smtp_judge, route, tls=front.tls) as listening:
                await asyncio.to_thread(send, listening.port)

        play(scenario)
        stored = postfix.wait_for_mail(2, "alice")
        postfix.wait_until_idle()
        assert sorted(map(below_trace, stored), key=len) == [MESSAGES["plain"], big]
        assert len(postfix.stored("alice")) == 2
        assert "orig_client=" in postfix.log()  # told by XFORWARD
