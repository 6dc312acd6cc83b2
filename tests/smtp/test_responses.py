"""Replies, greetings, and what EHLO announces."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from mailproto.smtp import (
    Challenge,
    EhloData,
    EnhancedCode,
    Extension,
    FutureRelease,
    Greeting,
    Reply,
)


def told(*lines: str) -> EhloData:
    return EhloData("mx.example.org", tuple(map(Extension.read, lines)))


def test_a_reply() -> None:
    reply = Reply.read(b"550-5.1.1 No such user", b"550 5.1.1 Try the staff list")
    assert reply == Reply(
        550, "No such user\nTry the staff list", EnhancedCode(5, 1, 1)
    )
    assert reply.lines == ["No such user", "Try the staff list"]
    assert (reply.ok, reply.transient) == (False, False)
    assert str(reply) == "550 5.1.1 No such user\\nTry the staff list"
    assert Reply(250).ok
    assert str(Reply(250)) == "250"
    assert Reply(450).transient
    assert not Reply(354).ok
    assert Reply.read(b"250 100.address.org").enhanced is None
    assert Reply.read(b"450 5.1.1 odd") == Reply(450, "5.1.1 odd")
    assert Reply.read(b"550 #5.1.0 x").enhanced is None
    assert Reply.read(b"550 5.7.1Text").enhanced is None
    assert Reply.read(b"250-Missing", b"250") == Reply(250, "Missing\n")
    assert Reply.read(b"250 caf\xe9").write() == b"250 caf\xe9\r\n"


@pytest.mark.parametrize(
    "lines",
    [
        (), (b"250-a",), (b"250 a", b"250 b"), (b"250 a", b"250 a"),
        (b"250-a", b"251 b"), (b"2500 a",),
        (b"25 a",), (b"250_a",), (b"",), (b"199 a",), (b"260 a",), (b"600 a",),
        (b"250 a\nb",),
        (b"250 a\0",), (b"250-a", b"250-b"), ("\u0662\u0665\u0660 a".encode(),),
    ],
)  # fmt: skip
def test_no_reply(lines: tuple[bytes, ...]) -> None:
    for kind in (Reply, Greeting, EhloData):
        with pytest.raises(ValueError):
            kind.read(*lines)


def test_ehlo_is_granted_by_250_only() -> None:
    with pytest.raises(ValueError, match="250"):
        EhloData.read(b"251-mx", b"251 DSN")


@pytest.mark.parametrize(
    ("code", "text", "enhanced"),
    [
        (100, "", None), (260, "", None), (560, "", None), (250, "2.0.0 ok", None),
        (250, "a\rb", None), (550, "", EnhancedCode(4, 0, 0)), (250, "\0", None),
        (354, "", EnhancedCode(2, 0, 0)),
    ],
)  # fmt: skip
def test_a_reply_checks_itself(
    code: int, text: str, enhanced: EnhancedCode | None
) -> None:
    with pytest.raises(ValueError):
        Reply(code, text, enhanced)


def test_enhanced_codes() -> None:
    assert str(EnhancedCode.read("5.7.30")) == "5.7.30"
    for text in ("5.1", "5.1.1 ", "3.0.0", "5.01.1", "5.1.1000", "5.1.1\n"):
        with pytest.raises(ValueError):
            EnhancedCode.read(text)


def test_a_greeting() -> None:
    greeting = Greeting.read(b"220-foo.com ESMTP", b"220 hello")
    assert greeting.domain == "foo.com"
    assert greeting.ok
    assert str(greeting) == "220 foo.com ESMTP\\nhello"
    assert Greeting().domain == ""
    refusal = Greeting.read(b"554 5.7.1 no")
    assert not refusal.ok
    assert refusal.write() == b"554 5.7.1 no\r\n"


@pytest.mark.parametrize("line", [b"334", b"334 !", b"334 eA=", b"335 ", b"334  eA=="])
def test_no_challenge(line: bytes) -> None:
    with pytest.raises(ValueError):
        Challenge.read(line)


def test_what_ehlo_announces() -> None:
    data = told(
        "pipelining", "SIZE 1000", "8BITMIME", "BINARYMIME", "CHUNKING", "STARTTLS",
        "AUTH plain LOGIN", "AUTH LOGIN XOAUTH2", "ENHANCEDSTATUSCODES", "DSN",
        "SMTPUTF8", "REQUIRETLS", "DELIVERBY 240,x",
        "FUTURERELEASE 3600 2030-01-01T00:00:00Z", "MT-PRIORITY MIXER",
        "LIMITS RCPTMAX=20 mailmax=5 RCPTDOMAINMAX=0", "BURL imap imap://x", "RRVS",
        "ETRN", "ATRN", "XCLIENT name ADDR", "XFORWARD NAME", "Xyzzy a b", "SIZE 7",
    )  # fmt: skip
    assert (data.pipelining, data.size, data.eightbitmime) == (True, 1000, True)
    assert data.binarymime
    assert data.chunking
    assert data.starttls
    assert data.sasl == ("PLAIN", "LOGIN", "XOAUTH2")
    assert data.enhancedstatuscodes
    assert data.dsn
    assert data.smtputf8
    assert data.requiretls
    assert data.deliverby == 240
    until = datetime(2030, 1, 1, tzinfo=UTC)
    assert data.futurerelease == FutureRelease(3600, until)
    assert data.mt_priority == "MIXER"
    assert data.limits == {"RCPTMAX": "20", "MAILMAX": "5", "RCPTDOMAINMAX": "0"}
    assert (data.limit("RCPTMAX"), data.limit("RCPTDOMAINMAX")) == (20, None)
    assert data.burl == ("imap", "imap://x")
    assert data.rrvs
    assert data.etrn
    assert data.atrn
    assert data.xclient == {"NAME", "ADDR"}
    assert data.xforward == {"NAME"}
    assert "XYZZY" in data
    assert data.parameters("xyzzy") == ("a", "b")
    assert str(data.extensions[-2]) == "Xyzzy a b"
    assert b"250-Xyzzy a b\r\n" in data.write()


def test_what_it_does_not_announce() -> None:
    data = told("BINARYMIME")
    assert data.size is None
    assert not data.binarymime  # not without CHUNKING
    assert data.sasl == data.burl == ()
    assert data.deliverby is None
    assert data.futurerelease is None
    assert data.mt_priority is None
    assert data.limits == {}
    assert data.limit("RCPTMAX") is None
    assert EhloData("x").write() == b"250 x\r\n"
    assert EhloData("x", (), "hi there").write() == b"250 x hi there\r\n"


def test_what_is_announced_badly() -> None:
    data = told("SIZE x", "DELIVERBY", "FUTURERELEASE 0 2030", "MT-PRIORITY")
    assert data.size == 0
    assert data.deliverby == 0
    assert data.futurerelease is None
    assert data.mt_priority == ""
    assert told("SIZE").size == 0
    # RFC 9422 3.7: "best handled by ignoring the value in its entirety"
    assert told("LIMITS RCPTMAX=1 =x").limits == {}
    assert told("LIMITS RCPTMAX=x MAILMAX=2").limit("RCPTMAX") is None
    assert told("LIMITS RCPTMAX=x MAILMAX=2").limit("MAILMAX") == 2


@pytest.mark.parametrize(
    ("keyword", "parameters"),
    [("", ()), ("a b", ()), ("X", ("",)), ("X", ("a b",)), ("-X", ()), ("X=", ())],
)
def test_no_extension(keyword: str, parameters: tuple[str, ...]) -> None:
    with pytest.raises(ValueError):
        Extension(keyword, parameters)
    with pytest.raises(ValueError):
        EhloData("a b")
