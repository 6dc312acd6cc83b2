"""Envelopes and body structures, to any depth, by both of the ways to read them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given

from mailproto import imap
from mailproto.imap.envelope import Address, Envelope, read_envelope, take_envelope
from mailproto.imap.grammar import GrammarError, inline
from mailproto.imap.quirks import Quirk, Reader
from mailproto.imap.structure import (
    BodyPart,
    Disposition,
    Multipart,
    read_structure,
    take_structure,
    walk,
)
from mailproto.imap.tokens import MAX_DEPTH

from . import said
from .said import hear

NIL = b"NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL"
PLAIN = b'("TEXT" "PLAIN" ("CHARSET" "US-ASCII") NIL NIL "7BIT" 10 2)'


def envelope(text: bytes, *, strict: bool = True) -> tuple[Envelope, set[Quirk]]:
    reader = Reader(text, strict=strict)
    value = take_envelope(reader)
    reader.expect_end()
    return value, set(reader.quirks)


def structure(text: bytes, *, strict: bool = True) -> tuple[Any, set[Quirk]]:
    reader = Reader(text, strict=strict)
    value = take_structure(reader)
    reader.expect_end()
    return value, set(reader.quirks)


def quickly(read: Callable[[bytes], Any], text: bytes) -> Any:
    """What the fast path makes of it; ``None``: it leaves it to the grammar."""
    try:
        return read(text)
    except ValueError:
        return None


@given(said.envelopes)
def test_envelopes_come_back(value: Envelope) -> None:
    text = inline(value.write())
    assert envelope(text) == (value, set())
    assert quickly(read_envelope, text) in (None, value)
    again = Envelope()
    assert inline(again.write()) == b"(" + NIL + b")"


def test_an_envelope_in_plain_form_is_read_fast() -> None:
    text = (
        r'("d" "a\\b \"q\"" (("n" NIL "m" "h")(NIL "r" "m2" "h2")) NIL '
        r'((NIL NIL "g" NIL)(NIL NIL NIL NIL)) NIL NIL NIL "<r>" "")'
    )
    value = read_envelope(text.encode())
    assert value == envelope(text.encode())[0]
    assert value.subject == r'a\b "q"'
    assert value.from_ == (Address("n", None, "m", "h"), Address(None, "r", "m2", "h2"))
    assert value.message_id == ""
    assert [str(a) for a in value.reply_to] == ["g", ""]
    assert str(value.from_[1]) == "m2@h2"


@pytest.mark.parametrize(
    "text",
    [
        '("caf\u00e9" ' + "NIL " * 8 + "NIL)",
        '("a\\x" ' + "NIL " * 8 + "NIL)",
        '("a\0b" ' + "NIL " * 8 + "NIL)",
        "({1}\r\na " + "NIL " * 8 + "NIL)",
        "(nil " + "NIL " * 8 + "NIL)",
        "(NIL NIL)",
        '("a"b" ' + "NIL " * 8 + "NIL)",
        '("a ' + "NIL " * 8 + "NIL)",
        '("a\nb" ' + "NIL " * 8 + "NIL)",
    ],
)
def test_what_is_not_plain_is_for_the_grammar(text: str) -> None:
    assert quickly(read_envelope, text.encode()) is None
    assert quickly(read_envelope, text.encode()) is None


def test_an_envelope_may_have_many_addresses() -> None:
    for count in (1, 20, 500):
        text = b"(NIL NIL (" + b'(NIL NIL "a" "b")' * count + b")" + b" NIL" * 7 + b")"
        assert read_envelope(text) == envelope(text)[0]


def test_senders_that_are_the_same_are_one() -> None:
    text = (
        b'(NIL NIL (("A" NIL "b" "c")) (("A" NIL "b" "c")) (("A" NIL "b" "c")) '
        b'NIL NIL (("A" NIL "b" "c")) NIL NIL)'
    )
    value = read_envelope(text)
    assert value.from_ is value.sender is value.reply_to
    assert value == envelope(text)[0]
    text = text.replace(b"A", b"B", 1)
    assert read_envelope(text) == envelope(text)[0]


ENVELOPE_QUIRKS = [
    (
        Quirk.SPACE_BETWEEN,
        b'(NIL NIL (("a" NIL "b" "c") ("d" NIL "e" "f")) NIL NIL NIL NIL NIL NIL NIL)',
        Envelope(from_=(Address("a", None, "b", "c"), Address("d", None, "e", "f"))),
    ),
    (Quirk.EMPTY_LIST, b"(NIL NIL () NIL NIL NIL NIL NIL NIL NIL)", Envelope()),
    (
        Quirk.NIL_ADDRESS,
        b'(NIL NIL (NIL) NIL NIL ((NIL NIL "a" "b") NIL) NIL NIL NIL NIL)',
        Envelope(to=(Address(None, None, "a", "b"),)),
    ),
    (
        Quirk.SHORT_ENVELOPE,
        b'("d" "s" NIL NIL NIL NIL NIL NIL NIL)',
        Envelope("d", "s"),
    ),
    (Quirk.SHORT_ENVELOPE, b'("d")', Envelope("d")),
    (
        Quirk.EXTRA_SPACE,
        b'( "d" "s" NIL NIL NIL NIL NIL NIL NIL NIL)',
        Envelope("d", "s"),
    ),
    (
        Quirk.EXTRA_SPACE,
        b'("d" "s" NIL NIL NIL NIL NIL NIL NIL NIL )',
        Envelope("d", "s"),
    ),
    (Quirk.MISSING_SPACE, b'("d" "s" NIL NIL NIL NIL NIL NIL "r""m")', None),
    (
        Quirk.EIGHT_BIT,
        b'(NIL "caf\xe9" NIL NIL NIL NIL NIL NIL NIL NIL)',
        Envelope(subject="caf\udce9"),
    ),
    (
        Quirk.UNESCAPED_QUOTE,
        b'("d" "foo "bar baz" NIL NIL NIL NIL NIL NIL NIL NIL)',
        Envelope("d", 'foo "bar baz'),
    ),
    (
        Quirk.ODD_ESCAPE,
        b'("a\\tb" "c\\"x" NIL NIL NIL NIL NIL NIL NIL NIL)',
        Envelope("a\\tb", 'c"x'),
    ),
    (Quirk.ATOM_FOR_STRING, b"(d NIL NIL NIL NIL NIL NIL NIL NIL NIL)", Envelope("d")),
]


@pytest.mark.parametrize(("quirk", "text", "value"), ENVELOPE_QUIRKS)
def test_faults_of_envelopes(quirk: Quirk, text: bytes, value: Envelope | None) -> None:
    if value is None:
        with pytest.raises(GrammarError):
            envelope(text)
        return
    assert envelope(text, strict=False)[0] == value
    assert quirk in envelope(text, strict=False)[1]
    with pytest.raises(GrammarError):
        envelope(text)
    whole = b"* 1 FETCH (ENVELOPE " + text + b" UID 5)\r\n"
    assert hear(whole)[-1] == imap.FetchData(1, {"ENVELOPE": value, "UID": 5})


# -- structures ------------------------------------------------------------------


@given(said.structures)
def test_structures_come_back(value: Any) -> None:
    text = inline(value.write())
    assert structure(text) == (value, set())
    assert quickly(read_structure, text) in (None, value)


def test_parts_have_numbers() -> None:
    """RFC 3501 6.4.5, its example of a message with a message in it."""
    text = BodyPart("TEXT", "PLAIN", size=1, lines=1)
    inner = Multipart((text, BodyPart("IMAGE", "GIF")), "MIXED")
    message = BodyPart(
        "MESSAGE", "RFC822", size=5, lines=3, envelope=Envelope(), body=inner
    )
    single = BodyPart(
        "MESSAGE", "RFC822", size=5, lines=3, envelope=Envelope(), body=text
    )
    whole = Multipart((text, message, single), "MIXED")
    assert [(number, part.media_type) for number, part in walk(whole)] == [
        ((), "multipart/mixed"),
        ((1,), "text/plain"),
        ((2,), "message/rfc822"),
        ((2,), "multipart/mixed"),
        ((2, 1), "text/plain"),
        ((2, 2), "image/gif"),
        ((3,), "message/rfc822"),
        ((3, 1), "text/plain"),
    ]
    assert [number for number, _ in walk(text)] == [(1,)]
    assert [number for number, _ in walk(single)] == [(1,), (1, 1)]
    assert structure(inline(whole.write())) == (whole, set())


DISPOSED = Disposition("attachment", (("filename", "a.pdf"), ("size", "5")))


def test_extension_data() -> None:
    text = (
        b'("APPLICATION" "PDF" NIL "<i@d>" "desc" "BASE64" 99 "md5" ("attachment" '
        b'("filename" "a.pdf" "size" "5")) ("en" "de") "loc" "x" (1 ("y" NIL)) 5)'
    )
    part = BodyPart(
        "APPLICATION",
        "PDF",
        (),
        "<i@d>",
        "desc",
        "BASE64",
        99,
        None,
        None,
        None,
        "md5",
        DISPOSED,
        ("en", "de"),
        "loc",
        b'"x" (1 ("y" NIL)) 5',
    )
    assert structure(text) == (part, set())
    assert inline(part.write()) == text
    multi = Multipart((part,), "MIXED", (("B", "x"),), DISPOSED, ("en",), "loc", b"5")
    assert structure(inline(multi.write())) == (multi, set())
    long = b"y" * 5000
    whole = text.replace(b'"x"', b"{5000}\r\n" + long)
    [data] = hear(b"* 1 FETCH (BODY " + whole + b")\r\n", strict=True)
    assert long in data.structure.extensions


def test_parts_are_read_at_once() -> None:
    for text in (
        PLAIN,
        b"(" + PLAIN + PLAIN + b' "MIXED")',
        b"((" + PLAIN + b' "A")(' + PLAIN + b' "B" NIL NIL NIL NIL) "MIXED" ("a" "b"))',
        b'("A" "B" NIL NIL NIL "7BIT" 1 NIL ("x" NIL) "en" "loc")',
        b"(" + PLAIN + b' "MIXED" ("a" "b") ("inline" ("f" "g")) "de" NIL)',
    ):
        assert read_structure(text) == structure(text)[0]
    for text in (
        PLAIN + b" ",
        b"(" + PLAIN + b' "MIXED" x)',
        b"(" + PLAIN + b" " + PLAIN + b' "MIXED")',
        b'("TEXT" "B" NIL NIL NIL "7BIT" 1)',
        b'("A" "B" NIL NIL NIL "7BIT" 1 2)',
        b'("MESSAGE" "RFC822" NIL NIL NIL "7BIT" 1)',
        b"",
        b'("A" "caf\xc3\xa9" NIL NIL NIL "7BIT" 1)',
    ):
        assert quickly(read_structure, text) is None


STRUCTURE_QUIRKS = [
    (Quirk.SPACE_BETWEEN, b"(" + PLAIN + b" " + PLAIN + b' "MIXED")'),
    (Quirk.NIL, b'(NIL NIL NIL NIL NIL "7BIT" 0 NIL NIL NIL NIL)'),
    (Quirk.NO_PARTS, b'(NIL "alternative" ("boundary" "x") NIL NIL NIL)'),
    (Quirk.NO_PARTS, b'(("ALTERNATIVE")' + PLAIN + b' "MIXED")'),
    (Quirk.NEGATIVE, b'("TEXT" "PLAIN" NIL NIL NIL "7BIT" -1 -1)'),
    (Quirk.NIL, b'("A" "B" ("x" NIL) NIL NIL "7BIT" 1)'),
    (Quirk.EMPTY_LIST, b'("A" "B" NIL NIL NIL "7BIT" 1 NIL NIL NIL ())'),
    (Quirk.EXTRA_SPACE, b'("TEXT" "PLAIN"  NIL NIL NIL "7BIT" 10 2)'),
    (Quirk.ATOM_FOR_STRING, b'("TEXT" PLAIN NIL NIL NIL 7BIT 10 2)'),
    (Quirk.BARE_MESSAGE, b'("MESSAGE" "RFC822" NIL NIL NIL "BASE64" 50)'),
]


@pytest.mark.parametrize(("quirk", "text"), STRUCTURE_QUIRKS)
def test_faults_of_structures(quirk: Quirk, text: bytes) -> None:
    assert quirk in structure(text, strict=False)[1]
    with pytest.raises(GrammarError):
        structure(text)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"(",
        b"()",
        b"((",
        b'("A"',
        b'("A" "B"',
        b"(" + PLAIN,
        b"(" + PLAIN + b" ",
        b'("MESSAGE" "RFC822" NIL NIL NIL "7BIT" 1 (' + NIL + b")",
        b'("MESSAGE" "RFC822" NIL NIL NIL "7BIT" 1 (' + NIL + b") " + PLAIN,
        b'("MESSAGE" "RFC822" NIL NIL NIL "7BIT" 1 (' + NIL + b") " + PLAIN + b" x)",
        b'("A" "B" NIL NIL NIL "7BIT" x)',
        b'("A" "B" NIL NIL NIL "7BIT" 9999999999)',
        b'("A" "B" NIL NIL NIL "7BIT" 1 NIL NIL NIL NIL (',
    ],
)
def test_half_a_structure_is_none(text: bytes) -> None:
    for strict in (True, False):
        with pytest.raises(GrammarError):
            structure(text, strict=strict)


def nested(depth: int, *, messages: bool) -> bytes:
    if not messages:
        return b"(" * depth + PLAIN + b' "MIXED")' * depth
    head = b'("MESSAGE" "RFC822" NIL NIL NIL "7BIT" 1 (' + NIL + b") "
    return head * depth + PLAIN + b" 3)" * depth


@pytest.mark.parametrize("messages", [False, True])
def test_nesting_has_a_limit(messages: bool) -> None:
    value, _ = structure(nested(MAX_DEPTH, messages=messages))
    assert structure(inline(value.write()))[0] == value
    fast = quickly(read_structure, nested(MAX_DEPTH, messages=messages))
    assert fast == (None if messages else value)
    for depth in (MAX_DEPTH + 1, 1000, 50_000):
        text = nested(depth, messages=messages)
        with pytest.raises(GrammarError, match="nested"):
            structure(text)
        assert quickly(read_structure, text) is None
        wire = b"* 1 FETCH (BODY " + text + b")\r\n* 1 EXISTS\r\n"
        lost, after = hear(wire)
        assert isinstance(lost, imap.Malformed)
        assert after == imap.Exists(1)
    with pytest.raises(ValueError, match="nested"):
        Multipart((value,), "MIXED").write()


@pytest.mark.parametrize(
    "value",
    [
        Multipart((), "MIXED"),
        BodyPart("TEXT", "PLAIN"),
        BodyPart("A", "B", lines=5),
        BodyPart("MESSAGE", "RFC822"),
        BodyPart("MESSAGE", "RFC822", envelope=Envelope(), body=BodyPart("A", "B")),
        BodyPart("A", "B", size=-1),
        BodyPart("A", "B\0"),
        BodyPart("A", "B", extensions=b"\r\n"),
    ],
)
def test_what_cannot_be_said_is_not_written(value: Any) -> None:
    with pytest.raises(ValueError):
        value.write()


@pytest.mark.parametrize(
    "text",
    [
        '("TEXT" "PLAIN" NIL NIL NIL "7BIT" 5)',  # lines are missing
        '("IMAGE" "PNG" NIL NIL NIL "BASE64" 5 1)',  # nobody counts the lines of those
        '("MESSAGE" "RFC822" NIL NIL NIL "7BIT" 5)',
    ],
)
def test_what_is_not_plain_is_left_to_the_grammar(text: str) -> None:
    assert quickly(read_structure, text.encode()) is None
