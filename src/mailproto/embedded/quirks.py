"""The faults of real servers that the embedded one can be made to have, by example.

Of each quirk of the catalogues: what in the reply of a server that keeps to the RFC is
replaced, and by what.  Those that need a reply which this server never gives are not
here.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from enum import Enum
from typing import Final

from .. import imap, pop3, smtp

_LONG: Final = b"x" * 600

_Rule = tuple[str, bytes]

_RULES: Final[dict[Enum, _Rule]] = {
    pop3.Quirk.LONG_REPLY: (r"\A(\+OK|-ERR)[^\r]*", rb"\1 " + _LONG),
    pop3.Quirk.STATUS_CASE: (r"\A\+OK|\A-ERR", b""),
    pop3.Quirk.STATUS_GLUED: (r"\A(\+OK|-ERR) ", rb"\1"),
    pop3.Quirk.STAT_SIZE: (r"\A(\+OK [0-9]+) [0-9]+", rb"\1 -1"),
    pop3.Quirk.UIDL_NUMBER: (r"\A\+OK [0-9]+ ([!-~]+)\r\n\Z", b"+OK \\1\r\n"),
    pop3.Quirk.UNIQUE_ID: (r"(\A\+OK [0-9]+|\n[0-9]+) ([!-~]+)(?=\r\n)", rb"\1  \2"),
    pop3.Quirk.BARE_CHALLENGE: (r"\A\+ \r\n", b"+\r\n"),
    pop3.Quirk.CHALLENGE_TEXT: (r"\A\+ [^\r]*", b"+ Username:"),
    pop3.Quirk.CHALLENGE_OK: (r"\A\+ \r\n", b"+OK\r\n"),
    pop3.Quirk.LIST_LINE: (r"(?<=\n)[0-9]+ [!-~]+(?=\r\n)", b"what?"),
    smtp.Quirk.LONG_REPLY: (r"\A([0-9]{3}[ -])", rb"\1" + _LONG + b" "),
    smtp.Quirk.NOT_UTF8: (r"\A([0-9]{3}[ -])", b"\\1caf\xe9 "),
    smtp.Quirk.MIXED_CODES: (r"\A2([0-9][0-9]) ", b"221-so far\r\n2\\1 "),
    smtp.Quirk.BARE_CHALLENGE: (r"\A334 \r\n", b"334\r\n"),
    smtp.Quirk.OLD_AUTH: (r"(?m)^(250[ -])AUTH ", rb"\1AUTH="),
    smtp.Quirk.EHLO_SPACE: (r"(?m)^(250[ -](?:SIZE|AUTH)) ", rb"\1  "),
    smtp.Quirk.EHLO_LINE: (r"(?m)^250-PIPELINING", b"250-=?"),
    imap.Quirk.EXTRA_SPACE: (r"(?m)^\* ([0-9]+) ", rb"*  \1 "),
    imap.Quirk.MISSING_SPACE: (r"(?m)^(\* [0-9]+ FETCH) \(", rb"\1("),
    imap.Quirk.MISSING_TEXT: (r"(?m)^([^ *+]+ (?:OK|NO|BAD))[^\r]*(?=\r\n\Z)", rb"\1"),
    imap.Quirk.STRAY_CR: (r"\r\n\Z", b"\r\r\n"),
    imap.Quirk.EMPTY_LINE: (r"\A", b"\r\n"),
    imap.Quirk.NIL: (r"(?m)^\* FLAGS \([^)]*\)", b"* FLAGS NIL"),
    imap.Quirk.CODE_DATA: (r"\[UIDNEXT [0-9]+\]", b"[UIDNEXT 0]"),
    imap.Quirk.MISSING_STATUS: (r"(?m)^\* OK \[", b"* ["),
    imap.Quirk.UNQUOTED_NAME: (
        r'(?m)^(\* LIST \([^)]*\) "/") "?INBOX"?',
        rb"\1 Sent Items",
    ),
    imap.Quirk.ODD_DELIMITER: (r'(?m)^(\* LIST \([^)]*\)) "/"', rb'\1 "//"'),
    imap.Quirk.ODD_FLAG: (r"\\Draft\b", b"[Gmail]/x"),
    imap.Quirk.FLOAT: (r"RFC822\.SIZE [0-9]+", b"RFC822.SIZE 9.3736e+06"),
    imap.Quirk.ODD_CHALLENGE: (r"\A\+ \r\n", b"+ go ahead\r\n"),
    imap.Quirk.BARE_MODSEQ: (r"MODSEQ \(([0-9]+)\)", rb"MODSEQ \1"),
    imap.Quirk.NEGATIVE: (r"\bMESSAGES [0-9]+", b"MESSAGES -1"),
    imap.Quirk.LARGE_NUMBER: (r"\bUIDVALIDITY [0-9]+", b"UIDVALIDITY 9877410381"),
}
_PATTERNS: Final = {
    quirk: (re.compile(pattern.encode("ascii")), said)
    for quirk, (pattern, said) in _RULES.items()
}


def shown_as(quirk: Enum) -> Callable[[bytes], bytes] | None:
    """What makes the bytes of a reply those of a server with that *quirk*.

    ``None``: this server cannot.  A reply that has no place for it stays as it is.
    """
    found = _PATTERNS.get(quirk)
    if found is None:
        return None
    pattern, said = found
    if quirk is pop3.Quirk.STATUS_CASE:
        return lambda reply: pattern.sub(lambda status: status[0].lower(), reply)
    return lambda reply: pattern.sub(said, reply)
