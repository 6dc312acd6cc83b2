"""What the server machine obeys, refuses, asks for and tells."""

from __future__ import annotations

import tracemalloc
from typing import Any

import pytest

from mailproto import (
    PAUSED,
    Bad,
    Chunk,
    Closed,
    End,
    LimitExceeded,
    LocalProtocolError,
    RemoteProtocolError,
    Security,
)
from mailproto.imap import (
    Append,
    Authenticate,
    Cancel,
    Capabilities,
    Challenge,
    Code,
    Condition,
    Continue,
    Done,
    Exists,
    Expunged,
    FetchData,
    Greeting,
    IdData,
    Idle,
    Limits,
    ListData,
    Login,
    Noop,
    Reply,
    Response,
    SearchData,
    Server,
    State,
    Streamed,
    Tagged,
    TaggedReply,
    Updates,
)
from mailproto.testing import events

OK = Reply(Condition.OK, "done")
OFFER = Capabilities(
    "IMAP4rev1", "IDLE", "ID", "LITERAL+", "AUTH=PLAIN", "AUTH=SCRAM-SHA-256",
    "SASL-IR", "MOVE", "UIDPLUS", "NAMESPACE", "UNSELECT", "ENABLE", "STARTTLS",
)  # fmt: skip


def server(
    security: Security = Security.CLEARTEXT,
    greeting: Greeting | None = Greeting(),  # noqa: B008  # it is a constant
    offer: Capabilities = OFFER,
    **limits: Any,
) -> Server:
    conn = Server(security, offer=offer, limits=Limits(**limits))
    if greeting is not None:
        conn.send(greeting)
        conn.data_to_send()
    return conn


def said(conn: Server) -> bytes:
    return b"".join(conn.data_to_send())


def hear(conn: Server, *lines: bytes) -> list[Any]:
    conn.receive_data(b"".join(line + b"\r\n" for line in lines))
    got = events(conn)
    for event in got:
        if isinstance(event, RemoteProtocolError):
            raise event
    return got


def ask(conn: Server, line: bytes) -> Tagged:
    (event,) = hear(conn, line)
    assert isinstance(event, Tagged), event
    return event


def refused(conn: Server, *lines: bytes) -> Any:
    """What *lines* are refused by; it has been said."""
    *_, event = hear(conn, *lines)
    assert isinstance(event, Bad), event
    conn.send(event.hint)
    return event.hint


def logged_in(**limits: Any) -> Server:
    return server(greeting=Greeting(Condition.PREAUTH), **limits)


def selected(*uids: int, **limits: Any) -> Server:
    conn = logged_in(**limits)
    asked = ask(conn, b"s SELECT INBOX")
    conn.updates = Updates(uids or (4, 7, 9))
    conn.send(asked.answer(OK))
    assert said(conn).startswith(b"* %d EXISTS\r\ns OK" % len(uids or (4, 7, 9)))
    return conn


# -- greeting, one command at a time -------------------------------------------------


def test_nothing_is_obeyed_before_the_greeting() -> None:
    conn = server(greeting=None)
    conn.receive_data(b"a NOOP\r\n")
    assert conn.next_event() is PAUSED
    for early in (OK, Exists(1), Reply(Condition.BYE, "x")):
        with pytest.raises(LocalProtocolError):
            conn.send(early)
    conn.send(Greeting())
    with pytest.raises(LocalProtocolError):
        conn.send(Greeting())
    assert conn.next_event() == Tagged("a", Noop())


def test_a_greeting_may_be_a_refusal() -> None:
    conn = server(greeting=Greeting(Condition.BYE, "full"))
    assert conn.state is State.LOGOUT
    assert conn.next_event() == Closed()


def test_preauth_is_no_greeting_where_tls_is_demanded() -> None:
    with pytest.raises(LocalProtocolError, match="PREAUTH"):
        server(Security.STARTTLS, Greeting(Condition.PREAUTH))


def test_one_command_at_a_time() -> None:
    conn = server()
    first = ask(conn, b"a NOOP\r\nb NOOP")
    assert conn.next_event() is PAUSED
    for wrong in (TaggedReply("b", OK), Continue("x"), Challenge(b"x")):
        with pytest.raises(LocalProtocolError):
            conn.send(wrong)
    conn.send(first.answer(OK))
    assert said(conn) == b"a OK done\r\n"
    assert conn.next_event() == Tagged("b", Noop())
    with pytest.raises(LocalProtocolError, match="no answer"):
        conn.send(first.answer(OK))


@pytest.mark.parametrize(
    ("line", "start"),
    [
        (b"", b"* BAD"), (b"NOOP", b"* BAD"), (b"a", b"* BAD"), (b"+ NOOP", b"* BAD"),
        (b"* NOOP", b"* BAD"), (b"x" * 65 + b" NOOP", b"* BAD"),
        (b"a XPIG", b"a BAD"), (b"a UID NOOP", b"a BAD"), (b"a UID", b"a BAD"),
        (b"a NOOP x", b"a BAD"), (b"a LOGIN x", b"a BAD"), (b"a ", b"a BAD"),
        (b"a SELECT x", b"a BAD"), (b"a FETCH 1 FLAGS", b"a BAD"),
        (b"a AUTHENTICATE X", b"a NO"), (b"a LOGIN {2}\n", b"a BAD"),
    ],
)  # fmt: skip
def test_what_cannot_be_obeyed(line: bytes, start: bytes) -> None:
    conn = server()
    refused(conn, line)
    assert said(conn).startswith(start + b" ")
    assert ask(conn, b"z NOOP")


def test_a_bad_line_is_answered_by_no_ok() -> None:
    conn = server()
    hear(conn, b"a XPIG")
    for wrong in (TaggedReply("a", OK), TaggedReply("b", Reply(Condition.BAD, "x"))):
        with pytest.raises(LocalProtocolError):
            conn.send(wrong)
    conn.send(TaggedReply("a", Reply(Condition.BAD, "other words")))
    hear(conn, b"nonsense")
    with pytest.raises(LocalProtocolError):
        conn.send(TaggedReply("a", Reply(Condition.BAD, "x")))


def test_bad_commands_are_counted() -> None:
    conn = server(bad_commands=1)
    refused(conn, b"a XPIG")
    with pytest.raises(LimitExceeded, match="bad_commands") as raised:
        hear(conn, b"b XPIG")
    conn.send(raised.value.hint)
    assert said(conn).endswith(b"* BYE too many bad commands\r\n")


def test_a_line_without_end_is_the_end() -> None:
    conn = server(command_before_login=100)
    with pytest.raises(LimitExceeded, match="command_before_login") as raised:
        hear(conn, b"a LOGIN " + b"x" * 100 + b"{5+}", b"b NOOP")
    assert raised.value.hint.condition is Condition.BYE
    assert conn.state is State.LOGOUT


def test_http_is_no_imap() -> None:
    with pytest.raises(RemoteProtocolError, match="HTTP"):
        hear(server(), b"GET / HTTP/1.1")


# -- literals ----------------------------------------------------------------------


def test_a_literal_is_asked_for() -> None:
    conn = server()
    assert hear(conn, b"a LOGIN {3}") == []
    assert said(conn) == b"+ Ready for additional command text\r\n"
    assert hear(conn, b"ann {0}") == []
    assert said(conn).startswith(b"+ ")
    assert hear(conn, b"") == [Tagged("a", Login("ann", ""))]


def test_or_not_where_literal_plus_is_offered() -> None:
    conn = server()
    assert ask(conn, b"a LOGIN {3+}\r\nann {1+}\r\nb").command == Login("ann", "b")
    assert said(conn) == b""


@pytest.mark.parametrize("asked", [b"", b"+"])
def test_a_literal_that_is_too_long_costs_its_command_only(asked: bytes) -> None:
    conn = server(literal_before_login=10)
    octets = [] if not asked else [b"b NOOP....."]
    hint = refused(conn, b"a LOGIN {11%b}" % asked, *octets)
    assert hint.reply.code == Code("TOOBIG")
    assert said(conn).startswith(b"a NO [TOOBIG]")
    assert ask(conn, b"c NOOP").tag == "c"


def test_after_one_that_is_not_wanted_others_are_read_past() -> None:
    conn = server(literal_before_login=10)
    hint = refused(conn, b"a LOGIN {11+}", b"b NOOP..... {1+}", b"x {4}")
    assert hint.tag == "a"
    assert ask(conn, b"c NOOP").tag == "c"


def test_one_that_is_much_too_long_is_the_end() -> None:
    conn = server(discarded=100)
    with pytest.raises(LimitExceeded, match="discarded") as raised:
        hear(conn, b"a XPIG {100+}", b"b NOOP")
    assert b"[TOOBIG]" in raised.value.hint.write()


def test_nobody_need_ask_only_if_it_was_offered() -> None:
    conn = server(offer=Capabilities("IMAP4rev1"))
    refused(conn, b"a LOGIN {3+}", b"ann x")
    assert said(conn).startswith(b"a BAD")
    assert ask(conn, b"c NOOP")
    minus = server(offer=Capabilities("IMAP4rev1", "LITERAL-"))
    assert hear(minus, b"a LOGIN {1+}", b"x y")
    minus = server(offer=Capabilities("IMAP4rev1", "LITERAL-"))
    hint = refused(minus, b"a LOGIN {4097+}", b"y" * 4097)
    assert hint.reply.code == Code("TOOBIG")
    assert hint.reply.condition is Condition.BAD


def test_literals_and_arguments_are_counted() -> None:
    conn = server(literals_before_login=1)
    refused(conn, b"a LOGIN {1+}", b"x {1+}", b"y")
    assert b"too many literals" in said(conn)
    conn = logged_in(arguments=30)
    hint = refused(conn, b"a LIST x {20+}", b"y" * 20)
    assert hint.reply.code == Code("TOOBIG")
    hint = refused(conn, b"a LIST x " + b"y" * 40)
    assert hint.reply.code == Code("TOOBIG")


def test_literals_up_to_the_limits_are_taken() -> None:
    conn = server(literals_before_login=2, literal_before_login=3)
    assert ask(conn, b"a LOGIN {3+}\r\nann {3+}\r\nxyz").command == Login("ann", "xyz")
    minus = Capabilities("IMAP4rev1", "LITERAL-")
    conn = server(offer=minus, command_before_login=9000)
    asked = ask(conn, b"a LOGIN {4096+}\r\n%b x" % (b"y" * 4096))
    assert asked.command == Login("y" * 4096, "x")


def test_a_literal_can_be_asked_for_whatever_is_offered() -> None:
    for offer in ("IMAP4rev1", "LITERAL-"):
        conn = server(offer=Capabilities(offer))
        assert hear(conn, b"a LOGIN {3}") == []
        assert said(conn).startswith(b"+ ")
        assert ask(conn, b"ann x").command == Login("ann", "x")


def test_one_that_makes_a_command_too_long_is_not_asked_for() -> None:
    conn = logged_in(arguments=40)
    assert hear(conn, b"a RENAME {12}") == []
    assert said(conn).startswith(b"+ ")
    hint = refused(conn, b"x" * 12 + b" {12}")
    assert hint.reply.code == Code("TOOBIG")
    assert said(conn).startswith(b"a NO")


@pytest.mark.parametrize("size", [b"-1", b"1_0", b"+3", b" 3", b"", b"0x10", b"1" * 21])
def test_a_size_that_is_none_announces_nothing(size: bytes) -> None:
    conn = server()
    refused(conn, b"a LOGIN {" + size + b"}")
    assert ask(conn, b"c NOOP")


# -- APPEND ------------------------------------------------------------------------


def test_a_message_comes_in_chunks() -> None:
    conn = logged_in()
    asked = ask_append(conn, b'a APPEND x (\\Seen) "17-Jul-1996 02:44:25 -0700" {6}')
    assert isinstance(asked.command, Append)
    assert asked.command.message == Streamed(6)
    assert said(conn) == b""
    assert events(conn) == []  # nobody has refused it
    assert said(conn).startswith(b"+ ")
    conn.receive_data(b"abc")
    assert events(conn) == [Chunk(b"abc")]
    with pytest.raises(LocalProtocolError, match="wait for its End"):
        conn.send(asked.answer(OK))
    conn.receive_data(b"def\r\n")
    assert events(conn) == [Chunk(b"def"), End()]
    conn.send(asked.answer(OK))
    assert said(conn) == b"a OK done\r\n"


def ask_append(conn: Server, line: bytes) -> Tagged:
    conn.receive_data(line + b"\r\n")
    event = conn.next_event()
    assert isinstance(event, Tagged)
    assert isinstance(event.command, Append)
    return event


def test_with_words_of_ones_own_or_without_being_asked() -> None:
    conn = logged_in()
    asked = ask_append(conn, b"a APPEND x {0}")
    with pytest.raises(LocalProtocolError):
        conn.send(Challenge(b"go"))
    conn.send(Continue("go"))
    assert hear(conn, b"") == [End()]
    assert said(conn) == b"+ go\r\n"
    conn.send(asked.answer(OK))
    asked = ask_append(conn, b"b APPEND x {1+}\r\ny")
    with pytest.raises(LocalProtocolError):
        conn.send(Continue("go"))
    assert hear(conn, b"") == [Chunk(b"y"), End()]


def test_a_message_may_be_refused_before_it_comes() -> None:
    conn = logged_in()
    asked = ask_append(conn, b"a APPEND x {5}")
    conn.send(asked.answer(Reply(Condition.NO, "none", Code("TRYCREATE"))))
    assert said(conn) == b"a NO [TRYCREATE] none\r\n"
    assert ask(conn, b"b NOOP").tag == "b"


def test_or_amid_it_and_is_read_past() -> None:
    conn = logged_in()
    asked = ask_append(conn, b"a APPEND x {9+}")
    conn.send(asked.answer(Reply(Condition.NO, "none")))
    (event,) = hear(conn, b"b NOOP\r\n.", b"c NOOP")
    assert event == Tagged("c", Noop())


@pytest.mark.parametrize("asked", [b"", b"+"])
def test_a_message_that_is_too_large(asked: bytes) -> None:
    conn = logged_in(append=5)
    hint = refused(conn, b"a APPEND x {6%b}" % asked, *([b"abcdef"] if asked else []))
    assert hint.reply.code == Code("TOOBIG")
    assert ask(conn, b"b NOOP")


def test_a_message_where_there_is_none_to_take_it() -> None:
    conn = server()
    refused(conn, b"a APPEND x {6+}", b"abcdef")
    assert said(conn).startswith(b"a BAD APPEND cannot be said")


def test_the_name_of_the_mailbox_may_be_a_literal() -> None:
    conn = logged_in()
    asked = ask_append(conn, b"a APPEND {3+}\r\nfoo {1+}\r\nx")
    assert isinstance(asked.command, Append)
    assert asked.command.mailbox == "foo"


def test_nothing_may_stand_behind_a_message() -> None:
    conn = logged_in()
    ask_append(conn, b"a APPEND x {1+}\r\ny {1}")
    *_, bad = events(conn)
    assert bad.hint.tag == "a"
    conn.send(bad.hint)
    ask_append(conn, b"a APPEND x {1+}\r\ny {1+}")
    *_, error = events(conn)
    assert "out of place" in str(error)


@pytest.mark.parametrize("cut", [0, 1, 2, 3])
def test_a_message_with_nul_is_refused_at_its_end(cut: int) -> None:
    """What comes before the NUL is handed over, however it is cut."""
    conn = logged_in()
    ask_append(conn, b"a APPEND x {3+}")
    got = []
    for data in (b"y\0z"[:cut], b"y\0z"[cut:] + b"\r\n"):
        if data:
            conn.receive_data(data)
            got += events(conn)
    *chunks, bad = got
    assert chunks == [Chunk(b"y")]
    assert bad.hint.reply.condition is Condition.NO


# -- log-ins, TLS --------------------------------------------------------------------


def test_a_log_in_by_sasl() -> None:
    conn = server()
    asked = ask(conn, b"a AUTHENTICATE PLAIN")
    conn.send(Challenge(b""))
    with pytest.raises(LocalProtocolError):
        conn.send(Challenge(b""))
    with pytest.raises(LocalProtocolError):
        conn.send(asked.answer(OK))
    assert said(conn) == b"+ \r\n"
    assert hear(conn, b"AGEAYg==") == [Response(b"\0a\0b")]
    conn.send(asked.answer(OK))
    assert conn.state is State.AUTHENTICATED


def test_with_a_first_response() -> None:
    asked = ask(server(), b"a AUTHENTICATE PLAIN =")
    assert asked.command == Authenticate("PLAIN", b"")


def test_it_may_be_cancelled_or_go_wrong() -> None:
    conn = server(sasl_rounds=2, sasl_line=100)
    asked = ask(conn, b"a AUTHENTICATE PLAIN")
    conn.send(Challenge(b"x"))
    assert hear(conn, b"*") == [Cancel()]
    conn.send(asked.answer(Reply(Condition.BAD, "cancelled")))
    for odd in (b"!!!", b"a" * 200):
        ask(conn, b"a AUTHENTICATE PLAIN")
        conn.send(Challenge(b"x"))
        assert refused(conn, odd).tag == "a"
    ask(conn, b"a AUTHENTICATE PLAIN")
    for _ in range(2):
        conn.send(Challenge(b"x"))
        hear(conn, b"YQ==")
    conn.send(Challenge(b"x"))
    assert isinstance(hear(conn, b"YQ==")[0], Bad)


def test_failed_log_ins_are_counted() -> None:
    conn = server(failed_logins=2)
    for _ in range(2):
        conn.send(ask(conn, b"a LOGIN a b").answer(Reply(Condition.NO, "wrong")))
    with pytest.raises(LimitExceeded, match="failed_logins"):
        conn.next_event()


def test_no_password_in_the_clear() -> None:
    for security in (Security.OPTIONAL, Security.STARTTLS):
        conn = server(security)
        for line in (b"a LOGIN a b", b"a AUTHENTICATE PLAIN"):
            hint = refused(conn, line)
            assert hint.reply.code == Code("PRIVACYREQUIRED")


def test_nothing_of_worth_before_the_demanded_tls() -> None:
    conn = server(Security.STARTTLS)
    assert refused(conn, b"a LIST x x").reply.code == Code("PRIVACYREQUIRED")
    for line in (b"a CAPABILITY", b"a NOOP", b"a ID NIL", b"a LOGOUT"):
        conn.send(ask(conn, line).answer(OK))


def test_capabilities_are_what_is_true_now() -> None:
    conn = server(Security.STARTTLS)
    now = conn.capabilities
    assert "STARTTLS" in now
    assert "LOGINDISABLED" in now
    assert now.sasl == ("SCRAM-SHA-256",)
    conn.send(now)
    conn.send(ask(conn, b"a STARTTLS").answer(OK))
    conn.tls_started()
    now = conn.capabilities
    assert "STARTTLS" not in now
    assert "LOGINDISABLED" not in now
    assert now.sasl == ("PLAIN", "SCRAM-SHA-256")
    with pytest.raises(LocalProtocolError, match="STARTTLS"):
        conn.send(OFFER)
    assert refused(conn, b"b STARTTLS").reply.condition is Condition.BAD
    conn.send(now)
    assert "STARTTLS" not in Server(Security.IMPLICIT).capabilities
    assert "STARTTLS" in server(Security.STARTTLS, offer=Capabilities("X")).capabilities
    assert "STARTTLS" in server().capabilities  # it is in OFFER
    inside = server(Security.OPTIONAL, Greeting(Condition.PREAUTH))
    assert inside.capabilities.sasl == ("PLAIN", "SCRAM-SHA-256")
    assert not {"STARTTLS", "LOGINDISABLED"} & set(inside.capabilities)


@pytest.mark.parametrize("more", [b"b NOOP\r\n", b"b "])
def test_plaintext_behind_starttls_is_the_end(more: bytes) -> None:
    conn = server(Security.STARTTLS)
    conn.receive_data(b"a STARTTLS\r\n" + more)
    (error,) = events(conn)
    assert isinstance(error, RemoteProtocolError)
    assert "behind STARTTLS" in str(error)
    late = server(Security.STARTTLS)
    asked = ask(late, b"a STARTTLS")
    late.receive_data(more)
    late.send(asked.answer(OK))
    with pytest.raises(RemoteProtocolError):
        late.next_event()


def test_a_client_that_goes_before_the_handshake() -> None:
    conn = server(Security.STARTTLS)
    conn.send(ask(conn, b"a STARTTLS").answer(OK))
    conn.receive_data(b"")
    assert conn.next_event() == Closed()


# -- data, and when it can be said -----------------------------------------------------


def test_data_belongs_to_a_state() -> None:
    conn = server()
    for early in (ListData("x"), Exists(3), SearchData((1,))):
        with pytest.raises(LocalProtocolError):
            conn.send(early)
    asked = ask(conn, b"a ID NIL")
    conn.send(IdData(None))
    conn.send(asked.answer(OK))
    conn = logged_in()
    conn.send(ListData("x"))
    with pytest.raises(LocalProtocolError):
        conn.send(Exists(3))
    asked = ask(conn, b"a SELECT x")
    conn.send(Exists(3))
    conn.send(asked.answer(OK))
    conn.send(SearchData((1,)))
    assert conn.mailbox == "x"
    assert not conn.read_only


def test_expunge_has_its_time() -> None:
    conn = logged_in()
    conn.send(ask(conn, b"a SELECT x").answer(OK))
    with pytest.raises(LocalProtocolError, match="EXPUNGE cannot be said"):
        conn.send(Expunged(1))
    for line in (b"a FETCH 1 FLAGS", b"a STORE 1 FLAGS ()", b"a SEARCH ALL"):
        asked = ask(conn, line)
        assert not conn.may_expunge
        with pytest.raises(LocalProtocolError, match="EXPUNGE cannot be said"):
            conn.send(Expunged(1))
        conn.send(asked.answer(OK))
    for line in (b"a UID FETCH 1 FLAGS", b"a NOOP", b"a COPY 1 y"):
        asked = ask(conn, line)
        conn.send(Expunged(1))
        conn.send(asked.answer(OK))


def test_updates_are_told_when_they_may_be() -> None:
    conn = selected(4, 7, 9)
    updates = conn.updates
    assert updates is not None
    with pytest.raises(LocalProtocolError, match="updates"):
        conn.send(Expunged(1))
    with pytest.raises(LocalProtocolError, match="updates"):
        conn.send(Exists(9))
    updates.expunge(4)
    updates.add(12)
    conn.send_updates()
    assert said(conn) == b""  # no command is in progress
    conn.send(ask(conn, b"a FETCH 2 FLAGS").answer(OK))
    assert said(conn) == b"* 4 EXISTS\r\na OK done\r\n"
    assert updates.uid(2) == 7
    conn.send(ask(conn, b"b NOOP").answer(OK))
    assert said(conn) == b"* 1 EXPUNGE\r\nb OK done\r\n"
    assert updates.uid(2) == 9


def test_updates_go_with_their_mailbox() -> None:
    conn = selected()
    conn.send(ask(conn, b"a CLOSE").answer(OK))
    assert conn.updates is None
    conn = selected()
    conn.send(ask(conn, b"a SELECT x").answer(Reply(Condition.NO, "none")))
    assert conn.updates is None
    assert conn.state is State.AUTHENTICATED


# -- IDLE --------------------------------------------------------------------------


def test_idle() -> None:
    conn = selected(4, 7, 9)
    assert conn.updates is not None
    asked = ask(conn, b"a IDLE")
    assert conn.next_event() is PAUSED
    conn.updates.expunge(9)
    conn.send(Continue("idling"))
    assert said(conn) == b"+ idling\r\n* 3 EXPUNGE\r\n"
    with pytest.raises(LocalProtocolError):
        conn.send(Continue("idling"))
    assert events(conn) == []
    conn.updates.flags(7, ["\\Seen"])
    conn.send_updates()
    assert said(conn) == b"* 2 FETCH (UID 7 FLAGS (\\Seen))\r\n"
    assert hear(conn, b"done") == [Done()]
    assert conn.next_event() is PAUSED
    conn.send(asked.answer(OK))
    assert said(conn) == b"a OK done\r\n"


def test_idle_is_left_by_done_alone() -> None:
    conn = logged_in()
    ask(conn, b"a IDLE")
    conn.send(Continue("idling"))
    said(conn)
    refused(conn, b"b NOOP")
    assert said(conn).startswith(b"a BAD")
    assert ask(conn, b"b NOOP").tag == "b"


def test_a_server_may_refuse_or_end_idle() -> None:
    conn = logged_in()
    conn.send(ask(conn, b"a IDLE").answer(Reply(Condition.NO, "no")))
    asked = ask(conn, b"a IDLE")
    conn.send(Continue("idling"))
    conn.send(asked.answer(OK))
    assert said(conn).endswith(b"+ idling\r\na OK done\r\n")
    assert ask(conn, b"b NOOP")


# -- the end -----------------------------------------------------------------------


def test_logout_says_bye_first() -> None:
    conn = logged_in()
    asked = ask(conn, b"a LOGOUT")
    conn.send(asked.answer(OK))
    assert said(conn) == b"* BYE logging out\r\na OK done\r\n"
    assert conn.next_event() == Closed()
    with pytest.raises(LocalProtocolError):
        conn.send(OK)
    conn = logged_in()
    asked = ask(conn, b"a LOGOUT")
    conn.send(Reply(Condition.BYE, "see you"))
    conn.send(asked.answer(OK))
    assert said(conn) == b"* BYE see you\r\na OK done\r\n"


def test_bye_can_be_said_at_any_time() -> None:
    conn = selected()
    conn.send(Reply(Condition.OK, "in a minute", Code("ALERT")))
    ask(conn, b"a NOOP")
    conn.send(Reply(Condition.BYE, "shutting down"))
    assert conn.state is State.LOGOUT
    assert conn.next_event() == Closed()


@pytest.mark.parametrize("begun", [b"a NO", b"a LOGIN {3}\r\n", b"a LOGIN {3}\r\nx"])
def test_a_connection_that_is_lost_amid_a_command(begun: bytes) -> None:
    conn = server()
    conn.receive_data(begun)
    events(conn)
    conn.receive_data(b"")
    with pytest.raises(RemoteProtocolError, match="inside a command"):
        conn.next_event()


def test_or_between_two() -> None:
    conn = server()
    conn.receive_data(b"")
    assert conn.next_event() == Closed()


def test_amid_a_message_it_is_an_error() -> None:
    conn = logged_in()
    ask_append(conn, b"a APPEND x {3+}\r\nab")
    conn.receive_data(b"")
    *_, error = events(conn)
    assert isinstance(error, RemoteProtocolError)


def test_a_transcript_shows_no_secret() -> None:
    seen: list[bytes] = []
    conn = server()
    conn.trace = lambda side, line: seen.append(line)
    conn.send(ask(conn, b"a LOGIN ann secret").answer(Reply(Condition.NO, "no")))
    ask(conn, b"b AUTHENTICATE PLAIN")
    conn.send(Challenge(b"secret"))
    hear(conn, b"c2VjcmV0")
    assert seen == [
        b"a LOGIN ann ****", b"a NO no", b"b AUTHENTICATE PLAIN", b"+ ****", b"****",
    ]  # fmt: skip


def test_what_is_fetched_can_be_said() -> None:
    conn = selected()
    asked = ask(conn, b"a FETCH 1 FLAGS")
    conn.send(FetchData.of(1, flags=("\\Seen",)))
    conn.send(asked.answer(OK))
    assert said(conn) == b"* 1 FETCH (FLAGS (\\Seen))\r\na OK done\r\n"


def test_what_is_no_data_cannot() -> None:
    conn = selected()
    ask(conn, b"a FETCH 1 FLAGS")
    for wrong in (FetchData(1, {}), FetchData(0, {"UID": 1}), Chunk(b"x"), End()):
        with pytest.raises(LocalProtocolError):
            conn.send(wrong)
    conn.send(FetchData(1, {"BODY[]": b"x\r\n", "UID": 4}))
    assert said(conn) == b"* 1 FETCH (BODY[] {3}\r\nx\r\n UID 4)\r\n"


@pytest.mark.parametrize("item", ["BODY[TEXT]", "BODY[]<0>", "RFC822.HEADER"])
@pytest.mark.parametrize("octets", [b"", b"abc"])
def test_what_is_in_a_message_is_a_literal(item: str, octets: bytes) -> None:
    """RFC 3501 allows a quoted string; curl and imaplib do not."""
    conn = selected()
    ask(conn, b"a FETCH 1 FLAGS")
    conn.send(FetchData(1, {item: octets}))
    out = conn.data_to_send()
    assert all(out)  # nothing in it is taken for an end
    line = b"* 1 FETCH (%b {%d}\r\n%b)\r\n"
    assert b"".join(out) == line % (item.encode(), len(octets), octets)


def test_idle_is_a_command() -> None:
    assert ask(logged_in(), b"a IDLE").command == Idle()


def test_a_tag_is_any_atom_without_a_plus() -> None:
    conn = server()
    conn.send(ask(conn, b"}]!~ NOOP").answer(OK))
    assert said(conn) == b"}]!~ OK done\r\n"


# -- a body in pieces ----------------------------------------------------------------


def test_a_greeting_is_said_once_tls_is_there() -> None:
    conn = Server(Security.IMPLICIT)
    for early in (Greeting(), Capabilities("IMAP4rev1")):
        with pytest.raises(LocalProtocolError):
            conn.send(early)
    conn.tls_started()
    conn.send(Greeting(Condition.OK, "hi"))
    assert said(conn) == b"* OK hi\r\n"
    with pytest.raises(LocalProtocolError, match="nothing was asked"):
        conn.send(TaggedReply("a", OK))


def test_status_may_be_told_amid_all() -> None:
    conn = server()
    hear(conn, b"nonsense")
    conn.send(Reply(Condition.OK, "by the way", Code("ALERT")))
    assert said(conn) == b"* OK [ALERT] by the way\r\n"
    assert conn.next_event() is PAUSED


@pytest.mark.parametrize(
    "line", [b"a IDLE", b"a AUTHENTICATE X", b"a APPEND x {3}", b"?"]
)
def test_bye_is_the_end_whatever_is_going_on(line: bytes) -> None:
    conn = server(offer=Capabilities("IMAP4rev1", "IDLE", "AUTH=X"))
    if b"AUTH" not in line:
        conn = selected()
    conn.receive_data(line + b"\r\n")
    match conn.next_event():
        case Tagged(command=Idle()):
            conn.send(Continue("x"))
        case Tagged(command=Authenticate()):
            conn.send(Challenge(b"x"))
    conn.send(Reply(Condition.BYE, "x"))
    conn.receive_data(b"abc\r\nDONE\r\n")
    assert conn.next_event() == Closed()
    with pytest.raises(LocalProtocolError):
        conn.send(OK)


def test_bye_may_come_out_of_the_blue() -> None:
    conn = selected()
    conn.send(Reply(Condition.BYE, "idle for too long"))
    assert said(conn) == b"* BYE idle for too long\r\n"
    assert conn.state is State.LOGOUT


def test_a_logout_that_is_refused_is_none() -> None:
    conn = selected()
    conn.send(ask(conn, b"a LOGOUT").answer(Reply(Condition.NO, "stay")))
    assert said(conn) == b"a NO stay\r\n"
    assert conn.state is State.SELECTED


def test_counts_may_be_told_by_hand() -> None:
    conn = logged_in()
    for line in (b"a SELECT x", b"b EXAMINE x"):
        asked = ask(conn, line)
        conn.send(Exists(3))
        conn.send(asked.answer(OK))
    conn.send(ask(conn, b"c CLOSE").answer(OK))
    with pytest.raises(LocalProtocolError):
        conn.send(Exists(3))


def test_a_message_of_the_largest_size_and_one_more() -> None:
    conn = logged_in(append=5)
    conn.send(ask_append(conn, b"a APPEND x {5}").answer(Reply(Condition.NO, "no")))
    assert refused(conn, b"b APPEND x {6}").reply.code == Code("TOOBIG")
    early = server(append=5)
    assert "cannot be said" in refused(early, b"c APPEND x {6}").reply.text


def test_a_transcript_shows_what_begins_an_append_and_what_is_no_command() -> None:
    conn = logged_in()
    seen: list[bytes] = []
    conn.trace = lambda side, line: seen.append(line)
    asked = ask_append(conn, b"a APPEND x {5}")
    conn.send(asked.answer(Reply(Condition.NO, "no")))
    refused(conn, b"b LOGIN my secret")
    assert seen == [
        b"a APPEND x {5}", b"a NO no", b"(no command)",
        b"b BAD LOGIN cannot be said in AUTHENTICATED",
    ]  # fmt: skip


def may_expunge(conn: Server, line: bytes) -> bool:
    """Whether EXPUNGE can be said in answer to *line*."""
    asked = ask(conn, line)
    may = conn.may_expunge
    conn.send(asked.answer(OK))
    return may


def test_when_expunge_can_be_said() -> None:
    conn = selected()
    assert not conn.may_expunge
    assert may_expunge(conn, b"a NOOP")
    assert not may_expunge(conn, b"b FETCH 1 FLAGS")
    assert may_expunge(conn, b"c UID FETCH 1 FLAGS")
    assert may_expunge(conn, b"d CLOSE")
    assert not may_expunge(conn, b"e NOOP")


def test_not_while_a_message_comes() -> None:
    conn = selected()
    asked = ask_append(conn, b"c APPEND x {1}")
    assert not conn.may_expunge
    conn.receive_data(b"x")
    assert events(conn) == [Chunk(b"x")]
    with pytest.raises(LocalProtocolError, match="wait for its End"):
        conn.send(asked.answer(OK))
    assert hear(conn, b"") == [End()]
    conn.send(asked.answer(OK))


def test_a_mailbox_is_left_by_a_select_that_fails_and_by_nothing_else() -> None:
    no = Reply(Condition.NO, "no")
    for line in (b"b SELECT x", b"b EXAMINE x"):
        conn = selected()
        conn.send(ask(conn, b"a NOOP").answer(no))
        assert conn.updates is not None
        asked = ask(conn, line)
        conn.updates.add(12)
        conn.send(asked.answer(no))
        assert said(conn) == b"a NO no\r\nb NO no\r\n"
        assert conn.state is State.AUTHENTICATED


def test_what_is_refused_has_no_consequences() -> None:
    conn = server(failed_logins=1)
    conn.send(ask(conn, b"a STARTTLS").answer(Reply(Condition.NO, "no")))
    assert not conn.tls_due
    conn.send(ask(conn, b"b LOGIN a b").answer(OK))
    assert ask(conn, b"c NOOP")


def test_the_octets_of_a_literal_are_counted() -> None:
    conn = server()
    asked = ask(conn, b"a LOGIN {9+}\r\nb NOOP\r\nx {1+}\r\ny")
    assert asked.command == Login("b NOOP\r\nx", "y")


def test_a_large_body_goes_out_as_the_object_that_it_is() -> None:
    conn = selected()
    ask(conn, b"a FETCH 1 BODY[]")
    body = b"x" * 10_000
    conn.send(FetchData(1, {"BODY[]": body, "UID": 4}))
    out = conn.data_to_send()
    assert out[1] is body
    assert b"".join(out) == b"* 1 FETCH (BODY[] {10000}\r\n%b UID 4)\r\n" % body


@pytest.mark.parametrize("by_hand", [False, True])
def test_no_news_behind_bye(by_hand: bool) -> None:
    conn = selected()
    asked = ask(conn, b"a LOGOUT")
    assert conn.updates is not None
    conn.updates.add(12)
    bye = Reply(Condition.BYE, "logging out")
    if by_hand:
        conn.send(bye)
        for late in (FetchData(1, {"UID": 4}), SearchData((1,))):
            with pytest.raises(LocalProtocolError):
                conn.send(late)
    conn.send(asked.answer(OK))
    assert said(conn) == b"* BYE logging out\r\na OK done\r\n"


def test_a_body_may_be_sent_in_chunks() -> None:
    conn = selected()
    asked = ask(conn, b"a FETCH 1 (BODY[HEADER] BODY[TEXT] UID)")
    trace: list[bytes] = []
    conn.trace = lambda side, line: trace.append(line)
    items = {"BODY[HEADER]": Streamed(5), "BODY[TEXT]": Streamed(0), "UID": 4}
    conn.send(FetchData(1, items))
    assert said(conn) == b"* 1 FETCH (BODY[HEADER] {5}\r\n"
    assert trace == [b"* 1 FETCH (BODY[HEADER] {5}"]
    whole = Chunk(b"abc")
    conn.send(whole)
    assert conn.data_to_send()[0] is whole.data
    conn.send(Chunk(b"de"))
    conn.send(End())
    assert said(conn) == b"de BODY[TEXT] {0}\r\n"
    conn.send(End())
    conn.send(asked.answer(OK))
    assert said(conn) == b" UID 4)\r\na OK done\r\n"


def test_of_the_size_that_was_told_and_no_other() -> None:
    conn = selected()
    asked = ask(conn, b"a FETCH 1 BODY[]")
    conn.send(FetchData(1, {"BODY[]": Streamed(5)}))
    conn.send(Chunk(b"abc"))
    sent = said(conn)
    for wrong in (Chunk(b"def"), Chunk(b"\0"), End()):
        with pytest.raises(LocalProtocolError):
            conn.send(wrong)
    conn.send(Chunk(b"de"))
    with pytest.raises(LocalProtocolError, match="only 0"):
        conn.send(Chunk(b"f"))
    conn.send(End())
    conn.send(asked.answer(OK))
    assert sent + said(conn) == b"* 1 FETCH (BODY[] {5}\r\nabcde)\r\na OK done\r\n"


def test_nothing_comes_between_a_size_and_its_octets() -> None:
    conn = selected()
    asked = ask(conn, b"a IDLE")
    conn.send(Continue("idling"))
    assert conn.updates is not None
    said(conn)
    conn.send(FetchData(1, {"BODY[]": Streamed(1)}))
    conn.updates.add(12)
    conn.send_updates()
    conn.receive_data(b"DONE\r\nb LOGIN {3}\r\n")
    assert conn.next_event() is PAUSED
    bye = Reply(Condition.BYE, "x")
    for wrong in (OK, bye, asked.answer(OK), FetchData(1, {"UID": 4}), Continue("x")):
        with pytest.raises(LocalProtocolError, match="1 octets of a FETCH are due"):
            conn.send(wrong)
    conn.send(Chunk(b"x"))
    conn.send(End())
    assert said(conn) == b"* 1 FETCH (BODY[] {1}\r\nx)\r\n"
    assert conn.next_event() == Done()
    conn.send(asked.answer(OK))
    assert said(conn) == b"* 4 EXISTS\r\na OK done\r\n"


def test_nor_an_invitation_to_a_literal() -> None:
    conn = selected()
    conn.send(FetchData(1, {"BODY[]": Streamed(1)}))
    conn.receive_data(b"b LIST x {3}\r\n")
    assert conn.next_event() is PAUSED
    conn.send(Chunk(b"x"))
    conn.send(End())
    assert said(conn) == b"* 1 FETCH (BODY[] {1}\r\nx)\r\n"
    assert events(conn) == []
    assert said(conn).startswith(b"+ ")


def test_a_large_body_takes_no_memory() -> None:
    """100 MB, in less than 4 MB."""
    conn = selected()
    asked = ask(conn, b"a FETCH 1 BODY[]")
    chunk, count, size = Chunk(bytes([1]) * 65_536), 1600, 0
    tracemalloc.start()
    try:
        conn.send(FetchData(1, {"BODY[]": Streamed(count * len(chunk.data))}))
        for _ in range(count):
            conn.send(chunk)
            size += sum(map(len, conn.data_to_send()))
        conn.send(End())
        conn.send(asked.answer(OK))
        assert tracemalloc.get_traced_memory()[1] < 4_000_000
    finally:
        tracemalloc.stop()
    assert size > 100_000_000
