"""Text of a line: what comes in goes out again, and nothing in it ends a line."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailproto._text import check_text, check_word, printable, read_text, write_text


@given(st.binary())
def test_any_octets_come_through(data: bytes) -> None:
    assert write_text(read_text(data)) == data


def test_a_text_is_one_line() -> None:
    check_text("\u00e4\t", "x")
    check_text("\udcff", "x")  # an octet that is not UTF-8
    for text in ("a\nb", "a\rb", "\0"):
        with pytest.raises(ValueError, match="x must not hold CR, LF or NUL"):
            check_text(text, "x")
    with pytest.raises(ValueError, match="x holds a lone surrogate"):
        check_text("\ud800", "x")


@pytest.mark.parametrize("text", ["", "a b", "\u00e4", "a\n"])
def test_a_word_is_printable_ascii(text: str) -> None:
    check_word("a=b!", "x")
    with pytest.raises(ValueError, match="x must be one word of printable ASCII"):
        check_word(text, "x")


def test_what_could_steer_a_terminal_is_escaped() -> None:
    assert printable("a\x1b[31m\udcff\u00e4") == "a\\x1b[31m\\udcff\u00e4"
