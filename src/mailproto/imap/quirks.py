"""What real IMAP servers do wrong, by name, and the Cursor that tolerates it.

There is one grammar for both modes.  Where a word is not what RFC 3501 has there, but
its meaning is plain, the Reader tolerates it and notes the Quirk; a strict one refuses
it.  Where a response ends was decided before (``framer``), and no tolerance can change
that: a server that ends its lines with LF alone, or that breaks a line where none ends,
is not understood.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import Enum
from typing import Final

from .._text import read_text
from .grammar import Cursor, Streamed
from .sets import MAX_NUMBER


class Quirk(Enum):
    """A fault of a server that is tolerated, unless the client is strict."""

    #: ``*  3 EXISTS``, ``* SEARCH 2 ``, ``(UID 5 )``: DavMail, Yahoo, QQ, Dovecot
    EXTRA_SPACE = "more spaces than there should be"
    #: ``* 1 FETCH(UID 5)``, ``(FLAGS ()UID 6)``, ``*OK``, ``+OK``
    MISSING_SPACE = "no space where there should be one"
    #: ``* BYE``, ``a1 OK``, ``* OK [UIDNEXT 5]``, ``+``: most servers, at times
    MISSING_TEXT = "a status response without a text"
    #: ``* 3 EXISTS``, CR, CR, LF
    STRAY_CR = "a CR before the end of the line"
    #: an empty line between two responses: proxies
    EMPTY_LINE = "an empty line"
    #: ``* [COPYUID 124 10 233]``: Exchange 2013, Office 365
    MISSING_STATUS = "a response code without OK before it"
    #: ``* NO [ALERT System going down``, ``OK [Error="Foo: bar"] x``: Exchange
    NOT_A_CODE = "text in brackets that is no response code"
    #: ``[BADCHARSET UTF-8]``, ``[UIDNEXT 0]``, ``[COPYUID 701  ]``: outlook.com
    CODE_DATA = "a response code with the wrong data"
    #: ``(\Seen [Gmail]/x)``, ``(\Answered \*)``, ``("\\Seen")``, ``(HasNoChildren)``
    ODD_FLAG = "a flag or an attribute that is none"
    #: ``FLAGS NIL``, a delimiter or a date that is NIL
    NIL = "NIL where there should be something"
    #: ``()`` for no addresses, no parameters: Dovecot of old, Exchange
    EMPTY_LIST = "an empty list where there should be NIL or something"
    #: ``"caf\xe9"``: nearly everybody who relays raw headers
    EIGHT_BIT = "octets beyond ASCII in a quoted string, or that are not UTF-8"
    #: ``"foo "bar baz"``: 163.com, and others
    UNESCAPED_QUOTE = "a quote in a quoted string"
    #: ``"C:\temp"``
    ODD_ESCAPE = "a backslash in a quoted string that escapes nothing"
    #: ``"TEXT" PLAIN NIL NIL NIL 7BIT 10 2``
    ATOM_FOR_STRING = "an atom where there should be a string"
    #: ``* LIST () "/" Sent Items``: Exchange
    UNQUOTED_NAME = "a mailbox name that should be quoted"
    #: ``* LIST () "//" a``
    ODD_DELIMITER = "a hierarchy delimiter of several characters"
    #: ``MESSAGES -1``, ``"7BIT" -1 -1``, ``MODSEQ (-1)``: Dovecot, Zoho; read as 0
    NEGATIVE = "a number below zero"
    #: ``* SEARCH 0``, ``* 0 FETCH``, ``BODY[0]``: Courier
    ZERO = "the number 0 where numbers begin with 1"
    #: ``RFC822.SIZE 9.3736e+06``: mail.ru
    FLOAT = "a number that is not whole"
    #: ``UIDVALIDITY 9877410381``: RFC 9051 itself
    LARGE_NUMBER = "a number of more than 32 bits"
    #: ``"7-Feb-1994 21:52:25 -0800"``, ``"31-Feb-2020 25:61:61 +9999"``
    ODD_DATE = "a date and time that is not written so, or is none"
    #: ``(UID 5 BODY[2])``: Yandex
    NO_VALUE = "a data item without its value"
    #: ``RFC822[] {2}``
    ODD_SECTION = "a section where there is none"
    #: ``MODSEQ 4``
    BARE_MODSEQ = "MODSEQ without its parentheses"
    #: ``{3+}``: RFC 7888 lets clients say so only
    NONSYNC_LITERAL = "a literal that nobody needs to ask for"
    #: NUL in a literal: whoever relays what came
    NUL = "NUL in a literal"
    #: ``(("a" NIL "a" "h") ("b" NIL "b" "h"))``, ``)(`` with a space: outlook.com
    SPACE_BETWEEN = "a space between addresses or between body parts"
    #: ``(NIL)`` in a list of addresses: SmarterMail
    NIL_ADDRESS = "NIL in a list of addresses"
    #: an envelope of nine fields: QQ, 163.com
    SHORT_ENVELOPE = "an envelope without all of its fields"
    #: ``("ALTERNATIVE" ("BOUNDARY" "x") NIL NIL)``: Gmail; ``(NIL "mixed")``: Dovecot
    NO_PARTS = "a multipart body without parts"
    #: ``("MESSAGE" "RFC822" NIL NIL NIL "BASE64" 50)``: Gmail
    BARE_MESSAGE = "a message in a message of which nothing is told"
    #: ``NIL "inline" NIL``: Exchange
    BARE_DISPOSITION = "a disposition without its parentheses"
    #: ``+ go ahead`` to AUTHENTICATE, where an empty challenge is meant
    ODD_CHALLENGE = "text in the place of the first challenge"


_SPACES: Final = re.compile(b" *+")
_LITERAL: Final = re.compile(rb"(~?)\{([0-9]{1,20})(\+?)\}\r\n")
# A quote is data unless something follows it that can follow a string.
_ODD_QUOTED: Final = re.compile(rb'"((?:[^"\\\r\n\0]|\\[^\r\n\0]|"(?![ )\]\r]|\Z))*+)"')
_ENDED: Final = re.compile(rb"[ )\]\r(]|\Z")
_ESCAPE: Final = re.compile(rb'\\(["\\])')
_WORD: Final = re.compile(rb'[^\0-\x20()"{}\x7f]++')
_NUMBER: Final = re.compile(rb"-?[0-9]{1,20}+(?:\.[0-9]{1,20}+)?(?:e\+?[0-9]{1,2}+)?")


class Reader(Cursor):
    """A place in one response; what was tolerated up to here is in ``quirks``.

    Long literals are not in *data* but in *literals*, by the offset right behind the
    CRLF of their announcement: nothing is copied to be looked at.
    """

    __slots__ = ("_no_odd", "literals", "quirks", "strict")

    def __init__(
        self,
        data: bytes,
        at: int = 0,
        *,
        strict: bool = True,
        literals: Mapping[int, bytes | Streamed] | None = None,
    ) -> None:
        super().__init__(data, at)
        self.strict = strict
        self.literals = literals or {}
        self._no_odd = False
        self.quirks: list[Quirk] = []

    def tolerate(self, quirk: Quirk) -> None:
        """Note *quirk*; raises GrammarError if nothing is tolerated."""
        if self.strict:
            self.fail(quirk.value)
        if quirk not in self.quirks:
            self.quirks.append(quirk)

    # -- spaces and lists

    def skip_spaces(self, quirk: Quirk = Quirk.EXTRA_SPACE) -> None:
        """There should be none here."""
        if self.data.startswith(b" ", self.at):
            self.tolerate(quirk)
            found = _SPACES.match(self.data, self.at)
            assert found
            self.at = found.end()

    def expect_space(self) -> None:
        """One space."""
        if not self.accept(b" "):
            self.tolerate(Quirk.MISSING_SPACE)
        self.skip_spaces()

    def closes(self) -> bool:
        """Go on behind a ``)``, or behind the space before one more word."""
        start = self.at
        found = _SPACES.match(self.data, start)
        assert found
        self.at = found.end()
        if self.data.startswith(b")", self.at):
            if self.at != start:
                self.tolerate(Quirk.EXTRA_SPACE)
            self.at += 1
            return True
        self.at = start
        self.expect_space()
        return False

    def expect_close(self) -> None:
        self.skip_spaces()
        self.expect(b")")

    def expect_end(self) -> None:
        self.skip_spaces()
        super().expect_end()

    # -- strings

    def take_quoted(self) -> bytes:
        start = self.at
        found = self._quoted.match(self.data, start)
        if found and _ENDED.match(self.data, found.end()):
            self.at = found.end()
            text = found[1]
            return _ESCAPE.sub(rb"\1", text) if b"\\" in text else text
        odd = None if self._no_odd else _ODD_QUOTED.match(self.data, start)
        if not odd or (found and self.strict):
            self._no_odd = True  # nor further on: it is not searched for again
            return super().take_quoted()
        text = odd[1]
        if not text.isascii():
            self.tolerate(Quirk.EIGHT_BIT)
        if b'"' in _ESCAPE.sub(b"", text):
            self.tolerate(Quirk.UNESCAPED_QUOTE)
        if b"\\" in _ESCAPE.sub(b"", text):
            self.tolerate(Quirk.ODD_ESCAPE)
        self.at = odd.end()
        return _ESCAPE.sub(rb"\1", text)

    def take_announced(self, *, binary: bool = False) -> bytes | Streamed:
        found = _LITERAL.match(self.data, self.at)
        if not found or (found[1] and not binary):
            self.fail("a literal is expected")
        if found[3]:
            self.tolerate(Quirk.NONSYNC_LITERAL)
        start = end = found.end()
        data = self.literals.get(start)
        if data is None:
            end = start + int(found[2])
            data = self.data[start:end]
            if end > self.end:
                self.fail("a literal is cut off")
        if not found[1] and isinstance(data, bytes) and b"\0" in data:
            self.tolerate(Quirk.NUL)
        self.at = end
        return data

    def between(self, start: int, end: int) -> bytes:
        """What came there, literals and all."""
        pieces: list[bytes] = []
        for at, literal in self.literals.items():
            if start <= at <= end:
                if isinstance(literal, Streamed):
                    self.fail("a literal that is streamed cannot stand here")
                pieces += [self.data[start:at], literal]
                start = at
        return b"".join((*pieces, self.data[start:end]))

    def take_string(self) -> bytes:
        octet = self.peek()
        if octet == b'"':
            return self.take_quoted()
        if octet in (b"{", b"~"):
            return self.take_literal()
        word = _WORD.match(self.data, self.at)
        if word and not self.strict:
            self.tolerate(Quirk.ATOM_FOR_STRING)
            self.at = word.end()
            return word[0]
        return self.take_literal()

    def take_string_text(self) -> str:
        """A string, as text; NIL is tolerated, and is an empty one."""
        if self.accept_nil():
            self.tolerate(Quirk.NIL)
            return ""
        return read_text(self.take_string())

    # -- numbers

    def take_count(self, most: int = MAX_NUMBER, least: int = 0) -> int:
        """A number; one that makes no sense is tolerated, and is 0 if it is below."""
        start = self.at
        word = self.take(_NUMBER, "a number")
        if not word.isdigit():
            self.at = start
            self.tolerate(Quirk.NEGATIVE if word[:1] == b"-" else Quirk.FLOAT)
            self.at = start + len(word)
            return max(0, min(int(float(word)), most))
        number = int(word)
        if number > most:
            self.at = start
            self.fail(f"a number of at most {most} is expected")
        if number < least:
            self.at = start
            self.tolerate(Quirk.ZERO)
            self.at = start + len(word)
        return number
