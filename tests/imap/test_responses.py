"""What a server says is read and written; its faults are known by name."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailproto import Deviation, imap
from mailproto.imap.codes import PLAIN, ResponseCode
from mailproto.imap.grammar import GrammarError
from mailproto.imap.lines import check_raw
from mailproto.imap.mailboxes import NamespaceEntry, Raw
from mailproto.imap.quirks import Quirk, Reader
from mailproto.imap.responses import KINDS
from mailproto.imap.structure import BodyPart, Disposition, Multipart

from . import said
from .said import hear

OK, NO, BAD, BYE = (imap.Condition[name] for name in ("OK", "NO", "BAD", "BYE"))

# RFC 3501 7, RFC 2342 5, RFC 2971 3.2, RFC 4315 3, RFC 5161 3.2, RFC 5530 3, RFC 7162.
EXAMPLES: list[tuple[bytes, Any]] = [
    (b"* OK IMAP4rev1 server ready", imap.Reply(OK, "IMAP4rev1 server ready")),
    (
        b"* OK [ALERT] System shutdown in 10 minutes",
        imap.Reply(OK, "System shutdown in 10 minutes", imap.Code("ALERT")),
    ),
    (
        b"A223 NO COPY failed: disk is full",
        imap.TaggedReply("A223", imap.Reply(NO, "COPY failed: disk is full")),
    ),
    (b"* BAD Disk crash", imap.Reply(BAD, "Disk crash")),
    (
        b"* PREAUTH logged in as Smith",
        imap.Reply(imap.Condition.PREAUTH, "logged in as Smith"),
    ),
    (
        b"* BYE Autologout; idle for too long",
        imap.Reply(BYE, "Autologout; idle for too long"),
    ),
    (
        b'* NO [BADCHARSET (KOI8-R "US ASCII")] x',
        imap.Reply(NO, "x", imap.BadCharset(("KOI8-R", "US ASCII"))),
    ),
    (b"* NO [BADCHARSET] x", imap.Reply(NO, "x", imap.BadCharset())),
    (b"* OK [UIDNEXT 4392] Predicted", imap.Reply(OK, "Predicted", imap.UidNext(4392))),
    (
        b"* OK [UIDVALIDITY 3857529045] x",
        imap.Reply(OK, "x", imap.UidValidity(3857529045)),
    ),
    (b"* OK [UNSEEN 12] first", imap.Reply(OK, "first", imap.Unseen(12))),
    (
        b"* OK [PERMANENTFLAGS (\\Deleted \\*)] Limited",
        imap.Reply(OK, "Limited", imap.PermanentFlags(("\\Deleted", "\\*"))),
    ),
    (
        b"A1 OK [APPENDUID 38505 3955] done",
        imap.TaggedReply(
            "A1", imap.Reply(OK, "done", imap.AppendUid(38505, imap.UidSet(3955)))
        ),
    ),
    (
        b"A1 OK [COPYUID 38505 304,319:320 3956:3958] Done",
        imap.TaggedReply(
            "A1",
            imap.Reply(
                OK,
                "Done",
                imap.CopyUid(
                    38505, imap.UidSet("304,319:320"), imap.UidSet("3956:3958")
                ),
            ),
        ),
    ),
    (
        b'A1 NO [X-FOO some ("thing")] rest',
        imap.TaggedReply(
            "A1", imap.Reply(NO, "rest", imap.Code("X-FOO", 'some ("thing")'))
        ),
    ),
    (
        b"* OK [CAPABILITY IMAP4rev1 IDLE] ready",
        imap.Reply(OK, "ready", imap.Capabilities("IMAP4rev1", "IDLE")),
    ),
    (b"+ Ready for literal data", imap.Continue("Ready for literal data")),
    (b"+ ", imap.Continue("")),
    (b"+ [ALERT] be quick", imap.Continue("be quick", imap.Code("ALERT"))),
    (b"* CAPABILITY IMAP4rev1 STARTTLS", imap.Capabilities("IMAP4rev1", "STARTTLS")),
    (
        b'* LIST (\\Noselect) "/" ~/Mail/foo',
        imap.ListData("~/Mail/foo", "/", ("\\Noselect",)),
    ),
    (b'* LIST () "\\\\" "a\\\\b"', imap.ListData("a\\b", "\\")),
    (
        b'* LIST () NIL {3}\r\na b (("OLDNAME" (x)))',
        imap.ListData("a b", None, (), b'(("OLDNAME" (x)))'),
    ),
    (b'* LSUB () "." #news.comp.mail.misc', imap.LsubData("#news.comp.mail.misc", ".")),
    (
        b"* STATUS blurdybloop (MESSAGES 231 UIDNEXT 44292)",
        imap.StatusData("blurdybloop", {"MESSAGES": 231, "UIDNEXT": 44292}),
    ),
    (
        b'* STATUS "a b" (X-FOO (a "b" 3) SIZE 16234567890)',
        imap.StatusData("a b", {"X-FOO": Raw(b'(a "b" 3)'), "SIZE": 16234567890}),
    ),
    (b"* STATUS INBOX ()", imap.StatusData("INBOX", {})),
    (b"* SEARCH 2 3 6", imap.SearchData((2, 3, 6))),
    (b"* SEARCH", imap.SearchData()),
    (b"* SEARCH 2 5 (MODSEQ 917162500)", imap.SearchData((2, 5), 917162500)),
    (b"* FLAGS (\\Answered $Junk)", imap.FlagsData(("\\Answered", "$Junk"))),
    (b"* 23 EXISTS", imap.Exists(23)),
    (b"* 0 RECENT", imap.Recent(0)),
    (b"* 44 EXPUNGE", imap.Expunged(44)),
    (
        b'* NAMESPACE (("" "/")("#mh/" "/" "X-PARAM" ("F1" "F2"))) NIL (("p." "."))',
        imap.NamespaceData(
            (
                NamespaceEntry("", "/"),
                NamespaceEntry("#mh/", "/", (("X-PARAM", ("F1", "F2")),)),
            ),
            (),
            (NamespaceEntry("p.", "."),),
        ),
    ),
    (b'* ID ("name" "Cyrus" "os" NIL)', imap.IdData((("name", "Cyrus"), ("os", None)))),
    (b"* ID NIL", imap.IdData()),
    (b"* ID ()", imap.IdData(())),
    (b"* ENABLED CONDSTORE X-GOOD-IDEA", imap.Enabled("CONDSTORE", "X-GOOD-IDEA")),
    (
        b'* X-FOO (bar "baz" {3}\r\na\r\n) 5',
        imap.UnknownData(b'X-FOO (bar "baz" {3}\r\na\r\n) 5'),
    ),
    (b"* 5 X-FOO bar", imap.UnknownData(b"5 X-FOO bar")),
    (b"* foo EXISTS", imap.UnknownData(b"foo EXISTS")),
]


@pytest.mark.parametrize(
    ("wire", "value"), EXAMPLES, ids=[repr(w) for w, _ in EXAMPLES]
)
def test_examples_are_read_and_written(wire: bytes, value: Any) -> None:
    for strict in (True, False):
        assert hear(wire + b"\r\n", strict=strict) == [value]
    assert hear(value.write(), strict=True) == [value]
    for at in range(1, len(wire) + 1):
        whole = wire + b"\r\n"
        assert hear([whole[:at], whole[at:]], strict=True) == [value]


@given(said.said)
def test_what_is_written_is_read(value: Any) -> None:
    assert hear(value.write(), strict=True) == [value]


@given(st.lists(said.said, max_size=5), st.integers(1, 40))
def test_many_are_told_apart_however_they_are_cut(values: list[Any], size: int) -> None:
    wire = b"".join(value.write() for value in values)
    assert hear(said.cut(wire, size), strict=True) == values


# Each Quirk: what comes, and what it is taken for.
R = imap.Reply
QUIRKS: list[tuple[Quirk, bytes, Any]] = [
    (Quirk.EXTRA_SPACE, b"*  22279 EXISTS", imap.Exists(22279)),
    (Quirk.EXTRA_SPACE, b"* SEARCH 7456 ", imap.SearchData((7456,))),
    (Quirk.EXTRA_SPACE, b"* SEARCH  7456", imap.SearchData((7456,))),
    (
        Quirk.EXTRA_SPACE,
        b"* STATUS INBOX (MESSAGES 1) ",
        imap.StatusData("INBOX", {"MESSAGES": 1}),
    ),
    (
        Quirk.EXTRA_SPACE,
        b"* CAPABILITY IMAP4rev1  IDLE ",
        imap.Capabilities("IMAP4rev1", "IDLE"),
    ),
    (
        Quirk.EXTRA_SPACE,
        b'* LIST (\\HasNoChildren ) "/" a',
        imap.ListData("a", "/", ("\\HasNoChildren",)),
    ),
    (Quirk.EXTRA_SPACE, b'* LIST () "."  "INBOX" ', imap.ListData("INBOX", ".")),
    (
        Quirk.EXTRA_SPACE,
        b"* 11487 FETCH (UID 19436 )",
        imap.FetchData(11487, {"UID": 19436}),
    ),
    (Quirk.EXTRA_SPACE, b'* ID ("name" "x" )', imap.IdData((("name", "x"),))),
    (Quirk.MISSING_SPACE, b"* 1 FETCH(UID 5)", imap.FetchData(1, {"UID": 5})),
    (
        Quirk.MISSING_SPACE,
        b"* 1 FETCH (FLAGS ()UID 6)",
        imap.FetchData(1, {"FLAGS": (), "UID": 6}),
    ),
    (Quirk.MISSING_SPACE, b"*OK hello", R(OK, "hello")),
    (Quirk.MISSING_SPACE, b"* OK\thello", R(OK, "hello")),
    (Quirk.MISSING_SPACE, b"+OK", imap.Continue("OK")),
    (Quirk.MISSING_SPACE, b"* OK [ALERT]x", R(OK, "x", imap.Code("ALERT"))),
    (Quirk.MISSING_TEXT, b"* BYE", R(BYE)),
    (Quirk.MISSING_TEXT, b"a1 OK", imap.TaggedReply("a1", R(OK))),
    (Quirk.MISSING_TEXT, b"* OK [UIDNEXT 5]", R(OK, "", imap.UidNext(5))),
    (Quirk.MISSING_TEXT, b"+", imap.Continue()),
    (Quirk.STRAY_CR, b"* 3 EXISTS\r", imap.Exists(3)),
    (Quirk.STRAY_CR, b"* OK ready\r", R(OK, "ready")),
    (
        Quirk.MISSING_STATUS,
        b"[COPYUID 124 10 233] x",
        R(OK, "x", imap.CopyUid(124, imap.UidSet(10), imap.UidSet(233))),
    ),
    (Quirk.MISSING_STATUS, b"* [ALERT] x", R(OK, "x", imap.Code("ALERT"))),
    (
        Quirk.CODE_DATA,
        b"* NO [BADCHARSET UTF-8] x",
        R(NO, "x", imap.Code("BADCHARSET", "UTF-8")),
    ),
    (
        Quirk.CODE_DATA,
        b"* NO [BADCHARSET ()] x",
        R(NO, "x", imap.Code("BADCHARSET", "()")),
    ),
    (Quirk.CODE_DATA, b"* OK [COPYUID] x", R(OK, "x", imap.Code("COPYUID"))),
    (
        Quirk.CODE_DATA,
        b"* OK [COPYUID 1 1:2 1] x",
        R(OK, "x", imap.Code("COPYUID", "1 1:2 1")),
    ),
    (
        Quirk.CODE_DATA,
        b"* OK [UIDVALIDITY 9877410381] x",
        R(OK, "x", imap.Code("UIDVALIDITY", "9877410381")),
    ),
    (Quirk.CODE_DATA, b"* OK [ALERT 5] x", R(OK, "x", imap.Code("ALERT", "5"))),
    (Quirk.ODD_FLAG, b"* FLAGS (\\Answered \\*)", None),
    (
        Quirk.ODD_FLAG,
        b"* 1 FETCH (FLAGS (\\Seen caf\xc3\xa9))",
        imap.FetchData(1, {"FLAGS": ("\\Seen", "caf\u00e9")}),
    ),
    (Quirk.ODD_FLAG, b"* OK [PERMANENTFLAGS ($a] [Gmail]/x \\*)] ok", None),
    (Quirk.ODD_FLAG, b'* FLAGS ("\\\\Seen")', imap.FlagsData(("\\Seen",))),
    (Quirk.ODD_FLAG, b'* LIST (HasNoChildren) "/" a', None),
    (Quirk.NIL, b"* 1 FETCH (FLAGS NIL)", imap.FetchData(1, {"FLAGS": ()})),
    (
        Quirk.NIL,
        b"* 1 FETCH (INTERNALDATE NIL)",
        imap.FetchData(1, {"INTERNALDATE": None}),
    ),
    (
        Quirk.NIL,
        b'* 1 FETCH (BODY ("TEXT" "PLAIN" NIL NIL NIL NIL 1 2))',
        imap.FetchData(
            1, {"BODY": BodyPart("TEXT", "PLAIN", encoding="", size=1, lines=2)}
        ),
    ),
    (Quirk.EMPTY_LIST, b"* 1 FETCH ()", imap.FetchData(1, {})),
    (Quirk.EMPTY_LIST, b"* NAMESPACE () NIL NIL", imap.NamespaceData()),
    (
        Quirk.EMPTY_LIST,
        b'* 1 FETCH (BODY ("A" "B" () NIL NIL "7BIT" 1))',
        imap.FetchData(1, {"BODY": BodyPart("A", "B", size=1)}),
    ),
    (
        Quirk.EMPTY_LIST,
        b'* 1 FETCH (BODY ("A" "B" NIL NIL NIL "7BIT" 1 NIL NIL () ()))',
        imap.FetchData(1, {"BODY": BodyPart("A", "B", size=1)}),
    ),
    (
        Quirk.EIGHT_BIT,
        b'* LIST () "/" "Entw\xfcrfe"',
        imap.ListData("Entw\udcfcrfe", "/"),
    ),
    (Quirk.EIGHT_BIT, b"* NO d\xe9tect\xe9", R(NO, "d\udce9tect\udce9")),
    (
        Quirk.UNESCAPED_QUOTE,
        b'* ID ("name" "foo "bar baz")',
        imap.IdData((("name", 'foo "bar baz'),)),
    ),
    (Quirk.UNESCAPED_QUOTE, b'* ID ("name" """")', imap.IdData((("name", '""'),))),
    (
        Quirk.ODD_ESCAPE,
        b'* ID ("name" "C:\\temp")',
        imap.IdData((("name", "C:\\temp"),)),
    ),
    (Quirk.ATOM_FOR_STRING, b"* ID (name x)", imap.IdData((("name", "x"),))),
    (
        Quirk.UNQUOTED_NAME,
        b'* LIST () "/" Sent Items ',
        imap.ListData("Sent Items", "/"),
    ),
    (Quirk.UNQUOTED_NAME, b'* LIST () "/" M\xfcll', imap.ListData("M\udcfcll", "/")),
    (
        Quirk.UNQUOTED_NAME,
        b"* STATUS Sent Items (MESSAGES 1)",
        imap.StatusData("Sent Items", {"MESSAGES": 1}),
    ),
    (
        Quirk.UNQUOTED_NAME,
        b"* STATUS M\xfcll (MESSAGES 1)",
        imap.StatusData("M\udcfcll", {"MESSAGES": 1}),
    ),
    (Quirk.ODD_DELIMITER, b'* LIST () "//" a', None),
    (
        Quirk.NEGATIVE,
        b"* STATUS INBOX (MESSAGES -1)",
        imap.StatusData("INBOX", {"MESSAGES": 0}),
    ),
    (Quirk.NEGATIVE, b"* -1 EXISTS", imap.Exists(0)),
    (Quirk.NEGATIVE, b"* 1 FETCH (MODSEQ (-1))", imap.FetchData(1, {"MODSEQ": 0})),
    (Quirk.ZERO, b"* SEARCH 0 5", imap.SearchData((5,))),
    (Quirk.ZERO, b"* STATUS a (UIDNEXT 0)", imap.StatusData("a", {"UIDNEXT": 0})),
    (Quirk.ZERO, b"* 0 FETCH (UID 5)", imap.FetchData(0, {"UID": 5})),
    (
        Quirk.FLOAT,
        b"* 1 FETCH (RFC822.SIZE 9.3736e+06)",
        imap.FetchData(1, {"RFC822.SIZE": 9373600}),
    ),
    (
        Quirk.LARGE_NUMBER,
        b"* 1 FETCH (RFC822.SIZE 5000000000)",
        imap.FetchData(1, {"RFC822.SIZE": 5_000_000_000}),
    ),
    (
        Quirk.ODD_DATE,
        b'* 1 FETCH (INTERNALDATE "31-Feb-2020 25:61:61 +9999")',
        imap.FetchData(1, {"INTERNALDATE": None}),
    ),
    (
        Quirk.NO_VALUE,
        b"* 1 FETCH (UID 5 BODY[2])",
        imap.FetchData(1, {"UID": 5, "BODY[2]": None}),
    ),
    (
        Quirk.ODD_SECTION,
        b"* 1 FETCH (RFC822[] {2}\r\nab)",
        imap.FetchData(1, {"RFC822": b"ab"}),
    ),
    (
        Quirk.ODD_SECTION,
        b'* 1 FETCH (BODY[0] "x")',
        imap.FetchData(1, {"BODY[0]": b"x"}),
    ),
    (Quirk.BARE_MODSEQ, b"* 1 FETCH (MODSEQ 4)", imap.FetchData(1, {"MODSEQ": 4})),
    (
        Quirk.NONSYNC_LITERAL,
        b"* 1 FETCH (BODY[] {3+}\r\nabc)",
        imap.FetchData(1, {"BODY[]": b"abc"}),
    ),
    (
        Quirk.NUL,
        b"* 1 FETCH (BODY[] {3}\r\na\0b)",
        imap.FetchData(1, {"BODY[]": b"a\0b"}),
    ),
    (
        Quirk.NO_PARTS,
        b'* 1 FETCH (BODY ("ALTERNATIVE"))',
        imap.FetchData(1, {"BODY": Multipart((), "ALTERNATIVE")}),
    ),
    (
        Quirk.NO_PARTS,
        b'* 1 FETCH (BODY ("MIXED" ("B" "x") NIL NIL))',
        imap.FetchData(1, {"BODY": Multipart((), "MIXED", (("B", "x"),))}),
    ),
    (
        Quirk.BARE_MESSAGE,
        b'* 1 FETCH (BODY ("MESSAGE" "RFC822" NIL NIL NIL "8BIT" 50 NIL))',
        imap.FetchData(
            1, {"BODY": BodyPart("MESSAGE", "RFC822", encoding="8BIT", size=50)}
        ),
    ),
    (
        Quirk.BARE_DISPOSITION,
        b'* 1 FETCH (BODY ("A" "B" NIL NIL NIL "7BIT" 1 NIL "inline"))',
        imap.FetchData(
            1, {"BODY": BodyPart("A", "B", size=1, disposition=Disposition("inline"))}
        ),
    ),
    (
        Quirk.BARE_DISPOSITION,
        b'* 1 FETCH (BODY ("A" "B" NIL NIL NIL "7BIT" 1 NIL ("inline")))',
        imap.FetchData(
            1, {"BODY": BodyPart("A", "B", size=1, disposition=Disposition("inline"))}
        ),
    ),
]


@pytest.mark.parametrize(
    ("quirk", "wire", "value"), QUIRKS, ids=[f"{q.name} {w!r}" for q, w, _ in QUIRKS]
)
def test_a_quirk_is_told_or_refused(quirk: Quirk, wire: bytes, value: Any) -> None:
    *deviations, response, after = hear(wire + b"\r\n* 5 EXISTS\r\n")
    assert after == imap.Exists(5)
    assert Deviation(quirk, wire + b"\r\n") in deviations
    assert len({d.quirk for d in deviations}) == len(deviations)
    assert not isinstance(response, imap.Malformed)
    if value is not None:
        assert response == value
    malformed, after = hear(wire + b"\r\n* 5 EXISTS\r\n", strict=True)
    assert after == imap.Exists(5)
    assert isinstance(malformed, imap.Malformed)
    assert malformed.raw == wire + b"\r\n"


ELSEWHERE = {
    Quirk.EMPTY_LINE,
    Quirk.ODD_CHALLENGE,
    Quirk.NOT_A_CODE,
    Quirk.SPACE_BETWEEN,
    Quirk.NIL_ADDRESS,
    Quirk.SHORT_ENVELOPE,
}


def test_every_quirk_has_its_bytes_here() -> None:
    assert {quirk for quirk, _, _ in QUIRKS} | ELSEWHERE == set(Quirk)


@pytest.mark.parametrize(
    "text",
    ["[ALERT System going down", '[Error="Foo: bar" x] y', "[]", "[UIDNEXT ", "[X"],
)
def test_text_in_brackets_may_be_no_code(text: str) -> None:
    wire = f"* NO {text}\r\n".encode()
    deviation, reply = hear(wire)
    assert deviation == Deviation(Quirk.NOT_A_CODE, wire)
    assert (reply.text, reply.code) == (text, None)
    [malformed] = hear(wire, strict=True)
    assert isinstance(malformed, imap.Malformed)


def test_an_odd_flag_is_kept_as_it_came() -> None:
    wire = b"* FLAGS (\\Answered \\* b]c)\r\n"
    assert hear(wire)[-1].flags == ("\\Answered", "\\*", "b]c")
    assert hear(wire)[-1].write() == wire


# -- what makes no sense ---------------------------------------------------------

NONSENSE = [
    b"* ",
    b"*",
    b"",
    b"x",
    b"a+1 OK done",
    b"a1 PREAUTH x",
    b"a1 BYE x",
    b"a1 FINE x",
    b"* OK a\rb",
    b"* OK a\0b",
    b"* STATUS INBOX (MESSAGES 5 UNSEEN)",
    b"* STATUS INBOX",
    b'* STATUS "INBOX (UNSEEN 5)',
    b"* STATUS INBOX (UNSEEN 5",
    b"* SEARCH x",
    b"* SEARCH 5000000000",
    b"* SEARCH 1x",
    b"* FLAGS",
    b"* FLAGS (a",
    b"* LIST () x y",
    b'* LIST () "/" (',
    b'* LIST () "/"',
    b'* LIST () "" a(',
    b"* NAMESPACE NIL NIL",
    b'* NAMESPACE ((""',
    b"* ID x",
    b'* ID ("a"',
    b"* CAPABILITY (",
    b"* 5 EXISTS x",
    b"* 5000000000 EXISTS",
    b"* 1 FETCH",
    b"* 1 FETCH x",
    b"* 1 FETCH (UID)",
    b"* 1 FETCH (UID x)",
    b"* 1 FETCH (UID 5",
    b"* 1 FETCH ((",
    b"* 1 FETCH (BODY[",
    b"* 1 FETCH (BINARY 5)",
    b"* 1 FETCH (BODY[] x)",
    b"* 1 FETCH (X-Y ())) ",
    b"* 1 FETCH {5}\r\nHELLO",
    b'* 1 FETCH (ENVELOPE ("d" "foo "bar" baz" NIL NIL NIL NIL NIL NIL NIL NIL))',
    b"* 1 FETCH (BODY[TEXT]<x> NIL)",
    b"* 1 FETCH (UID<5> 5)",
    b"* 1 FETCH (BODY<5> 5)",
    b"* (",
    b"* 5 (",
    b"HTTP/1.1 400 Bad Request",
    b"\x15\x03\x01\0\x02\x02",
]


@pytest.mark.parametrize("wire", NONSENSE, ids=map(repr, NONSENSE))
def test_nonsense_costs_one_response(wire: bytes) -> None:
    for strict in (True, False):
        *_, lost, after = hear(wire + b"\r\n* 5 EXISTS\r\n", strict=strict)
        assert after == imap.Exists(5)
        if wire or strict:
            assert isinstance(lost, imap.Malformed)
            assert lost.raw == wire + b"\r\n"
            assert 0 <= lost.error.position <= len(wire)
            assert lost.error.reason in str(lost.error)


@pytest.mark.parametrize(
    "raw",
    [
        b"a\rb",
        b"a\nb",
        b"a\0b",
        b"a {5}",
        b"a {5}\r\nab",
        b"a {1}\r\nab",
        b"a\r\nb",
        b"a\r",
    ],
)
def test_no_raw_response_can_break_framing(raw: bytes) -> None:
    whole = raw == b"a {1}\r\nab"
    if whole:
        check_raw(raw)
        return
    for make in (check_raw, imap.UnknownData, Raw):
        with pytest.raises(ValueError):
            make(raw)


# -- values check themselves -----------------------------------------------------


@pytest.mark.parametrize(
    "make",
    [
        lambda: imap.Reply(OK, "a\r\nb"),
        lambda: imap.Reply(OK, "[ALERT] x"),
        lambda: imap.Reply(OK, "\0"),
        lambda: imap.TaggedReply("a", imap.Reply(BYE, "x")),
        lambda: imap.TaggedReply("a b", imap.Reply(OK, "x")),
        lambda: imap.TaggedReply("+", imap.Reply(OK, "x")),
        lambda: imap.TaggedReply("", imap.Reply(OK, "x")),
        lambda: imap.Greeting(NO, "x"),
        lambda: imap.Greeting.of(imap.Reply(BAD, "x")),
        lambda: imap.Continue("\n"),
        lambda: imap.Continue("not base64!").challenge,
        lambda: imap.Challenge.read(b"!"),
        lambda: imap.Code("a b"),
        lambda: imap.Code("é"),
        lambda: imap.Code("X", "a]b"),
        lambda: imap.Code("X", ""),
        lambda: imap.UidNext(0),
        lambda: imap.PermanentFlags(("a b",)),
        lambda: imap.BadCharset(("é",)),
        lambda: imap.BadCharset(("\r",)),
        lambda: imap.AppendUid(0, imap.UidSet(1)),
        lambda: imap.AppendUid(1, imap.UidSet("*")),
        lambda: imap.CopyUid(1, imap.UidSet("1:2"), imap.UidSet("1")),
        lambda: imap.Capabilities("a b"),
        lambda: imap.Enabled("é"),
        lambda: imap.Exists(-1),
        lambda: imap.Expunged(0),
        lambda: imap.FlagsData(("\\*",)),
        lambda: imap.SearchData((0,)),
        lambda: imap.SearchData((), 0),
        lambda: imap.ListData("a\0"),
        lambda: imap.ListData("a", "//"),
        lambda: imap.ListData("a", "é"),
        lambda: imap.ListData("a", "\n"),
        lambda: imap.ListData("a", "/", ("Noselect",)),
        lambda: imap.ListData("a", "/", ("\\a b",)),
        lambda: imap.ListData("a", "/", (), b"\r\n"),
        lambda: imap.StatusData("a", {"x y": 1}),
        lambda: imap.StatusData("a", {"X": -1}),
        lambda: Raw(b"a b"),
        lambda: NamespaceEntry("\0", "/"),
        lambda: NamespaceEntry("", "/", (("x", ()),)),
        lambda: NamespaceEntry("", "/", (("\0", ("x",)),)),
        lambda: imap.IdData((("\0", None),)),
        lambda: imap.UnknownData(b""),
        lambda: imap.UnknownData(b"EXISTS 5"),
        lambda: imap.UnknownData(b"OK x"),
        lambda: imap.UnknownData(b"5 FETCH (UID 1)"),
    ],
)
def test_what_cannot_be_said_cannot_be_made(make: Any) -> None:
    with pytest.raises(ValueError):
        make()


def test_values_are_easy_to_ask() -> None:
    caps = imap.Capabilities("IMAP4rev1", "AUTH=PLAIN", "auth=login")
    assert "imap4REV1" in caps
    assert 5 not in caps
    assert len(caps) == 3
    assert caps.sasl == ("PLAIN", "LOGIN")
    assert imap.ListData("a", "/", ("\\NoSelect",)).has("\\noselect")
    assert imap.StatusData("a", {"UNSEEN": 3})["UNSEEN"] == 3
    assert imap.IdData((("Name", "x"),)).get("name") == "x"
    assert imap.IdData().get("name") is None
    assert Raw(b"(a NIL)").token == ("a", "NIL")
    assert imap.UnknownData(b"5 x-foo").known_as == "X-FOO"
    assert imap.Continue("dGVzdA==").challenge == b"test"
    assert imap.Challenge(b"test").write() == b"+ dGVzdA==\r\n"
    assert imap.Challenge.read(b"dGVzdA==") == imap.Challenge(b"test")
    assert imap.Greeting(OK, "hi").write() == b"* OK hi\r\n"
    assert imap.Greeting.of(imap.Reply(BYE, "no")) == imap.Greeting(BYE, "no")
    assert not imap.Greeting(BYE, "no").ok
    assert imap.Reply(OK, "x").ok
    assert not imap.Reply(NO, "x").ok
    pairs = imap.CopyUid(1, imap.UidSet("5,3"), imap.UidSet("9:10")).pairs()
    assert list(pairs) == [(5, 9), (3, 10)]
    assert imap.Code("alert").name == "ALERT"
    assert imap.Code("x-Foo").name == "x-Foo"


def test_ranges_are_not_expanded() -> None:
    [reply] = hear(b"A OK [COPYUID 1 1:4294967295 1:4294967295] x\r\n")
    assert reply.reply.code.source.count() == 4294967295


def test_every_kind_is_known_by_its_label() -> None:
    for label, kind in KINDS.items():
        assert kind.label == label
        assert issubclass(kind, imap.Data)
    assert issubclass(imap.Capabilities, ResponseCode)
    assert PLAIN.isdisjoint({"UIDNEXT", "CAPABILITY"})


# -- garbage ---------------------------------------------------------------------

PIECES = st.sampled_from(
    [
        b"* ",
        b"+ ",
        b"a1 ",
        b"OK ",
        b"[",
        b"]",
        b"(",
        b")",
        b'"',
        b"\\",
        b" ",
        b"\r\n",
        b"{3}\r\n",
        b"{3}",
        b"NIL",
        b"1 ",
        b"FETCH ",
        b"LIST ",
        b"BODY[] ",
        b"UID ",
        b"ENVELOPE ",
        b"BODY ",
        b"FLAGS ",
        b"abc",
        b"\xe9",
        b"\0",
        b"-1",
        b"SEARCH ",
        b"STATUS ",
        b"NAMESPACE ",
        b"ID ",
        b"UIDNEXT ",
        b"COPYUID ",
        b"CAPABILITY ",
        b"INTERNALDATE ",
        b"MODSEQ ",
        b"<0>",
        b"~{2}\r\n",
        b"\r",
        b"\n",
    ]
)
garbage = st.binary(max_size=80) | st.lists(PIECES, max_size=40).map(b"".join)


@given(garbage, st.integers(1, 9), st.booleans())
def test_any_bytes_cost_responses_only(wire: bytes, size: int, strict: bool) -> None:
    whole = hear(wire, strict=strict)
    assert hear(said.cut(wire, size), strict=strict) == whole or any(
        isinstance(event, imap.Malformed) for event in whole
    )
    assert list(map(repr, hear(said.cut(wire, size), strict=strict))) == list(
        map(repr, whole)
    )


@given(garbage)
def test_what_is_read_strictly_is_written(wire: bytes) -> None:
    for event in hear(wire, strict=True):
        if not isinstance(event, imap.Malformed | Exception):
            assert hear(event.write(), strict=True) == [event]


def test_a_reader_knows_what_it_has_not() -> None:
    with pytest.raises(GrammarError, match="cut off"):
        Reader(b"{5}\r\nabc").take_string()
    reader = Reader(b"({5}\r\n)", literals={6: imap.Streamed(5)})
    with pytest.raises(GrammarError, match="streamed"):
        reader.between(0, 7)
    with pytest.raises(GrammarError, match="streamed"):
        Reader(b"{5}\r\n", literals={5: imap.Streamed(5)}).take_string()


def test_an_error_says_where() -> None:
    error = GrammarError("x", 3)
    assert (error.reason, error.position) == ("x", 3)
