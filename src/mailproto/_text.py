"""The text of a line of protocol, to and from bytes.

It is UTF-8 (RFC 6856, RFC 6531, RFC 6855), and octets that are not come through as
surrogate escapes (PEP 383): nothing is lost, nothing raises, and what was read can be
sent again octet for octet.
"""

from __future__ import annotations

import re

_BREAK = re.compile(r"[\r\n\0]")
_WORD = re.compile(r"[!-~]+")


def read_text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def write_text(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def check_text(text: str, what: str) -> None:
    """Raise ValueError if *text* could end a line, or be no text at all.

    *what* names it; the text itself may be a secret and is not repeated.
    """
    if _BREAK.search(text):
        raise ValueError(f"{what} must not hold CR, LF or NUL")
    if not text.isascii():
        try:
            write_text(text)
        except UnicodeEncodeError:
            raise ValueError(f"{what} holds a lone surrogate") from None


def check_word(text: str, what: str) -> None:
    """Raise ValueError if *text* is not one word of printable ASCII."""
    if not _WORD.fullmatch(text):
        raise ValueError(f"{what} must be one word of printable ASCII")


def printable(text: str) -> str:
    """*text* fit for a log or a terminal: what could steer one is escaped."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
