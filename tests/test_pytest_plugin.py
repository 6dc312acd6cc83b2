"""The pytest plugin, in a pytest of its own: each test here starts one."""

from __future__ import annotations

import re

import pytest

from tests.test_readme import ROOT, blocks

pytest_plugins = ["pytester"]


@pytest.fixture
def started(pytester: pytest.Pytester) -> pytest.Pytester:
    """Warnings are errors there, too."""
    pytester.makeini("[pytest]\nfilterwarnings = error\nxfail_strict = true")
    return pytester


@pytest.mark.parametrize(("page", "tests"), [("README.md", 1), ("docs/tour.md", 8)])
def test_the_tests_of_the_docs_pass(
    started: pytest.Pytester, page: str, tests: int
) -> None:
    found = blocks(ROOT / page)
    code = [block for block in found if re.search(r"^def test_", block, re.M)]
    started.makepyfile("\n".join(code))
    started.runpytest_subprocess().assert_outcomes(passed=tests)


def test_who_needs_no_server_does_not_pay(started: pytest.Pytester) -> None:
    started.makepyfile(
        """
        import sys

        def test_it():
            loaded = sys.modules.keys()
            assert "mailproto.pytest_plugin" in loaded
            for costly in ("embedded", "imap", "pop3", "smtp", "asyncio"):
                assert f"mailproto.{costly}" not in loaded
        """
    )
    started.runpytest_subprocess().assert_outcomes(passed=1)


def test_every_test_has_a_server_of_its_own(started: pytest.Pytester) -> None:
    started.makepyfile(
        """
        import threading
        import pytest

        @pytest.mark.parametrize("again", [False, True])
        def test_fresh(mail_server, again):
            assert mail_server.messages == []
            mail_server.add_user("ann", "secret")
            mail_server.deliver(b"x", to="ann")

        def test_one_for_all(session_mail_server):
            session_mail_server.add_user("bob", "secret")
            session_mail_server.deliver(b"x", to="bob")

        def test_still_there(session_mail_server, mail_server):
            assert session_mail_server.users == ("bob",)
            assert len(session_mail_server.messages) == 1
            assert mail_server.users == ()

        def test_nothing_is_left(request):
            names = [thread.name for thread in threading.enumerate()]
            assert names.count("mailproto") == 1  # the session's
        """
    )
    started.runpytest_subprocess().assert_outcomes(passed=5)


def test_the_server_of_a_test_that_is_over_is_let_go_of(
    started: pytest.Pytester,
) -> None:
    started.makepyfile(
        """
        import gc
        import weakref

        used = []

        def test_it(mail_server):
            used.append(weakref.ref(mail_server))

        def test_later():
            gc.collect()
            assert used[0]() is None
        """
    )
    started.runpytest_subprocess().assert_outcomes(passed=2)


def test_a_mark_gives_options(started: pytest.Pytester) -> None:
    started.makepyfile(
        """
        import smtplib
        import pytest

        pytestmark = pytest.mark.mail_server(strangers=False, cleartext=True)

        @pytest.mark.mail_server(strangers=True)
        def test_nearest(mail_server):
            with smtplib.SMTP(mail_server.host, mail_server.ports["smtp"]) as smtp:
                assert smtp.sendmail("a@example.org", ["b@example.org"], "x") == {}
            mail_server.wait_for(1)

        def test_of_the_module(mail_server):
            with smtplib.SMTP(mail_server.host, mail_server.ports["smtp"]) as smtp:
                with pytest.raises(smtplib.SMTPRecipientsRefused):
                    smtp.sendmail("a@example.org", ["b@example.org"], "x")

        @pytest.mark.mail_server("cleartext")
        def test_wrong(mail_server):
            pass
        """
    )
    result = started.runpytest_subprocess("--strict-markers")
    result.assert_outcomes(passed=2, errors=1)
    result.stdout.fnmatch_lines(["*mail_server takes options by name only*"])


FAILING = """
    import smtplib

    def send(server):
        with smtplib.SMTP("localhost", server.ports["submission"]) as smtp:
            smtp.starttls(context=server.client_context())
            smtp.login("ann", "a s3cret")
            smtp.sendmail("ann@example.org", ["bob@example.org"], "Hello.")

    def test_own(mail_server):
        mail_server.add_user("ann", "a s3cret")
        send(mail_server)
        assert mail_server.messages == []

    def test_session(session_mail_server):
        session_mail_server.add_user("ann", "a s3cret")
        send(session_mail_server)

    def test_session_again(session_mail_server):
        with smtplib.SMTP("localhost", session_mail_server.ports["smtp"]) as smtp:
            smtp.noop()
        assert session_mail_server.messages == []
"""


def test_who_fails_shows_what_was_said(started: pytest.Pytester) -> None:
    started.makepyfile(FAILING)
    result = started.runpytest_subprocess("-k", "own")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "*mail server: submission*",
            "S: 220 *",
            "C: STARTTLS",
            "TLS",
            "C: AUTH CRAM-MD5",
            "S: 334 [*][*][*][*]",
            "C: [*][*][*][*]",
            "C: mail ????:<ann@example.org>*",
            "C: Hello.",
            "S: 250 *",
            "C: QUIT",
        ]
    )


def test_of_the_sessions_server_only_what_is_new_is_shown(
    started: pytest.Pytester,
) -> None:
    started.makepyfile(FAILING)
    result = started.runpytest_subprocess("-k", "test_session")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*mail server: smtp*", "C: noop*"])
    result.stdout.no_fnmatch_line("C: STARTTLS*")


def test_a_fixture_of_the_session_may_ask_for_the_sessions_server(
    started: pytest.Pytester,
) -> None:
    started.makepyfile(
        """
        import smtplib
        import pytest

        @pytest.fixture(scope="session")
        def application(session_mail_server):
            return session_mail_server.ports["smtp"]

        def test_it(application):
            with smtplib.SMTP("localhost", application) as smtp:
                smtp.noop()
            raise AssertionError
        """
    )
    result = started.runpytest_subprocess()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*mail server: smtp*", "C: noop"])


def test_who_does_not_share_it_is_not_told(started: pytest.Pytester) -> None:
    started.makepyfile(
        FAILING + "\n    def test_other():\n        raise AssertionError\n"
    )
    result = started.runpytest_subprocess("-k", "test_session or other")
    result.assert_outcomes(passed=1, failed=2)
    assert result.stdout.str().count("mail server: ") == 1


def test_every_process_of_xdist_has_its_own(started: pytest.Pytester) -> None:
    started.makepyfile(
        """
        import smtplib
        import pytest

        @pytest.mark.parametrize("number", range(8))
        def test_it(session_mail_server, mail_server, number):
            for server in (session_mail_server, mail_server):
                server.clear()
                with smtplib.SMTP(server.host, server.ports["smtp"]) as smtp:
                    smtp.sendmail("a@example.org", ["b@example.org"], str(number))
                [message] = server.wait_for(1)
                assert message.data == b"%d\\r\\n" % number
        """
    )
    started.runpytest_subprocess("-n", "2").assert_outcomes(passed=8)
