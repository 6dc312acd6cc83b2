"""SASLprep, beyond the table of RFC 4013 3."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailproto import sasl


def prepared(text: str) -> str | None:
    try:
        return sasl.saslprep(text)
    except ValueError:
        return None


@given(st.text())
def test_any_text_is_prepared_or_refused_with_a_value_error(text: str) -> None:
    prepared(text)


@given(st.text())
def test_what_is_prepared_can_be_sent_and_holds_no_control(text: str) -> None:
    result = prepared(text) or ""
    assert result.encode().decode() == result
    assert not any(char < " " or "\x7f" <= char < "\xa0" for char in result)


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126)))
def test_printable_ascii_stays_as_it_is(text: str) -> None:
    assert sasl.saslprep(text) == text


@pytest.mark.parametrize(
    "char",
    ["\x7f", "\x85", "\u06dd", "\ue000", "\ufdd0", "\ud800", "\ufff9", "\u2ff0",
     "\u200e", "\U000e0001"],
)  # fmt: skip
def test_of_each_table_of_rfc_4013_2_3_one_is_refused(char: str) -> None:
    with pytest.raises(ValueError, match="prohibited") as caught:
        sasl.saslprep(f"hunter2{char}")
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "good"),
    [
        ("\u0627\u0628", True),
        ("\u06271\u0628", True),
        ("1\u0627", False),
        ("\u06271", False),
        ("\u0627a\u0628", False),
        ("a1", True),
        ("\u05d0", True),
    ],
)
def test_right_to_left_text_is_so_from_end_to_end(text: str, good: bool) -> None:
    """RFC 3454 6"""
    assert (prepared(text) is not None) is good


def test_every_space_becomes_the_one_of_ascii() -> None:
    for space in "\u00a0\u1680\u2000\u202f\u3000":
        assert sasl.saslprep(f"a{space}b") == "a b"
    assert sasl.saslprep("a\u200bb") == "ab"  # in C.1.2 and in B.1 alike
