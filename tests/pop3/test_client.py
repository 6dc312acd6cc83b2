from __future__ import annotations

from typing import Any

import pytest

from mailproto import (
    NEED_DATA,
    START_TLS,
    CommandFailed,
    Completed,
    Deviation,
    End,
    GoAhead,
    LimitExceeded,
    LocalProtocolError,
    Part,
    RemoteProtocolError,
    Security,
    pop3,
    sasl,
)
from mailproto._command import Chunk, Closed
from mailproto.pop3 import Quirk, Reply, State
from mailproto.testing import events


def client(
    greeting: bytes = b"+OK ready\r\n",
    security: Security = Security.CLEARTEXT,
    **options: Any,
) -> pop3.Client:
    conn = pop3.Client(security, **options)
    conn.receive_data(greeting)
    assert isinstance(events(conn)[-1], pop3.Greeting)
    return conn


def logged_in(*caps: bytes, **options: Any) -> pop3.Client:
    conn = client(**options)
    if caps:
        conn.send(pop3.Capa())
        conn.receive_data(
            b"+OK\r\n" + b"".join(cap + b"\r\n" for cap in caps) + b".\r\n"
        )
        events(conn)
    conn.send(pop3.User("ann"))
    conn.receive_data(b"+OK\r\n")
    events(conn)
    conn.send(pop3.Pass("secret"))
    conn.receive_data(b"+OK\r\n")
    events(conn)
    assert conn.state is State.TRANSACTION
    conn.data_to_send()
    return conn


def said(conn: pop3.Client) -> bytes:
    return b"".join(conn.data_to_send())


def answer(conn: pop3.Client, command: Any, wire: bytes) -> Any:
    """The result of *command*, when the server says *wire*."""
    call = conn.send(command)
    conn.receive_data(wire)
    for event in events(conn):
        if isinstance(event, Exception):
            raise event
        call.feed(event)
    return call.result()


# -- results -----------------------------------------------------------------------


def test_results_are_typed_values() -> None:
    conn = logged_in()
    assert answer(conn, pop3.Stat(), b"+OK 2 320\r\n") == pop3.StatData(2, 320)
    listing = [pop3.Listing(1, 120), pop3.Listing(2, 200)]
    assert answer(conn, pop3.List(), b"+OK\r\n1 120\r\n2 200\r\n.\r\n") == listing
    assert answer(conn, pop3.List(2), b"+OK 2 200\r\n") == listing[1:]
    assert answer(conn, pop3.List(), b"+OK none\r\n.\r\n") == []
    assert answer(conn, pop3.Uidl(1), b"+OK 1 abc\r\n") == [pop3.UniqueId(1, "abc")]
    assert answer(conn, pop3.Retr(1), b"+OK\r\n..a\r\n\r\n.\r\n") == b".a\r\n\r\n"
    assert answer(conn, pop3.Retr(1), b"+OK\r\n.\r\n") == b""
    assert answer(conn, pop3.Top(1, 2), b"+OK\r\na\r\n.\r\n") == b"a\r\n"
    assert answer(conn, pop3.Noop(), b"+OK\r\n") is None
    assert answer(conn, pop3.Lang("es"), b"+OK es Idioma\r\n") == [
        pop3.Language("es", "Idioma")
    ]
    caps = answer(conn, pop3.Capa(), b"+OK\r\nTOP\r\n.\r\n")
    assert caps == conn.capabilities == pop3.Capabilities([pop3.Capability("TOP")])


def test_a_refusal_is_an_event_and_names_the_reason() -> None:
    conn = logged_in()
    with pytest.raises(CommandFailed, match="no such message") as caught:
        answer(conn, pop3.Retr(9), b"-ERR [SYS/TEMP] no such message\r\n")
    assert caught.value.answer.code is pop3.ResponseCode.SYS_TEMP
    assert caught.value.command == pop3.Retr(9)
    assert answer(conn, pop3.Stat(), b"+OK 2 320\r\n").count == 2


# -- state -------------------------------------------------------------------------


def test_state_is_what_was_handed_over() -> None:
    """Two replies in one packet: the state follows the event, not the bytes."""
    conn = client()
    answer(conn, pop3.Capa(), b"+OK\r\nPIPELINING\r\n.\r\n")
    conn.send(pop3.User("ann"))
    conn.send(pop3.Pass("secret"))
    conn.receive_data(b"+OK\r\n+OK\r\n")
    states = [conn.state]
    for _ in range(2):
        conn.next_event()
        states.append(conn.state)
    assert states == [State.AUTHORIZATION, State.NAMED, State.TRANSACTION]


@pytest.mark.parametrize(
    "command",
    [
        pop3.Stat(),
        pop3.Pass("x"),
        pop3.Retr(1),
        pop3.Apop("a", "0" * 32),
        "STAT",
        b"x",
        pop3.Response(b""),
        pop3.Cancel(),
        Chunk(b"x"),
        End(),
    ],
    ids=repr,
)
def test_a_local_error_changes_nothing(command: Any) -> None:
    conn = client()
    with pytest.raises(LocalProtocolError):
        conn.send(command)
    assert said(conn) == b""
    assert conn.state is State.AUTHORIZATION
    assert conn.next_event() is NEED_DATA
    answer(conn, pop3.User("ann"), b"+OK\r\n")


def test_nothing_is_sent_before_the_greeting() -> None:
    conn = pop3.Client(Security.CLEARTEXT)
    with pytest.raises(LocalProtocolError, match="CAPA cannot be said in GREETING"):
        conn.send(pop3.Capa())


def test_a_refused_greeting_ends_the_session() -> None:
    conn = pop3.Client(Security.CLEARTEXT)
    conn.receive_data(b"-ERR [SYS/TEMP] later\r\n")
    (greeting,) = events(conn)
    assert greeting == pop3.Greeting("later", ok=False, code="SYS/TEMP")
    assert conn.state is State.CLOSED
    conn.receive_data(b"")
    assert events(conn) == [Closed()]


def test_what_is_sent_ahead_is_counted_again_after_a_refusal() -> None:
    conn = client()
    conn.send(pop3.User("ann"))
    conn.send(pop3.Pass("x"))
    conn.send(pop3.Stat())
    conn.receive_data(b"+OK\r\n")
    events(conn)
    conn.receive_data(b"-ERR [AUTH] no\r\n")
    events(conn)
    with pytest.raises(LocalProtocolError, match="RETR"):
        conn.send(pop3.Retr(1))
    conn.receive_data(b"-ERR not now\r\n")
    events(conn)
    assert conn.state is State.AUTHORIZATION
    conn.send(pop3.User("ann"))


def test_a_refused_name_is_forgotten() -> None:
    conn = client()
    answer(conn, pop3.User("ann"), b"+OK\r\n")
    with pytest.raises(CommandFailed):
        answer(conn, pop3.User("eve"), b"-ERR\r\n")
    with pytest.raises(LocalProtocolError, match="PASS"):
        conn.send(pop3.Pass("secret of ann"))


def test_quit_ends_the_session_even_if_it_is_refused() -> None:
    for reply in (b"+OK\r\n", b"-ERR some deleted messages not removed\r\n"):
        conn = logged_in()
        conn.send(pop3.Quit())
        with pytest.raises(LocalProtocolError, match="NOOP cannot be said in CLOSED"):
            conn.send(pop3.Noop())
        conn.receive_data(reply)
        events(conn)
        assert conn.state is State.CLOSED
        conn.receive_data(b"")
        assert events(conn) == [Closed()]


# -- pipelining --------------------------------------------------------------------


def test_without_pipelining_one_command_is_out_at_a_time() -> None:
    conn = logged_in(b"UIDL")
    calls = [conn.send(pop3.Retr(n)) for n in (1, 2)]
    assert said(conn) == b"RETR 1\r\n"
    conn.receive_data(b"-ERR\r\n")
    (done,) = events(conn)
    assert done.call is calls[0]
    assert said(conn) == b"RETR 2\r\n"


def test_with_pipelining_they_go_out_together() -> None:
    conn = logged_in(b"PIPELINING")
    for command in (pop3.Retr(1), pop3.Dele(1), pop3.Quit()):
        conn.send(command)
    assert said(conn) == b"RETR 1\r\nDELE 1\r\nQUIT\r\n"
    conn.receive_data(b"+OK\r\nx\r\n.\r\n-ERR no\r\n+OK bye\r\n")
    got = [type(event) for event in events(conn)]
    assert got == [Part, Completed, Completed, Completed]


def test_nothing_goes_out_behind_a_password_that_is_not_answered() -> None:
    """Courier hands the connection to a new process there, and bytes are lost."""
    conn = client()
    answer(conn, pop3.Capa(), b"+OK\r\nPIPELINING\r\n.\r\n")
    conn.data_to_send()
    for command in (pop3.User("ann"), pop3.Pass("x"), pop3.Stat(), pop3.Uidl()):
        conn.send(command)
    assert said(conn) == b"USER ann\r\nPASS x\r\n"
    conn.receive_data(b"+OK\r\n+OK\r\n")
    events(conn)
    assert said(conn) == b"STAT\r\nUIDL\r\n"


def test_two_sendings_of_one_command_are_two_calls() -> None:
    conn = logged_in(b"PIPELINING")
    command = pop3.Stat()
    first, second = conn.send(command), conn.send(command)
    conn.receive_data(b"+OK 1 1\r\n+OK 2 2\r\n")
    for event in events(conn):
        assert first.feed(event) != second.feed(event)
    assert (first.result().count, second.result().count) == (1, 2)


def test_how_many_may_be_on_their_way() -> None:
    conn = logged_in(limits=pop3.Limits(in_flight=3))
    for _ in range(3):
        conn.send(pop3.Noop())
    with pytest.raises(LocalProtocolError, match="more than 3 commands in flight"):
        conn.send(pop3.Noop())


# -- forged and broken answers -----------------------------------------------------


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize(
    "wire",
    [
        b"* BYE Server shutting down.\r\n",
        b"220 ready\r\n",
        b"+Okay\r\n",
        b"\r\n",
        b"+OK a\0b\r\n",
        b"+OK a\nb\r\n",
        b"+\r\n",
        b"OK\r\n",
        b"x" * 9000,
    ],
)
def test_what_is_no_answer_is_the_end(wire: bytes, strict: bool) -> None:
    conn = pop3.Client(Security.CLEARTEXT, strict=strict)
    conn.receive_data(wire)
    got = events(conn)
    if wire == b"+Okay\r\n" and not strict:
        assert got[0] == Deviation(Quirk.STATUS_CASE, b"+Okay")
        return
    assert isinstance(got[-1], RemoteProtocolError)
    assert len(str(got[-1])) < 400
    assert conn.state is State.CLOSED
    for use in (conn.next_event, lambda: conn.send(pop3.Quit())):
        with pytest.raises(RemoteProtocolError) as again:
            use()
        assert again.value is got[-1]


def test_an_answer_that_nobody_waits_for_is_an_error() -> None:
    conn = logged_in()
    conn.receive_data(b"+OK 9 9\r\n")
    with pytest.raises(RemoteProtocolError, match="nobody waits for"):
        conn.next_event()


def test_a_greeting_with_the_whole_session_answered_is_not_believed() -> None:
    """The server answers before it is asked (CVE-2026-42246 in net-imap)."""
    conn = pop3.Client(Security.CLEARTEXT)
    conn.receive_data(b"+OK ready\r\n" + b"+OK\r\n" * 8)
    assert isinstance(conn.next_event(), pop3.Greeting)
    conn.send(pop3.User("ann"))
    assert said(conn) == b""
    with pytest.raises(RemoteProtocolError, match="nobody waits for"):
        conn.next_event()


def test_a_lone_dot_in_the_mail_of_an_attacker_ends_nothing() -> None:
    """poplib ends a message at LF . LF, and reads the next answer from it."""
    conn = logged_in()
    wire = b"+OK\r\nbody\n.\n+OK 666 666\r\n.\r\n"
    assert answer(conn, pop3.Retr(1), wire) == b"body\n.\n+OK 666 666\r\n"
    assert answer(conn, pop3.Stat(), b"+OK 1 2\r\n").count == 1


@pytest.mark.parametrize(
    "wire",
    [
        b"+OK\r\npart of a mess",
        b"+OK\r\nline\r\n",
        b"+OK\r\nline\r\n.",
        b"+OK\r\nx\r\n.\r",
        b"+OK",
        b"",
    ],
)
def test_a_message_that_is_cut_off_is_no_message(wire: bytes) -> None:
    conn = logged_in()
    call = conn.send(pop3.Retr(1))
    if wire:
        conn.receive_data(wire)
    conn.receive_data(b"")
    got = events(conn)
    assert isinstance(got[-1], RemoteProtocolError)
    assert "connection closed" in str(got[-1])
    assert not call.done


def test_the_server_closes_while_nothing_is_asked() -> None:
    conn = logged_in()
    conn.receive_data(b"")
    with pytest.raises(RemoteProtocolError, match="by the server in TRANSACTION"):
        conn.next_event()


# -- limits ------------------------------------------------------------------------


def test_lines_of_an_answer_are_counted() -> None:
    conn = logged_in(limits=pop3.Limits(lines=3))
    answer(conn, pop3.List(), b"+OK\r\n1 1\r\n2 2\r\n3 3\r\n.\r\n")
    with pytest.raises(LimitExceeded, match="too many lines") as caught:
        answer(conn, pop3.List(), b"+OK\r\n1 1\r\n2 2\r\n3 3\r\n4 4\r\n.\r\n")
    assert caught.value.limit == "lines"


def test_a_line_has_a_limit_and_a_message_has_none() -> None:
    conn = logged_in(limits=pop3.Limits(line=100))
    message = b"x" * 100_000 + b"\r\n"
    assert answer(conn, pop3.Retr(1), b"+OK\r\n" + message + b".\r\n") == message
    with pytest.raises(LimitExceeded, match="longer than 100 octets"):
        answer(conn, pop3.Noop(), b"+OK " + b"x" * 100)


def test_what_is_collected_has_a_limit() -> None:
    conn = logged_in(limits=pop3.Limits(collected=10))
    with pytest.raises(LimitExceeded, match="too large to be collected") as caught:
        answer(conn, pop3.Retr(1), b"+OK\r\n" + b"x" * 11 + b"\r\n.\r\n")
    assert caught.value.limit == "collected"


def test_every_limit_is_one_or_more() -> None:
    with pytest.raises(ValueError, match="'lines'"):
        pop3.Limits(lines=0)


# -- TLS ---------------------------------------------------------------------------


def test_stls_is_complete_when_tls_is_up() -> None:
    conn = client(security=Security.STARTTLS)
    answer(conn, pop3.Capa(), b"+OK\r\nSTLS\r\n.\r\n")
    call = conn.send(pop3.Stls())
    conn.receive_data(b"+OK go\r\n")
    assert conn.next_event() is START_TLS
    assert conn.next_event() is START_TLS
    assert conn.tls_due
    assert not call.done
    conn.tls_started()
    assert conn.tls
    assert conn.capabilities is None
    (done,) = events(conn)
    assert done == Completed(call, Reply(True, "go"))
    conn.send(pop3.User("ann"))
    with pytest.raises(LocalProtocolError, match="no TLS handshake"):
        conn.tls_started()


@pytest.mark.parametrize("planted", [b"+OK planted\r\n", b"+", b"\0"])
def test_plaintext_behind_the_agreement_on_tls_is_refused(planted: bytes) -> None:
    for pieces in ([b"+OK go\r\n" + planted], [b"+OK go\r\n", planted]):
        conn = client(security=Security.STARTTLS)
        conn.send(pop3.Stls())
        for piece in pieces:
            conn.receive_data(piece)
            got = events(conn)
        assert isinstance(got[-1], RemoteProtocolError)
        assert "plaintext" in str(got[-1])
        assert not conn.tls_due


def test_nothing_may_follow_stls_before_it_is_answered() -> None:
    conn = client()
    conn.send(pop3.Stls())
    with pytest.raises(LocalProtocolError, match="until STLS is over"):
        conn.send(pop3.Capa())


@pytest.mark.parametrize(
    "command", [pop3.User("ann"), pop3.Auth("SCRAM-SHA-256"), pop3.Utf8()], ids=repr
)
def test_where_tls_is_demanded_nothing_else_is_sent(command: Any) -> None:
    conn = client(security=Security.STARTTLS)
    with pytest.raises(LocalProtocolError, match="before TLS, which is demanded"):
        conn.send(command)
    with pytest.raises(CommandFailed):
        answer(conn, pop3.Stls(), b"-ERR not today\r\n")
    with pytest.raises(LocalProtocolError, match="before TLS, which is demanded"):
        conn.send(command)


def test_tls_is_started_once_and_not_after_utf8() -> None:
    conn = client(security=Security.STARTTLS)
    conn.send(pop3.Stls())
    conn.receive_data(b"+OK\r\n")
    events(conn)
    conn.tls_started()
    events(conn)
    with pytest.raises(LocalProtocolError, match="TLS is there already"):
        conn.send(pop3.Stls())
    conn = client()
    conn.send(pop3.Utf8())
    with pytest.raises(LocalProtocolError, match="after UTF8"):
        conn.send(pop3.Stls())
    conn.receive_data(b"-ERR\r\n")
    events(conn)
    conn.send(pop3.Stls())  # it was refused: nothing is in the way


def test_passwords_are_not_sent_in_the_clear() -> None:
    conn = client(security=Security.OPTIONAL)
    plain = sasl.Plain("ann", "secret")
    for command in (pop3.User("ann"), pop3.Auth.using(plain), pop3.Auth("PLAIN")):
        with pytest.raises(LocalProtocolError, match="in the clear"):
            conn.send(command)
    conn.send(pop3.Auth("SCRAM-SHA-256"))


def test_implicit_tls_comes_before_the_greeting() -> None:
    conn = pop3.Client(Security.IMPLICIT)
    assert conn.next_event() is START_TLS
    conn.tls_started()
    assert conn.next_event() is NEED_DATA
    conn = pop3.Client(Security.IMPLICIT)
    conn.receive_data(b"+OK in the clear\r\n")
    with pytest.raises(RemoteProtocolError, match="plaintext"):
        conn.next_event()
    conn = pop3.Client(Security.IMPLICIT)
    conn.receive_data(b"")
    with pytest.raises(RemoteProtocolError, match="closed by the server in GREETING"):
        conn.next_event()


# -- AUTH --------------------------------------------------------------------------


def test_auth_answers_by_itself() -> None:
    conn = client()
    assert answer(conn, pop3.Auth.using(sasl.Plain("test", "test")), b"+OK\r\n") is None
    assert said(conn) == b"AUTH PLAIN AHRlc3QAdGVzdA==\r\n"
    assert conn.state is State.TRANSACTION


def test_an_initial_response_that_is_too_long_waits_for_the_challenge() -> None:
    """RFC 5034 4: the command must not be longer than 255 octets."""
    conn = client()
    token = "t" * 300
    call = conn.send(pop3.Auth.using(sasl.XOAuth2("ann", token)))
    assert said(conn) == b"AUTH XOAUTH2\r\n"
    conn.receive_data(b"+ \r\n")
    assert events(conn) == []
    (line,) = conn.data_to_send()
    assert token.encode() in sasl.decode_base64(line[:-2])
    conn.receive_data(b"+OK\r\n")
    (done,) = events(conn)
    assert done.call is call


def test_the_longest_initial_response_that_fits_goes_out_at_once() -> None:
    for room, fits in ((180, True), (181, False)):
        conn = client()
        name = "n" * 86
        conn.send(pop3.Auth.using(sasl.Plain(name, "p" * (room - 88))))
        (line,) = conn.data_to_send()
        assert (line != b"AUTH PLAIN\r\n") is fits
        assert len(line) <= 255


def test_a_server_that_begins_is_answered() -> None:
    """RFC 2195 2."""
    conn = client()
    call = conn.send(pop3.Auth.using(sasl.CramMd5("tim", "tanstaaftanstaaf")))
    assert said(conn) == b"AUTH CRAM-MD5\r\n"
    stamp = b"<1896.697170952@postoffice.reston.mci.net>"
    conn.receive_data(b"+ " + sasl.encode_base64(stamp) + b"\r\n")
    events(conn)
    assert (
        sasl.decode_base64(said(conn)[:-2]) == b"tim b913a602c7eda7a495b4e6e7334d3890"
    )
    with pytest.raises(LocalProtocolError, match="until AUTH is over"):
        conn.send(pop3.Capa())
    conn.receive_data(b"-ERR [AUTH] no\r\n")
    (done,) = events(conn)
    assert call.feed(done)
    with pytest.raises(CommandFailed, match="AUTH"):
        call.result()


def test_a_challenge_that_cannot_be_trusted_cancels() -> None:
    conn = client()
    call = conn.send(pop3.Auth.using(sasl.Plain("a", "b")))
    conn.data_to_send()
    conn.receive_data(b"+ " + sasl.encode_base64(b"say it again") + b"\r\n")
    assert events(conn) == []
    assert said(conn) == b"*\r\n"
    conn.receive_data(b"-ERR cancelled\r\n")
    (done,) = events(conn)
    call.feed(done)
    with pytest.raises(CommandFailed) as caught:
        call.result()
    assert isinstance(caught.value.__cause__, RemoteProtocolError)
    assert conn.state is State.AUTHORIZATION


def test_a_challenge_where_the_first_response_is_due_cancels() -> None:
    conn = client()
    conn.send(pop3.Auth.using(sasl.XOAuth2("ann", "t" * 300)))
    conn.data_to_send()
    conn.receive_data(b"+ " + sasl.encode_base64(b"first this") + b"\r\n")
    assert events(conn) == []
    assert said(conn) == b"*\r\n"


def test_a_cancelled_log_in_that_is_granted_is_an_error() -> None:
    conn = client()
    conn.send(pop3.Auth.using(sasl.Plain("a", "b")))
    conn.receive_data(b"+ eA==\r\n+OK welcome\r\n")
    assert isinstance(events(conn)[-1], RemoteProtocolError)


def test_a_server_that_did_not_prove_itself_is_not_believed() -> None:
    """SCRAM: +OK without the server's signature."""
    conn = client()
    conn.send(pop3.Auth.using(sasl.Scram("user", "pencil", nonce="abc")))
    conn.receive_data(b"+OK welcome\r\n")
    assert isinstance(events(conn)[-1], RemoteProtocolError)
    assert conn.state is State.CLOSED


def test_challenges_are_counted() -> None:
    conn = client(limits=pop3.Limits(sasl_rounds=3))
    conn.send(pop3.Auth("X-ENDLESS"))
    for _ in range(3):
        conn.receive_data(b"+ \r\n")
        assert [type(event) for event in events(conn)] == [GoAhead]
        conn.send(pop3.Response())
    conn.receive_data(b"+ \r\n")
    with pytest.raises(LimitExceeded, match="too many challenges"):
        conn.next_event()


def test_the_same_challenge_gets_the_password_once() -> None:
    conn = client()
    conn.send(pop3.Auth.using(sasl.Plain("ann", "secret")))
    conn.receive_data(b"+ \r\n" * 5)
    events(conn)
    password = sasl.encode_base64(b"\0ann\0secret")
    assert said(conn).count(password) == 1


def test_a_sasl_line_may_be_longer_than_a_reply() -> None:
    conn = client(limits=pop3.Limits(sasl_line=3000))
    conn.send(pop3.Auth("X-LONG"))
    conn.receive_data(b"+ " + sasl.encode_base64(b"x" * 2000) + b"\r\n")
    (event,) = events(conn)
    assert event.data == b"x" * 2000
    conn.send(pop3.Response(b"y"))
    conn.receive_data(b"+ " + b"x" * 3000)
    with pytest.raises(LimitExceeded, match="longer than 3000"):
        conn.next_event()


def test_by_hand_the_first_response_is_ours() -> None:
    conn = client()
    conn.send(pop3.Auth("PLAIN", b"\0a\0b"))
    assert said(conn) == b"AUTH PLAIN AGEAYg==\r\n"
    with pytest.raises(LocalProtocolError, match="no challenge"):
        conn.send(pop3.Response(b"x"))


# -- UTF-8 -------------------------------------------------------------------------


def test_names_are_utf8_only_where_the_server_said_so() -> None:
    conn = client()
    with pytest.raises(LocalProtocolError, match=r"RFC 6856 2\.2"):
        conn.send(pop3.User("\xe9va"))
    answer(conn, pop3.Capa(), b"+OK\r\nUTF8 USER\r\n.\r\n")
    conn.data_to_send()
    conn.send(pop3.User("\xe9va"))
    assert said(conn) == "USER \xe9va\r\n".encode()


def test_utf8_is_known_once_it_is_granted() -> None:
    conn = client()
    answer(conn, pop3.Utf8(), b"+OK\r\n")
    assert conn.utf8


# -- quirks ------------------------------------------------------------------------

QUIRKS: list[tuple[Quirk, Any, bytes, bytes, Any]] = [
    # which, asked, what comes, the line that deviates, what it is taken for
    (Quirk.STATUS_CASE, pop3.Noop(), b"+ok fine\r\n", b"+ok fine", Reply(True, "fine")),
    (Quirk.STATUS_GLUED, pop3.Noop(), b"+OKfine\r\n", b"+OKfine", Reply(True, "fine")),
    (Quirk.STATUS_CASE, pop3.Noop(), b"-err\r\n", b"-err", Reply(False)),
    (
        Quirk.LONG_REPLY,
        pop3.Noop(),
        b"+OK " + b"x" * 507 + b"\r\n",
        b"+OK " + b"x" * 507,
        Reply(True, "x" * 507),
    ),
    (Quirk.STAT_SIZE, pop3.Stat(), b"+OK 5 -1\r\n", b"5 -1", pop3.StatData(5, 0)),
    (Quirk.STAT_SIZE, pop3.Stat(), b"+OK 3\r\n", b"3", pop3.StatData(3, 0)),
    (
        Quirk.UIDL_NUMBER,
        pop3.Uidl(7),
        b"+OK abc\r\n",
        b"abc",
        [pop3.UniqueId(7, "abc")],
    ),
    (
        Quirk.UNIQUE_ID,
        pop3.Uidl(1),
        b"+OK 1  abc\r\n",
        b"1  abc",
        [pop3.UniqueId(1, "abc")],
    ),
    (
        Quirk.UNIQUE_ID,
        pop3.Uidl(),
        b"+OK\r\n1  abc\r\n2 d\r\n.\r\n",
        b"1  abc",
        [pop3.UniqueId(1, "abc"), pop3.UniqueId(2, "d")],
    ),
    (
        Quirk.UNIQUE_ID,
        pop3.Uidl(),
        b"+OK\r\n1 " + b"x" * 71 + b"\r\n.\r\n",
        b"1 " + b"x" * 71,
        [pop3.UniqueId(1, "x" * 71)],
    ),
    (
        Quirk.UNIQUE_ID,
        pop3.Uidl(1),
        b"+OK 1 a b\r\n",
        b"1 a b",
        [pop3.UniqueId(1, "a b")],
    ),
    (
        Quirk.LIST_LINE,
        pop3.Uidl(),
        b"+OK\r\n1 \r\n2 b\r\n.\r\n",
        b"1 ",
        [pop3.UniqueId(2, "b")],
    ),
    (
        Quirk.LIST_LINE,
        pop3.List(),
        b"+OK\r\n1 1\r\n7 ten\r\n.\r\n",
        b"7 ten",
        [pop3.Listing(1, 1)],
    ),
    (
        Quirk.LIST_LINE,
        pop3.Capa(),
        b"+OK\r\nTOP\r\n\r\n.\r\n",
        b"",
        pop3.Capabilities([pop3.Capability("TOP")]),
    ),
]


@pytest.mark.parametrize(("quirk", "command", "wire", "raw", "expected"), QUIRKS)
def test_a_quirk_is_told_of_mended_and_not_tolerated_when_strict(
    quirk: Quirk, command: Any, wire: bytes, raw: bytes, expected: Any
) -> None:
    conn = logged_in()
    call = conn.send(command)
    conn.receive_data(wire)
    got = events(conn)
    deviations = [event for event in got if isinstance(event, Deviation)]
    assert deviations == [Deviation(quirk, raw)]
    for event in got:
        call.feed(event)
    done = got[-1]
    result = done.answer if isinstance(expected, Reply) else call.result()
    assert result == expected
    answer(conn, pop3.Noop(), b"+OK\r\n")  # nothing was lost of what follows

    conn = logged_in(strict=True)
    conn.send(command)
    conn.receive_data(wire)
    assert isinstance(events(conn)[-1], RemoteProtocolError)


def test_faults_come_one_after_the_other() -> None:
    conn = logged_in()
    conn.send(pop3.Noop())
    conn.receive_data(b"+okfine\r\n")
    quirks = [event.quirk for event in events(conn)[:-1]]
    assert quirks == [Quirk.STATUS_CASE, Quirk.STATUS_GLUED]


CHALLENGES = [
    (Quirk.BARE_CHALLENGE, b"+\r\n"),
    (Quirk.CHALLENGE_TEXT, b"+ go on, please\r\n"),
    (Quirk.CHALLENGE_OK, b"+OK go on\r\n"),
]


@pytest.mark.parametrize(("quirk", "wire"), CHALLENGES)
def test_odd_challenges_before_the_first_response(quirk: Quirk, wire: bytes) -> None:
    for strict in (False, True):
        conn = client(strict=strict)
        conn.send(pop3.Auth.using(sasl.XOAuth2("ann", "t" * 300)))
        conn.data_to_send()
        conn.receive_data(wire)
        (event,) = events(conn)
        if strict:
            assert isinstance(event, RemoteProtocolError)
        else:
            assert event == Deviation(quirk, wire[:-2])
            assert said(conn) != b"*\r\n"
            conn.receive_data(b"+OK\r\n")
            events(conn)
            assert conn.state is State.TRANSACTION


def test_every_quirk_has_its_bytes_here() -> None:
    assert {row[0] for row in QUIRKS} | {row[0] for row in CHALLENGES} == set(Quirk)


@pytest.mark.parametrize(
    ("command", "wire"),
    [
        (pop3.Stat(), b"+OK many\r\n"),
        (pop3.Stat(), b"+OK\r\n"),
        (pop3.List(1), b"+OK 1 ten-twenty-four\r\n"),
        (pop3.Uidl(1), b"+OK 1\r\n"),
        (pop3.Lang("es"), b"+OK\r\n"),
    ],
    ids=repr,
)
def test_what_no_quirk_explains_is_an_error(command: Any, wire: bytes) -> None:
    conn = logged_in()
    conn.send(command)
    conn.receive_data(wire)
    assert isinstance(events(conn)[-1], RemoteProtocolError)


def test_capa_that_is_refused_means_that_there_are_none() -> None:
    conn = client()
    answer(conn, pop3.Capa(), b"+OK\r\nUIDL\r\n.\r\n")
    with pytest.raises(CommandFailed):
        answer(conn, pop3.Capa(), b"-ERR\r\n")
    assert conn.capabilities == pop3.Capabilities()


# -- transcripts -------------------------------------------------------------------


def test_a_trace_shows_everything_but_secrets() -> None:
    conn = pop3.Client(Security.CLEARTEXT)
    lines: list[str] = []
    conn.trace = lambda side, line: lines.append(f"{side}: {line.decode()}")
    conn.receive_data(b"+OK ready\r\n")
    events(conn)
    conn.send(pop3.User("ann"))
    conn.receive_data(b"+OK\r\n")
    events(conn)
    conn.send(pop3.Pass("s3cret"))
    conn.receive_data(b"-ERR\r\n")
    events(conn)
    conn.send(pop3.Auth.using(sasl.Login("ann", "s3cret")))
    for line in (b"+ VXNlcm5hbWU6\r\n", b"+ UGFzc3dvcmQ6\r\n", b"+OK\r\n"):
        conn.receive_data(line)
        events(conn)
    conn.send(pop3.Retr(1))
    conn.receive_data(b"+OK\r\nhello\r\n.\r\n")
    events(conn)
    assert lines == [
        "S: +OK ready",
        "C: USER ann",
        "S: +OK",
        "C: PASS ****",
        "S: -ERR",
        "C: AUTH LOGIN",
        "S: + ****",
        "C: ****",
        "S: + ****",
        "C: ****",
        "S: +OK",
        "C: RETR 1",
        "S: +OK",
        "S: (7 octets)",
    ]
