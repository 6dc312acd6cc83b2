"""Commands and parameters check themselves, and nobody injects one through another."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from mailproto import sasl, smtp
from mailproto.smtp import (
    Atrn,
    Auth,
    AuthAs,
    Bdat,
    Body,
    BodyType,
    Burl,
    By,
    Data,
    Ehlo,
    EnvId,
    Etrn,
    Expn,
    Help,
    HoldFor,
    HoldUntil,
    Mail,
    MtPriority,
    Noop,
    Notify,
    NotifyWhen,
    Orcpt,
    Other,
    Rcpt,
    Refusal,
    RequireTls,
    Ret,
    Returned,
    Rrvs,
    Size,
    SmtpUtf8,
    Vrfy,
    Xclient,
    Xforward,
)

EVIL = "x\r\nRCPT TO:<evil@example.org>"
THEN = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    "make",
    [
        lambda x: Ehlo(x), lambda x: Mail(x), lambda x: Mail(f'"{x}"@a'),
        lambda x: Mail(f"a@{x}"), lambda x: Rcpt(x), lambda x: Rcpt(f"<{x}>"),
        lambda x: Vrfy(x), lambda x: Expn(x), lambda x: Help(x), lambda x: Noop(x),
        lambda x: Burl(f"imap:{x}"), lambda x: Etrn(x), lambda x: Atrn((x,)),
        lambda x: Auth(x), lambda x: Xclient.of(**{x: "a"}),
        lambda x: Xclient.of(NAME=x), lambda x: Xforward.of(NAME=x),
        lambda x: Other("X", x), lambda x: Other(x), lambda x: EnvId(x),
        lambda x: Orcpt(x), lambda x: Orcpt("a", x), lambda x: AuthAs(x),
        lambda x: Rrvs(THEN, x),
        lambda x: Notify((x,)),
        lambda x: Body(x), lambda x: Ret(x),
        lambda x: smtp.Extension(x), lambda x: smtp.Extension("X", (x,)),
        lambda x: smtp.EhloData(x), lambda x: smtp.EhloData("a", (), x),
        lambda x: smtp.Greeting(x), lambda x: smtp.Reply(250, x),
    ],
)  # fmt: skip
@pytest.mark.parametrize("evil", [EVIL, "a\nb\r", "a\0b", "\ud800", "\u560d\ud80a"])
def test_nothing_gets_in_through_an_argument(make: Any, evil: str) -> None:
    with pytest.raises(ValueError):
        make(evil)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Mail("a"), lambda: Mail("Postmaster"), lambda: Rcpt(""),
        lambda: Rcpt("a"), lambda: Mail("", Notify()), lambda: Rcpt("a@b", Size(1)),
        lambda: Mail("", Size(1), Size(2)), lambda: Mail("", Other("X"), Other("x")),
        lambda: Mail("", HoldFor(1), HoldUntil(THEN)), lambda: Mail("ü@a"),
        lambda: Mail("", Other("X", "ü")), lambda: Other("size", "1"),
        lambda: Other("="), lambda: Size(-1), lambda: Size(10**20), lambda: By(0),
        lambda: By(-1), lambda: By(10**9), lambda: By(-(10**9), notify=True),
        lambda: HoldFor(0),
        lambda: HoldUntil(THEN.replace(tzinfo=timezone(timedelta(hours=1)))),
        lambda: HoldUntil(THEN.replace(tzinfo=None)), lambda: MtPriority(10),
        lambda: EnvId(""), lambda: EnvId("x" * 101), lambda: EnvId("ü"),
        lambda: Orcpt(""), lambda: Orcpt("ü"), lambda: Orcpt("x" * 500),
        lambda: Notify((NotifyWhen.DELAY, NotifyWhen.DELAY)), lambda: Bdat(-1),
        lambda: Bdat(2, data=b"x"), lambda: Vrfy("ü"), lambda: Vrfy('""'),
        lambda: Vrfy("x SMTPUTF8"), lambda: Vrfy("x" * 3000), lambda: Noop("x" * 3000),
        lambda: Burl("outbox"), lambda: Atrn(("ü.example",)), lambda: Xclient(()),
        lambda: Xclient((("A", "b"), ("a", "c"))), lambda: Xclient.of(A=""),
        lambda: Auth("PLAIN", b"x" * 12_288), lambda: Mail("", Other("X", "y" * 3000)),
        lambda: smtp.EnhancedCode(3, 0, 0), lambda: smtp.EnhancedCode(2, 1000, 0),
    ],
)  # fmt: skip
def test_a_value_that_cannot_be(make: Any) -> None:
    with pytest.raises(ValueError):
        make()


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (Size, "1 0"), (Size, ""), (Size, None), (Body, "8BIT"), (Body, None),
        (SmtpUtf8, "x"), (RequireTls, ""), (AuthAs, "a"), (AuthAs, "<"), (Ret, "ALL"),
        (EnvId, "+0A"), (By, "120"), (By, "120;"), (By, "120;T"), (By, "1;R;T"),
        (By, "-10;RT"), (HoldFor, "0"), (HoldFor, "XYZ"), (HoldUntil, "12345"),
        (HoldUntil, "2003-07-23T00:00:00+01:00"), (MtPriority, "-0"),
        (MtPriority, "+1"), (MtPriority, ""), (Notify, ""), (Notify, "NEVER,DELAY"),
        (Notify, "DELAY,DELAY"), (Notify, "delay,"), (Orcpt, ";"), (Orcpt, "rfc822"),
        (Orcpt, "rfc822;a b"),
        (Orcpt, "utf-8;\\x{0A}"), (Rrvs, "ABC"), (Rrvs, "2014-04-03T23:01:00Z;X"),
        (Rrvs, "2014-04-03T23:01:00Z;"),
    ],
)  # fmt: skip
def test_a_parameter_that_cannot_be_read(kind: Any, value: str | None) -> None:
    with pytest.raises(ValueError):
        kind.read(value)


def test_refusals_tell_the_reply() -> None:
    for line, code in (
        (b"FROM:<> SIZE=x", "501 5.5.4"),
        (b"FROM:<> NOTIFY=NEVER", "555 5.5.4"),
        (b"FROM:<a>", "501 5.1.7"),
    ):
        with pytest.raises(Refusal) as refused:
            Mail.read(line)
        assert str(refused.value.reply).startswith(code)


def test_what_stands_on_the_wire() -> None:
    mail = Mail(
        "a@b", By(5, notify=True, trace=True), Other("x-Foo", "Bar"), Ret(Returned.FULL)
    )
    assert mail.write() == b"MAIL FROM:<a@b> BY=5;NT x-Foo=Bar RET=FULL\r\n"
    assert Mail("p\u00e9@b", SmtpUtf8()).smtputf8
    rcpt = Rcpt("postMASTER", Notify((NotifyWhen.SUCCESS, NotifyWhen.DELAY)))
    assert rcpt.write() == b"RCPT TO:<Postmaster> NOTIFY=SUCCESS,DELAY\r\n"
    assert Rcpt("a@b", Orcpt("\u00e9@x", "utf-8")).write() == (
        b"RCPT TO:<a@b> ORCPT=utf-8;\\x{E9}@x\r\n"
    )
    assert Rrvs.read("2014-04-03T23:01:00Z;c").value() == "2014-04-03T23:01:00Z;C"
    assert AuthAs().value() == "<>"
    assert Other("X", "y").value() == "y"
    assert Body(BodyType.SEVENBIT).value() == "7BIT"
    assert Ret(Returned.FULL).value() == "FULL"


def test_what_is_shown_of_commands() -> None:
    assert Auth("plain", b"x").masked() == b"AUTH PLAIN ****"
    assert Auth("PLAIN").masked() == b"AUTH PLAIN"
    assert Auth("PLAIN").reveals_secret
    assert not Auth.using(sasl.CramMd5("a", "b")).reveals_secret
    assert Burl("imap:secret", last=True).masked() == b"BURL **** LAST"
    assert Burl("imap:secret").masked() == b"BURL ****"
    assert "secret" not in repr(Burl("imap:secret"))
    assert Bdat.of(b"secret") == Bdat(6)
    assert "secret" not in repr((Bdat.of(b"secret"), Data(b"secret")))
    assert Data().ends_message
    assert not Bdat(1).ends_message
    assert Data().result(smtp.Reply(250), []) == [smtp.Reply(250)]


@pytest.mark.parametrize(
    ("kind", "argument"),
    [
        (Bdat, b"5 FIRST"), (Bdat, b"5 LAST LAST"), (Burl, b"imap:x FIRST"),
        (smtp.Rset, b"x"), (Auth, b"PLAIN "), (Auth, b"PLAIN A"), (Auth, b"PLAIN =="),
        (Xclient, b"NAME"), (Xclient, b"NAME=+"), (Xclient, b"NAME=a  ADDR=b"),
        (Atrn, b"a,,b"), (Ehlo, b""), (Ehlo, b"\xc3\xbc"), (Vrfy, b"\xff"),
        (Rcpt, b"TO:<Postmaster@>"), (Rcpt, b"TO: <a@b>"),
        (Mail, b"FROM:<a@b>  SIZE=1"),
    ],
)  # fmt: skip
def test_arguments_that_cannot_be_read(kind: Any, argument: bytes) -> None:
    with pytest.raises(ValueError):
        kind.read(argument)
