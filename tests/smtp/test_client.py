"""The client: what it sends when, and what it makes of what comes."""

from __future__ import annotations

from typing import Any

import pytest

from mailproto import (
    NEED_DATA,
    PAUSED,
    START_TLS,
    Chunk,
    Closed,
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
    sasl,
    smtp,
)
from mailproto.smtp import (
    Auth,
    Bdat,
    Burl,
    Data,
    Ehlo,
    Helo,
    Lhlo,
    Mail,
    Newlines,
    Noop,
    Quirk,
    Quit,
    Rcpt,
    Reply,
    Rset,
    Size,
    SmtpUtf8,
    StartTls,
    State,
    Vrfy,
    Xclient,
)
from mailproto.testing import events

BOB, EVE = Rcpt("bob@example.org"), Rcpt("eve@example.org")
ANN = Mail("ann@example.org")


def said(client: smtp.Client) -> bytes:
    return b"".join(client.data_to_send())


def told(client: smtp.Client, *lines: str) -> list[Any]:
    """What the client makes of *lines*; what it wrote so far has gone out."""
    client.data_to_send()
    client.receive_data("".join(line + "\r\n" for line in lines).encode())
    return events(client)


def answers(got: list[Any]) -> list[tuple[Any, int]]:
    return [(e.call.command, e.answer.code) for e in got if isinstance(e, Completed)]


def greeted(*extensions: str, **options: Any) -> smtp.Client:
    """A client that has said EHLO and was told these *extensions*."""
    client = smtp.Client(options.pop("security", Security.CLEARTEXT), **options)
    told(client, "220 mx.example.org ready")
    lmtp = client.dialect.lmtp
    client.send(Lhlo("a.example") if lmtp else Ehlo("a.example"))
    lines = ["mx.example.org", *extensions]
    told(client, *(f"250-{line}" for line in lines[:-1]), f"250 {lines[-1]}")
    assert client.state is State.READY
    return client


def in_transaction(*extensions: str, **options: Any) -> smtp.Client:
    client = greeted(*extensions, **options)
    client.send(ANN)
    told(client, "250 ok")
    client.send(BOB)
    told(client, "250 ok")
    assert client.state is State.RCPT
    return client


# -- greeting and EHLO -----------------------------------------------------------


def test_nothing_can_be_said_before_the_greeting() -> None:
    client = smtp.Client(Security.CLEARTEXT)
    with pytest.raises(LocalProtocolError, match="GREETING"):
        client.send(Noop())
    assert events(client) == []
    assert told(client, "220-mx.example.org", "220 no junk here") == [
        smtp.Greeting("mx.example.org\nno junk here")
    ]
    assert client.greeting is not None
    assert client.greeting.domain == "mx.example.org"
    assert client.state is State.START


@pytest.mark.parametrize("line", ["554 5.7.1 go away", "521 no mail", "421 later"])
def test_a_greeting_may_refuse(line: str) -> None:
    client = smtp.Client(Security.STARTTLS)
    (greeting,) = told(client, line)
    assert not greeting.ok
    with pytest.raises(LocalProtocolError):
        client.send(Ehlo("a.example"))
    if client.state is not State.CLOSED:
        client.send(Quit())
        assert answers(told(client, "221 bye")) == [(Quit(), 221)]
    assert client.state is State.CLOSED
    client.receive_data(b"")
    assert events(client) == [Closed()]


def test_whoever_refuses_by_the_greeting_may_hang_up() -> None:
    client = smtp.Client(Security.CLEARTEXT)
    told(client, "521 no mail")  # RFC 7504 3
    client.receive_data(b"")
    assert events(client) == [Closed()]


def test_ehlo_tells_what_there_is() -> None:
    client = greeted("SIZE 1000", "X-FOO bar", "AUTH PLAIN")
    assert client.capabilities is not None
    assert client.capabilities.size == 1000
    assert [str(line) for line in client.capabilities.extensions] == [
        "SIZE 1000", "X-FOO bar", "AUTH PLAIN",
    ]  # fmt: skip
    client.send(Ehlo("a.example"))
    client.send(Noop())  # it waits
    assert said(client) == b"EHLO a.example\r\n"
    told(client, "250 mx.example.org")
    assert client.capabilities is not None
    assert client.capabilities.size is None


def test_what_made_the_server_hang_up_is_told() -> None:
    client = greeted("PIPELINING")
    for command in (ANN, BOB, Data(b"x")):
        client.send(command)
    told(client, "250 ok", "550 5.1.1 no such user")
    client.receive_data(b"")
    (error,) = events(client)
    assert "before DATA was answered" in str(error)
    assert "550 5.1.1 no such user" in str(error)
    client = greeted()
    client.send(Noop())
    client.receive_data(b"")
    assert str(events(client)[0]).endswith("before NOOP was answered")


def test_what_a_command_is_worth() -> None:
    client = greeted()
    ehlo = client.send(Ehlo("a.example"))
    for event in told(client, "250-mx", "250 DSN"):
        assert ehlo.feed(event)
    assert ehlo.result().dsn
    noop = client.send(Noop())
    for event in told(client, "250 fine"):
        assert noop.feed(event)
    assert noop.result() == Reply(250, "fine")


def test_helo_is_for_servers_that_know_no_better() -> None:
    client = smtp.Client(Security.CLEARTEXT)
    told(client, "220 x")
    call = client.send(Ehlo("a.example"))
    (done,) = told(client, "502 what?")
    assert done == Completed(call, Reply(502, "what?"))
    with pytest.raises(LocalProtocolError, match="MAIL cannot be said in START"):
        client.send(ANN)
    client.send(Helo("a.example"))
    told(client, "250 x")
    assert client.state is State.READY
    assert client.capabilities is None
    with pytest.raises(LocalProtocolError, match="SIZE is not offered"):
        client.send(Mail("a@b.example", Size(1)))
    client.send(ANN)


# -- groups ----------------------------------------------------------------------


def test_without_pipelining_commands_go_one_by_one() -> None:
    client = greeted()
    for command in (ANN, BOB, EVE):
        client.send(command)
    assert said(client) == b"MAIL FROM:<ann@example.org>\r\n"
    assert answers(told(client, "250 ok")) == [(ANN, 250)]
    assert said(client) == b"RCPT TO:<bob@example.org>\r\n"
    told(client, "250 ok")
    assert said(client) == b"RCPT TO:<eve@example.org>\r\n"


def test_a_group_ends_with_what_ends_it() -> None:
    client = greeted("PIPELINING")
    group: list[Any] = [ANN, BOB, EVE, Data(b"hi\r\n"), Quit()]
    calls = [client.send(x) for x in group]
    assert said(client).endswith(b"DATA\r\n")
    got = told(client, "250 a", "550 b", "250 c", "354 go")
    assert [e.call for e in got] == calls[:3]
    assert said(client) == b"hi\r\n.\r\nQUIT\r\n"  # the end of a message ends none
    got = told(client, "250 d", "221 e")
    assert [e.call for e in got] == calls[3:]
    assert client.state is State.CLOSED


def test_a_refusal_is_counted_again() -> None:
    client = greeted("PIPELINING")
    client.send(ANN)
    client.send(BOB)
    with pytest.raises(LocalProtocolError, match="MAIL cannot be said in RCPT"):
        client.send(ANN)
    told(client, "550 no", "503 no")
    with pytest.raises(LocalProtocolError, match="DATA cannot be said in READY"):
        client.send(Data())
    client.send(ANN)


def test_all_recipients_refused_is_a_lone_dot() -> None:
    """RFC 2920 3.1."""
    client = greeted("PIPELINING")
    for command in (ANN, BOB, Data(b"secret")):
        client.send(command)
    told(client, "250 a", "550 b", "354 go")
    assert said(client) == b".\r\n"
    assert answers(told(client, "554 nobody")) == [(Data(), 554)]
    client = greeted("PIPELINING")
    for command in (ANN, BOB, Data()):
        client.send(command)
    assert len(told(client, "250 a", "550 b", "354 go")) == 2  # no GoAhead
    assert said(client) == b".\r\n"
    (error,) = told(client, "250 fine")
    assert "without recipients" in str(error)


def test_after_data_was_refused_the_transaction_goes_on() -> None:
    client = in_transaction()
    client.send(Data(b""))
    told(client, "451 later")
    assert client.state.name == "RCPT"
    client.send(Rset())
    told(client, "250 ok")
    assert client.state is State.READY


def test_after_the_message_was_refused_there_is_no_transaction() -> None:
    client = in_transaction()
    client.send(Data(b""))
    told(client, "354 go")
    assert answers(told(client, "552 no")) == [(Data(), 552)]
    assert client.state is State.READY


def test_too_many_in_flight() -> None:
    client = greeted("PIPELINING", limits=smtp.Limits(in_flight=2))
    client.send(ANN)
    client.send(BOB)
    with pytest.raises(LocalProtocolError, match="more than 2 commands"):
        client.send(EVE)


def test_what_is_no_command_cannot_be_sent() -> None:
    client = greeted()
    values: list[Any] = [b"NOOP", Chunk(b"x"), End(), smtp.Response(b""), smtp.Cancel()]
    for value in values:
        with pytest.raises(LocalProtocolError):
            client.send(value)
    assert said(client) == b""


# -- 421 -------------------------------------------------------------------------


def test_421_answers_all_that_waits() -> None:
    client = greeted("PIPELINING")
    calls = [client.send(x) for x in (ANN, BOB, Data(b"x"), Noop())]
    got = told(client, "250 ok", "421 4.3.2 going down")
    going = Reply(421, "going down", smtp.EnhancedCode(4, 3, 2))
    assert got == [Completed(calls[0], Reply(250, "ok"))] + [
        Completed(call, going) for call in calls[1:]
    ]
    assert client.state is State.CLOSED
    with pytest.raises(LocalProtocolError, match="CLOSED"):
        client.send(Noop())
    client.receive_data(b"")
    assert events(client) == [Closed()]


def test_421_that_nobody_asked_for_is_an_event() -> None:
    client = greeted()
    client.send(Noop())
    got = told(client, "250 ok", "421 idle for too long")
    assert got[1] == smtp.Closing(Reply(421, "idle for too long"))
    assert client.state is State.CLOSED


def test_421_in_a_message_and_in_a_log_in() -> None:
    client = in_transaction()
    call = client.send(Data())
    told(client, "354 go")
    client.send(Chunk(b"x"))
    assert told(client, "421 bye") == [Completed(call, Reply(421, "bye"))]
    with pytest.raises(LocalProtocolError):
        client.send(Chunk(b"y"))
    client = greeted("AUTH PLAIN")
    login = client.send(Auth("PLAIN"))
    assert told(client, "334 ", "421 bye")[1:] == [Completed(login, Reply(421, "bye"))]


# -- answers that are none -------------------------------------------------------


@pytest.mark.parametrize("line", ["250 ok", "550 no", "334 x", "354 go"])
def test_an_answer_that_nobody_waits_for(line: str) -> None:
    client = greeted()
    (error,) = told(client, line)
    assert "nobody waits for" in str(error)
    with pytest.raises(RemoteProtocolError):
        client.send(Noop())


def test_an_answer_before_the_question() -> None:
    """The forged answers of 'NO STARTTLS', 2021."""
    client = greeted()
    client.send(Noop())
    client.receive_data(b"250 ok\r\n")  # it has not gone out
    (error,) = events(client)
    assert "before the question" in str(error)
    client = greeted()
    client.send(ANN)
    client.send(Noop())
    (_, error) = told(client, "250 ok", "250 ok")  # NOOP is written in between
    assert "before the question" in str(error)


def test_an_early_refusal_makes_way_for_no_forged_answer() -> None:
    client = greeted("PIPELINING")
    client.send(ANN)
    client.send(BOB)
    client.receive_data(b"550 no\r\n250 ok\r\n")  # neither has gone out
    (done, error) = events(client)
    assert answers([done]) == [(ANN, 550)]
    assert "before the question" in str(error)


def test_a_refusal_may_come_early() -> None:
    client = greeted()
    client.send(ANN)
    client.send(Noop())
    assert len(answers(told(client, "250 ok", "503 early"))) == 2


@pytest.mark.parametrize(
    "line",
    ["2500 x", "250_x", "250x", "+25 x", "2_0 x", "\u0662\u0665\u0660 x", "199 x",
     "600 x", "260 x", "x", "", "250 a\0b"],
)  # fmt: skip
def test_what_is_no_reply(line: str) -> None:
    client = greeted()
    client.send(Noop())
    (error,) = told(client, line)
    assert isinstance(error, RemoteProtocolError)


def test_a_bare_lf_ends_no_line() -> None:
    client = greeted()
    client.send(Noop())
    client.data_to_send()
    client.receive_data(b"250 ok\n")
    assert client.next_event() is NEED_DATA
    client.receive_data(b"250 ok\r\n")
    assert isinstance(events(client)[0], RemoteProtocolError)


@pytest.mark.parametrize(
    ("command", "line"), [(Noop(), "354 go"), (Data(b""), "250 ok"), (Noop(), "334 x")]
)
def test_an_answer_of_the_wrong_kind(command: Any, line: str) -> None:
    client = in_transaction()
    client.send(command)
    assert isinstance(told(client, line)[0], RemoteProtocolError)


def test_limits_of_a_reply() -> None:
    client = greeted(limits=smtp.Limits(reply_lines=2))
    client.send(Noop())
    (error,) = told(client, "250-a", "250-b", "250 c")
    assert isinstance(error, LimitExceeded)
    assert error.limit == "reply_lines"
    client = greeted(limits=smtp.Limits(reply=100))
    client.send(Noop())
    (error,) = told(client, "250-" + "x" * 60, "250 " + "x" * 60)
    assert error.limit == "reply"
    client = greeted(limits=smtp.Limits(line=100))
    client.send(Noop())
    (error,) = told(client, "250 " + "x" * 100)
    assert error.limit == "line"


def test_the_server_hangs_up() -> None:
    client = greeted()
    client.receive_data(b"")
    assert "closed by the server in READY" in str(events(client)[0])
    client = greeted()
    client.send(Noop())
    client.receive_data(b"")
    assert "before NOOP was answered" in str(events(client)[0])
    client = greeted()
    client.send(Noop())
    client.data_to_send()
    client.receive_data(b"250-a\r\n")
    client.receive_data(b"")
    assert "inside a reply" in str(events(client)[0])
    client = in_transaction()
    call = client.send(Data())
    told(client, "354 go")
    client.send(Chunk(b"x"))
    told(client, "552 no more")
    client.receive_data(b"")
    got = events(client)
    assert got[0] == Completed(call, Reply(552, "no more"))
    assert "closed by the server" in str(got[1])


# -- messages --------------------------------------------------------------------


def test_a_message_by_hand() -> None:
    client = in_transaction()
    call = client.send(Data())
    with pytest.raises(LocalProtocolError, match="until DATA is over"):
        client.send(Noop())
    assert told(client, "354 go ahead") == [GoAhead(call, b"go ahead")]
    client.send(Chunk(b".a\r"))
    client.send(Chunk(b"\n.b"))
    assert events(client) == []
    client.send(End())
    assert said(client) == b"..a\r\n..b\r\n.\r\n"
    assert answers(told(client, "250 ok")) == [(Data(), 250)]


def test_a_refusal_in_the_middle_is_kept() -> None:
    client = in_transaction()
    client.send(Data())
    told(client, "354 go")
    client.send(Chunk(b"x"))
    assert told(client, "552 too much") == []
    assert isinstance(told(client, "550 no, really")[0], RemoteProtocolError)
    client = in_transaction()
    client.send(Data())
    told(client, "354 go")
    assert told(client, "552 too much") == []
    client.send(End())
    assert answers(events(client)) == [(Data(), 552)]


@pytest.mark.parametrize("line", ["250 queued", "354 more"])
def test_a_good_answer_in_the_middle_is_forged(line: str) -> None:
    client = in_transaction()
    client.send(Data())
    told(client, "354 go")
    assert isinstance(told(client, line)[0], RemoteProtocolError)


def test_a_good_answer_before_the_message_went_out_is_forged() -> None:
    client = in_transaction()
    client.send(Data(b"x"))
    (error,) = told(client, "354 go", "250 queued")
    assert "before the question" in str(error)
    client = in_transaction()
    client.send(Data(b"x"))
    assert answers(told(client, "354 go", "550 no")) == [(Data(), 550)]


def test_a_second_354_is_no_answer() -> None:
    client = in_transaction()
    client.send(Data(b"x"))
    told(client, "354 go")
    assert isinstance(told(client, "354 go")[0], RemoteProtocolError)


@pytest.mark.parametrize(
    ("newlines", "text", "wire"),
    [
        (Newlines.NORMALIZE, b"a\nb\rc\r\nd\r", b"a\r\nb\r\nc\r\nd\r\n.\r\n"),
        (Newlines.KEEP, b"a\n.\rb", b"a\n.\rb\r\n.\r\n"),
        (Newlines.REJECT, b"a\r\n", b"a\r\n.\r\n"),
        (Newlines.NORMALIZE, b"", b".\r\n"),
        (Newlines.NORMALIZE, b"a\n.\nb", b"a\r\n..\r\nb\r\n.\r\n"),
    ],
)
def test_line_ends_of_a_message(newlines: Newlines, text: bytes, wire: bytes) -> None:
    for cut in range(len(text) + 1):
        client = in_transaction(newlines=newlines)
        client.send(Data())
        told(client, "354 go")
        client.send(Chunk(text[:cut]))
        client.send(Chunk(text[cut:]))
        client.send(End())
        assert said(client) == wire
    client = in_transaction(newlines=newlines)
    client.send(Data(text))
    told(client, "354 go")
    assert said(client) == wire


@pytest.mark.parametrize("text", [b"a\n", b"a\r", b"a\rb", b"\0"])
def test_line_ends_that_are_rejected(text: bytes) -> None:
    client = in_transaction("CHUNKING", newlines=Newlines.REJECT)
    with pytest.raises(LocalProtocolError, match="by itself"):
        client.send(Data(text))
    with pytest.raises(LocalProtocolError, match="by itself"):
        client.send(Bdat.of(text, last=True))
    client.send(Data())
    told(client, "354 go")
    with pytest.raises(LocalProtocolError, match="by itself"):
        client.send(Chunk(text + b"x"))
    client.send(Chunk(b"fine"))


def test_a_message_that_is_too_large() -> None:
    client = in_transaction("SIZE 3")
    with pytest.raises(LocalProtocolError, match="larger than 3"):
        client.send(Data(b"1234"))
    client.send(Data(b"123"))
    client = greeted("SIZE 3")
    with pytest.raises(LocalProtocolError, match="larger than 3"):
        client.send(Mail("", Size(4)))


def test_the_very_object_goes_out() -> None:
    client = in_transaction()
    message = b"x" * 100_000 + b"\r\n"
    client.send(Data(message))
    told(client, "354 go")
    assert client.data_to_send()[0] is message


# -- BDAT ------------------------------------------------------------------------


def test_chunks_go_out_together() -> None:
    client = in_transaction("CHUNKING", "PIPELINING")
    client.send(Bdat.of(b"hello\r\n"))
    client.send(Bdat.of(b"world\r\n", last=True))
    client.send(Quit())
    assert said(client) == (b"BDAT 7\r\nhello\r\nBDAT 7 LAST\r\nworld\r\nQUIT\r\n")
    told(client, "250 ok", "250 ok", "221 bye")
    assert client.state is State.CLOSED


def test_chunks_need_chunking() -> None:
    client = in_transaction()
    with pytest.raises(LocalProtocolError, match="CHUNKING is not offered"):
        client.send(Bdat(0, True))


def test_no_data_after_bdat_and_no_bdat_after_data() -> None:
    client = in_transaction("CHUNKING", "PIPELINING")
    client.send(Bdat.of(b"x"))
    with pytest.raises(LocalProtocolError, match="DATA cannot be said in CHUNKS"):
        client.send(Data())
    client = in_transaction("CHUNKING", "PIPELINING")
    client.send(Data(b""))
    with pytest.raises(LocalProtocolError, match="BDAT cannot be said in READY"):
        client.send(Bdat.of(b"x"))


def test_binary_needs_bdat() -> None:
    client = greeted("CHUNKING", "BINARYMIME", "PIPELINING")
    client.send(Mail("", smtp.Body(smtp.BodyType.BINARYMIME)))
    client.send(BOB)
    with pytest.raises(LocalProtocolError, match="BINARYMIME needs BDAT"):
        client.send(Data())
    client.send(Bdat.of(b"\r\0\n", last=True))
    assert said(client).endswith(b"BDAT 3 LAST\r\n\r\0\n")


def test_line_ends_are_looked_at_across_chunks() -> None:
    client = in_transaction("CHUNKING", "PIPELINING")
    client.send(Bdat.of(b"a\r"))
    with pytest.raises(LocalProtocolError, match="by itself"):
        client.send(Bdat.of(b"b"))
    client.send(Bdat.of(b"\nb"))


def test_a_chunk_by_hand() -> None:
    client = in_transaction("CHUNKING")
    call = client.send(Bdat(5, last=True))
    assert said(client) == b"BDAT 5 LAST\r\n"
    assert events(client) == [GoAhead(call, b"")]
    client.send(Chunk(b"abc"))
    with pytest.raises(LocalProtocolError, match="only 2 octets"):
        client.send(Chunk(b"def"))
    with pytest.raises(LocalProtocolError, match="2 octets of the chunk are missing"):
        client.send(End())
    client.send(Chunk(b"de"))
    client.send(Chunk(b""))
    client.send(End())
    assert said(client) == b"abcde"
    assert answers(told(client, "250 ok")) == [(Bdat(5, True), 250)]
    assert client.state is State.READY


def test_a_chunk_by_hand_ends_with_no_cr() -> None:
    client = in_transaction("CHUNKING")
    client.send(Bdat(2, last=True))
    client.next_event()
    client.send(Chunk(b"a"))
    for wrong in (b"\r", b"bc\r"):
        with pytest.raises(LocalProtocolError):
            client.send(Chunk(wrong))
    client.send(Chunk(b"b"))
    client.send(End())
    assert said(client) == b"BDAT 2 LAST\r\nab"


def test_a_cr_at_the_end_of_a_chunk_may_have_its_lf_in_the_next() -> None:
    client = in_transaction("CHUNKING")
    for text, last in ((b"a\r", False), (b"\nb", True)):
        client.send(Bdat(2, last))
        client.next_event()
        client.send(Chunk(text))
        client.send(End())
        assert said(client).endswith(text)
        told(client, "250 ok")
    assert client.state is State.READY


def test_a_chunk_by_hand_is_looked_at_by_the_rules_of_its_own_message() -> None:
    client = greeted("CHUNKING", "BINARYMIME", "PIPELINING")
    binary = Mail("", smtp.Body(smtp.BodyType.BINARYMIME))
    for command in (binary, BOB, Bdat.of(b"\n", last=True)):
        client.send(command)
    told(client, "250 a", "250 b", "250 c")
    for command in (Mail(""), BOB):
        client.send(command)
    told(client, "250 a", "250 b")
    client.send(Bdat(2))
    client.next_event()
    with pytest.raises(LocalProtocolError, match="by itself"):
        client.send(Chunk(b"a\n"))


def test_a_binary_chunk_by_hand_goes_out_as_it_is() -> None:
    client = greeted("CHUNKING", "BINARYMIME", "PIPELINING")
    for command in (Mail("", smtp.Body(smtp.BodyType.BINARYMIME)), BOB):
        client.send(command)
    told(client, "250 a", "250 b")
    client.send(Bdat(5, last=True))
    client.next_event()
    client.send(Chunk(b"\n.\0\n\r"))
    client.send(End())
    assert said(client) == b"BDAT 5 LAST\r\n\n.\0\n\r"


def test_a_message_by_hand_ends_with_no_cr() -> None:
    client = in_transaction(newlines=Newlines.REJECT)
    client.send(Data())
    told(client, "354 go")
    client.send(Chunk(b"a\r"))
    with pytest.raises(LocalProtocolError, match="by itself"):
        client.send(End())
    client.send(Chunk(b"\n"))
    client.send(End())
    assert said(client) == b"a\r\n.\r\n"


def test_a_chunk_by_hand_behind_others() -> None:
    client = greeted("CHUNKING", "PIPELINING")
    client.send(ANN)
    client.send(BOB)
    call = client.send(Bdat(2, last=True))
    assert events(client) == [GoAhead(call, b"")]
    client.send(Chunk(b"a"))
    assert len(answers(told(client, "250 a", "250 b"))) == 2
    assert told(client, "550 no") == []
    client.send(Chunk(b"b"))
    client.send(End())
    assert answers(events(client)) == [(Bdat(2, True), 550)]


def test_after_a_refused_chunk_none_is_sent() -> None:
    """RFC 3030 2."""
    client = in_transaction("CHUNKING")
    calls = [client.send(x) for x in (Bdat.of(b"a"), Bdat.of(b"b"), Bdat(1, True))]
    assert said(client) == b"BDAT 1\r\na"
    got = told(client, "452 full")
    assert answers(got) == [(call.command, 452) for call in calls]
    assert said(client) == b""
    assert client.state is State.FAILED
    with pytest.raises(LocalProtocolError, match="FAILED"):
        client.send(Bdat(0, True))
    client.send(Rset())
    told(client, "250 ok")
    client.send(ANN)


def test_no_chunk_is_sent_without_a_recipient() -> None:
    client = greeted("CHUNKING")
    for command in (ANN, BOB, Bdat.of(b"a", last=True), Rset()):
        client.send(command)
    told(client, "250 ok")
    assert answers(told(client, "550 no")) == [(BOB, 550), (Bdat(1, True), 550)]
    assert said(client) == b"RSET\r\n"


def test_chunks_and_burl() -> None:
    client = in_transaction("CHUNKING", "BURL imap")
    with pytest.raises(ValueError, match="scheme"):
        Burl("outbox")
    client.send(Bdat.of(b"a"))
    client.send(Burl("imap:x", last=True))
    told(client, "250 ok")
    assert said(client) == b"BURL imap:x LAST\r\n"
    told(client, "250 ok")
    assert client.state is State.READY


# -- LMTP ------------------------------------------------------------------------


def lmtp(*extensions: str) -> smtp.Client:
    client = greeted("PIPELINING", *extensions, dialect=smtp.LMTP)
    for command in (ANN, BOB, EVE, BOB):
        client.send(command)
    told(client, "250 a", "250 b", "550 c", "250 d")
    return client


def test_lmtp_tells_what_became_of_each() -> None:
    client = lmtp()
    call = client.send(Data(b"x"))
    told(client, "354 go")
    got = told(client, "250 stored", "452 full")
    each = (
        smtp.Delivery(0, "bob@example.org", Reply(250, "stored")),
        smtp.Delivery(1, "bob@example.org", Reply(452, "full")),
    )
    assert got == [
        Part(call, each[0]),
        Part(call, each[1]),
        Completed(call, smtp.Deliveries(each)),
    ]
    for event in got:
        assert call.feed(event)
    assert call.result() == [Reply(250, "stored"), Reply(452, "full")]
    assert client.state is State.READY


def test_lmtp_what_was_said_of_one_stands_when_the_server_hangs_up() -> None:
    client = lmtp()
    call = client.send(Data(b"x"))
    noop = client.send(Noop())
    told(client, "354 go")
    first = smtp.Delivery(0, "bob@example.org", Reply(250, "stored"))
    rest = smtp.Delivery(1, "bob@example.org", Reply(421, "bye"))
    assert told(client, "250 stored", "421 bye") == [
        Part(call, first),
        Completed(call, smtp.Deliveries((first, rest))),
        Completed(noop, Reply(421, "bye")),
    ]
    assert client.state is State.CLOSED


def test_lmtp_counts_the_recipients_of_each_message_anew() -> None:
    client = lmtp()
    client.send(Data(b"x"))
    told(client, "354 go")
    told(client, "250 ok", "250 ok")
    for command in (ANN, EVE):
        client.send(command)
    told(client, "250 a", "250 b")
    call = client.send(Data(b"y"))
    only = smtp.Delivery(0, "eve@example.org", Reply(250, "ok"))
    assert told(client, "354 go") == []
    assert told(client, "250 ok") == [
        Part(call, only),
        Completed(call, smtp.Deliveries((only,))),
    ]


def test_lmtp_chunks() -> None:
    client = lmtp("CHUNKING")
    client.send(Bdat.of(b"x"))
    client.send(Bdat.of(b"y", last=True))
    assert said(client) == b"BDAT 1\r\nx"  # the last one waits
    told(client, "250 ok")
    assert said(client) == b"BDAT 1 LAST\r\ny"
    assert len(told(client, "250 ok", "250 ok")) == 3


@pytest.mark.parametrize("chunk", [Bdat(1, True), Bdat.of(b"x", last=True)])
def test_lmtp_without_a_recipient_says_nothing(chunk: Bdat) -> None:
    """RFC 2033 4.3: "the BDAT LAST command returns zero replies"."""
    client = greeted("CHUNKING", "PIPELINING", dialect=smtp.LMTP)
    client.send(ANN)
    client.send(BOB)
    call = client.send(chunk)
    assert b"BDAT" not in said(client)
    got = told(client, "250 ok", "550 no")
    assert got[2] == Completed(call, smtp.Deliveries())
    client.send(Rset())
    assert said(client) == b"RSET\r\n"


def test_lmtp_refuses_at_once() -> None:
    client = lmtp()
    client.send(Data(b"x"))
    assert answers(told(client, "451 no")) == [(Data(), 451)]
    with pytest.raises(LocalProtocolError, match="EHLO cannot be said"):
        client.send(Ehlo("a.example"))


# -- STARTTLS --------------------------------------------------------------------


def test_starttls_forgets_what_was_learnt() -> None:
    client = greeted("STARTTLS", "PIPELINING", security=Security.STARTTLS)
    with pytest.raises(LocalProtocolError, match="before TLS"):
        client.send(ANN)
    client.send(Noop())
    told(client, "250 ok")
    call = client.send(StartTls())
    with pytest.raises(LocalProtocolError, match="until STARTTLS is over"):
        client.send(Noop())
    assert told(client, "220 go") == []
    assert client.next_event() is START_TLS
    client.tls_started()
    assert client.capabilities is None
    assert client.state is State.START
    assert events(client) == [Completed(call, Reply(220, "go"))]
    with pytest.raises(LocalProtocolError, match="START"):
        client.send(ANN)
    client.send(Ehlo("a.example"))
    told(client, "250-x", "250 STARTTLS")
    with pytest.raises(LocalProtocolError, match="TLS is there already"):
        client.send(StartTls())


def test_plaintext_behind_the_agreement_is_an_error() -> None:
    for lines in (["220 go", "250 forged"], ["220 go", "421 x"]):
        client = greeted("STARTTLS")
        client.send(StartTls())
        (error,) = told(client, *lines)
        assert isinstance(error, RemoteProtocolError)
    client = greeted("STARTTLS")
    client.send(StartTls())
    told(client, "220 go")
    client.receive_data(b"x")
    with pytest.raises(RemoteProtocolError):
        client.next_event()


@pytest.mark.parametrize("line", ["250 ok", "221 ok"])
def test_only_220_leads_to_tls(line: str) -> None:
    client = greeted("STARTTLS")
    client.send(StartTls())
    assert isinstance(told(client, line)[0], RemoteProtocolError)


def test_starttls_refused_or_missing() -> None:
    client = greeted("STARTTLS", security=Security.STARTTLS)
    call = client.send(StartTls())
    (done,) = told(client, "454 not now")
    call.feed(done)
    with pytest.raises(CommandFailed):
        call.result()
    with pytest.raises(LocalProtocolError, match="before TLS"):
        client.send(ANN)
    with pytest.raises(LocalProtocolError, match="STARTTLS is not offered"):
        greeted().send(StartTls())


def test_implicit_tls() -> None:
    client = smtp.Client(Security.IMPLICIT)
    assert client.next_event() is START_TLS
    client.tls_started()
    assert told(client, "220 x") == [smtp.Greeting("x")]
    assert client.tls


def test_a_refused_quit_is_the_end() -> None:
    client = greeted()
    client.send(Quit())
    told(client, "500 no")
    assert client.state is State.CLOSED


def test_the_server_hangs_up_before_the_handshake() -> None:
    client = greeted("STARTTLS")
    client.send(StartTls())
    told(client, "220 go")
    client.receive_data(b"")
    with pytest.raises(RemoteProtocolError, match="before STARTTLS was answered"):
        client.next_event()


# -- AUTH ------------------------------------------------------------------------


def test_a_log_in_by_itself() -> None:
    client = greeted("AUTH PLAIN")
    client.send(Auth.using(sasl.Plain("ann", "secret")))
    assert said(client) == b"AUTH PLAIN AGFubgBzZWNyZXQ=\r\n"
    told(client, "235 2.7.0 welcome")
    assert client.authenticated
    with pytest.raises(LocalProtocolError, match="AUTH can be said once"):
        client.send(Auth("PLAIN"))


def test_a_log_in_of_several_rounds() -> None:
    client = greeted("AUTH LOGIN")
    client.send(Auth.using(sasl.Login("ann", "secret")))
    assert said(client) == b"AUTH LOGIN\r\n"
    told(client, "334 VXNlcm5hbWU6")
    assert said(client) == b"YW5u\r\n"
    told(client, "334 UGFzc3dvcmQ6")
    assert said(client) == b"c2VjcmV0\r\n"
    got = told(client, "535-5.7.8 no", "535 5.7.8 really")
    assert answers(got) == [(Auth("LOGIN"), 535)]
    assert not client.authenticated


def test_a_first_response_that_is_too_long_waits() -> None:
    """RFC 4954 4: the line must not be longer than others."""
    client = greeted("AUTH PLAIN")
    client.send(Auth.using(sasl.Plain("ann", "x" * 400)))
    assert said(client) == b"AUTH PLAIN\r\n"
    told(client, "334 ")
    assert len(said(client)) > 500


def test_a_log_in_by_hand() -> None:
    client = greeted("AUTH CRAM-MD5")
    call = client.send(Auth("CRAM-MD5"))
    assert told(client, "334 PDE+") == [GoAhead(call, b"<1>")]
    with pytest.raises(LocalProtocolError, match="until AUTH is over"):
        client.send(Noop())
    client.send(smtp.Response(b"x"))
    assert said(client) == b"eA==\r\n"
    with pytest.raises(LocalProtocolError, match="no challenge waits"):
        client.send(smtp.Cancel())
    told(client, "334 PDE+")
    client.send(smtp.Cancel())
    assert answers(told(client, "501 given up")) == [(Auth("CRAM-MD5"), 501)]


@pytest.mark.parametrize("line", ["235 welcome", "334 eA=="])
def test_an_answer_to_a_response_that_was_not_given(line: str) -> None:
    client = greeted("AUTH CRAM-MD5")
    client.send(Auth("CRAM-MD5"))
    told(client, "334 PDE+")
    assert isinstance(told(client, line)[0], RemoteProtocolError)
    client = greeted("AUTH LOGIN")
    client.send(Auth.using(sasl.Login("ann", "secret")))
    (error,) = told(client, "334 eA==", line)
    assert "before the question" in str(error)


def test_a_challenge_that_is_not_base64_is_cancelled() -> None:
    for line in ("421 bye", "501 cancelled"):
        client = greeted("AUTH LOGIN")
        call = client.send(Auth.using(sasl.Login("ann", "secret")))
        assert told(client, "334 Username:") == []
        assert said(client) == b"*\r\n"
        (done,) = told(client, line)
        call.feed(done)
        with pytest.raises(CommandFailed) as failed:
            call.result()
        assert "not base64" in str(failed.value.__cause__)
    client.send(Auth.using(sasl.Login("ann", "secret")))
    told(client, "334 Username:")
    assert "cancelled was granted" in str(told(client, "235 ok")[0])


def test_endless_challenges_by_hand() -> None:
    client = greeted("AUTH LOGIN", limits=smtp.Limits(sasl_rounds=2))
    call = client.send(Auth("LOGIN"))
    for _ in range(2):
        assert told(client, "334 eA==") == [GoAhead(call, b"x")]
        client.send(smtp.Response(b"y"))
    (error,) = told(client, "334 eA==")
    assert isinstance(error, LimitExceeded)
    assert error.limit == "sasl_rounds"


def test_a_challenge_may_be_longer_than_a_reply() -> None:
    """RFC 4954 4: 12288 octets."""
    limits = smtp.Limits(line=1000)
    for coded, longest in ((12_280, True), (12_284, False)):
        client = greeted("AUTH LOGIN", limits=limits)
        call = client.send(Auth("LOGIN"))
        (event,) = told(client, "334 " + "A" * coded)
        if longest:
            assert event == GoAhead(call, bytes(coded * 3 // 4))
        else:
            assert isinstance(event, LimitExceeded)
            assert event.limit == "sasl_line"


def test_endless_challenges() -> None:
    client = greeted("AUTH LOGIN", limits=smtp.Limits(sasl_rounds=2))
    client.send(Auth.using(sasl.Login("ann", "secret")))
    told(client, "334 x")
    told(client, "334 x")
    (error,) = told(client, "334 x")
    assert error.limit == "sasl_rounds"


def test_passwords_do_not_cross_in_the_clear() -> None:
    client = greeted("AUTH PLAIN CRAM-MD5", security=Security.OPTIONAL)
    with pytest.raises(LocalProtocolError, match="in the clear"):
        client.send(Auth.using(sasl.Plain("ann", "secret")))
    client.send(Auth.using(sasl.CramMd5("ann", "secret")))


def test_a_mechanism_that_is_not_offered() -> None:
    with pytest.raises(LocalProtocolError, match="AUTH is not offered"):
        greeted().send(Auth("PLAIN"))
    with pytest.raises(LocalProtocolError, match="mechanism is not offered"):
        greeted("AUTH PLAIN").send(Auth("LOGIN"))
    with pytest.raises(LocalProtocolError, match="AUTH cannot be said in RCPT"):
        in_transaction("AUTH PLAIN").send(Auth("PLAIN"))


# -- what servers do -------------------------------------------------------------


def deviations(got: list[Any]) -> list[Quirk]:
    return [event.quirk for event in got if isinstance(event, Deviation)]


@pytest.mark.parametrize(
    ("lines", "quirks", "read"),
    [
        (["250-AUTH=LOGIN PLAIN"], [Quirk.OLD_AUTH], ["AUTH LOGIN PLAIN"]),
        (["250-SIZE  10 "], [Quirk.EHLO_SPACE], ["SIZE 10"]),
        (["250- DSN"], [Quirk.EHLO_SPACE], ["DSN"]),
        (["250-\x7f"], [Quirk.EHLO_LINE], []),
        (["250-"], [Quirk.EHLO_LINE], []),
        (["250-a\tb\x7f"], [Quirk.EHLO_SPACE, Quirk.EHLO_LINE], []),
        (["251-X"], [Quirk.MIXED_CODES, Quirk.MIXED_CODES], []),
        (["250-X " + "x" * 600], [Quirk.LONG_REPLY], ["X " + "x" * 600]),
    ],
)
def test_faults_of_an_answer_to_ehlo(
    lines: list[str], quirks: list[Quirk], read: list[str]
) -> None:
    for strict in (False, True):
        client = smtp.Client(Security.CLEARTEXT, strict=strict)
        told(client, "220 x")
        client.send(Ehlo("a.example"))
        got = told(client, "250-mx", *lines, "250 HELP")
        if strict:
            assert isinstance(got[0], RemoteProtocolError)
            continue
        assert deviations(got) == quirks
        assert client.capabilities is not None
        assert [str(x) for x in client.capabilities.extensions] == [*read, "HELP"]


def test_the_last_line_may_be_the_one_that_is_left_out() -> None:
    client = smtp.Client(Security.CLEARTEXT)
    told(client, "220 x")
    client.send(Ehlo("a.example"))
    got = told(client, "250-mx", "250-DSN", "250 \x7f")
    assert deviations(got) == [Quirk.EHLO_LINE]
    assert client.capabilities is not None
    assert client.capabilities.dsn


def test_codes_that_differ() -> None:
    client = greeted()
    client.send(Noop())
    got = told(client, "250-a", "550 b")
    assert deviations(got) == [Quirk.MIXED_CODES]
    assert answers(got) == [(Noop(), 550)]


def test_a_long_reply() -> None:
    client = greeted()
    client.send(Noop())
    got = told(client, "250 " + "x" * 600)
    assert deviations(got) == [Quirk.LONG_REPLY]
    assert answers(got) == [(Noop(), 250)]


def test_a_reply_that_is_not_utf8() -> None:
    line = b"550 caf\xe9"
    client = greeted()
    call = client.send(Noop())
    client.data_to_send()
    client.receive_data(line + b"\r\n")
    deviation, done = events(client)
    assert deviation == Deviation(Quirk.NOT_UTF8, line)
    assert done == Completed(call, Reply(550, "caf\udce9"))
    assert done.answer.write() == line + b"\r\n"
    assert str(done.answer) == "550 caf\\udce9"
    client.send(Noop())
    assert answers(told(client, "250 caf\u00e9")) == [(Noop(), 250)]  # no fault


def test_a_challenge_without_a_space() -> None:
    client = greeted("AUTH PLAIN")
    call = client.send(Auth("PLAIN"))
    assert told(client, "334") == [
        Deviation(Quirk.BARE_CHALLENGE, b"334"),
        GoAhead(call, b""),
    ]


@pytest.mark.parametrize(
    ("line", "quirk"),
    [
        (b"250 " + b"x" * 600, Quirk.LONG_REPLY),
        (b"250 caf\xe9", Quirk.NOT_UTF8),
        (b"250 \xff" + b"x" * 600, Quirk.NOT_UTF8),
        (b"250-a\r\n550 b", Quirk.MIXED_CODES),
    ],
)
def test_a_strict_client_excuses_nothing(line: bytes, quirk: Quirk) -> None:
    for strict in (False, True):
        client = greeted("AUTH PLAIN", strict=strict)
        client.send(Noop())
        client.data_to_send()
        client.receive_data(line + b"\r\n")
        got = events(client)
        assert deviations(got) == ([] if strict else [quirk])
        assert isinstance(got[-1], RemoteProtocolError if strict else Completed)
    client = greeted("AUTH PLAIN", strict=True)
    client.send(Auth("PLAIN"))
    (error,) = told(client, "334")
    assert Quirk.BARE_CHALLENGE.value in str(error)


@pytest.mark.parametrize(
    ("lines", "text"),
    [
        (["220"], ""),
        (["220-", "220"], "\n"),
        (["220 " + "*" * 70], "*" * 70),
        (["220-mx", "220-4.1.0 x", "220 ready"], "mx\n4.1.0 x\nready"),
    ],
)
def test_greetings_that_are_odd_and_good(lines: list[str], text: str) -> None:
    client = smtp.Client(Security.CLEARTEXT, strict=True)
    (greeting,) = told(client, *lines)
    assert greeting == smtp.Greeting(text)


@pytest.mark.parametrize(
    "text",
    [
        "#5.1.0 no",
        "5.1.1no",
        "4.1.1 no",
        "6.1.1 no",
        "5.01.1 no",
        "5.1 no",
        "5.1.1.1 x",
    ],
)
def test_what_only_looks_like_an_enhanced_code_is_text(text: str) -> None:
    client = greeted("ENHANCEDSTATUSCODES", strict=True)
    call = client.send(Noop())
    assert told(client, f"550 {text}") == [Completed(call, Reply(550, text))]


def test_an_answer_to_ehlo_without_a_domain() -> None:
    client = smtp.Client(Security.CLEARTEXT, strict=True)
    told(client, "220")
    client.send(Ehlo("a.example"))
    told(client, "250-PIPELINING", "250-auth plain Plain LOGIN", "250 SIZE")
    assert client.capabilities is not None
    assert client.capabilities.domain == "PIPELINING"  # so it must be read
    assert not client.capabilities.pipelining
    assert client.capabilities.sasl == ("PLAIN", "LOGIN")
    assert client.capabilities.size == 0


def test_enhanced_codes_on_some_lines() -> None:
    client = greeted()
    client.send(Noop())
    (done,) = told(client, "450-4.1.0 a", "450-b", "450-4.1.0", "450 5.5.5 c")
    assert done.answer.lines == ["a", "b", "", "5.5.5 c"]
    assert str(done.answer.enhanced) == "4.1.0"


# -- limits of the server --------------------------------------------------------


def test_limits_that_the_server_announces() -> None:
    """RFC 9422."""
    client = greeted("LIMITS RCPTMAX=2 MAILMAX=1 RCPTDOMAINMAX=1", "PIPELINING")
    client.send(ANN)
    client.send(Rcpt("bob@Example.org"))
    with pytest.raises(LocalProtocolError, match="recipients of only 1 domains"):
        client.send(Rcpt("bob@example.com"))
    client.send(Rcpt("Postmaster"))
    with pytest.raises(LocalProtocolError, match="only 2 recipients"):
        client.send(EVE)
    told(client, "250 a", "250 b", "550 c")
    with pytest.raises(LocalProtocolError, match="only 2 recipients"):
        client.send(EVE)
    client.send(Rset())
    with pytest.raises(LocalProtocolError, match="only 1 messages"):
        client.send(ANN)


def test_smtputf8() -> None:
    client = greeted("SMTPUTF8", "PIPELINING")
    client.send(Mail("péter@example.hu", SmtpUtf8()))
    client.send(Rcpt("pál@example.hu"))
    client.send(Rset())
    client.send(ANN)
    with pytest.raises(LocalProtocolError, match="needs SMTPUTF8"):
        client.send(Rcpt("pál@example.hu"))
    with pytest.raises(LocalProtocolError, match="SMTPUTF8 is not offered"):
        greeted().send(Vrfy("ann", smtputf8=True))
    with pytest.raises(LocalProtocolError, match="SMTPUTF8 is not offered"):
        greeted().send(Mail("a@b.example", SmtpUtf8()))


def test_requiretls_needs_tls() -> None:
    client = greeted("REQUIRETLS")
    with pytest.raises(LocalProtocolError, match="needs TLS"):
        client.send(Mail("", smtp.RequireTls()))


def test_xclient_begins_anew() -> None:
    client = greeted("XCLIENT NAME ADDR")
    with pytest.raises(LocalProtocolError, match="attribute that is not offered"):
        client.send(Xclient.of(LOGIN="ann"))
    client.send(Xclient.of(NAME="a.example", ADDR="192.0.2.1"))
    assert said(client) == b"XCLIENT NAME=a.example ADDR=192.0.2.1\r\n"
    told(client, "220 hello again")
    assert client.state is State.START
    assert client.capabilities is None


def test_after_atrn_the_ends_are_exchanged() -> None:
    """RFC 2645 6."""
    customer = greeted("AUTH PLAIN", "ATRN")
    with pytest.raises(LocalProtocolError, match="authentication required"):
        customer.send(smtp.Atrn())
    customer.send(Auth.using(sasl.Plain("ann", "secret")))
    told(customer, "235 ok")
    customer.send(smtp.Atrn(("example.org",)))
    told(customer, "250 OK now reversing the connection")
    assert customer.state is State.TURNED
    assert customer.next_event() is PAUSED
    with pytest.raises(LocalProtocolError, match="TURNED"):
        customer.send(Noop())
    assert customer.trailing_data == b""


def test_a_transcript_shows_no_secret() -> None:
    lines: list[tuple[str, bytes]] = []
    client = greeted("AUTH PLAIN CRAM-MD5")
    client.trace = lambda side, line: lines.append((side, line))
    client.send(Auth("PLAIN", b"secret"))
    told(client, "535 no")
    client.send(Auth("CRAM-MD5"))
    told(client, "334 c2VjcmV0")
    client.send(smtp.Response(b"secret"))
    told(client, "235 ok")
    client.send(ANN)
    told(client, "250 ok")
    client.send(BOB)
    told(client, "250 ok")
    client.send(Data(b"secret"))
    told(client, "354 go")
    told(client, "250 ok")
    shown = b"\n".join(line for _, line in lines)
    assert b"c2Vjc" not in shown
    assert b"secret" not in shown
    assert (("C", b"AUTH PLAIN ****")) in lines
    assert (("C", b"(a message)")) in lines


def test_what_hung_on_a_refused_mail_is_not_counted_on() -> None:
    client = greeted("PIPELINING")
    for command in (ANN, BOB, EVE):
        client.send(command)
    assert client.ahead is State.RCPT
    (refused,) = told(client, "550 not you")
    assert not refused.ok
    recounted: State = client.ahead
    assert recounted is State.READY  # whatever the RCPTs on their way are told
