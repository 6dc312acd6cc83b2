"""The pytest plugin: the fixtures ``mail_server`` and ``session_mail_server``.

    def test_welcome(mail_server):
        sign_up("ann@example.org", smtp=(mail_server.host, mail_server.ports["smtp"]))
        [message] = mail_server.wait_for(1)
        assert message.recipients == ("ann@example.org",)

A test that fails shows what its servers and their clients said to each other.  Who uses
no fixture pays for this module and nothing else: the server is imported when a test
asks for it.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:  # what a test that needs no mail server shall not pay for
    from .embedded import Conversation, MailServer


@dataclass(frozen=True, slots=True)
class Used:
    """A server that a test uses, and what had been said there before."""

    server: MailServer
    before: tuple[list[str], ...] = ()


USED: Final = pytest.StashKey[list[Used]]()


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    config.addinivalue_line(
        "markers",
        "mail_server(**options): start the test's mail_server with these options of "
        "mailproto.embedded.MailServer",
    )


@pytest.fixture
def mail_server(request: pytest.FixtureRequest) -> Iterator[MailServer]:
    """A mail server of the test's own, on loopback, as yet without users and mail.

    ``@pytest.mark.mail_server(cleartext=True)`` passes options to it; the mark that is
    nearest to the test has the last word.
    """
    from .embedded import MailServer

    options: dict[str, object] = {}
    for mark in reversed([*request.node.iter_markers("mail_server")]):
        if mark.args:
            raise pytest.UsageError("mail_server takes options by name only")
        options |= mark.kwargs
    with MailServer(**options) as server:  # type: ignore[arg-type]  # from a mark
        _used_by(request.node).append(Used(server))
        yield server


@pytest.fixture(scope="session")
def _server_of_all() -> Iterator[MailServer]:
    from .embedded import MailServer

    with MailServer() as server:
        yield server


@pytest.fixture
def session_mail_server(
    request: pytest.FixtureRequest, _server_of_all: MailServer
) -> MailServer:
    """One mail server for all tests that ask for it; what is in it stays in it."""
    before = tuple(_spoken(each) for each in _server_of_all.conversations())
    _used_by(request.node).append(Used(_server_of_all, before))
    return _server_of_all


def _spoken(conversation: Conversation) -> list[str]:
    """Where the client is, and what was said, but for remarks: a close comes late."""
    lines = (line for line in conversation.lines if not line.startswith("#"))
    return [str(conversation.peer), *lines]


def _used_by(item: pytest.Item) -> list[Used]:
    return item.stash.setdefault(USED, [])


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """To the report of what failed, add what was said meanwhile."""
    report = yield
    if report.failed:
        for used in item.stash.get(USED, ()):
            for conversation in used.server.conversations():
                if _spoken(conversation) not in used.before:
                    title = f"mail server: {conversation.service}"
                    report.sections.append((title, str(conversation)))
    return report
