"""Strategies for all that an IMAP server says, and a reader to read it with."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from hypothesis import strategies as st

from mailproto import imap
from mailproto._buffer import ReceiveBuffer
from mailproto.errors import MailError
from mailproto.imap.codes import PLAIN
from mailproto.imap.envelope import Address, Envelope
from mailproto.imap.framer import ResponseReader, read_response
from mailproto.imap.mailboxes import MAX_64, NamespaceEntry, Raw
from mailproto.imap.quirks import Reader
from mailproto.imap.sets import MAX_NUMBER
from mailproto.imap.structure import BodyPart, Disposition, Multipart

from .strategies import atoms, flags, moments, names, numbers, nz_numbers, texts


@dataclass
class Limits:
    """Those of a client that are for its reader."""

    response: int = 16_777_216
    inline_literal: int = 1_048_576
    response_literals: int = 10_000
    streamed: int = MAX_NUMBER


def cut(wire: bytes, size: int) -> list[bytes]:
    return [wire[at : at + size] for at in range(0, len(wire), size)]


def hear(
    wire: bytes | Iterable[bytes],
    *,
    strict: bool = False,
    limits: Limits | None = None,
    reader: ResponseReader | None = None,
) -> list[Any]:
    """The events of *wire*; the last may be the error that ended it."""
    reader = reader or ResponseReader(limits or Limits(), strict=strict)
    buffer = ReceiveBuffer()
    heard: list[Any] = []
    try:
        for data in [wire] if isinstance(wire, bytes) else wire:
            buffer.feed(data)
            while (event := reader.read(buffer)) is not None:
                heard.append(event)
    except MailError as error:
        heard.append(error)
    return heard


def slowly(wire: bytes, *, strict: bool = True) -> Any:
    """What the grammar alone makes of one response without literals apart."""
    return read_response(Reader(wire[:-2], strict=strict))


maybe = st.none() | texts
lines = st.text(
    st.characters(exclude_characters="\0\r\n", exclude_categories=["Cs"]), max_size=40
)
free = lines.filter(lambda text: not text.startswith("["))
numbers_64 = st.integers(0, MAX_64)
words = st.text("ABCXYZabcxyz0123456789-", min_size=1, max_size=9)
capabilities = st.lists(
    st.sampled_from(["IMAP4rev1", "AUTH=PLAIN", "LITERAL+"]) | words, max_size=5
).map(lambda found: imap.Capabilities(*found))


@st.composite
def copy_uids(draw: st.DrawFn) -> imap.CopyUid:
    low, other = draw(st.integers(1, 1000)), draw(st.integers(1, 1000))
    more = draw(st.integers(0, 50))
    source = imap.UidSet((low, low + more), low + 5000)
    return imap.CopyUid(
        draw(nz_numbers), source, imap.UidSet((other, other + more + 1))
    )


unknown_codes = st.builds(
    imap.Code,
    words.map("X-".__add__),
    st.none() | lines.filter(lambda text: text and "]" not in text),
)
codes = st.one_of(
    st.sampled_from(sorted(PLAIN)).map(imap.Code),
    unknown_codes,
    nz_numbers.map(imap.UidNext),
    nz_numbers.map(imap.UidValidity),
    nz_numbers.map(imap.Unseen),
    st.lists(flags | st.just("\\*"), max_size=4).map(
        lambda found: imap.PermanentFlags(tuple(found))
    ),
    st.lists(words | st.just('a "b"'), max_size=3).map(
        lambda found: imap.BadCharset(tuple(found))
    ),
    st.builds(imap.AppendUid, nz_numbers, st.builds(imap.UidSet, nz_numbers)),
    copy_uids(),
    capabilities,
)
replies = st.builds(imap.Reply, st.sampled_from(imap.Condition), free) | st.builds(
    imap.Reply, st.sampled_from(imap.Condition), lines, codes
)
tagged = st.builds(
    imap.TaggedReply,
    words,
    replies.filter(lambda reply: reply.condition.value in (b"OK", b"NO", b"BAD")),
)
continues = st.builds(imap.Continue, free) | st.builds(imap.Continue, lines, codes)
delimiters = st.none() | st.sampled_from("/.\\\"' |")
raws = st.sampled_from(
    [b"5", b'"a \\" b"', b"(a (b {2}\r\n\r\n) NIL)", b"()", b"{0}\r\n", b"\\Seen"]
).map(Raw)
attributes = st.lists(atoms.map("\\".__add__), max_size=3).map(tuple)
entries = st.lists(
    st.builds(
        NamespaceEntry,
        names,
        delimiters,
        st.lists(
            st.tuples(texts, st.lists(texts, min_size=1, max_size=2).map(tuple)),
            max_size=2,
        ).map(tuple),
    ),
    max_size=2,
).map(tuple)
data = st.one_of(
    numbers.map(imap.Exists),
    numbers.map(imap.Recent),
    nz_numbers.map(imap.Expunged),
    st.lists(flags, max_size=4).map(lambda found: imap.FlagsData(tuple(found))),
    st.builds(
        imap.SearchData,
        st.lists(nz_numbers, max_size=5).map(tuple),
        st.none() | st.integers(1, MAX_64),
    ),
    *(
        st.builds(
            kind,
            names,
            delimiters,
            attributes,
            st.sampled_from([b"", b'("CHILDINFO" ("X"))', b"({2}\r\n\r\n)"]),
        )
        for kind in (imap.ListData, imap.LsubData)
    ),
    st.builds(
        imap.StatusData,
        names,
        st.dictionaries(st.sampled_from(["MESSAGES", "UNSEEN"]), numbers)
        | st.dictionaries(st.sampled_from(["UIDNEXT", "UIDVALIDITY"]), nz_numbers)
        | st.dictionaries(words.map("X".__add__).map(str.upper), numbers_64)
        | st.dictionaries(
            words.map("X".__add__).map(str.upper),
            raws.filter(lambda raw: not raw.data.isdigit()),
        ),
    ),
    st.builds(imap.NamespaceData, entries, entries, entries),
    st.builds(
        imap.IdData,
        st.none() | st.lists(st.tuples(texts, maybe), max_size=3).map(tuple),
    ),
    capabilities,
    capabilities.map(lambda found: imap.Enabled(*found)),
    st.builds(
        lambda number, name, rest: imap.UnknownData(number + name + rest),
        st.sampled_from([b"", b"5 "]),
        words.map(lambda name: b"X" + name.encode()),
        st.sampled_from([b"", b' (a "b" {2}\r\n\r\n) 5', b" anything (", b" {0}\r\n"]),
    ),
)

addresses = st.lists(st.builds(Address, maybe, maybe, maybe, maybe), max_size=3).map(
    tuple
)
envelopes = st.builds(
    Envelope,
    maybe, maybe, addresses, addresses, addresses, addresses, addresses, addresses,
    maybe, maybe,
)  # fmt: skip
parameters = st.lists(st.tuples(texts, texts), max_size=3).map(tuple)
dispositions = st.none() | st.builds(Disposition, texts, parameters)
tags = st.lists(texts, max_size=2).map(tuple)
extensions = st.sampled_from([b"", b"5", b'("x" (1 NIL)) NIL', b"{3}\r\nabc"])
types = st.sampled_from(["APPLICATION", "image", "X-y"])
tail = (st.none() | texts, dispositions, tags, st.none() | texts, extensions)
leaves = st.builds(
    BodyPart, types, texts, parameters, maybe, maybe, texts, numbers,
    st.none(), st.none(), st.none(), *tail,
) | st.builds(
    BodyPart, st.sampled_from(["TEXT", "text"]), texts, parameters, maybe, maybe, texts,
    numbers, numbers, st.none(), st.none(), *tail,
)  # fmt: skip
structures: st.SearchStrategy[Any] = st.recursive(
    leaves,
    lambda inner: st.builds(
        Multipart,
        st.lists(inner, min_size=1, max_size=3).map(tuple),
        texts, parameters, dispositions, tags, st.none() | texts, extensions,
    ) | st.builds(
        BodyPart, st.just("MESSAGE"), st.just("RFC822"), parameters, maybe, maybe,
        texts, numbers, numbers, envelopes, inner, *tail,
    ),
    max_leaves=6,
)  # fmt: skip
octets = st.binary(max_size=20).filter(lambda found: b"\0" not in found)
whole_moments = moments.map(lambda moment: moment.replace(microsecond=0)).filter(
    lambda moment: isinstance(moment, datetime)
)
item_names = {
    "UID": nz_numbers,
    "FLAGS": st.lists(flags.map(imap.grammar.check_flag), max_size=3).map(tuple),
    "INTERNALDATE": whole_moments,
    "RFC822.SIZE": numbers,
    "MODSEQ": st.integers(1, MAX_64),
    "ENVELOPE": envelopes,
    "BODY": structures,
    "BODYSTRUCTURE": structures,
    "RFC822": st.none() | octets,
    "RFC822.HEADER": octets,
    "BODY[]": st.none() | octets,
    "BODY[1.2.MIME]": octets,
    "BODY[HEADER.FIELDS (DATE FROM)]<10>": octets,
    'BODY[HEADER.FIELDS ("X Y")]': octets,
    "BINARY[1]": st.none() | st.binary(max_size=9),
    "BINARY.SIZE[1]": numbers,
    "X-GM-LABELS": raws,
    "X-THING[1]<5>": raws,
}
fetched = st.builds(
    lambda number, found: imap.FetchData(number, dict(found)),
    nz_numbers,
    st.lists(
        st.sampled_from(sorted(item_names)), min_size=1, max_size=4, unique=True
    ).flatmap(
        lambda chosen: st.tuples(
            *(st.tuples(st.just(name), item_names[name]) for name in chosen)
        )
    ),
)
said = st.one_of(replies, tagged, continues, data, fetched)
