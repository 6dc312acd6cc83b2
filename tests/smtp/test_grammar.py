"""The small words of SMTP: what is one, and what is none."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailproto.smtp.grammar import (
    Mailbox,
    check_argument,
    check_date,
    check_domain,
    check_hello,
    check_keyword,
    check_literal,
    check_number,
    check_value,
    read_date,
    read_number,
    read_path,
    read_unitext,
    read_xtext,
    write_date,
    write_unitext,
    write_xtext,
)

LONG = "a" * 63


@pytest.mark.parametrize(
    ("text", "local", "name"),
    [
        ("Smith@bar.com", "Smith", "Smith"),
        ('"Joe.\\\\Blow"@example.com', '"Joe.\\\\Blow"', "Joe.\\Blow"),
        ('"\\a\\b\\c"@example.com', '"\\a\\b\\c"', "abc"),
        ('"info@"@example.com', '"info@"', "info@"),
        ('"a b>"@example.com', '"a b>"', "a b>"),
        ("!#$%&'*+-/=?^_`{|}~@x", "!#$%&'*+-/=?^_`{|}~", "!#$%&'*+-/=?^_`{|}~"),
        ("p\u00e9ter@m\u00fcnchen.de", "p\u00e9ter", "p\u00e9ter"),
        (f"{LONG}{LONG}@example.com", LONG * 2, LONG * 2),  # SRS and VERP do that
        ("u@[192.0.2.1]", "u", "u"),
        ("u@[001.2.3.255]", "u", "u"),
        ("u@[IPv6:2001:db8::1]", "u", "u"),
        ("u@[ipv6:::]", "u", "u"),
        ("u@[IPv6:1:2:3:4:5:6:7::]", "u", "u"),  # erratum 4315
        ("u@[IPv6:::ffff:192.0.2.1]", "u", "u"),
        ("u@[future:something]", "u", "u"),
    ],
)
def test_a_mailbox(text: str, local: str, name: str) -> None:
    mailbox = Mailbox.read(text)
    assert (mailbox.local, mailbox.name, str(mailbox)) == (local, name, text)


@pytest.mark.parametrize(
    "text",
    ["", "a", "a@", "@b", "a@b.", "a@.b", "a@b..c", "a..b@c", ".a@b", "a.@b", "a b@c",
     'a"b@c', '"a@b', '""@b', '"a".b@c', "a@-b", "a@b-", "a@b_c", "a@[1.2.3]",
     "a@[1.2.3.256]", "a@[1.2.3.4", "a@[::1]", "a@[IPv6:x]", "a@[IPv6:1::2::3]", "a@[]",
     "a@[IPv6:fe80::1%eth0]", "a@[-x:y]", "a@[x:]", "a@b\n", "a\0@b", "a@b>", "(c)a@b",
     "a@b\u3002c", "a@b\uff0ec", "a@b\uff61c", "a@b\ud800", "a\x85@b", "a@" + "x" * 300,
     f"{LONG * 4}@example.com", '"\u00e4\\\u00e4"@b', "<a@b>", "A <a@b>"],
)  # fmt: skip
def test_no_mailbox(text: str) -> None:
    with pytest.raises(ValueError):
        Mailbox.read(text)
    with pytest.raises(ValueError):
        read_path(f"<{text}>x")
    if not text.isalpha() and text:
        with pytest.raises(ValueError):
            read_path(f"<{text}>")


def test_the_halves_of_a_mailbox_are_not_mixed_up() -> None:
    with pytest.raises(ValueError):
        Mailbox('"a"@b', '"c')
    with pytest.raises(ValueError):
        Mailbox("a@b", "c")


def test_a_path() -> None:
    assert read_path("<>") == ("", "")
    assert read_path("<> SIZE=1") == ("", "SIZE=1")
    assert read_path("<Postmaster>") == ("Postmaster", "")
    assert read_path("<@hosta.int,@jkl.org:u@d.org> X") == ("u@d.org", "X")
    assert read_path("<u@[192.0.2.1]>") == ("u@[192.0.2.1]", "")
    for text in ("<a@b", "a@b>", "<a@b>X", "<@a:>", "<@a,:b@c>", "<a@[9]>", "< >"):
        with pytest.raises(ValueError):
            read_path(text)


def test_domains_and_who_one_says_one_is() -> None:
    check_domain("a.example")
    check_hello("my_pc.")
    check_hello("[IPv6:::1]")
    for text in ("", "a.", "x" * 256, "a b", "a\r\nb"):
        with pytest.raises(ValueError):
            check_domain(text)
    for text in ("", "a b", "x" * 256, "::1", "[1.2.3]", "a\n", "\u00fc"):
        with pytest.raises(ValueError):
            check_hello(text)
    for text in ("[1.2.3.4", "1.2.3.4]", "[[1.2.3.4]]", "[x:y]\n"):
        with pytest.raises(ValueError):
            check_literal(text)


def test_numbers_are_ascii_digits() -> None:
    assert read_number("007", "x") == 7
    for text in ("", "-1", "+1", " 1", "1_0", "\u0663", "1" * 21, "9" * 20, "0x1"):
        with pytest.raises(ValueError):
            read_number(text, "x")
    with pytest.raises(ValueError, match="from 1 to 9"):
        check_number(0, "x", 9, 1)


def test_arguments_and_keywords() -> None:
    check_argument("a b", "x")
    for text in ("", " a", "a ", "a\tb", "a\x85b", "a\r\n", "\ud800", "\udc80"):
        with pytest.raises(ValueError):
            check_argument(text, "x")
    for text in ("", "a b", "\u00e4", "a\n"):
        with pytest.raises(ValueError):
            check_keyword(text)
    for text in ("", "a=b", "a b", "a\n"):
        with pytest.raises(ValueError):
            check_value(text)


def test_xtext() -> None:
    """RFC 3461 4."""
    assert write_xtext("a+b=c d\u00e9") == "a+2Bb+3Dc+20d+C3+A9"
    for text in ("a+4", "a+zz", "a+2b", "a=b", "a b", "\u00e9", "+0A", "+0D+0A", "+FF"):
        with pytest.raises(ValueError):
            read_xtext(text)


def test_unitext() -> None:
    """RFC 6533 3."""
    assert write_unitext("\u00e9\\+=\u5b6b@\U0001f600") == (
        "\\x{E9}\\x{5C}\\x{2B}\\x{3D}\\x{5B6B}@\\x{1F600}"
    )
    assert read_unitext("\u00e9\\x{E9}") == "\u00e9\u00e9"
    for text in (
        "",
        "a b",
        "\\x{D800}",
        "\\x{110000}",
        "\\x{0A}",
        "\\x{e9}",
        "\\",
        "+",
    ):
        with pytest.raises(ValueError):
            read_unitext(text)


def test_dates() -> None:
    """RFC 3339 5.6."""
    assert read_date("2003-07-23t00:00:00.5z") == datetime(
        2003, 7, 23, microsecond=500_000, tzinfo=UTC
    )
    assert read_date("1990-12-31T15:59:60-08:00") == datetime(
        1990, 12, 31, 15, 59, 59, 999_999, timezone(timedelta(hours=-8))
    )
    assert write_date(read_date("2003-07-23T00:00:00+02:00")) == (
        "2003-07-23T00:00:00+02:00"
    )
    for text in ("2003-07-23", "2003-13-23T00:00:00Z", "2003-07-23T00:00:00",
                 "2003-07-23 00:00:00Z", "0000-01-01T00:00:00Z",
                 "2003-07-23T00:00:00+24:00", "2003-07-23T24:00:00Z"):  # fmt: skip
        with pytest.raises(ValueError):
            read_date(text)
    for moment in (
        datetime(2003, 7, 23),
        datetime(2003, 7, 23, tzinfo=timezone(timedelta(seconds=1))),
    ):
        with pytest.raises(ValueError):
            check_date(moment)


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1))
def test_a_name_is_quoted_where_it_must_be(name: str) -> None:
    try:
        mailbox = Mailbox.of(name, "example.org")
    except ValueError:
        assert len(name) > 100  # longer than a path may be
    else:
        assert mailbox.name == name
        assert Mailbox.read(str(mailbox)) == mailbox


@pytest.mark.parametrize("name", ["", "a\r\nb", "a\0b"])
def test_a_name_that_no_mailbox_can_have(name: str) -> None:
    with pytest.raises(ValueError, match="mailbox"):
        Mailbox.of(name, "example.org")
