"""The filter of the examples, between real clients and Debian's Dovecot."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from pathlib import Path

import pytest
import trustme

from examples.filter import Forbid
from examples.filter.gateway import Upstream
from examples.filter.pop3 import pop3_filter
from mailproto import Security, pop3
from tests.filtering import VIRUS, play
from tests.interop.dovecot import Dovecot
from tests.interop.pop3_clients import curl, mpop
from tests.interop.programs import Account, ProgramFailed
from tests.messages import MESSAGES

pytestmark = pytest.mark.interop

REFUSED = pop3.Reply(False, "there is a virus in it", "SYS/PERM")


def judge(asked: pop3.Retr | pop3.Top) -> Forbid[pop3.Reply]:
    return Forbid(VIRUS, REFUSED)


def through(
    dovecot: Dovecot, directory: Path, fetch: Callable[[Account], list[bytes]]
) -> list[bytes]:
    """What *fetch* gets through a filter, with TLS on both sides."""
    authority = trustme.CA()
    ca_file = directory / "ca.pem"
    authority.cert_pem.write_to_path(ca_file)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(tls)
    got: list[bytes] = []

    async def scenario() -> None:
        trusted = dovecot.client_context()
        route = Upstream("localhost", dovecot.pop3_port, Security.STARTTLS, trusted)
        async with pop3_filter(judge, route, tls=tls) as front:
            account = Account(
                "localhost",
                front.port,
                dovecot.user,
                dovecot.password,
                ca_file,
                "stls",
            )
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
