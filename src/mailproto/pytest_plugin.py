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
from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:  # what a test that needs no mail server shall not pay for
    from .embedded import Conversation, MailServer


OWN: Final = pytest.StashKey["MailServer"]()  # of a test
SHARED: Final = pytest.StashKey["MailServer"]()  # of the session
BEFORE: Final = pytest.StashKey[list[list[str]]]()  # said to the latter before a test


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
        request.node.stash[OWN] = server
        yield server


@pytest.fixture(scope="session")
def session_mail_server(request: pytest.FixtureRequest) -> Iterator[MailServer]:
    """One mail server for all tests that ask for it; what is in it stays in it."""
    from .embedded import MailServer

    with MailServer() as server:
        request.config.stash[SHARED] = server
        yield server


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """See what others had said before the test begins."""
    if _shares(item) and SHARED in item.config.stash:
        spoken = map(_spoken, item.config.stash[SHARED].conversations())
        item.stash[BEFORE] = list(spoken)


def _shares(item: pytest.Item) -> bool:
    return "session_mail_server" in getattr(item, "fixturenames", ())


def _spoken(conversation: Conversation) -> list[str]:
    """Where the client is, and what was said, but for remarks: a close comes late."""
    lines = (line for line in conversation.lines if not line.startswith("#"))
    return [str(conversation.peer), *lines]


def _said(item: pytest.Item) -> Iterator[Conversation]:
    """The conversations of a test."""
    if OWN in item.stash:
        yield from item.stash[OWN].conversations()
    if _shares(item) and SHARED in item.config.stash:
        before = item.stash.get(BEFORE, [])
        for conversation in item.config.stash[SHARED].conversations():
            if _spoken(conversation) not in before:
                yield conversation


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """To the report of what failed, add what was said meanwhile."""
    report = yield
    if report.failed:
        for conversation in _said(item):
            title = f"mail server: {conversation.service}"
            report.sections.append((title, str(conversation)))
    if report.when == "teardown" and OWN in item.stash:
        del item.stash[OWN]  # the session keeps its items to the end
    return report
