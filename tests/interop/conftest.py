"""What happens to a test whose mail program cannot run here: said once, here.

Where CI or MAILPROTO_INTEROP is set it fails. Elsewhere it is skipped, and the end of
the run says so in capitals.
"""

import os
from collections.abc import Generator, Iterator

import pytest

from .dovecot import Dovecot
from .postfix import Postfix
from .programs import Unavailable

REQUIRED = bool(os.environ.get("CI") or os.environ.get("MAILPROTO_INTEROP"))
NOT_RUN = "INTEROP NOT RUN"


@pytest.fixture
def dovecot() -> Iterator[Dovecot]:
    """A Dovecot of the test's own, with empty mailboxes."""
    with Dovecot() as server:
        yield server


@pytest.fixture
def postfix(dovecot: Dovecot) -> Iterator[Postfix]:
    """A Postfix of the test's own: empty maildirs, and Dovecot's users log in."""
    with Postfix(logins=dovecot) as server:
        yield server


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup() -> Generator[None, None, None]:
    return (yield from _judge_missing_programs())


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call() -> Generator[None, None, None]:
    return (yield from _judge_missing_programs())


def _judge_missing_programs() -> Generator[None, None, None]:
    try:
        return (yield)
    except Unavailable as missing:
        if REQUIRED:
            raise
        pytest.skip(f"{NOT_RUN}: {missing}")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    skipped = terminalreporter.getreports("skipped")
    reasons = [str(report.longrepr) for report in skipped]
    not_run = sum(NOT_RUN in reason for reason in reasons)
    if not_run:
        title = f"{not_run} INTEROP TESTS NOT RUN: MAIL PROGRAMS CANNOT RUN HERE"
        terminalreporter.section(title, red=True, bold=True)
