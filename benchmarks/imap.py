"""IMAP: our reader of responses against IMAPClient, imaplib, imap-codec and others.

A peer that is not installed is skipped, and said to be.
"""

from __future__ import annotations

import imaplib
import importlib
import io
import itertools
import logging
import re
import sys
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any

from mailproto import NEED_DATA, Completed, Security, imap
from mailproto.imap.envelope import Address, Envelope
from mailproto.imap.structure import Multipart, walk

from . import imap_corpora as corpora
from .harness import Contestant, Row

READ_SIZE = 65536
TAG: Any = re.compile(rb"(?P<tag>A\d+) (?P<type>[A-Z]+) (?P<data>.*)")
QUOTED = re.compile(rb'"((?:[^"\\]|\\.)*)"')


def peer(name: str) -> Any:
    """A module that may not be there."""
    try:
        return importlib.import_module(name)
    except ImportError:
        print(f"benchmarks: {name} is not installed: SKIPPED", file=sys.stderr)
        return None


imapclient = peer("imapclient.response_parser")
pymap = peer("pymap.parsing.commands")
imap_codec = peer("imap_codec")
aioimaplib = peer("aioimaplib.aioimaplib")
twisted = peer("twisted.mail.imap4")


def reads(wire: bytes, size: int = READ_SIZE) -> list[bytes]:
    return [wire[at : at + size] for at in range(0, len(wire), size)]


# -- contestants -----------------------------------------------------------------


def selected(tags: list[str] | None = None) -> imap.Client:
    """A client with a mailbox open, and a NOOP on its way by each of *tags*."""
    tags = tags or []
    limits = imap.Limits(in_flight=len(tags) + 1)
    client = imap.Client(Security.CLEARTEXT, tags=["S1", *tags], limits=limits)
    client.receive_data(b"* PREAUTH ready\r\n")
    client.next_event()
    client.send(imap.Select("INBOX"))
    client.data_to_send()
    client.receive_data(b"S1 OK [READ-WRITE] selected\r\n")
    client.next_event()
    for _ in tags:
        client.send(imap.Noop())
    client.data_to_send()
    return client


def ours(wire: list[bytes], client: imap.Client | None = None) -> list[Any]:
    """Each read is received, and events are pulled one by one."""
    client = client or selected()
    got: list[Any] = []
    receive, pull, keep = client.receive_data, client.next_event, got.append
    for data in wire:
        receive(data)
        while (event := pull()) is not NEED_DATA:
            keep(event)
    return got


class Imaplib(imaplib.IMAP4):
    """imaplib, with a file in the place of its socket."""

    def __init__(self, wire: bytes, debug: int = 0) -> None:
        self.debug = debug
        self._mesg = logging.getLogger("imapclient.imaplib").debug
        self.untagged_responses: dict[str, list[Any]] = {}
        self._cmd_log: dict[int, Any] = {}
        self._cmd_log_len, self._cmd_log_idx = 10, 0
        self._file = io.BufferedReader(io.BytesIO(wire), READ_SIZE)
        self._mode_ascii()
        self.tagre = TAG
        self.tagged_commands = AnyTag()

    def read(self, size: int) -> bytes:
        return self._file.read(size)

    def readline(self) -> bytes:
        return self._file.readline()


class AnyTag(dict[Any, Any]):
    def __contains__(self, key: object) -> bool:
        return True


def imaplib_raw(wire: bytes, debug: int = 0) -> dict[str, list[Any]]:
    conn = Imaplib(wire, debug)
    try:
        while True:
            conn._get_response()
    except imaplib.IMAP4.abort:
        return conn.untagged_responses


def imapclient_fetch(wire: bytes) -> Any:
    """What IMAPClient's fetch does: imaplib's lines, and then its parser.

    It has imaplib tell a logger everything, whether that listens or not, and that takes
    the ``repr`` of each body.
    """
    return imapclient.parse_fetch_response(imaplib_raw(wire, debug=5)["FETCH"])


def codec_lines(lines: list[bytes]) -> list[Any]:
    """A response at a time: else it would copy the rest for each."""
    decode = imap_codec.ResponseCodec.decode
    return [decode(line)[1].as_dict() for line in lines]


def aioimaplib_lines(wire: list[bytes]) -> int:
    """How many lines it finds; it calls itself for each, so reads must be small."""
    protocol = aioimaplib.IMAP4ClientProtocol(None)
    count = 0

    def take(line: str, current: Any) -> None:
        nonlocal count
        count += 1

    protocol._handle_line = take
    for data in wire:
        protocol.data_received(data)
    return count


def twisted_tokens(lines: list[bytes]) -> list[Any]:
    """What its client makes of a FETCH: nested lists."""
    parse = twisted.parseNestedParens
    return [parse(line.split(b" ", 3)[3][:-2]) for line in lines]


# -- the least that must be done -------------------------------------------------


def floor_flags(truth: list[Any], lines: list[bytes]) -> list[Any]:
    """Positions known: int() and objects, and nothing else."""
    spans = [
        (str(n).encode(), str(u).encode(), f, str(m).encode()) for n, u, f, m in truth
    ]
    kind = imap.FetchData

    def run() -> list[Any]:
        return [
            kind(int(n), {"UID": int(u), "FLAGS": f, "MODSEQ": int(m)})
            for n, u, f, m in spans
        ]

    return [run]


def floor_envelopes(lines: list[bytes]) -> Callable[[], list[Any]]:
    """Positions known: slice, decode, int(), datetime, objects."""
    plans: list[Any] = []
    for line in lines:
        [data] = ours([line])
        at = line.index(b"ENVELOPE")
        spans = [m.span(1) for m in QUOTED.finditer(line, at)]
        count = itertools.count()

        def place(text: str | None, count: Any = count) -> int | None:
            return None if text is None else next(count)

        e = data.envelope
        head = [place(e.date), place(e.subject)]
        lists = [
            [[place(t) for t in (a.name, a.route, a.mailbox, a.host)] for a in people]
            for people in (e.from_, e.sender, e.reply_to, e.to, e.cc, e.bcc)
        ]
        tail = [place(e.in_reply_to), place(e.message_id)]
        plans.append((line, spans, head, lists, tail))

    zone = timezone(timedelta(hours=2))

    def run() -> list[Any]:
        got = []
        for line, spans, (date, subject), lists, (reply, ident) in plans:
            strings: Any = [line[a:b].decode() for a, b in spans]
            people: Any = [
                tuple([
                    Address(*[None if i is None else strings[i] for i in one])
                    for one in addresses
                ])
                for addresses in lists
            ]  # fmt: skip
            text = line[40:70]
            when = datetime(
                int(b"2025"), int(b"07"), int(b"17"), int(b"02"), int(b"44"),
                int(b"25"), tzinfo=zone,
            )  # fmt: skip
            fields: list[Any] = [strings[date], strings[subject], *people]
            fields.append(None if reply is None else strings[reply])
            fields.append(strings[ident])
            made = Envelope(*fields)
            got.append(
                imap.FetchData(int(b"1234"), {
                    "UID": int(b"12345"), "FLAGS": text, "INTERNALDATE": when,
                    "RFC822.SIZE": int(b"123456"), "ENVELOPE": made,
                })
            )  # fmt: skip
        return got

    return run


# -- truths ----------------------------------------------------------------------


def envelope_truth(got: list[Any]) -> list[Any]:
    return [
        (d.number, d.uid, d.size, d.flags, d.envelope.subject,
         tuple((a.name, a.mailbox, a.host) for a in d.envelope.to),
         d.envelope.message_id)
        for d in got
    ]  # fmt: skip


def structure_truth(got: list[Any]) -> list[Any]:
    def leaves(structure: Any) -> int:
        return sum(not isinstance(part, Multipart) for _, part in walk(structure))

    return [(d.number, d.uid, leaves(d.structure)) for d in got]


def mixed_truth(got: list[Any]) -> list[Any]:
    def told(event: Any) -> Any:
        match event:
            case Completed():
                return event.answer.text
            case imap.Reply():
                return getattr(event.code, "number", None)
            case imap.FlagsData():
                return len(event.flags)
            case imap.StatusData():
                return event["MESSAGES"]
            case imap.Capabilities():
                return len(event)
        return event.number

    return [(type(event).__name__, told(event)) for event in got]


def as_told(truth: Any) -> Callable[[Any], Any]:
    """For what gives nothing that could be compared: it came to the end."""
    return lambda got: truth


def as_many(truth: Any) -> Callable[[Any], Any]:
    """For peers whose values are of another kind: there are as many of them."""
    return lambda got: truth if len(got) == len(truth) else got


def fetch_row(
    name: str,
    unit: str,
    corpus: corpora.Corpus,
    truth: Callable[[list[Any]], list[Any]],
    goals: dict[str, float],
    *extra: Contestant,
) -> Row:
    wire, lines = corpus.wire, corpus.lines
    cut = reads(wire)
    contestants = [Contestant("mailproto", "typed", lambda: ours(cut), truth)]
    if imapclient:
        raw = imaplib_raw(wire)["FETCH"]
        contestants += [
            Contestant("IMAPClient parser", "typed",
                       lambda: imapclient.parse_fetch_response(raw),
                       as_many(corpus.truth)),
            Contestant("IMAPClient", "typed", lambda: imapclient_fetch(wire),
                       as_many(corpus.truth)),
        ]  # fmt: skip
    if imap_codec and "flags" not in name:
        contestants.append(
            Contestant("imap-codec + dict", "dict", lambda: codec_lines(lines),
                       as_many(corpus.truth))
        )  # fmt: skip
    if twisted and "body" not in name:
        contestants.append(
            Contestant("twisted", "nested", lambda: twisted_tokens(lines),
                       as_many(corpus.truth))
        )  # fmt: skip
    contestants.append(
        Contestant("imaplib", "raw", lambda: imaplib_raw(wire), as_told(corpus.truth))
    )
    contestants += extra
    return Row(name, unit, len(lines), corpus.truth, contestants, goals)


def rows(scale: float) -> list[Row]:
    def some(count: int, make: Any) -> corpora.Corpus:
        return corpora.corpus(max(20, int(count * scale)), make)

    return [
        envelope_row(some(5000, corpora.envelope)),
        fetch_row(
            "imap.structure", "BODYSTRUCTURE", some(2000, corpora.structure),
            structure_truth, {"IMAPClient parser": 6.0, "imap-codec + dict": 4.3},
        ),
        flags_row(some(20_000, corpora.flag_update)),
        fetch_row(
            "imap.body", "20 KB", some(1000, corpora.body),
            lambda got: [(d.number, d.uid, len(d.body())) for d in got],
            {"IMAPClient": 20.0, "imaplib": 1.0},
        ),
        list_row(some(5000, corpora.listing)),
        search_row(max(100, int(100_000 * scale))),
        mixed_row(some(20_000, corpora.mixed)),
        commands_row(some(10_000, corpora.command)),
    ]  # fmt: skip


def envelope_row(corpus: corpora.Corpus) -> Row:
    plain = [line for line in corpus.lines if line.count(b"\r\n") == 1]
    run = floor_envelopes(plain)
    floor = Contestant("(slices + objects)", "floor", run, as_told(corpus.truth))
    goals = {"IMAPClient parser": 11.0, "imap-codec + dict": 3.0, floor.name: 1 / 1.15}
    return fetch_row("imap.envelope", "ENVELOPE", corpus, envelope_truth, goals, floor)


def flags_row(corpus: corpora.Corpus) -> Row:
    [run] = floor_flags(corpus.truth, corpus.lines)
    floor = Contestant("(int + objects)", "floor", run, as_told(corpus.truth))
    goals = {"IMAPClient parser": 12.0, "imaplib": 2.2, floor.name: 0.5}
    return fetch_row(
        "imap.flags", "UID FLAGS MODSEQ", corpus,
        lambda got: [(d.number, d.uid, d.flags, d.modseq) for d in got], goals, floor,
    )  # fmt: skip


def list_row(corpus: corpora.Corpus) -> Row:
    wire, lines = corpus.wire, corpus.lines
    cut = reads(wire)
    told = as_told(corpus.truth)
    contestants = [
        Contestant("mailproto", "typed", lambda: ours(cut),
                   lambda got: [(d.mailbox, d.attributes) for d in got]),
        Contestant("imaplib", "raw", lambda: imaplib_raw(wire), told),
    ]  # fmt: skip
    if imapclient:
        raw = imaplib_raw(wire)["LIST"]
        decode = importlib.import_module("imapclient.imap_utf7").decode

        def parsed() -> list[Any]:
            rest = imapclient.parse_response(raw)
            triples = zip(rest[::3], rest[1::3], rest[2::3], strict=True)
            return [(flags, delim, decode(name)) for flags, delim, name in triples]

        contestants.append(
            Contestant("IMAPClient parser", "typed", parsed, as_many(corpus.truth))
        )
    if imap_codec:
        contestants.append(
            Contestant(
                "imap-codec + dict",
                "dict",
                lambda: codec_lines(lines),
                as_many(corpus.truth),
            )
        )
    goals = {"IMAPClient parser": 4.0, "imap-codec + dict": 1.4}
    return Row("imap.list", "LIST", len(lines), corpus.truth, contestants, goals)


def search_row(count: int) -> Row:
    numbers = tuple(n * 7 + 1 for n in range(count))
    digits = b" ".join(b"%d" % number for number in numbers)
    wire = b"* SEARCH " + digits + b"\r\n"
    cut = reads(wire)
    contestants = [
        Contestant("mailproto", "typed", lambda: ours(cut), lambda got: got[0].numbers),
        Contestant("(int of split)", "floor",
                   lambda: tuple(map(int, digits.split())), tuple),
        Contestant("imaplib", "raw", lambda: imaplib_raw(wire), as_told(numbers)),
    ]  # fmt: skip
    if imapclient:
        parse = imapclient.parse_message_list
        contestants.append(
            Contestant("IMAPClient parser", "typed", lambda: parse([digits]), tuple)
        )
    goals = {"IMAPClient parser": 2.5, "(int of split)": 1.0}
    return Row("imap.search", "number", count, numbers, contestants, goals)


def mixed_row(corpus: corpora.Corpus) -> Row:
    wire, lines = corpus.wire, corpus.lines
    cut = reads(wire)
    told = as_told(corpus.truth)
    tags = [line.split()[0].decode() for line in lines if line[:1] == b"A"]
    contestants = [
        Contestant("mailproto", "typed", lambda client: ours(cut, client), mixed_truth,
                   setup=lambda: (selected(tags),)),
        Contestant("imaplib", "raw", lambda: imaplib_raw(wire), told),
    ]  # fmt: skip
    if imap_codec:
        contestants.append(
            Contestant(
                "imap-codec + dict",
                "dict",
                lambda: codec_lines(lines),
                as_many(corpus.truth),
            )
        )
    if aioimaplib:
        part = reads(wire, 2000)
        contestants.append(
            Contestant(
                "aioimaplib",
                "raw",
                lambda: aioimaplib_lines(part),
                lambda got: corpus.truth if got == len(lines) else got,
            )
        )
    goals = {"imap-codec + dict": 3.5, "imaplib": 1.5}
    return Row("imap.mixed", "response", len(lines), corpus.truth, contestants, goals)


def commands_row(corpus: corpora.Corpus) -> Row:
    """The server's side: lines are at hand, and values are wanted."""
    wire = corpus.lines
    lines = [line[:-2] for line in wire]
    verbs = imap.IMAP4REV1.verbs

    def mine() -> list[Any]:
        got = []
        for line in lines:
            cursor = imap.Cursor(line)
            tag = cursor.take_tag()
            cursor.expect(b" ")
            got.append((tag, imap.read_command(cursor, verbs)))
        return got

    contestants = [
        Contestant("mailproto", "typed", mine,
                   lambda got: [command.verb for _, command in got]),
    ]  # fmt: skip
    if pymap:
        params = importlib.import_module("pymap.parsing").Params()
        parse = pymap.Commands().parse
        contestants.append(
            Contestant("pymap", "typed",
                       lambda: [parse(memoryview(line), params) for line in wire],
                       as_many(corpus.truth))
        )  # fmt: skip
    if imap_codec:
        decode = imap_codec.CommandCodec.decode
        contestants.append(
            Contestant("imap-codec + dict", "dict",
                       lambda: [decode(line)[1].as_dict() for line in wire],
                       as_many(corpus.truth))
        )  # fmt: skip
    goals = {"pymap": 6.0, "imap-codec + dict": 1.9}
    return Row("imap.commands", "command", len(lines), corpus.truth, contestants, goals)


def growing(chunk: int) -> dict[str, Any]:
    """Work whose time must grow with the bytes, and no faster, in *chunk*s of them."""

    def of(make: Any, each: int) -> Callable[[int], None]:
        def run(size: int) -> None:
            wire = corpora.corpus(max(2, size // each), make).wire
            ours(reads(wire, chunk))

        return run

    def literal(size: int) -> None:
        head = b"* 1 FETCH (BODY[] {%d}\r\n" % size
        ours(reads(head + b"x" * size + b")\r\n", chunk))

    return {
        "imap.flags": of(corpora.flag_update, 70),
        "imap.envelope": of(corpora.envelope, 600),
        "imap.struct": of(corpora.structure, 900),
        "imap.literal": literal,
    }


def streaming() -> dict[str, Any]:
    """Work that must not keep what goes by, whatever its size."""

    def literal(size: int) -> None:
        piece = bytes(READ_SIZE)
        pieces = itertools.repeat(piece, size // len(piece))
        begin = b"* 1 FETCH (BODY[] {%d}\r\n" % (size // len(piece) * len(piece))
        client = selected()
        for data in itertools.chain([begin], pieces, [b" UID 1)\r\n"]):
            client.receive_data(data)
            while client.next_event() is not NEED_DATA:
                pass

    return {"imap.literal": literal}
