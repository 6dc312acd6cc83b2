"""Mailbox names: modified UTF-7 both ways, and wildcards."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailproto.imap.names import check_name, matcher, read_name, write_name
from tests.imap.strategies import names


@pytest.mark.parametrize(
    ("raw", "name"),
    [
        (b"", ""), (b"INBOX", "INBOX"), (b"inBox", "INBOX"), (b"inbox/a", "inbox/a"),
        (b"~peter/mail/&U,BTFw-/&ZeVnLIqe-", "~peter/mail/台北/日本語"),
        (b"&Jjo-!", "☺!"), (b"Entw&APw-rfe", "Entwürfe"), (b"R&-D", "R&D"),
        (b"&-&-", "&&"), (b"&2D3eDQ-", "😍"), (b"&AOk-&-", "é&"), (b"&AAk-", "\t"),
    ],
)  # fmt: skip
def test_names_that_have_a_text(raw: bytes, name: str) -> None:
    assert read_name(raw) == name
    assert write_name(name) == (b"INBOX" if name == "INBOX" else raw)


@pytest.mark.parametrize(
    ("raw", "name"),
    [
        (b"&", "\udc26"), (b"a&b", "a\udc26b"), (b"&AAA", "\udc26AAA"),
        (b"&!!!-", "\udc26!!!-"), (b"&AGE-", "\udc26AGE-"),  # ASCII is not shifted
        (b"&AOl-", "\udc26AOl-"),  # odd bits are left
        (b"&AOkA-", "\udc26AOkA-"),  # an odd number of octets
        (b"&AOk", "\udc26AOk"), (b"&AOk=-", "\udc26AOk=-"), (b"&A-", "\udc26A-"),
        (b"&AOk-&AOk-", "é\udc26AOk-"),  # two runs that are one
        (b"&2D0-", "\udc262D0-"), (b"&3g0-", "\udc263g0-"),  # half a surrogate pair
        (b"&AAA-", "\udc26AAA-"), (b"&AA0-", "\udc26AA0-"),  # NUL, CR
        (b"Spo\xc5\x82", "Spo\udcc5\udc82"), (b"a\tb", "a\udc09b"), (b"\x7f", "\udc7f"),
    ],
)  # fmt: skip
def test_names_that_have_none_are_kept(raw: bytes, name: str) -> None:
    assert read_name(raw) == name
    assert write_name(name) == raw
    assert check_name(name) == name


@given(st.binary(max_size=40))
def test_every_name_goes_back_as_it_came(raw: bytes) -> None:
    name = read_name(raw)
    assert write_name(name) == (b"INBOX" if name == "INBOX" else raw)


@given(st.text("&AOk-2D3eDQ,+/=abZ", max_size=20))
def test_every_shift_goes_back_as_it_came(text: str) -> None:
    raw = text.encode()
    assert write_name(read_name(raw)) == raw


@given(names)
def test_every_text_is_read_as_it_was_written(name: str) -> None:
    checked = check_name(name)
    assert read_name(write_name(checked)) == checked
    assert write_name(checked).isascii() or "\udc80" <= max(checked) <= "\U0010ffff"


def test_names_that_no_mailbox_has() -> None:
    for name in ("a\r", "\n", "\0", "\ud800", "a\udfff"):
        with pytest.raises(ValueError):
            check_name(name)
    for name in ("\udc00", "\udc26-", "\udc26AOk-", "\udc41"):  # none was read so
        with pytest.raises(ValueError):
            check_name(name)


def test_inbox_is_one_name() -> None:
    assert check_name("iNbOx") == "INBOX"
    assert check_name("INBOX.a") == "INBOX.a"
    assert check_name("ınbox") == "ınbox"


def test_names_take_linear_time() -> None:
    for part in (b"&", b"&-", b"&AOk-", b"&AAA", b"&AOk", b"\xff"):
        name = read_name(part * 100_000)
        assert write_name(name) == part * 100_000


# -- wildcards -------------------------------------------------------------------


def by_regex(pattern: str, delimiter: str | None, name: str) -> bool:
    every = "." if delimiter is None else f"[^{re.escape(delimiter)}]"
    wild = {"*": ".*", "%": f"{every}*"}
    text = "".join(wild.get(letter, re.escape(letter)) for letter in pattern)
    return re.fullmatch(text, name, re.DOTALL) is not None


@given(
    st.text("a/*%", max_size=6), st.sampled_from(["/", ".", None]),
    st.text("ab/.", max_size=8),
)  # fmt: skip
def test_wildcards(pattern: str, delimiter: str | None, name: str) -> None:
    assert matcher(pattern, delimiter)(name) == by_regex(pattern, delimiter, name)


@pytest.mark.parametrize("pattern", ["*a" * 500, "%*" * 500, "*a%" * 300, "%" * 1000])
def test_no_pattern_makes_a_name_dear(pattern: str) -> None:
    begin = time.perf_counter()
    assert not matcher(pattern + "b", "/")("a" * 1000)
    assert time.perf_counter() - begin < 1
