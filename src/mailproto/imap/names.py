"""Mailbox names: modified UTF-7, and the wildcards of LIST (RFC 3501 5.1.3, 6.3.8).

A name is text in our values and modified UTF-7 on the wire.  What is not the one right
way to write some text (``&AAA``, ``&AGE-`` for ``a``, octets beyond ASCII) has no text
that would be written so again.  Its ``&``, or the odd octet, is kept as the lone
surrogate U+DC00 plus the octet, much as PEP 383 does it: nothing is lost, every name
goes back as it came, and no two names become one.
"""

from __future__ import annotations

import re
from binascii import a2b_base64, b2a_base64
from collections.abc import Callable
from functools import lru_cache

# Python's own "utf-7" codec is another alphabet, and lax.
_PLAIN = re.compile("[ -%'-~]*+")
_TO_SHIFT = re.compile("&|[^ -~\udc00-\udcff]+")
_SURROGATE = re.compile("[\ud800-\udfff]")
_ODD = re.compile("[\0-\x1f\x7f]")
_KEPT = re.compile("[\udc00-\udc7f]")
_UNSAID = re.compile("[\0\r\n -~]")  # in a shifted run: ASCII, and what no name holds


def read_name(raw: bytes) -> str:
    """The text of a mailbox name; any octets have one.

    >>> read_name(b"Entw&APw-rfe"), read_name(b"R&-D"), read_name(b"iNbOx")
    ('Entwürfe', 'R&D', 'INBOX')
    >>> read_name(b"&AGE-"), write_name(read_name(b"&AGE-"))
    ('\\udc26AGE-', b'&AGE-')
    """
    text = raw.decode("ascii", "surrogateescape")
    if not text.isprintable():
        text = _ODD.sub(_keep, text)
    if "&" in text:
        text = _unshift(text)
    return "INBOX" if len(text) == 5 and text.upper() == "INBOX" else text


def _keep(octet: re.Match[str]) -> str:
    return chr(0xDC00 + ord(octet[0]))


def _unshift(text: str) -> str:
    first, *runs = text.split("&")
    parts = [first]
    touches = False  # two runs that touch were to be one
    for run in runs:
        coded, end, rest = run.partition("-")
        said = _run(coded) if end and not touches else None
        if end and not coded:
            said = "&"
        touches = said is not None and bool(coded) and not rest
        parts += ["\udc26", run] if said is None else [said, rest]
    return "".join(parts)


def _run(coded: str) -> str | None:
    return _few_runs(coded) if len(coded) < 100 else _read_run(coded)


def _read_run(coded: str) -> str | None:
    """What a run of modified BASE64 says, if it is the right way to say it."""
    try:
        octets = a2b_base64(coded.replace(",", "/") + "=" * (-len(coded) % 4))
        said = octets.decode("utf-16-be")
    except ValueError:
        return None
    return None if _UNSAID.search(said) or _write_run(said) != coded else said


_few_runs = lru_cache(maxsize=1024)(_read_run)


def _write_run(text: str) -> str:
    coded = b2a_base64(text.encode("utf-16-be"), newline=False)
    return coded.rstrip(b"=").replace(b"/", b",").decode("ascii")


def write_name(name: str) -> bytes:
    """The same back: modified UTF-7; of names that ``check_name`` lets pass."""
    if _PLAIN.fullmatch(name):
        return name.encode("ascii")
    text = _TO_SHIFT.sub(_shift, name)
    text = _KEPT.sub(lambda kept: chr(ord(kept[0]) - 0xDC00), text)
    return text.encode("ascii", "surrogateescape")


def _shift(run: re.Match[str]) -> str:
    return "&-" if run[0] == "&" else f"&{_write_run(run[0])}-"


def check_name(name: str) -> str:
    """*name* itself, INBOX in capitals; ValueError for what no mailbox is called.

    Lone surrogates stand for octets that could not be read: they must be such as
    ``read_name`` gives.
    """
    if name.isascii() and name.isprintable():
        return "INBOX" if name.upper() == "INBOX" else name
    if "\0" in name or "\r" in name or "\n" in name or "\udc00" in name:
        raise ValueError("a mailbox name must not hold CR, LF or NUL")
    if _SURROGATE.search(name) and not _was_read(name):
        raise ValueError("a mailbox name holds a lone surrogate")
    return name


def _was_read(name: str) -> bool:
    try:
        return read_name(write_name(name)) == name
    except UnicodeEncodeError:
        return False


# -- wildcards -------------------------------------------------------------------

_WILD = re.compile("[*%]+")


def matcher(pattern: str, delimiter: str | None) -> Callable[[str], bool]:
    """Whether a name matches *pattern*: ``*`` is anything, ``%`` not the delimiter.

    All ways through the pattern are walked at once, as the bits of a number, so that no
    pattern makes a name cost more than its length.

    >>> [name for name in ("a", "a/b", "b/a") if matcher("a%", "/")(name)]
    ['a']
    """
    pattern = _WILD.sub(lambda run: "*" if "*" in run[0] else "%", pattern)
    star = percent = 0
    letters: dict[str, int] = {}
    for i, letter in enumerate(pattern):
        if letter == "*":
            star |= 1 << i
        elif letter == "%":
            percent |= 1 << i
        else:
            letters[letter] = letters.get(letter, 0) | 1 << i
    wild, end = star | percent, 1 << len(pattern)

    def matches(name: str) -> bool:
        ways = 1 | (wild & 1) << 1
        for letter in name:
            stay = star if letter == delimiter else wild
            ways = (ways & letters.get(letter, 0)) << 1 | ways & stay
            ways |= (ways & wild) << 1
            if not ways:
                return False
        return bool(ways & end)

    return matches
