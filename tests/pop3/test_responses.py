from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailproto import pop3
from mailproto.pop3 import Capabilities, Capability, Reply, ResponseCode
from tests.pop3.strategies import LINES, STATUS, instances


@pytest.mark.parametrize("kind", LINES, ids=lambda kind: kind.__name__)
def test_lines_that_are_written_are_read(kind: type[Any]) -> None:
    @given(instances(kind))
    def check(value: Any) -> None:
        line = value.write()
        assert b"\r" not in line
        assert b"\n" not in line
        assert kind.read(line) == value

    check()


@pytest.mark.parametrize("kind", STATUS, ids=lambda kind: kind.__name__)
def test_status_lines_that_are_written_are_read(kind: type[Any]) -> None:
    @given(instances(kind))
    def check(value: Any) -> None:
        line = value.write()
        assert line.count(b"\r") == line.count(b"\n") == 1
        assert kind.read(line[:-2]) == value

    check()


@given(st.sampled_from([*LINES, *STATUS]), st.binary(max_size=40))
def test_any_line_is_read_or_refused(kind: type[Any], line: bytes) -> None:
    try:
        value = kind.read(line)
    except ValueError:
        return
    assert isinstance(value, kind)


@given(st.binary(max_size=40))
def test_octets_that_are_no_text_come_through(octets: bytes) -> None:
    line = b"-ERR " + octets.translate(None, b"\r\n\0[")
    assert Reply.read(line).write() == line.removesuffix(b" ") + b"\r\n" or line[5:]
    assert Reply.read(line).write()[:-2].rstrip(b" ") == line.rstrip(b" ")


@pytest.mark.parametrize(
    ("line", "code", "text"),
    [
        (b"-ERR [IN-USE] Do you have", "IN-USE", "Do you have"),
        (b"-ERR [in-use] Do you have", "IN-USE", "Do you have"),
        (b"-ERR [SYS/TEMP]", "SYS/TEMP", ""),
        (b"-ERR [SYS/TEMP/DISK] full", "SYS/TEMP/DISK", "full"),
        (b"+OK [X] ", "X", ""),
        (b"-ERR [] x", None, "[] x"),
        (b"-ERR [a b] x", None, "[a b] x"),
        (b"-ERR [AUTH x", None, "[AUTH x"),
        (b"-ERR x [AUTH]", None, "x [AUTH]"),
        (b"-ERR", None, ""),
    ],
)
def test_response_codes(line: bytes, code: str | None, text: str) -> None:
    reply = Reply.read(line)
    assert (reply.code, reply.text) == (code, text)


def test_known_codes_are_typed_and_unknown_ones_kept() -> None:
    assert Reply.read(b"-ERR [login-delay] wait").code is ResponseCode.LOGIN_DELAY
    assert Reply(False, "", "AUTH").code is ResponseCode.AUTH
    assert type(Reply.read(b"-ERR [X-OTHER] wait").code) is str
    assert pop3.Greeting.read(b"-ERR [SYS/TEMP] later").code is ResponseCode.SYS_TEMP


@pytest.mark.parametrize(
    "make",
    [
        lambda: Reply(True, "a\r\n+OK"),
        lambda: Reply(True, "a\nb"),
        lambda: Reply(True, "a\0b"),
        lambda: Reply(False, "[AUTH] wrong"),
        lambda: Reply(False, "wrong", "A]B"),
        lambda: Reply(False, "wrong", "a"),
        lambda: Reply(False, "wrong", ""),
        lambda: pop3.Greeting("a\r\nb"),
        lambda: pop3.StatData(-1, 0),
        lambda: pop3.StatData(0, 2**63),
        lambda: pop3.Listing(0, 0),
        lambda: pop3.Listing(1, -1),
        lambda: pop3.UniqueId(1, ""),
        lambda: pop3.UniqueId(1, " a"),
        lambda: pop3.UniqueId(1, "a\nb"),
        lambda: pop3.Language("de at"),
        lambda: pop3.Language("de", "a\nb"),
        lambda: Capability("A.B"),
        lambda: Capability("A B"),
        lambda: Capability("A", ("",)),
        lambda: Capability("A", ("b c",)),
        lambda: Capability("A", ("b\r\nc",)),
    ],
)
def test_what_cannot_be_sent_cannot_be_made(make: Any) -> None:
    with pytest.raises(ValueError):
        make()


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"+",
        b"OK",
        b"+Okay",
        b"+ok x",
        b"* BYE",
        b"+OKx",
        b"-ERROR",
        b" +OK",
        b"+OK\0",
    ],
)
def test_what_is_no_reply(line: bytes) -> None:
    with pytest.raises(ValueError):
        Reply.read(line)


@pytest.mark.parametrize(
    ("kind", "line"),
    [
        (pop3.StatData, b"3"),
        (pop3.StatData, b"5 -1"),
        (pop3.StatData, b"1_0 5"),
        (pop3.StatData, b"+1 5"),
        (pop3.Listing, b"7"),
        (pop3.Listing, b"7 ten"),
        (pop3.Listing, b"0 10"),
        (pop3.UniqueId, b"1"),
        (pop3.UniqueId, b"1 "),
        (pop3.UniqueId, b"x y"),
        (pop3.Challenge, b"+"),
        (pop3.Challenge, b"+ =AAA"),
        (pop3.Challenge, b"+ AAA"),
        (pop3.Challenge, b"+OK"),
    ],
)
def test_what_is_no_data(kind: type[Any], line: bytes) -> None:
    with pytest.raises(ValueError):
        kind.read(line)


def test_more_may_follow_and_means_nothing() -> None:
    """RFC 1939 5: a scan listing and a drop listing may carry more information."""
    assert pop3.StatData.read(b"2 320 extra words") == pop3.StatData(2, 320)
    assert pop3.Listing.read(b"1 120 extra columns") == pop3.Listing(1, 120)


@pytest.mark.parametrize(
    ("text", "stamp"),
    [
        ("POP3 server ready <1896.697170952@dbc.mtview.ca.us>", True),
        ("ready <not-a-msgid>", False),
        ("ready <a@b> or <c@d>", True),
        ("ready <x <a@b>", True),
        ("ready <\x01@b>", False),
        ("ready", False),
    ],
)
def test_stamps(text: str, stamp: bool) -> None:
    assert (pop3.Greeting(text).stamp is not None) is stamp
    assert pop3.Greeting(text, ok=False).stamp is None


def test_a_stamp_is_searched_in_linear_time() -> None:
    assert pop3.Greeting("<a@" * 100_000).stamp is None


def test_capabilities_are_typed() -> None:
    caps = Capabilities(
        Capability.read(line)
        for line in (
            b"TOP",
            b"user",
            b"SASL plain SCRAM-SHA-256",
            b"RESP-CODES",
            b"UIDL",
            b"LOGIN-DELAY 900 USER",
            b"PIPELINING",
            b"EXPIRE 60",
            b"STLS",
            b"IMPLEMENTATION BlurdyBlurp POP3 server",
            b"UTF8 USER",
            b"LANG",
            b"AUTH-RESP-CODE",
            b"X-OTHER  a",
            b"EXPIRE 7",
        )
    )
    assert caps.top
    assert caps.user
    assert caps.sasl == ("PLAIN", "SCRAM-SHA-256")
    assert caps.resp_codes
    assert caps.uidl
    assert caps.login_delay == pop3.LoginDelay(900, per_user=True)
    assert caps.pipelining
    assert caps.expire == pop3.Expire(60)
    assert caps.stls
    assert caps.implementation == "BlurdyBlurp POP3 server"
    assert caps.utf8
    assert caps.utf8_user
    assert caps.lang
    assert caps.auth_resp_code
    assert "x-other" in caps
    assert caps.arguments("X-OTHER") == ("a",)
    assert caps.lines[-2] == Capability("X-OTHER", ("a",))


def test_what_is_not_announced() -> None:
    caps = Capabilities()
    assert caps == Capabilities([])
    assert not any(
        (
            caps.top,
            caps.user,
            caps.sasl,
            caps.resp_codes,
            caps.uidl,
            caps.login_delay,
            caps.pipelining,
            caps.expire,
            caps.stls,
            caps.implementation,
            caps.utf8,
            caps.utf8_user,
            caps.lang,
            caps.auth_resp_code,
            "TOP" in caps,
        )
    )


@pytest.mark.parametrize(
    ("line", "expire", "delay"),
    [
        (b"EXPIRE NEVER", pop3.Expire(None), None),
        (b"EXPIRE never user", pop3.Expire(None, per_user=True), None),
        (b"EXPIRE 0", pop3.Expire(0), None),
        (b"EXPIRE 5 USER", pop3.Expire(5, per_user=True), None),
        (b"EXPIRE soon", None, None),
        (b"EXPIRE", None, None),
        (b"LOGIN-DELAY 300", None, pop3.LoginDelay(300)),
        (b"LOGIN-DELAY -1", None, None),
    ],
)
def test_policies(line: bytes, expire: Any, delay: Any) -> None:
    caps = Capabilities([Capability.read(line)])
    assert (caps.expire, caps.login_delay) == (expire, delay)


def test_a_unique_id_that_is_not_legal_is_not_written() -> None:
    for uid in ("a" * 71, "\xe9", "a b"):
        unique = pop3.UniqueId(1, uid)
        assert not unique.legal
        with pytest.raises(ValueError, match="1 to 70"):
            unique.write()


def test_text_of_the_peer_is_shown_without_what_could_steer_a_terminal() -> None:
    assert str(Reply.read(b"-ERR \x1b[31mred \xff")) == "-ERR \\x1b[31mred \\udcff"
    assert str(pop3.Greeting("hi")) == "+OK hi"
