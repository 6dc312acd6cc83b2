from __future__ import annotations

from typing import Any

import pytest

from mailproto import (
    NEED_DATA,
    PAUSED,
    START_TLS,
    Bad,
    LimitExceeded,
    Lines,
    LocalProtocolError,
    RemoteProtocolError,
    Security,
    pop3,
    sasl,
)
from mailproto._command import Chunk, Closed, End
from mailproto.pop3 import Reply, State
from mailproto.testing import events

OK = Reply(True)
ERR = Reply(False)


def server(security: Security = Security.CLEARTEXT, **options: Any) -> pop3.Server:
    conn = pop3.Server(security, **options)
    assert conn.next_event() is PAUSED
    conn.send(pop3.Greeting("ready"))
    said(conn)
    return conn


def logged_in(**options: Any) -> pop3.Server:
    conn = server(**options)
    for line in (b"USER ann\r\n", b"PASS secret\r\n"):
        hear(conn, line)
        conn.send(OK)
    assert conn.state is State.TRANSACTION
    said(conn)
    return conn


def hear(conn: pop3.Server, data: bytes) -> Any:
    conn.receive_data(data)
    return conn.next_event()


def state_of(conn: pop3.Server) -> State:
    """It moves between two looks, which a type checker does not know."""
    return conn.state


def said(conn: pop3.Server) -> bytes:
    return b"".join(conn.data_to_send())


# -- answers -----------------------------------------------------------------------


def test_one_command_at_a_time_the_others_wait() -> None:
    conn = logged_in()
    assert hear(conn, b"STAT\r\nRETR 1\r\n") == pop3.Stat()
    assert conn.next_event() is PAUSED
    assert conn.buffered == len(b"RETR 1\r\n")
    assert conn.trailing_data == b"RETR 1\r\n"
    conn.send(pop3.StatData(2, 320))
    assert said(conn) == b"+OK 2 320\r\n"
    assert conn.next_event() == pop3.Retr(1)


@pytest.mark.parametrize(
    ("line", "values", "wire"),
    [
        (b"list 2\r\n", [pop3.Listing(2, 200)], b"+OK 2 200\r\n"),
        (b"LIST\r\n", [OK, pop3.Listing(1, 2), End()], b"+OK\r\n1 2\r\n.\r\n"),
        (
            b"LIST\r\n",
            [OK, Lines((pop3.Listing(1, 2), pop3.Listing(2, 3))), End()],
            b"+OK\r\n1 2\r\n2 3\r\n.\r\n",
        ),
        (b"UIDL\r\n", [OK, End()], b"+OK\r\n.\r\n"),
        (b"UIDL 1\r\n", [pop3.UniqueId(1, "a")], b"+OK 1 a\r\n"),
        (b"UIDL 1\r\n", [Reply(True, "1 a")], b"+OK 1 a\r\n"),
        (
            b"RETR 1\r\n",
            [OK, Chunk(b".a\r\n"), Chunk(b".b"), End()],
            b"+OK\r\n..a\r\n..b\r\n.\r\n",
        ),
        (b"TOP 1 0\r\n", [OK, End()], b"+OK\r\n.\r\n"),
        (b"CAPA\r\n", [OK, pop3.Capability("TOP"), End()], b"+OK\r\nTOP\r\n.\r\n"),
        (b"LANG\r\n", [OK, pop3.Language(".x"), End()], b"+OK\r\n..x\r\n.\r\n"),
        (b"LANG de\r\n", [pop3.Language("de", "ja")], b"+OK de ja\r\n"),
        (b"DELE 1\r\n", [Reply(False, "gone")], b"-ERR gone\r\n"),
        (b"RETR 7\r\n", [Reply(False, "", "SYS/TEMP")], b"-ERR [SYS/TEMP]\r\n"),
    ],
)
def test_answers(line: bytes, values: list[Any], wire: bytes) -> None:
    conn = logged_in()
    assert not isinstance(hear(conn, line), Bad)
    for value in values:
        conn.send(value)
    assert said(conn) == wire
    assert conn.next_event() is NEED_DATA


@pytest.mark.parametrize(
    ("line", "values"),
    [
        (None, [OK]),
        (None, [pop3.Greeting()]),
        (None, [Chunk(b"x")]),
        (b"STAT\r\n", [Chunk(b"x")]),
        (b"STAT\r\n", [End()]),
        (b"STAT\r\n", [pop3.Listing(1, 1)]),
        (b"STAT\r\n", [pop3.Challenge()]),
        (b"STAT\r\n", [OK, OK]),
        (b"LIST\r\n", [pop3.Listing(1, 1)]),
        (b"LIST\r\n", [OK, OK]),
        (b"LIST\r\n", [OK, pop3.UniqueId(1, "a")]),
        (b"LIST\r\n", [OK, Chunk(b"x")]),
        (b"LIST\r\n", [ERR, End()]),
        (b"RETR 1\r\n", [OK, OK]),
        (b"RETR 1\r\n", [OK, pop3.Listing(1, 1)]),
        (b"LIST\r\n", [Lines((pop3.Listing(1, 1),))]),
        (b"LIST\r\n", [OK, Lines((pop3.Listing(1, 1), pop3.UniqueId(1, "a")))]),
        (b"UIDL\r\n", [OK, Lines((pop3.UniqueId(1, "a"), pop3.UniqueId(2, "a b")))]),
        (b"LIST 1\r\n", [Lines((pop3.Listing(1, 1),))]),
        (b"UIDL 1\r\n", [pop3.UniqueId(1, "a b")]),
        (b"NONSENSE\r\n", [pop3.StatData(1, 1)]),
        (b"STAT\r\n", ["+OK 1 1\r\n"]),
    ],
    ids=repr,
)
def test_a_local_error_changes_nothing(line: bytes | None, values: list[Any]) -> None:
    conn = logged_in()
    if line is not None:
        hear(conn, line)
    *before, wrong = values
    for value in before:
        conn.send(value)
    said(conn)
    state, event = conn.state, conn.next_event()
    with pytest.raises(LocalProtocolError):
        conn.send(wrong)
    assert said(conn) == b""
    assert conn.state is state
    assert conn.next_event() is event


# -- commands that cannot be obeyed --------------------------------------------------


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"NOOP\nNOOP",
        b"FROBNICATE",
        b"RETR",
        b"RETR +1",
        b"STAT 1",
        b"USER ann",
        b"PASS x",
        b"STLS now",
        b"AUTH PLAIN",
        b" STAT",
        b"ST\0AT",
        b"\xff\xfe",
        b"XTND XMIT",
        b"LAST",
        b"DELE 1\rDELE 2",
    ],
)
def test_a_bad_command_is_an_event_and_the_session_goes_on(line: bytes) -> None:
    conn = logged_in()
    bad = hear(conn, line + b"\r\nNOOP\r\n")
    assert isinstance(bad, Bad)
    assert bad.line == line
    assert not bad.hint.ok
    conn.send(bad.hint)
    hint = said(conn)
    assert hint.startswith(b"-ERR ")
    assert line.strip() not in hint or line in (b"", b"RETR", b"LAST")
    assert conn.next_event() == pop3.Noop()
    assert conn.state is State.TRANSACTION


def test_what_the_peer_said_is_never_repeated() -> None:
    conn = server()
    for line in (
        b"<script>alert(1)</script>",
        b"USER \xff<b>",
        b"AUTH <b> x",
        b"\x1b[31m",
    ):
        bad = hear(conn, line + b"\r\n")
        for octet in (b"<", b"\x1b", b"\xff"):
            assert octet not in bad.hint.write()
        assert line.decode("latin-1") not in repr(bad)
        conn.send(bad.hint)


@pytest.mark.parametrize("line", [b"USER", b"USER ", b"PASS x", b"STAT", b"UIDL 1"])
def test_what_cannot_be_said_before_the_log_in(line: bytes) -> None:
    conn = server()
    assert isinstance(hear(conn, line + b"\r\n"), Bad)


def test_pass_follows_user() -> None:
    conn = server()
    hear(conn, b"USER ann\r\n")
    conn.send(OK)
    assert state_of(conn) is State.NAMED
    hear(conn, b"CAPA\r\n")
    conn.send(OK)
    conn.send(End())
    assert conn.state is State.AUTHORIZATION
    assert isinstance(hear(conn, b"PASS secret\r\n"), Bad)


def test_a_line_that_is_too_long_is_skipped_and_answered_once() -> None:
    conn = server()
    assert hear(conn, b"x" * 300) is NEED_DATA
    assert hear(conn, b"x" * 10_000) is NEED_DATA
    assert conn.buffered == 0
    bad = hear(conn, b"\r\nCAPA\r\n")
    assert bad == Bad(b"", Reply(False, "line too long"))
    conn.send(bad.hint)
    assert conn.next_event() == pop3.Capa()


def test_a_line_of_255_octets_is_heard_and_one_of_256_is_not() -> None:
    conn = server()
    assert isinstance(hear(conn, b"USER " + b"a" * 248 + b"\r\n"), pop3.User)
    conn.send(OK)
    assert isinstance(hear(conn, b"USER " + b"a" * 249 + b"\r\n"), Bad)


def test_a_line_without_end_is_the_end() -> None:
    conn = server(limits=pop3.Limits(discarded=1000))
    assert hear(conn, b"x" * 500) is NEED_DATA
    with pytest.raises(LimitExceeded, match="without an end") as caught:
        hear(conn, b"x" * 501)
    assert caught.value.limit == "discarded"
    assert conn.state is State.CLOSED


def test_bad_commands_are_counted() -> None:
    conn = server(limits=pop3.Limits(bad_commands=2))
    for _ in range(2):
        conn.send(hear(conn, b"NONSENSE\r\n").hint)
    said(conn)
    with pytest.raises(LimitExceeded, match="too many bad commands") as caught:
        hear(conn, b"NONSENSE\r\n")
    with pytest.raises(LimitExceeded):
        conn.send(OK)
    conn.send(caught.value.hint)
    assert said(conn) == b"-ERR unknown command\r\n"
    with pytest.raises(LimitExceeded):
        conn.send(caught.value.hint)


def test_failed_log_ins_are_counted_and_the_last_one_is_answered() -> None:
    conn = server(limits=pop3.Limits(failed_logins=2))
    hear(conn, b"USER ann\r\n")
    conn.send(OK)
    hear(conn, b"PASS x\r\n")
    conn.send(ERR)
    assert conn.state is State.AUTHORIZATION
    hear(conn, b"AUTH SCRAM-SHA-256\r\n")
    conn.send(Reply(False, "no", "AUTH"))
    assert said(conn).endswith(b"-ERR [AUTH] no\r\n")
    with pytest.raises(LimitExceeded, match="too many failed log-ins"):
        hear(conn, b"CAPA\r\n")


@pytest.mark.parametrize(
    "line",
    [b"GET / HTTP/1.1", b"POST /x HTTP/1.0", b"CONNECT a:25", b"PATCH /x HTTP/2"],
)
def test_http_is_hung_up_on(line: bytes) -> None:
    """A browser is made to post a POP3 session (ALPACA)."""
    conn = server()
    with pytest.raises(RemoteProtocolError, match="HTTP"):
        hear(conn, line + b"\r\nHost: x\r\n\r\nUSER ann\r\nPASS x\r\n")


# -- TLS ---------------------------------------------------------------------------


def test_stls() -> None:
    conn = server(Security.STARTTLS)
    assert hear(conn, b"STLS\r\n") == pop3.Stls()
    conn.send(OK)
    assert said(conn) == b"+OK\r\n"
    assert conn.next_event() is START_TLS
    conn.tls_started()
    assert conn.next_event() is NEED_DATA
    assert isinstance(hear(conn, b"STLS\r\n"), Bad)
    conn.send(ERR)
    assert hear(conn, b"USER ann\r\n") == pop3.User("ann")


@pytest.mark.parametrize("planted", [b"CAPA\r\n", b"xx", b"\r\n"])
def test_what_is_sent_behind_stls_is_refused(planted: bytes) -> None:
    """CVE-2011-0411, CVE-2021-33515: it was run as if it had come through TLS."""
    conn = server(Security.STARTTLS)
    with pytest.raises(RemoteProtocolError, match="behind STLS") as caught:
        hear(conn, b"STLS\r\n" + planted)
    conn.send(caught.value.hint)
    assert said(conn).startswith(b"-ERR ")

    for answered in (False, True):  # and what comes a little later
        conn = server(Security.STARTTLS)
        hear(conn, b"STLS\r\n")
        if answered:
            conn.send(OK)
            conn.receive_data(planted)
        else:
            conn.receive_data(planted)
            conn.send(OK)
        with pytest.raises(RemoteProtocolError, match="plaintext"):
            conn.next_event()
        assert not conn.tls_due


def test_a_refused_stls_leaves_everything_as_it_is() -> None:
    conn = server(Security.STARTTLS)
    hear(conn, b"STLS\r\n")
    conn.send(ERR)
    assert conn.state is State.AUTHORIZATION
    assert hear(conn, b"CAPA\r\n") == pop3.Capa()


@pytest.mark.parametrize(
    ("security", "refused"),
    [
        (Security.STARTTLS, [b"USER a", b"AUTH PLAIN", b"AUTH SCRAM-SHA-256", b"UTF8"]),
        (Security.OPTIONAL, [b"USER a", b"AUTH PLAIN", b"AUTH LOGIN", b"AUTH XOAUTH2"]),
        (Security.CLEARTEXT, []),
    ],
)
def test_what_is_refused_in_the_clear(security: Security, refused: list[bytes]) -> None:
    for line in (b"USER a", b"AUTH PLAIN", b"AUTH LOGIN", b"AUTH XOAUTH2",
                 b"AUTH SCRAM-SHA-256", b"UTF8", b"CAPA", b"QUIT"):  # fmt: skip
        conn = server(security)
        if security is Security.STARTTLS and line.startswith(b"AUTH"):
            refused = [*refused, line]
        assert isinstance(hear(conn, line + b"\r\n"), Bad) is (line in refused), line
        assert conn.cleartext_refused is (security is not Security.CLEARTEXT)


def test_implicit_tls_comes_before_the_greeting() -> None:
    conn = pop3.Server(Security.IMPLICIT)
    assert conn.next_event() is START_TLS
    conn.tls_started()
    assert conn.next_event() is PAUSED
    conn.send(pop3.Greeting())
    assert not conn.cleartext_refused
    gone = pop3.Server(Security.IMPLICIT)
    gone.receive_data(b"")
    assert gone.next_event() == Closed()


# -- AUTH --------------------------------------------------------------------------


def test_an_exchange_of_challenges_and_responses() -> None:
    conn = server()
    assert hear(conn, b"auth cram-md5\r\n") == pop3.Auth("CRAM-MD5")
    conn.send(pop3.Challenge(b"<1.2@example>"))
    assert said(conn) == b"+ PDEuMkBleGFtcGxlPg==\r\n"
    with pytest.raises(LocalProtocolError, match="is no answer to"):
        conn.send(OK)
    assert conn.next_event() is NEED_DATA
    assert hear(conn, b"YW5u\r\n") == pop3.Response(b"ann")
    assert conn.next_event() is PAUSED
    conn.send(pop3.Challenge())
    assert hear(conn, b"\r\n") == pop3.Response(b"")
    conn.send(OK)
    assert conn.state is State.TRANSACTION
    assert isinstance(hear(conn, b"AUTH PLAIN\r\n"), Bad)


def test_initial_responses() -> None:
    for line, initial in (
        (b"AUTH PLAIN AGEAYg==\r\n", b"\0a\0b"),
        (b"AUTH EXTERNAL =\r\n", b""),
        (b"AUTH EXTERNAL\r\n", None),
    ):
        event = hear(server(), line)
        assert event.initial == initial
    assert isinstance(hear(server(), b"AUTH PLAIN AGEA=Yg=\r\n"), Bad)


def test_a_log_in_that_is_given_up() -> None:
    conn = server()
    hear(conn, b"AUTH PLAIN\r\n")
    conn.send(pop3.Challenge())
    assert hear(conn, b"*\r\n") == pop3.Cancel()
    conn.send(ERR)
    assert conn.state is State.AUTHORIZATION


def test_a_response_that_is_not_base64_ends_the_log_in() -> None:
    conn = server()
    hear(conn, b"AUTH PLAIN\r\n")
    conn.send(pop3.Challenge())
    bad = hear(conn, b"!!!\r\n")
    assert isinstance(bad, Bad)
    conn.send(bad.hint)
    assert said(conn).endswith(b"-ERR that is not base64\r\n")
    assert hear(conn, b"CAPA\r\n") == pop3.Capa()


def test_a_response_may_be_long_but_not_endless() -> None:
    conn = server()
    hear(conn, b"AUTH PLAIN\r\n")
    conn.send(pop3.Challenge())
    data = b"x" * 9000
    assert hear(conn, sasl.encode_base64(data) + b"\r\n") == pop3.Response(data)
    conn.send(pop3.Challenge())
    assert isinstance(hear(conn, b"A" * 12_287 + b"\r\n"), Bad)
    conn.send(ERR)
    assert hear(conn, b"CAPA\r\n") == pop3.Capa()


def test_rounds_are_counted() -> None:
    conn = server(limits=pop3.Limits(sasl_rounds=2))
    hear(conn, b"AUTH X\r\n")
    for _ in range(2):
        conn.send(pop3.Challenge())
        assert hear(conn, b"\r\n") == pop3.Response()
    conn.send(pop3.Challenge())
    assert isinstance(hear(conn, b"\r\n"), Bad)


# -- the end -----------------------------------------------------------------------


def test_only_quit_in_transaction_leads_to_update() -> None:
    conn = logged_in()
    hear(conn, b"DELE 1\r\n")
    conn.send(OK)
    assert hear(conn, b"QUIT\r\n") == pop3.Quit()
    assert state_of(conn) is State.UPDATE
    conn.send(Reply(False, "some deleted messages not removed"))
    assert conn.state is State.CLOSED
    assert events(conn) == [Closed()]

    conn = server()
    hear(conn, b"QUIT\r\n")
    assert conn.state is State.AUTHORIZATION
    conn.send(OK)
    assert events(conn) == [Closed()]


@pytest.mark.parametrize("sent", [b"", b"DELE 2\r\n"])
def test_a_client_that_goes_away_does_not_update(sent: bytes) -> None:
    conn = logged_in()
    hear(conn, b"DELE 1\r\n")
    conn.send(OK)
    if sent:
        hear(conn, sent)
        conn.send(OK)
    conn.receive_data(b"")
    assert events(conn) == [Closed()]
    assert conn.state is State.TRANSACTION


@pytest.mark.parametrize("lines", [[b"QUI"], [b"QUIT"], [b"QUIT\r"], [b"x" * 1000]])
def test_half_a_command_is_not_obeyed(lines: list[bytes]) -> None:
    conn = logged_in()
    for line in lines:
        conn.receive_data(line)
    conn.receive_data(b"")
    with pytest.raises(RemoteProtocolError, match="inside a command"):
        conn.next_event()


def test_a_client_that_goes_away_in_a_log_in() -> None:
    conn = server()
    hear(conn, b"AUTH PLAIN\r\n")
    conn.send(pop3.Challenge())
    conn.receive_data(b"")
    with pytest.raises(RemoteProtocolError, match="inside a command"):
        conn.next_event()


def test_a_refused_client_is_told_and_gone() -> None:
    conn = pop3.Server(Security.CLEARTEXT)
    conn.send(pop3.Greeting("too many", ok=False, code="SYS/TEMP"))
    assert said(conn) == b"-ERR [SYS/TEMP] too many\r\n"
    assert events(conn) == [Closed()]


def test_utf8_is_known_once_it_is_granted() -> None:
    conn = server()
    hear(conn, b"UTF8\r\n")
    conn.send(OK)
    assert conn.utf8
    assert isinstance(hear(conn, b"STLS\r\n"), Bad)  # RFC 6856 2.1


def test_a_trace_shows_everything_but_secrets() -> None:
    lines: list[str] = []
    conn = pop3.Server(Security.CLEARTEXT)
    conn.trace = lambda side, line: lines.append(f"{side}: {line.decode()}")
    conn.send(pop3.Greeting("hi"))
    for line, answers in (
        (b"PSAS s3cret\r\n", [ERR]),
        (b"USER ann\r\n", [OK]),
        (b"PASS s3cret\r\n", [ERR]),
        (b"AUTH PLAIN\r\n", [pop3.Challenge()]),
        (b"AGFubgBzM2NyZXQ=\r\n", [pop3.Challenge(b"s3cret")]),
        (b"*\r\n", [ERR]),
    ):
        hear(conn, line)
        for value in answers:
            conn.send(value)
    assert lines == [
        "S: +OK hi", "C: (no command)", "S: -ERR", "C: USER ann", "S: +OK",
        "C: PASS ****", "S: -ERR", "C: AUTH PLAIN", "S: + ****", "C: ****",
        "S: + ****", "C: *", "S: -ERR",
    ]  # fmt: skip
