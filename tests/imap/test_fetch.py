"""Data items of FETCH; the fast path and the grammar come to the same."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailproto import Deviation, imap
from mailproto._buffer import ReceiveBuffer
from mailproto.imap.envelope import Envelope
from mailproto.imap.fetch import KINDS, SECTIONED
from mailproto.imap.framer import ResponseReader
from mailproto.imap.mailboxes import Raw
from mailproto.imap.quick import MAX_ITEMS, shape_of
from mailproto.imap.quirks import Quirk, Reader
from mailproto.imap.structure import BodyPart

from . import said
from .said import Limits, hear, slowly

ENVELOPE = (
    b'("Wed, 17 Jul 1996 02:23:25 -0700 (PDT)" "IMAP4rev1 WG \\"mtg\\"" '
    b'(("Terry Gray" NIL "gray" "cac.washington.edu")) NIL NIL '
    b'((NIL NIL "imap" "cac.washington.edu")(NIL NIL "KLENSIN" "MIT.EDU")) NIL NIL NIL '
    b'"<B27397-0100000@cac.washington.edu>")'
)
PLAIN = b'("TEXT" "PLAIN" ("CHARSET" "US-ASCII") NIL NIL "7BIT" 3028 92)'
WHEN = datetime(1996, 7, 17, 2, 44, 25, tzinfo=timezone(timedelta(hours=-7)))

ITEMS: list[tuple[bytes, dict[str, Any]]] = [
    (b"UID 4827313", {"UID": 4827313}),
    (b"UID 4294967295", {"UID": 4294967295}),
    (b"FLAGS (\\Seen $Junk)", {"FLAGS": ("\\Seen", "$Junk")}),
    (b"FLAGS ()", {"FLAGS": ()}),
    (b'INTERNALDATE "17-Jul-1996 02:44:25 -0700"', {"INTERNALDATE": WHEN}),
    (b"RFC822.SIZE 44827", {"RFC822.SIZE": 44827}),
    (b"MODSEQ (12121231000)", {"MODSEQ": 12121231000}),
    (b"RFC822 NIL", {"RFC822": None}),
    (b'BODY[] "a\\"b"', {"BODY[]": b'a"b'}),
    (
        b"BODY[1.2.HEADER.FIELDS.NOT (A B)] {2}\r\nab",
        {"BODY[1.2.HEADER.FIELDS.NOT (A B)]": b"ab"},
    ),
    (b"BODY[TEXT]<5> NIL", {"BODY[TEXT]<5>": None}),
    (b"BINARY[1.2]<10> ~{3}\r\na\0b", {"BINARY[1.2]<10>": b"a\0b"}),
    (b"BINARY[1] {3}\r\nabc", {"BINARY[1]": b"abc"}),
    (b"BINARY.SIZE[1.2] 1024", {"BINARY.SIZE[1.2]": 1024}),
    (
        b'body[header.fields (date)]<0> "x" uid 5',
        {"BODY[HEADER.FIELDS (DATE)]<0>": b"x", "UID": 5},
    ),
    (
        b"BODY " + PLAIN,
        {
            "BODY": BodyPart(
                "TEXT", "PLAIN", (("CHARSET", "US-ASCII"),), size=3028, lines=92
            )
        },
    ),
    (
        b'X-GM-LABELS (\\Inbox "a b") XAOL-PAREN (a (b "c")) FLAGS ()',
        {
            "X-GM-LABELS": Raw(b'(\\Inbox "a b")'),
            "XAOL-PAREN": Raw(b'(a (b "c"))'),
            "FLAGS": (),
        },
    ),
    (b"X-THING[a/b] 5", {"X-THING[A/B]": Raw(b"5")}),
    (b"X-THING[a.b]<3> {2}\r\n\r\n", {"X-THING[A.B]<3>": Raw(b"{2}\r\n\r\n")}),
]


@pytest.mark.parametrize(("wire", "items"), ITEMS, ids=[repr(w) for w, _ in ITEMS])
def test_items_are_read_and_written(wire: bytes, items: dict[str, Any]) -> None:
    whole = b"* 12 FETCH (" + wire + b")\r\n"
    data = imap.FetchData(12, items)
    for strict in (True, False):
        assert hear(whole, strict=strict) == [data]
    assert hear(data.write(), strict=True) == [data]
    twice = hear(whole + whole, strict=True)
    assert twice == [data, data]
    assert hear(said.cut(whole * 3, 5)) == [data] * 3


def test_an_envelope_has_its_fields() -> None:
    wire = b"* 12 FETCH (ENVELOPE " + ENVELOPE + b" UID 5)\r\n"
    for data in hear(wire * 2, strict=True):
        assert data.uid == 5
        assert data.envelope.subject == 'IMAP4rev1 WG "mtg"'
        assert str(data.envelope.from_[0]) == "gray@cac.washington.edu"
        assert [a.mailbox for a in data.envelope.to] == ["imap", "KLENSIN"]
        assert data.envelope.message_id == "<B27397-0100000@cac.washington.edu>"


def test_properties_name_what_there_is() -> None:
    part = BodyPart("TEXT", "PLAIN", size=1, lines=1)
    data = imap.FetchData.of(
        5,
        uid=4,
        flags=("\\Seen",),
        date=WHEN,
        size=9,
        modseq=3,
        envelope=Envelope(),
        structure=part,
    )
    assert hear(data.write()) == [data]
    assert (data.uid, data.flags, data.date, data.size) == (4, ("\\Seen",), WHEN, 9)
    assert (data.modseq, data.envelope, data.structure) == (3, Envelope(), part)
    assert imap.FetchData(1, {"BODY": part}).structure is part
    empty = imap.FetchData(1, {"BODY[1.HEADER]<5>": b"x"})
    assert (empty.uid, empty.flags, empty.date, empty.size) == (None,) * 4
    assert (empty.modseq, empty.envelope, empty.structure) == (None,) * 3
    assert empty.body("1.header", 5) == b"x"
    assert empty.body(imap.Section((1,), "HEADER"), 5) == b"x"
    assert empty.body() is None


@pytest.mark.parametrize(
    ("number", "items"),
    [
        (0, {"UID": 5}),
        (1, {}),
        (1, {"UID": 0}),
        (1, {"uid": 5}),
        (1, {"UID": Raw(b"5"), "X": 5}),
        (1, {"FLAGS": ("a b",)}),
        (1, {"FLAGS": ("\\*",)}),
        (1, {"RFC822.SIZE": -1}),
        (1, {"MODSEQ": 2**63}),
        (1, {"INTERNALDATE": datetime(2020, 1, 1)}),
        (1, {"BODY[]": b"a\0b"}),
        (1, {"BODY[0]": b"a"}),
        (1, {"BODY[] x": b"a"}),
        (1, {"BINARY": b"a"}),
        (1, {"BINARY<5>": b"a"}),
        (1, {"é": Raw(b"5")}),
        (1, {"ENVELOPE": Envelope(subject="\0")}),
    ],
)
def test_what_cannot_be_said_is_not_written(number: int, items: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        imap.FetchData(number, items).write()


def test_what_streams_is_not_in_one_piece() -> None:
    data = imap.FetchData(1, {"BODY[]": imap.Streamed(5)})
    assert imap.Streamed(5) in data.fragments()
    with pytest.raises(ValueError):
        data.write()


def test_a_known_item_may_be_said_raw() -> None:
    data = imap.FetchData(1, {"UID": Raw(b"5")})
    assert data.write() == b"* 1 FETCH (UID 5)\r\n"


# -- the fast path ---------------------------------------------------------------


def fast(*wires: bytes) -> list[Any]:
    """All events, by one reader, in one read: shapes are learned as it goes."""
    return hear(
        b"".join(wires), strict=True, reader=ResponseReader(Limits(), strict=True)
    )


@given(st.lists(said.fetched, min_size=1, max_size=4))
def test_the_fast_path_comes_to_the_same(values: list[imap.FetchData]) -> None:
    wires = [value.write() for value in values]
    expected = [slowly(wire) for wire in wires]
    assert expected == values
    assert fast(*wires, *wires, *wires) == expected * 3


DATES = st.sampled_from(
    [b"17-Jul-1996", b" 7-Feb-1994", b"31-Feb-2020", b"00-Jan-0000"]
)
FRAGMENTS = st.sampled_from(
    [
        b"UID 5",
        b"UID 0",
        b"UID 05",
        b"UID 4294967296",
        b"FLAGS (\\Seen)",
        b"FLAGS (a]b)",
        b"FLAGS ( )",
        b"FLAGS (\\Seen  x)",
        b"RFC822.SIZE 7",
        b"RFC822.SIZE 5000000000",
        b"MODSEQ (5)",
        b"MODSEQ (0)",
        b"ENVELOPE " + ENVELOPE,
        b"BODY " + PLAIN,
        b"ENVELOPE (NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)",
        b'ENVELOPE (NIL "caf\xe9" NIL NIL NIL NIL NIL NIL NIL NIL)',
        b'ENVELOPE (NIL "a\\x" NIL NIL NIL NIL NIL NIL NIL NIL)',
        b'ENVELOPE (NIL "a) UID 5)" NIL NIL NIL NIL NIL NIL NIL NIL)',
        b"ENVELOPE (NIL NIL () NIL NIL NIL NIL NIL NIL NIL)",
        b'ENVELOPE (NIL {4}\r\na"\\b NIL NIL NIL NIL NIL NIL {2}\r\nid NIL)',
        b"ENVELOPE (NIL {3}\r\na\xe9b NIL NIL NIL NIL NIL NIL NIL NIL)",
        b"ENVELOPE (NIL {3}\r\na\r\n NIL NIL NIL NIL NIL NIL NIL NIL)",
        b"ENVELOPE (NIL {0}\r\n NIL NIL NIL NIL NIL NIL NIL NIL)",
        b"ENVELOPE (NIL {3+}\r\nabc NIL NIL NIL NIL NIL NIL NIL NIL)",
        b"ENVELOPE (NIL ~{3}\r\nabc NIL NIL NIL NIL NIL NIL NIL NIL)",
        b"FLAGS ({3}\r\nabc)",
        b"INTERNALDATE {26}\r\n17-Jul-1996 02:44:25 -0700",
        b"ENVELOPE (NIL NIL NIL NIL NIL NIL NIL NIL NIL)",
        b"BODYSTRUCTURE " + PLAIN,
        b"BODYSTRUCTURE (" + PLAIN + PLAIN + b' "MIXED" ("A" "B") NIL "en" "loc")',
        b"BODYSTRUCTURE (" + PLAIN + b' "MIXED" NIL ("inline" ("a" "b")) ("en" "de"))',
        b"BODYSTRUCTURE (" + PLAIN + b" " + PLAIN + b' "MIXED")',
        b'BODYSTRUCTURE ("A" "B" NIL NIL NIL "7BIT" 1 2)',
        b'BODYSTRUCTURE ("TEXT" "B" NIL NIL NIL "7BIT" 1)',
        b'BODYSTRUCTURE ("A" "B" NIL "i" "d" "7BIT" 1 "m" ("x" NIL) "en" "l")',
        b'BODYSTRUCTURE ("A" "B" NIL "caf\xe9" "d" "7BIT" 1)',
        b"BODY[] {3}\r\nabc",
        b"BODY[] {0}\r\n",
        b"BODY[] {3}\r\na\0b",
        b"BODY[] NIL",
        b"X 5",
        b"BODY[] {4097}\r\n" + b"x" * 4097,
        b"BODY[] {4097}\r\n" + b"\0" * 4097,
    ]
)
OCTETS = st.sampled_from([bytes([octet]) for octet in b' ()[]{}"\\\r\n\0\xe90Aa'])
listed = st.lists(
    FRAGMENTS | DATES.map(lambda d: b'INTERNALDATE "' + d + b' 02:44:25 -0700"'),
    min_size=1,
    max_size=4,
)


@given(st.lists(listed, min_size=1, max_size=3), st.booleans())
def test_odd_items_come_to_the_same(lists: list[list[bytes]], strict: bool) -> None:
    """Each response, heard by a reader of its own, and by one that has learned much."""
    learned = ResponseReader(Limits(), strict=strict)
    good = [item for items in lists for item in items]
    hear(b"* 1 FETCH (" + b" ".join(good[:3]) + b")\r\n", reader=learned)
    for items in lists:
        wire = b"* 3 FETCH (" + b" ".join(items) + b")\r\n"
        alone = hear(wire, strict=strict)
        for _ in range(3):
            assert list(map(repr, hear(wire, reader=learned))) == list(map(repr, alone))


class Slow(ResponseReader):
    """One that knows no shapes."""

    def __init__(self, *, strict: bool) -> None:
        super().__init__(Limits(), strict=strict)
        self._shapes = []

    def _learn(self, response: imap.FetchData) -> None:
        pass


@given(
    st.lists(said.said | said.fetched, min_size=1, max_size=3),
    st.lists(st.tuples(st.integers(0), OCTETS), max_size=3),
    st.booleans(),
    st.integers(1, 200),
)
def test_what_is_damaged_comes_to_the_same(
    values: list[Any], damage: list[tuple[int, bytes]], strict: bool, size: int
) -> None:
    """Whatever shape it has, and wherever it is cut."""
    once = b"".join(value.write() for value in values)
    wire = once + once
    for at, octet in damage:
        at %= len(wire)
        wire = wire[:at] + octet + wire[at + 1 :]
    expected = list(map(repr, hear(wire, reader=Slow(strict=strict))))
    for pieces in ([wire], said.cut(wire, size)):
        reader = ResponseReader(Limits(), strict=strict)
        assert list(map(repr, hear(pieces, reader=reader))) == expected


def test_shapes_are_few_and_plain() -> None:
    assert shape_of(()) is None
    assert shape_of(tuple(f"BODY[{n}]" for n in range(1, MAX_ITEMS + 2))) is None
    assert shape_of(("BODY[]", "UID")) is None
    assert shape_of(("UID", "X-FOO")) is None
    assert shape_of(("UID", "FLAGS")) is shape_of(("UID", "FLAGS"))


def test_several_shapes_take_turns() -> None:
    wires = [
        b"* 1 FETCH (UID 5)\r\n",
        b"* 2 FETCH (FLAGS ())\r\n",
        b"* 3 FETCH (UID 5 FLAGS ())\r\n",
        b"* 4 FETCH (FLAGS () UID 5)\r\n",
        b"* 5 FETCH (RFC822.SIZE 5)\r\n",
    ]
    heard = fast(*wires * 3)
    assert heard == [slowly(wire) for wire in wires] * 3


def test_a_read_that_ends_in_a_response_is_not_the_end() -> None:
    buffer, reader = ReceiveBuffer(), ResponseReader(Limits())
    wire = b"* 1 FETCH (UID 5 BODY[] {5000}\r\n" + b"x" * 5000 + b")\r\n"
    for _ in range(3):
        for piece in said.cut(wire, 999):
            buffer.feed(piece)
        event = reader.read(buffer)
        assert isinstance(event, imap.FetchData)
        assert event.body() == b"x" * 5000
        assert reader.read(buffer) is None


def test_what_else_comes_often_comes_to_the_same() -> None:
    for wire in (
        b"* 23 EXISTS\r\n",
        b"* 0 RECENT\r\n",
        b"* 5 RECENT\r\n",
        b"* 44 EXPUNGE\r\n",
        b"* 0 EXISTS\r\n",
        b"* OK x\r\n",
        b"* NO  x\r\n",
        b"a1 OK x\r\n",
        b"a1 BAD x [x]\r\n",
        b'* LIST () "/" INBOX\r\n',
        b'* LIST (\\A \\B) NIL "a b"\r\n',
        b'* LIST (\\a) "." "inbox"\r\n',
        b'* LIST () "/" "&AOk-"\r\n',
        b"* LIST () NIL NIL\r\n",
        b'* LIST () "/" {3}\r\na"b\r\n',
        b"* STATUS {3}\r\na b (MESSAGES 5 UNSEEN 0)\r\n",
        b"* FLAGS (\\Seen a)\r\n",
        b"* CAPABILITY IMAP4rev1 IDLE\r\n",
        b"* OK [UIDNEXT 5] x\r\n",
        b"* OK [READ-ONLY] x\r\n",
    ):
        assert hear(wire, strict=True) == [slowly(wire)]
        assert repr(hear(wire)) == repr([slowly(wire)])


def test_what_looks_like_it_is_for_the_grammar() -> None:
    for wire, kind in (
        (b"* 0 EXPUNGE\r\n", Deviation),
        (b'* LIST () {1}\r\n/ "a"\r\n', imap.Malformed),
        (b"* OK [X 5] a\r\n", imap.Reply),
        (b"* OK [UIDNEXT] a\r\n", Deviation),
        (b"* STATUS a (UIDNEXT 0)\r\n", Deviation),
        (b"* LIST (a) NIL b\r\n", Deviation),
        (b"* FLAGS (a {3}\r\nb c)\r\n", imap.Malformed),
        (b"* FLAGS (a\r\n* FLAGS (b)\r\n", imap.Malformed),
    ):
        assert type(hear(wire)[0]) is kind


def test_two_shapes_take_turns_too() -> None:
    wires = [b"* 1 FETCH (UID 5)\r\n", b"* 2 FETCH (FLAGS ())\r\n"]
    assert fast(*wires * 3) == [slowly(wire) for wire in wires] * 3


def test_a_shape_that_turns_out_to_be_odd_is_for_the_grammar() -> None:
    body = b" BODY[] {5000}\r\n" + b"x" * 5000 + b")\r\n"
    good, odd = b"* 1 FETCH (FLAGS ()" + body, b"* 2 FETCH (FLAGS (a]b)" + body
    first, deviation, second = hear(good + odd)
    assert first.flags == ()
    assert deviation.quirk is Quirk.ODD_FLAG
    assert second == imap.FetchData(2, {"FLAGS": ("a]b",), "BODY[]": b"x" * 5000})


def test_nul_in_a_body_of_a_known_shape_is_told() -> None:
    wire = b"* 1 FETCH (BODY[] {3}\r\nabc)\r\n"
    _, deviation, data = hear(wire + wire.replace(b"abc", b"a\0c"))
    assert deviation.quirk is Quirk.NUL
    assert data.body() == b"a\0c"


def test_an_odd_structure_is_for_the_grammar() -> None:
    plain = b"* 1 FETCH (BODY " + PLAIN + b")\r\n"
    odd = b'* 1 FETCH (BODY ("A" "B" NIL NIL NIL "7BIT" 1 NIL NIL NIL NIL 5))\r\n'
    assert fast(plain, odd)[1].structure.extensions == b"5"
    text = ENVELOPE.replace(b"NIL NIL NIL ", b"NIL nil NIL ")
    plain, odd = (b"* 1 FETCH (ENVELOPE " + e + b")\r\n" for e in (ENVELOPE, text))
    assert fast(plain, odd, plain) == [slowly(plain)] * 3


def test_every_kind_of_item_has_an_example() -> None:
    told = {name for _, items in ITEMS for name in items} | {
        "ENVELOPE",
        "BODYSTRUCTURE",
    }
    told |= {"RFC822.HEADER", "RFC822.TEXT"}
    assert set(KINDS) <= told
    assert {f"{name}[" for name in SECTIONED} <= {
        t.partition("[")[0] + "[" for t in told
    }


def test_what_is_no_fetch_is_not_read_as_one() -> None:
    with pytest.raises(ValueError, match="FETCH is expected"):
        imap.FetchData.read(Reader(b"1 STORE (UID 5)", strict=True))
