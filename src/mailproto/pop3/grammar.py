"""The small words of POP3, to and from bytes (RFC 1939 9, RFC 2449 3)."""

from __future__ import annotations

import re
from typing import Final

MAX_COMMAND: Final = 255  # octets, CRLF included: RFC 2449 4
MAX_REPLY: Final = 512  # octets of a status line, CRLF included: RFC 1939 3
MAX_STAMP: Final = 128  # octets of an APOP timestamp; Dovecot's has 40
MAX_NUMBER: Final = 2**63 - 1  # no maildrop and no message is larger

_NUMBER = re.compile(r"[0-9]{1,19}")
_CODE = re.compile(r"\[([!-.0-\\^-~]+(?:/[!-.0-\\^-~]+)*)\] ?")  # resp-code
_STAMP = re.compile(r"<[!-;=?A-~]+@[!-;=?A-~]+>")


def read_number(text: str, what: str, least: int = 0) -> int:
    """Digits, and nothing that ``int`` would besides let pass."""
    if not _NUMBER.fullmatch(text):
        raise ValueError(f"{what} must be a number")
    number = int(text)
    check_number(number, what, least)
    return number


def check_number(number: int, what: str, least: int = 0) -> None:
    if not least <= number <= MAX_NUMBER:
        raise ValueError(f"{what} must be {least} or more, and below 2**63")


def split_code(text: str) -> tuple[str | None, str]:
    """Take the response code off the text of a reply (RFC 2449 8).

    >>> split_code("[IN-USE] try later")
    ('IN-USE', 'try later')
    """
    found = _CODE.match(text)
    return (found[1].upper(), text[found.end() :]) if found else (None, text)


def find_stamp(text: str) -> str | None:
    """The timestamp of a greeting, angle brackets included (RFC 1939 7, APOP).

    It must look like an RFC 822 msg-id.  To sign whatever a server puts between
    angle brackets hands it chosen text to hash (CVE-2007-1558).

    >>> find_stamp("POP3 server ready <1896.697170952@dbc.mtview.ca.us>")
    '<1896.697170952@dbc.mtview.ca.us>'
    """
    found = _STAMP.search(text)
    return found[0] if found and len(found[0]) <= MAX_STAMP else None
