"""What the client machine sends, holds, believes and refuses."""

from __future__ import annotations

from typing import Any

import pytest

from mailproto import (
    Call,
    Chunk,
    Closed,
    Completed,
    Deviation,
    End,
    GoAhead,
    LimitExceeded,
    LocalProtocolError,
    RemoteProtocolError,
    Security,
    sasl,
)
from mailproto.imap import (
    IMAP4REV1,
    Append,
    Authenticate,
    Cancel,
    Capabilities,
    Capability,
    Client,
    Close,
    Code,
    Condition,
    Create,
    Done,
    Enable,
    Examine,
    Exists,
    Fetch,
    Greeting,
    Id,
    IdData,
    Idle,
    Limits,
    LiteralBegins,
    Login,
    Logout,
    Malformed,
    Move,
    Noop,
    Other,
    Quirk,
    Reply,
    Response,
    Select,
    SequenceSet,
    StartTls,
    State,
    Streamed,
    UidSet,
)
from mailproto.imap.grammar import Literal
from mailproto.testing import events


def client(
    *said: bytes, security: Security = Security.CLEARTEXT, **options: Any
) -> Client:
    """One that has been greeted, and told more; it has handled all of it."""
    conn = Client(security, **options)
    for data in said or (b"* OK ready\r\n",):
        hear(conn, data)
    return conn


def hear(conn: Client, data: bytes) -> list[Any]:
    conn.receive_data(data)
    got = events(conn)
    for event in got:
        if isinstance(event, RemoteProtocolError):
            raise event
    return got


def sent(conn: Client) -> bytes:
    return b"".join(conn.data_to_send())


def logged_in(*capabilities: str, **options: Any) -> Client:
    words = " ".join(("IMAP4rev1", *capabilities))
    return client(b"* PREAUTH [CAPABILITY %b] hi\r\n" % words.encode(), **options)


def selected(*capabilities: str, **options: Any) -> Client:
    tags = (f"t{n}" for n in range(100))
    conn = logged_in(*capabilities, tags=tags, **options)
    conn.send(Select("INBOX"))
    sent(conn)
    hear(conn, b"* 9 EXISTS\r\nt0 OK [READ-WRITE] done\r\n")
    return conn


# -- the greeting ------------------------------------------------------------------


def test_the_greeting_comes_first() -> None:
    conn = Client(Security.CLEARTEXT)
    with pytest.raises(LocalProtocolError, match="GREETING"):
        conn.send(Capability())
    (greeting,) = hear(conn, b"* OK [CAPABILITY IMAP4rev1 IDLE] hi\r\n")
    assert isinstance(greeting, Greeting)
    assert conn.greeting is greeting
    assert conn.capabilities == Capabilities("IMAP4rev1", "IDLE")
    assert conn.state is State.NOT_AUTHENTICATED


def test_preauth_is_a_log_in() -> None:
    conn = client(b"* PREAUTH hi\r\n")
    assert conn.state is State.AUTHENTICATED
    assert conn.capabilities is None


def test_bye_is_a_greeting_that_ends_it() -> None:
    conn = Client(Security.CLEARTEXT)
    (greeting,) = hear(conn, b"* BYE full\r\n")
    assert not greeting.ok
    assert conn.state is State.LOGOUT
    conn.receive_data(b"")
    assert events(conn) == [Closed()]


@pytest.mark.parametrize(
    "line",
    [b"x1 OK hi", b"+OK hi", b"* NO hi", b"* 1 EXISTS", b"+ hi", b"220 hi", b"* X"],
)
def test_nothing_else_is_a_greeting(line: bytes) -> None:
    conn = Client(Security.CLEARTEXT)
    with pytest.raises(RemoteProtocolError):
        hear(conn, line + b"\r\n")
    assert conn.state is State.LOGOUT
    with pytest.raises(RemoteProtocolError):
        conn.send(Noop())


def test_preauth_where_tls_is_demanded_is_the_end() -> None:
    conn = Client(Security.STARTTLS)
    with pytest.raises(RemoteProtocolError, match="PREAUTH"):
        hear(conn, b"* PREAUTH hi\r\n")
    assert sent(conn) == b""


# -- tags, answers, what is forgotten ------------------------------------------------


def test_answers_are_told_by_their_tags() -> None:
    conn = client()
    first, second = conn.send(Noop()), conn.send(Capability())
    assert sent(conn) == b"A1 NOOP\r\nA2 CAPABILITY\r\n"
    reply = Reply(Condition.OK, "done")
    assert hear(conn, b"A2 OK done\r\n") == [Completed(second, reply)]
    assert hear(conn, b"A1 OK done\r\n") == [Completed(first, reply)]


@pytest.mark.parametrize("line", [b"A1 OK x", b"A7 OK x", b"a2 NO x"])
def test_an_answer_that_nobody_waits_for_is_an_error(line: bytes) -> None:
    conn = client()
    conn.send(Noop())
    sent(conn)
    hear(conn, b"A1 OK x\r\n")
    with pytest.raises(RemoteProtocolError, match="nobody waits"):
        hear(conn, line + b"\r\n")


def test_an_answer_before_the_question_is_an_error() -> None:
    conn = client()
    conn.send(StartTls())
    with pytest.raises(RemoteProtocolError, match="before the command was sent"):
        hear(conn, b"A1 OK forged\r\n")


def test_capabilities_are_forgotten_by_a_log_in() -> None:
    conn = client(b"* OK [CAPABILITY LITERAL+] hi\r\n")
    conn.send(Login("a", "b"))
    sent(conn)
    hear(conn, b"A1 OK in\r\n")
    assert conn.capabilities is None
    assert conn.state is State.AUTHENTICATED


def test_or_else_they_come_with_it() -> None:
    for said in (
        b"A1 OK [CAPABILITY IDLE] in\r\n",
        b"* CAPABILITY IDLE\r\nA1 OK in\r\n",
        b"* OK [CAPABILITY IDLE] x\r\nA1 OK in\r\n",
    ):
        conn = client(b"* OK [CAPABILITY LITERAL+] hi\r\n")
        conn.send(Login("a", "b"))
        sent(conn)
        hear(conn, said)
        assert conn.capabilities == Capabilities("IDLE")


def test_a_refused_log_in_changes_nothing() -> None:
    conn = client(b"* OK [CAPABILITY LITERAL+] hi\r\n")
    conn.send(Login("a", "b"))
    sent(conn)
    hear(conn, b"A1 NO wrong\r\n")
    assert conn.capabilities == Capabilities("LITERAL+")
    assert conn.state is State.NOT_AUTHENTICATED


def test_what_was_sent_in_hope_of_a_log_in_is_not_said_without_it() -> None:
    conn = client()
    conn.send(Login("a", "b"))
    held = conn.send(Select("INBOX"))
    assert b"SELECT" not in sent(conn)
    got = hear(conn, b"A1 NO wrong\r\n")
    assert got[1:] == [Completed(held, Reply(Condition.NO, "wrong"))]
    assert sent(conn) == b""
    with pytest.raises(LocalProtocolError, match="NOT AUTHENTICATED"):
        conn.send(Select("INBOX"))


def test_enabled_is_what_the_server_says() -> None:
    conn = logged_in("ENABLE")
    conn.send(Enable("CONDSTORE", "X"))
    sent(conn)
    hear(conn, b"* ENABLED X\r\nA1 OK done\r\n")
    assert conn.enabled == {"X"}


def test_select_leaves_the_mailbox_before() -> None:
    conn = selected()
    assert (conn.mailbox, conn.read_only) == ("INBOX", False)
    conn.send(Examine("b"))
    sent(conn)
    hear(conn, b"t1 NO there is none\r\n")
    assert conn.state is State.AUTHENTICATED
    assert conn.mailbox is None


def test_a_mailbox_may_become_read_only() -> None:
    conn = selected()
    hear(conn, b"* OK [READ-ONLY] it is now\r\n")
    assert conn.read_only


def test_what_is_malformed_costs_one_response() -> None:
    conn = selected()
    call = conn.send(Noop())
    sent(conn)
    lost, *rest = hear(conn, b"* 99999999999 EXISTS\r\n* 10 EXISTS\r\nt1 OK done\r\n")
    assert isinstance(lost, Malformed)
    assert rest == [Exists(10), Completed(call, Reply(Condition.OK, "done"))]


@pytest.mark.parametrize("line", [b"t1 WHAT done", b"t1", b"+["])
def test_but_not_if_it_is_waited_for(line: bytes) -> None:
    conn = selected()
    conn.send(Noop())
    sent(conn)
    with pytest.raises(RemoteProtocolError):
        hear(conn, line + b"\r\n")


def test_what_is_no_command_cannot_be_sent() -> None:
    conn = client()
    value: Any = "NOOP"
    with pytest.raises(LocalProtocolError, match="nothing that IMAP can send"):
        conn.send(value)
    assert conn.can_send(value).no is not None


def test_in_flight_is_limited() -> None:
    conn = client(limits=Limits(in_flight=2))
    conn.send(Noop())
    conn.send(Noop())
    with pytest.raises(LocalProtocolError, match="more than 2"):
        conn.send(Noop())


# -- TLS ---------------------------------------------------------------------------


def test_starttls_forgets_what_was_learnt() -> None:
    conn = client(b"* OK [CAPABILITY STARTTLS] hi\r\n", security=Security.STARTTLS)
    call = conn.send(StartTls())
    with pytest.raises(LocalProtocolError, match="until STARTTLS is over"):
        conn.send(Noop())
    sent(conn)
    assert hear(conn, b"A1 OK [CAPABILITY X-EVIL] go\r\n") == []
    assert conn.tls_due
    conn.tls_started()
    (done,) = events(conn)
    assert done.call is call
    assert conn.capabilities is None
    assert not conn.tls_demanded


@pytest.mark.parametrize("more", [b"* CAPABILITY X\r\n", b"* "])
def test_what_is_planted_behind_the_ok_is_the_end(more: bytes) -> None:
    conn = client(security=Security.STARTTLS)
    conn.send(StartTls())
    sent(conn)
    with pytest.raises(RemoteProtocolError, match="plaintext"):
        hear(conn, b"A1 OK go\r\n" + more)
    assert not conn.tls


@pytest.mark.parametrize("answer", [b"NO", b"BAD"])
def test_a_refused_starttls_leads_nowhere(answer: bytes) -> None:
    conn = client(security=Security.STARTTLS)
    conn.send(StartTls())
    sent(conn)
    hear(conn, b"A1 %b no\r\n" % answer)
    with pytest.raises(LocalProtocolError, match="before TLS"):
        conn.send(Login("a", "b"))


@pytest.mark.parametrize(
    "line", [b"* LIST () NIL evil", b"* 5 EXISTS", b"* SEARCH 1", b"* X-EVIL"]
)
def test_data_before_the_demanded_tls_are_the_end(line: bytes) -> None:
    conn = client(security=Security.STARTTLS)
    with pytest.raises(RemoteProtocolError, match="in the clear"):
        hear(conn, line + b"\r\n")


def test_data_that_were_asked_for_may_come_before_the_demanded_tls() -> None:
    greeting = b"* OK [CAPABILITY IMAP4rev1 ID STARTTLS] hi\r\n"
    conn = client(greeting, security=Security.STARTTLS)
    call = conn.send(Id.of(name="me"))
    assert sent(conn) == b'A1 ID ("name" "me")\r\n'
    told, done = hear(conn, b'* ID ("name" "Dovecot")\r\nA1 OK done\r\n')
    assert told == IdData((("name", "Dovecot"),))
    assert done.call is call
    with pytest.raises(RemoteProtocolError, match="in the clear"):
        hear(conn, b"* ID NIL\r\n")


def test_an_alert_before_the_demanded_tls_is_for_nobody() -> None:
    conn = client(security=Security.STARTTLS)
    assert hear(conn, b"* OK [ALERT] call 0900\r\n") == []
    plain = client()
    assert len(hear(plain, b"* OK [ALERT] be good\r\n")) == 1


@pytest.mark.parametrize("security", [Security.OPTIONAL, Security.STARTTLS])
def test_no_password_goes_in_the_clear(security: Security) -> None:
    conn = client(b"* OK [CAPABILITY AUTH=PLAIN] hi\r\n", security=security)
    for command in (Login("a", "b"), Authenticate.using(sasl.Plain("a", "b"))):
        assert conn.can_send(command).no is not None
        with pytest.raises(LocalProtocolError):
            conn.send(command)
    assert sent(conn) == b""


def test_login_is_not_sent_where_it_is_disabled() -> None:
    conn = client(b"* OK [CAPABILITY LOGINDISABLED] hi\r\n")
    with pytest.raises(LocalProtocolError, match="disabled"):
        conn.send(Login("a", "b"))


# -- literals ----------------------------------------------------------------------


def test_a_literal_waits_to_be_asked_for() -> None:
    conn = client()
    call = conn.send(Login("ä", "ö"))
    noop = conn.send(Noop())
    assert conn.can_send(Noop()).wait == (
        "the server has not asked for a literal of LOGIN"
    )
    assert sent(conn) == b"A1 LOGIN {2}\r\n"
    assert hear(conn, b"* OK wait\r\n+ go\r\n")[1:] == []
    assert sent(conn) == "ä {2}\r\n".encode()
    hear(conn, b"+ go\r\n")
    assert sent(conn) == "ö\r\n".encode()
    (done,) = hear(conn, b"A1 OK in\r\n")
    assert done.call is call
    assert sent(conn) == b"A2 NOOP\r\n"
    assert hear(conn, b"A2 OK x\r\n")[0].call is noop


def test_an_empty_literal_is_no_end() -> None:
    conn = logged_in()
    conn.send(Append("x", b""))
    assert sent(conn) == b"A1 APPEND x {0}\r\n"
    hear(conn, b"+ go\r\n")
    assert conn.data_to_send() == [b"\r\n"]


@pytest.mark.parametrize("answer", [b"NO [TOOBIG] no", b"BAD no"])
def test_a_refused_literal_is_not_sent(answer: bytes) -> None:
    conn = client()
    conn.send(Login("ä", "ö"))
    conn.send(Noop())
    sent(conn)
    (done,) = hear(conn, b"A1 " + answer + b"\r\n")
    assert not done.ok
    assert sent(conn) == b"A2 NOOP\r\n"


def test_ok_to_a_command_that_is_not_all_sent_is_forged() -> None:
    conn = client()
    conn.send(Login("ä", "ö"))
    sent(conn)
    with pytest.raises(RemoteProtocolError, match="before the command was sent"):
        hear(conn, b"A1 OK in\r\n")


@pytest.mark.parametrize("capability", ["LITERAL+", "LITERAL-"])
def test_some_servers_need_not_ask(capability: str) -> None:
    conn = logged_in(capability)
    conn.send(Append("x", b"y" * 4096))
    assert sent(conn) == b"A1 APPEND x {4096+}\r\n" + b"y" * 4096 + b"\r\n"
    hear(conn, b"A1 OK done\r\n")
    conn.send(Append("x", b"y" * 4097))
    out = conn.data_to_send()
    if capability == "LITERAL-":
        assert out == [b"A2 APPEND x {4097}\r\n"]
    else:
        assert out == [b"A2 APPEND x {4097+}\r\n", b"y" * 4097, b"\r\n"]


def test_a_plus_that_is_not_owed_is_an_error() -> None:
    for said in (client(), selected()):
        said.send(Noop())
        sent(said)
        with pytest.raises(RemoteProtocolError, match="asks for"):
            hear(said, b"+ send me secrets\r\n")
    early = client()
    early.send(Login("ä", "ö"))
    with pytest.raises(RemoteProtocolError, match="has not heard of"):
        hear(early, b"+ go\r\n")


def test_octets_that_are_no_string_need_binary() -> None:
    fragments = Other("X", "a")

    class Odd(Other):
        def write(self) -> list[Any]:
            return [b"X ", Literal(b"\0", binary=True)]

    odd = Odd("X")
    conn = client(b"* OK [CAPABILITY IMAP4rev1] hi\r\n", dialect=_with(Odd))
    assert conn.can_send(fragments)
    with pytest.raises(LocalProtocolError, match="BINARY"):
        conn.send(odd)
    conn = client(b"* OK [CAPABILITY BINARY] hi\r\n", dialect=_with(Odd))
    conn.send(odd)
    assert sent(conn) == b"A1 X ~{1}\r\n"


def _with(kind: Any) -> Any:
    from mailproto.imap import IMAP4REV1

    return IMAP4REV1.extended(
        {(State.NOT_AUTHENTICATED, kind): State.NOT_AUTHENTICATED}
    )


# -- APPEND in chunks ----------------------------------------------------------------


def test_a_message_may_go_in_chunks() -> None:
    conn = logged_in()
    call = conn.send(Append("x", Streamed(5)))
    with pytest.raises(LocalProtocolError, match="until APPEND is over"):
        conn.send(Noop())
    with pytest.raises(LocalProtocolError, match="no literal is awaited"):
        conn.send(Chunk(b"early"))
    assert sent(conn) == b"A1 APPEND x {5}\r\n"
    assert hear(conn, b"+ go\r\n") == [GoAhead(call, b"go")]
    conn.send(Chunk(b"abc"))
    for wrong in (Chunk(b"def"), Chunk(b"\0"), End()):
        with pytest.raises(LocalProtocolError):
            conn.send(wrong)
    conn.send(Chunk(b"de"))
    conn.send(End())
    conn.send(Noop())
    assert sent(conn) == b"abcde\r\nA2 NOOP\r\n"
    assert hear(conn, b"A1 OK done\r\n")[0].ok


def test_a_plus_amid_the_octets_is_an_error() -> None:
    conn = logged_in()
    conn.send(Append("x", Streamed(2)))
    sent(conn)
    hear(conn, b"+ go\r\n")
    sent(conn)
    with pytest.raises(RemoteProtocolError, match="not owed"):
        hear(conn, b"+ go\r\n")


def test_and_need_not_be_asked_for() -> None:
    conn = logged_in("LITERAL+")
    call = conn.send(Append("x", Streamed(2)))
    assert events(conn) == [GoAhead(call, b"")]
    conn.send(Chunk(b"ab"))
    conn.send(End())
    assert sent(conn) == b"A1 APPEND x {2+}\r\nab\r\n"


def test_a_message_that_is_refused_on_its_way_is_sent_to_its_end() -> None:
    """The server counts its octets, and would take what follows for them."""
    conn = logged_in()
    conn.send(Append("x", Streamed(2)))
    sent(conn)
    hear(conn, b"+ go\r\n")
    sent(conn)
    assert hear(conn, b"A1 NO full\r\n") == []
    conn.send(Chunk(b"ab"))
    conn.send(End())
    (done,) = events(conn)
    assert not done.ok
    assert sent(conn) == b"ab\r\n"


def test_a_message_that_is_refused_at_once_is_not_sent() -> None:
    conn = logged_in()
    conn.send(Append("x", Streamed(2)))
    sent(conn)
    (done,) = hear(conn, b"A1 NO [TRYCREATE] no such mailbox\r\n")
    assert not done.ok
    with pytest.raises(LocalProtocolError):
        conn.send(Chunk(b"ab"))
    assert conn.can_send(Noop())


# -- AUTHENTICATE --------------------------------------------------------------------


def test_a_mechanism_answers_by_itself() -> None:
    conn = client(b"* OK [CAPABILITY AUTH=PLAIN] hi\r\n")
    conn.send(Authenticate.using(sasl.Plain("a", "b")))
    assert sent(conn) == b"A1 AUTHENTICATE PLAIN\r\n"
    assert hear(conn, b"+ \r\n") == []
    assert sent(conn) == b"AGEAYg==\r\n"
    hear(conn, b"A1 OK in\r\n")
    assert conn.state is State.AUTHENTICATED


def test_with_sasl_ir_at_once() -> None:
    conn = client(b"* OK [CAPABILITY AUTH=PLAIN SASL-IR] hi\r\n")
    conn.send(Authenticate.using(sasl.Plain("a", "b")))
    assert sent(conn) == b"A1 AUTHENTICATE PLAIN AGEAYg==\r\n"


def test_a_first_response_that_is_too_long_comes_later() -> None:
    limits = Limits(sasl_line=30)
    conn = client(b"* OK [CAPABILITY AUTH=PLAIN SASL-IR] hi\r\n", limits=limits)
    conn.send(Authenticate.using(sasl.Plain("a", "b")))
    assert sent(conn) == b"A1 AUTHENTICATE PLAIN\r\n"


def test_a_log_in_by_hand() -> None:
    conn = client(b"* OK [CAPABILITY AUTH=X] hi\r\n")
    call = conn.send(Authenticate("X"))
    with pytest.raises(LocalProtocolError, match="no challenge"):
        conn.send(Response(b"a"))
    sent(conn)
    assert hear(conn, b"+ YQ==\r\n") == [GoAhead(call, b"a")]
    with pytest.raises(LocalProtocolError, match="until AUTHENTICATE is over"):
        conn.send(Noop())
    conn.send(Response(b"b"))
    assert sent(conn) == b"Yg==\r\n"
    hear(conn, b"+ YQ==\r\n")
    conn.send(Cancel())
    assert sent(conn) == b"*\r\n"
    (done,) = hear(conn, b"A1 BAD cancelled\r\n")
    assert not done.ok


def test_a_first_challenge_may_be_words() -> None:
    conn = client(b"* OK [CAPABILITY AUTH=X AUTH=PLAIN] hi\r\n")
    call = conn.send(Authenticate("X"))
    sent(conn)
    assert hear(conn, b"+ go ahead\r\n") == [
        Deviation(Quirk.ODD_CHALLENGE, b"+ go ahead"),
        GoAhead(call, b""),
    ]
    conn.send(Cancel())
    sent(conn)
    hear(conn, b"A1 BAD cancelled\r\n")
    conn.send(Authenticate.using(sasl.Plain("a", "b")))
    sent(conn)
    assert len(hear(conn, b"+ go ahead\r\n")) == 1
    assert sent(conn) == b"AGEAYg==\r\n"


def test_a_challenge_that_is_no_base64_cancels() -> None:
    conn = client(b"* OK [CAPABILITY AUTH=X] hi\r\n", strict=True)
    call = conn.send(Authenticate("X"))
    sent(conn)
    hear(conn, b"+ !!!\r\n")
    assert sent(conn) == b"*\r\n"
    hear(conn, b"A1 BAD cancelled\r\n")
    assert isinstance(call.cause, RemoteProtocolError)


def test_a_mechanism_that_is_not_content_cancels() -> None:
    conn = client(b"* OK [CAPABILITY AUTH=PLAIN] hi\r\n")
    call = conn.send(Authenticate.using(sasl.Plain("a", "b")))
    sent(conn)
    hear(conn, b"+ \r\n")
    sent(conn)
    hear(conn, b"+ YQ==\r\n")
    assert sent(conn) == b"*\r\n"
    with pytest.raises(RemoteProtocolError, match="cancelled was granted"):
        hear(conn, b"A1 OK in\r\n")
    assert call.cause is None


def test_a_log_in_that_has_not_been_made_cannot_be_granted() -> None:
    conn = client(b"* OK [CAPABILITY AUTH=PLAIN] hi\r\n")
    conn.send(Authenticate.using(sasl.Plain("a", "b")))
    sent(conn)
    with pytest.raises(RemoteProtocolError, match="before the command"):
        hear(conn, b"A1 OK in\r\n")


def test_challenges_are_counted() -> None:
    conn = client(b"* OK hi\r\n", limits=Limits(sasl_rounds=2))
    conn.send(Authenticate("X"))
    sent(conn)
    for _ in range(2):
        hear(conn, b"+ \r\n")
        conn.send(Response(b""))
        sent(conn)
    with pytest.raises(LimitExceeded, match="sasl_rounds"):
        hear(conn, b"+ \r\n")


# -- IDLE --------------------------------------------------------------------------


def idling() -> tuple[Client, Call[Any]]:
    conn = logged_in("IDLE")
    call = conn.send(Idle())
    assert sent(conn) == b"A1 IDLE\r\n"
    return conn, call


def test_idle() -> None:
    conn, call = idling()
    assert hear(conn, b"* 3 EXISTS\r\n+ idling\r\n* 4 EXISTS\r\n") == [
        Exists(3),
        GoAhead(call, b"idling"),
        Exists(4),
    ]
    with pytest.raises(LocalProtocolError, match="until IDLE is over"):
        conn.send(Noop())
    conn.send(Done())
    with pytest.raises(LocalProtocolError, match="no IDLE"):
        conn.send(Done())
    conn.send(Noop())
    assert sent(conn) == b"DONE\r\n"
    assert len(hear(conn, b"* 5 EXISTS\r\nA1 OK done\r\n")) == 2
    assert sent(conn) == b"A2 NOOP\r\n"


def test_done_waits_until_the_server_is_ready_for_it() -> None:
    conn, _ = idling()
    conn.send(Done())
    assert sent(conn) == b""
    hear(conn, b"+ idling\r\n")
    assert sent(conn) == b"DONE\r\n"


def test_a_refused_idle_is_over_without_done() -> None:
    conn, _ = idling()
    conn.send(Done())
    (done,) = hear(conn, b"A1 NO not now\r\n")
    assert not done.ok
    assert sent(conn) == b""
    with pytest.raises(LocalProtocolError, match="no IDLE"):
        conn.send(Done())


def test_a_server_may_end_idle_by_itself() -> None:
    conn, _ = idling()
    hear(conn, b"+ idling\r\n")
    (done,) = hear(conn, b"A1 OK enough\r\n")
    assert done.ok
    assert conn.can_send(Noop())


def test_a_second_plus_in_idle_is_an_error() -> None:
    conn, _ = idling()
    hear(conn, b"+ idling\r\n")
    with pytest.raises(RemoteProtocolError, match="not owed"):
        hear(conn, b"+ idling\r\n")


# -- several commands at once --------------------------------------------------------


def test_what_could_be_misunderstood_is_held() -> None:
    conn = selected()
    fetch = Fetch(SequenceSet(1), "FLAGS")
    assert conn.can_send(fetch)
    conn.send(Noop())
    verdict = conn.can_send(fetch)
    assert not verdict
    assert "EXPUNGE" in str(verdict.wait)
    conn.send(fetch)
    assert sent(conn) == b"t1 NOOP\r\n"
    hear(conn, b"* 3 EXPUNGE\r\nt1 OK done\r\n")
    assert sent(conn) == b"t2 FETCH 1 FLAGS\r\n"


def test_what_cannot_is_not() -> None:
    conn = selected()
    conn.send(Fetch(SequenceSet(1), "FLAGS"))
    conn.send(Fetch(SequenceSet(2), "FLAGS"))
    conn.send(Noop())
    assert sent(conn).count(b"\r\n") == 3


def test_can_send_says_what_send_would_refuse() -> None:
    conn = client()
    assert "cannot be said" in str(conn.can_send(Select("x")).no)
    early = Client(Security.CLEARTEXT)
    assert not early.can_send(Noop())


# -- the end -----------------------------------------------------------------------


def test_logout() -> None:
    conn = selected()
    call = conn.send(Logout())
    with pytest.raises(LocalProtocolError, match="LOGOUT"):
        conn.send(Noop())
    sent(conn)
    bye, done = hear(conn, b"* BYE see you\r\nt1 OK done\r\n")
    assert bye == Reply(Condition.BYE, "see you")
    assert done.call is call
    assert conn.state is State.LOGOUT
    conn.receive_data(b"")
    assert events(conn) == [Closed()]


def test_a_server_that_hangs_up_with_bye_has_logged_us_out() -> None:
    conn = selected()
    call = conn.send(Logout())
    sent(conn)
    hear(conn, b"* BYE see you\r\n")
    conn.receive_data(b"")
    assert events(conn) == [Completed(call, Reply(Condition.OK, "see you")), Closed()]
    strict = client(strict=True)
    strict.send(Logout())
    sent(strict)
    hear(strict, b"* BYE see you\r\n")
    with pytest.raises(RemoteProtocolError, match="before LOGOUT was answered"):
        hear(strict, b"")


def test_bye_is_the_answer_to_all_that_waits() -> None:
    conn = selected()
    first = conn.send(Noop())
    held = conn.send(Fetch(SequenceSet(1), "FLAGS"))
    sent(conn)
    bye = Reply(Condition.BYE, "shutting down", Code("UNAVAILABLE"))
    assert hear(conn, b"* BYE [UNAVAILABLE] shutting down\r\n") == [
        bye,
        Completed(first, bye),
        Completed(held, bye),
    ]
    assert conn.state is State.LOGOUT
    assert hear(conn, b"t1 OK done all the same\r\n") == []
    with pytest.raises(RemoteProtocolError, match="nobody waits"):
        hear(conn, b"t1 OK and again\r\n")


def test_bye_amid_a_log_in() -> None:
    conn = client(b"* OK [CAPABILITY AUTH=X] hi\r\n")
    call = conn.send(Authenticate("X"))
    sent(conn)
    got = hear(conn, b"* BYE no\r\n")
    assert got[1].call is call


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (b"", "hung|closed by the server"),
        (b"* 1 EX", "inside a response"),
        (b"* LIST () NIL {3}\r\na", "inside a response"),
    ],
)
def test_a_connection_that_is_lost(said: bytes, words: str) -> None:
    conn = logged_in()
    hear(conn, said) if said else None
    with pytest.raises(RemoteProtocolError, match=words):
        hear(conn, b"")


def test_a_connection_that_is_lost_amid_a_command() -> None:
    conn = logged_in()
    conn.send(Noop())
    sent(conn)
    with pytest.raises(RemoteProtocolError, match="before NOOP was answered"):
        hear(conn, b"")


def test_a_transcript_shows_no_secret() -> None:
    seen: list[tuple[str, bytes]] = []
    conn = client(b"* OK [CAPABILITY AUTH=PLAIN SASL-IR] hi\r\n")
    conn.trace = lambda side, line: seen.append((side, line))
    conn.send(Login("ann", "secret"))
    sent(conn)
    hear(conn, b"A1 NO no\r\n")
    conn.send(Authenticate.using(sasl.Plain("ann", "secret")))
    sent(conn)
    hear(conn, b"A2 NO no\r\n")
    hear(conn, b"* 99999999999 EXISTS\r\n")
    conn.send(Authenticate.using(sasl.Plain("ann", "secret")))
    sent(conn)
    hear(conn, b"+ \r\n")
    hear(conn, b"A3 NO no\r\n")
    lines = [line for side, line in seen if side == "C"]
    assert lines[2:] == [b"A3 AUTHENTICATE PLAIN ****", b"*"]
    del lines[2:]
    assert lines == [b"A1 LOGIN ann ****", b"A2 AUTHENTICATE PLAIN ****"]
    heard = [line for side, line in seen if side == "S"]
    assert heard == [
        b"A1 NO no", b"A2 NO no", b"* 99999999999 EXISTS", b"+ ****", b"A3 NO no",
    ]  # fmt: skip


def test_a_transcript_shows_no_message() -> None:
    seen: list[bytes] = []
    conn = logged_in(limits=Limits(inline_literal=2))
    conn.trace = lambda side, line: seen.append(line)
    got = hear(conn, b"* 1 FETCH (BODY[] {3}\r\nabc)\r\n")
    assert [type(event).__name__ for event in got] == [
        "LiteralBegins", "Chunk", "FetchData",
    ]  # fmt: skip
    assert seen == [b"(BODY[] of message 1, 3 octets)", b"* 1 FETCH (BODY[])"]


@pytest.mark.parametrize("kind", [SequenceSet, UidSet])
def test_chunks_are_of_the_fetch_that_asked_for_them(kind: Any) -> None:
    """Dovecot tells late that a FETCH is over: the data of the next come before."""
    conn = selected(limits=Limits(inline_literal=2))
    calls = [conn.send(Fetch(kind(n), "BODY.PEEK[]")) for n in (1, 2, 3)]
    sent(conn)
    told = (
        b"* 1 FETCH (UID 1 BODY[] {2}\r\nab)\r\n"
        b"* 2 FETCH (UID 2 BODY[] {4}\r\nabcd)\r\n"
        b"t1 OK done\r\nt2 OK done\r\n"
        b"* 3 FETCH (UID 3 BODY[] {3}\r\nabc)\r\n"
        b"t3 OK done\r\n"
    )
    for event in hear(conn, told):
        assert any(call.feed(event) for call in calls)
    bodies = [data.body() for call in calls for data in call.result()]
    assert bodies == [b"ab", b"abcd", b"abc"]


def test_a_call_that_is_over_claims_nothing() -> None:
    """What comes then is news, though it looks like what was asked for."""
    conn = selected()
    call = conn.send(Fetch(SequenceSet(1), "FLAGS"))
    sent(conn)
    told, done, news = hear(
        conn,
        b"* 1 FETCH (FLAGS ())\r\nt1 OK done\r\n* 1 FETCH (FLAGS (\\Seen))\r\n",
    )
    assert call.feed(told)
    assert call.feed(done)
    assert not call.feed(news)
    assert call.result() == [told]


UNCERTAIN = (
    b"* 1 FETCH (BODY[1] {2}\r\nab BODY[2] {3}\r\nabc UID 8)\r\n"
    b"* 2 FETCH (BODY[1] {4}\r\nabcd UID 7)\r\n"
    b"* 3 FETCH (UID 9 BODY[1] {5}\r\nabcde)\r\n"
    b"t1 OK done\r\nt2 OK done\r\nt3 OK done\r\n"
)


def by_uid(**limits: int) -> tuple[Client, list[Call[Any]]]:
    """Three FETCHes on their way, of the messages 7 to 9."""
    conn = selected(limits=Limits(inline_literal=1, **limits))
    items = ("BODY.PEEK[1]", "BODY.PEEK[2]")
    calls = [conn.send(Fetch(UidSet(uid), *items)) for uid in (7, 8, 9)]
    sent(conn)
    return conn, calls


def test_octets_wait_for_a_uid_that_is_told_behind_them() -> None:
    """RFC 3501 6.4.8 says that it is told, and not where."""
    conn, calls = by_uid()
    for event in hear(conn, UNCERTAIN):
        assert any(call.feed(event) for call in calls)
    assert [[*data.items.values()] for call in calls for data in call.result()] == [
        [b"abcd", 7], [b"ab", b"abc", 8], [9, b"abcde"],
    ]  # fmt: skip


def test_the_uid_that_was_waited_for_is_told_with_them() -> None:
    conn, _ = by_uid()
    conn.receive_data(UNCERTAIN[:50])
    assert events(conn) == []
    conn.receive_data(UNCERTAIN[50:])
    begun = [e for e in events(conn) if isinstance(e, LiteralBegins)]
    assert [(e.number, e.uid) for e in begun] == [(1, 8), (1, 8), (2, 7), (3, 9)]


def test_what_is_certain_does_not_wait() -> None:
    """Constant memory for a single FETCH, and for those of message numbers."""
    conn, _ = by_uid()
    hear(conn, b"t1 NO\r\nt3 NO\r\n")
    assert len(hear(conn, b"* 1 FETCH (BODY[1] {2}\r\na")) == 2
    hear(conn, b"b UID 8)\r\nt2 OK done\r\n")
    for number in (1, 2):
        conn.send(Fetch(SequenceSet(number), "BODY.PEEK[]"))
    sent(conn)
    assert len(hear(conn, b"* 2 FETCH (BODY[] {2}\r\na")) == 2


def test_what_waits_is_limited() -> None:
    conn, _ = by_uid(collected=4)
    conn.receive_data(b"* 1 FETCH (BODY[1] {6}\r\n")
    for octets, count in ((b"ab", 0), (b"cd", 0), (b"e", 4), (b"f", 1)):
        conn.receive_data(octets)
        assert len(events(conn)) == count
    (data,) = hear(conn, b" UID 8)\r\n")
    assert data.uid == 8


@pytest.mark.parametrize("end", [b")", b" UID x)", b" FLAGS (\\Seen ) UID 8)"])
def test_what_waits_in_vain_comes_all_the_same(end: bytes) -> None:
    conn, _ = by_uid()
    begins, chunk, *_, told = hear(
        conn, b"* 1 FETCH (BODY[1] {2}\r\nab" + end + b"\r\n"
    )
    assert (begins.uid, chunk) == (getattr(told, "uid", None), Chunk(b"ab"))


# -- one thing behind another ----------------------------------------------------------


def test_idle_that_waits_its_turn_is_ended_all_the_same() -> None:
    conn = logged_in("IDLE")
    conn.send(Noop())
    idle = conn.send(Idle())
    conn.send(Done())
    conn.send(Noop())
    assert sent(conn) == b"A1 NOOP\r\n"
    hear(conn, b"A1 OK done\r\n")
    assert sent(conn) == b"A2 IDLE\r\n"
    assert hear(conn, b"+ idling\r\n") == [GoAhead(idle, b"idling")]
    assert sent(conn) == b"DONE\r\n"
    hear(conn, b"A2 OK done\r\n")
    assert sent(conn) == b"A3 NOOP\r\n"


def test_one_idle_behind_another() -> None:
    conn = logged_in("IDLE")
    conn.send(Idle())
    sent(conn)
    hear(conn, b"+ idling\r\n")
    conn.send(Done())
    conn.send(Idle())
    for what in (Noop(), Idle()):
        with pytest.raises(LocalProtocolError, match="until IDLE is over"):
            conn.send(what)
    conn.send(Done())
    with pytest.raises(LocalProtocolError, match="no IDLE goes on"):
        conn.send(Done())
    assert sent(conn) == b"DONE\r\n"
    hear(conn, b"A1 OK done\r\n")
    assert sent(conn) == b"A2 IDLE\r\n"
    hear(conn, b"+ idling\r\n")
    assert sent(conn) == b"DONE\r\n"


def test_done_is_for_idle_only() -> None:
    conn = logged_in("IDLE")
    conn.send(Noop())
    with pytest.raises(LocalProtocolError, match="no IDLE goes on"):
        conn.send(Done())


def test_what_is_counted_on_is_all_that_is_on_its_way() -> None:
    conn = logged_in()
    conn.send(Select("a"))
    hear(conn, b"* OK [CAPABILITY IMAP4rev1 MOVE] x\r\n")  # count again
    assert conn.can_send(Move(UidSet(1), "b")).no is None
    assert conn.can_send(Fetch(UidSet(1), "FLAGS")).wait is not None


def test_what_waits_makes_others_wait() -> None:
    conn = logged_in()
    conn.send(Append("x", b"y"))  # its literal holds up all that follows
    conn.send(Create("a"))
    assert "which mailboxes there are" in str(conn.can_send(Select("a")).wait)
    assert "literal of APPEND" in str(conn.can_send(Noop()).wait)
    sent(conn)
    hear(conn, b"+ go\r\n")
    assert sent(conn) == b"y\r\nA2 CREATE a\r\n"
    assert conn.can_send(Noop()).wait is None


@pytest.mark.parametrize("answer", [b"OK done", b"NO no"])
def test_as_many_as_may_be_in_flight_wait_and_go_together(answer: bytes) -> None:
    conn = logged_in()
    conn.send(Select("INBOX"))
    count = Limits().in_flight - 1
    calls = [conn.send(Fetch(UidSet(n), "FLAGS")) for n in range(1, count + 1)]
    assert sent(conn) == b"A1 SELECT INBOX\r\n"
    _, *refused = hear(conn, b"A1 " + answer + b"\r\n")
    assert sent(conn).count(b"FETCH") == (0 if refused else count)
    assert [done.call for done in refused] in ([], calls)


def test_hope_is_given_up_as_soon_as_there_is_none() -> None:
    """NOOP may yet be granted, but no mailbox will be selected by that."""
    conn = logged_in()
    conn.send(Noop())
    conn.send(Select("a"))
    held = conn.send(Fetch(UidSet(1), "FLAGS"))
    sent(conn)
    refusal = Reply(Condition.NO, "no")
    assert hear(conn, b"A2 NO no\r\n")[1:] == [Completed(held, refusal)]
    assert sent(conn) == b""


class Extra(Other):
    """Only where no mailbox is selected."""

    __slots__ = ()


def test_what_an_answer_would_allow_is_written_behind_its_question() -> None:
    state = State.AUTHENTICATED
    conn = selected(dialect=IMAP4REV1.extended({(state, Extra): state}))
    conn.send(Close())
    conn.send(Extra("X"))
    assert sent(conn) == b"t1 CLOSE\r\nt2 X\r\n"


def test_what_is_not_offered_any_more_is_refused_for_that() -> None:
    conn = client(b"* OK [CAPABILITY IMAP4rev1 ENABLE] hi\r\n")
    conn.send(Login("a", "wrong"))
    sent(conn)
    hear(conn, b"A1 NO wrong\r\n")
    conn.send(Login("a", "b"))
    held = conn.send(Enable("X"))
    sent(conn)
    _, refused = hear(conn, b"A2 OK [CAPABILITY IMAP4rev1] in\r\n")
    assert refused.call is held
    assert "ENABLE is not offered" in refused.answer.text


def test_capabilities_may_be_told_at_any_time() -> None:
    conn = selected()
    assert conn.can_send(Move(UidSet(1), "a")).no is not None
    hear(conn, b"* CAPABILITY IMAP4rev1 MOVE\r\n")
    assert conn.can_send(Move(UidSet(1), "a"))


# -- while octets are under way --------------------------------------------------------


def test_the_end_of_another_command_does_not_touch_a_literal() -> None:
    conn = logged_in()
    first = conn.send(Noop())
    conn.send(Append("x", b"ab"))
    sent(conn)
    assert hear(conn, b"A1 OK done\r\n")[0].call is first
    hear(conn, b"+ go\r\n")
    assert sent(conn) == b"ab\r\n"


def test_nor_one_that_is_sent_by_hand() -> None:
    conn = logged_in()
    first = conn.send(Noop())
    call = conn.send(Append("x", Streamed(2)))
    sent(conn)
    hear(conn, b"+ go\r\n")
    conn.send(Chunk(b"a"))
    sent(conn)
    assert hear(conn, b"A1 OK done\r\n")[0].call is first
    with pytest.raises(LocalProtocolError, match="until APPEND is over"):
        conn.send(Noop())
    conn.send(Chunk(b"b"))
    conn.send(End())
    sent(conn)
    assert hear(conn, b"A2 OK done\r\n")[0].call is call


def test_a_refusal_amid_octets_drops_the_literals_behind_them() -> None:
    class Two(Other):
        def write(self) -> list[Any]:
            return [b"X ", Streamed(2), b" ", Literal(b"y")]

    state = State.AUTHENTICATED
    conn = logged_in(dialect=IMAP4REV1.extended({(state, Two): state}))
    call = conn.send(Two("X"))
    sent(conn)
    hear(conn, b"+ go\r\n")
    sent(conn)
    assert hear(conn, b"A1 NO full\r\n") == []
    conn.send(Chunk(b"ab"))
    conn.send(End())
    assert sent(conn) == b"ab {1}\r\n"
    (done,) = events(conn)
    assert done.call is call
    conn.send(Noop())
    assert sent(conn) == b"A2 NOOP\r\n"


def test_a_literal_is_asked_for_when_it_is_announced_and_not_before() -> None:
    conn = client()
    conn.send(Login("ä", "ö"))
    sent(conn)
    with pytest.raises(RemoteProtocolError, match="has not heard of"):
        hear(conn, b"+ go\r\n+ go\r\n")


@pytest.mark.parametrize("refused", [b"", b"A1 NO full\r\n"])
def test_bye_amid_octets(refused: bytes) -> None:
    conn = logged_in()
    call = conn.send(Append("x", Streamed(2)))
    sent(conn)
    hear(conn, b"+ go\r\n")
    sent(conn)
    bye, done = hear(conn, refused + b"* BYE full\r\n")
    assert done == Completed(call, bye)
    for late in (Chunk(b"a"), End()):
        with pytest.raises(LocalProtocolError, match="no literal is awaited"):
            conn.send(late)
    conn.receive_data(b"")
    assert events(conn) == [Closed()]


def test_a_plus_that_nobody_waits_for() -> None:
    with pytest.raises(RemoteProtocolError, match="asks for"):
        hear(client(), b"+ go\r\n")
    with pytest.raises(RemoteProtocolError, match="not a response"):
        hear(client(strict=True), b"+OK\r\n")


# -- log-ins that go wrong -------------------------------------------------------------

BY_HAND = b"* OK [CAPABILITY AUTH=X SASL-IR] hi\r\n"


def test_no_response_without_a_log_in() -> None:
    for value in (Response(b"a"), Cancel()):
        with pytest.raises(LocalProtocolError, match="no challenge waits"):
            client().send(value)


@pytest.mark.parametrize(
    "forged", [b"+ YQ==\r\n", b"A1 OK in\r\n"], ids=["challenge", "answer"]
)
def test_nothing_answers_a_response_that_was_not_given(forged: bytes) -> None:
    conn = client(BY_HAND)
    conn.send(Authenticate("X"))
    sent(conn)
    hear(conn, b"+ YQ==\r\n")
    with pytest.raises(RemoteProtocolError):
        hear(conn, forged)


def test_nor_one_that_was_not_sent() -> None:
    conn = client(b"* OK [CAPABILITY AUTH=PLAIN] hi\r\n")
    conn.send(Authenticate.using(sasl.Plain("a", "b")))
    sent(conn)
    with pytest.raises(RemoteProtocolError, match="before the command was sent"):
        hear(conn, b"+ \r\nA1 OK in\r\n")


def test_what_is_no_challenge_may_be_an_empty_one_for_who_answers_by_hand() -> None:
    conn = client(BY_HAND)
    call = conn.send(Authenticate("X"))
    sent(conn)
    odd, go = hear(conn, b"+ go ahead!\r\n")
    assert odd.quirk is Quirk.ODD_CHALLENGE
    assert go == GoAhead(call, b"")


def test_but_once_only_and_not_for_ever() -> None:
    conn = client(BY_HAND, limits=Limits(sasl_rounds=3))
    call = conn.send(Authenticate("X"))
    sent(conn)
    hear(conn, b"+ go ahead!\r\n")
    conn.send(Response(b"a"))
    for _ in range(2):
        sent(conn)
        assert hear(conn, b"+ go ahead!\r\n") == []
        assert sent(conn) == b"*\r\n"
    with pytest.raises(LimitExceeded, match="sasl_rounds"):
        hear(conn, b"+ go ahead!\r\n")
    assert call.cause is None


def test_the_reason_why_we_gave_up_outlives_bye() -> None:
    conn = client(BY_HAND, strict=True)
    call = conn.send(Authenticate("X"))
    sent(conn)
    hear(conn, b"+ go ahead!\r\n")
    assert sent(conn) == b"*\r\n"
    hear(conn, b"* BYE x\r\n")
    assert "not base64" in str(call.cause)


def test_bye_ends_a_log_in_that_waits_for_a_response() -> None:
    conn = client(BY_HAND)
    conn.send(Authenticate("X"))
    sent(conn)
    hear(conn, b"+ YQ==\r\n* BYE x\r\n")
    with pytest.raises(LocalProtocolError, match="no challenge waits"):
        conn.send(Response(b"a"))


def test_a_first_response_by_hand_that_is_too_long_comes_later() -> None:
    conn = client(BY_HAND, limits=Limits(sasl_line=26))
    conn.send(Authenticate("X", b"a long one"))
    assert sent(conn) == b"A1 AUTHENTICATE X\r\n"
    assert hear(conn, b"+ \r\n") == []
    assert sent(conn) == b"YSBsb25nIG9uZQ==\r\n"


def test_a_log_in_is_over_when_it_is_refused() -> None:
    conn = client(b"* OK [CAPABILITY AUTH=PLAIN] hi\r\n")
    conn.send(Authenticate.using(sasl.Plain("a", "b")))
    sent(conn)
    hear(conn, b"A1 NO no\r\n")
    conn.send(Noop())
    sent(conn)
    with pytest.raises(RemoteProtocolError, match="not owed"):
        hear(conn, b"+ \r\n")
    assert sent(conn) == b""


def test_capabilities_are_forgotten_by_a_log_in_of_any_kind() -> None:
    conn = client(b"* OK [CAPABILITY AUTH=PLAIN LITERAL+] hi\r\n")
    conn.send(Authenticate.using(sasl.Plain("a", "b")))
    sent(conn)
    hear(conn, b"+ \r\n")
    sent(conn)
    hear(conn, b"A1 OK in\r\n")
    assert conn.capabilities is None
