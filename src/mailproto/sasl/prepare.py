"""SASLprep (RFC 4013): one form for a name or a password, however it was typed."""

from __future__ import annotations

import stringprep
from unicodedata import ucd_3_2_0

# RFC 4013 2.3, by the tables of RFC 3454.
_PROHIBITED = (
    stringprep.in_table_c12,
    stringprep.in_table_c21_c22,
    stringprep.in_table_c3,
    stringprep.in_table_c4,
    stringprep.in_table_c5,
    stringprep.in_table_c6,
    stringprep.in_table_c7,
    stringprep.in_table_c8,
    stringprep.in_table_c9,
)


def saslprep(text: str, *, stored: bool = False) -> str:
    """*text* prepared; a *stored* string may hold no code point unassigned in 3.2.

    Raises ValueError for one that must not be used.  It may be a secret: the message
    does not repeat it.

    >>> saslprep("I\\u00adX"), saslprep("\\u2168")
    ('IX', 'IX')
    """
    if text.isascii() and text.isprintable():
        return text
    mapped = "".join(
        " " if stringprep.in_table_c12(char) else char
        for char in text
        if not stringprep.in_table_b1(char)
    )
    prepared = ucd_3_2_0.normalize("NFKC", mapped)
    for char in prepared:
        if any(prohibited(char) for prohibited in _PROHIBITED):
            raise ValueError("SASLprep: a character that is prohibited (RFC 4013 2.3)")
        if stored and stringprep.in_table_a1(char):
            raise ValueError("SASLprep: a code point that is unassigned (RFC 4013 2.5)")
    _check_direction(prepared)
    return prepared


def _check_direction(text: str) -> None:
    """RFC 3454 6: right-to-left text is so from end to end."""
    if not any(map(stringprep.in_table_d1, text)):
        return
    if any(map(stringprep.in_table_d2, text)):
        raise ValueError("SASLprep: left-to-right and right-to-left mixed")
    if not (stringprep.in_table_d1(text[0]) and stringprep.in_table_d1(text[-1])):
        raise ValueError("SASLprep: right-to-left text begins or ends otherwise")


def check_credential(text: str, what: str, *, empty: bool = False) -> str:
    """*text* prepared; raises ValueError if it cannot be *what* it should."""
    try:
        prepared = saslprep(text)
    except ValueError as error:
        raise ValueError(f"{what}: {error}") from None
    if not prepared and not empty:
        raise ValueError(f"{what} must not be empty")
    return prepared
