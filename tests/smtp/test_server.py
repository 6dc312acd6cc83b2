"""The server: what it hands over, what it says, and what it refuses by itself."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from mailproto import (
    NEED_DATA,
    PAUSED,
    START_TLS,
    Bad,
    Chunk,
    Closed,
    End,
    LimitExceeded,
    LocalProtocolError,
    RemoteProtocolError,
    Security,
    smtp,
)
from mailproto.smtp import (
    Bdat,
    Data,
    EhloData,
    EnhancedCode,
    Extension,
    Greeting,
    Mail,
    Newlines,
    Noop,
    Quit,
    Rcpt,
    Reply,
    Rset,
    State,
)
from mailproto.testing import Pair, events

OK = Reply(250, "ok")
ALL = (
    "PIPELINING", "SIZE 1000", "8BITMIME", "BINARYMIME", "CHUNKING", "DSN", "SMTPUTF8",
    "DELIVERBY 60", "FUTURERELEASE 3600 2030-01-01T00:00:00Z", "MT-PRIORITY", "RRVS",
    "BURL imap", "ETRN", "ATRN", "AUTH PLAIN LOGIN", "XCLIENT NAME ADDR",
    "XFORWARD NAME", "X-FOO",
)  # fmt: skip


def offer(*extensions: str) -> EhloData:
    return EhloData("mx.example.org", tuple(map(Extension.read, extensions)))


def said(server: smtp.Server) -> bytes:
    return b"".join(server.data_to_send())


def heard(server: smtp.Server, *lines: str | bytes) -> list[Any]:
    """What the server makes of *lines*."""
    coded = [line.encode() if isinstance(line, str) else line for line in lines]
    server.receive_data(b"".join(line + b"\r\n" for line in coded))
    return events(server)


def bad(server: smtp.Server, *lines: str | bytes) -> str:
    """The code of the hint, when the last of *lines* is refused; it is answered."""
    got = heard(server, *lines)
    assert isinstance(got[-1], Bad), got
    server.send(got[-1].hint)
    return f"{got[-1].hint.code} {got[-1].hint.enhanced}"


def greeted(*extensions: str, **options: Any) -> smtp.Server:
    """A server that was told EHLO and has offered these *extensions*."""
    server = smtp.Server(options.pop("security", Security.CLEARTEXT), **options)
    server.send(Greeting("mx.example.org"))
    heard(server, "LHLO a.example" if server.dialect.lmtp else "EHLO a.example")
    server.send(offer(*extensions))
    server.data_to_send()
    return server


def in_transaction(
    *extensions: str, recipients: int = 1, **options: Any
) -> smtp.Server:
    server = greeted(*extensions, **options)
    heard(server, "MAIL FROM:<ann@example.org>")
    server.send(OK)
    for _ in range(recipients):
        heard(server, "RCPT TO:<bob@example.org>")
        server.send(OK)
    server.data_to_send()
    return server


def in_data(*extensions: str, **options: Any) -> smtp.Server:
    server = in_transaction(*extensions, **options)
    assert heard(server, "DATA") == [Data()]
    server.send(Reply(354, "go"))
    server.data_to_send()
    return server


# -- commands --------------------------------------------------------------------


def test_greet_first() -> None:
    server = smtp.Server(Security.CLEARTEXT)
    server.receive_data(b"EHLO early\r\n")
    assert server.next_event() is PAUSED
    assert server.buffered == 12  # an early talker can be seen
    with pytest.raises(LocalProtocolError, match="nothing was asked in GREETING"):
        server.send(OK)
    server.send(Greeting("mx.example.org"))
    assert said(server) == b"220 mx.example.org\r\n"
    assert events(server) == [smtp.Ehlo("early")]
    assert server.next_event() is PAUSED
    server.send(offer("DSN"))
    assert said(server) == b"250-mx.example.org\r\n250 DSN\r\n"
    assert server.state is State.READY
    assert server.capabilities == offer("DSN")


def test_a_refusing_greeting_is_the_end() -> None:
    server = smtp.Server(Security.CLEARTEXT)
    server.send(Greeting("not now", 421))
    assert events(server) == [Closed()]


@pytest.mark.parametrize("code", [521, 554])
def test_after_a_refusing_greeting_quit_is_waited_for(code: int) -> None:
    """RFC 5321 3.1: anything else is 503."""
    server = smtp.Server(Security.CLEARTEXT)
    server.send(Greeting("go away", code))
    for line in ("EHLO x", "NOOP", "MAIL FROM:<>"):
        assert bad(server, line) == "503 5.5.1"
    assert heard(server, "QUIT") == [Quit()]
    server.send(Reply(221, "bye"))
    assert events(server) == [Closed()]


def test_nothing_is_said_before_implicit_tls() -> None:
    server = smtp.Server(Security.IMPLICIT)
    assert server.next_event() is START_TLS
    with pytest.raises(LocalProtocolError):
        server.send(Greeting("x"))
    server.tls_started()
    server.send(Greeting("x"))


def test_a_command_is_answered_before_the_next_is_handed_over() -> None:
    server = greeted("PIPELINING")
    got = heard(server, "mail from:<> ", "RCPT TO:<Bob@example.org>", "QUIT")
    assert got == [Mail("")]
    server.send(OK)
    assert events(server) == [Rcpt("Bob@example.org")]
    server.send(Reply(550, "no"))
    assert events(server) == [Quit()]
    server.send(Reply(221, "bye"))
    assert said(server) == b"250 ok\r\n550 no\r\n221 bye\r\n"
    assert events(server) == [Closed()]
    with pytest.raises(LocalProtocolError):
        server.send(Reply(421, "too late"))


@pytest.mark.parametrize(
    ("line", "wrong"),
    [
        ("NOOP", Reply(354, "go")),
        ("NOOP", Reply(334)),
        ("NOOP", offer()),
        ("NOOP", smtp.Challenge(b"")),
        ("EHLO x", Reply(250, "x")),
        ("FOO", Reply(250, "fine")),
        ("STARTTLS", Reply(250, "fine")),
        ("XCLIENT NAME=x", Reply(250, "fine")),
        ("AUTH PLAIN", Reply(334, "x")),
        ("NOOP", Greeting("again")),
        ("NOOP", b"250 ok"),
    ],
)
def test_an_answer_that_does_not_fit(line: str, wrong: Any) -> None:
    server = greeted("STARTTLS", "XCLIENT NAME", "AUTH PLAIN")
    heard(server, line)
    with pytest.raises(LocalProtocolError):
        server.send(wrong)
    assert said(server) == b""
    server.send(Reply(451, "later"))


def test_data_is_not_simply_granted() -> None:
    server = in_transaction()
    heard(server, "DATA")
    with pytest.raises(LocalProtocolError):
        server.send(OK)
    server.send(Reply(354, "go"))
    with pytest.raises(LocalProtocolError):
        server.send(OK)  # before the message is over
    heard(server, b"", b".")
    with pytest.raises(LocalProtocolError):
        server.send(Reply(354, "again"))


def test_what_must_not_be_offered() -> None:
    server = smtp.Server(Security.IMPLICIT)
    server.tls_started()
    server.send(Greeting("x"))
    heard(server, "EHLO x")
    with pytest.raises(LocalProtocolError, match="STARTTLS"):
        server.send(offer("STARTTLS"))
    server.send(offer("REQUIRETLS"))
    assert heard(server, "MAIL FROM:<> REQUIRETLS") == [Mail("", smtp.RequireTls())]
    server = smtp.Server(Security.CLEARTEXT)
    server.send(Greeting("x"))
    heard(server, "EHLO x")
    with pytest.raises(LocalProtocolError, match="REQUIRETLS"):
        server.send(offer("REQUIRETLS"))
    with pytest.raises(LocalProtocolError, match="domain"):
        server.send(EhloData(""))


def test_enhanced_codes_where_they_were_announced() -> None:
    """RFC 2034 4."""
    server = greeted("ENHANCEDSTATUSCODES")
    heard(server, "NOOP")
    server.send(OK)
    heard(server, "NOOP")
    server.send(Reply(450, "a\nb", EnhancedCode(4, 2, 0)))
    heard(server, "EHLO x")
    server.send(Reply(550, "no"))
    assert said(server) == b"250 2.0.0 ok\r\n450-4.2.0 a\r\n450 4.2.0 b\r\n550 no\r\n"
    server = in_transaction("ENHANCEDSTATUSCODES")
    heard(server, "DATA")
    server.send(Reply(354, "go"))
    assert said(server) == b"354 go\r\n"


# -- what the server refuses by itself -------------------------------------------


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("", "500 5.5.2"),
        ("FOO", "500 5.5.2"),
        ("MA\rIL FROM:<>", "500 5.5.2"),
        ("LHLO x", "500 5.5.2"),
        ("TURN", "502 5.5.1"),
        ("NOOP " + "x" * 3000, "500 5.5.2"),
        ("EHLO", "501 5.5.4"),
        ("EHLO \u00fc", "501 5.5.2"),
        ("EHLO [999.0.0.1]", "501 5.5.4"),
        ("MAIL", "501 5.5.4"),
        ("MAIL FROM: <a@b.example>", "501 5.1.7"),
        ("MAIL FROM:a@b.example", "501 5.1.7"),
        ("MAIL FROM:<a>", "501 5.1.7"),
        ("MAIL FROM:<a@b.example>>", "501 5.1.7"),
        ("MAIL FROM:<Postmaster>", "501 5.1.7"),
        (b"MAIL FROM:<\xff@b.example>", "501 5.5.2"),
        ("MAIL FROM:<\u00fc@b.example>", "550 5.6.7"),
        ("MAIL FROM:<> SIZE=1001", "552 5.3.4"),
        ("MAIL FROM:<> SIZE=" + 20 * "9", "552 5.3.4"),
        ("MAIL FROM:<> SIZE=" + 21 * "9", "501 5.5.4"),
        ("MAIL FROM:<> SIZE=", "501 5.5.4"),
        ("MAIL FROM:<> SIZE", "501 5.5.4"),
        ("MAIL FROM:<> SIZE=1 SIZE=1", "501 5.5.4"),
        ("MAIL FROM:<> NOTIFY=NEVER", "555 5.5.4"),
        ("MAIL FROM:<> X-BAR", "555 5.5.4"),
        ("MAIL FROM:<> x_y=1", "501 5.5.4"),
        ("MAIL FROM:<> REQUIRETLS", "530 5.7.0"),
        ("MAIL FROM:<> BY=59;R", "555 5.5.4"),
        ("MAIL FROM:<> BY=0;R", "501 5.5.4"),
        ("MAIL FROM:<> HOLDFOR=3601", "501 5.5.4"),
        ("MAIL FROM:<> HOLDFOR=01", "501 5.5.4"),
        ("MAIL FROM:<> HOLDFOR=121 BY=120;R", "501 5.5.4"),
        ("MAIL FROM:<> HOLDFOR=1 BY=-1;N", "501 5.5.4"),
        ("MAIL FROM:<> HOLDUNTIL=2031-01-01T00:00:00Z", "501 5.5.4"),
        ("MAIL FROM:<> HOLDFOR=1 HOLDUNTIL=2029-01-01T00:00:00Z", "501 5.5.4"),
        ("MAIL FROM:<> MT-PRIORITY=10", "501 5.5.4"),
        ("RCPT TO:<bob@example.org>", "503 5.5.1"),
        ("DATA", "503 5.5.1"),
        ("AUTH", "501 5.5.4"),
        ("AUTH CRAM-MD5", "504 5.5.4"),
        ("AUTH PLAIN x", "501 5.5.2"),
        ("AUTH PLAIN *", "501 5.5.2"),
        ("AUTH \u00fc", "501 5.5.2"),
        ("STARTTLS", "502 5.5.1"),
        ("ATRN", "530 5.7.0"),
        ("XCLIENT LOGIN=x", "501 5.5.4"),
        ("XFORWARD ADDR=x", "501 5.5.4"),
        ("XCLIENT NAME", "501 5.5.4"),
        ("VRFY", "501 5.5.4"),
        ("VRFY \u00fc", "501 5.5.4"),
        ("RSET x", "501 5.5.4"),
        ("BURL imap:x", "503 5.5.1"),
    ],
)
def test_refused_by_itself(line: str | bytes, code: str) -> None:
    server = greeted(*ALL)
    assert bad(server, line) == code
    assert heard(server, "NOOP") == [Noop()]


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("RCPT TO:<>", "501 5.1.3"),
        ("RCPT TO:<bob>", "501 5.1.3"),
        ("RCPT FROM:<a@b.example>", "501 5.5.4"),
        ("RCPT TO:<\u00fc@b.example>", "553 5.6.7"),
        ("RCPT TO:<bob@b.example> ORCPT=utf-8;\u00fc@b.example", None),
        ("RCPT TO:<bob@b.example> SIZE=1", "555 5.5.4"),
        ("RCPT TO:<bob@b.example> NOTIFY=NEVER,DELAY", "501 5.5.4"),
        ("MAIL FROM:<>", "503 5.5.1"),
        ("AUTH PLAIN", "503 5.5.1"),
        ("ETRN x", "503 5.5.1"),
        ("DATA x", "501 5.5.4"),
    ],
)
def test_refused_in_a_transaction(line: str, code: str | None) -> None:
    server = in_transaction(*ALL)
    if code is None:
        assert isinstance(heard(server, line)[0], Rcpt)
    else:
        assert bad(server, line) == code


def test_without_ehlo_there_are_no_parameters() -> None:
    server = smtp.Server(Security.CLEARTEXT)
    server.send(Greeting("x"))
    assert bad(server, "MAIL FROM:<>") == "503 5.5.1"
    heard(server, "HELO x")
    server.send(OK)
    assert bad(server, "MAIL FROM:<> SIZE=1") == "555 5.5.4"
    assert bad(server, "AUTH PLAIN") == "502 5.5.1"
    assert bad(server, "VRFY x SMTPUTF8") == "504 5.5.4"
    assert heard(server, "MAIL FROM:<>") == [Mail("")]


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("MAIL FROM:<> SIZE=1", "555 5.5.4"),
        ("MAIL FROM:<> BODY=7BIT", "555 5.5.4"),
        ("MAIL FROM:<> BODY=BINARYMIME", "555 5.5.4"),
        ("MAIL FROM:<> RET=FULL", "555 5.5.4"),
        ("MAIL FROM:<> BY=1;N", "555 5.5.4"),
        ("MAIL FROM:<> HOLDFOR=1", "555 5.5.4"),
        ("MAIL FROM:<> HOLDUNTIL=2003-07-23T00:00:00Z", "555 5.5.4"),
    ],
)
def test_what_was_not_offered(line: str, code: str) -> None:
    assert bad(greeted(), line) == code


def test_what_was_offered() -> None:
    server = greeted(*ALL)
    soon = datetime(2029, 1, 1, tzinfo=UTC) + timedelta(seconds=1)
    line = (
        "MAIL FROM:<ann@example.org> size=1000 BODY=8bitmime SMTPUTF8 AUTH=<> RET=hdrs "
        "ENVID=a+2Bb BY=60;rt HOLDUNTIL=2029-01-01T00:00:01Z MT-PRIORITY=-9 X-FOO=bar"
    )
    (mail,) = heard(server, line)
    assert mail == Mail(
        "ann@example.org",
        smtp.Size(1000),
        smtp.Body(smtp.BodyType.EIGHTBITMIME),
        smtp.SmtpUtf8(),
        smtp.AuthAs(),
        smtp.Ret(smtp.Returned.HDRS),
        smtp.EnvId("a+b"),
        smtp.By(60, trace=True),
        smtp.HoldUntil(soon),
        smtp.MtPriority(-9),
        smtp.Other("X-FOO", "bar"),
    )
    assert mail.other("X-FOO") == smtp.Other("X-FOO", "bar")
    assert mail.other("X-BAR") is None
    assert mail.get(smtp.HoldFor) is None
    server.send(OK)
    (rcpt,) = heard(server, "RCPT TO:<POSTMASTER> RRVS=2014-04-03T23:01:00+01:00;r")
    assert rcpt.recipient == "Postmaster"
    assert rcpt.get(smtp.Rrvs).action == "R"
    (mail,) = heard(greeted(*ALL), "MAIL FROM:<> HOLDFOR=3600 BY=3600;N")
    assert mail.get(smtp.HoldFor) == smtp.HoldFor(3600)


def test_rfc_9422_limits_bind_the_client() -> None:
    server = greeted("LIMITS RCPTMAX=1 MAILMAX=1")
    heard(server, "MAIL FROM:<>")
    server.send(OK)
    heard(server, "RCPT TO:<a@b.example>")
    server.send(Reply(550, "no"))
    assert bad(server, "RCPT TO:<a@b.example>") == "452 4.5.3"
    heard(server, "RSET")
    server.send(OK)
    assert bad(server, "MAIL FROM:<>") == "452 4.5.3"


def test_a_mail_that_is_refused_counts() -> None:
    """RFC 9422 4.1: MAILMAX is of MAIL commands."""
    server = greeted("LIMITS MAILMAX=1")
    heard(server, "MAIL FROM:<>")
    server.send(Reply(550, "no"))
    assert bad(server, "MAIL FROM:<>") == "452 4.5.3"


def test_tls_may_be_demanded() -> None:
    """RFC 3207 4."""
    server = greeted("STARTTLS", "AUTH PLAIN", security=Security.STARTTLS)
    for line in ("MAIL FROM:<>", "AUTH PLAIN", "VRFY x", "HELO x"):
        assert bad(server, line) == "530 5.7.0"
    assert heard(server, "NOOP") == [Noop()]


# -- limits ----------------------------------------------------------------------


def test_too_many_bad_commands() -> None:
    server = greeted(limits=smtp.Limits(bad_commands=2))
    assert bad(server, "FOO") == bad(server, "BAR") == "500 5.5.2"
    (error,) = heard(server, "BAZ")
    assert isinstance(error, LimitExceeded)
    assert error.hint.code == 421
    with pytest.raises(RemoteProtocolError):
        server.send(OK)
    server.data_to_send()
    server.send(error.hint)
    assert said(server).startswith(b"421 4.7.0 ")


def test_junk_commands() -> None:
    server = greeted(limits=smtp.Limits(junk_commands=3))
    for line in ("NOOP", "RSET"):
        heard(server, line)
        server.send(OK)
    (error,) = heard(server, "VRFY x")
    assert error.limit == "junk_commands"
    assert error.hint.code == 421


def test_mail_makes_up_for_junk() -> None:
    server = in_data(limits=smtp.Limits(junk_commands=2))
    heard(server, b".")
    server.send(OK)
    for _ in range(2):
        heard(server, "NOOP")
        server.send(OK)
    assert server.state is State.READY


def test_what_comes_of_pipelining_is_not_held_against_the_client() -> None:
    limits = smtp.Limits(bad_commands=1, recipients=100)
    server = greeted("PIPELINING", limits=limits)
    server.receive_data(b"MAIL FROM:<>\r\n" + b"RCPT TO:<a@b.example>\r\n" * 50)
    server.receive_data(b"DATA\r\n")
    assert events(server) == [Mail("")]
    server.send(Reply(550, "no"))
    for _ in range(51):
        (refused,) = events(server)
        assert refused.hint.code == 503
        server.send(refused.hint)
    heard(server, "RSET")
    server.send(OK)
    assert bad(server, "RCPT TO:<a@b.example>") == "503 5.5.1"
    assert isinstance(heard(server, "DATA")[0], LimitExceeded)


def test_a_bad_mail_dooms_what_follows() -> None:
    limits = smtp.Limits(bad_commands=1, recipients=2)
    server = greeted("PIPELINING", limits=limits)
    assert bad(server, "MAIL FROM:<> FOO") == "555 5.5.4"
    assert bad(server, "RCPT TO:<a@b.example>") == "503 5.5.1"
    assert bad(server, "RCPT TO:<a@b.example>") == "503 5.5.1"
    assert isinstance(heard(server, "RCPT TO:<a@b.example>")[0], LimitExceeded)


def test_too_many_recipients() -> None:
    server = in_transaction(limits=smtp.Limits(recipients=1, bad_commands=1))
    assert bad(server, "RCPT TO:<eve@example.org>") == "452 4.5.3"
    assert heard(server, "DATA") == [Data()]


def test_long_lines_are_read_past() -> None:
    server = greeted(limits=smtp.Limits(discarded=20_000, sasl_line=12_288))
    assert bad(server, "x" * 15_000) == "500 5.5.2"
    assert heard(server, "NOOP") == [Noop()]
    server.send(OK)
    server.receive_data(b"x" * 40_000)
    with pytest.raises(LimitExceeded):
        server.next_event()


def test_too_many_failed_log_ins() -> None:
    server = greeted("AUTH PLAIN", limits=smtp.Limits(failed_logins=1))
    heard(server, "AUTH PLAIN =")
    server.send(Reply(535, "no"))
    (error,) = events(server)
    assert error.limit == "failed_logins"


# -- messages --------------------------------------------------------------------


def test_a_message() -> None:
    server = in_data()
    got = heard(server, b"a", b"..b", b".", b"QUIT")
    assert got == [Chunk(b"a\r\n.b\r\n"), End()]
    server.send(OK)
    assert server.state is State.READY
    assert events(server) == [Quit()]


def test_a_message_may_be_refused() -> None:
    server = in_data()
    heard(server, b"a", b".")
    server.send(Reply(554, "spam"))
    assert server.state is State.READY
    server = in_transaction()
    heard(server, "DATA")
    server.send(Reply(451, "later"))
    assert server.state is State.RCPT


# The endings by which one server was taken in and another was not: SEC Consult,
# "SMTP smuggling" (2023), and the test tools that came of it.
ENDINGS = [
    b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r", b"\r.\n", b"\n.\r", b"\r.\r\n",
    b"\r\n.\r", b"\r\n.\r\r\n", b"\r\r\n.\r\r\n", b"\r\n\0.\r\n", b"\r\n.\0\r\n",
    b"\r\r\n.\n", b"\n\n.\n\n", b"\r\n\x85.\x85", b"\r\n.\x0b\n",
]  # fmt: skip
SMUGGLED = b"MAIL FROM:<evil@example.org>\r\nRCPT TO:<bob@example.org>\r\nDATA\r\n"


@pytest.mark.parametrize("ending", ENDINGS, ids=repr)
@pytest.mark.parametrize("policy", Newlines)
@pytest.mark.parametrize("whole", [True, False])
def test_only_crlf_dot_crlf_ends_a_message(
    ending: bytes, policy: Newlines, whole: bool
) -> None:
    server = in_data(newlines=policy)
    sent = b"text" + ending + SMUGGLED + b"\r\n.\r\nNOOP\r\n"
    got: list[Any] = []
    for piece in [sent] if whole else [sent[i : i + 1] for i in range(len(sent))]:
        server.receive_data(piece)
        got += events(server)
    *chunks, last = got
    assert all(isinstance(chunk, Chunk) for chunk in chunks)
    text = b"".join(chunk.data for chunk in chunks)
    assert SMUGGLED in text
    if policy is Newlines.REJECT and not ending.startswith(b"\r\n\x85"):
        assert isinstance(last, Bad)
        assert (last.hint.code, str(last.hint.enhanced)) == (550, "5.6.0")
    else:
        assert last == End()
    if policy is Newlines.NORMALIZE:
        assert text.count(b"\r") == text.count(b"\n") == text.count(b"\r\n")
    server.send(last.hint if isinstance(last, Bad) else OK)
    assert server.state is State.READY
    assert events(server) == [Noop()]  # and nothing else was a command


def test_a_message_that_is_rejected_for_its_line_ends_cannot_be_accepted() -> None:
    server = in_data()
    *_, refused = heard(server, b"a\nb", b".")
    with pytest.raises(LocalProtocolError):
        server.send(OK)
    server.send(refused.hint)
    assert said(server).startswith(b"550 5.6.0 ")


def test_a_cr_at_the_end_of_a_piece() -> None:
    for newlines, text in (
        (Newlines.NORMALIZE, b"a\r\nb\r\nc\r\n"),
        (Newlines.REJECT, b"a\r\nb\rc\r\n"),
    ):
        server = in_data(newlines=newlines)
        got: list[Any] = []
        for piece in (b"a\r", b"\nb\r", b"c\r\n", b".\r\n"):
            server.receive_data(piece)
            got += events(server)
        assert b"".join(x.data for x in got if isinstance(x, Chunk)) == text
        assert isinstance(got[-1], Bad) == (newlines is Newlines.REJECT)


def test_a_cr_that_is_held_while_more_is_there() -> None:
    server = in_data(newlines=Newlines.NORMALIZE)
    server.receive_data(b"\r")
    server.receive_data(b"x\r\n.\r\n")
    got = events(server)
    assert b"".join(x.data for x in got[:-1]) == b"\r\nx\r\n"


def test_a_message_that_is_too_large() -> None:
    server = in_data("SIZE 10")
    got = heard(server, b"12345678", b"", b"abcdef" * 1000, b".", b"NOOP")
    assert b"".join(x.data for x in got[:-1]) in (b"", b"12345678\r\n")
    refused = got[-1]
    assert (refused.hint.code, str(refused.hint.enhanced)) == (552, "5.3.4")
    server.send(refused.hint)
    assert events(server) == [Noop()]
    server = in_data(limits=smtp.Limits(message=10, discarded=100))
    (error,) = heard(server, b"x" * 200)
    assert error.limit == "message"
    assert error.hint.code == 552


def test_byte_by_byte_a_large_message_is_read_past() -> None:
    server = in_data("SIZE 4")
    got: list[Any] = []
    for byte in b"1234567890\r\n.\r\n":
        server.receive_data(bytes([byte]))
        got += events(server)
    assert b"".join(x.data for x in got[:-1]) == b"1234"
    assert got[-1].hint.code == 552


# -- BDAT ------------------------------------------------------------------------


def test_chunks() -> None:
    server = in_transaction("CHUNKING")
    server.receive_data(b"BDAT 7\r\nhello\r\nBDAT 3 LAST\r\n\r\n.QUIT\r\n")
    assert events(server) == [Bdat(7), Chunk(b"hello\r\n"), End()]
    server.send(OK)
    assert server.state.name == "CHUNKS"
    assert events(server) == [Bdat(3, True), Chunk(b"\r\n."), End()]
    server.send(OK)
    assert server.state is State.READY
    assert events(server) == [Quit()]


def test_an_empty_last_chunk() -> None:
    server = in_transaction("CHUNKING")
    assert heard(server, "BDAT 0 LAST") == [Bdat(0, True), End()]
    server.send(OK)
    assert server.state is State.READY


@pytest.mark.parametrize("line", ["BDAT 6", "BDAT 6 LAST"])
def test_a_chunk_that_is_refused_is_read_past(line: str) -> None:
    for server in (greeted("CHUNKING"), in_transaction()):
        server.receive_data(line.encode() + b"\r\nQU")
        assert events(server) == []
        server.receive_data(b"IT\r\nNOOP\r\n")
        (refused,) = events(server)
        assert isinstance(refused, Bad)
        assert refused.line == line.encode()
        assert refused.hint.code in (502, 503)
        server.send(refused.hint)
        assert events(server) == [Noop()]


def test_after_a_refused_chunk_rset_is_due() -> None:
    server = in_transaction("CHUNKING")
    server.receive_data(b"BDAT 1\r\naBDAT 1 LAST\r\nbMAIL FROM:<>\r\nRSET\r\n")
    assert events(server) == [Bdat(1), Chunk(b"a"), End()]
    server.send(Reply(452, "full"))
    assert server.state is State.FAILED
    for code in (503, 503):
        (refused,) = events(server)
        assert refused.hint.code == code
        server.send(refused.hint)
    assert events(server) == [Rset()]
    server.send(OK)
    assert heard(server, "MAIL FROM:<>") == [Mail("")]


def test_data_and_bdat_do_not_mix() -> None:
    server = in_transaction("CHUNKING")
    heard(server, b"BDAT 2", b"")
    server.send(OK)
    assert bad(server, "DATA") == "503 5.5.1"
    assert bad(server, "RCPT TO:<eve@example.org>") == "503 5.5.1"
    server = greeted(*ALL)
    heard(server, "MAIL FROM:<> BODY=BINARYMIME")
    server.send(OK)
    heard(server, "RCPT TO:<bob@example.org>")
    server.send(OK)
    assert bad(server, "DATA") == "503 5.5.1"
    server.receive_data(b"BDAT 3 LAST\r\n\0\r\n")
    assert events(server) == [Bdat(3, True), Chunk(b"\0\r\n"), End()]


def test_a_chunk_with_a_bare_newline_is_refused() -> None:
    server = in_transaction("CHUNKING")
    server.receive_data(b"BDAT 3 LAST\r\na\nb")
    *_, refused = events(server)
    assert refused.hint.code == 550
    server.send(refused.hint)
    assert server.state is State.FAILED
    server = in_transaction("CHUNKING")
    server.receive_data(b"BDAT 1 LAST\r\n\r")
    assert events(server)[-1].hint.code == 550
    server = in_transaction("CHUNKING", newlines=Newlines.NORMALIZE)
    server.receive_data(b"BDAT 1 LAST\r\n\r")
    assert events(server) == [Bdat(1, True), Chunk(b"\r\n"), End()]


@pytest.mark.parametrize(
    "size", ["-1", "x", "", "99999999999999999999999", "1_0", "\u0663", "5 FIRST", "+1"]
)
def test_a_chunk_of_no_known_size_is_the_end(size: str) -> None:
    """What follows must be neither taken for commands nor for the message."""
    server = in_transaction("CHUNKING")
    (error,) = heard(server, f"BDAT {size}", "NOOP")
    assert isinstance(error, RemoteProtocolError)
    assert error.hint.code == 501


def test_chunks_that_are_too_large_or_too_many() -> None:
    server = in_transaction("CHUNKING", "SIZE 10")
    server.receive_data(b"BDAT 8\r\n12345678BDAT 8 LAST\r\n12345678NOOP\r\n")
    events(server)
    server.send(OK)
    assert events(server)[-1].hint.code == 552
    server = in_transaction("CHUNKING", limits=smtp.Limits(message=10, discarded=10))
    server.receive_data(b"BDAT 99999999\r\n" + b"x" * 50)
    assert events(server)[-1].limit == "message"
    server = in_transaction("CHUNKING", limits=smtp.Limits(chunks=1))
    server.receive_data(b"BDAT 1\r\naBDAT 1\r\nbBDAT 1 LAST\r\nc")
    events(server)
    server.send(OK)
    for code in (552, 503):
        (refused,) = events(server)
        assert refused.hint.code == code
        server.send(refused.hint)
    assert server.state is State.FAILED


def test_burl_in_a_message() -> None:
    server = in_transaction(*ALL)
    heard(server, b"BDAT 2", b"")
    server.send(OK)
    assert heard(server, "BURL imap:x") == [smtp.Burl("imap:x")]
    server.send(OK)
    assert bad(server, "BURL nothing") == "501 5.5.4"
    assert server.state is State.FAILED  # a part of the message is missing


# -- LMTP ------------------------------------------------------------------------


def test_lmtp_answers_for_each_recipient() -> None:
    server = in_data(recipients=2, dialect=smtp.LMTP)
    assert heard(server, b"x", b".") == [Chunk(b"x\r\n"), End()]
    server.send(OK)
    assert server.next_event() is PAUSED
    server.send(Reply(452, "full"))
    assert said(server) == b"250 ok\r\n452 full\r\n"
    assert server.state is State.READY


def test_lmtp_refuses_for_all() -> None:
    server = in_data(recipients=2, dialect=smtp.LMTP)
    refused = heard(server, b"x\n", b".")[-1]
    server.send(refused.hint)
    assert said(server).count(b"550 5.6.0") == 2
    assert server.state is State.READY


def test_lmtp_chunks_and_its_own_rules() -> None:
    server = in_transaction("CHUNKING", recipients=2, dialect=smtp.LMTP)
    heard(server, b"BDAT 2", b"")
    server.send(OK)
    assert server.state.name == "CHUNKS"
    heard(server, b"BDAT 2 LAST", b"")
    server.send(OK)
    server.send(OK)
    assert server.state is State.READY
    assert bad(server, "EHLO x") == "500 5.5.2"
    assert bad(server, "DATA") == "503 5.5.1"


# -- STARTTLS, AUTH, and turning around ------------------------------------------


def test_starttls_begins_anew() -> None:
    server = greeted("STARTTLS", "AUTH PLAIN")
    heard(server, "AUTH PLAIN =")
    server.send(Reply(235, "ok"))
    assert heard(server, "STARTTLS") == [smtp.StartTls()]
    server.send(Reply(220, "go"))
    assert server.next_event() is START_TLS
    server.tls_started()
    assert not server.authenticated
    assert server.capabilities is None
    assert bad(server, "MAIL FROM:<>") == "503 5.5.1"
    heard(server, "EHLO x")
    server.send(offer("AUTH PLAIN"))
    assert bad(server, "STARTTLS") == "502 5.5.1"
    assert heard(server, "AUTH PLAIN =") == [smtp.Auth("PLAIN", b"")]


@pytest.mark.parametrize("rest", [b"EHLO evil\r\n", b"x", b"RSET"])
def test_plaintext_behind_starttls_is_the_end(rest: bytes) -> None:
    """CVE-2011-0411."""
    server = greeted("STARTTLS")
    server.receive_data(b"STARTTLS\r\n" + rest)
    with pytest.raises(RemoteProtocolError, match="behind STARTTLS") as failed:
        server.next_event()
    server.send(failed.value.hint)
    assert said(server).startswith(b"503 5.5.1 ")
    server = greeted("STARTTLS")
    heard(server, "STARTTLS")
    server.receive_data(rest)
    server.send(Reply(220, "go"))
    with pytest.raises(RemoteProtocolError):
        server.next_event()


def test_starttls_takes_no_argument_and_may_be_refused() -> None:
    server = greeted("STARTTLS")
    assert bad(server, "STARTTLS now") == "501 5.5.4"
    heard(server, "STARTTLS")
    server.send(Reply(454, "not now"))
    assert server.next_event() is NEED_DATA
    assert server.state is State.READY


def test_a_log_in() -> None:
    server = greeted("AUTH PLAIN LOGIN")
    heard(server, "AUTH LOGIN")
    server.send(smtp.Challenge(b"Username:"))
    with pytest.raises(LocalProtocolError):
        server.send(Reply(235, "ok"))
    assert server.next_event() is NEED_DATA
    assert heard(server, "YW5u") == [smtp.Response(b"ann")]
    server.send(smtp.Challenge(b"Password:"))
    assert heard(server, "*") == [smtp.Cancel()]
    server.send(Reply(501, "given up"))
    assert said(server) == b"334 VXNlcm5hbWU6\r\n334 UGFzc3dvcmQ6\r\n501 given up\r\n"
    heard(server, "AUTH PLAIN AA==")
    server.send(Reply(235, "ok"))
    assert server.authenticated
    assert bad(server, "AUTH PLAIN") == "503 5.5.1"


def test_a_response_that_is_none() -> None:
    server = greeted("AUTH LOGIN", limits=smtp.Limits(sasl_rounds=1))
    heard(server, "AUTH LOGIN")
    server.send(smtp.Challenge(b""))
    assert bad(server, "not base64") == "501 5.5.2"
    heard(server, "AUTH LOGIN")
    server.send(smtp.Challenge(b""))
    assert bad(server, "x" * 13_000) == "500 5.5.6"
    heard(server, "AUTH LOGIN")
    server.send(smtp.Challenge(b""))
    heard(server, "")
    server.send(smtp.Challenge(b""))
    assert server.next_event() is NEED_DATA
    assert bad(server, "") == "500 5.5.6"


def test_passwords_in_the_clear() -> None:
    server = greeted("AUTH PLAIN CRAM-MD5", security=Security.OPTIONAL)
    assert bad(server, "AUTH PLAIN") == "538 5.7.11"
    assert heard(server, "AUTH CRAM-MD5") == [smtp.Auth("CRAM-MD5")]


def test_a_long_first_response_is_fine() -> None:
    server = greeted("AUTH PLAIN")
    (auth,) = heard(server, "AUTH PLAIN " + "AAAA" * 2000)
    assert len(auth.initial) == 6000


def test_xclient_begins_anew() -> None:
    server = greeted("XCLIENT NAME")
    (xclient,) = heard(server, "XCLIENT name=a+2Bb")
    assert xclient.get("NAME") == "a+b"
    assert xclient.get("ADDR") is None
    server.send(Reply(220, "mx"))
    assert server.state is State.START


def test_421_at_any_time() -> None:
    for server in (greeted(), in_transaction(), in_data()):
        server.send(Reply(421, "going down"))
        assert said(server) == b"421 going down\r\n"
        assert events(server) == [Closed()]
    server = greeted("ENHANCEDSTATUSCODES", "AUTH PLAIN")
    heard(server, "AUTH PLAIN")
    server.send(smtp.Challenge(b""))
    server.send(Reply(421, "going down"))
    assert said(server).endswith(b"421 4.0.0 going down\r\n")
    assert server.state is State.CLOSED


def test_421_is_no_part_of_a_handshake() -> None:
    server = greeted("STARTTLS")
    heard(server, "STARTTLS")
    server.send(Reply(220, "go"))
    server.data_to_send()
    for each in (server, smtp.Server(Security.IMPLICIT)):
        with pytest.raises(LocalProtocolError):
            each.send(Reply(421, "going down"))
        assert said(each) == b""
        each.tls_started()
        each.send(Reply(421, "going down"))
        assert said(each) == b"421 going down\r\n"


def test_the_client_hangs_up() -> None:
    server = greeted()
    server.receive_data(b"")
    assert events(server) == [Closed()]
    for server in (in_data(), greeted()):
        server.receive_data(b"NOO")
        events(server)
        server.receive_data(b"")
        assert isinstance(events(server)[-1], RemoteProtocolError)


def test_the_client_hangs_up_before_the_handshake() -> None:
    server = greeted("STARTTLS")
    heard(server, "STARTTLS")
    server.send(Reply(220, "go"))
    server.receive_data(b"")
    assert events(server) == [Closed()]


def test_http_is_not_for_us() -> None:
    assert isinstance(heard(greeted(), "GET / HTTP/1.1")[0], RemoteProtocolError)


def test_after_atrn_the_ends_are_exchanged() -> None:
    """RFC 2645 5.3: on the same connection, the customer is the server now."""
    customer = smtp.Client(Security.CLEARTEXT)
    provider = smtp.Server(Security.CLEARTEXT)
    pair = Pair(customer, provider)
    provider.send(Greeting("EXAMPLE.NET"))
    pair.client_events()
    for command, answer in (
        (smtp.Ehlo("example.org"), offer("AUTH PLAIN", "ATRN")),
        (smtp.Auth("PLAIN", b"x"), Reply(235, "ok")),
        (smtp.Atrn(("example.org",)), Reply(250, "reversing")),
    ):
        customer.send(command)
        assert pair.server_events() == [command]
        provider.send(answer)
        pair.client_events()
    assert customer.state is provider.state is State.TURNED
    assert provider.next_event() is PAUSED
    with pytest.raises(LocalProtocolError):
        provider.send(Reply(421, "no"))
    provider.receive_data(b"220 example")  # the customer's greeting comes, cut
    receiver = smtp.Server(Security.CLEARTEXT)
    sender = smtp.Client(Security.CLEARTEXT)
    receiver.send(Greeting("example.org"))
    sender.receive_data(provider.trailing_data + b".org\r\n")
    receiver.data_to_send()
    assert events(sender) == [Greeting("example.org")]
    turned = Pair(sender, receiver)
    sender.send(smtp.Ehlo("EXAMPLE.NET"))
    assert turned.server_events() == [smtp.Ehlo("EXAMPLE.NET")]


def test_a_dialect_can_have_more_verbs() -> None:
    class Turn(smtp.SmtpCommand[Reply]):
        verb = b"TURN"

        def __eq__(self, other: object) -> bool:
            return isinstance(other, Turn)

        __hash__ = None  # type: ignore[assignment]

    dialect = smtp.SMTP.extended({(State.READY, Turn): State.TURNED})
    server = greeted(dialect=dialect)
    assert heard(server, "TURN") == [Turn()]
    server.send(OK)
    assert server.state is State.TURNED


def test_a_transcript_shows_no_secret() -> None:
    lines: list[tuple[str, bytes]] = []
    server = greeted("AUTH PLAIN LOGIN")
    server.trace = lambda side, line: lines.append((side, line))
    heard(server, "AUTH PLAIN c2VjcmV0")
    server.send(Reply(535, "no"))
    heard(server, "AUTH LOGIN")
    server.send(smtp.Challenge(b"secret"))
    heard(server, "c2VjcmV0")
    server.send(smtp.Challenge(b""))
    heard(server, "*")
    server.send(Reply(501, "no"))
    heard(server, "passwd c2VjcmV0")
    assert not any(b"c2Vj" in line for _, line in lines)
    assert ("C", b"AUTH PLAIN ****") in lines
    assert ("C", b"(no command)") in lines


def test_a_transcript_tells_how_large_a_message_was() -> None:
    lines: list[tuple[str, bytes]] = []
    server = in_transaction()
    server.trace = lambda side, line: lines.append((side, line))
    heard(server, "DATA")
    server.send(Reply(354))
    heard(server, "a message", ".")
    assert lines == [("C", b"DATA"), ("S", b"354"), ("C", b"(11 octets)")]
